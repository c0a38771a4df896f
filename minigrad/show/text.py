"""Text for a terminal, a pipe or a file: which it is, what its encoding has, and numbers and sentences in few columns."""

from __future__ import annotations

import math
import numbers
import os
import sys
import unicodedata
from typing import Any

from rich.cells import cell_len
from rich.console import Console


def open_console(*, stderr: bool = False) -> Console:
    """A rich console on standard output or standard error, interactive only on a real terminal.

    ``FORCE_COLOR`` gives colours to a pipe, never a live bar; ``CI``, ``TERM=dumb`` and a pipe have no bar; ``NO_COLOR`` has no
    colours.

    Example:
        >>> open_console(stderr=True).stderr
        True
    """
    stream = sys.stderr if stderr else sys.stdout
    automatic = os.environ.get("CI", "").lower() not in ("", "0", "false")
    interactive = is_terminal(stream) and not automatic and os.environ.get("TERM", "") not in ("dumb", "unknown")
    return Console(stderr=stderr, force_interactive=interactive, highlight=False, markup=False, emoji=False)


def write_line(stream: Any, text: str) -> None:
    """Write a line at once, in whatever encoding the stream has; a stream that is closed or gone is left alone."""
    if stream is None:
        return
    try:
        stream.write(encodable(text, getattr(stream, "encoding", None)) + "\n")
        stream.flush()
    except (OSError, ValueError):  # ValueError: it was closed
        return


def encodable(text: str, encoding: str | None) -> str:
    """The text with escapes in place of what an encoding does not have.

    Example:
        >>> encodable("größe", "ascii")
        'gr\\\\xf6\\\\xdfe'
    """
    encoding = encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def unicode_fits(console: Console) -> bool:
    """Whether the console's encoding has blocks, lines and arrows.

    Example:
        >>> import io
        >>> unicode_fits(Console(file=io.TextIOWrapper(io.BytesIO(), "ascii")))
        False
    """
    return console.encoding.lower().startswith("utf")


def printable(text: str, keep: str = "") -> str:
    """Text that a terminal shows as it stands: what could move its cursor or turn its text around becomes U+FFFD.

    Args:
        text: the text, a file's name for instance.
        keep: control characters to leave as they are, beside the joiners that some scripts are spelled with.

    Example:
        >>> printable("a" + chr(27) + "[2Jb")
        'a�[2Jb'
    """
    if text.isprintable():
        return text
    keep += "\u200c\u200d"
    return "".join(
        "�" if (unicodedata.category(letter)[0] == "C" and letter not in keep) or letter in "\u2028\u2029" else letter
        for letter in text
    )


def short_number(value: Any) -> str:
    """A number in four significant digits, or fewer; whole numbers whole.

    Example:
        >>> [short_number(value) for value in (0.5, 12345.6, 1e-5, 7, float("nan"))]
        ['0.5000', '12,346', '1.000e-05', '7', 'nan']
    """
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        return str(value)
    if isinstance(value, numbers.Integral):
        return f"{int(value):,}"
    number = float(value)
    if not math.isfinite(number) or number == 0:
        return f"{number:g}"
    if abs(number) >= 1e9 or abs(number) < 1e-3:
        return f"{number:.3e}"
    if abs(number) >= 999.95:
        return f"{number:,.0f}"
    return f"{number:#.4g}".rstrip(".")


def duration(seconds: float) -> str:
    """Seconds as minutes and seconds, with hours and days in front where there are any.

    Example:
        >>> [duration(seconds) for seconds in (5, 3725, 200_000)]
        ['0:05', '1:02:05', '2 d 7 h']
    """
    if not math.isfinite(seconds):
        return "-:--"
    whole = max(0, round(seconds))
    if whole >= 86400:
        return f"{whole // 86400} d {whole % 86400 // 3600} h"
    minutes, rest = divmod(whole, 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes}:{rest:02}"


def wrap(text: str, width: int | None, indent: int = 0) -> str:
    """Text broken at blanks so that its lines fit a width; a word that is longer, such as a path, stays whole.

    Args:
        text: the text; its own line ends stay.
        width: columns, or ``None`` for no breaks but the text's own.
        indent: blanks before each line but the first.

    Blanks at the beginning of a line stay.

    Example:
        >>> print(wrap("one two three", 9, indent=2))
        one two
          three
    """
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = begun = paragraph[: len(paragraph) - len(paragraph.lstrip(" "))]
        for word in paragraph[len(begun) :].split(" ") if width is not None else [paragraph[len(begun) :]]:
            wider = f"{line} {word}" if line != begun else line + word
            if width is not None and line != begun and cell_len(wider) + (indent if lines else 0) > width:
                lines.append(line)
                line = word
            else:
                line = wider
        lines.append(line)
    return ("\n" + " " * indent).join(lines)


def is_terminal(stream: Any) -> bool:
    """Whether a stream is open and writes to a terminal.

    Example:
        >>> import io
        >>> is_terminal(io.StringIO()), is_terminal(None)
        (False, False)
    """
    try:
        return stream is not None and stream.isatty()
    except (AttributeError, ValueError):  # no stream, or a closed one
        return False
