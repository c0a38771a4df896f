"""What a row of the tables is, and how it is run here and in PyTorch.

A row's call takes the module first, ``minigrad`` or ``torch``, so that the same line runs in both::

    Case("mul/broadcast", lambda m, x, y: m.mul(x, y), normal(2, 3), normal(3))
"""

from __future__ import annotations

import importlib
import pkgutil
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import minigrad
import tests.tables

RECORDED = Path(__file__).parent / "recorded"


@dataclass(frozen=True)
class Input:
    """One input: ``draw(rng)`` gives the array. Float inputs are float64 and require grad."""

    draw: Callable[[np.random.Generator], np.ndarray]


def normal(*shape: int) -> Input:
    return Input(lambda rng: rng.standard_normal(shape))


def positive(*shape: int) -> Input:
    return Input(lambda rng: rng.uniform(0.5, 2.0, shape))


def unit(*shape: int) -> Input:
    """Between -0.9 and 0.9."""
    return Input(lambda rng: rng.uniform(-0.9, 0.9, shape))


def distinct(*shape: int) -> Input:
    """Numbers at least 0.1 from each other and from 0: no ties and no kinks within reach of a numeric derivative."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        count = int(np.prod(shape))
        return (rng.permutation(count) - count // 2 + 0.5).reshape(shape) * 0.2

    return Input(draw)


def integers(*shape: int, low: int = 0, high: int = 10) -> Input:
    return Input(lambda rng: rng.integers(low, high, shape))


def booleans(*shape: int) -> Input:
    return Input(lambda rng: rng.integers(0, 2, shape).astype(bool))


def constant(value: Any, dtype: Any = None) -> Input:
    return Input(lambda rng: np.array(value, dtype=dtype))


class Case:
    """A row: name ("op/what is special"), call, inputs.

    Args:
        order: how often it is differentiated numerically: 2, or 1 where the second derivative does not exist, or 0.
        peer: compare with PyTorch (False where it has no such thing).
        dtype_peer: also compare the dtype of the float32 result with PyTorch's.
        tolerance: of value and derivative beside PyTorch, relative to the largest element.
    """

    def __init__(
        self,
        name: str,
        call: Callable[..., Any],
        *inputs: Input,
        order: int = 2,
        peer: bool = True,
        dtype_peer: bool = True,
        tolerance: float = 1e-10,
    ) -> None:
        self.name, self.call, self.inputs = name, call, inputs
        self.order, self.peer, self.dtype_peer, self.tolerance = order, peer, dtype_peer, tolerance

    def arrays(self) -> list[np.ndarray]:
        """The inputs' arrays, the same at each call and in each program."""
        rng = np.random.default_rng(zlib.crc32(self.name.encode()))
        return [item.draw(rng) for item in self.inputs]

    def __repr__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Refusal:
    """A row of the errors: the call must raise ``error`` with each of ``words`` in its message."""

    name: str
    call: Callable[[Any], Any]
    error: type[Exception]
    words: tuple[str, ...]

    def __repr__(self) -> str:
        return self.name


def families() -> list[Any]:
    return [importlib.import_module(f"tests.tables.{item.name}") for item in pkgutil.iter_modules(tests.tables.__path__)]


def cases(**wanted: Any) -> list[Case]:
    """All rows whose attributes have the wanted values."""
    return [case for family in families() for case in family.CASES if all(getattr(case, k) == v for k, v in wanted.items())]


def outputs_of(result: Any) -> list[Any]:
    """The tensors of a result, flat."""
    if isinstance(result, (tuple, list)):
        return [tensor for item in result for tensor in outputs_of(item)]
    return [result]


def is_float(array: np.ndarray) -> bool:
    return array.dtype.kind == "f"


def tensors(arrays: list[np.ndarray], requires_grad: bool = True) -> list[minigrad.Tensor]:
    return [minigrad.tensor(a, requires_grad=requires_grad and is_float(a)) for a in arrays]


def cotangents(name: str, outputs: list[Any]) -> list[np.ndarray | None]:
    """A random gradient for each float output, the same in each program."""
    rng = np.random.default_rng(zlib.crc32(name.encode()) + 1)
    return [rng.standard_normal(tuple(o.shape)) if o.is_floating_point() else None for o in outputs]


