"""Labelled images, from a named set, a folder of images or a published file, for one who knows nothing of any of them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from minigrad.data import images as image_arrays
from minigrad.data import sources
from minigrad.data.dataset import Dataset, whole_index
from minigrad.data.decode import Look, Shape, look, quiet_pictures, refit
from minigrad.data.folder import ImageFile, ImageFolder, find_images
from minigrad.data.holdout import held_out, share_of
from minigrad.data.pixels import IN_MEMORY, ArrayPixels, FilePixels, Pixels, Progress, all_or_faults
from minigrad.data.policy import asked_channels, asked_size, chosen_size
from minigrad.errors import DTypeError, IndexingError, ShapeError
from minigrad.ops.creation import tensor


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
            expected, got = (
                f"class numbers from 0 to {len(self.classes) - 1}",
                f"{self.labels[wrong[0]]} at {self.names[wrong[0]]}",
            )
            raise IndexingError(where, "labels", expected, got)
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
        return [tensor(self.pixels(numbers)), tensor(self.labels[numbers])]

    def _numbers(self, indices: Iterable[int]) -> np.ndarray:
        numbers = np.asarray(indices if isinstance(indices, np.ndarray) else list(indices))
        if numbers.ndim != 1 or (numbers.dtype.kind not in "iu" and numbers.size):
            raise DTypeError("LabelledImages", "indices", "a list of whole numbers", f"{numbers.dtype} {numbers.shape}")
        numbers = numbers.astype(np.int64)
        wrong = numbers[(numbers < -len(self)) | (numbers >= len(self))]
        if len(wrong):
            whole_index("LabelledImages", int(wrong[0]), len(self))
        return numbers % max(len(self), 1)

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
    data: str,
    *,
    image_size: int | tuple[int, int] | None = None,
    channels: int | None = None,
    holdout: float | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> ClassificationData:
    """Labelled images by name or from a folder, ready to train on.

    Args:
        data: a named set, ``"mnist5k"``; or the path of a folder with one sub-folder a class, optionally below train/, val/
            (or valid/, validation/) and test/.
        image_size: the side to which images are resized, or (height, width); by default it is chosen from the images.
        channels: 1 for grey, 3 for colour; by default grey if all images are.
        holdout: the share of each class of the training part that is held out for validation where the data have no such
            part; default 0.1, and 0.2 where there are fewer than 1,000 images.
        seed: of the choice of what is held out.
        progress: called as ``progress(doing, done, total)`` while files are read.

    Raises:
        DataError: the data are not there, not laid out by class, or hold files that cannot be read.
        ArgumentError: another argument is out of range.

    Example:
        >>> data = open_images("mnist5k")
        >>> len(data.train), len(data.validation), len(data.test), data.train.shape
        (3600, 400, 1000, (1, 28, 28))
    """
    where = "open_images"
    size, channels = asked_size(where, image_size), asked_channels(where, channels)
    share_of(where, holdout, 0)
    name = os.fspath(data)
    if name in sources.DATASETS:
        return _from_arrays(name, size, channels, holdout, seed)
    return _from_folder(find_images(name), size, channels, holdout, seed, progress)


def _from_arrays(
    name: str, size: tuple[int, int] | None, channels: int | None, holdout: float | None, seed: int
) -> ClassificationData:
    """A named set: its own test part, and a validation part held out of its training part."""
    arrays = image_arrays.load(name)
    classes = tuple(str(k) for k in range(int(arrays.train_labels.max()) + 1))
    own = arrays.train_images.shape[1:]
    shape: Shape = (channels or own[0], *(size or own[1:]))
    digest = hashlib.sha256(name.encode())
    for array in arrays:
        digest.update(repr((array.shape, str(array.dtype))).encode())
        digest.update(np.ascontiguousarray(array))

    def part(images: np.ndarray, labels: np.ndarray, called: str) -> LabelledImages:
        resized = images if shape == own else np.stack([refit(image, shape) for image in images])
        return LabelledImages(resized, labels, classes, [f"{called} {i}" for i in range(len(labels))])

    train = part(arrays.train_images, arrays.train_labels, "train")
    contents = [hashlib.sha256(image).digest() for image in arrays.train_images]
    share = share_of("open_images", holdout, len(train))
    out = held_out(train.labels, train.names, contents, classes, share, seed)
    test = part(arrays.test_images, arrays.test_labels, "test")
    policy = (f"{name}: {len(train) + len(test):,} images in {len(classes)} classes",)
    return ClassificationData(
        train.subset(np.flatnonzero(~out)), train.subset(np.flatnonzero(out)), test, policy, digest.hexdigest()
    )


def _from_folder(
    folder: ImageFolder,
    size: tuple[int, int] | None,
    channels: int | None,
    holdout: float | None,
    seed: int,
    progress: Progress | None,
) -> ClassificationData:
    """A folder: its own validation and test parts where it has them."""
    remedy = f"`minigrad data check classify {folder.path} --fix` sets such files aside"

    def read(file: ImageFile) -> tuple[bytes, Look]:
        with open(file.path, "rb") as opened:
            content = opened.read()
        return hashlib.sha256(content).digest(), look(file.name, content, remedy)

    with quiet_pictures():
        found = list(all_or_faults(read, folder.files, "reading", len(folder.files), progress))
    contents, looks = [digest for digest, _ in found], [head for _, head in found]
    shape: Shape = (channels or 3, *(size or chosen_size(looks)))
    digest = hashlib.sha256(repr(folder.classes).encode())
    for file, content in zip(folder.files, contents, strict=True):
        digest.update(f"{file.name}\0{file.label}\0".encode("utf-8", "surrogatepass") + content)
    pixels: Pixels = FilePixels([file.path for file in folder.files], [file.name for file in folder.files], shape, remedy)
    if len(pixels) * int(np.prod(shape)) <= IN_MEMORY:
        pixels = pixels.decoded(progress)
    every = LabelledImages(pixels, [file.label for file in folder.files], folder.classes, [file.name for file in folder.files])

    def part(name: str) -> np.ndarray:
        return np.flatnonzero([file.part == name for file in folder.files])

    train, validation, test = part("train"), part("validation"), part("test")
    if not len(validation):
        share = share_of("open_images", holdout, len(train))
        names = [every.names[i] for i in train]
        out = held_out(every.labels[train], names, [contents[i] for i in train], folder.classes, share, seed)
        train, validation = train[~out], train[out]
    policy = (f"{folder.path}: {len(every):,} images in {len(folder.classes)} classes", *folder.notes)
    return ClassificationData(
        every.subset(train), every.subset(validation), every.subset(test) if len(test) else None, policy, digest.hexdigest()
    )
