"""Functions of one element: exponentials, logarithms, roots and the logistic function.

Integers give the default float dtype, as in PyTorch. Where the value serves its own derivative (exp, sqrt, tanh ...), the
value is what is kept.
"""

from __future__ import annotations

import math
from typing import Any

from minigrad.core.device import Array, array_module
from minigrad.core.tape import Function, mode
from minigrad.core.tensor import Tensor
from minigrad.ops.activating import activated, brought_back
from minigrad.ops.arithmetic import times_array
from minigrad.ops.choice import Where
from minigrad.ops.operands import to_float

# ---------------------------------------------------------------------- exponentials and logarithms


class Exp(Function):
    """y = e^x;  dx = y dy."""

    def forward(ctx, x: Array) -> Array:
        y = array_module(x).exp(x)
        ctx.save_for_backward(y)
        return y

    def backward(ctx, dy: Tensor) -> Any:
        (y,) = ctx.saved_tensors
        return times_array(dy, y) if mode.direct else dy * y


class Exp2(Function):
    """y = 2^x;  dx = ln 2 y dy."""

    def forward(ctx, x: Array) -> Array:
        y = array_module(x).exp2(x)
        ctx.save_for_backward(y)
        return y

    def backward(ctx, dy: Tensor) -> Any:
        (y,) = ctx.saved_tensors
        return dy * y * math.log(2)


class Expm1(Function):
    """y = e^x - 1;  dx = (y + 1) dy."""

    def forward(ctx, x: Array) -> Array:
        y = array_module(x).expm1(x)
        ctx.save_for_backward(y)
        return y

    def backward(ctx, dy: Tensor) -> Any:
        (y,) = ctx.saved_tensors
        return dy * (y + 1)


