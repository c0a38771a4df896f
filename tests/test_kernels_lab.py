"""The laboratory with every family: every implementation passes with every case, and so do contracts of other kinds."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from minigrad import kernels
from minigrad.core.device import quiet
from minigrad.errors import KernelError
from minigrad.kernels import laboratory, trial
from minigrad.kernels.cases import Case, Result, drawn
from minigrad.kernels.comparison import Kept, checked, is_array, leaves, outcome

FAMILIES = kernels.families()
# A reference beside itself is right by definition.
IMPLEMENTATIONS = [(family, name) for family in FAMILIES for name in kernels.available(family, "cpu") if name != "reference"]


# ---------------------------------------------------------------------- every family has cases


def test_every_family_has_cases() -> None:
    missing = {}
    for family in FAMILIES:
        try:
            covered = {case.function for case in trial.cases_of(family).cases()}
        except KernelError as error:
            missing[family] = error.expected
        else:
            if lacking := sorted(set(kernels.contract_of(family).FUNCTIONS) - covered):
                missing[family] = f"cases for {', '.join(lacking)}"
    assert not missing


@pytest.mark.parametrize("family", FAMILIES)
def test_cases_are_told_apart_and_bounded(family: str) -> None:
    """Each has a name of its own, and a tolerance for each outcome that is a number where the outcome is one."""
    contract, reference = kernels.contract_of(family), kernels.functions_of(family, "reference")
    names = [(case.function, case.name) for case in trial.cases_of(family).cases()]
    assert sorted(set(names)) == sorted(names)
    for case in trial.cases_of(family).cases():
        args, kwargs = trial.call_of(family, "reference", case)
        with quiet():
            allowed = contract.tolerance(case.function, *args, **kwargs)
            given = outcome(contract, case.function, getattr(reference, case.function)(*args, **kwargs), (args, kwargs))
        assert len(allowed) == len(given), case.name
        if not all(np.isfinite(each).all() for _, each in leaves([args, kwargs]) if is_array(each) and each.dtype.kind == "f"):
            continue
        for (_, bound), one in zip(leaves(list(allowed)), given, strict=False):
            if is_array(one) and np.isfinite(one).all():
                assert np.isfinite(bound).all() and np.min(bound, initial=0) >= 0, (case.function, case.name)


@pytest.mark.parametrize(
    ("family", "name"),
    [
        pytest.param(family, name, marks=() if name == kernels.default_of(family) else pytest.mark.rungs)
        for family, name in IMPLEMENTATIONS
    ],
)
def test_every_implementation_keeps_its_contract(family: str, name: str) -> None:
    report = laboratory.check(family, name)
    assert report.failures == []
    assert report.ok and report.cases > 0
    assert {"shapes", "values", "memory", "arguments", "aliases", "repeats", "threads"} <= report.runs.keys()


def test_what_an_implementation_has_besides_is_asked_too() -> None:
    """Each of the contract's ``OPTIONAL`` and ``QUESTIONS``, of every implementation that has it; some has each of them."""
    asked = set()
    for family, name in IMPLEMENTATIONS:
        contract, functions = kernels.contract_of(family), kernels.functions_of(family, name)
        there = {each for each in getattr(contract, "OPTIONAL", ()) if hasattr(functions, each)}
        tried = trial.Trial(family, name)
        covered = Counter(case.function for case in tried.cases)
        assert all(covered[each] == covered[contract.OPTIONAL[each][0]] > 0 for each in there)
        assert set(covered) - set(contract.FUNCTIONS) == there
        asked |= {(family, each) for each in there}
        if questions := getattr(contract, "QUESTIONS", ()):
            assert {case.function for case in tried.module.questions()} == set(questions)
    assert asked == {(family, each) for family in FAMILIES for each in getattr(kernels.contract_of(family), "OPTIONAL", ())}


def test_a_family_without_cases_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "minigrad.kernels.conv2d.cases", None)
    with pytest.raises(KernelError, match=r"expected cases in minigrad.kernels.conv2d.cases, got no such file. See"):
        laboratory.check("conv2d", "im2col")


def test_what_cannot_run_is_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    one = kernels.Implementation("minigrad.kernels.none", needs=("no_such_package",))
    monkeypatch.setitem(kernels.registry.TABLE["conv2d"], "tuned", one)
    report = laboratory.check("conv2d", "tuned")
    assert not report.ok and "needs no_such_package" in report.reason and report.failures == []


# ---------------------------------------------------------------------- contracts of other kinds


class Cache:
    """What an implementation keeps for itself from forward to backward."""

    def __init__(self, x: Any) -> None:
        self.x = x.copy()


