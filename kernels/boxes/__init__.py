"""Boxes and regions of images: how boxes overlap, which to keep of many on one thing, and the features of a region on a grid.

A box is (x1, y1, x2, y2) in pixels, with sides of x2 − x1 and y2 − y1. With a of shape (N, 4), b (M, 4), |a| the area of a
box, x of shape (N, C, H, W) and R regions ``boxes`` (R, 4), each of the image that ``image`` (R,) names::

    iou                 y[n,m] = |a[n] ∩ b[m]| / (|a[n]| + |b[m]| − |a[n] ∩ b[m]|)
    nms                 the numbers of the boxes that no better box of their group, itself kept, overlaps by too much
    roi_align           y[r,c,i,j]  = Σ weight(r,i,j; h,w) · x[image[r],c,h,w]  over the pixels (h, w)
    roi_align_backward  dx[n,c,h,w] = Σ weight(r,i,j; h,w) · dy[r,c,i,j]  over the bins (i, j) of the regions r of image n

**Overlap.** A box whose two sides are not both longer than 0, or one with a NaN, has no area and overlaps nothing. So does one
whose area is infinite, or more than float64 holds. y is 0 there, and never NaN.

**Suppression** is greedy: boxes come in the order of their scores, the best first, equal scores in that of their numbers. A box
is kept if its overlap with each kept before it, of its group, is not above the threshold. A box with a number that is not
finite, or with a NaN for a score, is not kept. What comes back are numbers in the order in which boxes were kept, int64.

**Alignment** (He et al., "Mask R-CNN", 2017, section 3; the rules of torchvision's ``roi_align``). A region's corners are
coordinates · ``spatial_scale``, minus ½ where ``aligned``; else its sides count as at least 1. It is divided into bins, with
``sampling_ratio`` samples along each side of a bin or, where that is not above 0, ⌈side of the bin⌉, which may be none::

    sample k of bin i   v = start + i · side + (k + ½) · side / samples

A sample outside −1 ≤ v ≤ size, of rows or of columns, is worth 0. Else v counts as at least 0, and the pixels ⌊v⌋ and ⌊v⌋ + 1
share it as 1 − (v − ⌊v⌋) to v − ⌊v⌋; from the last pixel on, that takes all. A bin is the mean of its samples: weight is the
product of a sample's shares in rows and columns, summed, over the number of samples. A pixel whose share is 0 counts for
nothing, whatever it holds. A region with a number that is not finite, or with a corner more than ``FARTHEST`` pixels away, is
of zeros and has no gradient. Nothing flows back to boxes.

Overlaps and places are reckoned in float64, each operation rounded by itself, whatever the dtype: so no decision depends on it.

Boxes, scores, x and dy are float32 or float64, all of one dtype, with any strides; groups and images are int64. None is written
to. y and dx of alignment lie channels-last in memory. There may be no boxes, regions or images; C, H and W are 1 or more.

An implementation is given arguments that this file has checked, every keyword among them, and must keep to the same signatures.
"""

from __future__ import annotations

from math import isfinite
from operator import index
from typing import Any

import numpy as np

from minigrad.core.device import Array, device_of, quiet
from minigrad.errors import ArgumentError, DeviceError, DTypeError, ShapeError
from minigrad.kernels.checks import check_arrays, check_rank, check_row_numbers, integers, numbers, pair, truth
from minigrad.kernels.choice import find

FUNCTIONS = ("iou", "nms", "roi_align", "roi_align_backward")
SAME_LAYOUT = ("roi_align", "roi_align_backward")
FARTHEST = float(1 << 20)  # pixels
Pair = tuple[int, int]


def iou(a: Array, b: Array) -> Array:
    """Intersection over union of each box with each: (N, 4) and (M, 4) to (N, M).

    Raises:
        ShapeError: other than (N, 4) and (M, 4).
        DTypeError: other than float32 or float64, or two dtypes.
        DeviceError: arrays on two devices.
        KernelError: the chosen implementation cannot run.

    Example:
        >>> import numpy as np
        >>> iou(np.array([[0.0, 0.0, 2.0, 2.0]]), np.array([[1.0, 0.0, 3.0, 2.0], [5.0, 5.0, 6.0, 6.0], [1.0, 1.0, 1.0, 1.0]]))
        array([[0.33333333, 0.        , 0.        ]])
    """
    device_type = check_arrays("box_iou", (("boxes1", a), ("boxes2", b)))
    _check_boxes("box_iou", "boxes1", a)
    _check_boxes("box_iou", "boxes2", b)
    with quiet():
        return find("boxes", device_type).iou(a, b)


