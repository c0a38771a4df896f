"""Sums of arrays over some of their axes. Every bias has its gradient from here."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core.device import Array
from minigrad.kernels import sums as kernel

LARGE = 1 << 15  # bytes from which the kernel's way is the shorter one,
LARGE_TABLE = 1 << 17  # and where BLAS adds rows
ROWS = 1024  # that BLAS may add one after another: the error grows with their number


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
    size = x.nbytes
    if size < 8192 or type(x) is not np.ndarray or x.dtype.char not in "fd" or not (dtype is None or dtype == x.dtype):
        return x.sum(axis=axes, keepdims=keepdim, dtype=dtype)
    if axes == (0,) and x.ndim == 2 and size < LARGE_TABLE and x.flags.c_contiguous and len(x) <= ROWS:
        found = np.ones(len(x), x.dtype) @ x  # the bias of a small layer: NumPy's sum is slow where rows are short
    elif axes and size >= LARGE:
        found = kernel.total(x, axes)
    else:
        return x.sum(axis=axes, keepdims=keepdim, dtype=dtype)
    return np.expand_dims(found, axes) if keepdim else found
