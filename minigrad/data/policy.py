"""What is decided from the data when the user has said nothing, and the lines that tell it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from minigrad.data.decode import Look, Shape
from minigrad.data.folder import ImageFolder
from minigrad.data.words import counted, shown
from minigrad.errors import ArgumentError
from minigrad.ops.dims import count_of, whole

SIDES = (32, 48, 64)  # of larger images: a network learns from these on a CPU in minutes
SMALL_SIDE = 40  # up to this images keep their own size, or the median one
LEAST_SIDE = 8  # that is chosen where sizes differ
LONGEST_SIDE = 128  # of images to learn to make that keep their size
LOOKED_AT = 200  # images that are decoded to see whether they show colour
TINT = 3  # of 255: compression leaves grey no greyer than this
_GREY_MODES = ("1", "L", "LA", "I", "F", "I;16", "I;16L", "I;16B", "I;16N")
_MUCH = 0.4  # of the images in one class, and half as much again as its fair share: an accuracy of that much is nothing yet
_NAMED = 10  # classes up to this number are listed with their counts
_CUT = 0.05  # of the images' area that the crop may take unsaid


class Asked(NamedTuple):
    """What the user asked for; None is decided from the data.

    Attributes:
        size: (height, width).
        channels: 1 or 3.
        holdout: the share to hold out.
        seed: of the choice of what is held out.
    """

    size: tuple[int, int] | None
    channels: int | None
    holdout: float | None
    seed: int

    @classmethod
    def of(cls, where: str, image_size: object, channels: object, holdout: object, seed: Any) -> Asked:
        """The arguments, checked.

        Raises:
            ArgumentError: one is out of range.
            DTypeError: the seed is no integer.

        Example:
            >>> Asked.of("open_images", 32, 1, None, 0)
            Asked(size=(32, 32), channels=1, holdout=None, seed=0)
        """
        size = None
        if image_size is not None:
            pair = tuple(image_size) if isinstance(image_size, (tuple, list)) else (image_size, image_size)
            if len(pair) != 2:
                raise ArgumentError(where, "image_size", "a side, or (height, width)", repr(image_size))
            size = (count_of(where, "image_size", pair[0]), count_of(where, "image_size", pair[1]))
        if channels is not None and (channels not in (1, 3) or isinstance(channels, (bool, float))):
            raise ArgumentError(where, "channels", "1 (grey), 3 (colour) or None", repr(channels))
        if holdout is not None:
            if isinstance(holdout, bool) or not isinstance(holdout, (int, float)) or not 0 < holdout < 1:
                raise ArgumentError(where, "holdout", "a share between 0 and 1, such as 0.1", repr(holdout))
            holdout = float(holdout)
        return cls(size, None if channels is None else 1 if channels == 1 else 3, holdout, whole(where, "seed", seed))


class Split(NamedTuple):
    """Which images of all stay to learn from and which are to choose by.

    Attributes:
        train, validation, test: numbers of images.
        share: that of each class that was held out, or None where the data have a validation part.
        seed: by which it was chosen.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    share: float | None
    seed: int


def chosen_size(looks: Sequence[Look]) -> tuple[int, int]:
    """The (height, width) at which a network sees images of these sizes.

    Images that are all of one size, at most 40 by 40, are left as they are. For others it is a square: of the median shorter
    side where that is at most 40 (and 8 at least), else the largest of 32, 48 and 64 that is not above it.

    Example:
        >>> chosen_size([Look("PNG", 28, 28, "L")] * 3), chosen_size([Look("JPEG", 640, 480, "RGB")])
        ((28, 28), (64, 64))
    """
    sizes = {(look.height, look.width) for look in looks}
    if len(sizes) == 1 and max(max(sizes)) <= SMALL_SIDE:
        return sizes.pop()
    median = float(np.median([min(look.width, look.height) for look in looks]))
    if median <= SMALL_SIDE:
        side = max(int(median), LEAST_SIDE)
    else:
        side = max(side for side in SIDES if side <= median)
    return side, side


def gallery_size(looks: Sequence[Look]) -> tuple[int, int]:
    """The (height, width) at which a network learns to make images of these sizes.

    Images that are all of one size, from 8 pixels a side to 64 on the shorter and 128 on the longer one, are left as they are,
    oblong and odd ones too. For others it is a square: the largest of 32, 48 and 64 that is not above the median shorter
    side, and 32 where that is less.

    Example:
        >>> gallery_size([Look("PNG", 47, 31, "L")] * 3), gallery_size([Look("JPEG", 178, 218, "RGB")])
        ((31, 47), (64, 64))
    """
    sizes = {(look.height, look.width) for look in looks}
    if len(sizes) == 1:
        (size,) = sizes
        if min(size) >= LEAST_SIDE and min(size) <= SIDES[-1] and max(size) <= LONGEST_SIDE:
            return size
    median = float(np.median([min(look.width, look.height) for look in looks]))
    side = max((side for side in SIDES if side <= median), default=SIDES[0])
    return side, side


