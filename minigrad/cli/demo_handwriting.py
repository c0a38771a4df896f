"""The demo's hands: one that learns to write numbers in a stroke font, and the one that comes with minigrad."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from minigrad.cli.output import say
from minigrad.cli.train import follow

EPOCHS, HIDDEN, BATCH, RATE = 10, 100, 16, 0.01  # less than 75 seconds on two cores
ONLY = "0123456789"  # letters take longer
LOOKS = 2  # evaluations, each with a sample
NUMBERS = 8  # that it never saw, on the page
READY, TEXT = "hershey-hand", "The quick brown fox jumps over the lazy dog, and writes it down"  # comes with minigrad


def section(page: Any, folder: Path, seed: int) -> None:
    """Train on numbers in Hershey's plain font, and show the curve, what it writes of others, and its window."""
    from minigrad.cli.reading import reading
    from minigrad.models.handwriting_report import BIAS, HEIGHT, add_window, add_writing
    from minigrad.models.handwriting_task import Handwriting, HandwritingSettings
    from minigrad.models.manuscript import write_manuscript
    from minigrad.models.scribe import Scribe
    from minigrad.show.ink import ink_svg
    from minigrad.train.report import history
    from minigrad.train.runs import Run

    run = Run(folder)
    settings = HandwritingSettings(seed=seed, hidden=HIDDEN, epochs=EPOCHS, batch_size=BATCH, lr=RATE, only=ONLY)
    with run:
        if not run.exists():  # else a demo that was stopped goes on
            run.check_new()
        with reading() as report:
            task = Handwriting("hershey", settings, say, report)
        task.evaluate_every = -(-task.total_steps // LOOKS)
        outcome = follow(task, run, f"minigrad demo --out {shlex.quote(str(folder.parent))} --seed {seed}")
    words = f"Strokes of numbers that it never saw cost it {outcome.best:.2f} nats a point. Letters take longer."
    say(words)
    page.section(
        "Handwriting",
        f"An LSTM that watched {len(task.data.train):,} numbers being written, some times each, and learned where the pen goes "
        f"next and at which digit it is. {words}",
    )
    page.picture(history(task, list(run.metrics.rows())), caption="The training, step by step", alt="nats over the steps")
    page.subsection("What it writes", f"Numbers that it never saw, drawn point by point with a bias of {BIAS:g}.")
    texts = task.held_out(NUMBERS)
    add_writing(page, task.scribe, texts, BIAS, seed)
    page.subsection("Where it looks", "Which digit its window shows it, from the first point of the pen to the last.")
    add_window(page, task.scribe, texts[-1], seed=seed)
    page.subsection(
        f"What {READY} writes",
        f'It comes with minigrad, and learned from words for longer: minigrad handwrite {READY} "Hello world" --animate',
    )
    written = write_manuscript(Scribe.load(READY), TEXT, bias=BIAS, seed=seed)
    page.picture(ink_svg(written.lines(), scale=HEIGHT / written.height, label=f"{TEXT}, in handwriting"), caption=TEXT)
