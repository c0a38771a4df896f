"""The likeliest classes of a linear layer's softmax: what a search for the best sentence asks of its last layer.

With x (R, F), W (C, F), a bias b (C,) or none, and a row's logits a = W x + b::

    forward    log Z  = log Σ e^a                     over all classes
               classes, values = the K with the largest a − log Z, the largest first

Classes that are left out count in Z and then have a logit of −inf. Equal ones come in the order of their numbers. In a row that
has no distribution (a NaN or +inf among its logits, or −inf alone) all values are NaN and the classes are the first K.

Arrays are float32 or float64, all of one dtype, on one device, with any strides; none is written to. R and F may be 0; K is 1
at least and C at most. ``memo`` is a dict in which an implementation may keep what it derives from the weights; who hands the
same dict again promises that they are unchanged.

An implementation is given arguments that this file has checked, every keyword among them, and must keep to the same signatures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module, quiet
from minigrad.errors import ArgumentError, IndexingError, ShapeError
from minigrad.kernels.checks import check_arrays, check_rank
from minigrad.kernels.choice import find
from minigrad.kernels.recurrence import Memo, check_memo

FUNCTIONS = ("forward",)


def forward(
    x: Array, w: Array, b: Array | None, count: int, *, without: Sequence[int] = (), memo: Memo | None = None
) -> tuple[Array, Array]:
    """The logarithms of the chances of the ``count`` likeliest classes of each row, (R, K), and which they are, int64 (R, K).

    Args:
        x: (R, F).
        w: (C, F).
        b: (C,), or ``None``.
        count: K.
        without: numbers of classes that are left out.
        memo: see above.

    Raises:
        ShapeError: sizes that do not fit together, or no classes.
        ArgumentError: ``count`` outside 1 to C, or ``memo`` of another kind.
        IndexingError: a class to leave out that there is not.
        DTypeError: other than float32 or float64, or two dtypes.
        DeviceError: arrays on two devices.
        KernelError: the chosen implementation cannot run.

    Example:
        >>> values, classes = forward(np.array([[1.0]]), np.array([[2.0], [5.0], [5.0]]), None, 2)
        >>> values.round(3), classes
        (array([[-0.718, -0.718]]), array([[1, 2]]))
    """
    named = (("input", x), ("weight", w)) if b is None else (("input", x), ("weight", w), ("bias", b))
    device_type = check_arrays("leading", named)
    check_rank("leading", "input", x, "rows, F")
    check_rank("leading", "weight", w, "classes, F")
    classes = len(w)
    if x.shape[1] != w.shape[1]:
        raise ShapeError("leading", "input", f"{w.shape[1]} features, as weight has {w.shape}", f"shape {x.shape}")
    if not classes:
        raise ShapeError("leading", "weight", "at least 1 class", f"shape {w.shape}")
    if b is not None and b.shape != (classes,):
        raise ShapeError("leading", "bias", f"shape ({classes},), one value for each class", f"shape {b.shape}")
    if type(count) is not int or not 1 <= count <= classes:
        raise ArgumentError("leading", "count", f"a whole number from 1 to {classes}, the classes", repr(count))
    for each in without:
        if type(each) is not int or not 0 <= each < classes:
            raise IndexingError("leading", "without", f"class numbers from 0 to {classes - 1}", repr(each))
    check_memo("leading", memo)
    with quiet():
        return find("leading", device_type).forward(x, w, b, count, without=tuple(without), memo=memo)


def tolerance(function: str, x: Array, w: Array, b: Array | None, count: int, **options: Any) -> tuple[Any, ...]:
    """Of the values, that of two products, and roundings of the powers and of their sum; of the classes none."""
    xp, eps = array_module(x), float(np.finfo(x.dtype).eps)
    size = xp.abs(x).astype(np.float64) @ xp.abs(w).astype(np.float64).T
    if b is not None:
        size = size + xp.abs(xp.where(xp.isinf(b), 0, b))
    terms = 8 * (x.shape[1] + 1) ** 0.5 + len(w) ** 0.5 + 8
    return terms * eps * (1 + size.max(axis=1, keepdims=True, initial=0.0)), 0.0
