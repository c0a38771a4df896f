"""One image file as 8-bit pixels: which files are read, and what becomes of their size, colours, depth and transparency.

What is done is a function of the file alone, so that a photo given to a trained model meets what the training images met:

- of an animation, the first frame; of a photo, the way up that its EXIF entry says;
- more than 8 bits: the high byte. Floating-point values up to 1 are scaled by 255, up to 255 taken as they are;
- what is transparent is laid on white;
- grey is the luminance 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601);
- the largest centred piece of the wanted proportions is resized, with a filter that takes in every pixel of it.
"""

from __future__ import annotations

import io
import math
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np

from minigrad.data.words import shown
from minigrad.errors import DataError, DTypeError, MissingFileError, ShapeError

if TYPE_CHECKING:
    from PIL import Image

# Of what Pillow reads, the formats that are common and that it decodes itself, without running other programs.
# MPO, several photos in one file, has no opener of its own: that of JPEG tells it.
FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "DIB", "TIFF", "PPM", "AVIF", "JPEG2000", "ICO", "QOI")
LARGEST_PIXELS = 89_478_485  # from where on Pillow, too, suspects a file made to fill the memory
WHITE = 255
_TURNED = ("JPEG", "MPO", "WEBP", "AVIF")  # formats whose head holds the EXIF part, and that Pillow does not turn itself
_EXIF = {"exif", "Raw profile type exif"}  # what a PNG's head calls it; where it lacks, Pillow would decode all to find it
_ORIENTATION = 0x0112  # the EXIF entry
_TURNS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # its values -> members of Image.Transpose
QUARTERS = (2, 4, 5, 6)  # those of them that make of a wide picture a high one
_HEADS = {
    b"<!doctype html": "a web page under the name of an image",
    b"<html": "a web page under the name of an image",
    b"version https://git-lfs": "a Git LFS pointer in the place of the file, which git lfs pull would fetch",
}

Shape = tuple[int, int, int]


class Look(NamedTuple):
    """What a file's head tells: format, size in pixels as a viewer shows it, and Pillow's mode, such as RGB.

    ``turned``: its EXIF entry says that a viewer turns it; ``animated``: it has more frames than the one that is read;
    ``transparent``: it may have parts that are seen through; ``turn``: how it is turned, one of ``Image.Transpose``.
    """

    format: str
    width: int
    height: int
    mode: str
    turned: bool = False
    animated: bool = False
    transparent: bool = False
    turn: int | None = None


def look(name: str, source: str | bytes | BinaryIO, remedy: str = "") -> Look:
    """What a file's head tells, without decoding the rest.

    Args:
        name: what errors call it.
        source: a path, the file's contents, or an open file.
        remedy: what to do about a file that cannot be read.

    Raises:
        DataError: it is no image that can be read, or too large.
    """
    with _opened(name, source, remedy) as image:
        width, height = image.size
        turn = _turn(image) if image.format in _TURNED or (image.format == "PNG" and _EXIF & image.info.keys()) else None
        if turn in QUARTERS:
            width, height = height, width
        transparent = bool(image.has_transparency_data)
        return Look(image.format or "", width, height, image.mode, turn is not None, _is_animated(image), transparent, turn)


def decode(
    name: str, source: str | bytes | BinaryIO, shape: Shape | None = None, remedy: str = "", crop: float = 1.0
) -> np.ndarray:
    """The pixels of an image file.

    Args:
        name: what errors call it.
        source: a path, the file's contents, or an open file.
        shape: (C, H, W) wanted; None takes colour (C = 3) and the image's own size.
        remedy: what to do about a file that cannot be read.
        crop: see ``read_image``.

    Returns:
        uint8 (C, H, W), C-contiguous.

    Raises:
        DataError: it cannot be read, is too large, or holds values that are no brightness.
    """
    with _opened(name, source, remedy) as image:
        if shape is not None and image.format == "JPEG":
            # A JPEG can be had at 1/2, 1/4 or 1/8 of its size for less work; twice the wanted size leaves the filter its say.
            image.draft(None, (math.ceil(2 * max(shape[1:]) / crop),) * 2)
        image.load()
        turn = _turn(image)
        flat = _eight_bits(name, image if turn is None else image.transpose(turn), remedy)
        channels, height, width = shape or (3, flat.height, flat.width)
        return _array(_fitted(_in_mode(flat, "L" if channels == 1 else "RGB"), height, width, crop))


