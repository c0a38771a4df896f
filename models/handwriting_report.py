"""What a report page shows of a hand, and the samples that are drawn while it learns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from minigrad.errors import RunError
from minigrad.models.scribe import Scribe
from minigrad.show.dots import dotted
from minigrad.show.ink import ink_svg
from minigrad.show.window import window_svg

if TYPE_CHECKING:
    from minigrad.models.handwriting_task import Handwriting
    from minigrad.show.page import Page

BIAS = 1.0  # of samples
ROWS = 5  # of dots
BIASES = (0.0, 0.5, 1.0)  # of what the page shows
SHOWN = 6  # texts
HEIGHT = 48.0  # pixels of what is written


def in_dots(scribe: Scribe, texts: Sequence[str], bias: float = BIAS, seed: int = 0) -> str:
    """Texts as a hand writes them, each under its letters, in the dots of ``minigrad.show.dots``."""
    found = []
    for number, text in enumerate(texts):
        try:
            (writing,) = scribe.write([text], bias=bias, seed=seed + number)
            found.append(f"{text}\n{dotted(writing.strokes.lines(), ROWS)}")
        except RunError as error:  # at the beginning it may be no writing at all
            found.append(f"{text}\n({error.got})")
    return "\n".join(found)


def add_hand(page: Page, task: Handwriting) -> None:
    """Add the sections that tell how likely a hand thinks what is held out, and what it writes.

    Args:
        page: the page.
        task: with the best weights loaded.
    """
    data = task.data
    written, part = (data.validation, "held-out") if data.test is None else (data.test, "test")
    found = task.judge(written)
    page.headline(
        {
            f"{part} nats per point": f"{found.per_point:.4f}",
            "nats per sequence": f"{found.per_sequence:.2f}",
            "scale": f"{found.scale:.4g}",
        }
    )
    page.text(
        f"Of {found.points:,} points in {found.sequences:,} sequences, offsets divided by the scale; "
        f"of offsets in the units of the data a point costs {found.per_point_unscaled:.4f} nats. The less the better."
    )
    if part == "held-out":
        page.text("These were not learned from, but the best state was chosen by them, which flatters it a little.")
    page.section("What it writes", "Texts that it never saw. The larger the bias, the more it prefers what is likely.")
    texts = task.held_out(SHOWN)
    for bias in BIASES:
        page.subsection(f"Bias {bias:g}")
        add_writing(page, task.scribe, texts, bias)
    page.section("Where it looks", "Which letter its window shows it, from the first point of the pen to the last.")
    add_window(page, task.scribe, texts[-1])
    page.section("Data")
    for line in data.policy:
        page.text(line)


def add_writing(page: Page, scribe: Scribe, texts: Sequence[str], bias: float, seed: int = 0) -> None:
    """Texts as a hand writes them, as pictures on a page."""
    for number, text in enumerate(texts):
        try:
            (writing,) = scribe.write([text], bias=bias, seed=seed + number)
        except RunError as error:
            page.text(f"{text}: no writing came of it ({error.got}).")
            continue
        picture = ink_svg(writing.strokes, scale=HEIGHT / scribe.card.height, label=f"{text}, in handwriting")
        page.picture(picture, caption=text)


def add_window(page: Page, scribe: Scribe, text: str, bias: float = BIAS, seed: int = 0) -> None:
    """The window over a text, as a picture on a page."""
    try:
        (writing,) = scribe.write([text], bias=bias, seed=seed)
    except RunError as error:
        page.text(f"{text}: no writing came of it ({error.got}).")
        return
    page.picture(window_svg(writing.window, text), caption=text)
