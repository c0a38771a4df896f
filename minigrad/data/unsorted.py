"""A folder of images in any order: flat, nested without meaning, or with one sub-folder a class."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from minigrad.data.folder import ImageFile, ImageFolder
from minigrad.data.partnames import likely_part
from minigrad.data.walk import Walk, natural
from minigrad.data.words import counted, listed, shown
from minigrad.errors import DataError

LEAST_OF_CLASS = 8  # images of each class on average: of fewer nobody learns what a class looks like
NAMED = 5  # classes that a line names
KINDS = ("images", "pictures")  # of named sets that serve
_LAYOUT = "a folder of images"
_HOW = "Put images into it, at least some hundreds that are alike; sub-folders are looked into"


class Found(NamedTuple):
    """What lies in a folder, before it is judged.

    Attributes:
        folder: the folder that holds the images.
        images: paths of those to learn from.
        classes: of each its class; empty where there are none.
        notes: what else there was, as lines to print.
        instead: what there is in place of images.
        remedy: what to do about formats that are not read; empty where there are none.
    """

    folder: str
    images: list[str]
    classes: list[str]
    notes: list[str]
    instead: str
    remedy: str


def search(path: str) -> Found:
    """All images below a folder that are to learn from, without decoding any.

    Sub-folders that hold all the images are classes where there are several, and each has images enough. Below train/, val/
    and test/ the same is looked for; images of test/ are left alone.

    Raises:
        DataError: there is no such folder.
    """
    return _Search(path).found()


def find_gallery(path: str) -> ImageFolder:
    """The images of a folder that are to learn from, with their classes where there are any; else all are of class 0.

    Raises:
        DataError: there is no such folder, or no image in it.

    Example:
        >>> from PIL import Image
        >>> os.makedirs("album/2024")
        >>> for name in ("1", "2024/2", "2024/10"):
        ...     Image.new("L", (8, 8)).save(f"album/{name}.png")
        >>> found = find_gallery("album")
        >>> found.classes, [file.name for file in found.files]
        ((), ['1.png', '2024/2.png', '2024/10.png'])
    """
    found = search(path)
    if not found.images:
        raise DataError("data", shown(path), _LAYOUT, found.instead, found.remedy or _HOW)
    classes = sorted(set(found.classes), key=natural)
    number = {name: k for k, name in enumerate(classes)}
    labels = [number[name] for name in found.classes] if classes else [0] * len(found.images)
    files = [
        ImageFile(image, shown(os.path.relpath(image, found.folder).replace(os.sep, "/")), label, "train")
        for image, label in zip(found.images, labels, strict=True)
    ]
    return ImageFolder(found.folder, tuple(shown(name) for name in classes), files, found.notes)


class _Search(Walk):
    """A walk that takes all images, and sees whether sub-folders tell classes."""

    layout, how, folder, sought = _LAYOUT, _HOW, "the folder that holds the images", "the images"
    kinds = KINDS

    def found(self) -> Found:
        self.check_path()
        top = self.descend(os.path.expanduser(self.given))
        folders, direct = self.entries(top)
        parts = self._parts(top, folders)
        tests = [name for name in folders if parts.get(name) == "test"]
        serve = [name for name in folders if name not in tests]
        inside = {name: self.below(os.path.join(top, name)) for name in serve}
        images = [os.path.join(top, name) for name in direct] + [path for name in serve for path in inside[name]]
        images.sort(key=lambda image: natural(os.path.relpath(image, top)))
        for name in tests:
            held = len(self.below(os.path.join(top, name), count=False))
            self.notes.append(f"{shown(name)}/ left out: {counted(held, 'image')} to test on, which nobody learns from")
        # Classes are the folders below the parts, or else the folders themselves.
        roots = [name for name in serve if parts.get(name) and inside[name]] if parts else ["."]
        loose = bool(direct) or any(inside[name] for name in serve if parts and not parts.get(name))
        classes = [] if loose else self._classes(top, roots, images)
        self.note_others()
        return Found(
            top, images, classes, self.notes, self.instead([name for name in serve if not inside[name]]), self.unread()
        )

    def _parts(self, top: str, folders: Sequence[str]) -> dict[str, str | None]:
        """The part of the data that each folder holds by its name; nothing where there are no parts.

        A folder train/ alone among others is one of them: trains beside buses and cars.
        """
        parts = {name: likely_part(name) for name in folders}
        kinds = set(parts.values()) - {None}
        others = (os.path.join(top, name) for name in folders if parts[name] is None)
        if "train" not in kinds or (len(kinds) == 1 and any(self.below(path, count=False) for path in others)):
            return {}
        return parts

    def _classes(self, top: str, roots: Sequence[str], images: Sequence[str]) -> list[str]:
        """The class of each image, or nothing where folders tell none."""
        of: list[str] = []
        held: dict[str, set[str]] = {root: set() for root in roots}
        for image in images:
            steps = os.path.relpath(image, top).split(os.sep)
            root, inner = (".", steps) if list(roots) == ["."] else (steps[0], steps[1:])
            if len(inner) < 2:
                return []  # it lies beside the folders
            of.append(unicodedata.normalize("NFC", inner[0]))
            held[root].add(of[-1])
        names = sorted(set(of), key=natural)
        if len(names) < 2 or any(some != set(names) for some in held.values()):
            return []
        if len(of) < LEAST_OF_CLASS * len(names):
            few = f"{len(of) / len(names):.0f} images in each on average"
            self.notes.append(
                f"{len(names):,} sub-folders are not taken for classes: {few}, and a class wants {LEAST_OF_CLASS}"
            )
            return []
        names_shown = listed([shown(name) for name in names], NAMED)
        self.notes.append(
            f"sub-folders are taken for classes: {names_shown}. They are told apart where images are judged, and asked "
            "for where --set classes=true says so"
        )
        return of


__all__ = ["KINDS", "Found", "find_gallery", "search"]
