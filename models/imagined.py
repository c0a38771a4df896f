"""What a generator makes, beside the images that it learned from: how far apart they are, and whether it copies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

import minigrad
from minigrad.data.catalogue import DATASETS
from minigrad.data.gallery import Gallery, open_gallery
from minigrad.data.labelled import LabelledImages
from minigrad.data.pixels import refitted
from minigrad.data.published import named_or_published
from minigrad.models.begun import check_same, check_there, recipe
from minigrad.models.frechet import Law, distance
from minigrad.models.gan_watch import kinds, spread
from minigrad.models.imaginer import Card, Imaginer, nearest
from minigrad.models.judge import PART, SPREAD, Judge
from minigrad.train import Track

JUDGED = 5_000  # images that are made and measured
COMPARED, NUMBERS = 500, 1 << 24  # images whose nearest ones are looked for at once, and numbers of them
COPIED = 0.5  # of the distance that is usual: what lies nearer on the whole was learned by heart


class Seen(NamedTuple):
    """What a judge sees of what a generator makes.

    Attributes:
        images: the first of them, uint8 (n, C, H, W).
        answers: which class each is taken for, int64 (N,).
        labels: which class was asked for, int64 (N,); None without classes.
        frechet: their distance from the data in the features of the judge, the less the better.
        diversity: how far they lie apart, as a share of how far the data do; where classes are asked for within a class, since
            a generator may well make one image for each.
        kinds: among how many classes they are spread, the exponential of the entropy of their shares.
    """

    images: np.ndarray
    answers: np.ndarray
    labels: np.ndarray | None
    frechet: float
    diversity: float
    kinds: float


def look(imaginer: Imaginer, judge: Judge, data: Gallery, count: int, track: Track = iter) -> Seen:
    """Make images, always of the same noise, and let a judge that has learned look at them.

    Args:
        imaginer: the generator.
        judge: of the same images.
        data: what it learned from.
        count: images that are made.
        track: put around what is gone through.
    """
    noise, labels = imaginer.noise(count), labels_like(imaginer, data, count)
    kept, features, answers = [], [], []
    for part in track(_in_parts(count)):
        images = imaginer.make(noise[part], None if labels is None else labels[part])
        seen, taken = judge.look(images)
        features.append(seen)
        answers.append(taken)
        if part[0] < SPREAD:
            kept.append(images)
    own, some, said = judge.own(track), np.concatenate(kept)[:SPREAD], np.concatenate(answers)
    apart = spread(some, None if labels is None else labels[: len(some)])
    return Seen(
        images=some,
        answers=said,
        labels=labels,
        frechet=distance(Law.of(np.concatenate(features)), own.law),
        diversity=apart / max(own.spread if labels is None else own.within, 1e-9),
        kinds=kinds(said, len(judge.classes) or int(said.max()) + 1),
    )


class Beside(NamedTuple):
    """Made images beside the training images that are nearest to them. Distances are as ``imaginer.nearest`` tells them.

    Attributes:
        where: the number of the nearest training image of each, int64 (N,).
        far: how far it is, (N,).
        usual: how far a training image is from the nearest other one, the median of some.
    """

    where: np.ndarray
    far: np.ndarray
    usual: float

    @property
    def median(self) -> float:
        """How far the nearest are, the median."""
        return float(np.median(self.far))

    @property
    def ratio(self) -> float:
        """How far the nearest are, the median, as a share of what is usual."""
        return self.median / max(self.usual, 1e-9)

    @property
    def copied(self) -> bool:
        """Whether what is made was learned by heart, on the whole."""
        return self.ratio < COPIED


class Measured(NamedTuple):
    """What was found of a generator.

    Attributes:
        judge: what the judge learned to tell, in words.
        images: how many were made.
        frechet: their distance from the data, in the features of the judge.
        halves: that of two halves of the data from each other.
        test: that of a test part from the data, where there is one.
        accuracy: the share of the test part whose class the judge finds, where it knows classes.
        asked: the share of what is made whose class the judge finds to be the one that was asked for, where classes are.
        diversity: how far what is made lies apart, as a share of how far the data do.
        shares: of each class the judge knows: its name, its share of what is made, and of the data.
        beside: some of what is made beside the nearest of the data.
    """

    judge: str
    images: int
    frechet: float
    halves: float
    test: float | None
    accuracy: float | None
    asked: float | None
    diversity: float
    shares: list[tuple[str, float, float]]
    beside: Beside


def to_measure(config: Mapping[str, Any], data: str | None, progress: Any = None) -> tuple[Gallery, str]:
    """The images that a run's generator learned from, or others brought to the same size, and what they are called.

    Args:
        config: the run's.
        data: a named set or a path; ``None`` for the run's own data.
        progress: called as ``progress(doing, done, total)`` while they are read.

    Raises:
        DataError: they cannot be had, or have changed since.
        RunError: the config is damaged.
    """
    from minigrad.models.gan import GanSettings  # which knows this file

    card = Card.of(config.get("model"), "config.json")
    own, _ = recipe(config, "gan", GanSettings)
    if data is None:
        check_there(own, "images")
    name = own if data is None else data
    found = open_gallery(name, image_size=card.shape[1:], channels=card.shape[0], progress=progress)
    if data is None:
        check_same(found.digest, config, "images")
    return found, name


def test_part(name: str, shape: tuple[int, int, int], progress: Any = None) -> LabelledImages | None:
    """The test part of a published set, in a shape (C, H, W); None where there is none.

    Raises:
        DataError: it cannot be had.

    Example:
        >>> test_part("mnist5k", (1, 16, 16))
        LabelledImages(1000 of 1x16x16, 10 classes)
    """
    if name in DATASETS and DATASETS[name].kind != "images":
        return None
    found = named_or_published(name, progress)
    if found is None or not len(found.arrays.test_labels):
        return None
    return LabelledImages(refitted(found.arrays.test_images, shape), found.arrays.test_labels, found.classes)


def beside(images: np.ndarray, train: LabelledImages, track: Track = iter) -> Beside:
    """Find the training image that is nearest to each of some images, and how far such images are from each other.

    Args:
        images: uint8 (N, C, H, W); of large ones some hundreds take much memory.
        train: what was learned from.
        track: put around what is gone through.

    Example:
        >>> train = LabelledImages(np.array([0, 51, 255], np.uint8).reshape(3, 1, 1, 1), [0, 0, 0], ["all"])
        >>> found = beside(np.full((1, 1, 1, 1), 102, np.uint8), train)
        >>> found.where, found.far, found.usual, found.ratio
        (array([1]), array([0.2]), 0.2, 1.0)
    """
    compared = int(np.clip(NUMBERS // images[0].size, 16, COMPARED))
    some = train.pixels(np.linspace(0, len(train) - 1, min(compared, len(train))).astype(int))
    found = []
    for part in track(np.array_split(np.arange(len(images)), -(-len(images) // compared))):
        found.append(nearest(images[part], train))
    apart = nearest(some, train, skip=True)[1]
    apart = apart[np.isfinite(apart)]
    where, far = (np.concatenate(each) for each in zip(*found))
    return Beside(where, far, float(np.median(apart)) if len(apart) else 0.0)


def measure(
    imaginer: Imaginer,
    data: Gallery,
    test: LabelledImages | None,
    shown: int,
    track: Callable[[str], Track] = lambda doing: iter,
) -> Measured:
    """Make images, let a judge that learns anew from the data look at them, and look for copies.

    Args:
        imaginer: the generator.
        data: images of the shape that it makes.
        test: a test part of the same shape, if there is one.
        shown: images that the judge learns from: see ``Judge``.
        track: given what is done, a function to put around what is gone through.
    """
    judge = Judge(data.train, data.classes, shown)
    judge.learn(track("the judge learns"))
    seen = look(imaginer, judge, data, JUDGED, track("imagining and judging"))
    own, away, accuracy, asked, shares = judge.own(), None, None, None, []
    if test is not None:
        parts = [judge.look(test.pixels(part)) for part in track("judging the test part")(_in_parts(len(test)))]
        theirs, found = (np.concatenate(each) for each in zip(*parts, strict=True))
        away = distance(Law.of(theirs), own.law)
        if judge.classes:
            accuracy = float((found == test.labels).mean())
    if seen.labels is not None and judge.classes == imaginer.card.classes:
        asked = float((seen.answers == seen.labels).mean())
    if judge.classes:
        ours, all_ = (np.bincount(each, minlength=len(judge.classes)) for each in (seen.answers, data.train.labels))
        shares = [(name, a / JUDGED, b / len(data.train)) for name, a, b in zip(judge.classes, ours.tolist(), all_.tolist())]
    return Measured(
        judge=judge.kind,
        images=JUDGED,
        frechet=seen.frechet,
        halves=own.halves,
        test=away,
        accuracy=accuracy,
        asked=asked,
        diversity=seen.diversity,
        shares=shares,
        beside=beside(seen.images[:COMPARED], data.train, track("looking for the nearest")),
    )


def _in_parts(count: int) -> list[np.ndarray]:
    return np.array_split(np.arange(count), -(-count // PART))


def labels_like(imaginer: Imaginer, data: Gallery, count: int) -> np.ndarray | None:
    """Classes to ask for, int64 (count,): as often as the data have them where these are the same, else all in turn.

    None of a generator without classes.
    """
    if not imaginer.card.classes or data.classes != imaginer.card.classes:
        return imaginer.labels(count)
    return as_often(data.train.labels, count)


def as_often(labels: np.ndarray, count: int) -> np.ndarray:
    """So many labels, int64, each as often as among those that are given, mixed, always in the same way.

    Example:
        >>> sorted(as_often(np.array([0, 0, 1, 2]), 8).tolist())
        [0, 0, 0, 0, 1, 1, 2, 2]
    """
    order = minigrad.randperm(count, generator=minigrad.Generator().manual_seed(count), device="cpu").numpy()
    return np.sort(labels)[np.arange(count) * len(labels) // count][order]
