"""Convolutional networks for small images: a plain one, and the residual networks of He et al.

Paper: Deep Residual Learning for Image Recognition, He, Zhang, Ren, Sun 2015, arXiv:1512.03385; section 4.2 for 32 x 32 images:
6 n + 2 layers in three stages of 16, 32 and 64 channels, identity shortcuts without parameters (option A).

Shapes are written in one alphabet: N images, C channels, H x W pixels, K classes.
"""

from __future__ import annotations

import minigrad
import minigrad.nn.functional as F
from minigrad import nn


class PlainCNN(nn.Module):
    """Two convolutions and a pooling, twice, then two linear layers.

    Args:
        in_channels: C of the images.
        image_size: (H, W), each at least 4.
        num_classes: K.
        width: channels of the first pair of convolutions; the second has twice as many.
        hidden: size of the first linear layer.
        dropout: chance that an element in front of a linear layer is zeroed in training.
    """

    def __init__(
        self,
        in_channels: int = 3,
        image_size: tuple[int, int] = (32, 32),
        num_classes: int = 10,
        width: int = 32,
        hidden: int = 256,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        height, breadth = image_size
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(2 * width, 2 * width, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(2 * width * (height // 4) * (breadth // 4), hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, num_classes),
        )

    def forward(self, images: minigrad.Tensor) -> minigrad.Tensor:
        """Images (N, C, H, W) to logits (N, K)."""
        return self.classifier(self.features(images))


class BasicBlock(nn.Module):
    """y = relu(x' + bn(conv(relu(bn(conv(x)))))), where x' is x, or x at every second pixel with zero channels added."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.stride = stride
        self.added = out_channels - in_channels

    def shortcut(self, x: minigrad.Tensor) -> minigrad.Tensor:
        if self.stride == 1 and self.added == 0:
            return x
        before = self.added // 2
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, before, self.added - before))

    def forward(self, x: minigrad.Tensor) -> minigrad.Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return F.relu(y + self.shortcut(x))


class ResNet(nn.Module):
    """The residual network for 32 x 32 images.

    Args:
        depth: 6 n + 2 layers: 20, 32, 44, 56, ...
        in_channels: C of the images.
        num_classes: K.
        width: channels of the first stage; the others have twice and four times as many.

    Raises:
        ValueError: ``depth`` is not 6 n + 2.
    """

    def __init__(self, depth: int = 20, in_channels: int = 3, num_classes: int = 10, width: int = 16) -> None:
        super().__init__()
        blocks, rest = divmod(depth - 2, 6)
        if blocks < 1 or rest:
            raise ValueError(f"ResNet: depth: expected 6 n + 2 (20, 32, 44, 56, ...), got {depth}")
        self.conv1 = nn.Conv2d(in_channels, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = self._stage(width, width, blocks, stride=1)
        self.layer2 = self._stage(width, 2 * width, blocks, stride=2)
        self.layer3 = self._stage(2 * width, 4 * width, blocks, stride=2)
        self.fc = nn.Linear(4 * width, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    @staticmethod
    def _stage(in_channels: int, out_channels: int, blocks: int, stride: int) -> nn.Sequential:
        first = BasicBlock(in_channels, out_channels, stride)
        return nn.Sequential(first, *[BasicBlock(out_channels, out_channels, 1) for _ in range(blocks - 1)])

    def forward(self, images: minigrad.Tensor) -> minigrad.Tensor:
        """Images (N, C, H, W) to logits (N, K)."""
        x = F.relu(self.bn1(self.conv1(images)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.mean(dim=(2, 3)))
