"""A trained detector: photos in, boxes with labels, scores and masks out, in pixels of the photo, whatever its size."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

import minigrad
from minigrad.data.boxaugment import laid
from minigrad.data.boxed import Boxed, BoxedImage
from minigrad.data.decode import read_image
from minigrad.errors import ArgumentError, RunError
from minigrad.models.classifier import device_of
from minigrad.models.detector import POOLING, RESIDUAL, Detector, Found, Target
from minigrad.models.detector_cost import parameters
from minigrad.models.detector_layers import STRIDES
from minigrad.models.pasting import pasted
from minigrad.models.precision import Precision, precision, proposal_recall
from minigrad.models.tiles import SAME, merged, steps
from minigrad.models.trunk import TRUNKS
from minigrad.train.trained import Trained

LARGEST, MOST_CLASSES = 4096, 10_000  # pixels a side, and classes: more is a damaged config
BATCH, PIXELS = 8, 1 << 21  # images that are looked at at once, at most, and pixels of them
MOST = 100  # objects of a photo, or of each tile of one
LEAST = 0.05  # the chance of an object that is measured; what people see is surer
SIZES = {"width": 512, "channels": 1024, "hidden": 8192, "blocks": 16}  # of the options, at most


class Card(NamedTuple):
    """All that makes a network's weights a detector; a run's config holds it.

    Attributes:
        classes: their names.
        side: pixels that the longer side of an image is brought to.
        tile: pixels of a side of the tiles that photos were cut into; 0: they were looked at whole.
        channels: 1 or 3, of images.
        mean, std: of the pixels from 0 to 1, of each channel, of the images that it learned from; with a backbone that was
            trained before of those of that training.
        options: of ``Detector``.
    """

    classes: tuple[str, ...]
    side: int
    tile: int
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    options: Mapping[str, Any]

    def build(self) -> Detector:
        """The network, not trained."""
        return Detector(len(self.classes), self.channels, **self.options)

    @property
    def parameters(self) -> int:
        """How many numbers the network's weights are."""
        return parameters(len(self.classes), self.channels, self.options)

    def to_config(self) -> dict[str, Any]:
        """What ``of`` takes, as plain data."""
        options = {name: list(value) if isinstance(value, tuple) else value for name, value in self.options.items()}
        lists = {name: list(getattr(self, name)) for name in ("classes", "mean", "std")}
        return {**self._asdict(), **lists, "network": "detector", "options": options}

    @classmethod
    def of(cls, content: Any, where: str) -> Card:
        """The card in a run's config.

        Raises:
            RunError: it is none.
        """
        try:
            options = dict(content["options"])
            classes, side, tile, channels, mean, std = (content[name] for name in cls._fields[:-1])
            sound = (
                isinstance(classes, list)
                and 1 <= len(classes) <= MOST_CLASSES
                and all(isinstance(name, str) for name in classes)
                and all(type(number) is int for number in (side, tile))
                and 16 <= side <= LARGEST
                and 0 <= tile <= LARGEST
                and channels in (1, 3)
                and len(mean) == len(std) == channels
                and all(type(number) in (int, float) and math.isfinite(number) for number in (*mean, *std))
                and min(std) > 0
                and options.keys() == {*SIZES, "sizes", "strides", "masks", "stages", "pooling", "network"}
                and all(type(options[name]) is int and 1 <= options[name] <= most for name, most in SIZES.items())
                and all(type(size) in (int, float) and 0 < size <= LARGEST for size in options["sizes"])
                and all(stride in STRIDES for stride in options["strides"])
                and type(options["masks"]) is bool
                and options["stages"] in (1, 2)
                and options["pooling"] in POOLING
                and options["network"] in (RESIDUAL, *TRUNKS)
            )
        except (KeyError, TypeError, ValueError, OverflowError):
            sound = False
        if not sound:
            expected = "what the network is, as minigrad train detect writes it"
            got = "nothing of that kind, of an earlier version, or damaged"
            raise RunError("detect", where, expected, got, "Put back a copy of config.json, or train anew")
        options |= {name: tuple(options[name]) for name in ("sizes", "strides")}
        return cls(tuple(classes), side, tile, channels, tuple(map(float, mean)), tuple(map(float, std)), options)


class Placed(NamedTuple):
    """An image on the canvas of a network: the sample there, and how much smaller (or larger) it became, down and across."""

    sample: BoxedImage
    size: tuple[int, int]
    scale: tuple[float, float]


