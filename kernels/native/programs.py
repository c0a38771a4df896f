"""Kernels turned into machine code, kept for the next time, and loaded.

Numba turns the Python function into LLVM's intermediate code (``compiler.py``); we put an entry of one shape before it,
optimise the whole, make an object file for this processor, keep it (``store.py``), and load it. The next process loads the file
and does not import Numba at all.

A kept file is found by a digest of all that it depends on: what the kernel refers to (``identity.py``), the sources that
turn it into code, the dtype, the processor's name and features, and the versions of Python, NumPy, Numba and llvmlite.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import importlib.metadata
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from minigrad.errors import KernelError
from minigrad.kernels.native import microkernel as micro
from minigrad.kernels.native.identity import Identity
from minigrad.kernels.native.language import NUMBERS, Kernel
from minigrad.kernels.native.launch import making
from minigrad.kernels.native.patience import finished_first
from minigrad.kernels.native.store import Store, read, store, write
from minigrad.kernels.native.target import Target, target

# What turns functions into code; what they say themselves is told by their identity.
SOURCES = ("brief.py", "compiler.py", "intrinsics.py", "matrix_unit.py", "microkernel.py", "programs.py", "target.py")
_loaded: dict[str, int] = {}  # symbol -> address


def address_of(kernel: Kernel, dtype: str | None) -> int:
    """Where the kernel's machine code for a dtype is, loaded or compiled now.

    Raises:
        KernelError: Numba or llvmlite is absent, or Numba cannot compile the function.
    """
    with making:
        known = identity(kernel)
        if "tile" in known.words:
            address_of_tile(dtype or "float64")
        symbol = _symbol_of(kernel, known, dtype)
        ours = kernel.__module__.startswith("minigrad.")
        return _load(symbol, symbol, lambda: _object(target(), _whole(kernel, dtype, symbol, target()), symbol), ours)


def address_of_tile(dtype: str) -> int:
    """Where the micro-kernel's machine code is, loaded or compiled now; kernels find it under its name.

    Raises:
        KernelError: Numba or llvmlite is absent.
    """
    with making:
        return _load(micro.name(dtype), _symbol_of_tile(dtype), lambda: _tile(dtype), True)


def file_of(kernel: Kernel | None, dtype: str | None) -> str:
    """The name under which a kernel's machine code for a dtype, or the micro-kernel's (``None``), is kept.

    Raises:
        KernelError: Numba or llvmlite is absent.
    """
    return _symbol_of_tile(dtype or "float64") if kernel is None else _symbol_of(kernel, identity(kernel), dtype)


def keep(kernel: Kernel | None, dtype: str | None, folder: Path) -> bool:
    """Compile a kernel for a dtype, or the micro-kernel (``None``), for other processes, and tell whether it was kept.

    Raises:
        KernelError: Numba or llvmlite is absent, or Numba cannot compile the function.
    """
    file = file_of(kernel, dtype)
    with making:
        code = _tile(dtype or "float64") if kernel is None else _object(target(), _whole(kernel, dtype, file, target()), file)
    return _read_sources() == _sources() and write(folder, f"{file}.o", code)


def is_kept(kernel: Kernel | None, dtype: str | None) -> bool:
    """Whether a kernel's machine code for a dtype, or the micro-kernel's (``None``), is on disk.

    Raises:
        KernelError: Numba or llvmlite is absent.
    """
    folder = store().folder
    return folder is not None and read(folder, f"{file_of(kernel, dtype)}.o") is not None


def identity(kernel: Kernel) -> Identity:
    """What a kernel's function refers to.

    Raises:
        KernelError: something that cannot become a part of machine code.
    """
    return Identity(kernel.__name__, kernel.function)


# ---------------------------------------------------------------------- keeping


def _symbol_of(kernel: Kernel, known: Identity, dtype: str | None) -> str:
    parts = (known.text, *kernel.kinds, kernel.reassociate, kernel.exact, dtype)
    return _symbol(kernel.__module__, kernel.__name__, dtype, *parts)


def _symbol_of_tile(dtype: str) -> str:
    return _symbol("native", "tile", dtype, dtype)


def _symbol(module: str, name: str, dtype: str | None, *parts: Any) -> str:
    """What a piece of machine code is called: readable, and another for all that differs in anything it depends on."""
    spoken = re.sub(r"\W", "_", f"{module.removeprefix('minigrad.kernels.')}_{name}_{dtype or 'any'}")[-80:]
    here = target()
    everything = [*map(repr, (module, name, *parts, *here)), _sources(), sys.version, *_versions()]
    digest = hashlib.sha256("\0".join(everything).encode()).hexdigest()
    return f"minigrad_{spoken}_{digest[:32]}"


@functools.cache
def _versions() -> tuple[str, ...]:
    try:
        return np.__version__, *(importlib.metadata.version(name) for name in ("numba", "llvmlite"))
    except importlib.metadata.PackageNotFoundError as error:
        raise _no_compiler(error) from error


def _no_compiler(error: ImportError) -> KernelError:
    if isinstance(error, ModuleNotFoundError):
        return KernelError("kernels", "compiler", "Numba", f"none ({error})", "pip install numba, or choose other kernels")
    known = "Numba 0.62 or later, with the parts of it that are used here"
    return KernelError("kernels", "compiler", known, f"another ({error})", "pip install numba==0.68.1, or choose other kernels")


@functools.cache
def _sources() -> str:
    return _read_sources()


def _read_sources() -> str:
    digest = hashlib.sha256()
    for name in SOURCES:
        digest.update(hashlib.sha256((Path(__file__).parent / name).read_bytes()).digest())
    return digest.hexdigest()


def _load(symbol: str, file: str, make: Callable[[], bytes], ours: bool) -> int:
    """The address of ``symbol``: loaded already, or kept in a file, or in what ``make`` gives, which is then kept.

    What is ``ours``, minigrad's own, companions help to make.
    """
    if symbol not in _loaded:
        there = store()
        code = read(there.folder, f"{file}.o") if there.folder else None
        if code is None:
            _say_once(there)
            code = _made(there, file, make, ours)
        _loaded[symbol] = _linked(code, symbol)
    return _loaded[symbol]


def _made(there: Store, file: str, make: Callable[[], bytes], ours: bool) -> bytes:
    """What ``make`` gives, then kept, or what a companion has made and kept meanwhile."""
    from minigrad.kernels.native import companions  # a process that finds all that it needs has none

    with companions.shared(there, file, ours) as code:
        if code is None:
            with finished_first():
                code = make()
                # Sources that changed since this process began are not what has been compiled.
                if there.folder and not there.trouble and _read_sources() == _sources():
                    write(there.folder, f"{file}.o", code)
    return code


_said = False


def say_nothing() -> None:
    """Do not tell of the first kernel that is compiled: someone else shows what is going on."""
    global _said
    _said = True


def _say_once(there: Store) -> None:
    global _said
    if not _said and sys.stderr is not None:
        _said = True
        how = f"not kept: {there.trouble}; see minigrad doctor" if there.trouble else f"once: kept in {there.folder}"
        sys.stderr.write(f"minigrad: compiling kernels for this processor ({how})\n")


# ---------------------------------------------------------------------- making


def load_compiler() -> None:
    """Import Numba, which takes a second.

    Raises:
        KernelError: Numba or llvmlite is absent.
    """
    try:
        with finished_first():
            from minigrad.kernels.native import compiler  # noqa: F401
    except ImportError as error:
        raise _no_compiler(error) from error


def _tile(dtype: str) -> bytes:
    here = target()
    return _object(here, _parsed(here, micro.module(here, dtype)), micro.name(dtype))


def _whole(kernel: Kernel, dtype: str | None, symbol: str, here: Target) -> Any:
    """A kernel's LLVM module, with its entry."""
    try:
        from minigrad.kernels.native.compiler import lowered
    except ImportError as error:
        raise _no_compiler(error) from error
    made, inner = lowered(kernel, dtype, here)
    made.triple = here.triple
    made.link_in(_parsed(here, _entry(kernel.kinds, symbol, inner)))
    return made


