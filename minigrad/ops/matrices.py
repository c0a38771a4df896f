"""Matrices as wholes: inverse, equations, determinant, factors, norms. Found in ``minigrad.linalg``, as PyTorch places them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.ops import norms
from minigrad.ops.arithmetic import mul, neg, sub
from minigrad.ops.dimensions import dim_order, matrix_transpose
from minigrad.ops.dims import one_dim
from minigrad.ops.extrema import amax, amin
from minigrad.ops.linalg import matmul
from minigrad.ops.operands import pair
from minigrad.ops.rearranging import roll
from minigrad.ops.reduction import sum as sum_
from minigrad.ops.rounding import abs as abs_
from minigrad.ops.shape import squeeze, unsqueeze
from minigrad.ops.triangles import tril


class Inv(Function):
    """Y = X^-1;  dX = -Y^T dY Y^T."""

    def forward(ctx, x: Array) -> Array:
        y = _solved("inv", "a matrix that has an inverse", "a singular one", array_module(x).linalg.inv, x)
        ctx.save_for_backward(y)
        return y

    def backward(ctx, dy: Tensor) -> Any:
        (y,) = ctx.saved_tensors
        turned = matrix_transpose(y)
        return neg(matmul(matmul(turned, dy), turned))


class Solve(Function):
    """X = A^-1 B;  dB = A^-T dX, dA = -dB X^T."""

    def forward(ctx, a: Array, b: Array) -> Array:
        x = _solved("solve", "a matrix that has an inverse", "a singular one", array_module(a).linalg.solve, a, b)
        ctx.save_for_backward(a, x)
        return x

    def backward(ctx, dx: Tensor) -> Any:
        a, x = ctx.saved_tensors
        db = Solve.apply(matrix_transpose(a), dx)
        return neg(matmul(db, matrix_transpose(x))) if ctx.needs_input_grad[0] else None, db


class Det(Function):
    """y = det X;  dX = dy y X^-T."""

    def forward(ctx, x: Array) -> Array:
        y = array_module(x).linalg.det(x)
        ctx.save_for_backward(x, y)
        return y

    def backward(ctx, dy: Tensor) -> Any:
        x, y = ctx.saved_tensors
        return mul(unsqueeze(unsqueeze(mul(dy, y), -1), -1), matrix_transpose(Inv.apply(x)))


class Cholesky(Function):
    """X = L L^T with L lower triangular;  dX = S + S^T halved, where S = L^-T P(L^T dL) L^-1 and P halves the diagonal of tril.

    Source: I. Murray, Differentiation of the Cholesky decomposition, 2016, equation 10.
    """

    def forward(ctx, x: Array) -> Array:
        y = _solved("cholesky", "a positive definite matrix", "one that is not", array_module(x).linalg.cholesky, x)
        ctx.save_for_backward(y)
        return y

    def backward(ctx, dy: Tensor) -> Any:
        (y,) = ctx.saved_tensors
        turned = matrix_transpose(y)
        inner = matmul(turned, dy)
        inner = mul(tril(inner) + tril(inner, -1), 0.5)
        right = Solve.apply(turned, matrix_transpose(inner))  # L^-T P^T
        s = Solve.apply(turned, matrix_transpose(right))  # L^-T P L^-1
        return mul(s + matrix_transpose(s), 0.5)


def _solved(where: str, expected: str, got: str, solve: Callable[..., Array], *arrays: Array) -> Array:
    try:
        return solve(*arrays)
    except np.linalg.LinAlgError as error:
        raise ArgumentError(where, "A", expected, got) from error


def _matrix(where: str, x: Any, square: bool = True) -> Tensor:
    """A Tensor of float32 or float64 matrices.

    Raises:
        DTypeError, ShapeError: it is none.
    """
    kind = check_tensor(where, "A", x).array.dtype
    if kind.kind != "f" or kind.itemsize < 4:
        raise DTypeError(where, "A", "float32 or float64", str(kind), "Convert it with .float()")
    shape = x.array.shape
    if len(shape) < 2 or (square and shape[-1] != shape[-2]):
        raise ShapeError(where, "A", "square matrices (.., N, N)" if square else "matrices", f"shape {tuple(shape)}")
    return x


def inv(A: Tensor) -> Tensor:
    """The inverse of matrices (.., N, N).

    Raises:
        ArgumentError: one of them has none.
        ShapeError: they are not square.
        DTypeError: neither float32 nor float64.

    Example:
        >>> import minigrad
        >>> minigrad.linalg.inv(minigrad.tensor([[2.0, 0.0], [0.0, 4.0]]))
        tensor([[0.5000, 0.0000],
                [0.0000, 0.2500]])
    """
    return Inv.apply(_matrix("inv", A))


def inverse(input: Tensor) -> Tensor:
    """The inverse of matrices. See ``linalg.inv``.

    Example:
        >>> import minigrad
        >>> minigrad.inverse(minigrad.tensor([[2.0]]))
        tensor([[0.5000]])
    """
    return inv(input)


def solve(A: Tensor, B: Tensor) -> Tensor:
    """X with A X = B.

    Args:
        A: (.., N, N).
        B: (.., N, K), or (.., N) for one column each.

    Raises:
        ArgumentError: an A has no inverse.
        ShapeError: A is not square, or B does not fit.
        DTypeError: neither float32 nor float64, or different ones.

    Example:
        >>> import minigrad
        >>> minigrad.linalg.solve(minigrad.tensor([[2.0, 0.0], [0.0, 4.0]]), minigrad.tensor([1.0, 1.0]))
        tensor([0.5000, 0.2500])
    """
    a = _matrix("solve", A)
    if check_tensor("solve", "B", B).array.dtype != a.array.dtype:
        raise DTypeError(
            "solve", "B", f"dtype {a.array.dtype}, that of A", str(B.array.dtype), "Convert one of them with .to()"
        )
    left, right = a.array.shape, B.array.shape
    if len(right) == 1 or right == left[:-1]:
        if right[-1] != left[-1]:
            raise ShapeError("solve", "B", f"{left[-1]} elements, for A of shape {tuple(left)}", f"shape {tuple(right)}")
        return squeeze(Solve.apply(a, unsqueeze(B, -1)), -1)
    if len(right) < 2 or right[-2] != left[-1]:
        raise ShapeError("solve", "B", f"{left[-1]} rows, for A of shape {tuple(left)}", f"shape {tuple(right)}")
    return Solve.apply(a, B)


def det(A: Tensor) -> Tensor:
    """The determinant of matrices (.., N, N). Its derivative needs the inverse.

    Raises:
        ShapeError: they are not square.
        DTypeError: neither float32 nor float64.
        ArgumentError: (in the backward pass) one of them is singular.

    Example:
        >>> import minigrad
        >>> minigrad.linalg.det(minigrad.tensor([[2.0, 1.0], [1.0, 3.0]]))
        tensor(5.)
    """
    return Det.apply(_matrix("det", A))


def cholesky(A: Tensor, *, upper: bool = False) -> Tensor:
    """L, lower triangular, with L L^T = A.

    Args:
        A: (.., N, N), symmetric and positive definite.
        upper: give the transpose of L.

    Raises:
        ArgumentError: an A is not positive definite.
        ShapeError: it is not square.
        DTypeError: neither float32 nor float64.

    Example:
        >>> import minigrad
        >>> minigrad.linalg.cholesky(minigrad.tensor([[4.0, 2.0], [2.0, 5.0]]))
        tensor([[2., 0.],
                [1., 2.]])
    """
    factor = Cholesky.apply(_matrix("cholesky", A))
    return matrix_transpose(factor) if upper else factor


def cross(input: Tensor, other: Tensor, dim: int = -1) -> Tensor:
    """The cross product of vectors of 3 along a dimension.

    Args:
        input, other: Tensors that broadcast, of size 3 in ``dim``.
        dim: the dimension.

    Raises:
        ShapeError: another size.
        IndexingError: there is no such dimension.

    Example:
        >>> import minigrad
        >>> minigrad.linalg.cross(minigrad.tensor([1.0, 0, 0]), minigrad.tensor([0.0, 1, 0]))
        tensor([0., 0., 1.])
    """
    a, b = pair("cross", check_tensor("cross", "input", input), check_tensor("cross", "other", other))
    for name, x in (("input", a), ("other", b)):
        axis = one_dim("cross", dim, x.array.ndim)
        if not x.array.ndim or x.array.shape[axis] != 3:
            raise ShapeError("cross", name, f"size 3 in dimension {dim}", f"shape {tuple(x.array.shape)}")
    return sub(mul(roll(a, -1, dim), roll(b, -2, dim)), mul(roll(a, -2, dim), roll(b, -1, dim)))


# ---------------------------------------------------------------------- norms


def vector_norm(x: Tensor, ord: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The norm of order ``ord`` of all elements, or along dimensions ``dim``. See ``norm`` of ``minigrad``.

    Example:
        >>> import minigrad
        >>> minigrad.linalg.vector_norm(minigrad.tensor([3.0, -4.0]), 1)
        tensor(7.)
    """
    return norms.norm(x, ord, dim, keepdim, dtype)


