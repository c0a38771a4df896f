"""All rows and units of a step at once, by NumPy (or CuPy).

Why it is faster than the loops: the inputs of all steps go through W_ih in one product, as they wait for nobody; a step is then
one product with W_hh for the whole batch and a dozen calls on arrays, all in place. What is left over is that every call goes
through the whole step's memory again, that BLAS rearranges W_hh anew in each step, and fifteen calls from Python.
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
    xp, hidden = array_module(x), h0.shape[1]
    gates = project(x, index, w_ih, b_ih, b_hh)
    h, c = xp.empty((len(gates), hidden), x.dtype), xp.empty((len(gates), hidden), x.dtype)
    room = xp.empty((batch_sizes[0], 4 * hidden), x.dtype)
    for step in walk(batch_sizes, reverse):
        a, h_here, c_here = gates[step.rows], h[step.rows], c[step.rows]
        a += xp.matmul(before(h, h0, step), w_hh.T, out=room[: step.size])
        i, f, g, o = (a[:, gate * hidden : (gate + 1) * hidden] for gate in range(4))
        sigmoid(a[:, : 2 * hidden])
        xp.tanh(g, out=g)
        sigmoid(o)
        xp.multiply(f, before(c, c0, step), out=c_here)
        c_here += xp.multiply(i, g, out=h_here)
        xp.tanh(c_here, out=h_here)
        h_here *= o
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
    xp, hidden = array_module(gates), c0.shape[1]
    da = xp.empty(gates.shape, gates.dtype)
    dh = xp.zeros(c0.shape, c0.dtype) if dh is None else xp.array(dh, order="C")
    dc = xp.zeros(c0.shape, c0.dtype) if dc is None else xp.array(dc, order="C")
    for step in reversed(walk(batch_sizes, reverse)):
        rows = step.rows
        i, f, g, o = (gates[rows, gate * hidden : (gate + 1) * hidden] for gate in range(4))
        da_i, da_f, da_g, da_o = (da[rows, gate * hidden : (gate + 1) * hidden] for gate in range(4))
        dh_here, dc_here, tanh = dh[: step.size], dc[: step.size], xp.tanh(cells[rows])
        if dy is not None:
            dh_here += dy[rows]
        xp.multiply(dh_here, tanh, out=da_o)  # do
        tanh *= tanh
        xp.subtract(1, tanh, out=tanh)
        tanh *= dh_here
        tanh *= o
        dc_here += tanh
        xp.multiply(dc_here, g, out=da_i)  # di
        xp.multiply(dc_here, before(cells, c0, step), out=da_f)  # df
        for gate, grad in ((i, da_i), (f, da_f), (o, da_o)):
            grad *= gate
            grad *= xp.subtract(1, gate, out=tanh)
        xp.multiply(g, g, out=tanh)
        xp.subtract(1, tanh, out=tanh)
        xp.multiply(dc_here, i, out=da_g)  # dg
        da_g *= tanh
        dc_here *= f
        xp.matmul(da[rows], w_hh, out=dh_here)
    return da, dh, dc, xp.matmul(da, w_ih) if input_wanted else None


def grad_weights(
    da: Array, x: Array, h: Array, *, input_wanted: bool, state_wanted: bool
) -> tuple[Array | None, Array | None, Array]:
    """See the contract."""
    dw_ih, dw_hh = da.T @ x if input_wanted else None, da.T @ h if state_wanted else None
    return dw_ih, dw_hh, rows_sum(da)
