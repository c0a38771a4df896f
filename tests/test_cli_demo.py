"""``minigrad demo``: sections, what is left out, going on; the classifier's section on digits of a test's own."""

from __future__ import annotations

import dataclasses
import re
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from minigrad.cli import demo, demo_detect, demo_gan, demo_handwriting, demo_text, demo_translate
from minigrad.data import sources
from minigrad.errors import DataError, RunError
from minigrad.models import classify, gan, handwriting_data, handwriting_report, handwriting_task, text, text_report, translate
from tests.shape_images import COLOUR, SMALL, Commands, made_run, rows
from tests.small_galleries import gallery
from tests.small_hands import hand
from tests.small_translators import pairs
from tests.texts import poem


@pytest.fixture
def minigrad(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    monkeypatch.chdir(tmp_path)
    return Commands(capsys)


@pytest.fixture
def digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of MNIST-5k, few images of ten kinds of stripes, and a training of a moment."""
    rng = np.random.default_rng(0)
    for part, each in (("train", 12), ("test", 5)):
        for label in range(10):
            (tmp_path / "stripes" / part / str(label)).mkdir(parents=True)
            for number in range(each):
                pixels = rng.integers(0, 120, (14, 14), np.uint8)
                pixels[label + 1 : label + 4] += 130
                Image.fromarray(pixels).save(tmp_path / "stripes" / part / str(label) / f"{number}.png")
    real = classify.open_images
    monkeypatch.setattr(classify, "open_images", lambda name, **options: real(tmp_path / "stripes", **options))
    settings = {**SMALL, "image_size": None, "epochs": None, "batch_size": 30, "flip": False}
    monkeypatch.setitem(classify.RECIPES, "mnist5k", settings)
    monkeypatch.setattr(demo, "SECTIONS", {"classify": demo.SECTIONS["classify"]})


def good(page: Any, folder: Path, seed: int) -> None:
    folder.mkdir(parents=True)
    page.section("Good", f"seed {seed}")


def without_data(page: Any, folder: Path, seed: int) -> None:
    raise DataError("data", "toy", "a connection", "no <b>network</b>", "Try again later")


def broken(page: Any, folder: Path, seed: int) -> None:
    raise RunError("run", "folder", "room", "none")


def sections(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    monkeypatch.setattr(demo, "SECTIONS", {name: f"{__name__}:{name}" for name in names})


def test_every_section_on_one_page(minigrad: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sections(monkeypatch, "good")
    code, out, err = minigrad("demo", "--seed", "3")
    assert (code, err) == (0, "")
    assert re.fullmatch(r"1 of 1 sections in \d+ s\. The page: runs/demo-1/index\.html\n", out)
    assert "seed 3" in (tmp_path / "runs/demo-1/index.html").read_text()
    assert minigrad("demo", "--only", "good", "--out", "elsewhere").code == 0
    assert (tmp_path / "elsewhere" / "index.html").exists()
    assert minigrad("demo").out.endswith("runs/demo-2/index.html\n")


def test_a_section_without_its_data_is_left_out(minigrad: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are made all the same; it is said, on the page too, and the exit code tells."""
    sections(monkeypatch, "without_data", "good")
    code, out, err = minigrad("demo")
    assert code == 2
    assert "1 of 2 sections" in out
    assert (
        err == "warning: without_data is left out: data: toy: expected a connection, got no <b>network</b>. Try again later.\n"
    )
    page = (tmp_path / "runs/demo-1/index.html").read_text()
    assert "Good" in page and "Left out, as its data could not be had" in page and "&lt;b&gt;network" in page
    assert "<b>network" not in page


def test_what_else_goes_wrong_is_an_error(minigrad: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sections(monkeypatch, "broken", "good")
    assert minigrad.refused("demo") == "run: folder: expected room, got none."
    assert not (tmp_path / "runs/demo-1/index.html").exists()
    (tmp_path / "file").touch()
    sections(monkeypatch, "good")
    assert "file" in minigrad.refused("demo", "--out", "file")


def test_only_what_there_is(minigrad: Commands, tmp_path: Path) -> None:
    told = "demo: --only: expected one of classify, detect, text, handwriting, translate, gan, got 'poems'."
    assert told in minigrad.refused("demo", "--only", "poems")
    assert "Invalid value for '--seed'" in minigrad.refused("demo", "--seed", "-1")
    assert not (tmp_path / "runs").exists()


@pytest.mark.usefixtures("digits")
def test_the_classifier(minigrad: Commands, tmp_path: Path) -> None:
    code, out, _ = minigrad("demo", "--only", "classify")
    assert code == 0
    found = re.search(r"(\d+) of 50 digits that it never saw are told right: (\d+\.\d)%\.", out)
    assert found is not None
    assert int(found[1]) >= 40
    page = (tmp_path / "runs/demo-1/index.html").read_text()
    assert found[0] in page
    for title in ("Handwritten digits", "Answers", "Surest mistakes"):
        assert title in page
    assert page.count("data:image/png;base64,") >= 30
    assert (tmp_path / "runs/demo-1/classify/model.safetensors").exists()


@pytest.fixture
def looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the three photos, a network that nobody trained in place of two classifiers, and a few pictures with digits."""
    photos = sources.dataset(demo_detect.PHOTOS)
    only = dataclasses.replace(photos, files=tuple(file for file in photos.files if file.name == demo_detect.FACES))
    monkeypatch.setitem(sources.DATASETS, photos.name, only)
    network = str(made_run(tmp_path / "colours", COLOUR))
    tiny = {"image_size": 48, "width": 2, "maps": 4, "hidden": 8, "prefetch": 0}
    small: dict[str, Any] = {
        "CLASSIFIER": network,
        "OWN": network,
        "ANIMAL": demo_detect.FACES,
        "FETCHED": ("mtcnn",),
        "DATA": "mnist5k",
        "CLASSES": ("3", "7"),
        "SMALL": tiny,
        "STEPS": 4,
    }
    for name, value in {**small, "BATCH": 2, "MADE": 10, "JUDGED": 3, "DRAWN": 2}.items():
        monkeypatch.setattr(demo_detect, name, value)


@pytest.mark.usefixtures("looks")
def test_the_looks_at_photos(minigrad: Commands, tmp_path: Path) -> None:
    """Classes and where they are seen, a face, and a detector that was trained; a second call goes on, here with nothing."""
    code, out, _ = minigrad("demo", "--only", "detect", "--out", "here")
    assert (
        code == 0 and "astronaut.png: 1 face\n" in out and re.search(r"10 photos with \d+ boxes of 2 classes \(3 \d+, 7 ", out)
    )
    told = [line for line in out.splitlines() if line.startswith("astronaut.png, ")]
    assert len(told) == 2 and all(re.search(r"/colours: (red|green|blue) \(\d\d%\)$", line) for line in told)
    found = re.search(r"On 3 others, with \d+ objects of 2 classes, its boxes have an AP50 of \d\.\d\d;", " ".join(out.split()))
    assert found is not None
    page = (tmp_path / "here/index.html").read_text()
    for words in (found[0], demo_detect.TITLE, "Labels of ImageNet", "3 classes apart", "mtcnn finds 1 face here", "boxes.csv"):
        assert words in page
    assert "A classifier of our own" in page and "3 classes apart on images of 8 \N{MULTIPLICATION SIGN} 8 pixels" in page
    assert page.count("data:image/jpeg;base64,") == 2 * (1 + demo_detect.SEEN) + 1 + demo_detect.DRAWN
    learned = rows(tmp_path / "here/detect")
    assert minigrad("demo", "--only", "detect", "--out", "here").code == 0
    assert rows(tmp_path / "here/detect") == learned and max(row["step"] for row in learned) == 4
    assert (tmp_path / "here/index.html").read_text() == page


@pytest.mark.usefixtures("looks")
def test_without_pycocotools_the_networks_of_others_are_shown(
    minigrad: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("pycocotools", "pycocotools.cocoeval"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(demo_detect, "DATA", "none")  # is not asked for
    code, out, _ = minigrad("demo", "--only", "detect")
    assert code == 0 and "detect: none is trained here: " in out and 'pip install "minigrad-engine[detect]"' in out
    page = (tmp_path / "runs/demo-1/index.html").read_text()
    assert "None was trained here" in page and "mtcnn finds 1 face here" in page
    assert not (tmp_path / "runs/demo-1/detect").exists()


@pytest.mark.usefixtures("looks")
def test_looks_at_photos_are_left_out_as_a_whole(minigrad: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a part of what they need cannot be had, nothing of them is on the page."""

    def refuse(name: str, progress: Any = None) -> Any:
        if name == demo_detect.DATA:
            raise DataError("data", name, "a connection", "no network")
        return real(name, progress)

    real = sources.get
    monkeypatch.setattr(sources, "get", refuse)
    code, _, err = minigrad("demo", "--only", "detect")
    page = (tmp_path / "runs/demo-1/index.html").read_text()
    assert code == 2 and "detect is left out: " in err and "Left out" in page and demo_detect.TITLE not in page


def test_the_writer(minigrad: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a short text in place of the plays, by a small network."""
    path = str(poem(tmp_path / "poem.txt", 120))
    real = text.open_text
    monkeypatch.setattr(text, "open_text", lambda name, **options: real(path, **options))
    for name, value in {"EPOCHS": 2, "HIDDEN": 8, "WRITTEN": 60, "PRIME": "The cat"}.items():
        monkeypatch.setattr(demo_text, name, value)
    monkeypatch.setattr(text_report, "WRITTEN", 30)
    monkeypatch.setitem(text.RECIPES, "shakespeare", {})
    code, out, _ = minigrad("demo", "--only", "text")
    assert code == 0
    words = r"Text that it never saw costs it (\d\.\d\d) nats a character, .*, it would be 3\.14\."
    found = re.search(words, " ".join(out.split()))
    assert found is not None and float(found[1]) < 3.14
    page = (tmp_path / "runs/demo-1/index.html").read_text()
    assert found[0] in page and "A text, letter by letter" in page
    assert "What shakespeare-lstm writes" in page
    assert page.count('<pre class="sample">') == 5 and '<pre class="sample">The cat' in page


def test_the_hand(minigrad: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a few words of four letters in place of a font's numbers, by a small network."""
    path = str(hand(tmp_path / "mine.json"))
    real = handwriting_data.open_strokes
    monkeypatch.setattr(handwriting_data, "open_strokes", lambda name, **options: real(path, **options))
    for name, value in {"EPOCHS": 2, "HIDDEN": 4, "ONLY": "lvo", "NUMBERS": 2, "BATCH": 4}.items():
        monkeypatch.setattr(demo_handwriting, name, value)
    monkeypatch.setattr(handwriting_report, "BIASES", (1.0,))
    monkeypatch.setattr(handwriting_report, "SHOWN", 1)
    monkeypatch.setattr(handwriting_task, "SAMPLED", 1)
    code, out, _ = minigrad("demo", "--only", "handwriting")
    assert code == 0 and "only texts of 'lvo': " in out
    found = re.search(r"Strokes of numbers that it never saw cost it (-?\d+\.\d\d) nats a point\. ", " ".join(out.split()))
    assert found is not None
    page = (tmp_path / "runs/demo-1/index.html").read_text()
    assert found[0] in page and "<h2>Handwriting" in page.replace(' id="handwriting"', "")
    assert page.count(", in handwriting") >= 2 and "Which letter of" in page
    assert "What hershey-hand writes" in page and demo_handwriting.TEXT in page


def test_the_translator(minigrad: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On some sentences of a pattern in place of the named set, by a small network."""
    path = str(pairs(tmp_path / "spa.tsv"))
    real = translate.open_pairs
    monkeypatch.setattr(translate, "open_pairs", lambda names, **options: real([path], **options))
    for name, value in {"EPOCHS": 2.0, "HIDDEN": 8}.items():
        monkeypatch.setattr(demo_translate, name, value)
    code, out, _ = minigrad("demo", "--only", "translate")
    assert code == 0
    words = r"Of 4 sentences that it never saw its translations have \d+\.\d BLEU and \d+\.\d chrF"
    found = re.search(words, " ".join(out.split()))
    assert found is not None
    page = (tmp_path / "runs/demo-1/index.html").read_text()
    assert found[0] in page and "A sentence in another language" in page and "network  " in page
    assert "What en-es writes" in page and all(text in page for text in demo_translate.SENTENCES)
    assert "luz" in page and "<svg" in page


def test_without_sacrebleu_the_ready_translator_is_shown(
    minigrad: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    code, out, _ = minigrad("demo", "--only", "translate")
    assert code == 0 and "translate: none is trained here: " in out and "pip install 'minigrad-engine[translate]'" in out
    page = (tmp_path / "runs/demo-1/index.html").read_text()
    assert "None was trained here" in page and "What en-es writes" in page and "luz" in page


def bars_for_the_demo(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some images of bars in place of the digits, for small networks."""
    data = str(gallery(path, 120, classes=True))
    real = gan.open_gallery
    monkeypatch.setattr(gan, "open_gallery", lambda name, **options: real(data, **options))
    monkeypatch.setattr(gan, "JUDGED", 64)
    for name, value in {"STEPS": 6, "WIDTH": 2, "JUDGE": 64, "LOOKS": 3, "EACH": 3}.items():
        monkeypatch.setattr(demo_gan, name, value)


def test_the_generator(minigrad: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bars_for_the_demo(tmp_path / "bars", monkeypatch)
    code, out, _ = minigrad("demo", "--only", "gan")
    found = re.search(r"After 6 steps the Fréchet distance of what it makes to real digits is \d+\.\d at best\.", out)
    assert code == 0 and found is not None
    page = (tmp_path / "runs/demo-1/index.html").read_text()
    assert found[0] in page and demo_gan.TITLE in page and "A film of the learning" in page
    assert "What fashion-gan makes" in page and page.count("data:image/png;base64,") == 3


def test_a_generator_that_runs_away_leaves_the_page(
    minigrad: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other sections are not lost with it, why it ended is said, and the ready generator is shown all the same."""
    bars_for_the_demo(tmp_path / "bars", monkeypatch)
    real = gan.Gan.step

    def step(self: Any, batch: Any) -> Any:
        return real(self, batch)._replace(metrics={"g_loss": float("nan")})

    monkeypatch.setattr(gan.Gan, "step", step)
    code, out, _ = minigrad("demo", "--only", "gan")
    assert code == 0 and "gan: train: g_loss: expected a finite number" in out
    page = (tmp_path / "runs/demo-1/index.html").read_text()
    assert "The two ran apart this time: " in page and "What fashion-gan makes" in page
    assert page.count("data:image/png;base64,") == 1


@pytest.mark.usefixtures("digits")
def test_a_demo_that_is_stopped_goes_on(minigrad: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert minigrad("demo", "--out", "whole").code == 0
    step, seen = classify.Classify.step, [0]

    def counted(self: Any, batch: Any) -> Any:
        seen[0] += 1
        if seen[0] == 20:
            signal.raise_signal(signal.SIGINT)
        return step(self, batch)

    monkeypatch.setattr(classify.Classify, "step", counted)
    code, _, err = minigrad("demo", "--out", "my demo")
    assert code == 130
    assert "stopped at step 20 of 24; all is saved. Go on by:\n  minigrad demo --out 'my demo' --seed 0\n" in err
    assert minigrad("demo", "--out", "my demo", "--seed", "0").code == 0
    assert rows(tmp_path / "my demo" / "classify") == rows(tmp_path / "whole" / "classify")
    assert "expected the task, data and settings that the run began with" in minigrad.refused(
        "demo", "--out", "my demo", "--seed", "1"
    )
