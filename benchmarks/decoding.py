"""Translations written by a beam search: the source of ``models/beam.py`` and ``models/seq2seq.py`` with other imports."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.bench.workload import Step, Workload
from minigrad.benchmarks.inputs import batches, fill
from minigrad.benchmarks.source import network
from minigrad.benchmarks.texts import lstm_flops

PAD, EOS, FIRST = 0, 3, 4  # of every vocabulary; the first of the words


def beam(
    m: Any, *, batch: int, words: int, width: int, embedding: int, hidden: int, layers: int, vocabulary: int
) -> Step:  # fmt: skip
    """Sentences of ``words`` words, or up to 4 fewer, to the best of those with exactly so many that a beam search finds.

    Luong, Pham, Manning 2015, arXiv:1508.04025: attention (section 3.1, score "general") and input feeding (section 3.3). That
    all translations are of one length makes every search the same work, whatever a network that learned nothing likes.
    """
    names = network(m, "beam")
    options = {"hidden": hidden, "layers": layers, "embedding": embedding, "attention": "general", "feeding": True}
    model = names.Seq2Seq(vocabulary, vocabulary, **options).eval()
    fill(m, 0, model)
    limits = names.Limits(least=words, most=words + 1)

    def draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        lengths = rng.integers(max(1, words - 4), words + 1, batch) + 1  # the end with them
        lengths[0] = words + 1
        source = rng.integers(FIRST, vocabulary, (words + 1, batch))
        source[lengths - 1, np.arange(batch)] = EOS
        source[np.arange(words + 1)[:, None] >= lengths] = PAD
        return source, lengths

    turn = batches(m, 1, draw)

    def step() -> float:
        found = names.search(model, *next(turn), width=width, limits=limits)
        return float(-found.scores.mean())

    return step


def _flops(batch: int, words: int, width: int, embedding: int, hidden: int, layers: int, vocabulary: int) -> float:
    deeper = (layers - 1) * lstm_flops(hidden, hidden)
    read = 2 * lstm_flops(embedding, hidden // 2) + deeper + 2 * hidden**2
    looked = 2 * (2 * (words + 1) * hidden + 2 * hidden**2)
    written = lstm_flops(embedding + hidden, hidden) + deeper + looked + 2 * hidden * vocabulary
    return batch * (words + 1) * (read + width * written)


BEAM = Workload(
    "beam",
    "beam search of 5 by an LSTM of 256 with attention and input feeding, 4,000 words",
    beam,
    {"batch": 64, "words": 10, "width": 5, "embedding": 256, "hidden": 256, "layers": 1, "vocabulary": 4000},
    _flops,
    small={"batch": 3, "words": 4, "width": 2, "embedding": 6, "hidden": 8, "layers": 2, "vocabulary": 20},
)
