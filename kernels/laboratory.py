"""An implementation held against its contract: every case of the family, in every way that a program may call it.

The questions are those of ``CHECKS``. Most are asked by changing a case and calling again: other strides, other bytes in fresh
memory, a NaN among the values. The comparison is that of ``MINIGRAD_CHECK=1``, by ``comparison.py``.
"""

from __future__ import annotations

import importlib
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigrad.core.device import quiet
from minigrad.errors import KernelError
from minigrad.kernels.cases import Case, Result
from minigrad.kernels.comparison import (
    Call,
    Difference,
    changed_argument,
    difference,
    is_array,
    leaves,
    mapped,
    on_cpu,
    outcome,
    result_name,
    same_bits,
    share_memory,
    shared_argument,
)  # fmt: skip
from minigrad.kernels.native.budget import divided
from minigrad.kernels.own_files import line_of
from minigrad.kernels.placement import LAYOUTS, PLAIN, Placed
from minigrad.kernels.poison import LARGE, NAN, poisoned, spread
from minigrad.kernels.registry import contract_of, functions_of, reason_not_available

CHECKS = {
    "shapes": "as many results as the reference gives, of its shapes and dtypes",
    "values": "float32 and whole numbers as the reference gives them, within the contract's tolerance",
    "float64": "float64 as the reference gives it, within the contract's tolerance",
    "precision": "float32 as near to the exact numbers, which the reference gives in float64",
    "empty": "sizes of 0",
    "strides": "arguments with any strides, with gaps, backwards, read-only",
    "layout": "results lie in memory as the contract says",
    "memory": "every value of a result is written: none depends on what its memory held before",
    "arguments": "arguments, and the memory beside them, stay as they were",
    "aliases": "results lie in memory of their own, not in an argument's or an earlier result's",
    "fresh": "other numbers in the same arrays give other results: nothing is remembered",
    "repeats": "the same bits each time",
    "not finite": "NaN and infinity come out exactly where the reference has them",
    "threads": "two threads at once each get their own results",
    "parts": "divided among three threads: the reference's results, and the same bits each time",
    "identities": "what the contract's formulas say of its functions together",
}
SINGLE, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)
PARTS = 3  # into which work is divided, however little it is
ROUNDS = 3  # of the cases, in each of two threads
PATIENCE = 60.0  # seconds until threads are taken for stuck
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Failure:
    """The first case in which a function fails a check.

    Attributes:
        check: one of ``CHECKS``.
        function: the function of the contract.
        case: the case, with its sizes and dtype.
        words: what was expected and what came.
    """

    check: str
    function: str
    case: str
    words: str


@dataclass(frozen=True)
class Report:
    """What came of holding one implementation against its contract.

    Attributes:
        family, name: which.
        reason: why it cannot run here, or nothing.
        cases: how many cases the family has.
        runs: how often each check was asked.
        failures: the first of each function and check.
    """

    family: str
    name: str
    reason: str
    cases: int
    runs: dict[str, int]
    failures: list[Failure]

    @property
    def ok(self) -> bool:
        """Whether it ran, and nothing failed."""
        return not self.reason and not self.failures


def cases_of(family: str) -> Any:
    """The module with a family's cases: see :mod:`minigrad.kernels.cases`.

    Raises:
        KernelError: the family has none.

    Example:
        >>> next(cases_of("conv2d").cases()).function
        'forward'
    """
    place = f"{contract_of(family).__name__}.cases"
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name != place:
            raise
        raise KernelError(
            "kernels check", family, f"cases in {place}", "no such file", "See minigrad/kernels/cases.py"
        ) from None


def check(family: str, name: str, progress: Progress = lambda done, total: None) -> Report:
    """Hold an implementation against its contract.

    Args:
        family: such as ``"conv2d"``.
        name: one of its implementations, also a registered one.
        progress: is told how many cases are done, and how many there are.

    Raises:
        KernelError: an unknown family or name, or a family without cases.

    Example:
        >>> check("random", "vectorised").ok
        True
    """
    reason = reason_not_available(family, name)
    if reason:
        return Report(family, name, reason, 0, {}, [])
    examination = _Examination(family, name)
    with quiet():
        for number, case in enumerate(examination.cases):
            progress(number, len(examination.cases))
            examination.ask(case)
        examination.ask_together()
    progress(len(examination.cases), len(examination.cases))
    failures = sorted(examination.failures.values(), key=lambda each: list(CHECKS).index(each.check))
    return Report(family, name, "", len(examination.cases), dict(examination.runs), failures)


