"""Winograd's convolution F(2 x 2, 3 x 3): 3 x 3 windows of stride 1 with 16 products in place of 36. All else as in ``cpu.py``.

Four outputs in a square see 4 x 4 pixels d. With the kernel g they are (Lavin and Gray, arXiv:1509.09308, equation 8)::

    Y  = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A          16 products for 4 outputs of 9 terms
    dg = Gᵀ [Σ (Bᵀ d B) ⊙ (A dY Aᵀ)] G       the gradient to the weight, by the same transforms
         dd is Y's formula for dY and the turned kernel

Over channels, each of the 16 places is a product of matrices, (tiles, C) by (C, F), for the micro-kernel. The transforms
add and subtract (only G multiplies, by ½), a register of channels at a time, and are held in the cache for a few tiles at a
time.

What it costs is that a rounding error no longer stays with its window. A tile's four outputs are made from all of its 16
pixels, so that one that is 10⁹ times as large as its neighbours, or infinite or NaN, also shows in an output of its tile whose
window just misses it. ``tolerance`` says how far. ``kernels.use(conv2d="cpu")`` or ``MINIGRAD_KERNELS=conv2d=cpu`` does
without.

The error: Bᵀ and A have rows of absolute sum 2 and 3 at most, so that a rounding error of relative size eps in a place reaches
an output 9 times at most, with |G g Gᵀ| ⊙ |Bᵀ d B| no larger than 2.25 · 4 max|g| max|d|. In the mean over random data it is 2
times the direct sum's (tests/kernels/test_conv2d_compiled.py measures it), well within the contract's tolerance. With fewer
products still, and 3 times the direct sum's error: ``winograd4.py``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core.device import Array
from minigrad.kernels import conv2d
from minigrad.kernels.conv2d import Padding, Pair, cpu, output_sizes, winograd_loops
from minigrad.kernels.layout import channels_last, empty_channels_last
from minigrad.kernels.native import parts_for
from minigrad.kernels.native.target import target
from minigrad.kernels.recurrence import Memo, kept

CACHE = 3 << 18  # bytes of transforms that a thread holds at a time,
CACHE_OF_WEIGHT = 3 << 19  # and in the gradient to the weight, which reads and writes all its sums for each lot
FEWEST = 32  # channels in and out from which the saved products outweigh the transforms
OWN_CHANNELS = 192  # from so many channels on, threads share the channels of dw, not the tiles
KEEPS = True


def pays(
    channels: int, features: int, kernel_size: tuple[int, ...], out: Pair, stride: Pair, dilation: Pair, groups: int
) -> bool:
    """Whether the convolution is one of 3 x 3 and stride 1, and large enough."""
    return (
        kernel_size == (3, 3) and stride == dilation == (1, 1) and groups == 1 and min(channels, features) >= FEWEST
        and min(out) >= 2
    )  # fmt: skip


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
    f, c = w.shape[:2]
    size = output_sizes(x.shape[2:], w.shape[2:], stride, padding, dilation)
    if not pays(c, f, w.shape[2:], size, stride, dilation, groups):
        return cpu.bounded(x, w, bias, least, most, stride=stride, padding=padding, dilation=dilation, groups=groups, memo=memo)
    steps = tuple(step // w.itemsize for step in w.strides)
    packed = kept(memo, "winograd", lambda: _transformed(w, f, c, 0, steps))
    y = _correlate(x, packed, bias, f, (padding[0][0], padding[1][0]), size, least)
    return y if most == np.inf else np.minimum(y, most, out=y)


def grad_input(dy: Array, w: Array, input_size: Pair, *, stride: Pair, padding: Padding, dilation: Pair, groups: int) -> Array:
    """See the contract."""
    f, c = w.shape[:2]
    if not pays(c, f, w.shape[2:], input_size, stride, dilation, groups):
        return cpu.grad_input(dy, w, input_size, stride=stride, padding=padding, dilation=dilation, groups=groups)
    at_f, at_c, at_r, at_s = (step // w.itemsize for step in w.strides)
    turned = _transformed(w, c, f, 2 * at_r + 2 * at_s, (at_c, at_f, -at_r, -at_s))
    return _correlate(dy, turned, None, c, (2 - padding[0][0], 2 - padding[1][0]), input_size)


def grad_weight(
    x: Array, dy: Array, kernel_size: Pair, *, stride: Pair, padding: Padding, dilation: Pair, groups: int
) -> Array:
    """See the contract."""
    n, f, out_h, out_w = dy.shape
    c, h, w = x.shape[1:]
    if not pays(c, f, kernel_size, (out_h, out_w), stride, dilation, groups):
        return cpu.grad_weight(x, dy, kernel_size, stride=stride, padding=padding, dilation=dilation, groups=groups)
    lanes = target().lanes(x.dtype.name)
    padded_f = _whole(f, lanes)
    tiles = n * ((out_h + 1) // 2) * ((out_w + 1) // 2)
    parts = parts_for(n * out_h * out_w * c * f)
    by_channel = c >= OWN_CHANNELS and c % (parts * lanes) == 0
    held = c // parts if by_channel else _whole(c, lanes)
    chunk = _chunk(held + padded_f, x.itemsize, tiles if by_channel else -(-tiles // parts), CACHE_OF_WEIGHT)
    work_size = 16 * (chunk * (held + padded_f) + max(held, padded_f))
    sums = np.empty((1 if by_channel else parts, 16 * c * padded_f), x.dtype)
    winograd_loops.weigh(
        _nhwc(x), _nhwc(dy), sums, np.empty(parts * work_size, x.dtype), work_size, n, h, w, c, f, padded_f, padding[0][0],
        padding[1][0], out_h, out_w, chunk, int(by_channel), parts=parts,
    )  # fmt: skip
    dw = np.empty((f, c, 3, 3), x.dtype)
    parts = parts_for(sums.nbytes)
    winograd_loops.gather(sums, dw, np.empty(parts * 25 * padded_f, x.dtype), sums.shape[0], c, f, padded_f, parts=parts)
    return dw


def arithmetic(function: str, **arguments: Any) -> float:
    """The share of the direct sum's multiplications that a function does: 16 of 36, or all. ``minigrad bench`` asks."""
    stride, padding, dilation, groups = (arguments[name] for name in ("stride", "padding", "dilation", "groups"))
    if function == "grad_weight":
        features, channels = arguments["dy"].shape[1], arguments["x"].shape[1]
        kernel_size, out = arguments["kernel_size"], arguments["dy"].shape[2:]
    else:
        features, channels, *kernel_size = arguments["w"].shape
        out = arguments.get("input_size") or output_sizes(arguments["x"].shape[2:], kernel_size, stride, padding, dilation)
    return 16 / 36 if pays(channels, features, tuple(kernel_size), out, stride, dilation, groups) else 1.0


