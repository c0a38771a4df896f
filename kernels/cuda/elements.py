"""Launches over the elements of arrays of one shape in any strides: the structure ``Elements`` of ``elements.cuh``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from minigrad.core.device import Array
from minigrad.kernels.cuda.launch import Kernel
from minigrad.kernels.cuda.tensors import PACK, PIECE, alike

DIMS, OPERANDS, THREADS = 8, 3, 256
_DIVISOR = np.dtype([("divisor", "u4"), ("multiplier", "u4"), ("shift", "u4")], align=True)
ELEMENTS = np.dtype(
    [
        ("operand", "u8", OPERANDS),
        ("count", "u4"),
        ("dims", "i4"),
        ("packed", "?"),
        ("size", _DIVISOR, DIMS),
        ("stride", "i8", (DIMS, OPERANDS)),
    ],
    align=True,
)


def launch(kernel: Kernel, arrays: Sequence[Array], *settings: Any) -> None:
    """Launch a kernel whose first parameter is ``Elements``.

    Args:
        kernel: what is launched.
        arrays: the result and one or two operands, of one shape, of any strides.
        settings: its other arguments.
    """
    for piece in _pieces(arrays):
        elements, threads = described(piece)
        kernel(elements, *settings, work=threads, tile=THREADS, block=THREADS, like=piece[0])


def described(arrays: Sequence[Array]) -> tuple[np.ndarray, int]:
    """The structure for a launch on arrays of one shape, of fewer than 2³¹ elements; and how many threads it takes.

    Where there is one operand, it stands for the second too, which the kernel then makes nothing of.
    """
    arrays = (*arrays, arrays[-1])[:OPERANDS]
    first = arrays[0]
    elements = np.zeros(1, ELEMENTS)
    elements["operand"] = [each.data.ptr for each in arrays]
    elements["count"] = first.size
    dims = [] if alike(arrays) else joined(first.shape, [_steps(each) for each in arrays])
    if dims and (len(dims) > 1 or {*dims[0][1]} != {1}):
        elements["dims"] = len(dims)
        for dim, (size, strides) in enumerate(reversed(dims)):
            elements["size"][0, dim] = divisor(size)
            elements["stride"][0, dim] = strides
        return elements, first.size
    lanes = PACK // first.itemsize
    elements["packed"] = all(each.data.ptr % (lanes * each.itemsize) == 0 for each in arrays)
    return elements, -(-first.size // lanes)


def joined(shape: Sequence[int], strides: Sequence[Sequence[int]]) -> list[tuple[int, tuple[int, ...]]]:
    """Dimensions of arrays of one shape in the order of the first one's memory, joined where all arrays let them be.

    Args:
        shape: theirs.
        strides: of each array, in elements.

    Returns:
        Of each dimension that is left its size, and its stride in each array; the outermost first.

    Example:
        >>> joined((2, 3, 4), [(12, 4, 1), (12, 4, 1)])
        [(24, (1, 1))]
        >>> joined((2, 3, 4), [(12, 4, 1), (0, 4, 1)])
        [(2, (12, 0)), (12, (1, 1))]
    """
    axes = sorted((axis for axis, size in enumerate(shape) if size != 1), key=lambda axis: -abs(strides[0][axis]))
    found: list[tuple[int, tuple[int, ...]]] = []
    for axis in axes:
        size, steps = shape[axis], tuple(each[axis] for each in strides)
        if found and all(outer == inner * size for outer, inner in zip(found[-1][1], steps)):
            size *= found.pop()[0]
        found.append((size, steps))
    return found


def divisor(number: int) -> tuple[int, int, int]:
    """What makes a division by a number from 1 to 2³¹ a multiplication and a shift.

    Example:
        >>> of, multiplier, shift = divisor(7)
        >>> [((n * multiplier >> 32) + n) >> shift for n in (6, 7, 2**31 - 1)], (2**31 - 1) // 7
        ([0, 1, 306783378], 306783378)
    """
    shift = (number - 1).bit_length()
    return number, (2**32 * (2**shift - number)) // number + 1, shift


def fits(arrays: Sequence[Array]) -> bool:
    """Whether the kernels can walk these arrays: that no more than :data:`DIMS` dimensions are left when some are joined."""
    return arrays[0].ndim <= DIMS or len(joined(arrays[0].shape, [_steps(each) for each in arrays])) <= DIMS


def _steps(x: Array) -> list[int]:
    return [stride // x.itemsize for stride in x.strides]


def _pieces(arrays: Sequence[Array]) -> Iterator[Sequence[Array]]:
    """The arrays, or halves of them as often as a launch cannot count their elements; none where there are no elements."""
    first = arrays[0]
    if first.size <= PIECE:
        if first.size:
            yield arrays
        return
    axis = max(range(first.ndim), key=lambda axis: first.shape[axis])
    half = first.shape[axis] // 2
    for part in (slice(half), slice(half, None)):
        yield from _pieces([each[(slice(None),) * axis + (part,)] for each in arrays])
