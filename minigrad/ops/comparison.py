"""Comparisons of elements and of whole tensors: truth values, without derivative."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from minigrad.core.device import SEVERAL, Array, array_module, follow
from minigrad.core.dtypes import int64
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor
from minigrad.errors import ArgumentError, DTypeError
from minigrad.ops.operands import cast, check_dtype, pair, promote, two_tensors

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
        other: a Tensor that broadcasts with it, or a number. One that the integers of ``input`` cannot hold is compared by its
            value, where PyTorch wraps it: ``uint8 > -1`` is true here.

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
    return eq(input, other) if isinstance(other, _COMPARABLE) or hasattr(other, "__array__") else NotImplemented


def _ne(input: Tensor, other: Any) -> Any:
    return ne(input, other) if isinstance(other, _COMPARABLE) or hasattr(other, "__array__") else NotImplemented


_COMPARABLE = (Tensor, int, float, np.generic)


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
    """Whether each element is infinite and above 0. See ``isnan``.

    Example:
        >>> import minigrad
        >>> minigrad.isposinf(minigrad.tensor([float("inf"), float("-inf")]))
        tensor([ True, False])
    """
    return IsInf.apply(check_dtype("isposinf", "input", input, "biuf"), 1)


def isneginf(input: Tensor) -> Tensor:
    """Whether each element is infinite and below 0. See ``isnan``.

    Example:
        >>> import minigrad
        >>> minigrad.isneginf(minigrad.tensor([float("inf"), float("-inf")]))
        tensor([False,  True])
    """
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
    a, b = two_tensors("isclose", input, other)
    if a.array.dtype != b.array.dtype:
        raise DTypeError("isclose", "other", f"{a.array.dtype}, as input", str(b.array.dtype), "Convert it with .to()")
    for name, tolerance in (("rtol", rtol), ("atol", atol)):
        if not tolerance >= 0:
            raise ArgumentError("isclose", name, "0 or more", str(tolerance))
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
    a, b = two_tensors("equal", input, other)
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
    if SEVERAL:
        follow((a.array,))
    return Tensor._wrap(array_module(a.array).isin(a.array, b.array, invert=invert))


not_equal, less, less_equal, greater, greater_equal = ne, lt, le, gt, ge

__all__ = [
    "allclose",
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
}
