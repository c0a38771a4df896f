"""The models that come with minigrad: which there are, what their cards tell, and that they do what they are there for."""

from __future__ import annotations

import re

import numpy as np
import pytest

from minigrad.cli.demo_handwriting import TEXT
from minigrad.cli.demo_translate import SENTENCES
from minigrad.data.sources import dataset, get
from minigrad.models.classifier import Classifier
from minigrad.models.imaginer import Imaginer
from minigrad.models.scribe import Scribe
from minigrad.models.translator import Translator
from minigrad.models.writer import Writer
from minigrad.train.ship import LARGEST, command
from minigrad.train.trained import Trained, shipped

TASKS = {
    "cifar10-resnet20": "classify", "en-es": "translate", "fashion-gan": "gan", "hershey-hand": "handwriting",
    "shakespeare-lstm": "text",
}  # fmt: skip
FIGURES = {"cifar10-resnet20": "test/loss", "fashion-gan": "val/frechet"}  # where it is not the loss of what was held out
COMMON = re.findall(
    r"\w+",
    "the and i to of a you my that in is not for with me it be this your his he but as have thou him so will what her thy all "
    "by no do shall if are we thee our on good now lord from come sir or which they would here more well at was she am there "
    "how then love let their o man like when than one them an hath us go were say upon may make did must see yet should know "
    "out some such where give who why can time never had too speak these tell take most up much think",
)  # of Shakespeare's words those that come most: about half of his text


def test_which_there_are() -> None:
    assert {name: Trained.open(name).config()["task"] for name in shipped()} == TASKS


@pytest.mark.parametrize("name", TASKS)
def test_a_card_tells_how_the_model_was_made(name: str) -> None:
    model = Trained.open(name)
    assert model.path.stat().st_size <= LARGEST
    assert model.card is not None and model.card["command"] == command(model.config())
    assert model.card["command"].startswith(f"minigrad train {TASKS[name]} --data ")
    assert re.fullmatch(r"[0-9a-f]{64}", model.card["data_digest"]) and model.card["licence"]
    assert 0 < abs(model.card["figure"][FIGURES.get(name, "val/loss")]) < 10


def test_the_writer_writes_plays() -> None:
    """Names in capitals before lines, lines of a length that lines have, and words that there are."""
    writer = Writer.load("shakespeare-lstm")
    text = "".join(writer.stream("\n", length=3000, temperature=0.8, seed=1))
    lines = [line for line in text.split("\n") if line]
    assert 40 < len(lines) < 200 and np.mean([len(line) for line in lines]) < 70
    assert sum(re.fullmatch(r"[A-Z][A-Z .]+", line) is not None for line in lines) >= 5
    words = re.findall(r"[a-z']+", text.lower())
    assert sum(word in COMMON for word in words) >= 0.4 * len(words)
    line = "Good morrow to your lordship, and I thank you for it."
    assert writer.perplexity(line) < 8 < 60 < writer.perplexity(line[::-1])


def test_the_hand_writes_every_letter_in_its_turn() -> None:
    hand = Scribe.load("hershey-hand")
    texts = ["Hello world", *TEXT.replace(",", "").split()]
    for writing in hand.write(texts, bias=1.0, seed=1):
        text, seen = writing.strokes.text, writing.window.argmax(axis=1)
        looked = [text[i] for i in dict.fromkeys(seen.tolist())]
        assert set(text.replace(" ", "")) <= {*looked}, text
        assert (np.maximum.accumulate(seen) - seen).max() <= 1, text  # never back by more than a letter
        left, top, right, bottom = writing.strokes.box
        assert 0.2 * len(text) < (right - left) / hand.card.height < len(text) + 1, text
        assert 0.5 < (bottom - top) / hand.card.height < 1.6, text


def test_the_translator_translates_what_a_home_says() -> None:
    """Sentences that are not among those that it learned from, a name that nobody knows, and where it looked."""
    translator = Translator.load("en-es")
    lit, level, name = [best for best, *_ in translator.search([SENTENCES[0], SENTENCES[2], "Restart the Zaragozaplex server"])]
    assert {"luz", "cocina"} <= set(lit.text.split()) and level.text == "Nivel de batería del dispositivo"
    assert "Zaragozaplex" in name.text.split() and name.copied
    look = translator.look(lit)
    assert look is not None
    looked = {word: look.source[int(row[:-1].argmax())] for word, row in zip(look.words, look.weights, strict=True)}
    assert (looked["luz"], looked["cocina"]) == ("light", "kitchen")


def test_the_generator_makes_the_garment_that_is_asked_for() -> None:
    """Seen by their outlines: trousers are narrow and tall, shoes wide and low, sandals darker than boots; no two are alike."""
    imaginer = Imaginer.load("fashion-gan")
    made = {
        kind: imaginer.make(imaginer.noise(64, seed=1), imaginer.labels(64, [kind]))[:, 0] / 255
        for kind in imaginer.card.classes
    }
    assert len(made) == 10
    ink = {kind: images > 0.2 for kind, images in made.items()}
    high = {kind: np.median(each.any(2).sum(1)) for kind, each in ink.items()}
    wide = {kind: np.median(each.any(1).sum(1)) for kind, each in ink.items()}
    assert wide["Trouser"] <= 16 and min(high[kind] for kind in ("Trouser", "Dress", "Pullover", "Coat", "Shirt")) >= 26
    assert wide["Sneaker"] >= 26 and high["Sneaker"] <= 16 and high["Ankle boot"] >= high["Sneaker"] + 6
    assert made["Sandal"][ink["Sandal"]].mean() < made["Ankle boot"][ink["Ankle boot"]].mean()
    for kind, images in made.items():
        assert np.abs(images[:, None] - images[None]).mean() > 0.04, kind


def test_the_classifier_knows_a_cat() -> None:
    """On a photo of another kind than those that it learned from, and on its mirror image alike."""
    photos = dict(zip([file.name for file in dataset("example-photos").files], get("example-photos"), strict=True))
    classifier = Classifier.load("cifar10-resnet20")
    assert classifier.card.mirror and classifier.card.shape == (3, 32, 32)
    cat = classifier.read(photos["chelsea.png"])
    for image in (cat, np.ascontiguousarray(cat[..., ::-1])):
        (probabilities,) = classifier(image[None])
        assert classifier.card.classes[probabilities.argmax()] == "cat" and probabilities.max() > 0.4
