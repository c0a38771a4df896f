"""The comparisons of generators: one judge for both, PyTorch's example by its recipe, and tables that say what came of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.benchmarks import garments, seeds
from minigrad.data import LabelledImages
from minigrad.data.images import ImageArrays
from minigrad.errors import ArgumentError, DivergedError, RunError
from minigrad.models import gan_watch
from minigrad.models.classifier import Card as Judging
from minigrad.models.classifier import Classifier
from minigrad.models.frechet import Law
from minigrad.models.gan import Gan
from minigrad.train import Outcome, Run
from tests.small_galleries import KINDS, TINY, bars, constant, gallery, quickly

WORDS = [f"{name}={value}".lower() for name, value in TINY.items() if name not in ("steps", "width")]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quickly(monkeypatch)


def arrays() -> ImageArrays:
    train, test = bars(60), bars(40, seed=1)
    return ImageArrays(*train, *test)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of bars, whose arrays are a published set for the comparison."""
    monkeypatch.setattr(garments, "load", lambda name: arrays())
    return gallery(tmp_path / "bars", 120, classes=True)


@pytest.fixture
def judge(tmp_path: Path) -> Path:
    """A run of a classifier, that has learned nothing."""
    card = Judging("cnn", {"width": 2, "hidden": 6}, (1, 8, 8), KINDS, (0.2,), (0.3,))
    with Run(tmp_path / "judge") as run:
        run.begin({"task": "classify", "model": card._asdict()})
        minigrad.save(card.build().state_dict(), run.model)
        run.report.touch()
    return tmp_path / "judge"


def test_what_the_judge_sees(judge: Path) -> None:
    """Features are what its last layer is given: by hand they give the answers."""
    classifier = Classifier.load(str(judge))
    eye, (images, _) = garments.Eye(classifier), bars(30)
    seen = eye.look(images)
    last: Any = classifier.network.classifier[-1]  # type: ignore[union-attr, index]
    assert isinstance(last, nn.Linear) and eye.last is last
    answers = classifier(images).argmax(1)
    assert seen.shares == [float((answers == kind).mean()) for kind in range(2)] and sum(seen.shares) == 1
    given: list[Any] = []
    handle = last.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0].numpy()))
    classifier(images)
    handle.remove()
    expected = Law.of(np.concatenate(given))
    np.testing.assert_allclose(seen.law.mean, expected.mean, rtol=1e-6)
    np.testing.assert_allclose(seen.law.covariance, expected.covariance, rtol=1e-6)
    assert seen.law.mean.shape == (6,)


def test_a_judge_is_trained_where_there_is_none(data: Path, tmp_path: Path) -> None:
    words = ["epochs=1", "network=cnn", "width=2", "hidden=4", "prefetch=0"]
    first = garments.judge_of(str(tmp_path / "new"), str(data), words)
    again = garments.judge_of(str(tmp_path / "new"), str(data), ["epochs=2"])  # it is there: settings are of a new one
    images = bars(8)[0]
    assert np.array_equal(first(images), again(images)) and first.card.classes == KINDS


