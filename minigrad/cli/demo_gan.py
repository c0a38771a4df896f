"""The demo's generators: one that learns to write digits and is watched while it does, and the one that comes with minigrad."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from minigrad.cli.output import say
from minigrad.cli.train import follow
from minigrad.errors import DivergedError

DATA, TITLE = "mnist5k", "Images out of noise"
STEPS, WIDTH, RATE, JUDGE = 900, 16, 5e-4, 10_000  # less than 75 seconds on two cores
LOOKS = 6  # evaluations, each a picture of the film
EACH = 12  # images of a digit, or of a garment
READY = "fashion-gan"  # comes with minigrad


def section(page: Any, folder: Path, seed: int) -> None:
    """Train on handwritten digits, and show what comes of it; then what the generator makes that comes with minigrad."""
    from minigrad.models.imaginer import Imaginer

    _learn(page, folder, seed)
    page.subsection(
        f"What {READY} makes", f"It comes with minigrad, and learned from 60,000 garments for longer: minigrad imagine {READY}"
    )
    page.picture(_made(Imaginer.load(READY), seed), alt="garments that were made")


def _learn(page: Any, folder: Path, seed: int) -> None:
    """Train on digits; show what it makes of each, and the film of its learning, or that the two ran apart."""
    from minigrad.cli.reading import reading
    from minigrad.models.gan import Gan, GanSettings
    from minigrad.show.film import film_png
    from minigrad.train.report import history
    from minigrad.train.runs import Run

    run = Run(folder)
    settings = GanSettings(
        seed=seed, steps=STEPS, width=WIDTH, lr=RATE, judge_images=JUDGE, classes=True, augment=False, flip=False
    )
    with run:
        if not run.exists():  # else a demo that was stopped goes on
            run.check_new()
        with reading() as report:
            task = Gan(DATA, settings, say, report)
        task.evaluate_every = -(-task.total_steps // LOOKS)
        try:
            outcome = follow(task, run, f"minigrad demo --out {shlex.quote(str(folder.parent))} --seed {seed}")
        except DivergedError as error:  # which some seeds may come to
            say(f"gan: {error}")
            page.section(TITLE, f"The two ran apart this time: {error}")
            return
    words = f"After {outcome.step:,} steps the Fréchet distance of what it makes to real digits is {outcome.best:.1f} at best."
    say(words)
    page.section(
        TITLE,
        "Two networks that learned against each other: one makes digits of noise, the other tells them from those of people. "
        f"{words}",
    )
    page.picture(history(task, list(run.metrics.rows())), caption="The training, step by step", alt="losses over the steps")
    page.subsection("What it makes", "Each digit some times; none was chosen.")
    page.picture(_made(task.imaginer, seed), alt="digits that were made")
    page.subsection("A film of the learning", "The same noise at each evaluation.")
    page.picture(film_png(list(task.film.frames.values()), scale=2), alt="a film of the learning")


def _made(imaginer: Any, seed: int) -> bytes:
    """Of each class a row of images, none of them chosen."""
    import numpy as np

    from minigrad.show.pictures import image_grid

    kinds = len(imaginer.card.classes)
    noise = imaginer.noise(EACH * kinds, seed=seed)
    return image_grid(imaginer.make(noise, np.repeat(np.arange(kinds), EACH)), columns=EACH, scale=2)
