"""The oracle: the sums of the contract, one output pixel of one output channel at a time.

Each function walks the same windows, (N, C/groups, KH, KW) for the whole batch, and does one thing with them. Line by line,
``grad_input`` and ``grad_weight`` are the derivatives of ``forward``.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from minigrad.core.device import Array
from minigrad.kernels.conv2d import Padding, Pair, output_sizes
from minigrad.kernels.layout import empty_channels_last

Window = tuple[slice, slice, slice, slice]


def forward(x: Array, w: Array, bias: Array | None, *, stride: Pair, padding: Padding, dilation: Pair, groups: int) -> Array:
    """See the contract."""
    x_padded = np.pad(x, ((0, 0), (0, 0), *padding))
    size = output_sizes(x.shape[2:], w.shape[2:], stride, padding, dilation)
    y = empty_channels_last(np, (x.shape[0], w.shape[0], *size), x.dtype)
    for f, i, j, window in _windows(w.shape, size, stride, dilation, groups):
        y[:, f, i, j] = (w[f] * x_padded[window]).sum(axis=(1, 2, 3))
        if bias is not None:
            y[:, f, i, j] += bias[f]
    return y


def grad_input(dy: Array, w: Array, input_size: Pair, *, stride: Pair, padding: Padding, dilation: Pair, groups: int) -> Array:
    """See the contract."""
    (top, bottom), (left, right) = padding
    n, c, (h, width) = dy.shape[0], w.shape[1] * groups, input_size
    dx_padded = np.zeros((n, c, top + h + bottom, left + width + right), dy.dtype)
    for f, i, j, window in _windows(w.shape, dy.shape[2:], stride, dilation, groups):
        dx_padded[window] += w[f] * dy[:, f, i, j].reshape(n, 1, 1, 1)
    dx = empty_channels_last(np, (n, c, h, width), dy.dtype)
    dx[...] = dx_padded[:, :, top : top + h, left : left + width]
    return dx


def grad_weight(
    x: Array, dy: Array, kernel_size: Pair, *, stride: Pair, padding: Padding, dilation: Pair, groups: int
) -> Array:
    """See the contract."""
    x_padded = np.pad(x, ((0, 0), (0, 0), *padding))
    n = dy.shape[0]
    dw = np.zeros((dy.shape[1], x.shape[1] // groups, *kernel_size), x.dtype)
    for f, i, j, window in _windows(dw.shape, dy.shape[2:], stride, dilation, groups):
        dw[f] += (x_padded[window] * dy[:, f, i, j].reshape(n, 1, 1, 1)).sum(axis=0)
    return dw


def _windows(
    w_shape: tuple[int, ...], size: tuple[int, ...], stride: Pair, dilation: Pair, groups: int
) -> Iterator[tuple[int, int, int, Window]]:
    """Every output channel f and pixel (i, j), with the part of the padded image that it sees."""
    channels_out, channels, kernel_h, kernel_w = w_shape
    for f in range(channels_out):
        group = f // (channels_out // groups)
        for i in range(size[0]):
            for j in range(size[1]):
                yield (
                    f,
                    i,
                    j,
                    (
                        slice(None),
                        slice(group * channels, (group + 1) * channels),
                        slice(i * stride[0], i * stride[0] + dilation[0] * (kernel_h - 1) + 1, dilation[0]),
                        slice(j * stride[1], j * stride[1] + dilation[1] * (kernel_w - 1) + 1, dilation[1]),
                    ),
                )
