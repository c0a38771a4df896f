"""A network that translates as it was told to, for tests of what is around it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

import minigrad
from minigrad import Tensor, nn
from minigrad.models.seq2seq import EOS, UNKNOWN, Encoded, State
from minigrad.models.translator import Translator

SURE = 50.0
SPECIAL = ("<pad>", "<unk>", "<s>", "</s>")


class Planted:
    """Writes the source's words from last to first, each 10 more; it looks at what it writes, but a little at the first.

    What is unknown stays so. With ``end`` = False it never comes to an end.
    """

    def __init__(self, source_words: int = 20, target_words: int = 30, *, end: bool = True) -> None:
        self.source_words, self.target_words, self.end = source_words, target_words, end
        self.head: Any = nn.Identity()
        self.head.weight = minigrad.zeros(1)
        self.attention = "planted"

    def eval(self) -> Planted:
        return self

    def encode(self, source: Tensor, lengths: Tensor) -> Encoded:
        """What stands for a word is its number; the state is the place to look at next."""
        memory = source.transpose(0, 1).unsqueeze(2).double()
        first = lengths.to(source.device).double().unsqueeze(1) - 2  # the last is the end
        return Encoded(memory, None, None, State(((first,),), None))

    def step(self, words: Tensor, state: State, encoded: Encoded) -> tuple[Tensor, State, Tensor]:
        (place,) = state.layers[0]
        lanes, (batch, places, _) = len(place), encoded.memory.shape
        at = place.squeeze(1).long()
        rows = minigrad.arange(batch).repeat_interleave(lanes // batch)
        known = encoded.memory[rows, at.clamp(min=0), 0].long()
        written = minigrad.where(known == UNKNOWN, known, known + 10)
        written = minigrad.where(at < 0, minigrad.full_like(written, EOS if self.end else 5), written)
        logits = nn.functional.one_hot(written, self.target_words).double() * SURE
        looks = nn.functional.one_hot(at.clamp(min=0), places).double() * 0.75
        looks[:, 0] += 0.25
        return logits, State(((place - 1,),), None), looks


class Letters:
    """A vocabulary whose tokens are letters: those of the source are small, those of the target large, 10 numbers later."""

    def __init__(self, large: bool) -> None:
        letters = [chr(ord("a") + i) for i in range(16)]
        extra = [f"-{i}-" for i in range(10)] if large else []
        self.symbols = (*SPECIAL, *extra, *[letter.upper() if large else letter for letter in letters])

    def split(self, text: str) -> list[str]:
        return text.split()

    def numbers(self, tokens: Iterable[str]) -> np.ndarray:
        return np.array([self.symbols.index(token) if token in self.symbols else 1 for token in tokens])

    def join(self, tokens: Iterable[str]) -> str:
        return " ".join(tokens)

    def spans(self, tokens: Sequence[str]) -> list[range]:
        return [range(place, place + 1) for place in range(len(tokens))]

    def shown(self, tokens: Sequence[str]) -> str:
        return self.join(tokens)


def planted(**words: Any) -> Translator:
    """A translator that writes the source's letters in capitals, from last to first."""
    return Translator(Planted(**words), Letters(False), Letters(True))  # type: ignore[arg-type]
