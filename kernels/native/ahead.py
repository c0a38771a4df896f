"""All kernels of all families, compiled ahead: what ``minigrad warmup`` does."""

from __future__ import annotations

import importlib
import multiprocessing
import pkgutil
import signal
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from minigrad.core.machine import cores
from minigrad.kernels.native import companions, programs
from minigrad.kernels.native.language import Kernel

# Words that mean the same in each dtype.
_PLAIN = {"offset", "share", "choose", "tile_rows", "breathe", "invoke", "wait_for", "wake",
          "atomic_add", "atomic_swap", "atomic_load", "atomic_store"}  # fmt: skip


class Job(NamedTuple):
    """A kernel to be compiled for a dtype. The micro-kernel has an empty ``module``."""

    module: str
    name: str
    dtype: str | None

    def kernel(self) -> Kernel | None:
        """The kernel itself; ``None`` for the micro-kernel."""
        return dict(_kernels(self.module))[self.name] if self.module else None

    def is_kept(self) -> bool:
        """Whether the machine code is on disk already."""
        return programs.is_kept(self.kernel(), self.dtype)

    @property
    def title(self) -> str:
        """What the user is told: the family, the file, and the kernel's name there."""
        return f"{self.module.removeprefix('minigrad.kernels.')}.{self.name}".strip(".")


def jobs(dtypes: Sequence[str] = ("float32",)) -> list[Job]:
    """Every kernel of minigrad's, for each of the dtypes that makes a difference to it.

    Those that others need come first, so that two processes do not both compile them.

    Raises:
        KernelError: a kernel that cannot be compiled.

    Example:
        >>> sorted(job.name for job in jobs() if job.module == "minigrad.kernels.native.pool")
        ['divide', 'serve']
    """
    package = importlib.import_module("minigrad.kernels")
    found = []
    for module in sorted(each.name for each in pkgutil.walk_packages(package.__path__, "minigrad.kernels.")):
        for name, kernel in _kernels(module):
            words = programs.identity(kernel).words
            typed = "Real" in kernel.kinds or not words <= _PLAIN
            found += [("tile" in words, Job(module, name, dtype)) for dtype in (dtypes if typed else (None,))]
    found.sort(key=lambda each: each[0])
    return [*(Job("", "tile", dtype) for dtype in dtypes), *(job for _, job in found)]


def _kernels(module: str) -> Iterator[tuple[str, Kernel]]:
    """The kernels that a module makes, under its names: those in its tables, too."""
    for name, value in vars(importlib.import_module(module)).items():
        inner = {f"{name}[{key!r}]": each for key, each in value.items()} if isinstance(value, dict) else {name: value}
        for path, each in inner.items():
            if isinstance(each, Kernel) and each.__module__ == module:
                yield path, each


def compiled(listed: Sequence[Job], processes: int | None = None) -> Iterator[tuple[Job, float]]:
    """Compile kernels, several at once where there are cores for it, and tell each with its seconds when it is done.

    Args:
        listed: what to compile.
        processes: how many at once; as many as there are cores, by default.

    Raises:
        KernelError: a kernel that cannot be compiled.
    """
    count = min(processes or cores().usable, len(listed))
    programs.say_nothing()
    companions.start_none()
    if count < 2:
        yield from map(_compile, listed)
        return
    with multiprocessing.get_context("spawn").Pool(count, _begin) as workers:
        yield from workers.imap_unordered(_compile, listed)


def _begin() -> None:
    """A worker lets its parent do the talking, and take the Ctrl-C."""
    programs.say_nothing()
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _compile(job: Job) -> tuple[Job, float]:
    begin = time.perf_counter()
    kernel = job.kernel()
    if kernel is None:
        programs.address_of_tile(job.dtype or "float64")
    else:
        kernel.prepare(job.dtype)
    return job, time.perf_counter() - begin
