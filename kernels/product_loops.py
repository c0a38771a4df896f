"""The compiled loops of ``products.py``: packed blocks of both sides, and the micro-kernel ``tile`` over them."""

from __future__ import annotations

from minigrad.kernels.native import Ints, Real, helper, kernel, offset, panel, real, share, tile, tile_rows
from minigrad.kernels.packing import pack_lines, width_of

INFINITY = float("inf")
BLOCK = 16  # terms that all strips take at a time, where A's columns lie along memory
# How many rectangles there are; terms; steps of A, B and C from row to row and from column to column, C's from row to row;
# rows of a strip; terms of a sum that are taken at a time; rows whose strips stay in the second-level cache; terms of a packed
# block of B; scratch memory of a part for A, and in all.
HEAD = (
    *("count", "terms", "a_row", "a_column", "b_row", "b_column", "c_row"),
    *("high", "at_a_time", "held", "depth", "of_a", "room"),
)  # fmt: skip
HEADS = len(HEAD)
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
            line, out = offset(source, i * at_row + k * at_column), offset(to, i * count + k * height)
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
                count, 1, wide, least, real(INFINITY),
            )  # fmt: skip


@kernel
def multiply(a: Real, b: Real, bias: Real, c: Real, plan: Ints, room: Real, least: float, part: int, parts: int) -> None:
    """C = max(least, bias + A B), in rectangles.

    ``plan`` has first the numbers of ``HEAD``, and behind them for each rectangle where A's rows, B's columns, C and the bias
    begin, its rows, its columns, these in whole panels, and whether B is read in place. ``room`` has scratch memory for each
    part: ``of_a`` numbers for a block of A, which is read in place where they are none, and behind them blocks of B.
    """
    k, a_row, a_column, b_row, b_column, c_row = plan[1], plan[2], plan[3], plan[4], plan[5], plan[6]
    high, kc, mc, depth, of_a = plan[7], plan[8], plan[9], plan[10], plan[11]
    strips = offset(room, part * plan[12])
    panels = offset(strips, of_a)
    start, stop = share(plan[0], part, parts)
    for each in range(start, stop):
        at = offset(plan, HEADS + each * WORDS)
        left_side, right_side, out, of_bias = offset(a, at[0]), offset(b, at[1]), offset(c, at[2]), offset(bias, at[3])
        rows, columns, padded, in_place = at[4], at[5], at[6], at[7]
        for deep in range(0, k, depth):
            end = min(deep + depth, k)
            if not in_place:
                for first in range(deep, end, kc):
                    terms = min(kc, end - first)
                    for j in range(0, columns, panel):
                        wide = min(panel, columns - j)
                        pack_lines(
                            offset(right_side, first * b_row + j * b_column), b_column, b_row, wide, width_of(wide), terms,
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
