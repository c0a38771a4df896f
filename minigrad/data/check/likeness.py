"""Images that are nearly the same: copies that were saved, resized or brightened anew.

Every image is shrunk to a thumbnail of 16x16, from which its mean is taken off and its contrast taken out. The difference of
two thumbnails is then the root of their mean squared difference: 0 for copies, sqrt(2) for images that have nothing to do with
each other. How small it must be depends on the data: two handwritten ones differ by 0.1, as does a photo from a copy of small
file size. So two images count as copies if they are much closer to each other than either is to its further neighbours.

Neighbours are looked for in a k-d tree of the 4x4 means of the thumbnails. A mean of squares is never below the square of a
mean, so that the difference of the small ones is a lower bound of the other, and no pair is missed for it.
"""

from __future__ import annotations

import numpy as np

SIDE = 16  # of a thumbnail
COARSE = 4  # side of what the tree holds
NEIGHBOURS = 10  # looked at for each image
FURTHER = 5  # which of them is the measure: up to four copies of an image are found
FAR = 0.6  # difference beyond which none are looked at
NEAR = 0.2  # largest difference of two copies,
RATIO = 0.3  # and its largest share of the difference to the further neighbours
SAME = 0.04  # two images that differ by less are copies however close the others are
FLAT = 4.0  # least contrast, in levels of 255: below it there is nothing to compare
GAIN = 1.25  # largest ratio of two copies' contrasts
SHIFT = 25.0  # largest difference of their mean brightness
_BLOCK = 4096  # pairs compared at once


def thumbnail(pixels: np.ndarray) -> np.ndarray:
    """An image shrunk to 16x16, every pixel of it taken in.

    Args:
        pixels: uint8 (C, H, W), C 1 or 3.

    Returns:
        uint8 (3, 16, 16).

    Example:
        >>> thumbnail(np.full((1, 40, 30), 7, np.uint8)).shape
        (3, 16, 16)
    """
    from PIL import Image

    def shrunk(channel: np.ndarray) -> np.ndarray:
        image = Image.fromarray(np.ascontiguousarray(channel))
        return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR, reducing_gap=3.0))

    return np.broadcast_to(np.stack([shrunk(channel) for channel in pixels]), (3, SIDE, SIDE))


def near_copies(thumbnails: np.ndarray) -> list[list[int]]:
    """Groups of images that are nearly the same.

    Args:
        thumbnails: uint8 (N, 3, 16, 16).

    Returns:
        Lists of two or more numbers in ascending order.

    Example:
        >>> noise = np.random.default_rng(0).integers(0, 250, (20, 3, 16, 16)).astype(np.uint8)
        >>> near_copies(np.concatenate([noise, noise[3:4] + 5]))
        [[3, 20]]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(thumbnails)
    shapes, mean, contrast = _shapes(thumbnails)
    _, first, of = np.unique(thumbnails.reshape(count, 3 * SIDE * SIDE), axis=0, return_index=True, return_inverse=True)
    rows = first[contrast[first] >= FLAT]  # one of each that are equal
    pairs = rows[_near_pairs(shapes[rows], mean[rows], contrast[rows])]
    alike = np.stack([np.arange(count), first[of.reshape(-1)]], 1)[contrast >= FLAT]  # equal thumbnails
    edges = np.concatenate([pairs, alike])
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
    _, group_of = connected_components(graph, directed=False)
    order = np.argsort(group_of, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(group_of[order])) + 1) if count else []
    return sorted(group.tolist() for group in groups if len(group) > 1)


def _shapes(thumbnails: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Thumbnails of mean 0 and contrast 1 as rows, their means and their contrasts, float32."""
    values = thumbnails.reshape(len(thumbnails), 3 * SIDE * SIDE).astype(np.float32)
    mean = values.mean(1)
    values -= mean[:, None]
    contrast = np.sqrt(np.square(values).mean(1))
    values /= np.maximum(contrast, 1e-6)[:, None]
    return values, mean, contrast


def _near_pairs(shapes: np.ndarray, mean: np.ndarray, contrast: np.ndarray) -> np.ndarray:
    """The pairs that are copies, int64 (n, 2)."""
    from scipy.spatial import cKDTree

    count, step = len(shapes), SIDE // COARSE
    if count < 2:
        return np.empty((0, 2), np.int64)
    coarse = shapes.reshape(count, 3, COARSE, step, COARSE, step).mean((1, 3, 5)).reshape(count, COARSE * COARSE)
    tree = cKDTree(coarse)
    _, found = tree.query(coarse, k=NEIGHBOURS, distance_upper_bound=FAR * COARSE)  # the root of a sum, not of a mean
    one, place = np.nonzero((found < count) & (found != np.arange(count)[:, None]))
    other = found[one, place]
    difference = np.empty(len(one), np.float32)
    for start in range(0, len(one), _BLOCK):
        block = slice(start, start + _BLOCK)
        difference[block] = np.sqrt(np.square(shapes[one[block]] - shapes[other[block]]).mean(1))
    table = np.full(found.shape, FAR, np.float32)
    table[one, place] = difference
    further = np.sort(table, 1)[:, min(FURTHER, NEIGHBOURS) - 1]
    least = np.minimum(further[one], further[other])
    copies = (difference < SAME) | ((difference < NEAR) & (difference < RATIO * least))
    copies &= np.abs(mean[one] - mean[other]) <= SHIFT
    copies &= np.maximum(contrast[one], contrast[other]) <= GAIN * np.minimum(contrast[one], contrast[other])
    return np.stack([one[copies], other[copies]], 1)
