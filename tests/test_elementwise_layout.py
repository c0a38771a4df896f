"""Elementwise ops keep the memory order of images: channels last in, channels last out, and so the gradient."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad

UNARY = [
    name
    for family in ("elementwise", "special", "trigonometry", "rounding")
    for name in importlib.import_module(f"minigrad.ops.{family}").__all__
]
BINARY = (
    "add",
    "sub",
    "mul",
    "div",
    "remainder",
    "fmod",
    "pow",
    "atan2",
    "hypot",
    "logaddexp",
    "xlogy",
    "maximum",
    "fmin",
    "copysign",
)
OTHERS: dict[str, Callable[[Any], Any]] = {
    "where": lambda x: minigrad.where(x > 0.5, x, 0.0),
    "clamp": lambda x: x.clamp(0.3, 0.6),
    "clamp by tensors": lambda x: x.clamp(minigrad.tensor(0.3), minigrad.tensor(0.6)),
    "pow": lambda x: x**2 + x**3 + x**0.5 + x**-1,
    "reflected": lambda x: 1 / x + 2**x + (1 - x),
    "lerp": lambda x: minigrad.lerp(x, x * x, 0.5),
    "mean": lambda x: x - x.mean((0, 2, 3), True),
    "var": lambda x: x / x.var((0, 2, 3), keepdim=True),
    "amax": lambda x: x - x.amax(1, True),
    "logsumexp": lambda x: x - x.logsumexp(1, True),
}


def _image() -> Any:
    """(N, C, H, W) with C innermost in memory."""
    array = np.random.default_rng(0).uniform(0.2, 0.8, (2, 3, 4, 5)).astype(np.float32).transpose(0, 3, 1, 2)
    return minigrad.from_numpy(array).requires_grad_()


def _check(x: Any, y: Any) -> None:
    assert y.stride() == x.stride()
    (y * y).sum().backward()
    assert x.grad.stride() == x.stride()


@pytest.mark.parametrize("name", UNARY)
def test_of_one(name: str) -> None:
    x = _image()
    y = getattr(minigrad, name)(x)
    _check(x, y)


@pytest.mark.parametrize("name", BINARY)
def test_of_two(name: str) -> None:
    x, image, bias = _image(), _image(), minigrad.full((5, 1, 1), 0.3)
    _check(x, getattr(minigrad, name)(x, bias))
    x.grad = None
    y = getattr(minigrad, name)(x, image)
    _check(x, y)
    assert image.grad.stride() == image.stride()


@pytest.mark.parametrize("name", OTHERS)
def test_of_others(name: str) -> None:
    x = _image()
    _check(x, OTHERS[name](x))
