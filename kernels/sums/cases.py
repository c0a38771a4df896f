"""What the laboratory calls the sums with; see :mod:`minigrad.kernels.cases`."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from minigrad.kernels.cases import Case, drawn

SHAPES = ((3, 37), (2, 3, 5, 4), (7,), (1, 4, 1), (0, 2), (150, 3), (2, 40, 17), (2, 600))


def cases() -> Iterator[Case]:
    """All choices of axes of all shapes, two memory orders, and sums in which all but a little goes away."""
    for seed, shape in enumerate(SHAPES):
        (x,) = drawn(shape, seed=seed)
        for count in range(1, len(shape) + 1):
            for axes in itertools.combinations(range(len(shape)), count):
                yield Case("total", f"{shape} over {axes}", (x, axes))
                if len(shape) > 2:
                    turned = np.ascontiguousarray(x.swapaxes(1, -1)).swapaxes(1, -1)
                    yield Case("total", f"{shape} over {axes}, in another order of memory", (turned, axes))
    (x,) = drawn((5, 99), seed=9)
    yield Case("total", "large numbers that cancel", (np.concatenate([x * 1e6, -x * 1e6, x], axis=1), (1,)))
