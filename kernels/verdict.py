"""What came of holding an implementation against its contract: what was asked, what failed, and what could not be asked."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from minigrad.kernels.comparison import Difference

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
    "aliases": "results lie in writable memory of their own, not in an argument's or an earlier result's",
    "fresh": "other numbers in the same arrays give other results: nothing is remembered",
    "repeats": "the same bits each time",
    "not finite": "NaN and infinity where the reference has them; elsewhere only where the kernel's own bound is not finite",
    "threads": "two threads at once each get their own results",
    "parts": "divided among three threads: the reference's results, and the same bits each time",
    "identities": "what the contract's formulas say of its functions together",
    "answers": "what the contract may ask besides is answered True or False, and each time alike",
}


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
        broken: the functions that raised in each of their cases, or gave a result with which nothing more can be asked.
        unasked: of each check the functions of which it could ask nothing, and the function whose failure is to blame for each.
    """

    family: str
    name: str
    reason: str
    cases: int
    runs: dict[str, int]
    failures: list[Failure]
    broken: list[str] = field(default_factory=list)
    unasked: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether it ran, and nothing failed."""
        return not self.reason and not self.failures


class Notes:
    """What is noted during an examination, of which the report is made.

    Attributes:
        runs: how often each check was asked.
        failures: check and function -> the first failure.
        formed: the functions that gave a result of the right form at least once.

    Example:
        >>> notes = Notes()
        >>> notes.note("values", "forward", "3x3", Difference("", "results", "ValueError"))
        >>> notes.nothing_to_go_on("forward", None)
        >>> notes.keep_from("forward", "forward", "memory")
        >>> report = notes.report("conv2d", "mine", 1)
        >>> report.ok, report.broken, report.unasked
        (False, ['forward'], {'memory': {'forward': 'forward'}})
    """

    def __init__(self) -> None:
        self.runs: Counter[str] = Counter()
        self.failures: dict[tuple[str, str], Failure] = {}
        self.formed: set[str] = set()
        self._unformed: set[str] = set()  # functions that gave nothing to go on with, at least once
        self._formless: set[str] = set()  # those whose result had another form
        self._asked_of: set[tuple[str, str]] = set()  # check and function
        self._kept_from: dict[tuple[str, str], str] = {}  # check and function -> the function that failed before

    def note(self, check: str, function: str, about: str, found: Difference | None) -> None:
        """A check was asked of a function; ``found`` is what it found wrong."""
        self.runs[check] += 1
        self._asked_of.add((check, function))
        if found is not None:
            place = f"{found.place}: " if found.place else ""
            words = f"{place}expected {found.expected}, got {found.got}"
            self.failures.setdefault((check, function), Failure(check, function, about, words))

    def keep_from(self, function: str, culprit: str, *checks: str) -> None:
        """Checks could not be asked of a function, by the failure of another or its own."""
        for each in checks:
            self._kept_from.setdefault((each, function), culprit)

    def nothing_to_go_on(self, function: str, found: Difference | None) -> None:
        """A function's result is not there, or has another form than the reference's."""
        self._unformed.add(function)
        if found is not None and not found.of_value:
            self._formless.add(function)

    def broken(self) -> set[str]:
        """The functions that never gave a result, or once one of another form."""
        return (self._unformed - self.formed) | self._formless

    def report(self, family: str, name: str, cases: int) -> Report:
        """All that was noted."""
        order = {check: number for number, check in enumerate(CHECKS)}  # others come behind
        failures = sorted(self.failures.values(), key=lambda each: order.get(each.check, len(order)))
        unasked: dict[str, dict[str, str]] = {}
        for (check, function), culprit in self._kept_from.items():
            if (check, function) not in self._asked_of:
                unasked.setdefault(check, {})[function] = culprit
        return Report(family, name, "", cases, dict(self.runs), failures, sorted(self.broken()), unasked)
