"""The comparisons of detectors: what their parts are worth, and what the same code comes to with PyTorch."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from minigrad import equal, save
from minigrad.benchmarks import beside, crowns, scenes
from minigrad.errors import RunError
from minigrad.models.detect import Detect, DetectSettings
from minigrad.models.resnet import ResNet18
from minigrad.models.trunk import halvings
from minigrad.train import Outcome, Run, report
from tests.box_files import BIRDS, coco, outlines_of

TINY = {"width": 2, "maps": 4, "hidden": 8, "image_size": 48, "batch_size": 2, "prefetch": 0, "holdout": 0.3}
WORDS = [f"{name}={value}" for name, value in TINY.items()]


@pytest.fixture(autouse=True)
def plain_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pages of runs are left out: they have tests of their own."""
    monkeypatch.setattr(report, "write", lambda task, run: run.report.touch())


@pytest.fixture(scope="module")
def birds(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(coco(tmp_path_factory.mktemp("birds") / "birds", BIRDS, masks=outlines_of(BIRDS)))


def test_how_many_steps_there_are_in_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that compile are not timed."""
    clock, made = iter([10.0, 12.4]), list[int]()
    monkeypatch.setattr(beside.time, "perf_counter", lambda: next(clock))
    assert beside.steps_in(2.0, lambda: made.append(1)) == 60 * 2 * beside.TIMED / 2.4
    assert len(made) == beside.FIRST + beside.TIMED


# ---------------------------------------------------------------------- parts of a detector


def run_scenes(folder: Path, data: str, *options: str) -> int:
    return scenes.main([str(folder), "--data", data, *[word for each in WORDS for word in ("--set", each)], *options])


def test_each_part_is_left_out_once(
    birds: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """So many steps as there are in the minutes; called again it goes on with what is there."""
    monkeypatch.setattr(scenes, "steps_in", lambda minutes, step: int(100 * minutes))
    assert run_scenes(tmp_path / "runs", birds, "--minutes", "0.02", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    names = [f"{variant}, seed 0" for variant in ("whole", "rounded", "one level", "one stage")]
    assert list(found["runs"]) == names and found["medians"].keys() == scenes.VARIANTS.keys()
    for name, variant, options in zip(
        names, scenes.VARIANTS, ({"stages": 2}, {"pooling": "rounded"}, {"strides": [4]}, {"stages": 1, "masks": False})
    ):
        row = found["runs"][name]
        config = Run(tmp_path / "runs" / f"{variant.replace(' ', '-')}-0").config()
        assert options.items() <= config["model"]["options"].items() and config["settings"]["steps"] == row["steps"] == 2
        figures = {"ap50", "ap", "proposals", "mask_ap50"} - ({"proposals", "mask_ap50"} if variant == "one stage" else set())
        assert figures <= row.keys() and ("proposals" in row) == (variant != "one stage") and row["images"] == 2
        assert found["medians"][variant] == {key: row[key] for key in ("steps", *figures)}
    assert run_scenes(tmp_path / "runs", birds, "--minutes", "9") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"2 images, held-out part of {birds}"
    assert lines[1].split() == ["steps", "AP50", "mAP", "proposals", "mask", "AP50"]
    assert [line[:18].strip() for line in lines[2:]] == [*names, *(f"median, {name}" for name in scenes.VARIANTS)]
    assert [line.split()[-4:] for line in lines[2:4]] == [
        [f"{found['runs'][name][key]:.3f}" for key in scenes.COLUMNS] for name in names[:2]
    ]


def test_one_that_begins_with_a_classifier(
    birds: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Alone, as asked for; the weights of its first layers are that classifier's."""
    theirs = ResNet18(num_classes=2, width=4)
    save(dict(theirs.state_dict()), tmp_path / "photos.safetensors")
    monkeypatch.setattr(scenes, "INITIAL", {"begun": str(tmp_path / "photos.safetensors")})
    words = ["--data", birds, "--steps", "2", "--variants", "begun", "--json"]
    words += [word for each in WORDS if not each.startswith("width=") for word in ("--set", each)]
    assert scenes.main([str(tmp_path / "runs"), *words]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found["runs"]) == ["begun, seed 0"] and list(found["medians"]) == ["begun"]
    run = Run(tmp_path / "runs" / "begun-0")
    first = halvings(theirs)[0].state_dict()["0.weight"]
    assert run.config()["model"]["options"]["network"] == "resnet18"
    assert equal(run.weights()["pyramid.backbone.stages.0.0.weight"], first)


def test_medians_are_of_all_seeds() -> None:
    rows = {str(n): {"variant": "whole", "steps": 10 * n, "ap50": value, "ap": 0.1} for n, value in enumerate((0.5, 0.9, 0.2))}
    rows["other"] = {"variant": "rounded", "steps": 1, "ap50": 0.0, "ap": 0.0}
    assert scenes.median(rows, "whole") == {"steps": 10, "ap50": 0.5, "ap": 0.1}


def test_a_run_that_is_interrupted(birds: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenes, "fit", lambda *_, **__: Outcome("interrupted", 2, None, 0, 2))
    with pytest.raises(RunError, match="expected a training that comes to its end, got one that was interrupted"):
        scenes.one(tmp_path / "run", birds, DetectSettings.parse(WORDS), 1.0, 2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--minutes", "0"], "--minutes: expected more than 0, got 0"),
        (["--steps", "0"], "--steps: expected at least 1, got 0"),
        (["--set", "pooling=max"], "pooling: expected one of aligned, rounded, got 'max'"),
        (["--variants", "whole,begun", "--set", "width=8"], "--set width: expected none with begun, which has its own, got 8"),
        (["--variants", "whole,half"], "--variants: expected some of whole, rounded, one level, one stage, begun, got 'half'"),
    ],
)
def test_scenes_refused(options: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        scenes.main([str(tmp_path), *options])
    assert caught.value.code == 2 and words in " ".join(capsys.readouterr().err.split())


# ---------------------------------------------------------------------- the same code with PyTorch


def run_crowns(folder: Path, data: str, *options: str) -> int:
    return crowns.main([str(folder), "--data", data, *[word for each in WORDS for word in ("--set", each)], *options])


@pytest.mark.peer
def test_both_are_trained_for_the_same_time(
    birds: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each in the steps that it has in the minutes; what is noted is not trained again."""
    counts = iter([4, 6, 4, 6])
    monkeypatch.setattr(crowns.beside, "steps_in", lambda minutes, step: next(counts))
    code = run_crowns(tmp_path / "notes", birds, "--minutes", "0.5", "--seeds", "0,3", "--json")
    found = json.loads(capsys.readouterr().out)
    assert code == int(found["apart"] < -crowns.LESS)
    told = [(row["library"], row["seed"], row["steps"]) for row in found["runs"]]
    assert told == [("minigrad", 0, 4), ("torch", 0, 6), ("minigrad", 3, 4), ("torch", 3, 6)]
    for row in found["runs"]:
        assert 0 <= row["ap50"] <= 1 and 0 <= row["proposals"] <= 1 and row["seconds"] > 0 and row["images"] == 2
    for library in ("minigrad", "torch"):
        own = [row["ap50"] for row in found["runs"] if row["library"] == library]
        assert found["medians"][library]["ap50"] == pytest.approx(np.median(own))
    (tmp_path / "notes/torch-3.json").unlink()
    counts = iter([6])
    assert run_crowns(tmp_path / "notes", birds, "--seeds", "0,3") == code
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("2 images held out (") and lines[1].split() == ["steps", "seconds", "AP50", "proposals"]
    assert [line[:20].strip() for line in lines[2:-1]] == [
        "seed 0, minigrad", "seed 0, torch", "seed 3, minigrad", "seed 3, torch", "median, minigrad", "median, torch",
    ]  # fmt: skip
    assert lines[-1].startswith("ours is apart from PyTorch's by ")


@pytest.mark.peer
@pytest.mark.parametrize("average", [0.0, 0.9])
def test_both_make_the_same_steps(average: float, birds: str) -> None:
    """From the same weights over the same batches with the same draws: losses, weights, and what they find, are the same."""
    settings = DetectSettings.parse(WORDS, {"steps": 3, "average": average, "masks": True})
    own, other = Detect(birds, settings), Detect(birds, settings)
    begun = beside.weights_of(own.weights())
    (step, finder), (peer_step, peer_finder) = crowns.ours(own), crowns.theirs(other)
    for _, one, same in zip(range(3), own.batches(), other.batches()):
        assert np.array_equal(one[0], same[0])
        assert step(one) == pytest.approx(peer_step(same), rel=1e-3)
    weights = beside.weights_of(own.weights())
    apart = way = 0.0
    for name, value in peer_finder().network.state_dict().items():
        apart += float(np.square(value.numpy() - weights[name].numpy()).sum())
        way += float(np.square(begun[name].numpy() - weights[name].numpy()).sum())
    assert 0 < apart < 1e-2 * way  # squares; a gradient that is hardly any moves a weight this way or that
    judged, beside_it = (found().judge(own.data.train) for found in (finder, peer_finder))
    assert judged.metrics == pytest.approx(beside_it.metrics, abs=0.05) and judged.found[0].boxes.shape[1] == 4


@pytest.mark.peer
def test_a_note_that_is_damaged_is_told(birds: str, tmp_path: Path) -> None:
    (tmp_path / "minigrad-0.json").write_text("{")
    with pytest.raises(RunError, match=r"expected figures of a training that is done, .* Remove it, and call this again"):
        crowns.compare(str(tmp_path), birds, 1.0, [0])
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match=r"expected a folder that can be made, got (File exists|Not a directory)"):
        crowns.compare(str(tmp_path / "file" / "notes"), birds, 1.0, [0], [*WORDS], 1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--minutes", "0"], "--minutes: expected more than 0, got 0"),
        (["--steps", "0"], "--steps: expected at least 1, got 0"),
        ([], "Install the extra peer"),
    ],
)
def test_crowns_refused(
    options: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(crowns.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit) as caught:
        crowns.main([str(tmp_path), *options])
    assert caught.value.code == 2 and words in " ".join(capsys.readouterr().err.split())
