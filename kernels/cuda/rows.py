"""How many threads share a row: the host's side of ``teams.cuh``."""

from __future__ import annotations

from minigrad.core.device import Array

THREADS = 256  # of a block
KEPT = 8  # elements of a row that a thread keeps, as in teams.cuh
PACK = 16  # bytes that a thread loads at a time


def team(length: int) -> int:
    """Threads for a row of a length: a power of two up to a warp, or a block.

    Example:
        >>> [team(length) for length in (1, 10, 256, 257)]
        [1, 16, 32, 256]
    """
    if length > 32 * KEPT:
        return THREADS
    return min(32, 1 << max(length - 1, 0).bit_length())


def packable(length: int, *arrays: Array) -> bool:
    """Whether rows of a length, one behind the other in each of some arrays, can be read by packs of 16 bytes.

    Example:
        >>> from minigrad.emulator import cupy
        >>> x = cupy.zeros(33, "float32")
        >>> packable(4, x), packable(3, x), packable(4, x[1:])
        (True, False, False)
    """
    return length * arrays[0].itemsize % PACK == 0 and all(each.data.ptr % PACK == 0 for each in arrays)
