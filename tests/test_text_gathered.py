"""Text from several places at once: what its files are called, which are taken, and what the commands make of it."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import Any

import pytest

from minigrad.data import open_text
from minigrad.data.check import check_text
from minigrad.data.gathered import files_of, several
from minigrad.errors import ArgumentError, DataError, RunError
from minigrad.models.begun import sources
from minigrad.models.text import Text, TextSettings
from minigrad.train.ship import command
from tests.shape_images import Commands, setting_words
from tests.texts import TINY, poem


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two folders and a file; one name comes in both folders."""
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(("src/x.txt", "src/y.py", "other/x.txt", "c.txt")):
        poem(tmp_path / name, seed=number)
    return tmp_path


@pytest.fixture
def minigrad(capsys: pytest.CaptureFixture[str], here: Path) -> Commands:
    return Commands(capsys)


def names(*places: str, glob: str | None = None) -> list[str]:
    return [file.name for file in files_of(places, glob, False, None).files]


@pytest.mark.parametrize(
    ("places", "glob", "expected"),
    [
        (["src", "c.txt"], None, ["src/x.txt", "src/y.py", "c.txt"]),
        (["c.txt", "src"], "*.py", ["c.txt", "src/y.py"]),
        (["src", "other"], "*.txt", ["src/x.txt", "other/x.txt"]),
        (["src/x.txt", "other/x.txt"], None, ["src/x.txt", "other/x.txt"]),
        (["src", "./src/", "src/x.txt"], None, ["src/x.txt", "src/y.py"]),
        (["src/x.txt", "src"], None, ["x.txt", "src/y.py"]),
    ],
)
def test_files_of_several_places(here: Path, places: list[str], glob: str | None, expected: list[str]) -> None:
    assert names(*places, glob=glob) == expected


def test_a_named_set_beside_a_file(here: Path) -> None:
    found = names("shakespeare", "c.txt")
    assert len(found) == 38 and found[0] == "shakespeare/a-midsummer-night-s-dream" and found[-1] == "c.txt"


def test_places_may_be_parts(here: Path) -> None:
    for number, place in enumerate(("a/train", "b/valid", "c/test")):
        poem(here / place / "x.txt", seed=number)
    data = open_text(["a/train", "b/valid", "c/test"])
    assert data.names == ("train/x.txt", "valid/x.txt", "test/x.txt") and data.test is not None
    poem(here / "t.train.txt")
    poem(here / "t.valid.txt", seed=9)
    assert open_text(["t.train.txt", "t.valid.txt"]).validation.files[0].name == "t.valid.txt"


