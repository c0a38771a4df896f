"""What ``minigrad eval`` does with a generator of images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from minigrad.cli.output import say, say_json
from minigrad.cli.reading import reading


def evaluate(model: str, data: str | None, json: bool) -> None:
    """Tell how far what a generator makes is from the data, how diverse it is, of which classes, and whether it copies."""
    from minigrad.cli.terminal import show, table
    from minigrad.models.begun import recipe
    from minigrad.models.gan import GanSettings
    from minigrad.models.imagined import measure, test_part, to_measure
    from minigrad.models.imaginer import Imaginer
    from minigrad.show.progress import track
    from minigrad.train.trained import Trained

    config = Trained.open(model).config("gan")
    imaginer = Imaginer.load(model)
    _, settings = recipe(config, "gan", GanSettings)
    with reading() as report:
        gallery, what = to_measure(config, data, report)
        test = test_part(what, imaginer.card.shape, report)

    def shown(doing: str) -> Callable[[Iterable[Any]], Iterator[Any]]:
        return lambda parts: track(parts, describe=doing, unit="parts")

    found = measure(imaginer, gallery, test, settings.judge_images, shown)
    beside = found.beside
    if json:
        keys = ("class", "made", "data")
        say_json(
            {
                "data": what,
                "training_images": len(gallery.train),
                "images": found.images,
                "judge": found.judge,
                "frechet": found.frechet,
                "frechet_halves": found.halves,
                "frechet_test": found.test,
                "judge_accuracy": found.accuracy,
                "asked_class_found": found.asked,
                "diversity": found.diversity,
                "classes": [dict(zip(keys, row, strict=True)) for row in found.shares],
                "nearest": {"median": beside.median, "usual": beside.usual, "ratio": beside.ratio, "copied": beside.copied},
            }
        )
        return
    say(f"{what}: {len(gallery.train):,} images, beside {found.images:,} that were made")
    say(f"Fréchet distance {found.frechet:.3f}, in the features of a small network that learned from the data {found.judge}")
    say(f"  of two halves of the data from each other {found.halves:.3f}")
    if found.test is not None:
        say(f"  of the test part from the data {found.test:.3f}")
    if found.accuracy is not None:
        say(f"The network finds the class of {found.accuracy:.1%} of the test part.")
    if found.asked is not None:
        say(f"Of the images that were made it finds the class that was asked for in {found.asked:.1%}.")
    say(f"diversity {found.diversity:.0%} of that of the data")
    say(
        f"The nearest training images differ by {beside.median:.3f}, the median of {len(beside.far)}; training images "
        f"themselves by {beside.usual:.3f} from their nearest other ones: a ratio of {beside.ratio:.2f}"
    )
    if beside.copied:
        say("So much nearer than they are to each other: the training images were learned by heart.")
    if found.shares:
        rows = [(name, f"{made:.1%}", f"{real:.1%}") for name, made, real in found.shares]
        show(table(["class", "of what is made", "of the data"], rows))
