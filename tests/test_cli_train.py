"""From a folder of images to a trained classifier that is used: ``minigrad train``, ``resume``, ``eval``."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from minigrad.cli.app import ORDER
from tests.shape_images import SMALL, Commands, rows, setting_words, shape, shapes, trained_run, tree

NEAR = 1e-6  # of a loss, where batch norm became part of the convolution in front of it


@pytest.fixture
def minigrad(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    monkeypatch.chdir(tmp_path)
    return Commands(capsys)


# ---------------------------------------------------------------------- training


def test_one_command_and_no_option(minigrad: Commands, tmp_path: Path) -> None:
    """A folder that nobody has seen before trains to its accuracy, and the next command uses it."""
    shapes(tmp_path / "my shapes", 8, mixed=False, side=12)
    code, out, _ = minigrad("train", "classify", "--data", "my shapes")
    assert code == 0
    assert "24 images in 3 classes of 8: circle, cross, square" in out
    assert "Finished after 200 steps; best accuracy 1.0000" in out
    run = Path("runs/classify-my-shapes-1")
    assert out.endswith(f"To use it:\n  minigrad classify {run} IMAGE...\n")
    assert {path.name for path in run.iterdir()} == {
        *("config.json", "model.safetensors", "checkpoints", "metrics.jsonl", "timing.jsonl", "report.html", "run.lock")
    }
    shapes(tmp_path / "others", 6, seed=1, mixed=False, side=12)
    code, out, _ = minigrad("eval", run, "--data", "others", "--json")
    assert (code, json.loads(out)["accuracy"]) == (0, 1.0)
    code, out, _ = minigrad("classify", run, "others/cross/003.png", "--json")
    assert (code, json.loads(out)[0]["top"][0]["label"]) == (0, "cross")


def test_mixed_sizes_and_kinds_of_files(minigrad: Commands, tmp_path: Path) -> None:
    """PNG, WebP, GIF, BMP and JPEG, in colour, grey, with a palette and with transparency, no two of one size."""
    told = minigrad.train(shapes(tmp_path / "shapes", 30), tmp_path / "run", image_size=16, width=8, epochs=25)
    assert told.code == 0
    assert max(row["val/accuracy"] for row in rows(tmp_path / "run") if "val/accuracy" in row) >= 0.9
    assert minigrad("eval", "run", "--data", shapes(tmp_path / "others", 6, seed=5)).code == 0


def test_among_equals_the_lowest_loss_is_kept(minigrad: Commands, tmp_path: Path) -> None:
    """With three images held out most evaluations have the same accuracy; the first of them is not the best."""
    minigrad.train(shapes(tmp_path / "shapes", 6, mixed=False), tmp_path / "run", epochs=20)
    found = [(row["val/accuracy"], -row["val/loss"]) for row in rows(tmp_path / "run") if "val/loss" in row]
    _, out, _ = minigrad("eval", "run", "--json")
    told = json.loads(out)
    assert told["accuracy"] == max(found)[0] and -told["loss"] == pytest.approx(max(found)[1], rel=NEAR)
    assert max(found) > next(pair for pair in found if pair[0] == told["accuracy"])


def test_names_of_run_folders(minigrad: Commands, tmp_path: Path) -> None:
    names = ["a b", "é" * 60, "(1)", "..."]
    for folder in names:
        shapes(tmp_path / folder, 5, mixed=False, side=8)
    for folder in [*names, "a b"]:
        assert minigrad("train", "classify", "--data", folder, *setting_words({**SMALL, "epochs": 1})).code == 0
    made = {"classify-a-b-1", "classify-a-b-2", f"classify-{'é' * 40}-1", "classify-1-1", "classify-data-1"}
    assert {path.name for path in (tmp_path / "runs").iterdir()} == made


def test_a_folder_named_like_a_set_is_not_taken_for_it(minigrad: Commands, tmp_path: Path) -> None:
    """Nor the set for the folder, when the run goes on."""
    shapes(tmp_path / "cifar10", 5, mixed=False, side=8)
    assert minigrad.train("./cifar10", tmp_path / "run", epochs=1).code == 0
    assert json.loads((tmp_path / "run" / "config.json").read_text())["data"] == str(tmp_path / "cifar10")


def test_home_is_understood(minigrad: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``--data=~/photos`` reaches the command as it stands."""
    monkeypatch.setenv("HOME", str(tmp_path))
    shapes(tmp_path / "photos", 5, mixed=False, side=8)
    assert minigrad("train", "classify", "--data=~/photos", *setting_words({**SMALL, "epochs": 1})).code == 0
    monkeypatch.setenv("HOME", "/nowhere")
    assert minigrad("resume", "runs/classify-photos-1").code == 0


