"""Rows shortened by ``max_norm``, and tables that are large or named often."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad
import minigrad.nn.functional as F
from minigrad.errors import GradError


def test_long_rows_are_shortened_in_place_and_others_are_not() -> None:
    table = minigrad.tensor([[3.0, 4.0], [0.3, 0.4], [30.0, 40.0]])
    found = F.embedding(minigrad.tensor([0, 1, 0]), table, max_norm=1.0)
    assert np.allclose(table.numpy(), [[0.6, 0.8], [0.3, 0.4], [30.0, 40.0]], atol=1e-6)
    assert np.array_equal(found.numpy(), table.numpy()[[0, 1, 0]])


def test_the_norm_may_be_another() -> None:
    table = minigrad.tensor([[3.0, -5.0]])
    F.embedding(minigrad.tensor([0]), table, max_norm=4.0, norm_type=1.0)
    assert table.tolist()[0] == pytest.approx([1.5, -2.5], rel=1e-6)
    F.embedding(minigrad.tensor([0]), table, max_norm=1.0, norm_type=float("inf"))
    assert table.tolist()[0] == pytest.approx([0.6, -1.0], rel=1e-6)


def test_shortening_counts_as_a_change() -> None:
    table = minigrad.tensor([[3.0, 4.0]], requires_grad=True)
    square = (table * table).sum()
    F.embedding(minigrad.tensor([0]), table, max_norm=1.0)
    with pytest.raises(GradError, match="in-place"):
        square.backward()


def test_the_gradient_sums_over_all_places() -> None:
    rng = np.random.default_rng(0)
    index, dy = rng.integers(0, 50, (20, 30)), rng.standard_normal((20, 30, 7))
    table = minigrad.tensor(rng.standard_normal((60, 7)), requires_grad=True)
    F.embedding(minigrad.tensor(index), table).backward(minigrad.tensor(dy))
    expected = np.zeros((60, 7))
    for place in np.ndindex(index.shape):
        expected[index[place]] += dy[place]
    assert np.abs(table.grad.numpy() - expected).max() <= 1e-12
