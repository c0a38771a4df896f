"""What the laboratory calls normalization with; see :mod:`minigrad.kernels.cases`.

Infinity comes in x and the residual alone: w·r is one number in some implementations, and w·(x − mean)·r is not
w·r·x − w·r·mean where a factor is infinite, nor is a sum of gradients one of infinities.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from minigrad.kernels.cases import Case, Identity, Result, derivative, drawn, inner

# Shape of x, number of groups, and whether each sample is by itself.
WAYS = (
    ((3, 5, 4, 7), 5, False), ((2, 33, 3, 3), 33, False), ((9, 17), 17, False), ((2, 6, 5, 3), 3, True),
    ((2, 4, 3, 2), 4, True), ((2, 8, 3), 1, True), ((2, 2, 3, 2, 5), 2, False), ((4, 3, 1, 1), 3, False),
    ((2, 16, 9, 8), 16, False), ((2, 300, 2, 1), 300, False), ((2, 260, 2, 2), 2, True), ((1, 8, 8, 9), 4, True),
    ((0, 4, 3, 3), 4, False), ((0, 4, 3, 3), 2, True),
)  # fmt: skip
ROWS = ((5, 33), (7, 1), (3, 200), (1, 16), (2, 1000), (0, 5))


def cases() -> Iterator[Case]:
    """Batch, instance and group norm with and without scale, shift, residual and rectifier; rows; values far from 0."""
    for number, (shape, groups, own) in enumerate(WAYS):
        x, dy, residual, w, b = drawn(shape, shape, shape, shape[1:2], shape[1:2], seed=number)
        about = f"shape {shape}, {groups} group{'s' * (groups > 1)}{', each sample by itself' if own else ''}"
        yield from _both(about, x, dy, residual, w, b, groups, own, plain=number % 3 == 1)
    x, dy, residual, w, b = drawn((8, 3, 4, 5), (8, 3, 4, 5), (8, 3, 4, 5), (3,), (3,), seed=30)
    yield from _both("mean 10,000", x + 1e4, dy, residual, w, b, 3, False, plain=False)
    for number, shape in enumerate(ROWS):
        x, dy, w, b = drawn(shape, shape, shape[1:], shape[1:], seed=number)
        for scaled in (True, False):
            name = f"shape {shape}{'' if scaled else ', no scale and shift'}"
            forward = Case(
                "layer_forward", name, (x, w if scaled else None, b if scaled else None), {"eps": 1e-5}, not_finite=(0,)
            )
            yield forward
            found = Result(forward, 1), Result(forward, 2)
            yield Case("layer_backward", name, (dy, x, *found, w if scaled else None), {"eps": 1e-5}, infinity=False)


def _both(
    name: str, x: np.ndarray, dy: np.ndarray, residual: np.ndarray, w: Any, b: Any, groups: int, own: bool, *, plain: bool
) -> Iterator[Case]:
    statistics = Case("statistics", name, (x, groups), {"own": own})
    yield statistics
    found, scale = (Result(statistics, 0), Result(statistics, 1)), (None, None) if plain else (w, b)
    yield Case(
        "normalize", f"{name}, all there is", (x, *found, w, b, residual), {"eps": 1e-3, "relu": False}, not_finite=(0, 5)
    )
    for relu in (False, True):
        about = f"{name}{', relu' if relu else ''}{', no scale and shift' if plain else ''}"
        yield Case("normalize", about, (x, *found, *scale, None), {"eps": 1e-5, "relu": relu}, not_finite=(0,))
        yield Case("gradients", about, (dy, x, *found, *scale), {"eps": 1e-5, "relu": relu}, infinity=False)
    forward = Case(
        "normalize", f"{name}, residual, relu", (x, *found, *scale, residual), {"eps": 1e-5, "relu": True}, not_finite=(0, 5)
    )
    yield forward
    yield Case("residual_gradients", name, (dy, Result(forward), x, *found, scale[0]), {"eps": 1e-5}, infinity=False)


def identities(run: Any, dtype: np.dtype) -> Iterator[Identity]:
    """The gradients to x, by differences in float64; the statistics move with x."""
    if dtype != np.float64:
        return
    x, dy, w, b = drawn((4, 6, 3, 2), (4, 6, 3, 2), (6,), (6,), seed=40)
    for groups, own in ((6, False), (2, True)):

        def value(x: np.ndarray, groups: int = groups, own: bool = own) -> float:
            mean, var = run.statistics(x, groups, own=own)
            return inner(run.normalize(x, mean, var, w, b, None, eps=1e-5, relu=False), dy)

        mean, var = run.statistics(x, groups, own=own)
        dx, dw, db = run.gradients(dy, x, mean, var, w, b, eps=1e-5, relu=False)
        yield derivative("gradients", f"{groups} groups", value, x, dx)
        y = run.normalize(x, mean, var, w, b, None, eps=1e-5, relu=False)
        size = float(abs(y * dy).sum())
        yield Identity(
            "gradients",
            f"⟨y, dy⟩ = ⟨w, dw⟩ + ⟨b, db⟩, {groups} groups",
            inner(y, dy),
            inner(w, dw) + inner(b, db),
            1e-12 * size,
        )
    rows, d_rows, w, b = drawn((5, 7), (5, 7), (7,), (7,), seed=41)
    _, mean, var = run.layer_forward(rows, w, b, eps=1e-5)
    dx, _, _ = run.layer_backward(d_rows, rows, mean, var, w, eps=1e-5)
    yield derivative("layer_backward", "rows", lambda x: inner(run.layer_forward(x, w, b, eps=1e-5)[0], d_rows), rows, dx)
