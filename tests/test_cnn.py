"""The networks of ``models/cnn.py`` and ``models/resnet.py``: what they are made of, for which images, and their words.

That their gradients are PyTorch's, and the numeric ones, is tested in ``test_networks.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad
from minigrad import nn
from minigrad.benchmarks.source import run_source
from minigrad.core.machine import Memory
from minigrad.errors import ArgumentError, DTypeError, MinigradError, OutOfMemoryError, ShapeError
from minigrad.models import cost
from minigrad.models.cnn import NETWORKS, PlainCNN, ResNet, ResNet18, build, options_of, stages_for
from minigrad.models.efficientnet import EfficientNetLite
from minigrad.models.keras_cnn import KerasCNN
from minigrad.study import describe
from tests.test_networks import CNN


def count(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def shapes(net: nn.Module) -> list[tuple[str, tuple[int, ...]]]:
    return [(key, tuple(tensor.shape)) for key, tensor in net.state_dict().items()]


# ---------------------------------------------------------------- what they are made of


@pytest.mark.parametrize(
    ("make", "parameters"),
    [
        (lambda: ResNet(20), 269_722),
        (lambda: ResNet(32), 464_154),
        (lambda: ResNet(56), 853_018),
        (lambda: ResNet18(), 11_689_512),
        (lambda: ResNet18(layers=(3, 4, 6, 3)), 21_797_672),
        (lambda: ResNet18(layers=(3, 4, 6, 3), bottleneck=True), 25_557_032),
        (lambda: PlainCNN(), 896 + 9248 + 18496 + 36928 + 1048832 + 2570),
        (lambda: PlainCNN(norm=True), 896 + 9248 + 18496 + 36928 + 1048832 + 2570 + 192),  # a scale more than the biases
    ],
    ids=["resnet20", "resnet32", "resnet56", "resnet18", "resnet34", "resnet50", "plain", "plain-norm"],
)
def test_number_of_parameters(make: Callable[[], nn.Module], parameters: int) -> None:
    assert count(make()) == parameters


def norm_shapes(path: str, channels: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    for name in ("weight", "bias", "running_mean", "running_var"):
        yield f"{path}.{name}", (channels,)
    yield f"{path}.num_batches_tracked", ()


def resnet18_shapes() -> Iterator[tuple[str, tuple[int, ...]]]:
    """The keys of torchvision's ``resnet18().state_dict()`` and their shapes."""
    yield "conv1.weight", (64, 3, 7, 7)
    yield from norm_shapes("bn1", 64)
    for layer, before, after in ((1, 64, 64), (2, 64, 128), (3, 128, 256), (4, 256, 512)):
        for block in (0, 1):
            path = f"layer{layer}.{block}"
            yield f"{path}.conv1.weight", (after, after if block else before, 3, 3)
            yield from norm_shapes(f"{path}.bn1", after)
            yield f"{path}.conv2.weight", (after, after, 3, 3)
            yield from norm_shapes(f"{path}.bn2", after)
            if block == 0 and layer > 1:
                yield f"{path}.downsample.0.weight", (after, before, 1, 1)
                yield from norm_shapes(f"{path}.downsample.1", after)
    yield "fc.weight", (1000, 512)
    yield "fc.bias", (1000,)


def test_resnet18_has_the_state_of_torchvision() -> None:
    known = list(resnet18_shapes())
    assert len(known) == 122
    assert shapes(ResNet18()) == known
    small = dict(shapes(ResNet18(small_images=True)))
    assert small == {**dict(known), "conv1.weight": (64, 3, 3, 3)}


def resnet50_shapes() -> Iterator[tuple[str, tuple[int, ...]]]:
    """The keys of torchvision's ``resnet50().state_dict()`` and their shapes."""
    yield "conv1.weight", (64, 3, 7, 7)
    yield from norm_shapes("bn1", 64)
    before = 64
    for layer, (blocks, inner) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512)), 1):
        for block in range(blocks):
            path = f"layer{layer}.{block}"
            for number, (wide, narrow, side) in enumerate(((inner, before, 1), (inner, inner, 3), (4 * inner, inner, 1)), 1):
                yield f"{path}.conv{number}.weight", (wide, narrow, side, side)
                yield from norm_shapes(f"{path}.bn{number}", wide)
            if block == 0:
                yield f"{path}.downsample.0.weight", (4 * inner, before, 1, 1)
                yield from norm_shapes(f"{path}.downsample.1", 4 * inner)
            before = 4 * inner
    yield "fc.weight", (1000, 2048)
    yield "fc.bias", (1000,)


