"""All steps in one call, on the micro-kernel: the tuned rung for processors.

Why it is faster than ``vectorised.py``: W_hh is packed once for all steps; a thread takes every second sequence through all
steps by itself, so that no thread ever waits for another; the sums of a step are still in the cache when they become gates,
and these are made by vector code over all units, five functions in as many runs over a row. Nothing is allocated in between,
and nothing is called from Python. The input's product is that of ``matmul``, for all steps at once, straight into the memory
where the gates will stand; for a single step, where W_ih would be packed anew each time, it is done here with the packed
weights of the memo. A single step that is not recorded is one product with both, kept side by side: see ``kernels/kept.py``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minigrad.core.device import Array
from minigrad.kernels.kept import kept_product
from minigrad.kernels.lstm import loops
from minigrad.kernels.native import parts_for
from minigrad.kernels.products import product, product_into
from minigrad.kernels.recurrence import Memo
from minigrad.kernels.recurrence import arithmetic as arithmetic
from minigrad.kernels.recurrent_loops import inside, packed, pitch_of, plan_of, shares, sum_of, weight_gradients


def forward(
    x: Array,
    batch_sizes: Sequence[int],
    h0: Array,
    c0: Array,
    w_ih: Array,
    w_hh: Array,
    b_ih: Array | None,
    b_hh: Array | None,
    *,
    reverse: bool,
    save: bool,
    memo: Memo | None,
    index: Array | None,
) -> tuple[Array, Array, Array | None]:
    """See the contract."""
    rows, hidden = len(x) if index is None else len(index), h0.shape[1]
    if not save and memo is not None and index is None and len(batch_sizes) == 1:
        return *_one_step(x, h0, c0, w_ih, w_hh, sum_of(b_ih, b_hh, 4 * hidden, x.dtype), memo), None
    h, c, gates = (np.empty((rows, size), x.dtype) for size in (hidden, hidden, 4 * hidden))
    here = index is None and inside(batch_sizes, memo)
    table = None if index is None else product(x, w_ih.T)
    if index is None and not here:
        product_into(x, w_ih.T, gates)
    bounds, parts, most = shares(batch_sizes, w_hh.size + w_ih.size * here)
    room_size = most * (pitch_of(hidden) + pitch_of(4 * hidden) + pitch_of(x.shape[1]) * here)
    loops.forward(
        gates, sum_of(b_ih, b_hh, 4 * hidden, x.dtype), packed(w_hh, True, memo, "w_hh forward"), h, c,
        np.ascontiguousarray(h0), np.ascontiguousarray(c0), np.empty(parts * room_size, x.dtype), room_size, bounds,
        most, plan_of(tuple(batch_sizes), reverse), len(batch_sizes), hidden, np.ascontiguousarray(x) if here else None,
        packed(w_ih, True, memo, "w_ih forward") if here else None, x.shape[1] if here else -1, table,
        None if index is None else np.ascontiguousarray(index), int(index is not None), parts=parts,
    )  # fmt: skip
    return h, c, gates if save else None


def _one_step(x: Array, h0: Array, c0: Array, w_ih: Array, w_hh: Array, bias: Array, memo: Memo) -> tuple[Array, Array]:
    """h' and c' of a single step that is not recorded."""
    rows, hidden = h0.shape
    gates = kept_product(memo, "step", (w_ih, w_hh), bias, x, h0)
    h, c = (np.empty((rows, hidden), x.dtype) for _ in range(2))
    pitch = gates.strides[0] // gates.itemsize
    loops.step(gates, np.ascontiguousarray(c0), c, h, rows, pitch, hidden, parts=min(parts_for(gates.nbytes), max(rows, 1)))
    return h, c


def backward(
    dy: Array | None,
    dh: Array | None,
    dc: Array | None,
    batch_sizes: Sequence[int],
    c0: Array,
    w_ih: Array,
    w_hh: Array,
    cells: Array,
    gates: Array,
    *,
    reverse: bool,
    input_wanted: bool,
    memo: Memo | None,
) -> tuple[Array, Array, Array, Array | None]:
    """See the contract."""
    hidden, kind = c0.shape[1], gates.dtype
    da = np.empty(gates.shape, kind)
    dh = np.zeros(c0.shape, kind) if dh is None else np.array(dh, order="C")
    dc = np.zeros(c0.shape, kind) if dc is None else np.array(dc, order="C")
    here = input_wanted and inside(batch_sizes, memo)
    dx = np.empty((len(da), w_ih.shape[1]), kind) if here else None
    bounds, parts, most = shares(batch_sizes, w_hh.size + w_ih.size * here)
    room_size = hidden + most * pitch_of(4 * hidden)
    loops.backward(
        np.ascontiguousarray(gates), np.ascontiguousarray(cells), np.ascontiguousarray(c0),
        None if dy is None else np.ascontiguousarray(dy), dh, dc, da, packed(w_hh, False, memo, "w_hh backward"),
        np.zeros(max(hidden, w_ih.shape[1]), kind), np.empty(parts * room_size, kind), room_size, bounds,
        plan_of(tuple(batch_sizes), reverse), len(batch_sizes), hidden, int(dy is not None), dx,
        packed(w_ih, False, memo, "w_ih backward") if here else None, w_ih.shape[1] if here else -1, parts=parts,
    )  # fmt: skip
    if input_wanted and not here:
        dx = product(da, w_ih)
    return da, dh, dc, dx


def grad_weights(
    da: Array, x: Array, h: Array, *, input_wanted: bool, state_wanted: bool
) -> tuple[Array | None, Array | None, Array]:
    """See the contract."""
    found = weight_gradients(da, x if input_wanted else x[:, :0], h if state_wanted else h[:, :0])
    return found[0] if input_wanted else None, found[1] if state_wanted else None, found[2]
