"""A detector whose backbone is the layers of a classifier of photos: the same maps, what of it learns, and whole runs."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.cli import main
from minigrad.errors import ArgumentError, DataError, RunError, StateError
from minigrad.models import detector_cost
from minigrad.models.cnn import build
from minigrad.models.detect import Detect, DetectSettings
from minigrad.models.detector import Detector
from minigrad.models.detector_cost import multiplications_of
from minigrad.models.trunk import FIXED, TRUNKS, Trunk, classifier_of, halvings
from minigrad.train import Run, Task, trained
from minigrad.train.ship import command
from tests.box_files import BIRDS, voc

WIDTH = 4
# Of each classifier the module that gives the last map of each size, from every 2nd pixel on.
RESIDUAL = ["conv1", "layer1", "layer2", "layer3", "layer4"]
LAST = {"efficientnet-lite0": [f"blocks.{n}" for n in (0, 2, 4, 10, 15)], **dict.fromkeys(TRUNKS[1:], RESIDUAL)}
TINY = {"maps": 4, "hidden": 8, "image_size": 64, "batch_size": 2, "steps": 3, "prefetch": 0, "holdout": 0.3, "levels": 2}


def lively(network: nn.Module) -> nn.Module:
    """With batch norms that do something, in evaluation mode."""
    rng = np.random.default_rng(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for key, low, high in (
                ("running_mean", -0.2, 0.2),
                ("running_var", 0.5, 2),
                ("weight", 0.5, 1.5),
                ("bias", -0.2, 0.2),
            ):
                tensor: Any = getattr(module, key)
                with minigrad.no_grad():
                    tensor.copy_(minigrad.tensor(rng.uniform(low, high, tensor.shape).astype(np.float32)))
    return network.eval()


def classifier(name: str, channels: int = 3, classes: int = 5) -> nn.Module:
    minigrad.manual_seed(3)
    return lively(classifier_of(name, channels, WIDTH, classes))


@pytest.mark.parametrize("strides", [(4,), (8, 16, 32), (32,), (16, 32, 64)], ids=str)
@pytest.mark.parametrize("name", TRUNKS)
def test_the_maps_are_those_of_the_classifier(name: str, strides: tuple[int, ...]) -> None:
    network = classifier(name)
    images = minigrad.tensor(np.random.default_rng(1).standard_normal((2, 3, 64, 128)).astype(np.float32))
    theirs: dict[str, Any] = {}
    for layer, module in network.named_modules():
        module.register_forward_hook(lambda _, given, out, layer=layer: theirs.__setitem__(layer, out))
    with minigrad.no_grad():
        network(images)
        trunk = Trunk(name, 3, WIDTH, strides, 1).eval()
        before = trunk(images)
        trunk.begin_from(network)
        found = trunk(images)
    assert [each.shape[1] for each in found] == list(trunk.channels)
    for stride, was, each in zip(strides, before, found, strict=True):
        assert tuple(each.shape[2:]) == (64 // stride, 128 // stride) and not minigrad.allclose(was, each)
        if stride < 64:  # which no classifier has
            wanted = theirs[LAST[name][stride.bit_length() - 2]].numpy()
            assert np.abs(each.numpy() - wanted).max() < 1e-4 * np.abs(wanted).max()


@pytest.mark.parametrize(("share", "rates"), [(None, [1, 0.1]), (0.5, [1, 0.5]), (0, [1])])
def test_what_learns(share: float | None, rates: list[float], tmp_path: Path) -> None:
    """Not the first layers, the others more slowly; and the last layers of the detector as ever."""
    made, _ = begun(tmp_path, backbone=share)
    groups = made.descent.optimizer.param_groups
    assert np.allclose([group["initial_lr"] / groups[0]["initial_lr"] for group in groups], rates)
    before = {name: value.clone() for name, value in made.descent.module.state_dict().items()}
    for batch, _ in zip(made.batches(), range(3)):
        made.step(batch)
    moved = {name for name, value in made.descent.module.state_dict().items() if not minigrad.equal(value, before[name])}
    trunk = {name for name in before if name.startswith("pyramid.backbone.")}
    fixed = {name for name in trunk if int(name.split(".")[3]) < FIXED}
    assert fixed and moved & trunk == (trunk - fixed if share != 0 else set())
    assert {name.split(".")[0] for name in moved} == {"pyramid", "proposer", "box_head"}


def test_stages_beyond_the_classifier_learn_as_the_heads_do(tmp_path: Path) -> None:
    """Also where the classifier's do not: nothing has taught them anything."""
    for share in (None, 0):
        made, _ = begun(tmp_path, backbone=share, levels=5)
        network: Any = made.descent.module
        ends = list(network.pyramid.backbone.stages)[5:]
        rates = {id(p): group["initial_lr"] for group in made.descent.optimizer.param_groups for p in group["params"]}
        weights = [p for layers in ends for p in layers.parameters()]
        assert weights and {rates[id(p)] for p in weights} == {rates[id(network.proposer.conv.weight)]}
        made.step(next(made.batches()))
        assert all(layers.training for layers in ends)