def refit(pixels: np.ndarray, shape: Shape) -> np.ndarray:
    """The uint8 (C, H, W) pixels of an image in another shape, as ``decode`` would give it.

    Example:
        >>> refit(np.full((1, 4, 6), 7, np.uint8), (3, 2, 2))[:, 0, 0].tolist()
        [7, 7, 7]
    """
    from PIL import Image

    if pixels.shape == tuple(shape):
        return pixels
    image = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0) if len(pixels) == 3 else pixels[0]))
    return _array(_fitted(_in_mode(image, "L" if shape[0] == 1 else "RGB"), *shape[1:]))


def read_image(path: Any, shape: Shape | None = None, *, crop: float = 1.0) -> np.ndarray:
    """Any common image file as a model wants it, by the rules by which the training images were read.

    Dark ink on white paper stays dark on white: a model that learned white digits on black wants the photo inverted first.

    Args:
        path: the file, its contents as bytes, or an open binary file.
        shape: (C, H, W), C 1 (grey) or 3 (colour); None takes colour and the image's own size.
        crop: how much of the centred piece of those proportions is taken, of its sides; what is beyond is left out.

    Returns:
        uint8 (C, H, W).

    Raises:
        MissingFileError: there is no such file.
        DataError: it is no image that can be read.
        ShapeError: ``shape`` is none of an image.
        DTypeError: ``path`` is none of the three.

    Example:
        >>> from PIL import Image
        >>> Image.new("RGB", (40, 30), "red").save("red.png")
        >>> read_image("red.png", (3, 8, 8))[:, 0, 0].tolist()
        [255, 0, 0]
    """
    where = "read_image"
    if shape is not None:
        shape = tuple(shape)  # type: ignore[assignment]
        if len(shape) != 3 or shape[0] not in (1, 3) or min(shape) < 1:
            raise ShapeError(where, "shape", "(C, H, W) with C 1 or 3", str(shape))
    source: str | bytes | BinaryIO
    if isinstance(path, (bytes, bytearray, memoryview)):
        name, source = "the bytes", bytes(path)
    elif hasattr(path, "read"):
        name, source = str(getattr(path, "name", "the open file")), path
    elif isinstance(path, (str, os.PathLike)):
        name = source = os.fsdecode(path)
        if os.path.isdir(name):
            raise DataError(where, shown(name), "an image file", "a folder", "Name a file in it")
        if not os.path.exists(name):
            raise MissingFileError(where, shown(name), "an image file", "nothing of that name", "Check the path")
        if not os.path.isfile(name):
            raise DataError(where, shown(name), "an image file", "a device or pipe", "Save the image as a file")
    else:
        raise DTypeError(where, "path", "a path, bytes or an open binary file", f"a {type(path).__name__}")
    remedy = "See whether an image viewer opens it, and save it anew as PNG or JPEG"
    try:
        with quiet_pictures():
            return decode(shown(name), source, shape, remedy, crop)
    except DataError as error:
        raise DataError(where, error.argument, error.expected, error.got, error.remedy) from error


@contextmanager
def quiet_pictures() -> Iterator[None]:
    """Pillow's warnings (of a damaged EXIF entry, of many pixels) are not shown: what matters of them becomes an error here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _opened(name: str, source: str | bytes | BinaryIO, remedy: str) -> Iterator[Image.Image]:
    """The opened image; whatever goes wrong until the block ends is one DataError that names the file."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS) as image:
            pixels = image.width * image.height
            if pixels > LARGEST_PIXELS:
                raise _too_large(name, f"{image.width:,} x {image.height:,}")
            yield image
    except DataError:
        raise
    except Image.DecompressionBombError:
        raise _too_large(name, "many times more") from None
    except UnidentifiedImageError:
        raise DataError("data", name, "an image", _instead(source), remedy) from None
    except FileNotFoundError:
        raise DataError("data", name, "a file", "a link to one that is not there", remedy) from None
    except PermissionError:
        raise DataError("data", name, "a file that may be read", "one that may not", "Mend its permissions") from None
    except Exception as error:  # a hostile file may bring any decoder to any exception
        raise DataError("data", name, "an image that can be read", _reason(error), remedy) from error


