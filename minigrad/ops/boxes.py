"""Boxes of things in images: areas, overlaps, which to keep, and the features inside, under the names of ``torchvision.ops``.

Boxes are (x1, y1, x2, y2) in pixels, from the left and from the top. ``minigrad.kernels.boxes`` has the formulas. A box with a
NaN, or whose sides are not both longer than 0, has an area of 0 and overlaps nothing: no result here is NaN for it, where
torchvision's may be. Overlaps are reckoned in float64, whatever the dtype.

RoIAlign is a linear map of its input, and its gradient the transposed one. Overlaps have gradients by other ops; the numbers of
boxes that are kept have none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.core.device import CPU, Array, array_module, move, quiet
from minigrad.core.dtypes import get_default_dtype, is_float
from minigrad.core.hints import checked
from minigrad.core.tape import Function, mode
from minigrad.core.tensor import Tensor, check_tensor
from minigrad.errors import ArgumentError, DTypeError, IndexingError, ShapeError
from minigrad.kernels import boxes as kernel
from minigrad.kernels.doubts import doubt
from minigrad.ops.choice import clamp, maximum, minimum, where
from minigrad.ops.geometry import numbers
from minigrad.ops.operands import cast
from minigrad.ops.parts import cat, stack

Settings = dict[str, Any]


class Align(Function):
    """y = the weighted mean of the pixels of each bin;  dx = dy by the same weights, laid down at these pixels."""

    def forward(ctx, x: Array, boxes: Array, image: Array, size: tuple[int, int], settings: Settings) -> Array:
        ctx.size, ctx.settings = (x.shape[0], *x.shape[2:]), settings
        ctx.save_for_backward(boxes, image)
        return kernel.roi_align(x, boxes, image, size, **settings)

    def backward(ctx, dy: Tensor) -> Any:
        boxes, image = (each.array for each in ctx.saved_tensors)
        return Spread.apply(dy, boxes, image, ctx.size, ctx.settings), None, None, None, None


class Spread(Function):
    """x = y by the weights of each bin's pixels;  dy = Align of dx. The transpose of ``Align``."""

    def forward(ctx, y: Array, boxes: Array, image: Array, size: tuple[int, int, int], settings: Settings) -> Array:
        ctx.size, ctx.settings = y.shape[2:], settings
        ctx.save_for_backward(boxes, image)
        return kernel.roi_align_backward(y, boxes, image, size, **settings)

    def backward(ctx, dx: Tensor) -> Any:
        boxes, image = (each.array for each in ctx.saved_tensors)
        return Align.apply(dx, boxes, image, ctx.size, ctx.settings), None, None, None, None


# ---------------------------------------------------------------------- areas and overlaps


def box_area(boxes: Tensor) -> Tensor:
    """The area of each box, (x2 − x1)·(y2 − y1), and 0 of one that has none: turned round, or with a NaN.

    Args:
        boxes: (N, 4); whole numbers count as the default float dtype.

    Returns:
        (N,).

    Raises:
        ShapeError: another shape.

    Example:
        >>> import minigrad
        >>> from minigrad.ops.boxes import box_area
        >>> box_area(minigrad.tensor([[0.0, 0.0, 2.0, 3.0], [1.0, 1.0, 0.0, 0.0]]))
        tensor([6., 0.])
    """
    boxes = _boxes("box_area", "boxes", boxes)
    return _area(boxes, _has_area(boxes))


def box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """Intersection over union of each box of the first with each of the second.

    Args:
        boxes1: (N, 4).
        boxes2: (M, 4).

    Returns:
        (N, M): from 0, nothing in common, to 1, alike; 0 of a box without area.

    Raises:
        ShapeError: other shapes.

    Example:
        >>> import minigrad
        >>> from minigrad.ops.boxes import box_iou
        >>> box_iou(minigrad.tensor([[0.0, 0.0, 2.0, 2.0]]), minigrad.tensor([[1.0, 0.0, 3.0, 2.0], [5.0, 5.0, 6.0, 6.0]]))
        tensor([[0.3333, 0.0000]])
    """
    a, b = _two("box_iou", boxes1, boxes2)
    if not (mode.grad and (a.requires_grad or b.requires_grad)):
        return Tensor._wrap(kernel.iou(a.array, b.array))
    iou, _ = _iou_and_union(cast(a, np.dtype(np.float64)), cast(b, np.dtype(np.float64)))
    return cast(iou, a.array.dtype)


