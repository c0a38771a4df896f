"""How far an implementation may be from the reference, function by function: multiples of the rounding of the terms added.

Statistics are sums in float64 of differences from a number near the mean; the rest is computed in the dtype of x. So the error
of y is some roundings of |w·n| + |b| + |residual|, that of a gradient some roundings of its three terms' absolute values, and
neither grows with |mean| / deviation but by float64's rounding. Where relu's gate is computed again from x, an element whose
sum is within its error of 0 may count or not.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigrad.core.device import Array

STEPS = 16.0  # roundings
WIDE = float(np.finfo(np.float64).eps)


def statistics(x: Array, groups: int, *, own: bool) -> tuple[Array, Array]:
    """Of mean and var."""
    table = _Table(x.shape, (x.shape[0] if own else 1, groups))
    wide = x.astype(np.float64)
    mean = table.mean(wide)
    far = np.abs(wide - table.spread(mean))
    deviation, farthest = table.mean(far), table.most(far)
    step, root = float(np.finfo(x.dtype).eps), table.count**0.5
    allowed = STEPS * (step * deviation + root * WIDE * (np.abs(mean) + farthest))
    return allowed, STEPS * (step * table.mean(far * far) + root * WIDE * farthest * farthest) + allowed * allowed


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
) -> tuple[Array]:
    """Of y. The rectifier makes no error larger."""
    _, allowed = _sum_and_bound(x, mean, var, w, b, eps)
    if residual is not None:
        allowed = allowed + STEPS * float(np.finfo(x.dtype).eps) * np.abs(residual)
    return (allowed,)


def gradients(
    dy: Array, x: Array, mean: Array, var: Array, w: Array | None, b: Array | None, *, eps: float, relu: bool
) -> tuple[Array, Array, Array]:
    """Of dx, dw and db."""
    unsure: Any = 0.0
    g = np.abs(dy).astype(np.float64)
    if relu:
        total, allowed = _sum_and_bound(x, mean, var, w, b, eps)
        unsure = g * (np.abs(total) <= allowed)
        g = g * ~(total < -allowed)  # the gate lets NaN pass
    return _gradients(g, unsure, x, mean, var, w, eps)


def residual_gradients(
    dy: Array, y: Array, x: Array, mean: Array, var: Array, w: Array | None, *, eps: float
) -> tuple[Any, ...]:
    """Of dx, dw and db; the residual's gradient is exact."""
    g = np.abs(np.where(y <= 0, 0, dy)).astype(np.float64)
    return *_gradients(g, 0.0, x, mean, var, w, eps), 0.0


def layer_forward(x: Array, w: Array | None, b: Array | None, *, eps: float) -> tuple[Array, Array, Array]:
    """Of y, mean and var."""
    image = x[:, None]  # (R, 1, K): each row a group of its own
    mean, var = statistics(image, 1, own=True)
    wide = image.astype(np.float64)
    middle = wide.mean(axis=2)
    spread = ((wide - middle[..., None]) ** 2).mean(axis=2)
    (allowed,) = normalize(image, middle, spread, None, None, None, eps=eps, relu=False)
    allowed = allowed + (mean / np.sqrt(spread + eps))[..., None]  # the mean's own error
    scale = 1.0 if w is None else np.abs(w)
    shift = 0.0 if b is None else STEPS * float(np.finfo(x.dtype).eps) * np.abs(b)
    return allowed[:, 0] * scale + shift, mean[:, 0], var[:, 0]


def layer_backward(dy: Array, x: Array, mean: Array, var: Array, w: Array | None, *, eps: float) -> tuple[Array, Array, Array]:
    """Of dx, dw and db."""
    image, scale = x[:, None], np.ones(x.shape[1]) if w is None else np.abs(w).astype(np.float64)
    g = np.abs(dy).astype(np.float64)[:, None]
    dx, _, _ = _gradients(g * scale, 0.0, image, mean[:, None], var[:, None], None, eps)
    step = STEPS * float(np.finfo(x.dtype).eps)
    far = np.abs(x.astype(np.float64) - mean[:, None]) + WIDE * np.abs(mean)[:, None]
    along = g[:, 0] * far / np.sqrt(var + eps)[:, None]
    root = max(1, len(x)) ** 0.5
    return dx[:, 0], step * root * along.sum(axis=0), step * root * g[:, 0].sum(axis=0)


class _Table:
    """Values for the groups of an (N, C, ...) array: how they spread over it, and what they are made from."""

    def __init__(self, shape: tuple[int, ...], statistics: tuple[int, ...]) -> None:
        self.shape, (self.blocks, self.groups) = shape, statistics
        self.size = shape[1] // self.groups
        self.count = max(1, int(np.prod(shape)) // (self.blocks * self.groups)) if self.blocks else 1

    def spread(self, values: Array) -> Array:
        return np.repeat(values, self.size, axis=1).reshape(values.shape[0], self.shape[1], *[1] * (len(self.shape) - 2))

    def _by_group(self, values: Array) -> Array:
        """(S, G, values of the group)."""
        rows = values.reshape(self.shape[0], self.groups, self.size * math.prod(self.shape[2:]))
        return rows if self.blocks != 1 else rows.transpose(1, 0, 2).reshape(1, self.groups, rows.shape[0] * rows.shape[2])

    def mean(self, values: Array) -> Array:
        return self._by_group(values).sum(axis=2) / np.float64(self.count)

    def most(self, values: Array) -> Array:
        return self._by_group(values).max(axis=2, initial=0)


def _sum_and_bound(x: Array, mean: Array, var: Array, w: Array | None, b: Array | None, eps: float) -> tuple[Array, Array]:
    """w·n + b, and how exact it is."""
    table = _Table(x.shape, mean.shape)
    rstd = table.spread(1 / np.sqrt(var + eps))
    scale, shift = (_column(each, default, x) for each, default in ((w, 1.0), (b, 0.0)))
    along = scale * (x - table.spread(mean)) * rstd
    step = STEPS * float(np.finfo(x.dtype).eps)
    allowed = step * (np.abs(along) + np.abs(shift)) + STEPS * WIDE * table.spread(np.abs(mean)) * rstd * np.abs(scale)
    return along + shift, allowed + float(np.finfo(x.dtype).tiny)


def _gradients(
    g: Array, unsure: Any, x: Array, mean: Array, var: Array, w: Array | None, eps: float
) -> tuple[Array, Array, Array]:
    """From |g|, and from what of it may or may not count."""
    table = _Table(x.shape, mean.shape)
    rstd = table.spread(1 / np.sqrt(var + eps))
    normal = (np.abs(x - table.spread(mean)) + WIDE * table.spread(np.abs(mean))) * rstd
    scale = np.abs(_column(w, 1.0, x))
    step = STEPS * float(np.finfo(x.dtype).eps) * table.count**0.25
    rough = step * g + unsure
    level, along = (table.spread(table.mean(scale * rough * each)) for each in (1.0, normal))
    pixels = (0, *range(2, x.ndim))
    tiny = float(np.finfo(x.dtype).tiny)
    dx = rstd * (scale * rough + level + normal * along) + tiny
    return dx, (rough * normal).sum(axis=pixels) + tiny, (rough + 0 * normal).sum(axis=pixels) + tiny


def _column(values: Array | None, default: float, x: Array) -> Any:
    """(C,) in float64, as it broadcasts over (N, C, ...)."""
    return default if values is None else values.astype(np.float64).reshape(-1, *[1] * (x.ndim - 2))
