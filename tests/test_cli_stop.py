"""A training that is killed or interrupted, by the commands themselves: it goes on as if nothing had happened."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from minigrad.models.classify import Classify
from tests.shape_images import SMALL, Commands, command, run, setting_words, shapes, trained_run

SETTINGS = {**SMALL, "epochs": 12, "log_every": 1, "save_every": 0}
LONG = {**SETTINGS, "epochs": 50, "save_every": 0.1, "log_every": 5}


@pytest.fixture
def minigrad(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "fsync", lambda handle: None)  # no waiting for the disk
    shapes(tmp_path / "shapes", 8, mixed=False)
    return Commands(capsys)


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of SETTINGS that was never interrupted."""
    folder = tmp_path_factory.mktemp("short")
    return trained_run(shapes(folder / "shapes", 8, mixed=False), folder / "run", **SETTINGS)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of LONG that was never interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    return trained_run(shapes(folder / "shapes", 8, mixed=False), folder / "run", **LONG)


def metrics(folder: Path) -> bytes:
    return (folder / "metrics.jsonl").read_bytes()


# ---------------------------------------------------------------------- in this process


def at_step(monkeypatch: pytest.MonkeyPatch, number: int, do: Callable[[], Any]) -> None:
    """Do something in the middle of a step of the training."""
    step, seen = Classify.step, [0]

    def counted(self: Classify, batch: Any) -> Any:
        seen[0] += 1
        if seen[0] == number:
            do()
        return step(self, batch)

    monkeypatch.setattr(Classify, "step", counted)


