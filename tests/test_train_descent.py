"""A step of an optimiser with what belongs to it: parts that add up to the whole, clipping, the average, and its state."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad
from minigrad import Tensor, nn
from minigrad.errors import ArgumentError, StateError
from minigrad.nn import functional as F
from minigrad.optim import SGD, Adam, RMSprop
from minigrad.optim.lr_scheduler import OneCycleLR, StepLR
from minigrad.train import SCHEDULES, Descent, ema, parts, schedule_of

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(11, 3)), RNG.integers(0, 4, 11)


def network() -> nn.Module:
    minigrad.manual_seed(1)
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 4)).double()


def losses(module: nn.Module, count: int, rows: slice = slice(None)) -> Iterator[Tensor]:
    batch = minigrad.tensor(X[rows]), minigrad.tensor(Y[rows])
    for share, (x, y) in parts(batch, count):
        yield F.cross_entropy(module(x), y) * share


def values(module: nn.Module) -> dict[str, np.ndarray]:
    return {name: value.numpy().copy() for name, value in module.state_dict().items()}


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray], within: float = 0.0) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_allclose(value, other[name], rtol=within, atol=within, err_msg=name)


# ---------------------------------------------------------------------- schedules


def rates(name: str, **options: bool) -> tuple[list[float], list[float]]:
    """Rate and momentum of each of ten steps."""
    optimizer = RMSprop(network().parameters(), lr=0.5, momentum=0.9)
    schedule, found, momenta = schedule_of(name, optimizer, 10, **options), [], []
    for _ in range(10):
        found.append(float(optimizer.param_groups[0]["lr"]))
        momenta.append(float(optimizer.param_groups[0]["momentum"]))
        optimizer.step()
        if schedule is not None:
            schedule.step()
    return found, momenta


def test_schedules() -> None:
    assert rates("constant")[0] == [0.5] * 10
    assert rates("cosine")[0] == pytest.approx([0.25 * (1 + np.cos(np.pi * step / 10)) for step in range(10)])
    found, momenta = rates("onecycle")
    assert max(found) == 0.5 and found[0] == pytest.approx(0.02) and found[-1] < 1e-5 and min(momenta) == pytest.approx(0.85)
    assert rates("onecycle", cycle_momentum=False) == (found, [0.9] * 10)
    assert SCHEDULES == ("onecycle", "cosine", "constant")
    with pytest.raises(ArgumentError, match="schedule_of: name: expected one of onecycle, cosine, constant, got 'linear'"):
        schedule_of("linear", Adam(network().parameters()), 10)


# ---------------------------------------------------------------------- parts


@given(st.integers(0, 40), st.integers(1, 12))
@settings(deadline=None, derandomize=True, max_examples=100)
def test_parts_make_the_whole(size: int, count: int) -> None:
    batch = minigrad.arange(size), minigrad.arange(size).reshape(size, 1) * 2
    found = list(parts(batch, count))
    assert len(found) == min(size, count)
    assert [int(value) for _, (x, _) in found for value in x] == list(range(size))
    assert all(x.shape[0] == y.shape[0] and (y[:, 0] == 2 * x).all() for _, (x, y) in found)
    sizes = [len(x) for _, (x, _) in found]
    assert not sizes or max(sizes) - min(sizes) <= 1
    assert [share for share, _ in found] == [part / size for part in sizes]


@pytest.mark.parametrize("count", [2, 3, 4, 11, 50])
@pytest.mark.parametrize("clip_norm", [0.0, 0.05])
def test_steps_in_parts_are_steps(count: int, clip_norm: float) -> None:
    """Of parts whose sizes differ too: 11 samples."""
    found = []
    for number in (1, count):
        module = network()
        descent = Descent(module, Adam(module.parameters(), lr=0.05), clip_norm=clip_norm)
        told = [descent.step(losses(module, number)) for _ in range(5)]
        found.append((values(module), {name: np.array([float(step[name]) for step in told]) for name in told[0]}))
    same(found[0][0], found[1][0], 1e-12)
    same(found[0][1], found[1][1], 1e-12)


def test_one_parts_graph_at_a_time() -> None:
    """The second part is made when the first one's graph is gone, and after the gradients were set to zero."""
    module = network()
    seen = []

    def each() -> Iterator[Tensor]:
        for share, (x, y) in parts((minigrad.tensor(X), minigrad.tensor(Y)), 3):
            seen.append(module[0].weight.grad is not None)
            yield F.cross_entropy(module(x), y) * share

    descent = Descent(module, SGD(module.parameters(), lr=0.1))
    descent.step(each())
    descent.step(each())
    assert seen == [False, True, True] * 2


# ---------------------------------------------------------------------- the step


def test_what_a_step_tells() -> None:
    module = network()
    optimizer = SGD(module.parameters(), lr=0.5)
    descent = Descent(module, optimizer, schedule=StepLR(optimizer, 2, 0.1), clip_norm=1e-3)
    before = float(sum(losses(module, 1), minigrad.tensor(0.0)))
    told = descent.step(losses(module, 2))
    assert list(told) == ["loss", "lr", "grad_norm"]
    assert float(told["loss"]) == pytest.approx(before, rel=1e-12)
    loss = told["loss"]
    assert isinstance(loss, Tensor) and not loss.requires_grad
    rates = [told["lr"], *(descent.step(losses(module, 2))["lr"] for _ in range(3))]
    assert rates == pytest.approx([0.5, 0.5, 0.05, 0.05])


