"""Logits, their sum of powers and what leads among them, a block of columns at a time: the tuned rung for processors.

Why it is faster than ``vectorised.py``: all the logits are never there. A block of 256 columns of them, which stays in the
second-level cache, is multiplied, summed and looked through before the next one. What leads is told by comparing whole vectors
with the last of those that lead so far: nothing is sorted. The weights are packed once for as long as a memo is handed on.
Threads share the classes before the rows, so that each reads a part of the weights only; what each found is put together then.

Where the processor has a matrix unit, float32 is multiplied by it, from pieces: see ``kernels/split.py``.
"""

from __future__ import annotations

import numpy as np

from minigrad.core.device import Array
from minigrad.kernels.leading import loops
from minigrad.kernels.native import grid_for, parts_for
from minigrad.kernels.recurrence import Memo
from minigrad.kernels.recurrent_loops import given, packed, pitch_of
from minigrad.kernels.split import CHUNK, LINE, SIDE, aligned, chunks_of, filled, split, usable


def forward(
    x: Array, w: Array, b: Array | None, count: int, *, without: tuple[int, ...], memo: Memo | None
) -> tuple[Array, Array]:
    """See the contract."""
    (rows, features), total, bias = x.shape, len(w), given(b, len(w), x.dtype)
    across, parts = grid_for(rows * w.size // 8, total // (count + 2 * loops.WIDE), rows)
    found = [np.empty((across, rows, count), kind) for kind in (x.dtype, np.int64)]
    kept = np.empty((across, rows, loops.KEPT), x.dtype)
    left_out = np.array(without or (0,), np.int64), len(without)
    x = np.ascontiguousarray(x)
    pieces = split(memo, "product", w) if features and memo is not None and usable(x) else None
    if pieces is None:
        size = loops.BAND * (loops.WIDE + loops.GAP + pitch_of(features)) + loops.RUNS
        room, panels = np.empty(parts * size, x.dtype), packed(w, True, memo, "product")
        loops.forward(x, panels, bias, *found, kept, *left_out, room, size, rows, features, total, count, across, parts=parts)
    else:
        chunks = chunks_of(features)
        size = loops.BAND * (loops.WIDE + loops.GAP) + loops.BAND // SIDE * chunks * CHUNK + chunks * SIDE + LINE
        room = aligned(parts * size)
        loops.forward_split(
            x, pieces, filled(bias, total), *found, kept, *left_out, room, size, rows, features, total, count, chunks, across,
            parts=parts,
        )  # fmt: skip
    loops.put_together(kept, *found, rows, across, count, -1.0, parts=max(1, min(parts_for(found[0].nbytes), rows)))
    return found[0][0], found[1][0]
