"""The formulas over whole arrays, on any device.

Why it is faster than ``reference.py``: an operation of NumPy's goes over all elements in a compiled loop, which takes a vector
of them at a time, so that Python is met once for an operation, not once for an element. Operations write into the result where
they can (``out=``), which saves the memory of a new array for each. Boolean masks are multiplied rather than branched on.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module, quiet, special_functions
from minigrad.kernels.layout import empty_like_layout

_BITS = {size: np.dtype(f"i{size}") for size in (2, 4, 8)}


def forward(x: Array, kind: str, *numbers: float) -> Array:
    """See the contract."""
    with quiet():
        y: Array = _FORWARD[kind](array_module(x), x, empty_like_layout(x), *numbers)
    return y


def backward(dy: Array, saved: Array, kind: str, *numbers: float) -> Array:
    """See the contract."""
    with quiet():
        dx: Array = _BACKWARD[kind](array_module(saved), dy, saved, empty_like_layout(saved), *numbers)
    return dx


def gate(x: Array, mask: Array, factor: float) -> Array:
    """See the contract. Multiplying by truth values takes a tenth of the time of ``where``, which branches.

    It is the bits of x that are multiplied, as whole numbers: 0 times infinity is NaN, but 0 times its bits is 0.
    """
    y = _open(array_module(x), x, mask, empty_like_layout(x))
    if factor != 1.0:
        with quiet():
            y *= factor
    return y


def _open(xp: Any, x: Array, mask: Array, y: Array) -> Array:
    bits = _BITS[x.dtype.itemsize]
    xp.multiply(x.view(bits), mask, out=y.view(bits))
    return y


# ---------------------------------------------------------------------- with corners


def _relu(xp: Any, x: Array, y: Array) -> Array:
    return xp.maximum(x, 0, out=y)


def _relu_back(xp: Any, dy: Array, saved: Array, dx: Array) -> Array:
    return _open(xp, dy, saved != 0, dx)


def _hardtanh(xp: Any, x: Array, y: Array, low: float, high: float) -> Array:
    return xp.minimum(xp.maximum(x, low, out=y), high, out=y)


def _hardtanh_back(xp: Any, dy: Array, saved: Array, dx: Array, low: float, high: float) -> Array:
    return _open(xp, dy, ~((saved <= low) | (saved >= high)), dx)


def _leaky_relu(xp: Any, x: Array, y: Array, slope: float) -> Array:
    xp.minimum(x, 0, out=y)
    y *= slope
    y += xp.maximum(x, 0)  # one of the two is 0, so that the sum is exact
    return y


def _leaky_relu_back(xp: Any, dy: Array, x: Array, dx: Array, slope: float) -> Array:
    above = x > 0
    _open(xp, dy, ~above, dx)
    dx *= slope
    dx += _open(xp, dy, above, xp.empty_like(dx))
    return dx


# ---------------------------------------------------------------------- exponentials


def _elu(xp: Any, x: Array, y: Array, alpha: float, scale: float, rate: float) -> Array:
    xp.minimum(x, 0, out=y)
    y *= rate
    xp.expm1(y, out=y)
    y *= scale * alpha
    y += xp.maximum(x, 0) * scale
    return y


def _elu_back(xp: Any, dy: Array, x: Array, dx: Array, alpha: float, scale: float, rate: float) -> Array:
    below = x <= 0
    bend = xp.fmin(x, 0, out=xp.empty_like(dx))  # finite above 0 and at nan too, where it is gated away
    bend *= rate
    xp.exp(bend, out=bend)
    _open(xp, dy, below, dx)
    dx *= scale * alpha * rate
    dx *= bend
    _open(xp, dy, ~below, bend)
    bend *= scale
    dx += bend
    return dx


def _softplus(xp: Any, x: Array, y: Array, beta: float, threshold: float) -> Array:
    z = x * beta
    straight = z > threshold
    xp.abs(z, out=y)
    xp.exp(xp.negative(y, out=y), out=y)
    xp.log1p(y, out=y)
    y += xp.maximum(z, 0)
    y /= beta
    xp.copyto(y, x, where=straight)
    return y


def _softplus_back(xp: Any, dy: Array, x: Array, dx: Array, beta: float, threshold: float) -> Array:
    z = x * beta
    straight = z > threshold
    _sigmoid(xp, z, dx)
    dx *= dy
    xp.copyto(dx, dy, where=straight)
    return dx


def _sigmoid(xp: Any, x: Array, y: Array) -> Array:
    xp.exp(xp.negative(x, out=y), out=y)
    y += 1
    return xp.reciprocal(y, out=y)


def _sigmoid_back(xp: Any, dy: Array, y: Array, dx: Array) -> Array:
    xp.subtract(1, y, out=dx)
    dx *= y
    dx *= dy
    return dx


def _tanh(xp: Any, x: Array, y: Array) -> Array:
    return xp.tanh(x, out=y)


def _tanh_back(xp: Any, dy: Array, y: Array, dx: Array) -> Array:
    xp.multiply(y, y, out=dx)
    xp.subtract(1, dx, out=dx)
    dx *= dy
    return dx


# ---------------------------------------------------------------------- x times something between 0 and 1


def _silu(xp: Any, x: Array, y: Array) -> Array:
    _sigmoid(xp, x, y)
    y *= x
    return y


def _silu_back(xp: Any, dy: Array, x: Array, dx: Array) -> Array:
    s = _sigmoid(xp, x, xp.empty_like(dx))
    xp.subtract(1, s, out=dx)
    dx *= x
    dx += 1
    dx *= s
    dx *= dy
    return dx


def _below(xp: Any, x: Array, y: Array) -> Array:
    """Φ(x) into y."""
    xp.multiply(x, math.sqrt(0.5), out=y)
    special_functions(x).erf(y, out=y)
    y += 1
    y *= 0.5
    return y


def _gelu(xp: Any, x: Array, y: Array) -> Array:
    _below(xp, x, y)
    y *= x
    return y


def _gelu_back(xp: Any, dy: Array, x: Array, dx: Array) -> Array:
    density = xp.multiply(x, x, out=xp.empty_like(dx))
    density *= -0.5
    xp.exp(density, out=density)
    density *= 1 / math.sqrt(2 * math.pi)
    density *= x
    _below(xp, x, dx)
    dx += density
    dx *= dy
    return dx


def _bend(xp: Any, x: Array, y: Array) -> Array:
    """t = tanh(u) into y."""
    xp.square(x, out=y)
    y *= 0.044715
    y += 1
    y *= x
    y *= math.sqrt(2 / math.pi)
    return xp.tanh(y, out=y)


def _gelu_tanh(xp: Any, x: Array, y: Array) -> Array:
    _bend(xp, x, y)
    y += 1
    y *= x
    y *= 0.5
    return y


def _gelu_tanh_back(xp: Any, dy: Array, x: Array, dx: Array) -> Array:
    t = _bend(xp, x, xp.empty_like(dx))
    slope = xp.square(x, out=xp.empty_like(dx))
    slope *= 3 * 0.044715
    slope += 1
    slope *= math.sqrt(2 / math.pi)
    xp.multiply(t, t, out=dx)
    xp.subtract(1, dx, out=dx)
    dx *= x
    dx *= slope
    dx += t
    dx += 1
    dx *= 0.5
    dx *= dy
    return dx


_FORWARD: dict[str, Any] = {
    "relu": _relu,
    "hardtanh": _hardtanh,
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "softplus": _softplus,
    "sigmoid": _sigmoid,
    "tanh": _tanh,
    "silu": _silu,
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
}
_BACKWARD: dict[str, Any] = {
    "relu": _relu_back,
    "hardtanh": _hardtanh_back,
    "leaky_relu": _leaky_relu_back,
    "elu": _elu_back,
    "softplus": _softplus_back,
    "sigmoid": _sigmoid_back,
    "tanh": _tanh_back,
    "silu": _silu_back,
    "gelu": _gelu_back,
    "gelu_tanh": _gelu_tanh_back,
}
