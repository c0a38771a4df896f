"""The third derivative of smooth ops beside central differences of the second, which the tables prove."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad
import minigrad.nn.functional as F
from tests.harness import numeric_gradients

OPS: dict[str, Callable[[Any], Any]] = {
    "mul": lambda x: x * x * x,
    "div": lambda x: 1 / x + x / (x + 1),
    "remainder": lambda x: (x % 5) ** 3,
    "pow/number": lambda x: x**3 + x**2.5 + x**-1,
    "pow/of a number": lambda x: 2**x,
    "pow/tensors": lambda x: x**x,
    "lerp": lambda x: minigrad.lerp(x * x, x, x),
    "exp": lambda x: minigrad.exp(x * x) + minigrad.exp2(x) + minigrad.expm1(x),
    "log": lambda x: minigrad.log(x) + minigrad.log1p(x) + minigrad.log2(x) + minigrad.log10(x),
    "sqrt": lambda x: minigrad.sqrt(x) + minigrad.rsqrt(x) + minigrad.reciprocal(x),
    "sigmoid": lambda x: minigrad.sigmoid(x) + minigrad.logit(x / 3),
    "erf": lambda x: minigrad.erf(x) + minigrad.erfc(x) + minigrad.erfinv(x / 3),
    "sin": lambda x: minigrad.sin(x) + minigrad.cos(x) + minigrad.tan(x / 2),
    "asin": lambda x: minigrad.asin(x / 3) + minigrad.acos(x / 4) + minigrad.atan(x),
    "sinh": lambda x: minigrad.sinh(x) + minigrad.cosh(x) + minigrad.tanh(x),
    "asinh": lambda x: minigrad.asinh(x) + minigrad.acosh(x + 1) + minigrad.atanh(x / 3),
    "logaddexp": lambda x: minigrad.logaddexp(x, x * x) + minigrad.logaddexp2(x, x * x),
    "hypot": lambda x: minigrad.hypot(x, x * x) + minigrad.atan2(x, x * x),
    "xlogy": lambda x: minigrad.xlogy(x, x + 1),
    "mean": lambda x: x.mean() ** 3,
    "var": lambda x: x.var() * x + x.std(),
    "norm": lambda x: x.norm() + x.norm(3) + x.norm(2.5),
    "logsumexp": lambda x: x.logsumexp(0),
    "prod": lambda x: x.prod(),
    "prod/zeros": lambda x: (x * minigrad.tensor([1.0, 0.0, 1.0, 0.0], dtype=x.dtype)).prod() + (x - ZERO_AT).prod(),
    "cumprod": lambda x: x.cumprod(0),
    "cumprod/zero": lambda x: ((x - ZERO_AT) * minigrad.tensor([1.0, 2.0, -1.0, 0.5], dtype=x.dtype)).cumprod(0),
    "cumsum": lambda x: x.cumsum(0) ** 3,
    "elu": lambda x: F.elu(-x, 0.7) + F.celu(-x, 0.7) + F.selu(-x),
    "gelu": lambda x: F.gelu(x) + F.gelu(x, approximate="tanh"),
    "silu": lambda x: F.silu(x) + F.mish(x),
    "softplus": lambda x: F.softplus(x, 2.0) + F.logsigmoid(x) + F.softsign(x),
    "hardswish": lambda x: F.hardswish(x) ** 3,
    "glu": lambda x: F.glu(x * x),
    "softmax": lambda x: x.softmax(0),
    "log_softmax": lambda x: F.log_softmax(x, 0),
    "linear": lambda x: F.linear(x.reshape(2, 2), x.reshape(2, 2), x[:2]) ** 2,
    "bilinear": lambda x: F.bilinear(x[:2], x[2:], x.reshape(1, 2, 2), x[:1]),
    "conv2d": lambda x: F.conv2d(
        F.conv2d(x.reshape(1, 1, 2, 2), x.reshape(1, 1, 2, 2), padding=1), x.reshape(1, 1, 2, 2), x[:1]
    ),
    "conv_transpose2d": lambda x: F.conv_transpose2d(x.reshape(1, 1, 2, 2) ** 2, x.reshape(1, 1, 2, 2), x[:1], stride=2),
    "avg_pool2d": lambda x: F.avg_pool2d(x.reshape(1, 2, 2) ** 3, 2, 1),
    "max_pool2d": lambda x: F.max_pool2d(x.reshape(1, 2, 2) ** 3, 2, 1, 1),
    "batch_norm": lambda x: F.batch_norm(x.reshape(2, 1, 2), None, None, x[:1], x[1:2], training=True),
    "layer_norm": lambda x: F.layer_norm(x.reshape(2, 2) ** 2, (2,), x[:2], x[2:], eps=0.1),
    "group_norm": lambda x: F.group_norm(x.reshape(1, 2, 2), 1, x[:2], x[2:]),
    "rms_norm": lambda x: F.rms_norm(x, (4,)),
    "normalize": lambda x: F.normalize(x, dim=0),
    "cross_entropy": lambda x: F.cross_entropy(x, minigrad.tensor(2), label_smoothing=0.2),
    "cross_entropy/rows": lambda x: F.cross_entropy(x.reshape(2, 2), minigrad.tensor([1, -100])),
    "binary_cross_entropy": lambda x: F.binary_cross_entropy(x / 2, x / 3),
    "binary_cross_entropy_with_logits": lambda x: F.binary_cross_entropy_with_logits(x, x / 3, pos_weight=x),
    "mse_loss": lambda x: F.mse_loss(x * x, x),
    "kl_div": lambda x: F.kl_div(x * x, x, reduction="sum"),
    "attention": lambda x: F.scaled_dot_product_attention(x.reshape(2, 2), x.reshape(2, 2), x.reshape(2, 2)),
    "embedding": lambda x: F.embedding(minigrad.tensor([0, 1, 1]), x.reshape(2, 2)) ** 3,
    "interpolate": lambda x: F.interpolate(x.reshape(1, 1, 2, 2) ** 3, scale_factor=2, mode="bilinear"),
    "pad": lambda x: F.pad(x.reshape(1, 4) ** 3, (2, 1), mode="reflect") + F.pad(x**3, (2, 1)),
    "unfold": lambda x: F.unfold(x.reshape(1, 2, 2) ** 3, (1, 2)),
    "pixel_shuffle": lambda x: F.pixel_shuffle(x.reshape(4, 1, 1) ** 3, 2),
}
POINT = np.array([0.7, 1.1, 1.6, 0.9])
ZERO_AT = 1.1  # one of the point's, where the factor is 0


def _second(op: Callable[[Any], Any], array: np.ndarray, create_graph: bool) -> tuple[Any, Any]:
    """The tensor, and a number made of the second derivative by weights that make all its entries count."""
    x = minigrad.tensor(array, requires_grad=True)
    value = op(x)
    weights = minigrad.tensor(np.linspace(0.5, 1.5, value.numel()).reshape(tuple(value.shape)))
    (first,) = minigrad.autograd.grad(value, x, weights, create_graph=True)
    direction = minigrad.tensor(np.array([0.3, -1.2, 0.8, 1.7]))
    (second,) = minigrad.autograd.grad(first, x, direction, create_graph=create_graph)
    return x, (second * minigrad.tensor(np.array([1.1, 0.4, -0.9, 0.6]))).sum()


@pytest.mark.parametrize("name", OPS)
def test_third_derivative_is_the_numeric_one(name: str) -> None:
    x, number = _second(OPS[name], POINT, create_graph=True)
    (third,) = minigrad.autograd.grad(number, x)
    numeric = numeric_gradients(lambda arrays: _second(OPS[name], arrays[0], create_graph=False)[1].item(), [POINT])[0]
    assert numeric is not None
    scale = np.abs(numeric).max()
    assert np.abs(third.numpy() - numeric).max() <= 1e-6 * max(1.0, scale)
    assert scale > 1e-3, "the case has no third derivative and tests nothing"
