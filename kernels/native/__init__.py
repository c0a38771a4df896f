"""Compiled kernels: functions in Python, made machine code by Numba and LLVM, kept on disk, and shared among threads.

| file | what it is |
|---|---|
| ``language.py`` | ``@kernel``, ``@helper`` and the words they are written in: start here |
| ``maths.py`` | exp, log, tanh, sigmoid and their kin as polynomials, with the bound of their error |
| ``microkernel.py`` | the micro-kernel under convolution, recurrence and product |
| ``matrix_unit.py`` | products by the unit that some processors have for them, for steps whose weights stay |
| ``launch.py``, ``pool.py`` | addresses, the thread budget, and the threads that share a kernel's parts |
| ``programs.py``, ``intrinsics.py``, ``target.py`` | compiling for this processor, and keeping what was compiled |
| ``patience.py`` | Ctrl-C, heard when that is done |
| ``companions.py``, ``companion.py``, ``usual.py``, ``claims.py`` | processes that compile ahead what a training needs |
"""

from __future__ import annotations

from minigrad.kernels.native.budget import grid_for, parts_for, set_threads, thread_count, threads
from minigrad.kernels.native.language import (
    Bytes,
    Doubles,
    Int32s,
    Ints,
    Real,
    bits,
    choose,
    fma,
    from_bits,
    helper,
    is_single,
    kernel,
    lanes,
    matrix_begin,
    matrix_end,
    matrix_load,
    matrix_step,
    matrix_store,
    move,
    nearest,
    number,
    offset,
    panel,
    real,
    real_at,
    share,
    square_root,
    tile,
    tile_rows,
    turn,
    whole,
)  # fmt: skip
from minigrad.kernels.native.maths import erf, exp, exp_below, expm1, log, sigmoid, softplus, tanh

__all__ = [
    "Bytes",
    "Doubles",
    "Int32s",
    "Ints",
    "Real",
    "bits",
    "choose",
    "erf",
    "exp",
    "exp_below",
    "expm1",
    "fma",
    "from_bits",
    "grid_for",
    "helper",
    "is_single",
    "kernel",
    "lanes",
    "log",
    "matrix_begin",
    "matrix_end",
    "matrix_load",
    "matrix_step",
    "matrix_store",
    "move",
    "nearest",
    "number",
    "offset",
    "panel",
    "parts_for",
    "real",
    "real_at",
    "set_threads",
    "share",
    "sigmoid",
    "softplus",
    "square_root",
    "tanh",
    "thread_count",
    "threads",
    "tile",
    "tile_rows",
    "turn",
    "whole",
]
