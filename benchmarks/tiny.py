"""Steps so small that the arithmetic does not matter: what the tape costs."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from minigrad.bench.workload import INPUT_SETS, Step, Workload
from minigrad.benchmarks.inputs import batches, fill, normal
from minigrad.benchmarks.peers import others

STEPS = 100  # of the perceptron in one call


def two_layers(m: Any, inputs: int, hidden: int) -> Any:
    """The perceptron: two hidden layers, one output."""
    nn = m.nn
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1))


def perceptron(m: Any, *, batch: int, inputs: int, hidden: int) -> Step:
    """inputs -> hidden -> hidden -> 1, mean squared error."""
    model = two_layers(m, inputs, hidden)
    fill(m, 0, model)
    optimizer = m.optim.SGD(model.parameters(), lr=0.01)
    turn = batches(m, 1, lambda rng: (normal(rng, batch, inputs), normal(rng, batch, 1)))

    def step() -> float:
        for _ in range(STEPS):
            x, y = next(turn)
            loss = m.nn.functional.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return loss.item()

    return step


def scalars(m: Any, *, ops: int) -> Step:
    """x -> 0.999 x + 0.001 again and again, and backward; gives the value and the derivative."""
    starts = itertools.cycle(np.random.default_rng(0).random(INPUT_SETS).tolist())

    def step() -> float:
        y = x = m.tensor(next(starts), requires_grad=True)
        for _ in range(ops // 2):
            y = y * 0.999 + 0.001
        y.backward()
        return y.item() + x.grad.item()

    return step


PERCEPTRON = Workload(
    "perceptron",
    "two-layer perceptron 32-64-64-1; SGD; 100 steps",
    perceptron,
    {"batch": 64, "inputs": 32, "hidden": 64},
    lambda batch, inputs, hidden: STEPS * 2 * batch * (3 * (hidden * hidden + hidden) + 2 * inputs * hidden),
    small={"batch": 3, "inputs": 4, "hidden": 5},
    calls=STEPS,
    others=others("perceptron"),
)
SCALARS = Workload(
    "scalars",
    "10,000 ops on one number, and backward",
    scalars,
    {"ops": 10_000},
    lambda ops: 3 * ops,
    small={"ops": 100},
)
