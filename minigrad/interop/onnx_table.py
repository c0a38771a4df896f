"""How each op is written in ONNX: the table of the engine's Functions, and what its entries write to.

An entry is given the graph and what the op was given, tensors as :class:`~minigrad.interop.tracing.Value`, and writes nodes. It
returns the name of what came of them, or of an op with several results a name for each, ``None`` where ONNX has no such result.
What is written keeps to the operators of :data:`OPSET` as https://onnx.ai/onnx/operators/ defines them. A fused op is written
as the ops that it is made of, but for recurrence, which ONNX has as a whole.

The entries stand in ``onnx_numbers.py``, ``onnx_places.py`` and ``onnx_layers.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from minigrad.core.tape import Function
from minigrad.errors import ExportError
from minigrad.interop.tracing import WHERE, Changing, Value

OPSET = 18  # of 2022: axes of reductions are inputs, and so are the borders of a padding
Names = str | Sequence[str | None]


class Graph(Protocol):
    """What an entry writes to; ``onnx_graph.py`` has it."""

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
UNREAD: dict[type[Function], tuple[int, ...]] = {}  # which of a Function's arguments are for training, or written by it


def entry(*kinds: type[Function], unread: tuple[int, ...] = ()) -> Callable[[Entry], Entry]:
    """Put a function into the table, for one Function or for several."""

    def put(function: Entry) -> Entry:
        for kind in kinds:
            OPS[kind], UNREAD[kind] = function, unread
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


def direct(operator: str) -> Entry:
    """An op that ONNX has as it is. A number among its arguments is of the dtype of the tensor beside it."""

    def write(graph: Graph, *given: Any) -> Names:
        dtype = next(each.dtype for each in reversed(given) if isinstance(each, Value))
        return graph.node(operator, *[graph.name(each, dtype) for each in given])

    return write


def reshaped(graph: Graph, x: Any, sizes: Sequence[Any]) -> str:
    """Another shape; where one size is not a number, ONNX finds it."""
    unknown = [size for size in sizes if not isinstance(size, int)]
    return graph.node(
        "Reshape", x, graph.sizes([-1 if size in unknown else size for size in sizes] if len(unknown) == 1 else sizes)
    )


def clipped(graph: Graph, x: Any, low: Any, high: Any, dtype: np.dtype) -> str:
    """Numbers cut off at bounds, of which either may be ``None``."""
    bounds = ["" if bound is None else graph.name(bound, dtype) for bound in (low, high)]
    return graph.node("Clip", x, *bounds)


def known(kind: type[Function]) -> Entry:
    """The entry of a Function.

    Raises:
        ExportError: it has none.

    Example:
        >>> from minigrad.interop import onnx_numbers  # which has its entry
        >>> from minigrad.ops.activation import Relu
        >>> known(Relu) is OPS[Relu]
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
        >>> from minigrad.interop.tracing import Size
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
