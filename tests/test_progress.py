"""The progress bar: what it says about the time left, how it fits its terminal, and what it leaves behind."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from minigrad.show.pace import Pace
from minigrad.show.progress import Progress, track
from minigrad.show.text import duration, open_console, printable, short_number, wrap

METRICS = {"loss": 0.4321, "accuracy": 0.91, "learning rate": 0.05}


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Screen:
    """What a terminal shows after some output: the part of a terminal that the bar uses, and an error for all else."""

    def __init__(self, width: int) -> None:
        self.width, self.rows, self.row, self.column = width, [""], 0, 0

    def feed(self, text: str) -> Screen:
        for code, letter in re.findall(r"(\x1b\[[0-9;?]*[A-Za-z]|\x1b.)|(.|\n|\r)", text):
            if code == "\x1b[J":
                self.rows[self.row] = self.rows[self.row][: self.column]
                del self.rows[self.row + 1 :]
            elif code:
                assert re.fullmatch(r"\x1b\[[0-9;]*m", code), code
            elif letter == "\r":
                self.column = 0
            elif letter == "\n":
                self._down()
            else:
                if self.column == self.width:
                    self._down()
                line = self.rows[self.row].ljust(self.column)
                self.rows[self.row] = line[: self.column] + letter + line[self.column + 1 :]
                self.column += 1
        return self

    def _down(self) -> None:
        self.row, self.column = self.row + 1, 0
        if self.row == len(self.rows):
            self.rows.append("")


def terminal(width: int, *, no_color: str = "", **options: Any) -> Console:
    """A terminal whose output is kept."""
    return Console(
        width=width, force_terminal=True, force_interactive=True, legacy_windows=False,
        _environ={"TERM": "xterm-256color", "NO_COLOR": no_color}, **{"file": io.StringIO(), **options},
    )  # fmt: skip


def output(console: Console) -> str:
    file: Any = console.file
    return file.getvalue()


def shown(console: Console) -> list[str]:
    return Screen(console.width).feed(output(console)).rows


def bar_at(width: int, *, describe: str = "training", metrics: dict[str, float | str] = METRICS, **options: Any) -> str:
    """The one line after 45 of 100 steps of 0.1 s, each of 64 examples."""
    console, clock = terminal(width, **options), Clock()
    with Progress(100, describe=describe, console=console, clock=clock) as progress:
        for step in range(1, 46):
            clock.now += 0.1
            progress.advance(step, 64 * step, metrics)
        clock.now += 1
        progress.advance(45, 64 * 45, metrics)
        (line,) = shown(console)
    return line


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (200, " training   45 %  ━━━━━━━━━━━━━━──────────────────  640.0 examples/s  0:06 left  "
              "loss 0.4321  accuracy 0.9100  learning rate 0.05000"),
        (80, " training   45 %  ━━━━━━━━───────────  640.0 examples/s  0:06 left  loss 0.4321"),
        (79, " training   45 %  ━━━━━━━━──────────  640.0 examples/s  0:06 left  loss 0.4321"),
        (60, " training   45 %  ━━━━━━━──────────  0:06 left  loss 0.4321"),
        (41, " training   45 %  0:06 left  loss 0.4321"),
        (40, "  45 %  0:06 left  loss 0.4321"),
        (20, "  45 %  0:06 left"),
        (10, "  45 %"),
        (4, ""),
    ],
)  # fmt: skip
def test_columns_go_from_the_least_important(width: int, line: str) -> None:
    assert bar_at(width).rstrip() == line


@settings(deadline=None, max_examples=60)
@given(
    width=st.integers(1, 120),
    describe=st.text(max_size=12),
    metrics=st.dictionaries(st.text(max_size=8), st.one_of(st.floats(), st.integers(), st.text(max_size=8)), max_size=4),
)
def test_no_line_is_ever_as_wide_as_the_terminal(width: int, describe: str, metrics: dict[str, float | str]) -> None:
    console, clock = terminal(width, color_system=None), Clock()
    with Progress(9, "räume 語", describe=describe, console=console, clock=clock) as progress:
        for step in range(1, 10):
            clock.now += 3.0**step
            progress.advance(step, step, metrics)
    for line in re.split(r"\r\x1b\[J|\r|\n", output(console)):
        assert line == printable(line)
        assert console.measure(line).maximum < max(width, 2), line


def test_the_width_may_change_while_it_runs() -> None:
    console, clock = terminal(80), Clock()
    widths = []
    with Progress(100, describe="training", console=console, clock=clock) as progress:
        for step, width in enumerate((80, 30, 100), 1):
            console.width = width
            console.file.seek(console.file.truncate(0))
            clock.now += 1
            progress.advance(step, step, METRICS)
            widths.append(len(shown(console)[0]))
    assert widths[0] <= 79 and widths[1] <= 29 and 80 < widths[2] <= 99, widths


def test_columns_stay_where_they_are_when_numbers_get_shorter() -> None:
    console, clock = terminal(80), Clock()
    places = set()
    with Progress(100, console=console, clock=clock) as progress:
        for step, loss in enumerate((-1234.5, 0.5, float("nan"), 7), 1):
            clock.now += 1
            progress.advance(step, step, {"loss": loss, "accuracy": 0.5})
            places.add(shown(console)[0].index("accuracy"))
    assert len(places) == 1


def test_the_end_says_how_long_it_took() -> None:
    console, clock = terminal(80), Clock()
    with Progress(2, describe="training", console=console, clock=clock) as progress:
        clock.now += 3600
        progress.advance(2, 128, {"loss": 0.5})
        clock.now += 125
    assert shown(console) == [" training  100 %  ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━  in 1:02:05  loss 0.5000", ""]


def test_nothing_is_left_of_a_bar_that_is_not_kept() -> None:
    console = terminal(80)
    assert list(track([1, 2], describe="reading", console=console)) == [1, 2]
    assert "reading" in output(console)
    assert shown(console) == [""]


def test_say_stands_above_the_bar_and_is_not_broken() -> None:
    console, clock = terminal(30), Clock()
    with Progress(2, describe="x", console=console, clock=clock) as progress:
        progress.say("first")
        progress.say("a" * 40 + "\x1b[2J")
        progress.advance(1, 1, {})
        assert shown(console)[:3] == ["first", "a" * 30, "a" * 10 + "�[2J"]
        progress.say("words are not broken at the end of a line")
        assert shown(console)[3:5] == ["words are not broken at the", "  end of a line"]
        assert shown(console)[5].startswith(" x   50 %") and len(shown(console)) == 6
        progress.say("  a sample\n    of two lines, the other of which is long")
        assert shown(console)[5:8] == ["  a sample", "    of two lines, the other of", "      which is long"]
    assert shown(console)[-1] == ""


def test_what_others_print_stands_above_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream, out = Terminal(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(sys, "stdout", out)
    console = terminal(60, file=None, stderr=True)
    with Progress(2, describe="x", console=console) as progress:
        progress.advance(1, 1, {})
        print("a warning", file=sys.stderr)
        print("a result")
        assert Screen(60).feed(stream.getvalue()).rows[0] == "a warning"
        print("half a line", end="", file=sys.stderr)
    assert sys.stderr is stream and sys.stdout is out
    rows = Screen(60).feed(stream.getvalue()).rows
    assert rows[1] == "half a line" and rows[2].startswith(" x   50 %")
    assert out.getvalue() == "a result\n"  # another place than the bar's: left alone


def test_a_terminal_that_goes_away_does_not_stop_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    console = terminal(80)
    with Progress(3, console=console) as progress:
        monkeypatch.setattr(console.file, "write", lambda text: (_ for _ in ()).throw(OSError(5, "Input/output error")))
        progress.say("lost")
        progress.advance(1, 1, {})
        progress.say("lost")


# ---------------------------------------------------------------------- no terminal


@pytest.mark.parametrize("environment", [{}, {"FORCE_COLOR": "1"}, {"TTY_COMPATIBLE": "1"}])
def test_without_a_terminal_there_are_lines_only(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with Progress(2, describe="training") as progress:
        progress.advance(1, 1, METRICS)
        progress.say("epoch 1  accuracy 0.9")
        assert stream.getvalue() == "epoch 1  accuracy 0.9\n"  # at once
        with progress.pause("evaluating"):
            progress.advance(2, 2, METRICS)
    assert list(track(range(3), describe="reading")) == [0, 1, 2]
    assert stream.getvalue() == "epoch 1  accuracy 0.9\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "interactive"),
    [({}, True), ({"CI": "true"}, False), ({"CI": "false"}, True), ({"TERM": "dumb"}, False), ({"TERM": "unknown"}, False)],
)
def test_which_terminals_have_a_bar(environment: dict[str, str], interactive: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"CI": "", "TERM": "xterm", **environment}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert open_console(stderr=True).is_interactive is interactive


@pytest.mark.parametrize("stream", [None, "closed", "ascii"])
def test_say_never_fails(stream: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    file = None if stream is None else io.TextIOWrapper(raw, encoding="ascii")
    if file is not None and stream == "closed":
        file.close()
    monkeypatch.setattr(sys, "stderr", file)
    with Progress(1) as progress:
        progress.say("größer")
    if stream == "ascii":
        assert raw.getvalue() == rb"gr\xf6\xdfer" + b"\n"


def test_an_encoding_without_lines_gets_letters() -> None:
    raw = io.BytesIO()
    console = terminal(30, file=io.TextIOWrapper(raw, encoding="ascii", write_through=True))
    with Progress(2, console=console) as progress:
        progress.advance(1, 1, {})
    assert Screen(30).feed(raw.getvalue().decode("ascii")).rows[0].startswith("  50 %  #####-----  in 0:0")


def test_no_color_has_no_colours() -> None:
    with_colours, without = terminal(80, color_system="standard"), terminal(80, no_color="1")
    for console in (with_colours, without):
        with Progress(2, console=console) as progress:
            progress.advance(1, 1, {})
    assert "\x1b[36m" in output(with_colours)
    assert not re.search(r"\x1b\[[0-9;]*3\d", output(without))


# ---------------------------------------------------------------------- the pace


def left(run: Callable[[Progress, Clock], None], total: int = 1000, start: int = 0) -> str:
    """What the bar says about the time left after something has happened."""
    console, clock = terminal(120), Clock()
    with Progress(total, console=console, start=start, clock=clock) as progress:
        run(progress, clock)
        line = shown(console)[0]
    found = re.search(r"(\S+(?: d \d+ h)?) left", line)
    assert found, line
    return found[1]


def steps(progress: Progress, clock: Clock, first: int, last: int, seconds: float) -> None:
    for step in range(first, last + 1):
        clock.now += seconds
        progress.advance(step, 10 * step, {})


def test_time_left_is_unknown_before_a_step_that_counts() -> None:
    assert left(lambda progress, clock: None) == "-:--"
    assert left(lambda progress, clock: steps(progress, clock, 1, 1, 5.0)) == "-:--"


def test_a_slow_first_step_does_not_count() -> None:
    def run(progress: Progress, clock: Clock) -> None:
        clock.now += 600
        progress.advance(1, 1, {})
        steps(progress, clock, 2, 3, 0.5)

    assert left(run, total=123) == "1:00"


def test_a_resumed_run_counts_its_own_steps_only() -> None:
    assert left(lambda progress, clock: steps(progress, clock, 901, 940, 1.0), start=900) == "1:00"


def test_restart_forgets_the_pace() -> None:
    def run(progress: Progress, clock: Clock) -> None:
        steps(progress, clock, 1, 50, 100.0)
        progress.restart(500)
        steps(progress, clock, 501, 520, 1.0)

    assert left(run) == "8:00"


def test_a_pause_that_nobody_announced_does_not_count() -> None:
    def run(progress: Progress, clock: Clock) -> None:
        steps(progress, clock, 1, 20, 1.0)
        clock.now += 7200
        steps(progress, clock, 21, 40, 1.0)

    assert left(run, total=100) == "1:00"


@pytest.mark.parametrize("announced", [True, False])
def test_an_evaluation_does_not_count_as_slow_steps(announced: bool) -> None:
    def run(progress: Progress, clock: Clock) -> None:
        steps(progress, clock, 1, 20, 1.0)
        if announced:
            with progress.pause("evaluating"):
                clock.now += 50
        else:
            for _ in range(50):  # it reports the step at which the training stands
                clock.now += 1
                progress.advance(20, 200, {"": "evaluating"})
        steps(progress, clock, 21, 40, 1.0)

    assert left(run, total=100) == "1:00"


def test_evaluations_to_come_are_part_of_the_time_left() -> None:
    def run(progress: Progress, clock: Clock) -> None:
        for epoch in range(2):
            steps(progress, clock, 20 * epoch + 1, 20 * epoch + 20, 1.0)
            with progress.pause("evaluating"):
                clock.now += 30
        steps(progress, clock, 41, 50, 1.0)

    assert left(run, total=100) == "2:20"  # 50 steps of a second, and the evaluations at 60, 80 and 100


def test_it_follows_the_recent_past() -> None:
    def run(progress: Progress, clock: Clock) -> None:
        steps(progress, clock, 1, 500, 0.2)
        steps(progress, clock, 501, 600, 2.0)

    assert left(run, total=660) == "2:00"


def test_slow_steps_that_are_not_rare_are_the_pace() -> None:
    def run(progress: Progress, clock: Clock) -> None:
        for step in range(1, 101):
            steps(progress, clock, step, step, 6.0 if step % 5 == 0 else 1.0)

    assert left(run, total=200) == "3:20"


def test_work_that_is_rolled_back_goes_on() -> None:
    def run(progress: Progress, clock: Clock) -> None:
        steps(progress, clock, 1, 50, 1.0)
        steps(progress, clock, 11, 40, 1.0)

    assert left(run, total=100) == "1:00"


def test_the_pause_is_named() -> None:
    console = terminal(80)
    with Progress(9, describe="training", console=console) as progress:
        with progress.pause("evaluating"):
            assert shown(console)[0].startswith(" evaluating ")
        progress.advance(9, 9, {})
    assert shown(console)[0].startswith(" training ")


def test_a_total_that_is_not_known() -> None:
    console, clock = terminal(80), Clock()
    with Progress(None, "files", describe="looking", console=console, clock=clock) as progress:
        steps(progress, clock, 1, 1234, 0.01)
        line = shown(console)[0]
    assert re.fullmatch(r" looking +1,2\d\d  1,000 files/s *", line), line


def test_units_a_second() -> None:
    pace = Pace()
    assert pace.units_per_second() is None and pace.seconds_left(5) is None
    pace.add(2.0, 4, 512)
    assert pace.units_per_second() == 256.0 and pace.seconds_left(5) == 2.5


def test_a_call_between_two_drawings_is_cheap() -> None:
    console = terminal(80)
    best = float("inf")
    with Progress(10**6, console=console) as progress:
        for _ in range(20):
            began = time.perf_counter()
            for step in range(100):
                progress.advance(step, step, METRICS)
            best = min(best, (time.perf_counter() - began) / 100)
    assert best < 20e-6
    assert output(console).count("\x1b[J") < 100


# ---------------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.43214, "0.4321"), (0.5, "0.5000"), (12.3, "12.30"), (1234.5, "1,234"), (999.96, "1,000"), (-0.5, "-0.5000"),
        (0.0001, "1.000e-04"), (0.0, "0"), (1e12, "1.000e+12"), (7, "7"), (60000, "60,000"), (float("nan"), "nan"),
        (float("-inf"), "-inf"), (True, "True"), (None, "None"),
    ],
)  # fmt: skip
def test_short_number(value: object, text: str) -> None:
    assert short_number(value) == text


def test_duration() -> None:
    times = [0, 0.4, 59.6, 3599, 3600, 86400, 1e9, -3, float("nan"), float("inf")]
    assert [duration(seconds) for seconds in times] == [
        "0:00", "0:00", "1:00", "59:59", "1:00:00", "1 d 0 h", "11574 d 1 h", "0:00", "-:--", "-:--"
    ]  # fmt: skip


def test_printable() -> None:
    assert printable("größe 語 🙂 a b") == "größe 語 🙂 a b"
    assert printable("a\nb\tc\x07\x9b\u202e\u2028\ud800") == "a�b�c�����"
    assert printable("a\nb\x07", keep="\n") == "a\nb�"


def test_wrap_keeps_long_words_whole() -> None:
    path = "/a/long/path/that/nobody/wants/broken"
    assert wrap(f"see {path} for more", 20) == f"see\n{path}\nfor more"
    assert wrap("日本 日本 日本", 9) == "日本 日本\n日本"
    assert wrap("a b\nc", None, 3) == "a b\n   c"


def test_wrap_keeps_the_blanks_that_a_line_begins_with() -> None:
    assert wrap("  see it all", 8, indent=4) == "  see it\n    all"
    assert wrap("    x", None) == "    x" == wrap("    x", 40) == wrap("    x", 2)
    assert wrap("  a\n b", 40) == "  a\n b" and wrap("   ", 40) == "   "


# ---------------------------------------------------------------------- a real terminal

SCRIPT = """
import sys, time
from minigrad.show.progress import Progress
with Progress(10**6, describe="training") as progress:
    progress.say("ready")
    for step in range(10**6):
        time.sleep(0.002)
        progress.advance(step, 64 * step, {"loss": 0.5})
