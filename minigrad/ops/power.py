"""Powers, and what is built of powers and logarithms of two operands."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module
from minigrad.core.dtypes import float64
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor
from minigrad.errors import ArgumentError, DTypeError
from minigrad.ops.arithmetic import flat
from minigrad.ops.choice import Where
from minigrad.ops.creation import number_of
from minigrad.ops.elementwise import Log, Sigmoid
from minigrad.ops.operands import cast, check_dtype, pair, promote, to_float

# ---------------------------------------------------------------------- powers


class PowNumber(Function):
    """y = x^n with a number n;  dx = n x^(n-1) dy, and 0 where n = 0."""

    def forward(ctx, x: Array, n: float) -> Array:
        ctx.n = n
        ctx.save_for_backward(x)
        return _power(x, n)

    def backward(ctx, dy: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        n = ctx.n
        if n == 0:
            return flat(dy), None
        if n == 1:
            return dy, None
        return dy * ((x if n == 2 else PowNumber.apply(x, n - 1)) * n), None


def _power(x: Array, n: float) -> Array:
    """x^n; the small powers as products, which are many times faster than the general power."""
    if n == 2:
        return x * x
    if n == 3:
        return x * x * x
    if n == 4:
        square = x * x
        return square * square
    if n == 0.5:
        return array_module(x).sqrt(x)
    if n == -1:
        return 1 / x
    return x**n


class Pow(Function):
    """c = a^b;  da = b a^(b-1) dc, and 0 where b = 0;  db = c ln a dc, and 0 where a = 0 and b >= 0."""

    def forward(ctx, a: Array, b: Array) -> Array:
        c = array_module(a).power(a, b) if a.dtype.kind == "f" else _integer_power(a, b)
        ctx.save_for_backward(a, b, c if ctx.edges[1] else None)
        return c

    def backward(ctx, dc: Tensor) -> Any:
        a, b, c = ctx.saved_tensors
        need_a, need_b = ctx.needs_input_grad
        da = db = None
        if need_a:
            xp = array_module(a.array)
            tiny = xp.abs(a.array) < xp.finfo(a.array.dtype).tiny
            constant = Tensor._wrap((b.array == 0) & (tiny | xp.isnan(a.array)))  # where 1 / a is no number
            da = dc * (b * Pow.apply(Where.apply(constant, 1.0, a), b - 1))
        if need_b:
            settled = Tensor._wrap((a.array == 0) & (b.array >= 0))  # c stays 0 (or 1), though ln a is infinite
            db = dc * (c * Log.apply(Where.apply(settled, 1.0, a)))
        return da, db


def _integer_power(a: Array, b: Array) -> Array:
    """a^b of integers. Where b < 0 the quotient 1 / a^-b, rounded towards 0: 1, -1 or 0."""
    xp = array_module(a)
    if a.dtype.kind == "u" or (type(b) is np.ndarray and not (b < 0).any()):
        return xp.power(a, b)
    power = xp.power(a, xp.where(b < 0, b % 2, b))
    return xp.where((b < 0) & (a != 1) & (a != -1), xp.zeros_like(power), power)


def pow(input: Any, exponent: Any) -> Tensor:
    """``input ** exponent``.

    Args:
        input, exponent: Tensors that broadcast, or one of them a number.

    Raises:
        ArgumentError: integers to a negative integer number.
        DTypeError: an operand is neither a Tensor nor a number, or both hold truth values.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([1.0, 2.0, 3.0]) ** 2
        tensor([1., 4., 9.])
        >>> minigrad.pow(2, minigrad.tensor([3, 4]))
        tensor([ 8, 16])
    """
    if isinstance(input, Tensor) and (type(exponent) is int or type(exponent) is float):
        kind = input.array.dtype.kind
        if kind == "f":
            return PowNumber.apply(input, exponent)
        if type(exponent) is float:
            return PowNumber.apply(to_float("pow", input), exponent)
        if exponent < 0:
            raise ArgumentError("pow", "exponent", "at least 0 for integers", str(exponent), "Convert the base with .float()")
    a, b = promote("pow", input, exponent)
    check_dtype("pow", "operands", a, "iuf", "Convert them with .int()")
    return Pow.apply(a, b)


def rpow(input: Tensor, other: Any) -> Tensor:
    """``other ** input``: the reflected operator."""
    return pow(other, input)


def float_power(input: Any, exponent: Any) -> Tensor:
    """``input ** exponent`` in float64. See ``pow``.

    Example:
        >>> import minigrad
        >>> minigrad.float_power(minigrad.tensor([4, 9]), 0.5)
        tensor([2., 3.], dtype=float64)
    """
    if not isinstance(input, Tensor) and not isinstance(exponent, Tensor):
        raise DTypeError("float_power", "input", "a Tensor, or a number with a Tensor as exponent", type(input).__name__)
    operands = []
    for name, operand in (("input", input), ("exponent", exponent)):
        operands.append(
            cast(operand, float64) if isinstance(operand, Tensor) else float(number_of("float_power", name, operand))
        )
    return pow(*operands)


def square(input: Tensor) -> Tensor:
    """``input * input``; integers stay integers.

    Example:
        >>> import minigrad
        >>> minigrad.square(minigrad.tensor([3, -2]))
        tensor([9, 4])
    """
    return pow(check_dtype("square", "input", input, "biuf"), 2)


# ---------------------------------------------------------------------- logarithms of two


class Xlogy(Function):
    """c = a ln b, and 0 where a = 0;  da = ln b dc, and 0 where a = 0 and b <= 0;  db = a / b dc."""

    def forward(ctx, a: Array, b: Array) -> Array:
        ctx.save_for_backward(a, b)
        xp = array_module(a)
        c = a * xp.log(b)
        return xp.where((a == 0) & ~xp.isnan(b), xp.zeros_like(c), c)

    def backward(ctx, dc: Tensor) -> Any:
        a, b = ctx.saved_tensors
        need_a, need_b = ctx.needs_input_grad
        da = None
        if need_a:
            settled = Tensor._wrap((a.array == 0) & (b.array <= 0))
            da = dc * Log.apply(Where.apply(settled, 1.0, b))
        return da, dc * a / b if need_b else None


class LogAddExp(Function):
    """c = ln(e^a + e^b);  da = dc / (1 + e^(b-a)), db = dc / (1 + e^(a-b))."""

    def forward(ctx, a: Array, b: Array) -> Array:
        ctx.save_for_backward(a, b)
        return array_module(a).logaddexp(a, b)

    def backward(ctx, dc: Tensor) -> Any:
        a, b = ctx.saved_tensors
        need_a, need_b = ctx.needs_input_grad
        return dc * Sigmoid.apply(a - b) if need_a else None, dc * Sigmoid.apply(b - a) if need_b else None


class LogAddExp2(Function):
    """c = log2(2^a + 2^b);  da = dc / (1 + 2^(b-a)), db = dc / (1 + 2^(a-b))."""

    def forward(ctx, a: Array, b: Array) -> Array:
        ctx.save_for_backward(a, b)
        return array_module(a).logaddexp2(a, b)

    def backward(ctx, dc: Tensor) -> Any:
        a, b = ctx.saved_tensors
        need_a, need_b = ctx.needs_input_grad
        difference = (a - b) * math.log(2)
        return dc * Sigmoid.apply(difference) if need_a else None, dc * Sigmoid.apply(-difference) if need_b else None


class Hypot(Function):
    """c = sqrt(a^2 + b^2) without overflow;  da = a / c dc, db = b / c dc."""

    def forward(ctx, a: Array, b: Array) -> Array:
        c = array_module(a).hypot(a, b)
        ctx.save_for_backward(a, b, c)
        return c

    def backward(ctx, dc: Tensor) -> Any:
        a, b, c = ctx.saved_tensors
        need_a, need_b = ctx.needs_input_grad
        return dc * (a / c) if need_a else None, dc * (b / c) if need_b else None


class Atan2(Function):
    """c = the angle of the point (b, a);  da = b / (a^2 + b^2) dc, db = -a / (a^2 + b^2) dc, and 0 at the origin."""

    def forward(ctx, a: Array, b: Array) -> Array:
        ctx.save_for_backward(a, b)
        return array_module(a).arctan2(a, b)

    def backward(ctx, dc: Tensor) -> Any:
        a, b = ctx.saved_tensors
        need_a, need_b = ctx.needs_input_grad
        squares = a * a + b * b
        weight = dc / Where.apply(Tensor._wrap(squares.array == 0), 1.0, squares)
        return weight * b if need_a else None, -weight * a if need_b else None


def xlogy(input: Any, other: Any) -> Tensor:
    """``input * log(other)``, and 0 where ``input`` is 0. Integers give floats.

    Raises:
        DTypeError: an operand is neither a Tensor nor a number.

    Example:
        >>> import minigrad
        >>> minigrad.xlogy(minigrad.tensor([0.0, 2.0]), minigrad.tensor([0.0, 1.0]))
        tensor([0., 0.])
    """
    return Xlogy.apply(*promote("xlogy", input, other, floating=True))


def logaddexp(input: Tensor, other: Tensor) -> Tensor:
    """``log(exp(input) + exp(other))``, without overflow.

    Raises:
        DTypeError: an operand is no float Tensor.

    Example:
        >>> import minigrad
        >>> minigrad.logaddexp(minigrad.tensor([0.0, -1.0]), minigrad.tensor([0.0, 1.0]))
        tensor([0.6931, 1.1269])
    """
    return LogAddExp.apply(*_two_floats("logaddexp", input, other))


def logaddexp2(input: Tensor, other: Tensor) -> Tensor:
    """``log2(2**input + 2**other)``, without overflow. See ``logaddexp``.

    Example:
        >>> import minigrad
        >>> minigrad.logaddexp2(minigrad.tensor([1000.0]), minigrad.tensor([1000.0]))
        tensor([1001.])
    """
    return LogAddExp2.apply(*_two_floats("logaddexp2", input, other))


def hypot(input: Tensor, other: Tensor) -> Tensor:
    """``sqrt(input**2 + other**2)``, without overflow. See ``logaddexp``.

    Example:
        >>> import minigrad
        >>> minigrad.hypot(minigrad.tensor([3.0]), minigrad.tensor([4.0]))
        tensor([5.])
    """
    return Hypot.apply(*_two_floats("hypot", input, other))


def atan2(input: Tensor, other: Tensor) -> Tensor:
    """The angle of the point with ordinate ``input`` and abscissa ``other``, between -pi and pi. Integers give floats.

    Raises:
        DTypeError: an operand is no Tensor.

    Example:
        >>> import minigrad
        >>> minigrad.atan2(minigrad.tensor([1.0, -1.0]), minigrad.tensor([-1.0, -1.0]))
        tensor([ 2.3562, -2.3562])
    """
    a, b = check_dtype("atan2", "input", input, "biuf"), check_dtype("atan2", "other", other, "biuf")
    return Atan2.apply(*pair("atan2", a, b, floating=True))


def _two_floats(where: str, input: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    check_dtype(where, "input", input, "biuf")
    check_dtype(where, "other", other, "biuf")
    a, b = pair(where, input, other)
    return check_dtype(where, "operands", a, "f", "Convert one of them with .float()"), b


arctan2 = atan2

__all__ = ["arctan2", "atan2", "float_power", "hypot", "logaddexp", "logaddexp2", "pow", "square", "xlogy"]
METHODS = tuple(__all__)
OPERATORS = {"__pow__": pow, "__rpow__": rpow}
