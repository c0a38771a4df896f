"""Folders of coloured shapes, of mixed sizes, modes and file types, and the commands run in this process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image, ImageDraw

import minigrad
from minigrad.cli import main
from minigrad.models.classifier import Card
from minigrad.models.classify import last_linear
from minigrad.train import Run

COLOURS = {"circle": (230, 60, 40), "cross": (60, 80, 240), "square": (40, 210, 60)}
KINDS = (("RGB", "png"), ("RGBA", "webp"), ("P", "gif"), ("RGB", "bmp"), ("L", "png"), ("RGB", "jpg"))
COLOUR = Card("cnn", {"width": 2, "hidden": 4, "dropout": 0.0}, (3, 8, 8), ("red", "green", "blue"), (0.5,) * 3, (0.25,) * 3)
SMALL = {"epochs": 6, "width": 4, "hidden": 16, "image_size": 8, "crop": 0, "lr": 0.02}  # a training of a moment


def shape(name: str, rng: np.random.Generator, size: tuple[int, int], mode: str = "RGB") -> Image.Image:
    """A coloured shape somewhere on a dark ground."""
    image = Image.new("RGB", size, tuple(int(v) for v in rng.integers(0, 60, 3)))
    draw, radius = ImageDraw.Draw(image), int(min(size) * rng.uniform(0.3, 0.45))
    x, y = (int(rng.integers(radius, side - radius + 1)) for side in size)
    box = (x - radius, y - radius, x + radius, y + radius)
    colour = COLOURS[name]
    if name == "circle":
        draw.ellipse(box, fill=colour)
    elif name == "square":
        draw.rectangle(box, fill=colour)
    else:
        draw.line((box[0], y, box[2], y), fill=colour, width=5)
        draw.line((x, box[1], x, box[3]), fill=colour, width=5)
    return image.convert(mode)


def shapes(
    root: Path, each: int, seed: int = 0, *, names: Mapping[str, str] | None = None, mixed: bool = True, side: int = 0
) -> Path:
    """So many files of each shape: root/circle/000.png, root/circle/001.webp, ...

    Args:
        root: the folder.
        each: files of each class.
        seed: of what is drawn.
        names: folder -> shape; default: each shape under its own name.
        mixed: files of several kinds and modes, else PNG in colour.
        side: pixels a side; 0: from 16 to 24, drawn for each.
    """
    rng = np.random.default_rng(seed)
    for folder, name in (names or {name: name for name in COLOURS}).items():
        (root / folder).mkdir(parents=True)
        for number in range(each):
            size = (side, side) if side else (int(rng.integers(16, 25)), int(rng.integers(16, 25)))
            mode, suffix = KINDS[number % len(KINDS)] if mixed else KINDS[0]
            shape(name, rng, size, mode).save(root / folder / f"{number:03}.{suffix}")
    return root


def made_run(
    folder: Path, card: Card, weights: dict[str, minigrad.Tensor] | None = None, settings: Mapping[str, object] | None = None
) -> Path:
    """A run folder with a model that nobody trained."""
    minigrad.manual_seed(0)
    model = {**card._asdict(), **{name: list(getattr(card, name)) for name in ("shape", "classes", "mean", "std")}}
    with Run(folder) as run:
        run.begin({"task": "classify", "data": "nowhere", "data_digest": "", "settings": settings or {}, "model": model})
        minigrad.save(dict(card.build().state_dict()) if weights is None else weights, run.model)
    return folder


LIVELY = COLOUR._replace(options={"width": 8, "hidden": 16, "dropout": 0.0})  # wide enough that its answers go by the image


def lively() -> dict[str, minigrad.Tensor]:
    """Weights for ``LIVELY`` that nobody trained; those of the last layer are large, so that its answers are far apart."""
    minigrad.manual_seed(3)
    network = LIVELY.build()
    last = f"{last_linear(network)}.weight"
    return {name: tensor * 20 if name == last else tensor for name, tensor in network.state_dict().items()}


def trained_run(data: Path, run: Path, **settings: object) -> Path:
    """A run folder of a training with the settings of ``SMALL`` and others, by the command itself."""
    words = setting_words({**SMALL, **settings})
    assert main(["train", "classify", "--data", str(data), "--out", str(run), *words]) == 0
    return run


class Told(NamedTuple):
    """What a command gave."""

    code: int
    out: str
    err: str


class Commands:
    """Runs commands in this process."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self.capture = capture

    def __call__(self, *words: object) -> Told:
        self.capture.readouterr()
        code = main([str(word) for word in words])
        out, err = self.capture.readouterr()
        assert "Traceback" not in err
        return Told(code, out, err)

    def train(self, data: object, out: Path, **settings: object) -> Told:
        """Train on a folder with the settings of ``SMALL`` and others."""
        return self("train", "classify", "--data", data, "--out", out, *setting_words({**SMALL, **settings}))

    def refused(self, *words: object) -> str:
        """The message of a command that must be refused: exit code 2, and one error, which is the last that is said."""
        code, _, err = self(*words)
        assert code == 2, err
        *before, told = f"\n{err}".split("\nerror: ")
        assert len(before) == 1, err
        return " ".join(told.split())


def setting_words(settings: Mapping[str, object]) -> list[str]:
    """Settings as the words of a command."""
    return [word for key, value in settings.items() if value is not None for word in ("--set", f"{key}={value}")]


def command(*words: object, **environment: str | None) -> tuple[list[str], dict[str, str]]:
    """A command for a process of its own, and its environment: that of here, with changes (``None``: without)."""
    changed = {**os.environ, **environment}
    kept = {name: value for name, value in changed.items() if value is not None}
    return [sys.executable, "-m", "minigrad", *map(str, words)], kept


def run(*words: object, **environment: str | None) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own."""
    line, kept = command(*words, **environment)
    return subprocess.run(line, env=kept, capture_output=True, text=True, errors="replace", timeout=120, check=False)


def tree(root: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def rows(run: Path) -> list[dict[str, float]]:
    """The rows of a run's metrics."""
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
