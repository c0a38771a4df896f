"""The check of handwriting: files of strokes, or a named set."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from minigrad.data.catalogue import named
from minigrad.data.check.report import Finding, Item, Report, Severity
from minigrad.data.entries import Entry
from minigrad.data.iam import find_iam
from minigrad.data.pen import open_strokes
from minigrad.data.pen_files import beside_iam, read_entries
from minigrad.data.pixels import Progress
from minigrad.data.strokes import DENSE, DRAWINGS, Strokes, baseline
from minigrad.data.words import counted, listed, shown
from minigrad.errors import MinigradError

PARTS = ("train", "validation", "test")
SAMPLE = 100  # of each part of a named set are drawn
RARE = 5  # times that a character must be there to be learnt
ENOUGH = 20  # items of which one can be called odd
FAR = 3.0  # times as much or as little as usual is odd
LEAP = 100.0  # times the usual offset: a pen hardly makes it
DRAWN = 60  # points to a drawing: more cost time and teach little
LIFTED, LONG = 0.5, 10  # a pen that is lifted at so many of so many points may be one of which 1 says that it is down
TILT = 0.1  # rise of a line for each unit to the right


class _Sound(NamedTuple):
    """An item that could be read, its part and the file of which it is the only item, if so."""

    strokes: Strokes
    part: str
    file: str


def check_handwriting(data: Any, progress: Progress | None = None) -> Report:
    """Look through handwriting for all that spoils a network that learns to write from it, or the figures that it is given.

    Found are files and items that cannot be read, hold NaN or a single point, or leaps that no pen makes; the same strokes
    twice, or in the training and in another part; characters that are rare, or missing where one learns; texts that are far
    longer or shorter than their strokes; writing that is tilted, has the pen up nearly everywhere or has needlessly many
    points. Nothing is changed.

    Args:
        data: what ``open_strokes`` takes: files, a folder, or a named set.
        progress: called as ``progress(doing, done, total)``.

    Raises:
        DataError: there is nothing that could be checked.

    Example:
        >>> with open("my.json", "w") as file:
        ...     _ = file.write('[{"text": "hi", "points": [[0, 0, 0], [3, 4, 1]]}, {"text": "i", "points": [[0, 0, 1]]}]')
        >>> report = check_handwriting("my.json")
        >>> report.size, report.errors, report.findings[0].items[0]
        (1, 1, Item(files=('my.json, item 1',), detail='expected at least 2 points, got 1 point'))
    """
    given = os.fspath(data)
    if given in named("handwriting"):
        return _of_set(given, progress)
    path = os.path.expanduser(given)
    fixable = os.path.isdir(path) and find_iam(path) in (None, path)
    sound: list[_Sound] = []
    faults: list[Entry] = []
    for entry in read_entries(given, progress):
        if isinstance(entry.found, MinigradError):
            faults.append(entry)
        else:
            sound.append(_Sound(entry.found, entry.part or "train", entry.file if entry.name == entry.file else ""))
    texts = {part: [item.strokes.text for item in sound if item.part == part] for part in PARTS}
    return _report(given, texts, sound, [*_faults(faults, fixable), *_beside(given)], fixable)


def _of_set(name: str, progress: Progress | None) -> Report:
    """The report on a named set: its texts, and of what is drawn of them in the first pass about a hundred."""
    found = open_strokes(name, progress=progress)
    parts = {"train": found.train, "validation": found.validation, "test": found.test}
    there = {part: items for part, items in parts.items() if items is not None}
    some = [
        _Sound(items[number], part, "")
        for part, items in there.items()
        for number in range(0, len(items), -(-len(items) // SAMPLE))
    ]
    return _report(name, {part: items.texts for part, items in there.items()}, some, [], fixable=False)


def _report(
    given: str, texts: Mapping[str, Sequence[str]], sound: Sequence[_Sound], others: Sequence[Finding], fixable: bool
) -> Report:
    counts = {part: Counter("".join(own)) for part, own in texts.items() if own or part == "train"}
    shown_counts = {part: {shown(character): count[character] for character in sorted(count)} for part, count in counts.items()}
    findings = [*others, *_twice(sound, fixable), *_characters(counts), *_odd(sound)]
    return Report(given, sum(map(len, texts.values())), _about(sound), shown_counts, findings, "text", "character")


def _about(sound: Sequence[_Sound]) -> str:
    """Points and height, in words."""
    if not sound:
        return "none that can be read"
    points = sum(len(item.strokes) for item in sound)
    characters = sum(len(item.strokes.text) for item in sound)
    height = np.median([item.strokes.box[3] - item.strokes.box[1] for item in sound])
    return f"{points:,} points, {points / characters:.0f} to a character, {height:.3g} units high"


def _faults(faults: Sequence[Entry], fixable: bool) -> Iterator[Finding]:
    """What cannot be read."""
    if faults:
        items = tuple(Item((fault.name,), _said(fault.found)) for fault in faults)
        aside = tuple(dict.fromkeys(fault.file for fault in faults if fixable and fault.name == fault.file))
        mend = "Mend them, or leave them out."
        if fixable:
            mend += " --fix sets files aside; items of a larger file it leaves alone."
        words = f"{counted(len(faults), 'item')} {'is' if len(faults) == 1 else 'are'} no handwriting that can be learnt from"
        yield Finding("unreadable", "error", words, mend, items, aside)


def _beside(given: str) -> Iterator[Finding]:
    """Files that are passed over."""
    if beside := beside_iam(given):
        words = f"{counted(len(beside), 'file')} beside a copy of IAM-OnDB, which alone is read"
        items = tuple(Item((name,)) for name in beside)
        yield Finding("beside", "warning", words, "Name one of them, or put them into a folder of their own.", items)


def _said(error: Strokes | MinigradError) -> str:
    return f"expected {error.expected}, got {error.got}" if isinstance(error, MinigradError) else ""


def _twice(sound: Sequence[_Sound], fixable: bool) -> Iterator[Finding]:
    """The same strokes more than once."""
    groups: dict[bytes, list[_Sound]] = {}
    for item in sound:
        groups.setdefault(item.strokes.points.tobytes(), []).append(item)
    twice = [group for group in groups.values() if len(group) > 1]
    leaks = [group for group in twice if len({item.part for item in group}) > 1]
    copies = [group for group in twice if len({item.part for item in group}) == 1]
    where = "in more than one of train, validation and test"
    told: tuple[tuple[str, Severity, str, str, list[list[_Sound]]], ...] = (
        ("leak", "error", where, "The figures would be of what was learnt by heart.", leaks),
        ("duplicate", "warning", "more than once", "Copies count double and teach nothing.", copies),
    )
    for kind, severity, words, mend, some in told:
        if some:
            items = tuple(Item(tuple(item.strokes.name for item in group)) for group in some)
            aside = tuple(name for group in some for name in _dropped(group)) if fixable else ()
            tail = " Keep one of each." + (" --fix keeps one of test, else of validation, else the first." if aside else "")
            is_are = "drawing is" if len(some) == 1 else "drawings are"
            yield Finding(kind, severity, f"{len(some):,} {is_are} there {words}", mend + tail, items, aside)


def _dropped(group: Sequence[_Sound]) -> list[str]:
    """The files of all items but the one that is kept, where each is a file of its own."""
    kept = max(group, key=lambda item: PARTS.index(item.part))
    return [item.file for item in group if item is not kept and item.file]


def _characters(counts: dict[str, Counter[str]]) -> Iterator[Finding]:
    """Characters of which there are too few to learn from."""
    learnt = counts["train"]
    rare = [f"{character!r} {count}" for character, count in sorted(learnt.items()) if count < RARE]
    if rare:
        mend = "The network will hardly write them: add texts with them, or leave these texts out."
        yield Finding("rare", "warning", f"{counted(len(rare), 'character')} fewer than {RARE} times: {listed(rare)}", mend)
    missing = sorted({character for count in counts.values() for character in count} - learnt.keys())
    if missing:
        mend = "Nobody can write what was never shown: move such texts to train/, or leave them out."
        words = f"{counted(len(missing), 'character')} in validation or test only: {listed(list(map(repr, missing)))}"
        yield Finding("unlearnt", "warning", words, mend)


def _odd(sound: Sequence[_Sound]) -> Iterator[Finding]:
    """Items that are unlike the others, or unlike what is written well."""
    tilted = [(item, rise) for item in sound if len(item.strokes.text) > 3 and abs(rise := _rise(item.strokes)) > TILT]
    if len(tilted) > len(sound) / 4:
        items = tuple(Item((item.strokes.name,), f"{rise:+.2f} for each unit to the right") for item, rise in tilted)
        mend = "--set level=true turns each level and upright."
        yield Finding("tilted", "note", f"{counted(len(tilted), 'text')} of {len(sound):,} not level", mend, items)
    characters = sum(len(item.strokes.text) for item in sound)
    dense = sum(len(item.strokes) for item in sound) / max(1, characters)
    if dense > (DENSE if characters > DRAWINGS * len(sound) else DRAWN):
        step = 2 * np.median([np.median(_ways(item.strokes)) for item in sound])
        words = f"{dense:.0f} points to a character take long to learn"
        yield Finding(
            "dense", "note", words, f"--set spacing={step:.2g} takes about half of them; texts are taken so by themselves."
        )
    up = [(item, share) for item in sound if len(item.strokes) >= LONG and (share := _lifted(item.strokes)) > LIFTED]
    if len(up) > len(sound) / 2:
        items = tuple(Item((item.strokes.name,), f"lifted at {share:.0%} of the points") for item, share in up)
        mend = "Where 1 means that the pen is down, write 1 less it: here 1 is a point after which it is lifted."
        yield Finding("pen", "warning", f"{counted(len(up), 'text')} of {len(sound):,} with the pen up", mend, items)
    leaps = [(item, far) for item in sound if (far := _leap(item.strokes)) > LEAP]
    if leaps:
        items = tuple(Item((item.strokes.name,), f"{far:.0f} times the usual way between two points") for item, far in leaps)
        mend = "Look at them: a pen that jumps may be a fault of the pad."
        yield Finding("leap", "warning", f"{counted(len(leaps), 'text')} with a leap of the pen", mend, items)
    if len(sound) >= ENOUGH:
        yield from _unlike(sound)


def _unlike(sound: Sequence[_Sound]) -> Iterator[Finding]:
    """Texts that are far longer or shorter than what the pen wrote."""
    lengths = np.array([sum(_ways(item.strokes)) / len(item.strokes.text) for item in sound])
    shares = lengths / np.median(lengths)
    odd = [(sound[i].strokes, shares[i]) for i in np.flatnonzero((shares > FAR) | (shares < 1 / FAR)).tolist()]
    if odd:
        items = tuple(Item((one.name,), f"{share:.1f} times the usual way for {shown(one.text)!r}") for one, share in odd)
        mend = "Look whether the text is what is written."
        yield Finding("text", "warning", f"{counted(len(odd), 'text')} far from the length of the strokes", mend, items)


def _ways(strokes: Strokes) -> np.ndarray:
    """How far the pen went to each point but the first."""
    return np.hypot(strokes.points[1:, 0], strokes.points[1:, 1])


def _lifted(strokes: Strokes) -> float:
    """The share of points at which the pen is lifted."""
    return float(strokes.points[:, 2].mean())


def _leap(strokes: Strokes) -> float:
    """The longest way with the pen down, as a multiple of the usual one."""
    ways = _ways(strokes)
    down = ways[strokes.points[:-1, 2] == 0]
    moved = ways[ways > 0]
    return float(down.max() / np.median(moved)) if len(down) and len(moved) else 0.0


def _rise(strokes: Strokes) -> float:
    return baseline(strokes.absolute())[0]


__all__ = ["check_handwriting"]
