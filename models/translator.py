"""A trained translator, translating: texts to tokens, their translations by ``models/beam.py``, and these to texts.

    minigrad translate MODEL "Turn on the light in the kitchen"

A word that the vocabulary does not have is copied: the network writes that something unknown stands there, and attention tells
which word of the source it looked at (Luong, Sutskever, Le, Vinyals, Zaremba 2015, arXiv:1410.8206).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np

import minigrad
from minigrad.data.pair import cleaned
from minigrad.errors import ArgumentError, DTypeError
from minigrad.models.beam import NO_PENALTY, USUAL, Found, Limits, Penalty, follow, greedy, search
from minigrad.models.sampling import Sampling, drawn_rows
from minigrad.models.seq2seq import EOS, PAD, UNKNOWN, Seq2Seq
from minigrad.models.translator_card import Card
from minigrad.nn.checks import check_counts
from minigrad.train.trained import Trained

TOKENS = 8192  # of a batch: its sentences, padded, times the lanes of each
Progress = Callable[[int, int], None]
Writer = Callable[[minigrad.Tensor, minigrad.Tensor, Sequence[str]], Found]  # of sources, their lengths, and the texts


class Vocabulary(Protocol):
    """What stands between texts and numbers: tokens, of which the first four are ``PAD``, ``UNKNOWN``, ``BOS`` and ``EOS``."""

    symbols: tuple[str, ...]

    def split(self, text: str) -> list[str]: ...

    def numbers(self, tokens: Iterable[str]) -> np.ndarray: ...

    def join(self, tokens: Iterable[str]) -> str: ...

    def spans(self, tokens: Sequence[str]) -> list[range]: ...

    def shown(self, tokens: Sequence[str]) -> str: ...


class Translation(NamedTuple):
    """A text in the other language, and what the network said of it.

    Attributes:
        text: of the tokens.
        tokens: what was written, copies in their place.
        source: the tokens of the source, without its end.
        score: by which it was put in order: see ``Penalty``.
        log_probability: in nats, the end with it.
        finished: whether it came to an end.
        alignment: (T, S + 1), the weight of each of the source's tokens, and of its end, at each token that was written;
            ``None`` without attention, or where it was not asked for.
        copied: which tokens were copied, and from where: pairs of places.
    """

    text: str
    tokens: tuple[str, ...]
    source: tuple[str, ...]
    score: float
    log_probability: float
    finished: bool
    alignment: np.ndarray | None
    copied: tuple[tuple[int, int], ...]


class Look(NamedTuple):
    """Where the network looked, in words as a person sees them.

    Attributes:
        source: S words.
        words: T words, that were written.
        weights: (T, S + 1), of each word of the source, and of its end. Those of a source's word's tokens are added up, those
            of a written word's are averaged.
    """

    source: tuple[str, ...]
    words: tuple[str, ...]
    weights: np.ndarray


class Translator:
    """A network with the vocabularies of both languages.

    Args:
        network: with its weights.
        source, target: what the texts of each language consist of.
        tokens: of a batch.

    Raises:
        ArgumentError: a vocabulary of another size than the network's.
    """

    def __init__(self, network: Seq2Seq, source: Vocabulary, target: Vocabulary, *, tokens: int = TOKENS) -> None:
        check_counts("Translator", 1, tokens=tokens)
        for name, vocabulary, count in (("source", source, network.source_words), ("target", target, network.target_words)):
            if len(vocabulary.symbols) != count:
                expected = f"{count:,} tokens, as the network has"
                raise ArgumentError("translate", name, expected, f"{len(vocabulary.symbols):,}")
        self.network, self.source, self.target, self.tokens = network.eval(), source, target, tokens
        self._device = network.head.weight.device

    @classmethod
    def load(cls, model: str) -> Translator:
        """The translator of a run folder, or one that is shipped.

        Raises:
            RunError: there is none, it is no translator, or its weights and vocabularies do not belong together.
            FileFormatError: a file is damaged.
        """
        trained = Trained.open(model)
        card = Card.of(trained.config("translate").get("model"), model)
        return cls(card.network(trained), card.source, card.target)

    # ------------------------------------------------------------------ the three ways

    def search(
        self, texts: Sequence[str], *, width: int = 5, results: int = 1, penalty: Penalty = NO_PENALTY, limits: Limits = USUAL,
        copy: bool = True, alignment: bool = True, progress: Progress | None = None,
    ) -> list[list[Translation]]:  # fmt: skip
        """The best translations of each text that a beam search finds, the best first. See ``beam.search``.

        Args:
            texts: a sentence each. One without tokens has an empty translation.
            width: beginnings that are followed.
            results: of each text, at most ``width``.
            penalty, limits: see there.
            copy: put the source's word, as attention tells, in the place of one that is unknown.
            alignment: keep it, which of very long texts takes much memory.
            progress: called as ``progress(texts done, all)``.

        Raises:
            ArgumentError: something is out of range.
            DTypeError: no list of texts.
        """
        return self._all(
            texts,
            width,
            lambda source, lengths, _: search(
                self.network, source, lengths, width=width, results=results, penalty=penalty, limits=limits, aligned=alignment
            ),
            copy,
            progress,
        )

    def greedy(
        self, texts: Sequence[str], *, limits: Limits = USUAL, copy: bool = True, alignment: bool = True,
        progress: Progress | None = None,
    ) -> list[Translation]:  # fmt: skip
        """The translation of each text that the likeliest word each time makes. Arguments and errors as for ``search``."""

        def write(source: minigrad.Tensor, lengths: minigrad.Tensor, _: Sequence[str]) -> Found:
            return greedy(self.network, source, lengths, limits=limits, aligned=alignment)

        return [first for (first,) in self._all(texts, 1, write, copy, progress)]

    def sample(
        self, texts: Sequence[str], *, results: int = 1, temperature: float = 1.0, top_k: int | None = None, top_p: float = 1.0,
        seed: int | None = None, limits: Limits = USUAL, copy: bool = True, alignment: bool = True,
        progress: Progress | None = None,
    ) -> list[list[Translation]]:  # fmt: skip
        """Translations whose words are drawn, ``results`` of each text, the likeliest first.

        Args:
            temperature, top_k, top_p: see ``Sampling``.
            seed: of what is drawn, with the text: what stands beside it changes nothing, and the first of many results is among
                those of more. By default another each time.
            texts, limits, copy, alignment, progress: as for ``search``.

        Raises:
            ArgumentError, DTypeError: as ``search``.
        """
        sampling, generator = Sampling.of(temperature, top_k, top_p), minigrad.Generator("cpu")
        chosen = generator.seed() if seed is None else generator.manual_seed(seed).initial_seed()

        def write(source: minigrad.Tensor, lengths: minigrad.Tensor, batch: Sequence[str]) -> Found:
            draws = _draws(chosen, batch, limits.of(lengths.numpy()), results)
            step = iter(range(draws.shape[2]))

            def choose(logits: np.ndarray, rows: np.ndarray) -> np.ndarray:
                return drawn_rows(sampling.shares(logits), draws[rows, :, next(step)].ravel())

            return follow(self.network, source, lengths, choose, results=results, limits=limits, aligned=alignment)

        return self._all(texts, results, write, copy, progress)

    def look(self, translation: Translation) -> Look | None:
        """Where the network looked for each word of a translation that it made; ``None`` without its alignment."""
        if translation.alignment is None:
            return None
        read, written = self.source.spans(translation.source), self.target.spans(translation.tokens)
        source = tuple([self.source.shown(translation.source[span.start : span.stop]) for span in read])
        words = tuple([self.target.shown(translation.tokens[span.start : span.stop]) for span in written])
        weights = np.add.reduceat(translation.alignment, [*(span.start for span in read), len(translation.source)], axis=1)
        rows = [weights[span.start : span.stop].mean(0) for span in written]
        return Look(source, words, np.stack(rows) if rows else weights)

    # ------------------------------------------------------------------ texts, batches, texts

    def _all(
        self, texts: Sequence[str], lanes: int, write: Writer, copy: bool, progress: Progress | None
    ) -> list[list[Translation]]:
        if isinstance(texts, (str, bytes)):
            raise DTypeError("translate", "texts", "a list of texts", type(texts).__name__, "Put a single one into a list")
        odd = next((type(text).__name__ for text in texts if not isinstance(text, str)), None)
        if odd is not None:
            raise DTypeError("translate", "texts", "a list of texts", f"a list with {odd}")
        texts = [cleaned(text) for text in texts]
        sources = [tuple(self.source.split(text)) for text in texts]
        nothing = Translation("", (), (), 0.0, 0.0, True, None, ())
        made: list[list[Translation]] = [[nothing] for _ in texts]
        done = sum(not tokens for tokens in sources)
        for numbers in self._batches(sources, lanes):
            batch = [sources[number] for number in numbers]
            found = write(*self._padded(batch), [texts[number] for number in numbers])
            for place, number in enumerate(numbers):
                made[number] = self._read(found, place, batch[place], copy)
            done += len(numbers)
            if progress is not None:
                progress(done, len(texts))
        return made

    def _batches(self, sources: Sequence[tuple[str, ...]], lanes: int) -> Iterator[list[int]]:
        """The numbers of texts of about one length, the longest first: what takes the most memory comes at once or not."""
        order = sorted((number for number, tokens in enumerate(sources) if tokens), key=lambda number: -len(sources[number]))
        start = 0
        while start < len(order):
            count = max(1, self.tokens // ((len(sources[order[start]]) + 1) * max(lanes, 1)))
            yield order[start : start + count]
            start += count

    def _padded(self, batch: Sequence[tuple[str, ...]]) -> tuple[minigrad.Tensor, minigrad.Tensor]:
        """Source (S, B), each with its end, and lengths."""
        lengths = np.array([len(tokens) + 1 for tokens in batch])
        source = np.full((lengths.max(), len(batch)), PAD)
        for column, tokens in enumerate(batch):
            source[: len(tokens), column] = self.source.numbers(tokens)
            source[len(tokens), column] = EOS
        return minigrad.tensor(source, device=self._device), minigrad.tensor(lengths, device="cpu")

    def _read(self, found: Found, place: int, source: tuple[str, ...], copy: bool) -> list[Translation]:
        """The translations of one text."""
        made = []
        for number, length in enumerate(found.lengths[place].tolist()):
            if length < 0:
                break
            ids, alignment = found.ids[place, number, :length], None
            looked = None if found.looked is None else found.looked[place, number, :length]
            if found.alignments is not None:
                alignment = found.alignments[place, number, :length, : len(source) + 1]
            tokens = [self.target.symbols[id] for id in ids.tolist()]
            copies = copied(ids, looked) if copy else []
            for at, origin in copies:
                tokens[at] = source[origin]
            scores = float(found.scores[place, number]), float(found.log_probabilities[place, number])
            finished = bool(found.finished[place, number])
            text = self.target.join(tokens)
            made.append(Translation(text, tuple(tokens), source, *scores, finished, alignment, tuple(copies)))
        return made


def _draws(seed: int, texts: Sequence[str], most: np.ndarray, results: int) -> np.ndarray:
    """From 0 to 1, float64 (B, N, T): what each word of each result of each text is drawn by, of its own generator."""
    draws = np.zeros((len(texts), results, int(most.max())))
    for row, (text, words) in enumerate(zip(texts, most.tolist(), strict=True)):
        own = int.from_bytes(hashlib.sha256(f"{seed} {text}".encode("utf-8", "surrogatepass")).digest()[:7])
        generator = minigrad.Generator("cpu").manual_seed(own)
        numbers = minigrad.rand(results, words, dtype=minigrad.float64, generator=generator, device="cpu")
        draws[row, :, :words] = numbers.numpy()
    return draws


def copied(ids: np.ndarray, looked: np.ndarray | None) -> list[tuple[int, int]]:
    """Which words of a translation are unknown, and at which of the source's words the network looked most: pairs of places.

    Args:
        ids: (T,).
        looked: (T,), the place of the source's word that had the most weight at each; ``None``: nothing is copied.

    Example:
        >>> copied(np.array([7, 1, 5]), np.array([0, 4, 2]))
        [(1, 4)]
    """
    if looked is None:
        return []
    unknown = np.flatnonzero(ids == UNKNOWN)
    return list(zip(unknown.tolist(), looked[unknown].tolist()))
