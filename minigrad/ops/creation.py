"""New tensors: from data, and filled by rule.

``dtype``, ``device`` and ``requires_grad`` mean the same in all: the dtype (default: the default float dtype, or that of
the data), where the tensor is made (default: ``get_default_device()``), and whether ops on it are recorded.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from minigrad.core import dtypes
from minigrad.core.device import Array, device, get_default_device, module_for, move, on_device, quiet, to_host
from minigrad.core.dtypes import DType, as_dtype, get_default_dtype, promote_types, scalar_dtype
from minigrad.core.tensor import Size, Tensor
from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.ops.dims import sizes

_device = device  # which the argument of that name hides


def as_array(where: str, data: Any, dtype: Any, on: Any, copy: bool) -> Array:
    """Data of any kind (numbers, nested sequences, arrays, Tensors) as an array of one of our dtypes.

    Args:
        where: the function, for errors.
        data: what the user gave.
        dtype: the dtype, or ``None`` for that of the data.
        on: the device, or ``None`` for that of a Tensor or an array of a GPU, and the default device for all else.
        copy: copy an array or Tensor even where it could be taken as it is.

    Raises:
        DTypeError: it holds something that is no number, or numbers of a dtype that we do not have and none was named.
        ArgumentError: a number does not fit the dtype.
        ShapeError: nested sequences of different lengths.
    """
    wanted = None if dtype is None else as_dtype(where, dtype)
    target = None if on is None else _device(on)
    if isinstance(data, Tensor):
        array = data.array
    elif on_device(data):
        array = data
    elif hasattr(data, "__cuda_array_interface__"):
        array = module_for(_device("cuda")).asarray(data)
    else:
        target = target or get_default_device()
        if hasattr(data, "__array__"):
            array = np.asarray(data)  # also what is a subclass of NumPy's array, a memory map say
        else:
            array, copy = _from_sequences(where, data, wanted), False
    if wanted is None:
        wanted = as_dtype(where, array.dtype.newbyteorder("="))
    elif array.dtype.kind not in "biuf":
        raise DTypeError(where, "data", "numbers", f"an array of dtype {array.dtype}")
    with quiet():
        array = array.astype(wanted, order="K", copy=copy)
    return array if target is None else move(array, target)


def _from_sequences(where: str, data: Any, wanted: DType | None) -> np.ndarray:
    """A number, or nested sequences of numbers, arrays and Tensors, as a new array."""
    found: set[Any] = set()
    try:
        plain = _unwrap(data, found)
        dtypes = [kind if wanted is not None and _holds_numbers(kind) else as_dtype(where, kind) for kind in found]
        if wanted is None:
            wanted = functools.reduce(promote_types, dtypes) if dtypes else get_default_dtype()
        return np.array(plain, dtype=wanted)
    except DTypeError:
        text = f"{type(data).__name__} with {', '.join(sorted(str(getattr(kind, '__name__', kind)) for kind in found))}"
        raise DTypeError(where, "data", "numbers, nested sequences of them, an array or a Tensor", text) from None
    except (ValueError, TypeError) as error:
        if "maximum number of dimension" in str(error):
            raise ShapeError(where, "data", "at most 64 levels of sequences", "more") from error
        if "inhomogeneous" not in str(error):
            raise DTypeError(where, "data", f"numbers that {wanted} can hold", str(error)) from error
        remedy = "Pad them, or make one tensor for each"
        raise ShapeError(where, "data", "nested sequences of equal lengths", "unequal ones", remedy) from error
    except RecursionError:
        raise ShapeError(where, "data", "at most 64 levels of sequences", "more, or one that holds itself") from None
    except OverflowError as error:
        raise ArgumentError(where, "data", f"numbers that {wanted} can hold", str(error), "Choose another dtype") from error


def _unwrap(data: Any, found: set[Any]) -> Any:
    """The data with arrays in place of Tensors; the types and dtypes of all numbers in it are added to ``found``."""
    if isinstance(data, (list, tuple, range)):
        kinds = set(map(type, data))
        if kinds <= _NUMBERS:  # a row of plain numbers, the usual case
            found |= kinds
            return data
        return [_unwrap(item, found) for item in data]
    if isinstance(data, Tensor):
        data = move(data.array, _device("cpu"))
    elif on_device(data):
        data = to_host(data)
    elif hasattr(data, "__array__"):
        data = np.asarray(data)
    if isinstance(data, np.ndarray):
        found.add(data.dtype)
    else:
        found.add(next((kind for kind in (bool, int, float) if isinstance(data, kind)), type(data)))
    return data


_NUMBERS = {bool, int, float}


def _holds_numbers(kind: Any) -> bool:
    """Whether this is a dtype of numbers, of which we may not have all: those can still be converted."""
    return isinstance(kind, np.dtype) and kind.kind in "biuf"


def leaf(array: Array, requires_grad: bool) -> Tensor:
    made = Tensor._wrap(array)
    if requires_grad:
        made.requires_grad_()
    return made


def tensor(data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A new tensor with a copy of ``data``, outside the graph.

    Args:
        data: a number, nested sequences of numbers, an array or a Tensor.
        dtype: default: that of an array; the default float dtype for Python floats, int64 for integers, bool for truth values.
        device: default: that of a Tensor or CuPy array, else ``get_default_device()``.
        requires_grad: record ops on it.

    Raises:
        ShapeError: nested sequences of different lengths.
        DTypeError: ``data`` holds something that is no number, or numbers of a dtype that we do not have.
        ArgumentError: a number does not fit ``dtype``.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([[1, 2], [3, 4]])
        tensor([[1, 2],
                [3, 4]])
    """
    return leaf(as_array("tensor", data, dtype, device, copy=True), requires_grad)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """``data`` as a tensor, in the same memory if it is an array or Tensor of that dtype on that device. See ``tensor``.

    Example:
        >>> import minigrad, numpy
        >>> a = numpy.zeros(2)
        >>> numpy.shares_memory(minigrad.as_tensor(a).numpy(), a)
        True
    """
    if isinstance(data, Tensor):
        return data.to(device=device, dtype=dtype)
    return Tensor._wrap(as_array("as_tensor", data, dtype, device, copy=False))


