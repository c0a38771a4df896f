"""The compiled loops of ``cpu.py``: packed blocks of both sides, and the micro-kernel ``tile`` over them."""

from __future__ import annotations

from minigrad.kernels.native import Ints, Real, helper, kernel, offset, panel, real, share, tile, tile_rows
from minigrad.kernels.packing import BLOCK, pack_lines, pack_panel, width_of

INFINITY = float("inf")
WORDS = 8  # numbers that tell a rectangle of C: see ``multiply``


@helper
def pack_strips(source, at_row, at_column, rows, high, count, to):
    """Rows of A into strips of ``high``: for each term the strip's numbers side by side.

    Where A's columns lie along memory, all strips take some terms before the next ones: they share lines of the cache.
    """
    step = BLOCK if at_row == 1 else count
    for k in range(0, count, step):
        terms = min(step, count - k)
        for i in range(0, rows, high):
            height = min(high, rows - i)
            line = offset(source, i * at_row + k * at_column)
            out = offset(to, i * count + k * height)
            if at_row == 1 and height == tile_rows:
                for each in range(terms):
                    for r in range(tile_rows):
                        out[each * tile_rows + r] = line[each * at_column + r]
            else:
                pack_lines(line, at_row, at_column, height, height, terms, out)


@helper
def block(rows, high, columns, count, a, by_row, a_pitch, a_step, b, by_column, b_step, init, init_row, c, c_row, least):
    """A rectangle of C, some terms of its sums: each panel stays in the first-level cache for all strips.

    A strip of A begins at i · ``by_row``, a panel of B at j · ``by_column``; steps of 0 are those of packed ones.
    """
    for j in range(0, columns, panel):
        wide = min(panel, columns - j)
        for i in range(0, rows, high):
            height = min(high, rows - i)
            tile(
                height, offset(a, i * by_row), a_pitch, a_step if a_step else height, 0, offset(b, j * by_column),
                b_step if b_step else width_of(wide), offset(init, i * init_row + j), init_row, offset(c, i * c_row + j), c_row,
                count, 1, wide, least,
            )  # fmt: skip


@kernel
def multiply(
    a: Real, b: Real, bias: Real, c: Real, rectangles: Ints, room: Real, room_size: int, of_a: int, count: int, k: int,
    a_row: int, a_column: int, b_row: int, b_column: int, c_row: int, high: int, kc: int, mc: int, depth: int, least: float,
    part: int, parts: int,
) -> None:  # fmt: skip
    """C = max(least, bias + A B), in ``count`` rectangles.

    ``rectangles`` has where A's rows, B's columns, C and the bias of each begin, its rows, its columns, these in whole panels,
    and whether B is read in place. ``room`` is a part's own scratch memory: ``of_a`` numbers for a block of A, which is read in
    place where they are none, and behind them blocks of B.
    """
    strips = offset(room, part * room_size)
    panels = offset(strips, of_a)
    start, stop = share(count, part, parts)
    for each in range(start, stop):
        at = offset(rectangles, each * WORDS)
        left_side, right_side, out, of_bias = offset(a, at[0]), offset(b, at[1]), offset(c, at[2]), offset(bias, at[3])
        rows, columns, padded, in_place = at[4], at[5], at[6], at[7]
        for deep in range(0, k, depth):
            end = min(deep + depth, k)
            if not in_place:
                for first in range(deep, end, kc):
                    terms = min(kc, end - first)
                    for j in range(0, columns, panel):
                        pack_panel(
                            offset(right_side, first * b_row + j * b_column), b_row, b_column, terms, min(panel, columns - j),
                            offset(panels, (first - deep) * padded + j * terms),
                        )  # fmt: skip
            for i in range(0, rows, mc):
                some = min(mc, rows - i)
                to = offset(out, i * c_row)
                for first in range(deep, end, kc):
                    terms = min(kc, end - first)
                    x, by_row, a_pitch, a_step = offset(left_side, i * a_row + first * a_column), a_row, a_row, a_column
                    if of_a:
                        pack_strips(x, a_row, a_column, some, high, terms, strips)
                        x, by_row, a_pitch, a_step = strips, terms, 1, 0
                    y, by_column, b_step = offset(panels, (first - deep) * padded), terms, 0
                    if in_place:
                        y, by_column, b_step = offset(right_side, first * b_row), 1, b_row
                    init, init_row = (to, c_row) if first else (of_bias, 0)
                    block(
                        some, high, columns, terms, x, by_row, a_pitch, a_step, y, by_column, b_step, init, init_row, to, c_row,
                        real(least) if first + terms == k else real(-INFINITY),
                    )  # fmt: skip
