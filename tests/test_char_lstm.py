"""The network of ``models/char_lstm.py``: what it is made of, its state, its refusals, and PyTorch's beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad
import minigrad.nn.functional as F
from minigrad.benchmarks.source import model_source, run_source
from minigrad.errors import ArgumentError, DTypeError, MinigradError, ShapeError
from minigrad.models.char_lstm import CELLS, CharLSTM, detached, parameters
from tests import devices
from tests.harness import check_gradients, difference

V, T, B = 7, 5, 3
VARIANTS: dict[str, dict[str, Any]] = {
    "embedded": {"embedding": 4},
    "one-hot": {"embedding": 0},
    "tied": {"embedding": 6, "tied": True},
    "normalised": {"embedding": 4, "layer_norm": True},
    "deep": {"embedding": 4, "layers": 3},
}
EVERY = [(cell, variant) for cell in CELLS for variant in VARIANTS]
SOURCE = model_source("char_lstm")


def options(cell: str, variant: str) -> dict[str, Any]:
    common = {"hidden": 6, "layers": 2, "dropout": 0.0, "layer_norm": False, "tied": False}
    return {**common, "cell": cell, **VARIANTS[variant]}


def make(cell: str = "lstm", variant: str = "embedded") -> CharLSTM:
    minigrad.manual_seed(0)
    return CharLSTM(V, **options(cell, variant)).double()


def tokens(number: int = 0, steps: int = T) -> np.ndarray:
    return np.random.default_rng(number).integers(0, V, (steps + 1, B))


def loss_of(m: Any, net: Any, batch: np.ndarray, state: Any = None) -> tuple[Any, Any]:
    """The loss of the next characters, and the state after them."""
    drawn = m.tensor(batch)
    logits, state = net(drawn[:-1], state)
    return m.nn.functional.cross_entropy(logits.flatten(0, 1), drawn[1:].flatten()), state


@pytest.mark.parametrize(("cell", "variant"), EVERY)
def test_number_of_parameters_is_known_before(cell: str, variant: str) -> None:
    net = make(cell, variant)
    assert parameters(V, **options(cell, variant)) == sum(p.numel() for p in net.parameters())


def test_a_network_of_256() -> None:
    assert parameters(78, **{**options("lstm", "embedded"), "hidden": 256, "embedding": 256}) == 1_092_686


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("cell", CELLS)
def test_a_text_in_pieces_is_the_text_at_once(cell: str, variant: str) -> None:
    """The state says all of what was read: logits are the same in pieces of any length, down to one character."""
    net = make(cell, variant)
    batch = minigrad.tensor(tokens(steps=6))
    whole, last = net(batch)
    found, state = [], None
    for start, end in ((0, 3), (3, 4), (4, 7)):
        logits, state = net(batch[start:end], state)
        found.append(logits)
    assert difference(minigrad.cat(found).detach().numpy(), whole.detach().numpy()) <= 1e-12
    assert len(last) == (2 if cell == "lstm" else 1)
    for one, other in zip(last, state, strict=True):
        assert difference(one.detach().numpy(), other.detach().numpy()) <= 1e-12


@pytest.mark.parametrize(("cell", "variant"), EVERY)
def test_gradient_is_the_numeric_one(cell: str, variant: str) -> None:
    """Along a random direction in the space of all parameters, over two pieces of a text with the state between them."""
    net = make(cell, variant)

    def loss() -> Any:
        first, state = loss_of(minigrad, net, tokens(0))
        return first + loss_of(minigrad, net, tokens(1), state)[0]

    loss().backward()
    own = list(net.parameters())
    start = [p.detach().numpy().copy() for p in own]
    rng = np.random.default_rng(1)
    direction = [rng.standard_normal(p.shape) for p in own]
    values = []
    for sign in (1, -1):
        for parameter, array, way in zip(own, start, direction, strict=True):
            devices.put(parameter, array + sign * 1e-7 * way)
        with minigrad.no_grad():
            values.append(loss().item())
    along = sum(float((p.grad.numpy() * way).sum()) for p, way in zip(own, direction, strict=True))
    assert (values[0] - values[1]) / 2e-7 == pytest.approx(along, rel=1e-6)


def test_truncated_backpropagation_stops_at_the_state() -> None:
    net = make()
    _, state = net(minigrad.tensor(tokens()))
    cut = detached(state)
    assert all(part.requires_grad for part in state) and not any(part.requires_grad for part in cut)
    assert [part.tolist() for part in cut] == [part.tolist() for part in state]


def test_tied_weights_are_one() -> None:
    net = make("lstm", "tied")
    assert net.head.weight is net.embedding.weight
    copy = CharLSTM(V, **options("lstm", "tied")).double()
    copy.load_state_dict(net.state_dict())
    assert copy.head.weight is copy.embedding.weight
    batch = minigrad.tensor(tokens())
    assert copy(batch)[0].tolist() == net(batch)[0].tolist()
    loss_of(minigrad, net, tokens())[0].backward()
    assert net.head.weight.grad is net.embedding.weight.grad


def test_forget_gates_begin_open() -> None:
    for layer in make("lstm").layers:
        assert (layer.bias_hh_l0 + layer.bias_ih_l0)[6:12].tolist() == [1.0] * 6


def test_dropout_leaves_the_way_through_time_alone() -> None:
    """With everything zeroed on the way up, nothing but the head's bias is left, and the first layer's state is what it was."""
    net, dry = make(), CharLSTM(V, **{**options("lstm", "embedded"), "dropout": 1.0}).double()
    dry.load_state_dict(net.state_dict())
    batch = minigrad.tensor(tokens())
    logits, (h, _) = dry.train()(batch)
    assert (logits - dry.head.bias).abs().max().item() == 0
    assert h[0].tolist() == net(batch)[1][0][0].tolist()
    assert dry.eval()(batch)[0].tolist() == net(batch)[0].tolist()


WRONG: list[tuple[dict[str, Any], type[MinigradError], str]] = [
    ({"cell": "peephole"}, ArgumentError, "CharLSTM: cell: expected one of 'lstm', 'gru', 'rnn', got 'peephole'."),
    ({"hidden": 0}, ArgumentError, "CharLSTM: hidden: expected at least 1, got 0."),
    ({"layers": 0}, ArgumentError, "CharLSTM: layers: expected at least 1, got 0."),
    ({"embedding": -1}, ArgumentError, "CharLSTM: embedding: expected at least 0, got -1."),
    ({"hidden": 2.5}, DTypeError, "CharLSTM: hidden"),
    ({"dropout": 1.5}, ArgumentError, "CharLSTM: dropout: expected a number from 0 to 1, got 1.5."),
    (
        {"tied": True, "hidden": 8, "embedding": 4},
        ArgumentError,
        "CharLSTM: embedding: expected hidden=8, as tied weights ask, got 4. Use embedding=8, or tied=False.",
    ),
]


@pytest.mark.parametrize(("words", "kind", "text"), WRONG, ids=[row[2][10:30] for row in WRONG])
def test_refusals_say_what_to_do(words: dict[str, Any], kind: type[MinigradError], text: str) -> None:
    with pytest.raises(kind) as caught:
        CharLSTM(V, **words)
    assert str(caught.value).startswith(text)


def test_tokens_and_states_that_do_not_fit() -> None:
    net = make()
    batch = minigrad.tensor(tokens())
    with pytest.raises(ShapeError, match=r"tokens: expected shape \(T, B\), got shape \(6,\)"):
        net(batch[:, 0])
    _, state = net(batch)
    wanted = r"state: expected 2 of shape \(2, 2, 6\) \(layers, lanes, hidden\), as the network gives it, got "
    with pytest.raises(ShapeError, match=wanted + r"\[\(2, 3, 6\), \(2, 3, 6\)\]"):
        net(batch[:, :2], state)
    with pytest.raises(ShapeError, match=wanted + "Tensor"):
        net(batch[:, :2], state[0])
    with pytest.raises(ShapeError, match=r"expected 1 of shape"):
        make("gru")(batch, state)


@pytest.mark.peer
@pytest.mark.parametrize(("cell", "variant"), EVERY)
def test_steps_are_pytorchs(cell: str, variant: str) -> None:
    """The same source with PyTorch's layers: four steps of truncated backpropagation with the state carried on, by Adam.

    Each step's loss is the same to 1e-10, and of each parameter max|g - g'| <= 1e-9 max|g'|.
    """
    import torch

    ours = make(cell, variant)
    theirs = run_source(SOURCE, "torch")["CharLSTM"](V, **options(cell, variant)).double()
    theirs.load_state_dict({key: torch.tensor(tensor.numpy()) for key, tensor in ours.state_dict().items()})
    pairs = [(m, net, m.optim.Adam(net.parameters(), lr=2e-3)) for m, net in ((minigrad, ours), (torch, theirs))]
    states: list[Any] = [None, None]
    for step in range(4):
        losses = []
        for place, (m, net, optimizer) in enumerate(pairs):
            loss, state = loss_of(m, net, tokens(step), states[place])
            states[place] = detached(state)
            optimizer.zero_grad()
            loss.backward()
            losses.append(loss.item())
        assert abs(losses[0] - losses[1]) <= 1e-10
        check_gradients(ours, theirs, step)
        for our, their in zip(*states, strict=True):
            assert difference(our.numpy(), their.numpy()) <= 1e-9
        for *_, optimizer in pairs:
            optimizer.step()


@pytest.mark.peer
@pytest.mark.parametrize("cell", CELLS)
def test_both_directions_with_lengths_are_pytorchs(cell: str) -> None:
    """The layers that it is made of, over sentences of several lengths read from both ends, with a state carried on."""
    import torch

    lengths, rng = [2, 5, 4], np.random.default_rng(3)
    x, first = rng.standard_normal((T, B, 4)), rng.standard_normal((2, 4, B, 6))
    ours: Any = CELLS[cell](4, 6, 2, bidirectional=True).double()
    theirs = getattr(torch.nn, type(ours).__name__)(4, 6, 2, bidirectional=True).double()
    theirs.load_state_dict({key: torch.tensor(tensor.numpy()) for key, tensor in ours.state_dict().items()})
    losses, states = [], []
    for m, layer in ((minigrad, ours), (torch, theirs)):
        state: Any = tuple(m.tensor(array) for array in first)[: 1 + (cell == "lstm")]
        total: Any = 0.0
        for _ in range(2):
            packed = m.nn.utils.rnn.pack_padded_sequence(m.tensor(x), lengths, enforce_sorted=False)
            output, last = layer(packed, state if cell == "lstm" else state[0])
            state = last if cell == "lstm" else (last,)
            total = total + (output.data**3).sum()
        total.backward()
        losses.append(total.item())
        states.append(state)
    assert losses[0] == pytest.approx(losses[1], rel=1e-10)
    check_gradients(ours, theirs)
    for our, their in zip(*states, strict=True):
        assert difference(our.detach().numpy(), their.detach().numpy()) <= 1e-9


def test_the_loss_of_a_network_that_knows_nothing_is_that_of_chance() -> None:
    """The first loss of a network with small logits is close to ln V nats, tied or not."""
    for variant in ("embedded", "tied"):
        minigrad.manual_seed(1)
        net = CharLSTM(64, hidden=32, embedding=32, tied=variant == "tied")
        drawn = minigrad.tensor(np.random.default_rng(0).integers(0, 64, (20, 4)))
        logits, _ = net(drawn[:-1])
        assert F.cross_entropy(logits.flatten(0, 1), drawn[1:].flatten()).item() == pytest.approx(np.log(64), abs=0.1)
