"""What a step of a detector's training costs."""

from __future__ import annotations

from minigrad.models.cost import multiplications
from minigrad.models.detector import PART, RATIOS, REGIONS, Detector
from minigrad.models.detector_layers import CONVS, MASK_SIDE, SIDE


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
