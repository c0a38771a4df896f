"""The threads that share a kernel's parts: every part once, in any number of threads, processes and forks, and to the end."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from minigrad.core.machine import Cores
from minigrad.errors import ArgumentError, KernelError
from minigrad.kernels.native import (
    Ints,
    Real,
    budget,
    helper,
    kernel,
    launch,
    offset,
    parts_for,
    real,
    set_threads,
    share,
    thread_count,
    threads,
)
from minigrad.kernels.native.language import atomic_load, atomic_store, breathe
from minigrad.kernels.native.pool import MOST_PARTS

pytestmark = pytest.mark.native

MOST = 64  # parts


@kernel
def count_up(x: Ints, by_part: Ints, count: int, part: int, parts: int) -> None:
    start, stop = share(count, part, parts)
    for i in range(start, stop):
        x[i] += 1
    by_part[part] += 1


@helper
def walked(x, turns):
    for _ in range(turns):
        x = x * real(0.5) + real(1.0)
    return x


@kernel
def walk(x: Real, turns: int, part: int, parts: int) -> None:
    """Work that takes about a nanosecond a turn, and fewer turns in later parts."""
    x[part] = walked(x[part], turns // (part + 1))


@kernel
def meet(there: Ints, met: Ints, patience: int, part: int, parts: int) -> None:
    """Each part waits for the others, for a while: they meet if as many threads do them."""
    atomic_store(offset(there, part), 1)
    arrived = 0
    while arrived < parts and patience > 0:
        breathe()
        patience -= 1
        arrived = 0
        for each in range(parts):
            arrived += atomic_load(offset(there, each))
    met[part] = arrived == parts


def meeting(parts: int, patience: int = 200_000_000) -> bool:
    there, met = np.zeros(parts, np.int64), np.zeros(parts, np.int64)
    meet(there, met, patience, parts=parts)
    return bool(met.all())


@pytest.fixture(autouse=True)
def same_budget() -> Iterator[None]:
    before = threads()
    yield
    set_threads(before)


def faults(seed: int, launches: int, most_parts: int = MOST, pause: float = 0.0) -> list[tuple[int, int]]:
    """Launches, as (count, parts), in which not every part was done exactly once."""
    random = np.random.default_rng(seed)
    x, by_part = np.zeros(3000, np.int64), np.zeros(MOST, np.int64)
    found = []
    for _ in range(launches):
        count = int(random.integers(0, 3000 if random.random() < 0.3 else 64))
        parts = int(random.integers(1, most_parts + 1))
        x[:] = by_part[:] = 0
        count_up(x, by_part, count, parts=parts)
        if not ((x[:count] == 1).all() and not x[count:].any() and (by_part[:parts] == 1).all() and not by_part[parts:].any()):
            found.append((count, parts))
        if pause and random.random() < 0.05:
            time.sleep(random.random() * pause)  # helpers fall asleep, are about to, or just wake
    return found


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_every_part_is_done_once(count: int) -> None:
    set_threads(count)
    assert faults(count, 3000) == []


def test_parts_are_done_at_the_same_time() -> None:
    for count in (2, 4, 3):
        set_threads(count)
        assert meeting(count)  # helpers that spin
        time.sleep(0.02)
        assert meeting(count)  # that sleep
    set_threads(2)
    assert not meeting(3, patience=100_000)  # the third helper is no longer asked


def test_helpers_that_fall_asleep_miss_nothing() -> None:
    set_threads(4)
    assert faults(0, 2000, pause=0.0003) == []


def test_the_number_of_threads_changes_between_launches() -> None:
    for seed, count in enumerate([1, 8, 2, 5, 1, 3, 7, 2, 4, 6] * 3):
        set_threads(count)
        assert threads() == count
        assert faults(seed, 100) == []
    helpers = [thread for thread in threading.enumerate() if thread.name == "minigrad helper"]
    assert len(helpers) == 7  # those that were too many wait, and are taken again


@pytest.mark.parametrize("callers", [2, 8])
def test_threads_of_python_launch_kernels_at_once(callers: int) -> None:
    set_threads(3)
    found: list[tuple[int, int]] = []
    together = threading.Barrier(callers)

    def call(seed: int) -> None:
        together.wait()
        found.extend(faults(seed, 600, pause=0.0002))

    started = [threading.Thread(target=call, args=(seed,)) for seed in range(callers)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    assert found == []


def test_the_number_of_threads_changes_while_another_thread_launches() -> None:
    found: list[tuple[int, int]] = []
    thread = threading.Thread(target=lambda: found.extend(faults(0, 3000)))
    thread.start()
    while thread.is_alive():
        for count in (1, 4, 2, 6, 3):
            set_threads(count)
    thread.join()
    assert found == []


def test_results_do_not_depend_on_who_does_a_part() -> None:
    outcomes = []
    for count in (1, 2, 5):
        set_threads(count)
        x = np.random.default_rng(0).standard_normal(16).astype(np.float32)
        walk(x, 3000, parts=16)
        outcomes.append(x.tobytes())
    assert len(set(outcomes)) == 1


def test_sleeping_helpers_take_no_processor() -> None:
    set_threads(8)
    assert faults(0, 50) == []
    time.sleep(0.05)
    before = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - before < 0.01


def test_parts_must_be_a_number_that_the_pool_can_count() -> None:
    set_threads(2)
    x, by_part = np.zeros(4, np.int64), np.zeros(MOST, np.int64)
    for parts in (0, -1, MOST_PARTS + 1):
        with pytest.raises(KernelError, match=f"parts: expected 1 to {MOST_PARTS}, got {parts}"):
            count_up(x, by_part, 4, parts=parts)
    assert not x.any()
    many = np.zeros(MOST_PARTS, np.int64)
    x = np.zeros(MOST_PARTS, np.int64)
    count_up(x, many, MOST_PARTS, parts=MOST_PARTS)
    assert (x == 1).all() and (many == 1).all()


def test_a_system_that_gives_no_more_threads_slows_down_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    pool = launch._start()
    before = len(pool._helpers)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    set_threads(before + 5)
    assert faults(0, 100) == []
    assert len(pool._helpers) == before


# ---------------------------------------------------------------------- Python's other threads


def longest_wait(work: Callable[[], None]) -> float:
    """Seconds for which another thread of Python's had to wait at most while ``work`` ran."""
    stop, waits = threading.Event(), [0.0]

    def tick() -> None:
        last = time.perf_counter()
        while not stop.is_set():
            time.sleep(0.0005)
            now = time.perf_counter()
            waits.append(now - last)
            last = now

    thread = threading.Thread(target=tick)
    thread.start()
    work()
    stop.set()
    thread.join()
    return max(waits)


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("parts", [1, 2])
def test_a_long_kernel_does_not_starve_another_thread(count: int, parts: int) -> None:
    set_threads(count)
    x = np.zeros(1 << 17, np.float32)  # large enough to be worth a thread
    walk(x, 10, parts=parts)

    def work() -> None:
        begin = time.perf_counter()
        walk(x, 300_000_000, parts=parts)
        taken.append(time.perf_counter() - begin)

    taken: list[float] = []
    assert longest_wait(work) < 0.5 * taken[0]


