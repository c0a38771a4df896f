"""Which kernels a first training step asks for, and in which order: the table that companions compile by, recorded.

    python -m minigrad.benchmarks.usual            write minigrad/kernels/native/usual.py's table anew
    python -m minigrad.benchmarks.usual --check    only tell which rows of it differ, with exit code 1 if any does

Each step runs in a process of its own, since a process asks for a kernel once. Repeat this when a kernel gets another name or
file, or when a step takes other kernels; a table that is out of date costs time in a first step, and nothing else.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from pathlib import Path
from typing import Any

import minigrad
from minigrad.benchmarks import load
from minigrad.benchmarks.fresh import told_by
from minigrad.errors import ArgumentError, MinigradError
from minigrad.kernels.native import ahead, programs, usual
from minigrad.kernels.native.language import Kernel

STEPS = {
    "images": "small-cnn",
    "images by a residual network": "resnet20",
    "images that are made": "dcgan",
    "characters": "char-lstm-128",
    "translation": "seq2seq",
    "photos with boxes": "detector",
}
"""Kind of training -> the workload whose step is recorded."""
PACKAGE = "minigrad.kernels."
BEGIN, END = "_KERNELS = {\n", "}\n_PLAIN"
WIDTH, INDENT = 124, " " * 8


def here(kind: str) -> list[str]:
    """The kernels of a step in this process, which must be a fresh one, as words of the table."""
    workload = load(STEPS[kind])
    asked: list[tuple[Kernel | None, str | None]] = []
    watched: Any = programs
    of_kernel, of_tile = programs.address_of, programs.address_of_tile

    def kernel(which: Kernel, dtype: str | None) -> int:
        address = of_kernel(which, dtype)
        asked.append((which, dtype))
        return address

    def tile(dtype: str) -> int:
        asked.append((None, dtype))
        return of_tile(dtype)

    watched.address_of, watched.address_of_tile = kernel, tile
    try:
        workload.make(minigrad, **workload.sizes)()
    finally:
        watched.address_of, watched.address_of_tile = of_kernel, of_tile
    names = {id(job.kernel()): f"{job.module.removeprefix(PACKAGE)}:{job.name}" for job in ahead.jobs() if job.module}
    words = [names.get(id(which), "") if which else "tile" for which, dtype in asked if dtype in (None, "float32")]
    return [word for word in dict.fromkeys(words) if word]


def recorded(kind: str) -> list[str]:
    """The same, in a process of its own.

    Raises:
        ArgumentError: the step failed there.
    """
    environment = {"MINIGRAD_KERNELS": None, "MINIGRAD_CHECK": None, "MINIGRAD_THREADS": "2"}  # one thread asks for no pool
    return told_by("usual", ["--here", kind], "workload", f"{STEPS[kind]}, running", environment)


def kept(kind: str) -> list[str]:
    """A row of the table as it is."""
    return [f"{job.module.removeprefix(PACKAGE)}:{job.name}" if job.module else job.name for job in usual.USUAL[kind]]


def written(source: str, table: dict[str, list[str]]) -> str:
    """The text of ``usual.py`` with another table.

    Raises:
        ArgumentError: a text without a table.

    Example:
        >>> print(written("_KERNELS = {\\n}\\n_PLAIN = ()", {"one": ["a:b", "tile"]}))
        _KERNELS = {
            "one": \"""
                a:b tile
            \""",
        }
        _PLAIN = ()
    """
    begin, end = source.find(BEGIN), source.find(END)
    if not 0 <= begin < end:
        raise ArgumentError("benchmarks.usual", "source", f"a table between {BEGIN!r} and {END!r}", "none")
    lines = []
    for kind, words in table.items():
        lines += [f'    "{kind}": """']
        lines += textwrap.wrap(" ".join(words), WIDTH, initial_indent=INDENT, subsequent_indent=INDENT, break_on_hyphens=False)
        lines += ['    """,']
    return source[: begin + len(BEGIN)] + "\n".join(lines) + "\n" + source[end:]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing")
    parser.add_argument("--here", choices=STEPS, help="run one kind's step in this process, and print its kernels")
    options = parser.parse_args(arguments)
    if options.here:
        print(*here(options.here))
        return
    try:
        table = {kind: recorded(kind) for kind in STEPS}
        different = [kind for kind, words in table.items() if words != kept(kind)]
        for kind in different:
            print(f"{kind} ({STEPS[kind]}): {len(table[kind])} kernels, in the table {len(kept(kind))}")
        if different and not options.check:
            path = Path(usual.__file__)
            path.write_text(written(path.read_text(encoding="utf-8"), table), encoding="utf-8")
    except (MinigradError, OSError) as error:
        parser.error(str(error))
    sys.exit(1 if options.check and different else 0)


if __name__ == "__main__":
    main()
