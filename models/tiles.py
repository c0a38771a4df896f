"""Large photos in tiles that lie over each other, and what was found on them as one.

An object that no tile's edge cuts is found whole, perhaps by several tiles: the surest stands. One that is larger than what two
tiles share is cut on both; its parts, which meet there, are joined.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

import minigrad
from minigrad.models.detector import Found
from minigrad.ops.boxes import batched_nms

OVERLAP = 0.25  # of a tile's side, by which it lies over its neighbours
EDGE = 2.0  # pixels from a tile's edge within which a box is cut by it
BESIDE = 0.6  # of the shorter one, by which two parts of an object have to lie side by side
SAME = 0.5  # overlap of two boxes of a class that are one
INSIDE = 0.8  # of a box in a surer one of its class that makes it a piece of that


def steps(length: int, tile: int) -> list[int]:
    """Where tiles of a side begin, which lie over each other by a quarter at least and cover a length evenly.

    Example:
        >>> steps(100, 40), steps(30, 40)
        ([0, 30, 60], [0])
    """
    if length <= tile:
        return [0]
    count = 1 + math.ceil((length - tile) / (tile * (1 - OVERLAP)))
    return [round(at) for at in np.linspace(0, length - tile, count)]


def merged(parts: Sequence[Found], windows: Sequence[tuple[int, int]], tile: int, size: tuple[int, int]) -> Found:
    """What was found on all tiles, in pixels of the photo, the surest first.

    Args:
        parts: of each tile, in its pixels.
        windows: (y, x) of each tile's upper left corner.
        tile: pixels of their sides.
        size: (H, W) of the photo.
    """
    places, cuts = [], []
    for found, (y, x) in zip(parts, windows):
        own = found.boxes + np.array([x, y, x, y], np.float32)
        ends, outer = np.array([x, y, x + tile, y + tile]), np.array([0, 0, size[1], size[0]])
        places.append(own)
        cuts.append((np.abs(own - ends) < EDGE) & (np.abs(own - outer) >= EDGE))
    boxes, cut = np.concatenate(places), np.concatenate(cuts)
    labels, scores = np.concatenate([each.labels for each in parts]), np.concatenate([each.scores for each in parts])
    masks = None if parts[0].masks is None else np.concatenate([each.masks for each in parts])
    whole = Found(boxes, labels, scores, masks)
    numbers = np.repeat(np.arange(len(parts)), [len(each.boxes) for each in parts])
    joined = [_together(whole, group) for group in _groups(boxes, labels, cut, numbers)]
    if joined:
        more = (np.stack([getattr(each, name) for each in joined]) for name in ("boxes", "labels", "scores"))
        boxes, labels, scores = (np.concatenate(pair) for pair in zip((boxes, labels, scores), more))
        masks = None if masks is None else np.concatenate([masks, np.stack([each.masks for each in joined])])  # type: ignore[misc]
        whole = Found(boxes, labels, scores, masks)
        cut = np.concatenate([cut, np.zeros((len(joined), 4), bool)])
    order = whole.scores - cut.any(1)  # cut ones come after all others
    given = (whole.boxes, order.astype(np.float32), whole.labels)
    box, score, label = (minigrad.tensor(each, device="cpu") for each in given)
    first = batched_nms(box, score, label, SAME).numpy()
    kept: list[int] = []
    for number in first.tolist():
        surer = [other for other in kept if whole.labels[other] == whole.labels[number]]
        if not _inside(whole.boxes[number], whole.boxes[surer]):
            kept.append(number)
    kept.sort(key=lambda number: -float(whole.scores[number]))
    return Found(whole.boxes[kept], whole.labels[kept], whole.scores[kept], None if whole.masks is None else whole.masks[kept])


def _groups(boxes: np.ndarray, labels: np.ndarray, cut: np.ndarray, tiles: np.ndarray) -> list[list[int]]:
    """Boxes of one class that tiles' edges cut and that meet there, side by side: the parts of one object each."""
    edges = [[number, *np.flatnonzero(cut[number])] for number in np.flatnonzero(cut.any(1))]
    root = {row[0]: row[0] for row in edges}

    def top(number: int) -> int:
        while root[number] != number:
            number = root[number]
        return number

    for place, (one, *ours) in enumerate(edges):
        for other, *theirs in edges[:place]:
            if labels[one] != labels[other] or tiles[one] == tiles[other]:
                continue
            for axis in (0, 1):  # one's far edge is cut and the other's near one, or the other way round
                far, near = axis + 2, axis
                if not ((far in ours and near in theirs) or (near in ours and far in theirs)):
                    continue
                low, high = np.maximum(boxes[one, :2], boxes[other, :2]), np.minimum(boxes[one, 2:], boxes[other, 2:])
                beside = 1 - axis
                shorter = min(boxes[k, beside + 2] - boxes[k, beside] for k in (one, other))
                if high[axis] >= low[axis] and high[beside] - low[beside] >= BESIDE * shorter:
                    root[top(one)] = top(other)
    found: dict[int, list[int]] = {}
    for number in root:
        found.setdefault(top(number), []).append(number)
    return [group for group in found.values() if len(group) > 1]


def _together(found: Found, group: list[int]) -> Found:
    """One object of its parts: the box around them, the best score, and of each cell of the mask the largest chance."""
    boxes = found.boxes[group]
    box = np.concatenate([boxes[:, :2].min(0), boxes[:, 2:].max(0)])
    mask = None
    if found.masks is not None:
        side = found.masks.shape[1]
        at = (np.arange(side) + 0.5) / side
        columns, rows = box[0] + at * (box[2] - box[0]), box[1] + at * (box[3] - box[1])
        mask = np.zeros((side, side), found.masks.dtype)
        for number, (x1, y1, x2, y2) in zip(group, boxes):
            across = np.floor((columns - x1) / max(x2 - x1, 1e-6) * side).astype(int)
            down = np.floor((rows - y1) / max(y2 - y1, 1e-6) * side).astype(int)
            there = ((down >= 0) & (down < side))[:, None] & ((across >= 0) & (across < side))
            own = found.masks[number][np.clip(down, 0, side - 1)][:, np.clip(across, 0, side - 1)]
            mask = np.maximum(mask, np.where(there, own, 0))
    return Found(box, found.labels[group[0]], found.scores[group].max(), mask)


def _inside(box: np.ndarray, others: np.ndarray) -> bool:
    """Whether a box lies nearly whole in another: what a tile saw of an object that another saw whole."""
    low, high = np.maximum(others[:, :2], box[:2]), np.minimum(others[:, 2:], box[2:])
    common = np.maximum(high - low, 0).prod(1)
    return bool((common > INSIDE * max(1e-6, float((box[2:] - box[:2]).prod()))).any())
