"""The oracle: the contract's formulas in float64, one group of one sample, or one row, at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from minigrad.core.device import Array

Place = tuple[int, int]


def statistics(x: Array, groups: int, *, own: bool) -> tuple[Array, Array]:
    """See the contract."""
    mean, var = np.empty((2, x.shape[0] if own else 1, groups))
    for place, part in _groups(x.shape, mean.shape):
        values = x[part].astype(np.float64)
        mean[place], var[place] = _moments(values)
    return mean, var


def normalize(
    x: Array,
    mean: Array,
    var: Array,
    w: Array | None,
    b: Array | None,
    residual: Array | None,
    *,
    eps: float,
    relu: bool,
) -> Array:
    """See the contract."""
    y = _before_relu(x, mean, var, w, b, eps)
    if residual is not None:
        y = y + residual
    if relu:
        y = np.where(y <= 0, 0, y)
    return _laid(y, x.dtype)


def gradients(
    dy: Array, x: Array, mean: Array, var: Array, w: Array | None, b: Array | None, *, eps: float, relu: bool
) -> tuple[Array, Array, Array]:
    """See the contract."""
    g = np.where(_before_relu(x, mean, var, w, b, eps) <= 0, 0, dy) if relu else dy
    return _gradients(g.astype(np.float64), x, mean, var, w, eps)


def residual_gradients(
    dy: Array, y: Array, x: Array, mean: Array, var: Array, w: Array | None, *, eps: float
) -> tuple[Array, Array, Array, Array]:
    """See the contract."""
    g = np.where(y <= 0, 0, dy)
    return *_gradients(g.astype(np.float64), x, mean, var, w, eps), _laid(g, x.dtype)


def layer_forward(x: Array, w: Array | None, b: Array | None, *, eps: float) -> tuple[Array, Array, Array]:
    """See the contract."""
    rows, size = x.shape
    y, mean, var = np.empty(x.shape, x.dtype), np.empty(rows), np.empty(rows)
    scale, shift = _scale(w, size), _shift(b, size)
    for row in range(rows):
        values = x[row].astype(np.float64)
        mean[row], var[row] = _moments(values)
        y[row] = scale * (values - mean[row]) / np.sqrt(var[row] + eps) + shift
    return y, mean, var


def layer_backward(dy: Array, x: Array, mean: Array, var: Array, w: Array | None, *, eps: float) -> tuple[Array, Array, Array]:
    """See the contract."""
    rows, size = x.shape
    dx, dw, db = np.empty(x.shape, x.dtype), np.zeros(size), np.zeros(size)
    scale = _scale(w, size)
    for row in range(rows):
        rstd = 1 / np.sqrt(var[row] + eps)
        normal = (x[row].astype(np.float64) - mean[row]) * rstd
        g = scale * dy[row]
        dx[row] = rstd * (g - g.mean() - normal * (g * normal).mean())
        dw += dy[row] * normal
        db += dy[row]
    return dx, dw.astype(x.dtype), db.astype(x.dtype)


def _groups(shape: tuple[int, ...], statistics: tuple[int, ...]) -> Iterator[tuple[Place, tuple[slice, slice]]]:
    """Each (s, g), and the samples and channels that belong to it."""
    blocks, groups = statistics
    size = shape[1] // groups
    for s in range(blocks):
        samples = slice(None) if blocks == 1 else slice(s, s + 1)
        for g in range(groups):
            yield (s, g), (samples, slice(g * size, (g + 1) * size))


def _moments(values: Array) -> tuple[float, float]:
    count = np.float64(values.size)
    mean = values.sum() / count
    return mean, ((values - mean) ** 2).sum() / count


def _before_relu(x: Array, mean: Array, var: Array, w: Array | None, b: Array | None, eps: float) -> Array:
    """w·n + b in float64."""
    y = np.empty(x.shape)
    scale, shift = _scale(w, x.shape[1]), _shift(b, x.shape[1])
    for place, part in _groups(x.shape, mean.shape):
        normal = (x[part] - mean[place]) / np.sqrt(var[place] + eps)
        y[part] = _column(scale[part[1]], x.ndim) * normal + _column(shift[part[1]], x.ndim)
    return y


def _gradients(g: Array, x: Array, mean: Array, var: Array, w: Array | None, eps: float) -> tuple[Array, Array, Array]:
    dx, dw, db = np.empty(x.shape), np.zeros(x.shape[1]), np.zeros(x.shape[1])
    scale = _scale(w, x.shape[1])
    pixels = (0, *range(2, x.ndim))
    for place, part in _groups(x.shape, mean.shape):
        rstd = 1 / np.sqrt(var[place] + eps)
        normal = (x[part] - mean[place]) * rstd
        weighted = _column(scale[part[1]], x.ndim) * g[part]
        count = np.float64(normal.size)
        dx[part] = rstd * (weighted - weighted.sum() / count - normal * ((weighted * normal).sum() / count))
        dw[part[1]] += (g[part] * normal).sum(axis=pixels)
        db[part[1]] += g[part].sum(axis=pixels)
    return _laid(dx, x.dtype), dw.astype(x.dtype), db.astype(x.dtype)


def _scale(w: Array | None, channels: int) -> Array:
    return np.ones(channels) if w is None else w.astype(np.float64)


def _shift(b: Array | None, channels: int) -> Array:
    return np.zeros(channels) if b is None else b.astype(np.float64)


def _column(values: Array, ndim: int) -> Array:
    """(C,) as (C, 1, ...), which broadcasts over (N, C, ...)."""
    return values.reshape(-1, *[1] * (ndim - 2))


def _laid(y: Array, dtype: np.dtype) -> Array:
    """The numbers in a dtype, channels-last in memory."""
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(y, 1, -1), dtype), -1, 1)
