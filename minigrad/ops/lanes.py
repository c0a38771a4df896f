"""An image seen as a table whose rows broadcast with one value for each channel: what normalization works on.

NumPy's loops run along the last axis of memory. With channels last that axis is short, so several pixels make one row of the
table, and the values of the channels are repeated as often.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from minigrad.core.device import Array, array_module
from minigrad.core.sums import total

_ROW = 1024  # elements of a row, if the number of pixels allows it


class Lanes(NamedTuple):
    """The table of an (N, C, ...) array, and values for its channels: (1, C), or (N, C) where each sample has its own.

    Channels last, the table is (1 or N, rows, repeats · C); channels first, (N, C, pixels).
    """

    shape: tuple[int, int, int]
    repeats: int  # 0: channels first
    own: bool  # each sample has its own values

    def table(self, x: Array) -> Array:
        """The array as the table: a view."""
        if self.repeats and x.ndim > 2:
            x = array_module(x).moveaxis(x, 1, -1)
        return x.reshape(self.shape)

    def spread(self, values: Array) -> Array:
        """Values of channels in a shape that broadcasts with the table."""
        if not self.repeats:
            return values[:, :, None]
        return array_module(values).tile(values, (1, self.repeats))[:, None]

    def sums(self, table: Array) -> Array:
        """The sum of the table over the pixels of each channel."""
        if not self.repeats:
            each = table.sum(axis=2, dtype=table.dtype)
            return each if self.own else each.sum(axis=0, keepdims=True)
        if self.own:
            ones = array_module(table).ones(self.shape[1], table.dtype)
            each = array_module(table).matmul(ones, table)
        else:
            each = total(table, (0, 1))
        return each.reshape(self.shape[0], self.repeats, self.shape[2] // self.repeats).sum(axis=1)


def lanes(x: Array, own: bool) -> tuple[Array, Lanes]:
    """The array, copied if it lies with gaps or in another order, and how to see it as a table."""
    xp, (n, c) = array_module(x), x.shape[:2]
    pixels = math.prod(x.shape[2:])
    last = x.ndim == 2 or xp.moveaxis(x, 1, -1).flags.c_contiguous
    if not last or not c:
        return xp.ascontiguousarray(x), Lanes((n, c, pixels), 0, own)
    samples, rows = (n, pixels) if own else (1, n * pixels)
    repeats = 1
    while rows % (2 * repeats) == 0 and 2 * repeats * c <= _ROW and rows:
        repeats *= 2
    if x.ndim == 2:
        x = xp.ascontiguousarray(x)
    return x, Lanes((samples, rows // repeats, repeats * c), repeats, own)


def laid_like(x: Array, pattern: Array) -> Array:
    """The array in the memory order of another of its shape; itself if it lies so."""
    if x.strides == pattern.strides:
        return x
    y = array_module(x).empty_like(pattern)
    y[...] = x
    return y
