"""What a pen wrote: a text, and the way of the pen as offsets from point to point."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigrad.data.polyline import CORNER, evenly, simplified
from minigrad.data.words import shown
from minigrad.errors import DataError

FARTHEST = 1e6  # no pad is so large in its units
DENSE = 20  # points to a letter: more cost time and teach little
DRAWINGS = 2  # letters of a text, at most, where items are drawings and no writing: each of their points may count
ABSURD = 1000.0  # times the usual offset: such a leap is no pen's
_ROWS = "rows of dx, dy and pen lifted, (n, 3)"
_PLACES = "x and y of each point, with or without its time: lines of [x, y] or [x, y, t]"
_MEND = "Mend the item or leave it out"
_STRIPES = 20  # upright, to a height of writing, in which its slant is judged
_SURROGATE = re.compile("[\ud800-\udfff]")  # half a character, which no file of text takes
_STEEPEST = 1.0  # slant that is looked for, to either side, as dx for each dy


@dataclass(frozen=True, eq=False)
class Strokes:
    """A text as a pen wrote it.

    Each point is ``(dx, dy, lifted)``: how far the pen went to it from the point before, x to the right and y down, and 1 where
    the pen is lifted there, so that the way to the next point is not drawn. The first point's way is from the origin, which is
    the left end of the line that the text stands on where that is known, else the first point itself. A point with the pen
    lifted before and after it is a dot.

    Args:
        text: what is written, one character at least.
        points: (n, 3), 2 points at least.
        name: what a person calls it, for messages: a file and a number in it.

    Attributes:
        points: float32 (n, 3), an array of its own that cannot be written to.

    Raises:
        DataError: points that are none, names ``name``: of another shape, not finite, fewer than two, a pen that is neither 0
            nor 1, an offset that no pen makes; or an empty text.

    Example:
        >>> l = Strokes("l", [[0, -9, 0], [0, 5, 0], [0, 4, 1]])
        >>> l.absolute()[:, 1].tolist(), l.box
        ([-9.0, -4.0, 0.0], (0.0, -9.0, 0.0, 0.0))
    """

    text: str
    points: Any
    name: str = ""

    def __post_init__(self) -> None:
        where = shown(self.name) or "points"
        if not isinstance(self.text, str) or not self.text.strip() or _SURROGATE.search(self.text):
            expected, remedy = "the text that is written", "Leave the item out, or add its text"
            raise DataError("strokes", where, expected, ascii(self.text), remedy)
        try:
            with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused as such
                points = np.array(self.points, np.float32)
        except (TypeError, ValueError, OverflowError) as error:
            raise DataError("strokes", where, _ROWS, f"something else ({error})", _MEND) from None
        if points.ndim != 2 or points.shape[1] != 3:
            raise DataError("strokes", where, _ROWS, f"shape {points.shape}", _MEND)
        refused = unfit(points)
        if refused is not None:
            raise DataError("strokes", where, *refused, _MEND)
        points.setflags(write=False)
        object.__setattr__(self, "points", points)

    @classmethod
    def of_lines(cls, text: str, lines: Iterable[Any], name: str = "", origin: tuple[float, float] | None = None) -> Strokes:
        """Strokes from the places through which the pen went, a line for each time that it was down.

        Args:
            text, name: as of ``Strokes``.
            lines: (k, 2) each, x and y of its points, y down; or (k, 3), with the times behind, which are not kept. Empty ones
                count for nothing.
            origin: the left end of the line that the text stands on; by default the first point.

        Raises:
            DataError: as ``Strokes`` does.

        Example:
            >>> Strokes.of_lines("i", [[[5, 2], [5, 9]], [[5, 0]]], origin=(4, 9)).points.tolist()
            [[1.0, -7.0, 0.0], [0.0, 7.0, 1.0], [0.0, -9.0, 1.0]]
        """
        where = shown(name) or "lines"
        try:
            arrays = [array for line in lines if len(array := np.asarray(line, np.float64))]
        except (TypeError, ValueError, OverflowError) as error:
            raise DataError("strokes", where, _PLACES, f"something else ({error})", _MEND) from None
        odd = next((array.shape for array in arrays if array.ndim != 2 or array.shape[1] not in (2, 3)), None)
        if odd is not None:
            raise DataError("strokes", where, _PLACES, f"a line of shape {odd}", _MEND)
        points = np.zeros((sum(map(len, arrays)), 3))
        if arrays:
            places = np.concatenate([array[:, :2] for array in arrays])
            begin = places[:1] if origin is None else np.array([origin], np.float64)
            with np.errstate(over="ignore", invalid="ignore"):
                points[:, :2] = np.diff(places, axis=0, prepend=begin)
            points[np.cumsum([len(line) for line in arrays]) - 1, 2] = 1
        return cls(text, points, name)

    def __len__(self) -> int:
        return len(self.points)

    def absolute(self) -> np.ndarray:
        """Where each point is, seen from the origin: float64 (n, 2)."""
        return np.cumsum(self.points[:, :2], axis=0, dtype=np.float64)

    def lines(self) -> list[np.ndarray]:
        """The drawn lines, float64 (k, 2) each, seen from the origin; a dot is a line of one point.

        Example:
            >>> [line.tolist() for line in Strokes("i", [[0, -7, 0], [0, 7, 1], [0, -9, 1]]).lines()]
            [[[0.0, -7.0], [0.0, 0.0]], [[0.0, -9.0]]]
        """
        ends = np.flatnonzero(self.points[:-1, 2]) + 1
        return np.split(self.absolute(), ends)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of all points, seen from the origin."""
        places = self.absolute()
        (left, top), (right, bottom) = places.min(axis=0).tolist(), places.max(axis=0).tolist()
        return left, top, right, bottom

    # ------------------------------------------------------------------ made of others

    def resampled(self, step: float, corner: float = CORNER) -> Strokes:
        """The same lines through points about ``step`` apart; ends and corners stay: see ``polyline.evenly``.

        Example:
            >>> len(Strokes("-", [[0, 0, 0], [9, 0, 1]]).resampled(3))
            4
        """
        return self._through(evenly(self.lines(), step, corner))

    def simplified(self, tolerance: float) -> Strokes:
        """The same lines with the points left out that lie nearer to them than ``tolerance``: see ``polyline.simplified``.

        Example:
            >>> len(Strokes("-", [[0, 0, 0], [1, 0.1, 0], [1, -0.1, 0], [1, 0, 1]]).simplified(0.2))
            2
        """
        return self._through([simplified(line, tolerance) for line in self.lines()])

    def scaled(self, factor: float) -> Strokes:
        """All offsets times a number.

        Example:
            >>> Strokes("-", [[0, 0, 0], [9, 0, 1]]).scaled(2).box
            (0.0, 0.0, 18.0, 0.0)
        """
        return Strokes(self.text, self.points * np.array([factor, factor, 1], np.float32), self.name)

    def sheared(self, slant: float) -> Strokes:
        """Leaning to the right by ``slant`` for each unit of height, to the left where it is below 0.

        Example:
            >>> Strokes("l", [[0, -10, 0], [0, 10, 1]]).sheared(0.2).absolute().tolist()
            [[2.0, -10.0], [0.0, 0.0]]
        """
        turn = np.array([[1, 0, 0], [-slant, 1, 0], [0, 0, 1]], np.float32)
        return Strokes(self.text, self.points @ turn, self.name)

    def levelled(self) -> Strokes:
        """Turned so that the text stands on a level line, and upright; the origin becomes the left end of that line.

        The line is fitted to the low points of the writing, without those far below it, which belong to g, p and y. Its slant
        is the shear after which the points stand in the fewest upright stripes.

        Example:
            >>> tilted = Strokes.of_lines("hill", [[[x, 0.1 * x - 9], [x + 3, 0.1 * x]] for x in (0, 9, 18, 27)])
            >>> f"{baseline(tilted.absolute())[0]:.2f}", f"{abs(baseline(tilted.levelled().absolute())[0]):.2f}"
            ('0.10', '0.00')
        """
        places = self.absolute()
        rise, height = baseline(places)
        angle = np.arctan(rise)
        cos, sin = np.cos(angle), np.sin(angle)
        places = (places - [0, height]) @ np.array([[cos, -sin], [sin, cos]])
        places[:, 0] += slant_of(places) * places[:, 1]
        places[:, 0] -= places[:, 0].min()
        lifted = np.flatnonzero(self.points[:-1, 2]) + 1
        return Strokes.of_lines(self.text, np.split(places, lifted), self.name, (0.0, 0.0))

    def seated(self) -> Strokes:
        """With the origin at the left end of the line that the text stands on, as ``baseline`` finds it.

        Example:
            >>> Strokes("l", [[0, 0, 0], [0, 9, 1]]).seated().absolute().tolist()
            [[0.0, -9.0], [0.0, 0.0]]
        """
        places = self.absolute()
        rise, height = baseline(places)
        left = float(places[:, 0].min())
        points = self.points.copy()
        points[0, :2] -= np.array([left, height + rise * left], np.float32)
        return Strokes(self.text, points, self.name)

    def _through(self, lines: list[np.ndarray]) -> Strokes:
        return Strokes.of_lines(self.text, lines, self.name, (0.0, 0.0))


