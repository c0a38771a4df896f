"""``minigrad imagine``: a trained generator makes images, as one picture, as files, or as a film."""

from __future__ import annotations

import math
import os
import secrets
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from minigrad.cli.kernels import Kernels
from minigrad.cli.output import say, say_json
from minigrad.cli.reading import reading
from minigrad.cli.train import Json, Model, short_name
from minigrad.errors import ArgumentError, FileFormatError

WHERE = "imagine"
COUNT, POINTS = 64, 8  # images where nothing is said, and points that --interpolate goes between
CLASSES = 20  # that a film shows side by side at most, where none is asked for
SIDE, WIDE = 56, 320  # pixels that an image of a picture, and the frame of a film, have at least, about
LARGEST = 64_000_000  # pixels of a picture, which all viewers open
LONGEST = 2 * LARGEST  # of the frames of a film together
FRAMES = 5_000  # of a film: more than six minutes
SECONDS = 0.08  # that a frame of a film is shown
HELP = """\
Make images of noise, of any number, and draw them side by side.

With --interpolate each row goes from one point of the noise to the next, in so many steps; with --film, or with --out and a \
name that ends in .gif or .apng, that is a film.

With --nearest the image of the training data that differs least stands beside each, and how much they differ is told: so it \
can be seen whether the model made something of its own.

Example: minigrad imagine runs/gan-photos-1 -n 100 --seed 1 --out many.png
"""


def imagine(
    model: Model,
    count: Annotated[
        int | None,
        typer.Option(
            "-n", "--count", metavar="N", help="How many images, or points to go between.", show_default=f"{COUNT}, or {POINTS}"
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="NUMBER", min=0, help="The same one gives the same images.", show_default="another")
    ] = None,
    interpolate: Annotated[
        int | None,
        typer.Option(metavar="STEPS", help="Go in so many steps from one point to the next.", show_default=False),
    ] = None,
    kinds: Annotated[
        list[str] | None,
        typer.Option("--class", metavar="NAME", help="Of this class; may be repeated.", show_default="all in turn"),
    ] = None,
    truncation: Annotated[
        float | None,
        typer.Option(
            metavar="NUMBER",
            help="Keep to the usual: no number of the noise is larger. 2 cuts little; below 1 images grow alike and pale.",
            show_default=False,
        ),
    ] = None,
    nearest: Annotated[
        bool, typer.Option("--nearest", metavar="", help="Beside each image the nearest one of the training data.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="The picture, .png; of a film .gif too.", show_default="imagined.png"),
    ] = None,
    film: Annotated[bool, typer.Option("--film", metavar="", help="With --interpolate: a picture that moves.")] = False,
    separate: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Each image as a file of its own, in a new folder.", show_default=False),
    ] = None,
    columns: Annotated[
        int | None, typer.Option(metavar="K", help="Images, or pairs, in a row.", show_default="about a square")
    ] = None,
    scale: Annotated[
        int | None, typer.Option(metavar="K", help="Each pixel becomes K x K.", show_default="by the size")
    ] = None,
    json: Json = False,
    kernels: Kernels = None,
) -> None:
    """The command of that name; ``HELP`` is what it says of itself."""
    film = film or (out is not None and out.suffix.lower() in (".gif", ".apng"))
    count = _checked(count, interpolate, nearest, out, film, separate, columns, scale)
    from minigrad.data.words import counted
    from minigrad.interop.atomic import check_place
    from minigrad.models.imagined import beside, to_measure
    from minigrad.models.imaginer import Imaginer
    from minigrad.show.progress import track
    from minigrad.train.trained import Trained

    trained = Trained.open(model)
    imaginer = Imaginer.load(model)
    place = out or (None if separate else trained.folder / ("imagined-film.png" if film else "imagined.png"))
    if place is not None:
        check_place(WHERE, place)
    seed = secrets.randbelow(2**31) if seed is None else seed
    plan = _plan(imaginer, imaginer.noise(count, seed=seed, truncation=truncation), interpolate, kinds or [], film)
    if interpolate is not None and not film:
        columns = interpolate + 1
    layout = None if place is None else _layout(imaginer, plan, columns, scale, film, nearest)
    data = None
    if nearest:
        with reading() as report:
            data, _ = to_measure(trained.config("gan"), None, report)
    if separate is not None:
        _make_folder(separate)
    images, files = _make(imaginer, plan, separate, keep=nearest or place is not None)
    found = None
    if data is not None:
        found = beside(images, data.train, lambda parts: track(parts, describe="comparing", unit="parts"))
    if place is not None:
        _draw(
            place,
            images if data is None or found is None else _pairs(images, data.train.pixels(found.where)),
            plan,
            layout,
            film,
        )
    names = None if data is None else data.train.names
    if json:
        known = imaginer.card.classes
        say_json(
            {
                "picture": None if place is None else str(place),
                "folder": None if separate is None else str(separate),
                "files": files,
                "images": len(plan.noise),
                "size": list(imaginer.card.shape[1:]),
                "seed": seed,
                "interpolate": interpolate,
                "truncation": truncation,
                "classes": None if plan.labels is None else [known[label] for label in plan.labels],
                "nearest": None if found is None else _plain(found, names),
            }
        )
        return
    height, width = imaginer.card.shape[1:]
    if place is not None:
        frames = f" in {len(plan.noise) // plan.together:,} frames" if film else ""
        say(f"{place}: {counted(len(plan.noise), 'image')} of {height}x{width}{frames}, seed {seed}")
    if separate is not None:
        say(f"{separate}: {counted(len(files), 'image')} of {height}x{width}, a file each, seed {seed}")
    if found is not None:
        _tell(found, names)


