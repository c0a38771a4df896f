"""What the laboratory calls the elementwise kernels with; see :mod:`minigrad.kernels.cases`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from minigrad.kernels.cases import Case, drawn
from minigrad.kernels.elementwise import FUNCTIONS

SHAPES = ((3, 37), (2, 3, 5, 4), (), (0, 2), (1,))


def cases() -> Iterator[Case]:
    """Each function over all shapes."""
    for function in FUNCTIONS:
        for seed, shape in enumerate(SHAPES):
            x, y = (np.asarray(each) for each in drawn(shape, shape, seed=seed))
            yield Case(function, f"shape {shape}", (x, y))
