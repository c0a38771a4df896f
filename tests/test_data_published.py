"""A user's own copy of a published set: recognised in the layouts that archives and PyTorch make, or refused in words."""

from __future__ import annotations

import gzip
import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from minigrad.data import published
from minigrad.data.images import class_names
from minigrad.data.published import Published, open_published
from minigrad.errors import DataError
from tests import published_files as made

MNIST = made.idx_arrays()
CIFAR = made.cifar_arrays(1)


def check_idx(found: Published | None) -> None:
    assert found is not None
    train_images, train_labels, test_images, test_labels = found.arrays
    assert np.array_equal(train_images[:, 0], MNIST[made.IDX[0]]) and np.array_equal(train_labels, MNIST[made.IDX[1]])
    assert np.array_equal(test_images[:, 0], MNIST[made.IDX[2]]) and np.array_equal(test_labels, MNIST[made.IDX[3]])
    assert found.classes == tuple("0123456789")
    assert found.about.startswith("the idx files of MNIST in ")


def check_cifar(found: Published | None) -> None:
    assert found is not None
    assert found.arrays.train_images.shape == (5, 3, 32, 32) and found.arrays.test_images.shape == (1, 3, 32, 32)
    assert found.arrays.train_labels.tolist() == [int(CIFAR[name][1][0]) for name in made.BATCHES[:5]]
    assert found.classes == class_names("cifar10")
    assert found.about.startswith("the batches of CIFAR-10 in ")


def renamed(folder: Path, old: str, new: str) -> Path:
    for path in list(folder.iterdir()):
        path.rename(folder / path.name.replace(old, new))
    return folder


IDX_LAYOUTS: dict[str, Callable[[Path], Path]] = {
    "packed": lambda folder: made.write_idx(folder, MNIST),
    "plain": lambda folder: made.write_idx(folder, MNIST, packed=False),
    "both, as PyTorch leaves them": lambda folder: made.write_idx(made.write_idx(folder, MNIST), MNIST, packed=False),
    "with a point for a dash": lambda folder: renamed(made.write_idx(folder, MNIST), "-idx", ".idx"),
    "test for t10k": lambda folder: renamed(made.write_idx(folder, MNIST), "t10k", "test"),
    "PyTorch's NAME/raw": lambda folder: made.write_idx(folder / "raw", MNIST).parent,
    "PyTorch's root": lambda folder: made.write_idx(folder / "MNIST" / "raw", MNIST).parent.parent,
    "one of the files": lambda folder: made.write_idx(folder, MNIST) / f"{made.IDX[3]}.gz",
    "one of the packed files, with the plain ones beside it": lambda folder: (
        made.write_idx(made.write_idx(folder, MNIST), MNIST, packed=False) / f"{made.IDX[0]}.gz"
    ),
}
CIFAR_LAYOUTS: dict[str, Callable[[Path], Path]] = {
    "binary": lambda folder: made.write_batches(folder, CIFAR, "bin"),
    "Python": lambda folder: made.write_batches(folder, CIFAR, "py"),
    "around the binary folder": lambda folder: made.write_batches(folder / "cifar-10-batches-bin", CIFAR, "bin").parent,
    "around the Python folder": lambda folder: made.write_batches(folder / "cifar-10-batches-py", CIFAR, "py").parent,
    "one of the binary files": lambda folder: made.write_batches(folder, CIFAR, "bin") / "data_batch_3.bin",
    "one of the Python files": lambda folder: made.write_batches(folder, CIFAR, "py") / "test_batch",
    "the archive": lambda folder: archived(folder, "my.tar.gz"),
    "the archive unpacked by gzip": lambda folder: archived(folder, "my.tar"),
    "a folder with the archive": lambda folder: archived(folder, "cifar-10-python.tar.gz").parent,
}


def archived(folder: Path, name: str) -> Path:
    folder.mkdir()
    packed = made.cifar_archive(CIFAR, "py")
    (folder / name).write_bytes(packed if name.endswith("gz") else gzip.decompress(packed))
    return folder / name


