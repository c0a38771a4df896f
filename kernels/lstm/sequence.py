"""The whole sequence in one launch, ``sequence.cu``: which of its kernels, whether the chip has room for it, and its arguments.

Why it should be faster than a step at a time: W_hh is read into registers once, where each step's product reads it anew, and
the grid's blocks wait for each other on the chip, where each step has two launches. All blocks must then run at once. Whether
they do is computed: the blocks that share the hidden units, against those that are resident on the device with the kernel's
registers, threads and shared memory. What room is left is filled with more of them, each for a part of the batch. How fast
either way is on a GPU has not been measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from minigrad.core.device import Array, array_module
from minigrad.kernels.cuda import Kernel, Program
from minigrad.kernels.cuda.occupancy import resident
from minigrad.kernels.recurrent_steps import gapless

SEQUENCE = Program("lstm/sequence.cu", cooperative=True)
# As held_weights.cuh and sequence.cu have them.
THREADS, LINES, ROWS, MOST_RUNS = 256, 4, 8, 100
PART = 1024
PACKING = np.dtype([("size", "i4", MOST_RUNS), ("steps", "i4", MOST_RUNS), ("runs", "i4"), ("rows", "i4"), ("up", "i4")])
# For each kernel: how many threads hold a line of the weights, how many numbers each; the shortest lines first.
SHAPES = {
    "forward": ((8, 16), (16, 16), (32, 16), (32, 32)),
    "backward": ((16, 16), (32, 16), (32, 32), (64, 32), (128, 32)),
}


class Plan(NamedTuple):
    """How a sequence is launched."""

    kernel: Kernel
    shared: int  # bytes of a block
    units: int  # that a block does
    parts: int  # of the batch


def instances() -> list[tuple[Program, Any, int, int]]:
    """All that is launched from here: program, kernel and template, threads of a block, bytes of dynamic shared memory."""
    return [(SEQUENCE, (name, *shape), THREADS, _shared(name, *shape)) for name, shapes in SHAPES.items() for shape in shapes]


def plan(name: str, batch_sizes: Sequence[int], like: Array, hidden: int) -> Plan | None:
    """The launch of ``"forward"`` or ``"backward"``; ``None`` where it goes a step at a time.

    That is where there is but one step, for float64, for lines of W_hh that are too long for a group of threads, for a batch of
    more than 100 different sizes of steps, and where the blocks for all units would not all run at once.
    """
    sizes = [size for size in batch_sizes if size]
    if like.dtype != np.float32 or len(sizes) < 2 or len(set(sizes)) > MOST_RUNS:
        return None
    length = hidden if name == "forward" else 4 * hidden
    shape = next((each for each in SHAPES[name] if each[0] * each[1] >= length), None)
    if shape is None:
        return None
    kernel, shared = SEQUENCE[(name, *shape)], _shared(name, *shape)
    units = THREADS // shape[0] * (1 if name == "forward" else LINES)
    parts = min(-(-sizes[0] // ROWS), resident(kernel, like, THREADS, shared) // -(-hidden // units))
    return Plan(kernel, shared, units, parts) if parts else None


def forward(
    planned: Plan, batch_sizes: Sequence[int], reverse: bool, gates: Array, h: Array, cells: Array, h0: Array, c0: Array,
    w_hh: Array, keep: bool,
) -> None:  # fmt: skip
    """Make h and cells, and of the sums in ``gates`` the gates where they shall be kept."""
    hidden = h0.shape[1]
    wide = hidden % 4 == 0 and h0.data.ptr % 16 == 0
    packing = packing_of(tuple(batch_sizes), not reverse)
    _launch(planned, hidden, gates, h, cells, h0, c0, gapless(w_hh), packing, hidden, keep, wide)


def backward(
    planned: Plan, batch_sizes: Sequence[int], reverse: bool, gates: Array, cells: Array, c0: Array, dy: Array | None,
    dh: Array, dc: Array, da: Array, w_hh: Array,
) -> None:  # fmt: skip
    """Make da, and of dh and dc those of the first states."""
    hidden = c0.shape[1]
    packing = packing_of(tuple(batch_sizes), reverse)
    _launch(planned, hidden, gates, cells, c0, dy, dh, dc, da, gapless(w_hh), packing, hidden)


@lru_cache(maxsize=64)
def packing_of(batch_sizes: tuple[int, ...], up: bool) -> np.ndarray:
    """The steps of a walk as the kernels take them: ``Packing`` of held_weights.cuh, an array of one record.

    Args:
        up: from the first step to the last; else from the last to the first.

    Example:
        >>> found = packing_of((3, 3, 1, 0), up=False)
        >>> found["size"][0, :2], found["steps"][0, :2], found["runs"], found["rows"]
        (array([1, 3], dtype=int32), array([1, 2], dtype=int32), array([2], dtype=int32), array([7], dtype=int32))
    """
    runs = [(size, len(list(steps))) for size, steps in groupby(size for size in batch_sizes if size)]
    packing = np.zeros(1, PACKING)
    for place, (size, steps) in enumerate(runs if up else reversed(runs)):
        packing["size"][0, place], packing["steps"][0, place] = size, steps
    packing["runs"], packing["rows"], packing["up"] = len(runs), sum(batch_sizes), up
    return packing


def _launch(planned: Plan, hidden: int, *arguments: Any) -> None:
    arrived = array_module(arguments[0]).zeros(1, np.uint32)
    work, tile = (hidden, planned.parts), (planned.units, 1)
    planned.kernel(*arguments, arrived, work=work, tile=tile, block=THREADS, shared=planned.shared)


def _shared(name: str, lanes: int, columns: int) -> int:
    """Bytes of eight rows, on the way back of 1024 numbers each at most, and of a group's sums with one place more for each."""
    length, parts = lanes * columns, max(1, lanes // 32)
    return 4 * (ROWS * (min(length, PART) if name == "backward" else length) + parts * LINES * ROWS * (THREADS // lanes + 1))
