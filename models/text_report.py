"""What a report page shows of a model of a text, and the samples that are drawn while it learns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

import minigrad
from minigrad.data.characters import Characters, described
from minigrad.models.char_lstm import CharLSTM
from minigrad.models.text_loss import Measured
from minigrad.nn.utils import Stepping
from minigrad.show.page import Page

if TYPE_CHECKING:
    from minigrad.models.text import Text

TEMPERATURE = 0.8  # of samples: below 1 the likely becomes likelier, and words rarer that are none
WRITTEN = 800  # characters on the page
COSTLIEST = 15  # characters in the table


def written(network: CharLSTM, vocabulary: Characters, length: int) -> str:
    """What a network writes from the beginning of a line on, drawn at ``TEMPERATURE`` with the default generator.

    Example:
        >>> len(written(CharLSTM(3, hidden=4, embedding=2), Characters("abc"), 20))
        20
    """
    start = vocabulary.symbols.index("\n") if "\n" in vocabulary.symbols else 0
    chances = minigrad.rand(length, dtype=minigrad.float64, device="cpu").numpy()
    token, state, drawn = minigrad.full((1, 1), start, device=network.head.weight.device), None, []
    was = network.training
    network.eval()
    with minigrad.no_grad(), Stepping():
        for chance in chances:
            logits, state = network(token, state)
            weights = minigrad.softmax(logits[0, 0].double() / TEMPERATURE, dim=0).cpu().numpy().cumsum()
            drawn.append(min(int(np.searchsorted(weights, chance * weights[-1], side="right")), len(vocabulary) - 1))
            token = minigrad.full((1, 1), drawn[-1], device=token.device)
    network.train(was)
    return vocabulary.decode(drawn)


def add_model(page: Page, task: Text) -> None:
    """Add the sections that tell how good a model is, what it writes and what it finds hard.

    Args:
        page: the page.
        task: with the best weights loaded.
    """
    data = task.data
    ids, part = (data.validation, "held-out") if data.test is None else (data.test, "test")
    measured = task.measure(ids)
    page.headline(
        {
            f"{part} loss, nats per character": f"{measured.loss:.4f}",
            "bits per character": f"{measured.bits:.4f}",
            "perplexity": f"{measured.perplexity:.3f}",
        }
    )
    if part == "held-out":
        page.text("This text was not learned from, but the best state was chosen by it, which flatters it a little.")
    page.section("What it writes", f"Drawn letter by letter, at a temperature of {TEMPERATURE}.")
    page.sample(written(task.network, data.vocabulary, WRITTEN))
    page.section("What it finds hard", "The characters that cost it the most, of all the nats that the text costs it.")
    header = ("character", "how often", "nats each time", "share of all nats")
    page.table(header, costliest(measured, data.vocabulary, COSTLIEST))
    page.section("Data")
    for line in data.policy:
        page.text(line)


def costliest(measured: Measured, vocabulary: Characters, most: int) -> list[tuple[str, int, float, str]]:
    """A row for each of the characters that cost the most: what it is, how often, nats each time, share of all nats.

    Example:
        >>> costliest(Measured(np.array([2.0, 6.0]), np.array([4, 2])), Characters("ab"), 1)
        [("'b'", 2, 3.0, '75.0%')]
    """
    rows = []
    for number, count, nats, share in measured.costliest(most):
        rows.append((described(vocabulary.symbols[number]), count, round(nats, 3), f"{share:.1%}"))
    return rows
