"""Sliding windows laid out as columns, and added back: ``unfold`` and ``fold`` of ``nn.functional``."""

from __future__ import annotations

from typing import Any, NamedTuple

from minigrad.core.device import Array, array_module
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import DTypeError, ShapeError
from minigrad.kernels.conv2d import output_size
from minigrad.ops.geometry import numbers

Pair = tuple[int, ...]


class Geometry(NamedTuple):
    """Windows over an image of ``size``, all as (vertical, horizontal); there are ``outputs`` of them."""

    size: Pair
    kernel: Pair
    stride: Pair
    padding: Pair
    dilation: Pair
    outputs: Pair

    def taps(self) -> list[tuple[int, int, slice, slice]]:
        """For each tap (k, l) of the kernel: the pixels of the padded image that it sees."""
        return [
            (
                k,
                m,
                slice(k * self.dilation[0], k * self.dilation[0] + (self.outputs[0] - 1) * self.stride[0] + 1, self.stride[0]),
                slice(m * self.dilation[1], m * self.dilation[1] + (self.outputs[1] - 1) * self.stride[1] + 1, self.stride[1]),
            )
            for k in range(self.kernel[0])
            for m in range(self.kernel[1])
        ]


class Unfold(Function):
    """y[n, (c, k, l), (i, j)] = x̂[n, c, i s + k d, j s + l d], x̂ the zero-padded x;  dx = Fold(dy)."""

    def forward(ctx, x: Array, windows: Geometry) -> Array:
        ctx.windows = windows
        xp, (n, c), (top, left) = array_module(x), x.shape[:2], windows.padding
        if top or left:
            padded = xp.zeros((n, c, windows.size[0] + 2 * top, windows.size[1] + 2 * left), x.dtype)
            padded[:, :, top : top + windows.size[0], left : left + windows.size[1]] = x
            x = padded
        y = xp.empty((n, c, *windows.kernel, *windows.outputs), x.dtype)
        for k, m, rows, columns in windows.taps():
            y[:, :, k, m] = x[:, :, rows, columns]
        return y.reshape(n, c * windows.kernel[0] * windows.kernel[1], windows.outputs[0] * windows.outputs[1])

    def backward(ctx, dy: Tensor) -> Any:
        return Fold.apply(dy, ctx.windows), None


class Fold(Function):
    """x̂[n, c, i s + k d, j s + l d] = Σ y[n, (c, k, l), (i, j)], x̂ cut to x;  dy = Unfold(dx). The transpose of ``Unfold``."""

    def forward(ctx, y: Array, windows: Geometry) -> Array:
        ctx.windows = windows
        xp, (top, left) = array_module(y), windows.padding
        n, c = y.shape[0], y.shape[1] // (windows.kernel[0] * windows.kernel[1])
        parts = y.reshape(n, c, *windows.kernel, *windows.outputs)
        x = xp.zeros((n, c, windows.size[0] + 2 * top, windows.size[1] + 2 * left), y.dtype)
        for k, m, rows, columns in windows.taps():
            x[:, :, rows, columns] += parts[:, :, k, m]
        return x[:, :, top : top + windows.size[0], left : left + windows.size[1]]

    def backward(ctx, dx: Tensor) -> Any:
        return Unfold.apply(dx, ctx.windows), None


def unfold(input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """Each window of the image as a column: (N, C, H, W) to (N, C KH KW, windows).

    Args:
        input: (N, C, H, W), or (C, H, W).
        kernel_size, dilation, padding, stride: of the window, each an int or (vertical, horizontal).

    Raises:
        ShapeError: other numbers of dimensions, or an image smaller than the window.
        ArgumentError: numbers outside their range.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.unfold(minigrad.tensor([[[1.0, 2.0, 3.0]]]), (1, 2))
        tensor([[1., 2.],
                [2., 3.]])
    """
    shape = check_tensor("unfold", "input", input).array.shape
    if len(shape) not in (3, 4):
        raise ShapeError("unfold", "input", "4 dimensions (N, C, H, W), or 3 (C, H, W)", f"shape {shape}")
    windows = _geometry("unfold", "input", (shape[-2], shape[-1]), kernel_size, dilation, padding, stride)
    return Unfold.apply(input, windows) if len(shape) == 4 else Unfold.apply(input.unsqueeze(0), windows).squeeze(0)


def fold(input: Tensor, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """Columns added up to the image whose windows they stand for: (N, C KH KW, windows) to (N, C, H, W). See ``unfold``.

    Args:
        input: (N, C KH KW, windows), or without N.
        output_size: (H, W), or one int for both.
        kernel_size, dilation, padding, stride: as in ``unfold``.

    Raises:
        ShapeError: rows or columns that do not fit.
        ArgumentError: numbers outside their range.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.fold(minigrad.tensor([[1.0, 2.0], [2.0, 3.0]]), (1, 3), (1, 2))
        tensor([[[1., 4., 3.]]])
    """
    shape = check_tensor("fold", "input", input).array.shape
    if len(shape) not in (2, 3):
        raise ShapeError("fold", "input", "3 dimensions (N, C KH KW, windows), or 2", f"shape {shape}")
    if input.array.dtype.kind != "f":
        raise DTypeError("fold", "input", "a float dtype", str(input.array.dtype), "Convert it with .float()")
    size = numbers("fold", "output_size", output_size, 2, 1)
    windows = _geometry("fold", "output_size", size, kernel_size, dilation, padding, stride)
    rows, columns = windows.kernel[0] * windows.kernel[1], windows.outputs[0] * windows.outputs[1]
    if shape[-2] % rows or shape[-1] != columns:
        expected = f"a multiple of {rows} rows and {columns} columns, for windows of {windows.kernel} over {size}"
        raise ShapeError("fold", "input", expected, f"shape {shape}")
    return Fold.apply(input, windows) if len(shape) == 3 else Fold.apply(input.unsqueeze(0), windows).squeeze(0)


def _geometry(where: str, argument: str, size: Pair, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> Geometry:
    kernel, spread = numbers(where, "kernel_size", kernel_size, 2, 1), numbers(where, "dilation", dilation, 2, 1)
    pads, steps = numbers(where, "padding", padding, 2, 0), numbers(where, "stride", stride, 2, 1)
    count = [output_size(s, k, t, (p, p), d) for s, k, t, p, d in zip(size, kernel, steps, pads, spread, strict=True)]
    if min(count) < 1:
        spans = tuple(d * (k - 1) + 1 for d, k in zip(spread, kernel, strict=True))
        raise ShapeError(where, argument, f"a size of at least {spans} with its padding", f"{size} and padding {pads}")
    return Geometry(size, kernel, steps, pads, spread, (count[0], count[1]))


__all__: list[str] = []
FUNCTIONAL = ("fold", "unfold")
METHODS = ()
