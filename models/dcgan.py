"""Two networks that learn against each other: one makes images of noise, the other tells them from real ones.

    minigrad train gan --data FOLDER

Radford, Metz, Chintala 2015, arXiv:1511.06434: strided convolutions in place of pooling, transposed ones in the generator,
batch norm, ReLU and at the end tanh there, leaky ReLU here. Their stack is for 64 x 64; here it is solved from the size: each
stage halves a side until ``BASE`` pixels or fewer are left, an even one by a kernel of 4, an odd one by a kernel of 3, and the
generator undoes it exactly, stage by stage. ``minigrad.models.dcgan.ladder`` shows it.

Images are N C H W, from -1 to 1; noise is N Z.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import minigrad
import minigrad.nn.functional as F
from minigrad import Tensor, nn
from minigrad.errors import ArgumentError, ShapeError
from minigrad.nn.checks import check_choice, check_counts
from minigrad.nn.utils import spectral_norm

BASE = 7  # pixels a side that are not halved any more
SMALLEST, LARGEST = 8, 256  # pixels a side of images
WIDEST = 8  # times the first width: where doubling from stage to stage ends
SLOPE = 0.2  # of leaky ReLU below 0
SPREAD = 0.02  # standard deviation of the weights at the beginning
NORMS = ("batch", "spectral", "none")
UP = ("transposed", "resize")

Pair = tuple[int, int]


class Stage(NamedTuple):
    """One step down the ladder: a convolution of stride 2, or 1 along a side that is small enough.

    Attributes:
        large, small: (H, W) above and below.
        kernel, stride: along H and W; the padding is 1. A transposed convolution of the same goes back up exactly.
    """

    large: Pair
    small: Pair
    kernel: Pair
    stride: Pair


def ladder(height: int, width: int) -> list[Stage]:
    """The stages from an image down to at most ``BASE`` pixels a side, the image's first.

    Raises:
        ArgumentError: a side below 8 or above 256.

    Example:
        >>> for stage in ladder(31, 48):
        ...     print(stage.large, "->", stage.small, stage.kernel, stage.stride)
        (31, 48) -> (16, 24) (3, 4) (2, 2)
        (16, 24) -> (8, 12) (4, 4) (2, 2)
        (8, 12) -> (4, 6) (4, 4) (2, 2)
    """
    for name, side in (("height", height), ("width", width)):
        check_counts("ladder", SMALLEST, **{name: side})
        if side > LARGEST:
            raise ArgumentError("ladder", name, f"at most {LARGEST} pixels", str(side), "Use smaller images")
    stages: list[Stage] = []
    here = (height, width)
    while max(here) > BASE:
        steps = [(side, 1, 3) if side <= BASE else ((side + 1) // 2, 2, 4 - side % 2) for side in here]
        small, stride, kernel = ((first, second) for first, second in zip(*steps))
        stages.append(Stage(here, small, kernel, stride))
        here = small
    return stages


def widths(width: int, count: int) -> list[int]:
    """Channels behind each of ``count`` stages down: doubled from stage to stage, up to 8 times the first.

    Example:
        >>> widths(16, 5)
        [16, 32, 64, 128, 128]
    """
    return [width * min(2**number, WIDEST) for number in range(count)]


class ClassNorm(nn.Module):
    """Batch norm whose scale and shift are those of the class that an image is to be of.

    de Vries et al. 2017, arXiv:1707.00683; as Miyato and Koyama 2018, arXiv:1802.05637, have it in their generator. A class
    that is put beside the noise instead is all that the first layer soon listens to, and each class has one image.

    Args:
        channels: C.
        classes: K.

    Example:
        >>> ClassNorm(4, 3)(minigrad.randn(2, 4, 5, 5), minigrad.tensor([0, 2])).shape
        minigrad.Size([2, 4, 5, 5])
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.scale, self.shift = nn.Embedding(classes, channels), nn.Embedding(classes, channels)

    def forward(self, maps: Tensor, labels: Tensor) -> Tensor:
        """(N, C, H, W), and labels (N,), int64."""
        scale, shift = self.scale(labels)[:, :, None, None], self.shift(labels)[:, :, None, None]
        found: Tensor = self.norm(maps) * scale + shift
        return found


