"""Weights and batches from NumPy, so that every library gets the same."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minigrad.bench.workload import INPUT_SETS

Draw = Callable[[np.random.Generator], tuple[np.ndarray, ...]]


def fill(m: Any, seed: int, *modules: Any) -> None:
    """Give each weight numbers from a normal distribution of variance 1 / fan-in; scales of norms stay 1.

    Args:
        m: ``minigrad``, ``torch``, or what has their names; with ``lay_out``, modules are given to it first.
        modules: whose parameters are filled, in their order.
    """
    rng = np.random.default_rng(seed)
    lay_out = getattr(m, "lay_out", None)
    with m.no_grad():
        for module in modules:
            if lay_out is not None:
                lay_out(module)
            for name, parameter in module.named_parameters():
                shape = tuple(parameter.shape)
                if len(shape) == 1 and name.endswith("weight"):
                    continue
                deviation = 1 / math.sqrt(math.prod(shape[1:]) if len(shape) > 1 else 16 * shape[0])
                parameter.copy_(m.tensor(rng.normal(0, deviation, shape).astype(np.float32)))


def arrays(seed: int, draw: Draw) -> Iterator[tuple[np.ndarray, ...]]:
    """``INPUT_SETS`` batches, again and again.

    Args:
        draw: takes a generator and gives the arrays of one batch.
    """
    rng = np.random.default_rng(seed)
    return itertools.cycle([draw(rng) for _ in range(INPUT_SETS)])


def batches(m: Any, seed: int, draw: Draw) -> Iterator[tuple[Any, ...]]:
    """The same as Tensors of ``m``, made once."""
    made = [tuple([m.tensor(array) for array in batch]) for batch in itertools.islice(arrays(seed, draw), INPUT_SETS)]
    return itertools.cycle(made)


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """float32 from the standard normal distribution."""
    return rng.standard_normal(shape, dtype=np.float32)
