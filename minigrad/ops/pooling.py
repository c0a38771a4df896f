"""Pooling: the largest value, or the mean, of each window of an image or a sequence.

``minigrad.kernels.pool2d`` has the formulas. The maximum is a choice of pixels: its gradient is laid down where they were
chosen (``MaxScatter``), and the gradient of that reads there again (``MaxGather``). The mean is a linear map, and its gradient
the transposed one. One-dimensional pooling is two-dimensional with a height of 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError, DTypeError, IndexingError, ShapeError
from minigrad.kernels import pool2d as kernel
from minigrad.ops.geometry import numbers


class MaxPool(Function):
    """y = the largest x of each window, and where it lies;  dx = dy laid down there."""

    def forward(ctx, x: Array, windows: dict[str, Any]) -> tuple[Array, Array]:
        y, indices = kernel.max_forward(x, **windows)
        ctx.size = x.shape[2:]
        ctx.save_for_backward(indices)
        return y, indices

    def backward(ctx, dy: Tensor, _: Tensor) -> Any:
        return MaxScatter.apply(dy, ctx.saved_tensors[0].array, ctx.size), None


class AdaptiveMaxPool(Function):
    """y = the largest x of each window of a grid, and where it lies;  dx = dy laid down there."""

    def forward(ctx, x: Array, output_size: tuple[int, int]) -> tuple[Array, Array]:
        y, indices = kernel.adaptive_max_forward(x, output_size)
        ctx.size = x.shape[2:]
        ctx.save_for_backward(indices)
        return y, indices

    def backward(ctx, dy: Tensor, _: Tensor) -> Any:
        return MaxScatter.apply(dy, ctx.saved_tensors[0].array, ctx.size), None


class MaxScatter(Function):
    """x[index] = Σ y;  dy = dx[index]."""

    def forward(ctx, y: Array, indices: Array, size: tuple[int, int]) -> Array:
        ctx.save_for_backward(indices)
        return kernel.max_backward(y, indices, size)

    def backward(ctx, dx: Tensor) -> Any:
        return MaxGather.apply(dx, ctx.saved_tensors[0].array), None, None


class MaxGather(Function):
    """y = x[index];  dx[index] = Σ dy."""

    def forward(ctx, x: Array, indices: Array) -> Array:
        ctx.size = x.shape[2:]
        ctx.save_for_backward(indices)
        return kernel.max_gather(x, indices)

    def backward(ctx, dy: Tensor) -> Any:
        return MaxScatter.apply(dy, ctx.saved_tensors[0].array, ctx.size), None


class AvgPool(Function):
    """y = the mean of each window;  dx = dy / size of the window, spread over it."""

    def forward(ctx, x: Array, windows: dict[str, Any]) -> Array:
        ctx.size, ctx.windows = x.shape[2:], windows
        return kernel.avg_forward(x, **windows)

    def backward(ctx, dy: Tensor) -> Any:
        return AvgSpread.apply(dy, ctx.size, ctx.windows), None


class AvgSpread(Function):
    """The transpose of ``AvgPool``: x = y / size of the window, spread over it;  dy = AvgPool of dx."""

    def forward(ctx, y: Array, size: tuple[int, int], windows: dict[str, Any]) -> Array:
        ctx.windows = windows
        return kernel.avg_backward(y, size, **windows)

    def backward(ctx, dx: Tensor) -> Any:
        return AvgPool.apply(dx, ctx.windows), None, None


class AdaptiveAvgPool(Function):
    """y = the mean of each window of a grid;  dx = dy / size of the window, spread over it."""

    def forward(ctx, x: Array, output_size: tuple[int, int]) -> Array:
        ctx.size = x.shape[2:]
        return kernel.adaptive_avg_forward(x, output_size)

    def backward(ctx, dy: Tensor) -> Any:
        return AdaptiveAvgSpread.apply(dy, ctx.size), None


class AdaptiveAvgSpread(Function):
    """The transpose of ``AdaptiveAvgPool``."""

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


# ---------------------------------------------------------------------- sliding windows


def max_pool2d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest value of each window.

    Args:
        input: (N, C, H, W), or (C, H, W).
        kernel_size: size of the window, an int or (vertical, horizontal); so are the next three.
        stride: step of the window; ``kernel_size`` by default.
        padding: -inf around the image, at most half of ``kernel_size``.
        dilation: distance of a window's pixels.
        ceil_mode: let a last window hang over the edge.
        return_indices: give too, for each maximum, its pixel's number ``h W + w``.

    Raises:
        ShapeError: ranks that do not fit, or an image smaller than the window.
        ArgumentError: a window's geometry outside its range.
        DTypeError: other than float32 or float64.

    Example:
        >>> import minigrad
        >>> minigrad.max_pool2d(minigrad.tensor([[[1.0, 2.0, 0.0, 0.0], [3.0, 0.0, 0.0, 5.0]]]), 2)
        tensor([[[3., 5.]]])
    """
    return _max_pool("max_pool2d", 2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool1d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest value of each window of a sequence, (N, C, L) or (C, L). See ``max_pool2d``.

    Example:
        >>> import minigrad
        >>> minigrad.max_pool1d(minigrad.tensor([[1.0, 2.0, 0.0, -1.0]]), 2)
        tensor([[2., 0.]])
    """
    return _max_pool("max_pool1d", 1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def _max_pool(
    where: str,
    spatial: int,
    input: Tensor,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
    return_indices: bool,
) -> Any:
    windows = _windows(where, spatial, kernel_size, stride, padding, ceil_mode)
    windows["dilation"] = _pair(where, "dilation", dilation, spatial, 1, 1)
    pooled, indices = MaxPool.apply(_images(where, spatial, input, windows), windows)
    y = _as_input(pooled, spatial, input)
    return (y, _as_input(indices, spatial, input)) if return_indices else y


def avg_pool2d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window.

    Args:
        input: (N, C, H, W), or (C, H, W).
        kernel_size: size of the window, an int or (vertical, horizontal); so are the next two.
        stride: step of the window; ``kernel_size`` by default.
        padding: zeros around the image, at most half of ``kernel_size``.
        ceil_mode: let a last window hang over the edge.
        count_include_pad: count the padding in the mean.
        divisor_override: divide the sum by this, whatever the window's size.

    Raises:
        ShapeError, ArgumentError, DTypeError: as ``max_pool2d``; a divisor of 0.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.avg_pool2d(minigrad.tensor([[[1.0, 2.0, 0.0, 0.0], [3.0, 0.0, 0.0, 6.0]]]), 2)
        tensor([[[1.5000, 1.5000]]])
    """
    windows = _windows("avg_pool2d", 2, kernel_size, stride, padding, ceil_mode)
    windows["count_include_pad"] = count_include_pad
    windows["divisor_override"] = divisor_override
    return _as_input(AvgPool.apply(_images("avg_pool2d", 2, input, windows), windows), 2, input)


def avg_pool1d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window of a sequence, (N, C, L) or (C, L). See ``avg_pool2d``.

    Example:
        >>> import minigrad
        >>> minigrad.avg_pool1d(minigrad.tensor([[1.0, 2.0, 0.0, -1.0]]), 2)
        tensor([[ 1.5000, -0.5000]])
    """
    windows = _windows("avg_pool1d", 1, kernel_size, stride, padding, ceil_mode)
    windows["count_include_pad"] = count_include_pad
    return _as_input(AvgPool.apply(_images("avg_pool1d", 1, input, windows), windows), 1, input)


def lp_pool2d(input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Tensor:
    """The ``norm_type``-th root of the sum of ``norm_type``-th powers in each window.

    Args:
        input: (N, C, H, W), or (C, H, W).
        norm_type: 1 for the sum; the larger, the nearer to the maximum.
        kernel_size, stride, ceil_mode: as in ``avg_pool2d``.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.lp_pool2d(minigrad.tensor([[[3.0, 4.0]]]), 2, (1, 2))
        tensor([[[5.]]])
    """
    size = _pair("lp_pool2d", "kernel_size", kernel_size, 2, 1, 1)
    return _root(avg_pool2d(input.pow(norm_type), kernel_size, stride, 0, ceil_mode), size[0] * size[1], norm_type)


def lp_pool1d(input: Tensor, norm_type: float, kernel_size: int, stride: Any = None, ceil_mode: bool = False) -> Tensor:
    """``lp_pool2d`` of a sequence, (N, C, L) or (C, L). See there.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.lp_pool1d(minigrad.tensor([[3.0, 4.0]]), 2, 2)
        tensor([[5.]])
    """
    (_, size) = _pair("lp_pool1d", "kernel_size", kernel_size, 1, 1, 1)
    return _root(avg_pool1d(input.pow(norm_type), kernel_size, stride, 0, ceil_mode), size, norm_type)


def _root(mean: Tensor, count: int, norm_type: float) -> Tensor:
    return (mean.sign() * mean.abs() * count).pow(1.0 / norm_type)


# ---------------------------------------------------------------------- grids


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
    x = _images("adaptive_avg_pool2d", 2, input)
    return _as_input(AdaptiveAvgPool.apply(x, _grid("adaptive_avg_pool2d", 2, output_size, x)), 2, input)


def adaptive_avg_pool1d(input: Tensor, output_size: Any) -> Tensor:
    """The mean of each of ``output_size`` windows of a sequence, (N, C, L) or (C, L). See ``adaptive_avg_pool2d``.

    Example:
        >>> import minigrad
        >>> minigrad.adaptive_avg_pool1d(minigrad.tensor([[1.0, 2.0, 6.0]]), 2)
        tensor([[1.5000, 4.0000]])
    """
    x = _images("adaptive_avg_pool1d", 1, input)
    return _as_input(AdaptiveAvgPool.apply(x, _grid("adaptive_avg_pool1d", 1, output_size, x)), 1, input)


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
    x = _images(where, spatial, input)
    pooled, indices = AdaptiveMaxPool.apply(x, _grid(where, spatial, output_size, x))
    y = _as_input(pooled, spatial, input)
    return (y, _as_input(indices, spatial, input)) if return_indices else y


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
    windows = _windows(where, spatial, kernel_size, stride, padding, False)
    x = _images(where, spatial, input)
    at = check_tensor(where, "indices", indices).array
    if at.dtype != np.int64:
        raise DTypeError(where, "indices", "int64", str(at.dtype), "Take them from max_pool with return_indices=True")
    if at.shape != input.array.shape:
        raise ShapeError(where, "indices", f"shape {input.array.shape}, as input has", f"shape {at.shape}")
    steps, pads, kernels = windows["stride"], windows["padding"], windows["kernel_size"]
    size = [(n - 1) * s - 2 * p + k for n, s, p, k in zip(x.array.shape[2:], steps, pads, kernels, strict=True)]
    if output_size is not None:
        asked = tuple(output_size)[-spatial:]
        asked = (1, *asked) if spatial == 1 else asked
        if any(not default - s < want < default + s for want, default, s in zip(asked, size, steps, strict=True)):
            expected = f"sizes less than a stride {steps[2 - spatial :]} from {tuple(size[2 - spatial :])}"
            raise ShapeError(where, "output_size", expected, str(tuple(output_size)))
        size = list(asked)
    if at.size and (int(at.min()) < 0 or int(at.max()) >= size[0] * size[1]):
        got = f"{int(at.min())} to {int(at.max())}"
        expected = f"0 to {size[0] * size[1] - 1}, the places of the output"
        raise IndexingError(where, "indices", expected, got, "Give output_size, the size of the pooling's input")
    return _as_input(Unpool.apply(x, at.reshape(x.array.shape), tuple(size)), spatial, input)


# ---------------------------------------------------------------------- arguments


def _pair(where: str, argument: str, value: Any, spatial: int, least: int, blank: int) -> tuple[int, int]:
    """An int or a sequence of ``spatial`` ints as (vertical, horizontal); ``blank`` is the vertical one of a sequence."""
    found = numbers(where, argument, value, spatial, least)
    return (blank, found[0]) if spatial == 1 else (found[0], found[1])


def _windows(where: str, spatial: int, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool) -> dict[str, Any]:
    size = _pair(where, "kernel_size", kernel_size, spatial, 1, 1)
    empty = stride is None or (isinstance(stride, (tuple, list)) and not stride)
    pads = _pair(where, "padding", padding, spatial, 0, 0)
    if pads[0] > size[0] // 2 or pads[1] > size[1] // 2:
        expected = f"at most half of kernel_size {size[2 - spatial :]}"
        raise ArgumentError(where, "padding", expected, str(pads[2 - spatial :]), "Pad the input first")
    return {
        "kernel_size": size,
        "stride": size if empty else _pair(where, "stride", stride, spatial, 1, 1),
        "padding": pads,
        "ceil_mode": bool(ceil_mode),
    }


def _grid(where: str, spatial: int, output_size: Any, x: Tensor) -> tuple[int, int]:
    items = tuple(output_size) if isinstance(output_size, (tuple, list)) else (output_size,) * spatial
    kept = tuple(have if item is None else item for item, have in zip(items, x.array.shape[-spatial:], strict=False))
    return _pair(where, "output_size", kept if len(kept) == len(items) else items, spatial, 1, 1)


def _images(where: str, spatial: int, input: Tensor, windows: dict[str, Any] | None = None) -> Tensor:
    """The input as (N, C, H, W)."""
    x = check_tensor(where, "input", input).array
    if x.dtype.kind != "f" or x.dtype.itemsize < 4:
        raise DTypeError(where, "input", "float32 or float64", str(x.dtype), "Convert it with .float()")
    axes = "C, H, W" if spatial == 2 else "C, L"
    if x.ndim not in (spatial + 1, spatial + 2):
        expected = f"{spatial + 2} dimensions (N, {axes}), or {spatial + 1} ({axes})"
        raise ShapeError(where, "input", expected, f"shape {x.shape}")
    if 0 in x.shape[-spatial - 1 :]:
        raise ShapeError(where, "input", "no size of 0 but the batch's", f"shape {x.shape}")
    if windows is not None:
        _check_fit(where, spatial, x.shape, windows)
    if x.ndim == spatial + 1:
        input = input.unsqueeze(0)
    return input.unsqueeze(2) if spatial == 1 else input


def _check_fit(where: str, spatial: int, shape: tuple[int, ...], windows: dict[str, Any]) -> None:
    size = (1, shape[-1]) if spatial == 1 else shape[-2:]
    spread = windows.get("dilation", (1, 1))
    for length, kernel_size, step, pad, gap in zip(
        size, windows["kernel_size"], windows["stride"], windows["padding"], spread, strict=True
    ):
        if kernel.output_size(length, kernel_size, step, pad, gap, windows["ceil_mode"]) < 1:
            spans = [g * (k - 1) + 1 for g, k in zip(spread, windows["kernel_size"], strict=True)]
            raise ShapeError(
                where,
                "input",
                f"a size of at least {tuple(spans[2 - spatial :])} with its padding, for the window to fit in",
                f"{tuple(shape[-spatial:])} and padding {windows['padding'][2 - spatial :]}",
                "Use a smaller window or a larger input",
            )


def _as_input(y: Tensor, spatial: int, input: Tensor) -> Tensor:
    """The result with the dimensions of the input: no height for sequences, no batch if it had none."""
    if spatial == 1:
        y = y.squeeze(2)
    return y.squeeze(0) if input.array.ndim == spatial + 1 else y


__all__ = ["adaptive_avg_pool1d", "adaptive_max_pool1d", "avg_pool1d", "max_pool1d", "max_pool2d"]
FUNCTIONAL = (
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "avg_pool1d",
    "avg_pool2d",
    "lp_pool1d",
    "lp_pool2d",
    "max_pool1d",
    "max_pool2d",
    "max_unpool1d",
    "max_unpool2d",
)
METHODS = ()
