"""Products of float32 by the processor's matrix unit, with weights that were split into pieces once for many products.

    C = A Wᵀ for a few rows of A

How numbers are split, and what a chunk is, stands in ``native/matrix_unit.py``. W (N, K) is kept in panels of 32 columns of Wᵀ,
chunk after chunk; A is split a strip of 32 rows at a time, when it is multiplied. Both are filled up with zeros.
"""

from __future__ import annotations

import math

import numpy as np

from minigrad.core.device import Array
from minigrad.kernels.native import (
    Real,
    bits,
    from_bits,
    helper,
    kernel,
    matrix_begin,
    matrix_end,
    matrix_load,
    matrix_step,
    matrix_store,
    matrix_zero,
    offset,
    parts_for,
    real,
    share,
    turn,
    whole,
)
from minigrad.kernels.native.target import matrix_unit
from minigrad.kernels.recurrence import Memo

SIDE = 32  # rows of a strip, columns of a panel, terms of a chunk
CHUNK = 1536  # words of a chunk: three pieces of two tiles
TILE = 256  # words of a tile
WORDS = CHUNK // SIDE  # of a row's part of a chunk
LINE = 16  # numbers of a line of the cache
BLOCK = 256  # columns that all strips take at a time
DEEP = 8  # chunks that all strips take at a time: so many rows as a beam has stay in the second-level cache
LEAST = 12  # rows from which on it is worth it: fewer are waiting for the weights, of which the pieces take half as much again


def usable(*sides: Array) -> bool:
    """Whether the products of these rows are made here: they are float32, not too few, and all finite."""
    return (
        len(sides[0]) >= LEAST
        and sides[0].dtype == "float32"
        and matrix_unit()
        and all(math.isfinite(side.sum()) for side in sides)
    )


