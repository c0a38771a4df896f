"""What the laboratory calls overlaps, suppression and alignment with; see :mod:`minigrad.kernels.cases`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from minigrad.kernels.boxes import Pair, tolerance
from minigrad.kernels.cases import Case, Identity, drawn, inner

Sizes = tuple[int, int, int, int]


class Regions(NamedTuple):
    """The size of x (N, C, H, W), the grid, and how many regions are sampled in which way."""

    name: str
    x: Sizes
    bins: Pair
    regions: int
    spatial_scale: float = 1.0
    sampling_ratio: int = -1
    aligned: bool = True

    @property
    def settings(self) -> dict[str, Any]:
        """The keywords of the call."""
        return {"spatial_scale": self.spatial_scale, "sampling_ratio": self.sampling_ratio, "aligned": self.aligned}


REGIONS = (
    Regions("as many samples as pixels", (2, 3, 7, 9), (2, 2), 4),
    Regions("two samples", (2, 5, 6, 5), (3, 2), 5, sampling_ratio=2),
    Regions("33 channels, a quarter of the picture", (1, 33, 5, 6), (2, 3), 3, 0.25),
    Regions("corners at whole pixels", (2, 4, 6, 7), (2, 1), 6, 0.5, 0, aligned=False),
    Regions("bins smaller than a pixel", (1, 2, 4, 3), (5, 7), 2, 0.5, 1, aligned=False),
    Regions("one pixel", (3, 17, 1, 1), (2, 2), 3, sampling_ratio=3),
    Regions("one bin", (1, 1, 9, 8), (1, 1), 7),
    Regions("no regions", (2, 3, 4, 4), (2, 2), 0),
    Regions("no images", (0, 3, 4, 4), (2, 2), 0),
)


def boxes_of(count: int, seed: int, span: float = 10.0) -> np.ndarray:
    """Boxes, some of which overlap much; among them some without an area, turned round, alike, and far larger than the rest."""
    rng = np.random.default_rng(seed)
    corner, side = rng.uniform(-0.2 * span, span, (count, 2)), rng.uniform(0.1 * span, 0.7 * span, (count, 2))
    boxes = np.concatenate([corner, corner + side], axis=1)
    boxes[3::9] = boxes[:1]
    boxes[4::9, 2] = boxes[4::9, 0]
    boxes[5::9] = boxes[5::9, ::-1]
    boxes[6::9] *= 100
    return boxes


def cases() -> Iterator[Case]:
    """Boxes of all kinds, in groups and with equal scores; each way of sampling."""
    for n, m in ((5, 7), (33, 17), (1, 1), (0, 3), (3, 0)):
        yield Case("iou", f"{n} beside {m}", (boxes_of(n, n), boxes_of(m, m + 1)))
    yield Case("iou", "beside themselves", (boxes_of(9, 3), boxes_of(9, 3)))
    yield Case("iou", "areas that float32 has not", (boxes_of(9, 3, 1e30), boxes_of(9, 3, 1e-30)))
    for count in (1, 7, 80, 0):
        boxes, rng = boxes_of(count, count), np.random.default_rng(count)
        scores, ties, group = rng.uniform(0, 1, count), rng.integers(0, 3, count).astype(float), rng.integers(-1, 2, count)
        for threshold in (0.0, 0.5, 1.0):
            yield Case("nms", f"{count}, {threshold}", (boxes, scores, threshold, None))
        yield Case("nms", f"{count}, equal scores", (boxes, ties, 0.3, None))
        yield Case("nms", f"{count}, in groups", (boxes, scores, 0.1, group))
    for number, regions in enumerate(REGIONS):
        x, dy = drawn(regions.x, (regions.regions, regions.x[1], *regions.bins), seed=number)
        boxes = boxes_of(regions.regions, number, max(regions.x[2:]) / regions.spatial_scale)
        boxes[1:2] *= 50
        image = np.random.default_rng(number).integers(0, max(regions.x[0], 1), regions.regions)
        about = f"{regions.name}: {regions.regions} of {regions.x} on {regions.bins[0]} x {regions.bins[1]}"
        size = (regions.x[0], *regions.x[2:])
        yield Case("roi_align", about, (x, boxes, image, regions.bins), regions.settings)
        yield Case("roi_align_backward", about, (dy, boxes, image, size), regions.settings)


def identities(run: Any, dtype: np.dtype) -> Iterator[Identity]:
    """⟨roi_align(x), dy⟩ = ⟨x, roi_align_backward(dy)⟩."""
    for case in cases():
        if case.function != "roi_align_backward":
            continue
        dy, boxes, image, size = (each.astype(dtype) if place < 2 else each for place, each in enumerate(case.args))
        dx = run.roi_align_backward(dy, boxes, image, size, **case.kwargs)
        (x,) = (each.astype(dtype) for each in drawn(dx.shape, seed=1))
        ahead = (x, boxes, image, dy.shape[2:])
        y = run.roi_align(*ahead, **case.kwargs)
        allowed = inner(tolerance("roi_align", *ahead, **case.kwargs)[0], abs(dy))
        allowed += inner(tolerance("roi_align_backward", dy, boxes, image, size, **case.kwargs)[0], abs(x))
        name = f"⟨roi_align(x), dy⟩ = ⟨x, roi_align_backward(dy)⟩, {case.name}"
        yield Identity("roi_align_backward", name, inner(y, dy), inner(x, dx), allowed)
