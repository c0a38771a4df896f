"""What ``minigrad eval`` does with a model of a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minigrad.cli.output import say, say_json
from minigrad.cli.reading import reading
from minigrad.errors import ArgumentError

COSTLIEST = 10  # characters in the table; --json has all


def evaluate(
    model: str, data: Sequence[str] | None, json: bool, unseen: str = "refuse", *, glob: str | None = None, bytes: bool = False
) -> None:
    """Tell how well a model foretells a text, and which characters cost it the most.

    Raises:
        ArgumentError: bytes are asked for, and the model is one of characters.
    """
    from minigrad.cli.terminal import show, table
    from minigrad.models.char_lstm import Card
    from minigrad.models.text import to_measure
    from minigrad.models.text_loss import measure
    from minigrad.models.text_report import costliest
    from minigrad.show.progress import track
    from minigrad.train.trained import Trained

    trained = Trained.open(model)
    config = trained.config("text")
    card = Card.of(config.get("model"), model)
    if bytes and card.vocabulary.kind != "bytes":
        remedy = "Leave it out, or train a model of bytes: minigrad train text --bytes"
        raise ArgumentError("eval", "--bytes", "a model of bytes", f"one of {len(card.vocabulary):,} characters", remedy)
    network: Any = trained.network(card.build, lambda: card.parameters)
    with reading("bytes") as report:
        ids, what, lines = to_measure(config, data, unseen, report, glob=glob)
    measured = measure(network, ids, card.steps, lambda pieces: track(pieces, describe="evaluating", unit="pieces"))
    unit = card.vocabulary.unit
    if json:
        keys = ("character", "count", "nats", "share")
        found = [
            dict(zip(keys, (card.vocabulary.symbols[number], *row), strict=True))
            for number, *row in measured.costliest(len(card.vocabulary))
        ]
        say_json(
            {
                "data": what,
                "unit": unit,
                "characters": measured.characters,
                **measured.figures(unit).plain,
                "costliest": found,
            }
        )
        return
    for line in lines:
        say(line)
    say(f"{what}: {measured.characters + 1:,} {unit}s")
    say(measured.figures(unit).words)
    header = [unit, "how often", "nats each time", "share of all nats"]
    show(table(header, costliest(measured, card.vocabulary, COSTLIEST)))
