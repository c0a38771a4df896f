"""Which photos or columns of tiles are held out, and what a cut does to boxes and masks."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigrad.data import BoxedImages, open_boxes
from minigrad.data.boxed import Boxed
from minigrad.data.boxjudge import Sound
from minigrad.data.boxsplit import by_column, clipped, columns, cut
from minigrad.data.catalogue import DATASETS
from minigrad.data.masks import extents
from minigrad.errors import DataError
from tests.box_files import coco_of, photo, photos, table

NONE = np.zeros((0, 4), np.float32), np.zeros(0, np.int64)


def sound(width: int, height: int, boxes: list[list[float]], name: str = "a.png") -> Sound:
    return Sound(name, name, "", width, height, name.encode(), np.array(boxes, np.float32).reshape(-1, 4),
                 np.zeros(len(boxes), np.int64), [], *NONE, [""] * len(boxes))  # fmt: skip


def names(*parts: Boxed | None) -> list[list[str]]:
    return [sorted(part.names) for part in parts if part is not None]


def many(folder: Path, count: int = 20) -> Path:
    return table(folder, {f"{k}.png": [(1, 2, 30, 31, "wren")] for k in range(count)})


def test_photos_are_held_out_by_seed_and_name(tmp_path: Path) -> None:
    many(tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    first, again, other = (open_boxes(tmp_path / folder, seed=seed) for folder, seed in (("one", 0), ("two", 0), ("one", 1)))
    assert [len(first.train), len(first.validation)] == [16, 4] and first.test is None and first.split == "by photo"
    assert names(first.train, first.validation) == names(again.train, again.validation)
    assert names(first.validation) != names(other.validation)
    tested = open_boxes(tmp_path / "one", test=0.25, holdout=0.1)
    assert tested.test is not None and [len(tested.train), len(tested.validation), len(tested.test)] == [13, 2, 5]
    assert len({name for part in names(tested.train, tested.validation, tested.test) for name in part}) == 20


def test_copies_of_a_photo_stay_on_one_side(tmp_path: Path) -> None:
    many(tmp_path)
    for k in range(10, 20):
        shutil.copy(tmp_path / f"{k - 10}.png", tmp_path / f"{k}.png")
    for seed in range(4):
        data = open_boxes(tmp_path, seed=seed)
        held = {int(name.removesuffix(".png")) for name in data.validation.names}
        assert {(k + 10) % 20 for k in held} == held and len(held) == 4


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_photos(count: int, tmp_path: Path) -> None:
    many(tmp_path, count)
    if count == 2:
        assert names(*open_boxes(tmp_path)[:2]) in ([["0.png"], ["1.png"]], [["1.png"], ["0.png"]])
    with pytest.raises(DataError, match="different photos to learn from"):
        open_boxes(tmp_path, test=0.0 if count == 1 else 0.2)
    with pytest.raises(DataError, match="three tiles of 400 pixels wide"):
        open_boxes(tmp_path, split="column")


def test_parts_of_the_data_are_kept_and_validation_held_out_of_training(tmp_path: Path) -> None:
    for part, first in (("train", 0), ("test", 10)):
        chosen = {f"{part}/{k}.png": [(1, 2, 30, 31, "wren")] for k in range(first, first + 10)}
        photos(tmp_path, list(chosen))
        (tmp_path / f"{part}.json").write_text(json.dumps(coco_of(chosen)))  # type: ignore[arg-type]
    data = open_boxes(tmp_path)
    assert data.test is not None and [len(data.train), len(data.validation), len(data.test)] == [8, 2, 10]
    assert data.split == "as the data are split, 20% of the training photos held out for validation"
    assert all(name.startswith("test/") for name in data.test.names)


@given(st.integers(1, 1000), st.integers(1, 1000), st.integers(16, 500))
@settings(max_examples=60, deadline=None)
def test_tiles_cover_a_photo_once(width: int, height: int, tile: int) -> None:
    count = np.zeros((height, width), np.int64)
    for column in columns(sound(width, height, []), tile):
        for x1, y1, x2, y2 in column:
            assert 0 < x2 - x1 <= tile and 0 < y2 - y1 <= tile
            count[y1:y2, x1:x2] += 1
    assert (count == 1).all()


@given(st.integers(0, 2**32 - 1), st.integers(60, 200))
@settings(max_examples=25, deadline=None)
def test_what_is_cut_is_sound_and_nothing_is_lost_unseen(seed: int, tile: int) -> None:
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 380, (12, 2))
    boxes = np.concatenate([corners, np.minimum(corners + rng.uniform(1, 150, (12, 2)), (400, 390))], 1).astype(np.float32)
    whole = sound(400, 390, boxes.tolist())
    area = np.zeros(len(boxes))
    for column in columns(whole, tile):
        for window in column:
            item = cut(whole, 0, window)
            size = np.array([window[2] - window[0], window[3] - window[1]] * 2)
            for found in (item.boxes, item.ignored):
                assert (found >= 0).all() and (found <= size).all() and (found[:, 2:] > found[:, :2]).all()
            for box, row in zip(item.boxes, item.rows, strict=True):
                inside = (box[2:] - box[:2]).prod() / (boxes[row, 2:] - boxes[row, :2]).prod()
                assert inside >= 0.399 and np.isclose(clipped(boxes[row : row + 1], window)[1][0], inside, atol=1e-3)
                area[row] += 1
    assert (area <= 2).all()  # of three tiles none has 40 % of the other two's


def test_whole_columns_are_held_out() -> None:
    photo = sound(1000, 300, [[k * 100 + 10, 10, k * 100 + 60, 60] for k in range(10)])
    narrow = sound(150, 300, [[1, 1, 9, 9]], "b.png")
    for seed in range(5):
        parts = by_column([photo, narrow], 0.2, 0.2, seed, 100)
        held = [{item.window[0] for item in part if item.window and not item.photo} for part in parts[:3]]
        assert [len(lefts) for lefts in held] == [6, 2, 2] and len(set.union(*held)) == 10
        assert not any(item.photo for item in parts.validation + parts.test)
        assert sum(len(item.boxes) for part in parts[:3] for item in part) == 11
    assert "by tile column: tiles of at most 100 pixels that never overlap, whole columns of 1 photo held out" in parts.words


def test_a_wide_photo_alone_is_split_by_columns_and_masks_are_cut(tmp_path: Path) -> None:
    photo(tmp_path / "wide.png", 1200, 90)
    boxes = {"wide.png": [(k * 100 + 5, 5, k * 100 + 95, 85, "wren") for k in range(12)]}
    masks = {f"wide.png {k}": [[x + 5, 5, x + 95, 5, x + 95, 85, x + 5, 85]] for k, x in enumerate(range(0, 1200, 100))}
    held = coco_of(boxes, masks)
    held["images"][0] |= {"width": 1200, "height": 90}
    (tmp_path / "boxes.json").write_text(json.dumps(held))
    data = open_boxes(tmp_path)
    assert data.split.startswith("by tile column") and [len(data.train), len(data.validation)] == [2, 1]
    whole = BoxedImages.of([data.train[0].image], [[]], [[]], ["wren"])
    assert whole[0].image.shape == (3, 90, 400)
    for part in (data.train, data.validation):
        for index in range(len(part)):
            sample = part[index]
            assert sample.masks is not None and sample.masks.shape == (4, 90, 400)
            assert np.array_equal(extents(sample.masks), sample.boxes)
    odd = open_boxes(tmp_path, tile=250)
    assert all(np.array_equal(extents(s.masks), s.boxes) for s in map(odd.train.__getitem__, range(len(odd.train))))
    assert sum(len(odd.train[k].ignored) + len(odd.train[k].boxes) for k in range(len(odd.train))) >= 10


def test_tree_crowns() -> None:
    assert DATASETS["deepforest"].kind == "boxes"
    data = open_boxes("deepforest")
    assert data.classes == ("Tree",) and not data.faults and data.test is not None
    assert data.policy[0] == "4 photos with 951 boxes of 1 class (Tree 951), in the form of Pascal VOC"
    assert [len(part) for part in (data.train, data.validation, data.test)] == [36, 10, 10]
    assert data.split.startswith("by tile column: tiles of at most 400 pixels that never overlap")
    sample = data.train[3]
    assert sample.image.shape[0] == 3 and max(sample.image.shape) <= 400
    by_photo = open_boxes("deepforest", split="photo", tile=400)
    assert {name.split(" ")[0] for name in by_photo.train.names}.isdisjoint(
        name.split(" ")[0] for name in by_photo.validation.names
    )
    assert by_photo.digest == data.digest
