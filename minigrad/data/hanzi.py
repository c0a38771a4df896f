"""Chinese characters as the middle lines of their strokes, in the order in which they are written: hanzi-writer-data."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Sequence

import numpy as np

from minigrad.data.hand import HEIGHT, STEP, draw_by_hand
from minigrad.data.holdout import usual_share
from minigrad.data.polyline import evenly
from minigrad.data.sources import Progress, dataset, fetch
from minigrad.data.stroke_data import StrokeData, held_out_groups, stroke_data
from minigrad.data.strokes import Strokes
from minigrad.data.words import counted

NAME = "hanzi-writer-data"
_MEASURED = 128  # characters from which the scale is found
_SIDE, _BELOW = 1024, 124  # the square of each character in units of the set, and how far it reaches below 0, y up
_UNIT = 1.2 * HEIGHT / _SIDE  # a little higher than a capital letter
_VALIDATION = (1 << 63) - 1  # the epoch of what is held out


class Varied:
    """Drawings that a hand makes anew in each epoch: a ``Source``.

    Args:
        drawings: the lines of each text, as ``draw_by_hand`` takes them.
        seed, strength, step: of what differs.
        epoch: the only one there is; ``None`` for as many as are asked for.
    """

    def __init__(
        self, drawings: dict[str, Sequence[np.ndarray]], seed: int, strength: float, step: float, epoch: int | None = None
    ) -> None:
        self.texts: Sequence[str] = list(drawings)
        self.names: Sequence[str] = self.texts
        self.lines = list(drawings.values())
        self.seed, self.strength, self.step, self.epoch = seed, strength, step, epoch
        self.sizes = np.array([sum(map(len, evenly(lines, step))) for lines in self.lines], np.int64)

    def item(self, number: int, epoch: int) -> Strokes:
        """The drawing of that number as it is made in that epoch."""
        key = (self.seed, 1 + (epoch if self.epoch is None else self.epoch))
        text = self.texts[number]
        return draw_by_hand(text, self.lines[number], key, number, strength=self.strength, step=self.step, name=text)


def read_hanzi(progress: Progress | None = None) -> dict[str, Sequence[np.ndarray]]:
    """The strokes of each character: (k, 2) of x from its left edge and y down from its lower one, about as high as a letter.

    Raises:
        DataError: they cannot be had.
    """
    data = dataset(NAME)
    drawings: dict[str, Sequence[np.ndarray]] = {}
    with tarfile.open(fetch(data, data.files[0], progress), "r:gz") as archive:
        for member in archive:
            character = member.name.rpartition("/")[2].removesuffix(".json")
            file = archive.extractfile(member) if len(character) == 1 else None
            if file is not None:
                strokes = json.load(file)["medians"]
                drawings[character] = [_UNIT * np.array([[x, -y - _BELOW] for x, y in line], np.float64) for line in strokes]
    return dict(sorted(drawings.items()))


def open_hanzi(holdout: float | None, seed: int, strength: float, step: float | None, progress: Progress | None) -> StrokeData:
    """The characters, drawn anew in each epoch; held out are other drawings of some of them.

    A character that was never shown cannot be written, so that none is held out as such.

    Args, Raises: as of ``open_strokes``.
    """
    drawings = read_hanzi(progress)
    share = usual_share(len(drawings)) if holdout is None else holdout
    step = STEP if step is None else step
    out = held_out_groups(list(drawings), share, seed)
    some = {character: lines for (character, lines), chosen in zip(drawings.items(), out, strict=True) if chosen}
    train = Varied(drawings, seed, strength, step)
    validation = Varied(some, seed, strength, step, _VALIDATION)
    policy = (
        f"data: {counted(len(drawings), 'character')} of {NAME}, drawn anew in each pass",
        f"held out: other drawings of {counted(len(some), 'character')} ({share:.0%}), chosen with seed {seed}",
    )
    measured = [train.item(number, 0) for number in range(0, len(drawings), max(1, len(drawings) // _MEASURED))]
    return stroke_data(train, validation, None, measured, policy, dataset(NAME).files[0].sha256)


__all__ = ["NAME", "Varied", "open_hanzi", "read_hanzi"]
