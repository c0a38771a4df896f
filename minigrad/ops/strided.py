"""Diagonals and windows of a tensor: views made by strides."""

from __future__ import annotations

from typing import Any

from minigrad.core.device import Array, array_module
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError
from minigrad.ops.dimensions import dim_order
from minigrad.ops.dims import one_dim, sizes
from minigrad.ops.parts import Slice
from minigrad.ops.shape import unsqueeze


class Diagonal(Function):
    """y[..., i] = x[..., i, i + offset];  dx = zeros with dy on that diagonal."""

    is_view = True

    def forward(ctx, x: Array, offset: int, dim1: int, dim2: int) -> Array:
        ctx.place = x.shape, offset, dim1, dim2
        return diagonal_view(x, offset, dim1, dim2)

    def backward(ctx, dy: Tensor) -> Any:
        return DiagonalPlace.apply(dy, *ctx.place), None, None, None


class DiagonalPlace(Function):
    """y = zeros with x on a diagonal;  dx = that diagonal of dy. The transpose of ``Diagonal``."""

    def forward(ctx, x: Array, shape: tuple[int, ...], offset: int, dim1: int, dim2: int) -> Array:
        ctx.place = offset, dim1, dim2
        y = array_module(x).zeros(shape, x.dtype)
        diagonal_view(y, offset, dim1, dim2)[...] = x
        return y

    def backward(ctx, dy: Tensor) -> Any:
        return Diagonal.apply(dy, *ctx.place), None, None, None, None


class Unfold(Function):
    """y[.., i, .., j] = x[.., i step + j, ..] for j < size;  dx = sum of dy over the windows in which an element lies."""

    is_view = True

    def forward(ctx, x: Array, dim: int, size: int, step: int) -> Array:
        ctx.window = x.shape, dim, size, step
        count = (x.shape[dim] - size) // step + 1
        shape = (*x.shape[:dim], count, *x.shape[dim + 1 :], size)
        strides = (*x.strides[:dim], x.strides[dim] * step, *x.strides[dim + 1 :], x.strides[dim])
        return array_module(x).lib.stride_tricks.as_strided(x, shape, strides)

    def backward(ctx, dy: Tensor) -> Any:
        return Fold.apply(dy, *ctx.window), None, None, None


class Fold(Function):
    """y = zeros, to which each window of x is added at its place;  dx = the windows of dy. The transpose of ``Unfold``."""

    def forward(ctx, x: Array, shape: tuple[int, ...], dim: int, size: int, step: int) -> Array:
        ctx.window = dim, size, step
        y = array_module(x).zeros(shape, x.dtype)
        count = x.shape[dim]
        lead = (slice(None),) * dim
        if size <= count:  # one addition for each place in the window, or one for each window
            for j in range(size):
                y[(*lead, slice(j, j + (count - 1) * step + 1, step))] += x[..., j]
        else:
            windows = array_module(x).moveaxis(x, -1, dim + 1)
            for i in range(count):
                y[(*lead, slice(i * step, i * step + size))] += windows[(*lead, i)]
        return y

    def backward(ctx, dy: Tensor) -> Any:
        return Unfold.apply(dy, *ctx.window), None, None, None, None


def diagonal_view(x: Array, offset: int, dim1: int, dim2: int) -> Array:
    """The diagonal as a view that can be written to, its axis the last; ``offset`` above the main one, below if negative."""
    rows, columns = max(-offset, 0), max(offset, 0)
    count = max(min(x.shape[dim1] - rows, x.shape[dim2] - columns), 0)
    start: list[Any] = [slice(None)] * x.ndim
    start[dim1], start[dim2] = slice(rows, None), slice(columns, None)
    rest = [axis for axis in range(x.ndim) if axis not in (dim1, dim2)]
    shape = (*[x.shape[axis] for axis in rest], count)
    strides = (*[x.strides[axis] for axis in rest], x.strides[dim1] + x.strides[dim2])
    return array_module(x).lib.stride_tricks.as_strided(x[tuple(start)], shape, strides)


def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The diagonal of two dimensions, as the last dimension of a view.

    Args:
        input: Tensor of at least two dimensions.
        offset: how far above the main diagonal; below it if negative.
        dim1, dim2: the two dimensions.

    Raises:
        IndexingError: there is no such dimension.
        ArgumentError: they are the same.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([[1, 2], [3, 4]]).diagonal()
        tensor([1, 4])
    """
    ndim = check_tensor("diagonal", "input", input).array.ndim
    first, second = dim_order("diagonal", "dim1, dim2", (dim1, dim2), ndim)
    return Diagonal.apply(input, sizes("diagonal", (offset,), "offset")[0], first, second)


def unfold(input: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """All windows of ``size`` places of a dimension, each ``step`` after the last: a view, the places of a window in a new
    last dimension. (``nn.functional.unfold`` is another thing: the patches of images.)

    Raises:
        ArgumentError: ``size`` is negative or larger than the dimension, or ``step`` is not positive.

    Example:
        >>> import minigrad
        >>> minigrad.arange(5).unfold(0, 3, 2)
        tensor([[0, 1, 2],
                [2, 3, 4]])
    """
    shape = check_tensor("unfold", "input", input).array.shape
    axis = one_dim("unfold", dimension, len(shape), "dimension")
    size, step = sizes("unfold", (size, step), "size, step")
    have = shape[axis] if shape else 1
    if not 0 <= size <= have:
        raise ArgumentError("unfold", "size", f"a number from 0 to {have}, the size of dimension {axis}", str(size))
    if step <= 0:
        raise ArgumentError("unfold", "step", "a positive number", str(step))
    if not shape:
        return Slice.apply(unsqueeze(input, 0), (slice(0, size),))
    return Unfold.apply(input, axis, size, step)


__all__ = ["diagonal"]
METHODS = ("diagonal", "unfold")
