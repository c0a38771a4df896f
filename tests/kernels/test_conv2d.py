"""The three maps of convolution: cases x implementations, beside the formula, hand numbers, each other and PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from minigrad import kernels
from minigrad.core import device
from minigrad.errors import ArgumentError, DeviceError, DTypeError, ShapeError
from minigrad.kernels import conv2d, layout
from minigrad.kernels.conv2d import im2col, taps

IMPLEMENTATIONS = kernels.available("conv2d", "cpu")
NO_PADDING = ((0, 0), (0, 0))
SAME = ((1, 1), (1, 1))


@dataclass(frozen=True)
class Case:
    """x (N, C, H, W), w (F, C/groups, KH, KW) and how the window walks."""

    name: str
    x: tuple[int, int, int, int]
    w: tuple[int, int, int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[tuple[int, int], tuple[int, int]] = NO_PADDING
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    @property
    def geometry(self) -> dict[str, Any]:
        return {"stride": self.stride, "padding": self.padding, "dilation": self.dilation, "groups": self.groups}

    @property
    def y(self) -> tuple[int, int, int, int]:
        size = conv2d.output_sizes(self.x[2:], self.w[2:], self.stride, self.padding, self.dilation)
        return self.x[0], self.w[0], *size

    def arrays(self, dtype: Any = np.float64) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """x, w, dy and a bias."""
        rng = np.random.default_rng(sum(self.x) * 31 + sum(self.w))
        shapes = (self.x, self.w, self.y, self.w[:1])
        return tuple(rng.standard_normal(shape).astype(dtype) for shape in shapes)  # type: ignore[return-value]


CASES = [
    Case("3x3", (2, 3, 5, 6), (4, 3, 3, 3)),
    Case("same", (2, 3, 5, 4), (4, 3, 3, 3), padding=SAME),
    Case("1x1", (2, 3, 4, 5), (2, 3, 1, 1)),
    Case("1x1 stride", (2, 3, 5, 4), (2, 3, 1, 1), stride=(2, 3)),
    Case("1x1 padding", (1, 2, 3, 3), (2, 2, 1, 1), padding=((1, 0), (2, 1))),
    Case("stride", (2, 2, 8, 7), (3, 2, 3, 2), stride=(2, 3)),
    Case("stride past the kernel", (1, 2, 9, 9), (2, 2, 2, 2), stride=(4, 3)),
    Case("asymmetric", (1, 2, 4, 4), (2, 2, 4, 2), stride=(2, 1), padding=((2, 1), (0, 3))),
    Case("padding past the kernel", (1, 2, 3, 3), (2, 2, 2, 2), padding=((3, 4), (5, 2))),
    Case("dilation", (2, 2, 7, 8), (3, 2, 3, 2), dilation=(2, 3)),
    Case("all at once", (2, 4, 9, 8), (6, 2, 3, 2), (2, 1), ((1, 2), (0, 1)), (2, 3), 2),
    Case("groups", (2, 6, 5, 5), (4, 3, 3, 3), padding=SAME, groups=2),
    Case("depthwise", (2, 4, 5, 6), (4, 1, 3, 3), padding=SAME, groups=4),
    Case("depthwise multiplier", (2, 3, 6, 5), (6, 1, 3, 2), (2, 1), ((1, 0), (1, 2)), (1, 2), 3),
    Case("one channel", (2, 1, 5, 5), (3, 1, 3, 3), padding=SAME),
    Case("one filter", (2, 3, 5, 5), (1, 3, 3, 3)),
    Case("one pixel", (3, 5, 1, 1), (4, 5, 1, 1)),
    Case("kernel of the image's size", (2, 3, 4, 5), (2, 3, 4, 5)),
    Case("no images", (0, 4, 5, 5), (2, 4, 3, 3), padding=SAME),
    Case("no images, groups", (0, 4, 5, 5), (4, 2, 3, 3), stride=(2, 2), groups=2),
    Case("no images, depthwise", (0, 4, 5, 5), (4, 1, 3, 3), groups=4),
]
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
each_implementation = pytest.mark.parametrize("name", IMPLEMENTATIONS)


def three_maps(case: Case, x: Any, w: Any, dy: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return (
        conv2d.forward(x, w, **case.geometry),
        conv2d.grad_input(dy, w, case.x[2:], **case.geometry),
        conv2d.grad_weight(x, dy, case.w[2:], **case.geometry),
    )


def by_formula(case: Case, x: np.ndarray, w: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All three from the formula of y, term by term: what x and w give to y, each gives back to the other."""
    y, dx, dw = np.zeros(case.y), np.zeros(case.x), np.zeros(case.w)
    per_group = case.w[0] // case.groups
    for n, f, i, j in np.ndindex(*case.y):
        for c, k, m in np.ndindex(*case.w[1:]):
            p = i * case.stride[0] + k * case.dilation[0] - case.padding[0][0]
            q = j * case.stride[1] + m * case.dilation[1] - case.padding[1][0]
            if 0 <= p < case.x[2] and 0 <= q < case.x[3]:
                pixel = n, f // per_group * case.w[1] + c, p, q
                y[n, f, i, j] += x[pixel] * w[f, c, k, m]
                dx[pixel] += dy[n, f, i, j] * w[f, c, k, m]
                dw[f, c, k, m] += dy[n, f, i, j] * x[pixel]
    return y, dx, dw


