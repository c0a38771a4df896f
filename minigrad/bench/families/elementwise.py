"""Sums and products of large arrays to be timed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minigrad.bench.op import Call, Draw, Op, normal, rows_of, tensor

ROWS = ((128, 65536), (128, 16384), (128, 2048))  # 32, 8 and 1 MB in float32
BRIEF = (*ROWS[0], "add")
MOVED = {"add": 3, "multiply": 3, "accumulate": 3}


def ops() -> Iterator[Op]:
    """Each function at each size."""
    for rows, size in ROWS:
        for function, moved in MOVED.items():
            yield Op(
                "elementwise", function, f"{rows} x {size}", 0.0, moved * 4.0 * rows * size, _two(rows, size), _two(5, 7),
                rows_of((0, 1)), {} if function == "accumulate" else {"torch": _torch(function)},
                brief=(rows, size, function) == BRIEF,
            )  # fmt: skip


def _two(rows: int, size: int) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        return Call((normal(rng, (rows, size), dtype), normal(rng, (rows, size), dtype)))

    return draw


def _torch(function: str) -> Callable[[Any, Call], Callable[[], Any]]:
    def peer(torch: Any, call: Call) -> Callable[[], Any]:
        x, y = (tensor(torch, each) for each in call.args)
        return (lambda: torch.add(x, y)) if function == "add" else (lambda: torch.mul(x, y))

    return peer
