"""Cells that step many times in one graph: whatever the way back is asked for, it is that of the composed definition.

Each scenario runs twice, with the kernels' ops, which gather the gradients of all steps, and with the definitions of
``cells.py`` in their place; values and gradients must agree.
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
from minigrad.errors import AnomalyError, DTypeError, GradError
from minigrad.nn import cells
from minigrad.ops import step_weights
from minigrad.ops.cells import composed, gru_step, lstm_step, relu_step, tanh_step
from minigrad.utils.checkpoint import checkpoint
from tests.gathered import assert_alike, grads, pieces_gathered
from tests.harness import difference

STEPS = {"LSTM": lstm_step, "GRU": gru_step, "RNN_TANH": tanh_step, "RNN_RELU": relu_step}
KINDS = ("LSTM", "GRU", "TANH", "RELU")


def by_definition(kind: str) -> Callable[..., Any]:
    return lambda input, sizes, state, weights, reverse: composed(STEPS[kind], input, sizes, state, weights, reverse)


@pytest.fixture
def products(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many steps each product of gathered weight gradients is made of, as they are made."""
    return pieces_gathered(monkeypatch)


def make(kind: str, bias: bool = True) -> Any:
    if kind in ("TANH", "RELU"):
        cell: Any = nn.RNNCell(3, 4, bias=bias, nonlinearity=kind.lower())
    else:
        cell = getattr(nn, f"{kind}Cell")(3, 4, bias=bias)
    cell.double()
    rng = np.random.default_rng(2)
    for parameter in cell.parameters():
        parameter.data.copy_(minigrad.tensor(rng.standard_normal(parameter.shape) * 0.5))
    return cell


