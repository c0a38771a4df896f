"""Products of matrices and vectors.

Most come down to ``MatMul`` of ``matrix_product.py``; the functions here bring vectors to matrices before it.
"""

from __future__ import annotations

from typing import Any

from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.ops.arithmetic import Mul, mul
from minigrad.ops.contraction import multiplied
from minigrad.ops.dims import one_dim, sizes
from minigrad.ops.matrix_product import Dot, multiply
from minigrad.ops.operands import pair
from minigrad.ops.reduction import sum as sum_
from minigrad.ops.shape import Reshape, broadcast_to
from minigrad.ops.strided import diagonal


def _operands(where: str, a: Any, b: Any, names: tuple[str, str] = ("input", "other")) -> tuple[Tensor, Tensor]:
    """Two Tensors of one dtype that is not bool.

    Raises:
        DTypeError: they are not.
    """
    check_tensor(where, names[0], a)
    kind, other = a.array.dtype, check_tensor(where, names[1], b).array.dtype
    if kind != other:
        raise DTypeError(where, names[1], f"dtype {kind}, that of {names[0]}", str(other), "Convert one of them with .to()")
    if kind.kind == "b":
        raise DTypeError(where, names[0], "numbers", "truth values", "Convert them with .to()")
    return a, b


def _shapes_error(where: str, names: tuple[str, str], a: Tensor, b: Tensor, rule: str) -> ShapeError:
    text = f"shapes {tuple(a.array.shape)} and {tuple(b.array.shape)}"
    return ShapeError(where, " and ".join(names), rule, text, "Transpose or reshape one of them")


def matmul(input: Tensor, other: Tensor) -> Tensor:
    """The product of matrices, vectors, and batches of matrices: the operator ``@``.

    Args:
        input: (.., N, K), or (K,) for a row.
        other: (.., K, M), or (K,) for a column. Leading dimensions broadcast.

    Returns:
        (.., N, M), without N or M where the operand was a vector.

    Raises:
        ShapeError: the sizes K differ, the leading dimensions do not broadcast, or an operand has no dimension.
        DTypeError: the dtypes differ, or are bool.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([[1, 2], [3, 4]]) @ minigrad.tensor([1, 1])
        tensor([3, 7])
    """
    names = ("input", "other")
    a, b = _operands("matmul", input, other, names)
    left, right = a.array.shape, b.array.shape
    if not left or not right:
        raise _shapes_error("matmul", names, a, b, "at least one dimension each")
    inner = right[-2] if len(right) > 1 else right[0]
    if left[-1] != inner:
        raise _shapes_error("matmul", names, a, b, f"the last size of input, {left[-1]}, as rows of other, {inner}")
    if len(left) == 1 and len(right) == 1:
        return Dot.apply(a, b)
    if len(left) > 2 and len(right) > 2 and not _broadcast(left[:-2], right[:-2]):
        raise _shapes_error("matmul", names, a, b, "leading sizes that broadcast: equal or 1")
    if len(left) == 1:
        row = multiply(Reshape.apply(a, (1, *left)), b)
        return Reshape.apply(row, (*right[:-2], right[-1]))
    if len(right) == 1:
        return Reshape.apply(multiply(a, Reshape.apply(b, (*right, 1))), left[:-1])
    return multiply(a, b)


