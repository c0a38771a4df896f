"""Rows of a table to be looked up, and summed into."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minigrad.bench.op import Call, Draw, Op, Results, normal, tensor

SHAPES = ((8000, 256, 1024), (65, 128, 2500), (50000, 256, 4096))  # V rows of D numbers, K of them named
BRIEF = SHAPES[0]


def ops() -> Iterator[Op]:
    """Both ways at each shape."""
    for v, d, k in SHAPES:
        shape, brief = f"{k} of {v} x {d}", (v, d, k) == BRIEF
        small = (min(v, 50), d, 20)
        gathered, scattered = 4.0 * (2 * k * d + 2 * k), 4.0 * (k * d + 2 * k + v * d)
        yield Op(
            "embedding", "gather", shape, 0.0, gathered, _gather(v, d, k), _gather(*small), _gather_spot,
            {"torch": _torch_gather}, brief=brief,
        )  # fmt: skip
        yield Op(
            "embedding", "scatter", shape, 0.0, scattered, _scatter(v, d, k), _scatter(*small), _scatter_spot,
            {"torch": _torch_scatter}, brief=brief,
        )  # fmt: skip


def _gather(v: int, d: int, k: int) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        return Call((normal(rng, (v, d), dtype), rng.integers(0, v, k)))

    return draw


def _scatter(v: int, d: int, k: int) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        return Call((normal(rng, (k, d), dtype), rng.integers(0, v, k), v, None))

    return draw


def _gather_spot(call: Call, results: Results, rng: np.random.Generator) -> tuple[Call, Results]:
    """A few of the rows that were named."""
    w, index = call.args
    first = int(rng.integers(len(index)))
    return Call((w, index[first : first + 9])), [results[0][first : first + 9]]


def _scatter_spot(call: Call, results: Results, rng: np.random.Generator) -> tuple[Call, Results]:
    """All terms of one row that was named, and a row beside it, which may have none."""
    dy, index, rows, factor = call.args
    first = min(int(index[int(rng.integers(len(index)))]), rows - 2)
    mine = (index == first) | (index == first + 1)
    return Call((dy[mine], index[mine] - first, 2, factor)), [results[0][first : first + 2]]


def _torch_gather(torch: Any, call: Call) -> Callable[[], Any]:
    w, index = (tensor(torch, each) for each in call.args)
    return lambda: torch.nn.functional.embedding(index, w)


def _torch_scatter(torch: Any, call: Call) -> Callable[[], Any]:
    dy, index = (tensor(torch, each) for each in call.args[:2])
    return lambda: torch.ops.aten.embedding_dense_backward(dy, index, call.args[2], -1, False)