class Plan(NamedTuple):
    """Points of the noise, (N, Z), the class of each, (N,), and how many of the images each frame of a film has."""

    noise: Any
    labels: Any
    together: int = 1


class Layout(NamedTuple):
    """How many images, or pairs, are in a row, and how large each pixel is drawn."""

    columns: int
    scale: int


def _checked(
    count: int | None, interpolate: int | None, nearest: bool, out: Path | None, film: bool, separate: Path | None,
    columns: int | None, scale: int | None,
) -> int:  # fmt: skip
    """How many images, or points; refuses options that do not go together.

    Raises:
        ArgumentError: some do not.
    """
    from minigrad.models.imaginer import MOST

    count = (COUNT if interpolate is None else POINTS) if count is None else count
    if not 1 <= count <= MOST:
        raise ArgumentError(WHERE, "-n", f"1 to {MOST:,} images", str(count))
    ends = (".png", ".gif", ".apng") if film else (".png",)
    if out is not None and out.suffix.lower() not in ends:
        raise ArgumentError(WHERE, "--out", f"a file that ends in {' or '.join(ends)}", str(out))
    if interpolate is None:
        if film:
            given = "--film" if out is None or out.suffix.lower() == ".png" else f"--out {out}"
            raise ArgumentError(WHERE, given, "--interpolate too, as a film goes from one image to the next", "none")
    else:
        if not 1 <= interpolate <= MOST // count:
            raise ArgumentError(WHERE, "--interpolate", f"1 to {MOST // count:,} steps, with -n {count}", str(interpolate))
        if film and interpolate * count > FRAMES:
            got = f"{interpolate * count:,}"
            raise ArgumentError(WHERE, "--interpolate", f"a film of at most {FRAMES:,} frames, steps by points", got)
        if count < 2:
            raise ArgumentError(WHERE, "-n", "at least 2 points, which --interpolate goes between", str(count))
        for option, given_too in (("--nearest", nearest), ("--columns", columns is not None)):
            if given_too:
                got = f"--interpolate {interpolate}"
                raise ArgumentError(WHERE, option, "images that stand each for itself", got, "Leave one of them out")
    if film and separate is not None:
        raise ArgumentError(WHERE, "--separate", "images that do not move", "a film", "Leave one of them out")
    for option, number, most in (("--columns", columns, MOST), ("--scale", scale, 64)):
        if number is not None and not 1 <= number <= most:
            raise ArgumentError(WHERE, option, f"1 to {most:,}", str(number))
    return count


def _plan(imaginer: Any, noise: Any, steps: int | None, kinds: list[str], film: bool) -> Plan:
    """What is made of points of the noise.

    Raises:
        ArgumentError: a class that the generator does not have.
    """
    import numpy as np

    if steps is None:
        return Plan(noise, imaginer.labels(len(noise), kinds))
    if not film:  # a row for each way, all of it of one class
        ways = np.concatenate([imaginer.between(noise[row : row + 2], steps) for row in range(len(noise) - 1)])
        labels = imaginer.labels(len(noise) - 1, kinds)
        return Plan(ways, None if labels is None else np.repeat(labels, steps + 1))
    way = imaginer.between(np.concatenate((noise, noise[:1])), steps)[:-1]  # which ends where it begins
    kinds = list(dict.fromkeys(kinds))
    labels = imaginer.labels(max(1, len(kinds or imaginer.card.classes[:CLASSES])), kinds)
    if labels is None:
        return Plan(way, None)
    return Plan(np.repeat(way, len(labels), axis=0), np.tile(labels, len(way)), len(labels))


