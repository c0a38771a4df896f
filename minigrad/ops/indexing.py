"""Indexing with brackets, masks and index tensors, and putting values back at such places.

``x[index]`` is done in two steps, as in PyTorch: integers, slices, ``None`` and ``...`` give a view (``Slice``); index tensors
and masks then pick from it (``GetItem``). An integer is therefore never moved about as NumPy does beside index arrays.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module, device_of, move, number
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError, DTypeError, IndexingError, MinigradError, ShapeError
from minigrad.kernels.doubts import doubt
from minigrad.ops.beside import add_at
from minigrad.ops.parts import Slice
from minigrad.ops.shape import broadcast_shapes

HOLE = None  # in a template: where an index array stands; a slice stands for a dimension kept whole
Template = tuple[Any, ...]
_WHOLE = slice(None)


class GetItem(Function):
    """y = x[.., i, .., j, ..] for index arrays or masks i, j;  dx = zeros, to which dy is added at the places picked."""

    def forward(ctx, x: Array, template: Template, *indices: Array) -> Array:
        ctx.template, ctx.shape = template, x.shape
        ctx.save_for_backward(*indices)
        return pick(x, template, indices)

    def backward(ctx, dy: Tensor) -> Any:
        indices = ctx.saved_tensors
        return ScatterIndex.apply(dy, ctx.shape, ctx.template, *indices), None, *[None] * len(indices)


class ScatterIndex(Function):
    """y = zeros, to which x is added at the places of index arrays;  dx = dy[index]. The transpose of ``GetItem``."""

    def forward(ctx, x: Array, shape: tuple[int, ...], template: Template, *indices: Array) -> Array:
        ctx.template, ctx.shape = template, x.shape
        ctx.save_for_backward(*indices)
        y = array_module(x).zeros(shape, x.dtype)
        put(y, template, indices, x, accumulate=True)
        return y

    def backward(ctx, dy: Tensor) -> Any:
        indices = ctx.saved_tensors
        return GetItem.apply(dy, ctx.template, *indices), None, None, *[None] * len(indices)


class IndexPut(Function):
    """y = x with y[index] = v;  dx = dy with 0 at those places, dv = dy[index]. If v is added to x there, dx = dy."""

    def forward(ctx, x: Array, v: Array, template: Template, accumulate: bool, *indices: Array) -> Array:
        ctx.template, ctx.accumulate = template, accumulate
        ctx.save_for_backward(*indices)
        y = x.copy(order="K")
        try:
            put(y, template, indices, v, accumulate)
        except ValueError as error:
            if isinstance(error, MinigradError):
                raise
            place = f"a shape that broadcasts to {tuple(y[_filled(template, indices)].shape)}, that of the places"
            raise ShapeError("index_put", "values", place, str(tuple(v.shape))) from error
        return y

    def backward(ctx, dy: Tensor) -> Any:
        indices = ctx.saved_tensors
        need_x, need_v = ctx.needs_input_grad[:2]
        dx = dv = None
        if need_x:
            nothing = Tensor._zeros(type(dy.array), (), dy.array.dtype)
            dx = dy if ctx.accumulate else IndexPut.apply(dy, nothing, ctx.template, False, *indices)
        if need_v:
            dv = GetItem.apply(dy, ctx.template, *indices)
        return dx, dv, None, None, *[None] * len(indices)


# ---------------------------------------------------------------------- on arrays


def _filled(template: Template, indices: Iterable[Array]) -> tuple:
    """The index that NumPy takes: the template with its holes filled."""
    rest = iter(indices)
    return tuple([next(rest) if part is HOLE else part for part in template])


def pick(x: Array, template: Template, indices: tuple[Array, ...]) -> Array:
    """x[index].

    Raises:
        IndexingError: an index lies outside its dimension.
    """
    if type(x) is not np.ndarray:
        _check_bounds(x.shape, template, indices)  # CuPy wraps such an index around
        return x[_filled(template, indices)]
    try:
        if len(indices) == 1 and indices[0].dtype.kind == "i" and x.flags.c_contiguous:
            return x.take(indices[0], axis=len(template) - 1)  # the same at half the cost
        return x[_filled(template, indices)]
    except IndexError:
        _check_bounds(x.shape, template, indices)
        raise


def put(y: Array, template: Template, indices: tuple[Array, ...], values: Array, accumulate: bool) -> None:
    """y[index] = values, or, to ``accumulate``, y[index] += values where a place named twice receives both.

    Raises:
        IndexingError: an index lies outside its dimension.
    """
    host = type(y) is np.ndarray
    if not host:
        _check_bounds(y.shape, template, indices)
    index = _filled(template, indices)
    try:
        if not accumulate:
            y[index] = values
        elif all(array.dtype.kind == "b" for array in indices):
            y[index] += values  # a mask names no place twice
        elif host and len(indices) == 1 and _are_distinct(indices[0], y.shape[len(template) - 1]):
            y[index] += values
        elif host and y.flags.c_contiguous:  # a plain list of places is what NumPy's add.at is fast at
            places = _places(y.shape, template, indices)
            np.add.at(y.reshape(-1), places.reshape(-1), np.broadcast_to(values, places.shape).reshape(-1))
        else:
            add_at(y, index, values)
    except IndexError:
        _check_bounds(y.shape, template, indices)
        raise


def _are_distinct(index: np.ndarray, size: int) -> bool:
    """Whether no place of a dimension is named twice, from the front or from the end.

    Raises:
        IndexError: one lies outside.
    """
    if index.size > size:
        return False
    named = np.zeros(size, bool)
    named[index] = True
    return int(np.count_nonzero(named)) == index.size


def _places(shape: tuple[int, ...], template: Template, indices: tuple[Array, ...]) -> np.ndarray:
    """The number in memory order of each element of x[index], for a C-ordered x.

    Raises:
        IndexingError: an index lies outside its dimension.
    """
    _check_bounds(shape, template, indices)
    axis, full = 0, []
    for part in _filled(template, indices):
        for array in part.nonzero() if not isinstance(part, slice) and part.dtype.kind == "b" else (part,):
            full.append((axis, array))
            axis += 1
    steps = [1]
    for size in reversed(shape[1:]):
        steps.append(steps[-1] * size)
    steps.reverse()
    taken = [axis for axis, array in full if not isinstance(array, slice)]
    picked = sum([np.where(array < 0, array + shape[axis], array) * steps[axis] for axis, array in full if axis in taken])
    first = taken[0] if taken[-1] - taken[0] == len(taken) - 1 else 0  # index arrays apart from each other: in front
    kept = [axis for axis in range(len(shape)) if axis not in taken]
    before = len([axis for axis in kept if axis < first])
    places = picked.reshape(picked.shape + (1,) * (len(kept) - before))
    for position, axis in enumerate(kept):
        behind = len(kept) - 1 - position + (picked.ndim if position < before else 0)
        places = places + (np.arange(shape[axis]) * steps[axis]).reshape((-1,) + (1,) * behind)
    return places


def _check_bounds(shape: tuple[int, ...], template: Template, indices: tuple[Array, ...]) -> None:
    """Raise IndexingError, naming dimension, bound and index, if one lies outside, or if index arrays do not broadcast."""
    axis = 0
    for part in _filled(template, indices):
        if isinstance(part, slice):
            axis += 1
        elif part.dtype.kind == "b":
            axis += part.ndim
        else:
            check_bounds("index", part, shape[axis], axis, least=-shape[axis])
            axis += 1
    if len(indices) > 1:  # a mask stands for as many places as it names
        broadcast_shapes(*[(int(array.sum()),) if array.dtype.kind == "b" else array.shape for array in indices])


def check_bounds(where: str, index: Array, size: int, axis: int, least: int = 0) -> None:
    """That all of an index array lies from ``least`` to ``size - 1``.

    Raises:
        IndexingError: one does not.
    """
    if not index.size:
        return

    def error() -> IndexingError:
        low, high = int(index.min()), int(index.max())
        expected = f"indices from {least} to {size - 1}, as dimension {axis} has size {size}"
        return IndexingError(where, "index", expected, str(low if low < least else high))

    if type(index) is np.ndarray:
        doubt(int(index.min()) < least or int(index.max()) >= size, error)
    else:
        doubt(((index < least) | (index >= size)).any(), error, (id(index), least, size))


# ---------------------------------------------------------------------- what the user writes in brackets


def normalise_index(where: str, index: Any, x: Tensor) -> tuple[tuple | None, Template | None, list[Tensor]]:
    """What stands in the brackets of ``x[index]``, sorted into what makes a view and what picks.

    Returns:
        The basic index (for ``Slice``), or ``None`` if it would change nothing; the template (for ``GetItem`` and ``IndexPut``,
        applied to the result of the first), or ``None`` if nothing picks; and the index tensors that fill its holes.

    Raises:
        IndexingError: an integer lies outside its dimension, there are too many indices, or a mask has another shape.
        DTypeError: something that is no index.
        ArgumentError: a slice with a negative step or step 0, or two ellipses.
    """
    parts = index if type(index) is tuple else (index,)
    shape = x.array.shape
    if len(parts) == 1 and type(parts[0]) is int:  # x[3], the most frequent
        _check_place(where, parts[0], 0, shape)
        return (parts[0], ...), None, []
    basic: list[Any] = []
    template: list[Any] = []
    indices: list[Tensor] = []
    axis, depth, changes = 0, 0, False  # depth: how much of the template is in use
    for part in _spelled_out(where, parts, x):
        width = _width(part)
        if isinstance(part, Tensor):
            if part.array.dtype.kind == "b":
                _check_mask(where, part, axis, shape)
                if not width:  # a single truth value: a new dimension, of size 1 or 0
                    basic.append(None)
                    part, changes = Tensor._wrap(part.array.reshape(1)), True
            basic += [_WHOLE] * width
            template.append(HOLE)
            indices.append(part)
            depth = len(template)
        else:
            basic.append(part)
            changes = changes or part != _WHOLE
            if part is None or isinstance(part, slice):
                template.append(_WHOLE)
            else:
                _check_place(where, part, axis, shape)
        axis += width
    return (*basic, ...) if changes or not indices else None, tuple(template[:depth]) if indices else None, indices


def _spelled_out(where: str, written: tuple, x: Tensor) -> list[Any]:
    """The parts of an index, each as ``_part`` gives it, with slices in place of ``...``."""
    parts = [_part(where, part, x) for part in written]
    ndim = x.array.ndim
    used = sum([_width(part) for part in parts])
    if used > ndim:
        raise IndexingError(where, "index", f"at most {ndim} indices, for shape {tuple(x.array.shape)}", str(used))
    dots = [place for place, part in enumerate(parts) if part is Ellipsis]
    if len(dots) > 1:
        raise ArgumentError(where, "index", "at most one ellipsis", str(len(dots)))
    for place in dots:
        parts[place : place + 1] = [_WHOLE] * (ndim - used)
    return parts


def _check_mask(where: str, mask: Tensor, axis: int, shape: tuple[int, ...]) -> None:
    part = shape[axis : axis + mask.array.ndim]
    if mask.array.shape != part:
        got = f"shape {tuple(mask.array.shape)}"
        raise IndexingError(where, "index", f"a mask of shape {tuple(part)}, that of dimensions {axis} and on", got)


def _check_place(where: str, index: int, axis: int, shape: tuple[int, ...]) -> None:
    if not shape:
        raise IndexingError(where, "index", "none, as the tensor has no dimensions", str(index), "Use .item()")
    size = shape[axis]
    if not -size <= index < size:
        bounds = f"an index from {-size} to {size - 1}, as dimension {axis} has size {size}"
        raise IndexingError(where, "index", bounds, str(index))


def _width(part: Any) -> int:
    """How many dimensions of the tensor a part of the index speaks of."""
    if part is None or part is Ellipsis:
        return 0
    if isinstance(part, Tensor) and part.array.dtype.kind == "b":
        return part.array.ndim
    return 1


def _part(where: str, part: Any, x: Tensor) -> Any:
    """One part of the index as an int, a slice, ``None``, ``...``, or a Tensor of integers or truth values beside ``x``."""
    if part is None or part is Ellipsis or type(part) is int:
        return part
    if isinstance(part, slice):
        start, stop, step = (_bound(where, bound) for bound in (part.start, part.stop, part.step))
        if step is not None and step <= 0:
            raise ArgumentError(where, "step of a slice", "a positive number", str(step), "Use .flip() to turn it round")
        return slice(start, stop, step)
    if isinstance(part, (bool, list, range, np.ndarray, np.bool_)):
        array = np.asarray(part)
        if array.size == 0 and array.dtype.kind == "f" and not isinstance(part, np.ndarray):
            array = array.astype(np.int64)  # an empty list
        part = Tensor._wrap(move(array, device_of(x.array)))
    if not isinstance(part, Tensor):
        return _bound(where, part)
    array = part.array
    if array.dtype.kind == "u" or array.dtype.kind not in "bi":
        remedy = "Write .bool() for a mask or .long() for positions" if array.dtype.kind == "u" else "Convert it with .long()"
        raise DTypeError(where, "index", "integers (int32, int64) or truth values", f"a tensor of {array.dtype}", remedy)
    if array.ndim == 0 and array.dtype.kind == "i":
        return int(number(array))
    return part


def _bound(where: str, number: Any) -> Any:
    if number is None:
        return None
    try:
        return operator.index(number)
    except TypeError as error:
        got = f"{type(number).__name__} {number!r}"
        raise DTypeError(
            where, "index", "integers, slices, ..., None, and tensors or lists of integers or truth values", got
        ) from error


def getitem(input: Tensor, index: Any) -> Tensor:
    """``input[index]``, with all that NumPy and PyTorch allow in the brackets.

    Integers, slices, ``None`` and ``...`` give a view; with an index tensor, mask or list among them a copy is made.

    Raises:
        IndexingError: an index lies outside its dimension, there are too many, or a mask has another shape.
        DTypeError: something that is no index; also uint8, of which PyTorch makes a mask and NumPy positions.
        ArgumentError: a slice with a negative step, or two ellipses.

    Example:
        >>> import minigrad
        >>> x = minigrad.arange(6).reshape(2, 3)
        >>> x[1, ::2], x[x > 3], x[:, [2, 0]]
        (tensor([3, 5]), tensor([4, 5]), tensor([[2, 0],
                [5, 3]]))
    """
    parts = index if type(index) is tuple else (index,)
    if all(map(_is_plain, parts)):  # the most frequent: left to NumPy as it is
        try:
            return Slice.apply(input, parts if ... in parts else (*parts, ...))
        except IndexError:
            pass  # told in words below
    basic, template, indices = normalise_index("getitem", index, input)
    if basic is not None:
        input = Slice.apply(input, basic)
    return input if template is None else GetItem.apply(input, template, *indices)


def _is_plain(part: Any) -> bool:
    """Whether it is an integer, ``None``, ``...`` or a slice of integers with a positive step."""
    kind = type(part)
    if kind is slice:
        step = part.step
        return type(part.start) in _PLAIN and type(part.stop) in _PLAIN and (step is None or (type(step) is int and step > 0))
    return kind in _PLAIN or part is ...


_PLAIN = (int, type(None))


def index_put(input: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """A copy with ``values`` at the places ``input[indices]``.

    Args:
        input: Tensor.
        indices: a tuple of integer tensors and masks, for the first dimensions; ``None`` keeps one whole.
        values: a Tensor that broadcasts to ``input[indices]``, of the dtype of ``input``.
        accumulate: add them, each place named twice receiving both. Else which of two wins is left open.

    Raises:
        IndexingError: an index lies outside its dimension.
        DTypeError: an index or ``values`` of another dtype.
        ShapeError: ``values`` does not broadcast.

    Example:
        >>> import minigrad
        >>> i = minigrad.tensor([0, 0, 2])
        >>> minigrad.zeros(3).index_put((i,), minigrad.ones(3), accumulate=True)
        tensor([2., 0., 1.])
    """
    x = check_tensor("index_put", "input", input)
    if not isinstance(indices, (tuple, list)):
        raise DTypeError("index_put", "indices", "a tuple of Tensors", type(indices).__name__)
    if check_tensor("index_put", "values", values).array.dtype != x.array.dtype:
        raise DTypeError(
            "index_put", "values", f"dtype {x.array.dtype}, that of input", str(values.array.dtype), "Convert them with .to()"
        )
    parts = tuple([slice(None) if part is None else check_tensor("index_put", "indices", part) for part in indices])
    lone = tuple(
        [  # a single index is kept a tensor: an integer would make a view
            Tensor._wrap(part.array.reshape(1)) if isinstance(part, Tensor) and not part.array.ndim else part for part in parts
        ]
    )
    basic, template, tensors = normalise_index("index_put", lone, x)
    if template is None or basic is not None:
        raise ArgumentError("index_put", "indices", "at least one index tensor", str(len(parts)))
    return IndexPut.apply(x, values, template, accumulate, *tensors)


__all__ = ["index_put"]
METHODS = ("index_put",)
OPERATORS = {"__getitem__": getitem}
