"""Small panels of lines: what changed while a model was trained."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any, Literal

import numpy as np

from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.show.page import shown
from minigrad.show.sheet import Ink, Sheet, shortened, width_of
from minigrad.show.stylesheet import SERIES

Series = Mapping[str, tuple[Any, Any]]  # name of a line -> its xs and ys
Best = Literal["lowest", "highest"]
Ticks = list[tuple[float, str]]

POINTS = 600  # a line drawn 300 units wide shows no more
MARKED = 25  # points; a line of fewer shows each
BEYOND = 1e100  # what is larger in size than this is no more drawn than an infinity
PANEL = (360, 240)
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1.5, 1.5)))


def curves(
    panels: Mapping[str, Series], *, x: str = "epoch", best: Mapping[str, Best] | None = None, log: Collection[str] = ()
) -> str:
    """Small panels of lines with their names beside them, one ``<svg>`` a panel, one after the other.

    A name has the same colour in every panel. NaN and infinity are gaps; of thousands of points as many are drawn as
    can be seen, the extremes among them.

    Args:
        panels: ``{"loss": {"train": (xs, ys), "validation": (xs, ys)}, "learning rate": {...}}``; a title may
            name the unit.
        x: what the xs count.
        best: panel -> ``"lowest"`` or ``"highest"``: that point of the panel's last line is ringed and named.
        log: panels with a logarithmic scale; what is not above zero is a gap there.

    Returns:
        SVG text for ``Page.picture``.

    Raises:
        ShapeError: xs and ys of different lengths.
        DTypeError: they are not numbers.
        ArgumentError: ``best`` or ``log`` names a panel that is not there, or ``best`` another thing to mark.

    Example:
        >>> drawing = curves({"loss": {"train": ([1, 2, 3], [2.3, 0.4, 0.2])}}, best={"loss": "lowest"})
        >>> drawing.count("<svg"), "lowest 0.2 at epoch 3" in drawing
        (1, True)
    """
    return "\n".join(sheet.svg(label) for sheet, label in _panels(panels, x, best or {}, log))


def panel_png(title: str, series: Series, *, x: str = "epoch", best: Best | None = None, log: bool = False) -> bytes:
    """One panel of ``curves`` as a PNG file in the light colours; arguments and errors are those of ``curves``.

    Example:
        >>> panel_png("loss", {"train": ([1, 2, 3], [2.3, 0.4, 0.2])})[1:4]
        b'PNG'
    """
    [(sheet, _)] = _panels({title: series}, x, {title: best} if best else {}, [title] if log else [])
    return sheet.png()


def _panels(panels: Mapping[str, Series], x: str, best: Mapping[str, Best], log: Collection[str]) -> list[tuple[Sheet, str]]:
    for argument, named in (("best", best), ("log", log)):
        for title in named:
            if title not in panels:
                raise ArgumentError("curves", argument, f"one of the panels {', '.join(map(repr, panels))}", repr(title))
    for title, kind in best.items():
        if kind not in ("lowest", "highest"):
            raise ArgumentError("curves", f"best[{title!r}]", "'lowest' or 'highest'", repr(kind))
    names = dict.fromkeys(name for title, series in panels.items() for name in series if name != title)
    numbers = {name: number for number, name in enumerate(names)}
    return [_panel(title, series, x, best.get(title), title in log, numbers) for title, series in panels.items()]


def _panel(title: str, series: Series, x: str, best: Best | None, log: bool, numbers: Mapping[str, int]) -> tuple[Sheet, str]:
    width, height = PANEL
    lines = {name: _line(title, name, xs, ys, log) for name, (xs, ys) in series.items()}
    sheet = Sheet(width, height)
    every = [np.concatenate([line[axis] for line in lines.values()] or [np.zeros(0)]) for axis in (0, 1)]
    known = np.isfinite(every[1])
    top, bottom = 46, height - 34
    named = {name: line for name, line in lines.items() if name != title and np.isfinite(line[1]).any()}
    labels = {name: shortened(name, 12, 96) for name in named}
    right = width - (max(width_of(label, 12) for label in labels.values()) + 10 if labels else 8)
    heading = shortened(title, 14, width - 4)
    sheet.text(0, 16, heading, size=14, bold=True)
    parts = [f"{title}: {', '.join(lines) or 'no lines'}"]
    if not known.any():
        sheet.text(0, (top + bottom) / 2, "nothing to draw yet", colour="soft")
        return sheet, f"{parts[0]}; no points"

    xs_seen, ys_seen = every[0][known], every[1][known]
    whole = bool((xs_seen == np.rint(xs_seen)).all())
    x_ticks, x_limits = _scale(float(xs_seen.min()), float(xs_seen.max()), 5, whole, tight=True)
    y_ticks, y_limits = (_log_scale if log else _scale)(float(ys_seen.min()), float(ys_seen.max()), 5)
    left = max(width_of(label, 11) for _, label in y_ticks) + 8
    plot = _Plot((left, top, right, bottom), x_limits, y_limits, log)
    for value, label in y_ticks:
        level = plot.y(value)
        sheet.line([left, right], [level, level], "rule")
        sheet.text(left - 8, level + 4, label, size=11, colour="soft", align="right")
    for value, label in x_ticks:
        place = plot.x(value)
        sheet.line([place, place], [bottom, bottom + 4], "soft")
        sheet.text(place, bottom + 17, label, size=11, colour="soft", align="center")
    sheet.line([left, right], [bottom, bottom], "soft")
    sheet.text(right, bottom + 31, shortened(x, 11, right - left), size=11, colour="soft", align="right")

    ring = _best(list(lines.values())[-1], best) if best else None
    if ring is not None:
        words = f"{best} {shown(ring[1])} at {x} {shown(ring[0])}"
        parts.append(words)
        sheet.text(0, 32, shortened(words, 12, width), colour="soft")

    def draw(axes: Any, ink: Ink) -> None:
        axes.set(xlim=x_limits, ylim=y_limits, xscale="linear", yscale="log" if log else "linear")
        for name, (xs, ys) in lines.items():
            colour, dash = _look(numbers.get(name))
            alone = np.flatnonzero(np.isfinite(ys) & ~np.isfinite(np.r_[np.nan, ys[:-1]]) & ~np.isfinite(np.r_[ys[1:], np.nan]))
            marked = slice(None) if len(ys) < MARKED else alone
            axes.plot(xs, ys, color=ink[colour], ls=dash, lw=1.8, solid_capstyle="round", clip_on=False)
            axes.plot(xs[marked], ys[marked], "o", color=ink[colour], ms=3.5, mew=0, clip_on=False)
        if ring is not None:
            axes.plot(*ring, "o", mfc="none", mec=ink["ink"], ms=9, mew=1.4, clip_on=False)

    sheet.axes(left, top, right, bottom, draw)
    ends = {name: plot.y(float(ys[np.isfinite(ys)][-1])) for name, (_, ys) in named.items()}
    for name, level in _apart(ends, 14, top, bottom).items():
        sheet.text(right + 8, level + 4, labels[name], colour=_look(numbers[name])[0])
    return sheet, "; ".join(parts)


class _Plot:
    """Where values lie on the sheet."""

    def __init__(self, box: tuple[float, ...], xs: tuple[float, float], ys: tuple[float, float], log: bool) -> None:
        self.box, self.log = box, log
        self.xs, self.ys = xs, tuple(map(math.log10, ys)) if log else ys

    def x(self, value: float) -> float:
        left, _, right, _ = self.box
        return left + (right - left) * (value - self.xs[0]) / (self.xs[1] - self.xs[0])

    def y(self, value: float) -> float:
        _, top, _, bottom = self.box
        value = math.log10(value) if self.log else value
        return bottom - (bottom - top) * (value - self.ys[0]) / (self.ys[1] - self.ys[0])


def _look(number: int | None) -> tuple[str, Any]:
    """Colour and dashes of the line of this number; a line without a number is its panel's only subject."""
    if number is None:
        return "ink", "-"
    return f"series-{number % SERIES + 1}", DASHES[number // SERIES % len(DASHES)]


def _line(title: str, name: str, xs: Any, ys: Any, log: bool) -> tuple[np.ndarray, np.ndarray]:
    """Points to draw, as float64; gaps are NaN."""
    try:
        points = [np.asarray(values, dtype=np.float64) for values in (xs, ys)]
    except (TypeError, ValueError):
        raise DTypeError("curves", f"{title!r}, {name!r}", "numbers", f"{str(ys)[:40]}") from None
    if points[0].ndim != 1 or points[0].shape != points[1].shape:
        got = " and ".join(str(values.shape) for values in points)
        raise ShapeError("curves", f"{title!r}, {name!r}", "as many xs as ys, in a row", f"shapes {got}")
    fine = np.isfinite(points[0]) & (np.abs(points[0]) < BEYOND)
    places, values = points[0][fine], points[1][fine].copy()
    values[~(np.abs(values) < BEYOND) | (log & (values <= 1 / BEYOND))] = np.nan
    return _thinned(places, values)


def _thinned(xs: np.ndarray, ys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first, the last, and the least and greatest of every stretch."""
    if len(xs) <= POINTS:
        return xs, ys
    kept = {0, len(xs) - 1}
    for part in np.array_split(np.arange(len(xs)), POINTS // 2):
        known = part[np.isfinite(ys[part])]
        if len(known):
            kept |= {int(known[ys[known].argmin()]), int(known[ys[known].argmax()])}
        else:
            kept.add(int(part[0]))  # the gap
    chosen = sorted(kept)
    return xs[chosen], ys[chosen]


def _best(line: tuple[np.ndarray, np.ndarray], kind: Best) -> tuple[float, float] | None:
    xs, ys = line
    if not np.isfinite(ys).any():
        return None
    at = int(np.nanargmin(ys) if kind == "lowest" else np.nanargmax(ys))
    return float(xs[at]), float(ys[at])


def _scale(low: float, high: float, count: int, whole: bool = False, tight: bool = False) -> tuple[Ticks, tuple[float, float]]:
    """Ticks at round values, and the limits: the values' own where ``tight``, else ticks."""
    from matplotlib.ticker import MaxNLocator

    if high - low <= 1e-9 * max(abs(low), abs(high), 1e-90):
        low, high = (low - 1, high + 1) if whole else (low - (abs(low) / 10 or 1), high + (abs(high) / 10 or 1))
    places = MaxNLocator(nbins=count, integer=whole, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    if tight:
        return [(float(place), _tick(place)) for place in places if low <= place <= high], (low, high)
    return [(float(place), _tick(place)) for place in places], (float(places[0]), float(places[-1]))


def _log_scale(low: float, high: float, count: int) -> tuple[Ticks, tuple[float, float]]:
    """Ticks at powers of ten, or at 1, 2 and 5 times those where there are few, and limits a little beyond the values."""
    low, high = low / 1.3, high * 1.3
    while True:
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
        factors = (1, 2, 5) if high / low < 300 else (1,)
        stride = max(1, math.ceil((last - first) / count))
        places = [factor * 10.0**power for power in range(first, last + 1, stride) for factor in factors]
        places = [place for place in places if low <= place <= high]
        if len(places) >= 2:
            return [(place, _tick(place)) for place in places], (low, high)
        low, high = low / 1.5, high * 1.5


def _tick(value: float) -> str:
    """A round value, short."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if 1e4 <= abs(value) < 1e12 and abs(value) >= size:
            return f"{value / size:.6g}{unit}".replace("-", "−")
    text = f"{value:.6g}"
    mantissa, _, power = text.partition("e")
    return (f"{mantissa}e{int(power)}" if power else text).replace("-", "−") if value else "0"


def _apart(levels: dict[str, float], gap: float, top: float, bottom: float) -> dict[str, float]:
    """The levels moved as little as it takes to lie ``gap`` apart; those that find no room are left out."""
    order = sorted(levels, key=lambda name: levels[name])[: int((bottom - top) // gap) + 1]
    placed: dict[str, float] = {}
    below = -math.inf
    for name in order:
        below = placed[name] = max(levels[name], below + gap)
    above = bottom + 4
    for name in reversed(order):
        placed[name] = min(placed[name], above)
        above = placed[name] - gap
    return placed
