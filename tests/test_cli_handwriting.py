"""From strokes to a hand that is measured: ``minigrad train handwriting``, ``resume``, ``eval``."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from minigrad.cli import main
from minigrad.models import handwriting_report
from tests.shape_images import Commands, rows, setting_words
from tests.small_hands import TINY, hand


@pytest.fixture(scope="module", autouse=True)
def little_is_written() -> Iterator[None]:
    """On the pages of the runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(handwriting_report, "BIASES", (1.0,))
        patch.setattr(handwriting_report, "SHOWN", 2)
        yield


@pytest.fixture
def minigrad(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    monkeypatch.chdir(tmp_path)
    return Commands(capsys)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with strokes and a run of them."""
    folder = tmp_path_factory.mktemp("trained")
    data = str(hand(folder / "mine.json"))
    assert main(["train", "handwriting", "--data", data, "--out", str(folder / "run"), *setting_words(TINY)]) == 0
    return folder


def test_train_and_measure(minigrad: Commands, tmp_path: Path) -> None:
    hand(tmp_path / "my hand.json")
    code, out, err = minigrad("train", "handwriting", "--data", "my hand.json", *setting_words(TINY))
    assert code == 0
    for line in ("network: 3 layers of 8 LSTM units, ", "training: 5 steps of 4 items, 1 pass through ", "scale: "):
        assert f"\n{line}" in f"\n{out}"
    path = "runs/handwriting-my-hand.json-1"
    assert f"To use it:\n  minigrad handwrite {path} " in out or f"To use it:\n  minigrad eval {path}" in out
    assert re.search(r"^step +\d+/5  train loss .*  val loss \S+  val sequence \S+  \(best\)\n    [lvot]+\n", err, re.MULTILINE)
    assert {file.name for file in Path(path).iterdir()} >= {"samples.txt", "report.html", "model.safetensors"}
    code, out, _ = minigrad("eval", path)
    best = min(row["val/loss"] for row in rows(Path(path)) if "val/loss" in row)
    assert code == 0 and f"held-out part of {tmp_path / 'my hand.json'}: " in out
    assert f"loss {best:.4f} nats per point, " in out and " nats per sequence\nof offsets divided by " in out


def test_eval_in_json_adds_up(minigrad: Commands, trained: Path, tmp_path: Path) -> None:
    code, out, _ = minigrad("eval", trained / "run", "--json")
    told = json.loads(out)
    assert code == 0
    assert told["nats_per_sequence"] * told["sequences"] == pytest.approx(told["nats_per_point"] * told["points"])
    hand(tmp_path / "other.json", 8, letters="lo", size=2.0)
    code, out, _ = minigrad("eval", trained / "run", "--data", "other.json", "--json")
    other = json.loads(out)
    assert code == 0 and other["sequences"] == 8 and 1.5 < other["scale"] / told["scale"] < 2.5


def test_a_hand_that_begins_with_another(minigrad: Commands, trained: Path, tmp_path: Path) -> None:
    hand(tmp_path / "other.json", 8, letters="lo", size=2.0)
    words = setting_words({key: value for key, value in TINY.items() if key != "hidden"})
    code, out, _ = minigrad("train", "handwriting", "--data", "other.json", "--init-from", trained / "run", *words)
    assert code == 0 and "beginning with the weights of" in out and "3 layers of 8 LSTM units" in out
    assert minigrad("eval", "runs/handwriting-other.json-1").code == 0


def test_it_writes_like_an_item_of_its_data(minigrad: Commands, trained: Path) -> None:
    pictures = []
    for style in (0, 1):
        out = f"{style}.svg"
        assert minigrad("handwrite", trained / "run", "lot", "--style", style, "--seed", 1, "--out", out).code == 0
        pictures.append(Path(out).read_bytes())
    assert pictures[0] != pictures[1]
    told = minigrad.refused("handwrite", trained / "run", "lot", "--style", 999)
    assert re.search(r"handwrite: --style: expected 0 to \d+, as the held-out part of .* has items, got 999", told)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("nan.json", [[0, 0, 0], [1, float("nan"), 1]], "expected finite offsets, got nan in point 1"),
        ("one.json", [[0, 0, 1]], "expected at least 2 points, got 1 point"),
    ],
)
def test_strokes_that_are_none(minigrad: Commands, tmp_path: Path, name: str, content: Any, words: str) -> None:
    (tmp_path / name).write_text(json.dumps([{"text": "l", "points": content}]))
    told = minigrad.refused("train", "handwriting", "--data", name, *setting_words(TINY))
    assert name in told and words in told


def test_a_letter_that_the_hand_does_not_write(minigrad: Commands, trained: Path, tmp_path: Path) -> None:
    path = hand(tmp_path / "other.json", 8)
    path.write_text(path.read_text().replace('"text": "', '"text": "é'))
    words = minigrad.refused("eval", trained / "run", "--data", "other.json")
    assert "expected the 4 characters that the vocabulary has, got 1 other: 'é'" in words


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("model", None, "expected what the network is, as minigrad train handwriting writes it"),
        ("settings", None, "expected data, data_digest and settings, as minigrad train handwriting writes them"),
        ("data_digest", "0", "expected the strokes that the run began with, got others"),
        ("data", "/nowhere", "expected the strokes that the run began with, got nothing of that name"),
    ],
)
def test_a_config_that_was_damaged(minigrad: Commands, trained: Path, tmp_path: Path, key: str, value: Any, words: str) -> None:
    run = Path(shutil.copytree(trained / "run", tmp_path / "run"))
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, key: value}))
    assert words in minigrad.refused("eval", run)
