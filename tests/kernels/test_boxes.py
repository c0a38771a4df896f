"""Overlaps, suppression and alignment: implementations beside hand numbers and slow ways that are others than the reference's.

An overlap is counted in pixels, what suppression keeps is told by what "greedy" means, and alignment interpolates with NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from minigrad import kernels
from minigrad.errors import ArgumentError, DeviceError, DTypeError, IndexingError, ShapeError
from minigrad.kernels import boxes, laboratory, layout
from minigrad.kernels.boxes import cpu, reference
from minigrad.kernels.boxes.cases import boxes_of
from minigrad.kernels.native import thread_count
from minigrad.kernels.native.budget import divided

IMPLEMENTATIONS = kernels.available("boxes", "cpu")
each_implementation = pytest.mark.parametrize("name", IMPLEMENTATIONS)
WAYS = [(scale, ratio, aligned) for scale in (1.0, 0.5) for ratio in (-1, 0, 1, 3) for aligned in (False, True)]


def drawn(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


# ---------------------------------------------------------------------- overlaps


def pixels(box: np.ndarray) -> set[tuple[int, int]]:
    """The pixels in a box whose corners are whole."""
    x1, y1, x2, y2 = map(int, box)
    return {(x, y) for x in range(x1, x2) for y in range(y1, y2)}


@each_implementation
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_overlap_is_the_share_of_pixels_in_both(name: str, dtype: Any) -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.integers(-2, 6, (count, 4)).astype(dtype) for count in (20, 15))
    with kernels.use(boxes=name):
        y = boxes.iou(a, b)
    assert y.shape == (20, 15) and y.dtype == dtype
    for n, m in np.ndindex(*y.shape):
        both, either = pixels(a[n]) & pixels(b[m]), pixels(a[n]) | pixels(b[m])
        assert y[n, m] == (dtype(len(both) / len(either)) if either else 0)


@each_implementation
def test_an_overlap_is_exact_in_float32(name: str) -> None:
    """Sides that float32 makes of corners far off: all is reckoned in float64, and rounded once."""
    a = (boxes_of(9, 1) + 1e4).astype(np.float32)
    with kernels.use(boxes=name):
        np.testing.assert_array_equal(boxes.iou(a, a), boxes.iou(a.astype(float), a.astype(float)).astype(np.float32))


# ---------------------------------------------------------------------- suppression


def check_greedy(b: np.ndarray, scores: np.ndarray, threshold: float, group: np.ndarray | None, kept: np.ndarray) -> None:
    """What defines it: kept boxes are in order and apart; any other is over by one that is kept, better, and of its group."""
    best = np.lexsort((np.arange(len(b)), -scores))
    rank = np.empty(len(b), int)
    rank[best] = np.arange(len(b))
    over = boxes.iou(b, b) > threshold
    if group is not None:
        over &= group[:, None] == group
    assert (np.diff(rank[kept]) > 0).all()
    assert not (over[np.ix_(kept, kept)] & ~np.eye(len(kept), dtype=bool)).any()
    for n in set(range(len(b))) - set(kept):
        assert any(over[m, n] and rank[m] < rank[n] for m in kept)


@each_implementation
@pytest.mark.parametrize("groups", [1, 3, 40])
def test_what_is_kept_is_what_greedy_means(name: str, groups: int) -> None:
    rng = np.random.default_rng(groups)
    for threshold in (0.0, 0.3, 0.7):
        b, scores = boxes_of(150, groups), rng.integers(0, 40, 150) / 40
        group = rng.integers(-5, groups - 5, 150) if groups > 1 else None
        with kernels.use(boxes=name):
            kept = boxes.nms(b, scores, threshold, group)
        assert kept.dtype == np.int64 and 0 < len(kept) < 150
        check_greedy(b, scores, threshold, group, kept)


@each_implementation
def test_a_box_that_is_suppressed_suppresses_none(name: str) -> None:
    """Three in a row, each over the next: the first takes the second away, and so leaves the third."""
    row = np.array([[0.0, 0.0, 10.0, 10.0], [4.0, 0.0, 14.0, 10.0], [8.0, 0.0, 18.0, 10.0]])
    with kernels.use(boxes=name):
        assert boxes.nms(row, np.array([3.0, 2.0, 1.0]), 0.4).tolist() == [0, 2]
        assert boxes.nms(row, np.array([2.0, 3.0, 1.0]), 0.4).tolist() == [1]
        assert boxes.nms(row, np.ones(3), 0.4).tolist() == [0, 2]
        assert boxes.nms(row, np.array([3.0, 2.0, 1.0]), 0.4, np.array([7, -7, 7])).tolist() == [0, 1, 2]


@each_implementation
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_not_kept(name: str, bad: float) -> None:
    b, scores = boxes_of(12, 1), np.linspace(1, 0, 12)
    b[0, 2], b[5] = bad, bad
    scores[7] = np.nan
    there = [n for n in range(12) if n not in (0, 5, 7)]
    with kernels.use(boxes=name):
        kept = boxes.nms(b, scores, 0.3)
        assert kept.tolist() == [there[n] for n in boxes.nms(b[there], scores[there], 0.3)]
        assert boxes.nms(np.full((3, 4), bad), scores[:3], 0.3).size == 0
        overlaps = boxes.iou(b, b)
        assert np.isfinite(overlaps).all() and not overlaps[[0, 5]].any() and not overlaps[:, [0, 5]].any()


# ---------------------------------------------------------------------- alignment


def share(start: float, end: float, bins: int, size: int, ratio: int, aligned: bool) -> np.ndarray:
    """(bins, size): what each pixel has of each bin along one axis, by NumPy's interpolation of the pixels' indicators."""
    side = (end - start if aligned else max(end - start, 1.0)) / bins
    samples = ratio if ratio > 0 else math.ceil(side)
    found = np.zeros((bins, size))
    for i, k in np.ndindex(bins, max(samples, 0)):
        place = start + i * side + (k + 0.5) * side / samples  # rounded as the contract says: a sample at an edge counts
        if -1 <= place <= size:
            found[i] += [np.interp(place, np.arange(size), each) for each in np.eye(size)]
    return found / max(samples, 1)


def aligned_features(x: np.ndarray, b: np.ndarray, image: np.ndarray, size: Any, way: tuple[float, int, bool]) -> np.ndarray:
    scale, ratio, aligned = way
    y = np.zeros((len(b), x.shape[1], *size))
    for r, box in enumerate(b):
        x1, y1, x2, y2 = box * scale - (0.5 if aligned else 0)
        rows = share(y1, y2, size[0], x.shape[2], ratio, aligned)
        columns = share(x1, x2, size[1], x.shape[3], ratio, aligned)
        y[r] = np.einsum("ih,chw,jw->cij", rows, x[image[r]], columns)
    return y


def settings(way: tuple[float, int, bool]) -> dict[str, Any]:
    return dict(zip(("spatial_scale", "sampling_ratio", "aligned"), way, strict=True))


@each_implementation
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_alignment_is_interpolation(name: str, way: tuple[float, int, bool]) -> None:
    x, b, image = drawn(2, 3, 5, 6), boxes_of(8, 2, 6.0 / way[0]), np.array([0, 1, 1, 0, 1, 0, 0, 1])
    b[6] /= 50
    with kernels.use(boxes=name):
        y = boxes.roi_align(x, b, image, (3, 2), **settings(way))
        dy = drawn(*y.shape, seed=1)
        dx = boxes.roi_align_backward(dy, b, image, (2, 5, 6), **settings(way))
    np.testing.assert_allclose(y, aligned_features(x, b, image, (3, 2), way), atol=1e-12)
    assert (y * dy).sum() == pytest.approx((x * dx).sum(), rel=1e-11, abs=1e-11)
    assert layout.is_channels_last(y) and layout.is_channels_last(dx) and dx.shape == x.shape


@each_implementation
@pytest.mark.parametrize("aligned", [False, True])
def test_a_region_far_larger_than_the_image(name: str, aligned: bool) -> None:
    """A bin has thousands of samples, of which a handful are in the image; the reference would look at each."""
    x = drawn(1, 2, 4, 5)
    b = np.array([[-3000.0, -2000.0, 3000.0, 1000.0], [0.5, -700.0, 2.5, 9.0], [-(2.0**20), -5.0, 2.0**20, 5.0]])
    image = np.zeros(3, np.int64)
    b = b[:2] if name == "reference" else b
    with kernels.use(boxes=name):
        y = boxes.roi_align(x, b, image[: len(b)], (3, 2), aligned=aligned, spatial_scale=0.999)
        dx = boxes.roi_align_backward(y, b, image[: len(b)], (1, 4, 5), aligned=aligned, spatial_scale=0.999)
    np.testing.assert_allclose(y[:2], aligned_features(x, b[:2], image, (3, 2), (0.999, -1, aligned)), rtol=1e-11, atol=1e-13)
    assert (y * y).sum() == pytest.approx((x * dx).sum(), rel=1e-11)


@each_implementation
def test_no_region_is_too_odd(name: str) -> None:
    x = drawn(1, 3, 4, 4)
    odd = [[np.nan, 0, 2, 2], [0, 0, np.inf, 2], [-np.inf, 0, np.inf, 2], [0, 0, 1e7, 1], [-1e308, -1e308, 1e308, 1e308]]
    b, image = np.array([*odd, [0, 0, 4, 4]]), np.zeros(6, np.int64)
    with kernels.use(boxes=name):
        for way in ((1.0, -1, False), (1.0, 2, True), (1e300, 2, True)):
            y = boxes.roi_align(x, b, image, (2, 2), **settings(way))
            assert not y[:5].any() and y[5].any() == (way[0] == 1)
        dy = np.concatenate([np.full((5, 3, 2, 2), np.nan), np.ones((1, 3, 2, 2))])
        dx = boxes.roi_align_backward(dy, b, image, (1, 4, 4), aligned=True)
    np.testing.assert_allclose(dx, 0.25, rtol=1e-15)


@each_implementation
def test_a_pixel_without_weight_counts_for_nothing(name: str) -> None:
    """Samples at whole places have no share of the next pixel; the region's bins none of those outside."""
    x = np.full((1, 1, 4, 4), np.nan)
    x[0, 0, 1:3, 1:3] = [[1.0, 2.0], [3.0, 4.0]]
    b, image = np.array([[0.5, 0.5, 2.5, 2.5]]), np.zeros(1, np.int64)
    with kernels.use(boxes=name):
        assert boxes.roi_align(x, b, image, (2, 2), sampling_ratio=1)[0, 0].tolist() == [[1.0, 2.0], [3.0, 4.0]]
        dx = boxes.roi_align_backward(np.full((1, 1, 2, 2), np.inf), b, image, (1, 4, 4), sampling_ratio=1)
    assert np.isinf(dx).sum() == 4 and not np.isnan(dx).any()