def test_resnet50_has_the_state_of_torchvision() -> None:
    known = list(resnet50_shapes())
    assert len(known) == 320
    net = ResNet18(layers=(3, 4, 6, 3), bottleneck=True)
    assert shapes(net) == known
    strides = {name: module.stride for name, module in net.named_modules() if isinstance(module, nn.Conv2d)}
    assert strides["layer2.0.conv1"] == (1, 1) and strides["layer2.0.conv2"] == (2, 2) == strides["layer2.0.downsample.0"]


@pytest.mark.parametrize("size", [(28, 28), (32, 32)])
def test_the_default_plain_network_stays_what_it_is(size: tuple[int, int]) -> None:
    features = size[0] // 4 * (size[1] // 4) * 64
    assert shapes(PlainCNN(image_size=size)) == [
        *(("features.0.weight", (32, 3, 3, 3)), ("features.0.bias", (32,))),
        *(("features.2.weight", (32, 32, 3, 3)), ("features.2.bias", (32,))),
        *(("features.5.weight", (64, 32, 3, 3)), ("features.5.bias", (64,))),
        *(("features.7.weight", (64, 64, 3, 3)), ("features.7.bias", (64,))),
        *(("classifier.2.weight", (256, features)), ("classifier.2.bias", (256,))),
        *(("classifier.5.weight", (10, 256)), ("classifier.5.bias", (10,))),
    ]


def test_norm_stands_behind_each_convolution_and_takes_its_bias() -> None:
    kinds = [type(layer).__name__ for layer in PlainCNN(width=2, norm=True).features]
    assert kinds == ["Conv2d", "BatchNorm2d", "ReLU", "Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d"] * 2
    assert all(layer.bias is None for layer in PlainCNN(width=2, norm=True).features if isinstance(layer, nn.Conv2d))


def test_width_doubles_up_to_eight_times() -> None:
    net = PlainCNN(image_size=(64, 64), width=2, hidden=3, stages=6)
    assert [layer.out_channels for layer in net.features if isinstance(layer, nn.Conv2d)][::2] == [2, 4, 8, 16, 16, 16]


@pytest.mark.parametrize(
    ("size", "stages"),
    [
        *(((28, 28), 2), ((32, 32), 2), ((35, 35), 2), ((36, 36), 3), ((64, 64), 3), ((96, 96), 4), ((224, 224), 5)),
        *(((4, 4), 2), ((7, 9), 2), ((48, 64), 3), ((4, 200), 2), ((8, 200), 3)),
    ],
)
def test_stages_follow_from_the_size(size: tuple[int, int], stages: int) -> None:
    assert stages_for(size) == stages
    assert sum(isinstance(layer, nn.MaxPool2d) for layer in PlainCNN(image_size=size, width=1).features) == stages


# ---------------------------------------------------------------- images of any size


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from([name for name in sorted(NETWORKS) if "width" in options_of(name)]),
    channels=st.integers(1, 4),
    height=st.integers(4, 40),
    width=st.integers(4, 40),
    classes=st.integers(1, 5),
)
def test_every_network_takes_every_size(name: str, channels: int, height: int, width: int, classes: int) -> None:
    check_step(build(name, (channels, height, width), classes, width=2), channels, height, width, classes)


@pytest.mark.parametrize(("name", "height", "width"), [("efficientnet-lite0", 5, 37), ("keras-cnn", 32, 41)])
def test_networks_of_one_width_take_every_size_too(name: str, height: int, width: int) -> None:
    check_step(build(name, (1, height, width), 3), 1, height, width, 3)


def check_step(net: nn.Module, channels: int, height: int, width: int, classes: int) -> None:
    """One training step: logits and gradients of all parameters are finite and of the right shape."""
    images = minigrad.randn(3, channels, height, width)
    logits = net(images)
    assert logits.shape == (3, classes)
    nn.functional.cross_entropy(logits, minigrad.tensor([0, classes - 1, 0])).backward()
    for key, parameter in net.named_parameters():
        assert parameter.grad is not None and parameter.grad.shape == parameter.shape, key
        assert np.isfinite(parameter.grad.numpy()).all(), key


