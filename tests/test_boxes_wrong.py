"""Photos with boxes from files in which something is wrong: what is mended, what is left out by name, and what is refused."""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from minigrad.data import open_boxes
from minigrad.data.boxfind import find_boxes
from minigrad.data.detection import judged_boxes
from minigrad.data.masks import run_lengths
from minigrad.errors import ArgumentError, DataError, DTypeError
from tests.box_files import (
    BIRDS,
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

# ---------------------------------------------------------------- boxes that are wrong

NAN, INF = "nan", "inf"
# a row of a table -> the kind of the fault, and the box that is left (None where it is left out)
ROWS: dict[str, tuple[tuple[Any, Any, Any, Any, str], str, tuple[float, ...] | None]] = {
    "point": ((10, 10, 10, 10, "wren"), "zero-area", None),
    "line": ((10, 10, 10, 30, "wren"), "zero-area", None),
    "hair": ((10, 10, 10.2, 30, "wren"), "zero-area", None),
    "right of it": ((60, 10, 90, 30, "wren"), "outside", None),
    "above it": ((10, -30, 20, 0, "wren"), "outside", None),
    "a strip of it": ((59.8, 10, 90, 30, "wren"), "outside", None),
    "over the edge": ((50, -4, 70, 30, "wren"), "clipped", (50, 0, 60, 30)),
    "over all edges": ((-1, -1, 61, 41, "wren"), "clipped", (0, 0, 60, 40)),
    "swapped": ((30, 25, 10, 5, "wren"), "swapped", (10, 5, 30, 25)),
    "half swapped": ((30, 5, 10, 25, "wren"), "swapped", (10, 5, 30, 25)),
    "absurd": ((-5000, -5000, 5000, 5000, "wren"), "absurd", None),
    "huge": (("-1e300", 0, "1e300", 30, "wren"), "absurd", None),
    "beyond floats": (("-1e999", 0, "1e999", 30, "wren"), "no-numbers", None),
    "nan": ((NAN, 5, 30, 25, "wren"), "no-numbers", None),
    "infinite": ((10, 5, INF, 25, "wren"), "no-numbers", None),
    "word": ((10, 5, "thirty", 25, "wren"), "no-numbers", None),
    "nothing": ((10, 5, "", 25, "wren"), "no-numbers", None),
    "no class": ((10, 5, 30, 25, " "), "no-label", None),
}


@pytest.mark.parametrize("form", [voc, table])
@pytest.mark.parametrize("case", ROWS)
def test_a_wrong_box_is_named_and_the_others_are_read(case: str, form: Callable[..., Path], tmp_path: Path) -> None:
    row, kind, left = ROWS[case]
    form(tmp_path, {"a.png": [row], **SOUND})
    place = "a.xml, object 1" if form is voc else "boxes.csv, line 1"
    assert faults_of(tmp_path) == [(kind, place)]
    assert all_boxes(tmp_path)["a.png"] == ([] if left is None else [(*left, "wren")])
    data = open_boxes(tmp_path)
    assert sum(place in line for line in data.policy) == 1
    for part in (data.train, data.validation):
        for index in range(len(part)):
            boxes = part[index].boxes
            assert np.isfinite(boxes).all() and (boxes[:, 2:] > boxes[:, :2]).all()


@pytest.mark.parametrize("case", [name for name in ROWS if not isinstance(ROWS[name][0][2], str) and name != "no class"])
def test_a_wrong_box_of_coco_is_named(case: str, tmp_path: Path) -> None:
    row, kind, _ = ROWS[case]
    held = coco_of({"a.png": [(1, 1, 2, 2, "wren")], **SOUND})
    x1, y1, x2, y2 = (float(value) for value in row[:4])
    held["annotations"][0]["bbox"] = [x1, y1, x2 - x1, y2 - y1]
    photos(tmp_path, ["a.png", *SOUND])
    (tmp_path / "boxes.json").write_text(json.dumps(held))
    assert faults_of(tmp_path) == [(kind, "boxes.json, annotation 1 (id 0)")]


def test_copies_of_a_box(tmp_path: Path) -> None:
    table(tmp_path, {"a.png": [(1, 2, 30, 31, "wren"), (1, 2, 30, 31, "wren"), (1, 2, 30, 31, "robin")], **SOUND})
    assert faults_of(tmp_path) == [("duplicate", "boxes.csv, line 2"), ("two-labels", "boxes.csv, line 3")]
    assert len(all_boxes(tmp_path)["a.png"]) == 2


def test_a_photo_whose_boxes_are_all_left_out_is_told(tmp_path: Path) -> None:
    table(tmp_path, {"a.png": [(3, 3, 3, 9, "wren")], **SOUND})
    assert "of these, left without a box by what is left out below: a.png" in open_boxes(tmp_path).policy


def test_shares_of_the_sides_are_scaled(tmp_path: Path) -> None:
    table(tmp_path, {"a.png": [(0.25, 0.5, 0.5, 1.0, "wren")], "b.png": [(0, 0, 1, 1, "wren")]})
    assert all_boxes(tmp_path) == {"a.png": [(15, 20, 30, 40, "wren")], "b.png": [(0, 0, 60, 40, "wren")]}


# ---------------------------------------------------------------- photos that are wrong


def bomb(width: int, height: int) -> bytes:
    """A PNG file of a few bytes that says it is of this size."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def cut_short(path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:-2000])


PHOTOS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "not there": (lambda path: path.unlink(), "unknown-image"),
    "text": (lambda path: path.write_text("no image"), "undecodable"),
    "empty": (lambda path: path.write_bytes(b""), "undecodable"),
    "cut short": (cut_short, "undecodable"),
    "giant": (lambda path: path.write_bytes(bomb(20_000, 20_000)), "giant"),
    "large": (lambda path: path.write_bytes(bomb(9_000, 9_000)), "giant"),
    "larger than any": (lambda path: path.write_bytes(bomb(2_000_000_000, 2_000_000_000)), "giant"),
    "of another size": (lambda path: photo(path, 50, 50), "other-size"),
    "twice as large": (lambda path: photo(path, 120, 80), "scaled"),
}


@pytest.mark.parametrize("form", [voc, coco, table])
@pytest.mark.parametrize("case", PHOTOS)
def test_a_wrong_photo_is_named_and_the_others_are_read(case: str, form: Callable[..., Path], tmp_path: Path) -> None:
    spoil, kind = PHOTOS[case]
    form(tmp_path, {"a.png": [(10, 5, 30, 25, "wren")], **SOUND})
    spoil(tmp_path / "a.png")
    if form is table and kind in ("other-size", "scaled"):
        assert not faults_of(tmp_path)  # a table says no size
        return
    assert [kind for kind, _ in faults_of(tmp_path)] == [kind]
    found = all_boxes(tmp_path)
    assert set(SOUND) <= set(found)
    assert found.get("a.png") == ([(20, 10, 60, 50, "wren")] if kind == "scaled" else None)


def test_nothing_left_is_an_error_that_names_what_was_wrong(tmp_path: Path) -> None:
    table(tmp_path, {"a.png": [(3, 3, 3, 9, "wren")], "b.png": [("nan", 3, 3, 9, "wren")]})
    with pytest.raises(
        DataError, match=r"expected at least one sound box, got none in 2 photos .*boxes.csv, line 2: nan 3 3 9"
    ):
        open_boxes(tmp_path)


def test_images_that_no_row_names_are_left_out_and_told(tmp_path: Path) -> None:
    table(tmp_path, BIRDS)
    photo(tmp_path / "stray.png")
    (line,) = [line for line in open_boxes(tmp_path).policy if "without a row" in line]
    assert line.startswith("1 image without a row left out") and "stray.png" in line


# ---------------------------------------------------------------- files that are wrong

LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "lol">'
    + "".join(f'<!ENTITY {chr(98 + k)} "{f"&{chr(97 + k)};" * 10}">' for k in range(9))
    + "]>"
)
XML: dict[str, tuple[Any, str]] = {
    "billion laughs": (xml("&j;", [(1, 1, 9, 9, "&j;")], head=LAUGHS), "one with entities or a DTD"),
    "a file of the machine": (xml("&f;", [], head='<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/passwd">]>'), "or a DTD"),
    "a DTD": (xml("a.png", [], head='<!DOCTYPE annotation SYSTEM "http://127.0.0.1/a.dtd">'), "entities or a DTD"),
    "cut short": (xml("a.png", [(1, 1, 9, 9, "wren")])[:-30], "unclosed token"),
    "deep": ("<annotation>" + "<a>" * 5000, "more"),
    "junk": (bytes(range(256)) * 40, "not well-formed"),
    "another encoding": (b'<?xml version="1.0" encoding="klingon"?><annotation/>', "unknown encoding"),
    "empty": ("", "no element found"),
}  # fmt: skip


@pytest.mark.parametrize("case", XML)
def test_a_wrong_xml_file_is_named_and_the_others_are_read(case: str, tmp_path: Path) -> None:
    content, words = XML[case]
    voc(tmp_path, {"a.png": [], **SOUND})
    (tmp_path / "a.xml").write_bytes(content if isinstance(content, bytes) else content.encode())
    listing = find_boxes(str(tmp_path))
    assert [(fault.kind, fault.place) for fault in listing.faults] == [("annotations", "a.xml")]
    assert words in listing.faults[0].detail
    assert set(all_boxes(tmp_path)) == set(SOUND)
    with pytest.raises(DataError, match=r"expected at least one photo that the boxes are of, got none: a.xml"):
        find_boxes(str(tmp_path / "a.xml"))


JSON: dict[str, tuple[bytes, str]] = {
    "nested deep": (b'{"images": ' + b"[" * 100_000, "nested too deep"),
    "cut short": (json.dumps(coco_of(SOUND)).encode()[:-9], "Expecting"),
    "junk": (b"{" + bytes(range(128, 256)), "utf-8"),
    "many digits": (b'{"images": [], "annotations": [' + b"9" * 10_000 + b"]}", "digits"),
    "a list": (b"[]", "no lists of images and annotations"),
    "something else": (b'{"images": 1, "annotations": {}}', "no lists of images and annotations"),
}


@pytest.mark.parametrize("case", JSON)
def test_a_wrong_json_file_is_refused_alone_and_named_among_others(case: str, tmp_path: Path) -> None:
    content, words = JSON[case]
    coco(tmp_path, SOUND)
    (tmp_path / "instances_bad.json").write_bytes(content)
    assert set(all_boxes(tmp_path)) == set(SOUND)
    with pytest.raises(DataError, match=r"instances_bad.json") as caught:
        find_boxes(str(tmp_path / "instances_bad.json"))
    assert words in str(caught.value)


ENTRIES: dict[str, tuple[str, Any, str]] = {  # list -> an entry -> the fault
    "an image that is a number": ("images", 7, "annotations"),
    "an image without a name": ("images", {"id": 9}, "annotations"),
    "an image that is elsewhere": ("images", {"id": 9, "file_name": "../../../etc/passwd"}, "unknown-image"),
    "an annotation that is a text": ("annotations", "box", "annotations"),
    "of no image": ("annotations", {"image_id": 77, "category_id": 10, "bbox": [1, 1, 5, 5]}, "unknown-image"),
    "of a list": ("annotations", {"image_id": [1], "category_id": 10, "bbox": [1, 1, 5, 5]}, "unknown-image"),
    "of no category": ("annotations", {"image_id": 0, "category_id": 99, "bbox": [1, 1, 5, 5]}, "no-label"),
    "of a category that is a list": ("annotations", {"image_id": 0, "category_id": [], "bbox": [1, 1, 5, 5]}, "no-label"),
    "three numbers": ("annotations", {"image_id": 0, "category_id": 10, "bbox": [1, 1, 5]}, "no-numbers"),
    "texts": ("annotations", {"image_id": 0, "category_id": 10, "bbox": ["1", "1", "5", "5"]}, "no-numbers"),
    "yes and no": ("annotations", {"image_id": 0, "category_id": 10, "bbox": [True, 1, 5, 5]}, "no-numbers"),
    "a nan": ("annotations", {"image_id": 0, "category_id": 10, "bbox": [float("nan"), 1, 5, 5]}, "no-numbers"),
    "an integer beyond floats": ("annotations", {"image_id": 0, "category_id": 10, "bbox": [10**400, 1, 5, 5]}, "no-numbers"),
    "a category without a name": ("categories", {"id": 3}, "annotations"),
    "a mask of junk": (
        "annotations",
        {"image_id": 0, "category_id": 10, "bbox": [1, 1, 5, 5], "segmentation": {"size": [40, 60], "counts": "\x01"}},
        "mask",
    ),
    "a mask of a huge size": (
        "annotations",
        {"image_id": 0, "category_id": 10, "bbox": [1, 1, 5, 5], "segmentation": {"size": [10**9, 10**9], "counts": [10**18]}},
        "mask",
    ),
    "a polygon of two corners": (
        "annotations", {"image_id": 0, "category_id": 10, "bbox": [1, 1, 5, 5], "segmentation": [[1, 1, 5, 5, 6]]}, "mask",
    ),
    "a polygon out of the world": (
        "annotations", {"image_id": 0, "category_id": 10, "bbox": [1, 1, 5, 5], "segmentation": [[1, 1, 5, 5, 6e9, 1]]}, "mask",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ENTRIES)
def test_a_wrong_entry_of_coco_is_named_and_the_others_are_read(case: str, tmp_path: Path) -> None:
    which, entry, kind = ENTRIES[case]
    held = coco_of(SOUND)
    held[which].append(entry)
    photos(tmp_path, list(SOUND))
    (tmp_path / "boxes.json").write_text(json.dumps(held))
    assert [kind for kind, _ in faults_of(tmp_path)] == [kind]
    assert all_boxes(tmp_path) == {name: [tuple(box) for box in drawn] for name, drawn in SOUND.items()}


TABLES: dict[str, tuple[bytes, str]] = {
    "junk": (bytes(range(256)) * 40, "bytes of another encoding, or no text at all"),
    "zero bytes": (b"a.png,1,1,9,9,wren\0\n", "zero bytes"),
    "classes": (b"Dead,0\nAlive,1\n", "the first row Dead,0"),
    "a column too few": (b"a.png,1,1,9,wren\n", "the first row a.png,1,1,9,wren"),
    "other columns": (b"id,name\n1,wren\n", "the first row id,name"),
    "a centre and a size": (b"photo,xc,yc,w,h,kind\na.png,9,9,3,3,wren\n", "the first row photo,xc,yc,w,h,kind"),
    "nothing": (b"", "no rows"),
    "a cell without end": (b'a.png,1,1,9,9,"' + b"x" * 200_000, "field larger"),
}


@pytest.mark.parametrize("case", TABLES)
def test_a_wrong_table_is_refused_alone_and_named_among_others(case: str, tmp_path: Path) -> None:
    content, words = TABLES[case]
    (tmp_path / "alone.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"alone.csv") as caught:
        find_boxes(str(tmp_path / "alone.csv"))
    assert words in str(caught.value)
    with pytest.raises(DataError, match=r"no images, 1 .csv files and no boxes: alone.csv: ") as caught:
        find_boxes(str(tmp_path))
    assert words in str(caught.value)
    table(tmp_path, SOUND)
    assert [(fault.kind, fault.place) for fault in find_boxes(str(tmp_path)).faults] == [("annotations", "alone.csv")]


def test_images_of_coco_that_share_an_id_are_named(tmp_path: Path) -> None:
    """Whose the boxes are nobody knows: neither image is taken, for one of them would seem to be empty."""
    held = coco_of(SOUND)
    held["images"] += [{"id": 0, "file_name": "y.png"}]
    photos(tmp_path, [*SOUND, "y.png"])
    (tmp_path / "boxes.json").write_text(json.dumps(held))
    first, *others = SOUND
    assert [kind for kind, _ in faults_of(tmp_path)] == ["annotations"] * 2
    assert set(all_boxes(tmp_path)) == set(others) and first not in all_boxes(tmp_path)


def test_a_category_of_coco_with_two_names_is_none(tmp_path: Path) -> None:
    """What its boxes are nobody knows; the same name twice does no harm."""
    held = coco_of({"a.png": [(10, 5, 30, 25, "gull"), (5, 5, 20, 20, "wren")], **SOUND})
    photos(tmp_path, ["a.png", *SOUND])
    held["categories"] += [{"id": 11, "name": " wren"}, {"id": 10, "name": "tern"}]
    (tmp_path / "boxes.json").write_text(json.dumps(held))
    faults = judged_boxes(str(tmp_path))[0].faults
    assert [(fault.kind, fault.detail) for fault in faults] == [
        ("annotations", "the category id 10 has several names, gull, tern"),
        ("no-label", "category 10"),
    ]
    assert all_boxes(tmp_path)["a.png"] == [(5, 5, 20, 20, "wren")]


OUTLINED: dict[str, tuple[Any, Any]] = {  # a segmentation -> the box around it, or what is said of it
    "a polygon": ([[10, 5, 30, 7, 12, 25]], (10, 5, 30, 25)),
    "several polygons": ([[10, 5, 30, 7, 12, 25], [40, 30, 50, 30, 50, 35.5]], (10, 5, 50, 35.5)),
    "a polygon and a line": ([[10, 5, 30, 7, 12, 25], [40, 30, 50, 30]], (10, 5, 30, 25)),
    "run lengths": ({"size": [HEIGHT, WIDTH], "counts": [85, 3, 77, 5, 2230]}, (2, 5, 5, 10)),
    "run lengths in one column": ({"size": [HEIGHT, WIDTH], "counts": [85, 3, 2, 0, 2310]}, (2, 5, 3, 8)),
    "run lengths around an edge": ({"size": [HEIGHT, WIDTH], "counts": [75, 20, 2305]}, (1, 0, 3, 40)),
    "run lengths as a text": ({"size": [HEIGHT, WIDTH], "counts": run_lengths(np.eye(HEIGHT, WIDTH)).packed()}, (0, 0, 40, 40)),
    "an empty mask": ({"size": [HEIGHT, WIDTH], "counts": [2400]}, "as its segmentation an empty mask"),
    "a line": ([[40, 30, 50, 30]], r"as its segmentation \[\[40, 30, 50, 30\]\]"),
    "no size": ({"counts": [2400]}, "as its segmentation one of size None"),
    "a size beyond any": ({"size": [10**30, 1], "counts": [0, 10**30]}, "as its segmentation one of size"),
    "nothing": ([], "^no bbox$"),
}


@pytest.mark.parametrize("case", OUTLINED)
def test_an_annotation_of_coco_without_a_box_has_that_of_its_segmentation(case: str, tmp_path: Path) -> None:
    given, expected = OUTLINED[case]
    held = coco_of({"a.png": [(1, 1, 3, 3, "wren")], **SOUND}, {"a.png 0": given})
    del held["annotations"][0]["bbox"]
    photos(tmp_path, ["a.png", *SOUND])
    (tmp_path / "boxes.json").write_text(json.dumps(held))
    if isinstance(expected, tuple):
        assert all_boxes(tmp_path)["a.png"] == [(*expected, "wren")]
        if isinstance(given, dict):  # the extent of the pixels themselves
            held["annotations"][0]["bbox"] = [0, 0, WIDTH, HEIGHT]
            (tmp_path / "boxes.json").write_text(json.dumps({**held, "annotations": held["annotations"][:1]}))
            (sound,) = [photo for photo in judged_boxes(str(tmp_path))[0].photos if photo.name == "a.png"]
            assert painted_over(sound.mask(0) * np.uint8(255)) == expected
        return
    (fault,) = judged_boxes(str(tmp_path))[0].faults
    assert fault.kind == "no-numbers"
    assert re.search(expected, fault.detail)


def test_rows_of_too_few_cells_are_named(tmp_path: Path) -> None:
    table(tmp_path, SOUND)
    with open(tmp_path / "boxes.csv", "a") as file:
        file.write("y.png,1,2\n")
    assert faults_of(tmp_path) == [("no-numbers", "boxes.csv, line 3")]


REFUSED: dict[str, tuple[Callable[[Path], Any], str]] = {
    "nothing there": (lambda folder: None, "got no images and no boxes"),
    "images alone": (lambda folder: photos(folder, ["a.png", "b.png"]), "got 2 images and no boxes"),
    "YOLO": (
        lambda folder: (photos(folder, ["a.png"]) / "a.txt").write_text("0 0.5 0.5 0.1 0.1"),
        "look like YOLO's: save them as COCO or Pascal VOC",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_folder_without_boxes_says_what_there_is(case: str, tmp_path: Path) -> None:
    fill, words = REFUSED[case]
    fill(tmp_path)
    with pytest.raises(DataError, match="photos with boxes") as caught:
        open_boxes(tmp_path)
    assert words in str(caught.value)


def test_no_such_path_names_the_closest(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"one of the named sets deepforest, scenes, scenes-digits.*closest to it is deepforest"
    ):
        open_boxes("deepforst")
    with pytest.raises(DataError, match="the first row hello"):
        path = tmp_path / "notes.txt"
        path.write_text("hello")
        open_boxes(path)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"split": "half"}, ArgumentError, "one of photo, column"),
        ({"channels": 2}, ArgumentError, "1 .grey. or 3"),
        ({"holdout": 1.0}, ArgumentError, "a share from 0 to below 0.9"),
        ({"holdout": 0}, ArgumentError, "a share above 0"),
        ({"tile": 3}, ArgumentError, "at least 16 pixels"),
        ({"longest": 1}, ArgumentError, "16"),
        ({"seed": 0.5}, DTypeError, "seed"),
    ],
)
def test_arguments(options: dict[str, Any], error: type[Exception], words: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=words):
        open_boxes(tmp_path, **options)
    with pytest.raises(DTypeError, match="the name of a data set or a path"):
        open_boxes(3)  # type: ignore[arg-type]
