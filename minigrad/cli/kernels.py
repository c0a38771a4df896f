"""``minigrad kernels list``, ``show``, ``check`` and the rest, and the option of other commands that chooses kernels."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import re
import sys
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from minigrad.cli import kernels_report, kernels_watched
from minigrad.cli.output import Line, complain, say, say_json, write_lines
from minigrad.errors import ArgumentError, KernelError

if TYPE_CHECKING:
    from minigrad.kernels import CudaKernel
    from minigrad.kernels.catalogue import Entry, Family
    from minigrad.kernels.verdict import Report

app = typer.Typer(
    help="See which kernels there are, and hold one against its contract.\n\nExample: minigrad kernels list",
    no_args_is_help=True,
)
FAILED = 1  # the exit code of a check that found faults
PATIENCE = 5.0  # seconds until a check says what takes so long
LIMIT = 600.0  # seconds that a kernel may take for one call, which is a small one

Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]


def _choose(context: typer.Context, value: str | None) -> None:
    """Choose kernels until the command ends."""
    from minigrad.kernels import wished

    if value:
        context.with_resource(wished(value))


Kernels = Annotated[
    str | None,
    typer.Option(
        "--kernels", metavar="FILE.py|FAMILY=NAME,...", callback=_choose, show_default="MINIGRAD_KERNELS or the fastest",
        help="Kernels to compute with: a file of your own, or names of minigrad kernels list.",
    ),
]  # fmt: skip


@app.command("list")
def list_kernels(json: Json = False, kernels: Kernels = None) -> None:
    """Every family of kernels with its implementations: which runs where nothing is chosen, and which can run here.

    Example: minigrad kernels list
    """
    from minigrad.cli.terminal import show, table
    from minigrad.kernels import families
    from minigrad.kernels.catalogue import family

    found = [family(name) for name in families()]
    if json:
        say_json([_as_json(each) for each in found])
        return
    lacking = Counter((entry.name, entry.reason) for each in found for entry in each.entries if entry.reason)
    for each in found:
        _heading(f"{each.name}: {_plain(each.summary)}")
        rows = [(f"  {entry.name}", entry.device, _state(entry), _plain(entry.summary)) for entry in each.entries]
        show(table(["  name", "device", "here", "what it is"], rows))
        alone = [entry for entry in each.entries if lacking[entry.name, entry.reason] == 1]
        write_lines(Line(f"{entry.name} does not run here: {entry.reason}.", 2) for entry in alone)
        write_lines([Line()])
    for (name, reason), count in lacking.items():
        if count > 1:
            say(f"{name} of {count} families does not run here: {reason}.")
    say("Choose with --kernels FAMILY=NAME or MINIGRAD_KERNELS=FAMILY=NAME; minigrad kernels show FAMILY tells more.")


@app.command("show")
def show_kernels(
    name: Annotated[str, typer.Argument(metavar="FAMILY[/NAME]", help="A name of minigrad kernels list.", show_default=False)],
    json: Json = False,
    kernels: Kernels = None,
) -> None:
    """A family's contract and functions, and its ladder from the slow reference to the fastest: why each rung is faster.

    Example: minigrad kernels show conv2d/im2col
    """
    from minigrad.kernels import implementations
    from minigrad.kernels.catalogue import family

    of_family, slash, rung = name.partition("/")
    found = family(of_family)
    if slash and rung not in implementations(of_family):
        there = ", ".join(f"{of_family}/{entry.name}" for entry in found.entries)
        raise ArgumentError("kernels show", "FAMILY/NAME", f"one of {there}", repr(name))
    entries = [entry for entry in reversed(found.entries) if rung in ("", entry.name)]
    if json:
        say_json({**_as_json(found), "implementations": [dataclasses.asdict(entry) for entry in entries]})
        return
    if not rung:
        _heading(f"{found.name}: the contract, {found.file}")
        write_lines([Line(), *_prose(found.text, 2), Line()])
        for signature, summary in found.functions.items():
            write_lines([Line(signature, 2, 4), Line(f"{_plain(summary)}.", 6, 0)])
        write_lines([Line(), Line("The ladder, from the slowest rung up:")])
    for entry in entries:
        about = ", ".join(filter(None, (_state(entry), f"device {entry.device}", entry.file)))
        write_lines([Line()])
        _heading(f"{entry.name} of {entry.family}: {about}")
        write_lines([Line(f"It does not run here: {entry.reason}.", 2)] if entry.reason else [])
        write_lines([*_prose(entry.text, 2), Line(), *[Line(each, 4, 4) for each in entry.functions]])
        write_lines([Line(f"{file}: {', '.join(names)}", 4, 6) for file, names in entry.kernels.items()])


_CHECK_HELP = """\
Hold kernels against their contract and the slow reference.

