"""Optimisers' steps on those rows of a table that have a gradient: what ``Embedding(sparse=True)`` asks for.

With a table x (V, ...), the numbers of K of its rows, rising and each once, gradients g (K, ...), and states of the table's
shape, for each named row and no other, g being −g with ``maximize``::

    sgd          x ← x − lr·g
    adagrad      v ← v + g²
                 x ← x − (lr·g) / (√v + eps)
    adam         m ← m + (1 − β₁)·(g − m)
                 v ← v + (1 − β₂)·(g² − v)
                 x ← x − size·(m / (√v + eps))

``size`` is lr·√(1 − β₂ᵗ) / (1 − β₁ᵗ), and Adagrad's lr has its decay in it already. The formulas are PyTorch's.

Factors are computed in float64 and then rounded to the arrays' dtype; each sum, product, quotient and root of elements is
rounded by itself in the order that the lines and brackets say. So all implementations give equal bits, however their work is
divided.

Table, gradients and states are float32 or float64, of one dtype, on one device, with any strides; row numbers are int64. Table
and states are changed in place, and may not overlap. V, K and all other sizes may be 0.

An implementation is given arguments that this file has checked, every keyword among them, and must keep to the same signatures.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core.device import Array, quiet
from minigrad.errors import ArgumentError, ShapeError
from minigrad.kernels.checks import check_arrays, check_row_numbers, numbers, truth
from minigrad.kernels.choice import find
from minigrad.kernels.doubts import doubt

FUNCTIONS = ("sgd", "adagrad", "adam")
WRITES = {"sgd": (0,), "adagrad": (0, 3), "adam": (0, 3, 4)}


def sgd(x: Array, rows: Array, grads: Array, *, lr: float, maximize: bool = False) -> None:
    """A step of stochastic gradient descent.

    Args:
        x: the table (V, ...), which is changed.
        rows: (K,) numbers of rows, int64, rising.
        grads: (K, ...), a gradient for each.

    Raises:
        ShapeError: shapes that do not fit.
        ArgumentError: memory that may not be written, a setting that is no number, or rows that do not rise.
        IndexingError: a number outside 0 to V - 1, with its place.
        DTypeError: other than float32 or float64, or two dtypes; row numbers that are not int64.
        DeviceError: arrays on two devices.
        KernelError: the chosen implementation cannot run.

    Example:
        >>> x = np.ones((3, 2))
        >>> sgd(x, np.array([1]), np.array([[1.0, 2.0]]), lr=0.5)
        >>> x.tolist()
        [[1.0, 1.0], [0.5, 0.0], [1.0, 1.0]]
    """
    device_type = _check("sgd", x, rows, grads)
    settings = numbers("sgd", lr=lr)
    truth("sgd", maximize=maximize)
    with quiet():
        find("row_update", device_type).sgd(x, rows, grads, **settings, maximize=maximize)


def adagrad(x: Array, rows: Array, grads: Array, sums: Array, *, lr: float, eps: float, maximize: bool = False) -> None:
    """A step of Adagrad.

    Args:
        x, rows, grads: as for :func:`sgd`.
        sums: v, of the table's shape, which is changed.

    Raises:
        ShapeError, ArgumentError, IndexingError, DTypeError, DeviceError, KernelError: as :func:`sgd`.

    Example:
        >>> x, v = np.ones((2, 1)), np.zeros((2, 1))
        >>> adagrad(x, np.array([1]), np.array([[2.0]]), v, lr=0.1, eps=0.0)
        >>> x.ravel(), v.ravel()
        (array([1. , 0.9]), array([0., 4.]))
    """
    device_type = _check("adagrad", x, rows, grads, sums=sums)
    settings = numbers("adagrad", lr=lr, eps=eps)
    truth("adagrad", maximize=maximize)
    with quiet():
        find("row_update", device_type).adagrad(x, rows, grads, sums, **settings, maximize=maximize)


def adam(
    x: Array, rows: Array, grads: Array, means: Array, squares: Array, *, size: float, beta1: float, beta2: float, eps: float,
    maximize: bool = False,
) -> None:  # fmt: skip
    """A step of Adam.

    Args:
        x, rows, grads: as for :func:`sgd`.
        means, squares: m and v, of the table's shape, which are changed.
        size: the learning rate with both corrections for the start.

    Raises:
        ShapeError, ArgumentError, IndexingError, DTypeError, DeviceError, KernelError: as :func:`sgd`.

    Example:
        >>> x, m, v = np.ones((2, 1)), np.zeros((2, 1)), np.zeros((2, 1))
        >>> adam(x, np.array([0]), np.array([[2.0]]), m, v, size=0.1, beta1=0.5, beta2=0.75, eps=0.0)
        >>> x.ravel(), m.ravel(), v.ravel()
        (array([0.9, 1. ]), array([1., 0.]), array([1., 0.]))
    """
    device_type = _check("adam", x, rows, grads, means=means, squares=squares)
    settings = numbers("adam", size=size, beta1=beta1, beta2=beta2, eps=eps)
    truth("adam", maximize=maximize)
    with quiet():
        find("row_update", device_type).adam(x, rows, grads, means, squares, **settings, maximize=maximize)


def tolerance(function: str, *args: Any, **settings: Any) -> tuple[Any, ...]:
    """How far an implementation may be from the reference: not at all."""
    return (0.0,) * (1 + len(WRITES[function]))


def _check(where: str, x: Array, rows: Array, grads: Array, **states: Array) -> str:
    """See that table, gradients and states fit; the device's type comes back."""
    device_type = check_arrays(where, (("param", x), ("grad", grads), *states.items()))
    if x.ndim < 1:
        raise ShapeError(where, "param", "a table of rows", f"shape {x.shape}")
    check_row_numbers(where, "rows", rows, x, x.shape[0])
    got = f"shape {rows.shape}" if rows.ndim != 1 else "some that do not rise"
    error = ArgumentError(where, "rows", "a vector of rising row numbers, each once", got, "Coalesce the gradient")
    if rows.ndim != 1:
        raise error
    doubt((rows[1:] <= rows[:-1]).any(), lambda: error)
    if grads.shape != (len(rows), *x.shape[1:]):
        expected = f"shape {(len(rows), *x.shape[1:])}, a row for each of the numbers"
        raise ShapeError(where, "grad", expected, f"shape {grads.shape}")
    for name, state in states.items():
        if state.shape != x.shape:
            raise ShapeError(where, name, f"shape {x.shape}, as the table has", f"shape {state.shape}")
    for name, array in (("param", x), *states.items()):
        if isinstance(array, np.ndarray) and not array.flags.writeable:
            raise ArgumentError(where, name, "memory that may be written", "a read-only array", "Copy it")
    return device_type
