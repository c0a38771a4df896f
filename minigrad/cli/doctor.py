"""``minigrad doctor``: what this machine has, what is wrong with it, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from minigrad.cli.checkup import Finding


def doctor(json: Annotated[bool, typer.Option("--json", help="Write JSON for a program to read.")] = False) -> None:
    """Show what this machine has, and what is wrong with it.

    Each line is fine, a note, or a problem with what to do about it. Exit code 1 when there is a problem, else 0.

    Example: minigrad doctor --json
    """
    from minigrad.cli.checkup import NOTE, PROBLEM, examine
    from minigrad.cli.output import say_json
    from minigrad.cli.terminal import show
    from minigrad.show.text import open_console

    found = examine()
    counts = {state: sum(finding.state == state for finding in found) for state in (PROBLEM, NOTE)}
    if json:
        say_json({"problems": counts[PROBLEM], "notes": counts[NOTE], "findings": [asdict(finding) for finding in found]})
    else:
        console = open_console()
        show(report(found, console), console)
    if counts[PROBLEM]:
        raise typer.Exit(1)


def report(found: Iterable[Finding], console: Console) -> str:
    """The findings as lines for a console.

    Example:
        >>> import io
        >>> from minigrad.cli.checkup import Finding
        >>> from rich.console import Console
        >>> console = Console(file=io.TextIOWrapper(io.BytesIO(), "utf-8"))
        >>> print(report([Finding("machine", "memory", "0.5 GB", "note", "Use small batches")], console))
        machine
        ! memory  0.5 GB
                  → Use small batches.
        <BLANKLINE>
        1 note, no problems.
    """
    from rich.cells import cell_len
    from rich.text import Text

    from minigrad.cli.checkup import NOTE, OK, PROBLEM
    from minigrad.cli.terminal import clean, rendered, room
    from minigrad.show.text import unicode_fits

    fine = unicode_fits(console)
    marks = {OK: (" ", ""), NOTE: ("!", "bold yellow"), PROBLEM: ("✗" if fine else "X", "bold red")}
    found = list(found)
    width, topic = room(console), ""
    lines: list[Text] = []
    column = max((len(finding.name) for finding in found), default=0) + 4
    indent = column if width is None or width >= column + 30 else 4
    for finding in found:
        if finding.topic != topic:
            topic = finding.topic
            lines += [*([Text()] if lines else []), Text(topic, "bold")]
        mark, style = marks[finding.state]
        line = Text.assemble((mark, style), " ", f"{clean(finding.name, console):{max(0, indent - 4)}}  ")
        value = clean(finding.value, console)
        if width is not None and indent == 4 and line.cell_len + cell_len(value) > width:
            line.rstrip()
            line.append("\n" + " " * indent)
        line.append(_beside(indent, value, width))
        lines.append(line)
        if finding.mend:
            told = f"{'→' if fine else '->'} {clean(finding.mend, console).rstrip('.')}."
            lines.append(Text(" " * indent + _beside(indent, told, width, 2), style if finding.state != OK else ""))
    counts = [
        f"{number or 'no'} {state}{'' if number == 1 else 's'}"
        for state in (NOTE, PROBLEM)
        for number in [sum(finding.state == state for finding in found)]
    ]
    return rendered([*lines, Text(), Text(", ".join(counts).capitalize() + ".")], console)


def _beside(indent: int, text: str, width: int | None, more: int = 0) -> str:
    """Text that goes on below itself, ``indent`` columns from the edge and ``more`` after its first line."""
    from minigrad.cli.terminal import wrap

    return wrap(text, None if width is None else width - indent, more).replace("\n", "\n" + " " * indent)
