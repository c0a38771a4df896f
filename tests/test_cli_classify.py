"""``minigrad classify``: what is on images of every kind, and what is said of those that are none."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import minigrad as mg
from minigrad.cli import main
from tests.shape_images import COLOUR, Commands, made_run, trained_run


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that tells colours of whole images apart."""
    folder = tmp_path_factory.mktemp("model")
    rng = np.random.default_rng(0)
    for place, name in enumerate(("red", "green", "blue")):
        (folder / "colours" / name).mkdir(parents=True)
        for number in range(12):
            pixels = rng.integers(0, 60, (8, 8, 3), np.uint8)
            pixels[..., place] += 180
            Image.fromarray(pixels).save(folder / "colours" / name / f"{number}.png")
    return trained_run(folder / "colours", folder / "run", epochs=40)


@pytest.fixture
def minigrad(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    monkeypatch.chdir(tmp_path)
    return Commands(capsys)


def plain(name: str, colour: str = "red", mode: str = "RGB", size: tuple[int, int] = (20, 14), **options: object) -> str:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).convert(mode).save(name, **options)
    return name


def answers(out: str) -> list[str | None]:
    """The likeliest class of each image in the JSON that is told; ``None`` for an error."""
    return [entry["top"][0]["label"] if "top" in entry else None for entry in json.loads(out)]


# ---------------------------------------------------------------------- what is on an image


def test_each_image_with_its_classes(minigrad: Commands, model: Path) -> None:
    code, out, err = minigrad("classify", model, plain("one.png"), plain("two.jpg", "blue"))
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert [lines[0], lines[4]] == ["one.png", "two.jpg"]
    assert [lines[1].split()[0], lines[5].split()[0]] == ["red", "blue"]
    shares = [float(line.rsplit(None, 2)[1]) for line in lines[1:4]]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(100, abs=0.2)


def test_json(minigrad: Commands, model: Path) -> None:
    code, out, err = minigrad("classify", model, plain("a.png", "green"), plain("b.png"), "--json")
    told = json.loads(out)
    assert (code, err) == (0, "")
    assert [entry["image"] for entry in told] == ["a.png", "b.png"]
    assert answers(out) == ["green", "red"]
    for entry in told:
        shares = [one["probability"] for one in entry["top"]]
        assert shares == sorted(shares, reverse=True)
        assert sum(shares) == pytest.approx(1, abs=1e-6)


def test_the_five_likeliest_of_many(minigrad: Commands, tmp_path: Path) -> None:
    card = COLOUR._replace(classes=tuple(f"class {i}" for i in range(9)))
    run = made_run(tmp_path / "many", card)
    out = minigrad("classify", run, plain("a.png"), "--json").out
    top = json.loads(out)[0]["top"]
    assert len({one["label"] for one in top}) == 5
    assert sum(one["probability"] for one in top) < 1


def test_classes_that_no_image_is_of_are_left_out_of_a_measurement(minigrad: Commands, tmp_path: Path) -> None:
    """One picture, so that two classes are there at most: what it is, and what it is taken for."""
    card = COLOUR._replace(classes=tuple(f"class {i}" for i in range(9)))
    run = made_run(tmp_path / "many", card)
    (tmp_path / "data/class 7").mkdir(parents=True)
    plain(str(tmp_path / "data/class 7/a.png"))
    told = json.loads(minigrad("eval", run, "--data", tmp_path / "data", "--json").out)
    shown = [i for i in range(9) if told["confusion"][7][i] or i == 7]
    out = minigrad("eval", run, "--data", tmp_path / "data").out
    assert [name for name in card.classes if re.search(f"^{name} ", out, re.M)] == [f"class {i}" for i in shown]
    assert f"\n{9 - len(shown)} classes are left out, as no image is of them or was taken for one of them\n" in out
    assert (run / "confusion-data.png").exists()


