"""An ONNX model while it is written: its nodes, and the names of all that they use."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from minigrad.core.tensor import Tensor
from minigrad.errors import DataError, ExportError
from minigrad.interop import onnx_layers, onnx_numbers, onnx_places  # noqa: F401 - they fill the table
from minigrad.interop.onnx_table import OPSET, UNREAD, checked, known
from minigrad.interop.tracing import WHERE, Program, Size, Step, Value

IR = 8  # version of the file's form: the one that came with operators of OPSET
INSTALL = "Run pip install 'minigrad-engine[onnx]'"


class Input(NamedTuple):
    """An input of a network.

    Attributes:
        name: in the file.
        shape: whole numbers, and names of sizes that may change.
        dtype: NumPy's.
        below: numbers drawn for it are whole and from 0 up to this; 0: they are normal.

    Example:
        >>> Input("tokens", ("N",), np.int64, 20).draw({"N": 3}, np.random.default_rng(0)).shape
        (3,)
    """

    name: str
    shape: tuple[int | str, ...]
    dtype: Any = np.float32
    below: int = 0

    @property
    def kind(self) -> np.dtype:
        """Its dtype, as NumPy's object."""
        return np.dtype(self.dtype)

    def draw(self, sizes: Mapping[str, int], random: np.random.Generator) -> np.ndarray:
        """Numbers drawn for it, where each named size is as told."""
        shape = [sizes[size] if isinstance(size, str) else size for size in self.shape]
        if self.below:
            return random.integers(0, self.below, shape).astype(self.dtype)
        return random.standard_normal(shape).astype(self.dtype)


