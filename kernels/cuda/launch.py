"""Launching CUDA kernels, with everything held to the kernel's head before the driver is asked.

CuPy's documentation says of its own launch that no validation is performed for the arguments, their types and their number. A
wrong one is read as whatever the bytes mean, and the result is wrong or the process's GPU context lost. Here each launch is
checked: the number of arguments, arrays where pointers are declared and of the dtype that the pointer has, gapless in C order,
all on one device; numbers are converted to the declared C type and must fit into it; the grid covers the work by construction;
where there is no work nothing is launched; threads of a block are no more than the kernel is compiled for, and shared memory no
more than the device has.

The same text runs on a GPU, compiled by NVRTC through CuPy's ``RawModule``, and on the emulator, whose arrays' module has a
``RawModule`` of the same kind.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module, device_of
from minigrad.errors import KernelError, MinigradError
from minigrad.kernels.cuda.occupancy import resident
from minigrad.kernels.cuda.signature import NAMES, TYPES, Head, heads
from minigrad.kernels.cuda.source import line_of, source

STANDARD = ("--std=c++17",)
GRID = (2**31 - 1, 65535, 65535)  # blocks along x, y, z
THREADS = 1024  # of a block
Size = int | tuple[int, ...]


class Program:
    """The kernels of a ``.cu`` file.

    Args:
        name: the file, below ``kernels``, as in ``"random/philox.cu"``; or the absolute path of a user's own.
        options: for the compiler, besides the language's version.
        cooperative: whether its kernels wait for all blocks of the grid, which must then all be resident at once.

    Nothing is read or compiled before the first kernel is asked for.

    Example:
        >>> philox = Program("random/philox.cu", options=("--fmad=false",))
        >>> philox["uniform", "float32"].expression
        'uniform<float>'
    """

    def __init__(self, name: str, options: Sequence[str] = (), cooperative: bool = False) -> None:
        self.name, self.options, self.cooperative = name, (*STANDARD, *options), cooperative
        self._kernels: dict[Any, Kernel] = {}
        self._heads: dict[str, Head] | None = None
        self.lock = threading.RLock()

    @property
    def text(self) -> str:
        """The whole source, with what it includes."""
        return source(self.name)

    @property
    def heads(self) -> dict[str, Head]:
        """The heads of its kernels, by name."""
        if self._heads is None:
            self._heads = heads(self.text, self.name)
        return self._heads

    def __getitem__(self, key: str | tuple[Any, ...]) -> Kernel:
        """A kernel: its name, and what stands for each parameter of its template: dtypes, whole numbers, True or False.

        Raises:
            KernelError: no kernel of that name, or a template with other parameters.
        """
        name, *arguments = key if isinstance(key, tuple) else (key,)
        known = (name, *arguments, *map(type, arguments))  # 1 and True are one key, and two templates
        kernel = self._kernels.get(known)
        if kernel is None:
            if name not in self.heads:
                there = (
                    f"one of the kernels {', '.join(self.heads)}" if self.heads else "a kernel in it: __global__ void f(...)"
                )
                raise KernelError("cuda", self.name, there, repr(name), "" if self.heads else "Write __global__ out")
            made = Kernel(self, self.heads[name], arguments)
            with self.lock:
                kernel = self._kernels[known] = self._kernels.setdefault(made.expression, made)
        return kernel


class Kernel:
    """A kernel with its template's parameters given. See :class:`Program`.

    Attributes:
        expression: the C++ expression that names it, ``"uniform<float>"``.
    """

    def __init__(self, program: Program, head: Head, arguments: Sequence[Any]) -> None:
        self.program, self.head = program, head
        self.expression, template = _instance(program, head, arguments)
        self._parameters = [(each, each.dtype(template)) for each in head.parameters]
        self._functions: dict[Any, Any] = {}

    def __call__(
        self, *arguments: Any, work: Size, tile: Size, block: Size, shared: int = 0, like: Array | None = None
    ) -> None:
        """Launch it, so that all of the work is covered.

        Args:
            arguments: an array or ``None`` for each pointer, a number for each scalar, in the head's order.
            work: how many things there are to do, along one to three axes; where one of them is 0 nothing is launched.
            tile: how many of them a block does, along each axis.
            block: threads of a block, along each axis.
            shared: bytes of dynamic shared memory.
            like: an array that tells the device, where no argument does: those whose addresses stand in a structure are for the
                caller to check.

        Raises:
            KernelError: anything that does not fit the kernel's head or the device, or a text that does not compile; it says
                which argument, what is declared and what came.
        """
        work, tile, block = _sizes(work), _sizes(tile), _sizes(block)
        if len(work) != len(tile) or min(tile) < 1 or min(block) < 1 or prod(block) > THREADS or min(work) < 0:
            expected = f"as many tiles as axes of work, each 1 or more, and blocks of 1 to {THREADS} threads"
            raise self._refused("launch", expected, f"work {work}, tiles {tile}, blocks {block}")
        values, first = self._converted(arguments, like)
        if 0 in work:
            return
        grid = tuple(-(-size // each) for size, each in zip(work, tile))
        if any(blocks > most for blocks, most in zip(grid, GRID)):
            raise self._refused("grid", f"at most {GRID[: len(grid)]} blocks along x, y, z", str(grid), "Split the arrays")
        if self.program.cooperative:
            self._check_resident(grid, prod(block), shared, first)
        xp = array_module(first)
        with first.device:
            self._function(xp, first.device.id, shared, prod(block))(grid, block, values, shared_mem=shared)

    def compiled(self, like: Array) -> Any:
        """The function for the device of an array, as CuPy has it: it knows its registers and shared memory.

        Raises:
            KernelError: the text does not compile.
        """
        with like.device:
            return self._function(array_module(like), like.device.id, 0)

    def _function(self, xp: Any, device: int, shared: int, threads: int = 1) -> Any:
        known = self._functions.get((xp, device))
        if known is None:
            with self.program.lock:
                made = self._compile(xp)
                known = self._functions[xp, device] = [made, made.max_threads_per_block, 0]
        function, bound, granted = known
        if threads > bound:
            expected = f"at most {bound} threads, as the kernel is compiled"
            raise self._refused("block", expected, str(threads), "Launch fewer, or change its __launch_bounds__")
        if shared > granted:  # even where it is little: what the kernel has of static shared memory counts too
            static = getattr(function, "shared_size_bytes", 0)
            most = xp.cuda.Device(device).attributes["MaxSharedMemoryPerBlockOptin"] - static
            if shared > most:
                raise self._refused(
                    "shared", f"at most {most} bytes, all that a block has here", str(shared), "Choose a smaller tile"
                )
            function.max_dynamic_shared_size_bytes = known[2] = shared
        return function

    def _compile(self, xp: Any) -> Any:
        program = self.program
        module = xp.RawModule(
            code=program.text,
            options=program.options,
            name_expressions=(self.expression,),
            enable_cooperative_groups=program.cooperative,
        )
        try:
            return module.get_function(self.expression)
        except MinigradError:
            raise
        except Exception as error:
            raise self._refused("compile", "CUDA C++ that compiles", _compiler_says(str(error), program.text)) from error

    def _check_resident(self, grid: tuple[int, ...], threads: int, shared: int, like: Array) -> None:
        """Blocks that wait for each other must all run at once, or those that run wait forever."""
        most = resident(self, like, threads, shared)
        if prod(grid) > most:
            sizes = f"blocks of {threads} threads and {shared} bytes"
            expected = f"at most {most} {sizes}, all that run at once on {device_of(like)}"
            raise self._refused("grid", expected, f"{prod(grid)}, as {grid}", "Give each block more to do")

    def _converted(self, arguments: tuple[Any, ...], like: Array | None) -> tuple[tuple[Any, ...], Array]:
        """The arguments as the driver shall have them, and the first array among ``like`` and them."""
        if len(arguments) != len(self._parameters):
            names = ", ".join(each.name for each in self.head.parameters)
            raise self._refused("arguments", f"{len(self._parameters)} ({names})", str(len(arguments)))
        first: Array = like
        values = []
        for (parameter, dtype), value in zip(self._parameters, arguments):
            if not parameter.pointer:
                values.append(self._number(parameter.name, dtype, value))
                continue
            if value is not None:
                self._check_array(parameter.name, dtype, value, first)
                first = value if first is None else first
            values.append(value)
        if first is None:
            raise self._refused("arguments", "an array on a GPU", "none")
        return tuple(values), first

    def _check_array(self, name: str, dtype: np.dtype | None, value: Any, first: Array) -> None:
        if not (hasattr(value, "dtype") and hasattr(value, "device")) or isinstance(value, (np.ndarray, np.generic)):
            raise self._refused(name, "an array on a GPU, for a pointer", f"a {type(value).__name__}", "Move it there first")
        if dtype is not None and value.dtype != dtype:
            raise self._refused(name, f"{dtype}, as the pointer is declared", str(value.dtype), f"Convert it to {dtype}")
        if not value.flags.c_contiguous:
            got = f"strides {value.strides} of shape {value.shape}"
            raise self._refused(name, "gapless memory in C order", got, "Give it through ascontiguousarray")
        if first is not None and device_of(value) != device_of(first):
            raise self._refused(name, f"an array on {device_of(first)}, as the first", f"one on {device_of(value)}")

    def _number(self, name: str, dtype: np.dtype | None, value: Any) -> Any:
        """A number in the C type that the kernel declares. CuPy would copy eight bytes of a Python float, whatever that is."""
        if dtype is None:  # a structure, as an array of one element that holds its bytes
            if isinstance(value, np.ndarray) and value.size == 1 and value.dtype.kind == "V":
                return value
            raise self._refused(name, "a NumPy array of one record, for a structure", f"a {type(value).__name__}")
        if isinstance(value, (bool, np.bool_)) and dtype == np.bool_:
            return dtype.type(value)
        if dtype.kind == "f" and isinstance(value, (int, float, np.floating, np.integer)) and not isinstance(value, bool):
            return dtype.type(value)
        if dtype.kind in "iu" and isinstance(value, (int, np.integer)) and not isinstance(value, bool):
            range_ = np.iinfo(dtype)
            if range_.min <= value <= range_.max:
                return dtype.type(value)
            raise self._refused(
                name, f"a whole number from {range_.min} to {range_.max}, as it is declared {dtype}", str(value)
            )
        raise self._refused(name, f"a number for {dtype}", f"{value!r}, a {type(value).__name__}")

    def _refused(self, argument: str, expected: str, got: str, remedy: str = "") -> KernelError:
        return KernelError(f"cuda: {self.program.name}: {self.expression}", argument, expected, got, remedy)


def _sizes(size: Size) -> tuple[int, ...]:
    return size if isinstance(size, tuple) else (size,)


def _instance(program: Program, head: Head, arguments: Sequence[Any]) -> tuple[str, dict[str, str]]:
    """The expression that names a kernel with its template's parameters, and what each stands for."""
    names = [f"{kind} {name}" for name, kind in head.template]
    if len(arguments) != len(names):
        expected = f"{len(names)} template parameters ({', '.join(names)})" if names else "no template parameters"
        raise KernelError("cuda", f"{program.name}: {head.name}", expected, str(tuple(arguments)))
    values = {}
    for (name, kind), value in zip(head.template, arguments):
        values[name] = _template_value(f"{program.name}: {head.name}", name, kind, value)
    return head.name + (f"<{', '.join(values.values())}>" if values else ""), values


