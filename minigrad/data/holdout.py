"""Which images of the training part are held out for validation."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence

import numpy as np

from minigrad.errors import ArgumentError, DataError

SHARE = 0.1  # of each class,
SMALL_SHARE = 0.2  # and where there are fewer than
SMALL = 1000  # images in all
LEAST = 2  # images of each class that stay to learn from


def share_of(where: str, share: float | None, images: int) -> float:
    """The share to hold out: the one asked for, else by how many images there are.

    Raises:
        ArgumentError: it is no share.

    Example:
        >>> share_of("open_images", None, 999), share_of("open_images", None, 1000)
        (0.2, 0.1)
    """
    if share is None:
        return SMALL_SHARE if images < SMALL else SHARE
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 < share < 1:
        raise ArgumentError(where, "holdout", "a share between 0 and 1, such as 0.1", repr(share))
    return float(share)


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
        rank, first = min((_rank(seed, names[i]), i) for i in group)
        ranked.append((rank, int(labels[first]), group))
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
        which = ", ".join(f"{classes[k]} ({total[k]})" for k in short[:5]) + (", ..." if len(short) > 5 else "")
        expected = f"at least {LEAST + 1} different images of each class: 1 is held out, {LEAST} stay to learn from"
        raise DataError("data", "classes", expected, f"too few of {which}", "Add images, or remove the class's folder")
    return out


def _rank(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}\0{unicodedata.normalize('NFC', name)}".encode("utf-8", "surrogatepass")).digest()
