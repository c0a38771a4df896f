"""What the laboratory calls the convolution with; see :mod:`minigrad.kernels.cases`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from minigrad.kernels.cases import Case, Identity, drawn, inner
from minigrad.kernels.conv2d import NO_PADDING, Padding, Pair, output_sizes, tolerance

Sizes = tuple[int, int, int, int]


class Shape(NamedTuple):
    """Sizes of x (N, C, H, W) and w (F, C/groups, KH, KW), and how the window walks."""

    name: str
    x: Sizes
    w: Sizes
    stride: Pair = (1, 1)
    padding: Padding = NO_PADDING
    dilation: Pair = (1, 1)
    groups: int = 1

    def geometry(self) -> dict[str, Any]:
        """The keywords of all three functions."""
        return {"stride": self.stride, "padding": self.padding, "dilation": self.dilation, "groups": self.groups}

    def arrays(self) -> list[np.ndarray]:
        """x, w, a bias and dy."""
        size = output_sizes(self.x[2:], self.w[2:], self.stride, self.padding, self.dilation)
        return drawn(self.x, self.w, self.w[:1], (self.x[0], self.w[0], *size), seed=sum(self.x) + 31 * sum(self.w))


SAME: Padding = ((1, 1), (1, 1))
SHAPES = (
    Shape("3x3", (2, 3, 5, 6), (4, 3, 3, 3)),
    Shape("3x3 padded, 17 to 33 channels", (1, 17, 7, 5), (33, 17, 3, 3), padding=SAME),
    Shape("3x3 padded, 32 to 16 channels", (2, 32, 6, 9), (16, 32, 3, 3), padding=SAME),
    Shape("3x3 padded, 33 to 34 channels, more pixels", (3, 33, 9, 9), (34, 33, 3, 3), padding=SAME),
    Shape("4x4 padded, stride 2, 16 to 17 channels", (3, 16, 14, 14), (17, 16, 4, 4), (2, 2), SAME),
    Shape("3x3 padded, stride 2", (1, 16, 9, 8), (20, 16, 3, 3), (2, 2), SAME),
    Shape("3x3, 12 to 68 channels", (2, 12, 4, 5), (68, 12, 3, 3)),
    Shape("1x1", (2, 5, 4, 7), (7, 5, 1, 1)),
    Shape("1x1, stride 2 and 3", (2, 3, 5, 4), (2, 3, 1, 1), (2, 3)),
    Shape("4x4 padded, stride 2", (2, 3, 8, 6), (5, 3, 4, 4), (2, 2), SAME),
    Shape("2x2, stride past the window", (1, 2, 9, 9), (2, 2, 2, 2), (4, 3)),
    Shape("padding past the window", (1, 2, 3, 3), (2, 2, 2, 2), padding=((3, 4), (5, 2))),
    Shape("dilation", (2, 2, 7, 8), (3, 2, 3, 2), dilation=(2, 3)),
    Shape("all at once", (2, 4, 9, 8), (6, 2, 3, 2), (2, 1), ((1, 2), (0, 1)), (2, 3), 2),
    Shape("groups", (2, 6, 5, 5), (4, 3, 3, 3), padding=SAME, groups=2),
    Shape("depthwise", (2, 5, 5, 6), (5, 1, 3, 3), padding=SAME, groups=5),
    Shape("depthwise, 8 channels", (1, 8, 5, 6), (8, 1, 3, 3), (2, 1), SAME, groups=8),
    Shape("depthwise, two outputs a channel", (2, 3, 6, 5), (6, 1, 3, 2), (2, 1), ((1, 0), (1, 2)), (1, 2), 3),
    Shape("one channel to one", (2, 1, 5, 5), (1, 1, 3, 3), padding=SAME),
    Shape("one pixel", (3, 5, 1, 1), (4, 5, 1, 1)),
    Shape("window of the image's size", (2, 3, 4, 5), (2, 3, 4, 5)),
    Shape("no images", (0, 4, 5, 5), (2, 4, 3, 3), padding=SAME),
    Shape("no images, depthwise", (0, 4, 5, 5), (4, 1, 3, 3), groups=4),
)


def cases() -> Iterator[Case]:
    """Each shape, in all three maps, the forward pass with and without a bias."""
    for number, shape in enumerate(SHAPES):
        x, w, bias, dy = shape.arrays()
        geometry = shape.geometry()
        about = f"{shape.name}: input {shape.x}, weight {shape.w}"
        with_bias = number % 2 == 0
        name = about + (", bias" if with_bias else "")
        # What meets the padding is multiplied by its zeros in some implementations, where a NaN would show, and left out in
        # others.
        yield Case("forward", name, (x, w, bias if with_bias else None), geometry, not_finite=(0, 2))
        yield Case("grad_input", about, (dy, w, shape.x[2:]), geometry, not_finite=(0,))
        yield Case("grad_weight", about, (x, dy, shape.w[2:]), geometry, not_finite=(0,))
    x, w, bias, dy = SHAPES[0].arrays()
    geometry = SHAPES[0].geometry()
    for words, size in (("large", 1e12), ("small", 1e-12)):
        yield Case("forward", f"{words} values", (x * size, w * size, bias * size * size), geometry, not_finite=(0, 2))
        yield Case("grad_input", f"{words} values", (dy * size, w * size, SHAPES[0].x[2:]), geometry, not_finite=(0,))
        yield Case("grad_weight", f"{words} values", (x * size, dy * size, SHAPES[0].w[2:]), geometry, not_finite=(0,))


def questions() -> Iterator[Case]:
    """Each shape."""
    for shape in SHAPES:
        yield Case("reads_c_order", f"{shape.name}: input {shape.x}, weight {shape.w}", (shape.x, shape.w), shape.geometry())


def identities(run: Any, dtype: np.dtype) -> Iterator[Identity]:
    """⟨forward(x, w), dy⟩ = ⟨x, grad_input(dy, w)⟩ = ⟨w, grad_weight(x, dy)⟩."""
    for shape in SHAPES:
        x, w, _, dy = (each.astype(dtype) for each in shape.arrays())
        geometry = shape.geometry()
        y = run.forward(x, w, None, **geometry)
        left, off = inner(y, dy), inner(tolerance("forward", x, w, None, **geometry)[0], abs(dy))
        dx, dw = run.grad_input(dy, w, shape.x[2:], **geometry), run.grad_weight(x, dy, shape.w[2:], **geometry)
        x_off = inner(tolerance("grad_input", dy, w, shape.x[2:], **geometry)[0], abs(x))
        w_off = inner(tolerance("grad_weight", x, dy, shape.w[2:], **geometry)[0], abs(w))
        yield Identity(
            "grad_input", f"⟨forward(x, w), dy⟩ = ⟨x, grad_input(dy, w)⟩, {shape.name}", left, inner(x, dx), off + x_off
        )
        yield Identity(
            "grad_weight", f"⟨forward(x, w), dy⟩ = ⟨w, grad_weight(x, dy)⟩, {shape.name}", left, inner(w, dw), off + w_off
        )
