"""What the recurrent kernel families share: packed batches, the order of their steps, checks, weight gradients, error bounds.

A packed batch holds the rows of all sequences, step after step: ``batch_sizes[t]`` of them for step t, sequences that last
longer first, so that a sequence has the same place p in every step that it takes part in. Row ``start + p`` of a step follows
row ``before + p``, if p is below ``known``, else the first state of place p; this holds in both directions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from minigrad.core.device import Array, array_module
from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.kernels.checks import check_arrays, check_rank, check_row_numbers, integers, truth

Memo = dict[Any, Any]
"""What an implementation derived from the weights: a caller may hand the same one again for as long as they are unchanged."""


def kept(memo: Memo | None, name: Any, make: Callable[[], Any]) -> Any:
    """What a memo has under a name, or what is made now and, where there is a memo, kept in it.

    Example:
        >>> memo = {}
        >>> kept(memo, "w", lambda: 1), kept(memo, "w", lambda: 2), kept(None, "w", lambda: 3)
        (1, 1, 3)
    """
    if memo is None:
        return make()
    if name not in memo:
        memo[name] = make()
    return memo[name]


class Step(NamedTuple):
    """One step of a packed batch, as a walk through it comes to it."""

    start: int  # its first row
    size: int  # how many rows it has
    before: int  # the first row of the step that the walk came from
    known: int  # how many rows that step has; 0 for the first

    @property
    def rows(self) -> slice:
        return slice(self.start, self.start + self.size)


def walk(batch_sizes: Sequence[int], reverse: bool = False) -> list[Step]:
    """The steps in the order in which a network takes them.

    Example:
        >>> for step in walk([2, 2, 1], reverse=True):
        ...     print(step)
        Step(start=4, size=1, before=0, known=0)
        Step(start=2, size=2, before=4, known=1)
        Step(start=0, size=2, before=2, known=2)
    """
    starts, start = [], 0
    for size in batch_sizes:
        starts.append(start)
        start += size
    places = list(zip(starts, batch_sizes, strict=True))
    steps, last = [], (0, 0)
    for place in reversed(places) if reverse else places:
        steps.append(Step(*place, *last))
        last = place
    return steps


def before(values: Array, first: Array, step: Step) -> Array:
    """The state (size, H) that each row of a step begins with: a view of ``values`` or ``first`` where one holds them all."""
    size, known = step.size, min(step.size, step.known)
    if known == size:
        return values[step.before : step.before + size]
    if not known:
        return first[:size]
    return array_module(values).concatenate((values[step.before : step.before + known], first[known:size]))


def all_before(values: Array, first: Array, batch_sizes: Sequence[int], reverse: bool) -> Array:
    """The state (rows, H) that each row begins with, copied together."""
    found = array_module(values).empty_like(values)
    for step in walk(batch_sizes, reverse):
        found[step.rows] = before(values, first, step)
    return found


def last(values: Array, first: Array, batch_sizes: Sequence[int], reverse: bool) -> Array:
    """The state (B, H) that each sequence ends with; memory of its own, but where there is one step.

    Example:
        >>> import numpy as np
        >>> last(np.arange(3.0).reshape(3, 1), np.zeros((2, 1)), [2, 1], reverse=False).ravel()
        array([2., 1.])
    """
    if len(batch_sizes) == 1:
        return values
    if reverse:
        return values[: batch_sizes[0]].copy()
    found = array_module(values).empty((batch_sizes[0], values.shape[1]), values.dtype)
    stop, done = len(values), 0
    for size in reversed(batch_sizes):
        start = stop - size
        if size > done:  # places done..size end here
            found[done:size] = values[start + done : stop]
            done = size
        stop = start
    return found


# ---------------------------------------------------------------------- products over all rows


def project(x: Array, index: Array | None, w: Array, *biases: Array | None) -> Array:
    """x wᵀ + the biases, for all rows in one product; with an index, for the rows of x that it names, each multiplied once."""
    y = array_module(x).matmul(x, w.T)
    given = [bias for bias in biases if bias is not None]
    if given:
        y += given[0] if len(given) == 1 else given[0] + given[1]
    return y if index is None else y[index]


def arithmetic(function: str, **arguments: Any) -> float:
    """The share of the operations that is done where the rows of a table are multiplied once each; see ``minigrad bench``."""
    index = arguments.get("index")
    if index is None or not len(index):
        return 1.0
    of_input, of_state = arguments["x"].shape[1] * len(arguments["x"]) / len(index), arguments["w_hh"].shape[1]
    return (of_input + of_state) / (arguments["x"].shape[1] + of_state)


def sigmoid(a: Array) -> None:
    """1 / (1 + e^-a), in place of a."""
    xp = array_module(a)
    xp.multiply(a, -1, out=a)  # NumPy 2.4 is wrong about negative() in place of every fourth number
    xp.exp(a, out=a)
    a += 1
    xp.reciprocal(a, out=a)


def rows_sum(da: Array) -> Array:
    """Σ da over all rows, by a product with ones: some rows at a time, so that the error does not grow with their number."""
    xp = array_module(da)
    blocks = [
        xp.ones(len(block), da.dtype) @ block for start in range(0, len(da), 256) if len(block := da[start : start + 256])
    ]
    return sum(blocks[1:], start=blocks[0]) if blocks else xp.zeros(da.shape[1], da.dtype)


# ---------------------------------------------------------------------- checks


def check_forward(
    where: str,
    x: Array,
    batch_sizes: Any,
    states: tuple[tuple[str, Array], ...],
    w_ih: Array,
    w_hh: Array,
    b_ih: Array | None,
    b_hh: Array | None,
    gates: int,
    *,
    index: Array | None = None,
    **flags: bool,
) -> tuple[str, tuple[int, ...]]:
    """What all contracts ask of a forward pass; the device's type and the batch sizes come back.

    Raises:
        ShapeError, ArgumentError, DTypeError, DeviceError, IndexingError: an argument that does not fit the others.
    """
    biases = tuple((name, bias) for name, bias in (("bias_ih", b_ih), ("bias_hh", b_hh)) if bias is not None)
    device_type = check_arrays(where, (("input", x), *states, ("weight_ih", w_ih), ("weight_hh", w_hh), *biases))
    truth(where, **flags)
    check_rank(where, "input", x, "rows, D")
    hidden = _check_weights(where, w_ih, w_hh, gates)
    if x.shape[1] != w_ih.shape[1]:
        expected = f"{w_ih.shape[1]} features, as weight_ih has shape {w_ih.shape}"
        raise ShapeError(where, "input", expected, f"shape {x.shape}")
    for name, bias in biases:
        if bias.shape != (gates * hidden,):
            raise ShapeError(where, name, f"shape ({gates * hidden},), one value for each gate", f"shape {bias.shape}")
    if index is not None:
        check_row_numbers(where, "index", index, x, len(x))
        check_rank(where, "index", index, "rows")
    sizes = check_batch_sizes(where, batch_sizes, len(x) if index is None else len(index))
    check_states(where, states, (sizes[0], hidden))
    return device_type, sizes


def _check_weights(where: str, w_ih: Array, w_hh: Array, gates: int) -> int:
    """The number of hidden units."""
    check_rank(where, "weight_ih", w_ih, "gates, D")
    check_rank(where, "weight_hh", w_hh, "gates, H")
    hidden = w_hh.shape[1]
    if not hidden or w_hh.shape[0] != gates * hidden:
        raise ShapeError(where, "weight_hh", f"shape ({gates}·H, H), H at least 1", f"shape {w_hh.shape}")
    if w_ih.shape[0] != gates * hidden:
        raise ShapeError(where, "weight_ih", f"{gates * hidden} rows, as weight_hh has", f"shape {w_ih.shape}")
    return hidden


def check_batch_sizes(where: str, batch_sizes: Any, rows: int) -> tuple[int, ...]:
    """The sizes as a tuple of ints that never grow and make ``rows`` together.

    Raises:
        ArgumentError: they are not such.
    """
    expected = "how many rows each step has: whole numbers, 0 or more, each at most the one before"
    if not isinstance(batch_sizes, (tuple, list)):
        raise ArgumentError(where, "batch_sizes", expected, repr(batch_sizes))
    if len(batch_sizes) == 1 and type(batch_sizes[0]) is int and batch_sizes[0] == rows:  # a cell's step
        return (rows,)
    sizes = integers(where, "batch_sizes", batch_sizes, expected, 0)
    if sorted(sizes, reverse=True) != list(sizes):
        raise ArgumentError(where, "batch_sizes", expected, str(sizes), "Sort the sequences, the longest first")
    if sum(sizes) != rows:
        raise ArgumentError(where, "batch_sizes", f"{rows} rows together, as the input has", f"{sum(sizes)}, from {sizes}")
    return sizes


def check_states(where: str, states: tuple[tuple[str, Array], ...], shape: tuple[int, ...]) -> None:
    """See that all have the shape.

    Raises:
        ShapeError: one has another.
    """
    for name, state in states:
        if state.shape != shape:
            raise ShapeError(where, name, f"shape {shape}", f"shape {state.shape}")


def check_backward(
    where: str,
    batch_sizes: Any,
    grads: tuple[tuple[str, Array | None], ...],
    states: tuple[tuple[str, Array], ...],
    w_ih: Array,
    w_hh: Array,
    saved: tuple[tuple[str, Array, int], ...],
    gates: int,
    **flags: bool,
) -> tuple[str, tuple[int, ...]]:
    """What all contracts ask of a backward pass; the device's type and the batch sizes come back.

    Args:
        grads: that of all outputs, then those of last states.
        states: first states (B, H).
        saved: what the forward pass gave, and how many times H columns it has.

    Raises:
        ShapeError, ArgumentError, DTypeError, DeviceError: an argument that does not fit the others.
    """
    given = tuple((name, grad) for name, grad in grads if grad is not None)
    kept = tuple((name, array) for name, array, _ in saved)
    device_type = check_arrays(where, (*kept, *given, *states, ("weight_ih", w_ih), ("weight_hh", w_hh)))
    truth(where, **flags)
    hidden = _check_weights(where, w_ih, w_hh, gates)
    rows = len(saved[0][1])
    sizes = check_batch_sizes(where, batch_sizes, rows)
    for name, array, times in saved:
        check_states(where, ((name, array),), (rows, times * hidden))
    for number, (name, grad) in enumerate(grads):
        if grad is not None:
            check_states(where, ((name, grad),), (sizes[0] if number else rows, hidden))
    check_states(where, states, (sizes[0], hidden))
    return device_type, sizes


def check_grad_weights(where: str, da: Array, x: Array, h: Array, times: int, **flags: bool) -> str:
    """What all contracts ask of weight gradients, da being ``times`` H columns wide; the device's type comes back.

    Raises:
        ShapeError, DTypeError, DeviceError: an argument that does not fit the others.
    """
    device_type = check_arrays(where, (("grad_gates", da), ("input", x), ("states", h)))
    truth(where, **flags)
    for name, array in (("grad_gates", da), ("input", x), ("states", h)):
        check_rank(where, name, array, "rows, columns")
    if not h.shape[1]:
        raise ShapeError(where, "states", "shape (rows, H), H at least 1", f"shape {h.shape}")
    check_states(where, (("grad_gates", da),), (len(h), times * h.shape[1]))
    if len(x) != len(h):
        raise ShapeError(where, "input", f"{len(h)} rows, as states have", f"shape {x.shape}")
    return device_type


def check_memo(where: str, memo: Any) -> None:
    """See that it is a dict or None.

    Raises:
        DTypeError: it is not.
    """
    if memo is not None and type(memo) is not dict:
        raise DTypeError(where, "memo", "a dict or None", type(memo).__name__)


# ---------------------------------------------------------------------- what the laboratory tries


class Shape(NamedTuple):
    """A packed batch to try a network on."""

    name: str
    batch_sizes: tuple[int, ...]
    features: int
    hidden: int

    def told(self, reverse: bool) -> str:
        """What a case calls it."""
        end, steps = ", from the end" if reverse else "", len(self.batch_sizes)
        return f"{self.name}{end}: batch {self.batch_sizes[0]}, {steps} steps, {self.features} features, H = {self.hidden}"


SHAPES = (
    Shape("equal lengths", (3, 3, 3, 3), 5, 3),
    Shape("several lengths", (4, 3, 3, 1), 2, 5),
    Shape("one step", (3,), 7, 4),
    Shape("one unit, one feature", (2, 1, 1), 1, 1),
    Shape("one sequence", (1, 1, 1, 1, 1), 3, 7),
    Shape("more rows than a tile", (17, 16, 2), 3, 2),
    Shape("more units than a panel", (2, 2), 4, 17),
    Shape("no features", (2, 2), 0, 3),
    Shape("no rows", (0, 0), 3, 2),
    Shape("sequences that end before the last step", (2, 1, 0), 3, 2),
)


# ---------------------------------------------------------------------- how far two implementations may be apart

ULPS = 4.0  # of an activation: what its approximation may be wrong by
MARGIN = 12.0  # times the standard deviation


class Spread:
    """Variances of rounding errors, carried from step to step as the values are.

    Errors of different sums are taken as independent: the bound is a multiple of their standard deviation. The sum of all their
    sizes would grow far beyond what is seen in fifty steps.
    """

    def __init__(self, dtype: Any) -> None:
        self.eps, self.tiny = float(np.finfo(dtype).eps), float(np.finfo(dtype).tiny)

    def product(self, a: Array, b: Array, variance: Array | float = 0.0) -> Array:
        """Of a · b, where a has some variance already: each of K terms is rounded, and so are their partial sums."""
        squares = np.multiply(b, b, dtype=np.float64)
        own = a.shape[1] * self.eps**2 * np.multiply(a, a, dtype=np.float64) @ squares
        return own if isinstance(variance, float) else own + variance @ squares

    def rounded(self, value: Array | float, ulps: float = 1.0) -> Any:
        """Of rounding a value."""
        return np.square(ulps * self.eps * np.asarray(value, np.float64))

    def bound(self, variance: Array) -> Array:
        """How far apart two values of this variance may be."""
        return MARGIN * np.sqrt(variance) + 64 * self.tiny


def _itself(da: Array) -> Array:
    return da


def weights_tolerance(
    da: Array,
    x: Array,
    h: Array,
    *,
    input_wanted: bool,
    state_wanted: bool,
    of_input: Callable[[Array], Array] = _itself,
    of_state: Callable[[Array], Array] = _itself,
) -> tuple[Any, Any, Any]:
    """How far weight gradients may be apart; ``of_input`` and ``of_state`` choose the columns of da that x and h go with."""
    spread = Spread(da.dtype)
    found = [spread.bound(spread.product(of_input(da).T, x)), spread.bound(spread.product(of_state(da).T, h))]
    return *found, spread.bound(spread.product(da.T, np.ones((len(da), 1)))[:, 0])


__all__ = [
    "SHAPES",
    "Memo",
    "Shape",
    "Spread",
    "Step",
    "all_before",
    "arithmetic",
    "before",
    "check_backward",
    "check_batch_sizes",
    "check_forward",
    "check_grad_weights",
    "check_memo",
    "check_states",
    "last",
    "project",
    "rows_sum",
    "sigmoid",
    "walk",
    "weights_tolerance",
]