def drawn(*shape: int, seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def inputs(count: int = 4, requires_grad: bool = True) -> list[Any]:
    return [minigrad.tensor(drawn(2, 3, seed=step), requires_grad=requires_grad) for step in range(count)]


def start(cell: Any, requires_grad: bool = False) -> Any:
    state = tuple(minigrad.tensor(drawn(2, 4, seed=20 + i), requires_grad=requires_grad) for i in range(2))
    return state if isinstance(cell, nn.LSTMCell) else state[0]


def hidden(state: Any) -> Any:
    return state[0] if isinstance(state, tuple) else state


def unroll(cell: Any, xs: list[Any], state: Any) -> list[Any]:
    """h of each step; each step's input holds some of the last h, as an attention's context would."""
    outputs = []
    for x in xs:
        state = cell(x + hidden(state)[:, :3] * 0.1, state)
        outputs.append(hidden(state))
    return outputs


def loss_of(outputs: list[Any], seed: int = 30) -> Any:
    total = minigrad.tensor(0.0, dtype=minigrad.float64)
    for number, output in enumerate(outputs):
        total = total + (output * output * minigrad.tensor(drawn(2, 4, seed=seed + number))).sum()
    return total


# ---------------------------------------------------------------------- scenarios: each gives values that must agree


def plain(cell: Any) -> list[Any]:
    xs, state = inputs(), start(cell, requires_grad=True)
    outputs = unroll(cell, xs, state)
    loss_of(outputs).backward()
    states = state if isinstance(state, tuple) else (state,)
    return [hidden(outputs[-1]).detach().numpy(), *grads(*xs, *states, *cell.parameters())]


def last_cell_only(cell: Any) -> list[Any]:
    state = start(cell)
    for x in inputs():
        state = cell(x, state)
    (state[-1] if isinstance(state, tuple) else state).sum().backward()
    return grads(*cell.parameters())


def two_losses_one_after_the_other(cell: Any) -> list[Any]:
    xs = inputs()
    outputs = unroll(cell, xs[:2], start(cell))
    others = unroll(cell, xs[2:], start(cell))
    loss_of(outputs).backward()
    first = grads(*cell.parameters())
    loss_of(others).backward()
    return first + grads(*cell.parameters(), *xs)


def the_same_graph_twice(cell: Any) -> list[Any]:
    outputs = unroll(cell, inputs(), start(cell))
    loss = loss_of(outputs)
    loss.backward(retain_graph=True)
    first = grads(*cell.parameters())
    loss.backward()
    return first + grads(*cell.parameters())


def a_part_and_then_the_whole(cell: Any) -> list[Any]:
    xs = inputs()
    outputs = unroll(cell, xs, start(cell))
    loss_of(outputs[:2]).backward(retain_graph=True)
    first = grads(*cell.parameters(), *xs)
    loss_of(outputs).backward()
    return first + grads(*cell.parameters(), *xs)


def steps_after_a_way_back(cell: Any) -> list[Any]:
    outputs = unroll(cell, inputs(2), start(cell))
    loss_of(outputs).backward(retain_graph=True)
    more = unroll(cell, inputs(2), hidden(outputs[-1]) if not isinstance(cell, nn.LSTMCell) else (outputs[-1], outputs[0]))
    loss_of(more).backward()
    return grads(*cell.parameters())


def hooks_see_the_whole_gradient(cell: Any) -> list[Any]:
    seen = []
    cell.weight_hh.register_hook(lambda grad: seen.append(grad.numpy().copy()) or grad * 2)
    cell.bias_ih.register_hook(lambda grad: seen.append(grad.numpy().copy()))
    loss_of(unroll(cell, inputs(), start(cell))).backward()
    assert len(seen) == 2
    return seen + grads(*cell.parameters())


def grad_of_weights_alone(cell: Any) -> list[Any]:
    loss = loss_of(unroll(cell, inputs(), start(cell)))
    found = minigrad.autograd.grad(loss, [cell.weight_ih, cell.bias_hh])
    assert cell.weight_hh.grad is None
    return [each.numpy() for each in found]


def grad_of_inputs_alone(cell: Any) -> list[Any]:
    xs = inputs()
    loss = loss_of(unroll(cell, xs, start(cell)))
    return [each.numpy() for each in minigrad.autograd.grad(loss, xs)]


def second_derivatives(cell: Any) -> list[Any]:
    xs = inputs(3)
    loss = loss_of(unroll(cell, xs, start(cell)))
    weights = list(cell.parameters())
    first = minigrad.autograd.grad(loss, [*xs, *weights], create_graph=True)
    total = sum((each * each).sum() for each in first)
    second = minigrad.autograd.grad(total, [*xs, *weights], create_graph=True)
    third = minigrad.autograd.grad(sum((each * each).sum() for each in second), weights)
    return [each.detach().numpy() for each in (*first, *second, *third)]


def weights_that_are_made(cell: Any) -> list[Any]:
    scale = minigrad.tensor(1.3, dtype=minigrad.float64, requires_grad=True)
    state: Any = tuple(start(cell)) if isinstance(cell, nn.LSTMCell) else (start(cell),)
    weights = cells.Weights(cell.weight_ih * scale, cell.weight_hh * scale, cell.bias_ih, cell.bias_hh)
    kind = f"RNN_{cell.nonlinearity.upper()}" if isinstance(cell, nn.RNNCell) else type(cell).__name__.removesuffix("Cell")
    outputs = []
    for x in inputs():
        output, state = cells.SEQUENCES[kind](x, [2], state, weights, False)
        outputs.append(output)
    loss_of(outputs).backward()
    return grads(scale, *cell.parameters())


def some_weights_are_frozen(cell: Any) -> list[Any]:
    cell.weight_hh.requires_grad_(False)
    cell.bias_ih.requires_grad_(False)
    xs = inputs()
    loss_of(unroll(cell, xs, start(cell))).backward()
    assert cell.weight_hh.grad is None and cell.bias_ih.grad is None
    return grads(*xs, cell.weight_ih, cell.bias_hh)


def all_weights_are_frozen(cell: Any) -> list[Any]:
    cell.requires_grad_(False)
    xs = inputs()
    loss_of(unroll(cell, xs, start(cell))).backward()
    return grads(*xs)


def trained_by_an_optimiser(cell: Any) -> list[Any]:
    optimizer = minigrad.optim.Adam(cell.parameters(), lr=0.05)
    values = []
    for _ in range(3):
        optimizer.zero_grad()
        loss = loss_of(unroll(cell, inputs(), start(cell)))
        loss.backward()
        optimizer.step()
        values.append(loss.detach().numpy())
    return values + [parameter.detach().numpy() for parameter in cell.parameters()]


def changed_between_steps(cell: Any) -> list[Any]:
    xs = inputs()
    first = unroll(cell, xs[:2], start(cell))
    with minigrad.no_grad():
        cell.weight_hh.mul_(1.5)
    second = unroll(cell, xs[2:], start(cell))
    loss_of(second).backward()
    return [first[-1].detach().numpy(), *grads(*cell.parameters(), *xs)]


def checkpointed(cell: Any) -> list[Any]:
    xs = inputs(5)

    def run(h: Any, *rest: Any) -> Any:
        state = (h, start(cell)[1]) if isinstance(cell, nn.LSTMCell) else h
        return unroll(cell, list(rest), state)[-1]

    h = hidden(start(cell, requires_grad=True))
    middle = checkpoint(run, h, *xs[:2])
    end = checkpoint(run, middle, *xs[2:4])
    state = (end, middle) if isinstance(cell, nn.LSTMCell) else end
    loss_of([hidden(cell(xs[4], state))]).backward()
    return grads(h, *xs, *cell.parameters())


def in_anomaly_mode(cell: Any) -> list[Any]:
    with minigrad.autograd.detect_anomaly():
        loss_of(unroll(cell, inputs(), start(cell))).backward()
    return grads(*cell.parameters())


def forward_in_anomaly_mode(cell: Any) -> list[Any]:
    with minigrad.autograd.detect_anomaly():
        loss = loss_of(unroll(cell, inputs(), start(cell)))
    loss.backward()
    return grads(*cell.parameters())


def backward_in_anomaly_mode(cell: Any) -> list[Any]:
    loss = loss_of(unroll(cell, inputs(), start(cell)))
    with minigrad.autograd.detect_anomaly():
        loss.backward()
    return grads(*cell.parameters())


def a_way_back_inside_another(cell: Any) -> list[Any]:
    outputs = unroll(cell, inputs(), start(cell))
    inner: list[Any] = []

    def hook(grad: Any) -> None:
        with minigrad.enable_grad():
            loss = loss_of(unroll(cell, inputs(2), start(cell)))
            inner.extend(minigrad.autograd.grad(loss, list(cell.parameters())))

    outputs[1].register_hook(hook)
    loss_of(outputs).backward()
    return [each.numpy() for each in inner] + grads(*cell.parameters())


def no_rows(cell: Any) -> list[Any]:
    xs = [minigrad.zeros(0, 3, dtype=minigrad.float64, requires_grad=True) for _ in range(2)]
    state = None
    for x in xs:
        state = cell(x, state)
    hidden(state).sum().backward()
    return grads(*xs, *cell.parameters())


def used_in_two_places(cell: Any) -> list[Any]:
    xs = inputs()
    there = unroll(cell, xs, start(cell))
    back = unroll(cell, xs[::-1], there[-1] if not isinstance(cell, nn.LSTMCell) else (there[-1], there[0]))
    (loss_of(there) + loss_of(back, 50) + (cell.weight_ih * cell.weight_ih).sum()).backward()
    return grads(*xs, *cell.parameters())


SCENARIOS = [
    plain, last_cell_only, two_losses_one_after_the_other, the_same_graph_twice, a_part_and_then_the_whole,
    steps_after_a_way_back, hooks_see_the_whole_gradient, grad_of_weights_alone, grad_of_inputs_alone,
    second_derivatives, weights_that_are_made, some_weights_are_frozen, all_weights_are_frozen, trained_by_an_optimiser,
    changed_between_steps, checkpointed, in_anomaly_mode, forward_in_anomaly_mode, backward_in_anomaly_mode,
    a_way_back_inside_another, no_rows, used_in_two_places,
]  # fmt: skip


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.__name__)
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_the_definition(kind: str, scenario: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = scenario(make(kind))
    for name in STEPS:
        monkeypatch.setitem(cells.SEQUENCES, name, by_definition(name))
    wanted = scenario(make(kind))
    assert_alike(found, wanted, 1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_without_biases(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = plain(make(kind, bias=False))
    for name in STEPS:
        monkeypatch.setitem(cells.SEQUENCES, name, by_definition(name))
    assert_alike(found, plain(make(kind, bias=False)), 1e-10)


# ---------------------------------------------------------------------- what is gathered, and for how long


def test_all_steps_make_one_product(products: list[int]) -> None:
    plain(make("LSTM"))
    assert products == [4]
    products.clear()
    two_losses_one_after_the_other(make("GRU"))
    assert products == [2, 2]
    products.clear()
    backward_in_anomaly_mode(make("LSTM"))  # watched: each step sends its own
    assert products == [0]


def test_many_rows_are_gathered_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = plain(make("LSTM"))
    for rows in (1, 3, 5):
        monkeypatch.setattr(step_weights, "ROWS", rows)
        assert_alike(plain(make("LSTM")), wanted)


def test_a_layer_of_one_step_gathers_too(products: list[int]) -> None:
    layer = nn.LSTM(3, 4, num_layers=2).double()
    state, outputs = None, []
    for x in inputs():
        output, state = layer(x[None], state)
        outputs.append(output[0])
    loss_of(outputs).backward()
    assert products == [4, 4]
    found = grads(*layer.parameters())
    layer.zero_grad()
    whole, _ = layer(minigrad.stack(inputs()))
    loss_of(list(whole.unbind(0))).backward()
    assert_alike(found, grads(*layer.parameters()))


def shared_by(cell: Any) -> Any:
    reference = cell.weight_hh.__dict__.get("_step_weights")
    return None if reference is None else reference()


def test_steps_of_one_graph_share_their_weights_and_the_next_graph_does_not() -> None:
    cell = make("LSTM")
    outputs = unroll(cell, inputs(), start(cell))
    shared = shared_by(cell)
    assert shared is not None
    unroll(cell, inputs(), start(cell))
    assert shared_by(cell) is shared
    with minigrad.no_grad():
        cell.bias_hh.add_(1.0)
    again = unroll(cell, inputs(), start(cell))
    assert shared_by(cell) is not shared
    shared = shared_by(cell)
    loss = loss_of(again)
    loss.backward()
    assert shared_by(cell) is shared and shared.node.spent
    more = unroll(cell, inputs(), start(cell))
    assert shared_by(cell) is not shared
    del outputs, again, more, loss, shared
    gc.collect()
    assert shared_by(cell) is None


def test_nothing_is_kept_when_the_graph_is_gone() -> None:
    gc.collect()
    gc.disable()  # by reference counts alone, without a circle
    try:
        cell = make("LSTM")
        loss = loss_of(unroll(cell, inputs(), start(cell)))
        seen = [weakref.ref(loss.grad_fn), cell.weight_hh.__dict__["_step_weights"]]
        loss.backward()
        assert tape.mode.walk is None
        del loss
        assert [each() for each in seen] == [None, None]
        with minigrad.no_grad():
            cell(inputs()[0])
        assert shared_by(cell) is None
    finally:
        gc.enable()


def test_a_broken_way_back_leaves_nothing_behind() -> None:
    cell = make("GRU")
    outputs = unroll(cell, inputs(), start(cell))

    def hook(grad: Any) -> None:
        raise KeyError("stop")

    handle = outputs[0].register_hook(hook)
    loss = loss_of(outputs)
    with pytest.raises(KeyError):
        loss.backward(retain_graph=True)
    assert tape.mode.walk is None
    handle.remove()
    cell.zero_grad()
    loss.backward()
    found = grads(*cell.parameters())
    wanted = make("GRU")
    loss_of(unroll(wanted, inputs(), start(wanted))).backward()
    assert_alike(found, grads(*wanted.parameters()))


def test_weights_changed_under_a_graph_are_refused() -> None:
    cell = make("LSTM")
    loss = loss_of(unroll(cell, inputs(), start(cell)))
    with minigrad.no_grad():
        cell.weight_hh.mul_(2.0)
    with pytest.raises(GradError, match="version"):
        loss.backward()


def test_a_freed_graph_is_refused() -> None:
    cell = make("LSTM")
    loss = loss_of(unroll(cell, inputs(), start(cell)))
    loss.backward()
    with pytest.raises(GradError, match="freed"):
        loss.backward()


def test_anomaly_mode_finds_where_a_nan_is_born() -> None:
    cell = make("LSTM")
    x = inputs()[0]
    with minigrad.autograd.detect_anomaly(), pytest.raises(AnomalyError, match="Sqrt"):
        (cell(x, start(cell))[0] * 0 - 1).sqrt().sum().backward()
    with pytest.raises(AnomalyError, match="Log"):
        loss = (cell(x, start(cell))[0] * 0).log().sum()
        with minigrad.autograd.detect_anomaly():
            loss.backward()


def test_threads_share_a_cell() -> None:
    cell = make("LSTM")
    wanted = grad_of_weights_alone(make("LSTM"))
    found: list[Any] = []

    def work() -> None:
        for _ in range(5):
            loss = loss_of(unroll(cell, inputs(), start(cell)))
            found.append(minigrad.autograd.grad(loss, [cell.weight_ih, cell.bias_hh]))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 15
    for pair in found:
        for ours, theirs in zip(pair, wanted, strict=True):
            assert difference(ours.numpy(), theirs) <= 1e-12


def test_copies_of_a_cell_in_use() -> None:
    cell = make("LSTM")
    outputs = unroll(cell, inputs(), start(cell))
    for twin in (copy.deepcopy(cell), pickle.loads(pickle.dumps(cell))):
        with minigrad.no_grad():
            twin.weight_ih.zero_()
        loss_of(unroll(twin, inputs(), start(twin))).backward()
        assert twin.weight_ih.grad is not None and cell.weight_ih.grad is None
    loss_of(outputs).backward()
    assert cell.weight_ih.grad is not None


def test_dtypes_that_differ_are_refused() -> None:
    cell = nn.LSTMCell(3, 4)
    with pytest.raises(DTypeError, match="float32"):
        cell(minigrad.zeros(2, 3, dtype=minigrad.float64))
    with pytest.raises(DTypeError, match=r"lstm: h_0"):
        cell(minigrad.zeros(2, 3), (minigrad.zeros(2, 4, dtype=minigrad.float64), minigrad.zeros(2, 4)))


def test_float16_and_projections_are_composed() -> None:
    layer = nn.LSTM(3, 4, proj_size=2)
    layer(minigrad.ones(5, 2, 3))[0].sum().backward()
    assert layer.weight_hr_l0.grad is not None
    half = nn.GRU(3, 4).half()
    output, _ = half(minigrad.ones(5, 2, 3, dtype=minigrad.float16))
    assert output.dtype == minigrad.float16
