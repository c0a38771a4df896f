"""What all products of matrices and tensors come down to: products of arrays, and the sum of products of two tensors.

The dimensions of two tensors fall into those that both have and the result keeps (the batch), those that both have and the
result sums over, and those of one alone. That is a product of matrices, and its two gradients are products of the same kind.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Hashable
from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor
from minigrad.kernels import matmul as kernel
from minigrad.kernels.recurrence import Memo
from minigrad.kernels.registry import functions_of
from minigrad.ops.arithmetic import Mul
from minigrad.ops.dimensions import Permute
from minigrad.ops.shape import Reshape, can_view

Labels = tuple[Hashable, ...]


def product(a: Array, b: Array, bias: Array | None = None, relu: bool = False, memo: Memo | None = None) -> Array:
    """A B of arrays of equal dtype and at least two dimensions; then the bias is added, and with ``relu`` the rest below 0 cut.

    Large products of float32 and float64 are the kernel's, small ones and other dtypes the array module's. float16, which BLAS
    lacks, is multiplied and summed as float32. Columns times rows, where nothing is summed, are no product of matrices. In
    ``memo`` the kernel may keep what it derives from B.
    """
    dtype = a.dtype
    if dtype.char not in "fd":
        if dtype.kind == "f" and dtype.itemsize == 2 and type(a) is np.ndarray:
            wide = None if bias is None else bias.astype(np.float32)
            return product(a.astype(np.float32), b.astype(np.float32), wide, relu).astype(dtype)
        return _plain().product(a, b, bias, relu=relu)
    if a.shape[-1] == 1 and bias is None and not relu:
        made: Array = array_module(a).multiply(a, b)
        return made
    if type(a) is np.ndarray and a.size * b.shape[-1] <= kernel.SMALL and b.size * a.shape[-2] <= kernel.SMALL:
        return _plain().product(a, b, bias, relu=relu)
    return kernel.product(a, b, bias, relu=relu, memo=memo)


@functools.cache
def _plain() -> Any:
    """The product by the arrays' own module, loaded at its first use."""
    return functions_of("matmul", "vectorised")


class Contract(Function):
    """C[o] = sum of A[i] B[j] over the labels that o lacks;  dA[i] = sum of dC[o] B[j], dB[j] = sum of A[i] dC[o], likewise.

    Each label stands in two of i, j, o at least, and once in each.
    """

    def forward(ctx, a: Array, b: Array, i: Labels, j: Labels, o: Labels) -> Array:
        ctx.labels = i, j, o
        need_a, need_b = ctx.edges[:2]
        ctx.save_for_backward(a if need_b else None, b if need_a else None)
        return contract(a, b, i, j, o)

    def backward(ctx, dc: Tensor) -> Any:
        a, b = ctx.saved_tensors
        i, j, o = ctx.labels
        need_a, need_b = ctx.needs_input_grad[:2]
        da = multiplied(dc, b, o, j, i) if need_a else None
        db = multiplied(a, dc, i, o, j) if need_b else None
        return da, db, None, None, None


def contract(a: Array, b: Array, i: Labels, j: Labels, o: Labels) -> Array:
    """``Contract`` on arrays, as a product of (batch, rows, inner) and (batch, inner, columns)."""
    batch = [label for label in o if label in i and label in j]
    inner = [label for label in i if label in j and label not in o]
    rows, columns = [label for label in o if label not in j], [label for label in o if label not in i]
    if rows and columns and o.index(rows[0]) > o.index(columns[0]):  # the result comes out in its order without a copy
        a, b, i, j, rows, columns = b, a, j, i, columns, rows
    size = {**dict(zip(i, a.shape)), **dict(zip(j, b.shape))}
    if len(inner) > 1:
        other = [label for label in j if label in inner]
        inner = min((inner, other), key=lambda order: _copies(a, b, i, j, rows, order, columns))
    c = product(_matrices(a, i, batch, rows, inner), _matrices(b, j, batch, inner, columns))
    made = (*batch, *rows, *columns)
    c = c.reshape([size[label] for label in made])
    return c if made == o else c.transpose([made.index(label) for label in o])


def _matrices(x: Array, labels: Labels, batch: list, down: list, right: list) -> Array:
    """``x`` as matrices: its axes put in order, those of each side made one. A view where its memory allows it."""
    x = x.transpose([labels.index(label) for label in (*batch, *down, *right)])
    start, middle = len(batch), len(batch) + len(down)
    shape = (*x.shape[:start], math.prod(x.shape[start:middle]), math.prod(x.shape[middle:]))
    return x.reshape(shape)


def _copies(a: Array, b: Array, i: Labels, j: Labels, rows: list, inner: list, columns: list) -> int:
    """How many elements must be copied to make one axis of the inner labels in this order."""
    total = 0
    for x, labels, other in ((a, i, rows), (b, j, columns)):
        for group in (inner, other):
            axes = [labels.index(label) for label in group]
            shape, strides = [x.shape[axis] for axis in axes], [x.strides[axis] for axis in axes]
            if not can_view(shape, strides, (math.prod(shape),)):
                total += x.size
                break
    return total


def multiplied(a: Tensor, b: Tensor, i: Labels, j: Labels, o: Labels) -> Tensor:
    """``Contract``, or, where nothing is summed over, the plain product of the two spread out."""
    if any(label in j and label not in o for label in i):
        return Contract.apply(a, b, i, j, o)
    return Mul.apply(_spread(a, i, o), _spread(b, j, o))


def _spread(x: Tensor, labels: Labels, o: Labels) -> Tensor:
    """``x`` with an axis for each label of ``o``, of size 1 where it has none."""
    order = tuple([labels.index(label) for label in o if label in labels])
    if order != tuple(range(len(labels))):
        x = Permute.apply(x, order)
    if len(labels) == len(o):
        return x
    sizes = iter(x.array.shape)
    return Reshape.apply(x, tuple([next(sizes) if label in labels else 1 for label in o]))
