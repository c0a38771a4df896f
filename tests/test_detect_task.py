"""The task ``detect``: what it finds from boxes, what a step is, how it goes on, what it measures, and what it refuses."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import minigrad
from minigrad.cli import main
from minigrad.core.machine import Memory
from minigrad.data.boxed import BoxedImage, BoxedImages
from minigrad.errors import ArgumentError, DataError, DivergedError, OutOfMemoryError, RunError
from minigrad.models import cost, detect
from minigrad.models.detect import Detect, DetectSettings, boxed
from minigrad.models.detect_levels import levels_of
from minigrad.models.detector import Found
from minigrad.models.finder import Card, Finder, target_of
from minigrad.models.tiles import merged, steps
from minigrad.train import Run, fit, report
from tests.box_files import BIRDS, coco, outlines_of, photo, voc

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


@pytest.mark.parametrize(("composed", "zoom", "colour", "flip"), [(True, 1.0, 0.0, False), (False, 1.4, 0.2, True)])
def test_composed_scenes_are_learned_as_they_are(composed: bool, zoom: float, colour: float, flip: bool, birds: str) -> None:
    settings = task("scenes-digits" if composed else birds).settings
    assert (settings.zoom, settings.colour, settings.flip) == (zoom, colour, flip)


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


def test_without_pycocotools_nothing_is_begun(birds: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pycocotools", "pycocotools.cocoeval"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(
        ArgumentError, match=r'the library that measures detectors, got none\. Run pip install "minigrad-engine'
    ):
        task(birds)


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
    assert 0 <= told["ap50"] <= 1 and (run / "precision.png").exists() and 0 <= told["proposals"] <= 1
    assert main(["eval", str(run)]) == 0
    assert f"proposals: {told['proposals']:.3f} of all boxes overlap one of the first 100" in capsys.readouterr().out
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
    assert levels_of(data, None, None) == (512, (30.0, 67.1, 150.0), (8, 16, 32))


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


# ---------------------------------------------------------------------- broken off, and what goes wrong


def test_a_signal_saves_and_it_goes_on(
    birds: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The metrics, the model and the picture are byte for byte those of a run that was never stopped."""
    whole = trained(birds, tmp_path / "whole", steps=4)
    step, seen = Detect.step, [0]

    def stopped(self: Detect, batch: Any) -> Any:
        seen[0] += 1
        if seen[0] == 3:
            signal.raise_signal(signal.SIGINT)
        return step(self, batch)

    words = [word for name, value in {**TINY, "steps": 4}.items() for word in ("--set", f"{name}={value}")]
    with monkeypatch.context() as patched:
        patched.setattr(Detect, "step", stopped)
        assert main(["train", "detect", "--data", birds, "--out", str(tmp_path / "run"), *words]) == 130
    assert "stopped at step 3 of 4; all is saved" in capsys.readouterr().err
    assert main(["resume", str(tmp_path / "run")]) == 0
    for name in ("metrics.jsonl", "model.safetensors", "samples.png"):
        assert (tmp_path / "run" / name).read_bytes() == (whole / name).read_bytes(), name


def test_a_loss_that_is_no_number_is_told_with_its_images(birds: str, tmp_path: Path) -> None:
    made = task(birds, clip_norm=0)
    with minigrad.no_grad():
        made.descent.module.proposer.score.bias.fill_(float("nan"))  # type: ignore[operator, union-attr]
    with Run(tmp_path / "run") as run, pytest.raises(DivergedError, match=r"batch was 2 images: [a-e]\.png, [a-e]\.png"):
        fit(made, run, say=lambda line: None)


