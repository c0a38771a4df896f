"""A folder with one sub-folder a class: which files are images, of which class, and of which part of the data."""

from __future__ import annotations

import difflib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from minigrad.data.catalogue import named
from minigrad.data.partnames import likely_part, part_of
from minigrad.data.passed_over import holds_runs, is_passed_over
from minigrad.data.words import counted, listed, shown
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
_LAYOUT = "a folder with one sub-folder of images for each class"
_HOW = "Put the images of each class into a folder of its own: FOLDER/cat/1.jpg, FOLDER/dog/1.jpg"


class ImageFile(NamedTuple):
    """One image of a folder: its path, what a person calls it, its class and its part of the data."""

    path: str
    name: str
    label: int
    part: str


class ImageFolder(NamedTuple):
    """What a folder holds.

    Attributes:
        path: the folder that holds the classes, or the parts.
        classes: their names, in natural order: 2 before 10.
        files: the images of all parts, by class and name.
        notes: what else there was, as lines to print.
    """

    path: str
    classes: tuple[str, ...]
    files: list[ImageFile]
    notes: list[str]

    def part(self, name: str) -> list[ImageFile]:
        """The images of ``"train"``, ``"validation"`` or ``"test"``."""
        return [file for file in self.files if file.part == name]


def natural(name: str) -> tuple[list[str | int], str]:
    """The key that sorts names as people do: 2 before 10, small and capital letters together.

    Example:
        >>> sorted(["b10", "B2", "a"], key=natural)
        ['a', 'B2', 'b10']
    """
    pieces = re.split(r"([0-9]+)", name)  # text and digits by turns, text first
    return [int(piece) if i % 2 else piece.casefold() for i, piece in enumerate(pieces)], name


class Layout(NamedTuple):
    """What lies where in a folder, before it is judged.

    Attributes:
        path: the folder that holds the classes, or the parts.
        parts: part -> its folder.
        images: part -> class -> paths of images. A class may be empty, and one part may lack what another has.
    """

    path: str
    parts: dict[str, str]
    images: dict[str, dict[str, list[str]]]


def lay_out(path: str) -> Layout:
    """The parts, classes and images of a folder as they are, for one who wants to see all that is wrong with them.

    Raises:
        DataError: there is no such folder, or nothing tells what its classes are.
    """
    return _Search(path).laid_out()


def find_images(path: str) -> ImageFolder:
    """The classes, parts and images of a folder.

    Below a class, folders may be nested in any way. Hidden files are passed over, and so are run folders, which lie here when
    somebody trains on ``.``; what else is no image is counted in the notes. No file is decoded here.

    Args:
        path: the folder; where it holds but one folder, and so on, the classes are looked for there.

    Raises:
        DataError: there is no such folder, or it is not laid out by class; each message says what to do.

    Example:
        >>> from PIL import Image
        >>> for name in ("cat", "dog"):
        ...     os.makedirs(f"pets/{name}")
        ...     Image.new("L", (8, 8)).save(f"pets/{name}/1.png")
        >>> found = find_images("pets")
        >>> found.classes, [file.name for file in found.files]
        (('cat', 'dog'), ['cat/1.png', 'dog/1.png'])
    """
    return _Search(path).found()


