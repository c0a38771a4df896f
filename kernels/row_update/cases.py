"""What the laboratory calls the updates of rows with; see :mod:`minigrad.kernels.cases`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from minigrad.kernels.cases import Case, drawn

# The table's shape, and which rows are named.
TABLES: tuple[tuple[tuple[int, ...], list[int]], ...] = (
    ((9, 17), [0, 3, 4, 8]),
    ((5, 33), [2]),
    ((6, 2, 5), [1, 2, 5]),
    ((40, 8), list(range(0, 40, 3))),
    ((7,), [0, 6]),
    ((4, 3), []),
    ((3, 0), [1]),
    ((0, 3), []),
)
ADAM = {"size": 0.1, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8}


def cases() -> Iterator[Case]:
    """Each table and each optimiser, down and up."""
    for number, (shape, named) in enumerate(TABLES):
        x, first, second, g = drawn(shape, shape, shape, (len(named), *shape[1:]), seed=number)
        rows, uphill = np.array(named, np.int64), number % 2 == 1
        words: dict[str, Any] = {"maximize": uphill}
        about = f"{len(named)} rows of {shape}{', uphill' if uphill else ''}"
        yield Case("sgd", about, (x, rows, g), {"lr": 0.1, **words})
        yield Case("adagrad", about, (x, rows, g, abs(first)), {"lr": 0.1, "eps": 1e-10, **words})
        yield Case("adam", about, (x, rows, g, first, abs(second)), {**ADAM, **words})
