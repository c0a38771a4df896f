"""One pass over the named rows, compiled: the tuned rung for processors.

Why it is faster than ``vectorised.py``: each row of the table, its gradient and its states is read once and written once, where
it lies, and the whole line of an element is computed in vector registers. NumPy copies the rows out and back, and goes over the
copies once for each operation: a dozen times for Adam, through memory where the rows do not fit in the caches. Threads share
the named rows; no two of them are the same.

Arrays that are not C-contiguous, and tables and states that overlap, are left to ``vectorised``.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from minigrad.core.device import Array
from minigrad.kernels.native import Ints, Real, choose, kernel, parts_for, real, share, square_root
from minigrad.kernels.row_update import vectorised


@kernel(exact=True)
def sgd_rows(x: Real, rows: Ints, g: Real, width: int, count: int, lr: float, part: int, parts: int) -> None:
    """x[rows[k]] -= lr g[k]."""
    start, stop = share(count, part, parts)
    rate = real(lr)
    for k in range(start, stop):
        at = rows[k] * width
        for i in range(width):
            x[at + i] -= rate * g[k * width + i]


@kernel(exact=True)
def adagrad_rows(
    x: Real, rows: Ints, g: Real, v: Real, width: int, count: int, lr: float, added: float, part: int, parts: int
) -> None:
    """The contract's lines, of this part's rows."""
    start, stop = share(count, part, parts)
    rate, eps = real(lr), real(added)
    for k in range(start, stop):
        at = rows[k] * width
        for i in range(width):
            slope = g[k * width + i]
            total = v[at + i] + slope * slope
            v[at + i] = total
            x[at + i] -= rate * slope / (square_root(total) + eps)


@kernel(exact=True)
def adam_rows(
    x: Real, rows: Ints, g: Real, m: Real, v: Real, width: int, count: int, size: float, beta1: float, beta2: float,
    added: float, uphill: int, part: int, parts: int,
) -> None:  # fmt: skip
    """The contract's lines, of this part's rows."""
    start, stop = share(count, part, parts)
    step, eps, take, add, up = real(size), real(added), real(1.0 - beta1), real(1.0 - beta2), uphill != 0
    for k in range(start, stop):
        at = rows[k] * width
        for i in range(width):
            slope = choose(up, -g[k * width + i], g[k * width + i])
            mean = m[at + i] + take * (slope - m[at + i])
            square = v[at + i] + add * (slope * slope - v[at + i])
            m[at + i] = mean
            v[at + i] = square
            x[at + i] -= step * (mean / (square_root(square) + eps))


def sgd(x: Array, rows: Array, grads: Array, *, lr: float, maximize: bool) -> None:
    """See the contract."""
    if not _plain(x):
        vectorised.sgd(x, rows, grads, lr=lr, maximize=maximize)
        return
    rows, grads = np.ascontiguousarray(rows), np.ascontiguousarray(grads)
    rate = -lr if maximize else lr
    sgd_rows(x, rows, grads, _width(grads), len(rows), rate, parts=parts_for(2 * grads.nbytes))


def adagrad(x: Array, rows: Array, grads: Array, sums: Array, *, lr: float, eps: float, maximize: bool) -> None:
    """See the contract."""
    if not _plain(x, sums):
        vectorised.adagrad(x, rows, grads, sums, lr=lr, eps=eps, maximize=maximize)
        return
    rows, grads = np.ascontiguousarray(rows), np.ascontiguousarray(grads)
    rate = -lr if maximize else lr
    adagrad_rows(x, rows, grads, sums, _width(grads), len(rows), rate, eps, parts=parts_for(3 * grads.nbytes))


def adam(
    x: Array, rows: Array, grads: Array, means: Array, squares: Array, *, size: float, beta1: float, beta2: float, eps: float,
    maximize: bool,
) -> None:  # fmt: skip
    """See the contract."""
    if not _plain(x, means, squares):
        vectorised.adam(x, rows, grads, means, squares, size=size, beta1=beta1, beta2=beta2, eps=eps, maximize=maximize)
        return
    rows, grads = np.ascontiguousarray(rows), np.ascontiguousarray(grads)
    adam_rows(
        x, rows, grads, means, squares, _width(grads), len(rows), size, beta1, beta2, eps, maximize,
        parts=parts_for(4 * grads.nbytes),
    )  # fmt: skip


def _plain(*arrays: Array) -> bool:
    """Whether all lie without gaps in C order, in memory of their own."""
    return all(each.flags.carray for each in arrays) and not any(np.may_share_memory(a, b) for a, b in combinations(arrays, 2))


def _width(grads: Array) -> int:
    return grads.size // len(grads) if len(grads) else 0
