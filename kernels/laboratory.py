"""An implementation held against its contract: every case of the family, in every way that a program may call it.

The questions are those of ``CHECKS``. Most are asked by changing a case and calling again: other strides, other bytes in fresh
memory, a NaN among the values. The comparison is that of ``MINIGRAD_CHECK=1``, by ``comparison.py``.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.core.device import CPU, device, quiet
from minigrad.kernels.cases import Case
from minigrad.kernels.comparison import (
    Call,
    Difference,
    changed_argument,
    difference,
    fault_of_memory,
    first_unlike,
    is_array,
    leaves,
    mapped,
    on_cpu,
    outcome,
    plain_of,
    share_memory,
)  # fmt: skip
from minigrad.kernels.placement import LAYOUTS, PLAIN, Placed
from minigrad.kernels.poison import LARGE, NAN, poisoned, spread
from minigrad.kernels.registry import reason_not_available
from minigrad.kernels.threads_on_trial import Wanted, in_parts, in_two_threads
from minigrad.kernels.trial import (
    DOUBLE,
    SINGLE,
    Guarded,
    Lacking,
    Raised,
    Trial,
    Unmade,
    guarded,
    has_floats,
    own_floats,
    rounded,
)  # fmt: skip
from minigrad.kernels.verdict import Notes, Report

RIGHT_ONLY = ("fresh", "precision", "not finite", "threads", "parts")  # what is asked of right results alone
Progress = Callable[[int, int], None]
Doing = Callable[[str], None]


def check(
    family: str,
    name: str,
    progress: Progress = lambda done, total: None,
    doing: Doing = lambda words: None,
    where: str | device = CPU,
) -> Report:
    """Hold an implementation against its contract.

    Args:
        family: such as ``"conv2d"``.
        name: one of its implementations, also a registered one.
        where: the device whose arrays it is given; ``"emulated"`` runs CUDA kernels on the CPU.
        progress: is told how many cases are done, and how many there are.
        doing: is told what is asked next, before it is.

    Raises:
        KernelError: an unknown family or name, or a family without cases.

    Example:
        >>> check("random", "vectorised").ok
        True
    """
    where = device(where)
    reason = reason_not_available(family, name, where.type)
    if reason:
        return Report(family, name, reason, 0, {}, [])
    doing(f"the cases of {family}, for {name}")
    examination = _Examination(family, name, doing, where)
    with quiet():
        for number, case in enumerate(examination.cases):
            progress(number, len(examination.cases))
            examination.ask(case)
        examination.ask_together()
    progress(len(examination.cases), len(examination.cases))
    return examination.notes.report(family, name, len(examination.cases))


class _Examination(Trial):
    """A trial with what was found so far."""

    def __init__(self, family: str, name: str, doing: Doing, where: device) -> None:
        super().__init__(family, name, where)
        self.name, self.doing, self.asked = name, doing, "values"
        self.notes = Notes()
        self.calls: dict[str, list[Wanted]] = {}  # function -> what threads call it with

    def run(self, case: Case, call: Call) -> Any:
        """What the implementation returns; beforehand it is told what is asked."""
        kind = next((f", {each.dtype}" for _, each in leaves(call) if is_array(each) and each.dtype.kind == "f"), "")
        self.doing(f"{self.asked}: {case.function} of {self.name}: {case.name}{kind}")
        return super().run(case, call)

    # ------------------------------------------------------------------ one case

    def ask(self, case: Case) -> None:
        """All questions about a case, in float64 and float32."""
        for dtype in (DOUBLE, SINGLE):
            if dtype is SINGLE and not has_floats(case):
                return
            self._ask_in(case, dtype if has_floats(case) else None)

    def _ask_in(self, case: Case, dtype: np.dtype | None) -> None:
        self.asked = name = "float64" if dtype is DOUBLE else "values"
        try:
            call, beside = self.arguments(case, dtype)
        except Unmade as unmade:
            maker = unmade.case.function
            self.notes.nothing_to_go_on(maker, unmade.found)
            if not any(function == maker for _, function in self.notes.failures):
                self._told(name if unmade.found.of_value else "shapes", unmade.case, dtype, unmade.found)
            self._keep_from(case, maker, name, "shapes", *self._further(case))
            return
        want, allowed = self.wanted(case, beside)
        placed, got = self.placed(case, call), None
        try:
            returned = self.run(case, placed.call)
            given = outcome(self.contract, case.function, returned, placed.call)
            got = on_cpu(given)  # later calls may write where these results lie
            found = difference(self.contract, case.function, got, want, allowed)
        except Raised as raised:
            found = Difference("", "results", str(raised), True)
        form = found if found is not None and not found.of_value else None
        if got is not None:
            self._told("shapes", case, dtype, form)
        if form is None:
            self._told("empty" if _is_empty(call) else name, case, dtype, found)
        if got is None or form is not None:
            self.notes.nothing_to_go_on(case.function, found)
            self._keep_from(case, case.function, name, "shapes", *self._further(case))
            return
        self.notes.formed.add(case.function)
        self._told("arguments", case, dtype, _unlike("arguments left as they were", placed.changed(), "a changed "))
        self._ask_of_layout(case, dtype, given, want)
        self._ask_of_memory(case, dtype, call, got)
        self._ask_again(case, dtype, call, returned, got, placed)
        if case.any_strides:
            self._ask_of_strides(case, dtype, call, want if found is None else got, allowed)
        if found is None:
            self._ask_of_remembering(case, dtype, call)
            if dtype is not DOUBLE:
                self.calls.setdefault(case.function, []).append(Wanted(case, call, want, allowed))
            if dtype is SINGLE:
                self._ask_of_precision(case, call, got, allowed)
                self._ask_of_not_finite(case, call)
        else:
            self._keep_from(case, case.function, *RIGHT_ONLY)

    def _further(self, case: Case) -> tuple[str, ...]:
        """What is asked about a case once its result is there."""
        same = plain_of(self.contract, case.function)[0] in getattr(self.contract, "SAME_LAYOUT", ())
        return (
            *(("layout",) if same else ()),
            *(("strides",) if case.any_strides else ()),
            *("memory", "arguments", "aliases", "repeats"),
            *RIGHT_ONLY,
        )

    def _keep_from(self, case: Case, culprit: str, *checks: str) -> None:
        """Note that checks cannot be asked of a case, by the failure of a function."""
        if not has_floats(case):
            checks = tuple(each for each in checks if each not in ("fresh", "precision", "not finite"))
        self.notes.keep_from(case.function, culprit, *checks)

    def _ask_of_layout(self, case: Case, dtype: np.dtype | None, got: list[Any], want: list[Any]) -> None:
        if self.where != CPU or plain_of(self.contract, case.function)[0] not in getattr(self.contract, "SAME_LAYOUT", ()):
            return  # arrays of a GPU that come back are in C order
        found = None
        for (place, g), (_, w) in zip(leaves(got), leaves(want), strict=False):
            if is_array(g) and is_array(w) and _strides(g) != _strides(w):
                found = Difference(f"result{place}", f"strides {w.strides}, as the reference gives", str(g.strides))
        self._told("layout", case, dtype, found)

    def _ask_of_memory(self, case: Case, dtype: np.dtype | None, call: Call, got: list[Any]) -> None:
        """Runs in memory that held one thing and another; to and fro, so that what changes by itself is not taken for it."""
        sizes = [each.nbytes for _, each in leaves(got) if is_array(each)]
        self.asked, found = "memory", None
        try:
            first, second = (self._poisoned(case, call, sizes, byte) for byte in (NAN, LARGE))
            place = first_unlike(self.contract, case.function, first, second)
            if place:
                again = [self._poisoned(case, call, sizes, byte) for byte in (LARGE, NAN)]
                pairs = zip((second, first), again, strict=True)
                if not any(first_unlike(self.contract, case.function, *pair) for pair in pairs):
                    words = f"{place[1]} where it held NaN, else {place[2]}"
                    found = Difference(place[0], "one value, whatever the memory held", words)
        except Raised as raised:
            found = Difference("", "results, whatever the memory held", str(raised))
        self._told("memory", case, dtype, found)

    def _poisoned(self, case: Case, call: Call, sizes: list[int], byte: int) -> list[Any]:
        placed = self.placed(case, call)
        with poisoned(byte):
            spread(sizes, byte)
            returned = self.run(case, placed.call)
        return outcome(self.contract, case.function, returned, placed.call)

    def _ask_again(self, case: Case, dtype: np.dtype | None, call: Call, returned: Any, got: list[Any], placed: Placed) -> None:
        """Twice more: the same bits, and no result in an argument or in a result of before."""
        fault = fault_of_memory(self.contract, case.function, returned, placed.call)
        before = on_cpu(got)
        self.asked, found = "repeats", None
        try:
            for _ in range(2):
                again = self.placed(case, call)
                second = self.run(case, again.call)
                if any(share_memory(a, b) for _, a in leaves(returned) for _, b in leaves(second)):
                    fault = fault or "one in the memory of an earlier result"
                now = outcome(self.contract, case.function, second, again.call)
                place = found is None and first_unlike(self.contract, case.function, before, now)
                if place:
                    found = Difference(place[0], f"{place[1]}, as the first time", place[2])
        except Raised as raised:
            found = Difference("", "results, as the first time", str(raised))
        self._told("aliases", case, dtype, _unlike("results in memory of their own", fault))
        self._told("repeats", case, dtype, found)

    def _ask_of_strides(self, case: Case, dtype: np.dtype | None, call: Call, want: list[Any], allowed: Any) -> None:
        self.asked = "strides"
        for layout in LAYOUTS if any(is_array(each) for _, each in leaves(call)) else ():
            if layout == PLAIN:
                continue
            placed = self.placed(case, call, layout)
            try:
                got = outcome(self.contract, case.function, self.run(case, placed.call), placed.call)
                found = difference(self.contract, case.function, got, want, allowed)
            except Raised as raised:
                found = Difference("", "results", str(raised))
            self._told("strides", case, dtype, found, layout)
            changed = _unlike("arguments left as they were", placed.changed(), "a changed ")
            self._told("arguments", case, dtype, changed, layout)

    def _ask_of_remembering(self, case: Case, dtype: np.dtype | None, call: Call) -> None:
        """Other numbers in the same arrays: new results come, and the old ones stay."""
        self.asked = "fresh"
        placed = self.placed(case, call)
        given = [*own_floats(case.args, placed.call[0]), *own_floats(dict(case.kwargs), placed.call[1])]
        if not given:
            return
        try:
            first = self.run(case, placed.call)
            kept = on_cpu(first)
            for each in given:
                each[...] = np.flip(each) * each.dtype.type(0.75)
            beside = self.beside(case, placed.call, dtype)
            returned = self.run(case, placed.call)
            got = outcome(self.contract, case.function, returned, placed.call)
            found = difference(self.contract, case.function, got, *self.wanted(case, beside))
            if found is None and changed_argument(None, "", ((kept,), {}), ((first,), {})):
                found = Difference("", "results of an earlier call left as they were", "changed ones")
        except Raised as raised:
            found = Difference("", "results", str(raised))
        self._told("fresh", case, dtype, found, "other numbers in the same arrays")

    def _ask_of_precision(self, case: Case, call: Call, got: list[Any], allowed: Any) -> None:
        if not any(is_array(each) and each.dtype == SINGLE for _, each in leaves(call)):
            return
        if not any(np.any(each) for _, each in leaves(list(allowed))):
            return  # a contract that asks for the reference's bits has said how to round
        exact = rounded(self.reference_outcome(case, self.beside(case, call, DOUBLE)), got)
        self._told("precision", case, SINGLE, difference(self.contract, case.function, got, exact, allowed))

    def _ask_of_not_finite(self, case: Case, call: Call) -> None:
        """NaN and both infinities in one array at a time, at places that the case's name draws."""
        self.asked = "not finite"
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
                there = _replaced(call, array, spoilt)
                placed = self.placed(case, there)
                try:
                    beside = self.beside(case, there, SINGLE)
                    got = outcome(self.contract, case.function, self.run(case, placed.call), placed.call)
                    found = difference(self.contract, case.function, got, *self.wanted(case, beside))
                except Raised as raised:
                    found = Difference("", "results", str(raised))
                self._told("not finite", case, SINGLE, found, f"NaN and infinity in argument {key}{place}")

    # ------------------------------------------------------------------ all cases together

    def _ask_questions(self) -> None:
        """Those of the contract's ``QUESTIONS`` that the implementation answers."""
        for case in self.module.questions() if hasattr(self.module, "questions") else ():
            answer = getattr(self.own, case.function, None)
            if answer is None:
                continue
            self.doing(f"answers: {case.function} of {self.name}: {case.name}")
            try:
                first, again = (guarded(answer)(*case.args, **case.kwargs) for _ in range(2))
                same = type(first) is bool and again is first
                found = None if same else Difference("", "True or False, each time alike", f"{first!r} and {again!r}")
            except Raised as raised:
                found = Difference("", "True or False", str(raised))
            self._told("answers", case, None, found)

    def ask_together(self) -> None:
        """The contract's questions and identities, and two threads at once."""
        self._ask_questions()
        for dtype in (SINGLE, DOUBLE) if hasattr(self.module, "identities") else ():
            self.doing(f"identities of {self.name}, {dtype}")
            own = Guarded(self.own, self.notes.broken())
            try:
                for each in self.module.identities(own, dtype):
                    off = abs(each.left - each.right)
                    found = None if off <= each.allowed else Difference(
                        "", f"{each.left:.9g} within {each.allowed:.3g}", f"{each.right:.9g}, off by {off:.3g}"
                    )  # fmt: skip
                    self.notes.note("identities", each.function, f"{each.name}, {dtype}", found)
            except Lacking:
                self.notes.keep_from(own.last, own.last, "identities")
            except Exception as error:  # results of another kind than the formulas take, or none
                words = str(error) if isinstance(error, Raised) else f"{type(error).__name__}: {error}"
                blamed = own.last or self.contract.FUNCTIONS[0]
                self.notes.note("identities", blamed, str(dtype), Difference("", "results that fit", words))
        self.asked = "parts"
        for case, found in (
            [] if self.where != CPU else in_parts(self, [each for calls in self.calls.values() for each in calls])
        ):
            self._told("parts", case, None, found)
        self.asked = "threads"
        for function, wanted in self.calls.items():
            name, unlike = in_two_threads(self, wanted) or ("", None)
            self.notes.note("threads", function, name, unlike)

    # ------------------------------------------------------------------ notes

    def _told(self, check: str, case: Case, dtype: np.dtype | None, found: Difference | None, how: str = "") -> None:
        about = [case.name, *([str(dtype)] if dtype is not None else []), *([how] if how else [])]
        self.notes.note(check, case.function, ", ".join(about), found)


def _replaced(call: Call, array: np.ndarray, other: np.ndarray) -> Call:
    """The call with another array in the place of one."""
    return mapped(call, lambda each: other if each is array else each)


def _is_empty(call: Call) -> bool:
    """Whether an argument is an array without elements, or arrays that have none."""
    for value in (*call[0], *call[1].values()):
        sizes = [each.size for _, each in leaves(value) if is_array(each)]
        if sizes and not any(sizes):
            return True
    return False


def _strides(array: np.ndarray) -> list[int]:
    """The strides that matter: where there is more than one element along an axis."""
    return [] if array.size == 0 else [s for s, size in zip(array.strides, array.shape, strict=True) if size > 1]


def _unlike(expected: str, name: str, words: str = "") -> Difference | None:
    return Difference("", expected, words + name) if name else None
