"""Polylines, float64 (k, 2): points evenly along a path, and fewer points for the same path."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minigrad.errors import ArgumentError

CORNER = 50.0  # degrees: a path that turns by more at one of its points has a corner there, which stays
_LEAST = 1e-9  # a shorter way is none
MOST = 1_000_000  # points of a drawing


def evenly(lines: Sequence[np.ndarray], step: float, corner: float = CORNER) -> list[np.ndarray]:
    """Points about ``step`` apart along paths, with their ends and corners kept.

    Between two corners the points are evenly apart: the way there is divided into as many pieces as come nearest to ``step``.

    Args:
        lines: (k, 2) each, at least one point.
        step: the distance, above 0.
        corner: degrees; a path that turns by more at a point has a corner there.

    Returns:
        float64 (n, 2) for each; of a path without length its one place.

    Raises:
        ArgumentError: a step that is not above 0, or so small that there would be more than a million points.

    Example:
        >>> evenly([np.array([[0, 0], [4, 0], [4, 2]])], 2)[0].tolist()
        [[0.0, 0.0], [2.0, 0.0], [4.0, 0.0], [4.0, 2.0]]
    """
    if not lines:
        return []
    if not step > 0:
        raise ArgumentError("strokes", "step", "a distance above 0", repr(step))
    points = np.concatenate(lines).astype(np.float64)
    begins = np.zeros(len(points), bool)
    begins[np.cumsum([0, *map(len, lines[:-1])])] = True
    ways = points[1:] - points[:-1]  # from the end of a line to the next one's begin too: these are left whole
    kept = begins.copy()
    kept[1:] |= np.hypot(ways[:, 0], ways[:, 1]) > _LEAST
    points, begins = points[kept], begins[kept]
    ways = points[1:] - points[:-1]
    reached = np.zeros(len(points))
    np.cumsum(np.hypot(ways[:, 0], ways[:, 1]), out=reached[1:])
    along = np.sum(ways[:-1] * ways[1:], axis=1)
    across = np.abs(ways[:-1, 0] * ways[1:, 1] - ways[:-1, 1] * ways[1:, 0])
    stays = begins.copy()
    stays[:-1] |= begins[1:]
    stays[-1] = True
    stays[1:-1] |= np.arctan2(across, along) > np.radians(corner)
    ends = np.flatnonzero(stays)
    lengths = reached[ends[1:]] - reached[ends[:-1]]
    if reached[-1] > MOST * step:
        expected = f"a distance that leaves at most {MOST:,} points of a way of {reached[-1]:.4g}"
        raise ArgumentError("strokes", "step", expected, f"{step:g}", "Take a larger one")
    pieces = np.maximum(1, np.rint(lengths / step)).astype(np.int64)
    pieces[begins[ends[1:]]] = 1
    first = np.cumsum(pieces) - pieces
    part = np.repeat(np.arange(len(pieces)), pieces)
    place = np.append(reached[ends[part]] + (np.arange(len(part)) - first[part]) * (lengths / pieces)[part], reached[-1])
    out = np.stack([np.interp(place, reached, points[:, 0]), np.interp(place, reached, points[:, 1])], axis=1)
    starts = np.append(first, len(part))[begins[ends]]
    return np.split(out, starts[1:])


def simplified(line: np.ndarray, tolerance: float) -> np.ndarray:
    """The points that a path needs so that none of those left out lies farther than ``tolerance`` from it.

    By Douglas and Peucker, "Algorithms for the reduction of the number of points required to represent a digitized line or its
    caricature", 1973: the ends stay, and of the points between two that stay the farthest does if it is too far.

    Args:
        line: (k, 2).
        tolerance: 0 or more.

    Returns:
        (n, 2), some of the points.

    Example:
        >>> simplified(np.array([[0, 0], [1, 0.1], [2, 0], [2, 3]]), 0.2).tolist()
        [[0.0, 0.0], [2.0, 0.0], [2.0, 3.0]]
    """
    line = np.asarray(line, np.float64)
    stays = np.zeros(len(line), bool)
    stays[[0, -1]] = True
    open_ = [(0, len(line) - 1)]
    while open_:
        first, last = open_.pop()
        if last - first < 2:
            continue
        distances = _distances(line[first + 1 : last], line[first], line[last])
        farthest = int(np.argmax(distances))
        if distances[farthest] > tolerance:
            middle = first + 1 + farthest
            stays[middle] = True
            open_ += [(first, middle), (middle, last)]
    return line[stays]


def _distances(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """How far points are from the stretch between two others."""
    way = end - start
    squared = float(way @ way)
    if squared == 0:
        return np.hypot(*(points - start).T)
    share = np.clip((points - start) @ way / squared, 0, 1)
    return np.hypot(*(points - start - share[:, None] * way).T)
