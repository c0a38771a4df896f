"""Images to learn to make more of, with or without labels: a folder in any order, or a named set."""

from __future__ import annotations

import hashlib
import io
import os
import shlex
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from minigrad.data import pixels as stores
from minigrad.data import sources
from minigrad.data.catalogue import DATASETS
from minigrad.data.decode import Shape, quiet_pictures
from minigrad.data.emoji import read_signs
from minigrad.data.folder import ImageFile, ImageFolder
from minigrad.data.labelled import ImageFiles, LabelledImages, array_digest
from minigrad.data.pixels import Progress
from minigrad.data.policy import Asked, array_lines, copy_lines, folder_lines, gallery_size
from minigrad.data.published import named_or_published
from minigrad.data.unsorted import KINDS, find_gallery
from minigrad.data.words import counted
from minigrad.errors import DataError, DTypeError

LEAST = 16  # different images to learn from
FEW = 500  # different images: below it a network learns them by heart
FACES = 100  # of lfw_subset.npy, which holds as many pieces of the ground behind
ONE = ("images",)  # the class of all, where there are no classes
FONTS = (".ttf", ".otf")


class Gallery(NamedTuple):
    """Images to learn to make more of.

    Attributes:
        train: all of them; where there are no classes, each has label 0.
        classes: the names of the classes, or none.
        policy: lines to print: what was found, how images are resized, what was left out and why, how few they are.
        digest: sha256 of what the data are, of contents and names. It is the same wherever the folder lies, and whatever size
            is asked for.
    """

    train: LabelledImages
    classes: tuple[str, ...]
    policy: tuple[str, ...]
    digest: str


class Plain(NamedTuple):
    """A set that is held in arrays: images uint8 (N, C, H, W), labels int64 (N,), class names or none, what it is, notes."""

    images: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    about: str
    notes: tuple[str, ...] = ()


def open_gallery(
    data: str | os.PathLike[str],
    *,
    image_size: int | tuple[int, int] | None = None,
    channels: int | None = None,
    progress: Progress | None = None,
    seed: int = 0,
) -> Gallery:
    """Images by name or from a folder, ready to learn to make more of.

    A folder may be flat or nested in any way. Where its sub-folders hold all the images and enough of them, they are classes;
    below train/ and val/ the same, and test/ is left alone. Of a published set the training part is taken. What is not asked
    for is decided from the images, and told in the lines of ``policy``: ``policy.gallery_size`` says how the size is chosen
    (of photos a square of 64 pixels, mostly), ``decode`` what is done with each image. Pixels that take at most
    ``pixels.IN_MEMORY`` bytes are decoded once and kept; else each image is read when it is asked for.

    Args:
        data: a named set, ``"fashion-mnist"``, ``"mnist5k"``, ``"cifar10"``, ``"emoji"`` or ``"faces"``; or the path of a
            folder of images, of a folder or file in which MNIST, Fashion-MNIST or CIFAR-10 are published, or of a font of
            coloured bitmaps.
        image_size: the side to which images are resized, or (height, width); by default it is chosen from the images.
        channels: 1 for grey, 3 for colour; by default grey if no image shows colour.
        progress: called as ``progress(doing, done, total)`` while files are fetched, read and decoded.
        seed: taken for the sake of callers that have one: nothing here is chosen by chance.

    Raises:
        DataError: the data are not there, are too few, or hold files that cannot be read.
        ArgumentError: another argument is out of range.
        DTypeError: ``data`` is no path.

    Example:
        >>> gallery = open_gallery("mnist5k", image_size=32)
        >>> gallery.train, gallery.classes[:3]
        (LabelledImages(4000 of 1x32x32, 10 classes), ('0', '1', '2'))
    """
    asked = Asked.of("open_gallery", image_size, channels, None, seed)
    if not isinstance(data, (str, os.PathLike)):
        raise DTypeError("open_gallery", "data", "the name of a data set or a path", f"a {type(data).__name__}")
    name = os.fsdecode(data)
    plain = open_plain(name, progress)
    if plain is not None:
        return _from_arrays(name, plain, asked)
    folder = open_signs(name, progress) or find_gallery(name)
    with quiet_pictures():
        return _from_folder(name, folder, asked, f"minigrad data check gan {shlex.quote(name)}", progress)


