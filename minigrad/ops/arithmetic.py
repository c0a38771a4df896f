"""Arithmetic of two operands: sums, products, quotients, remainders. Operands broadcast, and promote as PyTorch's do.

A gradient that was broadcast is summed back to its operand by the walk, so that no derivative here speaks of it.
"""

from __future__ import annotations

from typing import Any

from minigrad.core.device import SEVERAL, Array, array_module, follow
from minigrad.core.large import plus, times
from minigrad.core.tape import Function, mode
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError, DTypeError
from minigrad.kernels.doubts import doubt
from minigrad.ops.operands import check_dtype, pair, promote

# ---------------------------------------------------------------------- sums, products, quotients


class Add(Function):
    """c = a + b;  da = dc, db = dc."""

    def forward(ctx, a: Array, b: Array) -> Array:
        return plus(a, b)

    def backward(ctx, dc: Tensor) -> Any:
        return dc, dc


class Sub(Function):
    """c = a - b;  da = dc, db = -dc."""

    def forward(ctx, a: Array, b: Array) -> Array:
        return a - b

    def backward(ctx, dc: Tensor) -> Any:
        need_a, need_b = ctx.needs_input_grad
        if mode.direct:
            return dc if need_a else None, Tensor._wrap(-dc.array) if need_b else None
        return dc if need_a else None, -dc if need_b else None


class Mul(Function):
    """c = a b;  da = dc b, db = dc a."""

    def forward(ctx, a: Array, b: Array) -> Array:
        need_a, need_b = ctx.edges
        if need_a or need_b:
            ctx.save_for_backward(a if need_b else None, b if need_a else None)
        return times(a, b)

    def backward(ctx, dc: Tensor) -> Any:
        a, b = ctx.saved_tensors
        need_a, need_b = ctx.needs_input_grad
        if mode.direct:
            return times_array(dc, b) if need_a else None, times_array(dc, a) if need_b else None
        return dc * b if need_a else None, dc * a if need_b else None


class Div(Function):
    """c = a / b;  da = dc / b, db = -dc c / b."""

    def forward(ctx, a: Array, b: Array) -> Array:
        c = a / b
        ctx.save_for_backward(c if ctx.edges[1] else None, b)
        return c

    def backward(ctx, dc: Tensor) -> Any:
        c, b = ctx.saved_tensors
        need_a, need_b = ctx.needs_input_grad
        da = dc / b
        return da if need_a else None, -da * c if need_b else None


class Neg(Function):
    """y = -x;  dx = -dy."""

    def forward(ctx, x: Array) -> Array:
        return -x

    def backward(ctx, dy: Tensor) -> Any:
        return Tensor._wrap(-dy.array) if mode.direct else -dy


def times_array(dy: Tensor, factor: Any) -> Tensor:
    """``dy * factor`` of two Tensors of one dtype, or a Tensor and a number, for a way back that goes on arrays."""
    return Tensor._wrap(times(dy.array, factor.array) if isinstance(factor, Tensor) else dy.array * factor)


def add(input: Any, other: Any, *, alpha: float = 1) -> Tensor:
    """``input + alpha * other``.

    Args:
        input, other: Tensors that broadcast, or numbers.
        alpha: the factor of ``other``.

    Raises:
        ShapeError: the shapes do not broadcast.
        DTypeError: an operand is neither a Tensor nor a number; or ``alpha`` is no integer where the operands are.

    Example:
        >>> import minigrad
        >>> minigrad.add(minigrad.tensor([1.0, 2.0]), 3)
        tensor([4., 5.])
    """
    if alpha != 1:
        other = _scaled("add", input, other, alpha)
    return Add.apply(*pair("add", input, other))


def _scaled(where: str, input: Any, other: Any, alpha: Any) -> Any:
    """``alpha * other``, as the ops that take ``alpha`` want it."""
    first, second = pair(where, input, other)
    kind = (first if isinstance(first, Tensor) else second).array.dtype.kind
    if kind != "f" and isinstance(alpha, float):
        raise DTypeError(where, "alpha", "an integer, as the operands are integers", repr(alpha))
    return mul(other, alpha) if isinstance(other, Tensor) else other * alpha


def _numbers_only(where: str, operand: Any) -> None:
    """Refuse truth values: they have no difference."""
    if type(operand) is bool or (isinstance(operand, Tensor) and operand.array.dtype.kind == "b"):
        raise DTypeError(where, "operands", "numbers", "bool", "Use ^ for truth values, ~ to invert them, or .int()")


def sub(input: Any, other: Any, *, alpha: float = 1) -> Tensor:
    """``input - alpha * other``. See ``add``; truth values have no difference.

    Example:
        >>> import minigrad
        >>> minigrad.sub(minigrad.tensor([1.0, 2.0]), 3)
        tensor([-2., -1.])
    """
    if alpha != 1:
        other = _scaled("sub", input, other, alpha)
    a, b = pair("sub", input, other)
    if a is not input or b is not other or (isinstance(a, Tensor) and a.array.dtype.kind == "b"):
        for operand in (input, other):
            _numbers_only("sub", operand)
    return Sub.apply(a, b)


