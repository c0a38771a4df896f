"""The oracle: the contract's lines, one element of one parameter at a time.

Elements are NumPy's scalars of the arrays' dtype, and a Python float beside one is rounded to that dtype: so each line rounds
as the contract says.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from minigrad.core.device import Array

Arrays = Sequence[Array]


def sgd(
    params: Arrays, grads: Arrays, momentum_buffers: Arrays, first: Sequence[bool], *,
    lr: float, momentum: float, dampening: float, weight_decay: float, nesterov: bool, maximize: bool,
) -> None:  # fmt: skip
    """See the contract."""
    for k, i, g in _elements(params, grads, weight_decay, maximize):
        d = g
        if momentum_buffers:
            b = momentum_buffers[k]
            b[i] = g if first[k] else momentum * b[i] + (1 - dampening) * g
            d = momentum * b[i] + g if nesterov else b[i]
        params[k][i] -= lr * d


def adam(
    params: Arrays, grads: Arrays, exp_avgs: Arrays, exp_avg_sqs: Arrays, max_exp_avg_sqs: Arrays, steps: Sequence[int], *,
    lr: float, beta1: float, beta2: float, eps: float, weight_decay: float, decoupled_weight_decay: bool, maximize: bool,
) -> None:  # fmt: skip
    """See the contract."""
    for k, i, g in _elements(params, grads, 0.0 if decoupled_weight_decay else weight_decay, maximize):
        x, m, v, t = params[k], exp_avgs[k], exp_avg_sqs[k], steps[k]
        if decoupled_weight_decay and weight_decay != 0:
            x[i] *= 1 - lr * weight_decay
        m[i] += (1 - beta1) * (g - m[i])
        v[i] = beta2 * v[i] + (1 - beta2) * (g * g)
        largest = v[i]
        if max_exp_avg_sqs:
            max_exp_avg_sqs[k][i] = largest = np.maximum(max_exp_avg_sqs[k][i], v[i])
        root = (1 - beta2**t) ** 0.5
        x[i] -= lr * root / (1 - beta1**t) * (m[i] / (np.sqrt(largest) + eps * root))


def rmsprop(
    params: Arrays, grads: Arrays, square_avgs: Arrays, grad_avgs: Arrays, momentum_buffers: Arrays, *,
    lr: float, alpha: float, eps: float, weight_decay: float, momentum: float, maximize: bool,
) -> None:  # fmt: skip
    """See the contract."""
    for k, i, g in _elements(params, grads, weight_decay, maximize):
        square_avgs[k][i] = v = alpha * square_avgs[k][i] + (1 - alpha) * (g * g)
        if grad_avgs:
            a = grad_avgs[k]
            a[i] += (1 - alpha) * (g - a[i])
            v = np.maximum(v - a[i] * a[i], v.dtype.type(0))
        d = g / (np.sqrt(v) + eps)
        if momentum_buffers:
            momentum_buffers[k][i] = d = momentum * momentum_buffers[k][i] + d
        params[k][i] -= lr * d


def adagrad(
    params: Arrays, grads: Arrays, state_sums: Arrays, steps: Sequence[int], *,
    lr: float, lr_decay: float, weight_decay: float, eps: float, maximize: bool,
) -> None:  # fmt: skip
    """See the contract."""
    for k, i, g in _elements(params, grads, weight_decay, maximize):
        state_sums[k][i] += g * g
        params[k][i] -= lr / (1 + (steps[k] - 1) * lr_decay) * (g / (np.sqrt(state_sums[k][i]) + eps))


def adadelta(
    params: Arrays, grads: Arrays, square_avgs: Arrays, acc_deltas: Arrays, *,
    lr: float, rho: float, eps: float, weight_decay: float, maximize: bool,
) -> None:  # fmt: skip
    """See the contract."""
    for k, i, g in _elements(params, grads, weight_decay, maximize):
        v, u = square_avgs[k], acc_deltas[k]
        v[i] = rho * v[i] + (1 - rho) * (g * g)
        d = np.sqrt((u[i] + eps) / (v[i] + eps)) * g
        params[k][i] -= lr * d
        u[i] = rho * u[i] + (1 - rho) * (d * d)


def lerp(averages: Arrays, currents: Arrays, *, weight: float) -> None:
    """See the contract."""
    for k, i, p in _elements(averages, currents):
        averages[k][i] += weight * (p - averages[k][i])


def norm(grads: Arrays, order: float) -> Array:
    """See the contract."""
    sizes = [abs(np.float64(grads[k][i])) for k, i, _ in _elements(grads, grads)]
    total = np.float64(0)
    if math.isinf(order) and sizes:
        total = sizes[0]
        for size in sizes:
            total = np.maximum(total, size) if order > 0 else np.minimum(total, size)
    elif order == 0:
        total += sum(size != 0 for size in sizes)
    elif sizes:
        for size in sizes:
            total += size**order
        total = total ** (1 / order)
    return np.array(total, np.float64)


def clip_norm(grads: Arrays, total_norm: Array, max_norm: float) -> None:
    """See the contract."""
    factor = float(max_norm / (np.float64(total_norm) + 1e-6))
    if factor >= 1:
        return
    for k, i, g in _elements(grads, grads):
        grads[k][i] = factor * g


def clip_value(grads: Arrays, bound: float) -> None:
    """See the contract."""
    for k, i, g in _elements(grads, grads):
        grads[k][i] = np.minimum(np.maximum(g, g.dtype.type(-bound)), g.dtype.type(bound))


def _elements(
    params: Arrays, grads: Arrays, weight_decay: float = 0.0, maximize: bool = False
) -> Iterator[tuple[int, Any, Any]]:
    """The number of each parameter, the place of each of its elements, and the gradient there, as every step begins."""
    for k, (x, grad) in enumerate(zip(params, grads, strict=True)):
        for i in np.ndindex(x.shape):
            g = -grad[i] if maximize else grad[i]
            yield k, i, g + weight_decay * x[i] if weight_decay != 0 else g
