"""One case of a CUDA kernel of a user's own, run on the emulator so that it tells what its launches did."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from minigrad.core.device import quiet
from minigrad.errors import ArgumentError
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


def watch(cases: list[Watchable], wanted: str, mode: str, **manner: Any) -> tuple[str, list[Any]]:
    """Run one case, and give its name and what its launches tell: records of ``emulator.cupy.raw.Launched``.

    Args:
        cases: those that there are.
        wanted: the name of one or a part of it, or its number from 1; nothing for the first that launches anything.
        mode: "profile" or "trace".
        manner: keywords of ``emulator.cupy.launches``.

    Raises:
        ArgumentError: no case of that name, or it launches nothing.
        CudaFault: what is wrong with the kernel.
    """
    found = cases
    if wanted:
        exact = [case for number, case in enumerate(cases, 1) if wanted in (case.name, str(number))]
        found = exact or [case for case in cases if wanted in case.name]
        if not found:
            names = "; ".join(f"{number} {case.name}" for number, case in enumerate(cases, 1))
            raise ArgumentError("kernels", "--case", f"one of {names}", repr(wanted))
    for case in found:
        with quiet(), launches(mode, **manner) as made:
            case.run()
        if made:
            return case.name, made
    raise ArgumentError("kernels", "--case", "a case that launches a kernel", f"{found[0].name}, which launches none")
