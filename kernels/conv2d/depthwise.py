"""Convolution with one channel a group, by the taps of the kernel: KH·KW multiplications of whole images.

A matrix product with one channel in it would have KH·KW terms: its rows would be made at more cost than they are worth.
``im2col.py`` and ``vectorised.py`` call this when ``groups == C > 1``; there may be several outputs a channel
(F = C · multiplier).
"""

from __future__ import annotations

import numpy as np

from minigrad.core.device import Array, array_module
from minigrad.kernels.conv2d import Padding, Pair, output_sizes
from minigrad.kernels.conv2d.taps import blocks, nhwc, padded, tap_window
from minigrad.kernels.layout import empty_channels_last


def forward(x: Array, w: Array, bias: Array | None, *, stride: Pair, padding: Padding, dilation: Pair, groups: int) -> Array:
    """See the contract."""
    xp, multiplier = array_module(x), w.shape[0] // groups
    size = output_sizes(x.shape[2:], w.shape[2:], stride, padding, dilation)
    y = empty_channels_last(xp, (x.shape[0], w.shape[0], *size), x.dtype)
    x, rows = nhwc(x), _rows(w, groups, size[1])
    out = nhwc(y).reshape(x.shape[0], *size, groups, multiplier)
    for some in blocks(xp, x):
        x_padded = padded(x[some], padding)
        for m in range(multiplier):
            total = xp.zeros((x_padded.shape[0], *size, groups), x.dtype)
            product = xp.empty_like(total)
            for tap in np.ndindex(*w.shape[2:]):
                total += xp.multiply(tap_window(x_padded, tap, size, stride, dilation), rows[m][tap], product)
            if bias is not None:
                total += bias.reshape(groups, multiplier)[:, m]
            out[some, ..., m] = total
    return y


def grad_input(dy: Array, w: Array, input_size: Pair, *, stride: Pair, padding: Padding, dilation: Pair, groups: int) -> Array:
    """See the contract."""
    xp, n, size, multiplier = array_module(dy), dy.shape[0], dy.shape[2:], w.shape[0] // groups
    (top, bottom), (left, right), (h, width) = *padding, input_size
    dx = empty_channels_last(xp, (n, groups, h, width), dy.dtype)
    rows = _rows(w, groups, size[1])
    dy = nhwc(dy).reshape(n, *size, groups, multiplier)
    for some in blocks(xp, dy):
        count = dy[some].shape[0]
        dx_padded = xp.zeros((count, top + h + bottom, left + width + right, groups), dy.dtype)
        product = xp.empty((count, *size, groups), dy.dtype)
        for m in range(multiplier):
            for tap in np.ndindex(*w.shape[2:]):
                window = tap_window(dx_padded, tap, size, stride, dilation)
                window += xp.multiply(dy[some, ..., m], rows[m][tap], product)
        nhwc(dx)[some] = dx_padded[:, top : top + h, left : left + width]
    return dx


def grad_weight(
    x: Array, dy: Array, kernel_size: Pair, *, stride: Pair, padding: Padding, dilation: Pair, groups: int
) -> Array:
    """See the contract."""
    xp, size, multiplier = array_module(x), dy.shape[2:], dy.shape[1] // groups
    x = nhwc(x)
    dy = nhwc(dy).reshape(x.shape[0], *size, groups, multiplier)
    dw = xp.zeros((groups, multiplier, *kernel_size), x.dtype)
    for some in blocks(xp, x):
        x_padded = padded(x[some], padding)
        product = xp.empty((x_padded.shape[0], *size, groups), x.dtype)
        for m in range(multiplier):
            for tap in np.ndindex(*kernel_size):
                xp.multiply(tap_window(x_padded, tap, size, stride, dilation), dy[some, ..., m], product)
                dw[:, m, tap[0], tap[1]] += product.reshape(-1, groups).sum(0)
    return dw.reshape(groups * multiplier, 1, *kernel_size)


def _rows(w: Array, groups: int, width: int) -> Array:
    """Each tap's weights repeated along a row of pixels, (multiplier, KH, KW, OW, C): NumPy then multiplies row by row."""
    taps = w[:, 0].reshape(groups, -1, 1, *w.shape[2:]).transpose(1, 3, 4, 2, 0)  # (multiplier, KH, KW, 1, C)
    return array_module(w).ascontiguousarray(taps.repeat(width, 3))
