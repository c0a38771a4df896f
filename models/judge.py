"""A judge of images: a small network that learned from the same data, in whose features sets of images are compared.

Where the data have classes it tells them apart. Where they have none it tells by how many quarter turns an image was turned,
which takes knowing what is on it: Gidaris, Singh, Komodakis 2018, arXiv:1803.07728. Features are what its last layer sees.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

import minigrad
import minigrad.nn.functional as F
from minigrad import Tensor
from minigrad.data import DataLoader, LabelledImages
from minigrad.data.augment import Augmented
from minigrad.models.classifier import device_of
from minigrad.models.cnn import PlainCNN
from minigrad.models.frechet import Law, distance
from minigrad.models.gan_watch import kinds, spread
from minigrad.optim import AdamW
from minigrad.optim.lr_scheduler import OneCycleLR
from minigrad.train import Track

SIDE = 32  # pixels a side that it looks at, at most
FEATURES = 64
WIDTH = 16
EACH = 50  # images of a class on average: with fewer it does not learn by classes
BATCH, RATE, DECAY = 64, 3e-3, 0.05
TURNS = 4
SEED = 0  # of its beginning and of the order of the images
SPREAD = 512  # images whose distances from each other are measured
REAL, PART = 10_000, 512  # images of the data whose law is taken, at most, and at once


class Own(NamedTuple):
    """What a judge sees of the images that it learned from.

    Attributes:
        law: that their features follow.
        halves: the Fréchet distance of two halves of them. Of few images it is large, as each half tells little of the law.
        kinds: among how many classes it sees them spread: see ``gan_watch.kinds``.
        spread, within: how far they lie apart, and images of one class: see ``gan_watch.spread``.
    """

    law: Law
    halves: float
    kinds: float
    spread: float
    within: float


class Judge:
    """A network that looks at images of one shape, and its state, for a checkpoint.

    It is a function of the images and of how many it learns from: learned again it is the same, also by another training.

    Args:
        images: what it learns from.
        classes: their classes' names; none: by turns.
        shown: how many images it learns from, counted each time.

    Example:
        >>> images = LabelledImages(np.zeros((64, 1, 12, 12), np.uint8), np.zeros(64, int), ["all"])
        >>> features, answers = Judge(images, ()).look(np.zeros((3, 1, 12, 12), np.uint8))
        >>> features.shape, answers.shape
        ((3, 64), (3,))
    """

    def __init__(self, images: LabelledImages, classes: tuple[str, ...], shown: int = 40_000) -> None:
        self.images, self.shown = images, shown
        self.classes = classes if len(images) >= EACH * len(classes) else ()
        self.learned = False
        self.side = min(SIDE, max(images.shape[1:]))
        self.network = self._fresh()
        self._own: Own | None = None

    @property
    def kind(self) -> str:
        """What it learns to tell, in words."""
        return f"to tell {len(self.classes)} classes apart" if self.classes else "to tell how each was turned"

    def _fresh(self) -> PlainCNN:
        kinds = len(self.classes) or TURNS
        with minigrad.random.fork_rng():
            minigrad.manual_seed(SEED)
            return PlainCNN(self.images.shape[0], (self.side, self.side), kinds, WIDTH, FEATURES, norm=True)

    def learn(self, track: Track = iter) -> None:
        """Learn from the images, unless it has. Broken off, it begins anew the next time.

        Args:
            track: put around the batches.
        """
        if self.learned:
            return
        network = self._fresh().train()
        order, size = minigrad.Generator().manual_seed(SEED), min(BATCH, len(self.images))
        loader = DataLoader(
            Augmented(self.images, SEED, mean=0.5, std=0.5), batch_size=size, shuffle=True, drop_last=True,
            generator=order, num_workers=1, device=device_of(network),
        )  # fmt: skip
        steps = -(-self.shown // size)
        optimizer = AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
        schedule = OneCycleLR(optimizer, RATE, total_steps=steps)
        for x, y, _ in track(_first(loader, steps)):
            x = self._fitted(x)
            if not self.classes:
                x, y = turned(x)
            optimizer.zero_grad()
            F.cross_entropy(network(x), y).backward()
            optimizer.step()
            schedule.step()
        self.network.load_state_dict(network.state_dict())
        self.learned = True

    def _fitted(self, x: Tensor) -> Tensor:
        """Images as the network takes them: square, and no larger than it is made for."""
        if tuple(x.shape[2:]) == (self.side, self.side):
            return x
        return F.interpolate(x, size=(self.side, self.side), mode="bilinear", antialias=True)

    def look(self, images: np.ndarray, track: Track = iter) -> tuple[np.ndarray, np.ndarray]:
        """Features (N, 64) of images, uint8 (N, C, H, W), and which class each is taken for, int64 (N,)."""
        network, found, answers = self.network.eval(), [], []
        with minigrad.no_grad():
            for start in track(range(0, len(images), BATCH)):
                x = minigrad.tensor(images[start : start + BATCH], device=device_of(network)).float() / 127.5 - 1
                rows = network.features(self._fitted(x))
                for layer in list(network.classifier)[:-1]:
                    rows = layer(rows)
                found.append(rows.cpu().numpy())
                answers.append(network.classifier[-1](rows).argmax(1).cpu().numpy())
        return np.concatenate(found), np.concatenate(answers)

    def own(self, track: Track = iter) -> Own:
        """What it sees of the images themselves: of at most 10,000 of them, evenly taken. It has to have learned."""
        if self._own is None:
            chosen = np.arange(0, len(self.images), -(-len(self.images) // REAL))
            parts = [self.look(self.images.pixels(part)) for part in track(np.array_split(chosen, -(-len(chosen) // PART)))]
            features, answers = (np.concatenate(each) for each in zip(*parts, strict=True))
            halves = distance(Law.of(features[::2]), Law.of(features[1::2]))
            some = np.linspace(0, len(self.images) - 1, min(SPREAD, len(self.images))).astype(int)
            pixels, labels = self.images.pixels(some), self.images.labels[some]
            kinds_of = kinds(answers, len(self.classes) or TURNS)
            self._own = Own(Law.of(features), halves, kinds_of, spread(pixels), spread(pixels, labels))
        return self._own

    def state_dict(self) -> dict[str, Any]:
        """The network, and whether it has learned."""
        return {"network": self.network.state_dict(), "learned": self.learned}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take what ``state_dict`` gave.

        Raises:
            StateError: it is another network's.
        """
        self.network.load_state_dict(state["network"])
        self.learned, self._own = bool(state["learned"]), None


def turned(images: Tensor) -> tuple[Tensor, Tensor]:
    """Square images, a quarter of them as they are, the others turned by one, two and three quarter turns; and how often.

    Example:
        >>> x, y = turned(minigrad.arange(16).reshape(4, 1, 2, 2))
        >>> x[1].tolist(), y.tolist()
        ([[[5, 7], [4, 6]]], [0, 1, 2, 3])
    """
    size = -(-len(images) // TURNS)
    parts = [minigrad.rot90(images[k * size : (k + 1) * size], k, (2, 3)) for k in range(TURNS)]
    labels = np.repeat(np.arange(TURNS), size)[: len(images)]
    return minigrad.cat(parts), minigrad.tensor(labels, device=images.device)


def _first(loader: DataLoader, count: int) -> Iterator[Any]:
    """So many batches, pass after pass."""
    batches = itertools.chain.from_iterable(loader for _ in itertools.count())
    return itertools.islice(batches, count)
