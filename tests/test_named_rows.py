"""Recurrent layers over rows of an Embedding's table: the same values and gradients as over rows that come from elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.kernels import gru, lstm, rnn
from minigrad.ops.named_rows import named_rows

Tensor = minigrad.Tensor
STEPS, BATCH, NUMBERS, FEATURES, HIDDEN = 7, 4, 6, 5, 3
LAYERS = {"LSTM": lstm, "GRU": gru, "RNN": rnn}


def network(kind: str, words: dict[str, Any], **options: Any) -> tuple[nn.Embedding, Any]:
    minigrad.manual_seed(0)
    table = nn.Embedding(NUMBERS, FEATURES, dtype=minigrad.float64, **words)
    return table, getattr(nn, kind)(FEATURES, HIDDEN, dtype=minigrad.float64, **options)


def numbers(seed: int = 0) -> Tensor:
    return minigrad.from_numpy(np.random.default_rng(seed).integers(0, NUMBERS - 1, (STEPS, BATCH)))  # the last is never named


def gradients(table: nn.Embedding, net: Any, loss: Tensor) -> list[Any]:
    parameters = [*table.parameters(), *net.parameters()]
    for each in parameters:
        each.grad = None
    loss.backward()
    found = [each.grad for each in parameters]
    return [None if grad is None else (grad.to_dense() if grad.is_sparse else grad).numpy().copy() for grad in found]


def assert_same(found: list[Any], wanted: list[Any]) -> None:
    for one, other in zip(found, wanted, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-13 * max(1.0, abs(other).max()))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each run of a recurrent kernel forward, whether it was told that its rows are a table's."""
    told: list[bool] = []
    for kernel in LAYERS.values():
        forward = kernel.forward

        def watched(*args: Any, _forward: Any = forward, **kwargs: Any) -> Any:
            told.append(kwargs["index"] is not None)
            return _forward(*args, **kwargs)

        monkeypatch.setattr(kernel, "forward", watched)
    return told


@pytest.mark.parametrize("options", [{}, {"bidirectional": True}, {"num_layers": 2, "bias": False}], ids=str)
@pytest.mark.parametrize("words", [{}, {"padding_idx": 1}, {"scale_grad_by_freq": True}], ids=str)
@pytest.mark.parametrize("kind", LAYERS)
def test_as_rows_from_elsewhere(kind: str, words: dict[str, Any], options: dict[str, Any], calls: list[bool]) -> None:
    table, net = network(kind, words, **options)
    tokens = numbers()
    first, _ = net(table(tokens))
    assert calls[0]
    found = gradients(table, net, (first * first).sum())
    calls.clear()
    second, _ = net(table(tokens).clone())
    assert not any(calls)
    np.testing.assert_allclose(first.detach().numpy(), second.detach().numpy(), rtol=0, atol=1e-14)
    assert_same(found, gradients(table, net, (second * second).sum()))


def _twice(x: Tensor) -> Tensor:
    with minigrad.no_grad():
        x.mul_(2)
    return x


def _doubled(x: Tensor) -> Tensor:
    return x.mul_(2)


NOT_KNOWN: dict[str, tuple[dict[str, Any], Callable[[Tensor], Tensor]]] = {
    "changed in place": ({}, _doubled),
    "changed unseen": ({}, _twice),
    "in another order": ({}, lambda x: x.flip(0)),
    "a part": ({}, lambda x: x[1:]),
    "sequences first": ({}, lambda x: x.transpose(0, 1).contiguous()),
    "computed with": ({}, lambda x: x + 0.5),
    "sparse": ({"sparse": True}, lambda x: x),
}


@pytest.mark.parametrize("name", NOT_KNOWN)
def test_what_is_no_longer_the_table(name: str, calls: list[bool]) -> None:
    words, change = NOT_KNOWN[name]
    table, net = network("LSTM", words)
    found = gradients(table, net, net(change(table(numbers())))[0].square().sum())
    assert calls == [False]
    assert_same(found, gradients(table, net, net(change(table(numbers())).clone())[0].square().sum()))


def test_views_of_all_rows_are_known(calls: list[bool]) -> None:
    table, net = network("GRU", {})
    net(table(numbers()).flatten(0, 1).unflatten(0, (STEPS, BATCH)))
    assert calls == [True]


