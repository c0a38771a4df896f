"""All rows at once by NumPy's functions, on any array module.

Why it is faster than the loops of the reference: the logits of all rows are one product, and each step after it one pass over
them in C.
"""

from __future__ import annotations

import numpy as np

from minigrad.core.device import Array, array_module
from minigrad.kernels.recurrence import Memo


def forward(
    x: Array, w: Array, b: Array | None, count: int, *, without: tuple[int, ...], memo: Memo | None
) -> tuple[Array, Array]:
    """See the contract."""
    xp = array_module(x)
    logits = xp.matmul(x, w.T)
    if b is not None:
        logits += b
    greatest = logits.max(axis=1, keepdims=True)
    sound = xp.isfinite(greatest)
    base = xp.where(sound, greatest, 0).astype(x.dtype)
    near = xp.log(xp.exp(logits - base).sum(axis=1, keepdims=True))
    logits[:, list(without)] = -np.inf
    turned = -xp.where(sound, logits, 0)
    stable = {"kind": "stable"} if xp is np else {}  # CuPy's is, and takes no kind
    classes = turned.argsort(axis=1, **stable)[:, :count].astype(np.int64)
    found = -xp.take_along_axis(turned, classes, 1) - base - near
    return xp.where(sound, found, np.nan).astype(x.dtype), classes
