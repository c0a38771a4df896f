"""The norm of gradients and its bounds, checked and passed on: the functions of the contract that know no parameters.

Their formulas stand with those of the optimisers, in ``__init__.py``.
"""

from __future__ import annotations

from minigrad.core.device import Array, quiet
from minigrad.errors import ArgumentError, ShapeError
from minigrad.kernels.checks import numbers
from minigrad.kernels.choice import find
from minigrad.kernels.update.arguments import Arrays, alike


def norm(grads: Arrays, order: float = 2.0) -> Array:
    """The norm of all arrays as if they were one vector, a float64 array of no dimensions, where they are; 0 of no elements.

    Raises:
        ArgumentError: ``order`` is no number.
        DTypeError, DeviceError, KernelError: as :func:`minigrad.kernels.update.sgd`.

    Example:
        >>> import numpy as np
        >>> norm([np.array([3.0]), np.array([[4.0]])]), norm([np.array([3.0, -4.0])], float("inf"))
        (array(5.), array(4.))
    """
    device_type = alike("norm", "grads", grads)
    order = numbers("norm", order=order)["order"]
    with quiet():
        return find("update", device_type).norm(grads, order)


def clip_norm(grads: Arrays, total_norm: Array, max_norm: float) -> None:
    """Scale arrays by ``max_norm`` / (``total_norm`` + 10⁻⁶), if that is below 1. The factor of a NaN is NaN.

    Args:
        total_norm: a float array of no dimensions, on their device.

    Raises:
        ShapeError: ``total_norm`` has dimensions.
        ArgumentError: ``max_norm`` is no number, or memory that may not be written.
        DTypeError, DeviceError, KernelError: as :func:`minigrad.kernels.update.sgd`.

    Example:
        >>> import numpy as np
        >>> g = np.array([3.0, 4.0])
        >>> clip_norm([g], norm([g]), 1.0)
        >>> g.round(4)
        array([0.6, 0.8])
    """
    device_type = alike("clip_norm", "grads", grads, written=True)
    if getattr(total_norm, "shape", None) != ():
        raise ShapeError("clip_norm", "total_norm", "an array of no dimensions", str(getattr(total_norm, "shape", total_norm)))
    limit = numbers("clip_norm", max_norm=max_norm)["max_norm"]
    with quiet():
        find("update", device_type).clip_norm(grads, total_norm, limit)


def clip_value(grads: Arrays, bound: float) -> None:
    """Bring all elements between −``bound`` and ``bound``; NaN stays.

    Raises:
        ArgumentError: ``bound`` is no number of 0 or more, or memory that may not be written.
        DTypeError, DeviceError, KernelError: as :func:`minigrad.kernels.update.sgd`.

    Example:
        >>> import numpy as np
        >>> g = np.array([3.0, -0.5])
        >>> clip_value([g], 1.0)
        >>> g
        array([ 1. , -0.5])
    """
    device_type = alike("clip_value", "grads", grads, written=True)
    bound = numbers("clip_value", bound=bound)["bound"]
    if not bound >= 0:
        raise ArgumentError("clip_value", "bound", "0 or more", str(bound))
    with quiet():
        find("update", device_type).clip_value(grads, bound)