def begun(folder: Path, name: str = "resnet18", **settings: Any) -> tuple[Detect, dict[str, Any]]:
    """A task that begins with a classifier, and the weights of that."""
    birds = folder / "birds"
    if not birds.exists():
        voc(birds, BIRDS)
    network = classifier(name)
    made = Detect(str(birds), DetectSettings.of({**TINY, **settings}), like=card_of(name))
    weights = dict(network.state_dict())
    made.begin_from(weights)
    return made, weights


def card_of(name: str, **changed: Any) -> dict[str, Any]:
    options = {} if name == "efficientnet-lite0" else {"width": WIDTH, "small_images": False}
    numbers = {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.25, 0.3]}
    classes = [f"class {n}" for n in range(5)]
    return {"network": name, "options": options, "shape": [3, 64, 64], "classes": classes, **numbers, "crop": 0.875, **changed}


@pytest.mark.parametrize("name", TRUNKS)
def test_images_are_scaled_as_the_classifier_wants_them(name: str, tmp_path: Path) -> None:
    made, weights = begun(tmp_path, name)
    assert (made.card.mean, made.card.std) == ((0.4, 0.5, 0.6), (0.2, 0.25, 0.3))
    assert made.card.options["network"] == name and made.settings.backbone == 0.1
    image = np.random.default_rng(0).integers(0, 256, (3, 64, 64)).astype(np.uint8)
    wanted = (image / 255 - np.array([0.4, 0.5, 0.6]).reshape(3, 1, 1)) / np.array([0.2, 0.25, 0.3]).reshape(3, 1, 1)
    assert np.allclose(made.finder.tensor([image]).numpy()[0], wanted, atol=1e-5)
    again = Detect.of({**made.config(), "init_from": {}})
    assert (again.settings, again.card) == (made.settings, made.card)
    again.begin_from(weights)  # as a run does that was killed before its first checkpoint
    own = made.descent.module.state_dict()
    first, stage = halvings(classifier(name)), "pyramid.backbone.stages"
    for number in range(2):
        assert all(minigrad.equal(own[f"{stage}.{number}.{key}"], x) for key, x in first[number].state_dict().items())
    for state in (again.descent.module.state_dict(), again.descent.learned.state_dict()):
        assert all(minigrad.equal(state[key], own[key]) for key in own)


