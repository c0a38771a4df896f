"""Images from C order (N C H W) into channels-last memory (N H W C) and back, compiled.

NumPy copies along one order of the axes, and meets a new line of the cache with each number on one of the two sides. Here
squares of numbers are turned in registers, so that both sides are read and written in whole vectors, and a block of pixels
stays in the cache (with up to 32 channels the first-level one) until all its channels are there. Inside a block the squares
follow one another along the pixels: planes of channels often lie a power of two apart, so that a few lines of theirs push one
another out of the cache, and each line is done with before the next channels come.
"""

from __future__ import annotations

import numpy as np

from minigrad.core.device import Array
from minigrad.kernels.native import Real, helper, kernel, lanes, offset, parts_for, share, turn

BLOCK = 1 << 11  # numbers of a block, where channels are few
LEAST = 64  # pixels of a block: whole lines of the cache


@helper(apart=True)
def turn_pixels(source, source_channel, source_pixel, to, to_channel, to_pixel, channels, count):
    """to[p · to_pixel + c · to_channel] = source[p · source_pixel + c · source_channel] for ``count`` pixels.

    On one side the pixels lie gapless, on the other the channels.
    """
    pitch, step = max(source_channel, source_pixel), max(to_channel, to_pixel)
    whole_c, whole_p = channels // lanes * lanes, count // lanes * lanes
    for c in range(0, whole_c, lanes):
        for p in range(0, whole_p, lanes):
            turn(
                offset(source, c * source_channel + p * source_pixel), pitch, lanes,
                offset(to, c * to_channel + p * to_pixel), step,
            )  # fmt: skip
    for c in range(channels):
        for p in range(whole_p if c < whole_c else 0, count):
            to[p * to_pixel + c * to_channel] = source[p * source_pixel + c * source_channel]


@kernel
def transpose(
    x: Real, y: Real, n: int, channels: int, pixels: int, block: int, x_channel: int, x_pixel: int, y_channel: int,
    y_pixel: int, part: int, parts: int,
) -> None:  # fmt: skip
    """y[n, p · y_pixel + c · y_channel] = x[n, p · x_pixel + c · x_channel], a block of pixels at a time."""
    blocks = (pixels + block - 1) // block
    start, stop = share(n * blocks, part, parts)
    for item in range(start, stop):
        first = item % blocks * block
        image = item // blocks * channels * pixels
        turn_pixels(
            offset(x, image + first * x_pixel), x_channel, x_pixel, offset(y, image + first * y_pixel), y_channel, y_pixel,
            channels, min(block, pixels - first),
        )  # fmt: skip


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
    transpose(x, y, n, c, h * w, max(LEAST, BLOCK // c), h * w, 1, 1, c, parts=parts_for(x.nbytes))
    return y.transpose(0, 3, 1, 2)


def channels_first(x: Array) -> Array:
    """A float32 or float64 (N, C, H, W) array without gaps in channels-last memory, copied into C order.

    Example:
        >>> x = np.arange(8, dtype=np.float32).reshape(1, 2, 2, 2).transpose(0, 3, 1, 2)
        >>> y = channels_first(x)
        >>> bool((x == y).all()), y.flags.c_contiguous
        (True, True)
    """
    n, c, h, w = x.shape
    y = np.empty((n, c, h, w), x.dtype)
    transpose(x, y, n, c, h * w, max(LEAST, BLOCK // c), 1, c, h * w, 1, parts=parts_for(x.nbytes))
    return y
