"""Sums over axes to be timed: biases' gradients, means of images, and all there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minigrad.bench.op import Call, Draw, Op, Results, images, normal, tensor

IMAGES = (128, 32, 32, 32)
SHAPES: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = (
    (IMAGES, (0, 2, 3)),
    (IMAGES, (2, 3)),
    (IMAGES, (0, 1, 2, 3)),
    ((1024, 1024), (0,)),
    ((1024, 1024), (1,)),
    ((3200, 512), (0,)),
)


def ops() -> Iterator[Op]:
    """Each shape."""
    for shape, axes in SHAPES:
        size, words = 4.0 * float(np.prod(shape)), f"{' x '.join(map(str, shape))} over {', '.join(map(str, axes))}"
        small = tuple([min(each, 7) for each in shape])
        yield Op(
            "sums", "total", words, 0.0, size, _one(shape, axes), _one(small, axes), _spot, {"torch": _torch},
            brief=(shape, axes) == SHAPES[0],
        )  # fmt: skip


def _one(shape: tuple[int, ...], axes: tuple[int, ...]) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        if len(shape) == 4:
            return Call((images(rng, (shape[0], shape[1], shape[2], shape[3]), dtype), axes))
        return Call((normal(rng, shape, dtype), axes))

    return draw


def _spot(call: Call, results: Results, rng: np.random.Generator) -> tuple[Call, Results]:
    """One place of the first axis that is kept; everything, made shorter beforehand by NumPy, where none is."""
    x, axes = call.args
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    if not kept:
        return Call((x.sum(axis=(0, 1, 2), dtype=np.float64, keepdims=True).astype(x.dtype), axes)), results
    place = int(rng.integers(x.shape[kept[0]]))
    part = x.take([place], axis=kept[0])
    return Call((part, axes)), [results[0][place : place + 1]]


def _torch(torch: Any, call: Call) -> Callable[[], Any]:
    x, axes = tensor(torch, call.args[0]), call.args[1]
    return lambda: x.sum(axes)
