"""How well a model of a text foretells one: nats, bits and perplexity, and which characters cost the most."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

import minigrad
import minigrad.nn.functional as F
from minigrad.data.ids import Ids
from minigrad.data.lanes import pieces
from minigrad.models.char_lstm import CharLSTM, State
from minigrad.models.figures import Figures

LANES = 16  # of a text that is measured: each begins without what stands before it, and so costs a few nats too many


class Measured(NamedTuple):
    """What a model made of a text.

    Attributes:
        nats: float64 (V,), the surprise of all occurrences of each character together: -ln of its probability.
        counts: int64 (V,), how often each was foretold.

    Example:
        >>> measured = Measured(np.array([2.0, 6.0]), np.array([2, 2]))
        >>> measured.loss, round(measured.figures().perplexity, 3)
        (2.0, 7.389)
    """

    nats: np.ndarray
    counts: np.ndarray

    @property
    def characters(self) -> int:
        """How many were foretold: all but the first."""
        return int(self.counts.sum())

    @property
    def loss(self) -> float:
        """Nats per character: the mean cross-entropy."""
        return float(self.nats.sum() / max(1, self.characters))

    def figures(self, unit: str = "character") -> Figures:
        """The loss with its bits and its perplexity."""
        return Figures(self.loss, unit)

    def costliest(self, most: int) -> list[tuple[int, int, float, float]]:
        """The characters that cost the most in all: number, occurrences, mean surprise in nats, share of all nats.

        Example:
            >>> Measured(np.array([2.0, 6.0, 0.0]), np.array([4, 2, 0])).costliest(2)
            [(1, 2, 3.0, 0.75), (0, 4, 0.5, 0.25)]
        """
        order = np.argsort(-self.nats, kind="stable")[:most]
        total = float(self.nats.sum()) or 1.0
        return [
            (int(i), int(self.counts[i]), float(self.nats[i] / self.counts[i]), float(self.nats[i]) / total)
            for i in order
            if self.counts[i]
        ]


def measure(
    network: CharLSTM, ids: Ids, steps: int, track: Callable[[Iterable[Any]], Iterator[Any]] = iter, *, lanes: int = LANES
) -> Measured:
    """Let a network foretell each character of a text but the first from all that stand before it.

    Args:
        network: is as it was afterwards.
        ids: the text.
        steps: characters that are worked on at once, of each lane.
        track: put around the pieces, to show progress.
        lanes: stretches of the text that are read side by side, at most.

    Raises:
        DataError: a text of fewer than 2 characters.

    Example:
        >>> ids = Ids(np.arange(10, dtype=np.uint8), [("a", 0, 10)])
        >>> measured = measure(CharLSTM(10, hidden=4, embedding=2), ids, steps=4)
        >>> measured.characters, 1 < measured.loss < 4
        (9, True)
    """
    nats, counts = np.zeros(network.vocabulary), np.zeros(network.vocabulary, np.int64)
    where = network.head.weight.device
    was = network.training
    network.eval()
    state: State | None = None
    try:
        with minigrad.no_grad():
            for tokens, fresh in track(pieces(ids, lanes, steps)):
                here = tokens.to(where)
                logits, state = network(here[:-1], None if fresh else state)
                surprise = F.cross_entropy(logits.flatten(0, 1), here[1:].flatten(), reduction="none").cpu().numpy()
                targets = tokens.numpy()[1:].ravel()
                nats += np.bincount(targets, surprise.astype(np.float64), minlength=len(nats))
                counts += np.bincount(targets, minlength=len(counts))
    finally:
        network.train(was)
    return Measured(nats, counts)
