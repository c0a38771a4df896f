"""Triangles and diagonals of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module, get_default_device, module_for
from minigrad.core.device import device as _device
from minigrad.core.dtypes import as_dtype
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ShapeError
from minigrad.ops.conversion import clone
from minigrad.ops.dimensions import dim_order
from minigrad.ops.dims import sizes
from minigrad.ops.strided import DiagonalPlace, diagonal


class Triangle(Function):
    """Y = X on and below (or above) a diagonal, 0 elsewhere;  dX = dY there."""

    def forward(ctx, x: Array, diagonal: int, lower: bool) -> Array:
        ctx.diagonal, ctx.lower = diagonal, lower
        xp = array_module(x)
        return (xp.tril if lower else xp.triu)(x, diagonal)

    def backward(ctx, dy: Tensor) -> Any:
        return Triangle.apply(dy, ctx.diagonal, ctx.lower), None, None


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


__all__ = ["diag", "diag_embed", "tril", "tril_indices", "triu", "triu_indices"]
METHODS = ("diag", "diag_embed", "tril", "triu")
