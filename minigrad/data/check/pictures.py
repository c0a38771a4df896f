"""What a check has to know of each image: looked at once, on a few threads, and kept small."""

from __future__ import annotations

import functools
import hashlib
import io
import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from minigrad.data.check.likeness import thumbnail
from minigrad.data.decode import Look, decode, look, quiet_pictures
from minigrad.data.folder import Layout
from minigrad.data.images import ImageArrays
from minigrad.data.pixels import Progress, in_threads
from minigrad.data.policy import TINT
from minigrad.data.walk import natural
from minigrad.data.words import shown
from minigrad.errors import DataError

ORDER = ("train", "validation", "test")
LEFT = " It leaves alone what lies in linked folders."


class Place(NamedTuple):
    """Where an image belongs: its name for people, its file (empty where it has none of its own), part and class.

    ``is_link`` tells that the file is but a link to another, ``is_elsewhere`` that a linked folder leads to it: it lies in a
    folder that is not of these data, or comes a second time.
    """

    name: str
    path: str
    part: str
    label: str
    is_link: bool = False
    is_elsewhere: bool = False


class Picture(NamedTuple):
    """What is known of an image that can be read.

    ``content`` and ``pixels`` are digests of the file's bytes and of size and pixels as the reader gives them.
    """

    place: Place
    look: Look
    content: bytes
    pixels: bytes
    blank: bool
    grey: bool
    transparent: bool
    thumbnail: np.ndarray

    @property
    def name(self) -> str:
        return self.place.name


class Unread(NamedTuple):
    """A file that cannot be read: ``kind`` is "unreadable" (the system refuses), "values" or "undecodable"."""

    place: Place
    kind: str
    why: str

    @property
    def name(self) -> str:
        return self.place.name


def in_folder(given: str, layout: Layout, progress: Progress | None = None) -> Iterator[Picture | Unread]:
    """All images of a folder, by part, class and name.

    Args:
        given: the folder to which names are relative.
        layout: what lies in it.
        progress: called as ``progress(doing, done, total)``.
    """
    top = os.path.realpath(given)

    @functools.cache
    def is_elsewhere(folder: str) -> bool:
        return os.path.realpath(folder) != os.path.normpath(os.path.join(top, os.path.relpath(folder, given)))

    places = [
        Place(
            os.path.relpath(path, given).replace(os.sep, "/"), path, part, label,
            os.path.islink(path), is_elsewhere(os.path.dirname(path)),
        )
        for part in ORDER
        for label, paths in sorted(layout.images.get(part, {}).items(), key=lambda item: natural(item[0]))
        for path in sorted(paths, key=natural)
    ]  # fmt: skip
    with quiet_pictures():
        for done, picture in enumerate(in_threads(_of_file, places), 1):
            yield picture
            if progress is not None:
                progress("checking", done, len(places))


def in_arrays(
    arrays: ImageArrays, classes: tuple[str, ...], progress: Progress | None = None, names: Sequence[str] = ()
) -> Iterator[Picture]:
    """All images of a set that is held in arrays, named ``"train 0"`` and so on, or by names of the training part's own."""
    total = len(arrays.train_labels) + len(arrays.test_labels)
    parts = (("train", arrays.train_images, arrays.train_labels), ("test", arrays.test_images, arrays.test_labels))
    done = 0
    for part, images, labels in parts:
        for number, (pixels, label) in enumerate(zip(images, labels.tolist(), strict=True)):
            height, width = pixels.shape[1:]
            head = Look("", width, height, "L" if len(pixels) == 1 else "RGB")
            digest = hashlib.sha256(np.ascontiguousarray(pixels).data).digest()
            name = names[number] if names and part == "train" else f"{part} {number}"
            yield _picture(Place(name, "", part, classes[label]), head, digest, pixels, False)
            done += 1
            if progress is not None:
                progress("checking", done, total)


def _of_file(place: Place) -> Picture | Unread:
    try:
        with open(place.path, "rb") as file:
            content = file.read()
    except FileNotFoundError:
        return Unread(place, "undecodable", "a link to a file that is not there")
    except OSError as error:
        return Unread(place, "unreadable", error.strerror or str(error))
    name = shown(place.name)
    head = None
    try:
        head = look(name, content)
        pixels = decode(name, content)
        transparent = head.transparent and _is_seen_through(content)
    except DataError as error:
        odd = head is not None and head.mode in ("I", "F") and error.__cause__ is None  # a decoder's failure has a cause
        plain = error.expected.startswith(("an image", "a file", "finite"))
        why = error.got if plain else f"{error.got}; expected {error.expected}"
        return Unread(place, "values" if odd else "undecodable", why)
    return _picture(place, head, hashlib.sha256(content).digest(), pixels, transparent)


def _picture(place: Place, head: Look, content: bytes, pixels: np.ndarray, transparent: bool) -> Picture:
    whole = hashlib.sha256(repr(pixels.shape).encode())
    whole.update(np.ascontiguousarray(pixels).data)
    grey = len(pixels) == 1 or bool(np.ptp(pixels, axis=0).max() <= TINT)
    blank = all(channel.min() == channel.max() for channel in pixels)
    return Picture(place, head, content, whole.digest(), blank, grey, transparent, thumbnail(pixels))


def _is_seen_through(content: bytes) -> bool:
    """Whether any pixel is; many files have a channel for transparency and no use for it."""
    from PIL import Image

    with Image.open(io.BytesIO(content)) as image:
        least, _ = image.convert("RGBA").getchannel("A").getextrema()
        return bool(least < 255)  # type: ignore[operator]  # Pillow's hint covers many channels


__all__ = ["LEFT", "ORDER", "Picture", "Place", "Unread", "in_arrays", "in_folder"]
