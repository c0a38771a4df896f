"""The pictures of a report: curves, confusion matrices, bars, and images. Each is found here, whichever file it stands in."""

from __future__ import annotations

import math
from collections.abc import Mapping

from minigrad.errors import DTypeError
from minigrad.show.curves import curves, panel_png
from minigrad.show.matrix import confused, confusion, confusion_png
from minigrad.show.page import shown
from minigrad.show.sheet import Sheet, shortened, width_of
from minigrad.show.tiles import image_grid, image_png

__all__ = ["bars", "confused", "confusion", "confusion_png", "curves", "image_grid", "image_png", "panel_png"]


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
