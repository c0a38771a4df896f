"""Random numbers to be timed: words, and what is made of them; those of a batch of images; an epoch's order.

No library has the same stream, and so there is no peer.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from minigrad.bench.op import Call, Draw, Op, Results, Spot

COUNT, FEW, PIECE = 1 << 22, 64, 4  # numbers, numbers at the small size, blocks of a piece
KINDS = ("words", "uniform", "normal", "integers")
IMAGES, WORDS, ORDERED = 4096, 10, 10_000  # images, words for each; and so many that the reference orders them in a second
RANGE = (-1000, 50_000)  # of whole numbers


def ops() -> Iterator[Op]:
    """Each kind, the words that images are augmented by, and a permutation."""
    for kind in KINDS:
        item = 4 if kind in ("uniform", "normal") else 8
        yield Op(
            "random", kind, f"{COUNT:,} numbers", 0.0, float(item * COUNT), _draw(kind, COUNT), _draw(kind, FEW), _spot(kind),
            brief=kind == "normal",
        )  # fmt: skip
    yield Op(
        "random", "words_at", f"{WORDS} for each of {IMAGES}", 0.0, 8.0 * IMAGES * (1 + WORDS), _draw_at(IMAGES), _draw_at(FEW),
        _spot_at,
    )  # fmt: skip
    yield Op("random", "permutation", f"of {ORDERED:,}", 0.0, 8.0 * ORDERED, _draw_order(ORDERED), _draw_order(FEW), _whole)


def _draw(kind: str, count: int) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        low, high, block = (int(each) for each in rng.integers(1 << 62, size=3))
        return _call(kind, (low, high), block, count, dtype)

    return draw


def _call(kind: str, key: tuple[int, int], block: int, count: int, dtype: np.dtype | type) -> Call:
    if kind == "words":
        return Call((key, block, count, np))
    return Call((key, block, (count,), *(RANGE if kind == "integers" else (dtype,)), np))


def _spot(kind: str) -> Spot:
    """The numbers of a few blocks, which no others depend on."""

    def spot(call: Call, results: Results, rng: np.random.Generator) -> tuple[Call, Results]:
        numbers = results[0]
        per_block = 8 if numbers.dtype == np.float32 else 4
        first = int(rng.integers(max(1, numbers.size // per_block - PIECE)))
        part = numbers[first * per_block : (first + PIECE) * per_block]
        return _call(kind, call.args[0], call.args[1] + first, part.size, numbers.dtype), [part]

    return spot


def _draw_at(count: int) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        low, high = (int(each) for each in rng.integers(1 << 62, size=2))
        return Call(((low, high), rng.integers(1 << 62, size=count).astype(np.uint64), WORDS))

    return draw


def _spot_at(call: Call, results: Results, rng: np.random.Generator) -> tuple[Call, Results]:
    """The words of a few images."""
    key, blocks, count = call.args
    first = int(rng.integers(len(blocks)))
    rows = slice(first, first + 3)
    return Call((key, blocks[rows], count)), [results[0][rows]]


def _draw_order(count: int) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        low, high, block = (int(each) for each in rng.integers(1 << 62, size=3))
        return Call(((low, high), block, count, np))

    return draw


def _whole(call: Call, results: Results, rng: np.random.Generator) -> tuple[Call, Results]:
    """All of it: no piece of an order stands for itself."""
    return call, results
