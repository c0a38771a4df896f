"""The compiled loops of an update: see ``cpu.py``, which launches them.

A table tells a loop where the arrays are. Its rows are as long as there are parameters, and one: the first tells where each
parameter begins among all elements, and where the last ends; then come the addresses of parameters, gradients and states.
"""

from __future__ import annotations

from minigrad.kernels.native import Doubles, Ints, choose, helper, kernel, offset, real, real_at, share, square_root

CHUNK = 1024  # elements that two loops walk over one after the other, while they are in the nearest cache
BLOCK = 16384  # elements of one partial sum of the norm


@helper
def run_of(table, count, k, start, stop):
    """The first and last of the elements ``start`` to ``stop`` that lie in parameter k, counted from its beginning."""
    return max(start, table[k]) - table[k], min(stop, table[k + 1]) - table[k]


@helper
def array_of(table, count, k, row, first):
    """The pointer to element ``first`` of the k-th array of a row."""
    return offset(real_at(table[row * (count + 1) + k]), first)


@helper
def gradient(g, x, decay, uphill):
    """The gradient as every step begins."""
    g = choose(uphill, -g, g)
    return choose(decay != real(0.0), g + decay * x, g)


@kernel(exact=True)
def sgd_step(table: Ints, count: int, lr: float, decay: float, uphill: int, part: int, parts: int) -> None:
    start, stop = share(table[count], part, parts)
    rate, pull, up = real(lr), real(decay), uphill != 0
    for k in range(count):
        first, last = run_of(table, count, k, start, stop)
        x, g = array_of(table, count, k, 1, first), array_of(table, count, k, 2, first)
        for i in range(last - first):
            x[i] -= rate * gradient(g[i], x[i], pull, up)


@kernel(exact=True)
def momentum_step(
    table: Ints, count: int, lr: float, kept: float, fresh: float, decay: float, ahead: int, uphill: int, part: int, parts: int
) -> None:  # fmt: skip
    start, stop = share(table[count], part, parts)
    rate, keep, take, pull, up, look = real(lr), real(kept), real(fresh), real(decay), uphill != 0, ahead != 0
    for k in range(count):
        first, last = run_of(table, count, k, start, stop)
        x, g = array_of(table, count, k, 1, first), array_of(table, count, k, 2, first)
        b, begin = array_of(table, count, k, 3, first), table[4 * (count + 1) + k] != 0
        for i in range(last - first):
            slope = gradient(g[i], x[i], pull, up)
            velocity = choose(begin, slope, keep * b[i] + take * slope)
            b[i] = velocity
            x[i] -= rate * choose(look, keep * velocity + slope, velocity)


@kernel(exact=True)
def adam_step(
    table: Ints, numbers: Doubles, count: int, beta1: float, beta2: float, decay: float, shrink: float, uphill: int,
    part: int, parts: int,
) -> None:  # fmt: skip
    start, stop = share(table[count], part, parts)
    take, keep, add, pull, less, up = real(1.0 - beta1), real(beta2), real(1.0 - beta2), real(decay), real(shrink), uphill != 0
    for k in range(count):
        first, last = run_of(table, count, k, start, stop)
        x, g = array_of(table, count, k, 1, first), array_of(table, count, k, 2, first)
        m, v = array_of(table, count, k, 3, first), array_of(table, count, k, 4, first)
        size, eps = real(numbers[k]), real(numbers[count + k])
        for i in range(last - first):
            old = less * x[i]
            slope = gradient(g[i], old, pull, up)
            mean = m[i] + take * (slope - m[i])
            square = keep * v[i] + add * (slope * slope)
            m[i] = mean
            v[i] = square
            x[i] = old - size * (mean / (square_root(square) + eps))


@kernel(exact=True)
def amsgrad_step(
    table: Ints, numbers: Doubles, count: int, beta1: float, beta2: float, decay: float, shrink: float, uphill: int,
    part: int, parts: int,
) -> None:  # fmt: skip
    # Two loops in place of one: LLVM tells at run time whether four arrays overlap, but not five.
    start, stop = share(table[count], part, parts)
    take, keep, add, pull, less, up = real(1.0 - beta1), real(beta2), real(1.0 - beta2), real(decay), real(shrink), uphill != 0
    for k in range(count):
        first, last = run_of(table, count, k, start, stop)
        size, eps = real(numbers[k]), real(numbers[count + k])
        for begin in range(first, last, CHUNK):
            x, g = array_of(table, count, k, 1, begin), array_of(table, count, k, 2, begin)
            m, v, w = (
                array_of(table, count, k, 3, begin),
                array_of(table, count, k, 4, begin),
                array_of(table, count, k, 5, begin),
            )
            length = min(CHUNK, last - begin)
            for i in range(length):
                slope = gradient(g[i], less * x[i], pull, up)
                m[i] += take * (slope - m[i])
                v[i] = keep * v[i] + add * (slope * slope)
            for i in range(length):
                largest = choose((w[i] >= v[i]) | (w[i] != w[i]), w[i], v[i])  # nan stays
                w[i] = largest
                x[i] = less * x[i] - size * (m[i] / (square_root(largest) + eps))


