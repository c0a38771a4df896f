"""Normalization far from 0, in both memory orders, in float16, and what becomes of the running statistics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad
import minigrad.nn.functional as F
from minigrad.errors import GradError

NORMS: dict[str, tuple[Callable[[Any], Any], tuple[int, ...]]] = {
    "batch_norm": (lambda x: F.batch_norm(x, None, None, training=True), (0, 2, 3)),
    "group_norm": (lambda x: F.group_norm(x.flatten(2), 1).reshape(x.shape), (1, 2, 3)),
    "instance_norm": (lambda x: F.instance_norm(x), (2, 3)),
    "layer_norm": (lambda x: F.layer_norm(x, x.shape[1:]), (1, 2, 3)),
}


def far_away(channels_last: bool) -> np.ndarray:
    """Mean 10,000, deviation 1, float32."""
    x = np.random.default_rng(0).standard_normal((64, 16, 16, 8)) + 1e4
    x = x.astype(np.float32).transpose(0, 3, 1, 2)
    return x if channels_last else np.ascontiguousarray(x)


def exact(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    wide = x.astype(np.float64)
    centred = wide - wide.mean(axis=axes, keepdims=True)
    return centred / np.sqrt((centred * centred).mean(axis=axes, keepdims=True) + 1e-5)


@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("name", NORMS)
def test_far_from_0_nothing_is_lost(name: str, channels_last: bool) -> None:
    norm, axes = NORMS[name]
    array = far_away(channels_last)
    x = minigrad.from_numpy(array).requires_grad_()
    y = norm(x)
    expected = exact(array, axes)
    assert np.abs(y.detach().numpy() - expected).max() <= 5e-6

    weights = np.random.default_rng(1).standard_normal(array.shape).astype(np.float32)
    y.backward(minigrad.from_numpy(weights))
    deviation = np.sqrt(array.astype(np.float64).var(axis=axes, keepdims=True) + 1e-5)
    along = (weights * expected).mean(axis=axes, keepdims=True)
    gradient = (weights - weights.mean(axis=axes, keepdims=True, dtype=np.float64) - expected * along) / deviation
    assert np.abs(x.grad.numpy() - gradient).max() <= 2e-5


def test_a_plain_variance_would_have_lost_it() -> None:
    array = far_away(True)
    squares = (array * array).mean(axis=(0, 2, 3)) - array.mean(axis=(0, 2, 3)) ** 2
    assert np.abs(squares - 1).max() > 0.1


@pytest.mark.parametrize("shape", [(6, 5), (3, 5, 7), (2, 5, 3, 3), (2, 5, 4, 8), (1, 5, 1, 9)], ids=str)
@pytest.mark.parametrize("norm", ["batch_norm", "group_norm", "instance_norm"])
def test_memory_orders_agree(norm: str, shape: tuple[int, ...]) -> None:
    if norm == "instance_norm" and len(shape) == 2:
        shape = (*shape, 2)
    rng = np.random.default_rng(0)
    array, dy = rng.standard_normal(shape), rng.standard_normal(shape)
    w, b = rng.standard_normal(5), rng.standard_normal(5)
    orders = [
        array,
        np.ascontiguousarray(np.moveaxis(array, 1, -1)).transpose(0, len(shape) - 1, *range(1, len(shape) - 1)),
        np.repeat(array, 2, axis=-1)[..., ::2],
        np.asfortranarray(array),
    ]
    results = []
    for laid in orders:
        x, weight, bias = minigrad.from_numpy(laid).requires_grad_(), minigrad.tensor(w), minigrad.tensor(b)
        weight.requires_grad_(), bias.requires_grad_()
        if norm == "batch_norm":
            y = F.batch_norm(x, None, None, weight, bias, training=True)
        elif norm == "group_norm":
            y = F.group_norm(x, 5 if len(shape) > 2 else 1, weight, bias)
        else:
            y = F.instance_norm(x, None, None, weight, bias)
        y.backward(minigrad.tensor(dy))
        results.append([y.detach().numpy(), *(t.grad.numpy() for t in (x, weight, bias))])
    for other in results[1:]:
        for ours, first in zip(other, results[0], strict=True):
            assert np.abs(ours - first).max() <= 1e-12 * max(1, np.abs(first).max())


def test_running_statistics_take_up_the_batch() -> None:
    mean, var = minigrad.zeros(2), minigrad.ones(2)
    x = minigrad.tensor([[1.0, 10.0], [3.0, 30.0]])
    versions = mean._version, var._version
    F.batch_norm(x, mean, var, training=True, momentum=0.5)
    assert mean.tolist() == [1.0, 10.0]
    assert var.tolist() == [1.5, 100.5]  # half of 1 and of the unbiased 2 and 200
    assert (mean._version, var._version) == (versions[0] + 1, versions[1] + 1)
    F.batch_norm(x, mean, var, training=False)
    assert mean.tolist() == [1.0, 10.0]


def test_an_empty_batch_leaves_running_statistics_alone() -> None:
    mean, var = minigrad.zeros(2), minigrad.ones(2)
    y = F.batch_norm(minigrad.zeros(0, 2), mean, var, training=True)
    assert y.shape == (0, 2)
    assert mean.tolist() == [0.0, 0.0]
    assert var.tolist() == [1.0, 1.0]


def test_running_statistics_of_another_dtype() -> None:
    mean, var = minigrad.zeros(2), minigrad.ones(2)
    y = F.batch_norm(minigrad.ones(3, 2, dtype=minigrad.float64), mean, var, training=True)
    assert (y.dtype, mean.dtype) == (minigrad.float64, minigrad.float32)
    assert F.batch_norm(minigrad.ones(3, 2, dtype=minigrad.float64), mean, var).dtype == minigrad.float64


def test_running_statistics_saved_for_backward_are_guarded() -> None:
    mean, var = minigrad.zeros(2), minigrad.ones(2)
    x = minigrad.randn(3, 2, requires_grad=True)
    y = (x * mean).sum()
    F.batch_norm(x, mean, var, training=True)
    with pytest.raises(GradError, match="in-place"):
        y.backward()


@pytest.mark.parametrize("name", NORMS)
def test_float16_is_computed_in_float32(name: str) -> None:
    norm, axes = NORMS[name]
    array = (np.random.default_rng(0).standard_normal((4, 3, 32, 32)) * 200).astype(np.float16)
    y = norm(minigrad.from_numpy(array).requires_grad_())
    assert y.dtype == minigrad.float16
    assert np.abs(y.detach().numpy() - exact(array, axes)).max() <= 2e-3
    y.sum().backward()


def test_only_what_is_asked_for_is_computed() -> None:
    x, w = minigrad.randn(4, 3), minigrad.ones(3, requires_grad=True)
    F.batch_norm(x, None, None, w, None, training=True).sum().backward()
    assert x.grad is None
    assert w.grad is not None