def call_of(family: str, name: str, case: Case, dtype: np.dtype = DOUBLE) -> Call:
    """What an implementation is called with in a case: positional and keyword arguments, made anew at each call.

    Raises:
        KernelError: an unknown family or name, or one that cannot run here.

    Example:
        >>> case = next(cases_of("conv2d").cases())
        >>> args, kwargs = call_of("conv2d", "reference", case, SINGLE)
        >>> args[0].dtype, kwargs["groups"]
        (dtype('float32'), 1)
    """
    with quiet():
        examination = _Examination(family, name)
        return examination._placed(case, examination._arguments(case, dtype)[0]).call


class _Raised(Exception):
    """The implementation raised an exception; the text is what is told of it."""


class _Examination:
    """An implementation, its reference and its contract, and what was found so far."""

    def __init__(self, family: str, name: str) -> None:
        self.family, self.name = family, name
        self.contract = contract_of(family)
        self.own, self.reference = functions_of(family, name), functions_of(family, "reference")
        self.module = cases_of(family)
        self.cases: list[Case] = list(self.module.cases())
        self.runs: Counter[str] = Counter()
        self.failures: dict[tuple[str, str], Failure] = {}
        self.calls: dict[str, list[tuple[Case, Call, list[Any], Any]]] = {}  # function -> what threads call it with

    # ------------------------------------------------------------------ one case

    def ask(self, case: Case) -> None:
        """All questions about a case, in float64 and float32."""
        for dtype in (DOUBLE, SINGLE):
            if dtype is SINGLE and not _has_floats(case):
                return
            self._ask_in(case, dtype if _has_floats(case) else None)

    def _ask_in(self, case: Case, dtype: np.dtype | None) -> None:
        name = "float64" if dtype is DOUBLE else "values"
        try:
            call, beside = self._arguments(case, dtype)
        except _Raised as raised:
            self._fail("values", case, dtype, str(raised))
            return
        want, allowed = self._wanted(case, beside)
        placed, got = self._placed(case, call), None
        try:
            returned = self._run(case, placed.call)
            given = outcome(self.contract, case.function, returned, placed.call)
            got = on_cpu(given)  # later calls may write where these results lie
            found = difference(self.contract, case.function, got, want, allowed)
        except _Raised as raised:
            found = Difference("", "results", str(raised), True)
        form = found if found is not None and not found.of_value else None
        self._told("shapes", case, dtype, form)
        if form is None:
            self._told("empty" if _is_empty(call) else name, case, dtype, found)
        if got is None or form is not None:
            return
        self._told("arguments", case, dtype, _unlike("arguments left as they were", placed.changed(), "a changed "))
        self._ask_of_layout(case, dtype, given, want)
        self._ask_of_memory(case, dtype, call, got)
        self._ask_again(case, dtype, call, returned, got, placed)
        if case.any_strides:
            self._ask_of_strides(case, dtype, call, want if found is None else got, allowed)
        if found is None:
            self._ask_of_remembering(case, dtype, call)
            if dtype is not DOUBLE:
                self.calls.setdefault(case.function, []).append((case, call, want, allowed))
            if dtype is SINGLE:
                self._ask_of_precision(case, call, got, allowed)
                self._ask_of_not_finite(case, call)

    def _ask_of_layout(self, case: Case, dtype: np.dtype | None, got: list[Any], want: list[Any]) -> None:
        if case.function not in getattr(self.contract, "SAME_LAYOUT", ()):
            return
        found = None
        for (place, g), (_, w) in zip(leaves(got), leaves(want), strict=True):
            if is_array(g) and _strides(g) != _strides(w):
                found = Difference(f"result{place}", f"strides {w.strides}, as the reference gives", str(g.strides))
        self._told("layout", case, dtype, found)

    def _ask_of_memory(self, case: Case, dtype: np.dtype | None, call: Call, got: list[Any]) -> None:
        """Runs in memory that held one thing and another; to and fro, so that what changes by itself is not taken for it."""
        sizes = [each.nbytes for _, each in leaves(got) if is_array(each)]
        found = None
        try:
            first, second = (self._poisoned(case, call, sizes, byte) for byte in (NAN, LARGE))
            place = _first_unlike(self.contract, case.function, first, second)
            if place:
                again = [self._poisoned(case, call, sizes, byte) for byte in (LARGE, NAN)]
                pairs = zip((second, first), again, strict=True)
                if not any(_first_unlike(self.contract, case.function, *pair) for pair in pairs):
                    words = f"{place[1]} where it held NaN, else {place[2]}"
                    found = Difference(place[0], "one value, whatever the memory held", words)
        except _Raised as raised:
            found = Difference("", "results, whatever the memory held", str(raised))
        self._told("memory", case, dtype, found)

    def _poisoned(self, case: Case, call: Call, sizes: list[int], byte: int) -> list[Any]:
        placed = self._placed(case, call)
        with poisoned(byte):
            spread(sizes, byte)
            returned = self._run(case, placed.call)
        return outcome(self.contract, case.function, returned, placed.call)

    def _ask_again(self, case: Case, dtype: np.dtype | None, call: Call, returned: Any, got: list[Any], placed: Placed) -> None:
        """Twice more: the same bits, and no result in an argument or in a result of before."""
        shared = shared_argument(self.contract, case.function, returned, placed.call)
        before = on_cpu(got)
        found = None
        try:
            for _ in range(2):
                again = self._placed(case, call)
                second = self._run(case, again.call)
                if any(share_memory(a, b) for _, a in leaves(returned) for _, b in leaves(second)):
                    shared = shared or "an earlier result"
                now = outcome(self.contract, case.function, second, again.call)
                place = found is None and _first_unlike(self.contract, case.function, before, now)
                if place:
                    found = Difference(place[0], f"{place[1]}, as the first time", place[2])
        except _Raised as raised:
            found = Difference("", "results, as the first time", str(raised))
        self._told("aliases", case, dtype, _unlike("results in memory of their own", shared, "one in the memory of "))
        self._told("repeats", case, dtype, found)

    def _ask_of_strides(self, case: Case, dtype: np.dtype | None, call: Call, want: list[Any], allowed: Any) -> None:
        for layout in LAYOUTS if any(is_array(each) for _, each in leaves(call)) else ():
            if layout == PLAIN:
                continue
            placed = self._placed(case, call, layout)
            try:
                got = outcome(self.contract, case.function, self._run(case, placed.call), placed.call)
                found = difference(self.contract, case.function, got, want, allowed)
            except _Raised as raised:
                found = Difference("", "results", str(raised))
            self._told("strides", case, dtype, found, layout)
            changed = _unlike("arguments left as they were", placed.changed(), "a changed ")
            self._told("arguments", case, dtype, changed, layout)

    def _ask_of_remembering(self, case: Case, dtype: np.dtype | None, call: Call) -> None:
        """Other numbers in the same arrays: new results come, and the old ones stay."""
        placed = self._placed(case, call)
        given = [*_own_floats(case.args, placed.call[0]), *_own_floats(dict(case.kwargs), placed.call[1])]
        if not given:
            return
        try:
            first = self._run(case, placed.call)
            kept = on_cpu(first)
            for each in given:
                each[...] = np.flip(each) * each.dtype.type(0.75)
            beside = self._beside(case, placed.call, dtype)
            returned = self._run(case, placed.call)
            got = outcome(self.contract, case.function, returned, placed.call)
            found = difference(self.contract, case.function, got, *self._wanted(case, beside))
            if found is None and changed_argument(None, "", ((kept,), {}), ((first,), {})):
                found = Difference("", "results of an earlier call left as they were", "changed ones")
        except _Raised as raised:
            found = Difference("", "results", str(raised))
        self._told("fresh", case, dtype, found, "other numbers in the same arrays")

    def _ask_of_precision(self, case: Case, call: Call, got: list[Any], allowed: Any) -> None:
        if not any(is_array(each) and each.dtype == SINGLE for _, each in leaves(call)):
            return
        if not any(np.any(each) for _, each in leaves(list(allowed))):
            return  # a contract that asks for the reference's bits has said how to round
        exact = outcome(self.contract, case.function, *self._reference(case, self._beside(case, call, DOUBLE)))
        rounded = _rounded(exact, got)
        self._told("precision", case, SINGLE, difference(self.contract, case.function, got, rounded, allowed))

    def _ask_of_not_finite(self, case: Case, call: Call) -> None:
        """NaN and both infinities in one array at a time, at places that the case's name draws."""
        for key, value in [*enumerate(call[0]), *call[1].items()]:
            if case.not_finite is not None and key not in case.not_finite:
                continue
            for place, array in leaves(value):
                if not (is_array(array) and array.dtype.kind == "f" and array.size):
                    continue
                rng = np.random.default_rng(zlib.crc32(f"{case.function} {case.name} {key} {place}".encode()))
                spoilt = array.copy()
                values = (np.nan, np.inf, -np.inf) if case.infinity else (np.nan,)
                for bad, at in zip(values, rng.permutation(array.size)[:3], strict=False):
                    spoilt.flat[at] = bad
                there = mapped(call, lambda each, array=array, spoilt=spoilt: spoilt if each is array else each)
                beside = self._beside(case, there, SINGLE)
                placed = self._placed(case, there)
                try:
                    got = outcome(self.contract, case.function, self._run(case, placed.call), placed.call)
                    found = difference(self.contract, case.function, got, *self._wanted(case, beside))
                except _Raised as raised:
                    found = Difference("", "results", str(raised))
                self._told("not finite", case, SINGLE, found, f"NaN and infinity in argument {key}{place}")

    # ------------------------------------------------------------------ all cases together

    def ask_together(self) -> None:
        """The contract's identities, and two threads at once."""
        for dtype in (SINGLE, DOUBLE) if hasattr(self.module, "identities") else ():
            try:
                for each in self.module.identities(_Guarded(self.own), dtype):
                    off = abs(each.left - each.right)
                    found = None if off <= each.allowed else Difference(
                        "", f"{each.left:.9g} within {each.allowed:.3g}", f"{each.right:.9g}, off by {off:.3g}"
                    )  # fmt: skip
                    self._note("identities", each.function, f"{each.name}, {dtype}", found)
            except Exception as error:  # results of another kind than the formulas take, or none
                words = str(error) if isinstance(error, _Raised) else f"{type(error).__name__}: {error}"
                self._note("identities", self.contract.FUNCTIONS[0], str(dtype), Difference("", "results that fit", words))
        with divided(PARTS):
            for case, call, want, allowed in (each for calls in self.calls.values() for each in calls):
                self._told("parts", case, None, self._in_parts(case, call, want, allowed))
        for function, calls in self.calls.items():
            found = self._in_two_threads(calls)
            self._note("threads", function, found[0] if found else "", found[1] if found else None)

    def _in_parts(self, case: Case, call: Call, want: list[Any], allowed: Any) -> Difference | None:
        given = []
        try:
            for _ in range(2):
                placed = self._placed(case, call)
                given.append(on_cpu(outcome(self.contract, case.function, self._run(case, placed.call), placed.call)))
        except _Raised as raised:
            return Difference("", "results", str(raised))
        place = _first_unlike(self.contract, case.function, *given)
        if place:
            return Difference(place[0], f"{place[1]}, as the first time", place[2])
        return difference(self.contract, case.function, given[0], want, allowed)

    def _in_two_threads(self, calls: list[tuple[Case, Call, list[Any], Any]]) -> tuple[str, Difference] | None:
        found: list[tuple[str, Difference]] = []
        start = threading.Barrier(2)

        def work(mine: list[tuple[Case, Call, list[Any], Any]]) -> None:
            start.wait()
            for case, call, want, allowed in mine * ROUNDS:
                placed = self._placed(case, call)
                try:
                    with quiet():
                        got = outcome(self.contract, case.function, self._run(case, placed.call), placed.call)
                    unlike = difference(self.contract, case.function, got, want, allowed)
                except _Raised as raised:
                    unlike = Difference("", "results", str(raised))
                if unlike is not None or found:
                    found.extend([(case.name, unlike)] if unlike is not None else [])
                    return

        threads = [threading.Thread(target=work, args=(each,), daemon=True) for each in (calls, calls[::-1])]
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        try:
            for thread in threads:
                thread.start()
            end = time.monotonic() + PATIENCE
            for thread in threads:
                thread.join(max(0.0, end - time.monotonic()))
        finally:
            sys.setswitchinterval(interval)
        if any(thread.is_alive() for thread in threads):
            return "", Difference("", f"results within {PATIENCE:.0f} s", "none: a thread is stuck")
        return found[0] if found else None

    # ------------------------------------------------------------------ calls

    def _arguments(self, case: Case, dtype: np.dtype | None) -> tuple[Call, Call]:
        """What a case hands to the implementation, and what to the reference."""

        def made(each: Any) -> Any:
            if not isinstance(each, Result):
                return _as(each, dtype)
            call, _ = self._arguments(each.case, dtype)
            copies = on_cpu(call)
            results = outcome(self.contract, each.case.function, self._run(each.case, copies), copies)
            return results[0] if each.number is None and len(results) == 1 else _numbered(results, each.number)

        call: Call = (mapped(case.args, made), mapped(dict(case.kwargs), made))
        return call, self._beside(case, call, dtype)

    def _beside(self, case: Case, call: Call, dtype: np.dtype | None) -> Call:
        """A copy of a call for the reference: with what the reference itself keeps from function to function.

        The arrays are of the dtypes that the call has, but for a ``dtype`` of float64, in which all are.
        """
        wide = DOUBLE if dtype is DOUBLE else None

        def other(wish: Any, own: Any) -> Any:
            if isinstance(wish, (list, tuple)):
                return type(wish)([other(a, b) for a, b in zip(wish, own, strict=True)])
            if isinstance(wish, dict):
                return {key: other(each, own[key]) for key, each in wish.items()}
            if not isinstance(wish, Result):
                return _as(on_cpu(own), wide)
            _, beside = self._arguments(wish.case, dtype)
            results = outcome(self.contract, wish.case.function, *self._reference(wish.case, beside))
            kept = results[0] if wish.number is None and len(results) == 1 else _numbered(results, wish.number)
            return _merged(own, kept, wide)

        return other(case.args, call[0]), other(dict(case.kwargs), call[1])

    def _wanted(self, case: Case, beside: Call) -> tuple[list[Any], Any]:
        """What the reference gives, and how far from it a result may be."""
        allowed = self.contract.tolerance(case.function, *beside[0], **beside[1])
        return outcome(self.contract, case.function, *self._reference(case, beside)), allowed

    def _reference(self, case: Case, call: Call) -> tuple[Any, Call]:
        copies: Call = on_cpu(call)
        return getattr(self.reference, case.function)(*copies[0], **copies[1]), copies

    def _run(self, case: Case, call: Call) -> Any:
        return _guarded(getattr(self.own, case.function))(*call[0], **call[1])

    def _placed(self, case: Case, call: Call, layout: str = PLAIN) -> Placed:
        """The call's arrays in memory of a layout, packed as the contract packs them."""
        placed = Placed(call, layout, tuple(getattr(self.contract, "WRITES", {}).get(case.function, ())))
        if hasattr(self.module, "prepare"):
            placed.call = self.module.prepare(case.function, *placed.call)
        return placed

    # ------------------------------------------------------------------ notes

    def _told(self, check: str, case: Case, dtype: np.dtype | None, found: Difference | None, how: str = "") -> None:
        about = [case.name, *([str(dtype)] if dtype is not None else []), *([how] if how else [])]
        self._note(check, case.function, ", ".join(about), found)

    def _note(self, check: str, function: str, about: str, found: Difference | None) -> None:
        self.runs[check] += 1
        if found is not None:
            place = f"{found.place}: " if found.place else ""
            words = f"{place}expected {found.expected}, got {found.got}"
            self.failures.setdefault((check, function), Failure(check, function, about, words))

    def _fail(self, check: str, case: Case, dtype: np.dtype | None, words: str) -> None:
        self._told(check, case, dtype, Difference("", "results", words))