class Generator(nn.Module):
    """Noise to images: a linear layer to the smallest map, then the ladder upwards.

    Args:
        image_size: (H, W).
        channels: C, 1 or 3.
        noise: Z, numbers that an image is made of.
        width: channels in front of the last stage; each stage before has twice as many, up to eight times as many.
        classes: K, kinds of images that can be asked for; 0: none.
        up: ``"transposed"``: transposed convolutions, as in the paper; ``"resize"``: the map is stretched to the next size and
            convolved, which leaves no checkerboard (Odena, Dumoulin, Olah 2016, "Deconvolution and Checkerboard Artifacts").

    Raises:
        ArgumentError, DTypeError: an argument out of range.
        ShapeError: when called, noise of another shape, or labels that are not there or not asked for.

    Example:
        >>> generator = Generator((31, 48), 3, noise=10, width=4)
        >>> generator(minigrad.randn(2, 10)).shape
        minigrad.Size([2, 3, 31, 48])
    """

    def __init__(
        self, image_size: Pair, channels: int, *, noise: int = 100, width: int = 64, classes: int = 0, up: str = "transposed"
    ) -> None:
        super().__init__()
        check_counts("Generator", 1, channels=channels, noise=noise, width=width)
        check_counts("Generator", 0, classes=classes)
        check_choice("Generator", "up", up, UP)
        stages = ladder(*image_size)
        counts = widths(width, len(stages))
        self.noise, self.classes = noise, classes
        self.base = (counts[-1], *stages[-1].small)
        self.first = nn.Linear(noise, self.base[0] * self.base[1] * self.base[2], bias=False)
        self.first_norm = self._norm(counts[-1])
        self.stages = nn.ModuleList()
        for number in range(len(stages) - 1, -1, -1):
            out = counts[number - 1] if number else channels
            layers: list[nn.Module] = [_up(up, counts[number], out, stages[number], last=not number)]
            layers += [self._norm(out), nn.ReLU()] if number else [nn.Tanh()]
            self.stages.append(nn.ModuleList(layers))
        begin(self)

    def _norm(self, channels: int) -> nn.Module:
        return ClassNorm(channels, self.classes) if self.classes else nn.BatchNorm2d(channels)

    def forward(self, noise: Tensor, labels: Tensor | None = None) -> Tensor:
        """(N, Z) to (N, C, H, W), from -1 to 1; labels (N,), int64, where there are classes."""
        if noise.ndim != 2 or noise.shape[1] != self.noise:
            raise ShapeError("Generator", "noise", f"shape (N, {self.noise})", f"shape {tuple(noise.shape)}")
        _check_labels("Generator", labels, self.classes, len(noise))
        asked = () if labels is None else (labels,)
        rows: Tensor = F.relu(self.first_norm(self.first(noise).reshape(-1, *self.base), *asked))
        for stage in self.stages:
            for layer in stage:
                rows = layer(rows, *asked) if isinstance(layer, ClassNorm) else layer(rows)
        return rows


