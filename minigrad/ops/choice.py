"""One of several values at each place: by a condition, the larger, the smaller, within bounds."""

from __future__ import annotations

from typing import Any

from minigrad.core.device import Array, array_module
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError, DTypeError
from minigrad.ops.arithmetic import Mul, flat
from minigrad.ops.beside import constant
from minigrad.ops.operands import cast, check_dtype, pair, promote

# ---------------------------------------------------------------------- by a condition


class Where(Function):
    """c = a where the condition holds, b elsewhere;  da = dc where it holds and 0 elsewhere, db the reverse."""

    def forward(ctx, condition: Array, a: Array, b: Array) -> Array:
        ctx.save_for_backward(condition)
        return array_module(condition).where(condition, a, b)

    def backward(ctx, dc: Tensor) -> Any:
        (condition,) = ctx.saved_tensors
        _, need_a, need_b = ctx.needs_input_grad
        return None, Where.apply(condition, dc, 0.0) if need_a else None, Where.apply(condition, 0.0, dc) if need_b else None


def where(condition: Tensor, input: Any = None, other: Any = None) -> Any:
    """``input`` where ``condition`` holds, ``other`` elsewhere. With ``condition`` alone: where it holds, as ``nonzero``.

    Args:
        condition: Tensor of truth values (uint8 counts as such; alone, it may hold any numbers).
        input, other: Tensors that broadcast with it and each other, or numbers.

    Returns:
        A Tensor; for ``condition`` alone a tuple with the indices along each dimension.

    Raises:
        DTypeError: ``condition`` is no Tensor of truth values, or an operand neither a Tensor nor a number.
        ArgumentError: only one of ``input`` and ``other`` is given.

    Example:
        >>> import minigrad
        >>> x = minigrad.tensor([-1.0, 2.0])
        >>> minigrad.where(x > 0, x, 0.0)
        tensor([0., 2.])
    """
    if input is None and other is None:
        return check_tensor("where", "condition", condition).nonzero(as_tuple=True)
    if not isinstance(condition, Tensor) or condition.array.dtype.kind not in "bu":
        got = str(condition.array.dtype) if isinstance(condition, Tensor) else type(condition).__name__
        raise DTypeError("where", "condition", "a Tensor of truth values", got, "Compare it, or convert it with .bool()")
    if input is None or other is None:
        raise ArgumentError("where", "input, other", "both or neither", "one", "Give a number for the other")
    a, b = pair("where", input, other)
    if not isinstance(input, Tensor) and not isinstance(other, Tensor):  # two numbers go where the condition is
        a, b = (Tensor._wrap(constant(each.array, None, condition.array)) for each in (a, b))
    if condition.array.dtype.kind == "u":
        condition = Tensor._wrap(condition.array.astype(bool))
    return Where.apply(condition, a, b)


def _where_method(input: Tensor, condition: Tensor, other: Any) -> Tensor:
    return where(condition, input, other)


# ---------------------------------------------------------------------- the larger, the smaller


class Maximum(Function):
    """c = max(a, b);  da = dc where a > b, dc / 2 where they are equal, and db likewise. A nan wins."""

    def forward(ctx, a: Array, b: Array) -> Array:
        ctx.save_for_backward(a, b)
        return array_module(a).maximum(a, b)

    def backward(ctx, dc: Tensor) -> Any:
        a, b = [tensor.array for tensor in ctx.saved_tensors]
        need_a, need_b = ctx.needs_input_grad
        return dc * _share(a, b, a < b) if need_a else None, dc * _share(a, b, b < a) if need_b else None


class Minimum(Function):
    """c = min(a, b);  da = dc where a < b, dc / 2 where they are equal, and db likewise. A nan wins."""

    def forward(ctx, a: Array, b: Array) -> Array:
        ctx.save_for_backward(a, b)
        return array_module(a).minimum(a, b)

    def backward(ctx, dc: Tensor) -> Any:
        a, b = [tensor.array for tensor in ctx.saved_tensors]
        need_a, need_b = ctx.needs_input_grad
        return dc * _share(a, b, a > b) if need_a else None, dc * _share(a, b, b > a) if need_b else None


def _share(a: Array, b: Array, lost: Array) -> Tensor:
    """How much of the gradient goes to an operand: nothing where it lost, half of it in a tie, else all."""
    share = 1 - lost.astype(a.dtype)
    share -= (a == b).astype(a.dtype) * 0.5
    return Tensor._wrap(share)


class Fmax(Function):
    """c = max(a, b), where a number wins over nan;  da = dc where a was taken (as in ties), db elsewhere."""

    def forward(ctx, a: Array, b: Array) -> Array:
        ctx.save_for_backward(a, b)
        return array_module(a).fmax(a, b)

    def backward(ctx, dc: Tensor) -> Any:
        a, b = [tensor.array for tensor in ctx.saved_tensors]
        return _divided(ctx, dc, (a >= b) | array_module(b).isnan(b))


