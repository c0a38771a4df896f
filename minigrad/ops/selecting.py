"""Elements by a mask, and whole parts of a dimension by a list of places; and put back there."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core.device import array_module
from minigrad.core.hints import checked
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import DTypeError, ShapeError
from minigrad.ops.beside import constant
from minigrad.ops.choice import Where
from minigrad.ops.dims import one_dim
from minigrad.ops.indexing import HOLE, GetItem, IndexPut, ScatterIndex, Template, check_bounds
from minigrad.ops.operands import cast
from minigrad.ops.parts import Slice
from minigrad.ops.shape import Reshape, broadcast_shapes, broadcast_to

_WHOLE = slice(None)


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
        value = value if dtype.kind == "f" and type(value) is float else np.asarray(value).astype(dtype).item()
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


@checked
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
        DTypeError: ``index`` holds no integers, ``source`` has another dtype, or ``alpha`` does not fit it.

    Example:
        >>> import minigrad
        >>> minigrad.zeros(3).index_add(0, minigrad.tensor([0, 0, 2]), minigrad.ones(3))
        tensor([2., 0., 1.])
    """
    axis, template, index = _index_along("index_add", input, dim, index)
    source = _source_along("index_add", input, axis, index, source)
    x = _at_least_1d(input)
    added = ScatterIndex.apply(source, x.array.shape, template, index)
    if isinstance(alpha, float) and not alpha.is_integer() and input.array.dtype.kind != "f":
        raise DTypeError("index_add", "alpha", f"an integer, as input is {input.array.dtype}", str(alpha))
    total = x + (added if alpha == 1 else cast(added * alpha, input.array.dtype))
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
    return Tensor._wrap(constant(np.asarray(value).astype(dtype), None, input.array))


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


def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """A copy with the elements of ``source`` at places counted through the whole tensor. See ``take``.

    Args:
        input: Tensor.
        index: integers; negative ones count from the end.
        source: a Tensor of as many elements.
        accumulate: add them, a place named twice receiving both.

    Raises:
        IndexingError: there is no such place.
        DTypeError: ``index`` holds no integers, or ``source`` has another dtype.
        ShapeError: ``source`` has another number of elements.

    Example:
        >>> import minigrad
        >>> minigrad.zeros(2, 2).put(minigrad.tensor([1, -1]), minigrad.tensor([5.0, 6.0]))
        tensor([[0., 5.],
                [0., 6.]])
    """
    flat, places = _flat("put", input, index)
    if check_tensor("put", "source", source).array.dtype != flat.array.dtype:
        raise DTypeError("put", "source", f"dtype {flat.array.dtype}, that of input", str(source.array.dtype))
    if source.array.size != places.array.size:
        raise ShapeError("put", "source", f"{places.array.size} elements, as index", str(source.array.size))
    values = Reshape.apply(source, (source.array.size,))
    return Reshape.apply(IndexPut.apply(flat, values, (HOLE,), accumulate, places), input.array.shape)


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
    "index_select",
    "masked_fill",
    "masked_scatter",
    "masked_select",
    "nonzero",
    "put",
    "take",
]
METHODS = (
    "argwhere",
    "index_add",
    "index_copy",
    "index_fill",
    "index_select",
    "masked_fill",
    "masked_scatter",
    "masked_select",
    "nonzero",
    "put",
    "take",
)
