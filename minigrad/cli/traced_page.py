"""What each thread of a block did, drawn on a page: threads from left to right, time downwards, barriers as rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from minigrad.cli.traced import cell_of, costs, label_of, name_of
from minigrad.emulator.steps import Rule, Step
from minigrad.show.page import Page, escaped
from minigrad.show.sheet import shortened

MOST_THREADS, MOST_STEPS = 64, 400
CELL, ROW, RULE, SIZE = 14, 18, 26, 11  # units of the drawing, and of its letters
SOURCE, LABEL = 330, 120  # columns for a line's text and for the access
COLOURS = {"global": "var(--series-1)", "shared": "var(--series-3)", "variable": "var(--soft)", "": "var(--series-4)"}
COSTLY = "var(--wrong)"


def page(
    title: str,
    subtitle: str,
    steps: Sequence[Step | Rule],
    threads: Sequence[int] | None,
    block: tuple[int, ...],
    left_out: int = 0,
) -> Page:
    """The page of a trace.

    Args:
        title, subtitle: what was launched.
        steps: of ``emulator.steps.arranged``.
        threads: those to be drawn; by default the first ``MOST_THREADS``.
        block: sizes of the block.
        left_out: events that were not recorded.
    """
    there = sorted({thread for step in steps if isinstance(step, Step) for thread in step.events})
    shown = [thread for thread in there if threads is None or thread in threads][:MOST_THREADS]
    drawn = steps[:MOST_STEPS]
    made = Page(title, subtitle)
    made.section(
        "Threads side by side",
        "Each column is a thread, each row one time that threads come to a line, and time runs down. A filled square reads, a "
        "framed one writes, a round one meets its warp; point at it for the element and the value. Blue is global memory, "
        "green shared, grey a variable. What is orange takes more wavefronts or sectors than need be.",
    )
    made.picture(_drawing(drawn, shown, block), alt="What each thread did")
    left = [f"{len(there) - len(shown)} more threads"] if len(there) > len(shown) else []
    left += [f"{len(steps) - len(drawn)} later steps"] if len(steps) > len(drawn) else []
    left += [f"{left_out:,} events that were not recorded"] if left_out else []
    if left:
        made.text(f"Not drawn: {', '.join(left)}.")
    found = costs(steps)
    made.section("What costs more than need be", "" if found else "Nothing in this block.")
    if found:
        made.code("\n".join(found))
    return made


def _drawing(steps: Sequence[Step | Rule], threads: Sequence[int], block: tuple[int, ...]) -> str:
    left = SOURCE + LABEL
    width = left + CELL * len(threads) + 12
    parts = list(_heads(threads, block, left))
    top, place = ROW + 6, None
    for step in steps:
        if isinstance(step, Rule):
            middle = top + RULE / 2
            told = f"{step.name}()  {step.threads} threads"
            parts.append(f'<line x1="0" x2="{width}" y1="{middle}" y2="{middle}" stroke="currentColor" stroke-width="2"/>')
            parts.append(_text(0, middle - 4, told, "bold"))
            top, place = top + RULE, None
            continue
        if step.place != place:
            place = step.place
            parts.append(_text(0, top + 13, shortened(f"{place.line}  {place.text}", SIZE, SOURCE - 10)))
        parts.append(_text(SOURCE, top + 13, shortened(label_of(step), SIZE, LABEL - 8)))
        parts += _cells(step, threads, block, left, top)
        top += ROW
    size = f'width="{width}" height="{top + 4}" viewBox="0 0 {width} {top + 4}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-size="{SIZE}">{"".join(parts)}</svg>'


def _heads(threads: Sequence[int], block: tuple[int, ...], left: float) -> Iterator[str]:
    for column, thread in enumerate(threads):
        if column == 0 or thread % 8 == 0 or threads[column - 1] != thread - 1:
            yield _text(left + column * CELL, 12, name_of(thread, block))


def _cells(step: Step, threads: Sequence[int], block: tuple[int, ...], left: float, top: float) -> Iterator[str]:
    cost, least = step.cost()
    colour = COSTLY if cost > least else COLOURS[step.space]
    unit = "wavefronts" if step.space == "shared" else "sectors"
    worse = f"; all together {cost} {unit}, and {least} would do" if cost > least else ""
    for column, thread in enumerate(threads):
        if thread not in step.events:
            continue
        x, y, side = left + column * CELL + 1, top + 3, CELL - 3
        told = escaped(f"thread {name_of(thread, block)}: {label_of(step)} {cell_of(step.events[thread])}{worse}")
        if step.access == "meets":
            shape = f'<circle cx="{x + side / 2}" cy="{y + side / 2}" r="{side / 2 - 1}" fill="{colour}">'
            yield f"{shape}<title>{told}</title></circle>"
            continue
        fill = colour if step.access == "read" else "none"
        shape = f'<rect x="{x}" y="{y}" width="{side}" height="{side}" fill="{fill}" stroke="{colour}" stroke-width="2">'
        yield f"{shape}<title>{told}</title></rect>"


def _text(x: float, y: float, words: str, weight: str = "normal") -> str:
    return f'<text x="{x:g}" y="{y:g}" fill="currentColor" font-weight="{weight}">{escaped(words)}</text>'
