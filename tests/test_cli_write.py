"""``minigrad write``: what it shows, where a prime comes from, how it is stopped, and what it refuses."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from minigrad.cli import main
from minigrad.cli import write as module
from minigrad.data.characters import Characters
from minigrad.models.writer import Writer
from tests.shape_images import Commands, command
from tests.text_models import SYMBOLS, card, text_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run whose vocabulary has a place for rare characters."""
    return str(text_run(tmp_path_factory.mktemp("text") / "run", card(SYMBOLS + "\ufffd")))


@pytest.fixture
def minigrad(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    monkeypatch.chdir(tmp_path)
    return Commands(capsys)


def given(monkeypatch: pytest.MonkeyPatch, text: str | bytes) -> None:
    """What standard input has."""
    data = text if isinstance(text, bytes) else text.encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), "utf-8"))


def written(run: str, prime: str, **words: Any) -> str:
    """What the model writes after a prime."""
    return "".join(Writer.load(run).stream(prime, **words))


# ---------------------------------------------------------------------- what is written


def test_the_prime_and_what_follows(minigrad: Commands, run: str) -> None:
    code, out, err = minigrad("write", run, "--prime", "A bad", "--seed", 3, "--length", 40)
    assert (code, err) == (0, "")
    assert out == "A bad" + written(run, "A bad", seed=3, length=40) + "\n"
    words = ("--temperature", 0.5, "--top-k", 4, "--top-p", 0.9, "--length", 30, "--seed", 1)
    told = written(run, "a", temperature=0.5, top_k=4, top_p=0.9, length=30, seed=1)
    assert minigrad("write", run, "--prime", "a", *words).out.rstrip("\n") == f"a{told}".rstrip("\n")


