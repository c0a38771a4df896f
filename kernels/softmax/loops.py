"""The compiled loops of ``cpu.py``.

Sums may be reordered by the compiler, which makes vector code of them. Where order matters, as two numbers must not be put
together that stand for one (greatest and log-sum), a product with −1 stands for the difference: ``minus`` is −1, which the
compiler does not know. Of short rows so many are taken together as fill ``BLOCK`` numbers, for one loop over their powers.
"""

from __future__ import annotations

from minigrad.kernels.native import (
    Ints,
    Real,
    choose,
    fma,
    helper,
    kernel,
    offset,
    real,
    share,
)
from minigrad.kernels.native.maths import exp, exp_below, log
from minigrad.kernels.row_loops import greatest_of, power_sum, sum_of

LONG = 256  # numbers from which on a row is worked on by itself
BLOCK = 1024
# A part's scratch memory: powers, and the greatest and the sum of each row.
TOPS, SUMS, WORK = BLOCK, 2 * BLOCK, 3 * BLOCK
INFINITY = float("inf")


@helper
def base_of(x, size, zeros):
    """What is taken from exponents: the greatest, or 0 where a row is −inf alone and ``zeros`` are wanted."""
    top = greatest_of(x, size)
    return choose((zeros != 0) & (top == real(-INFINITY)), real(0.0), top)


@helper
def short_powers(x, y, tops, sums, rows, size, zeros):
    """e^(x − greatest) of short rows, their greatest and their sums."""
    for row in range(rows):
        here, out = offset(x, row * size), offset(y, row * size)
        top = base_of(here, size, zeros)
        tops[row] = top
        for i in range(size):
            out[i] = here[i] - top
    for i in range(rows * size):
        y[i] = exp_below(y[i])
    for row in range(rows):
        sums[row] = sum_of(offset(y, row * size), size)


@helper
def reciprocal(total, zeros):
    """1 / total; a row that has nothing stays nothing where ``zeros``."""
    return real(1.0) / choose((zeros != 0) & (total == real(0.0)), real(1.0), total)


@helper
def scaled(y, size, factor):
    for i in range(size):
        y[i] = y[i] * factor


@kernel(reassociate=True)
def softmax(x: Real, y: Real, work: Real, minus_one: float, rows: int, size: int, zeros: int, part: int, parts: int) -> None:
    """y = e^(x − greatest) over its sum. ``zeros``: a row of −inf alone has a sum of 0, and gives zeros."""
    start, stop = share(rows, part, parts)
    if size >= LONG:
        for row in range(start, stop):
            here, out = offset(x, row * size), offset(y, row * size)
            top = base_of(here, size, zeros)
            total = real(0.0)
            for i in range(size):
                power = exp_below(here[i] - top)
                out[i] = power
                total += power
            scaled(out, size, reciprocal(total, zeros))
        return
    work = offset(work, part * WORK)
    group, sums = BLOCK // size, offset(work, SUMS)
    for first in range(start, stop, group):
        count = min(group, stop - first)
        out = offset(y, first * size)
        short_powers(offset(x, first * size), out, offset(work, TOPS), sums, count, size, zeros)
        for row in range(count):
            scaled(offset(out, row * size), size, reciprocal(sums[row], zeros))


@kernel(reassociate=True)
def softmax_back(
    y: Real, dy: Real, dx: Real, work: Real, minus_one: float, rows: int, size: int, zeros: int, part: int, parts: int
) -> None:
    """dx = y·(dy − Σ y·dy)."""
    start, stop = share(rows, part, parts)
    for row in range(start, stop):
        p, g, out = offset(y, row * size), offset(dy, row * size), offset(dx, row * size)
        total = real(0.0)
        for i in range(size):
            total += p[i] * g[i]
        for i in range(size):
            out[i] = p[i] * (g[i] - total)


@helper
def without(x, y, top, rest, minus, size):
    """y = (x − top) − rest, in this order."""
    for i in range(size):
        y[i] = fma(rest, minus, fma(top, minus, x[i]))


@kernel(reassociate=True)
def log_softmax(
    x: Real, y: Real, work: Real, minus_one: float, rows: int, size: int, zeros: int, part: int, parts: int
) -> None:
    """y = (x − greatest) − log Σ e^(x − greatest)."""
    start, stop = share(rows, part, parts)
    minus = real(minus_one)
    if size >= LONG:
        for row in range(start, stop):
            here = offset(x, row * size)
            top = greatest_of(here, size)
            without(here, offset(y, row * size), top, log(power_sum(here, top, size)), minus, size)
        return
    work = offset(work, part * WORK)
    group, tops, sums = BLOCK // size, offset(work, TOPS), offset(work, SUMS)
    for first in range(start, stop, group):
        count = min(group, stop - first)
        short_powers(offset(x, first * size), work, tops, sums, count, size, 0)
        for row in range(count):
            sums[row] = log(sums[row])
        for row in range(count):
            at = (first + row) * size
            without(offset(x, at), offset(y, at), tops[row], sums[row], minus, size)


