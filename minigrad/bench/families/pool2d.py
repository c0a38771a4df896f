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
GRIDS = ((128, 64, 8, 1), (64, 256, 14, 7))  # N, C, H and the grid's side: what residual networks end with, and VGG
SHAPES = (Shape(128, 32, 32, brief=True), Shape(128, 64, 16), Shape(64, 64, 56, 3, 2, 1))


def ops() -> Iterator[Op]:
    """Maximum and average, both ways, at each shape; pixels at maxima, for second gradients; adaptive grids."""
    for shape in SHAPES:
        small = shape._replace(n=2, h=9)
        x, y = shape.n * shape.c * shape.h**2, shape.n * shape.c * shape.out**2
        for function, moved, draw, spot, peer in (
            ("max_forward", 4 * x + 12 * y, _max_forward, _max_forward_spot, _torch_max_forward),
            ("max_backward", 4 * x + 12 * y, _max_backward, _max_backward_spot, None),
            ("max_gather", 4 * x + 12 * y, _max_gather, _max_backward_spot, _torch_max_gather),
            ("avg_forward", 4 * (x + y), _avg_forward, _avg_forward_spot, _torch_avg_forward),
            ("avg_backward", 4 * (x + y), _avg_backward, _avg_backward_spot, _torch_avg_backward),
        ):
            peers = {} if peer is None else {"torch": peer}
            yield Op(
                "pool2d", function, shape.name, 0.0, float(moved), draw(shape), draw(small), spot, peers,
                brief=shape.brief and function in ("max_forward", "max_backward"),
            )  # fmt: skip
    for n, c, h, out in GRIDS:
        x, y = n * c * h**2, n * c * out**2
        for function, moved, make, peer in (
            ("adaptive_max_forward", 4 * x + 12 * y, _adaptive, _torch_adaptive_max),
            ("adaptive_avg_forward", 4 * (x + y), _adaptive, _torch_adaptive_avg),
            ("adaptive_avg_backward", 4 * (x + y), _adaptive_backward, _torch_adaptive_avg_backward),
        ):
            yield Op(
                "pool2d", function, f"N{n} C{c} H{h} -> {out}x{out}", 0.0, float(moved), make(n, c, h, out),
                make(2, c, 5, min(out, 3)),
                _max_forward_spot, {"torch": peer},
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


def _max_gather(shape: Shape) -> Draw:
    backward = _max_backward(shape)

    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        x = images(rng, (shape.n, shape.c, shape.h, shape.h), dtype)
        return Call((x, backward(rng, dtype).args[1]))

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


def _adaptive(n: int, c: int, h: int, out: int) -> Draw:
    return lambda rng, dtype: Call((images(rng, (n, c, h, h), dtype), (out, out)))


def _adaptive_backward(n: int, c: int, h: int, out: int) -> Draw:
    return lambda rng, dtype: Call((images(rng, (n, c, out, out), dtype), (h, h)))


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


def _torch_max_gather(torch: Any, call: Call) -> Callable[[], Any]:
    x, indices = (tensor(torch, each).flatten(2) for each in call.args)
    return lambda: x.gather(2, indices).view(call.args[1].shape)


def _torch_adaptive_max(torch: Any, call: Call) -> Callable[[], Any]:
    x, size = tensor(torch, call.args[0]), list(call.args[1])
    return lambda: torch.ops.aten.adaptive_max_pool2d(x, size)


def _torch_adaptive_avg(torch: Any, call: Call) -> Callable[[], Any]:
    x, size = tensor(torch, call.args[0]), list(call.args[1])
    return lambda: torch.ops.aten.adaptive_avg_pool2d(x, size)


def _torch_adaptive_avg_backward(torch: Any, call: Call) -> Callable[[], Any]:
    dy = tensor(torch, call.args[0])
    x = torch.empty((*dy.shape[:2], *call.args[1]), dtype=dy.dtype)
    return lambda: torch.ops.aten._adaptive_avg_pool2d_backward(dy, x)
