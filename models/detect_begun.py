"""What a detector's training may begin with: another detector, or a classifier of photos for its backbone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minigrad.errors import ArgumentError
from minigrad.models.classifier import Card as ClassifierCard
from minigrad.models.cnn import SMALL
from minigrad.models.detector import RESIDUAL
from minigrad.models.efficientnet import STEM
from minigrad.models.finder import Card
from minigrad.models.trunk import TRUNKS, has_width

WIDEST = 512  # channels of the first stage
WIDTH = 64  # of a residual network for photos, where its card says nothing


def taught_by(like: Mapping[str, Any], width: int | None, channels: int) -> ClassifierCard:
    """The card of a classifier whose layers become the backbone.

    Args:
        like: its card in a config.
        width, channels: the settings, as the user has chosen them.

    Raises:
        ArgumentError: of such a one they cannot, or a setting does not go with it.
    """
    card = ClassifierCard.of(like, "the model to begin from")
    name = card.network
    if name not in TRUNKS or (has_width(name) and card.options.get("small_images", max(card.shape[1:]) <= SMALL)):
        expected = f"a detector, or a classifier of photos: {', '.join(TRUNKS)}"
        raise ArgumentError("detect", "--init-from", expected, f"{name}, made for images of {card.shape[2]}x{card.shape[1]}")
    own = width_of(card)
    if width not in (None, own):
        raise ArgumentError("--set", "width", f"auto or {own}, as that classifier has", str(width))
    if not 1 <= own <= WIDEST:
        expected = f"a classifier of at most {WIDEST} channels in its first stage"
        raise ArgumentError("detect", "--init-from", expected, str(own))
    if channels != card.shape[0]:
        raise ArgumentError("--set", "channels", f"{card.shape[0]}, as that classifier has", str(channels))
    return card


def width_of(card: ClassifierCard) -> int:
    """Channels of the first stage of a classifier of photos."""
    return card.options.get("width", WIDTH) if has_width(card.network) else STEM


def begun_with(like: Any, width: int | None) -> Card:
    """The card of a detector to begin with.

    Args:
        like: its card in a config, or whatever stands there.
        width: the setting, as the user has chosen it.

    Raises:
        RunError: it is none.
        ArgumentError: it is another kind of detector, or a setting does not go with it.
    """
    if isinstance(like, Mapping) and like.get("network") == "mtcnn":
        expected = f"a detector that minigrad train detect made, or a classifier of photos: {', '.join(TRUNKS)}"
        raise ArgumentError("detect", "--init-from", expected, "mtcnn, a cascade of three networks")
    card = Card.of(like, "the model to begin from")
    wide = card.options["width"]
    if (name := card.options["network"]) != RESIDUAL and not has_width(name) and width not in (None, wide):
        raise ArgumentError("--set", "width", "auto, as that detector's backbone has its own", str(width))
    return card
