"""What ``minigrad explain`` does with a classifier: a page of an image as it sees it, or a picture of where it sees a class."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from minigrad.cli.output import say, say_json
from minigrad.errors import ArgumentError

PICTURE, PAGES = ".png", (".html", ".htm")


def explain_image(model: str, image: str, classes: Sequence[str], out: Path | None, default: str, json: bool) -> None:
    """Make the page of an image, or the picture of where a class is seen.

    Args:
        model: a run folder, or the name of a shipped or published model.
        image: an image file.
        classes: those to look for; none: the likeliest.
        out: the file to make, a page or by its suffix a picture; default: a page of the name ``default`` in the run folder.
        default: that name.
        json: tell it to a program.
    """
    from minigrad.data.words import shown
    from minigrad.interop.atomic import check_place, write_atomically
    from minigrad.models.classifier import Classifier
    from minigrad.models.explained_image import explain as look
    from minigrad.show.pictures import image_png
    from minigrad.show.seen import heated
    from minigrad.train.trained import Trained

    suffix = "" if out is None else out.suffix.lower()
    if out is not None:
        if suffix != PICTURE and suffix not in PAGES:
            got = f"the suffix {out.suffix!r}" if out.suffix else "none"
            raise ArgumentError("explain", "--out", f"a page, {PAGES[0]}, or a picture of where a class is seen, .png", got)
        if suffix == PICTURE and len(classes) > 1:
            raise ArgumentError(
                "explain", "--out", "one class, as a picture shows one", f"{len(classes)}", "Make a page: .html"
            )
        check_place("explain", out)
    classifier, trained = Classifier.load(model, whole=True), Trained.open(model)
    found = look(classifier, image, classes)
    name = trained.path.resolve().parent.name if trained.card is None else trained.name
    target = trained.folder / default if out is None else out
    if suffix == PICTURE:
        if not found.sights:
            raise ArgumentError("explain", "--out", "a network that sees things somewhere", f"{name}. {found.layer}")
        write_atomically("explain", target, image_png(heated(found.photo, found.views()[0].map)))
    else:
        _page(name, shown(os.path.basename(image)), classifier, found).write(target)
    if json:
        say_json(_told(image, found, target, suffix == PICTURE))
        return
    from minigrad.cli.terminal import share_bars, show

    show(share_bars(found.top))
    others = [one for one in found.sights if one.label not in dict(found.top)]
    for one in others:
        say(f"{one.label}: {100 * one.probability:.2g} %")
    if not found.sights:
        say(found.layer)
    for one in found.sights:
        if not one.map.any():
            say(f"nothing speaks for {one.label}, wherever one looks")
    say(f"The picture: {target}" if suffix == PICTURE else f"The page: {target}")


def _page(name: str, image: str, classifier: Any, found: Any) -> Any:
    from minigrad.show.seen import framed, seen_page

    card = classifier.card
    channels, height, width = card.shape
    _, whole_height, whole_width = found.image.shape
    left, top, right, bottom = found.box
    numbers = [", ".join(f"{value:.4g}" for value in values) for values in (card.mean, card.std)]
    each = "of each of red, green and blue " if channels == 3 else ""
    return seen_page(
        f"{image}, as {name} sees it",
        f"{card.network}: {card.parameters():,} parameters, {len(card.classes):,} classes",
        top=found.top, views=found.views(), layer=found.layer, photo=found.photo, whole=framed(found.image, found.box),
        fed=found.fed, maps=found.maps, filters=found.filters, passed_over=found.passed_over,
        preparation=(
            f"Of the image of {whole_width:,} × {whole_height:,} pixels the {right - left:,.0f} × {bottom - top:,.0f} in its "
            f"middle, resized to {width:,} × {height:,}, in {'colour' if channels == 3 else 'grey'}. Of the pixels, from 0 to "
            f"1, the mean {each}is then taken off ({numbers[0]}), and they are divided by the deviation ({numbers[1]})."
        ),
    )  # fmt: skip


def _told(image: str, found: Any, target: Path, picture: bool) -> dict[str, Any]:
    """The findings as plain data."""
    return {
        "image": image,
        "page": None if picture else str(target),
        "picture": str(target) if picture else None,
        "classes": [{"label": label, "probability": share} for label, share in found.top],
        "box": list(found.box),
        "layer": found.layer if found.sights else None,
        "maps": [
            {"label": one.label, "probability": one.probability, "map": [[float(v) for v in row] for row in one.map]}
            for one in found.sights
        ],
    }
