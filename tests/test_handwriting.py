"""The network of ``models/handwriting.py``: packed and padded, in pieces and at once, its refusals, and PyTorch's beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad.benchmarks.source import model_source, run_source
from minigrad.benchmarks.steps import log_density
from minigrad.errors import ArgumentError, DTypeError, IndexingError, MinigradError, ShapeError
from minigrad.models.handwriting import HandwritingLSTM, State, clipped, nats, parameters
from tests import devices
from tests.harness import check_gradients, difference

A, T, B, U, M = 5, 6, 3, 4, 3
OPTIONS: dict[str, Any] = {"hidden": 6, "windows": 2, "mixtures": M, "pace": 0.5}
LENGTHS, LETTERS = np.array([4, 6, 2]), np.array([3, 4, 1])


def make(**words: Any) -> HandwritingLSTM:
    minigrad.manual_seed(0)
    return HandwritingLSTM(A, **{**OPTIONS, **words}).double()


def drawn(number: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Points (T, B, 3) and texts (B, U); behind the ends stands what must not matter."""
    rng = np.random.default_rng(number)
    points = rng.standard_normal((T, B, 3))
    points[..., 2] = rng.random((T, B)) < 0.3
    return points, rng.integers(0, A, (B, U))


def packed_loss(net: HandwritingLSTM, number: int = 0, share: float = 0.0) -> Any:
    points, numbers = drawn(number)
    text = net.letters(minigrad.tensor(numbers), minigrad.tensor(LETTERS))
    outputs, target = net.packed(minigrad.tensor(points), minigrad.tensor(LENGTHS), text, share)
    return sum(nats(outputs, target, -15.0))


def padded_loss(m: Any, net: Any, number: int = 0, state: Any = None) -> tuple[Any, Any]:
    """The same in plain ops, the points behind an end masked; and the state after all points."""
    points, numbers = drawn(number)
    start = np.concatenate((np.full((1, B, 3), [0.0, 0.0, 1.0]), points[:-1]))
    there = (np.arange(U) < LETTERS[:, None])[:, :, None]
    text = m.tensor(np.eye(A)[numbers] * there)
    outputs, state, _ = net(m.tensor(start), text, state)
    mask = m.tensor((np.arange(T)[:, None] < LENGTHS).astype(float))
    known = log_density(m, outputs[..., :-1], m.tensor(points), M)
    last = m.tensor((np.arange(T)[:, None] == LENGTHS - 1).astype(float))
    lifted, ends = m.tensor(points[..., 2]), outputs[..., -1]
    known = known + lifted * m.nn.functional.logsigmoid(ends * (2 * last - 1))  # log of the chance of what is true
    return -(known * mask).sum(), state


def detached(state: State) -> State:
    return State(*(part.detach() if not isinstance(part, tuple) else tuple(one.detach() for one in part) for part in state))


def test_number_of_parameters_is_known_before() -> None:
    assert parameters(A, **OPTIONS) == sum(p.numel() for p in make().parameters())


def test_packed_is_padded_and_masked() -> None:
    net, other = make(), make()
    one, (two, _) = packed_loss(net), padded_loss(minigrad, other)
    assert one.item() == pytest.approx(two.item(), rel=1e-12)
    one.backward()
    two.backward()
    check_gradients(net, other)


def test_the_fourth_number_of_a_point_is_whether_it_is_the_last() -> None:
    net = make()
    points, numbers = drawn()
    text = net.letters(minigrad.tensor(numbers), minigrad.tensor(LETTERS))
    _, target = net.packed(minigrad.tensor(points), minigrad.tensor(LENGTHS), text)
    assert target.shape == (LENGTHS.sum(), 4)
    ends = target[target[:, 3] == 1][:, :3].tolist()
    assert sorted(ends) == sorted(points[length - 1, row].tolist() for row, length in enumerate(LENGTHS))


