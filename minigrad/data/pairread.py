"""Sentence pairs read from a file with tabs, or from two files whose lines belong together."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from minigrad.data.pair import Pair, cleaned
from minigrad.data.textfiles import HEAD, TextFile, binary, unreadable, wide, wide_encoding
from minigrad.data.words import counted, shown
from minigrad.errors import DataError

_GZIP = b"\x1f\x8b"
_ARCHIVES = (b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf")
_LOOKED_AT = 100  # rows by which the columns are told


@dataclass
class Oddities:
    """What is seen of files while they are read: how many have the mark of UTF-8, and line ends of CR and LF; and how many."""

    marked: int = 0
    crlf: int = 0
    crlf_files: int = 0

    def notes(self) -> Iterator[str]:
        """Lines that say what is read otherwise than it stands in the files."""
        if self.marked:
            yield f"encoding: the mark of UTF-8 (BOM) at the beginning of {counted(self.marked, 'file')} left out"
        if self.crlf:
            yield f"line ends: {self.crlf:,} of CR and LF, in {counted(self.crlf_files, 'file')}, are read as LF"


class PairFile(NamedTuple):
    """Where pairs stand.

    Attributes:
        name: what a person calls it.
        files: one, with a tab between source and target; or two, of which each line is the other's translation.
        part: ``"train"``, ``"validation"`` or ``"test"`` where its name tells; else empty.
    """

    name: str
    files: tuple[TextFile, ...]
    part: str = ""

    @property
    def size(self) -> int:
        """Its bytes."""
        return sum(file.size for file in self.files)

    def rows(self, odd: Oddities | None = None, missing: str = "") -> list[Pair]:
        """Its pairs with their lines, cleaned, those with a missing side too; rows without any text are passed over.

        Of a file with tabs the first two columns are read, and others, such as the licence that Anki's files have, are not.
        Where the first and the third of four columns are numbers, as in what Tatoeba exports, it is the second and the fourth.

        Args:
            odd: takes what is seen on the way.
            missing: what to do where there is no tab, as a sentence.

        Raises:
            DataError: it cannot be read, or is no UTF-8; it has no tab, or two files have different numbers of lines.

        Example:
            >>> content = "Go.\\tVa !\\tCC-BY 2.0\\r\\nHi.\\r\\n".encode()
            >>> file = PairFile("fra.txt", (TextFile("fra.txt", "", len(content), content=content),))
            >>> [pair[:2] for pair in file.rows()]
            [('Go.', 'Va !'), ('Hi.', '')]
        """
        odd = Oddities() if odd is None else odd
        texts = [lines_of(file, odd) for file in self.files]
        if len(texts) == 1:
            columns = _columns(self.name, texts[0], missing)
            most = max(columns)
            split = ([*line.split("\t"), *[""] * most] for line in texts[0])  # a row that is too short has empty cells
            cells: Iterator[Sequence[str]] = ([row[at] for at in columns] for row in split)
        else:
            if len(texts[0]) != len(texts[1]):
                one, other = (shown(file.name) for file in self.files)
                expected = f"as many lines as in {one}, {len(texts[0]):,}: each is the translation of the other's"
                remedy = "Take files that belong together, as they were published"
                raise DataError("data", other, expected, f"{len(texts[1]):,}", remedy)
            cells = zip(*texts, strict=True)
        rows = (Pair(cleaned(row[0]), cleaned(row[1]), self.name, line) for line, row in enumerate(cells, 1))
        return [row for row in rows if row.source or row.target]


def content_of(file: TextFile, most: int = -1) -> bytes:
    """The bytes of a file, unpacked where gzip packed them; at most so many, where a number is given.

    Raises:
        DataError: it cannot be read, is damaged, or is packed otherwise.

    Example:
        >>> content_of(TextFile("a.gz", "", 0, content=gzip.compress(b"Go.")))
        b'Go.'
    """
    with file.open() as opened:
        try:
            content = opened.read(most)
        except OSError as error:
            raise unreadable(file.name, error) from error
    if content.startswith(_ARCHIVES):
        raise DataError("data", shown(file.name), "text, or text packed by gzip", "a packed archive", "Unpack it")
    if not content.startswith(_GZIP):
        return content
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(content, most) if most > 0 else gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        remedy = "Fetch or pack it anew"
        raise DataError("data", shown(file.name), "a whole gzip file", f"a damaged one ({error})", remedy) from error


def lines_of(file: TextFile, odd: Oddities) -> list[str]:
    """The lines of a file of UTF-8, without their ends.

    Raises:
        DataError: as ``content_of`` says; it is binary, or no UTF-8; says at which byte, and in which line.

    Example:
        >>> lines_of(TextFile("a", "", 0, content=b"one\\r\\ntwo\\n"), Oddities())
        ['one', 'two']
    """
    content = content_of(file)
    encoding = wide_encoding(content[:HEAD])
    if encoding is not None:
        raise wide(file.name, encoding)
    if b"\0" in content[:HEAD]:
        raise binary(file.name, instead="")
    if content.startswith(codecs.BOM_UTF8):
        odd.marked += 1
        content = content[len(codecs.BOM_UTF8) :]
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        got = f"byte 0x{content[error.start]:02x} in line {content.count(bytes((10,)), 0, error.start) + 1:,}"
        remedy = "Save it as UTF-8 (if it is Latin-1: iconv -f LATIN1 -t UTF-8)"
        raise DataError("data", shown(file.name), "text in UTF-8", got, remedy) from error
    returns = text.count("\r\n")
    if returns:
        odd.crlf, odd.crlf_files = odd.crlf + returns, odd.crlf_files + 1
        text = text.replace("\r\n", "\n")
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return lines


def _columns(name: str, lines: Sequence[str], missing: str) -> tuple[int, int]:
    """In which columns source and target stand."""
    if not any("\t" in line for line in lines):
        expected = "lines of a sentence, a tab and its translation"
        got = f"no tab in {counted(len(lines), 'line')}"
        remedy = missing or "Put a tab between the two, or name two files whose lines belong together"
        raise DataError("data", shown(name), expected, got, remedy)
    some = [line.split("\t") for line in lines[:_LOOKED_AT] if line.strip()]
    tatoeba = bool(some) and all(len(row) >= 4 and row[0].strip().isdecimal() and row[2].strip().isdecimal() for row in some)
    return (1, 3) if tatoeba else (0, 1)


__all__ = ["Oddities", "PairFile", "content_of", "lines_of"]
