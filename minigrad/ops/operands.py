"""What the ops of several operands share: type promotion before the op."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core.device import SEVERAL, Array, follow, quiet
from minigrad.core.dtypes import DType, as_dtype, get_default_dtype, is_float, result_dtype
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor
from minigrad.errors import DTypeError
from minigrad.ops.beside import constant


class To(Function):
    """y = x in another dtype;  dx = dy in that of x."""

    def forward(ctx, x: Array, dtype: DType) -> Array:
        return x.astype(dtype, order="K")

    def backward(ctx, dy: Tensor) -> Any:
        return dy, None  # the walk gives a gradient its input's dtype


def cast(x: Tensor, dtype: DType) -> Tensor:
    """``x`` in the dtype; itself if it has it."""
    return x if x.array.dtype == dtype else To.apply(x, dtype)


def seen_as(dy: Tensor, view: Array) -> Tensor:
    """A gradient of which ``view`` shows all or a part, for a way back that goes on arrays."""
    seen = Tensor._wrap(view)
    seen._counter = dy._counter
    return seen


def promote(where: str, *operands: Any, floating: bool = False) -> list[Any]:
    """The operands in the dtype of their result; a Python number stays one where NumPy then gives that dtype.

    Args:
        where: the op, for errors.
        operands: Tensors and Python numbers.
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
    beside = next((operand.array for operand in operands if isinstance(operand, Tensor)), np.empty(0))
    return [
        cast(operand, dtype) if isinstance(operand, Tensor) else Tensor._wrap(_number(where, beside, operand, dtype))
        for operand in operands
    ]


def _number(where: str, beside: Array, number: Any, dtype: DType) -> Array:
    """A Python number as an array without dimensions; an integer too large for the dtype wraps, as PyTorch's does."""
    try:
        with quiet():
            return constant(number, dtype, beside)
    except OverflowError as error:
        if not -(2**63) <= number < 2**63:
            raise DTypeError(where, "operand", f"a number that {dtype} or int64 holds", str(number)) from error
        return constant(np.asarray(number, dtype=np.int64).astype(dtype), None, beside)


def pair(where: str, a: Any, b: Any, floating: bool = False) -> tuple[Any, Any]:
    """Two operands, ready for an op. The common cases cost nothing: equal dtypes, and a tensor with a number of its kind."""
    if isinstance(a, Tensor):
        kind = a.array.dtype
        if isinstance(b, Tensor):
            other = b.array.dtype
            if (other is kind or other == kind) and (kind.kind == "f" or not floating):
                return a, b
        elif kind.kind == "f":
            if type(b) is float or type(b) is int:
                return a, b
        elif kind.kind == "i" and type(b) is int and not floating and -(2**31) <= b < 2**31:
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
    if SEVERAL:
        follow((x.array,))
    return x if x.array.dtype.kind == "f" else To.apply(x, get_default_dtype())


_KINDS = {"f": "a float dtype", "iu": "integers", "iuf": "integers or floats", "biu": "integers or truth values"}


def check_dtype(where: str, argument: str, x: Any, kinds: str, remedy: str = "") -> Tensor:
    """``x``, if it is a Tensor whose dtype is of one of the kinds: NumPy's letters, together a key of ``_KINDS`` or all four.

    Raises:
        DTypeError: it is not.
    """
    if not isinstance(x, Tensor):
        raise DTypeError(where, argument, "a Tensor", type(x).__name__, "Wrap it in minigrad.tensor()")
    if x.array.dtype.kind not in kinds:
        raise DTypeError(where, argument, _KINDS[kinds], str(x.array.dtype), remedy)
    if SEVERAL:
        follow((x.array,))
    return x


def two_tensors(where: str, input: Any, other: Any) -> tuple[Tensor, Tensor]:
    """Both operands, if they are Tensors."""
    return check_dtype(where, "input", input, "biuf"), check_dtype(where, "other", other, "biuf")


def dtype_or(where: str, dtype: Any, otherwise: DType) -> DType:
    """The dtype that the user names, or ``otherwise``."""
    return otherwise if dtype is None else as_dtype(where, dtype)
