"""Convolutional networks that classify images: a plain one, and by name the residual ones of ``resnet.py``.

Paper of the plain one's pattern, two 3x3 convolutions and a pooling that halves the map, again and again: Very Deep
Convolutional Networks for Large-Scale Image Recognition, Simonyan and Zisserman 2014, arXiv:1409.1556.

Shapes are written in one alphabet: N images, C channels, H x W pixels, K classes.
"""

from __future__ import annotations

import inspect
from numbers import Integral
from typing import Any, NamedTuple

import minigrad
from minigrad import nn
from minigrad.errors import ArgumentError, ShapeError
from minigrad.models.efficientnet import EfficientNetLite
from minigrad.models.keras_cnn import KerasCNN
from minigrad.models.resnet import ResNet, ResNet18
from minigrad.nn.checks import check_counts

LAST_MAP = 8  # pixels a side that the last pooling leaves, at most, where the shorter side allows it
WIDEST = 8  # times the first width: where doubling from stage to stage ends
SMALL = 64  # pixels a side up to which residual networks for photos begin without a pooling


class PlainCNN(nn.Module):
    """Stages of two convolutions and a pooling, then two linear layers.

    Args:
        in_channels: C of the images.
        image_size: (H, W), each at least 4.
        num_classes: K.
        width: channels of the first stage; each further one has twice as many, up to eight times as many.
        hidden: size of the first linear layer.
        dropout: chance that an element in front of a linear layer is zeroed in training.
        norm: batch norm behind each convolution, which then has no bias.
        stages: how often the map is halved. By default as often as brings the longer side to 8 pixels or less, but at least
            twice, and never so often that the shorter side has none left: 2 for 28 and 32 pixels, 3 for 64, 4 for 96.

    Raises:
        ArgumentError: the image is too small for the stages, or a size is below 1.

    Example:
        >>> net = PlainCNN(in_channels=1, image_size=(28, 28), width=8, norm=True)
        >>> net(minigrad.zeros(2, 1, 28, 28)).shape
        minigrad.Size([2, 10])
    """

    def __init__(
        self,
        in_channels: int = 3,
        image_size: tuple[int, int] = (32, 32),
        num_classes: int = 10,
        width: int = 32,
        hidden: int = 256,
        dropout: float = 0.0,
        *,
        norm: bool = False,
        stages: int | None = None,
    ) -> None:
        super().__init__()
        check_counts("PlainCNN", 1, in_channels=in_channels, num_classes=num_classes, width=width, hidden=hidden)
        height, breadth = check_image_size("PlainCNN", image_size)
        stages = stages_for(image_size) if stages is None else stages
        check_counts("PlainCNN", 1, stages=stages)
        if not min(height, breadth) >> stages:
            most = min(height, breadth).bit_length() - 1
            expected, got = f"images that can be halved {stages} times, as stages={stages} asks", f"{height} x {breadth}"
            raise ArgumentError("PlainCNN", "image_size", expected, got, f"Use larger images, or stages={most}")
        layers: list[nn.Module] = []
        channels = in_channels
        for number in range(stages):
            out = width * min(2**number, WIDEST)
            for _ in range(2):
                layers.append(nn.Conv2d(channels, out, 3, padding=1, bias=not norm))
                if norm:
                    layers.append(nn.BatchNorm2d(out))
                layers.append(nn.ReLU())
                channels = out
            layers.append(nn.MaxPool2d(2))
        self.shape = (in_channels, height, breadth)
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(channels * (height >> stages) * (breadth >> stages), hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, num_classes),
        )

    def forward(self, images: minigrad.Tensor) -> minigrad.Tensor:
        """Images (N, C, H, W) to logits (N, K).

        Raises:
            ShapeError: the images are of another size than the network is made for.
        """
        if tuple(images.shape[1:]) != self.shape:
            expected = f"shape (N, {', '.join(map(str, self.shape))}), which the network is made for"
            raise ShapeError(
                "PlainCNN", "images", expected, f"shape {tuple(images.shape)}", "Resize them, or make another network"
            )
        return self.classifier(self.features(images))


