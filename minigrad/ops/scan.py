"""Running sums, products and extremes along a dimension, the product as a whole, and differences of neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor
from minigrad.errors import ArgumentError, ShapeError
from minigrad.ops.dims import one_dim
from minigrad.ops.extrema import ValuesAndIndices
from minigrad.ops.operands import check_dtype, promote
from minigrad.ops.parts import cat
from minigrad.ops.reduction import Spread, summand

# ---------------------------------------------------------------------- running sums


class CumSum(Function):
    """y_i = x_1 + ... + x_i along ``axis`` (``back``: x_i + ... + x_n);  dx = the same of dy from the other end."""

    def forward(ctx, x: Array, axis: int, back: bool) -> Array:
        ctx.axis, ctx.back = axis, back
        return _running(x, "cumsum", axis, back)

    def backward(ctx, dy: Tensor) -> Any:
        return CumSum.apply(dy, ctx.axis, not ctx.back), None, None


def _running(x: Array, method: str, axis: int, back: bool) -> Array:
    if not x.ndim:
        return x.copy()
    if not back:
        return getattr(x, method)(axis=axis, dtype=x.dtype)
    xp = array_module(x)
    return xp.flip(getattr(xp.flip(x, axis), method)(axis=axis, dtype=x.dtype), axis)


def cumsum(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """The running sum along ``dim``.

    Args:
        input: Tensor; integers and truth values sum to int64.
        dim: the dimension.
        dtype: convert first.

    Raises:
        IndexingError: there is no such dimension.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([1.0, 2.0, 3.0]).cumsum(dim=0)
        tensor([1., 3., 6.])
    """
    x = summand("cumsum", input, dtype)
    return CumSum.apply(x, one_dim("cumsum", dim, x.array.ndim), False)


# ---------------------------------------------------------------------- products


class CumProd(Function):
    """y_i = x_1 ... x_i along ``axis`` (``back``: x_i ... x_n);  dx_k = sum of dy_i y_i / x_k over the i that x_k entered.

    Where x has a 0, that quotient has none: with a_k = dy_k + x_(k+1) a_(k+1), from the end, dx_k = y_(k-1) a_k.
    """

    def forward(ctx, x: Array, axis: int, back: bool) -> Array:
        ctx.axis, ctx.back = axis, back
        y = _running(x, "cumprod", axis, back)
        ctx.save_for_backward(x, y)
        return y

    def backward(ctx, dy: Tensor) -> Any:
        x, y = ctx.saved_tensors
        axis, back = ctx.axis, ctx.back
        if not x.array.ndim:
            return dy, None, None
        if _no_zero(x.array):
            return CumSum.apply(dy * y, axis, not back) / x, None, None
        weights = Recurrence.apply(dy, Shift.apply(x, axis, not back, 0.0), axis, not back)
        return Shift.apply(y, axis, back, 1.0) * weights, None, None


def _no_zero(x: Array) -> bool:
    """Whether it is known that no element is 0: on a GPU the host would have to wait for that."""
    return type(x) is np.ndarray and bool(x.all())


class Shift(Function):
    """y_i = x_(i-1) along ``axis``, ``fill`` at the start (``back``: x_(i+1), ``fill`` at the end);  dx = dy moved back."""

    def forward(ctx, x: Array, axis: int, back: bool, fill: float) -> Array:
        ctx.axis, ctx.back = axis, back
        xp = array_module(x)
        y = xp.full(x.shape, fill, dtype=x.dtype)
        if back:
            xp.moveaxis(y, axis, 0)[:-1] = xp.moveaxis(x, axis, 0)[1:]
        else:
            xp.moveaxis(y, axis, 0)[1:] = xp.moveaxis(x, axis, 0)[:-1]
        return y

    def backward(ctx, dy: Tensor) -> Any:
        return Shift.apply(dy, ctx.axis, not ctx.back, 0.0), None, None, None


class Recurrence(Function):
    """y_i = b_i + c_i y_(i-1) along ``axis`` (``back``: y_(i+1));  db = the recurrence of dy the other way, dc = db y_(i-1)."""

    def forward(ctx, b: Array, c: Array, axis: int, back: bool) -> Array:
        ctx.axis, ctx.back = axis, back
        xp = array_module(b)
        y = b.copy()
        steps, factors = xp.moveaxis(y, axis, 0), xp.moveaxis(c, axis, 0)
        count = len(steps)
        for i in range(count - 2, -1, -1) if back else range(1, count):
            steps[i] += factors[i] * steps[i + 1 if back else i - 1]
        ctx.save_for_backward(c, y)
        return y

    def backward(ctx, dy: Tensor) -> Any:
        c, y = ctx.saved_tensors
        axis, back = ctx.axis, ctx.back
        db = Recurrence.apply(dy, Shift.apply(c, axis, not back, 0.0), axis, not back)
        dc = db * Shift.apply(y, axis, back, 0.0) if ctx.needs_input_grad[1] else None
        return db, dc, None, None


class Prod(Function):
    """y = product of x along ``axis``;  dx_k = dy y / x_k; where x has a 0, dy times what stands before k and what after."""

    def forward(ctx, x: Array, axis: int, keepdim: bool) -> Array:
        ctx.axis, ctx.keepdim = axis, keepdim
        y = x.prod(axis=axis, keepdims=keepdim, dtype=x.dtype)
        y = np.asarray(y) if type(x) is np.ndarray else y
        ctx.save_for_backward(x, y)
        return y

    def backward(ctx, dy: Tensor) -> Any:
        x, y = ctx.saved_tensors
        axis, shape = ctx.axis, x.array.shape
        if _no_zero(x.array):
            return Spread.apply(dy * y, shape, (axis,), ctx.keepdim) / x, None, None
        before = Shift.apply(CumProd.apply(x, axis, False), axis, False, 1.0)
        after = Shift.apply(CumProd.apply(x, axis, True), axis, True, 1.0)
        return Spread.apply(dy, shape, (axis,), ctx.keepdim) * (before * after), None, None


def cumprod(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """The running product along ``dim``. See ``cumsum``.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([1.0, 2.0, 3.0]).cumprod(dim=0)
        tensor([1., 2., 6.])
    """
    x = summand("cumprod", input, dtype)
    return CumProd.apply(x, one_dim("cumprod", dim, x.array.ndim), False)


def prod(input: Tensor, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The product along ``dim``, or of all elements.

    Args:
        input: Tensor; the product of integers and truth values is int64.
        dim: one dimension, or ``None`` for all.
        keepdim: keep it with size 1.
        dtype: convert first.

    Raises:
        IndexingError: there is no such dimension.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([[1.0, 2.0], [3.0, 4.0]]).prod(dim=1)
        tensor([ 2., 12.])
    """
    x = summand("prod", input, dtype)
    if dim is None or not x.array.ndim:
        if dim is not None:
            one_dim("prod", dim, 0)
        return Prod.apply(x.reshape(-1), 0, False)
    return Prod.apply(x, one_dim("prod", dim, x.array.ndim), keepdim)


