"""Activation functions: hand numbers, the gate, memory order, what the ops make of infinite gradients, refusals, PyTorch."""

from __future__ import annotations

import math
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

import minigrad
from minigrad import kernels
from minigrad.errors import ArgumentError, DTypeError, MinigradError, ShapeError
from minigrad.kernels import activation, layout
from minigrad.kernels.activation import cases, cpu
from minigrad.kernels.native import thread_count

IMPLEMENTATIONS = kernels.available("activation", "cpu")
each_implementation = pytest.mark.parametrize("name", IMPLEMENTATIONS)
F = minigrad.nn.functional
E = math.e

# kind, numbers, x, y, dy/dx
HAND = [
    ("relu", (), [-2.0, 0.0, 3.0], [0, 0, 3], [0, 0, 1]),
    ("hardtanh", (-1.0, 2.0), [-2.0, -1.0, 0.5, 2.0, 3.0], [-1, -1, 0.5, 2, 2], [0, 0, 1, 0, 0]),
    ("leaky_relu", (0.5,), [-2.0, 0.0, 3.0], [-1, 0, 3], [0.5, 0.5, 1]),
    ("elu", (2.0, 3.0, 0.5), [-2.0, 0.0, 3.0], [6 * (1 / E - 1), 0, 9], [3 / E, 3, 3]),
    ("softplus", (2.0, 5.0), [0.0, 3.0, -400.0], [math.log(2) / 2, 3, 0], [0.5, 1, 0]),
    ("sigmoid", (), [0.0, math.log(3), -math.log(3)], [0.5, 0.75, 0.25], [0.25, 0.1875, 0.1875]),
    ("tanh", (), [0.0, math.log(3), -40.0], [0, 0.8, -1], [1, 0.36, 0]),
    ("silu", (), [0.0, math.log(3)], [0, 0.75 * math.log(3)], [0.5, 0.75 + 0.1875 * math.log(3)]),
    ("gelu", (), [0.0, 40.0, -40.0], [0, 40, 0], [0.5, 1, 0]),
    ("gelu_tanh", (), [0.0, 40.0, -40.0], [0, 40, 0], [0.5, 1, 0]),
]