def forward(x: Any, *, scale: float) -> Any:
    return x * scale, [x + 1, x - 1], Cache(x), None


def backward(dy: Any, cache: Any) -> Any:
    return dy * cache.x


def step(params: Any, rate: float) -> None:
    for each in params:
        each -= rate


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """A family with nested and opaque results, and arguments that are written."""
    (x,) = drawn((3, 4))
    first = Case("forward", "3 x 4", (x,), {"scale": 2.0})
    cases = [first, Case("backward", "3 x 4", (x, Result(first, 2))), Case("step", "two", ([x, x[:2]], 0.5))]
    contract = SimpleNamespace(
        FUNCTIONS=("forward", "backward", "step"), WRITES={"step": (0,)}, __name__="minigrad.kernels.made_up",
        tolerance=lambda function, *args, **kwargs: (1e-6, [1e-6, 1e-6], 0.0, 0.0) if function == "forward" else (1e-6,) * 2
        if function == "step" else (1e-6,),
    )  # fmt: skip
    functions = SimpleNamespace(forward=forward, backward=backward, step=step)
    reference = SimpleNamespace(forward=forward, backward=backward, step=step)
    family = SimpleNamespace(
        contract=contract, functions=functions, reference=reference, module=SimpleNamespace(cases=lambda: cases)
    )
    monkeypatch.setattr(trial, "contract_of", lambda _: contract)
    monkeypatch.setattr(
        trial, "functions_of", lambda _, name, device_type="cpu": reference if name == "reference" else functions
    )
    monkeypatch.setattr(laboratory, "reason_not_available", lambda family, name, device_type: "")
    monkeypatch.setattr(trial, "cases_of", lambda _: family.module)
    yield family


def test_nested_opaque_and_written_results(made_up: SimpleNamespace) -> None:
    report = laboratory.check("made_up", "own")
    assert report.failures == [] and report.runs["values"] == 3 and report.runs["float64"] == 3


def test_faults_in_nested_and_written_results(made_up: SimpleNamespace) -> None:
    made_up.functions.forward = lambda x, scale: (x * scale, [x + 1, x - 1.5], Cache(x), None)
    made_up.functions.step = lambda params, rate: step(params[:1], rate)
    made_up.functions.backward = lambda dy, cache: dy * cache.x + (0 if isinstance(cache, Cache) else 1)
    told = {failure.function: failure for failure in laboratory.check("made_up", "own").failures if failure.check == "values"}
    assert told.keys() == {"forward", "step"}
    assert "result 1[1] at index (0, 0)" in told["forward"].words
    assert "argument 0, as written[1] at index (0, 0)" in told["step"].words


def test_what_a_contract_packs(made_up: SimpleNamespace) -> None:
    """``prepare`` packs the arrays of each call to the implementation, as the contract does."""
    kinds = []

    class Packed(list):
        pass

    def packed_step(params: Any, rate: float) -> None:
        kinds.append(type(params))
        step(params, rate)

    made_up.functions.step = packed_step
    made_up.module.prepare = lambda function, args, kwargs: (
        (Packed(args[0]), *args[1:]) if function == "step" else args, kwargs,
    )  # fmt: skip
    assert laboratory.check("made_up", "own").failures == []
    assert set(kinds) == {Packed}


def test_checking_hands_each_implementation_its_own(made_up: SimpleNamespace) -> None:
    """What MINIGRAD_CHECK wraps a function in: opaque results go with the reference's own beside them."""
    made_up.reference.forward = lambda x, scale: (x * scale, [x + 1, x - 1], Cache(x), None)
    checks = {
        each: checked("made_up", "own", each, made_up.functions, made_up.reference, made_up.contract)
        for each in made_up.contract.FUNCTIONS
    }
    x = np.arange(3.0)
    _, pair, cache, nothing = checks["forward"](x, scale=2.0)
    assert isinstance(cache, Kept) and cache.own is not cache.reference and nothing is None and len(pair) == 2
    np.testing.assert_array_equal(checks["backward"](x, cache), x * x)
    params = [x.copy(), x.copy()]
    checks["step"](params, 1.0)
    np.testing.assert_array_equal(params, [x - 1, x - 1])
    made_up.functions.step = lambda params, rate: step(params[1:], rate)
    wrong = checked("made_up", "own", "step", made_up.functions, made_up.reference, made_up.contract)
    with pytest.raises(KernelError, match=r"own of made_up: step, argument 0, as written\[0\] at index \(0,\)"):
        wrong(params, 1.0)