@kernel(exact=True)
def rmsprop_step(
    table: Ints, count: int, lr: float, alpha: float, added: float, decay: float, kept: float, centered: int, moving: int,
    uphill: int, part: int, parts: int,
) -> None:  # fmt: skip
    start, stop = share(table[count], part, parts)
    rate, keep, add, eps = real(lr), real(alpha), real(1.0 - alpha), real(added)
    pull, inert, up = real(decay), real(kept), uphill != 0
    for k in range(count):
        first, last = run_of(table, count, k, start, stop)
        for begin in range(first, last, CHUNK):
            x, g, v = (
                array_of(table, count, k, 1, begin),
                array_of(table, count, k, 2, begin),
                array_of(table, count, k, 3, begin),
            )
            length = min(CHUNK, last - begin)
            for i in range(length):
                slope = gradient(g[i], x[i], pull, up)
                v[i] = keep * v[i] + add * (slope * slope)
            if centered != 0:
                a = array_of(table, count, k, 4, begin)
                for i in range(length):
                    a[i] += add * (gradient(g[i], x[i], pull, up) - a[i])
            # Four loops, one for each set of states: a loop that asked would not be made vector code.
            if centered != 0 and moving != 0:
                a, b = array_of(table, count, k, 4, begin), array_of(table, count, k, 5, begin)
                for i in range(length):
                    b[i] = inert * b[i] + gradient(g[i], x[i], pull, up) / (square_root(spread(v[i], a[i])) + eps)
                for i in range(length):
                    x[i] -= rate * b[i]
            elif centered != 0:
                a = array_of(table, count, k, 4, begin)
                for i in range(length):
                    x[i] -= rate * (gradient(g[i], x[i], pull, up) / (square_root(spread(v[i], a[i])) + eps))
            elif moving != 0:
                b = array_of(table, count, k, 4, begin)
                for i in range(length):
                    velocity = inert * b[i] + gradient(g[i], x[i], pull, up) / (square_root(v[i]) + eps)
                    b[i] = velocity
                    x[i] -= rate * velocity
            else:
                for i in range(length):
                    x[i] -= rate * (gradient(g[i], x[i], pull, up) / (square_root(v[i]) + eps))


@helper
def spread(square, mean):
    """The mean square less the square of the mean, which rounding may have made negative; nan stays."""
    variance = square - mean * mean
    return choose(variance < real(0.0), real(0.0), variance)


@kernel(exact=True)
def adagrad_step(
    table: Ints, numbers: Doubles, count: int, added: float, decay: float, uphill: int, part: int, parts: int
) -> None:  # fmt: skip
    start, stop = share(table[count], part, parts)
    eps, pull, up = real(added), real(decay), uphill != 0
    for k in range(count):
        first, last = run_of(table, count, k, start, stop)
        x, g, v = array_of(table, count, k, 1, first), array_of(table, count, k, 2, first), array_of(table, count, k, 3, first)
        rate = real(numbers[k])
        for i in range(last - first):
            slope = gradient(g[i], x[i], pull, up)
            square = v[i] + slope * slope
            v[i] = square
            x[i] -= rate * (slope / (square_root(square) + eps))


@kernel(exact=True)
def adadelta_step(
    table: Ints, count: int, lr: float, rho: float, added: float, decay: float, uphill: int, part: int, parts: int
) -> None:  # fmt: skip
    start, stop = share(table[count], part, parts)
    rate, keep, add, eps, pull, up = real(lr), real(rho), real(1.0 - rho), real(added), real(decay), uphill != 0
    for k in range(count):
        first, last = run_of(table, count, k, start, stop)
        x, g = array_of(table, count, k, 1, first), array_of(table, count, k, 2, first)
        v, u = array_of(table, count, k, 3, first), array_of(table, count, k, 4, first)
        for i in range(last - first):
            slope = gradient(g[i], x[i], pull, up)
            square = keep * v[i] + add * (slope * slope)
            change = square_root((u[i] + eps) / (square + eps)) * slope
            v[i] = square
            x[i] -= rate * change
            u[i] = keep * u[i] + add * (change * change)


@kernel(exact=True)
def lerp_step(table: Ints, count: int, weight: float, part: int, parts: int) -> None:
    start, stop = share(table[count], part, parts)
    way = real(weight)
    for k in range(count):
        first, last = run_of(table, count, k, start, stop)
        a, p = array_of(table, count, k, 1, first), array_of(table, count, k, 2, first)
        for i in range(last - first):
            a[i] += way * (p[i] - a[i])


@kernel(exact=True)
def scale_step(table: Ints, count: int, factor: float, part: int, parts: int) -> None:
    start, stop = share(table[count], part, parts)
    f = real(factor)
    for k in range(count):
        first, last = run_of(table, count, k, start, stop)
        g = array_of(table, count, k, 1, first)
        for i in range(last - first):
            g[i] = f * g[i]


@kernel(exact=True)
def bound_step(table: Ints, count: int, bound: float, part: int, parts: int) -> None:
    start, stop = share(table[count], part, parts)
    high = real(bound)
    for k in range(count):
        first, last = run_of(table, count, k, start, stop)
        g = array_of(table, count, k, 1, first)
        for i in range(last - first):
            raised = choose(g[i] < -high, -high, g[i])
            g[i] = choose(raised > high, high, raised)


@kernel(reassociate=True)
def squares(table: Ints, sums: Doubles, count: int, part: int, parts: int) -> None:
    """The sum of the squares of each block; here the first row counts blocks, and the third has the numbers of elements."""
    start, stop = share(table[count], part, parts)
    for k in range(count):
        for block in range(max(start, table[k]), min(stop, table[k + 1])):
            first = (block - table[k]) * BLOCK
            g = array_of(table, count, k, 1, first)
            total = 0.0
            for i in range(min(BLOCK, table[2 * (count + 1) + k] - first)):
                value = 1.0 * g[i]  # float64
                total += value * value
            sums[block] = total
