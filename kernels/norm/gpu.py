"""Normalization by CUDA kernels of ours: ``channels.cu`` and ``moments.cu`` for channels, ``layers.cu`` for rows.

Why it is faster than ``vectorised.py``: there each operation of a formula is a pass through the GPU's memory, and the small
arithmetic of the channels a launch each. Here the statistics are one pass and what normalizes another, the gradients two; the
gate of relu, the residual and the channels' arithmetic are done on the way. Sums are of two stages without atomics: each block
leaves one of its strip, a warp adds the strips'. So they are the same bits each time. Statistics are differences from a number
near by, joined in float64, which is slow on many GPUs and is therefore left to one number in sixteen.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module
from minigrad.kernels.cuda import Program
from minigrad.kernels.cuda.rows import THREADS, packable, team
from minigrad.kernels.cuda.strips import STRIPS, Walk, lanes, walk
from minigrad.kernels.norm import channels as of

CHANNELS, MOMENTS, LAYERS = (Program(f"norm/{name}.cu") for name in ("channels", "moments", "layers"))
SMALL = 128  # threads of a block that adds what strips left
OPEN, BY_SUM, BY_RESULT = range(3)  # as in channels.cu


def instances() -> list[tuple[Program, Any, int, int]]:
    """All that is launched from here: program, kernel and template, threads of a block, bytes of dynamic shared memory."""
    tables = [("float32", 4), ("float32", 1), ("float64", 1)]
    passes = [(CHANNELS, "normalize"), (CHANNELS, "sum_gradients"), (CHANNELS, "grad_input"), (MOMENTS, "moments_of_strips")]
    rows = [(LAYERS, name, THREADS) for name in ("layer_forward", "layer_backward", "layer_sums")]
    small = [*[(MOMENTS, name, SMALL) for name in ("sums_of_channels", "means_of_groups", "grad_parameters")], *rows]
    return [
        (MOMENTS, "moments_of_groups", SMALL, 0),
        *[(program, (name, *table), THREADS, 0) for program, name in passes for table in tables],
        *[(program, (name, dtype), threads, 0) for program, name, threads in small for dtype in ("float32", "float64")],
    ]


def statistics(x: Array, groups: int, *, own: bool) -> tuple[Array, Array]:
    """See the contract."""
    xp, channels = array_module(x), x.shape[1]
    rows = of.table(x)
    samples, pixels = _samples(rows, own)
    if not pixels:
        return xp.full((samples, groups), np.nan), xp.full((samples, groups), np.nan)
    mean, var = xp.empty((samples, groups)), xp.empty((samples, groups))
    way = walk(pixels, channels, lanes(channels, rows), 64, STRIPS)
    means, squares = (xp.empty((samples, way.strips, channels)) for _ in range(2))
    _over(MOMENTS["moments_of_strips", x.dtype, way.lanes], samples, way, rows, means, squares, pixels, channels)
    width = _lanes_for(way.strips * (channels // groups))
    MOMENTS["moments_of_groups"](
        means, squares, mean, var, samples * groups, groups, channels, pixels, way.strips, way.strip, width,
        work=samples * groups, tile=SMALL // width, block=SMALL,
    )  # fmt: skip
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
    xp, channels, own = array_module(x), x.shape[1], mean.shape[0] != 1
    rows, added = of.table(x), None if residual is None else of.table(residual)
    mean, var, w, b = (_gapless(each) for each in (mean, var, w, b))
    y = xp.empty(rows.shape, x.dtype)
    samples, pixels = _samples(rows, own)
    way = walk(pixels, channels, lanes(channels, *_given(rows, added, y)), 16)
    _over(
        CHANNELS["normalize", x.dtype, way.lanes], samples, way,
        rows, mean, var, w, b, added, y, pixels, channels, mean.shape[1], own, eps, relu,
    )  # fmt: skip
    return of.image(y, x.shape)


def gradients(
    dy: Array, x: Array, mean: Array, var: Array, w: Array | None, b: Array | None, *, eps: float, relu: bool
) -> tuple[Array, Array, Array]:
    """See the contract."""
    dx, dw, db, _ = _gradients(dy, None, x, mean, var, w, b, eps, BY_SUM if relu else OPEN)
    return dx, dw, db


def residual_gradients(
    dy: Array, y: Array, x: Array, mean: Array, var: Array, w: Array | None, *, eps: float
) -> tuple[Array, Array, Array, Array]:
    """See the contract."""
    return _gradients(dy, y, x, mean, var, w, None, eps, BY_RESULT)


def layer_forward(x: Array, w: Array | None, b: Array | None, *, eps: float) -> tuple[Array, Array, Array]:
    """See the contract."""
    xp, (rows, length) = array_module(x), x.shape
    x, w, b = _gapless(x), _gapless(w), _gapless(b)
    y, mean, var = xp.empty(x.shape, x.dtype), xp.empty(rows), xp.empty(rows)
    width, packed = team(length), packable(length, *_given(x, y, w, b))
    LAYERS["layer_forward", x.dtype](
        x, w, b, y, mean, var, rows, length, eps, width, packed, work=rows, tile=THREADS // width, block=THREADS
    )
    return y, mean, var


def layer_backward(dy: Array, x: Array, mean: Array, var: Array, w: Array | None, *, eps: float) -> tuple[Array, Array, Array]:
    """See the contract."""
    xp, (rows, length) = array_module(x), x.shape
    dy, x, mean, var, w = (_gapless(each) for each in (dy, x, mean, var, w))
    dx, dw, db = xp.empty(x.shape, x.dtype), xp.empty(length, x.dtype), xp.empty(length, x.dtype)
    width, packed = team(length), packable(length, *_given(x, dy, dx, w))
    LAYERS["layer_backward", x.dtype](
        dy, x, mean, var, w, dx, rows, length, eps, width, packed, work=rows, tile=THREADS // width, block=THREADS
    )
    way = walk(rows, length, 1, 64, STRIPS)
    sums, products = xp.empty((way.strips, length)), xp.empty((way.strips, length))
    _over(LAYERS["layer_sums", x.dtype], 1, way, dy, x, mean, var, sums, products, rows, length, eps)
    MOMENTS["grad_parameters", x.dtype](sums, products, dw, db, way.strips, length, work=length, tile=SMALL, block=SMALL)
    return dx, dw, db


def _gradients(
    dy: Array, y: Array | None, x: Array, mean: Array, var: Array, w: Array | None, b: Array | None, eps: float, gate: int
) -> tuple[Array, Array, Array, Array]:
    """dx, dw, db, and dy behind the gate where y is what gates."""
    xp, channels, (samples_own, groups) = array_module(x), x.shape[1], mean.shape
    own = samples_own != 1
    g, rows, result = of.table(dy), of.table(x), None if y is None else of.table(y)
    mean, var, w, b = (_gapless(each) for each in (mean, var, w, b))
    dx, gated = xp.empty(rows.shape, x.dtype), None if y is None else xp.empty(rows.shape, x.dtype)
    dw, db = xp.empty(channels, x.dtype), xp.empty(channels, x.dtype)
    samples, pixels = _samples(rows, own)
    wide = lanes(channels, *_given(g, rows, result, gated, dx))
    way = walk(pixels, channels, wide, 64, STRIPS)
    sums, products = (xp.empty((samples, way.strips, channels)) for _ in range(2))
    _over(
        CHANNELS["sum_gradients", x.dtype, wide], samples, way,
        g, rows, result, mean, var, w, b, gated, sums, products, pixels, channels, groups, own, eps, gate,
    )  # fmt: skip
    totals, alongs = (xp.empty((samples, channels)) for _ in range(2))
    level, along = (xp.empty((samples, groups)) for _ in range(2))
    all_sums, size, width = samples * channels, channels // groups, _lanes_for(way.strips)
    MOMENTS["sums_of_channels", x.dtype](
        sums, products, w, totals, alongs, *((level, along) if size == 1 else (None, None)),
        all_sums, channels, pixels, way.strips, width, work=all_sums, tile=SMALL // width, block=SMALL,
    )  # fmt: skip
    if size > 1:
        width = _lanes_for(size)
        MOMENTS["means_of_groups", x.dtype](
            totals, alongs, w, level, along, samples * groups, groups, channels, pixels, width,
            work=samples * groups, tile=SMALL // width, block=SMALL,
        )  # fmt: skip
    MOMENTS["grad_parameters", x.dtype](totals, alongs, dw, db, samples, channels, work=channels, tile=SMALL, block=SMALL)
    _over(
        CHANNELS["grad_input", x.dtype, wide], samples, walk(pixels, channels, wide, 16),
        g if gated is None else gated, rows, mean, var, w, b, level, along, dx,
        pixels, channels, groups, own, eps, OPEN if gated is not None else gate,
    )  # fmt: skip
    return of.image(dx, x.shape), dw, db, None if gated is None else of.image(gated, x.shape)


def _over(kernel: Any, samples: int, way: Walk, *arguments: Any) -> None:
    """A kernel over a table, its arguments followed by what it must know of the walk."""
    kernel(*arguments, way.strips, way.strip, work=(samples * way.strips, way.tiles), tile=(1, 1), block=way.block)


def _samples(rows: Array, own: bool) -> tuple[int, int]:
    """Samples with statistics of their own in (N, pixels, C), and their pixels."""
    return (rows.shape[0], rows.shape[1]) if own else (1, rows.shape[0] * rows.shape[1])


def _lanes_for(count: int) -> int:
    """Lanes that share a sum of so many terms: a power of two up to a warp."""
    return min(32, 1 << max(count - 1, 0).bit_length())


def _gapless(values: Array | None) -> Array | None:
    return None if values is None else array_module(values).ascontiguousarray(values)


def _given(*arrays: Array | None) -> list[Array]:
    return [each for each in arrays if each is not None]
