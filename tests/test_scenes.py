"""Composed scenes: a function of seed, part and number, and boxes that are their masks' extents."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minigrad.data import Scenes, SceneSettings, open_boxes
from minigrad.data.masks import extents
from minigrad.data.scenes import COUNTS, open_scenes, turned
from minigrad.errors import ArgumentError, DTypeError, IndexingError, ShapeError

BAR = np.zeros((28, 28), np.uint8)
BAR[4:24, 10:18] = 255
RING = np.zeros((28, 28), np.uint8)
RING[4:24, 4:24] = 200
RING[10:18, 10:18] = 0
ITEMS, LABELS, NAMES = np.stack([BAR, RING]), [0, 1], ["bar", "ring"]
SMALL: dict[str, Any] = {"size": 96, "side": (20.0, 40.0)}


def scenes(count: int = 30, seed: int = 1, part: str = "train", filled: bool = False, **settings: Any) -> Scenes:
    chosen = SceneSettings(**{**SMALL, **settings})
    return Scenes(ITEMS, LABELS, NAMES, count=count, seed=seed, part=part, settings=chosen, filled=filled)


def same(one: Any, other: Any) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("filled", [False, True])
def test_boxes_are_the_masks_extents_and_masks_do_not_overlap(filled: bool) -> None:
    made = scenes(items=(0, 8), hidden=0.4, filled=filled)
    seen = 0
    for index in range(len(made)):
        sample = made[index]
        assert sample.masks is not None and sample.image.shape == (3, 96, 96)
        assert np.array_equal(extents(sample.masks), sample.boxes) and sample.masks.sum(0).max(initial=0) <= 1
        assert (sample.boxes[:, 2:] > sample.boxes[:, :2]).all() and not len(sample.ignored)
        assert len(sample.boxes) <= 8
        seen += len(sample.boxes)
    assert seen > len(made)


def test_a_scene_is_a_function_of_seed_part_and_number() -> None:
    made = scenes()
    assert (
        same(made[7], scenes(count=8)[7])
        and same(made[7], made.subset([3, 7])[1])
        and made.subset([7]).names == ["train scene 7"]
    )
    others = [made[8], scenes(seed=2)[7], scenes(part="validation")[7], scenes(part="test")[7]]
    assert not any(np.array_equal(made[7].image, other.image) for other in others)
    boxes, labels = made.targets(7)
    assert np.array_equal(boxes, made[7].boxes) and np.array_equal(labels, made[7].labels) and made.size(7) == (96, 96)
    assert repr(made) == "Scenes(30 of 96x96, 2 classes)"


def test_settings_do_what_they_say() -> None:
    assert all(not len(scene.boxes) for scene in map(scenes(empty=1.0).__getitem__, range(5)))
    plain = scenes(items=(1, 1), empty=0, turn=0, shapes=(0, 0), fragments=(0, 0), noise=0, side=(28, 28), brightness=(1, 1))
    for index in range(10):
        (box,), (label,) = plain.targets(index)
        assert (box[2:] - box[:2]).tolist() == ([8, 20] if label == 0 else [20, 20])
    apart = scenes(items=(6, 6), empty=0, hidden=0, together=0)
    for index in range(10):
        boxes = apart[index].boxes
        for k, box in enumerate(boxes):
            sides = np.minimum(box[2:], boxes[k + 1 :, 2:]) - np.maximum(box[:2], boxes[k + 1 :, :2])
            assert (sides <= 0).any(1).all()
    noisy = [scenes(items=(0, 0), shapes=(0, 0), fragments=(0, 0), noise=noise)[0].image for noise in (0, 8)]
    assert 7 < (noisy[1].astype(float) - noisy[0]).std() < 9
    counts = np.zeros(2, np.int64)
    for index in range(30):
        counts += np.bincount(scenes(items=(4, 4)).targets(index)[1], minlength=2)
    assert 0.3 < counts[0] / counts.sum() < 0.7


def test_items_turn_and_holes_are_of_an_item_or_not() -> None:
    ring = RING.astype(np.float32) / 255
    light, hollow = turned(ring, 1.0, 0.0, False)
    assert hollow.shape == (20, 20) and hollow.sum() == 400 - 64 and light[hollow].max() == pytest.approx(200 / 255)
    assert turned(ring, 1.0, 0.0, True)[1].all()
    assert turned(ring, 2.0, 0.0, True)[1].shape == (40, 40)
    assert turned(BAR.astype(np.float32) / 255, 1.0, np.pi / 2, False)[1].shape == (8, 20)
    diagonal = turned(ring, 1.0, np.pi / 4, True)[1]
    assert diagonal.shape == pytest.approx((28, 28), abs=1) and diagonal.sum() == pytest.approx(400, rel=0.05)
    assert not turned(np.zeros((5, 5), np.float32), 2.0, 0.3, True)[1].any()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"size": 8}, "size"),
        ({"items": (3, 1)}, "the smaller first"),
        ({"side": (20, 500)}, "from 8 to 96"),
        ({"turn": 200}, "from 0 to 180"),
        ({"hidden": 1}, "from 0 to 0.9"),
        ({"brightness": (0, 1)}, "from 0.05 to 1"),
        ({"noise": -1}, "from 0 to 64"),
    ],
)
def test_settings_out_of_range(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        scenes(**settings)


def test_arguments() -> None:
    wrong: list[tuple[tuple[Any, ...], dict[str, Any], type[Exception], str]] = [
        ((ITEMS.astype(float), LABELS, NAMES), {}, DTypeError, "uint8"),
        ((BAR, [0], ["bar"]), {}, ShapeError, r"\(N, H, W\)"),
        ((ITEMS, [0], NAMES), {}, ShapeError, "one for each of 2 images"),
        ((ITEMS, [0, 0], NAMES), {}, ArgumentError, "none of ring"),
        ((ITEMS, LABELS, NAMES), {"part": "dev"}, ArgumentError, "one of train, validation, test"),
        ((ITEMS, LABELS, NAMES), {"seed": -1}, ArgumentError, "whole number from 0"),
    ]
    for arguments, options, error, words in wrong:
        with pytest.raises(error, match=words):
            Scenes(*arguments, **{"count": 3, "seed": 0, **options})
    with pytest.raises(IndexingError):
        scenes()[30]
    with pytest.raises(ArgumentError, match="one of scenes, scenes-digits"):
        open_scenes("mnist5k")


def test_the_named_set_of_digits() -> None:
    data = open_boxes("scenes-digits", seed=5)
    assert data.test is not None and [len(part) for part in (data.train, data.validation, data.test)] == list(COUNTS.values())
    assert data.classes == tuple("0123456789") and "the layout is synthetic" in data.policy[0]
    assert data.digest == open_boxes("scenes-digits", seed=5).digest != open_boxes("scenes-digits").digest
    parts = [{image.tobytes() for image in part.images} for part in (data.train, data.validation, data.test)]  # type: ignore[union-attr]
    assert not (parts[0] & parts[1] or parts[0] & parts[2])
    for part in (data.train, data.test):
        sample = part[0]
        assert sample.masks is not None and np.array_equal(extents(sample.masks), sample.boxes)
