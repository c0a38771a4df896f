"""``minigrad kernels trace`` and ``profile``: what a CUDA kernel of one's own does, seen on the emulator."""

from __future__ import annotations

import contextlib
import math
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from minigrad.cli.output import complain, say, say_json
from minigrad.errors import ArgumentError, CudaFault, KernelError

if TYPE_CHECKING:
    from minigrad.emulator.trace import Event
    from minigrad.kernels.watched import Watchable

LIMIT = 20_000  # events that a trace records where nothing else is said

File = Annotated[
    str, typer.Argument(metavar="FILE.py", help="A file that has a CudaKernel, or registers one.", show_default=False)
]
Name = Annotated[
    str | None, typer.Argument(metavar="[NAME]", help="Which kernel of the file, where it has several.", show_default=False)
]
Case = Annotated[str, typer.Option("--case", metavar="NAME|NUMBER", help="Which case, by its name, a part of it or its number.",
                                   show_default="the first")]  # fmt: skip
Launch = Annotated[int, typer.Option("--launch", min=1, help="Which launch of the case, from 1.")]
Block = Annotated[str, typer.Option("--block", metavar="X[,Y[,Z]]", help="Which block of the grid.")]
Order = Annotated[int, typer.Option("--order", min=0, help="In which threads run: 0 as numbered, 1 backwards, else shuffled.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]


def trace(
    context: typer.Context,
    file: File,
    name: Name = None,
    case: Case = "",
    launch: Launch = 1,
    block: Block = "0",
    threads: Annotated[
        str, typer.Option("--threads", metavar="0-7,32", help="Which threads of the block.", show_default="as many as fit")
    ] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, help="The most events of the block that are recorded.")] = LIMIT,
    order: Order = 0,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE.html", help="Draw it on a page, too.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """What each thread of a block did, line by line: where it read and wrote, and which values.

    A row stands for one time that threads came to a line: of each thread, the element and its value, read or written. Between
    two barriers threads run in no order on a GPU; side by side is what they do at the same time of theirs.

    Example: minigrad kernels trace mine.py --threads 0-7
    """
    _apart(context, file)
    from minigrad.cli import traced
    from minigrad.interop.atomic import check_place

    if out is not None:
        check_place("kernels trace", out)
    from minigrad.cli.terminal import clean, room, show
    from minigrad.emulator.steps import arranged
    from minigrad.show.text import open_console

    index = _index(block)
    title, made, fault = _watch(file, name, case, "trace", json, order=order, watched=index, most_events=limit, only=launch)
    one = _chosen(made, launch)
    count = 1
    for size in one.block:
        count *= size
    chosen = traced.chosen_threads(threads, count) if threads else None
    report = one.report
    events = [event for event in report.events if chosen is None or event.thread in (*chosen, -1) or event.kind == "arrives"]
    steps = arranged(events)
    words = f"{_launch_in_words(one, launch, len(made))}, block {index}"
    if json:
        say_json({"kernel": one.name, "grid": one.grid, "block": one.block, "left_out": report.left_out,
                  "events": [_told(event) for event in events]})  # fmt: skip
    else:
        say(f"{title}\n{words}\n")
        console = open_console()
        width = room(console) or 80
        for line in traced.lines_of(steps, chosen, one.block, width):
            show(clean(line, console), console)
        found = traced.costs(arranged(report.events))
        say("\n" + "\n".join(found) if found else "")
    if out is not None:
        from minigrad.cli.traced_page import page

        drawing = page(title, words, arranged(report.events), chosen, one.block, report.left_out)
        drawing.write(out)
        if not json:
            say(f"Drawn: {out}")
    if report.left_out:
        complain(f"cut at {len(report.events):,} events; {report.left_out:,} more happened, of threads that ran later mostly. "
                 f"--limit {len(report.events) + report.left_out} records all", "note")  # fmt: skip
    _end(fault)


def profile(
    context: typer.Context,
    file: File,
    name: Name = None,
    case: Case = "",
    launch: Annotated[int | None, typer.Option("--launch", min=1, help="One launch only.", show_default="each")] = None,
    json: Json = False,
) -> None:
    """What each line asks of a GPU's memory: requests, lanes, and sectors or wavefronts per request beside the least possible.

    A request is what the lanes of a warp ask for together. Global memory is moved in sectors of 32 bytes; shared memory gives a
    word of each of its 32 banks in a turn, a wavefront. These are counts, and no times.

    Example: minigrad kernels profile mine.py
    """
    _apart(context, file)
    from minigrad.cli import traced
    from minigrad.cli.terminal import show, table

    title, made, fault = _watch(file, name, case, "profile", json)
    if launch is not None:
        _chosen(made, launch)
    chosen = [(number, one) for number, one in enumerate(made, 1) if launch in (None, number)]
    if json:
        say_json([
            {"kernel": one.name, "grid": one.grid, "block": one.block, "left_out": one.report.left_out,
             "lines": [line._asdict() | {"place": line.place._asdict()} for line in one.report.lines]}
            for _, one in chosen
        ])  # fmt: skip
        _end(fault)
        return
    say(title)
    for number, one in chosen:
        say(f"\n{_launch_in_words(one, number, len(made))}")
        header = ["line", "access", "memory", "bytes", "requests", "lanes", "cost", "least", "worse"]
        show(table(header, traced.profile_rows(one.report.lines)))
        if one.report.left_out:
            complain(f"{one.report.left_out:,} accesses are not counted: threads made too many between two meetings", "note")
    say(
        "\nlanes, cost and least are per request; the cost of global memory is in sectors of 32 bytes, of shared in wavefronts."
    )
    _end(fault)


def _apart(context: typer.Context, file: str) -> None:
    from minigrad.cli import apart
    from minigrad.cli.kernels import LIMIT as SECONDS
    from minigrad.cli.kernels import PATIENCE

    if not file.endswith(".py"):
        remedy = "Name it in a CudaKernel there: see minigrad kernels check --help" if file.endswith(".cu") else ""
        raise ArgumentError("kernels", "FILE.py", "a Python file", repr(file), remedy)
    apart.passed_on(context, [file], patience=PATIENCE, limit=SECONDS)


def _end(fault: CudaFault | None) -> None:
    """What is told shows what came before a fault; then the fault, and exit code 1."""
    if fault is not None:
        complain(str(fault))
        raise typer.Exit(1)


def _told(event: Event) -> dict[str, Any]:
    """An event as JSON has it, which knows no NaN and no infinity: they stand as text."""
    value = [str(each) if isinstance(each, float) and not math.isfinite(each) else each for each in event.value]
    return event._asdict() | {"place": event.place._asdict(), "value": value}


def _watch(
    file: str, name: str | None, case: str, mode: str, json: bool, **manner: Any
) -> tuple[str, list[Any], CudaFault | None]:
    """A title, what the launches of a case tell, and what is wrong with the last."""
    from minigrad.cli import apart
    from minigrad.emulator import compiler
    from minigrad.kernels import unload_file, watched

    compiler.compiler()  # what is missing is told before anything else
    try:
        with contextlib.redirect_stdout(sys.stderr) if json else contextlib.nullcontext():  # what the file prints is no JSON
            title, cases = _cases(file, name)
            apart.doing(f"{mode} of {title}")
            seen = watched.watch(cases, case, mode, **manner)
    finally:
        with contextlib.suppress(KernelError):  # it was not loaded
            unload_file(file)
    return f"{title}: {seen.name}", seen.made, seen.fault


def _cases(file: str, name: str | None) -> tuple[str, list[Watchable]]:
    from minigrad.kernels import cuda_kernels, implementations, load_file, watched

    there: dict[str, tuple[str, Any]] = {}
    for own in cuda_kernels(file):
        there[str(own.key[0])] = own.name, lambda own=own: watched.cases_of_own(own)
    for family, each in load_file(file):
        if implementations(family)[each].device == "cuda":
            there[f"{family}={each}"] = f"{each} of {family}", lambda at=(family, each): watched.cases_of_family(*at)
    if not there:
        raise ArgumentError("kernels", file, "a CudaKernel, or a registration with device='cuda'", "neither")
    if name is not None and name not in there:
        raise ArgumentError("kernels", "NAME", f"one of {', '.join(there)}", repr(name))
    title, cases = there[name or next(iter(there))]
    return title, list(cases())


def _chosen(made: list[Any], launch: int) -> Any:
    if launch > len(made):
        names = ", ".join(f"{number} {one.name}" for number, one in enumerate(made, 1))
        raise ArgumentError("kernels", "--launch", f"one of {names}", str(launch))
    return made[launch - 1]


def _index(block: str) -> tuple[int, ...]:
    if not re.fullmatch(r"\d+(,\d+){0,2}", block):
        raise ArgumentError("kernels trace", "--block", "one to three numbers, like 0 or 2,1", repr(block))
    return tuple(map(int, block.split(",")))


def _launch_in_words(one: Any, number: int, count: int) -> str:
    shared = f", {one.shared} bytes of dynamic shared memory" if one.shared else ""
    of_all = f" of {count}" if count > 1 else ""
    return f"launch {number}{of_all}: {one.name}, grid {one.grid}, block {one.block} threads{shared}"
