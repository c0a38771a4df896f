"""``minigrad kernels report``: what CUDA kernels use of a chip, and what their hot loops are made of."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import asdict
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from minigrad.cli.output import Line, complain, say, say_json, write_lines
from minigrad.errors import ArgumentError

if TYPE_CHECKING:
    from minigrad.kernels.cuda.families import Instance
    from minigrad.kernels.cuda.static import Figures

FAILED = 1  # the exit code where a kernel is over its budget
THREADS = 256  # of a block, where nothing says how many
HEADER = ("  arch", "regs", "spilled", "shared", "blocks", "filled", "useful", "share", "verdict")

HELP = """\
What CUDA kernels use of a chip, read from the machine code that NVIDIA's compiler makes, with no GPU.

Without a name all families' kernels are reported, for each architecture: registers of a thread; bytes spilled for want of \
registers; bytes of shared memory of a block; how many blocks a multiprocessor holds at once, and which share of its places \
for threads they fill; which share of the hot loop's instructions are useful ones; and whether the kernel keeps its budget, \
which has no room for spills, a stack or local memory. Below stands what the hot loop is made of.

FILE.cu is a file of your own. FILE.py is one with a CudaKernel at its top level, as kernels check takes it, or one that lists \
its kernels as a family's gpu.py does, by instances() or INSTANCES.

It needs two packages of NVIDIA's, which the extra cuda-check of minigrad-engine installs. None of the figures is a speed.

Exit code: 0 where all is within budget, 1 where something is not, 2 where it could not be told.

Example: minigrad kernels report random --arch 80,90
"""


class Row(NamedTuple):
    """A kernel on one architecture, and what is wrong with it."""

    instance: Instance
    figures: Figures
    faults: list[str]
    has_budget: bool


def report(
    what: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FAMILY|FILE.cu|FILE.py]...", help="Whose kernels; else all families'.", show_default=False),
    ] = None,
    arch: Annotated[
        str | None,
        typer.Option("--arch", metavar="80,90", help="Compute capabilities, without their points.", show_default="all"),
    ] = None,
    instance: Annotated[
        list[str] | None,
        typer.Option("--instance", metavar="EXPRESSION", help="A kernel of FILE.cu, as 'blur<float, 4>'.", show_default="all"),
    ] = None,
    block: Annotated[int, typer.Option("--block", help="Threads of its blocks.", min=1, max=1024)] = THREADS,
    shared: Annotated[int, typer.Option("--shared", help="Bytes of their dynamic shared memory.", min=0)] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")] = False,
) -> None:
    """The command of that name; ``HELP`` is what it says of itself."""
    from minigrad.cli.reading import reading
    from minigrad.kernels.cuda.families import families

    archs = _archs(arch)
    words = what or families()
    own = [word for word in words if word.endswith(".cu")]
    if (instance or shared or block != THREADS) and not own:
        raise ArgumentError("kernels report", "--instance, --block, --shared", "a FILE.cu that they are about", f"{words}")
    chosen = [each for word in words for each in _instances(word, instance or [], block, shared)]
    with reading("kernels") as progress:
        rows = _examined(chosen, archs, progress)
    if json:
        say_json([_as_json(row) for row in rows])
    else:
        _show(rows)
    if any(row.faults for row in rows):
        raise typer.Exit(FAILED)


def _archs(text: str | None) -> list[int]:
    from minigrad.kernels.cuda.static import ARCHS

    if text is None:
        return list(ARCHS)
    words = [word.strip().removeprefix("sm_").replace(".", "") for word in text.split(",")]
    for word in words:
        if not word.isdigit() or int(word) not in ARCHS:
            raise ArgumentError("kernels report", "--arch", f"some of {','.join(map(str, ARCHS))}", repr(text))
    return list(dict.fromkeys(map(int, words)))


def _instances(word: str, expressions: Sequence[str], threads: int, shared: int) -> list[Instance]:
    from minigrad.kernels.cuda.families import families, instances

    if word.endswith(".cu"):
        return _of_text(word, expressions, threads, shared)
    if word.endswith(".py"):
        return _of_module(word)
    if word not in families():
        expected = f"FILE.cu, FILE.py, or a family with CUDA kernels: {', '.join(families())}"
        raise ArgumentError("kernels report", "FAMILY", expected, repr(word))
    return instances(word)


def _of_text(word: str, expressions: Sequence[str], threads: int, shared: int) -> list[Instance]:
    """The kernels of a user's CUDA file: those asked for, or all that are no templates."""
    from minigrad.kernels.cuda.families import Instance
    from minigrad.kernels.cuda.launch import Program

    program = Program(os.path.abspath(word))
    templates = [name for name, head in program.heads.items() if head.template]
    if not expressions and templates:
        parameters = ", ".join(f"{kind} {name}" for name, kind in program.heads[templates[0]].template)
        raise ArgumentError(
            "kernels report", word, "an --instance for its templates", f"none for {', '.join(templates)}",
            f"Say which to report, as in --instance '{templates[0]}<...>', with its {parameters} in place of the points",
        )  # fmt: skip
    for expression in expressions:
        if re.split(r"[<\s]", expression, maxsplit=1)[0] not in program.heads:
            got = f"{expression!r}, and the file has {', '.join(program.heads) or 'no kernel'}"
            raise ArgumentError("kernels report", "--instance", f"a kernel of {word}", got)
    if not program.heads:
        raise ArgumentError("kernels report", word, "a __global__ function", "none")
    return [Instance(program, each, threads, shared) for each in expressions or program.heads]


