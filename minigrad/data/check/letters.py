"""Findings about the characters of a corpus: odd ones, rare ones, and accents that stand alone."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

import numpy as np

from minigrad.data.characters import FOLDED, described
from minigrad.data.check.lookthrough import Looked
from minigrad.data.check.report import Finding, Item
from minigrad.data.corpus import RARE, summed
from minigrad.data.words import counted, listed

_USUAL = "\t\n\r\f"
_UNSEEN = "\u200b\u2060\ufeff\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_NAMED = 10


def found(looked: Sequence[Looked]) -> Iterator[Finding]:
    """Findings about characters."""
    points, counts = summed(looked)
    count_of = {chr(point): count for point, count in zip(points.tolist(), counts.tolist(), strict=True)}
    yield from _odd(looked, count_of)
    yield from _lone_returns(looked)
    decomposed = [one.file.name for one in looked if one.decomposed]
    if decomposed:
        words = (
            f"{counted(len(decomposed), 'file')} not in Unicode's normal form NFC: a letter and its accent are two characters"
        )
        mend = "Normalise them (unicodedata.normalize), so that one letter is not written in two ways."
        yield Finding("decomposed", "warning", words, mend, tuple(Item((name,)) for name in decomposed))
    rare = sorted((symbol for symbol, count in count_of.items() if count < RARE), key=lambda symbol: (count_of[symbol], symbol))
    if rare:
        come = f"{counted(len(rare), 'character')} of {len(count_of):,} {'comes' if len(rare) == 1 else 'come'}"
        mend = f"Hardly seen is hardly learned: train with --set min_count={RARE} to have them read as one character, U+FFFD."
        words = f"{come} fewer than {RARE} times: {_named(rare, count_of)}"
        yield Finding("rare", "note", words, mend, _items(looked, rare))


def _odd(looked: Sequence[Looked], count_of: dict[str, int]) -> Iterator[Finding]:
    """Characters that no text should have."""
    controls = [symbol for symbol in count_of if unicodedata.category(symbol) == "Cc" and symbol not in _USUAL]
    unseen = [symbol for symbol in count_of if symbol in _UNSEEN]
    private = [symbol for symbol in count_of if unicodedata.category(symbol) in ("Co", "Cn")]
    kinds = (
        ("controls", "control characters", controls, "Remove them, or have them read as one: --set min_count."),
        ("unseen", "characters that no reader sees", unseen, "Remove them: the model would write them too."),
        ("unassigned", "characters that Unicode leaves to others, or to the future", private, "Look at where they come from."),
        (
            "replaced", "characters that stand for others which were lost", [s for s in count_of if s == FOLDED],
            "The files were read in a wrong encoding and saved so: make them anew from their originals.",
        ),
    )  # fmt: skip
    for kind, words, symbols, mend in kinds:
        if symbols:
            told = f"{words}, at {counted(sum(count_of[symbol] for symbol in symbols), 'place')}: {_named(symbols, count_of)}"
            yield Finding(kind, "warning", told, mend, _items(looked, symbols))
    misread = [one for one in looked if one.misread]
    if misread:
        places = counted(sum(one.misread for one in misread), "place")
        words = f"UTF-8 that seems to have been read as another encoding and saved so ('Ã©' for 'é'), at {places}"
        items = tuple(Item((one.file.name,), counted(one.misread, "place")) for one in misread)
        yield Finding("misread", "warning", words, "Make the files anew from their originals.", items)


def _lone_returns(looked: Sequence[Looked]) -> Iterator[Finding]:
    """CR without LF: what old Macs ended lines with."""
    items = _items(looked, "\r")
    if items:
        words = f"CR without LF, at {counted(sum(_count(one, [13]) for one in looked), 'place')}"
        yield Finding("lone-cr", "warning", words, "If they end lines, convert them: tr '\\r' '\\n'.", items)


def _count(one: Looked, codes: Sequence[int]) -> int:
    return int(one.counts[np.isin(one.codes, codes)].sum())


def _named(symbols: Sequence[str], count_of: dict[str, int]) -> str:
    return listed([f"{described(symbol)} {counted(count_of[symbol], 'time')}" for symbol in symbols], _NAMED)


def _items(looked: Sequence[Looked], symbols: Sequence[str]) -> tuple[Item, ...]:
    """The files that have these characters, and how many of them."""
    asked = [ord(symbol) for symbol in symbols]
    counts = [(one, _count(one, asked)) for one in looked]
    return tuple(Item((one.file.name,), counted(count, "place")) for one, count in counts if count)
