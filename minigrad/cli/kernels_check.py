"""What ``minigrad kernels check`` asks of one implementation, and of one kernel with a contract of its own."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING

from minigrad.cli import apart
from minigrad.cli.reading import reading

if TYPE_CHECKING:
    from minigrad.kernels import CudaKernel
    from minigrad.kernels.verdict import Report

Checked = tuple["Report", dict[str, str]]  # what came of it, and the checks with what each asks


def of_family(family: str, name: str, *, emulate: bool) -> Checked:
    """Hold an implementation against its family's contract.

    Args:
        family, name: which.
        emulate: give it arrays of the emulator, and watch it there.

    Raises:
        KernelError: emulation without g++, or not on Linux.
    """
    from minigrad.bench import large
    from minigrad.kernels import emulation, laboratory, verdict

    if emulate:
        _need_compiler()
    with reading("cases") as progress:
        told = functools.partial(progress, f"{name} of {family}")
        report = laboratory.check(family, name, told, apart.doing, "emulated" if emulate else "cpu")
    about = verdict.CHECKS | (emulation.ABOUT if emulate else large.ABOUT)
    if report.reason:
        if not emulate and emulation.runs(family, name):
            report = dataclasses.replace(report, reason=f"{report.reason}; --emulate runs it on the CPU")
        return report, about
    with reading("watched" if emulate else "large ones") as progress:
        if emulate:
            told = functools.partial(progress, f"{name} of {family}, watched")
            more = emulation.check(family, name, told, apart.doing, report.broken)
            runs, failures = more.runs, more.failures
        else:
            told = functools.partial(progress, f"{name} of {family}, large")
            calls, failures = large.check(family, name, told, apart.doing, report.broken)
            runs = {"large": calls}
    further = emulation.ABOUT if emulate else large.ABOUT
    unasked = {check: {each: each for each in report.broken} for check in further} if report.broken else {}
    return dataclasses.replace(
        report,
        runs=report.runs | runs,
        failures=[*report.failures, *failures],
        unasked=report.unasked | unasked,
    ), about


def of_own(kernel: CudaKernel, *, emulate: bool) -> Checked:
    """Hold a kernel against its own reference.

    Raises:
        KernelError: a contract that does not fit the kernel; emulation without g++, or not on Linux; no GPU without emulation.
    """
    from minigrad.core.device import device, module_for
    from minigrad.errors import DeviceError, KernelError
    from minigrad.kernels import emulation

    where = emulation.EMULATED if emulate else device("cuda")
    if emulate:
        _need_compiler()
    else:
        try:
            module_for(where)
        except DeviceError as error:
            raise KernelError("kernels check", kernel.name, "a GPU", error.got, "Give --emulate to run it on the CPU") from None
    with reading("launches") as progress:
        report = emulation.check_own(kernel, where, functools.partial(progress, kernel.name), apart.doing)
    return report, emulation.OWN_ABOUT if emulate else {"values": emulation.OWN_ABOUT["values"]}


def _need_compiler() -> None:
    from minigrad.emulator import compiler

    compiler.compiler()
