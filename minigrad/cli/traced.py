"""What a CUDA kernel's threads did and what its lines cost, as text for a terminal."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from minigrad.emulator.steps import Rule, Step
from minigrad.errors import ArgumentError

if TYPE_CHECKING:
    from minigrad.emulator.findings import Place
    from minigrad.emulator.profile import LineUse
    from minigrad.emulator.trace import Event

GAP = "  "
LONGEST = 16  # letters of a cell


def chosen_threads(words: str, count: int) -> list[int]:
    """The threads that ``0-3,32`` names, of a block of ``count``.

    Raises:
        ArgumentError: it names none that is there.

    Example:
        >>> chosen_threads("0-3,32", 64)
        [0, 1, 2, 3, 32]
    """
    found: list[int] = []
    for part in words.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part)
        if match is None or int(match[2] or match[1]) < int(match[1]) or int(match[2] or match[1]) >= count:
            expected = f"numbers of threads from 0 to {count - 1}, like 0-7,32"
            raise ArgumentError("kernels trace", "--threads", expected, repr(words))
        found += range(int(match[1]), int(match[2] or match[1]) + 1)
    return list(dict.fromkeys(found))


def lines_of(steps: Sequence[Step | Rule], threads: Sequence[int] | None, block: tuple[int, ...], width: int) -> list[str]:
    """The steps as text: a source line, and below it a row for each access with a cell for each thread.

    Args:
        steps: of ``emulator.steps.arranged``.
        threads: those to be shown, in panels one below the other; by default as many of the first as have room.
        block: sizes of the block, for the threads' names.
        width: columns of the terminal.
    """
    rows = [step for step in steps if isinstance(step, Step)]
    label = max((len(label_of(step)) for step in rows), default=0)
    there = sorted({thread for step in rows for thread in step.events})
    texts = [cell_of(event) for step in rows for thread, event in step.events.items() if threads is None or thread in threads]
    cell = min(LONGEST, max((len(text) for text in [*texts, *(name_of(thread, block) for thread in there)]), default=1))
    fit = max(1, (width - label - 2) // (cell + len(GAP)))
    shown = there[:fit] if threads is None else [thread for thread in threads if thread in there]
    lines: list[str] = []
    for first in range(0, max(1, len(shown)), fit):
        lines += ["", *_panel(steps, shown[first : first + fit], block, label, cell, width)]
    left = len(there) - len(shown)
    if left and threads is None:
        lines += [
            "",
            f"Threads {_range(shown)} of {len(there)} are shown; --threads {shown[-1] + 1}-{there[-1]} shows the others.",
        ]
    return lines[1:]


def _panel(
    steps: Sequence[Step | Rule], shown: Sequence[int], block: tuple[int, ...], label: int, cell: int, width: int
) -> Iterator[str]:
    """All steps for a few threads."""

    def row(name: str, cells: Sequence[str]) -> str:
        return f"  {name:<{label}}" + "".join(GAP + text[:cell].ljust(cell) for text in cells)

    yield row("thread", [name_of(thread, block) for thread in shown]).rstrip()
    place = None
    for step in steps:
        if isinstance(step, Rule):
            where = ", ".join(dict.fromkeys(map(place_of, step.places)))
            told = f"---- {step.name}() {where}: {step.threads} threads "
            yield told + "-" * max(0, width - len(told))
            place = None
            continue
        if not any(thread in step.events for thread in shown):
            continue
        if step.place != place:
            place = step.place
            yield _shortened(f"{place_of(place)}: {place.text}", width)
        cells = [cell_of(step.events[thread]) if thread in step.events else "" for thread in shown]
        yield row(label_of(step), cells).rstrip()


def place_of(place: Place) -> str:
    """A place, its file from the current folder on where that is shorter."""
    if not os.path.isabs(place.file):
        return str(place)
    return str(place._replace(file=min(place.file, os.path.relpath(place.file), key=len)))


def label_of(step: Step) -> str:
    """What a step does, and to which array."""
    return f"{step.access} {step.array}"


def costs(steps: Sequence[Step | Rule]) -> list[str]:
    """The steps that take more of the memory's turns than need be, in words, the same ones counted."""
    found: dict[str, int] = {}
    for step in steps:
        if isinstance(step, Rule):
            continue
        cost, least = step.cost()
        if cost > least:
            unit = "wavefronts" if step.space == "shared" else "sectors"
            text = f"{place_of(step.place)}: {label_of(step)}: {cost} {unit}, and {least} would do"
            found[text] = found.get(text, 0) + 1
    return [text + (f" ({count} times)" if count > 1 else "") for text, count in found.items()]


def cell_of(event: Event) -> str:
    """``[3][5] 1.25``: where, and what.

    Example:
        >>> from minigrad.emulator.findings import Place
        >>> from minigrad.emulator.trace import Event
        >>> cell_of(Event("access", Place("", 1, ""), 0, "read", "shared", "tile", (3, 5), 0, 4, (1.25,)))
        '[3][5] 1.25'
    """
    if event.kind != "access":
        return "here"
    value = ",".join(_number(each) for each in event.value)
    return f"{''.join(f'[{at}]' for at in event.element)} {value}".strip()


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(int(value) if isinstance(value, bool) else value)


def name_of(thread: int, block: tuple[int, ...]) -> str:
    """The number of a thread; in a block of several dimensions its index, x first.

    Example:
        >>> name_of(5, (32,)), name_of(37, (32, 8))
        ('5', '5,1')
    """
    x, y, z = (*block, 1, 1)[:3]
    index = (thread % x, thread // x % y, thread // (x * y))
    return ",".join(map(str, index[: 3 if z > 1 else 2 if y > 1 else 1]))


def _range(threads: Sequence[int]) -> str:
    return f"{threads[0]}-{threads[-1]}" if len(threads) > 1 else str(threads[0])


def _shortened(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."


def profile_rows(lines: Sequence[LineUse]) -> list[tuple[Any, ...]]:
    """Rows of a table: a line's place, what it does, and its figures per request."""
    rows = []
    for line in lines:
        unit = {"global": (line.sectors, line.ideal_sectors), "shared": (line.wavefronts, line.ideal_wavefronts)}
        cost, least = unit.get(line.space, (0, 0))
        figures = (line.per_request(cost), line.per_request(least)) if least else (None, None)
        what = f"{line.access} {line.array}"
        rows.append((place_of(line.place), what, line.space, line.width, line.requests, line.per_request(line.lanes), *figures,
                     f"{line.worst:.1f}x" if line.worst > 1.005 else ""))  # fmt: skip
    return rows
