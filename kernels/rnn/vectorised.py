"""All rows and units of a step at once, by NumPy (or CuPy).

Why it is faster than the loops: the inputs of all steps go through W_ih in one product, and a step is one product with W_hh for
the whole batch and two calls on arrays, in place. See ``minigrad.kernels.lstm.vectorised``.
"""

from __future__ import annotations

from collections.abc import Sequence

from minigrad.core.device import Array, array_module
from minigrad.kernels.recurrence import Memo, before, project, rows_sum, walk
from minigrad.kernels.recurrence import arithmetic as arithmetic


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
    xp = array_module(x)
    y = project(x, index, w_ih, b_ih, b_hh)
    room = xp.empty(h0.shape, x.dtype)
    for step in walk(batch_sizes, reverse):
        here = y[step.rows]
        here += xp.matmul(before(y, h0, step), w_hh.T, out=room[: step.size])
        if nonlinearity == "tanh":
            xp.tanh(here, out=here)
        else:
            xp.maximum(here, 0, out=here)
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
    xp = array_module(y)
    da = xp.empty(y.shape, y.dtype)
    dh = xp.zeros(h0.shape, h0.dtype) if dh is None else xp.array(dh, order="C")
    for step in reversed(walk(batch_sizes, reverse)):
        here, dh_here, from_y = da[step.rows], dh[: step.size], y[step.rows]
        if dy is not None:
            dh_here += dy[step.rows]
        if nonlinearity == "tanh":
            xp.multiply(from_y, from_y, out=here)
            xp.subtract(1, here, out=here)
            here *= dh_here
        else:
            here[...] = xp.where(from_y != 0, dh_here, 0)
        xp.matmul(here, w_hh, out=dh_here)
    return da, dh, xp.matmul(da, w_ih) if input_wanted else None


def grad_weights(
    da: Array, x: Array, h: Array, *, input_wanted: bool, state_wanted: bool
) -> tuple[Array | None, Array | None, Array]:
    """See the contract."""
    dw_ih, dw_hh = da.T @ x if input_wanted else None, da.T @ h if state_wanted else None
    return dw_ih, dw_hh, rows_sum(da)
