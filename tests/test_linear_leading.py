"""The likeliest classes of a linear layer, without a tape: beside the ops that they are, by every kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad
import minigrad.nn.functional as F
from minigrad import Tensor, kernels
from minigrad.nn.utils import Stepping

ROWS, FEATURES, CLASSES = 45, 37, 300


def drawn(dtype: str) -> list[Tensor]:
    rng = np.random.default_rng(0)
    sizes = (ROWS, FEATURES), (CLASSES, FEATURES), (CLASSES,)
    return [minigrad.tensor(rng.standard_normal(size).astype(dtype)) for size in sizes]


def composed(x: Tensor, w: Tensor, b: Tensor, k: int, without: list[int]) -> tuple[Any, Any]:
    logits = F.linear(x.double(), w.double(), b.double())
    whole = minigrad.logsumexp(logits, 1, keepdim=True)
    logits[:, without] = -np.inf
    found = logits.topk(k, 1)
    return (found.values - whole).numpy(), found.indices.numpy()


@pytest.mark.parametrize("name", kernels.available("leading", "cpu"))
@pytest.mark.parametrize(("dtype", "most"), [("float32", 2e-5), ("float64", 1e-13)])
def test_it_is_what_its_ops_are(name: str, dtype: str, most: float) -> None:
    x, w, b = drawn(dtype)
    with minigrad.no_grad(), Stepping(), kernels.use(leading=name):
        for rows in (ROWS, 3, ROWS):  # a kernel may go another way with few
            values, indices = F.linear_topk(x[:rows], w, 5, linear_bias=b, without=[0, 299])
            wanted, which = composed(x[:rows], w, b, 5, [0, 299])
            np.testing.assert_array_equal(indices.numpy(), which)
            np.testing.assert_allclose(values.numpy(), wanted, rtol=0, atol=most)
            assert values.dtype == x.dtype


def test_a_changed_weight_is_seen() -> None:
    """What was packed of the old one is let go of."""
    x, w, b = drawn("float32")
    with minigrad.no_grad(), Stepping():
        before = F.linear_topk(x, w, 2, linear_bias=b).values.numpy()
        w *= 2
        values, indices = F.linear_topk(x, w, 2, linear_bias=b)
        wanted, which = composed(x, w, b, 2, [])
    np.testing.assert_array_equal(indices.numpy(), which)
    np.testing.assert_allclose(values.numpy(), wanted, atol=5e-5)
    assert abs(before - values.numpy()).max() > 0.1


def test_what_is_not_finite_is_told_by_nan() -> None:
    x, w, b = drawn("float32")
    x[1, 2], x[3, 4] = np.nan, np.inf
    with minigrad.no_grad(), Stepping():
        values, indices = F.linear_topk(x, w, 3, linear_bias=b)
        assert values.isnan().all(1).nonzero().flatten().tolist() == [1, 3]
        assert indices[1].tolist() == [0, 1, 2]
        w[7, 0] = np.inf  # +inf or -inf among a row's logits
        values, _ = F.linear_topk(x[5:], w, 3, linear_bias=b)
        np.testing.assert_array_equal(values.isnan().all(1).numpy(), (x[5:, 0] > 0).numpy())
