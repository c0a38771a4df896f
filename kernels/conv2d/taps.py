"""What convolutions by taps share: the pixels that one tap of the kernel meets, images with their border, parts of a batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core.device import Array, array_module
from minigrad.kernels.conv2d import Padding, Pair
from minigrad.kernels.layout import channels_last

IMAGE_BYTES = {"cpu": 1 << 20, "cuda": 256 << 20}  # of the images that are taken at a time


def tap_window(image: Array, tap: Pair, size: Pair, stride: Pair, dilation: Pair) -> Array:
    """The pixels of a padded (N, H, W, ...) image that one tap of the kernel meets: (N, OH, OW, ...), a view."""
    top, left = tap[0] * dilation[0], tap[1] * dilation[1]
    return image[
        :,
        top : top + stride[0] * (size[0] - 1) + 1 : stride[0],
        left : left + stride[1] * (size[1] - 1) + 1 : stride[1],
    ]


def padded(x: Array, padding: Padding) -> Array:
    """(N, H, W, C) images with their border of zeros; themselves where it has no width."""
    return array_module(x).pad(x, ((0, 0), *padding, (0, 0))) if any(map(any, padding)) else x


def blocks(xp: Any, x: Array) -> list[slice]:
    """The batch in parts that stay in the cache over all taps."""
    block = max(1, IMAGE_BYTES["cpu" if xp is np else "cuda"] // max(1, x[:1].nbytes))
    return [slice(start, start + block) for start in range(0, x.shape[0], block)]


def nhwc(x: Array) -> Array:
    """Images (N, C, H, W) as (N, H, W, C) without gaps: a view where they lie channels-last."""
    return channels_last(x).transpose(0, 2, 3, 1)
