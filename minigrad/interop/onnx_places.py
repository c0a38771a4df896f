"""Ops that move numbers, and change none, in ONNX: see ``onnx_table.py``."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.interop.onnx_table import Graph, Names, entry, refused, reshaped, whole
from minigrad.interop.tracing import Part, Value
from minigrad.ops import (
    conversion,
    convolution,
    dimensions,
    embedding,
    gathering,
    indexing,
    padding,
    parts,
    rearranging,
    resize,
    shape,
    taps,
    triangles,
)

END = 2**63 - 1  # of a slice without one


@entry(convolution.ChannelsLast, conversion.Clone, conversion.Contiguous)
def _same(graph: Graph, x: Value) -> Names:
    return graph.name(x)


# ---------------------------------------------------------------------- shapes and places


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


@entry(embedding.Embedding, unread=(2,))
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
    sources: np.ndarray = terms["sources"].data
    weights: np.ndarray | None = None if terms["weights"] is None else terms["weights"].data
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