def tolerance(function: str, *args: Any, **geometry: Any) -> tuple[Array]:
    """The contract's bound, over a whole tile: of the largest tap in place of each, and of the neighbouring outputs."""
    a, b, third = args
    if function == "forward":
        size = output_sizes(a.shape[2:], b.shape[2:], geometry["stride"], geometry["padding"], geometry["dilation"])
        features, channels, kernel = b.shape[0], b.shape[1], b.shape[2:]
    elif function == "grad_input":
        size, features, channels, kernel = third, b.shape[1], b.shape[0], b.shape[2:]
    else:
        size, features, channels, kernel = b.shape[2:], b.shape[1], a.shape[1], third
    if not pays(channels, features, kernel, size, geometry["stride"], geometry["dilation"], geometry["groups"]):
        return conv2d.tolerance(function, *args, **geometry)
    if function == "grad_weight":  # any of a tile's 4 x 4 pixels with any of its 2 x 2 of dy: taps from -1 to 3
        wider = {**geometry, "padding": tuple((p + 1, q + 1) for p, q in geometry["padding"])}
        (bound,) = conv2d.tolerance(function, a, b, (5, 5), **wider)
        return (np.broadcast_to(bound.max((2, 3), keepdims=True), (*bound.shape[:2], 3, 3)),)
    largest = np.broadcast_to(abs(b).max((2, 3), keepdims=True), b.shape)
    (bound,) = conv2d.tolerance(function, a, largest, third, **geometry)
    padded = np.pad(bound, ((0, 0), (0, 0), (1, 1), (1, 1)))
    return (np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3)).max((4, 5)),)


def _correlate(
    x: Array, packed: Array, bias: Array | None, features: int, before: Pair, size: Pair, least: float = -np.inf
) -> Array:
    n, c, h, w = x.shape
    lanes = target().lanes(x.dtype.name)
    padded_c, padded_f = _whole(c, lanes), _whole(features, lanes)
    y = empty_channels_last(np, (n, features, *size), x.dtype)
    bias = np.zeros(features, x.dtype) if bias is None else np.ascontiguousarray(bias)
    parts = parts_for(n * size[0] * size[1] * c * features)
    tiles = n * ((size[0] + 1) // 2) * ((size[1] + 1) // 2)
    chunk = _chunk(padded_c + padded_f, x.itemsize, -(-tiles // parts), CACHE)
    work_size = 16 * (chunk * (padded_c + padded_f) + max(padded_c, padded_f)) + 4 * lanes
    winograd_loops.correlate(
        _nhwc(x), packed, bias, _nhwc(y), np.empty(parts * work_size, x.dtype), work_size, n, h, w, c, padded_c, features,
        padded_f,
        *before, *size, chunk, least, parts=parts,
    )  # fmt: skip
    return y


def _transformed(w: Array, features: int, channels: int, origin: int, strides: tuple[int, ...]) -> Array:
    """G g Gᵀ in panels; distances are in elements."""
    here = target()
    lanes = here.lanes(w.dtype.name)
    panel = here.vectors * lanes
    padded_c, padded_f = _whole(channels, lanes), _whole(features, lanes)
    packed = np.empty(16 * padded_c * padded_f, w.dtype)
    parts = parts_for(packed.nbytes)
    winograd_loops.transform_weight(
        w, packed, np.empty(parts * 9 * panel, w.dtype), origin, *strides, features, channels, padded_c, padded_f, parts=parts
    )
    return packed


def _chunk(width: int, item: int, tiles: int, cache: int) -> int:
    """How many tiles to hold at a time: as many as the cache takes, in whole rows of the micro-kernel's."""
    rows = target().rows
    count = cache // (16 * width * item) // rows * rows
    return max(1, min(max(count, rows), tiles))


def _whole(count: int, lanes: int) -> int:
    return -(-count // lanes) * lanes


def _nhwc(x: Array) -> Array:
    return channels_last(x).transpose(0, 2, 3, 1)
