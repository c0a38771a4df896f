"""Attention of a decoder to the words that an encoder has read: how well each answers a query, and their mean by that.

Bahdanau, Cho, Bengio 2015, arXiv:1409.0473; Luong, Pham, Manning 2015, arXiv:1508.04025; Luong, Brevdo, Zhao 2017, "Neural
Machine Translation (seq2seq) Tutorial", for the forms with a learned scale. B sentences of S words, N queries for each, H
numbers in a query, M in what stands for a word.
"""

from __future__ import annotations

import math

import minigrad
import minigrad.nn.functional as F
from minigrad import Tensor, nn
from minigrad.nn.checks import check_choice, check_counts
from minigrad.utils.checkpoint import checkpoint

MOST = 1 << 23  # numbers that additive scores are made from at a time: all queries with all words can be very many
SCORES = {
    "dot": "q · m",
    "general": "q · W m",
    "scaled": "g q · W m, g learned, 1 to begin with",
    "bahdanau": "v · tanh(U q + W m)",
    "normed": "g v / |v| · tanh(U q + W m + b), g learned, 1 / sqrt(H) to begin with",
}


class Attention(nn.Module):
    """Weights of words for queries, and the words' mean by these weights.

    Args:
        score: what says how well a word m answers a query q: a key of ``SCORES``.
        hidden: H.
        memory: M; ``"dot"`` asks that it is H.

    Shapes: query (B, N, H), memory (B, S, M), keys (B, S, H) as ``keys`` makes them once for a sentence; blend (B, N, M) and
    weights (B, N, S), which sum to 1.

    Raises:
        ArgumentError, DTypeError: an argument out of range.

    Example:
        >>> attention = Attention("general", 4, 4)
        >>> words = minigrad.ones(2, 5, 4)
        >>> blend, weights = attention(minigrad.ones(2, 3, 4), attention.keys(words), words)
        >>> blend.shape, weights.shape
        (minigrad.Size([2, 3, 4]), minigrad.Size([2, 3, 5]))
    """

    def __init__(self, score: str, hidden: int, memory: int) -> None:
        super().__init__()
        check_choice("Attention", "score", score, SCORES)
        check_counts("Attention", 1, hidden=hidden, memory=memory)
        self.score = score
        if score == "dot":
            check_choice("Attention", "memory", memory, [hidden])
            return
        self.key = nn.Linear(memory, hidden, bias=False)
        if score == "scaled":
            self.scale = nn.Parameter(minigrad.ones(1))
        if score in ("bahdanau", "normed"):
            self.query = nn.Linear(hidden, hidden, bias=False)
            bound = 1 / math.sqrt(hidden)
            self.vector = nn.Parameter(minigrad.empty(hidden).uniform_(-bound, bound))
            if score == "normed":
                self.scale = nn.Parameter(minigrad.full((1,), bound))
                self.bias = nn.Parameter(minigrad.zeros(hidden))

    def keys(self, memory: Tensor) -> Tensor:
        """What queries are held against, for all words at once."""
        return memory if self.score == "dot" else self.key(memory)

    def forward(self, query: Tensor, keys: Tensor, memory: Tensor, beyond: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The blend and the weights; ``beyond`` (B, 1, S) is true where there is no word."""
        scores = self._scores(query, keys)
        if beyond is not None:
            scores = scores.masked_fill(beyond, -math.inf)
        weights = F.softmax(scores, dim=2)
        return weights @ memory, weights

    def _scores(self, query: Tensor, keys: Tensor) -> Tensor:
        if self.score in ("dot", "general"):
            return query @ keys.transpose(1, 2)
        if self.score == "scaled":
            return (query * self.scale) @ keys.transpose(1, 2)
        asked = self.query(query)
        if self.score == "bahdanau":
            vector = self.vector
        else:
            asked, vector = asked + self.bias, self.vector * (self.scale / self.vector.norm())
        count = max(1, MOST // keys.numel())
        if count >= query.shape[1]:
            return _additive(asked, keys, vector)
        parts = [checkpoint(_additive, part, keys, vector, use_reentrant=False) for part in asked.split(count, dim=1)]
        return minigrad.cat(parts, 1)


def _additive(asked: Tensor, keys: Tensor, vector: Tensor) -> Tensor:
    """v · tanh(q + k) of every query with every word: (B, N, S), by way of (B, N, S, H)."""
    return minigrad.tanh(asked.unsqueeze(2) + keys.unsqueeze(1)) @ vector


def parameters(score: str, hidden: int, memory: int) -> int:
    """How many parameters an ``Attention`` has.

    Example:
        >>> all(parameters(score, 6, 6) == sum(p.numel() for p in Attention(score, 6, 6).parameters()) for score in SCORES)
        True
    """
    if score == "dot":
        return 0
    additive = hidden * (hidden + 1) if score in ("bahdanau", "normed") else 0
    return hidden * memory + additive + {"scaled": 1, "normed": hidden + 1}.get(score, 0)
