"""Sums over axes: the same numbers as NumPy's, in every memory order, and more exact over many rows."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import kernels
from minigrad.core.sums import total
from minigrad.errors import ArgumentError, DTypeError
from minigrad.kernels import sums
from minigrad.kernels.native import thread_count

BLOCK = 1024


@pytest.mark.parametrize(
    "shape", [(20, 5, 7, 4), (40, 1, 60, 1), (BLOCK + 9, 3), (2 * BLOCK, 3), (1, 16, 16, 16), (7, 10, 12), (1000,)], ids=str
)
def test_every_memory_order_and_choice_of_axes(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).standard_normal(shape)
    everything = range(len(shape))
    for order in itertools.permutations(everything):
        laid = np.ascontiguousarray(x.transpose(order)).transpose(np.argsort(order))
        for count in range(1, len(shape) + 1):
            for axes in itertools.combinations(everything, count):
                for keepdim in (False, True):
                    found, expected = total(laid, axes, keepdim), x.sum(axis=axes, keepdims=keepdim)
                    assert found.shape == expected.shape
                    assert np.abs(found - expected).max() <= 1e-11


def test_many_rows_are_summed_more_exactly_than_row_by_row() -> None:
    x = (np.random.default_rng(0).standard_normal((100 * BLOCK + 5, 16)) + 1).astype(np.float32)
    exact = x.astype(np.float64).sum(axis=0)

    def error(found: np.ndarray) -> float:
        return float(np.abs(found - exact).max() / np.abs(exact).max())

    assert error(total(x, (0,))) <= 1e-6 < error(x.sum(axis=0))
    assert error(minigrad.from_numpy(x).sum(0).numpy()) <= 1e-6
    assert error(minigrad.from_numpy(x).mean(0).numpy() * len(x)) <= 1e-6


def test_a_bias_gets_the_exact_sum_too() -> None:
    rows = 50 * BLOCK
    bias = minigrad.zeros(4, requires_grad=True)
    weights = minigrad.from_numpy((np.random.default_rng(1).standard_normal((rows, 4)) + 1).astype(np.float32))
    ((minigrad.zeros(rows, 4) + bias) * weights).sum().backward()
    exact = weights.numpy().astype(np.float64).sum(axis=0)
    assert np.abs(bias.grad.numpy() - exact).max() <= 1e-6 * np.abs(exact).max()


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.float16, bool])
def test_other_dtypes_are_left_to_numpy(dtype: type) -> None:
    x = (np.random.default_rng(0).uniform(0, 2, (3000, 2))).astype(dtype)
    assert np.array_equal(total(x, (0,)), x.sum(axis=0))
    assert total(x, (0,)).dtype == x.sum(axis=0).dtype
    assert total(x, (0,), dtype=np.float32).dtype == np.float32


@pytest.mark.parametrize("count", [1, 3, 4])
def test_the_bits_do_not_depend_on_threads(count: int) -> None:
    for shape, axes in (((300_000,), (0,)), ((5000, 33), (0,)), ((40, 64, 50), (1,))):
        x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
        with thread_count(2):
            two = total(x, axes)
        with thread_count(count):
            np.testing.assert_array_equal(total(x, axes), two)


def test_large_sums_are_the_kernels() -> None:
    """The reference, chosen, is what runs; it adds exactly."""
    x = np.full((50, 200), 0.1, np.float32)
    with kernels.use(sums="reference"):
        assert (total(x, (1,)) == np.float32(200 * float(np.float32(0.1)))).all()


@pytest.mark.parametrize("axes", [(2,), (0, 0), (), [0], (-1,)], ids=repr)
def test_axes_that_are_refused(axes: Any) -> None:
    with pytest.raises(ArgumentError, match="sums: axes: expected a tuple of some of 0, 1, each once, got"):
        sums.total(np.ones((2, 3)), axes)


def test_dtypes_that_are_refused() -> None:
    with pytest.raises(DTypeError, match="sums: input: expected float32 or float64, got int64"):
        sums.total(np.ones((2, 3), np.int64), (0,))
