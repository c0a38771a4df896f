"""Elements picked along one dimension by a tensor of indices, one for each element of the result; and put back.

``y[i, j, k] = x[i, index[i, j, k], k]`` is ``gather`` along dimension 1; ``scatter`` and its like write the other way.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core.device import CPU, Array, array_module, device_of, move, quiet
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.ops.arithmetic import div, mul
from minigrad.ops.beside import add_at, constant
from minigrad.ops.dims import one_dim
from minigrad.ops.indexing import check_bounds
from minigrad.ops.parts import Slice
from minigrad.ops.selecting import masked_fill
from minigrad.ops.shape import Reshape, broadcast_shapes, broadcast_to


class Gather(Function):
    """y[.., i, ..] = x[.., index[.., i, ..], ..] along ``dim``;  dx = zeros, to which dy is added at the places picked."""

    def forward(ctx, x: Array, dim: int, index: Array) -> Array:
        ctx.dim, ctx.shape = dim, x.shape
        ctx.save_for_backward(index)
        return gather_array(x, dim, index)

    def backward(ctx, dy: Tensor) -> Any:
        (index,) = ctx.saved_tensors
        return ScatterAdd.apply(dy, ctx.shape, ctx.dim, index), None, None


class ScatterAdd(Function):
    """y = zeros, to which x is added at ``index`` along ``dim``;  dx = dy there. The transpose of ``Gather``."""

    def forward(ctx, x: Array, shape: tuple[int, ...], dim: int, index: Array) -> Array:
        ctx.dim = dim
        ctx.save_for_backward(index)
        y = array_module(x).zeros(shape, x.dtype)
        add_at(y.reshape(-1), places(shape, dim, index), x.reshape(-1))
        return y

    def backward(ctx, dy: Tensor) -> Any:
        (index,) = ctx.saved_tensors
        return Gather.apply(dy, ctx.dim, index), None, None, None


class Scatter(Function):
    """y = x with v at ``index`` along ``dim``;  dx = dy with 0 at those places, dv = dy there."""

    def forward(ctx, x: Array, v: Array, dim: int, index: Array) -> Array:
        ctx.dim = dim
        ctx.save_for_backward(index)
        y = x.copy(order="C")
        y.reshape(-1)[places(y.shape, dim, index)] = v.reshape(-1)
        return y

    def backward(ctx, dy: Tensor) -> Any:
        (index,) = ctx.saved_tensors
        need_x, need_v = ctx.needs_input_grad[:2]
        nothing = Tensor._zeros(type(dy.array), (), dy.array.dtype)
        dx = Scatter.apply(dy, nothing, ctx.dim, index) if need_x else None
        return dx, Gather.apply(dy, ctx.dim, index) if need_v else None, None, None


def places(shape: tuple[int, ...], dim: int, index: Array) -> Array:
    """The number in memory order, in a C-ordered array of ``shape``, of each place that ``index`` names along ``dim``; flat."""
    xp, step = array_module(index), 1
    if not index.size:
        return index.reshape(-1)
    found: Any = 0
    for axis in reversed(range(len(shape))):
        if axis == dim:
            found = found + index * step
        elif index.shape[axis] > 1:
            found = found + (xp.arange(index.shape[axis]) * step).reshape((-1,) + (1,) * (len(shape) - 1 - axis))
        step *= shape[axis]
    return (found if len(shape) else index).reshape(-1)


def gather_array(x: Array, dim: int, index: Array) -> Array:
    """The elements of ``x`` at ``index`` along ``dim``; the indices are in range and not negative."""
    if not x.ndim:
        return x.reshape(1)[index.reshape(-1)].reshape(index.shape)
    if x.flags.c_contiguous:
        return x.reshape(-1).take(places(x.shape, dim, index)).reshape(index.shape)
    kept = tuple([slice(None) if axis == dim else slice(0, size) for axis, size in enumerate(index.shape)])
    return array_module(x).take_along_axis(x[kept], index, dim)


def _checked(where: str, input: Tensor, dim: int, index: Any, source: Tensor | None = None) -> tuple[int, Tensor]:
    """The dimension from 0, and the index beside ``input``.

    Raises:
        IndexingError: there is no such dimension, or an index lies outside it.
        DTypeError: ``index`` holds no integers.
        ShapeError: ``index`` is larger than ``input`` (or ``source``) elsewhere, or has another number of dimensions.
    """
    shape = check_tensor(where, "input", input).array.shape
    axis = one_dim(where, dim, len(shape))
    array = check_tensor(where, "index", index).array
    if array.dtype.kind != "i":
        raise DTypeError(where, "index", "integers (int32 or int64)", str(array.dtype), "Convert it with .long()")
    size, sizes = array.shape or (1,), shape or (1,)
    if array.size:
        if len(size) != len(sizes) or any(have > most for d, (have, most) in enumerate(zip(size, sizes)) if d != axis):
            raise ShapeError(
                where,
                "index",
                f"{len(sizes)} dimensions, no larger than those of {tuple(shape)} but for dimension {axis}",
                f"shape {tuple(array.shape)}",
            )
        if source is not None:
            most = source.array.shape or (1,)
            if len(size) != len(most) or any(have > limit for have, limit in zip(size, most)):
                raise ShapeError(where, "index", f"at most the shape of src, {tuple(most)}", f"shape {tuple(array.shape)}")
    check_bounds(where, array, sizes[axis], axis)
    return axis, index


def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False) -> Tensor:
    """The elements at ``index`` along a dimension.

    Args:
        input: Tensor.
        dim: the dimension.
        index: integers, not negative, of as many dimensions as ``input`` and no larger but in ``dim``.
        sparse_grad: accepted for PyTorch's sake; the gradient is dense.

    Returns:
        A Tensor of the shape of ``index``.

    Raises:
        IndexingError: there is no such dimension, or an index lies outside it.
        DTypeError: ``index`` holds no integers.
        ShapeError: ``index`` does not fit ``input``.

    Example:
        >>> import minigrad
        >>> minigrad.gather(minigrad.tensor([[1, 2], [3, 4]]), 1, minigrad.tensor([[1], [0]]))
        tensor([[2],
                [3]])
    """
    axis, index = _checked("gather", input, dim, index)
    return Gather.apply(input, axis, index)


def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """The elements at ``indices`` along a dimension; the two broadcast elsewhere. Negative indices count from the end.

    Args:
        input: Tensor.
        indices: integers, as from ``argsort`` or ``argmax`` with ``keepdim``.
        dim: the dimension; ``None`` takes both as flat.

    Raises:
        IndexingError: there is no such dimension, or an index lies outside it.
        DTypeError: ``indices`` holds no integers.
        ShapeError: the two do not broadcast.

    Example:
        >>> import minigrad
        >>> x = minigrad.tensor([[3, 1, 2]])
        >>> minigrad.take_along_dim(x, x.argsort(dim=1), dim=1)
        tensor([[1, 2, 3]])
    """
    where = "take_along_dim"
    x = check_tensor(where, "input", input)
    check_tensor(where, "indices", indices)
    if dim is None:
        x, indices, dim = Reshape.apply(x, (x.array.size,)), Reshape.apply(indices, (indices.array.size,)), 0
    if x.array.ndim != indices.array.ndim:
        raise ShapeError(where, "indices", f"{x.array.ndim} dimensions, as input has", str(indices.array.ndim))
    axis = one_dim(where, dim, x.array.ndim)
    if indices.array.dtype.kind == "i" and indices.array.size and x.array.ndim:
        size = x.array.shape[axis]
        check_bounds(where, indices.array, size, axis, -size)
        indices = Tensor._wrap(array_module(indices.array).where(indices.array < 0, indices.array + size, indices.array))
    if x.array.ndim:
        left, right = list(x.array.shape), list(indices.array.shape)
        left[axis] = right[axis] = 1
        shape = list(broadcast_shapes(left, right))
        x = broadcast_to(x, (*shape[:axis], x.array.shape[axis], *shape[axis + 1 :]))
        indices = broadcast_to(indices, (*shape[:axis], indices.array.shape[axis], *shape[axis + 1 :]))
    return gather(x, axis, indices)


def _source(where: str, input: Tensor, dim: int, index: Any, src: Any) -> tuple[int, Tensor, Tensor]:
    """The dimension, the index, and what is to be put there: of the dtype of ``input`` and the shape of ``index``."""
    x = check_tensor(where, "input", input)
    if not isinstance(src, Tensor):
        if not isinstance(src, (bool, int, float, np.generic)):
            raise DTypeError(where, "src", "a Tensor or a number", type(src).__name__)
        axis, index = _checked(where, x, dim, index)
        with quiet():
            number = Tensor._wrap(constant(np.asarray(src).astype(x.array.dtype), None, x.array))
        return axis, index, broadcast_to(number, index.array.shape)
    if src.array.dtype != x.array.dtype:
        raise DTypeError(where, "src", f"dtype {x.array.dtype}, that of input", str(src.array.dtype), "Convert it with .to()")
    axis, index = _checked(where, x, dim, index, src)
    if src.array.shape != index.array.shape:
        if not index.array.size:
            src = Reshape.apply(Slice.apply(Reshape.apply(src, (src.array.size,)), (slice(0, 0),)), index.array.shape)
        else:
            src = Slice.apply(src, tuple([slice(0, size) for size in index.array.shape]))
    return axis, index, src


def scatter(input: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None, reduce: str | None = None) -> Tensor:
    """A copy with values written at ``index`` along a dimension.

    Args:
        input: Tensor.
        dim: the dimension.
        index: integers, not negative, of as many dimensions as ``input`` and no larger but in ``dim``.
        src: a Tensor no smaller than ``index``, or a number (which may also be named ``value``).
        value: a number, in place of ``src``.
        reduce: ``"add"`` or ``"multiply"``: what to do with what stands there. By default it is replaced; which of two
            values for one place wins is left open.

    Raises:
        IndexingError: there is no such dimension, or an index lies outside it.
        DTypeError: ``index`` holds no integers, or ``src`` has another dtype than ``input``.
        ShapeError: ``index`` does not fit ``input`` or ``src``.
        ArgumentError: another ``reduce``, or neither ``src`` nor ``value``, or both.

    Example:
        >>> import minigrad
        >>> minigrad.zeros(2, 3).scatter(1, minigrad.tensor([[2], [0]]), 1.0)
        tensor([[0., 0., 1.],
                [1., 0., 0.]])
    """
    if (src is None) == (value is None):
        raise ArgumentError("scatter", "src, value", "one of them", "none" if src is None else "both")
    if reduce not in (None, "add", "multiply"):
        raise ArgumentError("scatter", "reduce", "'add', 'multiply' or None", repr(reduce))
    given = value if src is None else src
    axis, index, values = _source("scatter", input, dim, index, given)
    if reduce is None:
        return Scatter.apply(input, values, axis, index)
    return _reduced(input, axis, index, values, "sum" if reduce == "add" else "prod", True)


def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """``input`` with the values of ``src`` added at ``index`` along a dimension. See ``scatter``.

    Example:
        >>> import minigrad
        >>> minigrad.zeros(3).scatter_add(0, minigrad.tensor([0, 0, 2]), minigrad.ones(3))
        tensor([2., 0., 1.])
    """
    check_tensor("scatter_add", "src", src)
    axis, index, values = _source("scatter_add", input, dim, index, src)
    return _reduced(input, axis, index, values, "sum", True)


REDUCTIONS = ("sum", "prod", "mean", "amax", "amin")


def scatter_reduce(input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True) -> Tensor:
    """``input`` with each place that ``index`` names along a dimension reduced with the values of ``src`` that go there.

    Args:
        input, dim, index, src: as in ``scatter_add``.
        reduce: ``"sum"``, ``"prod"``, ``"mean"``, ``"amax"`` or ``"amin"``.
        include_self: count what stands in ``input``, too.

    Raises:
        ArgumentError: another ``reduce``. What ``scatter`` raises.

    Example:
        >>> import minigrad
        >>> minigrad.zeros(2).scatter_reduce(0, minigrad.tensor([0, 0]), minigrad.tensor([3.0, 5.0]), "amax")
        tensor([5., 0.])
    """
    if reduce not in REDUCTIONS:
        raise ArgumentError("scatter_reduce", "reduce", f"one of {', '.join(REDUCTIONS)}", repr(reduce))
    check_tensor("scatter_reduce", "src", src)
    axis, index, values = _source("scatter_reduce", input, dim, index, src)
    return _reduced(input, axis, index, values, reduce, include_self)


def _reduced(x: Tensor, axis: int, index: Tensor, values: Tensor, reduce: str, include_self: bool) -> Tensor:
    shape = x.array.shape
    if not include_self:  # the places named start from what changes nothing
        start = {"prod": 1, "amax": -np.inf, "amin": np.inf}.get(reduce, 0)
        if x.array.dtype.kind in "iu" and reduce in ("amax", "amin"):
            bounds = np.iinfo(x.array.dtype)
            start = bounds.min if reduce == "amax" else bounds.max
        empty = Tensor._wrap(constant(np.asarray(start).astype(x.array.dtype), None, x.array))
        x = Scatter.apply(x, broadcast_to(empty, index.array.shape), axis, index)
    if reduce in ("sum", "mean"):
        total = x + ScatterAdd.apply(values, shape, axis, index)
        if reduce == "sum":
            return total
        ones = array_module(x.array).ones(index.array.shape, x.array.dtype)
        count = ScatterAdd.apply(Tensor._wrap(ones), shape, axis, index)
        if include_self:
            count = count + 1
        elif count.array.size:
            count = Tensor._wrap(array_module(count.array).maximum(count.array, count.array.dtype.type(1)))
        if x.array.dtype.kind == "f":
            return div(total, count)
        return Tensor._wrap(total.array // count.array)
    if reduce == "prod":
        return ScatterProd.apply(x, values, axis, index)
    return ScatterExtreme.apply(x, values, axis, index, reduce == "amax")


class ScatterExtreme(Function):
    """y = max (or min) of x and of the v that ``index`` sends to each place;  dy goes in equal parts to those that equal y."""

    def forward(ctx, x: Array, v: Array, dim: int, index: Array, largest: bool) -> Array:
        ctx.dim = dim
        xp = array_module(x)
        y = x.copy(order="C")
        (xp.maximum if largest else xp.minimum).at(y.reshape(-1), places(y.shape, dim, index), v.reshape(-1))
        ctx.save_for_backward(x, v, y, index)
        return y

    def backward(ctx, dy: Tensor) -> Any:
        x, v, y, index = ctx.saved_tensors
        need_x, need_v = ctx.needs_input_grad[:2]
        xp = array_module(x.array)
        from_x = (x.array == y.array).astype(dy.array.dtype)
        from_v = (v.array == gather_array(y.array, ctx.dim, index.array)).astype(dy.array.dtype)
        count = from_x.copy(order="C")
        add_at(count.reshape(-1), places(count.shape, ctx.dim, index.array), from_v.reshape(-1))
        share = div(dy, Tensor._wrap(xp.maximum(count, dy.array.dtype.type(1))))
        dx = mul(share, Tensor._wrap(from_x)) if need_x else None
        dv = mul(Gather.apply(share, ctx.dim, index), Tensor._wrap(from_v)) if need_v else None
        return dx, dv, None, None, None


class ScatterProd(Function):
    """y = x times all v that ``index`` sends to each place;  dx = dy times these v, dv = dy times x and the other v there."""

    def forward(ctx, x: Array, v: Array, dim: int, index: Array) -> Array:
        ctx.dim = dim
        ctx.save_for_backward(x, v, index)
        y, factors, where = (move(array, CPU) for array in (x, v, places(x.shape, dim, index)))  # CuPy has no multiply.at
        y = y.copy(order="C")
        np.multiply.at(y.reshape(-1), where, factors.reshape(-1))
        return move(y, device_of(x))

    def backward(ctx, dy: Tensor) -> Any:
        x, v, index = ctx.saved_tensors
        need_x, need_v = ctx.needs_input_grad[:2]
        dx = dv = None
        if need_x:
            one = Tensor._wrap(array_module(x.array).ones_like(x.array))
            dx = mul(dy, ScatterProd.apply(one, v, ctx.dim, index))
        if need_v:  # the product of all but one is the product of all that are not 0, divided by it, unless another is 0
            zero = v.array == 0
            count = ScatterAdd.apply(Tensor._wrap(zero.astype(v.array.dtype)), x.array.shape, ctx.dim, index).array
            alone = Tensor._wrap((gather_array(count, ctx.dim, index.array) == zero).astype(v.array.dtype))
            factors = masked_fill(v, Tensor._wrap(zero), 1)
            rest = mul(dy, ScatterProd.apply(x, factors, ctx.dim, index))
            dv = mul(div(Gather.apply(rest, ctx.dim, index), factors), alone)
        return dx, dv, None, None


__all__ = ["gather", "scatter", "scatter_add", "scatter_reduce", "take_along_dim"]
METHODS = tuple(__all__)
