"""How the commands' results look: bars, tables, lists and messages, fitted to the terminal.

On a terminal, lines fit its width and long names are shortened. Anywhere else nothing is shortened or wrapped, since a program
or a file reads it. Each function returns text for a console, by default that of standard output, with nothing in it that the
console's encoding does not have; :func:`show` writes any text.
"""

from __future__ import annotations

import math
import numbers
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from minigrad.show.text import encodable, open_console, printable, short_number, unicode_fits, wrap

GAP = "  "
KINDS = {"error": "bold red", "warning": "bold yellow", "note": "bold"}
_BLOCKS = " ▏▎▍▌▋▊▉"
_BAR = (6, 24)  # columns of a bar, least and most
_NAME = 8  # columns that a name keeps in a table


def show(text: str, console: Console | None = None) -> None:
    """Write text and a line's end at once; what the encoding does not have is written as an escape.

    Raises:
        OSError: the disk is full, or the reader of a pipe has gone.

    Example:
        >>> import io
        >>> console = Console(file=io.StringIO())
        >>> show("done", console)
        >>> console.file.getvalue()
        'done\\n'
    """
    console = console or open_console()
    stream: Any = console.file
    replaced = sys.stderr if console.stderr else sys.stdout
    if getattr(replaced, "rich_proxied_file", None) is stream:
        stream = replaced  # a bar is on this terminal, and what goes through this is written above it
    stream.write(encodable(text, getattr(stream, "encoding", None)) + "\n")
    stream.flush()


def room(console: Console) -> int | None:
    """The columns of a terminal; ``None`` where there is none, and lines may be as long as they like.

    Example:
        >>> import io
        >>> room(Console(file=io.StringIO(), width=40))
        >>> room(Console(file=io.StringIO(), width=40, force_interactive=True))
        40
    """
    return console.width if console.is_interactive else None


def clean(text: str, console: Console) -> str:
    """Text on one line that the console can show: without control characters, and escaped where its encoding has no letter.

    Example:
        >>> import io
        >>> clean("größe", Console(file=io.TextIOWrapper(io.BytesIO(), "ascii")))
        'gr\\\\xf6\\\\xdfe'
    """
    return encodable(printable(text), console.encoding)


def shorten(text: str, width: int, console: Console) -> str:
    """Text cut to a number of columns, with an ellipsis where something is missing; wide letters count twice.

    Example:
        >>> import io
        >>> console = Console(file=io.TextIOWrapper(io.BytesIO(), "utf-8"))
        >>> shorten("a long name", 6, console), shorten("日本語", 4, console)
        ('a lon…', '日…')
    """
    if cell_len(text) <= width:
        return text
    dots = "…" if unicode_fits(console) else "~"
    return set_cell_size(text, width - 1).rstrip() + dots if width > 0 else ""


def share_bars(rows: Sequence[tuple[str, float]], console: Console | None = None) -> str:
    """Labels with their shares, between 0 and 1, as bars and in percent.

    Example:
        >>> import io
        >>> print(share_bars([("cat", 0.875), ("dog", 0.13)], Console(file=io.TextIOWrapper(io.BytesIO(), "utf-8"))))
        cat  █████████████████████      87.5 %
        dog  ███▏                       13.0 %
    """
    console = console or open_console()
    names = [clean(name, console) for name, _ in rows]
    figures = [f"{100 * share:5.1f} %" for _, share in rows]
    natural = longest = max(map(cell_len, names), default=0)
    width, bar = room(console), _BAR[1]
    if width is not None:
        rest = width - max(map(len, figures), default=0) - 2 * len(GAP)
        bar = min(bar, max(_BAR[0], rest - natural))
        longest = min(natural, rest - bar)
        if longest < min(natural, _NAME):  # no bar: the name matters more
            bar, longest = 0, max(1, min(natural, rest + len(GAP)))
    lines = []
    for name, (_, share), figure in zip(names, rows, figures, strict=True):
        line = Text(set_cell_size(shorten(name, longest, console), longest) + GAP)
        if bar:
            line.append(_blocks(share, bar, unicode_fits(console)), "cyan").append(GAP)
        lines.append(line.append(figure))
    return rendered(lines, console)


def table(header: Sequence[str], rows: Sequence[Sequence[Any]], console: Console | None = None) -> str:
    """Aligned columns: numbers to the right, words to the left and shortened where the terminal is too narrow.

    Args:
        header: the columns' names.
        rows: one cell a column; numbers are written in four digits, ``None`` and NaN as a dash.
        console: where it will be shown.

    Example:
        >>> import io
        >>> print(table(["data set", "images"], [("mnist5k", 5000), ("cifar10", 60000)], Console(file=io.StringIO())))
        data set  images
        mnist5k    5,000
        cifar10   60,000
    """
    console = console or open_console()
    right = [bool(rows) and all(_is_number(row[place], place > 0) for row in rows) for place in range(len(header))]
    texts = [[_cell(value, console) for value in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*[list(header), *texts], strict=True)]
    width = room(console)
    if width is not None:
        _narrow(widths, [place for place, one in enumerate(right) if not one], width - len(GAP) * (len(widths) - 1))
    lines = []
    for number, row in enumerate([list(header), *texts]):
        fitted = [shorten(text, size, console) for text, size in zip(row, widths, strict=True)]
        padded = [
            " " * (size - cell_len(text)) + text if to_the_right else set_cell_size(text, size)
            for text, size, to_the_right in zip(fitted, widths, right, strict=True)
        ]
        lines.append(Text(GAP.join(padded).rstrip(), "" if number else "bold"))
    return rendered(lines, console)


