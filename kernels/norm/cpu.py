"""Normalization in compiled passes: the tuned rung for processors.

Why it is faster than ``vectorised.py``: normalization is bound by memory, and here each pass reads each number once and does
all of its work on it in registers. Forward is two passes (statistics; then normalize, scale, add and rectify, all at once),
backward two (both sums of a channel; then dx), where NumPy has a pass for each addition and multiplication. The gate of relu is
computed again from x: the forward's result need not be read. A second pass begins where the first one ended, at the pixels that
are still in the cache.
"""

from __future__ import annotations

import numpy as np

from minigrad.core.device import Array
from minigrad.kernels.native import parts_for
from minigrad.kernels.norm import backward, passes, rows
from minigrad.kernels.norm.channels import image, table

OPEN, FROM_X, FROM_Y = 0, 1, 2  # where the gate of relu is read
layer_forward, layer_backward = rows.layer_forward, rows.layer_backward


def statistics(x: Array, groups: int, *, own: bool) -> tuple[Array, Array]:
    """See the contract."""
    values, (samples, pixels, channels) = _table(x, own)
    parts = parts_for(values.nbytes // 2)
    found, lines, sums = np.empty((parts, 3, channels)), _lines(parts, x.dtype), _wide(parts)
    mean, var = np.empty((samples, groups)), np.empty((samples, groups))
    passes.moments(values, lines, sums, found, mean, var, samples, pixels, channels, groups, parts=parts)
    if parts > 1 and samples == 1:
        passes.merge(found, mean, var, parts, pixels, channels, groups)
    return mean, var


def normalize(
    x: Array,
    mean: Array,
    var: Array,
    w: Array | None,
    b: Array | None,
    residual: Array | None,
    *,
    eps: float,
    relu: bool,
) -> Array:
    """See the contract."""
    values, (samples, pixels, channels) = _table(x, mean.shape[0] != 1)
    y = np.empty(values.shape, x.dtype)
    parts = parts_for(2 * values.nbytes)
    mean, var, w, b = _dense(mean), _dense(var), _dense(w), _dense(b)
    passes.normalize(
        values, mean, var, w, b, None if residual is None else table(residual), y, _lines(parts, x.dtype), eps, samples, pixels,
        channels, mean.shape[1], w is not None, b is not None, residual is not None, relu, parts=parts,
    )  # fmt: skip
    return image(y, x.shape)


def gradients(
    dy: Array, x: Array, mean: Array, var: Array, w: Array | None, b: Array | None, *, eps: float, relu: bool
) -> tuple[Array, Array, Array]:
    """See the contract."""
    return _gradients(table(dy), x, None, None, mean, var, w, b, eps, FROM_X if relu else OPEN)


def residual_gradients(
    dy: Array, y: Array, x: Array, mean: Array, var: Array, w: Array | None, *, eps: float
) -> tuple[Array, Array, Array, Array]:
    """See the contract. The first pass keeps what the gate lets through, which is the residual's gradient."""
    values = table(dy)
    kept = np.empty(values.shape, x.dtype)
    return *_gradients(values, x, table(y), kept, mean, var, w, None, eps, FROM_Y), image(kept, x.shape)


def _gradients(
    dy: Array,
    x: Array,
    y: Array | None,
    kept: Array | None,
    mean: Array,
    var: Array,
    w: Array | None,
    b: Array | None,
    eps: float,
    gate: int,
) -> tuple[Array, Array, Array]:
    values, (samples, pixels, channels) = _table(x, mean.shape[0] != 1)
    groups = mean.shape[1]
    mean, var, w, b = _dense(mean), _dense(var), _dense(w), _dense(b)
    has_w, has_b = w is not None, b is not None
    parts = parts_for(2 * values.nbytes)
    units = parts if samples == 1 else 1
    found = np.empty((samples * units, 2, channels))
    lines = _lines(parts, x.dtype)
    backward.products(
        dy, values, y, kept, mean, var, w, b, lines, _wide(parts), found, eps, samples, pixels, channels, groups, has_w, has_b,
        gate, parts=parts,
    )  # fmt: skip
    dx, dw, db = np.empty(values.shape, x.dtype), np.empty(channels, x.dtype), np.empty(channels, x.dtype)
    g, gate = (dy, gate) if kept is None else (kept, OPEN)
    backward.write_gradient(
        g, values, dx, dw, db, mean, var, w, b, found, np.empty((parts, 3, channels), x.dtype), lines, eps, samples, units,
        pixels, channels, groups, has_w, has_b, gate, parts=parts,
    )  # fmt: skip
    return image(dx, x.shape), dw, db


def _table(x: Array, own: bool) -> tuple[Array, tuple[int, int, int]]:
    """(N, pixels, C), and how it is seen: the batch as one sample, or each sample by itself."""
    values = table(x)
    n, pixels, channels = values.shape
    return values, (n, pixels, channels) if own else (1, n * pixels, channels)


def _dense(values: Array | None) -> Array | None:
    return None if values is None else np.ascontiguousarray(values)


def _lines(parts: int, dtype: np.dtype) -> Array:
    """Scratch memory of the parts."""
    return np.empty(parts * passes.PLACES * passes.LANES, dtype)


def _wide(parts: int) -> Array:
    return _lines(parts, np.dtype(np.float64))
