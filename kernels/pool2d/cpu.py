"""Pooling in one pass over the image, compiled.

``vectorised.py`` goes over the whole image once for each tap of the window, and again to find where the maxima were. Here each
window is finished before the next begins: its pixels, a run of channels each, are compared in registers, value and index
together, and x is read once. Windows that do not overlap make the gradient one pass of writing.
"""

from __future__ import annotations

import functools

import numpy as np

from minigrad.core.device import Array
from minigrad.kernels.layout import channels_last, empty_channels_last
from minigrad.kernels.native import parts_for
from minigrad.kernels.pool2d import Pair, adaptive_ranges, loops, output_size


def max_forward(
    x: Array, kernel_size: Pair, *, stride: Pair, padding: Pair, dilation: Pair, ceil_mode: bool
) -> tuple[Array, Array]:
    """See the contract."""
    axes = [_sliding(*axis, ceil_mode) for axis in zip(x.shape[2:], kernel_size, stride, padding, dilation, strict=True)]
    return _greatest(x, axes[0].ranges, axes[1].ranges, dilation)


def max_backward(dy: Array, indices: Array, input_size: Pair) -> Array:
    """See the contract."""
    n, c, out_h, out_w = dy.shape
    dx = empty_channels_last(np, (n, c, *input_size), dy.dtype)
    loops.scatter(
        _nhwc(dy), _nhwc(indices), _nhwc(dx), n, input_size[0] * input_size[1], out_h * out_w, c, parts=parts_for(dx.nbytes)
    )
    return dx


def max_gather(x: Array, indices: Array) -> Array:
    """See the contract."""
    n, c, out_h, out_w = indices.shape
    y = empty_channels_last(np, indices.shape, x.dtype)
    loops.gather(_nhwc(x), _nhwc(indices), _nhwc(y), n, x.shape[2] * x.shape[3], out_h * out_w, c, parts=parts_for(x.nbytes))
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
    rows, columns, divisors = _averages(
        x.shape[2:], kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )
    return _average(x, rows, columns, divisors)


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
    rows, columns, divisors = _averages(
        input_size, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )
    return _spread(dy, input_size, rows, columns, divisors)


def adaptive_max_forward(x: Array, output_size: Pair) -> tuple[Array, Array]:
    """See the contract."""
    rows, columns, _ = _adaptive(x.shape[2:], output_size)
    return _greatest(x, rows, columns, (1, 1))


def adaptive_avg_forward(x: Array, output_size: Pair) -> Array:
    """See the contract."""
    return _average(x, *_adaptive(x.shape[2:], output_size))


def adaptive_avg_backward(dy: Array, input_size: Pair) -> Array:
    """See the contract."""
    return _spread(dy, input_size, *_adaptive(input_size, dy.shape[2:]))


def _greatest(x: Array, rows: Array, columns: Array, steps: Pair) -> tuple[Array, Array]:
    n, c, h, w = x.shape
    size = len(rows), len(columns)
    y = empty_channels_last(np, (n, c, *size), x.dtype)
    indices = empty_channels_last(np, (n, c, *size), np.int64)
    loops.greatest(_nhwc(x), _nhwc(y), _nhwc(indices), rows, columns, *steps, n, h, w, c, *size, parts=parts_for(x.nbytes))
    return y, indices


def _average(x: Array, rows: Array, columns: Array, divisors: Array) -> Array:
    n, c, h, w = x.shape
    y = empty_channels_last(np, (n, c, *divisors.shape), x.dtype)
    loops.average(_nhwc(x), _nhwc(y), divisors, rows, columns, n, h, w, c, *divisors.shape, parts=parts_for(x.nbytes))
    return y


def _spread(dy: Array, input_size: Pair, rows: Array, columns: Array, divisors: Array) -> Array:
    n, c = dy.shape[:2]
    dx = empty_channels_last(np, (n, c, *input_size), dy.dtype)
    loops.spread(_nhwc(dy), _nhwc(dx), divisors, rows, columns, n, *input_size, c, *divisors.shape, parts=parts_for(dx.nbytes))
    return dx


class _Axis:
    """The windows of one axis: (first pixel, pixels) of each in the image, and how many they are with the padding."""

    def __init__(self, ranges: list[Pair], padded: list[int]) -> None:
        self.ranges, self.padded = np.array(ranges, np.int64), np.array(padded, np.float64)


@functools.lru_cache(maxsize=256)
def _sliding(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> _Axis:
    ranges, padded = [], []
    for i in range(output_size(size, kernel, stride, padding, dilation, ceil_mode)):
        places = [i * stride - padding + k * dilation for k in range(kernel)]
        inside = [place for place in places if 0 <= place < size]
        ranges.append((inside[0] if inside else 0, len(inside)))
        padded.append(sum(place < size + padding for place in places))
    return _Axis(ranges, padded)


@functools.lru_cache(maxsize=256)
def _averages(
    size: Pair,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> tuple[Array, Array, Array]:
    """Rows, columns, and what the sum of each window is divided by."""
    down, right = (_sliding(*axis, 1, ceil_mode) for axis in zip(size, kernel_size, stride, padding, strict=True))
    if divisor_override is not None:
        divisors = np.full((len(down.ranges), len(right.ranges)), float(divisor_override))
    elif count_include_pad:
        divisors = np.multiply.outer(down.padded, right.padded)
    else:
        divisors = np.multiply.outer(down.ranges[:, 1], right.ranges[:, 1]).astype(np.float64)
    return down.ranges, right.ranges, divisors


@functools.lru_cache(maxsize=256)
def _adaptive(size: Pair, count: Pair) -> tuple[Array, Array, Array]:
    rows, columns = (
        np.array([(first, last - first) for first, last in adaptive_ranges(*axis)], np.int64)
        for axis in zip(size, count, strict=True)
    )
    return rows, columns, np.multiply.outer(rows[:, 1], columns[:, 1]).astype(np.float64)


def _nhwc(x: Array) -> Array:
    return channels_last(x).transpose(0, 2, 3, 1)
