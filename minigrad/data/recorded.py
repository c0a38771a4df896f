"""Stroke files of the recorder (``minigrad data record``): what a person wrote, point by point and in time.

A file is JSON::

    {"format": "minigrad-strokes", "version": 1, "units": {"x": "px", "y": "px, downwards", "t": "ms"}, "words": [
     {"text": "Hello", "pad": {"width": 640, "height": 272, "baseline": 185}, "pointer": "pen",
      "strokes": [[[12.5, 160.25, 0], [13, 158.5, 8.3]], ...]}]}

A stroke is what is drawn between two lifts of the pen: points of x, y in CSS pixels from the upper left corner of the pad and t
in milliseconds. A dot is a stroke of one point.
"""

from __future__ import annotations

import functools
import json
import math
import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from minigrad.data.strokes import Strokes
from minigrad.data.words import shown
from minigrad.errors import FileFormatError, MissingFileError

FORMAT = "minigrad-strokes"
VERSION = 1
FURTHEST = 100_000  # pixels: no screen is wider, and a number beyond is a fault of the file
WHERE = "stroke file"


class Writing(NamedTuple):
    """A word as it was written.

    Attributes:
        text: what was asked for.
        strokes: float64 (n, 3) each: x, y (downwards) in pixels of the pad, t in milliseconds.
        width, height: of the pad.
        baseline: the y of the line that was written on.
        pointer: ``mouse``, ``touch`` or ``pen``.
    """

    text: str
    strokes: tuple[np.ndarray, ...]
    width: float
    height: float
    baseline: float
    pointer: str

    @property
    def points(self) -> int:
        """How many points all strokes have."""
        return sum(map(len, self.strokes))

    def as_strokes(self, name: str = "") -> Strokes:
        """The way of the pen, its points as they are: in pixels, from the left end of the line that was written on.

        Args:
            name: what messages call it.

        Raises:
            DataError: a way that no pen makes.

        Example:
            >>> dash = Writing("-", (np.array([[10.0, 90.0, 0.0], [30.0, 90.0, 50.0]]),), 200, 150, 100, "pen")
            >>> dash.as_strokes().points.tolist()
            [[0.0, -10.0, 0.0], [20.0, 0.0, 1.0]]
        """
        left = min(float(stroke[:, 0].min()) for stroke in self.strokes)
        return Strokes.of_lines(self.text, [stroke[:, :2] for stroke in self.strokes], name, (left, self.baseline))


def is_recorded(path: str | os.PathLike[str]) -> bool:
    """Whether a file says of itself that the recorder made it.

    Example:
        >>> is_recorded("/nowhere")
        False
    """
    try:
        with open(path, "rb") as file:
            return FORMAT.encode() in file.read(200)
    except OSError:
        return False


def recorded_words(path: str | os.PathLike[str]) -> list[tuple[str, Callable[[], Writing]]]:
    """Of each word of a recorder's file, in the order of its page: its text, or nothing where it has none, and what reads it.

    What reads a word raises FileFormatError where it is damaged; the message says which it is, and what is wrong.

    Raises:
        MissingFileError: the file is not there.
        FileFormatError: it is no such file, or has no words.
    """
    name = shown(os.fspath(path))
    words = _content(path, name).get("words")
    if not isinstance(words, list) or not words:
        got = "none" if words == [] else f"words = {_short(words)}"
        remedy = "Write some on the page, and save it again"
        raise FileFormatError(WHERE, name, "words with their strokes", got, remedy)
    texts = [row.get("text") if isinstance(row, dict) else None for row in words]
    rows = enumerate(zip(words, texts, strict=True), 1)
    return [
        (text if isinstance(text, str) else "", functools.partial(_writing, row, f"{name}, word {number}"))
        for number, (row, text) in rows
    ]


def _content(path: Any, name: str) -> Mapping[str, Any]:
    remedy = "Save it on the page that `minigrad data record` makes"
    try:
        with open(path, encoding="utf-8-sig") as file:
            content = json.load(file)
    except FileNotFoundError:
        raise MissingFileError(WHERE, name, "a stroke file", "no such file") from None
    except OSError as error:
        raise FileFormatError(WHERE, name, "a file that can be read", error.strerror or str(error)) from error
    except (ValueError, RecursionError) as error:
        raise FileFormatError(WHERE, name, "a stroke file, which is JSON", f"text that is none ({error})", remedy) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        got = f"format {_short(content.get('format'))}" if isinstance(content, dict) else type(content).__name__
        raise FileFormatError(WHERE, name, f"format {FORMAT!r}", got, remedy)
    version = content.get("version")
    if type(version) is not int or version != VERSION:
        remedy = "Save it on a page of this version: what was written there is still in its browser"
        raise FileFormatError(WHERE, name, f"version {VERSION}", _short(version), remedy)
    return content


def _writing(row: Any, name: str) -> Writing:
    if not isinstance(row, dict):
        raise FileFormatError(WHERE, name, "an object with text, pad and strokes", _short(row))
    text = row.get("text")
    if not isinstance(text, str) or not text.strip():
        raise FileFormatError(WHERE, name, "a text that is not empty", _short(text))
    name = f"{name} ({shown(text)})"
    sizes = row.get("pad")
    pad: dict[str, Any] = {key: sizes.get(key) if isinstance(sizes, dict) else None for key in ("width", "height", "baseline")}
    for key, size in pad.items():
        if not _number(size) or not 0 < size <= FURTHEST:
            raise FileFormatError(WHERE, name, f"pad.{key}, a number of pixels above 0", _short(size))
    strokes = row.get("strokes")
    if not isinstance(strokes, list) or not strokes:
        raise FileFormatError(WHERE, name, "at least one stroke", _short(strokes), "Leave out the word, or write it anew")
    drawn = tuple(_stroke(stroke, f"{name}, stroke {number}") for number, stroke in enumerate(strokes, 1))
    places = len(np.unique(np.concatenate(drawn)[:, :2], axis=0))
    if places < 2:
        raise FileFormatError(WHERE, name, "points at two places at least", "a single one", "Leave it out, or write it anew")
    return Writing(text, drawn, **pad, pointer=str(row.get("pointer", "")))


def _stroke(points: Any, name: str) -> np.ndarray:
    if not isinstance(points, list) or not points:
        raise FileFormatError(WHERE, name, "a list of points", _short(points))
    for number, point in enumerate(points, 1):
        if not isinstance(point, list) or len(point) != 3 or not all(map(_number, point)):
            raise FileFormatError(WHERE, f"{name}, point {number}", "x, y and t, three finite numbers", _short(point))
        if max(abs(point[0]), abs(point[1])) > FURTHEST:
            expected = f"x and y of at most {FURTHEST:,} pixels"
            raise FileFormatError(WHERE, f"{name}, point {number}", expected, _short(point))
    stroke = np.array(points, np.float64)
    backwards = np.flatnonzero(np.diff(stroke[:, 2]) < 0)
    if len(backwards):
        at = int(backwards[0])
        expected, got = f"t of at least {stroke[at, 2]:g}, as time runs on", f"{stroke[at + 1, 2]:g}"
        raise FileFormatError(WHERE, f"{name}, point {at + 2}", expected, got)
    return stroke


def _number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer of hundreds of digits
        return False


def _short(value: Any) -> str:
    """A value of a file in a few letters."""
    text = "none" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