def generalized_box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """Generalised intersection over union of each box with each: ``box_iou`` less the share of their hull that neither covers.

    It tells how far apart boxes are that have nothing in common.

    Source: Rezatofighi et al., "Generalized intersection over union", 2019.

    Args:
        boxes1: (N, 4).
        boxes2: (M, 4).

    Returns:
        (N, M): from −1, far apart, to 1, alike; −1 of a box that is not finite, 0 where the hull is a line or a point.

    Raises:
        ShapeError: other shapes.

    Example:
        >>> import minigrad
        >>> from minigrad.ops.boxes import generalized_box_iou
        >>> generalized_box_iou(minigrad.tensor([[0.0, 0.0, 1.0, 1.0]]), minigrad.tensor([[2.0, 0.0, 4.0, 1.0]]))
        tensor([[-0.2500]])
    """
    a, b = _two("generalized_box_iou", boxes1, boxes2)
    dtype = a.array.dtype
    a, b = (cast(each, np.dtype(np.float64)) for each in (a, b))
    finite = [each.detach().isfinite().all(dim=1) for each in (a, b)]
    a, b = (where(there[:, None], each, 0.0) for there, each in zip(finite, (a, b), strict=True))
    iou, union = _iou_and_union(a, b)
    sides = clamp(maximum(a[:, None, 2:], b[None, :, 2:]) - minimum(a[:, None, :2], b[None, :, :2]), min=0.0)
    hull = sides[..., 0] * sides[..., 1]
    there, flat = hull.detach() < math.inf, hull.detach() == 0
    usual = there & ~flat
    empty = (where(usual, hull, 1.0) - where(usual, union, 1.0)) / where(usual, hull, 1.0)
    found = where(there, iou - empty, -1.0)
    return cast(where(finite[0][:, None] & finite[1][None, :], found, -1.0), dtype)


def _area(boxes: Tensor, there: Tensor) -> Tensor:
    sides = boxes[:, 2:] - boxes[:, :2]
    sides = where(there[:, None], sides, 0.0)
    return sides[:, 0] * sides[:, 1]


def _has_area(boxes: Tensor) -> Tensor:
    sides = boxes.detach()
    sides = sides[:, 2:] - sides[:, :2]
    return (sides > 0).all(dim=1)


