"""The functions by CUDA kernels of ours, ``functions.cu``: a launch each, forward and backward.

Why it is faster than ``vectorised.py``: there each operation of a formula is a launch and goes over the GPU's memory, up to a
dozen times for a derivative. Here an element is read once and its result written once, 128 bits at a time where arrays lie
alike, and what lies between stays in registers. Arrays of any strides are read where they are.
"""

from __future__ import annotations

from typing import Any

from minigrad.core.device import Array
from minigrad.kernels.activation import NUMBERS, vectorised
from minigrad.kernels.cuda import Program
from minigrad.kernels.cuda.elements import THREADS, fits, launch
from minigrad.kernels.layout import empty_like_layout

ACTIVATIONS = Program("activation/functions.cu")
KINDS = {kind: number for number, kind in enumerate(NUMBERS)}  # by which functions.cu knows them


def instances() -> list[tuple[Program, Any, int, int]]:
    """All that is launched from here: program, kernel and template, threads of a block, bytes of dynamic shared memory."""
    names, dtypes = ("forward", "backward", "gate"), ("float32", "float64")
    return [(ACTIVATIONS, (name, dtype), THREADS, 0) for name in names for dtype in dtypes]


def forward(x: Array, kind: str, *numbers: float) -> Array:
    """See the contract."""
    y = empty_like_layout(x)
    if not fits((y, x)):
        return vectorised.forward(x, kind, *numbers)
    launch(ACTIVATIONS["forward", x.dtype], (y, x), KINDS[kind], *_three(numbers))
    return y


def backward(dy: Array, saved: Array, kind: str, *numbers: float) -> Array:
    """See the contract."""
    dx = empty_like_layout(saved)
    if not fits((dx, dy, saved)):
        return vectorised.backward(dy, saved, kind, *numbers)
    launch(ACTIVATIONS["backward", dx.dtype], (dx, dy, saved), KINDS[kind], *_three(numbers))
    return dx


def gate(x: Array, mask: Array, factor: float) -> Array:
    """See the contract."""
    y = empty_like_layout(x)
    if not fits((y, x, mask)):
        return vectorised.gate(x, mask, factor)
    launch(ACTIVATIONS["gate", x.dtype], (y, x, mask), factor)
    return y


def _three(numbers: tuple[float, ...]) -> tuple[float, ...]:
    return (*numbers, 0.0, 0.0, 0.0)[:3]
