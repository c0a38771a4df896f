"""The activation kernels for arrays of every float dtype: float16 is computed in float32."""

from __future__ import annotations

import numpy as np

from minigrad.core.device import Array
from minigrad.kernels import activation as kernel

_HALF, _SINGLE = np.dtype(np.float16), np.dtype(np.float32)


def activated(x: Array, kind: str, *numbers: float) -> Array:
    """The activation function ``kind`` of each element: see :mod:`minigrad.kernels.activation`."""
    if x.dtype == _HALF:
        return kernel.forward(x.astype(_SINGLE), kind, *numbers).astype(_HALF)
    return kernel.forward(x, kind, *numbers)


def brought_back(dy: Array, saved: Array, kind: str, *numbers: float) -> Array:
    """Its derivative times ``dy``, from what the kernel's ``SAVES`` names."""
    if dy.dtype == _HALF:
        return kernel.backward(dy.astype(_SINGLE), saved.astype(_SINGLE), kind, *numbers).astype(_HALF)
    return kernel.backward(dy, saved, kind, *numbers)


def gated(x: Array, mask: Array, factor: float = 1.0) -> Array:
    """``factor * x`` where the mask, of x's shape, is true; 0 elsewhere, whatever x is there."""
    if x.dtype == _HALF:
        return kernel.gate(x.astype(_SINGLE), mask, factor).astype(_HALF)
    return kernel.gate(x, mask, factor)
