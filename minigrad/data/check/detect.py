"""The check of photos with boxes: a folder, a file of boxes, or a named set."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from minigrad.data.boxaugment import laid
from minigrad.data.boxed import BoxedImage, BoxedImages, whole_items
from minigrad.data.boxfaults import KINDS, Fault, by_kind, in_words
from minigrad.data.boxjudge import Reader, Sound
from minigrad.data.check import copies
from minigrad.data.check.pictures import ORDER, Picture, in_folder
from minigrad.data.check.report import Finding, Item, Report
from minigrad.data.decode import quiet_pictures
from minigrad.data.detection import judged_boxes, sizes_line
from minigrad.data.folder import Layout
from minigrad.data.masks import extent
from minigrad.data.pixels import Progress, in_threads
from minigrad.data.scenes import SCENES, open_scenes
from minigrad.data.words import counted, listed, shown
from minigrad.errors import DataError

SAMPLES = 6  # photos that are drawn
SIDE = 800  # pixels: larger ones are drawn smaller
SMALL = 8  # pixels: boxes with a shorter side are hard to find
MOST = 0.9  # of the picture: boxes that cover more tell little
FEW = 20  # boxes of a class: of fewer nobody learns what it looks like
APART = 0.5  # least intersection over union of a box and its mask
LOOKED_AT = 1000  # masks
SCENES_SEEN = 50  # scenes of each part that are counted
ALL = "boxes"  # the column of a table where the data have no parts


class Sample(NamedTuple):
    """A photo to be drawn: its name, and what is on it."""

    name: str
    sample: BoxedImage
    classes: tuple[str, ...]


def check_boxes(data: Any, progress: Progress | None = None) -> Report:
    """Look through photos with boxes for all that spoils a detector trained on them, or the figures that it is given.

    Found are files that cannot be read, images that are not there, are too large or of another size than their boxes are for;
    boxes of zero area, outside the picture or partly so, with swapped corners, absurd sizes or no numbers, twice or under two
    labels; masks that cannot be read or lie elsewhere; the same picture twice, or in two parts; classes of few boxes and of
    names that are all but the same. Nothing is changed.

    Args:
        data: what ``open_boxes`` takes.
        progress: called as ``progress(doing, done, total)``.

    Returns:
        The report; it counts boxes by class, and its ``samples`` are photos to be drawn.

    Raises:
        DataError: there is nothing that could be checked: no such path, no boxes.

    Example:
        >>> report = check_boxes("scenes-digits")
        >>> report.size, report.errors, len(report.samples)
        (40800, 0, 6)
    """
    given = os.fspath(data)
    if given in SCENES:
        return _scenes(given, progress)
    judged, form = judged_boxes(given, keep=0, progress=progress)
    judged = judged._replace(notes=[note for note in judged.notes if not note.startswith("memory:")])
    pictures, unread = _looked_at(given, judged.photos, progress)
    sound = [photo for photo in judged.photos if photo.name not in {fault.image for fault in unread}]
    faults = [*judged.faults, *unread]
    findings = [
        *_faults(faults, form, os.path.isdir(os.path.expanduser(given))),
        *copies.found(pictures, fixable=False, classes=False),
    ]
    findings += [*_few_photos(sound), *_classes(sound, judged.classes), *_sizes(sound), *_masks(sound)]
    findings += [Finding("told", "note", note, "Nothing needs doing if that is meant.") for note in judged.notes]
    empty = sum(not len(photo.boxes) for photo in sound)
    boxes = sum(len(photo.boxes) for photo in sound)
    about = f"{form}, {boxes:,} boxes{' with masks' if judged.masks else ''}, {sizes_line(sound)}" if sound else form
    if empty:
        about += f", {counted(empty, 'image')} without boxes"
    counts = _counts(sound, judged.classes)
    return Report(given, len(sound), about, counts, findings, samples=tuple(_samples(sound, judged.classes, judged.masks)))


def _looked_at(given: str, photos: Sequence[Sound], progress: Progress | None) -> tuple[list[Picture], list[Fault]]:
    """Each photo decoded: what tells it from others, or that it cannot be."""
    files = [photo for photo in photos if isinstance(photo.path, str)]
    if not files:
        return [], []  # a named set, whose files are known
    by_part: dict[str, dict[str, list[str]]] = {part: {} for part in ORDER}
    names: dict[str, str] = {}
    given = os.path.expanduser(given)
    top = given if os.path.isdir(given) else os.path.dirname(os.path.abspath(given))
    for photo in files:
        path = str(photo.path)
        by_part[photo.part or "train"].setdefault("", []).append(path)
        names[os.path.relpath(path, top).replace(os.sep, "/")] = photo.name
    pictures: list[Picture] = []
    faults: list[Fault] = []
    for found in in_folder(top, Layout(top, {}, by_part), progress):
        if isinstance(found, Picture):
            pictures.append(found)
        else:
            name = names.get(found.name, found.name)
            faults.append(Fault("undecodable", shown(name), shown(name), found.why))
    return pictures, faults


def _faults(faults: Sequence[Fault], form: str, folder: bool) -> Iterator[Finding]:
    """A finding for each kind of fault. Of a folder of Pascal VOC the files that cannot be read can be set aside."""
    voc = form == "Pascal VOC" and folder
    for kind, group in by_kind(faults):
        about = KINDS[kind]
        items = tuple(Item((fault.image or fault.place,), str(fault)) for fault in group)
        aside: tuple[str, ...] = ()
        mend = about.mend
        if kind == "annotations" and voc:
            aside = tuple(dict.fromkeys(fault.place for fault in group))
            items = tuple(Item((fault.place,), fault.detail) for fault in group)
            mend += " --fix sets it aside." if len(group) == 1 else " --fix sets them aside."
        yield Finding(kind, about.severity, in_words(kind, len(group)), mend, items, aside)


def _few_photos(photos: Sequence[Sound]) -> Iterator[Finding]:
    different = len({photo.content for photo in photos})
    if different < 2 and not any(photo.width >= 3 for photo in photos):
        yield Finding("too-few", "error", counted(different, "photo"), "Add photos.")
    elif different < FEW:
        words = f"{counted(different, 'different photo')}: figures measured on a few of them say little"
        yield Finding("few-photos", "note", words, "Add photos; large ones are split by columns of tiles.")


def _classes(photos: Sequence[Sound], classes: Sequence[str]) -> Iterator[Finding]:
    """Classes of few boxes, or that a part lacks, and names that are all but the same."""
    counts = _counts(photos, classes)
    parts = counts if ALL not in counts else {"train": counts[ALL]}
    few = [f"{name} ({n})" for name, n in parts.get("train", {}).items() if n < FEW]
    if few:
        words = f"{counted(len(few), 'class')} with fewer than {FEW} boxes to learn from: {listed(few, 10)}"
        yield Finding("few", "warning", words, "Draw more, or leave such classes out: so few are learnt by heart.")
    for part in parts.keys() - {"train"}:
        missing = [name for name, n in parts[part].items() if not n]
        if missing:
            words = f"no box of {listed(missing, 10)} in the {part} part"
            yield Finding("missing-class", "note", words, "Their figures cannot be measured there: add photos of them.")
    alike: dict[str, list[str]] = {}
    for name in classes:
        alike.setdefault(" ".join(name.replace("_", " ").replace("-", " ").split()).casefold(), []).append(name)
    same = [group for group in alike.values() if len(group) > 1]
    if same:
        pairs = "; ".join(" and ".join(f"'{name}'" for name in group) for group in same)
        words = f"class names that differ in letter case, blanks or dashes only: {pairs}"
        yield Finding("alike-names", "warning", words, "If they are one class, give it one name.")


def _sizes(photos: Sequence[Sound]) -> Iterator[Finding]:
    """Boxes that are very small, or nearly as large as the picture."""
    small: list[Item] = []
    large: list[Item] = []
    for photo in photos:
        sides = photo.boxes[:, 2:] - photo.boxes[:, :2]
        share = sides.prod(1) / (photo.width * photo.height)
        for row in np.flatnonzero(sides.min(1, initial=np.inf) < SMALL).tolist():
            small.append(Item((photo.name,), f"{photo.places[row]}: {sides[row][0]:.3g}x{sides[row][1]:.3g} pixels"))
        for row in np.flatnonzero(share > MOST).tolist():
            large.append(Item((photo.name,), f"{photo.places[row]}: {100 * share[row]:.0f} % of the picture"))
    for kind, items, words, mend in (
        ("small", small, f"with a side of less than {SMALL} pixels", "Photos that are larger, or tiles of them, show more."),
        ("large", large, f"of more than {MOST:.0%} of the picture", "Look whether they are drawn around the object."),
    ):
        if items:
            what = f"{len(items):,} {'box' if len(items) == 1 else 'boxes'} {words}"
            yield Finding(f"{kind}-boxes", "note", what, mend, tuple(items))


def _masks(photos: Sequence[Sound]) -> Iterator[Finding]:
    """Masks whose extent is not their box."""
    items: list[Item] = []
    looked_at = 0
    for photo in photos:
        for row in range(len(photo.outlines)):
            looked_at += 1
            if looked_at > LOOKED_AT:
                break
            box = extent(photo.mask(row))
            if box is None or _overlap(box, photo.boxes[row]) < APART:
                what = "no pixel" if box is None else " ".join(f"{value:g}" for value in box)
                items.append(Item((photo.name,), f"{photo.places[row]}: the mask's extent is {what}"))
    if items:
        words = f"{counted(len(items), 'mask')} elsewhere than the box"
        yield Finding("mask-elsewhere", "warning", words, "Look which of the two is right.", tuple(items))


def _overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two boxes."""
    sides = np.clip(np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]), 0, None)
    inside = float(sides.prod())
    return inside / (float((one[2:] - one[:2]).prod()) + float((other[2:] - other[:2]).prod()) - inside)


