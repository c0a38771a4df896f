"""Sums and products by CUDA kernels of ours, ``arithmetic.cu``.

Why it is faster than ``vectorised.py``: a thread reads and writes 128 bits at a time where arrays lie alike, in whatever order
of memory. Where they do not, no copy is made: each thread computes where its element lies in each array by multiplications and
shifts, from numbers that come with the launch.
"""

from __future__ import annotations

from typing import Any

from minigrad.core.device import Array
from minigrad.kernels.cuda import Program
from minigrad.kernels.cuda.elements import THREADS, fits, launch
from minigrad.kernels.elementwise import vectorised
from minigrad.kernels.layout import empty_like_layout

ARITHMETIC = Program("elementwise/arithmetic.cu")


def instances() -> list[tuple[Program, Any, int, int]]:
    """All that is launched from here: program, kernel and template, threads of a block, bytes of dynamic shared memory."""
    return [(ARITHMETIC, (name, dtype), THREADS, 0) for name in ("add", "multiply") for dtype in ("float32", "float64")]


def add(x: Array, y: Array) -> Array:
    """See the contract."""
    return _result("add", x, y)


def multiply(x: Array, y: Array) -> Array:
    """See the contract."""
    return _result("multiply", x, y)


def accumulate(x: Array, y: Array) -> None:
    """See the contract."""
    if not fits((x, y)):
        return vectorised.accumulate(x, y)
    launch(ARITHMETIC["add", x.dtype], (x, x, y))


def _result(name: str, x: Array, y: Array) -> Array:
    z = empty_like_layout(x)
    if not fits((z, x, y)):
        return getattr(vectorised, name)(x, y)
    launch(ARITHMETIC[name, x.dtype], (z, x, y))
    return z
