"""All steps in one call, on the micro-kernel: the tuned rung for processors.

Why it is faster than ``vectorised.py``: W_hh is packed once for all steps, each thread takes its share of the sequences through
all steps by itself, and the sums of a step are still in the cache when vector code makes gates of them. See
``minigrad.kernels.lstm.cpu``, which is built alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minigrad.core.device import Array
from minigrad.kernels.gru import loops
from minigrad.kernels.products import product, product_into
from minigrad.kernels.recurrence import Memo
from minigrad.kernels.recurrence import arithmetic as arithmetic
from minigrad.kernels.recurrent_loops import add_weight_gradients, given, inside, packed, pitch_of, plan_of, shares


def forward(
    x: Array,
    batch_sizes: Sequence[int],
    h0: Array,
    w_ih: Array,
    w_hh: Array,
    b_ih: Array | None,
    b_hh: Array | None,
    *,
    reverse: bool,
    save: bool,
    memo: Memo | None,
    index: Array | None,
) -> tuple[Array, Array | None]:
    """See the contract."""
    rows, hidden = len(x) if index is None else len(index), h0.shape[1]
    h, gates = np.empty((rows, hidden), x.dtype), np.empty((rows, 4 * hidden), x.dtype)
    here = index is None and inside(batch_sizes, memo)
    table = None if index is None else product(x, w_ih.T)
    if index is None and not here:
        product_into(x, w_ih.T, gates[:, : 3 * hidden])
    bounds, parts, most = shares(batch_sizes, w_hh.size + w_ih.size * here)
    room_size = most * (pitch_of(hidden) + pitch_of(3 * hidden) * (1 + here) + pitch_of(x.shape[1]) * here)
    loops.forward(
        gates, given(b_ih, 3 * hidden, x.dtype), given(b_hh, 3 * hidden, x.dtype), packed(w_hh, True, memo, "w_hh forward"), h,
        np.ascontiguousarray(h0), np.empty(parts * room_size, x.dtype), room_size, bounds, most,
        plan_of(tuple(batch_sizes), reverse), len(batch_sizes), hidden, np.ascontiguousarray(x) if here else None,
        packed(w_ih, True, memo, "w_ih forward") if here else None, x.shape[1] if here else -1, table,
        None if index is None else np.ascontiguousarray(index), int(index is not None), parts=parts,
    )  # fmt: skip
    return h, gates if save else None


def backward(
    dy: Array | None,
    dh: Array | None,
    batch_sizes: Sequence[int],
    h0: Array,
    w_ih: Array,
    w_hh: Array,
    y: Array,
    gates: Array,
    *,
    reverse: bool,
    input_wanted: bool,
    memo: Memo | None,
) -> tuple[Array, Array, Array | None]:
    """See the contract."""
    hidden, kind = h0.shape[1], gates.dtype
    da = np.empty(gates.shape, kind)
    dh = np.zeros(h0.shape, kind) if dh is None else np.array(dh, order="C")
    here = input_wanted and inside(batch_sizes, memo)
    dx = np.empty((len(da), w_ih.shape[1]), kind) if here else None
    bounds, parts, most = shares(batch_sizes, w_hh.size + w_ih.size * here)
    room_size = most * pitch_of(4 * hidden)
    loops.backward(
        np.ascontiguousarray(gates), np.ascontiguousarray(y), np.ascontiguousarray(h0),
        None if dy is None else np.ascontiguousarray(dy), dh, da, packed(w_hh[: 2 * hidden], False, memo, "w_hh r z backward"),
        packed(w_hh[2 * hidden :], False, memo, "w_hh n backward"), np.zeros(w_ih.shape[1], kind),
        np.empty(parts * room_size, kind), room_size, bounds, plan_of(tuple(batch_sizes), reverse),
        len(batch_sizes), hidden, int(dy is not None), dx, packed(w_ih, False, memo, "w_ih backward") if here else None,
        w_ih.shape[1] if here else -1, parts=parts,
    )  # fmt: skip
    if input_wanted and not here:
        dx = product(da[:, : 3 * hidden], w_ih)
    return da, dh, dx


def grad_weights(
    da: Array, x: Array, h: Array, *, input_wanted: bool, state_wanted: bool
) -> tuple[Array | None, Array | None, Array]:
    """See the contract."""
    hidden = h.shape[1]
    no_x, no_h = x[:, :0], h[:, :0]
    x, h = x if input_wanted else no_x, h if state_wanted else no_h
    dw_ih, dw_hh, db = (np.zeros(size, da.dtype) for size in ((3 * hidden, x.shape[1]), (3 * hidden, h.shape[1]), 4 * hidden))
    two, three = 2 * hidden, 3 * hidden
    add_weight_gradients(da[:, :two], x, h, dw_ih[:two], dw_hh[:two], db[:two])
    add_weight_gradients(da[:, two:three], x, no_h, dw_ih[two:], dw_hh[two:], db[two:three])
    add_weight_gradients(da[:, three:], no_x, h, dw_ih[two:], dw_hh[two:], db[three:])
    return dw_ih if input_wanted else None, dw_hh if state_wanted else None, db
