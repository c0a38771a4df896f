"""``minigrad data record``: a page on which a person writes words, for a model to learn from or to write like."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from minigrad.cli.output import say, say_command
from minigrad.errors import ArgumentError, DataError, FileFormatError, MissingFileError

LONGEST, MOST = 40, 2000  # letters of a line, which a screen has room for; lines
WIDEST = 100  # letters of the title
WHERE = "data record"
READ_FROM_PAGE = 4096  # bytes, in which a page says who made it

HELP = """\
Make a page on which you write given words with mouse, finger or pen, and save them as a stroke file.

The page is one file, which works without network or server, on a phone too; what is written stays in the browser until it is \
saved. The file that it saves is data for `minigrad train handwriting`, and a style for `minigrad handwrite --style`.

Example: minigrad data record --words mine.txt
"""


def record(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The page to make.")] = Path("recorder.html"),
    words: Annotated[
        Path | None,
        typer.Option("--words", metavar="FILE", help="What to write, a line for each.", show_default="80 words"),
    ] = None,
    title: Annotated[str, typer.Option("--title", help="The heading of the page.")] = "In your own hand",
) -> None:
    """The command of that name; ``HELP`` is what it says of itself."""
    from minigrad.interop.atomic import write_atomically
    from minigrad.show.recorder import SAVED_AS, WORDS, recorder_page

    if not title.strip() or not title.isprintable() or len(title) > WIDEST:
        raise ArgumentError(WHERE, "--title", f"1 to {WIDEST} letters and signs", ascii(title[: 2 * WIDEST]))
    asked = WORDS if words is None else read_words(words)
    _check_ours(out)
    write_atomically(WHERE, out, recorder_page(asked, title).encode("utf-8"))
    say(f"{out}: a page with {len(asked):,} {'word' if len(asked) == 1 else 'words'} to write. Open it in a browser:")
    say_command(out.resolve().as_uri())
    say("On a phone or tablet: send the file there and open it; or, in the same network, serve its folder by")
    say_command(f"python -m http.server --directory {shlex.quote(str(out.resolve().parent))}")
    say(f"and open http://NAME-OF-THIS-MACHINE:8000/{quote(out.name)} there. What the page saves as {SAVED_AS} is used by:")
    say_command(f"minigrad data check handwriting {SAVED_AS}")
    say_command(f"minigrad train handwriting --data {SAVED_AS} --init-from MODEL")
    say_command(f'minigrad handwrite MODEL "Hello world" --style {SAVED_AS}')


def read_words(path: Path) -> list[str]:
    """The lines of a file that are not blank, without the blanks around them.

    Raises:
        MissingFileError: it is not there.
        FileFormatError: it cannot be read, or is not text in UTF-8.
        DataError: it has no lines, too many, or one that no screen has room for or that has control characters.
    """
    expected = "a file of words in UTF-8, a line for each"
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise MissingFileError(WHERE, f"--words {path}", expected, "no such file") from None
    except OSError as error:
        raise FileFormatError(WHERE, f"--words {path}", expected, error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        got = f"byte {error.object[error.start]:#04x} at {error.start}"
        raise FileFormatError(WHERE, f"--words {path}", expected, got, "Save it as UTF-8") from error
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not 1 <= len(lines) <= MOST:
        raise DataError(WHERE, f"--words {path}", f"1 to {MOST:,} lines that are not blank", f"{len(lines):,}")
    for number, line in lines:
        where = f"--words {path}, line {number}"
        if not line.isprintable():
            raise DataError(WHERE, where, "letters and signs", f"control characters in {line[:LONGEST]!r}", "Is it text?")
        if len(line) > LONGEST:
            expected = f"at most {LONGEST} letters, as more have no room on a screen"
            raise DataError(WHERE, where, expected, f"{len(line):,}", "Break it into lines")
    return [line for _, line in lines]


def _check_ours(out: Path) -> None:
    """See that no file but a page of ours is written over.

    Raises:
        FileFormatError: there is another one.
    """
    from minigrad.show.recorder import GENERATOR

    if not out.is_file():
        return
    try:
        with open(out, "rb") as file:
            ours = f'content="{GENERATOR}"'.encode() in file.read(READ_FROM_PAGE)
    except OSError:
        ours = False
    if not ours:
        expected, got = "a new file, or a page of this command to write over", "a file that is neither"
        raise FileFormatError(WHERE, f"--out {out}", expected, got, "Name another file with --out")
