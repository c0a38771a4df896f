"""PyTorch's side of a detector: the ops on boxes in its plain ops give what ours give, and what torchvision gave."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad.benchmarks import regions
from minigrad.benchmarks.inputs import fill
from minigrad.benchmarks.source import model_source, run_source
from minigrad.ops import boxes as ops
from tests import record_torchvision

pytestmark = pytest.mark.peer
THERE = ("box_iou", "nms", "batched_nms", "roi_align")


def test_answers_of_torchvision_are_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values and gradients in float64 of each row of the ops that there are."""
    import torch

    rows = [case for case in record_torchvision.table.CASES if case.name.partition("/")[0] in THERE]
    assert {case.name.partition("/")[0] for case in rows} == set(THERE)
    monkeypatch.setattr(record_torchvision.table, "CASES", rows)
    found = record_torchvision.answers(record_torchvision.Beside(torch, regions))
    with np.load(record_torchvision.FILE) as file:
        recorded = {name: file[name] for name in file if name.partition("/")[0] in THERE}
    assert record_torchvision.differences(found, recorded) == {}
    wrong = {name: value * 1.001 if name.startswith("roi_align/plain") else value for name, value in found.items()}
    assert len(record_torchvision.differences(wrong, recorded)) == 2  # its value and its gradient


def drawn(count: int, size: tuple[int, int], seed: int = 0) -> np.ndarray:
    """Rows of an image's number and a box, some of which lie beyond the image, or beyond a pixel."""
    rng = np.random.default_rng(seed)
    corner = rng.uniform(-4, max(size), (count, 2))
    sides = rng.uniform(0.1, max(size), (count, 2))
    return np.concatenate([rng.integers(0, 2, (count, 1)), corner, corner + sides], 1).astype(np.float32)


@pytest.mark.parametrize("ratio", [-1, 2])
@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("size", [(9, 6), (1, 4), (3, 1)])
def test_regions_are_cut_out_alike(ratio: int, aligned: bool, size: tuple[int, int]) -> None:
    import torch

    rng = np.random.default_rng(3)
    x, boxes = rng.standard_normal((2, 3, *size)).astype(np.float32), drawn(40, size)
    dy = rng.standard_normal((40, 3, 2, 3)).astype(np.float32)
    found = []
    for m, op in ((minigrad, ops.roi_align), (torch, regions.roi_align)):
        there = m.tensor(x, requires_grad=True)
        y = op(there, m.tensor(boxes), (2, 3), 0.5, ratio, aligned)
        (y * m.tensor(dy)).sum().backward()
        grad: Any = there.grad
        found.append((y.detach().numpy(), grad.numpy()))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    assert np.abs(found[0][0]).max() > 0.1


def test_boxes_overlap_and_are_kept_alike() -> None:
    import torch

    boxes = drawn(60, (20, 20))[:, 1:]
    scores = np.random.default_rng(1).uniform(size=60).astype(np.float32)
    groups = np.arange(60) % 3
    given, tensors = (tuple(m.tensor(each) for each in (boxes, scores, groups)) for m in (minigrad, torch))
    np.testing.assert_allclose(
        regions.box_iou(tensors[0], tensors[0][:7]).numpy(), ops.box_iou(given[0], given[0][:7]).numpy(), rtol=1e-5, atol=1e-7
    )
    kept = regions.nms(*tensors[:2], 0.3).tolist()
    assert kept == ops.nms(*given[:2], 0.3).tolist() and 1 < len(kept) < 60
    assert regions.batched_nms(*tensors, 0.3).tolist() == ops.batched_nms(*given, 0.3).tolist() != kept


@pytest.mark.parametrize("network", ["residual", "efficientnet-lite0", "resnet18", "resnet50"])
def test_the_detector_finds_the_same(network: str) -> None:
    """From the same weights, with masks, in ``eval`` mode: boxes, labels, scores, masks and proposals."""
    import torch

    from minigrad.models.detector import Detector

    options: dict[str, Any] = {"sizes": (8, 16), "strides": (4, 8), "width": 4, "channels": 8, "hidden": 16, "masks": True}
    options |= {"network": network}
    ours = Detector(3, **options).eval()
    fill(minigrad, 0, ours)  # so that no two scores are nearly equal
    theirs = run_source(model_source("detector"), "torch")["Detector"](3, **options).eval()
    theirs.load_state_dict({name: torch.tensor(value.numpy()) for name, value in ours.state_dict().items()})
    x = np.random.default_rng(0).standard_normal((2, 3, 32, 48)).astype(np.float32)
    for one, other in zip(ours.detect(minigrad.tensor(x)), theirs.detect(torch.tensor(x))):
        assert len(one.boxes) > 5 and one.labels.tolist() == other.labels.tolist()
        for name in ("boxes", "scores", "masks", "proposals"):
            np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-3, atol=1e-3, err_msg=name)
