"""The named rows by a CUDA kernel of ours, ``rows.cu``, where they lie: a step is one launch.

Why it is faster than ``vectorised.py``: there the rows of each array are gathered, worked on by a launch for each operation,
and scattered again. Here a thread reads numbers of a named row of all arrays, works in registers and writes them back, 128 bits
at a time where rows are made of such pieces.

A table with gaps between its elements is left to ``vectorised.py``, which gives the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from minigrad.core.device import Array, array_module
from minigrad.kernels.cuda import Program
from minigrad.kernels.cuda.launch import GRID
from minigrad.kernels.cuda.tensors import PACK, PIECE
from minigrad.kernels.row_update import vectorised

ROWS = Program("row_update/rows.cu", options=("--fmad=false",))
THREADS = 128


def instances() -> list[tuple[Program, Any, int, int]]:
    """All that is launched from here: program, kernel and template, threads of a block, bytes of dynamic shared memory."""
    names, dtypes = ("sgd", "adagrad", "adam"), ("float32", "float64")
    return [(ROWS, (name, dtype), THREADS, 0) for name in names for dtype in dtypes]


def sgd(x: Array, rows: Array, grads: Array, *, lr: float, maximize: bool) -> None:
    """See the contract."""
    if not _launched("sgd", (x,), rows, grads, lr, maximize):
        vectorised.sgd(x, rows, grads, lr=lr, maximize=maximize)


def adagrad(x: Array, rows: Array, grads: Array, sums: Array, *, lr: float, eps: float, maximize: bool) -> None:
    """See the contract."""
    if not _launched("adagrad", (x, sums), rows, grads, lr, eps, maximize):
        vectorised.adagrad(x, rows, grads, sums, lr=lr, eps=eps, maximize=maximize)


def adam(
    x: Array, rows: Array, grads: Array, means: Array, squares: Array, *, size: float, beta1: float, beta2: float, eps: float,
    maximize: bool,
) -> None:  # fmt: skip
    """See the contract."""
    settings = (size, 1.0 - beta1, 1.0 - beta2, eps, maximize)
    if not _launched("adam", (x, means, squares), rows, grads, *settings):
        vectorised.adam(
            x, rows, grads, means, squares, size=size, beta1=beta1, beta2=beta2, eps=eps, maximize=maximize
        )  # fmt: skip


def _launched(name: str, table: Sequence[Array], rows: Array, grads: Array, *settings: Any) -> bool:
    """Launch a step, unless an array of the table has gaps or a row is too long to count; whether that was so."""
    x = table[0]
    columns = prod(x.shape[1:])
    if columns > PIECE or not all(each.flags.c_contiguous for each in table):
        return False
    xp, kernel = array_module(x), ROWS[name, x.dtype]
    rows, grads = xp.ascontiguousarray(rows), xp.ascontiguousarray(grads)
    lanes = PACK // x.itemsize
    packed = columns % lanes == 0 and all(each.data.ptr % PACK == 0 for each in (*table, grads))
    across = columns // lanes if packed else columns  # threads of a row
    width = min(THREADS, 1 << max(across - 1, 0).bit_length())
    height = THREADS // width
    most = GRID[1] * height  # rows of a launch
    for start in range(0, len(rows), most):
        named, gradients = rows[start : start + most], grads[start : start + most]
        kernel(
            *table, named, gradients, len(named), columns, packed, *settings,
            work=(across, len(named)), tile=(width, height), block=(width, height),
        )  # fmt: skip
    return True