# ---------------------------------------------------------------------- running extremes


class CumExtreme(Function):
    """y_i = the largest (or smallest) of x_1 ... x_i along ``axis``, and the index of the last;  dx = sum of dy there."""

    def forward(ctx, x: Array, axis: int, largest: bool) -> Any:
        xp = array_module(x)
        ctx.axis, ctx.shape = axis, x.shape
        y, indices = x.copy(), xp.zeros(x.shape, dtype=xp.int64)
        if x.ndim:
            values, places = xp.moveaxis(y, axis, 0), xp.moveaxis(indices, axis, 0)
            for i in range(1, len(values)):
                new, best = values[i], values[i - 1]
                taken = (new >= best if largest else new <= best) | (new != new)
                places[i] = xp.where(taken, i, places[i - 1])
                values[i] = xp.where(taken, new, best)
            ctx.save_for_backward(indices.copy())
        return y, indices

    def backward(ctx, dy: Tensor, _: Any) -> Any:
        if not ctx.shape:
            return dy, None, None
        (indices,) = ctx.saved_tensors
        zeros = Tensor._wrap(array_module(dy.array).zeros(ctx.shape, dtype=dy.array.dtype))
        return zeros.scatter_add(ctx.axis, indices, dy), None, None


def cummax(input: Tensor, dim: int) -> ValuesAndIndices:
    """The largest so far along ``dim``, and the index of the last of such, as ``(values, indices)``.

    Raises:
        IndexingError: there is no such dimension.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([1.0, 3.0, 2.0]).cummax(dim=0).values
        tensor([1., 3., 3.])
    """
    x = check_dtype("cummax", "input", input, "biuf")
    return ValuesAndIndices(*CumExtreme.apply(x, one_dim("cummax", dim, x.array.ndim), True))


def cummin(input: Tensor, dim: int) -> ValuesAndIndices:
    """The smallest so far along ``dim``, and the index of the last of such, as ``(values, indices)``. See ``cummax``.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([2.0, 3.0, 1.0]).cummin(dim=0).indices
        tensor([0, 0, 2])
    """
    x = check_dtype("cummin", "input", input, "biuf")
    return ValuesAndIndices(*CumExtreme.apply(x, one_dim("cummin", dim, x.array.ndim), False))


# ---------------------------------------------------------------------- differences


def diff(input: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None, append: Tensor | None = None) -> Tensor:
    """The difference of neighbours along ``dim``, taken ``n`` times; of truth values, whether they differ.

    Args:
        input: Tensor with at least one dimension.
        n: how often.
        dim: the dimension.
        prepend, append: Tensors to put before and after ``input`` along ``dim`` first.

    Raises:
        ArgumentError: ``n`` is negative.
        ShapeError: ``input`` has no dimensions, or ``prepend`` or ``append`` do not fit it.
        IndexingError: there is no such dimension.

    Example:
        >>> import minigrad
        >>> minigrad.diff(minigrad.tensor([1.0, 4.0, 9.0]))
        tensor([3., 5.])
    """
    x = check_dtype("diff", "input", input, "biuf")
    if not x.array.ndim:
        raise ShapeError("diff", "input", "at least one dimension", "none", "Stack the elements first")
    if n < 0:
        raise ArgumentError("diff", "n", "at least 0", str(n))
    axis = one_dim("diff", dim, x.array.ndim)
    for name, part in (("prepend", prepend), ("append", append)):
        if part is not None and part.array.ndim != x.array.ndim:
            raise ShapeError("diff", name, f"{x.array.ndim} dimensions, as input", f"shape {tuple(part.array.shape)}")
    if n == 0:
        return x.clone()
    parts = [part for part in (prepend, x, append) if part is not None]
    if len(parts) > 1:
        x = cat(promote("diff", *parts), axis)
    for _ in range(min(n, x.array.shape[axis])):  # further differences of nothing are nothing
        count = x.array.shape[axis]
        later, earlier = x.narrow(axis, min(count, 1), max(count - 1, 0)), x.narrow(axis, 0, max(count - 1, 0))
        x = later != earlier if x.array.dtype.kind == "b" else later - earlier
    return x


__all__ = ["cummax", "cummin", "cumprod", "cumsum", "diff", "prod"]
METHODS = tuple(__all__)