class _Search:
    """One walk through a folder, and what it passes on the way."""

    def __init__(self, path: str) -> None:
        self.given = path
        self.others: Counter[str] = Counter()
        self.again = 0
        self.notes: list[str] = []

    def laid_out(self) -> Layout:
        self._check_path()
        top = self._descend(os.path.expanduser(self.given))
        folders, direct = self._entries(top)
        parts = self._parts(top, folders)
        if parts is None:
            parts = {"train": top}
            if direct and not folders:
                raise DataError("data", shown(top), _LAYOUT, f"{counted(len(direct), 'image')} in the folder itself", _HOW)
        if direct:
            self.notes.append(f"{counted(len(direct), 'image')} beside the folders left out: no folder names the class")
        return Layout(top, parts, {part: self._classes(folder, top) for part, folder in parts.items()})

    def found(self) -> ImageFolder:
        top, parts, by_class = self.laid_out()
        for part, images in by_class.items():
            if not any(images.values()):
                remedy = self._unread() or _HOW
                raise DataError("data", shown(parts[part]), _LAYOUT, self._instead(list(images)), remedy)
        classes = self._agreed(by_class, parts)
        files = [
            ImageFile(path, shown(os.path.relpath(path, top).replace(os.sep, "/")), label, part)
            for part, found in by_class.items()
            for label, name in enumerate(classes)
            for path in sorted(found[name], key=natural)
        ]
        self._note_others()
        return ImageFolder(top, tuple(shown(name) for name in classes), files, self.notes)

    # ------------------------------------------------------------------ where the classes are

    def _check_path(self) -> None:
        path = os.path.expanduser(self.given)
        if os.path.isdir(path):
            return
        if os.path.exists(path):
            packed = os.path.splitext(path)[1].casefold() in _ARCHIVES
            remedy = "Unpack it, and name the folder" if packed else f"Name the folder that holds the class folders. {_HOW}"
            raise DataError("data", shown(self.given), _LAYOUT, "a packed archive" if packed else "a file", remedy)
        expected = f"{_LAYOUT}, or one of the named sets {', '.join(named('images'))}"
        raise DataError("data", shown(self.given), expected, "nothing of that name", _nearest(self.given))

    def _descend(self, path: str) -> str:
        """The folder itself, or the one below it where it holds nothing but one folder of folders, and so on."""
        given, seen = path, set()
        while True:
            folders, direct = self._entries(path, count=False)
            if len(folders) != 1 or direct or part_of(folders[0]) is not None or os.path.realpath(path) in seen:
                break
            seen.add(os.path.realpath(path))
            below = os.path.join(path, folders[0])
            inner, images = self._entries(below, count=False)
            if images or not inner:
                break
            path = below
        if path != given:
            self.notes.append(f"the classes are looked for in {shown(path)}, the only folder there")
        return path

    def _parts(self, top: str, folders: Sequence[str]) -> dict[str, str] | None:
        """The folder of each part, or None where the folders are classes.

        One folder of such a name among others that are none is a class: trains beside buses and cars.
        """
        named = [name for name in folders if part_of(name) is not None]
        others = [name for name in folders if name not in named and self._below(os.path.join(top, name), count=False)]
        kinds = {part_of(name) for name in named}
        if not named or (others and ("train" not in kinds or len(kinds) == 1)):
            return self._likely_parts(top, folders)
        found: dict[str, str] = {}
        for name in named:
            part, path = str(part_of(name)), os.path.join(top, name)
            inner, direct = self._entries(path, count=False)
            classes = any(self._below(os.path.join(path, below), count=False) for below in inner)
            if classes and part in found:
                got = f"{shown(os.path.basename(found[part]))}/ and {shown(name)}/"
                raise DataError("data", shown(top), f"one folder of {part} images", got, "Put their images into one")
            if classes:
                found[part] = path
            elif part == "train":
                got = f"{counted(len(direct), 'image')} in the folder itself" if direct else "no images"
                raise DataError("data", shown(path), _LAYOUT, got, _HOW.replace("FOLDER", f"FOLDER/{shown(name)}"))
            else:
                self.notes.append(f"{shown(name)}/ left out: no folders in it name the classes of its images")
        if "train" not in found:
            got = " and ".join(f"{shown(name)}/" for name in named)
            remedy = f"Name the folder itself: {shown(os.path.join(self.given, named[0]))}"
            raise DataError("data", shown(top), "a folder train/", f"only {got}", remedy)
        self.notes.extend(f"{shown(name)}/ left out: it is none of train/, val/ and test/" for name in others)
        return found

    def _likely_parts(self, top: str, folders: Sequence[str]) -> dict[str, str] | None:
        """The parts where longer names tell them, training_set and test_set, and the same class folders lie in each."""
        found: dict[str, str] = {}
        held: list[set[str]] = []
        said, notes = len(self.notes), []
        for name in folders:
            part = likely_part(name)
            if part is None:
                continue
            path = self._descend(os.path.join(top, name))
            inner, _ = self._entries(path, count=False)
            held.append({below for below in inner if self._below(os.path.join(path, below), count=False)})
            notes.append(f"{shown(name)}/ is taken for the {part} part: its name says so, and it holds the same class folders")
            if part in found:
                break
            found[part] = path
        if len(held) != len(found) or "train" not in found or len(found) == 1 or not set.intersection(*held):
            del self.notes[said:]
            return None
        notes += [f"{shown(name)}/ left out: it is no such part" for name in folders if likely_part(name) is None]
        self.notes += notes
        return found

    def _classes(self, folder: str, top: str) -> dict[str, list[str]]:
        """The image files of each class of a part."""
        names, direct = self._entries(folder, count=folder != top)
        if direct and folder != top:
            where = f"{shown(os.path.basename(folder))}/"
            self.notes.append(f"{counted(len(direct), 'image')} in {where} beside the class folders left out")
        found: dict[str, list[str]] = {}
        for name in names:
            images = self._below(os.path.join(folder, name))
            found.setdefault(unicodedata.normalize("NFC", name), []).extend(images)
        return found

    def _agreed(self, by_class: dict[str, dict[str, list[str]]], parts: dict[str, str]) -> list[str]:
        """The class names, in order, after a look at whether they make sense."""
        train = by_class["train"]
        classes = sorted(train, key=natural)
        for part, found in by_class.items():
            odd = sorted(train.keys() ^ found.keys(), key=natural)
            if odd:
                where = [
                    f"{shown(name)} only in {os.path.basename(parts['train' if name in train else part])}/" for name in odd
                ]
                remedy = "Give both the same class folders, in the same letter case"
                expected = f"the {len(train):,} classes of {shown(os.path.basename(parts['train']))}/"
                raise DataError("data", shown(parts[part]), expected, listed(where), remedy)
            empty = [shown(name) for name in sorted(found, key=natural) if not found[name]]
            if empty:
                remedy = self._unread() or "Put images there, or remove the folder"
                raise DataError("data", shown(parts[part]), "images in every class folder", f"none in {listed(empty)}", remedy)
        if len(classes) == 1:
            remedy = f"A classifier tells classes apart. {_HOW}"
            got = f"only {shown(classes[0])}"
            raise DataError("data", shown(parts["train"]), "the folders of at least 2 classes", got, remedy)
        return classes

    # ------------------------------------------------------------------ the walk

    def _entries(self, path: str, count: bool = True) -> tuple[list[str], list[str]]:
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

    def _below(self, folder: str, count: bool = True) -> list[str]:
        """The images in a folder and in all folders below it. A folder that links make come again is gone through once."""
        found: list[str] = []
        # A link to a folder that holds this one would bring in the images of all other classes.
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
            folders, images = self._entries(path, count)
            found.extend(os.path.join(path, name) for name in images)
            waiting.extend(os.path.join(path, name) for name in folders)
        return found

    # ------------------------------------------------------------------ what else there was

    def _instead(self, folders: Sequence[str]) -> str:
        held = f"{len(folders):,} folders without images" if folders else "no folders and no images"
        return held + (f", and {self._listed()}" if self.others else "")

    def _listed(self) -> str:
        kinds = ", ".join(f"{number:,} {shown(suffix) or 'without suffix'}" for suffix, number in self.others.most_common(5))
        return f"{counted(sum(self.others.values()), 'other file')} ({kinds}{', ...' if len(self.others) > 5 else ''})"

    def _unread(self) -> str:
        """What to do about image formats that are not read, if there are any."""
        kinds = sorted(self.others.keys() & UNREAD)
        return f"{', '.join(kinds)} files are not read: save them as JPEG or PNG" if kinds else ""

    def _note_others(self) -> None:
        if self.others:
            unread = self._unread()
            self.notes.append(f"{self._listed()} left out: no images that are read" + (f". {unread}" if unread else ""))
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


def _nearest(path: str) -> str:
    """What a path that is not there may have meant."""
    sets = [] if os.sep in path else difflib.get_close_matches(path.casefold(), named("images"), n=1)
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
