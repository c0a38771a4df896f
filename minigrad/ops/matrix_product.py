"""The product of matrices, and of two vectors, with their derivatives. ``linalg.py`` brings the public functions to them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from minigrad.core.device import Array
from minigrad.core.tape import Function, mode
from minigrad.core.tensor import Tensor
from minigrad.ops.arithmetic import mul
from minigrad.ops.contraction import product
from minigrad.ops.dimensions import Permute, matrix_transpose
from minigrad.ops.shape import Reshape
from minigrad.ops.step_weights import Gather, as_rows, called, repeated, worth


class MatMul(Function):
    """C = A B of (.., N, K) and (.., K, M), leading dimensions broadcast;  dA = dC B^T, dB = A^T dC.

    A factor that many products of a graph share is given by ``left`` or ``right``, with a ticket: see ``step_weights.py``.
    """

    left: Gather | None = None
    right: Gather | None = None

    def forward(
        ctx,
        a: Array,
        b: Array,
        of_a: Any = None,
        of_b: Any = None,
        *,
        left: Gather | None = None,
        right: Gather | None = None,
    ) -> Array:
        need_a, need_b, *_ = ctx.edges
        ctx.save_for_backward(a if need_b else None, b if need_a else None)
        ctx.ranks = a.ndim, b.ndim
        if left is not None or right is not None:
            ctx.left, ctx.right = left, right
        return product(a, b)

    def backward(ctx, dc: Tensor) -> Any:
        a, b = ctx.saved_tensors
        need_a, need_b, *tickets = ctx.needs_input_grad
        da = db = of_a = of_b = None
        if need_a:
            if ctx.left is not None and tickets[0] and ctx.left.gathers:
                of_a = ctx.left.leave(dc.array.swapaxes(-1, -2), b.array.swapaxes(-1, -2))
            elif ctx.ranks[0] == 2 < dc.array.ndim:
                da = MatMul.apply(_side_by_side(dc), matrix_transpose(_side_by_side(b)))
            elif mode.direct:
                da = Tensor._wrap(product(dc.array, b.array.swapaxes(-1, -2)))
            else:
                da = MatMul.apply(dc, matrix_transpose(b))
        if need_b:
            piled = ctx.ranks[1] == 2 < dc.array.ndim
            if ctx.right is not None and tickets[1] and ctx.right.gathers:
                of_b = ctx.right.leave(*[as_rows(x.array) if piled else x.array for x in (a, dc)])
            elif piled:
                db = MatMul.apply(matrix_transpose(_piled(a)), _piled(dc))
            elif mode.direct:
                db = Tensor._wrap(product(a.array.swapaxes(-1, -2), dc.array))
            else:
                db = MatMul.apply(matrix_transpose(a), dc)
        return (da, db, of_a, of_b) if tickets else (da, db)


def _products(need: Sequence[bool], x: Array, y: Array) -> tuple[Array]:
    """The gradient of a factor from the rows of all products that it had a part in: X^T Y."""
    return (product(x.swapaxes(-1, -2), y),)


def multiply(a: Tensor, b: Tensor) -> Tensor:
    """``MatMul`` of two Tensors whose shapes fit. A factor that other products of the graph have too shares them."""
    if not mode.grad:
        return MatMul.apply(a, b)
    x, y = a.array, b.array
    alike = x.shape[:-2] == y.shape[:-2]
    columns, rows = y.shape[-1], x.size // x.shape[-1] if x.size else 0
    # The pieces are the other factor and the gradient of the result.
    of_a = a._requires_grad and alike and worth(y.size + rows * columns, x.size)
    of_b = b._requires_grad and (alike or y.ndim == 2) and worth(x.size + rows * columns, y.size)
    left = repeated("_step_left", (a,), _products, -2) if of_a else None
    right = repeated("_step_right", (b,), _products, -2) if of_b else None
    if left is None and right is None:
        c = MatMul.apply(a, b)
    else:
        first, ticket_a = (a, None) if left is None else left.handed_on((a,))
        second, ticket_b = (b, None) if right is None else right.handed_on((b,))
        c = MatMul.apply(first, second, ticket_a, ticket_b, left=left, right=right)
    if of_a and left is None:
        called("_step_left", a, c._node)
    if of_b and right is None:
        called("_step_right", b, c._node)
    return c


def _piled(x: Tensor) -> Tensor:
    """Matrices (.., N, K) one under the other: (.. N, K)."""
    *lead, columns = x.array.shape
    return Reshape.apply(x, (math.prod(lead), columns))


def _side_by_side(x: Tensor) -> Tensor:
    """Matrices (.., N, K) one beside the other: (N, .. K)."""
    *lead, rows, columns = x.array.shape
    ndim = x.array.ndim
    moved = Permute.apply(x, (ndim - 2, *range(ndim - 2), ndim - 1))
    return Reshape.apply(moved, (rows, math.prod(lead) * columns))


class Dot(Function):
    """c = sum_i a_i b_i;  da = dc b, db = dc a."""

    def forward(ctx, a: Array, b: Array) -> Array:
        need_a, need_b = ctx.edges
        ctx.save_for_backward(a if need_b else None, b if need_a else None)
        return product(a.reshape(1, -1), b.reshape(-1, 1)).reshape(())

    def backward(ctx, dc: Tensor) -> Any:
        a, b = ctx.saved_tensors
        need_a, need_b = ctx.needs_input_grad
        return mul(dc, b) if need_a else None, mul(dc, a) if need_b else None
