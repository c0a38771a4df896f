"""Reading and writing parts of an array, with CuPy's manners.

A place outside an array, named by an array of integers, goes round (``index % size``) where NumPy raises. Which of several
values assigned to one place remains is not known on a GPU: that is refused here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.emulator.cupy.array import fresh, ndarray, touched, view
from minigrad.emulator.cupy.traffic import counters, sent, waited

ADDABLE = frozenset(["i4", "u4", "u8", "f2", "f4", "f8", "c8", "c16"])  # what atomicAdd of CuPy 13 takes
COMPARABLE = frozenset(["i4", "u4", "i8", "u8", "f4", "f8"])  # what its atomicMax and atomicMin take
NUMBERS = (bool, int, float, complex, np.generic)


def pick(array: ndarray, index: Any) -> ndarray:
    """``array[index]``: a view, or a copy where an array is among the index."""
    check_device(array)
    place, advanced = numpy_index(array, index)
    if not advanced:
        part = array._numpy[place if isinstance(place, tuple) else (place,)]
        return view(array, part if isinstance(part, np.ndarray) else array._numpy[(*place, ...)])
    counters.calls += 1
    if any(item.dtype.kind == "b" for item in advanced):
        waited(copied=False)  # the size of the result is asked of the device
    return fresh(np.asarray(array._numpy[place]))


def assign(array: ndarray, index: Any, value: Any) -> None:
    """``array[index] = value``."""
    check_device(array, value)
    touched(array)
    counters.calls += 1
    place, advanced = numpy_index(array, index)
    if isinstance(value, np.ndarray):
        if value.ndim:
            raise ValueError(
                "non-scalar numpy.ndarray cannot be used for fill: copy it with cupy.asarray, or write with cupy.ndarray.set"
            )
        value = value[()]
    if isinstance(value, ndarray):
        value = value._numpy.copy() if advanced else value._numpy
    elif not isinstance(value, NUMBERS):
        sent()
        value = np.asarray(value)
    with np.errstate(all="ignore"):
        array._numpy[place] = value
    if advanced:
        _refuse_twice(array, place, value)


def scatter(operation: np.ufunc, array: ndarray, index: Any, value: Any) -> None:
    """``operation.at(array, index, value)`` for add, maximum and minimum.

    Raises:
        TypeError: CuPy has no atomic operation for the dtype.
    """
    check_device(array, value)
    allowed = ADDABLE if operation in (np.add, np.subtract) else COMPARABLE
    if array.dtype.str[1:] not in allowed:
        raise TypeError(f"cupy.{operation.__name__}.at does not support {array.dtype} as data type")
    counters.calls += 1
    touched(array)
    place, _ = numpy_index(array, index)
    number = value._numpy if isinstance(value, ndarray) else value
    if isinstance(number, np.ndarray) and number is value:
        raise TypeError(f"Unsupported type {type(value)}")
    with np.errstate(all="ignore"):
        operation.at(array._numpy, place, np.asarray(number).astype(array.dtype))


def check_device(*arrays: Any) -> None:
    """Refuse arrays that do not lie on the current device, as CuPy does where devices cannot reach each other.

    Raises:
        ValueError: one does not.
    """
    from minigrad.emulator.cupy.memory import current_device

    here = current_device()
    for array in arrays:
        if isinstance(array, ndarray) and array._block.device != here:
            raise ValueError(
                f"Array device must be same as the current device: array device = {array._block.device} while current = {here}"
            )


def numpy_index(array: ndarray, index: Any) -> tuple[tuple[Any, ...], list[np.ndarray]]:
    """An index for NumPy's array, and the arrays in it; integers outside go round."""
    items = index if isinstance(index, tuple) else (index,)
    own: list[Any] = []
    advanced: list[np.ndarray] = []
    for item in items:
        if isinstance(item, ndarray):
            check_device(item)
            item = item._numpy
        elif item is None or item is Ellipsis or isinstance(item, slice) or _is_integer(item):
            own.append(_on_host(item) if isinstance(item, slice) else item)
            continue
        else:
            sent()  # CuPy copies lists and NumPy arrays to the device at each use
            item = np.asarray(item)
            if not item.size and item.dtype.kind == "f":
                item = item.astype(np.int32)
        if item.dtype.kind not in "biu":
            raise IndexError(f"arrays used as indices must be of integer or boolean type. (actual: {item.dtype.type})")
        advanced.append(item)
        own.append(item)
    if not advanced:
        return tuple(own), advanced
    return _wrapped(array.shape, own), advanced


def _is_integer(item: Any) -> bool:
    return isinstance(item, (int, np.integer)) and not isinstance(item, bool)


def _on_host(item: slice) -> slice:
    return slice(*(bound if bound is None else int(bound) for bound in (item.start, item.stop, item.step)))


def _wrapped(shape: tuple[int, ...], items: list[Any]) -> tuple[Any, ...]:
    """The index with each integer of its arrays inside the dimension that it names."""
    taken = sum(item.ndim if _is_mask(item) else 1 for item in items if item is not None and item is not Ellipsis)
    axis, wrapped = 0, []
    for item in items:
        if item is Ellipsis:
            axis += len(shape) - taken
        elif item is not None:
            if isinstance(item, np.ndarray) and item.dtype.kind in "iu" and axis < len(shape):
                item = item % shape[axis] if shape[axis] else item
            axis += item.ndim if _is_mask(item) else 1
        wrapped.append(item)
    return tuple(wrapped)


def _is_mask(item: Any) -> bool:
    return isinstance(item, np.ndarray) and item.dtype.kind == "b"


def _refuse_twice(array: ndarray, place: tuple[Any, ...], value: Any) -> None:
    """Raise where a place was named twice, and given two values."""
    if all(_is_mask(item) or not isinstance(item, np.ndarray) or item.size < 2 for item in place):
        return
    written = array._numpy[place]
    given = np.broadcast_to(np.asarray(value).astype(array.dtype), written.shape)
    if not np.array_equal(written, given, equal_nan=array.dtype.kind in "fc"):
        raise RuntimeError(
            "an index names the same place twice: which value remains there is not defined in CuPy. Use cupy.add.at for sums"
        )
