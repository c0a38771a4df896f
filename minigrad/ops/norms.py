"""The size of vectors: norms over any dimensions."""

from __future__ import annotations

import math
from typing import Any

from minigrad.core.device import Array, array_module
from minigrad.core.dtypes import as_dtype
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor
from minigrad.errors import ArgumentError
from minigrad.ops.choice import Where
from minigrad.ops.dims import many_dims
from minigrad.ops.extrema import Extreme, not_empty
from minigrad.ops.operands import cast, check_dtype
from minigrad.ops.reduction import CountNonzero, Spread, Sum
from minigrad.ops.rounding import Abs, Sign


class Norm2(Function):
    """y = sqrt of the sum of x^2 over ``axes``;  dx = x dy / y, and 0 where y = 0."""

    def forward(ctx, x: Array, axes: tuple[int, ...], keepdim: bool) -> Array:
        ctx.axes, ctx.keepdim = axes, keepdim
        xp = array_module(x)
        y = xp.sqrt(xp.asarray((x * x).sum(axis=axes, keepdims=keepdim)))
        ctx.save_for_backward(x, y)
        return y

    def backward(ctx, dy: Tensor) -> Any:
        x, y = ctx.saved_tensors
        nonzero = Where.apply(Tensor._wrap(y.array == 0), 1.0, y)
        return x * Spread.apply(dy / nonzero, x.array.shape, ctx.axes, ctx.keepdim), None, None


class NormP(Function):
    """y = (sum of |x|^p over ``axes``)^(1/p);  dx = sign(x) (|x| / y)^(p-1) dy, and 0 where x = 0."""

    def forward(ctx, x: Array, p: float, axes: tuple[int, ...], keepdim: bool) -> Array:
        ctx.p, ctx.axes, ctx.keepdim = p, axes, keepdim
        xp = array_module(x)
        y = xp.asarray((xp.absolute(x) ** p).sum(axis=axes, keepdims=keepdim)) ** (1 / p)
        ctx.save_for_backward(x, y)
        return y

    def backward(ctx, dy: Tensor) -> Any:
        x, y = ctx.saved_tensors
        shape = x.array.shape
        size = Where.apply(Tensor._wrap(x.array == 0), 1.0, Abs.apply(x))
        nonzero = Where.apply(Tensor._wrap(y.array == 0), 1.0, y)
        slope = (size / Spread.apply(nonzero, shape, ctx.axes, ctx.keepdim)) ** (ctx.p - 1)
        return Sign.apply(x) * slope * Spread.apply(dy, shape, ctx.axes, ctx.keepdim), None, None, None


def norm(input: Tensor, p: Any = "fro", dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Tensor:
    """The norm over dimensions ``dim``, as of one vector: (sum of |x|^p)^(1/p). Its derivative is taken as 0 at 0.

    Args:
        input: float Tensor.
        p: a number; ``inf`` for the largest size, ``-inf`` for the smallest, 0 for the count of what is not 0; ``"fro"`` is 2.
        dim: one dimension or several; all by default.
        keepdim: keep them with size 1.
        dtype: convert first.

    Raises:
        DTypeError: ``input`` holds no floats.
        ArgumentError: ``p`` is none of these.
        ShapeError: the largest or smallest of nothing is asked for.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([3.0, -4.0]).norm()
        tensor(5.)
    """
    x = check_dtype("norm", "input", input, "f", "Convert it with .float()")
    if dtype is not None:
        x = cast(x, as_dtype("norm", dtype))
    if p is None or (isinstance(p, str) and p == "fro"):
        p = 2
    if not isinstance(p, (int, float)) or p != p:
        raise ArgumentError("norm", "p", "a number, inf, -inf or 'fro'", repr(p))
    axes = many_dims("norm", dim, x.array.ndim)
    if p == 2:
        return Norm2.apply(x, axes, keepdim)
    if p == 1:
        return Sum.apply(Abs.apply(x), axes, keepdim)
    if p == 0:
        count = cast(CountNonzero.apply(x, axes), x.array.dtype)
        return Tensor._wrap(array_module(count.array).expand_dims(count.array, axes)) if keepdim else count
    if math.isinf(p):
        not_empty("norm", x, axes)
        return Extreme.apply(Abs.apply(x), axes, keepdim, p > 0)
    return NormP.apply(x, p, axes, keepdim)


__all__ = ["norm"]
METHODS = ("norm",)
