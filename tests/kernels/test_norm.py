"""Normalization: implementations beside hand numbers, float64, the reference at drawn shapes, and PyTorch."""

from __future__ import annotations

from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from minigrad import kernels
from minigrad.errors import ArgumentError, DTypeError, MinigradError, ShapeError
from minigrad.kernels import layout, norm
from minigrad.kernels.native import thread_count
from minigrad.kernels.norm import vectorised

IMPLEMENTATIONS = kernels.available("norm", "cpu")
COMPILED = ["cpu"]
each_implementation = pytest.mark.parametrize("name", IMPLEMENTATIONS)


def drawn(shape: tuple[int, ...], dtype: Any = np.float64, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def close(got: Any, want: Any, allowed: Any) -> None:
    """Within the contract's tolerance, NaN and infinity at the same places."""
    got, want = (each if isinstance(each, tuple) else (each,) for each in (got, want))
    for g, w, a in zip(got, want, allowed, strict=True):
        assert (g.shape, g.dtype) == (w.shape, w.dtype)
        with np.errstate(invalid="ignore"):
            wrong = ~((g == w) | (np.isnan(g) & np.isnan(w)) | (np.abs(g.astype(np.float64) - w) <= a))
        assert not wrong.any(), (g[wrong][:3], w[wrong][:3])


@each_implementation
def test_hand_numbers(name: str) -> None:
    x = np.array([[[1.0, 3.0]], [[5.0, 7.0]]])  # (2, 1, 2): mean 4, variance 5
    w, b = np.array([2.0]), np.array([1.0])
    with kernels.use(norm=name):
        mean, var = norm.statistics(x, 1)
        assert (mean.tolist(), var.tolist()) == ([[4.0]], [[5.0]])
        own = norm.statistics(x, 1, own=True)
        assert [each.tolist() for each in own] == [[[2.0], [6.0]], [[1.0], [1.0]]]
        y = norm.normalize(x, mean, var + 4, w, b, eps=0.0)  # n = (x - 4) / 3
        np.testing.assert_allclose(y.reshape(-1), [-1, 1 / 3, 5 / 3, 3], rtol=1e-15)
        y = norm.normalize(x, mean, var + 4, w, b, x - 8, eps=0.0, relu=True)
        np.testing.assert_allclose(y.reshape(-1), [0, 0, 0, 2], rtol=1e-15)
        dx, dw, db = norm.gradients(np.array([[[0.0, 0.0]], [[0.0, 4.0]]]), x, mean, var, w, eps=0.0)
        np.testing.assert_allclose(db, [4.0])
        np.testing.assert_allclose(dw, [4 * 3 / 5**0.5])  # n of 7 is 3 / √5
        np.testing.assert_allclose(dx.reshape(-1), np.array([-2 + 18 / 5, -2 + 6 / 5, -2 - 6 / 5, 6 - 18 / 5]) / 5**0.5)
        y, mean, var = norm.layer_forward(
            np.array([[1.0, 3.0], [4.0, 4.0]]), np.array([2.0, 3.0]), np.array([0.0, 1.0]), eps=1e-9
        )
        np.testing.assert_allclose(y, [[-2, 4], [0, 1]], rtol=1e-8)
        assert (mean.tolist(), var.tolist()) == ([2.0, 4.0], [1.0, 0.0])


@each_implementation
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_results_lie_as_promised(name: str, dtype: Any) -> None:
    for shape in ((3, 4, 5, 6), (3, 4, 5), (3, 4)):
        x, dy = drawn(shape, dtype), drawn(shape, dtype, 1)
        with kernels.use(norm=name):
            mean, var = norm.statistics(x, 4)
            y = norm.normalize(x, mean, var, residual=dy, relu=True)
            dx, dw, db = norm.gradients(dy, x, mean, var)
            *_, by_residual = norm.residual_gradients(dy, y, x, mean, var)
        assert mean.dtype == var.dtype == np.float64
        for each in (y, dx, by_residual):
            assert each.dtype == dtype and np.moveaxis(each, 1, -1).flags.c_contiguous
        assert dw.dtype == db.dtype == dtype


@each_implementation
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_far_from_0(name: str, dtype: Any) -> None:
    """Mean 10,000 and deviation 1: forward and gradients are those of the differences, which float64 knows exactly."""
    x = (drawn((16, 8, 9, 8)) + 1e4).astype(dtype)
    dy, wide = drawn(x.shape, dtype, 1), x.astype(np.float64)
    mean, var = wide.mean(axis=(0, 2, 3)), wide.var(axis=(0, 2, 3))
    normal = (wide - mean[:, None, None]) / np.sqrt(var + 1e-5)[:, None, None]
    step = 40 * float(np.finfo(dtype).eps)
    with kernels.use(norm=name):
        found = norm.statistics(x, 8)
        np.testing.assert_allclose(found[0][0], mean, rtol=1e-14)
        np.testing.assert_allclose(found[1][0], var, rtol=max(step, 1e-9) if dtype == np.float32 else 1e-9)
        np.testing.assert_allclose(norm.normalize(x, *found), normal, atol=max(step, 1e-11))
        dx, dw, _ = norm.gradients(dy, x, *found)
        level, along = (each.mean(axis=(0, 2, 3), keepdims=True) for each in (dy.astype(np.float64), dy * normal))
        want = (dy - level - normal * along) / np.sqrt(var + 1e-5)[:, None, None]
        np.testing.assert_allclose(dx, want, atol=max(step, 1e-10))
        np.testing.assert_allclose(dw, (dy * normal).sum(axis=(0, 2, 3)), rtol=1e-4, atol=1e-3)
        rows = np.ascontiguousarray(x.reshape(16, -1))
        wide = rows.astype(np.float64)
        y, *_ = norm.layer_forward(rows)
        want = (wide - wide.mean(axis=1, keepdims=True)) / np.sqrt(wide.var(axis=1, keepdims=True) + 1e-5)
        np.testing.assert_allclose(y, want, atol=max(step, 1e-11))


@each_implementation
def test_not_finite_values_stay_in_their_channel_or_row(name: str) -> None:
    x = drawn((2, 4, 3, 3), np.float32)
    x[0, 1, 0, 0], x[1, 2, 1, 1], x[0, 3, 2, 2] = np.nan, np.inf, -np.inf
    with kernels.use(norm=name):
        mean, var = norm.statistics(x, 4)
        assert np.isnan(mean[0, 1]) and mean[0, 2] == np.inf and mean[0, 3] == -np.inf
        assert np.isfinite(var[0]).tolist() == [True, False, False, False]
        y = norm.normalize(x, mean, var, relu=True)
        assert np.isfinite(y[:, 0]).all() and np.isnan(y[:, 1:]).all()
        own, own_var = norm.statistics(x, 4, own=True)
        assert np.isfinite(own).sum() == np.isfinite(own_var).sum() == 5
        y, row_mean, _ = norm.layer_forward(x.reshape(8, 9))
        assert (
            np.isfinite(y).all(axis=1).tolist()
            == np.isfinite(row_mean).tolist()
            == [True, False, True, False, True, True, False, True]
        )


@each_implementation
def test_a_closed_gate_gives_0_for_any_gradient(name: str) -> None:
    x = np.array([[-1.0], [1.0], [-2.0], [2.0]])
    mean, var = np.zeros((1, 1)), np.ones((1, 1))
    with kernels.use(norm=name):
        dx, dw, db = norm.gradients(np.array([[np.inf], [1.0], [np.nan], [0.0]]), x, mean, var, eps=0.0, relu=True)
        assert (dw.tolist(), db.tolist()) == ([1.0], [1.0]) and np.isfinite(dx).all()
        y = np.maximum(x, 0)
        *_, db, by_residual = norm.residual_gradients(np.array([[np.inf], [1.0], [np.nan], [0.0]]), y, x, mean, var, eps=0.0)
        assert db.tolist() == [1.0] and by_residual.tolist() == [[0.0], [1.0], [0.0], [0.0]]


@st.composite
def ways(draw: st.DrawFn) -> dict[str, Any]:
    groups, size = draw(st.integers(1, 5)), draw(st.integers(1, 7))
    rest = draw(st.lists(st.integers(1, 6), max_size=3))
    shape = (draw(st.integers(1, 5)), groups * size, *rest)
    seed = draw(st.integers(0, 1000))
    return {
        "x": drawn(shape, seed=seed) + 2,
        "dy": drawn(shape, seed=seed + 1),
        "residual": drawn(shape, seed=seed + 2),
        "w": drawn(shape[1:2], seed=seed + 3) if draw(st.booleans()) else None,
        "b": drawn(shape[1:2], seed=seed + 4) if draw(st.booleans()) else None,
        "groups": groups,
        "own": draw(st.booleans()),
        "relu": draw(st.booleans()),
    }


@hypothesis.given(ways())
@hypothesis.settings(max_examples=60, deadline=None, derandomize=True)
def test_drawn_shapes_beside_the_reference(way: dict[str, Any]) -> None:
    x, dy, w, b, options = way["x"], way["dy"], way["w"], way["b"], {"eps": 1e-3, "relu": way["relu"]}
    with kernels.use(norm="reference"):
        found = norm.statistics(x, way["groups"], own=way["own"])
        y = norm.normalize(x, *found, w, b, way["residual"], eps=1e-3, relu=True)
    for name in IMPLEMENTATIONS:
        if name == "reference":
            continue
        with kernels.use(norm=name), kernels.checking():  # each call is compared with the reference's
            norm.statistics(x, way["groups"], own=way["own"])
            norm.normalize(x, *found, w, b, **options)
            norm.normalize(x, *found, w, b, way["residual"], **options)
            norm.gradients(dy, x, *found, w, b, **options)
            norm.residual_gradients(dy, y, x, *found, w, eps=1e-3)
            rows = x.reshape(len(x), -1)
            _, mean, var = norm.layer_forward(rows, eps=1e-3)
            norm.layer_backward(dy.reshape(len(x), -1), rows, mean, var, eps=1e-3)


@pytest.mark.parametrize("name", COMPILED)
@pytest.mark.parametrize(
    ("shape", "groups", "own"),
    [((4, 64, 8, 9), 64, False), ((3, 300, 5, 2), 300, False), ((2, 260, 3, 3), 5, True), ((5, 16, 7, 9), 16, False)],
    ids=str,
)
def test_whole_lines_slices_and_threads(name: str, shape: tuple[int, ...], groups: int, own: bool) -> None:
    """Shapes large enough for each road through the compiled passes, by one, two and three threads."""
    x, dy, residual = (layout.channels_last(drawn(shape, np.float32, seed)) for seed in range(3))
    w, b = drawn(shape[1:2], np.float32, 3), drawn(shape[1:2], np.float32, 4)
    run = kernels.find("norm")
    for count in (1, 2, 3):
        with thread_count(count), kernels.use(norm=name), kernels.checking():
            found = norm.statistics(x, groups, own=own)
            y = norm.normalize(x, *found, w, b, residual, relu=True)
            norm.normalize(x, *found, w, b, relu=True)
            first = norm.gradients(dy, x, *found, w, b, relu=True)
            norm.gradients(dy, x, *found, w, b)
            norm.residual_gradients(dy, y, x, *found, w)
            again = run.gradients(dy, x, *found, w, b, eps=1e-5, relu=True)
        assert all(a.tobytes() == b.tobytes() for a, b in zip(first, again, strict=True))  # the same bits each time


@pytest.mark.parametrize("block", [1, 40, 1 << 20])
def test_vectorised_in_blocks_of_any_size(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vectorised.BLOCK, "cpu", block)
    x, dy, rows = drawn((3, 6, 4, 5)), drawn((3, 6, 4, 5), seed=1), drawn((7, 9), seed=2)
    with kernels.use(norm="vectorised"), kernels.checking():
        for groups, own in ((6, False), (3, True)):
            found = norm.statistics(x, groups, own=own)
            norm.normalize(x, *found, relu=True)
            norm.gradients(dy, x, *found, relu=True)
        norm.layer_forward(rows)
        norm.layer_backward(rows, rows[::-1], rows[:, 0], rows[:, 1] ** 2)


def test_the_check_finds_a_variance_of_one_pass() -> None:
    """The tolerance is one that float32's plain Σx² - (Σx)² does not meet, far from 0."""

    def statistics(x: np.ndarray, groups: int, *, own: bool) -> tuple[np.ndarray, np.ndarray]:
        mean = x.mean(axis=(0, 2, 3))
        var = (x * x).mean(axis=(0, 2, 3)) - mean * mean
        return mean[None].astype(np.float64), var[None].astype(np.float64)

    kernels.register("norm", "plain", statistics=statistics)
    try:
        x = (drawn((8, 4, 6, 6)) + 100).astype(np.float32)
        with kernels.use(norm="plain"), kernels.checking(), pytest.raises(MinigradError, match="plain of norm: statistics"):
            norm.statistics(x, 4)
    finally:
        kernels.unregister("norm", "plain")


X, MEAN = np.ones((2, 4, 3, 3), np.float32), np.ones((1, 4))
REFUSED = [
    (lambda: norm.statistics(np.ones(3), 3), ShapeError, ["input", "2 dimensions (N, C) or more", "(3,)"]),
    (lambda: norm.statistics(np.ones((2, 0, 3)), 1), ShapeError, ["input", "at least 1 channel", "(2, 0, 3)"]),
    (lambda: norm.statistics(X, 3), ShapeError, ["input", "groups=3 divides"]),
    (lambda: norm.statistics(X, 0), ArgumentError, ["groups", "1 or more"]),
    (lambda: norm.statistics(X, 4, own=1), DTypeError, ["own", "True or False"]),
    (lambda: norm.statistics(X.astype(np.float16), 4), DTypeError, ["input", "float32 or float64", "float16"]),
    (lambda: norm.normalize(X, MEAN.astype(np.float32), MEAN), DTypeError, ["mean", "float64, whatever input is", "float32"]),
    (lambda: norm.normalize(X, MEAN, [[1.0]]), DTypeError, ["var", "float64", "list"]),
    (lambda: norm.normalize(X, MEAN[:, :3], MEAN[:, :3]), ShapeError, ["mean", "(1, G) or (2, G)", "divide 4", "(1, 3)"]),
    (lambda: norm.normalize(X, MEAN, MEAN[:, :2]), ShapeError, ["var", "the same for both", "(1, 2)"]),
    (lambda: norm.normalize(X, MEAN, MEAN, X[0, :3, 0, 0]), ShapeError, ["weight", "(4,)", "(3,)"]),
    (lambda: norm.normalize(X, MEAN, MEAN, None, np.ones(4)), DTypeError, ["bias", "float32, as input has", "float64"]),
    (lambda: norm.normalize(X, MEAN, MEAN, residual=X[:1]), ShapeError, ["residual", "(2, 4, 3, 3)", "(1, 4, 3, 3)"]),
    (lambda: norm.normalize(X, MEAN, MEAN, eps=-1.0), ArgumentError, ["eps", "0 or more", "-1.0"]),
    (lambda: norm.normalize(X, MEAN, MEAN, relu=1), DTypeError, ["relu", "True or False"]),
    (lambda: norm.gradients(X[:1], X, MEAN, MEAN), ShapeError, ["grad_output", "(2, 4, 3, 3)"]),
    (lambda: norm.residual_gradients(X, X[:1], X, MEAN, MEAN), ShapeError, ["output", "(2, 4, 3, 3)"]),
    (lambda: norm.layer_forward(X), ShapeError, ["input", "2 dimensions (R, K)"]),
    (lambda: norm.layer_forward(np.ones((3, 0))), ShapeError, ["input", "at least 1 value"]),
    (lambda: norm.layer_forward(np.ones((3, 2)), np.ones(3)), ShapeError, ["weight", "(2,)", "(3,)"]),
    (lambda: norm.layer_backward(*[np.ones((3, 2))] * 2, *[np.ones(2)] * 2), ShapeError, ["mean", "(3,)", "(2,)"]),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "words"), REFUSED)
