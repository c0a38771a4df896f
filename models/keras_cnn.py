"""A plain convolutional network with batch norm behind each ReLU, whose weights for CIFAR-10 others have published.

It has the pattern of Simonyan and Zisserman 2014, arXiv:1409.1556, but no padding: six 3x3 convolutions, of which each takes a
pixel off every side, and two poolings leave one place of an image of 32 x 32 pixels. The last layer ends in a ReLU, as it was
trained: a class that it thinks unlikely has the logit 0.

Keras made it; its layers have the names that Keras gave them, which ``minigrad.interop.keras_io`` keeps.

Shapes are written in one alphabet: N images, C channels, H x W pixels, K classes.
"""

from __future__ import annotations

from collections import OrderedDict

from minigrad import nn
from minigrad.errors import ArgumentError
from minigrad.nn.checks import check_counts

WIDTHS = (64, 128, 64)  # channels of each two convolutions
HIDDEN = (1024, 512)
EPS, MOMENTUM = 1e-3, 0.85  # of batch norm


class KerasCNN(nn.Sequential):
    """The network: 968,394 parameters for 10 classes and images of 32 x 32 pixels, which is the smallest size that it takes.

    Args:
        num_classes: K.
        in_channels: C of the images.
        image_size: (H, W).
        dropout: chance that a feature is zeroed in training.

    Raises:
        ArgumentError: smaller images, or a size below 1.

    Example:
        >>> import minigrad
        >>> KerasCNN(num_classes=3)(minigrad.zeros(2, 3, 32, 32)).shape
        minigrad.Size([2, 3])
    """

    def __init__(
        self, num_classes: int = 10, in_channels: int = 3, image_size: tuple[int, int] = (32, 32), dropout: float = 0.2
    ) -> None:
        check_counts("KerasCNN", 1, num_classes=num_classes, in_channels=in_channels)
        height, width = (((side - 4) // 2 - 4) // 2 - 4 for side in image_size)
        if min(height, width) < 1:
            got = f"{image_size[0]} x {image_size[1]}"
            raise ArgumentError(
                "KerasCNN", "image_size", "at least 32 pixels a side, as it does not pad", got, "Use larger images"
            )
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        channels = in_channels
        for number in range(2 * len(WIDTHS)):
            tail, out = f"_{number}" if number else "", WIDTHS[number // 2]
            layers[f"conv2d{tail}"] = nn.Conv2d(channels, out, 3)
            layers[f"conv2d{tail}_relu"] = nn.ReLU()
            layers[f"batch_normalization{tail}"] = nn.BatchNorm2d(out, eps=EPS, momentum=MOMENTUM)
            if number in (1, 3):
                layers["max_pooling2d" + ("_1" if number == 3 else "")] = nn.MaxPool2d(2)
            channels = out
        layers["flatten"] = nn.Flatten()
        features = channels * height * width
        for number, out in enumerate((*HIDDEN, num_classes)):
            tail = f"_{number}" if number else ""
            layers[f"dense{tail}"] = nn.Linear(features, out)
            layers[f"dense{tail}_relu"] = nn.ReLU()
            if number < len(HIDDEN):
                layers[f"dropout{tail}"] = nn.Dropout(dropout)
            features = out
        super().__init__(layers)
