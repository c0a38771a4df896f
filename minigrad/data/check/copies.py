"""Findings about images that are there more than once: by bytes, by pixels, or nearly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from minigrad.data.check.likeness import near_copies
from minigrad.data.check.pictures import LEFT, ORDER, Picture
from minigrad.data.check.report import Finding, Item, Severity
from minigrad.data.words import counted


def found(pictures: Sequence[Picture], *, fixable: bool, classes: bool = True) -> Iterator[Finding]:
    """Findings about copies.

    Args:
        pictures: all images.
        fixable: whether they are files that ``--fix`` may move.
        classes: whether labels mean classes; else all images have the same one.
    """
    groups: dict[bytes, list[Picture]] = {}
    for picture in pictures:
        groups.setdefault(picture.pixels, []).append(picture)
    yield from _same([group for group in groups.values() if len(group) > 1], fixable, classes)
    firsts = [group[0] for group in groups.values()]
    if len(firsts) > 1:
        near = near_copies(np.stack([picture.thumbnail for picture in firsts]))
        yield from _near([[firsts[number] for number in group] for group in near], fixable, classes)


def _kind(group: Sequence[Picture]) -> str:
    if len({picture.place.label for picture in group}) > 1:
        return "two-labels"
    return "leak" if len({picture.place.part for picture in group}) > 1 else "duplicate"


def _same(groups: Sequence[Sequence[Picture]], fixable: bool, classes: bool) -> Iterator[Finding]:
    """Findings about groups of images of equal pixels."""
    told: dict[str, tuple[Severity, str, str, str]] = {
        "two-labels": (
            "error", "under two labels or more",
            "No network can learn both: keep the one that is right.", "--fix sets all of them aside.",
        ),
        "leak": (
            "error", "in more than one of train, validation and test",
            "The figures would be of images that were learnt by heart: keep one of each.",
            "--fix keeps the one of test, else of validation, and sets the others aside; of a file and links to it, the file"
            " is kept.",
        ),
        "duplicate": (
            "note", "more than once in its class" if classes else "more than once",
            "Copies count double and teach nothing: keep one of each.",
            "--fix keeps the first, or the file to which others are links, and sets the others aside.",
        ),
    }  # fmt: skip
    for kind, (severity, words, mend, fix) in told.items():
        of_kind = [group for group in groups if _kind(group) == kind]
        if of_kind:
            items = tuple(Item(tuple(p.name for p in group), _sameness(group)) for group in of_kind)
            aside = tuple(name for group in of_kind for name in _dropped(kind, group)) if fixable else ()
            is_are = "picture is" if len(of_kind) == 1 else "pictures are"
            where = words if len(of_kind) == 1 else words.replace("its class", "their class")
            mend = f"{mend} {fix}" if fixable else mend
            if any(picture.place.is_elsewhere for group in of_kind for picture in group):
                mend += LEFT
            yield Finding(kind, severity, f"{len(of_kind):,} {is_are} there {where}", mend, items, aside)


def _sameness(group: Sequence[Picture]) -> str:
    if not group[0].place.path:
        return ""
    return "the same bytes" if len({picture.content for picture in group}) == 1 else "the same pixels"


def _dropped(kind: str, group: Sequence[Picture]) -> list[str]:
    """The files to move away so that what is left is right, and no link that is left leads to nothing."""
    if kind == "two-labels":  # the label of one that stays would be as doubtful as before
        return [] if any(picture.place.is_elsewhere for picture in group) else [picture.name for picture in group]

    def rank(picture: Picture) -> tuple[bool, bool, int]:
        place = picture.place
        return not place.is_elsewhere, not place.is_link, ORDER.index(place.part)

    kept = max(group, key=rank)  # the first of those that are equal
    return [picture.name for picture in group if picture is not kept and not picture.place.is_elsewhere]


def _near(groups: Sequence[Sequence[Picture]], fixable: bool, classes: bool) -> Iterator[Finding]:
    """Findings about groups of images that look the same and are not equal: for people to judge."""
    look = "Look at each: if it is one picture, keep"
    told: dict[str, tuple[Severity, str, str]] = {
        "two-labels": ("warning", "under two labels or more", f"{look} the one that is right."),
        "leak": ("warning", "in more than one of train, validation and test", f"{look} the one of test."),
        "duplicate": ("note", "in one class" if classes else "there", f"{look} the best."),
    }
    for kind, (severity, words, mend) in told.items():
        of_kind = [group for group in groups if _kind(group) == kind]
        if of_kind:
            items = tuple(Item(tuple(p.name for p in group)) for group in of_kind)
            count = counted(len(of_kind), "group")
            is_are = "is" if len(of_kind) == 1 else "are"
            text = f"{count} of pictures that look the same {is_are} {words}"
            mend = f"{mend} --fix leaves them alone." if fixable else mend
            yield Finding(f"near-{kind}", severity, text, mend, items)
