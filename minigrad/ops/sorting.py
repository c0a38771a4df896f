"""Order: sorting, the k largest, medians, distinct values, counts and places in a sorted row.

The order of a float dtype ends with nan, as in PyTorch and NumPy. Equal elements keep their order, so that every device gives
the same indices. Gradients go through the values, to where each was taken from.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module, quiet
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.ops.dims import one_dim, sizes
from minigrad.ops.extrema import ValuesAndIndices
from minigrad.ops.gathering import Gather, gather_array
from minigrad.ops.operands import promote
from minigrad.ops.shape import Reshape

# ---------------------------------------------------------------------- sorted


def order(x: Array, axis: int, descending: bool) -> Array:
    """The indices that sort ``x`` along ``axis``; equal elements keep their order."""
    if not x.ndim:
        return array_module(x).zeros((), np.int64)
    if not descending:
        return x.argsort(axis=axis, kind="stable").astype(np.int64, copy=False)
    turned = array_module(x).flip(x, axis).argsort(axis=axis, kind="stable")
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
        split = size - count if largest else count
        places = x.argpartition(split if largest else split - 1, axis=axis)
        places = places[(*lead, slice(split, None) if largest else slice(0, split))].astype(np.int64)
        places.sort(axis=axis)
        inner = order(gather_array(x, axis, places), axis, largest)
        return _at(input, axis, gather_array(places, axis, inner))
    return _at(input, axis, order(x, axis, largest)[(*lead, slice(0, count))])


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
        if not x.size:
            if x.dtype.kind != "f":
                raise ShapeError(where, "input", "at least one element", f"shape {tuple(x.shape)}")
            return Tensor._wrap(array_module(x).full((), np.nan, x.dtype))
        return _median(where, Reshape.apply(input, (x.size,)), 0, False, skip).values
    axis = one_dim(where, dim, x.ndim)
    if not x.ndim:
        return _at(input, axis, order(x, axis, False))
    size = x.shape[axis]
    if not size:
        raise ShapeError(where, "dim", "a dimension with at least one element", f"dimension {axis} of {tuple(x.shape)}")
    xp, indices = array_module(x), order(x, axis, False)
    numbers = xp.expand_dims((x == x).sum(axis=axis), axis)
    nans = size - numbers
    if skip:
        place = xp.maximum(numbers - 1, 0) // 2
    else:
        place = xp.where(nans > 0, numbers, (size - 1) // 2)  # the first nan
    return _dropped(_at(input, axis, gather_array(indices, axis, place)), axis, keepdim)


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


# ---------------------------------------------------------------------- distinct values


def unique(
    input: Tensor, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """The distinct elements in order. Each nan is one of its own.

    Args:
        input: Tensor.
        sorted: accepted for PyTorch's sake; they are always in order.
        return_inverse: give, too, the place of each element of ``input`` among them.
        return_counts: give, too, how often each occurs.
        dim: the distinct parts along this dimension, in place of elements.

    Returns:
        A Tensor, or a tuple of it and what else was asked for.

    Raises:
        IndexingError: there is no such dimension.

    Example:
        >>> import minigrad
        >>> minigrad.unique(minigrad.tensor([3, 1, 3]), return_counts=True)
        (tensor([1, 3]), tensor([1, 2]))
    """
    x = check_tensor("unique", "input", input).array
    axis = None if dim is None else one_dim("unique", dim, x.ndim)
    found = array_module(x).unique(x, return_inverse=return_inverse, return_counts=return_counts, axis=axis, equal_nan=False)
    if not return_inverse and not return_counts:
        return Tensor._wrap(found)
    values, *rest = found
    if return_inverse:
        rest[0] = rest[0].reshape(x.shape if dim is None else (x.shape[axis],))
    return (Tensor._wrap(values), *[Tensor._wrap(part.astype(np.int64, copy=False)) for part in rest])


def unique_consecutive(input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None) -> Any:
    """The elements without those that equal the one before. See ``unique``.

    Example:
        >>> import minigrad
        >>> minigrad.unique_consecutive(minigrad.tensor([1, 1, 2, 1]))
        tensor([1, 2, 1])
    """
    x = check_tensor("unique_consecutive", "input", input).array
    xp = array_module(x)
    flat = x.reshape(-1) if dim is None else xp.moveaxis(x, one_dim("unique_consecutive", dim, x.ndim), 0)
    count = flat.shape[0]
    starts = xp.ones(count, bool)
    if count > 1:
        starts[1:] = (flat[1:] != flat[:-1]).reshape(count - 1, -1).any(axis=1)
    (at,) = starts.nonzero()
    values = flat[at]
    results = [Tensor._wrap(values if dim is None else xp.moveaxis(values, 0, dim))]
    if return_inverse:
        inverse = starts.astype(np.int64).cumsum() - 1
        results.append(Tensor._wrap(inverse.reshape(x.shape) if dim is None else inverse))
    if return_counts:
        ends = xp.concatenate((at[1:], xp.full(min(count, 1), count, at.dtype)))
        results.append(Tensor._wrap((ends - at).astype(np.int64, copy=False)))
    return results[0] if len(results) == 1 else tuple(results)


# ---------------------------------------------------------------------- places in a sorted row


def searchsorted(
    sorted_sequence: Tensor,
    input: Any,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Tensor | None = None,
) -> Tensor:
    """Where values would have to be put into a sorted row so that it stays sorted.

    Args:
        sorted_sequence: (N,), or (.., N), a row for each of the leading places of ``input``.
        input: values: a Tensor, (.., M) if there are several rows, or a number.
        out_int32: give int32.
        right: behind equal elements, else before them.
        side: the same as ``"left"`` or ``"right"``.
        sorter: the indices that sort ``sorted_sequence``, if it is not sorted.

    Returns:
        The places, int64, of the shape of ``input``.

    Raises:
        ShapeError: the leading sizes differ.
        ArgumentError: another ``side``, or one that contradicts ``right``.

    Example:
        >>> import minigrad
        >>> minigrad.searchsorted(minigrad.tensor([1.0, 3.0, 5.0]), minigrad.tensor([3.0, 4.0]))
        tensor([1, 2])
    """
    where = "searchsorted"
    if side not in (None, "left", "right") or (side == "left" and right):
        raise ArgumentError(where, "side", "'left' or 'right', in agreement with right", f"{side!r}, right={right}")
    check_tensor(where, "sorted_sequence", sorted_sequence)
    rows, values = (tensor.array for tensor in promote(where, sorted_sequence, input))
    if sorter is not None:
        if check_tensor(where, "sorter", sorter).array.shape != rows.shape:
            raise ShapeError(where, "sorter", f"shape {tuple(rows.shape)}", str(tuple(sorter.array.shape)))
        rows = gather_array(rows, rows.ndim - 1, sorter.array)
    if not rows.ndim or (rows.ndim > 1 and (values.ndim != rows.ndim or values.shape[:-1] != rows.shape[:-1])):
        raise ShapeError(
            where,
            "input",
            f"leading sizes {tuple(rows.shape[:-1])}, those of sorted_sequence, which has at least one dimension",
            f"shapes {tuple(rows.shape)} and {tuple(values.shape)}",
        )
    xp, way = array_module(rows), "right" if right or side == "right" else "left"
    if rows.ndim == 1:
        found = xp.searchsorted(rows, values, side=way)
    else:
        flat_rows, flat_values = rows.reshape(-1, rows.shape[-1]), values.reshape(-1, values.shape[-1])
        found = xp.stack([xp.searchsorted(row, some, side=way) for row, some in zip(flat_rows, flat_values)])
        found = found.reshape(values.shape)
    return Tensor._wrap(xp.asarray(found).astype(np.int32 if out_int32 else np.int64, copy=False))


def bucketize(input: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False) -> Tensor:
    """The number of the bucket between sorted boundaries in which each value lies. See ``searchsorted``.

    Args:
        input: a Tensor or a number.
        boundaries: (N,), sorted.
        out_int32: give int32.
        right: a value that equals a boundary lies behind it, else before it.

    Raises:
        ShapeError: ``boundaries`` has not one dimension.

    Example:
        >>> import minigrad
        >>> minigrad.bucketize(minigrad.tensor([0.5, 3.0]), minigrad.tensor([1.0, 3.0, 5.0]))
        tensor([0, 1])
    """
    if check_tensor("bucketize", "boundaries", boundaries).array.ndim != 1:
        raise ShapeError("bucketize", "boundaries", "one dimension", f"shape {tuple(boundaries.array.shape)}")
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


# ---------------------------------------------------------------------- counts


def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each of the numbers 0, 1, 2, ... occurs.

    Args:
        input: integers, (N,), not negative.
        weights: add these, (N,), in place of ones.
        minlength: give at least so many counts.

    Returns:
        int64 counts; with weights their sums, float32 or float64.

    Raises:
        DTypeError: ``input`` holds no integers.
        ShapeError: it has not one dimension, or ``weights`` another size.
        ArgumentError: a negative number.

    Example:
        >>> import minigrad
        >>> minigrad.bincount(minigrad.tensor([1, 1, 3]))
        tensor([0, 2, 0, 1])
    """
    x = check_tensor("bincount", "input", input).array
    if x.dtype.kind not in "iu":
        raise DTypeError("bincount", "input", "integers", str(x.dtype), "Convert it with .long()")
    if x.ndim != 1:
        raise ShapeError("bincount", "input", "one dimension", f"shape {tuple(x.shape)}")
    if minlength < 0 or (x.size and int(x.min()) < 0):
        got = str(minlength) if minlength < 0 else str(int(x.min()))
        raise ArgumentError("bincount", "minlength" if minlength < 0 else "input", "no negative numbers", got)
    xp = array_module(x)
    if weights is None:
        return Tensor._wrap(xp.bincount(x.astype(np.int64, copy=False), minlength=minlength).astype(np.int64, copy=False))
    w = check_tensor("bincount", "weights", weights).array
    if w.shape != x.shape:
        raise ShapeError("bincount", "weights", f"shape {tuple(x.shape)}, that of input", str(tuple(w.shape)))
    sums = xp.bincount(x.astype(np.int64, copy=False), w.astype(np.float64, copy=False), minlength=minlength)
    return Tensor._wrap(sums.astype(np.float32 if w.dtype == np.float32 else np.float64, copy=False))


