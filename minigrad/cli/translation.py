"""What ``minigrad eval`` does with a translator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minigrad.cli.output import say, say_json
from minigrad.cli.reading import reading
from minigrad.errors import ArgumentError


def evaluate(model: str, data: Sequence[str] | None, json: bool, *, beam: int | None = None, lowercase: bool = False) -> None:
    """Tell how well a translator does with pairs: BLEU and chrF of what it makes of them, and nats of the right tokens.

    Args:
        model, data, json: as for all tasks.
        beam: the width of a search; ``None``: the likeliest word each time.
        lowercase: do not look at capital letters.

    Raises:
        ArgumentError: a width below 1.
    """
    from minigrad.cli.terminal import show, table
    from minigrad.data.words import counted
    from minigrad.models.translation import greedily, judge, searching, to_measure
    from minigrad.models.translator import Translator
    from minigrad.show.progress import track
    from minigrad.train.trained import Trained

    if beam is not None and beam < 1:
        raise ArgumentError("eval", "--beam", "a whole number, at least 1", str(beam))
    translate = greedily if beam in (None, 1) else searching(beam)
    config = Trained.open(model).config("translate")
    translator = Translator.load(model)
    with reading("bytes") as report:
        pairs, what, lines = to_measure(config, data, report)

    def shown(batches: Any) -> Any:
        return track(batches, describe="translating", unit="batches")

    found = judge(translator, pairs, translate=translate, track=shown, lowercase=lowercase)
    if json:
        lengths = [{"words": words, "sentences": count, "bleu": bleu} for words, count, bleu in found.by_length()]
        told = {"data": what, "sentences": len(pairs), "beam": beam or 1, "lowercase": lowercase}
        made = {"bleu": found.scores.bleu, "chrf": found.scores.chrf, "signatures": list(found.scores.signature)}
        say_json({**told, **made, **found.figures.plain, "by_length": lengths})
        return
    for line in lines:
        say(line)
    how = "greedily" if translate is greedily else f"by a beam of {beam}"
    say(f"{what}: {counted(len(pairs), 'sentence')}, translated {how}")
    say(found.scores.words)
    say(f"{found.figures.words}, of the right translations")
    show(table(["words", "sentences", "BLEU"], [(words, count, round(bleu, 2)) for words, count, bleu in found.by_length()]))
