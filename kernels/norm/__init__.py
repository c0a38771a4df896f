"""Normalization: numbers brought to mean 0 and variance 1 together, then scaled and shifted; and its gradients.

What is normalized together is a group of channels, over the whole batch or in each sample by itself (batch, instance and group
norm); or a row (layer norm). With x (N, C, ...), G groups that divide C, and S = 1, or S = N where samples are by themselves::

    statistics          mean[s,g], var[s,g]  of the group's values: float64, and the variance that divides by their number
    normalize           y  = max(w·n + b (+ residual), 0),   n = (x − mean)·r,   r = 1/√(var + eps);   the max only with relu
    gradients           dx = r·(w·g − M[w·g] − n·M[w·g·n]),   dw = Σ g·n,   db = Σ g;   M the group's mean
                        g  = dy, or with relu dy where the forward's sum was not at most 0, and 0 elsewhere
    residual_gradients  the same from the forward's y, with relu and residual: g = dy where not y <= 0, which is also residual's
    layer_forward       y = w·n + b of each row (R, K), with w and b (K,), and the row's mean and var (R,), float64
    layer_backward      dx, dw, db of these

Means lie in float64 so that values far from 0 keep their digits: mean 10,000 and deviation 1 in float32 is as exact as mean 0.
Where the gate of relu is computed again from x, a sum within rounding of 0 may fall on either side of it.

w, b (C,) and residual, of the shape of x, may be ``None``. Arrays other than mean and var are float32 or float64, all of one
dtype, on one device, with any strides; none is written to. y, dx and the residual's gradient lie channels-last in memory (rows
in C order). All sizes but C and K may be 0, and statistics of no values are NaN. A float64 beyond 1e150 may overflow where it
is squared.

An implementation is given arguments that this file has checked, every keyword among them, and must keep to the same signatures.

Sources: Ioffe and Szegedy, "Batch Normalization"; Ba and others, "Layer Normalization"; Wu and He, "Group Normalization".
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigrad.core.device import Array, device_of, quiet
from minigrad.errors import ArgumentError, DeviceError, DTypeError, ShapeError
from minigrad.kernels.checks import check_arrays, check_rank, integers, truth
from minigrad.kernels.choice import find

FUNCTIONS = ("statistics", "normalize", "gradients", "residual_gradients", "layer_forward", "layer_backward")


def statistics(x: Array, groups: int, *, own: bool = False) -> tuple[Array, Array]:
    """Mean and variance of each group of channels: (N, C, ...) to two arrays (1, G), or (N, G), float64.

    Args:
        x: images or rows.
        groups: G, which divides C; C itself for batch and instance norm.
        own: each sample by itself.

    Raises:
        ShapeError: fewer than 2 dimensions, no channels, or channels that ``groups`` does not divide.
        ArgumentError: ``groups`` below 1.
        DTypeError: other than float32 or float64.
        KernelError: the chosen implementation cannot run.

    Example:
        >>> import numpy as np
        >>> mean, var = statistics(np.array([[1.0, 10.0], [3.0, 30.0]]), 2)
        >>> mean, var
        (array([[ 2., 20.]]), array([[  1., 100.]]))
    """
    device_type = _check_image("input", x)
    truth("norm", own=own)
    (groups,) = integers("norm", "groups", (groups,), "a whole number, 1 or more", 1)
    if x.shape[1] % groups:
        raise ShapeError("norm", "input", f"a number of channels that groups={groups} divides", f"shape {x.shape}")
    with quiet():
        return find("norm", device_type).statistics(x, groups, own=own)


def normalize(
    x: Array,
    mean: Array,
    var: Array,
    w: Array | None = None,
    b: Array | None = None,
    residual: Array | None = None,
    *,
    eps: float = 1e-5,
    relu: bool = False,
) -> Array:
    """Normalize by given statistics, then scale, shift, add and rectify: (N, C, ...) to the same shape.

    Args:
        x: images or rows.
        mean, var: (S, G), float64.
        w, b: (C,), scale and shift.
        residual: of the shape of x; added before the rectifier.
        eps: added to the variance.
        relu: set what is below 0 to 0. NaN stays.

    Raises:
        ShapeError: shapes that do not fit.
        ArgumentError: ``eps`` below 0.
        DTypeError: other than float32 or float64, two dtypes, or other statistics than float64.
        DeviceError: arrays on two devices.
        KernelError: the chosen implementation cannot run.

    Example:
        >>> import numpy as np
        >>> x, mean, var = np.array([[1.0, 10.0], [3.0, 30.0]]), np.array([[2.0, 20.0]]), np.array([[1.0, 100.0]])
        >>> normalize(x, mean, var, eps=0.0, relu=True)
        array([[0., 0.],
               [1., 1.]])
    """
    device_type = _check_image("input", x, ("weight", w), ("bias", b), ("residual", residual))
    _check_statistics(x, mean, var)
    _check_channels(x, ("weight", w), ("bias", b))
    _check_same(x, "residual", residual)
    eps = _check_eps(eps)
    truth("norm", relu=relu)
    with quiet():
        return find("norm", device_type).normalize(x, mean, var, w, b, residual, eps=eps, relu=relu)


def gradients(
    dy: Array,
    x: Array,
    mean: Array,
    var: Array,
    w: Array | None = None,
    b: Array | None = None,
    *,
    eps: float = 1e-5,
    relu: bool = False,
) -> tuple[Array, Array, Array]:
    """The gradients of normalization by x's own statistics, without a residual: dx (N, C, ...), dw and db (C,).

    Args:
        dy: the gradient of the forward's result, of the shape of x.
        x, mean, var, w, b, eps, relu: as they were given to :func:`normalize`. b matters with ``relu`` only.

    Raises:
        ShapeError, ArgumentError, DTypeError, DeviceError, KernelError: as :func:`normalize`.

    Example:
        >>> import numpy as np
        >>> x = np.array([[1.0], [3.0]])
        >>> dx, dw, db = gradients(np.array([[0.0], [2.0]]), x, np.array([[2.0]]), np.array([[1.0]]), eps=0.0)
        >>> dx.tolist(), dw, db
        ([[0.0], [0.0]], array([2.]), array([2.]))
    """
    device_type = _check_image("input", x, ("grad_output", dy), ("weight", w), ("bias", b))
    _check_same(x, "grad_output", dy)
    _check_statistics(x, mean, var)
    _check_channels(x, ("weight", w), ("bias", b))
    eps = _check_eps(eps)
    truth("norm", relu=relu)
    with quiet():
        return find("norm", device_type).gradients(dy, x, mean, var, w, b, eps=eps, relu=relu)


def residual_gradients(
    dy: Array, y: Array, x: Array, mean: Array, var: Array, w: Array | None = None, *, eps: float = 1e-5
) -> tuple[Array, Array, Array, Array]:
    """The gradients of max(normalized x + residual, 0): dx (N, C, ...), dw and db (C,), and the residual's (N, C, ...).

    Args:
        dy: the gradient of the forward's result.
        y: the forward's result.
        x, mean, var, w, eps: as they were given to :func:`normalize`.

    Raises:
        ShapeError, ArgumentError, DTypeError, DeviceError, KernelError: as :func:`normalize`.

    Example:
        >>> import numpy as np
        >>> x, one = np.array([[1.0], [3.0]]), np.ones((1, 1))
        >>> *_, d_residual = residual_gradients(np.array([[5.0], [2.0]]), np.array([[0.0], [1.0]]), x, 2 * one, one, eps=0.0)
        >>> d_residual.tolist()
        [[0.0], [2.0]]
    """
    device_type = _check_image("input", x, ("grad_output", dy), ("output", y), ("weight", w))
    _check_same(x, "grad_output", dy)
    _check_same(x, "output", y)
    _check_statistics(x, mean, var)
    _check_channels(x, ("weight", w))
    eps = _check_eps(eps)
    with quiet():
        return find("norm", device_type).residual_gradients(dy, y, x, mean, var, w, eps=eps)


def layer_forward(x: Array, w: Array | None = None, b: Array | None = None, *, eps: float = 1e-5) -> tuple[Array, Array, Array]:
    """Each row normalized: (R, K), and (K,) for scale and shift, to y (R, K) and the rows' mean and variance (R,), float64.

    Raises:
        ShapeError, ArgumentError, DTypeError, DeviceError, KernelError: as :func:`normalize`.

    Example:
        >>> import numpy as np
        >>> layer_forward(np.array([[1.0, 3.0], [10.0, 30.0]]), eps=0.0)
        (array([[-1.,  1.],
               [-1.,  1.]]), array([ 2., 20.]), array([  1., 100.]))
    """
    device_type = _check_rows(x, ("weight", w), ("bias", b))
    eps = _check_eps(eps)
    with quiet():
        return find("norm", device_type).layer_forward(x, w, b, eps=eps)


def layer_backward(
    dy: Array, x: Array, mean: Array, var: Array, w: Array | None = None, *, eps: float = 1e-5
) -> tuple[Array, Array, Array]:
    """The gradients of :func:`layer_forward`: dx (R, K), dw and db (K,), from what it was given and what it found.

    Raises:
        ShapeError, ArgumentError, DTypeError, DeviceError, KernelError: as :func:`normalize`.

    Example:
        >>> import numpy as np
        >>> x = np.array([[1.0, 3.0]])
        >>> dx, dw, db = layer_backward(np.array([[0.0, 2.0]]), x, np.array([2.0]), np.array([1.0]), eps=0.0)
        >>> dx.tolist(), dw, db
        ([[0.0, 0.0]], array([0., 2.]), array([0., 2.]))
    """
    device_type = _check_rows(x, ("weight", w), grad_output=dy)
    _check_same(x, "grad_output", dy)
    eps = _check_eps(eps)
    for name, values in (("mean", mean), ("var", var)):
        _check_wide(x, name, values)
        if values.shape != x.shape[:1]:
            raise ShapeError("norm", name, f"shape {x.shape[:1]}, a value for each row of input", f"shape {values.shape}")
    with quiet():
        return find("norm", device_type).layer_backward(dy, x, mean, var, w, eps=eps)


def tolerance(function: str, *args: Any, **options: Any) -> tuple[Any, ...]:
    """How far an implementation may be from the reference; see the functions of :mod:`minigrad.kernels.norm.bounds`."""
    from minigrad.kernels.norm import bounds

    return getattr(bounds, function)(*args, **options)


# ---------------------------------------------------------------------- arguments


def _check_image(name: str, x: Array, *others: tuple[str, Array | None]) -> str:
    device_type = check_arrays("norm", ((name, x), *[(n, each) for n, each in others if each is not None]))
    if x.ndim < 2:
        raise ShapeError("norm", name, "2 dimensions (N, C) or more", f"shape {x.shape}")
    if not x.shape[1]:
        raise ShapeError("norm", name, "at least 1 channel", f"shape {x.shape}")
    return device_type


def _check_rows(x: Array, *channels: tuple[str, Array | None], grad_output: Array | None = None) -> str:
    named = (("input", x), ("grad_output", grad_output), *channels)
    device_type = check_arrays("norm", tuple([(n, each) for n, each in named if each is not None]))
    check_rank("norm", "input", x, "R, K")
    if not x.shape[1]:
        raise ShapeError("norm", "input", "rows of at least 1 value", f"shape {x.shape}")
    _check_channels(x, *channels)
    return device_type


def _check_channels(x: Array, *named: tuple[str, Array | None]) -> None:
    for name, values in named:
        if values is not None and values.shape != (x.shape[1],):
            expected = f"shape ({x.shape[1]},), as input has shape {x.shape}"
            raise ShapeError("norm", name, expected, f"shape {values.shape}")


def _check_same(x: Array, name: str, other: Array | None) -> None:
    if other is not None and other.shape != x.shape:
        raise ShapeError("norm", name, f"shape {x.shape}, as input has", f"shape {other.shape}")


def _check_wide(x: Array, name: str, values: Array) -> None:
    if getattr(values, "dtype", None) != np.float64:
        got = str(getattr(values, "dtype", type(values).__name__))
        raise DTypeError("norm", name, "float64, whatever input is", got, "Convert it with .astype('float64')")
    if device_of(values) != device_of(x):
        there, other = device_of(x), device_of(values)
        raise DeviceError(
            "norm", name, f"an array on {there}, as input is", f"one on {other}", f"Move it there: .to('{there}')"
        )


def _check_statistics(x: Array, mean: Array, var: Array) -> None:
    for name, values in (("mean", mean), ("var", var)):
        _check_wide(x, name, values)
        shape = values.shape
        if len(shape) != 2 or shape[0] not in (1, x.shape[0]) or not shape[1] or x.shape[1] % shape[1] or shape != mean.shape:
            expected = f"shape (1, G) or ({x.shape[0]}, G), with G groups that divide {x.shape[1]} channels, the same for both"
            raise ShapeError("norm", name, expected, f"shape {shape}")


def _check_eps(eps: float) -> float:
    if not isinstance(eps, (int, float)) or not 0 <= eps < math.inf:
        raise ArgumentError("norm", "eps", "a finite number, 0 or more", repr(eps))
    return float(eps)