# ---------------------------------------------------------------------- all of them


@hypothesis.given(data=st.data(), parts=st.integers(1, 3), dtype=st.sampled_from([np.float32, np.float64]))
@hypothesis.settings(max_examples=60, deadline=None, derandomize=True, database=None)
def test_drawn_shapes_beside_the_reference(data: st.DataObject, parts: int, dtype: Any) -> None:
    def count(low: int, high: int) -> int:
        return data.draw(st.integers(low, high))

    seed = count(0, 99)
    n, m, groups = count(0, 20), count(0, 12), count(1, 4)
    rng = np.random.default_rng(seed)
    a, b = (boxes_of(many, seed + many).astype(dtype) for many in (n, m))
    scores, group = rng.integers(0, 5, n).astype(dtype), rng.integers(0, groups, n)
    images, channels, h, w = count(1, 3), count(1, 9), count(1, 7), count(1, 7)
    size, way = (
        (count(1, 4), count(1, 4)),
        (data.draw(st.sampled_from([1.0, 0.3, 2.0])), count(-1, 3), data.draw(st.booleans())),
    )
    x, dy = drawn(images, channels, h, w, seed=seed).astype(dtype), drawn(m, channels, *size, seed=1).astype(dtype)
    image, threshold = rng.integers(0, images, m), data.draw(st.sampled_from([0.0, 0.25, 1 / 3, 1.0]))
    for name in IMPLEMENTATIONS[:-1]:
        with kernels.use(boxes=name), kernels.checking(), divided(parts):  # each call is compared with the reference's
            boxes.iou(a, b)
            boxes.nms(a, scores, threshold, group if groups > 1 else None)
            boxes.roi_align(x, b, image, size, **settings(way))
            boxes.roi_align_backward(dy, b, image, (images, h, w), **settings(way))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_threads_give_the_same_bits(dtype: Any) -> None:
    """A pixel's terms are added in the order of the regions, by however many threads."""
    x, b = drawn(3, 32, 20, 24).astype(dtype), boxes_of(200, 1, 24.0).astype(dtype)
    image = np.random.default_rng(1).integers(0, 3, 200)
    results = []
    for count in (1, 2, 5):
        with thread_count(count):
            y = boxes.roi_align(x, b, image, (7, 7), sampling_ratio=2, aligned=True)
            dx = boxes.roi_align_backward(y, b, image, (3, 20, 24), sampling_ratio=2, aligned=True)
            results.append((y.tobytes(), dx.tobytes(), boxes.nms(b, b[:, 0].copy(), 0.4, image).tolist()))
    assert results[0] == results[1] == results[2]


