"""Results of another form than the reference's are told as such by the laboratory, and nothing is computed from them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from minigrad import kernels
from minigrad.bench import large
from minigrad.cli.kernels import outcome_in_words
from minigrad.kernels import laboratory
from minigrad.kernels.registry import contract_of, functions_of
from minigrad.kernels.trial import cases_of
from minigrad.kernels.verdict import Report

Change = Callable[[Any], Any]


def of_first(change: Change) -> Change:
    """A change of the first of several results, and of the only one."""
    return lambda results: (change(results[0]), *results[1:]) if isinstance(results, tuple) else change(results)


WRONG: dict[str, Change] = {
    "a dimension more": of_first(lambda y: np.asarray(y)[None]),
    "a dimension less": of_first(lambda y: np.asarray(y).sum(-1) if np.ndim(y) else [y]),
    "an element less": of_first(lambda y: np.asarray(y)[..., :-1] if np.ndim(y) else np.zeros(0)),
    "another dtype": of_first(lambda y: np.asarray(y).astype(np.int16)),
    "a list": of_first(lambda y: np.asarray(y)[None].tolist()),
    "a class of its own": of_first(np.ma.array),
    "text": of_first(str),
    "none": lambda results: None,
    "one result more": lambda results: (*results, 1.0) if isinstance(results, tuple) else (results, 1.0),
}
# A function, and those that take what it makes and so cannot be asked.
FUNCTIONS = {
    ("activation", "forward"): set(),  # what is asked of backward first is no relu: it takes x
    ("conv2d", "forward"): set(),
    ("norm", "layer_forward"): set(),
    ("lstm", "forward"): {"backward"},
    ("update", "norm"): set(),
}
TABLE = [(family, function, kind) for family, function in FUNCTIONS for kind in WRONG]


def brief(monkeypatch: pytest.MonkeyPatch, family: str, function: str) -> None:
    """The first two cases of a function, and the first of each other one."""
    module, count = cases_of(family), dict[str, int]()
    found = []
    for case in module.cases():
        count[case.function] = count.get(case.function, 0) + 1
        if count[case.function] <= 1 + (case.function == function):
            found.append(case)
    monkeypatch.setattr(module, "cases", lambda: iter(found))


@pytest.fixture
def planted(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Report]]:
    made: list[str] = []

    def check(family: str, function: str, change: Change) -> Report:
        brief(monkeypatch, family, function)
        right = getattr(functions_of(family, "vectorised"), function)
        kernels.register(family, "planted", base="vectorised", **{function: lambda *a, **k: change(right(*a, **k))})
        made.append(family)
        return laboratory.check(family, "planted")

    yield check
    for family in made:
        kernels.unregister(family, "planted")


@pytest.mark.parametrize(("family", "function", "kind"), TABLE)
def test_a_result_of_another_form_is_told(planted: Any, family: str, function: str, kind: str) -> None:
    report = planted(family, function, WRONG[kind])
    assert {(each.check, each.function) for each in report.failures} == {("shapes", function)}, report.failures
    assert "as the reference gives, got" in report.failures[0].words and report.broken == [function]
    assert {function} <= report.unasked["memory"].keys() and set(report.unasked["memory"].values()) == {function}
    assert FUNCTIONS[family, function] <= report.unasked["values"].keys()


def test_no_more_is_asked_of_a_function_that_always_raises(planted: Any) -> None:
    def change(results: Any) -> Any:
        raise ValueError("not today")

    report = planted("lstm", "forward", change)
    assert {(each.check, each.function) for each in report.failures} == {("values", "forward"), ("float64", "forward")}
    assert all("expected results, got ValueError: not today (line " in each.words for each in report.failures)
    wanted = {"values": "FAILED: forward", "memory": "ok but for forward, backward: not asked", "large": "nothing to ask"}
    wanted["identities"] = "not asked: forward failed"
    assert {check: outcome_in_words(report, check) for check in wanted} == wanted and "forward" in report.unasked["shapes"]
    assert large.check("lstm", "planted", broken=report.broken) == (0, [])
    mixed = planted("conv2d", "grad_input", change)
    wanted = {"memory": "ok but for grad_input: not asked", "identities": "not asked: grad_input failed"}
    assert {check: outcome_in_words(mixed, check) for check in wanted} == wanted
    assert outcome_in_words(mixed, "answers") == "nothing to ask" and mixed.broken == ["grad_input"]


def test_a_case_that_is_not_there_is_no_fault_of_another_function(planted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the function that makes an argument has no case of its own, its failure is told still."""
    module = cases_of("lstm")
    found = [case for case in module.cases() if case.function == "backward"][:1]
    monkeypatch.setattr(module, "cases", lambda: iter(found))
    report = planted("lstm", "forward", WRONG["text"])
    assert [(each.check, each.function) for each in report.failures] == [("shapes", "forward")]
    assert outcome_in_words(report, "strides") == "not asked: forward failed"


@pytest.mark.parametrize(
    "family", sorted({*kernels.families()} - {"random"})
)  # whose contract makes other arguments of its own
def test_a_contract_names_the_arguments_that_no_implementation_is_given(family: str) -> None:
    contract, reference = contract_of(family), functions_of(family, "reference")
    told = " ".join(re.findall(r"but for (.*?)(?:\.|, which|:)", contract.__doc__ or "", re.DOTALL))
    for function in contract.FUNCTIONS:
        own = set(inspect.signature(getattr(contract, function)).parameters)
        for each in own - set(inspect.signature(getattr(reference, function)).parameters):
            assert f"``{each}``" in told, (function, each)
