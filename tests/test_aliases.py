"""Other names for the same thing: the older ones of the inverse functions, and activations that write into their input."""

from __future__ import annotations

from typing import Any

import pytest

import minigrad
import minigrad.nn.functional as F

POINTS = [-0.75, -0.25, 0.5, 0.9]


@pytest.mark.parametrize("name", ["cos", "sin", "tan", "sinh", "tanh"])
def test_the_longer_name_of_an_inverse(name: str) -> None:
    x = minigrad.tensor(POINTS, dtype=minigrad.float64)
    assert getattr(minigrad, f"arc{name}")(x).tolist() == getattr(minigrad, f"a{name}")(x).tolist()


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("celu", (0.7,)),
        ("elu", (0.7,)),
        ("hardtanh", (-0.5, 0.6)),
        ("leaky_relu", (0.2,)),
        ("selu", ()),
        ("threshold", (0.1, 7.0)),
    ],
)
def test_an_activation_in_place(name: str, arguments: Any) -> None:
    x = minigrad.tensor(POINTS, dtype=minigrad.float64, requires_grad=True)
    expected = getattr(F, name)(x, *arguments)
    (slope,) = minigrad.autograd.grad(expected.sum(), x)
    y = x.clone()
    result = getattr(F, f"{name}_")(y, *arguments)
    assert result is y
    assert y.tolist() == expected.tolist() != POINTS
    assert minigrad.autograd.grad(y.sum(), x)[0].tolist() == slope.tolist()
