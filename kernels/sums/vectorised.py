"""NumPy's sum, and a product with ones where that is quicker, on any device.

Why it is faster than ``reference.py``: additions are made in compiled loops, several at a time. Where the axes are the outer
ones of memory, NumPy adds row by row, slowly where rows are short, and with an error that grows with their number. A product
with ones is better at both, as BLAS keeps many columns' sums in registers, and its blocks are added pairwise.
"""

from __future__ import annotations

import math

import numpy as np

from minigrad.core.device import Array, array_module

BLOCK = 1024  # rows added by one product; the sums of blocks are then added pairwise


def total(x: Array, axes: tuple[int, ...]) -> Array:
    """See the contract."""
    found = _by_product(x, axes) if type(x) is np.ndarray and x.size >= 2 * BLOCK else None
    return array_module(x).asarray(x.sum(axis=axes) if found is None else found)


def _by_product(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray | None:
    """The sum as ones @ rows, if the summed axes are the outer ones of memory without gaps; else None."""
    order = sorted(range(x.ndim), key=lambda axis: -x.strides[axis])
    count = len(axes)
    if count == x.ndim or sorted(order[:count]) != sorted(axes):
        return None
    in_order = x.transpose(order)
    rows = math.prod([x.shape[axis] for axis in axes])
    if rows < 16 or not in_order.flags.c_contiguous:
        return None
    table = in_order.reshape(rows, -1)
    blocks, rest = divmod(rows, BLOCK)
    ones = np.ones(min(rows, BLOCK), dtype=x.dtype)
    if not blocks:
        sums = ones @ table
    else:
        whole = blocks * BLOCK
        sums = np.matmul(ones, table[:whole].reshape(blocks, BLOCK, -1)).sum(axis=0)
        if rest:
            sums += ones[:rest] @ table[whole:]
    kept = order[count:]
    return sums.reshape([x.shape[axis] for axis in kept]).transpose(np.argsort(kept))
