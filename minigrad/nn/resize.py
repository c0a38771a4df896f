"""Layers that change the size of images and sequences: by interpolation, by edges, by rearranging."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ShapeError
from minigrad.nn import functional as F
from minigrad.nn.checks import check_counts, repeated
from minigrad.nn.module import Module
from minigrad.ops.creation import number_of

Sizes = int | Sequence[int]


class Upsample(Module):
    """Larger or smaller by interpolation.

    Args:
        size: of the output, one for all dimensions or one each; or
        scale_factor: how many times the input.
        mode: ``"nearest"``, ``"linear"`` (3 dimensions), ``"bilinear"``, ``"bicubic"`` (4), as ``F.interpolate`` has them.
        align_corners: the corners of input and output lie on each other.
        recompute_scale_factor: take the factor that the rounded size amounts to.

    Raises:
        ArgumentError: from ``F.interpolate``, when called.

    Example:
        >>> import minigrad
        >>> Upsample(scale_factor=2)(minigrad.ones(1, 3, 4, 4)).shape
        minigrad.Size([1, 3, 8, 8])
    """

    def __init__(
        self,
        size: Sizes | None = None,
        scale_factor: float | Sequence[float] | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__()
        self.size, self.mode, self.align_corners = size, mode, align_corners
        self.recompute_scale_factor = recompute_scale_factor
        self.scale_factor: Any = scale_factor
        if scale_factor is not None:
            several = isinstance(scale_factor, Sequence)
            items: Any = scale_factor if several else [scale_factor]
            given = [number_of(type(self).__name__, "scale_factor", item) for item in items]
            self.scale_factor = tuple(map(float, given)) if several else float(given[0])

    def forward(self, input: Tensor) -> Tensor:
        return F.interpolate(
            input,
            self.size,
            self.scale_factor,
            self.mode,
            self.align_corners,
            recompute_scale_factor=self.recompute_scale_factor,
        )

    def extra_repr(self) -> str:
        size = f"size={self.size}" if self.scale_factor is None else f"scale_factor={self.scale_factor}"
        return f"{size}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """``Upsample`` of images by repeating the nearest pixel."""

    def __init__(self, size: Sizes | None = None, scale_factor: float | Sequence[float] | None = None) -> None:
        super().__init__(size, scale_factor, mode="nearest")


class UpsamplingBilinear2d(Upsample):
    """``Upsample`` of images by bilinear interpolation, corners on corners."""

    def __init__(self, size: Sizes | None = None, scale_factor: float | Sequence[float] | None = None) -> None:
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)


class PixelShuffle(Module):
    """(N, C r^2, H, W) -> (N, C, H r, W r): channels become pixels (Shi et al. 2016).

    Example:
        >>> import minigrad
        >>> PixelShuffle(2)(minigrad.ones(1, 8, 3, 3)).shape
        minigrad.Size([1, 2, 6, 6])
    """

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        check_counts("PixelShuffle", 1, upscale_factor=upscale_factor)
        self.upscale_factor = upscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """(N, C, H r, W r) -> (N, C r^2, H, W): pixels become channels. The inverse of ``PixelShuffle``.

    Example:
        >>> import minigrad
        >>> PixelUnshuffle(2)(minigrad.ones(1, 2, 6, 6)).shape
        minigrad.Size([1, 8, 3, 3])
    """

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        check_counts("PixelUnshuffle", 1, downscale_factor=downscale_factor)
        self.downscale_factor = downscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        return f"downscale_factor={self.downscale_factor}"


class _Pad(Module):
    """An edge around the last dimensions: how wide before and after each, the last dimension first."""

    _dims = 0
    _mode = "constant"

    def __init__(self, padding: Sizes) -> None:
        super().__init__()
        self.padding = repeated(type(self).__name__, "padding", padding, 2 * self._dims, -(1 << 62))

    def forward(self, input: Tensor) -> Tensor:
        dims = self._dims
        check_tensor(type(self).__name__, "input", input)
        if self._mode != "constant" and input.array.ndim not in (dims + 1, dims + 2):
            shape = f"shape {tuple(input.array.shape)}"
            raise ShapeError(type(self).__name__, "input", f"{dims + 1} or {dims + 2} dimensions", shape)
        return F.pad(input, self.padding, mode=self._mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPad(_Pad):
    def __init__(self, padding: Sizes, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, mode="constant", value=self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPad):
    """An edge of one value around sequences: (left, right), or one width for both."""

    _dims = 1


class ConstantPad2d(_ConstantPad):
    """An edge of one value around images: (left, right, top, bottom), or one width for all.

    Example:
        >>> import minigrad
        >>> ConstantPad2d((1, 0, 0, 0), 7.0)(minigrad.zeros(1, 1, 1))
        tensor([[[7., 0.]]])
    """

    _dims = 2


class ZeroPad1d(_ConstantPad):
    """An edge of zeros around sequences. See ``ConstantPad1d``."""

    _dims = 1

    def __init__(self, padding: Sizes) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ZeroPad2d(ZeroPad1d):
    """An edge of zeros around images. See ``ConstantPad2d``.

    Example:
        >>> import minigrad
        >>> ZeroPad2d(1)(minigrad.ones(1, 3, 4, 4)).shape
        minigrad.Size([1, 3, 6, 6])
    """

    _dims = 2


class ReflectionPad1d(_Pad):
    """Sequences go on as in a mirror that lies on their last element: (left, right), or one width for both.

    Example:
        >>> import minigrad
        >>> ReflectionPad1d(2)(minigrad.tensor([[1.0, 2.0, 3.0]]))
        tensor([[3., 2., 1., 2., 3., 2., 1.]])
    """

    _dims, _mode = 1, "reflect"


class ReflectionPad2d(_Pad):
    """Images go on as in mirrors that lie on their outer pixels. See ``ConstantPad2d`` for the widths."""

    _dims, _mode = 2, "reflect"


class ReplicationPad1d(_Pad):
    """The outer element of sequences repeats. See ``ConstantPad1d`` for the widths."""

    _dims, _mode = 1, "replicate"


class ReplicationPad2d(_Pad):
    """The outer pixels of images repeat. See ``ConstantPad2d`` for the widths."""

    _dims, _mode = 2, "replicate"


class CircularPad1d(_Pad):
    """Sequences begin again. See ``ConstantPad1d`` for the widths."""

    _dims, _mode = 1, "circular"


class CircularPad2d(_Pad):
    """Images begin again. See ``ConstantPad2d`` for the widths."""

    _dims, _mode = 2, "circular"


class Unfold(Module):
    """The windows of images as columns: (N, C, H, W) -> (N, C KH KW, number of windows).

    Args:
        kernel_size, dilation, padding, stride: of the windows, as in ``Conv2d``.

    Example:
        >>> import minigrad
        >>> Unfold(2)(minigrad.ones(1, 3, 4, 4)).shape
        minigrad.Size([1, 12, 9])
    """

    def __init__(self, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1) -> None:
        super().__init__()
        self.kernel_size, self.dilation, self.padding, self.stride = kernel_size, dilation, padding, stride

    def forward(self, input: Tensor) -> Tensor:
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        window = f"kernel_size={self.kernel_size}, dilation={self.dilation}"
        return f"{window}, padding={self.padding}, stride={self.stride}"


class Fold(Module):
    """Columns of windows, added where they lie: (N, C KH KW, number of windows) -> (N, C, H, W).

    Args:
        output_size: (H, W).
        kernel_size, dilation, padding, stride: of the windows.

    Example:
        >>> import minigrad
        >>> Fold((4, 4), 2)(minigrad.ones(1, 12, 9)).shape
        minigrad.Size([1, 3, 4, 4])
    """

    def __init__(
        self, output_size: Sizes, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1
    ) -> None:
        super().__init__()
        self.output_size, self.kernel_size, self.dilation = output_size, kernel_size, dilation
        self.padding, self.stride = padding, stride

    def forward(self, input: Tensor) -> Tensor:
        return F.fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        window = f"output_size={self.output_size}, kernel_size={self.kernel_size}, dilation={self.dilation}"
        return f"{window}, padding={self.padding}, stride={self.stride}"


__all__ = [
    "CircularPad1d",
    "CircularPad2d",
    "ConstantPad1d",
    "ConstantPad2d",
    "Fold",
    "PixelShuffle",
    "PixelUnshuffle",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "Unfold",
    "Upsample",
    "UpsamplingBilinear2d",
    "UpsamplingNearest2d",
    "ZeroPad1d",
    "ZeroPad2d",
]
