"""Labelled images for a classifier that is trained already: of its size, and of classes that it knows."""

from __future__ import annotations

import difflib
import os
import shlex
import unicodedata
from collections.abc import Sequence

import numpy as np

from minigrad.data.decode import Shape, quiet_pictures
from minigrad.data.folder import lay_out
from minigrad.data.labelled import LabelledImages
from minigrad.data.pixels import IN_MEMORY, FilePixels, Pixels, Progress, refitted
from minigrad.data.published import Published, named_or_published
from minigrad.data.walk import natural
from minigrad.data.words import listed, shown
from minigrad.errors import DataError


def open_labelled(
    data: str | os.PathLike[str], shape: Shape, classes: Sequence[str], progress: Progress | None = None, *, crop: float = 1.0
) -> LabelledImages:
    """The labelled images of a named set, a published file or a folder: its test part where it has one, else all.

    Some of the classes are enough, and one image of a class is.

    Args:
        data: as for ``open_images``.
        shape: (C, H, W) to which the images are brought, as ``read_image`` does it.
        classes: those that the classifier knows. The labels are places in this list.
        progress: as for ``open_images``.
        crop: how much of the images of a folder is looked at, as for ``read_image``; those of a named set are taken whole.

    Raises:
        DataError: the data are not there, are not laid out by class, hold files that cannot be read, or a class that is
            not one of ``classes``.

    Example:
        >>> from PIL import Image
        >>> for name in ("cat", "dog"):
        ...     os.makedirs(f"animals/{name}")
        ...     Image.new("L", (8, 8)).save(f"animals/{name}/1.png")
        >>> open_labelled("animals", (1, 4, 4), ["bird", "cat", "dog"]).labels.tolist()
        [1, 2]
    """
    name = os.fsdecode(data)
    published = named_or_published(name, progress)
    if published is not None:
        return _of_arrays(published, shape, classes)
    with quiet_pictures():
        return _of_folder(name, shape, classes, progress, crop)


def _of_arrays(found: Published, shape: Shape, classes: Sequence[str]) -> LabelledImages:
    places = known_places(found.about, found.classes, classes)
    pixels, labels = refitted(found.arrays.test_images, shape), found.arrays.test_labels
    return LabelledImages(pixels, places[labels], classes, [f"test {i}" for i in range(len(labels))])


def _of_folder(data: str, shape: Shape, classes: Sequence[str], progress: Progress | None, crop: float) -> LabelledImages:
    top, _, by_part = lay_out(data)
    files: dict[str, list[str]] = {}
    for part in ["test"] if any(by_part.get("test", {}).values()) else by_part:
        for label, found in by_part[part].items():
            files.setdefault(shown(label), []).extend(sorted(found, key=natural))
    files = {label: files[label] for label in sorted(files, key=natural) if files[label]}
    if not files:
        expected = "a folder with one sub-folder of images for each class"
        raise DataError("data", shown(data), expected, "one without images", "Put images into the folders of their classes")
    places = known_places(data, list(files), classes)
    labels = np.repeat(places, [len(found) for found in files.values()])
    paths = [path for found in files.values() for path in found]
    names = [shown(os.path.relpath(path, top).replace(os.sep, "/")) for path in paths]
    remedy = f"`minigrad data check classify {shlex.quote(data)} --fix` sets damaged files aside"
    in_files = FilePixels(paths, names, shape, remedy, crop)
    fits = len(paths) * int(np.prod(shape)) <= IN_MEMORY
    pixels: Pixels = in_files.decoded(progress) if fits else in_files
    return LabelledImages(pixels, labels, classes, names)


def known_places(data: str, found: Sequence[str], classes: Sequence[str], model: str = "classifier") -> np.ndarray:
    """The place of each class that was found among those that a model knows.

    Raises:
        DataError: it does not know one.

    Example:
        >>> known_places("photos", ["cat"], ["bird", "cat", "dog"]).tolist()
        [1]
    """
    place = {unicodedata.normalize("NFC", name): i for i, name in enumerate(classes)}
    unknown = [name for name in found if unicodedata.normalize("NFC", name) not in place]
    if unknown:
        expected = f"the {model}'s classes, {listed(classes)}, or some of them"
        folded = {name.casefold(): name for name in classes}
        near = [folded[name] for name in difflib.get_close_matches(unknown[0].casefold(), folded, n=1)]
        remedy = f"Is {unknown[0]} what it knows as {near[0]}? Then give it that name" if near else "Take the others out"
        got = listed(unknown) + (" too" if len(unknown) < len(found) else "")
        raise DataError("data", shown(data), expected, got, remedy)
    return np.array([place[unicodedata.normalize("NFC", name)] for name in found], np.int64)
