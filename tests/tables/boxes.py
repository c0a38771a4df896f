"""Boxes and regions. PyTorch has no such ops: torchvision's answers are recorded by ``python -m tests.record_torchvision``."""

import numpy as np

from minigrad.errors import ArgumentError, DTypeError, IndexingError, ShapeError
from tests.harness import Case, Input, Refusal, normal


def boxes(count, span=6.0):
    """Boxes with sides of 1 and more."""

    def draw(rng):
        corner = rng.uniform(0, span, (count, 2))
        return np.concatenate([corner, corner + rng.uniform(1, span, (count, 2))], axis=1)

    return Input(draw)


def row(name, call, *inputs, **settings):
    return Case(name, call, *inputs, peer=False, **settings)


def aligned(corners, *args, **options):
    """RoIAlign of x in boxes that are given."""
    return lambda m, x: m.ops.boxes.roi_align(x, m.tensor(corners, dtype=m.float64), *args, **options)


def scored(threshold, scores, name="nms"):
    return lambda m, b, *idxs: getattr(m.ops.boxes, name)(b.detach(), m.tensor(scores, dtype=m.float64), *idxs, threshold)


ONE = [[0.0, 0.4, 0.7, 3.1, 3.6]]
TWO = [[1.0, 0.3, 0.2, 6.3, 5.9], [0.0, 1.6, 2.4, 4.1, 3.9], [1.0, -2.3, -1.2, 9.7, 8.1]]
NUMBERS = Input(lambda rng: np.array([2, 0, 2, 1, 0, 2]))

CASES = [
    row("box_area/plain", lambda m, b: m.ops.boxes.box_area(b), boxes(4)),
    row("box_area/none", lambda m, b: m.ops.boxes.box_area(b), boxes(0)),
    row("box_iou/plain", lambda m, a, b: m.ops.boxes.box_iou(a, b), boxes(3), boxes(4)),
    row("box_iou/of products", lambda m, a, b: m.ops.boxes.box_iou(a * 1.5, b) ** 2, boxes(2), boxes(2)),
    row("box_iou/none", lambda m, a, b: m.ops.boxes.box_iou(a, b), boxes(0), boxes(3)),
    row("generalized_box_iou/plain", lambda m, a, b: m.ops.boxes.generalized_box_iou(a, b), boxes(3, 3.0), boxes(3, 9.0)),
    row("clip_boxes_to_image/plain", lambda m, b: m.ops.boxes.clip_boxes_to_image(b - 2, (5, 4)), boxes(4)),
    row("clip_boxes_to_image/batch", lambda m, b: m.ops.boxes.clip_boxes_to_image(b[None], (3, 9)), boxes(3)),
    row("remove_small_boxes/plain", lambda m, b: m.ops.boxes.remove_small_boxes(b.detach(), 3.0), boxes(9)),
    row("nms/plain", scored(0.3, [0.1, 0.9, 0.4, 0.8, 0.5, 0.6]), boxes(6, 3.0)),
    row("nms/equal scores", scored(0.3, [0.5] * 6), boxes(6, 3.0)),
    row("nms/none", scored(0.3, []), boxes(0)),
    row("batched_nms/plain", scored(0.1, [0.1, 0.9, 0.4, 0.8, 0.5, 0.6], "batched_nms"), boxes(6, 3.0), NUMBERS),
    row("roi_align/plain", aligned(ONE, 2), normal(1, 2, 5, 4)),
    row("roi_align/aligned", aligned(ONE, (2, 3), aligned=True), normal(1, 2, 5, 4)),
    row("roi_align/images", aligned(TWO, (3, 2), 1.0, 2, True), normal(2, 1, 5, 6)),
    row("roi_align/scale", aligned(TWO, 2, 0.5, -1), normal(2, 2, 4, 3)),
    row("roi_align/scale, aligned", aligned(TWO, 1, 0.5, 0, True), normal(2, 1, 3, 4)),
    row("roi_align/more samples than pixels", aligned(ONE, 2, 1.0, 3), normal(1, 1, 5, 4)),
    row("roi_align/no regions", lambda m, x: m.ops.boxes.roi_align(x, m.zeros(0, 5, dtype=m.float64), 2), normal(2, 1, 3, 3)),
    row(
        "roi_align/list",
        lambda m, x: m.ops.boxes.roi_align(x * x, [m.tensor([each[1:]], dtype=m.float64) for each in TWO[:2]], 2, 0.5),
        normal(2, 1, 3, 4),
    ),
]


def align(boxes, *args, **options):
    return lambda m: m.ops.boxes.roi_align(m.zeros(2, 1, 3, 3), boxes(m), *args, **options)


