"""Each operation of the contract on a piece of a parameter at a time, on any array module.

Faster than ``reference`` because NumPy's loops are machine code: one call does an operation on 131,072 elements. The pieces
matter as much. An update reads and writes each element several times. Done on whole arrays, each pass goes out to main memory;
done on pieces, only the first and the last do, and the scratch memory is no larger than a piece.

On a GPU a launch costs more than memory: there a piece is the whole array.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module

Arrays = Sequence[Array]
PIECE = 1 << 17  # elements: Adam's six float32 arrays take 3 MiB, and a call of a ufunc is small beside its work


def sgd(
    params: Arrays, grads: Arrays, momentum_buffers: Arrays, first: Sequence[bool], *,
    lr: float, momentum: float, dampening: float, weight_decay: float, nesterov: bool, maximize: bool,
) -> None:  # fmt: skip
    """See the contract."""
    fresh_share = 1.0 - dampening
    for k, x, g, b, s, t in _pieces(params, grads, momentum_buffers, spare=2):
        xp = array_module(x)
        g = _gradient(xp, x, g, weight_decay, maximize, s, t)
        if b is not None:
            if first[k]:
                b[...] = g
            else:
                b *= momentum
                b += g if fresh_share == 1.0 else xp.multiply(g, fresh_share, out=s)
            g = xp.add(xp.multiply(b, momentum, out=s), g, out=s) if nesterov else b
        x -= xp.multiply(g, lr, out=s)


def adam(
    params: Arrays, grads: Arrays, exp_avgs: Arrays, exp_avg_sqs: Arrays, max_exp_avg_sqs: Arrays, steps: Sequence[int], *,
    lr: float, beta1: float, beta2: float, eps: float, weight_decay: float, decoupled_weight_decay: bool, maximize: bool,
) -> None:  # fmt: skip
    """See the contract."""
    for k, x, g, m, v, largest, s, t in _pieces(params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, spare=2):
        xp = array_module(x)
        if decoupled_weight_decay and weight_decay != 0:
            x *= 1.0 - lr * weight_decay
        g = _gradient(xp, x, g, 0.0 if decoupled_weight_decay else weight_decay, maximize, s, t)
        xp.subtract(g, m, out=s)
        s *= 1.0 - beta1
        m += s
        xp.multiply(g, g, out=s)
        s *= 1.0 - beta2
        v *= beta2
        v += s
        if largest is not None:
            v = xp.maximum(largest, v, out=largest)
        root = (1.0 - beta2 ** steps[k]) ** 0.5
        xp.sqrt(v, out=s)
        s += eps * root
        xp.divide(m, s, out=s)
        s *= lr * root / (1.0 - beta1 ** steps[k])
        x -= s


def rmsprop(
    params: Arrays, grads: Arrays, square_avgs: Arrays, grad_avgs: Arrays, momentum_buffers: Arrays, *,
    lr: float, alpha: float, eps: float, weight_decay: float, momentum: float, maximize: bool,
) -> None:  # fmt: skip
    """See the contract."""
    for _, x, g, v, a, b, s, t in _pieces(params, grads, square_avgs, grad_avgs, momentum_buffers, spare=2):
        xp = array_module(x)
        g = _gradient(xp, x, g, weight_decay, maximize, s, t)
        xp.multiply(g, g, out=s)
        s *= 1.0 - alpha
        v *= alpha
        v += s
        if a is not None:
            xp.subtract(g, a, out=s)
            s *= 1.0 - alpha
            a += s
            xp.multiply(a, a, out=s)
            xp.subtract(v, s, out=s)
            v = xp.maximum(s, 0.0, out=s)
        xp.sqrt(v, out=s)
        s += eps
        xp.divide(g, s, out=s)
        if b is not None:
            b *= momentum
            b += s
            xp.multiply(b, lr, out=s)
        else:
            s *= lr
        x -= s


def adagrad(
    params: Arrays, grads: Arrays, state_sums: Arrays, steps: Sequence[int], *,
    lr: float, lr_decay: float, weight_decay: float, eps: float, maximize: bool,
) -> None:  # fmt: skip
    """See the contract."""
    for k, x, g, v, s, t in _pieces(params, grads, state_sums, spare=2):
        xp = array_module(x)
        g = _gradient(xp, x, g, weight_decay, maximize, s, t)
        v += xp.multiply(g, g, out=s)
        xp.sqrt(v, out=s)
        s += eps
        xp.divide(g, s, out=s)
        s *= lr / (1.0 + (steps[k] - 1) * lr_decay)
        x -= s


def adadelta(
    params: Arrays, grads: Arrays, square_avgs: Arrays, acc_deltas: Arrays, *,
    lr: float, rho: float, eps: float, weight_decay: float, maximize: bool,
) -> None:  # fmt: skip
    """See the contract."""
    for _, x, g, v, u, s, t, d in _pieces(params, grads, square_avgs, acc_deltas, spare=3):
        xp = array_module(x)
        g = _gradient(xp, x, g, weight_decay, maximize, s, t)
        xp.multiply(g, g, out=s)
        s *= 1.0 - rho
        v *= rho
        v += s
        xp.add(v, eps, out=s)
        xp.add(u, eps, out=d)
        d /= s
        xp.sqrt(d, out=d)
        d *= g
        x -= xp.multiply(d, lr, out=s)
        d *= d
        d *= 1.0 - rho
        u *= rho
        u += d


def lerp(averages: Arrays, currents: Arrays, *, weight: float) -> None:
    """See the contract."""
    for _, a, p, s in _pieces(averages, currents, spare=1):
        array_module(a).subtract(p, a, out=s)
        s *= weight
        a += s


def norm(grads: Arrays, order: float) -> Array:
    """See the contract. NumPy adds in pairs, in the same order whatever else runs."""
    grads = [array for array in grads if array.size]
    xp = array_module(grads[0]) if grads else np
    found: Any = []
    for _, g in _pieces(grads):
        if math.isinf(order):
            size = abs(g)
            found.append(size.max() if order > 0 else size.min())
        elif order == 0:
            found.append((g != 0).sum())
        elif order == 2:
            found.append(xp.multiply(g, g, dtype=np.float64).sum())
        else:
            found.append((abs(g.astype(np.float64)) ** order).sum())
    if not found:
        return xp.zeros((), np.float64)
    parts = xp.stack(found).astype(np.float64)
    if math.isinf(order):
        return xp.asarray(parts.max() if order > 0 else parts.min())
    total = parts.sum()
    return xp.asarray(total if order == 0 else xp.sqrt(total) if order == 2 else total ** (1.0 / order))


def clip_norm(grads: Arrays, total_norm: Array, max_norm: float) -> None:
    """See the contract."""
    xp = array_module(total_norm)
    factor = max_norm / (total_norm.astype(np.float64) + 1e-6)
    if xp is np and factor >= 1:
        return
    factor = xp.minimum(factor, 1.0)  # on a GPU 1 too: to ask whether it is would wait for all that runs there
    for _, g in _pieces(grads):
        g *= factor.astype(g.dtype)


def clip_value(grads: Arrays, bound: float) -> None:
    """See the contract."""
    for _, g in _pieces(grads):
        g.clip(-bound, bound, out=g)


def _gradient(xp: Any, x: Array, g: Array, weight_decay: float, maximize: bool, s: Array, t: Array) -> Array:
    """The gradient as every step begins: itself, or in ``t``."""
    if maximize:
        g = xp.negative(g, out=t)
    if weight_decay != 0:
        xp.multiply(x, weight_decay, out=s)
        g = xp.add(s, g, out=t)
    return g


def _pieces(*sequences: Arrays, spare: int = 0) -> Iterator[tuple[Any, ...]]:
    """Walk over the arrays piece by piece: the number of the array, views of the same places of each sequence's, and scratch.

    For an empty sequence there is ``None``.
    """
    memo = getattr(sequences[0], "memo", {})  # scratch that was made for the arrays at an earlier step
    for k in range(len(sequences[0])):
        given = tuple(sequence[k] for sequence in sequences if len(sequence))
        scratch: list[Array] = memo.get("vectorised", [])
        for views in _views(given):
            first = views[0]
            if len(scratch) < spare or (spare and scratch[0].size < first.size):
                empty = array_module(first).empty
                memo["vectorised"] = scratch = [empty(first.size, first.dtype) for _ in range(spare)]
            left = iter(views)
            there = [next(left) if len(sequence) else None for sequence in sequences]
            yield k, *there, *([each[: first.size].reshape(first.shape) for each in scratch[:spare]] if spare else ())


def _views(arrays: tuple[Array, ...]) -> Iterator[tuple[Array, ...]]:
    """The arrays, all of one shape, in pieces of about ``PIECE`` elements: flat ones where they lie alike and without gaps."""
    flat = flat_views(arrays)
    whole: Sequence[Array] = arrays if flat is None else flat
    first = whole[0]
    axis = max(range(first.ndim), key=lambda axis: first.shape[axis], default=0)
    if type(first) is not np.ndarray or first.size <= PIECE or first.shape[axis] == 1:
        if first.size:
            yield tuple(whole)
        return
    length = max(1, PIECE * first.shape[axis] // first.size)
    for start in range(0, first.shape[axis], length):
        place = (slice(None),) * axis + (slice(start, start + length),)
        yield tuple([array[place] for array in whole])


def flat_views(arrays: tuple[Array, ...]) -> list[Array] | None:
    """The arrays, all of one shape, as one-dimensional views, place for place; ``None`` where that cannot be.

    Example:
        >>> x = np.zeros((2, 3)).T
        >>> [each.shape for each in flat_views((x, x.copy(order="K")))], flat_views((x, np.zeros((3, 2))))
        ([(6,), (6,)], None)
    """
    if all(array.flags.c_contiguous for array in arrays):
        return [array.reshape(-1) for array in arrays]
    first = arrays[0]
    if any(array.strides != first.strides for array in arrays):
        return None
    order = sorted(range(first.ndim), key=lambda axis: -first.strides[axis])
    if not first.transpose(order).flags.c_contiguous:
        return None
    return [array.transpose(order).reshape(-1) for array in arrays]
