"""The oracle: the contract's lines, one element of one row at a time.

Elements are NumPy's scalars of the arrays' dtype, and a Python float beside one is rounded to that dtype: so each line rounds
as the contract says.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from minigrad.core.device import Array

Place = tuple[int, ...]


def sgd(x: Array, rows: Array, grads: Array, *, lr: float, maximize: bool) -> None:
    """See the contract."""
    for i, g in _elements(rows, grads, maximize):
        x[i] -= lr * g


def adagrad(x: Array, rows: Array, grads: Array, sums: Array, *, lr: float, eps: float, maximize: bool) -> None:
    """See the contract."""
    for i, g in _elements(rows, grads, maximize):
        sums[i] += g * g
        x[i] -= lr * g / (np.sqrt(sums[i]) + eps)


def adam(
    x: Array, rows: Array, grads: Array, means: Array, squares: Array, *, size: float, beta1: float, beta2: float, eps: float,
    maximize: bool,
) -> None:  # fmt: skip
    """See the contract."""
    for i, g in _elements(rows, grads, maximize):
        means[i] += (1 - beta1) * (g - means[i])
        squares[i] += (1 - beta2) * (g * g - squares[i])
        x[i] -= size * (means[i] / (np.sqrt(squares[i]) + eps))


def _elements(rows: Array, grads: Array, maximize: bool) -> Iterator[tuple[Place, Any]]:
    """Each element's place in the table, and its gradient."""
    for k, row in enumerate(rows):
        for rest in np.ndindex(grads.shape[1:]):
            g = grads[(k, *rest)]
            yield (int(row), *rest), -g if maximize else g
