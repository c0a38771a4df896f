"""Angles and hyperbolas: sine, cosine, tangent, their inverses, and all six again in hyperbolic form. Angles are in radians."""

from __future__ import annotations

from typing import Any

from minigrad.core.device import Array, array_module
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor
from minigrad.ops.activating import activated, brought_back
from minigrad.ops.elementwise import Rsqrt
from minigrad.ops.operands import to_float


class Sin(Function):
    """y = sin x;  dx = cos x dy."""

    def forward(ctx, x: Array) -> Array:
        ctx.save_for_backward(x)
        return array_module(x).sin(x)

    def backward(ctx, dy: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return dy * Cos.apply(x)


class Cos(Function):
    """y = cos x;  dx = -sin x dy."""

    def forward(ctx, x: Array) -> Array:
        ctx.save_for_backward(x)
        return array_module(x).cos(x)

    def backward(ctx, dy: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return -(dy * Sin.apply(x))


class Tan(Function):
    """y = tan x;  dx = (1 + y^2) dy."""

    def forward(ctx, x: Array) -> Array:
        y = array_module(x).tan(x)
        ctx.save_for_backward(y)
        return y

    def backward(ctx, dy: Tensor) -> Any:
        (y,) = ctx.saved_tensors
        return dy * (y * y + 1)


class Asin(Function):
    """y = arcsin x;  dx = dy / sqrt(1 - x^2)."""

    def forward(ctx, x: Array) -> Array:
        ctx.save_for_backward(x)
        return array_module(x).arcsin(x)

    def backward(ctx, dy: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return dy * Rsqrt.apply(1 - x * x)


class Acos(Function):
    """y = arccos x;  dx = -dy / sqrt(1 - x^2)."""

    def forward(ctx, x: Array) -> Array:
        ctx.save_for_backward(x)
        return array_module(x).arccos(x)

    def backward(ctx, dy: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return -(dy * Rsqrt.apply(1 - x * x))


class Atan(Function):
    """y = arctan x;  dx = dy / (1 + x^2)."""

    def forward(ctx, x: Array) -> Array:
        ctx.save_for_backward(x)
        return array_module(x).arctan(x)

    def backward(ctx, dy: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return dy / (x * x + 1)


class Sinh(Function):
    """y = (e^x - e^-x) / 2;  dx = cosh x dy."""

    def forward(ctx, x: Array) -> Array:
        ctx.save_for_backward(x)
        return array_module(x).sinh(x)

    def backward(ctx, dy: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return dy * Cosh.apply(x)


class Cosh(Function):
    """y = (e^x + e^-x) / 2;  dx = sinh x dy."""

    def forward(ctx, x: Array) -> Array:
        ctx.save_for_backward(x)
        return array_module(x).cosh(x)

    def backward(ctx, dy: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return dy * Sinh.apply(x)


class Tanh(Function):
    """y = sinh x / cosh x;  dx = (1 - y^2) dy."""

    def forward(ctx, x: Array) -> Array:
        y = activated(x, "tanh")
        ctx.save_for_backward(y)
        return y

    def backward(ctx, dy: Tensor) -> Any:
        (y,) = ctx.saved_tensors
        return TanhGrad.apply(dy, y)


class TanhGrad(Function):
    """z = a (1 - y^2), the derivative of ``Tanh`` in one pass;  da = (1 - y^2) dz, dy = -2 a y dz."""

    def forward(ctx, a: Array, y: Array) -> Array:
        ctx.save_for_backward(a, y)
        return brought_back(a, y, "tanh")

    def backward(ctx, dz: Tensor) -> Any:
        a, y = ctx.saved_tensors
        need_a, need_y = ctx.needs_input_grad
        return TanhGrad.apply(dz, y) if need_a else None, dz * a * y * -2 if need_y else None


class Asinh(Function):
    """y = ln(x + sqrt(x^2 + 1));  dx = dy / sqrt(x^2 + 1)."""

    def forward(ctx, x: Array) -> Array:
        ctx.save_for_backward(x)
        return array_module(x).arcsinh(x)

    def backward(ctx, dy: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return dy * Rsqrt.apply(x * x + 1)


class Acosh(Function):
    """y = ln(x + sqrt(x^2 - 1));  dx = dy / sqrt(x^2 - 1)."""

    def forward(ctx, x: Array) -> Array:
        ctx.save_for_backward(x)
        return array_module(x).arccosh(x)

    def backward(ctx, dy: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return dy * Rsqrt.apply(x * x - 1)


class Atanh(Function):
    """y = ln((1 + x) / (1 - x)) / 2;  dx = dy / (1 - x^2)."""

    def forward(ctx, x: Array) -> Array:
        ctx.save_for_backward(x)
        return array_module(x).arctanh(x)

    def backward(ctx, dy: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return dy / (1 - x * x)


def sin(input: Tensor) -> Tensor:
    """The sine of each element.

    Args:
        input: Tensor of any shape, in radians; integers become the default float dtype.

    Raises:
        DTypeError: ``input`` is no Tensor.

    Example:
        >>> import math, minigrad
        >>> minigrad.sin(minigrad.tensor([0.0, math.pi / 2]))
        tensor([0., 1.])
    """
    return Sin.apply(to_float("sin", input))


def cos(input: Tensor) -> Tensor:
    """The cosine of each element. See ``sin``.

    Example:
        >>> import minigrad
        >>> minigrad.cos(minigrad.tensor([0.0]))
        tensor([1.])
    """
    return Cos.apply(to_float("cos", input))


def tan(input: Tensor) -> Tensor:
    """The tangent of each element. See ``sin``.

    Example:
        >>> import minigrad
        >>> minigrad.tan(minigrad.tensor([1.0]))
        tensor([1.5574])
    """
    return Tan.apply(to_float("tan", input))


def asin(input: Tensor) -> Tensor:
    """The angle between -pi/2 and pi/2 whose sine each element is; nan outside [-1, 1]. See ``sin``.

    Example:
        >>> import minigrad
        >>> minigrad.asin(minigrad.tensor([1.0, 2.0]))
        tensor([1.5708,    nan])
    """
    return Asin.apply(to_float("asin", input))


def acos(input: Tensor) -> Tensor:
    """The angle between 0 and pi whose cosine each element is; nan outside [-1, 1]. See ``sin``.

    Example:
        >>> import minigrad
        >>> minigrad.acos(minigrad.tensor([1.0, -1.0]))
        tensor([0.0000, 3.1416])
    """
    return Acos.apply(to_float("acos", input))


def atan(input: Tensor) -> Tensor:
    """The angle between -pi/2 and pi/2 whose tangent each element is. See ``sin``.

    Example:
        >>> import minigrad
        >>> minigrad.atan(minigrad.tensor([1.0]))
        tensor([0.7854])
    """
    return Atan.apply(to_float("atan", input))


def sinh(input: Tensor) -> Tensor:
    """The hyperbolic sine of each element. See ``sin``.

    Example:
        >>> import minigrad
        >>> minigrad.sinh(minigrad.tensor([1.0]))
        tensor([1.1752])
    """
    return Sinh.apply(to_float("sinh", input))


def cosh(input: Tensor) -> Tensor:
    """The hyperbolic cosine of each element. See ``sin``.

    Example:
        >>> import minigrad
        >>> minigrad.cosh(minigrad.tensor([1.0]))
        tensor([1.5431])
    """
    return Cosh.apply(to_float("cosh", input))


def tanh(input: Tensor) -> Tensor:
    """The hyperbolic tangent of each element. See ``sin``.

    Example:
        >>> import minigrad
        >>> minigrad.tanh(minigrad.tensor([0.0, 100.0]))
        tensor([0., 1.])
    """
    return Tanh.apply(to_float("tanh", input))


def asinh(input: Tensor) -> Tensor:
    """The inverse of ``sinh``. See ``sin``.

    Example:
        >>> import minigrad
        >>> minigrad.asinh(minigrad.tensor([1.0]))
        tensor([0.8814])
    """
    return Asinh.apply(to_float("asinh", input))


def acosh(input: Tensor) -> Tensor:
    """The inverse of ``cosh``: not negative, nan below 1. See ``sin``.

    Example:
        >>> import minigrad
        >>> minigrad.acosh(minigrad.tensor([1.0, 2.0]))
        tensor([0.0000, 1.3170])
    """
    return Acosh.apply(to_float("acosh", input))


def atanh(input: Tensor) -> Tensor:
    """The inverse of ``tanh``: infinite at 1 and -1, nan beyond. See ``sin``.

    Example:
        >>> import minigrad
        >>> minigrad.atanh(minigrad.tensor([0.5, 1.0]))
        tensor([0.5493,    inf])
    """
    return Atanh.apply(to_float("atanh", input))


arcsin, arccos, arctan, arcsinh, arccosh, arctanh = asin, acos, atan, asinh, acosh, atanh

__all__ = [
    "acos",
    "acosh",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctanh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "cos",
    "cosh",
    "sin",
    "sinh",
    "tan",
    "tanh",
]
FUNCTIONAL = ("tanh",)
METHODS = tuple(__all__)
