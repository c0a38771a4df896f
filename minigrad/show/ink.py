"""What a pen wrote, as a picture: SVG, SVG in which it is written before one's eyes, and PNG."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from numbers import Real
from typing import Any

import numpy as np

from minigrad.errors import ArgumentError, ShapeError
from minigrad.show.page import escaped
from minigrad.show.stylesheet import LIGHT

CORNER = 50.0  # degrees: where a line turns by more it has a corner; elsewhere it is drawn as a curve
LIFT = 0.35  # of the time that the pen would take along a way, when it is lifted
MOST_PIXELS = 100_000_000  # of a PNG
_FINER = 4  # times the pixels in which a PNG is drawn before it is made smaller: smooth edges
_PIECES = 8  # straight pieces that a curve between two points is drawn with in a PNG

Lines = Any
"""``Strokes``, or lines (k, 2) of x and y, y down, in the order in which they are written; one of a single point is a dot."""


def ink_svg(
    lines: Lines,
    *,
    scale: float = 1.0,
    thickness: float = 2.0,
    margin: float = 8.0,
    label: str = "Handwriting",
    seconds: float | None = None,
) -> str:
    """The lines as one ``<svg>`` element, a file of its own or part of a page, in the page's colour of ink.

    Lines are drawn as curves through their points; where a line turns sharply it has a corner.

    Args:
        lines: ``Strokes``, or lines (k, 2) of x and y in the order in which they are written.
        scale: pixels to a unit of the lines.
        thickness: of the pen, in pixels.
        margin: around it all, in pixels.
        label: what it shows, for those who do not see it.
        seconds: how long the writing takes before one's eyes; ``None`` for a picture that is there at once. A viewer that
            moves no pictures shows all of it; ``Page.picture`` takes the still one only.

    Raises:
        ShapeError: no lines, or such as are no rows of x and y.
        ArgumentError: a number that is not finite or out of range.

    Example:
        >>> ink_svg([[[0, 0], [30, 0]], [[15, -9]]]).count("<path")
        2
        >>> "<animate" in ink_svg([[[0, 0], [30, 0]]], seconds=2)
        True
    """
    drawn, width, height = _placed("ink_svg", lines, scale, thickness, margin)
    times: list[tuple[float, float]] | None = None
    if seconds is not None:
        _positive("ink_svg", "seconds", seconds)
        times = _times(drawn, seconds)
    paths = [
        f'<path d="{_curve(line)}"{_moving(*times[number], dot=len(line) == 1) if times else "/>"}'
        for number, line in enumerate(drawn)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}"'
        f' role="img" aria-label="{escaped(label)}" fill="none" stroke="var(--ink, {LIGHT["ink"]})"'
        f' stroke-width="{thickness:g}" stroke-linecap="round" stroke-linejoin="round">\n' + "\n".join(paths) + "\n</svg>"
    )


def ink_png(lines: Lines, *, scale: float = 1.0, thickness: float = 2.0, margin: float = 8.0) -> bytes:
    """The same as a PNG file: grey, black ink on white paper.

    Args:
        lines, scale, thickness, margin: as of ``ink_svg``.

    Raises:
        ShapeError: as ``ink_svg``.
        ArgumentError: as ``ink_svg``; or a picture of more than 100 million pixels.

    Example:
        >>> ink_png([[[0, 0], [30, 0]]])[1:4]
        b'PNG'
    """
    from PIL import Image, ImageDraw

    drawn, width, height = _placed("ink_png", lines, scale, thickness, margin)
    size = math.ceil(width), math.ceil(height)
    if size[0] * size[1] > MOST_PIXELS:
        expected = f"a picture of at most {MOST_PIXELS:,} pixels"
        raise ArgumentError(
            "ink_png", "scale", expected, f"one of {size[0]:,} x {size[1]:,} at {scale:g}", "Take a smaller scale"
        )
    finer = _FINER if size[0] * size[1] * _FINER**2 <= MOST_PIXELS else 1
    picture = Image.new("L", (size[0] * finer, size[1] * finer), 255)
    pen = ImageDraw.Draw(picture)
    radius = thickness * finer / 2
    for line in drawn:
        points = _pieces(line) * finer
        if len(points) > 1:
            pen.line([tuple(point) for point in points.tolist()], fill=0, width=max(1, round(2 * radius)), joint="curve")
        for x, y in (points[0], points[-1]):
            pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill=0)
    out = io.BytesIO()
    picture.resize(size, Image.Resampling.BOX).save(out, format="PNG")
    return out.getvalue()


def _placed(where: str, lines: Lines, scale: float, thickness: float, margin: float) -> tuple[list[np.ndarray], float, float]:
    """The lines in pixels of the picture, and its width and height."""
    _positive(where, "scale", scale)
    _positive(where, "thickness", thickness)
    if not isinstance(margin, Real) or not math.isfinite(margin) or margin < 0:
        raise ArgumentError(where, "margin", "a number of pixels, 0 or more", repr(margin))
    arrays = _arrays(where, lines)
    places = np.concatenate(arrays)
    edge = margin + thickness / 2
    with np.errstate(over="ignore"):
        corner = places.min(axis=0) * scale - edge
        width, height = (places.max(axis=0) * scale - corner + edge).tolist()
    if not math.isfinite(width + height):
        raise ArgumentError(where, "lines", "a picture that has a size", "one wider than any number")
    return [line * scale - corner for line in arrays], math.ceil(width), math.ceil(height)


def _arrays(where: str, lines: Lines) -> list[np.ndarray]:
    found: Iterable[Any] = lines.lines() if hasattr(lines, "lines") else lines
    expected = "lines (k, 2) of x and y, at least one point in all"
    try:
        arrays = [np.asarray(line, np.float64) for line in found]
    except (TypeError, ValueError):
        raise ShapeError(where, "lines", expected, "something else") from None
    wrong = [line.shape for line in arrays if line.ndim != 2 or line.shape[1] != 2]
    arrays = [line for line in arrays if len(line)]
    if wrong or not arrays:
        raise ShapeError(where, "lines", expected, f"shape {wrong[0]}" if wrong else "none")
    if not all(np.isfinite(line).all() for line in arrays):
        raise ArgumentError(where, "lines", "finite numbers", "NaN or infinity")
    return arrays


def _positive(where: str, name: str, value: float) -> None:
    if not isinstance(value, Real) or not math.isfinite(value) or value <= 0:
        raise ArgumentError(where, name, "a number above 0", repr(value))


# ---------------------------------------------------------------- curves


def _handles(line: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The two inner points of the Bézier curve from each point to the next, (k - 1, 2) each.

    At a point the curve runs as from the point before it to the one after it; at a corner straight to its neighbours.
    """
    ways = np.diff(line, axis=0)
    lengths = np.hypot(*ways.T)[:, None]
    straight = ways / np.maximum(lengths, 1e-12)
    leaves, arrives = straight.copy(), straight.copy()
    if len(ways) > 1:
        cosines = np.sum(straight[:-1] * straight[1:], axis=1)
        smooth = cosines > math.cos(math.radians(CORNER))
        through = straight[:-1] + straight[1:]
        through /= np.maximum(np.hypot(*through.T)[:, None], 1e-12)
        arrives[:-1][smooth] = through[smooth]
        leaves[1:][smooth] = through[smooth]
    return line[:-1] + leaves * lengths / 3, line[1:] - arrives * lengths / 3


