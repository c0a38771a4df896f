"""What ``minigrad doctor`` looks at in the kernels: which there are, how the compiled ones run here, and CUDA without a GPU."""

from __future__ import annotations

import os

from minigrad.cli.finding import NOTE, OK, Finding, Found


def families() -> Found:
    """What can run each family here, and what does. Only a choice of the user's is loaded, to see that it is one."""
    from minigrad.core.device import get_default_device
    from minigrad.kernels import choice, registry

    here = get_default_device().type
    wish = os.environ.get(choice.ENVIRONMENT, "").replace(" ", "")
    wished = dict(part.split("=", 1) for part in wish.split(",") if "=" in part)
    for family in registry.families():
        all_of_it = registry.implementations(family)
        used = wished.get(family) or next((name for name, one in all_of_it.items() if one.runs_on(here)), "")
        reasons = {name: registry.reason_not_available(family, name) for name in all_of_it}
        told = {name: "no GPU" if all_of_it[name].device == "cuda" else reason for name, reason in reasons.items() if reason}
        names = [
            name + (" (used)" if name == used else "") + (f" (not here: {told[name]})" if name in told else "")
            for name in all_of_it
        ]
        if wish or not used or reasons.get(used, ""):
            choice.find(family, here)
        yield Finding("kernels", family, ", ".join(names))


def compiled() -> Found:
    """How the compiled kernels run here: threads, instructions, what is kept for the next process and the next step."""
    from minigrad.cli.terminal import byte_size
    from minigrad.kernels.native import memory, threads
    from minigrad.kernels.native.store import kept, store
    from minigrad.kernels.native.target import target

    count = threads()
    yield Finding("kernels", "threads", f"{count}, of kernels and BLAS together" if count > 1 else "1")
    there = store()
    if there.folder is None or there.trouble:
        told = f"each process compiles its kernels anew: {there.trouble}"
        yield Finding("kernels", "compiled", told, NOTE, there.remedy)
    else:
        number, size = kept(there.folder)
        yield Finding("kernels", "compiled", f"{number} kept in {there.folder}, {byte_size(size)}")
    here = target()
    tile = f"{here.rows} x {here.vectors * here.lanes('float32')}"
    yield Finding("kernels", "compiled for", f"{here.kind} ({here.cpu}), tiles of {tile} float32")
    reason = memory.wanted()
    told = f"left to the system: {reason}" if reason else "kept from step to step: a training step takes no new pages"
    yield Finding("kernels", "memory", told)


def emulator() -> Found:
    """Whether CUDA kernels can run on the CPU: by g++, which compiles them."""
    from minigrad.emulator import compiler
    from minigrad.errors import KernelError

    lost = "CUDA kernels cannot be run, checked and traced on the CPU"
    try:
        path = compiler.compiler()
    except KernelError as error:
        on_linux = error.argument != "system"  # elsewhere there is nothing to install
        got = error.got if error.argument == "system" or error.got != "none" else "no g++ on the PATH"
        yield Finding("kernels", "emulator", f"{got}: {lost}", NOTE if on_linux else OK, error.remedy if on_linux else "")
        return
    yield Finding("kernels", "emulator", f"g++ {compiler.version_of(path)}: CUDA kernels run on the CPU, without a GPU")
