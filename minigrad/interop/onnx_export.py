"""Networks as ONNX files, which other programs run: written from what the network does, and held against it.

``tracing.py`` has the ops, ``onnx_ops.py`` how each is written. ``export`` makes a model
of them, ``compare`` runs it in onnxruntime beside the network. Both libraries belong to the extra ``onnx``.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

import minigrad.interop.onnx_ops as onnx_ops
from minigrad.core.modes import no_grad
from minigrad.core.tensor import Tensor
from minigrad.errors import DataError, ExportError
from minigrad.interop.tracing import WHERE, Program, Size, Step, Value, trace
from minigrad.nn import Module

IR = 8  # version of the file's form: the one that came with operators of OPSET
TOLERANCE = 1e-4  # a difference, over the largest number of a result or 1
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


class Exported(NamedTuple):
    """A network as an ONNX model.

    Attributes:
        model: the bytes of the file.
        inputs: of the network.
        outputs: their names.
        sizes: the names of those that may change.
        fixed: of each other one its size, and why.
    """

    model: bytes
    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]
    sizes: tuple[str, ...]
    fixed: dict[str, tuple[int, str]]


class Comparison(NamedTuple):
    """A model beside the network that it was made of.

    Attributes:
        difference: the largest between two numbers.
        largest: the network's largest number.
        sizes: those that the inputs had, run by run.
    """

    difference: float
    largest: float
    sizes: tuple[dict[str, int], ...]


def library(name: str, what: str) -> ModuleType:
    """A library of the extra, loaded when it is first needed.

    Raises:
        DataError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise DataError(WHERE, name, f"the library {name}, which {what}", "none", INSTALL) from error


def has_runtime() -> bool:
    """Whether onnxruntime is installed, so that a model can be held against its network."""
    return importlib.util.find_spec("onnxruntime") is not None


# ---------------------------------------------------------------------- the graph


class _Graph:
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


def _write(graph: _Graph, step: Step) -> None:
    """Write one op."""
    onnx_ops.checked(step.kind.__name__, (step.args, step.options))
    graph.step = step.kind.__name__
    made = onnx_ops.known(step.kind)(graph, *step.args, **step.options)
    for output, name in zip(step.outputs, [made] if isinstance(made, str) else made, strict=True):
        if output is not None and name is not None:
            graph.results[output] = name


def _model(
    program: Program, inputs: Sequence[Input], outputs: Sequence[str], weights: Mapping[str, Tensor], about: Mapping[str, str],
    title: str,
) -> bytes:  # fmt: skip
    graph = _Graph(weights)
    for value, given in zip(program.inputs, inputs, strict=True):
        graph.results[value] = given.name
        for axis, size in enumerate(given.shape):
            if isinstance(size, str):
                graph.places.setdefault(size, (given.name, axis))
    for step in program.steps:
        _write(graph, step)
    helper = graph.onnx.helper
    for name, value in zip(outputs, program.outputs, strict=True):
        onnx_ops.checked(name, value)
        graph.made.append(helper.make_node("Identity", [graph.name(value)], [name], name=name))
    made = helper.make_graph(
        graph.made,
        title,
        [graph.described(given.name, value) for value, given in zip(program.inputs, inputs, strict=True)],
        [graph.described(name, value) for name, value in zip(outputs, program.outputs, strict=True)],
        list(graph.initialisers.values()),
    )
    model = helper.make_model(
        made, opset_imports=[helper.make_opsetid("", onnx_ops.OPSET)], ir_version=IR, producer_name="minigrad"
    )
    helper.set_model_props(model, dict(about))
    try:
        graph.onnx.checker.check_model(model, full_check=True)
    except Exception as error:
        raise ExportError(WHERE, title, "a model that ONNX's own checker takes", f"one that it does not ({error})") from error
    data: bytes = model.SerializeToString()
    return data


# ---------------------------------------------------------------------- what others call


def export(
    network: Module | Callable[..., Any],
    inputs: Sequence[Input],
    outputs: Sequence[str],
    *,
    weights: Mapping[str, Tensor] | None = None,
    about: Mapping[str, str] | None = None,
    title: str = "network",
    seed: int = 0,
) -> Exported:
    """A network as an ONNX model, written from what it does with inputs that are drawn.

    Args:
        network: Tensors in, a Tensor or a tuple of them out; on the CPU. A module runs in eval mode.
        inputs: what it takes, in order. A size that the network does not let change is fixed at 1: ``Exported.fixed``.
        outputs: names of its results.
        weights: its tensors, by the names that they get; by default a module's ``state_dict``.
        about: of the model, for who reads the file.
        title: of the graph.
        seed: of what is drawn.

    Raises:
        ExportError: an op has no mapping, or something that is computed follows from the inputs by other ways than ops.
        DataError: onnx is not installed.

    Example:
        >>> from minigrad import nn
        >>> made = export(nn.Linear(3, 2), [Input("x", ("N", 3))], ["y"])
        >>> made.sizes, made.fixed
        (('N',), {})
    """
    library("onnx", "writes the file")
    names = list(dict.fromkeys(size for given in inputs for size in given.shape if isinstance(size, str)))
    known = _state(network) if weights is None else weights
    if odd := next((name for name, tensor in known.items() if not isinstance(tensor.array, np.ndarray)), None):
        raise ExportError(WHERE, odd, "weights on the CPU", f"one on {known[odd].device}", "Move the network by .cpu()")

    def attempt(free: Sequence[str]) -> bytes:
        def draw(sizes: dict[str, int], run: int) -> list[np.ndarray]:
            random = np.random.default_rng((seed, run))
            return [given.draw({**dict.fromkeys(names, 1), **sizes}, random) for given in inputs]

        fixed = [_fixed(given, free) for given in inputs]
        program = trace(network, [given.name for given in inputs], draw, free, known)
        if len(program.outputs) != len(outputs):
            raise ExportError(WHERE, "outputs", f"{len(program.outputs)} names, one for each result", str(len(outputs)))
        return _model(program, fixed, outputs, known, about or {}, title)

    with _eval(network):
        try:
            return Exported(attempt(names), tuple(inputs), tuple(outputs), tuple(names), {})
        except ExportError as error:
            if not names:
                raise
            reason = error
        attempt([])  # what hinders it whatever the sizes is told at once
        free, fixed = [], {}
        for name in names:
            try:
                attempt([*free, name])
                free.append(name)
            except ExportError as error:
                reason = error
                fixed[name] = 1, str(reason)
        return Exported(attempt(free), tuple([_fixed(given, free) for given in inputs]), tuple(outputs), tuple(free), fixed)


