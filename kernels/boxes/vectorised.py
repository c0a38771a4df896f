"""Boxes and regions by whole arrays, on any array module.

Why it is faster than the reference: overlaps are a table that a dozen calls fill. Suppression asks for one row of it for each
box that is kept, not for a pair at a time. Alignment goes by taps: for each sample of a bin and each of the pixels that share
it, one call for all bins of all regions.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from minigrad.core.device import Array, array_module
from minigrad.kernels.boxes import Pair
from minigrad.kernels.boxes.geometry import Axis, axes, kept, ranks, with_areas
from minigrad.kernels.layout import channels_last, empty_channels_last

Tap = tuple[Array, Array, Array]  # (R, PH, PW): pixels h W + w of each bin, and their weights; and where there is one


def iou(a: Array, b: Array) -> Array:
    """See the contract."""
    return _overlaps(with_areas(a)[:, :, None], with_areas(b)[:, None, :]).astype(a.dtype)


def nms(boxes: Array, scores: Array, threshold: float, group: Array | None) -> Array:
    """See the contract."""
    xp, ranked = array_module(boxes), ranks(boxes, scores, group)
    found = with_areas(boxes[ranked.number])
    alive = xp.ones(len(ranked.number), bool)
    starts = [int(each) for each in ranked.starts]
    for start, stop in pairwise(starts):
        for i in range(start, stop - 1):
            if bool(alive[i]):
                rest = slice(i + 1, stop)
                alive[rest] &= ~(_overlaps(found[:, i : i + 1], found[:, rest]) > threshold)
    return kept(ranked, alive)


def roi_align(
    x: Array, boxes: Array, image: Array, output_size: Pair, *, spatial_scale: float, sampling_ratio: int, aligned: bool
) -> Array:
    """See the contract."""
    xp, (images, channels, height, width) = array_module(x), x.shape
    y = empty_channels_last(xp, (len(boxes), channels, *output_size), x.dtype)
    y_nhwc = y.transpose(0, 2, 3, 1)
    y_nhwc[...] = 0
    pixels = channels_last(x).transpose(0, 2, 3, 1).reshape(images * height * width, channels)
    for place, weight, there in _taps(boxes, output_size, (height, width), spatial_scale, sampling_ratio, aligned):
        seen = xp.take(pixels, place + (image * (height * width))[:, None, None], axis=0)  # (R, PH, PW, C)
        y_nhwc += xp.where(there[..., None], seen, seen.dtype.type(0)) * weight.astype(x.dtype)[..., None]
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
    """See the contract. Sums go by flat places, as those of ``embedding``'s ``scatter``."""
    xp, (regions, channels, *bins) = array_module(dy), dy.shape
    images, height, width = input_size
    dx = xp.zeros(images * height * width * channels, dy.dtype)
    dy_nhwc = channels_last(dy).transpose(0, 2, 3, 1)
    for place, weight, there in _taps(
        boxes, (bins[0], bins[1]), (height, width), spatial_scale, sampling_ratio, aligned
    ) if regions else ():  # fmt: skip
        share = xp.where(there[..., None], dy_nhwc, dy.dtype.type(0)) * weight.astype(dy.dtype)[..., None]
        places = (place + (image * (height * width))[:, None, None])[..., None] * channels + xp.arange(channels)
        xp.add.at(dx, places.reshape(-1), share.reshape(-1))
    return dx.reshape(images, height, width, channels).transpose(0, 3, 1, 2)


def _overlaps(a: Array, b: Array) -> Array:
    """Of boxes with their areas, in the first axis; the others are broadcast."""
    xp = array_module(a)
    width = xp.minimum(a[2], b[2]) - xp.maximum(a[0], b[0])
    height = xp.minimum(a[3], b[3]) - xp.maximum(a[1], b[1])
    shared = width * height
    union = a[4] + b[4] - shared
    there = (width > 0) & (height > 0) & (a[4] > 0) & (b[4] > 0) & (union < np.inf)
    return xp.where(there, shared, 0.0) / xp.where(there, union, 1.0)


def _taps(boxes: Array, bins: Pair, size: Pair, spatial_scale: float, sampling_ratio: int, aligned: bool) -> Iterator[Tap]:
    """Each pixel that samples of bins fall to."""
    (down, across), count = axes(boxes, bins, spatial_scale, sampling_ratio, aligned)
    columns = list(_shares(across, bins[1], size[1]))
    for row, of_row in _shares(down, bins[0], size[0]):
        for column, of_column in columns:
            there = (of_row > 0)[:, :, None] & (of_column > 0)[:, None, :]
            weight = of_row[:, :, None] * of_column[:, None, :] / count[:, None, None]
            yield row[:, :, None] * size[1] + column[:, None, :], weight, there


def _shares(axis: Axis, bins: int, size: int) -> Iterator[tuple[Array, Array]]:
    """For each number of a sample the two pixels of each bin that share it, (R, bins), and what each has of it.

    Samples that lie outside for sure are passed over: of a bin much larger than the image there are many.
    """
    xp = array_module(axis.start)
    start, side, samples = (each[:, None] for each in axis)
    begin = start + xp.arange(bins) * side  # (R, bins)
    apart = side / xp.maximum(samples, 1)
    wide = apart >= 0.5
    safe = xp.where(wide, apart, 1.0)
    first = xp.clip(xp.floor((-1 - begin) / safe - 0.5) - 1, 0, samples)
    past = xp.clip(xp.ceil((size - begin) / safe - 0.5) + 2, first, samples)
    first, past = (xp.where(wide, each, other).astype(np.int64) for each, other in ((first, 0), (past, samples)))
    most = int((past - first).max()) if first.size else 0
    for number in range(most):
        k = first + number
        place = begin + (k + 0.5) * side / xp.maximum(samples, 1)
        there = (k < past) & (place >= -1) & (place <= size)
        place = xp.where(there, xp.maximum(place, 0.0), 0.0)
        low = xp.minimum(place.astype(np.int64), size - 1)
        beyond = xp.where(low == size - 1, 0.0, place - low)
        yield low, xp.where(there, 1 - beyond, 0.0)
        yield xp.minimum(low + 1, size - 1), xp.where(there, beyond, 0.0)
