"""Poolings to be timed. They compute next to nothing: what counts is how fast the bytes are moved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from minigrad.bench.op import Call, Draw, Op, Results, images, tensor
from minigrad.kernels.pool2d import output_size


class Shape(NamedTuple):
    """N images of C x H x H, and how the window walks."""

    n: int
    c: int
    h: int
    kernel: int = 2
    stride: int = 2
    padding: int = 0
    brief: bool = False

    @property
    def name(self) -> str:
        words = f"N{self.n} C{self.c} H{self.h}, {self.kernel}x{self.kernel}"
        return words + (f", stride {self.stride}" if self.stride != self.kernel else "")

    @property
    def walk(self) -> dict[str, Any]:
        return {"stride": (self.stride,) * 2, "padding": (self.padding,) * 2, "ceil_mode": False}

    @property
    def out(self) -> int:
        return output_size(self.h, self.kernel, self.stride, self.padding, 1, False)


AVERAGE = {"count_include_pad": True, "divisor_override": None}
SHAPES = (Shape(128, 32, 32, brief=True), Shape(128, 64, 16), Shape(64, 64, 56, 3, 2, 1))


def ops() -> Iterator[Op]:
    """Maximum and average, forward and backward, at each shape."""
    for shape in SHAPES:
        small = shape._replace(n=2, h=9)
        x, y = shape.n * shape.c * shape.h**2, shape.n * shape.c * shape.out**2
        for function, moved, draw, spot, peer in (
            ("max_forward", 4 * x + 12 * y, _max_forward, _max_forward_spot, _torch_max_forward),
            ("max_backward", 4 * x + 12 * y, _max_backward, _max_backward_spot, None),
            ("avg_forward", 4 * (x + y), _avg_forward, _avg_forward_spot, _torch_avg_forward),
            ("avg_backward", 4 * (x + y), _avg_backward, _avg_backward_spot, _torch_avg_backward),
        ):
            peers = {} if peer is None else {"torch": peer}
            yield Op(
                "pool2d", function, shape.name, 0.0, float(moved), draw(shape), draw(small), spot, peers,
                brief=shape.brief and function.startswith("max"),
            )  # fmt: skip


def _max_forward(shape: Shape) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        x = images(rng, (shape.n, shape.c, shape.h, shape.h), dtype)
        return Call((x, (shape.kernel,) * 2), {**shape.walk, "dilation": (1, 1)})

    return draw


def _max_backward(shape: Shape) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        dy = images(rng, (shape.n, shape.c, shape.out, shape.out), dtype)
        rows, columns = np.indices((shape.out, shape.out)) * shape.stride  # windows' corners, moved within the window
        move = rng.integers(0, shape.kernel, (2, shape.n, shape.out, shape.out, shape.c)).transpose(0, 1, 4, 2, 3)
        place = np.clip([rows, columns], 0, shape.h - shape.kernel)[:, None, None] + move
        indices = np.empty_like(dy, np.int64)
        indices[...] = place[0] * shape.h + place[1]
        return Call((dy, indices, (shape.h, shape.h)))

    return draw


def _avg_forward(shape: Shape) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        x = images(rng, (shape.n, shape.c, shape.h, shape.h), dtype)
        return Call((x, (shape.kernel,) * 2), {**shape.walk, **AVERAGE})

    return draw


def _avg_backward(shape: Shape) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        dy = images(rng, (shape.n, shape.c, shape.out, shape.out), dtype)
        return Call((dy, (shape.h, shape.h), (shape.kernel,) * 2), {**shape.walk, **AVERAGE})

    return draw


def _one(call: Call, results: Results, rng: np.random.Generator, arrays: int) -> tuple[Call, Results]:
    """One image and a few channels: what the first arguments and all results have in common."""
    n = int(rng.integers(len(call.args[0])))
    c = int(rng.integers(call.args[0].shape[1]))
    part = [array[n : n + 1, c : c + 3] for array in call.args[:arrays]]
    return Call((*part, *call.args[arrays:]), call.kwargs), [array[n : n + 1, c : c + 3] for array in results]


def _max_forward_spot(call: Call, results: Results, rng: np.random.Generator) -> tuple[Call, Results]:
    return _one(call, results, rng, 1)


def _max_backward_spot(call: Call, results: Results, rng: np.random.Generator) -> tuple[Call, Results]:
    return _one(call, results, rng, 2)


_avg_forward_spot = _avg_backward_spot = _max_forward_spot


def _torch_max_forward(torch: Any, call: Call) -> Callable[[], Any]:
    x, size = tensor(torch, call.args[0]), list(call.args[1])
    stride, padding = list(call.kwargs["stride"]), list(call.kwargs["padding"])
    return lambda: torch.ops.aten.max_pool2d_with_indices(x, size, stride, padding)


def _torch_avg_forward(torch: Any, call: Call) -> Callable[[], Any]:
    x, size = tensor(torch, call.args[0]), list(call.args[1])
    stride, padding = list(call.kwargs["stride"]), list(call.kwargs["padding"])
    return lambda: torch.ops.aten.avg_pool2d(x, size, stride, padding)


def _torch_avg_backward(torch: Any, call: Call) -> Callable[[], Any]:
    dy, size = tensor(torch, call.args[0]), list(call.args[2])
    x = torch.empty((*dy.shape[:2], *call.args[1]), dtype=dy.dtype)
    stride, padding = list(call.kwargs["stride"]), list(call.kwargs["padding"])
    return lambda: torch.ops.aten.avg_pool2d_backward(dy, x, size, stride, padding, False, True, None)
