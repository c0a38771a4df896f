"""A layer and the ReLU behind it in one op: the same numbers and gradients of any order, and only where nothing is lost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.core.tape import Observer, mode
from minigrad.errors import ShapeError

LAYERS = {
    "linear": (lambda: nn.Linear(6, 5), (4, 6)),
    "linear over three dimensions": (lambda: nn.Linear(6, 5), (2, 3, 6)),
    "linear, no bias": (lambda: nn.Linear(6, 5, bias=False), (4, 6)),
    "conv": (lambda: nn.Conv2d(3, 4, 3, padding=1), (2, 3, 5, 6)),
    "conv, one image": (lambda: nn.Conv2d(3, 4, 3), (3, 5, 6)),
    "batch norm": (lambda: nn.BatchNorm2d(3), (4, 3, 2, 3)),
    "batch norm, no scale and shift": (lambda: nn.BatchNorm2d(3, affine=False), (4, 3, 2, 3)),
    "batch norm of rows": (lambda: nn.BatchNorm1d(6), (5, 6)),
    "batch norm, evaluation": (lambda: nn.BatchNorm2d(3).eval(), (4, 3, 2, 3)),
    "conv, a channel a group": (lambda: nn.Conv2d(4, 4, 3, groups=4), (2, 4, 5, 6)),
}


class Names(Observer):
    def __init__(self) -> None:
        self.seen: list[str] = []

    def forward(self, node: Any, args: tuple, outputs: tuple) -> None:
        self.seen.append(type(node).__name__)


def layer_and_input(name: str) -> tuple[nn.Module, minigrad.Tensor]:
    make, shape = LAYERS[name]
    minigrad.manual_seed(0)
    layer = make().double()
    return layer, minigrad.tensor(np.random.default_rng(1).standard_normal(shape), requires_grad=True)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("activation", ["ReLU", "ReLU6"])
def test_numbers_and_gradients_of_both_orders(activation: str, name: str) -> None:
    layer, x = layer_and_input(name)
    if activation == "ReLU6":
        x = (8 * x).detach().requires_grad_()  # beyond 6 too
    inputs = [x, *layer.parameters()]
    results = []
    for y in (nn.Sequential(layer, getattr(nn, activation)())(x), getattr(nn.functional, activation.lower())(layer(x))):
        first = minigrad.autograd.grad((y * y).sum(), inputs, create_graph=True)
        second = minigrad.autograd.grad(sum((g * g).sum() for g in first), inputs)
        results.append([each.detach().numpy() for each in (y, *first, *second)])
    for joined, apart in zip(*results, strict=True):
        np.testing.assert_allclose(joined, apart, rtol=1e-12, atol=1e-12)
    assert (results[0][0] == 0).any() and (results[0][0] > 0).any()


@pytest.mark.parametrize("activation", ["relu", "relu6"])
def test_a_convolution_does_it_alone_only_where_nothing_is_lost(activation: str) -> None:
    layer, x = layer_and_input("conv")
    joined = getattr(layer, f"forward_{activation}")
    assert type(joined(x).grad_fn).__name__ == "Conv2d"
    assert type(nn.Sequential(layer, nn.ReLU6())(x).grad_fn).__name__ == "Conv2d"
    heard: list[Any] = []
    layer.register_forward_hook(lambda module, args, output: heard.append(output))
    y = joined(x)
    np.testing.assert_array_equal(y.detach(), getattr(nn.functional, activation)(heard[0]).detach())
    assert (heard[0].detach().numpy() < 0).any()


def test_a_nan_lets_its_gradient_pass_a_convolution_with_relu6() -> None:
    x = minigrad.tensor([[[[np.nan, 9.0, 1.0]]]], requires_grad=True)
    y = nn.utils.fuse_conv_bn_eval(nn.Conv2d(1, 1, 1).eval(), nn.BatchNorm2d(1).eval())
    y.weight.data.fill_(1.0)
    y.bias.data.fill_(0.0)
    y.forward_relu6(x).sum().backward()
    assert x.grad.flatten().tolist() == [1.0, 0.0, 1.0]


def test_joined_only_where_nothing_is_lost() -> None:
    layer, x = layer_and_input("linear")
    plain = nn.Sequential(layer, nn.ReLU())
    assert type(plain(x).grad_fn).__name__ == "Linear"
    heard: list[Any] = []
    plain[1].register_forward_hook(lambda module, args, output: heard.append(args[0]))
    assert type(plain(x).grad_fn).__name__ == "Relu" and (heard[0].detach().numpy() < 0).any()

    class Doubled(nn.Linear):
        def forward(self, input: minigrad.Tensor) -> minigrad.Tensor:
            return 2 * super().forward(input)

    class Loud(nn.ReLU):
        def forward(self, input: minigrad.Tensor) -> minigrad.Tensor:
            return super().forward(input) + 1

    for modules in ((Doubled(6, 5), nn.ReLU()), (nn.Linear(6, 5), Loud())):
        minigrad.manual_seed(0)
        given = minigrad.ones(1, 6)
        np.testing.assert_array_equal(nn.Sequential(*modules)(given).detach(), modules[1](modules[0](given)).detach())
    names = Names()
    mode.observers = (names,)
    try:
        nn.Sequential(layer, nn.ReLU())(x)
    finally:
        mode.observers = ()
    assert names.seen == ["Linear", "Relu"]
    assert type(nn.Sequential(layer)(x).grad_fn).__name__ == "Linear"  # nothing behind it


def residual_block(norm: nn.BatchNorm2d, x: minigrad.Tensor, shortcut: minigrad.Tensor, joined: bool) -> minigrad.Tensor:
    return norm.forward_relu(x, shortcut) if joined else nn.functional.relu(norm(x) + shortcut)


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_takes_a_residual_too(training: bool) -> None:
    rng = np.random.default_rng(2)
    x, shortcut = (minigrad.tensor(rng.standard_normal((3, 4, 2, 2)), requires_grad=True) for _ in range(2))
    results = []
    for joined in (True, False):
        norm = nn.BatchNorm2d(4).double().train(training)
        norm.weight.data.copy_(minigrad.tensor([0.5, -1.0, 2.0, 0.0]))
        y = residual_block(norm, x, shortcut, joined)
        inputs = [x, shortcut, norm.weight, norm.bias]
        first = minigrad.autograd.grad((y * y).sum(), inputs, create_graph=True)
        second = minigrad.autograd.grad(sum((g * g).sum() for g in first), inputs)
        results.append([each.detach().numpy() for each in (y, *first, *second, norm.running_mean, norm.running_var)])
    for ours, apart in zip(*results, strict=True):
        np.testing.assert_allclose(ours, apart, rtol=1e-12, atol=1e-12)


def test_a_residual_of_another_shape_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"residual.*\(2, 3, 4, 4\).*\(1, 3, 4, 4\)"):
        nn.BatchNorm2d(3).forward_relu(minigrad.ones(2, 3, 4, 4), minigrad.ones(1, 3, 4, 4))


def test_a_residual_is_joined_only_where_nothing_is_lost() -> None:
    class Shifted(nn.BatchNorm2d):
        def forward(self, input: minigrad.Tensor) -> minigrad.Tensor:
            return super().forward(input) + 1

    x = minigrad.tensor(np.random.default_rng(3).standard_normal((3, 4, 2, 2)), dtype=minigrad.float32)
    for norm in (Shifted(4), nn.BatchNorm2d(4)):
        heard: list[Any] = []
        norm.register_forward_hook(lambda module, args, output, heard=heard: heard.append(output))
        y = norm.forward_relu(x, x)
        np.testing.assert_array_equal(y.detach(), minigrad.relu(heard[0] + x).detach())
