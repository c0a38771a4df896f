"""Reductions: many elements to one. Sums and means, and what is made of them."""

from __future__ import annotations

import builtins
import math
from typing import Any

from minigrad.core.device import Array, array_module
from minigrad.core.dtypes import as_dtype, int64, uint8
from minigrad.core.sums import total
from minigrad.core.tape import Function, mode
from minigrad.core.tensor import Tensor
from minigrad.errors import DTypeError, ShapeError
from minigrad.ops.choice import Where
from minigrad.ops.dims import many_dims, sizes
from minigrad.ops.elementwise import Exp
from minigrad.ops.operands import cast, check_dtype, seen_as, to_float

# ---------------------------------------------------------------------- sums and means


class Sum(Function):
    """y = sum of x over ``axes``;  dx = dy, spread over them."""

    def forward(ctx, x: Array, axes: tuple[int, ...], keepdim: bool) -> Array:
        ctx.shape, ctx.axes, ctx.keepdim = x.shape, axes, keepdim
        return total(x, axes, keepdim, x.dtype)

    def backward(ctx, dy: Tensor) -> Any:
        if mode.direct:
            return seen_as(dy, spread_array(dy.array, ctx.shape, ctx.axes, ctx.keepdim)), None, None
        return Spread.apply(dy, ctx.shape, ctx.axes, ctx.keepdim), None, None


class Spread(Function):
    """y = x, repeated along ``axes`` to ``shape`` without copying;  dx = sum of dy over them. The transpose of ``Sum``."""

    def forward(ctx, x: Array, shape: tuple[int, ...], axes: tuple[int, ...], keepdim: bool) -> Array:
        ctx.axes, ctx.keepdim = axes, keepdim
        return spread_array(x, shape, axes, keepdim)

    def backward(ctx, dy: Tensor) -> Any:
        return Sum.apply(dy, ctx.axes, ctx.keepdim), None, None, None


def spread_array(x: Array, shape: tuple[int, ...], axes: tuple[int, ...], keepdim: bool) -> Array:
    """``x``, repeated along ``axes`` to ``shape`` without copying; nothing may be written into it."""
    if not keepdim:
        x = x.reshape([1 if axis in axes else size for axis, size in enumerate(shape)])
    return array_module(x).broadcast_to(x, shape)


class Mean(Function):
    """y = mean of x over ``axes``;  dx = dy / count, spread over them."""

    def forward(ctx, x: Array, axes: tuple[int, ...], keepdim: bool) -> Array:
        ctx.shape, ctx.axes, ctx.keepdim = x.shape, axes, keepdim
        ctx.count = count_along(x.shape, axes)
        return mean_array(x, axes, keepdim, ctx.count)

    def backward(ctx, dy: Tensor) -> Any:
        if mode.direct:
            each = array_module(dy.array).asarray(dy.array / ctx.count)
            return Tensor._wrap(spread_array(each, ctx.shape, ctx.axes, ctx.keepdim)), None, None
        return Spread.apply(dy / ctx.count, ctx.shape, ctx.axes, ctx.keepdim), None, None


def mean_array(x: Array, axes: tuple[int, ...], keepdim: bool, count: int) -> Array:
    """The mean of an array over ``axes``, which hold ``count`` elements."""
    if x.dtype.itemsize == 2:  # a sum of float16 overflows long before its mean
        return (total(x, axes, keepdim, "float32") / count).astype(x.dtype)
    return total(x, axes, keepdim) / count


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
    x = summand("sum", input, dtype)
    return Sum.apply(x, many_dims("sum", dim, x.array.ndim), keepdim)


def summand(where: str, input: Tensor, dtype: Any) -> Tensor:
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
    if lead < 0 or builtins.any(want not in (have, 1) for want, have in zip(target, shape[lead:], strict=True)):
        raise ShapeError("sum_to_size", "size", f"one that broadcasts to {tuple(shape)}", str(target))
    kept = tuple([lead + i for i, size in enumerate(target) if size == 1 and shape[lead + i] != 1])
    if (kept or lead) and input.array.dtype.kind != "f":
        input = cast(input, int64)  # as in sum: narrower integers would run over
    if kept:
        input = Sum.apply(input, kept, True)
    return Sum.apply(input, tuple(range(lead)), False) if lead else input


