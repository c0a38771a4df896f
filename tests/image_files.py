"""Folders of small images for the tests, made with Pillow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def noise(width: int = 12, height: int = 10, seed: int = 0, channels: int = 3) -> np.ndarray:
    """uint8 (H, W, C), or (H, W) for one channel."""
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def save(path: Path, image: Any = None, seed: int = 0, **options: Any) -> Path:
    """An image file; folders above it are made. By default noise in colour, of its own for each seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if image is None:
        image = noise(seed=seed)
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(path, **options)
    return path


def folder(root: Path, counts: Mapping[str, int], suffix: str = ".png") -> Path:
    """For each class (or part/class) so many images, all different: root/cat/0.png, root/cat/1.png, ..."""
    seed = 0
    for name, count in counts.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            save(root / name / f"{number}{suffix}", seed=(seed := seed + 1))
    return root
