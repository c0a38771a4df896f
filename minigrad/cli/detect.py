"""``minigrad detect``: what is where on photos; and what ``minigrad eval`` does with a detector."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from minigrad.cli import USER_ERROR
from minigrad.cli.classify import files_of
from minigrad.cli.kernels import Kernels
from minigrad.cli.output import complain, say, say_json
from minigrad.cli.reading import reading
from minigrad.cli.train import Json, Model, short_name
from minigrad.errors import ArgumentError, DataError, MinigradError

LEAST = 0.5  # the chance of an object, where nothing is said
HELP = """\
Find objects on photos: their boxes, with masks where the model has some, drawn on a copy of each photo.

MODEL is a run folder, or mtcnn, which finds faces, with eyes, nose and mouth. IMAGE is a photo or a folder of them.

Large photos are looked at in tiles where the model learned from tiles, or where --tile says so; what lies on two is found once.

Example: minigrad detect mtcnn party.jpg --out faces
"""


def detect(
    model: Model,
    images: Annotated[list[str], typer.Argument(metavar="IMAGE...", help="Photos, or folders of them.", show_default=False)],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="For the pictures.", show_default="found"),
    ] = None,
    least: Annotated[
        float, typer.Option("--least", metavar="CHANCE", help="How sure it has to be of an object, from 0 to 1.")
    ] = LEAST,
    tile: Annotated[
        int | None,
        typer.Option(
            metavar="PIXELS", help="Look at tiles of this side; 0: whole photos.", show_default="as the model learned"
        ),
    ] = None,
    json: Json = False,
    kernels: Kernels = None,
) -> None:
    """The command of that name; ``HELP`` is what it says of itself."""
    from minigrad.data.words import counted, shown
    from minigrad.show.progress import track

    if not 0 <= least <= 1:
        raise ArgumentError("detect", "--least", "a chance from 0 to 1", f"{least:g}")
    look = _looker(model, least, tile)
    folder = out or Path("found")
    found: list[dict[str, Any]] = []
    failed, taken = False, set[str]()
    for path in track(files_of(images), describe="detecting", unit="photos"):
        try:
            if os.path.isdir(path):
                raise DataError("detect", shown(path), "a folder with photos in it", "one without", "Name image files")
            objects, picture, size = look(path)
            place = _place(folder, path, taken)
            _write(folder, place, picture)
        except MinigradError as error:
            failed = True
            complain(str(error))
            found.append({"image": path, "error": str(error)})
            continue
        found.append({"image": path, "size": list(size), "picture": str(place), "objects": objects})
        if not json:
            kinds = _kinds(objects)
            say(f"{shown(path)}: {kinds or 'nothing found'}, {place}")
    if json:
        say_json(found)
    elif len(found) > 1:
        say(counted(sum(len(row.get("objects", ())) for row in found), "object") + " in all")
    if failed:
        raise typer.Exit(USER_ERROR)


def _looker(model: str, least: float, tile: int | None) -> Any:
    """What gives of a photo the objects as plain data, the picture, and (width, height)."""
    from minigrad.show.boxes import draw_boxes
    from minigrad.train.trained import Trained

    content = Trained.open(model, "detect").config("detect").get("model")
    if isinstance(content, dict) and content.get("network") == "mtcnn":
        from minigrad.models.mtcnn import FaceDetector

        if tile is not None:
            raise ArgumentError("detect", "--tile", "none with mtcnn, which looks at whole photos", str(tile), "Leave it out")
        faces = FaceDetector.load(model)

        def look(path: str) -> tuple[Any, bytes, tuple[int, int]]:
            image = faces.read(path)
            found = faces(image)
            sure = found.scores >= least
            found = type(found)(found.boxes[sure], found.scores[sure], found.points[sure])
            picture = draw_boxes(
                image, found.boxes, [0] * len(found.boxes), classes=["face"], scores=found.scores, points=found.points
            )
            return found.plain(), picture, (image.shape[2], image.shape[1])

        return look
    from minigrad.models.finder import Finder, outlines
    from minigrad.models.pasting import pasted

    finder = Finder.load(model)

    def find(path: str) -> tuple[Any, bytes, tuple[int, int]]:
        image = finder.read(path)
        found = finder(image, least=least, tile=tile)
        height, width = image.shape[1:]
        masks = None if found.masks is None else pasted(found.masks, found.boxes, (height, width))
        picture = draw_boxes(image, found.boxes, found.labels, classes=finder.card.classes, scores=found.scores, masks=masks)
        return outlines(found, masks, finder.card.classes), picture, (width, height)

    return find


def _place(folder: Path, path: str, taken: set[str]) -> Path:
    """Where the picture of a photo goes; two of one name get a number."""
    name, count = Path(path).stem, 1
    while name in taken:
        count += 1
        name = f"{Path(path).stem}-{count}"
    taken.add(name)
    return folder / f"{name}.png"


def _write(folder: Path, place: Path, picture: bytes) -> None:
    from minigrad.errors import FileFormatError
    from minigrad.interop.atomic import write_atomically

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        got = error.strerror or str(error)
        raise FileFormatError("detect", f"--out {folder}", "a folder that can be made", got) from error
    write_atomically("detect", place, picture)


def _kinds(objects: list[dict[str, Any]]) -> str:
    """How many there are of each class, the most first."""
    from collections import Counter

    counts = Counter(each["label"] for each in objects)
    return ", ".join(f"{count} x {label}" for label, count in counts.most_common())


def _number(value: float) -> float | None:
    """A figure as JSON has it: none of a class that nothing is of."""
    return None if math.isnan(value) else value


def _told(value: float) -> str:
    return "none" if math.isnan(value) else f"{value:.3f}"


def evaluate(model: str, data: str | None, json: bool) -> None:
    """Measure a detector, show it class by class, and draw its precision against its recall."""
    from minigrad.cli.terminal import show, table
    from minigrad.interop.atomic import write_atomically
    from minigrad.models.detect import boxed
    from minigrad.models.detect_report import curves_png, rows_of
    from minigrad.models.finder import Finder
    from minigrad.show.progress import track
    from minigrad.train.trained import Trained

    trained = Trained.open(model, "detect")
    finder = Finder.load(model)
    with reading() as report:
        images, what = boxed(trained.config(), data, report)
    judgement = finder.judge(images, lambda rows: track(rows, describe="evaluating", unit="images"))
    rows, figures = rows_of(judgement), judgement.metrics
    if json:
        keys = ("class", "boxes", "ap50")
        say_json(
            {
                "data": what,
                "images": len(images),
                **figures,
                "classes": [{**dict(zip(keys, row, strict=True)), "ap50": _number(row[2])} for row in rows],
            }
        )
    else:
        say(f"{what}: {len(images):,} images")
        say(f"AP50 {figures['ap50']:.3f}, mAP {figures['ap']:.3f}, recall of 100 boxes {figures['recall']:.3f}")
        if "mask_ap50" in figures:
            say(f"masks: AP50 {figures['mask_ap50']:.3f}")
        if "proposals" in figures:
            say(f"proposals: {figures['proposals']:.3f} of all boxes overlap one of the first 100 by half or more")
        show(table(["class", "boxes", "AP50"], [(name, f"{count:,}", _told(value)) for name, count, value in rows]))
    picture = trained.folder / ("precision.png" if data is None else f"precision-{short_name(data)}.png")
    write_atomically("eval", picture, curves_png(judgement))
    if not json:
        say(f"Precision against recall: {picture}")
