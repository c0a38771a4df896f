"""Small galleries of bars that generators are trained on in tests, and settings of a moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad.models import gan
from minigrad.models.gan import Gan, GanSettings
from tests.image_files import save

TINY: dict[str, Any] = {
    "width": 2, "noise": 4, "batch_size": 8, "steps": 4, "prefetch": 0, "augment": False, "flip": False, "judge_images": 64,
}  # fmt: skip
KINDS = ("across", "down")


def bars(count: int, height: int = 8, width: int = 8, channels: int = 1, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 (N, C, H, W) of a bright bar on dark ground, no two of them the same, and 0 where it lies across, 1 down."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 40, (count, channels, height, width)).astype(np.uint8)
    labels = np.arange(count) % 2
    for image, label in zip(images, labels):
        at = rng.integers(1, (height, width)[label] - 2)
        part = image[:, at : at + 2] if label == 0 else image[:, :, at : at + 2]
        part += np.uint8(180)
    return images, labels


def gallery(root: Path, count: int = 40, *, classes: bool = False, **options: Any) -> Path:
    """A folder of PNG files of bars: flat, or with a sub-folder for each of the two classes."""
    for number, (image, label) in enumerate(zip(*bars(count, **options))):
        shown = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
        save((root / KINDS[label] if classes else root) / f"{number}.png", shown)
    return root


def quickly(patch: pytest.MonkeyPatch, judged: int = 64) -> None:
    """Let few images be judged, and that five times in a training."""
    patch.setattr(gan, "LOOKS", 5)
    patch.setattr(gan, "JUDGED", judged)


def task(data: Path | str, say: Any = lambda text: None, like: Any = None, **settings: Any) -> Gan:
    """The task with the settings of a moment, but for those that are given."""
    return Gan(str(data), GanSettings.of({**TINY, **settings}), say, like=like)


def steps(made: Gan, count: int) -> list[dict[str, float]]:
    """So many steps, and what each gives."""
    batches = made.batches()
    return [{name: float(value) for name, value in made.step(next(batches)).metrics.items()} for _ in range(count)]


def constant(network: Any, value: float = 0.5) -> None:
    """Let a generator make one image only: the last layer's weights are 0, its bias is a number."""
    with minigrad.no_grad():
        last = network.stages[-1][0]
        last.weight.fill_(0.0)
        last.bias.fill_(value)
