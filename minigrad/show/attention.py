"""Which words of a sentence were looked at for each word of its translation, as a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.errors import ArgumentError, ShapeError
from minigrad.show.sheet import Ink, Sheet, shortened, width_of

CELL = 26.0  # units to a word
LETTERS = 13.0
WIDEST = 150.0  # units of a word's name
SHOWN = 60  # words of either sentence; of longer ones the picture is cut there


def attention_svg(weights: Any, source: Sequence[str], target: Sequence[str]) -> str:
    """A row for each word that was written, a column for each that was read, shaded by its weight, as SVG.

    Args:
        weights: (T, S), each row of which sums to 1 at most.
        source: S words.
        target: T words.

    Raises:
        ShapeError: weights that are not (T, S).
        ArgumentError: weights that are not finite, or are below 0.

    Example:
        >>> attention_svg([[0.9, 0.1], [0.2, 0.8]], ["good", "day"], ["guten", "Tag"]).count("<text")
        4
    """
    label = f"Which words of “{' '.join(source)}” were looked at for each word written"
    return _sheet("attention_svg", weights, source, target).svg(label)


def attention_png(weights: Any, source: Sequence[str], target: Sequence[str]) -> bytes:
    """The same as a PNG file on light paper; arguments and errors are those of ``attention_svg``.

    Example:
        >>> attention_png([[0.9, 0.1], [0.2, 0.8]], ["good", "day"], ["guten", "Tag"])[1:4]
        b'PNG'
    """
    return _sheet("attention_png", weights, source, target).png()


def _sheet(where: str, weights: Any, source: Sequence[str], target: Sequence[str]) -> Sheet:
    table = np.asarray(weights, np.float64)
    if table.shape != (len(target), len(source)) or not table.size:
        expected = f"({len(target)}, {len(source)}), one for each word written and each word read"
        raise ShapeError(where, "weights", expected, f"shape {table.shape}")
    if not np.isfinite(table).all() or (table < 0).any():
        raise ArgumentError(where, "weights", "finite numbers of 0 or more", "others")
    table = table[:SHOWN, :SHOWN]
    across = [shortened(word, LETTERS, WIDEST) for word in source[:SHOWN]]
    down = [shortened(word, LETTERS, WIDEST) for word in target[:SHOWN]]
    left = max(width_of(word, LETTERS) for word in down) + 10
    longest = max(width_of(word, LETTERS) for word in across)
    top = longest * 0.87 + 14
    width, height = CELL * len(across), CELL * len(down)
    sheet = Sheet(math.ceil(left + width + longest * 0.5 + 8), math.ceil(top + height + 4))
    for number, word in enumerate(across):
        sheet.text(left + (number + 0.5) * CELL + 2, top - 8, word, size=LETTERS, turn=60, instead=f"word {number + 1}")
    for number, word in enumerate(down):
        baseline = top + (number + 0.5) * CELL + LETTERS * 0.36
        sheet.text(left - 8, baseline, word, size=LETTERS, align="right", instead=f"word {number + 1}")
    sheet.box(left, top, width, height, "wash")
    image = np.zeros((*table.shape, 4), np.uint8)
    image[..., :3] = (64, 128, 230)
    image[..., 3] = np.rint(255 * np.clip(table, 0, 1))

    def draw(axes: Any, ink: Ink) -> None:
        axes.imshow(image, interpolation="none" if ink.vector else "nearest", aspect="auto")

    sheet.axes(left, top, left + width, top + height, draw)
    return sheet


__all__ = ["attention_png", "attention_svg"]
