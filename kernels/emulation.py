"""What the emulator finds out about a CUDA kernel that a GPU keeps to itself: any order of threads, every access watched."""

from __future__ import annotations

from collections.abc import Collection
from math import prod
from typing import Any

from minigrad.core.device import device, module_for, quiet
from minigrad.errors import CudaFault
from minigrad.kernels.comparison import Difference, difference, outcome
from minigrad.kernels.cuda.own import CudaKernel, told
from minigrad.kernels.laboratory import Doing, Progress
from minigrad.kernels.registry import implementations
from minigrad.kernels.trial import DOUBLE, SINGLE, Raised, Trial, Unmade, has_floats
from minigrad.kernels.verdict import Notes, Report

EMULATED = device("emulated")
ORDERS = {"backwards": 1, "shuffled": 2026}
ABOUT = {
    "orders": "the same with threads and blocks backwards and shuffled: none relies on running before another",
    "checked": "every access of every thread watched: races, reads of what nobody wrote, addresses outside, const, barriers",
}
OWN_ABOUT = {"values": "what its reference gives, and arguments that it may not write as they were"} | ABOUT
MOST_WATCHED = 1 << 18  # threads; a launch with more is not run in checked mode, in which each takes long


def runs(family: str, name: str) -> bool:
    """Whether an implementation can be given arrays of the emulator.

    Example:
        >>> runs("random", "cuda"), runs("random", "reference")
        (True, False)
    """
    return implementations(family)[name].runs_on(EMULATED.type)


def launches(mode: str, order: int = 0, **more: Any) -> Any:
    """The emulator's ``cupy.launches``: how kernels run inside a ``with`` block."""
    module_for(EMULATED)
    from minigrad.emulator.cupy import raw

    return raw.launches(mode, order, **more)


def ways() -> list[tuple[str, str, str, int]]:
    """Each way of running besides the plain one: the check, what is told of it, the mode and the order."""
    return [*(("orders", name, "fast", order) for name, order in ORDERS.items()), ("checked", "", "checked", 0)]


def check(
    family: str,
    name: str,
    progress: Progress = lambda done, total: None,
    doing: Doing = lambda words: None,
    broken: Collection[str] = (),
) -> Report:
    """Run all cases of a family's implementation on the emulator once more in each of the ``ABOUT`` ways.

    Args:
        family, name: an implementation that runs on the device type ``"emulated"``.
        progress: is told how many cases are done, and how many there are.
        doing: is told what is asked next, before it is.
        broken: functions known to fail, which are not asked.

    Returns:
        a report of these checks alone.
    """
    trial, notes = Trial(family, name, EMULATED), Notes()
    own = implementations(family)[name].functions
    cases = [case for case in trial.cases if case.function not in broken and (not own or case.function in own)]
    asked = [(way, case) for way in ways() for case in cases]
    for number, ((kind, how, mode, order), case) in enumerate(asked):
        progress(number, len(asked))
        for dtype in (SINGLE, DOUBLE) if has_floats(case) else (None,):
            about = ", ".join(filter(None, (case.name, str(dtype or ""), how)))
            doing(f"{kind}: {case.function} of {name}: {about}")
            try:
                with quiet():
                    call, beside = trial.arguments(case, dtype)
                    want, allowed = trial.wanted(case, beside)
                    placed = trial.placed(case, call)
                    with launches(mode, order):
                        returned = trial.run(case, placed.call)
                    got = outcome(trial.contract, case.function, returned, placed.call)
                    found = difference(trial.contract, case.function, got, want, allowed)
            except Unmade:
                continue
            except Raised as raised:
                found = Difference("", "results", str(raised))
            notes.note(kind, case.function, about, found)
    progress(len(asked), len(asked))
    return notes.report(family, name, len(cases))


def check_own(
    kernel: CudaKernel,
    where: device = EMULATED,
    progress: Progress = lambda done, total: None,
    doing: Doing = lambda words: None,
) -> Report:
    """Hold a kernel with a contract of its own against its reference.

    Args:
        kernel: the kernel.
        where: a GPU; or the emulator, on which it is run in all ways of ``OWN_ABOUT``.
        progress: is told how many launches are done, and how many there are.
        doing: is told what is launched next, before it is.

    Raises:
        KernelError: a contract that does not fit the kernel's head.
    """
    notes = Notes()
    every = [("values", "", "fast", 0), *(ways() if where.type == "emulated" else ())]
    asked = [(way, case) for way in every for case in kernel.cases]
    for number, ((kind, how, mode, order), case) in enumerate(asked):
        progress(number, len(asked))
        about = ", ".join(filter(None, (told(case), how)))
        doing(f"{kind}: {kernel.name}: {about}")
        grid, block, _ = kernel.sizes(case)
        if kind == "checked" and prod(grid) * prod(block) > MOST_WATCHED:
            continue
        given = kernel.given(case)
        want = kernel.wanted(given)
        try:
            if where.type == "emulated":
                with launches(mode, order):
                    got = kernel.launch(case, given, where)
            else:
                got = kernel.launch(case, given, where)
            found = kernel.difference(got, want)
        except CudaFault as fault:
            found = Difference("", "a launch without a fault", str(fault))
        notes.note(kind, str(kernel.key[0]), about, found)
    progress(len(asked), len(asked))
    return notes.report(kernel.path.name, str(kernel.key[0]), len(kernel.cases))
