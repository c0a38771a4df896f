"""How blocks share a table of pixels and channels: the host's side of ``strips.cuh``."""

from __future__ import annotations

from typing import NamedTuple

from minigrad.core.device import Array

THREADS = 256  # of a block, and channels, at most: as in strips.cuh
PACK = 16  # bytes that a thread loads at a time
STRIPS = 512  # of a sample, at most, where each leaves a sum to be added


class Walk(NamedTuple):
    """How a grid walks over (samples, pixels, channels).

    Attributes:
        lanes: channels of a thread.
        block: threads along channels and along pixels.
        strip: pixels of a block.
        strips: blocks of a sample's pixels.
        tiles: blocks of the channels.
    """

    lanes: int
    block: tuple[int, int]
    strip: int
    strips: int
    tiles: int


def lanes(channels: int, *arrays: Array) -> int:
    """Channels that a thread reads at a time: 16 bytes of float32, where rows of channels allow it in all arrays; else one.

    Example:
        >>> from minigrad.emulator import cupy
        >>> x = cupy.zeros(33, "float32")
        >>> lanes(8, x), lanes(6, x), lanes(8, x[1:]), lanes(8, x.astype("float64"))
        (4, 1, 1, 1)
    """
    wide = arrays[0].itemsize == 4 and channels % 4 == 0 and all(each.data.ptr % PACK == 0 for each in arrays)
    return 4 if wide else 1


def walk(pixels: int, channels: int, lanes: int, rows: int, most: int = 1 << 30) -> Walk:
    """The walk on which each thread does about ``rows`` pixels, more where a sample had more than ``most`` strips.

    Example:
        >>> walk(1000, 64, 4, 16)
        Walk(lanes=4, block=(16, 16), strip=256, strips=4, tiles=1)
    """
    units = channels // lanes
    across = min(units, THREADS // lanes)
    down = min(1 << (THREADS // across).bit_length() - 1, 1 << max(pixels - 1, 0).bit_length())
    steps = max(rows, -(-pixels // (down * most)))
    strip = down * steps
    return Walk(lanes, (across, down), strip, max(1, -(-pixels // strip)), -(-units // across))
