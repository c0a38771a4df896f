"""Comparisons, logic and bits: truth values and integers, without derivative."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module, quiet
from minigrad.core.dtypes import int64
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor
from minigrad.errors import DTypeError
from minigrad.ops.operands import cast, check_dtype, pair, promote

# ---------------------------------------------------------------------- comparisons


class Eq(Function):
    """c = whether a = b."""

    def forward(ctx, a: Array, b: Array) -> Array:
        return a == b


class Ne(Function):
    """c = whether a differs from b."""

    def forward(ctx, a: Array, b: Array) -> Array:
        return a != b


class Lt(Function):
    """c = whether a < b."""

    def forward(ctx, a: Array, b: Array) -> Array:
        return a < b


class Le(Function):
    """c = whether a <= b."""

    def forward(ctx, a: Array, b: Array) -> Array:
        return a <= b


class Gt(Function):
    """c = whether a > b."""

    def forward(ctx, a: Array, b: Array) -> Array:
        return a > b


class Ge(Function):
    """c = whether a >= b."""

    def forward(ctx, a: Array, b: Array) -> Array:
        return a >= b


def _compared(where: str, input: Any, other: Any) -> tuple[Any, Any]:
    """Both in one dtype. A number that the dtype of an integer tensor does not hold is compared by its value, not wrapped."""
    if type(other) is int and isinstance(input, Tensor) and input.array.dtype.kind in "iu":
        limits = np.iinfo(input.array.dtype)
        if not limits.min <= other <= limits.max:
            input = cast(input, int64)
    return pair(where, input, other)


def eq(input: Tensor, other: Any) -> Tensor:
    """Whether ``input == other``, element by element.

    Args:
        input: Tensor.
        other: a Tensor that broadcasts with it, or a number.

    Returns:
        A Tensor of truth values.

    Raises:
        ShapeError: the shapes do not broadcast.
        DTypeError: ``other`` is neither a Tensor nor a number. (The operator ``==`` then gives ``False``.)

    Example:
        >>> import minigrad
        >>> minigrad.tensor([1, 2, 3]) == 2
        tensor([False,  True, False])
    """
    return Eq.apply(*_compared("eq", input, other))


def ne(input: Tensor, other: Any) -> Tensor:
    """Whether ``input != other``, element by element. See ``eq``.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([1, 2, 3]) != 2
        tensor([ True, False,  True])
    """
    return Ne.apply(*_compared("ne", input, other))


def lt(input: Tensor, other: Any) -> Tensor:
    """Whether ``input < other``, element by element. See ``eq``.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([1, 2, 3]) < 2
        tensor([ True, False, False])
    """
    return Lt.apply(*_compared("lt", input, other))


def le(input: Tensor, other: Any) -> Tensor:
    """Whether ``input <= other``, element by element. See ``eq``.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([1, 2, 3]) <= 2
        tensor([ True,  True, False])
    """
    return Le.apply(*_compared("le", input, other))


def gt(input: Tensor, other: Any) -> Tensor:
    """Whether ``input > other``, element by element. See ``eq``.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([1, 2, 3]) > 2
        tensor([False, False,  True])
    """
    return Gt.apply(*_compared("gt", input, other))


def ge(input: Tensor, other: Any) -> Tensor:
    """Whether ``input >= other``, element by element. See ``eq``.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([1, 2, 3]) >= 2
        tensor([False,  True,  True])
    """
    return Ge.apply(*_compared("ge", input, other))


def _eq(input: Tensor, other: Any) -> Any:
    return eq(input, other) if isinstance(other, _COMPARABLE) else NotImplemented


def _ne(input: Tensor, other: Any) -> Any:
    return ne(input, other) if isinstance(other, _COMPARABLE) else NotImplemented


_COMPARABLE = (Tensor, int, float, np.generic)

# ---------------------------------------------------------------------- logic


class LogicalAnd(Function):
    """c = whether neither a nor b is 0."""

    def forward(ctx, a: Array, b: Array) -> Array:
        return array_module(a).logical_and(a, b)


class LogicalOr(Function):
    """c = whether a or b is not 0."""

    def forward(ctx, a: Array, b: Array) -> Array:
        return array_module(a).logical_or(a, b)


class LogicalXor(Function):
    """c = whether one of a and b is 0 and the other is not."""

    def forward(ctx, a: Array, b: Array) -> Array:
        return array_module(a).logical_xor(a, b)


class LogicalNot(Function):
    """y = whether x is 0."""

    def forward(ctx, x: Array) -> Array:
        return array_module(x).logical_not(x)


def logical_and(input: Tensor, other: Tensor) -> Tensor:
    """Whether neither is 0, element by element.

    Args:
        input, other: Tensors of any dtype that broadcast.

    Returns:
        A Tensor of truth values.

    Raises:
        DTypeError: one of them is no Tensor.

    Example:
        >>> import minigrad
        >>> minigrad.logical_and(minigrad.tensor([0, 1]), minigrad.tensor([2.0, 3.0]))
        tensor([False,  True])
    """
    return LogicalAnd.apply(*_two("logical_and", input, other))


def logical_or(input: Tensor, other: Tensor) -> Tensor:
    """Whether one at least is not 0, element by element. See ``logical_and``.

    Example:
        >>> import minigrad
        >>> minigrad.logical_or(minigrad.tensor([0, 1]), minigrad.tensor([0.0, 3.0]))
        tensor([False,  True])
    """
    return LogicalOr.apply(*_two("logical_or", input, other))


def logical_xor(input: Tensor, other: Tensor) -> Tensor:
    """Whether exactly one is not 0, element by element. See ``logical_and``.

    Example:
        >>> import minigrad
        >>> minigrad.logical_xor(minigrad.tensor([0, 1]), minigrad.tensor([2.0, 3.0]))
        tensor([ True, False])
    """
    return LogicalXor.apply(*_two("logical_xor", input, other))


def logical_not(input: Tensor) -> Tensor:
    """Whether each element is 0. See ``logical_and``.

    Example:
        >>> import minigrad
        >>> minigrad.logical_not(minigrad.tensor([0, 2]))
        tensor([ True, False])
    """
    return LogicalNot.apply(check_dtype("logical_not", "input", input, "biuf"))


def _two(where: str, input: Any, other: Any) -> tuple[Tensor, Tensor]:
    return check_dtype(where, "input", input, "biuf"), check_dtype(where, "other", other, "biuf")


# ---------------------------------------------------------------------- bits


class BitwiseAnd(Function):
    """c = the bits that are set in both a and b."""

    def forward(ctx, a: Array, b: Array) -> Array:
        return a & b


class BitwiseOr(Function):
    """c = the bits that are set in a or b."""

    def forward(ctx, a: Array, b: Array) -> Array:
        return a | b


class BitwiseXor(Function):
    """c = the bits that differ in a and b."""

    def forward(ctx, a: Array, b: Array) -> Array:
        return a ^ b


class BitwiseNot(Function):
    """y = x with every bit turned over."""

    def forward(ctx, x: Array) -> Array:
        return ~x


class LeftShift(Function):
    """c = a 2^b."""

    def forward(ctx, a: Array, b: Array) -> Array:
        return a << b


class RightShift(Function):
    """c = a / 2^b, rounded down."""

    def forward(ctx, a: Array, b: Array) -> Array:
        return a >> b


def bitwise_and(input: Any, other: Any) -> Tensor:
    """``input & other``: on bits of integers, or on truth values.

    Args:
        input, other: Tensors of integers or truth values that broadcast, or one of them an integer.

    Raises:
        DTypeError: an operand holds floats.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([5, 6]) & 3
        tensor([1, 2])
    """
    return BitwiseAnd.apply(*_bits("bitwise_and", input, other))


def bitwise_or(input: Any, other: Any) -> Tensor:
    """``input | other``. See ``bitwise_and``.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([True, False]) | minigrad.tensor([False, False])
        tensor([ True, False])
    """
    return BitwiseOr.apply(*_bits("bitwise_or", input, other))


def bitwise_xor(input: Any, other: Any) -> Tensor:
    """``input ^ other``. See ``bitwise_and``.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([5, 6]) ^ 3
        tensor([6, 5])
    """
    return BitwiseXor.apply(*_bits("bitwise_xor", input, other))


def bitwise_not(input: Tensor) -> Tensor:
    """``~input``. See ``bitwise_and``.

    Example:
        >>> import minigrad
        >>> ~minigrad.tensor([True, False])
        tensor([False,  True])
    """
    return BitwiseNot.apply(check_dtype("bitwise_not", "input", input, "biu"))


def bitwise_left_shift(input: Any, other: Any) -> Tensor:
    """``input << other``: the bits moved up by ``other`` places. See ``bitwise_and``; truth values cannot be moved.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([1, -3]) << 2
        tensor([  4, -12])
    """
    return LeftShift.apply(*_bits("bitwise_left_shift", input, other, "iu"))


def bitwise_right_shift(input: Any, other: Any) -> Tensor:
    """``input >> other``: the bits moved down by ``other`` places; the sign stays. See ``bitwise_left_shift``.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([4, -3]) >> 1
        tensor([ 2, -2])
    """
    return RightShift.apply(*_bits("bitwise_right_shift", input, other, "iu"))


def _bits(where: str, input: Any, other: Any, kinds: str = "biu") -> list[Tensor]:
    a, b = promote(where, input, other)
    check_dtype(where, "operands", a, kinds, "Compare floats first, or convert them with .long()")
    return [a, b]


def _rlshift(input: Tensor, other: Any) -> Tensor:
    return bitwise_left_shift(other, input)


def _rrshift(input: Tensor, other: Any) -> Tensor:
    return bitwise_right_shift(other, input)


# ---------------------------------------------------------------------- nan and infinity


class IsNan(Function):
    """y = whether x is nan."""

    def forward(ctx, x: Array) -> Array:
        return array_module(x).isnan(x)


class IsInf(Function):
    """y = whether x is infinite: ``sign`` 1 upwards, -1 downwards, 0 either way."""

    def forward(ctx, x: Array, sign: int) -> Array:
        xp = array_module(x)
        if x.dtype.kind != "f":
            return xp.zeros(x.shape, dtype=builtins.bool)
        return x == float("inf") if sign > 0 else x == float("-inf") if sign < 0 else xp.isinf(x)


class IsFinite(Function):
    """y = whether x is neither nan nor infinite."""

    def forward(ctx, x: Array) -> Array:
        return array_module(x).isfinite(x)


def isnan(input: Tensor) -> Tensor:
    """Whether each element is nan.

    Raises:
        DTypeError: ``input`` is no Tensor.

    Example:
        >>> import minigrad
        >>> minigrad.isnan(minigrad.tensor([1.0, float("nan")]))
        tensor([False,  True])
    """
    return IsNan.apply(check_dtype("isnan", "input", input, "biuf"))


def isinf(input: Tensor) -> Tensor:
    """Whether each element is infinite. See ``isnan``.

    Example:
        >>> import minigrad
        >>> minigrad.isinf(minigrad.tensor([1.0, float("-inf")]))
        tensor([False,  True])
    """
    return IsInf.apply(check_dtype("isinf", "input", input, "biuf"), 0)


def isposinf(input: Tensor) -> Tensor:
    """Whether each element is infinite and above 0. See ``isnan``."""
    return IsInf.apply(check_dtype("isposinf", "input", input, "biuf"), 1)


def isneginf(input: Tensor) -> Tensor:
    """Whether each element is infinite and below 0. See ``isnan``."""
    return IsInf.apply(check_dtype("isneginf", "input", input, "biuf"), -1)


def isfinite(input: Tensor) -> Tensor:
    """Whether each element is neither nan nor infinite. See ``isnan``.

    Example:
        >>> import minigrad
        >>> minigrad.isfinite(minigrad.tensor([1.0, float("inf")]))
        tensor([ True, False])
    """
    return IsFinite.apply(check_dtype("isfinite", "input", input, "biuf"))


# ---------------------------------------------------------------------- equality of whole tensors


class IsClose(Function):
    """c = whether |a - b| <= atol + rtol |b|; infinities by equality, nan by ``equal_nan``."""

    def forward(ctx, a: Array, b: Array, rtol: float, atol: float, equal_nan: bool) -> Array:
        xp = array_module(a)
        close = a == b
        if a.dtype.kind == "f":
            with quiet():
                close = close | (xp.isfinite(a - b) & (xp.absolute(a - b) <= atol + rtol * xp.absolute(b)))
            return close | (xp.isnan(a) & xp.isnan(b)) if equal_nan else close
        a, b = a.astype(xp.float64), b.astype(xp.float64)
        return close | (xp.absolute(a - b) <= atol + rtol * xp.absolute(b))


def isclose(input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Whether ``abs(input - other) <= atol + rtol * abs(other)``, element by element.

    Args:
        input, other: Tensors of one dtype that broadcast.
        rtol, atol: the tolerance, relative to ``other`` and absolute.
        equal_nan: whether nan equals nan.

    Raises:
        DTypeError: one of them is no Tensor, or the dtypes differ.

    Example:
        >>> import minigrad
        >>> minigrad.isclose(minigrad.tensor([1.0, 1.0]), minigrad.tensor([1.000001, 1.1]))
        tensor([ True, False])
    """
    a, b = _two("isclose", input, other)
    if a.array.dtype != b.array.dtype:
        raise DTypeError("isclose", "other", f"{a.array.dtype}, as input", str(b.array.dtype), "Convert it with .to()")
    return IsClose.apply(a, b, rtol, atol, equal_nan)


