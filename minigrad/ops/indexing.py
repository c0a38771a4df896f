"""Indexing with brackets, masks and index tensors, and putting values back at such places.

``x[index]`` is done in two steps, as in PyTorch: integers, slices, ``None`` and ``...`` give a view (``Slice``); index tensors
and masks then pick from it (``GetItem``). An integer is therefore never moved about as NumPy does beside index arrays.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module, device_of, move
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError, DTypeError, IndexingError, ShapeError
from minigrad.ops.choice import Where
from minigrad.ops.dims import one_dim
from minigrad.ops.operands import cast
from minigrad.ops.parts import Slice
from minigrad.ops.shape import Reshape, broadcast_shapes, broadcast_to

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
        put(y, template, indices, v, accumulate)
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
        if len(template) <= 2 and len(indices) == 1 and indices[0].dtype.kind == "i" and x.flags.c_contiguous:
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
        elif host and y.flags.c_contiguous:  # a plain list of places is what NumPy's add.at is fast at
            places = _places(y.shape, template, indices)
            np.add.at(y.reshape(-1), places.reshape(-1), np.broadcast_to(values, places.shape).reshape(-1))
        else:
            array_module(y).add.at(y, index, values)
    except IndexError:
        _check_bounds(y.shape, template, indices)
        raise


def _places(shape: tuple[int, ...], template: Template, indices: tuple[Array, ...]) -> np.ndarray:
    """The number in memory order of each element of x[index], for a C-ordered x.

    Raises:
        IndexingError: an index lies outside its dimension.
    """
    _check_bounds(shape, template, indices)
    axis, full = 0, []
    for part in _filled(template, indices):
        for array in part.nonzero() if part is not _WHOLE and part.dtype.kind == "b" else (part,):
            full.append((axis, array))
            axis += 1
    steps = [1]
    for size in reversed(shape[1:]):
        steps.append(steps[-1] * size)
    steps.reverse()
    taken = [axis for axis, array in full if array is not _WHOLE]
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
    broadcast_shapes(*[array.shape for array in indices if array.dtype.kind != "b"])


def check_bounds(where: str, index: Array, size: int, axis: int, least: int = 0) -> None:
    """That all of an index array lies from ``least`` to ``size - 1``.

    Raises:
        IndexingError: one does not.
    """
    if not index.size:
        return
    low, high = int(index.min()), int(index.max())
    if low < least or high >= size:
        raise IndexingError(
            where,
            "index",
            f"indices from {least} to {size - 1}, as dimension {axis} has size {size}",
            str(low if low < least else high),
        )


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
        if not shape or not -shape[0] <= parts[0] < shape[0]:
            raise _outside(where, parts[0], 0, shape)
        return (parts[0], ...), None, []
    parts = [_part(where, part, x) for part in parts]
    used = sum([_width(part) for part in parts])
    if used > len(shape):
        raise IndexingError(where, "index", f"at most {len(shape)} indices, for shape {tuple(shape)}", str(used))
    if sum([part is Ellipsis for part in parts]) > 1:
        raise ArgumentError(where, "index", "at most one ellipsis", str(sum([part is Ellipsis for part in parts])))
    basic: list[Any] = []
    template: list[Any] = []
    indices: list[Tensor] = []
    axis, depth = 0, 0  # depth: how much of the template is in use
    changes = False
    for part in parts:
        if part is Ellipsis:
            rest = len(shape) - used
            basic += [_WHOLE] * rest
            template += [_WHOLE] * rest
            axis += rest
        elif part is None:
            basic.append(None)
            template.append(_WHOLE)
            changes = True
        elif isinstance(part, slice):
            basic.append(part)
            template.append(_WHOLE)
            changes = changes or part != _WHOLE
            axis += 1
        elif isinstance(part, Tensor):
            mask = part.array.dtype.kind == "b"
            if mask and part.array.shape != shape[axis : axis + part.array.ndim]:
                raise IndexingError(
                    where,
                    "index",
                    f"a mask of shape {tuple(shape[axis : axis + part.array.ndim])}, as dimensions {axis} and on",
                    f"shape {tuple(part.array.shape)}",
                )
            width = _width(part)
            if not width:  # a single truth value: a new dimension of size 1 or 0
                basic.append(None)
                part, changes = Tensor._wrap(part.array.reshape(1)), True
            basic += [_WHOLE] * width
            template.append(HOLE)
            indices.append(part)
            depth = len(template)
            axis += width
        else:
            if not -shape[axis] <= part < shape[axis]:
                raise _outside(where, part, axis, shape)
            basic.append(part)
            changes = True
            axis += 1
    return (*basic, ...) if changes or not indices else None, tuple(template[:depth]) if indices else None, indices


def _outside(where: str, index: int, axis: int, shape: tuple[int, ...]) -> IndexingError:
    if not shape:
        return IndexingError(where, "index", "none, as the tensor has no dimensions", str(index), "Use .item()")
    size = shape[axis]
    return IndexingError(
        where, "index", f"an index from {-size} to {size - 1}, as dimension {axis} has size {size}", str(index)
    )


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
        part = Tensor._wrap(array)
    if not isinstance(part, Tensor):
        return _bound(where, part)
    array = part.array
    if array.dtype.kind == "u" or array.dtype.kind not in "bi":
        remedy = "Write .bool() for a mask or .long() for positions" if array.dtype.kind == "u" else "Convert it with .long()"
        raise DTypeError(where, "index", "integers (int32, int64) or truth values", f"a tensor of {array.dtype}", remedy)
    if array.ndim == 0 and array.dtype.kind == "i":
        return int(array.item())
    if type(array) is not type(x.array):
        part = Tensor._wrap(move(array, device_of(x.array)))
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
    basic, template, indices = normalise_index("getitem", index, input)
    if basic is not None:
        input = Slice.apply(input, basic)
    return input if template is None else GetItem.apply(input, template, *indices)


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
    return put_values("index_put", x, template, tensors, values, accumulate)


def put_values(
    where: str, x: Tensor, template: Template, indices: list[Tensor], values: Tensor, accumulate: bool = False
) -> Tensor:
    """``IndexPut``, with words for values that do not fit.

    Raises:
        ShapeError: ``values`` does not broadcast to the places.
        IndexingError: an index lies outside its dimension.
    """
    try:
        return IndexPut.apply(x, values, template, accumulate, *indices)
    except (ValueError, IndexError) as error:
        if getattr(error, "where", None) is not None:
            raise
        place = f"a shape that broadcasts to the places of shape {x.array[_filled(template, [i.array for i in indices])].shape}"
        raise ShapeError(where, "values", place, str(tuple(values.array.shape))) from error


# ---------------------------------------------------------------------- masks


def check_mask(where: str, argument: str, mask: Any) -> Tensor:
    """A Tensor of truth values.

    Raises:
        DTypeError: it is none.
    """
    if check_tensor(where, argument, mask).array.dtype.kind != "b":
        raise DTypeError(where, argument, "a tensor of truth values", str(mask.array.dtype), "Convert it with .bool()")
    return mask


def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """A copy with ``value`` where ``mask`` holds.

    Args:
        input: Tensor.
        mask: truth values; broadcasts with ``input``.
        value: a number, or a Tensor without dimensions; takes the dtype of ``input``.

    Raises:
        DTypeError: ``mask`` is no tensor of truth values.
        ShapeError: ``value`` has dimensions.

    Example:
        >>> import minigrad
        >>> x = minigrad.tensor([1.0, -2.0])
        >>> x.masked_fill(x < 0, 0.0)
        tensor([1., 0.])
    """
    x = check_tensor("masked_fill", "input", input)
    check_mask("masked_fill", "mask", mask)
    dtype = x.array.dtype
    if isinstance(value, Tensor):
        if value.array.ndim:
            raise ShapeError(
                "masked_fill", "value", "a number or a tensor without dimensions", f"shape {tuple(value.array.shape)}"
            )
        value = cast(value, dtype)
    elif isinstance(value, (bool, int, float, np.generic)):
        value = value if dtype.kind == "f" and type(value) is float else dtype.type(value).item()
    else:
        raise DTypeError("masked_fill", "value", "a number or a Tensor", type(value).__name__)
    return Where.apply(mask, value, x)


def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where ``mask`` holds, along one dimension. The two broadcast.

    Raises:
        DTypeError: ``mask`` is no tensor of truth values.
        ShapeError: they do not broadcast.

    Example:
        >>> import minigrad
        >>> x = minigrad.tensor([1.0, -2.0, 3.0])
        >>> x.masked_select(x > 0)
        tensor([1., 3.])
    """
    x, mask = _with_mask("masked_select", input, mask)
    return GetItem.apply(x, (HOLE,), mask)


