"""``python -m minigrad.benchmarks --parts threads``: a kernel's gain in the moments in which a plain product gains too."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from minigrad.bench.families import ops
from minigrad.benchmarks import threads
from minigrad.kernels.native import thread_count
from minigrad.kernels.native.budget import get_num_threads


class Machine:
    """A clock that runs only in ``work``, as fast as two threads are at that moment."""

    def __init__(self, gains: list[float]) -> None:
        self.time, self.gains = 0.0, itertools.cycle(gains)
        self.gain = 1.0

    def now(self) -> float:
        return self.time

    def work(self, seconds: float, most: float) -> Callable[[], None]:
        def run() -> None:
            self.time += seconds if get_num_threads() == 1 else seconds / min(self.gain, most)

        return run

    def control(self) -> None:
        if get_num_threads() == 1:
            self.gain = next(self.gains)
        self.work(1.0, 2.0)()


def test_only_rounds_in_which_the_control_gained_count() -> None:
    machine = Machine([1.2, 1.2, 1.9, 1.9, 1.3, 1.3])  # each is called twice in a round
    found = threads.measured("a", "b", machine.work(3.0, 1.5), machine.control, machine.now, patience=1e9)
    assert found.counted == threads.ROUNDS and found.rounds == 3 * threads.ROUNDS - 1
    assert found.times == pytest.approx(1.5) and found.one == pytest.approx(3.0) and found.two == pytest.approx(2.0)
    assert found.control == pytest.approx(1.3) and not found.refused


def test_a_machine_that_is_never_calm_gives_no_figure() -> None:
    machine = Machine([1.2])
    found = threads.measured("a", "b", machine.work(3.0, 1.5), machine.control, machine.now, patience=100.0)
    assert found.counted == 0 and found.rounds > 1
    assert found.refused == f"the control gained 1.20, and 1.85 in 0 of {found.rounds} rounds"


def test_threads_are_as_before_and_each_kernel_runs() -> None:
    (op,) = (each for each in ops("matmul") if each.shape == "64 x 512 x 256")
    with thread_count(1):
        run = threads.runner(op)
        assert run().shape == (64, 256)
        found = threads.measured("a", "b", run, run, patience=0.0)
        assert found.rounds >= 1 and get_num_threads() == 1


def test_what_a_function_takes_of_another_is_made_first() -> None:
    op = next(each for each in ops("rnn") if each.before is not None and each.function == "backward")
    threads.runner(op)()