@each_implementation
@pytest.mark.parametrize(("kind", "numbers", "x", "y", "slope"), HAND, ids=[row[0] for row in HAND])
def test_hand_numbers(name: str, kind: str, numbers: tuple[float, ...], x: list, y: list, slope: list) -> None:
    given, dy = np.array(x), np.arange(1.0, len(x) + 1)
    with kernels.use(activation=name):
        got = activation.forward(given, kind, *numbers)
        saved = given if activation.SAVES[kind] == "input" else got
        back = activation.backward(dy, saved, kind, *numbers)
    np.testing.assert_allclose(got, y, rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(back, slope * dy, rtol=1e-14, atol=1e-15)


def test_hand_numbers_are_there_for_all() -> None:
    assert [row[0] for row in HAND] == list(activation.NUMBERS)


@each_implementation
def test_a_closed_gate_lets_nothing_pass(name: str) -> None:
    x = np.array([np.inf, np.nan, -np.inf, 2.0])
    with kernels.use(activation=name):
        np.testing.assert_array_equal(activation.gate(x, np.zeros(4, bool), 3.0), np.zeros(4))
        np.testing.assert_array_equal(activation.gate(x, np.ones(4, bool), 3.0), 3 * x)
        np.testing.assert_array_equal(activation.backward(x, np.array([0.0, 0.0, -0.0, np.nan]), "relu"), [0, 0, 0, 2])


@pytest.mark.parametrize(
    "op", [F.relu, F.leaky_relu, F.elu, F.relu6, F.softplus, F.silu, F.gelu, minigrad.tanh], ids=lambda op: op.__name__
)
def test_an_infinite_gradient_does_not_spread(op: Any) -> None:
    """It stays infinite where the slope is above 0; where relu is closed it becomes 0, and not nan."""
    x = minigrad.tensor([-1.0, 0.5], requires_grad=True)
    op(x).backward(minigrad.tensor([math.inf, 1.0]))
    first, second = x.grad.tolist()
    assert first == 0 if op in (F.relu, F.relu6) else math.isinf(first)
    assert math.isfinite(second)


@pytest.mark.parametrize(
    "op", [F.relu, F.leaky_relu, F.elu, F.softplus, F.silu, F.gelu, minigrad.sigmoid, minigrad.tanh], ids=lambda op: op.__name__
)
def test_with_create_graph_the_gradient_is_the_same(op: Any) -> None:
    """The composed derivative, which is differentiated again, and the kernel's are one function."""
    x = minigrad.randn(5, 7, dtype=minigrad.float64).requires_grad_()
    y, dy = op(x), minigrad.randn(5, 7, dtype=minigrad.float64)
    (plain,) = minigrad.autograd.grad(y, x, dy, retain_graph=True)
    (recorded,) = minigrad.autograd.grad(y, x, dy, create_graph=True)
    np.testing.assert_allclose(plain.numpy(), recorded.detach().numpy(), rtol=1e-13, atol=1e-14)


def orders(x: np.ndarray) -> dict[str, np.ndarray]:
    """The same image in memory of several kinds."""
    with_gaps = np.zeros((4, 5, 6, 7), x.dtype)[::2, 1:4, :, 1:]
    with_gaps[...] = x
    return {
        "C": np.ascontiguousarray(x),
        "channels last": layout.channels_last(x),
        "other": np.asfortranarray(x),
        "gaps": with_gaps,
        "backwards": np.ascontiguousarray(x[:, :, ::-1])[:, :, ::-1],
    }


@pytest.mark.parametrize("order", ["C", "channels last", "other", "gaps", "backwards"])
def test_memory_order_is_kept(order: str) -> None:
    rng = np.random.default_rng(0)
    plain, dy = rng.standard_normal((2, 2, 3, 6, 6), np.float32)
    x = orders(plain)[order]
    y = activation.forward(x, "silu")
    np.testing.assert_array_equal(y, activation.forward(plain, "silu"))
    assert y.strides == layout.empty_like_layout(x).strides
    for given in orders(dy).values():
        dx = activation.backward(given, x, "silu")
        np.testing.assert_array_equal(dx, activation.backward(dy, plain, "silu"))
        assert dx.strides == y.strides
        np.testing.assert_array_equal(activation.gate(x, given > 0), np.where(dy > 0, plain, 0))


def test_gapless_memory_is_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    x = layout.channels_last(np.ones((2, 3, 4, 5), np.float32))
    monkeypatch.setattr(np, "copyto", None)
    activation.backward(x, activation.forward(x, "relu"), "relu")
    activation.gate(x, x > 0)
    one_pixel = np.ones((4, 3, 1, 1), np.float32)
    activation.backward(layout.channels_last(one_pixel), one_pixel, "silu")


@hypothesis.given(count=st.integers(0, 70), parts=st.integers(1, 5), kind=st.sampled_from(["relu", "gelu"]))
@hypothesis.settings(max_examples=25, deadline=None)
def test_threads_give_the_same_bits(count: int, parts: int, kind: str) -> None:
    """Any number of elements divided in any way, vectors and what is left over."""
    x = np.linspace(-3, 3, count, dtype=np.float32)
    alone = activation.forward(x, kind)
    divided = np.full_like(x, np.nan)
    cpu.loops.FORWARD[kind](x, divided, 0.0, 0.0, 0.0, count, parts=parts)
    np.testing.assert_array_equal(divided, alone)


def test_large_arrays_are_divided() -> None:
    x = np.linspace(-9, 9, 1 << 19, dtype=np.float32)
    with thread_count(1):
        alone = activation.forward(x, "tanh")
    with thread_count(3):
        np.testing.assert_array_equal(activation.forward(x, "tanh"), alone)


X = np.ones((2, 3))
REFUSALS: list[tuple[type[MinigradError], Any, str]] = [
    (
        ArgumentError,
        lambda: activation.forward(X, "swish"),
        "activation: kind: expected one of relu, hardtanh, .* got 'swish'",
    ),
    (ArgumentError, lambda: activation.forward(X, "elu", 1.0), "those of elu: alpha, scale, rate, got 1 of them"),
    (ArgumentError, lambda: activation.backward(X, X, "relu", 1.0), "those of relu: none, got 1 of them"),
    (ShapeError, lambda: activation.backward(X, X[:1], "tanh"), r"grad_output: expected shape \(1, 3\), as output has"),
    (DTypeError, lambda: activation.forward(X.astype(int), "relu"), "input: expected float32 or float64, got int"),
    (
        DTypeError,
        lambda: activation.backward(X.astype("f4"), X, "silu"),
        "input: expected float32, as grad_output has, got float64",
    ),
    (DTypeError, lambda: activation.gate(X, X), r"gate: mask: expected truth values \(bool\), got float64"),
    (DTypeError, lambda: activation.gate(X[:1, :1].reshape(()), X[0, 0] > 0), r"mask: expected an array of truth .*got a bool"),
    (DTypeError, lambda: activation.gate(X, [True]), r"gate: mask: expected truth values \(bool\), got list"),
    (ShapeError, lambda: activation.gate(X, X[0] > 0), r"gate: mask: expected shape \(2, 3\), as input has"),
]


@pytest.mark.parametrize(("kind", "call", "words"), REFUSALS, ids=range(len(REFUSALS)))
def test_refusals(kind: type[MinigradError], call: Any, words: str) -> None:
    with pytest.raises(kind, match=words):
        call()


@pytest.mark.peer
@pytest.mark.parametrize("kind", activation.NUMBERS)
def test_like_pytorch(kind: str) -> None:
    import torch
    import torch.nn.functional as tf

    theirs = {
        "relu": tf.relu, "leaky_relu": tf.leaky_relu, "elu": tf.elu, "softplus": tf.softplus, "sigmoid": torch.sigmoid,
        "tanh": torch.tanh, "silu": tf.silu, "gelu": tf.gelu, "gelu_tanh": lambda x: tf.gelu(x, approximate="tanh"),
        "hardtanh": lambda x: tf.hardtanh(x, 0.0, 6.0),
    }  # fmt: skip
    defaults = {"hardtanh": (0.0, 6.0), "leaky_relu": (0.01,), "elu": (1.0, 1.0, 1.0), "softplus": (1.0, 20.0)}
    x = np.concatenate([np.linspace(-30, 30, 4001), cases.EDGES])
    given = torch.tensor(x, requires_grad=True)
    value = theirs[kind](given)
    value.backward(torch.ones_like(value))
    got = activation.forward(x, kind, *defaults.get(kind, ()))
    saved = x if activation.SAVES[kind] == "input" else got
    np.testing.assert_allclose(got, value.detach().numpy(), rtol=1e-13, atol=1e-14)
    back = activation.backward(np.ones_like(x), saved, kind, *defaults.get(kind, ()))
    np.testing.assert_allclose(back, given.grad.numpy(), rtol=1e-12, atol=1e-13)
