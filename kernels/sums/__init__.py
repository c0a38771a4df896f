"""Sums over some axes of an array.

    total    y[kept] = Σ over the other axes of x

x is float32 or float64, of at least one dimension, with any strides, and is never written to. y has the axes that are kept, in
their order, and x's dtype. A sum of nothing is 0. Additions may be made in any order; the same bits come with the same thread
count.

An implementation is given arguments that this file has checked and must keep to the same signatures.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core.device import Array, quiet
from minigrad.errors import ArgumentError
from minigrad.kernels.checks import check_arrays
from minigrad.kernels.choice import find

FUNCTIONS = ("total",)


def total(x: Array, axes: tuple[int, ...]) -> Array:
    """The sum over ``axes``: (...) to the shape of the axes that are left.

    Args:
        x: any shape of at least one dimension.
        axes: one or more, from 0, each once.

    Raises:
        ArgumentError: axes that x does not have, one twice, or none.
        DTypeError: other than float32 or float64.
        KernelError: the chosen implementation cannot run.

    Example:
        >>> import numpy as np
        >>> total(np.ones((2, 3, 4)), (0, 2))
        array([8., 8., 8.])
    """
    device_type = check_arrays("sums", (("input", x),))
    if type(axes) is not tuple or not axes or len({*axes}) != len(axes) or not {*axes} <= {*range(x.ndim)}:
        raise ArgumentError("sums", "axes", f"a tuple of some of {', '.join(map(str, range(x.ndim)))}, each once", repr(axes))
    with quiet():
        return find("sums", device_type).total(x, axes)


def tolerance(function: str, x: Array, axes: tuple[int, ...]) -> tuple[Any, ...]:
    """A rounding for each of the sum's additions that follow one another, of all that is added: √n of n of them at the most."""
    count = np.prod([x.shape[axis] for axis in axes], dtype=np.float64)
    size = np.minimum(np.abs(x.astype(np.float64)), np.finfo(x.dtype).max).sum(axis=axes)
    return (np.finfo(x.dtype).eps * (4 + np.sqrt(count)) * size,)
