"""Optimisers and schedules as rows, and how a row is run in minigrad or in PyTorch.

``python -m tests.record optim`` records PyTorch's answers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.harness import RECORDED

STEPS = 20
SHAPES = ((3, 4), (5,), ())
RATES = 30

# name, class, settings
OPTIMISERS: list[tuple[str, str, dict[str, Any]]] = [
    ("sgd", "SGD", {"lr": 0.1}),
    ("sgd/default", "SGD", {}),
    ("sgd/momentum", "SGD", {"lr": 0.1, "momentum": 0.9}),
    ("sgd/dampening", "SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3}),
    ("sgd/nesterov", "SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("sgd/decay", "SGD", {"lr": 0.1, "weight_decay": 0.2}),
    ("sgd/maximize", "SGD", {"lr": 0.01, "maximize": True}),
    (
        "sgd/all",
        "SGD",
        {"lr": 0.1, "momentum": 0.5, "weight_decay": 0.2, "nesterov": True, "maximize": True},
    ),
    ("adam", "Adam", {"lr": 0.1}),
    ("adam/default", "Adam", {}),
    ("adam/betas and eps", "Adam", {"lr": 0.1, "betas": (0.5, 0.7), "eps": 1e-2}),
    ("adam/decay", "Adam", {"lr": 0.1, "weight_decay": 0.3}),
    ("adam/amsgrad", "Adam", {"lr": 0.1, "amsgrad": True, "betas": (0.8, 0.5)}),
    ("adam/maximize", "Adam", {"lr": 0.1, "maximize": True}),
    ("adam/all", "Adam", {"lr": 0.1, "weight_decay": 0.3, "amsgrad": True, "maximize": True}),
    ("adam/decoupled", "Adam", {"lr": 0.1, "weight_decay": 0.3, "decoupled_weight_decay": True}),
    ("adamw", "AdamW", {"lr": 0.1}),
    ("adamw/decay", "AdamW", {"lr": 0.1, "weight_decay": 0.3, "betas": (0.5, 0.9)}),
    ("adamw/amsgrad", "AdamW", {"lr": 0.1, "amsgrad": True, "betas": (0.8, 0.5), "maximize": True}),
    ("rmsprop", "RMSprop", {"lr": 0.05}),
    ("rmsprop/default", "RMSprop", {}),
    ("rmsprop/alpha and eps", "RMSprop", {"lr": 0.05, "alpha": 0.5, "eps": 0.1}),
    ("rmsprop/centered", "RMSprop", {"lr": 0.05, "centered": True, "eps": 0.1}),
    ("rmsprop/momentum", "RMSprop", {"lr": 0.05, "momentum": 0.9}),
    (
        "rmsprop/all",
        "RMSprop",
        {"lr": 0.05, "momentum": 0.9, "centered": True, "weight_decay": 0.2, "maximize": True, "eps": 0.1},
    ),
    ("adagrad", "Adagrad", {"lr": 0.1}),
    ("adagrad/decay", "Adagrad", {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.2}),
    ("adagrad/initial", "Adagrad", {"lr": 0.1, "initial_accumulator_value": 0.5, "eps": 1e-3, "maximize": True}),
    ("adadelta", "Adadelta", {}),
    ("adadelta/all", "Adadelta", {"lr": 0.5, "rho": 0.7, "eps": 1e-3, "weight_decay": 0.2, "maximize": True}),
]

SPARSE: list[tuple[str, str, dict[str, Any]]] = [
    ("sparse sgd", "SGD", {"lr": 0.1}),
    ("sparse sgd/maximize", "SGD", {"lr": 0.1, "maximize": True}),
    ("sparse sgd/momentum", "SGD", {"lr": 0.01, "momentum": 0.5, "nesterov": True}),
    ("sparse adam", "SparseAdam", {"lr": 0.1}),
    ("sparse adam/all", "SparseAdam", {"lr": 0.1, "betas": (0.5, 0.7), "eps": 1e-3, "maximize": True}),
    ("sparse adagrad", "Adagrad", {"lr": 0.1, "lr_decay": 0.1, "initial_accumulator_value": 0.2}),
]


def _s(m: Any) -> Any:
    return m.optim.lr_scheduler


SCHEDULES: dict[str, Callable[[Any, Any], Any]] = {
    "lambda": lambda m, o: _s(m).LambdaLR(o, lambda t: 0.95**t),
    "lambda/each": lambda m, o: _s(m).LambdaLR(o, [lambda t: 1 / (t + 1), lambda t: 0.5]),
    "multiplicative": lambda m, o: _s(m).MultiplicativeLR(o, lambda t: 0.9 if t % 2 else 1.05),
    "step": lambda m, o: _s(m).StepLR(o, 4, 0.5),
    "multi step": lambda m, o: _s(m).MultiStepLR(o, [3, 7, 7, 20], 0.5),
    "constant": lambda m, o: _s(m).ConstantLR(o, 0.25, 6),
    "constant/none": lambda m, o: _s(m).ConstantLR(o, 0.25, 0),
    "linear": lambda m, o: _s(m).LinearLR(o),
    "linear/down": lambda m, o: _s(m).LinearLR(o, 0.9, 0.2, 9),
    "exponential": lambda m, o: _s(m).ExponentialLR(o, 0.8),
    "polynomial": lambda m, o: _s(m).PolynomialLR(o, 12, 2.0),
    "cosine": lambda m, o: _s(m).CosineAnnealingLR(o, 7, 0.001),
    "cosine/long": lambda m, o: _s(m).CosineAnnealingLR(o, RATES),
    "restarts": lambda m, o: _s(m).CosineAnnealingWarmRestarts(o, 5),
    "restarts/longer": lambda m, o: _s(m).CosineAnnealingWarmRestarts(o, 3, 2, 0.001),
    "one cycle": lambda m, o: _s(m).OneCycleLR(o, 0.5, RATES),
    "one cycle/linear": lambda m, o: _s(m).OneCycleLR(
        o, [0.5, 0.2], epochs=5, steps_per_epoch=6, anneal_strategy="linear", pct_start=0.4, base_momentum=0.7
    ),
    "one cycle/three phases": lambda m, o: _s(m).OneCycleLR(
        o, 0.5, RATES, three_phase=True, div_factor=10, final_div_factor=100, max_momentum=0.99
    ),
    "one cycle/no momentum": lambda m, o: _s(m).OneCycleLR(o, 0.5, RATES, cycle_momentum=False),
    "plateau": lambda m, o: _s(m).ReduceLROnPlateau(o, patience=2),
    "plateau/max": lambda m, o: _s(m).ReduceLROnPlateau(o, "max", 0.5, 1, 0.05, "abs", 2, [0.02, 0.0]),
    "plateau/relative max": lambda m, o: _s(m).ReduceLROnPlateau(o, "max", 0.5, 1, 0.05),
    "plateau/absolute": lambda m, o: _s(m).ReduceLROnPlateau(o, factor=0.5, patience=0, threshold=0.3, threshold_mode="abs"),
    "warm-up and cosine": lambda m, o: _s(m).SequentialLR(
        o, [_s(m).LinearLR(o, 0.1, total_iters=4), _s(m).CosineAnnealingLR(o, RATES - 4)], [4]
    ),
    "one after the other": lambda m, o: _s(m).SequentialLR(
        o,
        [
            _s(m).ConstantLR(o, 0.1, 20),
            _s(m).StepLR(o, 2),
            _s(m).MultiplicativeLR(o, lambda t: 0.9),
            _s(m).CosineAnnealingWarmRestarts(o, 3),
            _s(m).MultiStepLR(o, [2]),
        ],
        [4, 9, 14, 21],
    ),
    "at once": lambda m, o: _s(m).ChainedScheduler([_s(m).ConstantLR(o, 0.1, 4), _s(m).ExponentialLR(o, 0.9)]),
    "at once/cosine": lambda m, o: _s(m).ChainedScheduler([_s(m).CosineAnnealingLR(o, 6), _s(m).StepLR(o, 5, 0.5)], o),
}


def beginning(seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape) for shape in SHAPES]


def gradient(step: int, place: int, value: np.ndarray) -> np.ndarray | None:
    """A noisy gradient of a bowl; the second parameter has none at every third step."""
    if place == 1 and step % 3 == 2:
        return None
    rng = np.random.default_rng([step, place])
    return value * (place + 1) + 0.3 * rng.standard_normal(value.shape)


def walk(m: Any, optimiser: Any, params: list[Any], steps: range) -> None:
    """Steps of an optimiser of ``m`` along ``gradient``."""
    for step in steps:
        for place, p in enumerate(params):
            grad = gradient(step, place, p.detach().numpy())
            p.grad = None if grad is None else m.tensor(grad)
        optimiser.step()


def parameters(m: Any) -> list[Any]:
    return [m.tensor(array, requires_grad=True) for array in beginning()]


def numbers(params: list[Any]) -> list[np.ndarray]:
    return [p.detach().numpy().copy() for p in params]


def run_dense(m: Any, kind: str, settings: dict[str, Any]) -> list[np.ndarray]:
    params = parameters(m)
    walk(m, getattr(m.optim, kind)(params, **settings), params, range(STEPS))
    return numbers(params)


def run_sparse(m: Any, kind: str, settings: dict[str, Any]) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    table = m.tensor(rng.standard_normal((8, 3)), requires_grad=True)
    optimiser = getattr(m.optim, kind)([table], **settings)
    for step in range(STEPS):
        count = 0 if step == 3 else 5
        named, factor = rng.integers(0, 8, count), rng.standard_normal((count, 3))
        optimiser.zero_grad()
        rows = m.nn.functional.embedding(m.tensor(named), table, sparse=True)
        (rows * rows * m.tensor(factor)).sum().backward()
        optimiser.step()
    return numbers([table])


def loss_at(step: int) -> float:
    return 2.0 / (step + 1) + 0.3 * (step % 3) + (1.0 if step > 20 else 0.0)


def two_groups(m: Any, momentum: bool = True) -> Any:
    """An optimiser with two groups of different learning rates."""
    params = parameters(m)
    groups = [{"params": params[:1]}, {"params": params[1:], "lr": 0.02}]
    return m.optim.SGD(groups, lr=0.1, momentum=0.9) if momentum else m.optim.Adam(groups, lr=0.1)


def rates(m: Any, make: Callable[[Any, Any], Any], momentum: bool = True, steps: int = RATES) -> np.ndarray:
    """Learning rate and momentum of each group at each step."""
    optimiser = two_groups(m, momentum)
    schedule = make(m, optimiser)
    rows = []
    for step in range(steps):
        rows.append(row_of(optimiser, schedule))
        optimiser.step()
        advance(schedule, step)
    return np.array(rows)


def row_of(optimiser: Any, schedule: Any) -> list[float]:
    groups = optimiser.param_groups
    momenta = [group["momentum"] if "momentum" in group else group["betas"][0] for group in groups]
    return [*(float(group["lr"]) for group in groups), *momenta, *(float(rate) for rate in schedule.get_last_lr())]


def advance(schedule: Any, step: int) -> None:
    if type(schedule).__name__ == "ReduceLROnPlateau":
        schedule.step(loss_at(step))
    else:
        schedule.step()


def record(torch: Any) -> int:
    """Write PyTorch's answers to all rows; how many there are."""
    answers: dict[str, np.ndarray] = {}
    for rows, run in ((OPTIMISERS, run_dense), (SPARSE, run_sparse)):
        for name, kind, settings in rows:
            for place, array in enumerate(run(torch, kind, settings)):
                answers[f"optim/{name}#{place}"] = array
    for name, make in SCHEDULES.items():
        answers[f"schedule/{name}"] = rates(torch, make)
    np.savez_compressed(RECORDED / "optim.npz", **answers)
    return len(answers)
