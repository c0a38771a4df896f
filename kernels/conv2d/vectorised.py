"""Convolution by the taps of the kernel: for each (k, l) one matrix product over all pixels that the tap meets.

With x̂ₖₗ the strided view of the padded images that tap (k, l) sees, (P, C) of P = N·OH·OW pixels, and wₖₗ (C, F) its weights,
for each group::

    forward      y   = Σₖₗ x̂ₖₗ · wₖₗ
    grad_input   dx̂ₖₗ += dy · wₖₗᵀ          the same view, added to
    grad_weight  dwₖₗ = x̂ₖₗᵀ · dy

Why it is faster than ``reference.py``: there each output pixel of each channel is a call of NumPy for the few numbers of one
window, and nearly all of the time goes into the calls. Here KH·KW calls do it, each over whole images and in the products of
BLAS, which takes a hundredth of the time with 32 channels, and nothing is copied but the border: the windows are views. What
it still wastes: a product has only the C terms of one tap, so all of y is read and written again for each tap, where one
product of KH·KW·C terms would keep its sums in registers (``im2col.py``); and rows of a view lie apart, so the forward pass
makes a small product for each row of each image.
Convolutions with one channel a group have no product to make: ``depthwise.py`` multiplies whole images instead.
"""

from __future__ import annotations

import numpy as np

from minigrad.core.device import Array, array_module
from minigrad.kernels.conv2d import Padding, Pair, depthwise, output_sizes
from minigrad.kernels.conv2d.taps import blocks, nhwc, padded, tap_window
from minigrad.kernels.layout import empty_channels_last


def forward(x: Array, w: Array, bias: Array | None, *, stride: Pair, padding: Padding, dilation: Pair, groups: int) -> Array:
    """See the contract."""
    if groups > 1 and w.shape[1] == 1:
        return depthwise.forward(x, w, bias, stride=stride, padding=padding, dilation=dilation, groups=groups)
    xp, n, f = array_module(x), x.shape[0], w.shape[0]
    size = output_sizes(x.shape[2:], w.shape[2:], stride, padding, dilation)
    y = empty_channels_last(xp, (n, f, *size), x.dtype)
    x, out, weights = nhwc(x), nhwc(y), _by_taps(w, groups)
    for some in blocks(xp, x):
        images, total = padded(x[some], padding), out[some]
        total[...] = 0 if bias is None else bias
        product = xp.empty(total.shape, x.dtype)
        for tap in np.ndindex(*w.shape[2:]):
            seen = _by_groups(tap_window(images, tap, size, stride, dilation), groups)
            xp.matmul(seen, weights[tap][:, None, None], out=_by_groups(product, groups))
            total += product
    return y


def grad_input(dy: Array, w: Array, input_size: Pair, *, stride: Pair, padding: Padding, dilation: Pair, groups: int) -> Array:
    """See the contract."""
    if groups > 1 and w.shape[1] == 1:
        return depthwise.grad_input(dy, w, input_size, stride=stride, padding=padding, dilation=dilation, groups=groups)
    xp, n, c, size = array_module(dy), dy.shape[0], w.shape[1] * groups, dy.shape[2:]
    (top, bottom), (left, right), (h, width) = *padding, input_size
    dx = empty_channels_last(xp, (n, c, h, width), dy.dtype)
    dy, weights = nhwc(dy), _by_taps(w, groups).swapaxes(-1, -2)  # (KH, KW, groups, F/groups, C/groups)
    for some in blocks(xp, dy):
        given = _rows(dy[some], groups)
        count = dy[some].shape[0]
        images = xp.zeros((count, top + h + bottom, left + width + right, c), dy.dtype)
        product = xp.empty((count, *size, c), dy.dtype)
        for tap in np.ndindex(*w.shape[2:]):
            xp.matmul(given, weights[tap], out=_rows(product, groups))
            window = tap_window(images, tap, size, stride, dilation)
            window += product
        nhwc(dx)[some] = images[:, top : top + h, left : left + width]
    return dx


def grad_weight(
    x: Array, dy: Array, kernel_size: Pair, *, stride: Pair, padding: Padding, dilation: Pair, groups: int
) -> Array:
    """See the contract. A tap's pixels are laid gapless first: its sum is over all of them, not row by row."""
    f, c = dy.shape[1], x.shape[1] // groups
    if groups > 1 and c == 1:
        return depthwise.grad_weight(x, dy, kernel_size, stride=stride, padding=padding, dilation=dilation, groups=groups)
    xp, size, x, dy = array_module(x), dy.shape[2:], nhwc(x), nhwc(dy)
    dw = xp.zeros((*kernel_size, groups, c, f // groups), x.dtype)
    for some in blocks(xp, x):
        images, given = padded(x[some], padding), _rows(dy[some], groups)
        for tap in np.ndindex(*kernel_size):
            seen = xp.ascontiguousarray(tap_window(images, tap, size, stride, dilation))
            dw[tap] += xp.matmul(_rows(seen, groups).swapaxes(1, 2), given)
    return xp.ascontiguousarray(dw.transpose(2, 4, 3, 0, 1)).reshape(f, c, *kernel_size)


def _by_taps(w: Array, groups: int) -> Array:
    """Weights (F, C/groups, KH, KW) as (KH, KW, groups, C/groups, F/groups)."""
    f, c, kernel_h, kernel_w = w.shape
    taps = w.reshape(groups, f // groups, c, kernel_h, kernel_w).transpose(3, 4, 0, 2, 1)
    return array_module(w).ascontiguousarray(taps)


def _by_groups(image: Array, groups: int) -> Array:
    """(N, H, W, C) pixels as (groups, N, H, W, C/groups), a view."""
    return image.reshape(*image.shape[:3], groups, image.shape[3] // groups).transpose(3, 0, 1, 2, 4)


def _rows(image: Array, groups: int) -> Array:
    """Gapless (N, H, W, C) pixels as (groups, N·H·W, C/groups), a view."""
    return image.reshape(-1, groups, image.shape[3] // groups).transpose(1, 0, 2)
