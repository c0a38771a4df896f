"""What a kernel family must tell of a function at one shape, so that it can be timed: the protocol, and helpers for it.

A family's ops stand in ``minigrad/bench/families/<family>.py``, which has one function::

    def ops() -> Iterator[Op]:
        yield Op("softmax", "forward", "512 x 8000", flops=..., bytes=..., draw=..., small=..., spot=..., peers={"torch": ...})

What it tells is data: which arguments, how much arithmetic, how many bytes at least. The instrument does the rest: it holds the
function to the reference at the small size, times it on inputs that never come twice, and looks at pieces of the results
meanwhile. A piece is checked by the reference too: :attr:`Op.spot` cuts from a large call a small one whose result is a part of
the large result, such as one image and one channel of a convolution.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from minigrad.kernels.comparison import leaves, mapped


class Call(NamedTuple):
    """The arguments of a contract's function."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any] = {}  # noqa: RUF012 - never written to

    def arrays(self) -> Iterator[np.ndarray]:
        """Every array among the arguments, those in lists too."""
        for _, each in leaves((self.args, self.kwargs)):
            if isinstance(each, np.ndarray):
                yield each

    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for array in self.arrays())


Draw = Callable[[np.random.Generator, np.dtype], Call]
Results = list[Any]
Spot = Callable[[Call, Results, np.random.Generator], tuple[Call, Results]]
Peer = Callable[[Any, Call], Callable[[], Any]]


@dataclass(frozen=True)
class Op:
    """A function of a kernel family at one shape.

    Attributes:
        family: ``"conv2d"``.
        function: one of the contract's ``FUNCTIONS``, which is called with what ``draw`` gives, and with ``asked``.
        shape: what the user sees and chooses it by: ``"N128 C32 H32 -> 32, 3x3"``.
        flops: arithmetic operations, a multiplication and an addition counting two; 0 where bytes are what matters.
        bytes: the least number of bytes that must be read and written in float32: every argument and result once.
        draw: new arguments of the full size, from a generator, in a dtype; with every keyword that the contract passes on.
        small: the same at a size that the reference does in a few hundredths of a second.
        spot: takes a call, its results (those returned, and behind them the arguments written to) and a generator; gives a
            call whose results by the reference are parts of these, and the parts.
        peers: a library's name -> a function of its module and a call, which gives the same work done by the library, with its
            arguments already converted and in the layout that it likes best. It must give the same results.
        fixed: arguments, by position or keyword, whose numbers must stay as drawn. Whole numbers always do; the numbers of all
            other arrays are moved to other places before each call.
        before: what the implementation itself must make of the arguments first, off the clock: ``before(contract, call)`` gives
            the call to be timed, for functions that take what another one kept.
        brief: whether it belongs to the short table that is shown when nothing is asked for.
        asked: keywords that the contract takes and no implementation is given: ``{"activation": "relu"}``.
        joined: the one of the contract's ``OPTIONAL`` that does what is asked in one pass, where an implementation has it.
    """

    family: str
    function: str
    shape: str
    flops: float
    bytes: float
    draw: Draw
    small: Draw
    spot: Spot
    peers: Mapping[str, Peer] = field(default_factory=dict)
    fixed: tuple[int | str, ...] = ()
    before: Callable[[Any, Call], Call] | None = None
    brief: bool = False
    asked: Mapping[str, Any] = field(default_factory=dict)
    joined: str = ""

    @property
    def name(self) -> str:
        """``family.function``."""
        return f"{self.family}.{self.function}"

    @property
    def own(self) -> str:
        """Which of an implementation's functions is timed, where it has them all."""
        return self.joined or self.function


def freshen(target: Call, source: Call, fixed: tuple[int | str, ...], rng: np.random.Generator) -> None:
    """Write into the arrays of ``target`` the numbers of ``source``, moved round by a random number of places.

    So a call's contents are never those of an earlier one, at the price of a copy. Both calls come from the same ``draw``.

    Example:
        >>> source, target = Call((np.arange(4.0), np.arange(3))), Call((np.zeros(4), np.zeros(3, int)))
        >>> freshen(target, source, (), np.random.default_rng(3))
        >>> target.args
        (array([3., 0., 1., 2.]), array([0, 1, 2]))
    """
    for key, old, new in _pairs(source, target):
        places = old.size if old.dtype.kind == "f" and key not in fixed else 0
        count = int(rng.integers(1, places)) if places > 1 else 0
        flat_old, flat_new = old.ravel(order="K"), new.ravel(order="K")  # views, as both are gapless
        if not np.shares_memory(flat_new, new):
            new[...] = old
            continue
        flat_new[: old.size - count] = flat_old[count:]
        flat_new[old.size - count :] = flat_old[:count]


def _pairs(source: Call, target: Call) -> Iterator[tuple[int | str, np.ndarray, np.ndarray]]:
    """The arrays of two calls of one make, with the argument that they belong to; but for a memo, which is the kernel's own."""
    named: list[tuple[int | str, Any]] = [*enumerate(source.args), *source.kwargs.items()]
    for (key, old), new in zip(named, [*target.args, *target.kwargs.values()], strict=True):
        if key == "memo":
            continue
        for (_, a), (_, b) in zip(leaves(old), leaves(new), strict=True):
            if isinstance(a, np.ndarray) and a.size:
                yield key, a, b


def copied(call: Call) -> Call:
    """The same call with arrays of its own, in the same order of memory."""
    return mapped(call, lambda each: each.copy(order="K") if isinstance(each, np.ndarray) else each)


def images(rng: np.random.Generator, shape: tuple[int, int, int, int], dtype: np.dtype) -> np.ndarray:
    """Standard normal numbers (N, C, H, W), channels-last in memory, as the engine's images lie.

    Example:
        >>> images(np.random.default_rng(0), (2, 3, 4, 4), np.dtype(np.float32)).strides
        (192, 4, 48, 12)
    """
    n, c, h, w = shape
    return normal(rng, (n, h, w, c), dtype).transpose(0, 3, 1, 2)


def normal(rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Standard normal numbers."""
    return rng.standard_normal(shape, np.float32).astype(dtype, copy=False)


def tensor(torch: Any, array: np.ndarray) -> Any:
    """A tensor of PyTorch's in its default layout, whichever the array has: what it is the fastest with, mostly."""
    return torch.from_numpy(np.ascontiguousarray(array))


def rows_of(by_row: tuple[int, ...], count: int = 3) -> Spot:
    """A spot for functions that treat each row by itself: a few rows of some arguments and of every result.

    Example:
        >>> x, y = np.arange(6.0).reshape(3, 2), np.arange(3.0)
        >>> part, got = rows_of((0,), 1)(Call((x, 1)), [y], np.random.default_rng(0))
        >>> part.args, got
        ((array([[4., 5.]]), 1), [array([2.])])
    """

    def spot(call: Call, results: Results, rng: np.random.Generator) -> tuple[Call, Results]:
        first = int(rng.integers(len(call.args[by_row[0]])))
        rows = slice(first, first + count)
        args = tuple(each[rows] if place in by_row else each for place, each in enumerate(call.args))
        return Call(args, call.kwargs), [None if each is None else each[rows] for each in results]

    return spot
