"""Small models of text that nobody trained, in memory and as run folders; and one whose next character is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import minigrad
from minigrad.data.characters import Characters
from minigrad.models.char_lstm import Card
from minigrad.models.writer import Writer
from minigrad.train import Run

SYMBOLS = '\n abcdeABCDE"().,'
OPTIONS: dict[str, Any] = {
    "cell": "lstm", "hidden": 6, "layers": 2, "embedding": 3, "dropout": 0.0, "layer_norm": False, "tied": False,
}  # fmt: skip


def card(vocabulary: Characters | str = SYMBOLS, **options: Any) -> Card:
    """The card of a small network."""
    known = Characters(vocabulary) if isinstance(vocabulary, str) else vocabulary
    return Card(known, {**OPTIONS, **options}, 16)


def writer(vocabulary: Characters | str = SYMBOLS, seed: int = 0, sharp: float = 4.0, **options: Any) -> Writer:
    """A writer with drawn weights, in float64; ``sharp`` makes it surer of what comes next."""
    minigrad.manual_seed(seed)
    made = card(vocabulary, **options)
    network = made.build().double()
    with minigrad.no_grad():
        for parameter in network.parameters():
            parameter.mul_(sharp)
    return Writer(made, network)


def cycling(symbols: str = "abc") -> Writer:
    """A writer that knows what comes next: the symbol after the last one, and after the last symbol the first."""
    made = card(symbols, cell="rnn", hidden=len(symbols), layers=1, embedding=0)
    network = made.build().double()
    size = len(symbols)
    with minigrad.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.layers[0].weight_ih_l0.copy_(minigrad.eye(size, dtype=minigrad.float64) * 9)  # h is 1 where the character is
        network.head.weight.copy_(minigrad.eye(size, dtype=minigrad.float64).roll(1, 0) * 50)
    return Writer(made, network)


def text_run(folder: Path, made: Card | None = None, seed: int = 0) -> Path:
    """A run folder with a model of text."""
    made = made or card()
    minigrad.manual_seed(seed)
    with Run(folder) as run:
        run.begin({"task": "text", "data": "nowhere", "data_digest": "", "settings": {}, "model": made.to_config()})
        minigrad.save(dict(made.build().state_dict()), run.model)
    return folder