@each_implementation
@each_case
def test_formula(case: Case, name: str) -> None:
    x, w, dy, _ = case.arrays()
    with kernels.use(conv2d=name):
        results = three_maps(case, x, w, dy)
    for got, want in zip(results, by_formula(case, x, w, dy), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


@each_implementation
@each_case
def test_adjoint(case: Case, name: str) -> None:
    x, w, dy, _ = case.arrays()
    with kernels.use(conv2d=name):
        y, dx, dw = three_maps(case, x, w, dy)
    assert (y * dy).sum() == pytest.approx((x * dx).sum(), rel=1e-11, abs=1e-11)
    assert (y * dy).sum() == pytest.approx((w * dw).sum(), rel=1e-11, abs=1e-11)


@each_implementation
@each_case
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_results_lie_as_promised(case: Case, name: str, dtype: Any) -> None:
    x, w, dy, bias = case.arrays(dtype)
    with kernels.use(conv2d=name):
        y, dx, dw = three_maps(case, x, w, dy)
        with_bias = conv2d.forward(x, w, bias, **case.geometry)
    assert [each.shape for each in (y, dx, dw)] == [case.y, case.x, case.w]
    assert all(each.dtype == dtype for each in (y, dx, dw, with_bias))
    assert layout.is_channels_last(y) and layout.is_channels_last(dx) and dw.flags.c_contiguous
    np.testing.assert_allclose(with_bias, y + bias[:, None, None], rtol=1e-4, atol=1e-5)


@each_implementation
@each_case
def test_float32(case: Case, name: str) -> None:
    exact = by_formula(case, *case.arrays()[:3])
    with kernels.use(conv2d=name):
        for got, want in zip(three_maps(case, *case.arrays(np.float32)[:3]), exact, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-4, atol=2e-5)


def views(x: np.ndarray) -> list[np.ndarray]:
    """The same values in memory of other kinds, all read-only."""
    n, c, h, w = x.shape
    gaps = np.full((n, c, 2 * h, 3 * w), np.nan, x.dtype)
    gaps[:, :, ::2, ::3] = x
    wide = np.full((n, h, w, c + 2), np.nan, x.dtype)
    wide[..., 1:-1] = x.transpose(0, 2, 3, 1)
    found = [
        x.copy(),
        np.asfortranarray(x),
        layout.channels_last(x.copy()),
        gaps[:, :, ::2, ::3],
        wide[..., 1:-1].transpose(0, 3, 1, 2),
        np.ascontiguousarray(x[:, ::-1, ::-1, ::-1])[:, ::-1, ::-1, ::-1],
        np.ascontiguousarray(x.transpose(3, 1, 0, 2)).transpose(2, 1, 3, 0),
    ]
    for view in found:
        np.testing.assert_array_equal(view, x)
        view.flags.writeable = False
    return found


@each_implementation
@pytest.mark.parametrize("case", [CASES[1], CASES[2], CASES[10], CASES[12]], ids=lambda case: case.name)
def test_any_strides_and_inputs_left_alone(case: Case, name: str) -> None:
    x, w, dy, bias = case.arrays()
    copies = [each.copy() for each in (x, w, dy)]
    with kernels.use(conv2d=name):
        want = three_maps(case, x, w, dy)
        for each in zip(views(x), views(w), views(dy), strict=True):
            for got, wanted in zip(three_maps(case, *each), want, strict=True):
                np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-13)
        wide_bias = np.repeat(bias, 2)[::2]
        np.testing.assert_allclose(conv2d.forward(x, w, wide_bias, **case.geometry), want[0] + bias[:, None, None], atol=1e-13)
    for each, copy in zip((x, w, dy), copies, strict=True):
        np.testing.assert_array_equal(each, copy)


