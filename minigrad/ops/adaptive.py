"""Pooling over a grid laid on the image, whatever its size; and maxima laid back where they were found. See ``pooling.py``."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError, DTypeError, IndexingError, ShapeError
from minigrad.kernels import pool2d as kernel
from minigrad.kernels.doubts import doubt
from minigrad.ops.dims import several, sizes
from minigrad.ops.pooling import MaxGather, MaxScatter, as_images, as_input, sliding, window_pair


class AdaptiveMaxPool(Function):
    """y = the largest x of each window of a grid, and where it lies;  dx = dy laid down there."""

    def forward(ctx, x: Array, output_size: tuple[int, int]) -> tuple[Array, Array]:
        y, indices = kernel.adaptive_max_forward(x, output_size)
        ctx.size = x.shape[2:]
        ctx.save_for_backward(indices)
        return y, indices

    def backward(ctx, dy: Tensor, _: Tensor) -> Any:
        return MaxScatter.apply(dy, ctx.saved_tensors[0].array, ctx.size), None


class AdaptiveAvgPool(Function):
    """y = the mean of each window of a grid;  dx = dy / size of the window, spread over it."""

    def forward(ctx, x: Array, output_size: tuple[int, int]) -> Array:
        ctx.size = x.shape[2:]
        return kernel.adaptive_avg_forward(x, output_size)

    def backward(ctx, dy: Tensor) -> Any:
        return AdaptiveAvgSpread.apply(dy, ctx.size), None


class AdaptiveAvgSpread(Function):
    """x = y / size of the window, spread over it;  dy = AdaptiveAvgPool of dx. The transpose of ``AdaptiveAvgPool``."""

    def forward(ctx, y: Array, size: tuple[int, int]) -> Array:
        ctx.output_size = y.shape[2:]
        return kernel.adaptive_avg_backward(y, size)

    def backward(ctx, dx: Tensor) -> Any:
        return AdaptiveAvgPool.apply(dx, ctx.output_size), None


class Unpool(Function):
    """y[index] = x, the last where several name one place;  dx = dy[index]."""

    def forward(ctx, x: Array, indices: Array, size: tuple[int, int]) -> Array:
        ctx.save_for_backward(indices)
        xp, (n, c) = array_module(x), x.shape[:2]
        y = xp.zeros((n * c, size[0] * size[1]), x.dtype)
        y[xp.arange(n * c)[:, None], indices.reshape(n * c, -1)] = x.reshape(n * c, -1)
        return y.reshape(n, c, *size)

    def backward(ctx, dy: Tensor) -> Any:
        return MaxGather.apply(dy, ctx.saved_tensors[0].array), None, None


def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """The mean of each window of a grid laid over the image, whatever its size.

    Args:
        input: (N, C, H, W), or (C, H, W).
        output_size: windows (down, across), or one int for both; ``None`` keeps the input's size.

    Raises:
        ShapeError, ArgumentError, DTypeError: as ``max_pool2d``.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.adaptive_avg_pool2d(minigrad.tensor([[[1.0, 2.0, 4.0], [3.0, 6.0, 8.0]]]), 1)
        tensor([[[4.]]])
    """
    x = as_images("adaptive_avg_pool2d", 2, input)
    return as_input(AdaptiveAvgPool.apply(x, _grid("adaptive_avg_pool2d", 2, output_size, x)), 2, input)


def adaptive_avg_pool1d(input: Tensor, output_size: Any) -> Tensor:
    """The mean of each of ``output_size`` windows of a sequence, (N, C, L) or (C, L). See ``adaptive_avg_pool2d``.

    Example:
        >>> import minigrad
        >>> minigrad.adaptive_avg_pool1d(minigrad.tensor([[1.0, 2.0, 6.0]]), 2)
        tensor([[1.5000, 4.0000]])
    """
    x = as_images("adaptive_avg_pool1d", 1, input)
    return as_input(AdaptiveAvgPool.apply(x, _grid("adaptive_avg_pool1d", 1, output_size, x)), 1, input)


def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The largest value of each window of a grid laid over the image. See ``adaptive_avg_pool2d`` and ``max_pool2d``.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.adaptive_max_pool2d(minigrad.tensor([[[1.0, 2.0, 4.0], [3.0, 6.0, 8.0]]]), (2, 1))
        tensor([[[4.],
                 [8.]]])
    """
    return _adaptive_max("adaptive_max_pool2d", 2, input, output_size, return_indices)


