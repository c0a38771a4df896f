"""``minigrad classify``, and what ``minigrad eval`` does with a classifier."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated, Any

import typer

from minigrad.cli.reading import reading
from minigrad.cli.train import Json, Model
from minigrad.errors import MinigradError

TOP = 5


def classify(
    model: Model,
    images: Annotated[
        list[Path], typer.Argument(metavar="IMAGE...", help="Image files, or folders of them.", show_default=False)
    ],
    json: Json = False,
) -> None:
    """Say what is on images.

    The network gets each image in the size and the colours that it was trained on. Exit code 2 when one of them cannot be
    read; the others are told all the same.

    Example: minigrad classify runs/classify-photos-1 holiday.jpg
    """
    from minigrad.models.classifier import Classifier

    classifier = Classifier.load(model)
    found: list[dict[str, Any]] = []
    failed = False
    for path in _files(images):
        try:
            probabilities = classifier(classifier.read(path)[None])[0]
        except MinigradError as error:
            failed = True
            typer.echo(f"error: {error}", err=True)
            found.append({"image": str(path), "error": str(error)})
            continue
        top = [
            {"label": classifier.card.classes[i], "probability": round(float(probabilities[i]), 6)}
            for i in (-probabilities).argsort(kind="stable")[:TOP]
        ]
        found.append({"image": str(path), "top": top})
        if not json:
            _show(path, top)
    if json:
        typer.echo(json_module.dumps(found, ensure_ascii=False, indent=1))
    if failed:
        raise typer.Exit(2)


def _files(paths: list[Path]) -> list[Path]:
    """The files, and those of the folders, by name."""
    from minigrad.data.folder import is_image

    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.is_file() and is_image(str(file)))
            if not inside:
                from minigrad.errors import DataError

                raise DataError("classify", str(path), "a folder with images in it", "none there", "Name image files")
            found += inside
        else:
            found.append(path)
    return found


def _show(path: Path, top: list[dict[str, Any]]) -> None:
    from minigrad.cli.terminal import share_bars

    typer.echo(str(path))
    typer.echo(share_bars([(entry["label"], entry["probability"]) for entry in top]))


def evaluate(model: str, data: str | None, json: bool) -> None:
    """Measure a classifier, show it class by class, and draw what it takes for what."""
    from minigrad.cli.terminal import table
    from minigrad.interop.atomic import write_atomically
    from minigrad.models.classifier import Classifier
    from minigrad.models.classify import labelled
    from minigrad.train.pictures import confusion_png
    from minigrad.train.progress import track
    from minigrad.train.runs import Run

    run = Run(model)
    classifier = Classifier.load(model)
    with reading() as report:
        images, what = labelled(run.config(), data, report)
    judgement = classifier.judge(images, lambda batches: track(batches, describe="evaluating", unit="batches"))
    picture = run.path / "confusion.png"
    rows = judgement.per_class()
    if json:
        keys = ("class", "images", "precision", "recall", "f1")
        result = {
            "data": what, "images": len(images), "accuracy": judgement.accuracy, "loss": judgement.loss,
            "classes": [dict(zip(keys, row, strict=True)) for row in rows], "confusion": judgement.counts.tolist(),
        }  # fmt: skip
        typer.echo(json_module.dumps(result, ensure_ascii=False, indent=1))
    else:
        typer.echo(f"{what}: {len(images):,} images")
        typer.echo(f"accuracy {judgement.accuracy:.2%}, cross-entropy {judgement.loss:.4f} nats")
        header = ("class", "images", "precision", "recall", "F1")
        typer.echo(table(header, [(name, f"{n:,}", f"{p:.3f}", f"{r:.3f}", f"{f:.3f}") for name, n, p, r, f in rows]))
    with run.explained("the picture"):
        write_atomically("eval", picture, confusion_png(judgement.counts, judgement.classes))
    typer.echo(f"The confusion matrix: {picture}", err=json)