def _with_mask(where: str, input: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Tensor and mask in the shape to which they broadcast, of one dimension at least."""
    check_tensor(where, "input", input)
    check_mask(where, "mask", mask)
    shape = broadcast_shapes(input.array.shape, mask.array.shape) or (1,)
    return tuple([x if x.array.shape == shape else broadcast_to(x, shape) for x in (input, mask)])  # type: ignore[return-value]


def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """A copy in which the places where ``mask`` holds are filled, in their order, with the first elements of ``source``.

    Raises:
        DTypeError: ``mask`` is no tensor of truth values, or ``source`` has another dtype than ``input``.
        ShapeError: ``source`` has fewer elements than there are places.

    Example:
        >>> import minigrad
        >>> x = minigrad.zeros(3)
        >>> x.masked_scatter(minigrad.tensor([True, False, True]), minigrad.tensor([1.0, 2.0]))
        tensor([1., 0., 2.])
    """
    shape = broadcast_shapes(check_tensor("masked_scatter", "input", input).array.shape, mask.array.shape)
    x, mask = _with_mask("masked_scatter", input, mask)
    if check_tensor("masked_scatter", "source", source).array.dtype != x.array.dtype:
        raise DTypeError("masked_scatter", "source", f"dtype {x.array.dtype}, that of input", str(source.array.dtype))
    count = int(mask.array.sum())
    if source.array.size < count:
        raise ShapeError("masked_scatter", "source", f"at least {count} elements", str(source.array.size))
    values = Slice.apply(Reshape.apply(source, (source.array.size,)), (slice(0, count),))
    return Reshape.apply(IndexPut.apply(x, values, (HOLE,), False, mask), tuple(shape))


def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """Where the elements are not 0.

    Args:
        input: Tensor.
        as_tuple: give one tensor of indices for each dimension, with which ``input`` can be indexed.

    Returns:
        An int64 Tensor (number of such elements, dimensions), or a tuple of (number,).

    Example:
        >>> import minigrad
        >>> minigrad.nonzero(minigrad.tensor([[0, 5], [6, 0]]))
        tensor([[0, 1],
                [1, 0]])
    """
    x = check_tensor("nonzero", "input", input).array
    if as_tuple:
        return tuple([Tensor._wrap(index.astype(np.int64, copy=False)) for index in x.reshape(x.shape or (1,)).nonzero()])
    if not x.ndim:
        return Tensor._wrap(array_module(x).zeros((int(bool(x)), 0), np.int64))
    return Tensor._wrap(array_module(x).stack(x.nonzero(), 1).astype(np.int64, copy=False))


def argwhere(input: Tensor) -> Tensor:
    """Where the elements are not 0, under NumPy's name. See ``nonzero``."""
    return nonzero(input)


# ---------------------------------------------------------------------- places along one dimension


def _index_along(where: str, input: Tensor, dim: int, index: Any, least: int = 0) -> tuple[int, Template, Tensor]:
    """The dimension, the template, and the index of one dimension, checked.

    Raises:
        DTypeError, ShapeError, IndexingError: it is no such index.
    """
    shape = check_tensor(where, "input", input).array.shape
    axis = one_dim(where, dim, len(shape))
    kind = check_tensor(where, "index", index).array.dtype
    if kind.kind != "i":
        raise DTypeError(where, "index", "integers (int32 or int64)", str(kind), "Convert it with .long()")
    if index.array.ndim > 1:
        raise ShapeError(where, "index", "at most one dimension", f"shape {tuple(index.array.shape)}")
    check_bounds(where, index.array, shape[axis] if shape else 1, axis, -(shape[axis] if shape else 1) if least else 0)
    return axis, (_WHOLE,) * axis + (HOLE,), index if index.array.ndim else Reshape.apply(index, (1,))


def _at_least_1d(x: Tensor) -> Tensor:
    return x if x.array.ndim else Reshape.apply(x, (1,))


def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """The parts at the places ``index`` of a dimension, as a copy.

    Args:
        input: Tensor.
        dim: the dimension.
        index: integers, (N,), not negative.

    Returns:
        A Tensor whose size in ``dim`` is N.

    Raises:
        IndexingError: there is no such dimension or place.
        DTypeError: ``index`` holds no integers.

    Example:
        >>> import minigrad
        >>> minigrad.index_select(minigrad.tensor([[1, 2], [3, 4]]), 1, minigrad.tensor([1, 1]))
        tensor([[2, 2],
                [4, 4]])
    """
    _, template, index = _index_along("index_select", input, dim, index)
    picked = GetItem.apply(_at_least_1d(input), template, index)
    return picked if input.array.ndim else Reshape.apply(picked, ())


def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: float = 1) -> Tensor:
    """``input`` with ``alpha`` times the parts of ``source`` added at the places ``index`` of a dimension.

    Args:
        input: Tensor.
        dim: the dimension.
        index: integers, (N,), not negative; a place named twice receives both parts.
        source: a Tensor like ``input``, but of size N in ``dim``.
        alpha: a factor.

    Raises:
        IndexingError: there is no such dimension or place.
        ShapeError: ``source`` has other sizes.
        DTypeError: ``index`` holds no integers, or ``source`` has another dtype.

    Example:
        >>> import minigrad
        >>> minigrad.zeros(3).index_add(0, minigrad.tensor([0, 0, 2]), minigrad.ones(3))
        tensor([2., 0., 1.])
    """
    axis, template, index = _index_along("index_add", input, dim, index)
    source = _source_along("index_add", input, axis, index, source)
    x = _at_least_1d(input)
    added = ScatterIndex.apply(source, x.array.shape, template, index)
    total = x + (added if alpha == 1 else added * alpha)
    return total if input.array.ndim else Reshape.apply(total, ())


