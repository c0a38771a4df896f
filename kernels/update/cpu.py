"""One pass over all parameters of a group, compiled: every array is read once and written once.

Faster than ``vectorised`` for three reasons. The whole line of an element is computed while it is in registers, where NumPy
reads and writes its scratch memory between any two operations: a step takes the time in which memory gives and takes the
arrays, and no temporary is made. One launch serves all parameters, by a table of addresses, so that a model of many small
tensors does not pay for hundreds of calls. And the elements of all parameters together are divided evenly among the threads.

The table of parameters and states is made once and kept with them (``Held.memo``); a step writes the gradients' addresses
into it. The norm's sum is made in blocks of one size, whose sums are added in their order: so its bits do not depend on the
number of threads.

Arrays that do not lie alike in gapless memory (C-contiguous, or all with the strides of one permutation of that), and norms of
other orders than 2, are left to ``vectorised``, which takes any strides without copies of their size.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from operator import attrgetter, is_
from typing import Any

import numpy as np

from minigrad.core.device import Array
from minigrad.kernels.native import parts_for
from minigrad.kernels.native.launch import address
from minigrad.kernels.update import loops, vectorised

Arrays = Sequence[Array]
_flat = attrgetter("flags.c_contiguous")


class _Table:
    """Where arrays lie that are walked together, for a kernel: see above.

    Attributes:
        places: the numbers of the parameters that are in the table, and ``rest``: of those that no table can tell.
        words: the table; ``spare`` rows more are left for the caller.
        numbers: two float64 for each parameter, for the caller.
    """

    def __init__(self, sequences: Sequence[Arrays], spare: int = 0) -> None:
        self.places: Sequence[int] = range(len(sequences[0]))
        self.rest: Sequence[int] = ()
        if not all(map(_flat, itertools.chain(*sequences))):
            together = list(zip(*sequences, strict=True))
            self.places = [k for k, arrays in enumerate(together) if vectorised.flat_views(arrays) is not None]
            self.rest = sorted({*range(len(together))} - {*self.places})
            sequences = _at(self.places, *sequences)
        self.count = count = len(self.places)
        first = sequences[0]
        sizes = [array.size for array in first]
        rows = [[*itertools.accumulate(sizes, initial=0)], *[[*map(address, arrays), 0] for arrays in sequences]]
        self.words = np.array([*rows, *[rows[0]] * spare], np.int64)
        self.strides = [array.strides for array in first]
        self.dtype = first[0].dtype if count else None
        self.size = rows[0][-1] * len(sequences) * (first[0].itemsize if count else 0)
        self.numbers = np.empty((2, count))
        self.held: Sequence[Arrays] = ()
        self._addresses, self._bytes = rows[1:], [array.nbytes for array in first]
        self._apart: bool | None = None

    def apart(self) -> bool:
        """Whether no arrays that are changed overlap: all but the second row, if there are several, which has gradients."""
        if self._apart is None:
            changed = [row[:-1] for row in (self._addresses[:1] + self._addresses[2:])]
            spans = sorted([span for row in changed for span in zip(row, self._bytes, strict=True)])
            self._apart = all(a + size <= b for (a, size), (b, _) in itertools.pairwise(spans))
        return self._apart

    def some(self, values: Sequence[Any]) -> Sequence[Any]:
        """Those of the values, one for each parameter, whose parameters are in the table."""
        return [values[k] for k in self.places] if self.rest else values

    def run(self, function: Any, *args: Any) -> None:
        """Launch a kernel over the table."""
        if self.count:
            parts = parts_for(self.size)
            if parts > 1 and not self.apart():
                parts = 1  # arrays that overlap are changed one after the other, as in every other implementation
            function(self.words, *args, parts=parts, dtype=self.dtype, size=self.size)


def _table(function: str, params: Arrays, grads: Arrays, *states: Arrays, spare: int = 0) -> _Table:
    """The table of a step: that of the step before with other gradients, if it can be so."""
    memo = getattr(params, "memo", None)
    kept = None if memo is None else memo.get(f"cpu {function}")
    sequences = [params, grads, *[state for state in states if len(state)]]
    if kept is not None and not kept.rest and all(map(is_, kept.held, states)) and [g.strides for g in grads] == kept.strides:
        kept.words[2, : kept.count] = list(map(address, grads))
        return kept
    table = _Table(sequences, spare)
    if memo is not None:
        table.held = states
        memo[f"cpu {function}"] = table
    return table


def _at(places: Sequence[int], *sequences: Sequence[Any]) -> list[list[Any]]:
    return [[sequence[k] for k in places] if len(sequence) else [] for sequence in sequences]


def sgd(
    params: Arrays, grads: Arrays, momentum_buffers: Arrays, first: Sequence[bool], *,
    lr: float, momentum: float, dampening: float, weight_decay: float, nesterov: bool, maximize: bool,
) -> None:  # fmt: skip
    """See the contract."""
    moving = len(momentum_buffers) > 0
    table = _table("sgd", params, grads, momentum_buffers, spare=int(moving))
    if moving:
        table.words[4, : table.count] = table.some(first)
        table.run(loops.momentum_step, table.count, lr, momentum, 1.0 - dampening, weight_decay, nesterov, maximize)
    else:
        table.run(loops.sgd_step, table.count, lr, weight_decay, maximize)
    if table.rest:
        vectorised.sgd(
            *_at(table.rest, params, grads, momentum_buffers, first), lr=lr, momentum=momentum, dampening=dampening,
            weight_decay=weight_decay, nesterov=nesterov, maximize=maximize,
        )  # fmt: skip


def adam(
    params: Arrays, grads: Arrays, exp_avgs: Arrays, exp_avg_sqs: Arrays, max_exp_avg_sqs: Arrays, steps: Sequence[int], *,
    lr: float, beta1: float, beta2: float, eps: float, weight_decay: float, decoupled_weight_decay: bool, maximize: bool,
) -> None:  # fmt: skip
    """See the contract."""
    table = _table("adam", params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs)
    factors = {}
    for step in set(steps):
        root = (1.0 - beta2**step) ** 0.5
        factors[step] = lr * root / (1.0 - beta1**step), eps * root
    if len(factors) == 1:
        table.numbers[0], table.numbers[1] = next(iter(factors.values()))
    else:
        of_each = table.some(steps)  # none, where all arrays lie apart
        table.numbers[0] = [factors[step][0] for step in of_each]
        table.numbers[1] = [factors[step][1] for step in of_each]
    decay, shrink = (0.0, 1.0 - lr * weight_decay) if decoupled_weight_decay else (weight_decay, 1.0)
    function = loops.amsgrad_step if len(max_exp_avg_sqs) else loops.adam_step
    table.run(function, table.numbers, table.count, beta1, beta2, decay, shrink, maximize)
    if table.rest:
        vectorised.adam(
            *_at(table.rest, params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, steps), lr=lr, beta1=beta1, beta2=beta2,
            eps=eps, weight_decay=weight_decay, decoupled_weight_decay=decoupled_weight_decay, maximize=maximize,
        )  # fmt: skip


def rmsprop(
    params: Arrays, grads: Arrays, square_avgs: Arrays, grad_avgs: Arrays, momentum_buffers: Arrays, *,
    lr: float, alpha: float, eps: float, weight_decay: float, momentum: float, maximize: bool,
) -> None:  # fmt: skip
    """See the contract."""
    table = _table("rmsprop", params, grads, square_avgs, grad_avgs, momentum_buffers)
    centered, moving = len(grad_avgs) > 0, len(momentum_buffers) > 0
    table.run(loops.rmsprop_step, table.count, lr, alpha, eps, weight_decay, momentum, centered, moving, maximize)
    if table.rest:
        vectorised.rmsprop(
            *_at(table.rest, params, grads, square_avgs, grad_avgs, momentum_buffers),
            lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum, maximize=maximize,
        )  # fmt: skip


def adagrad(
    params: Arrays, grads: Arrays, state_sums: Arrays, steps: Sequence[int], *,
    lr: float, lr_decay: float, weight_decay: float, eps: float, maximize: bool,
) -> None:  # fmt: skip
    """See the contract."""
    table = _table("adagrad", params, grads, state_sums)
    table.numbers[0] = [lr / (1.0 + (step - 1) * lr_decay) for step in table.some(steps)]
    table.run(loops.adagrad_step, table.numbers, table.count, eps, weight_decay, maximize)
    if table.rest:
        vectorised.adagrad(
            *_at(table.rest, params, grads, state_sums, steps),
            lr=lr, lr_decay=lr_decay, weight_decay=weight_decay, eps=eps, maximize=maximize,
        )  # fmt: skip


def adadelta(
    params: Arrays, grads: Arrays, square_avgs: Arrays, acc_deltas: Arrays, *,
    lr: float, rho: float, eps: float, weight_decay: float, maximize: bool,
) -> None:  # fmt: skip
    """See the contract."""
    table = _table("adadelta", params, grads, square_avgs, acc_deltas)
    table.run(loops.adadelta_step, table.count, lr, rho, eps, weight_decay, maximize)
    if table.rest:
        vectorised.adadelta(
            *_at(table.rest, params, grads, square_avgs, acc_deltas),
            lr=lr, rho=rho, eps=eps, weight_decay=weight_decay, maximize=maximize,
        )  # fmt: skip


def lerp(averages: Arrays, currents: Arrays, *, weight: float) -> None:
    """See the contract."""
    table = _table("lerp", averages, currents)
    table.run(loops.lerp_step, table.count, weight)
    if table.rest:
        vectorised.lerp(*_at(table.rest, averages, currents), weight=weight)


def norm(grads: Arrays, order: float) -> Array:
    """See the contract."""
    if order != 2:
        return vectorised.norm(grads, order)
    flat, rest = grads, []
    if not all(map(_flat, grads)):
        views = [vectorised.flat_views((g,)) for g in grads]
        flat, rest = [each[0] for each in views if each], [g for g, each in zip(grads, views, strict=True) if not each]
    sizes = [g.size for g in flat]
    ends = [*itertools.accumulate([-(-size // loops.BLOCK) for size in sizes], initial=0)]
    table = np.array([ends, [*map(address, flat), 0], [*sizes, 0]], np.int64)
    sums = np.zeros(ends[-1] + 1)
    if flat:
        size = sum(sizes) * flat[0].itemsize
        loops.squares(table, sums, len(sizes), parts=parts_for(size), dtype=flat[0].dtype, size=size)
    if rest:
        sums[-1] = float(vectorised.norm(rest, 2.0)) ** 2
    return np.array(math.sqrt(np.add.reduce(sums)))


def clip_norm(grads: Arrays, total_norm: Array, max_norm: float) -> None:
    """See the contract."""
    factor = float(max_norm / (np.float64(total_norm) + 1e-6))
    if not factor >= 1:
        table = _Table([grads])
        table.run(loops.scale_step, table.count, factor)
        if table.rest:
            vectorised.clip_norm([grads[k] for k in table.rest], total_norm, max_norm)


def clip_value(grads: Arrays, bound: float) -> None:
    """See the contract."""
    table = _Table([grads])
    table.run(loops.bound_step, table.count, bound)
    if table.rest:
        vectorised.clip_value([grads[k] for k in table.rest], bound)