def test_settings_are_kept(minigrad: Commands, tmp_path: Path) -> None:
    chosen = {**SMALL, "optimizer": "sgd", "schedule": "cosine", "lr": 0.05, "label_smoothing": 0.1, "flip": "yes", "seed": 7}
    minigrad.train(shapes(tmp_path / "shapes", 5, mixed=False), tmp_path / "run", **chosen)
    kept = json.loads((tmp_path / "run" / "config.json").read_text())["settings"]
    assert {key: kept[key] for key in chosen} == {**chosen, "flip": True}
    assert None not in {
        key: value for key, value in kept.items() if key not in ("log_every", "image_size", "channels", "holdout")
    }


# ---------------------------------------------------------------------- measuring


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run, the data that it was trained on, with a test part, and other data."""
    folder = tmp_path_factory.mktemp("trained")
    shapes(folder / "data" / "train", 10, mixed=False)
    shapes(folder / "data" / "test", 4, seed=1, mixed=False)
    shapes(folder / "other", 5, seed=2, mixed=False)
    trained_run(folder / "data", folder / "run", epochs=25, image_size=16)
    return folder


def test_eval_tells_how_good_it_is(minigrad: Commands, trained: Path) -> None:
    code, out, _ = minigrad("eval", trained / "run")
    assert code == 0
    assert f"test part of {trained / 'data'}: 12 images" in out
    assert re.search(r"^accuracy \d+\.\d\d%, cross-entropy \d+\.\d{4} nats$", out, re.MULTILINE)
    assert re.search(r"^circle +4( +\d+\.\d %){3}$", out, re.MULTILINE)
    assert (trained / "run" / "confusion.png").read_bytes()[:4] == b"\x89PNG"


def test_eval_in_json_adds_up(minigrad: Commands, trained: Path) -> None:
    code, out, err = minigrad("eval", trained / "run", "--json")
    told = json.loads(out)
    counts = told["confusion"]
    assert (code, err) == (0, "")
    assert told.keys() == {"data", "images", "accuracy", "loss", "classes", "confusion"}
    assert told["images"] == sum(map(sum, counts)) == 12
    assert told["accuracy"] == sum(counts[i][i] for i in range(3)) / 12
    assert [row["class"] for row in told["classes"]] == ["circle", "cross", "square"]
    for i, row in enumerate(told["classes"]):
        assert row["images"] == sum(counts[i])
        assert row["recall"] == counts[i][i] / sum(counts[i])


def test_eval_on_other_data(minigrad: Commands, trained: Path) -> None:
    before = tree(trained / "run")
    code, out, _ = minigrad("eval", trained / "run", "--data", trained / "other")
    assert code == 0
    assert f"{trained / 'other'}: 15 images" in out
    after = tree(trained / "run")
    assert after.keys() - before.keys() == {"confusion-other.png"}
    assert all(after[name] == before[name] for name in before)


def test_eval_on_some_of_the_classes(minigrad: Commands, trained: Path, tmp_path: Path) -> None:
    """One class, or one image of each, is enough to be measured on."""
    shapes(tmp_path / "one", 2, names={"square": "square"}, mixed=False)
    shapes(tmp_path / "few", 1, names={"cross": "cross", "circle": "circle"}, mixed=False)
    for data, images in (("one", [0, 0, 2]), ("few", [1, 1, 0])):
        code, out, _ = minigrad("eval", trained / "run", "--data", data, "--json")
        assert code == 0
        assert [row["images"] for row in json.loads(out)["classes"]] == images


def test_eval_on_classes_that_it_does_not_know(minigrad: Commands, trained: Path, tmp_path: Path) -> None:
    shapes(tmp_path / "more", 2, names={"square": "square", "Cross": "cross", "star": "circle"}, mixed=False)
    words = minigrad.refused("eval", trained / "run", "--data", "more")
    assert "expected the classifier's classes, circle, cross, square, or some of them, got Cross, star too." in words
    assert "Is Cross what it knows as cross? Then give it that name." in words


def test_eval_is_what_the_training_found(minigrad: Commands, tmp_path: Path) -> None:
    """Without a test part it is measured on what was held out, and gives the figures of the best evaluation."""
    minigrad.train(shapes(tmp_path / "shapes", 8, mixed=False), tmp_path / "run")
    _, out, _ = minigrad("eval", "run", "--json")
    told = json.loads(out)
    assert told["data"] == f"held-out part of {tmp_path / 'shapes'}"
    best = max((row["val/accuracy"], -row["val/loss"]) for row in rows(tmp_path / "run") if "val/loss" in row)
    assert told["accuracy"] == best[0] and told["loss"] == pytest.approx(-best[1], rel=NEAR)


# ---------------------------------------------------------------------- going on


def test_resume_of_a_finished_run_changes_nothing(minigrad: Commands, tmp_path: Path) -> None:
    minigrad.train(shapes(tmp_path / "shapes", 5, mixed=False), tmp_path / "run")
    before = tree(tmp_path / "run")
    code, out, err = minigrad("resume", "run")
    assert code == 0
    assert "Going on from step 6 of 6." in err
    assert "Finished after 6 steps" in out
    assert tree(tmp_path / "run") == before


def test_data_that_have_changed(minigrad: Commands, tmp_path: Path) -> None:
    """A run is not gone on with, nor its figures told, on images that it did not begin with."""
    shapes(tmp_path / "shapes", 5, mixed=False)
    minigrad.train("shapes", tmp_path / "run")
    before = tree(tmp_path / "run")
    (tmp_path / "shapes/circle/000.png").unlink()
    for command in ("resume", "eval"):
        words = minigrad.refused(command, "run")
        assert "expected the images and classes that the run began with, got others" in words
        assert "Put them back as they were, or train a new run on them." in words
    (tmp_path / "shapes").rename(tmp_path / "elsewhere")
    for command in ("resume", "eval"):
        words = minigrad.refused(command, "run")
        assert "expected the images that the run began with, got nothing of that name. Put them back there" in words
    assert tree(tmp_path / "run") == before


# ---------------------------------------------------------------------- help


def test_the_commands_in_the_order_of_need(minigrad: Commands) -> None:
    code, out, _ = minigrad("--help")
    names = [match[1] for line in out.splitlines() if (match := re.match(r"\W*(\w+) {2,}[A-Z]", line))]
    assert code == 0
    assert tuple(name for name in names if name in ORDER) == ORDER


HELPS = [
    "demo",
    "train",
    "train classify",
    "train gan",
    "resume",
    "eval",
    "classify",
    "imagine",
    "data",
    "data list",
    "data get",
    "data check",
    "doctor",
]


@pytest.mark.parametrize("words", HELPS)
def test_every_help_has_an_example_that_names_the_command(words: str, minigrad: Commands) -> None:
    for option in ("--help", "-h"):
        code, out, err = minigrad(*words.split(), option)
        assert (code, err) == (0, "")
        assert f"Example: minigrad {words}" in " ".join(out.split())


def test_the_help_lists_the_settings(minigrad: Commands) -> None:
    from minigrad.models.classify import ClassifySettings

    out = minigrad("train", "classify", "--help").out
    for key, default, about in ClassifySettings.table():
        assert re.search(rf"^{key}={re.escape(default)} +{re.escape(about)}$", out, re.MULTILINE)


def test_no_command_shows_the_help(minigrad: Commands) -> None:
    for words in ((), ("train",), ("data",)):
        code, out, err = minigrad(*words)
        assert (code, err) == (2, "")
        assert "Usage: minigrad" in out


def test_shapes_differ() -> None:
    """The images of the tests are what they claim."""
    import numpy as np

    drawn = {name: np.asarray(shape(name, np.random.default_rng(0), (20, 20))).mean(axis=(0, 1)).argmax() for name in
             ("circle", "square", "cross")}  # fmt: skip
    assert drawn == {"circle": 0, "square": 1, "cross": 2}
