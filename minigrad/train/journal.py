"""Rows appended to a file, one JSON object a line, that can be cut back to a place where they stood before."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from minigrad.errors import RunError


class Journal:
    """A file of rows.

    Args:
        path: the file, which need not be there.

    Example:
        >>> import tempfile
        >>> journal = Journal(Path(tempfile.mkdtemp()) / "metrics.jsonl")
        >>> journal.append({"step": 1})
        >>> place = journal.place()
        >>> journal.append({"step": 2})
        >>> journal.cut(place)
        >>> list(journal.rows())
        [{'step': 1}]
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._length, self._digest = 0, hashlib.sha256()

    def append(self, row: Mapping[str, Any]) -> None:
        """Add a row at the end.

        Raises:
            OSError: it cannot be written.
        """
        self.write(json.dumps(row, allow_nan=False).encode() + b"\n")

    def write(self, data: bytes) -> None:
        """Add bytes at the end, in a file that is none of rows.

        Raises:
            OSError: they cannot be written.
        """
        with open(self.path, "ab") as file:
            file.write(data)
        self._length += len(data)
        self._digest.update(data)

    def place(self) -> dict[str, Any]:
        """Where the end is, for ``cut``; what stands before it is on the disk when this returns."""
        if self._length:
            with open(self.path, "ab") as file:
                os.fsync(file.fileno())
        return {"bytes": self._length, "sha256": self._digest.hexdigest()}

    def cut(self, place: Mapping[str, Any] | None = None) -> None:
        """Forget all rows after a place; without one, all.

        Raises:
            RunError: what stands before the place is not what stood there.
        """
        length = place["bytes"] if place else 0
        digest = hashlib.sha256()
        try:
            with open(self.path, "r+b") as file:
                digest.update(file.read(length))
                if place is None or digest.hexdigest() == place["sha256"]:
                    file.truncate(length)
        except FileNotFoundError:
            pass
        if place is not None and digest.hexdigest() != place["sha256"]:
            expected = f"the {length} bytes that stood there when the checkpoint was written"
            got = "others" if self.path.exists() else "no such file"
            remedy = "Put back a copy; the file must not be changed while the run goes on"
            raise RunError("resume", str(self.path), expected, got, remedy)
        self._length, self._digest = length, digest

    def mend(self) -> None:
        """Forget a last line that was cut short, so that the next one stands by itself."""
        with contextlib.suppress(FileNotFoundError), open(self.path, "r+b") as file:
            file.truncate(file.read().rfind(b"\n") + 1)

    def rows(self) -> Iterator[dict[str, Any]]:
        """The rows from the first to the last. A last line that was cut short is left out.

        Raises:
            RunError: a line holds no row.
        """
        try:
            lines = self.path.read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise ValueError(f"a {type(row).__name__}")
            except (ValueError, RecursionError) as error:
                expected = f"a JSON object in line {number}"
                raise RunError("run", str(self.path), expected, str(error), "Put back a copy of the file") from error
            yield row
