"""Folders of images for the tests of the check: clean ones, in which faults are then planted, and a report in few words."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from minigrad.data.check import Report
from tests.image_files import save

EACH = 20  # images of a class of the clean folder
HELD_OUT = 50  # images of a class in the test part of the clean folder that has one


def scene(seed: int, width: int = 24, height: int = 24) -> np.ndarray:
    """Coloured blots, of its own for each seed: uint8 (H, W, 3)."""
    blots = np.random.default_rng(seed).integers(0, 256, (5, 5, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(blots).resize((width, height), Image.Resampling.BICUBIC))


def fill(folder: Path, count: int, seed: int = 9000) -> None:
    """So many images of blots, 0.png, 1.png, ..."""
    for number in range(count):
        save(folder / f"{number}.png", scene(seed + number))


def clean_folder(root: Path) -> Path:
    """Two classes, in which there is nothing to find."""
    for place, label in enumerate(("cat", "dog")):
        fill(root / "pets" / label, EACH, 1000 * place)
    return root / "pets"


def clean_parts(root: Path) -> Path:
    """The same below train/, and a test part."""
    clean_folder(root).rename(root / "train")
    (root / "parts").mkdir()
    (root / "train").rename(root / "parts" / "train")
    for place, label in enumerate(("cat", "dog")):
        fill(root / "parts" / "test" / label, HELD_OUT, 5000 + 1000 * place)
    return root / "parts"


def copy_of(folder: Path, root: Path) -> Path:
    """A copy in which faults may be planted."""
    return shutil.copytree(folder, root / "pets")


def told(report: Report) -> str:
    """The findings in few words: ``"error leak, note junk"``."""
    return ", ".join(f"{finding.severity} {finding.kind}" for finding in report.findings)


def lines(report: Report, kind: str) -> list[str]:
    """Each item of a finding as text."""
    (finding,) = [finding for finding in report.findings if finding.kind == kind]
    return [" = ".join(item.files) + (f": {item.detail}" if item.detail else "") for item in finding.items]
