"""The task ``detect``: what it finds from boxes, what a step is, how it goes on, what it measures, and what it refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import minigrad
from minigrad.cli import main
from minigrad.data.boxed import BoxedImage, BoxedImages
from minigrad.errors import ArgumentError, DataError, RunError
from minigrad.models import detect
from minigrad.models.detect import Detect, DetectSettings, boxed
from minigrad.models.detector import Found
from minigrad.models.finder import Card, Finder, target_of
from minigrad.models.tiles import merged, steps
from minigrad.train import Run, fit
from tests.box_files import BIRDS, photo, voc

TINY = {"width": 2, "maps": 4, "hidden": 8, "image_size": 48, "batch_size": 2, "steps": 2, "prefetch": 0, "holdout": 0.3}


@pytest.fixture(scope="module")
def birds(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(voc(tmp_path_factory.mktemp("detect") / "birds", BIRDS))


def task(data: str, **settings: Any) -> Detect:
    return Detect(data, DetectSettings.of({**TINY, **settings}))


def trained(data: str, folder: Path, **settings: Any) -> Path:
    with Run(folder) as run:
        assert fit(task(data, **settings), run, say=lambda text: None).status == "finished"
    return folder


EDGES: dict[str, list[Any]] = {
    "channels": [1, 3],
    "split": [None, "photo"],
    "tile": [None, 0, 32],
    "levels": [None, 1, 3],
    "stages": [1, 2],
    "pooling": ["aligned", "rounded"],
    "masks": [None, False],
    "schedule": ["onecycle", "cosine", "constant"],
    "clip_norm": [0, 5],
    "average": [0, 0.99],
    "flip": [None, True, False],
    "flip_down": [True],
    "zoom": [1, 4],
    "colour": [0, 1],
    "batch_size": [1, 100],
    "image_size": [None, 33, 64],
    "prefetch": [1],
    "blocks": [2],
}


@pytest.mark.parametrize("name", EDGES)
def test_settings_at_their_edges(name: str, birds: str) -> None:
    for value in EDGES[name]:
        made = task(birds, **{name: value})
        metrics = made.step(next(made.batches())).metrics
        assert np.isfinite(float(metrics["loss"])) and {"objects", "places"} <= metrics.keys()
        again = Detect.of(made.config())
        assert (again.settings, again.card) == (made.settings, made.card)


def test_what_is_found_is_told(birds: str) -> None:
    told: list[str] = []
    made = Detect(birds, DetectSettings.of({**TINY, "image_size": None}), told.append)
    assert (made.settings.image_size, made.settings.masks, made.settings.flip) == (96, False, True)
    assert made.card.classes == ("robin", "wren") and made.card.tile == 0
    assert any(
        re.match(r"levels: anchors of [\d, ]+ pixels on maps of every [\d, ]+ pixels, of images of 96 pixels", x) for x in told
    )
    assert any(re.match(r"network: [\d,]+ parameters, for regions and boxes of 2 classes", line) for line in told)


def test_a_folder_full_of_trouble_is_told_by_name_and_trained(tmp_path: Path) -> None:
    """Empty images, one giant one, a box of no area and one outside the picture: reported, and all numbers finite."""
    folder = voc(
        tmp_path / "odd",
        {**BIRDS, "f.png": [(5, 5, 5, 20, "wren")], "g.png": [(100, 100, 120, 120, "wren")], "h.png": [], "i.png": []},
    )
    giant = photo(folder / "j.png", 6000, 40)
    with Image.open(giant) as opened:
        assert opened.size == (6000, 40)
    told: list[str] = []
    with Run(tmp_path / "run") as run:
        made = Detect(str(folder), DetectSettings.of(TINY), told.append)
        assert fit(made, run, say=lambda text: None).status == "finished"
    said = "\n".join(told)
    assert "f.xml" in said and "g.xml" in said and "zero area" in said
    rows = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    values = [value for row in rows for value in row.values()]
    assert values and np.isfinite(values).all()


def test_the_run_is_used(birds: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``minigrad detect`` and ``eval`` of a run; pictures, plain data, refusals."""
    run = trained(birds, tmp_path / "run")
    report = (run / "report.html").read_text()
    assert "What it finds" in report and "AP50" in report and (run / "samples.png").stat().st_size > 0
    photos = [str(Path(birds) / name) for name in ("a.png", "b.png")]
    assert main(["detect", str(run), *photos, "--least", "0", "--out", str(tmp_path / "found"), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["size"] for row in rows] == [[60, 40]] * 2
    for row in rows:
        with Image.open(row["picture"]) as drawn:
            assert drawn.width >= 640
        for each in row["objects"]:
            x1, y1, x2, y2 = each["box"]
            assert each["label"] in ("robin", "wren") and 0 <= x1 < x2 <= 60 and 0 <= y1 < y2 <= 40.01
    assert main(["eval", str(run), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["images"] == len(task(birds).data.validation) and {row["class"] for row in told["classes"]} == {"robin", "wren"}
    assert 0 <= told["ap50"] <= 1 and (run / "precision.png").exists()
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no image")
    assert main(["detect", str(run), str(bad), photos[0], "--out", str(tmp_path / "found")]) == 2
    caught = capsys.readouterr()
    assert "bad.png" in caught.err and "a.png: " in caught.out
    for words, said in (
        (["--least", "2"], "--least: expected a chance from 0 to 1, got 2"),
        (["--tile", "3"], "tile: expected 0, or 16 to 4096 pixels, got 3"),
        (["--out", str(bad)], "expected a folder that can be made"),
    ):
        assert main(["detect", str(run), photos[0], *words]) == 2
        assert said in capsys.readouterr().err


def test_other_data_are_measured_and_other_classes_refused(birds: str, tmp_path: Path) -> None:
    run = trained(birds, tmp_path / "run")
    config = Run(run).config()
    images, what = boxed(config, birds)
    assert what == f"held-out part of {birds}" and len(images) == len(task(birds).data.validation)
    others = voc(tmp_path / "cats", {name: [(1, 1, 20, 20, "cat")] for name in BIRDS})
    with pytest.raises(DataError, match=r"expected the detector's classes, robin, wren, or some of them, got cat"):
        boxed(config, str(others))


def test_photos_of_some_classes_are_measured_all(birds: str, tmp_path: Path) -> None:
    """And their labels are those that the detector knows, not those that the photos alone would have."""
    config = Run(trained(birds, tmp_path / "run")).config()
    wrens = voc(tmp_path / "wrens", {"p.png": [(1, 1, 20, 20, "wren")], "q.png": [], "r.png": [(5, 5, 30, 30, "wren")]})
    images, what = boxed(config, str(wrens))
    assert what == str(wrens) and images.classes == ("robin", "wren")
    assert [images[k].labels.tolist() for k in range(len(images))] == [[1], [], [1]]
    voc(wrens / "test", {"s.png": [(1, 1, 20, 20, "robin")]})
    images, what = boxed(config, str(wrens))
    assert what == f"test part of {wrens}" and list(images.names) == ["test/s.png"] and images[0].labels.tolist() == [0]
    tiled = {**config, "model": {**config["model"], "tile": 32}}
    images, _ = boxed(tiled, str(wrens))
    assert [images[k].image.shape for k in range(2)] == [(3, 20, 30)] * 2 and len(images) == 4


def test_levels_fit_small_objects_of_a_rare_class() -> None:
    """As the platelets of blood: 30 pixels, one box in fourteen, beside cells of 80 and of 150."""
    image, count = np.zeros((3, 480, 512), np.uint8), 30
    rows = [(30, 30, 1), (150, 150, 2), *[(80, 80, 0)] * 12]
    boxes, labels = [[0, 0, across, down] for across, down, _ in rows], [label for *_, label in rows]
    data = BoxedImages.of([image] * count, [boxes] * count, [labels] * count, ["red", "platelet", "white"])
    made = detect.DetectionData(data, data, None, data.classes, (), "", "")
    own = Detect.__new__(Detect)
    own.data = made
    settings, sizes, strides = own._levels(DetectSettings(), None, lambda text: None)
    assert settings.levels == 3 and strides == (8, 16, 32) and sizes == (30.0, 67.1, 150.0)


def test_another_detector_begins_where_one_ended(birds: str, tmp_path: Path) -> None:
    run = trained(birds, tmp_path / "run")
    others = voc(
        tmp_path / "cats", {name: [(1, 1, 20, 20, kind)] for name, kind in zip(BIRDS, ("cat", "dog", "cow", "cat", "dog"))}
    )
    words = [word for name in ("steps", "batch_size", "prefetch", "holdout") for word in ("--set", f"{name}={TINY[name]}")]
    assert (
        main(["train", "detect", "--data", str(others), "--init-from", str(run), "--out", str(tmp_path / "two"), *words]) == 0
    )
    one, two = (Run(folder).config() for folder in (run, tmp_path / "two"))
    assert two["model"]["options"] == one["model"]["options"] and two["model"]["classes"] == ["cat", "cow", "dog"]
    assert two["model"]["side"] == one["model"]["side"]


def test_refused_in_words(birds: str) -> None:
    with pytest.raises(ArgumentError, match=r"masks=true: expected data that have masks, got boxes alone"):
        task(birds, masks=True)
    for change in ({"side": 10**9}, {"options": {}}, {"classes": "ab"}, {"std": 0}, {"channels": 2}, {"tile": -1}):
        content = {**task(birds).card.to_config(), **change}
        with pytest.raises(RunError, match=r"what the network is, as minigrad train detect writes it"):
            Card.of(content, "config.json")


# ---------------------------------------------------------------------- photos of any size


def card(**options: Any) -> Card:
    known = {"width": 2, "channels": 4, "hidden": 8, "blocks": 1, "sizes": (16.0,), "strides": (8,), "masks": False}
    return Card(("wren", "tit"), 64, 0, 3, 0.5, 0.25, {**known, "stages": 2, "pooling": "aligned", **options})


@pytest.mark.parametrize("size", [(1, 1), (64, 64), (7, 300), (640, 480), (33, 65)])
def test_boxes_come_back_in_pixels_of_the_photo(size: tuple[int, int]) -> None:
    """What is placed on the canvas of the network and taken back is where it was."""
    finder = Finder(card(), card().build())
    height, width = size
    box = np.array([[0.1 * width, 0.2 * height, 0.9 * width, 0.8 * height]], np.float32)
    none = np.zeros((0, 4), np.float32), np.zeros(0, np.int64)
    placed = finder.placed(BoxedImage(np.zeros((3, *size), np.uint8), box, np.zeros(1, np.int64), None, *none))
    assert max(placed.size) == 64 and all(side % 8 == 0 for side in placed.sample.image.shape[1:])
    if len(placed.sample.boxes):
        back = placed.sample.boxes / np.array([placed.scale[1], placed.scale[0]] * 2)
        assert np.abs(back - box).max() < 0.02 * max(size)
    found = finder(np.zeros((3, *size), np.uint8), least=0.0)
    assert (found.boxes <= np.array([width, height] * 2) + 0.01).all()


def test_tiles_cover_a_photo_and_lie_over_each_other() -> None:
    for length in (1, 40, 41, 100, 399, 1000):
        begins = steps(length, 40)
        seen = np.zeros(length, int)
        for at in begins:
            seen[at : at + 40] += 1
        assert seen.min() >= 1 and (len(begins) == 1 or np.diff(begins).max() <= 30)


WINDOWS, PHOTO = [(0, 0), (0, 30)], (40, 70)  # two tiles of 40 pixels, which share columns 30 to 40


def on_tile(*rows: tuple[float, ...], masks: bool = False) -> Found:
    """Of each object x1, y1, x2, y2, label and score."""
    given = np.array(rows, np.float32).reshape(-1, 6)
    mask = np.ones((len(given), 4, 4), np.float32) if masks else None
    return Found(given[:, :4], given[:, 4].astype(np.int64), given[:, 5], mask)


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ([(32, 25, 38, 30, 1, 0.8)], [(2, 25, 8, 30, 1, 0.85)], [(32, 25, 38, 30, 1, 0.85)]),  # whole on both
        ([(22, 5, 39.5, 20, 0, 0.7)], [(0, 5, 9, 20, 0, 0.9)], [(22, 5, 39.5, 20, 0, 0.9)]),  # cut on both, parts of one
        ([(22, 5, 36, 20, 0, 0.7)], [(0, 5, 6, 20, 0, 0.9)], [(22, 5, 36, 20, 0, 0.7)]),  # whole on one
        ([(10, 5, 40, 20, 0, 0.7)], [(0, 6, 30, 21, 0, 0.9)], [(10, 5, 60, 21, 0, 0.9)]),  # larger than what they share
        (
            [(10, 5, 40, 20, 0, 0.7)],
            [(0, 6, 30, 21, 1, 0.9)],
            [(30, 6, 60, 21, 1, 0.9), (10, 5, 40, 20, 0, 0.7)],
        ),  # of two classes
        ([(10, 5, 40, 10, 0, 0.7)], [(0, 20, 30, 30, 0, 0.9)], [(30, 20, 60, 30, 0, 0.9), (10, 5, 40, 10, 0, 0.7)]),  # apart
        ([(0, 0, 5, 5, 0, 0.5)], [], [(0, 0, 5, 5, 0, 0.5)]),  # at the photo's own edge
        ([], [], []),
    ],
)
@pytest.mark.parametrize("masks", [False, True])
def test_what_lies_on_two_tiles_is_found_once(left: Any, right: Any, expected: Any, masks: bool) -> None:
    found = merged([on_tile(*left, masks=masks), on_tile(*right, masks=masks)], WINDOWS, 40, PHOTO)
    given = np.array(expected, np.float32).reshape(-1, 6)
    assert np.allclose(found.boxes, given[:, :4]) and found.labels.tolist() == given[:, 4].tolist()
    assert np.allclose(found.scores, given[:, 5])
    assert (found.masks is not None) is masks
    if found.masks is not None and len(expected) == 1:
        assert found.masks[0].mean() > 0.85


def test_what_is_ignored_counts_neither_way() -> None:
    sample = BoxedImage(
        np.zeros((3, 10, 10), np.uint8), np.array([[0, 0, 4, 4]], np.float32), np.array([1]), np.ones((1, 10, 10), bool),
        np.array([[5, 5, 9, 9]], np.float32), np.array([-1]),
    )  # fmt: skip
    target = target_of(sample)
    assert target.labels.tolist() == [1, 0] and target.ignored is not None and target.ignored.tolist() == [False, True]
    assert target.masks is not None and target.masks[1].sum() == 16
    counted, left_out = target.split()
    assert len(counted.boxes) == 1 and left_out.tolist() == [[5, 5, 9, 9]]


def test_it_learns_to_find_squares(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Through the whole of the task: bright squares and dark ones on noise, on photos of 48 pixels."""
    rng = np.random.default_rng(0)
    images, boxes, labels = [], [], []
    for _ in range(60):
        image = rng.integers(100, 150, (3, 48, 48)).astype(np.uint8)
        side, x, y = (int(n) for n in (rng.integers(12, 22), rng.integers(0, 26), rng.integers(0, 26)))
        dark = int(rng.integers(2))
        image[:, y : y + side, x : x + side] = 20 if dark else 240
        images.append(image)
        boxes.append([[x, y, x + side, y + side]])
        labels.append([dark])
    data = BoxedImages.of(images, boxes, labels, ["bright", "dark"])
    made = detect.DetectionData(data.subset(range(48)), data.subset(range(48, 60)), None, data.classes, (), "", "by number")
    monkeypatch.setattr(detect, "open_boxes", lambda *args, **options: made)
    minigrad.manual_seed(0)
    learner = task("squares", width=8, maps=8, hidden=32, steps=90, batch_size=6, lr=5e-3, average=0.9, zoom=1.0, colour=0.0)
    with Run(tmp_path / "run") as run:
        outcome = fit(learner, run, say=lambda text: None)
    assert outcome.best is not None and outcome.best > 0.8