def chunks_of(terms: int) -> int:
    """How many chunks so many terms fill."""
    return -(-terms // SIDE)


def lines_of(chunks: int) -> int:
    """Scratch memory of a strip on its way: its rows filled up to whole chunks, and the words of one of them."""
    return chunks * (SIDE * SIDE + WORDS)


def aligned(count: int) -> Array:
    """Memory for so many numbers of float32, from the beginning of a line of the cache on."""
    made = np.empty(count + LINE, np.float32)
    return made[-made.ctypes.data // 4 % LINE :][:count]


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


def split_product(pieces: Array, columns: int, *sides: Array) -> Array:
    """Σ A Wᵀ of A (rows, K) beside each other, on lines of whole panels: the columns from N on mean nothing.

    Args:
        pieces: of W (N, K), as ``split`` made them.
        columns: N.
    """
    rows = len(sides[0])
    a = np.concatenate(sides, axis=1) if len(sides) > 1 else np.ascontiguousarray(sides[0])
    terms, strips, panels = a.shape[1], chunks_of(rows), chunks_of(columns)
    chunks = chunks_of(terms)
    pitch = panels * SIDE + LINE
    c = aligned(strips * SIDE * pitch).reshape(-1, pitch)
    parts = max(1, min(parts_for(rows * columns * terms // 8), strips))
    size = strips * chunks * CHUNK + lines_of(chunks)
    multiply(a, pieces, c, aligned(parts * size), size, rows, terms, chunks, columns, pitch, parts=parts)
    return c[:rows]


@kernel(exact=True)
def multiply(
    a: Real, pieces: Real, c: Real, room: Real, room_size: int, rows: int, terms: int, chunks: int, columns: int, pitch: int,
    part: int, parts: int,
) -> None:  # fmt: skip
    """C of a part's strips, a block of panels at a time. ``room`` has strips for each part, and rows filled up."""
    start, stop = share((rows + SIDE - 1) // SIDE, part, parts)
    strips = offset(room, part * room_size)
    lines = offset(strips, (stop - start) * chunks * CHUNK)
    for strip in range(start, stop):
        fill_strip(offset(a, strip * SIDE * terms), terms, min(SIDE, rows - strip * SIDE), chunks, lines)
        split_strip(lines, chunks, offset(lines, SIDE * SIDE * chunks), offset(strips, (strip - start) * chunks * CHUNK))
    matrix_begin()
    for first in range(0, columns, BLOCK):
        side = offset(pieces, first // SIDE * chunks * CHUNK)
        for begin in range(0, chunks, DEEP):
            for strip in range(start, stop):
                to = offset(c, strip * SIDE * pitch + first)
                own = offset(strips, (strip - start) * chunks * CHUNK)
                strip_times(own, side, begin, min(begin + DEEP, chunks), chunks, min(BLOCK, columns - first), to, pitch)
    matrix_end()


@helper
def fill_strip(x, terms, rows, chunks, to):
    """Some rows of A, 32 at most, filled up to 32 of whole chunks with zeros."""
    pitch = chunks * SIDE
    for row in range(SIDE):
        line, out = offset(x, row * terms), offset(to, row * pitch)
        wide = terms if row < rows else 0
        for k in range(wide):
            out[k] = line[k]
        for k in range(wide, pitch):
            out[k] = real(0.0)


@helper
def two_words(first, second):
    """Two numbers' first 8 significant bits as one word, the first number's in its lower half."""
    return from_bits(whole((bits(second) & -65536) | ((bits(first) >> 16) & 65535)))


@helper
def rest(value):
    """What of a number is behind its first 8 significant bits."""
    return value - from_bits(whole(bits(value) & -65536))


@helper
def split_pairs(first, second, step, count, to, apart):
    """The three pieces of pairs of terms, which lie ``step`` apart, as words: those of a piece beside each other."""
    for i in range(count):
        one, other = first[i * step], second[i * step]
        to[i] = two_words(one, other)
        one, other = rest(one), rest(other)
        to[apart + i] = two_words(one, other)
        to[2 * apart + i] = two_words(rest(one), rest(other))


@helper
def split_strip(x, chunks, words, to):
    """A strip of A: 32 rows of whole chunks. ``words`` has room for a row."""
    pairs = 16 * chunks
    for row in range(SIDE):
        line = offset(x, row * chunks * SIDE)
        split_pairs(line, offset(line, 1), 2, pairs, words, pairs)
        for piece in range(3):
            for chunk in range(chunks):
                source = offset(words, piece * pairs + chunk * 16)
                out = offset(to, chunk * CHUNK + 2 * piece * TILE + row * 16)  # the second tile follows on the first
                for pair in range(16):
                    out[pair] = source[pair]


@helper
def strip_times(strip, weights, begin, end, chunks, columns, c, pitch):
    """32 rows of C, of whole panels: the chunks from ``begin`` on. The matrix unit has been made ready."""
    for panel in range((columns + SIDE - 1) // SIDE):
        to = offset(c, panel * SIDE)
        if begin == 0:
            matrix_zero()
        else:
            matrix_load(to, pitch)
        side = offset(weights, panel * chunks * CHUNK)
        for chunk in range(begin, end):
            matrix_step(offset(strip, chunk * CHUNK), offset(side, chunk * CHUNK))
        matrix_store(to, pitch)


@kernel(exact=True)
def split_panels(
    w: Real, out: Real, room: Real, columns: int, terms: int, chunks: int, panels: int, part: int, parts: int
) -> None:
    """W (columns, terms) into the pieces of panels. ``room`` has four tiles for each part: even and odd terms, and turned."""
    start, stop = share(panels * 2 * chunks, part, parts)
    even = offset(room, part * 4 * TILE)
    odd, turned_even, turned_odd = offset(even, TILE), offset(even, 2 * TILE), offset(even, 3 * TILE)
    for each in range(start, stop):
        half, chunk = each // chunks, each % chunks
        first, begin = half * 16, chunk * SIDE
        height, wide = min(16, columns - first), min(SIDE, terms - begin)
        if height < 16 or wide < SIDE:
            for i in range(2 * TILE):
                even[i] = real(0.0)
        for r in range(height):
            line = offset(w, (first + r) * terms + begin)
            for pair in range(wide // 2):
                even[r * 16 + pair] = line[2 * pair]
                odd[r * 16 + pair] = line[2 * pair + 1]
            if wide % 2:
                even[r * 16 + wide // 2] = line[wide - 1]
        turn(even, 16, 16, turned_even, 16)
        turn(odd, 16, 16, turned_odd, 16)
        to = offset(out, ((half // 2) * chunks + chunk) * CHUNK + half % 2 * TILE)
        split_pairs(turned_even, turned_odd, 1, TILE, to, 2 * TILE)
