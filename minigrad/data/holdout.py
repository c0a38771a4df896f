"""Which images of the training part are held out for validation."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence

import numpy as np

from minigrad.data.words import listed
from minigrad.errors import DataError

SHARE = 0.1  # of each class,
SMALL_SHARE = 0.2  # and where there are fewer than
SMALL = 1000  # images in all
LEAST = 2  # images of each class that stay to learn from


def usual_share(images: int) -> float:
    """The share to hold out of so many images where none is asked for.

    Example:
        >>> usual_share(999), usual_share(1000)
        (0.2, 0.1)
    """
    return SMALL_SHARE if images < SMALL else SHARE


def held_out(
    labels: np.ndarray, names: Sequence[str], digests: Sequence[bytes], classes: Sequence[str], share: float, seed: int
) -> np.ndarray:
    """Which images are held out: of each class its share, and one at least.

    The order in which images are taken is that of a hash of seed and name: neither the order of a listing nor what other
    images there are changes it. Images of equal contents go to the same side together, by the first of their names.

    Args:
        labels: int64 (N,).
        names: what the choice goes by.
        digests: what tells that two images are the same.
        classes: for errors.
        share: of each class.
        seed: of the choice.

    Returns:
        bool (N,).

    Raises:
        DataError: a class with so few different images that none can be held out while 2 stay.

    Example:
        >>> labels = np.arange(20) % 2
        >>> names = [f"{i}.png" for i in range(20)]
        >>> held_out(labels, names, [name.encode() for name in names], ["a", "b"], 0.2, seed=0).nonzero()[0].tolist()
        [8, 11, 17, 18]
    """
    groups: dict[bytes, list[int]] = {}
    for i, digest in enumerate(digests):
        groups.setdefault(digest, []).append(i)
    ranked = []
    for group in groups.values():
        place, first = min((rank(seed, names[i]), i) for i in group)
        ranked.append((place, int(labels[first]), group))
    ranked.sort()
    total = np.bincount(labels, minlength=len(classes))
    target = np.maximum(1, np.rint(total * share).astype(np.int64))
    out = np.zeros(len(labels), bool)
    count = np.zeros(len(classes), np.int64)

    def take(most: np.ndarray) -> None:
        for _, label, group in ranked:
            if count[label] < target[label]:
                after = count + np.bincount(labels[group], minlength=len(classes))
                if np.all((after <= most) | (after == count)):
                    out[group] = True
                    count[:] = after

    take(np.minimum(target, total - LEAST))
    if not count.all():  # a group of equal images that is larger than the share is better than none
        target = np.where(count == 0, 1, 0)
        take(total - LEAST)
    short = np.flatnonzero(count == 0)
    if len(short):
        different = np.bincount([label for _, label, _ in ranked], minlength=len(classes))
        which = [f"{classes[k]} {total[k]} ({different[k]} different)" for k in short.tolist()]
        expected = f"at least {LEAST + 1} different images of each class: 1 is held out, {LEAST} stay to learn from"
        raise _too_few(expected, which)
    return out


def check_enough(labels: np.ndarray, classes: Sequence[str]) -> None:
    """Refuse a training part in which a class has fewer than 2 images.

    Raises:
        DataError: names the classes.
    """
    total = np.bincount(labels, minlength=len(classes))
    short = [f"{classes[k]} {total[k]}" for k in np.flatnonzero(total < LEAST).tolist()]
    if short:
        raise _too_few(f"at least {LEAST} images of each class to learn from", short)


def _too_few(expected: str, which: Sequence[str]) -> DataError:
    """The error that names the classes with too few images."""
    return DataError("data", "classes", expected, listed(which), "Add images, or remove the folders of these classes")


def rank(seed: int, name: str) -> bytes:
    """What names are sorted by for a choice that neither their order nor other names change.

    Example:
        >>> sorted("abcd", key=lambda name: rank(0, name))
        ['d', 'c', 'a', 'b']
    """
    return hashlib.sha256(f"{seed}\0{unicodedata.normalize('NFC', name)}".encode("utf-8", "surrogatepass")).digest()
