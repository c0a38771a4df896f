"""The words by NumPy's own Philox, which is written in C; the maps of ``vectorised.py`` from words to numbers.

Why it is faster than ``vectorised.py``: the processor makes the product of two words, high half and low, by one instruction,
which C reaches and arrays do not; and a block stays in registers for all ten rounds, where operations on arrays go through
memory.

``numpy.random.Philox`` counts up before it makes a block, so it is started one block earlier.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core.device import Array
from minigrad.kernels.random import vectorised

Key = tuple[int, int]


def words(key: Key, block: int, n: int, xp: Any) -> Array:
    """See the contract."""
    before = (block - 1) % (1 << 256)
    return np.random.Philox(counter=before, key=key[0] | key[1] << 64).random_raw(n)


words_at = vectorised.words_at  # NumPy's own is slow to start, and would start at each place


def uniform(key: Key, block: int, n: int, dtype: np.dtype, xp: Any) -> Array:
    """See the contract."""
    if dtype == np.float32:
        return vectorised.uniform32(words(key, block, -(-n // 2), xp))[:n]
    return vectorised.uniform64(words(key, block, n, xp))


def normal(key: Key, block: int, n: int, dtype: np.dtype, xp: Any) -> Array:
    """See the contract."""
    if dtype == np.float32:
        return vectorised.normal32(words(key, block, -(-n // 2), xp))[:n]
    return vectorised.normal64(words(key, block, n, xp))


def integers(key: Key, block: int, n: int, low: int, high: int, xp: Any) -> Array:
    """See the contract."""
    return vectorised.remainders(words(key, block, n, xp), low, high)


def permutation(key: Key, block: int, n: int, xp: Any) -> Array:
    """See the contract."""
    return vectorised.order(words(key, block, n, xp))