def nms(boxes: Array, scores: Array, threshold: float, group: Array | None = None) -> Array:
    """The numbers of the boxes to keep, the best first: (N, 4) and (N,) to (K,).

    Args:
        boxes: as they lie in the image.
        scores: of each; the higher the better.
        threshold: an overlap of more than this suppresses the worse box: 0 to 1.
        group: (N,), a number for each, such as of its class or image: boxes of different groups do not know of each other.

    Raises:
        ShapeError: boxes other than (N, 4), or scores or groups other than (N,).
        ArgumentError: a threshold outside 0 to 1.
        DTypeError, DeviceError, KernelError: as :func:`iou`; groups that are not int64.

    Example:
        >>> import numpy as np
        >>> boxes = np.array([[0.0, 0.0, 10.0, 10.0], [0.0, 1.0, 10.0, 11.0], [20.0, 0.0, 30.0, 10.0]])
        >>> nms(boxes, np.array([0.5, 0.9, 0.7]), 0.5)
        array([1, 2])
        >>> nms(boxes, np.array([0.5, 0.9, 0.7]), 0.5, np.array([0, 1, 0]))
        array([1, 2, 0])
    """
    device_type = check_arrays("nms", (("boxes", boxes), ("scores", scores)))
    _check_boxes("nms", "boxes", boxes)
    if scores.shape != boxes.shape[:1]:
        raise ShapeError("nms", "scores", f"shape ({len(boxes)},), one for each box", f"shape {scores.shape}")
    threshold = numbers("nms", iou_threshold=threshold)["iou_threshold"]
    if not 0 <= threshold <= 1:
        raise ArgumentError("nms", "iou_threshold", "a number from 0 to 1", str(threshold))
    if group is not None:
        _check_group(group, boxes)
    with quiet():
        return find("boxes", device_type).nms(boxes, scores, threshold, group)


def roi_align(
    x: Array,
    boxes: Array,
    image: Array,
    output_size: Pair,
    *,
    spatial_scale: float = 1.0,
    sampling_ratio: int = -1,
    aligned: bool = False,
) -> Array:
    """The features of each region on a grid of bins: (N, C, H, W), (R, 4) and (R,) to (R, C, PH, PW).

    Args:
        x: features of images.
        boxes: regions, in the units of a picture ``1 / spatial_scale`` as large as x.
        image: the number of each one's image.
        output_size: (PH, PW).
        spatial_scale: from the units of the boxes to pixels of x.
        sampling_ratio: samples along each side of a bin; as many as it has pixels, where not above 0.
        aligned: pixels have their centres at whole coordinates plus ½, as in the picture; else at whole ones.

    Raises:
        ShapeError: other than four dimensions, sizes of 0 beyond the batch's, or boxes and numbers of images that do not fit.
        IndexingError: an image that there is not.
        ArgumentError: a size, scale or number of samples outside its range.
        DTypeError, DeviceError, KernelError: as :func:`iou`.

    Example:
        >>> import numpy as np
        >>> x = np.arange(16.0).reshape(1, 1, 4, 4)
        >>> roi_align(x, np.array([[0.0, 0.0, 4.0, 4.0]]), np.array([0]), (2, 2), aligned=True)[0, 0]
        array([[ 2.5,  4.5],
               [10.5, 12.5]])
    """
    device_type = check_arrays("roi_align", (("input", x), ("boxes", boxes)))
    _check_image("input", x)
    _check_regions(x, boxes, image, len(x))
    output_size = pair("roi_align", "output_size", output_size, 1)
    settings = _settings(spatial_scale, sampling_ratio, aligned)
    with quiet():
        return find("boxes", device_type).roi_align(x, boxes, image, output_size, **settings)


