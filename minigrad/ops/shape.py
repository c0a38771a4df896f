"""The same elements in another shape: views, which share the memory of what they look at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from minigrad.core.device import Array, array_module
from minigrad.core.hints import checked
from minigrad.core.tape import Function, mode
from minigrad.core.tensor import Size, Tensor, check_tensor
from minigrad.errors import ArgumentError, ShapeError
from minigrad.ops.conversion import contiguous
from minigrad.ops.dims import many_dims, one_dim, sizes
from minigrad.ops.dims import sizes as sizes_of
from minigrad.ops.operands import seen_as


class Reshape(Function):
    """y = x in another shape, in the same memory where the strides of x allow it;  dx = dy in the shape of x."""

    is_view = True

    def forward(ctx, x: Array, shape: tuple[int, ...]) -> Array:
        ctx.shape = x.shape
        if x.flags.c_contiguous or can_view(x.shape, x.strides, shape):
            return x.reshape(shape)
        y = array_module(x).empty(shape, x.dtype)  # owns its memory, so that nobody takes it for a view
        y.reshape(x.shape)[...] = x
        return y

    def backward(ctx, dy: Tensor) -> Any:
        if mode.direct:
            return seen_as(dy, dy.array.reshape(ctx.shape)), None
        return Reshape.apply(dy, ctx.shape), None


class Expand(Function):
    """y = x, repeated to ``shape`` without copying;  dx = dy, which the walk sums back to the shape of x."""

    is_view = True

    def forward(ctx, x: Array, shape: tuple[int, ...]) -> Array:
        return array_module(x).broadcast_to(x, shape)

    def backward(ctx, dy: Tensor) -> Any:
        return dy, None


# ---------------------------------------------------------------------- on shapes and strides


def can_view(shape: Sequence[int], strides: Sequence[int], new: Sequence[int]) -> bool:
    """Whether an array of ``shape`` and ``strides`` can be read in the shape ``new`` (of as many elements) without a copy.

    Neighbouring axes that lie in memory as one axis would are joined to blocks; each block may then be cut anew, but no new
    axis may reach over two of them.
    """
    blocks: list[tuple[int, int]] = []
    for size, stride in zip(shape, strides):
        if size == 0:
            return True
        if size != 1:
            joined = bool(blocks) and blocks[-1][1] == size * stride
            blocks.append((blocks.pop()[0] * size if joined else size, stride))
    cuts = iter([size for size in new if size != 1])
    for block, _ in blocks:
        while block > 1:
            size = next(cuts)
            if block % size:
                return False
            block //= size
    return True


def infer_shape(where: str, argument: str, shape: tuple[int, ...], count: int) -> tuple[int, ...]:
    """``shape`` with the size that stands for -1 put in, so that it holds ``count`` elements.

    Raises:
        ShapeError: it holds another number of elements, has a negative size other than one -1, or leaves -1 open.
    """
    known = math.prod(shape)
    if known == count and (not shape or min(shape) >= 0):
        return shape
    if shape.count(-1) == 1 and min(shape) == -1 and known and count % known == 0:
        return tuple([-(count // known) if size == -1 else size for size in shape])
    if known == 0 == count and -1 in shape:
        raise ShapeError(where, argument, "a size in place of -1, which for 0 elements may be any", str(shape))
    raise ShapeError(where, argument, f"a shape of {count} elements, with at most one -1", str(shape))


# ---------------------------------------------------------------------- another shape


def reshape(input: Tensor, *sizes_: Any, shape: Any = None) -> Tensor:
    """The elements in another shape: a view where the memory allows it, else a copy.

    Args:
        input: Tensor.
        sizes_: the new sizes, one by one or as one sequence, which may also be named ``shape``; one may be -1 and is found
            from the others.

    Raises:
        ShapeError: they make another number of elements.

    Example:
        >>> import minigrad
        >>> minigrad.arange(6).reshape(2, -1)
        tensor([[0, 1, 2],
                [3, 4, 5]])
    """
    x = check_tensor("reshape", "input", input).array
    new = sizes("reshape", sizes_ if shape is None else (shape,), "shape")
    return Reshape.apply(input, infer_shape("reshape", "shape", new, x.size))


def view(input: Tensor, *sizes_: Any, size: Any = None) -> Tensor:
    """The same memory in another shape. See ``reshape``, which copies where a view refuses.

    Images and sequences that lie channels-last, as convolution makes them, are copied too where they cannot be read in that
    shape: PyTorch's would be contiguous, and ``x.view(x.size(0), -1)`` after a convolution works in both. What is then changed
    in place does not reach the image.

    Raises:
        ShapeError: the sizes make another number of elements, or the memory cannot be read in that shape.

    Example:
        >>> import minigrad
        >>> minigrad.arange(6).view(3, 2).shape
        minigrad.Size([3, 2])
    """
    x = input.array
    new = infer_shape("view", "size", sizes("view", sizes_ if size is None else (size,)), x.size)
    if not (x.flags.c_contiguous or can_view(x.shape, x.strides, new) or _lies_channels_last(x)):
        raise ShapeError(
            "view",
            "size",
            f"one in which strides {input.stride()} of a tensor of shape {tuple(x.shape)} can be read",
            str(new),
            "Use .reshape(), which copies",
        )
    return Reshape.apply(input, new)


def _lies_channels_last(x: Array) -> bool:
    """Whether (N, C, H, W), (C, H, W) or (N, C, L) lies gapless in memory with the channels last."""
    if x.ndim == 4:
        return x.transpose(0, 2, 3, 1).flags.c_contiguous
    return x.ndim == 3 and (x.transpose(1, 2, 0).flags.c_contiguous or x.transpose(0, 2, 1).flags.c_contiguous)


@checked
def view_as(input: Tensor, other: Tensor) -> Tensor:
    """The same memory in the shape of ``other``. See ``view``."""
    return view(input, other.array.shape)


@checked
def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    """The elements in the shape of ``other``. See ``reshape``."""
    return reshape(input, other.array.shape)


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Dimensions ``start_dim`` to ``end_dim`` as one; a tensor without dimensions gets one.

    Raises:
        IndexingError: there is no such dimension.
        ArgumentError: ``start_dim`` stands after ``end_dim``.

    Example:
        >>> import minigrad
        >>> minigrad.zeros(2, 3, 4).flatten(1).shape
        minigrad.Size([2, 12])
    """
    shape = check_tensor("flatten", "input", input).array.shape
    first = one_dim("flatten", start_dim, len(shape), "start_dim")
    last = one_dim("flatten", end_dim, len(shape), "end_dim")
    if first > last:
        raise ArgumentError("flatten", "start_dim", f"at most end_dim, which is {end_dim}", str(start_dim))
    if first == last and shape:
        return input
    return Reshape.apply(input, (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :]))