def stages_for(image_size: tuple[int, int]) -> int:
    """How often :class:`PlainCNN` halves images of a size when nothing else is asked for."""
    stages = 2
    while max(image_size) >> stages > LAST_MAP and min(image_size) >> (stages + 1):
        stages += 1
    return stages


def check_image_size(where: str, size: Any) -> tuple[int, int]:
    """Height and width of images.

    Raises:
        ArgumentError: not two whole numbers of at least 4.
    """
    if not (isinstance(size, (tuple, list)) and len(size) == 2 and all(isinstance(n, Integral) and int(n) >= 4 for n in size)):
        raise ArgumentError(where, "image_size", "(height, width), each 4 or more", repr(size))
    return int(size[0]), int(size[1])


class Network(NamedTuple):
    """An entry of the table of networks.

    Attributes:
        network: its class.
        fixed: the arguments that make it what its name says.
        preset: arguments that stand unless the caller gives others.
    """

    network: type[nn.Module]
    fixed: dict[str, Any]
    preset: dict[str, Any]


NETWORKS: dict[str, Network] = {
    "cnn": Network(PlainCNN, {}, {"norm": True}),
    "resnet20": Network(ResNet, {"depth": 20}, {}),
    "resnet32": Network(ResNet, {"depth": 32}, {}),
    "resnet56": Network(ResNet, {"depth": 56}, {}),
    "resnet18": Network(ResNet18, {"layers": (2, 2, 2, 2), "bottleneck": False}, {}),
    "resnet34": Network(ResNet18, {"layers": (3, 4, 6, 3), "bottleneck": False}, {}),
    "resnet50": Network(ResNet18, {"layers": (3, 4, 6, 3), "bottleneck": True}, {}),
    "efficientnet-lite0": Network(EfficientNetLite, {}, {}),
    "keras-cnn": Network(KerasCNN, {}, {}),
}


def options_of(name: str) -> tuple[str, ...]:
    """What may be chosen of a network, a key of ``NETWORKS``.

    Example:
        >>> options_of("resnet20")
        ('width', 'zero_init_residual')
    """
    entry = NETWORKS[name]
    given = ("in_channels", "num_classes", "image_size", *entry.fixed)
    return tuple(option for option in inspect.signature(entry.network).parameters if option not in given)


def build(name: str, shape: tuple[int, int, int], num_classes: int, **options: Any) -> nn.Module:
    """The network of a name, made for images of a shape.

    ResNet-18 and 34 begin with the step for small images where H and W are at most 64, unless ``small_images`` is given.

    Args:
        name: a key of ``NETWORKS``.
        shape: (C, H, W) of the images.
        num_classes: K.
        options: further arguments of the network's class.

    Raises:
        ArgumentError: no network has that name, the network has no such option, or an argument is out of range.

    Example:
        >>> net = build("resnet20", (1, 28, 28), 10, width=8)
        >>> net(minigrad.zeros(3, 1, 28, 28)).shape
        minigrad.Size([3, 10])
    """
    if name not in NETWORKS:
        raise ArgumentError("build", "name", f"one of {', '.join(NETWORKS)}", repr(name))
    if not (
        isinstance(shape, (tuple, list)) and len(shape) == 3 and all(isinstance(n, Integral) and int(n) >= 1 for n in shape)
    ):
        raise ArgumentError("build", "shape", "(channels, height, width), each at least 1", repr(shape))
    entry = NETWORKS[name]
    channels, height, width = map(int, shape)
    known, free = inspect.signature(entry.network).parameters, options_of(name)
    given = {"in_channels": channels, "num_classes": num_classes, "image_size": (height, width), **entry.fixed}
    for option in options:
        if option not in free:
            raise ArgumentError("build", option, f"an option of {name}: {', '.join(free)}", "another")
    preset = {"small_images": max(height, width) <= SMALL, **entry.preset}
    arguments = {**preset, **given, **options}
    return entry.network(**{argument: value for argument, value in arguments.items() if argument in known})