def _entry(kinds: tuple[str, ...], symbol: str, inner: str) -> str:
    """A function (arguments, part, parts) that reads the arguments from 8-byte words and calls the kernel, as LLVM's text."""
    names = {"int": "i64", "float": "double"}
    types = [names[kind] if kind in NUMBERS else "ptr" for kind in kinds]
    loads = [
        f"  %at{i} = getelementptr i64, ptr %arguments, i64 {i}\n  %v{i} = load {kind}, ptr %at{i}, align 8"
        for i, kind in enumerate(types)
    ]
    given = ", ".join(
        ["ptr %result", "ptr %error", *[f"{kind} %v{i}" for i, kind in enumerate(types)], "i64 %part", "i64 %parts"]
    )
    listed = ", ".join(["ptr", "ptr", *types, "i64", "i64"])
    return "\n".join([
        f'declare i32 @"{inner}"({listed})',
        f"define void @{symbol}(ptr %arguments, i64 %part, i64 %parts) {{",
        "  %result = alloca ptr\n  %error = alloca ptr",
        *loads,
        f'  %status = call i32 @"{inner}"({given})',
        "  ret void\n}",
    ])  # fmt: skip


def assembly(kernel: Kernel, dtype: str | None, here: Target) -> str:
    """A kernel's machine code for a processor, which need not be this one, in its assembly language.

    Raises:
        KernelError: Numba is absent or cannot compile the function.
    """
    _ready().initialize_all_targets()
    _ready().initialize_all_asmprinters()
    symbol = f"minigrad_{kernel.__name__}"
    made = _whole(kernel, dtype, symbol, here)
    return _optimised(here, made, symbol).emit_assembly(made)


