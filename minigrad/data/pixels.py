"""Where the pixels of many images are: in one array, or in files that are read when asked for."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Protocol, TypeVar

import numpy as np

from minigrad.core.machine import cores
from minigrad.data.decode import Look, Shape, decode, look, refit
from minigrad.errors import DataError

IN_MEMORY = 1 << 30  # bytes: a set whose pixels take no more is decoded once and kept
MOST_THREADS = 8
_AHEAD = 8  # tasks that wait for each thread, so that none is idle and an error ends the work soon
_LISTED = 5  # faults that an error names; the others it counts

T = TypeVar("T")
R = TypeVar("R")
Progress = Callable[[str, int, int], None]  # called with what is being done, how many are done, and of how many


class Pixels(Protocol):
    """The pixels of N images of one shape (C, H, W)."""

    shape: Shape

    def __len__(self) -> int: ...

    def read(self, rows: np.ndarray) -> np.ndarray:
        """uint8 (n, C, H, W), an array of the caller's own."""


class ArrayPixels:
    """Pixels in memory: uint8 (N, C, H, W)."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        self.shape: Shape = array.shape[1:]

    def __len__(self) -> int:
        return len(self.array)

    def read(self, rows: np.ndarray) -> np.ndarray:
        return self.array[rows]


class FilePixels:
    """Pixels that stay in their files: each call decodes what it is asked for, on a few threads.

    Args:
        paths: the files, or the contents of files that lie in another one.
        names: what errors call them.
        shape: of each image.
        remedy: what to do about a file that cannot be read.
        crop: as for ``read_image``.
    """

    def __init__(
        self, paths: Sequence[str | bytes], names: Sequence[str], shape: Shape, remedy: str, crop: float = 1.0
    ) -> None:
        self.paths, self.names, self.shape, self.remedy, self.crop = paths, names, shape, remedy, crop

    def __len__(self) -> int:
        return len(self.paths)

    def _one(self, row: int) -> np.ndarray:
        return decode(self.names[row], self.paths[row], self.shape, self.remedy, self.crop)

    def read(self, rows: np.ndarray) -> np.ndarray:
        found = np.empty((len(rows), *self.shape), np.uint8)
        for place, pixels in enumerate(in_threads(self._one, rows.tolist())):
            found[place] = pixels
        return found

    def sound(self, rows: Sequence[int]) -> Iterator[np.ndarray]:
        """The images of these numbers that can be read, one by one."""

        def one(row: int) -> np.ndarray | None:
            try:
                return self._one(row)
            except DataError:
                return None

        yield from (pixels for pixels in in_threads(one, rows) if pixels is not None)

    def decoded(self, progress: Progress | None = None) -> ArrayPixels:
        """All of them in memory.

        Raises:
            DataError: files that cannot be read, all of them in one error.
        """
        found = np.empty((len(self), *self.shape), np.uint8)
        for row, pixels in enumerate(all_or_faults(self._one, range(len(self)), "decoding", len(self), progress)):
            found[row] = pixels
        return ArrayPixels(found)


def refitted(images: np.ndarray, shape: Shape) -> np.ndarray:
    """Images uint8 (N, C, H, W) in another shape, each as ``decode.refit`` brings it there.

    Example:
        >>> refitted(np.full((5, 1, 4, 6), 7, np.uint8), (3, 2, 2)).shape
        (5, 3, 2, 2)
    """
    if images.shape[1:] == shape:
        return images
    found = np.empty((len(images), *shape), np.uint8)
    for place, image in enumerate(in_threads(lambda image: refit(image, shape), images)):
        found[place] = image
    return found


def heads(
    paths: Sequence[str | bytes], names: Sequence[str], remedy: str, progress: Progress | None = None
) -> tuple[list[bytes], list[Look]]:
    """The sha256 of each file, and what its head tells.

    Raises:
        DataError: files that are no images, or cannot be read; all of them in one error.
    """

    def one(row: int) -> tuple[bytes, Look]:
        path = paths[row]
        head = look(names[row], path, remedy)
        if isinstance(path, bytes):
            return hashlib.sha256(path).digest(), head
        try:
            with open(path, "rb") as file:
                return hashlib.file_digest(file, "sha256").digest(), head
        except OSError as error:
            raise DataError("data", names[row], "a file that can be read", str(error.strerror), remedy) from error

    found = list(all_or_faults(one, range(len(paths)), "reading", len(paths), progress))
    return [digest for digest, _ in found], [head for _, head in found]


def in_threads(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """``map``, in order, on a few threads. Decoders, hashes and reading let go of the interpreter's lock.

    Example:
        >>> list(in_threads(abs, [-1, 2, -3]))
        [1, 2, 3]
    """
    threads = min(MOST_THREADS, cores().usable)
    left = iter(items)
    waiting: deque[Future[R]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="minigrad-images")
    try:
        waiting.extend(pool.submit(function, item) for item in islice(left, threads * _AHEAD))
        while waiting:
            done = waiting.popleft().result()
            waiting.extend(pool.submit(function, item) for item in islice(left, 1))
            yield done
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def all_or_faults(
    function: Callable[[T], R], items: Iterable[T], doing: str, total: int, progress: Progress | None
) -> Iterator[R]:
    """``in_threads`` that goes on past DataErrors, and at the end raises one that names the first few and counts them all."""

    def kept(item: T) -> R | DataError:
        try:
            return function(item)
        except DataError as error:
            return error

    faults: list[DataError] = []
    for done, result in enumerate(in_threads(kept, items), 1):
        if isinstance(result, DataError):
            faults.append(result)
        elif not faults:
            yield result
        if progress is not None:
            progress(doing, done, total)
    if len(faults) == 1:
        raise faults[0]
    if faults:
        listed = "; ".join(f"{fault.argument}: {fault.got}" for fault in faults[:_LISTED])
        more = f"; and {len(faults) - _LISTED:,} more" if len(faults) > _LISTED else ""
        raise DataError("data", f"{len(faults):,} files", "images that can be read", listed + more, faults[0].remedy)
