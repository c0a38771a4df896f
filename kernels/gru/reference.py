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
    x = x if index is None else x[index]
    hidden = h0.shape[1]
    y = np.empty((len(x), hidden), x.dtype)
    gates = np.empty((len(x), 4 * hidden), x.dtype)
    for step in walk(batch_sizes, reverse):
        start = before(y, h0, step)
        for place in range(step.size):
            row = step.start + place
            for unit in range(hidden):
                of_input, of_hidden = [], []
                for k in (unit, hidden + unit, 2 * hidden + unit):
                    of_input.append(w_ih[k] @ x[row] + (0 if b_ih is None else b_ih[k]))
                    of_hidden.append(w_hh[k] @ start[place] + (0 if b_hh is None else b_hh[k]))
                r = 1 / (1 + np.exp(-of_input[0] - of_hidden[0]))
                z = 1 / (1 + np.exp(-of_input[1] - of_hidden[1]))
                m = of_hidden[2]
                n = np.tanh(of_input[2] + r * m)
                gates[row, unit::hidden] = r, z, n, m
                y[row, unit] = n + z * (start[place, unit] - n)
    return y, gates if save else None


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
    hidden = h0.shape[1]
    da = np.empty_like(gates)
    dh_next = np.zeros_like(h0) if dh is None else dh.copy()
    for step in reversed(walk(batch_sizes, reverse)):
        start = before(y, h0, step)
        for place in range(step.size):
            row = step.start + place
            for unit in range(hidden):
                r, z, n, m = gates[row, unit::hidden]
                dh_here = dh_next[place, unit] if dy is None else dh_next[place, unit] + dy[row, unit]
                da_n = dh_here * (1 - z) * (1 - n * n)
                da_z = dh_here * (start[place, unit] - n) * z * (1 - z)
                da[row, unit::hidden] = da_n * m * r * (1 - r), da_z, da_n, da_n * r
                dh_next[place, unit] = dh_here * z
            da_r, da_z, _, dm = da[row].reshape(4, hidden)
            for unit in range(hidden):
                dh_next[place, unit] += np.concatenate((da_r, da_z, dm)) @ w_hh[:, unit]
    dx = None
    if input_wanted:
        dx = np.empty((len(da), w_ih.shape[1]), da.dtype)
        for row, feature in np.ndindex(*dx.shape):
            dx[row, feature] = da[row, : 3 * hidden] @ w_ih[:, feature]
    return da, dh_next, dx


def grad_weights(
    da: Array, x: Array, h: Array, *, input_wanted: bool, state_wanted: bool
) -> tuple[Array | None, Array | None, Array]:
    """See the contract."""
    hidden = h.shape[1]
    dw_ih, dw_hh = np.zeros((3 * hidden, x.shape[1]), da.dtype), np.zeros((3 * hidden, hidden), da.dtype)
    db = np.zeros(4 * hidden, da.dtype)
    for row in range(len(da)):
        of_input, of_state = da[row, : 3 * hidden], np.concatenate((da[row, : 2 * hidden], da[row, 3 * hidden :]))
        for k in range(3 * hidden):
            dw_ih[k] += of_input[k] * x[row]
            dw_hh[k] += of_state[k] * h[row]
        for k in range(4 * hidden):
            db[k] += da[row, k]
    return dw_ih if input_wanted else None, dw_hh if state_wanted else None, db
