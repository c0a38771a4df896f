"""Images to learn to make more of: folders in any order, the size that is chosen, named sets, and every refusal in words."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import struct
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.ttLib.tables._g_l_y_f import Glyph
from fontTools.ttLib.tables.DefaultTable import DefaultTable
from PIL import Image

from minigrad.cli import main
from minigrad.data import decode, open_gallery, open_images, pixels, sources
from minigrad.data.check import check_gallery
from minigrad.data.decode import Look
from minigrad.data.gallery import FEW, few_lines
from minigrad.data.policy import gallery_size
from minigrad.errors import ArgumentError, DataError, DTypeError
from tests import published_files as made
from tests.checked_folders import fill, lines, scene
from tests.checked_folders import told as told_of
from tests.file_server import described
from tests.image_files import folder, noise, save


def flat(root: Path, count: int = 20, **options: Any) -> Path:
    """A folder of so many different images."""
    for number in range(count):
        save(root / f"{number}.png", noise(seed=number, **options))
    return root


def refusal(data: Any, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        open_gallery(data, **options)
    return str(caught.value)


# ---------------------------------------------------------------------- what is found

TABLE: dict[str, tuple[dict[str, int], tuple[str, ...], int, str]] = {  # folders -> classes, images, and words of the policy
    "flat": ({".": 20}, (), 20, ""),
    "nested": ({".": 4, "a": 8, "b/c": 8}, (), 20, ""),
    "one folder below another": ({"photos/all": 20}, (), 20, ""),
    "classes": ({"cat": 10, "dog": 10}, ("cat", "dog"), 20, "sub-folders are taken for classes: cat, dog. They are told apart"),
    "classes, nested": ({"cat/2023": 5, "cat/2024": 5, "dog": 10}, ("cat", "dog"), 20, "taken for classes: cat, dog"),
    "too many to be classes": ({f"{n}": 2 for n in range(10)}, (), 20, "10 sub-folders are not taken for classes: 2 images in"),
    "parts of classes": (
        {"train/cat": 8, "train/dog": 8, "val/cat": 4, "val/dog": 4, "test/cat": 2, "test/dog": 1},
        ("cat", "dog"), 24, "test/ left out: 3 images to test on, which nobody learns from",
    ),
    "flat parts": ({"train": 16, "validation": 4, "test": 3}, (), 20, "test/ left out: 3 images to test on"),
    "parts by longer names": ({"training_set": 20, "test_set": 3}, (), 20, "test_set/ left out: 3 images"),
    "test alone is a folder as others": ({"test": 10, "other": 10}, ("other", "test"), 20, "classes: other, test"),
    "trains beside buses": ({"train": 10, "bus": 10}, ("bus", "train"), 20, "taken for classes: bus, train"),
    "a class that one part lacks": ({"train/cat": 10, "train/dog": 10, "val/cat": 10}, (), 30, ""),
    "images beside the parts": ({".": 3, "train/cat": 10, "train/dog": 10, "test/cat": 2}, (), 23, "test/ left out: 2 images"),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLE)
def test_what_lies_where(case: str, tmp_path: Path) -> None:
    counts, classes, images, words = TABLE[case]
    gallery = open_gallery(folder(tmp_path / "root", counts))
    assert gallery.classes == classes and len(gallery.train) == images
    assert gallery.train.classes == (classes or ("images",))
    assert set(gallery.train.labels.tolist()) == set(range(len(classes) or 1))
    assert words in "\n".join(gallery.policy) and (words or "classes" not in "\n".join(gallery.policy))


def test_the_policy_of_a_mixed_folder(tmp_path: Path) -> None:
    root = flat(tmp_path / "mixed", 18)
    save(root / "palette.png", Image.fromarray(noise(seed=50)).convert("P"))
    save(root / "deep.png", Image.fromarray(np.arange(120, dtype=np.uint16).reshape(10, 12) * 500))
    save(root / "print.jpg", Image.fromarray(noise(seed=51)).convert("CMYK"))
    save(root / "turned.jpg", noise(seed=52), exif=_turned())
    save(root / "clear.png", noise(seed=53, channels=4))
    frames = [Image.fromarray(noise(seed=seed)) for seed in (54, 55)]
    save(root / "moving.gif", frames[0], save_all=True, append_images=frames[1:])
    shutil.copy(root / "3.png", root / "again.png")
    (root / "notes.txt").write_text("not an image")
    (root / "linked.png").symlink_to(root / "5.png")
    told = "\n".join(open_gallery(root).policy)
    for words in (
        f"{root}: 26 images\n",
        "PNG RGB 20, ",
        "JPEG CMYK 1",
        "PNG P 1",
        "size: the largest square in the middle of each image, resized to 32x32 pixels",
        "26 images of fewer pixels are enlarged",
        "colours: kept",
        "1 image with more than 8 bits: the high byte of the 16 is taken",
        "1 image that may be transparent: what is seen through becomes white",
        "1 image with several frames: the first is taken",
        "1 image turned upright, by the EXIF entry",
        "4 files are copies, byte for byte, of 2 different ones",
        "1 other file (1 .txt) left out: no images that are read",
        "FEW IMAGES: 24 different ones will be learned by heart",
    ):
        assert words in told, told


def _turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def test_links_to_folders_are_gone_through_once(tmp_path: Path) -> None:
    root = flat(tmp_path / "root")
    (root / "round").symlink_to(root)
    flat(tmp_path / "other", 3, width=9)
    (root / "more").symlink_to(tmp_path / "other")
    gallery = open_gallery(root)
    assert len(gallery.train) == 23
    assert "1 folder that links lead to a second time left out" in gallery.policy


def test_few_images_are_told_and_enough_are_not() -> None:
    assert "FEW IMAGES: 499 different ones" in few_lines(FEW - 1)[0] and not few_lines(FEW)


# ---------------------------------------------------------------------- sizes


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [  # (width, height) -> (height, width)
        ([(28, 28)], (28, 28)),
        ([(25, 25)], (25, 25)),
        ([(47, 31)], (31, 47)),
        ([(64, 96)], (96, 64)),
        ([(128, 64)], (64, 128)),
        ([(8, 8)], (8, 8)),
        ([(7, 20)], (32, 32)),
        ([(130, 64)], (64, 64)),
        ([(128, 128)], (64, 64)),
        ([(136, 128)], (64, 64)),
        ([(178, 218)], (64, 64)),
        ([(28, 28), (28, 29)], (32, 32)),
        ([(20, 20), (16, 20)], (32, 32)),
        ([(50, 60), (47, 60), (55, 52)], (48, 48)),
        ([(640, 480), (100, 64), (64, 64)], (64, 64)),
    ],
)
def test_the_size_is_chosen_by_the_images(sizes: Sequence[tuple[int, int]], expected: tuple[int, int]) -> None:
    assert gallery_size([Look("PNG", width, height, "RGB") for width, height in sizes]) == expected


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({}, (3, 10, 12)),
        ({"image_size": 16}, (3, 16, 16)),
        ({"image_size": (9, 20)}, (3, 9, 20)),
        ({"channels": 1}, (1, 10, 12)),
    ],
)
def test_what_is_asked_for(options: dict[str, Any], shape: tuple[int, ...], tmp_path: Path) -> None:
    gallery = open_gallery(flat(tmp_path), **options)
    assert gallery.train.shape == shape and gallery.train.pixels([0]).shape == (1, *shape)
    assert gallery.digest == open_gallery(tmp_path).digest


def test_grey_images_stay_grey(tmp_path: Path) -> None:
    assert open_gallery(flat(tmp_path, channels=1)).train.shape == (1, 10, 12)


def test_the_digest_is_of_what_the_images_are(tmp_path: Path) -> None:
    root = folder(tmp_path / "one", {"cat": 8, "dog": 8})
    digest = open_gallery(root).digest
    moved = tmp_path / "elsewhere" / "two"
    shutil.copytree(root, moved)
    assert open_gallery(moved).digest == digest
    (moved / "cat" / "0.png").rename(moved / "cat" / "new.png")
    assert open_gallery(moved).digest != digest
    save(root / "dog" / "3.png", seed=999)
    assert open_gallery(root).digest != digest


def test_many_pixels_stay_in_their_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = open_gallery(flat(tmp_path))
    monkeypatch.setattr(pixels, "IN_MEMORY", 100)
    read = open_gallery(tmp_path)
    assert np.array_equal(read.train.pixels(range(20)), kept.train.pixels(range(20))) and read.digest == kept.digest
    assert f"`minigrad data check gan {tmp_path}` finds it before" in "\n".join(read.policy)


# ---------------------------------------------------------------------- what is refused


def _truncated(root: Path) -> None:
    content = save(root / "cut.jpg", noise(60, 60), quality=95).read_bytes()
    (root / "cut.jpg").write_bytes(content[: len(content) // 2])


def _lone_link(root: Path) -> None:
    (root / "lost.png").symlink_to(root / "nothing.png")


def _pipe(root: Path) -> None:
    os.mkfifo(root / "pipe.png")
    for path in root.glob("[0-9]*.png"):
        path.unlink()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_truncated, "data: cut.jpg: expected an image that can be read, got one cut short"),
        (lambda root: (root / "none.png").write_bytes(b""), "data: none.png: expected an image, got an empty file"),
        (lambda root: (root / "page.jpg").write_text("<html>"), "got a web page under the name of an image"),
        (_lone_link, "data: lost.png: expected a file, got a link to one that is not there"),
        (_pipe, "expected a folder of images, got no folders and no images, and 1 other file (1 .png)"),
    ],
)
def test_a_folder_that_is_spoiled(spoil: Callable[[Path], Any], words: str, tmp_path: Path) -> None:
    spoil(flat(tmp_path))
    assert words in refusal(tmp_path)


def test_damaged_files_can_be_set_aside(tmp_path: Path) -> None:
    _truncated(flat(tmp_path))
    assert f"`minigrad data check gan {tmp_path} --fix` sets damaged files aside" in refusal(tmp_path)


def test_a_giant_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "LARGEST_PIXELS", 1000)
    save(flat(tmp_path) / "giant.png", noise(50, 40))
    assert "data: giant.png: expected at most 1,000 pixels, got 50 x 40" in refusal(tmp_path)


def test_too_few_images_are_told_before_anything_starts(tmp_path: Path) -> None:
    assert "expected a folder of images, got no folders and no images. Put images into it" in refusal(tmp_path)
    save(tmp_path / "0.png", seed=0)
    assert "expected at least 16 different images to learn from, got 1 image. Add images" in refusal(tmp_path)
    for number in range(30):
        save(tmp_path / f"{number}.png", seed=number % 15)
    assert "got 15 among 30 files" in refusal(tmp_path)
    save(tmp_path / "30.png", seed=30)
    assert len(open_gallery(tmp_path).train) == 31


def test_what_is_no_folder(tmp_path: Path) -> None:
    assert (
        "expected a folder of images, or one of the named sets mnist5k, fashion-mnist, cifar10, emoji, faces, got nothing"
        in (refusal("emojis"))
    )
    assert "The named set closest to it is emoji" in refusal("emojis")
    (tmp_path / "a.zip").write_bytes(b"PK")
    assert "got a packed archive. Unpack it, and name the folder" in refusal(tmp_path / "a.zip")
    (tmp_path / "a.heic").write_bytes(b"x")
    (tmp_path / "a.zip").unlink()
    assert ".heic files are not read: save them as JPEG or PNG" in refusal(tmp_path)
    assert "got a file. Name the folder that holds the images" in refusal(save(tmp_path / "b.png"))
    assert "got 'shakespeare'. shakespeare holds text: minigrad train text takes it" in refusal("shakespeare")
    with pytest.raises(DataError, match=r"got 'faces'\. faces holds pictures: minigrad train gan takes it"):
        open_images("faces")


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"data": 7}, DTypeError, "data: expected the name of a data set or a path, got a int"),
        ({"image_size": 0}, ArgumentError, "image_size: expected"),
        ({"image_size": (1, 2, 3)}, ArgumentError, "image_size: expected a side, or"),
        ({"channels": 2}, ArgumentError, r"channels: expected 1 \(grey\), 3 \(colour\) or None, got 2"),
    ],
)
def test_arguments_out_of_range(options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        open_gallery(**{"data": "nowhere", **options})


# ---------------------------------------------------------------------- named sets


def test_the_training_part_of_a_published_set(tmp_path: Path) -> None:
    root = made.write_idx(tmp_path, made.idx_arrays(train=90))
    gallery, data = open_gallery(root, channels=3), open_images(root)
    assert len(gallery.train) == 90 and gallery.train.shape[0] == 3 and gallery.classes == data.train.classes
    told = "\n".join(gallery.policy)
    assert "images to test on are left alone" in told and "FEW IMAGES" in told
    assert gallery.digest == open_gallery(root).digest


def as_set(monkeypatch: pytest.MonkeyPatch, name: str, path: Path) -> None:
    """A small file in place of the one of a named set, which a system package has put there."""
    known = sources.DATASETS[name]
    content = path.read_bytes()
    system = sources.SystemFile(str(path), "fonts-toy", hashlib.sha256(content).hexdigest(), len(content))
    file = described(path.name, content, system=system)
    monkeypatch.setitem(sources.DATASETS, name, sources.DataSet(name, (file,), known.licence, known.about, kind=known.kind))


def test_faces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).random((200, 25, 25))
    values[100:] = 2.0  # what lies behind the faces is not read
    np.save(tmp_path / "lfw_subset.npy", values)
    as_set(monkeypatch, "faces", tmp_path / "lfw_subset.npy")
    gallery = open_gallery("faces")
    assert gallery.train.shape == (1, 25, 25) and len(gallery.train) == 100 and gallery.classes == ()
    assert np.array_equal(gallery.train.pixels([7])[0, 0], np.rint(values[7] * 255))
    assert gallery.policy[0] == "faces: 100 images" and "FEW IMAGES: 100" in gallery.policy[-1]


def bitmap(seed: int, size: tuple[int, int] = (13, 12)) -> bytes:
    """A PNG of noise, half of it seen through."""
    image = noise(*size, seed=seed, channels=4)
    image[: size[1] // 2, :, 3] = 0
    image[size[1] // 2 :, :, 3] = 255
    kept = io.BytesIO()
    Image.fromarray(image).save(kept, "PNG")
    return kept.getvalue()


def font(path: Path, signs: Sequence[int], rows: Sequence[Sequence[int]] = (), pictures: bool = True) -> Path:
    """A font with a picture for each sign, and one for each row of signs, by a ligature."""
    names = {sign: f"u{sign:X}" for sign in signs}
    ligatures = {"_".join(names[sign] for sign in row): " ".join(names[sign] for sign in row) for row in rows}
    glyphs = [".notdef", *names.values(), *ligatures]
    builder = FontBuilder(1000)
    builder.setupGlyphOrder(glyphs)
    builder.setupCharacterMap(names)
    builder.setupGlyf({name: Glyph() for name in glyphs})
    builder.setupHorizontalMetrics(dict.fromkeys(glyphs, (1000, 0)))
    builder.setupHorizontalHeader()
    builder.setupPost()
    if ligatures:
        rules = "".join(f"sub {parts} by {name}; " for name, parts in ligatures.items())
        builder.addOpenTypeFeatures(f"feature ccmp {{ {rules} }} ccmp;")
    if pictures:
        drawn = [struct.pack(">BBbbBI", 12, 13, 0, 10, 13, len(png)) + png for png in map(bitmap, range(len(glyphs) - 1))]
        offsets = np.cumsum([0, *map(len, drawn)]).astype(">u4").tobytes()
        index = struct.pack(">HHI", 1, len(drawn), 8) + struct.pack(">HHI", 1, 17, 4) + offsets
        strike = struct.pack(">IIII", 56, len(index), 1, 0) + bytes(24) + struct.pack(">HHBBBb", 1, len(drawn), 13, 12, 32, 1)
        for tag, content in (("CBDT", b"".join(drawn)), ("CBLC", struct.pack(">I", 1) + strike + index)):
            builder.font[tag] = DefaultTable(tag)
            builder.font[tag].data = struct.pack(">HH", 3, 0) + content
    builder.save(path)
    return path


FACES = [0x1F600 + number for number in range(20)]
HAND, DARK, JOIN, WOMAN = 0x1F44B, 0x1F3FF, 0x200D, 0x2640
A, B, FLAG, TAG = 0x1F1E6, 0x1F1E7, 0x1F3F4, 0xE0067
SIGNS = [*FACES, HAND, DARK, JOIN, WOMAN, A, B, FLAG, TAG]
ROWS = [[HAND, DARK], [HAND, JOIN, WOMAN], [HAND, DARK, JOIN, WOMAN], [A, B], [FLAG, TAG]]


def test_emoji(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = font(tmp_path / "Toy.ttf", SIGNS, ROWS)
    as_set(monkeypatch, "emoji", path)
    gallery = open_gallery("emoji")
    names = [f"U+{face:X}" for face in FACES]
    assert gallery.train.names == [*names, "U+1F44B", "U+200D", "U+2640", "U+1F3F4", "U+1F44B U+200D U+2640"]
    assert gallery.train.shape == (3, 12, 13) and gallery.classes == ()
    (image,) = gallery.train.pixels([3])
    assert (image[:, :6] == 255).all() and np.array_equal(image[:, 6:], noise(13, 12, 3, 4)[6:, :, :3].transpose(2, 0, 1))
    told = "\n".join(gallery.policy)
    assert "emoji: 25 images\n" in told and "25 images that may be transparent: what is seen through becomes white" in told
    assert "left out: 3 signs in a colour of skin; the figure itself, in yellow, is there" in told
    assert "left out: 5 flags of countries and regions, and their letters" in told
    by_path = open_gallery(path)
    assert by_path.digest == gallery.digest and by_path.policy[0] == f"{path}: 25 images"
    report = check_gallery("emoji")
    assert (report.size, report.about) == (25, "13x12 pixels, colour") and told_of(report) == "warning few"


def test_emoji_that_are_not_there_or_of_another_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINIGRAD_CACHE", str(tmp_path / "cache"))
    path = font(tmp_path / "Toy.ttf", FACES)
    as_set(monkeypatch, "emoji", path)
    font(path, FACES[:18])
    with pytest.warns(UserWarning, match="is passed over: expected the file that is known, got"):
        assert "On Debian or Ubuntu, run apt-get install fonts-toy; elsewhere, put there what" in refusal("emoji")
    assert len(open_gallery(path).train) == 18  # by its path another release serves as well
    path.unlink()
    assert "got no such file" in refusal("emoji")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda path: font(path, FACES, pictures=False),
            "expected a font with pictures in a table CBDT, got a font without one",
        ),
        (lambda path: path.write_bytes(b"no font"), "expected a font that can be read, got TTLibError: "),
        (lambda path: path.write_bytes(font(path, FACES).read_bytes()[:3000]), "expected a font that can be read, got "),
    ],
)
def test_a_font_without_pictures(make: Callable[[Path], Any], words: str, tmp_path: Path) -> None:
    make(tmp_path / "a.ttf")
    assert words in refusal(tmp_path / "a.ttf")


def test_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = font(tmp_path / "a.ttf", FACES)
    monkeypatch.setitem(sys.modules, "fontTools", None)
    assert "the library fontTools, which reads fonts, got none. Run pip install 'minigrad-engine[emoji]'" in refusal(path)


def test_the_sets_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "list", "--json"]) == 0
    known = {record["name"]: record for record in json.loads(capsys.readouterr().out)}
    assert (known["faces"]["size"], known["emoji"]["size"]) == (1_000_080, 10_980_856)
    assert known["emoji"]["packages"] in (["fonts-noto-color-emoji"], [])  # as it is on this machine


# ---------------------------------------------------------------------- the check


def wide(root: Path, count: int = 20) -> Path:
    """A folder in which there is nothing to find but that it is small."""
    fill(root / "wide", count)
    return root / "wide"


def _cut(root: Path) -> None:
    content = (root / "3.png").read_bytes()
    (root / "cut.png").write_bytes(content[: len(content) // 2])


CHECKS: dict[str, tuple[Callable[[Path], Any], str]] = {  # what is planted -> what is found beside "few"
    "nothing": (lambda root: None, ""),
    "a file cut short": (_cut, "error undecodable"),
    "a copy": (lambda root: shutil.copy(root / "3.png", root / "copy.png"), "note duplicate"),
    "a copy elsewhere": (lambda root: save(root / "deeper" / "copy.png", scene(9003)), "note duplicate"),
    "nearly a copy": (lambda root: save(root / "near.jpg", scene(9003), quality=90), "note near-duplicate"),
    "tiny": (lambda root: save(root / "tiny.png", noise(5, 30)), "warning stretched, warning tiny"),
    "small": (lambda root: save(root / "small.png", noise(12, 14)), "warning small"),
    "long": (lambda root: save(root / "long.png", noise(200, 40)), "warning stretched"),
    "blank": (lambda root: save(root / "blank.png", np.full((24, 24, 3), 9, np.uint8)), "note mixed-colours, warning blank"),
    "faint": (lambda root: save(root / "faint.png", scene(1)[..., :1].repeat(3, 2) // 64), "note mixed-colours, warning faint"),
    "no image": (lambda root: (root / "notes.txt").write_text("x"), "note not-images"),
    "not read": (lambda root: (root / "a.heic").write_text("x"), "warning unread-format"),
}


@pytest.mark.parametrize("case", CHECKS)
def test_what_a_check_finds(case: str, tmp_path: Path) -> None:
    plant, expected = CHECKS[case]
    root = wide(tmp_path)
    plant(root)
    report = check_gallery(root)
    assert sorted(told_of(report).split(", ")) == sorted(["warning few", *(expected.split(", ") if expected else [])])
    assert report.group == "folder" and report.counts["train"]["."] >= 20


def test_the_check_mends(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = wide(tmp_path)
    _cut(root)
    shutil.copy(root / "3.png", root / "copy.png")
    assert "sets damaged files aside" in refusal(root)
    assert main(["data", "check", "gan", str(root)]) == 1
    assert "--fix would move 2 files" in capsys.readouterr().out
    assert main(["data", "check", "gan", str(root), "--fix"]) == 0
    assert sorted(path.name for path in tmp_path.joinpath("wide-set-aside").iterdir()) == ["copy.png", "cut.png", "fix-log.txt"]
    assert len(open_gallery(root).train) == 20


def test_the_check_of_what_is_too_little(tmp_path: Path) -> None:
    assert told_of(check_gallery(wide(tmp_path, 15))) == "error too-few"
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataError, match="expected a folder of images, got no folders and no images"):
        check_gallery(empty)


def test_the_check_passes_by_a_test_part(tmp_path: Path) -> None:
    root = tmp_path / "parts"
    fill(root / "train", 20)
    fill(root / "test", 3)
    report = check_gallery(root)
    assert report.counts == {"train": {"train": 20}} and told_of(report) == "warning few, note outside"
    assert len(lines(report, "outside")) == 3
