"""Images and sequences made larger or smaller, and their pixels and channels rearranged.

Interpolation is a linear map along each axis in turn; ``taps.py`` applies it and its transpose.
"""

from __future__ import annotations

import functools
import math
import operator
from typing import Any

import numpy as np

from minigrad.core.device import Array
from minigrad.core.tape import Function
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.kernels.layout import is_channels_last
from minigrad.ops.adaptive import adaptive_avg_pool1d, adaptive_avg_pool2d
from minigrad.ops.creation import number_of
from minigrad.ops.operands import cast
from minigrad.ops.taps import Taps, along_axis, picks

_MODES = {
    1: ("nearest", "nearest-exact", "linear", "area"),
    2: ("nearest", "nearest-exact", "bilinear", "bicubic", "area"),
}


def interpolate(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """The image or sequence in another size.

    Args:
        input: (N, C, H, W), or (N, C, L).
        size: the output's (H, W) or L, one int for all or one each.
        scale_factor: by what the size is multiplied (and rounded down), in place of ``size``.
        mode: ``"nearest"``, ``"nearest-exact"``, ``"linear"`` (sequences), ``"bilinear"``, ``"bicubic"`` (images), ``"area"``.
        align_corners: whether the corner pixels' centres stay in place, or (by default) the image's corners.
        recompute_scale_factor: measure distances by the rounded sizes, not by ``scale_factor``.
        antialias: where the output is smaller, let each of its pixels see all that it covers (bilinear and bicubic only).

    Raises:
        ArgumentError: neither or both of ``size`` and ``scale_factor``, an unknown mode, ``align_corners`` without lines, or
            ``antialias`` with another mode.
        ShapeError: other numbers of dimensions, or a size below 1.
        DTypeError: integers.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.interpolate(minigrad.tensor([[[1.0, 2.0]]]), scale_factor=2)
        tensor([[[1., 1., 2., 2.]]])
        >>> minigrad.nn.functional.interpolate(minigrad.tensor([[[1.0, 3.0]]]), size=3, mode="linear", align_corners=True)
        tensor([[[1., 2., 3.]]])
    """
    where = "interpolate"
    x = check_tensor(where, "input", input).array
    spatial = x.ndim - 2
    if spatial not in _MODES:
        raise ShapeError(where, "input", "3 dimensions (N, C, L) or 4 (N, C, H, W)", f"shape {x.shape}")
    if mode not in _MODES[spatial]:
        raise ArgumentError(where, "mode", f"one of {', '.join(_MODES[spatial])} for {x.ndim} dimensions", repr(mode))
    lines = mode not in ("nearest", "nearest-exact", "area")
    if align_corners is not None and not lines:
        raise ArgumentError(where, "align_corners", f"none with mode={mode!r}", str(align_corners))
    if antialias and mode not in ("bilinear", "bicubic"):
        raise ArgumentError(where, "antialias", f"False with mode={mode!r}", "True", "Use mode='bilinear' or 'bicubic'")
    if x.dtype.kind != "f":
        raise DTypeError(where, "input", "a float dtype", str(x.dtype), "Convert it with .float()")
    out, scales = _target(x.shape, spatial, size, scale_factor, recompute_scale_factor)
    if x.dtype == np.float16:  # sums of products: in float32
        wide = interpolate(input.float(), size, scale_factor, mode, align_corners, recompute_scale_factor, antialias)
        return cast(wide, x.dtype)
    if mode == "area":
        return adaptive_avg_pool1d(input, out) if spatial == 1 else adaptive_avg_pool2d(input, out)
    for axis in range(spatial):
        have, want, scale = x.shape[2 + axis], out[axis], scales[axis]
        if antialias:
            input = along_axis(input, 2 + axis, _wide_taps(mode, have, want, scale, bool(align_corners)))
        elif have != want or mode in (
            "nearest-exact",
            "bicubic",
        ):  # PyTorch too takes no notice of a scale that changes no size
            input = along_axis(input, 2 + axis, _taps(mode, have, want, scale, bool(align_corners)))
    return input


def _target(
    shape: tuple[int, ...], spatial: int, size: Any, scale_factor: Any, recompute: bool | None
) -> tuple[tuple[int, ...], tuple[float | None, ...]]:
    """The output's sizes, and by what distances are measured: ``None`` where it is the sizes' ratio."""
    where = "interpolate"
    if (size is None) == (scale_factor is None):
        raise ArgumentError(where, "size, scale_factor", "one of the two", "neither" if size is None else "both")
    given = size if scale_factor is None else scale_factor
    items = tuple(given) if isinstance(given, (tuple, list)) else (given,) * spatial
    if len(items) != spatial:
        name = "size" if scale_factor is None else "scale_factor"
        raise ArgumentError(where, name, f"one number or {spatial}, one for each axis", repr(given))
    if scale_factor is None:
        if recompute:
            raise ArgumentError(
                where, "recompute_scale_factor", "False with size", "True", "Give scale_factor in place of size"
            )
        try:
            out = tuple([operator.index(item) for item in items])
        except TypeError:
            raise ArgumentError(where, "size", "whole numbers", repr(size)) from None
        scales: tuple[float | None, ...] = (None,) * spatial
    else:
        factors = [number_of(where, "scale_factor", item) for item in items]
        if not all(math.isfinite(factor) for factor in factors):
            raise ArgumentError(where, "scale_factor", "finite numbers", repr(scale_factor))
        out = tuple([math.floor(have * factor) for have, factor in zip(shape[2:], factors, strict=True)])
        scales = (None,) * spatial if recompute else tuple([float(factor) for factor in factors])
    if max(out) >= 2**40:
        raise ArgumentError(where, "size", "sizes that memory holds", str(out))
    if min(out) < 1 or 0 in shape[1:]:
        raise ShapeError(where, "size", "sizes of at least 1", f"{out} from shape {shape}")
    return out, scales


@functools.lru_cache(maxsize=256)
def _taps(mode: str, have: int, want: int, scale: float | None, align_corners: bool) -> Taps:
    """The map from ``have`` pixels to ``want`` along one axis."""
    places = np.arange(want)
    step = 1 / scale if scale is not None else have / want
    if mode in ("nearest", "nearest-exact"):
        if mode == "nearest" and want == 2 * have:
            return picks(places // 2, have)
        single = np.float32(have) / np.float32(want) if scale is None else np.float32(1 / scale)  # PyTorch rounds so
        offset = np.float32(0.5 if mode == "nearest-exact" else 0)
        sources = np.floor((places.astype(np.float32) + offset) * single).astype(np.int64)
        return picks(sources.clip(0, have - 1), have)
    if align_corners:
        centres = places * ((have - 1) / (want - 1) if want > 1 else 0.0)
    else:
        centres = (places + 0.5) * step - 0.5
    if mode == "bicubic":
        first = np.floor(centres)
        beyond = (centres - first)[:, None]
        distances = np.concatenate([beyond + 1, beyond, 1 - beyond, 2 - beyond], axis=1)
        sources = first.astype(np.int64)[:, None] + np.arange(-1, 3)
        return _merged(sources.clip(0, have - 1), _cubic(distances), have)
    centres = centres.clip(0, None)
    low = np.minimum(np.floor(centres).astype(np.int64), have - 1)
    share = (centres - low).clip(0, 1)
    sources = np.stack([low, np.minimum(low + 1, have - 1)], axis=1)
    return _merged(sources, np.stack([1 - share, share], axis=1), have)


@functools.lru_cache(maxsize=256)
def _wide_taps(mode: str, have: int, want: int, scale: float | None, align_corners: bool) -> Taps:
    """The map with the kernel stretched, where pixels become fewer, over all that fall together."""
    if align_corners:
        step = (have - 1) / (want - 1) if want > 1 else 0.0
    else:
        step = 1 / scale if scale is not None else have / want
    stretch, reach = max(step, 1.0), 1 if mode == "bilinear" else 2
    centres = (step * (np.arange(want) + 0.5))[:, None]
    first = (centres - reach * stretch + 0.5).astype(np.int64).clip(0, None)
    end = (centres + reach * stretch + 0.5).astype(np.int64).clip(None, have)
    sources = first + np.arange(max(int((end - first).max()), 1))
    distances = np.abs(sources - centres + 0.5) / stretch
    kernel = 1 - distances if mode == "bilinear" else _cubic(distances, -0.5)
    weights = np.where((distances < reach) & (sources < end), kernel, 0.0)
    weights /= weights.sum(axis=1, keepdims=True)
    return _merged(sources.clip(0, have - 1), weights, have)


def _merged(sources: np.ndarray, weights: np.ndarray, size: int) -> Taps:
    """Taps without weight take the place of another, so that an infinity beside them is not multiplied by 0."""
    strongest = np.take_along_axis(sources, np.abs(weights).argmax(axis=1)[:, None], axis=1)
    return Taps(np.where(weights == 0, strongest, sources), weights, size)


def _cubic(distance: np.ndarray, a: float = -0.75) -> np.ndarray:
    """Keys' kernel at distances from 0 to 2. Source: Keys, "Cubic Convolution Interpolation", equation 4 with ``a`` free."""
    near = ((a + 2) * distance - (a + 3)) * distance * distance + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    return np.where(distance <= 1, near, far)


def upsample_nearest(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """``interpolate`` with ``mode="nearest"``. See there.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.upsample_nearest(minigrad.tensor([[[1.0, 2.0]]]), scale_factor=2)
        tensor([[[1., 1., 2., 2.]]])
    """
    return interpolate(input, size, scale_factor, "nearest")


def upsample_bilinear(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """``interpolate`` with ``mode="bilinear"`` and aligned corners. See there.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.upsample_bilinear(minigrad.tensor([[[[1.0, 3.0]]]]), size=(1, 3))
        tensor([[[[1., 2., 3.]]]])
    """
    return interpolate(input, size, scale_factor, "bilinear", align_corners=True)


def upsample(
    input: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None
) -> Tensor:
    """``interpolate`` under its older name. See there.

    Example:
        >>> import minigrad
        >>> minigrad.nn.functional.upsample(minigrad.tensor([[[1.0, 2.0]]]), size=1)
        tensor([[[1.]]])
    """
    return interpolate(input, size, scale_factor, mode, align_corners)


# ---------------------------------------------------------------------- channels into pixels


class PixelShuffle(Function):
    """y[c, h r + i, w r + j] = x[c r² + i r + j, h, w];  dx = dy rearranged back."""

    def forward(ctx, x: Array, factor: int) -> Array:
        ctx.factor = r = factor
        n, c, h, w = x.shape
        parts = x.reshape(n, c // (r * r), r, r, h, w)
        if is_channels_last(x):
            return parts.transpose(0, 4, 2, 5, 3, 1).reshape(n, h * r, w * r, c // (r * r)).transpose(0, 3, 1, 2)
        return parts.transpose(0, 1, 4, 2, 5, 3).reshape(n, c // (r * r), h * r, w * r)

    def backward(ctx, dy: Tensor) -> Any:
        return PixelUnshuffle.apply(dy, ctx.factor), None


class PixelUnshuffle(Function):
    """y[c r² + i r + j, h, w] = x[c, h r + i, w r + j];  dx = dy rearranged back."""

    def forward(ctx, x: Array, factor: int) -> Array:
        ctx.factor = r = factor
        n, c, h, w = x.shape
        parts = x.reshape(n, c, h // r, r, w // r, r)
        if is_channels_last(x):
            return parts.transpose(0, 2, 4, 1, 3, 5).reshape(n, h // r, w // r, c * r * r).transpose(0, 3, 1, 2)
        return parts.transpose(0, 1, 3, 5, 2, 4).reshape(n, c * r * r, h // r, w // r)

    def backward(ctx, dy: Tensor) -> Any:
        return PixelShuffle.apply(dy, ctx.factor), None


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """Channels laid out as pixels: (..., C r², H, W) to (..., C, H r, W r).

    Args:
        input: at least three dimensions.
        upscale_factor: r.

    Raises:
        ShapeError: r² does not divide the channels.

    Source: Shi and others, "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel CNN", equation 4.

    Example:
        >>> import minigrad
        >>> minigrad.pixel_shuffle(minigrad.tensor([[[1.0]], [[2.0]], [[3.0]], [[4.0]]]), 2)
        tensor([[[1., 2.],
                 [3., 4.]]])
    """
    where, r = "pixel_shuffle", _factor("pixel_shuffle", "upscale_factor", upscale_factor)
    shape = _image_shape(where, input)
    if shape[-3] % (r * r):
        raise ShapeError(where, "input", f"a number of channels that {r * r} divides", f"shape {shape}")
    y = PixelShuffle.apply(_as_images(input), r)
    return y if len(shape) == 4 else y.reshape(*shape[:-3], *y.array.shape[1:])


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """Pixels laid out as channels: (..., C, H r, W r) to (..., C r², H, W). Undoes ``pixel_shuffle``.

    Raises:
        ShapeError: r does not divide height and width.

    Example:
        >>> import minigrad
        >>> minigrad.pixel_unshuffle(minigrad.tensor([[[1.0, 2.0], [3.0, 4.0]]]), 2).shape
        minigrad.Size([4, 1, 1])
    """
    where, r = "pixel_unshuffle", _factor("pixel_unshuffle", "downscale_factor", downscale_factor)
    shape = _image_shape(where, input)
    if shape[-1] % r or shape[-2] % r:
        raise ShapeError(where, "input", f"a height and width that {r} divides", f"shape {shape}")
    y = PixelUnshuffle.apply(_as_images(input), r)
    return y if len(shape) == 4 else y.reshape(*shape[:-3], *y.array.shape[1:])


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Channels of ``groups`` groups dealt out in turn: the first of each group, then the second of each.

    Args:
        input: (N, C, ...).
        groups: divides C.

    Raises:
        ShapeError: it does not; or fewer than three dimensions.

    Source: Zhang and others, "ShuffleNet", section 3.1.

    Example:
        >>> import minigrad
        >>> minigrad.channel_shuffle(minigrad.tensor([[[1.0], [2.0], [3.0], [4.0]]]), 2).flatten()
        tensor([1., 3., 2., 4.])
    """
    shape = check_tensor("channel_shuffle", "input", input).array.shape
    groups = _factor("channel_shuffle", "groups", groups)
    if len(shape) < 3 or shape[1] % groups:
        expected = f"3 dimensions (N, C, L) or more, with a C that groups={groups} divides"
        raise ShapeError("channel_shuffle", "input", expected, f"shape {shape}")
    split = input.reshape(shape[0], groups, shape[1] // groups, *shape[2:])
    return split.transpose(1, 2).reshape(shape)


def _factor(where: str, argument: str, value: Any) -> int:
    if not isinstance(value, int) or value < 1:
        raise ArgumentError(where, argument, "a whole number of at least 1", repr(value))
    return value


def _image_shape(where: str, input: Tensor) -> tuple[int, ...]:
    shape = check_tensor(where, "input", input).array.shape
    if len(shape) < 3:
        raise ShapeError(where, "input", "at least 3 dimensions (..., C, H, W)", f"shape {shape}")
    return shape


def _as_images(input: Tensor) -> Tensor:
    """(..., C, H, W) as (N, C, H, W)."""
    shape = input.array.shape
    return input if len(shape) == 4 else input.reshape(math.prod(shape[:-3]), *shape[-3:])


__all__ = ["channel_shuffle", "pixel_shuffle", "pixel_unshuffle"]
FUNCTIONAL = (
    "channel_shuffle",
    "interpolate",
    "pixel_shuffle",
    "pixel_unshuffle",
    "upsample",
    "upsample_bilinear",
    "upsample_nearest",
)
METHODS = ()