class Fmin(Function):
    """c = min(a, b), where a number wins over nan;  da = dc where a was taken (as in ties), db elsewhere."""

    def forward(ctx, a: Array, b: Array) -> Array:
        ctx.save_for_backward(a, b)
        return array_module(a).fmin(a, b)

    def backward(ctx, dc: Tensor) -> Any:
        a, b = [tensor.array for tensor in ctx.saved_tensors]
        return _divided(ctx, dc, (a <= b) | array_module(b).isnan(b))


def _divided(ctx: Function, dc: Tensor, first: Array) -> Any:
    taken = Tensor._wrap(first)
    need_a, need_b = ctx.needs_input_grad
    return Where.apply(taken, dc, 0.0) if need_a else None, Where.apply(taken, 0.0, dc) if need_b else None


def _tensors(where: str, input: Any, other: Any) -> tuple[Tensor, Tensor]:
    for name, operand in (("input", input), ("other", other)):
        if not isinstance(operand, Tensor):
            raise DTypeError(where, name, "a Tensor", type(operand).__name__, "Use clamp() to compare with a number")
    return pair(where, input, other)


def maximum(input: Tensor, other: Tensor) -> Tensor:
    """The larger of two at each place; nan where either is. In a tie each gets half of the gradient.

    Args:
        input, other: Tensors that broadcast.

    Raises:
        DTypeError: one of them is no Tensor.
        ShapeError: the shapes do not broadcast.

    Example:
        >>> import minigrad
        >>> minigrad.maximum(minigrad.tensor([1.0, 5.0]), minigrad.tensor([3.0, 2.0]))
        tensor([3., 5.])
    """
    return Maximum.apply(*_tensors("maximum", input, other))


def minimum(input: Tensor, other: Tensor) -> Tensor:
    """The smaller of two at each place; nan where either is. See ``maximum``.

    Example:
        >>> import minigrad
        >>> minigrad.minimum(minigrad.tensor([1.0, 5.0]), minigrad.tensor([3.0, 2.0]))
        tensor([1., 2.])
    """
    return Minimum.apply(*_tensors("minimum", input, other))


def fmax(input: Tensor, other: Tensor) -> Tensor:
    """The larger of two at each place, or the one that is not nan. In a tie the gradient goes to ``input``. See ``maximum``.

    Example:
        >>> import minigrad
        >>> minigrad.fmax(minigrad.tensor([1.0, float("nan")]), minigrad.tensor([3.0, 2.0]))
        tensor([3., 2.])
    """
    return Fmax.apply(*_tensors("fmax", input, other))


def fmin(input: Tensor, other: Tensor) -> Tensor:
    """The smaller of two at each place, or the one that is not nan. In a tie the gradient goes to ``input``. See ``maximum``.

    Example:
        >>> import minigrad
        >>> minigrad.fmin(minigrad.tensor([1.0, float("nan")]), minigrad.tensor([3.0, 2.0]))
        tensor([1., 2.])
    """
    return Fmin.apply(*_tensors("fmin", input, other))


# ---------------------------------------------------------------------- within bounds


class Clamp(Function):
    """y = x, moved to the nearest of the numbers ``low`` to ``high``;  dx = dy where low <= x <= high, else 0."""

    def forward(ctx, x: Array, low: float | None, high: float | None) -> Array:
        ctx.low, ctx.high = low, high
        ctx.save_for_backward(x)
        return _bounded(array_module(x), x, low, high)

    def backward(ctx, dy: Tensor) -> Any:
        (saved,) = ctx.saved_tensors
        x, low, high = saved.array, ctx.low, ctx.high
        inside = x <= high if low is None else x >= low if high is None else (x >= low) & (x <= high)
        return Where.apply(Tensor._wrap(inside), dy, 0.0), None, None


class ClampTensor(Function):
    """y = min(max(x, low), high);  each of the three gets dy where it was taken, x in a tie with a bound."""

    def forward(ctx, x: Array, low: Array | None, high: Array | None) -> Array:
        ctx.save_for_backward(x, low, high)
        return _bounded(array_module(x), x, low, high)

    def backward(ctx, dy: Tensor) -> Any:
        arrays: list[Any] = [tensor if tensor is None else tensor.array for tensor in ctx.saved_tensors]
        x, low, high = arrays
        need_x, need_low, need_high = ctx.needs_input_grad
        dx = dlow = dhigh = None
        if need_x:
            inside = x <= high if low is None else x >= low if high is None else (x >= low) & (x <= high)
            dx = Where.apply(Tensor._wrap(inside), dy, 0.0)
        if need_low:
            below = x < low if high is None else (x < low) & (low < high)
            dlow = Where.apply(Tensor._wrap(below), dy, 0.0)
        if need_high:
            above = x > high if low is None else (x > high) | (high < low)
            dhigh = Where.apply(Tensor._wrap(above), dy, 0.0)
        return dx, dlow, dhigh


