"""Bibles as the SWORD project packs them (zText): verses in blocks that zlib compressed, marked up in OSIS."""

from __future__ import annotations

import html
import re
import struct
import zlib
from collections.abc import Iterator, Sequence

from minigrad.data.pair import cleaned
from minigrad.errors import DataError

_BLOCK = struct.Struct("<III")  # where it begins, its bytes packed and unpacked
_VERSE = struct.Struct("<IIH")  # its block, where it begins in it, its bytes
_ASIDE = re.compile(r"<(note|title)\b[^>]*(?<!/)>.*?</\1>", re.DOTALL)
_BREAK = re.compile(r"</?(?:l|lb|lg|div|milestone|chapter)\b[^>]*>")
_TAG = re.compile(r"<[^>]*>")
_SIGNS = str.maketrans("", "", "¶\\")  # that stand for the beginning of a paragraph
_CHAPTER = re.compile(r'<chapter\b[^>]*\bosisID="([^"]+)"')


def read_verses(index: bytes, verses: bytes, packed: bytes, where: str = "zText") -> list[str]:
    """The entries of a testament, in OSIS: introductions, the heads of chapters, and verses, in the order of their numbering.

    Args:
        index: the file of blocks, ``.bzs``.
        verses: that of entries, ``.bzv``.
        packed: that of text, ``.bzz``.
        where: what an error calls it.

    Raises:
        DataError: they do not fit together.

    Example:
        >>> text = zlib.compress(b"In the beginning")
        >>> read_verses(_BLOCK.pack(0, len(text), 16), _VERSE.pack(0, 0, 0) + _VERSE.pack(0, 7, 9), text)
        ['', 'beginning']
    """
    try:
        blocks = [zlib.decompress(packed[start : start + size]) for start, size, _ in _BLOCK.iter_unpack(index)]
        return [
            blocks[block][start : start + size].decode() if size else "" for block, start, size in _VERSE.iter_unpack(verses)
        ]
    except (struct.error, zlib.error, IndexError, UnicodeDecodeError) as error:
        raise DataError("data", where, "three files of one zText module", f"others ({error})", "Install them anew") from error


def plain(osis: str) -> str:
    """A verse without markup, notes, titles and signs of paragraphs.

    Example:
        >>> plain('<title>A Psalm</title>The <w lemma="strong:H3068">LORD</w><note>or, Jehovah</note> is<lb/>my shepherd. ')
        'The LORD is my shepherd.'
    """
    return cleaned(html.unescape(_TAG.sub("", _BREAK.sub(" ", _ASIDE.sub("", osis)))).translate(_SIGNS))


def numbered(entries: Sequence[str]) -> Iterator[tuple[str, int, str]]:
    """Of each verse its chapter, its number there, and its text without marks, which may be empty.

    Example:
        >>> list(numbered(['<chapter n="1" osisID="Gen.1" sID="Gen.1"/>', "In the beginning", "And"]))
        [('Gen.1', 1, 'In the beginning'), ('Gen.1', 2, 'And')]
    """
    chapter, verse = "", 0
    for entry in entries:
        head = _CHAPTER.search(entry)
        if head:
            chapter, verse = head[1], 0
        elif chapter:
            verse += 1
            yield chapter, verse, plain(entry)


__all__ = ["numbered", "plain", "read_verses"]
