"""Checkpointing: the same gradients bit for bit, at less memory, in every way of walking back."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import Tensor
from minigrad.errors import ArgumentError, GradError
from minigrad.nn import functional as F
from minigrad.utils.checkpoint import checkpoint, checkpoint_sequential

RNG = np.random.default_rng(0)
WEIGHTS = [RNG.normal(0, 0.5, (4, 4)) for _ in range(3)]
DATA = RNG.normal(size=(5, 4))


def leaves() -> tuple[Tensor, list[Tensor]]:
    return minigrad.tensor(DATA, requires_grad=True), [minigrad.tensor(w, requires_grad=True) for w in WEIGHTS]


def block(x: Tensor, weights: list[Tensor], p: float = 0.0) -> Tensor:
    """Uses its weights without naming them as arguments of the checkpoint."""
    for w in weights:
        x = F.dropout(F.gelu(x @ w), p) * x.tanh() + x
    return x


def gradients(run: Callable[[Tensor, list[Tensor]], Tensor]) -> list[np.ndarray]:
    x, weights = leaves()
    minigrad.manual_seed(1)
    (run(x, weights) ** 2).sum().backward()
    after = minigrad.rand(3).numpy()
    return [t.grad.numpy() for t in (x, *weights)] + [after]  # type: ignore[union-attr]


def same(one: list[np.ndarray], other: list[np.ndarray]) -> None:
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("p", [0.0, 0.5])
@pytest.mark.parametrize("use_reentrant", [False, True])
def test_gradients_are_the_same_bit_for_bit(p: float, use_reentrant: bool) -> None:
    plain = gradients(lambda x, ws: block(x * 1, ws, p))
    same(gradients(lambda x, ws: checkpoint(block, x * 1, ws, p, use_reentrant=use_reentrant)), plain)
    same(gradients(lambda x, ws: checkpoint(block, x * 1, weights=ws, p=p)), plain)


def test_an_input_that_needs_no_gradient() -> None:
    _, weights = leaves()
    data = minigrad.tensor(DATA)
    checkpoint(block, data, weights).sum().backward()
    _, again = leaves()
    block(data, again).sum().backward()
    same([w.grad.numpy() for w in weights], [w.grad.numpy() for w in again])  # type: ignore[union-attr]


def test_checkpoints_inside_checkpoints() -> None:
    def inner(x: Tensor, weights: list[Tensor]) -> Tensor:
        return block(x, weights[:2], 0.3)

    def middle(x: Tensor, weights: list[Tensor]) -> Tensor:
        return checkpoint(inner, x.sin(), weights) * x

    def outer(x: Tensor, weights: list[Tensor]) -> Tensor:
        y = checkpoint(middle, x.exp(), weights)
        return block(checkpoint(inner, y, weights), weights[2:], 0.2)

    def plain(x: Tensor, weights: list[Tensor]) -> Tensor:
        e = x.exp()
        y = inner(e.sin(), weights) * e
        return block(inner(y, weights), weights[2:], 0.2)

    same(gradients(lambda x, ws: checkpoint(outer, x, ws)), gradients(plain))


def test_autograd_grad_and_higher_orders() -> None:
    def run(wrap: Callable[..., Any]) -> list[np.ndarray]:
        x, weights = leaves()
        y = wrap(block, x, weights)
        first = minigrad.autograd.grad((y**2).sum(), [x, weights[1]], create_graph=True)
        second = minigrad.autograd.grad(sum((g**2).sum() for g in first), [x, *weights], create_graph=True)
        third = minigrad.autograd.grad(sum((g**2).sum() for g in second), weights[0])
        return [g.detach().numpy() for g in (*first, *second, *third)]

    same(run(checkpoint), run(lambda f, *args: f(*args)))


def test_a_retained_graph_is_walked_again() -> None:
    x, weights = leaves()
    y = checkpoint(block, x, weights).sum()
    y.backward(retain_graph=True)
    first = x.grad.numpy().copy()  # type: ignore[union-attr]
    y.backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * first, rtol=1e-13)  # type: ignore[union-attr]
    with pytest.raises(GradError, match="an earlier backward freed them"):
        y.backward()


def test_several_outputs_and_structures() -> None:
    def function(pair: tuple[Tensor, Tensor], scale: float) -> dict[str, Tensor]:
        a, b = pair
        return {"product": a * b.sin(), "sum": (a + b).exp() * scale}

    def run(wrap: Callable[..., Any]) -> list[np.ndarray]:
        x, weights = leaves()
        made = wrap(function, (x[:4], weights[0]), 0.5)
        (made["product"] * made["sum"]).sum().backward()
        return [x.grad.numpy(), weights[0].grad.numpy()]  # type: ignore[union-attr]

    same(run(checkpoint), run(lambda f, *args: f(*args)))


def test_the_function_runs_once_for_the_value_and_once_for_the_way_back() -> None:
    calls = []

    def counted(x: Tensor) -> Tensor:
        calls.append(minigrad.is_grad_enabled())
        return x.exp().sin().tanh()

    x, _ = leaves()
    y = checkpoint(counted, x)
    assert calls == [True]
    y.sum().backward()
    assert calls == [True, True]
    with minigrad.no_grad():
        assert not checkpoint(counted, x).requires_grad
    y = checkpoint(counted, x)
    del y
    assert len(calls) == 4


def test_random_numbers_are_left_alone_if_asked() -> None:
    x, _ = leaves()
    minigrad.manual_seed(3)
    y = checkpoint(lambda x: F.dropout(x.exp(), 0.5).sin(), x, preserve_rng_state=False)
    before = minigrad.get_rng_state()
    y.sum().backward()
    assert not np.array_equal(minigrad.get_rng_state(), before)  # drawn again, elsewhere in the stream
    y = checkpoint(lambda x: F.dropout(x.exp(), 0.5).sin(), x)
    before = minigrad.get_rng_state()
    y.sum().backward()
    assert np.array_equal(minigrad.get_rng_state(), before)


def test_changes_in_place_inside_and_before() -> None:
    def function(x: Tensor) -> Tensor:
        y = x * 2
        y.mul_(y).sin_()
        y[0] = x[1].exp()
        z = y.view(-1)
        z += 1
        return y * y

    def run(wrap: Callable[..., Any]) -> list[np.ndarray]:
        x, _ = leaves()
        h = x * 1
        h.sin_()
        wrap(function, h).sum().backward()
        return [x.grad.numpy()]  # type: ignore[union-attr]

    same(run(checkpoint), run(lambda f, *args: f(*args)))


def test_it_saves_memory() -> None:
    def segment(x: Tensor) -> Tensor:
        for _ in range(8):
            x = x.sin().exp().tanh()
        return x

    def peak(wrap: Callable[..., Any]) -> int:
        x = minigrad.zeros(1 << 15, requires_grad=True)
        tracemalloc.start()
        try:
            y = x
            for _ in range(8):
                y = wrap(segment, y)
            y.sum().backward()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    plain = peak(lambda f, x: f(x))
    assert plain > 120 * (1 << 17)  # 8 segments of 24 ops, of which two in three keep an array of their own
    assert peak(checkpoint) < plain / 4  # the results of the segments, and what one segment keeps
    halves = peak(lambda f, x: checkpoint(lambda x: checkpoint(f, x), x))
    assert halves < plain / 4


def test_nested_checkpoints_keep_no_inner_inputs() -> None:
    def inner(x: Tensor) -> Tensor:
        for _ in range(6):
            x = x.sin()
        return x

    def outer(x: Tensor) -> Tensor:
        for _ in range(6):
            x = checkpoint(inner, x)
        return x

    x = minigrad.zeros(1 << 15, requires_grad=True)
    tracemalloc.start()
    try:
        y = x
        for _ in range(6):
            y = checkpoint(outer, y)
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        y.sum().backward()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert held < 8 * (1 << 17)  # the results of the six outer ones
    assert peak < 26 * (1 << 17)  # of 216 ops
    assert x.grad is not None and x.grad[0].item() == 1


def test_sequential() -> None:
    layers = minigrad.nn.Sequential(*[minigrad.nn.Linear(4, 4) for _ in range(5)]).double()
    results = []
    for segments in (None, 1, 2, 3, 5):
        layers.zero_grad()
        x = minigrad.tensor(DATA, requires_grad=True)
        y = layers(x) if segments is None else checkpoint_sequential(layers, segments, x)
        y.tanh().sum().backward()
        results.append([x.grad.numpy(), *[p.grad.numpy() for p in layers.parameters()]])  # type: ignore[union-attr]
    for other in results[1:]:
        same(results[0], other)
    for segments in (0, 6):
        with pytest.raises(ArgumentError, match="checkpoint_sequential: segments: expected a number from 1 to 5"):
            checkpoint_sequential(layers, segments, minigrad.tensor(DATA))
    same([checkpoint_sequential([minigrad.exp], 1, x).detach().numpy()], [np.exp(DATA)])


def test_a_walk_back_inside_a_checkpoint() -> None:
    def penalty(x: Tensor, w: Tensor) -> Tensor:
        y = (x * w).sin()
        (dx, dw) = minigrad.autograd.grad(y.sum(), [x, w], create_graph=True)
        return (dx * dw).exp() + y

    def run(wrap: Callable[..., Any]) -> list[np.ndarray]:
        x, weights = leaves()
        wrap(penalty, x[:4] * 2, weights[0] * 1).sum().backward()
        return [x.grad.numpy(), weights[0].grad.numpy()]  # type: ignore[union-attr]

    for one, other in zip(run(checkpoint), run(lambda f, *args: f(*args)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-13)

    def whole(x: Tensor) -> Tensor:
        t = leaves()[1][0]
        (x * t).sum().backward()
        return x * t.grad

    x, _ = leaves()
    checkpoint(whole, x[:4]).sum().backward()
    assert x.grad is not None


def test_what_makes_the_second_run_differ_is_told() -> None:
    runs = []

    def fickle(x: Tensor) -> Tensor:
        runs.append(1)
        return x.exp() * 2 if len(runs) == 1 else x.sin() * 2

    x, _ = leaves()
    y = checkpoint(fickle, x)
    with pytest.raises(GradError, match=r"checkpoint: function: .*again: Exp as step 0.*got Sin"):
        y.sum().backward()
    runs.clear()

    def shorter(x: Tensor) -> Tensor:
        runs.append(1)
        return x.exp() if len(runs) == 1 else x + 2

    y = checkpoint(shorter, x)
    with pytest.raises(GradError, match=r"Exp as step 0.*got nothing"):
        y.sum().backward()


def test_an_input_changed_in_place_is_noticed() -> None:
    x, _ = leaves()
    h = x * 1
    y = checkpoint(lambda h: h.exp() * h, h)
    h.add_(1)
    with pytest.raises(GradError, match=r"checkpoint: args\[0\]: expected version 0 of it, got version 1"):
        y.sum().backward()


def test_a_failing_function_leaves_no_trace() -> None:
    x, _ = leaves()

    def fails(x: Tensor) -> Tensor:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        checkpoint(fails, x)
    y = (x * x).sum()
    y.backward()
    assert x.grad is not None


def test_in_anomaly_mode() -> None:
    x, weights = leaves()
    with minigrad.autograd.detect_anomaly():
        checkpoint(block, x, weights).sum().backward()
    assert x.grad is not None
    with pytest.raises(minigrad.errors.AnomalyError, match="Sqrt: gradient of backward"), minigrad.autograd.detect_anomaly():
        checkpoint(lambda x: (x * 0).sqrt() * 2, x).sum().backward()
