"""New tensors: from data, and filled by rule."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core.device import Array, device, device_of, get_default_device, module_for, move
from minigrad.core.dtypes import DType, as_dtype, get_default_dtype
from minigrad.core.tensor import Tensor
from minigrad.errors import DTypeError, ShapeError
from minigrad.ops.dims import sizes


def as_array(where: str, data: Any, dtype: Any, on: Any, copy: bool) -> Array:
    """Data of any kind (numbers, nested sequences, arrays, Tensors) as an array of ours.

    Raises:
        DTypeError: it holds something that is no number.
        ShapeError: nested sequences of different lengths.
    """
    wanted = None if dtype is None else as_dtype(where, dtype)
    source = data.array if isinstance(data, Tensor) else data
    target = device(on) if on is not None else None
    if isinstance(source, np.ndarray) or hasattr(source, "__cuda_array_interface__"):
        source = move(source, target or (device_of(source) if isinstance(data, Tensor) else get_default_device()))
        if wanted is None:
            wanted = as_dtype(where, source.dtype)
        array = source.astype(wanted, order="K", copy=copy)
        return np.array(array, copy=copy or None) if array_module_is_odd(array) else array
    try:
        array = np.array(_bare(source))
    except ValueError as error:
        raise ShapeError(
            where, "data", "nested sequences of equal lengths", "unequal ones", "Pad them, or make one tensor for each"
        ) from error
    if array.dtype.kind not in "biuf":
        raise DTypeError(where, "data", "numbers", f"{type(data).__name__} that NumPy reads as {array.dtype}")
    if wanted is None:
        python = not _holds_arrays(source)
        wanted = (
            get_default_dtype()
            if python and array.dtype.kind == "f"
            else np.dtype(np.int64)
            if array.dtype.kind in "iu" and python
            else as_dtype(where, array.dtype)
        )
    return move(array.astype(wanted), target or get_default_device())


def array_module_is_odd(array: Any) -> bool:
    """Whether an array is of a subclass of NumPy's (a memory map, say), which we hold as a plain array."""
    return isinstance(array, np.ndarray) and type(array) is not np.ndarray


def _bare(data: Any) -> Any:
    """Nested sequences with each Tensor in them as its numbers."""
    if isinstance(data, Tensor):
        return move(data.array, device("cpu"))
    if isinstance(data, (list, tuple)):
        return [_bare(item) for item in data]
    return data


def _holds_arrays(data: Any) -> bool:
    while isinstance(data, (list, tuple)):
        if not data:
            return False
        data = data[0]
    return isinstance(data, (np.ndarray, np.generic, Tensor))


def tensor(data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A new tensor with a copy of ``data``.

    Args:
        data: a number, nested sequences of numbers, an array or a Tensor.
        dtype: default: that of an array; the default float dtype for Python floats, int64 for integers, bool for truth values.
        device: default: ``get_default_device()``.
        requires_grad: record ops on it.

    Raises:
        ShapeError: nested sequences of different lengths.
        DTypeError: ``data`` holds something that is no number.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([[1, 2], [3, 4]])
        tensor([[1, 2],
                [3, 4]])
    """
    return _leaf(as_array("tensor", data, dtype, device, copy=True), requires_grad)


def _leaf(array: Array, requires_grad: bool) -> Tensor:
    made = Tensor._wrap(array)
    if requires_grad:
        made.requires_grad_()
    return made


def _filled(where: str, size: tuple, value: Any, dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    shape = sizes(where, size)
    if any(count < 0 for count in shape):
        raise ShapeError(where, "size", "sizes of at least 0", str(shape))
    kind = as_dtype(where, dtype) if dtype is not None else get_default_dtype()
    return _leaf(_module(device).full(shape, value, dtype=kind), requires_grad)


def _module(on: Any) -> Any:
    return module_for(get_default_device() if on is None else device(on))


def zeros(*size: Any, dtype: DType | None = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of zeros.

    Args:
        size: the size of each dimension, one by one or as one sequence.
        dtype: default: the default float dtype.
        device: default: ``get_default_device()``.
        requires_grad: record ops on it.

    Raises:
        ShapeError: a negative size.

    Example:
        >>> import minigrad
        >>> minigrad.zeros(2, 3)
        tensor([[0., 0., 0.],
                [0., 0., 0.]])
    """
    return _filled("zeros", size, 0, dtype, device, requires_grad)


def ones(*size: Any, dtype: DType | None = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of ones. See ``zeros``.

    Example:
        >>> import minigrad
        >>> minigrad.ones(2, dtype=minigrad.int64)
        tensor([1, 1])
    """
    return _filled("ones", size, 1, dtype, device, requires_grad)


def from_numpy(array: np.ndarray) -> Tensor:
    """A tensor in the memory of a NumPy array: what changes one changes the other.

    Raises:
        DTypeError: it is no NumPy array, or of a dtype that we do not have.

    Example:
        >>> import minigrad, numpy
        >>> minigrad.from_numpy(numpy.arange(3))
        tensor([0, 1, 2])
    """
    if not isinstance(array, np.ndarray):
        raise DTypeError("from_numpy", "array", "a NumPy array", type(array).__name__, "Use minigrad.tensor()")
    as_dtype("from_numpy", array.dtype)
    return Tensor._wrap(array if type(array) is np.ndarray else np.asarray(array))


__all__ = ["from_numpy", "ones", "tensor", "zeros"]
METHODS = ()