def class_table(rows: Sequence[tuple[str, int, float, float, float]], console: Console | None = None) -> str:
    """What a classifier does class by class, the weakest first; a narrow terminal has fewer columns.

    Args:
        rows: class, images, precision, recall and F1; NaN where there is nothing to divide by.
        console: where it will be shown.

    Example:
        >>> import io
        >>> print(class_table([("cat", 50, 0.9, 0.8, 0.847), ("dog", 50, 0.5, 1.0, 0.667)], Console(file=io.StringIO())))
        class  images  precision   recall      F1
        dog        50     50.0 %  100.0 %  66.7 %
        cat        50     90.0 %   80.0 %  84.7 %
    """
    console = console or open_console()
    ordered = sorted(rows, key=lambda row: (row[4] if math.isfinite(row[4]) else -1.0, row[0]))
    width = room(console)
    columns = [0, 1, 2, 3, 4] if width is None or width >= 52 else [0, 1, 4] if width >= 30 else [0, 4]
    header = ["class", "images", "precision", "recall", "F1"]
    cells = [(name, images, *map(Percent, shares)) for name, images, *shares in ordered]
    return table([header[one] for one in columns], [[row[one] for one in columns] for row in cells], console)


class Percent(float):
    """A share between 0 and 1 that a table writes in percent.

    Example:
        >>> str(Percent(0.125))
        '12.5 %'
    """

    def __str__(self) -> str:
        return f"{100 * self:.1f} %"


def facts(values: Mapping[str, Any], console: Console | None = None) -> str:
    """Names and values in two columns; a long value goes on below itself.

    Example:
        >>> import io
        >>> print(facts({"classes": 10, "image size": "28x28"}, Console(file=io.StringIO())))
        classes     10
        image size  28x28
    """
    console = console or open_console()
    names = [clean(name, console) for name in values]
    longest = max(map(cell_len, names), default=0)
    width, indent = room(console), longest + len(GAP)
    if width is not None and width < indent + 16:  # values below their names
        longest, indent = 0, 2
    lines = []
    for name, value in zip(names, values.values(), strict=True):
        text = wrap(_cell(value, console), None if width is None else max(1, width - indent))
        head = set_cell_size(name, longest) + GAP if longest else f"{name}\n  "
        lines.append(Text.assemble((head, "dim"), text.replace("\n", "\n" + " " * indent)))
    return rendered(lines, console)


def byte_size(number: int) -> str:
    """A number of bytes in the unit that suits it.

    Example:
        >>> [byte_size(number) for number in (512, 1_106_785, 163_000_000_000)]
        ['512 bytes', '1.1 MB', '163.0 GB']
    """
    for power, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if number >= power:
            return f"{number / power:.1f} {unit}"
    return f"{number} bytes"


def message(kind: str, text: str, console: Console | None = None) -> str:
    """``error: ...``, ``warning: ...`` or ``note: ...``, the word in colour; for standard error, if no console is given.

    Example:
        >>> import io
        >>> message("error", "no such file", Console(file=io.StringIO()))
        'error: no such file'
    """
    console = console or open_console(stderr=True)
    lines = [clean(line, console) for line in text.split("\n")]
    wrapped = wrap(f"{kind}: " + "\n".join(lines), room(console), indent=2)
    return rendered([Text.assemble((wrapped[: len(kind) + 1], KINDS[kind]), wrapped[len(kind) + 1 :])], console)


def rendered(lines: Sequence[Text], console: Console) -> str:
    """Text with the codes of its colours, where the console has any."""
    with console.capture() as captured:
        console.print(Text("\n").join(lines), end="", soft_wrap=True)
    return captured.get()


def _blocks(share: float, width: int, fine: bool) -> str:
    share = min(1.0, max(0.0, share)) if math.isfinite(share) else 0.0
    if not fine:
        return ("#" * round(share * width)).ljust(width)
    whole, eighths = divmod(round(share * width * 8), 8)
    return ("█" * whole + _BLOCKS[eighths])[:width].ljust(width)


def _is_number(value: Any, or_text: bool) -> bool:
    """Whether a cell is a number, or the text of one."""
    if isinstance(value, str):
        return or_text and re.fullmatch(r"[-+]?[\d,.]+(e[-+]\d+)?( ?%)?|nan|[–-]", value) is not None
    return value is None or (isinstance(value, numbers.Real) and not isinstance(value, bool))


def _cell(value: Any, console: Console) -> str:
    if value is None or (isinstance(value, numbers.Real) and value != value):
        return "–" if unicode_fits(console) else "-"
    return clean(str(value) if isinstance(value, Percent) else short_number(value), console)


def _narrow(widths: list[int], places: Sequence[int], width: int) -> None:
    """Take columns from the widest of the places until all fit, but leave each a few."""
    while sum(widths) > width:
        widest = max(places, key=lambda place: widths[place], default=None)
        if widest is None or widths[widest] <= _NAME:
            return
        widths[widest] -= 1