class _Guarded:
    """An implementation whose functions raise nothing but :class:`_Raised`."""

    def __init__(self, functions: Any) -> None:
        self._functions = functions

    def __getattr__(self, name: str) -> Any:
        return _guarded(getattr(self._functions, name))


def _guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except (Exception, SystemExit) as error:
            code = getattr(function, "__code__", None)
            line = line_of(error, code.co_filename) if code is not None else 0
            place = f" (line {line} of {code.co_filename})" if code is not None and line else ""
            raise _Raised(f"{type(error).__name__}: {error}{place}") from error

    return run


def _rounded(exact: Any, got: Any) -> Any:
    """Exact results in the dtypes of those that an implementation gave."""
    if isinstance(exact, (list, tuple)) and isinstance(got, (list, tuple)) and len(exact) == len(got):
        return [_rounded(one, other) for one, other in zip(exact, got, strict=True)]
    return _as(exact, got.dtype if is_array(got) and got.dtype.kind == "f" else SINGLE)


def _own_floats(wish: Any, given: Any) -> Iterator[np.ndarray]:
    """The floating arrays of a call that the case itself hands over, not the implementation."""
    if isinstance(wish, (list, tuple)):
        for each, there in zip(wish, given, strict=True):
            yield from _own_floats(each, there)
    elif isinstance(wish, dict):
        for key, each in wish.items():
            yield from _own_floats(each, given[key])
    elif is_array(wish) and wish.dtype.kind == "f" and wish.size:
        yield given


