"""Parts of a tensor: slices, diagonals, windows, and a tensor cut into several. All are views."""

from __future__ import annotations

import itertools
from typing import Any

from minigrad.core.device import Array, array_module
from minigrad.core.dtypes import result_dtype
from minigrad.core.tape import Function, mode
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError, DTypeError, IndexingError, ShapeError
from minigrad.kernels.layout import empty_channels_last, is_channels_last
from minigrad.ops.dims import integers, one_dim, sizes
from minigrad.ops.operands import cast, seen_as
from minigrad.ops.shape import Expand, Reshape, atleast_1d, atleast_2d, atleast_3d


class Slice(Function):
    """y = x[index] for integers, slices, None and Ellipsis;  dx = zeros with dx[index] = dy."""

    is_view = True

    def forward(ctx, x: Array, index: tuple) -> Array:
        ctx.index, ctx.shape, ctx.last = index, x.shape, lies_channels_last(x)
        return x[index]

    def backward(ctx, dy: Tensor) -> Any:
        return Place.apply(dy, ctx.index, ctx.shape, ctx.last), None


class Place(Function):
    """y = zeros with y[index] = x;  dx = dy[index]. The transpose of ``Slice``."""

    def forward(ctx, x: Array, index: tuple, shape: tuple[int, ...], last: bool) -> Array:
        ctx.index = index
        xp = array_module(x)
        y = empty_channels_last(xp, shape, x.dtype) if last else xp.zeros(shape, x.dtype)
        if last:
            y.fill(0)
        y[index] = x
        return y

    def backward(ctx, dy: Tensor) -> Any:
        return Slice.apply(dy, ctx.index), None, None, None


class Split(Function):
    """y_0, y_1, ... = the parts of x of these sizes along ``dim``;  dx = dy_0, dy_1, ... joined."""

    is_view = True

    def forward(ctx, x: Array, sizes: tuple[int, ...], dim: int) -> tuple[Array, ...]:
        ctx.set_materialize_grads(False)
        ctx.dim, ctx.last = dim, lies_channels_last(x)
        return cut_array(x, sizes, dim)

    def backward(ctx, *dy: Tensor | None) -> Any:
        if mode.direct and None not in dy:
            return Tensor._wrap(join_arrays([each.array for each in dy], ctx.dim, ctx.last)), None, None  # type: ignore[union-attr]
        return Cat.apply(*with_zeros(dy, ctx), ctx.dim, ctx.last), None, None


class Cat(Function):
    """y = x_0, x_1, ... joined along ``dim``;  dx_0, dx_1, ... = the parts of dy. The transpose of ``Split``."""

    def forward(ctx, *args: Any) -> Array:
        *arrays, ctx.dim, last = args
        ctx.sizes = tuple([x.shape[ctx.dim] for x in arrays])
        return join_arrays(arrays, ctx.dim, last)

    def backward(ctx, dy: Tensor) -> Any:
        if mode.direct:
            return *[seen_as(dy, part) for part in cut_array(dy.array, ctx.sizes, ctx.dim)], None, None
        return *Split.apply(dy, ctx.sizes, ctx.dim), None, None


class Unbind(Function):
    """y_i = x[.., i, ..] at dimension ``dim``;  dx = dy_0, dy_1, ... stacked."""

    is_view = True

    def forward(ctx, x: Array, dim: int) -> tuple[Array, ...]:
        ctx.set_materialize_grads(False)
        ctx.dim = dim
        lead = (slice(None),) * dim
        return tuple([x[(*lead, i, ...)] for i in range(x.shape[dim])])

    def backward(ctx, *dy: Tensor | None) -> Any:
        return Stack.apply(*with_zeros(dy, ctx), ctx.dim), None


class Stack(Function):
    """y = x_0, x_1, ... along a new dimension ``dim``;  dx_i = dy[.., i, ..]. The transpose of ``Unbind``."""

    def forward(ctx, *args: Any) -> Array:
        *arrays, ctx.dim = args
        return array_module(arrays[0]).stack(arrays, ctx.dim)

    def backward(ctx, dy: Tensor) -> Any:
        return *Unbind.apply(dy, ctx.dim), None


