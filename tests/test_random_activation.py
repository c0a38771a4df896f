"""Activation functions that draw: slopes between two bounds, and samples of a softmax."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad
import minigrad.nn.functional as F


def test_rrelu_draws_a_slope_for_each_element_below_0() -> None:
    x = minigrad.full((10_000,), -2.0, requires_grad=True)
    y = F.rrelu(x, 0.1, 0.3, training=True)
    y.sum().backward()
    slopes = y.detach().numpy() / -2
    assert 0.1 <= slopes.min() < 0.101
    assert 0.299 < slopes.max() < 0.3
    assert slopes.mean() == pytest.approx(0.2, abs=0.005)
    assert x.grad.numpy() == pytest.approx(slopes)


def test_rrelu_leaves_the_rest_alone_and_writes_in_place() -> None:
    x = minigrad.tensor([-1.0, 0.5, 3.0])
    assert F.rrelu(x, training=True).tolist()[1:] == [0.5, 3.0]
    assert F.rrelu_(x, training=True) is x
    assert -1 / 3 <= x[0].item() <= -1 / 8


def test_rrelu_outside_training_takes_the_mean() -> None:
    assert F.rrelu(minigrad.tensor([-3.0]), 0.0, 1.0).tolist() == [-1.5]


def test_gumbel_softmax_draws_as_often_as_softmax_says() -> None:
    logits = minigrad.tensor([0.0, 1.0, 2.0])
    drawn = F.gumbel_softmax(logits.expand(50_000, 3), tau=0.5, hard=True).numpy()
    assert np.array_equal(np.sort(drawn, axis=1), np.tile([0.0, 0.0, 1.0], (50_000, 1)))
    assert drawn.mean(axis=0) == pytest.approx(logits.softmax(0).numpy(), abs=0.01)


def test_gumbel_softmax_is_soft_and_a_hard_sample_has_its_gradient() -> None:
    gradients = []
    for hard in (False, True):
        minigrad.manual_seed(5)
        logits = minigrad.tensor([[0.0, 1.0, 2.0]], requires_grad=True)
        sample = F.gumbel_softmax(logits, tau=2.0, hard=hard)
        assert sample.sum().item() == pytest.approx(1)
        assert (set(sample.tolist()[0]) == {0.0, 1.0}) is hard
        (sample * minigrad.tensor([1.0, 2.0, 4.0])).sum().backward()
        gradients.append(logits.grad.numpy())
    assert np.allclose(*gradients, atol=1e-7)
    assert np.abs(gradients[0]).max() > 0.01


def test_gumbel_softmax_along_another_dimension() -> None:
    sample = F.gumbel_softmax(minigrad.zeros(4, 5), dim=0)
    assert np.allclose(sample.numpy().sum(axis=0), 1)
