"""The CUDA kernels on shapes beyond the laboratory's, which take other paths through a kernel; and memory in other orders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from minigrad.core.device import CPU, device, module_for, move, quiet
from minigrad.kernels import contract_of, functions_of
from minigrad.kernels.comparison import bounds, difference
from minigrad.kernels.shuttle import shuttled

pytestmark = pytest.mark.emulated

EMULATED = device("emulated")
FLOAT = np.dtype(np.float32)


def drawn(*shape: int, seed: int = 0, scale: float = 3.0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype(FLOAT)


def difference_from_reference(family: str, function: str, *args: Any, **kwargs: Any) -> Any:
    """How the CUDA kernels' results differ from the reference's, or ``None``; each access of theirs is watched."""
    module_for(EMULATED)
    from minigrad.emulator.cupy.raw import launches

    contract = contract_of(family)
    cuda = shuttled(functions_of(family, "cuda", "emulated"), contract, EMULATED)
    with quiet():
        with launches("checked"):
            got = getattr(cuda, function)(*args, **kwargs)
        want = getattr(functions_of(family, "reference"), function)(*args, **kwargs)
        allowed = bounds(functions_of(family, "reference"), contract, function, args, kwargs)
    several = isinstance(want, tuple)
    return difference(contract, function, got if several else [got], want if several else [want], allowed)


def long_rows() -> Iterator[tuple[str, tuple[Any, ...], dict[str, Any]]]:
    """Rows longer than what a block keeps in registers, in packs of 16 bytes and in single numbers."""
    for length in (2052, 4099):
        x, dy = drawn(3, length), drawn(3, length, seed=1)
        x[1, 7::3] = -np.inf
        y = np.exp(dy - dy.max(axis=1, keepdims=True))
        y /= y.sum(axis=1, keepdims=True)
        yield "forward", (x, 1), {"zeros": False}
        yield "log_forward", (x, 1), {}
        yield "backward", (dy, y, 1), {}
        yield "log_backward", (dy, np.log(y), 1), {}
        target, w = np.array([5, -1, length - 1]), abs(drawn(length, seed=2))
        finite = drawn(3, length)
        top = finite.max(axis=1)
        log_sum = np.log(np.exp(finite - top[:, None]).sum(axis=1))
        yield "cross_entropy_forward", (finite, target, w), {"smoothing": 0.1}
        yield "cross_entropy_backward", (dy[:, 0], finite, target, w, top, log_sum), {"smoothing": 0.1}


def test_softmax_of_long_rows() -> None:
    for function, args, kwargs in long_rows():
        assert difference_from_reference("softmax", function, *args, **kwargs) is None, (function, args[0].shape)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_softmax_of_a_long_row_with_a_number_that_is_none(bad: float) -> None:
    x = drawn(2, 2050)
    x[0, 2049] = bad
    assert difference_from_reference("softmax", "forward", x, 1, zeros=True) is None


def test_softmax_of_columns() -> None:
    """More rows beside each other than a block takes, and longer ones than it has threads for."""
    x, dy = drawn(2, 70, 33), drawn(2, 70, 33, seed=1)
    assert difference_from_reference("softmax", "forward", x, 1, zeros=False) is None
    assert difference_from_reference("softmax", "log_backward", dy, x - 9, 1) is None


@pytest.mark.parametrize("axis", [1, 2])
def test_softmax_keeps_the_order_of_axes_in_memory(axis: int) -> None:
    """Along the channels of an image that lies channels-last rows lie in one piece, and no copy is made."""
    xp = module_for(EMULATED)
    x = xp.asarray(np.ascontiguousarray(drawn(2, 6, 3, 4).transpose(0, 2, 3, 1))).transpose(0, 3, 1, 2)
    cuda, reference = (functions_of("softmax", *which) for which in (("cuda", "emulated"), ("reference", "cpu")))
    y = cuda.forward(x, axis, zeros=False)
    assert y.strides == x.strides
    assert np.allclose(move(y, CPU), reference.forward(move(x, CPU), axis, zeros=False), atol=1e-6)
    assert cuda.backward(x, y, axis).strides == x.strides


@pytest.mark.parametrize(("groups", "own"), [(256, False), (32, True)])
def test_norm_of_several_strips(groups: int, own: bool) -> None:
    """More pixels than one block takes, whose sums must be put together; the last strip is shorter."""
    x, dy, residual, w, b = (
        drawn(2 - own, 256, 20, 20, seed=1),
        drawn(2 - own, 256, 20, 20, seed=2),
        None,
        drawn(256),
        drawn(256),
    )
    mean, var = functions_of("norm", "reference").statistics(x, groups, own=own)
    assert difference_from_reference("norm", "statistics", x, groups, own=own) is None
    assert difference_from_reference("norm", "normalize", x, mean, var, w, b, residual, eps=1e-5, relu=True) is None
    assert difference_from_reference("norm", "gradients", dy, x, mean, var, w, b, eps=1e-5, relu=False) is None


@pytest.mark.parametrize(("scale", "outlier"), [(1e25, 0.0), (1e-22, 0.0), (1.0, 1e4), (1.0, np.inf), (1.0, np.nan)], ids=str)
def test_statistics_whatever_the_size(scale: float, outlier: float) -> None:
    """Squares that float32 has not; a first number, from which differences are taken, that lies far off or is none."""
    x = (drawn(2, 8, 9, 7) * np.float32(scale)).astype(FLOAT)
    x[0, 3, 0, 0] += np.float32(outlier)
    assert difference_from_reference("norm", "statistics", x, 8, own=False) is None


@pytest.mark.parametrize("shape", [(3, 2052), (2, 4099), (300, 40)])
def test_layer_norm_of_long_and_many_rows(shape: tuple[int, int]) -> None:
    x, dy, w, b = drawn(*shape) + 100, drawn(*shape, seed=1), drawn(shape[1]), drawn(shape[1], seed=3)
    _, mean, var = functions_of("norm", "reference").layer_forward(x, w, b, eps=1e-5)
    assert difference_from_reference("norm", "layer_forward", x, w, b, eps=1e-5) is None
    assert difference_from_reference("norm", "layer_backward", dy, x, mean, var, w, eps=1e-5) is None


@pytest.mark.parametrize("shape", [(2, 260, 9, 6), (1, 3, 20, 70)])
def test_pooling_of_many_channels_and_wide_rows(shape: tuple[int, ...]) -> None:
    """Rows of pixels that several blocks share, and blocks that work on several rows."""
    x = drawn(*shape)
    walk = {"stride": (2, 1), "padding": (1, 1), "ceil_mode": True}
    y, indices = functions_of("pool2d", "reference").max_forward(x, (3, 3), dilation=(1, 1), **walk)
    assert difference_from_reference("pool2d", "max_forward", x, (3, 3), dilation=(1, 1), **walk) is None
    assert difference_from_reference("pool2d", "max_backward", y, indices, shape[2:]) is None
    average = {**walk, "count_include_pad": False, "divisor_override": None}
    assert difference_from_reference("pool2d", "avg_backward", y, shape[2:], (3, 3), **average) is None


@pytest.mark.parametrize(("rows", "width", "count"), [(300, 1040, 40), (2, 4, 500)])
def test_embedding_of_wide_and_of_many_rows(rows: int, width: int, count: int) -> None:
    index = np.random.default_rng(0).integers(0, rows, count)
    assert difference_from_reference("embedding", "gather", drawn(rows, width), index) is None
    assert difference_from_reference("embedding", "scatter", drawn(count, width), index, rows, drawn(rows)) is None


@pytest.mark.parametrize("groups", [1, 5])
def test_suppression_of_several_tiles(groups: int) -> None:
    """A block goes over its group 64 boxes at a time; more than its threads are behind a tile."""
    from minigrad.kernels.boxes.cases import boxes_of

    boxes, rng = boxes_of(450, 1, 40.0).astype(FLOAT), np.random.default_rng(2)
    scores, group = rng.integers(0, 99, 450).astype(FLOAT), None if groups == 1 else rng.integers(0, groups, 450)
    assert difference_from_reference("boxes", "nms", boxes, scores, 0.3, group) is None


@pytest.mark.parametrize(("channels", "far"), [(260, 1.0), (6, 90.0)])
def test_alignment_of_many_channels_and_of_large_regions(channels: int, far: float) -> None:
    """Bins that several blocks share; and samples of which most are outside."""
    from minigrad.kernels.boxes.cases import boxes_of

    boxes, image = (boxes_of(5, 3, 9.0) * far).astype(FLOAT), np.array([0, 1, 1, 0, 0])
    way = {"spatial_scale": 1.0, "sampling_ratio": -1, "aligned": True}
    x, dy = drawn(2, channels, 6, 9), drawn(5, channels, 3, 2, seed=1)
    assert difference_from_reference("boxes", "roi_align", x, boxes, image, (3, 2), **way) is None
    assert difference_from_reference("boxes", "roi_align_backward", dy, boxes, image, (2, 6, 9), **way) is None
