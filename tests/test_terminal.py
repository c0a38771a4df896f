"""How results look: at every width, in every encoding, and where there is no terminal."""

from __future__ import annotations

import io
import math
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from minigrad.cli import terminal

TOP = [("golden retriever", 0.873), ("labrador", 0.09), ("日本の犬", 0.0301), ("b", 0.0069), ("c", 0.0)]
CLASSES = [
    ("aeroplane", 1000, 0.9, 0.8, 0.847),
    ("a class with quite a long name", 12, 0.5, 1.0, 0.667),
    ("never seen", 0, math.nan, math.nan, math.nan),
]


def console(width: int | None = None, encoding: str = "utf-8", **options: Any) -> Console:
    """A terminal of some width, or a pipe."""
    file = io.TextIOWrapper(io.BytesIO(), encoding, write_through=True)
    return Console(
        file=file, width=width or 80, force_terminal=width is not None, force_interactive=width is not None,
        legacy_windows=False, color_system=None, _environ={}, **options,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (80, ["golden retriever  █████████████████████      87.3 %",
              "labrador          ██▏                         9.0 %",
              "日本の犬          ▊                           3.0 %",
              "b                 ▏                           0.7 %",
              "c                                             0.0 %"]),
        (40, ["golden retriever  ███████████▍    87.3 %",
              "labrador          █▏               9.0 %",
              "日本の犬          ▍                3.0 %",
              "b                 ▏                0.7 %",
              "c                                  0.0 %"]),
        (30, ["golden retri…  █████▎   87.3 %",
              "labrador       ▌         9.0 %",
              "日本の犬       ▏         3.0 %",
              "b                        0.7 %",
              "c                        0.0 %"]),
        (20, ["golden ret…   87.3 %",
              "labrador       9.0 %",
              "日本の犬       3.0 %",
              "b              0.7 %",
              "c              0.0 %"]),
    ],
)  # fmt: skip
def test_share_bars(width: int, lines: list[str]) -> None:
    assert terminal.share_bars(TOP, console(width)).split("\n") == lines


def test_short_names_keep_their_bars_on_a_narrow_terminal() -> None:
    assert "█" in terminal.share_bars([("7", 0.9), ("1", 0.1)], console(20))


@pytest.mark.parametrize(
    ("share", "bar"),
    [(1.0, "█" * 24), (0.5, "█" * 12), (1 / 192, "▏"), (7 / 192, "▉"), (0.0, ""), (-1.0, ""), (2.0, "█" * 24), (math.nan, "")],
)
def test_a_bar_has_eighths_of_a_block(share: float, bar: str) -> None:
    assert terminal.share_bars([("x", share)], console())[3:27] == bar.ljust(24)


def test_bars_without_blocks() -> None:
    assert terminal.share_bars([("größe", 0.5)], console(encoding="ascii")) == rf"gr\xf6\xdfe  {'#' * 12:24}   50.0 %"


@pytest.mark.parametrize("rows", [[], [("", 0.5)]])
def test_bars_of_nothing(rows: list[tuple[str, float]]) -> None:
    assert terminal.share_bars(rows, console(10)).count("\n") == 0


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (None, ["class                           images  precision   recall      F1",
                "never seen                           0          –        –       –",
                "a class with quite a long name      12     50.0 %  100.0 %  66.7 %",
                "aeroplane                        1,000     90.0 %   80.0 %  84.7 %"]),
        (60, ["class                     images  precision   recall      F1",
              "never seen                     0          –        –       –",
              "a class with quite a lo…      12     50.0 %  100.0 %  66.7 %",
              "aeroplane                  1,000     90.0 %   80.0 %  84.7 %"]),
        (40, ["class                     images      F1",
              "never seen                     0       –",
              "a class with quite a lo…      12  66.7 %",
              "aeroplane                  1,000  84.7 %"]),
        (20, ["class             F1",
              "never seen         –",
              "a class wit…  66.7 %",
              "aeroplane     84.7 %"]),
    ],
)  # fmt: skip
def test_class_table(width: int | None, lines: list[str]) -> None:
    assert terminal.class_table(CLASSES, console(width)).split("\n") == lines


def test_tables_align_by_what_letters_take() -> None:
    rows = [("日本", "1.5", 3), ("größe", "12.25", 1234567), ("x\ny", "-", None)]
    assert terminal.table(["name", "share", "count"], rows, console()).split("\n") == [
        "name   share      count",
        "日本     1.5          3",
        "größe  12.25  1,234,567",
        "x�y        -          –",
    ]


