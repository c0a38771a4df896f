"""Kernels turned into machine code, and the machine code kept for the next time.

Numba turns the Python function into LLVM's intermediate code; we put an entry of one shape before it, throw away what it does not need, make
an object file for this processor, and load that. The next process loads the file and does not import Numba at all.

A kept file is found by a digest of all that it depends on: the sources of this folder and of the kernel's own (a change of any is
noticed), the processor's name and features, the dtype, and the versions of Python, Numba and llvmlite. It carries a digest of its own
contents: what is damaged is made anew. Machine code is run, so the folder must belong to this user and be writable by no one
else; otherwise nothing is read from it or kept in it.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import importlib.metadata
import os
import sys
import tempfile
import time
from pathlib import Path
from types import FunctionType
from typing import Any

from minigrad.core.machine import cache_folder
from minigrad.errors import KernelError
from minigrad.kernels.native import microkernel as micro
from minigrad.kernels.native.language import NUMBERS, Helper, Kernel, Word
from minigrad.kernels.native.launch import making
from minigrad.kernels.native.target import Target, target

MAGIC = b"minigrad kernel 1\n"
HERE = Path(__file__).resolve().parent
_loaded: dict[str, int] = {}  # symbol -> address
_kept: list[Any] = []  # LLVM's engines: their code must live as long as the process


def address_of(kernel: Kernel, dtype: str | None) -> int:
    """Where the kernel's machine code for a dtype is, loaded or compiled now.

    Raises:
        KernelError: Numba is absent, or cannot compile the function.
    """
    family = kernel.__module__.removeprefix("minigrad.kernels.").replace(".", "_")
    symbol = f"minigrad_{family}_{kernel.__name__}_{dtype or 'none'}"
    with making:
        if symbol not in _loaded:
            _load_tile(dtype or "float64")
            key = _key(symbol, _sources(Path(kernel.function.__code__.co_filename).parent))
            _loaded[symbol] = _loaded_from(symbol, key, lambda: _compile(kernel, dtype, symbol))
        return _loaded[symbol]


def folder() -> Path | None:
    """Where machine code is kept, or ``None`` where no folder is this user's alone."""
    try:
        where = cache_folder() / "kernels"
        where.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = where.stat()
    except (OSError, RuntimeError):
        return None
    if hasattr(os, "getuid") and (found.st_uid != os.getuid() or found.st_mode & 0o022):
        return None
    return where


# ---------------------------------------------------------------------- keeping


