"""New tensors: from data, and filled by rule.

``dtype``, ``device`` and ``requires_grad`` mean the same in all: the dtype (default: the default float dtype, or that of
the data), where the tensor is made (default: ``get_default_device()``), and whether ops on it are recorded.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from minigrad.core.device import Array, device, device_of, get_default_device, module_for, move, quiet
from minigrad.core.dtypes import DType, as_dtype, get_default_dtype, promote_types, scalar_dtype
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.ops.dims import sizes

_device = device  # which the argument of that name hides


def as_array(where: str, data: Any, dtype: Any, on: Any, copy: bool) -> Array:
    """Data of any kind (numbers, nested sequences, arrays, Tensors) as an array of one of our dtypes.

    Args:
        where: the function, for errors.
        data: what the user gave.
        dtype: the dtype, or ``None`` for that of the data.
        on: the device, or ``None`` for that of a Tensor or CuPy array, and the default device for all else.
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
        if wanted is None:
            dtypes = [as_dtype(where, kind) for kind in found]
            wanted = functools.reduce(promote_types, dtypes) if dtypes else get_default_dtype()
        return np.array(plain, dtype=wanted)
    except DTypeError:
        text = f"{type(data).__name__} with {', '.join(sorted(str(getattr(kind, '__name__', kind)) for kind in found))}"
        raise DTypeError(where, "data", "numbers, nested sequences of them, an array or a Tensor", text) from None
    except ValueError as error:
        if "inhomogeneous" not in str(error):
            raise DTypeError(where, "data", f"numbers that {wanted} can hold", str(error)) from error
        remedy = "Pad them, or make one tensor for each"
        raise ShapeError(where, "data", "nested sequences of equal lengths", "unequal ones", remedy) from error
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
    elif hasattr(data, "__array__"):
        data = np.asarray(data)
    found.add(data.dtype if isinstance(data, np.ndarray) else type(data))
    return data


_NUMBERS = {bool, int, float}


def _leaf(array: Array, requires_grad: bool) -> Tensor:
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
    return _leaf(as_array("tensor", data, dtype, device, copy=True), requires_grad)


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
    return _leaf(array, requires_grad)


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


def _shape(where: str, written: tuple, named: Any = None) -> tuple[int, ...]:
    shape = sizes(where, written if named is None else (named,))
    if shape and min(shape) < 0:
        raise ShapeError(where, "size", "sizes of at least 0", str(shape))
    return shape


def _module(on: Any) -> Any:
    return module_for(get_default_device() if on is None else _device(on))


def _float_or(where: str, dtype: Any) -> DType:
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
    return _leaf(_module(device).zeros(_shape("zeros", sizes_, size), _float_or("zeros", dtype)), requires_grad)


