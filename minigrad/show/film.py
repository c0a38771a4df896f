"""A film of images: one PNG file that moves, which browsers and most viewers play."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from minigrad.errors import ShapeError
from minigrad.show.tiles import image_grid


def film_png(frames: Sequence[np.ndarray], *, seconds: float = 0.25, rest: float = 2.0, scale: int = 1) -> bytes:
    """Frames one after the other, again and again, as an animated PNG file; each is a grid of images.

    Args:
        frames: uint8 (N, C, H, W) each, all of one shape.
        seconds: that a frame is shown, and
        rest: the last one.
        scale: each pixel becomes a square of so many.

    Raises:
        ShapeError: there are no frames, or they differ in shape.

    Example:
        >>> film_png([np.zeros((4, 1, 8, 8), np.uint8), np.ones((4, 1, 8, 8), np.uint8)])[1:4]
        b'PNG'
    """
    from PIL import Image

    shapes = {frame.shape for frame in frames}
    if len(shapes) != 1:
        raise ShapeError("film_png", "frames", "at least one, all of one shape", ", ".join(map(str, shapes)) or "none")
    pictures = [Image.open(io.BytesIO(image_grid(frame, scale=scale))) for frame in frames]
    times = [round(1000 * seconds)] * (len(pictures) - 1) + [round(1000 * rest)]
    out = io.BytesIO()
    pictures[0].save(out, format="PNG", save_all=True, append_images=pictures[1:], duration=times, loop=0, blend=0)
    return out.getvalue()


__all__ = ["film_png"]
