"""The leading classes of a linear layer to be timed: a translator's last layer in a beam search."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minigrad.bench.op import Call, Draw, Op, Results, normal, tensor

# Rows, features, classes.
SHAPES = ((320, 256, 4000), (320, 512, 8000), (5, 256, 4000))
COUNT = 5


def ops() -> Iterator[Op]:
    """Each shape."""
    for rows, features, classes in SHAPES:
        size = 4.0 * (rows * features + classes * (features + 1) + 3 * rows * COUNT)
        yield Op(
            "leading", "forward", f"{COUNT} of {classes}, {rows} rows of {features}", 2.0 * rows * features * classes, size,
            _draw(rows, features, classes), _draw(3, 5, 40), _spot, {"torch": _torch},
            fixed=(1,), brief=(rows, features, classes) == SHAPES[0],
        )  # fmt: skip


def _draw(rows: int, features: int, classes: int) -> Draw:
    """The weights are the same each time, so that a call's memo stays theirs."""

    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        x, b = normal(rng, (rows, features), dtype), normal(rng, (classes,), dtype)
        w = normal(np.random.default_rng(0), (classes, features), dtype)
        return Call((x, w / np.asarray(features**0.5, dtype), b, COUNT), {"without": (0, 2), "memo": {}})

    return draw


def _spot(call: Call, results: Results, rng: np.random.Generator) -> tuple[Call, Results]:
    """One row."""
    x, *rest = call.args
    row = int(rng.integers(len(x)))
    return Call((x[row : row + 1], *rest), call.kwargs | {"memo": {}}), [each[row : row + 1] for each in results]


def _torch(torch: Any, call: Call) -> Callable[[], Any]:
    x, w, b = (tensor(torch, each) for each in call.args[:3])
    without = list(call.kwargs["without"])

    def run() -> Any:
        logits = torch.nn.functional.linear(x, w, b)
        whole = logits.logsumexp(1, keepdim=True)
        logits[:, without] = -torch.inf
        best = logits.topk(COUNT, dim=1)
        return best.values - whole, best.indices

    return run
