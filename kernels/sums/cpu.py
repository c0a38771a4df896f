"""One compiled pass over memory, shared among threads: the tuned rung for processors.

Why it is faster than ``vectorised.py``: the axes are put in the order of memory and joined to at most three, (outer, count,
inner), of which the middle one is summed; so memory is walked from begin to end whatever axes are asked for, where NumPy walks
short rows. Many sums are under way at once, one in each lane of several vectors, and no multiplication is made. Threads share
blocks of a fixed size, and the blocks' sums are added in their order: so the bits do not depend on the number of threads.

It is more exact, too: numbers are added in their own dtype only some at a time, and these sums in float64. Arrays with gaps are
left to ``vectorised.py``.
"""

from __future__ import annotations

import numpy as np

from minigrad.core.device import Array
from minigrad.kernels.native import Doubles, Real, helper, kernel, offset, parts_for, real, share
from minigrad.kernels.sums import vectorised
from minigrad.kernels.sums.plan import plan

RUN = 1 << 12  # numbers that are added in their own dtype where rows lie along memory
BLOCK = 1 << 16  # numbers of a thread's task
WIDTH = 512  # columns of a task
NARROW = 128  # rows shorter than that are taken several at a time


def total(x: Array, axes: tuple[int, ...]) -> Array:
    """See the contract."""
    found = plan(x.shape, x.strides, x.itemsize, axes)
    if found is None:
        return vectorised.total(x, axes)
    y = x
    for outer, count, inner in found.sums:
        y = _rows(y, outer, count) if inner == 1 else _columns(y, outer, count, inner)
    y = y.reshape(found.shape)
    return y if found.order is None else y.transpose(found.order)


def _rows(x: Array, outer: int, count: int) -> Array:
    """(outer, count) to (outer,)."""
    blocks = -(-count // BLOCK)
    y = np.empty(outer, x.dtype)
    wide = None if blocks == 1 else np.empty((outer, blocks))
    add_rows(x, y, wide, outer, count, BLOCK, blocks, RUN, parts=parts_for(x.nbytes >> 2))
    return y if wide is None else wide.sum(axis=1).astype(x.dtype)


def _columns(x: Array, outer: int, count: int, inner: int) -> Array:
    """(outer, count, inner) to (outer, inner)."""
    repeats = max(1, min(2 * NARROW // inner, count // 16))  # so many rows are taken as one
    width = inner * repeats
    tiles = -(-width // WIDTH)
    block = max(8, BLOCK // min(width, WIDTH))
    blocks = max(1, -(-(count // repeats) // block))
    wide = np.empty((outer, blocks * repeats, inner))
    add_columns(x, wide, outer, count, inner, repeats, block, blocks, tiles, WIDTH, parts=parts_for(x.nbytes >> 2))
    return (wide[:, 0] if wide.shape[1] == 1 else wide.sum(axis=1)).astype(x.dtype)


@kernel(reassociate=True)
def add_rows(
    x: Real, y: Real, wide: Doubles, outer: int, count: int, block: int, blocks: int, run: int, part: int, parts: int
) -> None:
    """The sums of rows' blocks: into ``wide``, or into y where a row is one block."""
    start, stop = share(outer * blocks, part, parts)
    for task in range(start, stop):
        first = task % blocks * block
        row = offset(x, task // blocks * count + first)
        length = min(block, count - first)
        found = 0.0
        for begin in range(0, length, run):
            s = real(0.0)
            for i in range(begin, min(begin + run, length)):
                s += row[i]
            found += s
        if blocks == 1:
            y[task] = real(found)
        else:
            wide[task] = found


@helper
def add_eight(x, pitch, out, width):
    for j in range(width):
        a, b, c, d = (
            x[j] + x[pitch + j],
            x[2 * pitch + j] + x[3 * pitch + j],
            x[4 * pitch + j] + x[5 * pitch + j],
            x[6 * pitch + j] + x[7 * pitch + j],
        )
        out[j] += (a + b) + (c + d)


@helper
def add_one(x, out, width):
    for j in range(width):
        out[j] += x[j]


@kernel
def add_columns(
    x: Real, wide: Doubles, outer: int, count: int, inner: int, repeats: int, block: int, blocks: int, tiles: int, most: int,
    part: int, parts: int,
) -> None:  # fmt: skip
    """The sums over blocks of lines, a line being ``repeats`` rows; the last block takes the rows that fill no line."""
    width = inner * repeats
    lines = count // repeats
    start, stop = share(outer * blocks * tiles, part, parts)
    for task in range(start, stop):
        tile = task % tiles
        place = task // tiles % blocks
        sample = task // tiles // blocks
        left = tile * most
        columns = min(most, width - left)
        out = offset(wide, (sample * blocks + place) * width + left)
        for j in range(columns):
            out[j] = 0.0
        source = offset(x, sample * count * inner + left)
        begin, end = place * block, min((place + 1) * block, lines)
        for line in range(begin, end - 7, 8):
            add_eight(offset(source, line * width), width, out, columns)
        for line in range(end - (end - begin) % 8, end):
            add_one(offset(source, line * width), out, columns)
        if place == blocks - 1:
            for row in range(lines * repeats, count):
                add_one(offset(source, row * inner), out, min(columns, inner - left))
