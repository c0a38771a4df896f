"""``minigrad translate``: a trained translator puts sentences into the other language."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Annotated, Any

import typer

from minigrad.cli.kernels import Kernels
from minigrad.cli.output import complain, say, say_json
from minigrad.cli.reading import reading
from minigrad.cli.train import Json, Model
from minigrad.cli.write import text_of
from minigrad.errors import ArgumentError, DataError

WHERE = "translate"
PIECES = 500  # sentences that are translated before the first of them is shown
HELP = """\
Translate sentences: each argument is one, or the name of a file with one in each line after @, or - for standard input.

With --beam so many beginnings are followed, which finds likelier translations than the likeliest word each time does; with \
--n-best the best of them are shown with their scores. --alignment tells for each word which one was looked at most, and \
--picture draws it.

Example: minigrad translate en-es "Turn on the light in the kitchen" --beam 5
"""


def translate(
    model: Model,
    sentences: Annotated[
        list[str],
        typer.Argument(metavar="SENTENCE|@FILE|-...", help="What is translated, a line at a time.", show_default=False),
    ],
    beam: Annotated[
        int | None, typer.Option(metavar="WIDTH", help="Follow so many beginnings.", show_default="1, or as --n-best")
    ] = None,
    n_best: Annotated[int, typer.Option("--n-best", metavar="N", help="Show so many of each, with scores.")] = 1,
    length: Annotated[
        float | None, typer.Option("--length", metavar="ALPHA", help="Of a beam: prefer longer ones.", show_default="1")
    ] = None,
    coverage: Annotated[
        float | None,
        typer.Option(metavar="BETA", help="Of a beam: prefer those that left nothing of the source out.", show_default="0"),
    ] = None,
    sample: Annotated[
        float | None,
        typer.Option(metavar="TEMPERATURE", help="Draw the words, in place of the likeliest.", show_default=False),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="NUMBER", min=0, help="Of --sample: the same gives the same.", show_default="another")
    ] = None,
    copy: Annotated[
        bool, typer.Option("--copy/--no-copy", help="Put the source's word in the place of one that is unknown.")
    ] = True,
    alignment: Annotated[bool, typer.Option("--alignment", metavar="", help="Show which word was looked at for each.")] = False,
    picture: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw what was looked at, .svg or .png; of one sentence.", show_default=False),
    ] = None,
    json: Json = False,
    kernels: Kernels = None,
) -> None:
    """The command of that name; ``HELP`` is what it says of itself."""
    beam = _checked(beam, n_best, length, coverage, sample, seed, picture)
    lines = [line for given in sentences for line in _lines(given)]
    if picture is not None and len(lines) != 1:
        raise ArgumentError(WHERE, "--picture", "one sentence", f"{len(lines):,}", "Give one, or leave it out")
    from minigrad.data.pair import LONGEST, is_long
    from minigrad.models.beam import Penalty
    from minigrad.models.translation import LENGTH, batched
    from minigrad.models.translator import Translator

    translator = Translator.load(model)
    if (alignment or picture is not None) and translator.network.attention is None:
        option = "--picture" if picture is not None else "--alignment"
        raise ArgumentError(WHERE, option, "a model with attention", "one without", "Leave it out")
    penalty = Penalty(length=LENGTH if length is None else length, coverage=coverage or 0.0)
    words: dict[str, Any] = {"copy": copy, "alignment": alignment or json or picture is not None}
    seed = secrets.randbelow(2**31) if seed is None else seed
    told: list[dict[str, Any]] = []
    found: list[Any] = []
    unfinished = 0
    with reading("sentences") as report:
        done = 0
        for some in batched(lines, PIECES):

            def progress(now: int, _: int, before: int = done) -> None:
                if len(lines) > 1:
                    report("translating", before + now, len(lines))

            words["progress"] = progress
            if sample is not None:
                found = translator.sample(some, results=n_best, temperature=sample, seed=seed, **words)
            elif beam == 1:
                found = [[one] for one in translator.greedy(some, **words)]
            else:
                found = translator.search(some, width=beam, results=n_best, penalty=penalty, **words)
            done += len(some)
            for line, best in zip(some, found, strict=True):
                unfinished += not best[0].finished
                if json:
                    told.append(_plain(line, best))
                else:
                    looks = [translator.look(one) for one in best] if alignment else []
                    _show(best, n_best, looks, line if len(lines) > 1 else "")
    if picture is not None:
        _draw(picture, translator.look(found[0][0]))
    if json:
        drawn = {} if sample is None else {"seed": seed}
        say_json({"translations": told, "picture": None if picture is None else str(picture), **drawn})
    elif picture is not None:
        say(f"{picture}: what was looked at")
    if not lines:
        complain("there is no line to translate", "note")
    if long := sum(is_long(line, LONGEST) for line in lines):
        have = "1 line has" if long == 1 else f"{long:,} lines have"
        complain(f"{have} more than {LONGEST} words, which no translator learns from; give a sentence a line", "note")
    if unfinished:
        came = "translation came to no end and was cut" if unfinished == 1 else "translations came to no end and were cut"
        complain(f"{unfinished:,} {came}", "note")


def _checked(
    beam: int | None, n_best: int, length: float | None, coverage: float | None, sample: float | None, seed: int | None,
    picture: Path | None,
) -> int:  # fmt: skip
    """The width of the beam; refuses options that do not go together.

    Raises:
        ArgumentError: some do not.
    """
    for option, value in (("--beam", 1 if beam is None else beam), ("--n-best", n_best)):
        if value < 1:
            raise ArgumentError(WHERE, option, "a whole number, at least 1", str(value))
    if sample is not None:
        for option, given in (("--beam", beam), ("--length", length), ("--coverage", coverage)):
            if given is not None:
                raise ArgumentError(WHERE, option, "no --sample, which follows nothing", f"{given:g}", "Leave one of them out")
        return 1
    if seed is not None:
        raise ArgumentError(WHERE, "--seed", "a --sample, as nothing else is drawn", str(seed), "Leave it out")
    width = max(1, n_best) if beam is None else beam
    if width < n_best:
        raise ArgumentError(WHERE, "--n-best", f"at most {width}, as --beam follows", str(n_best), "Follow more")
    if width == 1:
        for option, penalty in (("--length", length), ("--coverage", coverage)):
            if penalty is not None:
                raise ArgumentError(WHERE, option, "a --beam of 2 or more", "--beam 1", "Leave it out, or follow more")
    if picture is not None and picture.suffix.lower() not in (".svg", ".png"):
        raise ArgumentError(WHERE, "--picture", "a file that ends in .svg or .png", str(picture))
    return width


def _lines(given: str) -> list[str]:
    """The sentences that an argument stands for.

    Raises:
        MissingFileError, DataError: there is no such file, it cannot be read, or is no UTF-8.
    """
    content = text_of(given, "SENTENCE", where=WHERE)
    if isinstance(content, bytes):
        try:
            content = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            got = f"byte {error.object[error.start]:#04x} at {error.start}"
            raise DataError(WHERE, f"SENTENCE {given}", "text in UTF-8", got, "Save it as UTF-8") from error
    if given == "-" or (given.startswith("@") and not given.startswith("@@")):
        lines = content.replace("\r\n", "\n").split("\n")
        return lines if lines[-1] else lines[:-1]
    return [" ".join(content.split("\n"))]


def _show(best: Any, n_best: int, looks: Any, line: str) -> None:
    """The translations of a sentence, several with their scores; below a line, where each takes more than one."""
    if line and (n_best > 1 or looks):
        say(line)
    for number, one in enumerate(best):
        say(one.text if n_best == 1 else f"{round(one.score, 3) + 0.0:8.3f}  {one.text}")
        if looks and looks[number] is not None:
            for row in _most(looks[number]):
                say(row)


def _most(look: Any) -> list[str]:
    """A line for each word of a translation, with the word of the source that was looked at most; in columns."""
    from rich.cells import cell_len, set_cell_size

    from minigrad.cli.terminal import clean
    from minigrad.show.text import open_console

    console, rows = open_console(), []
    for word, weights in zip(look.words, look.weights, strict=True):
        most = int(weights.argmax())
        origin = "the end" if most == len(look.source) else look.source[most]
        rows.append((clean(word, console), clean(origin, console), f"{weights[most]:.0%}"))
    widths = [max(cell_len(row[column]) for row in rows) for column in (0, 1)] if rows else []
    return [
        f"    {set_cell_size(one, widths[0])}  from  {set_cell_size(two, widths[1])}  {share:>4}" for one, two, share in rows
    ]


def _plain(line: str, best: Any) -> dict[str, Any]:
    """What is known of the translations of a sentence, as plain data."""
    made = [
        {
            "text": one.text,
            "tokens": list(one.tokens),
            "score": one.score,
            "log_probability": one.log_probability,
            "finished": one.finished,
            "copied": [list(pair) for pair in one.copied],
            "alignment": None if one.alignment is None else [[round(float(x), 4) for x in row] for row in one.alignment],
        }
        for one in best
    ]
    return {"sentence": line, "source": list(best[0].source), "translations": made}


def _draw(path: Path, look: Any) -> None:
    """Write the picture of where the network looked."""
    from minigrad.interop.atomic import write_atomically
    from minigrad.models.translate_report import looked_at
    from minigrad.show.attention import attention_png, attention_svg

    if look is None or not look.words:
        raise ArgumentError(WHERE, "--picture", "a translation of at least one word", "none", "Give another sentence")
    made = looked_at(look, attention_png if path.suffix.lower() == ".png" else attention_svg)
    write_atomically(WHERE, os.fspath(path), made if isinstance(made, bytes) else made.encode())
