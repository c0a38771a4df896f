"""The pool's own lines under every schedule of its threads: no part is lost, done twice or too late, nobody is left asleep.

``kernels/native/pool.py`` runs here as Python, in which each atomic operation is a point where another thread may go on. All
schedules with a few such changes are tried one after the other; an error that needs more of them than three is rare (Musuvathi
and Qadeer, "Iterative Context Bounding for Systematic Testing of Multithreaded Programs", 2007). The operations are atomic
and in one order, as the compiled ones are by LLVM's "seq_cst".
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Generator
from typing import Any

import pytest

from minigrad.kernels.native import pool

pytestmark = pytest.mark.native

POINTS = {"atomic_load", "atomic_store", "atomic_swap", "atomic_add", "wait_for", "wake"}
PATIENCE = 1
Thread = Generator[tuple[str, tuple[Any, ...]], Any, None]


class Yielding(ast.NodeTransformer):
    """Makes each atomic operation a ``yield``, and functions with such operations generators."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.decorator_list, node.returns = [], None
        for argument in node.args.args:
            argument.annotation = None
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name in POINTS:
            return ast.Yield(ast.Tuple([ast.Constant(name), ast.Tuple(node.args, ast.Load())], ast.Load()))
        return ast.YieldFrom(node) if name in ("take_parts", "invoke") else node


def functions(change: tuple[str, str] | None = None) -> dict[str, Any]:
    """The pool's functions as generators, with one place of their text changed."""
    text = inspect.getsource(pool)
    if change is not None:
        assert text.count(change[0]) == 1, "the text to be changed must be there, once"
        text = text.replace(*change)
    tree = ast.parse(text)
    tree.body = [each for each in tree.body if not isinstance(each, ast.ImportFrom)]
    names: dict[str, Any] = {"offset": lambda board, n: n, "breathe": lambda: None, "invoke": work}
    exec(compile(ast.fix_missing_locations(Yielding().visit(tree)), "pool", "exec"), names)
    return names


def work(code: int, job: int, part: int, parts: int) -> Thread:
    """A part takes time: others may go on while it is done."""
    yield "begin", (code, job, part)
    yield "end", (job, part, parts)


class Run:
    """One schedule: callers with jobs of some parts each, and helpers.

    A job of a negative number of parts is a meeting: none of its parts ends before all have begun, so that it needs as many
    threads, and one that is left asleep holds up all.
    """

    def __init__(self, names: dict[str, Any], callers: list[list[int]], helpers: int) -> None:
        self.board = [0] * pool.board_size(helpers)
        self.board[pool.PATIENCE], self.board[pool.HELPERS] = PATIENCE, helpers
        self.board[pool.MAIN + pool.LOCK] = 100
        self.released: set[int] = set()
        self.begun: dict[int, list[int]] = {}  # job -> its parts that were begun
        self.done: dict[int, list[int]] = {}
        self.open: set[int] = set()  # jobs whose caller has not come back
        self.meetings: set[int] = set()
        self.threads: list[Thread] = []
        for number, jobs in enumerate(callers):
            self.threads.append(self._call(names["divide"], number, jobs))
        self.callers = set(range(len(callers)))
        for worker in range(helpers):
            self.board[pool.WORKERS + pool.WORKER_SIZE * worker + pool.LOCK] = worker
            self.threads.append(names["serve"](self.board, worker, 0, 1))
        self.next: list[tuple[str, tuple[Any, ...]] | None] = [next(thread) for thread in self.threads]
        self.past = [0] * len(self.threads)  # of each thread: all that it was told, which decides what it does next

    def _call(self, divide: Callable[..., Thread], number: int, jobs: list[int]) -> Thread:
        for index, count in enumerate(jobs):
            job = 10 * number + index
            self.begun[job], self.done[job] = [], []
            self.open.add(job)
            if count < 0:
                self.meetings.add(job)
            yield from divide(self.board, 7, job, abs(count), 0, 1)
            self.open.discard(job)
            assert sorted(self.done[job]) == list(range(abs(count))), f"job {job} came back with {self.done[job]} done"

    def ready(self) -> list[int]:
        """The threads that can go on."""
        return [thread for thread, point in enumerate(self.next) if point is not None and self._may(*point)]

    def _may(self, name: str, arguments: tuple[Any, ...]) -> bool:
        if name == "wait_for":
            return arguments[1] in self.released
        if name == "end" and arguments[0] in self.meetings:
            return len(self.begun[arguments[0]]) == arguments[2]
        return True

    def state(self) -> Any:
        """All that decides how it goes on."""
        return tuple(self.board), frozenset(self.released), tuple(self.past), repr(self.done), repr(self.begun)

    def finished(self) -> bool:
        return all(self.next[caller] is None for caller in self.callers)

    def step(self, thread: int) -> None:
        """Let a thread do the operation before which it stands."""
        point = self.next[thread]
        assert point is not None
        result = getattr(self, point[0])(*point[1])
        self.past[thread] = hash((self.past[thread], result))
        try:
            self.next[thread] = self.threads[thread].send(result)
        except StopIteration:
            self.next[thread] = None

    def atomic_load(self, place: int) -> int:
        return self.board[place]

    def atomic_store(self, place: int, value: int) -> None:
        self.board[place] = value

    def atomic_add(self, place: int, value: int) -> int:
        self.board[place] += value
        return self.board[place] - value

    def atomic_swap(self, place: int, old: int, new: int) -> bool:
        if self.board[place] != old:
            return False
        self.board[place] = new
        return True

    def begin(self, code: int, job: int, part: int) -> None:
        assert code == 7 and job in self.open, f"a part of job {job}, whose caller is gone"
        assert part not in self.begun[job], f"part {part} of job {job} is done twice"
        self.begun[job].append(part)

    def end(self, job: int, part: int, parts: int) -> None:
        assert job in self.open, f"part {part} of job {job} ends after its caller is gone"
        self.done[job].append(part)

    def wait_for(self, function: int, lock: int) -> None:
        self.released.remove(lock)

    def wake(self, function: int, lock: int) -> None:
        assert lock not in self.released, "a lock is released twice"
        self.released.add(lock)


