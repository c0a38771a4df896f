"""The products of the arrays' module, on any device: BLAS, or what the GPU has for it.

Why it is faster than ``reference.py``: these libraries keep blocks of both matrices in the caches and multiply whole vectors.
NumPy multiplies what lies otherwise in memory than BLAS takes it with a plain loop, a hundred times slower, so that it is
copied first. Batches of A against a single B are one product.
"""

from __future__ import annotations

import math

from minigrad.core.device import Array, array_module
from minigrad.kernels.recurrence import Memo


def product(a: Array, b: Array, bias: Array | None, *, relu: bool, memo: Memo | None = None) -> Array:
    """See the contract."""
    xp = array_module(a)
    if b.ndim > 2 or a.ndim == 2:
        c = xp.matmul(for_blas(a), for_blas(b))
    else:
        rows = math.prod(a.shape[:-1])
        c = xp.empty((*a.shape[:-1], b.shape[1]), a.dtype)
        xp.matmul(for_blas(a.reshape(rows, a.shape[-1])), for_blas(b), out=c.reshape(rows, b.shape[1]))
    _finish(c, bias, relu)
    return c


def product_into(a: Array, b: Array, out: Array, bias: Array | None, *, relu: bool) -> None:
    """See the contract."""
    if for_blas(out) is out:
        array_module(a).matmul(for_blas(a), for_blas(b), out=out)
        _finish(out, bias, relu)
    else:
        out[...] = product(a, b, bias, relu=relu)


def _finish(c: Array, bias: Array | None, relu: bool) -> None:
    if bias is not None:
        c += bias
    if relu:
        array_module(c).maximum(c, 0, out=c)


def for_blas(x: Array) -> Array:
    """``x``, or a copy: its matrices in memory that BLAS takes, rows or columns without gaps inside and without overlap."""
    if x.flags.c_contiguous:
        return x
    rows, columns = x.shape[-2:]
    down, right = x.strides[-2:]
    size = x.itemsize
    if (right == size and down >= columns * size) or (down == size and right >= rows * size):
        return x
    return x.copy(order="C")
