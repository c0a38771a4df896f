"""A hand: how points are drawn, when writing stops, texts side by side and after a style, and what is refused."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import minigrad
import minigrad.nn.functional as F
from minigrad.data import Characters
from minigrad.data.strokes import Strokes
from minigrad.data.written import Recorded, Written
from minigrad.errors import ArgumentError, DataError, RunError
from minigrad.models.scribe import Card, Likelihood, Scribe, drawn_points
from minigrad.models.stopping import has_left

OPTIONS: dict[str, Any] = {"hidden": 8, "windows": 2, "mixtures": 3, "pace": 0.2, "dropout": 0.0}
CARD = Card(Characters(" abc"), OPTIONS, scale=2.0, height=20.0, step=3.0, floor=-6.0, letters=9)


def scribe(card: Card = CARD, seed: int = 0) -> Scribe:
    minigrad.manual_seed(seed)
    return Scribe(card, card.build())


def dash(text: str = "a", number: int = 0) -> Strokes:
    points = np.random.default_rng(number).normal(0, 2, (6 + number, 3))
    points[:, 2] = 0
    points[-1, 2] = 1
    return Strokes(text, points, f"item {number}")


# ---------------------------------------------------------------------- points


def test_points_are_distributed_as_the_mixture_says() -> None:
    """Mean, covariance, share of lifts and of ends among these, of 100,000 points of two distributions in a share of 3 to 1."""
    given = np.array([[0.5, np.log(3), 0.0, 1.0, -2.0, 0.5, 3.0, np.log(0.5), np.log(2), np.log(1.5), 0.0, 0.8, -0.3, 1.2]])
    rng = np.random.default_rng(0)
    noise = np.concatenate((rng.random((100_000, 3)), rng.standard_normal((100_000, 2))), axis=1)
    points = drawn_points(np.repeat(given, len(noise), axis=0), noise, 0.0, -15.0)
    mean = 0.75 * np.array([1.0, 0.5]) + 0.25 * np.array([-2.0, 3.0])
    cov = np.zeros((2, 2))
    for share, mu, (s1, s2), rho in ((0.75, (1, 0.5), (0.5, 1.5), np.tanh(0.8)), (0.25, (-2, 3), (2, 1), np.tanh(-0.3))):
        away = np.array(mu) - mean
        cov += share * (np.array([[s1 * s1, rho * s1 * s2], [rho * s1 * s2, s2 * s2]]) + np.outer(away, away))
    assert points[:, :2].mean(axis=0) == pytest.approx(mean, abs=0.03)
    assert np.cov(points[:, :2].T) == pytest.approx(cov, abs=0.06)
    assert set(points[:, 2]) == {0, 1} and points[:, 2].mean() == pytest.approx(1 / (1 + np.exp(-0.5)), abs=0.01)
    lifted = points[:, 2] == 1
    assert not points[~lifted, 3].any() and points[lifted, 3].mean() == pytest.approx(1 / (1 + np.exp(-1.2)), abs=0.01)


def test_bias_makes_the_likely_likelier() -> None:
    """Equations 61 and 62: deviations go with e^-b, the logits of weights and ends with 1 + b; the pen is lifted as before."""
    given = np.array([[1.0, 1.0, 0.0, 0.0, 10.0, 0.0, 10.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5]])
    rng = np.random.default_rng(0)
    noise = np.concatenate((rng.random((50_000, 3)), rng.standard_normal((50_000, 2))), axis=1)
    points = drawn_points(np.repeat(given, len(noise), axis=0), noise, 1.5, -15.0)
    first = points[:, 0] < 5
    assert first.mean() == pytest.approx(1 / (1 + np.exp(-2.5)), abs=0.01)
    assert points[first, 1].std() == pytest.approx(np.exp(-1.5), rel=0.02)
    assert points[:, 2].mean() == pytest.approx(1 / (1 + np.exp(-1.0)), abs=0.01)
    assert points[points[:, 2] == 1, 3].mean() == pytest.approx(1 / (1 + np.exp(-2.5 * 0.5)), abs=0.01)


def test_what_is_drawn_is_finite_whatever_is_given() -> None:
    given = np.array([[1e30, 1e30, -1e30, 1, 2, 3, 4, 1e30, -1e30, 1e30, -1e30, 1e30, -1e30, -1e30]])
    assert np.isfinite(drawn_points(given, np.array([[0.0, 0.0, 0.0, 1.0, 1.0]]), 0.0, -6.0)).all()


# ---------------------------------------------------------------------- writing


def test_texts_side_by_side_are_what_they_are_alone() -> None:
    hand = scribe()
    together = hand.write(["a", "bca", "cb ab"], bias=0.5, seed=7)
    for number, text in enumerate(["a", "bca", "cb ab"]):
        (alone,) = hand.write([text], bias=0.5, seed=7 + number)
        assert alone.strokes.text == together[number].strokes.text == text
        np.testing.assert_allclose(alone.strokes.points, together[number].strokes.points, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(alone.window, together[number].window, rtol=1e-4, atol=1e-5)
        assert alone.window.shape == (len(alone.strokes), len(text))


def test_points_are_those_of_the_network_step_by_step() -> None:
    """Fed with what was written the network says the same, all at once."""
    hand = scribe()
    (writing,) = hand.write(["abc"], seed=3)
    points = writing.strokes.points / np.array([2, 2, 1], np.float32)
    known = np.concatenate(([[0, 0, 1]], points[:-1])).astype(np.float32)[:, None]
    text = hand.network.letters(minigrad.tensor([[1, 2, 3]]))
    with minigrad.no_grad():
        outputs, _, weights = hand.network(minigrad.tensor(known), text)
    np.testing.assert_allclose(weights.numpy()[:, 0], writing.window, rtol=1e-4, atol=1e-5)
    assert 0 < F.bivariate_mixture_nll(outputs[:, 0, :-1], minigrad.tensor(points)).item() < 10  # what it drew is likely to it


def test_writing_stops_at_a_lift_that_the_network_calls_the_last() -> None:
    """With a window that moves a letter in five points: not before it has come to the last letter, and then at once."""
    hand = scribe(seed=2)
    with minigrad.no_grad():
        hand.network.window.weight.zero_()
        hand.network.head.bias[0] = 0.0  # lifted at half of the points
        hand.network.head.bias[-1] = 50.0  # nothing ever follows
    for text in ("a", "abcabc"):
        (writing,) = hand.write([text])
        assert writing.strokes.points[-1, 2] == 1
        points, seen = writing.strokes.points, writing.window
        arrived = (seen.argmax(axis=1) == len(text) - 1) | (seen.max(axis=1) < 0.01)
        assert arrived[-1] and not (arrived & (points[:, 2] == 1))[1:-1].any()
        assert 0.5 * 5 * (len(text) - 1) <= len(writing.strokes) <= 20 + 1.2 * 5 * len(text)


@pytest.mark.parametrize("bias", [(0, -50.0), (-1, -50.0)], ids=["never lifted", "never the last"])
def test_writing_stops_behind_the_end_whatever_the_network_says(bias: tuple[int, float]) -> None:
    hand, (row, value) = scribe(seed=2), bias
    with minigrad.no_grad():
        hand.network.window.weight.zero_()
        hand.network.head.bias[row] = value
        hand.network.head.weight[row] = 0.0
    (writing,) = hand.write(["abcabc"])
    lifts = writing.strokes.points[:, 2].tolist()
    assert lifts[-1] == 1 and any(lifts[:-1]) == (row != 0)
    assert 5 * (6 + 4) <= len(writing.strokes) < 20 + 4 * 5 * 6  # as many letters on, in which dots may be set
    with minigrad.no_grad():
        hand.network.window.bias[4:] = -20.0  # and a window that does not move
    (writing,) = hand.write(["ab"])
    assert len(writing.strokes) == 20 + 4 * 2 / 0.2


def test_a_window_that_left_the_text_ends_it() -> None:
    """It saw the last letter, the pen was lifted, and now it sees none as well as letters were seen; the weights of a text."""
    seen = np.zeros((4, 6, 3))
    seen[2, :, 2] = 0.5
    seen[2, 1] = (0.5, 0.0, 0.1)  # at the first letter
    seen[3, :, 2] = (0.2, 0.2, 0.9, 0.2, 0.2, 0.0)
    ends, strongest, lifted = np.array([3, 3, 3, 3, 2, 3]), np.full(6, 1.0), np.array([1.0, 1, 1, 0, 1, 1])
    assert has_left(seen, ends, strongest, lifted, np.full(6, 0.5), 3).tolist() == [True, False, False, False, False, True]
    unheard = np.array([0.95, 1.0, 1.0, 1.0, 1.0, 0.9])  # all but the last are told that dots follow
    assert has_left(seen, ends, strongest, lifted, unheard, 3).tolist() == [False] * 5 + [True]
    assert not has_left(seen, ends, strongest, lifted, np.zeros(6), 1).any()


def test_a_style_changes_what_follows_and_is_left_out() -> None:
    hand = scribe()
    style = dash("cab", 3)
    (plain,), (styled,) = hand.write(["ab"], seed=1), hand.write(["ab"], seed=1, style=style)
    assert styled.window.shape == (len(styled.strokes), 2) and styled.strokes.text == "ab"
    assert plain.strokes.points[1].tolist() != styled.strokes.points[1].tolist()
    first = hand.write(["ab", "b"], seed=1, style=style)[0]
    np.testing.assert_allclose(first.strokes.points, styled.strokes.points, rtol=1e-4, atol=1e-4)


def test_a_foreign_style_is_brought_to_the_size_of_the_data() -> None:
    big = Strokes.of_lines("l", [[[0, -500], [0, 0]], [[100, -500], [100, 0]]], origin=(0, 0))
    left, top, right, bottom = scribe().fitted(big).box
    assert bottom - top == pytest.approx(20, rel=1e-3) and right - left == pytest.approx(4, rel=1e-2)
    ways = scribe().fitted(big).points[1:5, :2]
    assert np.hypot(*ways.T) == pytest.approx(3, rel=0.2)


def test_a_network_stays_as_it_was() -> None:
    hand = scribe()
    hand.network.train()
    before = {name: tensor.tolist() for name, tensor in hand.network.state_dict().items()}
    state = minigrad.get_rng_state().tolist()
    hand.write(["ab"])
    assert hand.network.training and minigrad.get_rng_state().tolist() == state
    assert before == {name: tensor.tolist() for name, tensor in hand.network.state_dict().items()}


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"texts": []}, ArgumentError, "handwrite: texts: expected at least one, got none."),
    ({"texts": [" "]}, ArgumentError, "handwrite: text: expected letters to write, got ' '."),
    ({"texts": ["axe"]}, DataError, "handwrite: characters: expected the 4 characters that the vocabulary has"),
    ({"texts": ["a"], "bias": -1}, ArgumentError, "handwrite: bias: expected a number from 0 to 100, got -1."),
    ({"texts": ["a"], "bias": float("nan")}, ArgumentError, "handwrite: bias"),
    ({"texts": ["a"], "style": dash("x")}, DataError, "handwrite: characters"),
]


@pytest.mark.parametrize(("words", "kind", "text"), WRONG, ids=[str(number) for number in range(len(WRONG))])
def test_refusals_say_what_to_do(words: dict[str, Any], kind: type[Exception], text: str) -> None:
    with pytest.raises(kind) as caught:
        scribe().write(**words)
    assert str(caught.value).startswith(text)
    assert "--unseen" not in str(caught.value) and (kind is not DataError or str(caught.value).endswith("without them."))


def test_what_is_no_writing_is_told() -> None:
    hand = scribe()
    with minigrad.no_grad():
        hand.network.head.weight.zero_()
        hand.network.head.bias.zero_()
        hand.network.head.bias[4:10] = 1e9  # means
    with pytest.raises(RunError, match=r"handwrite: 'ab': expected .* pen .*Train the model for longer"):
        hand.write(["ab"])


# ---------------------------------------------------------------------- judging


def test_likelihood_is_that_of_the_points_one_by_one() -> None:
    hand = scribe()
    items = [dash("ab", 0), dash("b", 3), dash("cab", 1)]
    written = Written(Recorded(items), CARD.alphabet, CARD.scale)
    found = hand.judge(written)
    total = 0.0
    for item in items:
        points = item.points / np.array([2, 2, 1], np.float32)
        known = np.concatenate(([[0, 0, 1]], points[:-1])).astype(np.float32)[:, None]
        text = hand.network.letters(minigrad.tensor(CARD.alphabet.encode(item.text)[None]))
        with minigrad.no_grad():
            outputs, _, _ = hand.network(minigrad.tensor(known), text)
            total += F.bivariate_mixture_nll(outputs[:, 0, :-1], minigrad.tensor(points), floor=-6.0, reduction="sum").item()
    assert found == Likelihood(pytest.approx(total, rel=1e-5), sum(map(len, items)), 3, 2.0)
    both = hand.judge(written, written)
    assert (both.points, both.sequences) == (2 * found.points, 6) and both.per_point == pytest.approx(found.per_point)


# ---------------------------------------------------------------------- the card


def test_a_card_survives_its_config() -> None:
    again = Card.of(CARD.to_config(), "config.json")
    assert again == CARD and again.parameters == sum(p.numel() for p in scribe().network.parameters())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("options", None), ("options", {"hidden": 8}), ("scale", 0.0), ("scale", float("inf")), ("height", "20"),
        ("step", -1.0), ("floor", -16.0), ("letters", 0), ("letters", 2.5),
        ("alphabet", None), ("hidden", 0), ("hidden", 10**7), ("windows", 2.0),
        ("mixtures", True), ("pace", 0.0), ("dropout", 2.0),
    ],
)  # fmt: skip
def test_a_damaged_card_is_refused(key: str, value: Any) -> None:
    content = copy.deepcopy(CARD.to_config())
    (content["options"] if key in OPTIONS else content)[key] = value
    with pytest.raises(RunError, match=r"config\.json: expected .* as minigrad train"):
        Card.of(content, "config.json")
