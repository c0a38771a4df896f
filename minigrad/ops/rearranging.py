"""The same elements turned round, repeated, spread out, or only a triangle of them. All are copies."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core.device import CPU, Array, array_module, device_of, move
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.ops.conversion import clone
from minigrad.ops.dimensions import dim_order, transpose
from minigrad.ops.dims import one_dim, several, sizes
from minigrad.ops.indexing import HOLE, GetItem
from minigrad.ops.shape import Expand, Reshape


class Flip(Function):
    """y = x turned round along ``dims``;  dx = dy turned round."""

    def forward(ctx, x: Array, dims: tuple[int, ...]) -> Array:
        ctx.dims = dims
        return array_module(x).flip(x, dims).copy(order="K")

    def backward(ctx, dy: Tensor) -> Any:
        return Flip.apply(dy, ctx.dims), None


class Roll(Function):
    """y[i + shift] = x[i], what falls off the end coming in at the start;  dx = dy moved back."""

    def forward(ctx, x: Array, shifts: tuple[int, ...], dims: tuple[int, ...]) -> Array:
        ctx.shifts, ctx.dims = shifts, dims
        return array_module(x).roll(x, shifts, dims)

    def backward(ctx, dy: Tensor) -> Any:
        return Roll.apply(dy, tuple([-shift for shift in ctx.shifts]), ctx.dims), None, None


# ---------------------------------------------------------------------- turned round


def flip(input: Tensor, *axes: Any, dims: Any = None) -> Tensor:
    """A copy turned round along some dimensions.

    Args:
        input: Tensor.
        axes: the dimensions, one by one or as one sequence, which may also be named ``dims``.

    Raises:
        IndexingError: there is no such dimension.
        ArgumentError: one is named twice.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([[1, 2], [3, 4]]).flip(0)
        tensor([[3, 4],
                [1, 2]])
    """
    ndim = check_tensor("flip", "input", input).array.ndim
    named = sizes("flip", axes if dims is None else (dims,), "dims")
    order = dim_order("flip", "dims", named, ndim)
    return Flip.apply(input, order if ndim else ())


def fliplr(input: Tensor) -> Tensor:
    """A copy turned round along the second dimension.

    Raises:
        ShapeError: fewer than two dimensions.

    Example:
        >>> import minigrad
        >>> minigrad.fliplr(minigrad.tensor([[1, 2], [3, 4]]))
        tensor([[2, 1],
                [4, 3]])
    """
    if check_tensor("fliplr", "input", input).array.ndim < 2:
        raise ShapeError("fliplr", "input", "at least 2 dimensions", str(input.array.ndim))
    return Flip.apply(input, (1,))


def flipud(input: Tensor) -> Tensor:
    """A copy turned round along the first dimension.

    Raises:
        ShapeError: no dimension.

    Example:
        >>> import minigrad
        >>> minigrad.flipud(minigrad.tensor([1, 2]))
        tensor([2, 1])
    """
    if check_tensor("flipud", "input", input).array.ndim < 1:
        raise ShapeError("flipud", "input", "at least 1 dimension", "none")
    return Flip.apply(input, (0,))


def roll(input: Tensor, shifts: Any, dims: Any = None) -> Tensor:
    """A copy with the elements moved on along dimensions; what falls off the end comes in at the start.

    Args:
        input: Tensor.
        shifts: how far, a number or one for each dimension.
        dims: the dimension or dimensions; ``None`` moves through all elements as if they lay along one.

    Raises:
        ArgumentError: not as many shifts as dimensions.
        IndexingError: there is no such dimension.

    Example:
        >>> import minigrad
        >>> minigrad.arange(4).roll(1)
        tensor([3, 0, 1, 2])
    """
    x = check_tensor("roll", "input", input).array
    steps = sizes("roll", (shifts,), "shifts")
    if dims is None or (isinstance(dims, (tuple, list)) and not dims):
        if len(steps) != 1:
            raise ArgumentError("roll", "shifts", "one number, as dims is None", str(shifts))
        return Reshape.apply(Roll.apply(Reshape.apply(input, (x.size,)), steps, (0,)), x.shape)
    axes = tuple([one_dim("roll", dim, x.ndim, "dims") for dim in sizes("roll", (dims,), "dims")])
    if len(axes) != len(steps):
        raise ArgumentError("roll", "shifts", f"{len(axes)} numbers, as many as dims", str(shifts))
    return Roll.apply(input, steps, axes) if x.ndim else clone(input)


def rot90(input: Tensor, k: int = 1, dims: Any = (0, 1)) -> Tensor:
    """A copy turned by ``k`` times 90 degrees in the plane of two dimensions, from the first towards the second.

    Raises:
        ArgumentError: not two different dimensions.
        IndexingError: there is no such dimension.

    Example:
        >>> import minigrad
        >>> minigrad.rot90(minigrad.tensor([[1, 2], [3, 4]]))
        tensor([[2, 4],
                [1, 3]])
    """
    ndim = check_tensor("rot90", "input", input).array.ndim
    plane = dim_order("rot90", "dims", tuple(several("rot90", "dims", dims)), ndim)
    if len(plane) != 2:
        raise ArgumentError("rot90", "dims", "two dimensions", str(dims))
    (turns,) = sizes("rot90", (k,), "k")
    if turns % 4 == 0:
        return clone(input)
    if turns % 4 == 2:
        return Flip.apply(input, plane)
    return transpose(Flip.apply(input, (plane[1] if turns % 4 == 1 else plane[0],)), *plane)


# ---------------------------------------------------------------------- repeated


def repeat(input: Tensor, *repeats: Any) -> Tensor:
    """The tensor laid beside itself along each dimension.

    Args:
        input: Tensor.
        repeats: how often along each dimension, one by one or as one sequence; dimensions are added in front as needed.

    Raises:
        ShapeError: fewer numbers than dimensions.
        ArgumentError: a negative number.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([1, 2]).repeat(2, 2)
        tensor([[1, 2, 1, 2],
                [1, 2, 1, 2]])
    """
    times = sizes("repeat", repeats, "repeats")
    ndim = check_tensor("repeat", "input", input).array.ndim
    if len(times) < ndim:
        raise ShapeError("repeat", "repeats", f"at least {ndim} numbers, one for each dimension", str(times), "Or use .tile()")
    return _repeated("repeat", input, times)


def tile(input: Tensor, *times: Any, dims: Any = None) -> Tensor:
    """The tensor laid beside itself along its last dimensions. See ``repeat``, which wants a number for each dimension.

    Example:
        >>> import minigrad
        >>> minigrad.tile(minigrad.tensor([[1, 2]]), (2,))
        tensor([[1, 2, 1, 2]])
    """
    named = sizes("tile", times if dims is None else (dims,), "dims")
    return _repeated("tile", input, (1,) * (check_tensor("tile", "input", input).array.ndim - len(named)) + named)


def _repeated(where: str, input: Tensor, times: tuple[int, ...]) -> Tensor:
    """Expanded along a new dimension in front of each that is repeated, and the two made one."""
    if times and min(times) < 0:
        raise ArgumentError(where, "repeats", "numbers of at least 0", str(times))
    shape = input.array.shape
    shape = (1,) * (len(times) - len(shape)) + tuple(shape)
    narrow: list[int] = []
    wide: list[int] = []
    for count, size in zip(times, shape):
        narrow += [1, size] if count != 1 else [size]
        wide += [count, size] if count != 1 else [size]
    if narrow == wide:
        return clone(Reshape.apply(input, shape) if len(shape) > input.array.ndim else input)
    spread = Expand.apply(Reshape.apply(input, tuple(narrow)), tuple(wide))
    return _copied(Reshape.apply(spread, tuple([count * size for count, size in zip(times, shape)])), input)


def _copied(result: Tensor, input: Tensor) -> Tensor:
    """The result in memory of its own, where expanding and reshaping left it in that of the input."""
    return clone(result) if array_module(input.array).may_share_memory(result.array, input.array) else result


def repeat_interleave(input: Tensor, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None) -> Tensor:
    """Each element along a dimension repeated.

    Args:
        input: Tensor. Alone, it is taken for ``repeats``, and the places 0, 1, 2, ... are repeated.
        repeats: how often: a number, or integers (N,) for a dimension of size N.
        dim: the dimension; ``None`` takes all elements as one.
        output_size: accepted for PyTorch's sake.

    Raises:
        IndexingError: there is no such dimension.
        ShapeError: ``repeats`` has another size.
        ArgumentError: a negative number.
        DTypeError: ``repeats`` holds no integers.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([1, 2]).repeat_interleave(minigrad.tensor([1, 3]))
        tensor([1, 2, 2, 2])
    """
    where = "repeat_interleave"
    check_tensor(where, "input", input)
    if repeats is None:
        return _spread_places(where, input, input.array.size, 0)
    if dim is None:
        input, dim = Reshape.apply(input, (input.array.size,)), 0
    elif not input.array.ndim:
        input = Reshape.apply(input, (1,))
    axis = one_dim(where, dim, input.array.ndim)
    shape = tuple(input.array.shape)
    listed = isinstance(repeats, (list, tuple))
    if listed:
        repeats = Tensor._wrap(np.asarray(repeats))
    if isinstance(repeats, Tensor) and repeats.array.size != 1:
        index = _spread_places(where, repeats, shape[axis], axis)
        if listed:
            index = Tensor._wrap(move(index.array, device_of(input.array)))
        return GetItem.apply(input, (slice(None),) * axis + (HOLE,), index)
    (count,) = sizes(where, (repeats,), "repeats")
    if count < 0:
        raise ArgumentError(where, "repeats", "numbers of at least 0", str(count))
    before, after = shape[: axis + 1], shape[axis + 1 :]
    spread = Expand.apply(Reshape.apply(input, (*before, 1, *after)), (*before, count, *after))
    return _copied(Reshape.apply(spread, (*shape[:axis], shape[axis] * count, *after)), input)


def _spread_places(where: str, repeats: Tensor, size: int, axis: int) -> Tensor:
    """0, 1, 2, ..., each as often as ``repeats`` says. Made on the host, as its length must be known there."""
    counts = move(repeats.array, CPU)
    if counts.dtype.kind not in "iu" and counts.size:
        raise DTypeError(where, "repeats", "integers", str(counts.dtype))
    if counts.ndim != 1 or counts.size != size:
        raise ShapeError(where, "repeats", f"shape ({size},), the size of dimension {axis}", str(tuple(counts.shape)))
    if counts.size and counts.min() < 0:
        raise ArgumentError(where, "repeats", "numbers of at least 0", str(int(counts.min())))
    return Tensor._wrap(move(np.repeat(np.arange(size), counts.astype(np.int64)), device_of(repeats.array)))


def meshgrid(*tensors: Any, indexing: str | None = None) -> tuple[Tensor, ...]:
    """The coordinates of a grid: from vectors of M and N, two views of shape (M, N) that hold one of them along each axis.

    Args:
        tensors: vectors (or numbers), one by one or as one sequence.
        indexing: ``"ij"`` (the default), or ``"xy"`` for the first two axes exchanged.

    Raises:
        ShapeError: one of them has more than one dimension.
        ArgumentError: another ``indexing``.

    Example:
        >>> import minigrad
        >>> minigrad.meshgrid(minigrad.arange(2), minigrad.arange(2), indexing="ij")
        (tensor([[0, 0],
                [1, 1]]), tensor([[0, 1],
                [0, 1]]))
    """
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tuple(tensors[0])
    if indexing not in (None, "ij", "xy"):
        raise ArgumentError("meshgrid", "indexing", "'ij' or 'xy'", repr(indexing))
    for position, x in enumerate(tensors):
        if check_tensor("meshgrid", f"tensors[{position}]", x).array.ndim > 1:
            raise ShapeError("meshgrid", f"tensors[{position}]", "at most one dimension", f"shape {tuple(x.array.shape)}")
    shape = tuple([x.array.size for x in tensors])
    grids = [
        Expand.apply(Reshape.apply(x, (1,) * i + (x.array.size,) + (1,) * (len(shape) - 1 - i)), shape)
        for i, x in enumerate(tensors)
    ]
    return tuple([transpose(grid, 0, 1) for grid in grids] if indexing == "xy" and len(grids) > 1 else grids)


__all__ = ["flip", "fliplr", "flipud", "meshgrid", "repeat_interleave", "roll", "rot90", "tile"]
METHODS = ("flip", "fliplr", "flipud", "repeat", "repeat_interleave", "roll", "rot90", "tile")