def asarray(
    obj: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None, requires_grad: bool = False
) -> Tensor:
    """``obj`` as a tensor outside the graph: in the same memory where that can be, unless ``copy`` asks otherwise.

    Args:
        obj: as ``data`` of ``tensor``.
        dtype, device, requires_grad: as in ``tensor``.
        copy: ``True`` always copies, ``False`` never, ``None`` where needed.

    Raises:
        ArgumentError: ``copy=False`` where a copy is needed.

    Example:
        >>> import minigrad
        >>> minigrad.asarray([1.0, 2.0])
        tensor([1., 2.])
    """
    array = as_array("asarray", obj, dtype, device, copy=bool(copy))
    if copy is False:
        source = obj.array if isinstance(obj, Tensor) else obj
        shares = isinstance(source, np.ndarray) and isinstance(array, np.ndarray) and np.may_share_memory(source, array)
        if not shares and array is not source:
            raise ArgumentError("asarray", "copy", "True or None, as this data must be copied", "False")
    return leaf(array, requires_grad)


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
    return Tensor._wrap(np.asarray(array))


# ---------------------------------------------------------------------- filled with one number


def checked_shape(where: str, written: tuple, named: Any = None) -> tuple[int, ...]:
    shape = sizes(where, written if named is None else (named,))
    if shape and min(shape) < 0:
        raise ShapeError(where, "size", "sizes of at least 0", str(shape))
    return shape


def module_on(on: Any) -> Any:
    return module_for(get_default_device() if on is None else _device(on))


def float_or(where: str, dtype: Any) -> DType:
    return get_default_dtype() if dtype is None else as_dtype(where, dtype)


