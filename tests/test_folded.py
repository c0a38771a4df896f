"""Networks without their batch norms: what they say stays the same, and the network they come from stays whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.benchmarks.source import network as network_of
from minigrad.models.classifier import Classifier
from minigrad.models.cnn import build
from minigrad.models.folded import folded
from tests.shape_images import COLOUR, made_run

NETWORKS: dict[str, tuple[str, tuple[int, int, int], dict[str, Any]]] = {
    "plain": ("cnn", (3, 12, 12), {"width": 4, "hidden": 8}),
    "plain, no norms": ("cnn", (3, 12, 12), {"width": 4, "hidden": 8, "norm": False}),
    "residual": ("resnet20", (3, 12, 12), {"width": 4}),
    "residual, projected": ("resnet18", (3, 32, 32), {"width": 4}),
    "inverted residual": ("efficientnet-lite0", (3, 33, 40), {}),
}


def drawn(name: str) -> tuple[nn.Module, minigrad.Tensor]:
    """A network with statistics that are not those it begins with, and images for it."""
    kind, shape, options = NETWORKS[name]
    minigrad.manual_seed(0)
    network, rng = build(kind, shape, 5, **options).eval(), np.random.default_rng(1)
    for key, buffer in network.named_buffers():
        if key.endswith(("running_mean", "running_var")):
            buffer.copy_(minigrad.tensor(rng.uniform(0.5, 1.5, tuple(buffer.shape)).astype(np.float32)))
    return network, minigrad.tensor(rng.standard_normal((2, *shape)).astype(np.float32))


@pytest.mark.parametrize("name", NETWORKS)
def test_it_says_the_same(name: str) -> None:
    network, images = drawn(name)
    before = {key: value.numpy().copy() for key, value in network.state_dict().items()}
    made = folded(network)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in made.modules())
    with minigrad.no_grad():
        want, got = network(images).numpy(), made(images).numpy()
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5 * np.abs(want).max())
    assert set(before) == set(network.state_dict())
    assert all(np.array_equal(before[key], value.numpy()) for key, value in network.state_dict().items())


def test_a_network_in_training_is_left_in_training() -> None:
    network, _ = drawn("residual")
    network.train()
    assert not folded(network).training and network.training and network.bn1.training


def test_a_batch_norm_without_statistics_or_without_a_convolution_stays() -> None:
    without = nn.BatchNorm2d(4, track_running_stats=False)
    network = nn.Sequential(nn.Conv2d(3, 4, 1), without, nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4))
    assert [type(module).__name__ for module in folded(network)] == ["Conv2d", "BatchNorm2d", "BatchNorm2d", "Conv2d"]


def test_padding_of_an_even_side_needs_no_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one pixel that TensorFlow pads behind is the convolution's; activations are done as it writes, but for the last."""
    network, images = drawn("inverted residual")
    made = folded(network)
    made.act = nn.Identity()
    for op in ("pad", "relu6"):
        monkeypatch.setattr(nn.functional, op, None)
    with minigrad.no_grad():
        made(images)


@pytest.mark.peer
@pytest.mark.parametrize(("file", "kind"), [("efficientnet", "EfficientNetLite"), ("resnet", "ResNet")])
def test_pytorch_runs_the_same_source(file: str, kind: str) -> None:
    import torch

    network = getattr(network_of(minigrad, file), kind)(num_classes=5).eval()
    theirs = getattr(network_of(torch, file), kind)(num_classes=5).eval()
    theirs.load_state_dict({key: torch.tensor(value.numpy()) for key, value in network.state_dict().items()})
    images = np.random.default_rng(2).standard_normal((2, 3, 36, 33)).astype(np.float32)
    with torch.no_grad(), minigrad.no_grad():
        want = theirs(torch.tensor(images)).numpy()
        fused = network_of(torch, "folded").folded(theirs)(torch.tensor(images)).numpy()
        ours = folded(network)(minigrad.tensor(images)).numpy()
    for got in (fused, ours):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5 * np.abs(want).max())


def test_a_classifier_that_is_loaded_is_folded_unless_it_shall_be_whole(tmp_path: Path) -> None:
    run = str(made_run(tmp_path / "run", COLOUR._replace(network="resnet20", options={"width": 4})))
    applied, whole = Classifier.load(run), Classifier.load(run, whole=True)
    for classifier, norms in ((applied, False), (whole, True)):
        assert any(isinstance(module, nn.BatchNorm2d) for module in classifier.network.modules()) == norms
    pixels = np.random.default_rng(3).integers(0, 256, (3, *COLOUR.shape), np.uint8)
    np.testing.assert_allclose(applied(pixels), whole(pixels), rtol=1e-4, atol=1e-6)


def test_a_classifier_sees_weights_that_have_changed() -> None:
    """What kernels keep from image to image is kept for the weights as they are."""
    card = COLOUR._replace(network="resnet20", options={"width": 4})
    minigrad.manual_seed(1)
    classifier, pixels = Classifier(card, card.build()), np.full((1, *COLOUR.shape), 99, np.uint8)
    before = classifier(pixels)
    assert np.array_equal(before, classifier(pixels))
    with minigrad.no_grad():
        for parameter in classifier.network.parameters():
            parameter.mul_(1.5)
    after = classifier(pixels)
    assert not np.array_equal(before, after)
    assert np.array_equal(after, Classifier(card, classifier.network)(pixels))