def _broadcast(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    return all(x == y or x == 1 or y == 1 for x, y in zip(reversed(a), reversed(b)))


def _rmatmul(input: Tensor, other: Any) -> Tensor:
    """``other @ input``: the reflected operator."""
    return matmul(other, input)


def _ranked(where: str, a: Any, b: Any, names: tuple[str, str], ranks: tuple[int, int], rule: str) -> tuple[Tensor, Tensor]:
    """Two operands with these numbers of dimensions, whose sizes fit for a product.

    Raises:
        ShapeError: they have others.
        DTypeError: the dtypes differ, or are bool.
    """
    a, b = _operands(where, a, b, names)
    left, right = a.array.shape, b.array.shape
    if (len(left), len(right)) != ranks or left[-1] != right[max(ranks[1] - 2, 0)] or left[:-2] != right[:-2][: len(left) - 2]:
        raise _shapes_error(where, names, a, b, rule)
    return a, b


def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """The product of two matrices, (N, K) and (K, M). See ``matmul``.

    Raises:
        ShapeError: they are no matrices, or the sizes K differ.
        DTypeError: the dtypes differ, or are bool.

    Example:
        >>> import minigrad
        >>> minigrad.mm(minigrad.ones(2, 3), minigrad.ones(3, 1))
        tensor([[3.],
                [3.]])
    """
    return multiply(*_ranked("mm", input, mat2, ("input", "mat2"), (2, 2), "matrices (N, K) and (K, M)"))


def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """The products of two batches of matrices, (B, N, K) and (B, K, M). See ``mm``.

    Example:
        >>> import minigrad
        >>> minigrad.bmm(minigrad.ones(2, 1, 3), minigrad.ones(2, 3, 1)).shape
        minigrad.Size([2, 1, 1])
    """
    return multiply(*_ranked("bmm", input, mat2, ("input", "mat2"), (3, 3), "batches (B, N, K) and (B, K, M)"))


def mv(input: Tensor, vec: Tensor) -> Tensor:
    """The product of a matrix (N, K) and a vector (K,). See ``mm``.

    Example:
        >>> import minigrad
        >>> minigrad.mv(minigrad.ones(2, 3), minigrad.ones(3))
        tensor([3., 3.])
    """
    return matmul(*_ranked("mv", input, vec, ("input", "vec"), (2, 1), "a matrix (N, K) and a vector (K,)"))


def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """The product of two vectors, a number. See ``mm``.

    Example:
        >>> import minigrad
        >>> minigrad.dot(minigrad.tensor([1, 2]), minigrad.tensor([3, 4]))
        tensor(11)
    """
    return Dot.apply(*_ranked("dot", input, tensor, ("input", "tensor"), (1, 1), "vectors of one size"))


def vdot(input: Tensor, other: Tensor) -> Tensor:
    """The product of two vectors, the same as ``dot`` because there are no complex numbers here. See ``dot``."""
    return Dot.apply(*_ranked("vdot", input, other, ("input", "other"), (1, 1), "vectors of one size"))


def inner(input: Tensor, other: Tensor) -> Tensor:
    """The products of all vectors along the last dimensions: (.., K) and (~, K) give (.., ~). Numbers multiply.

    Raises:
        ShapeError: the last sizes differ.
        DTypeError: the dtypes differ.

    Example:
        >>> import minigrad
        >>> minigrad.inner(minigrad.ones(2, 3), minigrad.ones(4, 3)).shape
        minigrad.Size([2, 4])
    """
    names = ("input", "other")
    a, b = _operands("inner", input, other, names)
    if not a.array.ndim or not b.array.ndim:
        return mul(a, b)
    if a.array.shape[-1] != b.array.shape[-1]:
        raise _shapes_error("inner", names, a, b, "equal last sizes")
    return tensordot(a, b, ([-1], [-1]))


def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """The products of each element of one vector with each of another: (N,) and (M,) give (N, M).

    Raises:
        ShapeError: they are no vectors.

    Example:
        >>> import minigrad
        >>> minigrad.outer(minigrad.tensor([1, 2]), minigrad.tensor([1, 10]))
        tensor([[ 1, 10],
                [ 2, 20]])
    """
    check_tensor("outer", "input", input), check_tensor("outer", "vec2", vec2)
    if input.array.ndim != 1 or vec2.array.ndim != 1:
        raise _shapes_error("outer", ("input", "vec2"), input, vec2, "two vectors")
    a, b = pair("outer", input, vec2)
    return Mul.apply(Reshape.apply(a, (a.array.size, 1)), b)


def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """The sum of products over dimensions of both tensors; what is left of ``a`` and then of ``b`` makes the result.

    Args:
        a, b: Tensors.
        dims: how many of the last dimensions of ``a`` go with as many of the first of ``b``; or a pair of sequences, the
            dimensions of ``a`` and those of ``b`` that go with them.

    Raises:
        ShapeError: their sizes differ.
        ArgumentError: ``dims`` is no such number or pair.
        DTypeError: the dtypes differ.

    Example:
        >>> import minigrad
        >>> minigrad.tensordot(minigrad.ones(2, 3, 4), minigrad.ones(4, 3), dims=([1, 2], [1, 0]))
        tensor([12., 12.])
    """
    a, b = _operands("tensordot", a, b, ("a", "b"))
    left, right = a.array.shape, b.array.shape
    if isinstance(dims, Tensor):
        dims = dims.tolist()
    if isinstance(dims, (tuple, list)):
        if len(dims) != 2:
            raise ArgumentError("tensordot", "dims", "a number, or a pair of sequences", str(dims))
        lists = [item if isinstance(item, (tuple, list)) else [item] for item in dims]
        over_a, over_b = ([one_dim("tensordot", dim, x.array.ndim, "dims") for dim in item] for x, item in zip((a, b), lists))
    else:
        (count,) = sizes("tensordot", (dims,), "dims")
        if not 0 <= count <= min(len(left), len(right)):
            raise ArgumentError("tensordot", "dims", f"a number from 0 to {min(len(left), len(right))}", str(count))
        over_a, over_b = list(range(len(left) - count, len(left))), list(range(count))
    if len(set(over_a)) < len(over_a) or len(set(over_b)) < len(over_b) or len(over_a) != len(over_b):
        raise ArgumentError("tensordot", "dims", "as many dimensions of a as of b, each once", str(dims))
    if [left[dim] for dim in over_a] != [right[dim] for dim in over_b]:
        raise _shapes_error("tensordot", ("a", "b"), a, b, f"equal sizes along dimensions {over_a} of a and {over_b} of b")
    i = tuple([("a", dim) for dim in range(len(left))])
    pairs = dict(zip(over_b, over_a))
    j = tuple([("a", pairs[dim]) if dim in pairs else ("b", dim) for dim in range(len(right))])
    o = tuple([label for label in i if label not in j] + [label for label in j if label not in i])
    return multiplied(a, b, i, j, o)


# ---------------------------------------------------------------------- added to something


def _added(where: str, input: Tensor, value: Tensor, beta: Any, alpha: Any) -> Tensor:
    """beta input + alpha value; what is multiplied by 0 is not read, so that its NaN does not spread."""
    _operands(where, input, value, ("input", "the product"))
    if value.array.dtype.kind != "f" and isinstance(beta * alpha, float):
        raise DTypeError(where, "beta, alpha", "integers, as the tensors are", f"{beta}, {alpha}")
    scaled = value if alpha == 1 else mul(value, alpha)
    shape = scaled.array.shape
    start = broadcast_to(input, shape) if input.array.shape != shape else input
    if beta == 0:
        return scaled
    return scaled + (start if beta == 1 else mul(start, beta))


def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """``beta * input + alpha * (mat1 @ mat2)``.

    Args:
        input: broadcasts to (N, M). With ``beta=0`` it is not read.
        mat1, mat2: (N, K) and (K, M).
        beta, alpha: numbers; integers where the tensors are.

    Raises:
        ShapeError: the sizes do not fit.
        DTypeError: the dtypes differ.

    Example:
        >>> import minigrad
        >>> minigrad.addmm(minigrad.ones(2), minigrad.ones(1, 3), minigrad.ones(3, 2), alpha=2)
        tensor([[7., 7.]])
    """
    a, b = _ranked("addmm", mat1, mat2, ("mat1", "mat2"), (2, 2), "matrices (N, K) and (K, M)")
    return _added("addmm", input, multiply(a, b), beta, alpha)


def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """``beta * input + alpha * (mat @ vec)``. See ``addmm``.

    Example:
        >>> import minigrad
        >>> minigrad.addmv(minigrad.ones(2), minigrad.ones(2, 3), minigrad.ones(3))
        tensor([4., 4.])
    """
    a, b = _ranked("addmv", mat, vec, ("mat", "vec"), (2, 1), "a matrix (N, K) and a vector (K,)")
    return _added("addmv", input, matmul(a, b), beta, alpha)


def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """``beta * input + alpha * outer(vec1, vec2)``. See ``addmm``.

    Example:
        >>> import minigrad
        >>> minigrad.addr(minigrad.zeros(2, 2), minigrad.ones(2), minigrad.ones(2))
        tensor([[1., 1.],
                [1., 1.]])
    """
    return _added("addr", input, outer(vec1, vec2), beta, alpha)


def baddbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """``beta * input + alpha * bmm(batch1, batch2)``. See ``addmm``.

    Example:
        >>> import minigrad
        >>> minigrad.baddbmm(minigrad.ones(1), minigrad.ones(2, 1, 3), minigrad.ones(2, 3, 1)).flatten()
        tensor([4., 4.])
    """
    a, b = _ranked("baddbmm", batch1, batch2, ("batch1", "batch2"), (3, 3), "batches (B, N, K) and (B, K, M)")
    return _added("baddbmm", input, multiply(a, b), beta, alpha)


def addbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """``beta * input + alpha * (the sum of bmm(batch1, batch2) over the batch)``. See ``addmm``.

    Example:
        >>> import minigrad
        >>> minigrad.addbmm(minigrad.ones(1, 1), minigrad.ones(2, 1, 3), minigrad.ones(2, 3, 1))
        tensor([[7.]])
    """
    a, b = _ranked("addbmm", batch1, batch2, ("batch1", "batch2"), (3, 3), "batches (B, N, K) and (B, K, M)")
    return _added("addbmm", input, tensordot(a, b, ([0, 2], [0, 1])), beta, alpha)


def trace(input: Tensor) -> Tensor:
    """The sum of a matrix's diagonal.

    Raises:
        ShapeError: it is no matrix.

    Example:
        >>> import minigrad
        >>> minigrad.trace(minigrad.tensor([[1, 2], [3, 4]]))
        tensor(5)
    """
    shape = check_tensor("trace", "input", input).array.shape
    if len(shape) != 2:
        raise ShapeError("trace", "input", "a matrix", f"shape {tuple(shape)}")
    return sum_(diagonal(input))


def kron(input: Tensor, other: Tensor) -> Tensor:
    """Kronecker's product: each element of ``input`` times the whole of ``other``, as blocks.

    Example:
        >>> import minigrad
        >>> minigrad.kron(minigrad.tensor([1, 10]), minigrad.tensor([1, 2]))
        tensor([ 1,  2, 10, 20])
    """
    check_tensor("kron", "input", input), check_tensor("kron", "other", other)
    a, b = pair("kron", input, other)
    ndim = max(a.array.ndim, b.array.ndim)
    left = (1,) * (ndim - a.array.ndim) + tuple(a.array.shape)
    right = (1,) * (ndim - b.array.ndim) + tuple(b.array.shape)
    a = Reshape.apply(a, tuple([size for each in left for size in (each, 1)]))
    b = Reshape.apply(b, tuple([size for each in right for size in (1, each)]))
    return Reshape.apply(Mul.apply(a, b), tuple([x * y for x, y in zip(left, right)]))


__all__ = [
    "addbmm",
    "addmm",
    "addmv",
    "addr",
    "baddbmm",
    "bmm",
    "dot",
    "inner",
    "kron",
    "matmul",
    "mm",
    "mv",
    "outer",
    "tensordot",
    "trace",
    "vdot",
]
METHODS = (
    "addbmm",
    "addmm",
    "addmv",
    "addr",
    "baddbmm",
    "bmm",
    "dot",
    "inner",
    "kron",
    "matmul",
    "mm",
    "mv",
    "outer",
    "trace",
    "vdot",
)
OPERATORS = {"__matmul__": matmul, "__rmatmul__": _rmatmul}
