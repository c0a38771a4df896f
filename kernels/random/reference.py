"""The oracle: the definitions of the contract in Python's own whole numbers, one word at a time."""

from __future__ import annotations

from math import frexp, sqrt
from typing import Any

import numpy as np

from minigrad.core.device import Array
from minigrad.kernels.random.constants import (
    CENTRAL,
    FAR_TAIL,
    KEY_STEPS,
    LOG2_HIGH,
    LOG2_LOW,
    LOG_SERIES,
    MASK,
    MULTIPLIERS,
    ROOT_HALF,
    ROUNDS,
    TAIL,
)

Key = tuple[int, int]


def words(key: Key, block: int, n: int, xp: Any) -> Array:
    """See the contract."""
    return np.array(_words(key, block, n), np.uint64)


def words_at(key: Key, blocks: Array, n: int, xp: Any) -> Array:
    """See the contract."""
    return np.array([_words(key, int(block), n) for block in blocks], np.uint64).reshape(len(blocks), n)


def uniform(key: Key, block: int, n: int, dtype: np.dtype, xp: Any) -> Array:
    """See the contract."""
    if dtype == np.float32:
        return np.array([(half >> 8) * 2.0**-24 for half in _halves(key, block, n)], dtype)
    return np.array([(word >> 11) * 2.0**-53 for word in _words(key, block, n)], dtype)


def normal(key: Key, block: int, n: int, dtype: np.dtype, xp: Any) -> Array:
    """See the contract."""
    if dtype == np.float32:
        return np.array([_quantile(half, 32) for half in _halves(key, block, n)], dtype)
    return np.array([_quantile(word >> 11, 53) for word in _words(key, block, n)], dtype)


def integers(key: Key, block: int, n: int, low: int, high: int, xp: Any) -> Array:
    """See the contract."""
    return np.array([low + word % (high - low) for word in _words(key, block, n)], np.int64)


def permutation(key: Key, block: int, n: int, xp: Any) -> Array:
    """See the contract."""
    drawn = _words(key, block, n)
    return np.array(sorted(range(n), key=lambda i: drawn[i]), np.int64)


def philox(counter: tuple[int, int, int, int], key: Key) -> tuple[int, int, int, int]:
    """The four words of one block."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(ROUNDS):
        product0, product1 = MULTIPLIERS[0] * c0, MULTIPLIERS[1] * c2
        c0, c1, c2, c3 = (product1 >> 64) ^ c1 ^ k0, product1 & MASK, (product0 >> 64) ^ c3 ^ k1, product0 & MASK
        k0, k1 = (k0 + KEY_STEPS[0]) & MASK, (k1 + KEY_STEPS[1]) & MASK
    return c0, c1, c2, c3


def _words(key: Key, block: int, n: int) -> list[int]:
    drawn: list[int] = []
    while len(drawn) < n:
        drawn += philox((block & MASK, block >> 64 & MASK, block >> 128 & MASK, block >> 192 & MASK), key)
        block += 1
    return drawn[:n]


def _halves(key: Key, block: int, n: int) -> list[int]:
    return [half for word in _words(key, block, -(-n // 2)) for half in (word & 0xFFFFFFFF, word >> 32)][:n]


def _quantile(k: int, bits: int) -> float:
    """Φ⁻¹((k + ½) / 2^bits). Of the two tails the smaller is taken, which float64 holds exactly."""
    upper = k >> (bits - 1)
    tail = ((1 << bits) - 1 - k if upper else k) + 0.5
    tail *= 2.0**-bits
    q = 0.5 - tail
    r = sqrt(-_log(tail))
    if q <= 0.425:
        x = q * _ratio(CENTRAL, 0.180625 - q * q)
    elif r <= 5:
        x = _ratio(TAIL, r - 1.6)
    else:
        x = _ratio(FAR_TAIL, r - 5)
    return x if upper else -x


def _log(t: float) -> float:
    """The natural logarithm in nothing but sums, products and quotients, each rounded by itself."""
    m, e = frexp(t)
    if m < ROOT_HALF:
        m, e = 2 * m, e - 1
    s = (m - 1) / (m + 1)
    series = 0.0
    for coefficient in reversed(LOG_SERIES):
        series = series * (s * s) + coefficient
    return e * LOG2_HIGH + (2 * s * series + e * LOG2_LOW)


def _ratio(table: tuple[tuple[float, ...], tuple[float, ...]], r: float) -> float:
    numerator = denominator = 0.0
    for a, b in zip(*map(reversed, table), strict=True):
        numerator, denominator = numerator * r + a, denominator * r + b
    return numerator / denominator
