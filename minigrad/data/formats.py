"""Files of labelled images as they are published: MNIST's idx files, and CIFAR-10's batches, binary or pickled, in a folder
or in their archive.

Every function here gives plain arrays, images uint8 (N, C, H, W) and labels int64 (N,), or says which file holds what it
should not. No count in a file is believed before the bytes behind it are seen, and nothing in a file is run.
"""

from __future__ import annotations

import math
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path, PurePosixPath
from typing import IO

import numpy as np

from minigrad.errors import DataError

Split = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # images and labels to train on, images and labels to test on

CLASSES = 10
SIDE = 32
PIXELS = 3 * SIDE * SIDE
TRAIN_BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
TEST_BATCH = "test_batch"
BATCHES = (*TRAIN_BATCHES, TEST_BATCH)
_BYTES = 0x08  # idx's code for unsigned bytes
_PIECE = 1 << 20
_MOST_IDX = 1 << 32
_MOST_BATCH = 1 << 26  # a published batch has 2^25
_MOST_ARCHIVE = 1 << 29  # the published ones hold 1.7 * 2^27
_DEFLATE = 1032  # a byte of deflate stands for no more bytes than this
_AGAIN = "Fetch the file again from where it is published"


def damaged(source: object, expected: str, got: str, remedy: str = _AGAIN) -> DataError:
    """The error for a file that does not hold what it should."""
    return DataError("data", str(source), expected, got, remedy)


def check_labels(labels: np.ndarray, classes: int, source: object) -> None:
    """Refuse labels outside 0 .. classes - 1.

    Raises:
        DataError: names the file, the first such row, counted from 0, and how many there are.

    Example:
        >>> check_labels(np.array([0, 9]), 10, "train-labels")
    """
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(wrong):
        others = f" (and {len(wrong) - 1} more rows out of range)" if len(wrong) > 1 else ""
        raise damaged(source, f"labels from 0 to {classes - 1}", f"{labels[wrong[0]]} in row {wrong[0]}{others}")


@contextmanager
def readable(source: object) -> Iterator[None]:
    """Turn the ways in which reading fails into words.

    Raises:
        DataError: what is read inside is cut short, damaged, or must not be read.
    """
    try:
        yield
    except EOFError as error:
        raise damaged(source, "a whole file", "one that is cut short") from error
    except (zlib.error, tarfile.TarError) as error:
        raise damaged(source, "a whole file", f"a damaged one ({error})") from error
    except OSError as error:  # gzip's errors, too, which have no number
        if error.errno is None:
            raise damaged(source, "a whole file", f"a damaged one ({error})") from error
        raise damaged(
            source, "a readable file or folder", error.strerror or str(error), "Mend its name or permissions"
        ) from error


@contextmanager
def _open(path: Path) -> Iterator[BufferedIOBase]:
    """A regular file, through gzip where it is packed, with the words of ``readable``."""
    import gzip

    with readable(path):
        if not path.is_file():
            raise damaged(path, "a file", "a folder or device" if path.exists() else "none", "Check the name")
        with open(path, "rb") as plain:
            packed = plain.read(2) == b"\x1f\x8b"
            plain.seek(0)
            if packed:
                with gzip.GzipFile(fileobj=plain) as unpacked:
                    yield unpacked
            else:
                yield plain


def read_idx(path: Path, dims: int) -> np.ndarray:
    """The array of bytes in an idx file, packed with gzip or plain.

    Args:
        path: the file.
        dims: how many dimensions it should have: 1 for labels, 3 for images.

    Returns:
        uint8, of the shape that the file states.

    Raises:
        DataError: the file is missing, of another format or type, cut short, longer than it states, or damaged.
    """
    with _open(path) as file:
        head = file.read(4)
        right = bytes((0, 0, _BYTES, dims))
        if head != right:
            expected = f"an idx file of bytes in {dims} dimension{'s' if dims > 1 else ''}, which begins with {right.hex()}"
            raise damaged(path, expected, f"one that begins with {head.hex() or 'nothing'}", "Choose the right file")
        sizes = np.frombuffer(_exactly(file, 4 * dims), ">u4")
        shape = tuple(int(size) for size in sizes)
        count = math.prod(shape)
        if not count:
            raise damaged(path, "at least one entry", f"the shape {shape}")
        stated = f"{count} bytes, as its shape {shape} states"
        if count > _MOST_IDX or count > _DEFLATE * path.stat().st_size:
            raise damaged(path, stated, f"a file of {path.stat().st_size} bytes")
        content = np.empty(count, np.uint8)
        done = 0
        while done < count:
            piece = file.read(min(_PIECE, count - done))
            if not piece:
                raise damaged(path, stated, f"{done}")
            content[done : done + len(piece)] = np.frombuffer(piece, np.uint8)
            done += len(piece)
        if file.read(1):  # at the end of the file, gzip checks its sum
            raise damaged(path, stated, "more")
    return content.reshape(shape)


