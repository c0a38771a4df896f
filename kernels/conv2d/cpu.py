"""Convolution by the micro-kernel, without columns: the tuned rung for processors.

``im2col.py`` copies each pixel KH · KW times into ``columns`` for BLAS to multiply. Here the micro-kernel's free strides walk
over the image itself: in channels-last memory a row of a window is one gapless run of KW · C numbers, and the next output
pixel's run begins a stride further on. So a band of rows is copied once, with its border of zeros, into memory that stays in
the second-level cache, the weights are packed once into panels, and each value of y is made in a register and stored once,
with its bias and, if it is asked for, its ReLU or ReLU6. (Zhang, Franchetti and Low, "High Performance Zero-Memory Overhead
Direct Convolutions", 2018.)

The gradient to the input is a correlation of dy with the turned kernel. With a stride it falls into stride x stride *phases*,
the pixels of one remainder each, and each phase is a correlation with those taps of the kernel that meet it: nothing is
multiplied by the zeros that a stride leaves between. The gradient to the weight is a product over pixels, in the cache for a
few images at a time.
"""

from __future__ import annotations

from math import gcd
from typing import NamedTuple

import numpy as np

from minigrad.core.device import Array
from minigrad.kernels.conv2d import Padding, Pair, depthwise_cpu, loops, output_sizes, weight_loops
from minigrad.kernels.layout import channels_last, empty_channels_last
from minigrad.kernels.native import parts_for
from minigrad.kernels.native.target import target
from minigrad.kernels.recurrence import Memo, kept

CACHE = 1 << 18  # bytes of an image's band, or of a few images, that are worked on at a time: a part of the second-level cache
SMALL = 8  # output columns up to which a tile is one pixel of several images
DEEP = 256  # pixels of small outputs that are summed up at a time
OWN_CHANNELS = 64  # from so many channels on, threads share the channels of dw, not the images, where its sums are large:
OWN_SUMS = 1 << 18  # bytes of a thread's sums; small ones cost less than all of dy, which each would pack for its channels
KEEPS = True


def forward(
    x: Array, w: Array, bias: Array | None, *, stride: Pair, padding: Padding, dilation: Pair, groups: int,
    memo: Memo | None = None,
) -> Array:  # fmt: skip
    """See the contract."""
    return bounded(x, w, bias, -np.inf, np.inf, stride=stride, padding=padding, dilation=dilation, groups=groups, memo=memo)


def forward_relu(
    x: Array, w: Array, bias: Array | None, *, stride: Pair, padding: Padding, dilation: Pair, groups: int,
    memo: Memo | None = None,
) -> Array:  # fmt: skip
    """See the contract."""
    return bounded(x, w, bias, 0.0, np.inf, stride=stride, padding=padding, dilation=dilation, groups=groups, memo=memo)


def forward_relu6(
    x: Array, w: Array, bias: Array | None, *, stride: Pair, padding: Padding, dilation: Pair, groups: int,
    memo: Memo | None = None,
) -> Array:  # fmt: skip
    """See the contract."""
    return bounded(x, w, bias, 0.0, 6.0, stride=stride, padding=padding, dilation=dilation, groups=groups, memo=memo)


