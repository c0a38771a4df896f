"""What the ops of several operands share: type promotion before the op."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module
from minigrad.core.dtypes import DType, as_dtype, get_default_dtype, is_float, result_dtype
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor
from minigrad.errors import DTypeError


class To(Function):
    """y = x in another dtype;  dx = dy in that of x."""

    def forward(ctx, x: Array, dtype: DType) -> Array:
        return x.astype(dtype, order="K")

    def backward(ctx, dy: Tensor) -> Any:
        return dy, None  # the walk gives a gradient its input's dtype


def cast(x: Tensor, dtype: DType) -> Tensor:
    """``x`` in the dtype; itself if it has it."""
    return x if x.array.dtype == dtype else To.apply(x, dtype)


def promote(where: str, *operands: Any, floating: bool = False) -> list[Any]:
    """The operands in the dtype of their result; a Python number stays one where NumPy then gives that dtype.

    Args:
        where: the op, for errors.
        operands: Tensors and Python numbers, at least one Tensor.
        floating: integers give the default float dtype, as in division.

    Raises:
        DTypeError: an operand is neither a Tensor nor a number.
    """
    for position, operand in enumerate(operands):
        if not isinstance(operand, (Tensor, int, float, np.generic)):
            what = f"{type(operand).__module__}.{type(operand).__name__}".removeprefix("builtins.")
            raise DTypeError(
                where,
                ("input", "other", "third operand")[position],
                "a Tensor or a number",
                what,
                "Wrap arrays in minigrad.tensor()",
            )
    arrays = [operand.array if isinstance(operand, Tensor) else operand for operand in operands]
    dtype = result_dtype(*arrays)
    if floating and not is_float(dtype):
        dtype = get_default_dtype()
    xp = next(array_module(array) for array in arrays if not isinstance(array, (int, float, np.generic)))
    return [
        cast(operand, dtype) if isinstance(operand, Tensor) else Tensor._wrap(xp.asarray(operand, dtype=dtype))
        for operand in operands
    ]


def pair(where: str, a: Any, b: Any, floating: bool = False) -> tuple[Any, Any]:
    """Two operands, ready for an op. The two common cases cost nothing: equal dtypes, and a float tensor with a number."""
    if isinstance(a, Tensor):
        kind = a.array.dtype
        if isinstance(b, Tensor):
            if b.array.dtype is kind and (kind.kind == "f" or not floating):
                return a, b
        elif kind.kind == "f" and (type(b) is float or type(b) is int):
            return a, b
    elif isinstance(b, Tensor) and b.array.dtype.kind == "f" and (type(a) is float or type(a) is int):
        return a, b
    first, second = promote(where, a, b, floating=floating)
    return first, second


def to_float(where: str, x: Any) -> Tensor:
    """A Tensor of a float dtype: integers become the default one.

    Raises:
        DTypeError: ``x`` is no Tensor.
    """
    if not isinstance(x, Tensor):
        raise DTypeError(where, "input", "a Tensor", type(x).__name__, "Wrap it in minigrad.tensor()")
    return x if x.array.dtype.kind == "f" else To.apply(x, get_default_dtype())


def dtype_or(where: str, dtype: Any, otherwise: DType) -> DType:
    """The dtype that the user names, or ``otherwise``."""
    return otherwise if dtype is None else as_dtype(where, dtype)
