"""Whether two networks that learn against each other still do: collapse and divergence, recognised and named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

MEMORY = 0.98  # of the running means of D(x) and D(G(z)): some fifty steps
GRACE = 500  # steps: before, a generator makes little more than fog, and all of it is alike
ALIKE = 0.35  # of the data's own diversity: what lies closer together is one image over and over
FEW_KINDS = 0.4  # of the data's classes; one that learns slowly has as few, while it still comes nearer to the data,
HARDLY_ANY = 0.2  # but not so few
WORSE = 4.0  # times the best Fréchet distance
MARGIN = 1.25  # times it, where the discriminator has won
COLUMNS = 4096  # numbers of each image that are looked at at once
SURE = 0.02  # of chance: a discriminator that errs less has won


class Watch:
    """What was seen of a training so far; and its state, for a checkpoint.

    Attributes:
        steps: how many there were.
        real, made: running means of D(x) and D(G(z)).
        best: the least Fréchet distance that was measured.
        reason: what was wrong last.

    Example:
        >>> watch = Watch()
        >>> for _ in range(GRACE):
        ...     watch.see(0.7, 0.3)
        >>> watch.wrong({"frechet": 20.0, "diversity": 0.9})
        ''
        >>> watch.wrong({"frechet": 21.0, "diversity": 0.01})
        'collapse: what the generator makes is nearly all alike, 0.01 times as diverse as the data'
    """

    def __init__(self) -> None:
        self.steps, self.real, self.made = 0, 0.5, 0.5
        self.best: float | None = None
        self.reason = ""

    def see(self, real: float, made: float) -> None:
        """A step, with D(x) and D(G(z))."""
        self.steps += 1
        self.real += (1 - MEMORY) * (real - self.real)
        self.made += (1 - MEMORY) * (made - self.made)

    def wrong(self, measured: Mapping[str, float], classes: float = 0) -> str:
        """What is wrong with what was measured, in words; empty: nothing, and the best distance is kept.

        The first that is measured is taken as it is: there has to be a state that can be gone back to.

        Args:
            measured: ``frechet`` and ``diversity``, and with classes ``kinds``: see ``Gan.measure``.
            classes: among how many the data themselves are spread, measured in the same way.
        """
        frechet, diversity = measured["frechet"], measured["diversity"]
        best = frechet if self.best is None else self.best
        found = ""
        if self.steps < GRACE or self.best is None:
            pass
        elif diversity < ALIKE:
            found = f"collapse: what the generator makes is nearly all alike, {diversity:.2f} times as diverse as the data"
        elif classes and measured["kinds"] < 1 + (FEW_KINDS if frechet > best else HARDLY_ANY) * (classes - 1):
            found = (
                f"collapse: what the generator makes is of few kinds, as if of {measured['kinds']:.1f} classes, where the data "
                f"are as if of {classes:.1f}"
            )
        elif frechet > WORSE * best:
            found = f"divergence: the Fréchet distance is {frechet:.4g}, after {best:.4g} at best"
        elif self.real > 1 - SURE and self.made < SURE and frechet > MARGIN * best:
            found = (
                f"divergence: the discriminator has won (D(x) {self.real:.3f}, D(G(z)) {self.made:.3f}), and what the "
                "generator makes gets worse"
            )
        if found:
            self.reason = found
        else:
            self.best = min(best, frechet)
        return found

    def state_dict(self) -> dict[str, Any]:
        """All of it."""
        return dict(vars(self))

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take what ``state_dict`` gave; the reason of a rollback stays."""
        vars(self).update(state, reason=self.reason or state["reason"])


def spread(images: np.ndarray, labels: np.ndarray | None = None) -> float:
    """How far images lie apart: the mean over all pairs of the root of the mean square difference, on a scale from 0 to 1.

    Args:
        images: uint8 (N, C, H, W), at least two.
        labels: int64 (N,): the mean over the classes of how far images of a class lie apart; those of a single image left out.

    Example:
        >>> images = np.array([0, 255, 255], np.uint8).reshape(3, 1, 1, 1)
        >>> round(spread(images), 4), spread(images, np.array([0, 1, 1]))
        (0.6667, 0.0)
    """
    if labels is not None:
        parts = [images[labels == kind] for kind in np.unique(labels)]
        return float(np.mean([spread(part) for part in parts if len(part) > 1] or [0.0]))
    rows = images.reshape(len(images), -1)
    square = np.zeros((len(rows), len(rows)))
    for start in range(0, rows.shape[1], COLUMNS):
        part = rows[:, start : start + COLUMNS].astype(np.float64) / 255
        squares = (part**2).sum(1)
        square += squares[:, None] + squares - 2 * part @ part.T
    upper = np.triu_indices(len(rows), 1)
    return float(np.sqrt(np.maximum(square[upper], 0) / rows.shape[1]).mean())


def kinds(answers: np.ndarray, classes: int) -> float:
    """Among how many classes answers are spread: the exponential of the entropy of their shares.

    Example:
        >>> round(kinds(np.array([0, 0, 1, 1]), 3), 6), kinds(np.array([2, 2]), 3)
        (2.0, 1.0)
    """
    shares = np.bincount(answers, minlength=classes) / len(answers)
    shares = shares[shares > 0]
    return float(np.exp(-(shares * np.log(shares)).sum()))
