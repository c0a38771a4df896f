"""Random numbers: one stream for every device, by counting.

The words of a stream are those of Philox4x64-10 (Salmon et al. 2011). A ``key`` is two numbers below 2⁶⁴, a ``block`` a counter
below 2²⁵⁶. Block b of a key is four 64-bit words that depend on nothing else, so that any part of a stream can be made
anywhere, in any order. Everything is made of words, whole blocks at a time::

    words        word i of (key, block) is word i mod 4 of block + ⌊i/4⌋
    words_at     the same for many places at once: row j begins at block j of a list
    uniform      float32: the halves of each word, low half first: (half >> 8) · 2⁻²⁴        in [0, 1)
                 float64: (word >> 11) · 2⁻⁵³                                                in [0, 1)
    normal       the quantile Φ⁻¹(u) by Wichura's AS 241 (PPND16), computed in float64, with
                 float32: u = (half + ½) · 2⁻³², halves as above, the result rounded         |x| < 6.4
                 float64: u = ((word >> 11) + ½) · 2⁻⁵³                                      |x| < 8.4
    integers     low + word mod (high − low), int64
    permutation  the order that sorts n words, stable, int64

All are equal bit for bit in every implementation. For normals that asks of each sum, product, quotient and square root that it
is rounded by itself, as IEEE 754 says (no fused multiply-add), and of the logarithm that it is the series of ``constants.py``.
The remainder makes each integer's probability wrong by less than a share (high − low) · 2⁻⁶⁴.

A generator adds :func:`blocks_used` to its block after each call. ``xp`` is the array module that the numbers are made on.
"""

from __future__ import annotations

from math import prod
from operator import index
from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module, quiet, type_of
from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.kernels.checks import check_arrays
from minigrad.kernels.choice import find

KINDS = ("words", "uniform", "normal", "integers", "permutation")
FUNCTIONS = (*KINDS, "words_at")
Key = tuple[int, int]


