"""Views of a tensor that is changed in place: where a view lies in its base's memory, and what the change does to the tape.

Say ``v`` is a view of ``b``. After ``v.mul_(2)`` two histories are new. That of ``b`` is "what it was, with the region of ``v``
written over" (``WriteRegion``); that of ``v``, and of any other view of ``b``, is "the region of ``b`` as it is now"
(``Region``). The views learn it when they are next used: ``Tensor._refresh``.

A region is found by addresses and strides, so that it does not matter by which ops a view was made.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from minigrad.core.device import Array, array_module
from minigrad.core.tape import Function, hang
from minigrad.core.tensor import Tensor
from minigrad.errors import GradError
from minigrad.ops.beside import add_at


class Place(NamedTuple):
    """Where a view lies in the memory of its base. Strides and offsets count elements."""

    base_shape: tuple[int, ...]
    base_strides: tuple[int, ...]
    base_start: int  # from the lowest address of the base to its first element
    span: int  # from the lowest address to the highest, both included
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    start: int
    distinct: bool  # no element of memory appears twice in the view


def place_of(view: Tensor, base: Tensor) -> Place | None:
    """The place of ``view`` in the memory of ``base``; ``None`` if it no longer lies there (``base.data`` was replaced).

    Raises:
        GradError: strides are no whole elements, as those of a field of a structured NumPy array.
    """
    if view.array.size and not array_module(view.array).may_share_memory(view.array, base.array):
        return None
    size = base.array.itemsize
    offset = view.data_ptr() - base.data_ptr()
    steps, base_steps = view.array.strides, base.array.strides
    if view.array.size == 0:
        offset, steps = 0, (0,) * len(steps)
    if offset % size or any(step % size for step in (*steps, *base_steps)):
        raise GradError(
            "in-place change",
            "a view",
            "memory whose strides are whole elements",
            f"strides of {base_steps} bytes",
            "Clone the base before the change",
        )
    shape, base_shape = tuple(view.array.shape), tuple(base.array.shape)
    strides, base_strides = tuple([step // size for step in steps]), tuple([step // size for step in base_steps])
    low, high = _reach(base_shape, base_strides)
    start = offset // size - low
    below, above = _reach(shape, strides)
    if start + below < 0 or start + above > high - low:
        return None
    covered, distinct = 0, True
    for step, count in sorted([(abs(step), count) for step, count in zip(strides, shape, strict=True) if count > 1]):
        distinct &= step > covered
        covered += step * (count - 1)
    return Place(base_shape, base_strides, -low, high - low + 1, shape, strides, start, distinct)


def _reach(shape: tuple[int, ...], strides: tuple[int, ...]) -> tuple[int, int]:
    """How far the elements lie before and behind the first."""
    if 0 in shape:
        return 0, 0
    ends = [(count - 1) * step for count, step in zip(shape, strides, strict=True)]
    return sum([end for end in ends if end < 0]), sum([end for end in ends if end > 0])


def _lay_out(flat: Array, place: Place) -> tuple[Array, Array]:
    """The base and the view, in memory like theirs."""
    size, as_strided = flat.itemsize, array_module(flat).lib.stride_tricks.as_strided
    base = as_strided(flat[place.base_start :], place.base_shape, tuple([s * size for s in place.base_strides]))
    return base, as_strided(flat[place.start :], place.shape, tuple([s * size for s in place.strides]))


class Region(Function):
    """y = the elements of x in a region;  dx = dy there and 0 elsewhere."""

    place: Place

    def forward(ctx, x: Array, place: Place) -> Array:
        ctx.place = place
        base, region = _lay_out(array_module(x).empty(place.span, x.dtype), place)
        base[...] = x
        return region

    def backward(ctx, dy: Tensor) -> Any:
        return IntoRegion.apply(dy, ctx.place), None


class IntoRegion(Function):
    """y = x in a region and 0 elsewhere;  dx = dy there. Where elements of a region share memory, they add."""

    def forward(ctx, x: Array, place: Place) -> Array:
        ctx.place = place
        xp = array_module(x)
        flat = xp.zeros(place.span, x.dtype)
        base, region = _lay_out(flat, place)
        if place.distinct:
            region[...] = x
        else:
            _, index = _lay_out(xp.arange(place.span), place)
            add_at(flat, index, x)
        return base

    def backward(ctx, dy: Tensor) -> Any:
        return Region.apply(dy, ctx.place), None


class OutsideRegion(Function):
    """y = x with 0 in a region;  dx = dy with 0 in it."""

    def forward(ctx, x: Array, place: Place) -> Array:
        ctx.place = place
        base, region = _lay_out(array_module(x).empty(place.span, x.dtype), place)
        base[...] = x
        region[...] = 0
        return base

    def backward(ctx, dy: Tensor) -> Any:
        return OutsideRegion.apply(dy, ctx.place), None


class WriteRegion(Function):
    """y = b with the values of v written into a region;  db = dy with 0 in it, dv = dy there."""

    place: Place

    def backward(ctx, dy: Tensor) -> Any:
        need_b, need_v = ctx.needs_input_grad
        return OutsideRegion.apply(dy, ctx.place) if need_b else None, Region.apply(dy, ctx.place) if need_v else None


def changed(x: Tensor, value: Tensor | None) -> None:
    """Tell the tape that the memory of ``x`` was written.

    ``value`` is what it holds now, with its history; ``None`` where nothing is recorded.
    """
    if x._counter is not None:
        x._counter[0] += 1
    if value is None or value._node is None:
        if x._base is not None and x._seen == x._counter[0] - 1:
            x._seen += 1
        return
    base = x._base
    place = None if base is None else place_of(x, base)
    if base is None or place is None:
        x._adopt(value._node, value.output_nr)
        x._base = None
        return
    node = WriteRegion()
    node.place = place
    base._adopt(hang(node, base, value), 0)
    if x._node is not None and x._node._retained:
        refresh(x)  # now, so that the retained gradient is that of the new value


def refresh(view: Tensor) -> None:
    """Give a view whose memory was changed the history that it has now: a region of its base."""
    base, counter = view._base, view._counter
    if base is None or counter is None:
        return
    view._seen = counter[0]
    if not base._requires_grad:
        view._node, view.output_nr, view._requires_grad = None, 0, False
        return
    place = place_of(view, base)
    if place is None:
        view._base = None  # it goes on with the history that it has
        return
    node = Region()
    node.place = place
    view._adopt(hang(node, base, None), 0)


__all__ = ["changed", "refresh"]