KINDS = {
    "RGBA.png": {"mode": "RGBA"}, "palette.gif": {"mode": "P"}, "cmyk.jpg": {"mode": "CMYK"}, "web.webp": {},
    "fat.bmp": {}, "tall.tiff": {"size": (9, 90)}, "tiny.png": {"size": (1, 1)}, "wide.png": {"size": (3000, 2)},
    "jpeg2000.jp2": {}, "av1.avif": {}, "photo.jpeg": {"size": (1200, 900), "quality": 40}, "SHOUTED.PNG": {},
}  # fmt: skip


def test_any_common_image_file(minigrad: Commands, model: Path) -> None:
    for name, options in KINDS.items():
        plain(name, "blue", **options)
    code, out, _ = minigrad("classify", model, *KINDS, "--json")
    assert code == 0
    assert dict(zip(KINDS, answers(out))) == dict.fromkeys(KINDS, "blue")


def test_images_of_more_bits_and_grey(minigrad: Commands, model: Path) -> None:
    Image.fromarray(np.full((9, 9), 60_000, np.uint16)).save("deep.png")
    Image.fromarray(np.full((9, 9), 0.5, np.float32)).save("float.tiff")
    Image.new("1", (9, 9)).save("bits.png")
    code, out, _ = minigrad("classify", model, "deep.png", "float.tiff", "bits.png", "--json")
    assert code == 0
    assert None not in answers(out)


def test_folders_and_what_is_in_them(minigrad: Commands, model: Path) -> None:
    """Images by name, 2 before 10, also below other folders; hidden files and others are passed over."""
    for name in ("10.png", "2.png", "below/1.png", ".hidden.png", "__MACOSX/0.png"):
        plain(f"folder/{name}")
    Path("folder/notes.txt").write_text("no image")
    out = minigrad("classify", model, "folder", plain("alone.png"), "--json").out
    assert [entry["image"] for entry in json.loads(out)] == ["folder/2.png", "folder/10.png", "folder/below/1.png", "alone.png"]


NAMES = ["two words.png", "größe 日本.png", "line\nbreak.png", "esc\x1b[2J.png", "$(date);'\".png", "[red].png", "no suffix"]


def test_names_of_files(minigrad: Commands, model: Path) -> None:
    plain("image.png")
    names = [*NAMES, os.fsdecode(b"no text \xff.png"), "./-dash.png"]
    for name in names:
        shutil.copy("image.png", name)
    code, out, err = minigrad("classify", model, *names)
    assert (code, err) == (0, "")
    assert len(out.splitlines()) == 4 * len(names)  # each name is one line, whatever is in it
    assert "\x1b" not in out
    assert "[red].png" in out and "größe 日本.png" in out
    out = minigrad("classify", model, *names, "--json").out
    assert out.isascii()
    assert [entry["image"] for entry in json.loads(out)] == names


# ---------------------------------------------------------------------- what is none


