"""Augmentation carries boxes, masks and ignored regions to where their pixels go, and never makes a degenerate box."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigrad.data import AugmentedBoxes, BoxedImage, BoxedImages
from minigrad.data.boxaugment import GROUND, flipped, laid
from minigrad.data.masks import extents
from minigrad.errors import ArgumentError, DTypeError


def sample_of(seed: int, height: int = 40, width: int = 60, count: int = 6) -> BoxedImage:
    """An image whose objects are rectangles of a colour of their own, the later ones above."""
    rng = np.random.default_rng(seed)
    image = np.zeros((3, height, width), np.uint8)
    masks = np.zeros((count, height, width), bool)
    for k in range(count):
        y, x = rng.integers(0, height - 2), rng.integers(0, width - 2)
        y2, x2 = rng.integers(y + 1, height), rng.integers(x + 1, width)
        masks[:k, y:y2, x:x2] = False
        masks[k, y:y2, x:x2] = True
        image[:, y:y2, x:x2] = 40 + 30 * k
    kept = masks.any((1, 2))
    masks, labels = masks[kept], np.flatnonzero(kept)
    return BoxedImage(image, extents(masks), labels, masks, np.array([[1, 1, 9, 8]], np.float32), np.zeros(1, np.int64))


def data_of(*samples: BoxedImage) -> BoxedImages:
    fields = zip(*samples, strict=True)
    images, boxes, labels, masks, _, _ = fields
    return BoxedImages.of(images, boxes, labels, list("abcdef"), masks)


def check_sound(sample: BoxedImage, least: float = 1.0) -> None:
    height, width = sample.image.shape[1:]
    for boxes in (sample.boxes, sample.ignored):
        assert boxes.dtype == np.float32 and np.isfinite(boxes).all()
        assert (boxes >= 0).all() and (boxes <= [width, height, width, height]).all()
        assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert ((sample.boxes[:, 2:] - sample.boxes[:, :2]) >= least).all()
    assert len(sample.labels) == len(sample.boxes) and len(sample.ignored) == len(sample.ignored_labels)
    if sample.masks is not None:
        assert sample.masks.shape == (len(sample.boxes), height, width) and sample.masks.any((1, 2)).all()
        found = extents(sample.masks)
        assert np.abs(found - sample.boxes).max(initial=0) <= 1.5  # a pixel's middle decides


@given(st.integers(0, 2**32 - 1), st.booleans())
@settings(max_examples=40, deadline=None)
def test_flips_are_exact_and_undo_themselves(seed: int, down: bool) -> None:
    sample = sample_of(seed)
    mirrored = flipped(sample, down)
    assert mirrored.masks is not None
    assert np.array_equal(extents(mirrored.masks), mirrored.boxes)
    for number, mask in zip(mirrored.labels.tolist(), mirrored.masks, strict=True):
        assert (mirrored.image[0][mask] == 40 + 30 * number).all()
    again = flipped(mirrored, down)
    assert all(np.array_equal(a, b) for a, b in zip(again, sample, strict=True))


@given(
    st.integers(0, 2**32 - 1), st.integers(1, 90), st.integers(1, 90), st.integers(-100, 100), st.integers(-100, 100),
    st.floats(0.05, 1), st.floats(0.1, 5),
)  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_whatever_is_cut_boxes_stay_sound(
    seed: int, height: int, width: int, y: int, x: int, inside: float, least: float
) -> None:
    sample = sample_of(seed)
    for given_masks in (sample.masks, None):
        found = laid(sample._replace(masks=given_masks), (50, 50), (height, width), (y, x), inside, least)
        assert found.image.shape == (3, 50, 50)
        check_sound(found, least)
        whole = laid(sample._replace(masks=given_masks), (height, width), (height, width), (0, 0), inside, 0.01)
        check_sound(whole, 0.01)


@pytest.mark.parametrize("offset", [(0, 0), (-7, -11), (5, 9), (-13, 4)])
def test_a_shift_moves_pixels_and_boxes_alike(offset: tuple[int, int]) -> None:
    sample = sample_of(3)
    found = laid(sample, (40, 60), (40, 60), offset)
    assert found.masks is not None and np.array_equal(extents(found.masks), found.boxes)
    for number, mask in zip(found.labels.tolist(), found.masks, strict=True):
        assert (found.image[0][mask] == 40 + 30 * number).all()
    y, x = offset
    bare = np.full_like(sample.image, GROUND)
    bare[:, max(0, y) : 40 + min(0, y), max(0, x) : 60 + min(0, x)] = sample.image[
        :, max(0, -y) : 40 - max(0, y), max(0, -x) : 60 - max(0, x)
    ]
    assert np.array_equal(found.image, bare)


def test_twice_the_size() -> None:
    sample = sample_of(5)
    found = laid(sample, (80, 120), (80, 120), (0, 0))
    assert found.masks is not None and sample.masks is not None
    assert np.array_equal(found.boxes, 2 * sample.boxes) and np.array_equal(extents(found.masks), found.boxes)
    assert np.array_equal(found.masks, sample.masks.repeat(2, 1).repeat(2, 2)) and found.ignored.tolist() == [[2, 2, 18, 16]]


def test_what_is_nearly_gone_is_ignored() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 20, 40, 30], [50, 0, 52, 40]], np.float32)
    none = np.zeros((0, 4), np.float32), np.zeros(0, np.int64)
    sample = BoxedImage(np.zeros((3, 40, 60), np.uint8), boxes, np.arange(3), None, *none)
    found = laid(sample, (40, 60), (40, 60), (0, -7), inside=0.4)
    assert found.labels.tolist() == [1, 2] and found.boxes.tolist() == [[0, 20, 33, 30], [43, 0, 45, 40]]
    assert (found.ignored.tolist(), found.ignored_labels.tolist()) == ([[0, 0, 3, 10]], [0])
    assert laid(sample, (40, 60), (40, 60), (0, -7), inside=0.4, least=3).labels.tolist() == [1]
    assert not len(laid(sample, (40, 60), (40, 60), (0, -99)).boxes)


def test_samples_are_a_function_of_seed_epoch_and_number() -> None:
    data = data_of(*(sample_of(seed) for seed in range(6)))

    def made(seed: int, epoch: int, index: int, **options: Any) -> BoxedImage:
        augmented = AugmentedBoxes(data, seed, scale=(0.5, 2.0), flip=0.5, flip_down=0.5, colour=0.4, **options)
        augmented.set_epoch(epoch)
        return augmented[index]

    first = made(1, 0, 3)
    assert all(np.array_equal(a, b) for a, b in zip(first, made(1, 0, 3), strict=True))
    for other in (made(2, 0, 3), made(1, 1, 3), made(1, 0, 4)):
        assert not np.array_equal(first.image, other.image)
    sides = set()
    for epoch in range(6):
        for index in range(len(data)):
            found = made(1, epoch, index, size=(48, 56))
            assert found.image.shape == (3, 48, 56)
            check_sound(found)
            sides.add(int(found.boxes[0, 0]) if len(found.boxes) else -1)
    assert len(sides) > 12


def test_without_augmentation_images_are_laid_in_the_middle() -> None:
    data = data_of(sample_of(1))
    same = AugmentedBoxes(data, 0)[0]
    assert all(np.array_equal(a, b) for a, b in zip(same[:4], data[0][:4], strict=True))
    tall = AugmentedBoxes(data, 0, size=(60, 60))[0]
    assert (tall.image[:, :10] == GROUND).all() and np.array_equal(tall.image[:, 10:50], data[0].image)
    assert np.array_equal(tall.boxes, data[0].boxes + np.array([0, 10, 0, 10]))


def test_every_place_is_met() -> None:
    """A small image comes to lie anywhere on the canvas, and a large one shows each of its edges."""
    none = np.zeros((0, 4), np.float32), np.zeros(0, np.int64)
    image = np.full((1, 10, 10), 200, np.uint8)
    data = BoxedImages.of([image], [none[0]], [none[1]], ["a"])
    small = AugmentedBoxes(data, 0, size=(20, 20), scale=(0.5, 0.50001))
    places = set()
    for epoch in range(120):
        small.set_epoch(epoch)
        ys, xs = np.nonzero(small[0].image[0] == 200)
        assert len(ys) == 100
        places |= {("y", int(ys[0])), ("x", int(xs[0]))}
    assert places == {(axis, k) for axis in "xy" for k in range(11)}


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"seed": -1}, ArgumentError, "whole number from 0"),
        ({"flip": 1.5}, ArgumentError, "from 0 to 1"),
        ({"colour": "much"}, DTypeError, "colour"),
        ({"scale": (2, 1)}, ArgumentError, "the smaller first"),
        ({"scale": (0.0, 1)}, ArgumentError, "0.05"),
        ({"size": 3}, ArgumentError, "height, width"),
        ({"size": (0, 3)}, ArgumentError, "size"),
        ({"least": 0}, ArgumentError, "above 0"),
        ({"dataset": [1]}, DTypeError, "BoxedImages or Scenes"),
    ],
)
def test_arguments(options: dict[str, Any], error: type[Exception], words: str) -> None:
    given = {"dataset": data_of(sample_of(0)), "seed": 0, **options}
    with pytest.raises(error, match=words):
        AugmentedBoxes(given.pop("dataset"), given.pop("seed"), **given)
