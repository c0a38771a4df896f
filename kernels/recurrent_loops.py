"""What the compiled loops of the recurrent families share: packed weights, and products of a few rows with them.

A product's right side is packed into panels, as ``packing.py`` says.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from minigrad.core.device import Array
from minigrad.kernels.native import Real, helper, kernel, offset, panel, parts_for, real, share, threads, tile, tile_rows
from minigrad.kernels.native.target import target
from minigrad.kernels.packing import pack, pack_lines, width_of
from minigrad.kernels.recurrence import Memo, walk

INFINITY = float("inf")
CHUNK = 512  # terms of a sum at a time: their part of a panel, 64 KB, and of the rows stay in the second-level cache
BAND = 256  # rows of which weight gradients are made at a time
ENOUGH = 8  # rows of a step for each thread, to read W_ih for them
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
                    start_pitch, to, c_pitch, count, 1, wide, real(-INFINITY), real(INFINITY),
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


class Shares(NamedTuple):
    """Where each part's sequences begin, and where the last one's end; how many parts; the most sequences of a part."""

    bounds: Array
    parts: int
    most: int


def shares(batch_sizes: Sequence[int], weights: int) -> Shares:
    """Which sequences are each part's: each part has about as many rows in all steps together.

    So each takes its sequences through all steps by itself, and none waits for another in any step.

    Args:
        weights: by how many numbers each row is multiplied, which tells whether it is worth a thread.

    Example:
        >>> shares([4, 1, 1, 1], 0)
        Shares(bounds=array([0, 4]), parts=1, most=4)
    """
    divided = parts_for(sum(batch_sizes) * weights // 4) > 1
    return _shares(tuple(batch_sizes), max(1, min(batch_sizes[0], threads())) if divided else 1)


@functools.lru_cache(maxsize=64)
def _shares(batch_sizes: tuple[int, ...], parts: int) -> Shares:
    batch, rows = batch_sizes[0], sum(batch_sizes)
    if parts == 1:
        bounds = np.array([0, batch])
    elif batch_sizes[-1] == batch:
        bounds = np.arange(parts + 1) * batch // parts
    else:
        up_to = np.cumsum(np.searchsorted(-np.array(batch_sizes), -np.arange(batch)))  # steps of the sequences 0, 0 and 1, ...
        found = np.searchsorted(up_to, np.arange(1, parts) * (rows / parts)) + 1
        bounds = np.maximum.accumulate(np.minimum(np.concatenate(([0], found, [batch])), batch))
    return Shares(bounds, parts, int(np.diff(bounds).max()))


def inside(batch_sizes: Sequence[int], memo: Memo | None) -> bool:
    """Whether the loop over the steps multiplies the input too, and not one product for all of them before.

    Then the sums of a step never leave the cache, and W_ih is read once a step, which a few rows are not worth; but a single
    step with a memo has no other rows, and W_ih packed already.
    """
    steps = len(batch_sizes)
    return sum(batch_sizes) >= ENOUGH * steps * threads() if steps > 1 else memo is not None or batch_sizes[0] >= ENOUGH


def given(bias: Array | None, size: int, dtype: np.dtype) -> Array:
    """The bias, or zeros."""
    return np.zeros(size, dtype) if bias is None else np.ascontiguousarray(bias)


def sum_of(b_ih: Array | None, b_hh: Array | None, size: int, dtype: np.dtype) -> Array:
    """Both biases together."""
    return given(b_hh if b_ih is None else b_ih, size, dtype) if b_ih is None or b_hh is None else b_ih + b_hh


# ---------------------------------------------------------------------- gradients of weights


@kernel
def weigh(
    a: Real, a_pitch: int, count: int, x: Real, features: int, dw_x: Real, h: Real, hidden: int, dw_h: Real, db: Real, rows:
    int, room: Real, room_size: int, part: int, parts: int,
) -> None:  # fmt: skip
    """dw_x (count, features) = Σ aᵀ x, dw_h (count, hidden) = Σ aᵀ h and db (count,) = Σ a, over all rows; zeros at first.

    A part has some of a's columns. Of ``BAND`` rows at a time they are packed in strips of ``tile_rows`` columns, and x and h
    in panels. So all that the micro-kernel reads is gapless, and a strip stays in the first-level cache for all panels.
    """
    begin, end = share((count + tile_rows - 1) // tile_rows, part, parts)
    if begin == end:
        return
    first, stop = begin * tile_rows, min(end * tile_rows, count)
    strips, of_x = room_size * part, (end - begin) * tile_rows * BAND
    of_sum = of_x + BAND * (features + hidden + 2 * panel)
    strips_at = offset(room, strips)
    panels_at = offset(room, strips + of_x)
    band_sum = offset(room, strips + of_sum)
    for band in range(0, rows, BAND):
        height = min(BAND, rows - band)
        for j in range(stop - first):
            band_sum[j] = real(0.0)
        for k in range(height):
            line = offset(a, (band + k) * a_pitch + first)
            for j in range(stop - first):
                band_sum[j] += line[j]
            for strip in range(end - begin):
                to = offset(strips_at, (strip * BAND + k) * tile_rows)
                for j in range(min(tile_rows, stop - first - strip * tile_rows)):
                    to[j] = line[strip * tile_rows + j]
        for j in range(stop - first):
            db[first + j] += band_sum[j]
        to_h = pack_band(offset(x, band * features), features, height, panels_at)
        pack_band(offset(h, band * hidden), hidden, height, offset(panels_at, to_h))
        for strip in range(end - begin):
            of_strip = offset(strips_at, strip * BAND * tile_rows)
            at = first + strip * tile_rows
            high = min(tile_rows, stop - at)
            columns_times(high, of_strip, panels_at, height, features, offset(dw_x, at * features))
            columns_times(high, of_strip, offset(panels_at, to_h), height, hidden, offset(dw_h, at * hidden))


@helper
def pack_band(b, columns, height, to):
    """Some rows of b into panels; how many numbers these take comes back."""
    at = 0
    for first in range(0, columns, panel):
        wide = min(panel, columns - first)
        width = width_of(wide)
        pack_lines(offset(b, first), 1, columns, wide, width, height, offset(to, at))
        at += height * width
    return at


@helper
def columns_times(high, strip, b, height, columns, c):
    """C += Aᵀ B for a strip of A's columns and all packed panels of B."""
    at = 0
    for first in range(0, columns, panel):
        wide = min(panel, columns - first)
        width = width_of(wide)
        to = offset(c, first)
        tile(
            high, strip, 1, tile_rows, 0, offset(b, at), width, to, columns, to, columns, height, 1, wide, real(-INFINITY),
            real(INFINITY),
        )  # fmt: skip
        at += height * width


