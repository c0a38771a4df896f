"""Composed scenes: real garments or digits pasted on cluttered canvases, with boxes and masks that are exact.

The layout is synthetic and the items are real: garments of Fashion-MNIST, or digits of MNIST. A scene is a function of
``(seed, part, index)`` and of nothing else, so that none is stored. Items of the training part, of the validation part and of
the test part are different ones.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np

from minigrad.data.boxed import BoxedImage
from minigrad.data.dataset import Dataset, whole_index, whole_indices
from minigrad.data.images import class_names, load
from minigrad.data.masks import extent
from minigrad.data.pixels import Progress
from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.kernels import random
from minigrad.ops.dims import count_of

SCENES = {"scenes": "fashion-mnist", "scenes-digits": "mnist5k"}  # name -> whose items
COUNTS = {"train": 40_000, "validation": 400, "test": 400}  # scenes in a pass, and to measure by
_HELD_OUT = {"fashion-mnist": 500, "mnist5k": 80}  # items of each class of the training part whose scenes validate
_LAYOUT, _NOISE = 1 << 63, (1 << 63) | (1 << 62)  # of the second key: apart from generators and augmentation
_BLOCKS = 1 << 20  # of the stream to a scene
_NUMBERS = 2048  # of a scene's layout, before the noise
_TRIES = 12  # places that are tried for an item
_INK = 0.12  # of white: what is brighter is the item
_GRID = 6  # of the ground's light and dark
_PART = {"train": 0, "validation": 1, "test": 2}


@dataclass(frozen=True)
class SceneSettings:
    """How scenes are composed. A pair is the range from which a number is drawn.

    Args:
        size: the canvas' side, in pixels.
        items: how many are pasted; fewer where there is no room.
        side: of an item's 28 x 28 pixels, in pixels of the canvas, uniform in its logarithm.
        turn: by at most so many degrees, either way.
        brightness: of an item; its colour is a tint that is drawn as well.
        hidden: the greatest share of an item's pixels that later ones may hide.
        together: the greatest intersection over union of two items' boxes.
        shapes: rectangles, ellipses and bars of one colour behind the items.
        fragments: pieces of items, at most 12 x 12 of their pixels, behind the items; they have no boxes.
        noise: standard deviation of each pixel's noise, in levels of 255.
        empty: the share of scenes without items.

    Raises:
        ArgumentError: a number out of range.

    Example:
        >>> SceneSettings(size=96).items
        (1, 6)
    """

    size: int = 160
    items: tuple[int, int] = (1, 6)
    side: tuple[float, float] = (26.0, 64.0)
    turn: float = 25.0
    brightness: tuple[float, float] = (0.6, 1.0)
    hidden: float = 0.25
    together: float = 0.4
    shapes: tuple[int, int] = (3, 9)
    fragments: tuple[int, int] = (2, 8)
    noise: float = 8.0
    empty: float = 0.03

    def __post_init__(self) -> None:
        where = "SceneSettings"
        count_of(where, "size", self.size, 32)
        for name, least, most in (
            ("items", 0, 50), ("side", 8, self.size), ("brightness", 0.05, 1), ("shapes", 0, 50), ("fragments", 0, 50),
        ):  # fmt: skip
            pair = getattr(self, name)
            if len(pair) != 2 or not least <= pair[0] <= pair[1] <= most:
                raise ArgumentError(where, name, f"two numbers from {least} to {most}, the smaller first", repr(pair))
        for name, end in (("turn", 180), ("hidden", 0.9), ("together", 1), ("noise", 64), ("empty", 1)):
            value = getattr(self, name)
            if not 0 <= value <= end:
                raise ArgumentError(where, name, f"a number from 0 to {end}", repr(value))


class Scenes(Dataset):
    """Composed scenes as a data set; each sample is a ``BoxedImage`` with masks.

    A mask is what of an item is to be seen, and its box is exactly the mask's extent.

    Args:
        images: uint8 (N, 28, 28) or (N, 1, H, W), light items on black.
        labels: int64 (N,).
        classes: the name of each class.
        count: how many scenes.
        seed: from 0 to 2**64 - 1.
        part: ``"train"``, ``"validation"`` or ``"test"``: parts of one seed have different scenes.
        settings: how they are composed.
        filled: whether dark pixels inside of an item are of it, as they are of garments, and are not of digits.

    Raises:
        ShapeError, DTypeError: arrays of another form.
        ArgumentError: a number out of range, or a class without items.

    Example:
        >>> digits = np.zeros((1, 28, 28), np.uint8)
        >>> digits[0, 4:24, 10:18] = 255
        >>> scenes = Scenes(digits, [0], ["one"], count=10, seed=0)
        >>> sample = scenes[3]
        >>> sample.image.shape, len(sample.boxes) == len(sample.masks), scenes[3].boxes.tolist() == sample.boxes.tolist()
        ((3, 160, 160), True, True)
    """

    has_masks = True

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray | Iterable[int],
        classes: Iterable[str],
        *,
        count: int,
        seed: int,
        part: str = "train",
        settings: SceneSettings | None = None,
        filled: bool = False,
    ) -> None:
        where = "Scenes"
        pixels = np.asarray(images)
        if pixels.dtype != np.uint8:
            raise DTypeError(where, "images", "uint8", str(pixels.dtype))
        if pixels.ndim == 4 and pixels.shape[1] == 1:
            pixels = pixels[:, 0]
        if pixels.ndim != 3 or not pixels.size:
            raise ShapeError(where, "images", "(N, H, W) or (N, 1, H, W), not empty", f"shape {pixels.shape}")
        self.images, self.classes, self.settings = pixels, tuple(classes), settings or SceneSettings()
        numbers = np.asarray(labels, np.int64)
        if numbers.shape != (len(pixels),):
            raise ShapeError(where, "labels", f"one for each of {len(pixels)} images", f"shape {numbers.shape}")
        self._of_class = [np.flatnonzero(numbers == k) for k in range(len(self.classes))]
        bare = [name for name, rows in zip(self.classes, self._of_class, strict=True) if not len(rows)]
        if bare or not self.classes:
            raise ArgumentError(where, "classes", "items of each class", f"none of {', '.join(bare)}" if bare else "no classes")
        if part not in _PART:
            raise ArgumentError(where, "part", f"one of {', '.join(_PART)}", repr(part))
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 1 << 64:
            raise ArgumentError(where, "seed", "a whole number from 0 to 2**64 - 1", repr(seed))
        self.seed, self.part, self.filled = int(seed), part, filled
        self._rows = np.arange(count_of(where, "count", count, 0))

    @property
    def names(self) -> list[str]:
        return [f"{self.part} scene {row}" for row in self._rows.tolist()]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> BoxedImage:
        return self._composed(int(self._rows[whole_index("Scenes", index, len(self))]))

    def targets(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Boxes float32 (n, 4) and labels int64 (n,) of a scene, which is composed for it.

        Raises:
            IndexingError: there is no such scene.
        """
        found = self[index]
        return found.boxes, found.labels

    def size(self, index: int) -> tuple[int, int]:
        """(H, W) of a scene.

        Raises:
            IndexingError: there is no such scene.
        """
        whole_index("Scenes", index, len(self))
        return self.settings.size, self.settings.size

    def subset(self, indices: Iterable[int]) -> Scenes:
        """These scenes, in this order, as a set of their own.

        Raises:
            IndexingError: there is no such scene.
        """
        part = object.__new__(type(self))
        part.__dict__.update(self.__dict__)
        part._rows = self._rows[whole_indices("Scenes", indices, len(self))]
        return part

    def __repr__(self) -> str:
        return f"Scenes({len(self):,} of {self.settings.size}x{self.settings.size}, {len(self.classes)} classes)"

    # ------------------------------------------------------------------ one scene

    def _composed(self, number: int) -> BoxedImage:
        settings, block = self.settings, number * _BLOCKS
        draw = _Numbers(random.uniform((self.seed, _LAYOUT | _PART[self.part]), block, (_NUMBERS,), np.float64))
        canvas = _ground(draw, settings.size)
        for _ in range(draw.whole(*settings.shapes)):
            _shape(canvas, draw)
        for _ in range(draw.whole(*settings.fragments)):
            self._fragment(canvas, draw)
        labels, masks = self._items(canvas, draw)
        spread = settings.noise * math.sqrt(12) / 255
        if spread:
            noise = random.uniform((self.seed, _NOISE | _PART[self.part]), block, canvas.shape, np.float32)
            canvas += np.float32(spread) * (noise - np.float32(0.5))
        image = np.rint(np.clip(canvas, 0, 1) * 255).astype(np.uint8)
        kept = np.stack(masks) if masks else np.zeros((0, settings.size, settings.size), bool)
        boxes = np.array([extent(mask) for mask in kept], np.float32).reshape(-1, 4)
        return BoxedImage(image, boxes, np.array(labels, np.int64), kept, np.zeros((0, 4), np.float32), np.zeros(0, np.int64))

    def _item(self, draw: _Numbers) -> tuple[int, np.ndarray]:
        """A class and one of its items, float32 (H, W) from 0 to 1."""
        label = draw.whole(0, len(self.classes) - 1)
        rows = self._of_class[label]
        return label, self.images[rows[draw.whole(0, len(rows) - 1)]].astype(np.float32) / 255

    def _items(self, canvas: np.ndarray, draw: _Numbers) -> tuple[list[int], list[np.ndarray]]:
        """Paste the items; the labels and visible masks of those that found room."""
        settings = self.settings
        empty = draw.one() < settings.empty
        count = draw.whole(*settings.items)
        labels: list[int] = []
        masks: list[np.ndarray] = []
        areas: list[int] = []
        for _ in range(0 if empty else count):
            label, image = self._item(draw)
            side = math.exp(draw.between(*map(math.log, settings.side)))
            turn = math.radians(draw.between(-settings.turn, settings.turn))
            colour = draw.between(*settings.brightness) * draw.tint()
            places = draw.several(2 * _TRIES).reshape(_TRIES, 2)
            light, mask = turned(image, side / max(image.shape), turn, self.filled)
            if not mask.any() or max(mask.shape) > settings.size:
                continue
            for place in places:
                y, x = (
                    int(share * (settings.size - length + 1)) for share, length in zip(place.tolist(), mask.shape, strict=True)
                )
                here = np.zeros((settings.size, settings.size), bool)
                here[y : y + mask.shape[0], x : x + mask.shape[1]] = mask
                if self._has_room(here, masks, areas):
                    for earlier in masks:
                        earlier &= ~here
                    part = canvas[:, y : y + mask.shape[0], x : x + mask.shape[1]]
                    part[:, mask] = colour[:, None] * (0.15 + 0.85 * light[mask])
                    labels.append(label)
                    masks.append(here)
                    areas.append(int(mask.sum()))
                    break
        return labels, masks

    def _has_room(self, here: np.ndarray, masks: list[np.ndarray], areas: list[int]) -> bool:
        box = extent(here)
        for mask, area in zip(masks, areas, strict=True):
            if (mask & ~here).sum() < (1 - self.settings.hidden) * area:
                return False
            other = extent(mask)
            if box is None or other is None or _iou(box, other) > self.settings.together:
                return False
        return True

    def _fragment(self, canvas: np.ndarray, draw: _Numbers) -> None:
        """A piece of an item, which is none."""
        _, image = self._item(draw)
        height, width = (draw.whole(5, min(12, side)) for side in image.shape)
        y, x = (draw.whole(0, side - length) for side, length in zip(image.shape, (height, width), strict=True))
        scale = math.exp(draw.between(*map(math.log, self.settings.side))) / max(image.shape)
        turn, colour = draw.between(-math.pi, math.pi), draw.between(*self.settings.brightness) * draw.tint()
        light, mask = turned(image[y : y + height, x : x + width], scale, turn, False)
        size = self.settings.size
        at = draw.several(2)
        if not mask.any() or max(mask.shape) > size:
            return
        y, x = (int(share * (size - length + 1)) for share, length in zip(at.tolist(), mask.shape, strict=True))
        canvas[:, y : y + mask.shape[0], x : x + mask.shape[1]][:, mask] = colour[:, None] * (0.15 + 0.85 * light[mask])


