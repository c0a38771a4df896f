"""The page of a text as a model sees it: each character in the colour of its surprise, or of what any unit did there.

The page is one file that needs no server and no network. ``reading.html`` is the part in which a unit is chosen, ``inside.js``
what its controls do, and ``inside.css`` how it looks.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np

from minigrad.show.page import Page, embedded, escaped

LEVELS, MOST = 12, 6.0  # shades of surprise, and the nats of the last
VISIBLE = {"\n": "↵\n", "\t": "⇥\t", "\x7f": "␡"}  # what would have no place to be coloured


class Unit(NamedTuple):
    """A unit that tracks something: what, where it is, how close, and how close chance comes."""

    feature: str
    layer: int
    unit: int
    correlation: float
    chance: float


def inside_page(
    title: str, subtitle: str, *, figures: Mapping[str, Any],
    nats: np.ndarray, labels: Sequence[str], expected: Sequence[Sequence[tuple[str, float]]],
    signals: Sequence[str], signed: Sequence[str], values: np.ndarray, units: Sequence[Unit],
    unjudged: Sequence[str] = (),
) -> Page:  # fmt: skip
    """The page.

    Args:
        title, subtitle: of the page.
        figures: its head, by name.
        nats: float64 (n,), the surprise of every character; nan for none.
        labels: N of them, as they are shown.
        expected: at each of the N, what was likely there.
        signals: the names of what is told of each unit; those in ``signed`` go from -1 to 1, the others from 0 to 1.
        values: uint8 (layers, signals, H, N).
        units: those that track something.
        unjudged: what no unit can be said to track, as networks that learned nothing met too little of it.

    Example:
        >>> page = inside_page("A text", "", figures={}, nats=np.array([np.nan, 0.5]), labels="ab", expected=[[], [("b", 0.6)]],
        ...     signals=["hidden"], signed=["hidden"], values=np.zeros((1, 1, 2, 2), np.uint8), units=[])
        >>> "likely here: b 60 %" in page.html()
        True
    """
    page = Page(title, subtitle)
    page.headline(figures)
    cut = (
        f" Shown are the first {len(labels):,} characters; all figures are of the whole text."
        if len(labels) < len(nats)
        else ""
    )
    page.section("What surprised it", f"The darker a character, the less it was expected.{cut} Point at one for what was.")
    page.act(f"<style>{_shades()}</style>{_legend()}{_surprise(nats, labels, expected)}")
    page.section("Units that track something")
    if units:
        page.text(
            "Correlation of a unit with what a reader knows after each character, over the whole text. Chance is the largest "
            "that any unit has when the text is shifted against itself, or any of networks that learned nothing, which "
            "read the text too, or of a long one stretches from all over it; told are units that are clearly above it."
        )
        rows = [
            (one.feature, f"layer {one.layer}, unit {one.unit}", round(one.correlation, 3), round(one.chance, 3))
            for one in units
        ]
        page.table(["what", "where", "correlation", "chance"], rows)
    else:
        page.text(
            "None goes along with quotes, brackets, line ends or capitals more than chance explains: is the text too short?"
        )
    if unjudged:
        page.text(f"Not judged, as the networks that learned nothing met too little of it: {', '.join(unjudged)}.")
    page.section("What any unit did", _HOW)
    layers, _, hidden, _ = values.shape
    surprises = [None if number != number else round(float(number), 3) for number in nats[: len(labels)]]
    task = {
        "layers": layers, "hidden": hidden, "signals": list(signals), "signed": [name in signed for name in signals],
        "labels": [visible(label) for label in labels], "nats": surprises,
        "units": [[one.feature, one.layer, one.unit, round(one.correlation, 3)] for one in units],
        "values": base64.b64encode(np.ascontiguousarray(values).tobytes()).decode(),
    }  # fmt: skip
    markup = _part("reading.html").replace("@STYLE@", _part("inside.css")).replace("@TASK@", embedded(task))
    return page.act(markup, _part("inside.js"))


_HOW = (
    "Choose a unit: each character has the colour of what the unit was after it, blue above nought and orange below. Point at "
    "a character, or go along the text with the arrow keys, for all that the unit did there; click for the units that are "
    "strongest there."
)


def visible(label: str) -> str:
    """A character as the page shows it: with a sign for what has no look of its own.

    Example:
        >>> visible("a"), visible(chr(10)), visible(chr(0)), visible(chr(0xD800))
        ('a', '↵\\n', '␀', '\ufffd')
    """
    if label in VISIBLE:
        return VISIBLE[label]
    return "".join(
        chr(0x2400 + ord(sign)) if sign < " " else "\ufffd" if "\ud800" <= sign <= "\udfff" else sign for sign in label
    )


def _surprise(nats: np.ndarray, labels: Sequence[str], expected: Sequence[Sequence[tuple[str, float]]]) -> str:
    spans = []
    for label, number, likely in zip(labels, nats, expected):
        text = escaped(visible(label))
        if number != number:
            spans.append(text)
            continue
        level = min(LEVELS, round(float(number) / MOST * LEVELS))
        names = ", ".join(f"{visible(name).strip() or 'blank'} {share:.0%}".replace("%", " %") for name, share in likely)
        told = escaped(f"{number:.2f} nats, probability {math.exp(-number):.2g}; likely here: {names}")
        spans.append(f'<span class="s{level}" title="{told}">{text}</span>')
    return f'<div class="reading" role="region" tabindex="0" aria-label="The text by surprise">{"".join(spans)}</div>'


def _shades() -> str:
    rules = [
        f".s{n} {{ background: color-mix(in srgb, var(--wrong) {round(58 * n / LEVELS)}%, transparent) }}"
        for n in range(1, LEVELS + 1)
    ]
    return "\n".join(rules)


def _legend() -> str:
    steps = "".join(f'<span class="s{n}">{n * MOST / LEVELS:g}</span>' for n in range(0, LEVELS + 1, 2))
    return f'<p class="scale">nats: {steps} and more</p>'


def _part(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


__all__: list[Any] = ["Unit", "inside_page"]