def library(name: str, what: str) -> ModuleType:
    """A library of the extra, loaded when it is first needed.

    Raises:
        DataError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise DataError(WHERE, name, f"the library {name}, which {what}", "none", INSTALL) from error


class Writing:
    """A model while it is written: nodes, and the weights and constants that they use, each under a name of its own."""

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        self.onnx = library("onnx", "writes the file")
        self.weights = weights
        self.made: list[Any] = []
        self.initialisers: dict[str, Any] = {}
        self.results: dict[Value, str] = {}
        self.step = ""
        self._counts: dict[str, int] = {}
        self._constants: dict[tuple[Any, ...], str] = {}
        self._sizes: dict[Any, str] = {}
        self.places: dict[str, tuple[str, int]] = {}  # of a named size an input and its dimension

    def fresh(self, stem: str) -> str:
        """A name that nothing else has. (Those of weights have no blanks, and are taken as they are.)"""
        count = self._counts.get(stem, 0)
        self._counts[stem] = count + 1
        name = f"{stem}_{count}"
        return self.fresh(stem) if name in self.weights else name

    # ------------------------------------------------------------------ what an entry of the table writes

    def node(self, operator: str, *given: Any, **attributes: Any) -> str:
        return self.nodes(operator, 1, *given, **attributes)[0]

    def nodes(self, operator: str, count: int, *given: Any, **attributes: Any) -> list[str]:
        names = [each if isinstance(each, str) else self.name(each) for each in given]
        while names and not names[-1]:
            names.pop()
        made = [self.fresh(operator.lower()) for _ in range(count)]
        plain = {key: self._type(value) if isinstance(value, np.dtype) else value for key, value in attributes.items()}
        self.made.append(self.onnx.helper.make_node(operator, names, made, name=f"{self.step}/{made[0]}", **plain))
        return made

    def name(self, given: Any, dtype: Any = None) -> str:
        if isinstance(given, str):
            return given
        if isinstance(given, Value):
            return self._name_of(given)
        if isinstance(given, Size):
            one = self.node("Squeeze", self._size(given), self.sizes([0]))
            return one if dtype == np.int64 else self.node("Cast", one, to=np.dtype(dtype))
        return self._constant(np.asarray(given, dtype))

    def sizes(self, given: Sequence[Any]) -> str:
        if not any(isinstance(each, Size) for each in given):
            return self._constant(np.array(given, np.int64))
        pieces: list[str] = []
        row: list[int] = []
        for each in (*given, None):
            if isinstance(each, int):
                row.append(each)
                continue
            if row:
                pieces.append(self._constant(np.array(row, np.int64)))
                row = []
            if each is not None:
                pieces.append(self._size(each))
        return pieces[0] if len(pieces) == 1 else self.node("Concat", *pieces, axis=0)

    # ------------------------------------------------------------------ names

    def _name_of(self, value: Value) -> str:
        if value.origin == "weight":
            if value.name not in self.initialisers:
                self.initialisers[value.name] = self._tensor(self.weights[value.name].numpy(), value.name)
            return value.name
        if value.origin == "constant":
            return self._constant(value.data)
        if value not in self.results:  # filled, or a range
            if value.origin == "result":
                raise ExportError(
                    WHERE, self.step, "results that ONNX has too", "the places of the largest, which it counts otherwise"
                )
            if value.origin == "filled":
                self.results[value] = self.node("Expand", self._constant(value.data), self.sizes(value.shape))
            else:
                start, step = (self._constant(np.array(number, value.dtype)) for number in value.data)
                count = self.name(value.shape[0], value.dtype)
                end = self.node("Add", start, self.node("Mul", count, step))
                self.results[value] = self.node("Range", start, end, step)
        return self.results[value]

    def _constant(self, array: np.ndarray) -> str:
        array = np.ascontiguousarray(array).reshape(array.shape)
        key = array.dtype.str, array.shape, array.tobytes()
        if key not in self._constants:
            name = self._constants[key] = self.fresh("constant")
            self.initialisers[name] = self._tensor(array, name)
        return self._constants[key]

    def _size(self, size: Size) -> str:
        """A size as a row of one number."""
        if size not in self._sizes:
            terms = []
            for names, factor in size.terms.items():
                parts = [self._axis(name) for name in names]
                if factor != 1 or not parts:
                    parts.append(self._constant(np.array([factor], np.int64)))
                term = parts[0]
                for part in parts[1:]:
                    term = self.node("Mul", term, part)
                terms.append(term)
            total = terms[0]
            for term in terms[1:]:
                total = self.node("Add", total, term)
            self._sizes[size] = total
        return self._sizes[size]

    def _axis(self, name: str) -> str:
        if name not in self._sizes:
            place, axis = self.places[name]
            self._sizes[name] = self.node("Shape", place, start=axis, end=axis + 1)
        return self._sizes[name]

    # ------------------------------------------------------------------ ONNX's own things

    def _type(self, dtype: Any) -> int:
        found: int = self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return found

    def _tensor(self, array: np.ndarray, name: str) -> Any:
        return self.onnx.numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)

    def described(self, name: str, value: Value) -> Any:
        """An input or a result with its dtype and shape, as the file lists it."""
        shape = [size if isinstance(size, int) else str(size) if isinstance(size, Size) else None for size in value.shape]
        return self.onnx.helper.make_tensor_value_info(name, self._type(value.dtype), shape)


def _write(graph: Writing, step: Step) -> None:
    """Write one op."""
    graph.step = step.kind.__name__
    write, unread = known(step.kind), UNREAD.get(step.kind, ())
    args = [None if place in unread else arg for place, arg in enumerate(step.args)]
    checked(graph.step, (*args, step.options))
    made = write(graph, *args, **step.options)
    for output, name in zip(step.outputs, [made] if isinstance(made, str) else made, strict=True):
        if output is not None and name is not None:
            graph.results[output] = name


def model_of(
    program: Program, inputs: Sequence[Input], outputs: Sequence[str], weights: Mapping[str, Tensor], about: Mapping[str, str],
    title: str,
) -> bytes:  # fmt: skip
    """The bytes of a model that does what a program does.

    Raises:
        ExportError: an op has no mapping, or ONNX's own checker refuses what was written.
        DataError: onnx is not installed.
    """
    graph = Writing(weights)
    for value, given in zip(program.inputs, inputs, strict=True):
        graph.results[value] = given.name
        for axis, size in enumerate(given.shape):
            if isinstance(size, str):
                graph.places.setdefault(size, (given.name, axis))
    for step in program.steps:
        _write(graph, step)
    helper = graph.onnx.helper
    for name, value in zip(outputs, program.outputs, strict=True):
        checked(name, value)
        graph.made.append(helper.make_node("Identity", [graph.name(value)], [name], name=name))
    made = helper.make_graph(
        graph.made,
        title,
        [graph.described(given.name, value) for value, given in zip(program.inputs, inputs, strict=True)],
        [graph.described(name, value) for name, value in zip(outputs, program.outputs, strict=True)],
        list(graph.initialisers.values()),
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR, producer_name="minigrad")
    helper.set_model_props(model, dict(about))
    try:
        graph.onnx.checker.check_model(model, full_check=True)
    except Exception as error:
        raise ExportError(WHERE, title, "a model that ONNX's own checker takes", f"one that it does not ({error})") from error
    data: bytes = model.SerializeToString()
    return data