def ravel(input: Tensor) -> Tensor:
    """All elements along one dimension, without gaps in memory: a view where they lie so already.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([[1, 2], [3, 4]]).ravel()
        tensor([1, 2, 3, 4])
    """
    return contiguous(Reshape.apply(input, (check_tensor("ravel", "input", input).array.size,)))


def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """One dimension as several.

    Args:
        input: Tensor.
        dim: the dimension that is divided.
        sizes: into these sizes, whose product is its size; at most one may be -1.

    Raises:
        IndexingError: there is no such dimension.
        ShapeError: the product of ``sizes`` is another.

    Example:
        >>> import minigrad
        >>> minigrad.zeros(2, 12).unflatten(1, (3, -1)).shape
        minigrad.Size([2, 3, 4])
    """
    shape = check_tensor("unflatten", "input", input).array.shape
    axis = one_dim("unflatten", dim, len(shape))
    parts = infer_shape("unflatten", "sizes", sizes_of("unflatten", (sizes,), "sizes"), shape[axis] if shape else 1)
    return Reshape.apply(input, (*shape[:axis], *parts, *shape[axis + 1 :]))


def squeeze(input: Tensor, dim: Any = None) -> Tensor:
    """Without its dimensions of size 1: all, or those of ``dim`` (one or several) that have size 1.

    Raises:
        IndexingError: there is no such dimension.

    Example:
        >>> import minigrad
        >>> minigrad.zeros(1, 3, 1).squeeze(0).shape
        minigrad.Size([3, 1])
    """
    shape = check_tensor("squeeze", "input", input).array.shape
    if isinstance(dim, (tuple, list)) and not dim:
        return Reshape.apply(input, shape)
    dims = many_dims("squeeze", dim, len(shape))
    return Reshape.apply(input, tuple([size for axis, size in enumerate(shape) if size != 1 or axis not in dims]))


def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """With a dimension of size 1 before dimension ``dim``.

    Raises:
        IndexingError: ``dim`` lies outside ``-ndim - 1 .. ndim``.

    Example:
        >>> import minigrad
        >>> minigrad.zeros(3).unsqueeze(-1).shape
        minigrad.Size([3, 1])
    """
    shape = check_tensor("unsqueeze", "input", input).array.shape
    axis = one_dim("unsqueeze", dim, len(shape) + 1)
    return Reshape.apply(input, (*shape[:axis], 1, *shape[axis:]))


def _atleast(where: str, ndim: int, tensors: tuple) -> Any:
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        return tuple([_atleast(where, ndim, (tensor,)) for tensor in tensors[0]])
    if len(tensors) > 1:
        return tuple([_atleast(where, ndim, (tensor,)) for tensor in tensors])
    (x,) = tensors
    shape = check_tensor(where, "tensors", x).array.shape
    if len(shape) >= ndim:
        return x
    padded = (1,) * (min(ndim, 2) - len(shape)) + tuple(shape)  # a vector becomes a row, a matrix a sheet of depth 1
    return Reshape.apply(x, padded + (1,) * (ndim - len(padded)))


