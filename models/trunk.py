"""The layers of a classifier of photos as the backbone of a detector, so that it begins with what they know of photos.

Girshick et al. 2013, arXiv:1311.2524, began so, and since then hardly a detector for photos has not: a few hundred photos with
boxes say what is looked for, and millions with labels have said what there is. As usual the first layers stay as they were
(Girshick 2015, arXiv:1504.08083, section 4.5), and so do the statistics of batch norms, of which a few large photos tell little
(He et al. 2015, arXiv:1512.03385, appendix A): they are folded into the convolutions, which then learn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minigrad import Tensor, nn
from minigrad.errors import ArgumentError
from minigrad.models.cnn import build, options_of
from minigrad.models.folded import folded
from minigrad.models.resnet import ResNet18, stage

TRUNKS = (
    "efficientnet-lite0",
    "resnet18",
    "resnet34",
    "resnet50",
)  # classifiers that have halved their map five times at the end
PHOTO = 224  # pixels a side of the photos that they are made for
FIXED = 2  # halvings that do not learn


def classifier_of(name: str, in_channels: int, width: int, num_classes: int = 1) -> nn.Module:
    """A classifier whose layers may be a backbone, not trained.

    Args:
        name: one of ``TRUNKS``.
        in_channels: C of the images.
        width: channels of the first stage; EfficientNet has its own.
        num_classes: K.

    Raises:
        ArgumentError: there is none of that name.
    """
    if name not in TRUNKS:
        raise ArgumentError("Detector", "network", f"residual, {', '.join(TRUNKS)}", repr(name))
    options = {"width": width} if has_width(name) else {}
    return build(name, (in_channels, PHOTO, PHOTO), num_classes, **options)


def has_width(name: str) -> bool:
    """Whether the width of such a classifier may be chosen.

    Example:
        >>> has_width("resnet18"), has_width("efficientnet-lite0")
        (True, False)
    """
    return "width" in options_of(name)


def halvings(network: Any) -> list[nn.Sequential]:
    """The layers of such a classifier in groups, each of which halves the map; batch norms are folded.

    Example:
        >>> import minigrad
        >>> x, sizes = minigrad.zeros(1, 3, 64, 64), []
        >>> for layers in halvings(classifier_of("resnet18", 3, 4)):
        ...     x = layers(x)
        ...     sizes.append(tuple(x.shape[1:]))
        >>> sizes
        [(4, 32, 32), (4, 16, 16), (8, 8, 8), (16, 4, 4), (32, 2, 2)]
    """
    net = folded(network)
    if isinstance(net, ResNet18):
        stages = [net.layer2, net.layer3, net.layer4]
        return [nn.Sequential(net.conv1, nn.ReLU()), nn.Sequential(net.maxpool, *net.layer1), *stages]
    groups: list[list[nn.Module]] = [[net.conv_stem, nn.ReLU6()]]
    for block in net.blocks:
        if block.depthwise_conv.step == 2:
            groups.append([])
        groups[-1].append(block)
    return [nn.Sequential(*group) for group in groups]


def _channels(layers: nn.Sequential) -> int:
    """Of the map that a group gives: those of its last convolution that is not a shortcut's."""
    last: Any = layers[-1] if not isinstance(layers[-1], (nn.ReLU, nn.ReLU6)) else layers[0]
    for name in ("project_conv", "conv3", "conv2"):
        last = getattr(last, name, last)
    return last.out_channels


class Trunk(nn.Module):
    """Maps of the layers of a classifier of photos, and of new residual blocks where they do not go far enough.

    Args:
        name: one of ``TRUNKS``.
        in_channels: C of the images.
        width: channels of its first stage, where it may be chosen.
        strides: of the maps that are wanted, one after the other.
        blocks: residual blocks of each further stage.

    Attributes:
        channels: of the maps.

    Raises:
        ArgumentError: there is none of that name.

    Example:
        >>> import minigrad
        >>> trunk = Trunk("efficientnet-lite0", 3, 32, (8, 16), 1)
        >>> [tuple(each.shape) for each in trunk(minigrad.zeros(1, 3, 64, 96))], trunk.channels
        ([(1, 40, 8, 12), (1, 112, 4, 6)], (40, 112))
    """

    def __init__(self, name: str, in_channels: int, width: int, strides: Sequence[int], blocks: int) -> None:
        super().__init__()
        self.in_channels, self.strides = in_channels, tuple(strides)
        count = self.strides[-1].bit_length() - 1
        found = halvings(classifier_of(name, in_channels, width))[:count]
        sizes = [_channels(layers) for layers in found]
        for number, layers in enumerate(found):
            layers.requires_grad_(number >= FIXED)
        self.known = len(found)
        while len(found) < count:
            found.append(stage(sizes[-1], sizes[-1], blocks, 2, project=True))
            sizes.append(sizes[-1])
        self.stages = nn.ModuleList(found)
        self.channels = tuple(sizes[stride.bit_length() - 2] for stride in self.strides)

    def taught(self) -> list[nn.Module]:
        """The parts that begin with what a classifier knows."""
        return list(self.stages)[: self.known]

    def begin_from(self, network: nn.Module) -> None:
        """Take what a classifier of the same name and width has learned."""
        for mine, theirs in zip(self.stages, halvings(network)):
            mine.load_state_dict(theirs.state_dict())

    def forward(self, images: Tensor) -> list[Tensor]:
        """Images (N, C, H, W), whose sides the last stride divides, to a map (N, channels, H / stride, W / stride) a stride."""
        x, step, maps = images, 1, []
        for layers in self.stages:
            x, step = layers(x), 2 * step
            if step in self.strides:
                maps.append(x)
        return maps
