"""How one of many possibilities is drawn: temperature, top-k, top-p."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from minigrad.errors import ArgumentError


class Sampling(NamedTuple):
    """What becomes of probabilities before one is drawn from them. Made by ``Sampling.of``.

    Attributes:
        temperature: logits are divided by it: below 1 the likely becomes likelier, and 0 takes the likeliest alone.
        top_k: of how many, the likeliest, one is drawn; ``None``: of all.
        top_p: one is drawn of the likeliest that together have this probability, of no more of them than it takes (Holtzman
            et al. 2020, arXiv:1904.09751).
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0

    @classmethod
    def of(cls, temperature: Any = 1.0, top_k: Any = None, top_p: Any = 1.0) -> Sampling:
        """The three, checked.

        Raises:
            ArgumentError: one is out of range.

        Example:
            >>> Sampling.of(0.8, top_k=40)
            Sampling(temperature=0.8, top_k=40, top_p=1.0)
        """
        if not _is_number(temperature) or not 0 <= temperature < math.inf:
            remedy = "1 draws as the model means it, 0 takes the likeliest"
            raise ArgumentError("write", "temperature", "a number of at least 0", str(temperature), remedy)
        if top_k is not None and (isinstance(top_k, bool) or not isinstance(top_k, (int, np.integer)) or top_k < 1):
            raise ArgumentError("write", "top_k", "how many of the likeliest to draw from, at least 1", str(top_k))
        if not _is_number(top_p) or not 0 < top_p <= 1:
            raise ArgumentError("write", "top_p", "a probability above 0, at most 1", str(top_p))
        return cls(float(temperature), None if top_k is None else int(top_k), float(top_p))

    def shares(self, logits: np.ndarray) -> np.ndarray:
        """Logits (..., V), some of which may be -inf, to the probabilities that are drawn from, in float64.

        Where several are equally likely, the first count as the likelier ones.

        Example:
            >>> logits = np.log([0.5, 0.3, 0.15, 0.05])
            >>> Sampling(top_k=2).shares(logits).round(3).tolist(), Sampling(top_p=0.7).shares(logits).round(3).tolist()
            ([0.625, 0.375, 0.0, 0.0], [0.625, 0.375, 0.0, 0.0])
            >>> Sampling(temperature=0).shares(logits).tolist(), Sampling(temperature=0.5).shares(logits).round(3).tolist()
            ([1.0, 0.0, 0.0, 0.0], [0.685, 0.247, 0.062, 0.007])
        """
        logits = np.asarray(logits, np.float64)
        size = logits.shape[-1]
        if self.temperature == 0:
            return (np.arange(size) == logits.argmax(axis=-1)[..., None]).astype(np.float64)
        with np.errstate(over="ignore"):  # of a temperature near 0: -inf is what is meant
            shares = np.exp((logits - logits.max(axis=-1, keepdims=True)) / self.temperature)
        shares /= shares.sum(axis=-1, keepdims=True)
        most = size if self.top_k is None else min(self.top_k, size)
        if most < size or self.top_p < 1:
            order = np.argsort(-shares, axis=-1, kind="stable")
            ranked = np.take_along_axis(shares, order, -1)
            kept = np.full((*shares.shape[:-1], 1), most)
            if self.top_p < 1:
                likeliest = ranked[..., :most]
                enough = np.cumsum(likeliest / likeliest.sum(axis=-1, keepdims=True), axis=-1) >= self.top_p
                kept = np.where(enough.any(axis=-1, keepdims=True), enough.argmax(axis=-1)[..., None] + 1, kept)
            np.put_along_axis(shares, order, np.where(np.arange(size) < kept, ranked, 0.0), -1)
        return shares / shares.sum(axis=-1, keepdims=True)


def drawn_rows(shares: np.ndarray, at: np.ndarray) -> np.ndarray:
    """``drawn`` of each row of shares (R, V), for numbers (R,): int64 (R,).

    Example:
        >>> drawn_rows(np.array([[0.0, 0.25, 0.75, 0.0]] * 4), np.array([0.0, 0.24, 0.25, 0.999999]))
        array([1, 1, 2, 2])
    """
    sums = np.cumsum(shares, axis=1)
    found = (sums <= (at * sums[:, -1])[:, None]).sum(axis=1)
    return np.minimum(found, shares.shape[1] - 1 - (shares[:, ::-1] > 0).argmax(axis=1))


def drawn(shares: np.ndarray, at: float) -> int:
    """The possibility that a number, uniform from 0 to 1, stands for; never one whose probability is 0.

    Example:
        >>> [drawn(np.array([0.0, 0.25, 0.75, 0.0]), at) for at in (0.0, 0.24, 0.25, 0.999999)]
        [1, 1, 2, 2]
    """
    sums = np.cumsum(shares)
    found = int(np.searchsorted(sums, at * sums[-1], side="right"))
    return min(found, int(np.flatnonzero(shares)[-1]))


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """The logarithms of the probabilities (..., V) that logits stand for.

    Example:
        >>> np.exp(log_softmax(np.array([0.0, np.log(3), -np.inf]))).round(3).tolist()
        [0.25, 0.75, 0.0]
    """
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
