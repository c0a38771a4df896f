"""The words in which compiled kernels are written. Importing them compiles nothing, and loads no Numba.

A kernel is a Python function over bare pointers and numbers. Its words are stand-ins here; the compiler puts in their place
what they mean for the dtype and the processor (``intrinsics.py``, ``maths.py``)::

    @kernel
    def scale(x: Real, y: Real, factor: float, count: int, part: int, parts: int) -> None:
        start, stop = share(count, part, parts)
        f = real(factor)
        for i in range(start, stop):
            y[i] = x[i] * f

    scale(x, y, 2.0, x.size, parts=parts_for(x.nbytes))

Parameters are annotated with what they are: ``Real`` is a pointer to the kernel's dtype (float32 or float64, which the arrays
of a call tell), ``Doubles``, ``Ints``, ``Int32s`` and ``Bytes`` are pointers to float64, int64, int32 and uint8 (or bool),
``float`` is a float64 and ``int`` an int64. An array argument becomes the address of its first element; ``None`` becomes 0.
``part`` and ``parts`` come last: the body is called once for each part, on any thread and in any order, and parts write to
memory of their own.

Nothing checks an index: that is the caller's work, once, before the launch.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.errors import DTypeError, KernelError
from minigrad.kernels.native import launch


class Pointer:
    """What a kernel sees of an array: the address of its first element."""

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError

    def __setitem__(self, index: Any, value: Any) -> None:
        raise NotImplementedError


class Real(Pointer):
    """A pointer to the kernel's dtype."""


class Doubles(Pointer):
    """A pointer to float64."""


class Ints(Pointer):
    """A pointer to int64."""


class Int32s(Pointer):
    """A pointer to int32."""


class Bytes(Pointer):
    """A pointer to uint8, int8 or bool."""


POINTERS: dict[str, tuple[Any, ...]] = {
    "Real": (),  # the kernel's own dtype
    "Doubles": (np.dtype(np.float64),),
    "Ints": (np.dtype(np.int64),),
    "Int32s": (np.dtype(np.int32),),
    "Bytes": (np.dtype(np.uint8), np.dtype(np.bool_), np.dtype(np.int8)),
}
NUMBERS = {"int": "q", "float": "d"}
FLOATS = {np.dtype(np.float32): "float32", np.dtype(np.float64): "float64"}


class Word:
    """A stand-in for what the compiler puts in its place.

    Args:
        name: how error messages call it.
        meaning: what it does, as a call.
        made: ``"module:function"`` that makes it from the kernel's dtype and number of lanes; else the compiler has it.
    """

    def __init__(self, name: str, meaning: str, made: str = "") -> None:
        self.name, self.__doc__, self.made = name, meaning, made

    def __call__(self, *args: Any) -> Any:
        raise KernelError(self.name, "call", "one inside a @kernel or @helper, which is compiled", "one in plain Python")

    def __repr__(self) -> str:
        return f"<{self.name}: {self.__doc__}>"


class Size(Word):
    """A whole number that the compiler knows when it builds: written without a call."""


