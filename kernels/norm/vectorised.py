"""Normalization by NumPy's passes over whole tables, on any array module, in blocks that stay in the cache.

Why it is faster than the loops of the reference: each pass is one loop in C over a block, and what is the same for all pixels
is multiplied out before. NumPy's loops run along the last axis, which is short where channels are few: several pixels make one
row, and the values of the channels are repeated as often. Sums over rows are products with ones, at BLAS's speed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module
from minigrad.kernels.norm import channels as of

ROW = 1024  # elements of a row, if the number of pixels allows it
BLOCK = {"cpu": 1 << 17, "cuda": 1 << 26}  # elements of a block


def statistics(x: Array, groups: int, *, own: bool) -> tuple[Array, Array]:
    """See the contract."""
    xp, channels = array_module(x), x.shape[1]
    rows = _joined(of.table(x), own)
    pixels = rows.shape[1]
    origin = xp.zeros((rows.shape[0], channels)) if not pixels else rows[:, 0].astype(np.float64)
    origin[~xp.isfinite(origin)] = 0
    sums, squares = xp.zeros(origin.shape), xp.zeros(origin.shape)
    lanes, repeats = _lanes(rows)
    shift = _spread(origin, repeats)
    for part in _blocks(lanes):
        far = lanes[part].astype(np.float64)
        far -= shift[part[0]]
        sums[part[0]] += _fold(_total(far), channels)
        squares[part[0]] += _fold(_total(xp.multiply(far, far, out=far)), channels)
    return of.moments(sums, squares, origin, pixels, groups)


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
    xp = array_module(x)
    rows = of.table(x)
    y = xp.empty(rows.shape, x.dtype)
    own = mean.shape[0] != 1
    lanes, repeats = _lanes(_joined(rows, own))
    out = y.reshape(lanes.shape)
    added = None if residual is None else of.table(residual).reshape(lanes.shape)
    line = of.Line(*(_spread(each, repeats) for each in of.forward_line(mean, var, w, b, eps, x.shape[1], x.dtype)))
    for part in _blocks(lanes):
        z = _apply(xp, lanes[part], line, part[0], out[part])
        if added is not None:
            z += added[part]
        if relu:
            xp.maximum(z, 0, out=z)
    return of.image(y, x.shape)


def gradients(
    dy: Array, x: Array, mean: Array, var: Array, w: Array | None, b: Array | None, *, eps: float, relu: bool
) -> tuple[Array, Array, Array]:
    """See the contract."""
    xp = array_module(x)
    if relu:  # the gradient behind the gate is made once, and takes the place of dy
        lanes, repeats = _lanes(_joined(of.table(x), mean.shape[0] != 1))
        line = of.Line(*(_spread(each, repeats) for each in of.forward_line(mean, var, w, b, eps, x.shape[1], x.dtype)))
        gated = xp.empty(lanes.shape, x.dtype)
        from_dy = of.table(dy).reshape(lanes.shape)
        for part in _blocks(lanes):
            z = _apply(xp, lanes[part], line, part[0], gated[part])
            _gate(xp, from_dy[part], z, z)
        g = gated.reshape(of.table(x).shape)
    else:
        g = of.table(dy)
    return _gradients(g, x, mean, var, w, eps)


def residual_gradients(
    dy: Array, y: Array, x: Array, mean: Array, var: Array, w: Array | None, *, eps: float
) -> tuple[Array, Array, Array, Array]:
    """See the contract."""
    xp = array_module(x)
    g = xp.empty(of.table(x).shape, x.dtype)
    _gate(xp, of.table(dy), of.table(y), g)
    return *_gradients(g, x, mean, var, w, eps), of.image(g, x.shape)


def layer_forward(x: Array, w: Array | None, b: Array | None, *, eps: float) -> tuple[Array, Array, Array]:
    """See the contract. The variance is of two passes over rows that lie in the cache."""
    xp, (rows, size) = array_module(x), x.shape
    y, mean, var = xp.empty((rows, size), x.dtype), xp.empty(rows), xp.empty(rows)
    for part in _row_blocks(xp, x):
        mean[part] = x[part].sum(axis=1, dtype=np.float64) / size
        high, rest = of.split(mean[part], x.dtype)
        z = xp.subtract(x[part], high[:, None], out=y[part])
        z -= rest.astype(x.dtype)[:, None]
        var[part] = xp.einsum("rk,rk->r", z, z, dtype=np.float64) / size
        z *= (1 / xp.sqrt(var[part] + eps)).astype(x.dtype)[:, None]
        if w is not None:
            z *= w
        if b is not None:
            z += b
    return y, mean, var


def layer_backward(dy: Array, x: Array, mean: Array, var: Array, w: Array | None, *, eps: float) -> tuple[Array, Array, Array]:
    """See the contract."""
    xp, size = array_module(x), x.shape[1]
    dx, dw, db = xp.empty(x.shape, x.dtype), xp.zeros(size), xp.zeros(size)
    for part in _row_blocks(xp, x):
        rstd = (1 / xp.sqrt(var[part] + eps)).astype(x.dtype)[:, None]
        high, rest = of.split(mean[part], x.dtype)
        normal = x[part] - high[:, None]
        normal -= rest.astype(x.dtype)[:, None]
        normal *= rstd
        g = dy[part]
        product = normal * g
        dw += product.sum(axis=0, dtype=np.float64)
        db += g.sum(axis=0, dtype=np.float64)
        if w is not None:
            product *= w
            g = g * w
        normal *= -_row_means(product, x.dtype)
        z = xp.subtract(g, _row_means(g, x.dtype), out=dx[part])
        z += normal
        z *= rstd
    return dx, dw.astype(x.dtype), db.astype(x.dtype)


def _gradients(g: Array, x: Array, mean: Array, var: Array, w: Array | None, eps: float) -> tuple[Array, Array, Array]:
    """From g (N, pixels, C): one pass for the sums, one that writes dx."""
    xp, channels = array_module(x), x.shape[1]
    own = mean.shape[0] != 1
    rows = _joined(of.table(x), own)
    pixels = rows.shape[1]
    lanes, repeats = _lanes(rows)
    from_g = g.reshape(lanes.shape)
    high = _spread(of.split(of.per_channel(mean, channels), x.dtype).high, repeats)
    sums, products = xp.zeros((rows.shape[0], channels)), xp.zeros((rows.shape[0], channels))
    for part in _blocks(lanes):
        here = from_g[part].astype(np.float64)
        sums[part[0]] += _fold(_total(here), channels)
        here *= lanes[part] - high[part[0]]
        products[part[0]] += _fold(_total(here), channels)
    slopes, dw, db = of.backward_line(sums, products, mean, var, w, eps, pixels, x.dtype)
    scale, slope, offset = (_spread(each, repeats) for each in slopes)
    dx = xp.empty(lanes.shape, x.dtype)
    for part in _blocks(lanes):
        z = xp.subtract(lanes[part], high[part[0]], out=dx[part])
        z *= -slope[part[0]]
        z += from_g[part] * scale[part[0]]
        z += offset[part[0]]
    return of.image(dx.reshape(of.table(x).shape), x.shape), dw, db


def _apply(xp: Any, x: Array, line: of.Line, samples: slice, out: Array) -> Array:
    z = xp.subtract(x, line.origin[samples], out=out)
    z *= line.slope[samples]
    z += line.offset[samples]
    return z


def _gate(xp: Any, g: Array, y: Array, out: Array) -> None:
    """g where not y <= 0, else 0, as a product of bits: it is as fast as one of numbers, and 0 also where g is infinite."""
    bits = np.dtype(f"i{g.dtype.itemsize}")
    xp.multiply(g.view(bits), ~(y <= 0), out=out.view(bits))


def _joined(rows: Array, own: bool) -> Array:
    """(N, pixels, C), or (1, N·pixels, C) for statistics of the batch."""
    return rows if own else rows.reshape(1, rows.shape[0] * rows.shape[1], rows.shape[2])


def _lanes(rows: Array) -> tuple[Array, int]:
    """(S, pixels, C) as (S, rows, repeats·C)."""
    samples, pixels, channels = rows.shape
    repeats = 1
    while pixels and pixels % (2 * repeats) == 0 and 2 * repeats * channels <= ROW:
        repeats *= 2
    return rows.reshape(samples, pixels // repeats, repeats * channels), repeats


def _spread(values: Array, repeats: int) -> Array:
    """(S, C) as (S, 1, repeats·C)."""
    return array_module(values).tile(values, (1, repeats))[:, None]


def _blocks(lanes: Array) -> Iterator[tuple[slice, slice]]:
    """Slices of samples and rows: some samples whole, or rows of one."""
    samples, rows, width = lanes.shape
    room = max(1, BLOCK["cpu" if type(lanes) is np.ndarray else "cuda"] // width)
    if not rows:
        return
    if rows > room:
        for sample in range(samples):
            for start in range(0, rows, room):
                yield slice(sample, sample + 1), slice(start, start + room)
    else:
        for start in range(0, samples, room // rows):
            yield slice(start, start + room // rows), slice(None)


def _total(lanes: Array) -> Array:
    """The sum over rows: (S, rows, width) to (S, width)."""
    xp = array_module(lanes)
    return xp.matmul(xp.ones(lanes.shape[1]), lanes)


def _fold(sums: Array, channels: int) -> Array:
    """(S, repeats·C) to (S, C)."""
    return sums.reshape(sums.shape[0], sums.shape[1] // channels, channels).sum(axis=1)


def _row_blocks(xp: Any, x: Array) -> list[slice]:
    room = max(1, BLOCK["cpu" if xp is np else "cuda"] // x.shape[1])
    return [slice(start, start + room) for start in range(0, x.shape[0], room)]


def _row_means(rows: Array, dtype: np.dtype) -> Array:
    return (rows.sum(axis=1, dtype=np.float64, keepdims=True) / rows.shape[1]).astype(dtype)
