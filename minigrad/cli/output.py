"""Lines for the user: results to standard output, complaints to standard error."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple


def say(text: str) -> None:
    """Write text, broken to the terminal's width."""
    from minigrad.cli.terminal import clean, room, show, wrap
    from minigrad.show.text import open_console

    console = open_console()
    show("\n".join(wrap(clean(line, console), room(console), indent=2) for line in text.split("\n")), console)


class Line(NamedTuple):
    """A line of text, the blanks before it, and how many more stand before what it is broken to."""

    text: str = ""
    indent: int = 0
    hang: int = 2


def write_lines(lines: Iterable[Line], *, whole: bool = False) -> None:
    """Write lines, broken to the terminal's width; ``whole`` ones are left as long as they are."""
    from minigrad.cli.terminal import clean, room, show, wrap
    from minigrad.show.text import open_console

    console = open_console()
    width = None if whole else room(console)
    for text, indent, hang in lines:
        inner = None if width is None else max(10, width - indent)
        show(" " * indent + wrap(clean(text, console), inner, hang).replace("\n", "\n" + " " * indent), console)


def say_command(command: str, *, stderr: bool = False) -> None:
    """Write a command to be copied: on a line of its own, which is broken nowhere."""
    from minigrad.cli.terminal import clean, show
    from minigrad.show.text import open_console

    console = open_console(stderr=stderr)
    show(f"  {clean(command, console)}", console)


def complain(text: str, kind: str = "error") -> None:
    """Write an error, a warning or a note."""
    from minigrad.cli.terminal import message, show
    from minigrad.show.text import open_console

    console = open_console(stderr=True)
    show(message(kind, text, console), console)


def say_json(value: Any) -> None:
    """Write a value for a program to read: JSON in ASCII, which every encoding has."""
    from minigrad.cli.terminal import show

    show(json.dumps(value, indent=1, allow_nan=False))
