"""A walk through a folder of images: which files are images, and what else there was, in words."""

from __future__ import annotations

import difflib
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from minigrad.data.catalogue import named
from minigrad.data.partnames import part_of
from minigrad.data.passed_over import holds_runs, is_passed_over
from minigrad.data.words import counted, shown
from minigrad.errors import DataError

# fmt: off
SUFFIXES = frozenset((
    ".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".gif", ".webp", ".bmp", ".dib", ".tif", ".tiff",
    ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".avif", ".avifs", ".jp2", ".j2k", ".jpx", ".ico", ".qoi",
))
UNREAD = frozenset((
    ".heic", ".heif", ".raw", ".cr2", ".cr3", ".nef", ".arw", ".dng", ".orf", ".rw2", ".psd", ".svg", ".tga", ".jxl",
    ".exr", ".dcm", ".eps", ".pdf",
))
# fmt: on
# How the files of the common formats begin: they are images under any name.
_MAGIC = re.compile(rb"\x89PNG\r\n|\xff\xd8\xff|GIF8[79]a|II\*\0|MM\0\*|RIFF....WEBP", re.DOTALL)
_ARCHIVES = frozenset((".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"))


def natural(name: str) -> tuple[list[str | int], str]:
    """The key that sorts names as people do: 2 before 10, small and capital letters together.

    Example:
        >>> sorted(["b10", "B2", "a"], key=natural)
        ['a', 'B2', 'b10']
    """
    pieces = re.split(r"([0-9]+)", name)  # text and digits by turns, text first
    return [int(piece) if i % 2 else piece.casefold() for i, piece in enumerate(pieces)], name


class Walk:
    """One walk through a folder, and what it passes on the way.

    A derived class says what it looks for.

    Attributes:
        layout: what is expected, for errors.
        how: what to do where something else is there.
        folder: the folder to name, in words.
        sought: what is looked for in it.
        kinds: of the named sets that might be meant.
        given: the path.
        others: files that are no images, by suffix.
        again: folders that links lead to a second time.
        notes: what else there was, as lines to print.
    """

    layout = how = folder = sought = ""
    kinds: tuple[str, ...] = ()

    def __init__(self, path: str) -> None:
        self.given = path
        self.others: Counter[str] = Counter()
        self.again = 0
        self.notes: list[str] = []

    def check_path(self) -> None:
        """Refuse what is no folder.

        Raises:
            DataError: says what is there instead, or what may have been meant.
        """
        path = os.path.expanduser(self.given)
        if os.path.isdir(path):
            return
        if os.path.exists(path):
            packed = os.path.splitext(path)[1].casefold() in _ARCHIVES
            remedy = "Unpack it, and name the folder" if packed else f"Name {self.folder}. {self.how}"
            raise DataError("data", shown(self.given), self.layout, "a packed archive" if packed else "a file", remedy)
        expected = f"{self.layout}, or one of the named sets {', '.join(named(*self.kinds))}"
        raise DataError("data", shown(self.given), expected, "nothing of that name", _nearest(self.given, self.kinds))

    def descend(self, path: str) -> str:
        """The folder itself, or the one below it where it holds nothing but one folder of folders, and so on."""
        given, seen = path, set()
        while True:
            folders, direct = self.entries(path, count=False)
            if len(folders) != 1 or direct or part_of(folders[0]) is not None or os.path.realpath(path) in seen:
                break
            seen.add(os.path.realpath(path))
            below = os.path.join(path, folders[0])
            inner, images = self.entries(below, count=False)
            if images or not inner:
                break
            path = below
        if path != given:
            self.notes.append(f"{self.sought} are looked for in {shown(path)}, the only folder there")
        return path

    # ------------------------------------------------------------------ the walk

    def entries(self, path: str, count: bool = True) -> tuple[list[str], list[str]]:
        """The names of a folder's folders and of its images; other files are counted."""
        folders, images = [], []
        try:
            with os.scandir(path) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    if is_passed_over(entry.name):
                        continue
                    kind = _kind(entry)
                    if kind == "folder":
                        if not holds_runs(entry.path):
                            folders.append(entry.name)
                    elif kind == "file" and is_image(entry.path):
                        images.append(entry.name)
                    elif count:
                        self.others[os.path.splitext(entry.name)[1].casefold()] += 1
        except OSError as error:
            got = "one that may not" if isinstance(error, PermissionError) else shown(error.strerror)
            raise DataError("data", shown(path), "a folder that may be read", got, "Mend its permissions") from None
        return folders, images

    def below(self, folder: str, count: bool = True) -> list[str]:
        """The images in a folder and in all folders below it. A folder that links make come again is gone through once."""
        found: list[str] = []
        # A link to a folder that holds this one would bring in the images of all other folders.
        seen = {str(above) for start in (folder, os.path.dirname(folder)) for above in Path(os.path.realpath(start)).parents}
        seen.add(os.path.realpath(os.path.dirname(folder)))
        waiting = [folder]
        while waiting:
            path = waiting.pop()
            real = os.path.realpath(path)
            if real in seen:
                self.again += count
                continue
            seen.add(real)
            folders, images = self.entries(path, count)
            found.extend(os.path.join(path, name) for name in images)
            waiting.extend(os.path.join(path, name) for name in folders)
        return found

    # ------------------------------------------------------------------ what else there was

    def instead(self, folders: Sequence[str]) -> str:
        """What there was in place of images; of these folders none has any."""
        held = f"{len(folders):,} folders without images" if folders else "no folders and no images"
        return held + (f", and {self.others_in_words()}" if self.others else "")

    def others_in_words(self) -> str:
        """How many other files there were, and of which kinds."""
        kinds = ", ".join(f"{number:,} {shown(suffix) or 'without suffix'}" for suffix, number in self.others.most_common(5))
        return f"{counted(sum(self.others.values()), 'other file')} ({kinds}{', ...' if len(self.others) > 5 else ''})"

    def unread(self) -> str:
        """What to do about image formats that are not read, if there are any."""
        kinds = sorted(self.others.keys() & UNREAD)
        return f"{', '.join(kinds)} files are not read: save them as JPEG or PNG" if kinds else ""

    def note_others(self) -> None:
        """Say what was left out."""
        if self.others:
            unread = self.unread()
            self.notes.append(f"{self.others_in_words()} left out: no images that are read" + (f". {unread}" if unread else ""))
        if self.again:
            self.notes.append(f"{counted(self.again, 'folder')} that links lead to a second time left out")


