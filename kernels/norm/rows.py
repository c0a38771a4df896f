"""Layer norm in compiled passes: each row is read from memory once, and gone over again while it is in the cache."""

from __future__ import annotations

import numpy as np

from minigrad.core.device import Array
from minigrad.kernels.native import Doubles, Real, choose, fma, helper, kernel, offset, parts_for, real, share, square_root


def layer_forward(x: Array, w: Array | None, b: Array | None, *, eps: float) -> tuple[Array, Array, Array]:
    """See the contract."""
    x, w, b = (None if each is None else np.ascontiguousarray(each) for each in (x, w, b))
    y, mean, var = np.empty(x.shape, x.dtype), np.empty(len(x)), np.empty(len(x))
    normalize(x, w, b, y, mean, var, eps, -1.0, *x.shape, w is not None, b is not None, parts=parts_for(2 * x.nbytes))
    return y, mean, var


def layer_backward(dy: Array, x: Array, mean: Array, var: Array, w: Array | None, *, eps: float) -> tuple[Array, Array, Array]:
    """See the contract."""
    dy, x, mean, var, w = (None if each is None else np.ascontiguousarray(each) for each in (dy, x, mean, var, w))
    dx, size = np.empty(x.shape, x.dtype), x.shape[1]
    parts = parts_for(3 * x.nbytes)
    sums = np.empty((parts, 2, size))
    differentiate(dy, x, mean, var, w, dx, sums, eps, -1.0, *x.shape, w is not None, parts=parts)
    dw, db = np.empty(size, x.dtype), np.empty(size, x.dtype)
    add_up(sums, dw, db, size, parts)
    return dx, dw, db


@helper
def centred(v, high, low, minus):
    """v − high − low, in this order: a mean in two numbers must not be put together again.

    ``minus`` is −1, which the compiler does not know: else it would take the products for differences, and reorder them.
    """
    return fma(low, minus, fma(high, minus, v))


@helper
def scalars(middle, spread, eps):
    """A row's mean in two numbers, and 1 / deviation."""
    high = real(middle)
    low = real(choose(middle - high == middle - high, middle - high, 0.0))
    return high, low, real(1.0 / square_root(spread + eps))


@kernel(reassociate=True)
def normalize(
    x: Real, w: Real, b: Real, y: Real, mean: Doubles, var: Doubles, eps: float, minus_one: float, rows: int, size: int,
    has_w: int, has_b: int, part: int, parts: int,
) -> None:  # fmt: skip
    """Mean; then the variance around it; then y."""
    start, stop = share(rows, part, parts)
    minus = real(minus_one)
    for row in range(start, stop):
        here, out = offset(x, row * size), offset(y, row * size)
        total = 0.0
        for i in range(size):
            total += here[i]
        middle = total / size
        high, low, _ = scalars(middle, 0.0, 1.0)
        total = 0.0
        for i in range(size):
            far = 0.0 + centred(here[i], high, low, minus)
            total += far * far
        spread = total / size
        mean[row], var[row] = middle, spread
        _, _, rstd = scalars(middle, spread, eps)
        if has_w and has_b:
            for i in range(size):
                out[i] = fma(centred(here[i], high, low, minus) * rstd, w[i], b[i])
        elif has_w:
            for i in range(size):
                out[i] = centred(here[i], high, low, minus) * rstd * w[i]
        elif has_b:
            for i in range(size):
                out[i] = fma(centred(here[i], high, low, minus), rstd, b[i])
        else:
            for i in range(size):
                out[i] = centred(here[i], high, low, minus) * rstd


@helper
def write_row(g, x, w, dx, middle, spread, eps, minus, size, has_w):
    """dx of a row."""
    high, low, rstd = scalars(middle, spread, eps)
    level, along = 0.0, 0.0
    if has_w:
        for i in range(size):
            weighted = g[i] * w[i]
            level += weighted
            along += weighted * (centred(x[i], high, low, minus) * rstd)
    else:
        for i in range(size):
            level += g[i]
            along += g[i] * (centred(x[i], high, low, minus) * rstd)
    slope, shift = real(along / size) * rstd, real(level / size)
    if has_w:
        for i in range(size):
            dx[i] = (g[i] * w[i] - shift - centred(x[i], high, low, minus) * slope) * rstd
    else:
        for i in range(size):
            dx[i] = (g[i] - shift - centred(x[i], high, low, minus) * slope) * rstd


@helper
def add_four_rows(dy, x, mean, var, by_w, by_b, eps, minus, size):
    """Four rows into the columns' sums, which then go through memory a quarter as often."""
    high, low, rstd = scalars(mean[0], var[0], eps)
    high1, low1, rstd1 = scalars(mean[1], var[1], eps)
    high2, low2, rstd2 = scalars(mean[2], var[2], eps)
    high3, low3, rstd3 = scalars(mean[3], var[3], eps)
    g1, g2, g3 = offset(dy, size), offset(dy, 2 * size), offset(dy, 3 * size)
    x1, x2, x3 = offset(x, size), offset(x, 2 * size), offset(x, 3 * size)
    for i in range(size):
        a = 0.0 + dy[i] * (centred(x[i], high, low, minus) * rstd)
        b = 0.0 + g1[i] * (centred(x1[i], high1, low1, minus) * rstd1)
        c = 0.0 + g2[i] * (centred(x2[i], high2, low2, minus) * rstd2)
        d = 0.0 + g3[i] * (centred(x3[i], high3, low3, minus) * rstd3)
        by_w[i] += (a + b) + (c + d)
    for i in range(size):
        by_b[i] += (0.0 + dy[i] + g1[i]) + (0.0 + g2[i] + g3[i])


@kernel(reassociate=True)
def differentiate(
    dy: Real, x: Real, mean: Doubles, var: Doubles, w: Real, dx: Real, sums: Doubles, eps: float, minus_one: float, rows: int,
    size: int, has_w: int, part: int, parts: int,
) -> None:  # fmt: skip
    """dx of each row, and this part's Σ dy·n and Σ dy of each column: (2, K)."""
    start, stop = share(rows, part, parts)
    minus = real(minus_one)
    by_w, by_b = offset(sums, part * 2 * size), offset(sums, (part * 2 + 1) * size)
    for i in range(2 * size):
        by_w[i] = 0.0
    for first in range(start, stop, 4):
        last = min(first + 4, stop)
        for row in range(first, last):
            at = row * size
            write_row(offset(dy, at), offset(x, at), w, offset(dx, at), mean[row], var[row], eps, minus, size, has_w)
        if last - first == 4:
            at = first * size
            add_four_rows(offset(dy, at), offset(x, at), offset(mean, first), offset(var, first), by_w, by_b, eps, minus, size)
        else:
            for row in range(first, last):
                high, low, rstd = scalars(mean[row], var[row], eps)
                g, here = offset(dy, row * size), offset(x, row * size)
                for i in range(size):
                    by_w[i] += g[i] * (centred(here[i], high, low, minus) * rstd)
                for i in range(size):
                    by_b[i] += g[i]


@kernel
def add_up(sums: Doubles, dw: Real, db: Real, size: int, count: int, part: int, parts: int) -> None:
    """The parts' sums, in order: each part's follow upon one another in memory, so that whole vectors are added."""
    for each in range(1, count):
        more = offset(sums, each * 2 * size)
        for i in range(2 * size):
            sums[i] += more[i]
    by_b = offset(sums, size)
    for i in range(size):
        dw[i] = real(sums[i])
    for i in range(size):
        db[i] = real(by_b[i])
