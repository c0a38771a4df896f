"""``minigrad explain``: a text as a model of text sees it, on a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from minigrad.cli.kernels import Kernels
from minigrad.cli.output import say, say_json
from minigrad.cli.reading import reading
from minigrad.cli.train import Json, Model
from minigrad.cli.write import POLICIES, Unseen, tell_unseen, text_of
from minigrad.errors import ArgumentError

PAGE = "explain.html"
HELP = """\
Look inside a model of text: a page of a text in colours, by how each character surprised the model, and by what any of its \
units did there.

Also found are the units that track quotes, brackets, line ends, capitals and the like: see how far chance would come. A \
longer text tells more.

Example: minigrad explain runs/text-shakespeare-1 --text @hamlet.txt
"""


def explain(
    model: Model,
    text: Annotated[
        str,
        typer.Option(
            "--text", metavar="TEXT|@FILE|-", show_default=False,
            help="What it reads: a text, a file, or standard input. A text that begins with @ is written with two.",
        ),
    ],
    unseen: Unseen = "refuse",
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="The page to make.", show_default=f"{PAGE} in the run folder"),
    ] = None,
    json: Json = False,
    kernels: Kernels = None,
) -> None:  # fmt: skip
    """The command of that name; ``HELP`` is what it says of itself."""
    if unseen not in POLICIES:
        raise ArgumentError("explain", "--unseen", f"one of {', '.join(POLICIES)}", repr(unseen))
    from minigrad.interop.atomic import check_place

    if out is not None:
        check_place("explain", out)
    from minigrad.models.explained import explain as look
    from minigrad.models.inside import SIGNED
    from minigrad.models.writer import Writer
    from minigrad.show.inside import Unit, inside_page
    from minigrad.train.trained import Trained

    writer, trained = Writer.load(model), Trained.open(model)
    given = text_of(text, "--text", writer.vocabulary)
    tell_unseen(writer.vocabulary, given, unseen)
    with reading("characters") as report:
        found = look(writer, given, unknown=unseen, progress=lambda done, all: report("reading", done, all))
    units = [Unit(track.feature, layer, *track[1:]) for layer, track in found.tracks]
    options, unit = writer.card.options, writer.vocabulary.unit
    figures = found.surprise.figures(unit)
    page = inside_page(
        f"{trained.path.resolve().parent.name if trained.card is None else trained.name}: inside",
        f"{options['cell'].upper()}, {options['layers']} layers of {options['hidden']} units",
        figures={**figures.headline(), f"{unit}s": f"{len(found.surprise.ids):,}"},
        nats=found.surprise.nats, labels=found.labels, expected=found.expected, signals=found.signals, signed=SIGNED,
        values=found.values, units=units, unjudged=found.unjudged,
    )  # fmt: skip
    target = trained.folder / PAGE if out is None else out
    page.write(target)
    if json:
        say_json(_told(found, figures, units, target))
        return
    say(f"{len(found.surprise.ids):,} {unit}s: {figures.words}")
    if units:
        from minigrad.cli.terminal import show, table

        rows = [
            (one.feature, f"layer {one.layer}, unit {one.unit}", f"{one.correlation:.3f}", f"{one.chance:.3f}") for one in units
        ]
        show(table(["what", "where", "correlation", "chance"], rows))
    else:
        say("no unit tracks quotes, brackets, line ends or capitals more than chance explains; a longer text may show some")
    if found.unjudged:
        say(f"not judged, as the networks that tell chance met too little of it: {', '.join(found.unjudged)}")
    say(f"The page: {target}")


def _told(found: Any, figures: Any, units: Any, page: Path) -> dict[str, Any]:
    """The findings as plain data; the first character has no surprise."""
    surprise = found.surprise
    return {
        "page": str(page),
        "unit": figures.unit,
        "characters": len(surprise.ids),
        **figures.plain,
        "surprise": [None, *surprise.nats[1:].tolist()],
        "units": [one._asdict() for one in units],
        "unjudged": found.unjudged,
    }