def open_plain(name: str, progress: Progress | None = None) -> Plain | None:
    """A set that comes as arrays: the training part of a published one, or faces. None where ``name`` is none of these.

    Raises:
        DataError: the set holds no images; it cannot be had.

    Example:
        >>> open_plain("mnist5k").images.shape
        (4000, 1, 28, 28)
    """
    kind = sources.dataset(name, *KINDS).kind if name in DATASETS else ""
    if kind == "pictures":
        return _faces(progress) if name == "faces" else None
    found = named_or_published(name, progress)
    if found is None:
        return None
    left = counted(len(found.arrays.test_labels), "image")
    note = f"the training part serves to learn from; {left} to test on are left alone"
    return Plain(found.arrays.train_images, found.arrays.train_labels, found.classes, found.about, (note,))


def open_signs(name: str, progress: Progress | None = None) -> ImageFolder | None:
    """The pictures of a font, of the set ``"emoji"`` or by its path; None where ``name`` is neither.

    Raises:
        DataError: the font cannot be had or read.

    Example:
        >>> open_signs("a folder of something else") is None
        True
    """
    path = os.path.expanduser(name)
    if name == "emoji":
        path = os.fspath(sources.get(name, progress)[0])
    elif not (os.path.isfile(path) and os.path.splitext(path)[1].casefold() in FONTS):
        return None
    signs = read_signs(path)
    files = [ImageFile(content, sign, 0, "train") for sign, content in signs.pictures]
    return ImageFolder(name, (), files, signs.notes)


def check_enough(name: str, contents: Sequence[bytes]) -> int:
    """How many different images there are.

    Raises:
        DataError: fewer than 16.

    Example:
        >>> check_enough("photos", [bytes([i]) for i in range(20)] * 2)
        20
    """
    different = len(set(contents))
    if different < LEAST:
        got = counted(different, "image") if different == len(contents) else f"{different:,} among {len(contents):,} files"
        remedy = "Add images: some hundreds that are alike are few, some thousands are good"
        raise DataError("data", name, f"at least {LEAST} different images to learn from", got, remedy)
    return different


def few_lines(different: int) -> list[str]:
    """What is to be expected of so few images; nothing of enough.

    Example:
        >>> few_lines(600)
        []
    """
    if different >= FEW:
        return []
    return [
        f"FEW IMAGES: {different:,} different ones will be learned by heart, and what is made will be copies of them or blurs;"
        f" {FEW:,} are little, some thousands are good"
    ]


def _from_arrays(name: str, plain: Plain, asked: Asked) -> Gallery:
    own = plain.images.shape[1:]
    shape: Shape = (asked.channels or own[0], *(asked.size or own[1:]))
    contents = [hashlib.sha256(image.tobytes()).digest() for image in plain.images]
    different = check_enough(name, contents)
    policy = [*array_lines(plain.about, plain.classes, plain.labels, own, shape), *plain.notes]
    policy += copy_lines(contents, plain.labels, "images", "pixel for pixel") + few_lines(different)
    names = [f"{'train' if plain.classes else 'image'} {i}" for i in range(len(plain.labels))]
    train = LabelledImages(stores.refitted(plain.images, shape), plain.labels, plain.classes or ONE, names)
    return Gallery(train, plain.classes, tuple(policy), array_digest(plain.classes, (plain.images, plain.labels)))


def _from_folder(name: str, folder: ImageFolder, asked: Asked, check: str, progress: Progress | None) -> Gallery:
    files = ImageFiles(folder.files, asked, gallery_size, check, progress)
    different = check_enough(name, files.contents)
    policy = folder_lines(folder, files.looks, files.shape, files.looked_at) + copy_lines(files.contents, files.labels)
    pixels, lines = files.opened()
    train = LabelledImages(pixels, files.labels, folder.classes or ONE, files.names)
    policy += [*lines, *folder.notes, *few_lines(different)]
    return Gallery(train, folder.classes, tuple(policy), files.digest(folder.classes))


def _faces(progress: Progress | None) -> Plain:
    """The faces of lfw_subset.npy, from 0 to 1 there."""
    (path,) = sources.get("faces", progress)
    values = np.load(io.BytesIO(path.read_bytes()), allow_pickle=False)[:FACES]
    images = np.rint(values * 255).astype(np.uint8)[:, None]
    note = "so few serve to see that a training runs, and for no more"
    return Plain(images, np.zeros(len(images), np.int64), (), "faces", (note,))


__all__ = ["Gallery", "check_enough", "few_lines", "find_gallery", "open_gallery", "open_plain", "open_signs"]