@each_implementation
def test_broadcast_input(name: str) -> None:
    x = np.broadcast_to(np.arange(4.0).reshape(1, 4, 1, 1), (2, 4, 3, 3))
    dy = np.broadcast_to(1.0, (2, 1, 1, 1))
    with kernels.use(conv2d=name):
        np.testing.assert_array_equal(conv2d.forward(x, np.ones((1, 4, 3, 3))), np.full((2, 1, 1, 1), 54.0))
        np.testing.assert_array_equal(conv2d.grad_weight(x, dy, (3, 3)), np.broadcast_to(2 * x[:1], (1, 4, 3, 3)))


@each_implementation
def test_hand_numbers(name: str) -> None:
    x = np.array([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]]])
    w = np.array([[[[1.0, 2.0], [3.0, 4.0]]]])
    with kernels.use(conv2d=name):
        assert conv2d.forward(x, w)[0, 0].tolist() == [[37.0, 47.0], [67.0, 77.0]]
        assert conv2d.forward(x, w, np.array([0.5]), stride=(2, 2), padding=((1, 0), (1, 0)))[0, 0].tolist() == [
            [4.5, 18.5],
            [36.5, 77.5],
        ]
        dy = np.array([[[[1.0, 0.0], [0.0, 10.0]]]])
        assert conv2d.grad_input(dy, w, (3, 3))[0, 0].tolist() == [[1.0, 2.0, 0.0], [3.0, 14.0, 20.0], [0.0, 30.0, 40.0]]
        assert conv2d.grad_weight(x, dy, (2, 2))[0, 0].tolist() == [[51.0, 62.0], [84.0, 95.0]]


@each_implementation
def test_pixels_that_no_window_reads_have_no_gradient(name: str) -> None:
    with kernels.use(conv2d=name):
        dx = conv2d.grad_input(np.ones((1, 1, 2, 2)), np.ones((1, 1, 2, 2)), (6, 5), stride=(3, 2))
    assert dx[0, 0].tolist() == [[1, 1, 1, 1, 0]] * 2 + [[0] * 5] + [[1, 1, 1, 1, 0]] * 2 + [[0] * 5]


@each_implementation
def test_not_finite_values_stay_in_their_windows(name: str) -> None:
    x = np.ones((1, 2, 6, 6), np.float32)
    x[0, 0, 0, 0], x[0, 1, 5, 5] = np.nan, np.inf
    with kernels.use(conv2d=name):
        y = conv2d.forward(x, np.ones((2, 2, 3, 3), np.float32))
        assert np.isnan(y[0, :, 0, 0]).all() and np.isinf(y[0, :, 3, 3]).all() and np.isfinite(y).sum() == y.size - 4
        dx = conv2d.grad_input(y, np.ones((2, 2, 3, 3), np.float32), (6, 6))
        assert np.isfinite(dx[0, :, 0, 3:]).all() and np.isnan(dx[0, :, :3, :3]).all()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("name", ["im2col", "vectorised"])
