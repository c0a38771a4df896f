"""Threads that make batches ahead: bounded, in order, and nobody waits for them for ever."""

from __future__ import annotations

import gc
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from minigrad.data import prefetch
from minigrad.data.prefetch import END, ahead
from minigrad.utils.data import DataLoader


def nothing() -> None:
    pass


def threads() -> int:
    return sum(thread.name.startswith("minigrad-loader") for thread in threading.enumerate())


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("depth", [1, 2, 7])
@pytest.mark.parametrize("count", [0, 1, 2, 20])
def test_the_order_stays_and_the_threads_go(workers: int, depth: int, count: int) -> None:
    def make(number: int) -> int:
        time.sleep(0.001 * (number % 3 == 0))
        return number * number

    assert list(ahead(workers, depth, make, iter(range(count)), nothing)) == [i * i for i in range(count)]
    assert threads() == 0


def test_the_end_comes_in_its_turn() -> None:
    assert list(ahead(2, 5, lambda number: number if number < 3 else END, itertools.count(), nothing)) == [0, 1, 2]


def test_no_more_are_made_than_may_wait() -> None:
    made: list[int] = []
    batches = ahead(2, 3, lambda number: made.append(number) or number, itertools.count(), nothing)
    assert not made and threads() == 0  # nothing begins before it is asked for
    for taken in range(1, 5):
        assert next(batches) == taken - 1
        deadline = time.monotonic() + 10
        while len(made) < taken + 3 and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(0.01)
        assert sorted(made) == list(range(taken + 3))
    batches.close()
    assert threads() == 0


def test_a_batch_is_freed_when_the_loop_drops_it() -> None:
    class Batch:
        pass

    alive: list[weakref.ref] = []

    def make(number: int) -> Any:
        batch = Batch()
        alive.append(weakref.ref(batch))
        return batch

    most = 0
    for batch in ahead(1, 2, make, iter(range(20)), nothing):
        del batch
        most = max(most, sum(reference() is not None for reference in list(alive)))
    assert most <= 4  # two that wait, the loop's, and one on its way from hand to hand
    assert not any(reference() for reference in alive)


@pytest.mark.parametrize("batch_size", [None, 1])
def test_a_loader_holds_no_batch_that_the_loop_dropped(batch_size: int | None) -> None:
    last: list[weakref.ref] = []

    def collate(_: Any) -> np.ndarray:
        assert not last or last.pop()() is None
        return np.zeros(1)

    for batch in DataLoader(np.arange(5), batch_size=batch_size, collate_fn=collate):
        last.append(weakref.ref(batch))
        del batch


@pytest.mark.parametrize("error", [KeyError("torn"), StopIteration(7), SystemExit(3), KeyboardInterrupt()])
def test_what_a_thread_raises_comes_in_its_turn(error: BaseException) -> None:
    def make(number: int) -> int:
        if number == 2:
            raise error
        return number

    seen = []
    expected = RuntimeError if isinstance(error, StopIteration) else type(error)
    with pytest.raises(expected):
        for number in ahead(2, 4, make, iter(range(9)), nothing):
            seen.append(number)
    assert seen == [0, 1]


