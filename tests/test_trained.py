"""Models by name or folder: one way to open both, and the tool that makes a shipped model from a run."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import minigrad
from minigrad.errors import ArgumentError, RunError
from minigrad.models.classifier import Classifier
from minigrad.train import Run, fit, ship, trained
from minigrad.train.examples import Line, LineSettings
from minigrad.train.trained import Trained
from tests.shape_images import COLOUR, Commands, made_run

FIGURE = {"step": 3, "val/loss": 0.5}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where shipped models are looked for: an empty folder; and the current folder is another."""
    monkeypatch.setattr(trained, "shipped_folder", lambda: tmp_path / "pretrained")
    monkeypatch.setattr(ship, "shipped_folder", lambda: tmp_path / "pretrained")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "pretrained"


@pytest.fixture
def run(folder: Path, tmp_path: Path) -> Path:
    """The run of a classifier that nobody trained."""
    return made_run(tmp_path / "run", COLOUR)


@pytest.fixture
def colours(folder: Path, run: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The card of the shipped model ``colours``, which is that classifier."""
    monkeypatch.setattr(ship, "figure", lambda run: FIGURE)
    return ship.ship(run, "colours", "MIT")


@pytest.fixture(scope="module")
def first_line(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training of the smallest task."""
    with Run(tmp_path_factory.mktemp("line") / "run") as run:
        fit(Line(LineSettings(epochs=3, seed=7)), run, say=lambda text: None)
    return run.path


@pytest.fixture
def line(first_line: Path, tmp_path: Path) -> Run:
    """The same, in a folder that may be spoiled."""
    return Run(shutil.copytree(first_line, tmp_path / "line"))


# ---------------------------------------------------------------------- opening


def test_a_run_folder(run: Path) -> None:
    model = Trained.open(run)
    assert (model.name, model.path, model.folder, model.card) == (str(run), run / "model.safetensors", run, None)
    assert model.config() == Run(run).config()
    assert model.weights().keys() == Run(run).weights().keys()


def test_a_shipped_name(colours: Path, run: Path) -> None:
    model = Trained.open("colours")
    assert trained.shipped() == ["colours"]
    assert (model.name, model.path, model.folder) == ("colours", colours.with_suffix(".safetensors"), Path())
    assert model.config() == Run(run).config()
    assert {tensor.dtype for tensor in model.weights().values() if tensor.is_floating_point()} == {minigrad.float16}
    assert model.card is not None and model.card["figure"] == FIGURE and model.card["licence"] == "MIT"


def test_a_shipped_classifier_says_what_its_run_says(colours: Path, run: Path) -> None:
    """Half precision is in the file alone."""
    images = np.random.default_rng(0).integers(0, 256, (4, 3, 8, 8), np.uint8)
    ours, theirs = Classifier.load("colours"), Classifier.load(str(run))
    assert {p.dtype for p in ours.network.parameters()} == {minigrad.float32}
    assert np.abs(ours(images) - theirs(images)).max() < 1e-3


def test_whoever_changes_a_config_changes_a_copy(colours: Path) -> None:
    model = Trained.open("colours")
    model.config()["model"]["classes"].clear()
    assert model.config()["model"]["classes"] == ["red", "green", "blue"]


def test_commands_take_a_shipped_name(colours: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    minigrad = Commands(capsys)
    Image.new("RGB", (9, 9), "red").save("red.png")
    code, out, _ = minigrad("classify", "colours", "red.png", "--json")
    assert code == 0 and {one["label"] for one in json.loads(out)[0]["top"]} == {"red", "green", "blue"}
    for name in COLOUR.classes:
        (tmp_path / "data" / name).mkdir(parents=True)
        Image.new("RGB", (9, 9), name).save(tmp_path / "data" / name / "1.png")
    code, out, _ = minigrad("eval", "colours", "--data", tmp_path / "data")
    assert code == 0
    assert Path("confusion-data.png").exists()  # in the current folder: the model's own is not the user's


def test_a_folder_that_is_called_as_a_shipped_model(colours: Path) -> None:
    made_run(Path("colours"), COLOUR._replace(classes=("a", "b", "c")))
    assert Trained.open("colours").card is not None
    assert Trained.open("./colours").config()["model"]["classes"] == ["a", "b", "c"]


def test_another_task(colours: Path) -> None:
    with pytest.raises(
        RunError, match=re.escape("text: colours: expected a model of the task text, got one of the task classify")
    ):
        Trained.open("colours").config("text")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("colors", "got no such folder, and no such name. Did you mean colours?"),
        ("nothing", "a run folder, or the name of a shipped model, got no such folder, and no such name. "
            "These are shipped: colours."),
        ("runs/colours", "runs/colours: expected a run folder, as minigrad train makes it, got no such folder."),
        ("keras.h5", "a run folder, or a file of weights that ends in .pth, .pt, .bin, .safetensors, got a file with another "
            "ending. minigrad.load reads HDF5 files, in Python."),
    ],
)  # fmt: skip
def test_a_wrong_name(colours: Path, name: str, text: str) -> None:
    Path("keras.h5").touch()
    with pytest.raises(RunError) as caught:
        Trained.open(name)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["explain", "colors"], "Did you mean colours?"),
        (["classify", "colors", "a.png"], "Did you mean colours?"),
        (["detect", "colors", "a.png"], "no such folder, and no such name."),
    ],
)
def test_only_models_that_a_command_takes_are_offered(
    colours: Path, words: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told = Commands(capsys).refused(*words)
    assert text in told and ("colours" in told) == ("colours" in text)


def test_a_wrong_name_beside_runs(colours: Path) -> None:
    made_run(Path("mine"), COLOUR)
    with pytest.raises(RunError, match=r"These are shipped: colours\. Runs there: mine\.$"):
        Trained.open("nothing")


def test_a_wrong_name_where_nothing_is_shipped(folder: Path) -> None:
    with pytest.raises(RunError, match="expected a run folder, as minigrad train makes it, got no such folder"):
        Trained.open("colours")


def damaged_card(card: Path, **changes: Any) -> None:
    content = json.loads(card.read_text())
    card.write_text(json.dumps({key: value for key, value in {**content, **changes}.items() if value is not ...}))


DAMAGE = {
    "no JSON": (lambda card: card.write_text("{"), "a file that cannot be read"),
    "a list": (lambda card: card.write_text("[]"), "something else"),
    "no figure": (lambda card: damaged_card(card, figure=...), "something else"),
    "later format": (lambda card: damaged_card(card, format=2), "one of another format"),
    "no config": (lambda card: damaged_card(card, config=3), "one without"),
    "no task": (lambda card: damaged_card(card, config={}), "one without"),
    "cut weights": (
        lambda card: card.with_suffix(".safetensors").write_bytes(b"cut"),
        "the weights that its card has the digest of",
    ),
    "no weights": (lambda card: card.with_suffix(".safetensors").unlink(), "No such file"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_installation(colours: Path, case: str) -> None:
    damage, text = DAMAGE[case]
    damage(colours)
    with pytest.raises(RunError) as caught:
        Classifier.load("colours")
    assert text in str(caught.value) and str(caught.value).endswith("Install minigrad anew: its files were damaged.")


# ---------------------------------------------------------------------- making


def test_a_card_says_how_to_make_it_again(line: Run, tmp_path: Path) -> None:
    card = json.loads(ship.ship(line.path, "a-line", " MIT ", folder=tmp_path / "out").read_text())
    best = min((row for row in line.metrics.rows() if "val/loss" in row), key=lambda row: row["val/loss"])
    assert card["figure"] == {"step": best["step"], "val/loss": best["val/loss"]}
    assert card["command"].startswith("minigrad train line --set epochs=3 ") and card["command"].endswith("--set seed=7")
    assert (card["seed"], card["licence"], card["data_digest"], card["minigrad"]) == (7, "MIT", None, minigrad.__version__)
    assert card["config"] == line.config()


def test_weights_in_half_precision_or_whole(line: Run, tmp_path: Path) -> None:
    whole = minigrad.load(ship.ship(line.path, "whole", "MIT", half=False, folder=tmp_path).with_suffix(".safetensors"))
    half = minigrad.load(ship.ship(line.path, "half", "MIT", folder=tmp_path).with_suffix(".safetensors"))
    for name, tensor in line.weights().items():
        assert np.array_equal(whole[name].numpy(), tensor.numpy())
        assert half[name].dtype == minigrad.float16
        assert half[name].numpy() == pytest.approx(tensor.numpy(), rel=1e-3)


def test_the_same_run_gives_the_same_files(line: Run, tmp_path: Path) -> None:
    first, second = (ship.ship(line.path, "a-line", "MIT", folder=tmp_path / name) for name in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()
    assert first.with_suffix(".safetensors").read_bytes() == second.with_suffix(".safetensors").read_bytes()


@pytest.mark.parametrize("name", ["", "Shakespeare", "a b", "../a", "a_b", "-a", "a-", "1"])
def test_a_name_that_is_none(line: Run, name: str) -> None:
    with pytest.raises(ArgumentError, match="ship: name: expected small letters, digits and dashes"):
        ship.ship(line.path, name, "MIT")


def test_a_model_without_licence(line: Run) -> None:
    with pytest.raises(ArgumentError, match="ship: licence"):
        ship.ship(line.path, "a-line", " ")


def test_data_of_ones_own(folder: Path, tmp_path: Path) -> None:
    with Run(tmp_path / "own") as run:
        run.begin({"task": "text", "data": str(tmp_path / "diary.txt"), "settings": {}})
        minigrad.save({"w": minigrad.ones(2)}, run.model)
    with pytest.raises(RunError, match=r"expected a training on a named data set, got one on .*diary.txt. Others could not"):
        ship.ship(run.path, "diary", "MIT", told=" ")
    assert not folder.exists()


def test_data_that_are_told_of_in_place_of_their_path(
    folder: Path, line: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(line.path)
    monkeypatch.setattr(ship, "figure", lambda run: FIGURE)
    monkeypatch.setattr(Run, "config", lambda self: {"task": "line", "data": str(tmp_path), "settings": {}})
    path = ship.ship(run.path, "a-line", "MIT", told="points of a line, x and y", folder=folder)
    card = json.loads(path.read_text())
    assert card["config"]["data"] == "points of a line, x and y" and str(tmp_path) not in path.read_text()
    assert card["command"] == "minigrad train line --data 'points of a line, x and y'"
    words = [str(run.path), "again", "--licence", "MIT", "--folder", str(folder), "--data-are", "points of a line"]
    assert ship.main(words) == 0
    assert json.loads((folder / "again.json").read_text())["config"]["data"] == "points of a line"


def test_what_it_began_with_is_told_too(colours: Path, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the later model may take the earlier one's name, again and again."""
    first = json.loads(colours.read_text())
    config = {**Run(run).config(), "init_from": {"model": "colours", "sha256": "0" * 64}}
    monkeypatch.setattr(Run, "config", lambda self: config)
    cards = [json.loads(ship.ship(run, "colours", "MIT").read_text()) for _ in range(2)]
    known = {key: first[key] for key in ("command", "seed", "data_digest", "figure", "sha256")}
    assert "begun_with" not in first and cards[0]["begun_with"] == known
    assert cards[0]["command"].endswith(" --init-from colours")
    assert cards[1]["begun_with"] == {key: cards[0][key] for key in (*known, "begun_with")}
    config["init_from"] = {"model": "runs/mine", "sha256": "0" * 64}
    assert "begun_with" not in json.loads(ship.ship(run, "colours", "MIT").read_text())


def test_figures_that_were_measured_apart(line: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [str(line.path), "a-line", "--licence", "MIT", "--folder", str(tmp_path)]
    assert ship.main([*words, "--figure", "test/loss=0.5", "--figure", "test/accuracy=1"]) == 0
    found = json.loads((tmp_path / "a-line.json").read_text())["figure"]
    assert found == {"step": ship.figure(line)["step"], "test/loss": 0.5, "test/accuracy": 1.0}
    for wrong in ("0.5", "loss=", "loss=nan", "loss=much"):
        with pytest.raises(SystemExit) as caught:
            ship.main([*words, "--figure", wrong])
        assert caught.value.code == 2 and "argument --figure: invalid" in capsys.readouterr().err


def test_more_than_half_precision_holds(line: Run, tmp_path: Path) -> None:
    minigrad.save({"weight": minigrad.tensor([[1e9]]), "bias": minigrad.ones(1)}, line.model)
    with pytest.raises(RunError, match=r"expected weights that half precision holds, got larger ones in weight"):
        ship.ship(line.path, "a-line", "MIT", folder=tmp_path)


def test_too_large_to_be_shipped(line: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ship, "LARGEST", 100)
    with pytest.raises(ArgumentError, match=r"expected at most 100 bytes of weights"):
        ship.ship(line.path, "a-line", "MIT", folder=tmp_path)


def test_a_training_whose_records_are_gone(line: Run, tmp_path: Path) -> None:
    line.metrics.path.unlink()
    with pytest.raises(RunError, match="expected the evaluation of step"):
        ship.ship(line.path, "a-line", "MIT", folder=tmp_path)
    for path in line.checkpoints.glob("*"):
        path.unlink()
    with pytest.raises(RunError, match="expected the checkpoints of the training, got none"):
        ship.ship(line.path, "a-line", "MIT", folder=tmp_path)


def test_the_tool_from_a_terminal(line: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [str(line.path), "a-line", "--licence", "MIT", "--folder", str(tmp_path / "out")]
    assert ship.main(words) == 0
    assert str(tmp_path / "out" / "a-line.json") in capsys.readouterr().out
    assert ship.main([str(tmp_path), *words[1:]]) == 2
    assert capsys.readouterr().err.startswith("error: run: ")


def test_all_that_is_shipped_is_whole() -> None:
    """Each model that the checkout has opens, has the weights of its card and is small enough."""
    for name in trained.shipped():
        model = Trained.open(name)
        assert isinstance(model.weights(), dict)
        assert model.path.stat().st_size <= ship.LARGEST
