"""``minigrad data list``, ``get``, ``check`` and ``record``."""

from __future__ import annotations

import dataclasses
import os
import pkgutil
from collections import ChainMap
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from minigrad.cli import record as recorder
from minigrad.cli.output import Line, say_json, write_lines
from minigrad.errors import ArgumentError

if TYPE_CHECKING:
    from minigrad.data.check import Aside, Finding, Report

app = typer.Typer(
    help="List and fetch data sets, and check data of your own before training on them.\n\nExample: minigrad data list",
    no_args_is_help=True,
)

CHECKS = {  # task -> who checks its data, what they are, and the unit in which reading them is told
    "classify": ("minigrad.data.check:check_images", "a folder with one sub-folder of images a class", "images"),
    "text": ("minigrad.data.check:check_text", "files of text and folders of them, one or several", "bytes"),
    "handwriting": ("minigrad.data.check:check_handwriting", "a file of strokes, or a folder of such files", "files"),
    "translate": (
        "minigrad.data.check:check_translate",
        "a file of tab-separated pairs, two files whose lines belong together, or a folder of either",
        "bytes",
    ),
    "gan": ("minigrad.data.check:check_gallery", "a folder of images, with sub-folders or without", "images"),
    "detect": (
        "minigrad.data.check:check_boxes",
        "a folder of photos and their boxes (Pascal VOC, COCO, CSV), or the file of the boxes",
        "images",
    ),
}
FINDINGS = 1  # the exit code of a check that found errors
SHOWN = 10  # files of a finding on the terminal; --json has all of them
MOST_GROUPS = 30  # in the table; of more, the smallest and the largest few
FEW_SMALLEST, FEW_LARGEST = 10, 5
_STATES = {"cached": "on this machine", "system": "on this machine, by a system package or Python"}

Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]

app.command("record", help=recorder.HELP)(recorder.record)


@app.command("list")
def list_sets(json: Json = False) -> None:
    """The data sets that have a name, and which of them are on this machine.

    Example: minigrad data list
    """
    from minigrad.cli.terminal import byte_size
    from minigrad.data.sources import overview

    sets = overview()
    if json:
        say_json([dataclasses.asdict(record) for record in sets])
        return
    for record in sets:
        state = _STATES.get(record.state, "to be fetched")
        if record.packages:
            state = f"by the system's packages {' and '.join(record.packages)}, which are to be installed"
        elif 0 < record.to_fetch < record.size:
            state += f", {byte_size(record.to_fetch)} of it"
        head = Line(f"{record.name}: {byte_size(record.size)}, {state}")
        write_lines([head, Line(f"{record.about}.", 2, 0), Line(f"Licence: {record.licence}.", 2, 0)])


@app.command()
def get(name: Annotated[str, typer.Argument(help="A name of minigrad data list.", show_default=False)]) -> None:
    """Fetch a data set, verify it, and print where its files are. What is there already is not fetched again.

    Example: minigrad data get mnist5k
    """
    from minigrad.cli.reading import reading
    from minigrad.data import sources

    with reading("bytes") as progress:
        paths = sources.get(name, progress)
    write_lines([Line(str(path)) for path in paths], whole=True)


_CHECK_HELP = """\
Look for what spoils training: broken files, copies, leaks from train to test; of images, small and unequal classes; of text, \
encodings, odd and rare characters, line ends; of sentence pairs, missing sides, unequal lengths, what nobody translated; of \
handwriting, points that no pen makes, rare characters, tilted lines; of boxes, those outside the picture, of no area, twice.

Each finding names its files and what to do. Nothing is changed without --fix, which moves files to PATH-set-aside beside \
PATH and writes down in fix-log.txt there what it moved and why; then the data are checked again. Of several PATHs each \
folder is mended for itself: of what is the same in two of them nothing is moved.

Of photos with boxes a few are drawn, into PATH's name with -boxes.png behind it in the folder that you are in.

Exit code: 0 where no errors were found (there may be warnings and notes), 1 where there were (after --fix: are still), \
2 where the data could not be checked.

Example: minigrad data check classify photos --fix
"""
_PATH_HELP = f"{'; '.join(f'{task}: {what}' for task, (_, what, _) in CHECKS.items())}. Or the name of a set."