def unfit(points: np.ndarray) -> tuple[str, str] | None:
    """What is wrong with rows (n, 3) of dx, dy and pen: what was expected, and what came; None where they are sound.

    Example:
        >>> unfit(np.array([[0, 0, 0], [3, np.nan, 1]], np.float32))
        ('finite offsets', 'nan in point 1')
    """
    if len(points) < 2:
        return "at least 2 points", "1 point" if len(points) else "none"
    bad = np.argwhere(~np.isfinite(points))
    if len(bad):
        return "finite offsets", f"{points[tuple(bad[0])]} in point {bad[0][0]}"
    pens = np.flatnonzero((points[:, 2] != 0) & (points[:, 2] != 1))
    if len(pens):
        return "a pen that is 0 or, lifted, 1", f"{points[pens[0], 2]:g} in point {pens[0]}"
    ways = np.hypot(points[:, 0].astype(np.float64), points[:, 1])
    moved = ways[1:][ways[1:] > 0]
    if not len(moved):
        return "a pen that moves", "one place"
    usual = float(np.median(moved))
    far = np.flatnonzero((ways > FARTHEST) | ((ways > ABSURD * usual) & (np.arange(len(ways)) > 0)))
    if len(far):
        return f"offsets that a pen makes, where {usual:.3g} is usual", f"one of {ways[far[0]]:.3g} to point {far[0]}"
    return None


