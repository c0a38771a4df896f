"""Lines for the user: results to standard output, complaints to standard error."""

from __future__ import annotations

import json
from typing import Any


def say(text: str) -> None:
    """Write text, broken to the terminal's width."""
    from minigrad.cli.terminal import clean, room, show, wrap
    from minigrad.show.text import open_console

    console = open_console()
    show("\n".join(wrap(clean(line, console), room(console), indent=2) for line in text.split("\n")), console)


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
