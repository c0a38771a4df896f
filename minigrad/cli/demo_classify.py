"""The demo's classifier: handwritten digits."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np

from minigrad.cli.output import say
from minigrad.cli.train import follow

EPOCHS = 8  # passes: less than 75 seconds on two cores
ANSWERS = 30  # held-out digits that are shown with their answers


def section(page: Any, folder: Path, seed: int) -> None:
    """Train on MNIST-5k, and show the curve, what is taken for what, and answers on digits that it never saw."""
    from minigrad.cli.reading import reading
    from minigrad.models.classify import Classify, ClassifySettings
    from minigrad.show.pictures import confusion, image_png
    from minigrad.train.report import history
    from minigrad.train.runs import Run

    run = Run(folder)
    with run:
        if not run.exists():  # else a demo that was stopped goes on
            run.check_new()
        with reading() as report:
            task = Classify("mnist5k", ClassifySettings(seed=seed, epochs=EPOCHS), say, report)
        follow(task, run, f"minigrad demo --out {shlex.quote(str(folder.parent))} --seed {seed}")
    test = task.data.validation if task.data.test is None else task.data.test
    judgement = task.judge(test)
    right = int((judgement.answers == judgement.labels).sum())
    words = f"{right:,} of {len(test):,} digits that it never saw are told right: {judgement.accuracy:.1%}."
    say(words)
    page.section(
        "Handwritten digits",
        f"A classifier of one's own: a convolutional network that learned from {len(task.data.train):,} images of MNIST-5k. "
        f"{words} A folder of yours, with a sub-folder for each class, is learned in the same way: minigrad train classify "
        "--data FOLDER",
    )
    page.picture(history(task, list(run.metrics.rows())), caption="The training, step by step", alt="loss and accuracy")
    page.picture(
        confusion(judgement.counts, judgement.classes),
        caption="Rows: what it is. Columns: what it was taken for.",
        alt="confusion matrix",
    )
    chosen = np.sort(np.random.default_rng(seed).permutation(len(test))[:ANSWERS])
    page.subsection("Answers", "Digits drawn at random from those it never saw.")
    page.gallery(_answers(judgement, test, chosen, image_png))
    page.subsection("Surest mistakes")
    page.gallery(_answers(judgement, test, judgement.hardest(12), image_png))


def _answers(judgement: Any, images: Any, chosen: np.ndarray, png: Any) -> list[tuple[bytes, str, bool]]:
    shown = []
    for index, pixels in zip(chosen, images.pixels(chosen), strict=True):
        answer = int(judgement.answers[index])
        said, true = judgement.classes[answer], judgement.classes[judgement.labels[index]]
        words = f"{said} ({judgement.probabilities[index, answer]:.0%})" + ("" if said == true else f", it is a {true}")
        shown.append((png(pixels), words, said == true))
    return shown
