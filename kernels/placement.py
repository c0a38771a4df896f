"""Arguments of a kernel put into memory in one way or another, with memory beside them that it must leave alone."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, NamedTuple

import numpy as np

from minigrad.kernels.comparison import Call, is_array, leaves, mapped

GUARD = 16  # elements before and behind each array


class Layout(NamedTuple):
    """How an array's axes lie in memory.

    Attributes:
        order: the axes from the slowest to the fastest, for a number of dimensions.
        step: elements from one to the next along the fastest axis.
        backwards: whether memory is walked from its end.
        read_only: whether writing through the array is refused.
    """

    order: Callable[[int], list[int]]
    step: int = 1
    backwards: bool = False
    read_only: bool = False


def _channels_last(rank: int) -> list[int]:
    return [0, *range(2, rank), 1] if rank > 2 else list(range(rank))


def _in_order(rank: int) -> list[int]:
    return list(range(rank))


PLAIN = "in C order"
LAYOUTS = {
    PLAIN: Layout(_in_order),
    "read-only": Layout(_in_order, read_only=True),
    "in Fortran order": Layout(lambda rank: list(range(rank))[::-1]),
    "channels-last": Layout(_channels_last),
    "with gaps": Layout(_in_order, step=3),
    "channels-last with gaps": Layout(_channels_last, step=2),
    "backwards": Layout(_in_order, backwards=True),
}


class Placed:
    """Copies of a call's arrays in memory of a layout, and what that memory held.

    Args:
        call: positional and keyword arguments.
        layout: one of ``LAYOUTS``.
        writes: positions and keywords of the arguments that the function may write into.
    """

    def __init__(self, call: Call, layout: str, writes: tuple[int | str, ...] = ()) -> None:
        self._blocks: list[tuple[str, np.ndarray, np.ndarray, np.ndarray, bool]] = []
        kind = LAYOUTS[layout]
        args = tuple(self._put(index, value, kind, index in writes) for index, value in enumerate(call[0]))
        self.call: Call = (args, {key: self._put(key, value, kind, key in writes) for key, value in call[1].items()})

    def _put(self, key: int | str, value: Any, kind: Layout, writes: bool) -> Any:
        places = iter([place for place, _ in leaves(value)])

        def put(each: Any) -> Any:
            place = next(places)
            if not is_array(each):
                return each
            block, array = _block(each, kind)
            self._blocks.append((f"argument {key}{place}", block, block.copy(), array, writes))
            array.flags.writeable = writes or not kind.read_only
            return array

        return mapped(value, put)

    def changed(self) -> str:
        """Which argument was changed, or memory beside which; or nothing."""
        for name, block, before, array, writes in self._blocks:
            same = True
            if array.size:
                offset = array.__array_interface__["data"][0] - block.__array_interface__["data"][0]
                was = np.ndarray(array.shape, array.dtype, before.data, offset, array.strides)
                same = writes or was.tobytes() == array.tobytes()
                was[...] = array
            if not (same and block.tobytes() == before.tobytes()):
                return f"memory beside {name}" if same else name
        return ""


def _block(array: np.ndarray, kind: Layout) -> tuple[np.ndarray, np.ndarray]:
    """Memory with an array's values in it, and the array in that memory."""
    order = kind.order(array.ndim)
    sizes = [array.shape[axis] for axis in order]
    if sizes:
        sizes[-1] *= kind.step
    # Whole numbers may be indices: what stands beside them is one of them, so that a kernel that reads it does not fall over.
    filler = np.nan if array.dtype.kind == "f" else array.flat[-1] if array.size else 0
    block = np.full(prod(sizes) + 2 * GUARD, filler, array.dtype)
    inner = block[GUARD : GUARD + prod(sizes)].reshape(sizes)
    if sizes:
        inner = inner[..., :: kind.step]
    placed = inner.transpose(np.argsort(order)) if sizes else inner
    if kind.backwards and sizes:
        placed = placed[(slice(None, None, -1),) * array.ndim]
    placed[...] = array
    return block, placed
