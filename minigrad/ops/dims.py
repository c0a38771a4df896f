"""Dimensions as the user writes them (negative, one or several, none for all) turned into what NumPy takes; and counts."""

from __future__ import annotations

import operator
import sys
from typing import Any

import numpy as np

from minigrad.errors import ArgumentError, DTypeError, IndexingError, MinigradError, ShapeError

MOST_DIMENSIONS = 64  # NumPy's bound


def one_dim(where: str, dim: Any, ndim: int, argument: str = "dim") -> int:
    """``dim`` counted from 0.

    Raises:
        IndexingError: it lies outside ``-ndim .. ndim - 1``. (A tensor without dimensions takes 0 and -1.)
        DTypeError: it is no integer.
    """
    if type(dim) is not int:
        dim = whole(where, argument, dim)
    bound = max(ndim, 1)
    if not -bound <= dim < bound:
        raise IndexingError(
            where, argument, f"a number from {-bound} to {bound - 1}", str(dim), f"The tensor has {ndim} dimensions"
        )
    return dim % bound


def whole(where: str, argument: str, value: Any) -> int:
    """``value`` as an int.

    Raises:
        DTypeError: it is no integer; a truth value is none.
    """
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        return operator.index(value)
    except (TypeError, MinigradError) as error:
        raise DTypeError(where, argument, "an integer", repr(value)) from error


def count_of(where: str, argument: str, value: Any, least: int = 1) -> int:
    """``value`` as an int of at least ``least``.

    Raises:
        ArgumentError: it is no integer, too small, or more than anything has.

    Example:
        >>> count_of("DataLoader", "batch_size", 32)
        32
    """
    try:
        number = whole(where, argument, value)
    except DTypeError:
        number = least - 1
    if not least <= number <= sys.maxsize:
        raise ArgumentError(where, argument, f"a whole number, {least} or more", repr(value))
    return number


def several(where: str, argument: str, value: Any) -> list[Any]:
    """The items of a sequence, or of anything that gives them one by one.

    Raises:
        DTypeError: it gives none.
    """
    if isinstance(value, (str, bytes)) or not (hasattr(value, "__iter__") or hasattr(value, "__getitem__")):
        raise DTypeError(where, argument, "a sequence", repr(value))
    return list(value)


def many_dims(where: str, dim: Any, ndim: int, argument: str = "dim") -> tuple[int, ...]:
    """``dim`` (one, several, or ``None`` for all) as a sorted tuple counted from 0.

    Raises:
        IndexingError: one of them does not exist.
        ArgumentError: one is named twice.
    """
    if dim is None or (isinstance(dim, (tuple, list)) and not dim):
        return tuple(range(ndim))
    if not isinstance(dim, (tuple, list)):
        return (one_dim(where, dim, ndim, argument),) if ndim else _none(where, dim, argument)
    dims = [one_dim(where, d, ndim, argument) for d in dim]
    if len(set(dims)) < len(dims):
        raise ArgumentError(where, argument, "each dimension once", str(tuple(dim)))
    return tuple(sorted(dims)) if ndim else ()


def _none(where: str, dim: Any, argument: str) -> tuple[int, ...]:
    one_dim(where, dim, 0, argument)
    return ()


def sizes(where: str, args: tuple, argument: str = "size") -> tuple[int, ...]:
    """Sizes written one by one or as one sequence: ``f(2, 3)`` and ``f((2, 3))``.

    Raises:
        DTypeError: one of them is no integer.
        ShapeError: there are more than arrays have dimensions.
    """
    if len(args) == 1 and isinstance(args[0], (tuple, list)):
        args = tuple(args[0])
    if len(args) > MOST_DIMENSIONS:
        raise ShapeError(where, argument, f"at most {MOST_DIMENSIONS} dimensions", str(len(args)))
    return integers(where, args, argument)


def integers(where: str, args: tuple, argument: str) -> tuple[int, ...]:
    """As many integers as one likes.

    Raises:
        DTypeError: one of them is none.
    """
    if bool in map(type, args):  # x.sum(True) and zeros(True) are mistakes, though Python takes True for 1
        raise DTypeError(where, argument, "integers", repr(args))
    try:
        return tuple([operator.index(size) for size in args])
    except (TypeError, MinigradError) as error:
        raise DTypeError(where, argument, "integers", repr(args)) from error
