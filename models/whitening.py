"""A first convolution that begins with what patches of the images are made of.

Pixels that are neighbours are nearly alike, so that a random filter sees little but brightness. The eigenvectors of the mean
of p pᵀ over patches p are directions that do not go together; divided by the root of its eigenvalue each varies alike. Half
of the filters begin as the strongest of them, the other half as their opposites, so that a rectifier behind lets both signs
through (Page 2019, How to Train Your ResNet 8: Bag of Tricks; Jordan 2024, 94% on CIFAR-10 in 3.29 Seconds on a Single GPU,
arXiv:2404.00498, section 3.2, where they are frozen; here they learn on).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import minigrad
from minigrad import nn
from minigrad.data import LabelledImages
from minigrad.errors import ArgumentError

PATCHES = 2_000_000  # that the mean is taken over, about,
FEWEST, MOST = 16, 2_000  # and images that they come from
AT_ONCE = 1 << 23  # numbers in the patches that lie in memory, about: 64 MB
LEAST = 5e-4  # is added to each variance, so that the noise of directions in which hardly anything varies is not blown up


def directions(
    images: LabelledImages, mean: Sequence[float], std: Sequence[float], size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """The directions in which patches of images vary, the strongest first.

    Args:
        images: (C, H, W) each; at most 2,000 of them are looked at, evenly taken.
        mean, std: of each channel, for pixels from 0 to 1, by which they are scaled first.
        size: (height, width) of a patch.

    Returns:
        float64 (D,), the mean square along each, and (D, C, height, width), the directions, of length 1; D = C height width.

    Example:
        >>> checks = LabelledImages(np.tile(np.array([[0, 255], [255, 0]], np.uint8), (20, 1, 4, 4)), [0] * 20, ["all"])
        >>> variances, vectors = directions(checks, (0.5,), (0.5,), (1, 2))
        >>> variances.round(3).tolist(), np.abs(vectors).round(3).tolist()  # neighbours are always opposite
        ([2.0, 0.0], [[[[0.707, 0.707]]], [[[0.707, 0.707]]]])
    """
    channels, height, width = images.shape
    wanted = int(np.clip(PATCHES // (height * width), FEWEST, MOST))
    chosen = np.arange(0, len(images), -(-len(images) // wanted))
    length = channels * size[0] * size[1]
    step = max(1, AT_ONCE // (height * width * length))
    total, count = np.zeros((length, length)), 0
    for start in range(0, len(chosen), step):
        pixels = images.pixels(chosen[start : start + step]) / 255.0
        pixels = (pixels - np.reshape(mean, (-1, 1, 1))) / np.reshape(std, (-1, 1, 1))
        patches = np.lib.stride_tricks.sliding_window_view(pixels, size, axis=(2, 3))
        rows = patches.transpose(0, 2, 3, 1, 4, 5).reshape(-1, length)
        total += rows.T @ rows
        count += len(rows)
    variances, vectors = np.linalg.eigh(total / count)
    return np.maximum(variances[::-1], 0), vectors[:, ::-1].T.reshape(length, channels, *size)


def whiten(network: nn.Module, images: LabelledImages, mean: Sequence[float], std: Sequence[float]) -> None:
    """Begin a network's first convolution with the directions of patches of the images, each and its opposite.

    Args:
        network: its first convolution has as many input channels as the images, and no groups.
        images, mean, std: as for :func:`directions`.

    Raises:
        ArgumentError: there is no such convolution, or a patch of its size is larger than an image.

    Example:
        >>> noise = LabelledImages(np.random.default_rng(0).integers(0, 256, (64, 3, 8, 8), np.uint8), [0] * 64, ["all"])
        >>> network = nn.Sequential(nn.Conv2d(3, 60, 3), nn.ReLU())
        >>> whiten(network, noise, (0.5,) * 3, (0.29,) * 3)
        >>> weight = network[0].weight  # 27 directions and their opposites; 6 filters are as they were
        >>> minigrad.equal(weight[:27], -weight[27:54])
        True
    """
    conv = next((module for module in network.modules() if isinstance(module, nn.Conv2d)), None)
    channels, height, width = images.shape
    if conv is None or conv.groups != 1 or conv.in_channels != channels:
        expected = f"a network whose first convolution takes {channels} channels at once"
        raise ArgumentError("whiten", "network", expected, repr(conv) if conv else "none", "Choose another network")
    tall, wide = conv.kernel_size
    if tall > height or wide > width:
        expected, got = f"images of at least {wide}x{tall} pixels, as is a filter", f"{width}x{height}"
        raise ArgumentError("whiten", "images", expected, got, "Enlarge them, or do without")
    variances, vectors = directions(images, mean, std, (tall, wide))
    half = min(len(vectors), conv.out_channels // 2)
    filters = vectors[:half] / np.sqrt(variances[:half] + LEAST).reshape(-1, 1, 1, 1)
    with minigrad.no_grad():
        signed = np.concatenate([filters, -filters])
        conv.weight[: 2 * half] = minigrad.tensor(signed, dtype=conv.weight.dtype, device=conv.weight.device)
