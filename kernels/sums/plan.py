"""How a sum over some axes is made of sums over the middle one of three: (outer, count, inner), in the order of memory."""

from __future__ import annotations

import functools
import math
from typing import NamedTuple


class Plan(NamedTuple):
    """The sums (outer, count, inner), one after another; the shape that is left; the order of its axes, if another."""

    sums: tuple[tuple[int, int, int], ...]
    shape: tuple[int, ...]
    order: tuple[int, ...] | None


@functools.lru_cache(1024)  # to find it takes longer than to sum a small array
def plan(shape: tuple[int, ...], strides: tuple[int, ...], itemsize: int, axes: tuple[int, ...]) -> Plan | None:
    """How arrays of this shape and layout are summed; ``None`` for those with gaps, and those without elements.

    Example:
        >>> plan((2, 3, 4), (48, 16, 4), 4, (0, 2))
        Plan(sums=((6, 4, 1), (1, 2, 3)), shape=(3,), order=None)
    """
    order = sorted(range(len(shape)), key=lambda axis: -strides[axis])
    pitch = itemsize
    for axis in reversed(order):
        if shape[axis] == 0 or (shape[axis] > 1 and strides[axis] != pitch):
            return None
        pitch *= shape[axis]
    sizes: list[int] = []  # of neighbours in memory that are all summed or all kept, joined
    summed: list[bool] = []
    for axis in order:
        if summed and summed[-1] == (axis in axes):
            sizes[-1] *= shape[axis]
        else:
            sizes.append(shape[axis])
            summed.append(axis in axes)
    sums = []
    for place in reversed(range(len(sizes))):
        if summed[place]:
            sums.append((math.prod(sizes[:place]), sizes[place], math.prod(sizes[place + 1 :])))
            sizes[place] = 1
    kept = [axis for axis in order if axis not in axes]
    back = None if kept == sorted(kept) else tuple(sorted(range(len(kept)), key=kept.__getitem__))
    return Plan(tuple(sums), tuple([shape[axis] for axis in kept]), back)
