"""CUDA C++ compiled to machine code for any architecture, where there is neither GPU nor driver.

NVRTC is NVIDIA's compiler as a library, and nvdisasm its disassembler. Both come as packages of pip, in the extra
``cuda-check``. NVRTC is called by ``ctypes``: its C interface is a dozen functions of plain types, so that neither CuPy, which
asks for a driver before it compiles, nor another package of bindings is needed.

Source: NVRTC's manual, "Basic Usage" and "Accessing Lowered Names".
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from minigrad.errors import KernelError

REMEDY = "Install them: pip install 'minigrad-engine[cuda-check]'"


class Compiled(NamedTuple):
    """What NVRTC made of a text.

    Attributes:
        code: the machine code, an ELF file.
        log: what the compiler and the assembler say.
        symbols: for each expression that names a kernel, its name in the machine code.
    """

    code: bytes
    log: str
    symbols: dict[str, str]


def translate(text: str, name: str, arch: int, expressions: Sequence[str], options: Sequence[str] = ()) -> Compiled:
    """Compile a text for one architecture. Several threads may, at once.

    Args:
        text: CUDA C++ that includes nothing.
        name: the file's name, for messages.
        arch: the compute capability without its point, as in 90.
        expressions: the kernels' names, those of templates with their parameters: ``"uniform<float>"``.
        options: for the compiler.

    Raises:
        KernelError: the packages are missing, or the text does not compile, with what the compiler says.
    """
    library = _library()
    program = ctypes.c_void_p()
    _check(library.nvrtcCreateProgram(ctypes.byref(program), text.encode(), name.encode(), 0, None, None), name)
    try:
        for expression in expressions:
            _check(library.nvrtcAddNameExpression(program, expression.encode()), name)
        flags = [f"--gpu-architecture=sm_{arch}", *options, "--generate-line-info", "--ptxas-options=-v"]
        as_c = (ctypes.c_char_p * len(flags))(*[flag.encode() for flag in flags])
        failed = library.nvrtcCompileProgram(program, len(flags), as_c)
        log = _bytes(program, "ProgramLog").rstrip(b"\0").decode(errors="replace")
        if failed:
            got = log.strip() or library.nvrtcGetErrorString(failed).decode()
            raise KernelError("cuda", f"{name} for sm_{arch}", "CUDA C++ that compiles", got)
        symbols = {}
        for expression in expressions:
            symbol = ctypes.c_char_p()
            _check(library.nvrtcGetLoweredName(program, expression.encode(), ctypes.byref(symbol)), name)
            symbols[expression] = (symbol.value or b"").decode()
        return Compiled(_bytes(program, "CUBIN"), log, symbols)
    finally:
        library.nvrtcDestroyProgram(ctypes.byref(program))


def disassemble(code: Path) -> str:
    """The machine code of a file as text, with the lines of the source.

    Raises:
        KernelError: the packages are missing, or it cannot be read.
    """
    command = [str(_tool()), "-c", "-g", str(code)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        got = done.stderr.strip() or f"exit code {done.returncode}"
        raise KernelError("cuda", "nvdisasm", "machine code that it reads", got, "Take NVRTC and nvdisasm of one version")
    return done.stdout


@functools.cache
def versions() -> str:
    """Which compiler and disassembler these are.

    Raises:
        KernelError: the packages are missing.
    """
    numbers = (ctypes.c_int * 2)()
    _library().nvrtcVersion(ctypes.byref(numbers, 0), ctypes.byref(numbers, ctypes.sizeof(ctypes.c_int)))
    told = subprocess.run([str(_tool()), "--version"], capture_output=True, text=True, check=False).stdout
    return f"NVRTC {numbers[0]}.{numbers[1]} at {_library_path().stat().st_size}; {told.strip()}"


def _bytes(program: ctypes.c_void_p, what: str) -> bytes:
    size = ctypes.c_size_t()
    _check(getattr(_library(), f"nvrtcGet{what}Size")(program, ctypes.byref(size)), what)
    buffer = ctypes.create_string_buffer(max(1, size.value))
    _check(getattr(_library(), f"nvrtcGet{what}")(program, buffer), what)
    return buffer.raw[: size.value]


def _check(code: int, name: str) -> None:
    if code:
        raise KernelError("cuda", name, "that NVRTC takes it", _library().nvrtcGetErrorString(code).decode())


@functools.cache
def _library() -> Any:
    library = ctypes.CDLL(str(_library_path()))
    library.nvrtcGetErrorString.restype = ctypes.c_char_p
    library.nvrtcGetErrorString.argtypes = [ctypes.c_int]
    for name in ("ProgramLog", "CUBIN"):
        getattr(library, f"nvrtcGet{name}Size").argtypes = [ctypes.c_void_p, ctypes.POINTER(ctypes.c_size_t)]
        getattr(library, f"nvrtcGet{name}").argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    library.nvrtcAddNameExpression.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    library.nvrtcCompileProgram.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(ctypes.c_char_p)]
    library.nvrtcGetLoweredName.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.POINTER(ctypes.c_char_p)]
    return library


def _library_path() -> Path:
    return _packaged("lib/libnvrtc.so.*", "nvidia-cuda-nvrtc")


def _tool() -> Path:
    return _packaged("bin/nvdisasm", "nvidia-cuda-nvdisasm")


@functools.cache
def _packaged(pattern: str, package: str) -> Path:
    """A file of one of NVIDIA's packages, which all unpack below a folder ``nvidia/cu13``."""
    if not sys.platform.startswith("linux"):
        raise KernelError("cuda", "system", "Linux, for which NVIDIA's compiler is asked", sys.platform)
    found = importlib.util.find_spec("nvidia")
    for folder in (found.submodule_search_locations or ()) if found else ():
        for path in sorted(Path(folder).glob(f"cu1[3-9]/{pattern}"), reverse=True):
            return path
    raise KernelError("cuda", "packages", "nvidia-cuda-nvrtc and nvidia-cuda-nvdisasm", f"no {package}", REMEDY)
