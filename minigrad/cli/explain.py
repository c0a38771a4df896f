"""``minigrad explain``: a text as a model of text sees it, or an image as a classifier does, on a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from minigrad.cli.kernels import Kernels
from minigrad.cli.train import Json, Model
from minigrad.cli.write import Unseen
from minigrad.errors import ArgumentError, RunError

PAGE = "explain.html"
HELP = """\
Look inside a model: a page of an image as a classifier sees it, or of a text as a model of text does.

Of an image: the likeliest classes, where it sees each of them (Grad-CAM), what the network is given, what each layer makes of \
it, and the filters. With --out and a name that ends in .png only the picture of where a class is seen is made.

Of a text: its characters in colours, by how each surprised the model, and by what any of its units did there. Also found \
are the units that track quotes, brackets, line ends, capitals and the like: see how far chance would come. A longer text \
tells more.

Example: minigrad explain runs/classify-photos-1 holiday.jpg

Example: minigrad explain runs/text-shakespeare-1 --text @hamlet.txt
"""


def explain(
    model: Model,
    image: Annotated[
        str | None, typer.Argument(metavar="IMAGE", help="An image file, for a classifier.", show_default=False)
    ] = None,
    text: Annotated[
        str | None,
        typer.Option(
            "--text", metavar="TEXT|@FILE|-", show_default=False,
            help="What a model of text reads: a text, a file, or standard input. One that begins with @ is written with two.",
        ),
    ] = None,
    kinds: Annotated[
        list[str] | None,
        typer.Option(
            "--class", metavar="NAME", help="The class to look for in an image; may be repeated.", show_default="the likeliest"
        ),
    ] = None,
    unseen: Unseen = "refuse",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="The page to make; of an image, .png is a picture of where the class is seen.",
            show_default=f"{PAGE} in the run folder",
        ),
    ] = None,
    json: Json = False,
    kernels: Kernels = None,
) -> None:  # fmt: skip
    """The command of that name; ``HELP`` is what it says of itself."""
    from minigrad.train.trained import Trained

    trained = Trained.open(model, "text", "classify")
    task = trained.config()["task"]
    if task == "text":
        if image is not None or kinds:
            given = f"an image, {image!r}" if image is not None else "--class"
            got = f"{trained.name}, a model of text"
            raise ArgumentError("explain", "MODEL", f"a classifier, for {given}", got, "Give it a text, by --text")
        if text is None:
            expected = f"a text for {trained.name}, a model of text"
            raise ArgumentError("explain", "--text", expected, "none", "Write --text @FILE, or the text itself")
        from minigrad.cli.explain_text import explain_text

        explain_text(model, text, unseen, out, PAGE, json)
    elif task == "classify":
        if text is not None:
            got = f"{trained.name}, a classifier"
            raise ArgumentError("explain", "MODEL", "a model of text, for --text", got, "Name an image file behind it")
        if image is None:
            expected = f"an image file for {trained.name}, a classifier"
            raise ArgumentError("explain", "IMAGE", expected, "none", "Name one behind the model")
        from minigrad.cli.explain_image import explain_image

        explain_image(model, image, kinds or [], out, PAGE, json)
    else:
        raise RunError("explain", trained.name, "a model of the task classify or text", f"one of the task {task}")
