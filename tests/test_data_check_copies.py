"""Pictures that are there twice: by bytes, by pixels and nearly; in a class, under two labels, and in two parts."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from minigrad.data.check import check_images
from minigrad.data.check.likeness import near_copies, thumbnail
from tests.checked_folders import clean_parts, copy_of, lines, scene, told


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clean_parts(tmp_path_factory.mktemp("parts"))


def again(source: Path, target: Path, width: int | None = None, **options: Any) -> None:
    """The same picture, saved anew."""
    with Image.open(source) as image:
        (image if width is None else image.resize((width, width))).save(target, **options)


def brightened(source: Path, target: Path) -> None:
    with Image.open(source) as image:
        image.point(lambda value: min(255, value + 12)).save(target)


COPIES: list[tuple[str, str, Callable[[Path, Path], object], str, str]] = [
    ("train/cat/3.png", "train/cat/x.png", shutil.copy, "note duplicate", "the same bytes"),
    ("train/cat/3.png", "train/cat/deep/x.png", shutil.copy, "note duplicate", "the same bytes"),
    ("train/cat/3.png", "train/cat/x.png", lambda a, b: b.symlink_to(a), "note duplicate", "the same bytes"),
    ("train/cat/3.png", "train/cat/x.bmp", again, "note duplicate", "the same pixels"),
    ("train/cat/3.png", "train/dog/x.png", shutil.copy, "error two-labels", "the same bytes"),
    ("train/cat/3.png", "train/dog/x.tif", again, "error two-labels", "the same pixels"),
    ("test/cat/3.png", "train/dog/x.png", shutil.copy, "error two-labels", "the same bytes"),
    ("test/cat/3.png", "train/cat/x.png", shutil.copy, "error leak", "the same bytes"),
    ("test/cat/3.png", "train/cat/x.bmp", again, "error leak", "the same pixels"),
    ("train/cat/3.png", "train/cat/x.jpg", lambda a, b: again(a, b, quality=60), "note near-duplicate", ""),
    ("train/cat/3.png", "train/cat/x.png", lambda a, b: again(a, b, 48), "note near-duplicate", ""),
    ("train/cat/3.png", "train/cat/x.png", brightened, "note near-duplicate", ""),
    ("train/cat/3.png", "train/dog/x.jpg", again, "warning near-two-labels", ""),
    ("test/cat/3.png", "train/cat/x.jpg", again, "warning near-leak", ""),
]


@pytest.mark.parametrize(("source", "target", "copy", "expected", "detail"), COPIES)
def test_a_copy(
    source: str,
    target: str,
    copy: Callable[[Path, Path], object],
    expected: str,
    detail: str,
    parts: Path,
    tmp_path: Path,
) -> None:
    folder = copy_of(parts, tmp_path)
    (folder / target).parent.mkdir(exist_ok=True)
    copy(folder / source, folder / target)
    report = check_images(folder)
    assert told(report) == expected
    (finding,) = report.findings
    (item,) = finding.items
    assert (set(item.files), item.detail) == ({source, target}, detail)
    moved = {"duplicate": 1, "leak": 1, "two-labels": 2}.get(expected.split()[1], 0)
    assert len(report.set_aside) == moved
    if expected == "error leak":
        assert report.set_aside == {target: f"leak: {detail} as {source}"}


def test_of_many_copies_one_stays(parts: Path, tmp_path: Path) -> None:
    folder = copy_of(parts, tmp_path)
    for name in ("train/cat/x.png", "train/cat/y.png", "test/cat/z.png"):
        shutil.copy(folder / "train/cat/3.png", folder / name)
    report = check_images(folder)
    assert lines(report, "leak") == ["train/cat/3.png = train/cat/x.png = train/cat/y.png = test/cat/z.png: the same bytes"]
    assert list(report.set_aside) == ["train/cat/3.png", "train/cat/x.png", "train/cat/y.png"]


def test_near_copies_among_many() -> None:
    base = np.stack([thumbnail(scene(seed).transpose(2, 0, 1)) for seed in range(300)])
    assert near_copies(base) == []
    noise = np.random.default_rng(0).integers(-3, 4, base[:2].shape)
    more = np.clip(base[[5, 7]].astype(int) + noise, 0, 255).astype(np.uint8)
    assert near_copies(np.concatenate([base, more, base[5:6]])) == [[5, 300, 302], [7, 301]]
    flipped = base[:2, :, :, ::-1]
    assert near_copies(np.concatenate([base, flipped])) == []
    other_colours = base[:2, [1, 2, 0]]
    assert near_copies(np.concatenate([base, other_colours])) == []


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_near_copies_among_few(count: int) -> None:
    base = np.stack([thumbnail(scene(seed).transpose(2, 0, 1)) for seed in range(5)])[:count]
    assert near_copies(base) == []
    assert near_copies(np.concatenate([base, base])) == [[i, i + count] for i in range(count)]


def test_blank_images_are_compared_by_pixels_only() -> None:
    flat = np.stack([np.full((3, 16, 16), value, np.uint8) for value in range(100, 140)])
    assert near_copies(flat) == []
