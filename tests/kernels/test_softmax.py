"""Softmax and cross entropy: implementations beside hand numbers, the reference at drawn shapes, extreme rows, and PyTorch."""

from __future__ import annotations

import tracemalloc
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from minigrad import kernels
from minigrad.errors import ArgumentError, DTypeError, IndexingError, ShapeError
from minigrad.kernels import softmax
from minigrad.kernels.native import thread_count
from minigrad.kernels.softmax import vectorised

IMPLEMENTATIONS = kernels.available("softmax", "cpu")
each_implementation = pytest.mark.parametrize("name", IMPLEMENTATIONS)
INF, NAN = np.inf, np.nan


def drawn(shape: tuple[int, ...], dtype: Any = np.float64, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(shape) * 3).astype(dtype)


@each_implementation
def test_hand_numbers(name: str) -> None:
    x = np.log(np.array([[1.0, 3.0], [2.0, 2.0]]))
    with kernels.use(softmax=name):
        y = softmax.forward(x, 1)
        np.testing.assert_allclose(y, [[0.25, 0.75], [0.5, 0.5]], rtol=1e-15)
        np.testing.assert_allclose(softmax.forward(x, 0), [[1 / 3, 0.6], [2 / 3, 0.4]], rtol=1e-15)
        np.testing.assert_allclose(softmax.log_forward(x, 1), np.log(y), rtol=1e-15)
        np.testing.assert_allclose(
            softmax.backward(np.array([[4.0, 0.0], [1.0, 1.0]]), y, 1), [[0.75, -0.75], [0, 0]], atol=1e-15
        )
        np.testing.assert_allclose(softmax.log_backward(np.array([[4.0, 0.0], [1.0, 1.0]]), np.log(y), 1), [[3, -3], [0, 0]])
        target, w = np.array([0, -7]), np.array([2.0, 1.0])
        losses, greatest, log_sum = softmax.cross_entropy_forward(x, target, w)
        np.testing.assert_allclose(losses, [2 * np.log(4), 0])
        np.testing.assert_allclose(greatest, np.log([3, 2]))
        np.testing.assert_allclose(log_sum, np.log([4 / 3, 2]))
        dx = softmax.cross_entropy_backward(np.array([10.0, 10.0]), x, target, w, greatest, log_sum)
        np.testing.assert_allclose(dx, [[-15, 15], [0, 0]], atol=1e-14)
        losses, *found = softmax.cross_entropy_forward(x, target, w, smoothing=0.5)
        np.testing.assert_allclose(losses[0], np.log(4) + 0.25 * (2 * np.log(4) + np.log(4 / 3)))
        dx = softmax.cross_entropy_backward(np.array([4.0, 1.0]), x, target, w, *found, smoothing=0.5)
        np.testing.assert_allclose(dx[0], 4 * (np.array([0.25, 0.75]) * 1.75 - [1 + 0.5, 0.25]))


ROWS = {
    "far above 0": ([1e4, 1e4 + 1, 1e4], [1 / (2 + np.e), np.e / (2 + np.e), 1 / (2 + np.e)]),
    "far below 0": ([-1e4, -1e4, -1e9], [0.5, 0.5, 0.0]),
    "far apart": ([0.0, 3e38, -3e38], [0.0, 1.0, 0.0]),
    "some hidden": ([-INF, 1.0, -INF], [0.0, 1.0, 0.0]),
    "all hidden": ([-INF, -INF, -INF], [NAN, NAN, NAN]),
    "infinity": ([INF, 1.0, 2.0], [NAN, NAN, NAN]),
    "nan": ([1.0, NAN, 2.0], [NAN, NAN, NAN]),
    "nan with a sign": ([1.0, -NAN, 2.0], [NAN, NAN, NAN]),
    "nan among the hidden": ([-INF, NAN, -INF], [NAN, NAN, NAN]),
}


@each_implementation
@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("size", [3, 40, 700])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_rows(name: str, row: str, size: int, dtype: Any) -> None:
    """Alone, and filled up with -inf as a long row; the row beside it is not touched."""
    numbers, want = ROWS[row]
    if dtype == np.float32 and row == "far below 0":
        numbers = [-1e4, -1e4, -3e38]
    x = np.full((2, size), -INF, dtype)
    x[0, :3], x[1] = numbers, 0
    expected = np.zeros(size) if want[0] == want[0] else np.full(size, NAN)
    expected[:3] = want
    with kernels.use(softmax=name):
        y, log_y = softmax.forward(x, 1), softmax.log_forward(x, 1)
        zeros = softmax.forward(x, 1, zeros=True)
        losses, greatest, log_sum = softmax.cross_entropy_forward(x, np.array([1, 0]), None)
    np.testing.assert_allclose(y, [expected, np.full(size, 1 / size)], rtol=1e-6)
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(np.exp(log_y[0]), expected, rtol=1e-5 if dtype == np.float32 else 1e-11)
    np.testing.assert_array_equal(zeros[0], np.zeros(size) if row == "all hidden" else y[0])
    assert np.isnan(losses[0]) == np.isnan(want[1]) and losses[1] == pytest.approx(np.log(size))
    assert np.isnan(greatest[0]) == ("nan" in row) and greatest[1] == 0
    assert np.isnan(log_sum[0]) == np.isnan(want[1])


