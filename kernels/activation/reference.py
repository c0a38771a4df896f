"""The oracle: one element at a time, by the formulas of the contract, in float64. Slow and obvious."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from minigrad.core.device import Array, quiet
from minigrad.kernels.layout import empty_like_layout

Number = np.float64


def forward(x: Array, kind: str, *numbers: float) -> Array:
    """See the contract."""
    y = empty_like_layout(x)
    for place in np.ndindex(x.shape):
        with quiet():
            y[place] = VALUES[kind](Number(x[place]), *numbers)
    return y


def backward(dy: Array, saved: Array, kind: str, *numbers: float) -> Array:
    """See the contract."""
    dx = empty_like_layout(saved)
    for place in np.ndindex(dx.shape):
        with quiet():
            slope = dx.dtype.type(SLOPES[kind](Number(saved[place]), *numbers))  # too small for the dtype, it is 0
            closed = kind in ("relu", "hardtanh") and slope == 0
            dx[place] = 0 if closed else Number(slope) * Number(dy[place])
    return dx


def gate(x: Array, mask: Array, factor: float) -> Array:
    """See the contract."""
    y = empty_like_layout(x)
    for place in np.ndindex(x.shape):
        with quiet():
            y[place] = factor * Number(x[place]) if mask[place] else 0
    return y


def sigma(x: Number) -> Number:
    """σ(x)."""
    return 1 / (1 + np.exp(-x))


def phi(x: Number) -> float:
    """Φ(x), the probability that a normal number is below x."""
    return (1 + math.erf(x / math.sqrt(2))) / 2


def bend(x: Number) -> Number:
    """u of gelu_tanh."""
    return math.sqrt(2 / math.pi) * x * (1 + 0.044715 * x**2)


def gelu_tanh_slope(x: Number) -> Number:
    """The derivative of gelu_tanh."""
    t = np.tanh(bend(x))
    du = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x**2)
    return (1 + t) / 2 + x * (1 - t**2) * du / 2


def softplus(x: Number, beta: float, threshold: float) -> Number:
    """The smooth max(x, 0)."""
    return x if beta * x > threshold else np.logaddexp(0, beta * x) / beta


def elu(x: Number, alpha: float, scale: float, rate: float) -> Number:
    """Bent below 0."""
    return scale * x if x > 0 else scale * alpha * np.expm1(rate * x)


def elu_slope(x: Number, alpha: float, scale: float, rate: float) -> Number | float:
    """The derivative of elu."""
    return scale * alpha * rate * np.exp(rate * x) if x <= 0 else scale


VALUES: dict[str, Callable[..., Number]] = {
    "relu": lambda x: Number(0) if x < 0 else x,
    "hardtanh": lambda x, low, high: Number(low) if x < low else Number(high) if x > high else x,
    "leaky_relu": lambda x, slope: x if x > 0 else slope * x,
    "elu": elu,
    "softplus": softplus,
    "sigmoid": sigma,
    "tanh": np.tanh,
    "silu": lambda x: x * sigma(x),
    "gelu": lambda x: x * phi(x),
    "gelu_tanh": lambda x: x * (1 + np.tanh(bend(x))) / 2,
}
# The derivatives, of y where the contract says that y is saved.
SLOPES: dict[str, Callable[..., Number | float]] = {
    "relu": lambda y: 1 if y != 0 else 0,
    "hardtanh": lambda y, low, high: 0 if y <= low or y >= high else 1,
    "leaky_relu": lambda x, slope: 1 if x > 0 else slope,
    "elu": elu_slope,
    "softplus": lambda x, beta, threshold: 1 if beta * x > threshold else sigma(beta * x),
    "sigmoid": lambda y: y * (1 - y),
    "tanh": lambda y: 1 - y**2,
    "silu": lambda x: sigma(x) * (1 + x * (1 - sigma(x))),
    "gelu": lambda x: phi(x) + x * np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi),
    "gelu_tanh": gelu_tanh_slope,
}
