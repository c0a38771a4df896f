"""What every contract asks of its arrays before a kernel is launched."""

from __future__ import annotations

from collections.abc import Iterable
from operator import index
from typing import Any

import numpy as np

from minigrad.core.device import CPU, SEVERAL, Array, array_module, device_of, follow, move
from minigrad.errors import ArgumentError, DeviceError, DTypeError, IndexingError, ShapeError
from minigrad.kernels.doubts import doubt

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def check_arrays(where: str, named: tuple[tuple[str, Array], ...], dtypes: tuple[np.dtype, ...] = FLOATS) -> str:
    """See that all are arrays of one dtype, among ``dtypes``, on one device; the device's type comes back.

    Raises:
        DTypeError: something that is no array, a dtype the kernel does not take, or two dtypes.
        DeviceError: arrays on two devices.
    """
    first_name, first = named[0]
    if type(first) is np.ndarray and first.dtype in dtypes:
        for _, array in named:
            if type(array) is not np.ndarray or array.dtype is not first.dtype:
                break
        else:
            return "cpu"
    for name, array in named:
        try:
            array_module(array)
        except KeyError:
            raise DTypeError(where, name, "an array of NumPy or CuPy", f"a {type(array).__name__}") from None
    return _check_slowly(where, first_name, first, named, dtypes)


def _check_slowly(
    where: str, first_name: str, first: Array, named: tuple[tuple[str, Array], ...], dtypes: tuple[np.dtype, ...]
) -> str:
    if first.dtype not in dtypes:
        names = " or ".join(dtype.name for dtype in dtypes)
        remedy = f"Convert it to {dtypes[0].name}" + (": float16 is for storage" if first.dtype == np.float16 else "")
        raise DTypeError(where, first_name, names, str(first.dtype), remedy)
    for name, array in named:
        if device_of(array) != device_of(first):
            got, there = device_of(array), device_of(first)
            expected, remedy = f"an array on {there}, as {first_name} is", f"Move it there: .to('{there}')"
            raise DeviceError(where, name, expected, f"one on {got}", remedy)
        if array.dtype != first.dtype:
            expected, remedy = f"{first.dtype}, as {first_name} has", f"Convert it to {first.dtype}"
            raise DTypeError(where, name, expected, str(array.dtype), remedy)
    if SEVERAL:
        follow((first,))
    return device_of(first).type


def check_rank(where: str, name: str, array: Array, axes: str) -> None:
    """See that an array has one dimension for each word of ``axes``, as in ``"N, C, H, W"``.

    Raises:
        ShapeError: another number of dimensions.
    """
    rank = axes.count(",") + 1
    if array.ndim != rank:
        remedy = "Add the batch dimension: x[None]" if array.ndim == rank - 1 and axes.startswith("N,") else ""
        raise ShapeError(where, name, f"{rank} dimensions ({axes})", f"shape {array.shape}", remedy)


def numbers(where: str, **settings: Any) -> dict[str, float]:
    """The settings as Python's floats, by their names.

    Raises:
        ArgumentError: something that is no number.
    """
    for name, value in settings.items():
        if type(value) is not float:
            try:
                settings[name] = float(value)
            except (TypeError, ValueError):
                raise ArgumentError(where, name, "a number", repr(value)) from None
    return settings


def integers(where: str, name: str, values: Iterable[Any], expected: str, least: int) -> tuple[int, ...]:
    """The values as Python ints, each at least ``least``.

    Raises:
        ArgumentError: something that is no whole number, or too small.
    """
    try:
        numbers = tuple(map(index, values))
    except TypeError:
        numbers = ()
    if not numbers or min(numbers) < least or max(numbers) >= 1 << 40:  # more than any memory holds
        raise ArgumentError(where, name, expected, str(values))
    return numbers


def pair(where: str, name: str, value: Any, least: int) -> tuple[int, int]:
    """``value`` as (vertical, horizontal) ints.

    Raises:
        ArgumentError: no pair of whole numbers that are at least ``least``.
    """
    expected = f"two whole numbers (vertical, horizontal), {least} or more"
    if type(value) is not tuple or len(value) != 2:
        raise ArgumentError(where, name, expected, repr(value))
    return integers(where, name, value, expected, least)  # type: ignore[return-value]


def truth(where: str, **named: Any) -> None:
    """Each of the named arguments is True or False.

    Raises:
        DTypeError: one is not.
    """
    for name, value in named.items():
        if type(value) is not bool:
            raise DTypeError(where, name, "True or False", type(value).__name__)


def check_row_numbers(where: str, name: str, index: Array, beside: Array, rows: int) -> None:
    """See that numbers are those of ``rows`` rows, on the device of another array.

    Raises:
        DTypeError: no array of numbers, or other ones than int64.
        DeviceError: they lie on another device.
        IndexingError: a number outside 0 to ``rows`` - 1, with its place.

    Example:
        >>> check_row_numbers("embedding", "input", np.array([0, 2]), np.zeros(3), 3)
    """
    if getattr(index, "dtype", None) != np.int64:
        got = str(getattr(index, "dtype", type(index).__name__))
        raise DTypeError(where, name, "row numbers, int64", got, "Convert it with .long()")
    if device_of(index) != device_of(beside):
        there, other = device_of(beside), device_of(index)
        raise DeviceError(where, name, f"an array on {there}", f"one on {other}", f"Move it there: .to('{there}')")
    if not index.size:
        return

    def error() -> IndexingError:
        host = move(index, CPU)
        at = tuple(int(each) for each in np.argwhere((host < 0) | (host >= rows))[0])
        place = at[0] if len(at) == 1 else at
        return IndexingError(where, name, f"row numbers from 0 to {rows - 1}", f"{int(host[at])} at {place}")

    if type(index) is np.ndarray:
        doubt(int(index.min()) < 0 or int(index.max()) >= rows, error)
    else:
        doubt(index.view(np.uint64).max() >= rows, error, (id(index), rows))  # one below 0 is a huge one there
