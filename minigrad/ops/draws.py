"""Random arrays: what the random tensors, ``Tensor.uniform_`` and its like, dropout and random activations draw from.

The words come from ``minigrad.kernels.random``, the same on every device. What is drawn depends only on the seed, on what
was drawn before, and on shape and dtype; memory layout plays no part. Nothing drawn has a derivative.
"""

from __future__ import annotations

import math
import operator
import sys
from typing import Any

import numpy as np

from minigrad.core.device import Array, quiet
from minigrad.core.dtypes import DType
from minigrad.core.random import Generator, generator_or_default
from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.kernels import random as streams
from minigrad.ops.creation import number_of

_HALF, _SINGLE, _DOUBLE = np.dtype(np.float16), np.dtype(np.float32), np.dtype(np.float64)
MANTISSA = {_HALF: 11, _SINGLE: 24, _DOUBLE: 53}  # a float dtype holds every integer up to 2 to the power of this


def unit_uniform(shape: tuple[int, ...], dtype: DType, xp: Any, generator: Generator) -> Array:
    """Numbers in [0, 1) of a float dtype. float16 ones are multiples of 2**-11: rounding would give 1."""
    kind = _DOUBLE if dtype == _DOUBLE else _SINGLE
    key, block = generator.reserve(streams.blocks_used("uniform", math.prod(shape), kind))
    drawn = streams.uniform(key, block, shape, kind, xp)
    return drawn if dtype == kind else (xp.floor(drawn * 2.0**11) * 2.0**-11).astype(dtype)


