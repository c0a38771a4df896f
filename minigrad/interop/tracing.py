"""What a network does, as a list of ops: watched while it runs, several times, so that what follows from its input is told
from what stands fast.

A run tells which op was given what, and all its sizes as plain numbers: in a reshape to (6, 8) nothing tells the batch.
So the network runs again with each size that may change made another, and each number of the list is held against the same
number there: one that stayed is fixed, one that moved along a sum of products of the sizes is that sum, and any other is
refused where an op needs it. The inputs' values are drawn anew for each run: a tensor that no op made is a constant only if it
stayed too.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from minigrad.core.device import Array
from minigrad.core.modes import no_grad
from minigrad.core.tape import Function, Observer, mode
from minigrad.core.tensor import Tensor
from minigrad.errors import ExportError
from minigrad.ops.recurrent import Plan
from minigrad.ops.taps import Taps

WHERE = "export"


class Size:
    """A whole number that follows from named sizes: a sum of products of them.

    Args:
        terms: the names in a product, in order, and its factor; () is what is added.

    Example:
        >>> print(Size({("N",): 2, (): 1}), Size({("N",): 1}), Size({("N", "S"): 3}))
        2*N + 1 N 3*N*S
    """

    def __init__(self, terms: Mapping[tuple[str, ...], int]) -> None:
        self.terms = dict(terms)

    def at(self, sizes: Mapping[str, int]) -> int:
        """The number, where the named sizes are as told.

        Example:
            >>> Size({("N",): 2, (): 1}).at({"N": 5})
            11
        """
        return sum(factor * math.prod(sizes[name] for name in names) for names, factor in self.terms.items())

    def __str__(self) -> str:
        shown = []
        for names, factor in sorted(self.terms.items(), reverse=True):
            factors = [] if factor == 1 and names else [str(factor)]
            shown.append("*".join([*factors, *names]))
        return " + ".join(shown)

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Size) and self.terms == other.terms

    def __hash__(self) -> int:
        return hash(frozenset(self.terms.items()))


class Changing(NamedTuple):
    """What stands in the place of a number or a thing that changes from run to run, and follows from no named size."""

    values: tuple[Any, ...]


class Value(NamedTuple):
    """A tensor of a program.

    Attributes:
        origin: ``"input"``, ``"weight"``, ``"constant"``, ``"filled"``, ``"range"`` or ``"result"``.
        number: of its kind, from 0.
        name: of an input or weight.
        shape: numbers, sizes, and ``Changing`` where neither is known.
        dtype: NumPy's.
        data: a constant's array; of one that is filled with one number that; of a range its start and its step.
    """

    origin: str
    number: int
    name: str
    shape: tuple[Any, ...]
    dtype: np.dtype
    data: Any = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Value) and (self.origin, self.number) == (other.origin, other.number)

    def __hash__(self) -> int:
        return hash((self.origin, self.number))


class Step(NamedTuple):
    """An op of a program: its class, what it was given in place and by name, and what came of it."""

    kind: type[Function]
    args: tuple[Any, ...]
    options: dict[str, Any]
    outputs: tuple[Value | None, ...]


class Program(NamedTuple):
    """The ops that lead from inputs to outputs, those that lead to none of them left out."""

    inputs: tuple[Value, ...]
    steps: tuple[Step, ...]
    outputs: tuple[Value, ...]


# ---------------------------------------------------------------------- one run


class _Handle(NamedTuple):
    """A tensor of a run: where it comes from, and what it is there; of a constant its numbers too."""

    origin: str
    number: int
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    data: np.ndarray | None


class _Call(NamedTuple):
    kind: type[Function]
    args: tuple[Any, ...]
    options: dict[str, Any]
    outputs: tuple[_Handle | None, ...]


class Part(NamedTuple):
    """A slice, whose bounds may be sizes."""

    start: Any
    stop: Any
    step: Any


class _Watch(Observer):
    """Writes down the ops of one run. Tensors are told apart by their arrays, which some ops are given without a Tensor."""

    def __init__(self) -> None:
        self.calls: list[_Call] = []
        self._handles: dict[int, _Handle] = {}
        self._counts: dict[str, int] = {}
        self._alive: list[Any] = []  # or another array could come to stand at the place of one that was seen
        self._versions: list[tuple[str, list[int], int]] = []

    def know(self, tensor: Tensor, origin: str, name: str) -> _Handle:
        """Take note of an input or a weight; of tied weights the first name stands."""
        self._note_version(f"the {origin} {name}", tensor)
        known = self._handles.get(id(tensor.array))
        return self._new(tensor.array, origin, name) if known is None else known

    def handle(self, array: Array) -> _Handle:
        """What is known of an array: of one that was never seen, that it is a constant."""
        known = self._handles.get(id(array))
        return self._new(array, "constant") if known is None else known

    def changed(self) -> str | None:
        """A tensor that was changed in place since it was seen, if there is one."""
        return next((what for what, counter, version in self._versions if counter[0] != version), None)

    def forward(self, node: Function, args: tuple, outputs: tuple) -> None:
        given = tuple([self._plain(arg) for arg in args])
        options = {name: self._plain(value) for name, value in node._options.items()}
        made = []
        for output in outputs:
            made.append(None if output is None else self._new(output.array, "result"))
            if output is not None:
                self._note_version(f"what {type(node).__name__} gave", output)
        self.calls.append(_Call(type(node), given, options, tuple(made)))

    def _new(self, array: Array, origin: str, name: str = "") -> _Handle:
        number = self._counts.get(origin, 0)
        self._counts[origin] = number + 1
        data = np.array(array) if origin == "constant" else None
        self._handles[id(array)] = handle = _Handle(origin, number, name, tuple(array.shape), array.dtype, data)
        self._alive.append(array)
        return handle

    def _note_version(self, what: str, tensor: Tensor) -> None:
        if tensor._counter is not None:
            self._versions.append((what, tensor._counter, tensor._counter[0]))

    def _plain(self, value: Any) -> Any:
        """What an op was given, with handles in place of tensors, and tuples and dicts of plain things in place of the rest."""
        if isinstance(value, Tensor):
            return self.handle(value.array)
        if isinstance(value, np.ndarray):
            return self.handle(value)
        if isinstance(value, np.generic):
            return value.item()
        if isinstance(value, (tuple, list)):
            return tuple([self._plain(each) for each in value])
        if isinstance(value, dict):
            return {key: self._plain(each) for key, each in value.items()}
        if isinstance(value, slice):
            return Part(*[self._plain(each) for each in (value.start, value.stop, value.step)])
        if isinstance(value, Plan):
            rows = set(value.batch_sizes)
            even = value.batch_sizes[0] if len(rows) == 1 else None
            return {"steps": len(value.batch_sizes), "rows": even, "reverse": value.reverse, "form": value.nonlinearity}
        if isinstance(value, Taps):
            return {"sources": self.handle(value.sources), "weights": self._plain(value.weights)}
        return value


class _Run(NamedTuple):
    calls: list[_Call]
    inputs: tuple[_Handle, ...]
    outputs: tuple[_Handle, ...]


def _watched(
    call: Callable[..., Any], names: Sequence[str], arrays: Sequence[np.ndarray], weights: Mapping[str, Tensor]
) -> _Run:
    """One run of a network on such inputs."""
    watch = _Watch()
    for name, tensor in weights.items():
        watch.know(tensor, "weight", name)
    tensors = [Tensor._wrap(array) for array in arrays]
    inputs = tuple([watch.know(tensor, "input", name) for name, tensor in zip(names, tensors, strict=True)])
    before, mode.observers = mode.observers, (*mode.observers, watch)
    try:
        with no_grad():
            results = call(*tensors)
    finally:
        mode.observers = before
    changed = watch.changed()
    if changed is not None:
        remedy = "Write it without ops that end in _, and put layers that learn as they run into eval mode"
        raise ExportError(WHERE, "network", "ops that give new tensors", f"one that changes {changed} in place", remedy)
    outputs = []
    for number, result in enumerate(results if isinstance(results, (tuple, list)) else (results,)):
        if not isinstance(result, Tensor):
            raise ExportError(WHERE, f"result {number}", "a Tensor", type(result).__name__)
        outputs.append(watch.handle(result.array))
    return _Run(watch.calls, inputs, tuple(outputs))


# ---------------------------------------------------------------------- several runs, held against each other


class _Sizes:
    """The named sizes of several runs: every choice among a first and a second size of each name, and of all a third one."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.first, self.second, self.third = (
            {name: start + step * number for number, name in enumerate(names)} for start, step in ((2, 1), (3, 2), (7, 3))
        )

    def runs(self) -> list[dict[str, int]]:
        """The sizes of each run, the first sizes first, the third last."""
        found = []
        for chosen in itertools.product((False, True), repeat=len(self.names)):
            found.append({name: (self.second if other else self.first)[name] for name, other in zip(self.names, chosen)})
        return [*found, self.third]

    def fit(self, values: Sequence[int]) -> Any:
        """One number that stood in all runs, or the size that it was in each, or ``Changing``."""
        if len(set(values)) == 1:
            return values[0]
        at = dict(zip(itertools.product((False, True), repeat=len(self.names)), values))
        terms: dict[tuple[str, ...], int] = {}
        for chosen in at:  # the part of the number that moves with these sizes together, and with no fewer
            part = sum((-1) ** (sum(chosen) - sum(less)) * at[less] for less in at if all(a <= b for a, b in zip(less, chosen)))
            names = [name for name, other in zip(self.names, chosen) if other]
            slope, rest = divmod(part, math.prod(self.second[name] - self.first[name] for name in names))
            if rest:
                return Changing(tuple(values))
            for kept in itertools.product((False, True), repeat=len(names)):  # the product of x - first, spelled out
                factor = math.prod(-self.first[name] for name, keep in zip(names, kept) if not keep)
                key = tuple([name for name, keep in zip(names, kept) if keep])
                terms[key] = terms.get(key, 0) + slope * factor
        found = Size({names: factor for names, factor in terms.items() if factor})
        return found if found.at(self.third) == values[-1] else Changing(tuple(values))


