"""Pooling: cases x implementations, beside hand numbers, the formula, the transposed maps and PyTorch."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from minigrad import kernels
from minigrad.errors import ArgumentError, DTypeError, IndexingError, MinigradError, ShapeError
from minigrad.kernels import layout, pool2d
from minigrad.kernels.pool2d import vectorised

IMPLEMENTATIONS = kernels.available("pool2d", "cpu")


@dataclass(frozen=True)
class Case:
    """x (N, C, H, W) and how the window walks."""

    name: str
    x: tuple[int, int, int, int]
    kernel_size: tuple[int, int]
    stride: tuple[int, int] | None = None
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    ceil_mode: bool = False

    @property
    def geometry(self) -> dict[str, Any]:
        return {"stride": self.stride, "padding": self.padding, "ceil_mode": self.ceil_mode}

    def array(self, dtype: Any = np.float64) -> np.ndarray:
        """Small whole numbers, so that there are ties."""
        return np.random.default_rng(sum(self.x)).integers(-3, 4, self.x).astype(dtype)


CASES = [
    Case("2x2", (2, 3, 4, 6), (2, 2)),
    Case("3x3 stride 2 padding 1", (2, 2, 7, 8), (3, 3), (2, 2), (1, 1)),
    Case("overlapping", (1, 2, 5, 6), (3, 2), (1, 1)),
    Case("stride past the window", (2, 2, 7, 9), (2, 2), (3, 4)),
    Case("ceil", (2, 2, 5, 6), (2, 3), (2, 2), ceil_mode=True),
    Case("ceil, the last window would begin past the padding", (1, 2, 3, 4), (2, 2), (2, 3), (1, 1), ceil_mode=True),
    Case("dilation", (1, 2, 8, 9), (2, 3), (2, 1), (1, 1), (3, 2)),
    Case("dilation and ceil", (2, 1, 8, 7), (3, 2), (2, 3), (1, 0), (2, 3), ceil_mode=True),
    Case("1x1", (2, 3, 3, 2), (1, 1), (2, 1)),
    Case("all of the image", (2, 3, 4, 5), (4, 5)),
    Case("taps that meet no pixel", (1, 2, 5, 1), (2, 3), (2, 3), (0, 1)),
    Case("no images", (0, 3, 4, 4), (2, 2)),
]
SIZES = [((5, 7), (2, 3)), ((4, 6), (2, 3)), ((3, 2), (3, 2)), ((2, 3), (5, 4)), ((6, 5), (1, 1)), ((1, 1), (2, 2))]
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
each_implementation = pytest.mark.parametrize("name", IMPLEMENTATIONS)


def windows(case: Case) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """The pixels of each window, by PyTorch's rule for how many windows there are."""

    def starts(axis: int) -> list[int]:
        kernel, pad, size = case.kernel_size[axis], case.padding[axis], case.x[2 + axis]
        step = (case.stride or case.kernel_size)[axis]
        last = size + pad - case.dilation[axis] * (kernel - 1)
        if case.ceil_mode:
            return [s for s in range(-pad, size, step) if s < last or s - step + 1 < last]
        return list(range(-pad, last, step))

    def along(axis: int, start: int) -> list[int]:
        kernel = case.kernel_size[axis]
        return [p for k in range(kernel) if 0 <= (p := start + k * case.dilation[axis]) < case.x[2 + axis]]

    return {
        (i, j): list(itertools.product(along(0, top), along(1, left)))
        for (i, top), (j, left) in itertools.product(enumerate(starts(0)), enumerate(starts(1)))
    }


