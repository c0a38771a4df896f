"""The oracle: one pair of boxes, one box and one sample at a time, as the contract's formulas read."""

from __future__ import annotations

from math import ceil, inf, isfinite, isnan

import numpy as np

from minigrad.core.device import Array
from minigrad.kernels.boxes import FARTHEST, Pair
from minigrad.kernels.layout import empty_channels_last

Shares = list[tuple[int, float]]  # pixels along one axis, and what each has of a sample


def iou(a: Array, b: Array) -> Array:
    """See the contract."""
    y = np.zeros((len(a), len(b)), a.dtype)
    for n, m in np.ndindex(*y.shape):
        y[n, m] = _overlap(a[n].astype(np.float64), b[m].astype(np.float64))
    return y


def nms(boxes: Array, scores: Array, threshold: float, group: Array | None) -> Array:
    """See the contract."""
    boxes = boxes.astype(np.float64)
    there = [n for n in range(len(boxes)) if np.isfinite(boxes[n]).all() and not isnan(scores[n])]
    kept: list[int] = []
    for n in sorted(there, key=lambda n: -scores[n]):  # which leaves equal ones in order
        rivals = [m for m in kept if group is None or group[m] == group[n]]
        if all(_overlap(boxes[m], boxes[n]) <= threshold for m in rivals):
            kept.append(n)
    return np.array(kept, np.int64)


def roi_align(
    x: Array, boxes: Array, image: Array, output_size: Pair, *, spatial_scale: float, sampling_ratio: int, aligned: bool
) -> Array:
    """See the contract."""
    y = _zeros((len(boxes), x.shape[1], *output_size), x.dtype)
    for r in range(len(boxes)):
        rows, columns, count = _samples(boxes[r], output_size, x.shape[2:], spatial_scale, sampling_ratio, aligned)
        for i, j in np.ndindex(*output_size):
            for sample in rows[i]:
                for other in columns[j]:
                    for h, down in sample:
                        for w, across in other:
                            y[r, :, i, j] += x[image[r], :, h, w] * (down * across)
            y[r, :, i, j] /= count
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
    images, *size = input_size
    dx = _zeros((images, dy.shape[1], *size), dy.dtype)
    for r in range(len(boxes)):
        rows, columns, count = _samples(boxes[r], dy.shape[2:], tuple(size), spatial_scale, sampling_ratio, aligned)
        for i, j in np.ndindex(*dy.shape[2:]):
            for sample in rows[i]:
                for other in columns[j]:
                    for h, down in sample:
                        for w, across in other:
                            dx[image[r], :, h, w] += dy[r, :, i, j] * (down * across / count)
    return dx


def _overlap(a: Array, b: Array) -> float:
    areas = []
    for x1, y1, x2, y2 in (a, b):
        width, height = x2 - x1, y2 - y1
        if not (width > 0 and height > 0 and 0 < width * height < inf):  # false of NaN, too
            return 0.0
        areas.append(width * height)
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if not (width > 0 and height > 0):
        return 0.0
    shared = width * height
    union = areas[0] + areas[1] - shared
    return float(shared / union) if union < inf else 0.0


def _samples(
    box: Array, bins: tuple[int, ...], size: tuple[int, ...], scale: float, ratio: int, aligned: bool
) -> tuple[list[list[Shares]], list[list[Shares]], int]:
    """The samples of each row of bins, those of each column, and how many a bin has."""
    corners = [float(each) * scale - (0.5 if aligned else 0.0) for each in box]
    if not all(isfinite(each) and abs(each) <= FARTHEST for each in corners):
        return [[] for _ in range(bins[0])], [[] for _ in range(bins[1])], 1
    x1, y1, x2, y2 = corners
    down, tall = _along(y1, y2, bins[0], size[0], ratio, aligned)
    across, wide = _along(x1, x2, bins[1], size[1], ratio, aligned)
    return down, across, max(tall * wide, 1)


def _along(start: float, end: float, bins: int, size: int, ratio: int, aligned: bool) -> tuple[list[list[Shares]], int]:
    """The samples of each bin along one axis that are in the image, and how many it has in all."""
    length = end - start if aligned else max(end - start, 1.0)
    side = length / bins
    samples = ratio if ratio > 0 else ceil(side)
    found = []
    for i in range(bins):
        places = [start + i * side + (k + 0.5) * side / samples for k in range(samples)]
        found.append([_shares(max(place, 0.0), size) for place in places if -1 <= place <= size])
    return found, samples


def _shares(place: float, size: int) -> Shares:
    low = int(place)
    if low >= size - 1:
        return [(size - 1, 1.0)]
    beyond = place - low
    return [(low, 1 - beyond), (low + 1, beyond)] if beyond > 0 else [(low, 1.0)]


def _zeros(shape: tuple[int, ...], dtype: np.dtype) -> Array:
    zeros = empty_channels_last(np, shape, dtype)
    zeros[...] = 0
    return zeros