def test_what_the_beginning_of_a_thread_raises_is_seen() -> None:
    loader = DataLoader([1, 2], num_workers=2, worker_init_fn=lambda number: 1 // (number - number))
    with pytest.raises(ZeroDivisionError):
        list(loader)
    assert threads() == 0


def test_what_the_sampler_raises_frees_the_threads() -> None:
    def orders() -> Any:
        yield from range(5)
        raise KeyError("no more")

    with pytest.raises(KeyError):
        list(ahead(2, 2, str, orders(), nothing))
    assert threads() == 0


def test_closed_by_the_collector_in_one_of_its_threads() -> None:
    """A cycle that holds the iterator may be found by the collector in any thread, its own included."""
    closed = threading.Event()
    holder: list[Any] = []

    def make(number: int) -> int:
        if number == 1 and holder:
            holder.pop().close()
            closed.set()
        return number

    go = threading.Event()
    batches = ahead(1, 1, lambda number: go.wait(10) and make(number) if number else 0, itertools.count(), nothing)
    assert next(batches) == 0
    holder.append(batches)
    del batches
    gc.collect()
    go.set()
    assert closed.wait(10)
    deadline = time.monotonic() + 10
    while threads() and time.monotonic() < deadline:
        time.sleep(0.001)
    assert threads() == 0


def test_a_sample_that_never_comes_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefetch, "PATIENCE", 0.1)
    gate = threading.Event()
    inside = threading.Event()
    batches = ahead(1, 2, lambda number: number and (inside.set() or gate.wait(20)), itertools.count(), nothing)
    assert next(batches) == 0 and inside.wait(10)
    begun = time.monotonic()
    batches.close()
    assert time.monotonic() - begun < 10 and threads() == 1
    gate.set()
    deadline = time.monotonic() + 10
    while threads() and time.monotonic() < deadline:
        time.sleep(0.001)
    assert threads() == 0


STUCK = """
import threading, sys
from minigrad.utils.data import DataLoader

inside = threading.Event()

class Stuck:
    def __len__(self):
        return 9
    def __getitem__(self, index):
        if index:
            inside.set()
            threading.Event().wait()
        return index

batches = iter(DataLoader(Stuck(), num_workers=2))
next(batches)
inside.wait()
print("stuck", flush=True)
"""
IDLE = """
import sys
from minigrad.utils.data import DataLoader

batches = iter(DataLoader(range(9), num_workers=2))
next(batches)
"""
ENDS: dict[str, tuple[str, int]] = {
    "exit": ("sys.exit(5)", 5),
    "an error": ("raise KeyError", 1),
    "the end of the file": ("", 0),
    "a wait for the batch": ("next(batches)", -signal.SIGINT),
    "a loop": ("for batch in batches: pass", -signal.SIGINT),
    "a loop of one's own": ("while True: pass", -signal.SIGINT),
}


@pytest.mark.parametrize("end", ENDS)
def test_neither_ctrl_c_nor_exit_wait_for_a_stuck_thread(end: str) -> None:
    code, returned = ENDS[end]
    with subprocess.Popen(
        [sys.executable, "-c", STUCK + code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ}, text=True
    ) as process:
        try:
            assert process.stdout is not None and process.stdout.readline() == "stuck\n"
            if returned == -signal.SIGINT:
                time.sleep(0.2)
                process.send_signal(signal.SIGINT)
            begun = time.monotonic()
            _, errors = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == returned
    assert time.monotonic() - begun < 4.5  # PATIENCE is not spent
    assert ("KeyboardInterrupt" in errors) == (returned == -signal.SIGINT)


@pytest.mark.parametrize("end", ["", "sys.exit()", "sys.kept = batches"])
def test_a_pass_that_nobody_ended_does_not_delay_the_exit(end: str) -> None:
    begun = time.monotonic()
    subprocess.run([sys.executable, "-c", IDLE + end], check=True, timeout=30)
    assert time.monotonic() - begun < 4.5


def test_interrupted_the_loader_knows_what_it_handed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    made: Callable[[Any], Any] = prefetch._Task.made
    calls = itertools.count()

    def interrupted(task: Any) -> Any:
        if next(calls) == 2:
            raise KeyboardInterrupt
        return made(task)

    monkeypatch.setattr(prefetch._Task, "made", interrupted)
    loader = DataLoader(np.arange(9), num_workers=2)
    with pytest.raises(KeyboardInterrupt):
        list(loader)
    assert loader.state_dict()["batches"] == 2
    monkeypatch.undo()
    loader.load_state_dict(loader.state_dict())
    assert [batch.item() for batch in loader] == list(range(2, 9))
