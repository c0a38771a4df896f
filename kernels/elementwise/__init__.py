"""Sums and products of two large arrays, element by element.

    add         z = x + y
    multiply    z = x·y
    accumulate  x += y, in x's own memory

x and y are float32 or float64, of one dtype and shape, on one device, with any strides. Only ``accumulate`` writes into an
argument: into x, which must be writable and of which no two elements may share their memory; y lies in other memory, or is x.
The axes of z lie in memory in the order of x's.

Small arrays are not worth the way here: NumPy's operators are as quick.

An implementation is given arguments that this file has checked and must keep to the same signatures.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core.device import Array, quiet
from minigrad.errors import ShapeError
from minigrad.kernels.checks import check_arrays
from minigrad.kernels.choice import find

FUNCTIONS = ("add", "multiply", "accumulate")
SAME_LAYOUT = ("add", "multiply")
WRITES = {"accumulate": (0,)}


def add(x: Array, y: Array) -> Array:
    """``x + y``, of one shape.

    Raises:
        ShapeError: two shapes.
        DTypeError: other than float32 or float64, or two dtypes.
        DeviceError: arrays on two devices.
        KernelError: the chosen implementation cannot run.

    Example:
        >>> import numpy as np
        >>> add(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
        array([4., 6.])
    """
    device_type = _check("add", x, y)
    with quiet():
        return find("elementwise", device_type).add(x, y)


def multiply(x: Array, y: Array) -> Array:
    """``x * y``, of one shape. See :func:`add`.

    Example:
        >>> import numpy as np
        >>> multiply(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
        array([3., 8.])
    """
    device_type = _check("multiply", x, y)
    with quiet():
        return find("elementwise", device_type).multiply(x, y)


def accumulate(x: Array, y: Array) -> None:
    """``x += y``, of one shape. See :func:`add`.

    Example:
        >>> import numpy as np
        >>> x = np.array([1.0, 2.0])
        >>> accumulate(x, np.array([3.0, 4.0])); x
        array([4., 6.])
    """
    device_type = _check("accumulate", x, y)
    with quiet():
        find("elementwise", device_type).accumulate(x, y)


def tolerance(function: str, x: Array, y: Array) -> tuple[Any, ...]:
    """One rounding, half an eps of the result."""
    size = np.abs(x.astype(np.float64) * y) if function == "multiply" else np.abs(x.astype(np.float64)) + np.abs(y)
    bound = np.finfo(x.dtype).eps * np.minimum(size, np.finfo(x.dtype).max) + float(np.finfo(x.dtype).tiny)
    return (0.0, bound) if function == "accumulate" else (bound,)


def _check(where: str, x: Array, y: Array) -> str:
    device_type = check_arrays(where, (("x", x), ("y", y)))
    if x.shape != y.shape:
        raise ShapeError(where, "y", f"shape {x.shape}, as x has", f"shape {y.shape}", "Broadcast it first")
    return device_type