def _counts(photos: Sequence[Sound], classes: Sequence[str]) -> dict[str, dict[str, int]]:
    """Part -> class -> boxes."""
    found = {photo.part for photo in photos}
    parts = [part for part in ORDER if part in found] if found - {""} else [ALL]
    counts: dict[str, Counter[int]] = {part: Counter() for part in parts}
    for photo in photos:
        part = ALL if parts == [ALL] else photo.part or "train"
        counts.setdefault(part, Counter()).update(photo.labels.tolist())
    return {part: {name: counts[part][k] for k, name in enumerate(classes)} for part in counts}


def _samples(photos: Sequence[Sound], classes: tuple[str, ...], masks: bool) -> Iterator[Sample]:
    """A few photos with boxes, evenly spread, and one without where there is one."""
    full = [k for k, photo in enumerate(photos) if len(photo.boxes)]
    chosen = [full[place] for place in np.linspace(0, len(full) - 1, min(SAMPLES, len(full))).round().astype(int).tolist()]
    boxed = BoxedImages(photos, whole_items(photos), classes, masks, Reader(3, None, ""))
    for k in dict.fromkeys(chosen):
        try:
            with quiet_pictures():
                sample = boxed[k]
        except DataError:
            continue
        yield Sample(photos[k].name, _shrunk(sample), classes)


