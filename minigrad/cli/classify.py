"""``minigrad classify``, and what ``minigrad eval`` does with a classifier."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from minigrad.cli import USER_ERROR
from minigrad.cli.kernels import Kernels
from minigrad.cli.output import complain, say, say_json
from minigrad.cli.reading import reading
from minigrad.cli.train import Json, Model, short_name
from minigrad.errors import DataError, MinigradError

TOP = 5


def classify(
    model: Model,
    images: Annotated[
        list[str], typer.Argument(metavar="IMAGE...", help="Image files, or folders of them.", show_default=False)
    ],
    json: Json = False,
    kernels: Kernels = None,
) -> None:
    """Say what is on images: the five likeliest classes of each.

    The network gets each image in the size and the colours that it was trained on.

    Where one cannot be read the others are told all the same, and the exit code is 2.

    Example: minigrad classify runs/classify-photos-1 holiday.jpg
    """
    from minigrad.data.words import shown
    from minigrad.models.classifier import Classifier
    from minigrad.show.progress import track

    classifier = Classifier.load(model)
    found: list[dict[str, Any]] = []
    failed = False
    for path in track(files_of(images), describe="classifying", unit="images"):
        try:
            if os.path.isdir(path):
                raise DataError("classify", shown(path), "a folder with images in it", "one without", "Name image files")
            probabilities = classifier(classifier.read(path)[None])[0]
        except MinigradError as error:
            failed = True
            complain(str(error))
            found.append({"image": path, "error": str(error)})
            continue
        likeliest = (-probabilities).argsort(kind="stable")[:TOP]
        top = [(classifier.card.classes[i], float(probabilities[i])) for i in likeliest]
        found.append({"image": path, "top": [{"label": label, "probability": share} for label, share in top]})
        if not json:
            _show(shown(path), top)
    if json:
        say_json(found)
    if failed:
        raise typer.Exit(USER_ERROR)


def files_of(paths: list[str]) -> list[str]:
    """The files, and in place of folders the images in them by name; a folder that has none stands for itself."""
    from minigrad.data.passed_over import is_passed_over
    from minigrad.data.walk import is_image, natural

    found: list[str] = []
    for path in paths:
        inside: list[str] = []
        for folder, folders, names in os.walk(path):
            folders[:] = sorted((name for name in folders if not is_passed_over(name)), key=natural)
            for name in sorted(names, key=natural):
                if not is_passed_over(name) and is_image(file := os.path.join(folder, name)):
                    inside.append(file)
        found += inside or [path]
    return found


def _show(path: str, top: list[tuple[str, float]]) -> None:
    from minigrad.cli.terminal import share_bars, show

    say(path)
    show(share_bars(top))


def evaluate(model: str, data: str | None, json: bool) -> None:
    """Measure a classifier, show it class by class, and draw what it takes for what."""
    from minigrad.cli.terminal import class_table, show
    from minigrad.interop.atomic import write_atomically
    from minigrad.models.classifier import Classifier
    from minigrad.models.classify import labelled
    from minigrad.show.pictures import confusion_png
    from minigrad.show.progress import track
    from minigrad.train.trained import Trained

    trained = Trained.open(model, "classify")
    classifier = Classifier.load(model)
    with reading() as report:
        images, what = labelled(trained.config(), data, report)
    judgement = classifier.judge(images, lambda batches: track(batches, describe="evaluating", unit="batches"))
    rows, present = judgement.per_class(), judgement.present
    if json:
        keys = ("class", "images", "precision", "recall", "f1")
        say_json(
            {
                "data": what,
                "images": len(images),
                "accuracy": judgement.accuracy,
                "loss": judgement.loss,
                "classes": [dict(zip(keys, row, strict=True)) for row in rows],
                "confusion": judgement.counts.tolist(),
            }
        )
    else:
        say(f"{what}: {len(images):,} images")
        say(f"accuracy {judgement.accuracy:.2%}, cross-entropy {judgement.loss:.4f} nats")
        show(class_table([rows[i] for i in present]))
        if len(present) < len(rows):
            say(f"{len(rows) - len(present):,} classes are left out, as no image is of them or was taken for one of them")
    names = [judgement.classes[i] for i in present]
    picture = trained.folder / ("confusion.png" if data is None else f"confusion-{short_name(data)}.png")
    write_atomically("eval", picture, confusion_png(judgement.counts[present][:, present], names))
    if not json:
        say(f"The confusion matrix: {picture}")
