"""Files of weights that were made elsewhere, as models: what they are is told by their names, and what is none is refused."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import minigrad
from minigrad.cli import main
from minigrad.data import LabelledImages
from minigrad.errors import FileFormatError, RunError
from minigrad.models.classifier import Classifier
from minigrad.models.cnn import build
from minigrad.models.resnet import ResNet18
from minigrad.train.trained import Trained
from minigrad.train.weight_file import residual
from tests import torch_files
from tests.shape_images import COLOUR, made_run


def network(name: str, classes: int = 3, channels: int = 3, small: bool = False) -> Any:
    """One that knows nothing, but whose batch norms have seen something."""
    minigrad.manual_seed(0)
    net = build(name, (channels, 64, 64), classes, width=4, small_images=small)
    net.train()(minigrad.randn(4, channels, 64, 64))
    with minigrad.no_grad():
        net.fc.weight.mul_(1e-3)  # so that no class is all but sure
    return net.eval()


def arrays(net: Any) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in net.state_dict().items()}


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50"])
@pytest.mark.parametrize(("channels", "small"), [(3, False), (1, True)])
def test_a_file_is_the_network_that_it_is_of(name: str, channels: int, small: bool, tmp_path: Path) -> None:
    net, path = network(name, channels=channels, small=small), tmp_path / "theirs.pth"
    path.write_bytes(torch_files.whole(arrays(net), "old" if small else "zip"))
    classifier = Classifier.load(str(path))
    side = 32 if small else 224
    assert classifier.card.network == name and classifier.card.shape == (channels, side, side)
    assert classifier.card.classes == ("class 0", "class 1", "class 2")
    image = np.random.default_rng(0).integers(0, 256, (channels, side, side)).astype(np.uint8)
    mean, std = (np.array(each, np.float32)[:, None, None] for each in (classifier.card.mean, classifier.card.std))
    expected = minigrad.softmax(net(minigrad.tensor((image / np.float32(255) - mean) / std)[None]), 1).detach().numpy()
    assert np.allclose(classifier(image[None]), expected, atol=1e-5) and expected.max() < 0.99


WRAPPED = {
    "as it is": lambda weights: weights,
    "in a checkpoint": lambda weights: {"epoch": 3, "state_dict": weights},
    "of several devices": lambda weights: {f"module.{name}": value for name, value in weights.items()},
    "compiled": lambda weights: {f"module._orig_mod.{name}": value for name, value in weights.items()},
    "both": lambda weights: {"model": {f"module.{name}": value for name, value in weights.items()}},
    "old": lambda weights: {name: value for name, value in weights.items() if not name.endswith("num_batches_tracked")},
}


@pytest.mark.parametrize("form", WRAPPED)
def test_what_is_around_the_weights_is_taken_off(form: str, tmp_path: Path) -> None:
    net, path = network("resnet18"), tmp_path / "theirs.safetensors"
    minigrad.save(WRAPPED[form](net.state_dict()), path)
    found = Trained.open(path).weights()
    assert found.keys() == net.state_dict().keys()
    for name, tensor in net.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            assert np.array_equal(found[name].numpy(), tensor.numpy()), name


def test_a_thousand_classes_are_those_of_imagenet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = tmp_path / "names.json"
    names.write_text("[" + ", ".join(f'"name {number}"' for number in range(1000)) + "]")
    monkeypatch.setattr("minigrad.train.weight_file.fetch", lambda known, file: names)
    minigrad.save(network("resnet18", 1000).state_dict(), tmp_path / "theirs.safetensors")
    classes = Trained.open(tmp_path / "theirs.safetensors").config("classify")["model"]["classes"]
    assert (len(classes), classes[7]) == (1000, "name 7")


def test_commands_take_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, photo = tmp_path / "theirs.pth", tmp_path / "photo.png"
    path.write_bytes(torch_files.whole(arrays(network("resnet18", small=True)), "zip"))
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 50, 3)).astype(np.uint8)).save(photo)
    assert main(["classify", str(path), str(photo)]) == 0
    assert "class 2" in capsys.readouterr().out
    assert main(["explain", str(path), str(photo), "--out", str(tmp_path / "cam.png")]) == 0
    assert (tmp_path / "cam.png").stat().st_size > 0
    capsys.readouterr()
    for model, words in ((tmp_path / "none.pth", "no such folder"), (photo, "photo.png")):
        assert main(["classify", str(model), str(photo)]) == 2
        assert words in capsys.readouterr().err


def hostile(path: Path) -> bytes:
    """A pickle that would make a folder."""
    call = torch_files.named("os", "mkdir") + b"(" + torch_files.text(str(path)) + b"tR"
    return torch_files.archive(b"\x80\x02}(" + torch_files.text("fc.weight") + call + b"u.", {})


def test_what_is_no_known_network_is_refused(tmp_path: Path) -> None:
    other = {name: tensor for name, tensor in network("resnet18").state_dict().items() if not name.startswith("layer4.1")}
    one_pixel = ResNet18(3, width=4).state_dict() | {"conv1.weight": minigrad.zeros(4, 3, 1, 1)}
    for number, content in enumerate((other, one_pixel, {}, {"a": minigrad.zeros(2)}, [minigrad.zeros(2)])):
        path = tmp_path / f"{number}.safetensors"
        minigrad.save(content, path)
        with pytest.raises(RunError, match=r"expected weights of resnet18, resnet34, resnet50 under torchvision's names"):
            Trained.open(path)
    run = made_run(tmp_path / "run", COLOUR)
    with pytest.raises(RunError, match=re.escape(f"It lies in a run folder: name that, {run}")):
        Trained.open(run / "model.safetensors")
    whole = torch_files.whole(arrays(network("resnet18")), "zip")
    mark = tmp_path / "made"
    for content in (b"", b"text", whole[: len(whole) // 2], hostile(mark)):
        path = tmp_path / "bad.pth"
        path.write_bytes(content)
        with pytest.raises(FileFormatError):
            Trained.open(path)
    assert not os.path.exists(mark)


def test_sizes_that_do_not_go_together_are_named(tmp_path: Path) -> None:
    too_few = "expected 44,871 numbers, as a network with this first and this last layer has it"
    for shape, words in ((99, 2, 3, 3), "layer3.0.conv1.weight"), ((1, 2, 3, 3), too_few):
        weights = network("resnet18").state_dict() | {"layer3.0.conv1.weight": minigrad.zeros(shape)}
        minigrad.save(weights, tmp_path / "odd.safetensors")
        with pytest.raises(RunError, match=re.escape(words)) as caught:
            Classifier.load(str(tmp_path / "odd.safetensors"))
        assert "config.json" not in str(caught.value)


def test_a_tensor_without_numbers_claims_no_classes(tmp_path: Path) -> None:
    weights = network("resnet18").state_dict() | {"fc.weight": minigrad.zeros(0, 0)}
    minigrad.save(weights, tmp_path / "odd.safetensors")
    with pytest.raises(RunError, match=r"expected weights of resnet18, resnet34, resnet50 under torchvision's names"):
        Trained.open(tmp_path / "odd.safetensors")
    shapes = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    assert residual(shapes | {"fc.weight": (10**12, 0)}) is None  # a file of no size, and a list of all its classes


def test_a_single_output_is_told(tmp_path: Path) -> None:
    minigrad.save(network("resnet18", 1).state_dict(), tmp_path / "one.safetensors")
    with pytest.raises(RunError, match=re.escape("expected a network of two classes or more, got fc.weight (1, 32)")):
        Trained.open(tmp_path / "one.safetensors")


def test_numbers_that_no_network_has_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, photo = tmp_path / "odd.safetensors", tmp_path / "photo.png"
    Image.fromarray(np.zeros((40, 50, 3), np.uint8)).save(photo)
    weights = network("resnet18", small=True).state_dict()
    for name, value, words in (
        ("layer1.0.bn2.running_var", -1.0, "not below 0, got such in layer1.0.bn2.running_var"),
        ("fc.weight", 3e38, "expected a probability of each class, got nan"),
    ):
        minigrad.save(weights | {name: minigrad.full_like(weights[name], value)}, path)
        assert main(["classify", str(path), str(photo), "--json"]) == 2
        assert words in capsys.readouterr().err
    classifier = Classifier.load(path)
    images = LabelledImages(np.zeros((2, *classifier.card.shape), np.uint8), np.zeros(2, np.int64), classifier.card.classes)
    with pytest.raises(RunError, match=words):
        classifier.judge(images)
    assert np.isnan(classifier.judge(images, trained=False).loss)
