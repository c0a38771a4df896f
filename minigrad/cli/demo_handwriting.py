"""The demo's hand: words of a stroke font, written with a pen."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from minigrad.cli.output import say
from minigrad.cli.train import follow

EPOCHS, HIDDEN, BATCH, RATE = 0.3, 128, 16, 0.008  # of a pass: less than 75 seconds on two cores
HOLDOUT = 0.02  # of the words: enough to choose by, and soon looked through
LOOKS = 2  # evaluations, each with a sample
WORDS = 6  # that it never saw, on the page


def section(page: Any, folder: Path, seed: int) -> None:
    """Train on words in Hershey's plain font, and show the curve, words that it never saw as it writes them, and its window."""
    from minigrad.cli.reading import reading
    from minigrad.models.handwriting_report import BIAS, add_window, add_writing
    from minigrad.models.handwriting_task import Handwriting, HandwritingSettings
    from minigrad.train.report import history
    from minigrad.train.runs import Run

    run = Run(folder)
    settings = HandwritingSettings(
        seed=seed, hidden=HIDDEN, epochs=EPOCHS, batch_size=BATCH, lr=RATE, holdout=HOLDOUT, log_every=10
    )
    with run:
        if not run.exists():  # else a demo that was stopped goes on
            run.check_new()
        with reading() as report:
            task = Handwriting("hershey", settings, say, report)
        task.evaluate_every = -(-task.total_steps // LOOKS)
        outcome = follow(task, run, f"minigrad demo --out {shlex.quote(str(folder.parent))} --seed {seed}")
    words = (
        f"Strokes of words that it never saw cost it {outcome.best:.2f} nats a point; trained for an hour it writes far better."
    )
    say(words)
    shown = min(outcome.step * BATCH, len(task.data.train))
    page.section(
        "Handwriting",
        f"An LSTM that watched {shown:,} words being written, told which letters they are, and learned where the pen goes next "
        f"and where in the word it is. {words}",
    )
    page.picture(history(task, list(run.metrics.rows())), caption="The training, step by step", alt="nats over the steps")
    page.subsection("What it writes", f"Words that it never saw, drawn point by point with a bias of {BIAS:g}.")
    texts = task.held_out(WORDS)
    add_writing(page, task.scribe, texts, BIAS, seed)
    page.subsection("Where it looks", "Which letter its window shows it, from the first point of the pen to the last.")
    add_window(page, task.scribe, texts[-1], seed=seed)
