"""Pooling by the taps of the window: for each (k, l) one operation on all pixels that the tap meets, on any array module.

The reference looks at OH · OW windows, each by a few calls of NumPy for a handful of numbers, so that nearly all of its time
goes into the calls. Here there are KH · KW calls, each over whole images: the time goes into reading them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module
from minigrad.kernels.layout import channels_last, empty_channels_last
from minigrad.kernels.pool2d import Pair, adaptive_ranges, output_size

BLOCK_BYTES = {"cpu": 1 << 20, "cuda": 256 << 20}


def max_forward(
    x: Array, kernel_size: Pair, *, stride: Pair, padding: Pair, dilation: Pair, ceil_mode: bool
) -> tuple[Array, Array]:
    """See the contract.

    The maxima come first. The tap of each is then the number of taps before the first that equals it, which takes nothing but
    comparisons of whole arrays and sums of bytes.
    """
    xp, (n, c, h, w) = array_module(x), x.shape
    size = _sizes((h, w), kernel_size, stride, padding, dilation, ceil_mode)
    taps = list(_taps((h, w), size, kernel_size, stride, padding, dilation))
    y = empty_channels_last(xp, (n, c, *size), x.dtype)
    indices = empty_channels_last(xp, (n, c, *size), np.int64)
    corner, offset = _index_parts(xp, w, size, kernel_size, stride, padding, dilation)
    numbers = [tap for tap, _, _ in taps]
    gaps = [after - tap for tap, after in itertools.pairwise(numbers)] + [1]  # more than 1 over taps that meet nothing
    x_nhwc, y_nhwc, indices_nhwc = _nhwc(x), _nhwc(y), _nhwc(indices)
    for some in _blocks(xp, x_nhwc):
        image, best = x_nhwc[some], y_nhwc[some]
        best[...] = -np.inf
        for _, out, seen in taps:
            part = best[out]
            xp.maximum(part, image[seen], out=part)
        found = xp.zeros(best.shape, bool)
        tap_of = xp.full(best.shape, numbers[0], np.uint8 if kernel_size[0] * kernel_size[1] < 256 else np.int32)
        for (_, out, seen), gap in zip(taps, gaps):
            part = found[out]
            part |= image[seen] == best[out]
            tap_of += ~found if gap == 1 else ~found * tap_of.dtype.type(gap)
        if xp is not np or not bool(found.all()):  # the rest are NaN, which equal nothing; a GPU would have to be waited for
            for tap, out, seen in taps:
                xp.copyto(tap_of[out], tap_of.dtype.type(tap), where=image[seen] != image[seen])
        xp.add(xp.take(offset, tap_of), corner, indices_nhwc[some])
    return y, indices


def max_backward(dy: Array, indices: Array, input_size: Pair) -> Array:
    """See the contract."""
    xp, (n, c) = array_module(dy), dy.shape[:2]
    dx = empty_channels_last(xp, (n, c, *input_size), dy.dtype)
    dy, indices, dx_nhwc = _nhwc(dy), _nhwc(indices), _nhwc(dx)
    for some in _blocks(xp, dx_nhwc):
        here = dx_nhwc[some]
        place = _flat(indices[some], input_size[0] * input_size[1])
        if xp is not np:  # whose bincount waits for the largest number
            total = xp.zeros(here.size, dy.dtype)
            xp.add.at(total, place, dy[some].reshape(-1))
            here[...] = total.reshape(here.shape)
            continue
        here[...] = xp.bincount(place, dy[some].reshape(-1), here.size).reshape(here.shape)
    return dx


def max_gather(x: Array, indices: Array) -> Array:
    """See the contract."""
    xp = array_module(x)
    y = empty_channels_last(xp, indices.shape, x.dtype)
    y_nhwc, place = _nhwc(y), _flat(_nhwc(indices), x.shape[2] * x.shape[3])
    y_nhwc[...] = xp.take(_nhwc(x).reshape(-1), place).reshape(y_nhwc.shape)
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
    xp, size = array_module(x), _sizes(x.shape[2:], kernel_size, stride, padding, (1, 1), ceil_mode)
    divisor = _divisor(xp, x, x.shape[2:], size, kernel_size, stride, padding, count_include_pad, divisor_override)
    taps = list(_taps(x.shape[2:], size, kernel_size, stride, padding, (1, 1)))
    y = empty_channels_last(xp, (*x.shape[:2], *size), x.dtype)
    x, y_nhwc = _nhwc(x), _nhwc(y)
    for some in _blocks(xp, x):
        image, total = x[some], y_nhwc[some]
        total[...] = 0
        for _, out, seen in taps:
            part = total[out]
            part += image[seen]
        total /= divisor
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
    xp, size = array_module(dy), dy.shape[2:]
    divisor = _divisor(xp, dy, input_size, size, kernel_size, stride, padding, count_include_pad, divisor_override)
    taps = list(_taps(input_size, size, kernel_size, stride, padding, (1, 1)))
    dx = empty_channels_last(xp, (*dy.shape[:2], *input_size), dy.dtype)
    dy, dx_nhwc = _nhwc(dy), _nhwc(dx)
    for some in _blocks(xp, dx_nhwc):
        share, image = dy[some] / divisor, dx_nhwc[some]
        image[...] = 0
        for _, out, seen in taps:
            part = image[seen]
            part += share[out]
    return dx


def adaptive_max_forward(x: Array, output_size: Pair) -> tuple[Array, Array]:
    """See the contract."""
    xp, (n, c, h, w) = array_module(x), x.shape
    y = empty_channels_last(xp, (n, c, *output_size), x.dtype)
    indices = empty_channels_last(xp, (n, c, *output_size), np.int64)
    x = _nhwc(x)
    for i, (top, bottom) in enumerate(adaptive_ranges(h, output_size[0])):
        for j, (left, right) in enumerate(adaptive_ranges(w, output_size[1])):
            window = x[:, top:bottom, left:right].reshape(n, (bottom - top) * (right - left), c)
            best = window.argmax(1)
            nan = window != window
            last = window.shape[1] - 1 - nan[:, ::-1].argmax(1)
            best = xp.where(nan.any(1), last, best)
            y[:, :, i, j] = xp.take_along_axis(window, best[:, None], 1)[:, 0]
            indices[:, :, i, j] = (best // (right - left) + top) * w + best % (right - left) + left
    return y, indices


def adaptive_avg_forward(x: Array, output_size: Pair) -> Array:
    """See the contract. Rows are summed first, then columns of the sums."""
    xp, (n, c, h, w) = array_module(x), x.shape
    rows, columns = adaptive_ranges(h, output_size[0]), adaptive_ranges(w, output_size[1])
    y = empty_channels_last(xp, (n, c, *output_size), x.dtype)
    x, y_nhwc = _nhwc(x), _nhwc(y)
    for i, (top, bottom) in enumerate(rows):
        of_rows = x[:, top:bottom].sum(1)  # (N, W, C)
        for j, (left, right) in enumerate(columns):
            y_nhwc[:, i, j] = of_rows[:, left:right].sum(1) / ((bottom - top) * (right - left))
    return y


def adaptive_avg_backward(dy: Array, input_size: Pair) -> Array:
    """See the contract."""
    xp, size = array_module(dy), dy.shape[2:]
    dx = empty_channels_last(xp, (*dy.shape[:2], *input_size), dy.dtype)
    dy, dx_nhwc = _nhwc(dy), _nhwc(dx)
    dx_nhwc[...] = 0
    for i, (top, bottom) in enumerate(adaptive_ranges(input_size[0], size[0])):
        for j, (left, right) in enumerate(adaptive_ranges(input_size[1], size[1])):
            window = dx_nhwc[:, top:bottom, left:right]
            window += (dy[:, i, j] / ((bottom - top) * (right - left)))[:, None, None]
    return dx


def _sizes(
    size: tuple[int, ...], kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair, ceil_mode: bool
) -> tuple[int, ...]:
    return tuple(map(output_size, size, kernel_size, stride, padding, dilation, (ceil_mode, ceil_mode)))


def _taps(
    size: tuple[int, ...], out_size: tuple[int, ...], kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> Iterator[tuple[int, tuple[slice, ...], tuple[slice, ...]]]:
    """Each tap that meets the image: its number, the (N, OH, OW) for which it does, and the (N, H, W) pixels it meets."""

    def meet(axis: int, tap: int) -> tuple[slice, slice]:
        shift, step = tap * dilation[axis] - padding[axis], stride[axis]
        first = max(0, -(shift // step))  # the least i with i·step + shift >= 0
        past = min(out_size[axis], (size[axis] - 1 - shift) // step + 1)
        start = first * step + shift
        return slice(first, past), slice(start, start + step * (past - first - 1) + 1, step)

    for k in range(kernel_size[0]):
        for m in range(kernel_size[1]):
            (out_rows, rows), (out_columns, columns) = meet(0, k), meet(1, m)
            if out_rows.start < out_rows.stop and out_columns.start < out_columns.stop:
                yield k * kernel_size[1] + m, (slice(None), out_rows, out_columns), (slice(None), rows, columns)


def _index_parts(
    xp: Any,
    width: int,
    size: tuple[int, ...],
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
) -> tuple[Array, Array]:
    """The flat index of each window's corner, (OH, OW, 1), perhaps outside the image, and of each tap from there."""
    rows, columns = (xp.arange(size[axis]) * stride[axis] - padding[axis] for axis in (0, 1))
    down, right = (xp.arange(kernel_size[axis]) * dilation[axis] for axis in (0, 1))
    return rows[:, None, None] * width + columns[:, None], (down[:, None] * width + right).reshape(-1)


