"""Steps by a CUDA kernel of ours, ``step.cu``, and all products by cuBLAS.

Why it is faster than ``vectorised.py``: what follows a step's product is one launch, which reads each sum once and writes each
state once, where there it is two to five, each a pass over the step's memory.
"""

from __future__ import annotations

from collections.abc import Sequence

from minigrad.core.device import Array, array_module
from minigrad.kernels.cuda import Program
from minigrad.kernels.recurrence import Memo, before, project, walk
from minigrad.kernels.recurrence import arithmetic as arithmetic
from minigrad.kernels.recurrent_steps import carried, gapless, run_step, step_instances
from minigrad.kernels.rnn.vectorised import grad_weights as grad_weights

STEP = Program("rnn/step.cu")


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
    nonlinearity: str,
    reverse: bool,
    memo: Memo | None,
    index: Array | None,
) -> Array:
    """See the contract."""
    xp, hidden, relu = array_module(x), h0.shape[1], nonlinearity == "relu"
    y = gapless(project(x, index, w_ih, b_ih, b_hh))
    room, kernel = xp.empty(h0.shape, x.dtype), STEP["forward", x.dtype]
    for step in walk(batch_sizes, reverse):
        if step.size:
            of_state = xp.matmul(before(y, h0, step), w_hh.T, out=room[: step.size])
            run_step(kernel, step, hidden, y, of_state, hidden, step.start, step.size, relu)
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
    xp, hidden, relu = array_module(y), h0.shape[1], nonlinearity == "relu"
    da, dh, dy, y = xp.empty(y.shape, y.dtype), carried(dh, h0), gapless(dy), gapless(y)
    kernel = STEP["backward", y.dtype]
    for step in reversed(walk(batch_sizes, reverse)):
        if step.size:
            run_step(kernel, step, hidden, y, dy, dh, da, hidden, step.start, step.size, relu)
            xp.matmul(da[step.rows], w_hh, out=dh[: step.size])
    return da, dh, xp.matmul(da, w_ih) if input_wanted else None