def _exactly(file: IO[bytes] | BufferedIOBase, count: int) -> bytes:
    content = file.read(count)
    if len(content) < count:
        raise EOFError
    return content


def read_idx_images(images: Path, labels: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 (N, 1, H, W) and labels int64 (N,) from a pair of idx files.

    Raises:
        DataError: as in ``read_idx``; the counts differ; a label is out of range.
    """
    pixels, numbers = read_idx(images, 3), read_idx(labels, 1)
    if len(pixels) != len(numbers):
        remedy = "Take both files from one data set"
        raise damaged(labels, f"{len(pixels)} labels, one for each image of {images.name}", f"{len(numbers)}", remedy)
    check_labels(numbers, CLASSES, labels)
    return pixels[:, None], numbers.astype(np.int64)


def binary_batch(content: bytes, source: object) -> tuple[np.ndarray, np.ndarray]:
    """One binary batch of CIFAR-10: records of a label and 3072 pixels, red, green, blue, each row by row.

    Returns:
        images uint8 (N, 3, 32, 32), a view of ``content``, and labels int64 (N,).

    Raises:
        DataError: the length is no whole number of records, or a label is out of range.

    Example:
        >>> images, labels = binary_batch(bytes([7]) + bytes(3072), "data_batch_1.bin")
        >>> images.shape, labels
        ((1, 3, 32, 32), array([7]))
    """
    count, rest = divmod(len(content), 1 + PIXELS)
    if rest or not count:
        raise damaged(source, f"records of {1 + PIXELS} bytes", f"{count} of them and {rest} bytes")
    records = np.frombuffer(content, np.uint8).reshape(count, 1 + PIXELS)
    labels = records[:, 0].astype(np.int64)
    check_labels(labels, CLASSES, source)
    return records[:, 1:].reshape(count, 3, SIDE, SIDE), labels


def pickled_batch(content: bytes, source: object) -> tuple[np.ndarray, np.ndarray]:
    """One batch of CIFAR-10's Python version: a pickled dictionary with ``data`` uint8 (N, 3072) and a list ``labels``.

    Nothing in the pickle is run; see ``read_pickle``.

    Returns:
        images uint8 (N, 3, 32, 32) and labels int64 (N,).

    Raises:
        DataError: the pickle is damaged, holds anything else, or a label is out of range.
    """
    from minigrad.interop.pickles import PickledArray, read_pickle

    batch = read_pickle(content, str(source))
    if not isinstance(batch, dict) or not {"data", "labels"} <= batch.keys():
        raise damaged(source, "a dictionary with data and labels", f"a {type(batch).__name__} without them")
    data, labels = batch["data"], batch["labels"]
    try:
        pixels = data.bytes_of(None, PIXELS) if isinstance(data, PickledArray) else None
    except ValueError as error:
        raise damaged(source, f"data as bytes of shape (N, {PIXELS})", str(error)) from error
    if pixels is None:
        raise damaged(source, f"data as bytes of shape (N, {PIXELS})", f"a {type(data).__name__}")
    if not isinstance(labels, list) or not all(type(label) is int for label in labels):
        raise damaged(source, "labels as a list of integers", f"a {type(labels).__name__} of something else")
    if len(labels) != len(pixels) or not labels:
        raise damaged(source, f"{len(pixels) or 'some'} labels, one for each image", f"{len(labels)}")
    largest = max(abs(label) for label in labels)
    if largest > 255:  # int64 need not hold what a pickle can
        row = next(row for row, label in enumerate(labels) if abs(label) == largest)
        raise damaged(source, f"labels from 0 to {CLASSES - 1}", f"one of {largest.bit_length()} bits in row {row}")
    numbers = np.array(labels, np.int64)
    check_labels(numbers, CLASSES, source)
    return pixels.reshape(len(pixels), 3, SIDE, SIDE), numbers


class _Gathered:
    """The batches as they come, in any order, put together in theirs. All are of one size, as the published ones are."""

    def __init__(self) -> None:
        self.came: dict[str, str] = {}
        self.rows = 0
        self.train = self.test = np.empty((0, 3, SIDE, SIDE), np.uint8)
        self.labels: dict[str, np.ndarray] = {}

    def add(self, name: str, source: str, content: bytes) -> None:
        batch, _, form = name.partition(".")
        if batch in self.came:
            raise damaged(source, f"one {batch}", f"{self.came[batch]} as well")
        images, labels = binary_batch(content, source) if form else pickled_batch(content, source)
        if not self.came:
            self.rows = len(images)
            self.train = np.empty((len(TRAIN_BATCHES) * self.rows, 3, SIDE, SIDE), np.uint8)
        if len(images) != self.rows:
            raise damaged(source, f"{self.rows} images, as in {next(iter(self.came))}", f"{len(images)}")
        if batch == TEST_BATCH:
            self.test = np.array(images)
        else:
            place = TRAIN_BATCHES.index(batch) * self.rows
            self.train[place : place + self.rows] = images
        self.came[batch], self.labels[batch] = source, labels

    def whole(self, source: object) -> Split:
        missing = [batch for batch in BATCHES if batch not in self.came]
        if missing:
            expected = f"all of {', '.join(BATCHES)}"
            if not self.came:
                raise damaged(source, expected, "none of them", "Choose CIFAR-10's archive, binary or Python version")
            remedy = "Unpack the whole archive, or name the archive itself"
            raise damaged(source, expected, f"no {', '.join(missing)}", remedy)
        train_labels = np.concatenate([self.labels[batch] for batch in TRAIN_BATCHES])
        return self.train, train_labels, self.test, self.labels[TEST_BATCH]


def batch_files(folder: Path) -> dict[str, Path]:
    """The files of a folder that bear the name of a CIFAR-10 batch, the binary ones before the pickled."""
    found = {}
    for batch in BATCHES:
        for path in (folder / f"{batch}.bin", folder / batch):
            if batch not in found and path.is_file():
                found[batch] = path
    return found


def read_cifar10_folder(folder: Path) -> Split:
    """CIFAR-10 from the folder into which its archive was unpacked.

    Returns:
        images uint8 (N, 3, 32, 32) and labels int64 (N,) to train on, and the same to test on.

    Raises:
        DataError: a batch is missing, damaged, or of another size than the rest.
    """
    gathered = _Gathered()
    for path in batch_files(folder).values():
        with _open(path) as file:
            gathered.add(path.name, str(path), _batch(file, path))
    return gathered.whole(folder)


def _batch(file: BufferedIOBase, source: object) -> bytes:
    content = file.read(_MOST_BATCH + 1)
    if len(content) > _MOST_BATCH:
        raise damaged(source, f"a batch of at most {_MOST_BATCH} bytes", "more")
    return content


class _Capped:
    """A stream that ends with an error once more has come out of it than any published archive holds."""

    def __init__(self, file: BufferedIOBase, source: Path) -> None:
        self.file, self.source, self.left = file, source, _MOST_ARCHIVE

    def read(self, size: int) -> bytes:
        content = self.file.read(size)
        self.left -= len(content)
        if self.left < 0:
            raise damaged(self.source, f"an archive of at most {_MOST_ARCHIVE} bytes", "more when it is unpacked")
        return content


def read_cifar10_archive(path: Path) -> Split:
    """CIFAR-10 from ``cifar-10-binary.tar.gz`` or ``cifar-10-python.tar.gz``, read in one go with nothing put on the disk.

    Members are known by their names; links are refused, and an archive that unpacks to more than half a GiB.

    Returns:
        as ``read_cifar10_folder``.

    Raises:
        DataError: the archive is cut short, damaged or hostile, or as in ``read_cifar10_folder``.
    """
    gathered = _Gathered()
    known = {*BATCHES, *(f"{batch}.bin" for batch in BATCHES)}
    with _open(path) as file:
        capped = _Capped(file, path)
        try:
            with tarfile.open(fileobj=capped, mode="r|") as archive:  # type: ignore[call-overload]
                for member in archive:
                    name = PurePosixPath(member.name).name
                    if name not in known:
                        continue
                    source = f"{path}: {member.name}"
                    if not member.isreg() or member.issparse():
                        raise damaged(source, "a plain file", "a link, folder or device", "Do not unpack this archive")
                    if member.size > _MOST_BATCH:
                        raise damaged(source, f"a batch of at most {_MOST_BATCH} bytes", f"{member.size}")
                    content = archive.extractfile(member)
                    if content is not None:
                        gathered.add(name, source, _exactly(content, member.size))
        except (ValueError, OverflowError, RecursionError) as error:  # from fields of a header that no archive has
            raise damaged(path, "a tar archive", f"a damaged one ({error})") from error
        while capped.read(_PIECE):  # what follows the archive's end, up to gzip's sum
            pass
    return gathered.whole(path)