def matrix_norm(A: Tensor, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """A norm of matrices.

    Args:
        A: Tensor of at least two dimensions.
        ord: ``"fro"``, the root of the sum of squares; 1 or -1, the largest or smallest sum of a column's sizes; inf or -inf,
            that of a row's. (Those of singular values, 2, -2 and ``"nuc"``, are not here.)
        dim: which dimensions are rows and columns.
        keepdim: keep them with size 1.
        dtype: convert first.

    Raises:
        ArgumentError: another ``ord``, or not two dimensions.
        ShapeError: fewer than two dimensions.

    Example:
        >>> import minigrad
        >>> minigrad.linalg.matrix_norm(minigrad.tensor([[1.0, -2.0], [3.0, 4.0]]), 1)
        tensor(6.)
    """
    x = check_tensor("matrix_norm", "A", A)
    if x.array.ndim < 2:
        raise ShapeError("matrix_norm", "A", "at least 2 dimensions", f"shape {tuple(x.array.shape)}")
    plane = dim_order("matrix_norm", "dim", tuple(dim) if isinstance(dim, (tuple, list)) else (dim,), x.array.ndim)
    if len(plane) != 2:
        raise ArgumentError("matrix_norm", "dim", "two dimensions", str(dim))
    if ord == "fro":
        return norms.norm(x, 2, plane, keepdim, dtype)
    if ord not in (1, -1, np.inf, -np.inf):
        raise ArgumentError("matrix_norm", "ord", "'fro', 1, -1, inf or -inf", repr(ord))
    over, of = plane if abs(ord) == 1 else plane[::-1]
    sums = sum_(abs_(x), over, True, dtype=dtype)
    largest = (amax if ord > 0 else amin)(sums, of, True)
    return largest if keepdim else squeeze(largest, plane)


def norm(A: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """A norm of vectors or matrices: of all elements by default. See ``vector_norm`` and ``matrix_norm``.

    Args:
        A: Tensor.
        ord: the order; ``None`` for the root of the sum of squares.
        dim: one dimension for vectors, two for matrices; ``None`` for all (with ``ord``: of a vector or a matrix).
        keepdim: keep them with size 1.
        dtype: convert first.

    Raises:
        ShapeError: ``ord`` without ``dim`` for a tensor of more than two dimensions.

    Example:
        >>> import minigrad
        >>> minigrad.linalg.norm(minigrad.tensor([[3.0, 4.0]]))
        tensor(5.)
    """
    ndim = check_tensor("norm", "A", A).array.ndim
    if ord is None:
        return vector_norm(A, 2, dim, keepdim, dtype=dtype)
    if dim is None:
        if ndim > 2:
            raise ShapeError("norm", "A", "1 or 2 dimensions, as dim is None", f"shape {tuple(A.array.shape)}")
        dim = (0, 1) if ndim == 2 else 0
    if isinstance(ord, str) or (isinstance(dim, (tuple, list)) and len(dim) == 2):
        return matrix_norm(A, ord, dim, keepdim, dtype=dtype)
    return vector_norm(A, ord, dim, keepdim, dtype=dtype)


__all__ = ["cross", "det", "inverse"]
METHODS = ("cross", "det", "inverse")
