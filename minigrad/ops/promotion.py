"""What dtype a result will have, asked beforehand. The rule itself stands in ``core/dtypes.py``."""

from __future__ import annotations

from typing import Any

from minigrad.core.dtypes import KIND, DType, as_dtype, result_dtype
from minigrad.core.tensor import Tensor


def result_type(tensor1: Any, tensor2: Any) -> DType:
    """The dtype to which an op of two operands would convert both.

    Args:
        tensor1, tensor2: Tensors or numbers.

    Raises:
        DTypeError: an operand is neither.

    Example:
        >>> import minigrad
        >>> minigrad.result_type(minigrad.tensor([1, 2]), 1.0)
        dtype('float32')
    """
    return result_dtype(*[operand.array if isinstance(operand, Tensor) else operand for operand in (tensor1, tensor2)])


def can_cast(from_: Any, to: Any) -> bool:
    """Whether PyTorch's rules let a result of dtype ``from_`` be stored as ``to``: no float as an integer, no number as bool.

    Raises:
        DTypeError: one of them is no dtype.

    Example:
        >>> import minigrad
        >>> minigrad.can_cast(minigrad.float64, minigrad.float16), minigrad.can_cast(minigrad.float32, minigrad.int64)
        (True, False)
    """
    return KIND[as_dtype("can_cast", from_).kind] <= KIND[as_dtype("can_cast", to).kind]


__all__ = ["can_cast", "result_type"]
METHODS = ()
