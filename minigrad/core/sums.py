"""Sums over the outer axes of memory.

NumPy adds them row by row: slowly where rows are short, and with an error that grows with their number. A product with ones is
better at both. Every bias has its gradient from here, every batch norm its statistics.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigrad.core.device import Array

BLOCK = 1024  # rows added by one product; the sums of blocks are then added pairwise


def total(x: Array, axes: tuple[int, ...], keepdim: bool = False, dtype: Any = None) -> Array:
    """``x.sum(axis=axes, keepdims=keepdim, dtype=dtype)``, by the quicker way.

    Args:
        x: an array of any shape and strides.
        axes: counted from 0.
        keepdim: keep them with size 1.
        dtype: that of the sum; default NumPy's.

    Example:
        >>> total(np.ones((3000, 2), np.float32), (0,))
        array([3000., 3000.], dtype=float32)
    """
    if x.size >= 2048 and type(x) is np.ndarray and x.dtype.char in "fd" and (dtype is None or dtype == x.dtype):
        found = _by_product(x, axes)
        if found is not None:
            return np.expand_dims(found, axes) if keepdim else found
    return x.sum(axis=axes, keepdims=keepdim, dtype=dtype)


def _by_product(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray | None:
    """The sum as ones @ rows, if the summed axes are the outer ones of memory without gaps; else None."""
    shape, strides = x.shape, x.strides
    if axes == (0,) and len(shape) == 2 and 16 <= shape[0] <= BLOCK and x.flags.c_contiguous:  # the bias of a small layer
        return np.ones(shape[0], x.dtype) @ x
    order = sorted(range(x.ndim), key=lambda axis: -strides[axis])
    count = len(axes)
    if not 0 < count < x.ndim or sorted(order[:count]) != sorted(axes):
        return None
    in_order = x.transpose(order)
    if not in_order.flags.c_contiguous:
        return None
    rows = math.prod([shape[axis] for axis in axes])
    if rows < 16:
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
    sums = sums.reshape([shape[axis] for axis in kept])
    return sums if len(kept) == 1 else sums.transpose(np.argsort(kept))