real = Word("real", "real(v): the number v in the kernel's dtype. A literal such as 0.5 is float64 until then.")
offset = Word("offset", "offset(x, n): the pointer n elements after x.")
real_at = Word("real_at", "real_at(n): the pointer to the kernel's dtype at the address n, an int64: for tables of addresses.")
share = Word("share", "share(count, part, parts): start and stop of a part's run of 0..count, as even as can be.")
tile = Word("tile", "The micro-kernel: see minigrad/kernels/native/microkernel.py.")
turn = Word(
    "turn",
    "turn(x, pitch, count, y, step): y[k · step + r] = x[r · pitch + k] for all k and r below `lanes`. x has `count` rows, and "
    "beyond them the last one is taken again.",
)
move = Word("move", "move(x, count, y): y[k] = x[k] for k below `count`, `lanes` at most, and 0 from there to `lanes`.")
matrix_begin = Word("matrix_begin", "matrix_begin(): make the matrix unit ready; see minigrad/kernels/native/matrix_unit.py.")
matrix_load = Word(
    "matrix_load", "matrix_load(c, pitch): begin with the block of 32 x 32 sums at c; all rows are the first with a pitch of 0."
)
matrix_step = Word("matrix_step", "matrix_step(a, b): add the products of a chunk, 32 terms split into pieces, to the block.")
matrix_store = Word("matrix_store", "matrix_store(c, pitch): write the block to c, whose rows are `pitch` numbers apart.")
matrix_end = Word("matrix_end", "matrix_end(): let go of the matrix unit.")
bits = Word("bits", "bits(v): the int32 or int64 that has the same bits as the real number v.")
from_bits = Word("from_bits", "from_bits(n): the real number that has the same bits as the int32 or int64 n.")
fma = Word("fma", "fma(a, b, c): a * b + c with one rounding (float32 where the processor has no fma: with one that counts).")
whole = Word("whole", "whole(v): the real number v, which must be a whole number, as int32 or int64 of its own width.")
number = Word("number", "number(n): the int32 or int64 n as a real number.")
nearest = Word("nearest", "nearest(v): v rounded to the nearest whole number, halves to even.")
square_root = Word("square_root", "square_root(v).")
choose = Word("choose", "choose(condition, a, b): a or b, without a branch.")
is_single: Any = Size("is_single", "True where the kernel's dtype is float32.")
lanes: Any = Size("lanes", "How many real numbers a vector register of this processor holds.")
tile_rows: Any = Size("tile_rows", "How many rows tile() takes at most.")
panel: Any = Size("panel", "How many columns tile() takes at most: the width of a packed panel.")

# What threads need; the pool is written with them.
atomic_add = Word("atomic_add", "atomic_add(p, n): add n to the int64 at p; what was there before comes back.")
atomic_swap = Word("atomic_swap", "atomic_swap(p, old, new): write new to p if it holds old; whether it did comes back.")
atomic_load = Word("atomic_load", "atomic_load(p): the int64 at p, with all that was written before it.")
atomic_store = Word("atomic_store", "atomic_store(p, n): write n to p, after all that was written before.")
breathe = Word("breathe", "Tell the processor that this thread waits in a loop.")
invoke = Word("invoke", "invoke(address, arguments, part, parts): call a compiled kernel.")
wait_for = Word("wait_for", "wait_for(function, lock): acquire a lock of Python's.")
wake = Word("wake", "wake(function, lock): release a lock of Python's.")


class Helper:
    """A function that kernels call and that is compiled into them."""

    def __init__(self, function: Callable[..., Any], apart: bool = False) -> None:
        self.function, self.apart = function, apart
        self.__name__, self.__doc__, self.__module__ = function.__name__, function.__doc__, function.__module__

    def __call__(self, *args: Any) -> Any:
        raise KernelError(self.__name__, "call", "one inside a @kernel or @helper, which is compiled", "one in plain Python")


def helper(function: Callable[..., Any] | None = None, *, apart: bool = False) -> Any:
    """Make a function one that kernels may call. Its real numbers are of the kernel's dtype.

    Args:
        apart: keep it a function by itself, where others are written into what calls them. One that is large, does much each
            time, or is called at several places compiles sooner so.
    """
    return (lambda f: Helper(f, apart)) if function is None else Helper(function, apart)


