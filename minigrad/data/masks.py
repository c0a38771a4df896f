"""Masks of objects: run lengths and polygons as COCO writes them, and the pixels that they mean.

A run-length code counts pixels down the columns, from the left one on: so many outside, so many inside, and so on. COCO's
files hold the counts as a list or packed into a string: five bits to a character, the lowest first, and from the fourth count
on the difference to the count two before it (Lin et al. 2014, arXiv:1405.0312, and the format's own code).

A polygon's pixels are those of that code, bit for bit: its corners are laid on a grid of five steps to the pixel and joined
by straight lines of grid points; a pixel is inside where an odd number of lines passes above its middle in its column.
"""

from __future__ import annotations

import operator
import reprlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from minigrad.errors import DataError, DTypeError, ShapeError

GRID = 5  # steps of a polygon's corners to the pixel
FARTHEST = 1 << 20  # pixels: corners farther out are refused,
LONGEST = 1 << 22  # pixels: and polygons of longer lines, as these would fill the memory
LARGEST_COUNT = 1 << 40
_BITS, _FIRST = 5, 48  # of a character of a packed code
_SIGN, _MORE, _LOW = 0x10, 0x20, 0x1F


class RunLengths(NamedTuple):
    """A mask as the lengths of its runs down the columns, the first of them outside (it may be 0).

    Attributes:
        height, width: of the image, in pixels.
        counts: int64 (k,); their sum is height x width.
    """

    height: int
    width: int
    counts: np.ndarray

    @property
    def area(self) -> int:
        """How many pixels are inside."""
        return int(self.counts[1::2].sum())

    def pixels(self) -> np.ndarray:
        """The mask, bool (H, W)."""
        inside = np.zeros(len(self.counts), bool)
        inside[1::2] = True
        return np.repeat(inside, self.counts).reshape(self.width, self.height).T

    def extent(self) -> tuple[int, int, int, int] | None:
        """The smallest box around what is inside, x1, y1, x2, y2; None where nothing is.

        Example:
            >>> RunLengths(2, 3, np.array([2, 3, 1])).extent()
            (1, 0, 3, 2)
        """
        ends = np.cumsum(self.counts)
        inside = self.counts[1::2] > 0
        first, last = (ends[1::2] - self.counts[1::2])[inside], ends[1::2][inside] - 1
        if not len(first):
            return None
        bent = first // self.height != last // self.height  # these go on in the next column, and so touch both edges
        top = np.where(bent, 0, first % self.height).min()
        bottom = np.where(bent, self.height - 1, last % self.height).max()
        return int(first[0] // self.height), int(top), int(last[-1] // self.height) + 1, int(bottom) + 1

    def packed(self) -> str:
        """The counts as a string, as COCO's files and tools have them."""
        return _packed(self.counts)


def run_lengths(mask: Any) -> RunLengths:
    """The run lengths of a mask.

    Args:
        mask: bool (H, W), or numbers, of which 0 is outside.

    Raises:
        ShapeError: it has not two dimensions.

    Example:
        >>> runs = run_lengths([[0, 1], [1, 1]])
        >>> runs.counts.tolist(), runs.packed(), runs.area
        ([1, 3], '13', 3)
    """
    pixels = np.asarray(mask)
    if pixels.ndim != 2:
        raise ShapeError("run_lengths", "mask", "(H, W)", f"shape {pixels.shape}")
    flat = pixels.astype(bool).T.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    edges = np.concatenate([[0], [0] if flat.size and flat[0] else [], changes, [flat.size]]).astype(np.int64)
    height, width = pixels.shape
    return RunLengths(height, width, np.diff(edges) if flat.size else np.zeros(1, np.int64))


def read_run_lengths(given: Any, height: int, width: int, name: str = "the mask") -> RunLengths:
    """A run-length code of a COCO file: the counts as a list, or packed into a string.

    Args:
        given: ``{"size": [H, W], "counts": ...}``.
        height, width: of the image, which the code's own size must be.
        name: for errors.

    Raises:
        DataError: it is no such code, or of another size.

    Example:
        >>> read_run_lengths({"size": [2, 2], "counts": "13"}, 2, 2).pixels().astype(int).tolist()
        [[0, 1], [1, 1]]
    """
    size, counts = (given.get("size"), given.get("counts")) if isinstance(given, dict) else (None, None)
    if not isinstance(size, Sequence) or list(size) != [height, width]:
        raise DataError("data", name, f"a run-length code of size [{height}, {width}]", f"size {_short(size)}")
    if isinstance(counts, bytes):
        counts = counts.decode("latin-1")
    if isinstance(counts, str):
        found = _unpacked(counts, name)
    else:
        try:
            found = [operator.index(count) for count in counts or ()]
        except TypeError:
            raise DataError("data", name, "a list of counts, or a string of them", _short(counts)) from None
    if any(not 0 <= count <= LARGEST_COUNT for count in found) or sum(found) != height * width:
        got = f"counts below 0 or of a sum other than {height * width:,}"
        raise DataError("data", name, f"counts that fill {height} x {width} pixels", got)
    return RunLengths(height, width, np.array(found, np.int64))


def polygon_pixels(polygons: Iterable[Any], height: int, width: int, name: str = "the mask") -> np.ndarray:
    """The pixels inside at least one of several polygons.

    Args:
        polygons: each x1, y1, x2, y2, ... in pixels, of three corners or more; (0, 0) is the upper left corner of the image.
        height, width: of the image.
        name: for errors.

    Returns:
        bool (H, W).

    Raises:
        DataError: corners that are no finite numbers, too few, or far outside of any image.

    Example:
        >>> polygon_pixels([[1, 1, 3, 1, 3, 3, 1, 3]], 4, 4).astype(int).tolist()
        [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    """
    inside = np.zeros((height, width), bool)
    for polygon in polygons:
        inside |= _one_polygon(read_polygon(polygon, name), height, width)
    return inside


def read_polygon(given: Any, name: str = "the mask") -> np.ndarray:
    """The corners of a polygon, float64 (k, 2), k at least 3.

    Raises:
        DataError: they are no finite numbers, too few, or far outside of any image.

    Example:
        >>> read_polygon([0, 0, 4, 0, 4, 2]).shape
        (3, 2)
    """
    try:
        corners = np.array(given, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise DataError("data", name, "a polygon of numbers", _short(given)) from None
    if corners.ndim != 1 or len(corners) < 6 or len(corners) % 2:
        raise DataError("data", name, "a polygon x1, y1, x2, y2, ... of at least 3 corners", _short(given))
    if not np.isfinite(corners).all() or np.abs(corners).max() > FARTHEST:
        raise DataError("data", name, f"finite corners within {FARTHEST:,} pixels", _short(given))
    corners = corners.reshape(-1, 2)
    length = np.abs(np.roll(corners, -1, 0) - corners).max(1).sum()
    if length > LONGEST:
        raise DataError("data", name, f"a polygon of lines of at most {LONGEST:,} pixels", f"{length:,.0f} pixels")
    return corners


def outline_box(given: Any, name: str = "the mask") -> list[float]:
    """The smallest box around an object of a COCO file by its segmentation, x, y, width, height.

    Args:
        given: polygons, or a run-length code.
        name: for errors.

    Raises:
        DataError: it is neither, or has nothing inside.

    Example:
        >>> outline_box([[1, 1, 3, 1, 3, 4]]), outline_box({"size": [2, 2], "counts": "13"})
        ([1.0, 1.0, 2.0, 3.0], [0, 0, 2, 2])
    """
    if isinstance(given, dict):
        size = given.get("size")
        if (
            not isinstance(size, list)
            or len(size) != 2
            or any(type(side) is not int or not 1 <= side <= FARTHEST for side in size)
        ):
            raise DataError("data", name, "a run-length code of a size [H, W]", f"one of size {_short(size)}")
        found = read_run_lengths(given, size[0], size[1], name).extent()
        if found is None:
            raise DataError("data", name, "a mask with something inside", "an empty mask")
        return [found[0], found[1], found[2] - found[0], found[3] - found[1]]
    polygons = given if isinstance(given, list) else []
    polygons = [polygon for polygon in polygons if not (isinstance(polygon, list) and len(polygon) == 4)]  # lines
    if not polygons:
        raise DataError("data", name, "polygons or a run-length code", _short(given))
    corners = np.concatenate([read_polygon(polygon, name) for polygon in polygons])
    low, high = corners.min(0), corners.max(0)
    return [*low.tolist(), *(high - low).tolist()]


def extent(mask: np.ndarray) -> np.ndarray | None:
    """The smallest box around the pixels of a mask, float32 (4,) of x1, y1, x2, y2; None of an empty one.

    Args:
        mask: bool (H, W).

    Example:
        >>> extent(np.array([[False, False], [False, True]])).tolist()
        [1.0, 1.0, 2.0, 2.0]
    """
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    if not len(columns):
        return None
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float32)


def extents(masks: Any) -> np.ndarray:
    """The smallest boxes around several masks, float32 (n, 4); of an empty mask all 0.

    Args:
        masks: bool (n, H, W).

    Raises:
        ShapeError, DTypeError: they are no such array.

    Example:
        >>> extents(np.ones((2, 3, 5), bool)).tolist()
        [[0.0, 0.0, 5.0, 3.0], [0.0, 0.0, 5.0, 3.0]]
    """
    array = np.asarray(masks)
    if array.ndim != 3:
        raise ShapeError("extents", "masks", "(n, H, W)", f"shape {array.shape}")
    if array.dtype != bool:
        raise DTypeError("extents", "masks", "bool", str(array.dtype))
    found = np.zeros((len(array), 4), np.float32)
    for number, mask in enumerate(array):
        box = extent(mask)
        if box is not None:
            found[number] = box
    return found


def _one_polygon(corners: np.ndarray, height: int, width: int) -> np.ndarray:
    """Down each column a pixel is inside where the lines crossed so far are odd in number."""
    grid = np.trunc(GRID * corners + 0.5).astype(np.int64)
    x, y = _line_points(grid)
    step = np.flatnonzero(x[1:] != x[:-1])
    before, after = x[step], x[step + 1]
    # Lines cross a column where they step over its middle: the grid points two fifths and three fifths into the pixel.
    column = np.where(after < before, after, after - 1) - GRID // 2
    row = np.minimum(y[step], y[step + 1])
    crossed = (column % GRID == 0) & (column >= 0) & (column <= GRID * (width - 1))
    top = np.ceil(np.clip((row[crossed] + 0.5) / GRID - 0.5, 0, height)).astype(np.int64)
    place = column[crossed] // GRID * height + top
    crossings = np.bincount(place, minlength=height * width + 1)[: height * width]
    return (np.cumsum(crossings) % 2).astype(bool).reshape(width, height).T


def _line_points(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The grid points of all sides, one after the other; a side goes by single steps along its longer axis."""
    xs, ys = [], []
    for (x1, y1), (x2, y2) in zip(corners.tolist(), np.roll(corners, -1, 0).tolist(), strict=True):
        across, down = abs(x2 - x1), abs(y2 - y1)
        if across >= down:
            turned = x1 > x2
            xa, ya, xb, yb = (x2, y2, x1, y1) if turned else (x1, y1, x2, y2)
            along = np.arange(xa, xb + 1)
            # of a side that is a single point the slope is of no account
            other = np.trunc(ya + (yb - ya) / max(across, 1) * (along - xa) + 0.5).astype(np.int64)
            px, py = along, other
        else:
            turned = y1 > y2
            xa, ya, xb, yb = (x2, y2, x1, y1) if turned else (x1, y1, x2, y2)
            along = np.arange(ya, yb + 1)
            other = np.trunc(xa + (xb - xa) / down * (along - ya) + 0.5).astype(np.int64)
            px, py = other, along
        xs.append(px[::-1] if turned else px)
        ys.append(py[::-1] if turned else py)
    return np.concatenate(xs), np.concatenate(ys)


def _packed(counts: np.ndarray) -> str:
    signs: list[str] = []
    numbers = counts.tolist()
    for place, count in enumerate(numbers):
        left = count - numbers[place - 2] if place > 2 else count
        while True:
            piece, left = left & _LOW, left >> _BITS
            done = left == (-1 if piece & _SIGN else 0)
            signs.append(chr(_FIRST + (piece if done else piece | _MORE)))
            if done:
                break
    return "".join(signs)


def _unpacked(text: str, name: str) -> list[int]:
    counts: list[int] = []
    number, shift = 0, 0
    for sign in text:
        piece = ord(sign) - _FIRST
        if not 0 <= piece < 2 * _MORE or shift > 60:
            raise DataError("data", name, "a packed run-length code", _short(text))
        number |= (piece & _LOW) << shift
        shift += _BITS
        if not piece & _MORE:
            if piece & _SIGN:
                number -= 1 << shift
            counts.append(number + counts[-2] if len(counts) > 2 else number)
            number, shift = 0, 0
    if shift:
        raise DataError("data", name, "a packed run-length code", f"one cut short, {_short(text)}")
    return counts


def _short(value: Any) -> str:
    return reprlib.repr(value)[:60]


__all__ = [
    "RunLengths",
    "extent",
    "extents",
    "outline_box",
    "polygon_pixels",
    "read_polygon",
    "read_run_lengths",
    "run_lengths",
]
