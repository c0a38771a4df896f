"""Cross entropy by hand, for large vocabularies, in blocks and in float16."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest

import minigrad
import minigrad.nn.functional as F
from minigrad import kernels
from minigrad.kernels.softmax import vectorised


def test_by_hand() -> None:
    logits = minigrad.tensor([[math.log(1.0), math.log(3.0)]], requires_grad=True)
    value = F.cross_entropy(logits, minigrad.tensor([0]))
    value.backward()
    assert value.item() == pytest.approx(math.log(4))
    assert logits.grad.tolist()[0] == pytest.approx([0.25 - 1, 0.75])


def _inputs(rows: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.standard_normal((rows, classes)).astype(np.float32) * 3, rng.integers(0, classes, rows)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_blocks_make_no_difference(monkeypatch: pytest.MonkeyPatch, smoothing: float) -> None:
    logits, target = _inputs(37, 11)
    results = []
    for block in (1, 50, 1 << 20):
        monkeypatch.setitem(vectorised.BLOCK, "cpu", block)
        x = minigrad.tensor(logits, requires_grad=True)
        with kernels.use(softmax="vectorised"):
            value = F.cross_entropy(x, minigrad.tensor(target), reduction="none", label_smoothing=smoothing)
            value.backward(minigrad.ones(37))
        results.append((value.detach().numpy(), x.grad.numpy()))
    for value, gradient in results[1:]:
        assert np.array_equal(value, results[0][0])
        assert np.array_equal(gradient, results[0][1])


def test_a_large_vocabulary_takes_the_memory_of_its_gradient_alone() -> None:
    logits, target = _inputs(512, 8000)
    x, t = minigrad.tensor(logits, requires_grad=True), minigrad.tensor(target)
    F.cross_entropy(x, t).backward()  # compiles, which takes memory of its own
    x.grad = None
    tracemalloc.start()
    try:
        value = F.cross_entropy(x, t)
        assert tracemalloc.get_traced_memory()[1] <= 0.3 * logits.nbytes
        value.backward()
        assert tracemalloc.get_traced_memory()[1] <= 1.3 * logits.nbytes
    finally:
        tracemalloc.stop()
    wide = logits.astype(np.float64)
    probabilities = np.exp(wide - wide.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    rows = np.arange(len(target))
    assert value.item() == pytest.approx(-np.log(probabilities[rows, target]).mean(), rel=1e-6)
    probabilities[rows, target] -= 1
    assert np.abs(x.grad.numpy() - probabilities / len(target)).max() <= 1e-8


def test_differences_of_large_logits_are_kept() -> None:
    x = minigrad.tensor([[1e4, 1e4 + 1.0]], requires_grad=True)
    value = F.cross_entropy(x, minigrad.tensor([1]))
    value.backward()
    assert value.item() == pytest.approx(math.log1p(math.exp(-1)), rel=1e-6)
    assert x.grad.tolist()[0][0] == pytest.approx(1 / (1 + math.e), rel=1e-6)


def test_float16_is_computed_in_float32() -> None:
    logits, target = _inputs(5000, 30)
    x = minigrad.tensor(logits.astype(np.float16), requires_grad=True)
    for reduction in ("mean", "none"):
        value = F.cross_entropy(x, minigrad.tensor(target), reduction=reduction)
        wide = F.cross_entropy(x.detach().double(), minigrad.tensor(target), reduction=reduction)
        assert value.dtype == minigrad.float16
        assert np.abs(value.detach().numpy() - wide.numpy()).max() <= 1e-2
    value.sum().backward()
    assert x.grad.dtype == minigrad.float16


def test_the_gradient_to_logits_that_have_none_is_not_computed() -> None:
    logits, target = _inputs(4, 3)
    assert not F.cross_entropy(minigrad.tensor(logits), minigrad.tensor(target)).requires_grad


def test_binary_cross_entropy_with_logits_saves_what_sigmoid_loses() -> None:
    x = minigrad.tensor([-200.0], requires_grad=True)
    F.binary_cross_entropy_with_logits(x, minigrad.ones(1)).backward()
    assert x.grad.tolist() == [-1.0]
