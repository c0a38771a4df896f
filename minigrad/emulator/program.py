"""CUDA C++ programs on the CPU: compiled by g++, every CUDA thread a fiber of its own.

The text is what NVRTC compiles for a GPU. ``mode="fast"`` computes, and ends with a :class:`CudaFault` where no GPU could go
on: at divergent barriers and deadlocks, addresses that are nowhere, failed assertions. ``mode="checked"`` looks at every access
of every thread, which takes two to forty times as long, and finds what a GPU keeps to itself: races, reads of what nobody
wrote, accesses outside an array, misaligned vectors, writes through ``const``. ``mode="profile"`` counts what each line asks of
a GPU's memory (``profile.py``), and ``mode="trace"`` tells what each thread of a block did (``trace.py``).
"""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minigrad.emulator import arguments as checks
from minigrad.emulator import compiler, library, profile, source, trace
from minigrad.emulator.arguments import Parameter
from minigrad.emulator.findings import Finding, Sources, told
from minigrad.emulator.guarded import Guarded
from minigrad.emulator.profile import LineUse
from minigrad.emulator.trace import Event
from minigrad.errors import ArgumentError, CudaFault, KernelError

MODES = ("fast", "checked", "profile", "trace")  # numbered as in runtime/launch.hpp
MOST_EVENTS = 100_000  # that a trace records where nothing else is said
ALL_BLOCKS = 2**64 - 1  # as in runtime/launch.hpp
WORTH_A_WORKER = 2048  # CUDA threads
REMEDIES = (  # for words of g++'s
    (
        "No such file or directory",
        "Include nothing but <cooperative_groups.h>: CUDA's types and functions are there without a header",
    ),
    ("'__shared__' was not declared", "Write __shared__ declarations out, where no macro hides them"),
    ("Assembler messages", "Put inline PTX behind #ifndef MINIGRAD_EMULATOR, and beside it what it does in C++"),
)


class Report(NamedTuple):
    """What a launch tells.

    Attributes:
        findings: what is wrong with the kernel.
        lines: in profile mode, what each line asked of the GPU's memory.
        events: in trace mode, what the threads of a block did, in the order in which they ran.
        left_out: how much more would be in ``events``, or how many accesses more in ``lines``, were there no limit.
    """

    findings: list[Finding]
    lines: Sequence[LineUse] = ()
    events: Sequence[Event] = ()
    left_out: int = 0


