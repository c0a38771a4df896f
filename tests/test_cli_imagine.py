"""``minigrad imagine``, and ``train gan`` and ``eval`` with it: pictures, files and films, copies, and what is refused."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import minigrad as mg
from minigrad.cli import imagine as module
from minigrad.data import LabelledImages
from minigrad.models import imagined
from minigrad.models.imaginer import Card, Imaginer, nearest
from tests.shape_images import Commands, tree
from tests.small_galleries import bars, gallery, quickly
from tests.small_imaginers import imaginer_run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the runs of a generator without classes and of one with two, of 8 x 8 pixels."""
    root = tmp_path_factory.mktemp("imaginers")
    imaginer_run(root / "plain")
    imaginer_run(root / "kinds", images=120, classes=True)
    return root


@pytest.fixture
def minigrad(made: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    monkeypatch.chdir(tmp_path)
    for run in ("plain", "kinds"):
        shutil.copytree(made / run, tmp_path / run)
    return Commands(capsys)


def pixels(path: Path | str) -> np.ndarray:
    """The pixels of a picture, uint8 (H, W, ...)."""
    with Image.open(path) as image:
        return np.asarray(image)


def tiles(path: Path | str, side: int, gap: int = 2) -> np.ndarray:
    """The grey images that are side by side in a picture, row by row."""
    found = pixels(path)
    grey = found[..., 0] if found.ndim == 3 else found
    step = side + gap
    places = [(y, x) for y in range(0, len(grey), step) for x in range(0, grey.shape[1], step)]
    return np.stack([grey[y : y + side, x : x + side] for y, x in places])


# ---------------------------------------------------------------------- pictures


def test_a_picture_and_its_seed(minigrad: Commands) -> None:
    code, out, _ = minigrad("imagine", "plain")
    told = re.fullmatch(r"plain/imagined\.png: 64 images of 8x8, seed (\d+)\n", out)
    assert code == 0 and told is not None
    first = Path("plain/imagined.png").read_bytes()
    assert pixels("plain/imagined.png").shape[:2] == (8 * 56 + 7 * 2, 8 * 56 + 7 * 2)
    minigrad("imagine", "plain", "--seed", told[1], "--out", "again.png")
    assert Path("again.png").read_bytes() == first
    minigrad("imagine", "plain", "--seed", int(told[1]) + 1, "--out", "other.png")
    assert Path("other.png").read_bytes() != first


@pytest.mark.parametrize(
    ("count", "options", "columns"), [(1, (), 1), (5, (), 3), (70, ("--columns", 4), 4), (3, ("--columns", 9), 3)]
)
def test_the_images_are_the_generators(minigrad: Commands, count: int, options: tuple[Any, ...], columns: int) -> None:
    code, out, _ = minigrad("imagine", "plain", "-n", count, "--seed", 5, "--scale", 1, "--out", "a.png", *options)
    assert code == 0 and out == f"a.png: {count} {'image' if count == 1 else 'images'} of 8x8, seed 5\n"
    imaginer = Imaginer.load("plain")
    wanted = imaginer.make(imaginer.noise(count, seed=5))[:, 0]
    assert np.array_equal(tiles("a.png", 8)[:count], wanted) and pixels("a.png").shape[1] == 10 * columns - 2


def test_truncation_and_scale(minigrad: Commands) -> None:
    minigrad("imagine", "plain", "-n", 4, "--seed", 1, "--truncation", 0.5, "--scale", 3, "--out", "a.png")
    imaginer = Imaginer.load("plain")
    wanted = imaginer.make(imaginer.noise(4, seed=1, truncation=0.5))[:, 0]
    assert np.array_equal(tiles("a.png", 24)[:, ::3, ::3], wanted) and pixels("a.png").shape[:2] == (50, 50)


def test_classes_in_turn(minigrad: Commands) -> None:
    imaginer = Imaginer.load("kinds")
    for words, labels in (((), [0, 1, 0, 1]), (("down",), [1] * 4), (("down", "across", "down"), [1, 0, 1, 1])):
        options = [word for name in words for word in ("--class", name)]
        told = json.loads(minigrad("imagine", "kinds", "-n", 4, "--seed", 2, "--scale", 1, *options, "--json").out)
        assert told["classes"] == [("across", "down")[label] for label in labels] and told["picture"] == "kinds/imagined.png"
        wanted = imaginer.make(imaginer.noise(4, seed=2), np.array(labels))[:, 0]
        assert np.array_equal(tiles("kinds/imagined.png", 8), wanted)


def test_in_json(minigrad: Commands) -> None:
    code, out, err = minigrad("imagine", "plain", "-n", 2, "--seed", 3, "--truncation", 2, "--json")
    assert (code, err) == (0, "") and json.loads(out) == {
        "picture": "plain/imagined.png", "folder": None, "files": [], "images": 2, "size": [8, 8], "seed": 3,
        "interpolate": None, "truncation": 2.0, "classes": None, "nearest": None,
    }  # fmt: skip


def test_files_one_by_one(minigrad: Commands) -> None:
    code, out, _ = minigrad("imagine", "kinds", "-n", 130, "--seed", 4, "--separate", "many")
    assert code == 0 and out == "many: 130 images of 8x8, a file each, seed 4\n"
    files = sorted(Path("many").iterdir())
    assert [path.name for path in files[:2]] == ["001-across.png", "002-down.png"] and len(files) == 130
    imaginer = Imaginer.load("kinds")
    wanted = imaginer.make(imaginer.noise(130, seed=4), imaginer.labels(130))[:, 0]
    assert np.array_equal(np.stack([pixels(path) for path in files]), wanted)
    assert not Path("kinds/imagined.png").exists()
    assert "expected a new folder, or an empty one, got many, which has files" in minigrad.refused(
        "imagine", "kinds", "--separate", "many"
    )
    Path("empty").mkdir()
    told = json.loads(
        minigrad("imagine", "plain", "-n", 2, "--seed", 4, "--separate", "empty", "--out", "too.png", "--json").out
    )
    assert (told["picture"], told["folder"], told["files"]) == ("too.png", "empty", ["1.png", "2.png"])
    assert len(tree(Path("empty"))) == 2 and Path("too.png").exists()


# ---------------------------------------------------------------------- from one point to the next


def test_a_row_for_each_way(minigrad: Commands) -> None:
    code, out, _ = minigrad("imagine", "kinds", "-n", 4, "--interpolate", 6, "--seed", 1, "--scale", 1, "--out", "ways.png")
    assert code == 0 and out == "ways.png: 21 images of 8x8, seed 1\n"
    rows = tiles("ways.png", 8).reshape(3, 7, 8, 8)
    imaginer = Imaginer.load("kinds")
    points = imaginer.noise(4, seed=1)
    for row, label in zip(range(3), (0, 1, 0)):
        ends = imaginer.make(points[row : row + 2], np.array([label] * 2))[:, 0]
        assert np.array_equal(rows[row, [0, -1]], ends)
    assert minigrad("imagine", "plain", "--interpolate", 2, "--seed", 1).out.startswith("plain/imagined.png: 21 images")


@pytest.mark.parametrize(("name", "kind"), [("film.png", "PNG"), ("film.apng", "PNG"), ("film.gif", "GIF")])
def test_a_film_goes_round(minigrad: Commands, name: str, kind: str) -> None:
    """It begins anew where it ended, and shows each class side by side."""
    options = ("--film",) if name.endswith(".png") else ()
    code, out, _ = minigrad("imagine", "kinds", "-n", 3, "--interpolate", 4, "--seed", 6, "--out", name, *options)
    assert code == 0 and out == f"{name}: 24 images of 8x8 in 12 frames, seed 6\n"
    imaginer = Imaginer.load("kinds")
    points = imaginer.noise(3, seed=6)
    with Image.open(name) as film:
        shown: Any = film
        assert shown.format == kind and shown.n_frames == 12 and shown.info["loop"] == 0
        for number in range(3):
            shown.seek(4 * number)
            frame = np.asarray(shown.convert("RGB"))[..., 0]
            scale = (frame.shape[1] - 2) // 16
            seen = frame[::scale, ::scale]
            wanted = imaginer.make(np.repeat(points[number : number + 1], 2, 0), np.array([0, 1]))[:, 0]
            assert np.array_equal(seen[:8, :8], wanted[0])
            assert np.array_equal(frame[:, 8 * scale + 2 :][::scale, ::scale], wanted[1])


@pytest.mark.parametrize(
    ("kinds", "columns"), [(1, 1), (2, 2), (3, 3), (4, 2), (5, 5), (6, 3), (10, 5), (12, 4), (20, 5), (21, 5)]
)
def test_classes_side_by_side_in_full_rows(kinds: int, columns: int) -> None:
    card = Card((1, 8, 8), tuple(map(str, range(kinds))), 2, 1, "transposed")
    plan = module.Plan(np.zeros((3 * kinds, 2)), np.zeros(3 * kinds), kinds)
    assert module._layout(Imaginer(card, card.build()), plan, None, None, True, False).columns == columns


def test_where_a_film_goes(minigrad: Commands) -> None:
    options = ("-n", 2, "--interpolate", 2, "--film", "--class", "down", "--class", "down", "--seed", 0)
    assert minigrad("imagine", "kinds", *options).out == "kinds/imagined-film.png: 4 images of 8x8 in 4 frames, seed 0\n"
    assert minigrad("imagine", "plain", *options[:5], "--seed", 0).out.endswith("4 images of 8x8 in 4 frames, seed 0\n")


# ---------------------------------------------------------------------- learned by heart?


def test_the_nearest_of_the_data(minigrad: Commands) -> None:
    code, out, _ = minigrad("imagine", "plain", "-n", 6, "--nearest", "--seed", 3, "--scale", 1, "--out", "pairs.png")
    imaginer = Imaginer.load("plain")
    images = imaginer.make(imaginer.noise(6, seed=3))
    real, _ = bars(40)
    far = np.sqrt(((images[:, None].astype(float) - real) ** 2).mean((2, 3, 4))) / 255
    apart = np.sqrt(((real[:, None].astype(float) - real) ** 2).mean((2, 3, 4))) / 255 + 9 * np.eye(40)
    best, usual = far.argmin(1), float(np.median(apart.min(1)))
    closest = int(far.min(1).argmin())
    lines = " ".join(out.split())
    assert code == 0 and "pairs.png: 6 images of 8x8, seed 3" in lines
    assert f"differ by {np.median(far.min(1)):.3f}, the median" in lines and f"nearest other ones by {usual:.3f}." in lines
    assert f"the closest is image {closest + 1}, {far.min():.3f} from {best[closest]}.png." in lines
    assert "by heart" not in lines
    grid = pixels("pairs.png")
    grid = grid[..., 0] if grid.ndim == 3 else grid
    for number in range(6):  # three pairs wide would be a square, had they no gaps
        y, x = divmod(number, (grid.shape[1] + 2) // 18)
        pair = grid[10 * y : 10 * y + 8, 18 * x : 18 * x + 16]
        assert np.array_equal(pair[:, :8], images[number, 0]) and np.array_equal(pair[:, 8:], real[best[number], 0])
    told = json.loads(minigrad("imagine", "plain", "-n", 6, "--nearest", "--seed", 3, "--json").out)["nearest"]
    assert [one["training_image"] for one in told["images"]] == [f"{number}.png" for number in best]
    assert [one["distance"] for one in told["images"]] == pytest.approx(far.min(1).tolist(), abs=1e-6)
    assert told["usual"] == pytest.approx(usual, abs=1e-6)
    assert told["ratio"] == pytest.approx(np.median(far.min(1)) / usual, abs=1e-4)


@pytest.mark.parametrize(("count", "shown"), [(1, [1]), (16, [16]), (50, [16, 16, 16, 2])])
def test_many_are_compared_in_parts(count: int, shown: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imagined, "COMPARED", 16)
    (images, _), (real, _) = bars(count, seed=1), bars(30)
    train = LabelledImages(np.concatenate((real, real[:3])), np.zeros(33, int), ["all"])
    parts: list[int] = []
    found = imagined.beside(images, train, lambda given: (parts.append(len(part)) or part for part in given))
    where, far = nearest(images, train)
    assert np.array_equal(found.where, where) and np.array_equal(found.far, far) and sum(parts) == count
    assert max(parts) <= 16 and len(parts) == len(shown)
    assert found.median == np.median(far) and found.ratio == found.median / found.usual


def test_a_set_of_one_image_over_and_over() -> None:
    """Nothing is near another one there: the ratio is huge, and no copy is told of that is none."""
    same = LabelledImages(np.zeros((20, 1, 8, 8), np.uint8), np.zeros(20, int), ["all"])
    found = imagined.beside(np.full((2, 1, 8, 8), 9, np.uint8), same)
    assert found.usual == 0 and found.ratio > 1e6 and not found.copied


def test_copies_are_named(minigrad: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    """A generator that gives back images of the data, a little changed."""
    real, _ = bars(40)

    def copying(self: Imaginer, noise: np.ndarray, labels: Any = None) -> np.ndarray:
        return np.asarray(real[: len(noise)] ^ 1)

    monkeypatch.setattr(Imaginer, "make", copying)
    _, out, _ = minigrad("imagine", "plain", "-n", 9, "--nearest")
    assert "the training images were learned by heart" in " ".join(out.split())


def test_data_that_are_gone_or_others(made: Path, minigrad: Commands, tmp_path: Path) -> None:
    run = imaginer_run(tmp_path / "mine", gallery(tmp_path / "data"))
    gallery(tmp_path / "data", seed=1)
    assert "expected the images that the run began with, got others" in minigrad.refused("imagine", run, "--nearest")
    assert "expected the images that the run began with, got others" in minigrad.refused("eval", run)
    shutil.rmtree(tmp_path / "data")
    for words in (("imagine", run, "--nearest"), ("eval", run)):
        assert "expected the images that the run began with, got nothing of that name" in minigrad.refused(*words)
    assert minigrad("imagine", run, "-n", 2).code == 0


# ---------------------------------------------------------------------- what is refused

WAYS = ["--interpolate", "3"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["-n", "0"], "imagine: -n: expected 1 to 1,000,000 images, got 0"),
        (["-n", "-3"], "imagine: -n: expected 1 to 1,000,000 images, got -3"),
        (["-n", "1000001"], "imagine: -n: expected 1 to 1,000,000 images, got 1000001"),
        (["-n", "1000000"], "imagine: -n: expected a picture of at most 64,000,000 pixels, got 100,000,000. Ask for fewer or"),
        (["--scale", "64", "-n", "2000"], "imagine: -n: expected a picture of at most 64,000,000 pixels, got 53"),
        (["--scale", "0"], "imagine: --scale: expected 1 to 64, got 0"),
        (["--scale", "65"], "imagine: --scale: expected 1 to 64, got 65"),
        (["--columns", "0"], "imagine: --columns: expected 1 to 1,000,000, got 0"),
        (["--class", "down"], "imagine: class: expected nothing, as this generator has no classes, got 'down'"),
        (["--truncation", "0"], "imagine: truncation: expected a number from 0.01 to 100, got 0"),
        (["--truncation", "nan"], "imagine: truncation: expected a number from 0.01 to 100, got nan"),
        (["--truncation", "101"], "imagine: truncation: expected a number from 0.01 to 100, got 101"),
        (["--truncation", "little"], "Invalid value for '--truncation': Input should be a valid number"),
        (["--seed", "-1"], "Invalid value for '--seed': Input should be greater than or equal to 0"),
        (["--seed", str(2**70)], f"seed: expected an integer from -2**63 to 2**64 - 1, got {2**70}"),
        (["--out", "a.jpg"], "imagine: --out: expected a file that ends in .png, got a.jpg"),
        (["--out", "no/a.png"], "no/a.png: expected a folder that exists, got none"),
        (["--out", "plain.png"], "plain.png: expected the name of a file, got a folder"),
        (["--out", "a.gif"], "imagine: --out a.gif: expected --interpolate too, as a film goes from one image to the next"),
        (["--film"], "imagine: --film: expected --interpolate too, as a film goes from one image to the next, got none"),
        ([*WAYS, "--film", "--out", "a.txt"], "imagine: --out: expected a file that ends in .png or .gif or .apng, got a.txt"),
        (["--interpolate", "0"], "imagine: --interpolate: expected 1 to 125,000 steps, with -n 8, got 0"),
        (["--interpolate", "125001"], "imagine: --interpolate: expected 1 to 125,000 steps, with -n 8, got 125001"),
        ([*WAYS, "--film", "--scale", "64", "--columns", "1", "-n", "500"], "imagine: --columns: expected images that stand "),
        (
            [*WAYS, "--film", "--scale", "64", "-n", "500"],
            "imagine: -n: expected a picture of at most 128,000,000 pixels, got 39",
        ),
        (
            ["--interpolate", "100000", "--film"],
            "imagine: --interpolate: expected a film of at most 5,000 frames, steps by points, got 800,000",
        ),
        ([*WAYS, "-n", "1"], "imagine: -n: expected at least 2 points, which --interpolate goes between, got 1"),
        ([*WAYS, "--nearest"], "imagine: --nearest: expected images that stand each for itself, got --interpolate 3. Leave"),
        ([*WAYS, "--columns", "2"], "imagine: --columns: expected images that stand each for itself, got --interpolate 3."),
        ([*WAYS, "--film", "--separate", "x"], "imagine: --separate: expected images that do not move, got a film. Leave one"),
        (["--separate", "no/such"], "imagine: --separate no/such: expected a folder that can be made, got No such file"),
        (["--separate", "file"], "imagine: --separate file: expected a folder that can be made, got File exists"),
    ],
    ids=lambda given: "-".join(given) if isinstance(given, list) else "",
)
def test_what_is_refused(minigrad: Commands, words: list[str], told: str) -> None:
    Path("plain.png").mkdir()
    Path("file").touch()
    before = tree(Path())
    assert told in minigrad.refused("imagine", "plain", *words)
    assert tree(Path()) == before and not Path("x").exists()


def test_a_class_that_there_is_not(minigrad: Commands) -> None:
    told = minigrad.refused("imagine", "kinds", "--class", "sideways")
    assert "imagine: class: expected one of across, down, got 'sideways'" in told


def test_what_is_no_generator(minigrad: Commands) -> None:
    assert "expected a run folder" in minigrad.refused("imagine", "nowhere")
    config = json.loads(Path("plain/config.json").read_text())
    weights = mg.load("plain/model.safetensors")

    def changed(**parts: Any) -> list[str]:
        Path("plain/config.json").write_text(json.dumps({**config, **parts}))
        return [minigrad.refused(*words) for words in (("imagine", "plain"), ("eval", "plain"))]

    assert "imagine: " not in changed(task="text")[0]
    assert "gan: plain: expected a model of the task gan, got one of the task text" in changed(task="text")[0]
    for model in (None, {**config["model"], "width": "2"}, {**config["model"], "shape": [1, 8]}):
        for told in changed(model=model):
            assert "expected what the network is, as minigrad train gan writes it, got nothing of that kind, or damaged" in told
    for told in changed(model={**config["model"], "width": 3}):
        assert "expected weights and a config.json of one network, got others" in told
    Path("plain/config.json").write_text(json.dumps({**config, "settings": None}))
    assert "expected data, data_digest and settings" in minigrad.refused("imagine", "plain", "--nearest")
    Path("plain/config.json").write_text("{")
    assert "config.json" in minigrad.refused("imagine", "plain")
    Path("plain/config.json").write_text(json.dumps(config))
    name = next(iter(weights))
    mg.save({**weights, name: weights[name] * float("nan")}, "plain/model.safetensors")
    assert f"expected finite weights, got nan or inf in {name}" in minigrad.refused("imagine", "plain")
    Path("plain/model.safetensors").write_bytes(b"nothing")
    assert "model.safetensors" in minigrad.refused("imagine", "plain")
    Path("plain/model.safetensors").unlink()
    assert minigrad.refused("imagine", "plain")


# ---------------------------------------------------------------------- training and measuring


def test_oblong_images_are_trained_in_their_own_size(
    minigrad: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole way by commands: a folder of 31 x 47 pixels, or the size that is asked for; a run, and its images."""
    quickly(monkeypatch)
    data = gallery(tmp_path / "oblong", 20, height=31, width=47)
    words = [word for name in ("width=2", "noise=4", "steps=2", "judge_images=64", "batch_size=4") for word in ("--set", name)]
    code, out, _ = minigrad("train", "gan", "--data", data, "--out", "run", *words)
    assert code == 0 and "ladder: 31x47 -> 16x24 -> 8x12 -> 4x6 (height x width)" in out
    assert out.splitlines()[-1] == "  minigrad imagine run" and Path("run/report.html").exists()
    assert "20 images of 31x47" in minigrad("imagine", "run", "-n", 20).out
    code, out, _ = minigrad("train", "gan", "--data", data, "--out", "other", *words, "--set", "image_size=12x9")
    assert code == 0 and json.loads(Path("other/config.json").read_text())["settings"]["image_size"] == "12x9"
    assert "3 images of 12x9" in minigrad("imagine", "other", "-n", 3, "--nearest").out
    words[-1] = "image_size=12by9"
    told = minigrad.refused("train", "gan", "--data", data, "--out", "third", *words)
    assert "image_size: expected pixels a side from 8 to 256, height x width such as 96x64, or auto, got '12by9'" in told


def test_the_help_of_the_task(minigrad: Commands) -> None:
    code, out, _ = minigrad("train", "gan", "--help")
    text = " ".join(out.split())
    assert code == 0 and "Example: minigrad train gan --data photos" in text
    assert "image_size=auto" in text and "height x width such as 96x64" in text
    assert "Example: minigrad imagine " in " ".join(minigrad("imagine", "--help").out.split())


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few images are made and compared."""
    monkeypatch.setattr(imagined, "JUDGED", 150)
    monkeypatch.setattr(imagined, "COMPARED", 16)


@pytest.mark.usefixtures("few")
def test_eval(minigrad: Commands, made: Path) -> None:
    code, out, err = minigrad("eval", "kinds", "--json")
    told = json.loads(out)
    assert (code, err) == (0, "")
    assert told["data"] == str(made / "kinds-bars") and (told["training_images"], told["images"]) == (120, 150)
    assert told["judge"] == "to tell 2 classes apart" and told["frechet_test"] is None and told["judge_accuracy"] is None
    assert told["frechet"] > 5 * told["frechet_halves"] > 0 and told["diversity"] < 0.5 and not told["nearest"]["copied"]
    rows = told["classes"]
    assert [(row["class"], row["data"]) for row in rows] == [("across", 0.5), ("down", 0.5)]
    assert sum(row["made"] for row in rows) == pytest.approx(1) and 0 <= told["asked_class_found"] <= 1
    assert told["nearest"]["ratio"] == pytest.approx(told["nearest"]["median"] / told["nearest"]["usual"])
    lines = minigrad("eval", "kinds").out
    text = " ".join(lines.split())
    assert f"Fréchet distance {told['frechet']:.3f}, in the features" in text
    assert f"of two halves of the data from each other {told['frechet_halves']:.3f}" in text
    assert re.search(r"^across +[\d.]+% +50\.0%$", lines, re.MULTILINE)


@pytest.mark.usefixtures("few")
def test_eval_on_other_data(minigrad: Commands, tmp_path: Path) -> None:
    """They are brought to the size that is made; the test part of a published set is looked at too."""
    other = gallery(tmp_path / "others", 30, height=12, width=12, seed=7)
    told = json.loads(minigrad("eval", "plain", "--data", other, "--json").out)
    assert (told["training_images"], told["classes"], told["asked_class_found"]) == (30, [], None)
    assert told["judge"] == "to tell how each was turned"
    told = json.loads(minigrad("eval", "kinds", "--data", "mnist5k", "--json").out)
    assert 0 < told["judge_accuracy"] < 1 and told["frechet"] > told["frechet_test"] > 0 and len(told["classes"]) == 10
    assert told["asked_class_found"] is None
    text = " ".join(minigrad("eval", "plain", "--data", "mnist5k").out.split())
    assert "of the test part from the data" in text and "The network finds the class of" in text
    assert "expected one name or path" in minigrad.refused("eval", "plain", "--data", "a", "--data", "b")
    assert "--beam: expected a translator, got a model of the task gan" in minigrad.refused("eval", "plain", "--beam", 2)


@pytest.mark.usefixtures("few")
def test_eval_of_a_generator_that_copies(minigrad: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    real, _ = bars(40)

    def copying(self: Imaginer, noise: np.ndarray, labels: Any = None) -> np.ndarray:
        return np.asarray(real[np.arange(len(noise)) % 40])

    monkeypatch.setattr(Imaginer, "make", copying)
    text = " ".join(minigrad("eval", "plain").out.split())
    assert "The nearest training images differ by 0.000" in text and "the training images were learned by heart" in text
    assert "diversity 100% of that of the data" in text or "diversity 9" in text
