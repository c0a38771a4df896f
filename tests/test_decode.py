"""One image file to pixels: every common kind, and every way in which a file is none."""

from __future__ import annotations

import io
import os
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from minigrad.data import read_image
from minigrad.data.decode import LARGEST_PIXELS, decode, look, refit
from minigrad.data.words import shown
from minigrad.errors import DataError, DTypeError, MissingFileError, ShapeError
from tests.image_files import noise, save

GREY = np.arange(120, dtype=np.uint8).reshape(10, 12) * 2
COLOUR = noise()


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def pixels(content: bytes, channels: int = 3, height: int = 10, width: int = 12) -> np.ndarray:
    return read_image(content, (channels, height, width))


def refusal(content: Any, shape: tuple[int, int, int] | None = None) -> DataError:
    with pytest.raises(DataError) as caught:
        read_image(content, shape)
    return caught.value


# ---------------------------------------------------------------------- what is read


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "QOI", "ICO"])
def test_lossless_kinds_come_through_as_they_are(kind: str) -> None:
    options = {"sizes": [(12, 10)]} if kind == "ICO" else {}
    content = encoded(Image.fromarray(COLOUR), kind, **options)
    assert np.array_equal(pixels(content), COLOUR.transpose(2, 0, 1))
    assert np.array_equal(read_image(content), COLOUR.transpose(2, 0, 1))  # its own size, in colour


@pytest.mark.parametrize(("kind", "options"), [("JPEG", {"quality": 95}), ("WEBP", {"quality": 95}), ("AVIF", {"quality": 95})])
def test_lossy_kinds_come_near(kind: str, options: dict[str, int]) -> None:
    smooth = np.stack([np.add.outer(np.arange(40) * 3, np.arange(60) * 2)] * 3, axis=2).astype(np.uint8)
    found = pixels(encoded(Image.fromarray(smooth), kind, **options), 3, 40, 60)
    assert np.abs(found.astype(int) - smooth.transpose(2, 0, 1)).max() <= 8


def test_cmyk_jpeg() -> None:
    red = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    found = pixels(encoded(red, "JPEG", quality=95), 3, 8, 8)
    assert np.abs(found[:, 4, 4].astype(int) - [254, 0, 0]).max() <= 6


def test_grey_stays_grey_and_colour_becomes_its_luminance() -> None:
    content = encoded(Image.fromarray(GREY), "PNG")
    assert np.array_equal(pixels(content, 1), GREY[None])
    assert np.array_equal(pixels(content, 3), np.stack([GREY] * 3))
    luminance = (COLOUR @ np.array([0.299, 0.587, 0.114])).round()
    assert np.abs(pixels(encoded(Image.fromarray(COLOUR), "PNG"), 1)[0] - luminance).max() <= 1


def test_one_bit_a_pixel() -> None:
    bits = Image.fromarray(GREY > 100)
    assert bits.mode == "1"
    for kind in ("PNG", "TIFF", "BMP"):
        assert np.array_equal(pixels(encoded(bits, kind), 1)[0], np.where(GREY > 100, 255, 0))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bits_are_scaled_by_their_full_range(kind: str) -> None:
    values = np.linspace(0, 65535, 120).astype(np.uint16).reshape(10, 12)
    assert np.array_equal(pixels(encoded(Image.fromarray(values), kind), 1)[0], values >> 8)


def test_floating_point_values() -> None:
    for values, expected in (
        (np.linspace(0, 1, 120, dtype=np.float32), np.linspace(0, 255, 120)),
        (np.linspace(0, 255, 120, dtype=np.float32), np.linspace(0, 255, 120)),
    ):
        found = pixels(encoded(Image.fromarray(values.reshape(10, 12)), "TIFF"), 1)
        assert np.abs(found.ravel() - expected).max() <= 0.51


def test_palettes() -> None:
    image = Image.fromarray(COLOUR).quantize(16)
    assert np.array_equal(pixels(encoded(image, "PNG")), np.asarray(image.convert("RGB")).transpose(2, 0, 1))


