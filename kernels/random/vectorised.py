"""The stream in array arithmetic alone, for any array module; and the maps from words to numbers, which other files use too.

Why it is faster than ``reference.py``: that makes one word at a time in Python's whole numbers, some hundred operations of the
interpreter each. Words do not depend on each other, so that here each operation of a round is one call for all of them, and the
maps to numbers go over pieces that stay in the cache. No array type has 128-bit products: the high word of a product is put
together from 32-bit halves, which takes four products in place of one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module
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
LOW = 0xFFFFFFFF
CHUNK = 1 << 15  # numbers of a NumPy array mapped at a time, so that the steps between stay in the cache


def words(key: Key, block: int, n: int, xp: Any) -> Array:
    """See the contract."""
    return _philox(key, _counters(block, -(-n // 4), xp), xp).reshape(-1)[:n]


def words_at(key: Key, blocks: Array, n: int, xp: Any) -> Array:
    """See the contract."""
    per_row = -(-n // 4)
    first = xp.repeat(blocks, per_row)
    low = first + xp.tile(xp.arange(per_row, dtype=np.uint64), len(blocks))
    rest = xp.zeros_like(low)
    made = _philox(key, [low, (low < first).astype(np.uint64), rest, rest], xp)
    return xp.ascontiguousarray(made.reshape(len(blocks), 4 * per_row)[:, :n])


def uniform(key: Key, block: int, n: int, dtype: np.dtype, xp: Any) -> Array:
    """See the contract."""
    return uniform32(words(key, block, -(-n // 2), xp))[:n] if dtype == np.float32 else uniform64(words(key, block, n, xp))


def normal(key: Key, block: int, n: int, dtype: np.dtype, xp: Any) -> Array:
    """See the contract."""
    return normal32(words(key, block, -(-n // 2), xp))[:n] if dtype == np.float32 else normal64(words(key, block, n, xp))


def integers(key: Key, block: int, n: int, low: int, high: int, xp: Any) -> Array:
    """See the contract."""
    return remainders(words(key, block, n, xp), low, high)


def permutation(key: Key, block: int, n: int, xp: Any) -> Array:
    """See the contract."""
    return order(words(key, block, n, xp))


def uniform32(words: Array) -> Array:
    """(n,) words to (2n,) float32 in [0, 1)."""
    return _in_chunks(lambda halves, xp: (halves >> 8).astype(np.float32) * 2.0**-24, _halves(words), np.float32)


def uniform64(words: Array) -> Array:
    """(n,) words to (n,) float64 in [0, 1)."""
    return _in_chunks(lambda part, xp: (part >> 11).astype(np.float64) * 2.0**-53, words, np.float64)


def normal32(words: Array) -> Array:
    """(n,) words to (2n,) float32 of the standard normal distribution."""
    return _in_chunks(lambda halves, xp: _quantile(halves.astype(np.int64), 32, xp), _halves(words), np.float32)


def normal64(words: Array) -> Array:
    """(n,) words to (n,) float64 of the standard normal distribution."""
    return _in_chunks(lambda part, xp: _quantile((part >> 11).astype(np.int64), 53, xp), words, np.float64)


def remainders(words: Array, low: int, high: int) -> Array:
    """(n,) words to (n,) int64 in [low, high)."""
    return (words % array_module(words).uint64(high - low)).astype(np.int64) + low


def order(words: Array) -> Array:
    """The stable order that sorts (n,) words, int64."""
    return array_module(words).argsort(words, kind="stable").astype(np.int64)


def _philox(key: Key, counters: list[Array], xp: Any) -> Array:
    """The words of (m,) counters, (m, 4)."""
    c0, c1, c2, c3 = counters
    k0, k1 = key
    for _ in range(ROUNDS):
        (high0, low0), (high1, low1) = _multiply(c0, MULTIPLIERS[0], xp), _multiply(c2, MULTIPLIERS[1], xp)
        c0, c1, c2, c3 = high1 ^ c1 ^ xp.uint64(k0), low1, high0 ^ c3 ^ xp.uint64(k1), low0
        k0, k1 = (k0 + KEY_STEPS[0]) & MASK, (k1 + KEY_STEPS[1]) & MASK
    return xp.stack((c0, c1, c2, c3), -1)


def _counters(block: int, count: int, xp: Any) -> list[Array]:
    """The four words of ``count`` counters from ``block`` on, with the carries between them."""
    step = xp.arange(count, dtype=np.uint64)
    counters = []
    for place in range(4):
        first = xp.uint64(block >> (64 * place) & MASK)
        word = step + first
        counters.append(word)
        step = (word < first).astype(np.uint64)  # 1 where the sum ran over
    return counters


def _multiply(a: Array, constant: int, xp: Any) -> tuple[Array, Array]:
    """The high and the low word of a 64 x 64-bit product."""
    b_low, b_high = xp.uint64(constant & LOW), xp.uint64(constant >> 32)
    a_low, a_high = a & xp.uint64(LOW), a >> xp.uint64(32)
    low_high, high_low = a_low * b_high, a_high * b_low
    middle = (a_low * b_low >> xp.uint64(32)) + (low_high & xp.uint64(LOW)) + (high_low & xp.uint64(LOW))
    high = a_high * b_high + (low_high >> xp.uint64(32)) + (high_low >> xp.uint64(32)) + (middle >> xp.uint64(32))
    return high, a * xp.uint64(constant)


def _halves(words: Array) -> Array:
    """(n,) words to (2n,) uint32, the low half of each first."""
    halves = array_module(words).empty(2 * words.size, np.uint32)
    halves[0::2] = words & LOW
    halves[1::2] = words >> 32
    return halves


def _in_chunks(map_: Any, drawn: Array, dtype: Any) -> Array:
    xp = array_module(drawn)
    out = xp.empty(drawn.shape, dtype)
    chunk = CHUNK if xp is np else max(1, drawn.size)
    for start in range(0, drawn.size, chunk):
        out[start : start + chunk] = map_(drawn[start : start + chunk], xp)
    return out


def _quantile(k: Array, bits: int, xp: Any) -> Array:
    """Φ⁻¹((k + ½) / 2^bits) in float64. Of the two tails the smaller is taken, which float64 holds exactly."""
    upper = k >= 1 << (bits - 1)
    tail = (xp.where(upper, (1 << bits) - 1 - k, k) + 0.5) * 2.0**-bits
    q = 0.5 - tail
    x = _ratio(CENTRAL, 0.180625 - q * q)
    x *= q
    outer = q > 0.425
    if xp is not np:  # how many are in the tails would have to be waited for: all are computed there, and a few taken
        r = xp.sqrt(-_log(tail, xp))
        x = xp.where(outer, xp.where(r > 5, _ratio(FAR_TAIL, r - 5.0), _ratio(TAIL, r - 1.6)), x)
        return xp.where(upper, x, -x)
    r = xp.sqrt(-_log(tail[outer], xp))
    value = _ratio(TAIL, r - 1.6)
    far = r > 5
    if bool(far.any()):
        value[far] = _ratio(FAR_TAIL, r[far] - 5.0)
    x[outer] = value
    return xp.where(upper, x, -x)


def _log(t: Array, xp: Any) -> Array:
    """The natural logarithm in nothing but sums, products and quotients, so that all devices agree on each bit."""
    m, e = xp.frexp(t)
    low = m < ROOT_HALF
    m, e = xp.where(low, 2 * m, m), xp.where(low, e - 1, e).astype(np.float64)
    s = (m - 1) / (m + 1)
    return e * LOG2_HIGH + (2 * s * _polynomial(LOG_SERIES, s * s) + e * LOG2_LOW)


def _ratio(table: tuple[tuple[float, ...], tuple[float, ...]], r: Array) -> Array:
    """A quotient of two polynomials."""
    ratio = _polynomial(table[0], r)
    ratio /= _polynomial(table[1], r)
    return ratio


def _polynomial(coefficients: tuple[float, ...], r: Array) -> Array:
    """By Horner's rule, each step rounded by itself."""
    value = coefficients[-1] * r
    for coefficient in coefficients[-2:0:-1]:
        value += coefficient
        value *= r
    value += coefficients[0]
    return value
