"""A first look through a corpus: how often each character comes in each stretch of it, and what its files are."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from minigrad.data.characters import Characters
from minigrad.data.textfiles import TextFile
from minigrad.data.textread import Oddities, changed, read_codes

Progress = Callable[[str, int, int], None]
_MOST = 0x110000  # code points
_NEAR = 1 << 16  # bytes, at most, in which a line's end is looked for
_WIDEST = 4  # bytes of a character of UTF-8


class Stretch(NamedTuple):
    """A range of bytes of a file: the whole, or what a cut leaves on one side."""

    file: TextFile
    start: int
    stop: int
    part: str = ""


class Scanned(NamedTuple):
    """What is known of a stretch.

    Attributes:
        stretch: which.
        length: its characters.
        codes, counts: the characters that come, and how often each does.
        digest: sha256 of the file up to its end: of the whole file, where it is the last of it.
        odd: what is odd about its encoding.
    """

    stretch: Stretch
    length: int
    codes: np.ndarray
    counts: np.ndarray
    digest: bytes
    odd: Oddities


def whole(files: Iterable[TextFile]) -> list[Stretch]:
    """Files uncut.

    Example:
        >>> whole([TextFile("a.txt", "", 5, content=b"Hello")])[0].stop
        5
    """
    return [Stretch(file, 0, file.size, file.part) for file in files]


def cut(file: TextFile, share: float) -> list[Stretch]:
    """A file in two: what is learned from, and about that share of it for validation.

    The second begins with a line where one begins near enough: where neither side becomes smaller or larger by more than half
    of the smaller one. Else it begins with a word, and where no blank is near either, with a character.

    Example:
        >>> text = b"To be, or not to be,\\nthat is the question:\\n"
        >>> [(part.start, part.stop, part.part) for part in cut(TextFile("a.txt", "", len(text), content=text), 0.4)]
        [(0, 21, 'train'), (21, 43, 'validation')]
    """
    target = int(file.size * (1 - share))
    reach = min(_NEAR, min(target, file.size - target) // 2)
    with file.open() as content:
        content.seek(target - reach)
        around = content.read(2 * reach + _WIDEST)
    before, after = around[:reach], around[reach:]
    near = after[: min(reach, file.size - 1 - target)]  # what ends the file has nothing behind it
    place = target
    for sign in (b"\n", b" "):
        ends = [target - reach + before.rfind(sign) + 1] if sign in before else []
        ends += [target + near.find(sign) + 1] if sign in near else []
        if ends:
            place = min(ends, key=lambda end: abs(end - target))
            break
    else:
        for byte in after[: _WIDEST - 1]:
            if byte & 0xC0 != 0x80:
                break
            place += 1  # within a character of UTF-8
    return [Stretch(file, 0, place, "train"), Stretch(file, place, file.size, "validation")]


def beginning(stretch: Stretch) -> str:
    """What a stretch that does not begin with its file begins with: a line, a word, or a character.

    Example:
        >>> beginning(Stretch(TextFile("a.txt", "", 5, content=b"to be"), 3, 5))
        'word'
    """
    with stretch.file.open() as content:
        content.seek(stretch.start - 1)
        return {b"\n": "line", b" ": "word"}.get(content.read(1), "character")


def scan(stretches: Sequence[Stretch], *, bytes: bool, progress: Progress | None = None) -> list[Scanned]:
    """Read each stretch once.

    Args:
        stretches: those of a file follow each other.
        bytes: whether the files are read as bytes.
        progress: called as ``progress(doing, done, total)`` with bytes.

    Raises:
        DataError: a file cannot be read, or is no UTF-8.

    Example:
        >>> (found,) = scan(whole([TextFile("a.txt", "", 5, content=b"Hello")]), bytes=False)
        >>> found.length, dict(zip(map(chr, found.codes), found.counts.tolist()))
        (5, {'H': 1, 'e': 1, 'l': 2, 'o': 1})
    """
    saw = _Saw("reading", stretches, progress)
    table = np.zeros(256 if bytes else _MOST, np.int64)
    found: list[Scanned] = []
    for stretch in stretches:
        odd, points = Oddities(), np.zeros(0, np.int64)
        for codes in saw.read(stretch, bytes, odd):
            counts = np.bincount(codes)
            table[: len(counts)] += counts
            points = np.union1d(points, np.flatnonzero(counts))
        found.append(Scanned(stretch, int(table[points].sum()), points, table[points], saw.digest(), odd))
        table[points] = 0
    return found


def encoded(
    scanned: Sequence[Scanned], vocabulary: Characters, progress: Progress | None = None, *, skip: bool = False
) -> Iterator[np.ndarray]:
    """The numbers of stretches, one after the other, in pieces.

    Args:
        scanned: the stretches.
        vocabulary: characters that it has not become its ``unknown``,
        progress: as for ``scan``.
        skip: or are left out.

    Raises:
        DataError: a file is no longer what it was when it was scanned.

    Example:
        >>> found = scan(whole([TextFile("a.txt", "", 5, content=b"Hello")]), bytes=False)
        >>> [numbers.tolist() for numbers in encoded(found, Characters("Helo"))]
        [[0, 1, 2, 2, 3]]
    """
    saw = _Saw("encoding", [one.stretch for one in scanned], progress)
    for one in scanned:
        for codes in saw.read(one.stretch, vocabulary.kind == "bytes", Oddities()):
            numbers = vocabulary.numbers(codes)
            if numbers.size and numbers.min() < 0:
                if skip:
                    numbers = numbers[numbers >= 0]
                elif vocabulary.unknown is None:
                    raise changed(one.stretch.file.name)
                else:
                    numbers = np.where(numbers < 0, vocabulary.unknown, numbers)
            yield numbers
        if saw.digest() != one.digest:
            raise changed(one.stretch.file.name)


class _Saw:
    """Reads stretches, and keeps the digest of the file that they are of, from its beginning, and what is done."""

    def __init__(self, doing: str, stretches: Sequence[Stretch], progress: Progress | None) -> None:
        self.doing, self.progress = doing, progress
        self.done, self.total = 0, sum(stretch.stop - stretch.start for stretch in stretches)
        self.sha256 = hashlib.sha256()

    def read(self, stretch: Stretch, bytes: bool, odd: Oddities) -> Iterator[np.ndarray]:
        if stretch.start == 0:
            self.sha256 = hashlib.sha256()
        return read_codes(stretch.file, stretch.start, stretch.stop, bytes=bytes, odd=odd, saw=self._saw)

    def digest(self) -> bytes:
        return self.sha256.digest()

    def _saw(self, piece: bytes) -> None:
        self.sha256.update(piece)
        self.done += len(piece)
        if self.progress is not None:
            self.progress(self.doing, self.done, self.total)


__all__ = ["Scanned", "Stretch", "beginning", "cut", "encoded", "scan", "whole"]
