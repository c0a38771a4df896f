"""Photos with boxes, changed at random in each epoch: boxes, masks and ignored regions go where the pixels go."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from minigrad.data.augment import recolour
from minigrad.data.boxed import Boxed, BoxedImage
from minigrad.data.boxsplit import INSIDE, clipped
from minigrad.data.dataset import Dataset, whole_index
from minigrad.data.masks import extent, extents
from minigrad.errors import ArgumentError, DTypeError
from minigrad.kernels import random
from minigrad.kernels.random.vectorised import uniform64
from minigrad.ops.dims import count_of
from minigrad.optim.optimizer import check_number

# What each of a sample's words decides.
FLIP, FLIP_DOWN, SCALE, ROW, COLUMN, BRIGHTNESS, CONTRAST, SATURATION = range(8)
WORDS = 8
BLOCKS = 2  # of the stream to a sample, four words each
SLACK = 1.5  # pixels: so far a mask's extent may be from where it belongs before its box follows it
GROUND = 114  # of 255: what lies around an image that does not fill the canvas


class AugmentedBoxes(Dataset):
    """Images with boxes on a canvas, augmented; with the augmentations at 0, laid on the canvas only.

    A sample's random choices are a function of ``(seed, epoch, index)`` and of nothing else. The order of the steps:

    1. colour: brightness, contrast, saturation, as of ``Augmented``.
    2. scale: the image is brought to the size at which it just fits on the canvas, times a factor from ``scale``, uniform in
       its logarithm.
    3. crop: where the canvas is the larger, the image lies anywhere on it; else any part of the image is to be seen, each
       way for itself. Where ``scale`` is 1 it lies in the middle. What of the canvas is not covered is grey.
    4. flip: mirrored left to right, and top to bottom, with these probabilities.

    A box is cut off at the canvas' edge. It is kept where at least ``inside`` of its area is on the canvas, it has ``least``
    pixels both ways, and its mask is not empty; else what is seen of it is ignored. Of an object that is cut and has a mask,
    or that loses thin parts of its mask as it is shrunk, the box becomes the mask's extent. No box is ever degenerate.

    Args:
        dataset: ``BoxedImages`` or ``Scenes``.
        seed: from 0 to 2**64 - 1.
        size: (H, W) of the canvas; None takes that of each image.
        scale: from and to.
        flip, flip_down: probabilities.
        colour: from 0 to 1, as of ``Augmented``.
        inside: the least share of a box's area.
        least: pixels.

    Raises:
        DTypeError: something that is no such data set, or no number.
        ArgumentError: a number outside its range.

    Example:
        >>> from minigrad.data.boxed import BoxedImages
        >>> images = BoxedImages.of([np.zeros((3, 40, 60), np.uint8)], [[[10, 5, 30, 25]]], [[0]], ["wren"])
        >>> sample = AugmentedBoxes(images, 0, size=(80, 120), flip=1.0)[0]
        >>> sample.image.shape, sample.boxes.tolist()
        ((3, 80, 120), [[60.0, 10.0, 100.0, 50.0]])
    """

    def __init__(
        self,
        dataset: Boxed,
        seed: int,
        *,
        size: tuple[int, int] | None = None,
        scale: tuple[float, float] = (1.0, 1.0),
        flip: float = 0.0,
        flip_down: float = 0.0,
        colour: float = 0.0,
        inside: float = INSIDE,
        least: float = 1.0,
    ) -> None:
        where = type(self).__name__
        if not all(hasattr(dataset, name) for name in ("classes", "names", "has_masks", "targets")):
            raise DTypeError(where, "dataset", "BoxedImages or Scenes", f"a {type(dataset).__name__}")
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 1 << 64:
            raise ArgumentError(where, "seed", "a whole number from 0 to 2**64 - 1", repr(seed))
        if size is not None:
            if not isinstance(size, (tuple, list)) or len(size) != 2:
                raise ArgumentError(where, "size", "(height, width)", repr(size))
            size = count_of(where, "size", size[0]), count_of(where, "size", size[1])
        pair = tuple(scale) if isinstance(scale, (tuple, list)) else (scale, scale)
        for name, value in (("scale", pair[0]), ("scale", pair[-1]), ("flip", flip), ("flip_down", flip_down),
                            ("colour", colour), ("inside", inside), ("least", least)):  # fmt: skip
            check_number(where, name, value)
            if name not in ("scale", "least") and not value <= 1:
                raise ArgumentError(where, name, "a number from 0 to 1", repr(value))
        if len(pair) != 2 or not 0.05 <= pair[0] <= pair[1] <= 20:
            raise ArgumentError(where, "scale", "two numbers from 0.05 to 20, the smaller first", repr(scale))
        if not 0 < least < math.inf:
            raise ArgumentError(where, "least", "a number of pixels above 0", repr(least))
        self.dataset, self.seed, self.epoch = dataset, int(seed), 0
        self.size, self.scale, self.flip, self.flip_down, self.colour = size, pair, float(flip), float(flip_down), float(colour)
        self.inside, self.least = float(inside), float(least)
        self.classes, self.has_masks = dataset.classes, dataset.has_masks

    @property
    def names(self) -> Sequence[str]:
        return self.dataset.names

    def __len__(self) -> int:
        return len(self.dataset)

    def set_epoch(self, epoch: int) -> None:
        """Make the samples of this epoch from now on.

        Args:
            epoch: from 0; 0 to begin with.

        Raises:
            ArgumentError: it is no such number.
        """
        self.epoch = count_of("set_epoch", "epoch", epoch, 0)

    def __getitem__(self, index: int) -> BoxedImage:
        number = whole_index(type(self).__name__, index, len(self))
        block = np.array([number * BLOCKS], np.uint64)
        draw = uniform64(random.words_at((self.seed, 1 + self.epoch), block, WORDS)[0])
        sample = self.dataset[number]
        image = sample.image
        if self.colour:
            planes = image[None].astype(np.float32) / 255
            recolour(planes, 1 + self.colour * (2 * draw[None, BRIGHTNESS : SATURATION + 1] - 1))
            image = np.rint(planes[0] * 255).astype(np.uint8)
        sample = self._laid(sample._replace(image=image), draw)
        if draw[FLIP] < self.flip:
            sample = flipped(sample)
        if draw[FLIP_DOWN] < self.flip_down:
            sample = flipped(sample, down=True)
        return sample

    def _laid(self, sample: BoxedImage, draw: np.ndarray) -> BoxedImage:
        height, width = sample.image.shape[1:]
        size = self.size or (height, width)
        low, high = self.scale
        factor = low * (high / low) ** float(draw[SCALE])
        scale = factor * min(size[0] / height, size[1] / width)
        new = max(1, round(height * scale)), max(1, round(width * scale))
        vary = low < high or high > 1
        places = [
            int(math.copysign(math.floor(share * (abs(room - length) + 1)), room - length)) if vary else (room - length) // 2
            for share, room, length in zip(draw[[ROW, COLUMN]].tolist(), size, new, strict=True)
        ]
        return laid(sample, size, new, (places[0], places[1]), self.inside, self.least)


def laid(
    sample: BoxedImage,
    size: tuple[int, int],
    new: tuple[int, int],
    offset: tuple[int, int],
    inside: float = INSIDE,
    least: float = 1.0,
) -> BoxedImage:
    """A sample resized and laid on a canvas, and what is on it with it.

    Args:
        sample: what there is.
        size: (H, W) of the canvas.
        new: (h, w) of the image once resized.
        offset: (y, x) at which its upper left corner comes to lie; may be below 0.
        inside, least: as of ``AugmentedBoxes``.

    Example:
        >>> none = np.zeros((0, 4), np.float32), np.zeros(0, np.int64)
        >>> box = np.array([[0, 0, 4, 4]], np.float32), np.zeros(1, np.int64)
        >>> found = laid(BoxedImage(np.zeros((1, 4, 4), np.uint8), *box, None, *none), (4, 4), (8, 8), (-2, -2))
        >>> found.boxes.tolist(), found.ignored.tolist()
        ([], [[0.0, 0.0, 4.0, 4.0]])
    """
    height, width = sample.image.shape[1:]
    down, across = new[0] / height, new[1] / width
    top, left = offset
    y1, x1 = max(0, top), max(0, left)
    y2, x2 = min(size[0], top + new[0]), min(size[1], left + new[1])
    image = np.full((len(sample.image), *size), GROUND, np.uint8)
    if y2 > y1 and x2 > x1:
        source = ((x1 - left) / across, (y1 - top) / down, (x2 - left) / across, (y2 - top) / down)
        image[:, y1:y2, x1:x2] = _resized(sample.image, (y2 - y1, x2 - x1), source)
    by, to = np.array([across, down] * 2), np.array([left, top] * 2)

    def moved(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return clipped((boxes * by + to).astype(np.float32), (0, 0, size[1], size[0]))

    boxes, share, seen = moved(sample.boxes)
    kept = seen & (share >= inside) & ((boxes[:, 2:] - boxes[:, :2]) >= least).all(1)
    masks = None
    if sample.masks is not None:
        masks = np.zeros((len(sample.masks), *size), bool)
        if y2 > y1 and x2 > x1:
            rows = np.minimum(((np.arange(y1, y2) - top + 0.5) / down).astype(np.int64), height - 1)
            columns = np.minimum(((np.arange(x1, x2) - left + 0.5) / across).astype(np.int64), width - 1)
            masks[:, y1:y2, x1:x2] = sample.masks[:, rows][:, :, columns]
        expected, _, _ = moved(extents(sample.masks))
        for row in np.flatnonzero(kept).tolist():
            box = extent(masks[row])
            if box is None:
                kept[row] = False
            elif share[row] < 0.9999 or np.abs(box - expected[row]).max() > SLACK:
                boxes[row] = box
                kept[row] = bool(((box[2:] - box[:2]) >= least).all())
        masks = masks[kept]
    others, _, others_seen = moved(sample.ignored)
    rest = seen & ~kept
    return BoxedImage(
        image, boxes[kept], sample.labels[kept], masks, np.concatenate([others[others_seen], boxes[rest]]),
        np.concatenate([sample.ignored_labels[others_seen], sample.labels[rest]]),
    )  # fmt: skip


def flipped(sample: BoxedImage, down: bool = False) -> BoxedImage:
    """The mirror image of a sample, left to right or top to bottom.

    Example:
        >>> none = np.zeros((0, 4), np.float32), np.zeros(0, np.int64)
        >>> box = np.array([[0, 1, 4, 3]], np.float32), np.zeros(1, np.int64)
        >>> flipped(BoxedImage(np.zeros((1, 9, 10), np.uint8), *box, None, *none)).boxes.tolist()
        [[6.0, 1.0, 10.0, 3.0]]
    """
    axis, low, high = (-2, 1, 3) if down else (-1, 0, 2)
    length = sample.image.shape[axis]

    def mirrored(boxes: np.ndarray) -> np.ndarray:
        boxes = boxes.copy()
        boxes[:, [low, high]] = length - boxes[:, [high, low]]
        return boxes

    return sample._replace(
        image=np.ascontiguousarray(np.flip(sample.image, axis)),
        boxes=mirrored(sample.boxes),
        masks=None if sample.masks is None else np.ascontiguousarray(np.flip(sample.masks, axis)),
        ignored=mirrored(sample.ignored),
    )


def _resized(image: np.ndarray, size: tuple[int, int], source: tuple[float, float, float, float]) -> np.ndarray:
    """The piece ``source`` (x1, y1, x2, y2) of an image (C, H, W), resized to (C, *size)."""
    from PIL import Image

    x1, y1, x2, y2 = source
    if (x2 - x1, y2 - y1) == (size[1], size[0]) and not (x1 % 1 or y1 % 1):
        return image[:, int(y1) : int(y2), int(x1) : int(x2)]
    height, width = image.shape[1:]
    box = (max(0.0, x1), max(0.0, y1), min(float(width), x2), min(float(height), y2))
    whole = Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0)) if len(image) == 3 else image[0])
    found = np.asarray(whole.resize((size[1], size[0]), Image.Resampling.BILINEAR, box))
    return found.transpose(2, 0, 1) if found.ndim == 3 else found[None]


__all__ = ["GROUND", "AugmentedBoxes", "flipped", "laid"]
