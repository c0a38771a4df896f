"""What the laboratory calls a family's functions with: the protocol that each family's ``cases.py`` meets, and its helpers.

``minigrad kernels check`` holds an implementation against the contract by calling it in many ways and comparing with the
reference. What to call it with is the family's own knowledge, and stands in ``kernels/<family>/cases.py``::

    def cases() -> Iterator[Case]:                      # required
        x, w = drawn((2, 3, 5, 6), (4, 3, 3, 3), seed=1)
        yield Case("forward", "3x3 over 2 images of 5 x 6", (x, w, None), {"stride": (1, 1), "groups": 1, ...})

    def identities(run, dtype) -> Iterator[Identity]:   # where the contract has any: adjoint maps, derivatives
        ...

    def questions() -> Iterator[Case]:                  # where the contract has QUESTIONS: what they are asked with
        ...

    def prepare(function, args, kwargs):                # where the contract packs arrays before it passes them on
        return (hold(*args), kwargs)                    # ... in tuples of its own, say: the same call with the same arrays

A :class:`Case` is one call of one function **as an implementation is given it**: behind the contract's checks, with every
keyword that the contract passes. Give all functions of ``FUNCTIONS`` cases, few and small (the reference is slow: keep a
family's cases under half a second by the reference): odd sizes and sizes 1, sizes that leave a rest in every tile and vector
(7, 17, 33), every option of the contract at least once, sizes of 0 where the contract allows them, large values where sums may
overflow or exponentials saturate, and data that make branches (equal maxima, lengths that differ, classes that are ignored).
Draw with a fixed seed.

The laboratory does the rest by itself, to each case, so a family need not:

- float32 and float64: give floating arrays in float64, and a dtype argument as ``np.dtype(np.float64)``; both are converted to
  float32 too, deep in lists, tuples and dicts. Whole numbers, Booleans and Python floats stay as they are. So does what another
  function made (:class:`Result`, below): statistics that are float64 in either case, say.
- memory: every array argument is also given with other strides, gaps and a read-only flag (``any_strides=False`` where the
  contract promises contiguous arrays); gaps and the memory beside an array hold NaN.
- NaN and infinity: planted into the floating arrays, all of them or those that ``not_finite`` names. Results must have them
  where the reference has, and nowhere else, but for places where the implementation's own ``tolerance`` (below) is not finite.
- what an implementation has besides the contract's functions (``OPTIONAL``, below): it is called with all cases of the function
  whose arguments it takes.
- poisoned memory, changed arguments, results that alias an argument or an earlier result, the last result returned again,
  the same bits each time, two threads at once.

What a contract (``kernels/<family>/__init__.py``) says beside ``FUNCTIONS``, for the laboratory and ``MINIGRAD_CHECK=1`` alike:

``tolerance(function, *args, **kwargs)``
    One bound for each result of the function, then one for each argument that it writes: a number or an array that broadcasts
    to the result; for a result that is a list or tuple of arrays, a sequence of such or one number for all. A module of the
    ladder may have a ``tolerance`` of its own in place of it, where its errors spread otherwise, as those of common sums do.
``WRITES``, optional: ``{"adam": (0, 2, "out")}``
    The arguments that a function may write into, by position or keyword. All others must stay as they were. What is written is
    compared like a result, behind the results, in this order. Lists of arrays count as one argument.
``SAME_LAYOUT``, optional: ``("forward", "grad_input")``
    The functions whose results must lie in memory as the reference's do, such as channels-last.
``OPTIONAL``, optional: ``{"forward_relu": ("forward", relu)}``
    Functions that an implementation may have or not: whose arguments each takes, and what is done with that one's result. The
    reference's result, with that done to it, is what they are held to.
``QUESTIONS``, optional: ``("reads_c_order",)``
    Functions that an implementation may have or not, and that answer True or False.

A result may be an array, ``None``, a list or tuple of these (compared one by one), or any other object: something that an
implementation keeps from one function for another (packed weights, a cache between forward and backward). Such an object is
compared with nothing; each implementation gets its own back. In a case it stands as a :class:`Result`::

    forward = Case("forward", "5 steps", (x, h, weights), {"train": True})
    yield forward
    yield Case("backward", "5 steps", (dy, Result(forward, 2)))     # what the implementation itself gave as third result
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Case:
    """One call of a function of a family.

    Attributes:
        function: one of the contract's ``FUNCTIONS``.
        name: what is particular about it, in words, with its sizes; it is told when the case fails.
        args: positional arguments, as the contract passes them on.
        kwargs: keyword arguments, all that the contract passes on.
        not_finite: the floating arguments, by position or keyword, that may hold NaN and infinity; ``None`` means all of them.
        infinity: whether infinities come too, not NaN alone; not where one road to a result gives ∞ − ∞ and another does not.
        any_strides: whether arrays may lie in memory in any way.
    """

    function: str
    name: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    not_finite: tuple[int | str, ...] | None = None
    infinity: bool = True
    any_strides: bool = True


@dataclass(frozen=True, eq=False)
class Result:
    """An argument that the implementation itself makes: what it gives for another case, or one of its several results."""

    case: Case
    number: int | None = None


@dataclass(frozen=True)
class Identity:
    """Two numbers that the contract's formulas make equal, up to rounding.

    Attributes:
        function: the function that is wrong if they are not.
        name: the identity and the case it was tried on, in words.
        left, right: its two sides.
        allowed: how far they may be apart.
    """

    function: str
    name: str
    left: float
    right: float
    allowed: float


def drawn(*shapes: tuple[int, ...], seed: int = 0, scale: float = 1.0) -> list[Array]:
    """Float64 arrays of the standard normal distribution times ``scale``, always the same for the same seed.

    Example:
        >>> x, w = drawn((2, 3), (3,), seed=1)
        >>> x.shape, w.shape, bool((x == drawn((2, 3), seed=1)[0]).all())
        ((2, 3), (3,), True)
    """
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.standard_normal(shape) * scale) for shape in shapes]


def inner(a: Array, b: Array) -> float:
    """The inner product ⟨a, b⟩ of two arrays of one shape, summed in float64.

    Example:
        >>> inner(np.ones((2, 2), np.float32), np.full((2, 2), 3.0))
        12.0
    """
    return float(np.multiply(a, b, dtype=np.float64).sum())


def derivative(function: str, name: str, value: Callable[[Array], float], x: Array, gradient: Array, seed: int = 0) -> Identity:
    """The slope of a scalar function along a drawn direction, by differences, and by the gradient that is to be tried.

    The function must be smooth around x. Only float64 is exact enough: six digits are asked for.

    Example:
        >>> x = np.array([1.0, 2.0])
        >>> tried = derivative("backward", "the sum of squares", lambda x: float((x * x).sum()), x, 2 * x)
        >>> abs(tried.left - tried.right) <= tried.allowed
        True
    """
    (direction,) = drawn(x.shape, seed=seed)
    step = 1e-5 * max(1.0, float(np.abs(x).max(initial=0)))
    left = (value(x + step * direction) - value(x - step * direction)) / (2 * step)
    size = float(np.abs(gradient * direction).sum()) + abs(left)
    return Identity(function, name, left, inner(gradient, direction), 1e-6 * max(1.0, size))
