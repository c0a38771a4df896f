"""Channels-last memory: who is copied, who is counted, and where new arrays lie."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from minigrad.kernels import layout

SHAPE = (2, 3, 4, 5)


def as_nchw(shape: tuple[int, ...]) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def as_nhwc(shape: tuple[int, ...]) -> np.ndarray:
    n, c, h, w = shape
    return np.arange(np.prod(shape), dtype=np.float32).reshape(n, h, w, c).transpose(0, 3, 1, 2)


@pytest.mark.parametrize(
    ("x", "converted"),
    [
        (as_nchw(SHAPE), True),
        (as_nhwc(SHAPE), False),
        (as_nchw((2, 1, 4, 5)), False),  # one channel: both layouts are the same memory
        (as_nhwc((2, 1, 4, 5)), False),
        (as_nchw((2, 3, 1, 1)), False),  # one pixel: likewise
        (as_nhwc((2, 3, 1, 1)), False),
        (as_nchw((0, 3, 4, 5)), False),
        (as_nchw((2, 3, 4, 1)), True),
        (as_nhwc(SHAPE)[:, :, 1:], True),  # in the order, but with gaps
        (as_nhwc(SHAPE)[1:], False),
        (as_nhwc(SHAPE)[:, :, ::-1], True),
        (np.broadcast_to(as_nhwc((1, 3, 1, 1)), SHAPE), True),
    ],
)
def test_channels_last(x: np.ndarray, converted: bool) -> None:
    layout.reset_conversions()
    y = layout.channels_last(x)
    assert (y is x) is not converted
    assert layout.conversions() == int(converted)
    assert layout.is_channels_last(y) and layout.is_channels_last(x) is not converted
    np.testing.assert_array_equal(y, x)
    layout.reset_conversions()
    assert layout.conversions() == 0


def test_count_is_of_one_thread() -> None:
    layout.reset_conversions()
    thread = threading.Thread(target=lambda: layout.channels_last(as_nchw(SHAPE)))
    thread.start()
    thread.join()
    assert layout.conversions() == 0


def test_empty_channels_last() -> None:
    x = layout.empty_channels_last(np, SHAPE, np.float64)
    assert (x.shape, x.strides, x.dtype) == (SHAPE, (480, 8, 120, 24), np.float64)


@pytest.mark.parametrize(
    ("like", "shape", "order"),
    [
        (as_nhwc(SHAPE), None, (0, 2, 3, 1)),
        (as_nhwc(SHAPE), (2, 8, 2, 2), (0, 2, 3, 1)),
        (as_nchw(SHAPE), None, (0, 1, 2, 3)),
        (as_nchw((2, 1, 4, 5)), (2, 8, 4, 5), (0, 2, 3, 1)),
        (as_nchw((2, 3, 1, 1)), (2, 8, 4, 5), (0, 2, 3, 1)),
        (as_nhwc(SHAPE)[:, :, 1:], (2, 3, 3, 5), (0, 2, 3, 1)),
        (as_nchw((4, 5)).T, None, (1, 0)),
        (as_nchw((2, 3, 4)).transpose(2, 0, 1), (5, 6, 7), (1, 2, 0)),
        (as_nchw((2, 3)), (4, 5, 6), (0, 1, 2)),
        (np.zeros(()), None, ()),
    ],
)
def test_empty_like_layout(like: np.ndarray, shape: tuple[int, ...] | None, order: tuple[int, ...]) -> None:
    y = layout.empty_like_layout(like, shape, np.float64)
    assert y.shape == (like.shape if shape is None else shape) and y.dtype == np.float64
    assert y.transpose(order).flags.c_contiguous
    assert layout.empty_like_layout(like, shape).dtype == like.dtype


@pytest.mark.parametrize("dtype", [np.float32, np.float64, ">f4", np.int32])
@pytest.mark.parametrize(
    "shape",
    [
        (3, 16, 32, 32),  # whole squares
        (2, 21, 37, 29),  # and what is left over of channels and of pixels
        (1, 7, 97, 61),  # fewer channels than a register holds
        (4097, 64, 1, 1),  # one pixel: both layouts are the same memory
        (9, 1000, 2, 3),
        SHAPE,
        (0, 3, 4, 5),
    ],
)
def test_images_are_copied_both_ways(shape: tuple[int, ...], dtype: str | type) -> None:
    x = as_nchw(shape).astype(dtype)
    last = layout.copy_like(x, layout.empty_channels_last(np, shape, dtype))
    assert layout.is_channels_last(last) and last.dtype == dtype and not np.shares_memory(last, x)
    np.testing.assert_array_equal(last, x)
    np.testing.assert_array_equal(layout.channels_last(x), x)
    first = layout.copy_like(last, np.zeros(shape, dtype))
    assert first.flags.c_contiguous and first.base is None
    np.testing.assert_array_equal(first, x)


def test_a_copy_lies_like_another_array() -> None:
    shape = (2, 16, 64, 64)  # large enough for the compiled ways
    x = as_nchw(shape)
    gaps = np.zeros((2, 64, 128, 16), np.float32)[:, :, ::2].transpose(0, 3, 1, 2)
    for source in (x, layout.channels_last(x), x[:, ::-1], x.transpose(0, 1, 3, 2)):
        for like in (x, layout.channels_last(x), gaps, x.transpose(3, 2, 1, 0).copy().transpose(3, 2, 1, 0)):
            copy = layout.copy_like(source, like)
            np.testing.assert_array_equal(copy, source)
            assert copy.strides == np.empty_like(like).strides