def bad_files() -> dict[str, str]:
    """Files that are no images, and what is said of each."""
    plain("whole.jpg", size=(300, 200), quality=95)
    whole = Path("whole.jpg").read_bytes()
    Path("cut.jpg").write_bytes(whole[: len(whole) // 2])
    Path("empty.png").touch()
    Path("text.png").write_text("hello")
    Path("page.jpg").write_text("<!DOCTYPE html><title>Not found</title>")
    Path("nothing").mkdir()
    Path("leads-nowhere.png").symlink_to("nowhere.png")
    os.mkfifo("pipe.png")
    for name, value in (("nan.tiff", np.nan), ("inf.tiff", np.inf), ("dark.tiff", -3.0)):
        Image.fromarray(np.full((9, 9), value, np.float32)).save(name)
    return {
        "cut.jpg": "got one cut short",
        "empty.png": "got an empty file",
        "text.png": "got contents of no format that is read",
        "page.jpg": "got a web page under the name of an image",
        "nothing": "expected a folder with images in it, got one without",
        "leads-nowhere.png": "got nothing of that name",
        "missing.png": "got nothing of that name",
        "pipe.png": "got a device or pipe",
        "nan.tiff": "expected finite values, got 81 NaN or infinite",
        "inf.tiff": "expected finite values, got 81 NaN or infinite",
        "dark.tiff": "expected floating-point values from 0 to 1, or to 255, got from -3 to -3",
    }


def test_bad_files_among_good_ones(minigrad: Commands, model: Path) -> None:
    """Each is told, the others are classified all the same, and the exit code is 2."""
    bad = bad_files()
    images = [plain("first.png"), *bad, plain("last.png", "blue")]
    code, out, err = minigrad("classify", model, *images)
    assert code == 2
    assert [line for line in out.splitlines() if line.endswith(".png")] == ["first.png", "last.png"]
    told = err.splitlines()
    assert len(told) == len(bad)
    for line, (name, words) in zip(told, bad.items(), strict=True):
        assert line.startswith("error: ") and name in line and words in line
    code, out, _ = minigrad("classify", model, *images, "--json")
    assert code == 2
    assert answers(out) == ["red", *[None] * len(bad), "blue"]
    assert all(words in entry["error"] for entry, words in zip(json.loads(out)[1:-1], bad.values(), strict=True))


# ---------------------------------------------------------------------- models


def test_what_is_no_model(minigrad: Commands, model: Path, tmp_path: Path) -> None:
    image = plain("a.png")
    (tmp_path / "folder").mkdir()
    shutil.copytree(model, tmp_path / "begun")
    (tmp_path / "begun" / "model.safetensors").unlink()
    for name, words in {
        "nowhere": "expected a run folder, or the name of a shipped model, got no such folder, and no such name",
        "folder": "got a folder without config.json",
        image: "got a file",
        "begun": "got one that has not been evaluated yet. Let it come to its first evaluation: minigrad resume begun",
    }.items():
        assert words in minigrad.refused("classify", name, image)
        assert words in minigrad.refused("eval", name)


def other_networks(weights: dict[str, mg.Tensor]) -> dict[str, object]:
    name = "features.0.weight"
    return {
        "misshapen": {**weights, name: weights[name][:1]},
        "one too many": {**weights, "extra": mg.zeros(1)},
        "one missing": {key: value for key, value in weights.items() if key != name},
        "another network": COLOUR._replace(network="resnet20", options={"width": 2}).build().state_dict(),
        "no tensors": {"a": 1},
        "a list": [1, 2],
        "nan": {**weights, name: weights[name] * float("nan")},
    }


@pytest.mark.parametrize("case", ["misshapen", "one too many", "one missing", "another network", "no tensors", "a list", "nan"])
def test_weights_of_another_network(case: str, minigrad: Commands, tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", COLOUR)
    mg.save(other_networks(mg.load(run / "model.safetensors"))[case], run / "model.safetensors")
    words = minigrad.refused("classify", run, plain("a.png"))
    wanted = (
        "finite weights, got nan or inf in features.0.weight" if case == "nan" else "weights and a config.json of one network"
    )
    assert f"model.safetensors: expected {wanted}" in words
    assert words.endswith("Put back the files that belong together, or train anew.")
    assert len(words) < 700


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_weights_cut_short(share: float, minigrad: Commands, tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", COLOUR)
    whole = (run / "model.safetensors").read_bytes()
    (run / "model.safetensors").write_bytes(whole[: int(share * len(whole))])
    for words in (("classify", run, plain("a.png")), ("eval", run)):
        assert "expected a whole safetensors file" in minigrad.refused(*words)


def test_answers_stand_above_the_bar(minigrad: Commands, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal a bar is drawn meanwhile: what is written goes through what draws it anew below."""
    from rich.console import Console
    from rich.file_proxy import FileProxy

    passed: list[str] = []

    class Proxy(FileProxy):
        def write(self, text: str) -> int:
            passed.append(text)
            return len(text)

    monkeypatch.setattr("sys.stdout", Proxy(Console(), sys.stdout))
    assert main(["classify", str(model), plain("a.png")]) == 0
    assert passed[0] == "a.png\n"
    assert "red" in passed[1]
