"""What the laboratory calls this family with; see :mod:`minigrad.kernels.cases`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from minigrad.kernels.cases import Case, drawn

# Rows, features, classes, K: a rest in every vector, run, panel and block; more than one of each; all classes; nothing.
SIZES = (
    (3, 7, 33, 5),
    (1, 1, 1, 1),
    (17, 5, 300, 3),
    (2, 40, 9, 9),
    (40, 3, 17, 1),
    (0, 4, 6, 2),
    (2, 0, 5, 3),
    (5, 33, 64, 40),
)


def cases() -> Iterator[Case]:
    """All sizes, with bias and without; classes left out, more than there are others; equal ones; logits of any size."""
    for number, (rows, features, classes, count) in enumerate(SIZES):
        x, w, b = drawn((rows, features), (classes, features), (classes,), seed=number)
        words = f"{count} of {classes} classes, {rows} rows of {features}"
        bias, without = (b, (0, classes - 1)) if number % 2 else (None, ())
        yield Case("forward", words, (x, w, bias, count), {"without": without, "memo": None}, not_finite=(0, 1))
    x, w, b = drawn((4, 6), (50, 6), (50,), seed=20)
    some = tuple(range(2, 50))
    yield Case("forward", "more asked for than are left", (x, w, b, 4), {"without": some, "memo": None}, not_finite=(0,))
    for name, weights, bias in (
        ("equal classes", np.repeat(w[:10], 5, 0), np.zeros(50)),
        ("a class of no chance", w, np.where(np.arange(50) % 3 == 1, -np.inf, b)),
        ("classes of no chance alone", w, np.full(50, -np.inf)),
        ("large logits", w * 1e3, b),
    ):
        yield Case("forward", name, (x, weights, bias, 7), {"without": (1, 2), "memo": None}, not_finite=(0,))