class Discriminator(nn.Module):
    """Images to a number each, the larger the more real: the ladder downwards, then a linear layer.

    Args:
        image_size: (H, W).
        channels: C.
        width: channels behind the first stage; each further one has twice as many, up to eight times as many.
        classes: K; the number then also says how well the image goes with its label: projection (Miyato, Koyama 2018,
            arXiv:1802.05637).
        norm: ``"batch"``: batch norm from the second stage on, as in the paper; ``"spectral"``: weights divided by their
            largest singular value (Miyato et al. 2018, arXiv:1802.05957); ``"none"``, which penalties on the gradient of a
            single image ask for.

    Raises:
        ArgumentError, DTypeError: an argument out of range.
        ShapeError: when called, images of another shape, or labels that are not there or not asked for.

    Example:
        >>> discriminator = Discriminator((31, 48), 3, width=4)
        >>> discriminator(minigrad.zeros(2, 3, 31, 48)).shape
        minigrad.Size([2])
    """

    def __init__(self, image_size: Pair, channels: int, *, width: int = 64, classes: int = 0, norm: str = "batch") -> None:
        super().__init__()
        check_counts("Discriminator", 1, channels=channels, width=width)
        check_counts("Discriminator", 0, classes=classes)
        check_choice("Discriminator", "norm", norm, NORMS)
        stages = ladder(*image_size)
        counts = widths(width, len(stages))
        self.shape, self.classes = (channels, *image_size), classes
        self.stages = nn.ModuleList()
        for number, (stage, out) in enumerate(zip(stages, counts)):
            normed = norm == "batch" and number > 0
            before = counts[number - 1] if number else channels
            layers: list[nn.Module] = [nn.Conv2d(before, out, stage.kernel, stage.stride, 1, bias=not normed)]
            layers += [nn.BatchNorm2d(out)] * normed + [nn.LeakyReLU(SLOPE)]
            self.stages.append(nn.Sequential(*layers))
        features = counts[-1] * stages[-1].small[0] * stages[-1].small[1]
        self.last = nn.Linear(features, 1)
        self.kinds = nn.Embedding(classes, features) if classes else None
        begin(self)
        if self.kinds is not None:
            nn.init.normal_(self.kinds.weight, 0.0, SPREAD)
        if norm == "spectral":
            for layer in self.modules():
                if isinstance(layer, (nn.Conv2d, nn.Linear, nn.Embedding)):
                    spectral_norm(layer)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """(N, C, H, W) to (N,); labels (N,), int64, where there are classes."""
        if images.ndim != 4 or tuple(images.shape[1:]) != self.shape:
            expected = f"shape (N, {', '.join(map(str, self.shape))})"
            raise ShapeError("Discriminator", "images", expected, f"shape {tuple(images.shape)}")
        _check_labels("Discriminator", labels, self.classes, len(images))
        rows = images
        for stage in self.stages:
            rows = stage(rows)
        rows = rows.flatten(1)
        found: Tensor = self.last(rows).squeeze(1)
        return found if self.kinds is None else found + (self.kinds(labels) * rows).sum(1)


def _up(kind: str, channels: int, out: int, stage: Stage, *, last: bool) -> nn.Module:
    """From the smaller map of a stage to the larger one; only the last has a bias, as batch norm follows the others."""
    if kind == "transposed":
        return nn.ConvTranspose2d(channels, out, stage.kernel, stage.stride, 1, bias=last)
    return nn.Sequential(nn.Upsample(size=stage.large, mode="nearest"), nn.Conv2d(channels, out, 3, padding=1, bias=last))


def begin(network: nn.Module) -> None:
    """The paper's first weights: normal, of deviation 0.02; batch norm's around 1; no biases."""
    with minigrad.no_grad():
        for layer in network.modules():
            if isinstance(layer, ClassNorm):
                nn.init.normal_(layer.scale.weight, 1.0, SPREAD)
                nn.init.zeros_(layer.shift.weight)
            elif isinstance(layer, nn.BatchNorm2d) and layer.affine:
                nn.init.normal_(layer.weight, 1.0, SPREAD)
            elif isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
                nn.init.normal_(layer.weight, 0.0, SPREAD)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)


def _check_labels(where: str, labels: Any, classes: int, count: int) -> None:
    if classes and (labels is None or tuple(labels.shape) != (count,)):
        got = "none" if labels is None else f"shape {tuple(labels.shape)}"
        raise ShapeError(where, "labels", f"shape ({count},), one for each of {count}, as there are {classes} classes", got)
    if not classes and labels is not None:
        raise ShapeError(where, "labels", "none, as there are no classes", f"shape {tuple(labels.shape)}")