def test_refused(call: Any, error: type[Exception], words: list[str]) -> None:
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value).startswith("norm: ")
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.peer
@each_implementation
def test_beside_pytorch(name: str) -> None:
    import torch

    F = torch.nn.functional
    x, dy, residual = (torch.from_numpy(drawn((3, 6, 4, 5), seed=seed)).requires_grad_() for seed in range(3))
    w, b = (torch.from_numpy(drawn((6,), seed=seed)).requires_grad_() for seed in (3, 4))
    arrays = [each.detach().numpy() for each in (x, dy, residual, w, b)]
    for groups, own in ((6, False), (3, True), (6, True)):
        z = F.group_norm(x, groups, w, b) if own else F.batch_norm(x, None, None, w, b, True)
        y = F.relu(z + residual)
        want = (
            y,
            *torch.autograd.grad(y, (x, w, b, residual), dy, retain_graph=True),
            *torch.autograd.grad(F.relu(z), (x, w, b), dy),
        )
        with kernels.use(norm=name):
            found = norm.statistics(arrays[0], groups, own=own)
            ours = norm.normalize(arrays[0], *found, *arrays[3:], arrays[2], relu=True)
            joined = norm.residual_gradients(arrays[1], ours, arrays[0], *found, arrays[3])
            got = (ours, *joined, *norm.gradients(arrays[1], arrays[0], *found, *arrays[3:], relu=True))
        for a, each in zip(got, want, strict=True):
            np.testing.assert_allclose(a, each.detach().numpy(), rtol=1e-10, atol=1e-10)
    rows, d_rows = (torch.from_numpy(drawn((5, 6), seed=seed)).requires_grad_() for seed in (5, 6))
    y = F.layer_norm(rows, (6,), w, b)
    want = (y, *torch.autograd.grad(y, (rows, w, b), d_rows))
    with kernels.use(norm=name):
        ours, mean, var = norm.layer_forward(rows.detach().numpy(), *arrays[3:])
        got = (ours, *norm.layer_backward(d_rows.detach().numpy(), rows.detach().numpy(), mean, var, arrays[3]))
    for a, each in zip(got, want, strict=True):
        np.testing.assert_allclose(a, each.detach().numpy(), rtol=1e-10, atol=1e-10)