def _shrunk(sample: BoxedImage) -> BoxedImage:
    height, width = sample.image.shape[1:]
    scale = SIDE / max(height, width)
    if scale >= 1:
        return sample
    new = max(1, round(height * scale)), max(1, round(width * scale))
    return laid(sample, new, new, (0, 0), inside=0.0, least=0.1)


def _scenes(name: str, progress: Progress | None) -> Report:
    """Scenes are made by the rules, so that there is nothing to find: the first are counted and shown."""
    scenes = open_scenes(name, progress=progress)
    counts: dict[str, Mapping[str, int]] = {}
    for part, boxed in zip(ORDER, scenes[:3], strict=True):
        found: Counter[int] = Counter()
        for _, labels in in_threads(boxed.targets, range(SCENES_SEEN)):
            found.update(labels.tolist())
        counts[part] = {label: found[k] for k, label in enumerate(boxed.classes)}
    findings = [
        Finding("told", "note", f"boxes of the first {SCENES_SEEN} scenes of each part are counted", "Nothing needs doing.")
    ]
    total = sum(len(part) for part in scenes[:3])
    samples = tuple(Sample(scenes.train.names[k], scenes.train[k], scenes.train.classes) for k in range(SAMPLES))
    return Report(name, total, scenes.policy[0], counts, findings, samples=samples)


__all__ = ["Sample", "check_boxes"]
