"""Weights and factors that many products of one graph share: whatever is asked for, it is what products by themselves give.

Each scenario runs twice, as it is, and with every call alone; values and gradients must agree.
"""

from __future__ import annotations

import copy
import gc
import pickle
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.core import tape
from minigrad.errors import GradError
from minigrad.ops import dense, matrix_product, step_weights
from minigrad.utils.checkpoint import checkpoint
from tests.gathered import assert_alike, grads, pieces_gathered
from tests.harness import difference

F = nn.functional


class Weights:
    """Made anew for each run of a scenario: a layer, and the factors of an attention; all in float64."""

    def __init__(self) -> None:
        self.w, self.b = drawn(4, 6, seed=1), drawn(4, seed=2)
        self.memory, self.matrix = drawn(2, 5, 4, seed=3), drawn(4, 4, seed=4)
        self.leaves = [self.w, self.b, self.memory, self.matrix]


def drawn(*shape: int, seed: int) -> Any:
    return minigrad.tensor(np.random.default_rng(seed).standard_normal(shape) * 0.5, requires_grad=True)


def inputs(count: int = 4) -> list[Any]:
    return [drawn(2, 2, seed=20 + step) for step in range(count)]


def unroll(given: Weights, xs: list[Any], h: Any = None, keys: Any = None) -> list[Any]:
    """Steps of a decoder: attention, and a layer whose input is made of the last output."""
    outputs = []
    h = drawn(2, 4, seed=40) if h is None else h
    keys = given.memory @ given.matrix if keys is None else keys
    for step, x in enumerate(xs):
        weights = F.softmax(keys @ h.unsqueeze(2), dim=1)
        context = (weights.transpose(1, 2) @ given.memory).squeeze(1)
        joined = minigrad.cat((context + h @ given.matrix, x), dim=1)
        h = (F.linear if step % 2 else dense.linear_relu)(joined, given.w, given.b) * 0.5 + 0.1 * h.tanh()
        outputs.append(h)
    return outputs


def loss_of(outputs: list[Any], seed: int = 60) -> Any:
    return sum((output * drawn(*output.shape, seed=seed + nr).detach()).sum() for nr, output in enumerate(outputs))


def plain(given: Weights) -> list[Any]:
    xs = inputs()
    loss_of(unroll(given, xs)).backward()
    return grads(*given.leaves, *xs)


def two_losses_one_after_the_other(given: Weights) -> list[Any]:
    one, two = unroll(given, inputs(3)), unroll(given, inputs(2))
    loss_of(one).backward()
    first = grads(*given.leaves)
    loss_of(two).backward()
    return first + grads(*given.leaves)


def the_same_graph_twice(given: Weights) -> list[Any]:
    loss = loss_of(unroll(given, inputs()))
    loss.backward(retain_graph=True)
    first = grads(*given.leaves)
    loss.backward()
    return first + grads(*given.leaves)


def a_part_and_then_the_whole(given: Weights) -> list[Any]:
    outputs = unroll(given, inputs())
    loss_of(outputs[:2]).backward(retain_graph=True)
    first = grads(*given.leaves)
    loss_of(outputs).backward()
    return first + grads(*given.leaves)


def steps_after_a_way_back(given: Weights) -> list[Any]:
    outputs = unroll(given, inputs(3))
    loss_of(outputs).backward(retain_graph=True)
    loss_of(unroll(given, inputs(3), outputs[-1])).backward()
    return grads(*given.leaves)


def hooks_see_the_whole_gradient(given: Weights) -> list[Any]:
    seen = []
    for leaf in given.leaves[:3]:
        leaf.register_hook(lambda grad: seen.append(grad.numpy().copy()) or grad * 2)
    loss_of(unroll(given, inputs())).backward()
    assert len(seen) == 3
    return grads(*given.leaves)


def a_factor_that_is_made(given: Weights) -> list[Any]:
    keys = given.memory * 2
    keys.retain_grad()
    seen = []
    keys.register_hook(lambda grad: seen.append(grad.numpy().copy()))
    loss_of(unroll(given, inputs(), keys=keys)).backward()
    assert len(seen) == 1
    return seen + grads(keys, *given.leaves)


