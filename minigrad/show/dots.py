"""Lines and images as dots in a terminal: Unicode's braille patterns, each with two dots across and four down."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

_BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])  # of the dots of a pattern, from its code 0x2800
_DENSE = 0.4  # dots from one point that is drawn to the next


def dotted(lines: Sequence[np.ndarray], rows: int = 6, widest: int = 100) -> str:
    """Lines through points, as text of so many rows.

    Args:
        lines: (k, 2) each, x to the right and y down; one of a single point is a dot.
        rows: of text; fewer where it would else be wider than
        widest: characters.

    Example:
        >>> print(dotted([np.array([[0, 0], [0, 7]]), np.array([[3, 0], [3, 7]])], rows=2))
        ⡇⢸
        ⡇⢸
    """
    lines = [np.asarray(line, np.float64).reshape(-1, 2) for line in lines if len(line)]
    if not lines:
        return ""
    every = np.concatenate(lines)
    corner, (across, down) = every.min(axis=0), np.ptp(every, axis=0)
    scale = min((4 * rows - 1) / max(down, 1e-9), (2 * widest - 1) / max(across, 1e-9))
    scale = min(scale, 4 * rows / max(across, down, 1e-9)) if down < 1e-9 else scale
    size = np.floor(np.array([across, down]) * scale + 0.5).astype(int) + 1
    grid = np.zeros((math.ceil(size[1] / 4), math.ceil(size[0] / 2)), int)
    for line in lines:
        for x, y in np.floor((_filled(line, scale) - corner) * scale + 0.5).astype(int):
            grid[y // 4, x // 2] |= _BITS[y % 4, x % 2]
    return "\n".join("".join(chr(0x2800 + code) for code in row).rstrip("\u2800") for row in grid)


def in_dots(images: np.ndarray, rows: int = 7) -> str:
    """Images side by side, the brighter the denser the dots, as text of so many rows.

    Each is brought to ``4 rows`` dots down; what a dot cannot show is handed on to its neighbours (Floyd, Steinberg 1976).

    Args:
        images: uint8 (N, C, H, W), grey or RGB.
        rows: of text.

    Example:
        >>> print(in_dots(np.repeat(np.array([0, 255, 0, 255], np.uint8), 16).reshape(1, 1, 8, 8), rows=2))
        ⣤⣤⣤⣤
        ⣤⣤⣤⣤
    """
    from PIL import Image

    _, _, height, width = images.shape
    size = (max(2, round(width * 4 * rows / height / 2) * 2), 4 * rows)
    shown = []
    for image in images:
        picture = Image.fromarray(image[0] if len(image) == 1 else image.transpose(1, 2, 0)).convert("L")
        grid = np.asarray(picture.resize(size, Image.Resampling.BOX).convert("1"), int)
        cells = grid.reshape(rows, 4, -1, 2).transpose(0, 2, 1, 3)
        shown.append(["".join(chr(0x2800 + int((cell * _BITS).sum())) for cell in row) for row in cells])
    return "\n".join(" ".join(line) for line in zip(*shown, strict=True))


def _filled(line: np.ndarray, scale: float) -> np.ndarray:
    """The points of a line and enough between them that no dot is left out."""
    ways = np.hypot(*np.diff(line, axis=0).T) * scale
    pieces = [line[:1]]
    for start, end, way in zip(line, line[1:], ways, strict=False):
        parts = max(1, math.ceil(way / _DENSE))
        pieces.append(start + (end - start) * (np.arange(1, parts + 1) / parts)[:, None])
    return np.concatenate(pieces)