def _below(shape: tuple[int, ...], p: float, xp: Any, generator: Generator) -> Array:
    """``unit_uniform(shape, float32) < p`` without the floats: h 2**-32 < p, with p rounded up to a multiple of 2**-24."""
    count = math.prod(shape)
    key, block = generator.reserve(streams.blocks_used("uniform", count, _SINGLE))
    limit = math.ceil(float(np.float32(p)) * 2.0**24) << 8
    if limit >= 1 << 32:
        return xp.ones(shape, bool)
    halves = streams.words(key, block, -(-count // 2), xp).view(np.uint32)
    if sys.byteorder == "big":
        halves = halves.reshape(-1, 2)[:, ::-1].reshape(-1)
    return (halves[:count] < limit).reshape(shape)


def unit_normal(shape: tuple[int, ...], dtype: DType, xp: Any, generator: Generator) -> Array:
    """Numbers of the standard normal distribution, of a float dtype."""
    kind = _DOUBLE if dtype == _DOUBLE else _SINGLE
    key, block = generator.reserve(streams.blocks_used("normal", math.prod(shape), kind))
    drawn = streams.normal(key, block, shape, kind, xp)
    return drawn if dtype == kind else drawn.astype(dtype)


def check_float(where: str, dtype: DType) -> None:
    """Floats are drawn in a float dtype.

    Raises:
        DTypeError: it is none.
    """
    if dtype.kind != "f":
        raise DTypeError(where, "dtype", "float16, float32 or float64", str(dtype), "Draw floats and convert them with .to()")


def uniform_array(
    where: str,
    shape: tuple[int, ...],
    dtype: DType,
    xp: Any,
    low: float = 0.0,
    high: float = 1.0,
    generator: Generator | None = None,
) -> Array:
    """Numbers spread evenly over [low, high). ``high`` itself never comes, also where rounding would give it.

    Raises:
        ArgumentError: ``low`` lies above ``high``, or one is not finite.
        DTypeError: no float dtype.
    """
    check_float(where, dtype)
    low, high = float(number_of(where, "from", low)), float(number_of(where, "to", high))
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise ArgumentError(where, "from, to", "finite numbers, the first not above the second", f"{low}, {high}")
    drawn = unit_uniform(shape, dtype, xp, generator_or_default(where, generator))
    if (low, high) == (0.0, 1.0):
        return drawn
    with quiet():
        drawn *= high - low
        drawn += low
        if low < high:
            top = xp.nextafter(xp.asarray(high, dtype=dtype), xp.asarray(low, dtype=dtype))
            xp.minimum(drawn, top, out=drawn)
    return drawn


def normal_array(
    where: str,
    shape: tuple[int, ...],
    dtype: DType,
    xp: Any,
    mean: float = 0.0,
    std: float = 1.0,
    generator: Generator | None = None,
) -> Array:
    """Numbers of the normal distribution with this mean and standard deviation.

    Raises:
        ArgumentError: ``std`` is negative.
        DTypeError: no float dtype.
    """
    check_float(where, dtype)
    mean, std = float(number_of(where, "mean", mean)), float(number_of(where, "std", std))
    if not std >= 0:
        raise ArgumentError(where, "std", "0 or more", str(std))
    drawn = unit_normal(shape, dtype, xp, generator_or_default(where, generator))
    if std != 1:
        drawn *= std
    if mean != 0:
        drawn += mean
    return drawn


def exponential_array(
    where: str, shape: tuple[int, ...], dtype: DType, xp: Any, lambd: float = 1.0, generator: Generator | None = None
) -> Array:
    """Waiting times, all above 0, of events that come ``lambd`` to a unit of time: -log(1 - u) / lambd.

    Raises:
        ArgumentError: ``lambd`` is not above 0.
        DTypeError: no float dtype.
    """
    check_float(where, dtype)
    if not lambd > 0:
        raise ArgumentError(where, "lambd", "above 0", str(lambd))
    drawn = unit_uniform(shape, _DOUBLE if dtype == _DOUBLE else _SINGLE, xp, generator_or_default(where, generator))
    with quiet():
        drawn = (-xp.log1p(-drawn) / float(lambd)).astype(dtype, copy=False)
    smallest = xp.asarray(float(np.finfo(dtype).tiny), dtype=dtype)
    return xp.maximum(drawn, smallest, out=drawn if drawn.ndim else None)


def integer_array(
    where: str,
    shape: tuple[int, ...],
    dtype: DType,
    xp: Any,
    low: int = 0,
    high: int | None = None,
    generator: Generator | None = None,
) -> Array:
    """Whole numbers from ``low`` to ``high - 1``, each as likely; without ``high`` up to the largest of the dtype.

    Raises:
        ArgumentError: there is no number in the range, one that the dtype cannot hold, or more than 2**63 of them.
        DTypeError: a bound is no integer.
    """
    most = 1 if dtype.kind == "b" else 2 ** MANTISSA[dtype] if dtype.kind == "f" else int(np.iinfo(dtype).max)
    least = 0 if dtype.kind == "b" else -most if dtype.kind == "f" else int(np.iinfo(dtype).min)
    try:
        low = operator.index(low)
        high = most + 1 if high is None else operator.index(high)
    except TypeError:
        raise DTypeError(where, "low, high", "integers", f"{low!r}, {high!r}") from None
    if low >= high:
        raise ArgumentError(where, "low, high", "low below high", f"{low}, {high}")
    if low < least or high - 1 > most or high - low > 1 << 63:
        reason = f"from {least} to {most} of {dtype}, at most 2**63 of them"
        raise ArgumentError(where, "low, high", reason, f"{low} to {high - 1}")
    owner = generator_or_default(where, generator)
    key, block = owner.reserve(streams.blocks_used("integers", math.prod(shape)))
    return streams.integers(key, block, shape, low, high, xp).astype(dtype, copy=False)


def bernoulli_array(
    where: str, shape: tuple[int, ...], dtype: DType, xp: Any, p: Any, generator: Generator | None = None
) -> Array:
    """1 with probability ``p`` (a number, or an array that broadcasts to ``shape``), else 0.

    Raises:
        ArgumentError: a probability below 0, above 1, or NaN.
        ShapeError: the array does not broadcast to ``shape``.
    """
    owner = generator_or_default(where, generator)
    if not hasattr(p, "shape"):
        p = number_of(where, "p", p)
        if not 0 <= p <= 1:
            raise ArgumentError(where, "p", "a probability from 0 to 1", str(p))
        return _below(shape, p, xp, owner).astype(dtype, copy=False)
    if not bool(((p >= 0) & (p <= 1)).all()):
        raise ArgumentError(where, "p", "probabilities from 0 to 1", f"numbers from {p.min()} to {p.max()}")
    try:
        wide = xp.broadcast_to(p, shape)
    except ValueError:
        raise ShapeError(where, "p", f"a shape that broadcasts to {shape}", str(tuple(p.shape))) from None
    return (unit_uniform(shape, _DOUBLE if p.dtype == _DOUBLE else _SINGLE, xp, owner) < wide).astype(dtype, copy=False)


def keep_mask(where: str, shape: tuple[int, ...], keep: float, xp: Any, generator: Generator | None = None) -> Array:
    """Truth values, each true with probability ``keep``: what dropout leaves standing.

    Raises:
        ArgumentError: ``keep`` is no probability.
    """
    return bernoulli_array(where, shape, np.dtype(np.bool_), xp, keep, generator)
