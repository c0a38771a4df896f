"""Residual networks: those of He et al. for 32 x 32 images, and the wider ones for photos, ResNet-18, 34 and 50.

Paper: Deep Residual Learning for Image Recognition, He, Zhang, Ren, Sun 2015, arXiv:1512.03385. Section 4.2 for 32 x 32
images: 6 n + 2 layers in three stages of 16, 32 and 64 channels, shortcuts without parameters (option A). Table 1 for photos:
four stages of 64, 128, 256 and 512 channels, shortcuts of 1x1 convolutions where the shape changes (option B); in ResNet-50
each block is a bottleneck, which comes out four times as wide.

Shapes are written in one alphabet: N images, C channels, H x W pixels, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import ClassVar

import minigrad
import minigrad.nn.functional as F
from minigrad import nn
from minigrad.errors import ArgumentError
from minigrad.nn.checks import check_counts


class PaddedShortcut(nn.Module):
    """x at every ``stride``-th pixel, with ``added`` channels of zeros, half of them in front: option A, without parameters."""

    def __init__(self, added: int, stride: int) -> None:
        super().__init__()
        self.added, self.stride = added, stride

    def forward(self, x: minigrad.Tensor) -> minigrad.Tensor:
        before = self.added // 2
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, before, self.added - before))


def projection(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    """A 1x1 convolution and batch norm: option B."""
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False), nn.BatchNorm2d(out_channels))


def conv_norm_relu(
    conv: nn.Module, norm: nn.Module, x: minigrad.Tensor, shortcut: minigrad.Tensor | None = None
) -> minigrad.Tensor:
    """relu(norm(conv(x)) + shortcut), norm or relu in one pass with what is before it where the layer knows how."""
    if hasattr(norm, "forward_relu"):
        return norm.forward_relu(conv(x), shortcut)
    if type(norm) is nn.Identity and shortcut is None and hasattr(conv, "forward_relu"):
        return conv.forward_relu(x)
    y = norm(conv(x))
    return F.relu(y if shortcut is None else y + shortcut)


class BasicBlock(nn.Module):
    """y = relu(x' + bn(conv(relu(bn(conv(x)))))), where x' is ``downsample(x)``, or x itself where there is none."""

    NORMED: ClassVar = {"conv1": "bn1", "conv2": "bn2"}

    def __init__(self, in_channels: int, out_channels: int, stride: int, downsample: nn.Module | None = None) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.downsample = downsample

    def forward(self, x: minigrad.Tensor) -> minigrad.Tensor:
        y = conv_norm_relu(self.conv1, self.bn1, x)
        return conv_norm_relu(self.conv2, self.bn2, y, x if self.downsample is None else self.downsample(x))


class Bottleneck(nn.Module):
    """y = relu(x' + bn(1x1(relu(bn(3x3(relu(bn(1x1(x)))))))): few channels in the middle, four times as many at the end.

    The stride is that of the 3x3 convolution, as in torchvision; the paper's first convolution has it, which skips pixels.
    """

    NORMED: ClassVar = {"conv1": "bn1", "conv2": "bn2", "conv3": "bn3"}
    expansion = 4

    def __init__(self, in_channels: int, out_channels: int, stride: int, downsample: nn.Module | None = None) -> None:
        super().__init__()
        inner = out_channels // self.expansion
        self.conv1, self.bn1 = nn.Conv2d(in_channels, inner, 1, bias=False), nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3, self.bn3 = nn.Conv2d(inner, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels)
        self.downsample = downsample

    def forward(self, x: minigrad.Tensor) -> minigrad.Tensor:
        y = conv_norm_relu(self.conv2, self.bn2, conv_norm_relu(self.conv1, self.bn1, x))
        return conv_norm_relu(self.conv3, self.bn3, y, x if self.downsample is None else self.downsample(x))


def stage(
    in_channels: int, out_channels: int, blocks: int, stride: int, project: bool, bottleneck: bool = False
) -> nn.Sequential:
    """Blocks one after another, of which the first may halve the map and change the channels."""
    shortcut: nn.Module | None = None
    if stride != 1 or in_channels != out_channels:
        added = out_channels - in_channels
        shortcut = projection(in_channels, out_channels, stride) if project else PaddedShortcut(added, stride)
    block = Bottleneck if bottleneck else BasicBlock
    first = block(in_channels, out_channels, stride, shortcut)
    return nn.Sequential(first, *[block(out_channels, out_channels, 1) for _ in range(blocks - 1)])


def initialise(network: nn.Module, zero_init_residual: bool) -> None:
    """Convolutions from He's normal distribution; each block begins as its shortcut if ``zero_init_residual``.

    Not one with a padded shortcut: where zeros are added to zeros, relu lets no gradient through, and these channels would
    stay zero for ever.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, BasicBlock) and not isinstance(module.downsample, PaddedShortcut) and zero_init_residual:
            nn.init.zeros_(module.bn2.weight)
        elif isinstance(module, Bottleneck) and zero_init_residual:
            nn.init.zeros_(module.bn3.weight)


class ResNet(nn.Module):
    """The residual network for 32 x 32 images; others go through it too, as its last step is a mean over the map.

    ResNet-20, 32 and 56 have 269,722, 464,154 and 853,018 parameters for 10 classes.

    Args:
        depth: 6 n + 2 layers: 20, 32, 44, 56, ...
        in_channels: C of the images.
        num_classes: K.
        width: channels of the first stage; the others have twice and four times as many.
        zero_init_residual: the last batch norm of each block begins with scale 0, so that the network begins as a shallow
            one (Goyal et al. 2017, arXiv:1706.02677, section 5.1). Blocks that add channels are left out, as their padding
            would stay zero for ever.

    Raises:
        ArgumentError: ``depth`` is not 6 n + 2, or a size is below 1.

    Example:
        >>> net = ResNet(depth=20, in_channels=1)
        >>> net(minigrad.zeros(2, 1, 28, 28)).shape, sum(p.numel() for p in net.parameters())
        (minigrad.Size([2, 10]), 269434)
    """

    NORMED: ClassVar = {"conv1": "bn1"}

    def __init__(
        self,
        depth: int = 20,
        in_channels: int = 3,
        num_classes: int = 10,
        width: int = 16,
        *,
        zero_init_residual: bool = False,
    ) -> None:
        super().__init__()
        check_counts("ResNet", 1, in_channels=in_channels, num_classes=num_classes, width=width)
        blocks, rest = divmod(depth - 2, 6)
        if blocks < 1 or rest:
            raise ArgumentError("ResNet", "depth", "6 n + 2 (20, 32, 44, 56, ...)", str(depth))
        self.conv1 = nn.Conv2d(in_channels, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = stage(width, width, blocks, 1, project=False)
        self.layer2 = stage(width, 2 * width, blocks, 2, project=False)
        self.layer3 = stage(2 * width, 4 * width, blocks, 2, project=False)
        self.fc = nn.Linear(4 * width, num_classes)
        initialise(self, zero_init_residual)

    def forward(self, images: minigrad.Tensor) -> minigrad.Tensor:
        """Images (N, C, H, W) to logits (N, K)."""
        x = conv_norm_relu(self.conv1, self.bn1, images)
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.mean(dim=(2, 3)))


class ResNet18(nn.Module):
    """The residual network for photos, of any size; with ``layers=(3, 4, 6, 3)`` it is ResNet-34, with bottlenecks ResNet-50.

    Layers, sizes and ``state_dict`` keys are those of torchvision's ``resnet18``, ``resnet34`` and ``resnet50``: their weights
    load. For 1000 classes they have 11,689,512, 21,797,672 and 25,557,032 parameters.

    Args:
        num_classes: K.
        in_channels: C of the images.
        layers: blocks in each of the four stages.
        width: channels of the first stage; each further one has twice as many.
        bottleneck: blocks are bottlenecks, and stages come out four times as wide.
        small_images: begin with a 3x3 convolution at full size in place of one of 7x7 at every second pixel and a pooling,
            which would leave little of images of 32 to 64 pixels. The keys stay, the shape of ``conv1.weight`` does not.
        zero_init_residual: the last batch norm of each block begins with scale 0 (Goyal et al. 2017, arXiv:1706.02677).

    Raises:
        ArgumentError: ``layers`` are not four counts, or a size is below 1.

    Example:
        >>> net = ResNet18(num_classes=5, width=4, small_images=True)
        >>> net(minigrad.zeros(2, 3, 32, 32)).shape, len(net.state_dict())
        (minigrad.Size([2, 5]), 122)
    """

    NORMED: ClassVar = {"conv1": "bn1"}

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        layers: Sequence[int] = (2, 2, 2, 2),
        width: int = 64,
        *,
        bottleneck: bool = False,
        small_images: bool = False,
        zero_init_residual: bool = False,
    ) -> None:
        super().__init__()
        check_counts("ResNet18", 1, in_channels=in_channels, num_classes=num_classes, width=width)
        if len(layers) != 4 or not all(isinstance(blocks, Integral) and blocks > 0 for blocks in layers):
            raise ArgumentError("ResNet18", "layers", "four counts of blocks, each at least 1", repr(layers))
        if small_images:
            self.conv1 = nn.Conv2d(in_channels, width, 3, padding=1, bias=False)
        else:
            self.conv1 = nn.Conv2d(in_channels, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.Identity() if small_images else nn.MaxPool2d(3, stride=2, padding=1)
        wide = width * (Bottleneck.expansion if bottleneck else 1)
        self.layer1 = stage(width, wide, layers[0], 1, True, bottleneck)
        self.layer2 = stage(wide, 2 * wide, layers[1], 2, True, bottleneck)
        self.layer3 = stage(2 * wide, 4 * wide, layers[2], 2, True, bottleneck)
        self.layer4 = stage(4 * wide, 8 * wide, layers[3], 2, True, bottleneck)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(8 * wide, num_classes)
        initialise(self, zero_init_residual)

    def forward(self, images: minigrad.Tensor) -> minigrad.Tensor:
        """Images (N, C, H, W) to logits (N, K)."""
        x = self.maxpool(conv_norm_relu(self.conv1, self.bn1, images))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.avgpool(x).flatten(1))
