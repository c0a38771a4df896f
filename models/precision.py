"""How good a detector is: average precision, as COCO measures it, by the code that COCO's authors publish.

Found objects are taken in order of their scores; each is right if it overlaps one of its class that no surer one has taken.
What share of those taken so far is right (precision) stands against what share of all there are was found (recall); the area
under that curve is the average precision of a class (AP). AP50 is that of an overlap (IoU) of 0.5 or more; mAP, COCO's figure,
the mean over ten overlaps from 0.5 to 0.95, and over classes. Lin et al. 2014, arXiv:1405.0312.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

import minigrad
from minigrad.errors import ArgumentError
from minigrad.models.detector import Found, Target
from minigrad.ops.boxes import box_iou

MOST = 100  # objects of an image that count
MISSING = 'Run pip install "minigrad-engine[detect]"'


class Precision(NamedTuple):
    """Average precisions, from 0 to 1; nan where there is nothing to find.

    Attributes:
        ap: the mean over overlaps from 0.5 to 0.95 and over classes, COCO's mAP.
        ap50, ap75: at these overlaps.
        recall: the share of all objects that overlaps of 0.5 find among 100 a photo.
        each: AP50 of each class, (K,).
        curves: (K, 101), the precision of each class at recalls of 0, 0.01, ..., 1, at an overlap of 0.5; -1 without objects.
    """

    ap: float
    ap50: float
    ap75: float
    recall: float
    each: np.ndarray
    curves: np.ndarray


def check_library() -> None:
    """See that pycocotools is there, before anything takes long.

    Raises:
        ArgumentError: it is not.
    """
    try:
        import pycocotools.cocoeval  # noqa: F401 - looked for alone
    except ImportError as error:
        raise ArgumentError("precision", "pycocotools", "the library that measures detectors", "none", MISSING) from error


def precision(
    found: Sequence[Found], targets: Sequence[Target], classes: int, *, masks: Sequence[np.ndarray] | None = None
) -> Precision:
    """Compare what was found on images with what is there.

    Args:
        found: of each image.
        targets: the same images.
        classes: K.
        masks: bool (n, H, W) of what was found on each image, to compare with the targets' instead of boxes.

    Raises:
        ArgumentError: pycocotools is missing, or the targets have no masks.

    Example:
        >>> there = Target(np.array([[0, 0, 10, 10]], np.float32), np.array([1]))
        >>> right = Found(np.array([[0, 0, 10, 9]], np.float32), np.array([1]), np.array([0.9], np.float32))
        >>> round(precision([right], [there], 2).ap50, 3), round(precision([right], [there], 2).ap, 3)
        (1.0, 0.9)
    """
    check_library()
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    if masks is not None and any(each.masks is None for each in targets):
        raise ArgumentError("precision", "masks", "targets that have masks", "some without")
    with contextlib.redirect_stdout(io.StringIO()):  # which it writes its progress to
        truth, said = COCO(), COCO()
        for made, rows in ((truth, _truth(targets, masks is not None)), (said, _said(found, masks))):
            made.dataset = {
                "images": [{"id": number, **_size(target.masks)} for number, target in enumerate(targets)],
                "categories": [{"id": number} for number in range(classes)],
                "annotations": rows,
            }
            made.createIndex()
        judge = COCOeval(truth, said, "bbox" if masks is None else "segm")
        judge.params.maxDets = [MOST]
        judge.params.areaRng, judge.params.areaRngLbl = judge.params.areaRng[:1], ["all"]
        judge.evaluate()
        judge.accumulate()
    by_overlap = judge.eval["precision"][:, :, :, 0, 0]  # overlaps, recalls, classes
    recall = judge.eval["recall"][0, :, 0, 0]
    overlaps = judge.params.iouThrs
    return Precision(
        _mean(by_overlap), _mean(by_overlap[0]), _mean(by_overlap[int(np.abs(overlaps - 0.75).argmin())]), _mean(recall),
        np.array([_mean(by_overlap[0, :, number]) for number in range(classes)]), by_overlap[0].T.copy(),
    )  # fmt: skip


def proposal_recall(
    proposals: Sequence[np.ndarray], targets: Sequence[Target], *, most: int = MOST, overlap: float = 0.5
) -> float:
    """The share of all objects that one of the first proposals of their image overlaps, of whatever class; nan without any.

    It says how good the first stage of a detector is: what that does not propose, the second one cannot find.

    Args:
        proposals: of each image float32 (r, 4), the likeliest first.
        targets: what is on the same images.
        most: proposals of an image that count.
        overlap: (IoU) from which on an object is proposed.

    Raises:
        ArgumentError: other numbers of images.

    Example:
        >>> there = Target(np.array([[0, 0, 10, 10], [20, 0, 30, 10]], np.float32), np.array([0, 1]))
        >>> proposal_recall([np.array([[0, 0, 10, 5], [20, 0, 30, 4]], np.float32)], [there])
        0.5
    """
    if len(proposals) != len(targets):
        expected = f"those of {len(targets)} images, as many as targets"
        raise ArgumentError("proposal_recall", "proposals", expected, f"of {len(proposals)}")
    there = hit = 0
    for each, target in zip(proposals, targets):
        boxes = target.split()[0].boxes
        there += len(boxes)
        if len(boxes) and len(each[:most]):
            overlaps = box_iou(*(minigrad.tensor(part, device="cpu") for part in (boxes, each[:most]))).numpy()
            hit += int((overlaps.max(1) >= overlap).sum())
    return hit / there if there else float("nan")


def _mean(values: np.ndarray) -> float:
    there = values[values > -1]
    return float(there.mean()) if there.size else float("nan")


def _truth(targets: Sequence[Target], masks: bool) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for image, target in enumerate(targets):
        for number, (box, label) in enumerate(zip(target.boxes, target.labels)):
            ignored = target.ignored is not None and bool(target.ignored[number])
            row = _row(
                len(rows) + 1, image, box, int(label), None if not masks or target.masks is None else target.masks[number]
            )
            rows.append({**row, "iscrowd": int(ignored)})
    return rows


def _said(found: Sequence[Found], masks: Sequence[np.ndarray] | None) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for image, each in enumerate(found):
        for number, (box, label, score) in enumerate(zip(each.boxes, each.labels, each.scores)):
            row = _row(len(rows) + 1, image, box, int(label), None if masks is None else masks[image][number])
            rows.append({**row, "iscrowd": 0, "score": float(score)})
    return rows


def _size(masks: np.ndarray | None) -> dict[str, int]:
    return {} if masks is None else {"height": masks.shape[1], "width": masks.shape[2]}


def _row(number: int, image: int, box: np.ndarray, label: int, mask: np.ndarray | None) -> dict[str, Any]:
    x1, y1, x2, y2 = map(float, box)
    row: dict[str, Any] = {"id": number, "image_id": image, "category_id": label, "bbox": [x1, y1, x2 - x1, y2 - y1]}
    row["area"] = (x2 - x1) * (y2 - y1)
    if mask is not None:
        from pycocotools import mask as coder

        row["segmentation"] = coder.encode(np.asfortranarray(mask.astype(np.uint8)))
        row["area"] = float(mask.sum())
    return row
