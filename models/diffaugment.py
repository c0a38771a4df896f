"""Changes to real and to made images alike, in front of the discriminator, through which gradients go: for few images.

Zhao, Liu, Lin, Zhu, Han 2020, "Differentiable Augmentation for Data-Efficient GAN Training", arXiv:2006.10738: colour,
translation by up to an eighth, and a square of half the side that is blanked. Since the made images are changed as well, what
is made need not look changed.
"""

from __future__ import annotations

import minigrad
from minigrad import Tensor

SHIFT, CUT = 8, 2  # translation by up to the 8th part of a side; a square of the half of it


def differentiable(images: Tensor) -> Tensor:
    """Images (N, C, H, W), from -1 to 1, each changed by numbers of its own from the default generator.

    Example:
        >>> x = minigrad.zeros(2, 3, 8, 8, requires_grad=True)
        >>> differentiable(x).sum().backward()
        >>> x.grad.shape
        minigrad.Size([2, 3, 8, 8])
    """
    return _cut(_shifted(_coloured(images)))


def _coloured(images: Tensor) -> Tensor:
    """Brighter or darker by up to 0.5, the colours 0 to 2 times as strong, the contrast 0.5 to 1.5 times."""
    count, channels, *_ = images.shape
    chance = minigrad.rand(3, count, 1, 1, 1, dtype=images.dtype, device=images.device)
    images = images + (chance[0] - 0.5)
    if channels > 1:
        grey = images.mean(1, keepdim=True)
        images = (images - grey) * (2 * chance[1]) + grey
    middle = images.mean((1, 2, 3), keepdim=True)
    return (images - middle) * (chance[2] + 0.5) + middle


def _shifted(images: Tensor) -> Tensor:
    """Moved by up to an eighth of each side; what comes in is 0."""
    count, channels, height, width = images.shape
    down, across = (_whole(-(side // SHIFT), side // SHIFT, count, images) for side in (height, width))
    rows = minigrad.arange(height, device=images.device) + down.unsqueeze(1)
    columns = minigrad.arange(width, device=images.device) + across.unsqueeze(1)
    inside = _within(rows, height).unsqueeze(2) & _within(columns, width).unsqueeze(1)
    rows, columns = rows.clamp(0, height - 1), columns.clamp(0, width - 1)
    moved = images.gather(2, rows.reshape(count, 1, height, 1).expand(-1, channels, -1, width))
    moved = moved.gather(3, columns.reshape(count, 1, 1, width).expand(-1, channels, height, -1))
    return moved * inside.unsqueeze(1).to(images)


def _cut(images: Tensor) -> Tensor:
    """A square of half the side is 0, anywhere, also partly outside."""
    count, _, height, width = images.shape
    shares = []
    for side in (height, width):
        size = side // CUT
        start = _whole(-(size // 2), side - size // 2, count, images).unsqueeze(1)
        place = minigrad.arange(side, device=images.device)
        shares.append((place >= start) & (place < start + size))
    hidden = shares[0].unsqueeze(2) & shares[1].unsqueeze(1)
    return images * (~hidden).unsqueeze(1).to(images)


def _whole(low: int, high: int, count: int, like: Tensor) -> Tensor:
    """Whole numbers from ``low`` to ``high``, both ends included."""
    return minigrad.randint(low, high + 1, (count,), device=like.device)


def _within(places: Tensor, side: int) -> Tensor:
    return (places >= 0) & (places < side)
