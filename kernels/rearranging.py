"""Images from C order (N C H W) into channels-last memory (N H W C), compiled: a few pixels of all channels at a time.

NumPy copies along one order of the axes, and meets a new line of the cache with each number on one of the two sides. Here a
block of pixels stays in the first-level cache until all its channels are there.
"""

from __future__ import annotations

import numpy as np

from minigrad.core.device import Array
from minigrad.kernels.native import Real, kernel, parts_for, share

BLOCK = 1 << 12  # numbers that are written at a time


@kernel
def transpose(x: Real, y: Real, n: int, channels: int, pixels: int, block: int, part: int, parts: int) -> None:
    """y[n, p, c] = x[n, c, p]."""
    blocks = (pixels + block - 1) // block
    start, stop = share(n * blocks, part, parts)
    for item in range(start, stop):
        first = item % blocks * block
        base = item // blocks * channels * pixels
        count = min(block, pixels - first)
        for c in range(channels):
            source = base + c * pixels + first
            out = base + first * channels + c
            for p in range(count):
                y[out + p * channels] = x[source + p]


def channels_last(x: Array) -> Array:
    """A C-contiguous float32 or float64 (N, C, H, W) array, copied into channels-last memory.

    Example:
        >>> x = np.arange(8, dtype=np.float32).reshape(1, 2, 2, 2)
        >>> y = channels_last(x)
        >>> bool((x == y).all()), y.strides
        (True, (32, 4, 16, 8))
    """
    n, c, h, w = x.shape
    y = np.empty((n, h, w, c), x.dtype)
    transpose(x, y, n, c, h * w, max(16, BLOCK // c), parts=parts_for(x.nbytes))
    return y.transpose(0, 3, 1, 2)
