"""What the tape costs: steps so small that the arithmetic does not matter.

    python benchmarks/tape.py [--pairs 7] [--json]

Two workloads, in minigrad and PyTorch by the same lines (only the module differs), in turn, ours then theirs. PyTorch runs with
one thread, which is its better choice here. Printed: the smallest time of each, since noise only ever adds, and the ratio
PyTorch / minigrad (above 1: we are faster).

- perceptron: a training step of a two-layer perceptron, batch 64, 32-64-64-1, SGD.
- scalars: 10,000 ops on one number, and backward.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import time
from collections.abc import Callable
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")  # before the libraries load

import numpy as np
import torch

import minigrad


def perceptron(m: Any) -> Callable[[], float]:
    """One training step of the perceptron; returns the loss."""
    rng = np.random.default_rng(0)
    sizes = (32, 64, 64, 1)
    model = m.nn.Sequential(*[layer for a, b in itertools.pairwise(sizes) for layer in (m.nn.Linear(a, b), m.nn.ReLU())][:-1])
    with m.no_grad():
        for parameter in model.parameters():
            parameter.copy_(m.tensor(rng.normal(0, 0.1, tuple(parameter.shape)).astype(np.float32)))
    x = m.tensor(rng.normal(size=(64, 32)).astype(np.float32))
    y = m.tensor(rng.normal(size=(64, 1)).astype(np.float32))
    optimizer = m.optim.SGD(model.parameters(), lr=0.01)

    def step() -> float:
        loss = m.nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def scalars(m: Any) -> Callable[[], float]:
    """x -> 0.999 x + 0.001, 5,000 times: 10,000 ops, and backward; returns the derivative."""

    def step() -> float:
        x = m.tensor(2.0, requires_grad=True)
        y = x
        for _ in range(5000):
            y = y * 0.999 + 0.001
        y.backward()
        return x.grad.item()

    return step


WORKLOADS = {"perceptron": (perceptron, 100), "scalars": (scalars, 1)}


def seconds(step: Callable[[], float], repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        step()
    return (time.perf_counter() - start) / repeats


def measure(name: str, pairs: int) -> dict[str, float]:
    """The smallest time a step takes in each, in seconds; the two must give the same numbers first."""
    make, repeats = WORKLOADS[name]
    ours, theirs = make(minigrad), make(torch)
    for _ in range(3):
        a, b = ours(), theirs()
        if not np.isclose(a, b, rtol=1e-4):
            raise SystemExit(f"{name}: minigrad gives {a}, PyTorch {b}: nothing is timed that is not equal")
    times = [(seconds(ours, repeats), seconds(theirs, repeats)) for _ in range(pairs)]
    best = [min(column) for column in zip(*times, strict=True)]
    return {"minigrad": best[0], "torch": best[1], "ratio": best[1] / best[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=7, help="how often the two are timed in turn (default 7)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    torch.set_num_threads(1)
    results = {name: measure(name, options.pairs) for name in WORKLOADS}
    if options.json:
        print(json.dumps(results))
        return
    print(f"{'':12}{'minigrad':>12}{'PyTorch':>12}{'PyTorch / minigrad':>22}")
    for name, row in results.items():
        print(f"{name:12}{row['minigrad'] * 1e3:9.3f} ms{row['torch'] * 1e3:9.3f} ms{row['ratio']:22.2f}")


if __name__ == "__main__":
    main()
