"""Products of float32 by the processor's matrix unit, with weights that were split into pieces once for many products.

    C = A Wᵀ for a few rows of A

How numbers are split, and what a chunk is, stands in ``native/matrix_unit.py``. W (N, K) is kept in panels of 32 columns of Wᵀ,
chunk after chunk; A is split a strip of 32 rows at a time, when it is multiplied. Both are filled up with zeros. A word has two
terms that are 16 apart: so both sides are split a vector at a time.
"""

from __future__ import annotations

import math

import numpy as np

from minigrad.core.device import Array
from minigrad.kernels.native import (
    Real,
    bits,
    from_bits,
    grid_for,
    helper,
    kernel,
    matrix_begin,
    matrix_end,
    matrix_load,
    matrix_step,
    matrix_store,
    offset,
    parts_for,
    real,
    share,
    threads,
    turn,
    whole,
)
from minigrad.kernels.native.target import matrix_unit
from minigrad.kernels.recurrence import Memo

SIDE = 32  # rows of a strip, columns of a panel, terms of a chunk
CHUNK = 1536  # words of a chunk: three pieces of two tiles
TILE = 256  # words of a tile
HALF = SIDE // 2
LINE = 16  # numbers of a line of the cache
HELD = 128  # chunks of A at a time, 768 KB; they and a quarter as many of W stay in the second-level cache
PANELS = 8  # that each part has at least: each splits A for itself
LEAST = 128  # rows from which on it is worth it: fewer wait for the weights, of which the pieces take half as much again


def usable(*sides: Array) -> bool:
    """Whether the products of these rows are made here: they are float32, not too few, and all finite, and one thread works.

    Where several do, their units slow each other down (measured on two cores: to a quarter each, for seconds), and the
    micro-kernel is quicker.
    """
    return (
        len(sides[0]) >= LEAST
        and sides[0].dtype == "float32"
        and threads() == 1
        and matrix_unit()
        and all(math.isfinite(side.sum()) for side in sides)
    )