def test_a_run_from_a_file_of_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Trained, measured, used, and begun with by another detector."""
    birds = voc(tmp_path / "birds", BIRDS)
    minigrad.save(dict(classifier("resnet18").state_dict()), tmp_path / "mine.safetensors")
    words = [word for name, value in TINY.items() for word in ("--set", f"{name}={value}")]
    train = ["train", "detect", "--data", str(birds), *words]
    assert main([*train, "--init-from", str(tmp_path / "mine.safetensors"), "--out", str(tmp_path / "run")]) == 0
    told = capsys.readouterr().out
    assert "backbone: the layers of resnet18, a classifier of photos; it learns at 0.1 of the rate" in told
    config = Run(tmp_path / "run").config()
    assert config["model"]["options"]["network"] == "resnet18" and config["model"]["options"]["width"] == WIDTH
    assert main(["eval", str(tmp_path / "run"), "--json"]) == 0
    assert 0 <= json.loads(capsys.readouterr().out)["ap50"] <= 1
    assert main(["detect", str(tmp_path / "run"), str(birds / "a.png"), "--out", str(tmp_path / "found")]) == 0
    assert main([*train[:-4], "--init-from", str(tmp_path / "run"), "--out", str(tmp_path / "two")]) == 0
    two = Run(tmp_path / "two").config()["model"]
    assert two["options"] == config["model"]["options"] and two["mean"] == config["model"]["mean"]
    again = shlex.split(command(config))  # with every setting that was found written out
    assert main([*again[1:], "--out", str(tmp_path / "again")]) == 0
    assert Run(tmp_path / "again").config() == config


USUAL: dict[str, tuple[str, dict[str, Any], str | None]] = {
    "photos": (".", {}, "efficientnet-lite0"),
    "what is not there": ("photos", {}, None),
    "a named set of photos": ("deepforest", {"steps": 3, "backbone": 0.0}, "efficientnet-lite0"),
    "composed scenes": ("scenes", {}, None),
    "a width of its own": (".", {"width": 32}, None),
    "grey": (".", {"channels": 1}, None),
}


@pytest.mark.parametrize("case", USUAL)
def test_what_a_detector_begins_with_where_nothing_is_said(case: str) -> None:
    data, settings, wanted = USUAL[case]
    assert data == "." or not Path(data).exists()
    assert Detect.usual_start(data, DetectSettings.of(settings)) == wanted
    assert Task.usual_start(data, DetectSettings.of(settings)) is None


@pytest.mark.parametrize(
    ("words", "start"),
    [((), "mine.safetensors"), (("--init-from", "none"), None), (("--init-from", "none", "--set", "width=4"), None)],
)
def test_what_is_usual_is_taken_unless_said(
    words: tuple[str, ...], start: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    minigrad.save(dict(classifier("resnet18").state_dict()), "mine.safetensors")
    monkeypatch.setattr(Detect, "usual_start", lambda data, settings: "mine.safetensors")
    settings = [word for name, value in TINY.items() for word in ("--set", f"{name}={value}")]
    assert main(["train", "detect", "--data", str(voc(Path("birds"), BIRDS)), "--out", "run", *settings, *words]) == 0
    config = Run("run").config()
    assert config.get("init_from", {}).get("model") == start
    assert config["model"]["options"]["network"] == ("residual" if start is None else "resnet18")


def test_a_start_that_cannot_be_had_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Unless it was asked for."""

    def refuse(*_: Any) -> Any:
        raise DataError("data", "efficientnet-lite0", "a connection", "no network")

    monkeypatch.setattr(trained, "fetch", refuse)
    settings = [word for name, value in TINY.items() for word in ("--set", f"{name}={value}")]
    train = ["train", "detect", "--data", str(voc(tmp_path / "birds", BIRDS)), *settings]
    assert main([*train, "--out", str(tmp_path / "run")]) == 0
    told = capsys.readouterr().err
    assert "note: efficientnet-lite0 cannot be had, so the network begins with weights that know nothing: " in " ".join(
        told.split()
    )
    assert "init_from" not in Run(tmp_path / "run").config()
    assert main([*train, "--init-from", "efficientnet-lite0", "--out", str(tmp_path / "two")]) == 2
    assert "expected a connection, got no network" in " ".join(capsys.readouterr().err.split())


REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "as small images as it was made for": ({"options": {"width": 4}}, {}, "got resnet18, made for images of 64x64"),
    "one that is too wide": ({"options": {"width": 513, "small_images": False}}, {}, "expected a classifier of at most 512 ch"),
    "small images": (
        {"options": {"width": 4, "small_images": True}},
        {},
        "--init-from: expected a detector, or a classifier of",
    ),
    "another network": (
        {"network": "cnn", "options": {}},
        {},
        "--init-from: expected a detector, or a classifier of photos: eff",
    ),
    "a width": ({}, {"width": 8}, "--set: width: expected auto or 4, as that classifier has, got 8"),
    "grey photos": ({}, {"channels": 1}, "--set: channels: expected 3, as that classifier has, got 1"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_go_with_a_classifier(case: str, tmp_path: Path) -> None:
    changed, chosen, words = REFUSED[case]
    birds = voc(tmp_path / "birds", BIRDS)
    with pytest.raises(ArgumentError, match=words):
        Detect(str(birds), DetectSettings.of({**TINY, **chosen}), like=card_of("resnet18", **changed))


def test_weights_of_another_classifier_are_refused_whole(tmp_path: Path) -> None:
    made, weights = begun(tmp_path)
    before = {name: value.clone() for name, value in made.descent.module.state_dict().items()}
    with pytest.raises(StateError):
        made.begin_from({**weights, "layer1.0.conv1.weight": minigrad.ones(2, 2, 3, 3)})
    assert all(minigrad.equal(value, before[name]) for name, value in made.descent.module.state_dict().items())
    with pytest.raises(ArgumentError, match=r"network: expected residual, efficientnet-lite0, resnet18, .*, got 'vgg'"):
        Detector(2, network="vgg")


@pytest.mark.parametrize("like", [[1], "resnet18", {}, {"network": []}, {"network": "detector", "options": 5}], ids=repr)
def test_a_model_to_begin_from_that_is_damaged(like: Any, tmp_path: Path) -> None:
    birds = voc(tmp_path / "birds", BIRDS)
    with pytest.raises(RunError, match="what the network is, as minigrad train detect writes it"):
        Detect(str(birds), DetectSettings.of(TINY), like=like)


def test_a_width_that_a_backbone_does_not_have(tmp_path: Path) -> None:
    made, _ = begun(tmp_path, "efficientnet-lite0", width=32)  # the one that it has
    with pytest.raises(ArgumentError, match="--set: width: expected auto, as that detector's backbone has its own, got 8"):
        Detect(str(tmp_path / "birds"), DetectSettings.of({**TINY, "width": 8}), like=made.card.to_config())


def test_classes_beyond_all_memory_are_not_made(tmp_path: Path) -> None:
    """A tensor without numbers may claim any size; the last layer of a classifier is of no use here."""
    made, weights = begun(tmp_path)
    made.begin_from({**weights, "fc.weight": minigrad.zeros(10**12, 0)})


def test_a_cascade_is_no_beginning(tmp_path: Path) -> None:
    birds = voc(tmp_path / "birds", BIRDS)
    with pytest.raises(ArgumentError, match=r"--init-from: expected a detector .*, got mtcnn, a cascade of three networks"):
        Detect(str(birds), DetectSettings.of(TINY), like={"network": "mtcnn"})


def test_variances_below_nothing_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    birds, network = voc(tmp_path / "birds", BIRDS), classifier("resnet18")
    norm: Any = network.bn1
    with minigrad.no_grad():
        norm.running_var.fill_(-1.0)
    minigrad.save(dict(network.state_dict()), tmp_path / "mine.safetensors")
    words = ["--data", str(birds), "--init-from", str(tmp_path / "mine.safetensors"), "--out", str(tmp_path / "run")]
    assert main(["train", "detect", *words]) == 2
    assert "variances of batch norms that are not below 0, got such in bn1.running_var" in capsys.readouterr().err


def test_other_tasks_begin_with_their_own_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    birds = voc(tmp_path / "birds", BIRDS)
    assert (
        main(["train", "detect", "--data", str(birds), "--init-from", "shakespeare-lstm", "--out", str(tmp_path / "no")]) == 2
    )
    assert "expected a model of the task detect or classify, got one of the task text" in capsys.readouterr().err


def test_layers_that_do_not_learn_cost_a_third() -> None:
    network = Detector(2, network="resnet18", width=WIDTH, channels=4, hidden=8, strides=(4, 8), sizes=(8, 16))
    whole = multiplications_of(network, (3, 64, 64))
    fixed = 32 * 32 * 3 * 49 * WIDTH + 16 * 16 * 4 * 9 * WIDTH**2
    for layers in network.pyramid.backbone.stages:
        layers.requires_grad_(True)
    assert multiplications_of(network, (3, 64, 64)) - whole == 2 * fixed


def test_a_classifier_of_its_own_training_will_do() -> None:
    """What ``minigrad train classify`` makes of that network has the same names."""
    theirs = build("resnet18", (3, 96, 96), 5, width=WIDTH, small_images=False)
    assert list(theirs.state_dict()) == list(classifier("resnet18").state_dict())


LARGE: dict[str, dict[str, Any]] = {
    "few": {},
    "few of a classifier": {"network": "resnet18"},
    "wide": {"width": 130},
    "wide maps": {"channels": 514},
    "a large head": {"hidden": 2050},
    "deep": {"blocks": 16, "width": 2},
}


@pytest.mark.parametrize("case", LARGE)
def test_the_parameters_of_a_large_one_are_told_without_making_it(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"width": 4, "channels": 8, "hidden": 16, "blocks": 1, "masks": True, **LARGE[case]}
    wanted = sum(p.numel() for p in Detector(7, **options).parameters())
    made: list[int] = []

    class Watched(Detector):
        def __init__(self, *args: Any, **given: Any) -> None:
            super().__init__(*args, **given)
            made.append(sum(p.numel() for p in self.parameters()))

    monkeypatch.setattr(detector_cost, "Detector", Watched)
    assert detector_cost.parameters(7, 3, options) == wanted
    assert max(made) == wanted if case.startswith("few") else max(made) < 0.5 * wanted


def test_a_card_of_a_network_beyond_all_memory_is_told_at_once() -> None:
    content = {"width": 512, "channels": 1024, "hidden": 8192, "blocks": 16, "network": "residual"}
    assert detector_cost.parameters(10_000, 3, content) > 2e9