class Kernel:
    """A compiled function: call it with arrays and numbers. It is compiled on first use, once for each dtype."""

    def __init__(self, function: Callable[..., Any], reassociate: bool = False, exact: bool = False) -> None:
        self.function, self.reassociate, self.exact = function, reassociate, exact
        self.__name__, self.__doc__, self.__module__ = function.__name__, function.__doc__, function.__module__
        self.__wrapped__ = function
        annotations = [p.annotation for p in inspect.signature(function).parameters.values()]
        # Annotations come as objects or as text, as the file's author likes: Real, "Real", native.Real.
        kinds = [each.strip("'\"").rpartition(".")[2] if isinstance(each, str) else each.__name__ for each in annotations]
        where = f"@kernel {self.__name__}"
        if kinds[-2:] != ["int", "int"] or list(inspect.signature(function).parameters)[-2:] != ["part", "parts"]:
            raise KernelError(where, "parameters", "part: int and parts: int at the end", str(inspect.signature(function)))
        self.kinds = tuple(kinds[:-2])
        for kind in self.kinds:
            if kind not in POINTERS and kind not in NUMBERS:
                raise KernelError(where, "annotation", f"one of {', '.join([*POINTERS, *NUMBERS])}", repr(kind))
        self._pack = launch.packer("".join(NUMBERS.get(kind, "q") for kind in self.kinds))
        self._places = [(i, POINTERS[kind]) for i, kind in enumerate(self.kinds) if kind in POINTERS]
        self._programs: dict[Any, launch.Program] = {}  # by dtype

    def __call__(self, *args: Any, parts: int = 1, dtype: Any = None, size: int = 0) -> None:
        """Run the kernel over ``parts`` parts.

        Args:
            dtype: the kernel's, where no ``Real`` array tells it.
            size: how many bytes it moves beside those of the arrays that are given.

        Raises:
            KernelError: another number of arguments, or a Numba that cannot compile here.
            DTypeError: an array of another dtype than its parameter's, or two dtypes among the ``Real`` ones.
        """
        values = list(args)
        try:
            for i, dtypes in self._places:
                array = values[i]
                if array is None:
                    values[i] = 0
                    continue
                if not isinstance(array, np.ndarray):
                    raise TypeError(f"argument {i} is no array")
                if dtypes:
                    if array.dtype not in dtypes:
                        raise DTypeError(self.__name__, f"argument {i}", " or ".join(map(str, dtypes)), str(array.dtype))
                elif array.dtype is not dtype:
                    if dtype is None:
                        dtype = array.dtype
                    elif array.dtype != dtype:
                        raise DTypeError(self.__name__, f"argument {i}", str(np.dtype(dtype)), str(array.dtype))
                size += array.nbytes
                values[i] = launch.address(array)
            arguments = self._pack(*values)
        except Exception as error:
            raise self._explained(args, error) from error
        program = self._programs.get(dtype)
        if program is None:
            program = self._prepare(dtype)
        program.run(arguments, parts, size)

    def prepare(self, dtype: Any = None) -> int:
        """Compile the kernel for a dtype, or read it from the cache, and return the address of its code.

        Raises:
            KernelError: Numba cannot compile the function, or is absent.
            DTypeError: a dtype that is neither float32 nor float64.
        """
        return self._prepare(dtype).code

    def _prepare(self, dtype: Any) -> launch.Program:
        from minigrad.kernels.native import memory, programs

        key = None if dtype is None else np.dtype(dtype)
        if key is not None and key not in FLOATS:
            raise DTypeError(self.__name__, "dtype", "float32 or float64", str(key))
        memory.keep()
        program = launch.Program(programs.address_of(self, None if key is None else FLOATS[key]))
        self._programs[key] = self._programs[dtype] = program  # np.float32 and its dtype are two keys of one
        return program

    def _explained(self, args: tuple[Any, ...], error: Exception) -> Exception:
        if len(args) != len(self.kinds):
            return KernelError(self.__name__, "arguments", f"{len(self.kinds)} of them", str(len(args)))
        if isinstance(error, DTypeError):
            return error
        got = ", ".join(type(arg).__name__ for arg in args)
        return KernelError(self.__name__, "arguments", ", ".join(self.kinds), f"{got} ({error})")

    def __repr__(self) -> str:
        return f"<kernel {self.__module__}.{self.__name__}>"


def kernel(function: Callable[..., Any] | None = None, *, reassociate: bool = False, exact: bool = False) -> Any:
    """Make a function a compiled kernel. See the head of this file.

    Args:
        reassociate: let sums be taken in another order, which turns a loop that adds up into vector code. Infinities and nan
            keep their meaning. Without it only a * b + c is contracted to one rounding.
        exact: round each operation by itself, a * b + c too, as NumPy does.

    Raises:
        KernelError: parameters without ``part`` and ``parts`` at the end, or an annotation that is none of the kinds.
    """
    return (lambda f: Kernel(f, reassociate, exact)) if function is None else Kernel(function, reassociate, exact)
