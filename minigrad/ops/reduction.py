"""Reductions: many elements to one. Sums and means, and what is made of them."""

from __future__ import annotations

import builtins
import math
from typing import Any

from minigrad.core.device import Array, array_module, quiet
from minigrad.core.dtypes import as_dtype, int64
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor
from minigrad.errors import DTypeError, ShapeError
from minigrad.ops.choice import Where
from minigrad.ops.dims import many_dims, sizes
from minigrad.ops.operands import cast, check_dtype

# ---------------------------------------------------------------------- sums and means


class Sum(Function):
    """y = sum of x over ``axes``;  dx = dy, spread over them."""

    def forward(ctx, x: Array, axes: tuple[int, ...], keepdim: bool) -> Array:
        ctx.shape, ctx.axes, ctx.keepdim = x.shape, axes, keepdim
        with quiet():
            return x.sum(axis=axes, keepdims=keepdim, dtype=x.dtype)

    def backward(ctx, dy: Tensor) -> Any:
        return Spread.apply(dy, ctx.shape, ctx.axes, ctx.keepdim), None, None


class Spread(Function):
    """y = x, repeated along ``axes`` to ``shape`` without copying;  dx = sum of dy over them. The transpose of ``Sum``."""

    def forward(ctx, x: Array, shape: tuple[int, ...], axes: tuple[int, ...], keepdim: bool) -> Array:
        ctx.axes, ctx.keepdim = axes, keepdim
        xp = array_module(x)
        if not keepdim:
            x = xp.expand_dims(x, axes)
        return xp.broadcast_to(x, shape)

    def backward(ctx, dy: Tensor) -> Any:
        return Sum.apply(dy, ctx.axes, ctx.keepdim), None, None, None


class Mean(Function):
    """y = mean of x over ``axes``;  dx = dy / count, spread over them."""

    def forward(ctx, x: Array, axes: tuple[int, ...], keepdim: bool) -> Array:
        ctx.shape, ctx.axes, ctx.keepdim = x.shape, axes, keepdim
        ctx.count = count_along(x.shape, axes)
        with quiet():
            if x.dtype.itemsize == 2:  # a sum of float16 overflows long before its mean
                return (x.sum(axis=axes, keepdims=keepdim, dtype="float32") / ctx.count).astype(x.dtype)
            return x.sum(axis=axes, keepdims=keepdim) / ctx.count

    def backward(ctx, dy: Tensor) -> Any:
        return Spread.apply(dy / ctx.count, ctx.shape, ctx.axes, ctx.keepdim), None, None


def count_along(shape: tuple[int, ...], axes: tuple[int, ...]) -> int:
    """How many elements become one in a reduction over ``axes``."""
    return math.prod([shape[axis] for axis in axes])


def sum(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The sum over dimensions ``dim``.

    Args:
        input: Tensor; integers and truth values sum to int64.
        dim: one dimension or several; all by default.
        keepdim: keep them with size 1.
        dtype: convert first.

    Raises:
        IndexingError: there is no such dimension.
        DTypeError: ``input`` is no Tensor.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([[1.0, 2.0], [3.0, 4.0]]).sum(dim=0)
        tensor([4., 6.])
    """
    x = _summand("sum", input, dtype)
    return Sum.apply(x, many_dims("sum", dim, x.array.ndim), keepdim)


def _summand(where: str, input: Tensor, dtype: Any) -> Tensor:
    """The input in the dtype in which sums and products are made: int64 for all integers."""
    if not isinstance(input, Tensor):
        raise DTypeError(where, "input", "a Tensor", type(input).__name__, "Wrap it in minigrad.tensor()")
    if dtype is None:
        return input if input.array.dtype.kind == "f" else cast(input, int64)
    return cast(input, as_dtype(where, dtype))


def mean(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The mean over dimensions ``dim``; nan where there is nothing. See ``sum``.

    Raises:
        DTypeError: ``input`` holds integers and no ``dtype`` is given.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([[1.0, 2.0], [3.0, 4.0]]).mean(dim=0)
        tensor([2., 3.])
    """
    x = input if dtype is None else cast(input, as_dtype("mean", dtype))
    check_dtype("mean", "input", x, "f", "Convert it with .float(), or pass dtype=")
    return Mean.apply(x, many_dims("mean", dim, x.array.ndim), keepdim)


def sum_to_size(input: Tensor, *size: Any) -> Tensor:
    """The sum over what broadcasting would repeat to come from ``size`` to the shape of ``input``.

    Raises:
        ShapeError: ``size`` does not broadcast to that shape.

    Example:
        >>> import minigrad
        >>> minigrad.ones(2, 3).sum_to_size(1, 3)
        tensor([[2., 2., 2.]])
    """
    shape = input.array.shape
    target = sizes("sum_to_size", size)
    lead = len(shape) - len(target)
    if lead < 0 or any(want not in (have, 1) for want, have in zip(target, shape[lead:], strict=True)):
        raise ShapeError("sum_to_size", "size", f"one that broadcasts to {tuple(shape)}", str(target))
    kept = tuple([lead + i for i, size in enumerate(target) if size == 1 and shape[lead + i] != 1])
    if kept:
        input = Sum.apply(input, kept, True)
    return Sum.apply(input, tuple(range(lead)), False) if lead else input


# ---------------------------------------------------------------------- variance


class Var(Function):
    """y = sum of (x - mean)^2 over ``axes``, by d = count - correction;  dx = 2 (x - mean) dy / d."""

    def forward(ctx, x: Array, axes: tuple[int, ...], divisor: int, keepdim: bool) -> Array:
        ctx.axes, ctx.divisor, ctx.keepdim = axes, divisor, keepdim
        ctx.save_for_backward(x)
        with quiet():
            offsets = x - x.mean(axis=axes, keepdims=True)
            offsets *= offsets
            squares = offsets.sum(axis=axes, keepdims=keepdim)
            return squares / divisor if divisor else array_module(x).divide(squares, 0)

    def backward(ctx, dy: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        offsets = x - Mean.apply(x, ctx.axes, True)
        factor = 2 / ctx.divisor if ctx.divisor else math.inf
        return offsets * Spread.apply(dy * factor, x.array.shape, ctx.axes, ctx.keepdim), None, None, None


class Root(Function):
    """y = sqrt(x);  dx = dy / (2 y), and 0 where y = 0: a spread of 0 cannot shrink, so its slope is taken as 0."""

    def forward(ctx, x: Array) -> Array:
        with quiet():
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


__all__ = ["mean", "std", "std_mean", "sum", "var", "var_mean"]
METHODS = ("mean", "std", "sum", "sum_to_size", "var")
