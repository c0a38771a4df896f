"""What a report page shows of a translator, and the samples that are shown while it learns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from minigrad.data.pair import Pair
from minigrad.models.translator import Look, Translator
from minigrad.show.attention import attention_svg

if TYPE_CHECKING:
    from minigrad.models.translate import Translate
    from minigrad.show.page import Page

SHOWN = 12  # translations on the page
LOOKED = 4  # of which so many with what was looked at
END = "(end)"  # what pictures show for the end of the source


def side_by_side(translator: Translator, pairs: Sequence[Pair]) -> str:
    """Sentences, what people made of them, and what a network makes of them, one below the other."""
    made = translator.greedy([pair.source for pair in pairs])
    return "\n\n".join(
        f"source   {pair.source}\nperson   {pair.target}\nnetwork  {one.text}" for pair, one in zip(pairs, made, strict=True)
    )


def looked_at(look: Look, draw: Any = attention_svg) -> Any:
    """The picture of where a network looked, the end of the source with it, as ``attention_svg`` or ``attention_png`` draws it.

    Raises:
        ShapeError: no words.
    """
    return draw(look.weights, (*look.source, END), look.words)


def add_translator(page: Page, task: Translate) -> None:
    """Add the sections that tell how well a translator does, what it writes, and where it looks.

    Args:
        page: the page.
        task: with the best weights loaded.
    """
    data = task.data
    pairs, part = (data.validation, "held-out") if data.test is None else (data.test, "test")
    found = task.judge(pairs, len(pairs))
    page.headline(
        {
            f"{part} BLEU": f"{found.scores.bleu:.2f}",
            "chrF": f"{found.scores.chrf:.2f}",
            "perplexity of a token": f"{found.figures.perplexity:.2f}",
        }
    )
    page.text(f"Of {len(pairs):,} sentences, translated greedily; {found.scores.words}.")
    if part == "held-out":
        page.text("These were not learned from, but the best state was chosen by them, which flatters it a little.")
    page.section("What it writes", "Sentences that it never saw, from short to long.")
    shown = task.held_out(SHOWN)
    made = task.translator.greedy([pair.source for pair in shown])
    rows = [(pair.source, pair.target, one.text) for pair, one in zip(shown, made, strict=True)]
    page.table(("source", "person", "network"), rows)
    page.section("By length", "BLEU of sources of so many words.")
    page.table(("words", "sentences", "BLEU"), [(words, count, round(bleu, 2)) for words, count, bleu in found.by_length()])
    looks = [(look, one.text) for one in made if one.text and (look := task.translator.look(one)) is not None][-LOOKED:]
    if looks:
        page.section("Where it looks", "How much of each word of the source goes into each word that is written.")
        for look, text in looks:
            page.picture(looked_at(look), caption=text)
    page.section("Data")
    for line in data.policy:
        page.text(line)
