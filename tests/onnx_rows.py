"""Uses of ops that are written in ONNX: a row for each way in which an op may be called, of sizes that are drawn."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import minigrad
import minigrad.nn.functional as F
from minigrad import Tensor, nn
from minigrad.interop.onnx_graph import Input
from minigrad.ops.attention import MaskedSoftmax
from minigrad.ops.batchnorm import batch_norm_with
from minigrad.ops.dense import linear_relu
from minigrad.ops.statistics import Root


class Drawn(NamedTuple):
    """Sizes of a case: each from 1 to 5, and a whole number from 0 to 3 by which a row chooses."""

    a: int
    b: int
    c: int
    choice: int


class Row(NamedTuple):
    """A use of ops.

    Attributes:
        name: what it shows.
        inputs: shapes, or whole inputs, for drawn sizes.
        call: Tensors in, one or more out; ``make`` builds it for drawn sizes where it has weights.
        make: see there.
    """

    name: str
    inputs: Callable[[Drawn], list[Any]]
    call: Callable[..., Any] | None = None
    make: Callable[[Drawn], Callable[..., Any]] | None = None

    def given(self, drawn: Drawn) -> list[Input]:
        made = []
        for number, each in enumerate(self.inputs(drawn)):
            made.append(each if isinstance(each, Input) else Input(f"x{number}", each))
        return made

    def called(self, drawn: Drawn) -> Callable[..., Any]:
        if self.make is not None:
            minigrad.manual_seed(drawn.choice)
            return self.make(drawn)
        assert self.call is not None
        return self.call


def one(d: Drawn) -> list[Any]:
    return [("N", d.a, d.b)]


def two(d: Drawn) -> list[Any]:
    """Of which the second is broadcast."""
    return [("N", d.a, d.b), [("N", d.a, d.b), (d.a, 1), (1, d.b), ("N", 1, 1)][d.choice]]


def image(d: Drawn) -> list[Any]:
    return [("N", 2 * d.a, d.b + 5, d.c + 5)]


def numbers(shape: tuple[Any, ...], below: int, name: str = "index") -> Input:
    return Input(name, shape, np.int64, below)


def over(d: Drawn) -> Any:
    """Some dimensions of three."""
    return [0, (1,), (0, 2), -1][d.choice]


def conv(d: Drawn, **options: Any) -> nn.Module:
    groups = 1 + d.choice % 2
    return nn.Conv2d(
        2 * d.a, 2 * d.b, (1 + d.choice, 3), stride=(1, 1 + d.choice % 2), padding=(d.choice % 2, 1), groups=groups,
        dilation=(1, 1 + d.choice // 2), bias=d.choice > 0, **options,
    )  # fmt: skip


def back(d: Drawn) -> nn.Module:
    return nn.ConvTranspose2d(
        2 * d.a, 2 * d.b, 3, stride=(2, 1 + d.choice % 2), padding=(1, d.choice % 2), groups=1 + d.choice % 2,
        output_padding=(d.choice % 2, 0), bias=d.choice > 0,
    )  # fmt: skip


def norm(layer: Any) -> Any:
    """A layer with statistics and weights that are not those of the beginning."""
    with minigrad.no_grad():
        for name, value in layer.state_dict().items():
            if name.endswith("running_var"):
                value.uniform_(0.5, 2)
            elif value.is_floating_point():
                value.normal_()
    return layer.eval()


def recurrent(kind: Any, **options: Any) -> Callable[[Drawn], Any]:
    def make(d: Drawn) -> Any:
        layer = kind(d.a, d.b, num_layers=1 + d.choice % 2, bidirectional=d.choice > 1, bias=d.choice != 1, **options)

        def call(rows: Tensor) -> Any:
            rows, state = layer(rows)
            return (rows, *state) if isinstance(state, tuple) else (rows, state)

        call.state_dict = layer.state_dict  # type: ignore[attr-defined]
        return call

    return make


SIMPLE: dict[str, Callable[..., Any]] = {
    "neg": lambda x: -x, "exp": lambda x: x.exp(), "exp2": lambda x: x.exp2(), "expm1": lambda x: x.expm1(),
    "log": lambda x: (x.abs() + 0.1).log(), "log1p": lambda x: x.abs().log1p(), "log2": lambda x: (x.abs() + 0.1).log2(),
    "log10": lambda x: (x.abs() + 0.1).log10(), "sqrt": lambda x: x.abs().sqrt(), "rsqrt": lambda x: (x.abs() + 0.1).rsqrt(),
    "reciprocal": lambda x: (x.abs() + 0.1).reciprocal(), "root": lambda x: Root.apply(x.abs()), "sigmoid": minigrad.sigmoid,
    "sin": minigrad.sin, "cos": minigrad.cos, "tan": lambda x: (x / 9).tan(), "asin": lambda x: x.tanh().asin(),
    "acos": lambda x: (x.tanh() / 2).acos(), "atan": minigrad.atan, "sinh": minigrad.sinh, "cosh": minigrad.cosh,
    "tanh": minigrad.tanh, "asinh": minigrad.asinh, "acosh": lambda x: (x.abs() + 1.1).acosh(),
    "atanh": lambda x: (x.tanh() / 2).atanh(), "sign": minigrad.sign, "floor": minigrad.floor, "ceil": minigrad.ceil,
    "trunc": minigrad.trunc, "frac": minigrad.frac,
    "round": lambda x: (x * 2).round(), "round to even": lambda x: x.floor() / 2,
    "erf": minigrad.erf, "square": lambda x: x**2, "cube": lambda x: x**3, "power": lambda x: (x.abs() + 0.1) ** -0.7,
    "clamp": lambda x: x.clamp(-0.5, 0.7), "clamp above": lambda x: x.clamp(max=0.1), "clamp below": lambda x: x.clamp(min=0.1),
    "relu": F.relu, "relu6": lambda x: F.relu6(x * 9), "leaky_relu": lambda x: F.leaky_relu(x, 0.2),
    "threshold": lambda x: F.threshold(x, 0.1, -7), "hardtanh": F.hardtanh, "hardsigmoid": lambda x: F.hardsigmoid(x * 3),
    "hardswish": lambda x: F.hardswish(x * 3), "hardshrink": F.hardshrink, "softshrink": F.softshrink, "elu": F.elu,
    "selu": F.selu, "celu": lambda x: F.celu(x, 0.7), "softplus": lambda x: F.softplus(x, 2.0, 1.5),
    "softplus plain": F.softplus,
    "logsigmoid": F.logsigmoid, "silu": F.silu, "mish": F.mish, "gelu": F.gelu,
    "gelu tanh": lambda x: F.gelu(x, approximate="tanh"),
    "numbers beside": lambda x: (2 * x + 1) / 3 - 0.5, "number first": lambda x: 1 - 2 / (x.abs() + 1),
    "isnan": lambda x: (x.abs() - 0.5).log().isnan(), "isinf": lambda x: (1 / (x * 0)).isinf(),
    "isposinf": lambda x: (x / F.relu(x)).isposinf(),
    "isfinite": lambda x: (x / F.relu(x)).isfinite(), "cast": lambda x: (x * 9).long(),
    "cast to bool": lambda x: x.floor().bool(),
    "clone": lambda x: x.clone() + 1, "contiguous": lambda x: x.transpose(1, 2).contiguous() + 1,
    "not": lambda x: ~(x > 0), "logical not": lambda x: minigrad.logical_not(x.floor()),
    "bits": lambda x: (x * 9).long() & 5 | 2 ^ (x * 5).long(), "bits not": lambda x: ~(x * 9).long(),
    "softmax": lambda x: x.softmax(1), "log_softmax": lambda x: x.log_softmax(-1),
    "flip": lambda x: x.flip(0, 2), "expand": lambda x: x.unsqueeze(1).expand(-1, 3, -1, -1) * 1.0,
    "unbind": lambda x: x.transpose(0, 1).unbind(0), "stack": lambda x: minigrad.stack([x, x + 1], 1),
    "cat": lambda x: minigrad.cat([x, x + 1, x], 2), "cat of the batch": lambda x: minigrad.cat([x, x]),
    "permute": lambda x: x.permute(2, 0, 1), "flatten": lambda x: x.flatten(), "flatten some": lambda x: x.flatten(0, 1),
    "chunk": lambda x: minigrad.cat([x, x], 1).chunk(2, 1), "split alone": lambda x: x.split(x.shape[1], 1),
    "slices": lambda x: F.pad(x, (1, 2, 2, 0))[:, 1:, ::2], "from the end": lambda x: x[..., -1],
    "new dimensions": lambda x: x[:, None, 0, :, None],
    "all but one of the batch": lambda x: minigrad.cat([x, x])[1:],
    "half of the batch": lambda x: minigrad.cat([x, x])[: len(x)],
    "pad": lambda x: F.pad(x, (1, 2, 0, 1), value=0.5), "cut": lambda x: F.pad(F.pad(x, (2, 2)), (-1, -2)),
    "tril": lambda x: x.tril(), "triu": lambda x: x.triu(1),
    "zeros of the batch": lambda x: minigrad.cat([x, x.new_zeros((len(x), x.shape[1], 2))], 2),
    "counting the batch": lambda x: x + minigrad.arange(len(x), dtype=minigrad.float32)[:, None, None],
    "the batch as a number": lambda x: x * x.shape[0] + x.shape[0] * x.shape[1],
    "a constant": lambda x: x + minigrad.tensor([1.5]), "an alias": lambda x: x.detach() + x.view_as(x),
    "any": lambda x: (x > 1).any(1), "all": lambda x: (x > -1).all(2, keepdim=True),
    "argmax of all": lambda x: x.argmax(), "an input": lambda x: (x, x + 1),
}  # fmt: skip
REDUCED: dict[str, Callable[..., Any]] = {
    "sum": lambda x, dim, keep: x.sum(dim, keepdim=keep), "mean": lambda x, dim, keep: x.mean(dim, keepdim=keep),
    "amax": lambda x, dim, keep: x.amax(dim, keepdim=keep), "amin": lambda x, dim, keep: x.amin(dim, keepdim=keep),
    "logsumexp": lambda x, dim, keep: x.logsumexp(dim, keepdim=keep),
    "norm": lambda x, dim, keep: x.norm(dim=dim, keepdim=keep),
    "var": lambda x, dim, keep: minigrad.cat([x, x, x], 1).var(dim, keepdim=keep, correction=0),
}  # fmt: skip
BINARY: dict[str, Callable[..., Any]] = {
    "add": lambda x, y: x + y, "sub": lambda x, y: x - y, "mul": lambda x, y: x * y, "div": lambda x, y: x / (y.abs() + 0.1),
    "floor_divide": lambda x, y: minigrad.div(x, y.abs() + 0.1, rounding_mode="floor"),
    "trunc_divide": lambda x, y: minigrad.div(x, y.abs() + 0.1, rounding_mode="trunc"),
    "pow": lambda x, y: (x.abs() + 0.1) ** y,
    "maximum": minigrad.maximum, "minimum": minigrad.minimum, "where": lambda x, y: minigrad.where(x > y, x, y),
    "where numbers": lambda x, y: minigrad.where(x > y, x, 0.5), "eq": lambda x, y: x.floor() == y.floor(),
    "ne": lambda x, y: x.floor() != y.floor(), "lt": lambda x, y: x < y, "le": lambda x, y: x.floor() <= y.floor(),
    "gt": lambda x, y: x > y, "ge": lambda x, y: x.floor() >= y.floor(),
    "and": lambda x, y: (x > 0) & (y > 0), "or": lambda x, y: (x > 0) | (y > 0), "xor": lambda x, y: (x > 0) ^ (y > 0),
    "logical and": lambda x, y: minigrad.logical_and(x.floor(), y.floor()),
    "logical or": lambda x, y: minigrad.logical_or(x.floor(), y.floor()),
    "logical xor": lambda x, y: minigrad.logical_xor(x.floor(), y.floor()),
    "masked_fill": lambda x, y: (x + y).masked_fill(y > 0, -math.inf),
}  # fmt: skip

TOGETHER = [
    Row("one by one", one, lambda x: {name: call(x) for name, call in SIMPLE.items()}),
    Row("two by two", two, lambda x, y: {name: call(x, y) for name, call in BINARY.items()}),
    Row("over dimensions", one, make=lambda d: lambda x: {n: call(x, over(d), d.b % 2 == 0) for n, call in REDUCED.items()}),
]  # in one network, as each takes no time

ROWS: list[Row] = [
    Row("max along", one, make=lambda d: lambda x: x.max(d.choice % 3, keepdim=d.b % 2 == 0)),
    Row("argmin", one, make=lambda d: lambda x: x.argmin(d.choice % 3, keepdim=d.b % 2 == 0)),
    Row("cumsum", one, make=lambda d: lambda x: x.cumsum(d.choice % 3)),
    Row("cumsum from the end", one, make=lambda d: lambda x: minigrad.ops.scan.CumSum.apply(x, 1, True)),
    Row("prod", one, make=lambda d: lambda x: x.prod(d.choice % 3)),
    Row("prelu", one, make=lambda d: nn.PReLU(d.a)),
    Row("masked softmax", two, lambda x, y: MaskedSoftmax.apply(x + y, None, (x + y) > 0.5)),
    Row("biased softmax", lambda d: [("N", d.a, d.b), (d.a, d.b)], lambda x, y: MaskedSoftmax.apply(x, y, None)),
    Row("matmul", lambda d: [("N", d.a, d.b), ("N", d.b, d.c)], lambda x, y: x @ y),
    Row("matmul by a matrix", lambda d: [("N", d.a, d.b), (d.b, d.c)], lambda x, y: x @ y),
    Row("matmul by a vector", lambda d: [("N", d.a, d.b), (d.b,)], lambda x, y: x @ y),
    Row("dot", lambda d: [(d.a,), (d.a,)], lambda x, y: x @ y),
    Row("einsum", lambda d: [("N", d.a, d.b), ("N", d.b, d.c)], lambda x, y: minigrad.einsum("nab,nbc->nca", x, y)),
    Row("einsum over the batch", lambda d: [("N", d.a), ("N", d.b)], lambda x, y: minigrad.einsum("na,nb->ab", x, y)),
    Row("linear", lambda d: [("N", d.a)], make=lambda d: nn.Linear(d.a, d.b, bias=d.choice > 0)),
    Row("linear on rows", one, make=lambda d: nn.Linear(d.b, d.c, bias=d.choice > 0)),
    Row("linear and relu", lambda d: [("N", d.a), (d.b, d.a), (d.b,)], linear_relu),
    Row("linear then relu", one, make=lambda d: nn.Sequential(nn.Linear(d.b, d.c), nn.ReLU())),
    Row("embedding", lambda d: [numbers(("N", d.a), 7)], make=lambda d: nn.Embedding(7, d.b)),
    Row("one_hot", lambda d: [numbers(("N", d.a), 7)], lambda x: F.one_hot(x, 7)),
    Row("index_select", lambda d: [("N", d.a, d.b), numbers((d.c,), d.a)], lambda x, i: x.index_select(1, i)),
    Row("numbers in brackets", lambda d: [("N", d.a), numbers((d.b, d.c), d.a)], lambda x, i: x[:, i]),
    Row("gather", lambda d: [("N", d.a), numbers(("N", d.b), d.a)], lambda x, i: x.gather(1, i)),
    Row("conv2d", image, make=conv),
    Row("conv2d same", image, make=lambda d: nn.Conv2d(2 * d.a, d.b, 2 + d.choice, padding="same")),
    Row("conv2d and relu", image, make=lambda d: nn.Sequential(conv(d), nn.ReLU())),
    Row("conv2d with relu in it", image, make=lambda d: _fused(conv(d), "relu")),
    Row("conv2d with relu6 in it", image, make=lambda d: _fused(conv(d), "relu6")),
    Row("conv1d", lambda d: [("N", d.a, d.b + 4)], make=lambda d: nn.Conv1d(d.a, d.c, 3, stride=1 + d.choice % 2)),
    Row("conv_transpose2d", image, make=back),
    Row("max_pool2d", image, lambda x: F.max_pool2d(x, (2, 3), (2, 1), (1, 1))),
    Row("max_pool2d that hangs over", image, make=lambda d: nn.MaxPool2d(3, 2, padding=d.choice % 2, ceil_mode=True)),
    Row("max_pool2d spread", image, lambda x: F.max_pool2d(x, 2, 1, 0, 2)),
    Row("avg_pool2d", image, make=lambda d: nn.AvgPool2d(3, 2, padding=d.choice % 2, count_include_pad=d.choice > 1)),
    Row("avg_pool2d that hangs over", image, lambda x: F.avg_pool2d(x, 2, 2, ceil_mode=True)),
    Row("avg_pool2d uncounted", image, lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False)),
    Row("adaptive_avg_pool2d", image, make=lambda d: lambda x: F.adaptive_avg_pool2d(x, (d.b, 1 + d.choice))),
    Row("global average", image, lambda x: F.adaptive_avg_pool2d(x, 1)),
    Row("adaptive_max_pool2d", lambda d: [("N", 2, 2 * d.a, 3 * d.b)], lambda x: F.adaptive_max_pool2d(x, (2, 3))),
    Row("global maximum", image, lambda x: F.adaptive_max_pool2d(x, 1)),
    Row("grid that divides", lambda d: [("N", 2, 2 * d.a, 3 * d.b)], lambda x: F.adaptive_avg_pool2d(x, (2, 3))),
    Row("batch_norm", image, make=lambda d: norm(nn.BatchNorm2d(2 * d.a, eps=10.0**-d.choice, affine=d.b > 2))),
    Row("batch_norm of rows", lambda d: [("N", d.a)], make=lambda d: norm(nn.BatchNorm1d(d.a))),
    Row("batch_norm, sum and relu", image, make=lambda d: _joined(norm(nn.BatchNorm2d(2 * d.a)))),
    Row("group_norm", image, make=lambda d: norm(nn.GroupNorm(2, 2 * d.a, affine=d.choice > 0))),
    Row("instance_norm", image, make=lambda d: norm(nn.InstanceNorm2d(2 * d.a, affine=d.choice > 0))),
    Row("layer_norm", one, make=lambda d: norm(nn.LayerNorm((d.a, d.b)[d.choice % 2 :], elementwise_affine=d.c > 1))),
    Row("nearest", image, make=lambda d: nn.Upsample(size=(d.b + 5 + d.choice, 7 * d.c), mode="nearest")),
    Row("bilinear", image, make=lambda d: nn.Upsample(size=(d.b + 2, 2 * d.c + 9), mode="bilinear")),
    Row("bicubic", image, lambda x: F.interpolate(x, scale_factor=1.5, mode="bicubic")),
    Row("pixel_shuffle", lambda d: [("N", 4 * d.a, d.b, d.c)], lambda x: minigrad.pixel_shuffle(x, 2)),
    Row("pixel_unshuffle", lambda d: [("N", d.a, 2 * d.b, 2 * d.c)], lambda x: minigrad.pixel_unshuffle(x, 2)),
    Row("lstm", lambda d: [("T", "N", d.a)], make=recurrent(nn.LSTM)),
    Row("gru", lambda d: [("T", "N", d.a)], make=recurrent(nn.GRU)),
    Row("rnn", lambda d: [("T", "N", d.a)], make=recurrent(nn.RNN)),
    Row("rnn of relu", lambda d: [("T", "N", d.a)], make=recurrent(nn.RNN, nonlinearity="relu")),
    Row("lstm of so many steps", lambda d: [(d.c, "N", d.a)], make=recurrent(nn.LSTM)),
    Row("gru cell", lambda d: [("N", d.a), ("N", d.b)], make=lambda d: nn.GRUCell(d.a, d.b, bias=d.choice > 0)),
    Row("lstm cell", lambda d: [("N", d.a), ("N", d.b), ("N", d.b)], make=lambda d: _cell(nn.LSTMCell(d.a, d.b))),
    Row("soft_window", lambda d: [("N", 3 * d.a), ("N", d.a), ("N", "U", d.b)], F.soft_window),
]  # fmt: skip


def _with_state(call: Callable[..., Any], layer: nn.Module) -> Callable[..., Any]:
    call.state_dict = layer.state_dict  # type: ignore[attr-defined]
    return call


def _fused(layer: Any, activation: str) -> Callable[..., Any]:
    from minigrad.ops.convolution import conv2d_activated

    rest = layer.weight, layer.bias, layer.stride, layer.padding, layer.dilation, layer.groups
    return _with_state(lambda x: conv2d_activated(activation, x, *rest), layer)


def _joined(layer: Any) -> Callable[..., Any]:
    def call(x: Tensor) -> Any:
        known = layer.running_mean, layer.running_var, layer.weight, layer.bias
        return batch_norm_with(x, *known, False, 0.1, layer.eps, x * 2, True)

    return _with_state(call, layer)


def _cell(layer: nn.LSTMCell) -> Callable[..., Any]:
    return _with_state(lambda x, h, c: layer(x, (h, c)), layer)
