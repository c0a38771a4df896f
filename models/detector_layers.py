"""The layers of a detector: a backbone, a pyramid of maps, what proposes regions on them, and the heads that look at regions.

Sources: Lin et al. 2016, arXiv:1612.03144 (feature pyramids); Ren et al. 2015, arXiv:1506.01497 (proposals); He et al. 2017,
arXiv:1703.06870 (masks). How they learn and answer together is in ``detector``.

Shapes: N images, C channels, K classes without the background, R regions of all images.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import minigrad
import minigrad.nn.functional as F
from minigrad import Tensor, nn
from minigrad.models.resnet import conv_norm_relu, stage
from minigrad.models.trunk import Trunk

STRIDES = (4, 8, 16, 32, 64)  # pixels from cell to cell of the maps that there may be
SIDE, MASK_SIDE = 7, 14  # cells of a region for classes, and for masks, which come out twice as fine
CONVS = 2  # of the head for masks


def _begin(*layers: nn.Module) -> None:
    """Weights that keep the size of what goes through (He et al. 2015, arXiv:1502.01852), and biases of 0."""
    for layer in layers:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


class Residual(nn.Module):
    """A residual network that begins with weights that know nothing.

    Args:
        in_channels: C of the images.
        width: channels of the first stage; each further one has twice as many, up to four times the first's.
        strides: of the maps that are wanted, one after the other, from ``STRIDES``.
        blocks: residual blocks of each stage.

    Attributes:
        channels: of the maps.
    """

    def __init__(self, in_channels: int, width: int, strides: Sequence[int], blocks: int) -> None:
        super().__init__()
        self.in_channels, self.strides = in_channels, tuple(strides)
        self.stem = nn.Conv2d(in_channels, width, 3, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        count = STRIDES.index(self.strides[-1]) + 1
        sizes = [min(4 * width, width * 2**number) for number in range(count)]
        self.stages = nn.ModuleList(
            [stage(before, after, blocks, 2, project=True) for before, after in zip([width, *sizes], sizes)]
        )
        self.channels = tuple(sizes[STRIDES.index(stride)] for stride in self.strides)

    def taught(self) -> list[nn.Module]:
        """The parts that another detector may have taught: all of it."""
        return [self]

    def forward(self, images: Tensor) -> list[Tensor]:
        """Images (N, C, H, W), whose sides the last stride divides, to a map (N, channels, H / stride, W / stride) a stride."""
        x, step = conv_norm_relu(self.stem, self.norm, images), 2
        maps: list[Tensor] = []
        for module in self.stages:
            x, step = module(x), 2 * step
            if step in self.strides:
                maps.append(x)
        return maps


class Pyramid(nn.Module):
    """Maps of several finenesses, all of one width, the fine ones with what the coarse ones know.

    Args:
        backbone: gives maps, each half as fine as the one before, and tells their ``channels``.
        out: channels of each map.
    """

    def __init__(self, backbone: Residual | Trunk, out: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.sides = nn.ModuleList([nn.Conv2d(wide, out, 1) for wide in backbone.channels])
        self.smooth = nn.ModuleList([nn.Conv2d(out, out, 3, padding=1) for _ in backbone.channels])
        _begin(*self.sides, *self.smooth)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Images (N, C, H, W), whose sides the last stride divides, to a map (N, out, H / stride, W / stride) a stride."""
        maps = [layer(each) for layer, each in zip(self.sides, self.backbone(images))]
        for level in range(len(maps) - 2, -1, -1):
            maps[level] = maps[level] + F.interpolate(maps[level + 1], scale_factor=2, mode="nearest")
        return [layer(each) for layer, each in zip(self.smooth, maps)]


class Proposer(nn.Module):
    """Says of each anchor of a map what it may be and how far the box is from it; one network for all maps.

    Args:
        channels: of the maps.
        anchors: at each cell.
        classes: that it tells apart; 1 for objects alone.
    """

    def __init__(self, channels: int, anchors: int, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.score, self.box = nn.Conv2d(channels, anchors * classes, 1), nn.Conv2d(channels, anchors * 4, 1)
        _begin(self.conv)
        for layer in (self.score, self.box):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)
        nn.init.constant_(self.score.bias, -math.log(99))  # hardly anything is an object: Lin et al. 2017, arXiv:1708.02002

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Of all anchors of all maps the logits (N, anchors, classes) and the differences (N, anchors, 4)."""
        scores, boxes = [], []
        for each in maps:
            x = F.relu(self.conv(each))
            scores.append(self._by_anchor(self.score(x), self.classes))
            boxes.append(self._by_anchor(self.box(x), 4))
        return minigrad.cat(scores, 1), minigrad.cat(boxes, 1)

    @staticmethod
    def _by_anchor(x: Tensor, each: int) -> Tensor:
        return x.permute(0, 2, 3, 1).reshape(len(x), -1, each)


class BoxHead(nn.Module):
    """Regions to what they are, (R, K + 1), and how far their boxes are from them, (R, 4). Layer norms let it learn at higher
    rates, and do not mind how many regions there are."""

    def __init__(self, channels: int, classes: int, hidden: int) -> None:
        super().__init__()
        self.first, self.first_norm = nn.Linear(channels * SIDE * SIDE, hidden, bias=False), nn.LayerNorm(hidden)
        self.second, self.second_norm = nn.Linear(hidden, hidden, bias=False), nn.LayerNorm(hidden)
        self.label, self.box = nn.Linear(hidden, classes + 1), nn.Linear(hidden, 4)
        _begin(self.first, self.second)
        nn.init.normal_(self.label.weight, std=0.05)
        nn.init.normal_(self.box.weight, std=0.001)
        for layer in (self.label, self.box):
            nn.init.zeros_(layer.bias)

    def forward(self, regions: Tensor) -> tuple[Tensor, Tensor]:
        x = F.relu(self.first_norm(self.first(regions.flatten(1))))
        x = F.relu(self.second_norm(self.second(x)))
        return self.label(x), self.box(x)


class MaskHead(nn.Module):
    """Regions (R, C, 14, 14) to logits of the masks of each class, (R, K, 28, 28)."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(channels, channels, 3, padding=1) for _ in range(CONVS)])
        self.up = nn.ConvTranspose2d(channels, channels, 2, stride=2)
        self.mask = nn.Conv2d(channels, classes, 1)
        _begin(*self.convs)
        nn.init.kaiming_normal_(self.up.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(self.up.bias)

    def forward(self, regions: Tensor) -> Tensor:
        for layer in self.convs:
            regions = F.relu(layer(regions))
        return self.mask(F.relu(self.up(regions)))
