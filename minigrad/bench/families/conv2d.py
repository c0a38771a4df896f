"""Convolutions to be timed: those of the usual networks, layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from minigrad.bench.op import Call, Draw, Op, Results, images, normal, tensor
from minigrad.kernels.conv2d import MOST, Padding, Pair, output_sizes


class Shape(NamedTuple):
    """N images of C x H x H to F channels, and how the window walks."""

    n: int
    c: int
    h: int
    f: int
    kernel: int = 3
    stride: int = 1
    padding: int = 1
    groups: int = 1
    brief: bool = False

    @property
    def name(self) -> str:
        options = [
            *([f"stride {self.stride}"] if self.stride > 1 else []),
            *(["depthwise"] if self.groups == self.c > 1 else [f"{self.groups} groups"] if self.groups > 1 else []),
        ]
        return ", ".join([f"N{self.n} C{self.c} H{self.h} -> {self.f}", f"{self.kernel}x{self.kernel}", *options])

    @property
    def pads(self) -> Padding:
        return (self.padding, self.padding), (self.padding, self.padding)

    @property
    def size(self) -> Pair:
        """(OH, OW)."""
        return output_sizes((self.h, self.h), (self.kernel,) * 2, (self.stride,) * 2, self.pads, (1, 1))

    @property
    def geometry(self) -> dict[str, Any]:
        return {"stride": (self.stride, self.stride), "padding": self.pads, "dilation": (1, 1), "groups": self.groups}

    @property
    def small(self) -> Shape:
        """Fewer and smaller images: the channels stay, since tiles and panels depend on them."""
        fewer = min(self.f, 24) if self.groups == 1 else self.f
        return self._replace(n=2, h=max(self.kernel, 5), f=fewer)


SHAPES = (
    Shape(128, 3, 32, 32),
    Shape(128, 16, 32, 16),
    Shape(128, 32, 32, 32, brief=True),
    Shape(128, 64, 16, 64),
    Shape(64, 128, 16, 128),
    Shape(32, 256, 16, 256),
    Shape(128, 16, 32, 32, stride=2),
    Shape(64, 64, 32, 128, kernel=4, stride=2),  # a layer of DCGAN's discriminator
    Shape(128, 64, 16, 128, kernel=1, padding=0),
    Shape(64, 64, 32, 64, groups=64),
    Shape(64, 64, 16, 64, groups=4),
)
ASKED: dict[str, dict[str, Any]] = {"c_order": {"c_order": True}, **{kind: {"activation": kind} for kind in MOST}}
JOINED = (SHAPES[2], SHAPES[7])  # where what is done at once with a map is timed too


def ops() -> Iterator[Op]:
    """The three maps at each shape, and at some what is done at once with them."""
    for shape in SHAPES:
        yield from ops_of(shape)


def ops_of(shape: Shape) -> Iterator[Op]:
    """The three maps, and what is done at once with two of them: ReLU or ReLU6 after the convolution, a gradient in C order."""
    n, c, h, f = shape[:4]
    oh, ow = shape.size
    flops = 2.0 * n * oh * ow * f * (c // shape.groups) * shape.kernel**2
    moved = 4.0 * (n * c * h * h + n * f * oh * ow + f * (c // shape.groups) * shape.kernel**2)
    for function, words, draw, spot, peer in (
        ("forward", "", _forward, _forward_spot, _torch_forward),
        ("grad_input", "", _grad_input, _grad_input_spot, _torch_grad_input),
        ("grad_weight", "", _grad_weight, _grad_weight_spot, _torch_grad_weight),
        ("forward", "relu", _forward, _forward_spot, _torch_forward_relu),
        ("forward", "relu6", _forward, _forward_spot, _torch_forward_relu6),
        ("grad_input", "c_order", _grad_input, _grad_input_spot, _torch_grad_input),
    ):
        if words and shape not in JOINED:
            continue
        yield Op(
            "conv2d", function, ", ".join(filter(None, (shape.name, words))), flops, moved, draw(shape), draw(shape.small),
            spot, {"torch": peer}, brief=shape.brief and not words, asked=ASKED.get(words, {}),
            joined=f"{function}_in_c_order" if words == "c_order" else f"{function}_{words}" if words else "",
        )  # fmt: skip


def _weight(rng: np.random.Generator, shape: Shape, dtype: np.dtype) -> np.ndarray:
    return normal(rng, (shape.f, shape.c // shape.groups, shape.kernel, shape.kernel), dtype)


def _forward(shape: Shape) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        x = images(rng, (shape.n, shape.c, shape.h, shape.h), dtype)
        return Call((x, _weight(rng, shape, dtype), None), shape.geometry)

    return draw


def _grad_input(shape: Shape) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        dy = images(rng, (shape.n, shape.f, *shape.size), dtype)
        return Call((dy, _weight(rng, shape, dtype), (shape.h, shape.h)), shape.geometry)

    return draw


def _grad_weight(shape: Shape) -> Draw:
    def draw(rng: np.random.Generator, dtype: np.dtype) -> Call:
        x, dy = (images(rng, size, dtype) for size in _x_and_dy(shape))
        return Call((x, dy, (shape.kernel, shape.kernel)), shape.geometry)

    return draw


def _x_and_dy(shape: Shape) -> tuple[tuple[int, int, int, int], tuple[int, int, int, int]]:
    return (shape.n, shape.c, shape.h, shape.h), (shape.n, shape.f, *shape.size)


def _alone(call: Call) -> dict[str, Any]:
    return {**call.kwargs, "groups": 1}


def _group(call: Call, rng: np.random.Generator, channels_out: int) -> tuple[int, int, int]:
    """A drawn output channel f, its group, and how many output channels a group has."""
    f, each = int(rng.integers(channels_out)), channels_out // call.kwargs["groups"]
    return f, f // each, each


def _forward_spot(call: Call, results: Results, rng: np.random.Generator) -> tuple[Call, Results]:
    """One image, one output channel."""
    x, w, _ = call.args
    n, c = int(rng.integers(len(x))), w.shape[1]
    f, group, _ = _group(call, rng, len(w))
    part = Call((x[n : n + 1, group * c : (group + 1) * c], w[f : f + 1], None), _alone(call))
    return part, [results[0][n : n + 1, f : f + 1]]


def _grad_input_spot(call: Call, results: Results, rng: np.random.Generator) -> tuple[Call, Results]:
    """One image, one input channel, which all output channels of its group go into."""
    dy, w, size = call.args
    n, c = int(rng.integers(len(dy))), int(rng.integers(w.shape[1]))
    _, group, each = _group(call, rng, len(w))
    outputs = slice(group * each, (group + 1) * each)
    at = group * w.shape[1] + c
    return Call((dy[n : n + 1, outputs], w[outputs, c : c + 1], size), _alone(call)), [results[0][n : n + 1, at : at + 1]]


def _grad_weight_spot(call: Call, results: Results, rng: np.random.Generator) -> tuple[Call, Results]:
    """One output channel, one input channel, all images."""
    x, dy, size = call.args
    f, group, _ = _group(call, rng, dy.shape[1])
    channels = x.shape[1] // call.kwargs["groups"]
    c = int(rng.integers(channels))
    at = group * channels + c
    return Call((x[:, at : at + 1], dy[:, f : f + 1], size), _alone(call)), [results[0][f : f + 1, c : c + 1]]


def _numbers(call: Call) -> tuple[list[int], list[int], list[int], int]:
    """stride, padding, dilation, groups for PyTorch, whose padding is the same on both sides."""
    (top, _), (left, _) = call.kwargs["padding"]
    return list(call.kwargs["stride"]), [top, left], list(call.kwargs["dilation"]), call.kwargs["groups"]


def _torch_forward(torch: Any, call: Call) -> Callable[[], Any]:
    x, w = (tensor(torch, array) for array in call.args[:2])
    stride, padding, dilation, groups = _numbers(call)
    return lambda: torch.nn.functional.conv2d(x, w, None, stride, padding, dilation, groups)


def _torch_forward_relu(torch: Any, call: Call) -> Callable[[], Any]:
    convolve = _torch_forward(torch, call)
    return lambda: convolve().relu_()


def _torch_forward_relu6(torch: Any, call: Call) -> Callable[[], Any]:
    convolve = _torch_forward(torch, call)
    return lambda: convolve().clamp_(0, 6)


def _torch_backward(torch: Any, call: Call, dy: Any, x: Any, w: Any, wanted: int) -> Callable[[], Any]:
    stride, padding, dilation, groups = _numbers(call)
    mask = [number == wanted for number in range(3)]
    backward = torch.ops.aten.convolution_backward
    return lambda: backward(dy, x, w, None, stride, padding, dilation, False, [0, 0], groups, mask)[wanted]


def _torch_grad_input(torch: Any, call: Call) -> Callable[[], Any]:
    dy, w = (tensor(torch, array) for array in call.args[:2])
    x = torch.empty((dy.shape[0], w.shape[1] * call.kwargs["groups"], *call.args[2]), dtype=dy.dtype)
    return _torch_backward(torch, call, dy, x, w, 0)


def _torch_grad_weight(torch: Any, call: Call) -> Callable[[], Any]:
    x, dy = (tensor(torch, array) for array in call.args[:2])
    w = torch.empty((dy.shape[1], x.shape[1] // call.kwargs["groups"], *call.args[2]), dtype=dy.dtype)
    return _torch_backward(torch, call, dy, x, w, 1)
