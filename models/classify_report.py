"""What a report page and a terminal show of a classifier's judgement."""

from __future__ import annotations

from minigrad.data import LabelledImages
from minigrad.models.classifier import Judgement
from minigrad.show.page import Page
from minigrad.show.pictures import confused, confusion, image_png


def add_judgement(page: Page, judgement: Judgement, images: LabelledImages, part: str) -> None:
    """Add the sections that tell how good a classifier is on images.

    Args:
        page: the page.
        judgement: what was said of the images.
        images: the images.
        part: what they are: ``"test"`` or ``"held-out"``.
    """
    right = int((judgement.answers == judgement.labels).sum())
    page.headline({f"{part} accuracy": f"{judgement.accuracy:.2%}", "told right": f"{right:,} of {len(images):,}"})
    if part == "held-out":
        page.text(
            "These images were not learned from, but the best state was chosen by them, which flatters it a little. "
            "A test folder beside train gives a figure that nothing was chosen by."
        )
    page.section("What is taken for what")
    page.picture(
        confusion(judgement.counts, judgement.classes),
        caption="Rows: what it is. Columns: what it was taken for.",
        alt="confusion matrix",
    )
    mistakes = confused(judgement.counts, judgement.classes)
    if mistakes:
        page.table(("what it is", "taken for", "images", "share"), [(a, b, n, f"{share:.1%}") for a, b, n, share in mistakes])
    page.section("Class by class")
    header = ("class", "images", "precision", "recall", "F1")
    page.table(header, [(name, n, f"{p:.3f}", f"{r:.3f}", f"{f:.3f}") for name, n, p, r, f in judgement.per_class()])
    page.section("Surest mistakes")
    hardest = judgement.hardest()
    if not len(hardest):
        page.text("There are none.")
        return
    shown = []
    for index, pixels in zip(hardest, images.pixels(hardest), strict=True):
        answer = judgement.answers[index]
        said, true = judgement.classes[answer], judgement.classes[judgement.labels[index]]
        share = judgement.probabilities[index, answer]
        shown.append((image_png(pixels), f"{true}, taken for {said} ({share:.0%}): {images.names[index]}"))
    page.gallery(shown)
