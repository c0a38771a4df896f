"""What a kernel takes, and whether what it is given fits: number, dtype, layout, sizes of grid and block."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from minigrad.emulator.library import CBuffer, CParameter
from minigrad.errors import ArgumentError, DTypeError, ShapeError

MOST_THREADS = 1024  # in a block
MOST_BLOCKS = (2**31 - 1, 65535, 65535)
MOST_IN_BLOCK = (1024, 1024, 64)
MOST_SHARED = 227 << 10  # bytes of dynamic shared memory, of the largest GPUs
MOST_TOGETHER = 1 << 16  # threads of a cooperative launch: each has a stack


class Parameter(NamedTuple):
    """One parameter of a kernel.

    Attributes:
        name: as the source has it, or ``argument 0`` and so on.
        dtype: of the number, or of what a pointer points to; ``None`` where C++ has no name that NumPy knows (``void*``).
        pointer: whether it takes an array.
        constant: whether it is a pointer through which the kernel promises not to write.
        size: bytes of the number or structure, or of one of what a pointer points to; of vectors, of a component.
        alignment: what the address of an array must be a multiple of: 16 for ``float4*``.
    """

    name: str
    dtype: np.dtype | None
    pointer: bool
    constant: bool
    size: int
    alignment: int

    def written_by(self, argument: Any) -> bool:
        """Whether a kernel may write to this argument."""
        return self.pointer and not self.constant and argument is not None

    def __str__(self) -> str:
        kind = "void" if self.dtype is None else self.dtype.name
        return f"{'const ' if self.pointer and self.constant else ''}{kind}{'*' if self.pointer else ''} {self.name}"


def described(found: CParameter, name: str) -> Parameter:
    """A parameter from what the compiled program says of it."""
    pointer = found.kind == b"p"
    kind = (found.pointee if pointer else found.kind).decode()
    dtype = {
        "v": None,
        "b": np.dtype(np.bool_),
        "p": np.dtype(np.uint64),  # addresses
        "s": None if pointer else np.dtype((np.void, found.size)),
    }.get(kind, np.dtype(f"{kind}{found.size}") if kind in "fiu" else None)
    return Parameter(name, dtype, pointer, found.constant, found.size, found.alignment)


class Packed(NamedTuple):
    """Arguments as C takes them; ``kept`` holds what must live as long as the launch."""

    pointers: Any
    buffers: list[CBuffer]
    kept: list[Any]


def pack(where: str, parameters: Sequence[Parameter], arguments: Sequence[Any], uninitialised: Sequence[str | int],
         reachable: Sequence[np.ndarray]) -> Packed:  # fmt: skip
    """Arguments checked against the parameters.

    Raises:
        ArgumentError: another number of arguments, an array that is not C-contiguous, or must not be written.
        DTypeError: another dtype or width, an array where a number belongs or the other way round.
    """
    if len(arguments) != len(parameters):
        listed = ", ".join(map(str, parameters)) or "none"
        raise ArgumentError(
            where, "arguments", f"{len(parameters)}: {listed}", f"{len(arguments)}", "Pass them all, in this order"
        )
    unset = {_position(where, parameters, one) for one in uninitialised}
    pointers = (ctypes.c_void_p * (len(arguments) + 1))()
    packed = Packed(pointers, [], [])
    for at, (parameter, argument) in enumerate(zip(parameters, arguments)):
        if parameter.pointer:
            value = ctypes.c_void_p(_address(where, parameter, argument))
            if argument is not None:
                packed.buffers.append(_buffer(argument, at, parameter.constant, at in unset, parameter.size))
            pointers[at] = ctypes.addressof(value)
            packed.kept.extend([value, argument])
        else:
            number = _number(where, parameter, argument)
            pointers[at] = number.ctypes.data
            packed.kept.append(number)
    packed.buffers.extend(
        _buffer(array, len(parameters) + at, False, False, array.itemsize) for at, array in enumerate(reachable)
    )
    packed.kept.append(reachable)
    return packed


def _position(where: str, parameters: Sequence[Parameter], asked: str | int) -> int:
    names = [parameter.name for parameter in parameters]
    at = names.index(asked) if asked in names else asked
    if not isinstance(at, int) or not 0 <= at < len(parameters) or not parameters[at].pointer:
        pointers = ", ".join(parameter.name for parameter in parameters if parameter.pointer)
        raise ArgumentError(where, "uninitialised", f"names of array parameters ({pointers}) or their places", repr(asked))
    return at


def _buffer(array: np.ndarray, argument: int, constant: bool, uninitialised: bool, number: int) -> CBuffer:
    piece = next(size for size in (4, 2, 1) if number % size == 0)
    return CBuffer(array.ctypes.data, array.nbytes, argument, constant, uninitialised, piece)


def _address(where: str, parameter: Parameter, argument: Any) -> int | None:
    if argument is None:
        return None
    if not isinstance(argument, np.ndarray):
        raise DTypeError(where, parameter.name, f"a NumPy array or None ({parameter})", _told(argument))
    if parameter.dtype is not None and argument.dtype != parameter.dtype:
        raise DTypeError(where, parameter.name, f"an array of {parameter.dtype} ({parameter})", f"one of {argument.dtype}",
                         f"Convert it: x.astype(np.{parameter.dtype})")  # fmt: skip
    if not argument.flags.c_contiguous:
        got = f"shape {argument.shape} with strides {argument.strides}"
        raise ArgumentError(where, parameter.name, "a C-contiguous array", got, "Pass np.ascontiguousarray(x)")
    if argument.ctypes.data % parameter.alignment:
        raise ArgumentError(where, parameter.name, f"an address that is a multiple of {parameter.alignment}",
                            f"{argument.ctypes.data:#x}", "Pass a copy, or an array that begins there")  # fmt: skip
    if not parameter.constant and not argument.flags.writeable:
        got = "one that is not writeable"
        raise ArgumentError(where, parameter.name, f"an array that the kernel may write ({parameter})", got,
                            "Pass a copy, or declare the parameter const")  # fmt: skip
    return argument.ctypes.data


def _number(where: str, parameter: Parameter, argument: Any) -> np.ndarray:
    """A number in memory of its own."""
    expected = f"a NumPy scalar ({parameter})"
    structure = parameter.dtype is not None and parameter.dtype.kind == "V"
    if not isinstance(argument, np.generic):
        kind = parameter.dtype
        remedy = "" if structure else f"Pass np.{kind}(value): the width of a plain Python number is not known"
        raise DTypeError(where, parameter.name, expected, _told(argument), remedy)
    fits = argument.dtype.itemsize == parameter.size if structure else argument.dtype == parameter.dtype
    if not fits:
        remedy = f"a structure of {parameter.size} bytes" if structure else f"Pass np.{parameter.dtype}(value)"
        raise DTypeError(where, parameter.name, expected, f"np.{argument.dtype}({argument})", remedy)
    return np.array([argument])


def _told(argument: Any) -> str:
    if isinstance(argument, np.ndarray):
        return f"an array of {argument.dtype}, shape {argument.shape}"
    return f"{argument!r} ({type(argument).__name__})"


def three(where: str, argument: str, given: Any, most: Sequence[int]) -> tuple[int, int, int]:
    """The sizes of a grid or block, filled up with ones.

    Raises:
        ShapeError: no one to three whole numbers, or one below 1 or above what CUDA allows.
    """
    sizes = given if isinstance(given, tuple | list) else (given,)
    whole = [int(size) for size in sizes if isinstance(size, int | np.integer) and not isinstance(size, bool)]
    if len(whole) != len(sizes) or not 1 <= len(whole) <= 3:
        raise ShapeError(where, argument, "one to three whole numbers", repr(given))
    x, y, z = (*whole, 1, 1)[:3]
    for size, limit, axis in zip((x, y, z), most, "xyz"):
        if not 1 <= size <= limit:
            remedy = "Launch nothing where there is nothing to do" if size == 0 else ""
            raise ShapeError(where, f"{argument}.{axis}", f"from 1 to {limit}", f"{size} ({argument} {given!r})", remedy)
    return x, y, z


def watched_block(where: str, watched: Any, grid: tuple[int, int, int], default: int) -> int:
    """The number of the block that is looked at.

    Raises:
        ShapeError: it is not in the grid.
    """
    if watched is None:
        return default
    given = tuple(watched) if isinstance(watched, tuple | list) else (watched,)
    index = (*given, 0, 0)[:3]
    inside = len(given) <= 3 and all(isinstance(at, int | np.integer) and 0 <= at < size for at, size in zip(index, grid))
    if not inside:
        raise ShapeError(where, "watched", f"a block of the grid {grid}, counted from 0", repr(watched))
    x, y, z = index
    return int(x + grid[0] * (y + grid[1] * z))


def check_countable(where: str, grid: Sequence[int], block: Sequence[int]) -> None:
    """Each thread of a launch that is checked has a number of 32 bits.

    Raises:
        ShapeError: there are more.
    """
    threads = math.prod((*grid, *block))
    if threads >= 2**32 - 1:
        raise ShapeError(where, "grid", "fewer than 4 billion threads in checked mode", f"{threads}", "Check a smaller case")


def sizes(
    where: str, grid: Any, block: Any, shared: Any, cooperative: bool, most_threads: int = MOST_THREADS
) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Grid and block of three sizes each, with all that CUDA limits.

    Raises:
        ShapeError: sizes out of range, or more threads in a block than ``most_threads``.
        ArgumentError: too much shared memory, or too many threads for a cooperative launch.
    """
    grid, block = three(where, "grid", grid, MOST_BLOCKS), three(where, "block", block, MOST_IN_BLOCK)
    threads = block[0] * block[1] * block[2]
    if threads > most_threads:
        bound = "" if most_threads == MOST_THREADS else ", as __launch_bounds__ says"
        raise ShapeError(where, "block", f"at most {most_threads} threads{bound}", f"{threads} ({block})",
                         "Use smaller blocks and more of them")  # fmt: skip
    if not isinstance(shared, int | np.integer) or not 0 <= shared <= MOST_SHARED:
        raise ArgumentError(where, "shared", f"from 0 to {MOST_SHARED} bytes", f"{shared!r}", "Use smaller tiles")
    together = grid[0] * grid[1] * grid[2] * threads
    if cooperative and together > MOST_TOGETHER:
        raise ArgumentError(where, "grid", f"at most {MOST_TOGETHER} threads in a cooperative launch", f"{together}",
                            "All blocks run at once: launch fewer, and let each do more")  # fmt: skip
    return grid, block