def off_by_one(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Sides as some count them, with both end pixels."""
    return cpu.iou(a + np.array([0, 0, 1, 1], a.dtype), b + np.array([0, 0, 1, 1], b.dtype))


def not_above(b: np.ndarray, scores: np.ndarray, threshold: float, group: np.ndarray | None) -> np.ndarray:
    """What is suppressed by an overlap that is the threshold's own."""
    return cpu.nms(b, scores, float(np.nextafter(threshold, -1)), group)


def without_groups(b: np.ndarray, scores: np.ndarray, threshold: float, group: np.ndarray | None) -> np.ndarray:
    return cpu.nms(b, scores, threshold, None)


def unstable(b: np.ndarray, scores: np.ndarray, threshold: float, group: np.ndarray | None) -> np.ndarray:
    """Of equal scores the last box first."""
    turned = None if group is None else group[::-1]
    return len(b) - 1 - cpu.nms(b[::-1], scores[::-1], threshold, turned)


def half_a_pixel_off(x: Any, b: Any, image: Any, size: Any, **way: Any) -> np.ndarray:
    return cpu.roi_align(x, b, image, size, **{**way, "aligned": not way["aligned"]})


def ten_thousandth_wrong(dy: Any, b: Any, image: Any, size: Any, **way: Any) -> np.ndarray:
    dx = cpu.roi_align_backward(dy, b, image, size, **way)
    dx *= 1.0001
    return dx


def last_region_lost(dy: Any, b: Any, image: Any, size: Any, **way: Any) -> np.ndarray:
    return cpu.roi_align_backward(dy[:-1], b[:-1], image[:-1], size, **way)


PLANTED: list[tuple[str, Callable[..., np.ndarray]]] = [
    ("iou", off_by_one),
    ("nms", not_above),
    ("nms", without_groups),
    ("nms", unstable),
    ("roi_align", half_a_pixel_off),
    ("roi_align_backward", ten_thousandth_wrong),
    ("roi_align_backward", last_region_lost),
]


@pytest.mark.parametrize(("function", "wrong"), PLANTED, ids=[wrong.__name__ for _, wrong in PLANTED])
def test_the_laboratory_finds_what_is_planted(function: str, wrong: Callable[..., np.ndarray]) -> None:
    kernels.register("boxes", "planted", **{function: wrong})
    try:
        report = laboratory.check("boxes", "planted")
    finally:
        kernels.unregister("boxes", "planted")
    found = {each.function for each in report.failures if each.check != "identities"}  # which blame the way back
    assert found == {function}


B, S, X, IMAGE = np.zeros((3, 4), np.float32), np.ones(3, np.float32), np.ones((2, 3, 4, 5), np.float32), np.array([0, 1, 1])
DY = np.ones((3, 3, 2, 2), np.float32)
ALIGN, BACK = boxes.roi_align, boxes.roi_align_backward
REFUSED = [
    (lambda: boxes.iou(B[0], B), ShapeError, ["box_iou: boxes1", "(N, 4)", "(4,)"]),
    (lambda: boxes.iou(B, B[:, :3]), ShapeError, ["box_iou: boxes2", "(3, 3)"]),
    (lambda: boxes.iou(B, B.astype(float)), DTypeError, ["boxes2", "float32, as boxes1 has", "float64"]),
    (lambda: boxes.iou(B.astype(np.int64), B), DTypeError, ["boxes1", "int64"]),
    (lambda: boxes.nms(B, S[:2], 0.5), ShapeError, ["nms: scores", "(3,)", "(2,)"]),
    (lambda: boxes.nms(B, S, math.nan), ArgumentError, ["nms: iou_threshold", "0 to 1", "nan"]),
    (lambda: boxes.nms(B, S, "much"), ArgumentError, ["iou_threshold", "a number", "'much'"]),
    (lambda: boxes.nms(B, S, 0.5, S), DTypeError, ["nms: idxs", "int64", "float32"]),
    (lambda: boxes.nms(B, S, 0.5, IMAGE[:1]), ShapeError, ["nms: idxs", "(3,)", "(1,)"]),
    (lambda: boxes.nms(B, S, 0.5, [0, 1, 2]), DTypeError, ["nms: idxs", "list"]),
    (lambda: ALIGN(X[0], B, IMAGE, (2, 2)), ShapeError, ["roi_align: input", "N, C, H, W", "x[None]"]),
    (lambda: ALIGN(X[:, :, :0], B, IMAGE, (2, 2)), ShapeError, ["input", "size of 0"]),
    (lambda: ALIGN(X, B, IMAGE[:2], (2, 2)), ShapeError, ["image", "(3,)", "(2,)"]),
    (lambda: ALIGN(X, B, IMAGE + 1, (2, 2)), IndexingError, ["image", "0 to 1", "2 at 1"]),
    (lambda: ALIGN(X, B, IMAGE.astype(np.int32), (2, 2)), DTypeError, ["image", "int64", "int32"]),
    (lambda: ALIGN(X, B, IMAGE, 2), ArgumentError, ["output_size", "two whole numbers", "2"]),
    (lambda: ALIGN(X, B, IMAGE, (2, 2), spatial_scale=0.0), ArgumentError, ["spatial_scale", "above 0", "0.0"]),
    (lambda: ALIGN(X, B, IMAGE, (2, 2), spatial_scale=math.inf), ArgumentError, ["spatial_scale", "finite", "inf"]),
    (lambda: ALIGN(X, B, IMAGE, (2, 2), sampling_ratio=1.5), ArgumentError, ["sampling_ratio", "whole", "1.5"]),
    (lambda: ALIGN(X, B, IMAGE, (2, 2), sampling_ratio=1 << 20), ArgumentError, ["sampling_ratio", "65536", "1048576"]),
    (lambda: ALIGN(X, B, IMAGE, (2, 2), aligned=1), DTypeError, ["aligned", "True or False", "int"]),
    (lambda: ALIGN(X.astype(np.float16), B, IMAGE, (2, 2)), DTypeError, ["float16 is for storage"]),
    (lambda: BACK(DY[:2], B, IMAGE, (2, 4, 5)), ShapeError, ["grad_output", "3 regions", "(2, 3, 2, 2)"]),
    (lambda: BACK(DY, B, IMAGE, (4, 5)), ArgumentError, ["input_size", "(images, rows, columns)", "(4, 5)"]),
    (lambda: BACK(DY, B, IMAGE, (2, 0, 5)), ArgumentError, ["input_size", "(0, 5)"]),
    (lambda: BACK(DY, B, IMAGE, (1, 4, 5)), IndexingError, ["image", "0 to 0", "1 at 1"]),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "words"), REFUSED)
def test_refused(call: Any, error: type[Exception], words: list[str]) -> None:
    with pytest.raises(error) as caught:
        call()
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.emulated
def test_arrays_on_two_devices_are_refused() -> None:
    from minigrad.core.device import device, move

    there = device("emulated")
    for call in (
        lambda: boxes.iou(B, move(B, there)),
        lambda: boxes.nms(move(B, there), move(S, there), 0.5, IMAGE),
        lambda: ALIGN(move(X, there), move(B, there), IMAGE, (2, 2)),
    ):
        with pytest.raises(DeviceError, match="emulated"):
            call()


def test_the_oracle_is_the_reference_where_both_are_slow() -> None:
    """Greedy suppression's definition holds for the reference too, and what the reference keeps is not all there is."""
    b, scores = boxes_of(60, 5), drawn(60)
    kept = reference.nms(b, scores, 0.2, None)
    check_greedy(b, scores, 0.2, None, kept)
    for wrong in (kept[:-1], kept[::-1], np.arange(60)):
        with pytest.raises(AssertionError):
            check_greedy(b, scores, 0.2, None, wrong)
