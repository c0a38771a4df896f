"""Sums for each channel of an image: what bias gradients and batch statistics are made of."""

from __future__ import annotations

from typing import Any

from minigrad.core.device import Array, array_module
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor
from minigrad.ops.reduction import Spread

_ROWS = 256  # summed in one go; the sums of these blocks are summed again, so that rounding grows with the root of the count


def channel_rows(x: Array) -> Array | None:
    """An (N, C, ...) array as rows of channels (N·..., C), without a copy; ``None`` if memory does not lie so."""
    rows = x if x.ndim == 2 else array_module(x).moveaxis(x, 1, -1)
    return rows.reshape(-1, x.shape[1]) if rows.flags.c_contiguous and x.shape[1] else None


def sum_rows(rows: Array) -> Array:
    """The sum over the first of two axes: products with ones, which BLAS makes many times faster than ``sum``."""
    xp, (count, columns) = array_module(rows), rows.shape
    whole = count // _ROWS
    ones = xp.ones(_ROWS, rows.dtype)
    total = xp.matmul(ones[: count - whole * _ROWS], rows[whole * _ROWS :])
    if whole:
        blocks = xp.matmul(ones, rows[: whole * _ROWS].reshape(whole, _ROWS, columns))
        total = total + (blocks.sum(axis=0) if whole <= _ROWS else sum_rows(blocks))
    return total


def channel_sum(x: Array) -> Array:
    """The sum of an (N, C, ...) array over all axes but the channels: (C,)."""
    rows = channel_rows(x)
    return x.sum(axis=(0, *range(2, x.ndim)), dtype=x.dtype) if rows is None else sum_rows(rows)


class ChannelSum(Function):
    """y[c] = Σ x[n, c, ...] over all else;  dx[n, c, ...] = dy[c]."""

    def forward(ctx, x: Array) -> Array:
        ctx.shape = x.shape
        return channel_sum(x)

    def backward(ctx, dy: Tensor) -> Any:
        return Spread.apply(dy, ctx.shape, (0, *range(2, len(ctx.shape))), False)
