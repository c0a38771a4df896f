"""The soft window beside the paper's equations, in loops, and over many steps beside its own definition."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minigrad
import minigrad.nn.functional as F
from minigrad import Tensor
from minigrad.ops.soft_window import _composed


def by_the_paper(hats: np.ndarray, kappa: np.ndarray, text: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """w and κ of one row: equations 46 to 51 of arXiv:1308.0850."""
    count = len(kappa)
    alpha, beta = np.exp(hats[:count]), np.exp(hats[count : 2 * count])  # 49, 50
    kappa = kappa + np.exp(hats[2 * count :])  # 51
    shown = np.zeros(text.shape[1])
    for u in range(1, len(text) + 1):
        phi = sum(alpha[k] * math.exp(-beta[k] * (kappa[k] - u) ** 2) for k in range(count))  # 46
        shown += phi * text[u - 1]  # 47
    return shown, kappa


def test_it_is_the_papers() -> None:
    rng = np.random.default_rng(0)
    hats, kappa, text = rng.standard_normal((3, 6)), rng.random((3, 2)) * 4, rng.standard_normal((3, 5, 4))
    shown, moved, phi = F.soft_window(*(minigrad.tensor(one) for one in (hats, kappa, text)))
    for row in range(3):
        wanted, places = by_the_paper(hats[row], kappa[row], text[row])
        np.testing.assert_allclose(shown.numpy()[row], wanted, rtol=1e-12)
        np.testing.assert_allclose(moved.numpy()[row], places, rtol=1e-15)
        np.testing.assert_allclose(phi.numpy()[row] @ text[row], wanted, rtol=1e-12)


@pytest.mark.parametrize("function", [F.soft_window, _composed])
def test_over_many_steps_the_gradient_is_that_of_the_definition(function: object) -> None:
    rng = np.random.default_rng(1)
    hats = [minigrad.tensor(rng.standard_normal((2, 6)) - 1, requires_grad=True) for _ in range(5)]
    text = minigrad.tensor(rng.standard_normal((2, 4, 3)), requires_grad=True)

    def run(step: object) -> list[Tensor]:
        kappa, total = minigrad.zeros(2, 2, dtype=minigrad.float64), minigrad.zeros((), dtype=minigrad.float64)
        for each in hats:
            shown, kappa, _ = step(each, kappa, text)  # type: ignore[operator]
            total = total + (shown.tanh() * kappa.sum()).sum()
        return list(minigrad.autograd.grad(total, [*hats, text]))

    for ours, theirs in zip(run(function), run(_composed), strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("far", [1e4, -1e4, 1e30])
def test_nothing_far_out_gives_nan(far: float) -> None:
    hats = minigrad.full((1, 6), far, requires_grad=True)
    results = F.soft_window(hats, minigrad.zeros(1, 2), minigrad.ones(1, 3, 2))
    sum([each.sum() for each in results[1:]], results[0].sum()).backward()
    assert all(np.isfinite(each.detach().numpy()).all() for each in results)
    assert hats.grad.numpy().tolist() == [[0.0] * 6]
