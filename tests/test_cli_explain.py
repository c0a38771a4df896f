"""``minigrad explain``: the page it makes, what it tells, and what it refuses."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minigrad import nn
from minigrad.models import explained
from minigrad.models.classifier import Classifier
from minigrad.models.writer import Writer
from tests.shape_images import COLOUR, LIVELY, Commands, lively, made_run
from tests.text_models import SYMBOLS, card, text_run

TEXT = 'A bad "cab".\n(Add)\n'


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return text_run(tmp_path_factory.mktemp("text") / "a <run>", card(SYMBOLS, cell="gru"))


@pytest.fixture
def minigrad(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    monkeypatch.chdir(tmp_path)
    return Commands(capsys)


def test_the_page_and_what_is_told(minigrad: Commands, run: Path) -> None:
    code, out, err = minigrad("explain", run, "--text", TEXT)
    found = Writer.load(str(run)).score(TEXT)
    assert (code, err) == (0, "")
    assert out.startswith(f"19 characters: {found.figures().words}\n")
    assert f"The page: {run / 'explain.html'}" in out
    page = (run / "explain.html").read_text(encoding="utf-8")
    assert "<h1>a &lt;run&gt;: inside</h1>" in page and "GRU, 2 layers of 6 units" in page


def test_json_and_a_page_elsewhere(minigrad: Commands, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("text.txt").write_text(TEXT)
    told = json.loads(minigrad("explain", run, "--text", "@text.txt", "--out", "here.html", "--json").out)
    assert Path("here.html").exists() and told["page"] == "here.html"
    assert (told["characters"], len(told["surprise"]), told["surprise"][0]) == (19, 19, None)
    assert told["loss"] == pytest.approx(sum(told["surprise"][1:]) / 18)
    assert all(set(unit) == {"feature", "layer", "unit", "correlation", "chance"} for unit in told["units"])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode()), "utf-8"))
    assert json.loads(minigrad("explain", run, "--text", "-", "--out", "here.html", "--json").out) == told


def test_what_cannot_be_judged_is_named(minigrad: Commands, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explained, "CONTROL", 100)
    text = "a bed " * 19 + 'a "b" ' + "a bed " * 19
    words = ("explain", run, "--text", text, "--out", "here.html")
    assert "not judged, as the networks that tell chance met too little of it: inside quotes\n" in minigrad(*words).out
    assert (
        "Not judged, as the networks that learned nothing met too little of it: inside quotes." in Path("here.html").read_text()
    )
    assert json.loads(minigrad(*words, "--json").out)["unjudged"] == ["inside quotes"]


def test_characters_that_it_does_not_know(minigrad: Commands, run: Path) -> None:
    assert "got 1 other: 'X' 1 time" in minigrad.refused("explain", run, "--text", "aXb", "--out", "x.html")
    code, out, err = minigrad("explain", run, "--text", "aXb", "--unseen", "skip", "--out", "x.html")
    assert code == 0 and out.startswith("2 characters") and "1 character that the model does not know is left out" in err


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--text", "a"], "explain: text: expected at least two characters"),
        (["--text", "ab", "--unseen", "drop"], "explain: --unseen: expected one of refuse, skip, fold, got 'drop'"),
        (["--text", "@nothing.txt"], "--text @nothing.txt: expected the name of a text file, got no such file"),
        (["--text", "aX", "--out", "nowhere/x.html"], "explain: nowhere/x.html: expected a folder that exists"),
        ([], "explain: --text: expected a text for "),
        (["photo.png", "--text", "ab"], "expected a classifier, for an image, 'photo.png', got"),
        (["--text", "ab", "--class", "cat"], "expected a classifier, for --class, got"),
    ],
)
def test_what_is_refused(minigrad: Commands, run: Path, words: list[str], text: str) -> None:
    assert text in minigrad.refused("explain", run, *words)


def test_a_model_of_another_kind(minigrad: Commands) -> None:
    words = minigrad.refused("explain", "hershey-hand", "--text", "ab")
    assert "hershey-hand: expected a model of the task classify or text, got one of the task handwriting" in words


# ---------------------------------------------------------------------- an image, and a classifier


CARD = COLOUR._replace(classes=("red", "green", "blue", "Dark grey", "black", "white", "pink"), shape=(3, 8, 8), crop=0.5)


@pytest.fixture
def photo(minigrad: Commands) -> str:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 32, 3), np.uint8)
    Image.fromarray(pixels).save("a <photo>.png")
    return "a <photo>.png"


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_run(tmp_path_factory.mktemp("classify") / "a <run>", CARD)


def test_the_page_of_an_image(minigrad: Commands, classifier: Path, photo: str) -> None:
    code, out, err = minigrad("explain", classifier, photo)
    assert (code, err) == (0, "")
    told = json.loads(minigrad("classify", classifier, photo, "--json").out)[0]["top"]
    assert [line.split("  ")[0] for line in out.splitlines()[:5]] == [one["label"] for one in told]
    assert f"The page: {classifier / 'explain.html'}" in out
    page = (classifier / "explain.html").read_text(encoding="utf-8")
    assert "<h1>a &lt;photo&gt;.png, as a &lt;run&gt; sees it</h1>" in page and "Grad-CAM" in page
    assert "Of the image of 32 × 20 pixels the 10 × 10 in its middle, resized to 8 × 8, in colour." in page
    assert page.count("data:image/jpeg") == 6 and "features.0 (Conv2d, BatchNorm2d, ReLU): 2 channels of 8 × 8" in page


def test_json_of_an_image(minigrad: Commands, classifier: Path, photo: str) -> None:
    told = json.loads(minigrad("explain", classifier, photo, "--out", "here.html", "--json").out)
    assert (told["image"], told["page"], told["picture"]) == (photo, "here.html", None) and Path("here.html").exists()
    assert told["classes"] == json.loads(minigrad("classify", classifier, photo, "--json").out)[0]["top"]
    assert (told["box"], told["layer"]) == ([11.0, 5.0, 21.0, 15.0], "features.10")
    assert [one["label"] for one in told["maps"]] == [one["label"] for one in told["classes"]]
    assert all(np.shape(one["map"]) == (4, 4) and np.min(one["map"]) >= 0 for one in told["maps"])


def test_of_a_classifier_that_looks_at_mirror_images_too(minigrad: Commands, tmp_path: Path, photo: str) -> None:
    """The classes are those that it names, though the maps are of the image itself."""
    runs = [made_run(tmp_path / str(mirror), LIVELY._replace(mirror=mirror), lively()) for mirror in (False, True)]
    told = [json.loads(minigrad("explain", run, photo, "--out", "a.html", "--json").out) for run in runs]
    assert told[1]["classes"] == json.loads(minigrad("classify", runs[1], photo, "--json").out)[0]["top"]
    assert told[1]["classes"] != told[0]["classes"]
    first, second = ({one["label"]: one["map"] for one in each["maps"]} for each in told)
    assert first == second


def test_a_picture_of_where_a_class_is_seen(minigrad: Commands, classifier: Path, photo: str) -> None:
    words = ("explain", classifier, photo, "--class", "DARK GREY", "--out", "cam.png")
    told = json.loads(minigrad(*words, "--json").out)
    assert (told["page"], told["picture"], [one["label"] for one in told["maps"]]) == (None, "cam.png", ["Dark grey"])
    with Image.open("cam.png") as picture:
        assert picture.size == (448, 448)
    code, out, _ = minigrad(*words)
    assert code == 0 and out.endswith("The picture: cam.png\n") and "Dark grey" in out
    assert minigrad("explain", classifier, photo, "--out", "likeliest.PNG").code == 0 and Path("likeliest.PNG").exists()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (
            ["--class", "gren"],
            "explain: --class: expected one of the 7 classes of the model, got 'gren'. Did you mean 'green'?",
        ),
        (["--class", "ink"], "Did you mean 'pink'?"),
        (["--class", "dark"], "Did you mean 'Dark grey'?"),
        (["--class", "Dark grey, darkgrey"], "Did you mean 'Dark grey'?"),
        (["--class", "gull"], "got 'gull'. Some: red, green, blue, Dark grey, black"),
        (["--class", "%"], "got '%'. Some: red, green, blue, Dark grey, black"),
        (
            ["--out", "cam.jpg"],
            "explain: --out: expected a page, .html, or a picture of where a class is seen, .png, got the suffix",
        ),
        (["--out", "nowhere/cam.png"], "explain: nowhere/cam.png: expected a folder that exists"),
        (["--out", "cam.png", "--class", "red", "--class", "blue"], "expected one class, as a picture shows one, got 2"),
        (["--text", "ab"], "expected a model of text, for --text, got"),
    ],
)
def test_what_is_refused_of_an_image(minigrad: Commands, classifier: Path, photo: str, words: list[str], text: str) -> None:
    assert text in minigrad.refused("explain", classifier, photo, *words)


def test_no_image(minigrad: Commands, classifier: Path) -> None:
    assert "explain: IMAGE: expected an image file for" in minigrad.refused("explain", classifier)
    assert "none.png: expected an image file, got nothing of that name" in minigrad.refused("explain", classifier, "none.png")
    Path("text.png").write_text("no image")
    assert "text.png: expected an image" in minigrad.refused("explain", classifier, "text.png")


def test_grey_images_and_networks_of_other_kinds(minigrad: Commands, tmp_path: Path, photo: str) -> None:
    for name, layer in (("resnet20", "layer3.2"), ("resnet18", "layer4.1")):
        card = COLOUR._replace(network=name, options={"width": 2}, shape=(1, 32, 24), mean=(0.5,), std=(0.25,))
        told = json.loads(minigrad("explain", made_run(tmp_path / name, card), photo, "--out", "a.html", "--json").out)
        assert told["layer"] == layer and np.shape(told["maps"][0]["map"])[0] > np.shape(told["maps"][0]["map"])[1]
        assert "in grey. Of the pixels, from 0 to 1, the mean is then taken off (0.5)" in Path("a.html").read_text("utf-8")


def test_a_network_without_a_map(minigrad: Commands, classifier: Path, photo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has no map of more than one place is told so, on the page too; there is no picture."""
    flat = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, len(CARD.classes)))
    monkeypatch.setattr(Classifier, "load", classmethod(lambda cls, model, **how: cls(CARD, flat)))
    code, out, _ = minigrad("explain", classifier, photo, "--out", "a.html")
    words = "It has no layer whose output is a map of more than one place"
    assert code == 0 and words in " ".join(out.split()) and words in Path("a.html").read_text("utf-8")
    told = json.loads(minigrad("explain", classifier, photo, "--out", "a.html", "--json").out)
    assert (told["layer"], told["maps"]) == (None, [])
    assert words in minigrad.refused("explain", classifier, photo, "--out", "cam.png")


def test_a_class_that_nothing_speaks_for(minigrad: Commands, tmp_path: Path, photo: str) -> None:
    weights = {key: value * 0 for key, value in CARD.build().state_dict().items()}
    run = made_run(tmp_path / "run", CARD, weights)
    out = minigrad("explain", run, photo, "--class", "pink", "--out", "a.html").out
    assert "pink: 14 %\n" in out and "nothing speaks for pink, wherever one looks\n" in out
    assert ": nothing speaks for it" in Path("a.html").read_text("utf-8")
