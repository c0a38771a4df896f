"""Photos with boxes for a detector that is trained already: of classes that it knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from minigrad.data.boxed import BoxedImages
from minigrad.data.boxjudge import Reader, Sound
from minigrad.data.boxsplit import columns, cut
from minigrad.data.detection import digest, judged_boxes
from minigrad.data.pixels import Progress
from minigrad.data.unseen import known_places


def open_known_boxes(
    data: str, classes: Sequence[str], *, channels: int = 3, tile: int = 0, but: str = "", progress: Progress | None = None
) -> tuple[BoxedImages, str] | None:
    """The photos with boxes at a path: its test part where it has one, else all; and what they are, in words.

    Some of the classes are enough, and one photo is.

    Args:
        data: the path of a folder of photos and boxes, or of a file of boxes.
        classes: those that the detector knows. The labels are places in this list.
        channels: 3 for colour, 1 for grey.
        tile: the longest side of tiles that photos are cut into; 0 for none.
        but: the digest of data of which None is given, as a part of them was learned from.
        progress: called as ``progress(doing, done, total)``.

    Raises:
        DataError: no sound box is there, or one of a class that is none of ``classes``.
    """
    judged, _ = judged_boxes(data, channels=channels, progress=progress)
    if digest(judged.classes, judged.photos) == but:
        return None
    place = known_places(data, judged.classes, classes, "detector")
    photos = [_relabelled(photo, place) for photo in judged.photos]
    tested = [k for k, photo in enumerate(photos) if photo.part == "test"]
    items = [
        cut(photos[k], k, window)
        for k in tested or range(len(photos))
        for window in ([window for column in columns(photos[k], tile) for window in column] if tile else [None])
    ]
    reader = Reader(channels, None, "`minigrad data check detect` finds such files")
    return BoxedImages(photos, items, classes, judged.masks, reader), f"test part of {data}" if tested else data


def _relabelled(photo: Sound, place: np.ndarray) -> Sound:
    """A photo whose labels are places in another list; -1 stays, a class that has no boxes."""
    known = np.append(place, -1)
    return replace(photo, labels=known[photo.labels], ignored_labels=known[photo.ignored_labels])


__all__ = ["open_known_boxes"]
