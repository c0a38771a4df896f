"""The page of an image as a classifier sees it: what it takes it for, where, what its layers make of it, and its filters."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from minigrad.errors import ShapeError
from minigrad.show.page import Page
from minigrad.show.pictures import bars, image_grid, image_png

TILE = 112  # pixels of a feature map on the page, about; larger ones are shrunk to it
ACROSS = 8  # of them in a row
SLICE = 18  # pixels of a part of a filter, and
WHOLE = 72  # of a filter that is seen as one
WIDEST = 1024  # pixels of a picture of filters
PANEL = 190  # pixels that a photo has on the page, at least
LONGEST = 448  # pixels a side of the whole image there
VEIL, GLOW = 0.25, 0.35  # how much of a photo the colours hide where the map is 0, and how much more where it is 1
QUALITY = 88  # of JPEG
FEW = 12  # layers of which all are open; of more those of the first size


class View(NamedTuple):
    """A class, and where what speaks for it is: float64 (H, W) from 0 to 1, in the size of the photo."""

    label: str
    probability: float
    map: np.ndarray


class Maps(NamedTuple):
    """What a layer made of the image.

    Attributes:
        name: of the layer.
        kind: what it is.
        shape: (C, H, W) of all that it gave.
        channels: those that are shown.
        images: float (n, H, W), theirs.
    """

    name: str
    kind: str
    shape: tuple[int, int, int]
    channels: Sequence[int]
    images: np.ndarray


class Filters(NamedTuple):
    """The weights of a convolution: its name, and float (F, C, KH, KW)."""

    name: str
    weights: np.ndarray


def heated(photo: np.ndarray, map: np.ndarray) -> np.ndarray:
    """A photo in the colours of a map, from blue (0) over green and yellow to red (1).

    Args:
        photo: uint8 (3, H, W).
        map: (H, W), from 0 to 1.

    Returns:
        uint8 (3, H, W).

    Raises:
        ShapeError: the two are of different sizes.

    Example:
        >>> heated(np.zeros((3, 1, 2), np.uint8), np.array([[0.0, 1.0]]))[0, 0].tolist()
        [12, 73]
    """
    from matplotlib import colormaps

    if photo.ndim != 3 or len(photo) != 3 or photo.shape[1:] != map.shape:
        raise ShapeError("heated", "map", f"(H, W) of a photo (3, H, W), {photo.shape}", f"shape {map.shape}")
    colours = 255 * colormaps["turbo"](map)[..., :3].transpose(2, 0, 1)
    share = VEIL + GLOW * map
    return np.rint((1 - share) * photo + share * colours).astype(np.uint8)


def seen_page(
    title: str, subtitle: str, *, top: Sequence[tuple[str, float]], views: Sequence[View], layer: str, photo: np.ndarray,
    whole: bytes, fed: np.ndarray, preparation: str, maps: Sequence[Maps], filters: Sequence[Filters],
    passed_over: Sequence[str] = (),
) -> Page:  # fmt: skip
    """The page.

    Args:
        title, subtitle: of the page.
        top: the likeliest classes and their probabilities.
        views: of each class that was asked for, where it is seen.
        layer: the layer whose maps were weighted for the views; where there are none, why.
        photo: uint8 (3, H, W), the piece of the image that was looked at.
        whole: the whole image with that piece framed, as the bytes of a file.
        fed: uint8 (C, H, W), what the network was given.
        preparation: what was done to make it.
        maps: what the layers made of it.
        filters: weights that can be looked at.
        passed_over: convolutions whose weights cannot.

    Example:
        >>> photo = np.zeros((3, 8, 8), np.uint8)
        >>> maps = [Maps("conv", "Conv2d", (1, 4, 4), [0], np.eye(4)[None])]
        >>> page = seen_page("A photo", "", top=[("cat", 0.9)], views=[], layer="There is none.", photo=photo, fed=photo,
        ...     whole=image_png(photo), preparation="", filters=[], maps=maps)
        >>> "1 channel of 4 × 4" in page.html()
        True
    """
    page = Page(title, subtitle)
    page.headline({top[0][0]: _percent(top[0][1])})
    page.section("What it takes the image for", "The likeliest classes, in per cent.")
    page.picture(bars({label: round(100 * share, 1) for label, share in top}, label="the likeliest classes", highest=100.0))
    page.section("Where it sees that", _HOW.format(layer=layer) if views else layer)
    page.gallery(
        [(jpeg(heated(photo, view.map)), f"{view.label}, {_percent(view.probability)}" + _nothing(view.map)) for view in views],
        size=PANEL,
    )
    page.section("What the network is given", preparation)
    scale = max(1, round(PANEL / max(fed.shape[1:])))
    page.gallery([(whole, "the image, and the piece of it"), (image_png(fed, scale), "what is given")], size=PANEL)
    _layers(page.section("What the layers make of it", _LAYERS), maps)
    _filters(page.section("Filters", "What the convolutions look for. Grey is 0; the brighter, the larger a weight."), filters)
    if passed_over:
        page.text(f"Of a single place, or too many, to be looked at: {', '.join(passed_over)}.")
    return page


_HOW = (
    "Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391) of the layer {layer}: a channel counts by how much more of it would "
    "raise a class's logit, and coloured is where the channels are that speak for the class. Red is the most of it, blue none; "
    "each picture has a scale of its own."
)
_LAYERS = (
    "A picture for each layer, in the order in which they work: those of its channels that vary most over the image, the "
    f"strongest first, {ACROSS} at most. The least value of a channel is black, the largest white."
)


def _layers(page: Page, maps: Sequence[Maps]) -> None:
    for number, group in enumerate(_by_size(maps)):
        _, height, width = group[0].shape
        layers = f"{len(group)} layers" if len(group) > 1 else "1 layer"
        with page.details(f"{height} × {width}: {layers}", opened=number == 0 or len(maps) <= FEW):
            for layer in group:
                channels = f"{layer.shape[0]:,} channels" if layer.shape[0] > 1 else "1 channel"
                chosen = ", ".join(map(str, layer.channels))
                told = f"; shown: {chosen}" if len(layer.channels) < layer.shape[0] else ""
                page.picture(maps_png(layer.images), f"{layer.name} ({layer.kind}): {channels} of {height} × {width}{told}")


def _filters(page: Page, filters: Sequence[Filters]) -> None:
    for number, (name, weights) in enumerate(filters):
        count, depth, height, width = weights.shape
        size = f"{height} × {width}"
        words = f"{name}: {count:,} of {size}" + ("" if depth in (1, 3) else f", a row each, of {depth:,} inputs")
        if depth == 3:
            words += ", in the colours that they look for"
        if number == 0:
            page.picture(filters_png(weights), words)
            continue
        with page.details(words):
            page.picture(filters_png(weights), alt=words)


def _by_size(maps: Sequence[Maps]) -> list[list[Maps]]:
    """Layers of one size together, in the order of each size's first."""
    groups: dict[tuple[int, ...], list[Maps]] = {}
    for layer in maps:
        groups.setdefault(tuple(layer.shape[1:]), []).append(layer)
    return list(groups.values())


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share >= 0.001 or not share else f"{100 * share:.1g} %"


