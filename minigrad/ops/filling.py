"""New tensors filled by rule: numbers in steps, and tensors like another.

``dtype``, ``device`` and ``requires_grad`` mean the same in all: the dtype (default: the default float dtype, or that of the
tensor that is imitated), where the tensor is made (default: ``get_default_device()``), and whether ops on it are recorded.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigrad.core.device import Array, device_of, quiet
from minigrad.core.device import device as _device
from minigrad.core.dtypes import as_dtype, get_default_dtype
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError, DTypeError
from minigrad.ops.creation import (
    as_array,
    checked_shape,
    empty,
    fitting,
    float_or,
    full,
    leaf,
    module_on,
    number_of,
    ones,
    zeros,
)
from minigrad.ops.dims import sizes

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
    first, last, each = [number_of("arange", name, value) for name, value in named]
    whole = not any(isinstance(number, float) for number in (first, last, each))
    kind = (np.dtype(np.int64) if whole else get_default_dtype()) if dtype is None else as_dtype("arange", dtype)
    if kind.kind == "b":
        raise DTypeError("arange", "dtype", "integers or floats", str(kind))
    if each == 0 or math.isnan(each) or not math.isfinite(first) or not math.isfinite(last) or (last - first) * each < 0:
        raise ArgumentError(
            "arange", "step", "a finite range and a step that leads from start to end", f"{first}, {last}, step {each}"
        )
    xp = module_on(device)
    if whole:
        return leaf(xp.arange(first, last, each, dtype=np.int64).astype(kind, copy=False), requires_grad)
    numbers = xp.arange(math.ceil((last - first) / each), dtype=np.float64) * each + first
    return leaf(numbers.astype(kind), requires_grad)


def linspace(start: Any, end: Any, steps: int, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """``steps`` numbers from ``start`` to ``end``, both included, at equal distances.

    Raises:
        ArgumentError: ``steps`` is negative.

    Example:
        >>> import minigrad
        >>> minigrad.linspace(0, 1, 5)
        tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
    """
    kind = float_or("linspace", dtype)
    return leaf(_linspace("linspace", start, end, steps, device).astype(kind), requires_grad)


def _linspace(where: str, start: Any, end: Any, steps: Any, on: Any) -> Array:
    (count,) = sizes(where, (steps,), "steps")
    if not 0 <= count < 2**40:
        raise ArgumentError(where, "steps", "a number from 0 to 2^40", str(count))
    with quiet():
        return module_on(on).linspace(number_of(where, "start", start), number_of(where, "end", end), count, dtype=np.float64)


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
    kind = float_or("logspace", dtype)
    with quiet():
        powers = number_of("logspace", "base", base) ** _linspace("logspace", start, end, steps, device)
        return leaf(powers.astype(kind), requires_grad)


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
    rows, columns = checked_shape("eye", (n, n if m is None else m))
    return leaf(module_on(device).eye(rows, columns, dtype=float_or("eye", dtype)), requires_grad)


# ---------------------------------------------------------------------- like another tensor


def _like(where: str, make: str, input: Tensor, dtype: Any, on: Any, requires_grad: bool, *value: Any) -> Tensor:
    x = check_tensor(where, "input", input).array
    kind = x.dtype if dtype is None else as_dtype(where, dtype)
    if on is not None and _device(on) != device_of(x):
        xp, shape = module_on(on), x.shape
        return leaf(getattr(xp, make)(shape, *value, dtype=kind), requires_grad)
    return leaf(getattr(module_on(device_of(x)), f"{make}_like")(x, *value, dtype=kind), requires_grad)


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
    number = fitting("full_like", number_of("full_like", "fill_value", fill_value), kind)
    return _like("full_like", "full", input, kind, device, requires_grad, number)


def new_tensor(input: Tensor, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """``tensor(data)`` with the dtype and device of ``input``."""
    kind = input.array.dtype if dtype is None else dtype
    return leaf(as_array("new_tensor", data, kind, device or input.device, copy=True), requires_grad)


def new_zeros(input: Tensor, *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """``zeros(size)`` with the dtype and device of ``input``."""
    return zeros(
        *size,
        dtype=input.array.dtype if dtype is None else dtype,
        device=input.device if device is None else device,
        requires_grad=requires_grad,
    )


def new_ones(input: Tensor, *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """``ones(size)`` with the dtype and device of ``input``."""
    return ones(
        *size,
        dtype=input.array.dtype if dtype is None else dtype,
        device=input.device if device is None else device,
        requires_grad=requires_grad,
    )


def new_empty(input: Tensor, *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """``empty(size)`` with the dtype and device of ``input``."""
    return empty(
        *size,
        dtype=input.array.dtype if dtype is None else dtype,
        device=input.device if device is None else device,
        requires_grad=requires_grad,
    )


def new_full(
    input: Tensor, size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """``full(size, fill_value)`` with the dtype and device of ``input``."""
    return full(
        size,
        fill_value,
        dtype=input.array.dtype if dtype is None else dtype,
        device=input.device if device is None else device,
        requires_grad=requires_grad,
    )


__all__ = ["arange", "empty_like", "eye", "full_like", "linspace", "logspace", "ones_like", "zeros_like"]
METHODS = ("new_empty", "new_full", "new_ones", "new_tensor", "new_zeros")
