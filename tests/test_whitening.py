"""A first convolution that begins with the directions of patches of the images."""

from __future__ import annotations

import re

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.data import LabelledImages
from minigrad.errors import ArgumentError
from minigrad.models import whitening
from minigrad.models.whitening import LEAST, directions, whiten

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)


def smooth(count: int = 40, side: int = 12) -> LabelledImages:
    """Images whose neighbours are alike, as in photos: walks of noise, in both directions."""
    walk = np.random.default_rng(1).normal(size=(count, 3, side, side)).cumsum(axis=2).cumsum(axis=3)
    pixels = np.clip(128 + 12 * walk, 0, 255).astype(np.uint8)
    return LabelledImages(pixels, [0] * count, ["all"])


def scaled(images: LabelledImages) -> np.ndarray:
    pixels = images.pixels(range(len(images))) / 255
    return (pixels - np.reshape(MEAN, (-1, 1, 1))) / np.reshape(STD, (-1, 1, 1))


@pytest.mark.parametrize("at_once", [1, 7 * 7 * 18 * 4])
def test_directions_against_slow_loops(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mean square along each, patch by patch, is what is told, and no two go together; however many images at once."""
    monkeypatch.setattr(whitening, "AT_ONCE", at_once)
    images = smooth(6, 7)
    variances, vectors = directions(images, MEAN, STD, (3, 2))
    assert vectors.shape == (18, 3, 3, 2)
    pixels = scaled(images)
    total, count = np.zeros((18, 18)), 0
    for image in pixels:
        for row in range(5):
            for column in range(6):
                along = [(vector * image[:, row : row + 3, column : column + 2]).sum() for vector in vectors]
                total += np.outer(along, along)
                count += 1
    total /= count
    assert np.allclose(np.diag(total), variances, rtol=1e-8, atol=1e-10)
    assert np.abs(total - np.diag(variances)).max() < 1e-9 * variances[0]
    assert (np.diff(variances) <= 0).all()
    assert variances[0] > 20 * variances[-1]


def test_what_a_whitened_convolution_gives() -> None:
    """Maps that vary alike and do not go together; then the same with the other sign; the rest as it was."""
    images = smooth()
    minigrad.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 60, 3, bias=False), nn.ReLU())
    before = network[0].weight.detach().numpy().copy()
    whiten(network, images, MEAN, STD)
    maps = network[0](minigrad.tensor(scaled(images).astype(np.float32))).detach().numpy().astype(np.float64)
    rows = maps.transpose(0, 2, 3, 1).reshape(-1, 60)
    variances, _ = directions(images, MEAN, STD, (3, 3))
    expected = np.diag(variances / (variances + LEAST))
    assert np.allclose(rows[:, :27].T @ rows[:, :27] / len(rows), expected, atol=1e-3)
    assert np.array_equal(rows[:, 27:54], -rows[:, :27])
    assert np.array_equal(network[0].weight.detach().numpy()[54:], before[54:])
    assert network[0].weight.requires_grad
    assert network[0].weight.is_leaf


def test_fewer_filters_get_the_strongest_directions() -> None:
    images = smooth()
    network = nn.Sequential(nn.Conv2d(3, 5, 3))
    before = network[0].weight.detach().numpy().copy()
    whiten(network, images, MEAN, STD)
    variances, vectors = directions(images, MEAN, STD, (3, 3))
    weight = network[0].weight.detach().numpy()
    assert np.allclose(weight[:2], vectors[:2] / np.sqrt(variances[:2] + LEAST).reshape(-1, 1, 1, 1), rtol=1e-6)
    assert np.array_equal(weight[2:4], -weight[:2])
    assert np.array_equal(weight[4], before[4])


def test_many_images_are_looked_at_in_part() -> None:
    """Evenly taken: of images that come sorted, all kinds."""
    flat = np.repeat(np.array([0, 255], np.uint8), 3000)[:, None, None, None].repeat(3, axis=1)
    images = LabelledImages(np.broadcast_to(flat, (6000, 3, 2, 2)).copy(), [0] * 6000, ["all"])
    variances, _ = directions(images, (0.5,) * 3, (0.5,) * 3, (1, 1))
    assert variances.tolist() == pytest.approx([3, 0, 0], abs=1e-9)


@pytest.mark.parametrize(
    "network, words",
    [
        (nn.Linear(3, 3), "network: expected a network whose first convolution takes 3 channels at once, got none."),
        (nn.Conv2d(1, 4, 3), "takes 3 channels at once, got Conv2d(1, 4"),
        (nn.Conv2d(3, 6, 3, groups=3), "takes 3 channels at once, got Conv2d(3, 6"),
        (nn.Conv2d(3, 4, (3, 13)), "images: expected images of at least 13x3 pixels, as is a filter, got 12x12."),
    ],
)
def test_refused(network: nn.Module, words: str) -> None:
    with pytest.raises(ArgumentError, match=re.escape(words)):
        whiten(network, smooth(), MEAN, STD)
