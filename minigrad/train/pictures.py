"""The pictures of a report: curves, confusion matrices, bars and grids of small images."""

from __future__ import annotations

import io
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.train.page import shown
from minigrad.train.sheet import Ink, Sheet, shortened, width_of
from minigrad.train.stylesheet import SERIES

Series = Mapping[str, tuple[Any, Any]]  # name of a line -> its xs and ys
Best = Literal["lowest", "highest"]

COUNTED = 20  # classes; a larger confusion matrix has no numbers in its cells
POINTS = 600  # a line drawn 300 units wide shows no more
MARKED = 25  # points; a line of fewer shows each
BEYOND = 1e100  # what is larger in size than this is no more drawn than an infinity
PANEL = (380, 250)
DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)))


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
    x_ticks, x_limits = _scale(float(xs_seen.min()), float(xs_seen.max()), 5, whole=bool((xs_seen == np.rint(xs_seen)).all()))
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


Ticks = list[tuple[float, str]]


def _scale(low: float, high: float, count: int, whole: bool = False) -> tuple[Ticks, tuple[float, float]]:
    """Ticks at round values, and the limits, which are ticks where values are spread over a range."""
    from matplotlib.ticker import MaxNLocator

    if high - low <= 1e-9 * max(abs(low), abs(high), 1e-90):
        low, high = (low - 1, high + 1) if whole else (low - (abs(low) / 10 or 1), high + (abs(high) / 10 or 1))
    places = MaxNLocator(nbins=count, integer=whole, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    if whole:
        return [(float(place), _tick(place)) for place in places if low <= place <= high], (low, high)
    return [(float(place), _tick(place)) for place in places], (float(places[0]), float(places[-1]))


def _log_scale(low: float, high: float, count: int) -> tuple[Ticks, tuple[float, float]]:
    """Ticks at powers of ten, or at 1, 2 and 5 times those where there are few."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    last = max(last, first + 1)
    stride = max(1, math.ceil((last - first) / count))
    factors = (1, 2, 5) if last - first <= 2 else (1,)
    places = [factor * 10.0**power for power in range(first, last + 1, stride) for factor in factors]
    places = [place for place in places if place <= 10.0**last * 1.001]
    return [(place, _tick(place)) for place in places], (10.0**first, 10.0**last)


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


def confusion(counts: Any, classes: Sequence[str]) -> str:
    """A confusion matrix: a row for each true class, a column for each answer, shaded by the share of the row.

    Right answers are on the diagonal, in blue; wrong ones in orange. Up to 20 classes the cells bear their counts and each
    row its share of right answers; of many classes every second, third ... is named.

    Args:
        counts: integers (K, K), ``counts[true, answer]``.
        classes: K names.

    Returns:
        SVG text for ``Page.picture``.

    Raises:
        ShapeError: not K x K counts, or another number of names.
        ArgumentError: counts that are negative or not finite.
        DTypeError: they are not numbers.

    Example:
        >>> drawing = confusion([[9, 1], [2, 8]], ["cat", "dog"])
        >>> "85.0 % right" in drawing
        True
    """
    sheet, label = _confusion(counts, classes)
    return sheet.svg(label)


def confusion_png(counts: Any, classes: Sequence[str]) -> bytes:
    """The same matrix as a PNG file in the light colours; arguments and errors are those of ``confusion``.

    A name that matplotlib's own font lacks letters for is shown as ``class 3``.

    Example:
        >>> confusion_png([[9, 1], [2, 8]], ["cat", "dog"])[1:4]
        b'PNG'
    """
    return _confusion(counts, classes)[0].png()


def _confusion(counts: Any, classes: Sequence[str]) -> tuple[Sheet, str]:
    table = _counts(counts, classes)
    size = len(table)
    rows, total = table.sum(1), table.sum()
    shares = np.divide(table, rows[:, None], out=np.zeros_like(table), where=rows[:, None] > 0)
    counted = size <= COUNTED
    cell = min(46.0, max(30.0, 480 / max(size, 1))) if counted else max(3.0, 560 / size)
    letters = 12.0 if counted else min(11.0, max(9.0, cell))
    every = 1 if cell >= letters else math.ceil((letters + 1) / cell)
    names = [shortened(str(name), letters, 140) for name in classes]
    longest = max(width_of(name, letters) for name in names)
    turned = not counted or longest > cell - 4
    left = 24 + longest + 8
    top = 26 + (longest * 0.87 + 6 if turned and counted else longest if turned else letters) + 10
    side = cell * size
    over = longest * 0.5 if turned and counted else 0
    width, height = math.ceil(left + side + max(58 if counted else 8, over)), math.ceil(top + side + 30)
    sheet = Sheet(width, height)
    sheet.text(left, 14, "answer", size=12, colour="soft")
    sheet.text(12, top + side, "true class", size=12, colour="soft", turn=90)
    if counted:
        sheet.text(left + side + 8, top - 8, "right", size=12, colour="soft")
    for number in range(0, size, every):
        middle = (number + 0.5) * cell
        instead = f"class {number}"
        sheet.text(left - 8, top + middle + letters * 0.36, names[number], size=letters, align="right", instead=instead)
        if turned and counted:
            sheet.text(left + middle + 2, top - 8, names[number], size=letters, turn=60, instead=instead)
        elif turned:
            sheet.text(left + middle + letters * 0.36, top - 8, names[number], size=letters, turn=90, instead=instead)
        else:
            sheet.text(left + middle, top - 8, names[number], size=letters, align="center", instead=instead)
    (_cells if counted else _shades)(sheet, table, shares, left, top, cell)
    right = int(np.trace(table))
    words = f"{100 * right / total:.1f} % right: {right:,} of {int(total):,}" if total else "no answers yet"
    sheet.text(left, top + side + 24, words, size=13, bold=True)
    return sheet, f"confusion matrix of {size} classes; {words}"


def _counts(counts: Any, classes: Sequence[str]) -> np.ndarray:
    try:
        table = np.asarray(counts, dtype=np.float64)
    except (TypeError, ValueError):
        raise DTypeError("confusion", "counts", "a table of numbers", str(counts)[:40]) from None
    if table.ndim != 2 or table.shape[0] != table.shape[1] or not table.size:
        raise ShapeError("confusion", "counts", "as many rows as columns, one or more", f"shape {table.shape}")
    if len(classes) != len(table):
        raise ShapeError("confusion", "classes", f"{len(table)} names, one a row of counts", f"{len(classes)}")
    if not (np.isfinite(table) & (table >= 0)).all():
        raise ArgumentError("confusion", "counts", "numbers from 0 on", "some that are negative or not finite")
    return table


def _cells(sheet: Sheet, table: np.ndarray, shares: np.ndarray, left: float, top: float, cell: float) -> None:
    """Each cell with its count, and beside each row its share of right answers."""
    size = len(table)
    for row in range(size):
        for column in range(size):
            x, y, count = left + column * cell, top + row * cell, int(table[row, column])
            share = shares[row, column]
            opacity = 0.12 + 0.88 * float(share) if count else 0.0
            sheet.box(x + 0.5, y + 0.5, cell - 1, cell - 1, "wash")
            if count:
                sheet.box(x + 0.5, y + 0.5, cell - 1, cell - 1, "right" if row == column else "wrong", opacity)
                digits = f"{count:,}" if count < 100_000 else f"{count / 1000:,.0f}k"
                letters = min(13.0, 13.0 * (cell - 4) / width_of(digits, 13))
                colour = "paper" if opacity > 0.7 else "ink"
                sheet.text(x + cell / 2, y + cell / 2 + letters * 0.36, digits, size=letters, align="center", colour=colour)
        answered = bool(table[row].sum())
        share_right = f"{100 * shares[row, row]:.{0 if shares[row, row] == 1 else 1}f} %" if answered else "–"
        sheet.text(left + size * cell + 8, top + (row + 0.5) * cell + 4.5, share_right, size=12, colour="soft")


def _shades(sheet: Sheet, table: np.ndarray, shares: np.ndarray, left: float, top: float, cell: float) -> None:
    """All cells as one image that is clear where nothing was answered, so that it lies on light and dark paper alike."""
    side = cell * len(table)
    right, wrong = (64, 128, 230), (224, 104, 32)
    image = np.zeros((*table.shape, 4), np.uint8)
    image[..., :3] = wrong
    image[np.arange(len(table)), np.arange(len(table)), :3] = right
    image[..., 3] = np.where(table > 0, np.rint(255 * (0.15 + 0.85 * np.sqrt(shares))), 0)  # the root lifts small shares
    sheet.box(left, top, side, side, "wash")

    def draw(axes: Any, ink: Ink) -> None:
        axes.imshow(image, interpolation="none" if ink.vector else "nearest", aspect="auto")

    sheet.axes(left, top, left + side, top + side, draw)


def confused(counts: Any, classes: Sequence[str], limit: int = 10) -> list[tuple[str, str, int, float]]:
    """The most frequent mistakes: true class, answer, how often, and the share of the true class.

    Args:
        counts: integers (K, K), ``counts[true, answer]``.
        classes: K names.
        limit: at most so many.

    Raises:
        ShapeError, ArgumentError, DTypeError: as ``confusion``.

    Example:
        >>> confused([[9, 1], [2, 8]], ["cat", "dog"])
        [('dog', 'cat', 2, 0.2), ('cat', 'dog', 1, 0.1)]
    """
    table = _counts(counts, classes)
    np.fill_diagonal(wrong := table.copy(), 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:limit]
    places = [divmod(int(place), len(table)) for place in order]
    return [
        (classes[row], classes[column], int(table[row, column]), float(table[row, column] / table[row].sum()))
        for row, column in places
        if wrong[row, column]
    ]


def bars(values: Mapping[str, float], *, label: str = "bars", highest: float | None = None) -> str:
    """A horizontal bar with its name and value for each entry, as SVG text for ``Page.picture``.

    Args:
        values: name -> value; NaN and infinity have no bar.
        label: what the bars show, for those who do not see them.
        highest: the value of a bar of full length; by default the largest there is.

    Raises:
        DTypeError: a value is not a number.

    Example:
        >>> bars({"cat": 0.9, "dog": 0.05}).count("<text")
        4
    """
    try:
        sizes = {name: float(value) for name, value in values.items()}
    except (TypeError, ValueError):
        raise DTypeError("bars", "values", "numbers", str(list(values.values()))[:40]) from None
    names = [shortened(name, 13, 190) for name in sizes]
    texts = [shown(value) for value in values.values()]
    known = [value for value in sizes.values() if math.isfinite(value)]
    low, high = min([0.0, *known]), max([0.0, *known]) if highest is None else highest
    left = max([width_of(name, 13) for name in names], default=0) + 10
    room = max([width_of(text, 12) for text in texts], default=0) + 10
    row, length = 22, 300
    sheet = Sheet(math.ceil(left + length + room), max(1, len(names)) * row)
    span = (high - low) or 1.0
    origin = left - low / span * length
    for number, (name, text, value) in enumerate(zip(names, texts, sizes.values())):
        y = number * row
        sheet.text(left - 10, y + 15.5, name, size=13, align="right")
        end = origin + min(max(value, low), high) / span * length if math.isfinite(value) else origin
        sheet.box(left, y + 5, length, row - 10, "wash")
        sheet.box(min(origin, end), y + 5, abs(end - origin), row - 10, "right")
        sheet.text(left + length + 8, y + 15.5, text, size=12, colour="soft")
    return sheet.svg(f"{label}: " + ", ".join(f"{name} {text}" for name, text in zip(names, texts)))


def image_png(image: Any, scale: int = 1) -> bytes:
    """An image as a PNG file, each of its pixels a square of ``scale`` x ``scale``.

    Args:
        image: uint8 (C, H, W), with 1 (grey), 3 (RGB) or 4 (RGB and opacity) channels.
        scale: from 1 on.

    Raises:
        DTypeError: not uint8.
        ShapeError: another shape, or an empty one.
        ArgumentError: a scale below 1.

    Example:
        >>> image_png(np.zeros((1, 28, 28), np.uint8))[1:4]
        b'PNG'
    """
    return image_grid(_images("image_png", image, 3)[None], columns=1, scale=scale, gap=0)


def image_grid(images: Any, *, columns: int | None = None, scale: int = 1, gap: int = 2) -> bytes:
    """Images side by side in rows, as one PNG file; the gaps between them are clear.

    Args:
        images: uint8 (N, C, H, W), with 1, 3 or 4 channels.
        columns: images in a row; by default about as many as make the whole square.
        scale: each pixel becomes a square of so many.
        gap: between images, in pixels of the file.

    Raises:
        DTypeError: not uint8.
        ShapeError: another shape, or an empty one.
        ArgumentError: columns or scale below 1, a gap below 0.

    Example:
        >>> image_grid(np.zeros((64, 3, 16, 16), np.uint8))[1:4]
        b'PNG'
    """
    from PIL import Image

    batch = _images("image_grid", images, 4)
    count, channels, height, width = batch.shape
    across = math.ceil(math.sqrt(count * height / width)) if columns is None else columns
    for argument, number, least in (("columns", across, 1), ("scale", scale, 1), ("gap", gap, 0)):
        if number < least or number != int(number):
            raise ArgumentError("image_grid", argument, f"a whole number from {least} on", repr(number))
    across = min(across, count)
    down = math.ceil(count / across)
    step_y, step_x = height * scale + gap, width * scale + gap
    solid = channels != 4
    full = np.concatenate([batch, np.full((count, 1, height, width), 255, np.uint8)], 1) if solid else batch
    full = full.repeat(scale, axis=2).repeat(scale, axis=3).transpose(0, 2, 3, 1)
    sheet = np.zeros((down * step_y - gap, across * step_x - gap, full.shape[-1]), np.uint8)
    for number, tile in enumerate(full):
        y, x = number // across * step_y, number % across * step_x
        sheet[y : y + height * scale, x : x + width * scale] = tile
    if solid and (sheet[..., -1] == 255).all():
        sheet = sheet[..., :-1]
    out = io.BytesIO()
    Image.fromarray(sheet[..., 0] if sheet.shape[-1] == 1 else sheet).save(out, format="PNG")
    return out.getvalue()


def _images(where: str, images: Any, dims: int) -> np.ndarray:
    array = np.asarray(images)
    if array.dtype != np.uint8:
        remedy = "Scale to 0..255, round, and cast"
        raise DTypeError(where, "images", "bytes, numpy.uint8", str(array.dtype), remedy)
    if array.ndim != dims or array.shape[-3] not in (1, 3, 4) or not array.size:
        shape = "(C, H, W)" if dims == 3 else "(N, C, H, W)"
        raise ShapeError(where, "images", f"{shape} with 1, 3 or 4 channels, not empty", f"shape {array.shape}")
    return array
