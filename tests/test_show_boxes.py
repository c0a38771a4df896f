"""Boxes, masks, labels and points on a picture, at any size."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.show.boxes import colour_of, draw_boxes, drawn_boxes, side_by_side

GREY = np.full((3, 60, 80), 128, np.uint8)


def pixels(image: Any, *arguments: Any, **options: Any) -> np.ndarray:
    return np.asarray(drawn_boxes(image, *arguments, **options)).astype(int)


@pytest.mark.parametrize(("size", "scale"), [((60, 80), 8), ((10, 10), 16), ((700, 300), 1), ((640, 641), 1), ((321, 100), 2)])
def test_small_pictures_are_magnified_by_whole_numbers(size: tuple[int, int], scale: int) -> None:
    for channels in (1, 3):
        image = np.random.default_rng(0).integers(0, 256, (channels, *size)).astype(np.uint8)
        drawn = Image.open(io.BytesIO(draw_boxes(image)))
        assert drawn.size == (size[1] * scale, size[0] * scale) and drawn.mode == "RGB"
        whole = np.asarray(drawn).transpose(2, 0, 1)
        assert np.array_equal(whole, np.broadcast_to(image.repeat(scale, 1).repeat(scale, 2), whole.shape))


def test_a_frame_lies_on_the_box_in_the_colour_of_its_class() -> None:
    drawn = pixels(GREY, [[10, 20, 50, 40]], [3])
    colour = list(colour_of(3))
    for y, x in ((160, 200), (319, 200), (240, 80), (240, 399)):
        assert drawn[y, x].tolist() == colour
    assert drawn[240, 240].tolist() == [128] * 3 and drawn[100, 240].tolist() == [128] * 3
    changed = np.flatnonzero((drawn != 128).any(2).any(1))
    assert (changed.min(), changed.max()) == (159, 320)


def test_neighbouring_classes_have_colours_far_apart() -> None:
    colours = np.array([colour_of(label) for label in range(12)])
    apart = np.abs(colours[:, None] - colours[None]).sum(2) + 1000 * np.eye(12)
    assert apart.min() > 60 and np.abs(np.diff(colours, axis=0)).sum(1).min() > 150
    assert colour_of(100_000) == colour_of(100_000)


def test_masks_points_and_ignored_regions() -> None:
    mask = np.zeros((1, 60, 80), bool)
    mask[0, 10:20, 10:20] = True
    drawn = pixels(GREY, [[5, 5, 25, 25]], [0], masks=mask, points=[[[60, 40], [70, 50]]], ignored=[[40, 5, 75, 30]], scale=8)
    tinted = np.rint(0.55 * 128 + 0.45 * np.array(colour_of(0)))
    assert np.abs(drawn[120, 120] - tinted).max() <= 1 and drawn[190, 190].tolist() == [128] * 3
    for x, y in ((60, 40), (70, 50)):
        assert drawn[8 * y, 8 * x].tolist() == list(colour_of(0))
    edge = (drawn[40, 320:600] == 190).all(1)
    assert 0.3 < edge.mean() < 0.8  # dashes


def test_labels_stay_in_the_picture_and_beside_each_other() -> None:
    def letters(boxes: list[list[float]], **options: Any) -> np.ndarray:
        plain = pixels(GREY, boxes, [0] * len(boxes))
        told = pixels(GREY, boxes, [0] * len(boxes), classes=["kingfisher"], **options)
        return np.argwhere((plain != told).any(2))

    above = letters([[30, 30, 60, 50]])
    assert above[:, 0].max() < 8 * 30 + 4 and above.min() >= 0
    assert letters([[30, 0, 60, 50]])[:, 0].max() < 8 * 20  # no room above: inside
    assert letters([[70, 30, 80, 50]])[:, 1].max() < 640
    once, twice = len(letters([[30, 30, 60, 50]])), len(letters([[30, 30, 60, 50], [30, 30, 60, 50]]))
    assert twice > 1.5 * once
    assert len(letters([[30, 30, 60, 50]], scores=[0.875])) > once


@pytest.mark.parametrize(
    "boxes", [[[-50, -50, 500, 500]], [[90, 90, 95, 95]], [[10, 10, 10, 10]], [[5, 5, 5.2, 5.2]], [[79.9, 59.9, 80, 60]], []]
)
def test_odd_boxes_are_drawn_or_left_out(boxes: list[list[float]]) -> None:
    labels = [7] * len(boxes)
    names = ["文字 <b>\n" + "long " * 30] * 8
    assert pixels(GREY, boxes, labels, classes=names, scores=[float("nan")] * len(boxes)).shape == (480, 640, 3)
    assert pixels(np.zeros((1, 1, 1), np.uint8), boxes, labels).shape == (16, 16, 3)


def test_side_by_side() -> None:
    one, two = drawn_boxes(GREY, scale=1), drawn_boxes(GREY, scale=2)
    sheet = Image.open(io.BytesIO(side_by_side([one, two, one], columns=2)))
    assert sheet.size == (80 + 8 + 160, 120 + 8 + 60)
    with pytest.raises(ArgumentError, match="at least one"):
        side_by_side([])


@pytest.mark.parametrize(
    ("image", "options", "error", "words"),
    [
        (GREY.astype(float), {}, DTypeError, "numpy.uint8"),
        (GREY[0], {}, ShapeError, r"\(C, H, W\)"),
        (np.zeros((4, 5, 5), np.uint8), {}, ShapeError, "1 or 3 channels"),
        (GREY, {"boxes": [1, 2, 3, 4]}, ShapeError, r"\(n, 4\)"),
        (GREY, {"boxes": "abc"}, DTypeError, "numbers"),
        (GREY, {"boxes": [[1, 2, 3, float("nan")]]}, ArgumentError, "finite"),
        (GREY, {"boxes": [[1, 2, 3, 4]], "labels": [1, 2]}, ShapeError, "a number for each of 1 boxes"),
        (GREY, {"boxes": [[1, 2, 3, 4]], "scores": ["a"]}, ShapeError, "a number for each"),
        (GREY, {"boxes": [[1, 2, 3, 4]], "masks": np.zeros((1, 3, 3), bool)}, ShapeError, "masks"),
        (GREY, {"boxes": [[1, 2, 3, 4]], "points": [[1, 2]]}, ShapeError, r"\(n, k, 2\)"),
        (GREY, {"scale": 0}, ArgumentError, "scale"),
    ],
)
def test_arguments(image: np.ndarray, options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        draw_boxes(image, **options)
