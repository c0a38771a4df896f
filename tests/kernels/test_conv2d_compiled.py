"""The compiled convolutions, direct and Winograd's, beside the slow loops and beside columns in float64, at drawn shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minigrad import kernels
from minigrad.errors import ArgumentError, DTypeError
from minigrad.kernels import conv2d, native
from minigrad.kernels.conv2d import (
    cpu,
    depthwise_cpu,
    depthwise_loops,
    im2col,
    output_sizes,
    reference,
    transforms,
    winograd,
    winograd4,
)
from minigrad.kernels.layout import channels_last, conversions, is_channels_last, reset_conversions
from minigrad.kernels.native.budget import divided

IMPLEMENTATIONS = {"cpu": cpu, "winograd": winograd, "winograd4": winograd4}
FUNCTIONS = ("forward", "grad_input", "grad_weight")


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Any:
    with native.thread_count(request.param):
        yield request.param


@pytest.fixture
def bounds_by_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bounds, |a| * |b|, by columns: of large images the loops would take ten seconds each."""
    for function in FUNCTIONS:
        monkeypatch.setattr(reference, function, getattr(im2col, function))


def arrays(n: int, c: int, h: int, w: int, f: int, kernel: tuple[int, int], dtype: Any, **geometry: Any) -> dict[str, tuple]:
    """The arguments of the three functions, drawn."""
    rng = np.random.default_rng(n + 10 * c + 100 * f + h)

    def image(*shape: int) -> np.ndarray:
        return channels_last(rng.standard_normal(shape).astype(dtype))

    x, weight = image(n, c, h, w), rng.standard_normal((f, c // geometry["groups"], *kernel)).astype(dtype)
    size = output_sizes((h, w), kernel, geometry["stride"], geometry["padding"], geometry["dilation"])
    dy = image(n, f, *size)
    bias = rng.standard_normal(f).astype(dtype)
    return {"forward": (x, weight, bias), "grad_input": (dy, weight, (h, w)), "grad_weight": (x, dy, kernel)}


def holds(implementation: Any, given_arrays: dict[str, tuple], oracle: Any, **geometry: Any) -> None:
    """Each function gives what the oracle gives in float64, within the contract's tolerance."""
    for function, args in given_arrays.items():
        exact = [a.astype(np.float64) if isinstance(a, np.ndarray) else a for a in args]
        got = getattr(implementation, function)(*args, **geometry)
        want = getattr(oracle, function)(*exact, **geometry)
        (allowed,) = getattr(implementation, "tolerance", conv2d.tolerance)(function, *args, **geometry)
        assert got.shape == want.shape and got.dtype == args[0].dtype
        assert (abs(got - want) <= allowed).all(), function


def same(padding: int, stride: int = 1, dilation: int = 1, groups: int = 1) -> dict[str, Any]:
    pads = (padding, padding)
    return {"stride": (stride,) * 2, "padding": (pads, pads), "dilation": (dilation,) * 2, "groups": groups}


geometries = st.fixed_dictionaries({
    "stride": st.tuples(st.integers(1, 3), st.integers(1, 3)),
    "padding": st.tuples(st.tuples(st.integers(0, 3), st.integers(0, 3)), st.tuples(st.integers(0, 3), st.integers(0, 3))),
    "dilation": st.tuples(st.integers(1, 3), st.integers(1, 2)),
    "groups": st.integers(1, 3),
})  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(data=st.data(), geometry=geometries, dtype=st.sampled_from([np.float32, np.float64]))
def test_drawn_shapes_beside_the_loops(data: st.DataObject, geometry: dict[str, Any], dtype: Any) -> None:
    kernel = data.draw(st.tuples(st.integers(1, 4), st.integers(1, 3)), "kernel")
    n, c, f = (data.draw(st.integers(least, 5), name) for name, least in (("n", 0), ("c", 1), ("f", 1)))
    h, w = (
        data.draw(st.integers(max(1, d * (k - 1) + 1 - sum(p)), 12), "size")
        for d, k, p in zip(geometry["dilation"], kernel, geometry["padding"], strict=True)
    )
    groups = geometry["groups"]
    given_arrays = arrays(n, c * groups, h, w, f * groups, kernel, dtype, **geometry)
    holds(cpu, given_arrays, reference, **geometry)


@pytest.mark.usefixtures("bounds_by_columns")
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    n=st.integers(0, 4), c=st.integers(1, 36), f=st.integers(1, 36), h=st.integers(3, 9), w=st.integers(3, 9),
    before=st.integers(0, 2), after=st.integers(0, 2), dtype=st.sampled_from([np.float32, np.float64]),
)  # fmt: skip
def test_winograd_at_drawn_shapes(n: int, c: int, f: int, h: int, w: int, before: int, after: int, dtype: Any) -> None:
    geometry = same(0) | {"padding": ((before, after), (after, before))}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(winograd, "FEWEST", 1)
        patch.setattr(winograd, "CACHE", 1 << 14)  # several lots of tiles
        patch.setattr(winograd, "CACHE_OF_WEIGHT", 1 << 14)
        holds(winograd, arrays(n, c, h, w, f, (3, 3), dtype, **geometry), im2col, **geometry)


@pytest.mark.usefixtures("bounds_by_columns")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    n=st.integers(0, 3), c=st.integers(1, 36), f=st.integers(1, 36), h=st.integers(3, 14), w=st.integers(3, 14),
    before=st.integers(0, 2), after=st.integers(0, 2), stride=st.sampled_from([1, 2]),
    dtype=st.sampled_from([np.float32, np.float64]),
)  # fmt: skip
def test_winograd_of_large_tiles_at_drawn_shapes(
    n: int, c: int, f: int, h: int, w: int, before: int, after: int, stride: int, dtype: Any
) -> None:
    geometry = same(0, stride) | {"padding": ((before, after + 1), (after + 1, before))}
    kernel = (2 + stride,) * 2  # 3 x 3, or 4 x 4 of stride 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(winograd4, "FEWEST", 1)
        patch.setattr(winograd4, "CACHE", 1 << 14)  # several lots of tiles
        patch.setattr(winograd4, "DEPTH", 5)
        patch.setattr(winograd4, "FEWEST_PIXELS", 64)
        holds(winograd4, arrays(n, c, h, w, f, kernel, dtype, **geometry), im2col, **geometry)


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(0, 3), c=st.integers(1, 36), f=st.integers(1, 36), h=st.integers(3, 14), w=st.integers(3, 14),
    before=st.integers(0, 5), after=st.integers(0, 2), stride=st.sampled_from([1, 2]), parts=st.integers(1, 3),
    dtype=st.sampled_from([np.float32, np.float64]),
)  # fmt: skip
def test_large_tiles_of_images_in_c_order(
    n: int, c: int, f: int, h: int, w: int, before: int, after: int, stride: int, parts: int, dtype: Any
) -> None:
    """The same bits as of channels-last images, and no image is copied whole."""
    geometry = same(0, stride) | {"padding": ((before, after + 1), (after + 1, before))}
    with pytest.MonkeyPatch.context() as patch, divided(parts):
        patch.setattr(winograd4, "FEWEST", 1)
        patch.setattr(winograd4, "CACHE", 1 << 14)  # several lots of tiles, which end within rows of tiles
        patch.setattr(winograd4, "WIDE_CACHE", 1 << 14)
        patch.setattr(winograd4, "DEPTH", 5)
        patch.setattr(winograd4, "FEWEST_PIXELS", 1)
        patch.setattr(winograd4, "OWN_CHANNELS", 8)  # and threads that share channels
        for function, args in arrays(n, c, h, w, f, (2 + stride,) * 2, dtype, **geometry).items():
            want = getattr(winograd4, function)(*args, **geometry)
            planes = tuple(np.ascontiguousarray(a) if isinstance(a, np.ndarray) else a for a in args)
            reset_conversions()
            found = [getattr(winograd4, function)(*planes, **geometry)]
            if function == "grad_input":
                found.append(winograd4.grad_input_in_c_order(*planes, **geometry))
                assert found[1].flags.c_contiguous
            by_tiles = winograd4.reads_c_order((n, c, h, w), (f, c, 2 + stride, 2 + stride), **geometry)
            assert not (by_tiles and conversions())
            for got in found:
                np.testing.assert_array_equal(got, want)