def test_a_table_takes_from_its_longest_words_first_and_never_from_numbers() -> None:
    rows = [("a" * 30, "b" * 20, 123456789)]
    lines = terminal.table(["one", "two", "n"], rows, console(40)).split("\n")
    assert lines[1] == "a" * 11 + "…  " + "b" * 12 + "…  123,456,789"
    assert terminal.table(["one", "two", "n"], rows, console(10)).split("\n")[1] == "aaaaaaa…  bbbbbbb…  123,456,789"


def test_a_table_without_rows() -> None:
    assert terminal.table(["one", "two"], [], console(40)) == "one  two"


def test_facts() -> None:
    values = {"classes": 10, "split": "by name: one image in ten is kept back for validation", "größe": 0.25}
    assert terminal.facts(values, console()).split("\n") == [
        "classes  10", "split    by name: one image in ten is kept back for validation", "größe    0.2500"
    ]  # fmt: skip
    assert terminal.facts(values, console(40)).split("\n") == [
        "classes  10", "split    by name: one image in ten is", "         kept back for validation", "größe    0.2500"
    ]  # fmt: skip
    assert terminal.facts(values, console(20)).split("\n")[:4] == ["classes", "  10", "split", "  by name: one image"]


@pytest.mark.parametrize(
    ("width", "text"),
    [
        (None, "error: a sentence that is longer than the terminal is wide\nand a second"),
        (30, "error: a sentence that is\n  longer than the terminal is\n  wide\n  and a second"),
    ],
)
def test_message(width: int | None, text: str) -> None:
    said = terminal.message("error", "a sentence that is longer than the terminal is wide\nand a second", console(width))
    assert said == (text if width else text.replace("\n", "\n  "))


def test_messages_have_colours_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    coloured = Console(file=io.StringIO(), force_terminal=True, width=80, color_system="standard", _environ={})
    assert terminal.message("error", "no", coloured) == "\x1b[1;31merror:\x1b[0m no"
    without = Console(file=io.StringIO(), force_terminal=True, color_system="standard", _environ={"NO_COLOR": "1"})
    assert "31" not in terminal.message("error", "no", without)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert terminal.message("warning", "no\x1b[2J") == "warning: no�[2J"


@example(width=20, encoding="utf-8", rows=[("", -1.0, None)])
@settings(deadline=None, max_examples=60)
@given(
    width=st.integers(1, 100),
    encoding=st.sampled_from(["utf-8", "ascii", "latin-1", "cp1252"]),
    rows=st.lists(st.tuples(st.text(max_size=20), st.floats(), st.integers() | st.none()), min_size=1, max_size=4),
)
def test_any_text_at_any_width_in_any_encoding(width: int, encoding: str, rows: list[tuple[str, float, int | None]]) -> None:
    for screen in (console(width, encoding), console(None, encoding)):
        shares = [(name, share) for name, share, _ in rows]
        parts = [
            terminal.share_bars(shares, screen), terminal.table(["name", "share", "n"], rows, screen),
            terminal.facts(dict(shares), screen), terminal.message("note", rows[0][0], screen),
        ]  # fmt: skip
        for part in parts:
            part.encode(encoding)
            terminal.show(part, screen)
        if screen.is_interactive and width >= 20 and all(-9 <= share <= 9 for _, share in shares):
            assert max(map(cell_len, parts[0].split("\n"))) <= width
        assert len(parts[1].split("\n")) == len(rows) + 1


def test_show_writes_what_the_encoding_does_not_have() -> None:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, "latin-1")
    terminal.show("größe ▌ \ud800", Console(file=file))
    assert raw.getvalue() == "größe \\u258c \\ud800\n".encode("latin-1")


def test_show_does_not_swallow_a_full_disk() -> None:
    code = "from minigrad.cli import terminal as t; t.show('x')"
    with open("/dev/full", "wb") as full:
        done = subprocess.run([sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode != 0 and b"No space left" in done.stderr


def test_a_pipe_in_any_locale() -> None:
    code = "from minigrad.cli import terminal as t; t.show(t.share_bars([('größe', .5)])); t.show('größe')"
    environment = {"LANG": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False)
    assert done.stderr == b"" and done.returncode == 0
    assert done.stdout.decode("ascii") == rf"gr\xf6\xdfe  {'#' * 12:24}   50.0 %" + "\ngr\\xf6\\xdfe\n"