class Log(Function):
    """y = ln x;  dx = dy / x."""

    def forward(ctx, x: Array) -> Array:
        ctx.save_for_backward(x)
        return array_module(x).log(x)

    def backward(ctx, dy: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return Tensor._wrap(dy.array / x.array) if mode.direct else dy / x


class Log1p(Function):
    """y = ln(1 + x);  dx = dy / (1 + x)."""

    def forward(ctx, x: Array) -> Array:
        ctx.save_for_backward(x)
        return array_module(x).log1p(x)

    def backward(ctx, dy: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return dy / (x + 1)


class Log2(Function):
    """y = ln x / ln 2;  dx = dy / (x ln 2)."""

    def forward(ctx, x: Array) -> Array:
        ctx.save_for_backward(x)
        return array_module(x).log2(x)

    def backward(ctx, dy: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return dy / (x * math.log(2))


class Log10(Function):
    """y = ln x / ln 10;  dx = dy / (x ln 10)."""

    def forward(ctx, x: Array) -> Array:
        ctx.save_for_backward(x)
        return array_module(x).log10(x)

    def backward(ctx, dy: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return dy / (x * math.log(10))


def exp(input: Tensor) -> Tensor:
    """The exponential of each element.

    Args:
        input: Tensor of any shape; integers become the default float dtype.

    Raises:
        DTypeError: ``input`` is no Tensor.

    Example:
        >>> import minigrad
        >>> minigrad.exp(minigrad.tensor([0.0, 1.0]))
        tensor([1.0000, 2.7183])
    """
    return Exp.apply(to_float("exp", input))


def exp2(input: Tensor) -> Tensor:
    """Two to the power of each element. See ``exp``.

    Example:
        >>> import minigrad
        >>> minigrad.exp2(minigrad.tensor([0, 3]))
        tensor([1., 8.])
    """
    return Exp2.apply(to_float("exp2", input))


def expm1(input: Tensor) -> Tensor:
    """``exp(input) - 1``, accurate near 0. See ``exp``.

    Example:
        >>> import minigrad
        >>> minigrad.expm1(minigrad.tensor([1e-12], dtype=minigrad.float64)).item()
        1.0000000000005e-12
    """
    return Expm1.apply(to_float("expm1", input))


def log(input: Tensor) -> Tensor:
    """The natural logarithm of each element: -inf at 0, nan below. See ``exp``.

    Example:
        >>> import minigrad
        >>> minigrad.log(minigrad.tensor([1.0, 0.0, -1.0]))
        tensor([0., -inf, nan])
    """
    return Log.apply(to_float("log", input))


def log1p(input: Tensor) -> Tensor:
    """``log(1 + input)``, accurate near 0. See ``exp``.

    Example:
        >>> import minigrad
        >>> minigrad.log1p(minigrad.tensor([0.0, -1.0]))
        tensor([0., -inf])
    """
    return Log1p.apply(to_float("log1p", input))


def log2(input: Tensor) -> Tensor:
    """The logarithm to base 2 of each element. See ``exp``.

    Example:
        >>> import minigrad
        >>> minigrad.log2(minigrad.tensor([1, 8]))
        tensor([0., 3.])
    """
    return Log2.apply(to_float("log2", input))


def log10(input: Tensor) -> Tensor:
    """The logarithm to base 10 of each element. See ``exp``.

    Example:
        >>> import minigrad
        >>> minigrad.log10(minigrad.tensor([1, 50]))
        tensor([0.0000, 1.6990])
    """
    return Log10.apply(to_float("log10", input))


# ---------------------------------------------------------------------- roots


class Sqrt(Function):
    """y = sqrt(x);  dx = dy / (2 y)."""

    def forward(ctx, x: Array) -> Array:
        y = array_module(x).sqrt(x)
        ctx.save_for_backward(y)
        return y

    def backward(ctx, dy: Tensor) -> Any:
        (y,) = ctx.saved_tensors
        return dy / (y * 2)


class Rsqrt(Function):
    """y = 1 / sqrt(x);  dx = -y^3 dy / 2."""

    def forward(ctx, x: Array) -> Array:
        y = 1 / array_module(x).sqrt(x)
        ctx.save_for_backward(y)
        return y

    def backward(ctx, dy: Tensor) -> Any:
        (y,) = ctx.saved_tensors
        return dy * (y * y * y) * -0.5


class Reciprocal(Function):
    """y = 1 / x;  dx = -y^2 dy."""

    def forward(ctx, x: Array) -> Array:
        y = 1 / x
        ctx.save_for_backward(y)
        return y

    def backward(ctx, dy: Tensor) -> Any:
        (y,) = ctx.saved_tensors
        return -(dy * (y * y))


def sqrt(input: Tensor) -> Tensor:
    """The square root of each element: nan below 0. See ``exp``.

    Example:
        >>> import minigrad
        >>> minigrad.sqrt(minigrad.tensor([4.0, -1.0]))
        tensor([2., nan])
    """
    return Sqrt.apply(to_float("sqrt", input))


def rsqrt(input: Tensor) -> Tensor:
    """``1 / sqrt(input)``. See ``exp``.

    Example:
        >>> import minigrad
        >>> minigrad.rsqrt(minigrad.tensor([4.0, 0.0]))
        tensor([0.5000,    inf])
    """
    return Rsqrt.apply(to_float("rsqrt", input))


def reciprocal(input: Tensor) -> Tensor:
    """``1 / input``. See ``exp``.

    Example:
        >>> import minigrad
        >>> minigrad.reciprocal(minigrad.tensor([4, 2]))
        tensor([0.2500, 0.5000])
    """
    return Reciprocal.apply(to_float("reciprocal", input))


# ---------------------------------------------------------------------- the logistic function


class Sigmoid(Function):
    """y = 1 / (1 + e^-x);  dx = y (1 - y) dy."""

    def forward(ctx, x: Array) -> Array:
        y = activated(x, "sigmoid")
        ctx.save_for_backward(y)
        return y

    def backward(ctx, dy: Tensor) -> Any:
        (y,) = ctx.saved_tensors
        return SigmoidGrad.apply(dy, y)


class SigmoidGrad(Function):
    """z = a y (1 - y), the derivative of ``Sigmoid`` in one pass;  da = y (1 - y) dz, dy = a (1 - 2 y) dz."""

    def forward(ctx, a: Array, y: Array) -> Array:
        ctx.save_for_backward(a, y)
        return brought_back(a, y, "sigmoid")

    def backward(ctx, dz: Tensor) -> Any:
        a, y = ctx.saved_tensors
        need_a, need_y = ctx.needs_input_grad
        return SigmoidGrad.apply(dz, y) if need_a else None, dz * a * (1 - 2 * y) if need_y else None


class Logit(Function):
    """y = ln(x / (1 - x));  dx = dy / (x (1 - x)), nan outside [0, 1] as y is."""

    def forward(ctx, x: Array) -> Array:
        ctx.save_for_backward(x)
        return array_module(x).log(x / (1 - x))

    def backward(ctx, dy: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        outside = Tensor._wrap((x.array < 0) | (x.array > 1))
        return Where.apply(outside, math.nan, dy / (x * (1 - x)))


def sigmoid(input: Tensor) -> Tensor:
    """The logistic function ``1 / (1 + exp(-input))``. See ``exp``.

    Example:
        >>> import minigrad
        >>> minigrad.sigmoid(minigrad.tensor([0.0, -1000.0]))
        tensor([0.5000, 0.0000])
    """
    return Sigmoid.apply(to_float("sigmoid", input))


def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """The inverse of ``sigmoid``: ``log(input / (1 - input))``.

    Args:
        input: Tensor of numbers between 0 and 1; nan outside.
        eps: first move them into ``[eps, 1 - eps]``, where the derivative is then 0.

    Raises:
        DTypeError: ``input`` is no Tensor.

    Example:
        >>> import minigrad
        >>> minigrad.logit(minigrad.tensor([0.5, 0.0]), eps=0.1)
        tensor([ 0.0000, -2.1972])
    """
    x = to_float("logit", input)
    if eps is not None:
        x = x.clamp(eps, 1 - eps)
    return Logit.apply(x)


__all__ = [
    "exp",
    "exp2",
    "expm1",
    "log",
    "log1p",
    "log2",
    "log10",
    "logit",
    "reciprocal",
    "rsqrt",
    "sigmoid",
    "sqrt",
]
FUNCTIONAL = ("sigmoid",)
METHODS = tuple(__all__)
