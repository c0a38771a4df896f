"""Dtypes, and PyTorch's rule for the dtype of a result.

A dtype is NumPy's own object (CuPy uses the same ones), under PyTorch's name. Promotion is PyTorch's, which differs
from NumPy's in two ways: an integer with a float of any width gives that float, and a tensor with dimensions outranks
one without, which outranks a Python number, unless the lesser one is of a higher kind (bool < integer < float).
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from minigrad.errors import DTypeError

float16 = half = np.dtype(np.float16)
float32 = float = np.dtype(np.float32)  # PyTorch's names
float64 = double = np.dtype(np.float64)
uint8 = np.dtype(np.uint8)
int32 = int = np.dtype(np.int32)
int64 = long = np.dtype(np.int64)
bool = np.dtype(np.bool_)

DType = np.dtype
DTYPES = (bool, uint8, int32, int64, float16, float32, float64)
_RANK = {dtype: rank for rank, dtype in enumerate(DTYPES)}
KIND = {"b": 0, "u": 1, "i": 1, "f": 2}


class _Default(threading.local):
    dtype = float32


_default = _Default()


def get_default_dtype() -> DType:
    """The dtype of tensors made from Python floats, and of results of integer tensors that must be floats.

    Example:
        >>> get_default_dtype()
        dtype('float32')
    """
    return _default.dtype


def set_default_dtype(dtype: Any) -> None:
    """Choose the default float dtype of this thread.

    Raises:
        DTypeError: ``dtype`` is no float dtype.

    Example:
        >>> set_default_dtype(float64)
        >>> get_default_dtype()
        dtype('float64')
        >>> set_default_dtype(float32)
    """
    chosen = as_dtype("set_default_dtype", dtype)
    if chosen.kind != "f":
        raise DTypeError("set_default_dtype", "dtype", "float16, float32 or float64", str(chosen))
    _default.dtype = chosen


def as_dtype(where: str, dtype: Any) -> DType:
    """One of the seven dtypes, from a dtype, a Python type or a name.

    Raises:
        DTypeError: it is none of the seven.
    """
    if isinstance(dtype, type) and dtype in (_float_type, _int_type, _bool_type):
        return get_default_dtype() if dtype is _float_type else int64 if dtype is _int_type else bool
    try:
        found = np.dtype(dtype) if isinstance(dtype, (np.dtype, type, str)) else None  # an array's .dtype would count too
    except TypeError:
        found = None
    if found not in _RANK:
        raise DTypeError(
            where, "dtype", f"one of {', '.join(str(d) for d in DTYPES)}", repr(dtype), "Convert it to one of these"
        )
    return DTYPES[_RANK[found]]  # the one object of this dtype: NumPy makes equal ones, and ops compare by identity first


_float_type, _int_type, _bool_type = type(0.0), type(0), type(True)


def promote_types(a: DType, b: DType) -> DType:
    """The smallest dtype that both may turn into; any float beats any integer.

    Example:
        >>> promote_types(int64, float16), promote_types(uint8, int32)
        (dtype('float16'), dtype('int32'))
    """
    try:
        return a if _RANK[a] >= _RANK[b] else b
    except (KeyError, TypeError):
        a, b = as_dtype("promote_types", a), as_dtype("promote_types", b)
        return promote_types(a, b)


def scalar_dtype(number: Any) -> DType:
    """The dtype a Python number stands for: ``bool``, ``int64`` or the default float.

    Raises:
        DTypeError: it is no number.
    """
    if isinstance(number, (_bool_type, np.bool_)):
        return bool
    if isinstance(number, (_int_type, np.integer)):
        return int64
    if isinstance(number, (_float_type, np.floating)):
        return get_default_dtype()
    raise DTypeError(
        "result_type", "operand", "a tensor or a number", type(number).__name__, "Wrap arrays in minigrad.tensor()"
    )


def _outrank(higher: DType | None, lower: DType | None) -> DType | None:
    if higher is None or lower is None:
        return lower if higher is None else higher
    if KIND[higher.kind] >= KIND[lower.kind]:
        return higher
    return promote_types(higher, lower)


def result_dtype(*operands: Any) -> DType:
    """The dtype of an op's result, from its operands: arrays, tensors' arrays and Python numbers.

    Raises:
        DTypeError: an operand is neither.
    """
    groups: list[DType | None] = [None, None, None]  # with dimensions, without, Python numbers
    for operand in operands:
        dtype = getattr(operand, "dtype", None)
        if dtype is None or isinstance(operand, np.generic):
            group, dtype = 2, scalar_dtype(operand)
        else:
            group = 0 if operand.ndim else 1
        before = groups[group]
        groups[group] = dtype if before is None else promote_types(before, dtype)
    found = _outrank(groups[0], _outrank(groups[1], groups[2]))
    if found is None:
        raise DTypeError("result_type", "operands", "at least one", "none")
    return found


def is_float(dtype: DType) -> Any:
    """Whether the dtype is one of the float dtypes, the only ones that carry gradients."""
    return dtype.kind == "f"
