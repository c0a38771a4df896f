"""``RawKernel`` and ``RawModule`` of the stand-in: CUDA C++ run by the emulator, with CuPy's manners and more refusals.

CuPy hands any arguments to the GPU. Here their number, dtypes and widths are held against the kernel's parameters, an array
must be C-contiguous and lie on the current device, no grid is empty, a block keeps to the kernel's ``__launch_bounds__``, and
more than 48 KB of shared memory, static and dynamic together, must have been asked for. What a kernel reaches by addresses in
structures or in arrays of uint64 is watched as its arrays are. ``launches`` chooses the mode and the order of threads for all
kernels that run inside a ``with`` block.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from minigrad.emulator import compiler
from minigrad.emulator.cupy import cuda
from minigrad.emulator.cupy.array import Pointer, ndarray, touched
from minigrad.emulator.cupy.indexing import check_device
from minigrad.emulator.cupy.memory import DeviceMemory, all_may_be_written, current_device, memory_at
from minigrad.emulator.cupy.traffic import counters
from minigrad.emulator.guarded import address_fields
from minigrad.emulator.program import MOST_EVENTS, Program, Report
from minigrad.errors import ArgumentError, CudaFault, KernelError

PLAIN_SHARED = 48 << 10  # bytes of shared memory that a kernel has without asking for more


class Launched(NamedTuple):
    """A launch of a kernel, as :func:`launches` notes it in profile and trace mode.

    Attributes:
        name: the kernel's.
        grid, block: as it was launched.
        shared: bytes of dynamic shared memory.
        report: what the emulator tells of it.
    """

    name: str
    grid: tuple[int, ...]
    block: tuple[int, ...]
    shared: int
    report: Report


class _Manner(NamedTuple):
    mode: str = "fast"
    order: int = 0
    watched: int | tuple[int, ...] | None = None
    most_events: int = MOST_EVENTS
    only: int | None = None
    made: tuple[list[Launched], ...] = ()


class _Manners(threading.local):
    current = _Manner()


_manners = _Manners()


@contextlib.contextmanager
def launches(
    mode: str = "fast",
    order: int = 0,
    *,
    watched: int | tuple[int, ...] | None = None,
    most_events: int = MOST_EVENTS,
    only: int | None = None,
) -> Iterator[list[Launched]]:
    """How kernels run inside a ``with`` block, in this thread: see ``emulator.Program`` and ``Kernel.launch``.

    A module is compiled for each mode, with ``__constant__`` variables of its own: fill them inside the block too.

    Args:
        mode: of :class:`~minigrad.emulator.Program`.
        order, watched, most_events: of ``Kernel.launch``.
        only: the number of a launch, from 1: ``watched`` and ``most_events`` hold for it, and others record no events.

    Returns:
        a list to which each launch in profile and trace mode is added.

    Example:
        >>> from minigrad.emulator import cupy
        >>> code = 'extern "C" __global__ void f(int* x) { x[0] += 1; }'
        >>> from minigrad.errors import CudaFault
        >>> add, x = RawKernel(code, "f"), cupy.zeros(1, "int32")
        >>> with launches("checked"):
        ...     try:
        ...         add((1,), (2,), (x,))
        ...     except CudaFault as fault:
        ...         print(fault.findings[0].kind, "at", fault.findings[0].place)
        race at kernel.cu:1
    """
    made: list[Launched] = []
    before, _manners.current = _manners.current, _Manner(mode, order, watched, most_events, only, (made,))
    try:
        yield made
    finally:
        _manners.current = before


class RawModule:
    """As ``cupy.RawModule``: a text of CUDA C++ with its kernels, compiled when the first is asked for.

    Args:
        code: the text.
        path: compiled code for a GPU; not supported here.
        options: for the compiler, a tuple.
        backend: ``"nvrtc"``.
        translate_cucomplex, jitify: not supported here.
        enable_cooperative_groups: all blocks of a launch run at once and can wait for each other.
        name_expressions: instantiations of templates, by which ``get_function`` gives them.

    Raises:
        TypeError, ValueError: what CuPy refuses.
        NotImplementedError: what only a GPU can do.

    Example:
        >>> from minigrad.emulator import cupy
        >>> code = "template <typename T> __global__ void twice(T* x) { x[threadIdx.x] *= 2; }"
        >>> twice = RawModule(code=code, name_expressions=["twice<float>"]).get_function("twice<float>")
        >>> x = cupy.arange(3, dtype="float32")
        >>> twice((1,), (3,), (x,))
        >>> x
        array([0., 2., 4.], dtype=float32)
    """

    def __init__(
        self,
        *,
        code: str | None = None,
        path: str | None = None,
        options: tuple[str, ...] = (),
        backend: str = "nvrtc",
        translate_cucomplex: bool = False,
        enable_cooperative_groups: bool = False,
        name_expressions: Iterable[str] | None = None,
        jitify: bool = False,
    ) -> None:
        if (code is None) == (path is None):
            raise TypeError("Exactly one of `code` and `path` keyword arguments must be given.")
        for argument, value, kind in (("code", code, str), ("options", options, tuple), ("backend", backend, str)):
            if value is not None and not isinstance(value, kind):
                raise TypeError(
                    f"Argument '{argument}' has incorrect type (expected {kind.__name__}, got {type(value).__name__})"
                )
        if name_expressions is not None and code is None:
            raise ValueError("need CUDA C++ code for the requested kernels")
        if name_expressions is not None and backend != "nvrtc":
            raise ValueError("only nvrtc supports retrieving the mangled names for the given name expressions")
        if code is None or backend != "nvrtc" or translate_cucomplex or jitify:
            raise NotImplementedError("the stand-in for CuPy takes CUDA C++ for NVRTC, without cuComplex.h and jitify")
        self.code, self.file_path, self.options, self.backend = code, path, options, backend
        self.enable_cooperative_groups = enable_cooperative_groups
        self.name_expressions = None if name_expressions is None else tuple(name_expressions)
        self._programs: dict[str, Program] = {}

    def _program(self, mode: str = "") -> Program:
        """The emulator's program, compiled for a mode.

        Raises:
            CompileException: it does not compile.
            KernelError: there is no g++, or the system is not Linux.
        """
        mode = mode or _manners.current.mode
        if mode not in self._programs:
            compiler.compiler()  # where there is none, that is no fault of the text
            try:
                made = Program(self.code, options=self.options, expressions=self.name_expressions or (), mode=mode)
            except KernelError as error:
                raise cuda.CompileException(str(error), self.code, "kernel.cu", self.options, self.backend) from error
            self._programs[mode] = made
        return self._programs[mode]

    def compile(self, log_stream: Any = None) -> None:
        """Compile now what would be compiled at the first use."""
        self._program()

    def get_function(self, name: str) -> RawKernel:
        """A kernel: ``extern "C"``, or one of ``name_expressions``.

        Raises:
            CUDADriverError: there is none of that name.
        """
        if name not in self._program():
            known = ", ".join(self._program())
            raise cuda.CUDADriverError(f"CUDA_ERROR_NOT_FOUND: named symbol not found: {name!r}; the module has {known}")
        kernel = RawKernel.__new__(RawKernel)
        kernel._set(self, name)
        return kernel

    def get_global(self, name: str) -> Pointer:
        """Where a ``__constant__`` variable lies: ``cupy.ndarray(shape, dtype, pointer)`` reads and fills it.

        Raises:
            CUDADriverError: there is none of that name.
        """
        try:
            found = self._program().variable(name)
        except KernelError as error:
            raise cuda.CUDADriverError(f"CUDA_ERROR_NOT_FOUND: named symbol not found: {name!r}") from error
        return Pointer(found.ctypes.data, DeviceMemory(found, current_device()))


class RawKernel:
    """As ``cupy.RawKernel``: a kernel that is ``extern "C"``, called with grid, block and arguments.

    Example:
        >>> from minigrad.emulator import cupy
        >>> fill = RawKernel('extern "C" __global__ void fill(int* x, int value) { x[threadIdx.x] = value; }', "fill")
        >>> x = cupy.empty(2, "int32")
        >>> fill((1,), (2,), (x, np.int32(7)))
        >>> x
        array([7, 7], dtype=int32)
    """

    def __init__(
        self,
        code: str,
        name: str,
        options: tuple[str, ...] = (),
        backend: str = "nvrtc",
        *,
        translate_cucomplex: bool = False,
        enable_cooperative_groups: bool = False,
        jitify: bool = False,
    ) -> None:
        if not isinstance(name, str):
            raise TypeError(f"Argument 'name' has incorrect type (expected str, got {type(name).__name__})")
        module = RawModule(code=code, options=options, backend=backend, translate_cucomplex=translate_cucomplex,
                           enable_cooperative_groups=enable_cooperative_groups, jitify=jitify)  # fmt: skip
        self._set(module, name)

    def _set(self, module: RawModule, name: str) -> None:
        self._module = module
        self.name = self.__name__ = name
        self.code, self.options, self.backend = module.code, module.options, module.backend
        self.enable_cooperative_groups = module.enable_cooperative_groups
        self.file_path = None
        self._most_shared = PLAIN_SHARED
        self._most_together = PLAIN_SHARED

    def compile(self, log_stream: Any = None) -> None:
        """Compile now what would be compiled at the first use."""
        self._module._program()

    @property
    def max_threads_per_block(self) -> int:
        """The most threads of a block, by its ``__launch_bounds__``; on a GPU it may be less, for want of registers."""
        return int(self._kernel(_manners.current.mode).most_threads)

    @property
    def max_dynamic_shared_size_bytes(self) -> int:
        """The most bytes of ``shared_mem``: what it is set to.

        Raises:
            CUDADriverError: set to more than the chip has.
        """
        return self._most_shared

    @max_dynamic_shared_size_bytes.setter
    def max_dynamic_shared_size_bytes(self, size: int) -> None:
        most = cuda.PROPERTIES["sharedMemPerBlockOptin"]
        if not 0 <= size <= most:
            raise cuda.CUDADriverError(f"CUDA_ERROR_INVALID_VALUE: invalid argument: {size} bytes, of {most}")
        self._most_shared, self._most_together = size, most

    def __call__(self, grid: tuple[int, ...], block: tuple[int, ...], args: Any, *, shared_mem: int = 0) -> None:
        """Run the kernel.

        Args:
            grid, block: tuples of one to three numbers.
            args: arrays of the stand-in or ``None`` for pointers, NumPy scalars for numbers; a plain int passes as int64, a
                plain float as float64.
            shared_mem: bytes of dynamic shared memory.

        Raises:
            TypeError, CUDADriverError: what CuPy or the driver refuses.
            ArgumentError, DTypeError, ShapeError: what they let pass and a kernel cannot take.
            CudaFault: what the emulator finds wrong with the kernel.
        """
        for argument, sizes in (("grid", grid), ("block", block)):
            if not isinstance(sizes, tuple):
                raise TypeError(f"Argument '{argument}' has incorrect type (expected tuple, got {type(sizes).__name__})")
        if shared_mem > self._most_shared:
            raise cuda.CUDADriverError(
                f"CUDA_ERROR_INVALID_VALUE: invalid argument: {shared_mem} bytes of shared memory. Set "
                f"max_dynamic_shared_size_bytes, which is {self._most_shared}"
            )
        if self.enable_cooperative_groups:
            self._check_resident(grid, block, shared_mem)
        manner = _manners.current
        kernel = self._kernel(manner.mode)
        threads = int(np.prod(block))
        if kernel.most_threads < threads <= cuda.PROPERTIES["maxThreadsPerBlock"]:
            raise cuda.CUDADriverError(
                f"CUDA_ERROR_INVALID_VALUE: invalid argument: {threads} threads of a block. The kernel's __launch_bounds__ say "
                f"{kernel.most_threads}"
            )
        given = [_given(f"launch of {self.name}", at, argument) for at, argument in enumerate(args)]
        counters.launches += 1
        reached = _watched(given) if manner.mode != "fast" else {}
        pointers = [(at, one) for at, one in enumerate(args) if isinstance(one, ndarray) and at < len(kernel.parameters)]
        unset = [at for at, one in pointers if one._block.unwritten and kernel.parameters[at].pointer]
        looked_at = not manner.made or manner.only in (None, len(manner.made[0]) + 1)
        report = kernel.launch(
            *(grid, block, given, shared_mem, manner.order, self.enable_cooperative_groups),
            placed=True,
            raise_findings=False,
            watched=manner.watched if looked_at else None,
            most_events=manner.most_events if looked_at else 0,
            most_shared=self._most_together,
            uninitialised=unset,
            **reached,
        )
        if any(isinstance(one, np.void) or getattr(one, "dtype", None) == np.uint64 for one in given):
            all_may_be_written()
        for at, one in pointers:
            if not kernel.parameters[at].constant:
                touched(one)
        if manner.mode in ("profile", "trace"):
            manner.made[0].append(Launched(self.name, grid, block, shared_mem, report))
        if report.findings:
            raise CudaFault(f"launch of {self.name}", report.findings)

    def _kernel(self, mode: str) -> Any:
        program = self._module._program(mode)
        if self.name not in program:
            known = ", ".join(program)
            raise cuda.CUDADriverError(f"CUDA_ERROR_NOT_FOUND: named symbol not found: {self.name!r}; the module has {known}")
        return program[self.name]

    def _check_resident(self, grid: tuple[int, ...], block: tuple[int, ...], shared_mem: int) -> None:
        chip = cuda.PROPERTIES
        threads = max(1, int(np.prod(block)))
        each = min(chip["maxBlocksPerMultiProcessor"], chip["maxThreadsPerMultiProcessor"] // threads)
        if shared_mem:
            each = min(each, chip["sharedMemPerMultiprocessor"] // (shared_mem + chip["reservedSharedMemPerBlock"]))
        most = each * chip["multiProcessorCount"]
        if np.prod(grid) > most:
            raise cuda.CUDADriverError(
                f"CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE: too many blocks in cooperative launch: {int(np.prod(grid))}, and "
                f"{most} of this size run at once"
            )


def _watched(given: Iterable[Any]) -> dict[str, list[np.ndarray]]:
    """The memory to which addresses lead that stand in structures and in arrays of uint64: what else the kernel may reach."""
    structures = [np.array([one]) for one in given if isinstance(one, np.void)]
    fields = [field.ravel() for structure in structures for field in address_fields(structure)]
    tables = [one.ravel() for one in given if isinstance(one, np.ndarray) and one.dtype == np.uint64]
    addressed, reachable = (memory_at(np.concatenate(each)) if each else [] for each in (fields, tables))
    return {"addressed": addressed, "reachable": reachable}


def _given(where: str, at: int, argument: Any) -> Any:
    """What CuPy would hand over, in NumPy's terms."""
    if argument is None:
        return None
    if isinstance(argument, ndarray):
        check_device(argument)
        if not argument.flags.c_contiguous:
            got = f"shape {argument.shape} with strides {argument.strides}"
            raise ArgumentError(where, f"argument {at}", "a C-contiguous array: a kernel knows no strides", got,
                                "Pass cupy.ascontiguousarray(x)")  # fmt: skip
        return argument._numpy
    if isinstance(argument, np.generic):
        return argument
    if isinstance(argument, np.ndarray) and argument.size == 1:  # the bytes of a structure
        return argument.reshape(-1)[0]
    for kind, dtype in ((bool, "?"), (int, "int64"), (float, "float64"), (complex, "complex128")):
        if isinstance(argument, kind):
            return np.dtype(dtype).type(argument)
    raise TypeError(f"Unsupported type {type(argument)}")
