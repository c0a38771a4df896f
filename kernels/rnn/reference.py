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
    nonlinearity: str,
    reverse: bool,
    memo: Memo | None,
    index: Array | None,
) -> Array:
    """See the contract."""
    x = x if index is None else x[index]
    y = np.empty((len(x), h0.shape[1]), x.dtype)
    for step in walk(batch_sizes, reverse):
        start = before(y, h0, step)
        for place in range(step.size):
            row = step.start + place
            for unit in range(h0.shape[1]):
                a = w_ih[unit] @ x[row] + w_hh[unit] @ start[place]
                if b_ih is not None:
                    a += b_ih[unit]
                if b_hh is not None:
                    a += b_hh[unit]
                y[row, unit] = np.tanh(a) if nonlinearity == "tanh" else np.maximum(a, 0)
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
    da = np.empty_like(y)
    dh_next = np.zeros_like(h0) if dh is None else dh.copy()
    for step in reversed(walk(batch_sizes, reverse)):
        for place in range(step.size):
            row = step.start + place
            for unit in range(y.shape[1]):
                dh_here = dh_next[place, unit] if dy is None else dh_next[place, unit] + dy[row, unit]
                if nonlinearity == "tanh":
                    da[row, unit] = dh_here * (1 - y[row, unit] * y[row, unit])
                else:
                    da[row, unit] = dh_here if y[row, unit] != 0 else 0
            for unit in range(y.shape[1]):
                dh_next[place, unit] = da[row] @ w_hh[:, unit]
    dx = None
    if input_wanted:
        dx = np.empty((len(da), w_ih.shape[1]), da.dtype)
        for row, feature in np.ndindex(*dx.shape):
            dx[row, feature] = da[row] @ w_ih[:, feature]
    return da, dh_next, dx


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