def test_what_it_is_does_not_tell_where_it_lies(here: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    moved = tmp_path_factory.mktemp("moved")
    digest = open_text(["src", "c.txt"]).digest
    os.rename(here / "src", moved / "src")
    assert open_text([moved / "src", "c.txt"]).digest == digest != open_text([moved / "src", "other"]).digest
    assert open_text("c.txt").digest == open_text(["c.txt"]).digest


@pytest.mark.parametrize(
    ("places", "glob", "words"),
    [
        ([], None, "data: data: expected a name or a path, at least one, got none."),
        (["c.txt", "src/x.txt"], "*.py", "data: c.txt, src/x.txt: expected a folder among them, as a glob is given, got none."),
        (["c.txt", "src"], "*.md", "data: src: expected files that match *.md, got none of that name among 2 files"),
        (["c.txt", "nowhere"], None, "data: nowhere: expected a file of text"),
        (["c.txt", "empty"], None, "data: empty: expected a file of text, got an empty file"),
    ],
)
def test_places_that_will_not_do(here: Path, places: list[str], glob: str | None, words: str) -> None:
    (here / "empty").touch()
    with pytest.raises((DataError, ArgumentError)) as caught:
        files_of(places, glob, False, None)
    assert words in str(caught.value)


def test_what_two_places_lead_to_is_told(here: Path) -> None:
    assert open_text(["src", "src/x.txt"]).policy[-1] == "left out: 1 file that another place has given: x.txt"
    report = check_text(["src", "src/x.txt"])
    assert next(f for f in report.findings if f.kind == "again").words == "1 file to which two of the places lead"


def test_a_check_of_several_places(here: Path) -> None:
    (here / "empty").touch()
    (here / "named.bin").write_bytes(b"\0")
    (here / "src/met.bin").write_bytes(b"\0")
    report = check_text(["src", "other", "empty", "named.bin"])
    found = {(one.kind, one.severity): one.files for one in report.findings}
    assert found["binary", "error"] == ("named.bin",) and found["binary", "note"] == ("src/met.bin",)
    assert found["empty", "note"] == ("empty",) and report.path == "src, other, empty, named.bin" and not report.set_aside
    assert list(report.counts["train"]) == ["src/x.txt", "src/y.py", "other/x.txt"]
    with pytest.raises(DataError, match="expected files of text, got empty ones"):
        check_text(["empty", "./empty"])


def test_the_commands(minigrad: Commands, here: Path) -> None:
    words = ["--data", "src", "--data", "other", "--data", "c.txt"]
    code, out, _ = minigrad("train", "text", *words, "--glob", "*.txt", *setting_words({**TINY, "sample": 0}))
    run = "runs/text-src-and-2-more-1"
    assert code == 0 and "text: 3 files, " in out and f"run folder: {run}\n" in out
    config = json.loads((here / run / "config.json").read_text())
    assert config["data"] == [str(here / "src"), str(here / "other"), str(here / "c.txt")]
    assert config["settings"]["glob"] == "*.txt" and f"--data {here / 'src'} --data {here / 'other'} " in command(config)
    assert minigrad("resume", run)[0] == 0
    assert f"held-out part of {here / 'src'}, {here / 'other'}, {here / 'c.txt'}: " in minigrad("eval", run)[1]
    code, out, _ = minigrad("eval", run, "--data", "src", "--data", "c.txt")
    assert code == 0 and out.startswith("text: 2 files, ") and "\nsrc, c.txt: " in out
    assert minigrad("eval", run, "--data", "src", "--glob", "*.py")[1].startswith("text: 1 file, ")
    code, out, _ = minigrad("data", "check", "text", "src", "c.txt", "--glob", "*.py")
    assert code == 0 and out.startswith("src, c.txt: ") and " in 2 files, " in out
    os.rename(here / "other", here / "gone")
    assert f"data: {here / 'other'}: expected the text that the run began with" in minigrad.refused("resume", run)


def test_bytes_of_any_kind(minigrad: Commands, here: Path) -> None:
    (here / "noise.bin").write_bytes(bytes(range(256)) * 8)
    tiny = setting_words({**TINY, "sample": 0})
    assert minigrad("train", "text", "--data", "noise.bin", "--bytes", "--out", "run", *tiny)[0] == 0
    assert "noise.bin: 2,048 bytes\n" in minigrad("eval", "run", "--bytes", "--data", "noise.bin")[1]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("", "src short.txt"),
        ("--glob *.txt", "src short.txt --glob '*.txt'"),
        ("--bytes --set glob=*.md", "src short.txt --glob '*.md' --bytes"),
    ],
)
def test_the_check_that_is_named_reads_as_training_does(minigrad: Commands, here: Path, words: str, told: str) -> None:
    (here / "short.txt").write_text("a short one\n")
    for name in ("x.txt", "y.py", "z.md"):
        (here / "src" / name).write_text("short\n")
    shown = minigrad.refused("train", "text", "--data", "src", "--data", "short.txt", *words.split())
    assert f"`minigrad data check text {told}` lists all that is wrong" in shown
    assert minigrad(*shlex.split(f"data check text {told}"))[0] == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("train text --data src --glob *.py --set glob=*.txt", "--set: glob: expected each key once, got it twice."),
        ("train classify --data src --data other", "train: --data: expected one name or path, for the task classify, got 2."),
        ("data check classify src other", "data check: PATH: expected one path with classify, got 2."),
    ],
)
def test_words_that_do_not_go_together(minigrad: Commands, words: str, told: str) -> None:
    assert told in minigrad.refused(*words.split())


def test_each_of_several_folders_is_mended_for_itself(minigrad: Commands, here: Path) -> None:
    """What is in another encoding and a copy within a folder go; what two folders have in common stays, as do lone files."""
    (here / "src/latin.txt").write_bytes(b"caf\xe9\n" * 9)
    (here / "other/copy.txt").write_bytes((here / "other/x.txt").read_bytes())
    (here / "other/c.txt").write_bytes((here / "c.txt").read_bytes())
    (here / "alone.txt").write_bytes(b"caf\xe9\n" * 9)
    code, out, _ = minigrad("data", "check", "text", "src", "other", "c.txt", "alone.txt", "--fix", "--json")
    found = json.loads(out)
    moved = [(one["folder"], [*one["moved"]]) for one in found["fixed"]]
    assert moved == [(str(here / "src-set-aside"), ["latin.txt"]), (str(here / "other-set-aside"), ["x.txt"])]
    assert code == 1 and [one["files"] for one in found["findings"] if one["kind"] == "encoding"] == [["alone.txt"]]
    (here / "alone.txt").unlink()
    code, out, _ = minigrad("data", "check", "text", "src", "other", "c.txt", "--fix")
    assert code == 0 and "Moved" not in out and (here / "other/c.txt").exists()


def test_eval_takes_what_goes_with_the_model(minigrad: Commands, here: Path) -> None:
    from tests.text_models import text_run

    text_run(here / "run")
    for words, told in (
        (["--bytes", "--data", "c.txt"], "eval: --bytes: expected a model of bytes, got one of 17 characters."),
        (["--glob", "*"], "eval: --glob: expected a model of text, and --data, got none: its own data are read as they were."),
    ):
        assert told in minigrad.refused("eval", "run", *words)


@pytest.mark.parametrize("data", [None, [], [1], 7, {}])
def test_a_config_without_data_is_damaged(data: Any) -> None:
    with pytest.raises(RunError, match="expected data, data_digest and settings, as minigrad train text writes them"):
        sources({"data": data}, "text")


def test_data_given_as_a_list(here: Path) -> None:
    task = Text(["src", "c.txt"], TextSettings.of(TINY))
    assert task.config()["data"] == [str(here / "src"), str(here / "c.txt")]
    assert Text.of(task.config()).config() == task.config()
    assert several(Path("c.txt")) == ("c.txt",) and Text(["c.txt"], TextSettings.of(TINY)).config()["data"] == str(
        here / "c.txt"
    )
