"""The error function, its complement and its inverse."""

from __future__ import annotations

import math
from typing import Any

from minigrad.core.device import Array, special_functions
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor
from minigrad.ops.elementwise import Exp
from minigrad.ops.operands import to_float


class Erf(Function):
    """y = 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x;  dx = 2 / sqrt(pi) e^(-x^2) dy."""

    def forward(ctx, x: Array) -> Array:
        ctx.save_for_backward(x)
        return special_functions(x).erf(x).astype(x.dtype, copy=False)

    def backward(ctx, dy: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return dy * Exp.apply(-(x * x)) * (2 / math.sqrt(math.pi))


class Erfc(Function):
    """y = 1 - erf(x), accurate where that is small;  dx = -2 / sqrt(pi) e^(-x^2) dy."""

    def forward(ctx, x: Array) -> Array:
        ctx.save_for_backward(x)
        return special_functions(x).erfc(x).astype(x.dtype, copy=False)

    def backward(ctx, dy: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return dy * Exp.apply(-(x * x)) * (-2 / math.sqrt(math.pi))


class Erfinv(Function):
    """y with erf(y) = x;  dx = sqrt(pi) / 2 e^(y^2) dy."""

    def forward(ctx, x: Array) -> Array:
        y = special_functions(x).erfinv(x).astype(x.dtype, copy=False)
        ctx.save_for_backward(y)
        return y

    def backward(ctx, dy: Tensor) -> Any:
        (y,) = ctx.saved_tensors
        return dy * Exp.apply(y * y) * (math.sqrt(math.pi) / 2)


def erf(input: Tensor) -> Tensor:
    """The error function of each element. See ``exp``.

    Example:
        >>> import minigrad
        >>> minigrad.erf(minigrad.tensor([0.0, 1.0, -10.0]))
        tensor([ 0.0000,  0.8427, -1.0000])
    """
    return Erf.apply(to_float("erf", input))


def erfc(input: Tensor) -> Tensor:
    """``1 - erf(input)``, accurate where that is small. See ``exp``.

    Example:
        >>> import minigrad
        >>> minigrad.erfc(minigrad.tensor([0.0, 1.0]))
        tensor([1.0000, 0.1573])
    """
    return Erfc.apply(to_float("erfc", input))


def erfinv(input: Tensor) -> Tensor:
    """The inverse of ``erf``: infinite at 1 and -1, nan beyond. See ``exp``.

    Example:
        >>> import minigrad
        >>> minigrad.erfinv(minigrad.tensor([0.0, 0.5, 1.0]))
        tensor([0.0000, 0.4769,    inf])
    """
    return Erfinv.apply(to_float("erfinv", input))


__all__ = ["erf", "erfc", "erfinv"]
METHODS = tuple(__all__)
