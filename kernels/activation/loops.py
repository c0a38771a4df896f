"""The compiled loops of ``cpu.py``, and what they do with an element.

A loop is written once and compiled for each function that it may apply. These are branch-free, so that it becomes vector code.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

from minigrad.kernels.native import (
    Bytes,
    Real,
    choose,
    erf,
    exp,
    exp_below,
    expm1,
    helper,
    kernel,
    real,
    share,
    sigmoid,
    softplus,
    tanh,
)

ROOT_HALF = 0.7071067811865476  # √½
DENSITY = 0.3989422804014327  # 1 / √(2π)
BEND = 0.7978845608028654  # √(2/π)
CUBIC = 0.044715

# ---------------------------------------------------------------------- functions of an element and three numbers


@helper
def relu(x, a, b, c):
    return choose(x < real(0.0), real(0.0), x)  # nan stays


@helper
def relu_back(dy, y, a, b, c):
    return choose(y != real(0.0), dy, real(0.0))


@helper
def hardtanh(x, low, high, c):
    value = choose(x < low, low, x)
    return choose(value > high, high, value)


@helper
def hardtanh_back(dy, y, low, high, c):
    return choose(y <= low, real(0.0), choose(y >= high, real(0.0), dy))


@helper
def leaky_relu(x, slope, b, c):
    return choose(x > real(0.0), x, x * slope)


@helper
def leaky_relu_back(dy, x, slope, b, c):
    return choose(x > real(0.0), dy, dy * slope)


@helper
def elu(x, alpha, scale, rate):
    return choose(x > real(0.0), x * scale, expm1(x * rate) * (scale * alpha))


@helper
def elu_back(dy, x, alpha, scale, rate):
    return choose(x <= real(0.0), dy * (scale * alpha * rate) * exp(x * rate), dy * scale)


@helper
def soft(x, beta, threshold, c):
    z = x * beta
    return choose(z > threshold, x, softplus(z) / beta)


@helper
def soft_back(dy, x, beta, threshold, c):
    z = x * beta
    return choose(z > threshold, dy, dy * sigmoid(z))


@helper
def logistic(x, a, b, c):
    return sigmoid(x)


@helper
def logistic_back(dy, y, a, b, c):
    return dy * (y * (real(1.0) - y))


@helper
def hyperbolic(x, a, b, c):
    return tanh(x)


@helper
def hyperbolic_back(dy, y, a, b, c):
    return dy * (real(1.0) - y * y)


@helper
def silu(x, a, b, c):
    return x * sigmoid(x)


@helper
def silu_back(dy, x, a, b, c):
    s = sigmoid(x)
    return dy * (s * (real(1.0) + x * (real(1.0) - s)))


@helper
def gelu(x, a, b, c):
    return x * (real(0.5) + real(0.5) * erf(x * real(ROOT_HALF)))


@helper
def gelu_back(dy, x, a, b, c):
    below = real(0.5) + real(0.5) * erf(x * real(ROOT_HALF))
    return dy * (below + x * (real(DENSITY) * exp_below(x * x * real(-0.5))))


@helper
def gelu_tanh(x, a, b, c):
    t = tanh(x * (real(BEND) + real(BEND * CUBIC) * (x * x)))
    return x * (real(0.5) + real(0.5) * t)


@helper
def gelu_tanh_back(dy, x, a, b, c):
    square = x * x
    t = tanh(x * (real(BEND) + real(BEND * CUBIC) * square))
    slope = real(BEND) + real(3.0 * BEND * CUBIC) * square
    return dy * (real(0.5) * (real(1.0) + t + x * (real(1.0) - t * t) * slope))


# ---------------------------------------------------------------------- loops


def _each(x: Real, y: Real, a: float, b: float, c: float, count: int, part: int, parts: int) -> None:
    start, stop = share(count, part, parts)
    p, q, r = real(a), real(b), real(c)
    for i in range(start, stop):
        y[i] = function(x[i], p, q, r)


def _each_back(dy: Real, saved: Real, dx: Real, a: float, b: float, c: float, count: int, part: int, parts: int) -> None:
    start, stop = share(count, part, parts)
    p, q, r = real(a), real(b), real(c)
    for i in range(start, stop):
        dx[i] = function(dy[i], saved[i], p, q, r)


@helper
def function(*values):
    """What stands in a loop until it is made a kernel by :func:`_over`."""


@kernel
def gate(x: Real, mask: Bytes, y: Real, factor: float, count: int, part: int, parts: int) -> None:
    start, stop = share(count, part, parts)
    f = real(factor)
    for i in range(start, stop):
        y[i] = choose(mask[i] != 0, x[i] * f, real(0.0))


def _over(loop: Callable[..., None], function: Any) -> Any:
    """The kernel that a loop is with a function in it."""
    made = FunctionType(loop.__code__, {**loop.__globals__, "function": function}, function.__name__)
    made.__annotations__ = loop.__annotations__
    made.__module__ = __name__
    return kernel(made)


FORWARD = {
    kind: _over(_each, function)
    for kind, function in {
        "relu": relu, "hardtanh": hardtanh, "leaky_relu": leaky_relu, "elu": elu,
        "softplus": soft, "sigmoid": logistic, "tanh": hyperbolic,
        "silu": silu, "gelu": gelu, "gelu_tanh": gelu_tanh,
    }.items()
}  # fmt: skip
BACKWARD = {
    kind: _over(_each_back, function)
    for kind, function in {
        "relu": relu_back, "hardtanh": hardtanh_back, "leaky_relu": leaky_relu_back, "elu": elu_back,
        "softplus": soft_back, "sigmoid": logistic_back,
        "tanh": hyperbolic_back, "silu": silu_back, "gelu": gelu_back, "gelu_tanh": gelu_tanh_back,
    }.items()
}  # fmt: skip