def rsub(input: Any, other: Any, *, alpha: float = 1) -> Tensor:
    """``other - alpha * input``. See ``sub``.

    Example:
        >>> import minigrad
        >>> 3 - minigrad.tensor([1.0, 2.0])
        tensor([2., 1.])
    """
    return sub(other, input, alpha=alpha)


def mul(input: Any, other: Any) -> Tensor:
    """``input * other``, element by element. See ``add`` for the operands.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([1, 2]) * 1.5
        tensor([1.5000, 3.0000])
    """
    return Mul.apply(*pair("mul", input, other))


def neg(input: Tensor) -> Tensor:
    """``-input``.

    Raises:
        DTypeError: ``input`` holds truth values.

    Example:
        >>> import minigrad
        >>> -minigrad.tensor([1, -2])
        tensor([-1,  2])
    """
    _numbers_only("neg", check_tensor("neg", "input", input))
    return Neg.apply(input)


def positive(input: Tensor) -> Tensor:
    """``+input``: the tensor itself.

    Raises:
        DTypeError: ``input`` holds truth values.

    Example:
        >>> import minigrad
        >>> +minigrad.tensor([1, -2])
        tensor([ 1, -2])
    """
    _numbers_only("positive", check_tensor("positive", "input", input))
    return input


def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """``input / other``; integers give floats.

    Args:
        input, other: Tensors that broadcast, or numbers.
        rounding_mode: ``None``, or round the quotient: ``"trunc"`` towards 0, ``"floor"`` down. Integers then stay integers,
            and the derivative is 0.

    Raises:
        ArgumentError: another ``rounding_mode``, or a rounded division of integers by 0.
        DTypeError: an operand is neither a Tensor nor a number, or a rounded division of truth values.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([1, 2]) / 2
        tensor([0.5000, 1.0000])
        >>> minigrad.div(minigrad.tensor([-7, 7]), 2, rounding_mode="floor")
        tensor([-4,  3])
    """
    if rounding_mode is None:
        return Div.apply(*pair("div", input, other, floating=True))
    if rounding_mode not in ("trunc", "floor"):
        raise ArgumentError("div", "rounding_mode", "None, 'trunc' or 'floor'", repr(rounding_mode))
    return DivRounded.apply(*_divisible("div", input, other), rounding_mode)


def rdiv(input: Tensor, other: Any) -> Tensor:
    """``other / input``: the reflected operator."""
    return Div.apply(*pair("div", other, input, floating=True))


# ---------------------------------------------------------------------- rounded quotients and remainders


class DivRounded(Function):
    """c = a / b, rounded towards 0 or down;  da = 0, db = 0."""

    def forward(ctx, a: Array, b: Array, mode: str) -> Array:
        if mode == "floor":
            return a // b
        xp = array_module(a)
        return xp.trunc(a / b) if a.dtype.kind == "f" else (a - xp.fmod(a, b)) // b

    def backward(ctx, dc: Tensor) -> Any:
        zero = flat(dc)
        need_a, need_b, _ = ctx.needs_input_grad
        return zero if need_a else None, zero if need_b else None, None


class Remainder(Function):
    """c = a - b floor(a / b), with the sign of b;  da = dc, db = -floor(a / b) dc."""

    def forward(ctx, a: Array, b: Array) -> Array:
        ctx.save_for_backward(a, b)
        return a % b

    def backward(ctx, dc: Tensor) -> Any:
        need_a, need_b = ctx.needs_input_grad
        a, b = ctx.saved_tensors
        return dc if need_a else None, -dc * DivRounded.apply(a, b, "floor") if need_b else None


class Fmod(Function):
    """c = a - b trunc(a / b), with the sign of a;  da = dc, db = -trunc(a / b) dc."""

    def forward(ctx, a: Array, b: Array) -> Array:
        ctx.save_for_backward(a, b)
        return array_module(a).fmod(a, b)

    def backward(ctx, dc: Tensor) -> Any:
        need_a, need_b = ctx.needs_input_grad
        a, b = ctx.saved_tensors
        return dc if need_a else None, -dc * DivRounded.apply(a, b, "trunc") if need_b else None


def flat(gradient: Tensor) -> Tensor:
    """Zeros like ``gradient``: the derivative of what is constant between its steps."""
    return Tensor._wrap(array_module(gradient.array).zeros_like(gradient.array))


def _divisible(where: str, input: Any, other: Any) -> tuple[Tensor, Any]:
    """Both operands in one dtype, in which ``input`` (a Tensor now) can be divided with a remainder by ``other``."""
    a, b = pair(where, input, other)
    if not isinstance(a, Tensor) or not (isinstance(b, Tensor) or a.array.dtype.kind == "f"):
        a, b = promote(where, a, b)
    check_dtype(where, "operands", a, "iuf", "Convert them with .int()")
    if a.array.dtype.kind != "f":
        remedy = "Divide floats, which give inf or nan"
        if SEVERAL:
            follow((b.array,))
        doubt(~b.array.all(), lambda: ArgumentError(where, "other", "integers other than 0", "a 0", remedy))
    return a, b