def _iou_and_union(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Of float64, by ops that have gradients; what overlaps nothing is taken out before, so that none of them is NaN."""
    areas, found = [], []
    for each in (a, b):
        there = _has_area(each)
        area = _area(each.detach(), there)
        there = there & (area > 0) & (area < math.inf)
        areas.append(_area(each, there))
        found.append(where(there[:, None], each, 0.0))
    a, b = found
    sides = clamp(minimum(a[:, None, 2:], b[None, :, 2:]) - maximum(a[:, None, :2], b[None, :, :2]), min=0.0)
    shared = sides[..., 0] * sides[..., 1]
    union = areas[0][:, None] + areas[1][None, :] - shared
    there = (shared.detach() > 0) & (union.detach() < math.inf)
    return where(there, shared, 0.0) / where(there, union, 1.0), union


# ---------------------------------------------------------------------- which to keep


@checked
def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """The boxes to keep of many on one thing, by greedy suppression: the best first, none that overlaps a kept one by too much.

    Args:
        boxes: (N, 4). One that is not finite, or has a NaN for a score, is not kept; one without area is, and suppresses none.
        scores: (N,), of the boxes' dtype; of equal ones the first box is the better.
        iou_threshold: 0 to 1: an overlap of more suppresses the worse box.

    Returns:
        The numbers of the kept boxes, int64, the best first.

    Raises:
        ShapeError: other shapes.
        ArgumentError: a threshold outside 0 to 1.
        DTypeError: other than float32 or float64, or two dtypes.

    Example:
        >>> import minigrad
        >>> from minigrad.ops.boxes import nms
        >>> boxes = minigrad.tensor([[0.0, 0.0, 10.0, 10.0], [0.0, 1.0, 10.0, 11.0], [20.0, 0.0, 30.0, 10.0]])
        >>> nms(boxes, minigrad.tensor([0.5, 0.9, 0.7]), 0.5)
        tensor([1, 2])
    """
    boxes, scores = check_tensor("nms", "boxes", boxes), check_tensor("nms", "scores", scores)
    return Tensor._wrap(kernel.nms(boxes.array, scores.array, iou_threshold))


@checked
def batched_nms(boxes: Tensor, scores: Tensor, idxs: Tensor, iou_threshold: float) -> Tensor:
    """``nms`` in several groups at once, such as the classes of a picture or the pictures of a batch.

    Boxes of different groups do not know of each other. That holds exactly: no coordinate is moved for it.

    Args:
        boxes: (N, 4).
        scores: (N,).
        idxs: (N,), whole numbers: the group of each box.
        iou_threshold: as in ``nms``.

    Returns:
        The numbers of the kept boxes of all groups, int64, the best first.

    Raises:
        ShapeError, ArgumentError, DTypeError: as ``nms``.

    Example:
        >>> import minigrad
        >>> from minigrad.ops.boxes import batched_nms
        >>> boxes = minigrad.tensor([[0.0, 0.0, 10.0, 10.0], [0.0, 1.0, 10.0, 11.0], [0.0, 0.0, 10.0, 10.0]])
        >>> batched_nms(boxes, minigrad.tensor([0.5, 0.9, 0.7]), minigrad.tensor([0, 0, 1]), 0.5)
        tensor([1, 2])
    """
    where = "batched_nms"
    boxes, scores = check_tensor(where, "boxes", boxes), check_tensor(where, "scores", scores)
    group = check_tensor(where, "idxs", idxs).array
    if group.dtype.kind not in "iu":
        raise DTypeError(where, "idxs", "whole numbers", str(group.dtype), "Convert it with .long()")
    return Tensor._wrap(kernel.nms(boxes.array, scores.array, iou_threshold, group.astype(np.int64, copy=False)))


@checked
def remove_small_boxes(boxes: Tensor, min_size: float) -> Tensor:
    """The numbers of the boxes whose sides are both at least ``min_size`` long; not those with a NaN.

    Args:
        boxes: (N, 4).
        min_size: in pixels.

    Returns:
        Numbers of boxes in their order, int64.

    Raises:
        ShapeError: another shape.

    Example:
        >>> import minigrad
        >>> from minigrad.ops.boxes import remove_small_boxes
        >>> remove_small_boxes(minigrad.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 9.0, 1.0]]), 2)
        tensor([0])
    """
    found = _boxes("remove_small_boxes", "boxes", boxes).array
    with quiet():
        kept = (found[:, 2:] - found[:, :2] >= min_size).all(axis=1)
    return Tensor._wrap(array_module(found).flatnonzero(kept).astype(np.int64, copy=False))


def clip_boxes_to_image(boxes: Tensor, size: Sequence[int]) -> Tensor:
    """The boxes with what lies outside an image cut off. A NaN stays; ``remove_small_boxes`` and ``nms`` leave it out.

    Args:
        boxes: (..., 4).
        size: (height, width) of the image.

    Returns:
        A Tensor like ``boxes``, with x from 0 to the width and y from 0 to the height.

    Raises:
        ShapeError: another shape.
        ArgumentError: ``size`` is no pair of whole numbers, 0 or more.

    Example:
        >>> import minigrad
        >>> from minigrad.ops.boxes import clip_boxes_to_image
        >>> clip_boxes_to_image(minigrad.tensor([[-1.0, 2.0, 9.0, 50.0]]), (8, 10))
        tensor([[0., 2., 9., 8.]])
    """
    where = "clip_boxes_to_image"
    shape = check_tensor(where, "boxes", boxes).array.shape
    if not shape or shape[-1] != 4:
        raise ShapeError(where, "boxes", "shape (..., 4): x1, y1, x2, y2 of each", f"shape {shape}")
    if not isinstance(size, (tuple, list)) or len(size) != 2:
        raise ArgumentError(where, "size", "(height, width)", repr(size))
    height, width = numbers(where, "size", size, 2, 0)
    x, y = clamp(boxes[..., 0::2], 0, width), clamp(boxes[..., 1::2], 0, height)
    return stack((x, y), dim=-1).reshape(shape)


# ---------------------------------------------------------------------- what is inside


@checked
def roi_align(
    input: Tensor,
    boxes: Any,
    output_size: Any,
    spatial_scale: float = 1.0,
    sampling_ratio: int = -1,
    aligned: bool = False,
) -> Tensor:
    """The features inside each box on a grid of one size: bins, each the mean of samples between pixels (RoIAlign).

    ``aligned=True`` puts boxes where they are in the picture; False, which moves them by half a pixel, is the default as it is
    torchvision's. A box with a number that is not finite, or with a corner more than 2²⁰ pixels away, gives zeros. The gradient
    flows to ``input`` alone.

    Source: He et al., "Mask R-CNN", 2017, section 3.

    Args:
        input: features of images, (N, C, H, W).
        boxes: (R, 5), the number of an image and (x1, y1, x2, y2) in each row; or a list with (L, 4) for each image. Of the
            dtype of ``input``.
        output_size: the grid, an int or (vertical, horizontal).
        spatial_scale: from the units of the boxes to pixels of ``input``: 0.25 where it is a quarter as wide as the picture.
        sampling_ratio: samples along each side of a bin; not above 0: as many as it has pixels, rounded up.
        aligned: boxes are where they are in the picture; else moved by half a pixel of ``input``, and at least one pixel wide.

    Returns:
        (R, C, vertical, horizontal).

    Raises:
        ShapeError: other shapes, or a list of another length than the batch.
        IndexingError: an image that there is not, or a number that is not whole.
        ArgumentError: a size, scale or number of samples outside its range.
        DTypeError: other than float32 or float64, or two dtypes.

    Example:
        >>> import minigrad
        >>> from minigrad.ops.boxes import roi_align
        >>> x = minigrad.arange(16.0).reshape(1, 1, 4, 4)
        >>> roi_align(x, [minigrad.tensor([[0.0, 0.0, 4.0, 4.0]])], 2, aligned=True)
        tensor([[[[ 2.5000,  4.5000],
                  [10.5000, 12.5000]]]])
    """
    where = "roi_align"
    x = check_tensor(where, "input", input).array
    if x.ndim != 4:
        raise ShapeError(where, "input", "4 dimensions (N, C, H, W)", f"shape {x.shape}")
    height, width = numbers(where, "output_size", output_size, 2, 1)
    corners, image = _listed(x, boxes) if isinstance(boxes, (list, tuple)) else _numbered(boxes)
    settings = {"spatial_scale": spatial_scale, "sampling_ratio": sampling_ratio, "aligned": bool(aligned)}
    return Align.apply(input, corners, image, (height, width), settings)


def _listed(x: Array, boxes: Sequence[Tensor]) -> tuple[Array, Array]:
    """Boxes of each image in one array, and the number of each one's image."""
    if len(boxes) != len(x):
        raise ShapeError("roi_align", "boxes", f"a Tensor for each of {len(x)} images", f"{len(boxes)} of them")
    for each in boxes:
        shape = check_tensor("roi_align", "boxes", each).array.shape
        if len(shape) != 2 or shape[1] != 4:
            raise ShapeError("roi_align", "boxes", "shape (L, 4) in a list: x1, y1, x2, y2 of each", f"shape {shape}")
    xp = array_module(x)
    if not boxes:
        return xp.empty((0, 4), x.dtype), xp.empty(0, np.int64)
    image = [xp.full(len(each.array), number, np.int64) for number, each in enumerate(boxes)]
    return cat([each.detach() for each in boxes]).array, xp.concatenate(image)