@pytest.mark.parametrize("kind, number", [(signal.SIGINT, 1), (signal.SIGTERM, 5), (signal.SIGINT, 12)])
def test_a_signal_saves_and_says_how_to_go_on(
    kind: signal.Signals, number: int, minigrad: Commands, short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        at_step(patched, number, lambda: signal.raise_signal(kind))
        code, out, err = minigrad.train("shapes", tmp_path / "my run", **SETTINGS)
    assert code == 128 + kind
    assert f"note: stopped at step {number} of 12; all is saved. Go on by:\n  minigrad resume '{tmp_path}/my run'\n" in err
    assert "Finished" not in out
    code, out, err = minigrad("resume", "my run")
    assert code == 0
    assert f"Going on from step {number} of 12." in err
    assert metrics(tmp_path / "my run") == metrics(short)


def test_a_second_ctrl_c_does_not_wait(
    minigrad: Commands, short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        at_step(patched, 6, lambda: [signal.raise_signal(signal.SIGINT) for _ in range(2)])
        code, _, err = minigrad.train("shapes", tmp_path / "run", **SETTINGS)
    assert code == 130
    assert "note: stopped at once; what came after the last checkpoint will be done again. Go on by:" in err
    assert err.endswith(f"  minigrad resume {tmp_path}/run\n")
    assert minigrad("resume", "run").code == 0
    assert metrics(tmp_path / "run") == metrics(short)


def test_ctrl_c_while_data_are_read(minigrad: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No training was begun, and nothing is left of it."""
    monkeypatch.setattr("minigrad.data.labelled.find_images", lambda name: signal.raise_signal(signal.SIGINT))
    code, _, err = minigrad.train("shapes", tmp_path / "deep" / "run")
    assert (code, err) == (130, "note: interrupted; nothing is half-written\n")
    assert not (tmp_path / "deep").exists()


# ---------------------------------------------------------------------- in processes of their own


class Child:
    """A command in a process of its own, on a terminal or not, whose output can be waited for."""

    def __init__(self, *words: object, terminal: bool = False) -> None:
        line, environment = command(*words, TERM="xterm", COLUMNS="80", CI=None)
        if terminal:
            self.end, other = pty.openpty()
            self.process = subprocess.Popen(line, env=environment, stdin=other, stdout=other, stderr=other)
            os.close(other)
        else:
            self.end, other = os.pipe()
            self.process = subprocess.Popen(line, env=environment, stdin=subprocess.DEVNULL, stdout=other, stderr=other)
            os.close(other)
        self.out = ""

    def until(self, words: str | None) -> str:
        """Read on until words come; to the end for ``None``."""
        while words is None or words not in self.out:
            try:
                data = os.read(self.end, 65536)
            except OSError:  # how the end of a terminal is told
                data = b""
            if not data:
                assert words is None, self.out
                break
            self.out += data.decode(errors="replace")
        return self.out

    def ended(self) -> int:
        self.until(None)
        os.close(self.end)
        return self.process.wait()


def test_killed_again_and_again(minigrad: Commands, whole: Path, tmp_path: Path) -> None:
    """SIGKILL at the first evaluation and twice later, then resume: the metrics are byte for byte those of a whole run."""
    child = Child("train", "classify", "--data", "shapes", *setting_words(LONG), "--out", "run")
    for heard in ("epoch", "epoch 20/", "epoch 40/"):
        child.until(heard)
        child.process.kill()
        assert child.ended() == -signal.SIGKILL
        assert metrics(tmp_path / "run") != metrics(whole)
        child = Child("resume", "run")
    assert child.ended() == 0
    assert metrics(tmp_path / "run") == metrics(whole)
    assert (tmp_path / "run/model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    assert not list((tmp_path / "run").rglob("*.tmp"))


@pytest.mark.parametrize("terminal", [False, True], ids=["no terminal", "terminal"])
def test_ctrl_c(terminal: bool, minigrad: Commands, whole: Path, tmp_path: Path) -> None:
    child = Child("train", "classify", "--data", "shapes", *setting_words(LONG), "--out", "run", terminal=terminal)
    child.until("epoch")
    child.process.send_signal(signal.SIGINT)
    assert child.ended() == 130
    assert "Traceback" not in child.out
    assert "Go on by:" in child.out
    assert "  minigrad resume run" in child.out
    assert ("\x1b" in child.out) is terminal  # the bar
    assert minigrad("resume", "run").code == 0
    assert metrics(tmp_path / "run") == metrics(whole)


def test_two_processes_in_one_folder(minigrad: Commands, whole: Path, tmp_path: Path) -> None:
    words = ["train", "classify", "--data", "shapes", *setting_words(LONG), "--out", "run"]
    child = Child(*words)
    child.until("epoch")
    os.kill(child.process.pid, signal.SIGSTOP)  # so that it is there as long as the others
    assert "got a run that was begun before. Go on with it by: minigrad resume run" in minigrad.refused(*words)
    assert f"got process {child.process.pid}, which does. Wait for it, stop it, or" in minigrad.refused("resume", "run")
    assert minigrad("eval", "run").code == 0
    os.kill(child.process.pid, signal.SIGCONT)
    assert child.ended() == 0
    assert metrics(tmp_path / "run") == metrics(whole)


def test_who_comes_second_is_told_before_the_data_are_read(minigrad: Commands, tmp_path: Path) -> None:
    from minigrad.train import Run

    with Run("run"):
        words = minigrad.refused("train", "classify", "--data", "nowhere", "--out", "run")
    assert "expected a folder in which no other process trains" in words


def test_an_output_that_nobody_reads(minigrad: Commands, tmp_path: Path) -> None:
    """``| head -1`` ends a command without a word; a training that has not begun leaves nothing."""
    assert minigrad.train("shapes", tmp_path / "run").code == 0
    for words in (("classify", "run", "shapes"), ("train", "classify", "--data", "shapes", "--out", "other")):
        line, environment = command(*words)
        ends = subprocess.run(
            ["sh", "-c", '("$@"; echo $? >&2) | head -n 1', "sh", *line],
            env=environment, capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        assert (len(ends.stdout.splitlines()), ends.stderr) == (1, "141\n")
    assert not (tmp_path / "other").exists()


def test_no_standard_output_at_all(minigrad: Commands, tmp_path: Path) -> None:
    line, environment = command("train", "classify", "--data", "shapes", "--out", "run", *setting_words(SMALL))
    closed = subprocess.run(["sh", "-c", '"$@" >&- 2>&-', "sh", *line], env=environment, timeout=60, check=False)
    assert closed.returncode == 0
    assert (tmp_path / "run" / "report.html").exists()


def test_an_output_on_a_full_disk(minigrad: Commands) -> None:
    line, environment = command("data", "list")
    with open("/dev/full", "w") as full:
        done = subprocess.run(line, env=environment, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (2, "error: No space left on device\n")


def test_a_terminal_that_knows_little(minigrad: Commands, tmp_path: Path) -> None:
    """ASCII only, no HOME, a dumb terminal of 30 columns: no error, no escape code, no bar."""
    names = {"größe": "circle", "日本": "square"}
    shapes(tmp_path / "odd", 5, names=names, mixed=False)
    minigrad.train("odd", tmp_path / "run")
    little = {"PYTHONIOENCODING": "ascii", "HOME": None, "TERM": "dumb", "COLUMNS": "30"}
    for words in (("classify", "run", "odd/größe/000.png"), ("eval", "run"), ("--help",), ("data", "list")):
        done = run(*words, **little)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.isascii() and "\x1b" not in done.stdout and "\r" not in done.stdout
    assert "gr\\xf6\\xdfe" in run("eval", "run", **little).stdout


def test_a_second_interrupt_does_not_break_off_the_words_about_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    from minigrad import cli
    from minigrad.cli import output

    told: list[str] = []

    def complain(text: str, kind: str = "error") -> None:
        os.kill(os.getpid(), signal.SIGINT)
        told.append(f"{kind}: {text}")

    def interrupted() -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(output, "complain", complain)
    before = signal.getsignal(signal.SIGINT)
    assert cli._told(interrupted) == cli.INTERRUPTED
    assert told == ["note: interrupted; nothing is half-written"] and signal.getsignal(signal.SIGINT) is before
