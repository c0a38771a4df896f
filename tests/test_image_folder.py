"""A folder with one sub-folder a class: what is found there, and every wrong place in words."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minigrad.data import open_images
from minigrad.data.check.single import beside
from minigrad.data.folder import ImageFolder, find_images, lay_out
from minigrad.data.walk import is_image
from minigrad.errors import DataError
from tests.image_files import folder, noise, save

PETS = {"cat": 3, "dog": 3}


def found(root: Path) -> dict[str, list[str]]:
    """The names of the images of each part."""
    images = find_images(str(root))
    return {part: [file.name for file in images.part(part)] for part in ("train", "validation", "test") if images.part(part)}


def refusal(path: Path | str) -> DataError:
    with pytest.raises(DataError) as caught:
        find_images(str(path))
    return caught.value


def notes(root: Path) -> str:
    return "\n".join(find_images(str(root)).notes)


# ---------------------------------------------------------------------- what is found


def test_one_folder_a_class(tmp_path: Path) -> None:
    images = find_images(str(folder(tmp_path / "pets", {"dog": 2, "cat": 3})))
    assert images.classes == ("cat", "dog")
    assert [file.name for file in images.files] == ["cat/0.png", "cat/1.png", "cat/2.png", "dog/0.png", "dog/1.png"]
    assert [file.label for file in images.files] == [0, 0, 0, 1, 1]
    assert images.notes == []


def test_natural_order(tmp_path: Path) -> None:
    images = find_images(str(folder(tmp_path, dict.fromkeys(("10", "9", "class 2", "Class 10", "b"), 11))))
    assert images.classes == ("9", "10", "b", "class 2", "Class 10")
    assert [file.name for file in images.files][:11] == [f"9/{number}.png" for number in range(11)]


@pytest.mark.parametrize("place", ["runs/classify-pets-1", "mine"])
def test_run_folders_are_no_classes(place: str, tmp_path: Path) -> None:
    """They lie among the classes when somebody trains on ``.``, and hold pictures; the lock is there first."""
    root = folder(tmp_path, PETS)
    before = find_images(str(root))
    (root / place).mkdir(parents=True)
    (root / place / "run.lock").touch()
    assert find_images(str(root)) == before
    save(root / place / "confusion.png", noise(8, 8))
    assert find_images(str(root)) == before
    assert list(beside(str(root), lay_out(str(root)))) == []
    (root / place / "run.lock").unlink()
    assert len(find_images(str(root)).classes) == 3


def test_any_nesting_below_a_class(tmp_path: Path) -> None:
    folder(tmp_path, {"cat": 1, "cat/indoor/2024": 1, "cat/2.jpg": 1, "dog": 1})
    assert found(tmp_path)["train"] == ["cat/0.png", "cat/2.jpg/0.png", "cat/indoor/2024/0.png", "dog/0.png"]


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [("train", "val", "test"), ("Train", "Valid", "TEST"), ("training", "validation", "testing"), ("TRAIN", "", "Test")],
)
def test_parts_by_folder_in_any_letter_case(train: str, validation: str, test: str, tmp_path: Path) -> None:
    parts = {part: name for part, name in (("train", train), ("validation", validation), ("test", test)) if name}
    folder(tmp_path, {f"{name}/{kind}": 1 for name in parts.values() for kind in PETS})
    assert found(tmp_path) == {part: [f"{name}/cat/0.png", f"{name}/dog/0.png"] for part, name in parts.items()}


def test_train_alone(tmp_path: Path) -> None:
    folder(tmp_path, {"train/cat": 1, "train/dog": 1})
    assert found(tmp_path) == {"train": ["train/cat/0.png", "train/dog/0.png"]}


def test_a_train_beside_buses_is_a_class(tmp_path: Path) -> None:
    assert find_images(str(folder(tmp_path, {"bus": 1, "train": 1, "car": 1}))).classes == ("bus", "car", "train")


def test_hidden_files_and_what_systems_leave_behind(tmp_path: Path) -> None:
    folder(tmp_path, {"cat": 1, "dog": 1, ".thumbnails": 2, "__MACOSX": 2, "dog/.trash": 2})
    for name in ("cat/.DS_Store", "cat/._0.png", "dog/Thumbs.db", "desktop.ini"):
        (tmp_path / name).write_bytes(b"x")
    assert found(tmp_path)["train"] == ["cat/0.png", "dog/0.png"]
    assert notes(tmp_path) == ""


def test_other_files_are_counted_and_said(tmp_path: Path) -> None:
    folder(tmp_path, PETS)
    for name in ("labels.csv", "cat/notes.txt", "cat/more.TXT", "dog/README", "dog/a.heic"):
        (tmp_path / name).write_text("something")
    said = notes(tmp_path)
    assert "5 other files (2 .txt, 1 .csv, 1 without suffix, 1 .heic) left out: no images that are read" in said
    assert ".heic files are not read: save them as JPEG or PNG" in said


def test_an_image_under_another_name_is_known_by_its_beginning(tmp_path: Path) -> None:
    folder(tmp_path, PETS)
    for number, kind in enumerate(("PNG", "JPEG", "GIF", "TIFF", "WEBP")):
        Image.fromarray(noise(seed=90 + number)).save(tmp_path / "cat" / f"photo-{kind}", kind)
    assert len(found(tmp_path)["train"]) == 11
    assert not is_image(str(tmp_path / "cat"))


def test_images_beside_the_class_folders_are_left_out_and_said(tmp_path: Path) -> None:
    folder(tmp_path, PETS)
    save(tmp_path / "cover.png")
    assert len(found(tmp_path)["train"]) == 6
    assert "1 image beside the folders left out: no folder names the class" in notes(tmp_path)


def test_images_beside_the_class_folders_of_a_part(tmp_path: Path) -> None:
    folder(tmp_path, {f"{part}/{kind}": 1 for part in ("train", "test") for kind in PETS})
    save(tmp_path / "test" / "stray.png")
    assert found(tmp_path)["test"] == ["test/cat/0.png", "test/dog/0.png"]
    assert "1 image in test/ beside the class folders left out" in notes(tmp_path)


@pytest.mark.parametrize("levels", ["archive", "archive/archive", "a/b/c"])
def test_a_single_folder_is_gone_down_into_and_said(levels: str, tmp_path: Path) -> None:
    folder(tmp_path / levels, PETS)
    (tmp_path / "licence.txt").write_text("free")
    images = find_images(str(tmp_path))
    assert images.classes == ("cat", "dog")
    assert images.notes[0] == f"the classes are looked for in {tmp_path / levels}, the only folder there"
    assert "licence" not in images.files[0].name


def test_a_single_folder_above_parts(tmp_path: Path) -> None:
    folder(tmp_path / "set", {f"{part}/{kind}": 1 for part in ("train", "test") for kind in PETS})
    assert list(found(tmp_path)) == ["train", "test"]


def test_a_test_part_without_classes_is_left_out_and_said(tmp_path: Path) -> None:
    folder(tmp_path, {"train/cat": 2, "train/dog": 2, "test": 4, "val": 0})
    assert list(found(tmp_path)) == ["train"]
    assert "test/ left out: no folders in it name the classes of its images" in notes(tmp_path)
    assert "val/ left out" in notes(tmp_path)


def test_another_folder_beside_the_parts_is_left_out_and_said(tmp_path: Path) -> None:
    folder(tmp_path, {"train/cat": 2, "train/dog": 2, "test/cat": 1, "test/dog": 1, "extra/cat": 3, "labels": 0})
    assert list(found(tmp_path)) == ["train", "test"]
    assert "extra/ left out: it is none of train/, val/ and test/" in notes(tmp_path)


@pytest.mark.parametrize(
    ("train", "test", "part"),
    [
        ("training_set", "test_set", "test"), ("trainset", "valset", "validation"), ("train", "dev", "validation"),
        ("Train images", "images-test", "test"), ("seg_train/seg_train", "seg_test/seg_test", "test"),
        ("train", "eval", "test"),
    ],
)  # fmt: skip
def test_parts_of_longer_names_that_hold_the_same_classes(train: str, test: str, part: str, tmp_path: Path) -> None:
    folder(tmp_path, {f"{name}/{kind}": 1 for name in (train, test) for kind in PETS} | {"seg_pred": 2, "labels": 0})
    assert found(tmp_path) == {
        "train": [f"{train}/cat/0.png", f"{train}/dog/0.png"],
        part: [f"{test}/cat/0.png", f"{test}/dog/0.png"],
    }
    assert f"{test.split('/')[0]}/ is taken for the {part} part: its name says so" in notes(tmp_path)
    assert "seg_pred/ left out: it is no such part" in notes(tmp_path)


@pytest.mark.parametrize(
    "counts",
    [
        {"train_station": 1, "test_tube": 1},
        {"train station/old": 1, "test tube/glass": 1},
        {"train 1/cat": 1, "train 2/cat": 1, "test/cat": 1},
        {"holdout/cat": 1, "dev/cat": 1},
        {"train_set/cat": 1, "bus/cat": 1},
    ],
)
def test_classes_whose_names_speak_of_parts(counts: dict[str, int], tmp_path: Path) -> None:
    images = find_images(str(folder(tmp_path, counts)))
    assert images.classes == tuple(sorted({name.split("/")[0] for name in counts}))
    assert images.notes == []


def test_links_are_followed_and_loops_are_not(tmp_path: Path) -> None:
    folder(tmp_path / "store", {"cats": 2})
    folder(tmp_path / "pets", {"dog": 2})
    pets = tmp_path / "pets"
    (pets / "cat").symlink_to(tmp_path / "store" / "cats")
    (pets / "dog" / "itself").symlink_to(pets / "dog")
    (pets / "dog" / "above").symlink_to(pets)  # would bring the cats in as dogs
    (pets / "dog" / "further").symlink_to(tmp_path)
    (pets / "dog" / "knot").symlink_to("knot")
    assert found(pets)["train"] == ["cat/0.png", "cat/1.png", "dog/0.png", "dog/1.png"]
    assert "3 folders that links lead to a second time left out" in notes(pets)


def test_two_spellings_of_one_accent_are_one_class(tmp_path: Path) -> None:
    composed, split = (unicodedata.normalize(form, "pâté") for form in ("NFC", "NFD"))
    folder(tmp_path, {f"train/{composed}": 1, "train/dog": 1, f"test/{split}": 1, "test/dog": 1})
    assert find_images(str(tmp_path)).classes == ("dog", composed)


def test_names_that_are_no_text(tmp_path: Path) -> None:
    folder(tmp_path, PETS)
    os.rename(tmp_path / "cat", os.path.join(os.fsencode(tmp_path), b"caf\xe9\n"))
    images = find_images(str(tmp_path))
    assert images.classes == (r"caf\udce9\n", "dog")
    "".join(file.name for file in images.files).encode()  # can be written anywhere
    assert len(open_images(str(tmp_path)).train) == 4


def test_a_pipe_is_no_image(tmp_path: Path) -> None:
    folder(tmp_path, PETS)
    os.mkfifo(tmp_path / "cat" / "pipe.png")  # reading it would never end
    assert len(found(tmp_path)["train"]) == 6
    assert "1 other file (1 .png) left out" in notes(tmp_path)


def test_the_layout_can_be_had_before_it_is_judged(tmp_path: Path) -> None:
    folder(tmp_path, {"train/cat": 1, "train/dog": 0, "test/bird": 1})
    layout = lay_out(str(tmp_path))
    assert {part: {name: len(files) for name, files in classes.items()} for part, classes in layout.images.items()} == {
        "train": {"cat": 1, "dog": 0},
        "test": {"bird": 1},
    }


# ---------------------------------------------------------------------- wrong places


def test_nothing_of_that_name(tmp_path: Path) -> None:
    folder(tmp_path / "Pets", PETS)
    error = refusal(tmp_path / "pest")
    assert error.got == "nothing of that name"
    assert error.remedy == f"The name closest to it is {tmp_path / 'Pets'}"
    assert "one of the named sets mnist5k, fashion-mnist, cifar10" in error.expected
    assert refusal(tmp_path / "Pest" / "train").remedy == f"The name closest to it is {tmp_path / 'Pets'}"
    assert refusal(tmp_path / "quite else").remedy == f"Check the path: there is no quite else in {tmp_path}"
    assert refusal("").got == "nothing of that name"


@pytest.mark.parametrize(
    ("typed", "meant"), [("mnist", "mnist5k"), ("Fashion_MNIST", "fashion-mnist"), ("cifar-10", "cifar10")]
)
def test_a_named_set_written_otherwise(typed: str, meant: str) -> None:
    with pytest.raises(DataError, match=f"The named set closest to it is {meant}"):
        open_images(typed)


def test_a_file_in_place_of_a_folder(tmp_path: Path) -> None:
    error = refusal(save(tmp_path / "cat.png"))
    assert error.got == "a file"
    assert error.remedy.startswith("Name the folder that holds the class folders")
    (tmp_path / "pets.zip").write_bytes(b"PK")
    assert (refusal(tmp_path / "pets.zip").got, refusal(tmp_path / "pets.zip").remedy) == (
        "a packed archive", "Unpack it, and name the folder",
    )  # fmt: skip


def layout_refusals() -> dict[str, tuple[dict[str, int], str, str]]:
    """Name -> what is in the folder, what the message says came, and what of the mend it tells."""
    put = "Put the images of each class into a folder of its own"
    return {
        "nothing": ({}, "no folders and no images", put),
        "empty folders": ({"cat": 0, "dog": 0}, "2 folders without images", put),
        "no class folders": ({".": 3}, "3 images in the folder itself", put),
        "one class": ({"cat": 3}, "only cat", "A classifier tells classes apart"),
        "one class below": ({"cat/2023": 3, "cat/empty": 0}, "none in empty", "Put images there, or remove the folder"),
        "an empty class": ({"cat": 3, "dog": 3, "bird": 0, "cow": 0}, "none in bird, cow", "Put images there, or remove"),
        "only a test part": ({"test/cat": 1, "test/dog": 1}, "only test/", "Name the folder itself"),
        "parts without classes": ({"train": 3, "test": 3}, "3 images in the folder itself", "FOLDER/train/cat/1.jpg"),
        "an empty train": ({"train": 0, "test/cat": 3, "test/dog": 1}, "no images", "FOLDER/train/cat/1.jpg"),
        "two validation parts": (
            {f"{part}/{kind}": 1 for part in ("train", "val", "valid") for kind in PETS},
            "val/ and valid/",
            "Put their images into one",
        ),
        "a class missing in test": (
            {"train/cat": 2, "train/dog": 2, "train/cow": 2, "test/cat": 1},
            "cow only in train/, dog only in train/",
            "the same class folders",
        ),
        "a class only in test": (
            {"train/cat": 2, "train/dog": 2, "test/cat": 1, "test/Dog": 1},
            "Dog only in test/, dog only in train/",
            "in the same letter case",
        ),
        "many odd classes": (
            {**{f"train/{i}": 1 for i in range(20)}, "test/0": 1},
            "1 only in train/, 2 only in train/, 3 only in train/, 4 only in train/, 5 only in train/ and 14 more",
            "the same class folders",
        ),
    }


@pytest.mark.parametrize(("counts", "got", "remedy"), layout_refusals().values(), ids=layout_refusals())
def test_a_wrong_layout(counts: dict[str, int], got: str, remedy: str, tmp_path: Path) -> None:
    error = refusal(folder(tmp_path, counts))
    assert error.where == "data"
    assert error.argument.startswith(str(tmp_path))
    assert got in error.got
    assert remedy in error.remedy
    with pytest.raises(DataError):
        open_images(str(tmp_path))


def test_only_files_that_are_not_read(tmp_path: Path) -> None:
    folder(tmp_path, {"cat": 0, "dog": 0})
    for number in range(3):
        (tmp_path / "cat" / f"{number}.HEIC").write_bytes(b"x")
        (tmp_path / "dog" / f"{number}.txt").write_bytes(b"x")
    error = refusal(tmp_path)
    assert error.got == "2 folders without images, and 6 other files (3 .heic, 3 .txt)"
    assert error.remedy == ".heic files are not read: save them as JPEG or PNG"
    save(tmp_path / "cat" / "a.png")
    assert refusal(tmp_path).got == "none in dog"


def test_a_folder_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder(tmp_path, PETS)
    real: Callable[..., object] = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("dog"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", refuse)
    error = refusal(tmp_path)
    assert (error.argument, error.expected) == (str(tmp_path / "dog"), "a folder that may be read")
    assert (error.got, error.remedy) == ("one that may not", "Mend its permissions")


# ---------------------------------------------------------------------- damaged files


def damage(root: Path) -> Path:
    folder(root, PETS)
    whole = save(root / "cat" / "photo.jpg", noise(200, 200)).read_bytes()
    (root / "cat" / "photo.jpg").write_bytes(whole[: len(whole) // 2])
    return root


def test_one_damaged_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    root = damage(tmp_path / "my pets")
    with pytest.raises(DataError) as caught:
        open_images(str(root))
    error = caught.value
    assert error.argument == "cat/photo.jpg"
    assert error.got.startswith("one cut short")
    assert error.remedy == f"`minigrad data check classify '{root}' --fix` sets damaged files aside"


def test_all_damaged_files_are_told_at_once(tmp_path: Path) -> None:
    damage(tmp_path)
    for number in range(6):
        (tmp_path / "dog" / f"empty{number}.png").write_bytes(b"")
    (tmp_path / "dog" / "gone.png").symlink_to("nowhere.png")
    with pytest.raises(DataError) as caught:
        open_images(str(tmp_path))
    assert caught.value.argument == "7 files"
    assert caught.value.got.startswith("dog/empty0.png: an empty file; dog/empty1.png: an empty file;")
    assert caught.value.got.endswith("and 2 more")


def test_a_link_that_leads_nowhere(tmp_path: Path) -> None:
    folder(tmp_path, PETS)
    (tmp_path / "dog" / "gone.png").symlink_to("nowhere.png")
    with pytest.raises(DataError, match=r"dog/gone\.png: expected a file, got a link to one that is not there"):
        open_images(str(tmp_path))


def test_not_a_number_in_an_image(tmp_path: Path) -> None:
    folder(tmp_path, PETS)
    values = np.full((8, 8), 0.5, np.float32)
    values[3, 3] = np.nan
    save(tmp_path / "cat" / "depth.tif", values)
    with pytest.raises(DataError, match=r"cat/depth\.tif: expected finite values, got 1 NaN or infinite.*sets damaged"):
        open_images(str(tmp_path))


def test_a_bomb_in_a_folder(tmp_path: Path) -> None:
    from tests.test_decode import png_of

    folder(tmp_path, PETS)
    (tmp_path / "cat" / "bomb.png").write_bytes(png_of(60_000, 60_000))
    with pytest.raises(DataError, match=r"cat/bomb\.png: expected at most 89,478,485 pixels"):
        open_images(str(tmp_path))


def test_files_are_found_by_class_and_part(tmp_path: Path) -> None:
    images = find_images(str(folder(tmp_path, PETS)))
    assert isinstance(images, ImageFolder)
    assert images.part("test") == []
