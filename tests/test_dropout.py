"""What dropout leaves to chance: how much falls, what falls together, that the mean stays, and that a seed brings it back."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad
import minigrad.nn.functional as F


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_so_much_falls_and_the_rest_is_scaled(p: float) -> None:
    y = F.dropout(minigrad.ones(100_000), p).numpy()
    assert (y == 0).mean() == pytest.approx(p, abs=5 * (p * (1 - p) / 1e5) ** 0.5)
    assert y[y != 0] == pytest.approx(1 / (1 - p))


def test_the_gradient_passes_where_the_value_did() -> None:
    x = minigrad.randn(1000, requires_grad=True)
    y = F.dropout(x, 0.3)
    y.sum().backward()
    assert np.array_equal(x.grad.numpy() != 0, y.detach().numpy() != 0)
    assert x.grad.numpy()[y.detach().numpy() != 0] == pytest.approx(1 / 0.7)


def test_a_seed_brings_the_mask_back() -> None:
    x = minigrad.ones(1000)
    minigrad.manual_seed(3)
    first, second = F.dropout(x).numpy(), F.dropout(x).numpy()
    minigrad.manual_seed(3)
    assert np.array_equal(F.dropout(x).numpy(), first)
    assert not np.array_equal(first, second)


def test_the_mask_does_not_depend_on_memory_order() -> None:
    array = np.ones((4, 5, 6, 7), np.float32)
    minigrad.manual_seed(3)
    first = F.dropout(minigrad.from_numpy(array)).numpy()
    minigrad.manual_seed(3)
    last = F.dropout(minigrad.from_numpy(np.ascontiguousarray(array.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2))).numpy()
    assert np.array_equal(first, last)


@pytest.mark.parametrize(
    ("name", "shape", "together"),
    [
        ("dropout1d", (40, 50, 3), (2,)),
        ("dropout1d", (2000, 3), (1,)),
        ("dropout2d", (40, 50, 3, 2), (2, 3)),
        ("dropout2d", (40, 50, 3), (2,)),
        ("feature_alpha_dropout", (40, 50, 3, 2), (2, 3)),
    ],
)
def test_channels_fall_as_one(name: str, shape: tuple[int, ...], together: tuple[int, ...]) -> None:
    y = getattr(F, name)(minigrad.ones(*shape), 0.5, training=True).numpy()
    assert np.array_equal(y.min(axis=together), y.max(axis=together))
    assert len(np.unique(y)) == 2
    assert (y == y.min()).mean() == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_alpha_dropout_keeps_mean_and_variance(p: float) -> None:
    y = F.alpha_dropout(minigrad.randn(400_000), p, training=True).numpy()
    assert y.mean() == pytest.approx(0, abs=0.01)
    assert y.var() == pytest.approx(1, abs=0.02)


def test_in_place_is_the_same_memory() -> None:
    x = minigrad.ones(100)
    y = F.dropout(x, 0.5, inplace=True)
    assert y is x
    assert 0 < (x.numpy() == 0).sum() < 100


def test_not_training_is_the_tensor_itself() -> None:
    x = minigrad.ones(3)
    assert F.dropout(x, 0.5, training=False) is x
    assert F.dropout(x, 0.0) is x


def test_attention_drops_its_weights() -> None:
    q, v = minigrad.zeros(50, 4), minigrad.ones(50, 1)
    y = F.scaled_dot_product_attention(q, q, v, dropout_p=0.5).numpy()
    assert y.std() > 0.05
    assert y.mean() == pytest.approx(1, abs=0.2)
