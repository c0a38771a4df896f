"""Labelled images as a network takes them: normalised, and changed at random in each epoch so that it sees more of them."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minigrad.core.tensor import Tensor
from minigrad.data.dataset import Dataset, whole_index, whole_indices
from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.kernels import random
from minigrad.kernels.layout import empty_channels_last
from minigrad.kernels.random.vectorised import remainders, uniform64
from minigrad.ops.dims import count_of
from minigrad.optim.optimizer import check_number

if TYPE_CHECKING:
    from minigrad.data.labelled import LabelledImages

# What each of a sample's words decides. A choice keeps its word, whatever else is switched on.
CROP_ROW, CROP_COLUMN, FLIP, CUT_ROW, CUT_COLUMN, BRIGHTNESS, CONTRAST, SATURATION, WEIGHT, PARTNER = range(10)
WORDS = 10
BLOCKS = 4  # of the stream to a sample, four words each
GREY = (0.2989, 0.587, 0.114)  # of red, green and blue, as torchvision weighs them
LEAST_MIXUP = 0.001
CHUNK = 1 << 16  # numbers of a batch that go through the steps at a time, so that they stay in the cache


class Augmented(Dataset):
    """Labelled images, normalised to ``(x / 255 - mean) / std`` and augmented; with the augmentations at 0, normalised only.

    A sample is the image, its target and its number. Its random choices are a function of ``(seed, epoch, number)`` and of
    nothing else: it is equal bit for bit in whatever batch, order or thread it comes, and another in the next epoch, of which
    ``DataLoader`` tells it. No generator is drawn from. The order of the steps:

    1. colour: brightness, contrast, saturation, in this order, each as torchvision's ``ColorJitter`` defines it, by a factor
       uniform in [1 - colour, 1 + colour], and cut off at black and white; of grey images no saturation.
    2. ``(x / 255 - mean) / std``, with which 0 is the mean colour.
    3. crop: ``crop`` pixels of 0 are added on all sides, as in He et al. 2015 (arXiv:1512.03385), and a window of the image's
       own size is taken at random.
    4. flip: mirrored left to right, with this probability.
    5. cutout: a square of this side becomes 0. Its centre is any pixel, so that part of it may lie outside (DeVries and Taylor
       2017, arXiv:1708.04552).
    6. mixup: ``w`` times the image plus ``1 - w`` times another, their targets likewise, with ``w`` from Beta(mixup, mixup)
       (Zhang et al. 2017, arXiv:1710.09412). The other is any of the data set, as it would itself be in this epoch after
       step 5.

    Args:
        dataset: the images.
        seed: from 0 to 2**64 - 1.
        mean, std: of the pixels on a scale from 0 to 1; one number, or one for each channel.
        crop: pixels, fewer than the image's sides have.
        flip: a probability; 0.5 where an image and its mirror image mean the same.
        cutout: pixels; may be more than the image has.
        colour: from 0 to 1.
        mixup: both parameters of the Beta distribution: 0 for none, else 0.001 or more; the paper takes 0.1 to 0.4 for photos.

    Raises:
        DTypeError: something that is no data set of labelled images, or no number.
        ArgumentError: a number outside its range, or an empty data set.
        ShapeError: as many means or deviations as there are no channels.

    Example:
        >>> from minigrad.data.labelled import LabelledImages
        >>> images = LabelledImages(np.full((5, 3, 8, 8), 51, np.uint8), [0, 1, 0, 1, 1], ["cat", "dog"])
        >>> batch, target, numbers = Augmented(images, 0, mean=0.4, std=0.1, crop=2, flip=0.5).take_batch([4, 2])
        >>> batch.shape, target.tolist(), numbers.tolist(), f"{batch.min().item():.1f}"
        (minigrad.Size([2, 3, 8, 8]), [1, 0], [4, 2], '-2.0')
    """

    def __init__(
        self,
        dataset: LabelledImages,
        seed: int,
        *,
        mean: float | Sequence[float],
        std: float | Sequence[float],
        crop: int = 0,
        flip: float = 0.0,
        cutout: int = 0,
        colour: float = 0.0,
        mixup: float = 0.0,
    ) -> None:
        where = type(self).__name__
        if not all(hasattr(dataset, name) for name in ("pixels", "labels", "classes", "shape")):
            raise DTypeError(where, "dataset", "LabelledImages", f"a {type(dataset).__name__}")
        if not len(dataset):
            raise ArgumentError(where, "dataset", "at least one image", "none")
        self.dataset, self.epoch = dataset, 0
        self.seed = _word(where, "seed", seed, 1 << 64)
        channels, height, width = dataset.shape
        self.mean, self.std = (_per_channel(where, name, value, channels) for name, value in (("mean", mean), ("std", std)))
        if not (self.std > 0).all():
            raise ArgumentError(where, "std", "numbers above 0", repr(std))
        self.crop, self.cutout = count_of(where, "crop", crop, 0), count_of(where, "cutout", cutout, 0)
        if self.crop >= min(height, width):
            got = f"{crop} for images of {height} x {width}"
            raise ArgumentError(
                where, "crop", f"fewer pixels than the image's sides have, at most {min(height, width) - 1}", got
            )
        for name, value in (("flip", flip), ("colour", colour), ("mixup", mixup)):
            check_number(where, name, value)
            if name != "mixup" and not value <= 1:
                raise ArgumentError(where, name, "a number from 0 to 1", repr(value))
        self.flip, self.colour, self.mixup = float(flip), float(colour), float(mixup)
        if 0 < self.mixup < LEAST_MIXUP or self.mixup == float("inf"):
            raise ArgumentError(where, "mixup", f"0 for none, or a finite number, {LEAST_MIXUP} or more", repr(mixup))

    def __len__(self) -> int:
        return len(self.dataset)

    def set_epoch(self, epoch: int) -> None:
        """Make the samples of this epoch from now on. A batch that is being made remains what it was.

        Args:
            epoch: from 0, as ``DataLoader`` counts; 0 to begin with.

        Raises:
            ArgumentError: it is no such number.
        """
        self.epoch = _word("set_epoch", "epoch", epoch, (1 << 64) - 1)

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        image, target, number = self.take_batch([whole_index(type(self).__name__, index, len(self))])
        return image[0], target[0], number[0]

    def take_batch(self, indices: Iterable[int]) -> list[Tensor]:
        """Images, targets and numbers of these samples, on the CPU.

        Returns:
            The images float32 (N, C, H, W), channels-last in memory, so that a convolution need not convert them; the targets
            int64 (N,), the classes, or with mixup float32 (N, K), the probability of each; and the numbers, int64 (N,).

        Raises:
            ShapeError: no sample is asked for.
            DTypeError, IndexingError: something that is no sample's number.
            DataError: an image's file has gone, or changed.
        """
        where, epoch = type(self).__name__, self.epoch
        numbers = whole_indices(where, indices, len(self))
        if not len(numbers):
            raise ShapeError(where, "indices", "at least one sample's number", "none")
        words = self._words(epoch, numbers)
        images, target = self._images(numbers, words), self.dataset.labels[numbers]
        if self.mixup:
            partners = remainders(words[:, PARTNER], 0, len(self))
            share = _beta(self.mixup, words[:, WEIGHT]).astype(np.float32)
            others, rest = self._images(partners, self._words(epoch, partners)), 1 - share
            images *= share[:, None, None, None]
            others *= rest[:, None, None, None]
            images += others
            classes, rows = target, np.arange(len(numbers))
            target = np.zeros((len(numbers), len(self.dataset.classes)), np.float32)
            target[rows, classes] = share
            target[rows, self.dataset.labels[partners]] += rest
        return [Tensor._wrap(array) for array in (images, target, numbers)]

    def _words(self, epoch: int, numbers: np.ndarray) -> np.ndarray:
        """The random words of each sample, (N, WORDS). A generator of the same seed reads streams whose key ends in 0."""
        return random.words_at((self.seed, 1 + epoch), numbers.astype(np.uint64) * np.uint64(BLOCKS), WORDS)

    def _images(self, numbers: np.ndarray, words: np.ndarray) -> np.ndarray:
        """The images after step 5: float32 (N, C, H, W), channels-last in memory."""
        pixels = self.dataset.pixels(numbers)
        out = empty_channels_last(np, pixels.shape, np.float32)
        few = max(1, CHUNK // pixels[0].size)
        for start in range(0, len(pixels), few):
            part = slice(start, start + few)
            planes = self._planes(pixels[part], words[part])
            for channel in range(pixels.shape[1]):  # one by one, which is several times as fast as all at once
                out[part, channel] = planes[:, channel]
        return out

    def _planes(self, pixels: np.ndarray, words: np.ndarray) -> np.ndarray:
        x = pixels.astype(np.float32)
        x /= 255
        if self.colour:
            recolour(x, 1 + self.colour * (2 * _uniforms(words[:, BRIGHTNESS : SATURATION + 1]) - 1))
        x -= self.mean
        x /= self.std
        if self.crop:
            offsets = remainders(words[:, CROP_ROW : CROP_COLUMN + 1], 0, 2 * self.crop + 1)
            x = _windows(x, self.crop, offsets)
        if self.flip:
            mirrored = _uniforms(words[:, FLIP]) < self.flip
            x[mirrored] = x[mirrored, :, :, ::-1]
        if self.cutout:
            height, width = x.shape[2:]
            rows = _within(remainders(words[:, CUT_ROW], 0, height), self.cutout, height)
            columns = _within(remainders(words[:, CUT_COLUMN], 0, width), self.cutout, width)
            np.copyto(x, 0, where=rows[:, None, :, None] & columns[:, None, None, :])
        return x


def recolour(x: np.ndarray, factors: np.ndarray) -> None:
    """Step 1 on planes from 0 to 1, in place; ``factors`` (N, 3) are those of brightness, contrast and saturation."""
    brightness, contrast, saturation = factors.astype(np.float32).T[:, :, None, None, None]
    x *= brightness
    np.minimum(x, 1, out=x)
    # Along the last axis of gapless memory the sum is made in the same order whatever the batch.
    mean = _grey(x).reshape(len(x), -1).mean(1)[:, None, None, None]
    x *= contrast
    x += (1 - contrast) * mean
    np.clip(x, 0, 1, out=x)
    if x.shape[1] == 3:
        grey = _grey(x)
        x *= saturation
        x += (1 - saturation) * grey
        np.clip(x, 0, 1, out=x)


def _grey(x: np.ndarray) -> np.ndarray:
    """(N, 1, H, W) of (N, C, H, W)."""
    if x.shape[1] == 1:
        return x
    red, green, blue = (np.float32(weight) for weight in GREY)
    grey = x[:, 0:1] * red
    grey += x[:, 1:2] * green
    grey += x[:, 2:3] * blue
    return grey


def _windows(x: np.ndarray, margin: int, offsets: np.ndarray) -> np.ndarray:
    """Of each image with a margin of 0 around it, the window of its own size that begins at ``offsets`` (N, 2)."""
    n, channels, height, width = x.shape
    padded = np.zeros((n, channels, height + 2 * margin, width + 2 * margin), x.dtype)
    padded[:, :, margin:-margin, margin:-margin] = x
    views = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(2, 3))
    return views[np.arange(n), :, offsets[:, 0], offsets[:, 1]]


def _within(centre: np.ndarray, side: int, size: int) -> np.ndarray:
    """(N, size): which places a stretch of ``side`` covers whose middle (of two, the right one) is ``centre``."""
    from_start = np.arange(size) - (centre[:, None] - side // 2)
    return (from_start >= 0) & (from_start < side)


def _uniforms(words: np.ndarray) -> np.ndarray:
    """Each word as a float64 in [0, 1)."""
    return uniform64(words.reshape(-1)).reshape(words.shape)


def _beta(a: float, words: np.ndarray) -> np.ndarray:
    """Numbers of the distribution Beta(a, a): its quantiles of uniform numbers."""
    from scipy.special import betaincinv  # heavy

    return betaincinv(a, a, _uniforms(words))


def _word(where: str, name: str, value: Any, end: int) -> int:
    try:
        number = -1 if isinstance(value, (bool, np.bool_)) else operator.index(value)
    except TypeError:
        number = -1
    if not 0 <= number < end:
        raise ArgumentError(where, name, "a whole number from 0 to 2**64 - 1", repr(value))
    return number


def _per_channel(where: str, name: str, value: Any, channels: int) -> np.ndarray:
    """(C, 1, 1) or (1, 1, 1) float32 of a number or one for each channel."""
    try:
        found = np.asarray(value, np.float32)
    except (TypeError, ValueError):
        raise DTypeError(where, name, "a number, or one for each channel", repr(value)) from None
    if found.shape not in ((), (1,), (channels,)):
        expected = f"one number, or {channels}, one for each channel"
        raise ShapeError(where, name, expected, f"shape {found.shape}" if found.ndim > 1 else f"{len(found)} of them")
    if not np.isfinite(found).all():
        raise ArgumentError(where, name, "finite numbers", repr(value))
    return found.reshape(-1, 1, 1)


__all__ = ["Augmented", "recolour"]
