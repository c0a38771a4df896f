"""The stream by a CUDA kernel of ours, ``philox.cu``: a thread makes a block, and from its four words the numbers.

Why it is faster than ``vectorised.py``: there each operation of each round is a pass over all words in the GPU's memory, here
the ten rounds and the map to numbers stay in registers, and memory is only written, once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core.device import Array
from minigrad.kernels.cuda import Program
from minigrad.kernels.random import vectorised
from minigrad.kernels.random.constants import MASK

Key = tuple[int, int]
PHILOX = Program("random/philox.cu", options=("--fmad=false",))
BLOCK = 128  # threads


def instances() -> list[tuple[Program, Any, int, int]]:
    """All that is launched from here: program, kernel and template, threads of a block, bytes of dynamic shared memory."""
    floats = [(name, dtype) for name in ("uniform", "normal") for dtype in ("float32", "float64")]
    return [(PHILOX, key, BLOCK, 0) for key in ("words", "words_at", *floats)]


def words(key: Key, block: int, n: int, xp: Any) -> Array:
    """See the contract."""
    return _made(PHILOX["words"], key, block, xp.empty(n, np.uint64), 4)


def words_at(key: Key, blocks: Array, n: int, xp: Any) -> Array:
    """See the contract."""
    out = xp.empty((len(blocks), n), np.uint64)
    work = len(blocks) * -(-n // 4)
    PHILOX["words_at"](*key, xp.ascontiguousarray(blocks), out, len(blocks), n, work=work, tile=BLOCK, block=BLOCK)
    return out


def uniform(key: Key, block: int, n: int, dtype: np.dtype, xp: Any) -> Array:
    """See the contract."""
    return _made(PHILOX["uniform", dtype], key, block, xp.empty(n, dtype), 32 // dtype.itemsize)


def normal(key: Key, block: int, n: int, dtype: np.dtype, xp: Any) -> Array:
    """See the contract."""
    return _made(PHILOX["normal", dtype], key, block, xp.empty(n, dtype), 32 // dtype.itemsize)


def integers(key: Key, block: int, n: int, low: int, high: int, xp: Any) -> Array:
    """See the contract."""
    return vectorised.remainders(words(key, block, n, xp), low, high)


def permutation(key: Key, block: int, n: int, xp: Any) -> Array:
    """See the contract."""
    return vectorised.order(words(key, block, n, xp))


def _made(kernel: Any, key: Key, block: int, out: Array, per_block: int) -> Array:
    """``out``, filled by a kernel from a block on; a block gives ``per_block`` numbers."""
    counter = [block >> 64 * place & MASK for place in range(4)]
    kernel(*key, *counter, out, out.size, work=-(-out.size // per_block), tile=BLOCK, block=BLOCK)
    return out
