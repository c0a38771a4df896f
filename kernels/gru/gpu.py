"""Steps by a CUDA kernel of ours, ``step.cu``, and all products by cuBLAS.

Why it is faster than ``vectorised.py``: what follows a step's product is one launch, which reads each sum once and writes each
gate and state once, where there it is a dozen, each a pass over the step's memory. The way back has one product for each step
in the place of two: the kernel lays what goes through W_hh side by side for it.
"""

from __future__ import annotations

from collections.abc import Sequence

from minigrad.core.device import Array, array_module
from minigrad.kernels.cuda import Program
from minigrad.kernels.gru.vectorised import grad_weights as grad_weights
from minigrad.kernels.recurrence import Memo, before, project, walk
from minigrad.kernels.recurrence import arithmetic as arithmetic
from minigrad.kernels.recurrent_steps import carried, gapless, run_step, step_instances

STEP = Program("gru/step.cu")


def instances() -> list[tuple[Program, object, int, int]]:
    """All that is launched from here: program, kernel and template, threads of a block, bytes of dynamic shared memory."""
    return step_instances(STEP)


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
    of_input = gapless(project(x, index, w_ih, b_ih))
    rows, h0, b_hh = len(of_input), gapless(h0), gapless(b_hh)
    y, gates = xp.empty((rows, hidden), x.dtype), xp.empty((rows, 4 * hidden), x.dtype) if save else None
    room, kernel = xp.empty((batch_sizes[0], 3 * hidden), x.dtype), STEP["forward", x.dtype]
    for step in walk(batch_sizes, reverse):
        if step.size:
            of_state = xp.matmul(before(y, h0, step), w_hh.T, out=room[: step.size])
            run_step(kernel, step, hidden, of_input, of_state, b_hh, y, h0, gates, hidden, *step)
    return y, gates


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
    da, kept, product = xp.empty(gates.shape, gates.dtype), carried(dh, h0), xp.zeros(h0.shape, h0.dtype)
    y, gates, h0, dy = gapless(y), gapless(gates), gapless(h0), gapless(dy)
    room, kernel = xp.empty((batch_sizes[0], 3 * hidden), y.dtype), STEP["backward", y.dtype]
    for step in reversed(walk(batch_sizes, reverse)):
        if step.size:
            run_step(kernel, step, hidden, gates, y, h0, dy, product, kept, da, room, hidden, *step)
            xp.matmul(room[: step.size], w_hh, out=product[: step.size])
    kept += product
    return da, kept, xp.matmul(da[:, : 3 * hidden], w_ih) if input_wanted else None
