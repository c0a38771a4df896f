"""Which photos, or which columns of a few large ones, are learned from and which are to choose and to test by."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from minigrad.data.boxed import Item, Window
from minigrad.data.boxjudge import Sound
from minigrad.data.holdout import rank
from minigrad.data.words import counted
from minigrad.errors import DataError

PARTS = ("train", "validation", "test")
INSIDE = 0.4  # of its area: a box of which less is in a tile is none of the tile's
SEEN = 1.0  # pixel: of a box that is cut away, a strip that is narrower is not seen
HOW = "Add photos, or put some into a folder val beside train"


class Parts(NamedTuple):
    """What each part holds, and how it was split, in words."""

    train: list[Item]
    validation: list[Item]
    test: list[Item]
    words: str


def by_photo(photos: Sequence[Sound], holdout: float, test: float, seed: int, tile: int | None) -> Parts:
    """Whole photos to each part: as the data say, else by a hash of seed and name, photos of equal contents together.

    Where the data have a part for training and none for validation, that is held out of the training part.

    Raises:
        DataError: there are too few photos to hold one out.
    """
    given = [photo.part for photo in photos]
    named = set(given) - {""}
    if named and named != {"test"} and "train" not in named:
        given = [part or "train" for part in given]
        named = set(given)
    if "train" in named:
        chosen = {k: part or "train" for k, part in enumerate(given)}
        words = "as the data are split"
        if "validation" not in named:
            of_train = [k for k, part in chosen.items() if part == "train"]
            chosen |= dict.fromkeys(_held_out(photos, of_train, [holdout], seed)[0], "validation")
            words += f", {holdout:.0%} of the training photos held out for validation"
    else:
        out = _held_out(photos, range(len(photos)), [holdout, test], seed)
        chosen = dict.fromkeys(range(len(photos)), "train")
        chosen |= {k: part for part, group in zip(PARTS[1:], out, strict=True) for k in group}
        words = "by photo"
    if tile:
        words += f", and cut into tiles of at most {tile} pixels"
    items: dict[str, list[Item]] = {part: [] for part in PARTS}
    for k, photo in enumerate(photos):
        grid = [window for column in columns(photo, tile) for window in column] if tile else [None]
        items[chosen[k]] += [cut(photo, k, window) for window in grid]
    return Parts(items["train"], items["validation"], items["test"], words)


def by_column(photos: Sequence[Sound], holdout: float, test: float, seed: int, tile: int) -> Parts:
    """Of each photo three columns of tiles wide or more, neighbouring columns to each part; narrower photos to train on.

    Tiles never overlap. Which columns are held out is decided by a hash of seed and the photo's name.

    Raises:
        DataError: no photo is three columns wide.
    """
    items: dict[str, list[Item]] = {part: [] for part in PARTS}
    wide = 0
    for k, photo in enumerate(photos):
        grid = columns(photo, tile)
        part_of = ["train"] * len(grid)
        if len(grid) >= 3:
            wide += 1
            first = int.from_bytes(rank(seed, photo.name)[:8], "big") % len(grid)
            place = 0
            for part, share in (("validation", holdout), ("test", test)):
                count = min(max(1, round(share * len(grid))), len(grid) - 1 - place) if share else 0
                for _ in range(count):
                    part_of[(first + place) % len(grid)] = part
                    place += 1
        for part, column in zip(part_of, grid, strict=True):
            items[part] += [cut(photo, k, window) for window in column]
    if not items["validation"] or (test and not items["test"]):
        got = f"{counted(len(photos), 'photo')}, of which {wide} are three columns or more wide"
        raise DataError("data", "photos", f"photos at least three tiles of {tile} pixels wide", got, HOW)
    words = (
        f"by tile column: tiles of at most {tile} pixels that never overlap, whole columns of {counted(wide, 'photo')} held out"
    )
    return Parts(items["train"], items["validation"], items["test"], words)


def columns(photo: Sound, tile: int) -> list[list[Window]]:
    """The columns of a photo's tiles; tiles are as equal as whole pixels allow, and no side is longer than ``tile``."""
    across, down = (
        np.linspace(0, size, -(-size // tile) + 1).round().astype(int).tolist() for size in (photo.width, photo.height)
    )
    return [[(x1, y1, x2, y2) for y1, y2 in itertools.pairwise(down)] for x1, x2 in itertools.pairwise(across)]


def cut(photo: Sound, number: int, window: Window | None) -> Item:
    """What of a photo is in a window.

    A box is kept, cut off at the window's edge, where at least ``INSIDE`` of its area is inside; of others what is seen is
    ignored.
    """
    if window is None or window == (0, 0, photo.width, photo.height):
        rows = np.arange(len(photo.boxes))
        return Item(number, None, photo.name, photo.boxes, photo.labels, rows, photo.ignored, photo.ignored_labels)
    x1, y1, x2, y2 = window
    boxes, share, seen = clipped(photo.boxes, window)
    kept = (share >= INSIDE) & seen
    if photo.outlines:  # a box may be inside where its mask is not
        for row in np.flatnonzero(kept & (share < 1)).tolist():
            kept[row] = photo.mask(row)[y1:y2, x1:x2].any()
    ignored, _, ignored_seen = clipped(photo.ignored, window)
    rest = seen & ~kept
    name = f"{photo.name} [{x1}:{x2}, {y1}:{y2}]"
    rows = np.flatnonzero(kept)
    return Item(
        number, window, name, boxes[rows], photo.labels[rows], rows, np.concatenate([ignored[ignored_seen], boxes[rest]]),
        np.concatenate([photo.ignored_labels[ignored_seen], photo.labels[rest]]),
    )  # fmt: skip


def clipped(boxes: np.ndarray, window: Sequence[float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes (n, 4) cut off at a window's edges and counted from its corner.

    Returns:
        The boxes float32 (n, 4); of each the share of its area that is inside; and whether enough of it is to be seen: more
        than ``SEEN`` pixels both ways, or all of it.

    Example:
        >>> boxes, share, seen = clipped(np.array([[0, 0, 10, 10], [8, 0, 20, 5]], np.float32), (5, 0, 30, 30))
        >>> boxes.tolist(), share.tolist(), seen.tolist()
        ([[0.0, 0.0, 5.0, 10.0], [3.0, 0.0, 15.0, 5.0]], [0.5, 1.0], [True, True])
    """
    x1, y1, x2, y2 = window
    low, high = np.array([x1, y1] * 2, np.float32), np.array([x2, y2] * 2, np.float32)
    inside = np.clip(boxes, low, high)
    sides, whole = inside[:, 2:] - inside[:, :2], boxes[:, 2:] - boxes[:, :2]
    area = whole.prod(1)
    share = np.divide(sides.prod(1), area, out=np.zeros_like(area), where=area > 0)
    seen = (sides > np.minimum(SEEN, 0.999 * whole)).all(1) & (sides > 0).all(1)
    return inside - low, share, seen


def _held_out(photos: Sequence[Sound], rows: Sequence[int] | range, shares: Sequence[float], seed: int) -> list[list[int]]:
    """For each share the photos held out, one at least where the share is above 0; one different photo stays at least.

    Raises:
        DataError: there are too few different photos.
    """
    groups: dict[bytes | int, list[int]] = {}
    for k in rows:
        groups.setdefault(photos[k].content or k, []).append(k)
    ranked = sorted(groups.values(), key=lambda group: min(rank(seed, photos[k].name) for k in group))
    needed = 1 + sum(share > 0 for share in shares)
    if len(ranked) < needed:
        what = "to learn from and to choose by" if needed == 2 else "to learn from, to choose and to test by"
        raise DataError("data", "photos", f"at least {needed} different photos {what}", f"{len(ranked)}", HOW)
    out: list[list[int]] = []
    left = needed - 1
    for share in shares:
        chosen: list[int] = []
        target = max(1, round(share * len(rows))) if share else 0
        left -= share > 0
        while ranked and len(ranked) > 1 + left and len(chosen) < target:
            chosen += ranked.pop(0)
        out.append(sorted(chosen))
    return out


__all__ = ["INSIDE", "Parts", "by_column", "by_photo", "clipped", "columns", "cut"]
