"""Arrays that are changed together at each step: checked once, and then known by the tuple they stand in.

An optimiser's step over small tensors is over in microseconds, and checking hundreds of arrays each time would cost more than
the arithmetic. So parameters and states are checked when the optimiser gathers them, and stand in tuples that say so. Gradients
are new arrays at each step, and are looked at each time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module, device_of
from minigrad.errors import ArgumentError, DeviceError, DTypeError, ShapeError
from minigrad.kernels.checks import FLOATS

_own_memory = attrgetter("flags.carray")  # C-contiguous, aligned, and may be written


class Held(tuple):
    """Arrays of one dtype on one device that may be written. Made by :func:`hold`; to a kernel it is a tuple of arrays.

    Attributes:
        mates: the same object in all tuples that were checked together, which hold arrays of the same shapes.
        kind: the type of the arrays.
        shapes, dtypes: those of the arrays.
        device_type: ``"cpu"`` or ``"cuda"``.
        memo: what an implementation wants to know at the next step too, under its own name. It may rely on this: the arrays
            stay where they are in memory.
    """

    mates: object
    kind: type
    shapes: list[tuple[int, ...]]
    dtypes: list[np.dtype]
    device_type: str
    memo: dict[str, Any]

    def goes_with(self, other: Sequence[Array]) -> bool:
        """Whether another sequence was checked together with this one, or is empty."""
        return other.mates is self.mates if type(other) is Held else not other


def hold(where: str, **sequences: Iterable[Array]) -> tuple[Held, ...]:
    """Check that the sequences hold arrays of the same shapes, place for place; each as a ``Held``. Empty ones stay empty.

    Raises:
        DTypeError: something that is no array, other than float32 or float64, or two dtypes.
        DeviceError: arrays on two devices.
        ShapeError: sequences of different lengths, or arrays of different shapes at one place.
        ArgumentError: memory that may not be written.

    Example:
        >>> x, v = hold("adam", params=[np.zeros(2)], exp_avgs=[np.zeros(2)])
        >>> x.shapes, x.mates is v.mates, x.device_type
        ([(2,)], True, 'cpu')
    """
    mates, held = object(), []
    memo: dict[str, Any] = {}
    first: Held | None = None
    for name, sequence in sequences.items():
        one = Held(sequence)
        _check(where, name, one, first)
        if first is None:
            first = one
            one.shapes, one.dtypes = [array.shape for array in one], [array.dtype for array in one]
            one.kind, one.device_type = (type(one[0]), device_of(one[0]).type) if one else (np.ndarray, "cpu")
        else:
            one.shapes, one.dtypes, one.kind, one.device_type = first.shapes, first.dtypes, first.kind, first.device_type
        one.mates, one.memo = mates, memo
        held.append(one)
    return tuple(held)


def _check(where: str, name: str, arrays: Sequence[Array], first: Held | None) -> None:
    if not arrays:
        return
    if first is not None and len(arrays) != len(first):
        raise ShapeError(where, name, f"{len(first)} arrays, as there are parameters, or none", str(len(arrays)))
    like = arrays if first is None else first
    alike = first is None or [getattr(array, "shape", None) for array in arrays] == first.shapes
    if alike and plain(arrays) and arrays[0].dtype == like[0].dtype and type(like[0]) is np.ndarray:
        return
    for place, array in enumerate(arrays):
        label = f"{name}[{place}]"
        check_array(where, label, array, like[0])
        if array.shape != like[place].shape:
            raise ShapeError(where, label, f"shape {like[place].shape}, as its parameter has", f"shape {array.shape}")
        check_writable(where, label, array)


def plain(arrays: Sequence[Array]) -> bool:
    """Whether all are of NumPy, of one dtype, float32 or float64, C-contiguous, and may be written: the usual case."""
    if set(map(type, arrays)) != {np.ndarray}:
        return False
    dtypes = [array.dtype for array in arrays]
    return dtypes[0] in FLOATS and dtypes.count(dtypes[0]) == len(dtypes) and all(map(_own_memory, arrays))


def check_array(where: str, label: str, array: Any, like: Array) -> None:
    """See that something is an array of the dtype and on the device of another.

    Raises:
        DTypeError, DeviceError: it is not.
    """
    try:
        array_module(array)
    except KeyError:
        raise DTypeError(where, label, "an array of NumPy or CuPy", f"a {type(array).__name__}") from None
    if array is like and array.dtype not in FLOATS:
        raise DTypeError(where, label, "float32 or float64", str(array.dtype), "Convert it to float32")
    if device_of(array) != device_of(like):
        there, got = device_of(like), device_of(array)
        raise DeviceError(where, label, f"an array on {there}", f"one on {got}", f"Move it there: .to('{there}')")
    if array.dtype != like.dtype:
        raise DTypeError(where, label, f"{like.dtype}, as the first has", str(array.dtype), f"Convert it to {like.dtype}")


def check_writable(where: str, label: str, array: Array) -> None:
    """See that an array may be written, and that no element stands at several places.

    Raises:
        ArgumentError: it may not, or one does.
    """
    repeats = 0 in array.strides and any(
        step == 0 and count > 1 for step, count in zip(array.strides, array.shape, strict=True)
    )
    if not getattr(array.flags, "writeable", True) or (repeats and array.size):
        got = f"read-only or expanded memory of strides {array.strides}"
        raise ArgumentError(where, label, "memory that may be written, of its own for each element", got, "Copy it first")
