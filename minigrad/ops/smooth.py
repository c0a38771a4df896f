"""Activation functions that bend: exponential and sigmoid units."""

from __future__ import annotations

import math
from typing import Any

from minigrad.core import tape
from minigrad.core.device import Array, array_module
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError, ShapeError
from minigrad.ops.activating import activated, brought_back
from minigrad.ops.activation import Gate, activate, in_place
from minigrad.ops.dims import one_dim
from minigrad.ops.elementwise import Exp, sigmoid
from minigrad.ops.trigonometry import tanh

SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


class Elu(Function):
    """y = scale x where x > 0, else scale alpha (e^(rate x) - 1).

    dx = scale alpha rate e^(rate x) dy where x <= 0, else scale dy.
    """

    def forward(ctx, x: Array, alpha: float, scale: float, rate: float) -> Array:
        ctx.alpha, ctx.scale, ctx.rate = alpha, scale, rate
        ctx.save_for_backward(x)
        return activated(x, "elu", alpha, scale, rate)

    def backward(ctx, dy: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        if not tape.mode.grad:
            return Tensor._wrap(brought_back(dy.array, x.array, "elu", ctx.alpha, ctx.scale, ctx.rate)), None, None, None
        below = x.array <= 0
        bend = Exp.apply(Gate.apply(x, below) * ctx.rate)  # 1 elsewhere, where it is gated away
        dx = Gate.apply(dy, below, ctx.scale * ctx.alpha * ctx.rate) * bend
        return Gate.apply(dy, ~below, ctx.scale) + dx, None, None, None


def _log1p_exp(x: Array) -> Array:
    """log(1 + e^x), for x of any size."""
    y = _log1p_exp_minus(x)
    y += array_module(x).maximum(x, 0)
    return y


def _log1p_exp_minus(x: Array) -> Array:
    """log(1 + e^-|x|), which no x makes overflow."""
    xp = array_module(x)
    y = xp.abs(x, out=xp.empty_like(x))
    xp.exp(xp.negative(y, out=y), out=y)
    return xp.log1p(y, out=y)


class Softplus(Function):
    """y = log(1 + e^(beta x)) / beta, and x where beta x > threshold;  dx = sigmoid(beta x) dy, and dy there."""

    def forward(ctx, x: Array, beta: float, threshold: float) -> Array:
        ctx.beta, ctx.threshold = beta, threshold
        ctx.save_for_backward(x)
        return activated(x, "softplus", beta, threshold)

    def backward(ctx, dy: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        if not tape.mode.grad:
            return Tensor._wrap(brought_back(dy.array, x.array, "softplus", ctx.beta, ctx.threshold)), None, None
        straight = x.array * ctx.beta > ctx.threshold
        bent = Gate.apply(dy, ~straight) * sigmoid(x * ctx.beta)
        return Gate.apply(dy, straight) + bent, None, None


class LogSigmoid(Function):
    """y = -log(1 + e^-x);  dx = sigmoid(-x) dy."""

    def forward(ctx, x: Array) -> Array:
        ctx.save_for_backward(x)
        xp = array_module(x)
        y = _log1p_exp_minus(x)
        return xp.subtract(xp.minimum(x, 0), y, out=y)

    def backward(ctx, dy: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return dy * sigmoid(-x)


class Silu(Function):
    """y = x s with s = sigmoid(x);  dx = s (1 + x (1 - s)) dy."""

    def forward(ctx, x: Array) -> Array:
        ctx.save_for_backward(x)
        return activated(x, "silu")

    def backward(ctx, dy: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        if not tape.mode.grad:
            return Tensor._wrap(brought_back(dy.array, x.array, "silu"))
        s = sigmoid(x)
        return dy * s * (1 + x * (1 - s))


class Mish(Function):
    """y = x t with t = tanh(log(1 + e^x));  dx = (t + x sigmoid(x) (1 - t²)) dy."""

    def forward(ctx, x: Array) -> Array:
        ctx.save_for_backward(x)
        y = _log1p_exp(x)
        array_module(x).tanh(y, out=y)
        y *= x
        return y

    def backward(ctx, dy: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        t = tanh(Softplus.apply(x, 1.0, math.inf))
        return dy * (t + x * sigmoid(x) * (1 - t * t))


class Gelu(Function):
    """y = x Φ(x) with Φ(x) = (1 + erf(x / √2)) / 2;  dx = (Φ(x) + x e^(-x²/2) / √(2π)) dy."""

    def forward(ctx, x: Array) -> Array:
        ctx.save_for_backward(x)
        return activated(x, "gelu")

    def backward(ctx, dy: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        if not tape.mode.grad:
            return Tensor._wrap(brought_back(dy.array, x.array, "gelu"))
        density = (x * x * -0.5).exp() * (1 / math.sqrt(2 * math.pi))
        return dy * ((x * math.sqrt(0.5)).erf() * 0.5 + 0.5 + x * density)


class GeluTanh(Function):
    """y = x (1 + t) / 2 with t = tanh(u), u = √(2/π) (x + 0.044715 x³);  dx = ((1 + t) / 2 + x (1 - t²) u' / 2) dy.

    Source: Hendrycks and Gimpel, "Gaussian Error Linear Units", section 2.
    """

    def forward(ctx, x: Array) -> Array:
        ctx.save_for_backward(x)
        return activated(x, "gelu_tanh")

    def backward(ctx, dy: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        if not tape.mode.grad:
            return Tensor._wrap(brought_back(dy.array, x.array, "gelu_tanh"))
        square = x * x
        t = tanh(x * (1 + 0.044715 * square) * math.sqrt(2 / math.pi))
        slope = (1 + 3 * 0.044715 * square) * math.sqrt(2 / math.pi)
        return dy * 0.5 * (1 + t + x * (1 - t * t) * slope)


# ---------------------------------------------------------------------- what the user calls


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """``input`` where it is above 0, ``alpha * (exp(input) - 1)`` elsewhere.

    Source: Clevert and others, "Fast and Accurate Deep Network Learning by Exponential Linear Units", equation 15.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.elu(minigrad.tensor([-1.0, 2.0]))
        tensor([-0.6321,  2.0000])
    """
    return activate("elu", Elu, input, alpha, 1.0, 1.0, inplace=inplace)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """``input`` where it is above 0, ``alpha * (exp(input / alpha) - 1)`` elsewhere.

    Raises:
        ArgumentError: ``alpha`` is 0.

    Example:
        >>> import minigrad
        >>> minigrad.celu(minigrad.tensor([-1.0, 2.0]), alpha=2.0)
        tensor([-0.7869,  2.0000])
    """
    if alpha == 0:
        raise ArgumentError("celu", "alpha", "a number other than 0", "0")
    return activate("celu", Elu, input, alpha, 1.0, 1.0 / alpha, inplace=inplace)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """``elu`` with the scales at which mean 0 and variance 1 are kept from layer to layer.

    Source: Klambauer and others, "Self-Normalizing Neural Networks", equation 2.

    Example:
        >>> import minigrad
        >>> minigrad.selu(minigrad.tensor([-1.0, 2.0]))
        tensor([-1.1113,  2.1014])
    """
    return activate("selu", Elu, input, SELU_ALPHA, SELU_SCALE, 1.0, inplace=inplace)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """``input`` times the probability that a normal number is below it.

    Args:
        input: Tensor.
        approximate: ``"none"``, or ``"tanh"`` for the formula with tanh.

    Raises:
        ArgumentError: another word.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.gelu(minigrad.tensor([-1.0, 2.0]))
        tensor([-0.1587,  1.9545])
    """
    if approximate not in ("none", "tanh"):
        raise ArgumentError("gelu", "approximate", "'none' or 'tanh'", repr(approximate))
    return activate("gelu", Gelu if approximate == "none" else GeluTanh, input)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """``input * sigmoid(input)``, also called swish.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.silu(minigrad.tensor([-1.0, 2.0]))
        tensor([-0.2689,  1.7616])
    """
    return activate("silu", Silu, input, inplace=inplace)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """``input * tanh(softplus(input))``.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.mish(minigrad.tensor([-1.0, 2.0]))
        tensor([-0.3034,  1.9440])
    """
    return activate("mish", Mish, input, inplace=inplace)


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """``log(1 + exp(beta * input)) / beta``; ``input`` itself where ``beta * input`` is above ``threshold``.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.softplus(minigrad.tensor([-1000.0, 1000.0]))
        tensor([   0., 1000.])
    """
    return activate("softplus", Softplus, input, beta, threshold)


def softsign(input: Tensor) -> Tensor:
    """``input / (1 + abs(input))``.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.softsign(minigrad.tensor([-1.0, 3.0]))
        tensor([-0.5000,  0.7500])
    """
    check_tensor("softsign", "input", input)
    return input / (input.abs() + 1)


def logsigmoid(input: Tensor) -> Tensor:
    """``log(sigmoid(input))``, for ``input`` of any size.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.logsigmoid(minigrad.tensor([-1000.0, -500.0]))
        tensor([-1000.,  -500.])
    """
    return activate("logsigmoid", LogSigmoid, input)


def tanhshrink(input: Tensor) -> Tensor:
    """``input - tanh(input)``.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.tanhshrink(minigrad.tensor([0.0, 2.0]))
        tensor([0.0000, 1.0360])
    """
    check_tensor("tanhshrink", "input", input)
    return input - tanh(input)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """The first half of ``input`` along ``dim``, times the sigmoid of the second.

    Raises:
        ShapeError: an odd size.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.glu(minigrad.tensor([4.0, 0.0]))
        tensor([2.])
    """
    shape = check_tensor("glu", "input", input).array.shape
    axis = one_dim("glu", dim, len(shape))
    if not shape or shape[axis] % 2:
        raise ShapeError("glu", "input", f"an even size in dimension {dim}", f"shape {shape}")
    value, gate = input.chunk(2, axis)
    return value * sigmoid(gate)


celu_ = in_place(celu)
elu_ = in_place(elu)
selu_ = in_place(selu)

__all__ = ["celu", "celu_", "selu", "selu_"]
FUNCTIONAL = (
    "celu",
    "celu_",
    "elu",
    "elu_",
    "gelu",
    "glu",
    "logsigmoid",
    "mish",
    "selu",
    "selu_",
    "sigmoid",
    "silu",
    "softplus",
    "softsign",
    "tanh",
    "tanhshrink",
)
METHODS = ()