def test_what_is_transparent_becomes_white() -> None:
    half = np.dstack([np.zeros((10, 12, 3), np.uint8), np.full((10, 12), 51, np.uint8)])  # black, a fifth opaque
    palette = Image.fromarray((GREY > 100).astype(np.uint8), "L").convert("P")
    palette.putpalette([0, 0, 0, 200, 100, 0])
    grey_alpha = Image.fromarray(half).convert("LA")
    cases = [
        (encoded(Image.fromarray(half), "PNG"), np.full((3, 10, 12), 204)),
        (encoded(grey_alpha, "PNG"), np.full((3, 10, 12), 204)),
        (encoded(Image.fromarray(half), "WEBP", lossless=True), np.full((3, 10, 12), 204)),
        (
            encoded(palette, "PNG", transparency=0),
            np.where(GREY > 100, np.array([200, 100, 0])[:, None, None], np.array([255] * 3)[:, None, None]),
        ),
        (
            encoded(palette, "GIF", transparency=0),
            np.where(GREY > 100, np.array([200, 100, 0])[:, None, None], np.array([255] * 3)[:, None, None]),
        ),
    ]
    for content, expected in cases:
        assert np.abs(pixels(content).astype(int) - expected).max() <= 1


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_several_frames_the_first(kind: str) -> None:
    frames = [Image.new("RGB", (12, 10), colour) for colour in ("red", "blue", "lime")]
    options = {"lossless": True} if kind == "WEBP" else {}
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert pixels(content)[:, 5, 5].tolist() == [255, 0, 0]
    assert look("a", content).animated == (kind != "TIFF")  # the pages of a document are no animation


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_a_photo_is_turned_as_its_exif_entry_says(orientation: int, kind: str) -> None:
    image = Image.fromarray(np.kron(np.array([[0, 60, 120], [180, 220, 255]], np.uint8), np.ones((16, 16), np.uint8)))
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 95}, "AVIF": {"quality": 100}}.get(kind, {})
    content = encoded(image, kind, exif=exif, **options)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("L"))
    found = read_image(content, (1, *upright.shape))[0]
    assert np.abs(found.astype(int) - upright).max() <= 3
    head = look("a", content)
    assert (head.height, head.width) == upright.shape
    assert upright.shape == ((48, 32) if orientation > 4 else (32, 48))


def test_a_broken_exif_part_does_no_harm() -> None:
    content = encoded(Image.fromarray(COLOUR), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff garbage")
    with warnings.catch_warnings(action="error"):
        assert pixels(content).shape == (3, 10, 12)


def test_the_largest_centred_piece_is_taken() -> None:
    wide = np.zeros((10, 40, 3), np.uint8)
    wide[:, 15:25] = [200, 100, 50]
    for image in (wide, wide.transpose(1, 0, 2)):
        found = pixels(encoded(Image.fromarray(image), "PNG"), 3, 5, 5)
        assert found[:, 2, 2].tolist() == [200, 100, 50]
        assert np.abs(found.astype(int) - np.array([200, 100, 50])[:, None, None]).max() <= 16  # the filter's reach
    whole = pixels(encoded(Image.fromarray(wide), "PNG"), 3, 5, 20)  # of the same proportions: nothing is cut off
    assert (whole[:, :, 0] == 0).all() and (whole[:, :, -1] == 0).all()


def test_reducing_takes_in_every_pixel() -> None:
    checks = np.indices((256, 256)).sum(0) % 2 * np.uint8(255)  # one pixel black, one white
    for kind in ("PNG", "JPEG"):
        found = pixels(encoded(Image.fromarray(checks.astype(np.uint8)), kind), 1, 16, 16)
        assert np.abs(found.astype(int) - 127).max() <= 4


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F"]), st.integers(1, 90), st.integers(1, 90),
    st.sampled_from([1, 3]), st.integers(1, 50), st.integers(1, 50), st.sampled_from(["TIFF", "PNG", "JPEG"]),
)  # fmt: skip
def test_any_size_and_mode_to_any_shape(
    mode: str, width: int, height: int, channels: int, rows: int, columns: int, kind: str
) -> None:
    flat = Image.new("F", (width, height), 0.5) if mode == "F" else Image.new("L", (width, height), 128)
    image = flat if mode == "F" else Image.new("I;16", (width, height), 128 << 8) if mode == "I;16" else flat.convert(mode)
    try:
        content = encoded(image, kind)
    except OSError:  # the format has no such mode
        content = encoded(image, "TIFF")
    found = read_image(content, (channels, rows, columns))
    assert (found.shape, found.dtype) == ((channels, rows, columns), np.uint8)
    assert found.flags.c_contiguous and found.flags.writeable
    if mode != "1":
        assert np.abs(found.astype(int) - 128).max() <= 2  # an even grey stays that