def tile_assembly(dtype: str, here: Target) -> str:
    """The micro-kernel's machine code for a processor, which need not be this one, in its assembly language."""
    _ready().initialize_all_targets()
    _ready().initialize_all_asmprinters()
    made = _parsed(here, micro.module(here, dtype))
    return _optimised(here, made, micro.name(dtype)).emit_assembly(made)


def compile_seconds(kernel: Kernel, dtype: str | None) -> float:
    """How long it takes to compile a kernel anew; nothing is kept.

    Raises:
        KernelError: Numba is absent or cannot compile the function.
    """
    with making:
        begin = time.perf_counter()
        symbol = f"minigrad_{kernel.__name__}"
        _object(target(), _whole(kernel, dtype, symbol, target()), symbol)
        return time.perf_counter() - begin


# ---------------------------------------------------------------------- LLVM


@functools.cache
def _ready() -> Any:
    with finished_first():
        import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm


def _parsed(here: Target, text: str) -> Any:
    made = _ready().parse_assembly(text)
    made.triple = here.triple
    return made


def machine(here: Target) -> Any:
    """LLVM's code generator for a processor."""
    reloc = "static" if here.triple.startswith(("x86", "i686")) else "default"  # what LLVM can load several of into one process
    chosen = _ready().Target.from_triple(here.triple)
    return chosen.create_target_machine(
        cpu=here.cpu, features=here.features, opt=3, reloc=reloc, codemodel="jitdefault", jit=True
    )


def _object(here: Target, made: Any, symbol: str) -> bytes:
    """An object file in which only ``symbol`` can be seen, and only what it calls is left.

    Raises:
        KernelError: it calls what a process without Numba does not have, which would end that process.
    """
    generator = _optimised(here, made, symbol)
    with contextlib.suppress(TypeError):  # Windows has no one place to look in
        process = ctypes.CDLL(None)
        for name in (each.name for each in made.functions if each.is_declaration):
            if not (name.startswith(("llvm.", "minigrad_tile_")) or hasattr(process, name)):
                raise KernelError(symbol, name, "functions of the C library", "one of Numba's own", "Write it as a @helper")
    return generator.emit_object(made)


def _optimised(here: Target, made: Any, symbol: str) -> Any:
    """The code generator, after it has improved a module of which only ``symbol`` is called from outside."""
    llvm = _ready()
    generator = machine(here)
    for each in (*made.functions, *made.global_variables):
        if not each.is_declaration and each.name != symbol:
            each.linkage = "internal"
    builder = llvm.create_pass_builder(generator, llvm.create_pipeline_tuning_options(speed_level=2))
    builder.getModulePassManager().run(made, builder)
    made.verify()
    return generator


@functools.cache
def _engine() -> Any:
    """LLVM's loader, one for all: it takes a tenth of a millisecond for an object file. What it loads is never unloaded."""
    llvm = _ready()
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine(target()))


def _linked(code: bytes, symbol: str) -> int:
    _engine().add_object_file(_ready().ObjectFileRef.from_data(code))
    _engine().finalize_object()
    return _engine().get_function_address(symbol)