@pytest.mark.parametrize("share", [0.9, 1.1])
def test_the_memory_of_the_network_and_of_a_step_is_seen_to(share: float, birds: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the images of a batch, at most what a step really keeps of each: its own maps."""
    asked: list[tuple[int, str]] = []
    monkeypatch.setattr(detect, "check_memory", lambda numbers, what, *_: asked.append((numbers, what)))
    made, held = task(birds), list[int]()
    handles = [
        layer.register_forward_hook(lambda _, given, out: held.append(out.numel()))
        for layer in made.descent.module.modules()
        if not any(layer.children())
    ]
    made.step(next(made.batches()))
    for handle in handles:
        handle.remove()
    assert asked[1][1] == "a step with 2 images" and asked[1][0] <= sum(held)
    monkeypatch.undo()
    monkeypatch.setattr(cost, "memory", lambda: Memory(round(share * 4 * asked[0][0]), None, None))
    words = "a network of" if share < 1 else "a step with 2 images"
    with pytest.raises(OutOfMemoryError, match=rf"detect: {words}.*image_size, width, channels or batch_size"):
        task(birds)


def test_a_disk_that_is_full_is_told(
    birds: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A picture that cannot be written: exit code 2, its name, and nothing half-written."""
    run = trained(birds, tmp_path / "run")

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    assert main(["detect", str(run), str(Path(birds) / "a.png"), "--out", str(tmp_path / "found")]) == 2
    told = capsys.readouterr().err
    assert "No space left on device" in told and "a.png" in told
    assert not list((tmp_path / "found").iterdir())


def test_the_help_of_the_task(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "detect", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "Example: minigrad train detect --data photos" in text and "image_size=auto" in text and "pooling=aligned" in text
    assert main(["detect", "--help"]) == 0
    assert "Example: minigrad detect mtcnn party.jpg --out faces" in " ".join(capsys.readouterr().out.split())


REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"masks": True}, ArgumentError, "masks=true: expected data that have masks, got boxes alone"),
    ({"stages": 3}, ArgumentError, "stages: expected one of 1, 2, got 3"),
    ({"pooling": "max"}, ArgumentError, "pooling: expected one of aligned, rounded, got 'max'"),
    ({"image_size": 31}, ArgumentError, "image_size: expected a whole number from 32 to 2048, or auto, got 31"),
    ({"channels": 2}, ArgumentError, "channels: expected one of 1, 3, got 2"),
    ({"split": "half"}, ArgumentError, "split: expected one of photo, column, or auto, got 'half'"),
    ({"tile": 15}, ArgumentError, "tile: expected 0, or at least 16 pixels, got 15"),
    ({"holdout": 0}, ArgumentError, "holdout: expected a number from 0.01 to 0.5, or auto, got 0"),
    ({"levels": 6}, ArgumentError, "levels: expected a whole number from 1 to 5, or auto, got 6"),
    ({"steps": 0}, ArgumentError, "steps: expected a whole number from 1 to 1000000, or auto, got 0"),
    ({"average": 1.0}, ArgumentError, "average: expected a number from 0 to 0.9999, got 1.0"),
    ({"zoom": 0.5}, ArgumentError, "zoom: expected a number from 1 to 4, or auto, got 0.5"),
    ({"width": 513}, ArgumentError, "width: expected a whole number from 1 to 512, or auto, got 513"),
    ({"lr": float("nan")}, ArgumentError, "lr: expected a number, 0 or more, got nan"),
]


@pytest.mark.parametrize(("chosen", "kind", "words"), REFUSED, ids=[f"{row[0]}" for row in REFUSED])
def test_settings_that_do_not_go(chosen: dict[str, Any], kind: type[Exception], words: str, birds: str) -> None:
    with pytest.raises(kind, match=words):
        task(birds, **chosen)


def test_masks_are_left_out_of_one_stage_and_refused_where_they_are_asked_for(tmp_path: Path) -> None:
    data = str(coco(tmp_path / "birds", BIRDS, masks=outlines_of(BIRDS)))
    assert task(data).settings.masks is True and task(data, stages=1).settings.masks is False
    with pytest.raises(
        ArgumentError, match=r"masks=true: expected stages=2, as masks belong to the second stage, got stages=1"
    ):
        task(data, stages=1, masks=True)


