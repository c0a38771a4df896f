"""Dimensions in another order: views."""

from __future__ import annotations

from typing import Any

from minigrad.core.device import Array
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError, ShapeError
from minigrad.ops.dims import one_dim, sizes


class Permute(Function):
    """y = x with its axes in another order;  dx = dy with them put back."""

    is_view = True

    def forward(ctx, x: Array, order: tuple[int, ...]) -> Array:
        ctx.order = order
        return x.transpose(order)

    def backward(ctx, dy: Tensor) -> Any:
        back = [0] * len(ctx.order)
        for new, old in enumerate(ctx.order):
            back[old] = new
        return Permute.apply(dy, tuple(back)), None


def dim_order(where: str, argument: str, dims: tuple, ndim: int) -> tuple[int, ...]:
    """``dims`` counted from 0, in their order.

    Raises:
        IndexingError: one of them does not exist.
        ArgumentError: one is named twice.
    """
    order = tuple([one_dim(where, dim, ndim, argument) for dim in dims])
    if len(set(order)) < len(order):
        raise ArgumentError(where, argument, "each dimension once", str(tuple(dims)))
    return order


# ---------------------------------------------------------------------- another order of dimensions


def permute(input: Tensor, *axes: Any, dims: Any = None) -> Tensor:
    """The dimensions in another order.

    Args:
        input: Tensor.
        axes: which of its dimensions comes first, second, ...: all of them, one by one or as one sequence, which may also be
            named ``dims``.

    Raises:
        ArgumentError: not each dimension once.
        IndexingError: one of them does not exist.

    Example:
        >>> import minigrad
        >>> minigrad.zeros(2, 3, 4).permute(2, 0, 1).shape
        minigrad.Size([4, 2, 3])
    """
    ndim = check_tensor("permute", "input", input).array.ndim
    order = dim_order("permute", "dims", sizes("permute", axes if dims is None else (dims,), "dims"), ndim)
    if len(order) != ndim:
        raise ArgumentError("permute", "dims", f"{ndim} dimensions, all of the tensor's", str(order))
    return Permute.apply(input, order)


def _swapped(where: str, names: tuple[str, str], input: Tensor, dim0: int, dim1: int) -> Tensor:
    ndim = check_tensor(where, "input", input).array.ndim
    first, second = one_dim(where, dim0, ndim, names[0]), one_dim(where, dim1, ndim, names[1])
    order = list(range(ndim))
    if order:
        order[first], order[second] = second, first
    return Permute.apply(input, tuple(order))


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Two dimensions exchanged.

    Raises:
        IndexingError: there is no such dimension.

    Example:
        >>> import minigrad
        >>> minigrad.zeros(2, 3, 4).transpose(0, -1).shape
        minigrad.Size([4, 3, 2])
    """
    return _swapped("transpose", ("dim0", "dim1"), input, dim0, dim1)


def swapaxes(input: Tensor, axis0: int, axis1: int) -> Tensor:
    """Two dimensions exchanged, under NumPy's name. See ``transpose``."""
    return _swapped("swapaxes", ("axis0", "axis1"), input, axis0, axis1)


def swapdims(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Two dimensions exchanged. See ``transpose``."""
    return _swapped("swapdims", ("dim0", "dim1"), input, dim0, dim1)


def t(input: Tensor) -> Tensor:
    """The transpose of a matrix; a tensor of fewer dimensions as it is.

    Raises:
        ShapeError: more than two dimensions.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([[1, 2], [3, 4]]).t()
        tensor([[1, 3],
                [2, 4]])
    """
    return _reversed("t", input)


def _reversed(where: str, input: Tensor) -> Tensor:
    ndim = check_tensor(where, "input", input).array.ndim
    if ndim > 2:
        raise ShapeError(where, "input", "at most 2 dimensions", f"{ndim}", "Use .mT for batches of matrices, or .permute()")
    return Permute.apply(input, tuple(range(ndim))[::-1])


def _big_t(input: Tensor) -> Tensor:
    """The transpose of a matrix. As ``t``; PyTorch's reversal of more dimensions is going away there too."""
    return _reversed("T", input)


def matrix_transpose(input: Tensor) -> Tensor:
    """The last two dimensions exchanged: the property ``mT``.

    Raises:
        ShapeError: fewer than two dimensions.
    """
    ndim = input.array.ndim
    if ndim < 2:
        raise ShapeError("mT", "input", "at least 2 dimensions", f"{ndim}")
    return Permute.apply(input, (*range(ndim - 2), ndim - 1, ndim - 2))


def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """Dimensions moved to other places; the rest keep their order.

    Args:
        input: Tensor.
        source: one dimension or several.
        destination: the place of each in the result.

    Raises:
        ArgumentError: not as many places as dimensions, or one named twice.
        IndexingError: one of them does not exist.

    Example:
        >>> import minigrad
        >>> minigrad.zeros(2, 3, 4).movedim(0, -1).shape
        minigrad.Size([3, 4, 2])
    """
    ndim = check_tensor("movedim", "input", input).array.ndim
    start, end = (tuple(value) if isinstance(value, (tuple, list)) else (value,) for value in (source, destination))
    if len(start) != len(end):
        raise ArgumentError("movedim", "destination", f"{len(start)} places, as many as in source", str(destination))
    sources, places = dim_order("movedim", "source", start, ndim), dim_order("movedim", "destination", end, ndim)
    if not ndim:
        return Permute.apply(input, ())
    order = [axis for axis in range(ndim) if axis not in sources]
    for place, axis in sorted(zip(places, sources)):
        order.insert(place, axis)
    return Permute.apply(input, tuple(order))


moveaxis = movedim

__all__ = ["moveaxis", "movedim", "permute", "swapaxes", "swapdims", "t", "transpose"]
METHODS = ("moveaxis", "movedim", "permute", "swapaxes", "swapdims", "t", "transpose")
OPERATORS = {"T": property(_big_t), "mT": property(matrix_transpose)}
