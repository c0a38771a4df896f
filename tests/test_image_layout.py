"""Ops on images keep channels last in memory, values and gradients: no image is copied into another order on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad
import minigrad.nn.functional as F
from minigrad.kernels import conv2d, default_of, layout, selected

CHANNELS = 4


def image(n: int = 2, h: int = 6, w: int = 8) -> Any:
    """(N, C, H, W) with C innermost in memory."""
    array = np.random.default_rng(0).standard_normal((n, h, w, CHANNELS)).astype(np.float32)
    return minigrad.from_numpy(array.transpose(0, 3, 1, 2)).requires_grad_()


def vector() -> Any:
    return minigrad.tensor(np.linspace(0.5, 1.5, CHANNELS), dtype=minigrad.float32)


def kernel(*shape: int) -> Any:
    return minigrad.tensor(np.random.default_rng(1).standard_normal(shape), dtype=minigrad.float32)


OPS: dict[str, Callable[[Any], Any]] = {
    "conv2d": lambda x: F.conv2d(x, kernel(5, CHANNELS, 3, 3), padding=1),
    "conv2d/stride": lambda x: F.conv2d(x, kernel(5, CHANNELS, 3, 3), stride=2),
    "conv2d/depthwise": lambda x: F.conv2d(x, kernel(CHANNELS, 1, 3, 3), groups=CHANNELS),
    "conv_transpose2d": lambda x: F.conv_transpose2d(x, kernel(CHANNELS, 5, 4, 4), stride=2, padding=1),
    "max_pool2d": lambda x: F.max_pool2d(x, 2),
    "avg_pool2d": lambda x: F.avg_pool2d(x, 2),
    "adaptive_avg_pool2d": lambda x: F.adaptive_avg_pool2d(x, 3),
    "adaptive_max_pool2d": lambda x: F.adaptive_max_pool2d(x, 3),
    "batch_norm": lambda x: F.batch_norm(x, None, None, vector(), vector(), training=True),
    "batch_norm/evaluation": lambda x: F.batch_norm(x, vector(), vector(), vector(), vector()),
    "group_norm": lambda x: F.group_norm(x, 2, vector(), vector()),
    "instance_norm": lambda x: F.instance_norm(x),
    "interpolate/nearest": lambda x: F.interpolate(x, scale_factor=2),
    "interpolate/bilinear": lambda x: F.interpolate(x, scale_factor=1.5, mode="bilinear"),
    "interpolate/bicubic": lambda x: F.interpolate(x, size=(3, 4), mode="bicubic"),
    "pad": lambda x: F.pad(x, (1, 2, 0, 1)),
    "pad/reflect": lambda x: F.pad(x, (1, 2, 0, 1), mode="reflect"),
    "pixel_shuffle": lambda x: F.pixel_shuffle(x, 2),
    "pixel_unshuffle": lambda x: F.pixel_unshuffle(x, 2),
    "dropout": lambda x: F.dropout(x),
    "dropout2d": lambda x: F.dropout2d(x),
    "alpha_dropout": lambda x: F.alpha_dropout(x, training=True),
    "prelu": lambda x: F.prelu(x, vector()),
    "softmax": lambda x: F.softmax(x, 1),
    "log_softmax": lambda x: F.log_softmax(x, 1),
    "cross_entropy": lambda x: F.cross_entropy(x, minigrad.zeros(2, 6, 8, dtype=minigrad.int64), reduction="none").unsqueeze(1),
}
ACTIVATIONS = [
    "relu",
    "relu6",
    "hardtanh",
    "leaky_relu",
    "rrelu",
    "hardsigmoid",
    "hardswish",
    "hardshrink",
    "softshrink",
    "elu",
    "celu",
    "selu",
    "gelu",
    "silu",
    "mish",
    "softplus",
    "softsign",
    "logsigmoid",
    "tanhshrink",
    "sigmoid",
    "tanh",
]


def check(op: Callable[[Any], Any]) -> None:
    x = image()
    y = op(x)
    assert layout.is_channels_last(y.detach().numpy())
    layout.reset_conversions()
    (y * y).sum().backward()
    assert layout.is_channels_last(x.grad.numpy())
    assert layout.conversions() == 0


@pytest.mark.parametrize("name", OPS)
def test_channels_stay_last(name: str) -> None:
    check(OPS[name])


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_channels_stay_last_in(name: str) -> None:
    check(getattr(F, name))


def test_a_network_converts_its_input_alone() -> None:
    x = minigrad.tensor(np.random.default_rng(0).standard_normal((2, 3, 8, 8)), dtype=minigrad.float32)
    weights = [kernel(CHANNELS, 3, 3, 3).requires_grad_(), kernel(CHANNELS, CHANNELS, 3, 3).requires_grad_()]
    layout.reset_conversions()
    first = F.relu(F.batch_norm(F.conv2d(x, weights[0], padding=1), None, None, vector(), vector(), training=True))
    second = F.batch_norm(F.conv2d(first, weights[1], padding=1), None, None, training=True)
    pooled = F.max_pool2d(F.relu(first + second), 2)
    logits = F.linear(F.adaptive_avg_pool2d(pooled, 1).flatten(1), kernel(3, CHANNELS))
    assert layout.conversions() == 1
    F.cross_entropy(logits, minigrad.tensor([0, 2])).backward()
    assert layout.conversions() == 1
    assert all(w.grad is not None for w in weights)


def test_the_count_sees_a_conversion() -> None:
    layout.reset_conversions()
    F.conv2d(minigrad.ones(1, 3, 4, 4), kernel(2, 3, 3, 3))
    assert layout.conversions() == 1


def test_a_convolution_that_reads_c_order_converts_nothing() -> None:
    """Value and gradients of any order are those of channels-last images; a gradient lies as its value does."""
    draw = np.random.default_rng(2).standard_normal
    w, array, dy = kernel(16, 16, 3, 3), draw((4, 16, 8, 8)).astype(np.float32), draw((4, 16, 8, 8)).astype(np.float32)
    geometry: Any = {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1}
    reads = conv2d.reads_c_order(array.shape, tuple(w.shape), "cpu", **geometry)
    assert reads or selected("conv2d") != default_of("conv2d")  # other kernels may copy
    found = []
    for laid_out in (np.ascontiguousarray, layout.channels_last):
        x, weight = minigrad.from_numpy(laid_out(array)).requires_grad_(), w.clone().requires_grad_()
        given = minigrad.from_numpy(laid_out(dy))
        layout.reset_conversions()
        y = F.conv2d(x, weight, padding=1)
        dx, dw = minigrad.autograd.grad(y, (x, weight), given, create_graph=True)
        (dx.square().sum() + dw.square().sum()).backward()
        if reads:
            assert layout.conversions() == 0
            assert x.grad.numpy().strides == dx.detach().numpy().strides == x.detach().numpy().strides
        found.append([each.detach().numpy() for each in (y, dx, dw, x.grad, weight.grad)])
    for planes, last in zip(*found, strict=True):
        np.testing.assert_allclose(planes, last, rtol=1e-6, atol=1e-5)
