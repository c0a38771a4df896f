"""What is decided from the data: size, colour, what is held out, whether mirroring is safe; and the lines that tell it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from minigrad.data import ClassificationData, LabelledImages, load, mirror_is_safe, open_images
from minigrad.data.decode import Look
from minigrad.data.holdout import held_out
from minigrad.data.mirror import mirror_is_alike
from minigrad.data.policy import SIDES, chosen_size
from minigrad.errors import ArgumentError, DataError, DTypeError
from tests.image_files import folder, noise, save

PETS = {"cat": 6, "dog": 6}


def policy(root: Path, **options: Any) -> str:
    return "\n".join(open_images(str(root), **options).policy)


def of_sizes(root: Path, sizes: Sequence[tuple[int, int]], channels: int = 3) -> Path:
    """Images of these (width, height), the same in both of two classes."""
    for number, (width, height) in enumerate(sizes):
        for k, name in enumerate(("cat", "dog")):
            save(root / name / f"{number}.png", noise(width, height, 2 * number + k, channels))
    return root


# ---------------------------------------------------------------------- size


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([(28, 28)], (28, 28)),
        ([(40, 20)], (20, 40)),  # (width, height) -> (height, width)
        ([(41, 41)], (32, 32)),
        ([(8, 8)], (8, 8)),
        ([(8, 8), (9, 8)], (8, 8)),
        ([(5, 5), (6, 5)], (8, 8)),
        ([(28, 28), (28, 28), (56, 56)], (28, 28)),
        ([(32, 32), (48, 32), (64, 64)], (32, 32)),
        ([(50, 48), (64, 64), (500, 63)], (48, 48)),
        ([(640, 480), (100, 64), (64, 64)], (64, 64)),
        ([(4000, 3000)], (64, 64)),
    ],
)
def test_the_size_is_chosen_by_the_images(sizes: list[tuple[int, int]], expected: tuple[int, int]) -> None:
    assert chosen_size([Look("PNG", width, height, "L") for width, height in sizes]) == expected


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 3000), st.integers(1, 3000)), min_size=1, max_size=9))
def test_most_images_are_never_enlarged_where_a_side_fits(sizes: list[tuple[int, int]]) -> None:
    height, width = chosen_size([Look("PNG", *size, "L") for size in sizes])
    median = np.median([min(size) for size in sizes])
    if len(set(sizes)) == 1 and max(sizes[0]) <= 40:
        assert (width, height) == sizes[0]
    else:
        assert height == width and (height in SIDES or 8 <= height <= 40)
        assert height <= max(median, 8)


def test_what_is_found_and_done_is_told(tmp_path: Path) -> None:
    of_sizes(tmp_path, [(60, 60), (60, 60), (80, 80), (120, 100)])
    said = policy(tmp_path)
    assert f"{tmp_path}: 8 images in 2 classes of 4: cat, dog" in said
    assert "sizes: 60x60 pixels to 120x100 pixels (width x height), the middle one 80x80 pixels; kinds: PNG RGB 8" in said
    assert "size: the largest square in the middle of each image, resized to 64x64 pixels" in said
    assert "4 images of fewer pixels are enlarged" in said
    assert "what lies outside" not in said  # a quarter of the images lose a sixth
    assert "colours: kept" in said


def test_images_of_one_small_size_are_left_as_they_are(tmp_path: Path) -> None:
    data = open_images(str(of_sizes(tmp_path, [(12, 10)] * 6)))
    assert data.train.shape == (3, 10, 12)
    assert "size: left as it is, 12x10 pixels" in data.policy
    assert np.array_equal(data.train.pixels([0])[0], noise(12, 10, int(data.train.names[0][4:-4]) * 2).transpose(2, 0, 1))


def test_what_the_crop_loses_is_told(tmp_path: Path) -> None:
    said = policy(of_sizes(tmp_path, [(100, 50), (50, 100), (50, 200), (50, 50)]))
    assert "what lies outside it is not seen: 44% of an image on average, 75% at most" in said


def test_the_size_that_is_asked_for(tmp_path: Path) -> None:
    of_sizes(tmp_path, [(60, 60), (80, 80), (120, 100)])
    assert open_images(str(tmp_path), image_size=128).train.shape == (3, 128, 128)
    data = open_images(str(tmp_path), image_size=(24, 48), channels=1)
    assert data.train.shape == (1, 24, 48)
    assert "size: the largest piece of 48 to 24 in the middle of each image, resized to 48x24 pixels" in data.policy
    assert "colours: grey, as asked" in data.policy


# ---------------------------------------------------------------------- colour and kinds


def test_grey_if_no_image_shows_colour(tmp_path: Path) -> None:
    of_sizes(tmp_path / "grey", [(12, 10)] * 4, channels=1)
    for path in (tmp_path / "grey").rglob("*.png"):
        for kind, options in (("rgb.png", {}), ("jpg", {"quality": 60}), ("webp", {"quality": 60})):
            target = tmp_path / kind.replace(".", "-") / path.parent.name / f"{path.stem}.{kind}"
            save(target, Image.open(path).convert("RGB"), **options)
    data = open_images(str(tmp_path / "grey"))
    assert data.train.shape[0] == 1
    assert "colours: grey; no file has any (channels=3 would keep them)" in data.policy
    for kind in ("rgb-png", "jpg", "webp"):
        data = open_images(str(tmp_path / kind))
        assert data.train.shape[0] == 1
        assert "colours: grey; none of 8 images looked at shows any (channels=3 would keep them)" in data.policy
    assert open_images(str(tmp_path / "jpg"), channels=3).train.shape[0] == 3


def test_colour_if_one_does(tmp_path: Path) -> None:
    of_sizes(tmp_path, [(12, 10)] * 4, channels=1)
    save(tmp_path / "dog" / "9.png", noise(12, 10))
    assert open_images(str(tmp_path)).train.shape[0] == 3


def test_what_is_not_kept_of_a_file_is_told(tmp_path: Path) -> None:
    folder(tmp_path, PETS)
    cat = tmp_path / "cat"
    save(cat / "deep.png", np.full((10, 12), 40000, np.uint16))
    save(cat / "float.tif", np.full((10, 12), 0.5, np.float32))
    save(cat / "clear.png", np.full((10, 12, 4), 100, np.uint8))
    frames = [Image.new("L", (12, 10), 9), Image.new("L", (12, 10), 99)]
    save(cat / "many.gif", frames[0], save_all=True, append_images=frames[1:])
    exif = Image.Exif()
    exif[0x0112] = 6
    save(cat / "turned.jpg", noise(10, 12), exif=exif)
    said = policy(tmp_path)
    assert "1 image with more than 8 bits: the high byte of the 16 is taken" in said
    assert "1 image with floating-point values: up to 1 they are scaled by 255, up to 255 taken as they are" in said
    assert "1 image that may be transparent: what is seen through becomes white" in said
    assert "1 image with several frames: the first is taken" in said
    assert "1 image turned upright, by the EXIF entry" in said
    assert "sizes: all 12x10 pixels" in said  # as a viewer shows them


def test_many_classes_are_counted(tmp_path: Path) -> None:
    said = policy(folder(tmp_path, {str(k): 3 + (k == 5) for k in range(12)}))
    assert "37 images in 12 classes of 3 to 4 images" in said
    assert "2 classes: cat 6, dog 7" in policy(folder(tmp_path / "two", {"cat": 6, "dog": 7}))


def test_an_accuracy_that_is_had_for_nothing_is_told(tmp_path: Path) -> None:
    said = policy(folder(tmp_path / "unequal", {"cat": 40, "dog": 5}))
    assert "always saying cat would be right for 88.9% of the validation images: look at the figures of each class" in said
    counts = {"train/cat": 4, "train/dog": 4, "test/cat": 1, "test/dog": 4}
    assert "always saying dog would be right for 80.0% of the test images" in policy(folder(tmp_path / "parts", counts))
    assert "always saying" not in policy(folder(tmp_path / "fair", {"cat": 10, "dog": 20}))
    assert "always saying" not in policy(folder(tmp_path / "several", {"cat": 20, "dog": 5, "cow": 15, "hen": 15, "pig": 15}))


def test_a_named_set_is_told() -> None:
    data = open_images("mnist5k")
    assert data.policy == (
        "mnist5k: 5,000 images in 10 classes of 500: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9",
        "size: 28x28 pixels, grey",
        "split: 3,600 images to train on, 400 for validation, 1,000 to test on",
        "validation: 10% of each class of the training part, one image at least, chosen by name and seed 0",
    )
    resized = open_images("mnist5k", image_size=14, channels=3)
    assert resized.policy[1] == "size: 28x28 pixels, grey, made 14x14 pixels, colour"
    assert resized.test is not None and resized.test.shape == (3, 14, 14)


@pytest.mark.parametrize(
    "options",
    [
        {"image_size": 0}, {"image_size": 2.5}, {"image_size": (8, 8, 8)}, {"image_size": "32"}, {"channels": 2},
        {"channels": True}, {"holdout": 0}, {"holdout": 1.0}, {"holdout": "0.1"}, {"holdout": True}, {"holdout": float("nan")},
    ],
)  # fmt: skip
def test_arguments_out_of_range(options: dict[str, Any], tmp_path: Path) -> None:
    (name,) = options
    with pytest.raises(ArgumentError, match=f"open_images: {name}: expected"):
        open_images(str(tmp_path), **options)


def test_arguments_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(DTypeError, match="open_images: seed: expected an integer"):
        open_images(str(tmp_path), seed=0.5)  # type: ignore[arg-type]
    with pytest.raises(DTypeError, match="open_images: data: expected the name of a data set or a path, got a int"):
        open_images(3)  # type: ignore[arg-type]


# ---------------------------------------------------------------------- what is held out


def test_each_class_gives_its_share(tmp_path: Path) -> None:
    data = open_images(str(folder(tmp_path, {"cat": 20, "dog": 5, "cow": 3})))
    assert np.bincount(data.train.labels).tolist() == [16, 2, 4]
    assert np.bincount(data.validation.labels).tolist() == [4, 1, 1]  # cat, cow, dog: a fifth, one at least
    assert data.test is None
    assert "split: 22 images to train on, 6 for validation" in data.policy
    assert "validation: 20% of each class of the training part, one image at least, chosen by name and seed 0" in data.policy
    assert any("no test part" in line for line in data.policy)
    half = open_images(str(tmp_path), holdout=0.5)
    assert np.bincount(half.validation.labels).tolist() == [10, 1, 2]
    assert "validation: 50% of each class" in "\n".join(half.policy)


def test_what_is_held_out_depends_on_name_and_seed_alone() -> None:
    names = [f"{'ab'[i % 2]}/{i}.png" for i in range(400)]
    labels = np.arange(400) % 2
    contents = [name.encode() for name in names]

    def chosen(order: np.ndarray, seed: int = 0) -> set[str]:
        out = held_out(labels[order], [names[i] for i in order], [contents[i] for i in order], "ab", 0.1, seed)
        return {names[i] for i in order[out]}

    everything = np.arange(400)
    first = chosen(everything)
    assert len(first) == 40
    assert chosen(everything[::-1]) == chosen(np.random.default_rng(0).permutation(400)) == first
    assert len(chosen(everything, seed=1) & first) < 20
    # With a tenth of the files gone, most of what was held out still is.
    assert len(chosen(everything[40:]) - first) <= 6


def test_the_choice_is_the_same_for_ever() -> None:
    names = [f"{i}.png" for i in range(20)]
    out = held_out(np.zeros(20, np.int64), names, [name.encode() for name in names], ["a"], 0.2, seed=0)
    assert np.flatnonzero(out).tolist() == [8, 11, 17, 18]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 12)), min_size=12, max_size=60), st.floats(0.05, 0.9), st.integers()
)
def test_copies_stay_together_and_every_class_keeps_two(images: list[tuple[int, int]], share: float, seed: int) -> None:
    labels = np.array([label for label, _ in images])
    contents = [bytes([content]) for _, content in images]
    try:
        out = held_out(labels, [str(i) for i in range(len(images))], contents, "abc", share, seed)
    except DataError:
        return
    for label in range(3):
        total, held = np.sum(labels == label), np.sum(out[labels == label])
        assert 1 <= held <= total - 2
    assert not {contents[i] for i in np.flatnonzero(out)} & {contents[i] for i in np.flatnonzero(~out)}


def test_copies_are_told_and_stay_on_one_side(tmp_path: Path) -> None:
    folder(tmp_path, {"cat": 30, "dog": 30})
    for number in range(12):
        (tmp_path / "cat" / f"copy{number}.png").write_bytes((tmp_path / "cat" / f"{number}.png").read_bytes())
    (tmp_path / "dog" / "really-a-cat.png").write_bytes((tmp_path / "cat" / "0.png").read_bytes())
    for seed in range(4):
        data = open_images(str(tmp_path), seed=seed)
        train, validation = ({image.tobytes() for image in part.pixels(range(len(part)))} for part in data[:2])
        assert not train & validation
    said = "\n".join(data.policy)
    assert "25 files are copies, byte for byte, of 12 different ones" in said
    assert "in more than one class: 1 of these, so that some labels are wrong" in said


def test_parts_that_are_there_are_used_as_they_are(tmp_path: Path) -> None:
    folder(tmp_path, {"train/a": 4, "train/b": 4, "val/a": 2, "val/b": 2, "test/a": 3, "test/b": 3})
    (tmp_path / "test" / "a" / "leak.png").write_bytes((tmp_path / "train" / "a" / "0.png").read_bytes())
    data = open_images(str(tmp_path))
    assert data.test is not None
    assert [len(part) for part in (data.train, data.validation, data.test)] == [8, 4, 7]
    assert all(name.startswith("val/") for name in data.validation.names)
    assert "split: 8 images to train on, 4 for validation, 7 to test on" in data.policy
    assert "validation: the data's own part" in data.policy
    assert "trained on as well: 1 of the 7 test images, which makes their figures too good" in "\n".join(data.policy)
    assert "no test part" not in "\n".join(data.policy)


def test_a_test_part_is_left_untouched(tmp_path: Path) -> None:
    data = open_images(str(folder(tmp_path, {"train/a": 10, "train/b": 10, "test/a": 3, "test/b": 3})))
    assert data.test is not None
    assert [len(part) for part in (data.train, data.validation, data.test)] == [16, 4, 6]
    assert all(name.startswith("train/") for part in data[:2] for name in part.names)


@pytest.mark.parametrize(
    ("counts", "copies", "message"),
    [
        ({"cat": 5, "dog": 2, "cow": 1}, 0, r"at least 3 different images of each class.*got cow 1 \(1 different\), dog 2 \("),
        ({"cat": 5, "dog": 1}, 3, r"got dog 4 \(1 different\)\. Add images, or remove the folders of these classes"),
        (
            {"train/cat": 5, "train/dog": 1, "val/cat": 1, "val/dog": 1},
            0,
            r"at least 2 images of each class to learn.*got dog 1\.",
        ),
    ],
)
def test_too_few_images(counts: dict[str, int], copies: int, message: str, tmp_path: Path) -> None:
    folder(tmp_path, counts)
    for number in range(copies):
        (tmp_path / "dog" / f"copy{number}.png").write_bytes((tmp_path / "dog" / "0.png").read_bytes())
    with pytest.raises(DataError, match=message):
        open_images(str(tmp_path))


def test_a_named_set_holds_out_by_pixels() -> None:
    data = open_images("mnist5k")
    assert np.bincount(data.train.labels).tolist() == [360] * 10
    assert np.bincount(data.validation.labels).tolist() == [40] * 10
    arrays = load("mnist5k")
    assert data.test is not None
    assert np.array_equal(data.test.pixels(range(1000)), arrays.test_images)
    assert data.validation.names[:3] == ["train 8", "train 13", "train 21"]


# ---------------------------------------------------------------------- mirroring


def drawn(kinds: Sequence[str], each: int, seed: int = 0) -> LabelledImages:
    """Signs drawn dark on light at 24x24, each shifted, sized and made noisy."""
    chance = np.random.default_rng(seed)
    images = []
    for kind in list(kinds) * each:
        image = Image.new("L", (24, 24), int(chance.integers(150, 255)))
        draw = ImageDraw.Draw(image)
        x, y, size = (int(v) for v in chance.integers([10, 10, 5], [15, 15, 9]))
        if kind in ("left", "right"):
            side = size if kind == "right" else -size
            draw.line([(x - side, y), (x + side, y)], fill=0, width=3)
            draw.polygon([(x + side, y), (x, y - 4), (x, y + 4)], fill=0)
        elif kind == "circle":
            draw.ellipse([x - size, y - size, x + size, y + size], outline=0, width=2)
        elif kind == "cross":
            draw.line([(x - size, y - size), (x + size, y + size)], fill=0, width=3)
            draw.line([(x + size, y - size), (x - size, y + size)], fill=0, width=3)
        else:
            draw.rectangle([x - size, y - size, x + size, y + size], outline=0, width=2)
        images.append(np.clip(np.asarray(image) + chance.normal(0, 15, (24, 24)), 0, 255).astype(np.uint8))
    pixels = np.stack(images)[:, None]
    return LabelledImages(pixels, np.arange(len(images)) % len(kinds), kinds)


def test_digits_are_not_mirrored() -> None:
    safe, why = mirror_is_safe(open_images("mnist5k").train)
    assert not safe
    assert why.startswith("mirroring is not safe: mirrored, most images look like none of their class (the most similar")
    assert "for 95% of the images and for 38% of their mirror images" in why


@pytest.mark.parametrize("each", [15, 200])
def test_arrows_to_the_left_and_right_are_not_mirrored(each: int) -> None:
    safe, why = mirror_is_safe(drawn(["left", "right"], each))
    assert not safe
    assert why.startswith("mirroring is not safe: mirrored, left looks like right and right like left")


def test_two_classes_that_change_places_are_found_among_others() -> None:
    kinds = ["circle", "left", "cross", "right", "square"]
    safe, why = mirror_is_safe(drawn(kinds, 60))
    assert not safe
    assert "left looks like right and right like left" in why


def test_signs_that_look_the_same_in_a_mirror_are_mirrored() -> None:
    train = drawn(["circle", "cross", "square"], 100)
    safe, why = mirror_is_safe(train)
    assert safe
    assert why.startswith("mirroring is safe: the most similar other image is of the same class for ")
    assert why.endswith("and no two classes change places")
    assert mirror_is_safe(train) == (safe, why)
    in_colour = LabelledImages(np.repeat(train.pixels(range(300)), 3, axis=1), train.labels, train.classes)
    assert mirror_is_safe(in_colour) == (safe, why)


@pytest.mark.parametrize(
    ("kinds", "safe", "figures"),
    [
        (["circle"], True, r"mirroring is safe: \d+% as many mirror images as images lie near another image"),
        (["left"], False, r"mirroring is left out: \d+% as many mirror images as images lie near another image"),
        (["circle", "square"], True, r"mirroring is safe: \d+% as many mirror images of (circle|square) as .*"),
        (["circle", "left", "square"], False, r"mirroring is left out: \d+% as many mirror images of left as .*"),
    ],
)
def test_what_is_made_is_mirrored_only_where_each_class_looks_the_same(kinds: list[str], safe: bool, figures: str) -> None:
    """For a generator, whose images would be mirrored too: no class may be one of arrows, and there need not be classes."""
    found, why = mirror_is_alike(drawn(kinds, 100))
    assert found == safe and re.fullmatch(figures, why), why


def test_digits_are_not_made_mirrored_and_too_few_tell_nothing() -> None:
    assert not mirror_is_alike(open_images("mnist5k").train)[0]
    same = LabelledImages(np.zeros((50, 1, 16, 16), np.uint8), np.zeros(50, int), ["all"])
    told = "mirroring is left out: there are too few different images to tell whether it would be safe"
    assert mirror_is_alike(same) == (False, told)
    alone = LabelledImages(drawn(["circle"], 4).pixels(range(4)), np.arange(4), "abcd")
    assert mirror_is_alike(alone) == (False, told)


def test_what_cannot_be_told_is_not_safe() -> None:
    chance = np.random.default_rng(0)
    train = LabelledImages(chance.integers(0, 256, (100, 1, 16, 16)).astype(np.uint8), np.arange(100) % 2, "ab")
    safe, why = mirror_is_safe(train)
    assert not safe
    assert why.startswith("mirroring is left out: whether it is safe cannot be told")
    assert why.endswith("by chance 50%")
    blank = LabelledImages(np.zeros((50, 1, 16, 16), np.uint8), np.arange(50) % 2, "ab")
    assert mirror_is_safe(blank) == (
        False, "mirroring is left out: there are too few different images to tell whether it would be safe",
    )  # fmt: skip


def test_the_parts_are_named(tmp_path: Path) -> None:
    assert isinstance(open_images(str(folder(tmp_path, PETS))), ClassificationData)