def schedules(names: dict[str, Any], callers: list[list[int]], helpers: int, changes: int) -> int:
    """Try all schedules in which a thread is interrupted at most so often; how many states of the pool that were."""
    plans: list[tuple[list[int], int]] = [([], 0)]
    met: dict[Any, int] = {}  # state -> the fewest interruptions with which it was reached
    while plans:
        plan, used = plans.pop()
        run, taken, current = Run(names, callers, helpers), list(plan), 0
        for current in plan:
            run.step(current)
        while not run.finished():
            ready = run.ready()
            assert ready, "all sleep, and there is work to be done"
            interrupts = current in ready
            current = current if interrupts else ready[0]
            state = run.state(), current
            if met.get(state, changes + 1) <= used:
                break  # all that may follow has been tried
            met[state] = used
            if used + interrupts <= changes:
                plans += [([*taken, other], used + interrupts) for other in ready if other != current]
            taken.append(current)
            run.step(current)
    return len(met)


@pytest.mark.parametrize(
    ("callers", "helpers", "changes", "least"),
    [
        ([[2, 3]], 1, 3, 1000),  # two jobs, one helper
        ([[2, 2]], 2, 2, 1000),
        ([[2, -2]], 1, 3, 1000),  # the second needs the helper
        ([[-3]], 2, 2, 1000),
        ([[2], [2]], 1, 2, 1000),  # two callers at once
        ([[2, 3, -2]], 1, 2, 1000),
    ],
)
def test_every_schedule(callers: list[list[int]], helpers: int, changes: int, least: int) -> None:
    assert schedules(functions(), callers, helpers, changes) > least


FAULTS = {
    "a helper sleeps without a second look": (
        "            ticket = atomic_load(offset(board, TICKET))\n            if not is_new(ticket, seen) or not",
        "            if not is_new(ticket, seen) or not",
    ),
    "the caller sleeps without a second look": ("done = atomic_load(offset(board, FINISHED)) == count", "done = False"),
    "a job is written while its ticket is open": (
        "    atomic_store(offset(board, TICKET), job_round * ROUND + CLOSED)\n",
        "",
    ),
    "a round comes twice": ("// ROUND + 1", "// ROUND ^ 1"),
    "a part is taken without a swap": (
        "if atomic_swap(offset(board, TICKET), ticket, ticket + 1):",
        "atomic_store(offset(board, TICKET), ticket + 1)\n        if True:",
    ),
    "a part counts before it is done": (
        "            invoke(code, arguments, part, parts)\n            if atomic_add(offset(board, FINISHED), 1) + 1 == parts",
        "            last = atomic_add(offset(board, FINISHED), 1) + 1 == parts\n"
        "            invoke(code, arguments, part, parts)\n            if last",
    ),
    "two callers share the helpers": ("not atomic_swap(offset(board, BUSY), 0, 1)", "False"),
    "a sleeping helper is woken twice": (
        "        if atomic_swap(offset(board, theirs + SLEEPING), 1, 0):\n",
        "        if atomic_load(offset(board, theirs + SLEEPING)):\n",
    ),
    "the caller is not woken": ("wake(board[RELEASE], board[MAIN + LOCK])", "pass"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault: str) -> None:
    names = functions(FAULTS[fault])
    with pytest.raises((AssertionError, KeyError)):
        for callers, helpers, changes in (([[2, -2]], 1, 2), ([[2], [2]], 1, 2), ([[2, 3]], 1, 3), ([[2, 2, 2]], 1, 3)):
            schedules(names, callers, helpers, changes)
