"""Text read in pieces: the code points or bytes of a file, whatever its size, and what is odd about its encoding."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigrad.data.textfiles import HEAD, TextFile, unreadable, wide, wide_encoding
from minigrad.data.words import shown
from minigrad.errors import DataError

PIECE = 1 << 20  # bytes that are read at once
_BOM = codecs.BOM_UTF8


@dataclass
class Oddities:
    """What is seen of a file while it is read.

    Attributes:
        bom: whether it begins with the mark of UTF-8, which is left out.
        crlf: line ends of two characters, which are read as one.
    """

    bom: bool = False
    crlf: int = 0


def read_codes(
    file: TextFile,
    start: int = 0,
    stop: int | None = None,
    *,
    bytes: bool = False,
    odd: Oddities | None = None,
    saw: Callable[[Any], None] = lambda piece: None,
) -> Iterator[np.ndarray]:
    """The code points of a file of UTF-8, piece after piece: uint8 of one in ASCII, else uint32; or its bytes, uint8.

    A mark of UTF-8 at the beginning is left out, and a line end of CR and LF is read as LF.

    Args:
        file: what is read.
        start, stop: the range of bytes; both stand before a character's first byte.
        bytes: whether it is read as bytes.
        odd: takes what is seen on the way.
        saw: is called with each piece of bytes as it is in the file.

    Raises:
        DataError: it cannot be read, or is no UTF-8; says at which byte.

    Example:
        >>> file = TextFile("a.txt", "", 5, content="né\\r\\n".encode())
        >>> [codes.tolist() for codes in read_codes(file)]
        [[110, 233, 10]]
    """
    odd = Oddities() if odd is None else odd
    pieces = _pieces(file, start, file.size if stop is None else stop, saw)
    return (np.frombuffer(piece, np.uint8) for piece in pieces) if bytes else _decoded(file, start, pieces, odd)


def _pieces(file: TextFile, start: int, stop: int, saw: Callable[[Any], None]) -> Iterator[bytes]:
    with file.open() as content:
        try:
            content.seek(start)
            while start < stop:
                piece = content.read(min(PIECE, stop - start))
                if not piece:
                    raise changed(file.name)
                start += len(piece)
                saw(piece)
                yield piece
        except OSError as error:
            raise unreadable(file.name, error) from error


def _decoded(file: TextFile, start: int, pieces: Iterator[bytes], odd: Oddities) -> Iterator[np.ndarray]:
    decoder = codecs.getincrementaldecoder("utf-8")()
    held = ""  # a CR at the end of a piece: an LF may follow it
    place = start
    for piece in pieces:
        if place == 0:
            encoding = wide_encoding(piece[:HEAD])
            if encoding is not None:
                raise wide(file.name, encoding)
            if piece.startswith(_BOM):
                odd.bom, piece, place = True, piece[len(_BOM) :], len(_BOM)
        text = held + _decode(decoder, file, piece, place)
        place += len(piece)
        held = "\r" if text.endswith("\r") else ""
        yield _codes(text[: len(text) - len(held)], odd)
    rest = held + _decode(decoder, file, b"", place, final=True)
    if rest:
        yield _codes(rest, odd)


def _decode(decoder: codecs.IncrementalDecoder, file: TextFile, piece: bytes, place: int, *, final: bool = False) -> str:
    before = decoder.getstate()[0]  # the first bytes of a character whose others come now
    try:
        return decoder.decode(piece, final)
    except UnicodeDecodeError as error:
        at = place - len(before) + error.start
        got = f"byte 0x{(before + piece)[error.start]:02x} at byte {at:,} (line {_line(file, at):,})"
        remedy = "Save it as UTF-8 (if it is Latin-1: iconv -f LATIN1 -t UTF-8), or learn from bytes (--bytes)"
        raise DataError("data", shown(file.name), "text in UTF-8", got, remedy) from error


def _line(file: TextFile, at: int) -> int:
    """The number of the line in which a byte stands, from 1."""
    return 1 + sum(piece.count(b"\n") for piece in _pieces(file, 0, at, lambda piece: None))


def _codes(text: str, odd: Oddities) -> np.ndarray:
    if "\r" in text and "\r\n" in text:  # the first is much faster
        odd.crlf += text.count("\r\n")
        text = text.replace("\r\n", "\n")
    if text.isascii():
        return np.frombuffer(text.encode("ascii"), np.uint8)
    return np.frombuffer(text.encode("utf-32-le"), np.uint32)


def changed(name: str) -> DataError:
    """The error for a file that is another than it was a moment ago."""
    return DataError("data", shown(name), "a file that stays as it is", "one that changed while it was read", "Try again")


__all__ = ["Oddities", "changed", "read_codes"]
