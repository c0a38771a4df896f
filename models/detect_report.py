"""What the report of a detector has: how good it is, class by class, and pictures of what it finds."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.data.boxed import BoxedImage
from minigrad.models.detector import Found
from minigrad.models.finder import Judgement
from minigrad.models.pasting import pasted

SURE = 0.5  # the chance of an object that is drawn
PICTURES = 12
POINTS = 101  # of a precision-recall curve


def drawn(sample: BoxedImage, found: Found, classes: Any) -> Any:
    """An image with what was found on it, a Pillow image."""
    from minigrad.show.boxes import drawn_boxes

    sure = found.scores >= SURE
    masks = None
    if found.masks is not None:
        masks = pasted(found.masks[sure], found.boxes[sure], sample.image.shape[1:])
    return drawn_boxes(
        sample.image, found.boxes[sure], found.labels[sure], classes=classes, scores=found.scores[sure], masks=masks,
        ignored=sample.ignored,
    )  # fmt: skip


def curves_png(judgement: Judgement, most: int = 10) -> bytes:
    """The precision of each class against the recall, at an overlap of 0.5, as a PNG file."""
    import io

    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.8), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    counts = np.bincount(np.concatenate([truth.labels for truth in judgement.truths]), minlength=len(judgement.classes))
    for number in np.argsort(-counts, kind="stable")[:most]:
        if counts[number]:
            curve = judgement.boxes.curves[number]
            axes.plot(np.linspace(0, 1, POINTS), curve, label=f"{judgement.classes[number]} {judgement.boxes.each[number]:.2f}")
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small", title="AP50")
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def rows_of(judgement: Judgement) -> list[tuple[str, int, float]]:
    """A row for each class: name, boxes, AP50."""
    labels = np.concatenate([truth.labels[: len(truth.labels)] for truth in judgement.truths])
    counts = np.bincount(labels, minlength=len(judgement.classes))
    return [(name, int(counts[number]), float(judgement.boxes.each[number])) for number, name in enumerate(judgement.classes)]


def add_findings(page: Any, task: Any) -> None:
    """All of it."""
    from minigrad.show.boxes import side_by_side

    test = task.data.test
    images, part = (task.data.validation, "held out") if test is None else (test, "to test by")
    judgement = task.judge(images)
    figures = judgement.metrics
    words = ", ".join(f"{name} {value:.3f}" for name, value in figures.items())
    page.section("What it finds", f"Of {len(images):,} images {part} ({task.data.split}): {words}.")
    page.picture(curves_png(judgement), caption="Precision against recall, at an overlap of 0.5", alt="curves of precision")
    page.table(
        ["class", "boxes", "AP50"],
        [(name, f"{count:,}", "none" if count == 0 else f"{value:.3f}") for name, count, value in rows_of(judgement)],
    )
    count = min(PICTURES, len(images))
    pictures = [drawn(images[number], judgement.found[number], task.card.classes) for number in range(count)]
    page.subsection("Images", f"What it is sure of by {SURE:.0%} or more, on the first ones.")
    page.picture(side_by_side(pictures), alt="images with boxes")
    page.section("Data")
    for line in task.data.policy:
        page.text(line)
