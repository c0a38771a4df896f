"""Padding: what lies beyond the edge."""

from __future__ import annotations

import functools
import operator
from typing import Any

import numpy as np

from minigrad.core.device import Array
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError, DTypeError, MinigradError, ShapeError
from minigrad.kernels.layout import empty_like_layout
from minigrad.ops.taps import Taps, along_axis, picks


class Pad(Function):
    """y = x with constant borders, or cut where the border is negative;  dx = dy with borders of the opposite signs, of 0."""

    def forward(ctx, x: Array, borders: tuple[tuple[int, int], ...], value: float) -> Array:
        ctx.borders = borders
        shape = tuple([size + before + after for size, (before, after) in zip(x.shape, borders, strict=True)])
        inner, outer = [], []
        for size, (before, after) in zip(x.shape, borders, strict=True):
            inner.append(slice(max(0, -before), size - max(0, -after)))
            outer.append(slice(max(0, before), size + before + min(0, after)))
        y = empty_like_layout(x, shape)
        if shape != x.shape or any(before > 0 or after > 0 for before, after in borders):
            y[...] = value
        y[tuple(outer)] = x[tuple(inner)]
        return y

    def backward(ctx, dy: Tensor) -> Any:
        return Pad.apply(dy, tuple([(-before, -after) for before, after in ctx.borders]), 0), None, None


def pad(input: Tensor, pad: Any, mode: str = "constant", value: float | None = None) -> Tensor:
    """``input`` with borders.

    Args:
        input: Tensor. The modes other than constant take (C, L), (C, H, W) and (C, D, H, W), with or without N before.
        pad: two numbers for each padded dimension, (before, after), the last dimension first. Negative ones cut off.
        mode: ``"constant"``; ``"reflect"`` at the outermost element; ``"replicate"`` that element; ``"circular"``.
        value: what stands in a constant border, 0 by default.

    Raises:
        ArgumentError: an odd count of numbers, more dimensions than there are, an unknown mode, a value with another, or a
            value that the dtype does not hold.
        ShapeError: a border too wide for the mode, or more cut off than there is.

    Example:
        >>> import minigrad
        >>> x = minigrad.tensor([[1.0, 2.0, 3.0]])
        >>> minigrad.nn.functional.pad(x, (1, 2))
        tensor([[0., 1., 2., 3., 0., 0.]])
        >>> minigrad.nn.functional.pad(x, (2, 1), mode="reflect")
        tensor([[3., 2., 1., 2., 3., 2.]])
    """
    x = check_tensor("pad", "input", input).array
    if not isinstance(pad, (tuple, list)):
        raise DTypeError("pad", "pad", "a sequence of integers", repr(pad))
    widths = _widths(pad, x.ndim)
    if mode == "constant":
        _check_cut(x.shape, widths)
        return Pad.apply(input, widths, 0 if value is None else _fitting(value, x))
    if mode not in ("reflect", "replicate", "circular"):
        raise ArgumentError("pad", "mode", "'constant', 'reflect', 'replicate' or 'circular'", repr(mode))
    if value is not None and value != 0:
        raise ArgumentError("pad", "value", f"none with mode={mode!r}", str(value))
    padded = len(tuple(pad)) // 2
    if x.ndim not in (padded + 1, padded + 2) or not 1 <= padded <= 3:
        expected = f"2 numbers for (C, L) or (N, C, L), 4 for images, 6 for volumes, with mode={mode!r}"
        raise ArgumentError("pad", "pad", expected, f"{2 * padded} for shape {x.shape}")
    _check_cut(x.shape, widths)
    for axis, (before, after) in enumerate(widths):
        if before or after:
            input = along_axis(input, axis, _taps(mode, x.shape, axis, before, after))
    return input


def _fitting(value: float, x: Array) -> float:
    """``value``, if the dtype of ``x`` holds it."""
    if x.dtype.kind in "iu":
        least, most = np.iinfo(x.dtype).min, np.iinfo(x.dtype).max
        if not least <= value <= most:
            raise ArgumentError("pad", "value", f"a number from {least} to {most}, as input is {x.dtype}", str(value))
    return value


def _widths(pad: Any, ndim: int) -> tuple[tuple[int, int], ...]:
    """(before, after) for each dimension, the first one first."""
    try:
        numbers = [0] if bool in map(type, pad) else [operator.index(number) for number in pad]
    except (TypeError, MinigradError):
        numbers = [0]
    if len(numbers) % 2 or len(numbers) > 2 * ndim:
        expected = f"an even count of whole numbers, at most {2 * ndim} for {ndim} dimensions"
        raise ArgumentError("pad", "pad", expected, repr(pad))
    pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
    return ((0, 0),) * (ndim - len(pairs)) + tuple(reversed(pairs))


def _check_cut(shape: tuple[int, ...], widths: tuple[tuple[int, int], ...]) -> None:
    for axis, (size, (before, after)) in enumerate(zip(shape, widths, strict=True)):
        if size + before + after < 0 or max(0, -before) > size or max(0, -after) > size:
            raise ShapeError(
                "pad", "pad", f"to cut off at most {size} of dimension {axis}", f"{(before, after)}", "Cut off less"
            )


@functools.lru_cache(maxsize=256)
def _taps(mode: str, shape: tuple[int, ...], axis: int, before: int, after: int) -> Taps:
    return picks(_sources(mode, shape, axis, before, after), shape[axis])


def _sources(mode: str, shape: tuple[int, ...], axis: int, before: int, after: int) -> np.ndarray:
    """For each element along an axis of the padded tensor, which one of the input it shows."""
    size = shape[axis]
    kept = range(size)[max(0, -before) : size - max(0, -after)]  # of the circle, what is cut off is gone before it turns
    most = {"reflect": size - 1, "replicate": max(before, after) if size else 0, "circular": len(kept)}[mode]
    if max(before, after) > most:
        raise ShapeError(
            "pad", "pad", f"at most {most} for mode={mode!r} and dimension {axis} of shape {shape}", f"{(before, after)}"
        )
    if mode == "circular":
        return kept.start + np.arange(-max(0, before), len(kept) + max(0, after)) % max(1, len(kept))
    places = np.arange(-before, size + after)
    if mode == "replicate":
        return places.clip(0, size - 1)
    return np.abs((size - 1) - np.abs(places - (size - 1))) if size > 1 else places


__all__: list[str] = []
FUNCTIONAL = ("pad",)
METHODS = ()
