"""Look-up and sum by CUDA kernels of ours, ``embedding.cu``.

Why it is faster than ``vectorised.py``: there a sum adds each number to its place by an atomic operation, and many that name
one row wait for each other; and its bits change from run to run. Here the row numbers, which are few beside the vectors, are
sorted on the device; each row of the table adds in registers what named it, in order, and is written once, four columns at a
time where their number allows it. A look-up copies four columns at a time too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module
from minigrad.kernels.checks import FLOATS
from minigrad.kernels.cuda import Program
from minigrad.kernels.cuda.strips import lanes
from minigrad.kernels.embedding import vectorised

EMBEDDING = Program("embedding/embedding.cu")
THREADS = 256


def instances() -> list[tuple[Program, Any, int, int]]:
    """All that is launched from here: program, kernel and template, threads of a block, bytes of dynamic shared memory."""
    tables = [("float32", 4), ("float32", 1), ("float64", 1)]
    both = [(name, *table) for name in ("gather", "sum_rows") for table in tables]
    return [(EMBEDDING, key, THREADS, 0) for key in ("find_starts", *both)]


def gather(w: Array, index: Array) -> Array:
    """See the contract."""
    if w.dtype not in FLOATS:
        return vectorised.gather(w, index)
    xp, width = array_module(w), w.shape[1]
    w, index = xp.ascontiguousarray(w), xp.ascontiguousarray(index)
    y = xp.empty((len(index), width), w.dtype)
    several = lanes(width, w, y)
    EMBEDDING["gather", w.dtype, several](w, index, y, len(index), width, **_over(len(index), width // several))
    return y


def scatter(dy: Array, index: Array, rows: int, factor: Array | None) -> Array:
    """See the contract."""
    xp, (count, width) = array_module(dy), dy.shape
    dy, factor = xp.ascontiguousarray(dy), None if factor is None else xp.ascontiguousarray(factor)
    keys = xp.sort(index * count + xp.arange(count))
    starts, dw = xp.empty(rows + 1, np.int32), xp.empty((rows, width), dy.dtype)
    EMBEDDING["find_starts"](keys, starts, rows, count, work=rows + 1, tile=THREADS, block=THREADS)
    several = lanes(width, dy, dw)
    EMBEDDING["sum_rows", dy.dtype, several](dy, keys, starts, factor, dw, rows, width, count, **_over(rows, width // several))
    return dw


def _over(rows: int, units: int) -> dict[str, Any]:
    """A launch with a thread for each unit of each row: blocks as wide as a row, where that is short."""
    wide = min(THREADS, 1 << max(units - 1, 0).bit_length())
    return {"work": (rows, units), "tile": (THREADS // wide, wide), "block": (wide, THREADS // wide)}
