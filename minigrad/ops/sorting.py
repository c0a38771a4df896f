"""Order: sorting, the k largest, medians, distinct values, counts and places in a sorted row.

The order of a float dtype ends with nan, as in PyTorch and NumPy. Equal elements keep their order, so that every device gives
the same indices. Gradients go through the values, to where each was taken from.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError, ShapeError
from minigrad.ops.arithmetic import mul
from minigrad.ops.dims import one_dim, sizes
from minigrad.ops.extrema import ValuesAndIndices
from minigrad.ops.gathering import Gather, gather_array
from minigrad.ops.shape import Reshape

LONG = 256  # elements of a row, from which on few are not looked for in all of it
FEW = 16  # that are found one after another

# ---------------------------------------------------------------------- sorted


def order(x: Array, axis: int, descending: bool) -> Array:
    """The indices that sort ``x`` along ``axis``; equal elements keep their order."""
    if not x.ndim:
        return array_module(x).zeros((), np.int64)
    stable = {"kind": "stable"} if type(x) is np.ndarray else {}  # CuPy's is, and takes no kind
    if not descending:
        return x.argsort(axis=axis, **stable).astype(np.int64, copy=False)
    turned = array_module(x).flip(x, axis).argsort(axis=axis, **stable)
    return x.shape[axis] - 1 - array_module(x).flip(turned, axis).astype(np.int64, copy=False)


def sort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool | None = None) -> ValuesAndIndices:
    """The elements in order along a dimension, and where each was.

    Args:
        input: Tensor.
        dim: the dimension.
        descending: the largest first.
        stable: accepted for PyTorch's sake; equal elements always keep their order.

    Returns:
        ``values`` and ``indices``, of the shape of ``input``.

    Raises:
        IndexingError: there is no such dimension.

    Example:
        >>> import minigrad
        >>> values, indices = minigrad.tensor([3.0, 1.0, 2.0]).sort()
        >>> values, indices
        (tensor([1., 2., 3.]), tensor([1, 2, 0]))
    """
    x = check_tensor("sort", "input", input).array
    axis = one_dim("sort", dim, x.ndim)
    return _at(input, axis, order(x, axis, bool(descending)))


def _at(input: Tensor, axis: int, indices: Array) -> ValuesAndIndices:
    where = Tensor._wrap(indices)
    return ValuesAndIndices(Gather.apply(input, axis, where), where)


def argsort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    """The indices that put the elements in order along a dimension. See ``sort``.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([3.0, 1.0, 2.0]).argsort(descending=True)
        tensor([0, 2, 1])
    """
    x = check_tensor("argsort", "input", input).array
    return Tensor._wrap(order(x, one_dim("argsort", dim, x.ndim), bool(descending)))


def msort(input: Tensor) -> Tensor:
    """The elements in order along the first dimension.

    Example:
        >>> import minigrad
        >>> minigrad.msort(minigrad.tensor([3.0, 1.0, 2.0]))
        tensor([1., 2., 3.])
    """
    return sort(input, 0).values


def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> ValuesAndIndices:
    """The ``k`` largest (or smallest) elements along a dimension, and where they are.

    Args:
        input: Tensor.
        k: how many.
        dim: the dimension.
        largest: the largest, else the smallest. nan counts as the largest.
        sorted: accepted for PyTorch's sake; they are always in order.

    Returns:
        ``values`` and ``indices``, of size ``k`` along the dimension.

    Raises:
        ArgumentError: ``k`` is negative or larger than the dimension.
        IndexingError: there is no such dimension.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([3.0, 1.0, 2.0]).topk(2).indices
        tensor([0, 2])
    """
    x = check_tensor("topk", "input", input).array
    axis = one_dim("topk", dim, x.ndim)
    (count,) = sizes("topk", (k,), "k")
    size = x.shape[axis] if x.ndim else 1
    if not 0 <= count <= size:
        raise ArgumentError("topk", "k", f"a number from 0 to {size}, the size of dimension {axis}", str(count))
    if not x.ndim:
        return _at(input, axis, order(x, axis, False))
    lead = (slice(None),) * axis
    if 0 < count < size:  # found in linear time, and only they are put in order
        if largest and axis == x.ndim - 1 and size >= LONG and size >= 8 * count and type(x) is np.ndarray:
            places = _few_of_long_rows(x, count)
        else:
            places = _outermost(x, count, axis, largest)
        places.sort(axis=axis)
        inner = order(gather_array(x, axis, places), axis, largest)
        return _at(input, axis, gather_array(places, axis, inner))
    return _at(input, axis, order(x, axis, largest)[(*lead, slice(0, count))])


def _outermost(x: Array, count: int, axis: int, largest: bool) -> Array:
    """Where the ``count`` largest (or smallest) are along an axis, in any order; fewer than all."""
    split = x.shape[axis] - count if largest else count
    places = x.argpartition(split if largest else split - 1, axis=axis)
    return places[(*(slice(None),) * axis, slice(split, None) if largest else slice(0, split))].astype(np.int64)


def _few_largest(x: np.ndarray, count: int) -> np.ndarray:
    """The same of the largest, along the last axis: few are found one after another, each put out of the way of the next."""
    if count <= FEW and x.dtype.kind == "f":
        rows = x.reshape(-1, x.shape[-1]).copy()
        each, places = np.arange(len(rows)), np.empty((len(rows), count), np.int64)
        for number in range(count):
            places[:, number] = at = rows.argmax(1)  # of nan, if there is one
            last = rows[each, at]
            rows[each, at] = -math.inf
        if not (last == -math.inf).any():  # else one may have been found twice
            return places.reshape(*x.shape[:-1], count)
    return _outermost(x, count, x.ndim - 1, True)


def _few_of_long_rows(x: np.ndarray, count: int) -> np.ndarray:
    """The same along a long last axis: of groups of its elements only those with the largest need be looked at.

    A group is every ``groups``-th element, so that their largest are found by comparing rows of memory, several times as fast
    as a partition of the whole. The ``count`` largest elements lie in the ``count`` groups with the largest ones.
    """
    size = x.shape[-1]
    groups = max(count + 1, min(math.isqrt(4 * size * count) // 16 * 16, size // 2))
    each = size // groups
    best = x[..., : groups * each].reshape(*x.shape[:-1], each, groups).max(axis=-2)
    chosen = _few_largest(best, count)
    places = chosen[..., None, :] + np.arange(0, groups * each, groups)[:, None]
    rest = np.broadcast_to(np.arange(groups * each, size), (*x.shape[:-1], size - groups * each))
    places = np.concatenate((places.reshape(*x.shape[:-1], -1), rest), axis=-1)
    found = _few_largest(np.take_along_axis(x, places, -1), count)
    return np.take_along_axis(places, found, -1)


def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> ValuesAndIndices:
    """The ``k``-th smallest element along a dimension, counted from 1, and where it is.

    Raises:
        ArgumentError: ``k`` is less than 1 or larger than the dimension.
        IndexingError: there is no such dimension.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([3.0, 1.0, 2.0]).kthvalue(2).values
        tensor(2.)
    """
    x = check_tensor("kthvalue", "input", input).array
    axis = one_dim("kthvalue", dim, x.ndim)
    (count,) = sizes("kthvalue", (k,), "k")
    size = x.shape[axis] if x.ndim else 1
    if not 1 <= count <= size:
        raise ArgumentError("kthvalue", "k", f"a number from 1 to {size}, the size of dimension {axis}", str(count))
    return _one_of_order(input, axis, count - 1, keepdim)


def _one_of_order(input: Tensor, axis: int, place: int, keepdim: bool) -> ValuesAndIndices:
    """The element at a place of the sorted dimension."""
    x = input.array
    indices = order(x, axis, False)
    if x.ndim:
        indices = indices[(*(slice(None),) * axis, slice(place, place + 1))]
    return _dropped(_at(input, axis, indices), axis, keepdim)


def _dropped(found: ValuesAndIndices, axis: int, keepdim: bool) -> ValuesAndIndices:
    """Without the dimension of size 1, unless it shall be kept."""
    shape = found.values.array.shape
    if keepdim or not shape:
        return found
    smaller = shape[:axis] + shape[axis + 1 :]
    return ValuesAndIndices(*[Reshape.apply(part, smaller) for part in found])


_GIVEN: Any = object()


def median(input: Tensor, dim: Any = _GIVEN, keepdim: bool = False) -> Any:
    """The middle element of the order: of two, the smaller. nan if there is one.

    Args:
        input: Tensor.
        dim: a dimension, for the median along it and where it is; without it, the median of all.
        keepdim: keep the dimension with size 1.

    Raises:
        IndexingError: there is no such dimension.
        ShapeError: the dimension is empty.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([3.0, 1.0, 2.0, 4.0]).median()
        tensor(2.)
    """
    return _median("median", input, dim, keepdim, skip=False)


def nanmedian(input: Tensor, dim: Any = _GIVEN, keepdim: bool = False) -> Any:
    """The middle element of those that are not nan. See ``median``.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([3.0, float("nan"), 1.0]).nanmedian()
        tensor(1.)
    """
    return _median("nanmedian", input, dim, keepdim, skip=True)


def _median(where: str, input: Tensor, dim: Any, keepdim: bool, skip: bool) -> Any:
    x = check_tensor(where, "input", input).array
    if dim is _GIVEN:
        if not x.size and x.dtype.kind != "f":
            raise ShapeError(where, "input", "at least one element", f"shape {tuple(x.shape)}")
        return Middle.apply(input, skip)
    axis = one_dim(where, dim, x.ndim)
    if not x.ndim:
        return _at(input, axis, order(x, axis, False))
    if not x.shape[axis]:
        raise ShapeError(where, "dim", "a dimension with at least one element", f"dimension {axis} of {tuple(x.shape)}")
    return _dropped(_at(input, axis, _middle(x, axis, skip)), axis, keepdim)


def _middle(x: Array, axis: int, skip: bool) -> Array:
    """Where the middle element of the order along ``axis`` stands: the first nan if there is one, unless those are skipped."""
    xp, size = array_module(x), x.shape[axis]
    numbers = xp.expand_dims((x == x).sum(axis=axis), axis)
    place = xp.maximum(numbers - 1, 0) // 2 if skip else xp.where(numbers < size, numbers, (size - 1) // 2)
    return gather_array(order(x, axis, False), axis, place)


class Middle(Function):
    """y = the middle of all x in order, of two the smaller;  dx = dy where x = y, divided evenly among ties."""

    def forward(ctx, x: Array, skip: bool) -> Array:
        xp, flat = array_module(x), x.reshape(-1)
        y = flat[_middle(flat, 0, skip)].reshape(()) if x.size else xp.full((), np.nan, x.dtype)
        ctx.save_for_backward(x, y)
        return y

    def backward(ctx, dy: Tensor) -> Any:
        x, y = (tensor.array for tensor in ctx.saved_tensors)
        share = ((x == y) | ((x != x) & (y != y))).astype(x.dtype)
        share /= array_module(x).maximum(share.sum(), 1)
        return mul(dy, Tensor._wrap(share)), None


def mode(input: Tensor, dim: int = -1, keepdim: bool = False) -> ValuesAndIndices:
    """The most frequent element along a dimension (of several, the smallest), and where it stands last.

    Raises:
        IndexingError: there is no such dimension.
        ShapeError: the dimension is empty.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([2, 1, 2]).mode()
        ValuesAndIndices(values=tensor(2), indices=tensor(2))
    """
    x = check_tensor("mode", "input", input).array
    axis = one_dim("mode", dim, x.ndim)
    if not x.ndim:
        return _at(input, axis, order(x, axis, False))
    size = x.shape[axis]
    if not size:
        raise ShapeError("mode", "dim", "a dimension with at least one element", f"dimension {axis} of {tuple(x.shape)}")
    xp, indices = array_module(x), order(x, axis, False)
    rows = xp.moveaxis(gather_array(x, axis, indices), axis, -1)
    starts = xp.ones(rows.shape, bool)
    starts[..., 1:] = rows[..., 1:] != rows[..., :-1]
    flat = starts.reshape(-1)
    run = xp.arange(flat.size) - flat.nonzero()[0][flat.cumsum() - 1]  # how many like it stand before it
    place = xp.moveaxis(run.reshape(rows.shape).argmax(axis=-1)[..., None], -1, axis)
    return _dropped(_at(input, axis, gather_array(indices, axis, place)), axis, keepdim)


__all__ = ["argsort", "kthvalue", "median", "mode", "msort", "nanmedian", "sort", "topk"]
METHODS = ("argsort", "kthvalue", "median", "mode", "msort", "nanmedian", "sort", "topk")
