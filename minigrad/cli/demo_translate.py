"""The demo's translators: one that learns from English to Spanish in a minute, and the one that comes with minigrad."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from minigrad.cli.output import say
from minigrad.cli.train import follow
from minigrad.errors import DataError
from minigrad.models.bleu import check_library

EPOCHS, HIDDEN, RATE = 6.0, 128, 0.004  # less than 75 seconds on two cores
LOOKS = 4  # evaluations, each with some translations
TITLE = "A sentence in another language"
READY = "en-es"  # comes with minigrad, and is the name of the data too
SENTENCES = ("Turn on the light in the kitchen", "The password is not correct, please try again", "Battery level of the device")


def section(page: Any, folder: Path, seed: int) -> None:
    """Train on short sentences; show the curve, what it wrote on the way, and what the ready one makes of some sentences."""
    try:
        check_library()
    except DataError as error:  # the ready one needs it not
        say(f"translate: none is trained here: {error}")
        page.section(TITLE, f"None was trained here: {error}")
    else:
        _trained(page, folder, seed)
    _ready(page)


def _trained(page: Any, folder: Path, seed: int) -> None:
    from minigrad.cli.reading import reading
    from minigrad.models.translate import Translate, TranslateSettings
    from minigrad.train.report import history
    from minigrad.train.runs import Run

    run = Run(folder)
    settings = TranslateSettings(seed=seed, hidden=HIDDEN, embedding=HIDDEN, epochs=EPOCHS, lr=RATE, feeding=False, judged=400)
    with run:
        if not run.exists():  # else a demo that was stopped goes on
            run.check_new()
        with reading("bytes") as report:
            task = Translate(READY, settings, say, report)
        spacing = max(1, settings.average)
        task.evaluate_every = spacing * -(-task.total_steps // (LOOKS * spacing))
        outcome = follow(task, run, f"minigrad demo --out {shlex.quote(str(folder.parent))} --seed {seed}")
    judged = task.judge(task.data.validation, settings.judged)
    words = (
        f"Of {len(judged.pairs):,} sentences that it never saw its translations have {judged.scores.bleu:.1f} BLEU and "
        f"{judged.scores.chrf:.1f} chrF against those that people made."
    )
    say(words)
    read = f"{outcome.step:,} steps, {EPOCHS:g} passes through {len(task.train):,} pairs"
    page.section(TITLE, f"An LSTM that reads English and one that writes Spanish, after {read}. {words}")
    page.picture(history(task, list(run.metrics.rows())), caption="The training, step by step", alt="loss over the steps")
    page.subsection("What it wrote while it learned")
    for head, text in run.samples.last(LOOKS):
        page.sample(text, head)


def _ready(page: Any) -> None:
    from minigrad.models.translate_report import looked_at
    from minigrad.models.translator import Translator

    page.subsection(
        f"What {READY} writes",
        f"It comes with minigrad, and learned from the same sentences for longer: minigrad translate {READY}",
    )
    ready = Translator.load(READY)
    made = [best for best, *_ in ready.search(SENTENCES, width=5)]
    page.table(("English", "Spanish"), [(text, one.text) for text, one in zip(SENTENCES, made, strict=True)])
    look = ready.look(made[0])
    if look is not None and look.words:
        page.picture(looked_at(look), caption=f"How much of each word of “{SENTENCES[0]}” goes into each word that is written")
