"""Arithmetic of two operands: sums, products, quotients, powers. Operands broadcast, and promote as PyTorch's do.

A gradient that was broadcast is summed back to its operand by the walk, so that no derivative here speaks of it.
"""

from __future__ import annotations

from typing import Any

from minigrad.core.device import Array, quiet
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor
from minigrad.ops.operands import pair


class Add(Function):
    """c = a + b;  da = dc, db = dc."""

    def forward(ctx, a: Array, b: Array) -> Array:
        return a + b

    def backward(ctx, dc: Tensor) -> Any:
        return dc, dc


class Sub(Function):
    """c = a - b;  da = dc, db = -dc."""

    def forward(ctx, a: Array, b: Array) -> Array:
        return a - b

    def backward(ctx, dc: Tensor) -> Any:
        need_a, need_b = ctx.needs_input_grad
        return dc if need_a else None, -dc if need_b else None


class Mul(Function):
    """c = a b;  da = dc b, db = dc a."""

    def forward(ctx, a: Array, b: Array) -> Array:
        need_a, need_b = ctx.edges
        ctx.save_for_backward(a if need_b else None, b if need_a else None)
        return a * b

    def backward(ctx, dc: Tensor) -> Any:
        a, b = ctx.saved_tensors
        need_a, need_b = ctx.needs_input_grad
        return dc * b if need_a else None, dc * a if need_b else None


class Div(Function):
    """c = a / b;  da = dc / b, db = -dc c / b."""

    def forward(ctx, a: Array, b: Array) -> Array:
        with quiet():
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
        return -dy


def add(input: Any, other: Any, *, alpha: float = 1) -> Tensor:
    """``input + alpha * other``.

    Args:
        input, other: Tensors that broadcast, or numbers.
        alpha: the factor of ``other``.

    Raises:
        ShapeError: the shapes do not broadcast.
        DTypeError: an operand is neither a Tensor nor a number.

    Example:
        >>> import minigrad
        >>> minigrad.add(minigrad.tensor([1.0, 2.0]), 3)
        tensor([4., 5.])
    """
    if alpha != 1:
        other = mul(other, alpha) if isinstance(other, Tensor) else other * alpha
    return Add.apply(*pair("add", input, other))


def sub(input: Any, other: Any, *, alpha: float = 1) -> Tensor:
    """``input - alpha * other``. See ``add``.

    Example:
        >>> import minigrad
        >>> minigrad.sub(minigrad.tensor([1.0, 2.0]), 3)
        tensor([-2., -1.])
    """
    if alpha != 1:
        other = mul(other, alpha) if isinstance(other, Tensor) else other * alpha
    return Sub.apply(*pair("sub", input, other))


def rsub(input: Any, other: Any, *, alpha: float = 1) -> Tensor:
    """``other - alpha * input``. See ``add``.

    Example:
        >>> import minigrad
        >>> 3 - minigrad.tensor([1.0, 2.0])
        tensor([2., 1.])
    """
    return Sub.apply(*pair("rsub", other, input if alpha == 1 else mul(input, alpha)))


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

    Example:
        >>> import minigrad
        >>> -minigrad.tensor([1, -2])
        tensor([-1,  2])
    """
    return Neg.apply(input)


def div(input: Any, other: Any) -> Tensor:
    """``input / other``; integers give floats.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([1, 2]) / 2
        tensor([0.5000, 1.0000])
    """
    return Div.apply(*pair("div", input, other, floating=True))


def rdiv(input: Tensor, other: Any) -> Tensor:
    """``other / input``: the reflected operator."""
    return div(other, input)


__all__ = ["add", "div", "mul", "neg", "rsub", "sub"]
METHODS = ("add", "div", "mul", "neg", "sub")
OPERATORS = {
    "__add__": add,
    "__radd__": add,
    "__sub__": sub,
    "__rsub__": rsub,
    "__mul__": mul,
    "__rmul__": mul,
    "__truediv__": div,
    "__rtruediv__": rdiv,
    "__neg__": neg,
}