def test_a_text_in_pieces_is_the_text_at_once() -> None:
    net = make()
    points, numbers = drawn()
    text = net.letters(minigrad.tensor(numbers))
    whole, last, weights = net(minigrad.tensor(points), text)
    found, seen, state = [], [], None
    for start, end in ((0, 3), (3, 4), (4, T)):
        outputs, state, some = net(minigrad.tensor(points[start:end]), text, state)
        found.append(outputs)
        seen.append(some)
    assert difference(minigrad.cat(found).detach().numpy(), whole.detach().numpy()) <= 1e-12
    assert difference(minigrad.cat(seen).detach().numpy(), weights.detach().numpy()) <= 1e-12
    assert state is not None
    for one, other in zip((*last.third, last.kappa), (*state.third, state.kappa), strict=True):
        assert difference(one.detach().numpy(), other.detach().numpy()) <= 1e-12


def test_gradient_is_the_numeric_one() -> None:
    """Along a random direction in the space of all parameters, over two pieces with the state between them."""
    net = make()

    def loss() -> Any:
        first, state = padded_loss(minigrad, net, 0)
        return first + padded_loss(minigrad, net, 1, state)[0] + packed_loss(net, 2)

    loss().backward()
    own = list(net.parameters())
    start = [p.detach().numpy().copy() for p in own]
    rng = np.random.default_rng(1)
    direction = [rng.standard_normal(p.shape) for p in own]
    values = []
    for sign in (1, -1):
        for parameter, array, way in zip(own, start, direction, strict=True):
            devices.put(parameter, array + sign * 1e-6 * way)
        with minigrad.no_grad():
            values.append(loss().item())
    along = sum(float((p.grad.numpy() * way).sum()) for p, way in zip(own, direction, strict=True))
    assert (values[0] - values[1]) / 2e-6 == pytest.approx(along, rel=1e-6)


def test_the_window_begins_at_the_pace_of_the_data() -> None:
    """Untrained, it moves by about so many letters for each point, and all its bells together weigh one letter."""
    net = make(pace=0.1, hidden=32, windows=10)
    with minigrad.no_grad():
        net.window.weight.zero_()
        net.window.bias.sub_(net.window.bias - minigrad.tensor(np.repeat([-np.log(10), 0, np.log(0.1)], 10)))
        _, state, weights = net(minigrad.zeros(10, 1, 3, dtype=minigrad.float64), net.letters(minigrad.tensor([[0, 1, 2]])))
    assert state.kappa.tolist()[0] == pytest.approx([1.0] * 10)
    assert weights[-1, 0].tolist() == pytest.approx([1, np.exp(-1), np.exp(-4)])
    fresh = make(pace=0.1, hidden=32, windows=10).window.bias.detach().numpy().reshape(3, 10)
    assert np.exp(fresh).mean(axis=1) == pytest.approx([0.1, 1, 0.1], rel=0.1)


def test_dropout_leaves_the_first_layer_and_the_window_alone() -> None:
    net, dry = make(), make(dropout=1.0)
    dry.load_state_dict(net.state_dict())
    points, numbers = drawn()
    text = net.letters(minigrad.tensor(numbers))
    outputs, state, _ = dry.train()(minigrad.tensor(points), text)
    assert (outputs - dry.head.bias).abs().max().item() == 0
    whole, plain, _ = net(minigrad.tensor(points), text)
    assert state.kappa.tolist() == plain.kappa.tolist()
    assert dry.eval()(minigrad.tensor(points), text)[0].tolist() == whole.tolist()


def test_derivatives_are_clipped_as_in_the_paper() -> None:
    """Those of a sequence's nats at 100 where they enter outputs, at 10 where they enter a layer; of a share at that share."""
    seen: dict[str, float] = {}
    net = make(hidden=4)
    with minigrad.no_grad():
        net.head.bias[1 + 3 * M : 1 + 5 * M] = -6.0  # deviations so small that the slopes are huge
        net.head.weight[:, :4] *= 1000

    def run(share: float) -> float:
        net.zero_grad()
        (packed_loss(net, share=share) * (share or 1.0)).backward()
        seen["head"] = net.head.bias.grad.abs().max().item()
        seen["window"] = max(p.grad.abs().max().item() for p in net.first.parameters())
        return seen["window"]

    free, held = run(0.0), run(1.0)
    assert held < free / 10
    assert seen["head"] <= 100 * LENGTHS.sum()
    part = run(0.01)
    assert part == pytest.approx(held * 0.01, rel=1e-9)


