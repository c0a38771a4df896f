"""Photos with boxes from files of all forms: the same is found in each, and what a form has of its own."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from minigrad.data import BoxedImages, open_boxes
from minigrad.data.boxfind import find_boxes
from minigrad.data.detection import judged_boxes
from minigrad.data.masks import polygon_pixels, run_lengths
from minigrad.errors import ArgumentError, DataError, DTypeError, IndexingError, ShapeError
from tests.box_files import (
    BIRDS,
    HEADER,
    HEIGHT,
    SOUND,
    WIDTH,
    all_boxes,
    coco,
    coco_of,
    faults_of,
    painted_over,
    photo,
    photos,
    table,
    voc,
    xml,
)

FORMS: dict[str, Callable[[Path], Any]] = {
    "voc": lambda folder: voc(folder, BIRDS),
    "voc in folders": lambda folder: voc(folder, BIRDS, "Annotations"),
    "coco": lambda folder: coco(folder, BIRDS),
    "coco in folders": lambda folder: coco(folder, BIRDS, "annotations/boxes.json"),
    "retinanet": lambda folder: table(folder, BIRDS),
    "deepforest": lambda folder: table(folder, BIRDS, HEADER),
    "deepforest, empty as zeros": lambda folder: table(folder, BIRDS, HEADER, empty="0,0,0,0"),
    "semicolons": lambda folder: (
        table(folder, BIRDS, HEADER) / "boxes.csv"
    ).write_text((folder / "boxes.csv").read_text().replace(",", ";")),
    "utf-16": lambda folder: (
        table(folder, BIRDS, HEADER) / "boxes.csv"
    ).write_bytes((folder / "boxes.csv").read_text().encode("utf-16")),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_every_form_says_the_same(form: str, tmp_path: Path) -> None:
    folder = tmp_path / "birds"
    FORMS[form](folder)
    assert all_boxes(folder) == {name: sorted(map(tuple, drawn)) for name, drawn in BIRDS.items()}
    data = open_boxes(folder)
    assert data.classes in (("robin", "wren"),) and not data.faults
    assert len(data.train) + len(data.validation) == 5 and data.test is None
    assert "1 photo without boxes kept as empty one" in data.policy
    sample = data.train[0]
    assert sample.image.shape == (3, HEIGHT, WIDTH) and sample.image.dtype == np.uint8
    assert (sample.boxes.dtype, sample.labels.dtype, sample.masks) == (np.float32, np.int64, None)


@pytest.mark.parametrize("form", ["voc", "coco", "retinanet"])
def test_the_file_of_the_boxes_is_a_path_too(form: str, tmp_path: Path) -> None:
    FORMS[form](tmp_path)
    path = next(path for path in tmp_path.iterdir() if path.suffix in (".xml", ".json", ".csv") and path.stem != "c")
    found = all_boxes(path)
    assert found and set(found) <= set(BIRDS)


def test_the_digest_is_of_contents_and_not_of_the_place(tmp_path: Path) -> None:
    voc(tmp_path / "one", BIRDS)
    shutil.copytree(tmp_path / "one", tmp_path / "two" / "deeper")
    one, two = open_boxes(tmp_path / "one"), open_boxes(tmp_path / "two" / "deeper", seed=3)
    assert one.digest == two.digest
    (tmp_path / "one" / "a.xml").write_text(xml("a.png", [(10, 5, 30, 26, "wren")]))
    assert open_boxes(tmp_path / "one").digest != one.digest


# ---------------------------------------------------------------- what forms have of their own


@pytest.mark.parametrize("header", ["image_name,x,y,width,height,label", "filename,bbox_x,bbox_y,bbox_width,bbox_height,class"])
def test_corners_beside_widths_and_heights(header: str, tmp_path: Path) -> None:
    table(tmp_path, {"a.png": [(10, 5, 20, 20, "wren")], "b.png": [(40, 20, 15, 18, "robin")]}, header)
    assert all_boxes(tmp_path) == {"a.png": [(10, 5, 30, 25, "wren")], "b.png": [(40, 20, 55, 38, "robin")]}
    assert any("beside width and height" in note for note in find_boxes(str(tmp_path)).notes)


CELLS: dict[str, tuple[str, list[str], Any]] = {  # header, rows -> the boxes, or what is said
    "as wheat has it": (
        "image_id,width,height,bbox,source",
        ['a,60,40,"[10.0, 5.0, 20.0, 20.0]",usask_1', 'a,60,40,"[40, 20, 15, 18]",usask_1', 'b,60,40,"[1, 1, 9, 30]",ethz_1'],
        {"a.png": [(10, 5, 30, 25, "object"), (40, 20, 55, 38, "object")], "b.png": [(1, 1, 10, 31, "object")]},
    ),
    "corners": (
        "image_id,width,height,bbox,class",
        ['a.png,60,40,"(10, 5, 30, 25)",wren', 'a.png,60,40,"(40, 20, 55, 38)",robin', "b.png,60,40,[],"],
        {"a.png": [(10, 5, 30, 25, "wren"), (40, 20, 55, 38, "robin")], "b.png": []},
    ),
    "extents without the pictures' sizes": (
        "image,bbox,class",
        ["a.png,40 20 15 18,wren", "b.png,50 9 10 30,wren"],
        {"a.png": [(40, 20, 55, 38, "wren")], "b.png": [(50, 9, 60, 39, "wren")]},
    ),
    "corners by name": ("image,bbox_xyxy,class", ['a.png,"[1, 2, 3, 4]",wren'], {"a.png": [(1, 2, 3, 4, "wren")]}),
    "extents by name": ("image,bbox (xywh),class", ['a.png,"[1, 2, 3, 4]",wren'], {"a.png": [(1, 2, 4, 6, "wren")]}),
    "either": ("image,width,height,bbox", ['a.png,60,40,"[1, 2, 3, 4]"'], "could be either"),
    "now this and now that": (
        "image,width,height,bbox", ['a.png,60,40,"[40, 20, 15, 18]"', 'a.png,60,40,"[40, 20, 55, 38]"'], "could be either",
    ),
    "few without the pictures' sizes": (
        "image,bbox,class", ["a.png,40 20 55 38,wren", "a.png,9 9 20 20,wren", "b.png,50 9 10 30,wren"],
        r"could be either. Give x1, y1, x2 and y2 a column each, or name the column bbox_xywh or bbox_xyxy",
    ),
    "no numbers": ("image,bbox_xywh", ['a.png,"[1, 2, 3]"', 'b.png,"[1, 2, 3, 4]"'], ("no-numbers", "[1, 2, 3] ? ? ?")),
    "too few cells": ("image,class,bbox_xywh", ["a.png,wren", 'b.png,wren,"1 2 3 4"'], ("no-numbers", "2 cells: a.png,wren")),
}  # fmt: skip


@pytest.mark.parametrize("case", CELLS)
def test_boxes_in_a_single_cell(case: str, tmp_path: Path) -> None:
    header, rows, expected = CELLS[case]
    photos(tmp_path, ["a.png", "b.png"])
    (tmp_path / "train.csv").write_text("\n".join([header, *rows]))
    if isinstance(expected, dict):
        assert all_boxes(tmp_path) == expected
        (form,) = [note for note in find_boxes(str(tmp_path)).notes if "taken as" in note]
        assert ("width and height" in form) == ("corners" not in case)
    elif isinstance(expected, tuple):
        assert [(fault.kind, fault.detail) for fault in find_boxes(str(tmp_path)).faults] == [expected]
    else:
        for path in (tmp_path, tmp_path / "train.csv"):
            with pytest.raises(DataError, match=expected):
                find_boxes(str(path))


def test_published_voc_counts_from_one_and_difficult_boxes_are_ignored(tmp_path: Path) -> None:
    photos(tmp_path / "JPEGImages", ["a.png", "b.png"])
    (tmp_path / "Annotations").mkdir()
    text = xml("a.png", [(1, 1, 60, 40, "wren")]).replace("<folder>photos", "<folder>VOC2007")
    (tmp_path / "Annotations" / "a.xml").write_text(text)
    (tmp_path / "Annotations" / "b.xml").write_text(xml("b.png", [(5, 5, 9, 9, "wren")], extra="<difficult>1</difficult>"))
    judged, _ = judged_boxes(str(tmp_path))
    first, second = judged.photos
    assert first.boxes.tolist() == [[0, 0, 60, 40]] and not judged.faults
    assert (len(second.boxes), second.ignored.tolist(), second.ignored_labels.tolist()) == (0, [[5, 5, 9, 9]], [0])


def test_sets_of_voc_and_names_inside_that_are_wrong(tmp_path: Path) -> None:
    voc(tmp_path, BIRDS, "Annotations")
    (tmp_path / "ImageSets" / "Main").mkdir(parents=True)
    for part, names in (("train", "a\nb\nc"), ("val", "d"), ("test", "e")):
        (tmp_path / "ImageSets" / "Main" / f"{part}.txt").write_text(names)
    data = open_boxes(tmp_path)
    assert data.test is not None
    assert [list(part.names) for part in (data.train, data.validation, data.test)] == [
        ["a.png", "b.png", "c.png"], ["d.png"], ["e.png"],
    ]  # fmt: skip
    assert data.split == "as the data are split"
    (tmp_path / "Annotations" / "a.xml").write_text(xml("renamed.tif", BIRDS["a.png"]))
    assert all_boxes(tmp_path)["a.png"] == [tuple(box) for box in BIRDS["a.png"]]


def test_coco_for_each_part_with_masks_and_crowds(tmp_path: Path) -> None:
    square = [[10, 5, 30, 5, 30, 25, 10, 25]]
    whole = run_lengths(np.pad(np.ones((20, 20), bool), ((5, 15), (5, 35))))
    masks = {"a.png 0": square, "d.png 0": {"size": [HEIGHT, WIDTH], "counts": whole.counts.tolist()}}
    masks |= {"e.png 0": {"size": [HEIGHT, WIDTH], "counts": whole.packed()}}
    names = {"train": ["a.png", "c.png", "d.png"], "val": ["e.png"]}
    for part, chosen in names.items():
        boxes = {f"{part}/{name}": BIRDS[name][:1] for name in chosen}
        held = coco_of(boxes, {f"{part}/{key}": value for key, value in masks.items()})
        photos(tmp_path / "images", list(boxes))
        if part == "train":
            crowd = {"id": 99, "image_id": 1, "category_id": 10, "bbox": [1, 2, 5, 5], "iscrowd": 1}
            held["annotations"].append({**crowd, "segmentation": {"size": [HEIGHT, WIDTH], "counts": [WIDTH * HEIGHT]}})
            held["categories"].append({"id": 99, "name": "unseen"})
        (tmp_path / f"instances_{part}2017.json").write_text(json.dumps(held))
    data = open_boxes(tmp_path)
    assert data.classes == ("wren",) and not data.faults and data.train.has_masks
    assert "1 category without boxes left out" in data.policy
    assert [len(part) for part in (data.train, data.validation)] == [3, 1]
    first, second, third = (data.train[index] for index in range(3))
    assert first.masks is not None and third.masks is not None and second.masks is not None
    assert np.array_equal(first.masks[0], polygon_pixels(square, HEIGHT, WIDTH)) and first.masks[0, 5:25, 10:30].all()
    assert np.array_equal(third.masks[0], whole.pixels())
    assert second.masks.shape == (0, HEIGHT, WIDTH) and second.ignored.tolist() == [[1, 2, 6, 7]]


def test_a_few_boxes_without_masks_are_ignored_and_many_leave_masks_unused(tmp_path: Path) -> None:
    boxes = {"a.png": [(k, 0, k + 3, 30, "wren") for k in range(20)], "b.png": [(1, 1, 9, 9, "wren")]}
    masks = {f"a.png {k}": [[k, 0, k + 3, 0, k + 3, 30, k, 30]] for k in range(20)}
    coco(tmp_path, boxes, masks=masks)
    judged, _ = judged_boxes(str(tmp_path))
    assert judged.masks and [fault.kind for fault in judged.faults] == ["no-mask"]
    assert len(judged.photos[1].ignored) == 1
    coco(tmp_path, boxes, masks={"a.png 0": masks["a.png 0"]})
    judged, _ = judged_boxes(str(tmp_path))
    assert not judged.masks and "masks not used: only 1 of 21 boxes have one" in judged.notes


def test_images_of_one_name_in_several_folders(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        photo(tmp_path / folder / "a.png", seed=len(folder) + ord(folder[0]))
        (tmp_path / folder / "boxes.csv").write_text(f"a.png,1,1,{ord(folder[0]) % 50},9,wren\n")
    assert {name: box[0][2] for name, box in all_boxes(tmp_path).items()} == {"one/a.png": 11.0, "two/a.png": 16.0}
    (tmp_path / "all.csv").write_text("a.png,1,1,30,9,wren\n")
    os.remove(tmp_path / "one" / "boxes.csv")
    assert ("unknown-image", "all.csv, line 1") in faults_of(tmp_path)


def test_windows_paths_absolute_paths_and_other_columns(tmp_path: Path) -> None:
    photos(tmp_path / "x", ["a.png", "b.png", "c.png"])
    outside = photo(tmp_path / "elsewhere" / "far.png")
    rows = [
        "filename,width,height,class,xmin,ymin,xmax,ymax,split",
        r"images\a.png,60,40,wren,1,2,30,31,train",
        f"{outside},60,40,wren,1,2,30,31,test",
        "b,60,40,wren,1,2,30,31,valid",
    ]
    (tmp_path / "x" / "t.csv").write_text("\n".join(rows))
    listing = find_boxes(str(tmp_path / "x"))
    assert [photo.part for photo in listing.photos.values()] == ["train", "test", "validation"] and not listing.faults


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_of_a_picture_before_its_exif_entry_turns_it(orientation: int, times: int, tmp_path: Path) -> None:
    """An annotation that has the size of the unturned picture has its boxes; one of the turned size the others."""
    drawn, other = (4, 3, 10, 21), (30, 28, 58, 38)
    held = np.zeros((2, HEIGHT, WIDTH), np.uint8)
    for layer, (x1, y1, x2, y2) in zip(held, (drawn, other)):
        layer[y1:y2, x1:x2] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    shown = []
    for layer in held:
        Image.fromarray(layer).save(tmp_path / "a.webp", lossless=True, exif=exif)
        shown.append(np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "a.webp")).convert("L")))
    expected = [(*painted_over(layer), "wren") for layer in shown]
    corners = [tuple(value * times for value in box) for box in (drawn, other)]
    boxes = {"a.webp": [(*box, "wren") for box in corners]}
    quarter = orientation > 4
    (tmp_path / "a.xml").write_text(xml("a.webp", boxes["a.webp"], (WIDTH * times, HEIGHT * times)))
    kinds = [kind for kind, _ in faults_of(tmp_path)]
    assert kinds == ["turned"] * quarter + ["scaled"] * (times - 1)
    as_drawn = [(*box, "wren") for box in (drawn, other)]
    assert all_boxes(tmp_path) == {"a.webp": sorted(expected if quarter else as_drawn)}
    sides = (HEIGHT, WIDTH) if quarter else (WIDTH, HEIGHT)
    (tmp_path / "a.xml").write_text(xml("a.webp", expected, sides))
    assert all_boxes(tmp_path) == {"a.webp": sorted(expected)} and not faults_of(tmp_path)
    if times == 1:
        (tmp_path / "a.xml").unlink()
        outline = [[x1, y1, x2, y1, x2, y2, x1, y2] for x1, y1, x2, y2 in (drawn,)]
        runs = run_lengths(held[1] > 0).counts.tolist()
        masks = {"a.webp 0": outline, "a.webp 1": {"size": [HEIGHT, WIDTH], "counts": runs}}
        (tmp_path / "a.json").write_text(json.dumps(coco_of(boxes, masks)))
        (sound,) = judged_boxes(str(tmp_path))[0].photos
        layers = shown if quarter else list(held)
        assert [sound.mask(row).tolist() for row in range(2)] == [(layer == 255).tolist() for layer in layers]


def test_boxes_that_only_the_turned_picture_has_room_for_are_left_out_by_name(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    table(tmp_path, SOUND)
    Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "a.jpg", exif=exif)
    rows = [
        f"{name},60,40,{','.join(map(str, box))}"
        for name, drawn in {"a.jpg": [(5, 30, 25, 58, "wren")], **SOUND}.items()
        for box in drawn
    ]
    (tmp_path / "boxes.csv").write_text("\n".join(["image,width,height,x1,y1,x2,y2,label", *rows]))
    judged, _ = judged_boxes(str(tmp_path))
    assert [(fault.kind, fault.image) for fault in judged.faults] == [("other-size", "a.jpg")]
    assert judged.faults[0].detail == "60x40 pixels by its annotation, 40x60 in fact, turned by its EXIF entry"


def test_grey_and_shrunk(tmp_path: Path) -> None:
    voc(tmp_path, BIRDS)
    data = open_boxes(tmp_path, channels=1, longest=30)
    assert {data.train[index].image.shape for index in range(len(data.train))} == {(1, 20, 30)}
    boxes = {name: part.targets(k)[0].tolist() for part in (data.train, data.validation) for k, name in enumerate(part.names)}
    assert boxes["b.png"] == [[0, 0, 30, 20]] and boxes["a.png"] == [[5, 2.5, 15, 12.5], [20, 10, 27.5, 19]]


def test_photos_that_do_not_fit_into_memory_are_read_when_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    voc(tmp_path, BIRDS)
    kept = open_boxes(tmp_path).train[0]
    monkeypatch.setattr("minigrad.data.detection.judged_boxes", lambda name, **options: judged_boxes(name, keep=9, **options))
    data = open_boxes(tmp_path)
    assert any(line.startswith("memory: the pixels would take") for line in data.policy)
    for _ in range(2):
        assert np.array_equal(data.train[0].image, kept.image)
    (tmp_path / data.train.names[1]).unlink()
    with pytest.raises(DataError, match="a link to one that is not there"):
        data.train[1]


def test_an_image_set_of_arrays() -> None:
    image = np.zeros((3, 10, 20), np.uint8)
    masks = np.zeros((1, 10, 20), bool)
    masks[0, 2:5, 3:9] = True
    made = BoxedImages.of([image, image], [[[3, 2, 9, 5]], []], [[0], []], ["wren"], [masks, []])
    assert made.has_masks and np.array_equal(made[0].masks, masks) and made[1].masks.shape == (0, 10, 20)  # type: ignore[union-attr]
    assert made.size(0) == (10, 20) and made.subset([1]).names == ["image 1"]
    sample = made[0]
    sample.boxes[:], sample.image[:] = 0, 9
    assert made[0].boxes.tolist() == [[3, 2, 9, 5]] and made[0].image.max() == 0
    wrong: list[tuple[tuple[Any, ...], type[Exception], str]] = [
        (([image], [[[3, 2, 3, 5]]], [[0]], ["a"]), ArgumentError, "got 3 2 3 5"),
        (([image], [[[3, 2, 30, 5]]], [[0]], ["a"]), ArgumentError, "x2 <= 20"),
        (([image], [[[np.nan, 2, 3, 5]]], [[0]], ["a"]), ArgumentError, "nan"),
        (([image], [[3, 2, 3, 5]], [[0]], ["a"]), ShapeError, r"\(n, 4\)"),
        (([image], [[[3, 2, 9, 5]]], [[1]], ["a"]), IndexingError, "class numbers from 0 to 0"),
        (([image], [[[3, 2, 9, 5]]], [[0, 0]], ["a"]), ShapeError, "one for each of 1 boxes"),
        (([image], [], [[0]], ["a"]), ShapeError, "as many as images"),
        (([image.astype(float)], [[]], [[]], ["a"]), DTypeError, "uint8"),
        (([image[0]], [[]], [[]], ["a"]), ShapeError, r"\(C, H, W\)"),
    ]
    for arguments, error, words in wrong:
        with pytest.raises(error, match=words):
            BoxedImages.of(*arguments)
    with pytest.raises(IndexingError):
        made[2]
