"""The oracle: one number after another, in float64."""

from __future__ import annotations

import math

import numpy as np

from minigrad.core.device import Array


def total(x: Array, axes: tuple[int, ...]) -> Array:
    """See the contract."""
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    y = np.empty([x.shape[axis] for axis in kept], x.dtype)
    rows = x.transpose(*kept, *axes)
    for place in np.ndindex(y.shape):
        numbers = [float(v) for v in rows[place].flat]
        finite = all(math.isfinite(v) for v in numbers)
        y[place] = math.fsum(numbers) if finite else sum(numbers)
    return y
