"""The Hershey fonts: letters as the strokes of a pen, by A. V. Hershey, and words to write with them."""

from __future__ import annotations

import ast
import base64
import hashlib
import io
import tarfile
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from minigrad.data import sources
from minigrad.errors import ArgumentError, DataError

NAME = "hershey"
FONTS = (
    "futural", "futuram", "rowmans", "rowmand", "rowmant", "timesr", "timesrb", "timesi", "timesib", "scripts", "scriptc",
    "cursive", "gothgbt", "gothgrt", "gothiceng", "gothicger", "gothicita", "gothitt",
)  # fmt: skip
"""Those with Latin letters. The single strokes of a pen are in futural and rowmans (print), scripts and cursive (script)."""
HEIGHT = 21.0  # of a capital letter, in the fonts' units
BASELINE = 9  # where letters stand, y down
SHORT = 8  # letters: such words are written in rows too,
IN_ROWS = 80  # and so many of 256 of them in rows only
LONGEST = 22  # characters of a row, marks aside
MARKS = ("{},", "{}.", "{}!", "{}?", "{};", "{}:", "({})", '"{}"', "{}'s", "{0}-{0}")
ROW_MARKS = ("{}", "{}", "{}", "{}", "{}", "{}.", "{}.", "{}.", "{}!", "{}?", "{};", "{}:", "({})", '"{}"')
_FIRST = " "  # the character of the first glyph; the others follow as in ASCII
_PRINTABLE = 95  # of ASCII
_MIDDLE = ord("R")  # the character that stands for 0
_LIFTED = " R"


class Glyph(NamedTuple):
    """A letter: its width, and its strokes (k, 2), x from its left edge, y down from the line that it stands on."""

    width: float
    strokes: tuple[np.ndarray, ...]


Font = Mapping[str, Glyph]


def read_fonts(names: Sequence[str], progress: sources.Progress | None = None) -> dict[str, Font]:
    """Fonts of these names: of each the glyph of each printable character of ASCII.

    They come from the Python package Hershey-Fonts, whose source holds them as one packed text. It is read, never run.

    Args:
        names: of ``FONTS``.
        progress: as for ``sources.get``.

    Raises:
        ArgumentError: no name, or one of no such font.
        DataError: the fonts cannot be had.

    Example:
        >>> font = read_fonts(["futural"])["futural"]
        >>> font["l"].width, [stroke.tolist() for stroke in font["l"].strokes]
        (8.0, [[[4.0, -21.0], [4.0, 0.0]]])
    """
    check_fonts(names)
    data = sources.dataset(NAME)
    source = sources.fetch(data, data.files[0], progress).read_text()
    with tarfile.open(fileobj=io.BytesIO(_packed(source)), mode="r:*") as archive:
        return {name: _font(archive, name) for name in names}


def check_fonts(names: Sequence[str]) -> None:
    """See that there are such fonts.

    Raises:
        ArgumentError: no name, or one of no such font.

    Example:
        >>> check_fonts(["cursive"])
    """
    wrong = [name for name in names if name not in FONTS]
    if wrong or not names:
        raise ArgumentError("hershey", "fonts", f"some of {', '.join(FONTS)}", repr(wrong[0]) if wrong else "none")


def read_words(progress: sources.Progress | None = None) -> list[str]:
    """English words to write: the long list of the Electronic Frontier Foundation, 7,776 words of 3 to 9 letters.

    Raises:
        DataError: they cannot be had.

    Example:
        >>> words = read_words()
        >>> len(words), words[:3]
        (7776, ['abacus', 'abdomen', 'abdominal'])
    """
    data = sources.dataset(NAME)
    return sources.fetch(data, data.files[1], progress).read_text().split()


