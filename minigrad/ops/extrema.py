"""The largest and the smallest: of all elements, along a dimension, and where they stand."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

from minigrad.core.device import Array, array_module
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor
from minigrad.errors import ShapeError
from minigrad.ops.choice import maximum, minimum
from minigrad.ops.dims import many_dims, one_dim
from minigrad.ops.operands import check_dtype
from minigrad.ops.reduction import Spread


class ValuesAndIndices(namedtuple("ValuesAndIndices", ("values", "indices"))):
    """What an op along a dimension found, and where: unpacks as a tuple, and has names for both."""

    __slots__ = ()


class Extreme(Function):
    """y = the largest (or smallest) x over ``axes``;  dx = dy where x = y, divided evenly among ties."""

    def forward(ctx, x: Array, axes: tuple[int, ...], keepdim: bool, largest: bool) -> Array:
        ctx.axes, ctx.keepdim = axes, keepdim
        y = (x.max if largest else x.min)(axis=axes, keepdims=keepdim)
        ctx.save_for_backward(x, y)
        return y

    def backward(ctx, dy: Tensor) -> Any:
        x, y = [tensor.array for tensor in ctx.saved_tensors]
        if not ctx.keepdim:
            y = array_module(y).expand_dims(y, ctx.axes)
        return Spread.apply(dy, x.shape, ctx.axes, ctx.keepdim) * share_of_ties(x, y, ctx.axes), None, None, None


def share_of_ties(x: Array, y: Array, axes: tuple[int, ...]) -> Tensor:
    """1 / count where x = y, 0 elsewhere; where y is nan, where x is nan."""
    share = ((x == y) | (x != x)).astype(x.dtype)
    share /= share.sum(axis=axes, keepdims=True)
    return Tensor._wrap(share)


class ExtremeAlong(Function):
    """y = the largest (or smallest) x along ``axis``, with the index of the first;  dx = dy at that index, 0 elsewhere."""

    def forward(ctx, x: Array, axis: int, keepdim: bool, largest: bool) -> Any:
        xp = array_module(x)
        ctx.axis, ctx.keepdim, ctx.shape = axis, keepdim, x.shape
        if not x.ndim:
            return x.copy(), xp.zeros((), dtype=xp.int64)
        indices = (x.argmax if largest else x.argmin)(axis=axis, keepdims=True)
        ctx.save_for_backward(indices)
        values = (x.max if largest else x.min)(axis=axis, keepdims=keepdim)
        return values, indices.copy() if keepdim else indices.squeeze(axis)

    def backward(ctx, dy: Tensor, _: Any) -> Any:
        if not ctx.shape:
            return dy, None, None, None
        (indices,) = ctx.saved_tensors
        if not ctx.keepdim:
            dy = dy.unsqueeze(ctx.axis)
        zeros = Tensor._wrap(array_module(dy.array).zeros(ctx.shape, dtype=dy.array.dtype))
        return zeros.scatter(ctx.axis, indices, dy), None, None, None


def _all_of(where: str, input: Tensor, largest: bool) -> Tensor:
    x = check_dtype(where, "input", input, "biuf")
    axes = tuple(range(x.array.ndim))
    not_empty(where, x, axes)
    return Extreme.apply(x, axes, False, largest)


def not_empty(where: str, x: Tensor, axes: tuple[int, ...]) -> None:
    """Refuse to choose among nothing: a dimension of size 0 among ``axes``."""
    shape = x.array.shape
    for axis in axes[: len(shape)]:
        if not shape[axis]:
            raise ShapeError(
                where, "input", f"at least one element along dimension {axis}", f"shape {tuple(shape)}", "Name another dim"
            )


def _over(where: str, input: Tensor, dim: Any, keepdim: bool, largest: bool) -> Tensor:
    x = check_dtype(where, "input", input, "biuf")
    axes = many_dims(where, dim, x.array.ndim)
    not_empty(where, x, axes)
    return Extreme.apply(x, axes, keepdim, largest)


def _along(where: str, input: Tensor, dim: Any, keepdim: bool, largest: bool) -> ValuesAndIndices:
    x = check_dtype(where, "input", input, "biuf")
    axis = one_dim(where, dim, x.array.ndim)
    not_empty(where, x, (axis,))
    return ValuesAndIndices(*ExtremeAlong.apply(x, axis, keepdim, largest))


def amax(input: Tensor, dim: Any = (), keepdim: bool = False) -> Tensor:
    """The largest over dimensions ``dim``. Ties share the gradient evenly.

    Args:
        input: Tensor.
        dim: one dimension or several; all by default.
        keepdim: keep them with size 1.

    Raises:
        ShapeError: there is nothing along ``dim``.
        IndexingError: there is no such dimension.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([[1.0, 4.0], [3.0, 2.0]]).amax(dim=1)
        tensor([4., 3.])
    """
    return _over("amax", input, dim, keepdim, True)


def amin(input: Tensor, dim: Any = (), keepdim: bool = False) -> Tensor:
    """The smallest over dimensions ``dim``. See ``amax``.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([[1.0, 4.0], [3.0, 2.0]]).amin(dim=1)
        tensor([1., 2.])
    """
    return _over("amin", input, dim, keepdim, False)


_GIVEN = object()


def max(input: Tensor, dim: Any = _GIVEN, keepdim: bool = False, *, other: Any = None) -> Any:
    """The largest element; along ``dim`` with its index; or, with another tensor, ``maximum``.

    Args:
        input: Tensor.
        dim: none for the largest of all elements (ties share the gradient); a dimension for ``(values, indices)`` of the first
            largest along it; or another Tensor.
        keepdim: keep ``dim`` with size 1.
        other: the other Tensor by name.

    Returns:
        A Tensor; with ``dim`` a named tuple ``(values, indices)``.

    Raises:
        ShapeError: there is nothing to choose from.
        IndexingError: there is no such dimension.

    Example:
        >>> import minigrad
        >>> x = minigrad.tensor([[1.0, 4.0], [3.0, 2.0]])
        >>> x.max()
        tensor(4.)
        >>> values, indices = x.max(dim=1); indices
        tensor([1, 0])
    """
    if other is not None or isinstance(dim, Tensor):
        return maximum(input, dim if other is None else other)
    return _all_of("max", input, True) if dim is _GIVEN else _along("max", input, dim, keepdim, True)


def min(input: Tensor, dim: Any = _GIVEN, keepdim: bool = False, *, other: Any = None) -> Any:
    """The smallest element; along ``dim`` with its index; or, with another tensor, ``minimum``. See ``max``.

    Example:
        >>> import minigrad
        >>> x = minigrad.tensor([[1.0, 4.0], [3.0, 2.0]])
        >>> x.min(dim=1).values
        tensor([1., 2.])
    """
    if other is not None or isinstance(dim, Tensor):
        return minimum(input, dim if other is None else other)
    return _all_of("min", input, False) if dim is _GIVEN else _along("min", input, dim, keepdim, False)


def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> MinAndMax:
    """The smallest and the largest, as ``(min, max)``. See ``amax``.

    Example:
        >>> import minigrad
        >>> minigrad.aminmax(minigrad.tensor([3.0, 1.0, 2.0])).max
        tensor(3.)
    """
    return MinAndMax(_over("aminmax", input, dim, keepdim, False), _over("aminmax", input, dim, keepdim, True))


class MinAndMax(namedtuple("MinAndMax", ("min", "max"))):
    """The smallest and the largest."""

    __slots__ = ()


# ---------------------------------------------------------------------- where they stand


class ArgExtreme(Function):
    """y = the index of the first largest (or smallest) x along ``axis``, or of all elements where it is ``None``."""

    def forward(ctx, x: Array, axis: int | None, keepdim: bool, largest: bool) -> Array:
        find = x.argmax if largest else x.argmin
        if axis is not None:
            return find(axis=axis, keepdims=keepdim)
        index = array_module(x).asarray(find())
        return index.reshape((1,) * x.ndim) if keepdim else index


def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The index of the largest along ``dim``, the first of equal ones; without ``dim`` among all elements in order.

    Args:
        input: Tensor of numbers; nan counts as the largest.
        dim: a dimension, or ``None``.
        keepdim: keep it with size 1.

    Raises:
        ShapeError: there is nothing to choose from.
        IndexingError: there is no such dimension.
        DTypeError: ``input`` holds truth values.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([[1.0, 4.0], [3.0, 2.0]]).argmax(dim=1)
        tensor([1, 0])
    """
    return _arg("argmax", input, dim, keepdim, True)


def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The index of the smallest along ``dim``. See ``argmax``.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([3.0, 1.0, 2.0]).argmin()
        tensor(1)
    """
    return _arg("argmin", input, dim, keepdim, False)


def _arg(where: str, input: Tensor, dim: int | None, keepdim: bool, largest: bool) -> Tensor:
    x = check_dtype(where, "input", input, "iuf", "Convert it with .int()")
    if dim is None:
        not_empty(where, x, tuple(range(x.array.ndim)))
        return ArgExtreme.apply(x, None, keepdim, largest)
    axis = one_dim(where, dim, x.array.ndim)
    not_empty(where, x, (axis,))
    return ArgExtreme.apply(x, axis if x.array.ndim else None, keepdim, largest)


__all__ = ["amax", "amin", "aminmax", "argmax", "argmin", "max", "min"]
METHODS = tuple(__all__)
