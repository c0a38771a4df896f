"""Small stroke files that hands are trained on in tests, and settings that make a training take no time."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

LETTERS: dict[str, list[list[tuple[float, float]]]] = {
    "l": [[(0, -20), (0, -10), (0, 0)]],
    "v": [[(0, -12), (4, 0), (8, -12)]],
    "o": [[(4, -12), (0, -6), (4, 0), (8, -6), (4, -12)]],
    "t": [[(3, -18), (3, -9), (3, 0)], [(0, -12), (6, -12)]],
}
TINY: dict[str, Any] = {"hidden": 8, "windows": 2, "mixtures": 2, "batch_size": 4, "epochs": 1, "dropout": 0.1, "prefetch": 0}


def written(text: str, draw: random.Random, size: float = 1.0) -> list[list[list[float]]]:
    """The strokes of a text, a little uneven, from the left end of a line at y = 88."""
    strokes, left = [], 10.0
    for letter in text:
        for line in LETTERS.get(letter, []):
            strokes.append([[left + size * (x + draw.gauss(0, 0.3)), 88 + size * (y + draw.gauss(0, 0.3)), 1] for x, y in line])
        left += size * 10
    return strokes


def hand(path: Path, count: int = 24, seed: int = 0, letters: str = "lvot", size: float = 1.0) -> Path:
    """A recorder's file with so many different texts of two or three letters each."""
    draw = random.Random(seed)
    texts = dict.fromkeys("".join(draw.choices(letters, k=draw.choice((2, 3)))) for _ in range(50 * count))
    pad = {"width": 640, "height": 272, "baseline": 88}
    words = [{"text": text, "pad": pad, "pointer": "pen", "strokes": written(text, draw, size)} for text in [*texts][:count]]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"format": "minigrad-strokes", "version": 1, "words": words}))
    return path
