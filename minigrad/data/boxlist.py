"""What files of boxes say, before it is judged: photos, the boxes drawn on them, and what could not be read."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from minigrad.data.boxfaults import Fault
from minigrad.data.partnames import likely_part
from minigrad.data.passed_over import holds_runs, is_passed_over
from minigrad.data.walk import is_image, natural
from minigrad.data.words import shown
from minigrad.errors import DataError


class Drawn(NamedTuple):
    """A box as a file has it.

    Attributes:
        place: the file and the row.
        corners: x1, y1, x2, y2, in pixels; any numbers.
        label: the name of its class.
        ignored: nobody is to learn from it or to be judged by it: a crowd, or one marked as difficult.
        mask: what a COCO file has as its segmentation, or None.
    """

    place: str
    corners: tuple[float, float, float, float]
    label: str
    ignored: bool = False
    mask: Any = None


@dataclass
class Photo:
    """A photo and its boxes.

    Attributes:
        path: the image; or its contents, of one that lies in another file.
        name: what a person calls it.
        part: ``"train"``, ``"validation"`` or ``"test"`` where the files say; else empty.
        place: the file that names it.
        size: (width, height) where the file says; else None.
        boxes: those drawn on it.
    """

    path: str | bytes
    name: str
    part: str
    place: str
    size: tuple[int, int] | None = None
    boxes: list[Drawn] = field(default_factory=list)


@dataclass
class Listing:
    """What files of boxes say.

    Attributes:
        form: ``"Pascal VOC"``, ``"COCO"`` or ``"CSV"``.
        top: the folder.
        photos: by part and path.
        faults: what could not be read.
        notes: what else there is to say, as lines to print.
        order: the names of classes in the order of the file, where it has one.
        sources: the files of annotations.
    """

    form: str
    top: str
    photos: dict[tuple[str, str | bytes], Photo] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)

    def photo(self, path: str, part: str, place: str, size: tuple[int, int] | None = None) -> Photo:
        """The photo of that path, made where it is new."""
        found = self.photos.get((part, path))
        if found is None:
            name = shown(os.path.relpath(path, self.top).replace(os.sep, "/"))
            found = self.photos[part, path] = Photo(path, name, part, place, size)
        found.size = found.size or size
        return found

    def fault(self, kind: str, place: str, detail: str, image: str = "") -> None:
        self.faults.append(Fault(kind, shown(place), shown(image), shown(detail)))


class Files:
    """All files below a folder: images by their names, and what may be annotations.

    Attributes:
        top: the folder.
        annotations: suffix -> paths relative to it, in natural order.
        images: relative paths.
    """

    def __init__(self, top: str) -> None:
        self.top = top
        self.annotations: dict[str, list[str]] = {".xml": [], ".json": [], ".csv": [], ".txt": []}
        self.images: list[str] = []
        seen: set[str] = set()
        for folder, folders, files in os.walk(top, followlinks=True, onerror=_refuse):
            real = os.path.realpath(folder)
            if real in seen or (folder != top and holds_runs(folder)):
                folders[:] = []
                continue
            seen.add(real)
            folders[:] = sorted(name for name in folders if not is_passed_over(name))
            for name in files:
                if is_passed_over(name):
                    continue
                path = os.path.join(folder, name)
                relative = os.path.relpath(path, top).replace(os.sep, "/")
                suffix = os.path.splitext(name)[1].casefold().replace(".tsv", ".csv")
                if suffix in self.annotations:
                    self.annotations[suffix].append(relative)
                elif is_image(path):
                    self.images.append(relative)
        for names in (self.images, *self.annotations.values()):
            names.sort(key=natural)
        self._by_name: dict[str, list[str]] = {}
        self._by_stem: dict[str, list[str]] = {}
        for image in self.images:
            name = image.rpartition("/")[2]
            self._by_name.setdefault(name, []).append(image)
            self._by_stem.setdefault(name.rpartition(".")[0], []).append(image)

    def find(self, name: str, beside: str, stems: bool = False) -> str | DataError:
        """The path of an image that a file of annotations names; or the error that says why there is none.

        Args:
            name: as it stands in the file, with folders or without.
            beside: the file, relative to the top.
            stems: whether an image of that name but for its suffix serves too.
        """
        parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
        if not parts or "\0" in name:
            return DataError("data", "image", "the name of an image", repr(name))
        found = self._by_name.get(parts[-1], [])
        if not found:
            path = os.path.join(self.top, os.path.dirname(beside), name.strip())
            if os.path.isfile(path) and is_image(path):
                return os.path.normpath(path)  # outside of the folder
            found = self._by_stem.get(parts[-1].rpartition(".")[0] or parts[-1], []) if stems else []
            found = found or (self._by_stem.get(parts[-1], []) if "." not in parts[-1] else [])
        if not found:
            return DataError("data", "image", f"the image {shown(name)}", "none of that name")
        ranked = sorted(found, key=lambda image: (-_alike(image, parts), -_near(image, beside)))
        best = ranked[0]
        rivals = [other for other in ranked[1:] if _rank(other, parts, beside) == _rank(best, parts, beside)]
        if rivals:
            return DataError("data", "image", f"one image {shown(name)}", f"several: {best} and {rivals[0]}")
        return os.path.join(self.top, best)

    def stem(self, name: str, beside: str) -> str | None:
        """The path of the image whose name but for its suffix is ``name``, where there is one."""
        found = sorted(self._by_stem.get(name, []), key=lambda image: -_near(image, beside))
        return os.path.join(self.top, found[0]) if found else None


def part_named(path: str) -> str:
    """The part of the data that a file's name, or else one of its folders, speaks of; empty where none does.

    Example:
        >>> part_named("annotations/instances_val2017.json"), part_named("train/_annotations.csv"), part_named("boxes.csv")
        ('validation', 'train', '')
    """
    steps = PurePosixPath(path)
    for name in (steps.stem, *reversed(steps.parts[:-1])):
        part = likely_part(name)
        if part:
            return part
    return ""


def _alike(image: str, parts: list[str]) -> int:
    """How many steps from the end on two paths have in common."""
    common = 0
    for ours, theirs in zip(reversed(image.split("/")), reversed(parts), strict=False):
        if ours != theirs:
            break
        common += 1
    return common


def _near(image: str, beside: str) -> int:
    """How many folders from the top on two paths have in common."""
    common = os.path.commonpath([f"/{os.path.dirname(image)}", f"/{os.path.dirname(beside)}"])
    return len(PurePosixPath(common).parts)


def _rank(image: str, parts: list[str], beside: str) -> tuple[int, int]:
    return _alike(image, parts), _near(image, beside)


def _refuse(error: OSError) -> None:
    got = "one that may not" if isinstance(error, PermissionError) else shown(error.strerror)
    raise DataError("data", shown(error.filename), "a folder that may be read", got, "Mend its permissions") from None


def unlisted(files: Files, photos: Iterable[Photo]) -> list[str]:
    """The images of a folder that no annotation names."""
    known = {os.path.normpath(photo.path) for photo in photos if isinstance(photo.path, str)}
    return [image for image in files.images if os.path.normpath(os.path.join(files.top, image)) not in known]


__all__ = ["Drawn", "Files", "Listing", "Photo", "part_named", "unlisted"]
