"""Boxes, masks, labels and points drawn on an image, crisp at any size, as a PNG file."""

from __future__ import annotations

import colorsys
import io
import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.ops.dims import count_of
from minigrad.show.tiles import checked_images

if TYPE_CHECKING:
    from PIL import Image, ImageDraw, ImageFont

LEAST = 640  # pixels of the longer side: smaller images are magnified by whole numbers
MOST_SCALE = 16
OPACITY = 0.45  # of masks
_GOLDEN = 0.6180339887498949  # neighbouring classes get hues far apart
_LETTERS = "DejaVuSans.ttf"  # comes with matplotlib, and has Latin, Greek, Cyrillic and many signs


def colour_of(label: int) -> tuple[int, int, int]:
    """The colour of a class, (R, G, B): the same for the same number, and far from those of the numbers beside it.

    Example:
        >>> colour_of(0) == colour_of(0), colour_of(0) == colour_of(1)
        (True, False)
    """
    hue = (0.02 + _GOLDEN * label) % 1
    light = (0.52, 0.62, 0.44)[(label // 8) % 3]
    red, green, blue = colorsys.hls_to_rgb(hue, light, 0.95)
    return round(255 * red), round(255 * green), round(255 * blue)


def draw_boxes(
    image: Any,
    boxes: Any = (),
    labels: Sequence[int] | np.ndarray | None = None,
    *,
    classes: Sequence[str] | None = None,
    scores: Sequence[float] | np.ndarray | None = None,
    masks: Any = None,
    points: Any = None,
    ignored: Any = None,
    scale: int | None = None,
) -> bytes:
    """An image with what is on it, as a PNG file.

    Lines and letters keep their thickness whatever the image's size: small images are magnified first, each pixel to a square.

    Args:
        image: uint8 (C, H, W), with 1 (grey) or 3 (RGB) channels.
        boxes: (n, 4) of x1, y1, x2, y2 in pixels of the image; what of a box lies outside is not drawn.
        labels: n numbers of classes, which choose the colours.
        classes: the names of the classes, written beside the boxes.
        scores: n numbers, written beside the names as per cent where they are from 0 to 1.
        masks: bool (n, H, W), laid over the objects in their colours.
        points: (n, k, 2) of x, y, such as the eyes, nose and mouth of a face.
        ignored: (m, 4), drawn in broken grey lines.
        scale: each pixel becomes a square of so many; by default as many as make the longer side 640 pixels or more, and 1 of
            larger images.

    Raises:
        DTypeError, ShapeError: something of another type or shape, or numbers that differ.
        ArgumentError: corners that are not finite, a scale out of range.

    Example:
        >>> draw_boxes(np.zeros((3, 40, 60), np.uint8), [[5, 5, 30, 30]], [0], classes=["wren"], scores=[0.9])[1:4]
        b'PNG'
    """
    out = io.BytesIO()
    drawn_boxes(
        image, boxes, labels, classes=classes, scores=scores, masks=masks, points=points, ignored=ignored, scale=scale
    ).save(out, format="PNG")
    return out.getvalue()


def drawn_boxes(
    image: Any,
    boxes: Any = (),
    labels: Sequence[int] | np.ndarray | None = None,
    *,
    classes: Sequence[str] | None = None,
    scores: Sequence[float] | np.ndarray | None = None,
    masks: Any = None,
    points: Any = None,
    ignored: Any = None,
    scale: int | None = None,
) -> Image.Image:
    """What ``draw_boxes`` draws, as an image of Pillow's, mode RGB. Arguments and errors are the same.

    Example:
        >>> drawn_boxes(np.zeros((1, 40, 60), np.uint8), scale=2).size
        (120, 80)
    """
    from PIL import Image, ImageDraw

    where = "draw_boxes"
    pixels = checked_images(where, image, 3)
    if len(pixels) == 4:
        raise ShapeError(where, "image", "1 or 3 channels", "4", "Lay it on white first")
    height, width = pixels.shape[1:]
    corners = _numbers(where, "boxes", boxes, (4,))
    count = len(corners)
    numbers = _of_each(where, "labels", labels, count, np.zeros(count, np.int64)).astype(np.int64)
    chances = None if scores is None else _of_each(where, "scores", scores, count, corners)
    shapes = None if masks is None else np.asarray(masks)
    if shapes is not None and (shapes.shape != (count, height, width) or shapes.dtype != bool):
        raise ShapeError(where, "masks", f"bool ({count}, {height}, {width})", f"{shapes.dtype} of shape {shapes.shape}")
    marks = None if points is None else _numbers(where, "points", points, (None, 2))
    if marks is not None and len(marks) != count:
        raise ShapeError(where, "points", f"those of each of {count} boxes", f"{len(marks)}")
    by = min(MOST_SCALE, max(1, math.ceil(LEAST / max(height, width)))) if scale is None else count_of(where, "scale", scale, 1)
    rgb = pixels if len(pixels) == 3 else pixels.repeat(3, axis=0)
    canvas = rgb.transpose(1, 2, 0).copy()
    if shapes is not None:
        for mask, number in zip(shapes, numbers.tolist(), strict=True):
            colour = np.array(colour_of(number), np.float32)
            canvas[mask] = np.rint((1 - OPACITY) * canvas[mask] + OPACITY * colour).astype(np.uint8)
    picture = Image.fromarray(canvas.repeat(by, axis=0).repeat(by, axis=1))
    draw = ImageDraw.Draw(picture)
    line = max(2, round(max(picture.size) / 400))
    for box in _numbers(where, "ignored", () if ignored is None else ignored, (4,)):
        _broken(draw, box * by, line)
    order = np.argsort(-(corners[:, 2:] - corners[:, :2]).prod(1), kind="stable")  # small boxes are not hidden by large ones
    for row in order.tolist():
        _frame(draw, corners[row] * by, colour_of(int(numbers[row])), line, picture.size)
    if marks is not None:
        for row in range(count):
            for x, y in (marks[row] * by).tolist():
                _dot(draw, x, y, colour_of(int(numbers[row])), line)
    texts = [_text(classes, chances, row, int(numbers[row])) for row in range(count)]
    _write(draw, picture.size, corners * by, numbers, texts, order[::-1], line)
    return picture


def side_by_side(pictures: Sequence[Image.Image], columns: int = 3, gap: int = 8) -> bytes:
    """Pictures in rows, each as it is, as one PNG file on white.

    Example:
        >>> one = drawn_boxes(np.zeros((1, 40, 60), np.uint8), scale=2)
        >>> side_by_side([one, one])[1:4]
        b'PNG'
    """
    from PIL import Image

    if not pictures:
        raise ArgumentError("side_by_side", "pictures", "at least one", "none")
    rows = [list(pictures[start : start + columns]) for start in range(0, len(pictures), columns)]
    heights = [max(picture.height for picture in row) for row in rows]
    widths = [sum(picture.width for picture in row) + gap * (len(row) - 1) for row in rows]
    sheet = Image.new("RGB", (max(widths), sum(heights) + gap * (len(rows) - 1)), "white")
    y = 0
    for row, height in zip(rows, heights, strict=True):
        x = 0
        for picture in row:
            sheet.paste(picture, (x, y))
            x += picture.width + gap
        y += height + gap
    out = io.BytesIO()
    sheet.save(out, format="PNG")
    return out.getvalue()


def _numbers(where: str, name: str, given: Any, tail: tuple[int | None, ...]) -> np.ndarray:
    """float64 (n, *tail); None in tail is any length."""
    try:
        array = np.asarray(given, np.float64)
    except (TypeError, ValueError):
        raise DTypeError(where, name, "numbers", repr(given)[:60]) from None
    if not array.size:
        return np.zeros((len(array) if array.ndim == 1 + len(tail) else 0, *(0 if n is None else n for n in tail)))
    expected = f"(n, {', '.join('k' if n is None else str(n) for n in tail)})"
    if array.ndim != 1 + len(tail) or any(n is not None and n != m for n, m in zip(tail, array.shape[1:], strict=True)):
        raise ShapeError(where, name, expected, f"shape {array.shape}")
    if not np.isfinite(array).all():
        raise ArgumentError(where, name, "finite numbers", "NaN or infinity")
    return array


def _of_each(where: str, name: str, given: Any, count: int, default: np.ndarray) -> np.ndarray:
    if given is None:
        return default
    array = np.asarray(given)
    if array.shape != (count,) or array.dtype.kind not in "iuf":
        raise ShapeError(where, name, f"a number for each of {count} boxes", f"{array.dtype} of shape {array.shape}")
    return array


def _text(classes: Sequence[str] | None, scores: np.ndarray | None, row: int, number: int) -> str:
    known = classes is not None and 0 <= number < len(classes)
    name = (
        " ".join(str(classes[number]).split())
        if classes is not None and known
        else ""
        if classes is None
        else f"class {number}"
    )
    if len(name) > 32:
        name = f"{name[:31]}…"
    if scores is None or not math.isfinite(scores[row]):
        return name
    score = float(scores[row])
    return f"{name} {100 * score:.0f} %".strip() if 0 <= score <= 1 else f"{name} {score:.3g}".strip()


def _frame(draw: ImageDraw.ImageDraw, box: np.ndarray, colour: tuple[int, int, int], line: int, size: tuple[int, int]) -> None:
    """A frame that lies on the box's edge, with a thin dark one around it that sets it off any ground."""
    x1, y1, x2, y2 = _within(box, size)
    if x2 <= x1 or y2 <= y1:
        return
    draw.rectangle((x1 - 1, y1 - 1, x2, y2), outline=(0, 0, 0), width=line + 2)
    draw.rectangle((x1, y1, x2 - 1, y2 - 1), outline=colour, width=min(line, max(1, (min(x2 - x1, y2 - y1)) // 2)))


def _within(box: np.ndarray, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Whole pixels of a box inside the picture; one pixel at least of one that touches it."""
    low, high = np.clip(np.rint(box[:2]), 0, size), np.clip(np.rint(box[2:]), 0, size)
    if (box[2:] < 0).any() or (box[:2] > size).any() or (box[2:] <= box[:2]).any():
        return 0, 0, 0, 0
    low = np.minimum(low, np.array(size) - 1)
    high = np.maximum(high, low + 1)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _broken(draw: ImageDraw.ImageDraw, box: np.ndarray, line: int) -> None:
    """A frame of dashes."""
    x1, y1, x2, y2 = box.tolist()
    dash = 4 * line
    for start, end, level, lies in ((x1, x2, y1, True), (x1, x2, y2 - 1, True), (y1, y2, x1, False), (y1, y2, x2 - 1, False)):
        for at in np.arange(start, end, 2 * dash).tolist():
            stop = min(at + dash, end - 1)
            draw.line((at, level, stop, level) if lies else (level, at, level, stop), fill=(190, 190, 190), width=line)


def _dot(draw: ImageDraw.ImageDraw, x: float, y: float, colour: tuple[int, int, int], line: int) -> None:
    radius = 1.5 * line
    draw.ellipse((x - radius - 1, y - radius - 1, x + radius + 1, y + radius + 1), fill=(0, 0, 0))
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def _write(
    draw: ImageDraw.ImageDraw,
    size: tuple[int, int],
    boxes: np.ndarray,
    numbers: np.ndarray,
    texts: Sequence[str],
    order: np.ndarray,
    line: int,
) -> None:
    """Each label above its box, else inside or below it: where it hides no other label, if there is such a place."""
    font = _font(max(12, round(max(size) / 48)))
    taken: list[tuple[float, float, float, float]] = []
    pad = max(2, line)
    for row in order.tolist():
        x1, y1, x2, y2 = _within(boxes[row], size)
        if not texts[row] or x2 <= x1:
            continue
        left, top, right, bottom = draw.textbbox((0, 0), texts[row], font=font)
        width, height = right - left + 2 * pad, bottom - top + 2 * pad
        places = [(x1, y1 - height), (x1, y1), (x1, y2), (x1, y2 - height), (x2 - width, y1 - height), (x2, y1)]
        inside = [(min(max(0, x), max(0, size[0] - width)), min(max(0, y), max(0, size[1] - height))) for x, y in places]
        hidden = [sum(_shared((x, y, x + width, y + height), other) for other in taken) for x, y in inside]
        x, y = inside[hidden.index(min(hidden))]
        taken.append((x, y, x + width, y + height))
        colour = colour_of(int(numbers[row]))
        bright = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] > 140
        draw.rectangle((x, y, x + width - 1, y + height - 1), fill=colour)
        draw.text((x + pad - left, y + pad - top), texts[row], font=font, fill=(0, 0, 0) if bright else (255, 255, 255))


def _shared(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> float:
    """The area that two rectangles share."""
    across, down = min(one[2], other[2]) - max(one[0], other[0]), min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, across) * max(0.0, down)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    from matplotlib import get_data_path
    from PIL import ImageFont

    try:
        return ImageFont.truetype(os.path.join(get_data_path(), "fonts", "ttf", _LETTERS), size)
    except OSError:
        return ImageFont.load_default(size)


__all__ = ["colour_of", "draw_boxes", "drawn_boxes", "side_by_side"]
