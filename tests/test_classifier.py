"""A trained classifier apart from its training: what it says, how that is judged, and what makes it."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad
from minigrad import nn
from minigrad.data import LabelledImages
from minigrad.data.unseen import open_labelled
from minigrad.errors import ArgumentError, DataError, RunError
from minigrad.models.classifier import BATCH, Card, Classifier, Judgement, statistics
from minigrad.models.classify import labelled
from minigrad.models.cost import activations, multiplications
from tests.image_files import folder as image_folder
from tests.image_files import noise, save
from tests.shape_images import COLOUR, LIVELY, lively, made_run


def images(count: int, shape: tuple[int, int, int] = (3, 8, 8), classes: int = 3) -> LabelledImages:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (count, *shape), np.uint8)
    return LabelledImages(pixels, np.arange(count) % classes, [f"class {i}" for i in range(classes)])


@pytest.fixture
def classifier() -> Classifier:
    network = LIVELY.build()
    network.load_state_dict(lively())
    return Classifier(LIVELY, network)


# ---------------------------------------------------------------------- judgement


def judged(labels: list[int], answers: list[int], sure: list[float] | None = None, classes: int = 3) -> Judgement:
    """A judgement with these answers, each with its share."""
    shares = np.array(sure or [0.9] * len(answers))
    probabilities = np.repeat(((1 - shares) / (classes - 1))[:, None], classes, axis=1)
    probabilities[np.arange(len(answers)), answers] = shares
    return Judgement([f"class {i}" for i in range(classes)], np.array(labels, np.int64), probabilities, 0.5)


def test_by_hand() -> None:
    """Worked out on paper: of class 0 two of three, of class 1 one of two, of class 2 none of one."""
    one = judged([0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 0, 0])
    assert one.answers.tolist() == [0, 0, 1, 1, 0, 0]
    assert one.accuracy == 0.5
    assert one.counts.tolist() == [[2, 1, 0], [1, 1, 0], [1, 0, 0]]
    assert one.per_class() == [
        ("class 0", 3, 2 / 4, 2 / 3, pytest.approx(4 / 7)),
        ("class 1", 2, 1 / 2, 1 / 2, pytest.approx(1 / 2)),
        ("class 2", 1, 0.0, 0.0, 0.0),
    ]


def test_a_class_without_images_and_without_answers() -> None:
    one = judged([0, 0], [0, 0])
    assert one.per_class() == [("class 0", 2, 1.0, 1.0, 1.0), ("class 1", 0, 0.0, 0.0, 0.0), ("class 2", 0, 0.0, 0.0, 0.0)]
    assert one.counts.shape == (3, 3)


def test_the_surest_mistakes_first() -> None:
    one = judged([0, 0, 0, 0, 0], [0, 1, 2, 1, 1], sure=[0.99, 0.6, 0.9, 0.7, 0.9])
    assert one.hardest().tolist() == [2, 4, 3, 1]  # of equally sure ones the first
    assert one.hardest(2).tolist() == [2, 4]
    assert judged([0, 1], [0, 1]).hardest().tolist() == []


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60))
@settings(deadline=None, max_examples=50)
def test_figures_agree_with_slow_counts(pairs: list[tuple[int, int]]) -> None:
    labels, answers = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    one = judged(labels, answers, classes=4)
    assert one.accuracy == pytest.approx(sum(a == b for a, b in pairs) / len(pairs))
    assert [[pairs.count((i, j)) for j in range(4)] for i in range(4)] == one.counts.tolist()
    for i, (_, number, precision, recall, f1) in enumerate(one.per_class()):
        right = pairs.count((i, i))
        assert number == labels.count(i)
        assert precision == (right / answers.count(i) if i in answers else 0)
        assert recall == (right / labels.count(i) if i in labels else 0)
        assert f1 == pytest.approx(2 * right / (labels.count(i) + answers.count(i)) if i in labels + answers else 0)


# ---------------------------------------------------------------------- the classifier


def test_probabilities(classifier: Classifier) -> None:
    found = classifier(images(5).pixels(range(5)))
    assert found.shape == (5, 3)
    assert np.allclose(found.sum(axis=1), 1, atol=1e-6)
    assert (found >= 0).all()


def test_what_it_says_does_not_depend_on_company(classifier: Classifier) -> None:
    """Nor on how often it was asked: nothing is learned, and dropout and batch norm are at rest."""
    pixels = images(BATCH + 9).pixels(range(BATCH + 9))
    together = classifier(pixels)
    alone = np.concatenate([classifier(pixels[i : i + 1]) for i in (0, 7, BATCH, BATCH + 8)])
    assert np.abs(together[[0, 7, BATCH, BATCH + 8]] - alone).max() < 1e-6
    assert np.array_equal(together, classifier(pixels))


def test_it_is_left_as_it_was(classifier: Classifier) -> None:
    before = {name: tensor.clone() for name, tensor in classifier.network.state_dict().items()}
    for training in (True, False):
        classifier.network.train(training)
        classifier(images(2).pixels(range(2)))
        classifier.judge(images(4))
        assert classifier.network.training is training
    assert all(np.array_equal(before[name].numpy(), t.numpy()) for name, t in classifier.network.state_dict().items())


def test_the_loss_is_the_mean_over_all(classifier: Classifier) -> None:
    """-log of what was given to the truth, also where the last batch is smaller."""
    some = images(BATCH + 5)
    judgement = classifier.judge(some)
    given_to_truth = judgement.probabilities[np.arange(len(some)), some.labels].astype(np.float64)
    assert judgement.loss == pytest.approx(-np.log(given_to_truth).mean(), rel=1e-5)
    assert np.array_equal(judgement.probabilities, classifier(some.pixels(range(len(some)))))


def test_an_image_and_its_mirror_image_together(classifier: Classifier) -> None:
    """The mean of what is said of the two, so that which of them is given is no matter; the loss is of that mean."""
    some = images(7)
    pixels = some.pixels(range(7))
    turned = np.ascontiguousarray(pixels[..., ::-1])
    both = Classifier(LIVELY._replace(mirror=True), classifier.network)
    product = classifier(pixels).astype(np.float64) * classifier(turned)
    expected = np.sqrt(product) / np.sqrt(product).sum(axis=1, keepdims=True)
    assert np.abs(classifier(pixels) - classifier(turned)).max() > 1e-3
    assert np.allclose(both(pixels), expected, atol=1e-5)
    assert np.allclose(both(turned), expected, atol=1e-5)
    judgement = both.judge(some)
    assert judgement.loss == pytest.approx(-np.log(expected[np.arange(7), some.labels]).mean(), rel=1e-4)


def test_large_images_are_judged_few_at_once() -> None:
    for side, at_once in ((32, 256), (128, 256), (256, 64), (512, 16), (4096, 1)):
        card = COLOUR._replace(shape=(3, side, side))
        loader = Classifier(card, nn.Linear(1, 1)).batches(images(300, (3, 4, 4)))
        assert loader.batch_size == at_once


# ---------------------------------------------------------------------- the card


def test_a_card_comes_back(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", COLOUR)
    loaded = Classifier.load(str(run))
    assert loaded.card == COLOUR
    minigrad.manual_seed(0)
    again = Classifier(COLOUR, COLOUR.build())
    pixels = images(3).pixels(range(3))
    assert np.allclose(loaded(pixels), again(pixels), atol=1e-6)  # its batch norms are folded
    assert np.array_equal(Classifier.load(str(run), whole=True)(pixels), again(pixels))


GOOD: dict[str, Any] = {
    "network": "cnn", "options": {"width": 2}, "shape": [1, 8, 8], "classes": ["a", "b"], "mean": [0.5], "std": [0.1]
}  # fmt: skip
BAD: list[dict[str, Any]] = [
    *({"shape": shape} for shape in ([1, 8], [1, 8, 8, 8], "188", None, [1, 8, 0], [2, 8, 8], [1, 8.0, 8], [1, 5000, 8])),
    *({"classes": classes} for classes in ([], ["a"], "ab", ["a", 3], None, ["a", None])),
    *({"mean": mean} for mean in ([], [0.5, 0.5], 0.5, [math.nan], [math.inf], ["0.5"], [None], None)),
    *({"std": std} for std in ([0.0], [-1.0], [math.nan], [10**400], [1, 1])),
    *({"options": options} for options in (None, 5, "width", {"width": "2"}, {"width": math.nan}, {"width": [2]})),
    *({"network": network} for network in (None, 5, ["cnn"])),
    *({"mirror": mirror} for mirror in (None, 1, "true")),
]  # fmt: skip


def test_a_sound_card() -> None:
    assert Card.of(GOOD, "here") == Card("cnn", {"width": 2}, (1, 8, 8), ("a", "b"), (0.5,), (0.1,))


@pytest.mark.parametrize("change", BAD, ids=lambda change: str(change)[:40])
def test_a_card_that_is_none(change: dict[str, Any]) -> None:
    with pytest.raises(RunError, match=re.escape("here: expected what the network is")):
        Card.of({**GOOD, **change}, "here")


@pytest.mark.parametrize("content", [None, 5, "text", [], {}, [GOOD], {"network": "cnn"}])
def test_no_card_at_all(content: Any) -> None:
    with pytest.raises(RunError, match="expected what the network is"):
        Card.of(content, "here")


# ---------------------------------------------------------------------- what is found from data and network


def test_statistics_of_some_are_those_of_all() -> None:
    """Two channels of known mean and deviation; and with more images than are looked at, evenly taken."""
    few = images(400, (3, 6, 5))
    pixels = few.pixels(range(400)) / 255.0
    mean, std = statistics(few)
    assert mean == pytest.approx(pixels.mean(axis=(0, 2, 3)), abs=1e-6)
    assert std == pytest.approx(pixels.std(axis=(0, 2, 3)), abs=1e-6)


def test_statistics_of_sorted_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """As data sets often are: the first ones alone would mislead."""
    monkeypatch.setattr("minigrad.models.classifier.MEASURED", 10)
    pixels = np.repeat(np.array([0, 255], np.uint8), 50)[:, None, None, None].repeat(4, axis=2).repeat(4, axis=3)
    assert statistics(LabelledImages(pixels, [0] * 100, ["all"])) == ((0.5,), (0.5,))


def test_images_of_one_colour_have_a_deviation() -> None:
    mean, std = statistics(LabelledImages(np.full((4, 1, 2, 2), 51, np.uint8), [0] * 4, ["all"]))
    assert mean == (0.2,)
    assert std == (round(1 / 255, 6),)


def test_multiplications_and_activations_by_hand() -> None:
    """Two convolutions, one of half the size, and a linear layer."""
    net = nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1, bias=False), nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 5, 2, stride=2), nn.Flatten(),
        nn.Dropout(0.5), nn.Linear(5 * 4 * 4, 7),
    )  # fmt: skip
    assert multiplications(net, (1, 8, 8)) == 9 * 3 * 64 + 3 * 5 * 4 * 16 + 80 * 7
    assert activations(net, (1, 8, 8)) == 3 * (3 * 64) + 5 * 16 + 7
    assert net.training
    assert activations(net, (1, 8, 8)) == 3 * (3 * 64) + 5 * 16 + 7  # what the first count put there is gone


# ---------------------------------------------------------------------- unseen images


CLASSES = ("bird", "cat", "dog")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_labels_are_the_classifiers(here: Path) -> None:
    image_folder(here / "data", {"dog": 2, "bird": 1})
    found = open_labelled("data", (3, 5, 6), CLASSES)
    assert found.classes == CLASSES
    assert found.labels.tolist() == [0, 2, 2]
    assert list(found.names) == ["bird/0.png", "dog/0.png", "dog/1.png"]
    assert found.shape == (3, 5, 6)


def test_images_are_read_as_a_photo_is(here: Path) -> None:
    from minigrad.data import read_image

    image_folder(here / "data", {"cat": 3})
    for shape in ((1, 7, 7), (3, 20, 9)):
        found = open_labelled("data", shape, CLASSES)
        for i, name in enumerate(found.names):
            assert np.array_equal(found.pixels([i])[0], read_image(f"data/{name}", shape))


def test_a_network_that_was_trained_elsewhere_is_measured_on_the_piece_that_it_looks_at(here: Path) -> None:
    from minigrad.data import read_image

    image_folder(here / "data", {"cat": 2, "dog": 1})
    model = {"network": "cnn", "options": {}, "shape": [3, 9, 9], "classes": list(CLASSES), "mean": [0.5] * 3, "std": [1.0] * 3}
    found, what = labelled({"task": "classify", "model": {**model, "crop": 0.5}}, "data")
    assert (what, found.labels.tolist()) == ("data", [1, 1, 2])
    for i, name in enumerate(found.names):
        assert np.array_equal(found.pixels([i])[0], read_image(f"data/{name}", (3, 9, 9), crop=0.5))
        assert not np.array_equal(found.pixels([i])[0], read_image(f"data/{name}", (3, 9, 9)))
    for begun in ({}, {"data": "my photos", "data_digest": "", "settings": {}}):
        with pytest.raises(ArgumentError, match="as those that it was trained on are not here, got none"):
            labelled({"task": "classify", "model": model, **begun}, None)


def test_the_test_part_goes_before_all(here: Path) -> None:
    image_folder(here / "data", {"train/cat": 3, "val/cat": 2, "test/cat": 1, "train/dog": 3})
    assert len(open_labelled("data", (1, 4, 4), CLASSES)) == 1
    for file in (here / "data/test/cat").iterdir():
        file.unlink()
    assert len(open_labelled("data", (1, 4, 4), CLASSES)) == 8


def test_an_empty_folder_of_a_class_is_no_matter(here: Path) -> None:
    image_folder(here / "data", {"cat": 1, "fish": 0})
    assert open_labelled("data", (1, 4, 4), CLASSES).labels.tolist() == [1]


def test_names_in_another_spelling(here: Path) -> None:
    """A letter with its accent is one letter or two, as the file system has it."""
    image_folder(here / "data", {"e\u0301te\u0301": 1})
    assert open_labelled("data", (1, 4, 4), ("hiver", "\u00e9t\u00e9")).labels.tolist() == [1]


@pytest.mark.parametrize(
    "counts, words",
    [
        ({"cat": 1, "fish": 1}, "expected the classifier's classes, bird, cat, dog, or some of them, got fish too."),
        ({"fish": 1, "frog": 1}, "got fish, frog. Take the others out."),
        ({"Cats": 1, "dog": 1}, "got Cats too. Is Cats what it knows as cat? Then give it that name."),
        ({"cat": 0}, "got one without images. Put images into the folders of their classes."),
        ({}, "expected a folder with one sub-folder of images for each class"),
    ],
)
def test_what_is_refused(counts: dict[str, int], words: str, here: Path) -> None:
    os.mkdir("data")
    image_folder(here / "data", counts)
    with pytest.raises(DataError, match=re.escape(words)):
        open_labelled("data", (1, 4, 4), CLASSES)


def test_damaged_files_are_named(here: Path) -> None:
    save(here / "data/cat/whole.png", noise())
    (here / "data/cat/cut.png").write_bytes((here / "data/cat/whole.png").read_bytes()[:60])
    with pytest.raises(DataError, match=r"cat/cut\.png: .*`minigrad data check classify data --fix`"):
        open_labelled("data", (1, 4, 4), CLASSES)


def test_more_than_memory_holds_is_read_when_asked_for(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image_folder(here / "data", {"cat": 2, "dog": 2})
    kept = open_labelled("data", (3, 6, 6), CLASSES)
    monkeypatch.setattr("minigrad.data.unseen.IN_MEMORY", 10)
    asked = open_labelled("data", (3, 6, 6), CLASSES)
    assert type(asked._pixels).__name__ == "FilePixels"
    assert np.array_equal(kept.pixels(range(4)), asked.pixels(range(4)))


def test_a_published_set(here: Path) -> None:
    """Its test part, under the names of its classes; a classifier that knows no digits is told so."""
    found = open_labelled("mnist5k", (3, 10, 10), [str(digit) for digit in range(9, -1, -1)])
    assert (len(found), found.shape) == (1000, (3, 10, 10))
    assert np.bincount(found.labels).tolist() == [100] * 10
    plain = open_labelled("mnist5k", (1, 28, 28), [str(digit) for digit in range(10)])
    assert np.array_equal(9 - found.labels, plain.labels)
    with pytest.raises(DataError, match=r"got 0, 1, 2, 3, 4 and 5 more\."):
        open_labelled("mnist5k", (1, 28, 28), CLASSES)
