"""What ops do on a GPU otherwise than on the CPU, so that nothing is copied there or waited for: numbers, sums at places."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module


def constant(number: Any, dtype: Any, beside: Array) -> Array:
    """A number as an array without dimensions on the device of another: made there, not copied.

    Raises:
        OverflowError: an integer that the dtype does not hold.
    """
    plain = np.asarray(number, dtype=dtype)
    if type(beside) is np.ndarray:
        return plain
    with beside.device:
        return array_module(beside).full((), plain[()], plain.dtype)


def add_at(y: Array, index: Any, values: Array) -> None:
    """``y[index] += values``, where a place named twice receives both.

    CuPy adds at places with instructions of the GPU that know no int64 and no small integers: those of int64 are added as
    the same bits of uint64, others in int32, and truth values as numbers.
    """
    xp = array_module(y)
    if xp is np or y.dtype.kind == "f" or y.dtype == np.int32:
        xp.add.at(y, index, values)
    elif y.dtype == np.int64:
        xp.add.at(y.view(np.uint64), index, values.astype(np.int64, copy=False).view(np.uint64))
    else:
        wide = y.astype(np.int32)
        xp.add.at(wide, index, values.astype(np.int32))
        y[...] = wide.astype(y.dtype)
