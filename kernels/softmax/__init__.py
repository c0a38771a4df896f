"""Softmax along an axis, its logarithm, the cross entropy of class numbers, and their gradients.

With K values x along the axis, Z = Σ e^x, p = e^x / Z, C classes, t a row's class, w the classes' weights (1 by default), s the
label smoothing, W = Σ w, and u = (1 − s)·w_t::

    forward                 y  = p
    backward                dx = y·(dy − Σ y·dy)
    log_forward             y  = x − log Z
    log_backward            dx = dy − e^y·Σ dy
    cross_entropy_forward   y  = u·(log Z − x_t) + s/C·Σ_c w_c·(log Z − x_c)   of each row
    cross_entropy_backward  dx_c = dy·(p_c·(u + s·W/C) − [c = t]·u − s/C·w_c)

log Z is kept as two numbers of a row, its greatest x and log Σ e^(x − greatest): logits of any size lose nothing by it. Cross
entropy makes nothing of the size of x on the way there, and dx alone on the way back. A row whose class is negative is left
out: its loss and gradient are 0.

A row of −inf alone has no distribution: NaN, or zeros where ``zeros`` asks for them. A NaN, or +inf, makes its row NaN.

Arrays are float32 or float64, all of one dtype, on one device, with any strides; class numbers are int64. None is written to.
What has the shape of x lies in memory in the order of its axes; the rows of cross entropy in C order. Rows may be none, and
K = 0 where there are no rows or nothing comes of it.

An implementation is given arguments that this file has checked, every keyword among them, and must keep to the same signatures.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core.device import Array, device_of, quiet
from minigrad.errors import ArgumentError, DeviceError, DTypeError, IndexingError, ShapeError
from minigrad.kernels.checks import check_arrays, check_rank, truth
from minigrad.kernels.choice import find

FUNCTIONS = (
    "forward",
    "backward",
    "log_forward",
    "log_backward",
    "cross_entropy_forward",
    "cross_entropy_backward",
)


def forward(x: Array, axis: int, *, zeros: bool = False) -> Array:
    """Softmax along an axis; what comes back has the shape of x.

    Args:
        x: one dimension or more.
        axis: counted from 0.
        zeros: a row of −inf alone gives zeros.

    Raises:
        ShapeError: no dimension.
        ArgumentError: there is no such axis.
        DTypeError: other than float32 or float64.
        KernelError: the chosen implementation cannot run.

    Example:
        >>> import numpy as np
        >>> forward(np.array([[0.0, 0.0], [0.0, 1000.0]]), 1)
        array([[0.5, 0.5],
               [0. , 1. ]])
    """
    device_type = _check_axis(axis, ("input", x))
    truth("softmax", zeros=zeros)
    with quiet():
        return find("softmax", device_type).forward(x, axis, zeros=zeros)


def backward(dy: Array, y: Array, axis: int) -> Array:
    """The gradient of :func:`forward` from its result.

    Raises:
        ShapeError, ArgumentError, DTypeError, DeviceError, KernelError: as :func:`forward`; two shapes; two devices.

    Example:
        >>> import numpy as np
        >>> backward(np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]]), 1)
        array([[ 0.25, -0.25]])
    """
    device_type = _check_axis(axis, ("output", y), ("grad_output", dy))
    with quiet():
        return find("softmax", device_type).backward(dy, y, axis)


def log_forward(x: Array, axis: int) -> Array:
    """The logarithm of softmax along an axis.

    Raises:
        ShapeError, ArgumentError, DTypeError, KernelError: as :func:`forward`.

    Example:
        >>> import numpy as np
        >>> log_forward(np.array([0.0, 1000.0]), 0)
        array([-1000.,     0.])
    """
    device_type = _check_axis(axis, ("input", x))
    with quiet():
        return find("softmax", device_type).log_forward(x, axis)


def log_backward(dy: Array, y: Array, axis: int) -> Array:
    """The gradient of :func:`log_forward` from its result.

    Raises:
        ShapeError, ArgumentError, DTypeError, DeviceError, KernelError: as :func:`backward`.

    Example:
        >>> import numpy as np
        >>> log_backward(np.array([[1.0, 0.0]]), np.array([[0.0, -np.inf]]), 1)
        array([[0., 0.]])
    """
    device_type = _check_axis(axis, ("output", y), ("grad_output", dy))
    with quiet():
        return find("softmax", device_type).log_backward(dy, y, axis)


def cross_entropy_forward(
    x: Array, target: Array, w: Array | None = None, *, smoothing: float = 0.0
) -> tuple[Array, Array, Array]:
    """The loss of each row: logits (R, C) and class numbers (R,) to (R,), and for the way back greatest and log-sum, (R,) each.

    Args:
        x: logits.
        target: int64, below C; a negative number leaves its row out.
        w: (C,), a weight for each class.
        smoothing: the share of the target that is spread over all classes, 0 to 1.

    Raises:
        ShapeError: shapes that do not fit, or no classes.
        IndexingError: a class number that is C or more.
        ArgumentError: ``smoothing`` outside 0 to 1.
        DTypeError: other than float32 or float64, two dtypes, or class numbers that are not int64.
        DeviceError: arrays on two devices.
        KernelError: the chosen implementation cannot run.

    Example:
        >>> import numpy as np
        >>> losses, greatest, log_sum = cross_entropy_forward(np.array([[0.0, 0.0], [7.0, 7.0]]), np.array([1, -1]))
        >>> losses.round(4), greatest, log_sum.round(4)
        (array([0.6931, 0.    ]), array([0., 7.]), array([0.6931, 0.6931]))
    """
    device_type = _check_classes(x, target, w)
    smoothing = _check_smoothing(smoothing)
    with quiet():
        return find("softmax", device_type).cross_entropy_forward(x, target, w, smoothing=smoothing)


def cross_entropy_backward(
    dy: Array,
    x: Array,
    target: Array,
    w: Array | None,
    greatest: Array,
    log_sum: Array,
    *,
    smoothing: float = 0.0,
) -> Array:
    """The gradient of :func:`cross_entropy_forward`: dx (R, C), from what it was given and what it found.

    Args:
        greatest, log_sum: as the forward pass gave them for this ``x``; with others the result may be any.

    Raises:
        ShapeError, IndexingError, ArgumentError, DTypeError, DeviceError, KernelError: as :func:`cross_entropy_forward`.

    Example:
        >>> import numpy as np
        >>> x, target = np.array([[0.0, 0.0]]), np.array([1])
        >>> cross_entropy_backward(np.array([2.0]), x, target, None, np.array([0.0]), np.log([2.0])).round(4)
        array([[ 1., -1.]])
    """
    rows = (("grad_output", dy), ("greatest", greatest), ("log_sum", log_sum))
    device_type = _check_classes(x, target, w, *rows)
    smoothing = _check_smoothing(smoothing)
    with quiet():
        return find("softmax", device_type).cross_entropy_backward(dy, x, target, w, greatest, log_sum, smoothing=smoothing)


def tolerance(function: str, *args: Any, **options: Any) -> tuple[Any, ...]:
    """How far an implementation may be from the reference: some roundings of each exponent and of the terms added."""
    from minigrad.kernels.softmax import bounds

    return getattr(bounds, function)(*args, **options)


# ---------------------------------------------------------------------- arguments


def _check_axis(axis: int, *named: tuple[str, Array]) -> str:
    device_type = check_arrays("softmax", named)
    name, x = named[0]
    if not x.ndim:
        raise ShapeError("softmax", name, "1 dimension or more", "none")
    if type(axis) is not int or not 0 <= axis < x.ndim:
        raise ArgumentError("softmax", "axis", f"a whole number from 0 to {x.ndim - 1}", repr(axis))
    for other_name, other in named[1:]:
        if other.shape != x.shape:
            raise ShapeError("softmax", other_name, f"shape {x.shape}, as {name} has", f"shape {other.shape}")
    return device_type


def _check_classes(x: Array, target: Array, w: Array | None, *rows: tuple[str, Array]) -> str:
    named = (("input", x), *rows) if w is None else (("input", x), *rows, ("weight", w))
    device_type = check_arrays("softmax", named)
    check_rank("softmax", "input", x, "rows, classes")
    if not x.shape[1]:
        raise ShapeError("softmax", "input", "at least 1 class", f"shape {x.shape}")
    if getattr(target, "dtype", None) != np.int64:
        got = str(getattr(target, "dtype", type(target).__name__))
        raise DTypeError("softmax", "target", "class numbers, int64", got, "Convert them with .astype('int64')")
    if device_of(target) != device_of(x):
        there, other = device_of(x), device_of(target)
        raise DeviceError("softmax", "target", f"an array on {there}", f"one on {other}", f"Move it there: .to('{there}')")
    for name, each in (("target", target), *rows):
        if each.shape != x.shape[:1]:
            raise ShapeError("softmax", name, f"shape {x.shape[:1]}, one for each row of input", f"shape {each.shape}")
    if w is not None and w.shape != x.shape[1:]:
        raise ShapeError("softmax", "weight", f"shape {x.shape[1:]}, one for each class", f"shape {w.shape}")
    if type(target) is np.ndarray and target.size and int(target.max()) >= x.shape[1]:  # on a GPU this would wait for it
        expected = f"class numbers below {x.shape[1]}, or negative ones, which are left out"
        raise IndexingError("softmax", "target", expected, str(int(target.max())))
    return device_type


def _check_smoothing(smoothing: float) -> float:
    if not isinstance(smoothing, (int, float)) or not 0 <= smoothing <= 1:
        raise ArgumentError("softmax", "smoothing", "a number from 0 to 1", repr(smoothing))
    return float(smoothing)