def _divisor(
    xp: Any,
    x: Array,
    size: tuple[int, ...],
    out_size: tuple[int, ...],
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Array | int:
    """The number of pixels in each window, (OH, OW, 1)."""
    if divisor_override:
        return divisor_override

    def along(axis: int) -> Array:
        start = xp.arange(out_size[axis]) * stride[axis] - padding[axis]
        end = xp.minimum(start + kernel_size[axis], size[axis] + padding[axis])
        if count_include_pad:
            return end - start
        return xp.minimum(end, size[axis]) - xp.maximum(start, 0)

    return (along(0)[:, None, None] * along(1)[:, None]).astype(x.dtype)


def _flat(indices: Array, pixels: int) -> Array:
    """Where (N, OH, OW, C) indices lie in a flat N H W C array, one after another."""
    n, _, _, c = indices.shape
    xp = array_module(indices)
    place = (indices + (xp.arange(n) * pixels).reshape(n, 1, 1, 1)) * c
    place += xp.arange(c)
    return place.reshape(-1)


def _blocks(xp: Any, x: Array) -> list[slice]:
    """The batch in parts that stay in the cache over all taps."""
    block = max(1, BLOCK_BYTES["cpu" if xp is np else "cuda"] // max(1, x[:1].nbytes))
    return [slice(start, start + block) for start in range(0, x.shape[0], block)]


def _nhwc(x: Array) -> Array:
    return channels_last(x).transpose(0, 2, 3, 1)