def test_a_table_that_is_not_small(calls: list[bool]) -> None:
    table, net = network("RNN", {})
    x = table(numbers()[:2])  # 8 rows of 6
    net(x)
    assert calls == [False]
    assert named_rows(x.flatten(0, 1)) is None


def test_a_table_that_was_computed(calls: list[bool]) -> None:
    table, net = network("LSTM", {})
    net(nn.functional.embedding(numbers(), table.weight * 2))
    assert calls == [False]


@pytest.mark.parametrize("kind", LAYERS)
def test_who_looks_at_the_rows_gradient_sees_it(kind: str) -> None:
    """``autograd.grad``, ``retain_grad`` and hooks, of the rows or a view of them, asked for before the layer or after it."""
    table, net = network(kind, {})
    plain = table(numbers()).detach().requires_grad_()
    wanted = minigrad.autograd.grad(net(plain)[0].square().sum(), [plain])[0].numpy()
    dense = gradients(table, net, net(table(numbers()).clone())[0].square().sum())

    x = table(numbers())
    loss = net(x)[0].square().sum()
    both = minigrad.autograd.grad(loss, [x, table.weight])
    assert_same([each.numpy() for each in both], [wanted, dense[0]])

    x = table(numbers())
    view = x.flatten(0, 1)
    loss = net(view.unflatten(0, (STEPS, BATCH)))[0].square().sum()
    view.retain_grad()
    assert_same(gradients(table, net, loss), dense)
    np.testing.assert_allclose(view.grad.numpy(), wanted.reshape(-1, FEATURES), rtol=0, atol=1e-13)

    x, seen = table(numbers()), []
    loss = net(x)[0].square().sum()
    x.register_hook(lambda grad: seen.append(grad.numpy().copy()))
    assert_same(gradients(table, net, loss), dense)
    assert_same(seen, [wanted])

    x = table(numbers())
    x.register_hook(lambda grad: grad * 2)
    assert_same(gradients(table, net, net(x)[0].square().sum())[:1], [2 * dense[0]])


def test_rows_that_go_elsewhere_too() -> None:
    table, net = network("LSTM", {})
    x = table(numbers())
    found = gradients(table, net, net(x)[0].square().sum() + (x * x).sum())
    copy = table(numbers()).clone()
    assert_same(found, gradients(table, net, net(copy)[0].square().sum() + (copy * copy).sum()))


def test_only_the_weights_are_asked_for() -> None:
    table, net = network("LSTM", {})
    (found,) = minigrad.autograd.grad(net(table(numbers()))[0].square().sum(), [net.weight_ih_l0])
    (wanted,) = minigrad.autograd.grad(net(table(numbers()).clone())[0].square().sum(), [net.weight_ih_l0])
    assert_same([found.numpy()], [wanted.numpy()])


@pytest.mark.parametrize("kind", LAYERS)
def test_second_derivatives(kind: str) -> None:
    table, net = network(kind, {})
    parameters = [table.weight, *net.parameters()]

    def seconds(rows: Callable[[Tensor], Tensor]) -> list[Any]:
        loss = net(rows(table(numbers())))[0].square().sum()
        firsts = minigrad.autograd.grad(loss, parameters, create_graph=True)
        again = minigrad.autograd.grad(sum(grad.square().sum() for grad in firsts), parameters)
        return [each.numpy() for each in again]

    assert_same(seconds(lambda x: x), seconds(lambda x: x.clone()))


def test_the_table_may_change_before_the_way_back() -> None:
    table, net = network("LSTM", {})
    wanted = gradients(table, net, net(table(numbers()).clone())[0].square().sum())
    loss = net(table(numbers()))[0].square().sum()
    with minigrad.no_grad():
        table.weight.add_(1)
    assert_same(gradients(table, net, loss), wanted)


def test_infinity_stays_with_the_rows_that_are_named() -> None:
    table, net = network("LSTM", {})
    with minigrad.no_grad():
        table.weight[NUMBERS - 1] = float("nan")  # never named
        net.weight_ih_l0[0, 0] = float("inf")
        table.weight[:, 0] = 0.0
    out = net(table(numbers()))[0]
    found = gradients(table, net, out[:, :, 1:].square().sum())
    assert found[0][NUMBERS - 1].tolist() == [0.0] * FEATURES
