"""A folder with one sub-folder a class: which files are images, of which class, and of which part of the data."""

from __future__ import annotations

import difflib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from minigrad.data.decode import shown
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
PARTS = {"train": "train", "training": "train", "test": "test", "testing": "test"}
PARTS |= dict.fromkeys(("val", "valid", "validation"), "validation")
_IGNORED = frozenset(("__macosx", "thumbs.db", "desktop.ini", "@eadir", "lost+found", "$recycle.bin"))
# How the files of the common formats begin: they are images under any name.
_MAGIC = re.compile(rb"\x89PNG\r\n|\xff\xd8\xff|GIF8[79]a|II\*\0|MM\0\*|RIFF....WEBP", re.DOTALL)
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


def is_passed_over(name: str) -> bool:
    """Whether a file or folder of that name is hidden, or one of those that systems leave behind.

    Example:
        >>> is_passed_over("Thumbs.db"), is_passed_over(".DS_Store"), is_passed_over("cat.png")
        (True, True, False)
    """
    return name.startswith(".") or name.casefold() in _IGNORED


def find_images(path: str) -> ImageFolder:
    """The classes, parts and images of a folder.

    Below a class, folders may be nested in any way. Hidden files are passed over; what else is no image is counted in the
    notes. No file is decoded here.

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
        self.loops: list[str] = []
        self.notes: list[str] = []

    def laid_out(self) -> Layout:
        self._check_path()
        top = self._descend(self.given)
        folders, direct = self._entries(top)
        parts = self._parts(top, folders)
        if parts is None:
            parts = {"train": top}
            if direct:
                if not folders:
                    raise DataError("data", shown(top), _LAYOUT, f"{len(direct):,} images in the folder itself", _HOW)
                self.notes.append(
                    f"{_files(len(direct), 'image')} beside the class folders left out: no folder names their class"
                )
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
        path = self.given
        if os.path.isdir(path):
            return
        if os.path.exists(path):
            remedy = f"Name the folder that holds the class folders. {_HOW}"
            raise DataError("data", shown(path), _LAYOUT, "a file", remedy)
        raise DataError("data", shown(path), _LAYOUT, "nothing of that name", _nearest(path))

    def _descend(self, path: str) -> str:
        """The folder itself, or the one below it where it holds nothing but one folder of folders, and so on."""
        seen = set()
        while True:
            folders, direct = self._entries(path, count=False)
            if len(folders) != 1 or direct or os.path.realpath(path) in seen:
                break
            seen.add(os.path.realpath(path))
            (only,) = folders
            inner, images = self._entries(os.path.join(path, only), count=False)
            if images or not inner or _part_of(only) is not None:
                break
            path = os.path.join(path, only)
        if path != self.given:
            self.notes.append(f"the classes are looked for in {shown(path)}, the only folder there")
        return path

    def _parts(self, top: str, folders: Sequence[str]) -> dict[str, str] | None:
        """The folders of the parts, where there are such; a folder of that name that holds images directly is a class."""
        found: dict[str, str] = {}
        named = [name for name in folders if _part_of(name) is not None]
        flat = {name: self._entries(os.path.join(top, name), count=False) for name in named}
        split = [name for name in named if flat[name][0] and not flat[name][1]]
        others = [name for name in folders if name not in named]
        if not any(_part_of(name) == "train" for name in split) or (others and len(split) < 2):
            return None
        for name in sorted(named):
            part = str(_part_of(name))
            if name not in split:
                self.notes.append(f"{shown(name)}/ left out: its images lie in no class folders")
                continue
            if part in found:
                both = f"{shown(os.path.basename(found[part]))}/ and {shown(name)}/"
                raise DataError("data", shown(top), f"one folder of {part} images", both, "Put them into one folder")
            found[part] = os.path.join(top, name)
        self.notes.extend(f"{shown(name)}/ left out: it is neither train/, val/ nor test/" for name in sorted(others))
        return found

    def _classes(self, folder: str, top: str) -> dict[str, list[str]]:
        """The image files of each class of a part."""
        names, _ = self._entries(folder, count=folder != top)
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
                raise DataError("data", shown(parts[part]), f"the {len(train)} classes of train", ", ".join(where), remedy)
            empty = [shown(name) for name in sorted(found, key=natural) if not found[name]]
            if empty:
                remedy = "Put images there, or remove the folder"
                got = f"none in {', '.join(empty)}" + (f" ({self._unread()})" if self._unread() else "")
                raise DataError("data", shown(parts[part]), "images in every class folder", got, remedy)
        if len(classes) == 1:
            remedy = f"A classifier tells classes apart. {_HOW}"
            raise DataError("data", shown(parts["train"]), "at least 2 class folders", f"one, {shown(classes[0])}", remedy)
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
                    if entry.is_dir():
                        folders.append(entry.name)
                    elif is_image(entry.path):
                        images.append(entry.name)
                    elif count:
                        self.others[os.path.splitext(entry.name)[1].casefold()] += 1
        except PermissionError:
            raise DataError(
                "data", shown(path), "a folder that may be read", "one that may not", "Mend its permissions"
            ) from None
        except OSError as error:
            raise DataError("data", shown(path), "a folder that can be read", shown(error), "Mend that") from error
        return folders, images

    def _below(self, folder: str) -> list[str]:
        """The images in a folder and in all folders below it. A folder that links make come again is gone through once."""
        found: list[str] = []
        seen = set()
        waiting = [folder]
        while waiting:
            path = waiting.pop()
            status = os.stat(path)
            if (status.st_dev, status.st_ino) in seen:
                self.loops.append(path)
                continue
            seen.add((status.st_dev, status.st_ino))
            folders, images = self._entries(path)
            found.extend(os.path.join(path, name) for name in images)
            waiting.extend(os.path.join(path, name) for name in folders)
        return found

    # ------------------------------------------------------------------ what else there was

    def _instead(self, folders: Sequence[str]) -> str:
        held = f"{len(folders):,} folders without images" if folders else "no folders and no images"
        return held + (f", and {self._listed()}" if self.others else "")

    def _listed(self) -> str:
        kinds = ", ".join(f"{number:,} {shown(suffix) or 'without suffix'}" for suffix, number in self.others.most_common(5))
        return f"{_files(sum(self.others.values()), 'other file')} ({kinds}{', ...' if len(self.others) > 5 else ''})"

    def _unread(self) -> str:
        """What to do about image formats that are not read, if there are any."""
        kinds = sorted(self.others.keys() & UNREAD)
        return f"{', '.join(kinds)} files are not read: save them as JPEG or PNG" if kinds else ""

    def _note_others(self) -> None:
        if self.others:
            unread = self._unread()
            self.notes.append(f"{self._listed()} left out: no images that are read" + (f". {unread}" if unread else ""))
        if self.loops:
            self.notes.append(f"{_files(len(self.loops), 'link')} to folders that had been gone through left out")


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


def _part_of(name: str) -> str | None:
    return PARTS.get(name.casefold())


def _files(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _nearest(path: str) -> str:
    """What a path that is not there may have meant."""
    folder, name = os.path.split(os.path.abspath(path))
    while not os.path.isdir(folder):
        folder, name = os.path.split(folder)
    try:
        names = os.listdir(folder)
    except OSError:
        names = []
    folded = {other.casefold(): other for other in names}
    close = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.5)
    if close:
        return f"Did you mean {shown(os.path.join(folder, folded[close[0]]))}?".rstrip("?")
    return f"Check the path; {shown(folder)} has no {shown(name)}"