ERRORS = [
    Refusal("box_area/shape", lambda m: m.ops.boxes.box_area(m.zeros(2, 5)), ShapeError, ("box_area", "(N, 4)", "(2, 5)")),
    Refusal("box_area/list", lambda m: m.ops.boxes.box_area([[0.0]]), DTypeError, ("box_area", "boxes", "list")),
    Refusal(
        "box_iou/shape", lambda m: m.ops.boxes.box_iou(m.zeros(2, 4), m.zeros(4)), ShapeError, ("box_iou", "boxes2", "(4,)")
    ),
    Refusal(
        "nms/scores", lambda m: m.ops.boxes.nms(m.zeros(2, 4), m.zeros(3), 0.5), ShapeError, ("nms", "scores", "(2,)", "(3,)")
    ),
    Refusal(
        "nms/threshold",
        lambda m: m.ops.boxes.nms(m.zeros(2, 4), m.zeros(2), 1.5),
        ArgumentError,
        ("nms", "iou_threshold", "1.5"),
    ),
    Refusal("nms/text", lambda m: m.ops.boxes.nms(m.zeros(2, 4), m.zeros(2), "0.5"), DTypeError, ("iou_threshold", "'0.5'")),
    Refusal(
        "nms/two dtypes",
        lambda m: m.ops.boxes.nms(m.zeros(2, 4), m.zeros(2, dtype=m.float64), 0.5),
        DTypeError,
        ("nms", "scores", "float32", "float64"),
    ),
    Refusal(
        "nms/integers", lambda m: m.ops.boxes.nms(m.zeros(2, 4).long(), m.zeros(2), 0.5), DTypeError, ("nms", "boxes", "int64")
    ),
    Refusal(
        "batched_nms/groups",
        lambda m: m.ops.boxes.batched_nms(m.zeros(2, 4), m.zeros(2), m.zeros(2), 0.5),
        DTypeError,
        ("batched_nms", "idxs", "float32", ".long()"),
    ),
    Refusal(
        "batched_nms/count",
        lambda m: m.ops.boxes.batched_nms(m.zeros(2, 4), m.zeros(2), m.zeros(3).long(), 0.5),
        ShapeError,
        ("idxs", "(2,)", "(3,)"),
    ),
    Refusal(
        "clip_boxes_to_image/size",
        lambda m: m.ops.boxes.clip_boxes_to_image(m.zeros(2, 4), 5),
        ArgumentError,
        ("clip_boxes_to_image", "(height, width)", "5"),
    ),
    Refusal(
        "clip_boxes_to_image/shape",
        lambda m: m.ops.boxes.clip_boxes_to_image(m.zeros(2, 5), (4, 4)),
        ShapeError,
        ("clip_boxes_to_image", "(..., 4)", "(2, 5)"),
    ),
    Refusal("roi_align/rank", lambda m: m.ops.boxes.roi_align(m.zeros(3, 3), [], 2), ShapeError, ("roi_align", "N, C, H, W")),
    Refusal("roi_align/columns", align(lambda m: m.zeros(1, 4), 2), ShapeError, ("roi_align", "(R, 5)", "(1, 4)")),
    Refusal("roi_align/list", align(lambda m: [m.zeros(1, 4)], 2), ShapeError, ("each of 2 images", "1 of them")),
    Refusal("roi_align/in the list", align(lambda m: [m.zeros(1, 4), m.zeros(5)], 2), ShapeError, ("(L, 4)", "(5,)")),
    Refusal("roi_align/no Tensor", align(lambda m: 3, 2), DTypeError, ("roi_align", "boxes", "int")),
    Refusal("roi_align/image", align(lambda m: m.full((1, 5), 2.0), 2), IndexingError, ("roi_align", "0 to 1", "2 at 0")),
    Refusal(
        "roi_align/half an image", align(lambda m: m.full((2, 5), 0.5), 2), IndexingError, ("whole numbers", "0.5 in row 0")
    ),
    Refusal(
        "roi_align/nan for an image",
        align(lambda m: m.tensor([[0.0] * 5, [float("nan")] * 5]), 2),
        IndexingError,
        ("whole numbers", "nan in row 1"),
    ),
    Refusal("roi_align/size", align(lambda m: m.zeros(1, 5), (2, 0)), ArgumentError, ("output_size", "at least 1", "(2, 0)")),
    Refusal("roi_align/scale", align(lambda m: m.zeros(1, 5), 2, -0.5), ArgumentError, ("spatial_scale", "above 0", "-0.5")),
    Refusal("roi_align/samples", align(lambda m: m.zeros(1, 5), 2, 1.0, 1 << 20), ArgumentError, ("sampling_ratio", "1048576")),
    Refusal(
        "roi_align/two dtypes",
        align(lambda m: m.zeros(1, 5, dtype=m.float64), 2),
        DTypeError,
        ("roi_align", "boxes", "float32", "float64"),
    ),
]
