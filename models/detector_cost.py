"""What a detector costs, told before it is made or trained: parameters, and the multiplications of a step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minigrad.models.cost import continued, multiplications
from minigrad.models.detector import PART, RATIOS, REGIONS, Detector
from minigrad.models.detector_layers import CONVS, MASK_SIDE, SIDE

DEGREES = {"num_classes": 1, "width": 2, "channels": 2, "hidden": 2, "blocks": 1}  # the number of parameters is a polynomial
SMALL = {"num_classes": 10_000, "width": 128, "channels": 512, "hidden": 2048, "blocks": 4}  # such may be made to count them


def parameters(num_classes: int, in_channels: int, options: Mapping[str, Any]) -> int:
    """How many parameters ``Detector`` would have, found without the memory for a large one.

    Args:
        num_classes, in_channels, options: its arguments.

    Raises:
        ArgumentError: what ``Detector`` refuses of those that are small.

    Example:
        >>> options = {"width": 4, "channels": 8, "hidden": 16, "blocks": 1}
        >>> parameters(3, 3, options) == sum(p.numel() for p in Detector(3, 3, **options).parameters())
        True
    """

    def made(**chosen: int) -> int:
        return sum(p.numel() for p in Detector(**{**options, "in_channels": in_channels, **chosen}).parameters())

    given = {name: options[name] for name in DEGREES if name in options} | {"num_classes": num_classes}
    large = {name: (value, DEGREES[name]) for name, value in given.items() if value > SMALL[name]}
    small = {name: value for name, value in given.items() if name not in large}
    return continued(lambda **chosen: made(**small, **chosen), large)


def multiplications_of(network: Detector, shape: tuple[int, int, int], objects: float = PART * REGIONS) -> int:
    """Multiplications that one image takes in training, forth and back, about; layers that do not learn only go forth.

    Args:
        network: the detector.
        shape: (C, H, W) of the image.
        objects: regions on it that stand for one, of which masks are learned.

    Example:
        >>> net = Detector(3, sizes=(16, 32), strides=(4, 8), width=8, channels=8, hidden=16)
        >>> multiplications_of(net, (3, 64, 64))
        4858368
    """
    _, height, width = shape
    pyramid = multiplications(network.pyramid, shape)
    fixed = multiplications(network.pyramid, shape, lambda layer: not layer.weight.requires_grad)
    maps, classes = network.proposer.conv.in_channels, network.proposer.classes
    cells = sum((height // stride) * (width // stride) for stride in network.strides)
    first = cells * maps * (9 * maps + (4 + classes) * len(RATIOS))
    second = masks = 0
    if network.box_head is not None:
        hidden = network.box_head.second.in_features
        second = REGIONS * (maps * SIDE**2 * hidden + hidden**2 + (network.num_classes + 5) * hidden)
    if network.mask_head is not None:
        masks = round(objects * MASK_SIDE**2 * (9 * CONVS * maps**2 + 4 * maps**2 + 4 * maps * network.num_classes))
    return 3 * (pyramid + first + second + masks) - 2 * fixed