def test_clipping_what_needs_no_gradient_does_nothing() -> None:
    x = minigrad.ones(2)
    assert clipped(x, 1.0) is x


WRONG: list[tuple[dict[str, Any], type[MinigradError], str]] = [
    ({"hidden": 0}, ArgumentError, "HandwritingLSTM: hidden: expected at least 1, got 0."),
    ({"windows": 1.5}, DTypeError, "HandwritingLSTM: windows"),
    ({"mixtures": 0}, ArgumentError, "HandwritingLSTM: mixtures: expected at least 1, got 0."),
    ({"dropout": -1}, ArgumentError, "HandwritingLSTM: dropout: expected a number from 0 to 1, got -1."),
    ({"pace": 0.0}, ArgumentError, "HandwritingLSTM: pace: expected letters for a point, above 0 and at most 1, got 0.0."),
    ({"pace": float("nan")}, ArgumentError, "HandwritingLSTM: pace"),
]


@pytest.mark.parametrize(("words", "kind", "text"), WRONG, ids=[row[2][17:40] for row in WRONG])
def test_refusals_say_what_to_do(words: dict[str, Any], kind: type[MinigradError], text: str) -> None:
    with pytest.raises(kind) as caught:
        HandwritingLSTM(A, **words)
    assert str(caught.value).startswith(text)


def test_points_and_texts_that_do_not_fit() -> None:
    net = make()
    points, numbers = drawn()
    x, text = minigrad.tensor(points), net.letters(minigrad.tensor(numbers))
    with pytest.raises(ShapeError, match=r"points: expected shape \(T, B, 3\), T at least 1, got shape \(6, 3, 2\)"):
        net(x[:, :, :2], text)
    with pytest.raises(ShapeError, match=r"points: expected shape \(T, B, 3\), got shape \(6, 3\)"):
        net.packed(x[:, :, 0], minigrad.tensor(LENGTHS), text)
    with pytest.raises(ShapeError, match=r"text: expected shape \(3, U, 5\), .*got shape \(2, 4, 5\)\. Make it by letters"):
        net(x, text[:2])
    with pytest.raises(IndexingError, match="0 to 4"):
        net.letters(minigrad.tensor([[5]]))


@pytest.mark.peer
def test_steps_are_pytorchs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same source with PyTorch's layers, its window of PyTorch's ops: three steps of Adam on packed and padded sequences.

    Each step's loss is the same to 1e-10, and of each parameter max|g - g'| <= 1e-9 max|g'|.
    """
    import torch

    def window(hats: Any, kappa: Any, text: Any) -> Any:
        alpha, beta, step = hats.exp().chunk(3, 1)
        kappa = kappa + step
        away = kappa[:, :, None] - torch.arange(1, text.shape[1] + 1)
        phi = (alpha[:, :, None] * torch.exp(-beta[:, :, None] * away**2)).sum(1)
        return torch.einsum("bu,bua->ba", phi, text), kappa, phi

    monkeypatch.setattr(torch.nn.functional, "soft_window", window, raising=False)
    ours = make()
    theirs = run_source(model_source("handwriting"), "torch")["HandwritingLSTM"](A, **OPTIONS).double()
    theirs.load_state_dict({key: torch.tensor(tensor.numpy()) for key, tensor in ours.state_dict().items()})
    one, other = (m.optim.Adam(net.parameters(), lr=2e-3) for m, net in ((minigrad, ours), (torch, theirs)))
    states: list[Any] = [None, None]
    for number in range(3):
        our, their = packed_loss(ours, number), padded_loss(torch, theirs, number)[0]
        carried = [
            padded_loss(m, net, number, state) for m, net, state in zip((minigrad, torch), (ours, theirs), states, strict=True)
        ]
        states = [detached(State(*state)) for _, state in carried]
        losses = [(a + b) / LENGTHS.sum() for a, b in ((our, carried[0][0]), (their, carried[1][0]))]
        for optimizer, loss in zip((one, other), losses, strict=True):
            optimizer.zero_grad()
            loss.backward()
        assert abs(losses[0].item() - losses[1].item()) <= 1e-10
        check_gradients(ours, theirs, number)
        one.step()
        other.step()
