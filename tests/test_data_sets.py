"""The named sets from their files to arrays, in small, and what is told of them in a list."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from minigrad.data import load, sources
from minigrad.data.catalogue import named
from minigrad.data.images import class_names
from minigrad.errors import DataError
from tests import published_files as made
from tests.file_server import CONTENT, described, running, unused_port, without_proxies


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own, not made yet."""
    monkeypatch.setenv("MINIGRAD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def small_fashion(folder: Path, monkeypatch: pytest.MonkeyPatch, here: bool = True) -> dict[str, np.ndarray]:
    """A tiny set of Fashion-MNIST's form and name, in a system package's folder."""
    arrays = made.idx_arrays(height=28, width=28)
    made.write_idx(folder, arrays)
    files = []
    for name in made.IDX:
        path = folder / f"{name}.gz"
        packed = path.read_bytes()
        at = sources.SystemFile(str(path), "dataset-fashion-mnist", hashlib.sha256(packed).hexdigest(), len(packed))
        nowhere = sources.Upstream(f"http://127.0.0.1:{unused_port()}/{path.name}")
        files.append(described(path.name, gzip.decompress(packed), nowhere, system=at))
        if not here:
            path.unlink()
    known = sources.DATASETS["fashion-mnist"]
    small = sources.DataSet(known.name, tuple(files), known.licence, known.about, known.classes)
    monkeypatch.setitem(sources.DATASETS, "fashion-mnist", small)
    return arrays


def test_fashion_mnist(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = small_fashion(tmp_path / "system", monkeypatch)
    train_images, train_labels, test_images, test_labels = load("fashion-mnist")
    assert train_images.shape == (7, 1, 28, 28) and train_images.dtype == np.uint8 and train_labels.dtype == np.int64
    assert np.array_equal(train_images[:, 0], arrays[made.IDX[0]]) and np.array_equal(train_labels, arrays[made.IDX[1]])
    assert np.array_equal(test_images[:, 0], arrays[made.IDX[2]]) and np.array_equal(test_labels, arrays[made.IDX[3]])
    assert not cache.exists()


def test_fashion_mnist_without_package_and_network_names_all_that_is_missing(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_proxies(monkeypatch)
    small_fashion(tmp_path / "system", monkeypatch, here=False)
    with pytest.raises(DataError) as caught:
        load("fashion-mnist")
    words = str(caught.value)
    assert "run apt-get install dataset-fashion-mnist. Connect to the network. Or save a copy by hand: " in words
    for file in sources.DATASETS["fashion-mnist"].files:
        assert f"{file.name} with sha256 {file.sha256} as {sources.cached_path(file)}" in words
    present = sources.DATASETS["fashion-mnist"].files[2]
    sources.cached_path(present).write_bytes(bytes(present.size))
    with pytest.raises(DataError) as caught:
        load("fashion-mnist")
    assert f"{made.IDX[2]}.gz with" not in str(caught.value)


def test_cifar10(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = made.cifar_arrays(2)
    content = made.cifar_archive(arrays, "bin")
    file = described("cifar-10-binary.tar.gz", content)
    monkeypatch.setitem(sources.DATASETS, "cifar10", sources.DataSet("cifar10", (file,), "none", "photos"))
    cache.mkdir()
    sources.cached_path(file).write_bytes(content)
    data = load("cifar10")
    assert (data.train_images.shape, data.test_images.shape) == ((10, 3, 32, 32), (2, 3, 32, 32))
    assert data.train_labels[4:6].tolist() == arrays["data_batch_3"][1].tolist()
    assert np.array_equal(data.test_images.reshape(2, -1), arrays["test_batch"][0])


def test_get_brings_every_file_and_tells(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_proxies(monkeypatch)
    told: list[str] = []
    with running() as server:
        first, second = (described(name, CONTENT, sources.Upstream(f"{server}good")) for name in ("a.bin", "b.bin"))
        monkeypatch.setitem(sources.DATASETS, "pair", sources.DataSet("pair", (first, second), "MIT", "two files"))
        paths = sources.get("pair", lambda name, done, size: told.append(name))
    assert paths == (sources.cached_path(first), sources.cached_path(second))
    assert list(dict.fromkeys(told)) == ["a.bin", "b.bin"]
    with pytest.raises(DataError, match=r"expected one of mnist5k, fashion-mnist, .*, pair, got 'pears'"):
        sources.get("pears")


def test_overview(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def seen() -> dict[str, tuple[str, int, str | None]]:
        return {record.name: (record.state, record.to_fetch, record.path) for record in sources.overview()}

    small_fashion(tmp_path / "system", monkeypatch)
    files = sources.DATASETS["fashion-mnist"].files
    (digits,) = sources.DATASETS["mnist5k"].files
    assert {name: seen()[name] for name in named("images") + named("text")} == {
        "mnist5k": ("absent", 1_106_785, None),
        "fashion-mnist": ("system", 0, str(tmp_path / "system")),
        "cifar10": ("absent", 170_052_171, None),
        "shakespeare": ("absent", 2_061_715, None),
        "python-stdlib": ("system", 0, os.path.dirname(os.__file__)),
    }
    cache.mkdir()
    with open(sources.cached_path(digits), "wb") as file:
        file.truncate(digits.size)
    os.unlink(tmp_path / "system" / f"{made.IDX[1]}.gz")
    assert seen()["mnist5k"] == ("cached", 0, str(sources.cached_path(digits)))
    assert seen()["fashion-mnist"] == ("absent", files[1].size, None)
    for file in files:
        sources.cached_path(file).write_bytes(bytes(file.size))
    shutil.rmtree(tmp_path / "system")
    assert seen()["fashion-mnist"] == ("cached", 0, str(cache))
    for record in sources.overview():
        known = sources.DATASETS[record.name]
        assert (record.about, record.licence) == (known.about, known.licence)
        assert record.size == sum(file.size for file in known.files) or (known.folder and record.size > 1_000_000)


def test_class_names() -> None:
    assert class_names("mnist5k") == tuple("0123456789")
    assert class_names("fashion-mnist")[0::9] == ("T-shirt/top", "Ankle boot")
    assert class_names("cifar10")[0::9] == ("airplane", "truck")
    assert all(len(set(class_names(name))) == 10 for name in named("images"))
    for name in ("mnist", "shakespeare"):
        for call in (class_names, load):
            with pytest.raises(DataError, match=f"expected one of mnist5k, fashion-mnist, cifar10, got '{name}'"):
                call(name)
    with pytest.raises(DataError, match=r"got 'hershey'\. hershey holds handwriting: minigrad train handwriting takes it"):
        class_names("hershey")
    with pytest.raises(
        DataError, match=r"got 'mtcnn'\. mtcnn is a trained network, and named where a command asks for a MODEL"
    ):
        class_names("mtcnn")
    told = r"got 'example-photos'\. example-photos are for trained networks to look at: minigrad data get example-photos says"
    with pytest.raises(DataError, match=told):
        class_names("example-photos")


def test_what_debian_packs_and_what_is_published_differ_by_the_name_in_the_gzip_header() -> None:
    for file in sources.DATASETS["fashion-mnist"].files:
        name = file.name.removesuffix(".gz").encode() + b"\0"
        assert file.system is not None and file.system.size + len(name) == file.size