def zeros(*sizes_: Any, size: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of zeros.

    Args:
        sizes_: the size of each dimension, one by one or as one sequence, which may also be named ``size``.
        dtype, device, requires_grad: see the head of the file.

    Raises:
        ShapeError: a negative size.

    Example:
        >>> import minigrad
        >>> minigrad.zeros(2, 3)
        tensor([[0., 0., 0.],
                [0., 0., 0.]])
    """
    return leaf(module_on(device).zeros(checked_shape("zeros", sizes_, size), float_or("zeros", dtype)), requires_grad)


def ones(*sizes_: Any, size: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of ones. See ``zeros``.

    Example:
        >>> import minigrad
        >>> minigrad.ones(2, dtype=minigrad.int64)
        tensor([1, 1])
    """
    return leaf(module_on(device).ones(checked_shape("ones", sizes_, size), float_or("ones", dtype)), requires_grad)


def empty(*sizes_: Any, size: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of whatever the memory holds, to be filled. See ``zeros``.

    Example:
        >>> import minigrad
        >>> minigrad.empty(2, 3).shape
        minigrad.Size([2, 3])
    """
    return leaf(module_on(device).empty(checked_shape("empty", sizes_, size), float_or("empty", dtype)), requires_grad)


def full(size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of one number everywhere.

    Args:
        size: the size of each dimension, as a sequence.
        fill_value: a number, or a Tensor of one element.
        dtype: default: bool, int64 or the default float dtype, as the number is.
        device, requires_grad: see the head of the file.

    Example:
        >>> import minigrad
        >>> minigrad.full((2,), 7)
        tensor([7, 7])
    """
    number = number_of("full", "fill_value", fill_value)
    kind = scalar_dtype(number) if dtype is None else as_dtype("full", dtype)
    return leaf(_full("full", module_on(device), checked_shape("full", (size,)), number, kind), requires_grad)


def _full(where: str, xp: Any, shape: tuple[int, ...], number: Any, dtype: DType) -> Array:
    return xp.full(shape, fitting(where, number, dtype), dtype)


def fitting(where: str, number: Any, dtype: DType) -> Any:
    """The number as the dtype will hold it; a float loses what stands behind the point where integers are wanted.

    Raises:
        ArgumentError: it does not fit.
    """
    if dtype.kind not in "iu":
        return number
    bounds = np.iinfo(dtype)
    if not bounds.min <= number <= bounds.max:
        raise ArgumentError(where, "fill_value", f"a number from {bounds.min} to {bounds.max}, for {dtype}", str(number))
    return int(number)


def number_of(where: str, argument: str, value: Any) -> Any:
    """A Python number, from one or from a Tensor of one element."""
    if isinstance(value, (Tensor, np.generic)):
        return value.item()
    if not isinstance(value, (bool, int, float)):
        raise DTypeError(where, argument, "a number", type(value).__name__)
    return value


def scalar_tensor(s: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor without dimensions, of the default float dtype unless another is named.

    Example:
        >>> import minigrad
        >>> minigrad.scalar_tensor(3)
        tensor(3.)
    """
    kind = float_or("scalar_tensor", dtype)
    return leaf(_full("scalar_tensor", module_on(device), (), number_of("scalar_tensor", "s", s), kind), requires_grad)


# ---------------------------------------------------------------------- older names


class _OfDType(type):
    """What ``FloatTensor`` and its like are: called, they make a Tensor of their dtype, and such a Tensor is an instance."""

    dtype: DType

    def __call__(cls, *data: Any) -> Tensor:
        return leaf(sized_or_filled(cls.__name__, data or ((),), cls.dtype, None), False)

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor) and instance.array.dtype == cls.dtype


def sized_or_filled(where: str, data: tuple[Any, ...], dtype: DType, on: Any) -> Array:
    """PyTorch's rule of old: whole numbers are sizes, of a tensor to be filled; one sequence, array or Tensor is its data."""
    if len(data) == 1 and not isinstance(data[0], (int, Size)):
        return as_array(where, data[0], dtype, on, copy=True)
    return module_on(on).empty(checked_shape(where, data), dtype)


class FloatTensor(metaclass=_OfDType):
    """``FloatTensor([1, 2])``: ``tensor(..., dtype=float32)`` by its older name. ``FloatTensor(2, 3)``: an ``empty`` one.

    Example:
        >>> import minigrad
        >>> minigrad.FloatTensor([1, 2])
        tensor([1., 2.])
    """

    dtype = dtypes.float32


class DoubleTensor(metaclass=_OfDType):
    """A Tensor of float64. See ``FloatTensor``."""

    dtype = dtypes.float64


class HalfTensor(metaclass=_OfDType):
    """A Tensor of float16. See ``FloatTensor``."""

    dtype = dtypes.float16


class LongTensor(metaclass=_OfDType):
    """A Tensor of int64. See ``FloatTensor``."""

    dtype = dtypes.int64


class IntTensor(metaclass=_OfDType):
    """A Tensor of int32. See ``FloatTensor``."""

    dtype = dtypes.int32


class ByteTensor(metaclass=_OfDType):
    """A Tensor of uint8. See ``FloatTensor``."""

    dtype = dtypes.uint8


class BoolTensor(metaclass=_OfDType):
    """A Tensor of truth values. See ``FloatTensor``."""

    dtype = dtypes.bool


__all__ = [
    "BoolTensor",
    "ByteTensor",
    "DoubleTensor",
    "FloatTensor",
    "HalfTensor",
    "IntTensor",
    "LongTensor",
    "as_tensor",
    "asarray",
    "empty",
    "from_numpy",
    "full",
    "ones",
    "scalar_tensor",
    "tensor",
    "zeros",
]
METHODS = ()
