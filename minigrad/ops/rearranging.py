"""The same elements turned round, repeated, spread out, or only a triangle of them. All are copies."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core.device import CPU, Array, array_module, device_of, get_default_device, module_for, move
from minigrad.core.device import device as _device
from minigrad.core.dtypes import as_dtype
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.ops.conversion import clone
from minigrad.ops.dims import one_dim, sizes
from minigrad.ops.indexing import HOLE, GetItem
from minigrad.ops.parts import DiagonalPlace, diagonal
from minigrad.ops.shape import Expand, Reshape, dim_order, transpose


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


class Triangle(Function):
    """Y = X on and below (or above) a diagonal, 0 elsewhere;  dX = dY there."""

    def forward(ctx, x: Array, diagonal: int, lower: bool) -> Array:
        ctx.diagonal, ctx.lower = diagonal, lower
        xp = array_module(x)
        return (xp.tril if lower else xp.triu)(x, diagonal)

    def backward(ctx, dy: Tensor) -> Any:
        return Triangle.apply(dy, ctx.diagonal, ctx.lower), None, None


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
    if dims is None or dims == ():
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
    plane = dim_order("rot90", "dims", tuple(dims), ndim)
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
    return Reshape.apply(spread, tuple([count * size for count, size in zip(times, shape)]))


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
    if isinstance(repeats, (list, tuple)):
        repeats = Tensor._wrap(np.asarray(repeats))
    if isinstance(repeats, Tensor) and repeats.array.size != 1:
        index = _spread_places(where, repeats, shape[axis], axis)
        index = Tensor._wrap(move(index.array, device_of(input.array)))
        return GetItem.apply(input, (slice(None),) * axis + (HOLE,), index)
    (count,) = sizes(where, (repeats,), "repeats")
    if count < 0:
        raise ArgumentError(where, "repeats", "numbers of at least 0", str(count))
    before, after = shape[: axis + 1], shape[axis + 1 :]
    spread = Expand.apply(Reshape.apply(input, (*before, 1, *after)), (*before, count, *after))
    return Reshape.apply(spread, (*shape[:axis], shape[axis] * count, *after))


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


# ---------------------------------------------------------------------- triangles and diagonals


def _triangle(where: str, input: Tensor, diagonal: Any, lower: bool) -> Tensor:
    if check_tensor(where, "input", input).array.ndim < 2:
        raise ShapeError(where, "input", "at least 2 dimensions", str(input.array.ndim))
    return Triangle.apply(input, sizes(where, (diagonal,), "diagonal")[0], lower)


def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """The lower triangle of matrices (.., M, N), with 0 elsewhere.

    Args:
        input: Tensor.
        diagonal: the last diagonal that is kept, counted upwards from the main one.

    Raises:
        ShapeError: fewer than two dimensions.

    Example:
        >>> import minigrad
        >>> minigrad.tril(minigrad.ones(2, 2))
        tensor([[1., 0.],
                [1., 1.]])
    """
    return _triangle("tril", input, diagonal, True)


def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """The upper triangle of matrices (.., M, N), with 0 elsewhere. See ``tril``; ``diagonal`` is the first that is kept.

    Example:
        >>> import minigrad
        >>> minigrad.triu(minigrad.ones(2, 2), 1)
        tensor([[0., 1.],
                [0., 0.]])
    """
    return _triangle("triu", input, diagonal, False)


def _triangle_indices(where: str, row: Any, col: Any, offset: Any, dtype: Any, on: Any, lower: bool) -> Tensor:
    rows, columns, shift = sizes(where, (row, col, offset), "row, col, offset")
    if rows < 0 or columns < 0:
        raise ShapeError(where, "row, col", "sizes of at least 0", f"{rows}, {columns}")
    xp = module_for(get_default_device() if on is None else _device(on))
    mask = (xp.tril if lower else xp.triu)(xp.ones((rows, columns), bool), shift)
    return Tensor._wrap(xp.stack(mask.nonzero()).astype(np.int64 if dtype is None else as_dtype(where, dtype)))


def tril_indices(row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None) -> Tensor:
    """The rows and columns of the lower triangle of a matrix, (2, number), row by row.

    Args:
        row, col: the sizes of the matrix.
        offset: the last diagonal that counts, upwards from the main one.
        dtype: default: int64.
        device: default: ``get_default_device()``.

    Raises:
        ShapeError: a negative size.

    Example:
        >>> import minigrad
        >>> minigrad.tril_indices(2, 2)
        tensor([[0, 1, 1],
                [0, 0, 1]])
    """
    return _triangle_indices("tril_indices", row, col, offset, dtype, device, True)


def triu_indices(row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None) -> Tensor:
    """The rows and columns of the upper triangle of a matrix, (2, number), row by row. See ``tril_indices``.

    Example:
        >>> import minigrad
        >>> minigrad.triu_indices(2, 2)
        tensor([[0, 0, 1],
                [0, 1, 1]])
    """
    return _triangle_indices("triu_indices", row, col, offset, dtype, device, False)


def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """A matrix with a vector on a diagonal; or, of a matrix, a copy of that diagonal.

    Args:
        input: a vector or a matrix.
        diagonal: how far above the main diagonal; below it if negative.

    Raises:
        ShapeError: neither a vector nor a matrix.

    Example:
        >>> import minigrad
        >>> minigrad.diag(minigrad.tensor([1, 2]))
        tensor([[1, 0],
                [0, 2]])
    """
    ndim = check_tensor("diag", "input", input).array.ndim
    if ndim not in (1, 2):
        raise ShapeError("diag", "input", "1 or 2 dimensions", str(ndim), "Use .diagonal() or diag_embed() for batches")
    return diag_embed(input, diagonal) if ndim == 1 else clone(_diagonal(input, diagonal))


_diagonal = diagonal  # which the argument of that name hides


def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Vectors (.., N) on a diagonal of matrices of zeros.

    Args:
        input: Tensor of at least one dimension.
        offset: how far above the main diagonal; below it if negative.
        dim1, dim2: the dimensions of the result that make the matrices.

    Raises:
        ShapeError: no dimension.
        IndexingError: there is no such dimension.
        ArgumentError: they are the same.

    Example:
        >>> import minigrad
        >>> minigrad.diag_embed(minigrad.tensor([[1, 2]])).shape
        minigrad.Size([1, 2, 2])
    """
    shape = check_tensor("diag_embed", "input", input).array.shape
    if not shape:
        raise ShapeError("diag_embed", "input", "at least one dimension", "none")
    first, second = dim_order("diag_embed", "dim1, dim2", (dim1, dim2), len(shape) + 1)
    (shift,) = sizes("diag_embed", (offset,), "offset")
    size = shape[-1] + abs(shift)
    full = list(shape[:-1])
    for axis in sorted((first, second)):
        full.insert(axis, size)
    return DiagonalPlace.apply(input, tuple(full), shift, first, second)


__all__ = [
    "diag",
    "diag_embed",
    "flip",
    "fliplr",
    "flipud",
    "meshgrid",
    "repeat_interleave",
    "roll",
    "rot90",
    "tile",
    "tril",
    "tril_indices",
    "triu",
    "triu_indices",
]
METHODS = (
    "diag",
    "diag_embed",
    "flip",
    "fliplr",
    "flipud",
    "repeat",
    "repeat_interleave",
    "roll",
    "rot90",
    "tile",
    "tril",
    "triu",
)