def run(case: Case, arrays: list[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray | None]]:
    """Values and gradients of a case, in minigrad."""
    inputs = tensors(arrays)
    outputs = outputs_of(case.call(minigrad, *inputs))
    starts = cotangents(case.name, outputs)
    pairs = [
        (o, minigrad.tensor(g, device=o.device).to(o.dtype))
        for o, g in zip(outputs, starts, strict=True)
        if g is not None and o.requires_grad
    ]
    if pairs:
        minigrad.autograd.backward([o for o, _ in pairs], [g for _, g in pairs])
    return [o.detach().numpy() for o in outputs], [t.grad.numpy() if t.grad is not None else None for t in inputs]


def difference(ours: Any, theirs: Any) -> float:
    """The largest difference over the largest value (per tensor). Infinities and NaNs must stand at the same places."""
    ours, theirs = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    if ours.shape != theirs.shape:
        raise AssertionError(f"shape {ours.shape} beside {theirs.shape}")
    odd = ~np.isfinite(theirs)
    if not np.array_equal(ours[odd], theirs[odd], equal_nan=True) or not np.isfinite(ours[~odd]).all():
        return np.inf
    if odd.all():
        return 0.0
    scale = max(np.abs(theirs[~odd]).max(initial=0.0), 1e-30)
    return float(np.abs(ours[~odd] - theirs[~odd]).max(initial=0.0) / scale)


def check_gradients(ours: Any, theirs: Any, where: Any = "", within: float = 1e-9, nothing: float = 0.0) -> None:
    """See that the parameters of two modules have the same names and gradients: of each max|g - g'| <= within max|g'|.

    Those that are at most ``nothing`` of the largest gradient of all, in both, are not compared any further.
    """
    largest = max(float(np.abs(parameter.grad.numpy()).max()) for parameter in theirs.parameters())
    for (name, our), (other, their) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert name == other, where
        pair = our.grad.numpy(), their.grad.numpy()
        if max(float(np.abs(each).max()) for each in pair) > nothing * largest:
            assert difference(*pair) <= within, (where, name)


def numeric_gradients(
    function: Callable[[list[np.ndarray]], float], arrays: list[np.ndarray], step: float = 1e-5
) -> list[np.ndarray | None]:
    """Central differences, element by element, in float64: the slow and independent oracle of every derivative."""
    gradients: list[np.ndarray | None] = []
    for position, array in enumerate(arrays):
        if not is_float(array):
            gradients.append(None)
            continue
        gradient = np.zeros_like(array)
        for index in np.ndindex(array.shape):
            values = []
            for sign in (1, -1):
                moved = [a.copy() for a in arrays]
                moved[position][index] += sign * step
                values.append(function(moved))
            gradient[index] = (values[0] - values[1]) / (2 * step)
        gradients.append(gradient)
    return gradients


def weighted_sum(case: Case) -> Callable[[list[np.ndarray]], float]:
    """The case as a function to one number: its float outputs times fixed random weights."""

    def function(arrays: list[np.ndarray]) -> float:
        with minigrad.no_grad():
            outputs = outputs_of(case.call(minigrad, *tensors(arrays, requires_grad=False)))
        weights = cotangents(case.name, outputs)
        return float(sum((o.numpy() * w).sum() for o, w in zip(outputs, weights, strict=True) if w is not None))

    return function


def first_gradients(case: Case, arrays: list[np.ndarray], create_graph: bool) -> tuple[list[Any], list[Any]]:
    """The float inputs as tensors, and the gradient of each."""
    inputs = tensors(arrays)
    outputs = outputs_of(case.call(minigrad, *inputs))
    starts = cotangents(case.name, outputs)
    pairs = [
        (o, minigrad.tensor(g, device=o.device))
        for o, g in zip(outputs, starts, strict=True)
        if g is not None and o.requires_grad
    ]
    floats = [t for t in inputs if t.requires_grad]
    gradients = minigrad.autograd.grad(
        [o for o, _ in pairs], floats, [g for _, g in pairs], create_graph=create_graph, materialize_grads=True
    )
    return inputs, list(gradients)