@pytest.mark.parametrize("small", [False, True])
def test_map_sizes_of_resnet18(small: bool) -> None:
    net = ResNet18(width=1, num_classes=2, small_images=small)
    rows = {row.layer.split()[0]: row.shape[1:] for row in describe(net, (3, 65, 33))}
    expected = [(65, 33), (65, 33), (33, 17), (17, 9), (9, 5)] if small else [(33, 17), (17, 9), (9, 5), (5, 3), (3, 2)]
    assert [rows[layer] for layer in ("conv1", "layer1", "layer2", "layer3", "layer4")] == expected


# ---------------------------------------------------------------- a residual block that begins as its shortcut


def mean_squared_logits_step(net: Any, images: minigrad.Tensor) -> None:
    net.zero_grad()
    (net(images) - 1).square().mean().backward()


@pytest.mark.parametrize("name", ["resnet20", "resnet18"])
def test_zero_init_residual(name: str) -> None:
    net: Any = build(name, (3, 16, 16), 2, width=4, zero_init_residual=True)
    plain: Any = build(name, (3, 16, 16), 2, width=4)
    zero = {key for key, tensor in net.named_parameters() if key.endswith("weight") and not tensor.any()}
    scales = {key for key, _ in net.named_parameters() if key.endswith("bn2.weight")}
    padded = {"layer2.0.bn2.weight", "layer3.0.bn2.weight"} if name == "resnet20" else set()
    assert zero == scales - padded
    assert not any(not tensor.any() for key, tensor in plain.named_parameters() if key.endswith("weight"))
    x = minigrad.rand(2, 4, 8, 8)
    assert minigrad.equal(net.layer1(x), x)
    assert not minigrad.equal(plain.layer1(x), x)


@pytest.mark.parametrize("name", ["resnet20", "resnet18"])
def test_no_channel_stays_zero_for_ever(name: str) -> None:
    """At the first step the scales have a gradient, at the next all parameters."""
    net: Any = build(name, (3, 16, 16), 2, width=4, zero_init_residual=True)
    images = minigrad.randn(8, 3, 16, 16)
    mean_squared_logits_step(net, images)
    for key, parameter in net.named_parameters():
        if key.endswith("bn2.weight"):
            assert (parameter.grad != 0).all(), key
    minigrad.optim.SGD(net.parameters(), lr=0.05).step()
    mean_squared_logits_step(net, images)
    for key, parameter in net.named_parameters():
        assert parameter.grad.any(), key


# ---------------------------------------------------------------- networks by name


@pytest.mark.parametrize(
    ("name", "kind", "parameters"),
    [
        ("cnn", PlainCNN, 1_117_162),
        ("resnet20", ResNet, 269_722),
        ("resnet32", ResNet, 464_154),
        ("resnet56", ResNet, 853_018),
        ("resnet18", ResNet18, 11_173_962),  # with the step for small images
        ("resnet34", ResNet18, 21_282_122),
        ("resnet50", ResNet18, 23_520_842),
        ("efficientnet-lite0", EfficientNetLite, 3_383_818),
        ("keras-cnn", KerasCNN, 968_394),
    ],
)
def test_build(name: str, kind: type, parameters: int) -> None:
    net = build(name, (3, 32, 32), 10)
    assert type(net) is kind and count(net) == parameters


def test_every_name_is_tested() -> None:
    names = ["cnn", "resnet20", "resnet32", "resnet56", "resnet18", "resnet34", "resnet50", "efficientnet-lite0", "keras-cnn"]
    assert list(NETWORKS) == names


def test_options_and_what_stands_for_them() -> None:
    def kinds(**options: Any) -> set[str]:
        return {type(module).__name__ for module in build("cnn", (1, 28, 28), 3, width=2, **options).modules()}

    assert "BatchNorm2d" in kinds() and "BatchNorm2d" not in kinds(norm=False)

    def first(side: int, **options: Any) -> tuple[int, ...]:
        net: Any = build("resnet18", (3, side, side), 2, width=2, **options)
        return net.conv1.kernel_size

    assert [first(64), first(65), first(64, small_images=False), first(65, small_images=True)] == [
        *((3, 3), (7, 7), (7, 7), (3, 3)),
    ]