def _numbered(boxes: Tensor) -> tuple[Array, Array]:
    """Boxes, and the number of each one's image that stands before it."""
    array = check_tensor("roi_align", "boxes", boxes).array
    if array.ndim != 2 or array.shape[1] != 5:
        expected = "shape (R, 5): image number, x1, y1, x2, y2 of each, or a list with (L, 4) for each image"
        raise ShapeError("roi_align", "boxes", expected, f"shape {array.shape}")
    column = array[:, 0]
    with quiet():
        image = column.astype(np.int64)
        wrong = (image != column).any()

    def error() -> IndexingError:
        host = move(column, CPU)
        row = int(np.argwhere(~(abs(host) < 2.0**62) | (host != np.floor(host)))[0, 0])
        return IndexingError("roi_align", "boxes", "whole numbers of images in the first column", f"{host[row]} in row {row}")

    doubt(wrong, error)
    return array[:, 1:], image


# ---------------------------------------------------------------------- arguments


def _boxes(where: str, name: str, boxes: Tensor) -> Tensor:
    """Boxes (N, 4), of float32 or float64."""
    array = check_tensor(where, name, boxes).array
    if array.ndim != 2 or array.shape[1] != 4:
        raise ShapeError(where, name, "shape (N, 4): x1, y1, x2, y2 of each", f"shape {array.shape}")
    if not is_float(array.dtype):
        return cast(boxes, get_default_dtype())
    return cast(boxes, np.dtype(np.float32)) if array.dtype.itemsize < 4 else boxes


def _two(where: str, boxes1: Tensor, boxes2: Tensor) -> tuple[Tensor, Tensor]:
    """Both in the wider dtype of the two."""
    a, b = _boxes(where, "boxes1", boxes1), _boxes(where, "boxes2", boxes2)
    dtype = np.promote_types(a.array.dtype, b.array.dtype)
    return cast(a, dtype), cast(b, dtype)


__all__ = [
    "batched_nms",
    "box_area",
    "box_iou",
    "clip_boxes_to_image",
    "generalized_box_iou",
    "nms",
    "remove_small_boxes",
    "roi_align",
]
