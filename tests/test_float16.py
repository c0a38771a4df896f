"""float16 is a dtype to store in: what sums or bends is computed in float32, and the result rounded once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad
import minigrad.nn.functional as F

ACTIVATIONS = [
    "relu",
    "relu6",
    "leaky_relu",
    "hardtanh",
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
    "logsigmoid",
]
OPS: dict[str, Callable[[Any], Any]] = {
    **{name: getattr(F, name) for name in ACTIVATIONS},
    "gelu/tanh": lambda x: F.gelu(x, approximate="tanh"),
    "softmax": lambda x: F.softmax(x, 1),
    "log_softmax": lambda x: F.log_softmax(x, 1),
    "rms_norm": lambda x: F.rms_norm(x, x.shape[-1:]),
    "interpolate": lambda x: F.interpolate(x.reshape(1, 1, *x.shape), scale_factor=1.7, mode="bicubic"),
    "cross_entropy/probabilities": lambda x: F.cross_entropy(x, x.softmax(1)),
    "binary_cross_entropy_with_logits": lambda x: F.binary_cross_entropy_with_logits(x, x.sigmoid()),
    "mse_loss": lambda x: F.mse_loss(x, x * 0),
}


@pytest.mark.parametrize("name", OPS)
def test_as_near_to_float64_as_float16_is(name: str) -> None:
    array = (np.random.default_rng(0).standard_normal((50, 40)) * 8).astype(np.float16)
    x, wide = minigrad.tensor(array, requires_grad=True), minigrad.tensor(array.astype(np.float64), requires_grad=True)
    y, exact = OPS[name](x), OPS[name](wide)
    assert y.dtype == minigrad.float16
    difference = np.abs(y.detach().numpy() - exact.detach().numpy())
    assert (difference <= 2e-3 * np.abs(exact.detach().numpy()) + 1e-4).all()
    y.sum().backward()
    assert x.grad.dtype == minigrad.float16
    assert np.isfinite(x.grad.numpy()).all()
