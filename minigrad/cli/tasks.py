"""The tasks that can be trained, by their words; each is loaded when it is named."""

from __future__ import annotations

import pkgutil
from typing import Any, NamedTuple

from minigrad.errors import RunError


class Entry(NamedTuple):
    """A task.

    Attributes:
        place: where its class is, a ``Task`` with ``Settings``, the class of its settings. It is made of ``(data, settings,
            say, progress, like)``, and again of a run's config by ``of(config, say, progress)``; see ``models/classify.py``.
        commands: the module of its commands, which has ``evaluate(model, data, json)``; of several data, with more options.
        makes: what it makes.
        data: what data it takes.
        example: an example of training.
        use: how its model is applied; ``{run}`` stands for the run folder.
        words: whether its data are text, which take ``--glob`` and ``--bytes``.
        several: whether there may be several.
    """

    place: str
    commands: str
    makes: str
    data: str
    example: str
    use: str
    words: bool = False
    several: bool = False


TASKS: dict[str, Entry] = {
    "classify": Entry(
        place="minigrad.models.classify:Classify",
        commands="minigrad.cli.classify",
        makes="a classifier of images",
        data="mnist5k, fashion-mnist, cifar10, or the path of a folder with one sub-folder of images for each class",
        example="minigrad train classify --data photos --set epochs=20",
        use="minigrad classify {run} IMAGE...",
    ),
    "text": Entry(
        place="minigrad.models.text:Text",
        commands="minigrad.cli.text",
        makes="a model of a text, which foretells it letter by letter and can write like it",
        data="shakespeare, python-stdlib, or the path of a file of text or of a folder of them; several, if --data is repeated",
        example="minigrad train text --data src --glob '*.py'",
        use="minigrad write {run}",
        words=True,
        several=True,
    ),
    "handwriting": Entry(
        place="minigrad.models.handwriting_task:Handwriting",
        commands="minigrad.cli.handwriting",
        makes="a hand, which writes any text with a pen",
        data="hershey, words in stroke fonts, or the path of a file of strokes or of a folder of them",
        example="minigrad train handwriting --data hershey --set fonts=cursive",
        use='minigrad handwrite {run} "Hello world"',
    ),
    "translate": Entry(
        place="minigrad.models.translate:Translate",
        commands="minigrad.cli.translation",
        makes="a translator of sentences, with attention",
        data="en-es, en-de, en-it, en-fr, bible-en-es, or the path of a file with a sentence, a tab and its translation in "
        "each line, of a folder of such, or of two files whose lines belong together (a.en,a.de); several, if repeated",
        example="minigrad train translate --data deu.txt --set reverse=true",
        use='minigrad translate {run} "Good morning"',
        several=True,
    ),
    "detect": Entry(
        place="minigrad.models.detect:Detect",
        commands="minigrad.cli.detect",
        makes="a detector, which finds objects on photos: boxes, and masks where the data have some",
        data="scenes, scenes-digits, deepforest, or the path of a folder of photos with boxes in the form of Pascal VOC, COCO "
        "or a table, or of such a file",
        example="minigrad train detect --data photos",
        use="minigrad detect {run} PHOTO...",
    ),
    "gan": Entry(
        place="minigrad.models.gan:Gan",
        commands="minigrad.cli.gan",
        makes="a generator, which makes more images like those that it learned from",
        data="fashion-mnist, mnist5k, cifar10, emoji, faces, or the path of a folder of images in any order",
        example="minigrad train gan --data photos",
        use="minigrad imagine {run}",
    ),
}


def entry(name: str) -> Entry:
    """The task of a name.

    Raises:
        RunError: there is none.
    """
    if name not in TASKS:
        remedy = "Start the program that made the run again, or take the version of minigrad that made it"
        raise RunError("run", "task", f"one of {', '.join(TASKS)}", repr(name), remedy)
    return TASKS[name]


def task_class(name: str) -> Any:
    """The class of a task.

    Raises:
        RunError: there is none of that name.
    """
    return pkgutil.resolve_name(entry(name).place)


def commands(name: str) -> Any:
    """The module of a task's commands.

    Raises:
        RunError: there is none of that name.
    """
    return pkgutil.resolve_name(entry(name).commands)