def chosen_channels(looks: Sequence[Look], read: Callable[[Sequence[int]], Iterator[np.ndarray]]) -> tuple[int, int]:
    """1 if the images are grey, else 3; and how many were looked at to know it.

    Where the kinds of the files leave it open, up to 200 of them, evenly spread, are read. Grey is what has red, green and
    blue equal to within 3 of 255.

    Args:
        looks: what the files' heads tell.
        read: gives the pixels of the images of these numbers in colour, uint8 (3, H, W), one by one.
    """
    open_cases = [i for i, look in enumerate(looks) if look.mode not in _GREY_MODES]
    step = max(len(open_cases) / LOOKED_AT, 1.0)
    sample = [open_cases[int(place)] for place in np.arange(0, len(open_cases), step)]
    for seen, pixels in enumerate(read(sample), 1):
        if int(np.ptp(pixels, axis=0).max()) > TINT:
            return 3, seen
    return 1, len(sample)


def folder_lines(folder: ImageFolder, looks: Sequence[Look], shape: Shape, looked_at: int | None) -> list[str]:
    """What a folder holds, and what is done with each image.

    Args:
        folder: what was found.
        looks: what the files' heads tell.
        shape: (C, H, W) to which they are brought.
        looked_at: how many images were looked at for colour; None where the user asked for the channels.
    """
    channels, height, width = shape
    counts = np.bincount([file.label for file in folder.files], minlength=len(folder.classes))
    lines = [
        f"{shown(folder.path)}: {counted(len(looks), 'image')}{_in_classes(folder.classes, counts)}",
        f"sizes: {_sizes(looks)}; kinds: {_kinds(looks)}",
    ]
    if all((look.height, look.width) == (height, width) for look in looks):
        lines.append(f"size: left as it is, {_pixels(width, height)}")
    else:
        piece = "square" if height == width else f"piece of {width} to {height}"
        lines.append(f"size: the largest {piece} in the middle of each image, resized to {_pixels(width, height)}")
    lost = np.array([1 - _kept(look, height, width) for look in looks])
    if lost.mean() > _CUT:
        lines.append(
            f"what lies outside it is not seen: {lost.mean():.0%} of an image on average, {lost.max():.0%} at most"
            " (images of one shape, or cropped by hand, would lose nothing)"
        )
    enlarged = sum(look.height < height or look.width < width for look in looks)
    if enlarged:
        lines.append(f"{counted(enlarged, 'image')} of fewer pixels {'is' if enlarged == 1 else 'are'} enlarged")
    lines.append(_colours(channels, looked_at))
    lines.extend(_conversions(looks))
    return lines


def array_lines(about: str, classes: Sequence[str], labels: np.ndarray, own: Shape, shape: Shape) -> list[str]:
    """What a published set holds, and what is done with each image.

    Args:
        about: what it is.
        classes: their names.
        labels: of all its images.
        own: the (C, H, W) that it has.
        shape: the one to which images are brought.
    """
    counts = np.bincount(labels, minlength=len(classes))
    lines = [f"{about}: {counted(len(labels), 'image')}{_in_classes(classes, counts)}"]
    size = f"{_pixels(own[2], own[1])}, {_colour(own[0])}"
    if shape != own:
        size += f", made {_pixels(shape[2], shape[1])}, {_colour(shape[0])}"
    return [*lines, f"size: {size}"]


def split_lines(split: Split) -> list[str]:
    """How many images there are to learn from, to choose by and to test on, and how that was chosen."""
    counts = f"{len(split.train):,} images to train on, {len(split.validation):,} for validation"
    if len(split.test):
        counts += f", {len(split.test):,} to test on"
    lines = [f"split: {counts}"]
    if split.share is None:
        lines.append("validation: the data's own part")
    else:
        lines.append(
            f"validation: {100 * split.share:.3g}% of each class of the training part, one image at least,"
            f" chosen by name and seed {split.seed}"
        )
    if not len(split.test):
        lines.append("no test part: the result is told by validation, by which the network is chosen too")
    return lines


def balance_lines(labels: np.ndarray, classes: Sequence[str], split: Split) -> list[str]:
    """What is right by always saying the largest class, where that is much: an accuracy is to be compared with it."""
    part, rows = ("test", split.test) if len(split.test) else ("validation", split.validation)
    counts = np.bincount(labels[rows], minlength=len(classes))
    share = counts.max() / counts.sum()
    if share < max(_MUCH, 1.5 / len(classes)):
        return []
    largest = classes[int(counts.argmax())]
    return [f"always saying {largest} would be right for {share:.1%} of the {part} images: look at the figures of each class"]


