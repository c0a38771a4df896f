"""A detector finds what it has learned: squares of two colours, with masks, by two stages and by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad.models.detector import Detector, Target
from minigrad.models.pasting import pasted
from minigrad.models.precision import precision, proposal_recall

SIZE = (32, 64)
RATE = 5e-3
OPTIONS: dict[str, Any] = {"sizes": (16,), "strides": (4,), "width": 8, "channels": 32, "hidden": 64}


def squares(seed: int, count: int = 4) -> tuple[minigrad.Tensor, list[Target]]:
    """In both halves of an image a square, of the first colour and class 0 or the third and class 2; each fourth is empty."""
    rng = np.random.default_rng(seed)
    x, targets = rng.normal(0, 0.1, (count, 3, *SIZE)).astype(np.float32), []
    for number, image in enumerate(x):
        objects = 2 if number % 4 != 3 else 0
        boxes, labels, masks = np.zeros((objects, 4), np.float32), rng.choice((0, 2), objects), np.zeros((objects, *SIZE), bool)
        for half in range(objects):
            side = rng.integers(10, 20)
            left, top = 32 * half + rng.integers(0, 33 - side), rng.integers(0, 33 - side)
            boxes[half] = left, top, left + side, top + side
            masks[half, top : top + side, left : left + side] = True
            image[labels[half], masks[half]] += 2
        targets.append(Target(boxes, labels, masks))
    return minigrad.tensor(x), targets


def learned(steps: int, seed: int = 0, **options: Any) -> Detector:
    """A detector after so many steps."""
    minigrad.manual_seed(seed)
    net = Detector(3, **{**OPTIONS, **options})
    optimizer = minigrad.optim.AdamW(net.parameters(), lr=RATE)
    schedule = minigrad.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, cycle_momentum=False)
    for step in range(steps):
        x, targets = squares(1000 * seed + step)
        optimizer.zero_grad()
        sum(net.losses(x, targets, [SIZE] * len(targets)).values(), minigrad.tensor(0.0)).backward()
        optimizer.step()
        schedule.step()
    return net.eval()


@pytest.mark.parametrize(("options", "steps"), [({"masks": True}, 90), ({"stages": 1}, 150)], ids=["masks", "one stage"])
def test_it_finds_what_it_has_learned(options: dict[str, Any], steps: int) -> None:
    x, targets = squares(10_000, 24)
    found = learned(steps, **options).detect(x)
    judged = precision(found, targets, 3)
    assert judged.ap50 > 0.75 and judged.recall > 0.9 and np.isnan(judged.each[1])
    empty = found[3::4]
    assert all(not len(each.boxes) or each.scores.max() < 0.7 for each in empty)
    for each in found:
        assert (np.diff(each.scores) <= 0).all() and (each.boxes >= 0).all() and (each.boxes <= [64, 32, 64, 32]).all()
    if "masks" in options:
        masks = [pasted(each.masks, each.boxes, SIZE) for each in found]  # type: ignore[arg-type]
        assert precision(found, targets, 3, masks=masks).ap50 > 0.75
        proposals = [each.proposals for each in found]
        assert proposal_recall(proposals, targets, most=10) > 0.9  # type: ignore[arg-type]
    wrong = [each._replace(labels=2 - each.labels) for each in found]
    assert precision(wrong, targets, 3).ap50 < judged.ap50 / 2  # the measure sees it where classes are taken for each other


@pytest.mark.parametrize("options", [{"masks": True}, {"stages": 1}], ids=["masks", "one stage"])
def test_it_finds_little_that_it_has_not_learned(options: dict[str, Any]) -> None:
    """After a tenth of the steps."""
    x, targets = squares(10_000, 24)
    assert precision(learned(10, **options).detect(x), targets, 3).ap50 < 0.5
