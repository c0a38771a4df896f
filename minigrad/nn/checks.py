"""What the constructors of layers ask of their arguments."""

from __future__ import annotations

import numbers
import operator
from collections.abc import Iterable
from typing import Any

from minigrad.errors import ArgumentError
from minigrad.ops.dims import whole


def check_counts(where: str, least: int = 0, **named: Any) -> None:
    """Each of the named arguments is an integer of at least ``least``.

    Raises:
        DTypeError: one is no integer.
        ArgumentError: one is too small.
    """
    for argument, value in named.items():
        count = whole(where, argument, value)
        if count < least:
            raise ArgumentError(where, argument, f"at least {least}", str(count))


def check_choice(where: str, argument: str, value: Any, choices: Iterable[Any]) -> None:
    """``value`` is one of ``choices``.

    Raises:
        ArgumentError: it is not.
    """
    choices = tuple(choices)
    if value not in choices:
        raise ArgumentError(where, argument, f"one of {', '.join(map(repr, choices))}", repr(value))


def check_probability(where: str, value: Any, argument: str = "p") -> None:
    """``value`` is a probability.

    Raises:
        ArgumentError: it is not between 0 and 1.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not 0 <= float(value) <= 1:
        raise ArgumentError(where, argument, "a number from 0 to 1", repr(value))


def repeated(where: str, argument: str, value: Any, count: int, least: int = 0) -> tuple[int, ...]:
    """One integer for each of ``count`` dimensions: those given, or one for all.

    Raises:
        DTypeError: no integers.
        ArgumentError: another number of them, or one that is too small.
    """
    values = tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else (value,) * count
    if len(values) != count:
        raise ArgumentError(where, argument, f"one integer or {count}", repr(value))
    check_counts(where, least, **{argument: min(values, key=_as_index)})
    return tuple([operator.index(item) for item in values])


def _as_index(value: Any) -> Any:
    try:
        return operator.index(value)
    except TypeError:
        return float("-inf")  # comes first, and is refused by name
