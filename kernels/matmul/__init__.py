"""Products of matrices, with what often follows them.

    product         C[..., i, j] = max(least, bias[j] + Σ_k A[..., i, k] B[..., k, j])
    product_into    the same, in memory that is given

A is (..., M, K), B (..., K, N), bias (N,) or None; C is (..., M, N). ``least`` is 0 with ``relu``, -inf without; nan stays nan.
All are float32 or float64, of one dtype, on one device, with any strides, so that a transpose is a view. The sizes before the
last two broadcast as NumPy's: equal, or 1, or absent. Any size may be 0; a sum of no terms is 0, or the bias.

Small products are not worth the way here: NumPy's are as quick, see ``SMALL``.

An implementation is given arguments that this file has checked and must keep to the same signatures. The terms of a sum may be
added in any order; the same bits come with the same thread count.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module, quiet
from minigrad.errors import ShapeError
from minigrad.kernels.checks import check_arrays, truth
from minigrad.kernels.choice import find
from minigrad.kernels.recurrence import Memo, check_memo

FUNCTIONS = ("product", "product_into")
WRITES = {"product_into": (2,)}
# Multiplications up to which NumPy is as quick, and OpenBLAS under it keeps to one thread. Above, its threads go on looking for
# work afterwards, on cores that the next kernel needs, which then took half as long again.
SMALL = 1 << 18


def product(a: Array, b: Array, bias: Array | None = None, *, relu: bool = False, memo: Memo | None = None) -> Array:
    """A B, and the bias and ReLU if they are asked for: (..., M, K) and (..., K, N) to a gapless (..., M, N).

    Args:
        a: (..., M, K).
        b: (..., K, N).
        bias: (N,), which is added to each row.
        relu: whether what is below 0 becomes 0.
        memo: a dict in which an implementation may keep what it derives from ``b``; who hands the same dict again promises
            that it is unchanged.

    Raises:
        ShapeError: sizes that do not fit together, or fewer than two dimensions.
        DTypeError: other than float32 or float64, or two dtypes; ``relu`` neither True nor False; ``memo`` no dict.
        DeviceError: arrays on two devices.
        KernelError: the chosen implementation cannot run.

    Example:
        >>> import numpy as np
        >>> product(np.ones((2, 3)), np.ones((3, 2)), np.array([0.5, -4.0]), relu=True)
        array([[3.5, 0. ],
               [3.5, 0. ]])
    """
    named = (("a", a), ("b", b)) if bias is None else (("a", a), ("b", b), ("bias", bias))
    device_type = check_arrays("product", named)
    _check_shapes("product", a, b, bias)
    truth("product", relu=relu)
    check_memo("product", memo)
    with quiet():
        return find("matmul", device_type).product(a, b, bias, relu=relu, memo=memo)


def product_into(a: Array, b: Array, out: Array, bias: Array | None = None, *, relu: bool = False) -> None:
    """:func:`product`, written into ``out``.

    Args:
        out: (..., M, N) with any strides, in memory of its own.

    Raises:
        ShapeError: as from ``product``, or another shape of ``out``.
        DTypeError, DeviceError, KernelError: as from ``product``.

    Example:
        >>> import numpy as np
        >>> out = np.empty((2, 2))
        >>> product_into(np.ones((2, 3)), np.ones((3, 2)), out); out
        array([[3., 3.],
               [3., 3.]])
    """
    named = (("a", a), ("b", b), ("out", out)) if bias is None else (("a", a), ("b", b), ("out", out), ("bias", bias))
    device_type = check_arrays("product_into", named)
    shape = _check_shapes("product_into", a, b, bias)
    truth("product_into", relu=relu)
    if out.shape != shape:
        raise ShapeError("product_into", "out", f"shape {shape}, as the product has", f"shape {out.shape}")
    with quiet():
        find("matmul", device_type).product_into(a, b, out, bias, relu=relu)


def tolerance(function: str, a: Array, b: Array, *rest: Any, **options: Any) -> tuple[Any, ...]:
    """4 · √K · eps · (|a| |b| + |bias|), with K terms in each sum: it holds at each value whatever cancels in it."""
    xp, info, bias = array_module(a), np.finfo(a.dtype), rest[-1]
    size = xp.matmul(xp.abs(a), xp.abs(b))
    if bias is not None:
        size = size + xp.abs(bias)
    bound = 4 * (a.shape[-1] + 1) ** 0.5 * float(info.eps) * size + float(info.tiny)
    return (bound,) if function == "product" else (0.0, bound)


def _check_shapes(where: str, a: Array, b: Array, bias: Array | None) -> tuple[int, ...]:
    """The shape of the product."""
    for name, array in (("a", a), ("b", b)):
        if array.ndim < 2:
            raise ShapeError(where, name, "two dimensions at least", f"shape {array.shape}", "Give a vector one of size 1")
    if a.shape[-1] != b.shape[-2]:
        raise ShapeError(where, "b", f"{a.shape[-1]} rows, as a has columns", f"shape {b.shape}")
    if bias is not None and bias.shape != b.shape[-1:]:
        raise ShapeError(where, "bias", f"shape {b.shape[-1:]}, one value for each column", f"shape {bias.shape}")
    lead = a.shape[:-2]
    if lead != b.shape[:-2]:
        try:
            lead = np.broadcast_shapes(lead, b.shape[:-2])
        except ValueError:
            raise ShapeError(where, "b", f"sizes that broadcast with {lead} before the last two", f"shape {b.shape}") from None
    return (*lead, a.shape[-2], b.shape[-1])
