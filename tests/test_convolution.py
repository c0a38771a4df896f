"""Convolution: the three maps are each other's transposes, in float32 near to float64, and count as one op each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad
import minigrad.nn.functional as F
from minigrad.errors import ArgumentError

RNG = np.random.default_rng(0)
GEOMETRIES: list[dict[str, Any]] = [
    {},
    {"stride": 2, "padding": 1},
    {"padding": (0, 2), "dilation": (2, 1)},
    {"stride": (1, 3), "groups": 2},
]


def tensor(*shape: int, grad: bool = False) -> Any:
    return minigrad.tensor(RNG.standard_normal(shape), requires_grad=grad)


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_transposed_convolution_is_the_transpose(geometry: dict[str, Any]) -> None:
    w = tensor(4, 4 // geometry.get("groups", 1), 3, 2)
    x = tensor(2, 4, 9, 8)
    y = F.conv2d(x, w, **geometry)
    dy = tensor(*y.shape)
    smallest = F.conv_transpose2d(dy, w, **geometry)
    extra = [have - small for have, small in zip(x.shape[2:], smallest.shape[2:], strict=True)]
    dx = F.conv_transpose2d(dy, w, output_padding=extra, **geometry)
    assert dx.shape == x.shape
    assert (y * dy).sum().item() == pytest.approx((x * dx).sum().item(), rel=1e-12)


def test_one_dimension_is_a_height_of_1() -> None:
    x, w, b = tensor(2, 4, 9), tensor(6, 2, 3), tensor(6)
    flat = F.conv1d(x, w, b, stride=2, padding=1, groups=2)
    tall = F.conv2d(x.unsqueeze(2), w.unsqueeze(2), b, stride=(1, 2), padding=(0, 1), groups=2).squeeze(2)
    assert np.array_equal(flat.numpy(), tall.numpy())


def test_float32_is_near_float64() -> None:
    arrays = [RNG.standard_normal(shape) for shape in ((4, 16, 12, 12), (32, 16, 3, 3), (32,))]
    results = []
    for dtype in (np.float32, np.float64):
        inputs = [minigrad.tensor(a.astype(dtype), requires_grad=True) for a in arrays]
        y = F.conv2d(*inputs, padding=1)
        (y * y).sum().backward()
        results.append([y.detach().numpy(), *(t.grad.numpy() for t in inputs)])
    for single, double in zip(*results, strict=True):
        assert np.abs(single - double).max() <= 2e-5 * np.abs(double).max()


def test_only_what_is_asked_for_is_computed() -> None:
    x, w, b = tensor(1, 2, 4, 4), tensor(3, 2, 2, 2, grad=True), tensor(3)
    F.conv2d(x, w, b).sum().backward()
    assert (x.grad, b.grad) == (None, None)
    assert w.grad.shape == w.shape


def test_a_bias_has_the_exact_sum() -> None:
    x, w = minigrad.zeros(64, 1, 40, 40), minigrad.zeros(8, 1, 1, 1)
    b = minigrad.zeros(8, requires_grad=True)
    dy = RNG.uniform(0, 1, (64, 8, 40, 40)).astype(np.float32)
    F.conv2d(x, w, b).backward(minigrad.tensor(dy))
    exact = dy.astype(np.float64).sum(axis=(0, 2, 3))
    assert np.abs(b.grad.numpy() - exact).max() <= 1e-6 * exact.max()


def test_linear_of_many_dimensions_is_one_product() -> None:
    x, w = tensor(3, 4, 5, grad=True), tensor(2, 5, grad=True)
    F.linear(x, w).sum().backward()
    assert np.allclose(w.grad.numpy(), x.detach().numpy().sum(axis=(0, 1)), atol=1e-12)
    assert np.allclose(x.grad.numpy(), w.detach().numpy().sum(axis=0), atol=1e-12)


@pytest.mark.parametrize("convolution", [F.conv2d, F.conv_transpose2d])
def test_groups_as_numpys_integer(convolution: Any) -> None:
    x, w = tensor(1, 4, 3, 3), tensor(4, 2, 2, 2)
    assert np.array_equal(convolution(x, w, groups=np.int64(2)).numpy(), convolution(x, w, groups=2).numpy())


def test_padding_of_each_end_of_an_axis() -> None:
    """Beyond PyTorch, which pads before: TensorFlow's "same" needs it. With derivatives of both orders."""
    results = []
    for pads in (True, False):
        x, w = (
            minigrad.tensor(np.random.default_rng(5).standard_normal(s), requires_grad=True)
            for s in ((2, 3, 6, 5), (4, 3, 3, 3))
        )
        y = F.conv2d(x, w, None, 2, ((0, 1), (2, 0))) if pads else F.conv2d(F.pad(x, (2, 0, 0, 1)), w, None, 2)
        first = minigrad.autograd.grad((y * y).sum(), [x, w], create_graph=True)
        second = minigrad.autograd.grad(sum((g * g).sum() for g in first), [x, w])
        results.append([each.detach().numpy() for each in (y, *first, *second)])
    for ours, padded in zip(*results, strict=True):
        np.testing.assert_allclose(ours, padded, rtol=1e-12, atol=1e-12)
    line, window = tensor(1, 1, 4), tensor(1, 1, 2)
    assert np.array_equal(F.conv1d(line, window, padding=((0, 1),)).numpy(), F.conv1d(F.pad(line, (0, 1)), window).numpy())
    for wrong in (((0, 1),), ((0, 1), (1,)), ((0, 1), 2), ((0, 1), (0, -1))):
        with pytest.raises(ArgumentError, match="conv2d: padding: expected"):
            F.conv2d(tensor(1, 3, 6, 5), tensor(4, 3, 3, 3), padding=wrong)