def floor_divide(input: Any, other: Any) -> Tensor:
    """``input // other``: the quotient rounded down; integers stay integers. The derivative is 0.

    Raises:
        ArgumentError: integers are divided by 0.
        DTypeError: an operand is neither a Tensor nor a number, or both hold truth values.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([7, -7]) // 2
        tensor([ 3, -4])
    """
    return DivRounded.apply(*_divisible("floor_divide", input, other), "floor")


def rfloor_divide(input: Tensor, other: Any) -> Tensor:
    """``other // input``: the reflected operator."""
    return floor_divide(other, input)


def remainder(input: Any, other: Any) -> Tensor:
    """``input % other``, with the sign of ``other``, as Python's. See ``floor_divide``.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([7, -7]) % 3
        tensor([1, 2])
    """
    return Remainder.apply(*_divisible("remainder", input, other))


def rremainder(input: Tensor, other: Any) -> Tensor:
    """``other % input``: the reflected operator."""
    return remainder(other, input)


def fmod(input: Tensor, other: Any) -> Tensor:
    """The remainder with the sign of ``input``, as C's. See ``floor_divide``.

    Example:
        >>> import minigrad
        >>> minigrad.fmod(minigrad.tensor([7, -7]), 3)
        tensor([ 1, -1])
    """
    return Fmod.apply(*_divisible("fmod", input, other))


# ---------------------------------------------------------------------- three operands


def lerp(input: Tensor, end: Tensor, weight: Any) -> Tensor:
    """The point between ``input`` (at ``weight`` 0) and ``end`` (at 1).

    Args:
        input, end: float Tensors of one dtype that broadcast.
        weight: a number, or a Tensor of that dtype.

    Raises:
        DTypeError: not all are of one float dtype.

    Example:
        >>> import minigrad
        >>> minigrad.lerp(minigrad.tensor([0.0, 10.0]), minigrad.tensor([10.0, 20.0]), 0.25)
        tensor([ 2.5000, 12.5000])
    """
    check_dtype("lerp", "input", input, "f", "Convert it with .float()")
    for name, operand in (("end", end), ("weight", weight)):
        if isinstance(operand, Tensor) and operand.array.dtype != input.array.dtype:
            raise DTypeError("lerp", name, f"{input.array.dtype}, as input", str(operand.array.dtype), "Convert it with .to()")
    return Add.apply(input, mul(Sub.apply(*pair("lerp", end, input)), weight))


def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """``input + value * tensor1 * tensor2``.

    Raises:
        DTypeError: ``value`` is no integer where the operands are.

    Example:
        >>> import minigrad
        >>> minigrad.addcmul(minigrad.ones(2), minigrad.tensor([1.0, 2.0]), minigrad.tensor([3.0, 4.0]), value=10)
        tensor([31., 81.])
    """
    check_dtype("addcmul", "input", input, "biuf")
    a, b = check_dtype("addcmul", "tensor1", tensor1, "biuf"), check_dtype("addcmul", "tensor2", tensor2, "biuf")
    return add(input, mul(a, b), alpha=value)


def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """``input + value * tensor1 / tensor2``.

    Raises:
        DTypeError: both ``tensor1`` and ``tensor2`` hold integers.

    Example:
        >>> import minigrad
        >>> minigrad.addcdiv(minigrad.ones(2), minigrad.tensor([1.0, 2.0]), minigrad.tensor([4.0, 4.0]), value=2)
        tensor([1.5000, 2.0000])
    """
    check_dtype("addcdiv", "input", input, "biuf")
    a, b = check_dtype("addcdiv", "tensor1", tensor1, "biuf"), check_dtype("addcdiv", "tensor2", tensor2, "biuf")
    if a.array.dtype.kind != "f" and b.array.dtype.kind != "f":
        raise DTypeError("addcdiv", "tensor1, tensor2", "a float dtype", str(a.array.dtype), "Convert one with .float()")
    return add(input, div(a, b), alpha=value)


subtract, multiply, divide, true_divide, negative = sub, mul, div, div, neg

__all__ = [
    "add",
    "addcdiv",
    "addcmul",
    "div",
    "divide",
    "floor_divide",
    "fmod",
    "lerp",
    "mul",
    "multiply",
    "neg",
    "negative",
    "positive",
    "remainder",
    "rsub",
    "sub",
    "subtract",
    "true_divide",
]
METHODS = tuple(name for name in __all__ if name != "rsub")
OPERATORS = {
    "__add__": add,
    "__radd__": add,
    "__sub__": sub,
    "__rsub__": rsub,
    "__mul__": mul,
    "__rmul__": mul,
    "__truediv__": div,
    "__rtruediv__": rdiv,
    "__floordiv__": floor_divide,
    "__rfloordiv__": rfloor_divide,
    "__mod__": remainder,
    "__rmod__": rremainder,
    "__neg__": neg,
    "__pos__": positive,
}
