"""Boxes and masks turned along with their picture, as an EXIF entry turns it when it is shown."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from minigrad.data.boxlist import Drawn, Photo
from minigrad.data.masks import read_polygon, read_run_lengths, run_lengths
from minigrad.errors import DataError

Corners = tuple[float, float, float, float]
# Image.Transpose -> whether x and y change places, and then whether each of them counts from the other side
_STEPS = {
    0: (False, True, False), 1: (False, False, True), 2: (True, False, True), 3: (False, True, True),
    4: (True, True, False), 5: (True, False, False), 6: (True, True, True),
}  # fmt: skip


def turned(photo: Photo, turn: int | None, shares: bool = False) -> Photo:
    """A photo whose boxes, masks and size were those of the picture before it was turned.

    Args:
        photo: one with a size.
        turn: one of Pillow's ``Image.Transpose``; None leaves all as it is.
        shares: whether the corners are shares of the picture's sides.

    Example:
        >>> drawn = Drawn("a.xml, object 1", (10, 5, 30, 25), "wren")
        >>> found = turned(Photo("a.jpg", "a.jpg", "", "a.xml", (60, 40), [drawn]), 4)
        >>> found.size, found.boxes[0].corners
        ((40, 60), (15, 10, 35, 30))
    """
    if turn is None or photo.size is None:
        return photo
    width, height = photo.size
    exchanged = _STEPS[turn][0]
    sides = (1, 1) if shares else photo.size
    boxes = [
        drawn._replace(corners=_box(drawn.corners, turn, *sides), mask=_mask(drawn, turn, sides, (width, height)))
        for drawn in photo.boxes
    ]
    return dataclasses.replace(photo, size=(height, width) if exchanged else (width, height), boxes=boxes)


def _box(corners: Corners, turn: int, width: float, height: float) -> Corners:
    """The box of which the corners are turned; swapped ones stay swapped."""
    exchanged, across, down = _STEPS[turn]
    x1, y1, x2, y2 = corners
    if exchanged:
        x1, y1, x2, y2, width, height = y1, x1, y2, x2, height, width
    if across:
        x1, x2 = width - x2, width - x1
    if down:
        y1, y2 = height - y2, height - y1
    return x1, y1, x2, y2


def _mask(drawn: Drawn, turn: int, sides: tuple[float, float], size: tuple[int, int]) -> Any:
    """A segmentation turned; what is none is left to whoever judges it."""
    exchanged, across, down = _STEPS[turn]
    try:
        if isinstance(drawn.mask, dict):
            pixels = read_run_lengths(drawn.mask, size[1], size[0]).pixels()
            pixels = pixels.T if exchanged else pixels
            runs = run_lengths(pixels[:: -1 if down else 1, :: -1 if across else 1])
            return {"size": [runs.height, runs.width], "counts": runs.counts.tolist()}
        if isinstance(drawn.mask, list):
            return [_polygon(polygon, turn, *sides) for polygon in drawn.mask]
    except DataError:
        pass
    return drawn.mask


def _polygon(given: Any, turn: int, width: float, height: float) -> list[float]:
    exchanged, across, down = _STEPS[turn]
    if isinstance(given, list) and len(given) == 4:
        return given  # a line, which has no inside
    points = read_polygon(given)[:, :: -1 if exchanged else 1]
    far = np.array((height, width) if exchanged else (width, height))
    return np.where((across, down), far - points, points).ravel().tolist()


__all__ = ["turned"]
