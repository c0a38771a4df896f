"""From a text to a model that is measured: ``minigrad train text``, ``resume``, ``eval``."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from minigrad import save
from minigrad.models import text_report
from minigrad.models.classifier import Card
from minigrad.models.text import Text, TextSettings
from minigrad.train import Run
from tests.shape_images import Commands, made_run, rows, setting_words
from tests.texts import TINY, poem


@pytest.fixture(scope="module", autouse=True)
def little_is_written() -> Iterator[None]:
    """On the pages of the runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_report, "WRITTEN", 30)
        yield


@pytest.fixture
def minigrad(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    monkeypatch.chdir(tmp_path)
    return Commands(capsys)


def untrained(data: Path, folder: Path, **settings: Any) -> Path:
    """A run of a text whose model is as it was at the beginning."""
    task = Text(str(data), TextSettings.of({**TINY, **settings}))
    with Run(folder) as made:
        made.begin({"task": task.name, **task.config()})
        save(dict(task.weights()), made.model)
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a text and a run of it."""
    folder = tmp_path_factory.mktemp("trained")
    untrained(poem(folder / "poem.txt"), folder / "run")
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of the run, that may be changed."""
    return Path(shutil.copytree(trained / "run", tmp_path / "run"))


def test_train_and_measure(minigrad: Commands, tmp_path: Path) -> None:
    poem(tmp_path / "my poem.txt")
    code, out, err = minigrad("train", "text", "--data", "my poem.txt", *setting_words(TINY))
    assert code == 0
    for line in ("text: 1 file, ", "split: the end of the file, ", "network: 2 layers of 8 LSTM units, ", "training: "):
        assert f"\n{line}" in f"\n{out}"
    path = "runs/text-my-poem.txt-1"
    assert out.endswith(f"To use it:\n  minigrad write {path}\n")
    assert re.search(r"^step +\d+/11  train loss \d.*  val loss \d.*  val bits \d.*  \(best\)\n    \S", err, re.MULTILINE)
    assert {file.name for file in Path(path).iterdir()} >= {"samples.txt", "report.html", "model.safetensors"}
    code, out, _ = minigrad("eval", path)
    best = min(row["val/loss"] for row in rows(Path(path)) if "val/loss" in row)
    assert code == 0 and f"held-out part of {tmp_path / 'my poem.txt'}: " in out
    assert f"loss {best:.4f} nats per character, {best / math.log(2):.4f} bits, perplexity {math.exp(best):.3f}" in out
    assert re.search(r"^U\+0020 SPACE +\d+ +\d\.\d+ +\d+\.\d%$", out, re.MULTILINE)


def test_eval_in_json_adds_up(minigrad: Commands, trained: Path) -> None:
    code, out, _ = minigrad("eval", trained / "run", "--json")
    told = json.loads(out)
    assert code == 0 and (told["unit"], told["bits"]) == ("character", pytest.approx(told["loss"] / math.log(2)))
    assert told["perplexity"] == pytest.approx(math.exp(told["loss"]))
    assert sum(row["count"] for row in told["costliest"]) == told["characters"]
    assert sum(row["count"] * row["nats"] for row in told["costliest"]) == pytest.approx(told["characters"] * told["loss"])


def test_eval_of_other_text(minigrad: Commands, trained: Path, tmp_path: Path) -> None:
    poem(tmp_path / "other.txt", seed=5)
    code, out, _ = minigrad("eval", trained / "run", "--data", "other.txt")
    assert code == 0 and "text: 1 file, " in out and "other.txt: 1," in out
    (tmp_path / "new.txt").write_text("The cat sät.\n")
    words = minigrad.refused("eval", trained / "run", "--data", "new.txt")
    assert "data: new.txt: characters: expected the 23 characters that the vocabulary has, got 1 other: " in words
    code, out, _ = minigrad("eval", trained / "run", "--data", "new.txt", "--unseen", "skip")
    assert code == 0 and "left out: 1 character" in out and "new.txt: 12 characters" in out
    assert "expected one of refuse, fold, skip, got 'x'" in minigrad.refused(
        "eval", trained / "run", "--data", "new.txt", "--unseen", "x"
    )
    assert "expected a model of text, and --data, got none" in minigrad.refused("eval", trained / "run", "--unseen", "skip")
    (tmp_path / "short.txt").write_text("tä")
    words = minigrad.refused("eval", trained / "run", "--data", "short.txt", "--unseen", "skip")
    assert "data: short.txt: expected at least 2 characters" in words and "got 1 that the model knows" in words
    (tmp_path / "empty.txt").touch()
    assert "got an empty file" in minigrad.refused("eval", trained / "run", "--data", "empty.txt")
    assert "got nothing of that name" in minigrad.refused("eval", trained / "run", "--data", "nowhere.txt")


def test_bytes_are_called_bytes(minigrad: Commands, tmp_path: Path) -> None:
    (tmp_path / "noise.bin").write_bytes(bytes(range(256)) * 8)
    code, out, _ = minigrad("eval", untrained(tmp_path / "noise.bin", tmp_path / "run", bytes=True))
    assert code == 0 and "nats per byte" in out and " bytes\n" in out
    assert re.search(r"^0x[0-9a-f]{2} +\d+ +\d\.\d+ +\d+\.\d%$", out, re.MULTILINE)


def change(run: Path, key: str, value: Any) -> None:
    """Change an entry of a run's config."""
    path = run / "config.json"
    config = json.loads(path.read_text())
    place = config
    *folders, name = key.split(".")
    for folder in folders:
        place = place[folder]
    place[name] = value(place[name])
    path.write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("model.vocabulary.symbols", lambda text: text[:-1], "expected weights and a config.json of one network"),
        (
            "model.vocabulary.symbols",
            lambda text: text[::-1],
            "expected 23 characters, got the same in another order",
        ),
        ("model.options.hidden", lambda size: size + 1, "expected weights and a config.json of one network"),
        ("model.options.hidden", lambda size: 10**6, "expected weights and a config.json of one network"),
        ("model.options", lambda options: None, "expected what the network is, as minigrad train text writes it"),
        ("settings", lambda settings: None, "expected data, data_digest and settings, as minigrad train text writes them"),
        ("data_digest", lambda digest: "0", "expected the text that the run began with, got others"),
        ("data", lambda path: "/nowhere", "expected the text that the run began with, got nothing of that name"),
    ],
)
def test_a_config_that_does_not_fit_the_checkpoint(minigrad: Commands, run: Path, key: str, value: Any, words: str) -> None:
    change(run, key, value)
    assert words in minigrad.refused("eval", run)


def test_a_text_that_was_changed_is_not_gone_on_with(minigrad: Commands, run: Path, tmp_path: Path) -> None:
    change(run, "data", lambda path: str(poem(tmp_path / "poem.txt", seed=3)))
    assert "expected the text that the run began with, got others" in minigrad.refused("resume", run)


def test_the_other_task_has_no_such_option(minigrad: Commands, tmp_path: Path) -> None:
    card = Card("cnn", {"width": 4, "hidden": 8}, (1, 8, 8), ("a", "b"), (0.5,), (0.25,))
    words = minigrad.refused("eval", made_run(tmp_path / "run", card), "--data", "x", "--unseen", "skip")
    assert "eval: --unseen: expected a model of text, and --data, got one of the task classify. Leave it out." in words
