"""All steps in one call, on the micro-kernel: the tuned rung for processors.

Why it is faster than ``vectorised.py``: W_hh is packed once for all steps, each thread takes its share of the sequences through
all steps by itself, and the sums of a step are still in the cache when they become states. See ``minigrad.kernels.lstm.cpu``,
which is built alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minigrad.core.device import Array
from minigrad.kernels.products import product, product_into
from minigrad.kernels.recurrence import Memo
from minigrad.kernels.recurrence import arithmetic as arithmetic
from minigrad.kernels.recurrent_loops import inside, packed, pitch_of, plan_of, shares, sum_of, weight_gradients
from minigrad.kernels.rnn import loops


def forward(
    x: Array,
    batch_sizes: Sequence[int],
    h0: Array,
    w_ih: Array,
    w_hh: Array,
    b_ih: Array | None,
    b_hh: Array | None,
    *,
    nonlinearity: str,
    reverse: bool,
    memo: Memo | None,
    index: Array | None,
) -> Array:
    """See the contract."""
    hidden = h0.shape[1]
    y = np.empty((len(x) if index is None else len(index), hidden), x.dtype)
    here = index is None and inside(batch_sizes, memo)
    table = None if index is None else product(x, w_ih.T)
    if index is None and not here:
        product_into(x, w_ih.T, y)
    bounds, parts, most = shares(batch_sizes, w_hh.size + w_ih.size * here)
    room_size = most * (2 * pitch_of(hidden) + pitch_of(x.shape[1]) * here)
    loops.forward(
        y, sum_of(b_ih, b_hh, hidden, x.dtype), packed(w_hh, True, memo, "w_hh forward"), np.ascontiguousarray(h0),
        np.empty(parts * room_size, x.dtype), room_size, bounds, most, plan_of(tuple(batch_sizes), reverse),
        len(batch_sizes), hidden, int(nonlinearity == "tanh"), np.ascontiguousarray(x) if here else None,
        packed(w_ih, True, memo, "w_ih forward") if here else None, x.shape[1] if here else -1, table,
        None if index is None else np.ascontiguousarray(index), int(index is not None), parts=parts,
    )  # fmt: skip
    return y


def backward(
    dy: Array | None,
    dh: Array | None,
    batch_sizes: Sequence[int],
    h0: Array,
    w_ih: Array,
    w_hh: Array,
    y: Array,
    *,
    nonlinearity: str,
    reverse: bool,
    input_wanted: bool,
    memo: Memo | None,
) -> tuple[Array, Array, Array | None]:
    """See the contract."""
    hidden, kind = h0.shape[1], y.dtype
    da = np.empty(y.shape, kind)
    dh = np.zeros(h0.shape, kind) if dh is None else np.array(dh, order="C")
    here = input_wanted and inside(batch_sizes, memo)
    dx = np.empty((len(da), w_ih.shape[1]), kind) if here else None
    bounds, parts, most = shares(batch_sizes, w_hh.size + w_ih.size * here)
    room_size = most * pitch_of(hidden)
    loops.backward(
        np.ascontiguousarray(y), None if dy is None else np.ascontiguousarray(dy), dh, da,
        packed(w_hh, False, memo, "w_hh backward"), np.zeros(max(hidden, w_ih.shape[1]), kind),
        np.empty(parts * room_size, kind), room_size, bounds, plan_of(tuple(batch_sizes), reverse),
        len(batch_sizes), hidden, int(nonlinearity == "tanh"), int(dy is not None), dx,
        packed(w_ih, False, memo, "w_ih backward") if here else None, w_ih.shape[1] if here else -1, parts=parts,
    )  # fmt: skip
    if input_wanted and not here:
        dx = product(da, w_ih)
    return da, dh, dx


def grad_weights(
    da: Array, x: Array, h: Array, *, input_wanted: bool, state_wanted: bool
) -> tuple[Array | None, Array | None, Array]:
    """See the contract."""
    found = weight_gradients(da, x if input_wanted else x[:, :0], h if state_wanted else h[:, :0])
    return found[0] if input_wanted else None, found[1] if state_wanted else None, found[2]