def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The largest value of each of ``output_size`` windows of a sequence, (N, C, L) or (C, L). See ``max_pool2d``.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.adaptive_max_pool1d(minigrad.tensor([[1.0, 2.0, 6.0]]), 2)
        tensor([[2., 6.]])
    """
    return _adaptive_max("adaptive_max_pool1d", 1, input, output_size, return_indices)


def _adaptive_max(where: str, spatial: int, input: Tensor, output_size: Any, return_indices: bool) -> Any:
    x = as_images(where, spatial, input)
    pooled, indices = AdaptiveMaxPool.apply(x, _grid(where, spatial, output_size, x))
    y = as_input(pooled, spatial, input)
    return (y, as_input(indices, spatial, input)) if return_indices else y


def max_unpool2d(
    input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
) -> Tensor:
    """Lay the maxima that ``max_pool2d(..., return_indices=True)`` found back at their pixels; the others are 0.

    Args:
        input: (N, C, H, W), or (C, H, W).
        indices: of the same shape, int64.
        kernel_size, stride, padding: those of the pooling.
        output_size: (..., H, W) of its input, where several sizes would give the same.

    Raises:
        ShapeError: shapes that differ, or an output size that the pooling cannot have come from.
        IndexingError: an index outside the output.

    Example:
        >>> import minigrad
        >>> x = minigrad.tensor([[[1.0, 2.0, 0.0, 0.0], [3.0, 0.0, 0.0, 5.0]]])
        >>> y, indices = minigrad.max_pool2d(x, 2, return_indices=True)
        >>> minigrad.nn.functional.max_unpool2d(y, indices, 2)
        tensor([[[0., 0., 0., 0.],
                 [3., 0., 0., 5.]]])
    """
    return _unpool("max_unpool2d", 2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool1d(
    input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
) -> Tensor:
    """``max_unpool2d`` of a sequence, (N, C, L) or (C, L). See there.

    Example:
        >>> import minigrad
        >>> y, indices = minigrad.max_pool1d(minigrad.tensor([[1.0, 2.0, 0.0, -1.0]]), 2, return_indices=True)
        >>> minigrad.nn.functional.max_unpool1d(y, indices, 2)
        tensor([[0., 2., 0., 0.]])
    """
    return _unpool("max_unpool1d", 1, input, indices, kernel_size, stride, padding, output_size)


def _unpool(
    where: str, spatial: int, input: Tensor, indices: Tensor, kernel_size: Any, stride: Any, padding: Any, output_size: Any
) -> Tensor:
    windows = sliding(where, spatial, kernel_size, stride, padding, False)
    x = as_images(where, spatial, input)
    at = check_tensor(where, "indices", indices).array
    if at.dtype != np.int64:
        raise DTypeError(where, "indices", "int64", str(at.dtype), "Take them from max_pool with return_indices=True")
    if at.shape != input.array.shape:
        raise ShapeError(where, "indices", f"shape {input.array.shape}, as input has", f"shape {at.shape}")
    steps, pads, kernels = windows["stride"], windows["padding"], windows["kernel_size"]
    size = [(n - 1) * s - 2 * p + k for n, s, p, k in zip(x.array.shape[2:], steps, pads, kernels, strict=True)]
    if output_size is not None:
        asked = sizes(where, tuple(several(where, "output_size", output_size)), "output_size")
        if len(asked) not in (spatial, spatial + 2):
            raise ArgumentError(where, "output_size", f"{spatial} sizes", str(asked))
        asked = asked[-spatial:]
        asked = (1, *asked) if spatial == 1 else asked
        if any(not default - s < want < default + s for want, default, s in zip(asked, size, steps, strict=True)):
            expected = f"sizes less than a stride {steps[2 - spatial :]} from {tuple(size[2 - spatial :])}"
            raise ShapeError(where, "output_size", expected, str(tuple(output_size)))
        size = list(asked)

    def error() -> IndexingError:
        got = f"{int(at.min())} to {int(at.max())}"
        expected = f"0 to {size[0] * size[1] - 1}, the places of the output"
        return IndexingError(where, "indices", expected, got, "Give output_size, the size of the pooling's input")

    if at.size:
        doubt((at.min() < 0) | (at.max() >= size[0] * size[1]), error)
    return as_input(Unpool.apply(x, at.reshape(x.array.shape), tuple(size)), spatial, input)


def _grid(where: str, spatial: int, output_size: Any, x: Tensor) -> tuple[int, int]:
    items = tuple(output_size) if isinstance(output_size, (tuple, list)) else (output_size,) * spatial
    kept = tuple(have if item is None else item for item, have in zip(items, x.array.shape[-spatial:], strict=False))
    return window_pair(where, "output_size", kept if len(kept) == len(items) else items, spatial, 1, 1)


__all__ = ["adaptive_avg_pool1d", "adaptive_max_pool1d"]
FUNCTIONAL = (
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "max_unpool1d",
    "max_unpool2d",
)
METHODS = ()
