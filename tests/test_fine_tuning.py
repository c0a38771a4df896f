"""A classifier that begins with another's weights: with a new last layer, and all other layers frozen or slower."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad.errors import ArgumentError
from minigrad.models.classifier import Card
from minigrad.models.classify import Classify, ClassifySettings, last_linear
from minigrad.models.cnn import NETWORKS, build, options_of
from tests.shape_images import shapes

SMALL = {"epochs": 5, "width": 2, "hidden": 4, "image_size": 8, "dropout": 0.0}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    """4 images of each of circle, cross and square."""
    return str(shapes(tmp_path_factory.mktemp("fine") / "shapes", 4, mixed=False))


def begun(data: str, classes: tuple[str, ...], **settings: Any) -> tuple[Classify, dict[str, Any]]:
    """A task that begins with a network of other classes, and the weights of that."""
    card = Card("cnn", {"width": 2, "hidden": 4, "dropout": 0.0}, (3, 8, 8), classes, (0.5,) * 3, (0.25,) * 3)
    minigrad.manual_seed(7)
    theirs = dict(card.build().state_dict())
    like = {**card._asdict(), **{name: list(getattr(card, name)) for name in ("shape", "classes", "mean", "std")}}
    task = Classify(data, ClassifySettings.of({**SMALL, **settings}), like=like)
    task.begin_from(theirs)
    return task, theirs


def changed(task: Classify, theirs: dict[str, Any]) -> set[str]:
    """The names of the weights, and of running means, that are others."""
    own = task.descent.module.state_dict()
    return {name for name in own if own[name].shape != theirs[name].shape or not (own[name] == theirs[name]).all()}


HEAD = {"classifier.5.weight", "classifier.5.bias"}


@pytest.mark.parametrize(
    ("classes", "settings", "new", "share"),
    [
        (("circle", "cross", "square"), {}, False, 1.0),
        (("cat", "dog"), {}, True, 0.1),
        (("cat", "cow", "dog"), {}, True, 0.1),
        (("cat", "dog"), {"backbone": 0}, True, 0),
        (("circle", "cross", "square"), {"new_head": True, "backbone": 0.5}, True, 0.5),
        (("cat", "cow", "dog"), {"new_head": False}, False, 1.0),
    ],
)
def test_what_is_taken_and_what_learns(
    data: str, classes: tuple[str, ...], settings: dict[str, Any], new: bool, share: float
) -> None:
    task, theirs = begun(data, classes, **settings)
    assert (task.settings.new_head, task.settings.backbone) == (new, share)
    assert changed(task, theirs) == (HEAD if new else set())
    rates = [group["initial_lr"] for group in task.descent.optimizer.param_groups]
    least = [group["lr"] for group in task.descent.optimizer.param_groups]
    assert len(rates) == (2 if 0 < share < 1 else 1)
    if 0 < share < 1:
        assert np.isclose(rates[1], share * rates[0]) and np.isclose(least[1], share * least[0])
    before = {name: value.clone() for name, value in task.descent.module.state_dict().items()}
    for batch, _ in zip(task.batches(), range(3)):
        task.step(batch)
    moved = changed(task, before)
    assert moved >= HEAD
    assert moved == HEAD if share == 0 else moved > HEAD
    assert ("features.1.running_mean" in moved) is (share > 0)
    again = Classify.of({**task.config(), "init_from": {}})
    assert (again.settings, again.card) == (task.settings, task.card)


def test_weights_of_another_network_are_refused_whole(data: str, tmp_path: Path) -> None:
    from minigrad.errors import StateError

    task, theirs = begun(data, ("cat", "dog"))
    before = {name: value.clone() for name, value in task.descent.module.state_dict().items()}
    with pytest.raises(StateError, match="missing: features"):
        task.begin_from({name: value for name, value in theirs.items() if not name.startswith("features.0")})
    assert not changed(task, before)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_last_layer_of_each_network(name: str) -> None:
    options = {"width": 2} if "width" in options_of(name) else {}
    network = build(name, (3, 32, 32), 7, **options)
    layer = dict(network.named_modules())[last_linear(network)]
    assert layer.out_features == 7


def test_a_network_for_large_images_begins_with_its_first_layer_at_any_size(data: str) -> None:
    """Smaller images do not make another network of it, whose weights would be none."""
    card = Card("resnet18", {"width": 2, "small_images": False}, (3, 96, 96), ("cat", "dog"), (0.5,) * 3, (0.25,) * 3)
    like = {**card._asdict(), **{name: list(getattr(card, name)) for name in ("shape", "classes", "mean", "std")}}
    task = Classify(data, ClassifySettings.of({"network": "resnet18", "width": 2, "epochs": 1, "image_size": 32}), like=like)
    theirs = dict(card.build().state_dict())
    task.begin_from(theirs)
    assert changed(task, theirs) == {"fc.weight", "fc.bias"}
    assert Classify.of({**task.config(), "init_from": {}}).card == task.card


def test_a_first_convolution_that_has_learned_is_not_begun_anew(data: str) -> None:
    with pytest.raises(ArgumentError, match=re.escape("whiten: expected false with --init-from")):
        begun(data, ("circle", "cross", "square"), whiten=True)
