"""The benchmark of legibility: what it counts, with a program in place of tesseract that reads what it is told to."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from minigrad.benchmarks import legible
from minigrad.cli import main
from minigrad.data.characters import Characters
from minigrad.data.strokes import Strokes
from minigrad.data.written import Recorded, Written
from minigrad.errors import ArgumentError, DataError, RunError
from minigrad.models.handwriting_data import to_measure
from minigrad.train.trained import Trained
from tests.small_hands import TINY, hand

WAY = [[0, -20, 0], [0, 20, 1]]


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program named tesseract that answers to each picture with the word of its number in a file; gives the file."""
    answers = tmp_path / "answers.txt"
    program = tmp_path / "bin" / "tesseract"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable}\nimport pathlib, sys\n"
        "picture = pathlib.Path(sys.argv[1])\n"
        "assert picture.read_bytes()[:4] == b'\\x89PNG' and sys.argv[2:] == ['-', '--psm', '8'], sys.argv\n"
        f"answers = open({str(answers)!r}).read().split()\n"
        "print(answers[int(picture.stem)] + '\\n\\f', end='')\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    return answers


def test_edits_by_hand() -> None:
    assert [legible.edits(*pair) for pair in (("abc", "abc"), ("abc", "bc"), ("ac", "abc"), ("axc", "abc"), ("ca", "abc"))] == [
        0, 1, 1, 1, 3,
    ]  # fmt: skip


def test_what_is_read_of_what_is_written(reader: Path, tmp_path: Path) -> None:
    reader.write_text("one two three")
    items = [Strokes("one", WAY), None, Strokes("three", WAY)]
    assert legible.read(items, 20, tmp_path / "pictures") == ["one", "", "three"]
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == ["0000.png", "0002.png"]
    found = legible.rate(["one", "", "three"], ["One", "two", "tree"])
    assert found == pytest.approx((1 / 3, (1 + 0 + 0.75) / 3, 2 / 3, 1 / 3, 0))


@pytest.mark.parametrize(
    ("read", "word", "end"),
    [
        ("but", "butt", "early"), ("", "a", "early"), ("o\nn", "one", "early"), ("etter", "letter", "right"),
        ("O N E", "one", "right"), ("onee", "one", "late"), ("one\u2014", "one", "late"),
        ("one, two", "one", "late"), ("one7", "one", "late"),
        ("'one", "one", "right"), ("ore", "one", "right"), ("one.,", "one", "right"),
        ("onc", "one", "misread"), ("7", "one", "early"),
    ],
)  # fmt: skip
def test_how_a_word_stops(read: str, word: str, end: str) -> None:
    assert legible.end_of(read, word) == end


def test_ink_that_ends_elsewhere_than_the_true_strokes() -> None:
    true = Strokes("abcd", [[5, 0, 0], [40, 0, 1]])  # ten to a letter, ten to a quarter of the word
    ends = (20, 30, 60, 70)
    far = [legible.beyond(Strokes("abcd", [[5, 0, 0], [end - 5, 0, 1]]), true) for end in ends]
    assert far == [-1.25, -0.75, 0.75, 1.25] and legible.beyond(None, true) < -1e9
    assert [legible.end_of("abcd", "abcd", each) for each in far] == ["early", "right", "right", "late"]


def test_a_reader_that_fails_or_is_not_there(reader: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader.write_text("one")
    with pytest.raises(ArgumentError, match=r"what it reads of 0001\.png, got IndexError: list index out of range"):
        legible.read([Strokes("a", WAY)] * 2, 20, tmp_path / "pictures")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ArgumentError, match=r"expected the program tesseract on the path, got none\. Install it"):
        legible.read([Strokes("a", WAY)], 20, tmp_path / "pictures")


def test_the_words_are_of_letters_and_come_once() -> None:
    items = [Strokes(text, WAY) for text in ("one", "two,", "one", "a b", "three", "four", "7")]
    part = Written(Recorded(items), Characters(sorted(set("".join(item.text for item in items)))), 1.0)
    assert [item.text for item in legible.held_out_words([part], 9)] == ["one", "three", "four"]
    assert [item.text for item in legible.held_out_words([part], 1)] == ["one"]
    with pytest.raises(DataError, match="expected words of letters among what is held out, got none"):
        legible.held_out_words([Written(Recorded([Strokes("7", WAY)]), Characters("7"), 1.0)], 1)


class Unsteady:
    """A hand that writes a word of "o" only alone, and "x" not at all."""

    def write(self, texts: list[str], *, bias: float, seed: int) -> list[Any]:
        if "x" in texts or ("o" in texts and len(texts) > 1):
            raise RunError("handwrite", "text", "writing", "none")
        return [type("Writing", (), {"strokes": Strokes(text, WAY, str(seed))}) for text in texts]


def test_a_word_that_cannot_be_written_spoils_no_other() -> None:
    scribe: Any = Unsteady()
    found = legible.written(scribe, ["a", "o", "x"], 1.0, 5)
    assert [None if item is None else (item.text, item.name) for item in found] == [("a", "5"), ("o", "6"), None]


def test_the_whole(reader: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, run = hand(tmp_path / "my.json"), tmp_path / "run"
    settings = [word for name, value in TINY.items() for word in ("--set", f"{name}={value}")]
    assert main(["train", "handwriting", "--data", str(data), "--out", str(run), *settings]) == 0
    reader.write_text("lot\n" * 9)
    capsys.readouterr()
    assert legible.main([str(run), "--words", "3", "--keep", str(tmp_path / "kept")]) == 1  # none is read: nothing to go by
    out = capsys.readouterr().out
    assert re.search(r"^3 words of letters only from the held-out part of .*my\.json, bias 1\n", out)
    assert re.search(r"true strokes( +\d+\.\d%){5}\nwritten by the hand( +\d+\.\d%){5}\n", out)
    assert out.endswith("the hand's are nan%: less than 90%\n")
    kept = sorted((tmp_path / "kept" / "true").glob("*.png"))
    assert len(kept) == 3
    reader.write_text("\n".join(held_out(run)))
    assert legible.main([str(run), "--words", "3", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found.keys() == {"count", "data", "written", "true", "enough"} and found["count"] == 3 and found["enough"]
    assert found["true"] == {"words": 1, "letters": 1, "ends": 1, "early": 0, "late": 0} and found["written"]["words"] == 1


def held_out(run: Path) -> list[str]:
    parts, _ = to_measure(Trained.open(str(run)).config("handwriting"), None)
    return [item.text for item in legible.held_out_words(parts, 3)]


@pytest.mark.parametrize(
    ("words", "message"),
    [(["nowhere"], "nowhere"), (["nowhere", "--words", "0"], "--words: expected a number of at least 1, got 0")],
)
def test_what_cannot_be_measured(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        legible.main(words)
    assert caught.value.code == 2 and message in capsys.readouterr().err