def _curve(line: np.ndarray) -> str:
    """The line as a path of SVG; a dot as a line to its own place, which round ends make a dot."""
    places = [f"{x:.2f} {y:.2f}" for x, y in line.tolist()]
    if len(line) == 1:
        return f"M{places[0]}h0"
    first, second = _handles(line)
    steps = [
        f"C{a:.2f} {b:.2f} {c:.2f} {d:.2f} {end}"
        for (a, b), (c, d), end in zip(first.tolist(), second.tolist(), places[1:], strict=True)
    ]
    return f"M{places[0]}{''.join(steps)}"


def _pieces(line: np.ndarray) -> np.ndarray:
    """The same curve as straight pieces, (n, 2)."""
    if len(line) == 1:
        return line
    first, second = _handles(line)
    t = (np.arange(1, _PIECES + 1) / _PIECES)[None, :, None]
    curve = (
        (1 - t) ** 3 * line[:-1, None]
        + 3 * (1 - t) ** 2 * t * first[:, None]
        + 3 * (1 - t) * t**2 * second[:, None]
        + t**3 * line[1:, None]
    )
    return np.concatenate([line[:1], curve.reshape(-1, 2)])


# ---------------------------------------------------------------- in time


def _times(lines: Sequence[np.ndarray], seconds: float) -> list[tuple[float, float]]:
    """When each line begins, and how long it takes: as its length, and less for the ways with the pen lifted."""
    lengths = [float(np.hypot(*np.diff(line, axis=0).T).sum()) if len(line) > 1 else 0.0 for line in lines]
    lifts = [0.0, *(float(np.hypot(*(after[0] - before[-1]))) * LIFT for before, after in pairwise(lines))]
    dot = 0.02 * sum(lengths) / len(lines) or 1.0
    ways = [max(length, dot) for length in lengths]
    factor = seconds / (sum(ways) + sum(lifts))
    ends = np.cumsum([lift + way for lift, way in zip(lifts, ways, strict=True)])
    return [(float(end - way) * factor, way * factor) for end, way in zip(ends, ways, strict=True)]


def _moving(begin: float, lasts: float, dot: bool) -> str:
    """The end of a path that is not there before ``begin`` and then grows; a dot is there at once."""
    hidden = f'<set attributeName="visibility" to="hidden" begin="0s" end="{begin:.3f}s"/>' if begin > 0 else ""
    if dot:
        return f">{hidden}</path>"
    grows = (
        f'<animate attributeName="stroke-dashoffset" from="1" to="0" begin="{begin:.3f}s" dur="{lasts:.3f}s" fill="freeze"/>'
    )
    return f' pathLength="1" stroke-dasharray="1 2">{hidden}{grows}</path>'


__all__ = ["ink_png", "ink_svg"]
