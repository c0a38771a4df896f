"""Arrays in memory of their own with wide margins, so that what a kernel does beyond their ends meets nothing else.

Arrays that overlap are taken along together, and still overlap where they are taken to.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

MARGIN = 1 << 20  # bytes on either side; the system gives only what is touched
GRAIN = 256  # to which CUDA aligns memory: an address keeps its place within


class Guarded:
    """The arrays of a launch while it runs.

    Args:
        arrays: C-contiguous ones, whose copies the kernel gets, by itself or by addresses in structures.
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

    def given(self, argument: Any) -> Any:
        """What a kernel gets for an argument: the array that stands in for it, a structure with addresses as they are now."""
        if isinstance(argument, np.ndarray):
            return self.moved(argument)
        return self.readdressed(argument) if isinstance(argument, np.void) else argument

    def readdressed(self, structure: np.void) -> np.void:
        """A structure whose addresses, its fields of uint64, lead to where the arrays are now.

        Example:
            >>> x = np.arange(3)
            >>> guarded = Guarded([x], [])
            >>> given = np.array((x.ctypes.data, 3), [("x", "u8"), ("n", "i4")])[()]
            >>> int(guarded.readdressed(given)["x"]) == guarded.moved(x).ctypes.data
            True
        """
        if not structure.dtype.names:
            return structure
        changed = np.array([structure])
        for words in address_fields(changed):
            for place in np.argwhere(words):
                where = tuple(place)
                words[where] = self._now(int(words[where]))
        return changed[0]

    def _now(self, address: int) -> int:
        for start, end, memory in self._spans:
            if memory is not None and start <= address < end:
                return int(memory.ctypes.data) + address - start
        return address

    def bring_back(self, written: Sequence[np.ndarray]) -> None:
        """Copy what may have been written to where the arrays are."""
        for copy in written:
            for start, _, memory in self._spans:
                offset = 0 if memory is None else copy.ctypes.data - memory.ctypes.data
                if memory is not None and 0 <= offset < memory.nbytes:
                    _bytes_at(start + offset, copy.nbytes)[:] = memory[offset : offset + copy.nbytes]


def address_fields(structures: np.ndarray) -> Iterator[np.ndarray]:
    """The fields of uint64 in an array of structures, and in the structures in these: views of them.

    Example:
        >>> structures = np.zeros(2, [("n", "i4"), ("of", [("x", "u8", 3)])])
        >>> [each.shape for each in address_fields(structures)]
        [(2, 3)]
    """
    for name in structures.dtype.names or ():
        field = structures[name]
        if field.dtype == np.uint64:
            yield field
        elif field.dtype.names:
            yield from address_fields(field)


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
