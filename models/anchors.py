"""Anchors of a detector, and what they have to do with boxes: which is near which, how far one is from the other, whom to ask.

A box is (x1, y1, x2, y2) in pixels of the image. An anchor is a box that stands at every cell of a map, of some sizes and
proportions; a detector says of each how far it is from something that it knows. All here is arrays without gradients.

Sources: Ren, He, Girshick, Sun 2015, arXiv:1506.01497, section 3.1 (anchors, the four differences, sampling); Girshick et al.
2013, arXiv:1311.2524, appendix C (the differences).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

import minigrad
from minigrad.ops.boxes import box_iou

LARGEST_STEP = math.log(1000 / 16)  # of a size: more would overflow, and no box is so much larger than its anchor
HALF = 0.5  # of an anchor
NOBODY, UNSURE = -1, -2  # in place of the box that an anchor stands for: none, or it is not asked


def grid(shape: tuple[int, int], stride: int, size: float, ratios: Sequence[float]) -> np.ndarray:
    """The anchors of a map, float32 (h w A, 4), cell after cell and in each ratio after ratio.

    Args:
        shape: (h, w) of the map.
        stride: pixels of the image from cell to cell; the first cell's middle is half of it.
        size: the root of an anchor's area, in pixels.
        ratios: height to width.

    Example:
        >>> grid((1, 2), 8, 4.0, (1.0,)).tolist()
        [[2.0, 2.0, 6.0, 6.0], [10.0, 2.0, 14.0, 6.0]]
    """
    root = np.sqrt(np.asarray(ratios, np.float64))
    half = np.stack([size / root, size * root], 1) / 2
    middles = np.stack(np.meshgrid((np.arange(shape[1]) + 0.5) * stride, (np.arange(shape[0]) + 0.5) * stride), -1)
    middles = middles[:, :, None]
    return np.concatenate([middles - half, middles + half], -1).reshape(-1, 4).astype(np.float32)


def differences(boxes: np.ndarray, anchors: np.ndarray, weights: Sequence[float]) -> np.ndarray:
    """How far boxes are from their anchors, float32 (N, 4): of the middles in sizes of the anchor, of the sizes in logarithms.

    Args:
        boxes, anchors: float32 (N, 4); no size of either is 0.
        weights: what x, y, width and height are multiplied by.

    Example:
        >>> anchor = np.array([[0, 0, 10, 10]], np.float32)
        >>> differences(np.array([[5, 0, 15, 10]], np.float32), anchor, (1, 1, 1, 1)).tolist()
        [[0.5, 0.0, 0.0, 0.0]]
    """
    middle, size = _middles(boxes.astype(np.float64))
    base, base_size = _middles(anchors.astype(np.float64))
    found = np.concatenate([(middle - base) / base_size, np.log(size / base_size)], 1)
    return (found * np.asarray(weights)).astype(np.float32)


def moved(anchors: np.ndarray, steps: np.ndarray, weights: Sequence[float]) -> np.ndarray:
    """The boxes that are so far from their anchors, float32 (N, 4): what ``differences`` takes apart.

    Example:
        >>> anchor = np.array([[0, 0, 10, 10]], np.float32)
        >>> moved(anchor, np.array([[0.5, 0, 0, 0]], np.float32), (1, 1, 1, 1)).tolist()
        [[5.0, 0.0, 15.0, 10.0]]
    """
    steps = steps.astype(np.float64) / np.asarray(weights)
    base, size = _middles(anchors.astype(np.float64))
    middle = base + steps[:, :2] * size
    half = size * np.exp(np.minimum(steps[:, 2:], LARGEST_STEP)) / 2
    return np.concatenate([middle - half, middle + half], 1).astype(np.float32)


def _middles(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]


def matched(
    boxes: np.ndarray,
    anchors: np.ndarray,
    near: float,
    far: float,
    *,
    all_boxes: bool = False,
    ignored: np.ndarray | None = None,
) -> np.ndarray:
    """Which box each anchor stands for, int64 (N,): its number, ``NOBODY``, or ``UNSURE``.

    Args:
        boxes: float32 (G, 4).
        anchors: float32 (N, 4).
        near: from such an overlap on (IoU) an anchor stands for the box that it overlaps most.
        far: below it, it stands for nobody; in between it is not asked.
        all_boxes: the anchors that overlap a box most stand for it too, however little that is, so that each has one.
        ignored: boxes (I, 4) of which nobody is to learn: an anchor that lies in one by half is not asked.

    Example:
        >>> anchors = np.array([[0, 0, 10, 10], [20, 0, 30, 10], [1, 0, 11, 10]], np.float32)
        >>> matched(anchors[:1], anchors, 0.9, 0.3).tolist()
        [0, -1, -2]
    """
    found = np.full(len(anchors), NOBODY)
    if ignored is not None and len(ignored) and len(anchors):
        found[_inside(anchors, ignored) >= HALF] = UNSURE
    if not len(boxes) or not len(anchors):
        return found
    overlap = box_iou(minigrad.tensor(boxes, device="cpu"), minigrad.tensor(anchors, device="cpu")).numpy()
    best, which = overlap.max(0), overlap.argmax(0)
    found[best >= far] = UNSURE
    found[best >= near] = which[best >= near]
    if all_boxes:
        most = overlap.max(1, keepdims=True)
        _, columns = np.nonzero((overlap == most) & (most > 0))
        found[columns] = which[columns]
    return found


def _inside(anchors: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """The share of each anchor that lies in one of the boxes, the largest, (N,)."""
    low, high = np.maximum(anchors[:, None, :2], boxes[:, :2]), np.minimum(anchors[:, None, 2:], boxes[:, 2:])
    common = np.maximum(high - low, 0).prod(2)
    return common.max(1) / np.maximum((anchors[:, 2:] - anchors[:, :2]).prod(1), 1e-6)


def sampled(match: np.ndarray, count: int, share: float, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which anchors are asked: at most ``count``, of which at most a share stands for a box.

    Args:
        match: what ``matched`` gave.
        count: anchors, at most.
        share: of those that stand for a box, at most.
        order: a permutation of the anchors, by which they are drawn.

    Returns:
        The numbers of those that stand for a box, and of those that stand for nobody, int64.

    Example:
        >>> one, none = sampled(np.array([-1, 0, -2, -1, 1]), 3, 0.4, np.arange(5))
        >>> one.tolist(), none.tolist()
        ([1], [0, 3])
    """
    drawn = match[order]
    some = order[drawn >= 0][: int(count * share)]
    return some, order[drawn == NOBODY][: count - len(some)]
