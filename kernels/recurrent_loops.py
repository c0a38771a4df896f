"""What the compiled loops of the recurrent families share: packed weights, and products of a few rows with them.

A product's right side B (K, N) is packed into panels of ``panel`` columns, so many as the micro-kernel makes at once: for
each its K rows, one after the other, the last one filled up with zeros to whole vectors.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from minigrad.core.device import Array
from minigrad.kernels.native import Real, helper, kernel, lanes, offset, panel, parts_for, real, share, threads, tile, tile_rows
from minigrad.kernels.native.target import target
from minigrad.kernels.recurrence import Memo, walk

INFINITY = float("inf")
BLOCK = 16  # rows of B that are packed at a time: a line of the cache of a transposed float32 one
CHUNK = 512  # terms of a sum at a time: their part of a panel, 64 KB, and of the rows stay in the second-level cache
GAP = 16  # numbers between rows that are multiplied
PLAN = 4  # numbers that tell a step: see ``recurrence.Step``


@functools.lru_cache(maxsize=64)
def plan_of(batch_sizes: Sequence[int], reverse: bool) -> Array:
    """The steps as int64 (T, 4), in the order of the walk."""
    return np.array(walk(batch_sizes, reverse), np.int64)


def packed(w: Array, transpose: bool, memo: Memo | None = None, name: str = "") -> Array:
    """w (K, N), or wᵀ of w (N, K), in panels; what ``memo`` has under the name is taken, and what it lacks put there.

    Example:
        >>> packed(np.ones((2, 3)), transpose=False).size >= 2 * 3
        True
    """
    if memo is not None:
        found = memo.get(("packed", name))
        if found is not None:
            return found
    if not w.flags.c_contiguous:
        w = np.ascontiguousarray(w)
    rows, columns = w.shape[::-1] if transpose else w.shape
    here = target()
    width = here.lanes(w.dtype.name)
    wide = here.vectors * width
    whole, rest = divmod(columns, wide)
    made = np.empty(rows * (whole * wide + (0 if not rest else width if rest <= width else wide)), w.dtype)
    at_row, at_column = (1, rows) if transpose else (columns, 1)
    pack(w, made, rows, columns, at_row, at_column, parts=parts_for(w.nbytes))
    if memo is not None:
        memo["packed", name] = made
    return made


@helper
def width_of(columns):
    """How wide a panel of so many columns is in memory: whole vectors."""
    return panel if columns > lanes else lanes


@kernel
def pack(w: Real, out: Real, rows: int, columns: int, at_row: int, at_column: int, part: int, parts: int) -> None:
    """B[k, n] = w[k · at_row + n · at_column] into panels."""
    start, stop = share((columns + panel - 1) // panel, part, parts)
    for each in range(start, stop):
        first = each * panel
        count = min(panel, columns - first)
        width = width_of(count)
        to = offset(out, first * rows)
        source = offset(w, first * at_column)
        for k in range(0, rows, BLOCK):
            end = min(k + BLOCK, rows)
            if at_column == 1:
                for i in range(k, end):
                    for j in range(count):
                        to[i * width + j] = source[i * at_row + j]
            else:
                for j in range(count):
                    for i in range(k, end):
                        to[i * width + j] = source[i * at_row + j * at_column]
            for i in range(k, end):
                for j in range(count, width):
                    to[i * width + j] = real(0.0)


@helper
def rows_times(rows, a, a_pitch, b, length, columns, init, init_pitch, c, c_pitch):
    """C = I + A B for some rows: A (rows, length), packed B (length, columns); C may be I.

    A part of a panel stays in the cache for all blocks of rows, so that B goes by once. A's rows must not be a large power of
    two apart: they would share few places of the cache. See ``pitch_of``.
    """
    blocks = (rows + tile_rows - 1) // tile_rows
    for first in range(0, columns, panel):
        wide = min(panel, columns - first)
        step = width_of(wide)
        panel_b = offset(b, first * length)
        for begin in range(0, max(length, 1), CHUNK):
            count = min(CHUNK, length - begin)
            for block in range(blocks):
                i, end = share(rows, block, blocks)
                to = offset(c, i * c_pitch + first)
                if begin == 0:
                    start, start_pitch = offset(init, i * init_pitch + first), init_pitch
                else:
                    start, start_pitch = to, c_pitch
                tile(
                    end - i, offset(a, i * a_pitch + begin), a_pitch, 1, 0, offset(panel_b, begin * step), step, start,
                    start_pitch, to, c_pitch, count, 1, wide, real(-INFINITY),
                )  # fmt: skip


@helper
def copy_row(source, to, count):
    """``count`` numbers from one place to another."""
    for k in range(count):
        to[k] = source[k]


def pitch_of(size: int) -> int:
    """How far apart rows of ``size`` numbers are laid in scratch memory."""
    return size + GAP


@helper
def own_rows(size, lo, hi):
    """How many of a step's rows are of the sequences ``lo`` to ``hi``, which are a part's."""
    return max(min(size, hi) - lo, 0)


def shares(batch_sizes: Sequence[int], weights: int) -> Array:
    """Where each part's sequences begin, and where the last one's end: each part has about as many rows in all steps together.

    So each takes its sequences through all steps by itself, and none waits for another in any step.

    Args:
        weights: by how many numbers each row is multiplied, which tells whether it is worth a thread.

    Example:
        >>> shares([4, 1, 1, 1], 0).tolist()
        [0, 4]
    """
    batch, rows = batch_sizes[0], sum(batch_sizes)
    parts = max(1, min(batch, threads())) if parts_for(rows * weights // 4) > 1 else 1
    if parts == 1:
        return np.array([0, batch])
    if batch_sizes[-1] == batch:
        return np.arange(parts + 1) * batch // parts
    up_to = np.cumsum(np.searchsorted(-np.array(batch_sizes), -np.arange(batch)))  # steps of the sequences 0, 0 and 1, ...
    found = np.searchsorted(up_to, np.arange(1, parts) * (rows / parts)) + 1
    bounds = np.concatenate(([0], found, [batch]))
    return np.maximum.accumulate(np.minimum(bounds, batch))


def given(bias: Array | None, size: int, dtype: np.dtype) -> Array:
    """The bias, or zeros."""
    return np.zeros(size, dtype) if bias is None else np.ascontiguousarray(bias)


def sum_of(b_ih: Array | None, b_hh: Array | None, size: int, dtype: np.dtype) -> Array:
    """Both biases together."""
    return given(b_hh if b_ih is None else b_ih, size, dtype) if b_ih is None or b_hh is None else b_ih + b_hh