@pytest.mark.peer
def test_both_are_compared(data: Path, judge: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--judge", str(judge), "--data", str(data), "--steps", "3", "--width", "2", "--samples", "70", "--seeds", "0,3"]
    options += [word for each in WORDS for word in ("--set", each)]
    code = garments.main([*options, "--json", "--keep", str(tmp_path / "kept")])
    found = json.loads(capsys.readouterr().out)
    assert code == int(not (found["ratio"] <= garments.RATIO and found["least"] >= garments.SHARE))
    assert list(found["seeds"]) == ["0", "3"] and found["classes"] == list(KINDS) and 0 <= found["judge"] <= 1
    for row in found["seeds"].values():
        assert row["ratio"] == pytest.approx(row["minigrad"]["frechet"] / row["torch"]["frechet"])
        assert row["norm"] in ("running", "batches")
        assert sum(row["minigrad"]["shares"]) == pytest.approx(1) == sum(row["torch"]["shares"])
    medians = [np.median([row[name]["frechet"] for row in found["seeds"].values()]) for name in ("minigrad", "torch")]
    assert [found["minigrad"], found["torch"]] == pytest.approx(medians)
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == [
        "minigrad-0.png", "minigrad-3.png", "torch-0.png", "torch-3.png",
    ]  # fmt: skip
    lines = garments.table({**found, "seeds": {int(seed): row for seed, row in found["seeds"].items()}})
    assert lines[3].split() == ["seed", "minigrad", "torch", "ratio", "minigrad", "torch"] and lines[6].startswith("median")
    assert len(lines) == 9 and lines[-1].startswith("  % of our images that are taken for down: ")


@pytest.mark.peer
def test_pytorchs_example_is_trained_by_its_recipe() -> None:
    """Beside a loop that is written as the example's, with one optimiser after the other and a sigmoid in front."""
    import torch

    images = LabelledImages(*bars(130), KINDS)
    example, again = (garments.Example(images, 2, 4, 5) for _ in range(2))
    for (name, one), other in zip(example.generator.state_dict().items(), again.generator.state_dict().values()):
        assert torch.equal(one, other), name
    for rule in example.rules:
        assert rule.defaults["lr"] == 2e-4 and rule.defaults["betas"] == (0.5, 0.999)
    torch.manual_seed(1)
    example.train(3)
    torch.manual_seed(1)
    loss = torch.nn.BCELoss()
    batches = [*again.loader, *again.loader][:3]
    assert [len(x) for x, *_ in batches] == [64, 64, 64]
    for x, *_ in batches:
        real = torch.from_numpy(x.numpy())
        again.discriminator.zero_grad()
        loss(torch.sigmoid(again.discriminator(real)), torch.full((64,), 1.0)).backward()
        made = again.generator(torch.randn(64, 4))
        loss(torch.sigmoid(again.discriminator(made.detach())), torch.full((64,), 0.0)).backward()
        again.rules[1].step()
        again.generator.zero_grad()
        loss(torch.sigmoid(again.discriminator(made)), torch.full((64,), 1.0)).backward()
        again.rules[0].step()
    for net, other in ((example.generator, again.generator), (example.discriminator, again.discriminator)):
        for (name, value), wanted in zip(net.state_dict().items(), other.state_dict().values()):
            assert torch.allclose(value.double(), wanted.double(), rtol=1e-4, atol=1e-6), name
    before = {name: value.clone() for name, value in example.generator.state_dict().items()}
    running, beside = example.make(70, running=True), example.make(70, running=False)
    assert running.shape == beside.shape == (70, 1, 8, 8) and not np.array_equal(running, beside)
    assert np.array_equal(example.make(70, running=True), running)
    assert all(torch.equal(value, before[name]) for name, value in example.generator.state_dict().items())


@pytest.mark.peer
@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("steps", 0, "--steps: expected at least 1, got 0"),
        ("samples", 1, "--samples: expected at least 2, got 1"),
        ("width", 0, "--width: expected at least 1, got 0"),
    ],
)
def test_numbers_out_of_range(option: str, value: int, words: str, judge: Path) -> None:
    numbers = {"steps": 1, "samples": 10, "width": 1, option: value}
    with pytest.raises(ArgumentError, match=words):
        garments.compare(str(judge), "", seeds=[0], **numbers)


