"""The detector: it learns from any images, empty ones too, and each of its parts has a say."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad.errors import ArgumentError, RunError
from minigrad.models.anchors import grid
from minigrad.models.detector import Detector, Found, Target
from minigrad.models.pasting import pasted
from minigrad.models.precision import precision, proposal_recall

SMALL: dict[str, Any] = {"sizes": (12, 24), "strides": (4, 8), "width": 4, "channels": 8, "hidden": 16}
KINDS: dict[str, dict[str, Any]] = {
    "two stages": {},
    "masks": {"masks": True},
    "one stage": {"stages": 1},
    "one level": {"sizes": (16,), "strides": (8,)},
    "rounded": {"pooling": "rounded"},
    "coarse": {"sizes": (16, 32), "strides": (16, 32)},
    "a classifier's layers": {"network": "resnet18"},
    "and masks": {"network": "efficientnet-lite0", "masks": True},
}
SIZE = (32, 64)


def detector(classes: int = 3, **options: Any) -> Detector:
    minigrad.manual_seed(0)
    return Detector(classes, **{**SMALL, **options})


def target(*boxes: tuple[float, float, float, float], masks: bool = True) -> Target:
    places = np.array(boxes, np.float32).reshape(-1, 4)
    there = np.zeros((len(boxes), *SIZE), bool)
    for (x1, y1, x2, y2), mask in zip(boxes, there):
        mask[int(y1) : int(np.ceil(y2)), int(x1) : int(np.ceil(x2))] = True
    return Target(places, np.arange(len(boxes)) % 3, there if masks else None)


def images(count: int, seed: int = 0) -> minigrad.Tensor:
    return minigrad.tensor(np.random.default_rng(seed).standard_normal((count, 3, *SIZE)).astype(np.float32))


SCENES: dict[str, list[Target]] = {
    "some": [target((4, 4, 16, 18)), target((0, 0, 20, 20), (30, 10, 60, 30))],
    "an empty one": [target(), target((4, 4, 16, 18))],
    "all empty": [target(), target()],
    "the whole image": [target((0, 0, 64, 32))],
    "a pixel": [target((10, 10, 11, 11))],
    "less than a pixel": [target((10.2, 10.2, 10.4, 10.3))],
    "a line": [target((0, 15, 64, 15.5))],
    "one twice": [target((4, 4, 16, 18), (4, 4, 16, 18))],
    "many": [target(*[(i % 8 * 8, i // 8 * 8, i % 8 * 8 + 7, i // 8 * 8 + 7) for i in range(32)])],
    "ignored": [target((4, 4, 16, 18), (30, 10, 60, 30))._replace(ignored=np.array([True, False]))],
    "all ignored": [target((4, 4, 16, 18))._replace(ignored=np.array([True]))],
    "without masks": [target((4, 4, 16, 18), masks=False), target((30, 10, 60, 30))],
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scene", SCENES)
def test_losses_are_finite_and_so_are_gradients(kind: str, scene: str) -> None:
    net, targets = detector(**KINDS[kind]), SCENES[scene]
    losses = net.losses(images(len(targets)), targets, [SIZE] * len(targets))
    expected = {"objects", "places"} | ({"labels"} if net.stages == 2 else set())
    assert losses.keys() >= expected and all(np.isfinite(float(loss)) and float(loss) >= 0 for loss in losses.values())
    sum(losses.values(), minigrad.tensor(0.0)).backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is None or np.isfinite(parameter.grad.numpy()).all(), name


@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_learns(kind: str) -> None:
    net = detector(**KINDS[kind])
    targets = [target((4, 4, 16, 18), (30, 10, 60, 30)), target((20, 2, 30, 12))]
    sum(net.losses(images(2), targets, [SIZE] * 2).values(), minigrad.tensor(0.0)).backward()
    idle = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.numpy().any()]
    assert idle == [name for name, p in net.named_parameters() if not p.requires_grad]


@pytest.mark.emulated
@pytest.mark.parametrize("kind", ["masks", "one stage"])
def test_losses_on_another_device_are_the_cpus(kind: str) -> None:
    """From the same weights with the same draws, and what is found as well."""
    found = []
    for where in ("cpu", "emulated"):
        with minigrad.default_device(where):
            net, targets = detector(**KINDS[kind]), SCENES["some"]
            losses = net.losses(images(2), targets, [SIZE] * 2, np.random.default_rng(0))
            found.append({name: float(loss) for name, loss in losses.items()} | {"device": str(losses["objects"].device)})
            boxes = net.eval().detect(images(2), least=0.0)[0].boxes
            assert isinstance(boxes, np.ndarray) and len(boxes)
    assert [each.pop("device") for each in found] == ["cpu", "emulated:0"]
    assert found[1] == pytest.approx(found[0], rel=1e-4)


def test_what_was_filled_up_is_not_asked() -> None:
    """Whatever stands there, the losses of the first stage are the same."""
    net = detector(stages=1).eval()  # running means: what is beyond does not move them
    found = []
    for wide in (64, 128):
        x = minigrad.zeros(1, 3, 32, wide)
        x[:, :, :, :64] = images(1)
        generator = minigrad.Generator().manual_seed(3)
        anchors = net.anchors((32, wide))
        inside = sum(int((each[:, 0] + each[:, 2] <= 2 * 64).sum()) for each in anchors)
        net.losses(x, [target((4, 4, 16, 18))], [SIZE], generator)
        found.append(inside)
    assert found[0] == found[1] == sum(len(each) for each in net.anchors(SIZE))


@pytest.mark.parametrize(
    ("kind", "layer"), [("one stage", "proposer.conv"), ("two stages", "proposer.conv"), ("masks", "box_head.label")]
)
def test_a_network_that_gives_no_numbers_finds_not_nothing(kind: str, layer: str) -> None:
    net = detector(**KINDS[kind]).eval()
    dict(net.named_modules())[layer].bias.data.fill_(float("inf"))  # type: ignore[operator, union-attr]
    with pytest.raises(RunError, match="expected a chance of each box, got nan"):
        net.detect(images(1))


def test_nothing_is_found_where_all_is_below_the_least() -> None:
    for kind in KINDS.values():
        net = detector(**kind).eval()
        for found in net.detect(images(2), least=1.0):
            assert found.boxes.shape == (0, 4) and found.labels.shape == found.scores.shape == (0,)
            assert (found.masks is not None) is ("masks" in kind)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"strides": (4, 16)}, "strides: expected some of (4, 8, 16, 32, 64), one after the other, got (4, 16)"),
        ({"strides": ()}, "strides: expected some of"),
        ({"sizes": (8,)}, "sizes: expected 2 sizes in pixels, one for each stride, got (8,)"),
        ({"sizes": (8, 0)}, "sizes: expected 2 sizes in pixels"),
        ({"stages": 3}, "stages: expected 1 or 2, and 2 with masks, got 3"),
        ({"stages": 1, "masks": True}, "stages: expected 1 or 2, and 2 with masks, got 1"),
        ({"pooling": "max"}, "pooling"),
        ({"num_classes": 0}, "num_classes"),
    ],
)
def test_refused_in_words(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ArgumentError, match=re.escape(words)):
        Detector(**{"num_classes": 2, **SMALL, **options})


def test_masks_are_laid_onto_pixels() -> None:
    half = np.zeros((1, 4, 4), np.float32)
    half[:, :, 2:] = 1
    found = pasted(half, np.array([[2, 1, 10, 5]], np.float32), (6, 12))[0]
    assert found[:, :6].sum() == 0 and found[1:5, 6:10].all() and found.sum() == 16
    beyond = pasted(np.ones((2, 4, 4), np.float32), np.array([[-4, -4, 2, 2], [20, 20, 30, 30]], np.float32), (6, 12))
    assert beyond[0, :2, :2].all() and beyond[0].sum() == 4 and not beyond[1].any()


def test_average_precision_by_hand() -> None:
    """Two of class 0, one of class 1; of three answers the first and the last are right."""
    there = [
        Target(np.array([[0, 0, 10, 10], [20, 0, 30, 10], [0, 20, 10, 30]], np.float32), np.array([0, 0, 1])),
        Target(np.zeros((0, 4), np.float32), np.zeros(0, np.int64)),
    ]
    answers = [
        Found(
            np.array([[0, 0, 10, 10], [40, 0, 50, 10], [20, 0, 30, 10]], np.float32),
            np.array([0, 0, 0]),
            np.array([0.9, 0.8, 0.7]),
        ),
        Found(np.array([[0, 0, 5, 5]], np.float32), np.array([1]), np.array([0.99])),
    ]
    found = precision(answers, there, 2)
    by_hand = (51 * 1.0 + 50 * 2 / 3) / 101  # precision 1 up to a recall of 0.5, then 2 of 3
    assert found.each == pytest.approx([by_hand, 0.0]) and found.ap50 == pytest.approx(by_hand / 2)
    assert found.recall == pytest.approx(0.5)
    crowd = [there[0]._replace(ignored=np.array([False, True, False])), there[1]]
    assert precision(answers, crowd, 2).each[0] == pytest.approx(1.0)
    assert grid((1, 1), 4, 4.0, (1.0,)).shape == (1, 4)


def test_recall_of_proposals_by_hand() -> None:
    """Overlaps of 1/2, 1/3 and 1 with three boxes; one image without boxes, one without proposals."""
    there = [
        Target(np.array([[0, 0, 10, 10], [20, 0, 30, 10], [0, 20, 10, 30]], np.float32), np.array([0, 0, 1])),
        Target(np.zeros((0, 4), np.float32), np.zeros(0, np.int64)),
        Target(np.array([[5, 5, 9, 9]], np.float32), np.array([1])),
    ]
    proposals = [
        np.array([[0, 0, 10, 5], [25, 0, 35, 10], [0, 20, 10, 30]], np.float32),
        np.array([[0, 0, 10, 10]], np.float32),
        np.zeros((0, 4), np.float32),
    ]
    assert proposal_recall(proposals, there) == 2 / 4
    assert proposal_recall(proposals, there, overlap=0.51) == 1 / 4  # two of the same size that share a half of one: 1/2
    assert proposal_recall(proposals, there, overlap=0.33) == 3 / 4
    assert proposal_recall(proposals, there, most=2) == 1 / 4  # the third of an image does not count
    ignored = [there[0]._replace(ignored=np.array([False, True, False])), *there[1:]]
    assert proposal_recall(proposals, ignored) == 2 / 3
    assert np.isnan(proposal_recall(proposals[1:2], there[1:2]))
    with pytest.raises(ArgumentError, match=r"proposals: expected those of 1 images, as many as targets, got of 3"):
        proposal_recall(proposals, there[:1])


@pytest.mark.parametrize("kind", KINDS)
def test_proposals_are_told_where_there_are_two_stages(kind: str) -> None:
    """They lie on the image, and those of a network that knows nothing come from its anchors."""
    net = detector(**KINDS[kind]).eval()
    for found in net.detect(images(2), least=1.0):
        assert (found.proposals is not None) is (net.stages == 2)
        if found.proposals is not None:
            assert 0 < len(found.proposals) <= 150
            assert (found.proposals >= 0).all() and (found.proposals <= [64, 32, 64, 32]).all()
