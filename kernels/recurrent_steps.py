"""What the CUDA rungs of the recurrent families share: how the kernel of one step is launched, and arrays as it takes them."""

from __future__ import annotations

from typing import Any

from minigrad.core.device import Array, array_module
from minigrad.kernels.cuda import Kernel, Program
from minigrad.kernels.recurrence import Step

BLOCK = (32, 4)  # threads of a block: a warp does 32 units of a row


def run_step(kernel: Kernel, step: Step, hidden: int, *arguments: Any) -> None:
    """Launch the kernel of a step: a thread for each unit of each row, with the rows along x, where a grid has most room."""
    kernel(*arguments, work=(step.size, hidden), tile=BLOCK[::-1], block=BLOCK)


def gapless(x: Array | None) -> Any:
    """The array itself where it lies in C order without gaps, else a copy that does; ``None`` for ``None``."""
    return None if x is None else array_module(x).ascontiguousarray(x)


def carried(grad: Array | None, like: Array) -> Array:
    """A gradient to go on with: zeros where there is none, else a copy."""
    xp = array_module(like)
    return xp.zeros(like.shape, like.dtype) if grad is None else xp.array(grad, order="C")


def step_instances(program: Program) -> list[tuple[Program, Any, int, int]]:
    """All that is launched of a program of steps: kernel and template, threads of a block, bytes of dynamic shared memory."""
    threads = BLOCK[0] * BLOCK[1]
    return [(program, (name, dtype), threads, 0) for name in ("forward", "backward") for dtype in ("float32", "float64")]
