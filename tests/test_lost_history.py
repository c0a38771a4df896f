"""A saved array that is neither input nor output: the derivative of such a Function is right once and refused twice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad.core.device import array_module
from minigrad.errors import GradError


class Swish(minigrad.autograd.Function):
    """y = x s, s = 1 / (1 + exp(-x));  dx = (s + y (1 - s)) dy. It saves s, whose history nobody knows."""

    def forward(ctx, x: Any) -> Any:
        s = 1 / (1 + np.exp(-x))
        ctx.save_for_backward(x, s)
        return x * s

    def backward(ctx, dy: Any) -> Any:
        x, s = ctx.saved_tensors
        return (s + x * s * (1 - s)) * dy


def test_the_first_derivative_is_right() -> None:
    x = minigrad.tensor([0.5, -1.0], dtype=minigrad.float64, requires_grad=True)
    Swish.apply(x).sum().backward()
    (expected,) = minigrad.autograd.grad(minigrad.nn.functional.silu(x).sum(), x)
    assert np.allclose(x.grad.numpy(), expected.numpy(), rtol=1e-14)


def test_the_second_is_refused_and_the_words_help() -> None:
    x = minigrad.tensor([0.5, -1.0], requires_grad=True)
    with pytest.raises(GradError) as caught:
        minigrad.autograd.grad(Swish.apply(x).sum(), x, create_graph=True)
    for word in ("Swish", "(2,)", "create_graph", "compute it again in backward", "attribute of ctx"):
        assert word in str(caught.value)


def test_a_constant_kept_on_ctx_is_no_obstacle() -> None:
    class Masked(minigrad.autograd.Function):
        """y = m x^2;  dx = 2 m x dy."""

        def forward(ctx, x: Any) -> Any:
            ctx.mask = array_module(x).asarray([1.0, 0.0])
            ctx.save_for_backward(x, x > 0)  # truth values have no derivative to lose
            return ctx.mask * x * x

        def backward(ctx, dy: Any) -> Any:
            x, _ = ctx.saved_tensors
            return 2 * minigrad.as_tensor(ctx.mask) * x * dy

    x = minigrad.tensor([3.0, 4.0], dtype=minigrad.float64, requires_grad=True)
    (dx,) = minigrad.autograd.grad(Masked.apply(x).sum(), x, create_graph=True)
    (ddx,) = minigrad.autograd.grad(dx.sum(), x)
    assert dx.tolist() == [6.0, 0.0] and ddx.tolist() == [2.0, 0.0]
