"""Words in stroke fonts, written anew in each epoch as by a hand."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from minigrad.data.hand import STEP, write_by_hand
from minigrad.data.hershey import NAME as HERSHEY
from minigrad.data.hershey import Font, check_fonts, numbers, read_fonts, read_words, texts_of
from minigrad.data.holdout import usual_share
from minigrad.data.sources import Progress, dataset
from minigrad.data.stroke_data import StrokeData, held_out_groups, stroke_data
from minigrad.data.strokes import Strokes
from minigrad.data.words import counted

NUMBERS = 700  # that are written beside the words
MEASURED = 128  # items from which the scale is found
_VALIDATION = (1 << 63) - 1  # the epoch of what is held out: always the same, and none of training


class Drawn:
    """Texts that a font writes by hand, anew in each epoch: a ``Source``.

    Args:
        texts: printable characters of ASCII.
        fonts: one is chosen for each item, in each epoch anew.
        seed: of all that differs.
        strength, step: as of ``write_by_hand``.
        epoch: the only one there is; ``None`` for as many as are asked for.
    """

    def __init__(
        self, texts: Sequence[str], fonts: Sequence[Font], seed: int, strength: float, step: float, epoch: int | None = None
    ) -> None:
        self.texts: Sequence[str] = list(texts)
        self.names: Sequence[str] = self.texts
        self.fonts = list(fonts)
        self.seed, self.strength, self.step, self.epoch = seed, strength, step, epoch
        plain = {
            character: np.mean([len(write_by_hand(character, [font], strength=0, step=step)) for font in self.fonts])
            for character in sorted(set("".join(self.texts)) - {" "})
        }
        self.sizes = np.array([round(sum(plain.get(character, 0) for character in text)) for text in self.texts], np.int64)

    def item(self, number: int, epoch: int) -> Strokes:
        """The text of that number as it is written in that epoch."""
        key = (self.seed, 1 + (epoch if self.epoch is None else self.epoch))
        text = self.texts[number]
        return write_by_hand(text, self.fonts, key, number, strength=self.strength, step=self.step, name=text)


def open_fonts(
    names: Sequence[str], holdout: float | None, seed: int, strength: float, step: float | None, progress: Progress | None
) -> StrokeData:
    """Words in stroke fonts, some of them held out in all their forms: what ``open_strokes`` gives, with its arguments.

    Example:
        >>> open_fonts(["cursive"], 0.5, 0, 1.0, None, None).policy[1]
        'held out: 4,238 words (50%), in none of their forms among those to learn from'
    """
    check_fonts(names)
    words = [*read_words(progress), *numbers(NUMBERS)]
    fonts = list(read_fonts(names, progress).values())
    share = usual_share(len(words)) if holdout is None else holdout
    out = held_out_groups([word.rpartition("-")[2] for word in words], share, seed)  # drop-down with down
    train_words = [word for word, held in zip(words, out, strict=True) if not held]
    out_words = [word for word, held in zip(words, out, strict=True) if held]
    step = STEP if step is None else step
    train = Drawn(texts_of(train_words), fonts, seed, strength, step)
    validation = Drawn(texts_of(out_words), fonts, seed, strength, step, _VALIDATION)
    some = range(0, len(train.texts), max(1, len(train.texts) // MEASURED))
    policy = (
        f"data: {counted(len(words), 'word')} written in {', '.join(names)}, anew in each pass",
        f"held out: {counted(len(out_words), 'word')} ({share:.0%}), in none of their forms among those to learn from",
    )
    digest = hashlib.sha256(repr((tuple(names), texts_of(words))).encode())
    for file in dataset(HERSHEY).files:
        digest.update(file.sha256.encode())
    return stroke_data(train, validation, None, [train.item(number, 0) for number in some], policy, digest.hexdigest())


__all__ = ["Drawn", "open_fonts"]
