"""A folder with one sub-folder a class: which files are images, of which class, and of which part of the data."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from minigrad.data.partnames import likely_part, part_of
from minigrad.data.walk import Walk, natural
from minigrad.data.words import counted, listed, shown
from minigrad.errors import DataError

_LAYOUT = "a folder with one sub-folder of images for each class"
_HOW = "Put the images of each class into a folder of its own: FOLDER/cat/1.jpg, FOLDER/dog/1.jpg"


class ImageFile(NamedTuple):
    """One image of a folder: its path, what a person calls it, its class and its part of the data.

    In place of the path stand the file's contents, of one that lies in another file.
    """

    path: str | bytes
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


class _Search(Walk):
    """A walk that looks for classes, and for parts above them."""

    layout, how, folder, sought = _LAYOUT, _HOW, "the folder that holds the class folders", "the classes"
    kinds = ("images",)

    def laid_out(self) -> Layout:
        self.check_path()
        top = self.descend(os.path.expanduser(self.given))
        folders, direct = self.entries(top)
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
                remedy = self.unread() or _HOW
                raise DataError("data", shown(parts[part]), _LAYOUT, self.instead(list(images)), remedy)
        classes = self._agreed(by_class, parts)
        files = [
            ImageFile(path, shown(os.path.relpath(path, top).replace(os.sep, "/")), label, part)
            for part, found in by_class.items()
            for label, name in enumerate(classes)
            for path in sorted(found[name], key=natural)
        ]
        self.note_others()
        return ImageFolder(top, tuple(shown(name) for name in classes), files, self.notes)

    def _parts(self, top: str, folders: Sequence[str]) -> dict[str, str] | None:
        """The folder of each part, or None where the folders are classes.

        One folder of such a name among others that are none is a class: trains beside buses and cars.
        """
        named = [name for name in folders if part_of(name) is not None]
        others = [name for name in folders if name not in named and self.below(os.path.join(top, name), count=False)]
        kinds = {part_of(name) for name in named}
        if not named or (others and ("train" not in kinds or len(kinds) == 1)):
            return self._likely_parts(top, folders)
        found: dict[str, str] = {}
        for name in named:
            part, path = str(part_of(name)), os.path.join(top, name)
            inner, direct = self.entries(path, count=False)
            classes = any(self.below(os.path.join(path, below), count=False) for below in inner)
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
            path = self.descend(os.path.join(top, name))
            inner, _ = self.entries(path, count=False)
            held.append({below for below in inner if self.below(os.path.join(path, below), count=False)})
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
        names, direct = self.entries(folder, count=folder != top)
        if direct and folder != top:
            where = f"{shown(os.path.basename(folder))}/"
            self.notes.append(f"{counted(len(direct), 'image')} in {where} beside the class folders left out")
        found: dict[str, list[str]] = {}
        for name in names:
            images = self.below(os.path.join(folder, name))
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
                remedy = self.unread() or "Put images there, or remove the folder"
                raise DataError("data", shown(parts[part]), "images in every class folder", f"none in {listed(empty)}", remedy)
        if len(classes) == 1:
            remedy = f"A classifier tells classes apart. {_HOW}"
            got = f"only {shown(classes[0])}"
            raise DataError("data", shown(parts["train"]), "the folders of at least 2 classes", got, remedy)
        return classes
