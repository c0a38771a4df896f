"""The check of labelled images as a whole: clean data yield nothing, and what spoils single files is found."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from minigrad.data.check import check_images, pictures
from minigrad.data.labelled import open_images
from minigrad.errors import DataError, MinigradError
from tests.checked_folders import EACH, HELD_OUT, clean_folder, clean_parts, copy_of, lines, save, scene, told
from tests.published_files import IDX, idx_arrays, write_idx


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clean_folder(tmp_path_factory.mktemp("clean"))


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clean_parts(tmp_path_factory.mktemp("parts"))


def test_a_clean_folder_yields_nothing(clean: Path, parts: Path) -> None:
    report = check_images(clean)
    assert (report.findings, report.size, report.set_aside) == ((), 2 * EACH, {})
    assert report.about == "24x24 pixels, colour"
    assert report.counts == {"train": {"cat": EACH, "dog": EACH}}
    report = check_images(str(parts))
    assert report.findings == ()
    assert report.counts == {"train": {"cat": EACH, "dog": EACH}, "test": {"cat": HELD_OUT, "dog": HELD_OUT}}
    assert report.groups == ("cat", "dog")


def test_digits_that_resemble_each_other_are_no_copies() -> None:
    report = check_images("mnist5k")
    assert (report.findings, report.size, report.about) == ((), 5000, "28x28 pixels, grey")


# ---------------------------------------------------------------- faults of single files


def blank(path: Path) -> None:
    save(path, np.full((24, 24, 3), (9, 90, 200), np.uint8))


def animated(path: Path) -> None:
    frames = [Image.fromarray(scene(n)) for n in (7001, 7002)]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def turned(path: Path) -> None:
    entry = Image.Exif()
    entry[0x0112] = 6
    Image.fromarray(scene(7003, 24, 30)).save(path, exif=entry)


def see_through(path: Path, least: int = 0) -> None:
    image = Image.fromarray(scene(7004)).convert("RGBA")
    image.putalpha(Image.fromarray(np.linspace(least, 255, 24 * 24).reshape(24, 24).astype(np.uint8)))
    image.save(path)


def palette(path: Path) -> None:
    Image.fromarray(scene(7005)).quantize(16).save(path, transparency=3)


def cut(path: Path) -> None:
    whole = BytesIO()
    Image.fromarray(scene(7006, 90, 90)).save(whole, "JPEG")
    path.write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])


def not_a_number(path: Path) -> None:
    values = scene(7007)[..., 0] / np.float32(255)
    values[3, 5] = np.nan
    Image.fromarray(values.astype(np.float32)).save(path)


def saved(seed: int, width: int = 24, height: int = 24, mode: str = "RGB", **options: Any) -> Callable[[Path], None]:
    return lambda path: Image.fromarray(scene(seed, width, height)).convert(mode).save(path, **options)


def deep(path: Path) -> None:
    Image.fromarray((scene(7008)[..., 0].astype(np.uint16) << 8) + 3).save(path)


SINGLE: list[tuple[str, Callable[[Path], object], str, str]] = [
    ("cat/cut.jpg", cut, "error undecodable", "cat/cut.jpg: one cut short"),
    ("cat/text.jpg", lambda path: path.write_text("hello"), "error undecodable", "cat/text.jpg: contents of no format"),
    ("cat/empty.png", lambda path: path.write_bytes(b""), "error undecodable", "cat/empty.png: "),
    ("cat/gone.png", lambda path: path.symlink_to("nowhere.png"), "error undecodable", "cat/gone.png: a link to a file"),
    ("cat/nan.tiff", not_a_number, "error values", "cat/nan.tiff: 1 NaN or infinite"),
    ("cat/blank.png", blank, "warning blank", "cat/blank.png: 24x24 pixels"),
    ("cat/tiny.png", saved(7010, 20, 7), "warning tiny", "cat/tiny.png: 20x7 pixels"),
    ("cat/long.png", saved(7011, 97, 24), "warning stretched", "cat/long.png: 97x24 pixels"),
    ("cat/really.jpg", saved(7012, format="PNG"), "note misnamed", "cat/really.jpg: PNG inside, JPEG by its name"),
    ("cat/no-suffix", saved(7013, format="PNG"), "note misnamed", "cat/no-suffix: PNG inside, no format by its name"),
    ("cat/turned.jpg", turned, "note turned", "cat/turned.jpg: 30x24 pixels upright"),
    ("cat/film.gif", animated, "note animated", "cat/film.gif: GIF"),
    ("cat/glass.png", see_through, "note transparent", "cat/glass.png: RGBA"),
    ("cat/palette.png", palette, "note transparent", "cat/palette.png: P"),
    ("cat/print.jpg", saved(7014, mode="CMYK"), "note other-colours", "cat/print.jpg: CMYK"),
    ("cat/deep.png", deep, "note deep, note mixed-colours", "cat/deep.png: I;16"),
    ("cat/grey.png", saved(7015, mode="L"), "note mixed-colours", "cat/grey.png"),
    ("cat/notes.txt", lambda path: path.write_text("x"), "note not-images", "cat/notes.txt"),
    ("cat/Thumbs.db", lambda path: path.write_text("x"), "note junk", "cat/Thumbs.db"),
    (".DS_Store", lambda path: path.write_text("x"), "note junk", ".DS_Store"),
    (".hidden", lambda path: path.mkdir(), "note junk", ".hidden/"),
    ("cat/photo.heic", lambda path: path.write_text("x"), "warning unread-format", "cat/photo.heic"),
    ("loose.png", saved(7016), "warning outside", "loose.png"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "plant", "expected", "line"), SINGLE, ids=[row[0] for row in SINGLE])
def test_a_fault_of_one_file(
    name: str, plant: Callable[[Path], object], expected: str, line: str, clean: Path, tmp_path: Path
) -> None:
    folder = copy_of(clean, tmp_path)
    plant(folder / name)
    report = check_images(folder)
    assert told(report) == expected
    assert lines(report, expected.split(",")[0].split()[1])[0].startswith(line)
    aside = [name] if "error" in expected else []
    assert list(report.set_aside) == aside
    assert bool(report.errors) == bool(aside)


def test_transparency_that_is_nowhere_used_is_none(clean: Path, tmp_path: Path) -> None:
    folder = copy_of(clean, tmp_path)
    see_through(folder / "cat" / "glass.png", least=255)
    assert check_images(folder).findings == ()


def test_a_file_that_may_not_be_read_is_left_alone(clean: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, *rest: Any) -> Any:
        if path.endswith("3.png"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return open(path, *rest)

    monkeypatch.setattr(pictures, "open", refuse, raising=False)
    report = check_images(clean)
    assert told(report) == "error unreadable, warning little-data"
    assert lines(report, "unreadable")[0] == "cat/3.png: Permission denied"
    assert report.set_aside == {}
    assert report.size == 2 * EACH - 4


def test_an_image_that_is_too_large_names_the_bound(clean: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = copy_of(clean, tmp_path)
    save(folder / "cat" / "large.png", scene(7020, 40, 40))
    monkeypatch.setattr("minigrad.data.decode.LARGEST_PIXELS", 1000)
    assert "at most 1,000 pixels" in lines(check_images(folder), "undecodable")[0]
    monkeypatch.undo()
    monkeypatch.setattr("minigrad.data.check.single.HUGE", 1000)
    assert lines(check_images(folder), "huge") == ["cat/large.png: 40x40 pixels"]


def test_names_of_every_kind(clean: Path, tmp_path: Path) -> None:
    folder = copy_of(clean, tmp_path)
    names = ["new\nline.png", 'tab\tand "quote".png', os.fsdecode(b"latin \xe9.png"), "[red]markup[bold].png"]
    for name in names:
        (folder / "cat" / name).write_text("no image")
    report = check_images(folder)
    (finding,) = report.findings
    assert set(finding.files) == {f"cat/{name}" for name in names}
    assert json.loads(json.dumps(report.as_json()))["findings"][0]["files"] == list(finding.files)


def test_all_of_one_class_grey_tells_the_class(clean: Path, tmp_path: Path) -> None:
    folder = copy_of(clean, tmp_path)
    for path in (folder / "dog").iterdir():
        with Image.open(path) as image:
            grey = image.convert("L")
        grey.save(path)
    report = check_images(folder)
    assert told(report) == "warning colour-tells-class"
    assert "all of dog are grey, and none of cat" in report.findings[0].words
    assert report.about == "24x24 pixels, grey and colour"


# ---------------------------------------------------------------- what is no folder of images


def test_published_files(tmp_path: Path) -> None:
    arrays = idx_arrays(train=40, test=20)
    labels, others = arrays[IDX[1]], arrays[IDX[3]]
    labels[:], others[:] = np.arange(40) % 2, np.arange(20) % 2
    images, held_out = arrays[IDX[0]], arrays[IDX[2]]
    images[2], images[5], held_out[4] = images[0], images[1], images[8]
    images[7] = images[10]
    report = check_images(write_idx(tmp_path / "set", arrays))
    assert told(report) == "error two-labels, error leak, warning tiny, note duplicate, note small-test"
    assert lines(report, "two-labels") == ["train 7 = train 10"]
    assert lines(report, "leak") == ["train 8 = test 4"]
    assert lines(report, "duplicate") == ["train 0 = train 2", "train 1 = train 5"]
    assert report.set_aside == {}
    assert not any("--fix" in finding.mend for finding in report.findings)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "nothing of that name"),
        (lambda path: path.write_text("x"), "a file"),
        (lambda path: path.mkdir(), "no folders and no images"),
        (lambda path: (path / "cat").mkdir(parents=True), "folders without images"),
        (lambda path: save(path / "1.png"), "1 image in the folder itself"),
    ],
)
def test_what_cannot_be_checked(make: Callable[[Path], object], words: str, tmp_path: Path) -> None:
    make(tmp_path / "pets")
    with pytest.raises(DataError, match=words):
        check_images(tmp_path / "pets")


def test_the_report_is_data_and_its_errors_come_first(clean: Path, tmp_path: Path) -> None:
    folder = copy_of(clean, tmp_path)
    (folder / "cat" / "notes.txt").write_text("x")
    save(folder / "cat" / "tiny.png", scene(7030, 5, 5))
    cut(folder / "cat" / "cut.jpg")
    report = check_images(folder)
    assert told(report) == "error undecodable, warning tiny, note not-images"
    data = json.loads(json.dumps(report.as_json()))
    assert (data["errors"], data["warnings"], data["notes"], data["images"]) == (1, 1, 1, 2 * EACH + 1)
    assert data["findings"][0]["kind"] == "undecodable"
    assert data["findings"][0]["files"] == data["findings"][0]["set_aside"] == ["cat/cut.jpg"]
    assert list(data["set_aside"]) == ["cat/cut.jpg"]
    assert all(finding["mend"].endswith(".") for finding in data["findings"])


def test_progress_is_told(clean: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    check_images(clean, lambda *now: seen.append(now))
    assert seen == [("checking", done, 2 * EACH) for done in range(1, 2 * EACH + 1)]


@pytest.mark.parametrize(("name", "plant"), [row[:2] for row in SINGLE if "error" in row[2]])
def test_what_the_reader_refuses_is_an_error_and_the_other_way_round(
    name: str, plant: Callable[[Path], object], clean: Path, tmp_path: Path
) -> None:
    folder = copy_of(clean, tmp_path)
    open_images(folder)
    plant(folder / name)
    with pytest.raises(MinigradError, match="--fix"):
        open_images(folder)


@pytest.mark.parametrize(("name", "plant"), [row[:2] for row in SINGLE if "error" not in row[2]])
def test_what_is_no_error_can_be_read(name: str, plant: Callable[[Path], object], clean: Path, tmp_path: Path) -> None:
    folder = copy_of(clean, tmp_path)
    plant(folder / name)
    open_images(folder)
