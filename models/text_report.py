"""What a report page shows of a model of a text, and the samples that are drawn while it learns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import minigrad
from minigrad.data.characters import Characters, described
from minigrad.models.char_lstm import Card, CharLSTM
from minigrad.models.text_loss import Measured
from minigrad.models.writer import Writer
from minigrad.show.page import Page

if TYPE_CHECKING:
    from minigrad.models.text import Text

TEMPERATURE = 0.8  # of samples: below 1 the likely becomes likelier, and words rarer that are none
WRITTEN = 800  # characters on the page
COSTLIEST = 15  # characters in the table


def written(card: Card, network: CharLSTM, length: int) -> str:
    """What a network writes at ``TEMPERATURE`` from the beginning of a line on, by a seed that the default generator draws.

    Example:
        >>> options = {"cell": "gru", "hidden": 4, "layers": 1, "embedding": 2, "dropout": 0}
        >>> card = Card(Characters("abc"), {**options, "layer_norm": False, "tied": False}, 8)
        >>> len(written(card, card.build(), 20))
        20
    """
    seed = int(minigrad.randint(0, 1 << 31, (1,), device="cpu").item())
    return "".join(Writer(card, network).stream(length=length, temperature=TEMPERATURE, seed=seed))


def add_model(page: Page, task: Text) -> None:
    """Add the sections that tell how good a model is, what it writes and what it finds hard.

    Args:
        page: the page.
        task: with the best weights loaded.
    """
    data = task.data
    ids, part = (data.validation, "held-out") if data.test is None else (data.test, "test")
    measured = task.measure(ids)
    page.headline(measured.figures(data.vocabulary.unit).headline(part))
    if part == "held-out":
        page.text("This text was not learned from, but the best state was chosen by it, which flatters it a little.")
    page.section("What it writes", f"Drawn letter by letter, at a temperature of {TEMPERATURE}.")
    page.sample(written(task.card, task.network, WRITTEN))
    page.section(
        "What it finds hard", f"The {data.vocabulary.unit}s that cost it the most, of all the nats that the text costs it."
    )
    header = (data.vocabulary.unit, "how often", "nats each time", "share of all nats")
    page.table(header, costliest(measured, data.vocabulary, COSTLIEST))
    page.section("Data")
    for line in data.policy:
        page.text(line)


def costliest(measured: Measured, vocabulary: Characters, most: int) -> list[tuple[str, int, float, str]]:
    """A row for each of the characters that cost the most: what it is, how often, nats each time, share of all nats.

    Example:
        >>> import numpy as np
        >>> costliest(Measured(np.array([2.0, 6.0]), np.array([4, 2])), Characters("ab"), 1)
        [("'b'", 2, 3.0, '75.0%')]
    """
    rows = []
    for number, count, nats, share in measured.costliest(most):
        byte = vocabulary.kind == "bytes" and not 32 < number < 127
        name = f"0x{number:02x}" if byte else described(vocabulary.symbols[number])
        rows.append((name, count, round(nats, 3), f"{share:.1%}"))
    return rows
