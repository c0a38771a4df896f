"""Sums and products of two arrays: by the kernels where they are large and of one shape, by the arrays' operators elsewhere."""

from __future__ import annotations

from typing import Any

from numpy import ndarray

from minigrad.core.device import Array
from minigrad.kernels import elementwise as kernel

LARGE = 1 << 20  # bytes: below, NumPy alone is as quick


def plus(a: Array, b: Array) -> Any:
    """``a + b``.

    Example:
        >>> import numpy as np
        >>> plus(np.ones(2), np.array(3.0))
        array([4., 4.])
    """
    return kernel.add(a, b) if _for_kernels(a, b) else a + b


def times(a: Array, b: Array) -> Any:
    """``a * b``.

    Example:
        >>> import numpy as np
        >>> times(np.ones(2), np.array(3.0))
        array([3., 3.])
    """
    return kernel.multiply(a, b) if _for_kernels(a, b) else a * b


def add_to(a: Array, b: Array) -> None:
    """``a += b``, where b lies in other memory.

    Example:
        >>> import numpy as np
        >>> a = np.ones(2)
        >>> add_to(a, np.array(3.0)); a
        array([4., 4.])
    """
    if _for_kernels(a, b):
        kernel.accumulate(a, b)
    else:
        a += b


def _for_kernels(a: Array, b: Array) -> bool:
    return (
        type(a) is type(b) is ndarray
        and a.nbytes >= LARGE
        and a.shape == b.shape
        and a.dtype is b.dtype
        and a.dtype.char in "fd"
    )