def _of_module(word: str) -> list[Instance]:
    """The kernels of a user's Python file: of a CudaKernel one for each size of blocks that its cases ask for."""
    from minigrad.kernels.cuda.families import Instance, listed
    from minigrad.kernels.cuda.own import CudaKernel
    from minigrad.kernels.own_files import executed

    module = executed(word)
    found = []
    for own in (value for value in vars(module).values() if isinstance(value, CudaKernel)):
        for _, block, shared in map(own.sizes, own.cases):
            found.append(Instance(own.launcher.program, own.launcher.expression, prod(block), shared))
    return list(dict.fromkeys(found)) or listed(module, word)


def _examined(chosen: Sequence[Instance], archs: Sequence[int], progress: Any) -> list[Row]:
    """Each file is compiled once for an architecture, with all of its kernels that are asked for."""
    from minigrad.kernels.cuda.budgets import budget, faults
    from minigrad.kernels.cuda.static import Request, examine

    of_file: dict[tuple[str, str, tuple[str, ...]], list[Instance]] = {}
    for each in chosen:
        of_file.setdefault((each.program.name, each.program.text, each.program.options), []).append(each)
    requests, asked = [], []
    for (name, text, options), instances in of_file.items():
        for arch in archs:
            wanted = [each for each in instances if (row := budget(name, each.kernel)) is None or arch in row.archs]
            expressions = tuple(dict.fromkeys(each.kernel for each in wanted))
            if expressions:
                requests.append(Request(_told(name), text, expressions, options, arch))
                asked.append(wanted)
    rows = []
    for number, (wanted, found) in enumerate(zip(asked, examine(requests)), 1):
        progress("compiled", number, len(requests))
        by_kernel = {figures.kernel: figures for figures in found}
        for each in wanted:
            row, figures = budget(each.program.name, each.kernel), by_kernel[each.kernel]
            rows.append(Row(each, figures, faults(figures, each.threads, each.shared, row), row is not None))
    order = {each: place for place, each in enumerate(chosen)}
    return sorted(rows, key=lambda row: order[row.instance])


def _told(name: str) -> str:
    """A file's name as messages and tables have it: a user's own without its folders."""
    return Path(name).name if os.path.isabs(name) else name


