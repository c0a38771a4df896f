"""Kernel sizes, strides and their like, as the user writes them: one number for all axes, or one each."""

from __future__ import annotations

import operator
from typing import Any

from minigrad.errors import ArgumentError, MinigradError


def numbers(where: str, argument: str, value: Any, count: int, least: int) -> tuple[int, ...]:
    """An int or a sequence of them as ``count`` ints, each at least ``least``.

    Raises:
        ArgumentError: other counts, something that is no whole number, or one too small.

    Example:
        >>> numbers("conv2d", "stride", 2, 2, 1)
        (2, 2)
    """
    items = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if len(items) == 1:
        items *= count
    try:
        found = () if bool in map(type, items) else tuple([operator.index(item) for item in items])
    except (TypeError, MinigradError):
        found = ()
    if len(found) != count or min(found) < least or max(found) >= 2**40:
        many = f"or {count} of them" if count > 1 else "or a tuple of one"
        raise ArgumentError(where, argument, f"a whole number of at least {least}, {many}", repr(value))
    return found