class _Numbers:
    """The random numbers of a scene, one after the other."""

    def __init__(self, numbers: np.ndarray) -> None:
        self._numbers, self._at = numbers, 0

    def several(self, count: int) -> np.ndarray:
        """So many in [0, 1); after the last the first come again."""
        if self._at + count > len(self._numbers):
            self._at = 0
        self._at += count
        return self._numbers[self._at - count : self._at]

    def one(self) -> float:
        return float(self.several(1)[0])

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * self.one()

    def whole(self, low: int, high: int) -> int:
        """From low to high, both included."""
        return low + int(self.one() * (high - low + 1))

    def tint(self) -> np.ndarray:
        """A light colour, float32 (3,), the greatest of the three 1."""
        colour = 0.45 + 0.55 * self.several(3)
        return (colour / colour.max()).astype(np.float32)

    def colour(self) -> np.ndarray:
        """Any colour, float32 (3,)."""
        return self.several(3).astype(np.float32)


def turned(image: np.ndarray, scale: float, turn: float, filled: bool) -> tuple[np.ndarray, np.ndarray]:
    """An item scaled and turned about its middle, and which pixels are of it.

    Args:
        image: float32 (H, W), from 0 to 1, light on black.
        scale: of its sides.
        turn: in radians, counter-clockwise.
        filled: whether holes are of the item.

    Returns:
        The light, float32 (h, w), bilinear between the item's pixels; and the mask, bool (h, w), both cut to its extent.

    Example:
        >>> light, mask = turned(np.ones((4, 4), np.float32), 2.0, 0.0, False)
        >>> light.shape, bool(mask.all())
        ((8, 8), True)
    """
    own = image > _INK
    if filled:
        from scipy.ndimage import binary_fill_holes  # heavy

        own = binary_fill_holes(own)
    height, width = image.shape
    cos, sin = math.cos(turn), math.sin(turn)
    across = math.ceil(scale * (width * abs(cos) + height * abs(sin)))
    down = math.ceil(scale * (width * abs(sin) + height * abs(cos)))
    y, x = (np.arange(size, dtype=np.float32) - (size - 1) / 2 for size in (down, across))
    y, x = y[:, None] / scale, x[None, :] / scale
    rows = (-sin * x + cos * y + (height - 1) / 2).astype(np.float32)
    columns = (cos * x + sin * y + (width - 1) / 2).astype(np.float32)
    light, inside = _between(image, rows, columns), _between(own.astype(np.float32), rows, columns)
    mask = inside >= 0.5
    box = extent(mask)
    if box is None:
        return light, mask
    x1, y1, x2, y2 = box.astype(int).tolist()
    return light[y1:y2, x1:x2], mask[y1:y2, x1:x2]


