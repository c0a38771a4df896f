"""What a check finds about classes: missing, empty, small, unequal, or of nearly one name."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from minigrad.data.check import check_images
from minigrad.data.labelled import open_images
from minigrad.errors import MinigradError
from tests.checked_folders import clean_folder, clean_parts, copy_of, fill, told

Plant = Callable[[Path], object]


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clean_folder(tmp_path_factory.mktemp("clean"))


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clean_parts(tmp_path_factory.mktemp("parts"))


def add(name: str, count: int) -> Plant:
    return lambda folder: fill(folder / name, count)


ALIKE = "class names that differ in letter case, white space or underscore only:"
FEW = "1 class with fewer than"
CLASSES: list[tuple[Plant, str, str]] = [
    (lambda f: (f / "bird").mkdir(), "error empty-class", "1 class folder of train without images that can be read: bird"),
    (lambda f: shutil.rmtree(f / "dog"), "error one-class", "all images are of one class, cat"),
    (add("owl", 1), "error too-few, warning unequal, warning little-data", f"{FEW} 3 different images to train on: owl (1)"),
    (add("owl", 2), "error too-few, warning unequal, warning little-data", f"{FEW} 3 different images to train on: owl (2)"),
    (add("owl", 3), "warning few, warning little-data, note unequal", f"{FEW} 10 images to train on: owl (3)"),
    (add("owl", 9), "warning few, warning little-data", f"{FEW} 10 images to train on: owl (9)"),
    (add("owl", 12), "warning little-data", "52 images for 3 classes are little: 17 for each"),
    (add("owl", 59), "", ""),
    (add("owl", 60), "note unequal", "the largest class, owl, has 3.0 times the images of the smallest, cat"),
    (add("owl", 200), "warning unequal", "the largest class, owl, has 10.0 times the images of the smallest, cat"),
    (add("Cat", 20), "warning alike-names", f"{ALIKE} Cat and cat"),
    (add("dog ", 20), "warning alike-names", f"{ALIKE} dog and 'dog '"),
]


@pytest.mark.parametrize(("plant", "expected", "words"), CLASSES, ids=[f"{row[1]}-{row[2]}" for row in CLASSES])
def test_a_fault_of_the_classes(plant: Plant, expected: str, words: str, clean: Path, tmp_path: Path) -> None:
    folder = copy_of(clean, tmp_path)
    plant(folder)
    report = check_images(folder)
    assert told(report) == expected
    assert words in ["", *(finding.words for finding in report.findings)]
    assert report.set_aside == {}
    if report.errors:  # training refuses the same
        with pytest.raises(MinigradError):
            open_images(folder)
    else:
        open_images(folder)


def test_copies_of_one_image_are_no_three_images(clean: Path, tmp_path: Path) -> None:
    folder = copy_of(clean, tmp_path)
    fill(folder / "owl", 2)
    for name in ("a.png", "b.png"):
        shutil.copy(folder / "owl" / "0.png", folder / "owl" / name)
    assert f"{FEW} 3 different images to train on: owl (2)" in [finding.words for finding in check_images(folder).findings]


PARTS: list[tuple[Plant, str, str]] = [
    (lambda f: shutil.rmtree(f / "test" / "dog"), "error other-classes, note small-test", "test lacks dog"),
    (add("test/owl", 2), "error other-classes", "test has owl, which train has not"),
    (
        lambda f: (f / "test" / "dog").rename(f / "test" / "Dog"),
        "error other-classes",
        "test has Dog, which train has not; test lacks dog",
    ),
    (
        lambda f: [path.unlink() for path in (f / "test").rglob("1?.png")],
        "note small-test",
        "the test part holds 80 images: each is 1.2 % of the figure",
    ),
]


@pytest.mark.parametrize(("plant", "expected", "words"), PARTS, ids=[f"{row[1]}-{row[2]}" for row in PARTS])
def test_a_fault_of_the_parts(plant: Plant, expected: str, words: str, parts: Path, tmp_path: Path) -> None:
    folder = copy_of(parts, tmp_path)
    plant(folder)
    report = check_images(folder)
    assert told(report) == expected
    assert words in [finding.words for finding in report.findings]


def test_a_validation_part_is_checked_too(clean: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(clean, tmp_path / "pets" / "train").parent
    fill(folder / "val" / "cat", 5, 100)
    fill(folder / "val" / "dog", 5, 1100)
    shutil.copy(folder / "train/cat/3.png", folder / "val/cat/x.png")
    report = check_images(folder)
    assert report.counts["validation"] == {"cat": 6, "dog": 5}
    assert report.set_aside == {"train/cat/3.png": "leak: the same bytes as val/cat/x.png"}
