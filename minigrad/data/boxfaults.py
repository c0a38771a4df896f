"""What is wrong with boxes, photos and their files: the kinds there are, what is done about each, and the words for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from minigrad.data.words import listed

NAMED = 5  # faults of a kind that a line names; the others it counts


class Fault(NamedTuple):
    """One fault.

    Attributes:
        kind: one of ``KINDS``.
        place: the file and the row in it: ``"boxes.csv, line 7"``.
        image: the photo; empty where it is not about one.
        detail: what is there.
    """

    kind: str
    place: str
    image: str
    detail: str

    def __str__(self) -> str:
        return f"{self.place}: {self.detail}"


class Kind(NamedTuple):
    """A kind of fault: how grave it is, of what, in words, and what to do.

    ``left_out`` tells that what has it is left out; else it is mended, and kept.
    """

    severity: Literal["error", "warning", "note"]
    unit: str
    words: str
    mend: str
    left_out: bool = True


KINDS: dict[str, Kind] = {
    "annotations": Kind("error", "file", "of annotations that cannot be read", "Mend it, or write it anew."),
    "unknown-image": Kind("error", "image", "named and not there", "Put the image there, or take out its rows."),
    "undecodable": Kind("error", "image", "that cannot be read", "Save it anew from the original."),
    "giant": Kind("error", "image", "too large to be read", "Cut it into tiles, and its boxes with it."),
    "other-size": Kind(
        "error", "image", "of another size than its annotation says",
        "Put the image there that was annotated, or save it turned as its boxes are.",
    ),
    "no-numbers": Kind("error", "box", "without four finite numbers", "Mend the row: x1, y1, x2, y2 in pixels."),
    "no-label": Kind("error", "box", "without a class", "Name its class."),
    "zero-area": Kind("error", "box", "of zero area", "Draw it anew, or take it out."),
    "outside": Kind("error", "box", "outside the picture", "Draw it anew, or take it out."),
    "absurd": Kind("error", "box", "many times the size of the picture", "Draw it anew: its numbers are no pixels of it."),
    "mask": Kind("error", "mask", "that cannot be read", "Write it anew; where it lies nothing is learned and nothing judged."),
    "swapped": Kind("warning", "box", "with swapped corners", "They are put in order. Write x1 < x2 and y1 < y2.", False),
    "scaled": Kind("warning", "image", "annotated at another size", "The boxes are scaled to the image's own size.", False),
    "turned": Kind(
        "warning", "image", "annotated before its EXIF entry turns it", "The boxes are turned as the image is.", False
    ),
    "duplicate": Kind("warning", "box", "there twice", "One of each is kept."),
    "two-labels": Kind("warning", "box", "under two labels", "Both are kept: keep the one that is right.", False),
    "clipped": Kind("note", "box", "partly outside the picture", "They are cut off at its edge.", False),
    "no-mask": Kind("note", "box", "without a mask", "Where it lies nothing is learned and nothing judged."),
}  # fmt: skip


def by_kind(faults: Iterable[Fault]) -> Iterator[tuple[str, list[Fault]]]:
    """The faults of each kind, in the order of ``KINDS``."""
    groups: dict[str, list[Fault]] = {kind: [] for kind in KINDS}
    for fault in faults:
        groups[fault.kind].append(fault)
    yield from ((kind, group) for kind, group in groups.items() if group)


def in_words(kind: str, number: int) -> str:
    """So many faults of a kind.

    Example:
        >>> in_words("zero-area", 1), in_words("outside", 2)
        ('1 box of zero area', '2 boxes outside the picture')
    """
    unit, words = KINDS[kind].unit, KINDS[kind].words
    plural = f"{unit}{'es' if unit == 'box' else 's'}"
    return f"{number:,} {unit if number == 1 else plural} {words}"


def fault_lines(faults: Sequence[Fault], most: int = NAMED) -> list[str]:
    """A line for each kind: how many, what was done, and the first few by name.

    Example:
        >>> fault_lines([Fault("zero-area", "a.csv, line 2", "a.png", "3 3 3 9")])
        ['1 box of zero area left out: a.csv, line 2: 3 3 3 9']
    """
    lines = []
    for kind, group in by_kind(faults):
        first = KINDS[kind].mend.partition(".")[0]
        done = " left out" if KINDS[kind].left_out else f" ({first[0].lower()}{first[1:]})"
        lines.append(f"{in_words(kind, len(group))}{done}: {listed([str(fault) for fault in group], most)}")
    return lines


__all__ = ["KINDS", "Fault", "Kind", "by_kind", "fault_lines", "in_words"]
