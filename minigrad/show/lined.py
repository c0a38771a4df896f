"""Long writing on lines: where a text is broken, and where what a pen wrote of it stands."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from minigrad.data.strokes import Strokes, baseline
from minigrad.errors import ArgumentError

WIDEST = 45  # letters on a line, where nothing else is said
GAP = 0.7  # between words, in heights of the writing, where none stand side by side to tell it
NARROWEST, WIDEST_GAP = 0.3, 1.5  # what is beyond was told wrongly
SPACING = 1.7  # from line to line, in heights of the writing, or more where their ink would meet
LEVELLED = 6  # letters: of shorter writing the line that it stands on is known too badly to be mended
STEEPEST, FARTHEST = 0.15, 0.5  # a rise, and a distance from the line in heights: what is beyond is no error of a hand


def broken(text: str, *, lines: int | None = None, widest: int = WIDEST) -> list[str]:
    """A text on lines, broken at blanks so that the longest line is as short as it can be.

    Args:
        text: its own line ends stay; of blanks in a row one is left. A word that is wider than a line has one of its own.
        lines: on how many; by default on as few as ``widest`` allows.
        widest: letters on a line.

    Raises:
        ArgumentError: more lines than words, or ``lines`` for a text that has line ends of its own.

    Example:
        >>> broken("the quick brown fox jumps", widest=16)
        ['the quick brown', 'fox jumps']
        >>> broken("the quick brown fox", lines=4)
        ['the', 'quick', 'brown', 'fox']
    """
    parts = [words for line in text.splitlines() if (words := line.split())]
    if lines is None:
        return [line for words in parts for line in _balanced(words, widest)]
    words = [word for part in parts for word in part]
    if len(parts) != 1 or not 1 <= lines <= len(words):
        expected = f"1 to {len(words)}, as there are words" if len(parts) == 1 else "no number of lines for a text of several"
        raise ArgumentError("handwrite", "lines", expected, str(lines))
    whole = " ".join(words)
    low, high = 1, len(whole)  # the least width that takes at most so many lines
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if len(_filled(words, middle)) <= lines else (middle + 1, high)
    found = _filled(words, low)
    while len(found) < lines:
        at = max((number for number, line in enumerate(found) if " " in line), key=lambda number: len(found[number]))
        found[at : at + 1] = broken(found[at], lines=2)
    return found


def _balanced(words: Sequence[str], widest: int) -> list[str]:
    """As few lines as the width allows, in the least width that takes no more."""
    count = len(_filled(words, widest))
    low, high = 1, max(widest, 1)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if len(_filled(words, middle)) <= count else (middle + 1, high)
    return _filled(words, low)


def _filled(words: Sequence[str], width: int) -> list[str]:
    """Each line as full as it can be."""
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def levelled(strokes: Strokes, height: float) -> list[np.ndarray]:
    """The lines of the pen, (k, 2) each, with y = 0 the line that the text stands on, and x = 0 the left end of its ink.

    A hand comes off the line: where the writing is long enough to tell, its rise and its distance from the line are taken out.

    Args:
        strokes: whose origin is meant to be on the line.
        height: of the writing.

    Example:
        >>> rising = Strokes.of_lines("hill up", [[[x, -9 - 0.1 * x], [x, -0.1 * x]] for x in range(5, 60, 9)], origin=(0, 0))
        >>> levelled(rising, 10)[-1].round(2).tolist()
        [[54.0, -9.0], [54.0, 0.0]]
    """
    lines = strokes.lines()
    rise = above = 0.0
    if len(strokes.text) >= LEVELLED:
        rise, above = baseline(strokes.absolute())
        if abs(rise) > STEEPEST or abs(above) > FARTHEST * height:
            rise = above = 0.0
    left = strokes.box[0]
    return [np.stack([line[:, 0] - left, line[:, 1] - rise * line[:, 0] - above], axis=1) for line in lines]


def word_gap(pieces: Sequence[Strokes], height: float) -> float:
    """How far words stand apart: as in the pieces of several words, whose widest gaps are those between words.

    Args:
        pieces: what was written.
        height: of the writing.

    Example:
        >>> two = Strokes.of_lines("il l", [[[0, -9], [0, 0]], [[3, -9], [3, 0]], [[9, -9], [9, 0]]], origin=(0, 0))
        >>> word_gap([two], 10.0), word_gap([], 10.0)
        (6.0, 7.0)
    """
    gaps: list[float] = []
    for piece in pieces:
        blanks = piece.text.strip().count(" ")
        spans = np.array(sorted((line[:, 0].min(), line[:, 0].max()) for line in piece.lines()))
        free = np.sort(spans[1:, 0] - np.maximum.accumulate(spans[:, 1])[:-1])
        gaps += free[len(free) - min(blanks, len(free)) :].tolist()
    return float(np.clip(np.median(gaps), NARROWEST * height, WIDEST_GAP * height)) if gaps else GAP * height


def placed(rows: Sequence[Sequence[Strokes]], height: float) -> list[np.ndarray]:
    """The lines of the pen of a whole text, (k, 2) each, in the order in which they are written.

    Args:
        rows: what was written of each line, piece by piece.
        height: of the writing, in the units of its offsets.

    Example:
        >>> dash = Strokes.of_lines("-", [[[3, -5], [9, -5]]], origin=(0, 0))
        >>> [line.tolist() for line in placed([[dash, dash], [dash]], 10.0)]
        [[[0.0, -5.0], [6.0, -5.0]], [[13.0, -5.0], [19.0, -5.0]], [[0.0, 12.0], [6.0, 12.0]]]
    """
    gap = word_gap([piece for row in rows for piece in row], height)
    set_rows: list[list[np.ndarray]] = []
    for row in rows:
        found: list[np.ndarray] = []
        right = 0.0
        for piece in row:
            lines = levelled(piece, height)
            begin = right + gap if found else 0.0
            found += [line + np.array([begin, 0.0]) for line in lines]
            right = begin + max(float(line[:, 0].max()) for line in lines)
        set_rows.append(found)
    spacing = SPACING * height
    for above, below in pairwise(set_rows):
        low, high = max(float(line[:, 1].max()) for line in above), min(float(line[:, 1].min()) for line in below)
        spacing = max(spacing, low - high + 0.1 * height)
    return [line + np.array([0.0, spacing * number]) for number, row in enumerate(set_rows) for line in row]


__all__ = ["broken", "levelled", "placed", "word_gap"]
