"""Which files a corpus is made of: one file, or those of a folder; and which of them are of which part."""

from __future__ import annotations

import codecs
import difflib
import fnmatch
import io
import os
import stat
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from minigrad.data.partnames import likely_part, part_of
from minigrad.data.passed_over import holds_runs, is_passed_over
from minigrad.data.walk import natural
from minigrad.data.words import counted, listed, shown
from minigrad.errors import DataError

HEAD = 8192  # bytes by which a file is judged: where one of them is 0, it is no text, as git has it
_MARKS = {  # the first that fits: UTF-32 begins as UTF-16 does
    "UTF-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),
    "UTF-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
}
_UNMARKED = ("UTF-32LE", "UTF-32BE", "UTF-16LE", "UTF-16BE")
NARROW = 0.05  # of the characters of a text in whatever language are below U+0100, if only blanks and line ends
_EXPECTED = "a file of text, or a folder of such files"
BESIDE = ("readme", "license", "licence", "copying", "citation")  # files that are no part of a corpus which lies beside them


class TextFile(NamedTuple):
    """A file of a corpus.

    Attributes:
        name: what a person calls it: its path below the folder.
        path: where it is; empty where the text is not a file of its own.
        size: its bytes.
        part: "train", "validation" or "test" where its place tells; else empty.
        content: its bytes, where it is no file.
    """

    name: str
    path: str
    size: int
    part: str = ""
    content: bytes = b""

    def open(self) -> BinaryIO:
        """Its bytes, from the first.

        Raises:
            DataError: it cannot be read.
        """
        if not self.path:
            return io.BytesIO(self.content)
        try:
            return open(self.path, "rb")
        except OSError as error:
            raise unreadable(self.name, error) from error


class Found(NamedTuple):
    """The files of a corpus in natural order; and what else there was: those outside its parts, binary and empty ones, and
    those to which two places led."""

    files: list[TextFile]
    outside: tuple[str, ...] = ()
    binary: tuple[TextFile, ...] = ()
    empty: tuple[str, ...] = ()
    again: tuple[str, ...] = ()

    def notes(self) -> list[str]:
        """Lines that say what was left out."""
        binary = [file.name for file in self.binary]
        told = [
            (self.outside, f"of no part: {listed(self.outside)}"),
            (binary, f"{counted(len(binary), 'binary file')}: {listed(binary)}"),
            (self.empty, f"{counted(len(self.empty), 'empty file')}: {listed(self.empty)}"),
            (self.again, f"{counted(len(self.again), 'file')} that another place has given: {listed(self.again)}"),
        ]
        return [f"left out: {words}" for names, words in told if names]


def find_text(
    data: str, glob: str | None = None, *, bytes: bool = False, named: Sequence[str] = (), tolerant: bool = False
) -> Found:
    """The files of text that a path leads to.

    A folder is gone through with all folders below it. Hidden files, run folders and empty files are passed over, and so are
    binary files where no ``glob`` asks for them. A folder train beside one of validation (or val, valid) or test is a part, as
    they are; so are files such as ``ptb.train.txt`` and ``ptb.valid.txt`` where there are no others.

    Args:
        data: a file or a folder.
        glob: patterns of names, ``"*.py"`` or ``"*.py,*.pyi"``; one with a ``/`` is held against the path below the folder.
        bytes: whether any bytes will do.
        named: the names of sets, for the message where nothing is found.
        tolerant: take note of files that are no text, and refuse none.

    Raises:
        DataError: there is no such thing, or no text in it.

    Example:
        >>> os.makedirs("poems/old")
        >>> for name in ("poems/b.txt", "poems/old/a.txt"):
        ...     _ = Path(name).write_text("Roses are red")
        >>> [file.name for file in find_text("poems").files]
        ['b.txt', 'old/a.txt']
    """
    path = os.path.expanduser(data)
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:
        if os.path.lexists(path):
            raise unreadable(data, error) from error
        expected = f"{_EXPECTED}, or one of the named sets {', '.join(named)}" if named else _EXPECTED
        raise DataError("data", shown(data), expected, "nothing of that name", _nearest(data, named)) from error
    if stat.S_ISDIR(mode):
        return _Walk(path, data, glob, bytes, tolerant).found()
    if not stat.S_ISREG(mode):
        raise DataError("data", shown(data), _EXPECTED, "neither", "Write what it gives to a file first")
    if glob is not None:
        raise DataError("data", shown(data), "a folder, as a glob is given", "a file", "Leave the glob out, or name the folder")
    file = TextFile(shown(os.path.basename(path)), path, os.path.getsize(path))
    if not file.size:
        raise DataError("data", shown(data), "a file of text", "an empty file", "Name another file")
    if not bytes and is_binary(file):
        if tolerant:
            return Found([], binary=(file,))
        raise binary(data)
    return Found([file])


