"""``minigrad translate``: where sentences come from, what it shows of translations, and what it refuses."""

from __future__ import annotations

import io
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from minigrad.cli import main
from minigrad.cli import translate as module
from minigrad.data.wordtokens import Words
from minigrad.models.translator import Translator
from tests.planted_translator import Letters, Planted
from tests.shape_images import Commands, command
from tests.small_translators import card, translator_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run of a translator that nobody trained, which soon comes to an end."""
    return str(translator_run(tmp_path_factory.mktemp("translator") / "run", end=3.0))


@pytest.fixture
def minigrad(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    monkeypatch.chdir(tmp_path)
    return Commands(capsys)


@pytest.fixture
def turned(monkeypatch: pytest.MonkeyPatch) -> Letters:
    """Every model is one that writes letters from last to first in capitals; one of them moves a terminal's cursor."""
    target = Letters(True)
    target.symbols = tuple("\x1b[2J\u202e" if symbol == "P" else symbol for symbol in target.symbols)
    made = Translator(Planted(), Letters(False), target)  # type: ignore[arg-type]
    monkeypatch.setattr(Translator, "load", lambda model: made)
    return target


def given(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    """What standard input has."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), "utf-8"))


# ---------------------------------------------------------------------- where sentences come from


@pytest.mark.usefixtures("turned")
def test_arguments_files_and_standard_input(minigrad: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("two.txt").write_bytes("\ufeffa b\r\n\r\nc\u2028d\x0ce\n".encode())
    assert minigrad("translate", "m", "a b c", "d") == (0, "C B A\nD\n", "")
    assert minigrad("translate", "m", "@two.txt").out == "B A\n\nE D C\n"
    given(monkeypatch, b"a b\nc")
    assert minigrad("translate", "m", "-", "d", "@two.txt").out == "B A\nC\nD\nB A\n\nE D C\n"
    assert minigrad("translate", "m", "a\nb", "", " ").out == "B A\n\n\n"
    assert minigrad("translate", "m", "@@home").out == "@home\n"


@pytest.mark.usefixtures("turned")
def test_no_line_at_all(minigrad: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("empty.txt").touch()
    assert minigrad("translate", "m", "@empty.txt") == (0, "", "note: there is no line to translate\n")
    given(monkeypatch, b"")
    code, out, _ = minigrad("translate", "m", "-", "--json")
    assert code == 0 and json.loads(out) == {"translations": [], "picture": None}


@pytest.mark.usefixtures("turned")
def test_more_than_are_translated_at_a_time(minigrad: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PIECES", 3)
    words = ["a", "b c", "d", "", "e f g", "h", "a b"]
    assert minigrad("translate", "m", *words).out.splitlines() == [" ".join(word.upper().split()[::-1]) for word in words]


def test_the_sentences_of_a_trained_one(minigrad: Commands, run: str) -> None:
    """As the model itself translates them, whatever they hold."""
    ways = Translator.load(run)
    lines = ["Mary sees the red dog.", "", "The boy sells the door.", "Zürich \x1b[31m 日本語 🙂", "a " * 4999 + "b"]
    Path("lines.txt").write_text("\n".join(lines))
    code, out, err = minigrad("translate", run, "@lines.txt", "--json")
    told = json.loads(out)["translations"]
    assert code == 0 and [one["sentence"] for one in told] == lines
    assert [one["translations"][0]["text"] for one in told] == [one.text for one in ways.greedy(lines)]
    assert len(told[4]["source"]) == 5000
    assert "note: 1 line has more than 150 words, which no translator learns from; give a sentence a line" in err
    assert "\x1b" not in minigrad("translate", run, "@lines.txt").out


# ---------------------------------------------------------------------- what is shown


@pytest.mark.usefixtures("turned")
def test_unknown_words_are_copied(minigrad: Commands) -> None:
    assert minigrad("translate", "m", "a Xaver b").out == "B Xaver A\n"
    assert minigrad("translate", "m", "a Xaver b", "--no-copy").out == "B <unk> A\n"
    told = json.loads(minigrad("translate", "m", "a Xaver b", "--json").out)["translations"][0]
    assert told["translations"][0]["copied"] == [[1, 1]] and told["source"] == ["a", "Xaver", "b"]


@pytest.mark.usefixtures("turned")
def test_a_terminal_gets_nothing_that_moves_its_cursor(minigrad: Commands) -> None:
    for options in ((), ("--alignment",), ("--beam", "2", "--n-best", "2")):
        code, out, _ = minigrad("translate", "m", "a p", *options)
        assert code == 0 and "\ufffd[2J\ufffd A" in out and "\x1b" not in out and "\u202e" not in out
    assert json.loads(minigrad("translate", "m", "p", "--json").out)["translations"][0]["translations"][0]["text"][0] == "\x1b"


@pytest.mark.usefixtures("turned")
def test_what_was_looked_at(minigrad: Commands) -> None:
    code, out, _ = minigrad("translate", "m", "a Xaver c", "--alignment")
    assert code == 0
    assert out.splitlines() == [
        "C Xaver A",
        "    C      from  c       75%",
        "    Xaver  from  Xaver   75%",
        "    A      from  a      100%",
    ]
    _, out, _ = minigrad("translate", "m", "a b", "c", "--alignment")
    assert [line for line in out.splitlines() if "from" not in line] == ["a b", "B A", "c", "C"]
    Path("lines.txt").write_text("a\n\nb\n")
    code, out, _ = minigrad("translate", "m", "@lines.txt", "--alignment")
    assert code == 0 and [line for line in out.splitlines() if "from" not in line] == ["a", "A", "", "b", "B"]
    told = json.loads(minigrad("translate", "m", "a b", "--json").out)["translations"][0]["translations"][0]
    assert told["alignment"] == [[0.25, 0.75, 0.0], [1.0, 0.0, 0.0]] and told["finished"] is True


def test_marks_are_shown_as_they_are_read(minigrad: Commands, run: str) -> None:
    _, out, _ = minigrad("translate", run, "Mary sees the dog.", "--alignment", "--beam", 3, "--n-best", 3)
    assert "from" in out and "\uffed" not in out


@pytest.mark.usefixtures("turned")
def test_several_of_each(minigrad: Commands) -> None:
    code, out, _ = minigrad("translate", "m", "a b", "--n-best", "2")
    lines = out.splitlines()
    assert code == 0 and len(lines) == 2 and lines[0] == "   0.000  B A"
    assert minigrad("translate", "m", "a b", "c", "--n-best", "2").out.splitlines()[::3] == ["a b", "c"]
    told = json.loads(minigrad("translate", "m", "a b", "--beam", "4", "--n-best", "3", "--json").out)["translations"]
    found = told[0]["translations"]
    assert len(found) == 3 and found[0]["score"] >= found[1]["score"] >= found[2]["score"]


def test_how_a_beam_chooses(minigrad: Commands, run: str) -> None:
    """With the penalties that are asked for; that of length is 1 where nothing is said."""
    from minigrad.models.beam import Penalty

    line = "My father opens the small book."
    for words, penalty in (
        ((), Penalty(1.0)),
        (("--length", 0), Penalty()),
        (("--length", 2, "--coverage", 0.5), Penalty(2, 0.5)),
    ):
        told = json.loads(minigrad("translate", run, line, "--beam", 4, "--n-best", 4, "--json", *words).out)["translations"][0]
        (found,) = Translator.load(run).search([line], width=4, results=4, penalty=penalty)
        assert [one["text"] for one in told["translations"]] == [one.text for one in found]
        assert [one["score"] for one in told["translations"]] == pytest.approx([one.score for one in found])


def test_what_is_drawn(minigrad: Commands, run: str) -> None:
    words = ("Mary sees the dog.", "The boy sells the car.", "--sample", 1.5, "--json")
    told = json.loads(minigrad("translate", run, *words).out)
    again = json.loads(minigrad("translate", run, *words, "--seed", told["seed"]).out)
    assert again == told
    alone = json.loads(minigrad("translate", run, *words[1:], "--seed", told["seed"]).out)
    assert alone["translations"][0]["translations"][0]["text"] == told["translations"][1]["translations"][0]["text"]
    texts = {minigrad("translate", run, *words[:1], "--sample", 1.5, "--seed", seed).out for seed in range(6)}
    assert len(texts) > 1


@pytest.mark.usefixtures("turned")
def test_a_picture(minigrad: Commands) -> None:
    assert minigrad("translate", "m", "a Xaver", "--picture", "look.svg").out == "Xaver A\nlook.svg: what was looked at\n"
    assert "Xaver" in Path("look.svg").read_text() and "(end)" in Path("look.svg").read_text()
    code, out, _ = minigrad("translate", "m", "a b", "--picture", "look.png", "--json")
    assert code == 0 and json.loads(out)["picture"] == "look.png" and Path("look.png").read_bytes()[1:4] == b"PNG"


def test_what_comes_to_no_end_is_cut_and_told(minigrad: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    ways = Translator(Planted(end=False), Letters(False), Letters(True))  # type: ignore[arg-type]
    monkeypatch.setattr(Translator, "load", lambda model: ways)
    monkeypatch.setattr(module, "PIECES", 2)
    assert minigrad("translate", "m", "a", "", "b c").err == "note: 2 translations came to no end and were cut\n"
    assert "note: 1 translation came to no end and was cut\n" in minigrad("translate", "m", "a").err


# ---------------------------------------------------------------------- stopped


def test_ctrl_c_leaves_cleanly(minigrad: Commands, monkeypatch: pytest.MonkeyPatch, turned: Letters) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Translator, "greedy", interrupted)
    code, out, err = minigrad("translate", "m", "a")
    assert (code, out) == (130, "") and "error" not in err


def test_ctrl_c_in_a_process_of_its_own(run: str, tmp_path: Path) -> None:
    """When the first of many are there."""
    (tmp_path / "many.txt").write_text("Mary sees the dog.\n" * 50_000)
    line, environment = command("translate", run, f"@{tmp_path}/many.txt")
    with subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        first = process.stdout.read(1)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate()
    assert first and (process.returncode, told) == (130, b"note: interrupted; nothing is half-written\n")


@pytest.mark.usefixtures("turned")
def test_a_reader_that_goes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", Gone())
        assert main(["translate", "m", "a", "b"]) == 141
    assert capsys.readouterr().err == ""


# ---------------------------------------------------------------------- what is refused


@pytest.mark.usefixtures("turned")
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["a", "--beam", "0"], "translate: --beam: expected a whole number, at least 1, got 0"),
        (["a", "--n-best", "0"], "translate: --n-best: expected a whole number, at least 1, got 0"),
        (["a", "--beam", "2", "--n-best", "3"], "--n-best: expected at most 2, as --beam follows, got 3. Follow more"),
        (["a", "--beam", "5000"], "translate: width: expected 1 to 1,024, got 5000"),
        (["a", "--length", "1"], "--length: expected a --beam of 2 or more, got --beam 1. Leave it out, or follow more"),
        (["a", "--coverage", "1"], "--coverage: expected a --beam of 2 or more"),
        (["a", "--beam", "2", "--length", "-1"], "translate: length penalty: expected a number of at least 0, got -1.0"),
        (["a", "--sample", "1", "--beam", "2"], "--beam: expected no --sample, which follows nothing, got 2"),
        (["a", "--sample", "1", "--length", "0.5"], "--length: expected no --sample, which follows nothing, got 0.5"),
        (["a", "--sample", "-1"], "temperature: expected a number of at least 0"),
        (["a", "--seed", "3"], "--seed: expected a --sample, as nothing else is drawn, got 3. Leave it out"),
        (["a", "--seed", "-3", "--sample", "1"], "Invalid value for '--seed'"),
        (["a", "--picture", "a.jpg"], "--picture: expected a file that ends in .svg or .png, got a.jpg"),
        (["a", "b", "--picture", "a.svg"], "--picture: expected one sentence, got 2. Give one, or leave it out"),
        (["", "--picture", "a.svg"], "--picture: expected a translation of at least one word, got none"),
        (["a", "--picture", "no/a.svg"], "expected a folder that exists, got none"),
        (
            ["@none.txt"],
            "translate: SENTENCE @none.txt: expected the name of a text file, got no such file. A text",
        ),
        (["@."], "SENTENCE @.: expected the name of a text file, got Is a directory"),
        (["@latin.txt"], "SENTENCE @latin.txt: expected text in UTF-8, got byte 0xe9 at 1. Save it as UTF-8"),
        (["@wide.txt"], "SENTENCE @wide.txt: expected text in UTF-8, got byte 0xff at 0. Save it as UTF-8"),
        (["a\udcff"], "expected text in UTF-8, got byte 0xff at 1. Save it as UTF-8"),
        ([], "Missing argument 'SENTENCE|@FILE|-...'"),
    ],
)
def test_what_is_refused(minigrad: Commands, words: list[str], told: str) -> None:
    Path("latin.txt").write_bytes("aé".encode("latin-1"))
    Path("wide.txt").write_bytes("a b".encode("utf-16"))
    assert told in minigrad.refused("translate", "m", *words)
    assert not list(Path().glob("a.*"))


def test_a_model_without_attention(minigrad: Commands, tmp_path: Path) -> None:
    model = translator_run(tmp_path / "blind", card(attention="none", feeding=False), end=3.0)
    line = "Mary sees the dog."
    for words, told in (
        (["--alignment"], "--alignment: expected a model with attention, got one without. Leave it out"),
        (["--picture", "a.svg"], "--picture: expected a model with attention, got one without"),
        (["--beam", "2", "--coverage", "1"], "coverage penalty: expected 0, as the network has no attention, got 1.0"),
    ):
        assert told in minigrad.refused("translate", model, line, *words)
    told = json.loads(minigrad("translate", model, line, "--json").out)["translations"][0]["translations"][0]
    assert told["alignment"] is None and told["copied"] == []


def test_models_that_are_none_or_do_not_belong_together(minigrad: Commands, run: str, tmp_path: Path) -> None:
    assert "expected a run folder" in minigrad.refused("translate", "nowhere", "a")
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    config = json.loads((copy / "config.json").read_text())

    def changed(**parts: Any) -> str:
        (copy / "config.json").write_text(json.dumps({**config, **parts}))
        return minigrad.refused("translate", copy, "Mary sees the dog.")

    assert "expected a model of the task translate, got one of the task text" in changed(task="text")
    assert "expected what the network is, as minigrad train translate writes it" in changed(model=None)
    made = card()
    assert isinstance(made.target, Words)
    words = made.target.to_config()["words"]
    swapped = made._replace(target=Words([words[1], words[0], *words[2:]]))
    told = changed(model=swapped.to_config())
    assert "expected weights that were trained with the vocabularies of config.json, got weights of other vocabularies" in told
    longer = made._replace(target=Words([*words, "otra"]))
    assert "expected weights and a config.json of one network" in changed(model=longer.to_config())
    turned = made._replace(source=made.target, target=made.source)
    assert "expected weights" in changed(model=turned.to_config())
