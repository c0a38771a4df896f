"""An implementation on trial with its work divided among threads, and called by two threads at once."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any, NamedTuple

from minigrad.core.device import quiet
from minigrad.kernels.cases import Case
from minigrad.kernels.comparison import Call, Difference, difference, first_unlike, on_cpu, outcome
from minigrad.kernels.native.budget import divided
from minigrad.kernels.trial import Raised, Trial

PARTS = 3  # into which work is divided, however little it is
ROUNDS = 3  # of the cases, in each of two threads
PATIENCE = 60.0  # seconds until threads are taken for stuck


class Wanted(NamedTuple):
    """A call, what the reference gives for it, and how far from that a result may be."""

    case: Case
    call: Call
    want: list[Any]
    allowed: Any


def in_parts(trial: Trial, calls: list[Wanted]) -> list[tuple[Case, Difference | None]]:
    """Each case, and what is wrong where the work of its call is divided among three threads. Each is called twice."""
    with divided(PARTS):
        return [(each.case, _in_parts(trial, each)) for each in calls]


def _in_parts(trial: Trial, wanted: Wanted) -> Difference | None:
    case, given = wanted.case, []
    try:
        for _ in range(2):
            placed = trial.placed(case, wanted.call)
            given.append(on_cpu(outcome(trial.contract, case.function, trial.run(case, placed.call), placed.call)))
    except Raised as raised:
        return Difference("", "results", str(raised))
    place = first_unlike(trial.contract, case.function, *given)
    if place:
        return Difference(place[0], f"{place[1]}, as the first time", place[2])
    return difference(trial.contract, case.function, given[0], wanted.want, wanted.allowed)


def in_two_threads(trial: Trial, calls: list[Wanted]) -> tuple[str, Difference] | None:
    """The case that goes wrong, and how, where two threads make all these calls at once, one of them from the end."""
    found: list[tuple[str, Difference]] = []
    start = threading.Barrier(2)

    def work(mine: list[Wanted]) -> None:
        start.wait()
        for case, call, want, allowed in mine * ROUNDS:
            placed = trial.placed(case, call)
            try:
                with quiet():
                    got = outcome(trial.contract, case.function, trial.run(case, placed.call), placed.call)
                unlike = difference(trial.contract, case.function, got, want, allowed)
            except Raised as raised:
                unlike = Difference("", "results", str(raised))
            if unlike is not None or found:
                found.extend([(case.name, unlike)] if unlike is not None else [])
                return

    threads = [threading.Thread(target=work, args=(each,), daemon=True) for each in (calls, calls[::-1])]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        end = time.monotonic() + PATIENCE
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
    finally:
        sys.setswitchinterval(interval)
    if any(thread.is_alive() for thread in threads):
        return "", Difference("", f"results within {PATIENCE:.0f} s", "none: a thread is stuck")
    return found[0] if found else None
