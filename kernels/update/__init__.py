"""What an optimiser does to all parameters of a group at each step, in one call; and the norm of gradients and its bounds.

With a parameter's element x, its gradient g, the settings as they are named below, and t the number of the step::

    every step   g ← −g  if maximize,  then  g ← g + weight_decay·x  if weight_decay ≠ 0
    sgd          b ← momentum·b + (1 − dampening)·g                 b ← g where first;  without momentum d = g
                 x ← x − lr·d                                       d = momentum·b + g  if nesterov,  else b
    adam         m ← m + (1 − β₁)·(g − m)
                 v ← β₂·v + (1 − β₂)·g²                             w ← max(w, v) stands for v below  if there is a w
                 x ← x − lr·√(1 − β₂ᵗ)/(1 − β₁ᵗ) · (m / (√v + eps·√(1 − β₂ᵗ)))
                                                                    decoupled_weight_decay: x ← (1 − lr·weight_decay)·x before
    rmsprop      v ← alpha·v + (1 − alpha)·g²
                 a ← a + (1 − alpha)·(g − a),  z = max(v − a², 0)  if there is an a (centered);  else z = v
                 d = g / (√z + eps);  b ← momentum·b + d stands for it  if there is a b
                 x ← x − lr·d
    adagrad      v ← v + g²
                 x ← x − lr/(1 + (t − 1)·lr_decay) · (g / (√v + eps))
    adadelta     v ← rho·v + (1 − rho)·g²
                 d = √((u + eps) / (v + eps)) · g
                 x ← x − lr·d,  u ← rho·u + (1 − rho)·d²
    lerp         a ← a + weight·(p − a)
    norm         (Σ |g|^order)^(1/order) over all elements of all arrays, the sum in float64; the largest or smallest |g| for
                 an order of ∞ or −∞; how many g ≠ 0 for 0
    clip_norm    g ← g · max_norm / (total_norm + 10⁻⁶)  where that factor is below 1
    clip_value   g ← min(max(g, −bound), bound)

The formulas of the optimisers are PyTorch's (see ``minigrad/optim`` for the papers). Adam's last line has both corrections of
the means taken out of the fraction.

Factors that stand between dots or brackets without an element, such as (1 − β₁), are computed in float64 and then rounded to
the arrays' dtype; each sum, product, quotient, root and maximum of elements is rounded by itself in the order that the lines
and brackets say (no fused multiply-add). So all implementations of an update give equal bits, however their work is divided,
and a run may go on with another. ``norm`` alone may differ in the rounding of its float64 sum.

Sequences of arrays are of one length, float32 or float64, all of one dtype, on one device; arrays at one place have one shape,
any strides, any size, 0 too. What is changed is changed in place: parameters and states, for ``clip_`` the gradients; they
may not overlap each other. Gradients of the steps are never written to. A state that the settings do without is an empty
sequence. Only ``norm`` gives a result.

An implementation is given arguments that this file has checked, every keyword among them, and must keep to the same signatures.
Parameters and states come as ``Held``: see ``held.py``; whoever calls at each step does well to give them so. ``norm`` and
the ``clip_`` functions stand in ``gradients.py``, what is checked in ``arguments.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.core.device import quiet
from minigrad.errors import ArgumentError
from minigrad.kernels.checks import numbers, truth
from minigrad.kernels.choice import find
from minigrad.kernels.update.arguments import Arrays, all_there, ready, step_numbers
from minigrad.kernels.update.gradients import clip_norm, clip_value, norm
from minigrad.kernels.update.held import Held, hold

FUNCTIONS = ("sgd", "adam", "rmsprop", "adagrad", "adadelta", "lerp", "norm", "clip_norm", "clip_value")
WRITES = {
    "sgd": (0, 2),
    "adam": (0, 2, 3, 4),
    "rmsprop": (0, 2, 3, 4),
    "adagrad": (0, 2),
    "adadelta": (0, 2, 3),
    "lerp": (0,),
    "clip_norm": (0,),
    "clip_value": (0,),
}


def sgd(
    params: Arrays,
    grads: Arrays,
    momentum_buffers: Arrays,
    first: Sequence[bool],
    *,
    lr: float,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
    maximize: bool = False,
) -> None:
    """A step of stochastic gradient descent.

    Args:
        momentum_buffers: b of each parameter; empty without momentum.
        first: for each b, whether it holds nothing yet; empty without momentum.

    Raises:
        ShapeError: other lengths, or shapes that differ.
        ArgumentError: memory that may not be written, a setting that is no number, or buffers that ``momentum`` does not fit.
        DTypeError: other than float32 or float64, or two dtypes.
        DeviceError: arrays on two devices.
        KernelError: the chosen implementation cannot run.

    Example:
        >>> x = np.ones(2)
        >>> sgd([x], [np.array([1.0, 2.0])], (), (), lr=0.5)
        >>> x
        array([0.5, 0. ])
    """
    held = ready("sgd", grads, params=params, momentum_buffers=momentum_buffers)
    settings = numbers("sgd", lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay)
    truth("sgd", nesterov=nesterov, maximize=maximize)
    if bool(held[1]) is not (settings["momentum"] != 0 and len(held[0]) > 0) or len(first) != len(held[1]):
        expected, got = "one for each parameter if there is momentum, else none", f"{len(held[1])} and {len(first)}"
        raise ArgumentError("sgd", "momentum_buffers, first", expected, f"{got} with momentum {momentum}")
    with quiet():
        run = find("update", held[0].device_type).sgd
        run(held[0], grads, held[1], tuple(first), **settings, nesterov=nesterov, maximize=maximize)


def adam(
    params: Arrays,
    grads: Arrays,
    exp_avgs: Arrays,
    exp_avg_sqs: Arrays,
    max_exp_avg_sqs: Arrays,
    steps: Sequence[int],
    *,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float = 0.0,
    decoupled_weight_decay: bool = False,
    maximize: bool = False,
) -> None:
    """A step of Adam, of AdamW with ``decoupled_weight_decay``.

    Args:
        exp_avgs, exp_avg_sqs: m and v of each parameter.
        max_exp_avg_sqs: w of each, for AMSGrad; else empty.
        steps: t of each, 1 at the first step.

    Raises:
        ShapeError, ArgumentError, DTypeError, DeviceError, KernelError: as :func:`sgd`.

    Example:
        >>> x, m, v = np.ones(1), np.zeros(1), np.zeros(1)
        >>> adam([x], [np.array([3.0])], [m], [v], (), [1], lr=0.1, beta1=0.9, beta2=0.999, eps=0.0)
        >>> x.round(6)
        array([0.9])
    """
    held = ready("adam", grads, params=params, exp_avgs=exp_avgs, exp_avg_sqs=exp_avg_sqs, max_exp_avg_sqs=max_exp_avg_sqs)
    settings = numbers("adam", lr=lr, beta1=beta1, beta2=beta2, eps=eps, weight_decay=weight_decay)
    truth("adam", decoupled_weight_decay=decoupled_weight_decay, maximize=maximize)
    steps = step_numbers("adam", steps, held[0])
    all_there("adam", exp_avgs=held[1], exp_avg_sqs=held[2], beside=held[0])
    with quiet():
        find("update", held[0].device_type).adam(
            held[0], grads, held[1], held[2], held[3], steps,
            **settings, decoupled_weight_decay=decoupled_weight_decay, maximize=maximize,
        )  # fmt: skip


def rmsprop(
    params: Arrays,
    grads: Arrays,
    square_avgs: Arrays,
    grad_avgs: Arrays,
    momentum_buffers: Arrays,
    *,
    lr: float,
    alpha: float,
    eps: float,
    weight_decay: float = 0.0,
    momentum: float = 0.0,
    maximize: bool = False,
) -> None:
    """A step of RMSprop.

    Args:
        square_avgs: v of each parameter.
        grad_avgs: a of each, if the squares are to be centered; else empty.
        momentum_buffers: b of each, if there is momentum; else empty.

    Raises:
        ShapeError, ArgumentError, DTypeError, DeviceError, KernelError: as :func:`sgd`.

    Example:
        >>> x, v = np.ones(1), np.zeros(1)
        >>> rmsprop([x], [np.array([2.0])], [v], (), (), lr=0.1, alpha=0.75, eps=0.0)
        >>> x, v
        (array([0.8]), array([1.]))
    """
    held = ready(
        "rmsprop", grads,
        params=params, square_avgs=square_avgs, grad_avgs=grad_avgs, momentum_buffers=momentum_buffers,
    )  # fmt: skip
    settings = numbers("rmsprop", lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum)
    truth("rmsprop", maximize=maximize)
    all_there("rmsprop", square_avgs=held[1], beside=held[0])
    with quiet():
        run = find("update", held[0].device_type).rmsprop
        run(held[0], grads, held[1], held[2], held[3], **settings, maximize=maximize)


def adagrad(
    params: Arrays,
    grads: Arrays,
    state_sums: Arrays,
    steps: Sequence[int],
    *,
    lr: float,
    lr_decay: float = 0.0,
    weight_decay: float = 0.0,
    eps: float,
    maximize: bool = False,
) -> None:
    """A step of Adagrad.

    Args:
        state_sums: v of each parameter.
        steps: t of each, 1 at the first step.

    Raises:
        ShapeError, ArgumentError, DTypeError, DeviceError, KernelError: as :func:`sgd`.

    Example:
        >>> x, v = np.ones(1), np.zeros(1)
        >>> adagrad([x], [np.array([2.0])], [v], [1], lr=0.1, eps=0.0)
        >>> x, v
        (array([0.9]), array([4.]))
    """
    held = ready("adagrad", grads, params=params, state_sums=state_sums)
    settings = numbers("adagrad", lr=lr, lr_decay=lr_decay, weight_decay=weight_decay, eps=eps)
    truth("adagrad", maximize=maximize)
    steps = step_numbers("adagrad", steps, held[0])
    all_there("adagrad", state_sums=held[1], beside=held[0])
    with quiet():
        find("update", held[0].device_type).adagrad(held[0], grads, held[1], steps, **settings, maximize=maximize)


def adadelta(
    params: Arrays,
    grads: Arrays,
    square_avgs: Arrays,
    acc_deltas: Arrays,
    *,
    lr: float,
    rho: float,
    eps: float,
    weight_decay: float = 0.0,
    maximize: bool = False,
) -> None:
    """A step of Adadelta.

    Args:
        square_avgs, acc_deltas: v and u of each parameter.

    Raises:
        ShapeError, ArgumentError, DTypeError, DeviceError, KernelError: as :func:`sgd`.

    Example:
        >>> x, v, u = np.ones(1), np.zeros(1), np.zeros(1)
        >>> adadelta([x], [np.array([2.0])], [v], [u], lr=1.0, rho=0.75, eps=1.0)
        >>> x.round(6), v, u.round(6)
        (array([-0.414214]), array([1.]), array([0.5]))
    """
    held = ready("adadelta", grads, params=params, square_avgs=square_avgs, acc_deltas=acc_deltas)
    settings = numbers("adadelta", lr=lr, rho=rho, eps=eps, weight_decay=weight_decay)
    truth("adadelta", maximize=maximize)
    all_there("adadelta", square_avgs=held[1], acc_deltas=held[2], beside=held[0])
    with quiet():
        find("update", held[0].device_type).adadelta(held[0], grads, held[1], held[2], **settings, maximize=maximize)


def lerp(averages: Arrays, currents: Arrays, *, weight: float) -> None:
    """Move running averages towards what is averaged, by the share ``weight`` of the way.

    Raises:
        ShapeError, ArgumentError, DTypeError, DeviceError, KernelError: as :func:`sgd`.

    Example:
        >>> a = np.zeros(2)
        >>> lerp([a], [np.array([4.0, 8.0])], weight=0.25)
        >>> a
        array([1., 2.])
    """
    (held,) = ready("lerp", currents, averages=averages)
    with quiet():
        find("update", held.device_type).lerp(held, currents, **numbers("lerp", weight=weight))


def tolerance(function: str, *args: Any, **settings: Any) -> tuple[Any, ...]:
    """How far an implementation may be from the reference: not at all, but for ``norm``: (n + 8)·eps of n elements."""
    if function != "norm":
        return (0.0,) * (1 + len(WRITES[function]))
    from minigrad.kernels.update import reference

    grads, order = args
    terms = sum(array.size for array in grads) + 8
    share = 1.0 / min(abs(order), 1.0) if order else 1.0  # an error of the sum is 1/order times that in the norm
    return (terms * share * float(np.finfo(np.float64).eps) * abs(float(reference.norm(grads, order))),)


__all__ = [
    "FUNCTIONS", "WRITES", "Held", "adadelta", "adagrad", "adam", "clip_norm", "clip_value", "hold", "lerp", "norm",
    "rmsprop", "sgd", "tolerance",
]  # fmt: skip