class Program:
    """CUDA C++, compiled for this processor; ``program[name]`` is a kernel.

    Args:
        source_text: the text of a ``.cu`` file. There are no headers to include.
        name: the file's name, for messages.
        options: as for NVRTC: ``-DNAME=VALUE``, ``-DNAME`` and ``--fmad=false``; what else NVRTC takes has no meaning here.
        expressions: instantiations of templates, like ``"forward<float, 64>"``; kernels that are ``extern "C"`` need none.
        mode: ``"fast"`` computes, ``"checked"`` looks for faults, ``"profile"`` counts, ``"trace"`` records.

    Raises:
        KernelError: the text does not compile, has no kernel, or there is no g++.

    Example:
        >>> program = Program('''
        ... template <typename T>
        ... __global__ void scale(const T* x, T* y, T factor, int n) {
        ...     int i = blockIdx.x * blockDim.x + threadIdx.x;
        ...     if (i < n) y[i] = factor * x[i];
        ... }''', expressions=("scale<float>",))
        >>> x, y = np.arange(5, dtype=np.float32), np.empty(5, np.float32)
        >>> report = program["scale<float>"].launch(1, 32, (x, y, np.float32(2), np.int32(5)))
        >>> y
        array([0., 2., 4., 6., 8.], dtype=float32)
    """

    def __init__(
        self,
        source_text: str,
        *,
        name: str = "kernel.cu",
        options: Sequence[str] = (),
        expressions: Sequence[str] = (),
        mode: str = "fast",
    ) -> None:
        if mode not in MODES:
            raise ArgumentError("Program", "mode", " or ".join(map(repr, MODES)), repr(mode))
        self.name, self.mode = name, mode
        definitions = source.definitions(source_text)
        names = [one.name for one in definitions if one.callable_by_name]
        names += [one for one in expressions if one not in names]
        if not names:
            raise KernelError("Program", name, 'a kernel that is extern "C", or expressions', "neither",
                              "Write extern \"C\" before __global__, or pass expressions=('name<float>',)")  # fmt: skip
        text = _translated(source_text, name, options, names, mode)
        library.runtime()
        try:
            contract = not {"--fmad=false", "-fmad=false"} & set(options)
            path = compiler.program_library(text, "fast" if mode == "fast" else "observed", name, contract)
        except compiler.CompileError as error:
            raise _refused(str(error), Sources(name, source_text, Path()), name) from None
        self._library = ctypes.CDLL(str(path))
        self._sources = Sources(name, source_text, path)
        self._parallel = re.search(r"\batomic[A-Z]", source_text) is None
        self._kernels = {}
        listed = self._library.emulator_program
        listed.restype = ctypes.POINTER(library.CEntry)
        entries = listed()
        for at, one in enumerate(names):
            plain = re.split(r"[<\s]", one.strip())[0].split("::")[-1]
            known = next((each for each in definitions if each.name == plain), source.Definition(plain, (), False))
            most = known.most_threads(one, source_text) or checks.MOST_THREADS
            self._kernels[one] = Kernel(self, one, entries[at], known.parameters, most)

    def __getitem__(self, name: str) -> Kernel:
        try:
            return self._kernels[name]
        except KeyError:
            known = ", ".join(map(repr, self._kernels))
            raise KernelError("Program", self.name, f"one of its kernels ({known})", repr(name),
                              "Name a template's instantiation in expressions") from None  # fmt: skip

    def __contains__(self, name: object) -> bool:
        return name in self._kernels

    def __iter__(self) -> Iterator[str]:
        return iter(self._kernels)

    def __len__(self) -> int:
        return len(self._kernels)

    def variable(self, name: str) -> np.ndarray:
        """The bytes of a ``__constant__`` variable, to be filled by the host; a view, not a copy.

        Raises:
            KernelError: there is no such variable.

        Example:
            >>> program = Program('__constant__ float factor[2]; extern "C" __global__ void f(float* y) { *y = factor[1]; }')
            >>> program.variable("factor").view(np.float32)[:] = [3, 4]
            >>> y = np.zeros(1, np.float32)
            >>> report = program["f"].launch(1, 1, (y,))
            >>> float(y[0])
            4.0
        """
        size = _symbol_size(self._library, name)
        if size is None:
            raise KernelError(
                "Program", self.name, "the name of a __constant__ variable", repr(name), "Declare it outside all functions"
            )
        return np.ctypeslib.as_array((ctypes.c_uint8 * size).in_dll(self._library, name))


