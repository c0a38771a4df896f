"""Linear maps, windows, norms and recurrence in ONNX: see ``onnx_table.py``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.interop.onnx_table import Graph, Names, clipped, entry, refused, reshaped, whole
from minigrad.interop.tracing import Size, Value
from minigrad.kernels.pool2d import adaptive_ranges, output_size
from minigrad.ops import (
    adaptive,
    batchnorm,
    contraction,
    convolution,
    dense,
    matrix_product,
    normalization,
    pooling,
    recurrent,
    soft_window,
)

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


@entry(matrix_product.MatMul)
def _matmul(graph: Graph, a: Value, b: Value, *_: Any, **__: Any) -> Names:
    return graph.node("MatMul", a, b)


@entry(contraction.Contract)
def _contract(graph: Graph, a: Value, b: Value, i: tuple[Any, ...], j: tuple[Any, ...], o: tuple[Any, ...]) -> Names:
    letters = {label: chr(ord("a") + number) for number, label in enumerate(dict.fromkeys((*i, *j, *o)))}
    first, second, result = ("".join(letters[label] for label in row) for row in (i, j, o))
    return graph.node("Einsum", a, b, equation=f"{first},{second}->{result}")


def _flat(pairs: Sequence[Sequence[int]]) -> list[int]:
    """((top, bottom), (left, right)) as ONNX has it: top, left, bottom, right."""
    return [pair[side] for side in (0, 1) for pair in pairs]


@entry(convolution.Conv2d)
def _conv(
    graph: Graph, x: Value, w: Value, b: Value | None, geometry: dict[str, Any], *, activation: str = "", **_: Any
) -> Names:
    y = graph.node(
        "Conv", x, w, *([] if b is None else [b]),
        kernel_shape=list(w.shape[2:]), strides=list(geometry["stride"]), pads=_flat(geometry["padding"]),
        dilations=list(geometry["dilation"]), group=geometry["groups"],
    )  # fmt: skip
    return clipped(graph, y, 0, 6, x.dtype) if activation == "relu6" else _relu_if(graph, y, activation == "relu")


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


@entry(batchnorm.ChannelNorm, unread=(8,))
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


@entry(recurrent.LSTM, unread=(1,))
def _lstm(graph: Graph, x: Value, table: Any, h: Value, c: Value, *given: Any) -> Names:
    *weights, _, plan = given
    return _recurrent(graph, "LSTM", x, (h, c), weights, plan, (0, 3, 1, 2))  # i f g o here, i o f g there


@entry(recurrent.GRU, unread=(1,))
def _gru(graph: Graph, x: Value, table: Any, h: Value, *given: Any) -> Names:
    *weights, _, plan = given
    return _recurrent(graph, "GRU", x, (h,), weights, plan, (1, 0, 2), linear_before_reset=1)  # r z n here, z r n there


@entry(recurrent.RNN, unread=(1,))
def _rnn(graph: Graph, x: Value, table: Any, h: Value, *given: Any) -> Names:
    *weights, _, plan = given
    return _recurrent(graph, "RNN", x, (h,), weights, plan, (0,), activations=[plan["form"].capitalize()])


@entry(soft_window.SoftWindow)
def _soft_window(graph: Graph, hats: Value, kappa: Value, text: Value) -> Names:
    axis = graph.sizes
    grown = graph.node("Exp", clipped(graph, hats, -soft_window.LARGEST, soft_window.LARGEST, hats.dtype))
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