def roi_align_backward(
    dy: Array,
    boxes: Array,
    image: Array,
    input_size: tuple[int, int, int],
    *,
    spatial_scale: float = 1.0,
    sampling_ratio: int = -1,
    aligned: bool = False,
) -> Array:
    """The transposed map of :func:`roi_align`: (R, C, PH, PW), (R, 4) and (R,) to (N, C, H, W).

    Args:
        dy: the gradient of each bin.
        boxes, image, spatial_scale, sampling_ratio, aligned: as in :func:`roi_align`.
        input_size: (N, H, W) of x.

    Raises:
        ShapeError, IndexingError, ArgumentError, DTypeError, DeviceError, KernelError: as :func:`roi_align`.

    Example:
        >>> import numpy as np
        >>> dy = np.array([[[[4.0]]]])
        >>> roi_align_backward(dy, np.array([[0.0, 0.0, 2.0, 2.0]]), np.array([0]), (1, 2, 3), aligned=True)[0, 0]
        array([[1., 1., 0.],
               [1., 1., 0.]])
    """
    device_type = check_arrays("roi_align", (("grad_output", dy), ("boxes", boxes)))
    _check_image("grad_output", dy)
    expected = "three whole numbers (images, rows, columns), of which the last two are 1 or more"
    if type(input_size) is not tuple or len(input_size) != 3:
        raise ArgumentError("roi_align", "input_size", expected, repr(input_size))
    (images,) = integers("roi_align", "input_size", input_size[:1], expected, 0)
    height, width = integers("roi_align", "input_size", input_size[1:], expected, 1)
    _check_regions(dy, boxes, image, images)
    if len(dy) != len(boxes):
        raise ShapeError("roi_align", "grad_output", f"a grid for each of {len(boxes)} regions", f"shape {dy.shape}")
    settings = _settings(spatial_scale, sampling_ratio, aligned)
    with quiet():
        return find("boxes", device_type).roi_align_backward(dy, boxes, image, (images, height, width), **settings)


def tolerance(function: str, *args: Any, **settings: Any) -> tuple[Any, ...]:
    """How far an implementation may be from the reference: 8 · eps of an overlap, not at all for numbers of boxes.

    Of sums of K terms, weight · value, by 4 · √K · eps · Σ|weight · value|.
    """
    from minigrad.kernels.boxes import reference

    if function == "nms":
        return (0.0,)
    info = np.finfo(args[0].dtype)
    if function == "iou":
        return (8 * float(info.eps) * reference.iou(*args) + float(info.tiny),)
    bound = getattr(reference, function)(abs(args[0]), *args[1:], **settings)
    terms = 4 * max(args[0].size, bound.size) // max(1, bound.shape[1])
    return (4 * (terms + 1) ** 0.5 * float(info.eps) * bound + float(info.tiny),)


def _check_boxes(where: str, name: str, boxes: Array) -> None:
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ShapeError(where, name, "shape (N, 4): x1, y1, x2, y2 of each", f"shape {boxes.shape}")


def _check_group(group: Array, boxes: Array) -> None:
    if getattr(group, "dtype", None) != np.int64:
        got = str(getattr(group, "dtype", type(group).__name__))
        raise DTypeError("nms", "idxs", "numbers of groups, int64", got, "Convert it with .long()")
    if device_of(group) != device_of(boxes):
        there, other = device_of(boxes), device_of(group)
        raise DeviceError("nms", "idxs", f"an array on {there}", f"one on {other}", f"Move it there: .to('{there}')")
    if group.shape != boxes.shape[:1]:
        raise ShapeError("nms", "idxs", f"shape ({len(boxes)},), a group for each box", f"shape {group.shape}")


def _check_image(name: str, x: Array) -> None:
    check_rank("roi_align", name, x, "N, C, H, W")
    if 0 in x.shape[1:]:
        raise ShapeError("roi_align", name, "no size of 0 but the first", f"shape {x.shape}")


def _check_regions(beside: Array, boxes: Array, image: Array, images: int) -> None:
    _check_boxes("roi_align", "boxes", boxes)
    check_row_numbers("roi_align", "image", image, beside, images)
    if image.shape != boxes.shape[:1]:
        raise ShapeError("roi_align", "image", f"shape ({len(boxes)},), a number for each region", f"shape {image.shape}")


def _settings(spatial_scale: float, sampling_ratio: int, aligned: bool) -> dict[str, Any]:
    scale = numbers("roi_align", spatial_scale=spatial_scale)["spatial_scale"]
    if not isfinite(scale) or scale <= 0:
        raise ArgumentError("roi_align", "spatial_scale", "a finite number above 0", str(scale))
    try:
        samples = index(sampling_ratio)
    except TypeError:
        raise ArgumentError("roi_align", "sampling_ratio", "a whole number", repr(sampling_ratio)) from None
    if samples >= 1 << 16:
        raise ArgumentError("roi_align", "sampling_ratio", f"below {1 << 16}", str(samples))
    truth("roi_align", aligned=aligned)
    return {"spatial_scale": scale, "sampling_ratio": samples, "aligned": aligned}
