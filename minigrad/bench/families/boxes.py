"""Overlaps, suppression and alignment to be timed, at the sizes that detectors have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minigrad.bench.op import Call, Draw, Op, Results, images, normal, tensor

PAIRS = ((2000, 2000), (20000, 20))  # boxes beside boxes
MANY = ((2000, 1), (2000, 80))  # boxes, in groups
GRIDS = ((2, 64, 50, 512, 7), (8, 256, 25, 256, 14))  # N, C, H, and R regions on a grid of P x P
SETTINGS: dict[str, Any] = {"spatial_scale": 0.25, "sampling_ratio": 2, "aligned": True}


def ops() -> Iterator[Op]:
    """Each function at each shape."""
    for n, m in PAIRS:
        yield Op(
            "boxes", "iou", f"{n} beside {m}", 12.0 * n * m, 4.0 * (4 * n + 4 * m + n * m), _iou(n, m), _iou(30, 20),
            _iou_spot, {"torch": _torch_iou},
        )  # fmt: skip
    for count, groups in MANY:
        yield Op(
            "boxes", "nms", f"{count} in {groups} groups", 0.0, 4.0 * 5 * count, _nms(count, groups), _nms(60, groups),
            _whole, fixed=(0, 1), brief=groups == 1,
        )  # fmt: skip
    for number, (n, c, h, regions, side) in enumerate(GRIDS):
        shape = f"{regions} regions of N{n} C{c} H{h} -> {side}x{side}"
        x, y = n * c * h * h, regions * c * side * side
        for function, make, spot in (
            ("roi_align", _align, _align_spot),
            ("roi_align_backward", _spread, _spread_spot),
        ):
            yield Op(
                "boxes", function, shape, 32.0 * y, 4.0 * (x + y), make(n, c, h, regions, side), make(2, c, 9, 5, side), spot,
                fixed=(1,), brief=number == 0,
            )  # fmt: skip


def _boxes(rng: np.random.Generator, count: int, span: float, dtype: np.dtype) -> np.ndarray:
    """Boxes of a fifth of the picture's sides on the average, a few on each thing."""
    centre, side = rng.uniform(0, span, (count // 5 + 1, 2)), rng.uniform(0.1 * span, 0.3 * span, (count // 5 + 1, 2))
    corners = np.concatenate([centre - side / 2, centre + side / 2], axis=1)
    boxes = np.repeat(corners, 5, axis=0)[:count] + rng.normal(0, 0.02 * span, (count, 4))
    return boxes[rng.permutation(count)].astype(dtype)


def _iou(n: int, m: int) -> Draw:
    return lambda rng, dtype: Call((_boxes(rng, n, 800.0, dtype), _boxes(rng, m, 800.0, dtype)))


def _nms(count: int, groups: int) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        group = None if groups == 1 else rng.integers(0, groups, count)
        return Call((_boxes(rng, count, 800.0, dtype), rng.uniform(0, 1, count).astype(dtype), 0.5, group))

    return draw


def _align(n: int, c: int, h: int, regions: int, side: int) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        boxes = _boxes(rng, regions, 4.0 * h, dtype)
        return Call((images(rng, (n, c, h, h), dtype), boxes, rng.integers(0, n, regions), (side, side)), SETTINGS)

    return draw


def _spread(n: int, c: int, h: int, regions: int, side: int) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        boxes = _boxes(rng, regions, 4.0 * h, dtype)
        dy = normal(rng, (regions, side, side, c), dtype).transpose(0, 3, 1, 2)
        return Call((dy, boxes, rng.integers(0, n, regions), (n, h, h)), SETTINGS)

    return draw


def _iou_spot(call: Call, results: Results, rng: np.random.Generator) -> tuple[Call, Results]:
    """A few boxes beside a few."""
    a, b = call.args
    n, m = int(rng.integers(len(a))), int(rng.integers(len(b)))
    return Call((a[n : n + 5], b[m : m + 5])), [results[0][n : n + 5, m : m + 5]]


def _whole(call: Call, results: Results, rng: np.random.Generator) -> tuple[Call, Results]:
    """The best boxes of all, among which suppression goes as it does among all."""
    boxes, scores, threshold, group = call.args
    best = np.sort(np.argsort(-scores, kind="stable")[:60])
    worst = scores[best].min()
    found = results[0][scores[results[0]] >= worst]
    part = Call((boxes[best], scores[best], threshold, None if group is None else group[best]))
    return part, [np.searchsorted(best, found)]


def _align_spot(call: Call, results: Results, rng: np.random.Generator) -> tuple[Call, Results]:
    """A region, and a few channels of its image."""
    x, boxes, image, size = call.args
    r, c = int(rng.integers(len(boxes))), int(rng.integers(x.shape[1]))
    n = int(image[r])
    part = x[n : n + 1, c : c + 2], boxes[r : r + 1], np.zeros(1, np.int64), size
    return Call(part, call.kwargs), [results[0][r : r + 1, c : c + 2]]


def _spread_spot(call: Call, results: Results, rng: np.random.Generator) -> tuple[Call, Results]:
    """A channel of an image, and all of its regions."""
    dy, boxes, image, (_, height, width) = call.args
    n, c = int(image[int(rng.integers(len(image)))]), int(rng.integers(dy.shape[1]))
    mine = image == n
    part = dy[mine][:, c : c + 1], boxes[mine], np.zeros(int(mine.sum()), np.int64), (1, height, width)
    return Call(part, call.kwargs), [results[0][n : n + 1, c : c + 1]]


def _torch_iou(torch: Any, call: Call) -> Callable[[], Any]:
    a, b = (tensor(torch, each) for each in call.args)
    areas = [(each[:, 2] - each[:, 0]) * (each[:, 3] - each[:, 1]) for each in (a, b)]

    def run() -> Any:
        sides = torch.minimum(a[:, None, 2:], b[:, 2:]).sub_(torch.maximum(a[:, None, :2], b[:, :2])).clamp_(min=0)
        shared = sides[..., 0] * sides[..., 1]
        return shared / (areas[0][:, None] + areas[1] - shared)

    return run
