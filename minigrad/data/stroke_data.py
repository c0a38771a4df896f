"""What a network learns to write from: the parts of the data with one alphabet and one scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from minigrad.data.characters import Characters
from minigrad.data.holdout import rank
from minigrad.data.strokes import Strokes, offset_scale
from minigrad.data.written import Source, Written


class StrokeData(NamedTuple):
    """What a network learns to write from.

    Attributes:
        train, validation: to learn from, and to choose by.
        test: to tell the result by; None where the data hold no such part.
        alphabet: the characters of all parts, sorted.
        scale: the standard deviation of the training part's offsets, by which batches are divided.
        height: of what is written, in the units of the offsets: the median of the heights of the training part's items.
        policy: lines to print: what was found, how it is split, what was left out and why.
        digest: sha256 of what the data are.
    """

    train: Written
    validation: Written
    test: Written | None
    alphabet: Characters
    scale: float
    height: float
    policy: tuple[str, ...]
    digest: str


def stroke_data(
    train: Source,
    validation: Source,
    test: Source | None,
    measured: Sequence[Strokes],
    policy: Sequence[str],
    digest: str,
) -> StrokeData:
    """The parts with the alphabet of all of them, and with the scale and height of some items of the first.

    Example:
        >>> from minigrad.data.written import Recorded
        >>> dash, tick = Strokes("-", [[0, 0, 0], [3, 0, 0], [-3, 0, 1]]), Strokes("v", [[0, 0, 0], [1, 2, 0], [1, -2, 1]])
        >>> data = stroke_data(Recorded([dash]), Recorded([tick]), None, [dash], [], "")
        >>> data.alphabet.symbols, f"{data.scale:.2f}"
        (('-', 'v'), '2.12')
    """
    texts = [*train.texts, *validation.texts, *(test.texts if test is not None else ())]
    alphabet = Characters(sorted(set("".join(texts))))
    scale = offset_scale(measured)
    height = float(np.median([item.box[3] - item.box[1] for item in measured]))
    last = None if test is None else Written(test, alphabet, scale)
    parts = Written(train, alphabet, scale), Written(validation, alphabet, scale)
    return StrokeData(*parts, last, alphabet, scale, height, tuple(policy), digest)


def held_out_groups(groups: Sequence[str], share: float, seed: int) -> np.ndarray:
    """Which items are held out, bool (N,): a share of the groups, one at least, whole groups, by a hash of seed and name.

    Args:
        groups: the group that each item belongs to.
        share: of the groups.
        seed: of the choice.

    Example:
        >>> held_out_groups(["anna", "anna", "ben", "cleo"], 0.3, 0).tolist()
        [False, False, True, False]
    """
    ranked = sorted(set(groups), key=lambda group: rank(seed, group))
    out = set(ranked[: max(1, round(share * len(ranked)))])
    return np.array([group in out for group in groups])


__all__ = ["StrokeData", "held_out_groups", "stroke_data"]
