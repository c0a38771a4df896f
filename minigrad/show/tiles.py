"""Images of a data set or of a model as PNG files, one or many side by side."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np

from minigrad.errors import DTypeError, ShapeError
from minigrad.ops.dims import count_of


def image_png(image: Any, scale: int = 1) -> bytes:
    """An image as a PNG file, each of its pixels a square of ``scale`` x ``scale``.

    Args:
        image: uint8 (C, H, W), with 1 (grey), 3 (RGB) or 4 (RGB and opacity) channels.
        scale: from 1 on.

    Raises:
        DTypeError: not uint8.
        ShapeError: another shape, or an empty one.
        ArgumentError: a scale below 1.

    Example:
        >>> image_png(np.zeros((1, 28, 28), np.uint8))[1:4]
        b'PNG'
    """
    return image_grid(checked_images("image_png", image, 3)[None], columns=1, scale=scale, gap=0)


def image_grid(images: Any, *, columns: int | None = None, scale: int = 1, gap: int = 2) -> bytes:
    """Images side by side in rows, as one PNG file; the gaps between them are clear.

    Args:
        images: uint8 (N, C, H, W), with 1, 3 or 4 channels.
        columns: images in a row; by default about as many as make the whole square.
        scale: each pixel becomes a square of so many.
        gap: between images, in pixels of the file.

    Raises:
        DTypeError: not uint8.
        ShapeError: another shape, or an empty one.
        ArgumentError: columns or scale below 1, a gap below 0.

    Example:
        >>> image_grid(np.zeros((64, 3, 16, 16), np.uint8))[1:4]
        b'PNG'
    """
    from PIL import Image

    batch = checked_images("image_grid", images, 4)
    count, channels, height, width = batch.shape
    across = math.ceil(math.sqrt(count * height / width)) if columns is None else columns
    across, scale, gap = (
        count_of("image_grid", argument, number, least)
        for argument, number, least in (("columns", across, 1), ("scale", scale, 1), ("gap", gap, 0))
    )
    across = min(across, count)
    down = math.ceil(count / across)
    step_y, step_x = height * scale + gap, width * scale + gap
    solid = channels != 4
    full = np.concatenate([batch, np.full((count, 1, height, width), 255, np.uint8)], 1) if solid else batch
    full = full.repeat(scale, axis=2).repeat(scale, axis=3).transpose(0, 2, 3, 1)
    sheet = np.zeros((down * step_y - gap, across * step_x - gap, full.shape[-1]), np.uint8)
    for number, tile in enumerate(full):
        y, x = number // across * step_y, number % across * step_x
        sheet[y : y + height * scale, x : x + width * scale] = tile
    if solid and (sheet[..., -1] == 255).all():
        sheet = sheet[..., :-1]
    out = io.BytesIO()
    Image.fromarray(sheet[..., 0] if sheet.shape[-1] == 1 else sheet).save(out, format="PNG")
    return out.getvalue()


def checked_images(where: str, images: Any, dims: int) -> np.ndarray:
    """Images as an array, once they are seen to be bytes of such a shape."""
    array = np.asarray(images)
    if array.dtype != np.uint8:
        remedy = "Scale to 0..255, round, and cast"
        raise DTypeError(where, "images", "bytes, numpy.uint8", str(array.dtype), remedy)
    if array.ndim != dims or array.shape[-3] not in (1, 3, 4) or not array.size:
        shape = "(C, H, W)" if dims == 3 else "(N, C, H, W)"
        raise ShapeError(where, "images", f"{shape} with 1, 3 or 4 channels, not empty", f"shape {array.shape}")
    return array
