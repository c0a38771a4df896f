"""What a user can do wrong, and what can happen to one: a clear message, exit code 2, and nothing lost or half-written."""

from __future__ import annotations

import errno
import gzip
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.shape_images import SMALL, Commands, setting_words, shapes, trained_run, tree
from tests.small_disk import small_disk

TRAIN = ("train", "classify", "--data")


@pytest.fixture
def minigrad(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    return Commands(capsys)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder ``data``, and ``run`` that was trained on it."""
    folder = tmp_path_factory.mktemp("trained")
    trained_run(shapes(folder / "data", 6, mixed=False), folder / "run")
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of that run."""
    return shutil.copytree(trained / "run", tmp_path / "run")


# ---------------------------------------------------------------------- data


def empty(root: Path) -> None:
    root.mkdir()


def without_images(root: Path) -> None:
    (root / "cat").mkdir(parents=True)
    (root / "dog").mkdir()
    (root / "cat" / "notes.txt").touch()


def one_class(root: Path) -> None:
    shapes(root, 5, names={"cat": "circle"}, mixed=False)


def flat(root: Path) -> None:
    shapes(root / "x", 3, names={"cat": "circle"}, mixed=False)
    (root / "x" / "cat").rename(root / "cat")
    for file in list((root / "cat").iterdir()):
        file.rename(root / file.name)
    (root / "cat").rmdir()
    (root / "x").rmdir()


def truncated(root: Path) -> None:
    shapes(root, 6)
    (image,) = (root / "circle").glob("*.jpg")
    image.write_bytes(image.read_bytes()[:-200])


def not_a_number(root: Path) -> None:
    shapes(root, 6, mixed=False)
    pixels = np.full((9, 9), 0.5, np.float32)
    pixels[3, 4] = np.nan
    Image.fromarray(pixels).save(root / "cross" / "odd.tiff")


def two_small_ones(root: Path) -> None:
    shapes(root, 2, names={"cat": "circle", "dog": "cross"}, mixed=False)


def an_empty_class(root: Path) -> None:
    shapes(root, 5, mixed=False)
    (root / "bird").mkdir()


def label_out_of_range(root: Path) -> None:
    """MNIST's files with a label that is none."""
    root.mkdir()
    rng = np.random.default_rng(0)
    for name, count in (("train", 40), ("t10k", 20)):
        images = rng.integers(0, 256, (count, 28, 28), np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        labels[7] = 10 if name == "train" else labels[7]
        for kind, magic, array in (("images-idx3", 2051, images), ("labels-idx1", 2049, labels)):
            head = b"".join(int(n).to_bytes(4, "big") for n in (magic, *array.shape))
            (root / f"{name}-{kind}-ubyte.gz").write_bytes(gzip.compress(head + array.tobytes()))


DATA: dict[str, tuple[Callable[[Path], None], str]] = {
    "an empty folder": (empty, "got no folders and no images. Put the images of each class into a folder of its own"),
    "no images": (without_images, "got 2 folders without images, and 1 other file (1 .txt)"),
    "one class": (one_class, "expected the folders of at least 2 classes, got only cat. A classifier tells classes apart."),
    "no class folders": (flat, "got 3 images in the folder itself. Put the images of each class into a folder of its own"),
    "a truncated JPEG": (truncated, "circle/005.jpg: expected an image that can be read, got one cut short"),
    "NaN": (not_a_number, "cross/odd.tiff: expected finite values, got 1 NaN or infinite."),
    "too few": (two_small_ones, "expected at least 3 different images of each class"),
    "an empty class": (an_empty_class, "expected images in every class folder, got none in bird"),
    "a label out of range": (label_out_of_range, "train-labels-idx1-ubyte.gz: expected"),
}


@pytest.mark.parametrize("case", DATA)
def test_data_that_cannot_be_trained_on(case: str, minigrad: Commands, tmp_path: Path) -> None:
    make, words = DATA[case]
    make(tmp_path / "data")
    before = tree(tmp_path)
    told = minigrad.refused(*TRAIN, "data")
    assert words in told
    assert "`minigrad data check classify data" in told  # which lists all that is wrong
    assert tree(tmp_path) == before
    assert not (tmp_path / "runs").exists()


def test_damaged_files_are_named_with_the_command_that_mends_them(minigrad: Commands, tmp_path: Path) -> None:
    truncated(tmp_path / "my data")
    words = minigrad.refused(*TRAIN, "my data")
    assert "`minigrad data check classify 'my data' --fix` sets damaged files aside." in words
    assert minigrad("data", "check", "classify", "my data", "--fix").code in (0, 1)
    assert minigrad.train("my data", tmp_path / "run", epochs=1).code == 0


@pytest.mark.parametrize(
    "name, words",
    [
        ("nowhere", "or one of the named sets mnist5k, fashion-mnist, cifar10, got nothing of that name."),
        ("mnist5", "The named set closest to it is mnist5k."),
        ("", "got nothing of that name."),
        ("file.zip", "got a packed archive. Unpack it, and name the folder."),
        ("a\x1b[2Jb\n", "a\\x1b[2Jb\\n: expected"),
    ],
)
def test_data_that_are_not_there(name: str, words: str, minigrad: Commands, tmp_path: Path) -> None:
    (tmp_path / "file.zip").touch()
    assert words in minigrad.refused(*TRAIN, name)
    assert not (tmp_path / "runs").exists()


def test_tiny_images(minigrad: Commands, tmp_path: Path) -> None:
    """Of a size that no network takes; the message says what helps, and it does."""
    shapes(tmp_path / "data", 5, mixed=False)
    for file in (tmp_path / "data").rglob("*.png"):
        Image.open(file).resize((3, 3)).save(file)
    settings = setting_words({**SMALL, "image_size": None, "epochs": 1})
    words = minigrad.refused(*TRAIN, "data", *settings)
    assert (
        "expected images of at least 4 pixels a side, got 3x3 (width x height). Have them enlarged: --set image_size=32."
        in words
    )
    assert minigrad(*TRAIN, "data", *settings, "--set", "image_size=32").code == 0


# ---------------------------------------------------------------------- settings and options


@pytest.mark.parametrize(
    "words, message",
    [
        (["--set", "epoch=3"], "--set: epoch: expected one of accumulate, "),
        (["--set", "epoch=3"], "got the unknown key 'epoch'. Did you mean epochs?"),
        (["--set", "epochs"], "--set: epochs: expected key=value, got no '='."),
        (["--set", "epochs=many"], "epochs: expected a whole number from 1 to 1000000, or auto, got 'many'."),
        (["--set", "epochs=0"], "epochs: expected a whole number from 1 to 1000000, or auto, got 0."),
        (["--set", "epochs=1.5"], "epochs: expected a whole number from 1 to 1000000, or auto, got '1.5'."),
        (["--set", "epochs=" + "9" * 400], "epochs: expected a whole number from 1 to 1000000"),
        (["--set", "epochs=1", "--set", "epochs=2"], "epochs: expected each key once, got it twice."),
        (["--set", "lr=nan"], "lr: expected a number, 0 or more, or auto, got nan."),
        (["--set", "lr=-1"], "lr: expected a number, 0 or more, or auto, got -1.0."),
        (["--set", "flip=maybe"], "flip: expected true or false, or auto, got 'maybe'."),
        (
            ["--set", "network=vgg"],
            "network: expected one of cnn, resnet20, resnet32, resnet56, resnet18, resnet34, resnet50, efficientnet-lite0, "
            "keras-cnn, got 'vgg'.",
        ),
        (["--set", "channels=2"], "channels: expected one of 1, 3, or auto, got 2."),
        (
            ["--set", "network=resnet20", "--set", "hidden=8"],
            "hidden: expected no value, as network=resnet20 has no such thing",
        ),
        (
            ["--set", "image_size=8", "--set", "crop=8"],
            "crop: expected fewer pixels than the image's sides have, at most 7, got 8",
        ),
        (
            ["--set", "accumulate=9"],
            "accumulate: expected at most 7 parts, so that each of a batch of 15 has two images, got 9.",
        ),
        (["--set", "width=1000000"], "parameters: expected what fits into the"),
        (["--set", "hidden=1000000", "--set", "width=4096"], "GB at least. Try smaller ones of width, hidden, image_size"),
        (["--device", "cuda"], "device: cuda: expected a GPU for 'cuda'"),
        (["--device", "tpu"], "device: type: expected 'cpu', 'cuda', 'cuda:INDEX' or 'emulated', got 'tpu'."),
        (["--out", "data"], "data: expected a new folder, or an empty one, got one that holds circle, cross, square."),
        (["--out", "file"], "file: expected a new folder, or an empty one, got Not a directory. Choose another with --out."),
        (["--out", "file/run"], "file/run: expected a folder that can be written to, got Not a directory."),
        (["--out", "run"], "got a run that was begun before. Go on with it by: minigrad resume run or train into another"),
        (["--set", "epochs"], "For example --set epochs=auto."),
        (["--epochs", "3"], "No such option: --epochs. It is a setting: --set epochs=VALUE."),
        (["--batch-size", "3"], "No such option: --batch-size. It is a setting: --set batch_size=VALUE."),
        (["--set", "epochs", "=", "2"], "Got unexpected extra argument(s) (= 2) Write KEY=VALUE without spaces."),
        (["spare"], "Got unexpected extra argument"),
        (["--set"], "Option '--set' requires an argument."),
    ],
)
def test_what_train_refuses(
    words: list[str], message: str, minigrad: Commands, run: Path, trained: Path, tmp_path: Path
) -> None:
    (tmp_path / "data").symlink_to(trained / "data")
    (tmp_path / "file").write_text("kept")
    before = tree(tmp_path)
    assert message in minigrad.refused(*TRAIN, "data", *words)
    assert tree(tmp_path) == before
    assert not (tmp_path / "runs").exists()


def test_a_command_without_what_it_needs(minigrad: Commands) -> None:
    assert "Missing option '--data'. See minigrad train classify --help" in minigrad.refused("train", "classify")
    assert "Missing option '--data'. Did you mean --data pets? See" in minigrad.refused("train", "classify", "pets")
    assert "What to train comes first: minigrad train classify --data ... See" in minigrad.refused("train", "--data", "pets")
    assert "Missing argument 'RUN'. See minigrad resume --help" in minigrad.refused("resume")
    assert "Missing argument 'IMAGE...'. See minigrad classify --help" in minigrad.refused("classify", "run")
    assert "No such command 'trian'. Did you mean 'train'? See minigrad --help" in minigrad.refused("trian")
    words = "demo: --only: expected one of classify, detect, text, handwriting, translate, gan, got 'dectet'."
    assert words in minigrad.refused("demo", "--only", "dectet")


def test_a_rate_that_diverges(minigrad: Commands, trained: Path, tmp_path: Path) -> None:
    """The last checkpoint before it is whole, and the run can be looked at."""
    code, _, err = minigrad.train(trained / "data", tmp_path / "run", lr=1e30, schedule="constant")
    assert code == 2
    assert "error: train: " in err and "Lower the learning rate (--set lr=...)" in err
    assert json.loads((tmp_path / "run" / "config.json").read_text())["settings"]["lr"] == 1e30


# ---------------------------------------------------------------------- disks


def test_a_full_disk(minigrad: Commands, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It fills in the middle of a training, which goes on when there is room; a small disk, or what one would answer."""
    with small_disk(tmp_path / "disk", 200) as there:
        target = tmp_path / "disk" / "run"
        with monkeypatch.context() as patched:
            if there:
                (tmp_path / "disk" / "others").write_bytes(bytes(120 * 1024))
            else:
                patched.setattr(os, "replace", full_after(9))
            code, _, err = minigrad.train(trained / "data", target, save_every=0)
        assert code == 2
        assert "No space left on device" in err
        assert f"Nothing is lost but the steps since the last checkpoint. Go on by: minigrad resume {target}" in err
        assert not list(target.rglob("*.tmp"))
        (tmp_path / "disk" / "others").unlink(missing_ok=True)
        assert minigrad("resume", target).code == 0
        assert (target / "metrics.jsonl").read_bytes() == (trained / "run" / "metrics.jsonl").read_bytes()


def full_after(writes: int) -> Callable[[Any, Any], None]:
    replace, left = os.replace, [writes]

    def limited(one: Any, other: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(one, other)

    return limited


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_folder_that_may_not_be_written_to(
    number: int, minigrad: Commands, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a superuser no rights bind, so that the system's answer is given in its place."""

    def refuse(*words: Any, **options: Any) -> None:
        raise OSError(number, os.strerror(number))

    run = shutil.copytree(trained / "run", tmp_path / "run")
    before = tree(run)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "mkdir", refuse)
        words = minigrad.refused(*TRAIN, trained / "data", "--out", "new")
        assert f"new: expected a folder that can be written to, got {os.strerror(number)}. Choose another folder" in words
        assert "expected a folder that can be written to" in minigrad.refused("resume", "run")
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", refuse)
        code, out, err = minigrad("eval", "run")
    assert code == 2
    assert "accuracy" in out  # what could be done is told
    assert "confusion.png: expected" in err and os.strerror(number) in err
    assert tree(run) == before
    assert not (tmp_path / "new").exists()


def test_it_is_applied_from_a_disk_that_is_read_only(minigrad: Commands, trained: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 400) as there:
        run = shutil.copytree(trained / "run", tmp_path / "disk" / "run")
        if there:
            subprocess.run(["mount", "-o", "remount,ro", str(tmp_path / "disk")], check=True)
        before = tree(run)
        assert minigrad("classify", run, trained / "data" / "cross").code == 0
        assert tree(run) == before
