"""One compiled pass over memory: the tuned rung for processors.

Why it is faster than ``vectorised.py``: each element is read once, all of the formula is done on it in registers, a vector of
elements at a time, and the result is written once; NumPy goes through memory for each addition. exp, tanh and erf are the
polynomials of ``native/maths.py``, which stand in the loop itself, and a gate is a choice between two registers, which costs
nothing beside the reading. Large arrays are shared among threads.

An element's place does not matter: where all arrays lie alike, gapless, in whatever order of axes, the loop walks memory from
begin to end. Others are copied first.
"""

from __future__ import annotations

import numpy as np

from minigrad.core.device import Array
from minigrad.kernels.activation import loops
from minigrad.kernels.native import parts_for

_NONE = (0.0, 0.0, 0.0)
# A byte costs less here than `parts_for` reckons with: another thread that has gone to sleep is woken in the time of relu over
# 1 MB, or of sigmoid over 256 kB.
_LIGHTER = {kind: 3 if kind in ("relu", "hardtanh", "leaky_relu") else 1 for kind in loops.FORWARD}  # powers of 2


def forward(x: Array, kind: str, *numbers: float) -> Array:
    """See the contract."""
    y = np.empty_like(x)
    if x.strides != y.strides:
        x = _laid(x, y)
    parts = parts_for(x.nbytes >> _LIGHTER[kind])
    loops.FORWARD[kind](x, y, *numbers, *_NONE[len(numbers) :], x.size, parts=parts)
    return y


def backward(dy: Array, saved: Array, kind: str, *numbers: float) -> Array:
    """See the contract."""
    dx = np.empty_like(saved)
    if dy.strides != dx.strides or saved.strides != dx.strides:
        dy, saved = _laid(dy, dx), _laid(saved, dx)
    parts = parts_for(dx.nbytes >> _LIGHTER[kind])
    loops.BACKWARD[kind](dy, saved, dx, *numbers, *_NONE[len(numbers) :], dx.size, parts=parts)
    return dx


def gate(x: Array, mask: Array, factor: float) -> Array:
    """See the contract."""
    y = np.empty_like(x)
    loops.gate(_laid(x, y), _laid(mask, y), y, factor, x.size, parts=parts_for(x.nbytes >> 3))
    return y


def _laid(x: Array, like: Array) -> Array:
    """x itself if it lies as another array does, which is gapless; else a copy that does."""
    if x.strides == like.strides and x.itemsize == like.itemsize:
        return x
    steps = [stride // like.itemsize for stride in like.strides]
    if all(a == b * x.itemsize or size == 1 for a, b, size in zip(x.strides, steps, x.shape)):
        return x
    alike = np.empty_like(like, dtype=x.dtype)
    np.copyto(alike, x)
    return alike
