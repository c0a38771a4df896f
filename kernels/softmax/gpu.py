"""Softmax and cross entropy by CUDA kernels of ours, ``softmax.cu`` and ``cross_entropy.cu``.

Why it is faster than ``vectorised.py``: there each of five passes goes through the GPU's memory, here the logits are read once
and what is made of them is written once. The maximum and the sum of powers are found together, in one pass that keeps the sum
below the greatest so far (Milakov and Gimelshein 2018). A row is shared by as many threads as it has work for, from one lane to
a block, that put their parts together by shuffles; all loads are of neighbouring numbers, 16 bytes at a time where rows allow
it. Cross entropy makes nothing of the logits' size but its gradient.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module
from minigrad.kernels.cuda import Program
from minigrad.kernels.cuda.rows import THREADS, packable, team

SOFTMAX = Program("softmax/softmax.cu")
CROSS_ENTROPY = Program("softmax/cross_entropy.cu")
COLUMNS = 32  # of a block, as in softmax.cu


def instances() -> list[tuple[Program, Any, int, int]]:
    """All that is launched from here: program, kernel and template, threads of a block, bytes of dynamic shared memory."""
    along = [(SOFTMAX, f"{way}_{lines}") for way in ("forward", "backward") for lines in ("rows", "columns")]
    losses = [(CROSS_ENTROPY, "cross_entropy_forward"), (CROSS_ENTROPY, "cross_entropy_backward")]
    return [(program, (name, dtype), THREADS, 0) for program, name in along + losses for dtype in ("float32", "float64")]


def forward(x: Array, axis: int, *, zeros: bool) -> Array:
    """See the contract."""
    return _forward(x, axis, False, zeros)


def backward(dy: Array, y: Array, axis: int) -> Array:
    """See the contract."""
    return _backward(dy, y, axis, False)


def log_forward(x: Array, axis: int) -> Array:
    """See the contract."""
    return _forward(x, axis, True, False)


def log_backward(dy: Array, y: Array, axis: int) -> Array:
    """See the contract."""
    return _backward(dy, y, axis, True)


def cross_entropy_forward(x: Array, target: Array, w: Array | None, *, smoothing: float) -> tuple[Array, Array, Array]:
    """See the contract."""
    xp, (rows, classes) = array_module(x), x.shape
    x, target = xp.ascontiguousarray(x), xp.ascontiguousarray(target)
    w = None if w is None else xp.ascontiguousarray(w)
    y, greatest, log_sum = (xp.empty(rows, x.dtype) for _ in range(3))
    width = team(classes)
    CROSS_ENTROPY["cross_entropy_forward", x.dtype](
        x, target, w, y, greatest, log_sum, rows, classes, smoothing, smoothing / classes, width, packable(classes, x),
        work=rows, tile=THREADS // width, block=THREADS,
    )  # fmt: skip
    return y, greatest, log_sum


def cross_entropy_backward(
    dy: Array, x: Array, target: Array, w: Array | None, greatest: Array, log_sum: Array, *, smoothing: float
) -> Array:
    """See the contract."""
    xp, (rows, classes) = array_module(x), x.shape
    dy, x, target, greatest, log_sum = map(xp.ascontiguousarray, (dy, x, target, greatest, log_sum))
    w = None if w is None else xp.ascontiguousarray(w)
    total = w.sum(dtype=np.float64, keepdims=True) if w is not None and smoothing else None
    dx, width = xp.empty(x.shape, x.dtype), team(classes)
    CROSS_ENTROPY["cross_entropy_backward", x.dtype](
        dy, x, target, w, greatest, log_sum, total, dx, rows, classes, smoothing, smoothing / classes, width,
        packable(classes, x, dx),
        work=rows, tile=THREADS // width, block=THREADS,
    )  # fmt: skip
    return dx


def _forward(x: Array, axis: int, logarithmic: bool, zeros: bool) -> Array:
    order = _memory_order(x)
    x, axis = _laid(x, order), order.index(axis)
    y = array_module(x).empty(x.shape, x.dtype)
    outer, length, inner = prod(x.shape[:axis]), x.shape[axis], prod(x.shape[axis + 1 :])
    if not y.size:
        return _back(y, order)
    if inner == 1:
        width, packed = team(length), packable(length, x, y)
        SOFTMAX["forward_rows", x.dtype](
            x, y, outer, length, width, packed, logarithmic, zeros, work=outer, tile=THREADS // width, block=THREADS
        )
    else:
        SOFTMAX["forward_columns", x.dtype](
            x, y, outer * inner, length, inner, logarithmic, zeros, work=outer * inner, tile=COLUMNS, block=_SQUARE
        )
    return _back(y, order)


def _backward(dy: Array, y: Array, axis: int, logarithmic: bool) -> Array:
    order = _memory_order(y)
    dy, y, axis = _laid(dy, order), _laid(y, order), order.index(axis)
    dx = array_module(y).empty(y.shape, y.dtype)
    outer, length, inner = prod(y.shape[:axis]), y.shape[axis], prod(y.shape[axis + 1 :])
    if not dx.size:
        return _back(dx, order)
    if inner == 1:
        width, packed = team(length), packable(length, dy, y, dx)
        SOFTMAX["backward_rows", y.dtype](
            dy, y, dx, outer, length, width, packed, logarithmic, work=outer, tile=THREADS // width, block=THREADS
        )
    else:
        SOFTMAX["backward_columns", y.dtype](
            dy, y, dx, outer * inner, length, inner, logarithmic, work=outer * inner, tile=COLUMNS, block=_SQUARE
        )
    return _back(dx, order)


_SQUARE = (COLUMNS, THREADS // COLUMNS)


def _memory_order(x: Array) -> list[int]:
    """The axes as they lie in memory, the slowest first."""
    return sorted(range(x.ndim), key=lambda axis: -abs(x.strides[axis]))


def _laid(x: Array, order: list[int]) -> Array:
    """The array with its axes in an order, gapless: a view where it lies so."""
    return array_module(x).ascontiguousarray(x.transpose(order))


def _back(x: Array, order: list[int]) -> Array:
    """The axes where they were."""
    return x.transpose([order.index(axis) for axis in range(x.ndim)])
