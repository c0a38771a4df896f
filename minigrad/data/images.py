"""Named sets of labelled images as plain arrays, with the split into training and test images fixed here."""

from __future__ import annotations

import gzip
from typing import NamedTuple

import numpy as np

from minigrad.data import formats, sources

CLASSES = 10
PER_CLASS = 500
HELD_OUT = 100  # of each class of mnist5k, the last ones: the file is sorted by class and has no test split of its own
SIDE = 28


class ImageArrays(NamedTuple):
    """Images as bytes, N C H W, and their classes as int64."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


def load(name: str, progress: sources.Progress | None = None) -> ImageArrays:
    """A named data set of labelled images, fetched and cached at its first use.

    ``mnist5k``: handwritten digits, 400 of each class to train on and 100 of each to test on, one grey channel of
    28x28 pixels from 0 (paper) to 255 (ink), in the order of the file, which is sorted by class: shuffle before training.

    ``fashion-mnist``: pieces of clothing, 60,000 to train on and 10,000 to test on, one grey channel of 28x28 pixels from
    0 (background) to 255, in the order published. 31 MB, read where Debian's package ``dataset-fashion-mnist`` puts them.

    ``cifar10``: photos of things and animals, 50,000 to train on and 10,000 to test on, red, green and blue, 32x32 pixels,
    in the order published. 170 MB.

    Args:
        name: ``"mnist5k"``, ``"fashion-mnist"`` or ``"cifar10"``.
        progress: called with a file's name, the bytes that are there and the bytes in all while it comes in.

    Returns:
        ``(train_images, train_labels, test_images, test_labels)``, with images uint8 (N, C, H, W), labels int64 (N,).

    Raises:
        DataError: the name is unknown, the data cannot be fetched, or the cache cannot be written.

    Example:
        >>> data = load("mnist5k")
        >>> data.train_images.shape, data.test_images.shape
        ((4000, 1, 28, 28), (1000, 1, 28, 28))
    """
    paths = sources.get(sources.dataset(name, "images").name, progress)
    if name == "fashion-mnist":
        train_images, train_labels, test_images, test_labels = paths
        return ImageArrays(
            *formats.read_idx_images(train_images, train_labels), *formats.read_idx_images(test_images, test_labels)
        )
    if name == "cifar10":
        return ImageArrays(*formats.read_cifar10_archive(paths[0]))
    text = gzip.decompress(paths[0].read_bytes()).decode()
    table = np.loadtxt(text.splitlines(), dtype=np.uint8, delimiter=",")  # 784 pixels and the class in each row
    images = table[:, :-1].reshape(CLASSES, PER_CLASS, 1, SIDE, SIDE)
    labels = table[:, -1].astype(np.int64).reshape(CLASSES, PER_CLASS)
    kept = PER_CLASS - HELD_OUT

    def flat(part: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(part.reshape(-1, *part.shape[2:]))

    return ImageArrays(flat(images[:, :kept]), flat(labels[:, :kept]), flat(images[:, kept:]), flat(labels[:, kept:]))


def class_names(name: str) -> tuple[str, ...]:
    """The names of the classes of a set of images, in the order of their numbers.

    Raises:
        DataError: there is no such set.

    Example:
        >>> class_names("fashion-mnist")[:3]
        ('T-shirt/top', 'Trouser', 'Pullover')
    """
    return sources.dataset(name, "images").classes
