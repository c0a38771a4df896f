"""The same numbers in another dtype, on another device, or in other memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core import dtypes
from minigrad.core.device import Array, device_of, move, names_device
from minigrad.core.device import device as _device
from minigrad.core.hints import checked
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError
from minigrad.ops.operands import cast


class Move(Function):
    """y = x on another device;  dx = dy on that of x."""

    def forward(ctx, x: Array, where: _device) -> Array:
        ctx.source = device_of(x)
        return move(x, where)

    def backward(ctx, dy: Tensor) -> Any:
        return Move.apply(dy, ctx.source), None


class Clone(Function):
    """y = x in memory of its own;  dx = dy."""

    def forward(ctx, x: Array) -> Array:
        return x.copy(order="K")

    def backward(ctx, dy: Tensor) -> Any:
        return dy


def to(
    input: Tensor, *target: Any, dtype: Any = None, device: Any = None, copy: bool = False, non_blocking: bool = False
) -> Tensor:
    """The tensor in another dtype and on another device; itself if it is so already.

    Args:
        input: Tensor.
        target: a dtype, a device, both, or another Tensor whose dtype and device are taken.
        dtype, device: the same by name.
        copy: a copy even where nothing changes.
        non_blocking: accepted for PyTorch's sake.

    Raises:
        DTypeError, ArgumentError: ``target`` is none of these.
        DeviceError: the device is not there.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([1, 2]).to(minigrad.float64)
        tensor([1., 2.], dtype=float64)
    """
    for item in target:
        if isinstance(item, Tensor):
            dtype, device = item.array.dtype, item.device
        elif names_device(item):
            device = item
        elif item is not None:
            dtype = item
            if isinstance(item, str) and not hasattr(np, item):
                expected = (
                    "a device ('cpu', 'cuda', 'cuda:INDEX', 'emulated'), a dtype (minigrad.float64, 'float64', ...) or a Tensor"
                )
                raise ArgumentError("to", "target", expected, repr(item))
    if device is not None and _device(device) != device_of(input.array):
        input = Move.apply(input, _device(device))
    elif copy and (dtype is None or dtypes.as_dtype("to", dtype) == input.array.dtype):
        return Clone.apply(input)
    return input if dtype is None else cast(input, dtypes.as_dtype("to", dtype))


def clone(input: Tensor, *, memory_format: Any = None) -> Tensor:
    """A copy in memory of its own, through which the gradient passes.

    Example:
        >>> import minigrad
        >>> minigrad.ones(2).clone()
        tensor([1., 1.])
    """
    return Clone.apply(check_tensor("clone", "input", input))


def contiguous(input: Tensor, memory_format: Any = None) -> Tensor:
    """The tensor in C order of memory; itself if it is so already. ``memory_format`` is accepted for PyTorch's sake."""
    return input if input.array.flags.c_contiguous else Contiguous.apply(input)


class Contiguous(Function):
    """y = x in C order;  dx = dy."""

    def forward(ctx, x: Array) -> Array:
        return x.copy(order="C")

    def backward(ctx, dy: Tensor) -> Any:
        return dy


@checked
def type_as(input: Tensor, other: Tensor) -> Tensor:
    """The tensor in the dtype of ``other``."""
    return cast(input, other.array.dtype)


_OLD_NAMES = {
    "BoolTensor": dtypes.bool,
    "ByteTensor": dtypes.uint8,
    "DoubleTensor": dtypes.float64,
    "FloatTensor": dtypes.float32,
    "HalfTensor": dtypes.float16,
    "IntTensor": dtypes.int32,
    "LongTensor": dtypes.int64,
}


def to_type(input: Tensor, dtype: Any = None, non_blocking: bool = False) -> Any:
    """The tensor in another dtype, which may be named as of old, ``"minigrad.FloatTensor"``; without one, that name of its own.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([1, 2]).type(minigrad.float64).type()
        'minigrad.DoubleTensor'
    """
    if dtype is None:
        return f"minigrad.{next(name for name, kind in _OLD_NAMES.items() if kind == input.array.dtype)}"
    if isinstance(dtype, str):
        dtype = _OLD_NAMES.get(dtype.removeprefix("minigrad."), dtype)
    elif getattr(dtype, "__name__", None) in _OLD_NAMES:
        dtype = dtype.dtype
    return cast(input, dtypes.as_dtype("type", dtype))


def cpu(input: Tensor) -> Tensor:
    """The tensor on the CPU."""
    return to(input, "cpu")


def cuda(input: Tensor, device: Any = None) -> Tensor:
    """The tensor on a GPU: the first, or that of index ``device``.

    Raises:
        DeviceError: there is none; the message says what is missing.
    """
    return to(input, _device("cuda", device) if isinstance(device, int) else device or "cuda")


def to_half(input: Tensor) -> Tensor:
    """The tensor as float16."""
    return cast(input, dtypes.float16)


def to_float(input: Tensor) -> Tensor:
    """The tensor as float32."""
    return cast(input, dtypes.float32)


def to_double(input: Tensor) -> Tensor:
    """The tensor as float64."""
    return cast(input, dtypes.float64)


def to_int(input: Tensor) -> Tensor:
    """The tensor as int32."""
    return cast(input, dtypes.int32)


def to_long(input: Tensor) -> Tensor:
    """The tensor as int64."""
    return cast(input, dtypes.int64)


def to_bool(input: Tensor) -> Tensor:
    """The tensor as truth values."""
    return cast(input, dtypes.bool)


__all__ = ["clone"]
METHODS = ("clone", "contiguous", "cpu", "cuda", "to", "type_as")
OPERATORS = {  # methods named like Python's types, whose names a module had better leave alone
    "bool": to_bool,
    "double": to_double,
    "float": to_float,
    "half": to_half,
    "int": to_int,
    "long": to_long,
    "type": to_type,
}
