"""EfficientNet-Lite: a small network for photos, whose weights for ImageNet others have published.

Papers: EfficientNet, Tan and Le 2019, arXiv:1905.11946 (table 1); its blocks are the inverted residuals of MobileNetV2,
Sandler et al. 2018, arXiv:1801.04381: channels are made six times as many by a 1x1 convolution, each is filtered for itself (a
depthwise convolution), and a 1x1 convolution without an activation makes them few again. The Lite variant, by the same authors
for telephones, leaves out squeeze-and-excitation and has ReLU6, which can be computed in 8 bits, in place of swish.

Padding is TensorFlow's "same", since it was trained there: of a stride of 2 on an even size one pixel, and it lies behind.
Shapes are written in one alphabet: N images, C channels, H x W pixels, K classes.
"""

from __future__ import annotations

from typing import Any, ClassVar

import minigrad
import minigrad.nn.functional as F
from minigrad import nn
from minigrad.nn.checks import check_counts, check_probability

EPS = 1e-3  # of batch norm, and
MOMENTUM = 0.01  # how fast its running means move
STEM, HEAD = 32, 1280  # channels
# Of each stage: blocks, kernel, stride of the first one, expansion, channels.
STAGES = (
    (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)  # fmt: skip


UNEVEN = hasattr(nn.Conv2d, "forward_relu6")  # PyTorch, with which this source also runs, pads both ends of an axis alike


class Same(nn.Conv2d):
    """A convolution that gives ⌈H / stride⌉ x ⌈W / stride⌉ pixels; what has to be padded lies around, an odd pixel behind.

    Example:
        >>> Same(3, 4, 3, stride=2)(minigrad.zeros(1, 3, 8, 9)).shape
        minigrad.Size([1, 4, 4, 5])
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride=stride, groups=groups, bias=False)
        self.side, self.step = kernel_size, stride

    def _padded(self, input: minigrad.Tensor) -> tuple[minigrad.Tensor, Any]:
        """The images, and what padding is left to the convolution."""
        around = []
        for size in (input.shape[2], input.shape[3]):
            lacking = max(0, (-(-size // self.step) - 1) * self.step + self.side - size)
            around.append((lacking // 2, lacking - lacking // 2))
        (top, bottom), (left, right) = around
        if top == bottom and left == right:
            return input, (top, left)
        return (input, around) if UNEVEN else (F.pad(input, (left, right, top, bottom)), 0)

    def forward(self, input: minigrad.Tensor) -> minigrad.Tensor:
        images, padding = self._padded(input)
        return F.conv2d(images, self.weight, self.bias, self.step, padding, 1, self.groups)


def norm(channels: int) -> nn.BatchNorm2d:
    """Batch norm as this network has it."""
    return nn.BatchNorm2d(channels, eps=EPS, momentum=MOMENTUM)


def bounded(conv: nn.Module, norm: nn.Module, x: minigrad.Tensor) -> minigrad.Tensor:
    """relu6(norm(conv(x))), in one pass where the norm is folded into the convolution and that knows how."""
    if type(norm) is nn.Identity and hasattr(conv, "forward_relu6"):
        return conv.forward_relu6(x)
    return F.relu6(norm(conv(x)))


class Block(nn.Module):
    """An inverted residual: x + project(relu6(depthwise(relu6(expand(x))))), each with batch norm; the sum where shapes allow.

    Args:
        in_channels, out_channels: of the maps.
        kernel, stride: of the depthwise convolution.
        expansion: how many times as many channels it works on; with 1 there is no expanding convolution.
    """

    NORMED: ClassVar = {"expand_conv": "bn0", "depthwise_conv": "bn1", "project_conv": "bn2"}

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = in_channels * expansion
        self.sum = stride == 1 and in_channels == out_channels
        self.expand_conv = Same(in_channels, wide, 1) if expansion > 1 else None
        self.bn0 = norm(wide) if expansion > 1 else None
        self.depthwise_conv = Same(wide, wide, kernel, stride, groups=wide)
        self.bn1 = norm(wide)
        self.project_conv = Same(wide, out_channels, 1)
        self.bn2 = norm(out_channels)

    def forward(self, x: minigrad.Tensor) -> minigrad.Tensor:
        y = x if self.expand_conv is None or self.bn0 is None else bounded(self.expand_conv, self.bn0, x)
        y = self.bn2(self.project_conv(bounded(self.depthwise_conv, self.bn1, y)))
        return x + y if self.sum else y


class EfficientNetLite(nn.Module):
    """EfficientNet-Lite0: 4,652,008 parameters for 1,000 classes, made for 224 x 224 pixels; others go through it too.

    ``state_dict`` keys are those of the published weights without the underscores in front of their words.

    Args:
        num_classes: K.
        in_channels: C of the images.
        dropout: chance that one of the 1,280 features is zeroed in training.

    Raises:
        ArgumentError: a size below 1, or a chance that is none.

    Example:
        >>> net = EfficientNetLite(num_classes=7).eval()
        >>> with minigrad.no_grad():
        ...     net(minigrad.zeros(1, 3, 64, 64)).shape
        minigrad.Size([1, 7])
    """

    NORMED: ClassVar = {"conv_stem": "bn0", "conv_head": "bn1"}

    def __init__(self, num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.2) -> None:
        super().__init__()
        check_counts("EfficientNetLite", 1, num_classes=num_classes, in_channels=in_channels)
        check_probability("EfficientNetLite", dropout, "dropout")
        self.conv_stem, self.bn0 = Same(in_channels, STEM, 3, stride=2), norm(STEM)
        blocks, channels = [], STEM
        for count, kernel, stride, expansion, out in STAGES:
            for number in range(count):
                blocks.append(Block(channels, out, kernel, 1 if number else stride, expansion))
                channels = out
        self.blocks = nn.ModuleList(blocks)
        self.conv_head, self.bn1 = Same(channels, HEAD, 1), norm(HEAD)
        self.act = nn.ReLU6()  # a layer, so that its map can be looked at
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(HEAD, num_classes)
        for module in self.modules():
            if isinstance(module, Same):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")

    def features(self, images: minigrad.Tensor) -> minigrad.Tensor:
        """Images (N, C, H, W) to maps of what is where, (N, 1280, H / 32, W / 32)."""
        x = bounded(self.conv_stem, self.bn0, images)
        for block in self.blocks:
            x = block(x)
        return self.act(self.bn1(self.conv_head(x)))

    def forward(self, images: minigrad.Tensor) -> minigrad.Tensor:
        """Images (N, C, H, W) to logits (N, K)."""
        return self.fc(self.dropout(self.features(images).mean(dim=(2, 3))))


def published_key(key: str) -> str:
    """The key here of a key in the published weights.

    Example:
        >>> published_key("_blocks.3._bn1.weight")
        'blocks.3.bn1.weight'
    """
    return ".".join(word.lstrip("_") for word in key.split("."))
