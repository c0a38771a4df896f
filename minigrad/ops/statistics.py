"""How far numbers lie apart: variance and standard deviation."""

from __future__ import annotations

import builtins
import math
from typing import Any

from minigrad.core.device import Array, array_module
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor
from minigrad.ops.choice import Where
from minigrad.ops.dims import many_dims
from minigrad.ops.operands import check_dtype
from minigrad.ops.reduction import Mean, Spread, count_along, mean_array


class Var(Function):
    """y = sum of (x - mean)^2 over ``axes``, by d = count - correction;  dx = 2 (x - mean) dy / d."""

    def forward(ctx, x: Array, axes: tuple[int, ...], divisor: int, keepdim: bool) -> Array:
        ctx.axes, ctx.divisor, ctx.keepdim = axes, divisor, keepdim
        ctx.save_for_backward(x)
        offsets = x - mean_array(x, axes, True, count_along(x.shape, axes))
        offsets *= offsets
        return mean_array(offsets, axes, keepdim, divisor)

    def backward(ctx, dy: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        offsets = x - Mean.apply(x, ctx.axes, True)
        factor = 2 / ctx.divisor if ctx.divisor else math.inf
        return offsets * Spread.apply(dy * factor, x.array.shape, ctx.axes, ctx.keepdim), None, None, None


class Root(Function):
    """y = sqrt(x);  dx = dy / (2 y), and 0 where y = 0: a spread of 0 cannot shrink, so its slope is taken as 0."""

    def forward(ctx, x: Array) -> Array:
        y = array_module(x).sqrt(x)
        ctx.save_for_backward(y)
        return y

    def backward(ctx, dy: Tensor) -> Any:
        (y,) = ctx.saved_tensors
        zero = Tensor._wrap(y.array == 0)
        return Where.apply(zero, 0.0, dy) / (Where.apply(zero, 1.0, y) * 2)


def var(
    input: Tensor, dim: Any = None, unbiased: bool = True, keepdim: bool = False, *, correction: int | None = None
) -> Tensor:
    """The variance over dimensions ``dim``: the mean squared distance from the mean.

    Args:
        input: float Tensor.
        dim: one dimension or several; all by default.
        unbiased: divide by the number of elements less 1, not by the number.
        keepdim: keep the dimensions with size 1.
        correction: divide by the number of elements less this, in place of ``unbiased``. Where nothing is left, nan or inf.

    Raises:
        DTypeError: ``input`` holds no floats.

    Example:
        >>> import minigrad
        >>> minigrad.var(minigrad.tensor([1.0, 3.0]), correction=0)
        tensor(1.)
    """
    return _variance("var", input, dim, unbiased, keepdim, correction)[0]


def _variance(where: str, input: Tensor, dim: Any, unbiased: Any, keepdim: bool, correction: Any) -> tuple[Tensor, tuple]:
    if isinstance(dim, builtins.bool):  # PyTorch's var(input, unbiased)
        dim, unbiased = None, dim
    check_dtype(where, "input", input, "f", "Convert it with .float()")
    axes = many_dims(where, dim, input.array.ndim)
    if correction is None:
        correction = 1 if unbiased else 0
    divisor = builtins.max(count_along(input.array.shape, axes) - correction, 0)
    return Var.apply(input, axes, divisor, keepdim), axes


def std(
    input: Tensor, dim: Any = None, unbiased: bool = True, keepdim: bool = False, *, correction: int | None = None
) -> Tensor:
    """The standard deviation over dimensions ``dim``: the root of the variance, its derivative 0 at 0. See ``var``.

    Example:
        >>> import minigrad
        >>> minigrad.std(minigrad.tensor([1.0, 5.0]), correction=0)
        tensor(2.)
    """
    return Root.apply(_variance("std", input, dim, unbiased, keepdim, correction)[0])


def var_mean(
    input: Tensor, dim: Any = None, unbiased: bool = True, keepdim: bool = False, *, correction: int | None = None
) -> tuple[Tensor, Tensor]:
    """The variance and the mean. See ``var``.

    Example:
        >>> import minigrad
        >>> minigrad.var_mean(minigrad.tensor([1.0, 3.0]), correction=0)
        (tensor(1.), tensor(2.))
    """
    variance, axes = _variance("var_mean", input, dim, unbiased, keepdim, correction)
    return variance, Mean.apply(input, axes, keepdim)


def std_mean(
    input: Tensor, dim: Any = None, unbiased: bool = True, keepdim: bool = False, *, correction: int | None = None
) -> tuple[Tensor, Tensor]:
    """The standard deviation and the mean. See ``var``.

    Example:
        >>> import minigrad
        >>> minigrad.std_mean(minigrad.tensor([1.0, 5.0]), correction=0)
        (tensor(2.), tensor(3.))
    """
    variance, axes = _variance("std_mean", input, dim, unbiased, keepdim, correction)
    return Root.apply(variance), Mean.apply(input, axes, keepdim)


__all__ = ["std", "std_mean", "var", "var_mean"]
METHODS = ("std", "var")
