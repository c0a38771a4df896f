"""Boxes and regions in compiled loops: the tuned rung for processors.

Why it is faster than ``vectorised.py``: an overlap is made in registers, several beside each other, where NumPy goes through
memory for each operation. Suppression compares each kept box with those that are behind it in its group, and starts no call for
it; groups are shared among threads.

Of a bin's samples alignment first makes what each row and each column of pixels has of them, as a bin's weights are a product
of the two: a pixel that several samples share is read once, all its channels in vector registers. Threads share the regions on
the way there. On the way back they share the rows of pixels, and each goes over all regions: no two write to one pixel, and a
pixel's terms are added in the order of the regions, however many threads there are.
"""

from __future__ import annotations

import numpy as np

from minigrad.core.device import Array
from minigrad.kernels.boxes import Pair, loops
from minigrad.kernels.boxes.geometry import axes, kept, ranks, with_areas
from minigrad.kernels.layout import channels_last, empty_channels_last
from minigrad.kernels.native import parts_for


def iou(a: Array, b: Array) -> Array:
    """See the contract."""
    y = np.empty((len(a), len(b)), a.dtype)
    loops.overlaps(with_areas(a), with_areas(b), y, len(a), len(b), parts=parts_for(8 * y.size))
    return y


def nms(boxes: Array, scores: Array, threshold: float, group: Array | None) -> Array:
    """See the contract."""
    ranked = ranks(boxes, scores, group)
    count, groups = len(ranked.number), len(ranked.starts) - 1
    alive = np.ones(count, np.int64)
    parts = min(max(groups, 1), parts_for(8 * count * (count // max(groups, 1))))
    loops.suppress(with_areas(boxes[ranked.number]), ranked.starts, alive, count, groups, threshold, parts=parts)
    return kept(ranked, alive)


def roi_align(
    x: Array, boxes: Array, image: Array, output_size: Pair, *, spatial_scale: float, sampling_ratio: int, aligned: bool
) -> Array:
    """See the contract."""
    _, channels, height, width = x.shape
    y = empty_channels_last(np, (len(boxes), channels, *output_size), x.dtype)
    parts = parts_for(4 * y.nbytes)
    loops.align(
        _nhwc(x), _nhwc(y), *_regions(boxes, image, output_size, spatial_scale, sampling_ratio, aligned),
        *_scratch(parts, output_size, (height, width)), len(boxes), *output_size, height, width, channels, parts=parts,
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
    channels, bins, (images, *size) = dy.shape[1], (dy.shape[2], dy.shape[3]), input_size
    dx = empty_channels_last(np, (images, channels, *size), dy.dtype)
    parts = parts_for(dx.nbytes + 4 * dy.nbytes)
    loops.spread(
        _nhwc(dy), _nhwc(dx), *_regions(boxes, image, bins, spatial_scale, sampling_ratio, aligned),
        *_scratch(parts, bins, (size[0], size[1])), images, len(boxes), *bins, *size, channels, parts=parts,
    )  # fmt: skip
    return dx


def _regions(
    boxes: Array, image: Array, bins: Pair, spatial_scale: float, sampling_ratio: int, aligned: bool
) -> tuple[Array, Array, Array]:
    """The image of each region; start and side of its rows and columns, and what a bin's sum is divided by; samples."""
    (down, across), count = axes(boxes, bins, spatial_scale, sampling_ratio, aligned)
    regions = np.stack([down.start, down.side, across.start, across.side, count])
    return np.ascontiguousarray(image), regions, np.stack([down.samples, across.samples])


def _scratch(parts: int, bins: Pair, size: Pair) -> tuple[Array, Array, Array, Array]:
    """Each part's room for one axis of pixels, and for weights, places and number of the pixels of each bin of both."""
    room = (parts, bins[0] * size[0] + bins[1] * size[1])
    return np.empty((parts, max(size))), np.empty(room), np.empty(room, np.int64), np.empty((parts, sum(bins)), np.int64)


def _nhwc(x: Array) -> Array:
    return channels_last(x).transpose(0, 2, 3, 1)