def _too_large(name: str, got: str) -> DataError:
    return DataError("data", name, f"at most {LARGEST_PIXELS:,} pixels", got, "Save it smaller, or take it out of the folder")


def _instead(source: str | bytes | BinaryIO) -> str:
    """What a file is that is no image, as far as its first bytes tell."""
    try:
        if isinstance(source, str):
            with open(source, "rb") as file:
                head = file.read(64)
        elif isinstance(source, bytes):
            head = source[:64]
        else:
            source.seek(0)
            head = source.read(64)
    except (OSError, ValueError):
        head = b"?"
    for start, words in _HEADS.items():
        if head.lstrip().lower().startswith(start):
            return words
    return "contents of no format that is read" if head else "an empty file"


def _reason(error: Exception) -> str:
    text = shown(error).rstrip(".")
    if "truncated" in text.lower() or "unexpected end" in text.lower() or isinstance(error, EOFError):
        return f"one cut short ({text})"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _turn(image: Image.Image) -> Any:
    """The transposition that the EXIF entry asks for, or None; an EXIF part that cannot be read asks for none."""
    from PIL import Image

    try:
        number = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # the image itself may be sound
        return None
    return None if number is None else Image.Transpose(number)


def _is_animated(image: Image.Image) -> bool:
    """Whether there is a second frame that a viewer would show; one that cannot be read does no harm to the first."""
    try:
        return image.format in ("GIF", "WEBP", "PNG", "AVIF") and bool(getattr(image, "is_animated", False))
    except Exception:
        return False


def _eight_bits(name: str, image: Image.Image, remedy: str) -> Image.Image:
    """The image in mode L or RGB, without transparency."""
    from PIL import Image

    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        return Image.fromarray(_scaled(name, np.asarray(image), remedy))
    if image.has_transparency_data:
        whole = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", whole.size, (WHITE,) * 4), whole).convert("RGB")
    return _in_mode(image, "L" if image.mode in ("1", "L") else "RGB")


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    return image if image.mode == mode else image.convert(mode)


def _scaled(name: str, values: np.ndarray, remedy: str) -> np.ndarray:
    """Integers of up to 16 bits, or floating-point values, as bytes."""
    low, high = values.min(), values.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise DataError("data", name, "finite values", f"{np.count_nonzero(~np.isfinite(values)):,} NaN or infinite", remedy)
    if values.dtype.kind == "f":
        if low < 0 or high > 255:
            raise DataError("data", name, "floating-point values from 0 to 1, or to 255", f"from {low:g} to {high:g}", remedy)
        return np.rint(values * 255 if high <= 1 else values).astype(np.uint8)
    if low < 0 or high > 65535:
        raise DataError("data", name, "whole numbers from 0 to 65535", f"from {low} to {high}", remedy)
    return (values >> 8).astype(np.uint8)


def piece(size: tuple[int, int], wanted: tuple[int, int], crop: float = 1.0) -> tuple[float, float, float, float]:
    """The largest centred piece of an image that has the proportions asked for, or so much of it.

    Args:
        size: width and height of the image.
        wanted: width and height asked for.
        crop: how much is taken, of its sides.

    Returns:
        left, top, right, bottom, in the image's pixels.

    Example:
        >>> piece((40, 30), (8, 8)), piece((40, 30), (8, 8), 0.5)
        ((5.0, 0.0, 35.0, 30.0), (12.5, 7.5, 27.5, 22.5))
    """
    scale = crop * min(size[0] / wanted[0], size[1] / wanted[1])
    across, down = scale * wanted[0], scale * wanted[1]
    left, top = (size[0] - across) / 2, (size[1] - down) / 2
    return max(left, 0.0), max(top, 0.0), min(left + across, size[0]), min(top + down, size[1])


def _fitted(image: Image.Image, height: int, width: int, crop: float = 1.0) -> Image.Image:
    """The largest centred piece of the proportions asked for, or so much of it, resized."""
    from PIL import Image

    if image.size == (width, height) and crop == 1:
        return image
    return image.resize((width, height), Image.Resampling.BICUBIC, piece(image.size, (width, height), crop))


def _array(image: Image.Image) -> np.ndarray:
    """uint8 (C, H, W)."""
    pixels = np.asarray(image)
    return np.array(pixels.transpose(2, 0, 1) if pixels.ndim == 3 else pixels[None], order="C")
