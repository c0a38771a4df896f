"""Activation functions and their derivatives where comparisons decide: NaN, infinity, zeros, subnormal numbers, the kinks.

PyTorch's CPU kernels contradict themselves at NaN: some give one derivative where they take a vector of numbers at a time, and
another for what is left over. What holds here is the formula for one number, in which a NaN fails each comparison, everywhere.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import kernels
from minigrad.nn import functional as F
from minigrad.ops.smooth import SELU_SCALE
from tests.tables.activation import ELEMENTWISE

NAN, INF = math.nan, math.inf
# function, further arguments, dy/dx at NaN
ROWS: list[tuple[str, tuple[float, ...], float]] = [
    ("relu", (), 1.0),
    ("relu6", (), 1.0),
    ("hardtanh", (), 1.0),
    ("hardtanh", (-2.0, 0.5), 1.0),
    ("leaky_relu", (), 0.01),
    ("leaky_relu", (-0.5,), -0.5),
    ("rrelu", (0.25, 0.5), 0.375),
    ("hardsigmoid", (), 0.0),
    ("hardswish", (), 1.0),
    ("hardshrink", (), 1.0),
    ("hardshrink", (0.0,), 1.0),
    ("softshrink", (), 1.0),
    ("softshrink", (0.0,), 1.0),
    ("threshold", (0.5, -1.0), 1.0),
    ("elu", (), 1.0),
    ("elu", (0.3,), 1.0),
    ("celu", (), 1.0),
    ("celu", (2.0,), 1.0),
    ("selu", (), SELU_SCALE),
    *((name, (), NAN) for name in ("gelu", "silu", "mish", "softplus", "logsigmoid", "softsign", "tanhshrink")),
    ("softplus", (2.0, 0.5), NAN),
    ("sigmoid", (), NAN),
    ("tanh", (), NAN),
]
each_row = pytest.mark.parametrize(("name", "args", "at_nan"), ROWS, ids=[f"{row[0]}{list(row[1]) or ''}" for row in ROWS])
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])
each_kernel = pytest.mark.parametrize("kernel", kernels.available("activation", minigrad.get_default_device().type))
LOOSE = {"hardsigmoid": 1e-7}  # a sixth is rounded to float32 there


def test_each_function_has_a_row() -> None:
    assert {row[0] for row in ROWS} == {*ELEMENTWISE, "sigmoid", "tanh"}


def edges(dtype: Any) -> np.ndarray:
    """Numbers at which something changes, and their neighbours."""
    about = np.finfo(dtype)
    sizes = [0.25, 0.3, 0.5, 1.0, 2.0, 3.0, 6.0, 20.0]
    near = [dtype(each) for size in sizes for each in (size, -size)]
    beside = [np.nextafter(each, dtype(end)) for each in near for end in (INF, -INF)]
    small = [0.0, about.smallest_subnormal, about.tiny / 4, about.tiny, 1e-10]
    large = [21.0, 50.0, 700.0, 1e10, about.max, INF]
    return np.array([NAN, *small, *(-each for each in small), *near, *beside, *large, *(-each for each in large)], dtype)


def both(name: str, args: tuple[float, ...], x: np.ndarray, dy: np.ndarray, library: Any = minigrad) -> tuple[Any, Any]:
    """The value and the gradient."""
    given = library.tensor(x, requires_grad=True)
    y = getattr(library.nn.functional, name, getattr(library, name, None))(given, *args)
    y.backward(library.tensor(dy))
    return y.detach().numpy(), given.grad.numpy()


@each_kernel
@each_dtype
@each_row
def test_a_nan(name: str, args: tuple[float, ...], at_nan: float, dtype: Any, kernel: str) -> None:
    """It stays in the value, and the derivative there is the row's: of one number, of vectors, and of what is left over."""
    dy = np.array([3.0, -0.5, INF, -INF, 0.0, NAN], dtype)
    with kernels.use(activation=kernel), np.errstate(invalid="ignore"):
        for count in (1, 37):
            given = np.tile(dy, count)
            y, dx = both(name, args, np.full_like(given, NAN), given)
            assert np.isnan(y).all()
            closed = name == "hardsigmoid"
            np.testing.assert_allclose(dx, np.zeros_like(given) if closed else given * dtype(at_nan), rtol=1e-6)


@each_row
def test_a_nan_with_create_graph(name: str, args: tuple[float, ...], at_nan: float) -> None:
    x = minigrad.tensor([NAN, 0.1], dtype=minigrad.float64, requires_grad=True)
    (dx,) = minigrad.autograd.grad(getattr(F, name, getattr(minigrad, name, None))(x, *args).sum(), x, create_graph=True)
    np.testing.assert_allclose(dx.detach().numpy()[0], at_nan, rtol=1e-15)


@each_kernel
@each_dtype
@each_row
def test_no_element_depends_on_its_place(name: str, args: tuple[float, ...], at_nan: float, dtype: Any, kernel: str) -> None:
    """An edge alone has the value and gradient that it has among others."""
    x = edges(dtype)
    with kernels.use(activation=kernel):
        y, dx = both(name, args, x, np.ones_like(x))
        for place in range(0, x.size, 3):
            one = slice(place, place + 1)
            alone = both(name, args, x[one], np.ones(1, dtype))
            np.testing.assert_allclose((alone[0][0], alone[1][0]), (y[place], dx[place]), rtol=1e-6, atol=0)


@pytest.mark.peer
@each_kernel
@each_dtype
@each_row
def test_like_pytorch(name: str, args: tuple[float, ...], at_nan: float, dtype: Any, kernel: str) -> None:
    """Value and gradient of each edge beside PyTorch's of that number alone."""
    import torch

    x = edges(dtype)
    close = {"rtol": 4e-6, "atol": 1e-6} if dtype == np.float32 else {"rtol": 1e-12, "atol": LOOSE.get(name, 1e-13)}
    for dy in (
        (1.0, NAN) if name in ("gelu", "silu", "mish", "sigmoid", "softplus") else (1.0, NAN, INF)
    ):  # 0 or not where both underflow
        with kernels.use(activation=kernel):
            ours = both(name, args, x, np.full_like(x, dy))
        theirs = [both(name, args, x[[place]], np.full(1, dy, dtype), torch) for place in range(x.size)]
        for got, expected in zip(ours, zip(*theirs)):
            np.testing.assert_allclose(got, np.concatenate(expected), **close)
