"""What a second thread gains, kernel by kernel, beside what it gains a plain product in the same moments.

A machine that is shared gives two threads now two whole cores and a moment later less: then even a product of two square
matrices, the *control*, is hardly faster with two. So a round times the control and the kernel in turn, with one thread and
with two, the control before and behind the kernel; and a round counts only where the control gained ``CALM`` before and behind.
What is left says something of the kernel.

    python -m minigrad.benchmarks --parts threads
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from minigrad.bench.families import ops
from minigrad.bench.op import Call, Op
from minigrad.kernels import contract_of
from minigrad.kernels.native import thread_count
from minigrad.kernels.products import product

CALM = 1.85  # times that the control must be faster with two threads
ROUNDS = 7  # that count
FEWEST = 3  # such rounds, below which there is no figure
PATIENCE = 20.0  # seconds for a kernel
SIDE = 512  # of the control's matrices: some milliseconds, as the kernels take

Run = Callable[[], Any]


class Gain(NamedTuple):
    """One kernel at one shape.

    Attributes:
        what, shape: as in ``minigrad bench``: ``"conv2d.forward"``, ``"N128 C32 H32 -> 32, 3x3"``.
        one, two: seconds with one thread and with two, the medians of the rounds that count.
        times: the median of these rounds' ratios.
        control: what the control gained, the median of all rounds, those that do not count too.
        counted, rounds: how many rounds counted, of how many.
    """

    what: str
    shape: str
    one: float
    two: float
    times: float
    control: float
    counted: int
    rounds: int

    @property
    def refused(self) -> str:
        """Why there is no figure, or ``""``."""
        if self.counted >= FEWEST:
            return ""
        return f"the control gained {self.control:.2f}, and {CALM:g} in {self.counted} of {self.rounds} rounds"


def gains(family: str, shape: str) -> Iterator[Gain]:
    """The ops of a family whose shape has these words, by the kernels that are in use."""
    for op in ops(family):
        if shape in op.shape and not op.asked:
            yield measured(op.name, op.shape, runner(op), _control())


def runner(op: Op) -> Run:
    """A call of an op's function, with new arguments for whatever the function derived from the last ones."""
    contract, call = contract_of(op.family), op.draw(np.random.default_rng(0), np.dtype(np.float32))
    ready: Call = call if op.before is None else op.before(contract, call)
    function = getattr(contract, op.function)
    return lambda: function(*ready.args, **ready.kwargs)


def measured(
    what: str, shape: str, kernel: Run, control: Run, now: Callable[[], float] = time.perf_counter, patience: float = PATIENCE
) -> Gain:
    """Time a kernel until ``ROUNDS`` rounds count or patience is over.

    Args:
        now: what tells the seconds.
    """

    def seconds(run: Run, threads: int) -> float:
        with thread_count(threads):
            run()  # so that caches and helpers are as they are in the midst of work
            begin = now()
            run()
            return now() - begin

    found: list[tuple[float, float]] = []
    controls: list[float] = []
    start = now()
    while len(found) < ROUNDS and (not controls or now() - start < patience):
        alone = seconds(control, 1)
        one = seconds(kernel, 1)
        before = seconds(control, 2)
        two = seconds(kernel, 2)
        behind = seconds(control, 2)
        controls.append(alone / max(before, behind))
        if controls[-1] >= CALM:
            found.append((one, two))
    usual = statistics.median(controls)
    if not found:
        return Gain(what, shape, 0.0, 0.0, 0.0, usual, 0, len(controls))
    one, two = (statistics.median(each) for each in zip(*found, strict=True))
    times = statistics.median(alone / both for alone, both in found)
    return Gain(what, shape, one, two, times, usual, len(found), len(controls))


def _control() -> Run:
    a = np.random.default_rng(0).random((SIDE, SIDE), np.float32)
    return lambda: product(a, a)
