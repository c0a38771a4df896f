"""Every setting of ``classify`` at its edges: it trains, or is refused in words; and which leave the numbers as they are."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from minigrad.core.machine import Memory
from minigrad.errors import ArgumentError, DivergedError, MinigradError, OutOfMemoryError
from minigrad.models.classify import RECIPES, Classify, ClassifySettings
from minigrad.models.cnn import NETWORKS
from minigrad.train import Outcome, Run, fit
from tests.shape_images import rows, shapes

TINY = {"epochs": 1, "width": 2, "hidden": 4, "image_size": 8}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    """4 images of each of 3 classes: 9 to train on, one step in a pass."""
    return str(shapes(tmp_path_factory.mktemp("edges") / "shapes", 4, mixed=False))


@pytest.fixture(autouse=True)
def without_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)


def task(data: str, **settings: Any) -> Classify:
    if str(settings.get("network", "cnn")) != "cnn":
        settings = {"hidden": None, **settings}
    if settings.get("network") == "efficientnet-lite0":
        settings = {"width": None, **settings}
    if settings.get("network") == "keras-cnn":
        settings = {"width": None, "image_size": 32, **settings}
    return Classify(data, ClassifySettings.of({**TINY, **settings}))


def train(data: str, folder: Path, **settings: Any) -> Outcome:
    with Run(folder) as run:
        return fit(task(data, **settings), run, say=lambda text: None)


def metrics(data: str, folder: Path, **settings: Any) -> bytes:
    assert train(data, folder, **settings).status == "finished"
    return (folder / "metrics.jsonl").read_bytes()


# ---------------------------------------------------------------------- edges

# For each setting its smallest value, one between, and its largest; and those that are refused, with what is said.
EDGES: dict[str, list[Any]] = {
    "seed": [0, 2**53],
    "log_every": [None, 1, 10**9],
    "save_every": [0, 0.001, 1e300],
    "patience": [0, 1, 10**9],
    "network": list(NETWORKS),
    "width": [None, 1, 3, 64],
    "hidden": [None, 1, 300],
    "dropout": [None, 0, 0.9],
    "image_size": [8, 9, 33, 512],
    "channels": [None, 1, 3],
    "holdout": [None, 0.01, 0.5],
    "epochs": [1, 2, 31],
    "batch_size": [None, 2, 5, 9, 1_000_000],
    "accumulate": [1, 2, 4],
    "optimizer": ["adamw", "sgd"],
    "lr": [None, 0, 1e-30, 1],
    "momentum": [0, 0.999],
    "weight_decay": [None, 0, 1],
    "schedule": ["onecycle", "cosine", "constant"],
    "label_smoothing": [0, 0.9],
    "clip_norm": [0, 1e-30, 1e300],
    "average": [0, 1e-9, 0.9999],
    "crop": [None, 0, 7],
    "flip": [None, True, False],
    "cutout": [0, 1, 512],
    "colour": [0, 1e-9, 1],
    "mixup": [0, 0.001, 10],
    "whiten": [True, False],
    "mirror": [True, False],
    "new_head": [None, True, False],
    "backbone": [None, 0, 0.5, 1],
    "prefetch": [0, 1, 16],
}
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"channels": 2}, "channels: expected one of 1, 3, or auto"),
    ({"crop": 8}, "crop: expected fewer pixels than the image's sides have, at most 7, got 8"),
    ({"mixup": 1e-9}, "mixup: expected 0 for none, or a finite number, 0.001 or more"),
    ({"accumulate": 5}, "accumulate: expected at most 4 parts, so that each of a batch of 9 has two images, got 5."),
    ({"batch_size": 2, "accumulate": 2}, "accumulate: expected at most 1 parts"),
    ({"network": "resnet18", "hidden": 4}, "hidden: expected no value, as network=resnet18 has no such thing, got 4."),
    ({"network": "resnet20", "dropout": 0.1}, "dropout: expected no value, as network=resnet20 has no such thing, got 0.1."),
    ({"network": "efficientnet-lite0", "width": 4}, "width: expected no value, as network=efficientnet-lite0 has no such"),
    ({"width": 1_000_000}, "a network of 63,000,071,000,019 parameters: expected what fits into the"),
    ({"hidden": 1_000_000, "width": 100_000}, "parameters: expected what fits into the"),
    ({"lr": 1e30, "schedule": "constant"}, "expected finite numbers, got "),
]


def test_the_table_has_every_setting() -> None:
    assert EDGES.keys() == {name for name, _, _ in ClassifySettings.table()}


@pytest.mark.parametrize("name", EDGES)
def test_at_its_edges(name: str, data: str, tmp_path: Path) -> None:
    """A whole training with what the loop reads; of the rest, a step and an evaluation."""
    for number, value in enumerate(EDGES[name]):
        if name in ("log_every", "save_every", "patience", "epochs"):
            assert train(data, tmp_path / str(number), **{name: value}).status == "finished"
            continue
        one = task(data, **{name: value})
        assert np.isfinite(float(one.step(next(one.batches())).metrics["loss"]))
        assert one.evaluate(iter).keys() == {"loss", "accuracy"}


def test_where_whiten_and_mirror_arrive(data: str) -> None:
    plain, changed = task(data, width=8), task(data, width=8, whiten=True, mirror=True)
    assert (plain.card.mirror, changed.card.mirror) == (False, True)
    first, whitened = (next(one.descent.module.parameters()).detach().numpy() for one in (plain, changed))
    assert np.array_equal(whitened[:4], -whitened[4:]) and not np.array_equal(first[:4], -first[4:])


def test_beyond_its_edges() -> None:
    """What a field says is its least and its most is held, and one more is refused."""
    import dataclasses

    for field in dataclasses.fields(ClassifySettings):
        for bound, step in (("least", -1), ("most", 1)):
            edge = field.metadata[bound]
            if edge is not None:
                ClassifySettings.of({field.name: edge})
                with pytest.raises(ArgumentError, match=rf"settings: {field.name}: expected "):
                    ClassifySettings.of({field.name: edge + step})


@pytest.mark.parametrize("settings, words", REFUSED, ids=[" ".join(map(str, case[0])) for case in REFUSED])
def test_refused_in_words(settings: dict[str, Any], words: str, data: str, tmp_path: Path) -> None:
    with pytest.raises(MinigradError, match=re.escape(words)):
        train(data, tmp_path, **settings)


TOGETHER: list[dict[str, Any]] = [
    {"mixup": 0.4, "label_smoothing": 0.1},
    {"mixup": 0.4, "accumulate": 4},
    {"accumulate": 4, "average": 0.9, "clip_norm": 1.0},
    {"schedule": "cosine", "optimizer": "sgd", "lr": 0, "momentum": 0},
    {"schedule": "onecycle", "optimizer": "sgd", "momentum": 0},
    {"network": "resnet20", "width": 1, "accumulate": 4},
    {"network": "resnet18", "width": 1, "accumulate": 4},
    {"network": "resnet34", "width": 1, "image_size": 65, "whiten": True},
    {
        "crop": 4,
        "cutout": 8,
        "colour": 0.5,
        "mixup": 0.2,
        "flip": True,
        "label_smoothing": 0.1,
        "average": 0.9,
        "clip_norm": 0.1,
    },
]


@pytest.mark.parametrize("settings", TOGETHER, ids=[" ".join(case) for case in TOGETHER])
def test_together(settings: dict[str, Any], data: str, tmp_path: Path) -> None:
    assert train(data, tmp_path, **settings, epochs=2).status == "finished"


def test_a_single_step(data: str, tmp_path: Path) -> None:
    """A cycle of one step: its rate is a number, and the network moves."""
    for schedule in ("onecycle", "cosine", "constant"):
        one = task(data, schedule=schedule, lr=0.1)
        assert one.total_steps == 1
        before = {name: tensor.clone() for name, tensor in one.weights().items()}
        metrics = one.step(next(one.batches())).metrics
        assert 0 < float(metrics["lr"]) <= 0.1
        assert any(not np.array_equal(before[name].numpy(), tensor.numpy()) for name, tensor in one.weights().items())


def test_a_batch_larger_than_the_data_is_the_data(data: str) -> None:
    one = task(data, batch_size=1_000_000, epochs=3)
    assert (one.steps_per_epoch, one.total_steps) == (1, 3)
    batch = next(one.batches())
    assert sorted(batch[2].tolist()) == list(range(9))


def test_what_is_left_over_is_learned_from_in_another_pass(data: str) -> None:
    """9 images in batches of 5: one a pass, and after some passes every image was in one."""
    one = task(data, batch_size=5, epochs=12)
    assert one.steps_per_epoch == 1
    batches = one.batches()
    seen: set[int] = set()
    for _ in range(12):
        numbers = next(batches)[2].tolist()
        assert len(set(numbers)) == 5
        seen |= set(numbers)
    assert seen == set(range(9))


def test_colour_images_as_grey_and_grey_ones_as_colour(data: str, tmp_path: Path) -> None:
    assert task(data, channels=1).card.shape == (1, 8, 8)
    for name in ("a", "b"):
        (tmp_path / "grey" / name).mkdir(parents=True)
        for number in range(4):
            pixels = np.random.default_rng(number + 10 * (name == "a")).integers(0, 256, (9, 9), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "grey" / name / f"{number}.png")
    assert task(str(tmp_path / "grey")).card.shape == (1, 8, 8)
    assert task(str(tmp_path / "grey"), channels=3).card.shape == (3, 8, 8)


def test_too_little_memory_is_told_before_it_is_taken(data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> Memory:
        raise OSError("the system does not say")

    for found in (Memory(100_000, None, None), Memory(10**12, None, 100_000)):
        monkeypatch.setattr("minigrad.models.cost.memory", lambda found=found: found)
        with pytest.raises(OutOfMemoryError, match=r"a step with 9 images at once: expected what fits into the 0\.0 GB"):
            task(data, image_size=64)
        task(data)
    monkeypatch.setattr("minigrad.models.cost.memory", unknown)
    task(data, image_size=64)


def test_a_recipe_is_only_a_beginning(monkeypatch: pytest.MonkeyPatch, data: str) -> None:
    """What the user sets goes before what is known of a set, and that before what would be found."""
    monkeypatch.setitem(RECIPES, data, {"batch_size": 3, "lr": 0.5})
    one = task(data, lr=0.25)
    assert (one.settings.batch_size, one.settings.lr) == (3, 0.25)


def test_the_recipes_are_settings() -> None:
    for recipe in RECIPES.values():
        ClassifySettings.of(recipe)


# ---------------------------------------------------------------------- the same numbers

BUSY = {"epochs": 3, "batch_size": 3, "crop": 2, "flip": True, "cutout": 3, "colour": 0.3, "dropout": 0.5, "log_every": 1}


def test_threads_change_nothing(data: str, tmp_path: Path) -> None:
    found = {metrics(data, tmp_path / str(threads), prefetch=threads, mixup=0.3, **BUSY) for threads in (0, 1, 4)}
    assert len(found) == 1


def test_the_seed_changes_something_and_again_nothing(data: str, tmp_path: Path) -> None:
    first, again, other = (metrics(data, tmp_path / name, seed=seed, **BUSY) for name, seed in (("a", 0), ("b", 0), ("c", 1)))
    assert first == again != other


def test_parts_of_a_batch_give_the_same_gradient(data: str, tmp_path: Path) -> None:
    """Without what differs by design, batch norm, one part or two are equal but for rounding."""
    found = []
    for count in (1, 2, 4):
        one = task(data, accumulate=count, dropout=0, optimizer="sgd", momentum=0, schedule="constant", lr=0.1)
        for module in one.descent.module.modules():
            if type(module).__name__ == "BatchNorm2d":
                module.train = lambda mode=True, module=module: module  # type: ignore[method-assign, misc]
                module.training = False
        one.step(next(one.batches()))
        found.append(np.concatenate([tensor.numpy().ravel() for tensor in one.weights().values()]))
    assert np.abs(found[0] - found[1]).max() < 1e-6
    assert np.abs(found[0] - found[2]).max() < 1e-6


RESUMED: dict[str, dict[str, Any]] = {
    "dropout and mix-up": {**BUSY, "mixup": 0.4, "label_smoothing": 0.1},
    "an average": {**BUSY, "average": 0.9},
    "parts, clipped": {**BUSY, "accumulate": 1, "clip_norm": 0.5, "optimizer": "sgd", "schedule": "cosine"},
    "threads": {**BUSY, "prefetch": 4, "mixup": 0.2},
    "no threads": {**BUSY, "prefetch": 0},
    "residual": {**{k: v for k, v in BUSY.items() if k != "dropout"}, "network": "resnet20", "average": 0.5},
    "an early stop": {**BUSY, "epochs": 8, "patience": 2, "lr": 0},
}


class Died(BaseException):
    """Stands for a death of the process."""


@pytest.mark.parametrize("case", RESUMED)
def test_resumed_it_is_the_same(case: str, data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken off after 1, 4 and 7 steps, with a checkpoint after each; metrics and weights are those of a whole run."""
    settings = {**RESUMED[case], "save_every": 0}
    whole = train(data, tmp_path / "whole", **settings)
    step = Classify.step
    for life in (1, 3, 3):
        left = [life]

        def mortal(self: Classify, batch: Any, left: list[int] = left) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise Died
            return step(self, batch)

        with monkeypatch.context() as patched, pytest.raises(Died):
            patched.setattr(Classify, "step", mortal)
            train(data, tmp_path / "run", **settings)
    assert train(data, tmp_path / "run", **settings) == whole
    for name in ("metrics.jsonl", "model.safetensors"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert len(rows(tmp_path / "run")) > 6


def test_divergence_names_the_images(data: str, tmp_path: Path) -> None:
    with pytest.raises(DivergedError) as caught:
        train(data, tmp_path, lr=1e20, schedule="constant", epochs=30, batch_size=3, optimizer="sgd")
    assert "Lower the learning rate" in str(caught.value)
    assert task(data).describe(np.array([0, 8])).startswith("2 images: circle/")