"""


def run_in_a_terminal(act: Callable[[subprocess.Popen[bytes], int], None]) -> tuple[str, int, bool]:
    """Everything the script wrote to a terminal of 60 columns, its exit status, and whether the terminal is as it was."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    before = termios.tcgetattr(theirs)
    environment = {**os.environ, "TERM": "xterm-256color", "CI": "", "PYTHONUNBUFFERED": "1"}
    for name in ("COLUMNS", "FORCE_COLOR", "TTY_COMPATIBLE", "NO_COLOR"):
        environment.pop(name, None)
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdin=theirs, stdout=theirs, stderr=theirs, env=environment, close_fds=True
    )
    written = b""
    try:
        deadline = time.monotonic() + 60
        while written.count(b"\x1b[J") < 5 and time.monotonic() < deadline:
            written += os.read(ours, 65536) if select.select([ours], [], [], 0.1)[0] else b""
        act(process, theirs)
        while process.poll() is None or select.select([ours], [], [], 0.1)[0]:
            written += os.read(ours, 65536) if select.select([ours], [], [], 0.1)[0] else b""
            assert time.monotonic() < deadline, "it does not end"
        return written.decode().replace("\r\n", "\n"), process.returncode, termios.tcgetattr(theirs) == before
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)


def test_ctrl_c_leaves_the_terminal_clean() -> None:
    written, status, same = run_in_a_terminal(lambda process, _: process.send_signal(signal.SIGINT))
    rows = Screen(60).feed(written).rows
    assert status in (-signal.SIGINT, 130) and same
    assert rows[0] == "ready"
    assert re.match(r" training    0 % .* in 0:0\d", rows[1]), rows
    assert rows[2].startswith("Traceback") and rows[-2].startswith("KeyboardInterrupt") and rows[-1] == ""


def test_a_killed_process_leaves_the_cursor_visible() -> None:
    written, status, same = run_in_a_terminal(lambda process, _: process.kill())
    assert status == -signal.SIGKILL and same
    assert "\x1b[?" not in written
    assert len(Screen(60).feed(written).rows) == 2


def test_a_window_that_is_made_narrower() -> None:
    def narrow(process: subprocess.Popen[bytes], tty: int) -> None:
        fcntl.ioctl(tty, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 25, 0, 0))
        time.sleep(0.7)
        process.send_signal(signal.SIGINT)

    written, _, _ = run_in_a_terminal(narrow)
    last = written.split("Traceback")[0].split("\r\x1b[J")[-1]
    assert len(re.sub(r"\x1b\[[0-9;]*m", "", last).rstrip("\n")) < 25
