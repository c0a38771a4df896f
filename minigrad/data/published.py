"""Sets that are published whole: by their names, or as a user's own copy of MNIST, Fashion-MNIST or CIFAR-10."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minigrad.data import formats
from minigrad.data.catalogue import DATASETS
from minigrad.data.images import ImageArrays, class_names, load
from minigrad.data.places import Progress

_ARCHIVE_ENDS = (".tar.gz", ".tgz", ".tar")
_CIFAR_ARCHIVES = ("cifar-10-binary.tar.gz", "cifar-10-python.tar.gz")
_CIFAR_FOLDERS = ("cifar-10-batches-bin", "cifar-10-batches-py")
_PARTS = {  # each of the four idx files, and the names it goes by
    f"{split} {kind}": tuple(
        f"{name}-{kind}{sign}idx{dims}-ubyte{packed}" for packed in ("", ".gz") for name in names for sign in "-."
    )
    for split, names in (("train", ("train",)), ("test", ("t10k", "test")))
    for kind, dims in (("images", 3), ("labels", 1))
}
# Fashion-MNIST's files bear the names of MNIST's. The sha256 of its labels to train on, a byte each, tells it apart.
_FASHION_LABELS = "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7"


class Published(NamedTuple):
    """What was found: the arrays, the names of the classes, and a line that says what it is."""

    arrays: ImageArrays
    classes: tuple[str, ...]
    about: str


def named_or_published(data: str, progress: Progress | None = None) -> Published | None:
    """A named set, or a user's copy of a published one; None where ``data`` is neither.

    Args:
        data: a name, or a path.
        progress: as for ``images.load``.

    Raises:
        DataError: as ``images.load`` and ``open_published``.

    Example:
        >>> named_or_published("mnist5k").arrays.test_images.shape
        (1000, 1, 28, 28)
        >>> named_or_published("a folder of something else") is None
        True
    """
    if data in DATASETS:
        return Published(load(data, progress), class_names(data), data)
    path = os.path.expanduser(data)
    return open_published(path) if os.path.exists(path) else None


def open_published(path: str | os.PathLike[str]) -> Published | None:
    """MNIST's idx files or CIFAR-10's batches, recognised by the names under which they are published.

    Args:
        path: a folder that holds the four idx files (packed or not), the six batches (binary or Python) or their archive,
            itself or in the sub-folders that unpacking and PyTorch make; or one of these files; or a tar archive.

    Returns:
        The images in the split and order in which they are published; None where nothing bears such a name.

    Raises:
        DataError: the names are right, but a file is missing, damaged or holds something else; two sets lie side by side;
            an archive holds no CIFAR-10.

    Example:
        >>> open_published("a folder of something else") is None
        True
    """
    given = Path(path)
    with formats.readable(given):
        if given.is_file():
            if given.name.endswith(_ARCHIVE_ENDS):
                return _cifar10(formats.read_cifar10_archive(given), given)
            places = [found for found in _sets(given.parent) if given.name in _names_beside(found)]
        else:
            places = [found for folder in _folders(given) for found in _sets(folder)]
            archives = [given / name for name in _CIFAR_ARCHIVES if (given / name).is_file()]
            if not places and archives:
                return _cifar10(formats.read_cifar10_archive(archives[0]), archives[0])
    if len(places) > 1:
        folders = " and ".join(str(next(iter(found.values())).parent) for found in places)
        raise formats.damaged(given, "one data set", f"several, in {folders}", "Name the folder of one of them")
    if not places:
        return None
    (found,) = places
    folder = next(iter(found.values())).parent
    return _idx(found, folder) if found.keys() <= _PARTS.keys() else _cifar10(formats.read_cifar10_folder(folder), folder)


def _folders(given: Path) -> list[Path]:
    """The folder itself, and those in it where unpacking CIFAR-10, or PyTorch (``NAME/raw``), puts the files."""
    if not given.is_dir():
        return []
    with os.scandir(given) as entries:
        inner = sorted(entry.path for entry in entries if entry.is_dir())
    return [given, given / "raw", *(given / name for name in _CIFAR_FOLDERS), *(Path(path, "raw") for path in inner)]


def _sets(folder: Path) -> list[dict[str, Path]]:
    """The files of idx and of CIFAR-10 in a folder, each kind by the names of its parts."""
    idx = {
        part: next(folder / name for name in names if (folder / name).is_file())
        for part, names in _PARTS.items()
        if any((folder / name).is_file() for name in names)
    }
    return [found for found in (idx, formats.batch_files(folder)) if found]


def _names_beside(found: dict[str, Path]) -> set[str]:
    """All names that files of such a set go by."""
    if found.keys() <= _PARTS.keys():
        return {name for names in _PARTS.values() for name in names}
    return {f"{batch}{end}" for batch in formats.BATCHES for end in ("", ".bin")}


def _idx(found: dict[str, Path], folder: Path) -> Published:
    missing = [names[0] for part, names in _PARTS.items() if part not in found]
    if missing:
        remedy = "Put the files of the set into one folder"
        expected = "images and labels to train on and to test on"
        raise formats.damaged(folder, expected, f"no file named {', '.join(missing)}", remedy)
    train_images, train_labels = formats.read_idx_images(found["train images"], found["train labels"])
    test_images, test_labels = formats.read_idx_images(found["test images"], found["test labels"])
    if train_images.shape[1:] != test_images.shape[1:]:
        sizes = [f"{images.shape[2]}x{images.shape[3]}" for images in (train_images, test_images)]
        expected = f"images of {sizes[0]} pixels, as in {found['train images'].name}"
        raise formats.damaged(found["test images"], expected, sizes[1], "Take all files from one data set")
    fashion = hashlib.sha256(train_labels.astype(np.uint8).tobytes()).hexdigest() == _FASHION_LABELS
    arrays = ImageArrays(train_images, train_labels, test_images, test_labels)
    about = f"the idx files of {'Fashion-MNIST' if fashion else 'MNIST'} in {folder}"
    return Published(arrays, class_names("fashion-mnist" if fashion else "mnist5k"), about)


def _cifar10(arrays: formats.Split, place: Path) -> Published:
    return Published(ImageArrays(*arrays), class_names("cifar10"), f"the batches of CIFAR-10 in {place}")