def test_in_blocks_of_one_image(case: Case, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x, w, dy, bias = (np.concatenate([each] * 3) if i in (0, 2) else each for i, each in enumerate(case.arrays()))
    case = Case(case.name, (len(x), *case.x[1:]), case.w, case.stride, case.padding, case.dilation, case.groups)
    with kernels.use(conv2d=name):
        whole = (*three_maps(case, x, w, dy), conv2d.forward(x, w, bias, **case.geometry))
        for limit in (1, max(1, len(x) // 3) * im2col_bytes(case)):
            monkeypatch.setitem(im2col.COLUMN_BYTES, "cpu", limit)
            monkeypatch.setitem(taps.IMAGE_BYTES, "cpu", limit)
            parts = (*three_maps(case, x, w, dy), conv2d.forward(x, w, bias, **case.geometry))
            for got, want in zip(parts, whole, strict=True):
                np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


def im2col_bytes(case: Case) -> int:
    return 8 * case.y[2] * case.y[3] * case.w[1] * case.w[2] * case.w[3] * case.groups


def test_columns_of_many_images_are_made_in_parts() -> None:
    x = np.ones((40, 16, 64, 64), np.float32)  # its columns would take 94 MB
    y = conv2d.forward(x, np.ones((1, 16, 3, 3), np.float32), padding=SAME)
    assert y[:, 0, 1:-1, 1:-1].min() == y.max() == 144 and y[:, 0, 0, 0].max() == 64


def test_channels_last_arrays_are_not_converted() -> None:
    for case in CASES:
        x, w, dy, _ = case.arrays()
        x, dy = layout.channels_last(x), layout.channels_last(dy)
        layout.reset_conversions()
        three_maps(case, x, w, dy)
        assert layout.conversions() == 0, case.name


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_the_gradient_to_the_input_in_c_order(name: str) -> None:
    """Whoever makes it: at once, or copied afterwards."""
    for shape, stride in (((2, 20, 7, 9), 1), ((2, 16, 8, 8), 2), ((1, 3, 5, 5), 1)):
        dy = np.random.default_rng(0).standard_normal((shape[0], 17, shape[2] // stride, shape[3] // stride))
        w = np.random.default_rng(1).standard_normal((17, shape[1], 2 + stride, 2 + stride))
        with kernels.use(conv2d=name):
            want = conv2d.grad_input(dy, w, shape[2:], padding=SAME, stride=(stride, stride))
            got = conv2d.grad_input(dy, w, shape[2:], padding=SAME, stride=(stride, stride), c_order=True)
        assert got.flags.c_contiguous and layout.is_channels_last(want)
        np.testing.assert_array_equal(got, want)


def test_who_reads_images_in_c_order() -> None:
    geometry: dict[str, Any] = {"stride": (1, 1), "padding": SAME, "dilation": (1, 1), "groups": 1}
    shapes = (8, 16, 8, 8), (16, 16, 3, 3)
    assert conv2d.reads_c_order(*shapes, "cpu", **geometry)
    assert not conv2d.reads_c_order((8, 3, 8, 8), (16, 3, 3, 3), "cpu", **geometry)
    assert not conv2d.reads_c_order((1, 16, 8, 8), (16, 16, 3, 3), "cpu", **geometry)  # too few pixels for dw
    assert not conv2d.reads_c_order(*shapes, "cpu", **geometry | {"dilation": (2, 2)})
    with kernels.use(conv2d="cpu"):
        assert not conv2d.reads_c_order(*shapes, "cpu", **geometry)


@st.composite
def drawn_cases(draw: st.DrawFn) -> Case:
    """A case of any shape in which the window fits."""

    def number(low: int, high: int) -> int:
        return draw(st.integers(low, high))

    groups, channels, filters = number(1, 3), number(1, 3), number(1, 3)
    kernel, dilation, stride = (number(1, 4), number(1, 4)), (number(1, 3), number(1, 3)), (number(1, 4), number(1, 4))
    padding = ((number(0, 4), number(0, 4)), (number(0, 4), number(0, 4)))
    least = [max(1, d * (k - 1) + 1 - sum(p)) for k, d, p in zip(kernel, dilation, padding, strict=True)]
    size = [low + number(0, 5) for low in least]
    x = (number(0, 3), channels * groups, size[0], size[1])
    return Case("drawn", x, (filters * groups, channels, *kernel), stride, padding, dilation, groups)


@hypothesis.given(drawn_cases())
@hypothesis.settings(max_examples=100, deadline=None, derandomize=True)
def test_drawn_shapes_beside_the_reference(case: Case) -> None:
    x, w, dy, _ = case.arrays()
    with kernels.use(conv2d="reference"):
        want = three_maps(case, x, w, dy)
    for name in IMPLEMENTATIONS:
        with kernels.use(conv2d=name):
            got = three_maps(case, x, w, dy)
        for g, w_ in zip(got, want, strict=True):
            np.testing.assert_allclose(g, w_, rtol=1e-11, atol=1e-11)
        assert (got[0] * dy).sum() == pytest.approx((x * got[1]).sum(), rel=1e-9, abs=1e-9)


class Far:
    """An array of another device, as far as the checks look."""

    dtype, ndim, shape, device = np.dtype(np.float32), 4, (1, 2, 3, 3), SimpleNamespace(id=1)


def ones(*shape: int, dtype: Any = np.float32) -> np.ndarray:
    return np.ones(shape, dtype)


X, W, DY = ones(2, 4, 5, 6), ones(6, 4, 3, 3), ones(2, 6, 3, 4)
REFUSED = [
    (lambda: conv2d.forward(ones(4, 5, 6), W), ShapeError, ["input", "4 dimensions (N, C, H, W)", "(4, 5, 6)", "x[None]"]),
    (lambda: conv2d.forward(X, ones(6, 4, 3)), ShapeError, ["weight", "4 dimensions (F, C/groups, KH, KW)", "(6, 4, 3)"]),
    (lambda: conv2d.forward(ones(2, 3, 5, 6), W), ShapeError, ["input", "4 channels", "(6, 4, 3, 3)", "3 channels in shape"]),
    (lambda: conv2d.forward(ones(2, 5, 6, 4), W), ShapeError, ["permute(0, 3, 1, 2)"]),
    (lambda: conv2d.forward(X, W, groups=2), ShapeError, ["8 channels", "groups=2"]),
    (lambda: conv2d.forward(ones(2, 20, 5, 6), W, groups=5), ShapeError, ["weight", "groups=5 divides"]),
    (lambda: conv2d.forward(X, ones(6, 4, 0, 3)), ShapeError, ["weight", "no size of 0"]),
    (lambda: conv2d.forward(ones(2, 4, 0, 6), W, padding=((2, 2), (0, 0))), ShapeError, ["input", "no size of 0"]),
    (lambda: conv2d.forward(ones(2, 0, 5, 6), ones(6, 0, 3, 3)), ShapeError, ["no size of 0"]),
    (lambda: conv2d.forward(X, W, ones(4)), ShapeError, ["bias", "shape (6,)", "shape (4,)"]),
    (lambda: conv2d.forward(X, ones(6, 4, 6, 3)), ShapeError, ["input", "at least 6 x 3", "5 x 6", "smaller kernel"]),
    (lambda: conv2d.forward(X, W, dilation=(1, 3)), ShapeError, ["at least 3 x 7", "5 x 6"]),
    (lambda: conv2d.forward(X, W, stride=(0, 1)), ArgumentError, ["stride", "1 or more", "(0, 1)"]),
    (lambda: conv2d.forward(X, W, stride=2), ArgumentError, ["stride", "two whole numbers", "2"]),
    (lambda: conv2d.forward(X, W, stride=(1.5, 1)), ArgumentError, ["stride", "1.5"]),
    (lambda: conv2d.forward(X, W, dilation=(1, 0)), ArgumentError, ["dilation", "(1, 0)"]),
    (lambda: conv2d.forward(X, W, padding=((0, -1), (0, 0))), ArgumentError, ["padding", "0 or more", "-1"]),
    (lambda: conv2d.forward(X, W, padding=(1, 1)), ArgumentError, ["padding", "((top, bottom), (left, right))", "(1, 1)"]),
    (lambda: conv2d.forward(X, W, groups=0), ArgumentError, ["groups", "1 or more", "0"]),
    (lambda: conv2d.forward(X.astype(np.float16), W.astype(np.float16)), DTypeError, ["input", "float16 is for storage"]),
    (lambda: conv2d.forward(X.astype(int), W), DTypeError, ["input", "float32 or float64", "int64"]),
    (lambda: conv2d.forward(X, W.astype(np.float64)), DTypeError, ["weight", "float32, as input has", "float64"]),
    (lambda: conv2d.forward(X, W, ones(6, dtype=np.float64)), DTypeError, ["bias", "float32, as input has"]),
    (lambda: conv2d.forward(X.tolist(), W), DTypeError, ["input", "an array of NumPy or CuPy", "a list"]),
    (lambda: conv2d.forward(X, None), DTypeError, ["weight", "a NoneType"]),
    (lambda: conv2d.forward(X, Far()), DeviceError, ["weight", "an array on cpu, as input is", "one on cuda:1", ".to('cpu')"]),
    (lambda: conv2d.grad_input(DY, W, (6, 6)), ShapeError, ["grad_output", "shape (N, 6, 4, 4)", "(6, 6)", "(2, 6, 3, 4)"]),
    (lambda: conv2d.grad_input(X, W, (5, 6)), ShapeError, ["grad_output", "(N, 6, 3, 4)"]),
    (lambda: conv2d.grad_input(DY[0], W, (5, 6)), ShapeError, ["grad_output", "4 dimensions (N, F, OH, OW)"]),
    (lambda: conv2d.grad_input(DY, W, 5), ArgumentError, ["input_size", "two whole numbers"]),
    (lambda: conv2d.grad_input(DY, W, (2, 6)), ShapeError, ["at least 3 x 3", "2 x 6"]),
    (lambda: conv2d.grad_weight(X, DY, (2, 3)), ShapeError, ["grad_output", "(N, 6, 4, 4)"]),
    (lambda: conv2d.grad_weight(X, DY[:1], (3, 3)), ShapeError, ["grad_output", "a batch of 2"]),
    (lambda: conv2d.grad_weight(X, DY, (3, 3), groups=3), ShapeError, ["input", "groups=3 divides"]),
    (lambda: conv2d.grad_weight(X, DY, (0, 3)), ArgumentError, ["kernel_size", "1 or more"]),
]


@pytest.mark.parametrize(("call", "error", "words"), REFUSED)
def test_refused(call: Any, error: type[Exception], words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(device._MODULES, Far, SimpleNamespace())
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value).startswith("conv2d: ")
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.peer
@each_implementation
@each_case
def test_beside_pytorch(case: Case, name: str) -> None:
    import torch

    x, w, dy, bias = (torch.from_numpy(each).requires_grad_() for each in case.arrays())
    padded = torch.nn.functional.pad(x, (*case.padding[1], *case.padding[0]))
    y = torch.nn.functional.conv2d(padded, w, bias, case.stride, 0, case.dilation, case.groups)
    dx, dw = torch.autograd.grad(y, (x, w), dy)
    arrays = case.arrays()
    with kernels.use(conv2d=name):
        got = (conv2d.forward(*arrays[:2], arrays[3], **case.geometry), *three_maps(case, *arrays[:3])[1:])
    for ours, theirs in zip(got, (y, dx, dw), strict=True):
        np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-11, atol=1e-11)
