"""Strokes as a hand takes them: with its own alphabet, as high as what it learned from, with points as far apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minigrad.data.pen import StrokeData, open_strokes
from minigrad.data.stroke_data import stroke_data
from minigrad.data.strokes import DENSE, DRAWINGS, Strokes
from minigrad.data.written import Source, Written
from minigrad.errors import DataError
from minigrad.models.begun import check_same, check_there, recipe
from minigrad.models.scribe import Card

if TYPE_CHECKING:
    from minigrad.models.handwriting_task import HandwritingSettings

MEASURED = 200  # items from which the usual step and pace are found
FAIR = 12  # points to a letter that are left where there are too many


class Manner(NamedTuple):
    """How strokes are written.

    Attributes:
        step: from point to point where the pen is down, usually.
        pace: letters for a point.
    """

    step: float
    pace: float


def manner(written: Written, otherwise: float) -> Manner:
    """The usual step and pace, from some of the items; where no pen moves, a step of ``otherwise``.

    Example:
        >>> from minigrad.data.characters import Characters
        >>> from minigrad.data.strokes import Strokes
        >>> from minigrad.data.written import Recorded
        >>> dash = Strokes("-", [[0, 0, 0], [3, 0, 0], [4, 0, 0], [3, 0, 1]])
        >>> manner(Written(Recorded([dash]), Characters("-"), 1.0), 1.0)
        Manner(step=3.0, pace=0.25)
    """
    some = [written[int(i)] for i in np.unique(np.linspace(0, len(written) - 1, min(MEASURED, len(written))).astype(int))]
    drawn = [item.points[1:][item.points[:-1, 2] == 0] for item in some]
    ways = np.concatenate([np.hypot(points[:, 0], points[:, 1]) for points in drawn])
    step = float(np.median(ways[ways > 0])) if (ways > 0).any() else otherwise
    pace = sum(len(item.text) for item in some) / sum(map(len, some))
    return Manner(float(f"{step:.4g}"), float(f"{min(1.0, pace):.4g}"))


def sparser(written: Written) -> float | None:
    """The distance between points that leaves ``FAIR`` of them to a letter, where texts have over ``DENSE``, or ``None``.

    A pad gives a point every few milliseconds, however short the way: more points take longer to learn and tell little.

    Example:
        >>> from minigrad.data.characters import Characters
        >>> from minigrad.data.strokes import Strokes
        >>> from minigrad.data.written import Recorded
        >>> line = Strokes("abc", [[2, 0, 0]] * 71 + [[2, 0, 1]])
        >>> sparser(Written(Recorded([line]), Characters("abc"), 1.0))
        4.0
    """
    step, pace = manner(written, 0.0)
    letters = sum(map(len, written.texts))
    if not step or pace * DENSE >= 1 or letters <= DRAWINGS * len(written):
        return None
    return float(f"{step / (pace * FAIR):.2g}")


def opened(data: str, settings: HandwritingSettings, progress: Any = None, spacing: float | None = None) -> StrokeData:
    """The data as the settings have them; ``spacing`` in place of theirs.

    Raises:
        DataError: they cannot be had or are not fit.
        ArgumentError: settings that do not go with them.
    """
    fonts = None if settings.fonts is None else [name.strip() for name in settings.fonts.split(",")]
    found = open_strokes(
        data, holdout=settings.holdout, seed=settings.seed, fonts=fonts, strength=settings.strength,
        step=settings.spacing if spacing is None else spacing, level=settings.level, progress=progress,
    )  # fmt: skip
    return found if settings.only is None else of_these(found, settings.only, data)


class Chosen:
    """Some of the written texts of a source: a ``Source``.

    Args:
        source: all of them.
        numbers: of those that there are.

    Example:
        >>> from minigrad.data.strokes import Strokes
        >>> from minigrad.data.written import Recorded
        >>> items = [Strokes(text, [[0, 0, 0], [3, 0, 1]]) for text in "abc"]
        >>> Chosen(Recorded(items), [2, 0]).item(0, 0).text
        'c'
    """

    def __init__(self, source: Source, numbers: Sequence[int]) -> None:
        self.source, self.numbers = source, list(numbers)
        self.texts: Sequence[str] = [source.texts[number] for number in self.numbers]
        self.names: Sequence[str] = [source.names[number] for number in self.numbers]
        self.sizes = source.sizes[self.numbers]

    def item(self, number: int, epoch: int) -> Strokes:
        """The item of that number, as the source writes it in that epoch."""
        return self.source.item(self.numbers[number], epoch)


def of_these(data: StrokeData, characters: str, what: str) -> StrokeData:
    """Those of the data whose texts have no other characters than these.

    Args:
        data: all of them.
        characters: that may be there.
        what: the name of the data, for messages.

    Raises:
        DataError: a part for training or validation has no such text.
    """

    def chosen(name: str, part: Written) -> Chosen:
        there = [number for number, text in enumerate(part.texts) if set(characters).issuperset(text)]
        if not there and name != "test":
            expected, remedy = f"texts of {characters!r} alone", "Name more characters: --set only=..."
            raise DataError("data", what, expected, f"none in the part for {name}", remedy)
        return Chosen(part.source, there)

    train, validation = chosen("training", data.train), chosen("validation", data.validation)
    test = None if data.test is None else chosen("test", data.test)
    if test is not None and not test.texts:
        test = None
    measured = [train.item(int(i), 0) for i in np.unique(np.linspace(0, len(train.texts) - 1, MEASURED).astype(int))]
    line = f"only texts of {characters!r}: {len(train.texts):,} to learn from, {len(validation.texts):,} held out"
    return stroke_data(train, validation, test, measured, (*data.policy, line), data.digest)


def spacing_like(data: StrokeData, card: Card) -> float:
    """The distance between points, in the units of the data, that what the hand learned from has at that height."""
    return float(f"{card.step * data.height / card.height:.4g}")


def in_its_terms(data: StrokeData, card: Card) -> StrokeData:
    """Data with the alphabet of a hand, and divided so that what is written is as high as what the hand learned from.

    Raises:
        DataError: a text with a character that the hand does not write.
    """
    scale = card.scale * (data.height / card.height)  # of a card of its own, exactly its scale

    def part(written: Written) -> Written:
        return Written(written.source, card.alphabet, scale)

    test = None if data.test is None else part(data.test)
    return StrokeData(part(data.train), part(data.validation), test, card.alphabet, scale, *data[5:])


def to_measure(config: Mapping[str, Any], data: str | None, progress: Any = None) -> tuple[list[Written], str]:
    """Strokes to measure a run's hand on, and what they are.

    Args:
        config: the run's.
        data: a named set or a path; ``None`` for the run's own data: the test part, else what was held out.
        progress: called as ``progress(doing, done, total)`` while the data are read.

    Raises:
        DataError: the data cannot be had, or have characters that the hand does not write.
        RunError: the config is damaged.
    """
    from minigrad.models.handwriting_task import HandwritingSettings

    card = Card.of(config.get("model"), "config.json")
    own, settings = recipe(config, "handwriting", HandwritingSettings)
    if data is None:
        check_there(own, "strokes")
        found = opened(own, settings, progress)
        check_same(found.digest, config, "strokes")
        found = in_its_terms(found, card)
        return ([found.validation], f"held-out part of {own}") if found.test is None else ([found.test], f"test part of {own}")
    usual = HandwritingSettings()
    first = opened(data, usual, progress)
    found = in_its_terms(opened(data, usual, progress, spacing_like(first, card)), card)
    return [part for part in (found.train, found.validation, found.test) if part is not None], data