def nansum(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The sum of what is not nan. See ``sum``.

    Example:
        >>> import minigrad
        >>> minigrad.nansum(minigrad.tensor([1.0, float("nan"), 2.0]))
        tensor(3.)
    """
    x = check_dtype("nansum", "input", input, "biuf")
    if x.array.dtype.kind == "f":
        x = Where.apply(Tensor._wrap(array_module(x.array).isnan(x.array)), 0.0, x)
    return sum(x, dim, keepdim, dtype=dtype)


def nanmean(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The mean of what is not nan. See ``mean``.

    Example:
        >>> import minigrad
        >>> minigrad.nanmean(minigrad.tensor([1.0, float("nan"), 2.0]))
        tensor(1.5000)
    """
    x = check_dtype("nanmean", "input", input, "f", "Convert it with .float()")
    counted = ~array_module(x.array).isnan(x.array)
    counts = counted.sum(axis=many_dims("nanmean", dim, x.array.ndim), keepdims=keepdim)
    total = nansum(x, dim, keepdim, dtype=dtype)
    return total / Tensor._wrap(counts.astype(total.array.dtype))


# ---------------------------------------------------------------------- truth values


class AnyOf(Function):
    """y = whether one x at least is not 0 over ``axes``."""

    def forward(ctx, x: Array, axes: tuple[int, ...], keepdim: bool) -> Array:
        return x.any(axis=axes, keepdims=keepdim)


class AllOf(Function):
    """y = whether no x is 0 over ``axes``."""

    def forward(ctx, x: Array, axes: tuple[int, ...], keepdim: bool) -> Array:
        return x.all(axis=axes, keepdims=keepdim)


class CountNonzero(Function):
    """y = how many x are not 0 over ``axes``."""

    def forward(ctx, x: Array, axes: tuple[int, ...]) -> Array:
        return (x != 0).sum(axis=axes, dtype=int64)


def any(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Whether one element at least is not 0 over dimensions ``dim``.

    Args:
        input: Tensor.
        dim: one dimension or several; all by default; none for ``()``, as in PyTorch (where ``sum`` then takes all).
        keepdim: keep them with size 1.

    Returns:
        A Tensor of truth values; of uint8 for uint8.

    Raises:
        IndexingError: there is no such dimension.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([[False, True], [False, False]]).any(dim=1)
        tensor([ True, False])
    """
    return _truth("any", AnyOf, input, dim, keepdim)


def all(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Whether no element is 0 over dimensions ``dim``. See ``any``.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([[True, True], [False, True]]).all(dim=1)
        tensor([ True, False])
    """
    return _truth("all", AllOf, input, dim, keepdim)


def _truth(where: str, function: type[Function], input: Tensor, dim: Any, keepdim: bool) -> Tensor:
    x = check_dtype(where, "input", input, "biuf")
    none = isinstance(dim, (tuple, list)) and not dim
    found = function.apply(x, () if none else many_dims(where, dim, x.array.ndim), keepdim)
    return cast(found, uint8) if x.array.dtype.kind == "u" else found


def count_nonzero(input: Tensor, dim: Any = None) -> Tensor:
    """How many elements are not 0, over dimensions ``dim`` or all.

    Example:
        >>> import minigrad
        >>> minigrad.count_nonzero(minigrad.tensor([0, 2, 3]))
        tensor(2)
    """
    x = check_dtype("count_nonzero", "input", input, "biuf")
    return CountNonzero.apply(x, many_dims("count_nonzero", dim, x.array.ndim))


# ---------------------------------------------------------------------- sums of exponentials


class LogSumExp(Function):
    """y = ln of the sum of e^x over ``axes``;  dx = e^(x - y) dy, and 0 where all x are -inf."""

    def forward(ctx, x: Array, axes: tuple[int, ...], keepdim: bool) -> Array:
        xp = array_module(x)
        ctx.axes, ctx.keepdim = axes, keepdim
        if count_along(x.shape, axes):
            largest = x.max(axis=axes, keepdims=True)
            largest = xp.where(xp.isfinite(largest), largest, 0.0)
            powers = xp.exp(x - largest)
        else:
            largest, powers = xp.zeros((), dtype=x.dtype), x
        y = xp.log(powers.sum(axis=axes, keepdims=True)) + largest
        y = y if keepdim else y.squeeze(axes)
        ctx.save_for_backward(x, y)
        return y

    def backward(ctx, dy: Tensor) -> Any:
        x, y = ctx.saved_tensors
        shape = x.array.shape
        settled = Where.apply(Tensor._wrap(y.array == -math.inf), 0.0, y)
        weights = Exp.apply(x - Spread.apply(settled, shape, ctx.axes, ctx.keepdim))
        return weights * Spread.apply(dy, shape, ctx.axes, ctx.keepdim), None, None


def logsumexp(input: Tensor, dim: Any, keepdim: bool = False) -> Tensor:
    """``log(sum(exp(input)))`` over dimensions ``dim``, without overflow; -inf, with derivative 0, where all are -inf.

    Args:
        input: Tensor; integers become the default float dtype.
        dim: one dimension or several.
        keepdim: keep them with size 1.

    Raises:
        IndexingError: there is no such dimension.
        DTypeError: ``input`` is no Tensor.

    Example:
        >>> import minigrad
        >>> minigrad.logsumexp(minigrad.tensor([0.0, 0.0]), dim=0)
        tensor(0.6931)
    """
    x = to_float("logsumexp", input)
    return LogSumExp.apply(x, many_dims("logsumexp", dim, x.array.ndim), keepdim)


__all__ = [
    "all",
    "any",
    "count_nonzero",
    "logsumexp",
    "mean",
    "nanmean",
    "nansum",
    "sum",
]
METHODS = ("all", "any", "count_nonzero", "logsumexp", "mean", "nanmean", "nansum", "sum", "sum_to_size")
