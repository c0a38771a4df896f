"""Confusion matrices, as pictures and as a list of the most frequent mistakes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.show.sheet import Ink, Sheet, shortened, width_of

COUNTED = 20  # classes; a larger confusion matrix has no numbers in its cells


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
    cell = min(72.0, max(30.0, 480 / size)) if counted else max(3.0, 560 / size)
    letters = 12.0 if counted else min(11.0, max(9.0, cell))
    every = 1 if cell >= letters else math.ceil((letters + 1) / cell)
    names = [shortened(str(name), letters, 140) for name in classes]
    longest = max(width_of(name, letters) for name in names)
    turned = not counted or longest > cell - 4
    left = 24 + longest + 8
    top = 26 + (longest * 0.87 + 6 if turned and counted else longest if turned else letters) + 10
    side = cell * size
    over = longest * 0.5 if turned and counted else 0
    right = int(np.trace(table))
    words = f"{100 * right / total:.1f} % right: {right:,} of {int(total):,}" if total else "no answers yet"
    below = max(side, 60)  # where there is one class, room for the words beside the rows
    width = math.ceil(left + max(side + max(58 if counted else 8, over), 1.25 * width_of(words, 13)))
    sheet = Sheet(width, math.ceil(top + below + 30))
    sheet.text(left, 14, "answer", size=12, colour="soft")
    sheet.text(12, top, "true class", size=12, colour="soft", turn=90, align="right")
    if counted:
        sheet.text(left + side + 8, top - 8, "recall", size=12, colour="soft")
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
    sheet.text(left, top + below + 24, words, size=13, bold=True)
    return sheet, f"confusion matrix of {size} {'class' if size == 1 else 'classes'}; {words}"


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


def cell_opacity(share: float) -> tuple[float, str]:
    """Of a cell's colour, and the colour of the count on it: pale below half of the row, strong from there on.

    The strengths between are left out: neither dark nor light letters could be read on them in both schemes.
    """
    return (0.88 + 0.24 * (share - 0.5), "paper") if share >= 0.5 else (0.1 + 0.36 * math.sqrt(2 * share), "ink")


def _cells(sheet: Sheet, table: np.ndarray, shares: np.ndarray, left: float, top: float, cell: float) -> None:
    """Each cell with its count, and beside each row its share of right answers."""
    size = len(table)
    for row in range(size):
        for column in range(size):
            x, y, count = left + column * cell, top + row * cell, int(table[row, column])
            opacity, colour = cell_opacity(float(shares[row, column]))
            sheet.box(x + 0.5, y + 0.5, cell - 1, cell - 1, "wash")
            if count:
                sheet.box(x + 0.5, y + 0.5, cell - 1, cell - 1, "right" if row == column else "wrong", opacity)
                digits = f"{count:,}" if count < 100_000 else f"{count / 1000:,.0f}k"
                letters = min(13.0, 13.0 * (cell - 4) / width_of(digits, 13))
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
    image[..., 3] = np.where(table > 0, np.rint(255 * (0.1 + 0.9 * np.sqrt(shares))), 0)  # the root lifts small shares
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
