"""How a tensor prints: as PyTorch prints it, figure by figure.

Four figures behind the point, or as many as whole numbers need; the form with an exponent if the sizes differ a thousandfold or
leave the range 1e-4 .. 1e8; the middle left out of more than 1000 elements; lines of 80 characters.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

PRECISION, THRESHOLD, EDGE, LINE = 4, 1000, 3, 80


def tensor_text(array: np.ndarray, notes: Sequence[str], prefix: str = "tensor(") -> str:
    """The text of an array, with notes (its dtype, say) behind it."""
    if array.size:
        shorten = array.size > THRESHOLD
        shown = array
        if shorten:
            for axis, size in enumerate(array.shape):
                if size > 2 * EDGE:
                    shown = shown.take([*range(EDGE), *range(size - EDGE, size)], axis=axis)
        text = prefix + _nested(array, len(prefix), shorten, *_formatter(shown))
    else:
        text = prefix + "[]"
    length = len(text) - text.rfind("\n") + 1
    for note in notes:
        if length + len(note) + 2 > LINE:
            text += ",\n" + " " * len(prefix) + note
            length = len(prefix) + len(note)
        else:
            text += ", " + note
            length += len(note) + 2
    return text + ")"


def _formatter(shown: np.ndarray) -> tuple[Callable[[Any], str], int]:
    """How each number is written, and how wide; the same for all, after what is shown of them."""
    if shown.dtype.kind != "f":
        width = max([len(str(value)) for value in shown.reshape(-1).tolist()])
        return lambda value: str(value).rjust(width), width
    numbers = shown[np.isfinite(shown) & (shown != 0)].astype(np.float64)
    if not numbers.size:
        return _whole, 1
    sizes = np.abs(numbers)
    low, high = float(sizes.min()), float(sizes.max())
    if high / low > 1000 or high > 1e8 or low < 1e-4:
        plain: Callable[[Any], str] = f"{{:.{PRECISION}e}}".format
    elif (numbers == np.ceil(numbers)).all():
        plain = _whole
    else:
        plain = f"{{:.{PRECISION}f}}".format
    width = max([len(plain(value)) for value in numbers.tolist()])
    return lambda value: plain(value).rjust(width), width


def _whole(value: float) -> str:
    return f"{value:.0f}." if math.isfinite(value) else f"{value}"


def _nested(array: np.ndarray, indent: int, shorten: bool, write: Callable[[Any], str], width: int) -> str:
    if array.ndim == 0:
        return write(array.item())
    cut = shorten and len(array) > 2 * EDGE
    if array.ndim == 1:
        words = [write(value) for value in (array[:EDGE] if cut else array).tolist()]
        if cut:
            words += [" ...", *[write(value) for value in array[-EDGE:].tolist()]]
        per_line = max(1, (LINE - indent) // (width + 2))
        lines = [", ".join(words[start : start + per_line]) for start in range(0, len(words), per_line)]
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"
    rows = [_nested(row, indent + 1, shorten, write, width) for row in (array[:EDGE] if cut else array)]
    if cut:
        rows += ["...", *[_nested(row, indent + 1, shorten, write, width) for row in array[-EDGE:]]]
    return "[" + ("," + "\n" * (array.ndim - 1) + " " * (indent + 1)).join(rows) + "]"


__all__ = ["tensor_text"]
