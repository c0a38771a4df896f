"""Which letter of a text is looked at when, as a picture: the window of a network that writes by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.errors import ArgumentError, ShapeError
from minigrad.show.sheet import Ink, Sheet, shortened

ROW = 18  # units to a letter
WIDTH = 720  # units of the picture of the weights
_LEFT = 28
_SHOWN = 400  # letters; of a longer text the window is cut there


def window_svg(weights: Any, text: str) -> str:
    """The window's weights, time from left to right and the letters of the text from top to bottom, as SVG.

    Args:
        weights: (T, U), of each letter at each point of the pen.
        text: U characters.

    Raises:
        ShapeError: weights that are not (T, U).
        ArgumentError: weights that are not finite, or are below 0.

    Example:
        >>> window_svg([[1, 0], [0.2, 0.8]], "hi").count("<text")
        3
    """
    return _sheet("window_svg", weights, text).svg(f"Which letter of “{text}” the pen is at, from its first point to its last")


def window_png(weights: Any, text: str) -> bytes:
    """The same as a PNG file on light paper.

    Args, Raises: as ``window_svg``.

    Example:
        >>> window_png([[1, 0], [0.2, 0.8]], "hi")[1:4]
        b'PNG'
    """
    return _sheet("window_png", weights, text).png()


def _sheet(where: str, weights: Any, text: str) -> Sheet:
    table = np.asarray(weights, np.float64)
    if table.ndim != 2 or table.shape[1] != len(text) or not table.size:
        raise ShapeError(where, "weights", f"(T, {len(text)}), one for each letter of the text", f"shape {table.shape}")
    if not np.isfinite(table).all() or (table < 0).any():
        raise ArgumentError(where, "weights", "finite numbers of 0 or more", "others")
    table = table[:, :_SHOWN]
    letters = text[:_SHOWN]
    bottom = ROW * len(letters)
    sheet = Sheet(_LEFT + WIDTH, bottom + 24)
    for number, letter in enumerate(letters):
        shown = "␣" if letter.isspace() else shortened(letter, 13, _LEFT)
        sheet.text(_LEFT - 10, ROW * number + 13.5, shown, size=13, align="center", instead="?")
    sheet.box(_LEFT, 0, WIDTH, bottom, "wash")
    image = np.zeros((*table.T.shape, 4), np.uint8)
    image[..., :3] = (64, 128, 230)
    image[..., 3] = np.rint(255 * np.clip(table.T / max(float(table.max()), 1e-12), 0, 1))

    def draw(axes: Any, ink: Ink) -> None:
        axes.imshow(image, interpolation="none" if ink.vector else "nearest", aspect="auto")

    sheet.axes(_LEFT, 0, _LEFT + WIDTH, bottom, draw)
    sheet.text(_LEFT, bottom + 16, f"{len(table):,} points of the pen →", size=12, colour="soft")
    return sheet


__all__ = ["window_png", "window_svg"]