def texts_of(words: Sequence[str]) -> list[str]:
    """What is written of words: most alone, as they are, as names, in capitals or with a mark; the short ones in rows too.

    A word of at most 8 letters is in one row of two or three, with at most 22 characters: as they are or with a capital, a
    comma, marks. A third of them are in rows only. What is made of words is decided by their hashes and by nothing else.

    Example:
        >>> texts_of(["abide", "able", "ablaze", "absence", "7"])
        ['abide', 'Able', '7', 'abide absence, 7.', 'able ablaze;']
    """
    rows = _rows(sorted((word for word in words if len(word) <= SHORT), key=_hash))
    beside = {word for row in rows for word in row if _hash(word)[2] < IN_ROWS}
    return [_dressed(word) for word in words if word not in beside] + [_in_a_row(row) for row in rows]


def numbers(count: int) -> list[str]:
    """Different numbers of one to four digits, always the same ones: as many of three digits as of four, and all shorter ones.

    Example:
        >>> numbers(3)
        ['886', '1039', '3633']
    """
    return sorted(map(str, range(10_000)), key=lambda number: int.from_bytes(_hash(number)[:6], "big") * 10 ** len(number))[
        :count
    ]


def _dressed(word: str) -> str:
    """A word as it stands in a text."""
    first, second = _hash(word)[:2]
    if first < 160:
        return word
    if first < 208:
        return word.capitalize()
    if first < 224:
        return word.upper()
    return MARKS[second % len(MARKS)].format(word)


def _rows(words: Sequence[str]) -> list[list[str]]:
    """Words in rows of two or three, each in one of them: three where they fit and the hash of the first has it so."""
    rows, first = [], 0
    while first + 1 < len(words):
        row = list(words[first : first + 2 + _hash(words[first])[3] % 2])
        if len(" ".join(row)) > LONGEST:
            row.pop()
        rows.append(row)
        first += len(row)
    return rows


def _in_a_row(words: Sequence[str]) -> str:
    """Words as they stand in a text, one after another."""
    begin, inside, end = _hash(" ".join(words))[:3]
    text = (", " if inside < 64 else " ").join([" ".join(words[:-1]), words[-1]])
    if begin < 16:
        return text.upper()
    return ROW_MARKS[end % len(ROW_MARKS)].format(text.capitalize() if begin < 128 else text)


def _hash(word: str) -> bytes:
    return hashlib.sha256(word.encode()).digest()


def _packed(source: str) -> bytes:
    """The archive of fonts inside the source of a Python module: its longest literal of bytes, which is in base 64."""
    literals = [node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)]
    return base64.b64decode(max((text for text in literals if isinstance(text, bytes)), key=len))


def _font(archive: tarfile.TarFile, name: str) -> Font:
    """The glyphs in a file of the archive: a line for each, after lines of comment."""
    file = archive.extractfile(name)
    if file is None:
        raise DataError("data", NAME, f"the font {name}", "something else of that name")
    lines = [line for line in file.read().decode("ascii").splitlines() if line and not line.startswith("#")]
    return {chr(ord(_FIRST) + i): _glyph(line) for i, line in enumerate(lines[:_PRINTABLE])}


def _glyph(line: str) -> Glyph:
    """A glyph: eight columns of number and length, left edge, right edge, and the strokes, two characters for a point."""
    left, right = ord(line[8]) - _MIDDLE, ord(line[9]) - _MIDDLE
    strokes = []
    for part in line[10:].split(_LIFTED):
        if part:
            places = np.frombuffer(part.encode(), np.uint8).reshape(-1, 2).astype(np.float64) - _MIDDLE
            strokes.append(places - [left, BASELINE])
    if right <= left and strokes:  # rowmant's J: as much room to the right as it has to the left
        places = np.concatenate(strokes)[:, 0]
        right = left + int(places.max() + places.min())
    return Glyph(float(right - left), tuple(strokes))


__all__ = ["FONTS", "HEIGHT", "Font", "Glyph", "check_fonts", "numbers", "read_fonts", "read_words", "texts_of"]
