"""The whole sequence by one CUDA kernel of ours where the chip has room for it, else a step at a time; see ``sequence.py``.

Why it is faster than ``vectorised.py``: what follows a step's product is one launch, ``step.cu``, which reads each sum once and
writes each gate, cell and state once, where there it is more than a dozen, each a pass over the step's memory. In float32 even
these launches go, and with them the steps' products: all steps are one launch, ``sequence.cu``, whose threads keep W_hh in
registers. Products over all steps at once are left to cuBLAS.
"""

from __future__ import annotations

from collections.abc import Sequence

from minigrad.core.device import Array, array_module
from minigrad.kernels.cuda import Program
from minigrad.kernels.lstm import sequence
from minigrad.kernels.lstm.vectorised import grad_weights as grad_weights
from minigrad.kernels.recurrence import Memo, before, project, walk
from minigrad.kernels.recurrence import arithmetic as arithmetic
from minigrad.kernels.recurrent_steps import carried, gapless, run_step, step_instances

STEP = Program("lstm/step.cu")


def instances() -> list[tuple[Program, object, int, int]]:
    """All that is launched from here: program, kernel and template, threads of a block, bytes of dynamic shared memory."""
    return step_instances(STEP) + sequence.instances()


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
    gates, h0, c0 = gapless(project(x, index, w_ih, b_ih, b_hh)), gapless(h0), gapless(c0)
    h, cells = xp.empty((len(gates), hidden), x.dtype), xp.empty((len(gates), hidden), x.dtype)
    planned = sequence.plan("forward", batch_sizes, gates, hidden)
    if planned is not None:
        sequence.forward(planned, batch_sizes, reverse, gates, h, cells, h0, c0, w_hh, save)
        return h, cells, gates if save else None
    room, kernel = xp.empty((batch_sizes[0], 4 * hidden), x.dtype), STEP["forward", x.dtype]
    for step in walk(batch_sizes, reverse):
        if step.size:
            of_state = xp.matmul(before(h, h0, step), w_hh.T, out=room[: step.size])
            run_step(kernel, step, hidden, gates, of_state, h, cells, c0, hidden, *step, save)
    return h, cells, gates if save else None


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
    da, dh, dc = xp.empty(gates.shape, gates.dtype), carried(dh, c0), carried(dc, c0)
    gates, cells, c0, dy = gapless(gates), gapless(cells), gapless(c0), gapless(dy)
    planned, kernel = sequence.plan("backward", batch_sizes, gates, hidden), STEP["backward", gates.dtype]
    if planned is not None:
        sequence.backward(planned, batch_sizes, reverse, gates, cells, c0, dy, dh, dc, da, w_hh)
    for step in [] if planned is not None else reversed(walk(batch_sizes, reverse)):
        if step.size:
            run_step(kernel, step, hidden, gates, cells, c0, dy, dh, dc, da, hidden, *step)
            xp.matmul(da[step.rows], w_hh, out=dh[: step.size])
    return da, dh, dc, xp.matmul(da, w_ih) if input_wanted else None
