"""Our own words for what NumPy or CuPy refuses: operands of two devices, shapes, sizes, indices. Built only on failure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from minigrad.core.device import IN_USE, device_of, places_of
from minigrad.errors import DeviceError, DTypeError, IndexingError, MinigradError, OutOfMemoryError, ShapeError

Tensor: Any = None  # core.tensor hands its class in, so that this file need not know it,
shortage: Any = None  # and core.shortage this function, which words the error of a GPU without memory
_TOO_LARGE = (
    "Maximum allowed dimension exceeded",
    "array is too big",
    "too large to convert",
    "array size defined by dims is larger",
    "iterator is too large",
    "negative dimensions are not allowed",  # a product of sizes that went round past 2^63
    "Maximum allowed size exceeded",
)


def refuse_mixed(where: str, operands: Iterable[Any], error: Exception | None = None) -> None:
    """Raise our own words if Tensors or arrays among the operands, also in lists, lie on several devices.

    Raises:
        DeviceError: they do.
    """
    arrays = list(arrays_of(operands))
    devices = sorted(map(str, places_of(arrays)))
    if len(devices) > 1:
        shapes = ", ".join(f"{tuple(array.shape)} on {device_of(array)}" for array in arrays)
        remedy = f"Call .to({devices[-1]!r}) on the others"
        raise DeviceError(where, "operands", "tensors of one device", shapes, remedy) from error


def arrays_of(operands: Iterable[Any]) -> Iterator[Any]:
    """The arrays among operands of an op, also those of Tensors and in lists."""
    for each in operands:
        if isinstance(each, (tuple, list)):
            yield from arrays_of(each)
        elif isinstance(each, Tensor):
            yield each.array
        elif places_of([each]):
            yield each


def refuse_size(where: str, error: Exception, operands: Iterable[Any] = ()) -> None:
    """Raise our own words for what NumPy or CuPy says of sizes beyond all memory; do nothing for other errors."""
    if isinstance(error, MinigradError):
        return
    if isinstance(error, MemoryError) and IN_USE:
        told = shortage(where, error, operands)
        if told is not None:
            raise told from error
    text = str(error)
    if isinstance(error, MemoryError) or any(sign in text for sign in _TOO_LARGE):
        raise OutOfMemoryError(where, "sizes", "sizes that memory holds", text, "Make it smaller, or work in parts") from error


def explain(cls: Any, args: tuple, error: Exception) -> None:
    """Raise our own words for what NumPy or CuPy refused of an op, where we know better."""
    if isinstance(error, MinigradError):
        return
    op = cls.__name__.lower()
    tensors = [arg for arg in args if isinstance(arg, Tensor)]
    refuse_mixed(op, args, error)
    if "broadcast" in str(error) and len(tensors) > 1:
        shapes = " and ".join(str(tuple(t.array.shape)) for t in tensors)
        raise ShapeError(
            op,
            "operands",
            "shapes that broadcast: counted from the last, sizes equal or 1",
            shapes,
            "Reshape or expand one of them",
        ) from error
    if cls._guarded:  # the user's own: what else it raised passes as it is
        return
    refuse_size(op, error, args)
    if isinstance(error, IndexError):
        raise IndexingError(op, "index", "places inside the tensor", str(error)) from error
    if isinstance(error, OverflowError):
        raise DTypeError(op, "operands", "numbers that the dtype holds", str(error)) from error
