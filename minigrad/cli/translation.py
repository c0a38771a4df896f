"""What ``minigrad eval`` does with a translator."""

from __future__ import annotations

from collections.abc import Sequence

from minigrad.cli.output import say, say_json
from minigrad.cli.reading import reading


def evaluate(model: str, data: Sequence[str] | None, json: bool) -> None:
    """Tell how well a translator does with pairs: BLEU and chrF of its greedy translations, and nats of the right tokens."""
    from minigrad.cli.terminal import show, table
    from minigrad.models.translation import judge, to_measure
    from minigrad.models.translator import Translator
    from minigrad.show.progress import track
    from minigrad.train.trained import Trained

    config = Trained.open(model).config("translate")
    translator = Translator.load(model)
    with reading("bytes") as report:
        pairs, what, lines = to_measure(config, data, report)
    found = judge(translator, pairs, track=lambda batches: track(batches, describe="translating", unit="batches"))
    if json:
        lengths = [{"words": words, "sentences": count, "bleu": bleu} for words, count, bleu in found.by_length()]
        told = {"data": what, "sentences": len(pairs), "bleu": found.scores.bleu, "chrf": found.scores.chrf}
        say_json({**told, "signatures": list(found.scores.signature), **found.figures.plain, "by_length": lengths})
        return
    for line in lines:
        say(line)
    say(f"{what}: {len(pairs):,} sentences, translated greedily")
    say(found.scores.words)
    say(found.figures.words)
    show(table(["words", "sentences", "BLEU"], [(words, count, round(bleu, 2)) for words, count, bleu in found.by_length()]))
