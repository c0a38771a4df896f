"""The oracle: one window at a time, as the contract's formulas read."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from minigrad.core.device import Array
from minigrad.kernels.layout import empty_channels_last
from minigrad.kernels.pool2d import Pair, adaptive_ranges, output_size

Pixels = list[tuple[int, int]]


def max_forward(
    x: Array, kernel_size: Pair, *, stride: Pair, padding: Pair, dilation: Pair, ceil_mode: bool
) -> tuple[Array, Array]:
    """See the contract."""
    windows = _windows(x.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
    return _greatest(x, {place: pixels for place, pixels, _ in windows})


def max_backward(dy: Array, indices: Array, input_size: Pair) -> Array:
    """See the contract."""
    dx = _zeros(dy, input_size)
    for n, c, i, j in np.ndindex(*dy.shape):
        h, w = divmod(int(indices[n, c, i, j]), input_size[1])
        dx[n, c, h, w] += dy[n, c, i, j]
    return dx


def max_gather(x: Array, indices: Array) -> Array:
    """See the contract."""
    y = _zeros(x, indices.shape[2:])
    for n, c, i, j in np.ndindex(*indices.shape):
        h, w = divmod(int(indices[n, c, i, j]), x.shape[3])
        y[n, c, i, j] = x[n, c, h, w]
    return y


def avg_forward(
    x: Array,
    kernel_size: Pair,
    *,
    stride: Pair,
    padding: Pair,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Array:
    """See the contract."""
    windows = list(_windows(x.shape[2:], kernel_size, stride, padding, (1, 1), ceil_mode))
    y = _zeros(x, [last + 1 for last in windows[-1][0]])
    for (i, j), pixels, with_padding in windows:
        for h, w in pixels:
            y[:, :, i, j] += x[:, :, h, w]
        y[:, :, i, j] /= divisor_override or (with_padding if count_include_pad else len(pixels))
    return y


def avg_backward(
    dy: Array,
    input_size: Pair,
    kernel_size: Pair,
    *,
    stride: Pair,
    padding: Pair,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Array:
    """See the contract."""
    dx = _zeros(dy, input_size)
    for (i, j), pixels, with_padding in _windows(input_size, kernel_size, stride, padding, (1, 1), ceil_mode):
        for h, w in pixels:
            dx[:, :, h, w] += dy[:, :, i, j] / (divisor_override or (with_padding if count_include_pad else len(pixels)))
    return dx


def adaptive_max_forward(x: Array, output_size: Pair) -> tuple[Array, Array]:
    """See the contract."""
    return _greatest(x, dict(_adaptive_windows(x.shape[2:], output_size)))


def adaptive_avg_forward(x: Array, output_size: Pair) -> Array:
    """See the contract."""
    y = _zeros(x, output_size)
    for (i, j), pixels in _adaptive_windows(x.shape[2:], output_size):
        for h, w in pixels:
            y[:, :, i, j] += x[:, :, h, w]
        y[:, :, i, j] /= len(pixels)
    return y


def adaptive_avg_backward(dy: Array, input_size: Pair) -> Array:
    """See the contract."""
    dx = _zeros(dy, input_size)
    for (i, j), pixels in _adaptive_windows(input_size, dy.shape[2:]):
        for h, w in pixels:
            dx[:, :, h, w] += dy[:, :, i, j] / len(pixels)
    return dx


def _greatest(x: Array, windows: dict[tuple[int, int], Pixels]) -> tuple[Array, Array]:
    """The maximum of each window and its flat index."""
    y = _zeros(x, [last + 1 for last in max(windows)])
    indices = empty_channels_last(np, y.shape, np.int64)
    for n, c in np.ndindex(*x.shape[:2]):
        for (i, j), pixels in windows.items():
            best = pixels[0]
            for pixel in pixels[1:]:
                if x[n, c][pixel] > x[n, c][best] or np.isnan(x[n, c][pixel]):
                    best = pixel
            y[n, c, i, j] = x[n, c][best]
            indices[n, c, i, j] = best[0] * x.shape[3] + best[1]
    return y, indices


def _windows(
    size: tuple[int, ...], kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair, ceil_mode: bool
) -> Iterator[tuple[tuple[int, int], Pixels, int]]:
    """Each (i, j), the pixels of the image in its window, and how many they are with the padding."""
    height, width = size
    for i in range(output_size(height, kernel_size[0], stride[0], padding[0], dilation[0], ceil_mode)):
        for j in range(output_size(width, kernel_size[1], stride[1], padding[1], dilation[1], ceil_mode)):
            rows = [i * stride[0] - padding[0] + k * dilation[0] for k in range(kernel_size[0])]
            columns = [j * stride[1] - padding[1] + m * dilation[1] for m in range(kernel_size[1])]
            pixels = [(h, w) for h in rows for w in columns if 0 <= h < height and 0 <= w < width]
            padded = [h for h in rows if h < height + padding[0]], [w for w in columns if w < width + padding[1]]
            yield (i, j), pixels, len(padded[0]) * len(padded[1])


def _adaptive_windows(size: tuple[int, ...], count: tuple[int, ...]) -> Iterator[tuple[tuple[int, int], Pixels]]:
    for i, (top, bottom) in enumerate(adaptive_ranges(size[0], count[0])):
        for j, (left, right) in enumerate(adaptive_ranges(size[1], count[1])):
            yield (i, j), [(h, w) for h in range(top, bottom) for w in range(left, right)]


def _zeros(x: Array, size: tuple[int, ...] | list[int]) -> Array:
    zeros = empty_channels_last(np, (*x.shape[:2], *size), x.dtype)
    zeros[...] = 0
    return zeros