def test_little_work_keeps_the_interpreter() -> None:
    """Else each launch could wait for another thread's whole turn of 5 ms."""
    set_threads(2)
    x = np.zeros(4, np.float32)
    stop = threading.Event()

    def busy() -> None:
        while not stop.is_set():
            sum(range(1000))

    thread = threading.Thread(target=busy)
    walk(x, 1)
    thread.start()
    begin = time.perf_counter()
    for _ in range(1000):
        walk(x, 1)
    taken = time.perf_counter() - begin
    stop.set()
    thread.join()
    assert taken < 1.0  # 1000 turns of 5 ms are 5 s


# ---------------------------------------------------------------------- forks and the end


def in_child() -> int:
    return len(faults(1, 300))


def test_a_forked_child_has_helpers_of_its_own() -> None:
    set_threads(3)
    assert faults(0, 100) == []
    child = os.fork()
    if child == 0:
        os._exit(0 if faults(1, 300) == [] and meeting(3) else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert faults(2, 100) == [] and meeting(3)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_of_multiprocessing_launch_kernels(method: str) -> None:
    set_threads(2)
    assert faults(0, 100) == []
    with multiprocessing.get_context(method).Pool(2) as workers:
        assert workers.apply(in_child) == 0
    assert faults(2, 100) == []


def test_a_fork_while_another_thread_launches() -> None:
    set_threads(3)
    stop = threading.Event()

    def launch_on() -> None:
        while not stop.is_set():
            faults(0, 20)

    thread = threading.Thread(target=launch_on)
    thread.start()
    try:
        for _ in range(5):
            child = os.fork()
            if child == 0:
                os._exit(0 if faults(1, 50) == [] else 1)
            _, status = os.waitpid(child, 0)
            assert os.waitstatus_to_exitcode(status) == 0
    finally:
        stop.set()
        thread.join()


AFFINITY = """
mine = os.sched_getaffinity(0)
faults(0, 50)
helpers = [thread.native_id for thread in threading.enumerate() if thread.name == "minigrad helper"]
allowed = [os.sched_getaffinity(helper) for helper in helpers]
print(len(helpers), all(len(mine) - len(cores) == (len(mine) > 1) for cores in allowed))
os.sched_setaffinity(0, {min(mine)})  # where there is one core, they share it
for helper in helpers:
    os.sched_setaffinity(helper, {min(mine)})
print(faults(1, 300), faults(2, 100, pause=0.0003))
"""


def test_helpers_keep_off_the_caller_s_core_where_there_is_another() -> None:
    output, errors = start(AFFINITY).communicate(timeout=60)
    assert output == "3 True\n[] []\n", errors


PROGRAM = """
import os, signal, sys, threading, time
import numpy as np
from minigrad.kernels.native import set_threads
from tests.test_native_pool import faults, walk

set_threads(4)
x = np.zeros(8, np.float32)
walk(x, 10, parts=8)
"""
ENDS = {
    "while helpers spin": ("walk(x, 10, parts=8)", 0),
    "while helpers sleep": ("time.sleep(0.1)", 0),
    "while another thread computes": (
        "threading.Thread(target=walk, args=(x, 10**10), kwargs={'parts': 8}, daemon=True).start(); time.sleep(0.05)", 0,
    ),
    "by sys.exit": ("sys.exit(3)", 3),
    "by sys.exit in a thread": ("t = threading.Thread(target=lambda: (walk(x, 10, parts=8), sys.exit(3))); t.start()", 0),
    "by an exception": ("walk(x, parts=8)", 1),
    "in a forked child": ("pid = os.fork(); walk(x, 10, parts=8)\nif pid: sys.exit(os.waitpid(pid, 0)[1])", 0),
    "with a kernel at exit": ("import atexit; atexit.register(walk, x, 10, parts=8)", 0),
}  # fmt: skip


def start(program: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-c", PROGRAM + program + "\n"],
        cwd=Path(__file__).parent.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_a_program_ends_at_once_however_it_ends() -> None:
    running = {name: (start(program + "\nprint(time.time())"), code) for name, (program, code) in ENDS.items()}
    for name, (process, code) in running.items():
        _, errors = process.communicate(timeout=60)
        assert process.returncode == code, f"{name}: {errors}"
        assert "Fatal" not in errors, name


def test_control_c_ends_a_program_when_the_kernel_is_done() -> None:
    program = """
    print("ready", flush=True)
    try:
        while True:
            walk(x, 100_000_000, parts=8)
    except KeyboardInterrupt:
        assert faults(0, 50) == []
        print("stopped")
    """
    process = start(textwrap.dedent(program))
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    try:
        output, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, output) == (0, "stopped\n"), errors


# ---------------------------------------------------------------------- the budget


def fresh_budget(monkeypatch: pytest.MonkeyPatch, cores: Cores, **environment: str) -> list[int]:
    """A process that has not asked for its threads yet; what BLAS is told will be in the list."""
    told: list[int] = []
    for name in (*budget.BLAS_ENVIRONMENTS, budget.ENVIRONMENT):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(budget, "_budget", budget._Budget())
    monkeypatch.setattr(budget, "cores", lambda: cores)
    monkeypatch.setattr("threadpoolctl.threadpool_limits", lambda limits, user_api: told.append(limits))
    return told


def test_the_budget_is_the_cores_that_the_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fresh_budget(monkeypatch, Cores(8, 6, None)) == []
    assert threads() == 6


def test_the_budget_is_what_a_container_pays_for(monkeypatch: pytest.MonkeyPatch) -> None:
    told = fresh_budget(monkeypatch, Cores(64, 64, 1.5))
    assert threads() == 2
    assert told == [2]  # BLAS would take 64


def test_a_choice_for_blas_alone_is_left_to_blas(monkeypatch: pytest.MonkeyPatch) -> None:
    told = fresh_budget(monkeypatch, Cores(64, 64, 1.5), OPENBLAS_NUM_THREADS="1")
    assert threads() == 2
    assert told == []


def test_the_environment_chooses_for_blas_too(monkeypatch: pytest.MonkeyPatch) -> None:
    told = fresh_budget(monkeypatch, Cores(8, 8, None), MINIGRAD_THREADS=" 3 ", OMP_NUM_THREADS="1")
    assert threads() == 3
    assert told == [3]
    set_threads(5)
    assert (threads(), told) == (5, [3, 5])


@pytest.mark.parametrize("wish", ["0", "-2", "two", "1.5", "٣", "100000", "1 2"])
def test_a_wish_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch, wish: str) -> None:
    fresh_budget(monkeypatch, Cores(8, 8, None), MINIGRAD_THREADS=wish)
    with pytest.raises(ArgumentError, match=r"MINIGRAD_THREADS: expected a whole number from 1 to 1024, got '.*Unset"):
        threads()


@pytest.mark.parametrize("count", [0, -1, 1.0, True, "2", None, 5000])
def test_a_count_that_is_no_number_is_refused(count: object) -> None:
    before = threads()
    with pytest.raises(ArgumentError, match="set_num_threads: count: expected a whole number from 1 to 1024"):
        set_threads(count)  # type: ignore[arg-type]
    assert threads() == before


def test_blas_takes_the_budget() -> None:
    from threadpoolctl import threadpool_info

    for count in (1, 2):
        set_threads(count)
        assert {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"} == {count}


def test_a_block_sets_the_budget_back() -> None:
    before = threads()
    with pytest.raises(ZeroDivisionError), thread_count(before + 1):
        assert parts_for(10**9) == before + 1
        raise ZeroDivisionError
    assert threads() == before


def test_little_work_is_one_part() -> None:
    set_threads(4)
    assert [parts_for(work) for work in (0, 1000, 10**8)] == [1, 1, 4]