def _source_along(where: str, input: Tensor, axis: int, index: Tensor, source: Tensor) -> Tensor:
    shape = list(input.array.shape) or [1]
    shape[axis] = index.array.size
    if check_tensor(where, "source", source).array.dtype != input.array.dtype:
        raise DTypeError(where, "source", f"dtype {input.array.dtype}, that of input", str(source.array.dtype))
    if source.array.ndim == 0 and shape == [1]:
        return Reshape.apply(source, (1,))
    if source.array.shape != tuple(shape):
        raise ShapeError(where, "source", f"shape {tuple(shape)}, for this index", str(tuple(source.array.shape)))
    return source


def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """A copy with the parts of ``source`` at the places ``index`` of a dimension. See ``index_add``.

    Example:
        >>> import minigrad
        >>> minigrad.zeros(3).index_copy(0, minigrad.tensor([2, 0]), minigrad.tensor([5.0, 6.0]))
        tensor([6., 0., 5.])
    """
    axis, template, index = _index_along("index_copy", input, dim, index)
    source = _source_along("index_copy", input, axis, index, source)
    put = IndexPut.apply(_at_least_1d(input), source, template, False, index)
    return put if input.array.ndim else Reshape.apply(put, ())


def index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """A copy with ``value`` at the places ``index`` of a dimension.

    Args:
        input: Tensor.
        dim: the dimension.
        index: integers, (N,); negative ones count from the end.
        value: a number, or a Tensor without dimensions.

    Raises:
        IndexingError: there is no such dimension or place.
        ShapeError: ``value`` has dimensions.

    Example:
        >>> import minigrad
        >>> minigrad.zeros(3).index_fill(0, minigrad.tensor([-1]), 5)
        tensor([0., 0., 5.])
    """
    _, template, index = _index_along("index_fill", input, dim, index, least=-1)
    value = _scalar("index_fill", input, value)
    put = IndexPut.apply(_at_least_1d(input), value, template, False, index)
    return put if input.array.ndim else Reshape.apply(put, ())


