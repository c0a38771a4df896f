"""Handwriting, from a named set or from files of a user's own, ready to train on."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

from minigrad.data.catalogue import named
from minigrad.data.drawn import open_fonts
from minigrad.data.hanzi import NAME as HANZI
from minigrad.data.hanzi import open_hanzi
from minigrad.data.pen_files import open_files
from minigrad.data.sources import Progress
from minigrad.data.stroke_data import StrokeData
from minigrad.data.words import shown
from minigrad.errors import ArgumentError, DTypeError

USUAL_FONTS = ("futural",)
FINEST, COARSEST = 0.1, 15.0  # units of fonts between points: what is beyond is no more the way of a pen


def open_strokes(
    data: str | os.PathLike[str],
    *,
    holdout: float | None = None,
    seed: int = 0,
    fonts: Sequence[str] | None = None,
    strength: float = 1.0,
    step: float | None = None,
    level: bool = False,
    progress: Progress | None = None,
) -> StrokeData:
    """Handwriting by name or from files, ready to train on.

    ``"hershey"`` is words in stroke fonts, fresh in each epoch: English words and numbers as they are, as names, in capitals
    and with marks, and rows of two or three. Words, not drawings, are held out: none of validation is in the training part in
    whatever form.

    ``"hanzi-writer-data"`` is Chinese characters by their strokes, drawn anew likewise; held out are drawings, as a character
    that was never shown cannot be written.

    Files may be the recorder's (``minigrad data record``), a copy of IAM-OnDB, stroke-3 files or QuickDraw's: ``iam``,
    ``stroke3`` and ``quickdraw`` say how they are read. Folders train/, validation/ and test/ are the parts; where there is no
    part for validation, whole groups are held out: lines of one form, items of one text.

    Args:
        data: a named set, or a path.
        holdout: the share that is held out for validation where the data have no such part; default 0.1, and 0.2 where there
            are fewer than 1,000 items.
        seed: of the choice of what is held out, and of the variants.
        fonts: names of Hershey's fonts, ``hershey.FONTS``; default ``futural``.
        strength: how much the variants of fonts differ: 0 not at all, 1 as hands do.
        step: the distance between points, in the units of the data; default: a seventh of a capital's height for fonts, where
            it may be 0.1 to 15 and a capital is 21 high, and for recorded data the points as they are.
        level: turn recorded writing level and upright: see ``Strokes.levelled``.
        progress: called as ``progress(doing, done, total)`` while files are fetched and read.

    Raises:
        DataError: the data are not there, or hold what is no handwriting.
        ArgumentError: another argument is out of range, or means nothing for these data.
        DTypeError: ``data`` is no path.

    Example:
        >>> data = open_strokes("hershey")
        >>> len(data.train), len(data.validation), data.train[0].text
        (8219, 948, 'ABDOMINAL')
    """
    if not isinstance(data, (str, os.PathLike)):
        raise DTypeError("open_strokes", "data", "the name of a data set or a path", f"a {type(data).__name__}")
    _check_number("holdout", holdout, 0, 1, open_=True)
    _check_number("strength", strength, 0, 10)
    _check_number("step", step, 0, 1e6, open_=True)
    whole = isinstance(seed, int) and not isinstance(seed, bool)
    if not whole or not 0 <= seed < 1 << 64:
        raise ArgumentError("open_strokes", "seed", "a whole number from 0 to 2**64 - 1", repr(seed))
    name = os.fsdecode(data)
    drawn = name in named("handwriting")
    if fonts is not None and (not drawn or name == HANZI):
        raise ArgumentError("open_strokes", "fonts", "fonts for hershey only", f"fonts for {shown(name)}", "Leave them out")
    if strength != 1 and not drawn:
        expected = "none for files, which hold what was written as it was written"
        raise ArgumentError("open_strokes", "strength", expected, repr(strength), "Leave it out")
    if level and drawn:
        expected = "nothing to turn level: what is drawn stands upright on its line"
        raise ArgumentError("open_strokes", "level", expected, f"level for {name}", "Leave it out")
    if step is not None and drawn and not FINEST <= step <= COARSEST:
        raise ArgumentError("open_strokes", "step", f"a number from {FINEST:g} to {COARSEST:g}, of a capital 21", repr(step))
    if not drawn:
        return open_files(name, holdout, seed, level, step, progress)
    if name == HANZI:
        return open_hanzi(holdout, seed, strength, step, progress)
    return open_fonts(USUAL_FONTS if fonts is None else tuple(fonts), holdout, seed, strength, step, progress)


def _check_number(name: str, value: float | None, low: float, high: float, open_: bool = False) -> None:
    if value is None:
        return
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not (low < value < high if open_ else low <= value <= high):
        expected = f"a number between {low:g} and {high:g}" if open_ else f"a number from {low:g} to {high:g}"
        raise ArgumentError("open_strokes", name, expected, repr(value))


__all__ = ["StrokeData", "open_strokes"]
