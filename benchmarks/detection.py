"""Objects on images: a training step of a detector with masks."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

import minigrad
from minigrad.bench.workload import INPUT_SETS, Step, Workload
from minigrad.benchmarks.inputs import fill, normal
from minigrad.benchmarks.peers import of_images
from minigrad.benchmarks.source import network
from minigrad.models.detector import Detector, Target
from minigrad.models.detector_cost import multiplications_of

SIZES, STRIDES = (16, 32, 64), (4, 8, 16)  # of the anchors, and of the maps: a detector's own


def detector(m: Any, *, batch: int, side: int, width: int, maps: int, hidden: int, classes: int, objects: int) -> Step:
    """``minigrad.models.detector.Detector`` with all its losses: a pyramid, proposals, RoIAlign, classes, boxes and masks.

    PyTorch has no ops on boxes. Its side has those of ``minigrad.benchmarks.regions``, in its plain ops, and not torchvision's,
    which are C++. Anchors and regions are drawn by NumPy, the same for both. SGD moves weights that rounding has set apart no
    further, as AdamW would, so that for some steps both propose the same.
    """
    net = network(m, "detector").Detector(
        classes, sizes=SIZES, strides=STRIDES, width=width, channels=maps, hidden=hidden, masks=True
    )
    fill(m, 0, net)
    optimizer = m.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9)
    rng, chance = np.random.default_rng(1), np.random.default_rng(2)
    scenes = [scene(rng, batch, side, classes, objects) for _ in range(INPUT_SETS)]
    turn = itertools.cycle([(m.tensor(images), targets) for images, targets in scenes])

    def step() -> float:
        images, targets = next(turn)
        loss = sum(net.losses(images, targets, [(side, side)] * batch, chance).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def scene(rng: np.random.Generator, batch: int, side: int, classes: int, objects: int) -> tuple[np.ndarray, list[Target]]:
    """Images of noise, float32 (N, 3, side, side), with ellipses on them, and what is where."""
    images, targets = 0.3 * normal(rng, batch, 3, side, side), []
    middles = np.arange(side) + 0.5
    for image in images:
        size = rng.uniform(side / 8, side / 2, (objects, 2))
        corner = rng.uniform(0, side - size)
        boxes = np.concatenate([corner, corner + size], 1).astype(np.float32)
        labels = rng.integers(0, classes, objects)
        across, down = (
            (middles - corner[:, axis, None] - size[:, axis, None] / 2) / (size[:, axis, None] / 2) for axis in (0, 1)
        )
        masks = across[:, None, :] ** 2 + down[:, :, None] ** 2 <= 1
        for mask, label in zip(masks, labels):
            image[label % 3, mask] += 1.0 + label / classes
        targets.append(Target(boxes, labels, masks))
    return images, targets


def _flops(batch: int, side: int, width: int, maps: int, hidden: int, classes: int, objects: int) -> float:
    """Of masks those of the objects alone: how many more regions stand for one depends on the weights."""
    with minigrad.random.fork_rng():
        net = Detector(classes, sizes=SIZES, strides=STRIDES, width=width, channels=maps, hidden=hidden, masks=True)
    return 2 * batch * multiplications_of(net, (3, side, side), objects)


DETECTOR = Workload(
    "detector",
    "the detector of minigrad train detect, with masks, on images of 128 x 128; SGD with momentum",
    detector,
    {"batch": 4, "side": 128, "width": 32, "maps": 64, "hidden": 256, "classes": 10, "objects": 3},
    _flops,
    # Of 4 channels PyTorch 2.13 gives, in channels-last, wrong gradients of 1 x 1 weights where a processor has
    # no more than AVX2.
    small={"batch": 2, "side": 32, "width": 8, "maps": 8, "hidden": 16},
    tolerance=0.05,  # of two proposals whose scores differ by rounding either may come first, and so be learned from
    others=of_images(detector),
)