def atleast_1d(*tensors: Any) -> Any:
    """Tensors without dimensions get one; of several tensors (or a sequence of them) a tuple is made.

    Example:
        >>> import minigrad
        >>> minigrad.atleast_1d(minigrad.tensor(1.0))
        tensor([1.])
    """
    return _atleast("atleast_1d", 1, tensors)


def atleast_2d(*tensors: Any) -> Any:
    """Numbers and vectors as matrices of one row. See ``atleast_1d``.

    Example:
        >>> import minigrad
        >>> minigrad.atleast_2d(minigrad.zeros(3)).shape
        minigrad.Size([1, 3])
    """
    return _atleast("atleast_2d", 2, tensors)


def atleast_3d(*tensors: Any) -> Any:
    """Vectors of N as (1, N, 1), matrices of (M, N) as (M, N, 1). See ``atleast_1d``.

    Example:
        >>> import minigrad
        >>> minigrad.atleast_3d(minigrad.zeros(2, 3)).shape
        minigrad.Size([2, 3, 1])
    """
    return _atleast("atleast_3d", 3, tensors)


# ---------------------------------------------------------------------- broadcasting


def expand(input: Tensor, *sizes_: Any, size: Any = None) -> Tensor:
    """Dimensions of size 1 repeated, and new ones put in front, without copying. In-place changes of the result are refused.

    Args:
        input: Tensor.
        sizes_: the new sizes, one by one or as one sequence, which may also be named ``size``; -1 keeps a size.

    Raises:
        ShapeError: a size other than 1 would change, or there are fewer than the tensor has.

    Example:
        >>> import minigrad
        >>> minigrad.tensor([[1], [2]]).expand(-1, 3)
        tensor([[1, 1, 1],
                [2, 2, 2]])
    """
    return _expanded("expand", "size", input, sizes("expand", sizes_ if size is None else (size,)))


def _expanded(where: str, argument: str, input: Tensor, new: tuple[int, ...]) -> Tensor:
    shape = check_tensor(where, "input", input).array.shape
    lead = len(new) - len(shape)
    if lead < 0:
        raise ShapeError(where, argument, f"at least {len(shape)} sizes, as many as the tensor has", str(new))
    target = (*new[:lead], *[have if want == -1 else want for have, want in zip(shape, new[lead:])])
    if any(want < 0 for want in target) or any(have not in (1, want) for have, want in zip(shape, target[lead:])):
        raise ShapeError(where, argument, f"sizes to which {tuple(shape)} broadcasts (its sizes other than 1 stay)", str(new))
    return Expand.apply(input, target)


@checked
def expand_as(input: Tensor, other: Tensor) -> Tensor:
    """Broadcast to the shape of ``other``. See ``expand``."""
    return _expanded("expand_as", "other", input, other.array.shape)


def broadcast_to(input: Tensor, size: Any) -> Tensor:
    """Broadcast to a shape. See ``expand``.

    Example:
        >>> import minigrad
        >>> minigrad.broadcast_to(minigrad.tensor([1, 2]), (2, 2))
        tensor([[1, 2],
                [1, 2]])
    """
    return _expanded("broadcast_to", "size", input, sizes("broadcast_to", (size,)))


def broadcast_shapes(*shapes: Any) -> Size:
    """The shape to which tensors of these shapes broadcast.

    Raises:
        ShapeError: they do not.

    Example:
        >>> import minigrad
        >>> minigrad.broadcast_shapes((3, 1), (4,), (2, 1, 1))
        minigrad.Size([2, 3, 4])
    """
    written = [sizes("broadcast_shapes", (shape,), "shapes") for shape in shapes]
    result: list[int] = [1] * max([len(shape) for shape in written], default=0)
    for shape in written:
        for place, size in enumerate(reversed(shape), 1):
            if size != 1:
                if result[-place] not in (1, size) or size < 0:
                    raise ShapeError(
                        "broadcast_shapes",
                        "shapes",
                        "shapes that broadcast: counted from the last, sizes equal or 1",
                        " and ".join(map(str, written)),
                    )
                result[-place] = size
    return Size(result)


def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """Each tensor broadcast to the shape of all.

    Raises:
        ShapeError: they do not broadcast.

    Example:
        >>> import minigrad
        >>> a, b = minigrad.broadcast_tensors(minigrad.zeros(3, 1), minigrad.zeros(4))
        >>> a.shape, b.shape
        (minigrad.Size([3, 4]), minigrad.Size([3, 4]))
    """
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tuple(tensors[0])
    shape = broadcast_shapes(*[check_tensor("broadcast_tensors", "tensors", x).array.shape for x in tensors])
    return tuple([Expand.apply(x, tuple(shape)) for x in tensors])


__all__ = [
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "broadcast_shapes",
    "broadcast_tensors",
    "broadcast_to",
    "flatten",
    "ravel",
    "reshape",
    "squeeze",
    "unflatten",
    "unsqueeze",
]
METHODS = (
    "broadcast_to",
    "expand",
    "expand_as",
    "flatten",
    "ravel",
    "reshape",
    "reshape_as",
    "squeeze",
    "unflatten",
    "unsqueeze",
    "view",
    "view_as",
)
