"""How far an implementation may be from the reference, function by function.

A value is a function of x that was rounded on its way some times by half of eps. Where the result is x times something between
0 and 1, that something may be off by some eps of 1, not of itself, so that the bound goes with |x|. Numbers below the smallest
normal one may be taken for 0.
"""

from __future__ import annotations

import numpy as np

from minigrad.core.device import Array

STEPS = 12.0  # roundings


def forward(x: Array, kind: str, *numbers: float) -> Array | float:
    """Of y."""
    size = np.minimum(np.abs(x.astype(np.float64)), np.finfo(x.dtype).max)
    if kind in ("relu", "hardtanh"):
        return 0.0
    if kind == "leaky_relu":
        return _step(x) * size * max(1.0, abs(numbers[0]))
    if kind == "elu":
        alpha, scale, _ = numbers
        return _step(x) * abs(scale) * (size + abs(alpha))
    if kind == "softplus":
        return _step(x) * (size + 1 / abs(numbers[0]))
    if kind == "sigmoid":
        return _step(x)
    return _step(x) * np.minimum(size, 1) if kind == "tanh" else _step(x) * size


def backward(dy: Array, saved: Array, kind: str, *numbers: float) -> Array | float:
    """Of dx."""
    size = np.minimum(np.abs(dy.astype(np.float64)), np.finfo(dy.dtype).max)
    if kind in ("relu", "hardtanh"):
        return 0.0
    if kind == "leaky_relu":
        return _step(dy) * size * max(1.0, abs(numbers[0]))
    if kind == "elu":
        alpha, scale, rate = numbers
        return _step(dy) * size * abs(scale) * (1 + abs(alpha * rate))
    return _step(dy) * size * 2


def gate(x: Array, mask: Array, factor: float) -> Array:
    """Of y."""
    return np.finfo(x.dtype).eps * np.abs(factor * np.minimum(np.abs(x.astype(np.float64)), np.finfo(x.dtype).max)) + _tiny(x)


def _step(x: Array) -> float:
    return STEPS * float(np.finfo(x.dtype).eps)


def _tiny(x: Array) -> float:
    return float(np.finfo(x.dtype).tiny)
