"""Look-up and sum of rows: implementations beside hand numbers, the reference at drawn shapes, and PyTorch."""

from __future__ import annotations

from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from minigrad import kernels
from minigrad.errors import ArgumentError, DTypeError, IndexingError, ShapeError
from minigrad.kernels import embedding
from minigrad.kernels.native import thread_count

IMPLEMENTATIONS = kernels.available("embedding", "cpu")
each_implementation = pytest.mark.parametrize("name", IMPLEMENTATIONS)


def drawn(shape: tuple[int, ...], dtype: Any = np.float64, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


@each_implementation
def test_hand_numbers(name: str) -> None:
    w, index = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), np.array([[2, 0], [2, 2]])
    with kernels.use(embedding=name):
        y = embedding.gather(w, index)
        assert y.shape == (2, 2, 2) and y.tolist() == [[[5, 6], [1, 2]], [[5, 6], [5, 6]]]
        assert embedding.scatter(y, index, 3).tolist() == [[1, 2], [0, 0], [15, 18]]
        assert embedding.scatter(y, index, 3, np.array([2.0, 3.0, 0.5])).tolist() == [[2, 4], [0, 0], [7.5, 9]]


@each_implementation
def test_a_factor_of_0_hides_whatever_the_sum_is(name: str) -> None:
    dy = np.array([[np.inf], [np.nan], [2.0], [np.inf]])
    with kernels.use(embedding=name):
        dw = embedding.scatter(dy, np.array([0, 0, 1, 2]), 3, np.array([0.0, 1.0, 1.0]))
    assert dw.tolist() == [[0.0], [2.0], [np.inf]]


@each_implementation
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64, np.int8, bool])
def test_tables_of_any_dtype_and_strides(name: str, dtype: Any) -> None:
    w = (drawn((6, 8)) * 3).astype(dtype)
    index = np.array([5, 0, 0, 3])
    with kernels.use(embedding=name):
        for laid in (w, np.asfortranarray(w), np.repeat(w, 2, axis=1)[:, ::2], w[::-1][::-1]):
            y = embedding.gather(laid, index)
            assert y.dtype == dtype and y.flags.c_contiguous
            np.testing.assert_array_equal(y, w[[5, 0, 0, 3]])


@hypothesis.given(
    rows=st.integers(1, 40), count=st.integers(0, 60), width=st.integers(0, 40), factor=st.booleans(), seed=st.integers(0, 99)
)
@hypothesis.settings(max_examples=50, deadline=None, derandomize=True)
def test_drawn_shapes_beside_the_reference(rows: int, count: int, width: int, factor: bool, seed: int) -> None:
    w, dy, factors = drawn((rows, width), seed=seed), drawn((count, width), seed=seed + 1), drawn((rows,), seed=seed + 2)
    factors[::3] = 0
    index = np.random.default_rng(seed).integers(0, rows, count)
    for name in IMPLEMENTATIONS:
        if name == "reference":
            continue
        with kernels.use(embedding=name), kernels.checking():  # each call is compared with the reference's
            embedding.gather(w, index)
            embedding.scatter(dy, index, rows, factors if factor else None)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_threads_give_the_same_bits(dtype: Any) -> None:
    """The terms of a row are added in the order of the numbers, by however many threads: also those of the reference."""
    dy, index = drawn((3000, 40), dtype), np.random.default_rng(1).integers(0, 50, 3000)
    results = []
    for count in (1, 2, 3):
        with thread_count(count):
            results.append(embedding.scatter(dy, index, 1000).tobytes())
    with kernels.use(embedding="reference"):
        results.append(embedding.scatter(dy, index, 1000).tobytes())
    assert len(set(results)) == 1


W, INDEX, D = np.ones((4, 2), np.float32), np.array([0, 3]), np.ones((2, 2), np.float32)
REFUSED = [
    (lambda: embedding.gather(W[0], INDEX), ShapeError, ["weight", "2 dimensions (V, D)", "(2,)"]),
    (lambda: embedding.gather(W, INDEX + 1), IndexingError, ["input", "0 to 3", "4 at 1"]),
    (lambda: embedding.gather(W, np.array([[0, 1], [-1, 2]])), IndexingError, ["input", "0 to 3", "-1 at (1, 0)"]),
    (lambda: embedding.gather(W, INDEX.astype(np.int32)), DTypeError, ["input", "int64", "int32"]),
    (lambda: embedding.gather(W, [0]), DTypeError, ["input", "int64", "list"]),
    (lambda: embedding.gather(W.tolist(), INDEX), DTypeError, ["weight", "an array", "list"]),
    (lambda: embedding.scatter(D, INDEX, 3), IndexingError, ["input", "0 to 2", "3 at 1"]),
    (lambda: embedding.scatter(D[:1], INDEX, 4), ShapeError, ["grad_output", "(2,)", "(1, 2)"]),
    (lambda: embedding.scatter(D, INDEX, -1), ArgumentError, ["rows", "0 or more", "-1"]),
    (lambda: embedding.scatter(D, INDEX, 4, D[0]), ShapeError, ["factor", "(4,)", "(2,)"]),
    (lambda: embedding.scatter(D.astype(np.float16), INDEX, 4), DTypeError, ["grad_output", "float16 is for storage"]),
    (lambda: embedding.scatter(D, INDEX, 4, np.ones(4)), DTypeError, ["factor", "float32, as grad_output has"]),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "words"), REFUSED)
def test_refused(call: Any, error: type[Exception], words: list[str]) -> None:
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value).startswith("embedding: ")
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.peer
@each_implementation
def test_beside_pytorch(name: str) -> None:
    import torch

    w = torch.from_numpy(drawn((7, 5))).requires_grad_()
    dy, index = torch.from_numpy(drawn((3, 4, 5), seed=1)), torch.arange(12).reshape(3, 4) % 7
    y = torch.nn.functional.embedding(index, w)
    y.backward(dy)
    with kernels.use(embedding=name):
        np.testing.assert_array_equal(embedding.gather(w.detach().numpy(), index.numpy()), y.detach().numpy())
        np.testing.assert_allclose(embedding.scatter(dy.numpy(), index.numpy(), 7), w.grad.numpy(), rtol=1e-14)