def compare(
    network: Module | Callable[..., Any], exported: Exported, *, seed: int = 1, tolerance: float = TOLERANCE
) -> Comparison:
    """Run a model in onnxruntime beside the network that it was made of, on inputs that are drawn, of several sizes.

    Each size that may change is 1 in one run, and in others what it never was while the model was made.

    Args:
        network: as for ``export``.
        exported: what it gave.
        seed: of the inputs.
        tolerance: what two numbers may be apart, over the largest number of their result or 1.

    Raises:
        ExportError: the model does not run, or gives other results.
        DataError: onnxruntime is not installed.

    Example:
        >>> from minigrad import nn
        >>> layer = nn.Linear(3, 2)
        >>> found = compare(layer, export(layer, [Input("x", ("N", 3))], ["y"]))
        >>> found.difference < 1e-5, found.sizes
        (True, ({'N': 1}, {'N': 4}, {'N': 7}))
    """
    session = _session(exported.model)
    runs = [
        {name: size + number for number, name in enumerate(exported.sizes)} for size in ((1, 4, 7) if exported.sizes else (1,))
    ]
    runs[0] = dict.fromkeys(exported.sizes, 1)
    difference = largest = 0.0
    random = np.random.default_rng(seed)
    for sizes in runs:
        drawn = {given.name: given.draw(sizes, random) for given in exported.inputs}
        with _eval(network), no_grad():
            results = network(*[Tensor._wrap(array) for array in drawn.values()])
        ours = [result.numpy() for result in (results if isinstance(results, (tuple, list)) else (results,))]
        try:
            theirs = session.run(None, drawn)
        except Exception as error:
            raise _other("a model that runs in onnxruntime", f"one that does not ({error})", sizes) from error
        for name, our, their in zip(exported.outputs, ours, theirs, strict=True):
            if our.shape != their.shape or our.dtype != their.dtype:
                shapes = [f"{each.dtype} of shape {each.shape}" for each in (our, their)]
                raise _other(f"{name} as the network gives it, {shapes[0]}", shapes[1], sizes)
            scale, apart = _apart(our, their)
            difference, largest = max(difference, apart), max(largest, scale)
            if not apart <= tolerance * max(1.0, scale):
                expected = f"{name} as the network gives it, within {tolerance:g} of its largest number or of 1"
                raise _other(expected, f"a difference of {apart:.3g} between numbers up to {scale:.3g}", sizes)
    return Comparison(difference, largest, tuple(runs))


def _apart(our: np.ndarray, their: np.ndarray) -> tuple[float, float]:
    """The largest of our numbers, and the largest difference; inf where nan and infinities do not stand at the same places."""
    one, other = our.astype(np.float64), their.astype(np.float64)
    odd = ~np.isfinite(one)
    if not np.array_equal(one[odd], other[odd], equal_nan=True) or not np.isfinite(other[~odd]).all():
        return float(np.abs(one[~odd]).max(initial=0)), np.inf
    return float(np.abs(one[~odd]).max(initial=0)), float(np.abs(one[~odd] - other[~odd]).max(initial=0))


def _other(expected: str, got: str, sizes: Mapping[str, int]) -> ExportError:
    where = ", ".join(f"{name}={size}" for name, size in sizes.items())
    return ExportError(WHERE, where, expected, got, "The file would be of no use: nothing was written")


def _session(model: bytes) -> Any:
    runtime = library("onnxruntime", "runs the file beside the network")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise _other("a model that onnxruntime takes", f"one that it does not ({error})", {}) from error


def _fixed(given: Input, free: Sequence[str]) -> Input:
    return given._replace(shape=tuple([1 if isinstance(size, str) and size not in free else size for size in given.shape]))


def _state(network: Any) -> dict[str, Tensor]:
    return dict(network.state_dict()) if isinstance(network, Module) else {}


@contextlib.contextmanager
def _eval(network: Any) -> Iterator[None]:
    """A module in eval mode, and afterwards each part of it in the mode that it had."""
    before = [(part, part.training) for part in network.modules()] if isinstance(network, Module) else []
    try:
        for part, _ in before:
            part.training = False
        yield
    finally:
        for part, training in before:
            part.training = training
