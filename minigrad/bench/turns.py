"""A contender's turns: inputs that never come twice, before each sample; a look at the results, after it.

A result is looked at in five ways. It must not hold NaN, as no argument does. Its memory must be its own. Some of its numbers,
read the moment the clock has stopped, must stay as they are: nobody goes on computing behind the clock. They must not be those
of the last result. And now and then, when nobody can know, a piece of it is held to the reference. Then it is overwritten with
NaN, so that who hands it back again, or leaves memory as it was found, is found out.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from minigrad.bench.clock import Contender
from minigrad.bench.op import Call, Op, copied, freshen
from minigrad.bench.place import HOST, Gpu, Host
from minigrad.bench.trust import WRONG
from minigrad.errors import KernelError
from minigrad.kernels import checking, use
from minigrad.kernels.comparison import difference, leaves, outcome, share_memory

SOURCES = 3  # different draws
HELD = 512 << 20  # bytes of arguments that are held at once
FEW = 256  # numbers
PROBES = 64  # numbers of a result that are read at once
ALWAYS = 3  # checks by the reference, where they take next to no time
PEER = 1e-3  # how far a peer's numbers may be from the reference's, as a share of the largest: the same work, not the same bits
CHEAP = 1.0  # seconds
SHARE = 0.5  # of a contender's time that checks by the reference may take beyond those


class Inputs:
    """Arguments for calls, with fresh contents each time. All contenders get theirs from here."""

    def __init__(self, op: Op, dtype: np.dtype, rng: np.random.Generator) -> None:
        self.op, self.rng, self._dtype = op, rng, dtype
        self._sources = [op.draw(rng, dtype) for _ in range(SOURCES)]
        self._targets = [copied(self._sources[0])]
        self.nbytes = self._sources[0].nbytes()
        self._most = max(2, HELD // max(1, self.nbytes))

    def fresh(self, count: int) -> list[Call]:
        """So many calls, each in memory of its own as long as that is not too much, in a random order.

        Calls without arrays are drawn anew.
        """
        if not self.nbytes:
            return [self.op.draw(self.rng, self._dtype) for _ in range(count)]
        while len(self._targets) < min(count + 1, self._most):
            self._targets.append(copied(self._sources[0]))
        order = self.rng.permutation(len(self._targets))
        chosen = [self._targets[order[place % len(order)]] for place in range(count)]
        for call in {id(call): call for call in chosen}.values():
            freshen(call, self._sources[int(self.rng.integers(SOURCES))], self.op.fixed, self.rng)
        return chosen


class Turns:
    """What :class:`~minigrad.bench.clock.Contender` needs, for one implementation of an op, or a peer.

    Args:
        op: what is timed.
        contract: the family's module.
        inputs: where arguments come from.
        ready: takes a call and gives it as something without arguments, off the clock.
        arrays: makes of what was returned the list of results, and of a peer's tensors NumPy arrays.
        ours: whether the contract's tolerance holds; a peer may round in other places, or leave a result out.
    """

    def __init__(
        self, op: Op, contract: Any, inputs: Inputs, ready: Callable[[Call], Callable[[], Any]],
        arrays: Callable[[Any, Call], list[Any]], ours: bool = True,
    ) -> None:  # fmt: skip
        self.ours = ours
        self.op, self.contract, self.inputs, self.ready, self.arrays = op, contract, inputs, ready, arrays
        self.rng = np.random.default_rng()
        self._writes = bool(getattr(contract, "WRITES", {}).get(op.function))
        self._calls: list[Call] = []
        self._originals: list[Call] = []
        self._last: dict[int, np.ndarray] = {}
        self._again = 0
        self._checks, self._checking, self._began = 0, 0.0, time.perf_counter()

    def prepare(self, count: int) -> Sequence[Callable[[], Any]]:
        """Calls with fresh arguments."""
        self._calls = self.inputs.fresh(count)
        self._originals = [copied(call) for call in self._calls] if self._writes else self._calls
        return [self.ready(call) for call in self._calls]

    def check(self, returned: list[Any]) -> str:
        """What is wrong with one of these results, drawn at random; then all are poisoned."""
        for each in returned:
            if isinstance(each, Raised):
                return each.words
        number = int(self.rng.integers(len(returned)))
        results = self.arrays(returned[number], self._calls[number])
        seen = self._probe(results)
        fault = _not_a_number(results) or self._own_memory(results, number, returned) or self._repeated(seen)
        if not fault and self._due():
            start = time.perf_counter()
            fault = self._by_reference(number, results)
            self._checks += 1
            self._checking += time.perf_counter() - start
        if not fault and any(not np.array_equal(was, _taken(each, at), equal_nan=True) for each, at, was in seen):
            fault = f"{WRONG}: its numbers changed after it was handed over"
        for one in returned:
            for each in self.arrays(one, self._calls[number]):
                _poison(each)
        return fault

    def _probe(self, results: list[Any]) -> list[tuple[Any, Any, Any]]:
        """A few numbers of each result, and where they stand."""
        found = []
        for _, each in leaves(results):
            if isinstance(each, np.ndarray) and each.size:
                places = np.random.default_rng(each.size).integers(0, each.size, PROBES)  # the same ones each time
                found.append((each, places, _taken(each, places)))
        return found

    def _own_memory(self, results: list[Any], number: int, returned: list[Any]) -> str:
        if self._writes:
            return ""
        mine = [each for _, each in leaves(results) if isinstance(each, np.ndarray)]
        if any(share_memory(each, given) for each in mine for given in self._calls[number].arrays()):
            return f"{WRONG}: it lies in the memory of an argument"
        other = returned[number - 1] if len(returned) > 1 else None
        if other is not None:
            theirs = [each for _, each in leaves(self.arrays(other, self._calls[number]))]
            if any(share_memory(each, one) for each in mine for one in theirs):
                return f"{WRONG}: it lies in the memory of another result"
        return ""

    def _repeated(self, seen: list[tuple[Any, Any, Any]]) -> str:
        """Arguments that were never there before cannot give the numbers that others gave, and gave again.

        Small results are left to the reference: there are so few ways of moving their arguments round that one may come twice.
        """
        again = []
        for place, (array, _, values) in enumerate(seen):
            if array.dtype.kind == "f" and array.size > FEW:
                last = self._last.get(place)
                again.append(last is not None and bool(values.any()) and np.array_equal(last, values))
                self._last[place] = values
        self._again = self._again + 1 if again and all(again) else 0
        return f"{WRONG}: it is the result of earlier arguments" if self._again > 1 else ""

    def _due(self) -> bool:
        if self._checks == 0 or (self._checks < ALWAYS and self._checking < CHEAP):
            return True
        spent = time.perf_counter() - self._began
        return self._checking < SHARE * spent and self.rng.random() < 0.5

    def _by_reference(self, number: int, results: list[Any]) -> str:
        """A piece of the result beside what the reference gives for it."""
        part, got = self.op.spot(self._originals[number], results, self.rng)
        want = reference_results(self.op, self.contract, part)
        allowed = self.contract.tolerance(self.op.function, *part.args, **part.kwargs)
        if not self.ours:
            there = [place for place, each in enumerate(got) if each is not None]
            got, want = [got[place] for place in there], [want[place] for place in there]
            allowed = [PEER * _size(each) for each in want]
        found = difference(self.contract, self.op.function, got, want, allowed)
        if found is None:
            return ""
        place = f" {found.place}" if found.place else ""
        return f"{WRONG}: {self.op.function}{place} of a piece: expected {found.expected}, got {found.got}"


class Elsewhere(NamedTuple):
    """What a call on a GPU returned, and the call with its arrays there."""

    returned: Any
    call: Call


class Raised:
    """What a call gave that raised an exception."""

    def __init__(self, error: Exception | SystemExit) -> None:
        self.words = f"it raised {type(error).__name__}: {error}"


def reference_results(op: Op, contract: Any, call: Call) -> list[Any]:
    """What the reference gives for a call: its results, and behind them what it writes into copies of the arguments."""
    own = copied(call)
    with use(**{op.family: "reference"}), checking(False):
        if op.before is not None:
            own = op.before(contract, own)
        returned = getattr(contract, op.function)(*own.args, **own.kwargs, **op.asked)
    return outcome(contract, op.function, returned, own)


def of_implementation(op: Op, name: str, contract: Any, inputs: Inputs, place: Host | Gpu = HOST) -> Contender:
    """An implementation as a contender, called through the family's contract, as everyone calls it."""
    function = getattr(contract, op.function)

    def ready(call: Call) -> Callable[[], Any]:
        given = place.there(call)
        given = given if op.before is None else op.before(contract, given)
        words = {**given.kwargs, **op.asked}

        def run() -> Any:
            try:  # costs nothing where nothing is raised
                returned = function(*given.args, **words)
            except (Exception, SystemExit) as error:  # a kernel of the user's own may do anything
                return Raised(error)
            return returned if place is HOST else Elsewhere(returned, given)

        return run

    def arrays(returned: Any, call: Call) -> list[Any]:
        if isinstance(returned, Elsewhere):
            return place.here(outcome(contract, op.function, *returned))
        return outcome(contract, op.function, returned, call)

    turns = Turns(op, contract, inputs, ready, arrays)
    return Contender(name, turns.prepare, turns.check, lambda: use(**{op.family: name}))


