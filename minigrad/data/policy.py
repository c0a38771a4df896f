"""What is decided from the data when the user has said nothing, and the lines that tell it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minigrad.data.decode import Look
from minigrad.data.sampler import count_of
from minigrad.errors import ArgumentError

SIDES = (32, 48, 64, 96)
SMALL_SIDE = 40  # images that are all of one size up to this are not resized


def asked_size(where: str, image_size: object) -> tuple[int, int] | None:
    """``image_size`` as (height, width).

    Raises:
        ArgumentError: it is neither a side, nor (height, width), nor None.

    Example:
        >>> asked_size("open_images", 32), asked_size("open_images", (24, 48)), asked_size("open_images", None)
        ((32, 32), (24, 48), None)
    """
    if image_size is None:
        return None
    pair = tuple(image_size) if isinstance(image_size, (tuple, list)) else (image_size, image_size)
    if len(pair) != 2:
        raise ArgumentError(where, "image_size", "a side, or (height, width)", repr(image_size))
    return count_of(where, "image_size", pair[0]), count_of(where, "image_size", pair[1])


def asked_channels(where: str, channels: object) -> int | None:
    """``channels`` as it is.

    Raises:
        ArgumentError: it is neither 1, 3 nor None.
    """
    if channels is None or (channels in (1, 3) and not isinstance(channels, bool)):
        return channels  # type: ignore[return-value]
    raise ArgumentError(where, "channels", "1 (grey), 3 (colour) or None", repr(channels))


def chosen_size(looks: Sequence[Look]) -> tuple[int, int]:
    """The (height, width) at which a network sees images of these sizes.

    Images that are all of one size, at most 40 by 40, are left as they are. For others it is the largest square side of 32,
    48, 64 and 96 that is not above the median shorter side, and 32 where that is smaller still.

    Example:
        >>> chosen_size([Look("PNG", 28, 28, "L")] * 3), chosen_size([Look("JPEG", 640, 480, "RGB")])
        ((28, 28), (96, 96))
    """
    sizes = {(look.height, look.width) for look in looks}
    if len(sizes) == 1 and max(max(size) for size in sizes) <= SMALL_SIDE:
        return sizes.pop()
    median = float(np.median([min(look.width, look.height) for look in looks]))
    side = max((side for side in SIDES if side <= median), default=SIDES[0])
    return side, side
