"""Products with weights that stay: rearranged once, kept in a memo, for the few rows of one step after the other.

    C = b + A Wᵀ

Where the processor has a matrix unit, and there are rows enough for it, that multiplies (``split.py``), else the micro-kernel
from packed panels. Threads share the columns before the rows: so each reads a part of the weights only, and with few rows it is
their way to the processor that takes the time.
"""

from __future__ import annotations

import numpy as np

from minigrad.core.device import Array
from minigrad.kernels.native import Real, grid_for, kernel, offset, panel, share
from minigrad.kernels.native.target import target
from minigrad.kernels.recurrence import Memo
from minigrad.kernels.recurrent_loops import GAP, copy_row, packed, pitch_of, rows_times
from minigrad.kernels.split import split, split_product, usable

HEIGHT = 128  # rows at a time, which stay in the second-level cache
PANELS = 4  # that each part has at least


def kept_product(memo: Memo, name: str, weights: tuple[Array, ...], bias: Array, x: Array, h: Array | None = None) -> Array:
    """b + A Wᵀ, (rows, N): memory in C order, whose rows may be further apart than N.

    Args:
        memo: of these weights, under this name.
        weights: W (N, K), or two whose columns are side by side.
        bias: (N,).
        x: A (rows, K), or its first columns.
        h: its other columns.

    Example:
        >>> kept_product({}, "w", (np.ones((2, 3)),), np.zeros(2), np.ones((1, 3)))
        array([[3., 3.]])
    """
    if usable(*((x,) if h is None else (x, h))):
        pieces = split(memo, name, *weights)
        if pieces is not None:
            return split_product(pieces, bias, x, h)
    panels = memo.get(("packed", name))
    if panels is None:
        panels = packed(np.concatenate(weights, axis=1) if len(weights) > 1 else weights[0], True, memo, name)
    (rows, terms), columns, more = x.shape, len(bias), 0 if h is None else h.shape[1]
    wide = target().vectors * target().lanes(x.dtype.name)
    across, parts = grid_for(rows * columns * (terms + more) // 8, columns // (PANELS * wide), rows)
    c, size = np.empty((rows, columns), x.dtype), min(rows, HEIGHT) * pitch_of(terms + more)
    multiply(
        np.ascontiguousarray(x), terms, None if h is None else np.ascontiguousarray(h), more, panels,
        np.ascontiguousarray(bias), c, np.empty(parts * size, x.dtype), size, rows, columns, across, parts=parts,
    )  # fmt: skip
    return c


@kernel
def multiply(
    x: Real, terms: int, h: Real, more: int, weights: Real, bias: Real, c: Real, room: Real, room_size: int, rows: int, columns:
    int, across: int, part: int, parts: int,
) -> None:  # fmt: skip
    """C of a part's rows and panels. ``room`` has ``HEIGHT`` rows of A for each part."""
    start, stop = share(rows, part // across, parts // across)
    left, right = share((columns + panel - 1) // panel, part % across, across)
    first, length = left * panel, terms + more
    pitch, lines = length + GAP, offset(room, part * room_size)
    for band in range(start, stop, HEIGHT):
        height = min(HEIGHT, stop - band)
        for row in range(height):
            line = offset(lines, row * pitch)
            copy_row(offset(x, (band + row) * terms), line, terms)
            copy_row(offset(h, (band + row) * more), offset(line, terms), more)
        rows_times(
            height, lines, pitch, offset(weights, first * length), length, min(right * panel, columns) - first,
            offset(bias, first), 0, offset(c, band * columns + first), columns,
        )  # fmt: skip
