"""Parts of words as tokens, as the library sentencepiece learns them: few numbers, and hardly a word that is not known."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import itertools
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from minigrad.data.pair import cleaned
from minigrad.data.tokens import BOS, EOS, PAD, SPECIAL, UNKNOWN, Tokens, damaged
from minigrad.data.words import counted
from minigrad.errors import ArgumentError, DataError, RunError
from minigrad.ops.dims import count_of

BLANK = "\u2581"  # what sentencepiece writes for a blank
KINDS = ("unigram", "bpe")
MOST_SENTENCES = 1_000_000  # that are learned from; of more, evenly many of all
_LONGEST = 1 << 16  # bytes of a sentence


class Subwords(Tokens):
    """Parts of words, each with a number. What a token begins a word with has ``▁`` before it.

    It needs sentencepiece, of the extra ``translate``. Texts come back as they were, but for characters that were not in the
    training part, which are unknown.

    Args:
        model: a model of sentencepiece, as bytes, of which padding, the unknown, beginning and end are 0, 1, 2 and 3.
        where: what an error calls it.

    Attributes:
        model: as given.

    Raises:
        DataError: sentencepiece is not installed.
        ArgumentError: it is no such model.

    Example:
        >>> subwords = Subwords.learn(["the light", "the lights of the night"] * 9, size=20)
        >>> subwords.decode(subwords.encode("the  night lights")), len(subwords) <= 20
        ('the night lights', True)
    """

    kind = "subwords"

    def __init__(self, model: bytes, where: str = "Subwords") -> None:
        library = _library(where)
        try:
            self.model = bytes(model)
            self._processor = library.SentencePieceProcessor(model_proto=self.model)
            size = self._processor.get_piece_size()
        except (RuntimeError, TypeError) as error:
            got = f"{counted(len(model), 'byte')} that are none ({_said(error)})"
            raise ArgumentError(where, "model", "a model of sentencepiece", got) from error
        ids = (self._processor.pad_id(), self._processor.unk_id(), self._processor.bos_id(), self._processor.eos_id())
        if ids != (PAD, UNKNOWN, BOS, EOS):
            expected = "a model in which padding, the unknown, beginning and end are 0, 1, 2 and 3"
            remedy = "Train it with pad_id=0, unk_id=1, bos_id=2, eos_id=3"
            raise ArgumentError(where, "model", expected, ", ".join(map(str, ids)), remedy)
        pieces = [self._processor.id_to_piece(number) for number in range(size)]
        self.symbols = (*SPECIAL, *pieces[len(SPECIAL) :])
        self._numbers = {piece: number for number, piece in enumerate(self.symbols)}
        self._chances = np.array([self._processor.get_score(number) for number in range(size)])
        self._several = self._gives_several()

    def _gives_several(self) -> bool:
        """Whether the model tells several ways to split a text: one of kind ``"unigram"``."""
        try:
            self._processor.nbest_encode("a", nbest_size=2, out_type=int)
        except RuntimeError:
            return False
        return True

    @classmethod
    def learn(cls, sentences: Iterable[str], size: int = 4000, model: str = "unigram", where: str = "data") -> Subwords:
        """The parts of words of a training part: the same for the same sentences in the same order.

        Args:
            sentences: of one language, or of both for a vocabulary in common.
            size: tokens that are wished for; where there are too few words for them, there will be fewer.
            model: ``"unigram"`` (Kudo 2018, arXiv:1804.10959) or ``"bpe"`` (Sennrich 2016, arXiv:1508.07909).
            where: what an error calls the sentences.

        Raises:
            DataError: sentencepiece is not installed; there are too few sentences, or more characters than ``size``.
            ArgumentError: a size below 6, or no such model.
        """
        size = count_of("Subwords.learn", "size", size, len(SPECIAL) + 2)
        if model not in KINDS:
            raise ArgumentError("Subwords.learn", "model", f"one of {', '.join(KINDS)}", repr(model))
        library = _library(where, ", or use words")
        texts = [text for sentence in sentences if (text := cleaned(sentence))]
        letters = set("".join(texts)) - {" "}
        if len(letters) < 2:
            expected, got = "sentences of at least two different characters", ", ".join(map(repr, sorted(letters))) or "none"
            raise DataError("data", where, expected, got, "Give more pairs")
        least = len(letters) + len(SPECIAL) + 1  # each character, and the blank
        if size < least:
            remedy = f"Ask for {least:,} or more, or learn words"
            raise DataError("data", where, f"room for {least:,} subwords, as there are so many characters", f"{size:,}", remedy)
        step = -(-len(texts) // MOST_SENTENCES)
        written = io.BytesIO()
        try:
            library.SentencePieceTrainer.train(
                sentence_iterator=iter(texts[::step]), model_writer=written, vocab_size=size, model_type=model,
                pad_id=PAD, unk_id=UNKNOWN, bos_id=BOS, eos_id=EOS, character_coverage=1.0, hard_vocab_limit=False,
                normalization_rule_name="identity", num_threads=1, max_sentence_length=_LONGEST, minloglevel=2,
            )  # fmt: skip
        except RuntimeError as error:
            expected = f"sentences from which {size:,} subwords can be learned"
            raise DataError(
                "data", where, expected, f"others ({_said(error)})", "Give more, or ask for fewer subwords"
            ) from error
        return cls(written.getvalue(), where)

    def split(self, text: str) -> list[str]:
        """The tokens of a text.

        Example:
            >>> "".join(Subwords.learn(["on and off", "off and on"] * 9, size=16).split("on and"))
            '▁on▁and'
        """
        return self._processor.encode(text, out_type=str)

    def ways(self, text: str, most: int) -> tuple[list[np.ndarray], np.ndarray]:
        """The likeliest ways to split a text, the likeliest first, and log P of each; a model of kind ``"bpe"`` has one.

        Example:
            >>> subwords = Subwords.learn(["on and off", "off and on"] * 9, size=16)
            >>> found, chances = subwords.ways("on", 4)
            >>> ["|".join(subwords.tokens(way)) for way in found], bool((np.diff(chances) <= 0).all())
            (['▁on', '▁|o|n'], True)
        """
        text = cleaned(text)
        if most == 1 or not text or not self._several:
            return [self.encode(text)], np.zeros(1)
        found = [np.array(way, np.int64) for way in self._processor.nbest_encode(text, nbest_size=most, out_type=int)]
        return found, np.array([self._chances[way].sum() for way in found])

    def join(self, tokens: Iterable[str]) -> str:
        """The text of tokens, also of such as have no number.

        Example:
            >>> Subwords.learn(["on and off", "off and on"] * 9, size=16).join(["▁o", "n", "▁Mars"])
            'on Mars'
        """
        return "".join(tokens).replace(BLANK, " ").removeprefix(" ")

    def spans(self, tokens: Sequence[str]) -> list[range]:
        """Words begin where a token has ``▁`` before it.

        Example:
            >>> subwords = Subwords.learn(["on and off", "off and on"] * 9, size=16)
            >>> tokens = ["▁a", "n", "d", "▁on"]
            >>> [subwords.shown(tokens[span.start : span.stop]) for span in subwords.spans(tokens)]
            ['and', 'on']
        """
        starts = [place for place, token in enumerate(tokens) if not place or token.startswith(BLANK)]
        return [range(start, end) for start, end in itertools.pairwise([*starts, len(tokens)])]

    def to_config(self) -> dict[str, Any]:
        """The vocabulary as a run's config holds it: the model in base 64, and its sha256."""
        digest = hashlib.sha256(self.model).hexdigest()
        return {"kind": self.kind, "sha256": digest, "model": base64.b64encode(self.model).decode()}

    @classmethod
    def of(cls, config: Any, where: str) -> Subwords:
        """The vocabulary that a config holds.

        Raises:
            RunError: it holds none, or one whose sha256 is another.
            DataError: sentencepiece is not installed.
        """
        try:
            if set(config) != {"kind", "sha256", "model"} or config["kind"] != cls.kind:
                raise ValueError("other keys")
            model = base64.b64decode(config["model"], validate=True)
            if hashlib.sha256(model).hexdigest() != config["sha256"]:
                raise ValueError("its sha256 is another")
            return cls(model, where)
        except (KeyError, TypeError, ValueError, binascii.Error) as error:  # an ArgumentError too
            if isinstance(error, RunError):
                raise
            raise damaged(where, error) from error


def _library(where: str, instead: str = "") -> ModuleType:
    """sentencepiece, loaded when it is first needed; a model of subwords has no way round it, a training has another."""
    try:
        import sentencepiece
    except ImportError as error:
        remedy = f"Run pip install 'minigrad-engine[translate]'{instead}"
        raise DataError("data", where, "the library sentencepiece, which learns and reads subwords", "none", remedy) from error
    return sentencepiece


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


__all__ = ["KINDS", "Subwords"]
