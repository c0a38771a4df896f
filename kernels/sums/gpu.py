"""Sums by CUDA kernels of ours, ``sums.cu``: memory is read once, in its order, whatever axes are asked for.

Why it is faster than ``vectorised.py``: 128 bits are loaded at a time, and a long sum is cut into parts, enough of them for a
whole GPU, most of which would be idle with a block for each result where few results are asked for, as in the gradient of a
bias. The bits are the same each time and on every GPU.

Arrays with gaps between their elements are left to ``vectorised.py``.
"""

from __future__ import annotations

from typing import Any

from minigrad.core.device import Array, array_module
from minigrad.kernels.cuda import Program
from minigrad.kernels.cuda.launch import GRID
from minigrad.kernels.cuda.tensors import PACK
from minigrad.kernels.sums import vectorised
from minigrad.kernels.sums.plan import plan

SUMS = Program("sums/sums.cu")
THREADS = 256
BLOCKS = 1024  # that a launch should have, for the largest GPUs
WORTH = 16  # numbers, or packs of them, that a thread should add before a sum is cut


def instances() -> list[tuple[Program, Any, int, int]]:
    """All that is launched from here: program, kernel and template, threads of a block, bytes of dynamic shared memory."""
    names, dtypes = ("add_rows", "add_columns"), ("float32", "float64")
    return [(SUMS, (name, dtype), THREADS, 0) for name in names for dtype in dtypes]


def total(x: Array, axes: tuple[int, ...]) -> Array:
    """See the contract."""
    found = plan(x.shape, x.strides, x.itemsize, axes)
    if found is None:
        return vectorised.total(x, axes)
    order = sorted(range(x.ndim), key=lambda axis: -x.strides[axis])
    y = x.transpose(order)
    for outer, count, inner in found.sums:
        y = _rows(y, outer, count) if inner == 1 else _columns(y, outer, count, inner)
    y = y.reshape(found.shape)
    return y if found.order is None else y.transpose(found.order)


def _rows(x: Array, rows: int, count: int) -> Array:
    """(rows, count) to (rows,)."""
    packed = x.data.ptr % PACK == 0 and count * x.itemsize % PACK == 0
    lanes = PACK // x.itemsize if packed else 1
    width = THREADS if count > 32 * lanes * WORTH else min(32, 1 << (-(-count // lanes) - 1).bit_length())
    blocks = -(-rows // (THREADS // width))
    step = width * lanes  # numbers that a team adds at a time
    parts = _parts(blocks, count, step) if width == THREADS else 1
    length = _length(count, parts, step)
    parts = -(-count // length)
    sums = array_module(x).empty((parts, rows), x.dtype)
    SUMS["add_rows", x.dtype](
        x, sums, rows, count, length, width, packed, work=(blocks, parts), tile=(1, 1), block=THREADS
    )  # fmt: skip
    return sums if parts == 1 else _columns(sums, 1, parts, rows) if rows > 1 else _rows(sums, 1, parts)


def _columns(x: Array, outer: int, count: int, inner: int) -> Array:
    """(outer, count, inner) to (outer, inner)."""
    packed = x.data.ptr % PACK == 0 and inner * x.itemsize % PACK == 0
    across = inner * x.itemsize // PACK if packed else inner  # threads for a row
    width = min(32, 1 << (across - 1).bit_length())
    height = THREADS // width
    tiles = -(-across // width)
    parts = _parts(outer * tiles, count, height)
    length = _length(count, parts, height)
    parts = -(-count // length)
    sums = array_module(x).empty((parts, outer * inner), x.dtype)
    SUMS["add_columns", x.dtype](
        x, sums, tiles, count, length, inner, packed, work=(outer * tiles, parts), tile=(1, 1), block=(width, height)
    )
    return sums if parts == 1 else _columns(sums, 1, parts, outer * inner)


def _parts(blocks: int, count: int, step: int) -> int:
    """Into how many parts sums of ``count`` numbers are cut, of which a block adds ``step`` at a time."""
    return max(1, min(BLOCKS // blocks, count // (step * WORTH), GRID[1]))


def _length(count: int, parts: int, step: int) -> int:
    """Numbers of a part, whole steps of them."""
    return -(-count // (parts * step)) * step