def blocks_used(kind: str, n: int, dtype: Any = np.float32) -> int:
    """How many blocks the first ``n`` numbers of a kind take; float32 numbers are two a word, all others one.

    Args:
        kind: ``"words"``, ``"uniform"``, ``"normal"``, ``"integers"`` or ``"permutation"``.
        dtype: of uniforms and normals.

    Raises:
        ArgumentError: another kind.

    Example:
        >>> blocks_used("uniform", 9, np.float32), blocks_used("uniform", 9, np.float64), blocks_used("integers", 9)
        (2, 3, 3)
    """
    if not isinstance(kind, str) or kind not in KINDS:
        raise ArgumentError("random", "kind", f"one of {', '.join(KINDS)}", repr(kind))
    (n,) = _check_shape((n,))
    per_block = 8 if kind in ("uniform", "normal") and _check_dtype(dtype) == np.float32 else 4
    return -(-n // per_block)


def words(key: Key, block: int, n: int, xp: Any = np) -> Array:
    """The first ``n`` 64-bit words from a block on, uint64 of shape (n,).

    Raises:
        ArgumentError: a key, block or n outside its range.
        KernelError: the chosen implementation cannot run.

    Example:
        >>> [hex(int(word)) for word in words((0, 0), 0, 2)]
        ['0x16554d9eca36314c', '0xdb20fe9d672d0fdc']
    """
    key, block = _check_place(key, block)
    (n,) = _check_shape((n,))
    return find("random", type_of(xp)).words(key, block, n, xp)


def words_at(key: Key, blocks: Array, n: int) -> Array:
    """The first ``n`` 64-bit words from each of several blocks on, for streams that many things read at their own places.

    Args:
        blocks: uint64, shape (m,).

    Returns:
        uint64 (m, n), C-contiguous, on the device of ``blocks``; row j is ``words(key, blocks[j], n)``.

    Raises:
        ArgumentError: a key or n outside its range.
        DTypeError: ``blocks`` is no array of uint64.
        ShapeError: it is no vector.
        KernelError: the chosen implementation cannot run.

    Example:
        >>> [hex(int(word)) for word in words_at((0, 0), np.array([5, 0], np.uint64), 2)[1]]
        ['0x16554d9eca36314c', '0xdb20fe9d672d0fdc']
    """
    key, _ = _check_place(key, 0)
    (n,) = _check_shape((n,))
    check_arrays("random", (("blocks", blocks),), (np.dtype(np.uint64),))
    if blocks.ndim != 1:
        raise ShapeError("random", "blocks", "one dimension", f"shape {tuple(blocks.shape)}")
    xp = array_module(blocks)
    return find("random", type_of(xp)).words_at(key, blocks, n, xp)


def uniform(key: Key, block: int, shape: tuple[int, ...], dtype: Any = np.float32, xp: Any = np) -> Array:
    """Numbers in [0, 1), of a shape, C-contiguous, float32 or float64.

    Raises:
        ArgumentError: a key, block or shape outside its range.
        DTypeError: another dtype.
        KernelError: the chosen implementation cannot run.

    Example:
        >>> uniform((0, 0), 0, (3,))
        array([0.7898894 , 0.08723909, 0.4030313 ], dtype=float32)
    """
    key, block = _check_place(key, block)
    shape, dtype = _check_shape(shape), _check_dtype(dtype)
    return find("random", type_of(xp)).uniform(key, block, prod(shape), dtype, xp).reshape(shape)


def normal(key: Key, block: int, shape: tuple[int, ...], dtype: Any = np.float32, xp: Any = np) -> Array:
    """Numbers of the standard normal distribution, of a shape, C-contiguous, float32 or float64.

    Raises:
        ArgumentError, DTypeError, KernelError: as :func:`uniform`.

    Example:
        >>> normal((0, 0), 0, (3,)).round(3)
        array([ 0.806, -1.358, -0.246], dtype=float32)
    """
    key, block = _check_place(key, block)
    shape, dtype = _check_shape(shape), _check_dtype(dtype)
    with quiet():
        return find("random", type_of(xp)).normal(key, block, prod(shape), dtype, xp).reshape(shape)


def integers(key: Key, block: int, shape: tuple[int, ...], low: int, high: int, xp: Any = np) -> Array:
    """Whole numbers in [low, high), of a shape, C-contiguous, int64.

    Raises:
        ArgumentError: a key, block or shape outside its range; an empty range, one over 2⁶³ numbers or beyond int64.
        KernelError: the chosen implementation cannot run.

    Example:
        >>> integers((0, 0), 0, (5,), 0, 10).tolist()
        [8, 0, 5, 5, 9]
    """
    key, block = _check_place(key, block)
    shape = _check_shape(shape)
    try:
        low, high = index(low), index(high)
    except TypeError:
        raise ArgumentError("random", "low, high", "whole numbers", f"{low!r}, {high!r}") from None
    if not (0 < high - low <= 1 << 63 and low >= -(1 << 63) and high <= 1 << 63):
        raise ArgumentError("random", "low, high", "low < high, both of int64 and at most 2**63 apart", f"{low}, {high}")
    return find("random", type_of(xp)).integers(key, block, prod(shape), low, high, xp).reshape(shape)


def permutation(key: Key, block: int, n: int, xp: Any = np) -> Array:
    """The numbers below ``n`` in random order, int64 of shape (n,).

    Raises:
        ArgumentError: a key, block or n outside its range.
        KernelError: the chosen implementation cannot run.

    Example:
        >>> permutation((0, 0), 0, 5).tolist()
        [4, 0, 3, 2, 1]
    """
    key, block = _check_place(key, block)
    (n,) = _check_shape((n,))
    return find("random", type_of(xp)).permutation(key, block, n, xp)


def tolerance(function: str, *args: Any) -> tuple[Any]:
    """How far an implementation may be from the reference: not at all."""
    return (0.0,)


def _check_place(key: Any, block: Any) -> tuple[Key, int]:
    try:
        low, high = map(index, key)
    except (TypeError, ValueError):
        low = high = -1
    if not (0 <= low < 1 << 64 and 0 <= high < 1 << 64):
        raise ArgumentError("random", "key", "two whole numbers from 0 to 2**64 - 1", repr(key))
    try:
        place = index(block)
    except TypeError:
        place = -1
    if not 0 <= place < 1 << 256:
        raise ArgumentError("random", "block", "a whole number from 0 to 2**256 - 1", repr(block))
    return (low, high), place


def _check_shape(shape: Any) -> tuple[int, ...]:
    try:
        sizes = tuple(map(index, shape))
    except TypeError:
        sizes = (-1,)
    if any(not 0 <= size < 1 << 40 for size in sizes):
        raise ArgumentError("random", "shape", "whole numbers, 0 or more, that memory holds", repr(shape))
    return sizes


def _check_dtype(dtype: Any) -> np.dtype:
    try:
        found = np.dtype(dtype) if isinstance(dtype, (np.dtype, type, str)) else None
    except TypeError:
        found = None
    if found not in (np.float32, np.float64):
        raise DTypeError("random", "dtype", "float32 or float64", repr(dtype), "Draw float32 and convert")
    return found