@kernel(reassociate=True)
def log_softmax_back(
    y: Real, dy: Real, dx: Real, work: Real, minus_one: float, rows: int, size: int, zeros: int, part: int, parts: int
) -> None:
    """dx = dy − e^y·Σ dy."""
    start, stop = share(rows, part, parts)
    work = offset(work, part * WORK)
    if size >= LONG:
        for row in range(start, stop):
            log_p, g, out = offset(y, row * size), offset(dy, row * size), offset(dx, row * size)
            total = sum_of(g, size)
            for i in range(size):
                out[i] = g[i] - exp(log_p[i]) * total
        return
    group = BLOCK // size
    for first in range(start, stop, group):
        count = min(group, stop - first)
        at = first * size
        for i in range(count * size):
            work[i] = exp(y[at + i])
        for row in range(count):
            g, p, out = offset(dy, at + row * size), offset(work, row * size), offset(dx, at + row * size)
            total = sum_of(g, size)
            for i in range(size):
                out[i] = g[i] - p[i] * total


@helper
def holds_nan(x, size):
    found = False
    for i in range(size):
        found = found | (x[i] != x[i])
    return found


@helper
def loss_of(x, t, w, top, near, minus, smoothing, total, classes, has_w):
    """A row's loss; ``near`` is log Σ e^(x − top)."""
    loss = 0.0 + fma(fma(top, minus, x[t]), minus, near)
    if has_w:
        loss = loss * w[t]
    if smoothing > 0.0:
        far = 0.0
        for i in range(classes):
            below = 0.0 + fma(top, minus, x[i])
            if has_w:
                below = below * w[i]
            far += below
        loss = loss * (1.0 - smoothing) + (near * total - far) * (smoothing / classes)
    return real(loss)


@helper
def settled(x, top, powers, classes):
    """The greatest: NaN where the row holds one, for which the sum of powers is NaN too."""
    if powers != powers and holds_nan(x, classes):
        return powers
    return top


@kernel(reassociate=True)
def cross_entropy(
    x: Real, target: Ints, w: Real, y: Real, greatest: Real, log_sum: Real, work: Real, minus_one: float, smoothing: float,
    total: float, rows: int, classes: int, has_w: int, part: int, parts: int,
) -> None:  # fmt: skip
    """The losses, and of each row the greatest logit and log Σ e^(x − greatest); ``total`` is the sum of the weights."""
    start, stop = share(rows, part, parts)
    minus, work = real(minus_one), offset(work, part * WORK)
    group = 1 if classes >= LONG else BLOCK // classes
    tops, sums = offset(work, TOPS), offset(work, SUMS)
    for first in range(start, stop, group):
        count = min(group, stop - first)
        block = offset(x, first * classes)
        if classes >= LONG:
            tops[0] = greatest_of(block, classes)
            sums[0] = power_sum(block, tops[0], classes)
        else:
            short_powers(block, work, tops, sums, count, classes, 0)
        for row in range(count):
            log_sum[first + row] = log(sums[row])
        for row in range(count):
            here, place = offset(block, row * classes), first + row
            top, t = settled(here, tops[row], sums[row], classes), target[place]
            greatest[place] = top
            y[place] = real(0.0)
            if t >= 0:
                y[place] = loss_of(here, t, w, top, log_sum[place], minus, smoothing, total, classes, has_w)


@kernel
def cross_entropy_back(
    dy: Real, x: Real, target: Ints, w: Real, greatest: Real, log_sum: Real, dx: Real, smoothing: float, total: float,
    rows: int, classes: int, has_w: int, part: int, parts: int,
) -> None:  # fmt: skip
    """dx = dy·(p·(u + s·W/C) − [c = t]·u − s/C·w), with u = (1 − s)·w_t."""
    start, stop = share(rows, part, parts)
    for row in range(start, stop):
        here, out = offset(x, row * classes), offset(dx, row * classes)
        t = target[row]
        if t < 0:
            for i in range(classes):
                out[i] = real(0.0)
            continue
        own = 1.0 - smoothing
        if has_w:
            own = own * w[t]
        top, near, g = greatest[row], log_sum[row], dy[row]
        scale = g * real(own + smoothing * total / classes)
        for i in range(classes):
            out[i] = exp_below((here[i] - top) - near) * scale
        if smoothing > 0.0:
            even = g * real(smoothing / classes)
            for i in range(classes):
                out[i] = out[i] - (even * w[i] if has_w else even)
        out[t] = out[t] - g * real(own)
