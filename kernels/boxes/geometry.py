"""What every rung but the reference reckons of boxes before its loops, in float64 and on any array module."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from minigrad.core.device import Array, array_module
from minigrad.kernels.boxes import FARTHEST, Pair


class Axis(NamedTuple):
    """How regions are sampled along one axis, a number for each region.

    Attributes:
        start: where it begins, in pixels.
        side: the length of a bin.
        samples: how many a bin has, int64; none where there is nothing to sample.
    """

    start: Array
    side: Array
    samples: Array


def with_areas(boxes: Array) -> Array:
    """x1, y1, x2, y2 and area of boxes, (5, N) in float64. What overlaps nothing has an area of 0.

    Example:
        >>> with_areas(np.array([[1.0, 1.0, 4.0, 3.0], [0.0, 0.0, -1.0, 2.0]]))[4]
        array([6., 0.])
    """
    xp = array_module(boxes)
    found = xp.empty((5, len(boxes)), np.float64)
    found[:4] = boxes.T
    width, height = found[2] - found[0], found[3] - found[1]
    area = width * height
    found[4] = xp.where((width > 0) & (height > 0) & (area < np.inf), area, 0.0)
    return found


def axes(boxes: Array, bins: Pair, spatial_scale: float, sampling_ratio: int, aligned: bool) -> tuple[tuple[Axis, Axis], Array]:
    """How regions are sampled along rows and columns, and the number of samples of a bin of each, float64.

    Example:
        >>> (down, across), count = axes(np.array([[0.0, 0.0, 3.0, 5.0]]), (2, 2), 1.0, -1, True)
        >>> float(down.start[0]), float(down.side[0]), int(down.samples[0]), float(count[0])
        (-0.5, 2.5, 3, 6.0)
    """
    xp = array_module(boxes)
    corners = boxes.astype(np.float64) * spatial_scale - (0.5 if aligned else 0.0)
    there = (abs(corners) <= FARTHEST).all(axis=1)  # not where one is NaN
    corners = xp.where(there[:, None], corners, 0.0)
    found = []
    for axis, count in ((1, bins[0]), (0, bins[1])):
        start, length = corners[:, axis], corners[:, axis + 2] - corners[:, axis]
        side = (length if aligned else xp.maximum(length, 1.0)) / count
        wanted = xp.full(side.shape, float(sampling_ratio)) if sampling_ratio > 0 else xp.maximum(xp.ceil(side), 0.0)
        samples = xp.where(there, wanted, 0.0).astype(np.int64)
        found.append(Axis(xp.ascontiguousarray(start), side, samples))
    down, across = found
    return (down, across), xp.maximum(down.samples * across.samples, 1).astype(np.float64)


class Ranks(NamedTuple):
    """Boxes that may be kept, in the order in which suppression goes over them.

    Attributes:
        number: the boxes, those of a group one after another, the best first.
        place: of each of these in the order of all scores.
        starts: where each group begins, int64, and behind the last its end.
    """

    number: Array
    place: Array
    starts: Array


def ranks(boxes: Array, scores: Array, group: Array | None) -> Ranks:
    """The order of suppression. Boxes that are not finite and those without a score are left out.

    Example:
        >>> found = ranks(np.zeros((4, 4)), np.array([0.1, np.nan, 0.3, 0.2]), np.array([7, 7, 5, 7]))
        >>> found.number, found.place, found.starts
        (array([2, 3, 0]), array([0, 1, 2]), array([0, 1, 3]))
    """
    xp = array_module(boxes)
    there = xp.flatnonzero(xp.isfinite(boxes).all(axis=1) & (scores == scores))
    best = there[_order(xp, -scores[there])]
    if group is None:
        ends = [0, len(best)] if len(best) else [0]
        return Ranks(best, xp.arange(len(best)), xp.asarray(ends, dtype=np.int64))
    of = group[best]
    place = _order(xp, of)
    sorted_ = of[place]
    turns = xp.flatnonzero(sorted_[1:] != sorted_[:-1]) + 1
    ends = xp.empty(len(turns) + 2 if len(best) else 1, np.int64)
    ends[0] = 0
    if len(best):
        ends[1:-1], ends[-1] = turns, len(best)
    return Ranks(best[place], place, ends)


def kept(ranked: Ranks, alive: Array) -> Array:
    """The numbers of the boxes that are alive, in the order of their scores.

    Args:
        alive: for each of ``ranked.number``, not 0 if it is kept.
    """
    xp = array_module(alive)
    number, keep = xp.empty_like(ranked.number), xp.empty(len(alive), bool)
    number[ranked.place], keep[ranked.place] = ranked.number, alive != 0
    return number[keep].astype(np.int64, copy=False)


def _order(xp: Any, keys: Array) -> Array:
    """The places that sort keys; equal ones keep their order."""
    stable = {"kind": "stable"} if xp is np else {}  # CuPy's is, and takes no kind
    return keys.argsort(**stable)
