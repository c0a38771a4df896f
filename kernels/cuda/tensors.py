"""Tables of tensors' addresses, with which one launch works on many tensors: what ``tensors.cuh`` declares.

A table goes to the kernel by value, with its other arguments: nothing is copied to the GPU's memory before a launch, however
often addresses change. What stays from step to step is written once; where an array is new each time, its addresses are.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from minigrad.core.device import Array
from minigrad.kernels.cuda.launch import Kernel

TENSORS, ARRAYS, CHUNK, THREADS = 50, 5, 4096, 256
ALIGNED, PACK = 1, 16  # the flag that all of a tensor's addresses are multiples of so many bytes
PIECE = 1 << 30  # elements that a row of a table counts at most


@cache
def table(dtype: np.dtype) -> np.dtype:
    """The structure ``Tensors<Real>`` of ``tensors.cuh``.

    Example:
        >>> table(np.dtype("float32")).itemsize, table(np.dtype("float64")).itemsize
        (3208, 3608)
    """
    row = [("array", "u8", ARRAYS), ("size", "i4"), ("first_block", "i4"), ("flags", "i4"), ("factor", dtype, 2)]
    return np.dtype([("count", "i4"), ("tensor", np.dtype(row, align=True), TENSORS)], align=True)


def alike(arrays: Sequence[Array]) -> bool:
    """Whether arrays of one shape lie in memory place for place alike, without gaps, in whatever order.

    Example:
        >>> x, y = np.zeros((2, 3)).T, np.zeros((3, 2))
        >>> alike([x, x.copy(order="K")]), alike([x, y]), alike([y[:, ::2]])
        (True, False, False)
    """
    if all(each.flags.c_contiguous for each in arrays):
        return True
    first = arrays[0]
    if any(each.strides != first.strides for each in arrays):
        return False
    in_order = first.transpose(sorted(range(first.ndim), key=lambda axis: -first.strides[axis]))
    return bool(in_order.flags.c_contiguous)


class Tables:
    """Tables for some tensors, each of which has up to :data:`ARRAYS` arrays.

    Args:
        sizes: the tensors' numbers of elements.
        dtype: of their arrays.

    Example:
        >>> tables = Tables([3, 0, 5000], np.dtype("float32"))
        >>> tables.blocks, tables.count
        ([3], 2)
    """

    def __init__(self, sizes: Sequence[int], dtype: np.dtype) -> None:
        pieces = [(k, start, min(PIECE, size - start)) for k, size in enumerate(sizes) for start in range(0, size, PIECE)]
        self.count = len(pieces)
        self.blocks: list[int] = []  # of each table
        self._tables: list[np.ndarray] = []
        self._pieces: list[tuple[Any, np.ndarray, Any]] = []  # of each table: rows, tensors' numbers, offsets in bytes
        for at in range(0, len(pieces), TENSORS):
            here = pieces[at : at + TENSORS]
            one = np.zeros(1, table(dtype))
            rows = one["tensor"][0, : len(here)]
            one["count"] = len(here)
            rows["size"] = [size for _, _, size in here]
            blocks = [-(-size // CHUNK) for _, _, size in here]
            rows["first_block"][1:] = np.cumsum(blocks)[:-1]
            self.blocks.append(sum(blocks))
            self._tables.append(one)
            offsets = np.array([start * dtype.itemsize for _, start, _ in here], np.uint64)
            self._pieces.append((rows, np.array([k for k, _, _ in here]), offsets))

    def place(self, column: int, addresses: Sequence[int]) -> None:
        """Write where one array of each tensor lies."""
        found = np.array(addresses, np.uint64)
        for rows, numbers, offsets in self._pieces:
            rows["array"][:, column] = found[numbers] + offsets

    def settle(self, flags: Sequence[int] | None = None, factors: Sequence[tuple[float, ...]] | None = None) -> None:
        """Write flags and factors of each tensor, when all arrays have their places."""
        for rows, numbers, _ in self._pieces:
            rows["flags"] = (rows["array"] % PACK == 0).all(axis=1) * ALIGNED
            if flags is not None:
                rows["flags"] |= np.array(flags, np.int32)[numbers]
            if factors is not None:
                rows["factor"] = np.array(factors, np.float64)[numbers]

    def launch(self, kernel: Kernel, *settings: Any, like: Array) -> None:
        """Launch a kernel whose first parameter is ``Tensors<Real>``, once for each table, with the same other arguments."""
        for one, blocks in zip(self._tables, self.blocks):
            kernel(one, *settings, work=blocks, tile=1, block=THREADS, like=like)

    def launch_parts(self, kernel: Kernel, *settings: Any) -> None:
        """The same, with how many blocks the tables before this one have as the last argument."""
        for place, (one, blocks) in enumerate(zip(self._tables, self.blocks)):
            kernel(one, *settings, sum(self.blocks[:place]), work=blocks, tile=1, block=THREADS)