def bounded(
    x: Array, w: Array, bias: Array | None, least: float, most: float, *, stride: Pair, padding: Padding, dilation: Pair,
    groups: int, memo: Memo | None,
) -> Array:  # fmt: skip
    """``forward``, and no value of it below ``least`` or above ``most``."""
    if groups > 1 and w.shape[1] == 1:
        return depthwise_cpu.forward(
            x, w, bias, least, most, stride=stride, padding=padding, dilation=dilation, groups=groups, memo=memo
        )
    f, c, kernel_h, kernel_w = w.shape
    size = output_sizes(x.shape[2:], w.shape[2:], stride, padding, dilation)
    y = empty_channels_last(np, (x.shape[0], f, *size), x.dtype)
    steps = (w.strides[0] * (f // groups), *w.strides)
    packed = kept(memo, ("panels", groups), lambda: _packed(w, (f // groups, c, kernel_h, kernel_w), groups, 0, steps))
    shape = _Correlation((kernel_h, kernel_w), stride, dilation, (padding[0][0], padding[1][0]), size)
    _correlate(_nhwc(x), packed, bias, _nhwc(y), c, f // groups, groups, shape, least, most)
    return y


def grad_input(dy: Array, w: Array, input_size: Pair, *, stride: Pair, padding: Padding, dilation: Pair, groups: int) -> Array:
    """See the contract."""
    if groups > 1 and w.shape[1] == 1:
        return depthwise_cpu.grad_input(dy, w, input_size, stride=stride, padding=padding, dilation=dilation, groups=groups)
    f, c, kernel_h, kernel_w = w.shape
    dx = empty_channels_last(np, (dy.shape[0], c * groups, *input_size), dy.dtype)
    source, out = _nhwc(dy), _nhwc(dx)
    at_f, at_c, at_r, at_s = w.strides
    for rows in phases_of(kernel_h, stride[0], dilation[0], padding[0][0], input_size[0]):
        for columns in phases_of(kernel_w, stride[1], dilation[1], padding[1][0], input_size[1]):
            taps = (rows.taps, columns.taps)
            pixels = out[:, rows.start :: stride[0], columns.start :: stride[1]]
            if 0 in taps:
                pixels[...] = 0
                continue
            # The last tap comes first: the kernel is turned.
            last = at_r * rows.last + at_s * columns.last
            steps = (at_f * (f // groups), at_c, at_f, -at_r * rows.step, -at_s * columns.step)
            packed = _packed(w, (c, f // groups, *taps), groups, last, steps)
            spread, before = (rows.dilation, columns.dilation), (rows.before, columns.before)
            shape = _Correlation(taps, (1, 1), spread, before, (rows.pixels, columns.pixels))
            _correlate(source, packed, None, pixels, f // groups, c, groups, shape)
    return dx


def grad_weight(
    x: Array, dy: Array, kernel_size: Pair, *, stride: Pair, padding: Padding, dilation: Pair, groups: int
) -> Array:
    """See the contract."""
    f, c = dy.shape[1] // groups, x.shape[1] // groups
    if groups > 1 and c == 1:
        return depthwise_cpu.grad_weight(x, dy, kernel_size, stride=stride, padding=padding, dilation=dilation, groups=groups)
    (n, h, w, channels), (out_h, out_w), (kernel_h, kernel_w) = _nhwc(x).shape, dy.shape[2:], kernel_size
    here = target()
    lanes = here.lanes(x.dtype.name)
    panel = here.vectors * lanes
    padded = _padded(f, lanes, panel)
    parts = parts_for(n * out_h * out_w * channels * f * kernel_h * kernel_w // groups // 8)
    sum_size = groups * kernel_h * kernel_w * c * padded
    by_channel = c >= OWN_CHANNELS and (sum_size * x.itemsize > OWN_SUMS or n < parts)
    sums = np.empty((1 if by_channel else parts, sum_size), x.dtype)
    held = -(-c // parts) if by_channel else c
    share = -(-n // (1 if by_channel else parts))  # images that a part sees
    if out_w <= SMALL and out_h <= 2 * SMALL:
        images = max(1, min(share, DEEP // (out_h * out_w)))
        work_size = images * out_h * out_w * (held + lanes + padded)
        weigh = weight_loops.weigh_small
    else:
        span_h, span_w = ((o - 1) * s + (k - 1) * d + 1 for o, s, k, d in zip((out_h, out_w), stride, kernel_size, dilation))
        each = span_h * span_w * (held * groups + lanes) + out_h * out_w * panel  # of an image in the cache
        images = max(1, min(share, 2 * CACHE // (each * x.itemsize)))
        work_size = images * each + 2 * panel
        weigh = weight_loops.weigh
    weigh(
        _nhwc(x), _nhwc(dy), sums, _work(parts, work_size, x.dtype), work_size, n, h, w, channels, c, f, groups, kernel_h,
        kernel_w,
        *stride, *dilation, padding[0][0], padding[1][0], out_h, out_w, images, int(by_channel), parts=parts,
    )  # fmt: skip
    dw = np.empty((f * groups, c, kernel_h, kernel_w), x.dtype)
    weight_loops.gather(
        sums, dw, sums.shape[0], groups, kernel_h, kernel_w, c, f, padded, parts=parts_for(sums.nbytes),
    )  # fmt: skip
    return dw


class _Correlation(NamedTuple):
    """How a kernel of ``size`` taps moves over an image: y[i, j] sees x[i · stride + r · dilation − before, ...]."""

    size: Pair
    stride: Pair
    dilation: Pair
    before: Pair
    out: Pair


def _correlate(
    src: Array, packed: Array, bias: Array | None, dst: Array, inner: int, features: int, groups: int, shape: _Correlation,
    least: float = -np.inf, most: float = np.inf,
) -> None:  # fmt: skip
    """Correlate (N, H, W, C) ``src`` with packed weights into (N, OH, OW, F) ``dst``, whose pixels may lie apart."""
    n, h, w, channels = src.shape
    (rows, columns), stride, dilation, before, (out_h, out_w) = shape
    item = src.itemsize
    bias = np.zeros(features * groups, src.dtype) if bias is None else np.ascontiguousarray(bias)
    if (rows, columns) == stride == (1, 1) and before == (0, 0) and out_h == h and dst.flags.c_contiguous:
        n, h, w, out_h, out_w = n * h, 1, w, 1, out_w  # rows are all alike: each is an image
    pitches = [step // item for step in dst.strides[:3]]
    if dst.flags.c_contiguous:
        pitches = [out_h * out_w * features * groups, out_w * features * groups, features * groups]
    work = n * out_h * out_w * channels * features * max(1, rows * columns) // 8
    parts = parts_for(work)
    lanes = target().lanes(src.dtype.name)
    common = (n, h, w, channels, inner, features, groups, rows, columns, *stride, *dilation, *before, out_h, out_w, *pitches)
    pitch = h * w * channels + lanes
    held = max(1, 2 * CACHE // (pitch * item))  # images in the cache
    if out_w <= SMALL and out_h <= 2 * SMALL and min(n, held) > out_w:  # a tile of images is larger than one of pixels
        tile_rows = target().rows
        count = held - held % tile_rows if held > tile_rows else held
        count = max(1, min(count, -(-n // parts)))
        scratch = _work(parts, count * pitch, src.dtype)
        loops.correlate_small(src, packed, bias, dst, scratch, count * pitch, *common, count, least, most, parts=parts)
        return
    reach_h, reach_w = (rows - 1) * dilation[0] + 1, (columns - 1) * dilation[1] + 1
    inside = (
        min(before) >= 0 and max(before) == 0
        and (out_h - 1) * stride[0] + reach_h <= h and (out_w - 1) * stride[1] + reach_w <= w and rows * columns > 0
    )  # fmt: skip
    if inside and n >= parts:
        loops.correlate(src, packed, bias, dst, None, 0, *common, 0, least, most, parts=parts)
        return
    line = ((out_w - 1) * stride[1] + reach_w) * channels
    fits = max(1, (CACHE // (line * item) - reach_h) // stride[0] + 1)
    share = -(-n * out_h // (2 * parts)) if n < 2 * parts else out_h
    band = max(1, min(out_h, fits, share))
    band = -(-out_h // -(-out_h // band))  # bands of equal size
    work_size = ((band - 1) * stride[0] + reach_h) * line
    scratch = _work(parts, work_size, src.dtype)
    loops.correlate(src, packed, bias, dst, scratch, work_size, *common, band, least, most, parts=parts)


class _Phase(NamedTuple):
    """Along one axis, the pixels ``start``, ``start + stride``, ... of dx, and the taps that meet them."""

    start: int
    pixels: int
    first: int  # tap
    step: int  # from tap to tap
    taps: int
    dilation: int  # how far dy's pixels of two taps are apart
    before: int

    @property
    def last(self) -> int:
        """The last tap."""
        return self.first + self.step * (self.taps - 1)


def phases_of(kernel: int, stride: int, dilation: int, padding: int, size: int) -> list[_Phase]:
    """The phases of one axis.

    dx[p] = Σ_k w[k] dy[i] where i · stride + k · dilation = p + padding. For the pixels p = start + stride · m, the taps that
    can are first, first + step, ...; with t of them counted from the last, i = m + t · (dilation / gcd) − before.
    """
    common = gcd(stride, dilation)
    step, spread = stride // common, dilation // common
    phases = []
    for start in range(min(stride, size)):
        count = (size - start + stride - 1) // stride
        found = [k for k in range(min(kernel, step)) if (start + padding - k * dilation) % stride == 0]
        if not found:
            phases.append(_Phase(start, count, 0, step, 0, 1, 0))
            continue
        taps = (kernel - found[0] + step - 1) // step
        base = (start + padding - found[0] * dilation) // stride
        phases.append(_Phase(start, count, found[0], step, taps, spread, spread * (taps - 1) - base))
    return phases


def _packed(w: Array, shape: tuple[int, int, int, int], groups: int, origin: int, strides: tuple[int, ...]) -> Array:
    """Weights in panels; ``shape`` is (features, channels, rows, columns) of a group, all distances are in bytes."""
    features, channels, rows, columns = shape
    here = target()
    lanes = here.lanes(w.dtype.name)
    padded = _padded(features, lanes, here.vectors * lanes)
    item = w.itemsize
    packed = np.empty(groups * rows * columns * channels * padded + here.vectors * lanes, w.dtype)
    if not rows * columns:
        return packed
    loops.pack(
        w, packed, origin // item, *(step // item for step in strides), groups, features, channels, rows, columns,
        parts=parts_for(packed.nbytes),
    )  # fmt: skip
    return packed


def _padded(features: int, lanes: int, panel: int) -> int:
    """How many columns the panels of so many features have in memory."""
    last = features - (-(-features // panel) - 1) * panel
    return features - last + (panel if last > lanes else lanes)


def _work(parts: int, size: int, dtype: np.dtype) -> Array:
    return np.empty(parts * size, dtype)


def _nhwc(x: Array) -> Array:
    return channels_last(x).transpose(0, 2, 3, 1)