def wide_encoding(head: bytes) -> str | None:
    """UTF-16 or UTF-32, as iconv calls it, where bytes at the beginning of a file are text in one of them, marked or not.

    Example:
        >>> [wide_encoding(head) for head in ("mark".encode("utf-16"), "none".encode("utf-16-le"), b"text", b"GIF89a\\0")]
        ['UTF-16', 'UTF-16LE', None, None]
    """
    marked = next((name for name, marks in _MARKS.items() if head.startswith(marks)), None)
    if marked is not None or b"\0" not in head:
        return marked
    for name in _UNMARKED:
        try:
            text = codecs.getincrementaldecoder(name)().decode(head)  # which leaves out half a character at the end
        except UnicodeDecodeError:
            continue
        narrow = sum(character < "\u0100" for character in text)
        if narrow >= max(2, NARROW * len(text)) and "".join(text.split()).isprintable():
            return name
    return None


def is_binary(file: TextFile) -> bool:
    """Whether a file holds something else than text: a byte of 0 near its beginning; UTF-16 is told apart when it is read.

    Raises:
        DataError: it cannot be read.
    """
    with file.open() as content:
        head = content.read(HEAD)
    return b"\0" in head and wide_encoding(head) is None


def binary(name: str, *, instead: str = "; to learn from the bytes as they are, --bytes") -> DataError:
    """The error for a file that is no text; ``instead`` says what else can be done with it."""
    remedy = f"Name a file of text{instead}"
    return DataError("data", shown(name), "text", "a binary file (it holds bytes of 0)", remedy)


def wide(name: str, encoding: str) -> DataError:
    """The error for a text in UTF-16 or UTF-32."""
    remedy = f"Save it as UTF-8: iconv -f {encoding} -t UTF-8 {shown(name)}"
    return DataError("data", shown(name), "text in UTF-8", encoding, remedy)


def unreadable(name: str, error: Exception) -> DataError:
    """The error for a file that the system does not hand over."""
    got = getattr(error, "strerror", None) or str(error)
    return DataError("data", shown(name), "a file that can be read", got, "Mend its permissions, or leave it out")