Forward and all gradients in float32 and float64, odd sizes and none, any strides, memory that held NaN before, arguments that \
must stay as they are, NaN and infinity, the same bits each time, two threads at once, the identities of the formulas, and \
pieces of large results.

FILE.py registers kernels of your own by minigrad.kernels.register at its top level, or has a minigrad.kernels.CudaKernel: a \
CUDA kernel with a contract of its own. Without names all that it has is checked, without a file all that is there.

With --emulate CUDA kernels run on the CPU, which takes g++ and Linux: all cases as they are, with threads and blocks \
backwards and shuffled, and with every access watched. A race, an address outside an array or a read of what nobody wrote is \
told with the line and the threads.

The file runs in a process of its own: a kernel that crashes, ends the program or never returns is told like any fault, with \
what it was asked.

Exit code: 0 where nothing failed, 1 where something did, 2 where it could not be checked.

Example: minigrad kernels check mine.py --emulate
"""


@app.command(help=_CHECK_HELP)
def check(
    context: typer.Context,
    what: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE.py] [FAMILY[=NAME]]...", help="A file of your own, and names.", show_default=False),
    ] = None,
    json: Json = False,
    emulate: Annotated[
        bool,
        typer.Option("--emulate", help="Run CUDA kernels on the CPU, in any order of threads and with every access watched."),
    ] = False,
) -> None:
    """The command of that name; ``_CHECK_HELP`` is what it says of itself."""
    from minigrad.cli import apart

    apart.passed_on(context, what, patience=PATIENCE, limit=LIMIT)
    from minigrad.cli import kernels_check

    reports: list[tuple[Report, dict[str, str]]] = []
    unasked: list[KernelError] = []
    with contextlib.ExitStack() as stack:
        if json:  # what the file prints is no JSON
            stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        chosen, own = stack.enter_context(_chosen(what or [], emulate))
        questions = [functools.partial(kernels_check.of_family, *each, emulate=emulate) for each in chosen]
        questions += [functools.partial(kernels_check.of_own, each, emulate=emulate) for each in own]
        for ask in questions:
            try:
                report, about = ask()
            except KernelError as error:  # of one contract: the others are checked all the same
                if len(questions) == 1:
                    raise
                unasked.append(error)
                continue
            reports.append((report, about))
            if not json:
                _show_report(report, about)
    if json:
        say_json([{**dataclasses.asdict(report), "ok": report.ok, "checks": about} for report, about in reports])
    failed = [report for report, _ in reports if report.failures]
    if not json and len(reports) > 1:
        names = ", ".join(f"{report.name} of {report.family}" for report in failed)
        say(f"{len(reports)} implementations, " + (f"{len(failed)} with faults: {names}." if failed else "none with a fault."))
    for words in dict.fromkeys(map(str, unasked[1:])):  # of the first the caller tells
        if words != str(unasked[0]):
            complain(words)
    if unasked:
        raise unasked[0]
    if failed:
        raise typer.Exit(FAILED)


app.command(help=kernels_report.HELP)(kernels_report.report)
app.command("trace")(kernels_watched.trace)
app.command("profile")(kernels_watched.profile)


@contextlib.contextmanager
def _chosen(words: list[str], emulate: bool) -> Iterator[tuple[list[tuple[str, str]], list[CudaKernel]]]:
    """Family and name, or a kernel with a contract of its own, of all that words of the command line ask for.

    Files of one's own are forgotten afterwards.
    """
    from minigrad.kernels import cuda_kernels, families, implementations, load_file, reason_not_available, unload_file

    for word in words:
        if word.endswith(".cu"):
            raise ArgumentError(
                "kernels check", "FILE.py", "a Python file", repr(word), "Name it in a CudaKernel there: see --help"
            )
    files = [word for word in words if word.endswith(".py")]
    names = [word for word in words if not word.endswith(".py")]
    registered: list[tuple[str, str]] = []
    try:
        for file in files:
            registered += load_file(file)
        own = [each for file in files for each in cuda_kernels(file) if not names or str(each.key[0]) in names]
        everything = [(family, name) for family in families() for name, one in implementations(family).items()
                      if not emulate or one.device == "cuda"]  # fmt: skip
        chosen = [] if names else registered if files else everything
        where = "emulated" if emulate else None
        for word in [name for name in names if name not in {str(each.key[0]) for each in own}]:
            family, equals, name = word.partition("=")
            if family not in families() or (equals and name not in implementations(family)):
                there = ", ".join(f"{family}={each}" for each in implementations(family)) if family in families() else ""
                expected = f"one of {there or ', '.join(families())}"
                raise ArgumentError("kernels check", "FAMILY=NAME" if there else "FAMILY", expected, repr(word))
            if equals and reason_not_available(family, name, where):
                raise ArgumentError("kernels check", word, "one that runs here", reason_not_available(family, name, where))
            chosen += [(family, name)] if equals else [(family, each) for each in implementations(family)]
        yield list(dict.fromkeys(chosen)), own
    finally:
        for file in files:
            with contextlib.suppress(Exception):
                unload_file(file)


def _show_report(report: Report, about: dict[str, str]) -> None:
    """The checks of one implementation, and the first case that fails of each."""
    from minigrad.cli.terminal import show, table
    from minigrad.data.words import counted

    if report.reason:
        say(f"{report.name} of {report.family}: not checked, since {report.reason}.\n")
        return
    _heading(f"{report.name} of {report.family}: {counted(report.cases, 'case')}")
    rows = []
    for name, asked in about.items():
        rows.append((f"  {name}", report.runs.get(name, 0), outcome_in_words(report, name), asked))
    show(table(["  check", "calls", "result", "what is asked"], rows))
    for failure in report.failures:
        whose = failure.function if failure.function == report.name else f"{failure.function} of {report.name}"
        complain(f"{failure.check}: {whose}: {failure.case}\n{failure.words.removesuffix('.')}.")
    say("")


def outcome_in_words(report: Report, check: str) -> str:
    """What came of one check, in words."""
    failed = [failure.function for failure in report.failures if failure.check == check]
    if failed:
        return f"FAILED: {', '.join(failed)}"
    unasked, calls = report.unasked.get(check, {}), report.runs.get(check, 0)
    if not unasked:
        return "ok" if calls else "nothing to ask"
    if calls:
        return f"ok but for {', '.join(unasked)}: not asked"
    return f"not asked: {', '.join(dict.fromkeys(unasked.values()))} failed"


def _as_json(found: Family) -> dict[str, Any]:
    return {
        "family": found.name,
        "summary": found.summary,
        "contract": found.text,
        "file": found.file,
        "functions": found.functions,
        "implementations": [dataclasses.asdict(entry) for entry in found.entries],
    }


def _state(entry: Entry) -> str:
    """Whether an implementation runs here, and whether it is the one that does."""
    if entry.reason:
        return "no"
    if entry.chosen:
        return "chosen, the default" if entry.default else "chosen"
    return "the default" if entry.default else "yes"


def _heading(text: str) -> None:
    from rich.text import Text

    from minigrad.cli.terminal import clean, rendered, room, show, wrap
    from minigrad.show.text import open_console

    console = open_console()
    show(rendered([Text(wrap(clean(text, console), room(console), 2), "bold")], console), console)


def _plain(text: str) -> str:
    """A docstring's text without its markup."""
    text = re.sub(r":\w+:`~?([^`]+)`", r"\1", text)
    return re.sub(r"``([^`]*)``", r"\1", text)


def _prose(text: str, indent: int) -> Iterator[Line]:
    """A docstring as lines: what is indented stays as it is, other paragraphs are set anew."""
    for number, paragraph in enumerate(_plain(text).split("\n\n")):
        if number:
            yield Line()
        lines = paragraph.split("\n")
        if any(line.startswith((" ", "- ", "|")) for line in lines):
            for line in lines:
                yield Line(line.strip(), indent + len(line) - len(line.lstrip()), 4)
        else:
            yield Line(re.sub(r"::$", ":", " ".join(lines)), indent, 0)