def _bounded(xp: Any, x: Array, low: Any, high: Any) -> Array:
    if low is not None:
        x = xp.maximum(x, low)
    return x if high is None else xp.minimum(x, high)


def clamp(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """Each element, moved to the nearest number from ``min`` to ``max``; ``max`` where ``min`` is larger. nan stays.

    Args:
        input: Tensor.
        min, max: numbers, or Tensors that broadcast with ``input``; ``None`` for no bound.

    Raises:
        ArgumentError: both are ``None``.
        DTypeError: ``input`` is no Tensor, or a bound neither a Tensor nor a number.

    Example:
        >>> import minigrad
        >>> minigrad.clamp(minigrad.tensor([-1.0, 0.5, 2.0]), 0, 1)
        tensor([0.0000, 0.5000, 1.0000])
    """
    if min is None and max is None:
        raise ArgumentError("clamp", "min, max", "at least one bound", "None for both")
    if not isinstance(input, Tensor):
        raise DTypeError("clamp", "input", "a Tensor", type(input).__name__, "Wrap it in minigrad.tensor()")
    if input.array.dtype.kind == "f" and type(min) in _NUMBERS and type(max) in _NUMBERS:
        return Clamp.apply(input, min, max)
    given = [bound for bound in (min, max) if bound is not None]
    x, *bounds = promote("clamp", input, *given)
    low = None if min is None else bounds[0]
    high = None if max is None else bounds[-1]
    return ClampTensor.apply(x, low, high)


_NUMBERS = (int, float, type(None))


def clamp_min(input: Tensor, min: Any) -> Tensor:
    """Each element, and at least ``min``. See ``clamp``.

    Example:
        >>> import minigrad
        >>> minigrad.clamp_min(minigrad.tensor([-1.0, 2.0]), 0)
        tensor([0., 2.])
    """
    return clamp(input, min, None)


def clamp_max(input: Tensor, max: Any) -> Tensor:
    """Each element, and at most ``max``. See ``clamp``.

    Example:
        >>> import minigrad
        >>> minigrad.clamp_max(minigrad.tensor([-1.0, 2.0]), 0)
        tensor([-1.,  0.])
    """
    return clamp(input, None, max)


# ---------------------------------------------------------------------- signs and steps


class Copysign(Function):
    """c = |a| with the sign of b;  da = dc sign(a) sign(b), 0 where a = 0;  db = 0."""

    def forward(ctx, a: Array, b: Array) -> Array:
        c = array_module(a).copysign(a, b)
        ctx.save_for_backward(a, c)
        return c

    def backward(ctx, dc: Tensor) -> Any:
        a, c = [tensor.array for tensor in ctx.saved_tensors]
        need_a, need_b = ctx.needs_input_grad
        xp = array_module(a)
        same = xp.sign(a) * xp.sign(c)
        return Mul.apply(dc, Tensor._wrap(same)) if need_a else None, flat(dc) if need_b else None


def copysign(input: Tensor, other: Any) -> Tensor:
    """``abs(input)`` with the sign of ``other``, which -0.0 has too. Integers give floats.

    Args:
        input: Tensor.
        other: a Tensor that broadcasts with it, or a number.

    Raises:
        DTypeError: ``input`` is no Tensor, or ``other`` neither a Tensor nor a number.

    Example:
        >>> import minigrad
        >>> minigrad.copysign(minigrad.tensor([1.0, -2.0]), -1)
        tensor([-1., -2.])
    """
    return Copysign.apply(*promote("copysign", check_dtype("copysign", "input", input, "biuf"), other, floating=True))


def heaviside(input: Tensor, values: Tensor) -> Tensor:
    """The step: 0 below 0, 1 above, ``values`` at 0. It has no derivative.

    Args:
        input, values: Tensors of one dtype that broadcast.

    Raises:
        DTypeError: the dtypes differ.

    Example:
        >>> import minigrad
        >>> minigrad.heaviside(minigrad.tensor([-2.0, 0.0, 3.0]), minigrad.tensor([0.5]))
        tensor([0.0000, 0.5000, 1.0000])
    """
    b, a = check_dtype("heaviside", "values", values, "biuf"), check_dtype("heaviside", "input", input, "biuf")
    if a.array.dtype != b.array.dtype:
        raise DTypeError("heaviside", "values", f"{a.array.dtype}, as input", str(b.array.dtype), "Convert it with .to()")
    return Where.apply(Tensor._wrap(a.array == 0), b.detach(), cast(Tensor._wrap(a.array > 0), a.array.dtype))


clip = clamp

__all__ = [
    "clamp",
    "clamp_max",
    "clamp_min",
    "clip",
    "copysign",
    "fmax",
    "fmin",
    "heaviside",
    "maximum",
    "minimum",
    "where",
]
METHODS = tuple(name for name in __all__ if name != "where")
OPERATORS = {"where": _where_method}