class Finder:
    """A network with all that it takes to find objects.

    Args:
        card: what it is.
        network: with its weights.

    Example:
        >>> options = {"width": 4, "channels": 8, "hidden": 16, "blocks": 1, "sizes": (16.0,), "strides": (8,)}
        >>> options |= {"masks": True, "stages": 2, "pooling": "aligned", "network": "residual"}
        >>> card = Card(("wren", "tit"), 64, 0, 3, (0.5,) * 3, (0.25,) * 3, options)
        >>> finder = Finder(card, card.build())
        >>> found = finder(np.zeros((3, 100, 150), np.uint8))
        >>> found.boxes.shape[1], found.masks.shape[1:]
        (4, (28, 28))
    """

    def __init__(self, card: Card, network: Detector) -> None:
        self.card, self.network = card, network

    @classmethod
    def load(cls, model: str) -> Finder:
        """The detector of a run folder, or of a shipped model.

        Raises:
            RunError: there is no trained detector, or its weights belong to another network.
            FileFormatError: a damaged file.
        """
        trained = Trained.open(model, "detect")
        card = Card.of(trained.config("detect").get("model"), trained.name)
        network: Any = trained.network(card.build, lambda: card.parameters)
        return cls(card, network)

    def read(self, path: Any) -> np.ndarray:
        """A photo as the network takes it, uint8 (C, H, W), in its own size.

        Raises:
            DataError: it cannot be read.
        """
        image = read_image(path)
        if self.card.channels == 3:
            return image
        weights = np.array([0.299, 0.587, 0.114])  # luminance, as everywhere here
        return np.rint(np.tensordot(weights, image.astype(np.float64), 1)).astype(np.uint8)[None]

    def placed(self, sample: BoxedImage) -> Placed:
        """A sample, brought to the size that the network wants, with its boxes."""
        height, width = sample.image.shape[1:]
        scale = self.card.side / max(height, width)
        new = max(1, round(height * scale)), max(1, round(width * scale))
        step = self.network.multiple
        canvas = (-(-new[0] // step) * step, -(-new[1] // step) * step)
        return Placed(laid(sample, canvas, new, (0, 0)), new, (new[0] / height, new[1] / width))

    def tensor(self, images: Sequence[np.ndarray]) -> minigrad.Tensor:
        """Images uint8 (C, H, W) of any sizes on one canvas, as the network takes them, (N, C, H, W)."""
        return minigrad.tensor(self.canvas(images), device=device_of(self.network))

    def canvas(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """The same as an array, float32; filled up with the mean."""
        height, width = (max(image.shape[axis] for image in images) for axis in (1, 2))
        mean, std = (np.array(each, np.float32)[:, None, None] for each in (self.card.mean, self.card.std))
        found = np.zeros((len(images), self.card.channels, height, width), np.float32)
        for image, out in zip(images, found):
            out[:, : image.shape[1], : image.shape[2]] = (image / np.float32(255) - mean) / std
        return found

    def __call__(self, image: np.ndarray, *, least: float = 0.5, tile: int | None = None) -> Found:
        """What is on a photo, in its pixels, the surest first.

        Args:
            image: uint8 (C, H, W).
            least: the chance of an object, at least.
            tile: look at the photo in tiles of so many pixels a side, which lie over each other by a quarter; 0: whole; by
                default as the photos that it learned from were.

        Raises:
            ArgumentError: a chance or a tile out of range.
        """
        if not 0 <= least <= 1:
            raise ArgumentError("detect", "least", "a chance from 0 to 1", f"{least:g}")
        tile = self.card.tile if tile is None else tile
        if tile and not 16 <= tile <= LARGEST:
            raise ArgumentError("detect", "tile", f"0, or 16 to {LARGEST} pixels", str(tile))
        _, height, width = image.shape
        if not tile or max(height, width) <= tile:
            return next(self.find([image], least))
        windows = [(y, x) for y in steps(height, tile) for x in steps(width, tile)]
        parts = self.find((image[:, y : y + tile, x : x + tile] for y, x in windows), least)
        return merged(list(parts), windows, tile, (height, width))

    def find(self, images: Iterable[np.ndarray], least: float = LEAST) -> Iterator[Found]:
        """What is on each of many images, each in its own pixels."""
        was = self.network.training
        self.network.eval()
        try:
            yield from self._find(images, least)
        finally:
            self.network.train(was)

    def _find(self, images: Iterable[np.ndarray], least: float) -> Iterator[Found]:
        waiting: list[Placed] = []
        none = np.zeros((0, 4), np.float32), np.zeros(0, np.int64)
        for image in images:
            waiting.append(self.placed(BoxedImage(image, *none, None, *none)))
            pixels = sum(each.sample.image[0].size for each in waiting)
            if len(waiting) == BATCH or pixels >= PIXELS:
                yield from self._answers(waiting, least)
                waiting = []
        if waiting:
            yield from self._answers(waiting, least)

    def _answers(self, waiting: Sequence[Placed], least: float) -> Iterator[Found]:
        x = self.tensor([each.sample.image for each in waiting])
        answers = self.network.detect(x, [each.size for each in waiting], least=least, same=SAME, most=MOST)
        for each, found in zip(waiting, answers):
            scale = np.array([each.scale[1], each.scale[0]] * 2)
            if found.proposals is not None:
                found = found._replace(proposals=(found.proposals / scale).astype(np.float32))
            yield found._replace(boxes=(found.boxes / scale).astype(np.float32))

    def judge(self, images: Boxed, track: Callable[[Iterable[Any]], Iterator[Any]] = iter) -> Judgement:
        """Look at images with boxes and compare.

        Args:
            images: of the network's classes.
            track: put around them, to show progress.
        """
        truths: list[Target] = []
        founds: list[Found] = []
        masks: list[np.ndarray] = []

        def looked() -> Iterator[np.ndarray]:
            for number in track(range(len(images))):
                sample = images[number]
                truths.append(target_of(sample))
                yield sample.image

        has_masks = bool(self.card.options["masks"]) and images.has_masks
        for found in self.find(looked()):
            founds.append(found)
            if has_masks:
                size = truths[len(founds) - 1].masks.shape[1:]  # type: ignore[union-attr]
                masks.append(pasted(found.masks, found.boxes, size))  # type: ignore[arg-type]
        classes = len(self.card.classes)
        whole = [truth._replace(masks=None) for truth in truths]
        boxes = precision(founds, whole, classes)
        outlines = precision(founds, truths, classes, masks=masks) if has_masks else None
        proposals = [found.proposals for found in founds if found.proposals is not None]
        share = proposal_recall(proposals, truths) if len(proposals) == len(truths) else None
        return Judgement(self.card.classes, truths, founds, boxes, outlines, share)


class Judgement(NamedTuple):
    """What a detector found on images with boxes.

    Attributes:
        classes: their names.
        truths: what is on each image.
        found: what was found.
        boxes: how good its boxes are, and
        masks: its masks, where it and the images have some.
        proposals: the share of the boxes there that its first stage proposes; ``None`` where it has one stage.
    """

    classes: Sequence[str]
    truths: Sequence[Target]
    found: Sequence[Found]
    boxes: Precision
    masks: Precision | None
    proposals: float | None = None

    @property
    def metrics(self) -> dict[str, float]:
        """The figures of an evaluation; 0 where there was nothing to find."""
        found = {"ap50": self.boxes.ap50, "ap": self.boxes.ap, "recall": self.boxes.recall}
        if self.masks is not None:
            found["mask_ap50"] = self.masks.ap50
        if self.proposals is not None:
            found["proposals"] = self.proposals
        return {name: 0.0 if math.isnan(value) else value for name, value in found.items()}


def target_of(sample: BoxedImage) -> Target:
    """What is on a sample, ignored regions among it, as a detector learns it."""
    count, more = len(sample.boxes), len(sample.ignored)
    boxes = np.concatenate([sample.boxes, sample.ignored])
    labels = np.concatenate([sample.labels, np.maximum(sample.ignored_labels, 0)])
    masks = sample.masks
    if masks is not None and more:
        masks = np.concatenate([masks, np.zeros((more, *sample.image.shape[1:]), bool)])
        for mask, (x1, y1, x2, y2) in zip(masks[count:], sample.ignored):
            mask[int(y1) : math.ceil(y2), int(x1) : math.ceil(x2)] = True
    return Target(boxes, labels, masks, np.arange(count + more) >= count if more else None)


def outlines(found: Found, masks: np.ndarray | None, classes: Sequence[str]) -> list[dict[str, Any]]:
    """What was found as plain data: label, score, box, and the pixels of a mask in run lengths as COCO has them."""
    from minigrad.data.masks import run_lengths

    rows: list[dict[str, Any]] = []
    for number, (box, label, score) in enumerate(zip(found.boxes, found.labels, found.scores)):
        row: dict[str, Any] = {"label": classes[label], "score": float(score), "box": [float(edge) for edge in box]}
        if masks is not None:
            row["mask"] = {"size": list(masks.shape[1:]), "counts": list(map(int, run_lengths(masks[number]).counts))}
        rows.append(row)
    return rows
