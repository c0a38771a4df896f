"""What the laboratory calls the activation functions with; see :mod:`minigrad.kernels.cases`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from minigrad.kernels.activation import NUMBERS, SAVES
from minigrad.kernels.cases import Case, Identity, Result, derivative, drawn

SHAPES = ((3, 37), (2, 3, 5, 4), (), (0, 2), (1,))
WAYS: dict[str, tuple[tuple[float, ...], ...]] = {
    **{kind: ((),) for kind, names in NUMBERS.items() if not names},
    "hardtanh": ((0.0, 6.0), (-1.0, 0.5), (2.0, 2.0)),
    "leaky_relu": ((0.2,), (-1.5,)),
    "elu": ((1.0, 1.0, 1.0), (1.7, 1.1, 1.0), (2.0, 1.0, 0.5)),
    "softplus": ((1.0, 20.0), (2.0, 0.5)),
}
EDGES = np.array([0.0, -0.0, 1e-30, -1e-30, 1e-3, -1e-3, 9.0, -9.0, 20.0, -20.0, 87.0, -87.0, 120.0, -120.0, 800.0, -800.0])


def cases() -> Iterator[Case]:
    """Each kind in each of its ways, over all shapes, and over numbers at which exponentials saturate; and the gate."""
    for kind, ways in WAYS.items():
        for way, numbers in enumerate(ways):
            for seed, shape in enumerate(SHAPES if way == 0 else SHAPES[:1]):
                x, dy = (np.asarray(each) for each in drawn(shape, shape, seed=seed, scale=2.0))
                yield from _both(kind, f"{kind} {numbers or ''} of shape {shape}", x, dy, numbers)
            yield from _both(kind, f"{kind} {numbers or ''} at its ends", EDGES, np.ones_like(EDGES), numbers)
    for seed, shape in enumerate(SHAPES):
        x, drawn_mask = (np.asarray(each) for each in drawn(shape, shape, seed=seed))
        yield Case("gate", f"shape {shape}", (x, np.asarray(drawn_mask > 0), 2.0 if seed else 1.0))


def _both(kind: str, name: str, x: np.ndarray, dy: np.ndarray, numbers: tuple[float, ...]) -> Iterator[Case]:
    forward = Case("forward", name, (x, kind, *numbers))
    yield forward
    saved: Any = x if SAVES[kind] == "input" else Result(forward)
    yield Case("backward", name, (dy, saved, kind, *numbers))


def identities(run: Any, dtype: np.dtype) -> Iterator[Identity]:
    """backward is the derivative of forward, tried along a direction in float64."""
    if dtype != np.float64:
        return
    for kind, ways in WAYS.items():
        numbers = ways[-1]
        (x, dy) = drawn((4, 9), (4, 9), seed=3)

        def value(x: np.ndarray, kind: str = kind, numbers: tuple[float, ...] = numbers, dy: np.ndarray = dy) -> float:
            return float((run.forward(x, kind, *numbers) * dy).sum())

        saved = x if SAVES[kind] == "input" else run.forward(x, kind, *numbers)
        gradient = run.backward(dy, saved, kind, *numbers)
        yield derivative("backward", f"{kind} {numbers or ''}", value, x, gradient)
