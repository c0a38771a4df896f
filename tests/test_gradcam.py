"""Grad-CAM: beside derivatives taken by steps, on images where it is known what is to be pointed at, and with errors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import minigrad
import minigrad.nn.functional as F
from minigrad import nn, optim
from minigrad.errors import ArgumentError, ShapeError
from minigrad.models import gradcam
from minigrad.models.cnn import build
from minigrad.models.gradcam import Cam, Record, enlarged, grad_cam, record

STEP = 1e-5
SIDE, PATCH, CELL = 16, 6, 2  # pixels of an image, of a thing on it, and of a place of the map


def tiny(pooled: bool) -> nn.Module:
    """A network of 3 channels and 4 x 4 places; ``pooled``: its head is a mean over the map, else two linear layers."""
    minigrad.manual_seed(1)
    body = [nn.Conv2d(2, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 3, 3, padding=1), nn.Tanh()]
    flat = [nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12, 6), nn.ReLU(), nn.Linear(6, 3)]
    return nn.Sequential(*body, *([nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 3)] if pooled else flat)).double()


def slow(network: nn.Module, images: minigrad.Tensor, classes: list[int], name: str) -> np.ndarray:
    """Equations 1 and 2 with every derivative by a step to either side of one number of the map behind layer ``name``."""
    layer = dict(network.named_modules())[name]
    network.eval()
    kept: list[np.ndarray] = []
    handle = layer.register_forward_hook(lambda module, args, output: kept.append(output.numpy().copy()))
    with minigrad.no_grad():
        network(images)
    handle.remove()
    (maps,) = kept

    def logit(changed: np.ndarray, image: int) -> float:
        put = layer.register_forward_hook(lambda module, args, output: minigrad.tensor(changed))
        with minigrad.no_grad():
            found = float(network(images)[image, classes[image]].item())
        put.remove()
        return found

    found = np.zeros((len(maps), *maps.shape[2:]))
    for n in range(len(maps)):
        for k in range(maps.shape[1]):
            slopes = []
            for i in range(maps.shape[2]):
                for j in range(maps.shape[3]):
                    more, less = maps.copy(), maps.copy()
                    more[n, k, i, j] += STEP
                    less[n, k, i, j] -= STEP
                    slopes.append((logit(more, n) - logit(less, n)) / (2 * STEP))
            alpha = sum(slopes) / len(slopes)
            for i in range(maps.shape[2]):
                for j in range(maps.shape[3]):
                    found[n, i, j] += alpha * maps[n, k, i, j]
    return np.maximum(found, 0)


def images_of(seed: int = 5) -> minigrad.Tensor:
    return minigrad.tensor(np.random.default_rng(seed).standard_normal((2, 2, 8, 8)))


@pytest.mark.parametrize("pooled", [True, False], ids=["pooled", "flat"])
@pytest.mark.parametrize("classes", [[0, 1], [2, 2]], ids=str)
def test_it_is_what_steps_give(pooled: bool, classes: list[int]) -> None:
    network, images = tiny(pooled), images_of()
    cam = grad_cam(record(network, images), classes)
    assert (cam.layer.name, cam.layer.kinds, cam.maps.shape) == ("3", ("Conv2d", "Tanh"), (2, 4, 4))
    expected = slow(network, images, classes, "4")
    assert expected.max() > 1e-3
    assert np.abs(cam.maps - expected).max() < 1e-8


# ---------------------------------------------------------------------- planted errors


def _slope(seen: Record, classes: list[int]) -> tuple[np.ndarray, np.ndarray]:
    layer = grad_cam(seen, classes).layer
    y = sum((seen.logits[n, k] for n, k in enumerate(classes)), minigrad.zeros(()).double())
    (slope,) = minigrad.autograd.grad(y, layer.output, retain_graph=True)
    return slope.numpy(), layer.output.detach().numpy()


def _weighted(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.maximum((weights * values).sum(axis=1), 0)


def turned(seen: Record, classes: list[int]) -> np.ndarray:
    """Rows taken for columns."""
    return grad_cam(seen, classes).maps.transpose(0, 2, 1)


def of_another(seen: Record, classes: list[int]) -> np.ndarray:
    """The class after the one that was asked for."""
    return grad_cam(seen, [(k + 1) % seen.logits.shape[1] for k in classes]).maps


def place_by_place(seen: Record, classes: list[int]) -> np.ndarray:
    """Slopes that are not averaged over the map: gradient times input."""
    return _weighted(*_slope(seen, classes))


def largest_slope(seen: Record, classes: list[int]) -> np.ndarray:
    """The largest slope of a channel in place of the mean."""
    slope, values = _slope(seen, classes)
    return _weighted(slope.max(axis=(2, 3), keepdims=True), values)


def unsigned(seen: Record, classes: list[int]) -> np.ndarray:
    """Channels that speak against the class are taken to speak for it."""
    slope, values = _slope(seen, classes)
    return _weighted(np.abs(slope.mean(axis=(2, 3), keepdims=True)), values)


PLANTED: list[Callable[[Record, list[int]], np.ndarray]] = [turned, of_another, place_by_place, largest_slope, unsigned]


@pytest.mark.parametrize("wrong", PLANTED, ids=lambda wrong: wrong.__name__)
def test_a_planted_error_is_found(wrong: Callable[[Record, list[int]], np.ndarray]) -> None:
    network, images = tiny(pooled=False), images_of()
    found = wrong(record(network, images), [0, 1])
    assert np.abs(found - slow(network, images, [0, 1], "4")).max() > 1e-4


# ---------------------------------------------------------------------- on the thing itself


def thing(kind: int, size: int = PATCH) -> np.ndarray:
    """One of three things: lines across, lines down, a bright square."""
    lines = np.zeros((size, size), np.float32)
    if kind == 2:
        return lines + 1
    lines[(slice(None, None, 2), slice(None)) if kind == 0 else (slice(None), slice(None, None, 2))] = 1
    return lines


def scene(kinds: dict[int, tuple[int, int]], rng: np.random.Generator) -> np.ndarray:
    """Things at their places, (row, column) of the upper left corner, on dim noise: float32 (1, SIDE, SIDE)."""
    image = rng.uniform(0, 0.3, (1, SIDE, SIDE)).astype(np.float32)
    for kind, (row, column) in kinds.items():
        image[0, row : row + PATCH, column : column + PATCH] = thing(kind)
    return image


def learned(pooled: bool) -> nn.Module:
    """A network that tells the one thing on an image, which lies anywhere; trained for seconds."""
    minigrad.manual_seed(0)
    rng = np.random.default_rng(0)
    body = [nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(CELL), nn.Conv2d(8, 12, 3, padding=1),
            nn.BatchNorm2d(12), nn.ReLU()]  # fmt: skip
    end = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 3)] if pooled else [nn.Flatten(), nn.Linear(12 * 64, 3)]
    network = nn.Sequential(*body, *end)
    optimizer = optim.AdamW(network.parameters(), lr=1e-2)
    for _ in range(60):
        labels = rng.integers(0, 3, 32)
        places = rng.integers(0, SIDE - PATCH + 1, (32, 2))
        images = np.stack([scene({int(k): (int(r), int(c))}, rng) for k, (r, c) in zip(labels, places)])
        optimizer.zero_grad()
        F.cross_entropy(network(minigrad.tensor(images)), minigrad.tensor(labels)).backward()
        optimizer.step()
    return network


@pytest.fixture(scope="module", params=[True, False], ids=["pooled", "flat"])
def network(request: pytest.FixtureRequest) -> nn.Module:
    return learned(request.param)


def composed(count: int) -> tuple[np.ndarray, list[dict[int, tuple[int, int]]]]:
    """Images with two things of different kinds in opposite corners, and where they are."""
    rng = np.random.default_rng(3)
    layouts = []
    for _ in range(count):
        first, second = (int(k) for k in rng.permutation(3)[:2])
        near, far = (
            (int(p) for p in rng.integers(0, 3, 2)),
            (int(p) for p in rng.integers(SIDE - PATCH - 2, SIDE - PATCH + 1, 2)),
        )
        (top, left), (bottom, right) = near, far
        corners = [(top, left), (bottom, right)] if rng.random() < 0.5 else [(top, right), (bottom, left)]
        layouts.append({first: corners[0], second: corners[1]})
    return np.stack([scene(layout, rng) for layout in layouts]), layouts


def hits(found: np.ndarray, layouts: list[dict[int, tuple[int, int]]], at: int) -> float:
    """The share of images whose map is largest on the thing that was asked for."""
    right = 0
    for map, layout in zip(found, layouts):
        row, column = np.unravel_index(map.argmax(), map.shape)
        top, left = list(layout.values())[at]
        right += top <= CELL * row + CELL // 2 < top + PATCH + 1 and left <= CELL * column + CELL // 2 < left + PATCH + 1
    return right / len(layouts)


def test_of_two_things_the_one_that_is_asked_for_is_pointed_at(network: nn.Module) -> None:
    images, layouts = composed(40)
    seen = record(network, minigrad.tensor(images))
    for at in (0, 1):
        asked = [list(layout)[at] for layout in layouts]
        assert hits(grad_cam(seen, asked).maps, layouts, at) >= 0.9
        for wrong in (turned, of_another):
            assert hits(wrong(seen, asked), layouts, at) <= 0.6, wrong.__name__


# ---------------------------------------------------------------------- networks


NETWORKS = {  # name, side of the images -> the layer that is found, and the size of its map
    "cnn": (32, "features.10", (16, 16)), "resnet20": (32, "layer3.2", (8, 8)), "resnet18": (32, "layer4.1", (4, 4)),
    "efficientnet-lite0": (64, "conv_head", (2, 2)),
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_the_last_map_is_found(name: str) -> None:
    side, layer, size = NETWORKS[name]
    minigrad.manual_seed(0)
    network = build(name, (3, side, side), 4, **({} if name == "efficientnet-lite0" else {"width": 4}))
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with minigrad.no_grad():  # of the caller, which does not matter
        seen = record(network, minigrad.rand(1, 3, side, side))
    cam = grad_cam(seen, [1])
    assert cam.maps.shape == (1, *size)
    assert cam.layer.name == layer and not (cam.layer.output < 0).any()  # it is behind the activation
    assert len({one.name for one in seen.layers}) == len(seen.layers)
    assert all(np.array_equal(before[key].numpy(), value.numpy()) for key, value in network.state_dict().items())
    assert network.training and all(not (module._hooks and module._hooks.forward) for module in network.modules())


def test_what_is_recorded() -> None:
    """A norm and an activation go with their convolution, a block that only hands on has no entry, dropout neither."""
    block = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(inplace=True))
    network = nn.Sequential(block, nn.Dropout(0.5), nn.AvgPool2d(2), nn.Conv2d(2, 2, 1), nn.Flatten(), nn.Linear(8, 2))
    found = record(network, minigrad.rand(3, 1, 6, 6)).layers
    assert [(one.name, one.kinds[0], tuple(one.output.shape), one.shrinks) for one in found] == [
        ("0.0", "Conv2d", (3, 2, 4, 4), False), ("2", "AvgPool2d", (3, 2, 2, 2), True), ("3", "Conv2d", (3, 2, 2, 2), False),
    ]  # fmt: skip
    assert found[0].kinds[:2] == ("Conv2d", "BatchNorm2d") and not (found[0].output < 0).any()  # the activation's, in place


def test_a_map_beside_the_way_is_passed_over() -> None:
    class Beside(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused, self.fc = nn.Conv2d(1, 2, 3), nn.Conv2d(1, 2, 3), nn.Linear(2, 2)

        def forward(self, x: minigrad.Tensor) -> minigrad.Tensor:
            y = self.used(x)
            self.unused(x)
            return self.fc(y.mean(dim=(2, 3)))

    assert grad_cam(record(Beside(), minigrad.rand(1, 1, 5, 5)), [0]).layer.name == "used"


def test_what_is_refused() -> None:
    flat = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    images = minigrad.rand(2, 1, 2, 2)
    with pytest.raises(
        ArgumentError, match=r"grad_cam: network: expected a layer whose output is a map of more than one place"
    ):
        grad_cam(record(flat, images), [0, 0])
    for classes in ([0], [0, 3], [-1, 0], [0.5, 1.0]):
        with pytest.raises(ArgumentError, match="grad_cam: classes: expected 2 whole numbers from 0 to 2, one for each image"):
            grad_cam(record(flat, images), classes)  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match=r"expected logits \(N, K\) for N = 2 images, got shape \(2, 1, 2, 2\)"):
        record(nn.Sequential(nn.Identity()), images)


def test_a_class_that_nothing_speaks_for() -> None:
    network = tiny(pooled=True)
    with minigrad.no_grad():
        network[-1].weight.zero_()
    cam = grad_cam(record(network, minigrad.rand(1, 2, 8, 8).double()), [0])
    assert isinstance(cam, Cam) and not cam.maps.any()
    assert not enlarged(cam.maps[0], (32, 32)).any()


def test_enlarged() -> None:
    found = enlarged(np.array([[0.0, 0.0], [0.0, 5.0]]), (8, 6))
    assert found.shape == (8, 6) and found.max() == 1.0 and found[-1, -1] == 1.0 and found[0, 0] == 0.0
    assert found[5, 3] == pytest.approx(3.5 / 4 * 2 / 3)  # middles of places lie at 2 and 6 of 8, and at 1.5 and 4.5 of 6


def test_the_module_is_told_by_its_layer() -> None:
    class Own(nn.Module):
        pass

    assert [gradcam.kind_of(module) for module in (nn.MaxPool2d(2), Own())] == ["MaxPool2d", "Own"]
