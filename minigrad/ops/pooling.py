"""Pooling: the largest value, or the mean, of each window of an image or a sequence.

``minigrad.kernels.pool2d`` has the formulas. The maximum is a choice of pixels: its gradient is laid down where they were
chosen (``MaxScatter``), and the gradient of that reads there again (``MaxGather``). The mean is a linear map, and its gradient
the transposed one. One-dimensional pooling is two-dimensional with a height of 1.
"""

from __future__ import annotations

import math
from typing import Any

from minigrad.core.device import Array
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError, DTypeError, ShapeError
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
    """x = y / size of the window, spread over it;  dy = AvgPool of dx. The transpose of ``AvgPool``."""

    def forward(ctx, y: Array, size: tuple[int, int], windows: dict[str, Any]) -> Array:
        ctx.windows = windows
        return kernel.avg_backward(y, size, **windows)

    def backward(ctx, dx: Tensor) -> Any:
        return AvgPool.apply(dx, ctx.windows), None, None


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
    windows = sliding(where, spatial, kernel_size, stride, padding, ceil_mode)
    windows["dilation"] = window_pair(where, "dilation", dilation, spatial, 1, 1)
    pooled, indices = MaxPool.apply(as_images(where, spatial, input, windows), windows)
    y = as_input(pooled, spatial, input)
    return (y, as_input(indices, spatial, input)) if return_indices else y


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
    windows = sliding("avg_pool2d", 2, kernel_size, stride, padding, ceil_mode)
    windows["count_include_pad"] = count_include_pad
    windows["divisor_override"] = divisor_override
    return as_input(AvgPool.apply(as_images("avg_pool2d", 2, input, windows), windows), 2, input)


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
    windows = sliding("avg_pool1d", 1, kernel_size, stride, padding, ceil_mode)
    windows["count_include_pad"] = count_include_pad
    return as_input(AvgPool.apply(as_images("avg_pool1d", 1, input, windows), windows), 1, input)


def lp_pool2d(input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Tensor:
    """The ``norm_type``-th root of the sum of ``norm_type``-th powers in each window.

    Args:
        input: (N, C, H, W), or (C, H, W).
        norm_type: 1 for the sum; the larger, the nearer to the maximum of absolutes, which infinity gives.
        kernel_size, stride, ceil_mode: as in ``avg_pool2d``.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.lp_pool2d(minigrad.tensor([[[3.0, 4.0]]]), 2, (1, 2))
        tensor([[[5.]]])
    """
    if not abs(norm_type) > 0:
        raise ArgumentError("lp_pool2d", "norm_type", "a number other than 0", str(norm_type))
    if abs(norm_type) == math.inf:
        sign = 1 if norm_type > 0 else -1
        return max_pool2d(input.abs() * sign, kernel_size, stride, ceil_mode=ceil_mode) * sign
    size = window_pair("lp_pool2d", "kernel_size", kernel_size, 2, 1, 1)
    return _root(avg_pool2d(input.pow(norm_type), kernel_size, stride, 0, ceil_mode), size[0] * size[1], norm_type)


def lp_pool1d(input: Tensor, norm_type: float, kernel_size: int, stride: Any = None, ceil_mode: bool = False) -> Tensor:
    """``lp_pool2d`` of a sequence, (N, C, L) or (C, L). See there.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.lp_pool1d(minigrad.tensor([[3.0, 4.0]]), 2, 2)
        tensor([[5.]])
    """
    if not abs(norm_type) > 0:
        raise ArgumentError("lp_pool1d", "norm_type", "a number other than 0", str(norm_type))
    if abs(norm_type) == math.inf:
        sign = 1 if norm_type > 0 else -1
        return max_pool1d(input.abs() * sign, kernel_size, stride, ceil_mode=ceil_mode) * sign
    (_, size) = window_pair("lp_pool1d", "kernel_size", kernel_size, 1, 1, 1)
    return _root(avg_pool1d(input.pow(norm_type), kernel_size, stride, 0, ceil_mode), size, norm_type)


def _root(mean: Tensor, count: int, norm_type: float) -> Tensor:
    return (mean.sign() * mean.abs() * count).pow(1.0 / norm_type)


# ---------------------------------------------------------------------- arguments


def window_pair(where: str, argument: str, value: Any, spatial: int, least: int, blank: int) -> tuple[int, int]:
    """An int or a sequence of ``spatial`` ints as (vertical, horizontal); ``blank`` is the vertical one of a sequence."""
    found = numbers(where, argument, value, spatial, least)
    return (blank, found[0]) if spatial == 1 else (found[0], found[1])


def sliding(where: str, spatial: int, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool) -> dict[str, Any]:
    size = window_pair(where, "kernel_size", kernel_size, spatial, 1, 1)
    empty = stride is None or (isinstance(stride, (tuple, list)) and not stride)
    pads = window_pair(where, "padding", padding, spatial, 0, 0)
    if pads[0] > size[0] // 2 or pads[1] > size[1] // 2:
        expected = f"at most half of kernel_size {size[2 - spatial :]}"
        raise ArgumentError(where, "padding", expected, str(pads[2 - spatial :]), "Pad the input first")
    return {
        "kernel_size": size,
        "stride": size if empty else window_pair(where, "stride", stride, spatial, 1, 1),
        "padding": pads,
        "ceil_mode": bool(ceil_mode),
    }


def as_images(where: str, spatial: int, input: Tensor, windows: dict[str, Any] | None = None) -> Tensor:
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


def as_input(y: Tensor, spatial: int, input: Tensor) -> Tensor:
    """The result with the dimensions of the input: no height for sequences, no batch if it had none."""
    if spatial == 1:
        y = y.squeeze(2)
    return y.squeeze(0) if input.array.ndim == spatial + 1 else y


__all__ = ["avg_pool1d", "max_pool1d", "max_pool2d"]
FUNCTIONAL = ("avg_pool1d", "avg_pool2d", "lp_pool1d", "lp_pool2d", "max_pool1d", "max_pool2d")
METHODS = ()