def with_zeros(grads: tuple[Tensor | None, ...], node: Function) -> list[Any]:
    """The gradients of a node's outputs, zeros that take no memory in place of those that did not come."""
    full: list[Any] = []
    for grad, meta in zip(grads, node._meta):
        if grad is None and meta is not None:
            kind, shape, dtype = meta
            grad = Expand.apply(Tensor._zeros(kind, (), dtype), shape)
        full.append(grad)
    return full


def cut_array(x: Array, sizes: tuple[int, ...], dim: int) -> tuple[Array, ...]:
    """The parts of these sizes along a dimension: views."""
    lead = (slice(None),) * dim
    ends = itertools.accumulate(sizes, initial=0)
    return tuple([x[(*lead, slice(start, end))] for start, end in itertools.pairwise(ends)])


def join_arrays(arrays: list[Array], dim: int, last: bool) -> Array:
    """The arrays joined; images in channels-last memory if ``last`` or if the first lies so."""
    first = arrays[0]
    if first.ndim != 4 or not (last or lies_channels_last(first)):
        return array_module(first).concatenate(arrays, dim)
    n, c, h, w = first.shape
    shape = [n, c, h, w]
    shape[dim] = sum([array.shape[dim] for array in arrays])
    out = empty_channels_last(array_module(first), tuple(shape), first.dtype)
    return array_module(first).concatenate(arrays, dim, out=out)


def lies_channels_last(x: Array) -> bool:
    """Whether ``x`` is an image in channels-last memory and not, at the same time, in C order."""
    return x.ndim == 4 and not x.flags.c_contiguous and is_channels_last(x)


# ---------------------------------------------------------------------- parts


def _axis(where: str, input: Tensor, dim: int) -> tuple[int, int]:
    """The dimension counted from 0, and its size.

    Raises:
        IndexingError: it does not exist.
    """
    shape = check_tensor(where, "input", input).array.shape
    if not shape:
        raise IndexingError(where, "input", "at least one dimension", "none")
    axis = one_dim(where, dim, len(shape))
    return axis, shape[axis]


def select(input: Tensor, dim: int, index: int) -> Tensor:
    """The part at one place of a dimension, without that dimension.

    Raises:
        IndexingError: there is no such dimension or place.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([[1, 2], [3, 4]]).select(1, -1)
        tensor([2, 4])
    """
    axis, size = _axis("select", input, dim)
    (place,) = sizes("select", (index,), "index")
    if not -size <= place < size:
        raise IndexingError("select", "index", f"a place from {-size} to {size - 1} of dimension {axis}", str(place))
    return Slice.apply(input, (*(slice(None),) * axis, place, ...))


def narrow(input: Tensor, dim: int, start: Any, length: int) -> Tensor:
    """``length`` places of a dimension, from ``start`` on.

    Args:
        input: Tensor.
        dim: the dimension.
        start: the first place, a number or an integer tensor of one element; negative counts from the end.
        length: how many.

    Raises:
        IndexingError: it goes past the end.

    Example:
        >>> import minigrad
        >>> minigrad.arange(5).narrow(0, 1, 3)
        tensor([1, 2, 3])
    """
    axis, size = _axis("narrow", input, dim)
    first, count = sizes("narrow", (start, length), "start, length")
    begin = first + size if first < 0 else first
    if begin < 0 or count < 0 or begin + count > size:
        raise IndexingError(
            "narrow", "start, length", f"places within the {size} of dimension {axis}", f"start {first}, length {count}"
        )
    return Slice.apply(input, (*(slice(None),) * axis, slice(begin, begin + count)))


# ---------------------------------------------------------------------- cut into several