def _nothing(map: np.ndarray) -> str:
    return "" if map.any() else ": nothing speaks for it"


def maps_png(images: np.ndarray) -> bytes:
    """Feature maps side by side, each from black, its least value, to white, its largest; one of a single value is grey.

    Args:
        images: float (n, H, W).

    Example:
        >>> maps_png(np.zeros((8, 7, 7)))[1:4]
        b'PNG'
    """
    from PIL import Image

    low = images.min(axis=(1, 2), keepdims=True)
    span = images.max(axis=(1, 2), keepdims=True) - low
    shares = np.where(span > 0, (images - low) / np.where(span > 0, span, 1), 0.5)
    tiles = np.rint(255 * shares).astype(np.uint8)
    height, width = tiles.shape[1:]
    if max(height, width) > TILE:
        size = tuple(max(1, round(side * TILE / max(height, width))) for side in (width, height))
        tiles = np.stack([np.asarray(Image.fromarray(tile).resize(size, Image.Resampling.BOX)) for tile in tiles])
    scale = max(1, TILE // max(tiles.shape[1:]))
    return image_grid(tiles[:, None], columns=ACROSS, scale=scale, gap=2)


def filters_png(weights: np.ndarray) -> bytes:
    """Filters side by side, 0 grey and the largest weight of each filter, or its opposite, white or black.

    Args:
        weights: float (F, C, KH, KW). Of one channel, or of three, which are taken for red, green and blue, each filter is one
            picture; else it is a row, with a picture for each channel.

    Example:
        >>> filters_png(np.zeros((16, 3, 3, 3)))[1:4]
        b'PNG'
    """
    count, depth, height, width = weights.shape
    largest = np.abs(weights).max(axis=(1, 2, 3), keepdims=True)
    pixels = np.rint(127.5 + 127.5 * weights / np.where(largest > 0, largest, 1)).astype(np.uint8)
    whole = depth in (1, 3)
    scale = max(1, (WHOLE if whole else SLICE) // max(height, width))
    if whole:
        return image_grid(pixels, columns=max(1, WIDEST // (width * scale + 2)), scale=scale)
    scale = max(1, min(scale, (WIDEST // depth - 1) // width))
    return image_grid(pixels.reshape(count * depth, 1, height, width), columns=depth, scale=scale, gap=1)


def jpeg(photo: np.ndarray) -> bytes:
    """A photo, uint8 (3, H, W), as a JPEG file."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(photo.transpose(1, 2, 0))).save(out, format="JPEG", quality=QUALITY)
    return out.getvalue()


def framed(photo: np.ndarray, box: Sequence[float], longest: int = LONGEST) -> bytes:
    """An image, uint8 (3, H, W), what lies outside a piece of it paler, as a JPEG file of ``longest`` pixels a side at most.

    Args:
        photo: the image.
        box: left, top, right, bottom of the piece, in its pixels.
        longest: of the file.
    """
    from PIL import Image

    _, height, width = photo.shape
    left, top, right, bottom = (round(edge) for edge in box)
    pale = (photo.astype(np.float32) + 2 * 255) / 3
    pale[:, top:bottom, left:right] = photo[:, top:bottom, left:right]
    image = Image.fromarray(np.rint(pale).astype(np.uint8).transpose(1, 2, 0))
    scale = min(1.0, longest / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return jpeg(np.asarray(image.resize(size, Image.Resampling.BOX)).transpose(2, 0, 1))


__all__: list[Any] = ["Filters", "Maps", "View", "filters_png", "framed", "heated", "jpeg", "maps_png", "seen_page"]
