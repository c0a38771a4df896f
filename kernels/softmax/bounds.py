"""How far an implementation may be from the reference, function by function.

An exponent x − greatest is rounded once, by half of eps of its size, and so is e to its power: relatively by eps·|log p|.
Beside that stand some roundings of each term, and √K for a sum of K. Powers below the smallest normal number may be taken for
0.
"""

from __future__ import annotations

import numpy as np

from minigrad.core.device import Array

STEPS = 16.0  # roundings


def forward(x: Array, axis: int, *, zeros: bool) -> tuple[Array]:
    """Of y."""
    y, log_y = _softmax(x, axis)
    return (_step(x, x.shape[axis]) * y * (1 + np.abs(log_y)) + _tiny(x),)


def backward(dy: Array, y: Array, axis: int) -> tuple[Array]:
    """Of dx."""
    total = (y * np.abs(dy)).sum(axis=axis, keepdims=True, dtype=np.float64)
    return (_step(y, y.shape[axis]) * y * (np.abs(dy) + total) + _tiny(y),)


def log_forward(x: Array, axis: int) -> tuple[Array]:
    """Of y."""
    _, log_y = _softmax(x, axis)
    return (_step(x, x.shape[axis]) * (1 + np.abs(log_y)),)


def log_backward(dy: Array, y: Array, axis: int) -> tuple[Array]:
    """Of dx."""
    total = np.abs(dy).sum(axis=axis, keepdims=True, dtype=np.float64)
    p = np.exp(y.astype(np.float64))
    share = p * (1 + np.abs(np.where(p == 0, 0, y))) * total
    return (_step(y, y.shape[axis]) * (np.abs(dy) + share) + _tiny(y) * (1 + total),)


def cross_entropy_forward(x: Array, target: Array, w: Array | None, *, smoothing: float) -> tuple[Array, float, Array]:
    """Of the losses, the greatest (which are exact) and the log-sums."""
    _, log_y = _softmax(x, 1)
    far = 1 + np.abs(log_y)
    weights = np.ones(x.shape[1]) if w is None else np.abs(w)
    own = (weights * far)[np.arange(len(x)), np.maximum(target, 0)]  # rows that are left out have any number below 0
    step = _step(x, x.shape[1])
    even = 0.0 if not smoothing else (weights * far).sum(axis=1) * smoothing / x.shape[1]
    log_sum = np.abs(log_y).min(axis=1, initial=np.inf)
    return step * (own + even), 0.0, step * (1 + log_sum)


def cross_entropy_backward(
    dy: Array, x: Array, target: Array, w: Array | None, greatest: Array, log_sum: Array, *, smoothing: float
) -> tuple[Array]:
    """Of dx."""
    weights = np.ones(x.shape[1]) if w is None else np.abs(w).astype(np.float64)
    own = weights[np.maximum(target, 0)][:, None]
    even = smoothing / x.shape[1] * weights
    log_p = x - greatest[:, None].astype(np.float64) - log_sum[:, None]
    p = np.exp(log_p)
    share = p * (1 + np.abs(np.where(p == 0, 0, log_p))) * (own + even.sum())
    hit = own * (np.arange(x.shape[1]) == target[:, None])
    size = np.abs(dy)[:, None]
    return (_step(x, x.shape[1]) * size * (share + hit + even) + _tiny(x) * (1 + size * (own + even.sum())),)


def _softmax(x: Array, axis: int) -> tuple[Array, Array]:
    """Softmax in float64, and its logarithm, 0 where it underflows."""
    if not x.size:
        return x, x
    below = x.astype(np.float64) - x.max(axis=axis, keepdims=True)
    log_y = below - np.log(np.exp(below).sum(axis=axis, keepdims=True))
    y = np.exp(log_y)
    return y, np.where(y == 0, below, log_y) if np.isfinite(below).all() else np.where(np.isfinite(log_y), log_y, 0)


def _step(x: Array, terms: int) -> float:
    return (STEPS + float(terms) ** 0.5) * float(np.finfo(x.dtype).eps)


def _tiny(x: Array) -> float:
    return float(np.finfo(x.dtype).tiny)
