"""A trained classifier: images in, probabilities out; and how good it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

import minigrad
import minigrad.nn.functional as F
from minigrad import nn
from minigrad.data import DataLoader, LabelledImages
from minigrad.data.augment import Augmented
from minigrad.data.decode import read_image
from minigrad.errors import RunError
from minigrad.models.cnn import build
from minigrad.models.cost import parameters
from minigrad.models.folded import folded
from minigrad.nn.utils import Stepping
from minigrad.train.trained import Trained

MEASURED = 10_000  # images from which mean and deviation of the pixels are taken
BATCH = 256  # images that are judged at once, at most,
PIXELS = 1 << 22  # and pixels of them
LARGEST = 4096  # pixels a side, and more classes than this are a damaged config: nothing is made of that size unseen
MOST_CLASSES = 1_000_000


class Card(NamedTuple):
    """All that makes a network's weights a classifier; a run's config holds it.

    Attributes:
        network: its name in ``NETWORKS``.
        options: what it was built with.
        shape: (C, H, W) of the images it takes.
        classes: their names.
        mean, std: of each channel of the images it learned from, for pixels from 0 to 1.
        crop: how much of an image's shorter side is looked at, in its middle.
        mirror: an image is looked at together with its mirror image.
    """

    network: str
    options: Mapping[str, Any]
    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    crop: float = 1.0
    mirror: bool = False

    def build(self) -> nn.Module:
        """The network, not trained."""
        return build(self.network, self.shape, len(self.classes), **self.options)

    def parameters(self) -> int:
        """How many parameters it has, told without the memory for them."""
        return parameters(self.network, self.shape, len(self.classes), **self.options)

    def logits(self, network: nn.Module, x: minigrad.Tensor) -> minigrad.Tensor:
        """What the network says of images (N, C, H, W), scaled: (N, K); or the mean of that and of their mirror images.

        Example:
            >>> card = Card("cnn", {"width": 4, "hidden": 8}, (1, 8, 8), ("cat", "dog"), (0.5,), (0.25,), mirror=True)
            >>> network, x = card.build().eval(), minigrad.randn(3, 1, 8, 8)
            >>> minigrad.allclose(card.logits(network, x), card.logits(network, x.flip(3)))
            True
        """
        return (network(x) + network(x.flip(3))) / 2 if self.mirror else network(x)

    @classmethod
    def of(cls, content: Any, where: str) -> Card:
        """The card in a run's config.

        Raises:
            RunError: it is none.
        """
        try:
            channels, height, width = content["shape"]
            classes, mean, std = (tuple(content[name]) for name in ("classes", "mean", "std"))
            options, crop, mirror = dict(content["options"]), content.get("crop", 1.0), content.get("mirror", False)
            whole = [channels, height, width, crop, *options.values()]
            sound = (
                all(type(number) in (int, float, bool) and math.isfinite(number) for number in (*whole, *mean, *std))
                and all(type(side) is int and 1 <= side <= LARGEST for side in (height, width))
                and channels in (1, 3)
                and len(mean) == len(std) == channels
                and min(std) > 0
                and 0 < crop <= 1
                and type(mirror) is bool
                and 2 <= len(classes) <= MOST_CLASSES
                and all(isinstance(name, str) for name in (*classes, *options, content["network"]))
                and not isinstance(content["classes"], str)
            )
        except (KeyError, TypeError, ValueError, OverflowError):
            sound = False
        if not sound:
            expected, got = "what the network is, as minigrad train classify writes it", "nothing of that kind, or damaged"
            raise RunError("classify", where, expected, got, "Put back a copy of config.json, or train anew")
        return cls(content["network"], options, (channels, height, width), classes, mean, std, crop, mirror)


class Classifier:
    """A network with all that it takes to name what is on an image.

    Args:
        card: what it is.
        network: with its weights. What kernels make of them is kept from image to image until they change.

    Example:
        >>> card = Card("cnn", {"width": 4, "hidden": 8}, (1, 8, 8), ("cat", "dog"), (0.5,), (0.25,))
        >>> classifier = Classifier(card, card.build())
        >>> probabilities = classifier(np.zeros((3, 1, 8, 8), np.uint8))
        >>> probabilities.shape, bool(np.allclose(probabilities.sum(axis=1), 1))
        ((3, 2), True)
    """

    def __init__(self, card: Card, network: nn.Module) -> None:
        self.card, self.network = card, network
        self._stepping = Stepping()

    @classmethod
    def load(cls, model: str, *, whole: bool = False) -> Classifier:
        """The classifier of a run folder, or of the name of a shipped model, to be applied.

        Args:
            model: the folder or the name.
            whole: keep the network as it was trained, to look into it, or to go on with it. Else its batch norms are folded
                into its convolutions: see :func:`~minigrad.models.folded.folded`.

        Raises:
            RunError: there is no trained classifier, or its weights belong to another network.
            FileFormatError: a damaged file.
        """
        trained = Trained.open(model, "classify")
        card = Card.of(trained.config("classify").get("model"), trained.name)
        network = trained.network(card.build, card.parameters)
        return cls(card, network if whole else folded(network))

    def read(self, path: Any) -> np.ndarray:
        """An image file as the network takes it, uint8 (C, H, W).

        Raises:
            DataError: it cannot be read.
        """
        return read_image(path, self.card.shape, crop=self.card.crop)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Images, uint8 (N, C, H, W), to probabilities (N, K).

        Raises:
            RunError: the network gives none.
        """
        labels = np.zeros(len(images), np.int64)
        with minigrad.no_grad(), self._stepping:
            batches = self.batches(LabelledImages(images, labels, self.card.classes))
            found = np.concatenate([F.softmax(self._logits(x), dim=1).cpu().numpy() for x, *_ in batches])
        self._check(found)
        return found

    def _check(self, probabilities: np.ndarray) -> None:
        if not np.isfinite(probabilities).all():
            remedy = "Its weights are finite, but too large, or damaged: take another copy of them, or train anew"
            raise RunError("classify", self.card.network, "a probability of each class", "nan", remedy)

    def batches(self, images: LabelledImages) -> DataLoader:
        """Labelled images in the order that they have, as the network takes them."""
        scaled = Augmented(images, 0, mean=self.card.mean, std=self.card.std)
        _, height, width = self.card.shape
        size = min(BATCH, max(1, PIXELS // (height * width)))
        return DataLoader(scaled, batch_size=size, num_workers=1, device=device_of(self.network))

    def _logits(self, x: minigrad.Tensor) -> minigrad.Tensor:
        was = self.network.training
        self.network.eval()
        try:
            return self.card.logits(self.network, x)
        finally:
            self.network.train(was)

    def judge(
        self, images: LabelledImages, track: Callable[[Iterable[Any]], Iterator[Any]] = iter, *, trained: bool = True
    ) -> Judgement:
        """Look at labelled images and compare.

        Args:
            images: of the network's classes.
            track: put around the batches, to show progress.
            trained: whether the network must give probabilities; one that is being trained may have diverged, which its loss
                of nan tells.

        Raises:
            RunError: the network gives none.
        """
        found: list[np.ndarray] = []
        total = 0.0
        with minigrad.no_grad(), self._stepping:
            for x, y, _ in track(self.batches(images)):
                logits = self._logits(x)
                total += F.cross_entropy(logits, y, reduction="sum").item()
                found.append(F.softmax(logits, dim=1).cpu().numpy())
        probabilities = np.concatenate(found)
        if trained:
            self._check(probabilities)
        return Judgement(self.card.classes, images.labels, probabilities, total / len(images))


def device_of(network: nn.Module) -> minigrad.device:
    """Where a network's weights are.

    Example:
        >>> device_of(nn.Linear(1, 1))
        device(type='cpu')
    """
    return next(network.parameters()).device


class Judgement(NamedTuple):
    """What a classifier said of labelled images.

    Attributes:
        classes: K names.
        labels: int64 (N,), the truth.
        probabilities: (N, K).
        loss: mean cross-entropy, in nats.
    """

    classes: Sequence[str]
    labels: np.ndarray
    probabilities: np.ndarray
    loss: float

    @property
    def answers(self) -> np.ndarray:
        """The class thought likeliest of each image."""
        return self.probabilities.argmax(axis=1)

    @property
    def accuracy(self) -> float:
        """The share told right."""
        return float((self.answers == self.labels).mean())

    @property
    def counts(self) -> np.ndarray:
        """int64 (K, K): row i, column j: images of class i that were taken for class j."""
        size = len(self.classes)
        return np.bincount(self.labels * size + self.answers, minlength=size * size).reshape(size, size)

    @property
    def present(self) -> np.ndarray:
        """The places of the classes that an image is of, or was taken for."""
        return np.flatnonzero(self.counts.any(axis=0) | self.counts.any(axis=1))

    def per_class(self) -> list[tuple[str, int, float, float, float]]:
        """A row for each class: name, images, precision, recall, F1 (van Rijsbergen 1979); 0 where a share is of nothing.

        Example:
            >>> Judgement(["a", "b"], np.array([0, 0, 1]), np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]]), 0.0).per_class()
            [('a', 2, 1.0, 0.5, 0.6666666666666666), ('b', 1, 0.5, 1.0, 0.6666666666666666)]
        """
        answers, size = self.answers, len(self.classes)
        right, true, said = (
            np.bincount(found, minlength=size) for found in (answers[answers == self.labels], self.labels, answers)
        )
        recall, precision = right / np.maximum(true, 1), right / np.maximum(said, 1)
        both = precision + recall
        f1 = 2 * precision * recall / np.where(both == 0, 1, both)
        return [
            (name, int(true[i]), float(precision[i]), float(recall[i]), float(f1[i])) for i, name in enumerate(self.classes)
        ]

    def hardest(self, most: int = 24) -> np.ndarray:
        """The images that were told wrong, the surest mistakes first."""
        wrong = np.flatnonzero(self.answers != self.labels)
        sure = self.probabilities[wrong].max(axis=1, initial=0)
        return wrong[np.argsort(-sure, kind="stable")[:most]]


def statistics(images: LabelledImages) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel, for pixels from 0 to 1, from at most 10,000 images evenly taken.

    Example:
        >>> black_and_white = np.array([[[[0, 255]]]], np.uint8)
        >>> statistics(LabelledImages(black_and_white, [0], ["all"]))
        ((0.5,), (0.5,))
    """
    step = -(-len(images) // MEASURED)
    chosen = np.arange(0, len(images), step)
    total, squares, count = np.zeros(images.shape[0]), np.zeros(images.shape[0]), 0
    for start in range(0, len(chosen), 512):
        pixels = images.pixels(chosen[start : start + 512]) / 255.0
        total += pixels.sum(axis=(0, 2, 3))
        squares += (pixels * pixels).sum(axis=(0, 2, 3))
        count += pixels.size // images.shape[0]
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, (1 / 255) ** 2))  # images of one colour have none
    return tuple(round(float(m), 6) for m in mean), tuple(round(float(d), 6) for d in deviation)
