"""The numbers of a text's characters: in memory where they are few, else in a file of the cache that is mapped into memory."""

from __future__ import annotations

import bisect
import contextlib
import errno
import hashlib
import os
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minigrad.core import machine
from minigrad.data.words import shown
from minigrad.errors import DataError, IndexingError, ShapeError

IN_MEMORY = 1 << 25  # bytes of numbers that are kept in memory
STALE = 3600  # seconds after which a half-written file is nobody's
_MAGIC = b"minigrad ids 1\0\0"
_HEAD = 64  # bytes before the numbers: the mark, how many there are, their size, and their sha256


class Span(NamedTuple):
    """Where a file of the corpus stands in a part: from ``start``, before ``end``."""

    name: str
    start: int
    end: int


class Ids:
    """The text of a part of a corpus as numbers, one a character.

    A slice gives a copy as int64, of that length; the whole is never copied.

    Args:
        values: (N,), of an unsigned type, in memory or mapped.
        files: name, start and end of each file, without gaps.

    Raises:
        ShapeError: values that are no row, or files that do not cover it.

    Example:
        >>> ids = Ids(np.array([2, 0, 1], np.uint8), [("a.txt", 0, 2), ("b.txt", 2, 3)])
        >>> len(ids), ids[1:].tolist(), ids.place(2)
        (3, [0, 1], 'b.txt, character 0')
    """

    def __init__(self, values: np.ndarray, files: Sequence[tuple[str, int, int]]) -> None:
        if values.ndim != 1:
            raise ShapeError("Ids", "values", "one dimension", f"shape {values.shape}")
        self.values, self.files = values, tuple(Span(*file) for file in files)
        ends = [0, *(file.end for file in self.files)]
        if [file.start for file in self.files] != ends[:-1] or ends[-1] != len(values):
            raise ShapeError("Ids", "files", f"spans that cover {len(values)} numbers without gaps", repr(self.files[:5]))

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, place: Any) -> np.ndarray:
        """int64 of a slice, or of an array of places in its shape.

        Raises:
            IndexingError: a place outside the text.
        """
        try:
            return np.array(self.values[place], np.int64)
        except IndexError as error:
            raise IndexingError("Ids", "place", f"places from 0 to {len(self) - 1}", str(error)) from None

    def place(self, index: int) -> str:
        """The file of a character, and its number in that file.

        Raises:
            IndexingError: there is no such character.
        """
        if not 0 <= index < len(self):
            raise IndexingError("Ids", "index", f"from 0 to {len(self) - 1}", repr(index))
        file = self.files[bisect.bisect_right(self.files, index, key=lambda file: file.start) - 1]
        return f"{file.name}, character {index - file.start:,}"

    def __repr__(self) -> str:
        return f"Ids({len(self):,} of {len(self.files):,} files)"


def dtype_of(symbols: int) -> np.dtype:
    """The smallest type of numbers that tells so many symbols apart.

    Example:
        >>> dtype_of(256), dtype_of(257), dtype_of(70_000)
        (dtype('uint8'), dtype('uint16'), dtype('uint32'))
    """
    return np.dtype(np.uint8 if symbols <= 1 << 8 else np.uint16 if symbols <= 1 << 16 else np.uint32)


def stored(key: str, count: int, symbols: int, pieces: Callable[[], Iterator[np.ndarray]]) -> tuple[np.ndarray, Path | None]:
    """``count`` numbers that come in pieces, as one row; and the file that holds them, where one does.

    The file is written once, to a name of its own, and gets its right name when it is whole and on the disk. What lies under
    that name is taken only if its digest is right; else it is written anew.

    Args:
        key: what the numbers are made of, in hexadecimal: equal keys, equal numbers.
        count: how many come.
        symbols: they are smaller than this.
        pieces: gives them.

    Raises:
        DataError: the cache cannot be written, or another number of them came.

    Example:
        >>> row, path = stored("00", 3, 300, lambda: iter([np.array([1, 2]), np.array([299])]))
        >>> row, path
        (array([  1,   2, 299], dtype=uint16), None)
    """
    dtype = dtype_of(symbols)
    if count * dtype.itemsize <= IN_MEMORY:
        row = np.empty(count, dtype)
        done = 0
        for piece in pieces():
            if done + len(piece) > count:
                raise _other_count(count, done + len(piece))
            row[done : done + len(piece)] = piece
            done += len(piece)
        if done != count:
            raise _other_count(count, done)
        return row, None
    try:
        folder = machine.cache_folder() / "text"
        path = folder / f"{key[:32]}.ids"
        if not _is_whole(path, count, dtype):
            _write(folder, path, count, dtype, pieces)
        return np.memmap(path, dtype, "r", _HEAD, (count,)), path
    except (OSError, RuntimeError) as error:
        if isinstance(error, DataError):
            raise
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            expected, got, remedy = f"room for {count * dtype.itemsize:,} bytes", "a full disk", "Free some space, or set"
        else:
            expected, got, remedy = "a cache folder that can be written", str(error), "Mend its permissions, or set"
        remedy += " MINIGRAD_CACHE to another folder"
        raise DataError("data", shown(machine.cache_folder() / "text"), expected, got, remedy) from error


def _head(count: int, dtype: np.dtype, digest: bytes) -> bytes:
    return _MAGIC + count.to_bytes(8, "little") + dtype.itemsize.to_bytes(8, "little") + digest


def _is_whole(path: Path, count: int, dtype: np.dtype) -> bool:
    """Whether a file holds the numbers that it was written with, and so many."""
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD)
            return head == _head(count, dtype, hashlib.file_digest(file, "sha256").digest())
    except FileNotFoundError:
        return False


def _write(folder: Path, path: Path, count: int, dtype: np.dtype, pieces: Callable[[], Iterator[np.ndarray]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob("*.half"):
        with contextlib.suppress(OSError):  # of one that was killed
            if time.time() - left.stat().st_mtime > STALE:
                left.unlink()
    half = folder / f"{path.stem}.{secrets.token_hex(6)}.half"
    try:
        with open(half, "xb") as file:
            digest, done = hashlib.sha256(), 0
            file.write(bytes(_HEAD))
            for piece in pieces():
                raw = np.ascontiguousarray(piece, dtype).data
                file.write(raw)
                digest.update(raw)
                done += len(piece)
            if done != count:
                raise _other_count(count, done)
            file.seek(0)
            file.write(_head(count, dtype, digest.digest()))
            file.flush()
            os.fsync(file.fileno())
        os.replace(half, path)
    except BaseException:
        with contextlib.suppress(OSError):
            half.unlink()
        raise


def _other_count(count: int, came: int) -> DataError:
    got = f"{came:,}{' or more' if came > count else ''}"
    return DataError("data", "text", f"the {count:,} characters that were counted", got, "It changed meanwhile: try again")


__all__ = ["Ids", "Span", "dtype_of", "stored"]
