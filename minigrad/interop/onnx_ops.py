"""How each op is written in ONNX: a table of the engine's Functions, op by op.

An entry is given the graph and what the op was given, tensors as :class:`~minigrad.interop.tracing.Value`, and writes nodes. It
returns the name of what came of them, or of an op with several results a name for each, ``None`` where ONNX has no such result.
What is written keeps to the operators of :data:`OPSET` as https://onnx.ai/onnx/operators/ defines them. A fused op is written
as the ops that it is made of, but for recurrence, which ONNX has as a whole.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from minigrad.core.tape import Function
from minigrad.errors import ExportError
from minigrad.interop.tracing import WHERE, Changing, Part, Size, Value
from minigrad.kernels.pool2d import adaptive_ranges, output_size
from minigrad.ops import (
    activation,
    adaptive,
    arithmetic,
    attention,
    batchnorm,
    choice,
    comparison,
    contraction,
    conversion,
    convolution,
    dense,
    dimensions,
    elementwise,
    embedding,
    extrema,
    gathering,
    indexing,
    logic,
    matrix_product,
    normalization,
    norms,
    operands,
    padding,
    parts,
    pooling,
    power,
    rearranging,
    recurrent,
    reduction,
    resize,
    rounding,
    scan,
    shape,
    smooth,
    soft_window,
    softmax,
    special,
    statistics,
    taps,
    triangles,
    trigonometry,
)

OPSET = 18  # of 2022: axes of reductions are inputs, and so are the borders of a padding
END = 2**63 - 1  # of a slice without one
Names = str | Sequence[str | None]


class Graph(Protocol):
    """What an entry writes to; :mod:`minigrad.interop.onnx_export` has it."""

    def name(self, given: Any, dtype: Any = None) -> str:
        """The name under which a tensor, an array or a number stands in the graph."""

    def sizes(self, given: Sequence[Any]) -> str:
        """The name of a row of whole numbers, int64, of which some may be sizes."""

    def node(self, operator: str, *given: Any, **attributes: Any) -> str:
        """Write an operator with one result, whose name is returned."""

    def nodes(self, operator: str, count: int, *given: Any, **attributes: Any) -> list[str]:
        """Write an operator with so many results."""


Entry = Callable[..., Names]
OPS: dict[type[Function], Entry] = {}


def entry(*kinds: type[Function]) -> Callable[[Entry], Entry]:
    """Put a function into the table, for one Function or for several."""

    def put(function: Entry) -> Entry:
        for kind in kinds:
            OPS[kind] = function
        return function

    return put


def refused(kind: type[Function] | str, expected: str, got: str, remedy: str = "") -> ExportError:
    """The error of an op that cannot be written as it was called."""
    return ExportError(WHERE, kind if isinstance(kind, str) else kind.__name__, expected, got, remedy)


def whole(kind: str, sizes: Sequence[Any]) -> tuple[int, ...]:
    """Sizes that must be known, as they are part of what is computed."""
    if not all(type(size) is int for size in sizes):
        raise refused(kind, "an image whose size is fixed", f"one of {', '.join(map(str, sizes))} pixels")
    return tuple(sizes)


def _direct(operator: str) -> Entry:
    """An op that ONNX has as it is. A number among its arguments is of the dtype of the tensor beside it."""

    def write(graph: Graph, *given: Any) -> Names:
        dtype = next(each.dtype for each in reversed(given) if isinstance(each, Value))
        return graph.node(operator, *[graph.name(each, dtype) for each in given])

    return write


DIRECT: dict[type[Function], str] = {
    arithmetic.Add: "Add",
    arithmetic.Sub: "Sub",
    arithmetic.Mul: "Mul",
    arithmetic.Div: "Div",
    arithmetic.Neg: "Neg",
    elementwise.Exp: "Exp",
    elementwise.Log: "Log",
    elementwise.Sqrt: "Sqrt",
    elementwise.Reciprocal: "Reciprocal",
    elementwise.Sigmoid: "Sigmoid",
    statistics.Root: "Sqrt",
    trigonometry.Sin: "Sin",
    trigonometry.Cos: "Cos",
    trigonometry.Tan: "Tan",
    trigonometry.Asin: "Asin",
    trigonometry.Acos: "Acos",
    trigonometry.Atan: "Atan",
    trigonometry.Sinh: "Sinh",
    trigonometry.Cosh: "Cosh",
    trigonometry.Tanh: "Tanh",
    trigonometry.Asinh: "Asinh",
    trigonometry.Acosh: "Acosh",
    trigonometry.Atanh: "Atanh",
    rounding.Abs: "Abs",
    rounding.Sign: "Sign",
    rounding.Floor: "Floor",
    rounding.Ceil: "Ceil",
    activation.Relu: "Relu",
    special.Erf: "Erf",
    choice.Where: "Where",
    choice.Maximum: "Max",
    choice.Minimum: "Min",
    comparison.Eq: "Equal",
    comparison.Lt: "Less",
    comparison.Le: "LessOrEqual",
    comparison.Gt: "Greater",
    comparison.Ge: "GreaterOrEqual",
    comparison.IsNan: "IsNaN",
    comparison.IsInf: "IsInf",
    matrix_product.Dot: "MatMul",
}
OPS.update({kind: _direct(operator) for kind, operator in DIRECT.items()})


@entry(convolution.ChannelsLast, conversion.Clone, conversion.Contiguous)
def _same(graph: Graph, x: Value) -> Names:
    return graph.name(x)


@entry(matrix_product.MatMul)
def _matmul(graph: Graph, a: Value, b: Value, *_: Any, **__: Any) -> Names:
    return graph.node("MatMul", a, b)


# ---------------------------------------------------------------------- numbers one by one


@entry(comparison.Ne)
def _unequal(graph: Graph, a: Value, b: Value) -> Names:
    return graph.node("Not", OPS[comparison.Eq](graph, a, b))


@entry(comparison.IsFinite)
def _finite(graph: Graph, x: Value) -> Names:
    return graph.node("Not", graph.node("Or", graph.node("IsNaN", x), graph.node("IsInf", x)))


def _truth(graph: Graph, x: Value) -> str:
    return graph.name(x) if x.dtype == bool else graph.node("Cast", x, to=np.dtype(bool))


def _logic(operator: str) -> Entry:
    return lambda graph, *given: graph.node(operator, *[_truth(graph, each) for each in given])


OPS.update({
    logic.LogicalAnd: _logic("And"),
    logic.LogicalOr: _logic("Or"),
    logic.LogicalXor: _logic("Xor"),
    logic.LogicalNot: _logic("Not"),
})  # fmt: skip


def _bits(name: str) -> Entry:
    def write(graph: Graph, *given: Value) -> Names:
        truth = all(each.dtype == bool for each in given)
        return graph.node(name if truth else f"Bitwise{name}", *given)

    return write


OPS.update({
    logic.BitwiseAnd: _bits("And"),
    logic.BitwiseOr: _bits("Or"),
    logic.BitwiseXor: _bits("Xor"),
    logic.BitwiseNot: _bits("Not"),
})  # fmt: skip


@entry(arithmetic.DivRounded)
def _div_rounded(graph: Graph, a: Value, b: Value, mode: str) -> Names:
    if a.dtype.kind != "f":
        raise refused(arithmetic.DivRounded, "float tensors", str(a.dtype))
    quotient: Any = OPS[arithmetic.Div](graph, a, b)
    return graph.node("Floor", quotient) if mode == "floor" else _trunc_of(graph, quotient)


@entry(elementwise.Exp2)
def _exp2(graph: Graph, x: Value) -> Names:
    return graph.node("Exp", graph.node("Mul", x, graph.name(math.log(2), x.dtype)))


@entry(elementwise.Expm1)
def _expm1(graph: Graph, x: Value) -> Names:
    return graph.node("Sub", graph.node("Exp", x), graph.name(1, x.dtype))


@entry(elementwise.Log1p)
def _log1p(graph: Graph, x: Value) -> Names:
    return graph.node("Log", graph.node("Add", x, graph.name(1, x.dtype)))


@entry(elementwise.Log2)
def _log2(graph: Graph, x: Value) -> Names:
    return graph.node("Mul", graph.node("Log", x), graph.name(1 / math.log(2), x.dtype))


@entry(elementwise.Log10)
def _log10(graph: Graph, x: Value) -> Names:
    return graph.node("Mul", graph.node("Log", x), graph.name(1 / math.log(10), x.dtype))


@entry(elementwise.Rsqrt)
def _rsqrt(graph: Graph, x: Value) -> Names:
    return graph.node("Reciprocal", graph.node("Sqrt", x))


@entry(rounding.Trunc)
def _trunc(graph: Graph, x: Value) -> Names:
    return _trunc_of(graph, graph.name(x))


def _trunc_of(graph: Graph, x: str) -> str:
    return graph.node("Mul", graph.node("Sign", x), graph.node("Floor", graph.node("Abs", x)))


@entry(rounding.Frac)
def _frac(graph: Graph, x: Value) -> Names:
    return graph.node("Sub", x, _trunc_of(graph, graph.name(x)))


@entry(rounding.Round)
def _round(graph: Graph, x: Value, decimals: int) -> Names:
    if decimals:
        raise refused(rounding.Round, "decimals=0", f"decimals={decimals}", "Multiply, round and divide")
    return graph.node("Round", x)


@entry(power.PowNumber)
def _power_number(graph: Graph, x: Value, n: float) -> Names:
    return graph.node("Mul", x, x) if n == 2 else graph.node("Pow", x, graph.name(n, x.dtype))


@entry(power.Pow)
def _power(graph: Graph, a: Any, b: Any) -> Names:
    return _direct("Pow")(graph, a, b)


@entry(choice.Clamp, activation.HardTanh)
def _clamp(graph: Graph, x: Value, low: Any, high: Any) -> Names:
    return _clip(graph, x, low, high, x.dtype)


def _clip(graph: Graph, x: Any, low: Any, high: Any, dtype: np.dtype) -> str:
    bounds = ["" if bound is None else graph.name(bound, dtype) for bound in (low, high)]
    return graph.node("Clip", x, *bounds)


@entry(operands.To)
def _to(graph: Graph, x: Value, dtype: Any) -> Names:
    return graph.node("Cast", x, to=np.dtype(dtype))


# ---------------------------------------------------------------------- activations


@entry(activation.LeakyRelu)
def _leaky_relu(graph: Graph, x: Value, slope: float) -> Names:
    return graph.node("LeakyRelu", x, alpha=float(slope))


@entry(activation.PRelu)
def _prelu(graph: Graph, x: Value, w: Value) -> Names:
    below = graph.node("Min", x, graph.name(0, x.dtype))
    return graph.node("Add", graph.node("Relu", x), graph.node("Mul", below, w))


@entry(activation.Threshold)
def _threshold(graph: Graph, x: Value, threshold: float, value: float) -> Names:
    below = graph.node("LessOrEqual", x, graph.name(threshold, x.dtype))
    return graph.node("Where", below, graph.name(value, x.dtype), x)


def _sixth(graph: Graph, x: Value) -> str:
    return graph.node("Div", _clip(graph, graph.node("Add", x, graph.name(3, x.dtype)), 0, 6, x.dtype), graph.name(6, x.dtype))


@entry(activation.HardSigmoid)
def _hard_sigmoid(graph: Graph, x: Value) -> Names:
    return _sixth(graph, x)


@entry(activation.HardSwish)
def _hard_swish(graph: Graph, x: Value) -> Names:
    return graph.node("Mul", x, _sixth(graph, x))


@entry(activation.HardShrink)
def _hard_shrink(graph: Graph, x: Value, lambd: float) -> Names:
    inside = graph.node("LessOrEqual", graph.node("Abs", x), graph.name(lambd, x.dtype))
    return graph.node("Where", inside, graph.name(0, x.dtype), x)


@entry(activation.SoftShrink)
def _soft_shrink(graph: Graph, x: Value, lambd: float) -> Names:
    return graph.node("Sub", x, _clip(graph, x, -lambd, lambd, x.dtype))


@entry(smooth.Elu)
def _elu(graph: Graph, x: Value, alpha: float, scale: float, rate: float) -> Names:
    below = graph.node("Mul", graph.node("Min", x, graph.name(0, x.dtype)), graph.name(rate, x.dtype))
    low = graph.node(
        "Mul", graph.node("Sub", graph.node("Exp", below), graph.name(1, x.dtype)), graph.name(alpha * scale, x.dtype)
    )
    return graph.node("Add", graph.node("Mul", graph.node("Relu", x), graph.name(scale, x.dtype)), low)


@entry(smooth.Softplus)
def _softplus(graph: Graph, x: Value, beta: float, threshold: float) -> Names:
    by_beta = x if beta == 1 else graph.node("Mul", x, graph.name(beta, x.dtype))
    y = graph.node("Softplus", by_beta)
    y = y if beta == 1 else graph.node("Div", y, graph.name(beta, x.dtype))
    if threshold == math.inf:
        return y
    return graph.node("Where", graph.node("Greater", by_beta, graph.name(threshold, x.dtype)), x, y)


@entry(smooth.LogSigmoid)
def _log_sigmoid(graph: Graph, x: Value) -> Names:
    return graph.node("Neg", graph.node("Softplus", graph.node("Neg", x)))


@entry(smooth.Silu)
def _silu(graph: Graph, x: Value) -> Names:
    return graph.node("Mul", x, graph.node("Sigmoid", x))


@entry(smooth.Mish)
def _mish(graph: Graph, x: Value) -> Names:
    return graph.node("Mul", x, graph.node("Tanh", graph.node("Softplus", x)))


def _half_of_more(graph: Graph, x: Value, y: str) -> str:
    """x (1 + y) / 2."""
    half = graph.node("Mul", x, graph.name(0.5, x.dtype))
    return graph.node("Mul", half, graph.node("Add", y, graph.name(1, x.dtype)))


@entry(smooth.Gelu)
def _gelu(graph: Graph, x: Value) -> Names:
    return _half_of_more(graph, x, graph.node("Erf", graph.node("Mul", x, graph.name(math.sqrt(0.5), x.dtype))))


@entry(smooth.GeluTanh)
def _gelu_tanh(graph: Graph, x: Value) -> Names:
    cube = graph.node("Mul", graph.node("Mul", x, x), x)
    inner = graph.node("Add", x, graph.node("Mul", cube, graph.name(0.044715, x.dtype)))
    return _half_of_more(graph, x, graph.node("Tanh", graph.node("Mul", inner, graph.name(math.sqrt(2 / math.pi), x.dtype))))


def _softmax_with_zeros(graph: Graph, x: Any, dim: int, dtype: np.dtype) -> str:
    """Softmax, and zeros where a row is -inf alone."""
    top = graph.node("ReduceMax", x, graph.sizes([dim]), keepdims=1)
    nothing = graph.node("Equal", top, graph.name(-math.inf, dtype))
    return graph.node("Where", nothing, graph.name(0, dtype), graph.node("Softmax", x, axis=dim))


@entry(softmax.Softmax)
def _softmax(graph: Graph, x: Value, dim: int, zeros: bool = False) -> Names:
    return _softmax_with_zeros(graph, x, dim, x.dtype) if zeros else graph.node("Softmax", x, axis=dim)


@entry(softmax.LogSoftmax)
def _log_softmax(graph: Graph, x: Value, dim: int) -> Names:
    return graph.node("LogSoftmax", x, axis=dim)


@entry(attention.MaskedSoftmax)
def _masked_softmax(graph: Graph, x: Value, bias: Value | None, hidden: Value | None) -> Names:
    scores: Any = x if bias is None else graph.node("Add", x, bias)
    if hidden is not None:
        scores = graph.node("Where", hidden, graph.name(-math.inf, x.dtype), scores)
    return _softmax_with_zeros(graph, scores, -1, x.dtype)


# ---------------------------------------------------------------------- over dimensions


def _reduced(graph: Graph, operator: str, x: Any, axes: Sequence[int], keepdim: bool) -> str:
    if not axes:
        return graph.name(x)
    return graph.node(operator, x, graph.sizes(axes), keepdims=int(keepdim))


@entry(reduction.Sum)
def _sum(graph: Graph, x: Value, axes: tuple[int, ...], keepdim: bool) -> Names:
    return _reduced(graph, "ReduceSum", x, axes, keepdim)


@entry(reduction.Mean)
def _mean(graph: Graph, x: Value, axes: tuple[int, ...], keepdim: bool) -> Names:
    return _reduced(graph, "ReduceMean", x, axes, keepdim)


@entry(norms.Norm2)
def _norm2(graph: Graph, x: Value, axes: tuple[int, ...], keepdim: bool) -> Names:
    return _reduced(graph, "ReduceL2", x, axes, keepdim) if axes else graph.node("Abs", x)


@entry(extrema.Extreme)
def _extreme(graph: Graph, x: Value, axes: tuple[int, ...], keepdim: bool, largest: bool) -> Names:
    return _reduced(graph, "ReduceMax" if largest else "ReduceMin", x, axes, keepdim)


@entry(extrema.ExtremeAlong)
def _extreme_along(graph: Graph, x: Value, axis: int, keepdim: bool, largest: bool) -> Names:
    values = _reduced(graph, "ReduceMax" if largest else "ReduceMin", x, (axis,), keepdim)
    return values, graph.node("ArgMax" if largest else "ArgMin", x, axis=axis, keepdims=int(keepdim))


@entry(extrema.ArgExtreme)
def _arg_extreme(graph: Graph, x: Value, axis: int | None, keepdim: bool, largest: bool) -> Names:
    operator = "ArgMax" if largest else "ArgMin"
    if axis is not None:
        return graph.node(operator, x, axis=axis, keepdims=int(keepdim))
    found = graph.node(operator, graph.node("Reshape", x, graph.sizes([-1])), axis=0, keepdims=0)
    return graph.node("Reshape", found, graph.sizes([1] * len(x.shape))) if keepdim else found


@entry(reduction.AnyOf)
def _any(graph: Graph, x: Value, axes: tuple[int, ...], keepdim: bool) -> Names:
    return _of_truths(graph, "ReduceMax", x, axes, keepdim)


@entry(reduction.AllOf)
def _all(graph: Graph, x: Value, axes: tuple[int, ...], keepdim: bool) -> Names:
    return _of_truths(graph, "ReduceMin", x, axes, keepdim)


def _of_truths(graph: Graph, operator: str, x: Value, axes: tuple[int, ...], keepdim: bool) -> str:
    numbers = graph.node("Cast", _truth(graph, x), to=np.dtype(np.int32))
    return graph.node("Cast", _reduced(graph, operator, numbers, axes, keepdim), to=np.dtype(bool))


@entry(reduction.LogSumExp)
def _log_sum_exp(graph: Graph, x: Value, axes: tuple[int, ...], keepdim: bool) -> Names:
    if not axes:
        return graph.name(x)
    top = _reduced(graph, "ReduceMax", x, axes, True)
    total = _reduced(graph, "ReduceSum", graph.node("Exp", graph.node("Sub", x, top)), axes, True)
    y = graph.node("Add", graph.node("Log", total), top)
    return y if keepdim else graph.node("Squeeze", y, graph.sizes(axes))


@entry(statistics.Var)
def _var(graph: Graph, x: Value, axes: tuple[int, ...], divisor: Any, keepdim: bool) -> Names:
    away = graph.node("Sub", x, _reduced(graph, "ReduceMean", x, axes, True))
    total = _reduced(graph, "ReduceSum", graph.node("Mul", away, away), axes, keepdim)
    return graph.node("Div", total, graph.name(divisor, x.dtype))


@entry(scan.CumSum)
def _cumsum(graph: Graph, x: Value, axis: int, back: bool) -> Names:
    return graph.node("CumSum", x, graph.name(axis, np.dtype(np.int64)), reverse=int(back))


@entry(scan.Prod)
def _prod(graph: Graph, x: Value, axis: int, keepdim: bool) -> Names:
    return _reduced(graph, "ReduceProd", x, (axis,), keepdim)


# ---------------------------------------------------------------------- shapes and places


def reshaped(graph: Graph, x: Any, sizes: Sequence[Any]) -> str:
    """Another shape; where one size is not a number, ONNX finds it."""
    unknown = [size for size in sizes if not isinstance(size, int)]
    return graph.node(
        "Reshape", x, graph.sizes([-1 if size in unknown else size for size in sizes] if len(unknown) == 1 else sizes)
    )


@entry(shape.Reshape)
def _reshape(graph: Graph, x: Value, sizes: tuple[Any, ...]) -> Names:
    return reshaped(graph, x, sizes)


@entry(shape.Expand)
def _expand(graph: Graph, x: Value, sizes: tuple[Any, ...]) -> Names:
    return graph.node("Expand", x, graph.sizes(sizes))


@entry(dimensions.Permute)
def _permute(graph: Graph, x: Value, order: tuple[int, ...]) -> Names:
    return graph.node("Transpose", x, perm=list(order))


@entry(parts.Slice)
def _slice(graph: Graph, x: Value, index: tuple[Any, ...]) -> Names:
    used = sum(part is not None and part is not Ellipsis for part in index)
    spelled: list[Any] = []
    for part in index:
        spelled += [Part(None, None, None)] * (len(x.shape) - used) if part is Ellipsis else [part]
    starts, ends, axes, steps, gone, new = [], [], [], [], [], []
    axis = place = 0
    for part in spelled:
        if part is None:
            new.append(place)
            place += 1
            continue
        one = not isinstance(part, Part)
        start, stop, step = (part, part + 1 if part != -1 else END, 1) if one else part
        if not one and start in (None, 0) and stop is None and step in (None, 1):
            axis, place = axis + 1, place + 1
            continue
        starts.append(0 if start is None else start)
        ends.append(END if stop is None else stop)
        steps.append(1 if step is None else step)
        axes.append(axis)
        if one:
            gone.append(axis)
        axis, place = axis + 1, place + (not one)
    y = graph.node("Slice", x, *[graph.sizes(row) for row in (starts, ends, axes, steps)]) if axes else graph.name(x)
    y = graph.node("Squeeze", y, graph.sizes(gone)) if gone else y
    return graph.node("Unsqueeze", y, graph.sizes(new)) if new else y


@entry(parts.Split)
def _split(graph: Graph, x: Value, sizes: tuple[Any, ...], dim: int) -> Names:
    if len(sizes) == 1:
        return [graph.name(x)]
    return graph.nodes("Split", len(sizes), x, graph.sizes(sizes), axis=dim)


@entry(parts.Cat)
def _cat(graph: Graph, *given: Any) -> Names:
    *tensors, dim, _ = given
    return graph.node("Concat", *tensors, axis=dim)


@entry(parts.Stack)
def _stack(graph: Graph, *given: Any) -> Names:
    *tensors, dim = given
    return graph.node("Concat", *[graph.node("Unsqueeze", tensor, graph.sizes([dim])) for tensor in tensors], axis=dim)


@entry(parts.Unbind)
def _unbind(graph: Graph, x: Value, dim: int) -> Names:
    count = x.shape[dim]
    rows = [graph.name(x)] if count == 1 else graph.nodes("Split", count, x, axis=dim, num_outputs=count)
    return [graph.node("Squeeze", row, graph.sizes([dim])) for row in rows]


@entry(indexing.GetItem)
def _getitem(graph: Graph, x: Value, template: tuple[Any, ...], *indices: Any) -> Names:
    if len(indices) != 1 or indices[0].dtype.kind != "i" or any(part is None for part in template[:-1]):
        expected = "one tensor of numbers in the brackets"
        raise refused(indexing.GetItem, expected, "a mask, or several tensors", "Use where, gather or index_select")
    return graph.node("Gather", x, indices[0], axis=len(template) - 1)


@entry(gathering.Gather)
def _gather(graph: Graph, x: Value, dim: int, index: Value) -> Names:
    return graph.node("GatherElements", x, index, axis=dim)


@entry(embedding.Embedding)
def _embedding(graph: Graph, w: Value, index: Value, *_: Any) -> Names:
    return graph.node("Gather", w, index, axis=0)


@entry(embedding.OneHot)
def _one_hot(graph: Graph, x: Value, num_classes: int) -> Names:
    off_and_on = graph.name(np.array([0, 1], np.int64))
    return graph.node("OneHot", x, graph.name(num_classes, np.dtype(np.int64)), off_and_on, axis=-1)


@entry(padding.Pad)
def _pad(graph: Graph, x: Value, borders: tuple[tuple[int, int], ...], value: float) -> Names:
    around = [border[side] for side in (0, 1) for border in borders]
    return graph.node("Pad", x, graph.sizes(around), graph.name(value, x.dtype))


@entry(rearranging.Flip)
def _flip(graph: Graph, x: Value, dims: tuple[int, ...]) -> Names:
    rows = ([-1] * len(dims), [-END] * len(dims), list(dims), [-1] * len(dims))
    return graph.node("Slice", x, *map(graph.sizes, rows)) if dims else graph.name(x)


@entry(triangles.Triangle)
def _triangle(graph: Graph, x: Value, diagonal: int, lower: bool) -> Names:
    return graph.node("Trilu", x, graph.name(diagonal, np.dtype(np.int64)), upper=int(not lower))


@entry(taps.AlongAxis)
def _along_axis(graph: Graph, x: Value, axis: int, terms: dict[str, Any]) -> Names:
    sources, weights = (None if terms[part] is None else terms[part].data for part in ("sources", "weights"))
    y = ""
    for tap in range(sources.shape[1]):
        term = graph.node("Gather", x, graph.name(np.ascontiguousarray(sources[:, tap])), axis=axis)
        if weights is not None:
            column = weights[:, tap].reshape(-1, *[1] * (len(x.shape) - axis - 1)).astype(x.dtype)
            term = graph.node("Mul", term, graph.name(column))
        y = graph.node("Add", y, term) if y else term
    return y


@entry(resize.PixelShuffle)
def _pixel_shuffle(graph: Graph, x: Value, factor: int) -> Names:
    return graph.node("DepthToSpace", x, blocksize=factor, mode="CRD")


@entry(resize.PixelUnshuffle)
def _pixel_unshuffle(graph: Graph, x: Value, factor: int) -> Names:
    channels, height, width = whole("PixelUnshuffle", x.shape[1:])
    parted = graph.node("Reshape", x, graph.sizes([0, channels, height // factor, factor, width // factor, factor]))
    turned = graph.node("Transpose", parted, perm=[0, 1, 3, 5, 2, 4])
    return graph.node("Reshape", turned, graph.sizes([0, channels * factor**2, height // factor, width // factor]))


# ---------------------------------------------------------------------- linear maps


def _relu_if(graph: Graph, y: str, relu: bool) -> str:
    return graph.node("Relu", y) if relu else y


@entry(dense.Linear)
def _linear(graph: Graph, x: Value, w: Value, b: Value | None = None, *_: Any, relu: bool = False, **__: Any) -> Names:
    if len(x.shape) == 2:
        y = graph.node("Gemm", x, w, *([] if b is None else [b]), transB=1)
    else:
        y = graph.node("MatMul", x, graph.node("Transpose", w, perm=[1, 0]))
        y = y if b is None else graph.node("Add", y, b)
    return _relu_if(graph, y, relu)


@entry(contraction.Contract)
def _contract(graph: Graph, a: Value, b: Value, i: tuple[Any, ...], j: tuple[Any, ...], o: tuple[Any, ...]) -> Names:
    letters = {label: chr(ord("a") + number) for number, label in enumerate(dict.fromkeys((*i, *j, *o)))}
    first, second, result = ("".join(letters[label] for label in row) for row in (i, j, o))
    return graph.node("Einsum", a, b, equation=f"{first},{second}->{result}")


def _flat(pairs: Sequence[Sequence[int]]) -> list[int]:
    """((top, bottom), (left, right)) as ONNX has it: top, left, bottom, right."""
    return [pair[side] for side in (0, 1) for pair in pairs]


@entry(convolution.Conv2d)
def _conv(graph: Graph, x: Value, w: Value, b: Value | None, geometry: dict[str, Any], *, relu: bool = False) -> Names:
    y = graph.node(
        "Conv", x, w, *([] if b is None else [b]),
        kernel_shape=list(w.shape[2:]), strides=list(geometry["stride"]), pads=_flat(geometry["padding"]),
        dilations=list(geometry["dilation"]), group=geometry["groups"],
    )  # fmt: skip
    return _relu_if(graph, y, relu)


@entry(convolution.ConvInput)
def _conv_transposed(
    graph: Graph, x: Value, w: Value, b: Value | None, size: tuple[int, int], geometry: dict[str, Any], **_: Any
) -> Names:
    stride, borders, dilation = (geometry[key] for key in ("stride", "padding", "dilation"))
    beyond = []
    for side, have in enumerate(whole("ConvInput", x.shape[2:])):
        reach = (have - 1) * stride[side] + dilation[side] * (w.shape[2 + side] - 1) + 1 - sum(borders[side])
        beyond.append(whole("ConvInput", size)[side] - reach)
    return graph.node(
        "ConvTranspose", x, w, *([] if b is None else [b]),
        kernel_shape=list(w.shape[2:]), strides=list(stride), pads=_flat(borders), dilations=list(dilation),
        group=geometry["groups"], output_padding=beyond,
    )  # fmt: skip


# ---------------------------------------------------------------------- windows


def _borders(kind: str, x: Value, windows: dict[str, Any]) -> tuple[list[int], bool]:
    """Borders by which the windows fit without hanging over, top, left, bottom, right; and whether some would hang over."""
    around, over = [], False
    for side, have in enumerate(x.shape[2:]):
        kernel, stride, border, ceil = (windows[key] for key in ("kernel_size", "stride", "padding", "ceil_mode"))
        kernel, stride, border = kernel[side], stride[side], border[side]
        spread = windows.get("dilation", (1, 1))[side]
        lacking = 0
        if ceil:
            (known,) = whole(kind, [have])
            count = output_size(known, kernel, stride, border, spread, True)
            lacking = max(0, (count - 1) * stride + spread * (kernel - 1) + 1 - known - 2 * border)
        over = over or lacking > 0
        around.append((border, border + lacking))
    return _flat(around), over


@entry(pooling.MaxPool)
def _max_pool(graph: Graph, x: Value, windows: dict[str, Any]) -> Names:
    borders, _ = _borders("MaxPool", x, windows)
    y = graph.node(
        "MaxPool", x, kernel_shape=list(windows["kernel_size"]), strides=list(windows["stride"]), pads=borders,
        dilations=list(windows["dilation"]),
    )  # fmt: skip
    return y, None


@entry(pooling.AvgPool)
def _avg_pool(graph: Graph, x: Value, windows: dict[str, Any]) -> Names:
    borders, over = _borders("AvgPool", x, windows)
    counted, divisor = windows["count_include_pad"], windows.get("divisor_override")
    if divisor is not None or (over and counted and any(windows["padding"])):
        expected = "no divisor_override, and with ceil_mode no padding that counts"
        raise refused(pooling.AvgPool, expected, "one of them")
    return graph.node(
        "AveragePool", x, kernel_shape=list(windows["kernel_size"]), strides=list(windows["stride"]), pads=borders,
        count_include_pad=int(counted and not over),
    )  # fmt: skip


def _grid(kind: str, x: Value, size: tuple[int, int]) -> tuple[tuple[int, ...], list[int] | None]:
    """The image's size, and that of the windows where the grid divides it."""
    sides = whole(kind, x.shape[2:])
    even = all(have % count == 0 for have, count in zip(sides, size))
    return sides, [have // count for have, count in zip(sides, size)] if even else None


@entry(adaptive.AdaptiveAvgPool)
def _adaptive_avg(graph: Graph, x: Value, size: tuple[int, int]) -> Names:
    if size == (1, 1):
        return graph.node("GlobalAveragePool", x)
    sides, window = _grid("AdaptiveAvgPool", x, size)
    if window is not None:
        return graph.node("AveragePool", x, kernel_shape=window, strides=window)
    maps = []
    for have, count in zip(sides, size):
        shares = np.zeros((count, have), x.dtype)
        for row, (first, past) in zip(shares, adaptive_ranges(have, count)):
            row[first:past] = 1 / (past - first)
        maps.append(shares)
    return graph.node("MatMul", graph.name(maps[0]), graph.node("MatMul", x, graph.name(np.ascontiguousarray(maps[1].T))))


@entry(adaptive.AdaptiveMaxPool)
def _adaptive_max(graph: Graph, x: Value, size: tuple[int, int]) -> Names:
    if size == (1, 1):
        return graph.node("GlobalMaxPool", x), None
    sides, window = _grid("AdaptiveMaxPool", x, size)
    if window is None:
        expected = "a grid that divides the image"
        raise refused(adaptive.AdaptiveMaxPool, expected, f"{size[0]} x {size[1]} of {sides[0]} x {sides[1]} pixels")
    return graph.node("MaxPool", x, kernel_shape=window, strides=window), None


# ---------------------------------------------------------------------- norms


@entry(batchnorm.Affine)
def _affine(
    graph: Graph, x: Value, w: Value | None, b: Value | None, residual: Value | None, mean: Value, var: Value, eps: float,
    relu: bool,
) -> Names:  # fmt: skip
    (channels,) = mean.shape
    scale = np.ones(channels, x.dtype) if w is None else w
    shift = np.zeros(channels, x.dtype) if b is None else b
    y = graph.node("BatchNormalization", x, scale, shift, mean, var, epsilon=float(eps))
    y = y if residual is None else graph.node("Add", y, residual)
    return _relu_if(graph, y, relu)


@entry(batchnorm.ChannelNorm)
def _channel_norm(
    graph: Graph, x: Value, w: Value | None, b: Value | None, residual: Value | None, groups: int, own: bool, eps: float,
    relu: bool, statistics: Any,
) -> Names:  # fmt: skip
    if not own:
        expected, remedy = "batch norm by its running mean and variance", "Put the network into eval mode"
        raise refused(batchnorm.ChannelNorm, expected, "one by those of the batch", remedy)
    inner = whole("ChannelNorm", x.shape[1:])
    rows = graph.node("Reshape", x, graph.sizes([0, groups, -1]))
    ones, zeros = np.ones(groups, x.dtype), np.zeros(groups, x.dtype)
    y = graph.node("InstanceNormalization", rows, ones, zeros, epsilon=float(eps))
    y = graph.node("Reshape", y, graph.sizes([0, *inner]))
    column = graph.sizes([-1, *[1] * (len(inner) - 1)])
    y = y if w is None else graph.node("Mul", y, graph.node("Reshape", w, column))
    y = y if b is None else graph.node("Add", y, graph.node("Reshape", b, column))
    y = y if residual is None else graph.node("Add", y, residual)
    return _relu_if(graph, y, relu)


@entry(normalization.LayerNorm)
def _layer_norm(graph: Graph, x: Value, w: Value | None, b: Value | None, last: tuple[int, ...], eps: float) -> Names:
    scale = np.ones(last, x.dtype) if w is None else w
    return graph.node("LayerNormalization", x, scale, *([] if b is None else [b]), axis=-len(last), epsilon=float(eps))


# ---------------------------------------------------------------------- recurrence


def _gates(graph: Graph, w: Value, order: Sequence[int]) -> str:
    """A layer's weight, (1, gates, ...), its gates in the order of ONNX."""
    if len(order) > 1:
        blocks = graph.nodes("Split", len(order), w, axis=0, num_outputs=len(order))
        return graph.node("Unsqueeze", graph.node("Concat", *[blocks[at] for at in order], axis=0), graph.sizes([0]))
    return graph.node("Unsqueeze", w, graph.sizes([0]))


def _recurrent(
    graph: Graph, operator: str, x: Value, state: Sequence[Value], weights: Sequence[Any], plan: dict[str, Any],
    order: Sequence[int], **attributes: Any,
) -> list[str]:  # fmt: skip
    """The outputs of all steps as rows, and the last state; of a single step the state alone."""
    if not isinstance(plan["rows"], (int, Size)):
        expected, remedy = "sequences of one length in a batch", "Run it on a padded or a single sequence"
        raise refused(operator, expected, "a packed batch of several", remedy)
    w_ih, w_hh, b_ih, b_hh = weights
    hidden = w_hh.shape[1]
    rows = reshaped(graph, x, [plan["steps"], plan["rows"], w_ih.shape[1]])
    inner = [_gates(graph, w, order) for w in (w_ih, w_hh)]
    bias = "" if b_ih is None else graph.node("Concat", *[_gates(graph, b, order) for b in (b_ih, b_hh)], axis=1)
    first = [graph.node("Unsqueeze", part, graph.sizes([0])) for part in state]
    given = [rows, *inner, bias, "", *first]
    direction = "reverse" if plan["reverse"] else "forward"
    y, *last = graph.nodes(operator, 1 + len(state), *given, hidden_size=hidden, direction=direction, **attributes)
    ends = [graph.node("Squeeze", part, graph.sizes([0])) for part in last]
    return ends if plan["steps"] == 1 else [graph.node("Reshape", y, graph.sizes([-1, hidden])), *ends]


@entry(recurrent.LSTM)
def _lstm(graph: Graph, x: Value, table: Any, h: Value, c: Value, *given: Any) -> Names:
    *weights, _, plan = given
    return _recurrent(graph, "LSTM", x, (h, c), weights, plan, (0, 3, 1, 2))  # i f g o here, i o f g there


@entry(recurrent.GRU)
def _gru(graph: Graph, x: Value, table: Any, h: Value, *given: Any) -> Names:
    *weights, _, plan = given
    return _recurrent(graph, "GRU", x, (h,), weights, plan, (1, 0, 2), linear_before_reset=1)  # r z n here, z r n there


@entry(recurrent.RNN)
def _rnn(graph: Graph, x: Value, table: Any, h: Value, *given: Any) -> Names:
    *weights, _, plan = given
    return _recurrent(graph, "RNN", x, (h,), weights, plan, (0,), activations=[plan["form"].capitalize()])


@entry(soft_window.SoftWindow)
def _soft_window(graph: Graph, hats: Value, kappa: Value, text: Value) -> Names:
    axis = graph.sizes
    grown = graph.node("Exp", _clip(graph, hats, -soft_window.LARGEST, soft_window.LARGEST, hats.dtype))
    alpha, beta, pace = graph.nodes("Split", 3, grown, axis=1, num_outputs=3)
    moved = graph.node("Add", kappa, pace)
    one, letters = graph.name(1, hats.dtype), graph.name(text.shape[1], hats.dtype)
    places = graph.node("Range", one, graph.node("Add", letters, one), one)
    away = graph.node("Sub", graph.node("Unsqueeze", moved, axis([2])), places)
    fall = graph.node("Mul", graph.node("Mul", away, away), graph.node("Neg", graph.node("Unsqueeze", beta, axis([2]))))
    bells = graph.node("Mul", graph.node("Exp", fall), graph.node("Unsqueeze", alpha, axis([2])))
    phi = graph.node("ReduceSum", bells, axis([1]), keepdims=0)
    shown = graph.node("Squeeze", graph.node("MatMul", graph.node("Unsqueeze", phi, axis([1])), text), axis([1]))
    return shown, moved, phi


def known(kind: type[Function]) -> Entry:
    """The entry of a Function.

    Raises:
        ExportError: it has none.

    Example:
        >>> known(activation.Relu) is OPS[activation.Relu]
        True
    """
    if kind not in OPS:
        expected = "ops that have their like in ONNX, or are made of such"
        remedy = "Write that part of the network with others, or leave it out of what is exported"
        raise refused(kind, expected, "one that has no mapping", remedy)
    return OPS[kind]


def checked(where: str, given: Any) -> None:
    """See that all that an op was given is known.

    Raises:
        ExportError: it changes with the inputs, and no op made it.

    Example:
        >>> checked("Reshape", ((Size({("N",): 2}), 3), "any", None))
    """
    if isinstance(given, Value):
        if given.origin == "changing":
            expected = "inputs, weights, constants and what ops made of them"
            got = "a tensor that changes with the inputs, and that no op made"
            raise refused(where, expected, got, "Make it by ops on Tensors, not through NumPy or numbers of Python")
    elif isinstance(given, Changing):
        got = f"one that changes with the inputs: {', '.join(map(str, given.values[:3]))}, ..."
        expected = "an argument that stands fast, or is a sum of products of the named sizes"
        raise refused(where, expected, got, "Compute it by ops on Tensors, or fix that size")
    elif isinstance(given, dict):
        for each in given.values():
            checked(where, each)
    elif isinstance(given, tuple):
        for each in given:
            checked(where, each)