def copy_lines(contents: Sequence[bytes], labels: np.ndarray, what: str = "files", equal: str = "byte for byte") -> list[str]:
    """Files that are equal byte for byte, or images by their pixels.

    Args:
        contents: what tells that two are equal.
        labels: of each its class.
        what, equal: the words for them.
    """
    copies: dict[bytes, list[int]] = {}
    for i, content in enumerate(contents):
        copies.setdefault(content, []).append(i)
    several = [group for group in copies.values() if len(group) > 1]
    if not several:
        return []
    lines = [f"{sum(map(len, several)):,} {what} are copies, {equal}, of {len(several):,} different ones"]
    doubtful = sum(len(set(labels[group].tolist())) > 1 for group in several)
    if doubtful:
        lines.append(f"in more than one class: {doubtful:,} of these, so that some labels are wrong")
    return lines


def duplicate_lines(contents: Sequence[bytes], labels: np.ndarray, split: Split) -> list[str]:
    """Files that are equal byte for byte, and what that does to the figures."""
    lines = copy_lines(contents, labels)
    if not lines:
        return []
    learned = {contents[i] for i in split.train}
    for part, rows in (("validation", split.validation), ("test", split.test)):
        leaks = sum(contents[i] in learned for i in rows)
        if leaks:
            lines.append(
                f"trained on as well: {leaks:,} of the {len(rows):,} {part} images, which makes their figures too good"
            )
    return lines


def _in_classes(classes: Sequence[str], counts: np.ndarray) -> str:
    return f" in {_classes(classes, counts)}" if classes else ""


def _classes(classes: Sequence[str], counts: np.ndarray) -> str:
    least, most = f"{counts.min():,}", f"{counts.max():,}"
    if len(classes) <= _NAMED and least == most:
        return f"{len(classes)} classes of {most}: {', '.join(classes)}"
    if len(classes) <= _NAMED:
        return f"{len(classes)} classes: " + ", ".join(
            f"{name} {n:,}" for name, n in zip(classes, counts.tolist(), strict=True)
        )
    return f"{len(classes):,} classes of {least if least == most else f'{least} to {most}'} images"


def _sizes(looks: Sequence[Look]) -> str:
    ordered = sorted(looks, key=lambda look: (look.width * look.height, look.width))
    least, middle, most = (_pixels(look.width, look.height) for look in (ordered[0], ordered[len(looks) // 2], ordered[-1]))
    if len({(look.width, look.height) for look in looks}) == 1:
        return f"all {most}"
    return f"{least} to {most} (width x height), the middle one {middle}"


def _kinds(looks: Sequence[Look]) -> str:
    found = Counter(f"{look.format} {look.mode}" for look in looks).most_common()
    return ", ".join(f"{kind} {number:,}" for kind, number in found[:6]) + (", ..." if len(found) > 6 else "")


def _pixels(width: int, height: int) -> str:
    return f"{width}x{height} pixels"


def _kept(look: Look, height: int, width: int) -> float:
    """The share of an image's area that the crop leaves."""
    scale = min(look.width / width, look.height / height)
    return scale * width * scale * height / (look.width * look.height)


def _colour(channels: int) -> str:
    return "grey" if channels == 1 else "colour"


def _colours(channels: int, looked_at: int | None) -> str:
    if looked_at is None:
        return f"colours: {_colour(channels)}, as asked"
    if channels == 3:
        return "colours: kept"
    reason = "no file has any" if not looked_at else f"none of {counted(looked_at, 'image')} looked at shows any"
    return f"colours: grey; {reason} (channels=3 would keep them)"


def _conversions(looks: Sequence[Look]) -> list[str]:
    """A line for each kind of file of which not everything is kept."""
    found = {
        "with more than 8 bits: the high byte of the 16 is taken": [look.mode.startswith("I") for look in looks],
        "with floating-point values: up to 1 they are scaled by 255, up to 255 taken as they are": [
            look.mode == "F" for look in looks
        ],
        "that may be transparent: what is seen through becomes white": [look.transparent for look in looks],
        "with several frames: the first is taken": [look.animated for look in looks],
        "turned upright, by the EXIF entry": [look.turned for look in looks],
    }
    return [f"{counted(sum(which), 'image')} {words}" for words, which in found.items() if any(which)]


__all__ = [
    "Asked",
    "Split",
    "array_lines",
    "balance_lines",
    "chosen_channels",
    "chosen_size",
    "copy_lines",
    "duplicate_lines",
    "folder_lines",
    "gallery_size",
    "split_lines",
]