def first_calls(
    op: Op, name: str, contract: Any, dtype: np.dtype, rng: np.random.Generator, place: Host | Gpu = HOST
) -> tuple[str, float]:
    """What is wrong with a small result, and how many seconds the first call took beyond the second: imports, compiling.

    Args:
        op: what is to be timed.
        name: the implementation.
        contract: the family's module.
        dtype: of the arguments.
        rng: draws them.
        place: where they are given to it.
    """
    seconds = []
    for check in (False, False, name != "reference"):
        call = place.there(op.small(rng, dtype))
        start = time.perf_counter()
        try:
            with use(**{op.family: name}), checking(check):
                given = call if op.before is None else op.before(contract, call)
                getattr(contract, op.function)(*given.args, **given.kwargs, **op.asked)
        except KernelError as error:
            return f"{WRONG}: {error}", math.nan
        except (Exception, SystemExit) as error:  # as above
            return Raised(error).words, math.nan
        seconds.append(time.perf_counter() - start)
    return "", max(0.0, seconds[0] - seconds[1])


def _not_a_number(results: list[Any]) -> str:
    """Finite arguments give finite results; memory that was left as it was found holds NaN."""
    for _, each in leaves(results):
        if isinstance(each, np.ndarray) and each.dtype.kind == "f" and each.size and math.isnan(each.min()):
            return f"{WRONG}: there is NaN in it, and none in the arguments"
    return ""


def _size(value: Any) -> float:
    """The largest number in a result, without its sign."""
    arrays = [each for _, each in leaves(value) if isinstance(each, np.ndarray) and each.size]
    return max((float(abs(each).max()) for each in arrays), default=0.0)


def _taken(array: np.ndarray, places: np.ndarray) -> np.ndarray:
    return np.atleast_1d(array)[np.unravel_index(places, array.shape or (1,))]


def _poison(value: Any) -> None:
    for _, each in leaves(value):
        if isinstance(each, np.ndarray) and each.flags.writeable:
            each.fill(math.nan if each.dtype.kind == "f" else 0 if each.dtype.kind == "b" else np.iinfo(each.dtype).min // 2)
