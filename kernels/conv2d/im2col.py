"""Convolution as a matrix product: each window becomes a row of ``columns``, and one product does all windows and channels.

With P = N·OH·OW pixels, K = KH·KW·C/groups terms and everything channels-last, for each group::

    forward      y  (P, F)  = columns (P, K) · w (K, F)
    grad_weight  dw (K, F)  = columnsᵀ (K, P) · dy (P, F)
    grad_input   columns    = dy (P, F) · wᵀ (F, K), each row added back to the window it came from

Why it is faster than ``vectorised.py`` where channels are few: there each tap is a product of C/groups terms, and all of y is
read and written again for each of the KH·KW taps. Here copies of large blocks, KH·KW of them, make ``columns``, and all sums
are one product, in which BLAS uses each number many times while it is in a register. Over images of 3 channels that takes a
third of the processor's time; from 16 or so on a tap's product is long enough by itself, and the two are even. The price is
memory: ``columns`` is KH·KW times as large as the image, so it is made and used for a few images at a time, while it is in
the cache.
Convolutions with one channel a group multiply too little for a product: see ``depthwise.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module
from minigrad.kernels.conv2d import NO_PADDING, Padding, Pair, depthwise, output_sizes
from minigrad.kernels.conv2d.taps import nhwc, tap_window
from minigrad.kernels.layout import empty_channels_last

COLUMN_BYTES = {"cpu": 8 << 20, "cuda": 256 << 20}  # measured: beyond 8 MB page faults and the cache cost more than the calls


def forward(x: Array, w: Array, bias: Array | None, *, stride: Pair, padding: Padding, dilation: Pair, groups: int) -> Array:
    """See the contract."""
    if groups > 1 and w.shape[1] == 1:
        return depthwise.forward(x, w, bias, stride=stride, padding=padding, dilation=dilation, groups=groups)
    xp, x = array_module(x), nhwc(x)
    n, f = x.shape[0], w.shape[0]
    size = output_sizes(x.shape[1:3], w.shape[2:], stride, padding, dilation)
    matrix = _matrix(w, groups)  # (groups, K, F/groups)
    y = empty_channels_last(xp, (n, f, *size), x.dtype)
    pixels = nhwc(y).reshape(-1, groups, f // groups).transpose(1, 0, 2)  # (groups, P, F/groups), a view
    for rows, columns in _columns(x, w.shape[2:], size, stride, padding, dilation, groups):
        xp.matmul(columns, matrix, out=pixels[:, rows])
        if bias is not None:
            block = pixels[:, rows]
            block += bias.reshape(groups, 1, f // groups)
    return y


def grad_input(dy: Array, w: Array, input_size: Pair, *, stride: Pair, padding: Padding, dilation: Pair, groups: int) -> Array:
    """See the contract."""
    if groups > 1 and w.shape[1] == 1:
        return depthwise.grad_input(dy, w, input_size, stride=stride, padding=padding, dilation=dilation, groups=groups)
    (top, bottom), (left, right) = padding
    high, wide = (d * (k - 1) for d, k in zip(dilation, w.shape[2:], strict=True))  # how far a window reaches
    if stride == (1, 1) and max(top, bottom) <= high and max(left, right) <= wide:
        # Each pixel of dx sees a whole window of dy: a forward convolution with the kernel turned round, nothing to add back.
        turned = (high - top, high - bottom), (wide - left, wide - right)
        f, c, kernel_h, kernel_w = w.shape
        back = w[:, :, ::-1, ::-1].reshape(groups, f // groups, c, kernel_h, kernel_w).swapaxes(1, 2)
        back = back.reshape(groups * c, f // groups, kernel_h, kernel_w)
        return forward(dy, back, None, stride=(1, 1), padding=turned, dilation=dilation, groups=groups)
    return _scatter(dy, w, input_size, stride, padding, dilation, groups)


def grad_weight(
    x: Array, dy: Array, kernel_size: Pair, *, stride: Pair, padding: Padding, dilation: Pair, groups: int
) -> Array:
    """See the contract."""
    f, c = dy.shape[1], x.shape[1] // groups
    if groups > 1 and c == 1:
        return depthwise.grad_weight(x, dy, kernel_size, stride=stride, padding=padding, dilation=dilation, groups=groups)
    xp, x, dy = array_module(x), nhwc(x), nhwc(dy)
    pixels = dy.reshape(-1, groups, f // groups).transpose(1, 0, 2)  # (groups, P, F/groups), a view
    terms = kernel_size[0] * kernel_size[1] * c
    dw, part = xp.zeros((groups, terms, f // groups), x.dtype), xp.empty((groups, terms, f // groups), x.dtype)
    for rows, columns in _columns(x, kernel_size, dy.shape[1:3], stride, padding, dilation, groups):
        dw += xp.matmul(columns.transpose(0, 2, 1), pixels[:, rows], out=part)
    dw = dw.reshape(groups, *kernel_size, c, f // groups).transpose(0, 4, 3, 1, 2)  # (groups, F/groups, C/groups, KH, KW)
    return xp.ascontiguousarray(dw).reshape(f, c, *kernel_size)


def _scatter(dy: Array, w: Array, input_size: Pair, stride: Pair, padding: Padding, dilation: Pair, groups: int) -> Array:
    """The gradient to the input by the columns' gradient, each tap of which is added to the pixels that it read."""
    xp, dy = array_module(dy), nhwc(dy)
    n, out_h, out_w, f = dy.shape
    c, (kernel_h, kernel_w), (h, width) = w.shape[1] * groups, w.shape[2:], input_size
    (top, bottom), (left, right) = padding
    matrix = _matrix(w, groups).transpose(0, 2, 1)  # (groups, F/groups, K)
    pixels = dy.reshape(-1, groups, f // groups).transpose(1, 0, 2)
    dx = empty_channels_last(xp, (n, c, h, width), dy.dtype)
    block = _images(xp, n, out_h * out_w * matrix.shape[2] * groups * dy.itemsize)
    columns = xp.empty((groups, block * out_h * out_w, matrix.shape[2]), dy.dtype)
    padded = xp.empty((block, top + h + bottom, left + width + right, groups, c // groups), dy.dtype)
    for start in range(0, n, block):
        count = min(block, n - start)
        here = columns[:, : count * out_h * out_w]
        xp.matmul(pixels[:, start * out_h * out_w : (start + count) * out_h * out_w], matrix, out=here)
        taps = here.reshape(groups, count, out_h, out_w, kernel_h, kernel_w, c // groups).transpose(4, 5, 1, 2, 3, 0, 6)
        padded[...] = 0
        for k in range(kernel_h):
            for m in range(kernel_w):
                tap_window(padded[:count], (k, m), (out_h, out_w), stride, dilation)[...] += taps[k, m]
        inner = padded[:count, top : top + h, left : left + width].reshape(count, h, width, c)
        nhwc(dx)[start : start + count] = inner
    return dx


def _columns(
    x: Array, kernel_size: tuple[int, ...], size: Pair, stride: Pair, padding: Padding, dilation: Pair, groups: int
) -> Iterator[tuple[slice, Array]]:
    """Blocks of windows: which of the P pixels, and their (groups, pixels, KH·KW·C/groups). The memory is used again."""
    xp, (n, h, w, c), (out_h, out_w) = array_module(x), x.shape, size
    if groups == 1 and kernel_size == stride == (1, 1) and padding == NO_PADDING:
        yield slice(None), x.reshape(1, n * h * w, c)
        return
    (top, bottom), (left, right) = padding
    terms = kernel_size[0] * kernel_size[1] * c // groups
    block = _images(xp, n, out_h * out_w * terms * groups * x.itemsize)
    columns = xp.empty((groups, block * out_h * out_w, terms), x.dtype)
    padded = None if padding == NO_PADDING else xp.zeros((block, top + h + bottom, left + w + right, c), x.dtype)
    for start in range(0, n, block):
        images = x[start : start + block]
        count = images.shape[0]
        if padded is not None:
            padded[:count, top : top + h, left : left + w] = images
            images = padded[:count]
        on, oh, ow, oc = images.strides
        windows = xp.lib.stride_tricks.as_strided(
            images,
            (groups, count, out_h, out_w, *kernel_size, c // groups),
            (oc * (c // groups), on, oh * stride[0], ow * stride[1], oh * dilation[0], ow * dilation[1], oc),
        )
        here = columns[:, : count * out_h * out_w]
        xp.copyto(here.reshape(windows.shape), windows)
        yield slice(start * out_h * out_w, (start + count) * out_h * out_w), here


def _images(xp: Any, n: int, bytes_each: int) -> int:
    """How many images to take at a time."""
    return max(1, min(n, COLUMN_BYTES["cpu" if xp is np else "cuda"] // bytes_each))


def _matrix(w: Array, groups: int) -> Array:
    """Weights (F, C/groups, KH, KW) as (groups, KH·KW·C/groups, F/groups)."""
    f, c, kernel_h, kernel_w = w.shape
    matrix = w.reshape(groups, f // groups, c, kernel_h, kernel_w).transpose(0, 3, 4, 2, 1)
    return array_module(w).ascontiguousarray(matrix).reshape(groups, kernel_h * kernel_w * c, f // groups)