def is_image(path: str) -> bool:
    """Whether a file is one of the images: by its suffix, else by how it begins.

    Example:
        >>> is_image("a.JPG"), is_image("notes.txt")
        (True, False)
    """
    if os.path.splitext(path)[1].casefold() in SUFFIXES:
        return True
    if not os.path.isfile(path):  # a pipe would never end
        return False
    try:
        with open(path, "rb") as file:
            return bool(_MAGIC.match(file.read(16)))
    except OSError:
        return False


def _kind(entry: os.DirEntry[str]) -> str:
    """``"folder"``, ``"file"`` or ``"other"``. A link that leads nowhere is a file: reading it will say so."""
    try:
        if entry.is_dir():
            return "folder"
        return "file" if entry.is_file() or (entry.is_symlink() and not os.path.exists(entry.path)) else "other"
    except OSError:
        return "file"


def _nearest(path: str, kinds: Sequence[str]) -> str:
    """What a path that is not there may have meant."""
    sets = [] if os.sep in path else difflib.get_close_matches(path.casefold(), named(*kinds), n=1)
    if sets:
        return f"The named set closest to it is {sets[0]}"
    folder, name = os.path.split(os.path.abspath(os.path.expanduser(path)))
    while not os.path.isdir(folder):
        folder, name = os.path.split(folder)
    try:
        folded = {other.casefold(): other for other in os.listdir(folder)}
    except OSError:
        folded = {}
    close = difflib.get_close_matches(name.casefold(), folded, n=1)
    if close:
        return f"The name closest to it is {shown(os.path.join(folder, folded[close[0]]))}"
    return f"Check the path: there is no {shown(name)} in {shown(folder)}"


__all__ = ["SUFFIXES", "UNREAD", "Walk", "is_image", "natural"]
