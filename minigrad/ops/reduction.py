"""Reductions: many elements to one."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ShapeError
from minigrad.ops.dims import many_dims, sizes
from minigrad.ops.operands import cast, dtype_or


class Sum(Function):
    """y = sum of x over ``axes``;  dx = dy, spread over them."""

    def forward(ctx, x: Array, axes: tuple[int, ...], keepdim: bool) -> Array:
        ctx.shape, ctx.axes, ctx.keepdim = x.shape, axes, keepdim
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


def sum(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The sum over dimensions ``dim``.

    Args:
        input: Tensor; integers and truth values sum to int64.
        dim: one dimension or several; all by default.
        keepdim: keep them with size 1.
        dtype: convert first.

    Raises:
        IndexingError: there is no such dimension.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([[1.0, 2.0], [3.0, 4.0]]).sum(dim=0)
        tensor([4., 6.])
    """
    check_tensor("sum", "input", input)
    kind = input.array.dtype
    x = cast(input, dtype_or("sum", dtype, kind if kind.kind == "f" else np.dtype(np.int64)))
    return Sum.apply(x, many_dims("sum", dim, x.array.ndim), keepdim)


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


__all__ = ["sum"]
METHODS = ("sum", "sum_to_size")
