"""The oracle: the contract's formulas in float64, one row at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from minigrad.core.device import Array


def forward(x: Array, axis: int, *, zeros: bool) -> Array:
    """See the contract."""
    y = np.empty_like(x)
    for x_row, y_row in _rows(axis, x, y):
        powers = np.exp(x_row.astype(np.float64) - _greatest(x_row))
        y_row[...] = 0 if zeros and (x_row == -np.inf).all() else powers / powers.sum()
    return y


def backward(dy: Array, y: Array, axis: int) -> Array:
    """See the contract."""
    dx = np.empty_like(y)
    for dy_row, y_row, dx_row in _rows(axis, dy, y, dx):
        wide, p = dy_row.astype(np.float64), y_row.astype(np.float64)
        dx_row[...] = p * (wide - (p * wide).sum())
    return dx


def log_forward(x: Array, axis: int) -> Array:
    """See the contract."""
    y = np.empty_like(x)
    for x_row, y_row in _rows(axis, x, y):
        below = x_row.astype(np.float64) - _greatest(x_row)
        y_row[...] = below - np.log(np.exp(below).sum())
    return y


def log_backward(dy: Array, y: Array, axis: int) -> Array:
    """See the contract."""
    dx = np.empty_like(y)
    for dy_row, y_row, dx_row in _rows(axis, dy, y, dx):
        wide = dy_row.astype(np.float64)
        dx_row[...] = wide - np.exp(y_row.astype(np.float64)) * wide.sum()
    return dx


def cross_entropy_forward(x: Array, target: Array, w: Array | None, *, smoothing: float) -> tuple[Array, Array, Array]:
    """See the contract."""
    y, greatest, log_sum = np.zeros((3, len(x)), x.dtype)
    weights, classes = _weights(w, x), x.shape[1]
    for row, t in enumerate(target):
        greatest[row] = x[row].max()
        below = x[row].astype(np.float64) - x[row].max()
        wide_sum = np.log(np.exp(below).sum())
        log_sum[row] = wide_sum
        if t >= 0:
            y[row] = (1 - smoothing) * weights[t] * (wide_sum - below[t])
            if smoothing:
                y[row] += smoothing / classes * (weights * (wide_sum - below)).sum()
    return y, greatest, log_sum


def cross_entropy_backward(
    dy: Array, x: Array, target: Array, w: Array | None, greatest: Array, log_sum: Array, *, smoothing: float
) -> Array:
    """See the contract."""
    dx = np.zeros(x.shape, x.dtype)
    weights, classes = _weights(w, x), x.shape[1]
    for row, t in enumerate(target):
        if t >= 0:
            p = np.exp((x[row].astype(np.float64) - greatest[row]) - log_sum[row])
            own = (1 - smoothing) * weights[t]
            slope = p * (own + smoothing * weights.sum() / classes) - smoothing / classes * weights
            slope[t] -= own
            dx[row] = dy[row] * slope
    return dx


def _rows(axis: int, *arrays: Array) -> Iterator[tuple[Array, ...]]:
    """The arrays' values along the axis, at each place of the others: views."""
    moved = [np.moveaxis(each, axis, -1) for each in arrays]
    if moved[0].shape[-1]:
        for place in np.ndindex(*moved[0].shape[:-1]):
            yield tuple([each[place] for each in moved])


def _greatest(row: Array) -> float:
    return row.max().astype(np.float64)


def _weights(w: Array | None, x: Array) -> Array:
    return np.ones(x.shape[1]) if w is None else w.astype(np.float64)
