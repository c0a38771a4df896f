"""A run folder: one training, and all that going on with it or applying it takes.

::

    config.json            task, data, settings and what the model is made of; never changed
    model.safetensors      the best weights so far
    initial.safetensors    the weights that it began with, where those were another model's
    checkpoints/           the newest two, by number
    metrics.jsonl          what was measured: no clocks, so that equal runs have equal files
    timing.jsonl           when and how fast
    samples.txt            what a model that writes wrote after each evaluation
    samples.png            what a model that draws drew after the last evaluation
    report.html            the page of the run
    run.lock               held by the process that trains here

Every file but the journals and the samples is written whole or not at all.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import minigrad
from minigrad.errors import MinigradError, RunError
from minigrad.interop.atomic import write_atomically
from minigrad.train.journal import Journal
from minigrad.train.lock import Lock
from minigrad.train.samples import Samples

FORMAT = 1
HALF_WRITTEN = re.compile(r"\..*\.[0-9a-f]{12}\.tmp")  # what write_atomically leaves when it is killed


def digest(config: Mapping[str, Any]) -> str:
    """The sha256 of a config, whatever the order of its keys.

    Example:
        >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
        True
    """
    return hashlib.sha256(json.dumps(config, sort_keys=True, allow_nan=False).encode()).hexdigest()


def differences(config: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """The names of the entries in which two configs differ.

    Example:
        >>> differences({"data": "a", "settings": {"lr": 1, "seed": 0}}, {"data": "a", "settings": {"lr": 2, "seed": 0}})
        ['settings.lr']
    """
    found: list[str] = []
    for key in sorted({*config, *other}):
        one, two = config.get(key), other.get(key)
        if isinstance(one, Mapping) and isinstance(two, Mapping):
            found += [f"{key}.{name}" for name in differences(one, two)]
        elif one != two:
            found.append(key)
    return found


class Run:
    """A run folder. ``with run:`` locks it against a second process.

    Args:
        path: the folder, which need not be there yet.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.metrics = Journal(self.path / "metrics.jsonl")
        self.timing = Journal(self.path / "timing.jsonl")
        self.samples = Samples(self.path / "samples.txt")
        self.pictures = self.path / "samples.png"
        self.checkpoints = self.path / "checkpoints"
        self.model = self.path / "model.safetensors"
        self.initial = self.path / "initial.safetensors"
        self.report = self.path / "report.html"
        self._config = self.path / "config.json"
        self._lock = Lock(self.path / "run.lock")
        self._made: list[Path] = []  # folders made here, and whether the lock's file was
        self._fresh = False

    # ------------------------------------------------------------------ holding it

    def __enter__(self) -> Run:
        """Lock the folder, make it if need be, and clear away what a killed process left half written.

        Raises:
            RunError: another process trains here, or the folder cannot be made or written to.
        """
        try:
            self._make(self.path)
            self._fresh = not self._lock.path.exists()
            self._lock.acquire()
            self._make(self.checkpoints)
            for folder in (self.path, self.checkpoints):
                for left in folder.glob(".*.tmp"):
                    if HALF_WRITTEN.fullmatch(left.name):
                        left.unlink()
        except OSError as error:
            self.__exit__()
            reason = error.strerror or str(error)
            remedy = "Choose another folder with --out, or mend this one's permissions"
            raise RunError("run", str(self.path), "a folder that can be written to", reason, remedy) from error
        except BaseException:
            self.__exit__()
            raise
        return self

    def _make(self, folder: Path) -> None:
        self._made += reversed([parent for parent in (folder, *folder.parents) if not parent.exists()])
        folder.mkdir(parents=True, exist_ok=True)

    def __exit__(self, *_: Any) -> None:
        """Let go of the folder. What was made here is taken away again where no training was begun."""
        if not self.exists():
            with contextlib.suppress(OSError):
                if self._fresh and self.held:
                    self.initial.unlink(missing_ok=True)
                    self._lock.path.unlink()
            for made in reversed(self._made):
                with contextlib.suppress(OSError):
                    made.rmdir()
        self._made = []
        self._lock.release()

    @property
    def held(self) -> bool:
        """Whether the folder is locked here."""
        return self._lock.held

    # ------------------------------------------------------------------ what it is

    def exists(self) -> bool:
        """Whether a training was begun here."""
        return os.path.exists(self._config)

    def check_new(self) -> None:
        """See that a training can begin here.

        Raises:
            RunError: one was begun here before, or the folder holds other things, or is none.
        """
        if self.exists():
            remedy = f"Go on with it by: minigrad resume {shlex.quote(str(self.path))}\nor train into another folder with --out"
            raise RunError("train", str(self.path), "a new folder, or an empty one", "a run that was begun before", remedy)
        if not self.path.exists():
            return
        try:
            names = os.listdir(self.path)
        except OSError as error:
            got = error.strerror or str(error)
            raise RunError(
                "train", str(self.path), "a new folder, or an empty one", got, "Choose another with --out"
            ) from error
        others = sorted(name for name in names if name not in ("run.lock", "checkpoints", self.initial.name))
        others += sorted(f"checkpoints/{path.name}" for path in self.checkpoints.glob("*"))
        if others:
            got = f"one that holds {', '.join(others[:3])}{', ...' if len(others) > 3 else ''}"
            raise RunError("train", str(self.path), "a new folder, or an empty one", got, "Choose another with --out")

    def begin(self, config: Mapping[str, Any]) -> None:
        """Write the config of a new training.

        Raises:
            RunError: one was begun here before, or the folder holds other things.
        """
        self.check_new()
        content = {"format": FORMAT, "minigrad": minigrad.__version__, **config}
        text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
        with self.explained("config.json"):  # a name of a file that is no text has surrogates, which JSON can say
            write_atomically("train", self._config, text.encode(errors="backslashreplace"))

    def config(self) -> dict[str, Any]:
        """The config, as the task gave it.

        Raises:
            RunError: the folder is none of a run, or its config is damaged or of a later format.
        """
        shown = str(self.path)
        expected = "a run folder, as minigrad train makes it"
        try:
            content = json.loads(self._config.read_text(encoding="utf-8"))
            json.dumps(content, allow_nan=False)
        except (FileNotFoundError, NotADirectoryError):
            if self.path.is_dir():
                got = "a folder without config.json"
            else:
                got = "a file" if self.path.exists() else "no such folder"
            raise RunError("run", shown, expected, got, neighbours(self.path)) from None
        except (OSError, ValueError, RecursionError) as error:
            raise RunError(
                "run", shown, expected, f"a config.json that cannot be read ({error})", "Take a copy of it"
            ) from error
        if not isinstance(content, dict) or not isinstance(content.get("task"), str):
            raise RunError("run", shown, expected, "a config.json of another program", "Is it the right folder?")
        version = content.pop("format", None)
        if type(version) is not int or version != FORMAT:
            got = f"one of format {version!r}, by minigrad {content.get('minigrad')}"
            raise RunError("run", shown, f"a run of format {FORMAT}", got, "Take the version of minigrad that made it")
        content.pop("minigrad", None)
        return content

    def check_unfinished(self) -> None:
        """See that a run without checkpoints never had any: to begin it anew would write over what was trained.

        One is written at each evaluation, after its row: the row of one evaluation may be there without a checkpoint, not two.

        Raises:
            RunError: there were some.
        """
        evaluations = sum(any(name.startswith("val/") for name in row) for row in self.metrics.rows())
        if evaluations > 1 or self.report.exists():
            got = f"none, after {evaluations} evaluation{'' if evaluations == 1 else 's'}"
            remedy = "Put back a copy of the folder, or train anew into another one; the model that is there can be used"
            raise RunError("resume", str(self.checkpoints), "the checkpoints that were there", got, remedy)

    def weights(self) -> dict[str, Any]:
        """The best weights.

        Raises:
            RunError: there are none yet.
            FileFormatError: the file is damaged.
        """
        self.config()
        if not self.model.exists():
            remedy = f"Let it come to its first evaluation: minigrad resume {shlex.quote(str(self.path))}"
            raise RunError("run", str(self.path), "a run with a model", "one that has not been evaluated yet", remedy)
        return minigrad.load(self.model)

    @contextlib.contextmanager
    def explained(self, doing: str) -> Iterator[None]:
        """Turn what goes wrong in writing to the folder into words that say how to go on."""
        try:
            yield
        except (OSError, MinigradError) as error:
            cause = error.__cause__ if isinstance(error, MinigradError) else error
            if not isinstance(cause, OSError):
                raise
            reason = cause.strerror or str(cause)
            remedy = "Choose another folder with --out"
            if self.exists():
                again = f"minigrad resume {shlex.quote(str(self.path))}"
                remedy = f"Nothing is lost but the steps since the last checkpoint. Go on by: {again}"
            raise RunError("run", str(self.path), f"room and leave to write {doing}", reason, remedy) from error


def neighbours(path: Path) -> str:
    """A sentence for who named no run: the run of a file, or the runs that stand beside a folder that is none; or nothing.

    Example:
        >>> neighbours(Path("nowhere/at/all"))
        ''
    """
    if path.is_file() and (path.parent / "config.json").exists():
        return f"Name the folder: {path.parent}"
    folder = path if path.is_dir() else path.parent
    with contextlib.suppress(OSError):
        runs = sorted(str(entry.parent) for entry in folder.glob("*/config.json"))
        if runs:
            return f"Runs there: {', '.join(runs[:5])}{', ...' if len(runs) > 5 else ''}"
    return ""


def free_name(folder: str | os.PathLike[str], stem: str) -> Path:
    """The first of ``stem-1``, ``stem-2``, ... that is not in ``folder``.

    Example:
        >>> import tempfile
        >>> free_name(tempfile.mkdtemp(), "classify-mnist5k").name
        'classify-mnist5k-1'
    """
    number = 1
    while (path := Path(folder) / f"{stem}-{number}").exists():
        number += 1
    return path
