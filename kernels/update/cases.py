"""What the laboratory calls the updates with; see :mod:`minigrad.kernels.cases`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from minigrad.kernels.cases import Case, drawn

SHAPES = ((3, 5), (17,), (), (0, 2), (2, 1, 7), (33,))  # one of each kind, in one call
NUMBERS: dict[str, dict[str, float]] = {
    "sgd": {"lr": 0.1, "momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0},
    "adam": {"lr": 0.1, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8, "weight_decay": 0.0},
    "rmsprop": {"lr": 0.1, "alpha": 0.9, "eps": 1e-8, "weight_decay": 0.0, "momentum": 0.0},
    "adagrad": {"lr": 0.1, "lr_decay": 0.0, "weight_decay": 0.0, "eps": 1e-10},
    "adadelta": {"lr": 1.0, "rho": 0.9, "eps": 1e-6, "weight_decay": 0.0},
}
SWITCHES = {"sgd": ("nesterov", "maximize"), "adam": ("decoupled_weight_decay", "maximize")}
# The function, what is particular, the states that it has of three, and settings other than the ones above.
WAYS: tuple[tuple[str, str, tuple[int, ...], dict[str, Any]], ...] = (
    ("sgd", "plain", (), {}),
    ("sgd", "weight decay, uphill", (), {"weight_decay": 0.2, "maximize": True}),
    ("sgd", "momentum", (0,), {"momentum": 0.9}),
    ("sgd", "dampening and weight decay", (0,), {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.2}),
    ("sgd", "nesterov", (0,), {"momentum": 0.9, "nesterov": True, "maximize": True}),
    ("adam", "plain", (0, 1), {}),
    ("adam", "weight decay, uphill", (0, 1), {"weight_decay": 0.2, "maximize": True}),
    ("adam", "weight decay outside the means", (0, 1), {"weight_decay": 0.2, "decoupled_weight_decay": True}),
    ("adam", "the largest squares", (0, 1, 2), {"weight_decay": 0.2}),
    ("rmsprop", "plain", (0,), {"weight_decay": 0.2}),
    ("rmsprop", "centered", (0, 1), {"eps": 0.1, "maximize": True}),
    ("rmsprop", "momentum", (0, 2), {"momentum": 0.9, "weight_decay": 0.2}),
    ("rmsprop", "centered, momentum", (0, 1, 2), {"momentum": 0.9, "eps": 0.1}),
    ("adagrad", "plain", (0,), {}),
    ("adagrad", "decay of both kinds, uphill", (0,), {"lr_decay": 0.1, "weight_decay": 0.2, "maximize": True}),
    ("adadelta", "plain", (0, 1), {}),
    ("adadelta", "weight decay, uphill", (0, 1), {"weight_decay": 0.2, "maximize": True}),
)
PLACES = {"sgd": 1, "adam": 3, "rmsprop": 3, "adagrad": 1, "adadelta": 2}  # sequences of states that a function takes
SQUARES = {"adam": (1, 2), "rmsprop": (0,), "adagrad": (0,), "adadelta": (0, 1)}  # those that are never negative


def _drawn(seed: int) -> list[np.ndarray]:
    return [np.asarray(each) for each in drawn(*SHAPES, seed=seed)]  # drawn() gives a number for the shape ()


def cases() -> Iterator[Case]:
    """Each optimiser in each of its ways, the norm of every kind of order, and both bounds, over arrays of all shapes."""
    steps = [1, 2, 5, 1, 100, 3]
    for seed, (function, name, present, other) in enumerate(WAYS):
        states = tuple(
            [np.asarray(abs(each)) if place in SQUARES.get(function, ()) else each for each in _drawn(seed=10 * seed + place)]
            if place in present
            else []
            for place in range(PLACES[function])
        )
        args: tuple[Any, ...] = (_drawn(seed=10 * seed + 8), _drawn(seed=10 * seed + 9), *states)
        if function == "sgd":
            args += ((False, True, False, False, True, False) if present else (),)
        elif function in ("adam", "adagrad"):
            args += (steps,)
        settings = {**NUMBERS[function], **dict.fromkeys(SWITCHES.get(function, ("maximize",)), False), **other}
        yield Case(function, name, args, settings)
    yield Case("lerp", "a quarter of the way", (_drawn(seed=1), _drawn(seed=2)), {"weight": 0.25})
    yield Case("lerp", "none", ([], []), {"weight": 0.25})
    for order in (2.0, 1.0, 3.0, 0.5, 0.0, -1.0, float("inf"), float("-inf")):
        yield Case("norm", f"of order {order}", (_drawn(seed=3), order))
    yield Case("norm", "large numbers", (drawn((33,), (5, 7), seed=4, scale=1e30), 2.0))
    yield Case("norm", "no arrays", ([], 2.0))
    yield Case("norm", "no elements", (drawn((0, 3)), float("inf")))
    for total in (100.0, 0.5, 0.0, float("nan"), float("inf")):
        about = f"a norm of {total} to be at most 1"
        yield Case("clip_norm", about, (_drawn(seed=5), np.array(total), 1.0), not_finite=(0,))
    yield Case("clip_value", "within a half", (_drawn(seed=6), 0.5))
    yield Case("clip_value", "to nothing", (_drawn(seed=7), 0.0))
