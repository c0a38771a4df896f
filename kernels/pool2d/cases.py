"""What the laboratory calls the pooling with; see :mod:`minigrad.kernels.cases`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from minigrad.kernels.cases import Case, Identity, drawn, inner
from minigrad.kernels.pool2d import Pair, output_size, tolerance

Sizes = tuple[int, int, int, int]


class Windows(NamedTuple):
    """The size of x (N, C, H, W), and how the window walks."""

    name: str
    x: Sizes
    kernel_size: Pair
    stride: Pair
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    ceil_mode: bool = False

    def y(self) -> Sizes:
        """The size of the result."""
        axes = zip(self.x[2:], self.kernel_size, self.stride, self.padding, self.dilation, strict=True)
        height, width = (output_size(*each, self.ceil_mode) for each in axes)
        return *self.x[:2], height, width


WINDOWS = (
    Windows("2x2", (2, 3, 6, 8), (2, 2), (2, 2)),
    Windows("2x2, 33 channels", (1, 33, 4, 4), (2, 2), (2, 2)),
    Windows("3x3 that overlap, padded", (2, 17, 7, 5), (3, 3), (2, 2), (1, 1)),
    Windows("3x2, stride 1", (1, 2, 5, 6), (3, 2), (1, 1)),
    Windows("a last window over the edge", (2, 3, 7, 8), (3, 3), (2, 2), (1, 0), ceil_mode=True),
    Windows("stride past the window", (1, 2, 9, 7), (2, 2), (4, 3)),
    Windows("dilation", (1, 2, 9, 9), (2, 3), (2, 1), (1, 1), (3, 2)),
    Windows("one pixel", (3, 5, 1, 1), (1, 1), (1, 1)),
    Windows("no images", (0, 3, 4, 4), (2, 2), (2, 2)),
)
GRIDS = (
    ((2, 3, 7, 5), (3, 2)),
    ((1, 17, 6, 6), (2, 3)),
    ((1, 2, 3, 2), (5, 4)),
    ((2, 4, 5, 7), (1, 1)),
    ((0, 2, 4, 4), (2, 2)),
)


def cases() -> Iterator[Case]:
    """Each way of walking, with equal values among the maxima, and each adaptive grid."""
    for number, windows in enumerate(WINDOWS):
        x, dy = drawn(windows.x, windows.y(), seed=number)
        about = f"{windows.name}: input {windows.x}, window {windows.kernel_size}"
        stride, padding, ceil_mode = windows.stride, windows.padding, windows.ceil_mode
        walk: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": windows.dilation, "ceil_mode": ceil_mode}
        yield Case("max_forward", about, (x, windows.kernel_size), walk)
        yield Case("max_forward", f"equal values, {about}", (np.floor(x), windows.kernel_size), walk)
        yield from _indexed(about, x, dy, number)
        if windows.dilation == (1, 1):
            for include, divisor in ((True, None), (False, None), (True, 3)):
                named = f"{about}, count_include_pad={include}, divisor_override={divisor}"
                average = {
                    "stride": stride, "padding": padding, "ceil_mode": ceil_mode,
                    "count_include_pad": include, "divisor_override": divisor,
                }  # fmt: skip
                yield Case("avg_forward", named, (x, windows.kernel_size), average)
                yield Case("avg_backward", named, (dy, windows.x[2:], windows.kernel_size), average)
    for number, (size, grid) in enumerate(GRIDS):
        x, dy = drawn(size, (*size[:2], *grid), seed=number)
        about = f"input {size} to {grid[0]} x {grid[1]}"
        yield Case("adaptive_max_forward", about, (x, grid))
        yield Case("adaptive_avg_forward", about, (x, grid))
        yield Case("adaptive_avg_backward", about, (dy, size[2:]))


def _indexed(about: str, x: np.ndarray, dy: np.ndarray, seed: int) -> Iterator[Case]:
    """The maps that go by indices, some of which come twice."""
    indices = np.random.default_rng(seed).integers(0, x.shape[2] * x.shape[3], dy.shape)
    yield Case("max_backward", about, (dy, indices, x.shape[2:]))
    yield Case("max_gather", about, (x, indices))


def identities(run: Any, dtype: np.dtype) -> Iterator[Identity]:
    """Backward is the transpose of forward: ⟨forward(x), dy⟩ = ⟨x, backward(dy)⟩; gather is that of the scatter."""
    for case in cases():
        if case.function not in ("max_backward", "avg_backward", "adaptive_avg_backward"):
            continue
        dy, *rest = (
            each.astype(dtype) if isinstance(each, np.ndarray) and each.dtype.kind == "f" else each for each in case.args
        )
        back = getattr(run, case.function)(dy, *rest, **case.kwargs)
        (x,) = (each.astype(dtype) for each in drawn(back.shape, seed=1))
        ahead, *there = {
            "max_backward": ("max_gather", rest[0]),
            "avg_backward": ("avg_forward", rest[-1]),
            "adaptive_avg_backward": ("adaptive_avg_forward", dy.shape[2:]),
        }[case.function]
        y = getattr(run, ahead)(x, *there, **case.kwargs)
        allowed = inner(np.broadcast_to(tolerance(ahead, x, *there, **case.kwargs)[0], y.shape), abs(dy))
        allowed += inner(np.broadcast_to(tolerance(case.function, dy, *rest, **case.kwargs)[0], x.shape), abs(x))
        name = f"⟨{ahead}(x), dy⟩ = ⟨x, {case.function}(dy)⟩, {case.name}"
        yield Identity(case.function, name, inner(y, dy), inner(x, back), allowed)