def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """How many elements lie in each of ``bins`` parts of equal width between ``min`` and ``max``; others are left out.

    Args:
        input: Tensor of a float dtype.
        bins: the number of parts.
        min, max: the bounds, both included; both 0 for the smallest and largest element.

    Raises:
        DTypeError: no float dtype.
        ArgumentError: ``bins`` is not positive, or the bounds are not finite or in the wrong order.

    Example:
        >>> import minigrad
        >>> minigrad.histc(minigrad.tensor([1.0, 2.0, 1.0]), bins=4, min=0, max=3)
        tensor([0., 2., 1., 0.])
    """
    x = check_tensor("histc", "input", input).array
    if x.dtype.kind != "f":
        raise DTypeError("histc", "input", "a float dtype", str(x.dtype), "Convert it with .float()")
    (count,) = sizes("histc", (bins,), "bins")
    if count <= 0:
        raise ArgumentError("histc", "bins", "a positive number", str(count))
    xp = array_module(x)
    flat = x.reshape(-1).astype(np.float64)
    low, high = float(min), float(max)
    if low == high == 0 and flat.size:
        low, high = float(flat.min()), float(flat.max())
    if low == high:
        low, high = low - 1, high + 1
    if not np.isfinite(low) or not np.isfinite(high) or low > high:
        raise ArgumentError("histc", "min, max", "finite bounds, min not above max", f"{low}, {high}")
    with quiet():
        inside = flat[(flat >= low) & (flat <= high)]
        bucket = ((inside - low) / (high - low) * count).astype(np.int64)
    bucket = xp.minimum(bucket, count - 1)
    return Tensor._wrap(xp.bincount(bucket, minlength=count).astype(x.dtype))


__all__ = [
    "argsort",
    "bincount",
    "bucketize",
    "histc",
    "kthvalue",
    "median",
    "mode",
    "msort",
    "nanmedian",
    "searchsorted",
    "sort",
    "topk",
    "unique",
    "unique_consecutive",
]
METHODS = (
    "argsort",
    "bincount",
    "histc",
    "kthvalue",
    "median",
    "mode",
    "msort",
    "nanmedian",
    "sort",
    "topk",
    "unique",
    "unique_consecutive",
)
