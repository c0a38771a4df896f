"""All rows and units of a step at once, by NumPy (or CuPy).

Why it is faster than the loops: the inputs of all steps go through W_ih in one product, and a step is one product with W_hh for
the whole batch and some calls on arrays, in place. See ``minigrad.kernels.lstm.vectorised``.
"""

from __future__ import annotations

from collections.abc import Sequence

from minigrad.core.device import Array, array_module
from minigrad.kernels.recurrence import Memo, before, project, rows_sum, sigmoid, walk
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
    reverse: bool,
    save: bool,
    memo: Memo | None,
    index: Array | None,
) -> tuple[Array, Array | None]:
    """See the contract."""
    xp, hidden = array_module(x), h0.shape[1]
    rows = len(x) if index is None else len(index)
    y, gates = xp.empty((rows, hidden), x.dtype), xp.empty((rows, 4 * hidden), x.dtype)
    gates[:, : 3 * hidden] = project(x, index, w_ih, b_ih)
    room = xp.empty((batch_sizes[0], 3 * hidden), x.dtype)
    for step in walk(batch_sizes, reverse):
        here, start, new = gates[step.rows], before(y, h0, step), y[step.rows]
        of_hidden = xp.matmul(start, w_hh.T, out=room[: step.size])
        if b_hh is not None:
            of_hidden += b_hh
        rz, n, m = here[:, : 2 * hidden], here[:, 2 * hidden : 3 * hidden], here[:, 3 * hidden :]
        rz += of_hidden[:, : 2 * hidden]
        sigmoid(rz)
        m[...] = of_hidden[:, 2 * hidden :]
        n += xp.multiply(rz[:, :hidden], m, out=new)
        xp.tanh(n, out=n)
        xp.subtract(start, n, out=new)
        new *= rz[:, hidden:]
        new += n
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
    xp, hidden = array_module(gates), h0.shape[1]
    da = xp.empty(gates.shape, gates.dtype)
    dh = xp.zeros(h0.shape, h0.dtype) if dh is None else xp.array(dh, order="C")
    for step in reversed(walk(batch_sizes, reverse)):
        rows = step.rows
        r, z, n, m = (gates[rows, gate * hidden : (gate + 1) * hidden] for gate in range(4))
        da_r, da_z, da_n, dm = (da[rows, gate * hidden : (gate + 1) * hidden] for gate in range(4))
        dh_here = dh[: step.size]
        if dy is not None:
            dh_here += dy[rows]
        xp.subtract(1, z, out=dm)
        xp.multiply(dm, dh_here, out=da_n)
        xp.subtract(before(y, h0, step), n, out=da_z)
        da_z *= dh_here
        da_z *= z
        da_z *= dm
        da_n *= xp.subtract(1, n * n, out=dm)
        xp.multiply(da_n, m, out=da_r)
        da_r *= r
        da_r *= xp.subtract(1, r, out=dm)
        xp.multiply(da_n, r, out=dm)
        dh_here *= z
        dh_here += xp.matmul(da[rows, : 2 * hidden], w_hh[: 2 * hidden])
        dh_here += xp.matmul(dm, w_hh[2 * hidden :])
    return da, dh, xp.matmul(da[:, : 3 * hidden], w_ih) if input_wanted else None


def grad_weights(
    da: Array, x: Array, h: Array, *, input_wanted: bool, state_wanted: bool
) -> tuple[Array | None, Array | None, Array]:
    """See the contract."""
    hidden = h.shape[1]
    dw_hh = None
    if state_wanted:
        dw_hh = array_module(da).concatenate((da[:, : 2 * hidden].T @ h, da[:, 3 * hidden :].T @ h))
    return da[:, : 3 * hidden].T @ x if input_wanted else None, dw_hh, rows_sum(da)
