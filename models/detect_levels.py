"""Of which sizes a detector's anchors are, and on how fine maps: found from the boxes that it is to learn."""

from __future__ import annotations

import math

import numpy as np

from minigrad.data.boxed import Boxed
from minigrad.models.detector_layers import STRIDES

LOOKED_AT = 400  # images whose boxes are looked at
SIDES = (96, 512)  # pixels of the longer side where nothing is said, at least and at most
CELLS = 4  # cells of a map that an anchor is wide, about
LEVELS = 4  # at most
RARE = 20  # boxes of a class: of fewer its sizes count less


def levels_of(images: Boxed, side: int | None, count: int | None) -> tuple[int, tuple[float, ...], tuple[int, ...]]:
    """The size of images, and the levels that fit the boxes on them, those of rare classes too.

    Args:
        images: that are learned from.
        side: pixels that the longer side of an image is brought to; ``None``: by those found.
        count: levels; ``None``: by the sizes of boxes.

    Returns:
        The side; of each level the root of the area of its anchors, in pixels of an image of that side, and the pixels from
        cell to cell of its map.

    Example:
        >>> from minigrad.data.boxed import BoxedImages
        >>> image, box = np.zeros((3, 80, 120), np.uint8), [10, 10, 40, 40]
        >>> levels_of(BoxedImages.of([image], [[box]], [[0]], ["wren"]), None, None)
        (120, (30.0,), (8,))
    """
    roots, kinds, longest = [], [], []
    for number in np.linspace(0, len(images) - 1, min(len(images), LOOKED_AT)).astype(int).tolist():  # from all over them
        boxes, labels = images.targets(number)
        kinds.append(labels)
        height, width = images.size(number)
        longest.append(max(height, width))
        roots.append(np.sqrt((boxes[:, 2:] - boxes[:, :2]).prod(1)) / max(height, width))
    side = side or int(np.clip(np.median(longest), *SIDES))
    own = np.concatenate(roots) * side if roots else np.zeros(0)
    low, high = spread(own, np.concatenate(kinds)) if len(own) else (16.0, 64.0)
    count = count or int(np.clip(1 + round(math.log2(max(1.0, high / low))), 1, LEVELS))
    first = int(np.clip(math.floor(math.log2(max(low, 1) / CELLS / STRIDES[0]) + 0.5), 0, len(STRIDES) - count))
    middles = np.geomspace(low, high, count) if count > 1 else [math.sqrt(low * high)]
    return side, tuple(max(2.0, float(round(size, 1))) for size in middles), STRIDES[first : first + count]


def spread(sizes: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Between which sizes 80 % of the boxes are, where each class counts as much as any other, as it does in the mean of their
    precisions. A class of fewer than ``RARE`` boxes counts less, as it may be a slip.

    Example:
        >>> sizes, labels = np.array([100.0] * 900 + [30.0] * 50), np.array([0] * 900 + [1] * 50)
        >>> spread(sizes, labels)
        (30.0, 100.0)
    """
    share = 1 / np.maximum(np.bincount(labels), RARE)[labels]
    order = np.argsort(sizes, kind="stable")
    below = np.cumsum(share[order]) / share.sum()
    low, high = (float(sizes[order][np.searchsorted(below, q).clip(max=len(order) - 1)]) for q in (0.1, 0.9))
    return low, high
