"""One case of a CUDA kernel of a user's own, run on the emulator so that it tells what its launches did."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from minigrad.core.device import quiet
from minigrad.errors import ArgumentError, CudaFault
from minigrad.kernels.cuda.own import CudaKernel, told
from minigrad.kernels.emulation import EMULATED, launches
from minigrad.kernels.registry import implementations
from minigrad.kernels.trial import SINGLE, Trial, has_floats


class Watchable(NamedTuple):
    """A case that can be watched.

    Attributes:
        name: as ``--case`` chooses it.
        run: launches what there is to launch; it raises what the launch does.
    """

    name: str
    run: Any


def cases_of_own(kernel: CudaKernel) -> Iterator[Watchable]:
    """The cases of a kernel with a contract of its own."""
    for case in kernel.cases:
        yield Watchable(told(case), lambda case=case: kernel.launch(case, kernel.given(case), EMULATED))


def cases_of_family(family: str, name: str) -> Iterator[Watchable]:
    """The family's cases, in float32, of the functions that a registered implementation has itself."""
    trial, own = Trial(family, name, EMULATED), implementations(family)[name].functions

    def run(case: Any) -> None:
        call, _ = trial.arguments(case, SINGLE if has_floats(case) else None)
        function = getattr(trial.own, case.function)
        placed = trial.placed(case, call)
        function(*placed.call[0], **placed.call[1])

    for case in trial.cases:
        if not own or case.function in own:
            yield Watchable(f"{case.function}: {case.name}", lambda case=case: run(case))


class Watched(NamedTuple):
    """What came of running a case.

    Attributes:
        name: the case.
        made: what its launches tell, each a record of ``emulator.cupy.raw.Launched``; the one with a fault is the last.
        fault: what is wrong with the kernel, where anything is.
    """

    name: str
    made: list[Any]
    fault: CudaFault | None


def watch(cases: list[Watchable], wanted: str, mode: str, **manner: Any) -> Watched:
    """Run one case, and give what its launches tell.

    Args:
        cases: those that there are.
        wanted: the name of one or a part of it, or its number from 1; nothing for the first that launches anything.
        mode: "profile" or "trace".
        manner: keywords of ``emulator.cupy.launches``.

    Raises:
        ArgumentError: no case of that name, or it launches nothing.
    """
    found = cases
    if wanted:
        exact = [case for number, case in enumerate(cases, 1) if wanted in (case.name, str(number))]
        found = exact or [case for case in cases if wanted in case.name]
        if not found:
            names = "; ".join(f"{number} {case.name}" for number, case in enumerate(cases, 1))
            raise ArgumentError("kernels", "--case", f"one of {names}", repr(wanted))
    for case in found:
        fault = None
        with quiet(), launches(mode, **manner) as made:
            try:
                case.run()
            except CudaFault as found_so:
                fault = found_so
        if made:
            return Watched(case.name, made, fault)
    raise ArgumentError("kernels", "--case", "a case that launches a kernel", f"{found[0].name}, which launches none")
