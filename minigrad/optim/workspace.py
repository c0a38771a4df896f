"""Scratch memory of an optimiser, and the walk over its arrays in pieces that stay in the cache.

An update reads and writes each element several times. Done on whole arrays, each pass goes out to main memory; done on
pieces, only the first and the last do, and the scratch memory is no larger than a piece. The results are the same bit for
bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module, device_of

PIECE = 1 << 17  # elements: Adam's six float32 arrays take 3 MiB, and a call of a ufunc is small beside its work


def flat_views(arrays: tuple[Array, ...]) -> list[Array] | None:
    """The arrays, all of one shape, as one-dimensional views, place for place; ``None`` where that cannot be."""
    if all(array.flags.c_contiguous for array in arrays):
        return [array.reshape(-1) for array in arrays]
    first = arrays[0]
    if any(array.strides != first.strides for array in arrays):
        return None
    order = sorted(range(first.ndim), key=lambda axis: -first.strides[axis])
    if not first.transpose(order).flags.c_contiguous:
        return None
    return [array.transpose(order).reshape(-1) for array in arrays]


class Workspace:
    """The scratch buffers of one optimiser, made on first use and kept."""

    def __init__(self) -> None:
        self._buffers: dict[tuple, list[Array]] = {}

    def pieces(self, spare: int, *arrays: Array) -> Iterator[tuple[Array, ...]]:
        """Views of the same places of all ``arrays``, piece by piece, and after them ``spare`` arrays of scratch."""
        first = arrays[0]
        flat = flat_views(arrays)
        if flat is None:
            xp = array_module(first)
            yield (*arrays, *[xp.empty_like(first) for _ in range(spare)])
            return
        size = first.size
        length = PIECE if type(first) is np.ndarray else max(size, 1)  # on a GPU a launch costs more than memory
        scratch = self._scratch(first, min(size, length), spare)
        if size <= length:
            yield (*flat, *[buffer[:size] for buffer in scratch])
            return
        for start in range(0, size, length):
            stop = min(start + length, size)
            yield (*[view[start:stop] for view in flat], *[buffer[: stop - start] for buffer in scratch])

    def _scratch(self, like: Array, size: int, spare: int) -> list[Array]:
        key: Any = like.dtype if type(like) is np.ndarray else (like.dtype, device_of(like))
        buffers = self._buffers.setdefault(key, [])
        if len(buffers) < spare or (buffers and buffers[0].size < size):
            size = max([size, *[buffer.size for buffer in buffers]])
            buffers[:] = [array_module(like).empty(size, like.dtype) for _ in range(max(spare, len(buffers)))]
        return buffers[:spare]

    def __deepcopy__(self, memo: dict) -> Workspace:
        return Workspace()

    def __reduce__(self) -> tuple:
        return Workspace, ()
