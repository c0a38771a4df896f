"""Convolution with one channel a group, compiled: each output pixel is finished before the next begins.

``depthwise.py`` goes over whole images once for each tap. Here the taps are the inner loops, over channels whose sums stay in
registers, or in the first-level cache, and pixels outside the image are left out instead of padded. ``cpu.py`` calls this when
``groups == C > 1``.
"""

from __future__ import annotations

import numpy as np

from minigrad.core.device import Array
from minigrad.kernels.conv2d import Padding, Pair, depthwise_loops, output_sizes
from minigrad.kernels.layout import channels_last, empty_channels_last
from minigrad.kernels.native import parts_for
from minigrad.kernels.recurrence import Memo, kept


def forward(
    x: Array, w: Array, bias: Array | None, least: float = -np.inf, most: float = np.inf, *, stride: Pair, padding: Padding,
    dilation: Pair, groups: int, memo: Memo | None = None,
) -> Array:  # fmt: skip
    """See the contract; and no value below ``least`` or above ``most``."""
    n, c, h, width = x.shape
    size = output_sizes((h, width), w.shape[2:], stride, padding, dilation)
    y = empty_channels_last(np, (n, w.shape[0], *size), x.dtype)
    bias = np.zeros(w.shape[0], x.dtype) if bias is None else np.ascontiguousarray(bias)
    taps = kept(memo, "depthwise", lambda: _taps(w))
    geometry = (*w.shape[2:], *stride, *dilation, padding[0][0], padding[1][0], *size, least, most)
    arrays, parts = (_nhwc(x), taps, bias, _nhwc(y)), parts_for(x.nbytes + y.nbytes)
    if w.shape[0] == c:
        depthwise_loops.forward(*arrays, n, h, width, c, *geometry, parts=parts)
    else:
        depthwise_loops.forward_several(*arrays, n, h, width, c, w.shape[0] // c, *geometry, parts=parts)
    return y


def grad_input(dy: Array, w: Array, input_size: Pair, *, stride: Pair, padding: Padding, dilation: Pair, groups: int) -> Array:
    """See the contract."""
    n = dy.shape[0]
    dx = empty_channels_last(np, (n, groups, *input_size), dy.dtype)
    depthwise_loops.grad_input(
        _nhwc(dy), _taps(w), _nhwc(dx), n, *input_size, groups, w.shape[0] // groups, *w.shape[2:], *stride, *dilation,
        padding[0][0], padding[1][0], *dy.shape[2:], parts=parts_for(dx.nbytes + dy.nbytes),
    )  # fmt: skip
    return dx


def grad_weight(
    x: Array, dy: Array, kernel_size: Pair, *, stride: Pair, padding: Padding, dilation: Pair, groups: int
) -> Array:
    """See the contract."""
    (n, c, h, width), f = x.shape, dy.shape[1]
    parts = parts_for(x.nbytes + dy.nbytes)
    size = kernel_size[0] * kernel_size[1] * f
    sums = np.empty((parts, size + depthwise_loops.APART), x.dtype)
    depthwise_loops.grad_weight(
        _nhwc(x), _nhwc(dy), sums, np.empty_like(sums), n, h, width, c, f // c, *kernel_size, *stride, *dilation, padding[0][0],
        padding[1][0], *dy.shape[2:], parts=parts,
    )  # fmt: skip
    taps = sums[:, :size].sum(0).reshape(*kernel_size, f)
    return np.ascontiguousarray(taps.transpose(2, 0, 1)).reshape(f, 1, *kernel_size)


def _taps(w: Array) -> Array:
    """Weights (F, 1, KH, KW) as (KH, KW, F)."""
    return np.ascontiguousarray(w[:, 0].transpose(1, 2, 0))


def _nhwc(x: Array) -> Array:
    return channels_last(x).transpose(0, 2, 3, 1)