def grad_of_some(given: Weights) -> list[Any]:
    xs = inputs()
    keys = given.memory @ given.matrix
    loss = loss_of(unroll(given, xs, keys=keys))
    found = minigrad.autograd.grad(loss, [given.b, keys, xs[1]])
    assert given.w.grad is None
    return [each.numpy() for each in found]


def second_derivatives(given: Weights) -> list[Any]:
    xs = inputs(3)
    goals = [*given.leaves, *xs]
    first = minigrad.autograd.grad(loss_of(unroll(given, xs)), goals, create_graph=True)
    second = minigrad.autograd.grad(sum((each * each).sum() for each in first), goals, create_graph=True)
    third = minigrad.autograd.grad(sum((each * each).sum() for each in second), given.leaves)
    return [each.detach().numpy() for each in (*first, *second, *third)]


def some_are_frozen(given: Weights) -> list[Any]:
    given.b.requires_grad_(False)
    given.matrix.requires_grad_(False)
    loss_of(unroll(given, inputs())).backward()
    assert given.b.grad is None
    return grads(*given.leaves)


def frozen_between_steps(given: Weights) -> list[Any]:
    first = unroll(given, inputs(3))
    given.b.requires_grad_(False)
    loss_of(unroll(given, inputs(3), first[-1])).backward()
    return grads(*given.leaves)


def several_biases(given: Weights) -> list[Any]:
    others = [drawn(4, seed=70 + nr) for nr in range(3)]
    loss = sum(F.linear(drawn(2, 6, seed=nr), given.w, others[nr % 3]).square().sum() for nr in range(7))
    (loss + F.linear(drawn(2, 6, seed=9), given.w).sum()).backward()
    return grads(given.w, *others)


def changed_between_steps(given: Weights) -> list[Any]:
    first = unroll(given, inputs(3))
    with minigrad.no_grad():
        given.w.mul_(1.5)
        given.memory.mul_(0.5)
    loss_of(unroll(given, inputs(3), first[-1].detach())).backward()
    return grads(*given.leaves)


def a_view_changed_in_place(given: Weights) -> list[Any]:
    whole = given.w * 1
    rows = whole[:3]
    x = drawn(2, 6, seed=5)
    outputs = [F.linear(x, rows).detach()]
    whole.mul_(given.b[0])
    outputs += [F.linear(x, rows) * nr for nr in range(1, 4)]
    loss_of(outputs).backward()
    return grads(given.w, given.b, x)


def trained_by_an_optimiser(given: Weights) -> list[Any]:
    optimizer = minigrad.optim.Adam(given.leaves, lr=0.05)
    values = []
    for _ in range(3):
        optimizer.zero_grad()
        loss = loss_of(unroll(given, inputs()))
        loss.backward()
        optimizer.step()
        values.append(loss.detach().numpy())
    return values + [leaf.detach().numpy() for leaf in given.leaves]


def checkpointed(given: Weights) -> list[Any]:
    xs = inputs(6)
    middle = checkpoint(lambda h, *rest: unroll(given, list(rest), h)[-1], drawn(2, 4, seed=41), *xs[:3])
    end = checkpoint(lambda h, *rest: unroll(given, list(rest), h)[-1], middle, *xs[3:5])
    loss_of(unroll(given, xs[5:], end)).backward()
    return grads(*given.leaves, *xs)


def in_anomaly_mode(given: Weights) -> list[Any]:
    with minigrad.autograd.detect_anomaly():
        loss_of(unroll(given, inputs())).backward()
    return grads(*given.leaves)


def backward_in_anomaly_mode(given: Weights) -> list[Any]:
    loss = loss_of(unroll(given, inputs()))
    with minigrad.autograd.detect_anomaly():
        loss.backward()
    return grads(*given.leaves)


