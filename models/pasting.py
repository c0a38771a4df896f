"""Masks of boxes, cell by cell, laid onto the image that the boxes are on."""

from __future__ import annotations

import numpy as np


def pasted(masks: np.ndarray, boxes: np.ndarray, size: tuple[int, int], least: float = 0.5) -> np.ndarray:
    """The pixels of an image that belong to objects, bool (n, H, W).

    Between the middles of cells the chance goes evenly from one to the other, and beyond the outer ones to 0.

    Args:
        masks: float32 (n, S, S), chances.
        boxes: float32 (n, 4), x1 y1 x2 y2, in pixels.
        size: (H, W).
        least: the chance of a pixel that belongs to an object.

    Example:
        >>> pasted(np.ones((1, 2, 2), np.float32), np.array([[1, 0, 3, 2]], np.float32), (2, 4)).astype(int)[0].tolist()
        [[0, 1, 1, 0], [0, 1, 1, 0]]
    """
    found = np.zeros((len(masks), *size), bool)
    for mask, box, out in zip(masks, boxes, found):
        side = len(mask)
        framed = np.pad(mask, 1)  # with a row and a column of zeros around
        x1, y1, x2, y2 = np.floor(box[0]), np.floor(box[1]), np.ceil(box[2]), np.ceil(box[3])
        left, top = max(0, int(x1)), max(0, int(y1))
        right, bottom = min(size[1], int(x2)), min(size[0], int(y2))
        if right <= left or bottom <= top:
            continue
        columns = _weights(np.arange(left, right), box[0], box[2], side)
        rows = _weights(np.arange(top, bottom), box[1], box[3], side)
        out[top:bottom, left:right] = rows @ framed @ columns.T >= least
    return found


def _weights(pixels: np.ndarray, begin: float, end: float, side: int) -> np.ndarray:
    """How much each cell of a framed mask has to say at each pixel, (pixels, S + 2)."""
    at = (pixels + 0.5 - begin) / max(end - begin, 1e-6) * side + 0.5  # in cells of the framed one
    return np.maximum(0, 1 - np.abs(at[:, None] - np.arange(side + 2)))
