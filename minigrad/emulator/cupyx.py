"""``cupyx`` of the stand-in: special functions, atomic sums, and memory of the host that a device can read."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from minigrad.emulator.cupy.array import ndarray
from minigrad.emulator.cupy.cuda import pinned
from minigrad.emulator.cupy.spaces import Space

scipy = SimpleNamespace(special=Space("cupyx.scipy.special", "scipy.special"))


def scatter_add(a: ndarray, slices: Any, value: Any) -> None:
    """Add to the places named, as often as they are named."""
    a.scatter_add(slices, value)


def empty_pinned(shape: Any, dtype: Any = float, order: str = "C") -> np.ndarray:
    """A NumPy array in memory that a device can read while the host goes on."""
    return pinned(np.empty(shape, dtype, order))  # type: ignore[call-overload]


def zeros_pinned(shape: Any, dtype: Any = float, order: str = "C") -> np.ndarray:
    """The same, of zeros."""
    return pinned(np.zeros(shape, dtype, order))  # type: ignore[call-overload]


__all__ = ["empty_pinned", "scatter_add", "scipy", "zeros_pinned"]