def _template_value(where: str, name: str, kind: str, value: Any) -> str:
    if kind == "typename":
        try:
            found = NAMES.get(np.dtype(value).name)
        except TypeError:
            found = None
        if found is not None:
            return found
        raise KernelError("cuda", where, f"a dtype among {', '.join(NAMES)} for {name}", repr(value))
    fits = type(value) is bool if kind == "bool" else isinstance(value, int) and type(value) is not bool
    if fits and value < 0 and TYPES[kind].startswith("uint"):
        raise KernelError("cuda", where, f"0 or more for {name}", repr(value))
    if not fits:
        raise KernelError("cuda", where, f"a Python {'bool' if kind == 'bool' else 'int'} for {name}", repr(value))
    return str(value).lower() if kind == "bool" else str(value)


def _compiler_says(message: str, text: str) -> str:
    """The compiler's first error with the line that it means: NVRTC writes ``file(3): error``, g++ ``file:3:5: error``."""
    match = re.search(r"^(?P<file>[^\s():]+)[(:](?P<line>\d+)[):][^\n]*?error\S*\s*(?P<what>[^\n]+)", message, re.M)
    if match is None:
        return message.strip()
    line = line_of(text, match["file"], int(match["line"]))
    return f"{match['file']}:{match['line']}: {match['what'].strip()}" + (f" in the line: {line}" if line else "")
