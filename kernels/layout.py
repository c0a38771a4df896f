"""Images are N C H W in meaning and channels-last (N H W C) in memory: the helpers that keep them so, and the count of copies.

One micro-kernel then serves the forward pass and both gradients of a convolution. It is a rule of this engine, not of NumPy or
CuPy, whose new arrays are mostly C-ordered: outputs are allocated here and filled through ``out=``.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module

LARGE = 1 << 17  # bytes from which the compiled copy is worth its launch


class _Counter(threading.local):
    conversions = 0


_counter = _Counter()


def conversions() -> int:
    """How many images this thread has laid channels-last for a kernel since :func:`reset_conversions`."""
    return _counter.conversions


def reset_conversions() -> None:
    """Set this thread's count of conversions to 0."""
    _counter.conversions = 0


def is_channels_last(x: Array) -> bool:
    """Whether an (N, C, H, W) array lies gapless in memory as N H W C.

    With one channel, or with one pixel, both layouts are the same memory, and the answer is yes for either.

    Example:
        >>> import numpy as np
        >>> is_channels_last(np.zeros((2, 3, 4, 4))), is_channels_last(np.zeros((2, 1, 4, 4)))
        (False, True)
    """
    return x.transpose(0, 2, 3, 1).flags.c_contiguous


def channels_last(x: Array) -> Array:
    """The same (N, C, H, W) image in channels-last memory: ``x`` itself if it lies so, else a copy, which is counted.

    Example:
        >>> import numpy as np
        >>> x = channels_last(np.zeros((2, 3, 4, 4), np.float32))
        >>> x.shape, x.strides
        ((2, 3, 4, 4), (192, 4, 48, 12))
        >>> channels_last(x) is x
        True
    """
    nhwc = x.transpose(0, 2, 3, 1)
    if nhwc.flags.c_contiguous:
        return x
    _counter.conversions += 1
    if _is_for_kernels(x) and x.flags.c_contiguous:
        from minigrad.kernels import rearranging

        return rearranging.channels_last(x)
    return array_module(x).ascontiguousarray(nhwc).transpose(0, 3, 1, 2)


def in_c_order(x: Array) -> Array:
    """The same image in C order: ``x`` itself if it lies so, else a copy.

    Example:
        >>> import numpy as np
        >>> in_c_order(empty_channels_last(np, (2, 3, 4, 4), np.float32)).strides
        (192, 64, 16, 4)
    """
    if x.flags.c_contiguous:
        return x
    if _is_for_kernels(x) and is_channels_last(x):
        from minigrad.kernels import rearranging

        return rearranging.channels_first(x)
    return array_module(x).ascontiguousarray(x)


def copy_like(x: Array, like: Array) -> Array:
    """A copy of ``x`` in the memory order of ``like``, an array of the same shape and dtype.

    Example:
        >>> import numpy as np
        >>> x = empty_channels_last(np, (2, 3, 4, 4), np.float32)
        >>> x.fill(1)
        >>> copy_like(x, np.zeros(x.shape, x.dtype)).strides
        (192, 64, 16, 4)
    """
    if x.ndim == 4 and _is_for_kernels(x) and x.flags.c_contiguous != like.flags.c_contiguous:
        if like.flags.c_contiguous:
            return in_c_order(x)
        if is_channels_last(like):
            from minigrad.kernels import rearranging

            return rearranging.channels_last(x)
    copy = array_module(like).empty_like(like)
    copy[...] = x
    return copy


def _is_for_kernels(x: Array) -> bool:
    return type(x) is np.ndarray and x.nbytes >= LARGE and x.dtype.char in "fd" and x.dtype.isnative


def empty_channels_last(xp: Any, shape: tuple[int, ...], dtype: Any) -> Array:
    """An unfilled array of shape (N, C, H, W) in channels-last memory, made by the array module ``xp``.

    Example:
        >>> import numpy as np
        >>> empty_channels_last(np, (2, 3, 4, 4), np.float32).strides
        (192, 4, 48, 12)
    """
    n, c, h, w = shape
    return xp.empty((n, h, w, c), dtype).transpose(0, 3, 1, 2)


def empty_like_layout(x: Array, shape: tuple[int, ...] | None = None, dtype: Any = None) -> Array:
    """An unfilled array whose axes lie in memory in the order of ``x``'s, of the same rank; what an op gives to ``out=``.

    Args:
        x: the op's first image operand.
        shape: the output's shape; by default that of ``x``.
        dtype: the output's dtype; by default that of ``x``.

    Example:
        >>> import numpy as np
        >>> x = empty_channels_last(np, (2, 3, 4, 4), np.float32)
        >>> is_channels_last(empty_like_layout(x, (2, 8, 2, 2)))
        True
    """
    xp, dtype = array_module(x), x.dtype if dtype is None else dtype
    shape = x.shape if shape is None else shape
    if len(shape) != x.ndim:
        return xp.empty(shape, dtype)
    if x.ndim == 4 and is_channels_last(x):  # before the strides: those of axes of size 1 say nothing
        return empty_channels_last(xp, shape, dtype)
    return xp.empty_like(x, dtype=dtype, shape=shape)