def _show(rows: Sequence[Row]) -> None:
    """A table for each kernel, then what its hot loop is made of, then what is wrong with it."""
    from minigrad.cli.terminal import show, table
    from minigrad.data.words import counted

    groups: dict[Instance, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.instance, []).append(row)
    for group in groups.values():
        instance = group[0].instance
        about = f"blocks of {counted(instance.threads, 'thread')}"
        about += f" with {instance.shared:,} bytes of dynamic shared memory" if instance.shared else ""
        write_lines([Line(f"{_told(instance.program.name)}: {instance.kernel}, {about}", 0, 2)])
        show(table(HEADER, [_cells(row) for row in group]))
        write_lines(Line(text, 2, 4) for text in _loops(group))
        for row in group:
            if row.faults:
                complain(f"{instance.kernel} for sm_{row.figures.arch}: {'; '.join(row.faults)}")
        write_lines([Line()])
    over = sum(bool(row.faults) for row in rows)
    what = f"{over:,} over budget" if over else "none over budget"
    say(f"{counted(len(groups), 'kernel')}, {counted(len(rows), 'compilation')}: {what}.")


def _cells(row: Row) -> tuple[Any, ...]:
    from minigrad.cli.terminal import Percent, byte_size
    from minigrad.kernels.cuda.occupancy import LIMITS, share_of_threads

    instance, figures = row.instance, row.figures
    blocks = figures.blocks(instance.threads, instance.shared)
    filled = share_of_threads(LIMITS[figures.arch], instance.threads, blocks)
    useful, share = _useful(figures)
    own = os.path.isabs(instance.program.name) or "/" not in instance.program.name
    verdict = "OVER" if row.faults else "ok" if own or row.has_budget else "no budget"
    memory = byte_size(figures.shared + instance.shared)
    arch = f"  sm_{figures.arch}"
    return arch, figures.registers, figures.spilled, memory, blocks, Percent(filled), useful, Percent(share), verdict


def _useful(figures: Figures) -> tuple[str, float]:
    """The useful instruction of a hot loop, with its share: that of which there is most."""
    loop = figures.loop
    best = max(("HMMA", "FFMA", "DFMA"), key=loop.share)
    return (best, loop.share(best)) if loop.counts.get(best) else ("none", 0.0)


def _loops(group: Sequence[Row]) -> list[str]:
    """What the hot loop is made of, once for architectures where it is the same."""
    from minigrad.data.words import counted

    texts: dict[str, list[int]] = {}
    for row in group:
        loop = row.figures.loop
        within = f" of {loop.file}" if loop.file != Path(row.instance.program.name).name else ""
        where = f"the loop that ends at line {loop.line}{within}" if loop.line else "no loop, so all of it"
        mix = ", ".join(f"{count} {word}" for word, count in loop.counts.items())
        calls = f"; calls {', '.join(loop.calls)}" if loop.calls else ""
        divisions = f"; {counted(loop.divisions, 'integer division')}" if loop.divisions else ""
        texts.setdefault(f"{where}, {loop.size} instructions: {mix}{calls}{divisions}", []).append(row.figures.arch)
    return [f"{', '.join(f'sm_{arch}' for arch in archs)}: {text}" for text, archs in texts.items()]


def _as_json(row: Row) -> dict[str, Any]:
    from minigrad.kernels.cuda.occupancy import LIMITS, share_of_threads

    instance, figures = row.instance, row.figures
    blocks, loop = figures.blocks(instance.threads, instance.shared), figures.loop
    return {
        "file": _told(instance.program.name),
        **asdict(figures),
        "threads": instance.threads,
        "dynamic_shared": instance.shared,
        "blocks": blocks,
        "filled": share_of_threads(LIMITS[figures.arch], instance.threads, blocks),
        "useful": dict(zip(("instruction", "share"), _useful(figures))),
        "wide_global": loop.wide("LDG", "LDGSTS"),
        "wide_shared": loop.wide("LDS", "LDSM"),
        "has_budget": row.has_budget,
        "faults": row.faults,
    }
