"""Convolution's CUDA kernels beyond the contract's cases: parts of a batch and of the pixels, and the rounding to TF32."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from minigrad import kernels
from minigrad.core.device import device, module_for
from minigrad.kernels import conv2d
from minigrad.kernels.conv2d import cases, gpu, reference, tf32
from minigrad.kernels.conv2d.taps import nhwc

pytestmark = pytest.mark.emulated
SHAPE = next(shape for shape in cases.SHAPES if shape.name == "3x3 padded, stride 2")


@pytest.fixture(scope="module")
def xp() -> Any:
    return module_for(device("emulated"))


def maps(run: Any, xp: Any, dtype: str = "float32") -> list[np.ndarray]:
    """All three maps of one shape, by a module that takes arrays of ``xp``."""
    x, w, bias, dy = (xp.asarray(each.astype(dtype)) for each in SHAPE.arrays())
    geometry = SHAPE.geometry()
    y = run.forward(x, w, bias, **geometry)
    dx, dw = run.grad_input(dy, w, SHAPE.x[2:], **geometry), run.grad_weight(x, dy, SHAPE.w[2:], **geometry)
    return [each if xp is np else each.get() for each in (y, dx, dw)]


def test_a_batch_that_no_int_can_count_is_taken_in_parts(xp: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shape = SHAPE._replace(x=(3, *SHAPE.x[1:]))
    monkeypatch.setattr(f"{__name__}.SHAPE", shape)
    whole = maps(gpu, xp)
    monkeypatch.setattr(gpu, "LARGEST", 2 * np.prod(shape.x[1:]) + 1)  # two images, then one
    with xp.counted() as seen:
        parts = maps(gpu, xp)
    assert seen.launches > 10
    for a, b in zip(whole, parts, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("multiprocessors", [1, 1000])
def test_pixels_are_split_into_rounds_among_blocks(multiprocessors: int) -> None:
    image = SimpleNamespace(device=SimpleNamespace(attributes={"MultiProcessorCount": multiprocessors}))
    each = gpu._pixels_each(image, 10_000, 4)
    assert each == (10_000 if multiprocessors == 1 else gpu.FEWEST_PIXELS)
    assert each % gpu.ROUND == 0


def test_tf32_is_the_sum_of_products_of_rounded_numbers(xp: Any) -> None:
    """To float32's precision: each factor is rounded once, to the nearest, and nothing else is."""

    def rounded(values: np.ndarray) -> np.ndarray:
        bits = values.astype(np.float32).view(np.uint32)
        return ((bits + 0x1000) & 0xFFFFE000).view(np.float32).astype(np.float64)

    x, w, bias, dy = SHAPE.arrays()
    geometry = SHAPE.geometry()
    want = (
        reference.forward(rounded(x), rounded(w), bias.astype(np.float32).astype(np.float64), **geometry),
        reference.grad_input(rounded(dy), rounded(w), SHAPE.x[2:], **geometry),
        reference.grad_weight(rounded(x), rounded(dy), SHAPE.w[2:], **geometry),
    )
    for got, wanted, exact in zip(maps(tf32, xp), want, maps(gpu, xp), strict=True):
        largest = abs(wanted).max()
        assert abs(got - wanted).max() < 2e-6 * largest
        assert abs(got - exact).max() > 1e-5 * largest


def test_infinity_and_nan_are_not_rounded_away(xp: Any) -> None:
    x, w = np.ones((1, 4, 2, 2), np.float32), np.ones((4, 4, 1, 1), np.float32)
    canonical = np.array([0x7FFFFFFF], np.uint32).view(np.float32)[0]  # the NaN of a GPU: one more carries into the sign
    x[0, 1, 0] = np.inf, canonical
    x[0, 2, 1, 0] = -np.inf
    y = tf32.forward(xp.asarray(x), xp.asarray(w), None, **cases.SHAPES[0].geometry()).get()
    np.testing.assert_array_equal(y[0, 3], [[np.inf, np.nan], [-np.inf, 4]])


def test_tf32_is_chosen_by_its_name_alone(xp: Any) -> None:
    assert kernels.find("conv2d", "emulated").__name__.endswith("conv2d.gpu")
    with kernels.use(conv2d="tf32"):
        y, _, _ = maps(conv2d, xp)
    np.testing.assert_array_equal(y, maps(tf32, xp)[0])


def test_before_there_was_tf32_float32_is_exact(xp: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tf32, "CAPABILITY", 1000)
    for a, b in zip(maps(tf32, xp), maps(gpu, xp), strict=True):
        np.testing.assert_array_equal(a, b)


def test_unaligned_images_are_read_one_by_one(xp: Any) -> None:
    x, w, _, _ = (each.astype("float32") for each in SHAPE.arrays())
    memory = xp.empty(x.size + 1, "float32")
    n, c, h, width = x.shape
    image = memory[1:].reshape(n, h, width, c).transpose(0, 3, 1, 2)
    image[...] = xp.asarray(x)
    assert not gpu.aligned(image)
    got = gpu.forward(image, xp.asarray(w), None, **SHAPE.geometry()).get()
    (allowed,) = conv2d.tolerance("forward", x, w, None, **SHAPE.geometry())
    assert (abs(got - reference.forward(x.astype("float64"), w.astype("float64"), None, **SHAPE.geometry())) <= allowed).all()


def test_the_gradient_that_tf32_packs_is_hardly_larger_than_dy(xp: Any) -> None:
    """However few channels a group has; dw of 32 groups of four channels is right."""
    shape = cases.Shape("groups of four", (1, 128, 4, 8), (128, 4, 3, 3), padding=cases.SAME, groups=32)
    x, _, _, dy = (each.astype("float32") for each in shape.arrays())
    geometry = gpu._geometry(x, dy.shape, (3, 3), (1, 1), cases.SAME, (1, 1), 32)
    here, there = (nhwc(xp.asarray(each)) for each in (x, dy))
    assert tf32.correlation(here, there, geometry).dy.size == dy.size + 2 * tf32.COLUMNS
    got = tf32.grad_weight(xp.asarray(x), xp.asarray(dy), (3, 3), **shape.geometry()).get()
    (allowed,) = tf32.tolerance("grad_weight", x, dy, (3, 3), **shape.geometry())
    assert (abs(got - reference.grad_weight(x, dy, (3, 3), **shape.geometry())) <= allowed).all()
