"""What the laboratory calls the products with; see :mod:`minigrad.kernels.cases`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from minigrad.kernels.cases import Case, drawn

# M, K, N: a rest in every tile and vector, one row or column, more than one block of terms, of rows and of columns.
SIZES = (
    (1, 1, 1), (7, 17, 33), (6, 16, 16), (15, 9, 8), (1, 40, 37), (40, 37, 1), (33, 1, 70), (13, 400, 5), (300, 5, 3),
    (3, 5, 1100), (0, 3, 4), (3, 0, 4), (3, 4, 0), (0, 0, 0),
)  # fmt: skip
BATCHES: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = (
    ((5, 3, 4), (5, 4, 7)), ((2, 3, 2, 5), (5, 9)), ((6, 5), (4, 5, 2)), ((2, 1, 3, 4), (1, 3, 4, 2)), ((0, 2, 3), (3, 2)),
    ((2, 0, 3), (1, 3, 5)), ((7, 16, 20), (7, 20, 1)), ((7, 1, 20), (7, 20, 16)),
)  # fmt: skip


def cases() -> Iterator[Case]:
    """All sizes, batches that broadcast, the bias and the ReLU, transposes, and sums in which all but a little goes away."""
    pairs = [((m, k), (k, n)) for m, k, n in SIZES] + list(BATCHES)
    for seed, (of_a, of_b) in enumerate(pairs):
        a, b, bias = drawn(of_a, of_b, of_b[-1:], seed=seed)
        out = np.zeros((*np.broadcast_shapes(of_a[:-2], of_b[:-2]), of_a[-2], of_b[-1]))
        with_bias, relu = seed % 2 == 1, seed % 3 == 1
        words = f"{of_a} by {of_b}{', bias' * with_bias}{', ReLU' * relu}"
        yield Case("product", words, (a, b, bias if with_bias else None), {"relu": relu})
        yield Case("product_into", words, (a, b, out, bias if with_bias else None), {"relu": relu})
    a, b, bias = drawn((20, 30), (40, 30), (40,), seed=50)
    yield Case("product", "(20, 30) by a transpose", (a, b.T, bias), {"relu": True})
    yield Case("product", "a transpose by (20, 30)", (a.T, a, None), {"relu": False})
    yield Case("product", "a matrix by its transpose", (a, a.T, None), {"relu": False})
    a, b = np.concatenate([a * 1e6, a * 1e6, a], axis=1), np.concatenate([b, -b, b], axis=1).T
    yield Case("product", "large numbers that cancel", (a, b, bias), {"relu": False})
