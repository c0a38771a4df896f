"""An image as a classifier sees it: its classes, where it sees them, what each layer makes of it, and the filters."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from minigrad import nn
from minigrad.data import LabelledImages
from minigrad.data.decode import piece, read_image
from minigrad.errors import ArgumentError
from minigrad.models.classifier import Classifier
from minigrad.models.gradcam import Layer, Record, enlarged, grad_cam, record
from minigrad.show.seen import Filters, Maps, View

TOP = 5  # likeliest classes
CHANNELS = 8  # of each layer, at most
FINE = 448  # pixels a side of the photo that is shown: as many times those of the network as come next to it
WORD = r"\w+"
NEAR, CLOSE = 3, 0.8  # names that are offered in the place of a wrong one; how much a word has of what was meant, at least
PARTS = 1024  # of a convolution's weights, at most, that can be looked at


class Sight(NamedTuple):
    """A class, where it is seen, and how sure the network is of it.

    Attributes:
        label: the class.
        probability: of it.
        map: float64 (h, w) over the piece of the image that was looked at, none below 0, in the unit of logits.
    """

    label: str
    probability: float
    map: np.ndarray


class Explained(NamedTuple):
    """What was found.

    Attributes:
        image: uint8 (3, H, W), the whole image, as it is.
        box: left, top, right, bottom of the piece that was looked at, in its pixels.
        photo: uint8 (3, H, W), that piece, finer than the network has it.
        fed: uint8 (C, H, W), what the network was given.
        top: the likeliest classes, with their probabilities.
        sights: of each class that was asked for, where it is seen; none where the network has no map.
        layer: whose maps were weighted for that; where there are none, why.
        maps: what each layer made of it.
        filters: weights that can be looked at, and
        passed_over: the names of convolutions whose weights cannot.
    """

    image: np.ndarray
    box: tuple[float, float, float, float]
    photo: np.ndarray
    fed: np.ndarray
    top: list[tuple[str, float]]
    sights: list[Sight]
    layer: str
    maps: list[Maps]
    filters: list[Filters]
    passed_over: list[str]

    def views(self) -> list[View]:
        """The sights in the size of the photo, from 0 to 1."""
        return [View(one.label, one.probability, enlarged(one.map, self.photo.shape[1:])) for one in self.sights]


def explain(classifier: Classifier, path: Any, classes: Sequence[str] = ()) -> Explained:
    """Look at an image as a classifier sees it.

    Args:
        classifier: of any network.
        path: an image file, or what else ``read_image`` takes.
        classes: those to be looked for; by default the likeliest.

    Raises:
        ArgumentError: no such class.
        DataError: the image cannot be read.

    Example:
        >>> from minigrad.models.classifier import Card
        >>> card = Card("cnn", {"width": 4, "hidden": 8}, (1, 8, 8), ("cat", "dog"), (0.5,), (0.25,))
        >>> from minigrad.show.pictures import image_png
        >>> found = explain(Classifier(card, card.build()), image_png(np.zeros((1, 8, 12), np.uint8)))
        >>> found.box, [one.map.shape for one in found.sights], [layer.shape for layer in found.maps][:2]
        ((2.0, 0.0, 10.0, 8.0), [(4, 4), (4, 4)], [(4, 8, 8), (4, 8, 8)])
    """
    card = classifier.card
    wanted = [number_of(card.classes, name) for name in classes]
    image = read_image(path)
    fed = classifier.read(path)
    _, height, width = card.shape
    finer = max(1, round(FINE / max(height, width)))
    photo = read_image(path, (3, finer * height, finer * width), crop=card.crop)
    box = piece((image.shape[2], image.shape[1]), (width, height), card.crop)
    ((x, *_),) = classifier.batches(LabelledImages(fed[None], np.zeros(1, np.int64), card.classes))
    seen = record(classifier.network, x)
    (probabilities,) = classifier(fed[None])
    likeliest = (-probabilities).argsort(kind="stable")[:TOP]
    sights, layer = _sights(classifier, seen, wanted or likeliest.tolist(), probabilities)
    filters, passed_over = weights(classifier.network)
    return Explained(
        image, box, photo, fed, [(card.classes[i], float(probabilities[i])) for i in likeliest], sights, layer,
        [_maps(each) for each in seen.layers], filters, passed_over,
    )  # fmt: skip


def number_of(classes: Sequence[str], name: str) -> int:
    """The number of a class, by its name, of which capital letters do not matter.

    Raises:
        ArgumentError: there is none.

    Example:
        >>> number_of(["tabby cat", "espresso"], "Espresso")
        1
    """
    if name in classes:
        return list(classes).index(name)
    folded = {each.casefold(): place for place, each in reversed(list(enumerate(classes)))}
    if name.casefold() in folded:
        return folded[name.casefold()]
    near = [classes[folded[each]] for each in _alike(name.casefold(), list(folded))[:NEAR]]
    remedy = f"Did you mean {' or '.join(map(repr, near))}?" if near else f"Some: {', '.join(classes[:TOP])}"
    raise ArgumentError("explain", "--class", f"one of the {len(classes):,} classes of the model", repr(name), remedy)


def _alike(given: str, names: Sequence[str]) -> list[str]:
    """Names that have what is given as a word, or else in a word, then those that have it but for a typing error; short ones
    first. Letters alone tell little: a castle is no cat.

    Example:
        >>> _alike("cat", ["castle", "catamaran", "siamese cat"]), _alike("retriver", ["golden retriever", "driver"])
        (['siamese cat', 'catamaran'], ['golden retriever'])
    """
    ranks: dict[str, float] = {}
    said = f" {' '.join(re.findall(WORD, given))} "
    for name in names:
        words = re.findall(WORD, name)
        close = difflib.get_close_matches(given, [name, *words], 1, CLOSE)
        if given in words or f" {given} " in f" {name} ":
            ranks[name] = 0
        elif any(word.startswith(given) or word.endswith(given) for word in words):
            ranks[name] = 1
        elif given in name or f" {' '.join(words)} " in said:
            ranks[name] = 2
        elif close:
            ranks[name] = 4 - difflib.SequenceMatcher(None, given, close[0]).ratio()
    return sorted(ranks, key=lambda name: (ranks[name], len(name)))


def _sights(classifier: Classifier, seen: Record, wanted: Sequence[int], probabilities: np.ndarray) -> tuple[list[Sight], str]:
    found, names = [], classifier.card.classes
    layer = ""
    for number in wanted:
        try:
            cam = grad_cam(seen, [number])
        except ArgumentError as error:
            return [], f"It has no {error.expected.removeprefix('a ')}. {error.remedy}."
        found.append(Sight(names[number], float(probabilities[number]), cam.maps[0]))
        layer = cam.layer.name
    return found, layer


def _maps(layer: Layer) -> Maps:
    """Those channels of a layer that vary most over the image, by their standard deviation."""
    values = layer.output.detach().cpu().numpy()[0].astype(np.float64)
    chosen = (-values.std(axis=(1, 2))).argsort(kind="stable")[:CHANNELS]
    return Maps(layer.name, ", ".join(layer.kinds), values.shape, chosen.tolist(), values[chosen])


def weights(network: nn.Module) -> tuple[list[Filters], list[str]]:
    """The filters of the first convolution, and of others that have more than one place and not too many parts.

    Returns:
        them, and the names of the other convolutions.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 8, 1))
        >>> filters, others = weights(net)
        >>> [(one.name, one.weights.shape) for one in filters], others
        ([('0', (8, 3, 3, 3)), ('1', (8, 1, 3, 3))], ['2'])
    """
    found: list[Filters] = []
    others: list[str] = []
    for name, module in network.named_modules():
        if not isinstance(module, nn.Conv2d):
            continue
        values = module.weight.detach().cpu().numpy().astype(np.float64)
        count, depth, *size = values.shape
        if not found or (math.prod(size) > 1 and count * depth <= PARTS):
            found.append(Filters(name, values))
        else:
            others.append(name)
    return found, others


__all__ = ["Explained", "Sight", "explain", "number_of", "weights"]
