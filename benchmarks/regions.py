"""The ops of ``minigrad.ops.boxes`` that a detector needs, in PyTorch's plain ops: PyTorch itself has none of them.

torchvision has them, in C++; it is no part of the comparison. What is here is what one would write without it: overlaps by
broadcasting, RoIAlign as a weighted sum of gathered pixels by ``embedding_bag`` with PyTorch's gradient of it, and suppression,
which has no gradient and whose arrays are small, by minigrad's kernel, the same for both libraries.
"""

from __future__ import annotations

import importlib
from typing import Any

from minigrad.kernels import boxes as kernel

Pair = tuple[int, int]


def box_iou(boxes1: Any, boxes2: Any) -> Any:
    """Intersection over union of each of N boxes with each of M, (N, M); reckoned in float64, as ours is.

    A detector asks which overlaps are equal.
    """
    torch = importlib.import_module("torch")
    dtype = boxes1.dtype
    boxes1, boxes2 = boxes1.double(), boxes2.double()
    low, high = torch.maximum(boxes1[:, None, :2], boxes2[:, :2]), torch.minimum(boxes1[:, None, 2:], boxes2[:, 2:])
    shared = (high - low).clamp(min=0).prod(2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(1) for boxes in (boxes1, boxes2)]
    return (shared / (areas[0][:, None] + areas[1] - shared)).to(dtype)


def nms(boxes: Any, scores: Any, iou_threshold: float) -> Any:
    """The numbers of the boxes that no better one overlaps by more, the best first."""
    torch = importlib.import_module("torch")
    return torch.from_numpy(kernel.nms(boxes.numpy(), scores.numpy(), iou_threshold))


def batched_nms(boxes: Any, scores: Any, idxs: Any, iou_threshold: float) -> Any:
    """The same in each of several groups."""
    torch = importlib.import_module("torch")
    return torch.from_numpy(kernel.nms(boxes.numpy(), scores.numpy(), iou_threshold, idxs.numpy()))


def roi_align(
    input: Any,
    boxes: Any,
    output_size: int | Pair,
    spatial_scale: float = 1.0,
    sampling_ratio: int = -1,
    aligned: bool = False,
) -> Any:
    """The features inside each box on a grid of bins, (R, C, vertical, horizontal); the gradient flows to ``input`` alone.

    A bin is a bag of pixels with weights, of which ``embedding_bag`` makes the sum: four to each of its samples.

    Args:
        input: (N, C, H, W).
        boxes: (R, 5), the number of an image before each box; or a list with (L, 4) for each image.
        output_size, spatial_scale, sampling_ratio, aligned: as of ``minigrad.ops.boxes.roi_align``.
    """
    torch = importlib.import_module("torch")
    if isinstance(boxes, (list, tuple)):
        owners = [torch.full((len(each), 1), float(number), dtype=input.dtype) for number, each in enumerate(boxes)]
        boxes = torch.cat([torch.cat([owner, each], 1) for owner, each in zip(owners, boxes)])
    height, width = (output_size, output_size) if isinstance(output_size, int) else output_size
    channels, *size = input.shape[1:]
    image, corners = boxes[:, 0].long(), boxes[:, 1:].double() * spatial_scale - (0.5 if aligned else 0.0)
    down, tall = _along(corners[:, 1], corners[:, 3], height, size[0], sampling_ratio, aligned)
    across, wide = _along(corners[:, 0], corners[:, 2], width, size[1], sampling_ratio, aligned)
    table = input.permute(0, 2, 3, 1).reshape(-1, channels)
    # (R, vertical, horizontal, shares of rows, shares of columns) of pixels, and what each is worth in the mean
    rows, columns = down[0][:, :, None, :, None], across[0][:, None, :, None, :]
    pixels = (image[:, None, None, None, None] * size[0] + rows) * size[1] + columns
    worth = down[1][:, :, None, :, None] * across[1][:, None, :, None, :]
    worth = worth / (tall * wide).clamp(min=1)[:, None, None, None, None]
    shape, each = pixels.shape[:3], pixels.shape[3] * pixels.shape[4]
    if not pixels.numel():
        return input.sum() * input.new_zeros(len(boxes), channels, height, width)
    found = torch.nn.functional.embedding_bag(
        pixels.reshape(-1, each), table, mode="sum", per_sample_weights=worth.reshape(-1, each).to(input.dtype)
    )
    return found.reshape(*shape, channels).permute(0, 3, 1, 2)


def _along(start: Any, end: Any, bins: int, size: int, ratio: int, aligned: bool) -> tuple[tuple[Any, Any], Any]:
    """Along one axis the pixels (R, bins, shares) of each bin and their weights, and how many samples a bin has, (R,)."""
    torch = importlib.import_module("torch")
    length = end - start if aligned else (end - start).clamp(min=1.0)
    side = length / bins
    samples = torch.full_like(side, ratio) if ratio > 0 else side.ceil()
    most = max(1, int(samples.max())) if len(side) else 1
    k = torch.arange(most, dtype=torch.float64)
    first = start[:, None] + torch.arange(bins, dtype=torch.float64) * side[:, None]
    place = first[:, :, None] + (k + 0.5) * (side / samples.clamp(min=1))[:, None, None]
    there = (place >= -1) & (place <= size) & (k < samples[:, None, None])
    place = place.clamp(0, size - 1)
    low = place.floor().clamp(max=max(0, size - 2))
    beyond = place - low
    shares = torch.stack([1 - beyond, beyond], -1) * there[..., None]
    pixels = torch.stack([low, (low + 1).clamp(max=size - 1)], -1).long()
    return (pixels.flatten(2), shares.flatten(2)), samples
