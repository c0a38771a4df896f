"""Rows of a table looked up by number, and the sum of gradients into the rows that were named.

With a table w (V, D), numbers index (K,), vectors dy (K, D), and factors of the rows, 1 by default::

    gather   y[k]  = w[index[k]]
    scatter  dw[v] = factor[v] · Σ dy[k] over the k with index[k] = v

Each is the other's transpose (with a factor of 1). The terms of a row are added in the order of k, whatever the number of
threads: the same bits always.

dy is float32 or float64, w of any dtype, both with any strides; the index is int64. None is written to. V, D and K may be 0.
Results are in C order. Here numbers may have any shape; an implementation is given arguments that this file has checked, and
vectors of numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core.device import Array, quiet
from minigrad.errors import ShapeError
from minigrad.kernels.checks import FLOATS, check_arrays, check_rank, check_row_numbers, integers
from minigrad.kernels.choice import find

FUNCTIONS = ("gather", "scatter")
TABLES: tuple[np.dtype[Any], ...] = (*FLOATS, *map(np.dtype, ("float16", "int64", "int32", "int16", "int8", "uint8", "bool")))


def gather(w: Array, index: Array) -> Array:
    """The named rows: (V, D) and numbers of any shape to that shape and D.

    Raises:
        ShapeError: w is no matrix.
        DTypeError: no array of numbers, or row numbers that are not int64.
        IndexingError: a number outside 0 to V - 1, with its place.
        DeviceError: arrays on two devices.
        KernelError: the chosen implementation cannot run.

    Example:
        >>> import numpy as np
        >>> gather(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1, 0, 1])).tolist()
        [[3.0, 4.0], [1.0, 2.0], [3.0, 4.0]]
    """
    device_type = check_arrays("embedding", (("weight", w),), TABLES)
    check_rank("embedding", "weight", w, "V, D")
    check_row_numbers("embedding", "input", index, w, w.shape[0])
    with quiet():
        y = find("embedding", device_type).gather(w, index.reshape(-1))
    return y.reshape(*index.shape, w.shape[1])


def scatter(dy: Array, index: Array, rows: int, factor: Array | None = None) -> Array:
    """Vectors summed into a table by the numbers of its rows: numbers of any shape, and that shape and D, to (V, D).

    Args:
        dy: the vectors.
        index: the row of each.
        rows: V.
        factor: (V,), by which each row's sum is multiplied; where it is 0, the row is 0 whatever the sum.

    Raises:
        ShapeError, DTypeError, IndexingError, DeviceError, KernelError: as :func:`gather`; or shapes that do not fit.
        ArgumentError: ``rows`` is no number of rows.

    Example:
        >>> import numpy as np
        >>> scatter(np.array([[1.0], [2.0], [4.0]]), np.array([1, 0, 1]), 3).tolist()
        [[2.0], [5.0], [0.0]]
    """
    named = (("grad_output", dy),) if factor is None else (("grad_output", dy), ("factor", factor))
    device_type = check_arrays("embedding", named)
    (rows,) = integers("embedding", "rows", (rows,), "a number of rows, 0 or more", 0)
    check_row_numbers("embedding", "input", index, dy, rows)
    if not dy.ndim or index.shape != dy.shape[:-1]:
        expected = f"a vector for each of the numbers, which have shape {index.shape}"
        raise ShapeError("embedding", "grad_output", expected, f"shape {dy.shape}")
    if factor is not None and factor.shape != (rows,):
        raise ShapeError("embedding", "factor", f"shape ({rows},), one for each row", f"shape {factor.shape}")
    dy = dy.reshape(index.size, dy.shape[-1])
    with quiet():
        return find("embedding", device_type).scatter(dy, index.reshape(-1), rows, factor)


def tolerance(function: str, *args: Any) -> tuple[Any]:
    """How far an implementation may be from the reference: not at all for rows, 4 · √K · eps · Σ|dy| for sums of up to K."""
    from minigrad.kernels.embedding import reference

    if function == "gather":
        return (0.0,)
    dy, index, rows, factor = args
    bound = reference.scatter(abs(dy), index, rows, None if factor is None else abs(factor))
    return (4 * (len(index) + 1) ** 0.5 * float(np.finfo(dy.dtype).eps) * bound,)