def _key(symbol: str, sources: str) -> str:
    here = target()
    parts = [symbol, sources, *map(str, here), sys.version, *_versions()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


@functools.cache
def _versions() -> tuple[str, ...]:
    return tuple(importlib.metadata.version(name) for name in ("numba", "llvmlite"))


@functools.cache
def _sources(of: Path) -> str:
    """A digest of the sources of this folder and of a kernel's."""
    digest = hashlib.sha256()
    for place in dict.fromkeys((HERE, of)):
        for path in sorted(place.glob("*.py")):
            digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _loaded_from(symbol: str, key: str, make: Any) -> int:
    """The address of ``symbol`` in the kept file, or in what ``make`` gives, which is then kept."""
    where = folder()
    path = None if where is None else where / f"{symbol}-{key}.o"
    code = None if path is None else _read(path)
    if code is None:
        _say_once(where)
        code = make()
        if path is not None:
            _write(path, code)
    return _link(code, symbol)


def _read(path: Path) -> bytes | None:
    try:
        content = path.read_bytes()
    except OSError:
        return None
    head = len(MAGIC) + 32
    code = content[head:]
    whole = content[: len(MAGIC)] == MAGIC and hashlib.sha256(code).digest() == content[len(MAGIC) : head]
    return code if whole else None


def _write(path: Path, code: bytes) -> None:
    """Keep a file, wholly or not at all; a full or read-only disk only means that the next process compiles again."""
    with contextlib.suppress(OSError):
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".making-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(MAGIC + hashlib.sha256(code).digest() + code)
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise


_said = False


def _say_once(where: Path | None) -> None:
    global _said
    if not _said:
        _said = True
        kept = f"kept in {where}" if where else "no folder is this user's alone to keep them in: see minigrad doctor"
        sys.stderr.write(f"minigrad: compiling kernels for this processor, once ({kept})\n")


# ---------------------------------------------------------------------- making


def _load_tile(dtype: str) -> None:
    symbol = micro.name(dtype)
    if symbol in _loaded:
        return
    import llvmlite.binding as llvm

    def make() -> bytes:
        here = target()
        return _object(here, _parsed(here, micro.module(here, dtype)), symbol)

    _loaded[symbol] = _loaded_from(symbol, _key(symbol, _sources(HERE)), make)
    llvm.add_symbol(symbol, _loaded[symbol])


def _compile(kernel: Kernel, dtype: str | None, symbol: str) -> bytes:
    here = target()
    return _object(here, _whole(kernel, dtype, symbol, here), symbol)


def _whole(kernel: Kernel, dtype: str | None, symbol: str, here: Target) -> Any:
    text, inner = intermediate(kernel, dtype, here)
    made = _parsed(here, text)
    made.link_in(_parsed(here, _entry(kernel.kinds, symbol, inner)))
    return made


def assembly(kernel: Kernel, dtype: str | None, here: Target) -> str:
    """A kernel's machine code for a processor, which need not be this one, in its assembly language."""
    _ready().initialize_all_targets()
    _ready().initialize_all_asmprinters()
    made = _whole(kernel, dtype, "minigrad_shown", here)
    return _optimised(here, made, "minigrad_shown").emit_assembly(made)


def intermediate(kernel: Kernel, dtype: str | None, here: Target) -> tuple[str, str]:
    """LLVM's text of a kernel as Numba makes it, and the name that its function has there.

    Raises:
        KernelError: Numba is absent or switched off, or refuses the function.
    """
    try:
        import numba
        from numba.core.errors import NumbaError
    except ImportError as error:
        raise KernelError(kernel.__name__, "compiler", "Numba", f"none ({error})", "pip install numba") from error
    from minigrad.kernels.native import intrinsics

    if numba.config.DISABLE_JIT:
        raise KernelError(kernel.__name__, "NUMBA_DISABLE_JIT", "unset: these functions run only when compiled", "1")
    words = intrinsics.environment(here, dtype)
    flags = {"contract", "reassoc", "nsz", "arcp"} if kernel.reassociate else set() if kernel.exact else {"contract"}
    signature = intrinsics.signature(kernel.kinds, dtype)
    made = numba.njit(
        error_model="numpy", fastmath=flags, no_cpython_wrapper=True, no_cfunc_wrapper=True, nogil=True
    )(_specialised(kernel.function, words, flags, {}))  # fmt: skip
    try:
        made.compile(signature)
    except NumbaError as error:
        raise KernelError(kernel.__name__, "function", "one that Numba compiles", str(error)) from error
    (overload,) = made.overloads.values()
    return overload.library.get_llvm_str(), overload.fndesc.llvm_func_name


def _specialised(function: Any, words: dict[str, Any], flags: set[str], known: dict[Any, Any]) -> Any:
    """The function with each word that it uses, and each helper, in the meaning of one dtype and processor."""
    import numba

    names = dict(function.__globals__)
    for name in function.__code__.co_names:
        value = names.get(name)
        if isinstance(value, Word):
            names[name] = _made(value, words) if value.made else words[value.name]
        elif isinstance(value, Helper):
            if value not in known:
                inner = _specialised(value.function, words, flags, known)
                known[value] = numba.njit(error_model="numpy", fastmath=flags, nogil=True)(inner)
            names[name] = known[value]
    return FunctionType(function.__code__, names, function.__name__, function.__defaults__, function.__closure__)


def _made(word: Word, words: dict[str, Any]) -> Any:
    module, _, name = word.made.partition(":")
    return getattr(importlib.import_module(module), name)(words["real"], words["lanes"])


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


# ---------------------------------------------------------------------- LLVM


@functools.cache
def _ready() -> Any:
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
    chosen = _ready().Target.from_triple(here.triple)
    return chosen.create_target_machine(
        cpu=here.cpu, features=here.features, opt=3, reloc="pic", codemodel="jitdefault", jit=True
    )


def _object(here: Target, made: Any, symbol: str) -> bytes:
    """An object file in which only ``symbol`` can be seen, and only what it calls is left."""
    return _optimised(here, made, symbol).emit_object(made)


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


def _link(code: bytes, symbol: str) -> int:
    llvm = _ready()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine(target()))
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _kept.append(engine)
    sys.intern(symbol)
    return engine.get_function_address(symbol)


def compile_seconds(kernel: Kernel, dtype: str | None) -> float:
    """How long it takes to compile a kernel anew; nothing is kept."""
    begin = time.perf_counter()
    _compile(kernel, dtype, "minigrad_timed")
    return time.perf_counter() - begin