@each_implementation
@pytest.mark.parametrize("shape", [(4, 3), (3, 4, 5), (2, 3, 4, 5)], ids=str)
def test_results_lie_as_their_input_does(name: str, shape: tuple[int, ...]) -> None:
    orders = [np.arange(len(shape)), np.arange(len(shape))[::-1], np.roll(np.arange(len(shape)), 1)]
    x = drawn(shape)
    for axis in range(len(shape)):
        with kernels.use(softmax="reference"):
            want = softmax.forward(x, axis)
        for order in orders:
            laid = np.ascontiguousarray(x.transpose(order)).transpose(np.argsort(order))
            with kernels.use(softmax=name):
                got = softmax.forward(laid, axis), softmax.log_forward(laid, axis), softmax.backward(x, laid, axis)
            assert all(each.strides == laid.strides for each in got)
            np.testing.assert_allclose(got[0], want, rtol=1e-13)


@hypothesis.given(
    shape=st.lists(st.integers(1, 6), min_size=1, max_size=3),
    size=st.one_of(st.integers(1, 80), st.integers(250, 262)),
    place=st.integers(0, 3),
    options=st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 1.0])),
    seed=st.integers(0, 1000),
)
@hypothesis.settings(max_examples=50, deadline=None, derandomize=True)
def test_drawn_shapes_beside_the_reference(
    shape: list[int], size: int, place: int, options: tuple[bool, float], seed: int
) -> None:
    axis = min(place, len(shape))
    x, dy = (drawn((*shape[:axis], size, *shape[axis:]), seed=seed + each) for each in range(2))
    rows, g = np.moveaxis(x, axis, -1).reshape(-1, size), drawn((x.size // size,), seed=seed + 2)
    target = np.random.default_rng(seed).integers(-1, size, len(rows))
    w, smoothing = (np.abs(drawn((size,), seed=seed + 3)) if options[0] else None), options[1]
    with kernels.use(softmax="reference"):
        y, log_y = softmax.forward(x, axis), softmax.log_forward(x, axis)
        _, *found = softmax.cross_entropy_forward(rows, target, w, smoothing=smoothing)
    for name in IMPLEMENTATIONS:
        if name == "reference":
            continue
        with kernels.use(softmax=name), kernels.checking():  # each call is compared with the reference's
            softmax.forward(x, axis)
            softmax.log_forward(x, axis)
            softmax.backward(dy, y, axis)
            softmax.log_backward(dy, log_y, axis)
            softmax.cross_entropy_forward(rows, target, w, smoothing=smoothing)
            softmax.cross_entropy_backward(g, rows, target, w, *found, smoothing=smoothing)


def test_many_rows_and_threads_give_the_same_bits() -> None:
    """Rows are shared among threads whole: not a bit depends on how many there are."""
    for shape in ((900, 10), (300, 64), (130, 1000)):
        x, dy, g = drawn(shape, np.float32), drawn(shape, np.float32, 1), drawn(shape[:1], np.float32, 2)
        target = np.arange(shape[0]) % shape[1]
        results = []
        for count in (1, 2, 3):
            with thread_count(count), kernels.checking():
                y, log_y = softmax.forward(x, 1), softmax.log_forward(x, 1)
                losses, *found = softmax.cross_entropy_forward(x, target)
                dx = softmax.cross_entropy_backward(g, x, target, None, *found)
                back = softmax.backward(dy, y, 1), softmax.log_backward(dy, log_y, 1)
            results.append([each.tobytes() for each in (y, log_y, losses, *found, dx, *back)])
        assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("name", ["cpu", "vectorised"])
def test_cross_entropy_makes_nothing_as_large_as_the_logits(name: str) -> None:
    x, target = drawn((400, 6000), np.float32), np.arange(400)
    with kernels.use(softmax=name):
        softmax.cross_entropy_forward(x[:2], target[:2])  # compiled, if it has to be
        tracemalloc.start()
        try:
            losses, *found = softmax.cross_entropy_forward(x, target, smoothing=0.1)
            assert tracemalloc.get_traced_memory()[1] <= (0.02 if name == "cpu" else 0.25) * x.nbytes
            tracemalloc.reset_peak()
            softmax.cross_entropy_backward(losses, x, target, None, *found, smoothing=0.1)
            assert tracemalloc.get_traced_memory()[1] <= (1.02 if name == "cpu" else 1.3) * x.nbytes
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("block", [1, 30, 1 << 20])
def test_vectorised_in_blocks_of_any_size(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vectorised.BLOCK, "cpu", block)
    x, target = drawn((11, 7)), np.arange(11) % 8 - 1
    with kernels.use(softmax="vectorised"), kernels.checking():
        losses, *found = softmax.cross_entropy_forward(x, target, smoothing=0.1)
        softmax.cross_entropy_backward(losses, x, target, None, *found, smoothing=0.1)


X, T, R = np.ones((3, 4), np.float32), np.array([0, 1, 3]), np.ones(3, np.float32)
REFUSED = [
    (lambda: softmax.forward(np.float32([1.0])[0:1].reshape(()), 0), ShapeError, ["input", "1 dimension or more"]),
    (lambda: softmax.forward(X, 2), ArgumentError, ["axis", "0 to 1", "2"]),
    (lambda: softmax.forward(X, -1), ArgumentError, ["axis", "0 to 1", "-1"]),
    (lambda: softmax.forward(X, 1, zeros=1), DTypeError, ["zeros", "True or False"]),
    (lambda: softmax.forward(X.astype(int), 1), DTypeError, ["input", "float32 or float64", "int64"]),
    (lambda: softmax.backward(X[:2], X, 1), ShapeError, ["grad_output", "(3, 4), as output has", "(2, 4)"]),
    (lambda: softmax.log_backward(X.astype(float), X, 1), DTypeError, ["grad_output", "float32, as output has"]),
    (lambda: softmax.cross_entropy_forward(R, T), ShapeError, ["input", "2 dimensions (rows, classes)"]),
    (lambda: softmax.cross_entropy_forward(X[:, :0], T), ShapeError, ["input", "at least 1 class"]),
    (lambda: softmax.cross_entropy_forward(X, T.astype(np.int32)), DTypeError, ["target", "int64", "int32"]),
    (lambda: softmax.cross_entropy_forward(X, [0, 1, 2]), DTypeError, ["target", "list"]),
    (lambda: softmax.cross_entropy_forward(X, T[:2]), ShapeError, ["target", "(3,)", "(2,)"]),
    (lambda: softmax.cross_entropy_forward(X, T + 1), IndexingError, ["target", "below 4", "4"]),
    (lambda: softmax.cross_entropy_forward(X, T, R), ShapeError, ["weight", "(4,)", "(3,)"]),
    (lambda: softmax.cross_entropy_forward(X, T, smoothing=1.5), ArgumentError, ["smoothing", "0 to 1", "1.5"]),
    (lambda: softmax.cross_entropy_backward(R[:2], X, T, None, R, R), ShapeError, ["grad_output", "(3,)", "(2,)"]),
    (lambda: softmax.cross_entropy_backward(R, X, T, None, R, R[:1]), ShapeError, ["log_sum", "(3,)", "(1,)"]),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "words"), REFUSED)
def test_refused(call: Any, error: type[Exception], words: list[str]) -> None:
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value).startswith("softmax: ")
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.peer
@each_implementation
def test_beside_pytorch(name: str) -> None:
    import torch

    F = torch.nn.functional
    for shape in ((6, 5), (3, 300)):
        x, dy = (torch.from_numpy(drawn(shape, seed=seed)).requires_grad_() for seed in range(2))
        w = torch.from_numpy(np.abs(drawn(shape[1:], seed=2)))
        target = torch.arange(shape[0]) % shape[1]
        target[1] = -100
        arrays = x.detach().numpy(), dy.detach().numpy()
        y, log_y = x.softmax(1), x.log_softmax(1)
        losses = F.cross_entropy(x, target, w, reduction="none", label_smoothing=0.1)
        want = [y, log_y, losses]
        want += [
            torch.autograd.grad(y, x, dy)[0],
            torch.autograd.grad(log_y, x, dy)[0],
            torch.autograd.grad(losses, x, dy[:, 0])[0],
        ]
        with kernels.use(softmax=name):
            got = [softmax.forward(arrays[0], 1), softmax.log_forward(arrays[0], 1)]
            ours, *found = softmax.cross_entropy_forward(arrays[0], target.numpy(), w.numpy(), smoothing=0.1)
            got += [ours, softmax.backward(arrays[1], got[0], 1), softmax.log_backward(arrays[1], got[1], 1)]
            g = arrays[1][:, 0]
            got.append(softmax.cross_entropy_backward(g, arrays[0], target.numpy(), w.numpy(), *found, smoothing=0.1))
        for a, each in zip(got, want, strict=True):
            np.testing.assert_allclose(a, each.detach().numpy(), rtol=1e-11, atol=1e-12)