REFUSALS: list[tuple[Callable[[], Any], type[MinigradError], str]] = [
    (
        lambda: PlainCNN(image_size=(12, 30), stages=4),
        ArgumentError,
        "PlainCNN: image_size: expected images that can be halved 4 times, as stages=4 asks, got 12 x 30. "
        "Use larger images, or stages=3.",
    ),
    (
        lambda: PlainCNN(stages=10**9),
        ArgumentError,
        "PlainCNN: image_size: expected images that can be halved 1000000000 times, as stages=1000000000 asks, got 32 x 32. "
        "Use larger images, or stages=5.",
    ),
    (
        lambda: PlainCNN(image_size=(3, 8)),
        ArgumentError,
        "PlainCNN: image_size: expected (height, width), each 4 or more, got (3, 8).",
    ),
    (
        lambda: PlainCNN(image_size=32),  # type: ignore[arg-type]
        ArgumentError,
        "PlainCNN: image_size: expected (height, width), each 4 or more, got 32.",
    ),
    (lambda: PlainCNN(num_classes=0), ArgumentError, "PlainCNN: num_classes: expected at least 1, got 0."),
    (lambda: PlainCNN(width=0), ArgumentError, "PlainCNN: width: expected at least 1, got 0."),
    (lambda: PlainCNN(width=2.5), DTypeError, "PlainCNN: width: expected an integer, got 2.5."),  # type: ignore[arg-type]
    (lambda: PlainCNN(stages=0), ArgumentError, "PlainCNN: stages: expected at least 1, got 0."),
    (lambda: PlainCNN(dropout=1.5), ArgumentError, "Dropout: p: expected a number from 0 to 1, got 1.5."),
    (lambda: PlainCNN(width="32"), DTypeError, "PlainCNN: width: expected an integer, got '32'."),  # type: ignore[arg-type]
    (
        lambda: PlainCNN(width=1)(minigrad.zeros(2, 3, 28, 28)),
        ShapeError,
        "PlainCNN: images: expected shape (N, 3, 32, 32), which the network is made for, got shape (2, 3, 28, 28). "
        "Resize them, or make another network.",
    ),
    (lambda: ResNet(depth=18), ArgumentError, "ResNet: depth: expected 6 n + 2 (20, 32, 44, 56, ...), got 18."),
    (lambda: ResNet(depth=2), ArgumentError, "ResNet: depth: expected 6 n + 2 (20, 32, 44, 56, ...), got 2."),
    (lambda: ResNet(in_channels=0), ArgumentError, "ResNet: in_channels: expected at least 1, got 0."),
    (lambda: ResNet18(width=-1), ArgumentError, "ResNet18: width: expected at least 1, got -1."),
    (
        lambda: ResNet18(layers=(3, 4, 6)),
        ArgumentError,
        "ResNet18: layers: expected four counts of blocks, each at least 1, got (3, 4, 6).",
    ),
    (
        lambda: ResNet18(layers=(2, 2, 2, 0)),
        ArgumentError,
        "ResNet18: layers: expected four counts of blocks, each at least 1, got (2, 2, 2, 0).",
    ),
    (
        lambda: build("resnet21", (3, 32, 32), 10),
        ArgumentError,
        "build: name: expected one of cnn, resnet20, resnet32, resnet56, resnet18, resnet34, resnet50, efficientnet-lite0, "
        "keras-cnn, got 'resnet21'.",
    ),
    (
        lambda: build("cnn", (32, 32), 10),  # type: ignore[arg-type]
        ArgumentError,
        "build: shape: expected (channels, height, width), each at least 1, got (32, 32).",
    ),
    (
        lambda: build("resnet20", (3, 32, 32), 10, dropout=0.1),
        ArgumentError,
        "build: dropout: expected an option of resnet20: width, zero_init_residual, got another.",
    ),
    (
        lambda: build("resnet20", (3, 32, 32), 10, depth=32),
        ArgumentError,
        "build: depth: expected an option of resnet20: width, zero_init_residual, got another.",
    ),
    (
        lambda: ResNet(width=1)(minigrad.zeros(1, 3, 4, 4)),
        ShapeError,
        "batch_norm: input: expected more than one value for each channel in training, got shape (1, 4, 1, 1). Use a larger "
        "batch (drop_last=True leaves a last one of one sample out), larger images, or .eval().",
    ),
    (
        lambda: describe(nn.LSTM(3, 2), (4, 3)),
        DTypeError,
        "describe: model: expected a network that returns a Tensor, got a tuple.",
    ),
]


