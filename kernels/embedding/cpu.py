"""Look-up and sum in compiled loops: the tuned rung for processors.

Why it is faster than ``vectorised.py``: a sum adds whole rows, in vector registers, where ``add.at`` computes and looks up a
place for each number. Threads share the rows of the table: each goes over all the numbers, which are few beside the vectors,
and adds those that are its own. So no two write to one row, and its terms are added in the order of k however many threads
there are.
"""

from __future__ import annotations

import numpy as np

from minigrad.core.device import Array
from minigrad.kernels.checks import FLOATS
from minigrad.kernels.embedding import vectorised
from minigrad.kernels.native import Ints, Real, kernel, parts_for, real, share


def gather(w: Array, index: Array) -> Array:
    """See the contract."""
    if w.dtype not in FLOATS or not w.flags.c_contiguous:
        return vectorised.gather(w, index)
    y = np.empty((len(index), w.shape[1]), w.dtype)
    copy(w, np.ascontiguousarray(index), y, len(index), w.shape[1], parts=parts_for(2 * y.nbytes))
    return y


def scatter(dy: Array, index: Array, rows: int, factor: Array | None) -> Array:
    """See the contract."""
    dy, index, factor = (None if each is None else np.ascontiguousarray(each) for each in (dy, index, factor))
    width = dy.shape[1]
    dw = np.empty((rows, width), dy.dtype)
    add(dy, index, factor, dw, len(index), width, rows, factor is not None, parts=parts_for(dw.nbytes + dy.nbytes))
    return dw


@kernel
def copy(w: Real, index: Ints, y: Real, count: int, width: int, part: int, parts: int) -> None:
    """y[k] = w[index[k]]."""
    start, stop = share(count, part, parts)
    for k in range(start, stop):
        row = index[k]
        for i in range(width):
            y[k * width + i] = w[row * width + i]


@kernel
def add(
    dy: Real, index: Ints, factor: Real, dw: Real, count: int, width: int, rows: int, has_factor: int, part: int, parts: int
) -> None:
    """dw[index[k]] += dy[k], for this part's rows."""
    start, stop = share(rows, part, parts)
    for i in range(start * width, stop * width):
        dw[i] = real(0.0)
    for k in range(count):
        row = index[k]
        if row >= start and row < stop:
            for i in range(width):
                dw[row * width + i] += dy[k * width + i]
    if has_factor:
        for row in range(start, stop):
            f = factor[row]
            if f == real(0.0):
                for i in range(row * width, (row + 1) * width):
                    dw[i] = real(0.0)
            elif f != real(1.0):
                for i in range(row * width, (row + 1) * width):
                    dw[i] = dw[i] * f
