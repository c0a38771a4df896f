"""What a network learns to write from: the parts of the data with one alphabet and one scale."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from minigrad.data.characters import Characters
from minigrad.data.holdout import rank
from minigrad.data.strokes import Strokes, offset_scale
from minigrad.data.words import counted, listed
from minigrad.data.written import Source, Written

_NEVER = "never shown"


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

    Where the other parts have characters that the first has not, a line of the policy says which.

    Example:
        >>> from minigrad.data.written import Recorded
        >>> dash, tick = Strokes("-", [[0, 0, 0], [3, 0, 0], [-3, 0, 1]]), Strokes("v", [[0, 0, 0], [1, 2, 0], [1, -2, 1]])
        >>> data = stroke_data(Recorded([dash]), Recorded([tick]), None, [dash], [], "")
        >>> data.alphabet.symbols, f"{data.scale:.2f}", data.policy
        (('-', 'v'), '2.12', ("never shown: 1 character is in no text to learn from, and will not be learned: 'v'",))
    """
    others = [*validation.texts, *(test.texts if test is not None else ())]
    learned = set("".join(train.texts))
    alphabet = Characters(sorted(learned.union(*others)))
    scale = offset_scale(measured)
    height = float(np.median([item.box[3] - item.box[1] for item in measured]))
    last = None if test is None else Written(test, alphabet, scale)
    parts = Written(train, alphabet, scale), Written(validation, alphabet, scale)
    lines = [line for line in policy if not line.startswith(_NEVER)]
    if unlearned := sorted(set(alphabet.symbols) - learned):
        words = f"{counted(len(unlearned), 'character')} {'is' if len(unlearned) == 1 else 'are'} in no text to learn from"
        lines.append(f"{_NEVER}: {words}, and will not be learned: {listed(list(map(repr, unlearned)), 20)}")
    return StrokeData(*parts, last, alphabet, scale, height, tuple(lines), digest)


def held_out_groups(groups: Sequence[str], share: float, seed: int, texts: Sequence[str] | None = None) -> np.ndarray:
    """Which items are held out, bool (N,): a share of the groups, one at least, whole groups, by a hash of seed and name.

    A group whose texts have characters that would be nowhere among the others is passed over, so that there may be fewer than
    the share; where that is so of all groups, the first one is held out.

    Args:
        groups: the group that each item belongs to.
        share: of the groups.
        seed: of the choice.
        texts: of each item; ``None`` where all characters are there often.

    Example:
        >>> held_out_groups(["anna", "anna", "ben", "cleo"], 0.3, 0).tolist()
        [False, False, True, False]
        >>> held_out_groups(["anna", "anna", "ben", "cleo"], 0.3, 0, ["an", "na", "be", "an"]).tolist()
        [False, False, False, True]
    """
    ranked = sorted(set(groups), key=lambda group: rank(seed, group))
    most = asked_for(share, len(ranked))
    out = set(ranked[:most]) if texts is None else _replaceable(groups, ranked, most, texts)
    return np.array([group in out for group in groups])


def asked_for(share: float, groups: int) -> int:
    """How many of so many groups a share is: one at least, and not all.

    Example:
        >>> asked_for(0.1, 4), asked_for(0.99, 4)
        (1, 3)
    """
    return max(1, min(round(share * groups), groups - 1))


def _replaceable(groups: Sequence[str], ranked: Sequence[str], most: int, texts: Sequence[str]) -> set[str]:
    """The first groups, at most so many, without which all characters are still there; the first of all where none is."""
    own: dict[str, Counter[str]] = {group: Counter() for group in ranked}
    for group, text in zip(groups, texts, strict=True):
        own[group].update(text)
    left: Counter[str] = Counter()
    for counts in own.values():
        left.update(counts)
    out: set[str] = set()
    for group in ranked:
        if len(out) < most and all(left[character] > count for character, count in own[group].items()):
            left.subtract(own[group])
            out.add(group)
    return out or {ranked[0]}


__all__ = ["StrokeData", "asked_for", "held_out_groups", "stroke_data"]
