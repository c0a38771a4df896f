"""The oracle: the formulas of the contract, one step, one sequence and one unit at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minigrad.core.device import Array
from minigrad.kernels.recurrence import Memo, before, walk


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
    x = x if index is None else x[index]
    hidden = h0.shape[1]
    h, c = np.empty((2, len(x), hidden), x.dtype)
    gates = np.empty((len(x), 4 * hidden), x.dtype)
    for step in walk(batch_sizes, reverse):
        h_before, c_before = before(h, h0, step), before(c, c0, step)
        for place in range(step.size):
            row = step.start + place
            for unit in range(hidden):
                for gate in range(4):
                    k = gate * hidden + unit
                    a = w_ih[k] @ x[row] + w_hh[k] @ h_before[place]
                    if b_ih is not None:
                        a += b_ih[k]
                    if b_hh is not None:
                        a += b_hh[k]
                    gates[row, k] = np.tanh(a) if gate == 2 else 1 / (1 + np.exp(-a))
                i, f, g, o = gates[row, unit::hidden]
                c[row, unit] = f * c_before[place, unit] + i * g
                h[row, unit] = o * np.tanh(c[row, unit])
    return h, c, gates if save else None


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
    hidden = c0.shape[1]
    da = np.empty_like(gates)
    dh_next = np.zeros_like(c0) if dh is None else dh.copy()
    dc_next = np.zeros_like(c0) if dc is None else dc.copy()
    for step in reversed(walk(batch_sizes, reverse)):
        c_before = before(cells, c0, step)
        for place in range(step.size):
            row = step.start + place
            for unit in range(hidden):
                i, f, g, o = gates[row, unit::hidden]
                tanh = np.tanh(cells[row, unit])
                dh_here = dh_next[place, unit] if dy is None else dh_next[place, unit] + dy[row, unit]
                dc_here = dc_next[place, unit] + dh_here * o * (1 - tanh * tanh)
                da[row, unit] = dc_here * g * i * (1 - i)
                da[row, unit + hidden] = dc_here * c_before[place, unit] * f * (1 - f)
                da[row, unit + 2 * hidden] = dc_here * i * (1 - g * g)
                da[row, unit + 3 * hidden] = dh_here * tanh * o * (1 - o)
                dc_next[place, unit] = dc_here * f
            for unit in range(hidden):
                dh_next[place, unit] = da[row] @ w_hh[:, unit]
    dx = None
    if input_wanted:
        dx = np.empty((len(da), w_ih.shape[1]), da.dtype)
        for row, feature in np.ndindex(*dx.shape):
            dx[row, feature] = da[row] @ w_ih[:, feature]
    return da, dh_next, dc_next, dx


def grad_weights(
    da: Array, x: Array, h: Array, *, input_wanted: bool, state_wanted: bool
) -> tuple[Array | None, Array | None, Array]:
    """See the contract."""
    dw_ih, dw_hh, db = (np.zeros((da.shape[1], *size), da.dtype) for size in (x.shape[1:], h.shape[1:], ()))
    for row in range(len(da)):
        for k in range(da.shape[1]):
            dw_ih[k] += da[row, k] * x[row]
            dw_hh[k] += da[row, k] * h[row]
            db[k] += da[row, k]
    return dw_ih if input_wanted else None, dw_hh if state_wanted else None, db
