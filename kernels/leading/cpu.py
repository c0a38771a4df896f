"""Logits, their sum of powers and what leads among them, a block of columns at a time: the tuned rung for processors.

Why it is faster than ``vectorised.py``: all the logits are never there. A block of 256 columns of them, which stays in the
second-level cache, is multiplied, summed and looked through before the next one. What leads is told by comparing whole vectors
with the last of those that lead so far: nothing is sorted. The weights are packed once for as long as a memo is handed on.

Where the processor has a matrix unit, float32 is multiplied by it, from pieces: see ``kernels/split.py``.
"""

from __future__ import annotations

import numpy as np

from minigrad.core.device import Array
from minigrad.kernels.leading import loops
from minigrad.kernels.native import parts_for
from minigrad.kernels.recurrence import Memo
from minigrad.kernels.recurrent_loops import given, packed, pitch_of
from minigrad.kernels.split import SIDE, WORDS, aligned, chunks_of, lines_of, split, usable


def forward(
    x: Array, w: Array, b: Array | None, count: int, *, without: tuple[int, ...], memo: Memo | None
) -> tuple[Array, Array]:
    """See the contract."""
    (rows, features), total = x.shape, len(w)
    values, classes = np.empty((rows, count), x.dtype), np.empty((rows, count), np.int64)
    parts = max(1, min(parts_for(rows * w.size // 8), rows))
    kept = loops.BAND * (loops.KEPT + loops.WIDE + loops.GAP) + loops.RUNS
    shared = given(b, total, x.dtype), values, classes, np.array(without or (0,), np.int64), len(without)
    x = np.ascontiguousarray(x)
    pieces = split(memo, "head", w) if features and memo is not None and usable(x) else None
    if pieces is None:
        size = kept + loops.BAND * pitch_of(features)
        room, panels = np.empty(parts * size, x.dtype), packed(w, True, memo, "head")
        loops.forward(x, panels, *shared, room, size, rows, features, total, count, -1.0, parts=parts)
    else:
        chunks = chunks_of(features)
        size = -(-(kept + loops.BAND * chunks * WORDS + lines_of(chunks)) // SIDE) * SIDE
        loops.forward_split(
            x, pieces, *shared, aligned(parts * size), size, rows, features, total, count, chunks, -1.0, parts=parts
        )
    return values, classes