def a_way_back_inside_another(given: Weights) -> list[Any]:
    outputs, inner = unroll(given, inputs()), list[Any]()

    def hook(grad: Any) -> None:
        with minigrad.enable_grad():
            inner.extend(minigrad.autograd.grad(loss_of(unroll(given, inputs(3))), given.leaves))

    outputs[1].register_hook(hook)
    loss_of(outputs).backward()
    return [each.numpy() for each in inner] + grads(*given.leaves)


def matrices_and_batches(given: Weights) -> list[Any]:
    a, b, row = drawn(3, 4, seed=6), drawn(2, 3, 4, seed=7), drawn(4, seed=8)
    products = [minigrad.mm(a, given.matrix) for _ in range(3)] + [b @ given.matrix for _ in range(3)]
    products += [minigrad.bmm(b, given.memory.transpose(1, 2)) for _ in range(3)] + [given.memory @ row for _ in range(3)]
    products += [row @ given.matrix for _ in range(3)] + [minigrad.addmm(row, a, given.matrix) for _ in range(3)]
    products += [a @ b.transpose(1, 2) for _ in range(3)]
    products += [given.matrix @ given.matrix for _ in range(3)]
    loss_of([each * nr for nr, each in enumerate(products)]).backward()
    return grads(given.memory, given.matrix, a, b, row)


def higher_dimensions(given: Weights) -> list[Any]:
    x = drawn(2, 3, 6, seed=11)
    outputs = [F.linear(x * nr, given.w, given.b) for nr in range(4)]
    loss_of(outputs).backward()
    return grads(given.w, given.b, x)


def nothing_in_it(given: Weights) -> list[Any]:
    x = minigrad.zeros(0, 6, dtype=minigrad.float64, requires_grad=True)
    none = minigrad.zeros(2, 0, 4, dtype=minigrad.float64, requires_grad=True)
    outputs = [F.linear(x, given.w, given.b).sum() for _ in range(3)] + [(none @ given.matrix).sum() for _ in range(3)]
    sum(outputs).backward()
    return grads(given.w, given.b, given.matrix, x, none)


SCENARIOS = [
    plain, two_losses_one_after_the_other, the_same_graph_twice, a_part_and_then_the_whole, steps_after_a_way_back,
    hooks_see_the_whole_gradient, a_factor_that_is_made, grad_of_some, second_derivatives, some_are_frozen,
    frozen_between_steps, several_biases, changed_between_steps, a_view_changed_in_place, trained_by_an_optimiser,
    checkpointed, in_anomaly_mode, backward_in_anomaly_mode, a_way_back_inside_another, matrices_and_batches,
    higher_dimensions, nothing_in_it,
]  # fmt: skip


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Called, it keeps calls from sharing anything."""

    def apart() -> None:
        for module in (dense, matrix_product):
            monkeypatch.setattr(module, "repeated", lambda *given: None)

    return apart


@pytest.fixture
def gathered(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pieces were made one gradient, each time."""
    return pieces_gathered(monkeypatch)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.__name__)
def test_gradients_are_those_of_calls_by_themselves(scenario: Any, alone: Any) -> None:
    found = scenario(Weights())
    alone()
    wanted = scenario(Weights())
    assert_alike(found, wanted, 1e-10)


# ---------------------------------------------------------------------- what is gathered, and for how long


def test_all_calls_but_the_first_make_one_product(gathered: list[int]) -> None:
    plain(Weights())
    assert sorted(gathered) == [3, 3, 3, 4]  # the layer; keys; memory; h @ matrix, whose first is memory @ matrix
    gathered.clear()
    backward_in_anomaly_mode(Weights())  # watched: each call sends its own
    assert sum(gathered) == 0


def test_one_call_gathers_nothing(gathered: list[int]) -> None:
    given = Weights()
    for _ in range(3):  # while the loss of the last graph is still there
        loss = F.linear(drawn(2, 6, seed=5), given.w, given.b).sum()
        loss.backward()
    assert given.w.grad is not None and not gathered


