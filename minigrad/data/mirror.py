"""Whether images may be mirrored in training without changing what they are: told from the data alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from minigrad.data.decode import refit
from minigrad.kernels import random

if TYPE_CHECKING:
    from minigrad.data.labelled import LabelledImages

LOOKED_AT = 2000  # images
SIDE = 16  # at which they are compared, in grey
_UNIT = 1 << 12  # the length of an image as a vector; whole numbers, so that sums are exact in any order
_NEAR = 0.9  # of a class's own images are as near as this to another image; a mirror image that is farther is like none
_KEPT = 0.5  # of what holds for the images must hold for their mirror images
_SWAPPED = 0.2  # of a class, taken for another one that is taken for the first as well
_SURE = 2.0  # standard deviations above chance


class _Found(NamedTuple):
    """``own`` and ``mirrored``: the share whose nearest other image is of their class; ``chance``: of a random other image."""

    own: float
    mirrored: float
    chance: float
    kept: float
    swap: tuple[int, int] | None
    sure: bool
    least: tuple[int, float]  # the class of whose images the fewest keep near, mirrored, and what ``kept`` is of it


def mirror_is_safe(train: LabelledImages) -> tuple[bool, str]:
    """Whether horizontal flips are safe as augmentation, with the sentence that says why.

    Up to 2,000 images are compared at 16 by 16 in grey, each brought to the same mean and contrast. Two shares are counted:
    of the images whose nearest other image is of their own class, and of those for whose mirror image that holds (the image
    itself left out). Mirroring is safe where

    - the first share is above chance, so that likeness says something of the class;
    - the second is above chance by at least half as much;
    - at least half as many mirror images as images lie *near* one of their class: as near as nine in ten of the class do.
      A mirrored 3 is like no digit; a mirrored boot is like no boot, but most garments, mirrored, are like garments;
    - no two classes change places, as arrows to the left and to the right do.

    What cannot be told is not safe. Classes that differ in a detail only, or lie in photos of all kinds, may escape it.

    Args:
        train: the images to learn from.

    Returns:
        Whether it is safe, and a sentence for the user.

    Example:
        >>> from minigrad.data.labelled import LabelledImages
        >>> ramp = np.tile(np.arange(0, 256, 16, dtype=np.uint8), (16, 1))
        >>> noise = random.integers((1, 0), 0, (20, 1, 16, 16), 0, 60).astype(np.uint8)
        >>> pixels = noise + np.stack([ramp // 2, ramp[:, ::-1] // 2] * 10)[:, None]
        >>> mirror_is_safe(LabelledImages(pixels, [0, 1] * 10, ["left", "right"]))[0]
        False
    """
    found = _compare(train)
    if found is None:
        return False, "mirroring is left out: there are too few different images to tell whether it would be safe"
    figures = (
        f"the most similar other image is of the same class for {found.own:.0%} of the images"
        f" and for {found.mirrored:.0%} of their mirror images"
    )
    if found.swap is not None:
        first, second = (train.classes[k] for k in found.swap)
        return False, f"mirroring is not safe: mirrored, {first} looks like {second} and {second} like {first} ({figures})"
    if not found.sure:
        return (
            False,
            f"mirroring is left out: whether it is safe cannot be told, as {figures}, and by chance {found.chance:.0%}",
        )
    if found.kept < _KEPT or found.mirrored - found.chance < _KEPT * (found.own - found.chance):
        return False, f"mirroring is not safe: mirrored, most images look like none of their class ({figures})"
    return True, f"mirroring is safe: {figures}, and no two classes change places"


def mirror_is_alike(images: LabelledImages) -> tuple[bool, str]:
    """Whether images, mirrored left to right, might as well be among them, with the sentence that says why.

    As ``mirror_is_safe`` compares them: of each class at least half as many mirror images as images lie near another one of it.
    That is more than a classifier asks for, as of what is made the mirror image would be made too.

    Args:
        images: of any kind, with classes or all of one.

    Returns:
        Whether it is so, and a sentence for the user.

    Example:
        >>> from minigrad.data.labelled import LabelledImages
        >>> ramp = np.tile(np.arange(0, 256, 16, dtype=np.uint8), (16, 1))
        >>> noise = random.integers((1, 0), 0, (20, 1, 16, 16), 0, 60).astype(np.uint8)
        >>> mirror_is_alike(LabelledImages(noise + ramp // 2, [0] * 20, ["all"]))[0]
        False
    """
    found = _compare(images, least=1)
    kind, share = (0, np.inf) if found is None else found.least
    if share == np.inf:  # no image lies near another one of its class
        return False, "mirroring is left out: there are too few different images to tell whether it would be safe"
    of = "" if len(images.classes) < 2 else f" of {images.classes[kind]}"
    figures = f"{min(share, 1):.0%} as many mirror images{of} as images lie near another image"
    if share < _KEPT:
        return False, f"mirroring is left out: {figures}"
    return True, f"mirroring is safe: {figures}"


def _compare(train: LabelledImages, least: int = 2) -> _Found | None:
    pixels, labels = _vectors(train)
    if len(labels) < 4 or len(np.unique(labels)) < least:
        return None
    classes = len(train.classes)
    mirrored = np.ascontiguousarray(pixels.reshape(-1, SIDE, SIDE)[:, :, ::-1]).reshape(len(pixels), -1)
    nearest, distance = _nearest(pixels, pixels)
    other, other_distance = _nearest(mirrored, pixels)
    total = np.bincount(labels, minlength=classes)
    near = np.array([np.quantile(distance[labels == k], _NEAR) if total[k] else 0.0 for k in range(classes)])

    def taken_for(place: np.ndarray, how_far: np.ndarray) -> np.ndarray:
        """How many images of each class (rows) lie near one of each class (columns)."""
        is_near = how_far <= near[labels[place]]
        counts = np.zeros((classes, classes), np.int64)
        np.add.at(counts, (labels[is_near], labels[place][is_near]), 1)
        return counts

    before, after = taken_for(nearest, distance), taken_for(other, other_distance)
    more = (after - before) / np.maximum(total, 1)[:, None]
    np.fill_diagonal(more, 0)
    both = np.minimum(more, more.T)
    swap = divmod(int(both.argmax()), classes) if both.max() >= _SWAPPED else None
    share = total / total.sum()
    chance = float(share @ share)
    own, own_mirrored = float(np.mean(labels[nearest] == labels)), float(np.mean(labels[other] == labels))
    deviation = float(np.sqrt(chance * (1 - chance) / len(labels)))
    kept = np.trace(after) / max(np.trace(before), 1)
    each = np.where(np.diag(before) > 0, np.diag(after) / np.maximum(np.diag(before), 1), np.inf)
    fewest = int(each.argmin())
    sure = own >= chance + _SURE * deviation
    return _Found(own, own_mirrored, chance, float(kept), swap, sure, (fewest, float(each[fewest])))


def _vectors(train: LabelledImages) -> tuple[np.ndarray, np.ndarray]:
    """Different images as vectors of whole numbers (n, 256) and of one length, with their classes (n,)."""
    chosen = []
    each = -(-LOOKED_AT // len(train.classes))
    for k in range(len(train.classes)):
        rows = np.flatnonzero(train.labels == k)
        chosen.append(rows[random.permutation((k, 0), 0, len(rows))[:each]])
    rows = np.concatenate(chosen)
    small = np.empty((len(rows), SIDE * SIDE), np.int64)
    for start in range(0, len(rows), 256):
        for place, image in enumerate(train.pixels(rows[start : start + 256]), start):
            small[place] = refit(image, (1, SIDE, SIDE)).ravel()
    _, first = np.unique(small, axis=0, return_index=True)
    first.sort()
    small = small[first]
    centred = small * small.shape[1] - small.sum(1, keepdims=True)
    length = np.sqrt((centred * centred).sum(1, keepdims=True).astype(np.float64))
    return np.rint(centred * (_UNIT / np.maximum(length, 1))), train.labels[rows[first]]


def _nearest(images: np.ndarray, among: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each image the nearest one of another number, and its squared distance."""
    squared = (images * images).sum(1)[:, None] - 2 * (images @ among.T) + (among * among).sum(1)
    np.fill_diagonal(squared, np.inf)
    place = squared.argmin(1)
    return place, squared[np.arange(len(images)), place]