def ones(*sizes_: Any, size: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of ones. See ``zeros``.

    Example:
        >>> import minigrad
        >>> minigrad.ones(2, dtype=minigrad.int64)
        tensor([1, 1])
    """
    return _leaf(_module(device).ones(_shape("ones", sizes_, size), _float_or("ones", dtype)), requires_grad)


def empty(*sizes_: Any, size: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of whatever the memory holds, to be filled. See ``zeros``.

    Example:
        >>> import minigrad
        >>> minigrad.empty(2, 3).shape
        minigrad.Size([2, 3])
    """
    return _leaf(_module(device).empty(_shape("empty", sizes_, size), _float_or("empty", dtype)), requires_grad)


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
    number = _number("full", "fill_value", fill_value)
    kind = scalar_dtype(number) if dtype is None else as_dtype("full", dtype)
    return _leaf(_full("full", _module(device), _shape("full", (size,)), number, kind), requires_grad)


def _full(where: str, xp: Any, shape: tuple[int, ...], number: Any, dtype: DType) -> Array:
    return xp.full(shape, _fitting(where, number, dtype), dtype)


def _fitting(where: str, number: Any, dtype: DType) -> Any:
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


def _number(where: str, argument: str, value: Any) -> Any:
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
    kind = _float_or("scalar_tensor", dtype)
    return _leaf(_full("scalar_tensor", _module(device), (), _number("scalar_tensor", "s", s), kind), requires_grad)


# ---------------------------------------------------------------------- filled by rule


def arange(
    start: Any = 0, end: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """The numbers ``start``, ``start + step``, ... before ``end``. ``arange(n)`` counts from 0.

    Args:
        start, end, step: numbers, or Tensors of one element.
        dtype: default: int64 if all three are integers, else the default float dtype.
        device, requires_grad: see the head of the file.

    Raises:
        ArgumentError: ``step`` is 0 or leads away from ``end``, or a bound is infinite.

    Example:
        >>> import minigrad
        >>> minigrad.arange(1, 2, 0.25)
        tensor([1.0000, 1.2500, 1.5000, 1.7500])
    """
    if end is None:
        start, end = 0, start
    named = (("start", start), ("end", end), ("step", step))
    first, last, each = [_number("arange", name, value) for name, value in named]
    whole = not any(isinstance(number, float) for number in (first, last, each))
    kind = (np.dtype(np.int64) if whole else get_default_dtype()) if dtype is None else as_dtype("arange", dtype)
    if kind.kind == "b":
        raise DTypeError("arange", "dtype", "integers or floats", str(kind))
    if each == 0 or not math.isfinite(first) or not math.isfinite(last) or (last - first) * each < 0:
        raise ArgumentError(
            "arange", "step", "a finite range and a step that leads from start to end", f"{first}, {last}, step {each}"
        )
    xp = _module(device)
    if whole:
        return _leaf(xp.arange(first, last, each, dtype=np.int64).astype(kind, copy=False), requires_grad)
    numbers = xp.arange(math.ceil((last - first) / each), dtype=np.float64) * each + first
    return _leaf(numbers.astype(kind), requires_grad)


def linspace(start: Any, end: Any, steps: int, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """``steps`` numbers from ``start`` to ``end``, both included, at equal distances.

    Raises:
        ArgumentError: ``steps`` is negative.

    Example:
        >>> import minigrad
        >>> minigrad.linspace(0, 1, 5)
        tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
    """
    kind = _float_or("linspace", dtype)
    return _leaf(_linspace("linspace", start, end, steps, device).astype(kind), requires_grad)


def _linspace(where: str, start: Any, end: Any, steps: Any, on: Any) -> Array:
    (count,) = sizes(where, (steps,), "steps")
    if count < 0:
        raise ArgumentError(where, "steps", "at least 0", str(count))
    return _module(on).linspace(_number(where, "start", start), _number(where, "end", end), count, dtype=np.float64)


def logspace(
    start: Any,
    end: Any,
    steps: int,
    base: float = 10.0,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """``base`` to the powers ``linspace(start, end, steps)``.

    Example:
        >>> import minigrad
        >>> minigrad.logspace(0, 3, 4, base=2)
        tensor([1., 2., 4., 8.])
    """
    kind = _float_or("logspace", dtype)
    with quiet():
        powers = _number("logspace", "base", base) ** _linspace("logspace", start, end, steps, device)
    return _leaf(powers.astype(kind), requires_grad)


def eye(n: int, m: int | None = None, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A matrix of ``n`` rows and ``m`` columns (default: ``n``) with ones on the diagonal and zeros elsewhere.

    Raises:
        ShapeError: a negative size.

    Example:
        >>> import minigrad
        >>> minigrad.eye(2)
        tensor([[1., 0.],
                [0., 1.]])
    """
    rows, columns = _shape("eye", (n, n if m is None else m))
    return _leaf(_module(device).eye(rows, columns, dtype=_float_or("eye", dtype)), requires_grad)


# ---------------------------------------------------------------------- like another tensor


def _like(where: str, make: str, input: Tensor, dtype: Any, on: Any, requires_grad: bool, *value: Any) -> Tensor:
    x = check_tensor(where, "input", input).array
    kind = x.dtype if dtype is None else as_dtype(where, dtype)
    if on is not None and _device(on) != device_of(x):
        xp, shape = _module(on), x.shape
        return _leaf(getattr(xp, make)(shape, *value, dtype=kind), requires_grad)
    return _leaf(getattr(_module(device_of(x)), f"{make}_like")(x, *value, dtype=kind), requires_grad)


def zeros_like(
    input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, memory_format: Any = None
) -> Tensor:
    """Zeros of the shape, dtype, device and memory layout of ``input``.

    Args:
        input: Tensor.
        dtype, device: others than those of ``input``.
        requires_grad: record ops on it.
        memory_format: accepted for PyTorch's sake; the layout is always that of ``input``.

    Example:
        >>> import minigrad
        >>> minigrad.zeros_like(minigrad.tensor([1, 2]))
        tensor([0, 0])
    """
    return _like("zeros_like", "zeros", input, dtype, device, requires_grad)


def ones_like(
    input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, memory_format: Any = None
) -> Tensor:
    """Ones of the shape, dtype, device and memory layout of ``input``. See ``zeros_like``.

    Example:
        >>> import minigrad
        >>> minigrad.ones_like(minigrad.tensor([1.5, 2]))
        tensor([1., 1.])
    """
    return _like("ones_like", "ones", input, dtype, device, requires_grad)


def empty_like(
    input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, memory_format: Any = None
) -> Tensor:
    """Whatever the memory holds, in the shape, dtype, device and memory layout of ``input``. See ``zeros_like``.

    Example:
        >>> import minigrad
        >>> minigrad.empty_like(minigrad.zeros(2, 3)).shape
        minigrad.Size([2, 3])
    """
    return _like("empty_like", "empty", input, dtype, device, requires_grad)


def full_like(
    input: Tensor,
    fill_value: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """One number everywhere, in the shape, dtype, device and memory layout of ``input``. See ``zeros_like``.

    Example:
        >>> import minigrad
        >>> minigrad.full_like(minigrad.tensor([1, 2]), 7)
        tensor([7, 7])
    """
    kind = check_tensor("full_like", "input", input).array.dtype if dtype is None else as_dtype("full_like", dtype)
    number = _fitting("full_like", _number("full_like", "fill_value", fill_value), kind)
    return _like("full_like", "full", input, kind, device, requires_grad, number)


def new_tensor(input: Tensor, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """``tensor(data)`` with the dtype and device of ``input``."""
    kind = input.array.dtype if dtype is None else dtype
    return _leaf(as_array("new_tensor", data, kind, device or input.device, copy=True), requires_grad)


def new_zeros(input: Tensor, *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """``zeros(size)`` with the dtype and device of ``input``."""
    return zeros(*size, dtype=dtype or input.array.dtype, device=device or input.device, requires_grad=requires_grad)


def new_ones(input: Tensor, *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """``ones(size)`` with the dtype and device of ``input``."""
    return ones(*size, dtype=dtype or input.array.dtype, device=device or input.device, requires_grad=requires_grad)


def new_empty(input: Tensor, *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """``empty(size)`` with the dtype and device of ``input``."""
    return empty(*size, dtype=dtype or input.array.dtype, device=device or input.device, requires_grad=requires_grad)


def new_full(
    input: Tensor, size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """``full(size, fill_value)`` with the dtype and device of ``input``."""
    return full(
        size,
        fill_value,
        dtype=dtype or input.array.dtype,
        device=device or input.device,
        requires_grad=requires_grad,
    )


__all__ = [
    "arange",
    "as_tensor",
    "asarray",
    "empty",
    "empty_like",
    "eye",
    "from_numpy",
    "full",
    "full_like",
    "linspace",
    "logspace",
    "ones",
    "ones_like",
    "scalar_tensor",
    "tensor",
    "zeros",
    "zeros_like",
]
METHODS = ("new_empty", "new_full", "new_ones", "new_tensor", "new_zeros")
