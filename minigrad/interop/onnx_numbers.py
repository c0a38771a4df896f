"""Ops on numbers one by one, and over dimensions, in ONNX: see ``onnx_table.py``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.core.tape import Function
from minigrad.interop.onnx_table import OPS, Entry, Graph, Names, clipped, direct, entry, refused
from minigrad.interop.tracing import Value
from minigrad.ops import (
    activation,
    arithmetic,
    attention,
    choice,
    comparison,
    elementwise,
    extrema,
    logic,
    matrix_product,
    norms,
    operands,
    power,
    reduction,
    rounding,
    scan,
    smooth,
    softmax,
    special,
    statistics,
    trigonometry,
)

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
    matrix_product.Dot: "MatMul",
}
OPS.update({kind: direct(operator) for kind, operator in DIRECT.items()})


# ---------------------------------------------------------------------- numbers one by one


@entry(comparison.Ne)
def _unequal(graph: Graph, a: Value, b: Value) -> Names:
    return graph.node("Not", OPS[comparison.Eq](graph, a, b))


@entry(comparison.IsInf)
def _infinite(graph: Graph, x: Value, sign: int) -> Names:
    return graph.node("IsInf", x, detect_positive=int(sign >= 0), detect_negative=int(sign <= 0))


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
    return direct("Pow")(graph, a, b)


@entry(choice.Clamp, activation.HardTanh)
def _clamp(graph: Graph, x: Value, low: Any, high: Any) -> Names:
    return clipped(graph, x, low, high, x.dtype)


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
    return graph.node(
        "Div", clipped(graph, graph.node("Add", x, graph.name(3, x.dtype)), 0, 6, x.dtype), graph.name(6, x.dtype)
    )


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
    return graph.node("Sub", x, clipped(graph, x, -lambd, lambd, x.dtype))


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
