"""The judge of images: it learns classes, or turns, is the same each time, and looks at images of any shape."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad.data import LabelledImages
from minigrad.errors import StateError
from minigrad.models.frechet import Law, distance
from minigrad.models.gan_watch import kinds, spread
from minigrad.models.judge import EACH, FEATURES, REAL, TURNS, Judge, turned
from tests.small_galleries import KINDS, bars


def images(count: int = 120, **options: Any) -> LabelledImages:
    made, labels = bars(count, **options)
    return LabelledImages(made, labels, KINDS)


def weights(judge: Judge) -> dict[str, np.ndarray]:
    return {name: value.numpy().copy() for name, value in judge.network.state_dict().items()}


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return all(np.array_equal(one[name], other[name]) for name in one)


def test_it_learns_to_tell_classes() -> None:
    judge = Judge(images(), KINDS, 1500)
    assert judge.classes == KINDS and judge.kind == "to tell 2 classes apart"
    unseen, labels = bars(60, seed=1)
    judge.learn()
    features, answers = judge.look(unseen)
    assert features.shape == (60, FEATURES) and (answers == labels).mean() > 0.9 and answers.dtype == np.int64
    assert np.array_equal(judge.look(unseen)[0], features)


def test_it_learns_to_tell_turns() -> None:
    """Of pictures with an upper and a lower end, that have no classes or too few images of each."""
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 200, 12)[:, None] * np.ones(12)
    pictures = (ramp + rng.integers(0, 55, (99, 1, 12, 12))).astype(np.uint8)
    assert len(pictures) < EACH * len(KINDS)
    judge = Judge(LabelledImages(pictures, np.arange(99) % 2, KINDS), KINDS, 1500)
    assert judge.classes == () and judge.kind == "to tell how each was turned"
    judge.learn()
    for turn in range(TURNS):
        shown = np.ascontiguousarray(np.rot90(pictures, turn, (2, 3)))
        assert (judge.look(shown)[1] == turn).mean() > 0.9


def test_it_is_a_function_of_the_data() -> None:
    """Whatever was drawn before; and it draws nothing from the default generator."""
    one = Judge(images(), KINDS, 200)
    minigrad.manual_seed(3)
    again = Judge(images(), KINDS, 200)
    assert same(weights(one), weights(again))
    before = weights(one)
    for judge in (one, again):
        judge.learn()
    assert same(weights(one), weights(again)) and not same(weights(one), before)
    drawn = minigrad.rand(4).tolist()
    minigrad.manual_seed(3)
    assert minigrad.rand(4).tolist() == drawn


def test_broken_off_it_begins_anew() -> None:
    whole, broken = Judge(images(), KINDS, 300), Judge(images(), KINDS, 300)
    before = weights(broken)

    def track(batches: Any) -> Any:
        for number, batch in enumerate(batches):
            if number == 2:
                raise KeyboardInterrupt
            yield batch

    with pytest.raises(KeyboardInterrupt):
        broken.learn(track)
    assert same(weights(broken), before) and not broken.learned
    for judge in (whole, broken):
        judge.learn()
    assert same(weights(broken), weights(whole)) and broken.learned
    seen: list[Any] = []
    broken.learn(lambda batches: seen.append(batches) or iter(batches))  # type: ignore[func-returns-value]
    assert not seen  # it has learned


def test_a_state_goes_round() -> None:
    learned, fresh = Judge(images(), KINDS, 200), Judge(images(), KINDS, 200)
    learned.learn()
    law = fresh.own().law
    fresh.load_state_dict(learned.state_dict())
    assert fresh.learned and same(weights(fresh), weights(learned))
    assert not np.array_equal(fresh.own().law.mean, law.mean)
    assert np.array_equal(fresh.own().law.mean, learned.own().law.mean)
    with pytest.raises(StateError):
        Judge(images(channels=3), KINDS).load_state_dict(learned.state_dict())


@pytest.mark.parametrize(
    ("shape", "side"), [((1, 8, 8), 8), ((3, 12, 20), 20), ((1, 31, 47), 32), ((3, 96, 64), 32), ((1, 9, 130), 32)], ids=str
)
def test_images_of_any_shape(shape: tuple[int, int, int], side: int) -> None:
    channels, height, width = shape
    judge = Judge(images(20, channels=channels, height=height, width=width), (), 20)
    assert judge.side == side
    judge.learn()
    shown = bars(70, height, width, channels)[0]
    found, answers = judge.look(shown)
    assert found.shape == (70, FEATURES) and np.isfinite(found).all() and set(answers) <= set(range(TURNS))
    one_by_one = np.concatenate([judge.look(image[None])[0] for image in shown[:3]])
    np.testing.assert_allclose(one_by_one, found[:3], rtol=1e-4, atol=1e-5)


def test_what_it_sees_of_the_images_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all, in parts, or of so many that lie evenly; kept."""
    data = images(70)
    judge = Judge(data, (), 64)
    features, answers = judge.look(data.pixels(np.arange(70)))
    every = Law.of(features)
    assert REAL >= 70
    monkeypatch.setattr("minigrad.models.judge.PART", 32)
    own = judge.own()
    np.testing.assert_allclose(own.law.covariance, every.covariance, rtol=1e-6, atol=1e-9)
    assert judge.own() is own
    assert own.halves == pytest.approx(distance(Law.of(features[::2]), Law.of(features[1::2])), rel=1e-5)
    assert own.kinds == kinds(answers, TURNS)
    pixels = data.pixels(np.arange(70))
    assert own.spread == spread(pixels) > own.within == spread(pixels, data.labels)
    few = Judge(data, (), 64)
    monkeypatch.setattr("minigrad.models.judge.REAL", 30)
    thirds = Law.of(judge.look(data.pixels(np.arange(0, 70, 3)))[0])
    assert distance(few.own().law, thirds) < 1e-6 < distance(few.own().law, every)


@pytest.mark.parametrize("count", [1, 3, 4, 5, 8, 11])
def test_turned_images_beside_a_slow_loop(count: int) -> None:
    """All of each batch are there, whatever its size, and the label is how often NumPy would turn it."""
    shown = np.random.default_rng(0).random((count, 3, 5, 5))
    x, y = turned(minigrad.tensor(shown))
    assert tuple(x.shape) == shown.shape and y.shape == (count,) and (np.diff(y.numpy()) >= 0).all()
    for image, turn, was in zip(x.numpy(), y.tolist(), shown):
        assert np.array_equal(image, np.rot90(was, turn, (1, 2)))
