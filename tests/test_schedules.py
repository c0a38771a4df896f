"""Schedules: beside PyTorch's recorded answers and PyTorch itself, and beside the rate written as a function of the step."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad.errors import ArgumentError, DTypeError, MinigradError, StateError
from minigrad.optim import SGD, lr_scheduler
from tests import harness
from tests.optim_table import RATES, SCHEDULES, advance, rates, row_of, two_groups

ROWS = pytest.mark.parametrize("name", list(SCHEDULES))


@pytest.fixture(scope="module")
def recorded() -> dict[str, np.ndarray]:
    with np.load(harness.RECORDED / "optim.npz") as file:
        return dict(file)


@ROWS
def test_rates_are_the_recorded_ones(name: str, recorded: dict[str, np.ndarray]) -> None:
    assert np.abs(rates(minigrad, SCHEDULES[name]) - recorded[f"schedule/{name}"]).max() <= 1e-12


@pytest.mark.peer
@pytest.mark.parametrize("momentum", [True, False], ids=["momentum", "betas"])
@ROWS
def test_rates_are_pytorchs(name: str, momentum: bool) -> None:
    import torch

    ours, theirs = (rates(m, SCHEDULES[name], momentum) for m in (minigrad, torch))
    assert np.abs(ours - theirs).max() <= 1e-12


def _cosine(t: float, length: float, low: float = 0.0, base: float = 0.1) -> float:
    return low + (base - low) * (1 + math.cos(math.pi * t / length)) / 2


FORMULAS: dict[str, Callable[[int], float]] = {  # of the first group, whose rate begins at 0.1
    "lambda": lambda t: 0.1 * 0.95**t,
    "multiplicative": lambda t: 0.1 * 0.9 ** ((t + 1) // 2) * 1.05 ** (t // 2),
    "step": lambda t: 0.1 * 0.5 ** (t // 4),
    "multi step": lambda t: 0.1 * 0.5 ** ((t >= 3) + 2 * (t >= 7) + (t >= 20)),
    "constant": lambda t: 0.025 if t < 6 else 0.1,
    "linear": lambda t: 0.1 * (1 / 3 + 2 / 3 * min(t, 5) / 5),
    "linear/down": lambda t: 0.1 * (0.9 - 0.7 * min(t, 9) / 9),
    "exponential": lambda t: 0.1 * 0.8**t,
    "polynomial": lambda t: 0.1 * (1 - min(t, 12) / 12) ** 2,
    "cosine": lambda t: _cosine(t, 7, 0.001),
    "cosine/long": lambda t: _cosine(t, RATES),
    "restarts": lambda t: _cosine(t % 5, 5),
    "restarts/longer": lambda t: _cosine(
        *((t, 3) if t < 3 else (t - 3, 6) if t < 9 else (t - 9, 12) if t < 21 else (t - 21, 24)), 0.001
    ),
    "one cycle": lambda t: _cosine(t, 8, 0.5, 0.02) if t <= 8 else _cosine(t - 8, 21, 0.02 / 1e4, 0.5),
    "warm-up and cosine": lambda t: 0.1 * (0.1 + 0.9 * t / 4) if t < 4 else _cosine(t - 4, RATES - 4),
    "at once": lambda t: 0.1 * 0.9**t * (0.1 if t < 4 else 1),
}


@pytest.mark.parametrize("name", list(FORMULAS))
def test_rates_are_those_of_the_formula(name: str) -> None:
    ours = rates(minigrad, SCHEDULES[name])[:, 0]
    assert np.abs(ours - [FORMULAS[name](t) for t in range(RATES)]).max() <= 1e-12


@ROWS
def test_a_saved_schedule_goes_on(name: str, tmp_path: Path) -> None:
    whole = rates(minigrad, SCHEDULES[name])
    optimiser = two_groups(minigrad)
    schedule = SCHEDULES[name](minigrad, optimiser)
    for step in range(11):
        optimiser.step()
        advance(schedule, step)
    minigrad.save([optimiser.state_dict(), schedule.state_dict()], tmp_path / "state")

    other = two_groups(minigrad)
    again = SCHEDULES[name](minigrad, other)
    for thing, state in zip((other, again), minigrad.load(tmp_path / "state"), strict=True):
        thing.load_state_dict(state)
    for step in range(11, RATES):
        assert np.array_equal(row_of(other, again), whole[step])
        other.step()
        advance(again, step)


@pytest.mark.peer
@ROWS
def test_a_schedule_goes_on_from_pytorchs_state(name: str) -> None:
    import torch

    optimiser, other = two_groups(torch), two_groups(minigrad)
    schedule, again = SCHEDULES[name](torch, optimiser), SCHEDULES[name](minigrad, other)
    for step in range(11):
        optimiser.step()
        advance(schedule, step)
    other.load_state_dict(optimiser.state_dict())
    again.load_state_dict(schedule.state_dict())
    for step in range(11, RATES):
        assert np.abs(np.array(row_of(other, again)) - row_of(optimiser, schedule)).max() <= 1e-12
        for o, s in ((optimiser, schedule), (other, again)):
            o.step()
            advance(s, step)


def test_objects_as_lambdas_keep_their_attributes() -> None:
    class Half:
        def __init__(self) -> None:
            self.count = 0

        def __call__(self, step: int) -> float:
            self.count += 1
            return 0.5

    first, second = lr_scheduler.LambdaLR(_sgd(), Half()), lr_scheduler.LambdaLR(_sgd(), Half())
    first.lr_lambdas[0].count = 7
    second.load_state_dict(first.state_dict())
    assert second.lr_lambdas[0].count == 7


def test_restarts_take_fractions_of_a_step() -> None:
    schedule = lr_scheduler.CosineAnnealingWarmRestarts(_sgd(), T_0=3, T_mult=3)
    for epoch, place, length in ((0.5, 0.5, 3), (3, 0, 9), (11.75, 8.75, 9), (12, 0, 27), (38.5, 26.5, 27), (39, 0, 81)):
        schedule.step(epoch)
        assert schedule.get_last_lr()[0] == pytest.approx(_cosine(place, length, base=1.0), abs=1e-15)


def test_last_epoch_goes_on_in_mid_course() -> None:
    sgd = _sgd()
    sgd.param_groups[0].update(initial_lr=1.0, lr=_cosine(4, 10, base=1.0))
    schedule = lr_scheduler.CosineAnnealingLR(sgd, 10, last_epoch=3)
    sgd.step()
    schedule.step()
    assert schedule.last_epoch == 5
    assert sgd.param_groups[0]["lr"] == pytest.approx(_cosine(5, 10, base=1.0), abs=1e-15)


def test_plateau_takes_tensors_and_nan() -> None:
    schedule = lr_scheduler.ReduceLROnPlateau(_sgd(), patience=0, factor=0.5)
    for loss in (minigrad.tensor(1.0), float("nan"), minigrad.tensor([0.5])):
        schedule.step(loss)
    assert schedule.get_last_lr() == [0.5] and schedule.best == 0.5


def test_a_schedule_before_its_optimiser_is_noticed() -> None:
    sgd = _sgd()
    schedule = lr_scheduler.ExponentialLR(sgd, 0.5)
    with pytest.warns(UserWarning, match="ExponentialLR.step\\(\\) came before optimizer.step\\(\\)"):
        schedule.step()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        schedule.step()  # once is enough
    sgd = _sgd()
    schedule = lr_scheduler.ExponentialLR(sgd, 0.5)
    sgd.step()
    schedule.step()


def _sgd() -> SGD:
    return SGD([minigrad.zeros(1, requires_grad=True)], lr=1.0, momentum=0.9)


S = lr_scheduler
REFUSALS: list[tuple[Callable[[], Any], type[MinigradError], str]] = [
    (lambda: S.StepLR(3, 1), DTypeError, "StepLR: optimizer: expected an Optimizer, got int"),
    (lambda: S.OneCycleLR(3, 1.0, 5), DTypeError, "OneCycleLR: optimizer"),
    (lambda: S.ReduceLROnPlateau(None), DTypeError, "ReduceLROnPlateau: optimizer"),
    (lambda: S.SequentialLR(None, [], []), DTypeError, "SequentialLR: optimizer"),
    (lambda: S.StepLR(_sgd(), 0), ArgumentError, "step_size: expected a whole number, 1 or more, got 0"),
    (lambda: S.StepLR(_sgd(), 1.5), DTypeError, "got 1.5"),
    (lambda: S.StepLR(_sgd(), 1, last_epoch=3), ArgumentError, "no 'initial_lr' in group 0"),
    (lambda: S.LambdaLR(_sgd(), [abs, abs]), ArgumentError, "1 values, one for each group, got 2"),
    (lambda: S.MultiplicativeLR(_sgd(), 0.5), DTypeError, "a function of the step's number"),
    (lambda: S.ConstantLR(_sgd(), 1.5), ArgumentError, "at most 1"),
    (lambda: S.ConstantLR(_sgd(), 0), ArgumentError, "above 0"),
    (lambda: S.LinearLR(_sgd(), 0), ArgumentError, "start_factor"),
    (lambda: S.LinearLR(_sgd(), 0.5, 2), ArgumentError, "at most 1 each, got 0.5 and 2"),
    (lambda: S.PolynomialLR(_sgd(), 0), ArgumentError, "total_iters"),
    (lambda: S.CosineAnnealingLR(_sgd(), 0), ArgumentError, "T_max: expected above 0"),
    (lambda: S.CosineAnnealingWarmRestarts(_sgd(), 0), ArgumentError, "T_0"),
    (lambda: S.CosineAnnealingWarmRestarts(_sgd(), 1, 0), ArgumentError, "T_mult"),
    (lambda: S.CosineAnnealingWarmRestarts(_sgd(), 1).step(-1), ArgumentError, "epoch"),
    (lambda: S.OneCycleLR(_sgd(), 1.0), ArgumentError, "a number, or epochs and steps_per_epoch"),
    (lambda: S.OneCycleLR(_sgd(), 1.0, 0), ArgumentError, "total_steps"),
    (lambda: S.OneCycleLR(_sgd(), 1.0, epochs=0, steps_per_epoch=2), ArgumentError, "epochs"),
    (lambda: S.OneCycleLR(_sgd(), 1.0, 5, pct_start=2), ArgumentError, "a share from 0 to 1"),
    (lambda: S.OneCycleLR(_sgd(), 1.0, 5, anneal_strategy="up"), ArgumentError, "'cos' or 'linear', got 'up'"),
    (
        lambda: S.OneCycleLR(minigrad.optim.Adagrad([minigrad.zeros(1, requires_grad=True)]), 1.0, 5),
        ArgumentError,
        "Pass cycle_momentum=False",
    ),
    (lambda: S.ReduceLROnPlateau(_sgd(), factor=1.0), ArgumentError, "below 1"),
    (lambda: S.ReduceLROnPlateau(_sgd(), "least"), ArgumentError, "'min' or 'max', got 'least'"),
    (lambda: S.ReduceLROnPlateau(_sgd(), threshold_mode="x"), ArgumentError, "'rel' or 'abs'"),
    (lambda: S.ReduceLROnPlateau(_sgd(), min_lr=[0.1, 0.1]), ArgumentError, "1 values, one for each group"),
    (lambda: S.ChainedScheduler([]), ArgumentError, "at least one schedule"),
    (lambda: S.ChainedScheduler([3]), DTypeError, "schedulers[0]: expected a schedule, got int"),
    (lambda: S.ChainedScheduler([S.ReduceLROnPlateau(_sgd())]), ArgumentError, "ReduceLROnPlateau"),
    (lambda: S.ChainedScheduler([S.StepLR(_sgd(), 1), S.StepLR(_sgd(), 1)]), ArgumentError, "of the same optimiser"),
    (lambda: S.SequentialLR(o := _sgd(), [S.StepLR(o, 1)], [3]), ArgumentError, "0, one less than there are schedules, got 1"),
    (
        lambda: S.SequentialLR(o := _sgd(), [S.ChainedScheduler([S.StepLR(o, 1)])], []),
        ArgumentError,
        "a schedule not made of others, got ChainedScheduler",
    ),
    (
        lambda: S.StepLR(_sgd(), 1).load_state_dict(S.ExponentialLR(_sgd(), 0.5).state_dict()),
        StateError,
        "one of a StepLR, got one without step_size",
    ),
]


@pytest.mark.parametrize(("call", "error", "words"), REFUSALS, ids=[row[2] for row in REFUSALS])
def test_refusal_says_what_to_do(call: Callable[[], Any], error: type[MinigradError], words: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert words in str(caught.value)


def test_one_cycle_ends() -> None:
    sgd = _sgd()
    schedule = lr_scheduler.OneCycleLR(sgd, 1.0, 3)
    sgd.step()
    for _ in range(3):
        schedule.step()
    with pytest.raises(ArgumentError, match="at most 3 steps"):
        schedule.step()


def test_a_schedule_without_a_rule_says_so() -> None:
    with pytest.raises(NotImplementedError, match="get_lr"):
        lr_scheduler.LRScheduler(_sgd())
