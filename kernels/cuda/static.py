"""What can be known of a kernel without running it: registers, spills, memory, and the instructions of its hot loop.

Everything here is read from the machine code that NVRTC makes, and from what its assembler says. It tells how a kernel uses
the chip, not how fast it is: latencies that are hidden or not, caches, and the memory's speed are seen on a GPU alone.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from minigrad.core.machine import cache_folder
from minigrad.errors import KernelError
from minigrad.kernels.cuda import machine_code, nvrtc
from minigrad.kernels.cuda.loops import hot_loop
from minigrad.kernels.cuda.machine_code import Loop
from minigrad.kernels.cuda.occupancy import LIMITS, blocks_at_once

ARCHS = tuple(LIMITS)
_USED = re.compile(
    r"Used (\d+) registers(?:, used (\d+) barriers)?(?:, \d+ bytes cumulative stack size)?(?:, (\d+) bytes smem)?"
)
_FRAME = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")


@dataclass(frozen=True)
class Figures:
    """What a kernel is, for one architecture.

    Attributes:
        kernel: the expression that names it.
        arch: the compute capability without its point.
        registers: of a thread.
        spilled: bytes that a thread stores and loads for want of registers.
        stack: bytes of a thread's stack, where arrays lie that no register can hold.
        shared: bytes of static shared memory of a block.
        barriers: that a block uses.
        local: instructions that load or store local memory, which lies with all other memory outside the chip.
        size: all its instructions.
        loop: what its hot loop does.
    """

    kernel: str
    arch: int
    registers: int
    spilled: int
    stack: int
    shared: int
    barriers: int
    local: int
    size: int
    loop: Loop

    def blocks(self, threads: int, dynamic_shared: int = 0) -> int:
        """How many blocks of so many threads a multiprocessor holds at once."""
        shared = self.shared + dynamic_shared
        return blocks_at_once(LIMITS[self.arch], threads, self.registers, shared, self.barriers)


@dataclass(frozen=True)
class Request:
    """A text to be compiled, with the kernels in it that are asked for.

    Attributes:
        name: the file's, for messages.
        text: CUDA C++ with all that it includes.
        expressions: the kernels' names, those of templates with their parameters.
        options: for the compiler.
        arch: for which to compile it.
    """

    name: str
    text: str
    expressions: tuple[str, ...]
    options: tuple[str, ...]
    arch: int


def examine(requests: Iterable[Request], at_once: int | None = None) -> Iterator[list[Figures]]:
    """The figures of each request's kernels, in order; several are compiled at once, and what was compiled before is not.

    Args:
        requests: what to compile.
        at_once: how many; default: as many as this process has processors.

    Raises:
        KernelError: a text does not compile, or the packages are missing.
    """
    nvrtc.versions()
    with ThreadPoolExecutor(at_once or len(os.sched_getaffinity(0))) as pool:
        yield from pool.map(_kept, requests)


def figures(request: Request) -> list[Figures]:
    """The figures of a request's kernels, made anew.

    Raises:
        KernelError: the text does not compile, or the packages are missing.
    """
    compiled = nvrtc.translate(request.text, request.name, request.arch, request.expressions, request.options)
    with tempfile.TemporaryDirectory(prefix="minigrad-cubin-") as folder:
        path = Path(folder, "kernel.cubin")
        path.write_bytes(compiled.code)
        code = machine_code.kernels(nvrtc.disassemble(path))
    found = []
    for expression in request.expressions:
        symbol = compiled.symbols[expression]
        if symbol not in code:
            raise KernelError("cuda", f"{request.name}: {expression}", "a __global__ function", "another", "Name a kernel")
        found.append(_figures(expression, request.arch, symbol, compiled.log, code[symbol]))
    return found


def _figures(expression: str, arch: int, symbol: str, log: str, code: Sequence[machine_code.Instruction]) -> Figures:
    about = log.partition(f"Compiling entry function '{symbol}'")[2].partition("Compiling entry function")[0]
    used, frame = _USED.search(about), _FRAME.search(about)
    if used is None or frame is None:
        raise KernelError("cuda", expression, "registers and spills in what the assembler says", about.strip() or log.strip())
    stack, stored, loaded = map(int, frame.groups())
    registers, barriers, shared = (int(each or 0) for each in used.groups())
    local = sum(one.base in ("LDL", "STL") for one in code)
    size = sum(one.base != "NOP" for one in code)
    return Figures(expression, arch, registers, stored + loaded, stack, shared, barriers, local, size, hot_loop(code))


def _kept(request: Request) -> list[Figures]:
    """The figures of a request, from the cache where they are there."""
    everything = json.dumps([_readers(), nvrtc.versions(), asdict(request)])
    name = f"{hashlib.sha256(everything.encode()).hexdigest()[:32]}.json"
    with contextlib.suppress(OSError, RuntimeError, ValueError, TypeError, KeyError):  # missing or damaged: made anew
        return [_read(each) for each in json.loads((_folder() / name).read_text("utf-8"))]
    found = figures(request)
    with contextlib.suppress(OSError, RuntimeError):
        folder = _folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, made = tempfile.mkstemp(dir=folder, prefix=".making-")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump([asdict(each) for each in found], file)
        os.replace(made, folder / name)
    return found


@functools.cache
def _readers() -> str:
    """A digest of the code that makes figures of machine code: what another version of it made is not taken."""
    files = [Path(__file__).with_name(name) for name in ("loops.py", "machine_code.py", "nvrtc.py", "static.py")]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def _folder() -> Path:
    return cache_folder() / "cuda"


def _read(kept: dict[str, Any]) -> Figures:
    loop = kept["loop"]
    return Figures(**{**kept, "loop": Loop(**{**loop, "calls": tuple(loop["calls"])})})
