"""Labelled images, from a named set, a folder of images or a published file, for one who knows nothing of any of them."""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from minigrad.core.tensor import Tensor
from minigrad.data import pixels as stores
from minigrad.data.dataset import Dataset, whole_index, whole_indices
from minigrad.data.decode import Look, Shape, quiet_pictures
from minigrad.data.folder import ImageFile, ImageFolder, find_images
from minigrad.data.holdout import check_enough, held_out, usual_share
from minigrad.data.pixels import ArrayPixels, FilePixels, Pixels, Progress
from minigrad.data.policy import (
    Asked,
    Split,
    array_lines,
    balance_lines,
    chosen_channels,
    chosen_size,
    duplicate_lines,
    folder_lines,
    split_lines,
)
from minigrad.data.published import Published, named_or_published
from minigrad.errors import DTypeError, IndexingError, ShapeError


class LabelledImages(Dataset):
    """uint8 images of one size with class numbers, in memory or read from files when asked for.

    Args:
        pixels: uint8 (N, C, H, W), C 1 or 3; or a store of such images that are read when asked for.
        labels: N class numbers, from 0.
        classes: the name of each class.
        names: what a person calls each image; default ``"image 0"`` and so on.

    Attributes:
        classes, names: as given.
        labels: int64 (N,).
        shape: (C, H, W).

    Raises:
        DTypeError: pixels that are not uint8, or labels that are no integers.
        ShapeError: pixels that are no images, or numbers of pixels, labels and names that differ.
        IndexingError: a label that is no class.

    Example:
        >>> images = LabelledImages(np.zeros((2, 1, 4, 4), np.uint8), [0, 1], ["cat", "dog"])
        >>> images[1][0].shape, images[1][1], images.names[1]
        ((1, 4, 4), 1, 'image 1')
    """

    def __init__(
        self, pixels: np.ndarray | Pixels, labels: Any, classes: Sequence[str], names: Sequence[str] | None = None
    ) -> None:
        where = "LabelledImages"
        if isinstance(pixels, np.ndarray):
            if pixels.dtype != np.uint8:
                raise DTypeError(where, "pixels", "uint8", str(pixels.dtype), "Scale them to 0..255 and convert them")
            if pixels.ndim != 4 or pixels.shape[1] not in (1, 3):
                raise ShapeError(where, "pixels", "(N, C, H, W) with C 1 or 3", str(pixels.shape))
            pixels = ArrayPixels(pixels)
        given = np.asarray(labels)
        if given.dtype.kind not in "iu" and given.size:
            raise DTypeError(where, "labels", "whole numbers", str(given.dtype))
        self.labels = given.astype(np.int64)
        self.classes = tuple(classes)
        self.names: Sequence[str] = [f"image {i}" for i in range(len(pixels))] if names is None else names
        if self.labels.shape != (len(pixels),) or len(self.names) != len(pixels):
            got = f"labels of shape {self.labels.shape} and {len(self.names)} names"
            raise ShapeError(where, "labels, names", f"one for each of {len(pixels)} images", got)
        wrong = np.flatnonzero((self.labels < 0) | (self.labels >= len(self.classes)))
        if len(wrong):
            expected = f"class numbers from 0 to {len(self.classes) - 1}"
            raise IndexingError(where, "labels", expected, f"{self.labels[wrong[0]]} at {self.names[wrong[0]]}")
        self._pixels, self._rows = pixels, np.arange(len(pixels))

    @property
    def shape(self) -> tuple[int, int, int]:
        return self._pixels.shape

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        row = whole_index("LabelledImages", index, len(self))
        return self.pixels([row])[0], int(self.labels[row])

    def pixels(self, indices: Iterable[int]) -> np.ndarray:
        """The images of these numbers, uint8 (n, C, H, W), as an array of the caller's own.

        Raises:
            IndexingError: there is no such image.
            DataError: a file that was sound has gone, or changed.
        """
        return self._pixels.read(self._rows[self._numbers(indices)])

    def subset(self, indices: Iterable[int]) -> LabelledImages:
        """These images, in this order, as a set of their own that shares the pixels.

        Raises:
            IndexingError: there is no such image.
        """
        numbers = self._numbers(indices)
        part = object.__new__(type(self))
        part.classes, part.labels = self.classes, self.labels[numbers]
        part.names = [self.names[number] for number in numbers]
        part._pixels, part._rows = self._pixels, self._rows[numbers]
        return part

    def take_batch(self, indices: Sequence[int]) -> list[Any]:
        """Images and labels of these numbers as two tensors, uint8 (n, C, H, W) and int64 (n,)."""
        numbers = self._numbers(indices)
        return [Tensor._wrap(self.pixels(numbers)), Tensor._wrap(self.labels[numbers])]

    def _numbers(self, indices: Iterable[int]) -> np.ndarray:
        return whole_indices("LabelledImages", indices, len(self))

    def __repr__(self) -> str:
        channels, height, width = self.shape
        return f"LabelledImages({len(self)} of {channels}x{height}x{width}, {len(self.classes)} classes)"