class _Walk:
    """One walk through a folder, and what it passes on the way."""

    def __init__(self, path: str, given: str, glob: str | None, bytes: bool, tolerant: bool) -> None:
        self.path, self.given, self.bytes, self.tolerant = path, given, bytes, tolerant
        self.patterns = [pattern.strip() for pattern in (glob or "").split(",") if pattern.strip()]
        self.others: Counter[str] = Counter()
        self.binary: list[TextFile] = []
        self.empty: list[str] = []

    def found(self) -> Found:
        files = [file for file in self._files() if self._is_text(file)]
        if not files and not (self.tolerant and self.patterns and self.binary):
            raise self._nothing()
        files.sort(key=lambda file: natural(file.name))
        files, outside = in_parts(files)
        return Found(files, tuple(outside), tuple(self.binary), tuple(self.empty))

    def _files(self) -> list[TextFile]:
        """All files of the folder and of those below it that the patterns take.

        A folder that links repeat is seen once, under its own name where that is below the folder too. A link that leads up,
        to a folder in which this one lies, is not followed: what lies there is no part of the corpus.
        """
        top = os.path.realpath(self.path)
        found: list[TextFile] = []
        seen: set[str] = set()
        waiting, linked = [self.path], list[str]()
        while waiting or linked:
            folder = waiting.pop() if waiting else linked.pop()
            real = os.path.realpath(folder)
            if real in seen or (real != top and top.startswith(os.path.join(real, ""))):
                continue
            seen.add(real)
            for entry in self._entries(folder):
                kind = _kind(entry)
                if kind == "folder":
                    (linked if entry.is_symlink() else waiting).append(entry.path)
                elif kind == "file" and self._is_asked_for(entry.path):
                    name = shown(os.path.relpath(entry.path, self.path).replace(os.sep, "/"))
                    found.append(TextFile(name, entry.path, entry.stat().st_size))
                elif kind:
                    self.others[os.path.splitext(entry.name)[1].casefold()] += 1
        return found

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                return sorted(entries, key=lambda entry: entry.name, reverse=True)
        except OSError as error:
            raise unreadable(folder, error) from error

    def _is_asked_for(self, path: str) -> bool:
        below = os.path.relpath(path, self.path).replace(os.sep, "/")
        name = os.path.basename(path)
        matches = (fnmatch.fnmatchcase(below if "/" in pattern else name, pattern) for pattern in self.patterns)
        return not self.patterns or any(matches)

    def _is_text(self, file: TextFile) -> bool:
        if not file.size:
            self.empty.append(file.name)
            return False
        try:
            text = self.bytes or not is_binary(file)
        except DataError:
            if not self.tolerant:
                raise
            return True  # who reads it will say what is wrong with it
        if text:
            return True
        if self.patterns and not self.tolerant:
            raise binary(file.path)
        self.binary.append(file)
        return False

    def _nothing(self) -> DataError:
        got = "none"
        if self.binary or self.empty:
            kinds = (("binary file", len(self.binary)), ("empty file", len(self.empty)))
            got = " and ".join(counted(number, kind) for kind, number in kinds if number)
        elif self.others:
            suffixes = [f"{number:,} {shown(suffix) or 'without suffix'}" for suffix, number in self.others.most_common()]
            got = f"none of that name among {counted(sum(self.others.values()), 'file')} ({listed(suffixes)})"
        expected = f"files that match {', '.join(self.patterns)}" if self.patterns else "files of text in the folder"
        return DataError(
            "data", shown(self.given), expected, got, "Name another folder" + (" or glob" if self.patterns else "")
        )


def _kind(entry: os.DirEntry[str]) -> str:
    """``"folder"``, ``"file"``, ``"other"``: a pipe, or a link that leads nowhere; or nothing for what is passed over."""
    if is_passed_over(entry.name):
        return ""
    try:
        if entry.is_dir():
            return "" if holds_runs(entry.path) else "folder"
        return "file" if entry.is_file() else "other"
    except OSError:  # links in a circle
        return "other"


def in_parts(files: Sequence[TextFile]) -> tuple[list[TextFile], list[str]]:
    """The files with their parts, where there are parts; and the names of what then belongs to none.

    Example:
        >>> files, beside = in_parts([TextFile(name, "", 1) for name in ("train/a", "valid/b", "notes/c")])
        >>> [file.part for file in files], beside
        (['train', 'validation'], ['notes'])
    """
    tops = [file.name.partition("/")[0] if "/" in file.name else "" for file in files]
    parts = {top: part for top in set(tops) if (part := part_of(top)) is not None}
    if len(set(parts.values())) > 1 and "train" in parts.values():
        kept = [file._replace(part=parts[top]) for file, top in zip(files, tops, strict=True) if top in parts]
        others = [top or file.name for file, top in zip(files, tops, strict=True) if top not in parts]
        return kept, list(dict.fromkeys(others))
    if any(tops):
        return list(files), []
    beside = [file.name for file in files if file.name.casefold().startswith(BESIDE)]
    named = [(file, likely_part(Path(file.name).stem)) for file in files if file.name not in beside]
    found = [part for _, part in named if part is not None]
    if len(found) == len(named) == len(set(found)) > 1 and "train" in found:
        return [file._replace(part=part) for file, part in named if part is not None], beside
    return list(files), []


def _nearest(path: str, named: Sequence[str]) -> str:
    """What a path that is not there may have meant."""
    close = [] if os.sep in path else difflib.get_close_matches(path.casefold(), named, n=1)
    if close:
        return f"The named set closest to it is {close[0]}"
    folder, name = os.path.split(os.path.abspath(os.path.expanduser(path.replace("\0", ""))))
    try:
        close = difflib.get_close_matches(name, os.listdir(folder), n=1)
    except OSError:
        close = []
    return f"The name closest to it is {shown(os.path.join(folder, close[0]))}" if close else "Check the path"


__all__ = [
    "BESIDE", "HEAD", "Found", "TextFile",
    "binary", "find_text", "in_parts", "is_binary", "unreadable", "wide", "wide_encoding",
]  # fmt: skip
