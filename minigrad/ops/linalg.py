"""Products of matrices and vectors."""

from __future__ import annotations

from typing import Any

from minigrad.core.device import Array, array_module
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor
from minigrad.errors import ShapeError
from minigrad.ops.operands import pair


class MatMul(Function):
    """C = A B;  dA = dC B^T, dB = A^T dC. Leading dimensions broadcast."""

    def forward(ctx, a: Array, b: Array) -> Array:
        need_a, need_b = ctx.edges
        ctx.save_for_backward(a if need_b else None, b if need_a else None)
        return array_module(a).matmul(a, b)

    def backward(ctx, dc: Tensor) -> Any:
        a, b = ctx.saved_tensors
        need_a, need_b = ctx.needs_input_grad
        return MatMul.apply(dc, b.mT) if need_a else None, MatMul.apply(a.mT, dc) if need_b else None


class Transpose(Function):
    """Y = X with the last two dimensions exchanged;  dX = dY likewise."""

    is_view = True

    def forward(ctx, x: Array) -> Array:
        return x.swapaxes(-1, -2)

    def backward(ctx, dy: Tensor) -> Any:
        return Transpose.apply(dy)


def matrix_transpose(x: Tensor) -> Tensor:
    return Transpose.apply(x)


def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """The product of two matrices, (N, K) and (K, M)."""
    if input.array.shape[-1] != mat2.array.shape[-2]:
        raise ShapeError("mm", "mat2", f"{input.array.shape[-1]} rows", str(mat2.array.shape))
    return MatMul.apply(*pair("mm", input, mat2))


__all__ = ["mm"]
METHODS = ("mm",)
OPERATORS = {"__matmul__": mm, "mT": property(matrix_transpose)}
