"""What earlier commits measured on this machine: a line of JSON for each number that was trusted, and their comparison."""

from __future__ import annotations

import contextlib
import json
import math
import subprocess
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from minigrad.bench.machine import machine_name
from minigrad.bench.row import Row
from minigrad.data.sources import cache_folder
from minigrad.errors import FileFormatError

FORMAT = 1


@dataclass(frozen=True)
class Entry:
    """A number of the past.

    Attributes:
        machine: whose it is; numbers of two machines are never compared.
        commit: the checkout's, or the version where there is none.
        changed: whether files of the checkout differed from that commit.
        when: seconds since 1970.
        what, shape, who, dtype, threads, seconds: as in :class:`~minigrad.bench.row.Row`.
    """

    machine: str
    commit: str
    changed: bool
    when: float
    what: str
    shape: str
    who: str
    dtype: str
    threads: int
    seconds: float

    @property
    def subject(self) -> tuple[str, str, str, str, int]:
        """What it is a number of."""
        return self.what, self.shape, self.who, self.dtype, self.threads

    @property
    def state(self) -> str:
        """The commit, with a mark where files had been changed."""
        return self.commit + ("*" if self.changed else "")


def history_path() -> Path:
    """Where the history is kept if no other file is named."""
    return cache_folder() / "bench" / "history.jsonl"


def version(package: Path, number: str) -> tuple[str, bool]:
    """The commit of the checkout that a package lies in, and whether files were changed; or the version's number.

    Args:
        package: the package's folder.
        number: its version.
    """
    root = package.parent
    if not (root / ".git").exists():
        return number, False
    try:
        commit = _git(root, "rev-parse", "--short=10", "HEAD")
        return commit or number, bool(_git(root, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return number, False


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=True, timeout=20)
    return done.stdout.strip()


def append(rows: Iterable[Row], commit: str, changed: bool, path: Path, now: float | None = None) -> int:
    """Write down the rows that can be trusted, and give their number.

    Raises:
        OSError: the file cannot be written.
    """
    machine, when = machine_name(), time.time() if now is None else now
    entries = [
        Entry(machine, commit, changed, when, row.what, row.shape, row.who, row.dtype, row.threads, row.seconds)
        for row in rows
        if not row.refused and math.isfinite(row.seconds)
    ]
    if entries:
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = "".join(json.dumps({"format": FORMAT, **asdict(entry)}) + "\n" for entry in entries)
        with path.open("a", encoding="utf-8") as file:
            file.write(lines)  # in one call, so that two runs do not mix their lines
    return len(entries)


def read(path: Path) -> list[Entry]:
    """This machine's numbers, the oldest first. A line that was cut short is left out.

    Raises:
        FileFormatError: the file is no history.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    except UnicodeDecodeError:
        lines = ["no text"]
    entries, machine = [], machine_name()
    for line in filter(str.strip, lines):
        with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
            entries.append(_entry(json.loads(line)))
    if lines and not entries:
        remedy = "Name another file with --history-file, or remove this one"
        raise FileFormatError("bench", str(path), "a history that minigrad bench wrote", "something else", remedy)
    return sorted((entry for entry in entries if entry.machine == machine), key=lambda entry: entry.when)


def _entry(values: dict[str, Any]) -> Entry:
    values = dict(values)
    if values.pop("format") != FORMAT:
        raise ValueError("another format")
    entry = Entry(**values)
    if not entry.seconds > 0:
        raise ValueError("no time")
    return entry


def compared(entries: Iterable[Entry], most: int = 5) -> list[tuple[Entry, float | None]]:
    """For each subject its last few commits, the oldest first, with how many times as fast as the one before.

    Of several runs of one commit the last counts.

    Example:
        >>> def entry(commit, seconds):
        ...     return Entry("m", commit, False, 0.0, "conv2d.forward", "3x3", "cpu", "float32", 2, seconds)
        >>> [(each.commit, faster) for each, faster in compared([entry("a", 2.0), entry("b", 1.5), entry("b", 1.0)])]
        [('a', None), ('b', 2.0)]
    """
    subjects: dict[Any, dict[str, Entry]] = {}
    for entry in entries:
        states = subjects.setdefault(entry.subject, {})
        states.pop(entry.state, None)  # to the end
        states[entry.state] = entry
    found: list[tuple[Entry, float | None]] = []
    for states in subjects.values():
        kept = list(states.values())[-most - 1 :]
        for place, entry in enumerate(kept):
            if place or len(kept) <= most:
                found.append((entry, kept[place - 1].seconds / entry.seconds if place else None))
    return found
