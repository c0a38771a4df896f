"""Packed blocks and the micro-kernel, shared among threads: the tuned rung for processors.

Why it is faster than ``vectorised.py``: bias and ReLU are in the same store; all matrices of a batch are one call; any strides
are read as they are, without a copy of the whole; and the threads are those of all other kernels, where BLAS's own ones go on
looking for work on a core that the next kernel needs. How blocks are packed and shared stands in ``kernels/products.py``;
with a memo B is rearranged once for all calls, see ``kernels/kept.py``.

Left to BLAS: products with a vector, which memory alone decides.
"""

from __future__ import annotations

import numpy as np

from minigrad.core.device import Array
from minigrad.kernels import products
from minigrad.kernels.kept import kept_product
from minigrad.kernels.matmul import vectorised
from minigrad.kernels.recurrence import Memo
from minigrad.kernels.recurrent_loops import given


def product(a: Array, b: Array, bias: Array | None, *, relu: bool, memo: Memo | None = None) -> Array:
    """See the contract."""
    if memo is not None and not relu and a.ndim == b.ndim == 2 and b.T.flags.c_contiguous and a.size and b.size:
        return np.ascontiguousarray(kept_product(memo, "product", (b.T,), given(bias, b.shape[1], b.dtype), a))
    way = vectorised if a.shape[-2] == 1 or b.shape[-1] == 1 else products
    return way.product(a, b, bias, relu=relu)


def product_into(a: Array, b: Array, out: Array, bias: Array | None, *, relu: bool) -> None:
    """See the contract."""
    way = vectorised if min(out.shape[-2:]) == 1 else products
    way.product_into(a, b, out, bias, relu=relu)
