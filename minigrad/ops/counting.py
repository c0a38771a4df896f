"""Distinct values, places in a sorted row, and counts."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core.device import array_module, quiet
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError, DTypeError, IndexingError, ShapeError
from minigrad.ops.dims import one_dim, sizes
from minigrad.ops.gathering import gather_array
from minigrad.ops.operands import promote

# ---------------------------------------------------------------------- distinct values


def unique(
    input: Tensor, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """The distinct elements in order. Each nan is one of its own. No gradient goes through.

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
    axis = _axis_of_parts("unique", dim, x.ndim)
    found = array_module(x).unique(x, return_inverse=return_inverse, return_counts=return_counts, axis=axis, equal_nan=False)
    if not return_inverse and not return_counts:
        return Tensor._wrap(found)
    values, *rest = found
    if return_inverse:
        rest[0] = rest[0].reshape(x.shape if dim is None else (x.shape[axis],))
    return (Tensor._wrap(values), *[Tensor._wrap(part.astype(np.int64, copy=False)) for part in rest])


def _axis_of_parts(where: str, dim: int | None, ndim: int) -> int | None:
    """``dim`` counted from 0, or none; a tensor without dimensions has no parts."""
    if dim is not None and not ndim:
        raise IndexingError(where, "dim", "None, as the tensor has no dimensions", str(dim))
    return None if dim is None else one_dim(where, dim, ndim)


def unique_consecutive(input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None) -> Any:
    """The elements without those that equal the one before. See ``unique``.

    Example:
        >>> import minigrad
        >>> minigrad.unique_consecutive(minigrad.tensor([1, 1, 2, 1]))
        tensor([1, 2, 1])
    """
    x = check_tensor("unique_consecutive", "input", input).array
    xp = array_module(x)
    axis = _axis_of_parts("unique_consecutive", dim, x.ndim)
    flat = x.reshape(-1) if axis is None else xp.moveaxis(x, axis, 0)
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


__all__ = ["bincount", "bucketize", "histc", "searchsorted", "unique", "unique_consecutive"]
METHODS = ("bincount", "histc", "unique", "unique_consecutive")