@each_implementation
@each_case
def test_max(case: Case, name: str) -> None:
    x, seen = case.array(), windows(case)
    with kernels.use(pool2d=name):
        y, indices = pool2d.max_forward(x, case.kernel_size, dilation=case.dilation, **case.geometry)
        np.testing.assert_array_equal(pool2d.max_gather(x, indices), y)
    assert y.shape == indices.shape == (*case.x[:2], *(last + 1 for last in max(seen)))
    assert layout.is_channels_last(y) and layout.is_channels_last(indices) and indices.dtype == np.int64
    for n, c in np.ndindex(*case.x[:2]):
        for place, pixels in seen.items():
            best = max(pixels, key=lambda pixel: x[n, c][pixel])  # the first of equals
            assert (y[n, c][place], indices[n, c][place]) == (x[n, c][best], best[0] * case.x[3] + best[1])


@each_implementation
@each_case
@pytest.mark.parametrize("include", [True, False])
def test_avg(case: Case, name: str, include: bool) -> None:
    if case.dilation != (1, 1):
        case = Case(case.name, case.x, case.kernel_size, case.stride, case.padding, (1, 1), case.ceil_mode)
    x, seen = case.array(), windows(case)
    padded = Case("", (*case.x[:2], *(s + 2 * p for s, p in zip(case.x[2:], case.padding, strict=True))), *vars_of(case))
    sizes = {place: len(pixels) for place, pixels in windows(padded).items()} if include else None
    with kernels.use(pool2d=name):
        y = pool2d.avg_forward(x, case.kernel_size, count_include_pad=include, **case.geometry)
        sums = pool2d.avg_forward(x, case.kernel_size, divisor_override=1, **case.geometry)
        thirds = pool2d.avg_forward(x, case.kernel_size, divisor_override=-3, **case.geometry)
    assert layout.is_channels_last(y)
    for place, pixels in seen.items():
        total = sum(x[:, :, h, w] for h, w in pixels)
        np.testing.assert_array_equal(sums[:, :, *place], total)
        np.testing.assert_allclose(thirds[:, :, *place], total / -3)
        np.testing.assert_allclose(y[:, :, *place], total / (sizes[place] if sizes else len(pixels)))


def vars_of(case: Case) -> tuple[Any, ...]:
    return case.kernel_size, case.stride, (0, 0), (1, 1), case.ceil_mode