# Shapes that take each road: many channels and panels, bands, small outputs, whole panels in place, phases that nothing meets.
SHAPES: dict[str, tuple[tuple[int, int, int, int, int, tuple[int, int]], dict[str, Any]]] = {
    "one channel more than a panel": ((3, 33, 9, 9, 33, (3, 3)), same(1)),
    "a panel's width": ((4, 16, 20, 20, 32, (3, 3)), same(1)),
    "one vector's width": ((4, 16, 20, 20, 16, (3, 3)), same(1)),
    "a panel walked in pieces": ((2, 130, 20, 20, 40, (3, 3)), same(1)),
    "taps one by one in pieces": ((2, 130, 20, 20, 40, (3, 3)), same(2, dilation=2)),
    "bands of a large image": ((1, 24, 90, 70, 8, (5, 3)), same(1)),
    "one large image's rows for each thread": ((1, 8, 64, 64, 70, (3, 3)), same(1)),
    "small outputs, stride 2": ((20, 40, 8, 8, 70, (4, 4)), same(1, stride=2)),
    "one output pixel": ((20, 40, 4, 4, 10, (4, 4)), same(0)),
    "1x1": ((3, 40, 10, 12, 50, (1, 1)), same(0)),
    "1x1, stride 2": ((3, 40, 10, 13, 50, (1, 1)), same(0, stride=2)),
    "1x1, threads share images": ((5, 70, 12, 12, 66, (1, 1)), same(0)),
    "1x1, fewer images than threads": ((1, 70, 12, 12, 66, (1, 1)), same(0)),
    "large sums, threads share channels": ((3, 70, 12, 12, 66, (5, 5)), same(2)),
    "groups": ((5, 64, 10, 10, 96, (3, 3)), same(1, groups=4)),
    "groups, small outputs": ((9, 64, 6, 6, 96, (3, 3)), same(1, stride=2, groups=2)),
    "stride larger than the kernel": ((5, 8, 16, 16, 8, (2, 2)), same(0, stride=3)),
    "winograd, threads share channels": ((3, 192, 10, 10, 40, (3, 3)), same(1)),
    "winograd, odd sizes": ((3, 34, 11, 13, 47, (3, 3)), same(1)),
    "4x4, stride 2, threads share channels": ((6, 192, 12, 8, 40, (4, 4)), same(1, stride=2)),
    "4x4, stride 2, odd sizes": ((5, 34, 11, 13, 47, (4, 4)), same(1, stride=2)),
    "4x4, stride 2, no padding, whole tiles": ((3, 16, 18, 18, 32, (4, 4)), same(0, stride=2)),
}