def weight_gradients(da: Array, x: Array, h: Array) -> tuple[Array, Array, Array]:
    """Σ daᵀ x, Σ daᵀ h and Σ da over all rows; x or h may have no columns."""
    count = da.shape[1]
    found = np.zeros((count, x.shape[1]), da.dtype), np.zeros((count, h.shape[1]), da.dtype), np.zeros(count, da.dtype)
    add_weight_gradients(da, x, h, *found)
    return found


def add_weight_gradients(da: Array, x: Array, h: Array, dw_x: Array, dw_h: Array, db: Array) -> None:
    """The same, added to what gapless ``dw_x``, ``dw_h`` and ``db`` have."""
    x, h = np.ascontiguousarray(x), np.ascontiguousarray(h)
    if da.strides[1] != da.itemsize:
        da = np.ascontiguousarray(da)
    (rows, count), features, hidden = da.shape, x.shape[1], h.shape[1]
    parts = parts_for(rows * count * (features + hidden) // 4)
    tiled = target().rows
    strips = -(-count // tiled)
    wide = target().vectors * target().lanes(da.dtype.name)
    each = -(-strips // parts) * tiled
    room_size = each * (BAND + 1) + BAND * (features + hidden + 2 * wide)
    weigh(
        da, da.strides[0] // da.itemsize, count, x, features, dw_x, h, hidden, dw_h, db, rows,
        np.empty(parts * room_size, da.dtype), room_size, parts=parts,
    )  # fmt: skip