class Kernel:
    """A kernel of a program.

    Attributes:
        name: by which the program has it.
        parameters: what it takes, in order.
        most_threads: of a block: 1024, or what its ``__launch_bounds__`` says in plain words.
    """

    def __init__(self, program: Program, name: str, entry: library.CEntry, names: Sequence[str], most_threads: int) -> None:
        self.program, self.name, self._entry, self.most_threads = program, name, entry, most_threads
        listed = [names[at] if len(names) == entry.count else f"argument {at}" for at in range(entry.count)]
        self.parameters: tuple[Parameter, ...] = tuple(
            checks.described(entry.parameters[at], one) for at, one in enumerate(listed)
        )

    def __repr__(self) -> str:
        return f"<kernel {self.name}({', '.join(map(str, self.parameters))}) of {self.program.name}>"

    def launch(
        self,
        grid: int | Sequence[int],
        block: int | Sequence[int],
        arguments: Sequence[Any],
        shared: int = 0,
        order: int = 0,
        cooperative: bool = False,
        *,
        most_shared: int = checks.MOST_SHARED,
        uninitialised: Sequence[str | int] = (),
        reachable: Sequence[np.ndarray] = (),
        addressed: Sequence[np.ndarray] = (),
        raise_findings: bool = True,
        placed: bool = False,
        watched: int | Sequence[int] | None = None,
        most_events: int = MOST_EVENTS,
    ) -> Report:
        """Run the kernel, and return when all its threads have ended.

        Args:
            grid: numbers of blocks, one to three.
            block: numbers of threads in a block, one to three.
            arguments: NumPy arrays for pointers (``None`` for a null pointer), NumPy scalars for numbers.
            shared: bytes of dynamic shared memory.
            order: in which threads and blocks run: 0 as numbered, 1 backwards, else shuffled by this seed.
            cooperative: all blocks at once, so that they can wait for each other with ``grid_sync``.
            most_shared: bytes that a block may have of static and dynamic shared memory together.
            uninitialised: names or places of arrays that hold nothing yet: reading them before writing is a finding.
            reachable: arrays whose addresses the kernel finds in memory.
            addressed: C-contiguous arrays whose addresses stand in structures among the arguments, in fields of uint64.
            raise_findings: raise what is found; else it is in the report.
            placed: arrays lie where they would on a GPU, whose memory begins at multiples of 256. Else, where it matters, they
                are taken to begin there, and views to lie where they do in their array.
            watched: the block that is profiled or traced; by default the first is traced, and all are profiled.
            most_events: that a trace records.

        Raises:
            ArgumentError, DTypeError, ShapeError: arguments or sizes that do not fit.
            CudaFault: what is wrong with the kernel.

        Example:
            >>> program = Program('''
            ... extern "C" __global__ void shift(float* x, int n) {
            ...     int i = threadIdx.x;
            ...     if (i < n) x[i] = x[i + 1];
            ... }''', mode="checked")
            >>> x = np.zeros(4, np.float32)
            >>> for finding in program["shift"].launch(1, 4, (x, np.int32(4)), raise_findings=False).findings:
            ...     print(finding)
            race: one thread writes x, byte 4 of 16, another reads it, and nothing orders the two
              kernel.cu:4: if (i < n) x[i] = x[i + 1];
                block (0, 0, 0), thread (1, 0, 0)
              kernel.cu:4: if (i < n) x[i] = x[i + 1];
                block (0, 0, 0), thread (0, 0, 0)
              found 2 times
              Put a __syncthreads() between, or a __syncwarp() where only one warp comes: its lanes do not run in step.
            out of bounds: the thread reads 4 bytes at x, byte 16 of 16: 0 bytes past its end
              kernel.cu:4: if (i < n) x[i] = x[i + 1];
                block (0, 0, 0), thread (3, 0, 0)
              Guard the access with the size, or launch fewer threads; check how the index is computed.
        """
        where = f"launch of {self.name}"
        grid, block = checks.sizes(where, grid, block, shared, cooperative, self.most_threads)
        packed = checks.pack(where, self.parameters, arguments, uninitialised, (*reachable, *addressed))
        guarded = None
        mode = self.program.mode
        if mode == "checked":
            checks.check_countable(where, grid, block)
        if mode != "fast":
            arrays = [one for one in arguments if isinstance(one, np.ndarray)]
            guarded = Guarded([*arrays, *addressed], reachable, aligned=mode != "checked" and not placed)
            moved = [guarded.given(one) for one in arguments]
            beside = [guarded.moved(one) for one in addressed]
            packed = checks.pack(where, self.parameters, moved, uninitialised, (*reachable, *beside))
        buffers = (library.CBuffer * max(1, len(packed.buffers)))(*packed.buffers)
        request = library.CRequest(
            entry=ctypes.addressof(self._entry),
            arguments=ctypes.addressof(packed.pointers),
            buffers=ctypes.addressof(buffers),
            buffer_count=len(packed.buffers),
            mode=MODES.index(mode),
            grid=grid,
            block=block,
            dynamic_shared=int(shared),
            most_shared=most_shared,
            order=int(order) % 2**64,
            cooperative=bool(cooperative),
            workers=self._workers(grid, block, cooperative),
            watched_block=checks.watched_block(where, watched, grid, ALL_BLOCKS if mode == "profile" else 0),
            most_events=most_events,
        )
        handle = library.run(request)
        if guarded is not None:
            written = [one for one, parameter in zip(moved, self.parameters) if parameter.written_by(one)]
            guarded.bring_back([*written, *beside])
        try:
            report = self._report(handle)
        finally:
            library.runtime().emulator_free(handle)
        if report.findings and raise_findings:
            raise CudaFault(where, report.findings)
        return report

    def _workers(self, grid: tuple[int, int, int], block: tuple[int, int, int], cooperative: bool) -> int:
        """Threads of the system: one where order matters to the result, as with atomics."""
        if cooperative or self.program.mode != "fast" or not self.program._parallel:
            return 1
        blocks = grid[0] * grid[1] * grid[2]
        work = blocks * block[0] * block[1] * block[2]
        return max(1, min(_threads(), blocks, work // WORTH_A_WORKER))

    def _report(self, handle: Any) -> Report:
        runtime, program = library.runtime(), self.program
        found = runtime.emulator_findings(handle)[: runtime.emulator_finding_count(handle)]
        if not found and program.mode in ("fast", "checked"):
            return Report([])
        base = _loaded_at(program._library.emulator_program)
        names = [one.name for one in self.parameters]
        report = Report(told(found, program._sources, base, names) if found else [])
        if program.mode == "profile":
            lines, left_out = profile.read(handle, program._sources, base, names)
            return report._replace(lines=lines, left_out=left_out)
        if program.mode == "trace":
            events, left_out = trace.read(handle, program._sources, base, self.parameters)
            return report._replace(events=events, left_out=left_out)
        return report


def _threads() -> int:
    chosen = os.environ.get("MINIGRAD_THREADS", "")
    return max(1, int(chosen)) if chosen.isdigit() else len(os.sched_getaffinity(0))


def _translated(text: str, name: str, options: Sequence[str], names: Sequence[str], mode: str) -> str:
    """The text that g++ compiles."""
    defined = []
    for option in options:
        if option.startswith("-D") and len(option) > 2:
            word, _, value = option[2:].partition("=")
            defined.append(f"#define {word} {value if '=' in option else 1}")
    body = source.rewritten(text, name)
    if mode == "fast":
        body = source.with_unrolling(body)
    entries = "".join(f'emulator::entry("{one}", &{one}),' for one in names)
    lines = [
        '#include "cuda.hpp"',
        *defined,
        f'#line 1 "{name}"',
        body,
        '#line 1 "expressions"',
        f"EMULATOR_KERNELS({entries})",
        "",
    ]
    return "\n".join(lines)


def _refused(said: str, sources: Sources, name: str) -> KernelError:
    """What g++ says of a program, with the source line of each error and the template values that led there."""
    lines, first = [], ""
    for line in said.splitlines():
        told = re.match(r"(?:\./)?(\S+?):(\d+):(?:\d+:)? (.*)", line)
        if told is None:
            if "In instantiation of" in line or "[with" in line:
                lines.append(f"  {line.split(': ', 1)[-1].strip()}")
            continue
        place = sources.place(told[1], int(told[2]))
        if told[3].startswith(("error", "fatal error")):
            first = first or str(place)
            lines.append(f"{place}: {told[3]}" + (f"\n    {place.text}" if place.text else ""))
        elif "required from" in told[3] and "with" in told[3]:
            lines.append(f"  {told[3].strip()}")
    remedy = next((remedy for words, remedy in REMEDIES if words in said), "Mend the line")
    got = "\n".join(lines) if any("error" in line for line in lines) else said
    return KernelError("Program", first or name, "CUDA C++ that compiles", f"\n{got}\n", remedy)


class _Information(ctypes.Structure):
    _fields_ = (("file", ctypes.c_char_p), ("base", ctypes.c_void_p), ("name", ctypes.c_char_p), ("address", ctypes.c_void_p))


def _loaded_at(function: Any) -> int:
    """The address at which the library of a function begins."""
    found = _Information()
    ctypes.CDLL(None).dladdr(ctypes.cast(function, ctypes.c_void_p), ctypes.byref(found))
    return found.base or 0


def _symbol_size(loaded: ctypes.CDLL, name: str) -> int | None:
    """The size of an exported variable, as the file's table of symbols has it."""

    class Symbol(ctypes.Structure):
        _fields_ = (
            *(("name", ctypes.c_uint32), ("info", ctypes.c_ubyte), ("other", ctypes.c_ubyte), ("section", ctypes.c_uint16)),
            *(("value", ctypes.c_uint64), ("size", ctypes.c_uint64)),
        )

    try:
        address = ctypes.addressof(ctypes.c_ubyte.in_dll(loaded, name))
    except ValueError:
        return None
    found, symbol = _Information(), ctypes.POINTER(Symbol)()
    ctypes.CDLL(None).dladdr1(ctypes.c_void_p(address), ctypes.byref(found), ctypes.byref(symbol), 1)
    return symbol.contents.size if symbol and symbol.contents.info & 15 == 1 else None
