"""A strict stand-in for CuPy on the CPU: the device type ``"emulated"`` computes with it.

It has the names that CuPy 13 and 14 both have, with the parameters that both take, and refuses what they refuse: NumPy
arrays among its own, implicit conversion, keywords that NumPy has and CuPy has not. Copies between host and device and waits
are counted, ``empty`` holds NaN, and results lie in C order. What runs here runs with CuPy on a GPU, as far as
this is known without one: not simulated are time, streams that overlap, and the order of sums. CUDA C++ (``RawKernel``,
``RawModule``) is run by the emulator, and looked at inside ``with launches("checked")``.

    from minigrad.emulator import cupy as cp
    x = cp.arange(3.0)
    cp.exp(x).sum()            an array without dimensions
    numpy.asarray(x)           TypeError, as in CuPy
"""

from __future__ import annotations

import functools
import sys
from typing import Any

import numpy as _numpy

from minigrad.emulator.cupy import cuda
from minigrad.emulator.cupy.array import ndarray
from minigrad.emulator.cupy.creation import (
    arange,
    array,
    asanyarray,
    asarray,
    ascontiguousarray,
    asnumpy,
    empty,
    empty_like,
    full,
    full_like,
    ones,
    ones_like,
    zeros,
    zeros_like,
)
from minigrad.emulator.cupy.memory import default_pool
from minigrad.emulator.cupy.raw import RawKernel, RawModule, launches
from minigrad.emulator.cupy.spaces import Space, from_main, methods
from minigrad.emulator.cupy.strided import as_strided, sliding_window_view
from minigrad.emulator.cupy.traffic import counted, sent

newaxis = None
linalg = Space("cupy.linalg", "numpy.linalg")
fft = Space("cupy.fft", "numpy.fft")
random = Space("cupy.random")
_views = Space("cupy.lib.stride_tricks", as_strided=as_strided, sliding_window_view=sliding_window_view)
lib = Space("cupy.lib", stride_tricks=_views)


def get_default_memory_pool() -> Any:
    """The pool of the device's memory."""
    return default_pool


def get_default_pinned_memory_pool() -> Any:
    """The pool of the host's memory that the device can read."""
    return cuda.PinnedMemoryPool()


def get_array_module(*args: Any) -> Any:
    """This module if one of the arguments is an array of ours, else NumPy."""
    return sys.modules[__name__] if any(isinstance(each, ndarray) for each in args) else _numpy


def is_available() -> bool:
    """Whether there is a device."""
    return True


def take(a: Any, indices: Any, axis: Any = None, out: Any = None) -> Any:
    """Elements along an axis; a place outside goes round."""
    from minigrad.emulator.cupy.calls import run

    if isinstance(indices, (list, tuple, _numpy.ndarray)):
        sent()
        indices = asarray(_numpy.asarray(indices, dtype=_numpy.int64))
    return run("take", _numpy.take, (a, indices), {"axis": axis, "out": out, "mode": "wrap"})


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return _found(name)


@functools.cache  # and no attributes of the module, which would hide the built-in any, max and their like from it
def _found(name: str) -> Any:
    return from_main(name)


for _name, _method in methods().items():
    if _name not in ndarray.__dict__ or _name in ("__eq__", "__ne__"):
        setattr(ndarray, _name, _method)

__all__ = [
    "RawKernel",
    "RawModule",
    "arange",
    "array",
    "asanyarray",
    "asarray",
    "ascontiguousarray",
    "asnumpy",
    "counted",
    "cuda",
    "empty",
    "empty_like",
    "full",
    "full_like",
    "launches",
    "ndarray",
    "ones",
    "ones_like",
    "zeros",
    "zeros_like",
]
