"""The array of the stand-in: NumPy's numbers behind CuPy's manners.

It never turns into a NumPy array by itself, a reduction gives an array without dimensions, a copy is in C order, and what
has to wait for the device is counted. Its methods are NumPy's of the same names, as far as CuPy has them, with CuPy's
parameters.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigrad.emulator.cupy import memory
from minigrad.emulator.cupy.memory import Block, DeviceMemory, current_device
from minigrad.emulator.cupy.traffic import counters, sent, waited

KINDS = "biufc"


class ndarray:  # noqa: N801 - CuPy's name
    """As ``cupy.ndarray``: an uninitialised array, which is filled with 0xFF here.

    Args:
        shape: its sizes.
        dtype: numbers or truth values.
        memptr: where it lies, as ``RawModule.get_global`` tells it; memory of its own by default.
        strides: not supported here.
        order: ``"C"`` or ``"F"``.

    Attributes:
        base: of a view, the array in whose memory it lies.
    """

    __slots__ = ("__weakref__", "_block", "_numpy", "base")
    __array_priority__ = 100
    __hash__ = None  # type: ignore[assignment]
    _numpy: np.ndarray
    _block: Block | DeviceMemory
    base: ndarray | None

    def __init__(self, shape: Any, dtype: Any = float, memptr: Any = None, strides: Any = None, order: str = "C") -> None:
        if strides is not None:
            raise NotImplementedError("the stand-in for CuPy makes no array of given strides")
        sizes = (int(shape),) if not isinstance(shape, (tuple, list)) else tuple(map(int, shape))
        kind = np.dtype(dtype)
        self.base = None
        if memptr is None:
            self._numpy, self._block = allocate(sizes, kind, order)
            return
        start, count = memptr.ptr - memptr.mem.bytes.ctypes.data, math.prod(sizes) * kind.itemsize
        if start + count > memptr.mem.bytes.nbytes:
            raise ValueError(f"expected at most {memptr.mem.bytes.nbytes - start} bytes, got {sizes} of {kind}")
        self._block = memptr.mem
        self._numpy = (
            memptr.mem.bytes[start : start + count].view(supported(kind)).reshape(sizes, order="F" if order == "F" else "C")
        )

    # ------------------------------------------------------------------ what it is

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes; assigned, they must fit without a copy."""
        return self._numpy.shape

    @shape.setter
    def shape(self, sizes: Any) -> None:
        self._numpy = self._numpy.reshape(sizes, copy=False)

    @property
    def dtype(self) -> np.dtype:
        """NumPy's dtype."""
        return self._numpy.dtype

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self._numpy.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self._numpy.size

    @property
    def itemsize(self) -> int:
        """Bytes of an element."""
        return self._numpy.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self._numpy.nbytes

    @property
    def strides(self) -> tuple[int, ...]:
        """Bytes from one element to the next in each dimension."""
        return self._numpy.strides

    @property
    def flags(self) -> Flags:
        """Its layout: ``c_contiguous``, ``f_contiguous``, ``owndata``."""
        return Flags(self)

    @property
    def data(self) -> Pointer:
        """Where its first element lies: ``data.ptr`` is the address."""
        return Pointer(self._numpy.ctypes.data, self._block)

    @property
    def device(self) -> Any:
        """The device that holds it."""
        from minigrad.emulator.cupy.cuda import Device

        return Device(self._block.device)

    @property
    def T(self) -> ndarray:
        """A view with the dimensions in reverse order."""
        return view(self, self._numpy.T)

    @property
    def real(self) -> ndarray:
        """The real part, a view."""
        return view(self, self._numpy.real)

    # ------------------------------------------------------------------ to the host

    def get(self, stream: Any = None, order: str = "C", out: np.ndarray | None = None, blocking: bool = True) -> np.ndarray:
        """A copy as a NumPy array."""
        waited()
        if out is None:
            return np.array(self._numpy, order=order)  # type: ignore[call-overload]
        if out.dtype != self.dtype or out.shape != self.shape:
            raise TypeError(f"out: expected {self.shape} of {self.dtype}, got {out.shape} of {out.dtype}")
        out[...] = self._numpy
        return out

    def set(self, arr: np.ndarray, stream: Any = None) -> None:
        """Copy a NumPy array of this shape and dtype here."""
        if not isinstance(arr, np.ndarray):
            raise TypeError("Only numpy.ndarray can be set to cupy.ndarray")
        if arr.dtype != self.dtype or arr.shape != self.shape:
            raise ValueError(f"expected {self.shape} of {self.dtype}, got {arr.shape} of {arr.dtype}")
        sent()
        touched(self)
        from minigrad.emulator.cupy.cuda import do_in

        do_in(stream, arr, lambda: np.copyto(self._numpy, arr))

    def item(self, *index: Any) -> Any:
        """The one element as a Python number."""
        if index:
            raise TypeError(f"item() takes no arguments in CuPy 13, and {len(index)} came")
        waited()
        return self._numpy.item()

    def tolist(self) -> Any:
        """Nested lists of Python numbers."""
        waited()
        return self._numpy.tolist()

    def tobytes(self, order: Any = "C") -> bytes:
        """The bytes of the elements."""
        waited()
        return self._numpy.tobytes(order)

    def __bool__(self) -> bool:
        waited()
        return bool(self._numpy)

    def __int__(self) -> int:
        waited()
        return int(self._numpy)

    def __float__(self) -> float:
        waited()
        return float(self._numpy)

    def __index__(self) -> int:
        waited()
        return self._numpy.__index__()

    def __repr__(self) -> str:
        waited()
        return repr(self._numpy)

    def __str__(self) -> str:
        waited()
        return str(self._numpy)

    def __format__(self, spec: str) -> str:
        waited()
        return format(self._numpy, spec)

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct a NumPy array explicitly."
        )

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, self._block.device  # 2: CUDA

    def __reduce__(self) -> Any:
        from minigrad.emulator.cupy.creation import array

        return array, (self.get(),)

    def __copy__(self) -> ndarray:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> ndarray:
        return self.copy()

    # ------------------------------------------------------------------ copies and views

    def copy(self, order: str = "C") -> ndarray:
        """A copy in memory of its own."""
        _check_here(self)
        return fresh(self._numpy.copy(order=order), keep=True)  # type: ignore[arg-type]

    def astype(self, dtype: Any, order: str = "K", casting: Any = None, subok: Any = None, copy: bool = True) -> ndarray:
        """A copy in another dtype; itself if it has it and ``copy`` is false."""
        if casting is not None or subok is not None:
            raise TypeError("casting and subok are not supported in CuPy")
        if not copy and self.dtype == dtype and (order in "KA" or getattr(self.flags, f"{order.lower()}_contiguous")):
            return self
        _check_here(self)
        supported(np.dtype(dtype))
        with np.errstate(all="ignore"):
            return fresh(self._numpy.astype(dtype, order=order), keep=True)  # type: ignore[call-overload]

    def fill(self, value: Any) -> None:
        """Make every element ``value``."""
        from minigrad.emulator.cupy.indexing import assign

        assign(self, Ellipsis, value)

    def view(self, dtype: Any = None, type: Any = None) -> ndarray:
        """The same memory, its bytes read as another dtype."""
        return view(self, self._numpy.view() if dtype is None else self._numpy.view(dtype))

    def reduced_view(self, dtype: Any = None) -> ndarray:
        """A view with as few dimensions as can be."""
        return view(self, self._numpy.reshape(-1)) if self._numpy.flags.c_contiguous else view(self, self._numpy.view())

    def __len__(self) -> int:
        return len(self._numpy)

    def __iter__(self) -> Any:
        if not self._numpy.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[place] for place in range(len(self._numpy)))

    def __getitem__(self, index: Any) -> ndarray:
        from minigrad.emulator.cupy.indexing import pick

        return pick(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        from minigrad.emulator.cupy.indexing import assign

        assign(self, index, value)

    def scatter_add(self, slices: Any, value: Any) -> None:
        """Add to the places named, as often as they are named."""
        from minigrad.emulator.cupy.indexing import scatter

        scatter(np.add, self, slices, value)

    # ------------------------------------------------------------------ functions of NumPy

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        from minigrad.emulator import cupy

        if "out" in kwargs:
            (kwargs["out"],) = kwargs["out"]
        function = getattr(cupy, ufunc.__name__)
        return (function if method == "__call__" else getattr(function, method))(*inputs, **kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        from minigrad.emulator import cupy

        owner: Any = cupy
        for part in function.__module__.split(".")[1:]:
            owner = getattr(owner, part)
        return getattr(owner, function.__name__)(*args, **kwargs)


def _check_here(array: ndarray) -> None:
    from minigrad.emulator.cupy.indexing import check_device

    check_device(array)
    counters.calls += 1


class Flags:
    """How an array lies in memory."""

    def __init__(self, array: ndarray) -> None:
        flags = array._numpy.flags
        self.c_contiguous, self.f_contiguous, self.owndata = flags.c_contiguous, flags.f_contiguous, array.base is None
        self.forc, self.fnc = flags.forc, flags.fnc

    def __getitem__(self, name: str) -> bool:
        return getattr(self, name.lower())


class Pointer:
    """An address on a device, as ``cupy.cuda.MemoryPointer``."""

    def __init__(self, address: int, block: Block | DeviceMemory) -> None:
        self.ptr, self.mem, self.device_id = address, block, block.device


def touched(array: ndarray) -> None:
    """Take it that something was written to an array's memory."""
    if array._block.unwritten:
        array._block.unwritten = False


def supported(dtype: np.dtype) -> np.dtype:
    """The dtype, if CuPy has it.

    Raises:
        ValueError: it has not.
    """
    if dtype.kind not in KINDS or dtype.itemsize > 16 or dtype == np.longdouble or not dtype.isnative:
        raise ValueError(f"Unsupported dtype {dtype}")
    return dtype


def allocate(shape: tuple[int, ...], dtype: np.dtype, order: str = "C") -> tuple[np.ndarray, Block]:
    """Memory of the current device, with unknown contents, and NumPy's view of it."""
    supported(dtype)
    count = 1
    for size in shape:
        if size < 0:
            raise ValueError("Negative dimensions are not allowed")
        count *= size
    block = Block(count * dtype.itemsize, memory.current_device())
    block.bytes[...] = 1 if dtype.kind == "b" else 255
    block.unwritten = True
    return block.bytes.view(dtype).reshape(shape, order="F" if order == "F" else "C"), block


def fresh(result: np.ndarray, keep: bool = False) -> ndarray:
    """A result of NumPy's in memory of the device: in C order, or as it lies if ``keep``."""
    dtype = supported(result.dtype)
    made = ndarray.__new__(ndarray)
    made.base = None
    made._block = block = Block(result.nbytes, current_device())
    flat = block.bytes.view(dtype)
    if not keep or result.flags.c_contiguous:
        made._numpy = flat.reshape(result.shape)
    else:
        made._numpy = flat.reshape([result.shape[axis] for axis in _order(result)]).transpose(np.argsort(_order(result)))
    made._numpy[...] = result
    return made


def _order(array: np.ndarray) -> list[int]:
    """The axes from the slowest to the fastest in memory."""
    return sorted(range(array.ndim), key=lambda axis: (-abs(array.strides[axis]), axis))


def view(source: ndarray, part: np.ndarray) -> ndarray:
    """NumPy's view of an array as one of ours."""
    made = ndarray.__new__(ndarray)
    made._numpy, made._block = part, source._block
    made.base = source if source.base is None else source.base
    return made