@app.command(help=_CHECK_HELP)
def check(
    task: Annotated[str, typer.Argument(help=f"What the data are for: {', '.join(CHECKS)}.", show_default=False)],
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help=_PATH_HELP, show_default=False)],
    fix: Annotated[bool, typer.Option("--fix", help="Move what can be mended so to PATH-set-aside; delete nothing.")] = False,
    glob: Annotated[str | None, typer.Option("--glob", help="Which files of the folders of text: '*.py,*.pyi'.")] = None,
    bytes: Annotated[bool, typer.Option("--bytes", help="Text is learned as bytes, in any encoding.")] = False,
    picture: Annotated[str | None, typer.Option("--picture", help="Where photos with boxes are drawn, a PNG file.")] = None,
    json: Json = False,
) -> None:
    """The command of that name; ``_CHECK_HELP`` is what it says of itself."""
    from minigrad.cli.reading import reading
    from minigrad.data.check import set_aside

    if task not in CHECKS:
        raise ArgumentError("data check", "task", f"one of {', '.join(CHECKS)}", repr(task))
    options: dict[str, Any] = {"glob": glob, "bytes": bytes} if task == "text" else {}
    for name, value in (("--glob", glob), ("--bytes", bytes)):
        if value and not options:
            raise ArgumentError("data check", name, f"none with {task}", repr(value), "It belongs to text")
    if picture is not None and task != "detect":
        raise ArgumentError("data check", "--picture", f"none with {task}", repr(picture), "It belongs to detect")
    together = task in ("text", "translate")  # whose checks take several paths
    if len(paths) > 1 and not together:
        got, remedy = f"{len(paths):,}", "Check them one after the other"
        raise ArgumentError("data check", "PATH", f"one path with {task}", got, remedy)
    place, _, unit = CHECKS[task]
    check_data = pkgutil.resolve_name(place)
    fixed: list[Aside] = []
    with reading(unit) as progress:
        given = paths if together else paths[0]
        report: Report = check_data(given, progress, **options)
        if fix:
            for path in dict.fromkeys(paths):
                if len(paths) == 1:
                    moves = report.set_aside
                else:
                    folder = os.path.isdir(os.path.expanduser(path))  # of a file, or a named set, nothing is moved
                    moves = check_data(path, progress, **options).set_aside if folder else {}
                fixed.append(set_aside(path, moves))
            fixed = [one for one in fixed if one.moved]
            report = check_data(given, progress, **options) if fixed else report
    drawn = _drawn(report, paths[0], picture) if report.samples else None
    if json:
        told = [{"folder": one.folder, "moved": one.moved} for one in fixed]
        found = {**report.as_json(), "fixed": told if len(paths) > 1 else told[0] if told else None}
        say_json(found if drawn is None else {**found, "picture": drawn})
    else:
        write_lines([*_moves(fixed), *_head(report)])
        if report.groups:
            _table(report)
        for finding in report.findings:
            _finding(finding)
        if drawn:
            write_lines([Line(f"{len(report.samples)} of the photos with their boxes are drawn in {drawn}"), Line()])
        write_lines(_end(report, fix))
    if report.errors:
        raise typer.Exit(FINDINGS)


def _drawn(report: Report, path: str, picture: str | None) -> str | None:
    """Draw the samples of a report, and say into which file; None where it cannot be written and nobody named it.

    Raises:
        FileFormatError: the file that the user named cannot be written.
    """
    from minigrad.errors import FileFormatError
    from minigrad.interop.atomic import write_atomically
    from minigrad.show.boxes import drawn_boxes, side_by_side

    pictures = [
        drawn_boxes(found.image, found.boxes, found.labels, classes=classes, masks=found.masks, ignored=found.ignored)
        for _, found, classes in report.samples
    ]
    place = picture or _free_name(path)
    try:
        write_atomically("data check", place, side_by_side(pictures))
    except FileFormatError:
        if picture:
            raise
        return None
    return place


