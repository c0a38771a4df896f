"""What a model that translates reads and writes: tokens, with a number for each. Words or subwords behind one interface."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from minigrad.data.pair import cleaned
from minigrad.errors import IndexingError, RunError

PAD, UNKNOWN, BOS, EOS = range(4)
SPECIAL = ("<pad>", "<unk>", "<s>", "</s>")  # by these numbers: padding, what is not known, beginning and end of a sentence


class Tokens:
    """A vocabulary of tokens, from 0: padding, the unknown, beginning and end, and then those of texts.

    ``Words`` and ``Subwords`` derive from it and write ``split``, ``join``, ``symbols`` and ``to_config``. Texts are cleaned
    before they are split: blanks are single, accents one character with their letters.

    Attributes:
        kind: ``"words"`` or ``"subwords"``.
        pad, unknown, bos, eos: the numbers 0, 1, 2 and 3.
        symbols: all tokens, in the order of their numbers.
    """

    kind: ClassVar[str]
    pad, unknown, bos, eos = PAD, UNKNOWN, BOS, EOS
    symbols: tuple[str, ...]
    _numbers: dict[str, int]

    def split(self, text: str) -> list[str]:
        """The tokens of a text, also those that have no number."""
        raise NotImplementedError(f"{type(self).__name__} has no split")

    def join(self, tokens: Iterable[str]) -> str:
        """The text of tokens, also of such as have no number: of words that were copied."""
        raise NotImplementedError(f"{type(self).__name__} has no join")

    def spans(self, tokens: Sequence[str]) -> list[range]:
        """Which tokens, by their places, make up each word as a person sees it, one after another."""
        return [range(place, place + 1) for place in range(len(tokens))]

    def to_config(self) -> dict[str, Any]:
        """The vocabulary as a run's config holds it."""
        raise NotImplementedError(f"{type(self).__name__} has no to_config")

    def __len__(self) -> int:
        return len(self.symbols)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tokens) and self.to_config() == other.to_config()

    def __hash__(self) -> int:
        return hash((self.kind, self.symbols))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self):,})"

    @property
    def digest(self) -> str:
        """sha256 of all that ``to_config`` gives."""
        return hashlib.sha256(json.dumps(self.to_config(), sort_keys=True).encode()).hexdigest()

    def numbers(self, tokens: Iterable[str]) -> np.ndarray:
        """The numbers of tokens, int64 (n,); ``unknown`` for those that have none."""
        of = self._numbers.get
        return np.array([of(token, UNKNOWN) for token in tokens], np.int64)

    def encode(self, text: str) -> np.ndarray:
        """The numbers of a text's tokens, int64 (n,), without beginning and end."""
        return self.numbers(self.split(cleaned(text)))

    def ways(self, text: str, most: int) -> tuple[list[np.ndarray], np.ndarray]:
        """The likeliest ways to split a text, ``most`` at most, as ``encode`` gives them, and log P of each, float64 (n,).

        Of words there is one.
        """
        return [self.encode(text)], np.zeros(1)

    def shown(self, tokens: Sequence[str]) -> str:
        """A word's tokens as a person sees them.

        Example:
            >>> from minigrad.data.wordtokens import Words
            >>> words = Words(["light"], case="mark")
            >>> tokens = words.split("Light!")
            >>> tokens, [words.shown(tokens[span.start : span.stop]) for span in words.spans(tokens)]
            (['⇧', 'light', '￭!'], ['Light', '!'])
        """
        return self.join(tokens)

    def decode(self, ids: Any) -> str:
        """The text of numbers, up to the end where one is among them; padding and beginning are passed over.

        Args:
            ids: integers, as an array, a Tensor or anything that gives them one by one.

        Raises:
            IndexingError: a number that no token has.
        """
        return self.join(self.tokens(ids))

    def tokens(self, ids: Any) -> list[str]:
        """The tokens of numbers, up to the end; arguments and errors as for ``decode``."""
        numbers = np.asarray(ids if hasattr(ids, "__array__") else list(ids)).reshape(-1)
        if numbers.size and (numbers.dtype.kind not in "iu" or numbers.min() < 0 or numbers.max() >= len(self)):
            wrong = f"an array of {numbers.dtype}"
            if numbers.dtype.kind in "iu":
                wrong = str(numbers[(numbers < 0) | (numbers >= len(self))][0])
            raise IndexingError("decode", "ids", f"numbers from 0 to {len(self) - 1}", wrong)
        found = []
        for number in numbers.tolist():
            if number == EOS:
                break
            if number not in (PAD, BOS):
                found.append(self.symbols[number])
        return found

    def check_same(self, other: Tokens, where: str) -> None:
        """See that another vocabulary is this one, as the weights of a model need it.

        Raises:
            RunError: it is not; says in what it differs.
        """
        if self == other:
            return
        expected, got = f"{len(self):,} {self.kind}", f"{len(other):,} {other.kind}"
        if expected == got:
            first = next((i for i, (a, b) in enumerate(zip(self.symbols, other.symbols)) if a != b), None)
            got = "as many others" if first is None else f"as many, of which number {first} is {other.symbols[first]!r}"
            expected += "" if first is None else f", of which number {first} is {self.symbols[first]!r}"
        raise RunError("translate", where, expected, got, "Use the vocabulary that the model was trained with")


def unknown_rate(tokens: Tokens, sentences: Sequence[str]) -> float:
    """The share of the tokens of sentences that a vocabulary has no number for.

    Example:
        >>> from minigrad.data.wordtokens import Words
        >>> unknown_rate(Words(["on", "off"]), ["on off", "on and off"])
        0.2
    """
    ids = [tokens.encode(sentence) for sentence in sentences]
    total = sum(map(len, ids))
    return sum(int((some == UNKNOWN).sum()) for some in ids) / total if total else 0.0


def of_config(config: Any, where: str) -> Tokens:
    """The vocabulary that a config holds: words or subwords.

    Raises:
        RunError: it holds none, or one that is damaged.

    Example:
        >>> of_config({"kind": "words", "case": "keep", "words": ["on", "off"]}, "config.json")
        Words(6)
    """
    from minigrad.data.subwords import Subwords
    from minigrad.data.wordtokens import Words

    kinds: Mapping[str, Callable[[Any, str], Tokens]] = {"words": Words.of, "subwords": Subwords.of}
    kind = config.get("kind") if isinstance(config, Mapping) else None
    if not isinstance(kind, str) or kind not in kinds:
        raise damaged(where, f"kind {kind!r}")
    return kinds[kind](config, where)


def damaged(where: str, why: object) -> RunError:
    """The error for a config that holds no vocabulary."""
    expected = "the vocabulary of the model, as minigrad train translate writes it"
    return RunError("translate", where, expected, f"another ({why})", "Put back a copy of the file, or train anew")


__all__ = ["BOS", "EOS", "PAD", "SPECIAL", "UNKNOWN", "Tokens", "damaged", "of_config", "unknown_rate"]
