"""What a generator and its discriminator cost, told before they are made or trained: weights, multiplications, memory."""

from __future__ import annotations

import math

from minigrad.models.dcgan import ladder, widths
from minigrad.models.imaginer import Card


def work(card: Card) -> int:
    """Multiplications of one way through a network of either kind, of one image.

    Example:
        >>> work(Card((1, 28, 28), (), 100, 64, "transposed"))
        7250432
    """
    channels, height, width = card.shape
    stages = ladder(height, width)
    counts = [channels, *widths(card.width, len(stages))]
    found = card.noise * counts[-1] * math.prod(stages[-1].small)
    for stage, out, inner in zip(stages, counts, counts[1:]):
        size, kernel = (stage.large, (3, 3)) if card.up == "resize" else (stage.small, stage.kernel)
        found += out * inner * math.prod(size) * math.prod(kernel)
    return found


def weights_of_discriminator(card: Card) -> int:
    """How many weights of convolutions and of the last layer a discriminator has, told without the memory for them.

    Example:
        >>> card = Card((3, 31, 48), ("a", "b"), 10, 4, "transposed")
        >>> from minigrad.models.dcgan import Discriminator
        >>> network = Discriminator((31, 48), 3, width=4, classes=2)
        >>> sum(p.numel() for p in network.parameters() if p.ndim > 1) == weights_of_discriminator(card)
        True
    """
    channels, height, width = card.shape
    stages = ladder(height, width)
    counts = [channels, *widths(card.width, len(stages))]
    found = sum(out * inner * math.prod(stage.kernel) for stage, out, inner in zip(stages, counts, counts[1:]))
    return found + (1 + len(card.classes)) * counts[-1] * math.prod(stages[-1].small)


def kept(card: Card) -> int:
    """How many numbers a step computes of an image, at least, all of which are kept for the way back.

    Once through the generator and three times through the discriminator; each map and what its activation makes of it.

    Example:
        >>> kept(Card((1, 8, 8), (), 100, 2, "transposed"))  # maps of 64 and 2 x 16 numbers
        384
    """
    channels, height, width = card.shape
    stages = ladder(height, width)
    maps = sum(count * math.prod(stage.small) for count, stage in zip(widths(card.width, len(stages)), stages))
    return 2 * (channels * height * width + maps) + 3 * 2 * maps