def test_what_is_large_does_not_wait(gathered: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_weights, "SMALL", 0)
    w, memory = drawn(8, 8, seed=1), drawn(2, 8, 8, seed=2)
    sum(F.linear(drawn(3, 8, seed=nr), w).sum() + (memory @ drawn(2, 8, 3, seed=nr)).sum() for nr in range(3)).backward()
    assert not gathered
    sum(F.linear(drawn(2, 8, seed=nr), w).sum() + (memory @ drawn(2, 8, 2, seed=nr)).sum() for nr in range(3)).backward()
    assert gathered == [2, 2]


def test_many_rows_are_gathered_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = plain(Weights())
    for rows in (1, 3, 5):
        monkeypatch.setattr(step_weights, "ROWS", rows)
        assert_alike(plain(Weights()), wanted)


def test_nothing_is_kept_when_the_graph_is_gone() -> None:
    gc.collect()
    gc.disable()  # by reference counts alone, without a circle
    try:
        given = Weights()
        loss = loss_of(unroll(given, inputs()))
        references = [given.w.__dict__["_step_linear"], given.memory.__dict__["_step_right"], weakref.ref(loss.grad_fn)]
        assert isinstance(references[0](), step_weights.Gather) and isinstance(references[1](), step_weights.Gather)
        loss.backward()
        assert tape.mode.walk is None
        del loss
        assert [each() for each in references] == [None, None, None]
    finally:
        gc.enable()


def test_a_factor_is_let_go_of_by_the_way_back() -> None:
    given = Weights()
    keys = given.memory * 2
    loss = loss_of(unroll(given, inputs(), keys=keys))
    array = weakref.ref(keys.array)
    del keys
    loss.backward()
    assert array() is None


def test_a_broken_way_back_leaves_nothing_behind() -> None:
    given = Weights()
    outputs = unroll(given, inputs())

    def hook(grad: Any) -> None:
        raise KeyError("stop")

    handle = outputs[0].register_hook(hook)
    loss = loss_of(outputs)
    with pytest.raises(KeyError):
        loss.backward(retain_graph=True)
    assert tape.mode.walk is None
    handle.remove()
    for leaf in given.leaves:
        leaf.grad = None
    loss.backward()
    for ours, theirs in zip(grads(*given.leaves), plain(Weights()), strict=False):
        assert difference(ours, theirs) <= 1e-12


def test_weights_changed_under_a_graph_are_refused() -> None:
    for name in ("w", "memory"):
        given = Weights()
        loss = loss_of(unroll(given, inputs()))
        with minigrad.no_grad():
            getattr(given, name).mul_(2.0)
        with pytest.raises(GradError, match="version"):
            loss.backward()


def test_a_freed_graph_is_refused() -> None:
    loss = loss_of(unroll(Weights(), inputs()))
    loss.backward()
    with pytest.raises(GradError, match="freed"):
        loss.backward()


def test_threads_share_weights() -> None:
    given, wanted, found = Weights(), plain(Weights()), list[Any]()

    def work() -> None:
        for _ in range(5):
            found.append(minigrad.autograd.grad(loss_of(unroll(given, inputs())), given.leaves))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 15
    for each in found:
        for ours, theirs in zip(each, wanted, strict=False):
            assert difference(ours.numpy(), theirs) <= 1e-12


def test_copies_of_a_layer_in_use() -> None:
    layer = nn.Linear(6, 4).double()
    outputs = [layer(drawn(2, 6, seed=nr)) for nr in range(3)]
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        sum(twin(drawn(2, 6, seed=nr)).sum() for nr in range(3)).backward()
        assert twin.weight.grad is not None and layer.weight.grad is None
    loss_of(outputs).backward()
    assert layer.weight.grad is not None


def test_float16_and_whole_numbers() -> None:
    w = drawn(4, 6, seed=1).half().detach().requires_grad_()
    sum(F.linear(minigrad.ones(2, 6, dtype=minigrad.float16), w).sum() for _ in range(3)).backward()
    assert w.grad.dtype == minigrad.float16 and (w.grad.numpy() == 6).all()
    whole = minigrad.ones(2, 2, dtype=minigrad.int64)
    assert ((whole @ whole) @ whole).tolist() == [[4, 4], [4, 4]]
