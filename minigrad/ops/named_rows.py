"""Rows of a small table, known as such: what an ``Embedding`` gives to a recurrent layer.

A layer multiplies its input by W_ih for all steps at once. Where the input's rows were looked up in a table that has fewer, as
the characters of a text are, each row of the table need be multiplied once only; and on the way back
the gradients of all places that name a row are summed first, S_v = Σ da over them, so that dE = S W_ih and dW_ih = Σ S_vᵀ E_v
have as few terms. The values are the same but for rounding, the products a fraction of the work.

On the way back this goes past the nodes of the look-up, straight to the table. It does so only where nobody looks at what
would have come by there: no hook, no ``retain_grad``, no ``autograd.grad`` that asks for it. That is decided then, not before.
"""

from __future__ import annotations

from typing import Any

from minigrad.core.device import Array, array_module
from minigrad.core.tape import Function, mode
from minigrad.core.tensor import Tensor
from minigrad.kernels import embedding as kernel
from minigrad.ops.contraction import product
from minigrad.ops.embedding import Embedding

LEAST = 2  # rows for each of the table's, before it is worth it


class NamedRows:
    """Which rows of a table an input consists of.

    Attributes:
        rows: (U,), those that are named, each once.
        first: (U,), a place of each in the input.
        index: (rows of the input,), which of these U stands at each place.
        size: how many rows the table has.
        factor: of the table's gradient, a number for each row, or ``None``.
        path: the nodes, and which of their outputs, between the table and the input.
    """

    __slots__ = ("factor", "first", "index", "path", "rows", "size")

    def __init__(self, named: Array, size: int, factor: Array | None, path: list[tuple[Function, int]]) -> None:
        xp = array_module(named)
        self.rows, self.first, self.index = xp.unique(named, return_index=True, return_inverse=True)
        self.size, self.factor, self.path = size, factor, path

    @property
    def watched(self) -> bool:
        """Whether somebody wants to see the gradient of the input, or of a view of it, in the pass back that runs."""
        captured = mode.walk.captured
        return bool(mode.observers) or any(
            node._hooks or node._retained or (id(node), nr) in captured for node, nr in self.path
        )

    def sums(self, da: Array) -> Array:
        """S (U, columns of da): the sum for each row that is named."""
        return kernel.scatter(da, self.index, len(self.rows))

    def gradient(self, sums: Array, w_ih: Array) -> Array:
        """dE = S W_ih, with the factor that the look-up has."""
        grad = array_module(sums).zeros((self.size, w_ih.shape[1]), sums.dtype)
        grad[self.rows] = product(sums, w_ih)
        if self.factor is not None:
            grad *= self.factor[:, None]
        return grad


def named_rows(input: Tensor) -> tuple[NamedRows, Tensor] | None:
    """What a matrix's rows were looked up as, and the table; ``None`` where that is not known, or not worth knowing.

    The table must be a leaf, the rows unchanged since they were looked up, and the input the whole of them, in their order.
    """
    rows, base = input.array, input if input._base is None else input._base
    path: list[tuple[Function, int]] = []
    node: Any = input.grad_fn
    while node is not None and type(node) is not Embedding:
        if not (isinstance(node, Function) and node.is_view and node.edges[0] is not None):
            return None
        path.append((node, 0))
        node = node.edges[0][0]
    if node is None or base.grad_fn is not node or base._counter is None or base._counter[0]:
        return None
    path.append((node, 0))
    edge, (index, factor) = node.edges[0], node.named
    if edge is None or not isinstance(edge[0], Tensor) or node.sparse:
        return None
    table = edge[0]
    whole = rows.flags.c_contiguous and base.array.flags.c_contiguous and rows.size == base.array.size
    if not whole or rows.shape[1] != table.array.shape[1] or LEAST * len(table.array) > len(rows):
        return None
    return NamedRows(index.reshape(-1), len(table.array), factor, path), table


__all__: list[str] = []
