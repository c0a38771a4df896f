"""Labelled images in memory and in files: the same bytes, subsets, names, digests."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minigrad.data import DataLoader, LabelledImages, open_images, pixels
from minigrad.data.pixels import in_threads
from minigrad.errors import DataError, DTypeError, IndexingError, ShapeError
from tests.image_files import folder, noise, save

IMAGES = np.arange(4 * 3 * 2 * 2, dtype=np.uint8).reshape(4, 3, 2, 2)


def some() -> LabelledImages:
    return LabelledImages(IMAGES, [0, 1, 0, 1], ["cat", "dog"], ["a", "b", "c", "d"])


def test_what_a_set_holds() -> None:
    images = some()
    assert (len(images), images.shape, images.classes) == (4, (3, 2, 2), ("cat", "dog"))
    assert images.labels.dtype == np.int64
    image, label = images[-1]
    assert np.array_equal(image, IMAGES[3]) and label == 1 and type(label) is int
    assert repr(images) == "LabelledImages(4 of 3x2x2, 2 classes)"
    assert LabelledImages(IMAGES, [0] * 4, ["cat"]).names == ["image 0", "image 1", "image 2", "image 3"]


def test_pixels_are_the_callers_own() -> None:
    images = some()
    for taken in (images.pixels([1, 1, -1]), images[1][0][None], images.subset([1]).pixels([0])):
        assert np.array_equal(taken[0], IMAGES[1])
        taken[:] = 0
    assert np.array_equal(images.pixels(range(4)), IMAGES)
    assert images.pixels([]).shape == (0, 3, 2, 2)


def test_subsets_of_subsets() -> None:
    part = some().subset([3, 2, 0]).subset(np.array([2, 0]))
    assert part.names == ["a", "d"]
    assert part.labels.tolist() == [0, 1]
    assert np.array_equal(part.pixels([0, 1]), IMAGES[[0, 3]])
    again = pickle.loads(pickle.dumps(part))
    assert np.array_equal(again.pixels([1]), IMAGES[[3]])
    assert len(part.subset([])) == 0


def test_a_loader_takes_them_in_batches() -> None:
    (first, labels), (second, _) = DataLoader(some(), batch_size=3)
    assert first.shape == (3, 3, 2, 2) and labels.tolist() == [0, 1, 0]
    assert np.array_equal(second.numpy(), IMAGES[3:])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            (IMAGES.astype(np.float32), [0] * 4, "a"),
            DTypeError,
            r"pixels: expected uint8, got float32\. Scale them to 0\.\.255",
        ),
        ((IMAGES[0], [0] * 4, "a"), ShapeError, r"\(N, C, H, W\) with C 1 or 3, got \(3, 2, 2\)"),
        ((IMAGES[:, :2], [0] * 4, "a"), ShapeError, r"with C 1 or 3, got \(4, 2, 2, 2\)"),
        ((IMAGES, [0.5] * 4, "a"), DTypeError, r"labels: expected whole numbers, got float64"),
        ((IMAGES, [0] * 3, "a"), ShapeError, r"one for each of 4 images, got labels of shape \(3,\) and 4 names"),
        ((IMAGES, [0] * 4, "a", ["x"]), ShapeError, r"got labels of shape \(4,\) and 1 names"),
        ((IMAGES, [0, 1, 2, 7], "abc"), IndexingError, r"labels: expected class numbers from 0 to 2, got 7 at image 3"),
        ((IMAGES, [0, -1, 0, 0], "abc", list("wxyz")), IndexingError, r"got -1 at x"),
    ],
)
def test_what_is_no_set_of_labelled_images(arguments: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        LabelledImages(*arguments)


def test_numbers_of_no_image() -> None:
    images = some()
    for take in (images.pixels, images.subset, images.take_batch):
        with pytest.raises(IndexingError, match="expected a number from -4 to 3, got 4"):
            take([0, 4])
        with pytest.raises(DTypeError, match="indices: expected a list of whole numbers"):
            take([0.5])  # type: ignore[list-item]
    with pytest.raises(IndexingError):
        images[4]


# ---------------------------------------------------------------------- in files


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    root = folder(tmp_path / "pets", {"cat": 10, "dog": 10})
    for name in ("cat", "dog"):
        save(root / name / "big.jpg", noise(300, 200, len(name)))
    return root


def test_the_same_bytes_from_memory_and_from_files(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_memory = open_images(str(pets), image_size=16)
    monkeypatch.setattr(pixels, "IN_MEMORY", 22 * 3 * 16 * 16 - 1)
    in_files = open_images(str(pets), image_size=16)
    assert in_files.digest == in_memory.digest
    for one, other in zip(in_memory[:2], in_files[:2], strict=True):
        everything = range(len(one))
        assert one.names == other.names
        assert np.array_equal(one.labels, other.labels)
        assert np.array_equal(one.pixels(everything), other.pixels(everything))
        assert np.array_equal(one[3][0], other[3][0])
    (said,) = set(in_files.policy) - set(in_memory.policy)
    assert said.startswith("memory: the pixels would take 0.0 GiB, so the files are read in each pass; one that is damaged")

    (pets / in_files.train.names[2]).write_bytes(b"")
    in_files.train.pixels([0, 1])
    with pytest.raises(DataError, match="expected an image, got an empty file"):
        in_files.train.pixels([1, 2])


def test_decoded_images_are_what_the_files_hold(pets: Path) -> None:
    from minigrad.data import read_image

    data = open_images(str(pets))
    for part in data[:2]:
        for name, image in zip(part.names, part.pixels(range(len(part))), strict=True):
            assert np.array_equal(image, read_image(pets / name, part.shape))


def test_progress_is_told(pets: Path) -> None:
    calls: list[tuple[str, int, int]] = []
    open_images(str(pets), progress=lambda *call: calls.append(call))
    assert calls == [(doing, done, 22) for doing in ("reading", "decoding") for done in range(1, 23)]


def test_the_digest_is_that_of_contents_names_and_labels(pets: Path, tmp_path: Path) -> None:
    digest = open_images(str(pets)).digest
    assert len(bytes.fromhex(digest)) == 32
    moved = Path(shutil.copytree(pets, tmp_path / "elsewhere" / "other"))
    assert open_images(str(moved), image_size=8, seed=5, holdout=0.3).digest == digest
    (moved / "notes.txt").write_text("no image")
    assert open_images(str(moved)).digest == digest

    changes = {
        "content": lambda: save(moved / "cat" / "0.png", noise(seed=99)),
        "name": lambda: (moved / "cat" / "1.png").rename(moved / "cat" / "one.png"),
        "label": lambda: (moved / "cat" / "2.png").rename(moved / "dog" / "22.png"),
        "class name": lambda: (moved / "cat").rename(moved / "chat"),
        "one fewer": lambda: (moved / "dog" / "3.png").unlink(),
    }
    seen = {digest}
    for change in changes.values():
        change()
        seen.add(open_images(str(moved)).digest)
    assert len(seen) == 1 + len(changes)


def test_the_digest_of_arrays() -> None:
    digest = open_images("mnist5k").digest
    assert open_images("mnist5k", image_size=14, seed=3).digest == digest


def test_users_own_copy_of_a_published_set(tmp_path: Path) -> None:
    import gzip

    def idx(array: np.ndarray) -> bytes:
        sizes = np.array(array.shape, ">u4").tobytes()
        return gzip.compress(bytes((0, 0, 8, array.ndim)) + sizes + array.astype(np.uint8).tobytes())

    images = np.random.default_rng(0).integers(0, 256, (60, 8, 8), np.uint8)
    labels = np.arange(60) % 10
    for part in ("train", "t10k"):
        (tmp_path / f"{part}-images-idx3-ubyte.gz").write_bytes(idx(images))
        (tmp_path / f"{part}-labels-idx1-ubyte.gz").write_bytes(idx(labels))
    data = open_images(str(tmp_path))
    assert data.test is not None
    assert [len(part) for part in (data.train, data.validation, data.test)] == [50, 10, 60]
    assert (
        data.policy[0] == f"the idx files of MNIST in {tmp_path}: 120 images in 10 classes of 12: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9"
    )


# ---------------------------------------------------------------------- threads


def test_threads_keep_the_order_and_stop_at_an_error() -> None:
    assert list(in_threads(lambda x: x * x, range(500))) == [x * x for x in range(500)]
    tried: list[int] = []

    def one(x: int) -> int:
        tried.append(x)
        return 1 // (x - 10)

    with pytest.raises(ZeroDivisionError):
        list(in_threads(one, range(100_000)))
    assert len(tried) < 1000
    assert next(iter(in_threads(abs, iter(range(-5, 0))))) == 5  # one who takes no more leaves nothing running