def offset_scale(items: Iterable[Strokes]) -> float:
    """The standard deviation of the offsets, of dx and dy together: the root of the mean of their variances.

    Divided by it, offsets have the size that a network learns well, and the loss, in nats, compares with that of Graves, whose
    offsets have deviation 1 too. The way to a first point counts for nothing: it is no pen's.

    Raises:
        DataError: there are no items.

    Example:
        >>> f"{offset_scale([Strokes('-', [[0, 0, 0], [3, 0, 0], [-3, 0, 1]])]) ** 2:.3f}"
        '4.500'
    """
    count, total, squares = 0, np.zeros(2), np.zeros(2)
    for item in items:
        offsets = item.points[1:, :2].astype(np.float64)
        count += len(offsets)
        total += offsets.sum(axis=0)
        squares += (offsets**2).sum(axis=0)
    if not count:
        raise DataError("strokes", "items", "at least one", "none")
    return float(np.sqrt(np.mean(squares / count - (total / count) ** 2)))


def baseline(places: np.ndarray) -> tuple[float, float]:
    """The line that writing stands on: how much it falls for each unit to the right, and where it is at x = 0.

    Args:
        places: (n, 2), y down.

    Example:
        >>> rise, height = baseline(np.array([[0, 5], [1, 9], [2, 5], [3, 9], [4, 5], [5, 14], [6, 5], [7, 9], [8, 5]]))
        >>> f"{abs(rise):.1f} {height:.1f}"
        '0.0 9.0'
    """
    x, y = np.asarray(places, np.float64).T
    below = np.concatenate([[True], y[1:] >= y[:-1]]) & np.concatenate([y[:-1] >= y[1:], [True]])
    low = np.flatnonzero(below & (y >= np.median(y)))
    if len(low) < 2 or np.ptp(x[low]) == 0:
        return 0.0, float(y.max())
    rise, height = _fitted(x[low], y[low])
    for _ in range(4):
        gaps = y[low] - rise * x[low] - height
        near = np.abs(gaps - np.median(gaps)) <= max(1.5 * float(np.median(np.abs(gaps - np.median(gaps)))), 1e-9)
        if near.sum() < 2 or near.all() or np.ptp(x[low[near]]) == 0:
            break
        low = low[near]
        rise, height = _fitted(x[low], y[low])
    return rise, height


def _fitted(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Slope and height at 0 of the line of least squares."""
    away = x - x.mean()
    slope = float(away @ (y - y.mean()) / (away @ away))
    return slope, float(y.mean() - slope * x.mean())


def slant_of(places: np.ndarray) -> float:
    """How far writing leans to the right for each unit of height: the shear back from it fills the fewest upright stripes.

    Example:
        >>> leaning = np.array([[x + 0.3 * h, -h] for x in range(0, 50, 10) for h in range(10)])
        >>> f"{slant_of(leaning):.1f}"
        '0.3'
    """
    x, y = np.asarray(places, np.float64).T
    stripe = max(float(np.ptp(y)), 1e-9) / _STRIPES
    best, found = -1.0, 0.0
    for slant in sorted(np.linspace(-_STEEPEST, _STEEPEST, 81).tolist(), key=abs):
        upright = x + slant * y
        counts = np.unique(np.floor((upright - upright.min()) / stripe), return_counts=True)[1]
        crowd = float(np.sum(counts.astype(np.float64) ** 2))
        if crowd > best * (1 + 1e-9):
            best, found = crowd, slant
    return found


__all__ = ["Strokes", "baseline", "offset_scale", "slant_of", "unfit"]
