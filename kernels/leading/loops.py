"""The compiled loops of ``cpu.py``: a block of columns of the logits at a time, and what is kept of each row beside it.

Of a row are kept the greatest logit so far, Σ e^(a − greatest), and the leading classes so far, in order. A block is read twice
while it is in the cache: for the greatest of each ``RUN`` of its numbers, and for their powers. Only runs in which a number is
larger than the last of the leading ones are looked at one by one: after the first blocks, few. Each column of parts keeps what
it finds among its classes, and in the end the first one's takes in the others'. ``minus_one`` is −1, see the loops of
``softmax``.
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
from minigrad.kernels.split import CHUNK, HALF, SIDE, fill_line, split_line, strips_times

INFINITY, NAN = float("inf"), float("nan")
WIDE = 256  # columns of a block
RUN = 32
RUNS = WIDE // RUN
BAND = 320  # rows at a time: their logits of a block, and they themselves, stay in the second-level cache
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
def look(x, first, begin, size, values, classes, count):
    """Keep what leads among some logits, those of the classes from ``begin`` on; ``first`` is the first class of all."""
    for i in range(size):
        filled = begin + i - first
        if filled < count:
            insert(x[i], begin + i, values, classes, filled)
        elif x[i] > values[count - 1]:
            insert(x[i], begin + i, values, classes, count - 1)


@helper
def take(x, first, begin, size, tops, kept, values, classes, count, without, left_out):
    """A row's logits of a block, of the classes from ``begin`` on: into its sum, and into what leads."""
    runs = (size + RUN - 1) // RUN
    for run in range(runs):
        tops[run] = greatest_of(offset(x, run * RUN), min(RUN, size - run * RUN))
    raise_to(kept, greatest_of(tops, runs))
    kept[1] += power_sum(x, base_of(kept), size)
    for each in range(left_out):
        if begin <= without[each] < begin + size:
            x[without[each] - begin] = real(-INFINITY)
    for run in range(runs):
        at = begin + run * RUN
        if at < first + count or tops[run] > values[count - 1]:
            look(offset(x, run * RUN), first, at, min(RUN, size - run * RUN), values, classes, count)


@helper
def raise_to(kept, greatest):
    """Let the sum be one of powers of what is above the greatest logit now."""
    if greatest != greatest:
        kept[1] = greatest
    elif greatest > kept[0]:
        kept[1] = kept[1] * exp(kept[0] - greatest)
        kept[0] = greatest


@helper
def base_of(kept):
    """What is taken from exponents: the greatest logit, or 0 where all are −inf."""
    return choose(kept[0] == real(-INFINITY), real(0.0), kept[0])


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
    x: Real, weights: Real, bias: Real, values: Real, classes: Ints, kept: Real, without: Ints, left_out: int, room: Real,
    room_size: int, rows: int, features: int, total: int, count: int, across: int, part: int, parts: int,
) -> None:  # fmt: skip
    """What leads of each row in each column of parts; ``weights`` are packed panels. ``room`` has logits and rows."""
    column = part % across
    start, stop = share(rows, part // across, parts // across)
    left, right = share((total + WIDE - 1) // WIDE, column, across)
    pitch, wide = features + GAP, WIDE + GAP
    logits = offset(room, part * room_size)
    lines = offset(logits, BAND * wide)
    tops = offset(lines, BAND * pitch)
    for band in range(start, stop, BAND):
        height, first = min(BAND, stop - band), column * rows + band
        own, of_value, of_class = offset(kept, first * KEPT), offset(values, first * count), offset(classes, first * count)
        begin_rows(height, own)
        for row in range(height):
            copy_row(offset(x, (band + row) * features), offset(lines, row * pitch), features)
        for begin in range(left * WIDE, min(right * WIDE, total), WIDE):
            size = min(WIDE, total - begin)
            rows_times(
                height, lines, pitch, offset(weights, begin * features), features, size, offset(bias, begin), 0, logits, wide
            )
            for row in range(height):
                take(
                    offset(logits, row * wide), left * WIDE, begin, size, tops, offset(own, row * KEPT),
                    offset(of_value, row * count), offset(of_class, row * count), count, without, left_out,
                )  # fmt: skip


@kernel(reassociate=True)
def forward_split(
    x: Real, weights: Real, bias: Real, values: Real, classes: Ints, kept: Real, without: Ints, left_out: int, room: Real,
    room_size: int, rows: int, features: int, total: int, count: int, chunks: int, across: int, part: int, parts: int,
) -> None:  # fmt: skip
    """The same by the matrix unit: ``weights`` are pieces, and ``room`` has those of the rows."""
    column = part % across
    start, stop = share(rows, part // across, parts // across)
    left, right = share((total + WIDE - 1) // WIDE, column, across)
    wide, of_strip = WIDE + GAP, chunks * CHUNK
    logits = offset(room, part * room_size)
    strips = offset(logits, BAND * wide)
    line = offset(strips, BAND // SIDE * of_strip)
    tops = offset(line, chunks * SIDE)
    matrix_begin()
    for band in range(start, stop, BAND):
        height, first = min(BAND, stop - band), column * rows + band
        own, of_value, of_class = offset(kept, first * KEPT), offset(values, first * count), offset(classes, first * count)
        begin_rows(height, own)
        up_to = (height + SIDE - 1) // SIDE * SIDE
        for row in range(up_to):
            fill_line(offset(x, (band + row) * features), features if row < height else 0, x, 0, chunks, line)
            split_line(line, chunks, offset(strips, row // SIDE * of_strip + row % SIDE * HALF))
        for begin in range(left * WIDE, min(right * WIDE, total), WIDE):
            size, side = min(WIDE, total - begin), offset(weights, begin // SIDE * of_strip)
            strips_times(up_to // SIDE, strips, side, chunks, (size + SIDE - 1) // SIDE, offset(bias, begin), logits, wide)
            for row in range(height):
                take(
                    offset(logits, row * wide), left * WIDE, begin, size, tops, offset(own, row * KEPT),
                    offset(of_value, row * count), offset(of_class, row * count), count, without, left_out,
                )  # fmt: skip
    matrix_end()


@kernel(reassociate=True)
def put_together(
    kept: Real, values: Real, classes: Ints, rows: int, across: int, count: int, minus_one: float, part: int, parts: int
) -> None:
    """What all columns of parts found into what the first one did, and its logarithms of chances."""
    start, stop = share(rows, part, parts)
    for row in range(start, stop):
        own, leading, which = offset(kept, row * KEPT), offset(values, row * count), offset(classes, row * count)
        for column in range(1, across):
            other = column * rows + row
            theirs = offset(kept, other * KEPT)
            next_best, their_which = offset(values, other * count), offset(classes, other * count)
            raise_to(own, theirs[0])
            if theirs[1] != real(0.0):
                own[1] += theirs[1] * exp(base_of(theirs) - base_of(own))
            for k in range(count):
                if next_best[k] > leading[count - 1]:
                    insert(next_best[k], their_which[k], leading, which, count - 1)
        settle(own, leading, which, count, real(minus_one))
