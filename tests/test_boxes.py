"""The ops on boxes: what is not finite, turned round or empty, and torchvision's answers. Values and derivatives: in tables."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minigrad
from minigrad.ops import boxes as ops
from minigrad.study import gradcheck, gradgradcheck
from tests import harness, record_torchvision
from tests.tables import boxes as table

NAN, INFINITY = math.nan, math.inf
GOOD = [0.0, 0.0, 4.0, 4.0]
ODD = {
    "a NaN": [NAN, 0.0, 4.0, 4.0],
    "all NaN": [NAN] * 4,
    "an infinite side": [0.0, 0.0, INFINITY, 4.0],
    "infinite on both sides": [-INFINITY, -INFINITY, INFINITY, INFINITY],
    "a point": [1.0, 1.0, 1.0, 1.0],
    "a line": [0.0, 1.0, 4.0, 1.0],
    "turned round": [4.0, 4.0, 0.0, 0.0],
    "an area beyond float32": [0.0, 0.0, 1e30, 1e30],
}
each_odd = pytest.mark.parametrize("name", ODD)


def pair(name: str) -> minigrad.Tensor:
    return minigrad.tensor([GOOD, ODD[name]])


@each_odd
def test_what_has_no_area_overlaps_nothing_and_gives_no_nan(name: str) -> None:
    boxes = pair(name).requires_grad_()
    for op, least in ((ops.box_iou, 0.0), (ops.generalized_box_iou, -1.0)):
        found = op(boxes, boxes)
        assert found[0, 0].item() == 1 and found.isfinite().all() and (found >= least).all() and (found <= 1).all()
        (gradient,) = minigrad.autograd.grad(found.sum(), boxes)
        assert gradient.isfinite().all()
    plain = ops.box_iou(boxes.detach(), boxes.detach())
    assert (plain == ops.box_iou(boxes, boxes)).all()  # by the kernel, and by ops that have gradients
    assert plain[0, 1].item() < 1e-6


@each_odd
def test_suppression_leaves_out_what_is_not_finite_alone(name: str) -> None:
    scores = minigrad.tensor([0.5, 0.9])
    kept = ops.nms(pair(name), scores, 0.0).tolist()
    finite = all(map(math.isfinite, ODD[name]))
    assert kept == ([1, 0] if finite and name != "an area beyond float32" else [1] if finite else [0])


def test_a_score_that_is_none_is_left_out_and_an_infinite_one_is_the_best() -> None:
    boxes = minigrad.tensor([[10.0 * i, 0.0, 10.0 * i + 5, 5.0] for i in range(4)])
    assert ops.nms(boxes, minigrad.tensor([0.5, NAN, INFINITY, -INFINITY]), 0.5).tolist() == [2, 0, 3]


@each_odd
def test_aligned_features_are_finite_whatever_the_box(name: str) -> None:
    x = minigrad.ones(1, 2, 5, 5, requires_grad=True)
    for aligned in (False, True):
        for samples in (-1, 2):
            y = ops.roi_align(x, [pair(name)], 2, 1.0, samples, aligned)
            assert y.isfinite().all() and (y[0] == 1).all()
            (gradient,) = minigrad.autograd.grad(y.sum(), x)
            assert gradient.isfinite().all()
            if not all(map(math.isfinite, ODD[name])) or max(ODD[name]) > 2**20:
                assert (y[1] == 0).all() and gradient.sum().item() == pytest.approx(8)


def test_nothing_gives_nothing() -> None:
    none, x = minigrad.zeros(0, 4), minigrad.zeros(2, 3, 4, 4, requires_grad=True)
    assert ops.box_area(none).shape == (0,) and ops.box_iou(none, minigrad.zeros(2, 4)).shape == (0, 2)
    assert ops.generalized_box_iou(none, none).shape == (0, 0) and ops.clip_boxes_to_image(none, (3, 3)).shape == (0, 4)
    assert ops.nms(none, minigrad.zeros(0), 0.5).tolist() == ops.remove_small_boxes(none, 1.0).tolist() == []
    assert ops.batched_nms(none, minigrad.zeros(0), minigrad.zeros(0).long(), 0.5).dtype == minigrad.int64
    for boxes in (minigrad.zeros(0, 5), [none, none]):
        y = ops.roi_align(x, boxes, (3, 2))
        assert y.shape == (0, 3, 3, 2)
        (gradient,) = minigrad.autograd.grad(y.sum(), x)
        assert (gradient == 0).all()
    assert ops.roi_align(minigrad.zeros(0, 3, 4, 4), [], 2).shape == (0, 3, 2, 2)


def test_hand_numbers() -> None:
    """Places by hand: of (1, 1, 3, 3) on 4 x 4 the first sample is at 1.25, or 0.75 aligned, and x there is 6 times that."""
    x = minigrad.arange(25.0).reshape(1, 1, 5, 5)
    box = minigrad.tensor([[0.0, 1.0, 1.0, 3.0, 3.0]])
    grid = 3.0 * minigrad.arange(4.0)[None, :] / 6 + 2.5 * minigrad.arange(4.0)[:, None]
    assert (ops.roi_align(x, box, 4)[0, 0] == grid + 7.5).all()
    assert (ops.roi_align(x, box, 4, aligned=True)[0, 0] == grid + 4.5).all()
    # A region beyond the edge: of two samples that each side of the one bin has, half lie at −1.25, which is worth nothing; the
    # others at −0.75, which count as those at 0.
    beyond = minigrad.tensor([[0.0, -1.5, -1.5, -0.5, -0.5]])
    assert ops.roi_align(x + 1, beyond, 1, sampling_ratio=2).item() == 1 / 4
    boxes = minigrad.tensor([[0.0, 0.0, 2.0, 2.0], [1.0, 1.0, 3.0, 3.0], [4.0, 0.0, 6.0, 2.0]], dtype=minigrad.float64)
    assert ops.box_iou(boxes[:1], boxes).tolist() == [[1.0, 1 / 7, 0.0]]
    assert ops.generalized_box_iou(boxes[:1], boxes).tolist() == [[1.0, 1 / 7 - 2 / 9, -1 / 3]]


def test_an_overlap_of_the_threshold_is_not_too_much() -> None:
    """Two boxes of 3 x 1 that share a half of their hull: 1/2 exactly."""
    boxes = minigrad.tensor([[0.0, 0.0, 3.0, 1.0], [1.0, 0.0, 4.0, 1.0]])
    scores = minigrad.tensor([1.0, 2.0])
    assert ops.nms(boxes, scores, 0.5).tolist() == [1, 0] and ops.nms(boxes, scores, 0.49).tolist() == [1]


def test_groups_are_apart_wherever_their_boxes_lie() -> None:
    """Moved by their group times the largest coordinate, as is done elsewhere, these would lose their size in float32."""
    boxes = minigrad.tensor([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0], [1e7, 0.0, 1e7 + 1, 1.0], [0.0, 0.0, 1.0, 1.0]])
    scores, group = minigrad.tensor([0.1, 0.2, 0.3, 0.4]), minigrad.tensor([900, 900, 5, -3])
    assert ops.batched_nms(boxes, scores, group, 0.5).tolist() == [3, 2, 1]
    for dtype in (minigrad.int32, minigrad.uint8):
        assert ops.batched_nms(boxes, scores, group.abs().clamp(max=9).to(dtype), 0.5).tolist() == [3, 2, 1]


@pytest.mark.parametrize("aligned", [False, True])
def test_gradients_of_both_orders(aligned: bool) -> None:
    minigrad.manual_seed(1)
    x = minigrad.randn(2, 2, 4, 5, dtype=minigrad.float64, requires_grad=True)
    boxes = minigrad.tensor(table.TWO, dtype=minigrad.float64)
    for samples in (-1, 2):

        def function(x: minigrad.Tensor, samples: int = samples) -> minigrad.Tensor:
            return ops.roi_align(x, boxes, (2, 3), 0.5, samples, aligned)

        assert gradcheck(function, (x,)) and gradgradcheck(function, (x,))


def test_boxes_of_any_kind_of_number() -> None:
    whole = minigrad.tensor([[0, 0, 2, 2], [1, 1, 3, 3]])
    assert ops.box_iou(whole, whole.float())[0, 1].item() == pytest.approx(1 / 7)
    assert ops.box_area(whole).tolist() == [4.0, 4.0] and ops.box_area(whole.half()).dtype == minigrad.float32
    assert ops.clip_boxes_to_image(whole, (2, 9)).tolist() == [[0, 0, 2, 2], [1, 1, 3, 2]]
    assert ops.box_iou(whole.double(), whole.float()).dtype == minigrad.float64


# ---------------------------------------------------------------------- torchvision


def test_answers_of_torchvision_are_ours() -> None:
    """Values and gradients in float64, which ``python -m tests.record_torchvision`` has written down."""
    with np.load(record_torchvision.FILE) as file:
        assert record_torchvision.differences(record_torchvision.answers(minigrad), dict(file)) == {}


def test_the_recorder_asks_every_row_and_finds_what_differs() -> None:
    ours = record_torchvision.answers(record_torchvision.Beside(minigrad, ops))
    assert {name.partition("#")[0] for name in ours} == {case.name for case in table.CASES}
    assert sum("#d" in name for name in ours) >= sum(any(map(harness.is_float, case.arrays())) for case in table.CASES) // 2
    assert record_torchvision.differences(ours, record_torchvision.answers(minigrad)) == {}
    name = "roi_align/plain#0"
    wrong = {**ours, name: ours[name] * 1.001, "nms/plain#0": ours["nms/plain#0"][:-1], "more#0": ours[name]}
    assert set(record_torchvision.differences(ours, wrong)) == {name, "nms/plain#0", "more#0"}
