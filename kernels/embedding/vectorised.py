"""Look-up and sum by NumPy's indexing, on any array module.

Why it is faster than the loops of the reference: all rows are copied by one call. Sums go by flat places, one for each number,
as that is NumPy's fast path for ``add.at``; it adds in the order of k.
"""

from __future__ import annotations

import numpy as np

from minigrad.core.device import Array, array_module


def gather(w: Array, index: Array) -> Array:
    """See the contract."""
    return array_module(w).take(w, index, axis=0)


def scatter(dy: Array, index: Array, rows: int, factor: Array | None) -> Array:
    """See the contract."""
    xp, width = array_module(dy), dy.shape[1]
    total = xp.zeros(rows * width, dy.dtype)
    places = index[:, None] * width + xp.arange(width)
    xp.add.at(total, places.reshape(-1), dy.reshape(-1))
    dw = total.reshape(rows, width)
    if factor is not None:
        dw *= factor[:, None]
        if xp is not np:  # to ask whether a sum is infinite would wait for the GPU
            xp.copyto(dw, 0, where=(factor == 0)[:, None])
        elif not bool(xp.isfinite(dw).all()):
            dw[factor == 0] = 0
    return dw