@pytest.mark.usefixtures("bounds_by_columns")
@pytest.mark.parametrize("name", IMPLEMENTATIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_each_road(shape: str, name: str, threads: int) -> None:
    sizes, geometry = SHAPES[shape]
    holds(IMPLEMENTATIONS[name], arrays(*sizes, np.float32, **geometry), im2col, **geometry)


# Of both kinds of tile and of none: taps of large tiles for each map, or None where the plain tile is taken.
MIXED: dict[str, tuple[tuple[int, int, int, int, int, tuple[int, int]], dict[str, Any], bool]] = {
    "large tiles": ((3, 34, 11, 13, 47, (3, 3)), same(1), True),
    "large tiles, threads share channels": ((3, 192, 10, 10, 40, (3, 3)), same(1), True),
    "large tiles of phases": ((5, 34, 12, 14, 47, (4, 4)), same(1, stride=2), True),
    "plain tiles": ((3, 34, 11, 13, 47, (5, 3)), same(1), False),
    "plain tiles, few channels": ((2, 3, 17, 18, 7, (3, 3)), same(1), False),
    "plain tiles, stride, groups": ((3, 18, 11, 13, 33, (3, 3)), same(1, stride=2, groups=3), False),
}


@pytest.mark.usefixtures("bounds_by_columns")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("in_c_order", ["x", "dy"])
@pytest.mark.parametrize("shape", MIXED)
def test_x_and_dy_in_two_memory_orders(shape: str, in_c_order: str, dtype: Any, threads: int) -> None:
    """One in C order, the other channels-last: the contract's bounds, and the bits of two that lie alike."""
    (n, c, h, w, f, kernel), geometry, by_tiles = MIXED[shape]
    given_arrays = arrays(n, c, h, w, f, kernel, dtype, **geometry)
    x, dy = given_arrays["grad_weight"][:2]
    assert winograd4.reads_c_order(x.shape, (f, c // geometry["groups"], *kernel), **geometry) == by_tiles
    mixed = {"x": x, "dy": dy, in_c_order: np.ascontiguousarray({"x": x, "dy": dy}[in_c_order])}
    assert is_channels_last(mixed["x"]) != is_channels_last(mixed["dy"])
    turned = {
        "forward": (mixed["x"], *given_arrays["forward"][1:]),
        "grad_input": (mixed["dy"], *given_arrays["grad_input"][1:]),
        "grad_weight": (mixed["x"], mixed["dy"], kernel),
    }
    holds(winograd4, turned, im2col, **geometry)
    for function, args in turned.items():
        alike = getattr(winograd4, function)(*given_arrays[function], **geometry)
        np.testing.assert_array_equal(getattr(winograd4, function)(*args, **geometry), alike)


@pytest.mark.usefixtures("bounds_by_columns")
@pytest.mark.parametrize("multiplier", [1, 2])
@pytest.mark.parametrize("geometry", [same(1), same(2, stride=2, dilation=2)], ids=["3x3", "apart"])
def test_one_channel_a_group(geometry: dict[str, Any], multiplier: int, threads: int) -> None:
    channels = 21
    geometry = geometry | {"groups": channels}
    given_arrays = arrays(4, channels, 13, 12, channels * multiplier, (3, 3), np.float32, **geometry)
    holds(depthwise_cpu, given_arrays, im2col, **geometry)


PASSES = {
    **{name: SHAPES[name] for name in ("a panel's width", "small outputs, stride 2", "winograd, odd sizes")},
    "4x4, stride 2, odd sizes": SHAPES["4x4, stride 2, odd sizes"],
    "one channel a group": ((2, 37, 9, 8, 37, (3, 3)), same(1, groups=37)),
    "two of a group of one channel": ((2, 5, 9, 8, 10, (3, 3)), same(1, groups=5)),
}


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
@pytest.mark.parametrize("shape", PASSES)
@pytest.mark.parametrize(("activation", "most"), [("relu", None), ("relu6", 6)])
def test_the_activation_in_the_same_pass(activation: str, most: float | None, shape: str, name: str) -> None:
    (*sizes, kernel), geometry = PASSES[shape]
    x, w, bias = arrays(*sizes, kernel, np.float32, **geometry)["forward"]
    x *= 2
    x[0, 0, 0, 0] = np.nan
    got = getattr(IMPLEMENTATIONS[name], f"forward_{activation}")(x, w, bias, **geometry)
    plain = IMPLEMENTATIONS[name].forward(x, w, bias, **geometry)
    np.testing.assert_array_equal(got, np.clip(plain, 0, most))
    assert np.isnan(got).any() and (plain < 0).any() and (plain > 6).any()


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
@pytest.mark.parametrize("shape", PASSES)
def test_weights_that_are_kept_give_the_same_bits(shape: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is made of the weights is made once for a memo, whatever is asked of the convolution."""
    (*sizes, kernel), geometry = PASSES[shape]
    x, w, bias = arrays(*sizes, kernel, np.float32, **geometry)["forward"]
    memo: dict[Any, Any] = {}
    with kernels.use(conv2d=name):
        for activation in ("", "relu", "relu6"):
            fresh = conv2d.forward(x, w, bias, **geometry, activation=activation)
            kept = conv2d.forward(x, w, bias, **geometry, activation=activation, memo=memo)
            assert fresh.tobytes() == kept.tobytes()
        assert len(memo) == 1
        (key,) = memo
        memo[key] = np.zeros_like(memo[key])
        assert (conv2d.forward(x, w, None, **geometry, memo=memo) == 0).all()  # it is looked at


def test_a_memo_of_another_kind_and_another_activation_are_refused() -> None:
    x, w = np.ones((1, 1, 2, 2)), np.ones((1, 1, 1, 1))
    with pytest.raises(DTypeError, match="memo: expected a dict or None, got list"):
        conv2d.forward(x, w, memo=[])  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="activation: expected one of 'relu', 'relu6', or '' for none, got 'tanh'"):
        conv2d.forward(x, w, activation="tanh")


STRIPS = {
    "a part of a vector": (1, 3, 5, 7, 3, 1, 1),
    "vectors and a part of one": (2, 70, 7, 9, 3, 1, 1),
    "whole vectors": (1, 32, 6, 14, 3, 1, 1),
    "5x5, wider than its image": (1, 33, 4, 3, 5, 1, 1),
    "stride 2": (2, 48, 9, 15, 5, 2, 1),
    "stride 3, dilation 2": (1, 20, 11, 13, 3, 3, 2),
    "one row, one column": (1, 17, 1, 1, 3, 1, 1),
}


@pytest.mark.usefixtures("bounds_by_columns")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", STRIPS)
@pytest.mark.parametrize("padding", [((1, 1), (1, 1)), ((0, 1), (0, 1)), ((2, 3), (4, 2))])
def test_strips_of_one_channel_a_group(padding: Any, shape: str, dtype: Any, threads: int) -> None:
    n, channels, height, width, side, stride, dilation = STRIPS[shape]
    around = [size + sum(pads) for size, pads in zip((height, width), padding)]
    if min(around) < dilation * (side - 1) + 1:
        padding = ((side, side), (side, side))
    geometry = {"stride": (stride,) * 2, "padding": padding, "dilation": (dilation,) * 2, "groups": channels}
    args = arrays(n, channels, height, width, channels, (side, side), dtype, **geometry)["forward"]
    want, allowed = im2col.forward(*args, **geometry), conv2d.tolerance("forward", *args, **geometry)[0]
    assert (abs(depthwise_cpu.forward(*args, **geometry) - want) <= allowed).all()


def test_a_strip_is_as_long_as_the_loops_have_it() -> None:
    from minigrad.kernels.conv2d import strip

    assert strip.PIXELS == depthwise_loops.PIXELS


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_same_bits_each_time(function: str, name: str) -> None:
    sizes, geometry = SHAPES["winograd, odd sizes"]
    args = arrays(*sizes, np.float32, **geometry)[function]
    first, again = (getattr(IMPLEMENTATIONS[name], function)(*args, **geometry) for _ in range(2))
    assert first.tobytes() == again.tobytes()


@pytest.mark.usefixtures("bounds_by_columns")
@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(("stride", "kernel", "allowed"), [(1, 3, {"winograd": 2, "winograd4": 3}), (2, 4, {"winograd4": 3})])
def test_winograd_is_nearly_as_exact_as_the_direct_sum(
    stride: int, kernel: int, allowed: dict[str, int], function: str
) -> None:
    """Over random data its mean error is at most so many times the direct sum's: the bounds that ``winograd.py`` and
    ``winograd4.py`` state. And it keeps to the contract's tolerance for the direct sum, without the allowance for tiles."""
    sizes, geometry = (4, 64, 16, 16, 64, (kernel, kernel)), same(1, stride)
    args = arrays(*sizes, np.float32, **geometry)[function]
    exact = [a.astype(np.float64) if isinstance(a, np.ndarray) else a for a in args]
    want = getattr(im2col, function)(*exact, **geometry)
    off = {name: abs(getattr(one, function)(*args, **geometry) - want) for name, one in IMPLEMENTATIONS.items()}
    for name, times in allowed.items():
        assert 0 < off[name].mean() <= times * off["cpu"].mean()
        assert (off[name] <= conv2d.tolerance(function, *args, **geometry)[0]).all()


def test_few_pixels_are_summed_directly() -> None:
    """Of a sum of few terms a tile's rounding would be a large part: there the gradient to the weight is the other rung's."""
    geometry = same(1)
    for n, share in ((1, 16 / 36), (4, 36 / 144)):
        x, dy, kernel = arrays(n, 32, 8, 8, 32, (3, 3), np.float32, **geometry)["grad_weight"]
        got = winograd4.arithmetic("grad_weight", x=x, dy=dy, kernel_size=kernel, **geometry)
        assert got == share


def test_the_matrices_of_large_tiles_are_exact() -> None:
    """Aᵀ [(G g) ⊙ (Bᵀ d)] is the convolution, to the rounding of float64."""
    rng = np.random.default_rng(0)
    for taps, points in transforms.POINTS.items():
        down, g, back = map(np.array, transforms.toom_cook(4, taps, points))
        d, kernel = rng.standard_normal(taps + 3), rng.standard_normal(taps)
        np.testing.assert_allclose(down @ ((g @ kernel) * (back @ d)), np.correlate(d, kernel), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("module", [winograd, winograd4])
def test_a_wrong_transform_is_found(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison above is not blind: weights that are turned the wrong way fail it."""
    sizes, geometry = SHAPES["winograd, odd sizes"]
    right = module._transformed

    def wrong(w: Any, features: int, channels: int, origin: int, strides: tuple[int, ...], *taps: Any) -> Any:
        return right(w, features, channels, 0, tuple(map(abs, strides)), *taps)

    monkeypatch.setattr(module, "_transformed", wrong)
    with pytest.raises(AssertionError, match="grad_input"):
        holds(module, arrays(*sizes, np.float32, **geometry), im2col, **geometry)


@pytest.mark.parametrize("padding", [((0, 1), (0, 0)), ((0, 0), (0, 1)), ((0, 2), (0, 3))], ids=str)
def test_a_kernel_of_one_pixel_with_padding_behind_the_image_alone(padding: Any) -> None:
    """All pixels are one row then, but for those of the padding."""
    x, w, bias = np.full((2, 1, 3, 2), 2.0, np.float32), np.full((1, 1, 1, 1), 3.0, np.float32), np.ones(1, np.float32)
    geometry: Any = {"stride": (1, 1), "padding": padding, "dilation": (1, 1), "groups": 1}
    y = cpu.forward(x, w, bias, **geometry)
    want = np.ones((2, 1, 3 + padding[0][1], 2 + padding[1][1]), np.float32)
    want[:, :, :3, :2] = 7
    assert np.array_equal(y, want)
    assert np.array_equal(cpu.grad_input(y, w, (3, 2), **geometry), np.full_like(x, 21))