def allclose(input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Whether all elements are close. See ``isclose``.

    Example:
        >>> import minigrad
        >>> minigrad.allclose(minigrad.ones(2), minigrad.ones(2) + 1e-6)
        True
    """
    return builtins.bool(isclose(input, other, rtol, atol, equal_nan).array.all())


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether both have one shape and equal elements.

    Raises:
        DTypeError: one of them is no Tensor.

    Example:
        >>> import minigrad
        >>> minigrad.equal(minigrad.ones(2), minigrad.ones(3))
        False
    """
    a, b = _two("equal", input, other)
    return a.array.shape == b.array.shape and builtins.bool(Eq.apply(*pair("equal", a, b)).array.all())


def isin(elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False) -> Tensor:
    """Whether each of ``elements`` is among ``test_elements``.

    Args:
        elements, test_elements: Tensors, or one of them a number.
        assume_unique: accepted for PyTorch's sake.
        invert: whether it is not among them.

    Raises:
        DTypeError: an operand is neither a Tensor nor a number.

    Example:
        >>> import minigrad
        >>> minigrad.isin(minigrad.tensor([1, 2, 3]), minigrad.tensor([3, 1]))
        tensor([ True, False,  True])
    """
    a, b = promote("isin", elements, test_elements)
    return Tensor._wrap(array_module(a.array).isin(a.array, b.array, invert=invert))


not_equal, less, less_equal, greater, greater_equal = ne, lt, le, gt, ge

__all__ = [
    "allclose",
    "bitwise_and",
    "bitwise_left_shift",
    "bitwise_not",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "eq",
    "equal",
    "ge",
    "greater",
    "greater_equal",
    "gt",
    "isclose",
    "isfinite",
    "isin",
    "isinf",
    "isnan",
    "isneginf",
    "isposinf",
    "le",
    "less",
    "less_equal",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "lt",
    "ne",
    "not_equal",
]
METHODS = tuple(name for name in __all__ if name != "isin")
OPERATORS = {
    "__eq__": _eq,
    "__ne__": _ne,
    "__lt__": lt,
    "__le__": le,
    "__gt__": gt,
    "__ge__": ge,
    "__and__": bitwise_and,
    "__rand__": bitwise_and,
    "__or__": bitwise_or,
    "__ror__": bitwise_or,
    "__xor__": bitwise_xor,
    "__rxor__": bitwise_xor,
    "__invert__": bitwise_not,
    "__lshift__": bitwise_left_shift,
    "__rlshift__": _rlshift,
    "__rshift__": bitwise_right_shift,
    "__rrshift__": _rrshift,
}
