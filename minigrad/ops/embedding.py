"""Tables of vectors looked up by number."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module, quiet
from minigrad.core.tape import Function, mode
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError, DTypeError, IndexingError, ShapeError
from minigrad.kernels import embedding as kernel
from minigrad.kernels.checks import check_row_numbers
from minigrad.kernels.doubts import doubt
from minigrad.ops.sparse import SparseRows, add_rows


class Embedding(Function):
    """y[...] = w[index[...]];  dw[row] = factor[row] Σ dy at the places that name the row. The factor is 1 by default."""

    def forward(ctx, w: Array, index: Array, factor: Array | None, sparse: bool = False) -> Array:
        ctx.rows, ctx.sparse = w.shape[0], sparse
        ctx.named = index, factor  # what the rows are called, for who knows of an input that it consists of them
        ctx.save_for_backward(index, factor)
        return kernel.gather(w, index)

    def backward(ctx, dy: Tensor) -> Any:
        index, factor = ctx.saved_tensors
        scale = None if factor is None else factor.array
        if ctx.sparse and not mode.grad:  # a gradient that is to be differentiated again must be dense
            return _sparse_gradient(dy.array, index.array, scale, ctx.rows), None, None, None
        return EmbeddingGrad.apply(dy, index.array, scale, ctx.rows), None, None, None


class EmbeddingGrad(Function):
    """dw[row] = factor[row] Σ dy at the places that name the row;  ddy[...] = factor[row] ddw[index[...]]."""

    def forward(ctx, dy: Array, index: Array, factor: Array | None, rows: int) -> Array:
        ctx.save_for_backward(index, factor)
        return add_rows(dy, index, rows, factor)

    def backward(ctx, g: Tensor) -> Any:
        index, factor = ctx.saved_tensors
        if factor is not None:
            g = g * factor.unsqueeze(1)
        return Embedding.apply(g, index.array, None), None, None, None


class OneHot(Function):
    """y[.., k] = 1 where x[..] = k, else 0;  dx = none, as x are numbers of classes."""

    def forward(ctx, x: Array, num_classes: int) -> Array:
        return (x[..., None] == array_module(x).arange(num_classes)).astype(np.int64)


def _sparse_gradient(dy: Array, index: Array, factor: Array | None, rows: int) -> SparseRows:
    named, values = index.reshape(-1), dy.reshape(index.size, dy.shape[-1])
    if factor is None:
        return SparseRows(named, values, (rows, dy.shape[-1]))
    scale = factor[named]
    kept = scale != 0  # the row of padding has no part in it
    return SparseRows(named[kept], values[kept] * scale[kept][:, None], (rows, dy.shape[-1]))


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """The rows of ``weight`` that ``input`` names.

    Args:
        input: row numbers, of any shape.
        weight: (V, D), a vector for each of V numbers.
        padding_idx: a row that gets no gradient; counted from the end if negative.
        max_norm: first shorten, in place, each named row that is longer.
        norm_type: the norm that measures it.
        scale_grad_by_freq: divide the gradient of each row by how often ``input`` names it.
        sparse: give ``weight``, if it is a leaf, a gradient that holds the named rows alone (``SparseRows``).

    Raises:
        IndexingError: a row number outside 0 to V - 1, with its place; such a ``padding_idx``.
        DTypeError: ``input`` holds no integers.
        ShapeError: ``weight`` is no matrix.

    Example:
        >>> import minigrad
        >>> table = minigrad.tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> minigrad.nn.functional.embedding(minigrad.tensor([1, 0, 1]), table)
        tensor([[3., 4.],
                [1., 2.],
                [3., 4.]])
    """
    w = check_tensor("embedding", "weight", weight).array
    if w.ndim != 2:
        raise ShapeError("embedding", "weight", "2 dimensions (numbers, features)", f"shape {w.shape}")
    index = _numbers("embedding", input)
    if padding_idx is not None:
        if not -w.shape[0] <= padding_idx < w.shape[0]:
            raise IndexingError(
                "embedding", "padding_idx", f"a number from {-w.shape[0]} to {w.shape[0] - 1}", str(padding_idx)
            )
        padding_idx %= w.shape[0]
    if max_norm is not None or scale_grad_by_freq:
        check_row_numbers("embedding", "input", index, w, w.shape[0])
    if max_norm is not None:
        _shorten(weight, index, max_norm, norm_type)
    factor = None
    if weight.requires_grad and (padding_idx is not None or scale_grad_by_freq):
        xp = array_module(w)
        factor = xp.ones(w.shape[0], w.dtype)
        if scale_grad_by_freq:
            counts = xp.zeros(w.shape[0], np.int32)
            xp.add.at(counts, index.reshape(-1), np.int32(1))
            factor /= xp.maximum(counts, 1)
        if padding_idx is not None:
            factor[padding_idx] = 0
    return Embedding.apply(weight, index, factor, sparse)


def _numbers(where: str, input: Any) -> Array:
    """The array of row numbers; the kernel's contract looks at each."""
    index = check_tensor(where, "input", input).array
    if index.dtype.kind not in "iu":
        raise DTypeError(where, "input", "row numbers, int64 or int32", str(index.dtype), "Convert it with .long()")
    return index.astype(np.int64, copy=False)


def _shorten(weight: Tensor, index: Array, max_norm: float, norm_type: float) -> None:
    """Scale the named rows that are longer than ``max_norm`` down to it, in place and unrecorded."""
    w = weight.array
    xp = array_module(w)
    named = xp.unique(index)
    rows = w[named]
    lengths = xp.linalg.norm(rows, ord=norm_type, axis=1)
    with quiet():
        scale = xp.where(lengths > max_norm, max_norm / (lengths + 1e-7), 1).astype(w.dtype)
    w[named] = rows * scale[:, None]
    if weight._counter is not None:
        weight._counter[0] += 1


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Zeros with a 1 at the place that each number names, along a new last dimension.

    Args:
        tensor: class numbers, of any shape.
        num_classes: the size of that dimension; -1 for the largest number and 1.

    Raises:
        DTypeError: no integers.
        IndexingError: a number that is negative or not below ``num_classes``.
        ArgumentError: no numbers, from which the classes could be counted, or a negative ``num_classes``.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.one_hot(minigrad.tensor([2, 0]))
        tensor([[0, 0, 1],
                [1, 0, 0]])
    """
    index = check_tensor("one_hot", "tensor", tensor).array
    if index.dtype.kind not in "iu":
        raise DTypeError("one_hot", "tensor", "class numbers, int64", str(index.dtype), "Convert it with .long()")
    if num_classes == -1:
        if not index.size:
            raise ArgumentError("one_hot", "num_classes", "a number of classes, as there are no class numbers", "-1")
        num_classes = max(int(index.max()), 0) + 1
    if num_classes < 1:
        raise ArgumentError("one_hot", "num_classes", "at least 1, or -1 to count them", str(num_classes))

    def error() -> IndexingError:
        got = int(index.min()) if int(index.min()) < 0 else int(index.max())
        return IndexingError("one_hot", "tensor", f"class numbers from 0 to {num_classes - 1}", str(got))

    if index.size:
        doubt((index.min() < 0) | (index.max() >= num_classes), error)
    found: Tensor = OneHot.apply(tensor, num_classes)
    return found


__all__: list[str] = []
FUNCTIONAL = ("embedding", "one_hot")
METHODS = ()
