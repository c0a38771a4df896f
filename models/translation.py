"""How well a translator does: BLEU, chrF, and the nats of right tokens, of pairs that it has not learned from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

import minigrad
from minigrad.core.random import Generator
from minigrad.data.pair import Pair
from minigrad.data.pairs import open_known_pairs
from minigrad.data.translated import LikeTokens, Translated
from minigrad.models.beam import Penalty
from minigrad.models.begun import check_same, check_there, chosen, sources
from minigrad.models.bleu import Scores, scores
from minigrad.models.figures import Figures
from minigrad.models.translator import Translation, Translator
from minigrad.models.translator_card import Card
from minigrad.train import Track

LENGTH = 1.0  # the penalty of length of a beam search where nothing is said
LENGTHS = (4, 8, 12, 20)  # words of a source: the groups of the table of lengths end there
Way = Callable[[Translator, Sequence[str]], Sequence[Translation]]


class Judged(NamedTuple):
    """What a translator made of pairs.

    Attributes:
        pairs: the pairs.
        translations: what it made of each source.
        scores: BLEU and chrF of them.
        loss: nats of each token of the targets, the ends with them, where all before it are right.
        lowercase: whether capital letters were not looked at.
    """

    pairs: Sequence[Pair]
    translations: Sequence[Translation]
    scores: Scores
    loss: float
    lowercase: bool = False

    @property
    def figures(self) -> Figures:
        """The loss with its perplexity."""
        return Figures(self.loss, "token")

    def by_length(self) -> list[tuple[str, int, float]]:
        """Of sources of like numbers of words: how many words, how many pairs, their BLEU."""
        words = np.array([len(pair.source.split()) for pair in self.pairs])
        rows, least = [], 1
        for most in (*LENGTHS, max(LENGTHS[-1] + 1, int(words.max()))):
            chosen = np.flatnonzero((words >= least) & (words <= most)).tolist()
            if chosen:
                texts = [self.translations[i].text for i in chosen]
                found = scores(texts, [self.pairs[i].target for i in chosen], lowercase=self.lowercase)
                rows.append((f"{least} to {most}", len(chosen), found.bleu))
            least = most + 1
        return rows


def greedily(translator: Translator, texts: Sequence[str]) -> list[Translation]:
    """The likeliest word each time."""
    return translator.greedy(texts, alignment=False)


def searching(width: int, length: float = LENGTH) -> Way:
    """The best that a beam search of some width finds, with a penalty of length."""

    def search(translator: Translator, texts: Sequence[str]) -> list[Translation]:
        found = translator.search(texts, width=width, penalty=Penalty(length=length), alignment=False)
        return [best for best, *_ in found]

    return search


def judge(
    translator: Translator, pairs: Sequence[Pair], *, translate: Way = greedily, track: Track = iter, tokens: int = 2048,
    lowercase: bool = False,
) -> Judged:  # fmt: skip
    """Translate the sources of pairs, and hold what comes against their targets.

    Args:
        translator: is as it was afterwards.
        pairs: at least one.
        translate: how, as a function of translator and texts.
        track: put around the batches, to show progress.
        tokens: of a batch.
        lowercase: do not look at capital letters, in BLEU and chrF.

    Raises:
        DataError: no pairs; or sacrebleu is not installed.
    """
    source: Any = translator.source
    target: Any = translator.target
    data = Translated(pairs, source, target)
    batches = list(LikeTokens(data.sizes, tokens, Generator("cpu").manual_seed(0)))
    translations: list[Any] = [None] * len(pairs)
    nats = count = 0.0
    for batch in track(batches):
        nats += nats_of(translator, data, batch)
        count += float(data.sizes[batch, 1].sum())
        for number, made in zip(batch, translate(translator, [pairs[i].source for i in batch]), strict=True):
            translations[number] = made
    found = scores([made.text for made in translations], [pair.target for pair in pairs], lowercase=lowercase)
    return Judged(pairs, translations, found, nats / count, lowercase)


def nats_of(translator: Translator, data: Translated, batch: Sequence[int]) -> float:
    """The nats of all tokens of the targets of some pairs."""
    network = translator.network
    where = network.head.weight.device
    here = data.take_batch(batch)
    was = network.training
    network.eval()
    try:
        with minigrad.no_grad():
            loss = network.loss(here.source.to(where), here.source_lengths, here.target.to(where), reduction="none")
            return float(loss.cpu().numpy().astype(np.float64).sum())
    finally:
        network.train(was)


def to_measure(
    config: Mapping[str, Any], data: Sequence[str] | None, progress: Any = None
) -> tuple[Sequence[Pair], str, tuple[str, ...]]:
    """Pairs to measure a run's translator on, what they are, and lines to print.

    Args:
        config: the run's.
        data: named sets or paths; ``None`` for the run's own data: the test part, else what was held out.
        progress: called as ``progress(doing, done, total)`` while the data are read.

    Raises:
        DataError: the data cannot be had.
        RunError: the config is damaged.
    """
    from minigrad.models.translate import TranslateSettings, opened

    settings = chosen(config, "translate", TranslateSettings)
    if data is None:
        own = sources(config, "translate")
        for place in own:
            check_there(place, "pairs")
        found = opened(own, settings, progress)
        check_same(found.digest, config, "pairs")
        part = "held-out" if found.test is None else "test"
        return found.validation if found.test is None else found.test, f"{part} part of {', '.join(own)}", ()
    card = Card.of(config.get("model"), "config.json")
    options: dict[str, Any] = {"reverse": settings.reverse, "longest": settings.longest, "progress": progress}
    source, target = (language or None for language in card.languages)
    if settings.source or settings.target:
        source, target = settings.source, settings.target
    elif settings.reverse:
        source, target = target, source
    pairs, lines = open_known_pairs(data, source=source, target=target, **options)
    return pairs, ", ".join(data), lines


def batched(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Runs of at most ``size`` items.

    Example:
        >>> list(batched([1, 2, 3], 2))
        [[1, 2], [3]]
    """
    for start in range(0, len(items), size):
        yield items[start : start + size]