def _has_floats(case: Case) -> bool:
    for _, each in leaves([case.args, dict(case.kwargs)]):
        if isinstance(each, Result) and _has_floats(each.case):
            return True
        if (is_array(each) and each.dtype == DOUBLE) or (isinstance(each, np.dtype) and each == DOUBLE):
            return True
    return False


def _is_empty(call: Call) -> bool:
    """Whether an argument is an array without elements, or arrays that have none."""
    for value in (*call[0], *call[1].values()):
        sizes = [each.size for _, each in leaves(value) if is_array(each)]
        if sizes and not any(sizes):
            return True
    return False


def _as(value: Any, dtype: np.dtype | None) -> Any:
    """Arrays of float32 and float64, and dtypes among the arguments, in a dtype; anything else as it is."""
    if dtype is not None and isinstance(value, np.dtype) and value.kind == "f":
        return dtype
    if dtype is not None and is_array(value) and value.dtype in (SINGLE, DOUBLE):
        return value.astype(dtype, order="K")
    return value


def _rounded(exact: Any, got: Any) -> Any:
    """Results in float64 as those of the dtypes that were got."""
    if isinstance(exact, (list, tuple)):
        return [_rounded(one, other) for one, other in zip(exact, got, strict=True)]
    return _as(exact, got.dtype) if is_array(got) else exact


