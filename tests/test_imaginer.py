"""A trained generator: the noise that images are made of, ways between, the nearest image, and what makes a card."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from scipy import stats

import minigrad
from minigrad.data import LabelledImages
from minigrad.errors import ArgumentError, RunError
from minigrad.models.dcgan import UP
from minigrad.models.imaginer import LEAST_CUT, MOST, Card, Imaginer, begun_card, nearest, to_pixels
from minigrad.train import Run

SIDES = st.integers(8, 60)


def imaginer(shape: tuple[int, int, int] = (1, 8, 8), classes: tuple[str, ...] = (), noise: int = 5) -> Imaginer:
    card = Card(shape, classes, noise, 2, "transposed")
    return Imaginer(card, card.build())


# ---------------------------------------------------------------------- noise


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 20), st.integers(0, 20), st.integers(0, 2**40), st.sampled_from([None, 0.5, 2.0]))
def test_more_points_begin_with_those_of_fewer(count: int, more: int, seed: int, truncation: float | None) -> None:
    made = imaginer()
    few, many = (made.noise(n, seed=seed, truncation=truncation) for n in (count, count + more))
    assert few.shape == (count, 5) and few.dtype == np.float32 and np.array_equal(many[:count], few)
    assert not np.array_equal(few, made.noise(count, seed=seed + 1, truncation=truncation))


@pytest.mark.parametrize("cut", [None, LEAST_CUT, 0.5, 1.0, 2.5, 100.0])
def test_the_law_of_the_noise(cut: float | None) -> None:
    """Normal, and truncated normal, by the test of Kolmogorov and Smirnov; nothing lies beyond."""
    found = imaginer(noise=50).noise(200, seed=3, truncation=cut).ravel()
    law = stats.norm() if cut is None else stats.truncnorm(-cut, cut)
    assert stats.kstest(found, law.cdf).pvalue > 0.001
    assert cut is None or np.abs(found).max() <= cut
    if cut is not None and cut < 3:
        assert found.max() > 0.9 * cut and found.min() < -0.9 * cut


REFUSED: list[tuple[Callable[[Imaginer], Any], str]] = [
    (lambda made: made.noise(0), r"count: expected 1 to 1,000,000 images, got 0"),
    (lambda made: made.noise(MOST + 1), r"count: expected 1 to 1,000,000 images, got 1000001"),
    (lambda made: made.noise(2.0), r"count: expected .*, got 2\.0"),  # type: ignore[arg-type]
    (lambda made: made.noise(True), r"count: expected .*, got True"),
    (lambda made: made.noise(1, truncation=0.0), r"truncation: expected a number from 0\.01 to 100, got 0\. 2 cuts little"),
    (lambda made: made.noise(1, truncation=-1.0), "truncation: .* got -1"),
    (lambda made: made.noise(1, truncation=math.nan), "truncation: .* got nan"),
    (lambda made: made.noise(1, truncation=101), "truncation: .* got 101"),
    (
        lambda made: made.between(made.noise(1), 3),
        "interpolate: expected at least two points, .*, got 1 points",
    ),
    (lambda made: made.between(made.noise(2), 0), "interpolate: .*, got 2 points, 0 steps"),
    (lambda made: made.labels(3, ["cat"]), "class: expected nothing, as this generator has no classes, got 'cat'"),
    (lambda made: imaginer(classes=("a", "b")).labels(3, ["a", "c"]), "class: expected one of a, b, got 'c'"),
]


@pytest.mark.parametrize(("call", "words"), REFUSED)
def test_what_is_refused(call: Callable[[Imaginer], Any], words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        call(imaginer())


# ---------------------------------------------------------------------- ways between


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 5), st.integers(1, 9), st.integers(2, 200), st.integers(0, 2**32 - 1))
def test_ways_between(count: int, steps: int, size: int, seed: int) -> None:
    """They begin and end at the points, and go evenly from the distance from 0 of one to that of the next."""
    points = np.random.default_rng(seed).standard_normal((count, size)).astype(np.float32)
    way = imaginer(noise=size).between(points, steps)
    assert way.shape == ((count - 1) * steps + 1, size) and way.dtype == np.float32
    np.testing.assert_allclose(way[::steps], points, rtol=1e-6, atol=1e-6)
    lengths = np.linalg.norm(way.astype(float), axis=1)
    for part in range(count - 1):
        stretch = slice(part * steps, (part + 1) * steps + 1)
        even = np.linspace(*np.linalg.norm(points[part : part + 2].astype(float), axis=1), steps + 1)
        np.testing.assert_allclose(lengths[stretch], even, rtol=1e-4)
        middle = way[stretch].astype(float) / even[:, None]
        assert (np.diff(middle @ middle[0]) <= 1e-5).all()  # ever farther from the first


def test_equal_steps_on_a_circle() -> None:
    """Two points of one length: every point between has it, and the angles from one to the next are the same."""
    ends = np.array([[3.0, 0, 0], [0, 3.0 * math.cos(0.4), 3.0 * math.sin(0.4)]])
    way = imaginer(noise=3).between(ends, 7).astype(float)
    np.testing.assert_allclose(np.linalg.norm(way, axis=1), 3.0, rtol=1e-6)
    angles = [math.acos(min(1.0, one @ other / 9)) for one, other in itertools.pairwise(way)]
    np.testing.assert_allclose(angles, np.pi / 2 / 7, rtol=1e-3)


@pytest.mark.parametrize(
    "ends", [[[1.0, 2.0], [1.0, 2.0]], [[1.0, 2.0], [2.0, 4.0]], [[1.0, 0.0], [-1.0, 0.0]], [[0.0, 0.0], [1.0, 0.0]]], ids=str
)
def test_points_on_a_line_through_0(ends: list[list[float]]) -> None:
    """Where there is no circle, or more than one, the way is straight."""
    points = np.array(ends)
    way = imaginer(noise=2).between(points, 4)
    share = np.arange(5)[:, None] / 4
    np.testing.assert_allclose(way, (1 - share) * points[0] + share * points[1], atol=1e-6)


# ---------------------------------------------------------------------- images


def test_images_are_the_networks_own() -> None:
    """In parts, each with its label, whatever they are made beside; the network stays in the mode that it was in."""
    minigrad.manual_seed(1)
    made = imaginer((3, 9, 11), ("a", "b", "c"))
    for mode in (True, False):
        made.network.train(mode)
        noise, labels = made.noise(70, seed=1), made.labels(70)
        images = made.make(noise, labels)
        assert images.shape == (70, 3, 9, 11) and images.dtype == np.uint8 and made.network.training is mode
        assert np.array_equal(made.make(noise[65:], labels[65:]), images[65:])  # type: ignore[index]
    with minigrad.no_grad():
        values = made.network.eval()(minigrad.tensor(noise), minigrad.tensor(labels)).numpy()
    assert np.abs(images - (values + 1) * 127.5).max() <= 0.5 + 1e-4
    assert not np.array_equal(images[0], made.make(noise[:1], np.array([1]))[0])


def test_pixels_of_numbers() -> None:
    assert to_pixels(minigrad.tensor([-2.0, -1.0, -1 + 0.5 / 127.5, 0.999, 1.0, 7.0])).tolist() == [0, 0, 0, 255, 255, 255]
    every = np.arange(256, dtype=np.uint8)
    assert np.array_equal(to_pixels(minigrad.tensor(every).float() / 127.5 - 1), every)


@pytest.mark.parametrize(
    ("kinds", "labels"), [((), [0, 1, 2, 0, 1]), (("c",), [2] * 5), (("c", "a"), [2, 0, 2, 0, 2]), (("b", "b"), [1] * 5)]
)
def test_classes_in_turn(kinds: tuple[str, ...], labels: list[int]) -> None:
    found = imaginer(classes=("a", "b", "c")).labels(5, kinds)
    assert found is not None and found.tolist() == labels and found.dtype == np.int64
    assert imaginer().labels(5) is None


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4), st.integers(2, 9), st.integers(1, 4), st.booleans(), st.integers(0, 2**32 - 1))
def test_the_nearest_image(count: int, size: int, chunk: int, skip: bool, seed: int) -> None:
    """Beside a slow loop, in parts of any size; with ``skip`` copies are passed over."""
    rng = np.random.default_rng(seed)
    real = rng.integers(0, 256, (size, 3, 4, 2)).astype(np.uint8)
    made = rng.integers(0, 256, (count, 3, 4, 2)).astype(np.uint8)
    made[0] = real[size // 2]
    where, far = nearest(made, LabelledImages(real, np.zeros(size, int), ["all"]), skip=skip, chunk=chunk)
    for image, number, distance in zip(made.astype(float), where, far):
        each = [math.sqrt(((image - other) ** 2).mean()) / 255 for other in real.astype(float)]
        wanted = min(one for one in each if one > 0 or not skip)
        assert distance == pytest.approx(wanted, abs=1e-6) and each[number] == pytest.approx(wanted, abs=1e-6)
    assert where.dtype == np.int64 and (skip or (far[0] < 1e-6 and where[0] == size // 2))


# ---------------------------------------------------------------------- cards


@settings(max_examples=40, deadline=None)
@given(SIDES, SIDES, st.sampled_from([1, 3]), st.integers(0, 3), st.integers(1, 9), st.integers(1, 3), st.sampled_from(UP))
def test_how_many_parameters(height: int, width: int, channels: int, kinds: int, noise: int, wide: int, up: str) -> None:
    card = Card((channels, height, width), tuple("abc"[:kinds]), noise, wide, up)
    assert card.parameters == sum(p.numel() for p in card.build().parameters())
    assert Card.of(card.to_config(), "") == card


DAMAGED: dict[str, Callable[[dict[str, Any]], Any]] = {
    "none": lambda card: None,
    "a list": lambda card: [1, 2],
    "a word": lambda card: "shape",
    "no shape": lambda card: {**card, "shape": None},
    "two sides": lambda card: {**card, "shape": [8, 8]},
    "two channels": lambda card: {**card, "shape": [2, 8, 8]},
    "a side below": lambda card: {**card, "shape": [1, 7, 8]},
    "a side above": lambda card: {**card, "shape": [1, 8, 257]},
    "a side that is no whole number": lambda card: {**card, "shape": [1, 8.0, 8]},
    "sides that are words": lambda card: {**card, "shape": ["1", "8", "8"]},
    "a side that is true": lambda card: {**card, "shape": [1, True, 8]},
    "channels that are a list": lambda card: {**card, "shape": [[1], 8, 8]},
    "no noise": lambda card: {**card, "noise": 0},
    "noise beyond measure": lambda card: {**card, "noise": MOST + 1},
    "a width that is true": lambda card: {**card, "width": True},
    "a width below": lambda card: {**card, "width": -1},
    "no width": lambda card: {name: card[name] for name in card if name != "width"},
    "another way up": lambda card: {**card, "up": "bicubic"},
    "a way up that is a list": lambda card: {**card, "up": ["resize"]},
    "classes that are a word": lambda card: {**card, "classes": "ab"},
    "classes that are numbers": lambda card: {**card, "classes": [1, 2]},
    "no classes": lambda card: {**card, "classes": None},
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_card_that_is_damaged(case: str, tmp_path: Path) -> None:
    """It is said of the card, of a run's folder, and of the model to begin from."""
    card = Card((3, 8, 9), ("a", "b"), 5, 2, "resize").to_config()
    assert Card.of(card, "config.json").to_config() == card
    damaged = DAMAGED[case](card)
    words = r"expected what the network is, as minigrad train gan writes it, got nothing of that kind, or damaged"
    with pytest.raises(RunError, match=rf"config\.json: {words}"):
        Card.of(damaged, "config.json")
    with Run(tmp_path / "run") as run:
        run.begin({"task": "gan", "model": damaged})
        minigrad.save(imaginer().network.state_dict(), run.model)
    with pytest.raises(RunError, match=words):
        Imaginer.load(str(tmp_path / "run"))


def test_the_card_to_begin_from() -> None:
    card = Card((3, 8, 9), ("a",), 5, 2, "resize")
    assert begun_card(None) is None and begun_card(card.to_config()) == card
    with pytest.raises(RunError, match="the model to begin from: expected what the network is"):
        begun_card({})


def test_a_run_is_loaded_and_other_weights_are_refused(tmp_path: Path) -> None:
    made, other = imaginer((3, 9, 8), ("a", "b")), imaginer((3, 9, 8))
    with Run(tmp_path / "run") as run:
        run.begin({"task": "gan", "model": made.card.to_config()})
        minigrad.save(made.network.state_dict(), run.model)
    read = Imaginer.load(str(tmp_path / "run"))
    noise, labels = made.noise(4), made.labels(4)
    assert read.card == made.card and np.array_equal(read.make(noise, labels), made.make(noise, labels))
    minigrad.save(other.network.state_dict(), run.model)
    with pytest.raises(RunError, match="weights"):
        Imaginer.load(str(tmp_path / "run"))
