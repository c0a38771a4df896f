"""Small files of sentence pairs that translators are trained on in tests, settings of a moment, and run folders of such."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import minigrad
from minigrad.data.wordtokens import Words
from minigrad.models.translator_card import Card
from minigrad.train import Run
from tests.pair_files import tsv

WHO = {"Mary": "María", "The boy": "El niño", "My father": "Mi padre"}
DOES = {"sees": "ve", "opens": "abre", "sells": "vende"}
WHAT = {"dog": "el perro", "door": "la puerta", "book": "el libro", "car": "el coche"}
LIKE = {"": "", "red ": " de color rojo", "small ": " de tamaño pequeño"}
TINY: dict[str, Any] = {
    "vocabulary": "words", "min_count": 1, "hidden": 6, "embedding": 4, "tokens": 80, "epochs": 1.0, "dropout": 0.1,
    "average": 2, "judged": 6, "prefetch": 0,
}  # fmt: skip
OPTIONS: dict[str, Any] = {
    "cell": "lstm", "hidden": 6, "layers": 1, "embedding": 4, "attention": "general", "feeding": True, "residual": False,
    "dropout": 0.0, "tied": "none",
}  # fmt: skip


def rows(count: int = 40, seed: int = 0) -> list[tuple[str, str]]:
    """So many of 108 different English sentences with their translations."""
    made = []
    for (who, quien), (does, hace), (what, que), (like, como) in itertools.product(
        *(d.items() for d in (WHO, DOES, WHAT, LIKE))
    ):
        made.append((f"{who} {does} the {like}{what}.", f"{quien} {hace} {que}{como}."))
    return random.Random(seed).sample(made, count)


def pairs(path: Path, count: int = 40, seed: int = 0) -> Path:
    """A file with tabs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(tsv(list(rows(count, seed))), encoding="utf-8")
    return path


def two_files(folder: Path, languages: tuple[str, str] = ("en", "es"), count: int = 40, stem: str = "talks") -> str:
    """Two files whose lines belong together, as ``--data`` takes them."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for side, language in enumerate(languages):
        path = folder / f"{stem}.{language}"
        path.write_text("".join(f"{row[side]}\n" for row in rows(count)), encoding="utf-8")
        paths.append(str(path))
    return ",".join(paths)


def card(**options: Any) -> Card:
    """The card of a small network with the words of both languages."""
    words = [Words.learn([row[side] for row in rows(108)], min_count=1) for side in (0, 1)]
    return Card(("en", "es"), words[0], words[1], {**OPTIONS, **options})


def translator_run(folder: Path, made: Card | None = None, end: float = 0.0) -> Path:
    """A run folder with a translator that nobody trained; ``end`` makes it come to an end the sooner."""
    made = made or card()
    minigrad.manual_seed(0)
    network = made.build()
    with minigrad.no_grad():
        network.head.bias[3] += end
    with Run(folder) as run:
        run.begin({"task": "translate", "data": "nowhere", "data_digest": "", "settings": {}, "model": made.to_config()})
        minigrad.save(dict(network.state_dict()), run.model)
    return folder
