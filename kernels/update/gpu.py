"""All parameters of a step in one launch, or a few, of a CUDA kernel of ours: ``steps.cu``, and ``gradients.cu`` for norms.

Why it is faster than ``vectorised.py``: there each operation is a launch for each tensor, a dozen of them for Adam, and goes
over the GPU's memory by itself. Here a launch takes up to 50 tensors, and each element of parameter, gradient and states is
read once, 128 bits at a time, and written once. Where tensors lie is told with the kernel's arguments, from a table that is
kept from step to step and into which only the gradients' addresses are written: nothing is copied to the GPU. A norm is left in
the GPU's memory, where ``clip_norm`` finds it, and reads no gradient if there is nothing to clip.

Arrays with gaps between their elements are left to ``vectorised.py``, which gives the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module
from minigrad.kernels.cuda import Program
from minigrad.kernels.cuda.tensors import THREADS, Tables, alike
from minigrad.kernels.update import vectorised

Arrays = Sequence[Array]
STEPS = Program("update/steps.cu", options=("--fmad=false",))
GRADIENTS = Program("update/gradients.cu", options=("--fmad=false",))
FRESH = 2  # the flag of a momentum buffer that holds nothing yet
POWERS, SIZES, SQUARES, COUNT, LARGEST, SMALLEST = range(6)  # kinds of norms, as in gradients.cu


def instances() -> list[tuple[Program, Any, int, int]]:
    """All that is launched from here: program, kernel and template, threads of a block, bytes of dynamic shared memory."""
    steps = [(STEPS, name) for name in ("sgd", "adam", "rmsprop", "adagrad", "adadelta", "lerp")]
    others = [(GRADIENTS, name) for name in ("parts_of_norm", "clip_norm", "clip_value")]
    typed = [(program, (name, dtype), THREADS, 0) for program, name in steps + others for dtype in ("float32", "float64")]
    return [*typed, (GRADIENTS, "whole_norm", THREADS, 0)]


def sgd(
    params: Arrays, grads: Arrays, momentum_buffers: Arrays, first: Sequence[bool], *,
    lr: float, momentum: float, dampening: float, weight_decay: float, nesterov: bool, maximize: bool,
) -> None:  # fmt: skip
    """See the contract."""
    settings = (lr, momentum, 1.0 - dampening, weight_decay, nesterov, maximize)
    flags = [FRESH * fresh for fresh in first] if any(first) else None
    for pick in _step("sgd", params, grads, (momentum_buffers,), settings, flags=flags):
        vectorised.sgd(
            pick(params), pick(grads), pick(momentum_buffers), pick(first),
            lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay, nesterov=nesterov, maximize=maximize,
        )  # fmt: skip


def adam(
    params: Arrays, grads: Arrays, exp_avgs: Arrays, exp_avg_sqs: Arrays, max_exp_avg_sqs: Arrays, steps: Sequence[int], *,
    lr: float, beta1: float, beta2: float, eps: float, weight_decay: float, decoupled_weight_decay: bool, maximize: bool,
) -> None:  # fmt: skip
    """See the contract."""
    pairs = {}
    for t in {*steps}:
        root = (1.0 - beta2**t) ** 0.5
        pairs[t] = (lr * root / (1.0 - beta1**t), eps * root)
    added, shrink = (0.0, 1.0 - lr * weight_decay) if decoupled_weight_decay else (weight_decay, 1.0)
    settings = (beta2, 1.0 - beta1, 1.0 - beta2, added, shrink, maximize)
    states = (exp_avgs, exp_avg_sqs, max_exp_avg_sqs)
    for pick in _step("adam", params, grads, states, settings, factors=[pairs[t] for t in steps]):
        vectorised.adam(
            pick(params), pick(grads), pick(exp_avgs), pick(exp_avg_sqs), pick(max_exp_avg_sqs), pick(steps),
            lr=lr, beta1=beta1, beta2=beta2, eps=eps,
            weight_decay=weight_decay, decoupled_weight_decay=decoupled_weight_decay, maximize=maximize,
        )  # fmt: skip


def rmsprop(
    params: Arrays, grads: Arrays, square_avgs: Arrays, grad_avgs: Arrays, momentum_buffers: Arrays, *,
    lr: float, alpha: float, eps: float, weight_decay: float, momentum: float, maximize: bool,
) -> None:  # fmt: skip
    """See the contract."""
    settings = (lr, alpha, 1.0 - alpha, eps, weight_decay, momentum, maximize)
    states = (square_avgs, grad_avgs, momentum_buffers)
    for pick in _step("rmsprop", params, grads, states, settings):
        vectorised.rmsprop(
            pick(params), pick(grads), pick(square_avgs), pick(grad_avgs), pick(momentum_buffers),
            lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum, maximize=maximize,
        )  # fmt: skip


def adagrad(
    params: Arrays, grads: Arrays, state_sums: Arrays, steps: Sequence[int], *,
    lr: float, lr_decay: float, weight_decay: float, eps: float, maximize: bool,
) -> None:  # fmt: skip
    """See the contract."""
    factors = [(lr / (1.0 + (t - 1) * lr_decay), 0.0) for t in steps]
    for pick in _step("adagrad", params, grads, (state_sums,), (eps, weight_decay, maximize), factors=factors):
        vectorised.adagrad(
            pick(params), pick(grads), pick(state_sums), pick(steps),
            lr=lr, lr_decay=lr_decay, weight_decay=weight_decay, eps=eps, maximize=maximize,
        )  # fmt: skip


def adadelta(
    params: Arrays, grads: Arrays, square_avgs: Arrays, acc_deltas: Arrays, *,
    lr: float, rho: float, eps: float, weight_decay: float, maximize: bool,
) -> None:  # fmt: skip
    """See the contract."""
    settings = (lr, rho, 1.0 - rho, eps, weight_decay, maximize)
    for pick in _step("adadelta", params, grads, (square_avgs, acc_deltas), settings):
        vectorised.adadelta(
            pick(params), pick(grads), pick(square_avgs), pick(acc_deltas),
            lr=lr, rho=rho, eps=eps, weight_decay=weight_decay, maximize=maximize,
        )  # fmt: skip


def lerp(averages: Arrays, currents: Arrays, *, weight: float) -> None:
    """See the contract."""
    for pick in _step("lerp", averages, currents, (), (weight,)):
        vectorised.lerp(pick(averages), pick(currents), weight=weight)


def norm(grads: Arrays, order: float) -> Array:
    """See the contract."""
    grads = [g if alike([g]) else array_module(g).ascontiguousarray(g) for g in grads if g.size]
    if not grads:
        return vectorised.norm(grads, order)
    kinds = {1.0: SIZES, 2.0: SQUARES, 0.0: COUNT, math.inf: LARGEST, -math.inf: SMALLEST}
    first, kind = grads[0], kinds.get(order, POWERS)
    tables = _tables_of(grads)
    xp, count = array_module(first), sum(tables.blocks)
    parts, whole = xp.empty(count, np.float64), xp.empty((), np.float64)
    tables.launch_parts(GRADIENTS["parts_of_norm", first.dtype], kind, order, parts)
    GRADIENTS["whole_norm"](parts, count, kind, order, whole, work=1, tile=1, block=THREADS)
    return whole


def clip_norm(grads: Arrays, total_norm: Array, max_norm: float) -> None:
    """See the contract."""
    found = total_norm.astype(np.float64, copy=False)
    left = _bounded("clip_norm", grads, found, max_norm)
    if left:
        vectorised.clip_norm(left, found, max_norm)


def clip_value(grads: Arrays, bound: float) -> None:
    """See the contract."""
    vectorised.clip_value(_bounded("clip_value", grads, bound), bound)


def _bounded(name: str, grads: Arrays, *settings: Any) -> list[Array]:
    """Launch one of the ``clip_`` kernels on the arrays without gaps; those that are left."""
    ours = [g for g in grads if g.size and alike([g])]
    if ours:
        _tables_of(ours).launch(GRADIENTS[name, ours[0].dtype], *settings, like=ours[0])
    return [g for g in grads if g.size and not alike([g])]


def _tables_of(arrays: Arrays) -> Tables:
    tables = Tables([each.size for each in arrays], arrays[0].dtype)
    tables.place(0, [each.data.ptr for each in arrays])
    tables.settle()
    return tables


class _Plan:
    """What stays from step to step: which tensors a launch can take, and where their parameters and states lie.

    Attributes:
        taken, left: the numbers of the tensors for the kernel, and of those with gaps between elements.
    """

    def __init__(self, params: Arrays, states: Sequence[Arrays]) -> None:
        columns = [params, (), *states]
        self.taken: list[int] = []
        self.left: list[int] = []
        for k in range(len(params)):
            if params[k].size:
                whole = alike([column[k] for column in columns if len(column)])
                (self.taken if whole else self.left).append(k)
        self.c_order = [params[k].flags.c_contiguous for k in self.taken]
        if self.taken:
            self.tables = Tables([params[k].size for k in self.taken], params[0].dtype)
            for place, column in enumerate(columns):
                if len(column):
                    self.tables.place(place, [column[k].data.ptr for k in self.taken])


def _step(
    name: str, params: Arrays, grads: Arrays, states: Sequence[Arrays], settings: tuple[Any, ...], *,
    flags: Sequence[int] | None = None, factors: Sequence[tuple[float, float]] | None = None,
) -> Sequence[Callable[[Sequence[Any]], list[Any]]]:  # fmt: skip
    """Launch a step of ``steps.cu``. What comes back picks, of a sequence, what is left for others; none if nothing is."""
    memo = getattr(params, "memo", {})
    known = ("cuda", *[len(column) > 0 for column in states])
    if known not in memo:
        memo[known] = _Plan(params, states)
    plan = memo[known]
    if plan.taken:
        laid = [_as_laid(grads[k], params[k], straight) for k, straight in zip(plan.taken, plan.c_order)]
        plan.tables.place(1, [g.data.ptr for g in laid])
        of_taken = [each if each is None else [each[k] for k in plan.taken] for each in (flags, factors)]
        plan.tables.settle(*of_taken)
        first = params[plan.taken[0]]
        plan.tables.launch(STEPS[name, first.dtype], *settings, like=first)

    def pick(sequence: Sequence[Any]) -> list[Any]:
        return [sequence[k] for k in plan.left] if len(sequence) else []

    return [pick] if plan.left else []


def _as_laid(g: Array, x: Array, straight: bool) -> Array:
    """A gradient in the order of memory of its parameter: itself, or a copy."""
    if g.flags.c_contiguous if straight else g.strides == x.strides:
        return g
    laid = array_module(x).empty_like(x)
    laid[...] = g
    return laid