class _Merge:
    """Makes one program of several runs of the same ops."""

    def __init__(self, sizes: _Sizes) -> None:
        self.sizes = sizes
        self.values: dict[tuple[str, int], Value] = {}

    def value(self, handles: Sequence[_Handle]) -> Any:
        first = handles[0]
        key = first.origin, first.number
        if any((other.origin, other.number) != key for other in handles):
            return Changing(tuple(handles))
        if key not in self.values:
            shape: Any = tuple([self.sizes.fit(places) for places in zip(*[handle.shape for handle in handles])])
            if len({len(handle.shape) for handle in handles}) > 1:
                shape = (Changing(tuple([handle.shape for handle in handles])),)
            made = Value(first.origin, first.number, first.name, shape, first.dtype)
            self.values[key] = _constant(made, [handle.data for handle in handles]) if first.origin == "constant" else made
        return self.values[key]

    def plain(self, given: Sequence[Any]) -> Any:
        """One argument for those of all runs."""
        first = given[0]
        if any(type(each) is not type(first) for each in given):
            return Changing(tuple(given))
        if isinstance(first, _Handle):
            return self.value(given)
        if isinstance(first, tuple):
            if len({len(each) for each in given}) > 1:
                return Changing(tuple(given))
            items = [self.plain(each) for each in zip(*given)]
            return Part(*items) if isinstance(first, Part) else tuple(items)
        if isinstance(first, dict):
            if any(each.keys() != first.keys() for each in given):
                return Changing(tuple(given))
            return {key: self.plain([each[key] for each in given]) for key in first}
        if type(first) is int:
            return self.sizes.fit(given)
        return first if all(each is first or each == first for each in given) else Changing(tuple(given))