def _numbered(results: list[Any], number: int | None) -> Any:
    return tuple(results) if number is None else results[number]


def _merged(own: Any, kept: Any, dtype: np.dtype | None) -> Any:
    """Arrays that the implementation made, as both see them; what is opaque, as the reference made it."""
    if isinstance(own, (list, tuple)) and isinstance(kept, (list, tuple)):
        return type(kept)([_merged(a, b, dtype) for a, b in zip(own, kept, strict=True)])
    return _as(on_cpu(own), dtype) if is_array(own) and is_array(kept) else kept


def _strides(array: np.ndarray) -> list[int]:
    """The strides that matter: where there is more than one element along an axis."""
    return [] if array.size == 0 else [s for s, size in zip(array.strides, array.shape, strict=True) if size > 1]


def _unlike(expected: str, name: str, words: str) -> Difference | None:
    return Difference("", expected, words + name) if name else None


def _first_unlike(contract: Any, function: str, a: list[Any], b: list[Any]) -> tuple[str, str, str] | None:
    """The first place where two outcomes differ in a bit, and what they hold there."""
    for number, (one, other) in enumerate(zip(a, b, strict=False)):
        for (place, x), (_, y) in zip(leaves(one), leaves(other), strict=False):
            if not (is_array(x) and is_array(y)) or same_bits(x, y):
                continue
            name = result_name(contract, function, number, len(a)) + place
            if (x.shape, x.dtype) != (y.shape, y.dtype):
                return name, f"shape {x.shape} of {x.dtype}", f"shape {y.shape} of {y.dtype}"
            bits = f"u{x.dtype.itemsize}"
            wrong = x.view(bits) != y.view(bits) if x.dtype.kind == "f" else x != y
            index = tuple(int(each) for each in np.argwhere(wrong)[0])
            return f"{name} at index {index}".strip(), str(x[index]), str(y[index])
    return None
