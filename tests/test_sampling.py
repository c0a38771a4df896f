"""Temperature, top-k and top-p: what is left of probabilities, by hand and by a slow definition, and what is drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigrad.errors import ArgumentError
from minigrad.models.sampling import Sampling, drawn, log_softmax

LOGITS = st.lists(st.floats(-30, 30), min_size=1, max_size=12).map(np.array)


def slow(logits: np.ndarray, temperature: float, top_k: int | None, top_p: float) -> list[float]:
    """The definition: rank, cut off, and share anew."""
    raw = [float(np.exp((one - logits.max()) / temperature)) for one in logits]
    shares = [one / sum(raw) for one in raw]
    ranked = sorted(range(len(shares)), key=lambda i: (-shares[i], i))[: top_k or len(shares)]
    among = sum(shares[i] for i in ranked)
    kept, total = [], 0.0
    for i in ranked:
        kept.append(i)
        total += shares[i] / among
        if total >= top_p:
            break
    whole = sum(shares[i] for i in kept)
    return [shares[i] / whole if i in kept else 0.0 for i in range(len(shares))]


@given(LOGITS, st.floats(0.05, 5), st.none() | st.integers(1, 14), st.sampled_from([0.1, 0.33, 0.62, 0.97, 1.0]))
@settings(deadline=None, max_examples=40)
def test_shares_are_those_of_the_definition(logits: np.ndarray, temperature: float, top_k: int | None, top_p: float) -> None:
    found = Sampling.of(temperature, top_k, top_p).shares(logits)
    assert found.sum() == pytest.approx(1)
    expected = slow(logits, temperature, top_k, top_p)
    if top_p == 1 or np.count_nonzero(found) == np.count_nonzero(expected):  # a sum at the border may be rounded either way
        assert found == pytest.approx(expected, abs=1e-9)


def test_the_extremes() -> None:
    logits = np.array([1.0, 3.0, 3.0, -np.inf])
    assert Sampling(0.0).shares(logits).tolist() == [0, 1, 0, 0]  # the first of equals
    assert Sampling(1e-300).shares(logits).tolist() == [0, 0.5, 0.5, 0]
    assert Sampling(1e300).shares(np.array([1.0, 3.0, 3.0])) == pytest.approx(1 / 3)
    assert Sampling(top_k=1).shares(logits).tolist() == [0, 1, 0, 0]
    assert Sampling(top_p=1e-9).shares(logits).tolist() == [0, 1, 0, 0]
    assert Sampling(top_k=99).shares(logits).tolist() == Sampling().shares(logits).tolist()
    assert Sampling().shares(np.array([1e4, -1e4], np.float32)).tolist() == [1, 0]


@given(LOGITS, st.floats(0, 1, exclude_max=True))
@settings(deadline=None, max_examples=40)
def test_what_has_no_share_is_never_drawn(logits: np.ndarray, at: float) -> None:
    shares = Sampling(top_k=3).shares(logits)
    assert shares[drawn(shares, at)] > 0
    assert shares[drawn(shares, np.nextafter(1, 0))] > 0


def test_draws_come_as_often_as_their_shares() -> None:
    shares = np.array([0.1, 0.0, 0.6, 0.3])
    counts = np.bincount([drawn(shares, (i + 0.5) / 1000) for i in range(1000)], minlength=4)
    assert counts.tolist() == [100, 0, 600, 300]


def test_logarithms_of_shares() -> None:
    logits = np.array([[1e4, 0.0], [-1e4, -1e4]])
    assert log_softmax(logits).tolist() == [[0.0, -1e4], pytest.approx([-np.log(2)] * 2)]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ({"temperature": -0.1}, "write: temperature: expected a number of at least 0, got -0.1. 1 draws as the model means it"),
        ({"temperature": float("nan")}, "got nan"),
        ({"temperature": float("inf")}, "got inf"),
        ({"temperature": "hot"}, "got hot"),
        ({"top_k": 0}, "write: top_k: expected how many of the likeliest to draw from, at least 1, got 0"),
        ({"top_k": 1.5}, "got 1.5"),
        ({"top_k": True}, "got True"),
        ({"top_p": 0}, "write: top_p: expected a probability above 0, at most 1, got 0"),
        ({"top_p": 1.01}, "got 1.01"),
        ({"top_p": float("nan")}, "got nan"),
    ],
)
def test_out_of_range(words: dict[str, Any], text: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        Sampling.of(**words)
    assert text in str(caught.value)
