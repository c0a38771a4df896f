"""Activation functions, forward and backward, and the gate that lets some elements pass.

    forward    y  = f(x)
    backward   dx = f'(x)·dy
    gate       y  = factor·x where the mask is true, and 0 elsewhere, whatever x is there

========== ====================== ============================================== ==========================================
kind       numbers                y                                              dx / dy
========== ====================== ============================================== ==========================================
relu                              max(x, 0)                                      1 where y ≠ 0, else 0
hardtanh   low, high              min(max(x, low), high)                         1 where low < y < high, or y is nan, else 0
leaky_relu slope                  x where x > 0, else slope·x                    1 where x > 0, else slope
elu        alpha, scale, rate     scale·x where x > 0, else                      scale·alpha·rate·exp(rate·x) where x ≤ 0,
                                  scale·alpha·(exp(rate·x) − 1)                  else scale
softplus   beta, threshold        x where beta·x > threshold, else               1 where beta·x > threshold, else
                                  log(1 + exp(beta·x)) / beta                    σ(beta·x)
sigmoid                           σ(x) = 1 / (1 + exp(−x))                       y·(1 − y)
tanh                              tanh(x)                                        1 − y²
silu                              x·σ(x)                                         σ(x)·(1 + x·(1 − σ(x)))
gelu                              x·Φ(x), Φ(x) = (1 + erf(x / √2)) / 2           Φ(x) + x·exp(−x² / 2) / √(2π)
gelu_tanh                         x·(1 + t) / 2, t = tanh(u),                    (1 + t) / 2 + x·(1 − t²)·u' / 2,
                                  u = √(2/π)·x·(1 + 0.044715·x²)                 u' = √(2/π)·(1 + 3·0.044715·x²)
========== ====================== ============================================== ==========================================

``backward`` is given dy and what the last column is written in: y for relu, hardtanh, sigmoid and tanh, x for the others
(``SAVES``). Where the derivative of relu or hardtanh is 0, dx is 0 also for a dy that is infinite or nan. A nan of y lets dy
pass in these two, and one of x scale·dy in elu, as neither is 0 or below. Other products follow IEEE 754.

Arrays are float32 or float64 of one dtype and shape, on one device, with any strides, and are never written to; the mask holds
truth values. A result's axes lie in memory in the order of x's, or of what was saved.

An implementation is given arguments that this file has checked and must keep to the same signatures.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core.device import Array, device_of
from minigrad.errors import ArgumentError, DeviceError, DTypeError, ShapeError
from minigrad.kernels.checks import check_arrays
from minigrad.kernels.choice import find

FUNCTIONS = ("forward", "backward", "gate")
SAME_LAYOUT = FUNCTIONS
NUMBERS: dict[str, tuple[str, ...]] = {
    "relu": (),
    "hardtanh": ("low", "high"),
    "leaky_relu": ("slope",),
    "elu": ("alpha", "scale", "rate"),
    "softplus": ("beta", "threshold"),
    "sigmoid": (),
    "tanh": (),
    "silu": (),
    "gelu": (),
    "gelu_tanh": (),
}
SAVES = {kind: "output" if kind in ("relu", "hardtanh", "sigmoid", "tanh") else "input" for kind in NUMBERS}
_TRUTH = np.dtype(np.bool_)


def forward(x: Array, kind: str, *numbers: float) -> Array:
    """The activation function ``kind`` of each element: any shape to the same.

    Args:
        x: its argument.
        kind: one of the table's.
        numbers: those of the table.

    Raises:
        ArgumentError: another kind, or other than its numbers.
        DTypeError: other than float32 or float64.
        KernelError: the chosen implementation cannot run.

    Example:
        >>> import numpy as np
        >>> forward(np.array([-2.0, 3.0]), "leaky_relu", 0.5)
        array([-1.,  3.])
    """
    device_type = check_arrays("activation", (("input", x),))
    _check_kind(kind, numbers)
    return find("activation", device_type).forward(x, kind, *numbers)


def backward(dy: Array, saved: Array, kind: str, *numbers: float) -> Array:
    """The gradient of :func:`forward`: two arrays of one shape to the same.

    Args:
        dy: the gradient of the result.
        saved: the result or the argument of the forward call, as ``SAVES`` has it.
        kind, numbers: those of the forward call.

    Raises:
        ShapeError: two shapes.
        ArgumentError, DTypeError, KernelError: as :func:`forward`.
        DeviceError: arrays on two devices.

    Example:
        >>> import numpy as np
        >>> backward(np.array([np.inf, 7.0]), np.array([0.0, 3.0]), "relu")
        array([0., 7.])
    """
    device_type = check_arrays("activation", (("grad_output", dy), (SAVES.get(kind, "input"), saved)))
    _check_kind(kind, numbers)
    if dy.shape != saved.shape:
        raise ShapeError("activation", "grad_output", f"shape {saved.shape}, as {SAVES[kind]} has", f"shape {dy.shape}")
    return find("activation", device_type).backward(dy, saved, kind, *numbers)


def gate(x: Array, mask: Array, factor: float = 1.0) -> Array:
    """``factor * x`` where the mask is true, and 0 elsewhere: dropout, and the derivative of all that is cut off.

    Args:
        x: any shape.
        mask: truth values of the same shape.
        factor: what passes is multiplied by it.

    Raises:
        ShapeError: two shapes.
        DTypeError: other than float32 or float64, or a mask of other than truth values.
        DeviceError: arrays on two devices.
        KernelError: the chosen implementation cannot run.

    Example:
        >>> import numpy as np
        >>> gate(np.array([1.0, np.inf, 3.0]), np.array([True, False, True]), 2.0)
        array([2., 0., 6.])
    """
    device_type = check_arrays("gate", (("input", x),))
    if isinstance(mask, np.generic):
        raise DTypeError("gate", "mask", "an array of truth values (bool)", f"a {type(mask).__name__}", "Use np.asarray(mask)")
    if getattr(mask, "dtype", None) != _TRUTH:
        raise DTypeError("gate", "mask", "truth values (bool)", str(getattr(mask, "dtype", type(mask).__name__)))
    if mask.shape != x.shape:
        raise ShapeError("gate", "mask", f"shape {x.shape}, as input has", f"shape {mask.shape}")
    if type(mask) is not type(x) or (type(x) is not np.ndarray and device_of(mask) != device_of(x)):
        there, got = device_of(x), device_of(mask)
        raise DeviceError(
            "gate", "mask", f"an array on {there}, as input is", f"one on {got}", f"Move it there: .to('{there}')"
        )
    return find("activation", device_type).gate(x, mask, factor)


def tolerance(function: str, *args: Any) -> tuple[Any, ...]:
    """How far an implementation may be from the reference; see :mod:`minigrad.kernels.activation.bounds`."""
    from minigrad.kernels.activation import bounds

    return (getattr(bounds, function)(*args),)


def _check_kind(kind: str, numbers: tuple[float, ...]) -> None:
    names = NUMBERS.get(kind) if isinstance(kind, str) else None
    if names is None:
        raise ArgumentError("activation", "kind", f"one of {', '.join(NUMBERS)}", repr(kind))
    if len(numbers) != len(names):
        expected = ", ".join(names) or "none"
        raise ArgumentError("activation", "numbers", f"those of {kind}: {expected}", f"{len(numbers)} of them")