def adjoint(name: str, size: tuple[int, int], forward: Any, backward: Any) -> None:
    """⟨forward(x), dy⟩ = ⟨x, backward(dy)⟩, and the gradient lies as promised."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((2, 3, *size))
    with kernels.use(pool2d=name):
        y = forward(x)
        dy = rng.standard_normal(y.shape)
        dx = backward(dy)
    assert (y * dy).sum() == pytest.approx((x * dx).sum(), rel=1e-11)
    assert dx.shape == x.shape and layout.is_channels_last(dx)


@each_implementation
@each_case
def test_adjoint(case: Case, name: str) -> None:
    size, kernel, geometry = case.x[2:], case.kernel_size, case.geometry
    with kernels.use(pool2d=name):
        x = np.random.default_rng(2).standard_normal((2, 3, *size))
        _, indices = pool2d.max_forward(x, kernel, dilation=case.dilation, **geometry)
    adjoint(name, size, lambda x: pool2d.max_gather(x, indices), lambda dy: pool2d.max_backward(dy, indices, size))
    for options in ({}, {"count_include_pad": False}, {"divisor_override": 5}):
        adjoint(
            name,
            size,
            lambda x, options=options: pool2d.avg_forward(x, kernel, **geometry, **options),
            lambda dy, options=options: pool2d.avg_backward(dy, size, kernel, **geometry, **options),
        )


@each_implementation
@pytest.mark.parametrize(("size", "grid"), SIZES)
def test_adaptive(size: tuple[int, int], grid: tuple[int, int], name: str) -> None:
    x = np.random.default_rng(0).integers(-3, 4, (2, 3, *size)).astype(np.float64)
    with kernels.use(pool2d=name):
        mean = pool2d.adaptive_avg_forward(x, grid)
        y, indices = pool2d.adaptive_max_forward(x, grid)
        np.testing.assert_array_equal(pool2d.max_gather(x, indices), y)
    assert mean.shape == y.shape == indices.shape == (2, 3, *grid) and indices.dtype == np.int64
    assert all(layout.is_channels_last(each) for each in (mean, y, indices))
    for i, j in np.ndindex(*grid):
        rows = slice(int(np.floor(i * size[0] / grid[0])), int(np.ceil((i + 1) * size[0] / grid[0])))
        columns = slice(int(np.floor(j * size[1] / grid[1])), int(np.ceil((j + 1) * size[1] / grid[1])))
        window = x[:, :, rows, columns]
        np.testing.assert_allclose(mean[:, :, i, j], window.mean((2, 3)))
        np.testing.assert_array_equal(y[:, :, i, j], window.max((2, 3)))
        flat = np.arange(size[0] * size[1]).reshape(size)[rows, columns].ravel()
        np.testing.assert_array_equal(indices[:, :, i, j], flat[window.reshape(2, 3, -1).argmax(2)])
    adjoint(name, size, lambda x: pool2d.adaptive_avg_forward(x, grid), lambda dy: pool2d.adaptive_avg_backward(dy, size))


@each_implementation
def test_hand_numbers(name: str) -> None:
    x = np.array([[[[1.0, 5.0, 5.0], [5.0, 2.0, 3.0], [4.0, 8.0, 6.0]]]])
    with kernels.use(pool2d=name):
        y, indices = pool2d.max_forward(x, (2, 2), stride=(1, 1))
        assert (y[0, 0].tolist(), indices[0, 0].tolist()) == ([[5.0, 5.0], [8.0, 8.0]], [[1, 1], [7, 7]])
        assert pool2d.max_backward(y, indices, (3, 3))[0, 0].tolist() == [[0.0, 10.0, 0.0], [0.0, 0.0, 0.0], [0.0, 16.0, 0.0]]
        assert pool2d.avg_forward(x, (2, 2), stride=(1, 1))[0, 0].tolist() == [[3.25, 3.75], [4.75, 4.75]]
        corners = {"stride": (2, 2), "padding": (1, 1)}
        assert pool2d.avg_forward(x, (2, 2), **corners)[0, 0].tolist() == [[0.25, 2.5], [2.25, 4.75]]
        assert pool2d.avg_forward(x, (2, 2), count_include_pad=False, **corners)[0, 0].tolist() == [[1.0, 5.0], [4.5, 4.75]]


@each_implementation
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_negative_infinity_and_nan(name: str, dtype: Any) -> None:
    x = np.full((1, 1, 4, 6), -np.inf, dtype)
    x[0, 0, 0, 3], x[0, 0, 2, 2], x[0, 0, 3, 3], x[0, 0, 2, 3] = np.nan, np.nan, np.nan, np.inf
    with kernels.use(pool2d=name):
        y, indices = pool2d.max_forward(x, (2, 2))
        np.testing.assert_array_equal(y[0, 0], [[-np.inf, np.nan, -np.inf], [-np.inf, np.nan, -np.inf]])
        assert indices[0, 0].tolist() == [[0, 3, 4], [12, 21, 16]]
        grid, places = pool2d.adaptive_max_forward(x, (2, 3))
        np.testing.assert_array_equal(grid, y)
        np.testing.assert_array_equal(places, indices)
        assert np.isnan(pool2d.avg_forward(x, (2, 2))[0, 0]).tolist() == [[False, True, False], [False, True, False]]
        assert np.isnan(pool2d.adaptive_avg_forward(x, (2, 3))[0, 0]).tolist() == [[False, True, False], [False, True, False]]


@each_implementation
def test_any_strides_and_inputs_left_alone(name: str) -> None:
    case = CASES[1]
    x = case.array(np.float32)
    gaps = np.full((2, 2, 14, 24), np.nan, np.float32)
    gaps[:, :, ::2, ::3] = x
    with kernels.use(pool2d=name):
        want = all_of(case, x)
        for view in (np.asfortranarray(x), layout.channels_last(x), gaps[:, :, ::2, ::3], x[..., ::-1].copy()[..., ::-1]):
            copy = view.copy()
            view.flags.writeable = False
            for got, wanted in zip(all_of(case, view), want, strict=True):
                np.testing.assert_array_equal(got, wanted)
            np.testing.assert_array_equal(view, copy)


def all_of(case: Case, x: np.ndarray) -> list[np.ndarray]:
    """Every function, one after another; inputs of the later ones are views that cannot be written to."""
    y, indices = pool2d.max_forward(x, case.kernel_size, **case.geometry)
    mean, grid = pool2d.avg_forward(x, case.kernel_size, **case.geometry), pool2d.adaptive_avg_forward(x, (3, 3))
    dy, places = (np.ascontiguousarray(each) for each in (y, indices))
    for each in (dy, places, grid):
        each.flags.writeable = False
    return [
        y,
        indices,
        mean,
        grid,
        pool2d.max_backward(dy, places, x.shape[2:]),
        pool2d.max_gather(x, places),
        pool2d.avg_backward(dy, x.shape[2:], case.kernel_size, **case.geometry),
        pool2d.adaptive_avg_backward(grid, x.shape[2:]),
        *pool2d.adaptive_max_forward(x, (3, 3)),
    ]


def test_vectorised_in_blocks_of_one_image(monkeypatch: pytest.MonkeyPatch) -> None:
    for case in CASES:
        if case.dilation == (1, 1) and case.x[0]:
            whole = all_of(case, case.array())
            monkeypatch.setitem(vectorised.BLOCK_BYTES, "cpu", 1)
            for got, want in zip(all_of(case, case.array()), whole, strict=True):
                np.testing.assert_array_equal(got, want)
            monkeypatch.undo()


def test_more_taps_than_a_byte_counts() -> None:
    x = np.random.default_rng(0).standard_normal((1, 2, 20, 20))
    x[0, 1, 19, 18] = 9.0
    y, indices = pool2d.max_forward(x, (20, 20))
    assert y[0, 1, 0, 0] == 9.0 and indices[0, :, 0, 0].tolist() == [int(x[0, 0].argmax()), 19 * 20 + 18]


@st.composite
def drawn_cases(draw: st.DrawFn) -> Case:
    def pairs(low: int, high: int) -> tuple[int, int]:
        return draw(st.integers(low, high)), draw(st.integers(low, high))

    kernel = pairs(1, 4)
    padding = (draw(st.integers(0, kernel[0] // 2)), draw(st.integers(0, kernel[1] // 2)))
    x = (*pairs(1, 3), *pairs(1, 9))
    return Case("drawn", x, kernel, pairs(1, 4), padding, pairs(1, 3), draw(st.booleans()))


@hypothesis.given(drawn_cases())
@hypothesis.settings(max_examples=150, deadline=None, derandomize=True)
def test_drawn_shapes_beside_the_reference(case: Case) -> None:
    def run(name: str) -> list[np.ndarray] | str:
        x = case.array()
        x[x == -3] = -np.inf
        with kernels.use(pool2d=name):
            try:
                found = [*pool2d.max_forward(x, case.kernel_size, dilation=case.dilation, **case.geometry)]
            except MinigradError as error:
                return str(error)
            return [*found, pool2d.max_backward(found[0], found[1], x.shape[2:])]

    want = run("reference")
    for name in IMPLEMENTATIONS:
        got = run(name)
        assert type(got) is type(want)
        for g, w in zip(got, want, strict=True):
            np.testing.assert_array_equal(g, w)


X = np.ones((2, 3, 4, 5), np.float32)
I = np.zeros((2, 3, 2, 2), np.int64)  # noqa: E741 - the indices
DY = np.ones((2, 3, 2, 2), np.float32)
MAX, AVG = pool2d.max_forward, pool2d.avg_forward
REFUSED = [
    (lambda: MAX(X[0], (2, 2)), ShapeError, ["max_pool2d: input", "4 dimensions (N, C, H, W)", "x[None]"]),
    (lambda: MAX(X[:, :0], (2, 2)), ShapeError, ["no size of 0"]),
    (lambda: MAX(X, (5, 2)), ShapeError, ["max_pool2d: input", "kernel_size (5, 2)", "4 x 5", "smaller window"]),
    (lambda: MAX(X[:, :, :1], (2, 2), padding=(1, 0), dilation=(2, 1)), ShapeError, ["meets a pixel", "1 x 5"]),
    (lambda: MAX(X, (2, 2), padding=(2, 0)), ArgumentError, ["padding", "at most half of kernel_size (2, 2)", "(2, 0)"]),
    (lambda: MAX(X, (0, 2)), ArgumentError, ["kernel_size", "1 or more", "(0, 2)"]),
    (lambda: MAX(X, 2), ArgumentError, ["kernel_size", "two whole numbers", "2"]),
    (lambda: MAX(X, (2, 2), stride=(1, 0)), ArgumentError, ["stride", "(1, 0)"]),
    (lambda: MAX(X, (2, 2), padding=(-1, 0)), ArgumentError, ["padding", "(-1, 0)"]),
    (lambda: MAX(X, (2, 2), dilation=(0, 1)), ArgumentError, ["dilation", "(0, 1)"]),
    (lambda: MAX(X.astype(np.float16), (2, 2)), DTypeError, ["float16 is for storage"]),
    (lambda: MAX(X.astype(np.int32), (2, 2)), DTypeError, ["float32 or float64", "int32"]),
    (lambda: pool2d.max_backward(DY, I[:1], (4, 5)), ShapeError, ["indices", "(2, 3, 2, 2)", "(1, 3, 2, 2)"]),
    (lambda: pool2d.max_backward(DY, I.astype(np.int32), (4, 5)), DTypeError, ["indices", "int64", "int32"]),
    (lambda: pool2d.max_backward(DY, I + 20, (4, 5)), IndexingError, ["0 to 19 for an image of 4 x 5", "20 to 20"]),
    (lambda: pool2d.max_backward(DY, I - 1, (4, 5)), IndexingError, ["0 to 19", "-1 to -1"]),
    (lambda: pool2d.max_backward(DY, None, (4, 5)), ShapeError, ["indices", "None"]),
    (lambda: pool2d.max_gather(X, I[:, :2]), ShapeError, ["indices", "(2, 3, OH, OW)", "(2, 2, 2, 2)"]),
    (lambda: pool2d.max_gather(X, I + 20), IndexingError, ["0 to 19"]),
    (lambda: AVG(X, (2, 2), divisor_override=0), ArgumentError, ["avg_pool2d: divisor_override", "not 0", "0"]),
    (lambda: AVG(X, (2, 2), divisor_override=1.5), ArgumentError, ["divisor_override", "1.5"]),
    (lambda: AVG(X, (2, 2), padding=(0, 2)), ArgumentError, ["avg_pool2d: padding", "half"]),
    (lambda: pool2d.avg_backward(DY, (4, 7), (2, 2)), ShapeError, ["avg_pool2d: grad_output", "(N, C, 2, 3)", "(2, 3, 2, 2)"]),
    (lambda: pool2d.adaptive_avg_forward(X, (0, 1)), ArgumentError, ["adaptive_avg_pool2d: output_size", "1 or more"]),
    (lambda: pool2d.adaptive_avg_forward(X[0], (1, 1)), ShapeError, ["adaptive_avg_pool2d: input"]),
    (lambda: pool2d.adaptive_avg_backward(DY, 4), ArgumentError, ["adaptive_avg_pool2d: input_size"]),
    (lambda: pool2d.adaptive_max_forward(X, (1, 1.5)), ArgumentError, ["adaptive_max_pool2d: output_size", "1.5"]),
]


@pytest.mark.parametrize(("call", "error", "words"), REFUSED)
def test_refused(call: Any, error: type[Exception], words: list[str]) -> None:
    with pytest.raises(error) as caught:
        call()
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.peer
@each_implementation
@hypothesis.given(drawn_cases(), st.sampled_from([0.0, np.nan, -np.inf, np.inf]))
@hypothesis.settings(max_examples=150, deadline=None, derandomize=True)
def test_sliding_beside_pytorch(name: str, case: Case, special: float) -> None:
    import torch

    functional = torch.nn.functional
    x = case.array()
    x[x == 2] = special
    theirs = torch.from_numpy(x).requires_grad_()
    geometry = dict(case.geometry)
    with kernels.use(pool2d=name):
        try:
            y, indices = pool2d.max_forward(x, case.kernel_size, dilation=case.dilation, **geometry)
        except ShapeError:  # PyTorch refuses it too, or has a window without pixels, whose maximum is -inf
            try:
                found = functional.max_pool2d(theirs, case.kernel_size, dilation=case.dilation, **geometry)
            except RuntimeError:
                return
            assert bool((found == -np.inf).any())
            return
        want, places = functional.max_pool2d(theirs, case.kernel_size, dilation=case.dilation, return_indices=True, **geometry)
        np.testing.assert_array_equal(y, want.detach().numpy())
        np.testing.assert_array_equal(indices, places.numpy())
        dy = np.random.default_rng(0).standard_normal(y.shape)
        (dx,) = torch.autograd.grad(want, theirs, torch.from_numpy(dy))
        np.testing.assert_allclose(pool2d.max_backward(dy, indices, case.x[2:]), dx.numpy(), atol=1e-13)
        if case.dilation != (1, 1):
            return
        for options in ({}, {"count_include_pad": False}, {"divisor_override": -3}):
            y = pool2d.avg_forward(x, case.kernel_size, **geometry, **options)
            want = functional.avg_pool2d(theirs, case.kernel_size, **geometry, **options)
            np.testing.assert_allclose(y, want.detach().numpy(), atol=1e-13)
            (dx,) = torch.autograd.grad(want, theirs, torch.from_numpy(dy))
            ours = pool2d.avg_backward(dy, case.x[2:], case.kernel_size, **geometry, **options)
            np.testing.assert_allclose(ours, dx.numpy(), atol=1e-13)


@pytest.mark.peer
@each_implementation
@pytest.mark.parametrize(("size", "grid"), SIZES)
@pytest.mark.parametrize("special", [0.0, np.nan, -np.inf])
def test_adaptive_beside_pytorch(name: str, size: tuple[int, int], grid: tuple[int, int], special: float) -> None:
    import torch

    functional = torch.nn.functional
    x = np.random.default_rng(0).integers(-2, 3, (2, 3, *size)).astype(np.float64)
    x[x == 2] = special
    theirs = torch.from_numpy(x).requires_grad_()
    with kernels.use(pool2d=name):
        y, indices = pool2d.adaptive_max_forward(x, grid)
        want, places = functional.adaptive_max_pool2d(theirs, grid, return_indices=True)
        np.testing.assert_array_equal(y, want.detach().numpy())
        np.testing.assert_array_equal(indices, places.numpy())
        y, want = pool2d.adaptive_avg_forward(x, grid), functional.adaptive_avg_pool2d(theirs, grid)
        np.testing.assert_allclose(y, want.detach().numpy(), atol=1e-13)
        dy = np.random.default_rng(0).standard_normal(y.shape)
        (dx,) = torch.autograd.grad(want, theirs, torch.from_numpy(dy))
        np.testing.assert_allclose(pool2d.adaptive_avg_backward(dy, size), dx.numpy(), atol=1e-13)
