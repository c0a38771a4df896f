"""``minigrad handwrite``: a trained hand writes a text, as a picture."""

from __future__ import annotations

import os
import secrets
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from minigrad.cli.kernels import Kernels
from minigrad.cli.output import complain, say, say_json
from minigrad.cli.reading import reading
from minigrad.cli.train import Json, Model, short_name
from minigrad.cli.write import text_of
from minigrad.errors import ArgumentError, DataError, MissingFileError

WHERE = "handwrite"
MOST = 200  # items of a file or folder among which a style is looked for
SIZE = 48.0  # pixels that the writing is high, where nothing is said
PEN = 0.055  # thickness of the pen, as a share of that
PACE = 0.22  # seconds for a letter of a picture that writes itself
HELP = """\
Write a text by hand, and draw it: on several lines where it is long, and before your eyes with --animate.

The style is the model's own, another one for each seed; or that of a stroke file which you wrote on the page of \
`minigrad data record`; or that of an item of the model's own data, by its number.

Example: minigrad handwrite runs/handwriting-hershey-1 "Hello world" --style my.json --out hello.svg
"""


def handwrite(
    model: Model,
    text: Annotated[
        str,
        typer.Argument(
            metavar="TEXT|@FILE|-", help="The text, a file of it, or standard input; line ends stay.", show_default=False
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="The picture, .svg or .png.", show_default="an .svg named after the text"),
    ] = None,
    bias: Annotated[float, typer.Option(metavar="NUMBER", help="0 as wild as the data, 1 neat, beyond ever neater.")] = 1.0,
    style: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|N", help="Write like a stroke file, or like item N of the model's data.", show_default=False
        ),
    ] = None,
    lines: Annotated[
        int | None, typer.Option(metavar="N", help="On how many lines.", show_default="as long as they should be")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="NUMBER", min=0, help="The same one gives the same picture.", show_default="another")
    ] = None,
    size: Annotated[float, typer.Option(metavar="PIXELS", help="How high the writing is.")] = SIZE,
    animate: Annotated[bool, typer.Option("--animate", metavar="", help="An .svg that writes itself.")] = False,
    window: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw too which letter the model looked at when, .svg or .png.", show_default=False),
    ] = None,
    json: Json = False,
    kernels: Kernels = None,
) -> None:
    """The command of that name; ``HELP`` is what it says of itself."""
    _check_kinds(out, window, animate, size)
    from minigrad.interop.atomic import check_place, write_atomically

    for place in filter(None, (out, window)):
        check_place(WHERE, place)
    from minigrad.models.manuscript import check_known, plain, write_manuscript
    from minigrad.models.scribe import Scribe
    from minigrad.show.ink import ink_png, ink_svg
    from minigrad.show.window import window_png, window_svg
    from minigrad.train.trained import Trained

    folder = Trained.open(model).folder
    scribe = Scribe.load(model)
    words = _text(text)
    simpler = plain(words, scribe.card)
    if simpler != words:
        complain("quotation marks and the like are written as the model knows them", "note")
    check_known(scribe.card, simpler)
    seed = secrets.randbelow(2**31) if seed is None else seed
    with reading("pieces") as report:
        chosen = None if style is None else _style(model, scribe.card, style, report)
        written = write_manuscript(scribe, simpler, lines=lines, bias=bias, seed=seed, style=chosen, progress=report)
    out = folder / f"handwriting-{short_name(simpler[:40])}.svg" if out is None else out
    drawn, scale, pen = written.lines(), size / written.height, max(1.0, PEN * size)
    if out.suffix.lower() == ".png":
        picture = ink_png(drawn, scale=scale, thickness=pen)
    else:
        seconds = PACE * len(simpler) if animate else None
        picture = ink_svg(drawn, scale=scale, thickness=pen, label=" ".join(written.texts), seconds=seconds).encode()
    write_atomically(WHERE, out, picture)
    if window is not None:
        draw: Any = window_png if window.suffix.lower() == ".png" else window_svg
        seen = draw(*written.window())
        write_atomically(WHERE, window, seen if isinstance(seen, bytes) else seen.encode())
    if json:
        told = {"picture": str(out), "window": None if window is None else str(window), "lines": written.texts}
        say_json({**told, "points": written.points, "bias": bias, "seed": seed})
        return
    say(f"{out}: {len(written.rows)} {'line' if len(written.rows) == 1 else 'lines'}, bias {bias:g}, seed {seed}")
    if window is not None:
        say(f"{window}: the window")


def _check_kinds(out: Path | None, window: Path | None, animate: bool, size: float) -> None:
    """See that the files are of kinds that can be drawn.

    Raises:
        ArgumentError: one is not.
    """
    for option, path in (("--out", out), ("--window", window)):
        if path is not None and path.suffix.lower() not in (".svg", ".png"):
            raise ArgumentError(WHERE, option, "a file that ends in .svg or .png", str(path))
    if animate and out is not None and out.suffix.lower() != ".svg":
        raise ArgumentError(WHERE, "--animate", "an .svg, as no .png moves", f"--out {out}", "Name another file")
    if not 4 <= size <= 2000:
        raise ArgumentError(WHERE, "--size", "4 to 2000 pixels", f"{size:g}")


def _text(given: str) -> str:
    """The text, from wherever it comes.

    Raises:
        MissingFileError, DataError: there is no such file, it cannot be read, or is no UTF-8.
    """
    content = text_of(given, "TEXT", where=WHERE)
    if isinstance(content, str):
        return content
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        got = f"byte {error.object[error.start]:#04x} at {error.start}"
        raise DataError(WHERE, f"TEXT {given}", "text in UTF-8", got, "Save it as UTF-8") from error


def _style(model: str, card: Any, style: str, report: Any) -> Any:
    """The strokes that a style is: of a file, or of an item of the model's data.

    Raises:
        MissingFileError, DataError, FileFormatError: they cannot be had.
        ArgumentError: the data have no item of that number.
    """
    from minigrad.data.pen_files import read_entries
    from minigrad.errors import MinigradError
    from minigrad.models.handwriting_data import to_measure
    from minigrad.models.manuscript import style_of
    from minigrad.train.trained import Trained

    if not (style.isascii() and style.isdecimal()) or os.path.exists(style):
        if not os.path.exists(style):
            raise MissingFileError(WHERE, f"--style {style}", "a stroke file, or the number of an item", "no such file")
        found = [one.found for one in islice(read_entries(style, report), MOST)]
        for one in found:
            if isinstance(one, MinigradError):
                raise one
        return style_of([one for one in found if not isinstance(one, MinigradError)], card)
    [part, *_], what = to_measure(Trained.open(model).config(), None, report)
    number = int(style)
    if not number < len(part):
        raise ArgumentError(WHERE, "--style", f"0 to {len(part) - 1:,}, as the {what} has items", style)
    return part[number].scaled(card.scale / part.scale)
