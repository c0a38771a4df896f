"""A film of images: one PNG file that moves, which browsers and most viewers play, or one GIF file, which all do."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.errors import ShapeError
from minigrad.show.tiles import image_grid


def film_png(
    frames: Sequence[np.ndarray], *, seconds: float = 0.25, rest: float = 2.0, columns: int | None = None, scale: int = 1
) -> bytes:
    """Frames one after the other, again and again, as an animated PNG file; each is a grid of images.

    Args:
        frames: uint8 (N, C, H, W) each, all of one shape.
        seconds: that a frame is shown, and
        rest: the last one.
        columns: images in a row, as of ``image_grid``.
        scale: each pixel becomes a square of so many.

    Raises:
        ShapeError: there are no frames, or they differ in shape.

    Example:
        >>> film_png([np.zeros((4, 1, 8, 8), np.uint8), np.ones((4, 1, 8, 8), np.uint8)])[1:4]
        b'PNG'
    """
    return _film("film_png", frames, columns, scale, format="PNG", duration=_times(frames, seconds, rest), blend=0)


def film_gif(
    frames: Sequence[np.ndarray], *, seconds: float = 0.25, rest: float = 2.0, columns: int | None = None, scale: int = 1
) -> bytes:
    """The same as a GIF file: 256 colours a frame, times in hundredths of a second, white between the images.

    Args, errors: as of ``film_png``.

    Example:
        >>> film_gif([np.zeros((4, 1, 8, 8), np.uint8), np.ones((4, 1, 8, 8), np.uint8)])[:3]
        b'GIF'
    """
    return _film("film_gif", frames, columns, scale, format="GIF", duration=_times(frames, seconds, rest))


def _times(frames: Sequence[np.ndarray], seconds: float, rest: float) -> list[int]:
    return [round(1000 * seconds)] * (len(frames) - 1) + [round(1000 * rest)]


def _film(where: str, frames: Sequence[np.ndarray], columns: int | None, scale: int, **options: Any) -> bytes:
    from PIL import Image

    shapes = {frame.shape for frame in frames}
    if len(shapes) != 1:
        raise ShapeError(where, "frames", "at least one, all of one shape", ", ".join(map(str, shapes)) or "none")
    pictures = [Image.open(io.BytesIO(image_grid(frame, columns=columns, scale=scale))) for frame in frames]
    if options["format"] == "GIF":
        pictures = [_on_white(picture) for picture in pictures]
    out = io.BytesIO()
    pictures[0].save(out, save_all=True, append_images=pictures[1:], loop=0, **options)
    return out.getvalue()


def _on_white(picture: Any) -> Any:
    """A picture without gaps that are clear, of at most 256 colours."""
    from PIL import Image

    if picture.mode in ("LA", "RGBA"):
        ground = Image.new(picture.mode[:-1], picture.size, "white")
        ground.paste(picture.convert(ground.mode), mask=picture.getchannel("A"))
        picture = ground
    return picture if picture.mode == "L" else picture.quantize(256)


__all__ = ["film_gif", "film_png"]