def _between(image: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Bilinear values at places that lie between pixels. Half a pixel around the image its edge goes on, beyond it is 0."""
    height, width = image.shape
    inside = (rows > -0.5) & (rows < height - 0.5) & (columns > -0.5) & (columns < width - 0.5)
    rows, columns = np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)
    top, left = np.floor(rows).astype(np.int64), np.floor(columns).astype(np.int64)
    below, right = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    down, across = rows - top, columns - left
    upper = image[top, left] * (1 - across) + image[top, right] * across
    lower = image[below, left] * (1 - across) + image[below, right] * across
    return (upper * (1 - down) + lower * down) * inside


def _ground(draw: _Numbers, size: int) -> np.ndarray:
    """A ground of one colour with light and dark places, float32 (3, size, size)."""
    places = np.linspace(0, _GRID - 1, size, dtype=np.float32)[:, None]
    weights = np.maximum(0, 1 - np.abs(places - np.arange(_GRID, dtype=np.float32)))  # (size, grid), bilinear
    strength = 0.1 + 0.3 * draw.one()
    light = weights @ (draw.several(_GRID * _GRID).reshape(_GRID, _GRID).astype(np.float32) - 0.5) @ weights.T
    return (0.15 + 0.6 * draw.colour())[:, None, None] + np.float32(strength) * light


def _shape(canvas: np.ndarray, draw: _Numbers) -> None:
    """A rectangle, an ellipse or a bar of one colour, turned, half seen through or not."""
    size = canvas.shape[1]
    kind, turn = draw.whole(0, 2), draw.between(0, math.pi)
    y0, x0 = (size * draw.several(2)).tolist()
    long, short = sorted((draw.between(0.04, 0.3) * size, draw.between(0.04, 0.3) * size), reverse=True)
    if kind == 2:
        long, short = 2 * long, 0.1 * short + 1
    colour, strength = draw.colour(), np.float32(draw.between(0.4, 1.0))
    reach = math.ceil(math.hypot(long, short))
    top, left = max(0, int(y0) - reach), max(0, int(x0) - reach)
    part = canvas[:, top : int(y0) + reach + 1, left : int(x0) + reach + 1]
    y = np.arange(top, top + part.shape[1], dtype=np.float32)[:, None] - np.float32(y0)
    x = np.arange(left, left + part.shape[2], dtype=np.float32)[None] - np.float32(x0)
    along, over = x * math.cos(turn) + y * math.sin(turn), y * math.cos(turn) - x * math.sin(turn)
    inside = (along / long) ** 2 + (over / short) ** 2 <= 1 if kind == 1 else (np.abs(along) <= long) & (np.abs(over) <= short)
    part[:, inside] += strength * (colour[:, None] - part[:, inside])


def _iou(one: np.ndarray, other: np.ndarray) -> float:
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    if (sides <= 0).any():
        return 0.0
    inside = float(sides.prod())
    return inside / (float((one[2:] - one[:2]).prod()) + float((other[2:] - other[:2]).prod()) - inside)


class SceneData(NamedTuple):
    """Scenes to learn from, to choose by and to test by, with what there is to say of them."""

    train: Scenes
    validation: Scenes
    test: Scenes
    policy: tuple[str, ...]
    digest: str
    split: str


def open_scenes(
    name: str = "scenes", *, settings: SceneSettings | None = None, seed: int = 0, progress: Progress | None = None
) -> SceneData:
    """Scenes of garments (``"scenes"``) or digits (``"scenes-digits"``).

    Args:
        name: which.
        settings: how they are composed.
        seed: of everything.
        progress: called while the items are fetched.

    Raises:
        DataError: the items cannot be had.
        ArgumentError: there are no such scenes.

    Example:
        >>> scenes = open_scenes("scenes-digits")
        >>> scenes.train, scenes.train.classes[:2], scenes.test[0].image.shape
        (Scenes(40,000 of 160x160, 10 classes), ('0', '1'), (3, 160, 160))
    """
    if name not in SCENES:
        raise ArgumentError("open_scenes", "name", f"one of {', '.join(SCENES)}", repr(name))
    of, settings = SCENES[name], settings or SceneSettings()
    held = load(of, progress)
    classes = class_names(of)
    out = np.zeros(len(held.train_labels), bool)
    for label in range(len(classes)):
        out[np.flatnonzero(held.train_labels == label)[-_HELD_OUT[of] :]] = True
    items = {
        "train": (held.train_images[~out], held.train_labels[~out]),
        "validation": (held.train_images[out], held.train_labels[out]),
        "test": (held.test_images, held.test_labels),
    }
    parts = [
        Scenes(*items[part], classes, count=COUNTS[part], seed=seed, part=part, settings=settings, filled=of == "fashion-mnist")
        for part in COUNTS
    ]
    found = hashlib.sha256(repr((of, classes, sorted(asdict(settings).items()), COUNTS, seed)).encode())
    for images, labels in items.values():
        found.update(hashlib.sha256(np.ascontiguousarray(images).data).digest() + labels.tobytes())
    things = "garments of Fashion-MNIST" if of == "fashion-mnist" else "digits of MNIST"
    counts = ", ".join(f"{len(part):,}" for part in parts)
    policy = (
        f"scenes composed of real {things}: the layout is synthetic, boxes and masks are exact",
        f"{settings.size}x{settings.size} pixels, {settings.items[0]} to {settings.items[1]} items of {len(classes)} classes"
        f" among shapes, pieces of items and noise; a scene is made when it is asked for, by seed {seed} and its number",
        f"{counts} scenes to learn from, to choose and to test by, of different items",
    )
    train, validation, test = parts
    return SceneData(train, validation, test, policy, found.hexdigest(), "by items: no item of one part is in another")


__all__ = ["SCENES", "SceneData", "SceneSettings", "Scenes", "open_scenes", "turned"]