def _scalar(where: str, input: Tensor, value: Any) -> Tensor:
    """A number or Tensor without dimensions as a Tensor of the dtype of ``input``, beside it."""
    dtype = input.array.dtype
    if isinstance(value, Tensor):
        if value.array.ndim:
            raise ShapeError(where, "value", "a number or a tensor without dimensions", f"shape {tuple(value.array.shape)}")
        return cast(value, dtype)
    if not isinstance(value, (bool, int, float, np.generic)):
        raise DTypeError(where, "value", "a number or a Tensor", type(value).__name__)
    return Tensor._wrap(array_module(input.array).asarray(value).astype(dtype))


def take(input: Tensor, index: Tensor) -> Tensor:
    """The elements at places counted through the whole tensor, in the shape of ``index``; negative ones count from the end.

    Raises:
        IndexingError: there is no such place.
        DTypeError: ``index`` holds no integers.

    Example:
        >>> import minigrad
        >>> minigrad.take(minigrad.tensor([[1, 2], [3, 4]]), minigrad.tensor([0, -1]))
        tensor([1, 4])
    """
    flat, places = _flat("take", input, index)
    return Reshape.apply(GetItem.apply(flat, (HOLE,), places), index.array.shape)


def _flat(where: str, input: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    size = check_tensor(where, "input", input).array.size
    kind = check_tensor(where, "index", index).array.dtype
    if kind.kind != "i":
        raise DTypeError(where, "index", "integers (int32 or int64)", str(kind), "Convert it with .long()")
    check_bounds(where, index.array, size, 0, -size)
    return Reshape.apply(input, (size,)), Reshape.apply(index, (index.array.size,))


__all__ = [
    "argwhere",
    "index_add",
    "index_copy",
    "index_fill",
    "index_put",
    "index_select",
    "masked_fill",
    "masked_scatter",
    "masked_select",
    "nonzero",
    "take",
]
METHODS = tuple(__all__)
OPERATORS = {"__getitem__": getitem}
