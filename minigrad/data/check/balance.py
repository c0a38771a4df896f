"""Findings about classes: missing, empty, small, unequal, or of nearly one name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from minigrad.data.check.pictures import ORDER, Picture
from minigrad.data.check.report import Finding
from minigrad.data.check.single import labels_of
from minigrad.data.folder import Layout
from minigrad.data.holdout import LEAST
from minigrad.data.walk import natural
from minigrad.data.words import counted, listed, shown

SMALL = 10  # images of a class in the training part
LITTLE = 20  # images for each class, on the mean
UNEQUAL, VERY_UNEQUAL = 3, 10  # largest class over smallest
COARSE = 100  # images of the test part
NAMED = 10  # classes that a finding names

Counts = dict[str, dict[str, int]]


def class_counts(pictures: Sequence[Picture], layout: Layout | None) -> Counts:
    """Part -> class -> number of images, with a 0 for each class folder without images that can be read."""
    classes = {part: labels_of(p for p in pictures if p.place.part == part) for part in ("train", "test")}
    if layout is not None:
        classes = {part: sorted(layout.images[part], key=natural) for part in ORDER if part in layout.images}
    held = Counter((picture.place.part, picture.place.label) for picture in pictures)
    return {part: {label: held[part, label] for label in labels} for part, labels in classes.items()}


def found(pictures: Sequence[Picture], counts: Counts) -> Iterator[Finding]:
    """Findings about classes."""
    train = counts["train"]
    yield from _missing(counts)
    if len(train) == 1:
        mend = "A classifier tells classes apart: make a folder for each. --fix leaves this alone."
        yield Finding("one-class", "error", f"all images are of one class, {quoted(next(iter(train)))}", mend)
    yield from _alike(train)
    yield from _few(pictures, counts)
    sizes = [size for size in train.values() if size]
    if len(sizes) > 1:
        yield from _unequal(train, max(sizes) / min(sizes))
    if sizes and SMALL <= sum(sizes) / len(sizes) < LITTLE:
        words = f"{sum(sizes):,} images for {len(sizes):,} classes are little: {sum(sizes) / len(sizes):.0f} for each"
        yield Finding(
            "little-data", "warning", words, "Add images; until then, train with augmentation, or begin from a trained model."
        )
    test = sum(counts.get("test", {}).values())
    if 0 < test < COARSE:
        words = f"the test part holds {counted(test, 'image')}: each is {100 / test:.1f} % of the figure"
        yield Finding("small-test", "note", words, "Move more images to it, or read the figure with that in mind.")


def quoted(label: str) -> str:
    """A class's name, in quotes where blanks at its ends would be overlooked.

    Example:
        >>> quoted("dog"), quoted("dog ")
        ('dog', "'dog '")
    """
    text = shown(label)
    return text if " ".join(text.split()) == text else f"'{text}'"


def _missing(counts: Counts) -> Iterator[Finding]:
    """Classes without images, and classes that one part has and another lacks."""
    for part, classes in counts.items():
        empty = [quoted(label) for label, size in classes.items() if not size]
        if empty:
            folders = "folder" if len(empty) == 1 else "folders"
            words = f"{len(empty):,} class {folders} of {part} without images that can be read: {listed(empty, NAMED)}"
            yield Finding("empty-class", "error", words, "Put images there, or remove the folder.")
    train = counts["train"]
    for part in counts.keys() - {"train"}:
        more = [quoted(label) for label in counts[part] if label not in train]
        less = [quoted(label) for label in train if label not in counts[part]]
        if more or less:
            told = [f"{part} has {listed(more, NAMED)}, which train has not"] if more else []
            told += [f"{part} lacks {listed(less, NAMED)}"] if less else []
            mend = "Give both the same class folders, in the same letter case."
            yield Finding("other-classes", "error", "; ".join(told), mend)


def _alike(train: Mapping[str, int]) -> Iterator[Finding]:
    """Classes whose names differ in letter case or white space only."""
    groups: dict[str, list[str]] = {}
    for label in train:
        groups.setdefault(" ".join(label.replace("_", " ").split()).casefold(), []).append(label)
    same = [group for group in groups.values() if len(group) > 1]
    if same:
        pairs = "; ".join(" and ".join(quoted(label) for label in group) for group in same)
        words = f"class names that differ in letter case, white space or underscore only: {pairs}"
        yield Finding("alike-names", "warning", words, "If they are one class, put their images into one folder.")


def _few(pictures: Sequence[Picture], counts: Counts) -> Iterator[Finding]:
    """Classes with too few different images to train on, and with few."""
    least = LEAST if "validation" in counts else LEAST + 1  # one is held out where the data have no validation part
    different: dict[str, set[bytes]] = {label: set() for label in counts["train"]}
    for picture in pictures:
        if picture.place.part == "train":
            different[picture.place.label].add(picture.content)
    sizes = {label: len(contents) for label, contents in different.items() if contents}
    too_few = [label for label, size in sizes.items() if size < least]
    few = [label for label, size in sizes.items() if least <= size < SMALL]
    if too_few:
        words = f"{_classes(too_few)} with fewer than {least} different images to train on: {_sized(too_few, sizes)}"
        mend = f"Add images: {SMALL} are few, and a class needs {least} to be trained on at all."
        yield Finding("too-few", "error", words, mend)
    if few:
        words = f"{_classes(few)} with fewer than {SMALL} images to train on: {_sized(few, sizes)}"
        yield Finding("few", "warning", words, "Add images, or leave such classes out: so few are learnt by heart.")


def _unequal(train: Mapping[str, int], ratio: float) -> Iterator[Finding]:
    if ratio < UNEQUAL:
        return
    smallest, largest = (
        min((label for label in train if train[label]), key=train.__getitem__),
        max(train, key=train.__getitem__),
    )
    words = f"the largest class, {quoted(largest)}, has {ratio:.1f} times the images of the smallest, {quoted(smallest)}"
    mend = "Add images to the small classes, and look at each class's figure rather than at the mean."
    yield Finding("unequal", "warning" if ratio >= VERY_UNEQUAL else "note", words, mend)


def _classes(labels: Sequence[str]) -> str:
    return counted(len(labels), "class")


def _sized(labels: Sequence[str], sizes: Mapping[str, int]) -> str:
    return listed([f"{quoted(label)} ({sizes[label]})" for label in labels], NAMED)
