"""Boxes and regions by CUDA kernels of ours, ``boxes.cu`` and ``regions.cu``.

Why it is faster than ``vectorised.py``: there each operation of an overlap is a pass through the GPU's memory, and the host
waits for each box that suppression keeps. Here a block does a group by itself, 64 boxes at a time, and the host waits once.

Alignment makes the weights of rows and columns first, of which a bin's weights are the products; then a thread adds in
registers all that its bin takes, four channels at a time where their number allows it. The way back gathers too, each pixel
from the regions over it in their order: no atomics, and the same bits each time.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module
from minigrad.kernels.boxes import Pair
from minigrad.kernels.boxes.geometry import Axis, axes, kept, ranks, with_areas
from minigrad.kernels.cuda import Program
from minigrad.kernels.cuda.strips import lanes
from minigrad.kernels.layout import channels_last, empty_channels_last

BOXES = Program("boxes/boxes.cu", options=("--fmad=false",))
REGIONS = Program("boxes/regions.cu")
PAIRS, OF_A_GROUP, BINS, CHANNELS = 256, 256, 128, 128  # threads of a block: overlaps, suppress, weigh, align and spread


def instances() -> list[tuple[Program, Any, int, int]]:
    """All that is launched from here: program, kernel and template, threads of a block, bytes of dynamic shared memory."""
    floats = ("float32", "float64")
    tables = [("float32", 4), ("float32", 1), ("float64", 1)]
    return [
        *[(BOXES, ("overlaps", dtype), PAIRS, 0) for dtype in floats],
        (BOXES, "suppress", OF_A_GROUP, 0),
        *[(BOXES, ("weigh", dtype), BINS, 0) for dtype in floats],
        *[(REGIONS, (name, *table), CHANNELS, 0) for name in ("align", "spread") for table in tables],
    ]


def iou(a: Array, b: Array) -> Array:
    """See the contract."""
    y = array_module(a).empty((len(a), len(b)), a.dtype)
    BOXES["overlaps", a.dtype](with_areas(a), with_areas(b), y, len(a), len(b), **_over(len(a), len(b), PAIRS))
    return y


def nms(boxes: Array, scores: Array, threshold: float, group: Array | None) -> Array:
    """See the contract."""
    ranked = ranks(boxes, scores, group)
    alive = array_module(boxes).ones(len(ranked.number), np.uint8)
    BOXES["suppress"](
        with_areas(boxes[ranked.number]), ranked.starts, alive, len(alive), threshold,
        work=len(ranked.starts) - 1, tile=1, block=OF_A_GROUP,
    )  # fmt: skip
    return kept(ranked, alive)


def roi_align(
    x: Array, boxes: Array, image: Array, output_size: Pair, *, spatial_scale: float, sampling_ratio: int, aligned: bool
) -> Array:
    """See the contract."""
    xp, (_, channels, height, width) = array_module(x), x.shape
    (down, across), count = axes(boxes, output_size, spatial_scale, sampling_ratio, aligned)
    (of_rows, rows), (of_columns, columns) = (
        _weights(down, output_size[0], height, count, x.dtype), _weights(across, output_size[1], width, None, x.dtype),
    )  # fmt: skip
    y = empty_channels_last(xp, (len(boxes), channels, *output_size), x.dtype)
    arrays = _nhwc(x), _nhwc(y)
    several = lanes(channels, *arrays)
    REGIONS["align", x.dtype, several](
        *arrays, xp.ascontiguousarray(image), of_rows, of_columns, rows, columns, len(boxes), *output_size, height, width,
        channels, **_over(len(boxes) * output_size[0], output_size[1] * (channels // several), CHANNELS),
    )  # fmt: skip
    return y


def roi_align_backward(
    dy: Array,
    boxes: Array,
    image: Array,
    input_size: tuple[int, int, int],
    *,
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool,
) -> Array:
    """See the contract."""
    xp, (_, channels, bins_h, bins_w), (images, height, width) = array_module(dy), dy.shape, input_size
    (down, across), count = axes(boxes, (bins_h, bins_w), spatial_scale, sampling_ratio, aligned)
    (of_rows, rows), (of_columns, columns) = (
        _weights(down, bins_h, height, count, dy.dtype), _weights(across, bins_w, width, None, dy.dtype),
    )  # fmt: skip
    ends = [each for spans in (rows, columns) for each in (spans[..., 0].min(axis=1), spans[..., 1].max(axis=1))]
    dx = empty_channels_last(xp, (images, channels, height, width), dy.dtype)
    arrays = _nhwc(dy), _nhwc(dx)
    several = lanes(channels, *arrays)
    REGIONS["spread", dy.dtype, several](
        *arrays, xp.ascontiguousarray(image), of_rows, of_columns, xp.stack(ends, axis=1), images, len(dy), bins_h, bins_w,
        height, width, channels, **_over(images * height, width * (channels // several), CHANNELS),
    )  # fmt: skip
    return dx


def _weights(axis: Axis, bins: int, size: int, count: Array | None, dtype: np.dtype) -> tuple[Array, Array]:
    """What each pixel along an axis has of each bin, (R, bins, size), and where a bin's pixels begin and end, (R, bins, 2)."""
    xp, regions = array_module(axis.start), len(axis.start)
    table, spans = xp.zeros((regions, bins, size), dtype), xp.empty((regions, bins, 2), np.int32)
    BOXES["weigh", dtype](*axis, count, table, spans, regions, bins, size, work=regions * bins, tile=BINS, block=BINS)
    return table, spans


def _over(rows: int, along: int, threads: int) -> dict[str, Any]:
    """A launch with a thread for each place along each row: blocks as wide as a row, where that is short."""
    wide = min(threads, 1 << max(along - 1, 0).bit_length())
    return {"work": (rows, along), "tile": (threads // wide, wide), "block": (wide, threads // wide)}


def _nhwc(x: Array) -> Array:
    return channels_last(x).transpose(0, 2, 3, 1)
