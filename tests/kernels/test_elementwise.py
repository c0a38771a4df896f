"""Sums and products of large arrays: beside NumPy's operators, in every memory order, and through the ops and the walk."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import kernels
from minigrad.core import large
from minigrad.errors import DTypeError, ShapeError
from minigrad.kernels import elementwise, layout
from minigrad.kernels.native.budget import divided

IMPLEMENTATIONS = kernels.available("elementwise", "cpu")
FUNCTIONS = {"add": np.add, "multiply": np.multiply}


def pair(order: str, dtype: Any) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.random.default_rng(0).standard_normal((2, 3, 5, 7, 6)).astype(dtype)
    if order == "channels last":
        return layout.channels_last(x), layout.channels_last(y)
    if order == "two orders":
        return x, layout.channels_last(y)
    if order == "gaps":
        return x[:, ::2], y[:, 2:]
    return x, y


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
@pytest.mark.parametrize("order", ["C", "channels last", "two orders", "gaps"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_bits_are_those_of_the_operators(name: str, order: str, dtype: Any) -> None:
    x, y = pair(order, dtype)
    with kernels.use(elementwise=name), divided(3):
        for function, operator in FUNCTIONS.items():
            z = getattr(elementwise, function)(x, y)
            np.testing.assert_array_equal(z, operator(x, y))
            assert z.strides == layout.empty_like_layout(x).strides
        total = x.copy("K")
        elementwise.accumulate(total, y)
        np.testing.assert_array_equal(total, x + y)
        elementwise.accumulate(total, total)
        np.testing.assert_array_equal(total, 2 * (x + y))


def test_large_arrays_take_the_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the ops, and where gradients of one leaf meet; small ones do not."""
    calls: list[str] = []
    for function in elementwise.FUNCTIONS:
        plain = getattr(elementwise, function)

        def counted(x: Any, y: Any, function: str = function, plain: Any = plain) -> Any:
            calls.append(function)
            return plain(x, y)

        monkeypatch.setattr(elementwise, function, counted)
    for count, expected in (
        (large.LARGE // 4, ["multiply", "add", "multiply", "multiply", *["accumulate"] * 3]),
        (99, []),
    ):
        x = minigrad.full((count,), 3.0, requires_grad=True)
        calls.clear()
        y = x * x + x
        assert calls == expected[:2]
        y.backward(minigrad.ones(count))
        y = y.detach()
        assert (y.numpy() == 12).all() and (x.grad.numpy() == 7).all()
        x.backward(minigrad.ones(count))
        assert (x.grad.numpy() == 8).all()
        assert sorted(calls[2:]) == sorted(expected[2:])


@pytest.mark.parametrize(
    "b", [2.0, np.float32(2), np.full(1, 2.0, np.float32), np.full((large.LARGE // 4), 2, np.float32)], ids=repr
)
def test_operands_of_all_kinds(b: Any) -> None:
    a = np.full(large.LARGE // 4, 3, np.float32)
    for got, right in ((large.plus(a, b), 5), (large.times(a, b), 6)):
        assert got.dtype == np.float32 and (got == right).all()
    large.add_to(a, b)
    assert (a == 5).all()


def test_refusals() -> None:
    x = np.ones((2, 3))
    with pytest.raises(ShapeError, match=r"multiply: y: expected shape \(2, 3\), as x has, got shape \(3,\)"):
        elementwise.multiply(x, x[0])
    with pytest.raises(DTypeError, match="add: y: expected float64, as x has, got float32"):
        elementwise.add(x, x.astype(np.float32))
    with pytest.raises(DTypeError, match="accumulate: x: expected float32 or float64, got int"):
        elementwise.accumulate(x.astype(int), x.astype(int))
