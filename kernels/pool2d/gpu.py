"""Pooling by CUDA kernels of ours, ``pool2d.cu``, over channels-last images.

Why it is faster than ``vectorised.py``: there each tap of the window is several passes through the GPU's memory, here a thread
holds what it has of its window in registers, and reads and writes once, four channels at a time where their number allows it.
The average's gradient gathers, each pixel from the windows that hold it. A maximum's indices may name any place, so its
gradient gives each channel of an image to one thread, which adds in order: no atomics, and the same bits each time.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module
from minigrad.kernels.cuda import Program
from minigrad.kernels.cuda.strips import lanes
from minigrad.kernels.layout import channels_last, empty_channels_last
from minigrad.kernels.pool2d import Pair
from minigrad.kernels.pool2d import output_size as windows_along

POOL = Program("pool2d/pool2d.cu")
THREADS = 128
PLANES, PIXELS = 64, 256  # threads of a block: a channel of an image each, and a pixel of a channel each
ADAPTIVE = ((0, 0), (1, 1), (0, 0), (1, 1))  # kernel_size, stride, padding and dilation that stand for an adaptive grid


def instances() -> list[tuple[Program, Any, int, int]]:
    """All that is launched from here: program, kernel and template, threads of a block, bytes of dynamic shared memory."""
    tables = [("float32", 4), ("float32", 1), ("float64", 1)]
    by_windows = [(name, *table) for name in ("max_forward", "avg_forward", "avg_backward") for table in tables]
    by_index = [(name, dtype) for name in ("max_backward", "max_gather") for dtype in ("float32", "float64")]
    return [
        *[(POOL, key, THREADS, 0) for key in by_windows],
        *[(POOL, key, PLANES if key[0] == "max_backward" else PIXELS, 0) for key in by_index],
    ]


def max_forward(
    x: Array, kernel_size: Pair, *, stride: Pair, padding: Pair, dilation: Pair, ceil_mode: bool
) -> tuple[Array, Array]:
    """See the contract."""
    height, width = map(windows_along, x.shape[2:], kernel_size, stride, padding, dilation, (ceil_mode, ceil_mode))
    return _max(x, (height, width), (kernel_size, stride, padding, dilation))


def max_backward(dy: Array, indices: Array, input_size: Pair) -> Array:
    """See the contract."""
    xp, (images, channels, *size) = array_module(dy), dy.shape
    dx = xp.zeros((images, *input_size, channels), dy.dtype)
    POOL["max_backward", dy.dtype](
        _nhwc(dy), _nhwc(indices), dx, images, channels, prod(size), prod(input_size),
        work=images * channels, tile=PLANES, block=PLANES,
    )  # fmt: skip
    return dx.transpose(0, 3, 1, 2)


def max_gather(x: Array, indices: Array) -> Array:
    """See the contract."""
    y = empty_channels_last(array_module(x), indices.shape, x.dtype)
    POOL["max_gather", x.dtype](
        _nhwc(x), _nhwc(indices), _nhwc(y), y.size, x.shape[1], prod(indices.shape[2:]), prod(x.shape[2:]),
        work=y.size, tile=PIXELS, block=PIXELS,
    )  # fmt: skip
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
    size = tuple(map(windows_along, x.shape[2:], kernel_size, stride, padding, (1, 1), (ceil_mode, ceil_mode)))
    y = empty_channels_last(array_module(x), (*x.shape[:2], *size), x.dtype)
    _average("avg_forward", x, y, x, y, (kernel_size, stride, padding, (1, 1)), count_include_pad, divisor_override or 0)
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
    dx = empty_channels_last(array_module(dy), (*dy.shape[:2], *input_size), dy.dtype)
    _average("avg_backward", dy, dx, dx, dy, (kernel_size, stride, padding, (1, 1)), count_include_pad, divisor_override or 0)
    return dx


def adaptive_max_forward(x: Array, output_size: Pair) -> tuple[Array, Array]:
    """See the contract."""
    return _max(x, output_size, ADAPTIVE)


def adaptive_avg_forward(x: Array, output_size: Pair) -> Array:
    """See the contract."""
    y = empty_channels_last(array_module(x), (*x.shape[:2], *output_size), x.dtype)
    _average("avg_forward", x, y, x, y, ADAPTIVE, False, 0)
    return y


def adaptive_avg_backward(dy: Array, input_size: Pair) -> Array:
    """See the contract."""
    dx = empty_channels_last(array_module(dy), (*dy.shape[:2], *input_size), dy.dtype)
    _average("avg_backward", dy, dx, dx, dy, ADAPTIVE, False, 0)
    return dx


def _max(x: Array, size: Pair, walk: tuple[Pair, ...]) -> tuple[Array, Array]:
    xp, shape = array_module(x), (*x.shape[:2], *size)
    y, indices = empty_channels_last(xp, shape, x.dtype), empty_channels_last(xp, shape, np.int64)
    _over_rows("max_forward", y, (_nhwc(x), _nhwc(y), _nhwc(indices)), x, y, walk)
    return y, indices


def _average(
    name: str, source: Array, result: Array, image: Array, windows: Array, walk: tuple[Pair, ...], padded: bool, divisor: int
) -> None:
    _over_rows(name, result, (_nhwc(source), _nhwc(result)), image, windows, walk, padded, divisor)


def _over_rows(
    name: str, result: Array, arrays: tuple[Array, ...], image: Array, windows: Array, walk: tuple[Pair, ...], *rest: Any
) -> None:
    """A kernel with a thread for some channels of each pixel of a result; blocks are as wide as a row, where that is short."""
    images, channels, height, width = result.shape
    several = lanes(channels, *arrays[:2])
    along = width * (channels // several)
    wide = min(THREADS, 1 << max(along - 1, 0).bit_length())
    axes = [
        number
        for size, count, *step in zip(image.shape[2:], windows.shape[2:], *walk, strict=True)
        for number in (size, count, *step)
    ]
    POOL[name, result.dtype, several](
        *arrays, images, channels, *axes, *rest,
        work=(images * height, along), tile=(THREADS // wide, wide), block=(wide, THREADS // wide),
    )  # fmt: skip


def _nhwc(x: Array) -> Array:
    return channels_last(x).transpose(0, 2, 3, 1)