@pytest.mark.parametrize("layout", IDX_LAYOUTS)
def test_idx_files(layout: str, tmp_path: Path) -> None:
    check_idx(open_published(IDX_LAYOUTS[layout](tmp_path / "data")))


@pytest.mark.parametrize("layout", CIFAR_LAYOUTS)
def test_cifar10(layout: str, tmp_path: Path) -> None:
    check_cifar(open_published(str(CIFAR_LAYOUTS[layout](tmp_path / "data"))))


def test_fashion_mnist_is_known_by_its_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = made.write_idx(tmp_path / "mine", MNIST)
    monkeypatch.setattr(published, "_FASHION_LABELS", hashlib.sha256(MNIST[made.IDX[1]].tobytes()).hexdigest())
    found = open_published(folder)
    assert found is not None
    assert found.classes[9] == "Ankle boot"
    assert found.about == f"the idx files of Fashion-MNIST in {folder}"


def test_anything_else_is_none(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for name in ("cat/1.png", "raw/2.png", "test_batch/3.png"):
        (photos / name).parent.mkdir(parents=True)
        (photos / name).write_bytes(b"...")
    for path in (photos, photos / "cat" / "1.png", tmp_path / "nowhere"):
        assert open_published(path) is None
    beside = made.write_idx(tmp_path / "idx", MNIST) / "notes.txt"
    beside.write_text("my own")
    assert open_published(beside) is None


@pytest.mark.parametrize("missing", made.IDX)
def test_a_missing_idx_file(missing: str, tmp_path: Path) -> None:
    folder = made.write_idx(tmp_path / "mine", {name: array for name, array in MNIST.items() if name != missing})
    words = f"{folder}: expected images and labels to train on and to test on, got no file named {missing}. Put the files"
    with pytest.raises(DataError) as caught:
        open_published(folder)
    assert words in str(caught.value)


def test_idx_files_of_two_sizes(tmp_path: Path) -> None:
    folder = made.write_idx(tmp_path / "mine", {**MNIST, made.IDX[2]: np.zeros((4, 28, 28), np.uint8)})
    words = r"t10k-images-idx3-ubyte\.gz: expected images of 5x6 pixels, as in train-images-idx3-ubyte\.gz, got 28x28\."
    with pytest.raises(DataError, match=words):
        open_published(folder)


def test_two_sets_side_by_side(tmp_path: Path) -> None:
    made.write_idx(tmp_path / "MNIST" / "raw", MNIST)
    made.write_idx(tmp_path / "FashionMNIST" / "raw", MNIST)
    with pytest.raises(DataError, match=r"expected one data set, got several, in .*FashionMNIST/raw and .*MNIST/raw\. Name"):
        open_published(tmp_path)
    check_idx(open_published(tmp_path / "MNIST"))
    made.write_batches(tmp_path / "mixed", CIFAR, "py")
    mixed = made.write_idx(tmp_path / "mixed", MNIST)
    with pytest.raises(DataError, match="expected one data set"):
        open_published(mixed)
    check_cifar(open_published(mixed / "test_batch"))  # a file says which of them


def test_an_archive_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "photos.tgz"
    path.write_bytes(gzip.compress(made.archive([("cat/1.png", b"...")])))
    with pytest.raises(DataError, match=r"got none of them\. Choose CIFAR-10's archive, binary or Python version"):
        open_published(path)


def test_a_folder_that_must_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(published.os, "scandir", refuse)
    with pytest.raises(DataError, match=r"expected a readable file or folder, got Permission denied"):
        open_published(tmp_path)


def test_a_batch_that_is_missing(tmp_path: Path) -> None:
    folder = made.write_batches(tmp_path / "mine", CIFAR, "bin")
    (folder / "data_batch_5.bin").unlink()
    with pytest.raises(DataError, match=r"got no data_batch_5\. Unpack the whole archive"):
        open_published(folder)
    shutil.copy(folder / "data_batch_1.bin", folder / "data_batch_5")  # of another form, and not one
    with pytest.raises(DataError, match=r"data_batch_5: expected a .*pickle"):
        open_published(folder)
