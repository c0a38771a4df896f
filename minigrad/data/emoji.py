"""The pictures of a font of coloured signs, such as Noto Color Emoji: PNG files in its table CBDT."""

from __future__ import annotations

import io
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, NamedTuple

from minigrad.data.words import counted, shown
from minigrad.errors import DataError

_TONES = frozenset(range(0x1F3FB, 0x1F400))  # colours of skin, which follow a sign or stand alone
_LETTERS = frozenset(range(0x1F1E6, 0x1F200))  # pairs of them are the flags of countries
_TAGS = frozenset(range(0xE0020, 0xE0080))  # follow a flag, and spell its region
_HOW = "A font of bitmaps is wanted, as Debian's fonts-noto-color-emoji has: one of outlines holds no pictures"

Code = tuple[int, ...]


class Signs(NamedTuple):
    """The pictures of a font.

    Attributes:
        pictures: the name of each, ``"U+1F600"``, and its file of PNG, in the font's order.
        notes: what was left out, and why.
    """

    pictures: list[tuple[str, bytes]]
    notes: list[str]


def read_signs(path: str | os.PathLike[str]) -> Signs:
    """The pictures of a font that has them as bitmaps.

    Left out are signs in a colour of skin, five and more to a figure, which stays in yellow: they would be half of all. So are
    the flags of countries and regions, and the letters that spell them: one waving shape hundreds of times.

    Args:
        path: the font.

    Raises:
        DataError: fontTools is not installed; there is no font of that kind.

    Example:
        >>> with open("Outlines.ttf", "wb") as file:
        ...     _ = file.write(b"no font")
        >>> try:
        ...     read_signs("Outlines.ttf")
        ... except DataError as error:
        ...     print(error.expected, "/", error.got)
        a font that can be read / TTLibError: Not a TrueType or OpenType font (not enough data)
    """
    name = shown(os.fspath(path))
    library = _library()
    try:
        with open(path, "rb") as file:  # of a file that it opens itself, a damaged one is left open
            content = io.BytesIO(file.read())
        with library.TTFont(content, lazy=True) as font:
            if "CBDT" not in font or "CBLC" not in font:
                raise DataError("data", name, "a font with pictures in a table CBDT", "a font without one", _HOW)
            strike = max(font["CBDT"].strikeData, key=len)
            found = {glyph: bytes(bitmap.imageData) for glyph, bitmap in strike.items() if hasattr(bitmap, "imageData")}
            codes = _codes(font)
    except DataError:
        raise
    except Exception as error:  # a damaged font may bring its reader to any exception
        got = (getattr(error, "strerror", None) or f"{type(error).__name__}: {shown(error)}").rstrip(".")
        raise DataError("data", name, "a font that can be read", got, _HOW) from error
    pictures, tones, flags = [], 0, 0
    for glyph, picture in found.items():
        spelled = codes.get(glyph, [])
        if spelled and all(_TONES.intersection(code) for code in spelled):
            tones += 1
        elif any(_LETTERS.issuperset(code) or _TAGS.intersection(code) for code in spelled):
            flags += 1
        else:
            pictures.append((_name(spelled) if spelled else glyph, picture))
    notes = []
    if tones:
        notes.append(f"left out: {counted(tones, 'sign')} in a colour of skin; the figure itself, in yellow, is there")
    if flags:
        notes.append(f"left out: {flags:,} flags of countries and regions, and their letters: one waving shape over and over")
    return Signs(pictures, notes)


def _name(spelled: Sequence[Code]) -> str:
    """The shortest way to spell a sign; of those that differ in their order, the one that begins with the figure."""
    code = min(spelled, key=lambda code: (len(code), -code[0]))
    return " ".join(f"U+{sign:04X}" for sign in code)


def _codes(font: Any) -> Mapping[str, list[Code]]:
    """The rows of code points that each glyph stands for: by the table of characters, and by ligatures of these."""
    signs = {glyph: sign for sign, glyph in (font.getBestCmap() or {}).items()}
    codes: dict[str, list[Code]] = defaultdict(list)
    for glyph, sign in signs.items():
        codes[glyph].append((sign,))
    lookups = font["GSUB"].table.LookupList.Lookup if "GSUB" in font and font["GSUB"].table.LookupList else []
    for table in (table for lookup in lookups for table in lookup.SubTable):
        for first, ligatures in (getattr(table, "ligatures", None) or {}).items():
            for ligature in ligatures:
                parts = (first, *ligature.Component)
                if all(part in signs for part in parts):
                    codes[ligature.LigGlyph].append(tuple(signs[part] for part in parts))
    return codes


def _library() -> ModuleType:
    """fontTools' reader, loaded when it is first needed."""
    try:
        from fontTools import ttLib
    except ImportError as error:
        remedy = "Run pip install 'minigrad-engine[emoji]'"
        raise DataError("data", "emoji", "the library fontTools, which reads fonts", "none", remedy) from error
    return ttLib


__all__ = ["Signs", "read_signs"]
