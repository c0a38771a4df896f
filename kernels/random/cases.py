"""What the laboratory calls the random numbers with; see :mod:`minigrad.kernels.cases`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from minigrad.kernels.cases import Case

FLOAT = np.dtype(np.float64)
LARGEST = (1 << 64) - 1
PLACES = (  # key, block: the counter's carries from word to word among them
    ((0, 0), 0),
    ((0x123456789ABCDEF0, LARGEST), 7),
    ((LARGEST, 1), LARGEST),
    ((3, 4), (1 << 128) - 1),
    ((5, 6), (1 << 256) - 1),
    ((7, 8), 3),
)


def cases() -> Iterator[Case]:
    """Counts that end within a block and within a word, none at all, and counters that run over."""
    for n, (key, block) in zip((9, 9, 33, 6, 5, 1), PLACES, strict=True):
        about = f"{n} from block {block:#x} of key {key[0]:#x}, {key[1]:#x}"
        yield Case("words", about, (key, block, n, np))
        yield Case("uniform", about, (key, block, n, FLOAT, np))
        yield Case("normal", about, (key, block, n, FLOAT, np))
        yield Case("integers", about, (key, block, n, -5, 1000, np))
        yield Case("permutation", about, (key, block, n, np))
    key, block = PLACES[0]
    yield Case("normal", "2000, the tails among them", (key, block, 2000, FLOAT, np))
    yield Case("integers", "9 of the whole range", (key, block, 9, -(1 << 63), 0, np))
    yield Case("words", "none", (key, block, 0, np))
    yield Case("uniform", "none", (key, block, 0, FLOAT, np))
    yield Case("normal", "none", (key, block, 0, FLOAT, np))
    yield Case("integers", "none", (key, block, 0, 0, 2, np))
    yield Case("permutation", "none", (key, block, 0, np))
    blocks = np.array([5, 0, LARGEST, LARGEST - 1], np.uint64)
    for n in (0, 3, 4, 9):
        yield Case("words_at", f"{n} words from each of 4 blocks", (key, blocks, n, np))
    yield Case("words_at", "5 words from each of no blocks", (key, blocks[:0], 5, np))