def test_clipping() -> None:
    """The norm told is that before; a step of plain descent is then as long as lr times the norm allowed."""
    for clip_norm in (1e-3, 1e3):
        module = network()
        descent = Descent(module, SGD(module.parameters(), lr=1.0), clip_norm=clip_norm)
        before = values(module)
        norm = float(descent.step(losses(module, 1))["grad_norm"])
        moved = np.sqrt(sum(((value - before[name]) ** 2).sum() for name, value in values(module).items()))
        assert norm == pytest.approx(
            np.sqrt(sum((p.grad.numpy() ** 2).sum() for p in module.parameters())) if norm < clip_norm else norm
        )
        assert moved == pytest.approx(min(norm, clip_norm), rel=1e-5)


def test_no_losses() -> None:
    module = network()
    descent = Descent(module, SGD(module.parameters(), lr=1.0))
    with pytest.raises(ArgumentError, match=r"Descent\.step: losses: expected at least one loss, got none"):
        descent.step([])


# ---------------------------------------------------------------------- the average


@pytest.mark.parametrize("decay", [0.2, 0.9, 0.999])
def test_the_average_follows_its_formula(decay: float) -> None:
    """a <- d a + (1 - d) w with d = min(decay, (1 + n) / (10 + n)) after n updates; the first is the weights."""
    module = network()
    descent = Descent(module, SGD(module.parameters(), lr=0.5), average=ema(module, decay))
    by_hand: dict[str, np.ndarray] = {}
    for count in range(30):
        descent.step(losses(module, 1))
        now = values(module)
        d = min(decay, (1 + count) / (10 + count)) if count else 0.0
        by_hand = {name: d * by_hand.get(name, 0.0) + (1 - d) * value for name, value in now.items()}
        same(values(descent.learned), by_hand, 1e-12)
    assert descent.learned is not module
    assert all(not np.array_equal(value, now[name]) for name, value in values(descent.learned).items())


def test_running_means_are_averaged_too() -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)).double()
    descent = Descent(module, SGD(module.parameters(), lr=0.1), average=ema(module, 0.5))
    for _ in range(4):
        descent.step(losses(module, 1))
    means = [values(net)["1.running_mean"] for net in (module, descent.learned)]
    assert not np.array_equal(*means)
    assert np.abs(means[0] - means[1]).max() < np.abs(means[0]).max()


@pytest.mark.parametrize("decay", [0, 1, -0.5, 2, float("nan")])
def test_a_decay_that_is_none(decay: float) -> None:
    with pytest.raises(ArgumentError, match="ema: decay: expected a number between 0 and 1, got "):
        ema(network(), decay)


def test_without_an_average_the_network_is_what_was_learned() -> None:
    module = network()
    assert Descent(module, SGD(module.parameters(), lr=0.1)).learned is module


# ---------------------------------------------------------------------- the state


def full(steps: int = 0, width: int = 5) -> Descent:
    minigrad.manual_seed(2)
    module = nn.Sequential(nn.Linear(3, width), nn.BatchNorm1d(width), nn.Dropout(0.3), nn.Linear(width, 4)).double()
    optimizer = Adam(module.parameters(), lr=0.05)
    descent = Descent(
        module, optimizer, schedule=OneCycleLR(optimizer, 0.1, total_steps=20), clip_norm=0.5, average=ema(module, 0.9)
    )
    for _ in range(steps):
        descent.step(losses(module, 2))
    return descent


def test_there_and_back_through_a_file(tmp_path: Path) -> None:
    """And on from there, bit for bit."""
    first = full(7)
    minigrad.save({"state": first.state_dict(), "random": minigrad.get_rng_state()}, tmp_path / "state.safetensors")
    expected = [first.step(losses(first.module, 2)) for _ in range(5)]
    again = full()
    content = minigrad.load(tmp_path / "state.safetensors")
    again.load_state_dict(content["state"])
    minigrad.set_rng_state(content["random"])
    for step in expected:
        got = again.step(losses(again.module, 2))
        assert {name: float(value) for name, value in got.items()} == {name: float(value) for name, value in step.items()}
    same(values(again.module), values(first.module))
    same(values(again.learned), values(first.learned))


def test_a_state_that_was_taken_does_not_change(tmp_path: Path) -> None:
    """At least not in the file; in memory it is the weights themselves, as with modules."""
    descent = full(3)
    minigrad.save(descent.state_dict(), tmp_path / "state")
    before = minigrad.load(tmp_path / "state")
    kept = copy.deepcopy(before)
    descent.load_state_dict(before)
    descent.step(losses(descent.module, 1))
    for name, value in kept["module"].items():
        np.testing.assert_array_equal(value.numpy(), before["module"][name].numpy())


def without(*names: str) -> dict[str, Any]:
    return {name: part for name, part in full(1).state_dict().items() if name not in names}


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (dict, r"Descent\.load_state_dict: state_dict: expected the parts module, optimizer, schedule, average, got "),
        (lambda: without("average"), "got module, optimizer, schedule"),
        (lambda: without("schedule"), "got module, optimizer, average"),
        (lambda: {**full(1).state_dict(), "other": {}}, "got module, optimizer, schedule, average, other"),
        (lambda: None, "got a NoneType"),
        (lambda: [1], "got a list"),
        (lambda: full(1, width=6).state_dict(), "size mismatch|shape"),
    ],
)
def test_a_state_of_another(state: Any, words: str) -> None:
    with pytest.raises((StateError, minigrad.errors.ShapeError), match=words):
        full(1).load_state_dict(state())
