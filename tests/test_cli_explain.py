"""``minigrad explain``: the page it makes, what it tells, and what it refuses."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from minigrad.models import explained
from minigrad.models.writer import Writer
from tests.shape_images import COLOUR, Commands, made_run
from tests.text_models import SYMBOLS, card, text_run

TEXT = 'A bad "cab".\n(Add)\n'


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return text_run(tmp_path_factory.mktemp("text") / "a <run>", card(SYMBOLS, cell="gru"))


@pytest.fixture
def minigrad(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    monkeypatch.chdir(tmp_path)
    return Commands(capsys)


def test_the_page_and_what_is_told(minigrad: Commands, run: Path) -> None:
    code, out, err = minigrad("explain", run, "--text", TEXT)
    found = Writer.load(str(run)).score(TEXT)
    assert (code, err) == (0, "")
    assert out.startswith(f"19 characters: {found.figures().words}\n")
    assert f"The page: {run / 'explain.html'}" in out
    page = (run / "explain.html").read_text(encoding="utf-8")
    assert "<h1>a &lt;run&gt;: inside</h1>" in page and "GRU, 2 layers of 6 units" in page


def test_json_and_a_page_elsewhere(minigrad: Commands, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("text.txt").write_text(TEXT)
    told = json.loads(minigrad("explain", run, "--text", "@text.txt", "--out", "here.html", "--json").out)
    assert Path("here.html").exists() and told["page"] == "here.html"
    assert (told["characters"], len(told["surprise"]), told["surprise"][0]) == (19, 19, None)
    assert told["loss"] == pytest.approx(sum(told["surprise"][1:]) / 18)
    assert all(set(unit) == {"feature", "layer", "unit", "correlation", "chance"} for unit in told["units"])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode()), "utf-8"))
    assert json.loads(minigrad("explain", run, "--text", "-", "--out", "here.html", "--json").out) == told


def test_what_cannot_be_judged_is_named(minigrad: Commands, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explained, "CONTROL", 100)
    text = "a bed " * 19 + 'a "b" ' + "a bed " * 19
    words = ("explain", run, "--text", text, "--out", "here.html")
    assert "not judged, as the networks that tell chance met too little of it: inside quotes\n" in minigrad(*words).out
    assert (
        "Not judged, as the networks that learned nothing met too little of it: inside quotes." in Path("here.html").read_text()
    )
    assert json.loads(minigrad(*words, "--json").out)["unjudged"] == ["inside quotes"]


def test_characters_that_it_does_not_know(minigrad: Commands, run: Path) -> None:
    assert "got 1 other: 'X' 1 time" in minigrad.refused("explain", run, "--text", "aXb", "--out", "x.html")
    code, out, err = minigrad("explain", run, "--text", "aXb", "--unseen", "skip", "--out", "x.html")
    assert code == 0 and out.startswith("2 characters") and "1 character that the model does not know is left out" in err


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--text", "a"], "explain: text: expected at least two characters"),
        (["--text", "ab", "--unseen", "drop"], "explain: --unseen: expected one of refuse, skip, fold, got 'drop'"),
        (["--text", "@nothing.txt"], "--text @nothing.txt: expected the name of a text file, got no such file"),
        (["--text", "aX", "--out", "nowhere/x.html"], "explain: nowhere/x.html: expected a folder that exists"),
        ([], "Missing option '--text'"),
    ],
)
def test_what_is_refused(minigrad: Commands, run: Path, words: list[str], text: str) -> None:
    assert text in minigrad.refused("explain", run, *words)


def test_a_model_of_another_kind(minigrad: Commands, tmp_path: Path) -> None:
    model = made_run(tmp_path / "run", COLOUR)
    assert "expected a model of the task text, got one of the task classify" in minigrad.refused(
        "explain", model, "--text", "ab"
    )