class ClassificationData(NamedTuple):
    """What a classifier is trained, chosen and tested on.

    Attributes:
        train, validation: to learn from, and to choose by.
        test: to tell the result by; None where the data hold no such part.
        policy: lines to print: what was found, how images are resized, how they are split, what was left out and why.
        digest: sha256 of what the data are, of contents and names. It is the same wherever the folder lies, and whatever
            size and split are asked for.
    """

    train: LabelledImages
    validation: LabelledImages
    test: LabelledImages | None
    policy: tuple[str, ...]
    digest: str


def open_images(
    data: str | os.PathLike[str],
    *,
    image_size: int | tuple[int, int] | None = None,
    channels: int | None = None,
    holdout: float | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> ClassificationData:
    """Labelled images by name or from a folder, ready to train on.

    A folder has one sub-folder of images for each class, optionally below train/, val/ (or valid/, validation/) and test/.
    What is not asked for is decided from the data, and told in the lines of ``policy``: ``policy.chosen_size`` says how the
    size is chosen, ``decode`` what is done with each image, ``holdout.held_out`` which images are held out. Pixels that take
    at most ``pixels.IN_MEMORY`` bytes are decoded once and kept; else each image is read when it is asked for.

    Args:
        data: a named set, ``"mnist5k"``, ``"fashion-mnist"`` or ``"cifar10"``; or the path of a folder of images, or of a
            folder or file in which MNIST, Fashion-MNIST or CIFAR-10 are published.
        image_size: the side to which images are resized, or (height, width); by default it is chosen from the images.
        channels: 1 for grey, 3 for colour; by default grey if no image shows colour.
        holdout: the share of each class of the training part that is held out for validation where the data have no such
            part; default 0.1, and 0.2 where there are fewer than 1,000 images.
        seed: of the choice of what is held out.
        progress: called as ``progress(doing, done, total)`` while files are fetched, read and decoded.

    Raises:
        DataError: the data are not there, are not laid out by class, or hold files that cannot be read.
        ArgumentError: another argument is out of range.
        DTypeError: ``data`` is no path.

    Example:
        >>> data = open_images("mnist5k")
        >>> len(data.train), len(data.validation), len(data.test), data.train.shape
        (3600, 400, 1000, (1, 28, 28))
    """
    asked = Asked.of("open_images", image_size, channels, holdout, seed)
    if not isinstance(data, (str, os.PathLike)):
        raise DTypeError("open_images", "data", "the name of a data set or a path", f"a {type(data).__name__}")
    name = os.fsdecode(data)
    published = named_or_published(name, progress)
    if published is not None:
        return _from_arrays(published, asked)
    folder = find_images(name)
    with quiet_pictures():
        return _from_folder(folder, asked, f"minigrad data check classify {shlex.quote(name)}", progress)


def _from_arrays(found: Published, asked: Asked) -> ClassificationData:
    """A published set: its own test part, and a validation part held out of its training part."""
    arrays, classes = found.arrays, found.classes
    own = arrays.train_images.shape[1:]
    shape: Shape = (asked.channels or own[0], *(asked.size or own[1:]))
    digest = array_digest(classes, arrays)

    def part(images: np.ndarray, labels: np.ndarray, called: str) -> LabelledImages:
        return LabelledImages(stores.refitted(images, shape), labels, classes, [f"{called} {i}" for i in range(len(labels))])

    contents = [hashlib.sha256(image.tobytes()).digest() for image in arrays.train_images]
    train = part(arrays.train_images, arrays.train_labels, "train")
    test = part(arrays.test_images, arrays.test_labels, "test")
    rows = np.arange(len(train))
    split = _split(train.labels, train.names, contents, classes, (rows, rows[:0], np.arange(len(test))), asked)
    labels = np.concatenate([train.labels, test.labels])
    policy = (*array_lines(found.about, classes, labels, own, shape), *split_lines(split))
    return ClassificationData(train.subset(split.train), train.subset(split.validation), test, policy, digest)


def _from_folder(folder: ImageFolder, asked: Asked, check: str, progress: Progress | None) -> ClassificationData:
    """A folder: its own validation and test parts where it has them."""
    files = ImageFiles(folder.files, asked, chosen_size, check, progress)
    labels, names, contents = files.labels, files.names, files.contents

    def rows(part: str) -> np.ndarray:
        return np.flatnonzero([file.part == part for file in folder.files])

    parts = (rows("train"), rows("validation"), rows("test"))
    split = _split(labels, names, contents, folder.classes, parts, asked)
    policy = folder_lines(folder, files.looks, files.shape, files.looked_at) + split_lines(split)
    policy += balance_lines(labels, folder.classes, split) + duplicate_lines(contents, labels, split)
    pixels, lines = files.opened()
    every = LabelledImages(pixels, labels, folder.classes, names)
    test = every.subset(split.test) if len(split.test) else None
    policy += [*lines, *folder.notes]
    return ClassificationData(
        every.subset(split.train), every.subset(split.validation), test, tuple(policy), files.digest(folder.classes)
    )


def array_digest(classes: Sequence[str], arrays: Iterable[np.ndarray]) -> str:
    """The sha256 of arrays and class names.

    Example:
        >>> array_digest((), [np.zeros(2)]) == array_digest((), [np.zeros(2, np.float32)])
        False
    """
    digest = hashlib.sha256(repr(tuple(classes)).encode())
    for array in arrays:
        digest.update(repr((array.shape, array.dtype.str)).encode() + hashlib.sha256(array.tobytes()).digest())
    return digest.hexdigest()


class ImageFiles:
    """Files of images, looked at once: the shape that they are brought to, and what tells them from others.

    Args:
        files: which.
        asked: what the user asked for.
        size_of: chooses a size where none is asked for.
        check: the command that looks through them.
        progress: called as ``progress(doing, done, total)``.

    Attributes:
        names, labels, contents, looks: of each file its name, class, sha256, and what its head tells.
        shape: (C, H, W).
        looked_at: how many were looked at for colour; None where the user asked for the channels.

    Raises:
        DataError: files that cannot be read.
    """

    def __init__(
        self,
        files: Sequence[ImageFile],
        asked: Asked,
        size_of: Callable[[Sequence[Look]], tuple[int, int]],
        check: str,
        progress: Progress | None,
    ) -> None:
        self.check, self.progress = check, progress
        self.remedy = f"`{check} --fix` sets damaged files aside"
        self.sources, self.names = [file.path for file in files], [file.name for file in files]
        self.labels = np.array([file.label for file in files], np.int64)
        self.contents, self.looks = stores.heads(self.sources, self.names, self.remedy, progress)
        size = asked.size or size_of(self.looks)
        self.looked_at, channels = None, asked.channels
        if channels is None:
            in_colour = FilePixels(self.sources, self.names, (3, *size), self.remedy)
            channels, self.looked_at = chosen_channels(self.looks, in_colour.sound)
        self.shape: Shape = (channels, *size)

    def opened(self) -> tuple[Pixels, list[str]]:
        """The pixels, decoded where there is room for them, and a line that says so where there is not.

        Raises:
            DataError: files that cannot be decoded.
        """
        in_files = FilePixels(self.sources, self.names, self.shape, self.remedy)
        needed = len(self.sources) * int(np.prod(self.shape))
        if needed <= stores.IN_MEMORY:
            return in_files.decoded(self.progress), []
        line = (
            f"memory: the pixels would take {needed / 2**30:.1f} GiB, so the files are read in each pass; one that is damaged"
            f" stops the training, and `{self.check}` finds it before"
        )
        return in_files, [line]

    def digest(self, classes: Sequence[str]) -> str:
        """The sha256 of what the files are, of contents and names, wherever they lie."""
        digest = hashlib.sha256(repr(tuple(classes)).encode())
        for name, label, content in zip(self.names, self.labels.tolist(), self.contents, strict=True):
            digest.update(f"{name}\0{label}\0".encode() + content)
        return digest.hexdigest()


def _split(
    labels: np.ndarray,
    names: Sequence[str],
    contents: Sequence[bytes],
    classes: Sequence[str],
    parts: tuple[np.ndarray, np.ndarray, np.ndarray],
    asked: Asked,
) -> Split:
    """The parts (training, validation, test), with a validation part held out of the training part where there is none."""
    train, validation, test = parts
    share = None
    if not len(validation):
        share = usual_share(len(train)) if asked.holdout is None else asked.holdout
        chosen = [names[i] for i in train], [contents[i] for i in train]
        out = held_out(labels[train], *chosen, classes, share, asked.seed)
        train, validation = train[~out], train[out]
    check_enough(labels[train], classes)
    return Split(train, validation, test, share, asked.seed)
