"""Arrays in memory of their own with wide margins, so that what a kernel does beyond their ends meets nothing else.

Arrays that overlap are taken along together, and still overlap where they are taken to.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np

MARGIN = 1 << 20  # bytes on either side; the system gives only what is touched
GRAIN = 256  # to which CUDA aligns memory: an address keeps its place within


class Guarded:
    """The arrays of a launch while it runs.

    Args:
        arrays: C-contiguous ones, whose copies the kernel gets.
        fixed: ones whose addresses stand in memory: they, and what overlaps them, stay where they are.
        aligned: arrays begin at a multiple of ``GRAIN``, as those of a GPU do, and views lie in them where they do in theirs.

    Example:
        >>> x = np.arange(6)
        >>> guarded = Guarded([x, x[2:]], [])
        >>> all_of_it, end = (guarded.moved(each) for each in (x, x[2:]))
        >>> end[0] = 7
        >>> int(all_of_it[2]), int(x[2])
        (7, 2)
        >>> guarded.bring_back([end])
        >>> x
        array([0, 1, 7, 3, 4, 5])
    """

    def __init__(self, arrays: Sequence[np.ndarray], fixed: Sequence[np.ndarray], *, aligned: bool = False) -> None:
        self._spans: list[tuple[int, int, np.ndarray | None]] = []  # start, end, and the memory to which that was copied
        listed = [(array.ctypes.data, array.ctypes.data + array.nbytes, False) for array in arrays]
        listed += [(array.ctypes.data, array.ctypes.data + array.nbytes, True) for array in fixed]
        first_of = {array.ctypes.data: _first_address(array) for array in arrays if aligned}
        start = end = 0
        stays = True
        for first, last, fix in [*sorted(listed), (2**64, 2**64, True)]:
            if first < end:
                end, stays = max(end, last), stays or fix
                continue
            if end > start:
                self._spans.append((start, end, None if stays else _copied(start, end, start - first_of.get(start, 0))))
            start, end, stays = first, last, fix

    def moved(self, array: np.ndarray) -> np.ndarray:
        """The array that stands in for one of those given."""
        address = array.ctypes.data
        for start, end, memory in self._spans:
            if memory is not None and start <= address < end:
                part = memory[address - start : address - start + array.nbytes]
                return part.view(array.dtype).reshape(array.shape)
        return array

    def bring_back(self, written: Sequence[np.ndarray]) -> None:
        """Copy what may have been written to where the arrays are."""
        for copy in written:
            for start, _, memory in self._spans:
                offset = 0 if memory is None else copy.ctypes.data - memory.ctypes.data
                if memory is not None and 0 <= offset < memory.nbytes:
                    _bytes_at(start + offset, copy.nbytes)[:] = memory[offset : offset + copy.nbytes]


def _bytes_at(address: int, count: int) -> np.ndarray:
    return np.ctypeslib.as_array((ctypes.c_uint8 * count).from_address(address))


def _first_address(array: np.ndarray) -> int:
    """Where the array begins of which this one may be a view."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array.ctypes.data


def _copied(start: int, end: int, phase: int) -> np.ndarray:
    """A copy of memory, whose address has this remainder by ``GRAIN``."""
    room = np.empty(2 * MARGIN + GRAIN + end - start, np.uint8)
    first = MARGIN + (phase - room.ctypes.data - MARGIN) % GRAIN
    copy = room[first : first + end - start]
    copy[:] = _bytes_at(start, end - start)
    return copy
