"""Hands that nobody trained, as run folders; and one that writes each letter as an upright stroke on the line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import minigrad
from minigrad.data.characters import Characters
from minigrad.data.strokes import Strokes
from minigrad.models.scribe import Card, Scribe, Writing
from minigrad.train import Run

OPTIONS: dict[str, Any] = {"hidden": 6, "windows": 2, "mixtures": 2, "pace": 0.4, "dropout": 0.0}
CARD = Card(Characters(" .abcdeh'"), OPTIONS, scale=2.0, height=20.0, step=3.0, floor=-6.0, letters=9)


def hand_run(folder: Path, card: Card = CARD) -> Path:
    """A run folder with a hand."""
    minigrad.manual_seed(0)
    with Run(folder) as run:
        config = {"data": "nowhere", "data_digest": "", "settings": {}, "model": card.to_config()}
        run.begin({"task": "handwriting", **config})
        minigrad.save(dict(card.build().state_dict()), run.model)
    return folder


class Upright(Scribe):
    """Writes each letter as a stroke of the card's height, ten units apart, and looks at it meanwhile.

    Attributes:
        calls: the texts, seed and style of each time that it wrote.
    """

    def __init__(self, card: Card = CARD) -> None:
        super().__init__(card, card.build())
        self.calls: list[tuple[list[str], int, Strokes | None]] = []

    def write(self, texts: Sequence[str], *, bias: float = 0.0, seed: int = 0, style: Strokes | None = None) -> list[Writing]:
        self.calls.append((list(texts), seed, style))
        found = []
        for text in texts:
            strokes = [[[10 * x, -self.card.height], [10 * x, 0]] for x in range(1, len(text) + 1)]
            window = np.repeat(np.eye(len(text), dtype=np.float32), 2, axis=0)
            found.append(Writing(Strokes.of_lines(text, strokes, origin=(0.0, 0.0)), window))
        return found