def _free_name(path: str) -> str:
    """A file of the current folder that is not there yet."""
    stem = os.path.splitext(os.path.basename(os.path.abspath(os.path.expanduser(path))))[0] or "photos"
    number = 1
    while os.path.lexists(name := f"{stem}-boxes{'' if number == 1 else f'-{number}'}.png"):
        number += 1
    return name


def _moves(fixed: Sequence[Aside]) -> Iterator[Line]:
    """What --fix did."""
    from minigrad.data.words import counted

    for one in fixed:
        yield Line(f"Moved {counted(len(one.moved), 'file')} to {one.folder}; fix-log.txt there says which and why:")
        yield from _first(one.moved)
        yield Line()
    if fixed:
        yield Line("Checked again:")


def _head(report: Report) -> Iterator[Line]:
    yield Line(f"{report.path}: {report.size:,} {report.unit}s in {_groups(report, len(report.groups))}, {report.about}")
    yield Line()


def _table(report: Report) -> None:
    """How much there is of each class or file in each part."""
    from minigrad.cli.terminal import show, table

    groups, parts = list(report.groups), [dict(counts) for counts in report.counts.values()]
    left_out = len(groups) - FEW_SMALLEST - FEW_LARGEST if len(groups) > MOST_GROUPS else 0
    if left_out:
        sizes = ChainMap(*parts)  # of a class what the first part holds; a file is in one part only
        ranked = sorted(groups, key=lambda name: sizes.get(name, 0))
        groups = [*ranked[:FEW_SMALLEST], *ranked[-FEW_LARGEST:]]
    show(table([report.group, *report.counts], [(name, *(counts.get(name) for counts in parts)) for name in groups]))
    if left_out:
        shown = f"The {FEW_SMALLEST} smallest and {FEW_LARGEST} largest {_plural(report.group)}"
        write_lines([Line(f"{shown}; --json has the {left_out:,} between.")])
    write_lines([Line()])


def _groups(report: Report, number: int) -> str:
    return f"{number:,} {report.group if number == 1 else _plural(report.group)}"


def _plural(word: str) -> str:
    return f"{word}es" if word.endswith("s") else f"{word}s"


def _finding(finding: Finding) -> None:
    """A finding: what, where, and what to do."""
    from minigrad.cli.terminal import message, show
    from minigrad.show.text import open_console

    show(message(finding.severity, finding.words, open_console()))
    items = [" = ".join(item.files) + (f": {item.detail}" if item.detail else "") for item in finding.items]
    write_lines([*_first(items), Line(finding.mend, 2, 0), Line()])


def _end(report: Report, fix: bool) -> Iterator[Line]:
    """What --fix would do, and the sum of it all."""
    from minigrad.data.check.report import SEVERITIES
    from minigrad.data.words import counted

    moves = report.set_aside
    if moves and not fix:
        yield Line(
            f"--fix would move {counted(len(moves), 'file')} to {report.path.rstrip('/')}-set-aside, and delete nothing:"
        )
        yield from _first(f"{name}: {why}" for name, why in moves.items())
        yield Line()
    elif fix and not moves:
        yield Line("Nothing is left that --fix mends.")
    counts = [counted(number, kind) for kind in SEVERITIES if (number := report.count(kind))]
    end = "mend the errors before you train" if report.errors else "these data can be trained on"
    yield Line(f"{', '.join(counts) or 'Nothing was found'}: {end}.")


def _first(items: Iterable[str]) -> Iterator[Line]:
    """The first few lines, and how many more there are."""
    listed = list(items)
    yield from (Line(item, 4) for item in listed[:SHOWN])
    if len(listed) > SHOWN:
        yield Line(f"and {len(listed) - SHOWN:,} more (--json has all)", 4)
