"""What a tensor or a dtype is."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core.dtypes import DType, as_dtype, get_default_dtype
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import DTypeError


class finfo:  # noqa: N801 - PyTorch's name
    """The limits of a float dtype, as Python numbers.

    Args:
        dtype: default: the default float dtype.

    Attributes:
        bits: its size.
        eps: the distance from 1 to the next larger number.
        max, min: the largest number, and its negative.
        smallest_normal, tiny: the smallest positive number of full precision, under two names.
        resolution: 10 to the power of minus the number of decimal places that are sure.

    Raises:
        DTypeError: no float dtype.

    Example:
        >>> import minigrad
        >>> minigrad.finfo(minigrad.float16).max
        65504.0
    """

    def __init__(self, dtype: Any = None) -> None:
        kind = get_default_dtype() if dtype is None else as_dtype("finfo", dtype)
        if kind.kind != "f":
            raise DTypeError("finfo", "dtype", "a float dtype", str(kind), "Use minigrad.iinfo() for integers")
        limits = np.finfo(kind)
        self.dtype, self.bits = str(kind), kind.itemsize * 8
        self.eps, self.max, self.min = float(limits.eps), float(limits.max), float(limits.min)
        self.tiny = self.smallest_normal = float(limits.smallest_normal)
        self.resolution = float(limits.resolution)

    def __repr__(self) -> str:
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, eps={self.eps:g}, "
            f"smallest_normal={self.smallest_normal:g}, tiny={self.tiny:g}, dtype={self.dtype})"
        )


class iinfo:  # noqa: N801 - PyTorch's name
    """The limits of an integer dtype, as Python numbers.

    Args:
        dtype: an integer dtype.

    Attributes:
        bits: its size.
        max, min: the largest and the smallest number.

    Raises:
        DTypeError: no integer dtype.

    Example:
        >>> import minigrad
        >>> minigrad.iinfo(minigrad.uint8).max
        255
    """

    def __init__(self, dtype: Any) -> None:
        kind = as_dtype("iinfo", dtype)
        if kind.kind not in "iu":
            raise DTypeError("iinfo", "dtype", "an integer dtype", str(kind), "Use minigrad.finfo() for floats")
        limits = np.iinfo(kind)
        self.dtype, self.bits = str(kind), kind.itemsize * 8
        self.max, self.min = int(limits.max), int(limits.min)

    def __repr__(self) -> str:
        return f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"


def is_tensor(obj: Any) -> bool:
    """Whether it is a Tensor.

    Example:
        >>> import minigrad
        >>> minigrad.is_tensor(minigrad.ones(2)), minigrad.is_tensor([1.0])
        (True, False)
    """
    return isinstance(obj, Tensor)


def numel(input: Tensor) -> int:
    """The number of elements.

    Example:
        >>> import minigrad
        >>> minigrad.numel(minigrad.ones(2, 3))
        6
    """
    return check_tensor("numel", "input", input).array.size


def is_floating_point(input: Tensor) -> bool:
    """Whether its dtype is a float dtype.

    Example:
        >>> import minigrad
        >>> minigrad.is_floating_point(minigrad.tensor([1]))
        False
    """
    kind: DType = check_tensor("is_floating_point", "input", input).array.dtype
    return kind.kind == "f"


__all__ = ["finfo", "iinfo", "is_floating_point", "is_tensor", "numel"]
METHODS = ()
