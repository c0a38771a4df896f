"""A trained generator: noise in, images out, alone or on the way from one to another."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

import minigrad
from minigrad import Tensor
from minigrad.errors import ArgumentError, RunError
from minigrad.models.dcgan import LARGEST, SMALLEST, UP, Generator, ladder, widths
from minigrad.train.trained import Trained

BATCH = 64  # images that are made at once, at most,
PIXELS = 1 << 19  # and pixels of them
NUMBERS = 1 << 22  # of images whose nearest ones are looked for at once
MOST = 1_000_000  # more than anyone means of a size: a config that has one is damaged
LEAST_CUT = 0.01  # of truncation: below it all images are one


class Card(NamedTuple):
    """All that makes a network's weights a generator of images; a run's config holds it.

    Attributes:
        shape: (C, H, W) of what it makes.
        classes: names of the kinds of images that can be asked for; none where there are none.
        noise, width, up: as for ``Generator``.
    """

    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    noise: int
    width: int
    up: str

    def build(self) -> Generator:
        """The network, not trained."""
        channels, *size = self.shape
        height, width = size
        return Generator((height, width), channels, noise=self.noise, width=self.width, classes=len(self.classes), up=self.up)

    @property
    def parameters(self) -> int:
        """How many numbers the network's weights are, told without the memory for them.

        Example:
            >>> card = Card((3, 31, 48), ("a", "b"), 10, 4, "resize")
            >>> card.parameters == sum(p.numel() for p in card.build().parameters())
            True
        """
        channels, height, width = self.shape
        stages = ladder(height, width)
        counts = [channels, *widths(self.width, len(stages))]
        base, kinds = stages[-1].small, max(1, len(self.classes))
        found = self.noise * counts[-1] * base[0] * base[1] + 2 * kinds * counts[-1]
        for stage, out, inner in zip(stages, counts, counts[1:]):
            found += out * inner * (9 if self.up == "resize" else stage.kernel[0] * stage.kernel[1])
            found += channels if stage is stages[0] else 2 * kinds * out
        return found

    def to_config(self) -> dict[str, Any]:
        """What ``of`` takes, as plain data."""
        return {**self._asdict(), "shape": list(self.shape), "classes": list(self.classes)}

    @classmethod
    def of(cls, content: Any, where: str) -> Card:
        """The card in a run's config.

        Raises:
            RunError: it is none.
        """
        try:
            channels, height, width = content["shape"]
            classes, noise, wide, up = (content[name] for name in ("classes", "noise", "width", "up"))
            sound = (
                channels in (1, 3)
                and all(type(side) is int and SMALLEST <= side <= LARGEST for side in (height, width))
                and all(type(size) is int and 1 <= size <= MOST for size in (noise, wide))
                and isinstance(classes, list)
                and len(classes) <= MOST
                and all(isinstance(name, str) for name in classes)
                and up in UP
            )
        except (KeyError, TypeError, ValueError):
            sound = False
        if not sound:
            expected, got = "what the network is, as minigrad train gan writes it", "nothing of that kind, or damaged"
            raise RunError("gan", where, expected, got, "Put back a copy of config.json, or train anew")
        return cls((channels, height, width), tuple(classes), noise, wide, up)


class Imaginer:
    """A network with all that it takes to make images.

    Args:
        card: what it is.
        network: with its weights.

    Example:
        >>> card = Card((3, 16, 16), (), 8, 4, "transposed")
        >>> imaginer = Imaginer(card, card.build())
        >>> imaginer.make(imaginer.noise(5, seed=1)).shape
        (5, 3, 16, 16)
    """

    def __init__(self, card: Card, network: Generator) -> None:
        self.card, self.network = card, network

    @classmethod
    def load(cls, model: str) -> Imaginer:
        """The generator of a run folder, or of a shipped model.

        Raises:
            RunError: there is no trained generator, or its weights belong to another network.
            FileFormatError: a damaged file.
        """
        trained = Trained.open(model)
        card = Card.of(trained.config("gan").get("model"), model)
        network: Any = trained.network(card.build, lambda: card.parameters)
        return cls(card, network)

    def noise(self, count: int, *, seed: int = 0, truncation: float | None = None) -> np.ndarray:
        """Points that images are made of, normal, float32 (count, Z); the first of more points are those of fewer.

        Args:
            count: how many.
            seed: the same one gives the same points.
            truncation: no number is farther from 0 than this: fewer kinds of images, each nearer to what is usual (Brock et
                al. 2018, arXiv:1809.11096, section 3.1). ``None``: as they come.

        Raises:
            ArgumentError: fewer than one, or a truncation out of range.
        """
        if type(count) is not int or not 1 <= count <= MOST:
            raise ArgumentError("imagine", "count", f"1 to {MOST:,} images", str(count))
        if truncation is not None and not LEAST_CUT <= truncation <= 100:
            expected, remedy = f"a number from {LEAST_CUT} to 100", "2 cuts little; below 1 images grow alike and pale"
            raise ArgumentError("imagine", "truncation", expected, f"{truncation:g}", remedy)
        generator = minigrad.Generator().manual_seed(seed)
        size = (count, self.card.noise)
        if truncation is None:
            return minigrad.randn(*size, generator=generator, device="cpu").numpy()
        # Normal numbers by their distribution's inverse, of chances that lie between those of -t and t.
        chance = minigrad.rand(*size, generator=generator, dtype=minigrad.float64, device="cpu") * 2 - 1
        cut = math.erf(truncation / math.sqrt(2))
        found: Tensor = math.sqrt(2) * minigrad.erfinv(chance * cut)
        return np.clip(found.numpy(), -truncation, truncation).astype(np.float32)

    def between(self, noise: np.ndarray, steps: int) -> np.ndarray:
        """Points on the way from each point to the next, float32: (N, Z) to ((N - 1) steps + 1, Z).

        The way keeps to the shell around 0 that normal points lie in, which a straight line would leave: White 2016,
        arXiv:1609.04468, section 2.1. The distance from 0 goes evenly from one point's to the other's.

        Args:
            noise: two points or more.
            steps: from one to the next.

        Raises:
            ArgumentError: fewer than two points, or than one step.

        Example:
            >>> card = Card((1, 8, 8), (), 2, 1, "transposed")
            >>> ends = np.array([[1.0, 0.0], [0.0, 1.0]])
            >>> Imaginer(card, card.build()).between(ends, 2).round(3).tolist()
            [[1.0, 0.0], [0.7070000171661377, 0.7070000171661377], [0.0, 1.0]]
        """
        if len(noise) < 2 or steps < 1:
            got = f"{len(noise)} points, {steps} steps"
            raise ArgumentError("imagine", "interpolate", "at least two points, and a step", got)
        share = np.arange(steps)[:, None] / steps
        found = []
        for one, other in zip(noise.astype(np.float64), noise[1:].astype(np.float64)):
            lengths = np.linalg.norm(one), np.linalg.norm(other)
            cosine = one @ other / max(lengths[0] * lengths[1], 1e-12)
            angle = math.acos(min(1.0, max(-1.0, cosine)))
            if min(lengths) < 1e-6 or math.sin(angle) < 1e-6:  # there is no circle, or more than one
                found.append((1 - share) * one + share * other)
                continue
            ways = np.sin((1 - share) * angle) * (one / lengths[0]) + np.sin(share * angle) * (other / lengths[1])
            found.append(ways / math.sin(angle) * ((1 - share) * lengths[0] + share * lengths[1]))
        return np.concatenate([*found, noise[-1:]]).astype(np.float32)

    def labels(self, count: int, kinds: Sequence[str] = ()) -> np.ndarray | None:
        """Which class each of ``count`` images is to be of, int64: those asked for in turn, by default all.

        None where there are no classes.

        Raises:
            ArgumentError: the generator has no classes, or none of that name.
        """
        known = self.card.classes
        for kind in kinds:
            if kind not in known:
                expected = f"one of {', '.join(known)}" if known else "nothing, as this generator has no classes"
                raise ArgumentError("imagine", "class", expected, repr(kind))
        if not known:
            return None
        turn = [known.index(kind) for kind in kinds] or list(range(len(known)))
        return np.resize(np.array(turn, np.int64), count)

    def make(self, noise: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        """Images of points, uint8 (N, C, H, W).

        Args:
            noise: float32 (N, Z).
            labels: int64 (N,), where there are classes.
        """
        _, height, width = self.card.shape
        size = max(1, min(BATCH, PIXELS // (height * width)))
        was, where = self.network.training, next(self.network.parameters()).device
        self.network.eval()
        found = []
        try:
            with minigrad.no_grad():
                for start in range(0, len(noise), size):
                    part = slice(start, start + size)
                    asked = None if labels is None else minigrad.tensor(labels[part], device=where)
                    found.append(to_pixels(self.network(minigrad.tensor(noise[part], device=where), asked)))
        finally:
            self.network.train(was)
        return np.concatenate(found)


def to_pixels(images: Tensor) -> np.ndarray:
    """Images from -1 to 1 as bytes, uint8 of the same shape.

    Example:
        >>> to_pixels(minigrad.tensor([-1.0, 0.0, 1.0])).tolist()
        [0, 128, 255]
    """
    values = images.detach().cpu().numpy().astype(np.float32)
    return np.rint(np.clip((values + 1) * 127.5, 0, 255)).astype(np.uint8)


def nearest(made: np.ndarray, real: Any, *, skip: bool = False, chunk: int = 512) -> tuple[np.ndarray, np.ndarray]:
    """Of each image the one of a set that differs least from it, pixel by pixel: whether it was learned by heart.

    Args:
        made: uint8 (N, C, H, W).
        real: ``LabelledImages`` of the same shape.
        skip: leave those out that are the same pixel by pixel: of images of the set themselves the nearest other one is found.
        chunk: images of the set that are looked at at once, at most.

    Returns:
        Its number in the set, int64 (N,), and the root of the mean square of the difference, on a scale from 0 to 1.

    Example:
        >>> from minigrad.data import LabelledImages
        >>> real = LabelledImages(np.array([0, 255], np.uint8).reshape(2, 1, 1, 1), [0, 0], ["all"])
        >>> nearest(np.full((1, 1, 1, 1), 204, np.uint8), real)
        (array([1]), array([0.2]))
    """
    rows = made.reshape(len(made), -1).astype(np.float64) / 255
    chunk = max(1, min(chunk, NUMBERS // rows.shape[1]))
    best, where = np.full(len(made), np.inf), np.zeros(len(made), np.int64)
    for start in range(0, len(real), chunk):
        numbers = np.arange(start, min(start + chunk, len(real)))
        theirs = real.pixels(numbers).reshape(len(numbers), -1).astype(np.float64) / 255
        square = (rows**2).sum(1)[:, None] - 2 * rows @ theirs.T + (theirs**2).sum(1)
        if skip:
            square[square < 1e-6] = np.inf
        closest = square.argmin(1)
        least = square[np.arange(len(made)), closest]
        better = least < best
        best[better], where[better] = least[better], start + closest[better]
    return where, np.sqrt(np.maximum(best, 0) / rows.shape[1]).round(9)


def begun_card(like: Mapping[str, Any] | None) -> Card | None:
    """The card of the model to begin from, if there is one."""
    return None if like is None else Card.of(dict(like), "the model to begin from")
