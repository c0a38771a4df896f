"""Sign, size and rounding of one element. Integers stay integers."""

from __future__ import annotations

import operator
from typing import Any

from minigrad.core.device import Array, array_module
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor
from minigrad.errors import DTypeError
from minigrad.ops.arithmetic import flat
from minigrad.ops.choice import Where
from minigrad.ops.operands import check_dtype

# ---------------------------------------------------------------------- size and sign


class Abs(Function):
    """y = |x|;  dx = sign(x) dy, 0 at 0."""

    def forward(ctx, x: Array) -> Array:
        ctx.save_for_backward(x)
        return array_module(x).absolute(x)

    def backward(ctx, dy: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return dy * Tensor._wrap(_sign(x.array))


class Sign(Function):
    """y = 1, 0 or -1 as x is above, at or below 0;  dx = 0."""

    def forward(ctx, x: Array) -> Array:
        return _sign(x)

    def backward(ctx, dy: Tensor) -> Any:
        return flat(dy)


def _sign(x: Array) -> Array:
    """The sign, and 0 for nan, as PyTorch has it."""
    if x.dtype.kind != "f":
        return x if x.dtype.kind == "b" else array_module(x).sign(x)
    return (x > 0).astype(x.dtype) - (x < 0).astype(x.dtype)


def abs(input: Tensor) -> Tensor:
    """The size of each element without its sign.

    Raises:
        DTypeError: ``input`` is no Tensor, or holds truth values.

    Example:
        >>> import minigrad
        >>> minigrad.abs(minigrad.tensor([-1.5, 2.0]))
        tensor([1.5000, 2.0000])
    """
    return Abs.apply(check_dtype("abs", "input", input, "iuf", "Truth values have no sign"))


def sign(input: Tensor) -> Tensor:
    """1, 0 or -1 for each element, as it is above, at or below 0; 0 for nan. The derivative is 0.

    Raises:
        DTypeError: ``input`` is no Tensor.

    Example:
        >>> import minigrad
        >>> minigrad.sign(minigrad.tensor([-1.5, 0.0, 2.0]))
        tensor([-1.,  0.,  1.])
    """
    return Sign.apply(check_dtype("sign", "input", input, "biuf"))


# ---------------------------------------------------------------------- rounding


class Floor(Function):
    """y = the largest integer <= x;  dx = 0."""

    def forward(ctx, x: Array) -> Array:
        return array_module(x).floor(x)

    def backward(ctx, dy: Tensor) -> Any:
        return flat(dy)


class Ceil(Function):
    """y = the smallest integer >= x;  dx = 0."""

    def forward(ctx, x: Array) -> Array:
        return array_module(x).ceil(x)

    def backward(ctx, dy: Tensor) -> Any:
        return flat(dy)


class Trunc(Function):
    """y = the integer part of x;  dx = 0."""

    def forward(ctx, x: Array) -> Array:
        return array_module(x).trunc(x)

    def backward(ctx, dy: Tensor) -> Any:
        return flat(dy)


class Round(Function):
    """y = the multiple of 10^-decimals nearest to x, the even one of two;  dx = 0."""

    def forward(ctx, x: Array, decimals: int) -> Array:
        xp = array_module(x)
        if decimals == 0:
            return xp.rint(x)
        places = decimals if decimals > 0 else -decimals
        if places > 308:  # beyond the range of a float64: nothing is left to round, or all
            return x.copy() if decimals > 0 else x * 0.0
        scale = 10.0**places
        return xp.rint(x * scale) / scale if decimals > 0 else xp.rint(x / scale) * scale

    def backward(ctx, dy: Tensor) -> Any:
        return flat(dy), None


class Frac(Function):
    """y = x - trunc(x);  dx = dy."""

    def forward(ctx, x: Array) -> Array:
        return x - array_module(x).trunc(x)

    def backward(ctx, dy: Tensor) -> Any:
        return dy


def _rounded(where: str, function: type[Function], input: Tensor, *args: Any) -> Tensor:
    """Floats rounded; integers, which are round, as a copy."""
    check_dtype(where, "input", input, "iuf", "Truth values have nothing to round")
    return function.apply(input, *args) if input.array.dtype.kind == "f" else input.clone()


def floor(input: Tensor) -> Tensor:
    """The largest integer that is not above each element, in its dtype. The derivative is 0.

    Raises:
        DTypeError: ``input`` is no Tensor, or holds truth values.

    Example:
        >>> import minigrad
        >>> minigrad.floor(minigrad.tensor([-1.5, 1.5]))
        tensor([-2.,  1.])
    """
    return _rounded("floor", Floor, input)


def ceil(input: Tensor) -> Tensor:
    """The smallest integer that is not below each element. See ``floor``.

    Example:
        >>> import minigrad
        >>> minigrad.ceil(minigrad.tensor([-1.5, 1.5]))
        tensor([-1.,  2.])
    """
    return _rounded("ceil", Ceil, input)


def trunc(input: Tensor) -> Tensor:
    """Each element without its fraction. See ``floor``.

    Example:
        >>> import minigrad
        >>> minigrad.trunc(minigrad.tensor([-1.5, 1.5]))
        tensor([-1.,  1.])
    """
    return _rounded("trunc", Trunc, input)


def round(input: Tensor, *, decimals: int = 0) -> Tensor:
    """Each element rounded to ``decimals`` places, to the even one of two neighbours. See ``floor``.

    Args:
        input: Tensor; integers stay as they are.
        decimals: places after the point, or before it where negative; floats only.

    Raises:
        DTypeError: ``input`` is no Tensor, or holds truth values, or integers where ``decimals`` is not 0.

    Example:
        >>> import minigrad
        >>> minigrad.round(minigrad.tensor([0.5, 1.5, 2.567]), decimals=1)
        tensor([0.5000, 1.5000, 2.6000])
    """
    try:
        decimals = operator.index(decimals)
    except TypeError as error:
        raise DTypeError("round", "decimals", "an integer", repr(decimals)) from error
    if decimals != 0:
        check_dtype("round", "input", input, "f", "Convert it with .float()")
    return _rounded("round", Round, input, decimals)


def frac(input: Tensor) -> Tensor:
    """The fraction of each element, with its sign.

    Raises:
        DTypeError: ``input`` is no float Tensor.

    Example:
        >>> import minigrad
        >>> minigrad.frac(minigrad.tensor([-1.5, 1.25]))
        tensor([-0.5000,  0.2500])
    """
    return Frac.apply(check_dtype("frac", "input", input, "f", "Integers have no fraction"))


# ---------------------------------------------------------------------- nan and infinity


def nan_to_num(input: Tensor, nan: float | None = None, posinf: float | None = None, neginf: float | None = None) -> Tensor:
    """Numbers in place of nan and the infinities, where the derivative is then 0.

    Args:
        input: Tensor.
        nan: in place of nan (default: 0).
        posinf, neginf: in place of the infinities (default: the largest and the smallest number of the dtype).

    Raises:
        DTypeError: ``input`` is no Tensor.

    Example:
        >>> import minigrad
        >>> minigrad.nan_to_num(minigrad.tensor([float("nan"), float("inf"), 1.0]), posinf=9.0)
        tensor([0., 9., 1.])
    """
    check_dtype("nan_to_num", "input", input, "biuf")
    x = input.array
    if x.dtype.kind != "f":
        return input.clone()
    xp = array_module(x)
    limits = xp.finfo(x.dtype)
    chosen = Where.apply(Tensor._wrap(xp.isnan(x)), float(nan or 0), input)
    chosen = Where.apply(Tensor._wrap(xp.isposinf(x)), float(limits.max if posinf is None else posinf), chosen)
    return Where.apply(Tensor._wrap(xp.isneginf(x)), float(limits.min if neginf is None else neginf), chosen)


sgn, absolute, fix = sign, abs, trunc

__all__ = ["abs", "absolute", "ceil", "fix", "floor", "frac", "nan_to_num", "round", "sgn", "sign", "trunc"]
METHODS = tuple(__all__)
OPERATORS = {"__abs__": abs}