def _layout(imaginer: Any, plan: Plan, columns: int | None, scale: int | None, film: bool, nearest: bool) -> Layout:
    """How the images are laid out; ``columns`` and ``scale`` are what the user asked for.

    Raises:
        ArgumentError: a picture that would be too large.
    """
    _, height, width = imaginer.card.shape
    side, wide = max(height, width), 2 * width if nearest else width
    images = plan.together if film else len(plan.noise)
    across = min(columns or math.ceil(math.sqrt(images * height / wide)), images)
    if film and images <= CLASSES:  # no row that is not full
        across = next(number for number in range(across, images + 1) if images % number == 0)
    down, frames = math.ceil(images / across), len(plan.noise) // images
    most = LONGEST if film else LARGEST

    def pixels(by: int) -> int:
        return frames * down * (height * by + 2) * across * (wide * by + 2)

    if scale is None:
        scale = max(1, round(WIDE / (across * width) if film else SIDE / side))
        while scale > 1 and pixels(scale) > most:
            scale -= 1
    if pixels(scale) > most:
        remedy = "Ask for fewer points or steps" if film else "Ask for fewer or, with --separate, for a file each"
        raise ArgumentError(WHERE, "-n", f"a picture of at most {most:,} pixels", f"{pixels(scale):,}", remedy)
    return Layout(across, scale)


def _make_folder(folder: Path) -> None:
    """Make a folder for files, unless it is there and empty.

    Raises:
        ArgumentError: there are files in it.
        FileFormatError: it cannot be made.
    """
    try:
        folder.mkdir(exist_ok=True)
        full = bool(os.listdir(folder))
    except OSError as error:
        raise FileFormatError(
            WHERE, f"--separate {folder}", "a folder that can be made", error.strerror or str(error)
        ) from error
    if full:
        raise ArgumentError(WHERE, "--separate", "a new folder, or an empty one", f"{folder}, which has files in it")


def _make(imaginer: Any, plan: Plan, folder: Path | None, *, keep: bool) -> tuple[Any, list[str]]:
    """The images, if they are to be kept, and the names of their files, where they get such."""
    import numpy as np

    from minigrad.interop.atomic import write_atomically
    from minigrad.models.imaginer import BATCH
    from minigrad.show.pictures import image_png
    from minigrad.show.progress import track

    made, files = [], []
    for start in track(range(0, len(plan.noise), BATCH), describe="imagining", unit="batches"):
        part = slice(start, start + BATCH)
        images = imaginer.make(plan.noise[part], None if plan.labels is None else plan.labels[part])
        if keep:
            made.append(images)
        if folder is not None:
            for number, image in enumerate(images, start):
                files.append(_file_name(imaginer, plan, number))
                write_atomically(WHERE, folder / files[-1], image_png(image))
    return np.concatenate(made) if keep else None, files


def _pairs(images: Any, others: Any) -> Any:
    """Each image and its other one side by side, as one."""
    import numpy as np

    return np.concatenate((images, others), axis=3)


def _draw(place: Path, images: Any, plan: Plan, layout: Any, film: bool) -> None:
    """Write the picture, or the film."""
    from minigrad.interop.atomic import write_atomically
    from minigrad.show.film import film_gif, film_png
    from minigrad.show.pictures import image_grid

    if film:
        frames = list(images.reshape(-1, plan.together, *images.shape[1:]))
        draw = film_gif if place.suffix.lower() == ".gif" else film_png
        picture = draw(frames, seconds=SECONDS, rest=SECONDS, columns=layout.columns, scale=layout.scale)
    else:
        picture = image_grid(images, columns=layout.columns, scale=layout.scale)
    write_atomically(WHERE, place, picture)


def _file_name(imaginer: Any, plan: Plan, number: int) -> str:
    """What the file of an image is called: by its number, and its class where it has one."""
    name = f"{number + 1:0{len(str(len(plan.noise)))}}"
    return f"{name}.png" if plan.labels is None else f"{name}-{short_name(imaginer.card.classes[plan.labels[number]])}.png"


def _tell(found: Any, names: Any) -> None:
    """Say how far the nearest training images are, and what that means."""
    closest = int(found.far.argmin())
    say(
        f"The nearest training images differ by {found.median:.3f}, the median (root of the mean square, on a scale "
        f"from 0 to 1); the closest is image {closest + 1}, {found.far[closest]:.3f} from {names[int(found.where[closest])]}."
    )
    say(f"Training images themselves differ from their nearest other ones by {found.usual:.3f}.")
    if found.copied:
        say("So much nearer than they are to each other: the training images were learned by heart.")


def _plain(found: Any, names: Any) -> dict[str, Any]:
    """The nearest training images, as plain data."""
    each = [
        {"training_image": names[int(where)], "distance": float(far)} for where, far in zip(found.where, found.far, strict=True)
    ]
    return {"usual": found.usual, "ratio": found.ratio, "images": each}
