"""New arrays: from the host's data, filled, or empty."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.emulator.cupy.array import allocate, fresh, ndarray, view
from minigrad.emulator.cupy.traffic import counters, sent


def array(
    obj: Any,
    dtype: Any = None,
    copy: bool = True,
    order: str = "K",
    subok: bool = False,
    ndmin: int = 0,
    *,
    blocking: bool = False,
) -> ndarray:
    """A new array with a copy of the data."""
    if isinstance(obj, ndarray):
        if not copy and (dtype is None or obj.dtype == dtype) and obj.ndim >= ndmin:
            return obj
        counters.calls += 1
        return fresh(np.array(obj._numpy, dtype=dtype, order=order, ndmin=ndmin), keep=True)  # type: ignore[call-overload]
    if isinstance(obj, (list, tuple)) and any(isinstance(each, ndarray) for each in obj):
        from minigrad.emulator.cupy.spaces import from_main

        joined: ndarray = from_main("stack")(list(obj))
        return joined if dtype is None else joined.astype(dtype, copy=False)
    sent()
    return fresh(np.array(obj, dtype=dtype, order=order, ndmin=ndmin), keep=True)  # type: ignore[call-overload]


def asarray(a: Any, dtype: Any = None, order: Any = None, *, blocking: bool = False) -> ndarray:
    """The data as an array; itself if it is one of that dtype and order."""
    return array(a, dtype, copy=False, order=order or "K", blocking=blocking)


asanyarray = asarray


def ascontiguousarray(a: Any, dtype: Any = None) -> ndarray:
    """The data in C order; itself if it is so."""
    made = asarray(a, dtype)
    if not made.ndim:
        made = view(made, made._numpy.reshape(1))
    return made if made._numpy.flags.c_contiguous else made.copy()


def asnumpy(a: Any, stream: Any = None, order: str = "C", out: Any = None, *, blocking: bool = True) -> np.ndarray:
    """The numbers as a NumPy array."""
    return a.get(order=order, out=out) if isinstance(a, ndarray) else np.asarray(a, order=order)  # type: ignore[call-overload]


def empty(shape: Any, dtype: Any = float, order: str = "C") -> ndarray:
    """An array of whatever the memory holds: 0xFF here."""
    return ndarray(shape, dtype, order=order or "C")


def zeros(shape: Any, dtype: Any = float, order: str = "C") -> ndarray:
    """An array of zeros."""
    return _filled(empty(shape, dtype, order), 0)


def ones(shape: Any, dtype: Any = float, order: str = "C") -> ndarray:
    """An array of ones."""
    return _filled(empty(shape, dtype, order), 1)


def full(shape: Any, fill_value: Any, dtype: Any = None, order: str = "C") -> ndarray:
    """An array of one number."""
    if dtype is None:
        dtype = fill_value.dtype if isinstance(fill_value, ndarray) else np.array(fill_value).dtype
    return _filled(empty(shape, dtype, order), fill_value)


def empty_like(a: ndarray, dtype: Any = None, order: str = "K", subok: Any = None, shape: Any = None) -> ndarray:
    """An empty array of the shape, dtype and layout of another."""
    if not isinstance(a, ndarray):
        raise TypeError(f"expected a cupy.ndarray, got {type(a)}")
    if subok is not None:
        raise TypeError("subok is not supported yet")
    pattern = np.empty_like(a._numpy, dtype=dtype, order=order, shape=shape)  # type: ignore[call-overload]
    if pattern.flags.c_contiguous:
        return ndarray(pattern.shape, pattern.dtype)
    made = ndarray.__new__(ndarray)
    made.base = None
    axes = sorted(range(pattern.ndim), key=lambda axis: (-pattern.strides[axis], axis))
    memory, made._block = allocate(tuple(pattern.shape[axis] for axis in axes), pattern.dtype)
    made._numpy = memory.transpose(np.argsort(axes))
    return made


def zeros_like(a: ndarray, dtype: Any = None, order: str = "K", subok: Any = None, shape: Any = None) -> ndarray:
    """Zeros of the shape, dtype and layout of another array."""
    return _filled(empty_like(a, dtype, order, subok, shape), 0)


def ones_like(a: ndarray, dtype: Any = None, order: str = "K", subok: Any = None, shape: Any = None) -> ndarray:
    """Ones of the shape, dtype and layout of another array."""
    return _filled(empty_like(a, dtype, order, subok, shape), 1)


def full_like(
    a: ndarray, fill_value: Any, dtype: Any = None, order: str = "K", subok: Any = None, shape: Any = None
) -> ndarray:
    """One number everywhere, in the shape, dtype and layout of another array."""
    return _filled(empty_like(a, dtype, order, subok, shape), fill_value)


def _filled(made: ndarray, number: Any) -> ndarray:
    made.fill(number)
    return made


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> ndarray:
    """Numbers at equal distances."""
    counters.calls += 1
    numbers = np.arange(start, dtype=dtype) if stop is None else np.arange(start, stop, step, dtype=dtype)
    return fresh(numbers)