def test_path_bytes_and_open_file_give_the_same(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png")
    with open(path, "rb") as file:
        found = [read_image(source, (3, 6, 6)) for source in (path, str(path), path.read_bytes(), file)]
    assert all(np.array_equal(found[0], other) for other in found)
    assert np.array_equal(found[0], decode("a", str(path), (3, 6, 6)))


def test_arrays_are_refitted_as_files_are() -> None:
    content = encoded(Image.fromarray(COLOUR), "PNG")
    for shape in ((3, 10, 12), (1, 10, 12), (3, 5, 5), (1, 20, 8)):
        assert np.array_equal(refit(COLOUR.transpose(2, 0, 1), shape), read_image(content, shape))
    assert np.array_equal(refit(GREY[None], (3, 10, 12)), np.stack([GREY] * 3))


# ---------------------------------------------------------------------- what is refused


def png_of(width: int, height: int) -> bytes:
    """The head of a PNG that says so many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x00\x00\x00\x00"
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [9_460, 14_000, 60_000])
def test_a_file_that_would_fill_the_memory(side: int) -> None:
    with warnings.catch_warnings(action="error"):
        error = refusal(png_of(side, side))
    assert error.expected == f"at most {LARGEST_PIXELS:,} pixels"
    assert error.got in (f"{side:,} x {side:,}", "many times more")
    assert "Save it smaller" in error.remedy


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])
def test_a_file_cut_short(kind: str, tmp_path: Path) -> None:
    content = encoded(Image.fromarray(noise(60, 60)), kind)
    path = tmp_path / "half.img"
    path.write_bytes(content[: len(content) // 2])
    error = refusal(path, (3, 8, 8))
    assert (error.where, error.argument, error.expected) == ("read_image", str(path), "an image that can be read")
    assert "save it anew as PNG or JPEG" in error.remedy


def test_a_png_cut_short_is_said_to_be() -> None:
    content = encoded(Image.fromarray(noise(60, 60)), "PNG")
    assert refusal(content[:-2000]).got.startswith("one cut short")


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (b"", "an empty file"),
        (b"just some text", "contents of no format that is read"),
        (b"\n<!DOCTYPE html><title>404</title>", "a web page under the name of an image"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "a Git LFS pointer in the place of the file"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "contents of no format that is read"),
    ],
)
def test_a_file_that_is_no_image(content: bytes, got: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    for source in (path, content, io.BytesIO(content)):
        error = refusal(source)
        assert error.expected == "an image"
        assert error.got.startswith(got)


def test_values_that_are_no_brightness() -> None:
    nan = np.full((4, 4), 0.5, np.float32)
    nan[1, 1], nan[2, 2] = np.nan, np.inf
    for values, expected, got in (
        (nan, "finite values", "2 NaN or infinite"),
        (np.full((4, 4), -0.5, np.float32), "floating-point values from 0 to 1, or to 255", "from -0.5 to -0.5"),
        (np.full((4, 4), 1000, np.float32), "floating-point values from 0 to 1, or to 255", "from 1000 to 1000"),
        (np.full((4, 4), 1 << 20, np.int32), "whole numbers from 0 to 65535", "from 1048576 to 1048576"),
    ):
        error = refusal(encoded(Image.fromarray(values), "TIFF"))
        assert (error.expected, error.got) == (expected, got)


def test_a_wrong_place(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"read_image: .*cat\.jpg: expected an image file, got nothing of that name"):
        read_image(tmp_path / "cat.jpg")
    assert refusal(tmp_path).got == "a folder"
    os.mkfifo(tmp_path / "pipe.jpg")
    assert refusal(tmp_path / "pipe.jpg").got == "a device or pipe"  # reading it would never end
    with pytest.raises(DTypeError, match=r"read_image: path: expected a path, bytes or an open binary file, got a int"):
        read_image(3)


@pytest.mark.parametrize("shape", [(3, 8), (2, 8, 8), (3, 0, 8)])
def test_a_shape_of_no_image(shape: Any) -> None:
    with pytest.raises(ShapeError, match="C 1 or 3"):
        read_image(b"", shape)


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "a.png")

    def refuse(*args: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Image, "open", refuse)
    error = refusal(path)
    assert (error.expected, error.got, error.remedy) == ("a file that may be read", "one that may not", "Mend its permissions")


def test_names_are_printed_on_one_line() -> None:
    assert shown("a\nb\x1b[31m") == r"a\nb\x1b[31m"
    assert shown(os.fsdecode(b"caf\xe9.jpg")) == r"caf\udce9.jpg"
    assert shown("café 日本.jpg") == "café 日本.jpg"