@pytest.mark.peer
def test_a_judge_of_other_images(judge: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = ImageArrays(*bars(4, 9), *bars(4, 9))
    monkeypatch.setattr(garments, "load", lambda name: other)
    with pytest.raises(ArgumentError, match=r"--judge: expected one of images of \(1, 9, 8\), got of \(1, 8, 8\)"):
        garments.compare(str(judge), "", 1, [0], 1, 10)


def test_without_pytorch(judge: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(garments.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit) as caught:
        garments.main(["--judge", str(judge)])
    assert caught.value.code == 2 and "Install the extra peer" in capsys.readouterr().err


# ---------------------------------------------------------------------- many seeds


def run_seeds(folder: Path, data: Path, *options: str) -> int:
    words = [word for each in [*WORDS, "width=2"] for word in ("--set", each)]
    return seeds.main([str(folder), "--data", str(data), "--seeds", "0,4", *words, *options])


def test_seeds_that_stay_alive(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """So many steps as there are in the minutes; called again it goes on with what is there."""
    monkeypatch.setattr(seeds, "ALIKE", 0.0)
    monkeypatch.setattr(seeds, "FEW_KINDS", 0.0)
    monkeypatch.setattr(seeds, "steps_in", lambda minutes, *_: int(100 * minutes))
    assert run_seeds(tmp_path / "runs", data, "--minutes", "0.06", "--wild", "0", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found["runs"]) == ["seed-0", "seed-4"] and (found["unnoticed"], found["caught"]) == (0, None)
    for name, seed in (("seed-0", 0), ("seed-4", 4)):
        row = found["runs"][name]
        assert (row["seed"], row["steps"], row["end"], row["rollbacks"]) == (seed, 6, "finished", 0)
        assert {"frechet", "diversity", "kinds"} <= row.keys() and row["unnoticed"] is False
    assert run_seeds(tmp_path / "runs", data, "--minutes", "1", "--wild", "0", "--json") == 0
    assert json.loads(capsys.readouterr().out) == found


def test_a_collapse_that_nobody_noticed_is_told(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Fog after six steps, which the watch lets pass so early; and an uneven run that ended well was not caught."""
    assert run_seeds(tmp_path / "runs", data, "--steps", "6") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["run", "steps", "back", "frechet", "diversity", "kinds", "end"]
    assert [line.split()[0] for line in lines[1:5]] == ["seed-0", "seed-4", "wild-0.01", "uneven-0.01"]
    assert lines[-1] == "collapsed unnoticed: 4 of 4; the uneven run was let pass"


def test_an_uneven_run_is_caught(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One whose generator makes one image only from its fourth step on."""
    for name, value in (("GRACE", 3), ("ALIKE", 1e-4), ("FEW_KINDS", 0.0), ("HARDLY_ANY", 0.0)):
        monkeypatch.setattr(gan_watch, name, value)
        if name in ("ALIKE", "FEW_KINDS"):
            monkeypatch.setattr(seeds, name, 0.0)
    real = Gan.step

    def step(self: Gan, batch: Any) -> Any:
        found = real(self, batch)
        if self.settings.lr_discriminator == 1e-5 and self.watch.steps > 3:
            network: Any = self.generator
            constant(network.learned)
        return found

    monkeypatch.setattr(Gan, "step", step)
    assert run_seeds(tmp_path / "runs", data, "--steps", "6") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[4].split()[:3] == ["uneven-0.01", "4", "4"] and lines[3].split()[:3] == ["wild-0.01", "6", "0"]
    assert "two networks that learn at the same speed: 3 times the same end" in lines[4] and "collapse" in lines[4]
    assert lines[-1] == "collapsed unnoticed: 0 of 4; the uneven run was caught"


def test_a_run_without_a_model(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ran apart before anything was measured."""

    def fit(*_: Any, **__: Any) -> Any:
        raise DivergedError("train", "gan", "a state that can be gone back to", "none yet", "Begin anew")

    monkeypatch.setattr(seeds, "fit", fit)
    settings = seeds.GanSettings.parse([*WORDS, "width=2", "steps=3"])
    row = seeds.one(tmp_path / "run", str(data), settings)
    assert row == {
        "seed": 0, "lr": settings.lr, "end": "a state that can be gone back to: none yet", "steps": 0, "rollbacks": 0,
    }  # fmt: skip
    assert seeds.line("wild", row).split()[:3] == ["wild", "0", "0"]


def test_a_run_that_is_interrupted(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeds, "fit", lambda *_, **__: Outcome("interrupted", 2, None, 0, 2))
    with pytest.raises(RunError, match="expected a training that comes to its end, got one that was interrupted"):
        seeds.one(tmp_path / "run", str(data), seeds.GanSettings.parse([*WORDS, "width=2", "steps=3"]))


def test_how_many_steps_there_are_in_a_minute(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 12.4])
    monkeypatch.setattr(seeds.time, "perf_counter", lambda: next(clock))
    assert seeds.steps_in(2.0, str(data), [*WORDS, "width=2"]) == 60 * 2 * seeds.TIMED / 2.4


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--minutes", "0"], "--minutes: expected more than 0, got 0"),
        (["--wild", "-1"], "--wild: expected a rate, or 0, got -1"),
    ],
)
def test_seeds_refused(options: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        seeds.main([str(tmp_path), *options])
    assert caught.value.code == 2 and words in capsys.readouterr().err
