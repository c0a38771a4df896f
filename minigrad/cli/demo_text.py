"""The demo's writers: one that learns Shakespeare's plays letter by letter, and the one that comes with minigrad."""

from __future__ import annotations

import math
import shlex
from pathlib import Path
from typing import Any

from minigrad.cli.output import say
from minigrad.cli.train import follow

EPOCHS, HIDDEN, RATE = 0.27, 128, 0.006  # of a pass: less than 75 seconds on two cores
LOOKS = 3  # evaluations, each with a sample
SEQUENCE = 64  # of a short training more steps are better than longer ones
PRIME, WRITTEN = "ROMEO\n", 700  # as the plays have it: the name of who speaks is a line
READY = "shakespeare-lstm"  # comes with minigrad


def section(page: Any, folder: Path, seed: int) -> None:
    """Train on the plays, and show the curve, what was written on the way, and what the model writes at the end."""
    from minigrad.cli.reading import reading
    from minigrad.models.figures import Figures
    from minigrad.models.text import Text, TextSettings
    from minigrad.models.writer import Writer
    from minigrad.train.report import history
    from minigrad.train.runs import Run

    run = Run(folder)
    settings = TextSettings(seed=seed, hidden=HIDDEN, epochs=EPOCHS, lr=RATE, dropout=0.0, sequence=SEQUENCE)
    with run:
        if not run.exists():  # else a demo that was stopped goes on
            run.check_new()
        with reading("bytes") as report:
            task = Text("shakespeare", settings, say, report)
        task.evaluate_every = -(-task.total_steps // LOOKS)
        outcome = follow(task, run, f"minigrad demo --out {shlex.quote(str(folder.parent))} --seed {seed}")
    symbols, best = len(task.card.vocabulary), outcome.best or 0.0
    words = (
        f"Text that it never saw costs it {best:.2f} nats a character, {Figures(best).bits:.2f} bits; "
        f"by chance, of {symbols} characters, it would be {math.log(symbols):.2f}."
    )
    say(words)
    read = f"{outcome.step * (task.settings.batch_size or 1) * task.card.steps:,}"
    page.section("A text, letter by letter", f"An LSTM that read {read} characters of Shakespeare's plays. {words}")
    page.picture(history(task, list(run.metrics.rows())), caption="The training, step by step", alt="loss over the steps")
    page.subsection("What it wrote while it learned")
    for head, text in run.samples.last(LOOKS):
        page.sample(text, head)
    page.subsection("What it writes now", f"Letter by letter, going on from {PRIME.strip()} at a temperature of 0.7.")
    page.sample(_written(Writer(task.card, task.network), seed))
    page.subsection(
        f"What {READY} writes",
        f"It comes with minigrad, has two layers of 256 units and read the plays for longer: minigrad write {READY}",
    )
    page.sample(_written(Writer.load(READY), seed))


def _written(writer: Any, seed: int) -> str:
    return PRIME + "".join(writer.stream(PRIME, length=WRITTEN, temperature=0.7, seed=seed))