@pytest.mark.parametrize(("call", "error", "words"), REFUSALS, ids=range(len(REFUSALS)))
def test_refusals(call: Callable[[], Any], error: type[MinigradError], words: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == words


@pytest.mark.parametrize("name", [name for name in sorted(NETWORKS) if "width" in options_of(name)])
def test_one_image_at_a_time(name: str) -> None:
    """In evaluation a batch of one, down to a map of one pixel, is answered as it is in a larger batch."""
    net = build(name, (3, 4, 4), 3, width=2)
    images = minigrad.randn(5, 3, 4, 4)
    net(images)
    net.eval()
    alone = minigrad.cat([net(images[n : n + 1]) for n in range(5)])
    assert minigrad.allclose(alone, net(images), rtol=1e-5, atol=1e-6)


# ---------------------------------------------------------------- the table of layers


def test_describe() -> None:
    assert [tuple(row) for row in describe(PlainCNN(1, (9, 8), 3, width=2, hidden=5, norm=True), (1, 9, 8))] == [
        ("features.0 Conv2d", (2, 9, 8), 18),
        ("features.1 BatchNorm2d", (2, 9, 8), 4),
        ("features.3 Conv2d", (2, 9, 8), 36),
        ("features.4 BatchNorm2d", (2, 9, 8), 4),
        ("features.6 MaxPool2d", (2, 4, 4), 0),
        ("features.7 Conv2d", (4, 4, 4), 72),
        ("features.8 BatchNorm2d", (4, 4, 4), 8),
        ("features.10 Conv2d", (4, 4, 4), 144),
        ("features.11 BatchNorm2d", (4, 4, 4), 8),
        ("features.13 MaxPool2d", (4, 2, 2), 0),
        ("classifier.0 Flatten", (16,), 0),
        ("classifier.2 Linear", (5,), 85),
        ("classifier.5 Linear", (3,), 18),
        ("PlainCNN", (3,), 397),
    ]
    assert [tuple(row) for row in describe(ResNet(32), (3, 32, 32))][2:] == [
        ("layer1 5 BasicBlock", (16, 32, 32), 23_360),
        ("layer2 5 BasicBlock", (32, 16, 16), 88_192),
        ("layer3 5 BasicBlock", (64, 8, 8), 351_488),
        ("fc Linear", (10,), 650),
        ("ResNet", (10,), 464_154),
    ]


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_describe_counts_every_parameter_once_and_changes_nothing(name: str) -> None:
    options, side = {"width": 2} if "width" in options_of(name) else {}, 32 if name == "keras-cnn" else 16
    net: Any = build(name, (3, side, side), 4, **options).double()
    next(net.children()).eval()  # a part that the caller has frozen stays so
    handle = net.fc.register_forward_hook(lambda *_: None) if hasattr(net, "fc") else None

    def switches() -> list[Any]:
        return [(module.training, module._hooks and dict(module._hooks.forward)) for module in net.modules()]

    before, drawn = switches(), minigrad.get_rng_state()
    state = {key: tensor.clone() for key, tensor in net.state_dict().items()}
    *rows, whole = describe(net, (3, side, side))
    assert sum(row.parameters for row in rows) == whole.parameters == count(net)
    assert whole.shape == (4,)
    with pytest.raises(MinigradError):
        describe(net, (5, side, side))
    assert switches() == before and (handle is None or net.fc._hooks.forward)
    assert all(minigrad.equal(tensor, state[key]) for key, tensor in net.state_dict().items())
    assert np.array_equal(minigrad.get_rng_state(), drawn)


# ---------------------------------------------------------------- PyTorch


@pytest.mark.peer
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_the_table_makes_the_same_networks_with_pytorch(name: str) -> None:
    import torch

    shape = (1, 32, 32) if name == "keras-cnn" else (1, 28, 28)
    theirs = run_source(CNN, "torch")["build"](name, shape, 7)
    assert isinstance(theirs, torch.nn.Module)
    assert [(key, tuple(tensor.shape)) for key, tensor in theirs.state_dict().items()] == shapes(build(name, shape, 7))


@pytest.mark.parametrize("limit", [None, 2_000_000])
def test_memory_is_what_the_process_may_have(monkeypatch: pytest.MonkeyPatch, limit: int | None) -> None:
    """The machine's, or less where a control group sets a limit, as in a container."""
    there = limit or 4_000_000
    monkeypatch.setattr(cost, "memory", lambda: Memory(4_000_000, 1_000_000, limit))
    cost.check_memory(there // 4, "a network")
    with pytest.raises(OutOfMemoryError, match=r"a network: expected what fits into the 0\.0 GB of memory that this"):
        cost.check_memory(there // 4 + 1, "a network")
