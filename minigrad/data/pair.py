"""Sentence pairs: what one is, how its sentences are cleaned, and when two sentences are the same."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from minigrad.data.words import counted

LONGEST = 150  # words of a sentence, of which longer ones are left out where nothing is said
WIDE = 10  # characters to a word: what has more than that of the longest sentence is too long too, in scripts without blanks
_BLANKS = re.compile(r"\s+")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u200b\u2060\ufeff]")
_MARKS = re.compile(r"[\W_]+")
_ASCII_MARKS = {code: None for code in range(128) if not chr(code).isalnum()}  # left out far sooner than by a pattern
_SHOWN = 3


class Pair(NamedTuple):
    """A sentence and its translation.

    Attributes:
        source, target: both, cleaned; empty where a side is missing.
        file: where it stands.
        line: and in which line, from 1.
    """

    source: str
    target: str
    file: str = ""
    line: int = 0

    @property
    def place(self) -> str:
        """File and line, for people."""
        return f"{self.file}, line {self.line:,}"

    def turned(self) -> Pair:
        """The pair in the other direction."""
        return self._replace(source=self.target, target=self.source)


def cleaned(text: str) -> str:
    """A sentence in Unicode's form NFC, with single blanks, without control characters and those that nobody sees.

    Example:
        >>> cleaned("  Cafe" + chr(0x301) + chr(0xA0) + " now" + chr(0x200B))
        'Café now'
    """
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    text = unicodedata.normalize("NFC", text)
    if text.isprintable():  # so that the blanks are usual ones
        return " ".join(text.split())
    return _BLANKS.sub(" ", _CONTROLS.sub("", text)).strip()


def same_key(sentence: str) -> str:
    """What two sentences have in common that differ in case, blanks and marks only.

    Example:
        >>> same_key("Turn on the light!") == same_key("turn on  the light"), same_key("?!"), same_key("sí") == same_key("si")
        (True, '?!', False)
    """
    if sentence.isascii():
        key = sentence.lower().translate(_ASCII_MARKS)
    else:
        key = _MARKS.sub("", unicodedata.normalize("NFKC", sentence).casefold())
    return key or "".join(sentence.split())


def is_copy(pair: Pair) -> bool:
    """Whether the target is the source, but for case, blanks and marks.

    Example:
        >>> is_copy(Pair("Hello!", "hello"))
        True
    """
    return pair.source == pair.target or same_key(pair.source) == same_key(pair.target)


def is_long(sentence: str, longest: int) -> bool:
    """Whether a sentence has more than so many words, or ten times as many characters.

    Example:
        >>> is_long("to be or not", 4), is_long("to be or not to be", 4), is_long("x" * 41, 4)
        (False, True, True)
    """
    return len(sentence) > WIDE * longest or (len(sentence) > longest and sentence.count(" ") >= longest)


@dataclass
class Sieve:
    """Passes on the pairs that can be learned from, each once, and counts the others.

    Args:
        longest: words of a sentence, as for ``is_long``.

    Example:
        >>> sieve = Sieve(longest=3)
        >>> rows = [Pair("Go.", "Va !"), Pair("Go.", "Va !"), Pair("Hi.", ""), Pair("a b c d", "e", "x.tsv", 4)]
        >>> [pair.target for pair in sieve.sift(rows)]
        ['Va !']
        >>> sieve.notes()[0].split("pair ")
        ['left out: 1 ', 'with a missing side, 1 ', 'with a sentence of more than 3 words (x.tsv, line 4), 1 ', \
'that was there already']
    """

    longest: int = LONGEST
    missing: int = 0
    repeated: int = 0
    long: int = 0
    _places: dict[str, list[str]] = field(default_factory=dict)

    def sift(self, rows: Iterable[Pair]) -> Iterator[Pair]:
        """The pairs of a part that stay."""
        seen: set[tuple[str, str]] = set()
        for row in rows:
            if not row.source or not row.target:
                self.missing += 1
                self._note("missing", row)
            elif is_long(row.source, self.longest) or is_long(row.target, self.longest):
                self.long += 1
                self._note("long", row)
            elif row[:2] in seen:
                self.repeated += 1
            else:
                seen.add(row[:2])
                yield row

    def notes(self) -> list[str]:
        """A line that says what was left out, where something was."""
        told = []
        if self.missing:
            told.append(f"{counted(self.missing, 'pair')} with a missing side{self._where('missing')}")
        if self.long:
            told.append(f"{counted(self.long, 'pair')} with a sentence of more than {self.longest} words{self._where('long')}")
        if self.repeated:
            told.append(f"{counted(self.repeated, 'pair')} that {'was' if self.repeated == 1 else 'were'} there already")
        return [f"left out: {', '.join(told)}"] if told else []

    def _note(self, kind: str, row: Pair) -> None:
        places = self._places.setdefault(kind, [])
        if row.file and len(places) < _SHOWN:
            places.append(row.place)

    def _where(self, kind: str) -> str:
        places = self._places.get(kind)
        return f" ({'; '.join(places)}{'; ...' if getattr(self, kind) > len(places) else ''})" if places else ""


def targets_of(pairs: Iterable[Pair]) -> Counter[str]:
    """How many different translations each source sentence has.

    Example:
        >>> targets_of([Pair("Go.", "Va !"), Pair("Go.", "Marche."), Pair("Hi.", "Salut.")])
        Counter({'Go.': 2, 'Hi.': 1})
    """
    return Counter(source for source, _ in {pair[:2] for pair in pairs})


__all__ = ["LONGEST", "Pair", "Sieve", "cleaned", "is_copy", "is_long", "same_key", "targets_of"]