def test_as_much_as_is_usual(minigrad: Commands, run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LENGTH", 21)
    assert minigrad("write", run, "--seed", 1).out.rstrip("\n") == written(run, "", seed=1, length=21).rstrip("\n")


def test_json(minigrad: Commands, run: str) -> None:
    told = json.loads(minigrad("write", run, "--prime", "ab", "--length", 12, "--json").out)
    assert told.keys() == {"prime", "text", "characters", "seed", "ended", "unit", "loss", "bits", "perplexity"}
    assert (told["prime"], told["characters"], told["ended"]) == ("ab", 12, "length")
    assert told["text"] == written(run, "ab", seed=told["seed"], length=12)
    assert json.loads(minigrad("write", run, "--length", 1, "--top-k", 1, "--json").out)["loss"] > 0


def test_until_a_text(minigrad: Commands, run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, err = minigrad("write", run, "--prime", "a", "--until", "\\n", "--seed", 1)
    assert (code, err) == (0, "")
    assert out.count("\n") == 1 and out.endswith("\n")
    monkeypatch.setattr(module, "FAR", 15)
    code, out, err = minigrad("write", run, "--until", "ABCDE", "--seed", 1)
    assert code == 0 and "note: the text of --until did not come within 15 characters; --length allows more" in err


def test_the_likeliest(minigrad: Commands, run: str) -> None:
    found = Writer.load(run).beam("ab", width=3, length=6)
    assert minigrad("write", run, "--prime", "ab", "--beam", 3, "--length", 6).out.rstrip("\n") == f"ab{found[0].text}".rstrip()
    told = json.loads(minigrad("write", run, "--prime", "ab", "--beam", 3, "--length", 6, "--json").out)
    assert [one["text"] for one in told["continuations"]] == [one.text for one in found]
    assert [one["log_probability"] for one in told["continuations"]] == [one.log_probability for one in found]


# ---------------------------------------------------------------------- where a prime comes from


def test_a_prime_from_a_file_or_standard_input(minigrad: Commands, run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("--seed", 2, "--length", 8, "--json")
    Path("prime.txt").write_bytes(b"\xef\xbb\xbfA bad\r\ncab.")
    told = json.loads(minigrad("write", run, "--prime", "@prime.txt", *words).out)
    assert told["prime"] == "A bad\ncab."
    given(monkeypatch, "A bad\ncab.")
    assert json.loads(minigrad("write", run, "--prime", "-", *words).out) == told
    given(monkeypatch, "")
    assert json.loads(minigrad("write", run, "--prime", "-", *words).out)["prime"] == ""


def test_a_prime_with_an_at_sign(minigrad: Commands, tmp_path: Path) -> None:
    model = text_run(tmp_path / "run", card("@ab"))
    assert json.loads(minigrad("write", model, "--prime", "@@a", "--length", 1, "--json").out)["prime"] == "@a"


def test_a_long_prime(minigrad: Commands, run: str) -> None:
    text = "A bad cab. " * 400
    Path("long.txt").write_text(text)
    out = minigrad("write", run, "--prime", "@long.txt", "--length", 5, "--seed", 1).out
    assert out.startswith(text)


def test_bytes_of_any_kind(minigrad: Commands, tmp_path: Path) -> None:
    model = text_run(tmp_path / "run", card(Characters(kind="bytes")))
    Path("any.bin").write_bytes(bytes(range(256)))
    code, out, _ = minigrad("write", model, "--prime", "@any.bin", "--length", 20, "--seed", 1)
    assert code == 0 and out.isascii() is False


def test_words_that_are_no_text(minigrad: Commands, run: str) -> None:
    assert "prime: encoding: expected UTF-8, got byte 0xff at place 1." in minigrad.refused("write", run, "--prime", "a\udcff")


def test_a_beam_that_does_not_come_to_the_end_says_so(minigrad: Commands, run: str) -> None:
    words = ("--beam", 2, "--length", 2, "--until", "abcde")
    assert "note: the text of --until does not end the likeliest 2 characters" in minigrad("write", run, *words).err


def test_what_is_refused_is_not_folded_before(minigrad: Commands, tmp_path: Path) -> None:
    model = text_run(tmp_path / "run", card("ab"))
    error = minigrad.refused("write", model, "--prime", "aX", "--unseen", "fold")
    assert error.startswith("prime: unknown: expected a vocabulary with a place for characters") and "note" not in error


def test_characters_that_it_does_not_know(minigrad: Commands, run: str) -> None:
    error = minigrad.refused("write", run, "--prime", "aXbXY")
    assert (
        "got 2 others: 'X' 2 times, 'Y' 1 time. Leave them out (--unseen skip), have them read as U+FFFD (--unseen fold)"
        in error
    )
    words = ("--length", 4, "--seed", 1, "--json")
    code, out, err = minigrad("write", run, "--prime", "aXbXY", "--unseen", "skip", *words)
    assert code == 0 and "note: 3 characters that the model does not know are left out: 'X', 'Y'" in err
    assert json.loads(out)["prime"] == "ab"
    code, out, err = minigrad("write", run, "--prime", "aXb", "--unseen", "fold", *words)
    assert code == 0 and "note: 1 character that the model does not know is read as the one for rare characters: 'X'" in err
    assert json.loads(out)["prime"] == "a\ufffdb"


# ---------------------------------------------------------------------- by turns


class Terminal(io.StringIO):
    """A standard output that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_by_turns(minigrad: Commands, run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, "A bad\n\ncab\\\nnot this: X\n(a)")
    code, out, err = minigrad("write", run, "--interactive", "--length", 6, "--temperature", 0, "--prime", "ab")
    assert code == 0 and err.count("error: ") == 1 and "prime: characters" in err
    model, read, told = Writer.load(run), "ab", "ab\n"
    for line in ("A bad", "", "cab\n", "(a)"):
        text = "".join(model.stream(read + line, length=6, temperature=0))
        read += line + text
        told += (line + text).rstrip("\n") + "\n" if (line + text).count("\n") < 2 else (line + text) + "\n"
    assert out.replace("\n", "") == told.replace("\n", "")


def test_ctrl_c_in_a_turn_ends_the_turn(minigrad: Commands, run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, "a\nb\n")
    turns = []

    def interrupted(self: Any, stream: Any) -> None:
        turns.append(next(stream))
        raise KeyboardInterrupt

    monkeypatch.setattr(module.Shown, "follow", interrupted)
    assert minigrad("write", run, "--interactive").code == 0
    assert len(turns) == 2


def test_lines_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are asked for, and can be edited, as those of Python itself."""
    asked, lines = [], iter(["A bad", ""])

    def answer(prompt: str) -> str:
        asked.append(prompt)
        try:
            return next(lines)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("builtins.input", answer)
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert [module._line(), module._line(), module._line()] == ["A bad", "", None]
    assert asked == ["> "] * 3


# ---------------------------------------------------------------------- on a terminal, and stopped


def test_a_terminal_gets_nothing_that_moves_its_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream, shown in ((Terminal(), "a\ufffd[2Jb\tc\n"), (io.StringIO(), "a\x1b[2Jb\tc\n")):
        monkeypatch.setattr(sys, "stdout", stream)
        with module.Shown() as written:
            written.add("a\x1b[2Jb\tc")
        assert stream.getvalue() == shown


def test_ctrl_c_as_soon_as_a_character_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Python's output is not buffered, a reader may have it before ``write`` is back."""

    class Unbuffered(io.StringIO):
        def write(self, text: str) -> int:
            written = super().write(text)
            if text == "D":
                raise KeyboardInterrupt
            return written

    monkeypatch.setattr(sys, "stdout", stream := Unbuffered())
    with pytest.raises(typer.Exit), module.Shown() as shown:
        shown.follow(["a", "\n", "D", "b"])
    assert stream.getvalue() == "a\nD\n"


def test_ctrl_c_leaves_cleanly(run: str) -> None:
    line, environment = command("write", run, "--length", 0, "--prime", "A bad")
    with subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        first = process.stdout.read(40)  # as they are drawn
        process.send_signal(signal.SIGINT)
        rest, told = process.stdout.read(), process.stderr.read()
    assert process.returncode == 130
    assert told == b"" and first.startswith(b"A bad") and (first + rest).endswith(b"\n")


def test_a_reader_that_goes(run: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """As ``minigrad write ... | head -c 20`` does: no word of it, and the exit code of shells."""

    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            if self.tell() >= 20:
                raise BrokenPipeError
            return super().write(text)

    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", Gone())
        assert main(["write", run, "--length", "0", "--prime", "A bad"]) == 141
    assert capsys.readouterr().err == ""


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--unseen", "drop"], "write: --unseen: expected one of refuse, skip, fold, got 'drop'"),
        (["--temperature", "-1"], "write: temperature: expected a number of at least 0, got -1.0"),
        (["--top-k", "0"], "write: top_k: expected how many of the likeliest to draw from, at least 1, got 0"),
        (["--top-p", "1.5"], "write: top_p: expected a probability above 0, at most 1, got 1.5"),
        (["--until", ""], "write: until: expected a text, got none of any length"),
        (["--until", "Z"], "of which it never writes 'Z'"),
        (["--beam", "0"], "write: width: expected 1 to 4,096 continuations, got 0"),
        (["--beam", "2", "--top-k", "3"], "write: --beam: expected no option of what is drawn, as nothing is, got --top-k"),
        (["--beam", "2", "--interactive"], "got --interactive. Leave one of them out"),
        (["--interactive", "--json"], "write: --json: expected a text that is written at one go, got --interactive"),
        (["--interactive", "--prime", "-"], "write: --prime: expected a text or a file with --interactive"),
        (["--length", "0", "--json"], "write: --length: expected an end with --json, got 0, which is none"),
        (["--length", "0", "--beam", "2"], "write: --length: expected an end with --beam, got 0, which is none"),
        (["--length", "-1"], "Invalid value for '--length'"),
        (["--seed", "-1"], "Invalid value for '--seed'"),
        (["--prime", "@nothing.txt"], "--prime @nothing.txt: expected the name of a text file, got no such file. A text that"),
        (["--prime", "@."], "write: --prime @.: expected the name of a text file, got Is a directory"),
        (["--prime", "@latin.txt"], "prime: encoding: expected UTF-8, got byte 0xe9 at place 1"),
    ],
)  # fmt: skip
def test_what_is_refused(minigrad: Commands, run: str, words: list[str], text: str) -> None:
    Path("latin.txt").write_bytes("aé".encode("latin-1"))
    assert text in minigrad.refused("write", run, *words)


def test_a_model_that_is_none(minigrad: Commands) -> None:
    assert "expected a run folder" in minigrad.refused("write", "nowhere")
