"""Photos with boxes as a data set: each sample is an image with boxes, labels and, where there are any, masks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from minigrad.data.boxjudge import Reader, Sound
from minigrad.data.dataset import Dataset, whole_index, whole_indices
from minigrad.data.masks import run_lengths
from minigrad.errors import ArgumentError, DTypeError, IndexingError, ShapeError

LAST = 2  # photos that stay decoded where not all are kept

Window = tuple[int, int, int, int]


class BoxedImage(NamedTuple):
    """An image and what is on it. All arrays are the caller's own.

    Attributes:
        image: uint8 (C, H, W).
        boxes: float32 (n, 4) of x1, y1, x2, y2 in pixels: (0, 0) is the upper left corner of the image, (W, H) the lower right
            one, and x1 < x2, y1 < y2.
        labels: int64 (n,), numbers of classes from 0.
        masks: bool (n, H, W), or None where the data have none.
        ignored: float32 (m, 4), regions that are neither an object to find nor background: crowds, objects marked as
            difficult, and what a cut has left of an object.
        ignored_labels: int64 (m,); -1 of a class that nothing else is of.
    """

    image: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    masks: np.ndarray | None
    ignored: np.ndarray
    ignored_labels: np.ndarray


class Boxed(Protocol):
    """What ``BoxedImages`` and ``Scenes`` have in common, and a detector trains on."""

    classes: tuple[str, ...]
    has_masks: bool

    @property
    def names(self) -> Sequence[str]:
        """What a person calls each sample."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> BoxedImage: ...

    def targets(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Boxes and labels of a sample, without its image where that saves work."""

    def size(self, index: int) -> tuple[int, int]:
        """(H, W) of a sample."""

    def subset(self, indices: Iterable[int]) -> Boxed:
        """These samples as a set of their own."""


class Item(NamedTuple):
    """A photo, or a window of one, with the boxes in it.

    ``rows`` are the numbers of the photo's objects that the boxes are of.
    """

    photo: int
    window: Window | None
    name: str
    boxes: np.ndarray
    labels: np.ndarray
    rows: np.ndarray
    ignored: np.ndarray
    ignored_labels: np.ndarray


class BoxedImages(Dataset):
    """Photos with boxes, or windows of photos, decoded when asked for or kept.

    Made by ``open_boxes``, and by ``BoxedImages.of`` from arrays.

    Attributes:
        classes: the name of each class.
        names: what a person calls each sample.
        has_masks: whether samples have masks.

    Example:
        >>> images = BoxedImages.of([np.zeros((3, 40, 60), np.uint8)], [[[10, 5, 30, 25]]], [[0]], ["wren"])
        >>> images
        BoxedImages(1 image, 1 box, 1 class)
        >>> sample = images[0]
        >>> sample.image.shape, sample.boxes.tolist(), sample.labels.tolist(), sample.masks
        ((3, 40, 60), [[10.0, 5.0, 30.0, 25.0]], [0], None)
    """

    def __init__(
        self, photos: Sequence[Sound], items: Sequence[Item], classes: Sequence[str], has_masks: bool, reader: Reader
    ) -> None:
        self.photos, self.items = list(photos), list(items)
        self.classes, self.has_masks, self._reader = tuple(classes), has_masks, reader
        self._last: OrderedDict[int, np.ndarray] = OrderedDict()

    @classmethod
    def of(
        cls,
        images: Sequence[Any],
        boxes: Sequence[Any],
        labels: Sequence[Any],
        classes: Sequence[str],
        masks: Sequence[Any] | None = None,
        names: Sequence[str] | None = None,
    ) -> BoxedImages:
        """A set of images in memory.

        Args:
            images: each uint8 (C, H, W), C 1 or 3 and the same of all.
            boxes: of each image (n, 4) of x1, y1, x2, y2 in pixels, inside the image.
            labels: of each image n numbers of classes.
            classes: the name of each class.
            masks: of each image bool (n, H, W).
            names: of each image; default ``"image 0"`` and so on.

        Raises:
            ShapeError, DTypeError: arrays of other shapes or types, or numbers of them that differ.
            ArgumentError: a box that is not finite, of no area, or not inside its image.
            IndexingError: a label that is no class.
        """
        where = "BoxedImages.of"
        count = len(images)
        names = [f"image {i}" for i in range(count)] if names is None else list(names)
        for name, given in (("boxes", boxes), ("labels", labels), ("names", names), ("masks", masks)):
            if given is not None and len(given) != count:
                raise ShapeError(where, name, f"as many as images, {count}", str(len(given)))
        photos = []
        for i, image in enumerate(images):
            mask = None if masks is None else masks[i]
            photos.append(_in_memory(where, np.asarray(image), boxes[i], labels[i], mask, len(classes), names[i]))
        channels = {len(photo.pixels) for photo in photos if photo.pixels is not None}
        if len(channels) > 1:
            raise ShapeError(where, "images", "images of as many channels as each other", f"{sorted(channels)}")
        reader = Reader(channels.pop() if channels else 3, None, "")
        return cls(photos, whole_items(photos), classes, masks is not None, reader)

    @property
    def names(self) -> list[str]:
        return [item.name for item in self.items]

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> BoxedImage:
        item = self.items[whole_index("BoxedImages", index, len(self))]
        image = self._pixels(item.photo)
        if item.window is not None:
            x1, y1, x2, y2 = item.window
            image = image[:, y1:y2, x1:x2]
        masks = self._masks(item, image.shape[1:]) if self.has_masks else None
        boxes, labels = item.boxes.copy(), item.labels.copy()
        return BoxedImage(image.copy(), boxes, labels, masks, item.ignored.copy(), item.ignored_labels.copy())

    def targets(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Boxes float32 (n, 4) and labels int64 (n,) of a sample; nothing is decoded.

        Raises:
            IndexingError: there is no such sample.
        """
        item = self.items[whole_index("BoxedImages", index, len(self))]
        return item.boxes.copy(), item.labels.copy()

    def size(self, index: int) -> tuple[int, int]:
        """(H, W) of a sample; nothing is decoded.

        Raises:
            IndexingError: there is no such sample.
        """
        item = self.items[whole_index("BoxedImages", index, len(self))]
        if item.window is not None:
            return item.window[3] - item.window[1], item.window[2] - item.window[0]
        photo = self.photos[item.photo]
        return photo.height, photo.width

    def subset(self, indices: Iterable[int]) -> BoxedImages:
        """These samples, in this order, as a set of their own that shares the photos.

        Raises:
            IndexingError: there is no such sample.
        """
        numbers = whole_indices("BoxedImages", indices, len(self))
        items = [self.items[number] for number in numbers.tolist()]
        return BoxedImages(self.photos, items, self.classes, self.has_masks, self._reader)

    @property
    def boxes(self) -> int:
        """How many there are in all samples."""
        return sum(len(item.boxes) for item in self.items)

    def __repr__(self) -> str:
        words = zip((len(self), self.boxes, len(self.classes)), ("image", "box", "class"), ("s", "es", "es"), strict=True)
        return f"BoxedImages({', '.join(f'{n:,} {what}{more * (n != 1)}' for n, what, more in words)})"

    def _pixels(self, number: int) -> np.ndarray:
        photo = self.photos[number]
        if photo.pixels is not None:
            return photo.pixels
        found = self._last.get(number)
        if found is None:
            found = self._reader.read(photo.name, photo.path, (self._reader.channels, photo.height, photo.width), photo.big)
            self._last[number] = found
            while len(self._last) > LAST:
                self._last.popitem(last=False)
        return found

    def _masks(self, item: Item, size: tuple[int, ...]) -> np.ndarray:
        photo = self.photos[item.photo]
        masks = np.zeros((len(item.rows), *size), bool)
        x1, y1, x2, y2 = item.window or (0, 0, photo.width, photo.height)
        for place, row in enumerate(item.rows.tolist()):
            masks[place] = photo.mask(row)[y1:y2, x1:x2]
        return masks


def whole_items(photos: Sequence[Sound]) -> list[Item]:
    """An item for each photo, whole."""
    return [
        Item(k, None, photo.name, photo.boxes, photo.labels, np.arange(len(photo.boxes)), photo.ignored, photo.ignored_labels)
        for k, photo in enumerate(photos)
    ]


def check_boxes(where: str, given: Any, height: float, width: float, name: str = "boxes") -> np.ndarray:
    """Boxes float32 (n, 4), inside an image and each of some area.

    Raises:
        ShapeError, DTypeError: they are no such array.
        ArgumentError: a box that is not finite, of no area, or not inside.

    Example:
        >>> check_boxes("example", [[1, 2, 3, 4]], 10, 10).shape
        (1, 4)
    """
    try:
        boxes = np.array(given, np.float32)
    except (TypeError, ValueError):
        raise DTypeError(where, name, "numbers", repr(given)[:60]) from None
    if not boxes.size:
        return boxes.reshape(0, 4)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ShapeError(where, name, "(n, 4) of x1, y1, x2, y2", f"shape {boxes.shape}")
    x1, y1, x2, y2 = boxes.T
    sound = np.isfinite(boxes).all(1) & (x1 >= 0) & (y1 >= 0) & (x2 <= width) & (y2 <= height) & (x1 < x2) & (y1 < y2)
    if not sound.all():
        wrong = boxes[~sound][0].tolist()
        expected = f"0 <= x1 < x2 <= {width:g} and 0 <= y1 < y2 <= {height:g}"
        raise ArgumentError(where, name, expected, " ".join(f"{value:g}" for value in wrong))
    return boxes


def _in_memory(where: str, image: np.ndarray, boxes: Any, labels: Any, masks: Any, classes: int, name: str) -> Sound:
    if image.dtype != np.uint8:
        raise DTypeError(where, "images", "uint8", str(image.dtype), "Scale them to 0..255 and convert them")
    if image.ndim != 3 or image.shape[0] not in (1, 3) or not image.size:
        raise ShapeError(where, "images", "(C, H, W) with C 1 or 3, not empty", f"shape {image.shape}")
    _, height, width = image.shape
    checked = check_boxes(where, boxes, height, width)
    given = np.asarray(labels)
    if given.size and given.dtype.kind not in "iu":
        raise DTypeError(where, "labels", "whole numbers", str(given.dtype))
    numbers = given.astype(np.int64).reshape(-1)
    if len(numbers) != len(checked):
        raise ShapeError(where, "labels", f"one for each of {len(checked)} boxes", f"{len(numbers)} at {name}")
    if len(numbers) and not 0 <= numbers.min() <= numbers.max() < classes:
        wrong = numbers[(numbers < 0) | (numbers >= classes)][0]
        raise IndexingError(where, "labels", f"class numbers from 0 to {classes - 1}", f"{wrong} at {name}")
    outlines: list[Any] = []
    if masks is not None:
        array = np.asarray(masks).reshape(-1, height, width) if np.asarray(masks).size else np.zeros((0, height, width), bool)
        if len(array) != len(checked):
            raise ShapeError(where, "masks", f"one for each of {len(checked)} boxes", f"{len(array)} at {name}")
        outlines = [run_lengths(mask) for mask in array]
    none = np.zeros((0, 4), np.float32), np.zeros(0, np.int64)
    return Sound("", name, "", width, height, b"", checked, numbers, outlines, *none, [""] * len(checked), image)


__all__ = ["Boxed", "BoxedImage", "BoxedImages", "Item", "check_boxes", "whole_items"]
