"""Softmax by NumPy's passes over all rows of a block at once, on any array module.

Why it is faster than the loops of the reference: a pass over a block of rows is one loop in C. Cross entropy takes rows in
blocks that stay in the cache over its four passes, so that nothing of the size of x goes through memory but x, and dx on the
way back.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module

BLOCK = {"cpu": 1 << 18, "cuda": 1 << 28}  # elements of a block of cross entropy


def forward(x: Array, axis: int, *, zeros: bool) -> Array:
    """See the contract."""
    xp = array_module(x)
    y = xp.empty_like(x)
    if x.size:
        top = x.max(axis=axis, keepdims=True)
        xp.subtract(x, xp.where(top == -np.inf, 0, top).astype(x.dtype) if zeros else top, out=y)
        xp.exp(y, out=y)
        total = y.sum(axis=axis, keepdims=True)
        y /= xp.where(total == 0, 1, total).astype(x.dtype) if zeros else total
    return y


def backward(dy: Array, y: Array, axis: int) -> Array:
    """See the contract."""
    xp = array_module(y)
    dx = xp.multiply(dy, y, out=xp.empty_like(y))
    total = dx.sum(axis=axis, keepdims=True)
    xp.subtract(dy, total, out=dx)
    dx *= y
    return dx


def log_forward(x: Array, axis: int) -> Array:
    """See the contract."""
    xp = array_module(x)
    y = xp.empty_like(x)
    if x.size:
        xp.subtract(x, x.max(axis=axis, keepdims=True), out=y)
        y -= xp.log(xp.exp(y).sum(axis=axis, keepdims=True))
    return y


def log_backward(dy: Array, y: Array, axis: int) -> Array:
    """See the contract."""
    xp = array_module(y)
    dx = xp.exp(y, out=xp.empty_like(y))
    dx *= -dy.sum(axis=axis, keepdims=True)
    dx += dy
    return dx


def cross_entropy_forward(x: Array, target: Array, w: Array | None, *, smoothing: float) -> tuple[Array, Array, Array]:
    """See the contract."""
    xp, (rows, classes) = array_module(x), x.shape
    y, greatest, log_sum = xp.empty((3, rows), x.dtype)
    total: Any = float(classes)
    if w is not None:
        total = w.sum(dtype=np.float64)
        total = float(total) if xp is np else total.astype(x.dtype)  # of a GPU's the host would wait for the number
    for part in _blocks(x):
        t = xp.maximum(target[part], 0)  # the row of a number below 0 is left out, whatever the number
        greatest[part] = x[part].max(axis=1)
        below = x[part] - greatest[part][:, None]
        near = below[xp.arange(len(t)), t]
        if smoothing:
            far = below.sum(axis=1) if w is None else below @ w
        log_sum[part] = xp.log(xp.exp(below, out=below).sum(axis=1))
        loss = log_sum[part] - near
        if w is not None:
            loss *= w[t]
        if smoothing:
            loss = loss * (1 - smoothing) + (log_sum[part] * total - far) * (smoothing / classes)
        y[part] = xp.where(target[part] >= 0, loss, 0)
    return y, greatest, log_sum


def cross_entropy_backward(
    dy: Array, x: Array, target: Array, w: Array | None, greatest: Array, log_sum: Array, *, smoothing: float
) -> Array:
    """See the contract."""
    xp, classes = array_module(x), x.shape[1]
    dx = xp.empty(x.shape, x.dtype)
    kept, target = target >= 0, xp.maximum(target, 0)
    own = (1 - smoothing) * dy if w is None else (1 - smoothing) * (w[target] * dy)
    even = smoothing / classes * (xp.ones(classes, x.dtype) if w is None else w)
    spread = own + dy * even.sum(dtype=x.dtype)
    for part in _blocks(x):
        z = xp.subtract(x[part], greatest[part][:, None], out=dx[part])
        z -= log_sum[part][:, None]
        xp.exp(z, out=z)
        z *= spread[part][:, None]
        if smoothing:
            z -= dy[part][:, None] * even
        z[xp.arange(len(z)), target[part]] -= own[part]
        if xp is not np:  # to ask whether there are any would wait for the GPU
            xp.copyto(z, 0, where=~kept[part][:, None])
        elif not bool(kept[part].all()):
            z[~kept[part]] = 0
    return dx


def _blocks(x: Array) -> list[slice]:
    room = max(1, BLOCK["cpu" if type(x) is np.ndarray else "cuda"] // x.shape[1])
    return [slice(start, start + room) for start in range(0, x.shape[0], room)]