def test_a_config_makes_the_task_again(tmp_path: Path) -> None:
    folder = voc(tmp_path / "birds", BIRDS)
    made = task(str(folder), steps=None, image_size=None)
    again = Detect.of(made.config())
    assert again.config() == made.config() and again.total_steps == made.total_steps >= 300
    assert [again.step(batch).metrics["loss"].item() for batch in [next(again.batches())]] == [
        made.step(batch).metrics["loss"].item() for batch in [next(made.batches())]
    ]
    assert json.loads(json.dumps(made.config())) == made.config()
    with pytest.raises(RunError, match="expected data, data_digest and settings, as minigrad train detect writes them"):
        Detect.of({**made.config(), "settings": {"pooling": "max"}})
    voc(folder, {**BIRDS, "c.png": [(1, 1, 20, 20, "wren")]})
    with pytest.raises(DataError, match="expected the photos and boxes that the run began with, got others"):
        Detect.of(made.config())
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    with pytest.raises(DataError, match="expected the photos and boxes that the run began with, got nothing of that name"):
        Detect.of(made.config())


DAMAGED: dict[str, dict[str, Any]] = {
    "a huge side": {"side": 10**9},
    "a side in words": {"side": "64"},
    "no options": {"options": {}},
    "options that are none": {"options": 5},
    "classes in one word": {"classes": "ab"},
    "no class": {"classes": []},
    "classes that are numbers": {"classes": [1, 2]},
    "classes without end": {"classes": ["a"] * 10_001},
    "no deviation": {"std": [0.2, 0, 0.2]},
    "a mean that is no number": {"mean": [float("nan")] * 3},
    "a mean of all channels": {"mean": 0.5},
    "a mean of two channels": {"mean": [0.5, 0.5]},
    "two channels": {"channels": 2},
    "a tile of less than nothing": {"tile": -1},
}
OPTIONS: dict[str, dict[str, Any]] = {
    "a width beyond measure": {"width": 10**9},
    "half a channel": {"channels": 2.5},
    "no block": {"blocks": 0},
    "sizes that are none": {"sizes": 5},
    "a size of less than nothing": {"sizes": [-1.0]},
    "a stride that there is not": {"strides": [3]},
    "masks in words": {"masks": "no"},
    "three stages": {"stages": 3},
    "another pooling": {"pooling": "max"},
    "another backbone": {"network": "vgg"},
    "an option too many": {"heads": 8},
}


@pytest.mark.parametrize("case", [*DAMAGED, *OPTIONS])
def test_a_card_that_is_damaged(case: str) -> None:
    content = card().to_config()
    changed = {**content, **DAMAGED.get(case, {})}
    if case in OPTIONS:
        changed["options"] = {**content["options"], **OPTIONS[case]}
    assert Card.of(content, "config.json") == card()
    with pytest.raises(RunError, match=r"what the network is, as minigrad train detect writes it"):
        Card.of(changed, "config.json")


# ---------------------------------------------------------------------- photos of any size


def card(**options: Any) -> Card:
    known = {"width": 2, "channels": 4, "hidden": 8, "blocks": 1, "sizes": (16.0,), "strides": (8,), "masks": False}
    known |= {"stages": 2, "pooling": "aligned", "network": "residual"}
    return Card(("wren", "tit"), 64, 0, 3, (0.5,) * 3, (0.25,) * 3, {**known, **options})


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
    assert found.proposals is not None and (found.proposals <= np.array([width, height] * 2) + 0.01).all()


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
    monkeypatch.setattr(report, "write", lambda task, run: run.report.touch())  # it has tests of its own
    monkeypatch.setattr(detect, "LOOKS", 3)
    learner = task("squares", width=8, maps=16, hidden=64, steps=100, batch_size=6, lr=5e-3, average=0.9, zoom=1.0, colour=0.0)
    with Run(tmp_path / "run") as run:
        outcome = fit(learner, run, say=lambda text: None)
    assert outcome.best is not None and outcome.best > 0.6  # other seeds give 0.75 to 1