def _constant(value: Value, arrays: Sequence[Any]) -> Value:
    """A tensor that no op made: the same in all runs; or filled with one number, or counting up, to a size that is known."""
    first = arrays[0]
    if all(array.shape == first.shape and np.array_equal(array, first, equal_nan=first.dtype.kind == "f") for array in arrays):
        return value._replace(data=first)
    known = not any(isinstance(size, Changing) for size in value.shape)
    numbers = {array.flat[0].item() for array in arrays if array.size}
    if known and len(numbers) == 1 and all((array == array.flat[0]).all() for array in arrays if array.size):
        return value._replace(origin="filled", data=np.array(numbers.pop(), value.dtype))
    if known and first.ndim == 1 and first.size > 1:
        start, step = first[0], first[1] - first[0]
        if all(np.array_equal(array, start + step * np.arange(array.size, dtype=array.dtype)) for array in arrays):
            return value._replace(origin="range", data=(start.item(), step.item()))
    return value._replace(origin="changing", data=tuple(arrays))


def trace(
    call: Callable[..., Any],
    names: Sequence[str],
    draw: Callable[[dict[str, int], int], Sequence[np.ndarray]],
    sizes: Sequence[str] = (),
    weights: Mapping[str, Tensor] | None = None,
) -> Program:
    """The ops by which a network makes its results.

    Args:
        call: the network: Tensors in, a Tensor or a tuple of them out.
        names: of its inputs.
        draw: ``draw(sizes, run)`` makes inputs, each time of other values, where each named size is as told.
        sizes: names of those that may change.
        weights: its tensors by name.

    Raises:
        ExportError: it does not go the same way through its ops each time, or it changes a tensor in place.

    Example:
        >>> def twice(x):
        ...     return (x * 2).reshape(-1)
        >>> program = trace(twice, ["x"], lambda sizes, run: [np.full((sizes["N"], 5), 1.0 + run)], ["N"])
        >>> [(step.kind.__name__, *step.args[1:]) for step in program.steps][-1]
        ('Reshape', (5*N,))
    """
    plan = _Sizes(sizes)
    runs = [_watched(call, names, draw(chosen, number), weights or {}) for number, chosen in enumerate(plan.runs())]
    first = runs[0]
    for run in runs[1:]:
        ways = [[call.kind.__name__ for call in each.calls] for each in (first, run)]
        if ways[0] != ways[1] or len(run.outputs) != len(first.outputs):
            at = next((at for at, pair in enumerate(zip(*ways)) if pair[0] != pair[1]), min(map(len, ways)))
            there = [way[at] if at < len(way) else "the end" for way in ways]
            expected = "the same ops whatever the inputs and their sizes"
            raise ExportError(WHERE, "network", expected, f"{there[0]} as op {at} of one run, {there[1]} of another")
    merge = _Merge(plan)
    inputs = [merge.value(handles) for handles in zip(*[run.inputs for run in runs])]
    steps = []
    for calls in zip(*[run.calls for run in runs]):
        args, options = (merge.plain([getattr(call, part) for call in calls]) for part in ("args", "options"))
        made = merge.plain([call.outputs for call in calls])
        if isinstance(args, Changing) or isinstance(options, Changing) or isinstance(made, Changing):
            got = "another number of them in another run"
            raise ExportError(WHERE, calls[0].kind.__name__, "as many inputs and outputs each time", got)
        steps.append(Step(calls[0].kind, args, options, made))
    outputs = [merge.value(handles) for handles in zip(*[run.outputs for run in runs])]
    return Program(tuple(inputs), _needed(steps, outputs), tuple(outputs))


def _needed(steps: Sequence[Step], outputs: Sequence[Any]) -> tuple[Step, ...]:
    """The steps that lead to the outputs."""
    wanted = set(tensors_of(tuple(outputs)))
    kept = []
    for step in reversed(steps):
        if wanted.intersection(output for output in step.outputs if output is not None):
            kept.append(step)
            wanted.update(tensors_of((step.args, step.options)))
    return tuple(reversed(kept))


def tensors_of(given: Any) -> list[Value]:
    """The tensors among what an op was given."""
    if isinstance(given, Value):
        return [given]
    if isinstance(given, dict):
        return tensors_of(tuple(given.values()))
    if isinstance(given, tuple) and not isinstance(given, Changing):
        return [value for each in given for value in tensors_of(each)]
    return []
