"""The loss of a linear layer's outputs, made part by part: beside the two ops that it is, and the memory that it takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad
import minigrad.nn.functional as F
from minigrad import Tensor
from minigrad.errors import OutOfMemoryError
from tests import devices
from tests.harness import difference

ROWS, FEATURES, CLASSES = 300, 5, 40


def drawn(dtype: Any = np.float64) -> tuple[list[Tensor], Tensor]:
    rng = np.random.default_rng(0)
    arrays = rng.standard_normal((ROWS, FEATURES)), rng.standard_normal((CLASSES, FEATURES)), rng.standard_normal(CLASSES)
    target = rng.integers(0, CLASSES, ROWS)
    target[rng.random(ROWS) < 0.3] = 0
    return [minigrad.tensor(a.astype(dtype), requires_grad=True) for a in arrays], minigrad.tensor(target)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("most", [1, 41, 1000, 1 << 22])
def test_parts_of_any_size_are_the_two_ops(most: int, reduction: str) -> None:
    (x, w, b), target = drawn()
    words: dict[str, Any] = {"ignore_index": 0, "label_smoothing": 0.1, "reduction": reduction}
    ours = F.linear_cross_entropy(x, w, target, linear_bias=b, most=most, **words)
    theirs = F.cross_entropy(F.linear(x, w, b), target, **words)
    assert difference(ours.detach().numpy(), theirs.detach().numpy()) <= 1e-13
    slope = minigrad.rand(*ours.shape, dtype=minigrad.float64)
    one, other = (minigrad.autograd.grad(loss, [x, w, b], slope) for loss in (ours, theirs))
    for mine, its in zip(one, other, strict=True):
        assert difference(mine.numpy(), its.numpy()) <= 1e-12


@pytest.mark.parametrize("reduction", ["none", "mean"])
@pytest.mark.parametrize("wanted", range(3))
def test_only_what_is_asked_for_gets_a_gradient(wanted: int, reduction: str) -> None:
    given, target = drawn()
    for place, each in enumerate(given):
        each.requires_grad_(place == wanted)
    x, w, b = given
    F.linear_cross_entropy(x, w, target, linear_bias=b, most=99, reduction=reduction).sum().backward()
    assert [each.grad is not None for each in given] == [place == wanted for place in range(3)]
    (other,) = minigrad.autograd.grad(F.cross_entropy(F.linear(x, w, b), target, reduction=reduction).sum(), [given[wanted]])
    assert difference(given[wanted].grad.numpy(), other.numpy()) <= 1e-12


@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_a_graph_that_is_kept_is_gone_back_through_twice(reduction: str) -> None:
    (x, w, b), target = drawn()
    loss = F.linear_cross_entropy(x, w, target, linear_bias=b, reduction=reduction).sum()
    once = minigrad.autograd.grad(loss, [x, w], retain_graph=True)
    again = minigrad.autograd.grad(loss * 2, [x, w])
    for one, other in zip(once, again, strict=True):
        np.testing.assert_array_equal(one.numpy() * 2, other.numpy())


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_lower_precision_is_near(dtype: Any) -> None:
    (x, w, b), target = drawn(dtype)
    loss = F.linear_cross_entropy(x, w, target, linear_bias=b, most=99)
    wide = F.linear_cross_entropy(x.detach().double(), w.detach().double(), target, linear_bias=b.detach().double())
    assert loss.dtype == x.dtype
    assert loss.item() == pytest.approx(wide.item(), rel=8 * float(np.finfo(dtype).eps))
    loss.backward()
    assert x.grad.dtype == x.dtype and w.grad.dtype == w.dtype


def test_the_logits_of_a_large_batch_are_never_there_at_once() -> None:
    """200 rows of 1,000 classes: 800 kB of logits, and as many of their gradient."""
    rng = np.random.default_rng(1)
    x = minigrad.tensor(rng.standard_normal((200, 8)).astype(np.float32), requires_grad=True)
    w = minigrad.tensor(rng.standard_normal((1000, 8)).astype(np.float32), requires_grad=True)
    target = minigrad.tensor(rng.integers(0, 1000, 200))

    def there_and_back(reduction: str) -> None:
        F.linear_cross_entropy(x, w, target, most=10_000, label_smoothing=0.1, reduction=reduction).sum().backward()

    for reduction in ("mean", "none"):
        there_and_back(reduction)  # the kernels are loaded at their first call, which is not what is counted
        with devices.at_most(300_000):
            there_and_back(reduction)
    with pytest.raises((AssertionError, OutOfMemoryError)), devices.at_most(300_000):
        F.linear_cross_entropy(x, w, target, most=1 << 22).backward()


def test_where_no_row_counts_nothing_goes_back() -> None:
    (x, w, b), target = drawn()
    loss = F.linear_cross_entropy(x, w, target * 0, linear_bias=b, ignore_index=0)
    loss.backward()
    assert np.isnan(loss.item())
    assert all((each.grad.numpy() == 0).all() for each in (x, w, b))
