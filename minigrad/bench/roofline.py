"""The roofline plot (Williams, Waterman and Patterson 2009): what each op reaches under what the machine allows it.

Along x, how many operations an op has for each byte that must be moved; along y, how many it does in a second. The sloping roof
is the memory's, the flat one that of the best matrix product. A point's distance from the roof is what is left to be gained.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from minigrad.bench.machine import Peaks, machine_name
from minigrad.bench.row import Row
from minigrad.errors import ArgumentError
from minigrad.show.sheet import Sheet, shortened, width_of
from minigrad.show.text import short_number

PLOT = (60, 76, 560, 420)  # left, top, right, bottom
LEGEND = 580
LEGEND_WIDTH = 540
LINE = 17
COLOURS = 6


def plottable(rows: Sequence[Row]) -> list[Row]:
    """Rows that have a place in the plot: those with a count of operations and of bytes, and a number that is trusted."""
    return [row for row in rows if row.flops and row.bytes and not row.refused and math.isfinite(row.seconds)]


def save(path: Path, rows: Sequence[Row], peaks: Peaks) -> None:
    """Draw the rows under the machine's roofs into a file.

    Args:
        path: ends with ``.png`` or ``.svg``.
        rows: those without operations, bytes or a trusted number are left out.
        peaks: the roofs.

    Raises:
        ArgumentError: another ending.
        OSError: the file cannot be written.
    """
    check_path(path)
    sheet, label = drawn(plottable(rows), peaks)
    if path.suffix.lower() == ".png":
        path.write_bytes(sheet.png())
    else:
        path.write_text(sheet.svg(label), encoding="utf-8")


def check_path(path: Path) -> None:
    """See that a picture can be written in the format that the file's name asks for.

    Raises:
        ArgumentError: it ends with something else than ``.png`` or ``.svg``.
    """
    if path.suffix.lower() not in (".png", ".svg"):
        raise ArgumentError("bench", "--picture", "a file that ends with .png or .svg", str(path))


def drawn(rows: Sequence[Row], peaks: Peaks) -> tuple[Sheet, str]:
    """The plot, and what it shows in words."""
    left, top, right, bottom = PLOT
    height = max(bottom + 50, top + LINE * (len(rows) + 2) + 20)
    names = [f"{row.what}, {row.shape}" for row in rows]
    sheet = Sheet(LEGEND + LEGEND_WIDTH, height)
    threads = f"{peaks.threads} thread{'s' * (peaks.threads > 1)}"
    sheet.text(0, 18, "What each op reaches, under what the machine allows", size=15, bold=True)
    sheet.text(0, 36, f"{machine_name()}, {threads}, {peaks.dtype}", colour="soft")
    best, roofs = peaks.best / 1e9, {size: rate / 1e9 for size, rate in peaks.memory.items()}
    xs = [row.flops / row.bytes for row in rows]
    ys = [row.flops / row.seconds / 1e9 for row in rows]
    slow = min(roofs.values(), default=best)
    x_limits = _around([*xs, best / slow / 8, best / slow * 4])
    y_limits = _around([*ys, best / 20, best * 1.5])
    x = _scale(x_limits, left, right)
    y = _scale(y_limits, bottom, top)
    for value in _powers(y_limits):
        sheet.line([left, right], [y(value)] * 2, "rule")
        sheet.text(left - 8, y(value) + 4, f"{value:g}", size=11, colour="soft", align="right")
    for value in _powers(x_limits):
        sheet.line([x(value)] * 2, [bottom, bottom + 4], "soft")
        sheet.text(x(value), bottom + 18, f"{value:g}", size=11, colour="soft", align="center")
    sheet.line([left, right], [bottom, bottom], "soft")
    sheet.text(right, bottom + 36, "operations for each byte", size=11, colour="soft", align="right")
    sheet.text(left - 44, top - 8, "GFLOP/s", size=11, colour="soft")
    _roofs(sheet, best, peaks.by, roofs, x, y, x_limits, y_limits)
    _points(sheet, rows, [(x(a), y(b)) for a, b in zip(xs, ys, strict=True)])
    for number, (row, name) in enumerate(zip(rows, names, strict=True)):
        level = top + LINE * (number + 1)
        colour = f"series-{_kinds(rows).index(row.who) % COLOURS + 1}"
        share = "" if row.share is None else f", {100 * row.share:.0f} %"
        figure = f"{row.who}  {short_number(ys[number])} GFLOP/s{share}"
        room = LEGEND_WIDTH - 40 - width_of(figure, 11)
        sheet.text(LEGEND + 20, level, str(number + 1), size=11, colour=colour, align="right", bold=True)
        sheet.text(LEGEND + 28, level, shortened(name, 11, room), size=11)
        sheet.text(LEGEND + LEGEND_WIDTH - 5, level, figure, size=11, colour=colour, align="right")
    if not rows:
        sheet.text(LEGEND + 20, top + LINE, "no op has a number that is trusted", size=11, colour="soft")
    parts = [f"{name}: {row.who} {value:.0f} GFLOP/s" for name, row, value in zip(names, rows, ys, strict=True)]
    return sheet, f"roofline; best product {best:.0f} GFLOP/s; " + ("; ".join(parts) or "no points")


def _kinds(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row.who for row in rows))


def _roofs(
    sheet: Sheet, best: float, by: str, roofs: dict[int, float], x: Callable[[float], float], y: Callable[[float], float],
    x_limits: tuple[float, float], y_limits: tuple[float, float],
) -> None:  # fmt: skip
    """The flat roof, and a sloping one for the largest data (memory) and for the smallest (the caches)."""
    chosen = {size: roofs[size] for size in (min(roofs, default=0), max(roofs, default=0)) if size in roofs}
    corner = best / max(chosen.values(), default=best)
    sheet.line([x(max(corner, x_limits[0])), x(x_limits[1])], [y(best)] * 2, "ink", 1.4)
    rules = [y(value) for value in _powers(y_limits)]
    levels = [y(best) - above for above in (22, 7, 36)]  # of which one has no rule through its letters
    level = next(each for each in levels if all(abs(each - 4 - rule) > 7 for rule in rules) or each == levels[-1])
    sheet.text(x(max(corner, x_limits[0])), level, f"best product, {best:,.0f} GFLOP/s ({by})", size=11, colour="soft")
    for size, rate in chosen.items():
        start = max(x_limits[0], y_limits[0] / rate)
        end = min(best / rate, x_limits[1])
        if end > start:
            sheet.line([x(start), x(end)], [y(start * rate), y(end * rate)], "ink", 1.4)
            turn = math.degrees(math.atan2(y(start * rate) - y(end * rate), x(end) - x(start)))
            middle = math.sqrt(start * end)
            words = f"{size >> 20} MB at {rate:,.0f} GB/s"
            below = size == max(chosen)
            sheet.text(
                x(middle), y(middle * rate) + (16 if below else -6), words, size=11, colour="soft", align="center", turn=turn
            )  # fmt: skip


def _points(sheet: Sheet, rows: Sequence[Row], places: Sequence[tuple[float, float]]) -> None:
    """A dot each, with its number beside it where no other number stands."""
    left, top, right, bottom = PLOT
    kinds = _kinds(rows)

    def draw(axes: Any, ink: Any) -> None:
        axes.set(xlim=(left, right), ylim=(bottom, top))
        for row, place in zip(rows, places, strict=True):
            axes.plot(*place, "o", color=ink[f"series-{kinds.index(row.who) % COLOURS + 1}"], ms=6, mew=0, clip_on=False)

    sheet.axes(left, top, right, bottom, draw)
    taken: list[tuple[float, float]] = []
    for number, (row, (x, y)) in enumerate(zip(rows, places, strict=True)):
        spots = [(x + dx, y + dy) for dx, dy in ((8, 4), (-15, 4), (-3, -8), (-3, 17), (8, -8), (8, 17), (-15, -8), (-15, 17))]
        free = [(a, b) for a, b in spots if all(abs(a - c) > 13 or abs(b - d) > 11 for c, d in [*taken, *_dots(places, x, y)])]
        at = (free or spots)[0]
        taken.append(at)
        colour = f"series-{kinds.index(row.who) % COLOURS + 1}"
        sheet.text(*at, str(number + 1), size=11, colour=colour, bold=True)


def _dots(places: Sequence[tuple[float, float]], x: float, y: float) -> list[tuple[float, float]]:
    """The other dots, as if they were numbers in the way."""
    return [(a - 4, b + 4) for a, b in places if (a, b) != (x, y)]


def _around(values: Sequence[float]) -> tuple[float, float]:
    return min(values) / 1.3, max(values) * 1.3


def _scale(limits: tuple[float, float], first: float, last: float) -> Callable[[float], float]:
    low, high = map(math.log10, limits)
    return lambda value: first + (last - first) * (math.log10(value) - low) / (high - low)


def _powers(limits: tuple[float, float]) -> list[float]:
    """Round values within the limits: 1, 2 and 5 of each power of ten, or the powers alone where there are many."""
    first, last = (math.floor(math.log10(value)) for value in limits)
    factors = (1, 2, 5) if last - first < 3 else (1,)
    values = [factor * 10.0**power for power in range(first, last + 1) for factor in factors]
    return [value for value in values if limits[0] <= value <= limits[1]]
