"""A user's file that crashes, ends the program or never returns: ``kernels check`` and ``bench`` tell what was running."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from minigrad.bench import machine
from minigrad.cli import apart, main
from minigrad.kernels.sums import cases
from tests.shape_images import command

KERNEL = """
import ctypes, os
from minigrad import kernels
from minigrad.bench import machine
from minigrad.kernels.sums import cases, vectorised
from tests.bench.planted import peaks

first = next(cases.cases())
cases.cases = lambda: [first]
machine.recorded = lambda *_, **__: peaks()

def total(x, axes):
    if {when}:
        {fault}
    return vectorised.total(x, axes)

kernels.register("sums", "mine", total=total)
"""
ROOT = Path(__file__).parent.parent  # where ``tests`` is found
CASE = "values: total of mine: (3, 37) over (0,), float32"
LARGE = "128 x 32 x 32 x 32 over 0, 2, 3"
LINE = f"(line {1 + KERNEL.splitlines().index('        {fault}')} of mine.py)"
LOOP = "print('it loops', flush=True), any(iter(int, 1))"  # the latter holds the interpreter's lock for ever


class Told(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def planted(fault: str = "pass", when: str = "x.dtype == 'f4'") -> str:
    Path("mine.py").write_text(KERNEL.format(fault=fault, when=when))
    return "mine.py"


def run(capfd: pytest.CaptureFixture[str], *words: str, patience: float = 60.0, limit: float = 60.0) -> Told:
    """A command with ``mine.py``, run apart as one that a user started."""
    code = apart.run(words[0], words, ["mine.py"], patience, limit)
    out, err = capfd.readouterr()
    assert "Traceback" not in err
    return Told(code, out, " ".join(err.split()))


CHECK = ("kernels", "check", "mine.py")
BENCH = ("bench", "mine.py", "--seconds", "0")


def test_a_write_outside_its_memory(capfd: pytest.CaptureFixture[str]) -> None:
    planted("ctypes.memset(x.ctypes.data, 0, 1 << 40)")
    code, out, err = run(capfd, *CHECK)
    assert (code, out) == (1, "")
    assert err.startswith(f"error: kernels: {CASE} {LINE}: expected results")
    assert "got the end of the program by SIGSEGV: it read or wrote memory that is not its own. Look at indices" in err


def test_the_end_of_the_program_at_a_large_size(capfd: pytest.CaptureFixture[str]) -> None:
    planted("os._exit(0)", when="x.size > 20000")
    code, out, err = run(capfd, *CHECK, "--json")
    assert (code, out) == (1, "")
    assert (
        f"kernels: large: total of mine: {LARGE} (1 of 1): expected results, got the end of the program with exit code 0" in err
    )


def test_a_benchmark(capfd: pytest.CaptureFixture[str]) -> None:
    planted("os._exit(0)", when="True")
    code, out, err = run(capfd, *BENCH)
    assert (code, out) == (1, "")
    assert f"bench: first calls: sums.total of mine: {LARGE}: expected results, got the end of the program with" in err


def test_the_end_of_the_program_at_loading(capfd: pytest.CaptureFixture[str]) -> None:
    Path("mine.py").write_text("import os\nos._exit(0)\n")
    code, out, err = run(capfd, *BENCH)
    assert (code, out) == (2, "")
    assert err.startswith(
        "error: bench: mine.py: expected a file that runs to its end, got the end of the program with exit code"
    )


def test_a_good_file_says_what_it_says_in_this_process(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    planted("print('mine speaks')")
    monkeypatch.setattr(cases, "cases", cases.cases)  # which the file changes, as it does the next one
    monkeypatch.setattr(machine, "recorded", machine.recorded)
    assert main([*CHECK, "--json"]) == 0  # not the words of this process: not apart
    wanted = capfd.readouterr().out
    code, out, err = run(capfd, *CHECK, "--json")
    assert (code, out) == (0, wanted) and json.loads(out)[0]["ok"]
    assert "mine speaks" in err and not err.replace("mine speaks", "").strip()  # the lines of two threads may touch


def test_a_fault_of_the_command_itself_is_not_laid_on_the_file(capfd: pytest.CaptureFixture[str]) -> None:
    """The file stands in for a fault of minigrad's own: it makes a function of the laboratory raise."""
    Path("mine.py").write_text(
        KERNEL.format(fault="pass", when="False")
        + "from minigrad.kernels import laboratory\nlaboratory.check = lambda *_: {}['of no kernel']\n"
    )
    code = apart.run("kernels", CHECK, ["mine.py"], 60.0, 60.0)
    _, err = capfd.readouterr()
    assert code == apart.INTERNAL and "Traceback" in err and "KeyError: 'of no kernel'" in err
    assert "error: an internal error of minigrad" in err and "the end of the program" not in err


STAND_IN = """import json, os, sys
told = json.loads(sys.argv.pop())
with open(told["record"], "a") as record:
    record.write('["kernel", "values"]\\n')
"""


def test_a_loop_without_an_end(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "PROGRAM", STAND_IN + "while True: pass")
    assert run(capfd, *CHECK, patience=0.5, limit=0.9) == (
        1,
        "",
        "note: values: 0.5 s so far; at 0.9 s it is ended error: kernels: values: expected results, got nothing in 0.9 s."
        " Look for a loop without an end, and for locks.",
    )


@pytest.mark.parametrize("kind", ["SIGKILL", "SIGABRT", "SIGTERM"])
def test_other_ends(kind: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "PROGRAM", STAND_IN + f"os.kill(os.getpid(), {int(signal.Signals[kind])})")
    code, _, err = run(capfd, *CHECK)
    assert code == 1
    assert f"error: kernels: values: expected results, got the end of the program by {kind}: " in err


# ---------------------------------------------------------------------- at a terminal


class Terminal:
    """A command that a shell has started in a terminal of its own."""

    def __init__(self, *words: str) -> None:
        line, environment = command(*words, TERM="xterm", COLUMNS="200", CI=None, PYTHONPATH=str(ROOT))
        self.end, other = pty.openpty()
        line = ["sh", "-c", 'tty=$0; exec "$@" <"$tty" >"$tty" 2>&1', os.ttyname(other), *line]
        self.process = subprocess.Popen(line, env=environment, start_new_session=True)
        self.out, self.other = "", other

    def until(self, words: str | None) -> None:
        """Read on until words come; for ``None``, until no process has the terminal open."""
        if words is None:
            os.close(self.other)
        while words is None or words not in self.out:
            assert select.select([self.end], [], [], 30.0)[0], self.out
            try:
                self.out += os.read(self.end, 65536).decode(errors="replace")
            except OSError:  # how the end of a terminal is told
                assert words is None, self.out
                return


def test_ctrl_c_and_a_kill_end_both_processes() -> None:
    planted(LOOP)
    interrupted, killed = Terminal("kernels", "check", "mine.py"), Terminal("bench", "mine.py")
    interrupted.until("it loops")
    os.write(interrupted.end, b"\x03")
    interrupted.until(None)
    assert interrupted.process.wait() == 130
    told = f"interrupted during {CASE} {LINE}; nothing is half-written"
    assert told in interrupted.out and "Traceback" not in interrupted.out
    killed.until("it loops")
    killed.process.kill()
    killed.until(None)
    assert killed.process.wait() == -signal.SIGKILL
    for each in (interrupted, killed):
        os.close(each.end)
