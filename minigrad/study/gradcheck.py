"""The gradient checker: derivatives beside differences.

The outputs are summed with fixed random weights to one number, so that one walk back gives all derivatives. Each is compared
with a central difference: element by element where an input is small; along random directions, with a search for the culprit,
where it is large. Differences are taken in float64, also for inputs of a lower precision: there the function runs once more,
as its own shadow, on float64 copies, and the derivatives in the lower precision are compared with those of the shadow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigrad.core.autograd import grad
from minigrad.core.device import CPU, device_of, move
from minigrad.core.modes import enable_grad, no_grad
from minigrad.core.tensor import Tensor
from minigrad.errors import DTypeError, GradError

_DOUBLE = np.dtype(np.float64)


@dataclass(frozen=True)
class Gradcheck:
    """What ``gradcheck`` found; true where nothing is wrong.

    Attributes:
        checked: elements whose derivative was compared, alone or in directions.
        skipped: elements at a kink (their one-sided derivatives differ, and ours lies between), which prove nothing.
        directions: random directions in which large inputs were compared.
        worst: the largest difference, relative to the largest derivative of its input.
        shadow: the differences were taken in float64.
        error: what is wrong, if ``raise_exception=False``.
    """

    checked: int = 0
    skipped: int = 0
    directions: int = 0
    worst: float = 0.0
    shadow: bool = True
    error: GradError | None = None

    def __bool__(self) -> bool:
        return self.error is None


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float | None = None,
    atol: float | None = None,
    rtol: float | None = None,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    limit: int = 200,
    directions: int = 4,
    seed: int = 0,
) -> Gradcheck:
    """Compare the derivatives of ``func`` with central differences.

    An input of more than ``limit`` elements is compared along ``directions`` random directions, whose elements lie between 0.5
    and 1.5 in size with random signs. A derivative that is wrong at one index by more than about 1e-5 of the typical derivative
    times the square root of the number of elements shows in every direction; errors at several indices would have to cancel
    in all of them.

    Args:
        func: takes the inputs, returns a Tensor or a tuple of them (those of integers are left aside).
        inputs: a Tensor, or a tuple of Tensors and anything else. Those that require grad are checked.
        eps: step of the differences, times max(1, abs(x)). Default: the cube root of the precision, 6e-6 in float64.
        atol: tolerance relative to the largest derivative of the input. Default 1e-7 in float64, more below.
        rtol: tolerance relative to each derivative. Default 1e-5 in float64 (so 0.05 % is found), more below.
        raise_exception: raise; else the result holds the error.
        nondet_tol: by how much two runs may differ.
        limit, directions: see above.
        seed: of the weights and directions.

    Raises:
        GradError: a derivative differs: op, input, index and both values; or the function gives other values the second time;
            or it changes an input; or no input requires grad; or every element lies at a kink.

    Example:
        >>> import minigrad
        >>> x = minigrad.tensor([[0.5, -2.0, 0.0]], dtype=minigrad.float64, requires_grad=True)
        >>> found = minigrad.study.gradcheck(lambda x: x.relu() * x.exp(), x)
        >>> bool(found), found.checked, found.skipped
        (True, 2, 1)
    """
    try:
        given = inputs if isinstance(inputs, (tuple, list)) else (inputs,)
        return _Check(func, list(given), eps, atol, rtol, nondet_tol, limit, directions, seed).run()
    except GradError as error:
        if raise_exception or error.where.split(":")[0] != "gradcheck":
            raise
        return Gradcheck(error=error)


def gradgradcheck(func: Callable[..., Any], inputs: Any, grad_outputs: Any = None, **options: Any) -> Gradcheck:
    """Compare the derivatives of ``func`` with central differences, then its second derivatives with those of the first.

    Args:
        func, inputs: see ``gradcheck``.
        grad_outputs: weights of the outputs, which are checked as inputs too; default: random ones.
        options: those of ``gradcheck``.

    Raises:
        GradError: see ``gradcheck``.

    Example:
        >>> import minigrad
        >>> x = minigrad.tensor([0.5, 2.0], dtype=minigrad.float64, requires_grad=True)
        >>> bool(minigrad.study.gradgradcheck(lambda x: x**3, x))
        True
    """
    given = list(inputs) if isinstance(inputs, (tuple, list)) else [inputs]
    once = gradcheck(func, given, **options)
    if not once:
        return once  # a wrong first derivative has a second that may well agree with it
    if grad_outputs is None:
        rng = np.random.default_rng(options.get("seed", 0) + 1)
        shapes = [(y, rng.uniform(0.5, 1.5, y.array.shape)) for y in _outputs(func, given)]
        weights = [Tensor._wrap(_beside(w, y)).to(y.array.dtype).requires_grad_() for y, w in shapes]
    else:
        weights = list(grad_outputs) if isinstance(grad_outputs, (tuple, list)) else [grad_outputs]
    wanted = [isinstance(x, Tensor) and x.requires_grad for x in given]

    def first(*arguments: Any) -> Any:
        with enable_grad():
            xs = [x if not want or x.requires_grad else x.detach().requires_grad_() for x, want in zip(arguments, wanted)]
            pairs = [(y, w) for y, w in zip(_outputs(func, xs), arguments[len(xs) :], strict=True) if y.requires_grad]
        goals = [x for x, want in zip(xs, wanted, strict=True) if want]
        return grad([y for y, _ in pairs], goals, [w for _, w in pairs], create_graph=True, materialize_grads=True)

    return gradcheck(first, (*given, *weights), **options)


def _beside(array: np.ndarray, tensor: Tensor) -> Any:
    """The array on the device of ``tensor``."""
    return move(np.asarray(array), device_of(tensor.array))


def _outputs(func: Callable[..., Any], inputs: Any) -> list[Tensor]:
    """The float outputs of a function."""
    result = func(*inputs)
    outputs = list(result) if isinstance(result, (tuple, list)) else [result]
    for output in outputs:
        if not isinstance(output, Tensor):
            raise DTypeError("gradcheck", "result of func", "a Tensor or a tuple of Tensors", type(output).__name__)
    return [output for output in outputs if output.array.dtype.kind == "f"]


@dataclass
class _Check:
    """One check: the function, its inputs, and how exact they are."""

    func: Callable[..., Any]
    inputs: list[Any]
    eps: float | None
    atol: float | None
    rtol: float | None
    nondet_tol: float
    limit: int
    directions: int
    seed: int

    def __post_init__(self) -> None:
        self.positions = [i for i, x in enumerate(self.inputs) if isinstance(x, Tensor) and x.requires_grad]
        if not self.positions:
            raise GradError("gradcheck", "inputs", "a Tensor that requires grad", "none", "Call requires_grad_() on one")
        self.own = min([self.inputs[i].array.dtype for i in self.positions], key=lambda dtype: dtype.itemsize)
        self.rng = np.random.default_rng(self.seed)
        self.op = getattr(self.func, "__name__", type(self.func).__name__)
        self.checked = self.skipped = self.tried = 0
        self.worst = 0.0

    def run(self) -> Gradcheck:
        plain = self.analytic(self.inputs)
        shadow = True
        if self.own == _DOUBLE:
            self.prepare(self.inputs, _DOUBLE)
            self.compare(plain)
        else:
            doubles = [x.detach().to(_DOUBLE) if i in self.positions else x for i, x in enumerate(self.inputs)]
            doubles = [x.requires_grad_() if i in self.positions else x for i, x in enumerate(doubles)]
            try:
                reference = self.analytic(doubles)
                shadow = all(y.array.dtype == _DOUBLE for y in _outputs(self.func, doubles))
            except DTypeError:  # it holds tensors of its own precision
                shadow = False
            if shadow:
                self.prepare(doubles, _DOUBLE)
                self.compare(reference)
                self.beside_shadow(plain, reference)
            else:
                self.prepare(self.inputs, self.own)
                self.compare(plain)
        if not self.checked:
            got = f"{self.skipped} at kinks"
            raise GradError(f"gradcheck: {self.op}", "elements", "some to check", got, "Move the inputs away from the kinks")
        return Gradcheck(self.checked, self.skipped, self.tried, self.worst, shadow)

    # ------------------------------------------------------------------ our derivatives

    def analytic(self, inputs: list[Any]) -> list[np.ndarray]:
        """The derivatives by walking back, after two runs that must agree."""
        before = [_host(x) if isinstance(x, Tensor) else None for x in inputs]
        before = [None if array is None else array.copy() for array in before]
        with enable_grad():
            leaves = [x.detach().requires_grad_() if i in self.positions else x for i, x in enumerate(inputs)]
            outputs, again = _outputs(self.func, leaves), _outputs(self.func, leaves)
        for position, (array, x) in enumerate(zip(before, inputs, strict=True)):
            if array is not None and not np.array_equal(array, _host(x), equal_nan=array.dtype.kind == "f"):
                raise GradError("gradcheck", f"inputs[{position}]", "a function that leaves it as it is", "a changed one")
        roots = [y for y in outputs if y.requires_grad]
        if roots:
            self.op = roots[0].grad_fn.name() if roots[0].grad_fn is not None else self.op
        rng = np.random.default_rng(self.seed)
        self.weights = [rng.uniform(0.5, 1.5, y.array.shape) * rng.choice([-1, 1], y.array.shape) for y in outputs]
        found: list[list[np.ndarray]] = []
        for ys in (outputs, again):
            pairs = [
                (y, Tensor._wrap(_beside(w, y)).to(y.dtype)) for y, w in zip(ys, self.weights, strict=True) if y.requires_grad
            ]
            goals = [leaves[i] for i in self.positions]
            if pairs:
                pieces = grad([y for y, _ in pairs], goals, [w for _, w in pairs], materialize_grads=True)
            else:
                pieces = tuple([goal.detach() * 0 for goal in goals])
            found.append([_host(piece) for piece in pieces])
        values = [_host(y) for y in outputs], [_host(y) for y in again]
        for what, (ones, others) in (("value", values), ("derivative", (found[0], found[1]))):
            for one, other in zip(ones, others, strict=True):
                if one.shape != other.shape or not _near(one, other, self.nondet_tol):
                    raise GradError(f"gradcheck: {self.op}", what, "the same in two runs", "two that differ", "Fix its seed")
        return found[0]

    # ------------------------------------------------------------------ differences

    def prepare(self, inputs: list[Any], dtype: Any) -> None:
        precision = float(np.finfo(dtype).eps)
        self.step = self.eps if self.eps is not None else precision ** (1 / 3)
        exact = dtype == _DOUBLE
        self.relative = self.rtol if self.rtol is not None else 1e-5 if exact else 20 * precision ** (2 / 3)
        self.floor = self.atol if self.atol is not None else 1e-7 if exact else 20 * precision ** (2 / 3)
        self.precision, self.base = precision, inputs
        self.origin = [_host(y).astype(np.float64) for y in self.values(0, 0.0)]

    def values(self, position: int, shift: Any) -> list[Tensor]:
        inputs = list(self.base)
        x = inputs[position]
        if isinstance(x, Tensor):
            array = (_host(x) + shift).astype(x.array.dtype)
            inputs[position] = Tensor._wrap(_beside(array, x))
        with no_grad():
            return _outputs(self.func, inputs)

    def change(self, position: int, shift: np.ndarray) -> tuple[float, float]:
        """By how much the weighted sum of the outputs changes, and how exact that is."""
        outputs = [_host(y).astype(np.float64) for y in self.values(position, shift)]
        with np.errstate(invalid="ignore"):
            moved = [y - y0 for y, y0 in zip(outputs, self.origin, strict=True)]
        noise = [np.abs(y * w)[d != 0].sum() for y, w, d in zip(outputs, self.weights, moved, strict=True)]
        return float(sum([(d * w).sum() for d, w in zip(moved, self.weights, strict=True)])), self.precision * float(sum(noise))

    def agrees(self, position: int, direction: np.ndarray, ours: float, scale: float) -> tuple[bool, float, bool]:
        """Whether the derivative along a direction is ours; what the difference says; and whether it is a kink.

        A kink within reach of the step goes away with smaller steps. A kink at the very place does not: then the one-sided
        derivatives differ at every step alike, and a derivative between the two is as good as any.
        """
        numeric, one_sided = 0.0, []
        for step in (self.step, self.step / 8, self.step / 64):
            (ahead, noise), (behind, _) = self.change(position, step * direction), self.change(position, -step * direction)
            central = (ahead - behind) / (2 * step)
            allowed = self.relative * max(abs(central), abs(ours)) + self.floor * scale + 4 * noise / step
            if abs(central - ours) <= allowed:
                self.worst = max(self.worst, abs(central - ours) / max(scale, 1e-300))
                return True, central, False
            one_sided.append((ahead / step, -behind / step))
            numeric = central if len(one_sided) == 1 else numeric
        gaps = [abs(a - b) for a, b in one_sided]
        low, high = sorted(one_sided[-1])
        slack = self.relative * max(abs(low), abs(high)) + self.floor * scale
        kink = min(gaps) > 0.7 * gaps[0] > 0 and gaps[-1] > 100 * slack and low - slack <= ours <= high + slack
        return False, numeric, kink

    # ------------------------------------------------------------------ the comparison

    def compare(self, derivatives: list[np.ndarray]) -> None:
        for position, derivative in zip(self.positions, derivatives, strict=True):
            derivative = derivative.astype(np.float64)
            size = np.maximum(1.0, np.abs(_host(self.base[position]).astype(np.float64)))
            scale = float(np.abs(derivative[np.isfinite(derivative)]).max(initial=0.0))
            if derivative.size <= self.limit:
                for index in np.ndindex(derivative.shape):
                    self.element(position, index, derivative, size, scale)
            else:
                self.along_directions(position, derivative, size, scale)

    def element(self, position: int, index: tuple[int, ...], derivative: np.ndarray, size: np.ndarray, scale: float) -> bool:
        """Check one element; False if it lies at a kink."""
        direction = np.zeros_like(derivative)
        direction[index] = size[index]
        agrees, numeric, kink = self.agrees(position, direction, float(derivative[index] * size[index]), scale)
        if not agrees and not kink:
            raise self.wrong(position, index, numeric / size[index], derivative[index])
        self.checked += agrees
        self.skipped += kink
        return agrees

    def along_directions(self, position: int, derivative: np.ndarray, size: np.ndarray, scale: float) -> None:
        kinks = np.zeros(derivative.shape, bool)
        for _ in range(self.directions):
            signs = self.rng.choice([-1.0, 1.0], derivative.shape)
            direction = signs * self.rng.uniform(0.5, 1.5, derivative.shape) * size
            self.tried += 1
            for index in self.culprits(position, direction, derivative, scale, kinks):
                if not self.element(position, index, derivative, size, scale):
                    kinks[index] = True
                    if kinks.sum() > 50:
                        got = f"more than {int(kinks.sum()) - 1}"
                        raise GradError(
                            f"gradcheck: {self.op}", f"inputs[{position}]", "few kinks", got, "Move it away from them"
                        )
        self.checked += int((~kinks).sum())

    def culprits(
        self, position: int, direction: np.ndarray, derivative: np.ndarray, scale: float, kinks: np.ndarray
    ) -> Iterator[tuple[int, ...]]:
        """The indices at which a direction disagrees, found by halving; each anew until the rest agrees."""
        while True:
            places = np.flatnonzero(~kinks)
            if not self.disagrees(position, direction, derivative, scale, places):
                return
            while len(places) > 1:
                half = places[: len(places) // 2]
                places = half if self.disagrees(position, direction, derivative, scale, half) else places[len(places) // 2 :]
            found = tuple([int(i) for i in np.unravel_index(int(places[0]), derivative.shape)])
            yield found
            if not kinks[found]:
                return  # alone it agrees: the sum of many was beyond what differences can tell

    def disagrees(self, position: int, direction: np.ndarray, derivative: np.ndarray, scale: float, places: np.ndarray) -> bool:
        part = np.zeros(derivative.shape)
        part.reshape(-1)[places] = direction.reshape(-1)[places]
        return not self.agrees(position, part, float((part * derivative).sum()), scale)[0]

    def beside_shadow(self, plain: list[np.ndarray], reference: list[np.ndarray]) -> None:
        """The derivatives in the inputs' own precision beside those in float64."""
        allowed = 100 * float(np.finfo(self.own).eps)
        for position, ours, theirs in zip(self.positions, plain, reference, strict=True):
            scale = np.abs(theirs).max(initial=0.0)
            off = np.abs(ours.astype(np.float64) - theirs) > allowed * (np.abs(theirs) + scale)
            off |= np.isfinite(theirs) & ~np.isfinite(ours)
            if off.any():
                index = tuple([int(i[0]) for i in np.nonzero(off)])
                raise self.wrong(position, index, theirs[index], ours[index], f"that of the same in float64, beside {self.own}")

    def wrong(self, position: int, index: tuple[int, ...], numeric: Any, ours: Any, what: str = "the numeric one") -> GradError:
        place = f"derivative to inputs[{position}]" + (f"[{', '.join(map(str, index))}]" if index else "")
        off = abs(float(numeric) - float(ours)) / max(abs(float(numeric)), 1e-300)
        return GradError(
            f"gradcheck: {self.op}",
            place,
            f"{float(numeric):.9g}, {what}",
            f"{float(ours):.9g}",
            f"They differ by {off:.2g} of the former",
        )


def _host(x: Tensor) -> np.ndarray:
    return move(x.array, CPU)


def _near(one: np.ndarray, other: np.ndarray, tolerance: float) -> bool:
    if tolerance == 0:
        return np.array_equal(one, other, equal_nan=True)
    return np.allclose(one, other, rtol=0, atol=tolerance, equal_nan=True)


__all__ = ["Gradcheck", "gradcheck", "gradgradcheck"]
