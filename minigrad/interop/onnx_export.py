"""Networks as ONNX files, which other programs run: written from what the network does, and held against it.

``tracing.py`` has the ops, ``onnx_table.py`` how each is written. ``export`` makes a model
of them, ``compare`` runs it in onnxruntime beside the network. Both libraries belong to the extra ``onnx``.
"""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from minigrad.core.modes import no_grad
from minigrad.core.tensor import Tensor
from minigrad.errors import ExportError
from minigrad.interop.onnx_graph import Input, library, model_of
from minigrad.interop.tracing import WHERE, trace
from minigrad.nn import Module

TOLERANCE = 1e-4  # a difference, over the largest number of a result
LEAST = 0.1  # of that number, as float32 is wrong by more than its share where large numbers cancel


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


def has_runtime() -> bool:
    """Whether onnxruntime is installed, so that a model can be held against its network."""
    return importlib.util.find_spec("onnxruntime") is not None


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
        return model_of(program, fixed, outputs, known, about or {}, title)

    with _eval(network):
        try:
            return Exported(attempt(names), tuple(inputs), tuple(outputs), tuple(names), {})
        except ExportError:
            if not names:
                raise
        attempt([])  # what hinders it whatever the sizes is told at once
        free: list[str] = []
        fixed: dict[str, tuple[int, str]] = {}
        for name in names:
            try:
                attempt([*free, name])
                free.append(name)
            except ExportError as error:
                fixed[name] = 1, str(error)
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
        tolerance: what two numbers may be apart, over the largest number of their result or ``LEAST``.

    Raises:
        ExportError: the model does not run, or gives other results.
        DataError: onnxruntime is not installed.

    Example:
        >>> from minigrad import nn
        >>> layer = nn.Linear(3, 2)
        >>> found = compare(layer, export(layer, [Input("x", ("N", 3))], ["y"]))
        >>> found.difference < 1e-5, found.sizes
        (True, ({'N': 1}, {'N': 4}, {'N': 6}))
    """

    def other(start: int) -> dict[str, int]:
        return {name: start + 2 * number for number, name in enumerate(exported.sizes)}

    session = _session(exported.model)
    runs = [{}] if not exported.sizes else [dict.fromkeys(exported.sizes, 1), *map(other, (4, 6))]
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
            if not apart <= tolerance * max(LEAST, scale):
                expected = f"{name} as the network gives it, within {tolerance:g} of its largest number or of {LEAST:g}"
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
