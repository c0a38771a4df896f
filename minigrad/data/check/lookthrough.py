"""What a check has to know of each file of a corpus: read once, in pieces, and kept small."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from minigrad.data.check.passages import Passages
from minigrad.data.textfiles import TextFile
from minigrad.data.textread import Oddities, read_codes
from minigrad.errors import DataError

_MISREAD = re.compile("[ÃÂ][\u0080-\u00bf]|â[\u0080\u20ac]")  # UTF-8 that was taken for Latin-1 or CP1252
_MOST = 0x110000
KNOWN = 1000  # characters by which a line is known


@dataclass
class Looked:
    """What is known of a file.

    Attributes:
        file: which.
        kind: "text"; "encoding" where it is no UTF-8; or "unreadable".
        why: what is wrong with it.
        digest: sha256 of its bytes.
        length: its characters, or bytes.
        codes, counts: the characters that come, and how often.
        odd: what is odd about its encoding.
        longest: characters of its longest line.
        lines: its lines.
        misread: places where UTF-8 seems to have been read as another encoding, and saved so.
        decomposed: whether it is not in Unicode's normal form NFC.
        unended: whether its last line has no end.
    """

    file: TextFile
    kind: str = "text"
    why: str = ""
    digest: bytes = b""
    length: int = 0
    codes: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    counts: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    odd: Oddities = field(default_factory=Oddities)
    longest: int = 0
    lines: int = 0
    misread: int = 0
    decomposed: bool = False
    unended: bool = False


def look(file: TextFile, *, bytes: bool, passages: Passages, saw: Callable[[int], None] = lambda size: None) -> Looked:
    """Look through a file.

    Args:
        file: it.
        bytes: whether it is learned as bytes.
        passages: takes its lines, if it can be read to its end.
        saw: is called with the number of bytes of each piece.

    Example:
        >>> found = look(TextFile("a.txt", "", 9, content=b"ab\\r\\nabcde"), bytes=False, passages=Passages())
        >>> found.kind, found.length, found.lines, found.longest, found.odd.crlf, found.unended
        ('text', 8, 2, 5, 1, True)
    """
    found, lines = Looked(file), Passages()
    digest = hashlib.sha256()

    def take(piece: memoryview) -> None:
        digest.update(piece)
        saw(len(piece))

    try:
        _read(found, bytes, lines, take)
        passages.update(lines)
    except DataError as error:
        found.kind = "encoding" if "UTF-8" in error.expected else "unreadable"
        found.why = error.got
    found.digest = digest.digest()
    return found


def _read(found: Looked, bytes: bool, passages: Passages, take: Callable[[memoryview], None]) -> None:
    table = np.zeros(256 if bytes else _MOST, np.int64)
    used = np.zeros(0, np.int64)
    begun, width = "", 0  # of the line that a piece ends in: how it begins, and its characters so far
    for codes in read_codes(found.file, bytes=bytes, odd=found.odd, saw=take):
        counts = np.bincount(codes)
        table[: len(counts)] += counts
        used = np.union1d(used, np.flatnonzero(counts))
        text = codes.tobytes().decode("latin-1" if codes.itemsize == 1 else "utf-32-le")
        if not (bytes or text.isascii()):
            found.misread += len(_MISREAD.findall(text))
            found.decomposed |= not unicodedata.is_normalized("NFC", text)
        first, *others = text.split("\n")
        begun, width = (begun + first)[:KNOWN], width + len(first)
        if others:
            *whole, last = others
            found.longest = max(found.longest, width, *map(len, whole), 0)
            passages.add([begun, *(line[:KNOWN] for line in whole)])
            begun, width = last[:KNOWN], len(last)
    passages.add([begun])
    found.codes, found.counts = used, table[used]
    found.length = int(found.counts.sum())
    found.unended = width > 0
    found.lines = int(table[10]) + found.unended
    found.longest = max(found.longest, width)


__all__ = ["Looked", "look"]