def split(tensor: Tensor, split_size_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """The tensor cut into parts along a dimension: views, one node for all.

    Args:
        tensor: Tensor.
        split_size_or_sections: the size of each part but the last, which may be smaller; or the sizes of all.
        dim: the dimension.

    Raises:
        ShapeError: the sizes are negative or their sum is not that of the dimension.
        IndexingError: there is no such dimension.

    Example:
        >>> import minigrad
        >>> minigrad.arange(5).split(2)
        (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    """
    axis, size = _axis("split", tensor, dim)
    if isinstance(split_size_or_sections, (tuple, list)):
        parts = integers("split", tuple(split_size_or_sections), "split_size_or_sections")
        if sum(parts) != size or min(parts, default=0) < 0:
            raise ShapeError("split", "split_size_or_sections", f"sizes whose sum is {size}", str(parts))
    else:
        (each,) = sizes("split", (split_size_or_sections,), "split_size_or_sections")
        if each < 0 or (each == 0 and size):
            raise ArgumentError("split", "split_size_or_sections", "a positive size", str(each))
        parts = _cut(size, each)
    return Split.apply(tensor, parts, axis)


def _cut(size: int, each: int) -> tuple[int, ...]:
    """``size`` in parts of ``each`` and what is left; one part at least."""
    whole, rest = divmod(size, each) if each else (0, 0)
    return (each,) * whole + ((rest,) if rest or not whole else ())


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """The tensor in at most ``chunks`` parts of equal size, of which the last may be smaller. See ``tensor_split``.

    Raises:
        ArgumentError: ``chunks`` is not positive.

    Example:
        >>> import minigrad
        >>> minigrad.arange(5).chunk(2)
        (tensor([0, 1, 2]), tensor([3, 4]))
    """
    axis, size = _axis("chunk", input, dim)
    (count,) = sizes("chunk", (chunks,), "chunks")
    if count <= 0:
        raise ArgumentError("chunk", "chunks", "a positive number", str(count))
    if count > 2**31:
        raise ArgumentError("chunk", "chunks", "at most 2^31", str(count))
    return Split.apply(input, _cut(size, -(-size // count)) if size else (0,) * count, axis)


def tensor_split(input: Tensor, indices_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """The tensor in a given number of parts, or cut at given places.

    Args:
        input: Tensor.
        indices_or_sections: the number of parts, of which the first are larger by one where it does not go up; or the
            places, as a sequence or an integer tensor of one dimension.
        dim: the dimension.

    Raises:
        ArgumentError: the number is not positive.

    Example:
        >>> import minigrad
        >>> minigrad.arange(5).tensor_split((1, 3))
        (tensor([0]), tensor([1, 2]), tensor([3, 4]))
    """
    where, argument = "tensor_split", "indices_or_sections"
    axis, size = _axis(where, input, dim)
    at = indices_or_sections.tolist() if isinstance(indices_or_sections, Tensor) else indices_or_sections
    lead = (slice(None),) * axis
    if not isinstance(at, (tuple, list)):
        (count,) = sizes(where, (at,), argument)
        if not 0 < count < 2**31:
            raise ArgumentError(where, argument, "a positive number (at most 2^31), or places", str(count))
        return Split.apply(input, tuple([size // count + (i < size % count) for i in range(count)]), axis)
    bounds = [slice(place, None).indices(size)[0] for place in integers(where, tuple(at), argument)]
    edges = [0, *bounds, size]
    if edges == sorted(edges):
        return Split.apply(input, tuple([end - start for start, end in itertools.pairwise(edges)]), axis)
    return tuple([Slice.apply(input, (*lead, slice(start, end))) for start, end in itertools.pairwise(edges)])


def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The tensor's parts at each place of a dimension, without that dimension: views, one node for all.

    Raises:
        IndexingError: there is no such dimension.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([[1, 2], [3, 4]]).unbind(1)
        (tensor([1, 3]), tensor([2, 4]))
    """
    axis, _ = _axis("unbind", input, dim)
    return Unbind.apply(input, axis)


def _iterate(input: Tensor) -> Any:
    """``for part in tensor``: its parts along the first dimension."""
    return iter(unbind(input))


# ---------------------------------------------------------------------- joined


def _joined(where: str, tensors: Any) -> list[Tensor]:
    """The tensors of a sequence, in the dtype of the result.

    Raises:
        DTypeError: it is no sequence, or holds something else.
        ArgumentError: it is empty.
    """
    if not isinstance(tensors, (tuple, list)):
        raise DTypeError(where, "tensors", "a tuple or list of Tensors", type(tensors).__name__)
    if not tensors:
        raise ArgumentError(where, "tensors", "at least one Tensor", "none")
    dtype = check_tensor(where, "tensors[0]", tensors[0]).array.dtype
    for position, tensor in enumerate(tensors):
        if check_tensor(where, f"tensors[{position}]", tensor).array.dtype is not dtype:
            dtype = result_dtype(*[check_tensor(where, "tensors", tensor).array for tensor in tensors])
            return [cast(tensor, dtype) for tensor in tensors]
    return list(tensors)


def cat(tensors: Any, dim: int = 0) -> Tensor:
    """The tensors joined along a dimension that they have.

    Args:
        tensors: a sequence of Tensors whose sizes agree but for that of ``dim``; an empty one of one dimension fits all.
        dim: the dimension.

    Raises:
        ShapeError: the sizes do not agree, or a tensor has no dimension.
        IndexingError: there is no such dimension.

    Example:
        >>> import minigrad
        >>> minigrad.cat([minigrad.zeros(2), minigrad.ones(1)])
        tensor([0., 0., 1.])
    """
    return _cat("cat", tensors, dim)


def _cat(where: str, tensors: Any, dim: int) -> Tensor:
    parts = _joined(where, tensors)
    first = next((part.array.shape for part in parts if part.array.shape != (0,)), (0,))
    if not first:
        raise ShapeError(where, "tensors", "at least one dimension", "none", "Use minigrad.stack()")
    axis = one_dim(where, dim, len(first))
    before, after = first[:axis], first[axis + 1 :]
    if len(first) > 1:  # an empty vector fits any
        parts = [Reshape.apply(part, (*before, 0, *after)) if part.array.shape == (0,) else part for part in parts]
    for position, part in enumerate(parts):
        shape = part.array.shape
        if len(shape) != len(first) or shape[:axis] != before or shape[axis + 1 :] != after:
            raise ShapeError(
                where, f"tensors[{position}]", f"the sizes of {tuple(first)}, but for dimension {axis}", str(tuple(shape))
            )
    return Cat.apply(*parts, axis, False)


concat = concatenate = cat


def stack(tensors: Any, dim: int = 0) -> Tensor:
    """The tensors joined along a new dimension.

    Args:
        tensors: a sequence of Tensors of one shape.
        dim: where the new dimension stands in the result.

    Raises:
        ShapeError: the shapes differ.
        IndexingError: there is no such place.

    Example:
        >>> import minigrad
        >>> minigrad.stack([minigrad.zeros(2), minigrad.ones(2)], dim=1)
        tensor([[0., 1.],
                [0., 1.]])
    """
    parts = _joined("stack", tensors)
    shape = parts[0].array.shape
    for position, part in enumerate(parts):
        if part.array.shape != shape:
            raise ShapeError("stack", f"tensors[{position}]", f"shape {tuple(shape)}", str(tuple(part.array.shape)))
    return Stack.apply(*parts, one_dim("stack", dim, len(shape) + 1))


def vstack(tensors: Any) -> Tensor:
    """The tensors joined along the first dimension; vectors are rows.

    Example:
        >>> import minigrad
        >>> minigrad.vstack([minigrad.zeros(2), minigrad.ones(2)])
        tensor([[0., 0.],
                [1., 1.]])
    """
    return _cat("vstack", [atleast_2d(tensor) for tensor in _joined("vstack", tensors)], 0)


def hstack(tensors: Any) -> Tensor:
    """The tensors joined along the second dimension; vectors along their only one.

    Example:
        >>> import minigrad
        >>> minigrad.hstack([minigrad.zeros(2), minigrad.ones(2)])
        tensor([0., 0., 1., 1.])
    """
    parts = [atleast_1d(tensor) for tensor in _joined("hstack", tensors)]
    return _cat("hstack", parts, 0 if parts[0].array.ndim == 1 else 1)


def dstack(tensors: Any) -> Tensor:
    """The tensors joined along the third dimension, after ``atleast_3d``.

    Example:
        >>> import minigrad
        >>> minigrad.dstack([minigrad.zeros(2), minigrad.ones(2)]).shape
        minigrad.Size([1, 2, 2])
    """
    return _cat("dstack", [atleast_3d(tensor) for tensor in _joined("dstack", tensors)], 2)


__all__ = [
    "cat",
    "chunk",
    "concat",
    "concatenate",
    "dstack",
    "hstack",
    "narrow",
    "select",
    "split",
    "stack",
    "tensor_split",
    "unbind",
    "vstack",
]
METHODS = ("chunk", "narrow", "select", "split", "tensor_split", "unbind")
OPERATORS = {"__iter__": _iterate}
