"""Images that move and images in dots: what a viewer of pictures and what a terminal shows."""

from __future__ import annotations

import io
import itertools
from typing import Any

import numpy as np
import pytest
from PIL import Image

from minigrad.errors import ShapeError
from minigrad.show.dots import in_dots
from minigrad.show.film import film_gif, film_png
from minigrad.show.pictures import image_grid


def frames(count: int, channels: int = 3, images: int = 4) -> list[np.ndarray]:
    rng = np.random.default_rng(count)
    return [rng.integers(0, 256, (images, channels, 6, 5)).astype(np.uint8) for _ in range(count)]


@pytest.mark.parametrize(("channels", "scale", "images"), [(1, 1, 4), (3, 2, 3), (3, 1, 1)])
def test_a_film(channels: int, scale: int, images: int) -> None:
    """Each frame is the grid of its images, in their order; the last one rests; it begins again and again."""
    given = frames(5, channels, images)
    with Image.open(io.BytesIO(film_png(given, seconds=0.4, rest=1.5, scale=scale))) as film:
        shown: Any = film
        assert shown.n_frames == 5 and shown.info["loop"] == 0
        durations = []
        for number, frame in enumerate(given):
            shown.seek(number)
            with Image.open(io.BytesIO(image_grid(frame, scale=scale))) as still:
                assert np.array_equal(np.asarray(shown.convert("RGB")), np.asarray(still.convert("RGB")))
            durations.append(shown.info["duration"])
    assert durations == [400] * 4 + [1500]


@pytest.mark.parametrize(
    ("channels", "scale", "images", "columns"), [(1, 1, 4, 4), (3, 2, 3, 1), (3, 1, 1, None), (1, 2, 2, 1)]
)
def test_a_film_that_is_a_gif(channels: int, scale: int, images: int, columns: int | None) -> None:
    """Grey exactly, colour as nearly as 256 colours are; white where the picture is clear."""
    given = [(frame // 64 * 64).astype(np.uint8) for frame in frames(4, channels, images)]
    with Image.open(io.BytesIO(film_gif(given, seconds=0.4, rest=1.5, columns=columns, scale=scale))) as film:
        shown: Any = film
        assert shown.format == "GIF" and shown.n_frames == 4 and shown.info["loop"] == 0
        durations = []
        for number, frame in enumerate(given):
            shown.seek(number)
            with Image.open(io.BytesIO(image_grid(frame, columns=columns, scale=scale))) as still:
                seen = np.asarray(still.convert("RGBA")).astype(int)
            wanted = np.where(seen[..., 3:] == 0, 255, seen[..., :3])
            assert np.abs(np.asarray(shown.convert("RGB")) - wanted).max() <= (0 if channels == 1 else 8)
            durations.append(shown.info["duration"])
    assert durations == [400] * 3 + [1500]


def test_a_film_of_one_frame_is_a_picture() -> None:
    (frame,) = frames(1)
    with Image.open(io.BytesIO(film_png([frame]))) as shown:
        assert np.array_equal(np.asarray(shown), np.asarray(Image.open(io.BytesIO(image_grid(frame)))))


@pytest.mark.parametrize(
    ("given", "got"), [([], "none"), ([np.zeros((1, 1, 8, 8), np.uint8), np.zeros((2, 1, 8, 8), np.uint8)], r"\(.*\), \(.*\)")]
)
def test_frames_that_are_no_film(given: list[np.ndarray], got: str) -> None:
    for film in (film_png, film_gif):
        with pytest.raises(ShapeError, match=rf"{film.__name__}: frames: expected at least one, all of one shape, got {got}"):
            film(given)


# ---------------------------------------------------------------------- dots


def dots(text: str) -> list[np.ndarray]:
    """Each image of a text as zeros and ones, (4 rows, 2 columns of letters)."""
    found = []
    for block in zip(*(line.split(" ") for line in text.splitlines())):
        rows = []
        for line, down in itertools.product(block, range(4)):
            bits = [(0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80)][down]
            rows.append([int(bool((ord(letter) - 0x2800) & bit)) for letter in line for bit in bits])
        found.append(np.array(rows))
    return found


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("height", "width"), [(8, 8), (28, 28), (31, 47), (96, 64), (9, 3)])
def test_images_in_dots(channels: int, height: int, width: int) -> None:
    """Side by side, all as high, as wide as they are; black has no dots, white all, grey half of them."""
    values = [0, 255, 128]
    images = np.stack([np.full((channels, height, width), value, np.uint8) for value in values])
    text = in_dots(images, rows=5)
    assert len(text.splitlines()) == 5
    for found, value in zip(dots(text), values):
        assert found.shape[0] == 20 and abs(found.shape[1] - 20 * width / height) <= 1
        assert found.mean() == pytest.approx(value / 255, abs=0.06)


def test_bright_is_where_it_was() -> None:
    image = np.zeros((1, 1, 28, 28), np.uint8)
    image[..., 14:, :7] = 255
    (found,) = dots(in_dots(image, rows=7))
    assert np.array_equal(found, image[0, 0] // 255)
