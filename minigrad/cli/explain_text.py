"""What ``minigrad explain`` does with a model of text: a text as it sees it, on a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from minigrad.cli.output import say, say_json
from minigrad.cli.reading import reading
from minigrad.cli.write import POLICIES, tell_unseen, text_of
from minigrad.errors import ArgumentError


def explain_text(model: str, text: str, unseen: str, page_file: Path | None, default: str, json: bool) -> None:
    """Make the page of a text.

    Args:
        model: a run folder, or a shipped name.
        text: a text, ``@FILE`` or ``-``.
        unseen: what becomes of characters that the model does not know.
        page_file: the page to make; default: one of the name ``default`` in the run folder.
        default: that name.
        json: tell it to a program.
    """
    if unseen not in POLICIES:
        raise ArgumentError("explain", "--unseen", f"one of {', '.join(POLICIES)}", repr(unseen))
    from minigrad.interop.atomic import check_place

    if page_file is not None:
        check_place("explain", page_file)
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
    target = trained.folder / default if page_file is None else page_file
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
