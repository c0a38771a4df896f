"""The compiled loops of ``cpu.py``: a block of columns of the logits at a time, and what is kept of each row beside it.

Of a row are kept the greatest logit so far, Σ e^(a − greatest), and the leading classes so far, in order. A block is read twice
while it is in the cache: for the greatest of each ``RUN`` of its numbers, and for their powers. Only runs in which a number is
larger than the last of the leading ones are looked at one by one: after the first blocks, few. ``minus_one`` is −1, see the
loops of ``softmax``.
"""

from __future__ import annotations

from minigrad.kernels.native import (
    Ints,
    Real,
    choose,
    fma,
    helper,
    kernel,
    matrix_begin,
    matrix_end,
    offset,
    real,
    share,
)
from minigrad.kernels.native.maths import exp, log
from minigrad.kernels.recurrent_loops import GAP, copy_row, rows_times
from minigrad.kernels.row_loops import greatest_of, power_sum
from minigrad.kernels.split import DEEP, SIDE, WORDS, fill_strip, split_strip, strip_times

INFINITY, NAN = float("inf"), float("nan")
WIDE = 256  # columns of a block
RUN = 32
RUNS = WIDE // RUN
BAND = 384  # rows at a time: their logits of a block, and they themselves, stay in the second-level cache
KEPT = 2  # numbers beside a row: the greatest logit, and the sum


@helper
def insert(value, number, values, classes, filled):
    """Put a class behind those that are as large, and before the others; the last falls out where all places are taken."""
    at = filled
    while at > 0 and values[at - 1] < value:
        values[at] = values[at - 1]
        classes[at] = classes[at - 1]
        at -= 1
    values[at] = value
    classes[at] = number


@helper
def look(x, first, size, values, classes, count):
    """Keep what leads among some logits, those of the classes from ``first`` on."""
    for i in range(size):
        number = first + i
        if number < count:
            insert(x[i], number, values, classes, number)
        elif x[i] > values[count - 1]:
            insert(x[i], number, values, classes, count - 1)


@helper
def take(x, first, size, tops, kept, values, classes, count, without, left_out):
    """A row's logits of a block: into its sum, and into what leads."""
    greatest = real(-INFINITY)
    runs = (size + RUN - 1) // RUN
    for run in range(runs):
        tops[run] = greatest_of(offset(x, run * RUN), min(RUN, size - run * RUN))
    greatest = greatest_of(tops, runs)
    if greatest != greatest:
        kept[1] = greatest
    elif greatest > kept[0]:
        kept[1] = kept[1] * exp(kept[0] - greatest)
        kept[0] = greatest
    kept[1] += power_sum(x, choose(kept[0] == real(-INFINITY), real(0.0), kept[0]), size)
    for each in range(left_out):
        if first <= without[each] < first + size:
            x[without[each] - first] = real(-INFINITY)
    for run in range(runs):
        begin = first + run * RUN
        if begin < count or tops[run] > values[count - 1]:
            look(offset(x, run * RUN), begin, min(RUN, size - run * RUN), values, classes, count)


@helper
def settle(kept, values, classes, count, minus):
    """The logarithms of the chances from the logits; a row without a distribution."""
    top, total = kept[0], kept[1]
    if total != total or total == real(0.0) or top == real(INFINITY):
        for i in range(count):
            values[i] = real(NAN)
            classes[i] = i
        return
    near = log(total)
    for i in range(count):
        values[i] = fma(near, minus, fma(top, minus, values[i]))  # in this order


@helper
def begin_rows(rows, kept):
    for row in range(rows):
        kept[KEPT * row] = real(-INFINITY)
        kept[KEPT * row + 1] = real(0.0)


@kernel(reassociate=True)
def forward(
    x: Real, weights: Real, bias: Real, values: Real, classes: Ints, without: Ints, left_out: int, room: Real, room_size: int,
    rows: int, features: int, total: int, count: int, minus_one: float, part: int, parts: int,
) -> None:  # fmt: skip
    """What leads of each row; ``weights`` are packed panels. ``room`` has rows, logits, and what is kept, for each part."""
    start, stop = share(rows, part, parts)
    pitch, wide = features + GAP, WIDE + GAP
    lines = offset(room, part * room_size)
    logits = offset(lines, BAND * pitch)
    kept = offset(logits, BAND * wide)
    tops = offset(kept, BAND * KEPT)
    for band in range(start, stop, BAND):
        height = min(BAND, stop - band)
        begin_rows(height, kept)
        for row in range(height):
            copy_row(offset(x, (band + row) * features), offset(lines, row * pitch), features)
        for first in range(0, total, WIDE):
            size = min(WIDE, total - first)
            rows_times(
                height, lines, pitch, offset(weights, first * features), features, size, offset(bias, first), 0, logits, wide
            )
            for row in range(height):
                at = (band + row) * count
                take(
                    offset(logits, row * wide), first, size, tops, offset(kept, row * KEPT), offset(values, at),
                    offset(classes, at), count, without, left_out,
                )  # fmt: skip
        for row in range(height):
            at = (band + row) * count
            settle(offset(kept, row * KEPT), offset(values, at), offset(classes, at), count, real(minus_one))


@kernel(reassociate=True)
def forward_split(
    x: Real, weights: Real, bias: Real, values: Real, classes: Ints, without: Ints, left_out: int, room: Real, room_size: int,
    rows: int, features: int, total: int, count: int, chunks: int, minus_one: float, part: int, parts: int,
) -> None:  # fmt: skip
    """The same by the matrix unit: ``weights`` are pieces, and ``room`` has those of the rows too."""
    start, stop = share(rows, part, parts)
    wide = WIDE + GAP
    strips = offset(room, part * room_size)
    logits = offset(strips, BAND * chunks * WORDS)
    kept = offset(logits, BAND * wide)
    lines = offset(kept, BAND * KEPT)
    tops = offset(lines, chunks * (SIDE * SIDE + WORDS))
    matrix_begin()
    for band in range(start, stop, BAND):
        height = min(BAND, stop - band)
        begin_rows(height, kept)
        for strip in range(0, height, SIDE):
            fill_strip(offset(x, (band + strip) * features), features, min(SIDE, height - strip), chunks, lines)
            split_strip(lines, chunks, offset(lines, SIDE * SIDE * chunks), offset(strips, strip * chunks * WORDS))
        for first in range(0, total, WIDE):
            size = min(WIDE, total - first)
            for begin in range(0, chunks, DEEP):
                for strip in range(0, height, SIDE):
                    strip_times(
                        offset(strips, strip * chunks * WORDS), offset(weights, first * chunks * WORDS), begin,
                        min(begin + DEEP, chunks), chunks, size, offset(logits, strip * wide), wide,
                    )  # fmt: skip
            for row in range(height):
                at, own = (band + row) * count, offset(logits, row * wide)
                for k in range(size):
                    own[k] = own[k] + bias[first + k]
                take(
                    own, first, size, tops, offset(kept, row * KEPT), offset(values, at), offset(classes, at), count, without,
                    left_out,
                )  # fmt: skip
        for row in range(height):
            at = (band + row) * count
            settle(offset(kept, row * KEPT), offset(values, at), offset(classes, at), count, real(minus_one))
    matrix_end()
