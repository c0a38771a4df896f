"""What the implementations share: images as tables with channels innermost, and the small arithmetic of each channel.

The passes over images do one multiplication and one addition an element with values of its channel. What these values are is
computed here, in float64 on arrays (S, C). A mean is split in two numbers of the image's dtype, ``high`` and what that rounds
off: x − high is then exact where x is near the mean, and the rest goes into the shift.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from minigrad.core.device import Array, array_module
from minigrad.kernels.layout import channels_last


def table(x: Array) -> Array:
    """(N, C, ...) as (N, pixels, C) without gaps: a view where x lies channels-last, else of a copy."""
    shape = x.shape
    if x.ndim == 4:
        x = channels_last(x).transpose(0, 2, 3, 1)
    else:
        xp = array_module(x)
        x = xp.ascontiguousarray(xp.moveaxis(x, 1, -1))
    return x.reshape(shape[0], math.prod(shape[2:]), shape[1])


def image(rows: Array, shape: tuple[int, ...]) -> Array:
    """A table (N, pixels, C) as (N, C, ...): a view."""
    if len(shape) == 4:
        return rows.reshape(shape[0], shape[2], shape[3], shape[1]).transpose(0, 3, 1, 2)
    return array_module(rows).moveaxis(rows.reshape(shape[0], *shape[2:], shape[1]), -1, 1)


def moments(sums: Array, squares: Array, origin: Array, pixels: int, groups: int) -> tuple[Array, Array]:
    """Mean and variance of groups (S, G) from the channels' Σ (x − origin) and Σ (x − origin)², (S, C) each."""
    xp = array_module(sums)
    count = np.float64(pixels)
    mean = origin + sums / count
    inside = squares / count - (sums / count) ** 2
    if groups != sums.shape[1]:
        shape = (sums.shape[0], groups, sums.shape[1] // groups)
        each, inside = mean.reshape(shape), inside.reshape(shape)
        mean = each.mean(axis=2)
        inside = (inside + (each - mean[..., None]) ** 2).mean(axis=2)
    return mean, xp.maximum(inside, 0)


def per_channel(values: Array, channels: int) -> Array:
    """Values of groups (S, G) for each channel, (S, C)."""
    if values.shape[1] == channels:
        return values
    return array_module(values).repeat(values, channels // values.shape[1], axis=1)


class Split(NamedTuple):
    """A mean as two numbers whose sum it is: one of the image's dtype, and the rest in float64."""

    high: Array
    rest: Array


def split(mean: Array, dtype: np.dtype) -> Split:
    """Split a float64 mean; the rest of an infinite one is 0."""
    xp = array_module(mean)
    high = mean.astype(dtype)
    rest = mean - high
    return Split(high, xp.where(rest == rest, rest, 0.0))


class Line(NamedTuple):
    """y = (x − origin)·slope + offset, of each channel: (S, C) in the image's dtype."""

    origin: Array
    slope: Array
    offset: Array


def forward_line(mean: Array, var: Array, w: Array | None, b: Array | None, eps: float, channels: int, dtype: np.dtype) -> Line:
    """w·n + b as a line in x."""
    xp = array_module(mean)
    high, rest = split(per_channel(mean, channels), dtype)
    slope = 1 / xp.sqrt(per_channel(var, channels) + eps)
    if w is not None:
        slope = slope * w
    offset = -rest * slope
    if b is not None:
        offset = offset + b
    return Line(high, slope.astype(dtype), offset.astype(dtype))


class Slopes(NamedTuple):
    """dx = g·scale − (x − origin)·slope + offset, of each channel: (S, C) in the image's dtype."""

    scale: Array
    slope: Array
    offset: Array


def backward_line(
    sums: Array, products: Array, mean: Array, var: Array, w: Array | None, eps: float, pixels: int, dtype: np.dtype
) -> tuple[Slopes, Array, Array]:
    """What makes dx, and dw and db, from the channels' Σ g and Σ g·(x − high), (S, C) each."""
    xp, channels = array_module(mean), sums.shape[1]
    groups = mean.shape[1]
    rstd = 1 / xp.sqrt(per_channel(var, channels) + eps)
    _, rest = split(per_channel(mean, channels), dtype)
    along = (products - rest * sums) * rstd if pixels else products  # Σ g·n; of no values 0, though their deviation is NaN
    dw, db = along.sum(axis=0).astype(dtype), sums.sum(axis=0).astype(dtype)
    scale = rstd if w is None else rstd * w
    count = np.float64(pixels * (channels // groups))
    level, along = (each if w is None else each * w for each in (sums, along))
    if groups != channels:
        shape = (sums.shape[0], groups, channels // groups)
        level, along = (per_channel(each.reshape(shape).sum(axis=2), channels) for each in (level, along))
    slope = rstd * rstd * (along / count)
    back = xp.where(rest == 0, 0.0, slope * rest)  # 0 also where the slope is infinite
    offset = back - rstd * (level / count)
    return Slopes(scale.astype(dtype), slope.astype(dtype), offset.astype(dtype)), dw, db
