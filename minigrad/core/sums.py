"""Sums of arrays over some of their axes. Every bias has its gradient from here."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from minigrad.core.device import Array
from minigrad.kernels import sums as kernel

SMALL = 1 << 12  # bytes below which NumPy is as quick,
LARGE = 1 << 15  # bytes from which the kernel's way is the shorter one,
LARGE_TABLE = 1 << 17  # and where BLAS adds rows
ROWS = 1024  # that BLAS may add one after another: the error grows with their number
CALLS, WIDE = 64, 8  # of BLAS for one sum, and how many numbers each must give


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
    if size < SMALL or type(x) is not np.ndarray or x.dtype.char not in "fd" or not (dtype is None or dtype == x.dtype):
        return x.sum(axis=axes, keepdims=keepdim, dtype=dtype)
    if axes == (0,) and x.ndim == 2 and size < LARGE_TABLE and x.flags.c_contiguous and len(x) <= ROWS:
        found = _ones(len(x), x.dtype) @ x  # the bias of a small layer: NumPy's sum is slow where rows are short
    elif size < LARGE and len(axes) == 1 and x.flags.c_contiguous and (short := _of_short_rows(x, *axes)) is not None:
        found = short
    elif axes and size >= LARGE:
        found = kernel.total(x, axes)
    else:
        return x.sum(axis=axes, keepdims=keepdim, dtype=dtype)
    return found.reshape([1 if axis in axes else count for axis, count in enumerate(x.shape)]) if keepdim else found


def _of_short_rows(x: np.ndarray, axis: int) -> np.ndarray | None:
    """The sum over one axis by BLAS, which NumPy's is slower than; ``None`` where its error or its calls would be many."""
    shape = x.shape
    count, outer, inner = shape[axis], math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
    if count > ROWS or not count:
        return None
    if inner == 1:
        found: np.ndarray = x.reshape(outer, count) @ _ones(count, x.dtype)
    elif outer <= CALLS and inner >= WIDE:
        found = np.matmul(_ones(count, x.dtype), x.reshape(outer, count, inner))
    else:
        return None
    return found.reshape((*shape[:axis], *shape[axis + 1 :]))


@functools.lru_cache(256)
def _ones(count: int, dtype: np.dtype) -> np.ndarray:
    ones = np.ones(count, dtype)
    ones.flags.writeable = False
    return ones