def chunks_of(terms: int) -> int:
    """How many chunks so many terms fill."""
    return -(-terms // SIDE)


def aligned(count: int) -> Array:
    """Memory for so many numbers of float32, from the beginning of a line of the cache on."""
    made = np.empty(count + LINE, np.float32)
    return made[-made.ctypes.data // 4 % LINE :][:count]


def filled(bias: Array, columns: int) -> Array:
    """A bias for whole panels."""
    wide = chunks_of(columns) * SIDE
    return np.ascontiguousarray(bias) if wide == columns else np.concatenate((bias, np.zeros(wide - columns, bias.dtype)))


def split(memo: Memo, name: str, *weights: Array) -> Array | None:
    """The pieces of W (N, K), or of several side by side; ``None`` if not all are finite.

    What ``memo`` has under the name is taken, and what it lacks put there.
    """
    if ("split", name) in memo:
        return memo["split", name]
    found = None
    if all(math.isfinite(each.sum()) for each in weights):
        w = np.concatenate(weights, axis=1) if len(weights) > 1 else weights[0]
        columns, terms = w.shape
        panels, chunks = chunks_of(columns), chunks_of(terms)
        found = aligned(panels * chunks * CHUNK)
        parts = parts_for(4 * w.nbytes)
        room = aligned(parts * 4 * TILE)
        split_panels(np.ascontiguousarray(w), found, room, columns, terms, chunks, panels, parts=parts)
    memo["split", name] = found
    return found


def split_product(pieces: Array, bias: Array, x: Array, h: Array | None = None) -> Array:
    """bias + A Wᵀ, of W (N, K) in pieces; A (rows, K) is x, or x and h side by side. Rows may be further apart than N."""
    rows, columns = len(x), len(bias)
    terms, more = x.shape[1], 0 if h is None else h.shape[1]
    strips, panels, chunks = chunks_of(rows), chunks_of(columns), chunks_of(terms + more)
    pitch = panels * SIDE + LINE * (panels % SIDE == 0)  # rows of C a large power of two apart share few places of the cache
    c = aligned(strips * SIDE * pitch).reshape(-1, pitch)
    across, parts = grid_for(rows * columns * (terms + more) // 8, panels // PANELS, strips)
    most = max(1, HELD // chunks)
    size = min(-(-strips * across // parts), most) * chunks * CHUNK + chunks * SIDE
    multiply(
        np.ascontiguousarray(x), terms, None if h is None else np.ascontiguousarray(h), more, pieces, filled(bias, columns), c,
        aligned(parts * size), size, rows, chunks, columns, pitch, across, most, parts=parts,
    )  # fmt: skip
    return c[:rows, :columns]


@kernel(exact=True)
def multiply(
    x: Real, terms: int, h: Real, more: int, pieces: Real, bias: Real, c: Real, room: Real, room_size: int, rows: int, chunks:
    int, columns: int, pitch: int, across: int, most: int, part: int, parts: int,
) -> None:  # fmt: skip
    """C of a part's strips, ``most`` of them at a time, and panels. ``room`` has a row and strips for each part."""
    start, stop = share((rows + SIDE - 1) // SIDE, part // across, parts // across)
    left, right = share((columns + SIDE - 1) // SIDE, part % across, across)
    line = offset(room, part * room_size)
    strips = offset(line, chunks * SIDE)
    matrix_begin()
    for band in range(start, stop, most):
        height = min(most, stop - band)
        for row in range(height * SIDE):
            at, of_strip = band * SIDE + row, row // SIDE * chunks * CHUNK
            of_x, of_h = (terms, more) if at < rows else (0, 0)
            fill_line(offset(x, at * terms), of_x, offset(h, at * more), of_h, chunks, line)
            split_line(line, chunks, offset(strips, of_strip + row % SIDE * HALF))
        strips_times(
            height, strips, offset(pieces, left * chunks * CHUNK), chunks, right - left, offset(bias, left * SIDE),
            offset(c, (band * pitch + left) * SIDE), pitch,
        )  # fmt: skip
    matrix_end()


@helper
def fill_line(x, terms, h, more, chunks, line):
    """A row of A, which is one of x and one of h, in whole chunks."""
    for k in range(terms):
        line[k] = x[k]
    for k in range(more):
        line[terms + k] = h[k]
    for k in range(terms + more, chunks * SIDE):
        line[k] = real(0.0)


@helper
def two_words(first, second):
    """Two numbers' first 8 significant bits as one word, the first number's in its lower half."""
    return from_bits(whole((bits(second) & -65536) | ((bits(first) >> 16) & 65535)))


@helper
def rest(value):
    """What of a number is behind its first 8 significant bits."""
    return value - from_bits(whole(bits(value) & -65536))


@helper
def split_pairs(first, second, count, to):
    """The three pieces of pairs of terms as words: those of a piece beside each other, the next two tiles further on."""
    for i in range(count):
        one, other = first[i], second[i]
        to[i] = two_words(one, other)
        one, other = rest(one), rest(other)
        to[2 * TILE + i] = two_words(one, other)
        to[4 * TILE + i] = two_words(rest(one), rest(other))


@helper
def split_line(line, chunks, to):
    """The pieces of a row of whole chunks, in its place of a strip."""
    for chunk in range(chunks):
        terms = offset(line, chunk * SIDE)
        split_pairs(terms, offset(terms, HALF), HALF, offset(to, chunk * CHUNK))


@helper
def strips_times(count, strips, weights, chunks, panels, bias, c, pitch):
    """C of some strips and panels, some of these at a time. The matrix unit has been made ready."""
    step = max(1, HELD // 4 // chunks)
    for first in range(0, panels, step):
        side, most = offset(weights, first * chunks * CHUNK), min(step, panels - first)
        for strip in range(count):
            of_strip, to = offset(strips, strip * chunks * CHUNK), offset(c, (strip * pitch + first) * SIDE)
            for panel in range(most):
                matrix_load(offset(bias, (first + panel) * SIDE), 0)
                for chunk in range(chunks):
                    matrix_step(offset(of_strip, chunk * CHUNK), offset(side, (panel * chunks + chunk) * CHUNK))
                matrix_store(offset(to, panel * SIDE), pitch)


@kernel(exact=True)
def split_panels(
    w: Real, out: Real, room: Real, columns: int, terms: int, chunks: int, panels: int, part: int, parts: int
) -> None:
    """W (columns, terms) into the pieces of panels. ``room`` has four tiles for each part: both halves' terms, and turned."""
    start, stop = share(panels * 2 * chunks, part, parts)
    lower = offset(room, part * 4 * TILE)
    upper, turned_lower, turned_upper = offset(lower, TILE), offset(lower, 2 * TILE), offset(lower, 3 * TILE)
    for each in range(start, stop):
        half, chunk = each // chunks, each % chunks
        first, begin = half * HALF, chunk * SIDE
        height, wide = min(HALF, columns - first), min(SIDE, terms - begin)
        if height < HALF or wide < SIDE:
            for i in range(2 * TILE):
                lower[i] = real(0.0)
        for r in range(height):
            line = offset(w, (first + r) * terms + begin)
            for k in range(min(HALF, wide)):
                lower[r * HALF + k] = line[k]
            for k in range(HALF, wide):
                upper[r * HALF + k - HALF] = line[k]
        turn(lower, HALF, HALF, turned_lower, HALF)
        turn(upper, HALF, HALF, turned_upper, HALF)
        split_pairs(turned_lower, turned_upper, TILE, offset(out, ((half // 2) * chunks + chunk) * CHUNK + half % 2 * TILE))
