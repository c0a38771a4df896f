"""``minigrad handwrite``: the pictures that it draws, in which style, on which lines; and what it refuses."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from minigrad.models.scribe import Scribe
from tests.shape_images import Commands
from tests.upright_hand import CARD, hand_run

WORD = {"text": "bead", "pad": {"width": 300, "height": 200, "baseline": 150}, "pointer": "pen"}
MINE = {"format": "minigrad-strokes", "version": 1, "words": [{**WORD, "strokes": [[[9, 60, 0], [9, 150, 80], [80, 150, 99]]]}]}


@pytest.fixture(scope="module")
def hand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hand_run(tmp_path_factory.mktemp("hand") / "run")


@pytest.fixture
def minigrad(hand: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(hand, tmp_path / "run")
    return Commands(capsys)


def paths(picture: Path) -> int:
    return picture.read_text(encoding="utf-8").count("<path")


def test_a_picture_and_its_seed(minigrad: Commands, tmp_path: Path) -> None:
    code, out, _ = minigrad("handwrite", "run", "bead cab")
    told = re.fullmatch(r"run/handwriting-bead-cab.svg: 1 line, bias 1, seed (\d+)\n", out)
    assert code == 0 and told is not None
    first = Path("run/handwriting-bead-cab.svg").read_bytes()
    assert b'aria-label="bead cab"' in first
    minigrad("handwrite", "run", "bead cab", "--seed", told[1], "--out", "again.svg")
    assert Path("again.svg").read_bytes() == first
    minigrad("handwrite", "run", "bead cab", "--seed", int(told[1]) + 1, "--out", "other.svg")
    assert Path("other.svg").read_bytes() != first


def test_lines_in_json_with_the_window(minigrad: Commands, tmp_path: Path) -> None:
    options = ("--lines", 3, "--seed", 4, "--bias", 0.5, "--window", "window.svg", "--out", "three.png", "--json")
    code, out, err = minigrad("handwrite", "run", "bead cab dead deed", *options)
    told = json.loads(out)
    assert code == 0 and err == ""
    assert told.pop("points") > 0
    expected = {"picture": "three.png", "window": "window.svg", "lines": ["bead cab", "dead", "deed"], "bias": 0.5, "seed": 4}
    assert told == expected
    assert Path("three.png").read_bytes()[1:4] == b"PNG"
    assert "beadcabdeaddeed" in Path("window.svg").read_text() or "bead cab" in Path("window.svg").read_text()


def test_it_writes_itself(minigrad: Commands) -> None:
    assert minigrad("handwrite", "run", "bead", "--animate", "--seed", 1, "--out", "moving.svg").code == 0
    assert minigrad("handwrite", "run", "bead", "--seed", 1, "--out", "still.svg").code == 0
    assert "<animate" in Path("moving.svg").read_text() and "<animate" not in Path("still.svg").read_text()
    assert paths(Path("moving.svg")) == paths(Path("still.svg"))
    code, _, _ = minigrad("handwrite", "run", "bead", "--seed", 1, "--size", 96, "--out", "large.svg")
    sides = [int(re.search(r'height="(\d+)"', Path(name).read_text())[1]) for name in ("still.svg", "large.svg")]  # type: ignore[index]
    assert code == 0 and sides[1] > 1.3 * sides[0]  # the margin is the same


def test_in_the_style_of_a_stroke_file(minigrad: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("mine.json").write_text(json.dumps(MINE))
    styles = []
    write = Scribe.write

    def noted(self: Scribe, texts: list[str], **how: Any) -> Any:
        styles.append(how["style"])
        return write(self, texts, **how)

    monkeypatch.setattr(Scribe, "write", noted)
    assert minigrad("handwrite", "run", "cab", "--style", "mine.json", "--out", "cab.svg").code == 0
    [style] = styles
    assert style.text == "bead" and style.box[3] - style.box[1] == pytest.approx(CARD.height)


def test_text_from_a_file_and_marks_of_printers(minigrad: Commands) -> None:
    Path("text.txt").write_text("\ufeffbead\r\ncab\u2019a\n", encoding="utf-8")
    code, out, err = minigrad("handwrite", "run", "@text.txt", "--json", "--out", "a.svg")
    assert code == 0 and json.loads(out)["lines"] == ["bead", "cab'a"]
    assert "note: quotation marks and the like are written as the model knows them" in err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["x\u00e9", "--out", "a.svg"], "text: expected characters that the model writes: .abcdeh', got 'x', "),
        ([" ", "--out", "a.svg"], "text: expected letters to write, got ' '"),
        (["bead", "--out", "a.jpg"], "--out: expected a file that ends in .svg or .png, got a.jpg"),
        (["bead", "--window", "a.txt"], "--window: expected a file that ends in .svg or .png, got a.txt"),
        (["bead", "--animate", "--out", "a.png"], "--animate: expected an .svg, as no .png moves, got --out a.png"),
        (["bead", "--size", "1"], "--size: expected 4 to 2000 pixels, got 1"),
        (["bead", "--bias", "-1"], "bias: expected a number from 0 to 100, got -1.0"),
        (["bead", "--lines", "2"], "lines: expected 1 to 1, as there are words, got 2"),
        (
            ["bead", "--style", "none.json"],
            "none.json: expected a stroke file, or the number of an item, got no such file",
        ),
        (["bead", "--style", "broken.json"], "broken.json, word 1 (bead), stroke 1: expected a list of points, got []"),
        (["bead", "--style", "3"], "the strokes that the run began with, got nothing of that name"),
        (["@none.txt"], "handwrite: TEXT @none.txt: expected the name of a text file, got no such file"),
        (["@latin.txt"], "handwrite: TEXT @latin.txt: expected text in UTF-8, got byte 0xe9 at 1. Save it as UTF-8"),
        (["x", "--out", "no/a.svg"], "no/a.svg: expected a folder that exists, got none"),
        (["x", "--out", "a.svg", "--window", "no/a.svg"], "no/a.svg: expected a folder that exists, got none"),
    ],
)
def test_what_is_refused(minigrad: Commands, words: list[str], told: str) -> None:
    Path("latin.txt").write_bytes(b"a\xe9")
    Path("broken.json").write_text(json.dumps({**MINE, "words": [{**WORD, "strokes": [[]]}]}))
    assert told in minigrad.refused("handwrite", "run", *words)
    assert not list(Path().glob("a.*")) and not list(Path("run").glob("*.svg"))


def test_a_model_that_is_no_hand(minigrad: Commands, tmp_path: Path) -> None:
    assert "no such folder" in minigrad.refused("handwrite", "none", "bead")
    config = json.loads(Path("run/config.json").read_text())
    Path("run/config.json").write_text(json.dumps({**config, "task": "text"}))
    assert "expected a model of the task handwriting, got one of the task text" in minigrad.refused("handwrite", "run", "bead")
