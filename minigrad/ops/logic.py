"""Logic of truth values, and of the bits of integers, without derivative."""

from __future__ import annotations

from typing import Any

from minigrad.core.device import Array, array_module
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor
from minigrad.ops.operands import check_dtype, promote, two_tensors

# ---------------------------------------------------------------------- truth values


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
    return LogicalAnd.apply(*two_tensors("logical_and", input, other))


def logical_or(input: Tensor, other: Tensor) -> Tensor:
    """Whether one at least is not 0, element by element. See ``logical_and``.

    Example:
        >>> import minigrad
        >>> minigrad.logical_or(minigrad.tensor([0, 1]), minigrad.tensor([0.0, 3.0]))
        tensor([False,  True])
    """
    return LogicalOr.apply(*two_tensors("logical_or", input, other))


def logical_xor(input: Tensor, other: Tensor) -> Tensor:
    """Whether exactly one is not 0, element by element. See ``logical_and``.

    Example:
        >>> import minigrad
        >>> minigrad.logical_xor(minigrad.tensor([0, 1]), minigrad.tensor([2.0, 3.0]))
        tensor([ True, False])
    """
    return LogicalXor.apply(*two_tensors("logical_xor", input, other))


def logical_not(input: Tensor) -> Tensor:
    """Whether each element is 0. See ``logical_and``.

    Example:
        >>> import minigrad
        >>> minigrad.logical_not(minigrad.tensor([0, 2]))
        tensor([ True, False])
    """
    return LogicalNot.apply(check_dtype("logical_not", "input", input, "biuf"))


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


__all__ = [
    "bitwise_and",
    "bitwise_left_shift",
    "bitwise_not",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
]
METHODS = tuple(__all__)
OPERATORS = {
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
